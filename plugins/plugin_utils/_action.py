# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of all actions: arguments, check mode, diff, secrets, result.

An action of ours gives its ``ARGUMENTS`` and defines ``execute``; everything that all of them do alike stands
here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Mapping

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ..lookup import control_file, former, identities
from ..module_utils._arguments.base import Arguments, seconds_problem
from ..module_utils._crypto_user import crypto_user, login_problem
from ..module_utils._findings import BrokenLink, LoginRefusedError
from ..module_utils._texts import finished, hide, secret_problem
from . import _diagnosis as diagnosis
from ._diagnosis import Context
from ._host import forks
from ._host.lost import ConnectionLostError
from ._host.windows import Host
from ._key import container
from ._login.host import GatedHost
from ._login.proof import Login
from ._progress.board import BOARD, Count

FOR_FORKS = (control_file, former, identities)
"""The roles' lookups: read and compiled once, by the process that loads the actions, where else each of its forks, one a host and task, would do it."""

forks.prepare()

COLLECTION = Path(__file__).resolve().parents[2]

LOGGED = (
    "PowerShell's module logging is on at this host (policy EnableModuleLogging): event 4103 holds the password that was sent, as "
    "win_powershell gives it to ConvertTo-SecureString. Turn protected event logging on there, or module logging off; see docs/secrets.md."
)


LOST = "The connection to the host broke: {}."
AGAIN = "It may go on with what it was asked for. See that it answers (ansible.windows.win_ping), and run the play again: it looks at what is there first."


def _register_nothing(value: str) -> None:
    """ansible-core before 2.22 masks nothing of an action by itself: ``finished`` does it for our results."""


try:
    from ansible.module_utils.secrets import register_secret
except ImportError:
    register_secret = _register_nothing


def texts_in(value: Any) -> list[str]:
    """All texts in what was given for an argument: a secret may be given where a list is, or in one."""
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts_in(item)]
    return [str(value)] if value else []


OF_ROLES = {
    "crypto_user": "codesign_crypto_user",
    "crypto_password": "codesign_crypto_password",
    "hsm_addresses": "codesign_hsm_addresses",
    "hsm_type": "codesign_hsm_type",
    "customer_ca": "codesign_customer_ca",
    "client_sdk": "codesign_client_sdk",
    "cluster_id": "codesign_cluster_id",
    "key_availability_check": "codesign_client_key_availability_check",
    "key_access": "codesign_key_access",
    "switch_key_access": "codesign_switch_key_access",
    "check_connection": "codesign_client_check_connection",
    "tls_certificate": "codesign_client_tls_certificate",
    "tls_key": "codesign_client_tls_key",
    "tls_readers": "codesign_client_tls_readers",
    "ask_aws": "codesign_client_ask_aws",
    "lookup_clusters": "codesign_client_lookup_clusters",
    "store_location": "codesign_store_location",
    "signtool_path": "codesign_signtool_path",
    "timestamp_urls": "codesign_sign_timestamp_urls",
    "timestamp_digest": "codesign_sign_timestamp_digest",
    "ledger_path": "codesign_sign_ledger_path",
    "csr": "codesign_request_csr",
    "key_size": "codesign_request_key_size",
    "lock_timeout": "codesign_sign_lock_timeout",
    "timestamp_attempts": "codesign_sign_timestamp_attempts",
    "timestamp_delay": "codesign_sign_timestamp_delay",
    "additional_certificates": "codesign_sign_additional_certificates",
    "page_hashes": "codesign_sign_page_hashes",
    "expiry_days": "codesign_expiry_days",
}
"""What a user of the roles and playbooks sets for an option of a module."""

VALUES_OF_ROLES = {
    "foreign": ("codesign_sign_foreign", "leave|replace|append|fail"),
    "append": ("codesign_sign_append", "true|false"),
    "unsignable": ("codesign_sign_unsignable", "fail|skip"),
    "state": ("codesign_sign_state", "signed|verified|timestamped|unsigned"),
}
"""The same for options whose names are words of the language: only where a value of theirs stands behind."""

_VALUE = re.compile(
    "|".join(
        rf"(?<![\w./\\-]){name}(?=: (?:{values})\b)" for name, (_variable, values) in VALUES_OF_ROLES.items()
    )
)
_OPTION = re.compile(rf"(?<![\w./\\-])({'|'.join(OF_ROLES)})(?![\w./\\-]*\w)")
_SENTENCES = ("msg", "warnings", "text", "repair", "findings", "error", "files")


def _role_words(text: str) -> str:
    named = _OPTION.sub(lambda found: OF_ROLES[found[1]], text)
    return _VALUE.sub(lambda found: VALUES_OF_ROLES[found[0]][0], named)


