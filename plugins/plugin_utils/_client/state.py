# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CloudHSM client of a host: what is installed, how it is configured, whether it reaches the HSMs; and
what is not as wanted.
"""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Mapping, Sequence, assert_never

from ...module_utils._certificate import pem_certificates
from ...module_utils._findings import BrokenLink, Finding, found
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
    Transport,
    Version,
    went_well,
)
from ...module_utils._tools import configure
from .._aspect import ANYWHERE, Context
from .._formats import codes as hresult
from .._formats.client_config import ClientConfig, ClusterConfig, ConfigError
from .._key import access
from .._sdk import SDK3, SDKS, ClientSdk, Part, Setting, meant, version_of
from .._store import entry as store_entry
from . import lookups, tls

PORT = 2223
"""Every HSM listens here."""

ROLE = "Run the role cloudhsm.codesign.client."
MODULE = "Run the module cloudhsm.codesign.win_cloudhsm_client."
PROVIDERS = "the list of key storage providers"
UNLISTED = "Run certutil -csplist on the host: a provider of another product that hangs or fails there is to be removed or repaired; then this again."
REINSTALL = "Install the KSP package of Client SDK 5 again (role cloudhsm.codesign.client): its installer registers the provider."
SDK3_ON_HSM2M = "Client SDK 3 cannot work with a cluster of type hsm2m: AWS supports it on hsm1.medium only."


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


def report(want: Wanted, seen: Seen) -> dict[str, Any]:
    """For a module's result."""
    want = settled(want, seen)
    shown = seen.as_dict(want)
    for component, data in zip(seen.components, shown["components"], strict=True):
        data["needs"] = needs(want, seen, component)
    return {
        "client": {
            **shown,
            "key_access": want.key_access,
            "connections": [asdict(item) for item in seen.connections],
        }
    }


def needs(want: Wanted, seen: Seen, component: Component) -> str | None:
    """What its package has to do for a part of the client; None where nothing is to be installed."""
    if not component.program:
        return "install"
    if outdated(want, component):
        return "upgrade"
    if component.lacking or is_service_lost(seen):
        return "reinstall"
    lost = bool(missing_providers(want, seen)) and not seen.providers
    if lost and component.part.brings_provider and not (seen.sdk and seen.sdk.registers):
        return "reinstall"
    return None


def is_service_lost(seen: Seen) -> bool:
    """Whether the client is there and its service is not, which only its installer makes."""
    return seen.sdk is not None and bool(seen.sdk.service) and not (seen.service and seen.service.exists)


def outdated(want: Wanted, component: Component) -> bool:
    """Whether a part is older than wanted. A number that is none of its client SDK's says nothing."""
    version, oldest = version_of(component.version), version_of(want.minimum_version)
    return bool(version and oldest) and version[0] == oldest[0] and version < oldest


# Asking
# ---------------------------------------------------------------------------------------------------------------


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


# Comparing
# ------------------------------------------------------------------------------------------------------------


def settled(want: Wanted, seen: Seen) -> Wanted:
    """``want`` with the way to the keys and the provider's name that it leaves to the host."""
    sdk = seen.sdk or meant(want.client_sdk)[0]
    # That a client cannot go the wanted way is said for itself.
    wanted = "reference" if direct_in_sdk3(want, seen) else want.key_access
    way = access.settle(wanted, sdk.sets(Setting.SDK3_MODE), seen.uses, seen.compatibility_mode)
    usual = access.usual_provider(way) if want.usual_provider else ""
    return replace(want, key_access=way, provider=want.provider or usual)


def drift(want: Wanted, component: Component) -> dict[Setting, tuple[str, str]]:
    """What differs in one component's configuration: setting -> (expected, seen)."""
    wished = ((setting, _differs(want, component, setting)) for setting in component.part.settings)
    return {setting: differs for setting, differs in wished if differs}


