# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CloudHSM client of a host: what is installed, how it is configured, whether it reaches the HSMs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any, Literal, Mapping, Sequence

from ...module_utils._certificate import pem_certificates
from ...module_utils._findings import BrokenLink, found
from ...module_utils._results import (
    ConnectResult,
    Failure,
    FileContent,
    Result,
    RunResult,
    ServiceResult,
    VersionResult,
)
from ...module_utils._sdk import AUTO, choose
from ...module_utils._steps import (
    Connect,
    ListFolder,
    ReadFile,
    Run,
    Service,
    Step,
    Version,
)
from ...module_utils._tools import configure
from .._formats import codes as hresult
from .._formats.client_config import ClientConfig, ClusterConfig, ConfigError
from .._key import access
from .._sdk import SDKS, ClientSdk, Part, Setting, meant, version_of
from .._store import entry as store_entry
from . import lookups, tls

PORT = 2223
"""Every HSM listens here."""


@dataclass(frozen=True)
class Wanted:
    """What is empty or None is not compared."""

    client_sdk: str = AUTO
    hsm_addresses: tuple[str, ...] = ()
    hsm_type: str | None = None
    customer_ca: bytes = b""
    key_availability_check: bool | None = None
    key_access: str = AUTO
    switch_key_access: bool = False
    check_connection: bool = True
    timeout: int = 60
    provider: str = ""
    minimum_version: str = ""
    configuration_folder: str = ""
    cluster_id: str = ""
    idle_service: Literal["leave", "disabled"] = "leave"
    tls: tls.Wanted = tls.UNASKED
    retry_mode: str = ""
    log_type: str = ""
    log_folder: str = ""
    log_level: str = ""
    log_rotation: str = ""
    ask_aws: bool = False
    """Whether the configure tools ask AWS for the addresses of ``cluster_id``, in ``region``."""
    region: str = ""
    usual_provider: bool = False
    """Whether a provider that is not named is the one that certificates are usually tied by. Else any will do."""
    lookups: lookups.Wanted = ()

    def asks_aws(self, part: Part) -> bool:
        """Whether a part's configure tool asks AWS for the addresses: where a part knows several clusters, its own has
        to have its id as well, which the tool writes only then.
        """
        return self.ask_aws or (part.adds_clusters and any(one.present for one in self.lookups))

    @property
    def hsms(self) -> int:
        """How many HSMs the addresses are of: one may be given by its IPv4 and its IPv6 address."""
        newer = sum(":" in address for address in self.hsm_addresses)
        return max(newer, len(self.hsm_addresses) - newer)

    @property
    def sdk3_compatibility_mode(self) -> bool:
        """What the provider of Client SDK 5 needs, once ``settled``."""
        return self.key_access != "direct"

    @property
    def key_availability(self) -> bool | None:
        """As wanted, else by the number of HSMs: a key can only be on two of them where there are two."""
        if self.key_availability_check is None and self.hsm_addresses:
            return self.hsms > 1
        return self.key_availability_check

    def value(self, part: Part, setting: Setting) -> str:
        """What a setting of one value should be for a part; "" where nothing is wanted."""
        match setting:
            case Setting.RETRY_MODE:
                return self.retry_mode
            case Setting.LOG_TYPE:
                return self.log_type
            case Setting.LOG_FILE:
                # Each part has a file of its own, named as the tools name it.
                return f"{self.log_folder}\\cloudhsm-{part.name}.log" if self.log_folder else ""
            case Setting.LOG_LEVEL:
                return self.log_level
            case Setting.LOG_ROTATION:
                return self.log_rotation
        raise ValueError(f"{setting} has no value of its own")


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted state from a module's arguments. Raises BrokenLink for addresses and certificates that are
    none.
    """
    addresses: list[str] = []
    for address in params.get("hsm_addresses") or []:
        try:
            addresses.append(str(ipaddress.ip_address(str(address).strip())))
        except ValueError as error:
            advice = (
                "Give the addresses of the HSMs' network interfaces, as cloudhsm_cluster_info returns them."
            )
            raise BrokenLink("argument", f"'{address}' in hsm_addresses is no IP address.", advice) from error
    customer_ca = str(params.get("customer_ca") or "")
    if customer_ca and len(pem_certificates(customer_ca.encode("utf-8"))) != 1:
        raise BrokenLink(
            "argument",
            "customer_ca is not one certificate in PEM form.",
            "Give the content of customerCA.crt, BEGIN and END lines included.",
        )
    return Wanted(
        str(params.get("client_sdk") or AUTO),
        tuple(dict.fromkeys(addresses)),
        params.get("hsm_type"),
        f"{customer_ca.strip()}\n".replace("\r\n", "\n").encode("utf-8") if customer_ca else b"",
        params.get("key_availability_check"),
        str(params.get("key_access") or AUTO),
        bool(params.get("switch_key_access")),
        bool(params.get("check_connection", True)),
        int(params.get("timeout") or 60),
        str(params.get("provider") or ""),
        _minimum(str(params.get("minimum_version") or "")),
        str(params.get("configuration_folder") or "").rstrip("\\"),
        str(params.get("cluster_id") or ""),
        "disabled" if params.get("idle_service") == "disabled" else "leave",
        tls.wanted(params),
        str(params.get("retry_mode") or ""),
        str(params.get("log_type") or ""),
        str(params.get("log_folder") or "").rstrip("\\"),
        str(params.get("log_level") or ""),
        str(params.get("log_rotation") or ""),
        bool(params.get("ask_aws")),
        str(params.get("region") or ""),
        lookups=lookups.wanted(params, str(params.get("cluster_id") or "")),
    )


def _minimum(text: str) -> str:
    if text and not version_of(text):
        raise BrokenLink(
            "argument", f"'{text}' in minimum_version is no version.", "Give it as 5.18.0, for example."
        )
    return text


@dataclass(frozen=True)
class Component:
    """What is there of a part of the client.

    ``program`` is its configure tool, "" where it is not installed; ``content`` is None where there is no
    file yet. ``lacking`` are the other programs of its package that are not there.
    """

    part: Part
    program: str = ""
    version: str = ""
    file: str = ""
    content: bytes | None = None
    config: ClientConfig | None = None
    problem: str = ""
    lacking: tuple[str, ...] = ()

    def cluster(self, addresses: Sequence[str], cluster_id: str = "") -> ClusterConfig:
        """The configuration of the cluster that is meant; an empty one where the file has none."""
        index = self.config.cluster_of(addresses, cluster_id) if self.config else None
        return self.config.clusters[index] if self.config and index is not None else ClusterConfig()

    def others(self, addresses: Sequence[str], cluster_id: str = "") -> tuple[ClusterConfig, ...]:
        """The clusters of the file beside the one that is meant."""
        index = self.config.cluster_of(addresses, cluster_id) if self.config else None
        clusters = self.config.clusters if self.config else ()
        return tuple(cluster for number, cluster in enumerate(clusters) if number != index)


@dataclass(frozen=True)
class Connection:
    address: str
    reachable: bool
    error: str = ""


@dataclass(frozen=True)
class Seen:
    """``sdk`` is None where none is installed; ``providers`` None where they could not be listed.
    ``idle_service`` is the daemon of a client SDK that is not the one in use, None where there is none.
    """

    sdk: ClientSdk | None = None
    components: tuple[Component, ...] = ()
    customer_ca: bytes | None = None
    service: ServiceResult | None = None
    providers: frozenset[str] | None = None
    connections: tuple[Connection, ...] = field(default=(), compare=False)
    """Not compared: whether an HSM answers now is no state of the host."""
    idle_service: ServiceResult | None = None
    tls: tls.Seen = tls.UNSEEN
    unlisted: str = field(default="", compare=False)
    """Why the providers could not be listed."""
    reached: bool = field(default=False, compare=False)
    """Whether the client was seen to reach the cluster though its configuration file was not found."""
    uses: tuple[access.Use, ...] = field(default=(), compare=False)
    """What the certificates of the machine are tied to."""
    lookups: lookups.Seen = lookups.UNSEEN

    @property
    def missing(self) -> tuple[str, ...]:
        """The components that are not installed."""
        return tuple(component.part.name for component in self.components if not component.program)

    @property
    def compatibility_mode(self) -> bool | None:
        """Whether the provider is in SDK 3 compatibility mode; None where its configuration does not say so."""
        files = [one.config for one in self.components if Setting.SDK3_MODE in one.part.settings]
        return next((config.sdk3_compatibility_mode for config in files if config), None)

    def as_dict(self, want: Wanted) -> dict[str, Any]:
        """For a module's result and its diff."""
        return {
            "client_sdk": self.sdk.name if self.sdk else None,
            "components": [_component_dict(component, want) for component in self.components],
            "customer_ca": None
            if self.customer_ca is None
            else self.customer_ca.decode("ascii", "replace").replace("\r\n", "\n").strip(),
            "service": _service_dict(self.service),
            "idle_service": _service_dict(self.idle_service),
            "tls": tls.as_dict(want.tls, self.tls),
            "providers": None if self.providers is None else sorted(self.providers),
        }


