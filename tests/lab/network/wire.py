# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Ansible asks for, read from a command line and its standard input by their shape, never by a
version.

A module travels as a manifest: JSON, from ansible-core 2.22 on gzip in base64. Its arguments are the variable
``complex_args`` of the module's action or, later, the text ``ArgumentJSON``. Everything else here raises
Unknown.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_SEPARATOR = re.compile(rb"\r?\n\0\0\0\0\r?\n")
_ENCODED = re.compile(r"-(?:EncodedCommand|enc)\s+(')?([A-Za-z0-9+/=]+)'?\s*$", re.IGNORECASE)
_INTERNAL = "_ansible_"
_SYSTEM_ACTIONS = {
    "become_wrapper.ps1",
    "async_wrapper.ps1",
    "async_watchdog.ps1",
    "coverage_wrapper.ps1",
    "module_wrapper.ps1",
}


class Unknown(Exception):
    """A command that the lab does not know: the text says what it was."""


class NoBase64(Exception):
    """An encoded command in single quotes. WinRM's shell is cmd.exe, which leaves them on, so that PowerShell gets no base64
    (github.com/ansible/ansible/issues/87147: ansible_shell_type=powershell with ansible-core 2.21).
    """


@dataclass(frozen=True)
class Become:
    """``logon`` and ``flags`` by Ansible's names (Interactive, Batch, Network, NewCredentials, ...;
    WithProfile, ...).
    """

    user: str
    password: str | None
    logon: str
    flags: str


@dataclass(frozen=True)
class ModuleCall:
    """A module. ``script`` is its full name by its file (``ansible.windows.win_stat``), ``name`` what it
    calls itself.
    """

    script: str
    name: str
    args: dict[str, Any]
    internal: dict[str, Any]
    environment: dict[str, str]
    become: Become | None
    is_async: bool
    scripts: tuple[str, ...] = ()
    """The texts of all scripts that came along"""

    @property
    def check_mode(self) -> bool:
        return bool(self.internal.get("check_mode"))


@dataclass(frozen=True)
class HelperCall:
    """One of ansible-core's own scripts (powershell_mkdtemp.ps1, winrm_put_file.ps1, ...) with its parameters
    and input.
    """

    script: str
    params: dict[str, Any]
    data: bytes = b""


@dataclass(frozen=True)
class ShellCall:
    """PowerShell text as it was sent, without a manifest."""

    text: str


@dataclass(frozen=True)
class _Action:
    name: str
    params: Mapping[str, Any]
    secure: Mapping[str, Any] = field(default_factory=dict)


Request = ModuleCall | HelperCall | ShellCall


def decode(line: str, stdin: bytes) -> Request:
    """The request that a command line and its standard input are. Raises Unknown, and NoBase64."""
    encoded = _ENCODED.search(line.strip())
    if not encoded or not re.match(r"(?i)['\"]?(powershell|pwsh)(\.exe)?['\"]?\s", line.strip()):
        raise Unknown(f"the command '{_start(line)}' is no encoded PowerShell command")
    if encoded[1]:
        raise NoBase64
    try:
        script = base64.b64decode(encoded[2], validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unknown(f"the encoded command cannot be read ({error})") from error
    if not stdin:
        return ShellCall(script)
    parts = _SEPARATOR.split(stdin, maxsplit=2)
    if "ConvertFrom-Json" not in script or len(parts) < 2:
        raise Unknown(f"the script '{_start(script)}' got input, but is not Ansible's bootstrap wrapper")
    wrapper = _json(parts[0])
    if wrapper.get("name") != "exec_wrapper" or not isinstance(wrapper.get("params"), dict):
        raise Unknown(f"the wrapper '{wrapper.get('name')}' is not Ansible's exec_wrapper")
    return _read_manifest(_manifest(parts[1]), parts[2] if len(parts) > 2 else b"")


def _start(text: str) -> str:
    return text.strip()[:80].replace("\n", " ")


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Unknown(f"a manifest is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise Unknown("a manifest is no JSON object")
    return value


def _manifest(data: bytes) -> dict[str, Any]:
    text = data.strip()
    if text.startswith(b"{"):
        return _json(text)
    try:
        return _json(gzip.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, EOFError) as error:
        raise Unknown(f"the manifest is neither JSON nor gzip in base64 ({error})") from error


def _read_manifest(manifest: Mapping[str, Any], data: bytes) -> Request:
    raw = manifest.get("actions")
    if not isinstance(raw, list) or not raw or not isinstance(manifest.get("scripts"), dict):
        raise Unknown("the manifest has no actions or no scripts")
    actions = [
        _Action(str(item.get("name")), item.get("params") or {}, item.get("secure_params") or {})
        for item in raw
    ]
    last = actions[-1]
    if last.name != "module_wrapper.ps1":
        if len(actions) > 1:
            raise Unknown(f"the action '{last.name}' with wrappers around it")
        return HelperCall(last.name, dict(last.params), data)
    for action in actions:
        if action.name not in _SYSTEM_ACTIONS:
            raise Unknown(f"the action '{action.name}'")
    arguments = _arguments(last.params)
    script = str(last.params.get("Script", ""))
    module = re.fullmatch(r"(?:ansible_collections\.)?(\w+\.\w+)\.(?:plugins\.modules\.)?(\w+)\.ps1", script)
    if not module:
        raise Unknown(f"the script '{script}' is no module of a collection")
    internal = {key[len(_INTERNAL) :]: value for key, value in arguments.items() if key.startswith(_INTERNAL)}
    full = f"{module[1]}.{module[2]}"
    return ModuleCall(
        script=full,
        name=str(internal.get("module_name") or full),
        args={key: value for key, value in arguments.items() if not key.startswith(_INTERNAL)},
        internal=internal,
        environment={str(key): str(value) for key, value in (last.params.get("Environment") or {}).items()},
        become=_become(actions),
        is_async=any(action.name.startswith("async_") for action in actions),
        scripts=tuple(_script_texts(manifest["scripts"])),
    )


def _script_texts(scripts: Mapping[str, Any]) -> Iterator[str]:
    """What PowerShell compiles on the host: each script of a manifest is base64 beside what is known of it."""
    for given in scripts.values():
        text = given.get("script") if isinstance(given, Mapping) else given
        try:
            yield base64.b64decode(str(text), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            yield str(text)


def _arguments(params: Mapping[str, Any]) -> dict[str, Any]:
    """The module's arguments: one JSON text, or the variable complex_args."""
    if "ArgumentJSON" in params:
        return _json(str(params["ArgumentJSON"]).encode())
    for variable in params.get("Variables") or []:
        if variable.get("Name") == "complex_args" and isinstance(variable.get("Value"), dict):
            return dict(variable["Value"])
    raise Unknown("the module's action has no arguments")


def _become(actions: list[_Action]) -> Become | None:
    for action in actions:
        if action.name == "become_wrapper.ps1":
            password = action.secure.get("BecomePassword")
            return Become(
                str(action.params.get("BecomeUser") or ""),
                None if password is None else str(password),
                str(action.params.get("LogonType") or "Interactive"),
                str(action.params.get("LogonFlags", "WithProfile")),
            )
    return None