def _differs(want: Wanted, component: Component, setting: Setting) -> tuple[str, str] | None:
    cluster, config = component.cluster(want.hsm_addresses, want.cluster_id), component.config
    match setting:
        case Setting.ADDRESSES:
            expected, seen = want.hsm_addresses, cluster.addresses
            if want.asks_aws(component.part) and not want.ask_aws:
                if cluster.cluster_id.lower() != want.cluster_id.lower() or not seen:
                    return f"those of {want.cluster_id}", cluster.cluster_id or "those of no id"
                # AWS knows them all, the variables perhaps one.
                return None if set(expected) <= set(seen) else (", ".join(expected), ", ".join(seen))
            if want.ask_aws and not expected:
                other = bool(cluster.cluster_id) and cluster.cluster_id.lower() != want.cluster_id.lower()
                there = cluster.cluster_id if other else "none"
                return (f"those of {want.cluster_id}", there) if other or not seen else None
            one = component.part.most == 1
            as_wanted = bool(seen) and seen[0] in expected if one else set(expected) == set(seen)
            if expected and not as_wanted:
                return ("one of " if one else "") + ", ".join(expected), ", ".join(seen) or "none"
        case Setting.HSM_TYPE:
            if want.hsm_type and cluster.hsm_type != want.hsm_type:
                return want.hsm_type, cluster.hsm_type or "none"
        case Setting.CUSTOMER_CA:
            file = cluster.customer_ca_file
            if want.customer_ca and file and file.lower() != configure.CUSTOMER_CA.lower():
                return configure.CUSTOMER_CA, file
        case Setting.KEY_AVAILABILITY:
            wish = want.key_availability
            if wish is not None and (config is None or cluster.key_availability_check != wish):
                return _on(wish), _on(cluster.key_availability_check if config else None)
        case Setting.SDK3_MODE:
            mode = config.sdk3_compatibility_mode if config else None
            if mode is not want.sdk3_compatibility_mode:
                return _on(want.sdk3_compatibility_mode), _on(mode)
        case Setting.TLS:
            if want.tls.state == "present" and not cluster.tls:
                return configure.TLS_CERTIFICATE, "none"
        case (
            Setting.RETRY_MODE
            | Setting.LOG_TYPE
            | Setting.LOG_FILE
            | Setting.LOG_LEVEL
            | Setting.LOG_ROTATION
        ):
            named, value = want.value(component.part, setting), _value(config, setting)
            if named and named.lower() != (value or "").lower():
                return named, value or "unknown"
        case _:
            assert_never(setting)
    return None


def _value(config: ClientConfig | None, setting: Setting) -> str | None:
    """What the file says of a setting of one value; None where it says nothing of it."""
    if config is None:
        return None
    log = config.logging
    return {
        Setting.RETRY_MODE: config.retry_mode,
        Setting.LOG_TYPE: log.type,
        Setting.LOG_FILE: log.file,
        Setting.LOG_LEVEL: log.level,
        Setting.LOG_ROTATION: log.rotation,
    }[setting]


def _on(value: bool | None) -> str:
    return "unknown" if value is None else "on" if value else "off"


def customer_ca_differs(want: Wanted, seen: Seen) -> bool:
    """Whether the file holds another certificate than the wanted one; how it is wrapped into lines does not
    matter.
    """
    there = pem_certificates(seen.customer_ca or b"")
    return bool(want.customer_ca) and pem_certificates(want.customer_ca) != there


def missing_providers(want: Wanted, seen: Seen) -> tuple[str, ...]:
    """The providers that are not registered, where the client is there as a whole and they could be listed."""
    if seen.sdk is None or seen.providers is None or seen.missing:
        return ()
    return seen.sdk.missing_providers(seen.providers, want.provider)


def direct_in_sdk3(want: Wanted, seen: Seen) -> bool:
    """Whether keys are to be opened directly by a client that cannot."""
    sdk = seen.sdk or meant(want.client_sdk)[0]
    return want.key_access == "direct" and not sdk.sets(Setting.SDK3_MODE)


def hindering(want: Wanted, seen: Seen) -> tuple[access.Use, ...]:
    """The certificates that stand against the wanted way to the keys, unless it was asked for in spite of them."""
    way: access.Access = "reference" if want.sdk3_compatibility_mode else "direct"
    return () if want.switch_key_access else access.hindering(way, seen.uses, seen.compatibility_mode)


def switch_refused(want: Wanted, uses: Sequence[access.Use]) -> tuple[str, str]:
    """Why the mode is not changed under certificates, and what is to be done."""
    turned, there, how = (
        ("on", "direct", "directly by their names")
        if want.sdk3_compatibility_mode
        else ("off", "reference", "by key reference files")
    )
    problem = (
        f"The SDK 3 compatibility mode of the provider would be turned {turned}, and certificates whose keys are opened {how} "
        f"could not sign any more: {access.named(uses)}."
    )
    advice = (
        f"Leave key_access at {there}, or set switch_key_access to true: the role key_container then ties the certificates "
        "of the host's identities anew, and no others."
    )
    return problem, advice


