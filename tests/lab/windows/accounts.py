# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a simulated host: local users with passwords, and the well-known ones by their names in its
language.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import LOGON_FAILURE, NONE_MAPPED, LabOSError

_AUTHORITY = {"en": "NT AUTHORITY", "de": "NT-AUTORIT\u00c4T", "fr": "AUTORITE NT", "zh": "NT AUTHORITY"}
_BUILTIN = {"en": "BUILTIN", "de": "VORDEFINIERT", "fr": "BUILTIN", "zh": "BUILTIN"}
_NAMES = {
    # Groups are only known by their names in the system's language; the services' accounts also by the
    # English ones.
    "S-1-5-32-544": {
        "en": "Administrators",
        "de": "Administratoren",
        "fr": "Administrateurs",
        "zh": "Administrators",
    },
    "S-1-5-32-545": {"en": "Users", "de": "Benutzer", "fr": "Utilisateurs", "zh": "Users"},
    "S-1-5-18": {"en": "SYSTEM", "de": "SYSTEM", "fr": "Syst\u00e8me", "zh": "SYSTEM"},
    "S-1-5-19": {"en": "LOCAL SERVICE", "de": "Lokaler Dienst", "fr": "SERVICE LOCAL", "zh": "LOCAL SERVICE"},
    "S-1-5-20": {
        "en": "NETWORK SERVICE",
        "de": "Netzwerkdienst",
        "fr": "SERVICE R\u00c9SEAU",
        "zh": "NETWORK SERVICE",
    },
    "S-1-5-11": {
        "en": "Authenticated Users",
        "de": "Authentifizierte Benutzer",
        "fr": "Utilisateurs authentifi\u00e9s",
        "zh": "Authenticated Users",
    },
    "S-1-1-0": {"en": "Everyone", "de": "Jeder", "fr": "Tout le monde", "zh": "Everyone"},
}
_SERVICE_ACCOUNTS = ("S-1-5-18", "S-1-5-19", "S-1-5-20")


@dataclass
class Account:
    """A local user. ``administrator``: member of the group that may change the machine."""

    name: str
    sid: str
    password: str = ""
    administrator: bool = False
    groups: list[str] = field(default_factory=list)


class Accounts:
    """Local users by name, and translation between names and SIDs."""

    def __init__(
        self, computer: str, language: str, machine_sid: str = "S-1-5-21-3623811015-3361044348-30300820"
    ) -> None:
        self.computer = computer.upper()
        self.language = language
        self._machine_sid = machine_sid
        self._users: dict[str, Account] = {}
        self._next = 1001

    def add(self, name: str, password: str, administrator: bool = False) -> Account:
        rid = 500 if name == "Administrator" else self._next
        self._next += rid != 500
        account = Account(name, f"{self._machine_sid}-{rid}", password, administrator)
        self._users[name.lower()] = account
        return account

    def users(self) -> list[Account]:
        return list(self._users.values())

    def _local_name(self, name: str) -> str:
        domain, slash, rest = name.rpartition("\\")
        if not slash:
            return name.lower()
        return rest.lower() if domain.lower() in (".", self.computer.lower()) else ""

    def user(self, name: str) -> Account | None:
        """A local user by plain name, ``.\\name`` or ``COMPUTER\\name``."""
        return self._users.get(self._local_name(name))

    def logon(self, name: str, password: str) -> Account:
        """The user, when name and password fit; LabOSError(1326) when not."""
        account = self.user(name)
        if account is None or account.password != password:
            raise LabOSError(LOGON_FAILURE, name)
        return account

    def sid(self, name: str) -> str:
        """The SID of a name (a SID is its own); LabOSError(1332) for an unknown one."""
        if name.upper().startswith("S-1-"):
            return name.upper()
        account = self.user(name)
        if account:
            return account.sid
        for sid, names in _NAMES.items():
            known = {names.get(self.language, names["en"])} | (
                {names["en"]} if sid in _SERVICE_ACCOUNTS else set()
            )
            for text in known:
                group = sid.startswith("S-1-5-32-")
                authorities = (
                    {_BUILTIN[self.language]} if group else {_AUTHORITY[self.language], "NT AUTHORITY"}
                )
                spellings = {text.lower()} | {
                    f"{authority}\\{text}".lower() for authority in authorities if sid != "S-1-1-0"
                }
                if name.lower() in spellings:
                    return sid
        if name.lower() == "localsystem":
            return "S-1-5-18"
        raise LabOSError(NONE_MAPPED, name)

    def full_name(self, name_or_sid: str) -> str:
        """The name as Windows writes it: ``COMPUTER\\user`` or ``AUTHORITY\\name``; an unknown SID stays as
        it is.
        """
        sid = self.sid(name_or_sid)
        for account in self._users.values():
            if account.sid == sid:
                return f"{self.computer}\\{account.name}"
        names = _NAMES.get(sid)
        if names is None:
            return sid
        text = names.get(self.language, names["en"])
        if sid == "S-1-1-0":
            return text
        return f"{(_BUILTIN if sid.startswith('S-1-5-32-') else _AUTHORITY)[self.language]}\\{text}"
