# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault matrix's stories of certificate requests leave: a key in the HSM, an open request on the host and its text on
the control node. Each run makes another key, so they are judged by what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from lab.hsm.cluster import Keys
from lab.windows import ksp
from lab.windows.certstore import CertificateStores, StoredCertificate
from lab.windows.host import Host

SUBJECT = "CN=Lab Next Product, O=Lab, C=DE"
_OPEN = re.compile(r"^registry .*\\REQUEST\\Certificates\\[0-9A-F]{40}")
_KEY = re.compile(r"\bkey (\d+)")
_ACCEPTED = re.compile(r"^registry HKLM\\SOFTWARE\\cloudhsm\.codesign\\Certificates\\[0-9A-F]{40} My\|")


@dataclass(frozen=True)
class Requested:
    """A request for a certificate. ``csr``: its text on the control node; ``before``: the text at the start, None for none;
    ``keys``: those in the HSM at the start; ``new``: whether the request has a key of its own.
    """

    host: Host
    csr: Path
    keys: Keys
    before: bytes | None = None
    new: bool = True

    def ready(self) -> None:
        """Control node and HSM are what they were."""
        assert self.host.cluster is not None
        self.host.cluster.put_back(self.keys)
        for path in self.csr.parent.iterdir():
            path.unlink()
        if self.before is not None:
            self.csr.write_bytes(self.before)

    def view(self, state: Mapping[str, str]) -> Mapping[str, str]:
        """A host's state without open requests, which Windows names by a certificate that it makes up for each, and without the
        numbers of keys that were made. Whether an answer that was accepted is written down is not looked at either, as
        docs/reliability.md says.
        """

        def named(text: str) -> str:
            return _KEY.sub(
                lambda found: found[0] if int(found[1]) in self.keys.by_handle else "key that was made", text
            )

        return {
            named(place): named(content)
            for place, content in state.items()
            if not _OPEN.match(place) and not _ACCEPTED.match(place)
        }

    def whole(self) -> list[str]:
        """What is wrong with the text however a run has ended: it is there as a whole, or not at all."""
        found = [path.name for path in self.csr.parent.iterdir() if path != self.csr]
        wrong = [f"{name} stays on the control node" for name in found]
        if self.csr.exists():
            try:
                x509.load_pem_x509_csr(self.csr.read_bytes())
            except ValueError as error:
                wrong.append(f"{self.csr.name} is no request: {error}")
        return wrong

    def done(self) -> list[str]:
        """What is wrong once a run has done its work: the text is that of the one open request, whose key is in the HSM."""
        if not self.csr.exists():
            return ["there is no text of a request"]
        wanted = x509.load_pem_x509_csr(self.csr.read_bytes()).public_key()
        still_open = CertificateStores(self.host).certificates("REQUEST")
        fitting = [one for one in still_open if _certificate(one).public_key() == wanted]
        if len(fitting) != 1 or len(still_open) != 1:
            return [f"{len(still_open)} requests are open, {len(fitting)} of them with this text's key"]
        info = fitting[0].key_provider_info
        cluster = self.host.cluster
        assert cluster is not None
        container = ksp.read_container(self.host, info.container) if info else None
        key = cluster.key(container.handle) if container else None
        if key is None or key.public_key != wanted:
            return ["the open request is not tied to its key"]
        # Nothing refers to a key that was made when the power went or the disk got full, before its container was written.
        referred = {one.handle for one in ksp.containers(self.host)}
        made = [one for one in cluster.made_since(self.keys) if one.handle in referred]
        return [f"{len(made)} keys were made"] if len(made) != int(self.new) else []


def _certificate(stored: StoredCertificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(stored.der)
