# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a key cannot be used: one answer for the import of a key, the association of its certificate and SignTool.

certutil and SignTool give a code that fits several causes, so everything on the way from the certificate to the
key is asked, in one remote call: provider, client, service, HSMs, crypto user, key, container. At most one login
is tried, by a tool that names a refusal; none where one was refused already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

from ..module_utils._certificate import CertificateError, read_certificate
from ..module_utils._findings import (
    BrokenLink,
    ListingFailedError,
    LockedError,
    LoginRefusedError,
    NoLoginError,
    NotConfiguredError,
    NotVisibleError,
    ServiceStoppedError,
    UnexplainedError,
    UnreachableError,
    quoted,
)
from ..module_utils._key import pair
from ..module_utils._key.backends import TOOLS
from ..module_utils._key.backends import cloudhsm_cli as cli_backend
from ..module_utils._key.backends import key_mgmt_util as kmu_backend
from ..module_utils._key.lookup import Lookup
from ..module_utils._key.pair import WantedKey, only_private
from ..module_utils._results import ConnectResult, Result, RunResult
from ..module_utils._steps import Connect, Run, Step
from ..module_utils._tools import cloudhsm_cli, configure, key_mgmt_util
from ._formats.client_config import ConfigError, read_sdk5
from ._key.container import FOLDER, HOLDS_NOTHING, Seen, Wanted, existing, read, tied_to
from ._sdk import SDK3, SDK5, ClientSdk, meant
from ._store.entry import CLOUDHSM_PROVIDERS, same_provider
from ._tools import certutil
from ._tools.ksp_config import SDK5_KSP

PORT = 2223
LONGEST = 60
"""Seconds that a question may take, however long the task's own time limit is."""

_OPEN = (ListingFailedError, UnexplainedError, UnreachableError, LoginRefusedError)
_DETAILS = ("code", "exit_code", "output", "providers")
"""What of an answer goes into the result, beside what was reported first."""
_DIRECTLY = " Or, if that is a key's own name: set key_access to direct."
_CLIENT = "Run the role cloudhsm.codesign.client."


@dataclass(frozen=True)
class Context:
    """What is known of the key and its host. ``associated``: the key is used by its certificate's association,
    so the container has to be the one that it names. ``logged_in``: a tool that names refusals was not refused
    in this task.
    """

    wanted: Wanted
    seen: Seen
    associated: bool = False
    logged_in: bool = False

    @property
    def sdk(self) -> ClientSdk | None:
        """The client SDK behind the provider; None where none is installed."""
        seen = self.seen
        there = {
            SDK5: bool(seen.cli_version or seen.ksp_version),
            SDK3: seen.import_key or (seen.service is not None and seen.service.exists),
        }
        named = meant(self.wanted.client_sdk)
        return named[0] if len(named) == 1 else next((sdk for sdk in named if there[sdk]), None)

    @property
    def ours(self) -> bool:
        """Whether the provider is CloudHSM's: of another one nothing is known but whether it is registered."""
        return self.wanted.provider.lower() in CLOUDHSM_PROVIDERS

    @property
    def addresses(self) -> tuple[str, ...]:
        """The HSMs that the client's configuration names."""
        return self.seen.addresses.get(self.sdk.name, ()) if self.sdk else ()

    @property
    def lookup(self) -> Lookup:
        """How the client's tool is asked."""
        return Lookup(
            windows=True,
            backend=(self.sdk or SDK3).backend,
            cluster_id=self.wanted.cluster_id,
            user=self.wanted.user,
            timeout=min(LONGEST, self.wanted.timeout),
            scratch=self.wanted.scratch,
        )


def key_of(der: bytes) -> WantedKey:
    """The key of a certificate; none where the certificate cannot be read."""
    try:
        certificate = read_certificate(der)
    except CertificateError:
        return WantedKey()
    return pair.key_of(certificate)


