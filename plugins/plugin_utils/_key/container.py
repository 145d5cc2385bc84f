# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key container of a certificate: which containers a host has, and which of them is proven to hold the
certificate's key.

By reference a container is a file in one folder of the whole machine, and its name proves nothing. Proof is the
certificate's own association, or the public key that certutil reads out of the container. What differs where keys
are opened directly stands in direct.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Mapping, Sequence

from ...module_utils._crypto_user import NOBODY, CryptoUser
from ...module_utils._findings import BrokenLink, Finding, NotConfiguredError, NotInstalledError, found
from ...module_utils._key.pair import WantedKey
from ...module_utils._results import (
    AccessResult,
    Failure,
    FileContent,
    Result,
    ServiceResult,
    VersionResult,
)
from ...module_utils._sdk import AUTO, choose
from ...module_utils._steps import ListFolder, ReadAccess, ReadFile, ReadFolder, Service, Step, Version
from ...module_utils._tools import cloudhsm_cli, configure
from .._aspect import ANYWHERE, Context
from .._formats.client_config import ConfigError, read_sdk5
from .._formats.store_blob import KeyProvInfo
from .._sdk import SDK3, SDK5, SDKS, ClientSdk, Setting, meant, version_of
from .._store import entry as store_entry
from .._tools import certutil, import_key
from . import access as key_access

FOLDER = key_access.FOLDER
read_containers = key_access.containers

HOLDS_NOTHING = "holds nothing (no bytes, or zeros only)"


@dataclass(frozen=True)
class Wanted:
    """A certificate's key container. ``thumbprint`` may be "" where only the key is known.

    ``certificate_path`` is a certificate on the host that is read along.
    """

    key: WantedKey = field(default_factory=WantedKey)
    thumbprint: str = ""
    certificate_path: str = ""
    store_name: str = "My"
    store_location: str = "LocalMachine"
    provider: str = "Cavium Key Storage Provider"
    key_access: str = AUTO
    client_sdk: str = AUTO
    private_handle: int | None = None
    public_handle: int | None = None
    readers: tuple[str, ...] = ()
    force: bool = False
    cluster_id: str = ""
    user: CryptoUser = NOBODY
    timeout: int = 120
    scratch: str = ""

    @property
    def store(self) -> store_entry.Wanted:
        return store_entry.Wanted(self.store_name, self.store_location)


@dataclass(frozen=True)
class Seen:
    """A host, as far as containers go. Versions are "" for what is not installed; ``store`` what lies
    in the certificate's store.
    """

    cli_version: str = ""
    ksp_version: str = ""
    import_key: bool = False
    service: ServiceResult | None = None
    containers: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    """Those of them whose files hold nothing: no bytes, or none but zeros. What else a file holds is AWS's."""
    store: store_entry.Entries = field(default_factory=store_entry.Entries)
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The HSMs that the client's configuration names, by client SDK."""
    configurations: Mapping[str, bytes] = field(default_factory=dict)
    """The client's configuration files that are there, by name."""
    certificate: bytes | None = None
    access: AccessResult | None = None
    """Who may read the containers' files, and who the wanted readers are; None unless there are any."""

    @property
    def compatibility_mode(self) -> bool | None:
        """Whether the provider of Client SDK 5 is in SDK 3 compatibility mode; None where its configuration does
        not say so.
        """
        try:
            return read_sdk5(self.configurations[configure.KSP_FILE]).sdk3_compatibility_mode
        except (KeyError, ConfigError):
            return None

    @property
    def uses(self) -> tuple[key_access.Use, ...]:
        """What the certificates of the store are tied to."""
        return key_access.uses(self.store, self.containers, self.blank)

    @property
    def installed(self) -> tuple[ClientSdk, ...]:
        """The client SDKs that are, the newest first."""
        there = ((SDK5, bool(self.cli_version)), (SDK3, self.import_key))
        return tuple(sdk for sdk, installed in there if installed)

    @property
    def sdk(self) -> ClientSdk | None:
        """The newest one; None where none is."""
        return next(iter(self.installed), None)


# Asking
# ---------------------------------------------------------------------------------------------------------------

_FILES = [
    (f"{folder}\\{part.file}", sdk, part)
    for folder in configure.FOLDERS
    for sdk in SDKS
    for part in sdk.parts
]


