# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_credential: an entry of the account's Credential Manager."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from ..windows.credentials import Credential
from ..windows.errors import LabOSError
from .base import Call, Module, Unhandled
from .documentation import Rules

_TYPES = {
    "generic_password": "Generic",
    "domain_password": "DomainPassword",
    "domain_certificate": "DomainCertificate",
    "generic_certificate": "GenericCertificate",
}
_BASE64, _ONCE = ("base64",), ("on_create",)
_PERSISTENCE = {"local": "LocalMachine", "enterprise": "Enterprise"}


def run(call: Call) -> None:
    name, kind = call.args["name"], call.args["type"].lower()
    vault = call.host.credentials
    try:
        old = vault.read(call.account, call.logon, name, kind)
        new = _wanted(call, old, kind) if call.args["state"] == "present" else None
        changed = new != old
        if changed and not call.check_mode:
            if new is None:
                vault.delete(call.account, call.logon, name, kind)
            else:
                vault.write(call.account, call.logon, new)
    except LabOSError as error:
        text = f"{call.host.error_text(error.code).rstrip('.')}, Win32ErrorCode {error.code} - 0x{error.code:08X}"
        raise Unhandled(
            f'Exception calling "GetCredential" with "2" argument(s): "CredReadW({name}) failed ({text})"'
        ) from error
    call.result["changed"] = changed
    if call.diff:
        call.result["diff"] = {
            "before": _shown(old) if old else "",
            "after": (_input(call, kind) if call.check_mode else _shown(new)) if new else "",
        }


def _wanted(call: Call, old: Credential | None, kind: str) -> Credential:
    args = call.args
    secret = args["secret"]
    data = (
        None
        if secret is None
        else base64.b64decode(secret)
        if args["secret_format"] in _BASE64
        else secret.encode("utf-16-le")
    )
    attributes = (
        None
        if args["attributes"] is None
        else tuple((item["name"], _attribute(item)) for item in args["attributes"])
    )
    shared = {
        "user": args["username"],
        "comment": args["comment"] or "",
        "alias": args["alias"] or "",
        "persistence": args["persistence"].lower(),
    }
    if old is None:
        return Credential(args["name"], kind, secret=data or b"", attributes=attributes or (), **shared)
    keep = data is None or args["update_secret"] in _ONCE
    return replace(
        old,
        secret=old.secret if keep or data is None else data,
        attributes=old.attributes if attributes is None else attributes,
        **shared,
    )


def _attribute(item: dict[str, Any]) -> bytes:
    data = item.get("data") or ""
    return base64.b64decode(data) if item.get("data_format") == "base64" else data.encode()


def _shown(one: Credential | None) -> Any:
    if one is None:
        return ""
    attributes = [
        {"name": name, "data": base64.b64encode(data).decode() or None} for name, data in one.attributes
    ]
    return {
        "alias": one.alias or None,
        "attributes": attributes,
        "comment": one.comment or None,
        "name": one.target,
        "persistence": _PERSISTENCE[one.persistence],
        "type": _TYPES[one.kind],
        "username": one.user,
    }


def _input(call: Call, kind: str) -> dict[str, Any]:
    args = call.args
    return {
        "alias": args["alias"],
        "attributes": args["attributes"],
        "comment": args["comment"],
        "name": args["name"],
        "persistence": _PERSISTENCE[args["persistence"].lower()],
        "type": _TYPES[kind],
        "username": args["username"],
    }


MODULE = Module(run, Rules(required_if=[("state", "present", ("username",), False)]))
