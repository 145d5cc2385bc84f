# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_package: installs and removes packages, MSIs through msiexec."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..windows import packages
from ..windows.errors import LabOSError
from ..windows.filesystem import join
from ..windows.host import SYSTEM32
from ..windows.process import Completed, escape_argument, split_program
from ..windows.steps import io_failure
from .base import (
    Call,
    Module,
    Unhandled,
    only,
)
from .documentation import Rules
from .web import WebFailed, request

_MSI = bytes.fromhex("d0cf11e0a1b11ae1")
_UNINSTALL = (
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKLM\SOFTWARE\Wow6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKCU\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
)
_OPTIONS = (
    "arguments",
    "chdir",
    "checksum",
    "checksum_algorithm",
    "creates_path",
    "creates_service",
    "creates_version",
    "expected_return_code",
    "log_path",
    "path",
    "product_id",
    "provider",
    "proxy_password",
    "proxy_url",
    "proxy_username",
    "state",
    "url_timeout",
)


@dataclass
class _Status:
    provider: str
    product_id: str
    installed: bool
    key: str = ""
    """the package's key below Uninstall"""


def run(call: Call) -> None:
    only(call, *_OPTIONS)
    call.result["reboot_required"] = False
    path = call.args["path"] or ""
    from_web = path.lower().startswith("http")
    temporary = ""
    try:
        status = None
        if from_web and call.args["product_id"] and call.args["state"] == "present":
            status = _status(call, "")
        if from_web and not (status and status.installed):
            path = temporary = _download(call, path)
        elif path and not from_web and not call.host.files.exists(path) and not call.check_mode:
            call.fail(f"the file at the path '{path}' cannot be reached")
        if status is None or not status.installed:
            status = _status(call, path)
        call.result["rc"] = 0
        changed = (call.args["state"] == "present") != status.installed
        if changed and not call.check_mode:
            _change(call, path, status)
        call.result["changed"] = changed
    except LabOSError as error:
        raise Unhandled(io_failure(error).message) from error
    finally:
        if temporary:
            call.host.files.remove(temporary)


def _download(call: Call, url: str) -> str:
    try:
        address, name, password = (
            str(call.args[f"proxy_{name}"] or "") for name in ("url", "username", "password")
        )
        proxy = (address, name, password)
        page = request(url, "GET", call.args["url_timeout"], call.host.powershell.startswith("7"), proxy)
    except WebFailed as error:
        raise Unhandled(error.message) from error
    name = urlsplit(url).path.rpartition("/")[2]
    path = join(call.expand("%TEMP%"), f"{secrets.token_hex(6)}-{name}")
    call.host.files.write(path, page.body, by="win_package")
    return path


def _is_msi(call: Call, path: str) -> bool:
    return call.host.files.is_file(path) and call.host.files.read(path).startswith(_MSI)


def _status(call: Call, path: str) -> _Status:
    """Whether the package is installed: as its provider sees it, then as the creates_* options say."""
    product, provider = call.args["product_id"] or "", call.args["provider"]
    if provider in ("msix", "msp"):
        call.fail(f"The lab's win_package does not know the provider {provider}.")
    if path:
        if provider == "auto":
            provider = "msi" if _is_msi(call, path) else "registry"
        status = _msi(call, path, product) if provider == "msi" else _registry(call, product)
    else:
        status = _msi(call, "", product) if provider in ("auto", "msi") else _registry(call, product)
        if provider == "auto" and not status.installed:
            status = _registry(call, product)
    creates = call.args["creates_path"]
    if creates:
        status.installed = call.host.files.exists(creates)
        if call.args["creates_version"] and status.installed:
            info = call.host.program_info(creates) or {"version": "0.0.0.0"}
            status.installed = info["version"] == call.args["creates_version"]
    if call.args["creates_service"]:
        status.installed = call.host.services.get(call.args["creates_service"]) is not None
    return status


def _msi(call: Call, path: str, product: str) -> _Status:
    if path:
        package = packages.by_content(call.host.files.read(path)) if call.host.files.is_file(path) else None
        if package is None:
            raise Unhandled(
                'Exception calling "OpenPackage" with "2" argument(s): "This installation package could not be opened."'
            )
        product = package.product_id
    key = f"{_UNINSTALL[0]}\\{product}"
    return _Status("msi", product, bool(product) and call.host.registry.exists(key), key)


def _registry(call: Call, product: str) -> _Status:
    registry = call.host.registry_of(call.account)
    keys = [f"{root}\\{product}" for root in _UNINSTALL] if product else []
    found = next((key for key in keys if registry.exists(key)), "")
    return _Status("registry", product, bool(found), found)


def _change(call: Call, path: str, status: _Status) -> None:
    present = call.args["state"] == "present"
    if present and path:
        algorithm, wanted = call.args["checksum_algorithm"].lower(), call.args["checksum"]
        digest = hashlib.new(algorithm, call.host.files.read(path)).hexdigest().upper()
        call.result["checksum"] = digest
        if wanted and wanted.upper() != digest:
            call.fail(f"The checksum for {path} did not match '{wanted}', it was '{digest}'")
    given = call.args["arguments"]
    arguments = (
        " ".join(escape_argument(str(item)) for item in given)
        if isinstance(given, list)
        else str(given or "")
    )
    if status.provider == "msi":
        log = call.args["log_path"] or join(call.expand("%TEMP%"), f"msi-{secrets.token_hex(6)}.log")
        actions = ["/i", path] if present else ["/x", status.product_id]
        line = " ".join(
            escape_argument(item) for item in ("msiexec.exe", *actions, "/L*V", log, "/qn", "/norestart")
        ) + (f" {arguments}" if arguments else "")
        program, rest = join(SYSTEM32, "msiexec.exe"), line.partition(" ")[2]
    else:
        line = escape_argument(path) if path else _uninstaller(call, status)
        line += f" {arguments}" if arguments else ""
        program, rest = split_program(line)
    done = call.host.start(
        program,
        rest,
        b"",
        call.environment,
        call.args["chdir"] or call.host.profile(call.account),
        call.account,
        call.logon,
    )
    _judge(call, line, done)


def _uninstaller(call: Call, status: _Status) -> str:
    values = call.host.registry_of(call.account).values(status.key)
    found = values.get("QuietUninstallString") or values.get("UninstallString")
    if found is None:
        call.fail(f"Failed to find registry uninstall string at registry path '{status.key}'")
    return call.expand(str(found.data))


def _judge(call: Call, line: str, done: Completed) -> None:
    code = done.exit_code - (1 << 32) if done.exit_code >= 1 << 31 else done.exit_code
    call.result["rc"] = code
    if code not in call.args["expected_return_code"]:
        call.fail(
            f"unexpected rc from '{line}': see rc, stdout, and stderr for more details",
            stdout=done.stdout.decode(call.host.encoding, errors="replace"),
            stderr=done.stderr.decode(call.host.encoding, errors="replace"),
        )
    call.result["failed"] = False
    if code == 3010:
        call.result["reboot_required"] = True


MODULE = Module(
    run,
    Rules(
        required_if=[
            ("state", "present", ("path",), False),
            ("state", "absent", ("path", "product_id"), True),
        ],
        required_by={"creates_version": ("creates_path",)},
    ),
)
