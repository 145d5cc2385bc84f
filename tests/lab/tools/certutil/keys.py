# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil's verbs for keys: -key, -delkey, -csplist."""

from __future__ import annotations

import hashlib

from ...hsm.cluster import KeyObject
from ...windows import ksp
from . import dump
from .command import Command, Failure

CSPS = (
    ("Microsoft Base Cryptographic Provider v1.0", "1 - PROV_RSA_FULL"),
    ("Microsoft Base DSS Cryptographic Provider", "3 - PROV_DSS"),
    ("Microsoft Enhanced Cryptographic Provider v1.0", "1 - PROV_RSA_FULL"),
    ("Microsoft Enhanced RSA and AES Cryptographic Provider", "24 - PROV_RSA_AES"),
    ("Microsoft RSA SChannel Cryptographic Provider", "12 - PROV_RSA_SCHANNEL"),
    ("Microsoft Strong Cryptographic Provider", "1 - PROV_RSA_FULL"),
)


def list_providers(command: Command) -> None:
    """-csplist: the CSPs with their types, then the key storage providers, which have none."""
    for name, kind in CSPS:
        command.line(command.texts["provider_name"] + name)
        command.line(command.texts["csp_type"] + kind)
        command.line()
    names = ksp.key_storage_providers(command.host)
    for position, name in enumerate(names):
        command.line(command.texts["provider_name"] + name)
        if position < len(names) - 1:
            command.line()


def show(command: Command) -> None:
    """-key [container]: the containers of a provider; with -v also their public keys."""
    provider = command.options.get("csp", "Microsoft Strong Cryptographic Provider")
    if any(provider.lower() == name.lower() for name, _kind in CSPS):
        command.line(f"{provider}:")
        return
    ksp.noise(command.process, provider)
    code = command.process.fault("key_list_fails")
    if code is not None:
        raise Failure(int(code, 16))
    wanted = command.values[0] if command.values and command.values[0] != "-" else None
    entries = [(name, key) for name, key in _entries(command, provider) if wanted in (None, name)]
    if wanted is not None and not entries:
        raise Failure(ksp.NTE_BAD_KEYSET)
    command.line(f"{provider}:")
    for name, key in entries:
        command.line(f"  {name}")
        if isinstance(key, ksp.KspError):
            command.line(f"  {Failure(key.hresult).describe()}")
        else:
            command.line("  RSA" if key.key_type == "rsa" else f"  ECDSA_{key.public.curve.replace('-', '')}")
            if command.has("v"):
                _print_details(command, name, key)
        command.line()


def _entries(command: Command, provider: str) -> list[tuple[str, KeyObject | ksp.KspError]]:
    host, process = command.host, command.process
    name = ksp.find_provider(host, provider)
    if name is not None and name not in (ksp.CAVIUM, ksp.CLOUDHSM):
        return []
    try:
        session, settings = ksp.open_provider(
            host, provider, process.environment, process.account, process.logon
        )
    except ksp.KspError as error:
        process.out(error.said)
        raise Failure(error.hresult) from None
    entries: list[tuple[str, KeyObject | ksp.KspError]] = []
    for one in ksp.names(host, session, settings, provider):
        try:
            entries.append(
                (one, ksp.open_in_session(host, session, settings, one, process.account, provider))
            )
        except ksp.KspError as error:
            entries.append((one, error))
    return entries


def _print_details(command: Command, name: str, key: KeyObject) -> None:
    texts = command.texts
    command.line(f"Key Id Hash(rfc-sha1): {hashlib.sha1(key.public_der, usedforsecurity=False).hexdigest()}")
    command.line(texts["key_public"])
    for line in dump.hex_dump(key.public_der, "  "):
        command.line(line)
    command.line("    NCRYPT_ALLOW_DECRYPT_FLAG -- 1")
    command.line("    NCRYPT_ALLOW_SIGNING_FLAG -- 2")
    command.line("  Export Policy = 0")
    command.line(f"  Name: {name}")
    command.line(f"  {texts['length']}{key.key_size} (0x{key.key_size:x})")
    command.line()
    command.line(texts["not_exportable"])


def delete(command: Command) -> None:
    """-delkey container: calls NCryptDeleteKey, by which CloudHSM's provider "deletes a KSP key": the pair on
    the HSM, not only the container.

    (AWS CloudHSM user guide, ksp-library-apis-delete-key; for SDK 3 the lab assumes the same.)
    """
    host, process = command.host, command.process
    provider = command.options.get("csp", "")
    name = command.values[0]
    ksp.noise(command.process, provider)
    try:
        key = ksp.open_key(host, provider, name, process.environment, process.account, process.logon)
    except ksp.KspError as error:
        process.out(error.said)
        raise Failure(error.hresult) from None
    assert host.cluster is not None
    host.cluster.delete_pair(key.handle)
    if ksp.read_container(host, name) is not None:
        host.files.remove(f"{ksp.CONTAINERS}\\{name}")
    command.line(f"  {name}")
