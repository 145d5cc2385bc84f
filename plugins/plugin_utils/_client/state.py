# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CloudHSM client of a host: what is installed, how it is configured, whether it reaches the HSMs; and
what is not as wanted.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Sequence

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
from ...module_utils._steps import (
    Connect,
    ReadFile,
    Run,
    Service,
    Step,
    Version,
)
from ...module_utils._tools import configure
from .._aspect import ANYWHERE, Context
from .._formats.client_config import (
    ClientConfig,
    ClusterConfig,
    ConfigError,
    read_sdk3_address,
    read_sdk5,
)
from .._tools import certutil, ksp_config

PORT = 2223
"""Every HSM listens here."""

ROLE = "Run the role cloudhsm.codesign.client."
MODULE = "Run the module cloudhsm.codesign.win_cloudhsm_client."
REINSTALL = "Install the KSP package of Client SDK 5 again (role cloudhsm.codesign.client): its installer registers the provider."
SDK3_ON_HSM2M = "Client SDK 3 cannot work with a cluster of type hsm2m: AWS supports it on hsm1.medium only."


@dataclass(frozen=True)
class Wanted:
    """What is empty or None is not compared."""

    client_sdk: str = "auto"
    hsm_addresses: tuple[str, ...] = ()
    hsm_type: str | None = None
    customer_ca: bytes = b""
    key_availability_check: bool | None = None
    sdk3_compatibility_mode: bool = True
    check_connection: bool = True
    timeout: int = 60

    @property
    def key_availability(self) -> bool | None:
        """As wanted, else by the number of HSMs: a key can only be on two of them where there are two."""
        if self.key_availability_check is None and self.hsm_addresses:
            return len(self.hsm_addresses) > 1
        return self.key_availability_check


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
    if customer_ca and len(certificates(customer_ca.encode("utf-8"))) != 1:
        raise BrokenLink(
            "argument",
            "customer_ca is not one certificate in PEM form.",
            "Give the content of customerCA.crt, BEGIN and END lines included.",
        )
    return Wanted(
        str(params.get("client_sdk") or "auto"),
        tuple(dict.fromkeys(addresses)),
        params.get("hsm_type"),
        f"{customer_ca.strip()}\n".replace("\r\n", "\n").encode("utf-8") if customer_ca else b"",
        params.get("key_availability_check"),
        bool(params.get("sdk3_compatibility_mode", True)),
        bool(params.get("check_connection", True)),
        int(params.get("timeout") or 60),
    )


