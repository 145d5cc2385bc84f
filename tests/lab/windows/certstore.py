# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate stores of a lab host: which certificates lie where, and the properties that hang on each.

A certificate and its properties are one serialised blob (little-endian: property number, 1, length, bytes).
Machine stores keep the blobs in the registry, the user's My store as files of the profile, the user's other
stores in the user's registry hive.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host import Host
    from .registry import Registry

KEY_PROV_INFO = 2
SHA1_HASH = 3
FRIENDLY_NAME = 11
ARCHIVED = 19
CERTIFICATE = 32

MACHINE, USER = "LocalMachine", "CurrentUser"
MACHINE_STORES = (
    "MY",
    "Root",
    "CA",
    "AuthRoot",
    "Disallowed",
    "TrustedPeople",
    "TrustedPublisher",
    "Trust",
    "SmartCardRoot",
    "REQUEST",
)
"""Stores that exist on every Windows, spelt as in the registry."""


class StoreError(Exception):
    """A blob that cannot be read; the text says where it breaks."""


@dataclass(frozen=True)
class KeyProviderInfo:
    """Property 2: which key container, of which provider, belongs to the certificate."""

    container: str
    provider: str
    provider_type: int = 0
    flags: int = 0
    key_spec: int = 0


@dataclass
class StoredCertificate:
    der: bytes
    properties: dict[int, bytes] = field(default_factory=dict)
    """All properties but the certificate itself, by number"""

    @property
    def thumbprint(self) -> str:
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @property
    def key_provider_info(self) -> KeyProviderInfo | None:
        try:
            return read_key_provider_info(self.properties[KEY_PROV_INFO])
        except (KeyError, StoreError):
            return None

    @property
    def friendly_name(self) -> str | None:
        data = self.properties.get(FRIENDLY_NAME)
        return None if data is None else data.decode("utf-16-le", errors="replace").rstrip("\0")

    @property
    def archived(self) -> bool:
        return ARCHIVED in self.properties


def write_blob(stored: StoredCertificate) -> bytes:
    """Properties in ascending order but SHA-1 first, the certificate last, as Windows' API leaves them."""
    properties = {SHA1_HASH: hashlib.sha1(stored.der, usedforsecurity=False).digest(), **stored.properties}
    order = sorted(properties, key=lambda number: (number != SHA1_HASH, number))
    elements = [(number, properties[number]) for number in order] + [(CERTIFICATE, stored.der)]
    return b"".join(struct.pack("<III", number, 1, len(data)) + data for number, data in elements)


def read_blob(blob: bytes) -> StoredCertificate:
    properties: dict[int, bytes] = {}
    position = 0
    while position < len(blob):
        if len(blob) - position < 12:
            raise StoreError(f"element header cut off at byte {position}")
        number, _encoding, length = struct.unpack_from("<III", blob, position)
        position += 12
        if length > len(blob) - position:
            raise StoreError(f"property {number} wants {length} bytes, {len(blob) - position} are left")
        properties[number] = blob[position : position + length]
        position += length
    if CERTIFICATE not in properties:
        raise StoreError("no certificate in the blob")
    der = properties.pop(CERTIFICATE)
    return StoredCertificate(der, properties)


def write_key_provider_info(info: KeyProviderInfo) -> bytes:
    container, provider = ((text + "\0").encode("utf-16-le") for text in (info.container, info.provider))
    head = struct.calcsize("<7I")
    second = head + len(container) + -len(container) % 4
    words = struct.pack("<7I", head, second, info.provider_type, info.flags, 0, 0, info.key_spec)
    return words + container.ljust(second - head, b"\0") + provider


def read_key_provider_info(data: bytes) -> KeyProviderInfo:
    if len(data) < 28:
        raise StoreError(f"key provider information of {len(data)} bytes")
    at_container, at_provider, provider_type, flags, _count, _params, key_spec = struct.unpack_from(
        "<7I", data
    )
    return KeyProviderInfo(
        _text(data, at_container), _text(data, at_provider), provider_type, flags, key_spec
    )


def _text(data: bytes, start: int) -> str:
    for position in range(start, len(data) - 1, 2):
        if data[position : position + 2] == b"\0\0":
            return data[start:position].decode("utf-16-le")
    raise StoreError("a text without end in the key provider information")