def as_role_says(value: Any, key: str = "msg") -> Any:
    """A result whose sentences speak of the roles' variables instead of the modules' options."""
    if isinstance(value, str):
        return _role_words(value) if key in _SENTENCES else value
    if isinstance(value, Mapping):
        return {
            name: as_role_says(item, str(name)) if name in _SENTENCES else item
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [as_role_says(item, key) for item in value]
    return value


class CodesignAction(ActionBase):
    """Subclasses set ARGUMENTS and define ``execute``.

    While it runs: ``params`` (checked arguments), ``host``, ``task_vars``, ``check_mode``,
    ``diff_mode``, ``warn(text)``.
    """

    ARGUMENTS: ClassVar[Arguments]
    WORKS_IN_SCRATCH: ClassVar[bool] = False
    """Whether its calls make folders for files of tools: it removes what was left of calls that were cut off."""
    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    params: dict[str, Any]
    host: GatedHost

    def execute(self) -> dict[str, Any]:
        """Does the module's work and returns its result; ``changed`` is required. Raises BrokenLink to fail."""
        raise NotImplementedError

    def further_arguments(self, task_vars: dict[str, Any]) -> Mapping[str, Any]:
        """Arguments that come before those of the task, and of ``module_defaults``. AnsibleError where they cannot be read."""
        return {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = dict(super().run(tmp, task_vars))
        try:
            self._task.args = {**self._task.args, **self.further_arguments(task_vars or {})}
        except AnsibleError as error:
            return {**result, "changed": False, "failed": True, "msg": error.message, "link": "argument"}
        given = {name: texts_in(self._task.args.get(name)) for name in self.ARGUMENTS.secret_names()}
        faults = (secret_problem(name, self._task.args.get(name)) for name in given)
        if fault := next(filter(None, faults), ""):
            return {**result, "changed": False, "failed": True, "msg": fault, "link": "argument"}
        for secret in hide(text for texts in given.values() for text in texts):
            register_secret(secret)
        self._warnings: list[str] = []
        try:
            self.params = self.validate_argument_spec(**self.ARGUMENTS.as_keywords())[1]
        except AnsibleActionFail as error:
            refused = {"changed": False, "failed": True, "msg": error.message, "link": "argument"}
            return dict(finished({**result, **refused}))
        if problem := seconds_problem(self.params) or login_problem(self.params):
            return {**result, "changed": False, "failed": True, "msg": problem, "link": "argument"}
        self.task_vars: Mapping[str, Any] = task_vars or {}
        tidies = self.WORKS_IN_SCRATCH and not self.check_mode
        self.host = GatedHost(Host(self, self.task_vars, tidies), self._login())
        try:
            result.update(self._executed())
        except BrokenLink as broken:
            if isinstance(broken, LoginRefusedError) and "login_tries" not in broken.details:
                self.host.refuse()
            result.update(
                {
                    # What was done before it broke is there: handlers have to know.
                    "changed": self.host.has_changed,
                    **broken.details,
                    "failed": True,
                    "msg": str(broken),
                    "link": broken.link,
                }
            )
        if self.host.is_logged:
            self.warn(LOGGED)
        if self._warnings:
            result["warnings"] = [*result.get("warnings", []), *self._warnings]
        if not self.diff_mode:
            result.pop("diff", None)
        # Masked before words in it are replaced: a secret may hold one of them.
        result = dict(finished(result))
        return dict(as_role_says(result)) if self._is_ours() else result

    def _executed(self) -> dict[str, Any]:
        """What ``execute`` returns. A connection that breaks on the way is a broken link as any other: the task fails, and
        what rescues it still may reach the host.
        """
        try:
            try:
                result = self.execute()
            except BrokenLink:
                self.host.tidy()
                raise
            self.host.tidy()
            return result
        except ConnectionLostError as error:
            raise BrokenLink("host", LOST.format(error), AGAIN) from None

    def diagnosed(self, context: Context, broken: BrokenLink) -> BrokenLink:
        """``broken``, or the link behind it that one more call shows."""
        steps, secrets = diagnosis.steps(context, broken)
        results = self.host.run(steps, secrets).results if steps else []
        return diagnosis.judge(context, results, broken)

    def diagnosed_anew(self, key: container.Wanted, broken: BrokenLink) -> BrokenLink:
        """The same where nothing was read of the client yet, and only where a tool's own words leave it open."""
        if not diagnosis.is_open(broken):
            return broken
        seen = diagnosis.seen_of(key, self.host.run(container.observe(key)).results)
        return broken if seen is None else self.diagnosed(Context(key, seen), broken)

    def _is_ours(self) -> bool:
        """Whether the task stands in a role or playbook of this collection, whose user knows no module."""
        place = str(self._task.get_path() or "").partition(":")[0]
        return bool(place) and COLLECTION in Path(place).resolve().parents

    def _login(self) -> Login:
        given = {
            name: self.params[name]
            for name in ("client_sdk", "cluster_id", "timeout")
            if self.params.get(name)
        }
        return Login(crypto_user(self.params), cluster=self._cluster(), **given)

    def _cluster(self) -> str:
        """What tells the host's cluster from another one: the module's option, else the roles' variables."""
        named = (self.task_vars.get(name) for name in ("codesign_cluster_id", "codesign_hsm_addresses"))
        found = next((value for value in (self.params.get("cluster_id"), *named) if value), "")
        return str(self._templar.template(found))

    @property
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)

    @property
    def diff_mode(self) -> bool:
        return bool(self._task.diff)

    def count(self, count: Count) -> None:
        """How far this task is with its files, for a callback plug-in that watches."""
        BOARD.note(str(self.task_vars.get("inventory_hostname", "")), count)

    def warn(self, text: str) -> None:
        """Shows ``text`` as a warning of this task."""
        self._warnings.append(text)