def observe(wanted: Wanted) -> list[Step]:
    """What one look at the host takes; it opens no key."""
    steps: list[Step] = [
        Version(cloudhsm_cli.WINDOWS_PROGRAM),
        Version(configure.CONFIGURE_KSP),
        Version(import_key.PROGRAM),
        Service(configure.SERVICE),
        ListFolder(FOLDER),
        ReadFolder(FOLDER),
        *store_entry.observe(wanted.store),
    ]
    steps += [ReadFile(path) for path, _sdk, _part in _FILES]
    if wanted.certificate_path:
        steps.append(ReadFile(wanted.certificate_path))
    if wanted.readers:
        steps.append(access_step(wanted.readers))
    return steps


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    places = len(store_entry.observe(wanted.store))
    cli, ksp, importer, service, folder, bytes_of_files, *rest = results
    entries, files = store_entry.read(wanted.store, rest[:places]), rest[places:]
    entries.check()
    certificate: bytes | None = None
    access = (
        found(files.pop(), AccessResult, "container", f"The access rights in {FOLDER}")
        if wanted.readers
        else None
    )
    if wanted.certificate_path:
        certificate = store_entry.file_content(files[-1], wanted.certificate_path)
    contents = [
        found(result, FileContent, "client", path)
        for (path, _sdk, _part), result in zip(_FILES, files, strict=False)
    ]
    there = [
        (part.file, file.content)
        for (_path, _sdk, part), file in zip(_FILES, contents, strict=True)
        if file.exists
    ]
    return Seen(
        cli_version=_version(cli, cloudhsm_cli.WINDOWS_PROGRAM),
        ksp_version=_version(ksp, configure.CONFIGURE_KSP),
        import_key=found(importer, VersionResult, "client", import_key.PROGRAM).exists,
        service=found(service, ServiceResult, "service", f"The service {configure.SERVICE}"),
        containers=read_containers(folder),
        blank=key_access.blank(folder, bytes_of_files),
        store=entries,
        addresses=_addresses(contents),
        configurations=dict(reversed(there)),
        certificate=certificate,
        access=access,
    )


def access_step(readers: Sequence[str]) -> ReadAccess:
    """Who may read the containers' files, and the SIDs of the readers."""
    return ReadAccess(FOLDER, tuple(readers))


def _version(result: Result, program: str) -> str:
    version = found(result, VersionResult, "client", program)
    if not version.exists:
        return ""
    return next((text for text in (version.product_version, version.version) if version_of(text)), "unknown")


