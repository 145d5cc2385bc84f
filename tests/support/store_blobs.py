# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what the collection only reads: a store's entry as Windows keeps it."""

from __future__ import annotations

import struct

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    ARCHIVED,
    CERTIFICATE,
    FRIENDLY_NAME,
    KEY_PROV_INFO,
    KeyProvInfo,
    StoredCertificate,
    certificates_key,
)

ELEMENT = struct.Struct("<III")
INFO = struct.Struct("<IIIIIII")
X509 = 1


def write_blob(certificate: StoredCertificate) -> bytes:
    """The blob with ``certificate``'s fields; the other properties stand as they are."""
    properties = {
        number: data
        for number, data in certificate.properties.items()
        if number not in (CERTIFICATE, KEY_PROV_INFO, FRIENDLY_NAME)
    }
    if certificate.key is not None:
        properties[KEY_PROV_INFO] = write_key_prov_info(certificate.key)
    if certificate.friendly_name is not None:
        properties[FRIENDLY_NAME] = certificate.friendly_name.encode("utf-16-le") + b"\x00\x00"
    if certificate.archived:
        properties.setdefault(ARCHIVED, b"")
    else:
        properties.pop(ARCHIVED, None)
    elements = [*sorted(properties.items()), (CERTIFICATE, certificate.der)]
    return b"".join(ELEMENT.pack(number, X509, len(data)) + data for number, data in elements)


def write_key_prov_info(key: KeyProvInfo) -> bytes:
    container = key.container.encode("utf-16-le") + b"\x00\x00"
    provider = key.provider.encode("utf-16-le") + b"\x00\x00"
    numbers = INFO.pack(
        INFO.size, INFO.size + len(container), key.provider_type, key.flags, 0, 0, key.key_spec
    )
    return numbers + container + provider


def certificate_key(store_name: str, store_location: str, thumbprint: str) -> str:
    """The registry key of one certificate; its blob is the value ``Blob``."""
    return certificates_key(store_name, store_location) + "\\" + thumbprint
