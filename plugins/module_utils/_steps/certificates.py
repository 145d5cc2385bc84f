# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate stores."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import AddResult, RemoveResult, Result
from .base import Step


@dataclass(frozen=True)
class AddCertificate(Step):
    """Puts a certificate (DER) into a store that is there, without a file. One that is in it is left alone.

    ``record``: a registry key. A certificate that was added gets a sub-key "<thumbprint> <store>" there, whose
    value ``RECORDED`` says when (UTC); where that cannot be made, the certificate is not added. ``only_record``: it is
    never added, and gets its sub-key if it is there, as a tool of the same call has put it there.
    """

    op: ClassVar[str] = "add_certificate"
    writes: ClassVar[bool] = True
    store: str
    location: str
    content: bytes
    record: str = ""
    only_record: bool = False
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        content = base64.b64encode(self.content).decode("ascii")
        data: Dict[str, Any] = {"store": self.store, "location": self.location, "base64": content}
        if self.record:
            data["record"] = self.record
        if self.only_record:
            data["only_record"] = True
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return AddResult(bool(raw.get("existed")))


RECORDED = "Added"
"""The value of a certificate's sub-key in a record."""


@dataclass(frozen=True)
class RemoveCertificate(Step):
    """Takes a certificate out of a store, and out of the ``record`` of AddCertificate. One that is not there is no
    failure. Its private key is not touched.
    """

    op: ClassVar[str] = "remove_certificate"
    writes: ClassVar[bool] = True
    store: str
    location: str
    thumbprint: str
    record: str = ""
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        data = {"store": self.store, "location": self.location, "thumbprint": self.thumbprint}
        if self.record:
            data["record"] = self.record
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return RemoveResult(bool(raw.get("existed")))
