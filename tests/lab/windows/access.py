# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists of files and folders, and their SDDL text."""

from __future__ import annotations

from dataclasses import dataclass, replace

FULL = 0x1F01FF
MODIFY = 0x1301BF
READ_EXECUTE = 0x1200A9
READ = 0x120089
WRITE = 0x100116
ADD_FILE = 0x2
ADD_SUBDIRECTORY = 0x4

SYSTEM = "S-1-5-18"
ADMINISTRATORS = "S-1-5-32-544"
USERS = "S-1-5-32-545"

_SDDL_NAMES = {
    SYSTEM: "SY",
    ADMINISTRATORS: "BA",
    USERS: "BU",
    "S-1-1-0": "WD",
    "S-1-5-11": "AU",
    "S-1-3-0": "CO",
    "S-1-5-19": "LS",
    "S-1-5-20": "NS",
    "S-1-5-32-546": "BG",
    "S-1-5-4": "IU",
    "S-1-5-2": "NU",
}
_SDDL_RIGHTS = {FULL: "FA"}


@dataclass(frozen=True)
class Ace:
    """One entry: an account's SID, the rights as the Windows access mask, allowed or denied, and where it is
    handed down.

    ``object_inherit`` and ``container_inherit`` hand it down to files and folders, ``inherit_only`` spares
    the folder itself, ``no_propagate`` ends it after one level.
    """

    sid: str
    rights: int
    allow: bool = True
    object_inherit: bool = False
    container_inherit: bool = False
    inherit_only: bool = False
    no_propagate: bool = False
    inherited: bool = False

    def reaches(self, folder: bool) -> bool:
        """Whether a folder's entry is handed down to what lies in it."""
        return (
            self.container_inherit or (self.object_inherit and folder and not self.no_propagate)
            if folder
            else self.object_inherit
        )

    def inherited_by(self, folder: bool) -> Ace:
        """The entry as it stands on what lies in the folder."""
        if not folder or self.no_propagate:
            return replace(
                self,
                object_inherit=False,
                container_inherit=False,
                inherit_only=False,
                no_propagate=False,
                inherited=True,
            )
        return replace(self, inherit_only=not self.container_inherit, inherited=True)

    def sddl(self) -> str:
        marks = (
            ("OI", self.object_inherit),
            ("CI", self.container_inherit),
            ("NP", self.no_propagate),
            ("IO", self.inherit_only),
            ("ID", self.inherited),
        )
        flags = "".join(mark for mark, there in marks if there)
        rights = _SDDL_RIGHTS.get(self.rights, f"0x{self.rights:x}")
        return f"({'A' if self.allow else 'D'};{flags};{rights};;;{_SDDL_NAMES.get(self.sid, self.sid)})"


@dataclass(frozen=True)
class Acl:
    """A path's own entries; whether it also takes those of the folder above; its owner's SID."""

    entries: tuple[Ace, ...] = ()
    inherits: bool = True
    owner: str = ADMINISTRATORS


def sddl(acl: Acl, entries: list[Ace], group: str) -> str:
    """The security descriptor as text: owner, group and all entries in force, denials first as Windows keeps
    them.
    """
    ordered = sorted(entries, key=lambda entry: (entry.inherited, entry.allow))
    flags = ("" if acl.inherits else "P") + (
        "AI" if any(entry.inherited for entry in entries) or not acl.inherits else ""
    )
    owner, group_name = (_SDDL_NAMES.get(sid, sid) for sid in (acl.owner, group))
    return f"O:{owner}G:{group_name}D:{flags}" + "".join(entry.sddl() for entry in ordered)
