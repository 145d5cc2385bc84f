# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as the modules that download something do it: real requests, .NET's words for failures."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from dataclasses import dataclass


class WebFailed(Exception):
    """A download that failed: the text is .NET's, ``status`` the HTTP status where there was an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass(frozen=True)
class Page:
    status: int
    reason: str
    body: bytes
    modified: str


def request(
    url: str,
    method: str = "GET",
    timeout: float = 30,
    modern: bool = False,
    proxy: tuple[str, str, str] = ("", "", ""),
) -> Page:
    """Asks a web server. ``modern``: the words are those of PowerShell 7, not of Windows PowerShell 5.1. ``proxy``:
    address, name and password of the one to ask instead.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise WebFailed(f"The lab downloads from web servers only, not from {url}")
    question = urllib.request.Request(url, method=method, headers={"User-Agent": "ansible-httpget"})  # noqa: S310 - checked above
    address, name, password = proxy
    if address:
        question.set_proxy(address.partition("://")[2].rstrip("/"), "http")
    if address and name:
        token = base64.b64encode(f"{name}:{password}".encode()).decode("ascii")
        question.add_unredirected_header("Proxy-Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(question, timeout=timeout) as answer:  # noqa: S310
            return Page(answer.status, answer.reason, answer.read(), answer.headers.get("Last-Modified", ""))
    except urllib.error.HTTPError as error:
        raise WebFailed(
            f"The remote server returned an error: ({error.code}) {error.reason}.", error.code
        ) from error
    except TimeoutError as error:
        raise WebFailed("The operation has timed out") from error
    except (urllib.error.URLError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise WebFailed("The operation has timed out") from error
        address = question.host or ""
        refused = f"No connection could be made because the target machine actively refused it. ({address})"
        raise WebFailed(refused if modern else "Unable to connect to the remote server") from error