class CertificateStores:
    """All certificate stores of one host. ``location``: LocalMachine or CurrentUser; the latter is the
    account's.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def exists(self, store: str, location: str = MACHINE, account: str = "") -> bool:
        """A standard store always exists; another one once something was put into it."""
        if any(store.lower() == known.lower() for known in MACHINE_STORES):
            return True
        registry, key = self._key(store, location, account)
        return registry.exists(key)

    def certificates(self, store: str, location: str = MACHINE, account: str = "") -> list[StoredCertificate]:
        """In the order in which the store gives them: by the name of their keys. Windows passes over an entry that cannot be
        read (assumed).
        """
        found = []
        for blob in self._blobs(store, location, account):
            with contextlib.suppress(StoreError):
                found.append(read_blob(blob))
        return found

    def _blobs(self, store: str, location: str, account: str) -> list[bytes]:
        if _in_files(store, location):
            folder = self._folder(account)
            names = sorted(self._host.files.list(folder)) if self._host.files.is_dir(folder) else []
            return [self._host.files.read(f"{folder}\\{name}") for name in names]
        registry, key = self._key(store, location, account)
        values = [registry.get(f"{key}\\{name}", "Blob") for name in sorted(registry.subkeys(key))]
        return [value.data for value in values if value is not None and isinstance(value.data, bytes)]

    def get(
        self, thumbprint: str, store: str, location: str = MACHINE, account: str = ""
    ) -> StoredCertificate | None:
        wanted = thumbprint.upper()
        return next(
            (one for one in self.certificates(store, location, account) if one.thumbprint == wanted), None
        )

    def add(self, der: bytes, store: str, location: str = MACHINE, account: str = "") -> bool:
        """Puts a certificate into a store; True if it was not there. One that was keeps its properties."""
        if self.get(hashlib.sha1(der, usedforsecurity=False).hexdigest(), store, location, account):
            return False
        self._save(StoredCertificate(der), store, location, account)
        return True

    def remove(self, thumbprint: str, store: str, location: str = MACHINE, account: str = "") -> bool:
        stored = self.get(thumbprint, store, location, account)
        if stored is None:
            return False
        if _in_files(store, location):
            self._host.files.remove(f"{self._folder(account)}\\{stored.thumbprint}")
        else:
            registry, key = self._key(store, location, account)
            registry.delete(f"{key}\\{stored.thumbprint}")
        return True

    def set_property(
        self,
        thumbprint: str,
        number: int,
        data: bytes | None,
        store: str,
        location: str = MACHINE,
        account: str = "",
    ) -> None:
        """Sets a property, or removes it (None)."""
        stored = self.get(thumbprint, store, location, account)
        if stored is None:
            raise StoreError(f"no certificate {thumbprint} in {location}\\{store}")
        if data is None:
            stored.properties.pop(number, None)
        else:
            stored.properties[number] = data
        self._save(stored, store, location, account)

    def set_key_provider_info(
        self,
        thumbprint: str,
        info: KeyProviderInfo | None,
        store: str,
        location: str = MACHINE,
        account: str = "",
    ) -> None:
        data = None if info is None else write_key_provider_info(info)
        self.set_property(thumbprint, KEY_PROV_INFO, data, store, location, account)

    def set_friendly_name(
        self, thumbprint: str, text: str | None, store: str, location: str = MACHINE, account: str = ""
    ) -> None:
        data = None if text is None else (text + "\0").encode("utf-16-le")
        self.set_property(thumbprint, FRIENDLY_NAME, data, store, location, account)

    def _save(self, stored: StoredCertificate, store: str, location: str, account: str) -> None:
        blob = write_blob(stored)
        if _in_files(store, location):
            folder = self._folder(account)
            self._host.files.makedirs(folder)
            self._host.files.write(f"{folder}\\{stored.thumbprint}", blob, by="certificate store")
        else:
            registry, key = self._key(store, location, account)
            registry.set(f"{key}\\{stored.thumbprint}", "Blob", "Binary", blob)

    def _key(self, store: str, location: str, account: str) -> tuple[Registry, str]:
        name = next((known for known in MACHINE_STORES if known.lower() == store.lower()), store)
        if location == MACHINE:
            return self._host.registry, f"HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\{name}\\Certificates"
        if not account:
            raise ValueError("a store of CurrentUser needs an account")
        return self._host.registry_of(
            account
        ), f"HKCU\\SOFTWARE\\Microsoft\\SystemCertificates\\{name}\\Certificates"

    def _folder(self, account: str) -> str:
        if not account:
            raise ValueError("a store of CurrentUser needs an account")
        return self._host.profile(account) + r"\AppData\Roaming\Microsoft\SystemCertificates\My\Certificates"


def _in_files(store: str, location: str) -> bool:
    return location == USER and store.lower() == "my"