def seen_of(wanted: Wanted, results: Sequence[Result]) -> Seen | None:
    """What container.observe found; None where it cannot be read, which is no worse than what is diagnosed."""
    try:
        return read(wanted, results)
    except BrokenLink:
        return None


def is_open(broken: BrokenLink) -> bool:
    """Whether more than one cause fits what a tool said."""
    return isinstance(broken, _OPEN) and not isinstance(broken, LockedError)


def steps(context: Context, broken: BrokenLink) -> tuple[list[Step], Mapping[str, str]]:
    """What is asked where ``broken`` leaves open which link it is, and its secrets. None where nothing is left
    to ask.
    """
    asked, secrets = _questions(context, broken)
    return [step for _name, step in asked], secrets


def judge(context: Context, results: Sequence[Result], broken: BrokenLink) -> BrokenLink:
    """The broken link that the answers show, or ``broken`` itself where all of them are well."""
    asked, _secrets = _questions(context, broken)
    answers: dict[str, list[Result]] = {}
    for (name, _step), result in zip(asked, results, strict=True):
        answers.setdefault(name, []).append(result)
    order = (_locked,) if isinstance(broken, LoginRefusedError) else _ORDER if context.ours else _ORDER[:1]
    for question in order:
        found = question(context, answers)
        if found is not None:
            own = {name: value for name, value in found.details.items() if name in _DETAILS}
            reported = broken.details.get("reported") or broken.problem
            found.details = {**broken.details, "reported": reported, **own}
            return found
    closed = _closed(context, answers)
    if closed:
        broken.details["unreachable"] = closed
    return broken


# What is asked
# --------------------------------------------------------------------------------------------------------------


def _questions(context: Context, broken: BrokenLink) -> tuple[list[tuple[str, Step]], Mapping[str, str]]:
    wanted, lookup = context.wanted, context.lookup
    locked = [("user", cli_backend.user_step(lookup))] if wanted.user and context.seen.cli_version else []
    if isinstance(broken, LoginRefusedError):
        # The tool's word is clear. That the user is locked by now is asked without a login.
        return [*locked], {}
    listing = Run(certutil.PROGRAM, certutil.csplist_argv(), timeout=lookup.timeout)
    if not context.ours:
        return [("providers", listing)], {}
    asked: list[tuple[str, Step]] = [
        ("providers", listing),
        *(("connection", Connect(address, PORT)) for address in context.addresses),
        *locked,
    ]
    if not _may_log_in(context):
        return asked, {}
    login, secrets = _login_steps(context)
    return [*asked, *(("login", step) for step in login)], secrets


def _may_log_in(context: Context) -> bool:
    """Whether a login can tell something that is not known without one."""
    wanted, seen = context.wanted, context.seen
    if not wanted.user or context.logged_in or _without_asking(context) is not None:
        return False
    if context.sdk is SDK5:
        return bool(seen.cli_version)
    return seen.import_key and key_mgmt_util.takes(wanted.user.name, wanted.user.password)


def _login_steps(context: Context) -> tuple[list[Step], Mapping[str, str]]:
    """One login, which looks for the certificate's private key where that is possible."""
    key, lookup = context.wanted.key, context.lookup
    if context.sdk is SDK5 and (key.is_rsa or key.point):
        return [cli_backend.ask_step(key, lookup)], lookup.user.secrets
    if context.sdk is SDK3 and key.is_rsa and lookup.scratch:
        return kmu_backend.find_handles_steps(key, lookup)
    step, secrets = TOOLS[lookup.backend].login_step(lookup)
    return [step], secrets


# What the answers mean
# ----------------------------------------------------------------------------------------------------------

Answers = Mapping[str, Sequence[Result]]


