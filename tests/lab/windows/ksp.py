# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudHSM's key storage providers as CNG sees them: registration, key containers, and opening a key by its
container.

A container is a file in GlobalPartition that refers to a key pair on the HSM (AWS CloudHSM user guide,
ksp-migrate-to-sdk-5). The content of the file is the lab's own; only import_key and cloudhsm-cli write one.
Which HRESULT a provider gives for which trouble is documented for NTE_BAD_KEYSET alone; the others are the
lab's assumption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..hsm.cluster import HsmError, KeyObject, Session
from . import client
from .access import (
    ADMINISTRATORS,
    FULL,
    READ,
    SYSTEM,
    USERS,
    Ace,
    Acl,
)
from .errors import LabOSError

if TYPE_CHECKING:
    from .host import Host
    from .process import Process

CAVIUM = "Cavium Key Storage Provider"
CLOUDHSM = "CloudHSM Key Storage Provider"
CAVIUM_CNG = "Cavium CNG Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"
BUILT_IN = (
    SOFTWARE,
    "Microsoft Passport Key Storage Provider",
    "Microsoft Platform Crypto Provider",
    "Microsoft Smart Card Key Storage Provider",
)
SHORT_NAMES = {
    "ksp": SOFTWARE,
    "tpm": "Microsoft Platform Crypto Provider",
    "ngc": "Microsoft Passport Key Storage Provider",
    "sc": "Microsoft Smart Card Key Storage Provider",
}

CAVIUM_IMAGE = rf"{client.PROGRAMS}\cavium_ksp.dll"
CNG_IMAGE = rf"{client.PROGRAMS}\cavium_cng.dll"
CLOUDHSM_IMAGE = rf"{client.PROGRAMS}\bin\cloudhsm-ksp.dll"
"""The provider's DLL of Client SDK 5 (the others are SDK 3's)"""

CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"
PROVIDERS = r"HKLM\SYSTEM\CurrentControlSet\Control\Cryptography\Providers"

NTE_BAD_KEYSET = 0x80090016
NTE_KEYSET_NOT_DEF = 0x80090019
NTE_FAIL = 0x80090020
NTE_PERM = 0x80090010
NTE_NOT_FOUND = 0x80090011
NTE_INTERNAL_ERROR = 0x8009002D
NTE_DEVICE_NOT_READY = 0x80090030
NTE_EXISTS = 0x8009000F
NTE_NOT_SUPPORTED = 0x80090029


class KspError(Exception):
    """A provider's refusal. ``said``: what the provider prints about it into the output of the program that
    called it.
    """

    def __init__(self, hresult: int, text: str, said: str = "") -> None:
        super().__init__(f"0x{hresult:08x}: {text}")
        self.hresult = hresult
        self.text = text
        self.said = said


@dataclass(frozen=True)
class Container:
    """A container file. ``name`` is the file's, ``inner`` the name that the key's own record gives (normally
    the same).
    """

    name: str
    handle: int
    cluster_id: str
    inner: str


# Registration
# ---------------------------------------------------------------------------------------------------------


def register(host: Host, provider: str, image: str) -> None:
    host.registry.set(rf"{PROVIDERS}\{provider}\UM", "Image", "String", image)


def unregister(host: Host, provider: str) -> None:
    host.registry.delete(rf"{PROVIDERS}\{provider}")


def registered(host: Host) -> list[str]:
    """CloudHSM's providers on this host, the CNG (primitive) provider among them."""
    return [name for name in host.registry.subkeys(PROVIDERS) if name in (CAVIUM, CLOUDHSM, CAVIUM_CNG)]


def key_storage_providers(host: Host) -> list[str]:
    """All providers that NCryptOpenStorageProvider opens."""
    return [*BUILT_IN, *(name for name in registered(host) if name != CAVIUM_CNG)]


def find_provider(host: Host, name: str) -> str | None:
    """The provider's own spelling of ``name``, which is compared without case and may be one of certutil's
    short names.
    """
    wanted = SHORT_NAMES.get(name.lower(), name).lower()
    return next((one for one in key_storage_providers(host) if one.lower() == wanted), None)


def sdk_of(host: Host, provider: str = "") -> int:
    """Which SDK's DLL answers to the provider's name; of any of them where none is given."""
    for name in (provider,) if provider else (CLOUDHSM, CAVIUM):
        value = host.registry.get(rf"{PROVIDERS}\{name}\UM", "Image")
        if value is not None:
            return 5 if value.data == CLOUDHSM_IMAGE else 3
    return 0


