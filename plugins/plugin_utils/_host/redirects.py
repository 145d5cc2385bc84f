# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No answer of a host sends what is meant for it elsewhere.

winrm and psrp talk by requests, which follows redirects: 307 and 308 repeat the request with its content (a step's secrets are in it) at
the other address, and who logs on by NTLM or Kerberos answers that address, too. No WinRM endpoint redirects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def not_followed(connection: Any) -> Iterator[None]:
    """Within, no redirect is followed, by the session that ``connection`` has or by one that it begins: requests raises
    TooManyRedirects. Nothing changes for a connection that does not use requests.
    """
    sessions: Any = sys.modules.get("requests.sessions")
    if sessions is None:
        yield
        return
    for session in filter(None, (_of_winrm(connection), _of_psrp(connection))):
        session.max_redirects = 0
    before = sessions.DEFAULT_REDIRECT_LIMIT
    sessions.DEFAULT_REDIRECT_LIMIT = 0
    try:
        yield
    finally:
        sessions.DEFAULT_REDIRECT_LIMIT = before


def in_session(connection: Any) -> bool:
    """Whether the host has let Ansible in, as far as the connection says: winrm has its shell then, psrp its runspaces, which it has
    before it opens them, too.
    """
    if getattr(connection, "runspace", None) is not None:
        return bool(getattr(connection, "_connected", False))
    return getattr(connection, "protocol", None) is not None


def _of_winrm(connection: Any) -> Any:
    protocol = getattr(connection, "protocol", None)
    return getattr(getattr(protocol, "transport", None), "session", None)


def _of_psrp(connection: Any) -> Any:
    wsman = getattr(getattr(connection, "runspace", None), "connection", None)
    return getattr(getattr(wsman, "transport", None), "session", None)
