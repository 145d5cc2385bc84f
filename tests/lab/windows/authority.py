# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is a certificate authority (AD CS): its service, and where Windows keeps which certificate is the CA's.

``CertSvc\\Configuration`` names the active CA, and that CA's key has CACertHash, the thumbprints of its certificates in
the machine's store My, the newest last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .certstore import CertificateStores, StoredCertificate
from .services import Service

if TYPE_CHECKING:
    from ..hsm.pki import Pki
    from .host import Host

SERVICE = "CertSvc"
CONFIGURATION = rf"HKLM\SYSTEM\CurrentControlSet\Services\{SERVICE}\Configuration"


def install(host: Host, pki: Pki) -> None:
    """Makes the host the lab's intermediate CA. Its certificates lie in its stores as setup leaves them."""
    stores = CertificateStores(host)
    stores.add(pki.root.der, "Root")
    for store in ("CA", "My"):
        stores.add(pki.intermediate.der, store)
    host.registry.set(CONFIGURATION, "Active", "String", "Lab Code Signing CA")
    spaced = " ".join(pki.intermediate.thumbprint.lower()[i : i + 2] for i in range(0, 40, 2))
    host.registry.set(rf"{CONFIGURATION}\Lab Code Signing CA", "CACertHash", "MultiString", [spaced])
    if host.services.get(SERVICE) is None:
        host.services.create(
            Service(
                SERVICE, "Active Directory Certificate Services", start_type="Automatic", status="Running"
            )
        )


def remove(host: Host) -> None:
    """Takes the role off the host; certificates that trust it stay."""
    found = certificate(host)
    if found is not None:
        CertificateStores(host).remove(found.thumbprint, "My")
    host.registry.delete(CONFIGURATION)
    host.services.delete(SERVICE)


def certificate(host: Host) -> StoredCertificate | None:
    """The CA's newest certificate; None where the host is no CA."""
    active = host.registry.get(CONFIGURATION, "Active")
    name = active.data if active else None
    hashes = host.registry.get(rf"{CONFIGURATION}\{name}", "CACertHash") if isinstance(name, str) else None
    if hashes is None or not isinstance(hashes.data, list) or not hashes.data:
        return None
    return CertificateStores(host).get(str(hashes.data[-1]).replace(" ", ""), "My")
