# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two client SDKs as a Windows host has them: their parts and configuration, their providers, and how each
makes a key container.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Callable, Mapping, Sequence

from ..module_utils import _sdk
from ..module_utils._findings import (
    BrokenLink,
    NotInstalledError,
    OutdatedError,
    ServiceStoppedError,
    UnreachableError,
)
from ..module_utils._key import lookup as key_lookup
from ..module_utils._key.backends import cloudhsm_cli as cli_backend
from ..module_utils._key.backends import key_mgmt_util as kmu_backend
from ..module_utils._key.lookup import Lookup
from ..module_utils._key.pair import WantedKey, only_private, only_public
from ..module_utils._key.pair import judge as judge_pair
from ..module_utils._results import Result, RunResult, ServiceResult
from ..module_utils._steps import Run, Step, Transport
from ..module_utils._tools import cloudhsm_cli, configure
from ._formats.client_config import ClientConfig, ClusterConfig, read_sdk3_address, read_sdk5
from ._tools import certutil, import_key, ksp_config

Handles = tuple[int | None, int | None]
"""Of the private and of the public key."""

OTHER_NAME = (5, 16, 0)
"""The version that names a container otherwise than its file (user guide, known issues of the KSP)."""


class Setting(Enum):
    """What a configure tool sets, by its name in a finding."""

    ADDRESSES = "HSM addresses"
    HSM_TYPE = "HSM type"
    CUSTOMER_CA = "customer CA file"
    KEY_AVAILABILITY = "key availability check"
    SDK3_MODE = "SDK 3 compatibility mode"
    TLS = "client certificate for TLS"
    RETRY_MODE = "retry mode"
    LOG_TYPE = "log type"
    LOG_FILE = "log file"
    LOG_LEVEL = "log level"
    LOG_ROTATION = "log rotation"


TAKES_VALUE: Mapping[Setting, str] = {
    Setting.RETRY_MODE: configure.RETRY_MODE,
    Setting.LOG_TYPE: configure.LOG_TYPE,
    Setting.LOG_FILE: configure.LOG_FILE,
    Setting.LOG_LEVEL: configure.LOG_LEVEL,
    Setting.LOG_ROTATION: configure.LOG_ROTATION,
}
"""Settings that an option with one value stands for."""


@dataclass(frozen=True)
class Part:
    """A part of the client with a configuration of its own. The first of ``programs``, its configure tool, is
    the documented one; ``most`` is how many HSMs it takes the addresses of. ``others`` are what else its package brings and
    this collection runs.
    """

    name: str
    programs: tuple[str, ...]
    file: str
    read: Callable[[bytes], ClientConfig]
    settings: tuple[Setting, ...]
    most: int | None = None
    brings_provider: bool = False
    """Whether its package registers the provider."""
    adds_clusters: bool = False
    """Whether it may know several clusters, which its configure tool adds and removes."""
    others: tuple[str, ...] = ()


class ClientSdk(_sdk.ClientSdk, ABC):
    """What the control node knows beside it. ``program`` is there where the SDK is installed, ``importer`` makes
    containers.
    """

    parts: tuple[Part, ...]
    program: str
    importer: str
    registers: bool
    """Whether its providers can be registered without its installer."""

    makes_one_file: bool
    """Whether each container that it makes is one new file, so that it is known without the provider's listing."""

    def sets(self, setting: Setting) -> bool:
        """Whether one of its configure tools has it."""
        return any(setting in part.settings for part in self.parts)

    @abstractmethod
    def provider_steps(self, timeout: int) -> list[Step]:
        """Lists the providers that are registered."""

    @abstractmethod
    def read_providers(self, results: Sequence[Result]) -> frozenset[str] | None:
        """CloudHSM's providers in the answers to ``provider_steps``; None where they could not be listed."""

    @abstractmethod
    def missing_providers(self, registered: frozenset[str], wanted: str = "") -> tuple[str, ...]:
        """The providers that should be registered beside these. ``wanted``: the name that containers are opened
        by, which is looked up as it stands.
        """

    def reach_steps(self, cluster_id: str, timeout: int) -> list[Step]:
        """Asks the cluster for something that needs no login; none where its tools cannot."""
        return []

    def known_faults(self, versions: Mapping[str, str]) -> tuple[str, ...]:
        """Warnings for versions (program -> version) with known faults on this collection's path."""
        return ()

    @abstractmethod
    def check_ready(self, version: str, service: ServiceResult | None, handles: Handles) -> None:
        """BrokenLink for what makes an import pointless from the start."""

    @abstractmethod
    def needs_lookup(self, key: WantedKey, handles: Handles) -> bool:
        """Whether handles must be looked up before the import."""

    def lookup_steps(self, key: WantedKey, asking: Lookup) -> tuple[list[Step], Mapping[str, str]]:
        """The steps that look for the handles, with their secrets, as far as they can go along with others."""
        return [], {}

    @abstractmethod
    def looked_up(
        self, key: WantedKey, asking: Lookup, results: Sequence[Result], host: Transport
    ) -> Handles:
        """The handles, from the results of ``lookup_steps`` or by calls of its own."""

    def user_steps(self, asking: Lookup) -> list[Step]:
        """Asks for the crypto user, without a login; none where its tools cannot."""
        return []

    def is_locked(self, results: Sequence[Result], user: str) -> bool:
        """Whether the answers that begin with those to ``user_steps`` say that the user is locked."""
        return False

    @abstractmethod
    def import_step(self, key: WantedKey, handles: Handles, asking: Lookup) -> Run:
        """Makes the container."""

    @abstractmethod
    def read_import(self, ran: RunResult) -> None:
        """BrokenLink unless the import tool reported success."""

    def check_import(self, result: Result, timeout: int) -> None:
        """BrokenLink unless the step of ``import_step`` made a container."""
        try:
            ran = key_lookup.checked_run(result, self.importer)
        except NotInstalledError as error:
            advice = "Install the client again (the role cloudhsm.codesign.client does)."
            raise NotInstalledError("client", f"{self.importer} is not there any more.", advice) from error
        if ran.timed_out:
            problem = f"{self.importer} did not end within {timeout} seconds."
            raise UnreachableError("cluster", problem, cloudhsm_cli.CONNECTION_ADVICE)
        self.read_import(ran)


