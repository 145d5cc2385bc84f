# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that broke while a host was asked: what the connection's plug-in raises then, as one reason.

Ansible's plug-ins turn a host that does not answer at first into AnsibleConnectionFailure. What breaks later reaches an action
as it was raised far below (requests, urllib3, pywinrm, pypsrp, an XML parser), nested and in that library's own form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers.expat import ExpatError

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ...module_utils._texts import beginning, masked

_PLUGINS = re.compile(r"(ansible|ansible_collections\.\w+\.\w+)\.plugins\.connection\.")
_POOL = re.compile(r"HTTPS?ConnectionPool\(host=.*?, port=\d+\): ")
_LONGEST = 300
REDIRECTED = "it answered with a redirect elsewhere, which is not followed"


class ConnectionLostError(AnsibleConnectionFailure):
    """The connection broke in a call: nobody knows how far the host came with it. ``str``: the reason, no sentence."""


def lost(error: Exception, in_session: bool = False) -> ConnectionLostError | None:
    """``error`` as a broken connection, if it was raised in a connection plug-in or below.

    Ansible's own errors are one only ``in_session`` (the host had let Ansible in): then winrm has put a time-out, or input that did
    not get through, into words of its own. Before, they say that a host is not reached, or what is not installed.
    """
    if not any(_PLUGINS.match(name) for name in _raised_in(error)):
        return None
    if not isinstance(error, AnsibleError):
        return ConnectionLostError(reason(error))
    if not in_session:
        return None
    if isinstance(error, AnsibleConnectionFailure):
        below = error.__context__
        return ConnectionLostError(reason(below)) if below is not None and _is_of_network(below) else None
    return ConnectionLostError(reason(error)) if error.__class__ is AnsibleError else None


def reason(error: BaseException) -> str:
    """What the innermost of nested errors says, in one line without a full stop."""
    inner = _innermost(error)
    if type(inner).__name__ == "TooManyRedirects":
        return REDIRECTED
    said = getattr(inner, "strerror", None) or getattr(inner, "reason", None)
    text = _POOL.sub("", said if isinstance(said, str) and said else str(inner))
    # A secret with two blanks in it is none any more where blanks are put together.
    text = "".join(char if char.isprintable() else " " for char in str(masked(text)))
    text = beginning(" ".join(text.split()), _LONGEST).rstrip(". ")
    if isinstance(inner, (OSError, AnsibleError)) or _is_of_network(inner):
        return text or type(inner).__name__
    if isinstance(inner, UnicodeError):
        text = "bytes that are no text"
    elif not isinstance(inner, (SyntaxError, ExpatError, ValueError)) or not text:
        # A look-up that stumbles over an answer says nothing that anybody understands.
        text = "something in it is missing, or of another kind"
    return f"its answer cannot be read ({text})"


def _is_of_network(error: BaseException) -> bool:
    libraries = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return bool(libraries & {"http", "requests", "urllib3", "winrm", "pypsrp"})


def _innermost(error: BaseException) -> BaseException:
    """requests and urllib3 hold the error behind theirs as an argument, as ``reason``, or as the cause."""
    passed = [error]
    while True:
        here = passed[-1]
        behind = [getattr(here, "reason", None), *reversed(here.args), here.__cause__]
        found = next((one for one in behind if isinstance(one, BaseException) and one not in passed), None)
        if found is None:
            return here
        passed.append(found)


def _raised_in(error: BaseException) -> Iterator[str]:
    """The modules that the error came through."""
    place = error.__traceback__
    while place is not None:
        yield str(place.tb_frame.f_globals.get("__name__", ""))
        place = place.tb_next
