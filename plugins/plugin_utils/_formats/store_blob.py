# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes in which Windows keeps a certificate of a store, and where they lie.

A store is a key of the registry (the user's own ``My`` is a folder) with one blob a certificate: the
certificate and its properties, among them the association with a private key. Reading it opens no key, loads
no provider and knows no language.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import struct
from dataclasses import dataclass, field
from typing import Mapping

from ...module_utils._findings import quoted

CERTIFICATE = 32
KEY_PROV_INFO = 2
FRIENDLY_NAME = 11
ARCHIVED = 19

MACHINE_KEYS = 0x20
"""NCRYPT_MACHINE_KEY_FLAG, which is CRYPT_MACHINE_KEYSET too: the container is the machine's, not the user's.
"""

_ELEMENT = struct.Struct("<III")
_ENCODING = 1
_INFO = struct.Struct("<IIIIIII")


class StoreBlobError(ValueError):
    """The blob is not what Windows writes: the text says where it stops making sense."""


@dataclass(frozen=True)
class KeyProvInfo:
    """CRYPT_KEY_PROV_INFO: which key of which provider belongs to the certificate."""

    container: str
    provider: str
    provider_type: int = 0
    flags: int = 0
    key_spec: int = 0

    @property
    def machine_keys(self) -> bool:
        return bool(self.flags & MACHINE_KEYS)


@dataclass(frozen=True)
class StoredCertificate:
    """A certificate as it lies in a store. ``properties`` holds all of them, by number, as bytes. ``key_problem``: why the
    association with a key cannot be read; ``key`` is None then. A friendly name that is no text is None.
    """

    der: bytes
    key: KeyProvInfo | None = None
    friendly_name: str | None = None
    archived: bool = False
    properties: Mapping[int, bytes] = field(default_factory=dict)
    key_problem: str = ""

    @property
    def thumbprint(self) -> str:
        """What Windows names the certificate by, whether or not it can be read."""
        return hashlib.sha1(self.der).hexdigest().upper()


# Reading and writing
# --------------------------------------------------------------------------------------------------


def read_blob(blob: bytes) -> StoredCertificate:
    """The certificate and its properties. Raises StoreBlobError for an entry that is not whole. A property that is damaged
    takes nothing away from the certificate.
    """
    properties = dict(_elements(blob))
    der = properties.get(CERTIFICATE)
    if not der:
        raise StoreBlobError("the store entry holds no certificate")
    key, problem, name = None, "", None
    if properties.get(KEY_PROV_INFO):
        try:
            key = read_key_prov_info(properties[KEY_PROV_INFO])
        except StoreBlobError as error:
            problem = str(error)
    with contextlib.suppress(StoreBlobError):
        name = _text(properties[FRIENDLY_NAME], 0, "friendly name") if FRIENDLY_NAME in properties else None
    return StoredCertificate(
        der=der,
        key=key,
        friendly_name=name,
        archived=ARCHIVED in properties,
        properties=properties,
        key_problem=problem,
    )


def _elements(blob: bytes) -> list[tuple[int, bytes]]:
    elements = []
    position = 0
    while position < len(blob):
        if len(blob) - position < _ELEMENT.size:
            raise StoreBlobError(f"the store entry is cut off at byte {position}")
        number, encoding, length = _ELEMENT.unpack_from(blob, position)
        position += _ELEMENT.size
        if encoding != _ENCODING:
            raise StoreBlobError(
                f"the store entry is damaged: property {number} has the unknown encoding {encoding}"
            )
        if length > len(blob) - position:
            raise StoreBlobError(
                f"the store entry is cut off: property {number} should have {length} bytes, {len(blob) - position} are there"
            )
        elements.append((number, blob[position : position + length]))
        position += length
    return elements


def read_key_prov_info(data: bytes) -> KeyProvInfo:
    """CRYPT_KEY_PROV_INFO as the registry holds it: seven numbers, then the two names at their offsets."""
    if len(data) < _INFO.size:
        raise StoreBlobError(f"the key association is cut off: it has {len(data)} bytes")
    container, provider, provider_type, flags, count, parameters, key_spec = _INFO.unpack_from(data)
    if count and parameters >= len(data):
        raise StoreBlobError("the key association is damaged: its parameters lie outside of it")
    return KeyProvInfo(
        container=_text(data, container, "container") if container else "",
        provider=_text(data, provider, "provider") if provider else "",
        provider_type=provider_type,
        flags=flags,
        key_spec=key_spec,
    )


def _text(data: bytes, offset: int, what: str) -> str:
    if offset > len(data):
        raise StoreBlobError(f"the store entry is damaged: the {what} lies outside of it")
    for end in range(offset, len(data) - 1, 2):
        if data[end : end + 2] == b"\x00\x00":
            try:
                return data[offset:end].decode("utf-16-le")
            except UnicodeDecodeError as error:
                raise StoreBlobError(f"the store entry is damaged: the {what} is no UTF-16") from error
    raise StoreBlobError(f"the store entry is damaged: the {what} has no end")


# Where it lies
# --------------------------------------------------------------------------------------------------------

VALUE = "Blob"
USER_MY_FOLDER = r"%APPDATA%\Microsoft\SystemCertificates\My\Certificates"
_HIVES = {"LocalMachine": "HKLM", "CurrentUser": "HKCU"}


def lies_in_folder(store_name: str, store_location: str) -> bool:
    """The user's own My store is a folder of files; every other store is a registry key."""
    return store_location == "CurrentUser" and store_name.lower() == "my"


def store_key(store_name: str, store_location: str) -> str:
    """The registry key whose existence is the store's."""
    return rf"{_HIVES[store_location]}\SOFTWARE\Microsoft\SystemCertificates\{store_name}"


def certificates_key(store_name: str, store_location: str) -> str:
    """The registry key below which a store's certificates lie, each under its thumbprint."""
    return store_key(store_name, store_location) + r"\Certificates"


_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._\-]{0,62}")


def check_store_name(name: str) -> str | None:
    """Why ``name`` cannot be a store's name; None when it can. (A backslash would leave the store's own
    registry key.)
    """
    if _STORE_NAME.fullmatch(name):
        return None
    return f"The store name {quoted(name)} is not one: use a plain name such as My, Root, CA or TrustedPublisher."