# Containers
# -----------------------------------------------------------------------------------------------------------


def containers(host: Host) -> list[Container]:
    """All container files; files that hold something else are left out."""
    if not host.files.is_dir(CONTAINERS):
        return []
    found = [read_container(host, name) for name in host.files.list(CONTAINERS)]
    return [one for one in found if one is not None]


def read_container(host: Host, name: str) -> Container | None:
    path = f"{CONTAINERS}\\{name}"
    if not host.files.is_file(path):
        return None
    try:
        data = json.loads(host.files.read(path))
        return Container(
            path.rsplit("\\", 1)[1], int(data["handle"]), str(data["cluster"]), str(data["name"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def write_container(
    host: Host, name: str, key: KeyObject, *, folder: str = CONTAINERS, inner: str = "", by: str = ""
) -> None:
    """A container for the private key ``key``, readable by SYSTEM and Administrators only."""
    assert host.cluster is not None
    host.files.makedirs(folder)
    data = {"name": inner or name, "handle": key.handle, "cluster": host.cluster.cluster_id}
    host.files.write(f"{folder}\\{name}", json.dumps(data).encode("utf-8"), by=by)
    host.files.set_access(
        f"{folder}\\{name}", Acl((Ace(SYSTEM, FULL), Ace(ADMINISTRATORS, FULL)), inherits=False)
    )


def may_read(host: Host, path: str, account: str) -> bool:
    """Whether the access rights of ``path`` let ``account`` read it; a denial goes first."""
    sids = {host.accounts.sid(account), "S-1-1-0", "S-1-5-11", USERS}
    user = host.accounts.user(account)
    if user is not None:
        sids |= set(user.groups) | ({ADMINISTRATORS} if user.administrator else set())
    entries = [entry for entry in host.files.acl(path) if entry.sid in sids]
    if any(not entry.allow and entry.rights & READ & 1 for entry in entries):
        return False
    return any(entry.allow and entry.rights & READ == READ for entry in entries)


# Opening
# --------------------------------------------------------------------------------------------------------------


def open_provider(
    host: Host, provider: str, environment: Mapping[str, str], account: str, logon: str
) -> tuple[Session, client.Settings]:
    """A logged-in session of the crypto user, as CloudHSM's provider makes it when it is loaded."""
    name = find_provider(host, provider)
    if name is None:
        raise KspError(NTE_KEYSET_NOT_DEF, f"no provider {provider} is registered")
    if name not in (CAVIUM, CLOUDHSM):
        raise KspError(NTE_BAD_KEYSET, f"{name} has no keys on this host")
    sdk = sdk_of(host, name)
    try:
        cluster, settings = client.connect(host, "client" if sdk == 3 else "ksp")
    except client.ClientError as error:
        raise KspError(NTE_DEVICE_NOT_READY, str(error)) from None
    pin = client.credential(host, sdk, environment, account, logon)
    if pin is None:
        variable = client.CREDENTIAL_VARIABLES[sdk]
        raise KspError(NTE_FAIL, "no credentials of a crypto user", f"{variable} is not set\r\n")
    try:
        return cluster.login(*pin), settings
    except HsmError as error:
        raise KspError(NTE_PERM, error.text) from None


def open_key(
    host: Host, provider: str, container: str, environment: Mapping[str, str], account: str, logon: str
) -> KeyObject:
    """NCryptOpenStorageProvider and NCryptOpenKey: the private key behind ``container``, ready to be used by
    ``account``.
    """
    session, settings = open_provider(host, provider, environment, account, logon)
    return open_in_session(host, session, settings, container, account, provider)


def open_in_session(
    host: Host, session: Session, settings: client.Settings, container: str, account: str, provider: str
) -> KeyObject:
    if opens_by_label(host, provider, settings):
        return _usable(settings, _by_label(session, container))
    found = read_container(host, container)
    if found is None:
        raise KspError(NTE_BAD_KEYSET, f"no key container {container}")
    if not may_read(host, f"{CONTAINERS}\\{found.name}", account):
        raise KspError(NTE_BAD_KEYSET, f"{account} may not read the key container {container}")
    try:
        key = session.get(found.handle)
    except HsmError as error:
        raise KspError(NTE_BAD_KEYSET, error.text) from None
    return _usable(settings, key)


def opens_by_label(host: Host, provider: str, settings: client.Settings) -> bool:
    """Whether the provider takes the name of a container for a key's own name, and knows no files."""
    return sdk_of(host, find_provider(host, provider) or "") == 5 and not settings.sdk3_compatibility


def names(host: Host, session: Session, settings: client.Settings, provider: str) -> list[str]:
    """NCryptEnumKeys: the containers' names, whether they can be opened or not. A key without a label has none."""
    if opens_by_label(host, provider, settings):
        return [key.label for key in session.find(cls="private") if key.label]
    return [container.name for container in containers(host)]


def _by_label(session: Session, label: str) -> KeyObject:
    """SDK 5 without compatibility mode asks the HSM by the key's name, which has to be unique (user guide,
    NCryptOpenKey).
    """
    found = session.find(cls="private", label=label)
    if not label or len(found) != 1:
        raise KspError(NTE_BAD_KEYSET, "The key name provided did not return unique result")
    return found[0]


def _usable(settings: client.Settings, key: KeyObject) -> KeyObject:
    if settings.availability_check and key.hsms < 2:
        text = f"Key {key.reference} does not meet the availability requirements - The key must be available on at least 2 HSMs before being used."
        raise KspError(NTE_INTERNAL_ERROR, text, f"{text}\r\n")
    return key


def create_key(
    host: Host,
    provider: str,
    name: str,
    algorithm: str,
    length: int,
    environment: Mapping[str, str],
    account: str,
    logon: str,
) -> KeyObject:
    """NCryptCreatePersistedKey and NCryptFinalizeKey: a new key pair of the crypto user, labelled with the container's name.

    ``algorithm``: RSA, ECDSA_P256 or ECDSA_P384; ``length`` in bits. Without the compatibility mode of SDK 5 the key is all
    there is; else its container is a file as well, which no source says of a key that is made anew.
    """
    session, settings = open_provider(host, provider, environment, account, logon)
    reads_files = not opens_by_label(host, provider, settings)
    if session.find(cls="private", label=name) or (reads_files and read_container(host, name) is not None):
        raise KspError(NTE_EXISTS, f"there is a key {name}")
    cluster, owner = session.cluster, session.user.name
    if algorithm == "RSA":
        if not 2048 <= length <= 4096 or length % 256:
            raise KspError(NTE_NOT_SUPPORTED, f"an RSA key of {length} bits")
        key, _public = cluster.generate_rsa(name, owner, length)
    elif algorithm in ("ECDSA_P256", "ECDSA_P384"):
        key, _public = cluster.generate_ec(name, owner, f"P-{algorithm[-3:]}")
    else:
        raise KspError(NTE_NOT_SUPPORTED, f"a key for {algorithm}")
    if reads_files:
        write_container(host, name, key, by="key storage provider")
    return key


def open_containers(
    host: Host, provider: str, environment: Mapping[str, str], account: str, logon: str
) -> list[tuple[str, KeyObject]]:
    """The names of the containers whose keys this account can open now."""
    session, settings = open_provider(host, provider, environment, account, logon)
    found = []
    for name in names(host, session, settings, provider):
        try:
            found.append((name, open_in_session(host, session, settings, name, account, provider)))
        except (KspError, LabOSError):
            continue
    return found


def noise(process: Process, provider: str) -> None:
    """What a provider's DLL prints into the output of the program that loads it ("SDK Version: 3.0" in AWS's
    own samples).
    """
    if (
        find_provider(process.host, provider) in (CAVIUM, CLOUDHSM)
        and sdk_of(process.host, find_provider(process.host, provider) or "") == 3
    ):
        process.out("        SDK Version: 3.0\r\n")
    if process.fault("ksp_noise") is not None:
        process.out("I0424 11:02:13.514160  4720 logging.cc:57] Provider = opened, Key Container = none\r\n")


def falsely_reports_mismatch(host: Host) -> bool:
    """Versions 5.14 to 5.16.0 of SDK 5's provider make certutil say that certificate and key do not fit (user
    guide, known issues of the KSP).
    """
    if sdk_of(host) != 5 or not host.files.is_file(CLOUDHSM_IMAGE):
        return False
    info = host.program_info(CLOUDHSM_IMAGE)
    version = tuple(int(part) for part in info["version"].split(".")[:3]) if info else ()
    return (5, 14, 0) <= version <= (5, 16, 0)