def _service_dict(service: ServiceResult | None) -> dict[str, str] | None:
    return None if service is None else {"status": service.status, "start_type": service.start_type}


def _component_dict(component: Component, want: Wanted) -> dict[str, Any]:
    cluster = component.cluster(want.hsm_addresses, want.cluster_id)
    config = component.config or ClientConfig()
    return {
        "name": component.part.name,
        "installed": bool(component.program),
        "version": component.version,
        "file": component.file,
        "hsm_addresses": list(cluster.addresses),
        "hsm_type": cluster.hsm_type,
        "customer_ca_file": cluster.customer_ca_file,
        "key_availability_check": cluster.key_availability_check
        if component.config and Setting.KEY_AVAILABILITY in component.part.settings
        else None,
        "sdk3_compatibility_mode": config.sdk3_compatibility_mode,
        "clusters": len(config.clusters),
        "cluster_id": cluster.cluster_id or None,
        "lookup_clusters": lookups.as_dicts(
            want.lookups, component.others(want.hsm_addresses, want.cluster_id)
        )
        if component.part.adds_clusters
        else [],
        "tls": cluster.tls if Setting.TLS in component.part.settings else None,
        "retry_mode": config.retry_mode if want.retry_mode else None,
        # What nobody asked for is the tools' own, which nobody can predict.
        "log": {
            "type": config.logging.type if want.log_type else None,
            "file": config.logging.file if want.log_folder else None,
            "level": config.logging.level if want.log_level else None,
            "rotation": config.logging.rotation if want.log_rotation else None,
        },
    }