def certificates(content: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM text as DER; a block that is no base64 is left out."""
    found = []
    for block in re.findall(
        rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----", content
    ):
        try:
            found.append(base64.b64decode(b"".join(block.split()), validate=True))
        except binascii.Error:
            continue
    return tuple(found)


@dataclass(frozen=True)
class Component:
    """A part of the client with a configuration of its own: ``cli`` and ``ksp`` of SDK 5, ``client`` of SDK
    3.

    ``program`` is its configure tool, "" where it is not installed; ``content`` is None where there is no
    file yet.
    """

    name: str
    program: str = ""
    version: str = ""
    file: str = ""
    content: bytes | None = None
    config: ClientConfig | None = None
    problem: str = ""

    def cluster(self, addresses: Sequence[str]) -> ClusterConfig:
        """The configuration of the cluster that the addresses are of; an empty one where the file has none."""
        index = self.config.cluster_of(addresses) if self.config else None
        return self.config.clusters[index] if self.config and index is not None else ClusterConfig()


@dataclass(frozen=True)
class Connection:
    address: str
    reachable: bool
    error: str = ""


@dataclass(frozen=True)
class Seen:
    """``client_sdk`` is "" where none is installed; ``providers`` None where they could not be listed."""

    client_sdk: str = ""
    components: tuple[Component, ...] = ()
    customer_ca: bytes | None = None
    service: ServiceResult | None = None
    providers: frozenset[str] | None = None
    connections: tuple[Connection, ...] = field(default=(), compare=False)
    """Not compared: whether an HSM answers now is no state of the host."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The components that are not installed."""
        return tuple(component.name for component in self.components if not component.program)

    def as_dict(self, addresses: Sequence[str] = ()) -> dict[str, Any]:
        """For a module's result and its diff."""
        return {
            "client_sdk": self.client_sdk or None,
            "components": [_component_dict(component, addresses) for component in self.components],
            "customer_ca": None
            if self.customer_ca is None
            else self.customer_ca.decode("ascii", "replace").replace("\r\n", "\n").strip(),
            "service": None
            if self.service is None
            else {"status": self.service.status, "start_type": self.service.start_type},
            "providers": None if self.providers is None else sorted(self.providers),
        }


def _component_dict(component: Component, addresses: Sequence[str]) -> dict[str, Any]:
    cluster = component.cluster(addresses)
    return {
        "name": component.name,
        "installed": bool(component.program),
        "version": component.version,
        "file": component.file,
        "hsm_addresses": list(cluster.addresses),
        "hsm_type": cluster.hsm_type,
        "customer_ca_file": cluster.customer_ca_file,
        "key_availability_check": cluster.key_availability_check
        if component.config and component.name != "client"
        else None,
        "sdk3_compatibility_mode": component.config.sdk3_compatibility_mode if component.config else None,
    }


def report(want: Wanted, seen: Seen) -> dict[str, Any]:
    """For a module's result."""
    connections = [asdict(item) for item in seen.connections]
    return {"client": {**seen.as_dict(want.hsm_addresses), "connections": connections}}


# Asking
# ---------------------------------------------------------------------------------------------------------------


def observe(want: Wanted) -> list[Step]:
    """One remote call's worth of steps; a tool that is not installed costs nothing."""
    return [step for _name, step in _questions(want)]


def _questions(want: Wanted) -> list[tuple[str, Step]]:
    asked: list[tuple[str, Step]] = [("customer_ca", ReadFile(configure.CUSTOMER_CA))]
    if want.client_sdk != "3":
        for name, program, file in (
            ("cli", configure.CONFIGURE_CLI, configure.CLI_FILE),
            ("ksp", configure.CONFIGURE_KSP, configure.KSP_FILE),
        ):
            asked += [(f"{name} version", Version(program)), *_files(name, file)]
        asked.append(("csplist", Run(certutil.PROGRAM, certutil.csplist_argv(), timeout=want.timeout)))
    if want.client_sdk != "5":
        asked += [("client version", Version(program)) for program in configure.CONFIGURE_SDK3]
        asked += [*_files("client", configure.SDK3_FILE), ("service", Service(configure.SERVICE))]
        asked += [
            ("enum", Run(program, ksp_config.enum_argv(), timeout=want.timeout))
            for program in ksp_config.PROGRAMS.values()
        ]
    if want.check_connection:
        asked += [("connect", Connect(address, PORT)) for address in want.hsm_addresses]
    return asked


def _files(name: str, file: str) -> list[tuple[str, Step]]:
    return [(f"{name} file", ReadFile(f"{folder}\\{file}")) for folder in configure.FOLDERS]


def read(want: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    answers: dict[str, list[tuple[Step, Result]]] = {}
    for (name, step), result in zip(_questions(want), results, strict=True):
        answers.setdefault(name, []).append((step, result))
    components = {
        name: _component(name, answers) for name in ("cli", "ksp", "client") if f"{name} version" in answers
    }
    sdk5 = tuple(components[name] for name in ("cli", "ksp") if name in components)
    sdk3 = tuple(components[name] for name in ("client",) if name in components)
    sdk = "5" if any(part.program for part in sdk5) else "3" if any(part.program for part in sdk3) else ""
    service = next(
        (
            found(result, ServiceResult, "service", f"The service {configure.SERVICE}")
            for _step, result in answers.get("service", [])
        ),
        None,
    )
    content = found(answers["customer_ca"][0][1], FileContent, "client", configure.CUSTOMER_CA)
    # With nothing installed the parts of SDK 5 are what is missing: it is the one to install, unless SDK 3
    # was asked for.
    of_sdk3 = sdk == "3" or want.client_sdk == "3"
    return Seen(
        sdk,
        sdk3 if of_sdk3 else sdk5,
        content.content if content.exists else None,
        service if of_sdk3 else None,
        _enumerated([result for _step, result in answers["enum"]])
        if of_sdk3
        else _listed(answers["csplist"][0][1]),
        tuple(_connection(step, result) for step, result in answers.get("connect", [])),
    )


def _component(name: str, answers: Mapping[str, Sequence[tuple[Step, Result]]]) -> Component:
    asked = [
        found(result, VersionResult, "client", step.path)
        for step, result in answers[f"{name} version"]
        if isinstance(step, Version)
    ]
    versions = [result for result in asked if result.exists]
    files = [(step.path, result) for step, result in answers[f"{name} file"] if isinstance(step, ReadFile)]
    there = [
        (path, result.content) for path, result in files if isinstance(result, FileContent) and result.exists
    ]
    path, content = there[0] if there else (files[0][0], None)
    config, problem = None, ""
    if content is not None:
        try:
            config = _sdk3_config(content) if name == "client" else read_sdk5(content)
        except ConfigError as error:
            problem = str(error)
    else:
        # A file that is there and cannot be read is none that has to be made.
        unread = next(((path, result.message) for path, result in files if isinstance(result, Failure)), None)
        if unread:
            path, problem = unread[0], f"it cannot be read ({unread[1].rstrip('. ')})"
    version = versions[0] if versions else VersionResult(False)
    return Component(
        name, version.file, version.product_version or version.version, path, content, config, problem
    )


def _sdk3_config(content: bytes) -> ClientConfig:
    address = read_sdk3_address(content)
    return ClientConfig((ClusterConfig((address,) if address else ()),))


def _listed(result: Result) -> frozenset[str] | None:
    """The providers of CloudHSM in certutil's list."""
    if not isinstance(result, RunResult) or not result.ok:
        return None
    try:
        listing = certutil.parse_csplist(result.stdout)
    except certutil.ParseError:
        return None
    return frozenset(name for name in (ksp_config.KSP, ksp_config.SDK5_KSP) if listing.find(name))


def _enumerated(results: Sequence[Result]) -> frozenset[str] | None:
    """The providers that the tools of SDK 3 list."""
    ran = [result for result in results if isinstance(result, RunResult) and not result.timed_out]
    return frozenset().union(*(ksp_config.parse_enum(result.stdout) for result in ran)) if ran else None


def _connection(step: Step, result: Result) -> Connection:
    address = step.address if isinstance(step, Connect) else ""
    if isinstance(result, ConnectResult):
        return Connection(address, result.reachable, "no answer" if result.timed_out else result.error)
    return Connection(address, False, getattr(result, "message", ""))


# Comparing
# ------------------------------------------------------------------------------------------------------------


def drift(want: Wanted, component: Component) -> dict[str, tuple[str, str]]:
    """What differs in one component's configuration: the property's name -> (expected, seen)."""
    cluster = component.cluster(want.hsm_addresses)
    differs: dict[str, tuple[str, str]] = {}
    expected, seen = want.hsm_addresses, cluster.addresses
    if component.name == "client":
        if expected and not (seen and seen[0] in expected):
            differs["HSM addresses"] = (f"one of {', '.join(expected)}", ", ".join(seen) or "none")
        return differs
    if expected and set(expected) != set(seen):
        differs["HSM addresses"] = (", ".join(expected), ", ".join(seen) or "none")
    if want.hsm_type and cluster.hsm_type != want.hsm_type:
        differs["HSM type"] = (want.hsm_type, cluster.hsm_type or "none")
    file = cluster.customer_ca_file
    if want.customer_ca and file and file.lower() != configure.CUSTOMER_CA.lower():
        differs["customer CA file"] = (configure.CUSTOMER_CA, file)
    availability = want.key_availability
    if availability is not None and (
        component.config is None or cluster.key_availability_check != availability
    ):
        differs["key availability check"] = (
            _on(availability),
            "unknown" if component.config is None else _on(cluster.key_availability_check),
        )
    mode = component.config.sdk3_compatibility_mode if component.config else None
    # Off until it is turned on, so that only a wanted "on" needs the tool where the file does not speak of
    # it.
    if component.name == "ksp" and bool(mode) != want.sdk3_compatibility_mode:
        differs["SDK 3 compatibility mode"] = (
            _on(want.sdk3_compatibility_mode),
            "unknown" if mode is None else _on(mode),
        )
    return differs


def _on(value: bool) -> str:
    return "on" if value else "off"


def customer_ca_differs(want: Wanted, seen: Seen) -> bool:
    """Whether the file holds another certificate than the wanted one; how it is wrapped into lines does not
    matter.
    """
    return bool(want.customer_ca) and certificates(want.customer_ca) != certificates(seen.customer_ca or b"")


def missing_providers(seen: Seen) -> tuple[str, ...]:
    """The providers that are not registered; SDK 5 has one, under either of its names."""
    if seen.providers is None or seen.missing:
        return ()
    if seen.client_sdk == "5":
        return () if seen.providers else (ksp_config.SDK5_KSP,)
    return tuple(name for name in ksp_config.PROGRAMS if name not in seen.providers)


def compare(want: Wanted, seen: Seen, _context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted, in the order of the chain."""
    sdk = seen.client_sdk or want.client_sdk
    findings: list[Finding] = []
    if want.hsm_type == "hsm2m" and sdk == "3":
        findings.append(
            Finding(
                "client",
                "client SDK",
                "5",
                "3",
                f"{SDK3_ON_HSM2M} Install Client SDK 5 (role cloudhsm.codesign.client).",
            )
        )
    for component in seen.components:
        what = f"CloudHSM client ({component.name})"
        if not component.program:
            findings.append(Finding("client", what, "installed", "not installed", ROLE))
        elif component.problem:
            said = f"{component.file} cannot be read as a configuration file: {component.problem}"
            findings.append(
                Finding(
                    "client",
                    component.file,
                    "a configuration file",
                    component.problem,
                    _move_away(component),
                    said=said,
                )
            )
        else:
            for name, (expected, found) in drift(want, component).items():
                # Nothing can be said where the file does not speak of it: the tool is run then, but that is
                # no difference yet.
                if (name, found) != ("SDK 3 compatibility mode", "unknown") or component.config is None:
                    findings.append(Finding("client", f"{name} ({component.name})", expected, found, MODULE))
    if customer_ca_differs(want, seen):
        findings.append(
            Finding(
                "client", configure.CUSTOMER_CA, "the cluster's issuing certificate", _ca_seen(seen), MODULE
            )
        )
    if seen.client_sdk == "3":
        findings += _compare_service(seen)
    repair = MODULE if seen.client_sdk == "3" else REINSTALL
    findings += [
        Finding("provider", name, "registered", "not registered", repair) for name in missing_providers(seen)
    ]
    findings += [
        Finding(
            "cluster",
            f"TCP connection to {item.address}:{PORT}",
            "reachable",
            item.error or "not reachable",
            unreachable_advice(),
            said=f"this host cannot reach {item.address} on TCP port {PORT}{f': {item.error}' if item.error else ''}",
        )
        for item in seen.connections
        if not item.reachable
    ]
    return findings


def _compare_service(seen: Seen) -> list[Finding]:
    findings = []
    service = seen.service or ServiceResult(False)
    if service.status != "Running":
        findings.append(
            Finding(
                "service",
                configure.SERVICE,
                "Running",
                service.status or "not installed",
                MODULE if service.exists else ROLE,
            )
        )
    if service.exists and not service.start_type.startswith("Automatic"):
        findings.append(
            Finding("service", f"start type of {configure.SERVICE}", "Automatic", service.start_type, MODULE)
        )
    return findings


def _ca_seen(seen: Seen) -> str:
    return (
        "no such file"
        if seen.customer_ca is None
        else "another certificate"
        if certificates(seen.customer_ca)
        else "no certificate"
    )


def _move_away(component: Component) -> str:
    return f"Move the file away and run the module cloudhsm.codesign.win_cloudhsm_client: it writes a new one ({component.program})."


def unreachable_advice() -> str:
    return (
        f"Make the instance a member of the cluster's own security group (cloudhsm-<cluster id>-sg), which opens TCP {PORT} "
        "between its members, and check the route to the HSM's subnet."
    )
