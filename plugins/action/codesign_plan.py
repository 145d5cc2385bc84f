# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codesign_plan: finds files of the control node, and shares them out over hosts; shares out again what hosts did not
bring back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ..module_utils._findings import BrokenLink
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.codesign_plan import ARGUMENTS
from ..plugin_utils._artifacts.campaign import Begun, begin
from ..plugin_utils._artifacts.manifest import record_of
from ..plugin_utils._artifacts.plan import State, after, item_of, share_out, verdict


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    _requires_connection = False

    def execute(self) -> dict[str, Any]:
        params = self.params
        previous = params.get("previous")
        begun = _after(previous, params["results"]) if previous else _begin(params)
        if begun.problems:
            raise BrokenLink("file", f"Nothing was signed: {' '.join(begun.problems)}")
        for path in begun.left if not self.check_mode else ():
            with contextlib.suppress(OSError):
                os.unlink(path)
        state = begun.state
        hosts = [host for host in params["hosts"] if host not in state.out]
        shares = share_out(state.open, hosts, params["files_per_host"])
        texts = [f"{host} takes no further part: {text}" for host, text in state.out.items()]
        if state.repeated:
            texts.append(
                f"{state.repeated} signatures may have been made on hosts that did not bring them back: so many uses of the key were repeated, at most."
            )
        for text in texts if not shares else ():
            self.warn(text)
        return {
            "changed": False,
            "files": [item.as_dict() for item in state.items],
            "settled": {name: dict(one) for name, one in state.told.items()},
            "known": [dict(one) for one in begun.known],
            "out": dict(state.out),
            "uses": {name: list(names) for name, names in state.uses.items()},
            "shares": {host: [item.as_dict() for item in share] for host, share in shares.items()},
            "record": previous["record"] if previous else _record(params),
            "open": len(state.open),
            "signed": sum(1 for one in state.told.values() if one["outcome"] == "signed"),
            "key_uses_repeated": state.repeated,
            "problem": "" if shares else verdict(state, hosts),
        }


def _begin(params: Mapping[str, Any]) -> Begun:
    base = os.getcwd()
    target, manifest = (
        os.path.abspath(os.path.join(base, params[name])) if params.get(name) else ""
        for name in ("target", "manifest")
    )
    return begin(params["files"], base, target, manifest, params["wanted"])


def _record(params: Mapping[str, Any]) -> str:
    return record_of(os.path.abspath(params["manifest"])) if params.get("manifest") else ""


def _after(previous: Mapping[str, Any], results: Mapping[str, Any]) -> Begun:
    state = State(
        tuple(item_of(one) for one in previous["files"]),
        dict(previous["settled"]),
        dict(previous["out"]),
        {name: tuple(hosts) for name, hosts in previous["uses"].items()},
    )
    shares = {host: [item_of(one) for one in share] for host, share in previous["shares"].items()}
    return Begun(after(state, shares, results), tuple(previous["known"]))