def observe(want: Wanted) -> list[Step]:
    """One remote call's worth of steps; a tool that is not installed costs nothing."""
    return [step for _name, step in _questions(want)]


def _questions(want: Wanted) -> list[tuple[str, Step]]:
    asked: list[tuple[str, Step]] = [("customer_ca", ReadFile(configure.CUSTOMER_CA))]
    for sdk in meant(want.client_sdk):
        for part in sdk.parts:
            asked += [(f"{part.name} version", Version(program)) for program in part.programs]
            asked += [(f"{part.name} others", Version(program)) for program in part.others]
            folders = (want.configuration_folder,) if want.configuration_folder else configure.FOLDERS
            asked += [(f"{part.name} file", ReadFile(f"{folder}\\{part.file}")) for folder in folders]
        asked += [(_providers(sdk), step) for step in sdk.provider_steps(want.timeout)]
    used = meant(want.client_sdk)
    asked += [(_service(sdk), Service(sdk.service, optional=sdk not in used)) for sdk in SDKS if sdk.service]
    asked += [("tls", step) for step in tls.observe(want.tls)]
    asked += [("lookups", step) for step in lookups.observe(want.lookups)]
    if any(sdk.sets(Setting.SDK3_MODE) for sdk in used):
        asked.append(("containers", ListFolder(access.FOLDER)))
        asked += [("store", step) for step in store_entry.observe(_MACHINE)]
    if want.check_connection:
        asked += [("connect", Connect(address, PORT)) for address in want.hsm_addresses]
    return asked


_MACHINE = store_entry.Wanted()
"""The store whose certificates say how the host's keys are opened: the machine's My."""


def _service(sdk: ClientSdk) -> str:
    return f"service of {sdk.name}"


def _providers(sdk: ClientSdk) -> str:
    return f"providers of {sdk.name}"