def _read_sdk3(content: bytes) -> ClientConfig:
    address = read_sdk3_address(content)
    return ClientConfig((ClusterConfig((address,) if address else ()),))


class Sdk3(_sdk.Sdk3, ClientSdk):
    # Its tool takes one HSM, and the daemon asks that one for the others.
    parts = (
        Part(
            "client",
            configure.CONFIGURE_SDK3,
            configure.SDK3_FILE,
            _read_sdk3,
            (Setting.ADDRESSES,),
            1,
            others=(import_key.PROGRAM, *ksp_config.PROGRAMS.values()),
        ),
    )
    program = import_key.PROGRAM
    importer = "import_key"
    registers = True
    makes_one_file = False

    def provider_steps(self, timeout: int) -> list[Step]:
        return [
            Run(program, ksp_config.enum_argv(), timeout=timeout) for program in ksp_config.PROGRAMS.values()
        ]

    def read_providers(self, results: Sequence[Result]) -> frozenset[str] | None:
        ran = [result for result in results if isinstance(result, RunResult) and not result.timed_out]
        return frozenset().union(*(ksp_config.parse_enum(result.stdout) for result in ran)) if ran else None

    def missing_providers(self, registered: frozenset[str], wanted: str = "") -> tuple[str, ...]:
        return tuple(name for name in ksp_config.PROGRAMS if name not in registered)

    def check_ready(self, version: str, service: ServiceResult | None, handles: Handles) -> None:
        if service is None or service.status != "Running":
            there = service is not None and service.exists
            state = f"is {service.status.lower()}" if service and there else "is not installed"
            problem = f"The service {self.service} {state}: the provider and import_key need it."
            raise ServiceStoppedError("service", problem, "Start it (win_cloudhsm_client does).")
        if (handles[0] is None) != (handles[1] is None):
            problem = "Client SDK 3 needs the handles of both keys."
            raise BrokenLink("argument", problem, "Give private_handle and public_handle, or neither.")

    def needs_lookup(self, key: WantedKey, handles: Handles) -> bool:
        """import_key takes nothing but handles."""
        return None in handles

    def lookup_steps(self, key: WantedKey, asking: Lookup) -> tuple[list[Step], Mapping[str, str]]:
        return kmu_backend.find_handles_steps(key, asking)

    def looked_up(
        self, key: WantedKey, asking: Lookup, results: Sequence[Result], host: Transport
    ) -> Handles:
        found = kmu_backend.read_handles(results, asking)
        return only_private(found.private, found.public, key), only_public(found.public, "required", key)

    def import_step(self, key: WantedKey, handles: Handles, asking: Lookup) -> Run:
        private, public = handles
        if private is None or public is None:
            raise ValueError("import_key needs both handles")
        return Run(
            import_key.PROGRAM,
            import_key.from_hsm(private, public),
            secret_environment=asking.user.environment(self.name),
            timeout=asking.timeout,
            changes=True,
        )

    def read_import(self, ran: RunResult) -> None:
        import_key.parse(ran.stdout, ran.stderr, ran.exit_code)


_SDK5_SETTINGS = tuple(setting for setting in Setting if setting is not Setting.SDK3_MODE)


