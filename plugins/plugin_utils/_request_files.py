# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a certificate request on the control node: the request's text, the CA's answer and its chain. All of them are
read and checked before a host is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..module_utils._certificate import Certificate
from ..module_utils._findings import BrokenLink
from . import _control_files as control_files
from ._formats.csr import Csr
from ._store import request
from ._store.identity import Placed


@dataclass(frozen=True)
class RequestFiles:
    """``loader`` and ``variables`` as control_files takes them."""

    loader: Any
    variables: Mapping[str, Any]

    def csr(self, name: str) -> tuple[str, Csr | None]:
        """Where the request's text lies or will lie, and what it is; None where there is no such file yet."""
        path = control_files.target(self.loader, self.variables, name)
        return path, request.read_csr(_read(path), path) if Path(path).exists() else None

    def answer(
        self, name: str, chain: Sequence[str], csr: Csr | None, now: datetime
    ) -> tuple[Certificate, tuple[Placed, ...]]:
        """The certificate that the CA issued for the request, and the certificates above it with their stores."""
        above = [(_read(self._found(one)), one) for one in chain]
        path = self._found(name)
        return request.read_answer(_read(path), path, above, csr, now)

    def _found(self, name: str) -> str:
        path = control_files.find(self.loader, self.variables, name)
        if not path:
            raise BrokenLink("argument", control_files.missing(name, self.variables))
        return path


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BrokenLink("argument", f"The file {path} cannot be read: {error.strerror}.") from error


def problem(
    files: RequestFiles, csr: str, certificate: str, chain: Sequence[str], now: datetime
) -> str | None:
    """What is wrong with the files of a request as the variables name them, as one sentence; None where nothing is."""
    try:
        _path, text = files.csr(csr) if csr else ("", None)
        if certificate:
            files.answer(certificate, chain, text, now)
    except BrokenLink as broken:
        return str(broken)
    return None
