# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs of a host are run: those that nobody but administrators may change, and that are the ones whose
digest was noted.

What is too much is said here, as regular expressions for access lists; the host compares, before it runs anything
outside of Windows' own folder, and refuses in a form that ``refusal`` reads.
"""

from __future__ import annotations

import json
import re

from ...module_utils._findings import BrokenLink, Link
from .._formats import sddl

REFUSED = "System.Security.VerificationException"
"""The .NET type of the failure of a program that is not run."""

NOTE = ".sha256"
"""What is added to a program's path for the file with its digest."""

_OF_CLIENT = re.compile(
    r"(?i)(^|[\\/])(cloudhsm-cli|key_mgmt_util|import_key|ksp_config|configure[\w-]*)\.exe$|^$"
)
_MASKS = {"file": sddl.FILE, "folder": sddl.FOLDER, "above": sddl.ABOVE}


def rules() -> str:
    """The script's parameter Trust: by what is looked at (the program, its folder, those above), what must not be
    found in the access list.
    """
    return json.dumps({name: sddl.too_open(mask) for name, mask in _MASKS.items()})


def note(digest: str) -> bytes:
    """The content of the file with a program's digest."""
    return f"{digest}\r\n".encode("ascii")


def is_other(told: str) -> bool:
    """Whether the host refuses the program because it is not the one that was noted."""
    return told.startswith("digest\n")


def refusal(told: str) -> BrokenLink:
    """The error for what the host tells of a program that it does not run: lines with what was looked at (digest,
    file, folder, above, unread), the program, and what it depends on.
    """
    lines = [*told.splitlines(), "", "", "", "", ""]
    kind, program, first, second, account = lines[:5]
    # SignTool may lie anywhere and be called anything, the client's programs may not.
    link: Link = "client" if _OF_CLIENT.search(program) else "signtool"
    if kind == "digest":
        return BrokenLink(
            link,
            f"{program} is not the program that was installed: its SHA-256 is {first}, {program}{NOTE} notes {second}. It was not run.",
            "Find out who changed it. Then install it again (role cloudhsm.codesign.signtool), or, if the change was yours, remove the note.",
        )
    if kind not in _MASKS:
        return BrokenLink(
            link,
            f"Who may change {first} cannot be read ({second.rstrip('. ')}), so {program} was not run.",
            "Check the account's rights there.",
        )
    who = ", ".join(sddl.others_in(second, _MASKS[kind], account))
    what = {
        "file": f"{first} can be changed by others than administrators ({who})",
        "folder": f"In the folder {first} others than administrators ({who}) can change or plant files",
        "above": f"In {first}, above it, others than administrators ({who}) can rename or remove folders",
    }[kind]
    return BrokenLink(
        link,
        f"{program} was not run. {what}: whoever plants a program there gets the crypto user's password.",
        "Take that right away from them, or move the program below C:\\Program Files.",
    )