def _provider(context: Context, answers: Answers) -> BrokenLink | None:
    """Not there by exactly this name, by which Windows opens it: under its other name it is another one."""
    listed = next(iter(answers.get("providers", ())), None)
    if not isinstance(listed, RunResult) or not listed.ok:
        return None
    try:
        names = [provider.name for provider in certutil.parse_csplist(listed.stdout).providers]
    except certutil.ParseError:
        return None
    name = context.wanted.provider
    if not names or name.lower() in (one.lower() for one in names):
        return None
    problem = f"The provider {name} is not registered on this host"
    other = next((one for one in names if same_provider(one, name)), None)
    if other is not None:
        problem += f", where CloudHSM's provider is registered as {other}"
        advice = f"Name that one (provider), and tie the certificate to it; or register {name} again."
    elif context.sdk is SDK3:
        advice = "Run ksp_config.exe -register (win_cloudhsm_client does)."
    else:
        advice = "Install the KSP package of Client SDK 5 again, or check the option provider."
    return BrokenLink("provider", f"{problem}.", advice, providers=names)


def _without_asking(context: Context) -> BrokenLink | None:
    """What the host's files and its service say already."""
    return next((found for question in _KNOWN if (found := question(context, {})) is not None), None)


def _configuration_of_sdk3(context: Context, _answers: Answers) -> BrokenLink | None:
    if context.sdk is not SDK3 or configure.SDK3_FILE in context.seen.configurations:
        return None
    return NotConfiguredError(
        "client",
        f"The client's configuration {configure.SDK3_FILE} is gone: it is not in {configure.FOLDERS[0]}.",
        f"Configure the client again with the address of an HSM. {_CLIENT}",
    )


def _service(context: Context, _answers: Answers) -> BrokenLink | None:
    service = context.seen.service
    if context.sdk is not SDK3 or service is None or service.status == "Running":
        return None
    state = service.status.lower() if service.exists else "not installed"
    return ServiceStoppedError(
        "service", f"The service {configure.SERVICE} is {state}.", "Start it (win_cloudhsm_client does)."
    )


def _container(context: Context, _answers: Answers) -> BrokenLink | None:
    key = tied_to(context.wanted, context.seen) if context.associated and context.sdk else None
    if key is None:
        return None
    file = existing(key.container, context.seen.containers)
    there = bool(file) and file not in context.seen.blank
    by_files = context.sdk is SDK3 or context.seen.compatibility_mode is not False
    named = key.provider.lower() == SDK5_KSP.lower()
    if there and not by_files and not named:
        return BrokenLink(
            "client",
            f"The provider reads no key containers, as its SDK 3 compatibility mode is off: {key.container}, which the certificate is tied to, is one.",
            f"Turn it on (win_cloudhsm_client with key_access=reference does). {_CLIENT}",
        )
    if there or not by_files:
        return None
    lost = f"is lost: its file {HOLDS_NOTHING}" if file else f"is gone: it has no file in {FOLDER}"
    return BrokenLink(
        "container",
        f"The key container {key.container}, which the certificate {context.wanted.thumbprint} is tied to, {lost}.",
        "Make it again with win_cloudhsm_import_key, and tie the certificate to it (role cloudhsm.codesign.key_container)."
        + (_DIRECTLY if context.sdk is SDK5 and named and not file else ""),
    )


def _connections(context: Context, answers: Answers) -> BrokenLink | None:
    closed = _closed(context, answers)
    if not closed or len(closed) < len(context.addresses):
        return None
    return UnreachableError(
        "cluster",
        f"This host cannot reach the HSM on TCP port {PORT}: {', '.join(closed)}.",
        "Make the instance a member of the cluster's own security group (cloudhsm-<cluster id>-sg), and check the route to the HSM's subnet.",
    )


def _closed(context: Context, answers: Answers) -> list[str]:
    return [
        address
        for address, result in zip(context.addresses, answers.get("connection", ()), strict=False)
        if isinstance(result, ConnectResult) and not result.reachable
    ]


def _locked(context: Context, answers: Answers) -> BrokenLink | None:
    user = context.wanted.user.name
    if any(cli_backend.is_locked(result, user) for result in answers.get("user", ())):
        return cloudhsm_cli.locked(user)
    return None


