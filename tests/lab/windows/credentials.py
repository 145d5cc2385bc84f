# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Credential Manager of a simulated host: a vault per account, which a network logon cannot open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import NO_SUCH_LOGON_SESSION, NOT_FOUND, LabOSError

GENERIC = "generic_password"
DOMAIN = "domain_password"


@dataclass(frozen=True)
class Credential:
    """``kind`` by the names of ansible.windows.win_credential (generic_password, domain_password, ...)."""

    target: str
    kind: str = GENERIC
    user: str = ""
    secret: bytes = b""
    comment: str = ""
    alias: str = ""
    persistence: str = "local"
    attributes: tuple[tuple[str, bytes], ...] = field(default=())

    @property
    def password(self) -> str:
        """The secret as the text that CredWrite's callers store: UTF-16."""
        return self.secret.decode("utf-16-le", errors="replace")


class Credentials:
    """Vaults by account (compared without case and without the computer's name)."""

    def __init__(self, missing: Callable[[], bool]) -> None:
        self._vaults: dict[str, dict[tuple[str, str], Credential]] = {}
        self._missing = missing
        self._lock = threading.Lock()

    def _vault(self, account: str, logon: str) -> dict[tuple[str, str], Credential]:
        if logon == "network":
            raise LabOSError(NO_SUCH_LOGON_SESSION)
        return self._vaults.setdefault(account.rpartition("\\")[2].lower(), {})

    def write(self, account: str, logon: str, credential: Credential) -> None:
        with self._lock:
            self._vault(account, logon)[(credential.target.lower(), credential.kind)] = credential

    def read(self, account: str, logon: str, target: str, kind: str = GENERIC) -> Credential | None:
        """The credential, None where there is none. Raises LabOSError(1312) for a network logon."""
        with self._lock:
            found = self._vault(account, logon).get((target.lower(), kind))
        return None if found is None or self._missing() else found

    def delete(self, account: str, logon: str, target: str, kind: str = GENERIC) -> None:
        """Raises LabOSError(1168) where there is none."""
        with self._lock:
            if self._vault(account, logon).pop((target.lower(), kind), None) is None:
                raise LabOSError(NOT_FOUND, target)

    def everything(self) -> list[tuple[str, Credential]]:
        """All credentials with the accounts that have them, whoever asks."""
        with self._lock:
            return [(account, one) for account, vault in self._vaults.items() for one in vault.values()]

    def all(self, account: str, logon: str) -> list[Credential]:
        with self._lock:
            vault = list(self._vault(account, logon).values())
        return [] if self._missing() else vault