def _addresses(files: Sequence[FileContent]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {sdk.name: [] for sdk in SDKS}
    for (_path, sdk, part), file in zip(_FILES, files, strict=True):
        if not file.exists:
            continue
        try:
            clusters = part.read(file.content).clusters
        except ConfigError:
            # A damaged configuration is win_cloudhsm_client's to report; here it names no address.
            continue
        found[sdk.name] += [address for cluster in clusters for address in cluster.addresses]
    return {sdk: tuple(dict.fromkeys(addresses)) for sdk, addresses in found.items()}


# What it means
# --------------------------------------------------------------------------------------------------------


def sdk_of(wanted: Wanted, seen: Seen) -> ClientSdk:
    """The client SDK to work with. BrokenLink where it is not installed."""
    chosen = choose(wanted.client_sdk, seen.installed)
    if chosen is not None:
        return chosen
    lacking = meant(wanted.client_sdk)
    programs = [sdk.program for sdk in lacking]
    asked, missing = f"Client SDK {lacking[0].name} is not", f"{programs[0]} is not there"
    if len(lacking) > 1:
        asked, missing = "No client of CloudHSM is", f"neither {' nor '.join(programs)} is there"
    advice = "Install it first (the role cloudhsm.codesign.client does)."
    raise NotInstalledError("client", f"{asked} installed on this host: {missing}.", advice)


def settled(wanted: Wanted, seen: Seen) -> Wanted:
    """``wanted`` with the way to the key and the provider's name that it leaves to the host."""
    sdk = choose(wanted.client_sdk, seen.installed) or meant(wanted.client_sdk)[0]
    both = sdk.sets(Setting.SDK3_MODE)
    way = key_access.settle(wanted.key_access, both, seen.uses, seen.compatibility_mode)
    return replace(wanted, key_access=way, provider=wanted.provider or key_access.usual_provider(way))


def check_way(wanted: Wanted, seen: Seen, sdk: ClientSdk) -> None:
    """BrokenLink where the provider does not go the (settled) way to the key."""
    direct = wanted.key_access == "direct"
    if direct and sdk is SDK3:
        raise key_access.direct_in_sdk3()
    mode = seen.compatibility_mode
    if sdk is SDK5 and mode is direct:
        how, state = ("by key reference files", "on") if direct else ("directly by their names", "off")
        raise NotConfiguredError(
            "client",
            f"The provider opens keys {how} now (its SDK 3 compatibility mode is {state}), and key_access is {wanted.key_access}.",
            f"Run win_cloudhsm_client with key_access={wanted.key_access} first (role cloudhsm.codesign.client).",
        )


def known_faults(seen: Seen, sdk: ClientSdk) -> tuple[str, ...]:
    """Warnings for installed versions with known faults on this path."""
    return sdk.known_faults({"cloudhsm-cli": seen.cli_version, "the key storage provider": seen.ksp_version})


def associated(wanted: Wanted, seen: Seen) -> str:
    """The container that the certificate in the store is tied to, if its file exists and holds something; ""
    otherwise, and where keys are opened directly.
    """
    name = "" if wanted.key_access == "direct" else tied_file(wanted, seen)
    return "" if name in seen.blank else name


def held(wanted: Wanted, seen: Seen) -> str:
    """The container that the certificate in the store is tied to, as far as it is known without asking the
    provider; "" where it is tied to none, or to one of the other way to the key.
    """
    if wanted.key_access != "direct":
        return associated(wanted, seen)
    uses = [use for use in seen.uses if use.thumbprint == wanted.thumbprint]
    return next(
        (use.container for use in uses if key_access.way(use, seen.compatibility_mode) == "direct"), ""
    )


def tied_file(wanted: Wanted, seen: Seen) -> str:
    """The file of the container that the certificate in the store is tied to, whatever it holds; "" where
    there is none.
    """
    key = tied_to(wanted, seen)
    return existing(key.container, seen.containers) if key else ""


def tied_to(wanted: Wanted, seen: Seen) -> KeyProvInfo | None:
    """The association of the certificate in the store with the wanted provider, if it has one."""
    stored = seen.store.find(wanted.thumbprint)
    key = stored.key if stored else None
    return key if key and store_entry.same_provider(key.provider, wanted.provider) else None


def existing(name: str, containers: Sequence[str]) -> str:
    """``name`` as its file is called; "" where there is no such file. Windows compares file names without
    case.
    """
    return next((container for container in containers if container.lower() == name.lower()), "")


def matching(
    wanted: Wanted, keys: Sequence[certutil.KeyContainer], containers: Sequence[str]
) -> tuple[str, ...]:
    """The containers whose public key is the certificate's, named as their files where certutil's name is
    one.
    """
    names = []
    for key in keys:
        if not is_key(wanted.key, key):
            continue
        files = [existing(name, containers) for name in (key.name, key.unique_name) if name]
        names.append(next(filter(None, files), key.name))
    return tuple(dict.fromkeys(names))


def is_key(wanted: WantedKey, key: certutil.KeyContainer) -> bool:
    """Whether certutil's listing shows the wanted public key."""
    return (
        bool(key.modulus) and key.modulus == wanted.modulus
        if wanted.is_rsa
        else bool(key.point) and key.point.upper() == wanted.point
    )


def says_nothing(key: certutil.KeyContainer) -> bool:
    """Whether the listing shows no public key for a container."""
    return not key.modulus and not key.point


def compare(wanted: Wanted, seen: Seen, _context: Context = ANYWHERE) -> list[Finding]:
    """A finding where the certificate is tied to no container that exists. For a report that opens no key."""
    if held(wanted, seen):
        return []
    direct = wanted.key_access == "direct"
    stored = seen.store.find(wanted.thumbprint)
    tied = "none"
    if stored is not None and stored.key is not None:
        file = f"whose file {HOLDS_NOTHING}" if tied_file(wanted, seen) else "which has no file"
        tied = (
            f"{stored.key.container} of {stored.key.provider}, {'a key reference file' if direct else file}"
        )
    elif stored is not None and stored.key_problem:
        tied = f"unreadable ({stored.key_problem})"
    elif stored is None and wanted.thumbprint in seen.store.blobs:
        tied = "unreadable (the certificate's entry in the store is damaged)"
    what = f"key container of certificate {wanted.thumbprint}"
    wish = f"a key's own name of {wanted.provider}" if direct else f"a container of {wanted.provider}"
    return [Finding("container", what, wish, tied, "Run the role cloudhsm.codesign.key_container.")]


# Access
# ---------------------------------------------------------------------------------------------------------------


def check_accounts(access: AccessResult | None, readers: Sequence[str]) -> None:
    """BrokenLink for an account that the host does not know."""
    for name in readers:
        if not sid_of(name, access):
            raise BrokenLink(
                "argument",
                f"There is no account '{name}' on this host.",
                "Give readers as DOMAIN\\name or HOST\\name, a group by its name in the host's language, or any of them by its SID.",
            )


def sid_of(name: str, access: AccessResult | None) -> str:
    """The SID of a reader: what the host found, or the name itself where that is one; "" for an unknown
    account.

    BrokenLink("host") when the host could not look the account up (a domain controller that does not answer,
    for example).
    """
    if re.fullmatch(r"S-1(?:-\d+)+", name):
        return name
    sid = access.sids.get(name, "") if access else ""
    if isinstance(sid, Failure):
        problem = f"The account '{name}' cannot be looked up on this host: {sid.message.rstrip('.')}."
        raise BrokenLink("host", problem, "Give it in readers by its SID (S-1-...).")
    return sid