def _login(context: Context, answers: Answers) -> BrokenLink | None:
    """A refused login, a key that the crypto user does not see or that is not on enough HSMs."""
    results = answers.get("login", ())
    if not results:
        return None
    try:
        if len(results) > 1:
            handles = kmu_backend.read_handles(results, context.lookup)
            if not handles.private:
                only_private((), handles.public, context.wanted.key)
        elif context.sdk is SDK5 and (context.wanted.key.is_rsa or context.wanted.key.point):
            return _key_of_sdk5(context, results[0])
        else:
            return TOOLS[context.lookup.backend].refused_login(results[0], context.lookup)
    except ServiceStoppedError as broken:
        return kmu_backend.behind_the_daemon(broken, context.seen.service) if context.seen.service else broken
    except (LoginRefusedError, NoLoginError, NotVisibleError, UnreachableError) as broken:
        return broken
    except BrokenLink:
        return None
    return None


def _key_of_sdk5(context: Context, result: Result) -> BrokenLink | None:
    keys = cli_backend.read_asked(result, context.wanted.key, context.lookup)
    if keys is None:
        return None
    private = [key for key in keys if key.key_class == "private"]
    if not private:
        only_private((), [key.handle for key in keys], context.wanted.key)
    key = tied_to(context.wanted, context.seen) if context.associated else None
    labels = [one.label for one in private]
    if (
        key is not None
        and context.seen.compatibility_mode is False
        and all(labels)
        and key.container not in labels
    ):
        return BrokenLink(
            "container",
            f"The certificate {context.wanted.thumbprint} is tied to the name '{key.container}', and its private key bears {quoted(labels[0])} "
            "on the HSM: opened directly, a key is found by its name.",
            "Tie the certificate to that name (role cloudhsm.codesign.key_container), or set key_access to reference.",
        )
    covered = [one for one in private if one.cluster_coverage in ("", "full")]
    if covered or not _availability_check(context.seen):
        return None
    return BrokenLink(
        "key",
        f"The private key {private[0].reference} is not on all HSMs of the cluster ({private[0].cluster_coverage}): the provider wants it on two at least.",
        "Copy it to every HSM (cloudhsm-cli key replicate); with a single HSM turn the key availability check off (win_cloudhsm_client does).",
    )


def _availability_check(seen: Seen) -> bool:
    """Whether the provider counts the HSMs that have a key; it does unless its configuration says otherwise."""
    try:
        clusters = read_sdk5(seen.configurations[configure.KSP_FILE]).clusters
    except (KeyError, ConfigError):
        return True
    return not clusters or any(cluster.key_availability_check for cluster in clusters)


def _configuration_of_sdk5(context: Context, answers: Answers) -> BrokenLink | None:
    """The provider's file is missing where the client's others are, or where its tool says so, too: where the
    files lie is not documented for Windows.
    """
    files = context.seen.configurations
    if context.sdk is not SDK5 or configure.KSP_FILE in files:
        return None
    if configure.CLI_FILE not in files and not _says_unconfigured(context, answers):
        return None
    return NotConfiguredError(
        "client",
        f"The configuration of CloudHSM's provider is gone: there is no {configure.KSP_FILE} in {' or '.join(configure.FOLDERS)}.",
        f"Run configure-ksp with the address of an HSM (win_cloudhsm_client does). {_CLIENT}",
    )


def _says_unconfigured(context: Context, answers: Answers) -> bool:
    try:
        for result in answers.get("login", ()):
            cli_backend.read_asked(result, context.wanted.key, context.lookup)
    except NotConfiguredError:
        return True
    except BrokenLink:
        return False
    return False


_Question = Callable[[Context, Answers], "BrokenLink | None"]
_KNOWN: tuple[_Question, ...] = (_service, _configuration_of_sdk3, _container)
_ORDER: tuple[_Question, ...] = (
    _provider,
    _service,
    _configuration_of_sdk3,
    _connections,
    _locked,
    _login,
    _container,
    _configuration_of_sdk5,
)
"""In the order of the chain: what is further along it cannot work before."""
