# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_codesign_artifacts, and what they mean together."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from ...module_utils._arguments.base import CREDENTIALS_TOGETHER, Arguments
from ...module_utils._findings import BrokenLink
from .._artifacts.files import Place, ending, sha256
from .._artifacts.plan import Item
from . import win_signtool

_LIKE_WIN_SIGNTOOL = (
    *("timestamp_attempts", "timestamp_delay", "batch", "page_hashes"),
    *("thumbprint", "former", "store_name", "store_location", "signtool_path", "digest", "timestamp_urls"),
    *(
        "timestamp_digest",
        "description",
        "url",
        "foreign",
        "unsignable",
        "jobs",
        "ledger_path",
        "lock_timeout",
    ),
    *("cluster_id", "crypto_user", "crypto_password", "client_sdk", "timeout"),
)
_ID = re.compile(r"[a-z][a-z0-9]{0,15}(\.[A-Za-z0-9]{1,15})?")

ARGUMENTS = Arguments(
    argument_spec={
        "artifacts": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "path": {"type": "path", "required": True},
                "id": {"type": "str"},
                "sha256": {"type": "str"},
                "size": {"type": "int"},
                "named": {"type": "bool", "default": True},
                "places": {
                    "type": "list",
                    "elements": "dict",
                    "options": {
                        "path": {"type": "path", "required": True},
                        "before": {"type": "str"},
                        "mode": {"type": "int"},
                    },
                },
            },
        },
        "record": {"type": "path"},
        "wanted": {"type": "dict", "default": {}},
        "trusted": {"type": "list", "elements": "str", "default": []},
        **{
            name: {
                **win_signtool.ARGUMENTS.argument_spec[name],
                **({"required": True} if name == "thumbprint" else {}),
            }
            for name in _LIKE_WIN_SIGNTOOL
        },
    },
    required_together=CREDENTIALS_TOGETHER,
)


def items(params: Mapping[str, Any]) -> list[Item]:
    """The artifacts; what is not given is looked up. BrokenLink for one that cannot be."""
    found: dict[str, Item] = {}
    for number, one in enumerate(params["artifacts"], 1):
        item = _item(one, number)
        if item.id.lower() in found:
            raise BrokenLink(
                "argument", f"Two artifacts have the id {item.id}.", "Give each another one, or none."
            )
        found[item.id.lower()] = item
    if not found:
        raise BrokenLink("argument", "The list artifacts is empty.", "Name at least one file.")
    return list(found.values())


def _item(one: Mapping[str, Any], number: int) -> Item:
    path = os.path.abspath(one["path"])
    name = one.get("id") or f"a{number:04d}{ending(path)}"
    if not _ID.fullmatch(name):
        advice = "Give a letter, up to 15 letters or digits, and an ending."
        raise BrokenLink("argument", f"The id {name!r} of an artifact is no plain name.", advice)
    try:
        digest = one.get("sha256") or sha256(path)
        status = os.stat(path)
    except OSError as error:
        raise BrokenLink(
            "file", f"{path} cannot be read on the control node: {error.strerror or error}."
        ) from error
    mode, places = stat.S_IMODE(status.st_mode), one.get("places") or [{"path": path, "before": digest}]
    return Item(
        name,
        path,
        digest,
        status.st_size if one.get("size") is None else one["size"],
        tuple(
            Place(
                os.path.abspath(place["path"]),
                place.get("before") or "",
                mode if place.get("mode") is None else place["mode"],
            )
            for place in places
        ),
        one["named"],
    )


def signing(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of win_signtool, without files: those given here, and the defaults of the others."""
    spec = win_signtool.ARGUMENTS.argument_spec
    usual = {name: option.get("default") for name, option in spec.items() if name != "files"}
    return {**usual, **{name: params[name] for name in _LIKE_WIN_SIGNTOOL if params.get(name) is not None}}
