# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is unpacked on the host, and who signed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import ProgramResult, Result, UnpackResult
from .base import Step


@dataclass(frozen=True)
class Unpack(Step):
    """Unpacks a zip file into the folder ``target`` where its SHA-256 is ``sha256``, else nothing of it.
    ``source`` is an address or a path, of a share for example; ``proxy`` the address of a proxy for it, "" for the
    settings of the account. ``proxy_secret``: the name of the secret that holds the password of ``proxy_user``.

    ``program``: what the package is wanted for, a path of which one folder may be ``*``, as in Run. Its SHA-256 is
    noted beside it once it is unpacked. ``keep``: where a program is there, whichever, nothing is done.
    """

    op: ClassVar[str] = "unpack"
    writes: ClassVar[bool] = True
    source: str
    sha256: str
    target: str
    timeout: int = 600
    proxy: str = ""
    program: str = ""
    keep: bool = False
    only_if_previous_ok: bool = False
    proxy_user: str = ""
    proxy_secret: str = ""

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {
            "source": self.source,
            "sha256": self.sha256,
            "target": self.target,
            "timeout": self.timeout,
        }
        for name in ("proxy", "program", "keep", "proxy_user", "proxy_secret"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return UnpackResult(str(raw["sha256"]), int(raw.get("files") or 0), bool(raw.get("kept")))


@dataclass(frozen=True)
class Program(Step):
    """Who signed a program, its digest, and the one that is noted beside it. One folder of ``path`` may be ``*``,
    as in Run.
    """

    op: ClassVar[str] = "program"
    path: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        texts = (str(raw.get(name) or "") for name in ("file", "status", "signer", "sha256", "noted"))
        return ProgramResult(bool(raw.get("exists")), *texts)