class Sdk5(_sdk.Sdk5, ClientSdk):
    parts = (
        Part(
            "cli",
            (configure.CONFIGURE_CLI,),
            configure.CLI_FILE,
            read_sdk5,
            _SDK5_SETTINGS,
            adds_clusters=True,
            others=(cloudhsm_cli.WINDOWS_PROGRAM,),
        ),
        Part("ksp", (configure.CONFIGURE_KSP,), configure.KSP_FILE, read_sdk5, tuple(Setting), None, True),
    )
    program = cloudhsm_cli.WINDOWS_PROGRAM
    importer = "cloudhsm-cli"
    registers = False
    makes_one_file = True

    def provider_steps(self, timeout: int) -> list[Step]:
        return [Run(certutil.PROGRAM, certutil.csplist_argv(), timeout=timeout)]

    def read_providers(self, results: Sequence[Result]) -> frozenset[str] | None:
        (result,) = results
        if not isinstance(result, RunResult) or not result.ok:
            return None
        try:
            listing = certutil.parse_csplist(result.stdout)
        except certutil.ParseError:
            return None
        return frozenset(name for name in (ksp_config.KSP, ksp_config.SDK5_KSP) if listing.find(name))

    def missing_providers(self, registered: frozenset[str], wanted: str = "") -> tuple[str, ...]:
        """It has one, under either of its names; any of them will do where none is wanted."""
        there = {name.lower() for name in registered}
        names = [name for name in (ksp_config.KSP, ksp_config.SDK5_KSP) if name.lower() == wanted.lower()]
        if names:
            return () if wanted.lower() in there else tuple(names)
        return () if registered else (ksp_config.SDK5_KSP,)

    def reach_steps(self, cluster_id: str, timeout: int) -> list[Step]:
        return [Run(self.program, cloudhsm_cli.user_list(cluster_id), timeout=timeout)]

    def known_faults(self, versions: Mapping[str, str]) -> tuple[str, ...]:
        warnings = []
        for part, text in versions.items():
            if version_of(text) == OTHER_NAME:
                warnings.append(
                    f"Version {text} of {part} names the container's file otherwise than the container ('Container name inconsistent'): "
                    "update it to 5.16.1 or newer."
                )
        return tuple(warnings)

    def check_ready(self, version: str, service: ServiceResult | None, handles: Handles) -> None:
        """cloudhsm-cli may be too old to write key reference files."""
        numbers = version_of(version)
        if numbers and numbers < cloudhsm_cli.OLDEST_WITH_KEY_REFERENCES:
            problem = f"cloudhsm-cli {version} cannot make key containers: it does not know the encoding ksp-key-reference."
            raise OutdatedError("client", problem, "Update Client SDK 5 to 5.16.1 or newer.")

    def needs_lookup(self, key: WantedKey, handles: Handles) -> bool:
        """cloudhsm-cli finds an RSA key by its modulus."""
        return handles[0] is None and not key.is_rsa

    def looked_up(
        self, key: WantedKey, asking: Lookup, results: Sequence[Result], host: Transport
    ) -> Handles:
        keys = cli_backend.list_keys(host, key, asking)
        return judge_pair(key, keys, "ignored").private.handle, None

    def user_steps(self, asking: Lookup) -> list[Step]:
        return [cli_backend.user_step(asking)]

    def is_locked(self, results: Sequence[Result], user: str) -> bool:
        return cli_backend.is_locked(results[0], user)

    def import_step(self, key: WantedKey, handles: Handles, asking: Lookup) -> Run:
        private = handles[0]
        # A filter is a key reference or attributes: no source shows both in one.
        which = (
            (cloudhsm_cli.class_filter("private"), cloudhsm_cli.modulus_filter(key.modulus))
            if private is None
            else (cloudhsm_cli.reference_filter(private),)
        )
        return Run(
            self.program,
            cloudhsm_cli.generate_file(which, asking.cluster_id),
            environment=dict(cloudhsm_cli.ROLE_ENVIRONMENT),
            secret_environment=asking.user.environment(self.name),
            timeout=asking.timeout,
            changes=True,
        )

    def read_import(self, ran: RunResult) -> None:
        cloudhsm_cli.parse_generate_file(
            cli_backend.utf8(ran.stdout_bytes), cli_backend.utf8(ran.stderr_bytes), ran.exit_code
        )


SDK3, SDK5 = Sdk3(), Sdk5()
SDKS: tuple[ClientSdk, ...] = (SDK5, SDK3)
"""The newest first."""


def meant(client_sdk: str) -> tuple[ClientSdk, ...]:
    """Those that the option stands for."""
    return _sdk.meant(client_sdk, SDKS)


_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def version_of(text: str) -> tuple[int, ...]:
    """Three numbers of a version; () for a text that is none and for a file without a version."""
    match = _VERSION.match(text)
    numbers = tuple(int(group or 0) for group in match.groups()) if match else ()
    return numbers if any(numbers) else ()
