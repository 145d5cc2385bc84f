# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codesign_manifest: writes what was signed into a manifest (JSON) and SHA256SUMS on the control node."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..module_utils._findings import BrokenLink
from ..plugin_utils import _control_files as control_files
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.codesign_manifest import ARGUMENTS
from ..plugin_utils._artifacts import campaign, manifest
from ..plugin_utils._artifacts.plan import State, item_of
from ..plugin_utils._artifacts.store import UTC


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    _requires_connection = False

    def execute(self) -> dict[str, Any]:
        path = os.path.abspath(self.params["path"])
        try:
            return self._write(path, self.params)
        except (manifest.ManifestError, OSError) as error:
            raise BrokenLink(
                "file", f"The manifest {path} cannot be written: {str(error).rstrip('.')}."
            ) from error

    def _write(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        folder = os.path.dirname(path)
        old, record = campaign.read(path)
        earlier = (*old.entries, *(one for _how, one in record))
        now = datetime.now(timezone.utc).strftime(UTC)
        new = _entries(params, folder, now, old.entries)
        # In check mode what would be signed has no digest yet.
        predicted = self.check_mode and any(not one.get("sha256_after") for one in new)
        whole = manifest.Manifest(params["wanted"], campaign.merged(new, earlier, folder))
        texts = {path: manifest.build(whole, now), **_sums(path, whole)}
        changed = predicted or not manifest.is_same(_text(path), whole)
        changed = changed or any(_text(one) != text for one, text in texts.items() if one != path)
        if changed and not self.check_mode:
            for one, text in texts.items():
                control_files.write(one, text.encode("utf-8", "surrogateescape"))
        if not self.check_mode:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(manifest.record_of(path))
        repeated = sum(int(one.get("key_uses_repeated") or 0) for one in whole.entries)
        sums = sorted(one for one in texts if one != path)
        return {
            "changed": changed,
            "path": path,
            "sums": sums,
            "files": len(whole.entries),
            "key_uses_repeated": repeated,
        }


def _entries(params: Mapping[str, Any], folder: str, now: str, old: Any) -> list[dict[str, Any]]:
    plan = params.get("plan")
    if plan:
        state = State(
            tuple(item_of(one) for one in plan["files"]),
            dict(plan["settled"]),
            uses={name: tuple(hosts) for name, hosts in plan["uses"].items()},
        )
        return campaign.entries_of(state, plan["known"], folder)
    found = []
    for host, signed in params["signed"].items():
        found += campaign.entries_on(host, signed or [], now, old)
    return found


def _sums(path: str, whole: manifest.Manifest) -> dict[str, str]:
    """The sums by their paths: of the control node's files, and of each host's."""
    hosts = sorted({str(one["host"]) for one in whole.entries if one.get("on_host")})
    texts = {
        manifest.sums_of(path, host): manifest.sums(
            one for one in whole.entries if one.get("on_host") and one["host"] == host
        )
        for host in hosts
    }
    local = [one for one in whole.entries if not one.get("on_host")]
    return {**texts, manifest.sums_of(path): manifest.sums(local)} if local or not hosts else texts


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""
