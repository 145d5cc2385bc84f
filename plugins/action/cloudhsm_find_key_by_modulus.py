# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_find_key_by_modulus: on a Windows host the client's tool is run there; on other hosts the module
of the same name runs.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._arguments.base import CREDENTIALS
from ..module_utils._arguments.cloudhsm_find_key_by_modulus import (
    ARGUMENTS,
    CONTENT,
    lookup,
    read,
    wanted_from_certificate,
)
from ..module_utils._crypto_user import crypto_user
from ..module_utils._findings import BrokenLink, ServiceStoppedError
from ..module_utils._key import backends
from ..module_utils._key import pair as key_pair
from ..module_utils._key.backends import key_mgmt_util
from ..module_utils._key.lookup import AUTO, Lookup
from ..module_utils._results import VersionResult
from ..module_utils._steps import ReadFile, Service, Step, Version
from ..module_utils._texts import finished, hide
from ..module_utils._tools import configure
from ..plugin_utils import _scratch as scratch
from ..plugin_utils._action import CodesignAction, texts_in
from ..plugin_utils._aspect import Question
from ..plugin_utils._aspect import look as look_at
from ..plugin_utils._host.windows import answer_unseen, refuse_kept_files
from ..plugin_utils._login.host import gated_module
from ..plugin_utils._store import entry as store_entry


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    WORKS_IN_SCRATCH = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if getattr(self._connection._shell, "_IS_WINDOWS", False):
            return super().run(tmp, task_vars)
        result: dict[str, Any] = dict(ActionBase.run(self, tmp, task_vars))
        self.task_vars = task_vars or {}
        # The module checks its arguments itself.
        self.params = {name: self._task.args.get(name) for name in (*CREDENTIALS, "cluster_id")}
        user = crypto_user(self.params)
        hide(texts_in(user.password))
        try:
            if user.password:
                refuse_kept_files()
                if not getattr(self._connection, "become", None):
                    # Otherwise Ansible writes the module's arguments into a file here and one on the host.
                    self._connection.always_pipeline_modules = True
            with answer_unseen(self) if user.password else nullcontext():
                result.update(
                    gated_module(self._login(), lambda: dict(self._execute_module(task_vars=task_vars)))
                )
        except BrokenLink as broken:
            failed = {"changed": False, "failed": True, "msg": str(broken), "link": broken.link}
            result.update({**failed, **broken.details})
        return dict(finished(result))

    def execute(self) -> dict[str, Any]:
        params = self.params
        look = lookup(params, windows=True, scratch=scratch.folder())
        backends.check_on_windows(look)
        if params["modulus"]:
            wanted = key_pair.wanted_from_modulus(params["modulus"])
        elif params["certificate_content"]:
            wanted = wanted_from_certificate(read(params["certificate_content"].encode("utf-8"), CONTENT))
        else:
            wanted, look = self._ask_certificate(look)
        try:
            pair, backend = backends.find(self.host, wanted, look)
        except ServiceStoppedError as broken:
            raise key_mgmt_util.behind_the_daemon(
                broken, self.host.run([Service(configure.SERVICE)]).results[0]
            ) from None
        for text in pair.warnings:
            self.warn(text)
        return {"changed": False, "key": pair.as_dict(wanted, backend)}

    def _ask_certificate(self, look: Lookup) -> tuple[key_pair.WantedKey, Lookup]:
        """Reads the certificate on the host; which client is there is seen in the same call."""
        path = self.params["certificate_path"]
        tools = {
            name: backend.program(look) for name, backend in backends.BACKENDS.items() if backend.ON_WINDOWS
        }
        steps: list[Step] = [*map(Version, tools.values())]
        thumbprint = "" if path else store_entry.thumbprint(self.params["thumbprint"])
        store = store_entry.Wanted(self.params["store_name"], self.params["store_location"], thumbprint)
        if path:
            answer = look_at(self.host, first=[*steps, ReadFile(path)])
            certificate = read(store_entry.file_content(answer.done[-1], path), path)
        else:
            asked = Question(store_entry, store)
            answer = look_at(self.host, asked, first=steps)
            stored = answer.seen(asked).certificate(thumbprint)
            where = f"{store.store_location}\\{store.store_name}"
            certificate = store_entry.parsed(stored.der, thumbprint, where)
        versions = answer.done[: len(tools)]
        there = [
            name
            for name, version in zip(tools, versions, strict=True)
            if isinstance(version, VersionResult) and version.exists
        ]
        if look.backend == AUTO and not look.tool_path and there:
            look = replace(look, backend=there[0])
        return wanted_from_certificate(certificate), look