def read(want: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    answers: dict[str, list[tuple[Step, Result]]] = {}
    for (name, step), result in zip(_questions(want), results, strict=True):
        answers.setdefault(name, []).append((step, result))
    sdks = {sdk: tuple(_component(part, answers) for part in sdk.parts) for sdk in meant(want.client_sdk)}
    there = [sdk for sdk, components in sdks.items() if any(component.program for component in components)]
    # With nothing installed the parts of the newest are what is missing: it is the one to install, unless
    # another was asked for.
    installed = choose(want.client_sdk, there)
    shown = installed or next(iter(sdks))
    services = {
        sdk: found(result, ServiceResult, "service", f"The service {sdk.service}")
        for sdk in SDKS
        for step, result in answers.get(_service(sdk), [])
        if not (isinstance(step, Service) and step.optional and isinstance(result, Failure))
    }
    idle = [service for sdk, service in services.items() if sdk is not installed and service.exists]
    asked = answers[_providers(shown)]
    listed = shown.read_providers([result for _step, result in asked])
    content = found(answers["customer_ca"][0][1], FileContent, "client", configure.CUSTOMER_CA)
    return Seen(
        installed,
        sdks[shown],
        content.content if content.exists else None,
        services.get(shown),
        listed,
        tuple(_connection(step, result) for step, result in answers.get("connect", [])),
        idle[0] if installed and idle else None,
        tls.read(want.tls, [result for _step, result in answers.get("tls", [])]),
        _why_unlisted(asked) if listed is None else "",
        uses=_uses(answers),
        lookups=lookups.read(want.lookups, [result for _step, result in answers.get("lookups", [])]),
    )


def _why_unlisted(asked: Sequence[tuple[Step, Result]]) -> str:
    for step, result in asked:
        name = step.file.rsplit("\\", 1)[-1] if isinstance(step, Run) else step.op
        if isinstance(result, Failure):
            return f"{name} could not be started: {result.message.rstrip('. ')}"
        if isinstance(result, RunResult) and result.timed_out:
            return f"{name} did not end within {result.milliseconds // 1000} seconds and was stopped"
        if isinstance(result, RunResult) and not result.ok:
            return f"{name} ended with {hresult.describe(result.exit_code)}"
    return "their list cannot be read"


def _uses(answers: Mapping[str, Sequence[tuple[Step, Result]]]) -> tuple[access.Use, ...]:
    if "store" not in answers:
        return ()
    entries = store_entry.read(_MACHINE, [result for _step, result in answers["store"]])
    entries.check()
    listing = answers["containers"][0][1]
    return access.uses(entries, access.containers(listing), access.blank(listing))


def _component(part: Part, answers: Mapping[str, Sequence[tuple[Step, Result]]]) -> Component:
    asked = [
        found(result, VersionResult, "client", step.path)
        for step, result in answers[f"{part.name} version"]
        if isinstance(step, Version)
    ]
    versions = [result for result in asked if result.exists]
    files = [
        (step.path, result) for step, result in answers[f"{part.name} file"] if isinstance(step, ReadFile)
    ]
    there = [
        (path, result.content) for path, result in files if isinstance(result, FileContent) and result.exists
    ]
    path, content = there[0] if there else (files[0][0], None)
    config, problem = None, ""
    if content is not None:
        try:
            config = part.read(content)
        except ConfigError as error:
            problem = str(error)
    else:
        # A file that is there and cannot be read is none that has to be made.
        unread = next(((path, result.message) for path, result in files if isinstance(result, Failure)), None)
        if unread:
            path, problem = unread[0], f"it cannot be read ({unread[1].rstrip('. ')})"
    version = versions[0] if versions else VersionResult(False)
    lacking = tuple(
        step.path
        for step, result in answers.get(f"{part.name} others", [])
        if isinstance(step, Version) and not found(result, VersionResult, "client", step.path).exists
    )
    return Component(
        part,
        version.file,
        version.product_version or version.version,
        path,
        content,
        config,
        problem,
        lacking,
    )


def _connection(step: Step, result: Result) -> Connection:
    address = step.address if isinstance(step, Connect) else ""
    if isinstance(result, ConnectResult):
        return Connection(address, result.reachable, "no answer" if result.timed_out else result.error)
    return Connection(address, False, getattr(result, "message", ""))
