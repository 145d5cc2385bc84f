# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_get_url: downloads a file."""

from __future__ import annotations

import email.utils
import hashlib
import time
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from ..windows.errors import LabOSError
from ..windows.filesystem import join, split
from ..windows.steps import io_failure
from .base import (
    Call,
    Module,
    Unhandled,
    only,
)
from .web import WebFailed, request

_OPTIONS = (
    "url",
    "dest",
    "force",
    "checksum",
    "checksum_algorithm",
    "url_timeout",
    "proxy_url",
    "proxy_username",
    "proxy_password",
)


def run(call: Call) -> None:
    only(call, *_OPTIONS)
    files, url, dest = call.host.files, call.args["url"], call.args["dest"]
    address = urlsplit(url)
    call.result.update(elapsed=0, url=url, dest=dest)
    if files.is_dir(dest):
        dest = join(dest, unquote(address.path).rpartition("/")[2] or address.hostname or "")
    elif dest.endswith(("/", "\\")):
        call.fail(
            f"The destination path '{dest}' does not exist, or is not visible to the current user. Ensure download destination folder exists "
            "(perhaps using win_file state=directory) before win_get_url runs."
        )
    call.result["dest"] = dest
    checksum = (call.args["checksum"] or "").strip().lower()
    try:
        _get(call, url, dest, checksum)
    except LabOSError as error:
        raise Unhandled(io_failure(error).message) from error


def _digest(call: Call, data: bytes) -> str:
    return hashlib.new(call.args["checksum_algorithm"].lower(), data).hexdigest()


def _get(call: Call, url: str, dest: str, checksum: str) -> None:
    files, there = call.host.files, call.host.files.is_file(dest)
    before = _digest(call, files.read(dest)) if there else None
    force = call.args["force"] or bool(checksum and before and before != checksum)
    if there and checksum and before == checksum and not force:
        pass
    elif force or not there or _newer(call, url, dest):
        _download(call, url, dest, checksum, before)
    if files.is_file(dest):
        data = files.read(dest)
        call.result.update(checksum_dest=_digest(call, data), size=len(data))


def _ask(call: Call, url: str, method: str, failure: str) -> bytes | str:
    if not urlsplit(url).scheme:
        raise Unhandled(
            'Exception calling "Create" with "1" argument(s): "This operation is not supported for a relative URI."'
        )
    started = time.monotonic()
    try:
        address, name, password = (
            str(call.args[f"proxy_{one}"] or "") for one in ("url", "username", "password")
        )
        modern = call.host.powershell.startswith("7")
        page = request(url, method, call.args["url_timeout"], modern, (address, name, password))
    except WebFailed as error:
        call.result.update(elapsed=round(time.monotonic() - started, 7), status_code=error.status)
        call.fail(f"{failure}{error.message}")
    call.result.update(elapsed=round(time.monotonic() - started, 7), status_code=page.status, msg=page.reason)
    return page.body if method == "GET" else page.modified


def _newer(call: Call, url: str, dest: str) -> bool:
    """Whether the server's file is newer; a server that gives no date says now, which is no later than any
    file's time.
    """
    modified = _ask(call, url, "HEAD", f"Error when requesting 'Last-Modified' date from '{url}'. ")
    if not isinstance(modified, str) or not modified:
        return False
    date = email.utils.parsedate_to_datetime(modified)
    return date.astimezone(UTC) > call.host.files.stat(dest).modified.astimezone(UTC) and date < datetime.now(
        UTC
    )


def _download(call: Call, url: str, dest: str, checksum: str, before: str | None) -> None:
    files, parent = call.host.files, split(dest)[0]
    if not files.is_dir(parent):
        call.fail(
            f"The path '{parent}' does not exist for destination '{dest}', or is not visible to the current user. "
            "Ensure download destination folder exists (perhaps using win_file state=directory) before win_get_url runs."
        )
    body = _ask(call, url, "GET", f"Error downloading '{url}' to '{dest}': ")
    assert isinstance(body, bytes)
    digest = _digest(call, body)
    call.result["checksum_src"] = digest
    if checksum and checksum != digest:
        call.result["elapsed"] = 0
        call.fail(f"The checksum for {url} did not match '{checksum}', it was '{digest}'")
    if digest != before:
        if not call.check_mode:
            files.write(dest, body, by="win_get_url")
        call.result["changed"] = True


MODULE = Module(run)