def unfit_sdk(want: Wanted, seen: Seen) -> ClientSdk | None:
    """The installed or else the wanted client SDK, where it does not work with the cluster's type."""
    named = meant(want.client_sdk)
    sdk = seen.sdk or (named[0] if len(named) == 1 else None)
    return sdk if sdk and want.hsm_type and want.hsm_type not in sdk.hsm_types else None


def compare(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted."""
    return [*compare_client(want, seen, context), *compare_connections(seen)]


def is_unlisted(seen: Seen) -> bool:
    """Whether the client is there, and what it registered is not known."""
    return seen.sdk is not None and seen.providers is None and not seen.missing


def compare_client(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted of the host itself."""
    return [*compare_known(want, seen, context), *_compare_listing(seen)]


def _compare_listing(seen: Seen) -> list[Finding]:
    """That nobody can say what the client registered."""
    if not is_unlisted(seen):
        return []
    sentence = f"the key storage providers of this host could not be listed: {seen.unlisted}"
    return [Finding("provider", PROVIDERS, "listed", seen.unlisted, UNLISTED, sentence=sentence)]


def compare_known(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted of what could be seen of the host: it can be configured though its providers cannot be
    listed, which is said beside it.
    """
    findings: list[Finding] = []
    if direct_in_sdk3(want, seen):
        why = access.direct_in_sdk3()
        sentence = why.problem
        findings.append(Finding("client", "key access", "direct", "reference", why.advice, sentence=sentence))
    want = settled(want, seen)
    unfit = unfit_sdk(want, seen)
    if unfit:
        fit = ", ".join(sdk.name for sdk in SDKS if want.hsm_type in sdk.hsm_types)
        advice = f"{SDK3_ON_HSM2M} Install Client SDK {fit} (role cloudhsm.codesign.client)."
        findings.append(Finding("client", "client SDK", fit, unfit.name, advice))
    for component in seen.components:
        findings += _compare_component(want, seen, component)
    if customer_ca_differs(want, seen):
        wish = "the cluster's issuing certificate"
        findings.append(Finding("client", configure.CUSTOMER_CA, wish, _ca_seen(seen), MODULE))
    if seen.sdk and seen.sdk.service:
        findings += _compare_service(seen.sdk.service, seen.service or ServiceResult(False))
    findings += _compare_idle_service(want, seen)
    findings += tls.compare(want.tls, seen.tls, context)
    other, advice = provider_advice(want, seen)
    for name in missing_providers(want, seen):
        findings.append(Finding("provider", name, "registered", f"not registered{other}", advice))
    return findings


def provider_advice(want: Wanted, seen: Seen) -> tuple[str, str]:
    """What else is registered, and what is to be done about a provider that is not."""
    if seen.sdk and seen.sdk.registers:
        return "", MODULE
    if not seen.providers:
        return "", REINSTALL
    others = " and ".join(sorted(seen.providers))
    return f" ({others} is)", f"Set the provider (codesign_provider) to {others}. {REINSTALL}"


def _compare_idle_service(want: Wanted, seen: Seen) -> list[Finding]:
    """The daemon of SDK 3 beside SDK 5: nothing there needs it."""
    service = seen.idle_service
    if service is None or (service.status == "Stopped" and service.start_type == "Disabled"):
        return []
    if want.idle_service == "disabled":
        state = f"{service.status}, {service.start_type}"
        return [Finding("service", SDK3.service, "Stopped, Disabled", state, MODULE)]
    if service.status != "Running":
        return []
    sentence = f"the daemon of Client SDK 3 ({SDK3.service}) runs beside Client SDK 5, which does not need it"
    advice = "Set idle_service of cloudhsm.codesign.win_cloudhsm_client (codesign_client_idle_service) to disabled, or remove Client SDK 3."
    return [
        Finding(
            "service", SDK3.service, "Stopped", service.status, advice, sentence=sentence, severity="notice"
        )
    ]


def unfound(seen: Seen) -> tuple[Component, ...]:
    """The installed parts whose configuration files were found nowhere. Where that of one part is in a known folder, they all
    belong there: one that is not is missing.
    """
    there = [one for one in seen.components if one.program]
    lost = tuple(one for one in there if one.content is None and not one.problem)
    return lost if len(lost) == len(there) else ()


def with_reach(host: Transport, want: Wanted, seen: Seen) -> Seen:
    """``seen``, and whether the client reaches the cluster where a part's file was found nowhere: one more call
    there, in which nothing logs in.
    """
    steps = seen.sdk.reach_steps(want.cluster_id, want.timeout) if seen.sdk and unfound(seen) else []
    return replace(seen, reached=all(map(went_well, host.run(steps).results))) if steps else seen


def _compare_component(want: Wanted, seen: Seen, component: Component) -> list[Finding]:
    name, config, problem = component.part.name, component.config, component.problem
    if not component.program:
        return [Finding("client", f"CloudHSM client ({name})", "installed", "not installed", ROLE)]
    if problem:
        sentence = f"{component.file} cannot be read as a configuration file: {problem}"
        advice = f"Move the file away and run the module cloudhsm.codesign.win_cloudhsm_client: it writes a new one ({component.program})."
        return [Finding("client", component.file, "a configuration file", problem, advice, sentence=sentence)]
    findings = [Finding("client", one, "installed", "missing", ROLE) for one in component.lacking]
    if outdated(want, component):
        wish = f"{want.minimum_version} or newer"
        findings.append(
            Finding("client", f"version of the CloudHSM client ({name})", wish, component.version, ROLE)
        )
    if seen.reached and component in unfound(seen):
        sentence = unfound_text(component)
        advice = "Give its folder (configuration_folder, codesign_client_configuration_folder) to have it compared."
        notice = Finding(
            "client", component.part.file, "found", "not found", advice, sentence=sentence, severity="notice"
        )
        return [*findings, notice]
    differs, against = drift(want, component), hindering(want, seen)
    if config and config.sdk3_compatibility_mode is None and not against:
        # Nothing can be said where the file does not speak of it: the tool is run then, but that is no
        # difference yet.
        differs.pop(Setting.SDK3_MODE, None)
    if config and config.retry_mode is None:
        differs.pop(Setting.RETRY_MODE, None)
    if len(config.clusters if config else ()) > 1 and component.part.brings_provider:
        count = f"{len(config.clusters) if config else 0}"
        advice = f"Move {component.file} away and run the module cloudhsm.codesign.win_cloudhsm_client: the provider works with one cluster."
        findings.append(Finding("client", f"clusters in the configuration ({name})", "1", count, advice))
    refused = {Setting.SDK3_MODE: " ".join(switch_refused(want, against))} if against else {}
    findings += [
        Finding("client", f"{setting.value} ({name})", expected, found, refused.get(setting, MODULE))
        for setting, (expected, found) in differs.items()
    ]
    others = component.others(want.hsm_addresses, want.cluster_id)
    further = lookups.compare(want.lookups, seen.lookups, others) if component.part.adds_clusters else []
    return findings + further


def unfound_text(component: Component) -> str:
    """That a configuration is taken as it is."""
    return f"the configuration file {component.part.file} is in none of the folders that are known, and the client reaches the cluster"


def compare_connections(seen: Seen) -> list[Finding]:
    """The HSMs that do not answer: no state of the host, and nothing that a module puts right."""
    findings = []
    for item in (item for item in seen.connections if not item.reachable):
        what, why = f"TCP connection to {item.address}:{PORT}", item.error or "not reachable"
        sentence = f"this host cannot reach {item.address} on TCP port {PORT}{f': {item.error}' if item.error else ''}"
        findings.append(Finding("cluster", what, "reachable", why, unreachable_advice(), sentence=sentence))
    return findings


def _compare_service(name: str, seen: ServiceResult) -> list[Finding]:
    findings = []
    if seen.status != "Running":
        repair = MODULE if seen.exists else ROLE
        findings.append(Finding("service", name, "Running", seen.status or "not installed", repair))
    if seen.exists and not seen.start_type.startswith("Automatic"):
        findings.append(Finding("service", f"start type of {name}", "Automatic", seen.start_type, MODULE))
    return findings


def _ca_seen(seen: Seen) -> str:
    if seen.customer_ca is None:
        return "no such file"
    return "another certificate" if pem_certificates(seen.customer_ca) else "no certificate"


def unreachable_advice() -> str:
    return (
        f"Make the instance a member of the cluster's own security group (cloudhsm-<cluster id>-sg), which opens TCP {PORT} "
        "between its members, and check the route to the HSM's subnet."
    )
