# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet: hosts, an HSM cluster, certificates, a timestamp authority and a web server, made from a
description.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from ..hsm.cluster import WRONG_LOGINS, Cluster, KeyObject
from ..hsm.pki import Issued, Pki, authority, tls_client, tls_server
from ..network import hostile
from ..network.fileserver import FileServer
from ..network.remote import Remote
from ..network.sealing import Door
from ..network.tsa import Tsa
from ..network.wsman import Endpoint
from ..windows import packages
from ..windows.certstore import CertificateStores
from ..windows.host import OEM_CODE_PAGES, Host
from .pace import Pace, UnknownPace
from .record import Record

_REPOSITORY = Path(__file__).resolve().parents[3]
ADMINISTRATOR = "Administrator"
WINRM_CA = "winrm-ca.pem"
LISTENERS: Mapping[str, tuple[str, ...]] = {
    "http": ("Basic",),
    "https": ("Negotiate", "Basic"),
    "sealed": ("Negotiate",),
}
"""How a host can be reached, with the schemes by which clients log on: http is open to the tests alone, https has a certificate of
the lab's CA, sealed takes messages over HTTP that NTLM has encrypted and no others.
"""
CONNECTIONS = ("winrm", "psrp")
STRANGER = "somebody else"
"""Who owns the signing keys while the fault ``key_foreign`` is there"""
FLEET_FAULTS = (
    *("tsa_down", "tsa_slow", "tsa_garbage", "tsa_http_500", "tsa_http_404", "tsa_reject", "tsa_limit"),
    *("user_locked", "hsm_down", "key_unavailable", "key_foreign", "key_twice", "key_label"),
)


class DescriptionError(Exception):
    """A fleet's description cannot be used; the text says what is wrong and where."""


@dataclass(frozen=True)
class HostDescription:
    name: str
    language: str = "en"
    oem_code_page: int | None = None
    client_sdk: int = 5
    powershell: str = "5.1.20348.2849"
    key_access: str = ""
    """What the inventory says of it; nothing where it is empty."""
    faults: tuple[str, ...] = ()
    listener: str = "http"
    """How it is reached (LISTENERS)"""
    connection: str = "winrm"
    """By which of Ansible's connection plug-ins: winrm or psrp"""
    instance_role: bool = False
    """Whether it may ask AWS for the cluster"""
    drives: str = ""
    """Letters of the drives beside C:"""
    users: tuple[tuple[str, str], ...] = ()
    """Local users that are no administrators, with their passwords. A name that ends with $ is a managed service
    account's: nobody knows its password.
    """


@dataclass(frozen=True)
class Description:
    """What a fleet is made of. ``certificates``: signing (one certificate) or all (also the broken kinds)."""

    hosts: tuple[HostDescription, ...]
    hsm_type: str = "hsm1"
    hsms: int = 2
    mutual_tls: bool = False
    other: bool = False
    """Whether there is a second cluster, with a key of the same crypto user"""
    crypto_user: str = "codesigner"
    crypto_password: str = ""
    certificates: str = "signing"
    noise: bool = True
    pace: Mapping[str, float] = field(default_factory=dict)
    """Seconds by kind (lab.control.pace), where something is to be as slow as on real hosts"""
    collections: Path = _REPOSITORY / "build" / "collections"
    script: Path | None = None

    def step_script(self) -> Path | None:
        """The run_steps.ps1 that hosts accept: the one given, else the checkout's."""
        return self.script or _REPOSITORY / "plugins" / "plugin_utils" / "_host" / "run_steps.ps1"


# A mixed fleet: Client SDK 3 works on hsm1 clusters only.
DEMO = Description(
    (
        HostDescription("win-sdk5-a"),
        HostDescription("win-sdk5-de", language="de"),
        HostDescription("win-sdk3", client_sdk=3),
    )
)


def read_description(text: str) -> Description:
    """A description from YAML: ``hosts`` (name -> language, oem_code_page, client_sdk, key_access, powershell, faults,
    listener, connection, instance_role, drives, users), ``cluster`` (hsm_type, hsms, mutual_tls, other), ``crypto_user``, ``certificates``, ``pace``,
    ``collections``, ``run_steps``.
    """
    data = yaml.safe_load(text)
    if not isinstance(data, dict) or not isinstance(data.get("hosts"), dict) or not data["hosts"]:
        raise DescriptionError("a fleet's description needs 'hosts': a mapping of host names")
    _known(
        data,
        {
            "hosts",
            "cluster",
            "crypto_user",
            "crypto_password",
            "certificates",
            "noise",
            "pace",
            "collections",
            "run_steps",
        },
        "the description",
    )
    hosts = []
    for name, fields in data["hosts"].items():
        fields = fields or {}
        _known(
            fields,
            {
                "language",
                "oem_code_page",
                "client_sdk",
                "key_access",
                "powershell",
                "faults",
                "listener",
                "connection",
                "instance_role",
                "drives",
                "users",
            },
            f"the host {name}",
        )
        users = tuple((str(user), str(password)) for user, password in (fields.get("users") or {}).items())
        host = HostDescription(
            str(name), **{**fields, "faults": tuple(fields.get("faults") or ()), "users": users}
        )
        if host.language not in OEM_CODE_PAGES:
            raise DescriptionError(
                f"the host {name} has the language '{host.language}'; the lab knows {', '.join(OEM_CODE_PAGES)}"
            )
        if host.client_sdk not in (3, 5):
            raise DescriptionError(f"the host {name} has client_sdk {host.client_sdk}; it is 3 or 5")
        if host.listener not in LISTENERS or host.connection not in CONNECTIONS:
            raise DescriptionError(
                f"the host {name} has the listener '{host.listener}' and the connection '{host.connection}'; "
                f"there are {', '.join(LISTENERS)} and {', '.join(CONNECTIONS)}"
            )
        if host.connection == "psrp" and host.listener == "http":
            raise DescriptionError(
                f"the host {name} has the connection psrp, which needs the listener https or sealed"
            )
        hosts.append(host)
    cluster = data.get("cluster") or {}
    _known(cluster, {"hsm_type", "hsms", "mutual_tls", "other"}, "the cluster")
    values: dict[str, Any] = {
        key: data[key] for key in ("crypto_user", "crypto_password", "certificates", "noise") if key in data
    }
    if "pace" in data:
        try:
            values["pace"] = Pace(data["pace"]).to_dict()
        except (UnknownPace, AttributeError) as error:
            raise DescriptionError(f"the pace: {error}") from error
    if "collections" in data:
        values["collections"] = Path(data["collections"])
    if "run_steps" in data:
        values["script"] = Path(data["run_steps"])
    return Description(tuple(hosts), **cluster, **values)


def _issue_for_clients(cluster: Cluster, folder: Path) -> None:
    """The cluster lets in clients with a certificate of its own only: here is one, and the one after it."""
    anchor = authority("Lab Client CA", None)
    cluster.trust_anchor = anchor.certificate
    folder.mkdir(parents=True, exist_ok=True)
    for file_name in ("ssl-client", "ssl-client-next"):
        issued = tls_client(anchor, file_name)
        (folder / f"{file_name}.pem").write_text(issued.pem, encoding="ascii")
        (folder / f"{file_name}.key").write_bytes(issued.key_pem)


def _second_cluster(state: Path, description: Description, password: str) -> Cluster:
    """Another cluster of the same account, of the newer type, with a signing key and a customerCA.crt of its own."""
    other = Cluster.create(state / "other", "hsm2m", noise=False, cluster_id="cluster-lab2mhsm2cd", first=101)
    other.add_user(description.crypto_user, password)
    other.generate_rsa("codesign-elsewhere", owner=description.crypto_user)
    (state / "pki" / "otherCA.crt").write_text(other.customer_ca_pem, encoding="ascii")
    return other


def _answers(host: Host, operation: str) -> str:
    """What a host's endpoint answers instead at an operation, "" for nothing."""
    for fault in host.faults.arguments("answers"):
        if hostile.at(fault.partition(":")[0]) == operation:
            return host.faults.take("answers", fault) or ""
    return ""


def _known(data: Mapping[str, Any], names: set[str], where: str) -> None:
    unknown = sorted(set(data) - names)
    if unknown:
        raise DescriptionError(
            f"{where} has the unknown entry '{unknown[0]}'; known are {', '.join(sorted(names))}"
        )


@dataclass
class Member:
    """A host of a running fleet: its endpoint and the password of its administrator."""

    host: Host
    remote: Remote
    endpoint: Endpoint
    password: str


@dataclass
class Fleet:
    """A running fleet. Make one with ``start``."""

    state: Path
    description: Description
    record: Record
    cluster: Cluster
    pki: Pki
    tsa: Tsa
    web: FileServer
    crypto_password: str
    pace: Pace = field(default_factory=Pace)
    members: dict[str, Member] = field(default_factory=dict)
    other: Cluster | None = None
    """The second cluster, where there is one"""
    _listeners: Issued | None = None
    """Who issues the certificates of listeners that have one"""
    _doubled: list[tuple[int, int]] = field(default_factory=list)
    _labels: dict[int, str] = field(default_factory=dict)
    """The signing keys' own labels, while the fault ``key_label`` gives all of them another one (or, without an argument, none)"""

    @classmethod
    def start(cls, description: Description, state: Path) -> Fleet:
        """Starts everything; when it returns, every endpoint answers."""
        state.mkdir(parents=True, exist_ok=True)
        password = description.crypto_password or "Cu-" + secrets.token_urlsafe(12)
        cluster = Cluster.create(state, description.hsm_type, description.hsms, noise=description.noise)
        cluster.add_user(description.crypto_user, password)
        if description.mutual_tls:
            _issue_for_clients(cluster, state / "pki")
        _unused, public = cluster.generate_rsa("codesign-key", owner=description.crypto_user)
        pki = Pki.create()
        if description.certificates == "all":
            _unused, second = cluster.generate_rsa("codesign-second", owner=description.crypto_user)
            _unused, curve = cluster.generate_ec("codesign-ec", owner=description.crypto_user)
            pki.variants(public.public_key, second.public_key, curve.public_key)
        else:
            pki.code_signing("signing", public.public_key)
        pki.write(state / "pki")
        (state / "pki" / "customerCA.crt").write_text(cluster.customer_ca_pem, encoding="ascii")
        web = state / "www"
        web.mkdir(exist_ok=True)
        for package in packages.ALL:
            (web / package.file).write_bytes(package.content())
        pace = Pace(description.pace)
        fleet = cls(
            state,
            description,
            Record(state / "record.jsonl"),
            cluster,
            pki,
            Tsa.start(state, pki, pace),
            FileServer(web),
            password,
            pace,
        )
        if description.other:
            fleet.other = _second_cluster(state, description, password)
        for host in description.hosts:
            fleet._add(host)
        return fleet

    def add(self, wanted: HostDescription) -> Host:
        """One more host for a running fleet."""
        self.description = replace(self.description, hosts=(*self.description.hosts, wanted))
        return self._add(wanted)

    def drop(self, name: str) -> None:
        """Takes a host away; its folder stays."""
        self.members.pop(name).endpoint.stop()
        kept = tuple(host for host in self.description.hosts if host.name != name)
        self.description = replace(self.description, hosts=kept)

    def package_variable(self, sdk: int) -> list[dict[str, str]]:
        """The variable ``codesign_client_packages`` for hosts with a client SDK."""
        return [self._package(package) for package in packages.for_sdk(sdk)]

    def _add(self, wanted: HostDescription) -> Host:
        host = Host(
            wanted.name,
            self.state / "hosts" / wanted.name,
            language=wanted.language,
            oem_code_page=wanted.oem_code_page,
            client_sdk=wanted.client_sdk,
            powershell=wanted.powershell,
            record=self.record,
            fleet=self,
            cluster=self.cluster,
            pace=self.pace,
        )
        host.others = [self.other] if self.other else []
        for letter in wanted.drives:
            host.add_drive(letter)
        # Windows knows the roots of public authorities by itself.
        CertificateStores(host).add(self.pki.tsa_root.der, "AuthRoot")
        password = "Lab-" + secrets.token_urlsafe(12)
        host.administrator.password = password
        for name, known in wanted.users:
            host.add_user(name, known or secrets.token_urlsafe(12))
        remote = Remote(host, self.description.collections, self.description.step_script())
        endpoint = Endpoint(
            remote.run,
            ADMINISTRATOR,
            password,
            lambda operation: (
                host.faults.active("dead")
                or host.is_down()
                or host.faults.take("connection_drop", operation) is not None
                or (operation == "Command" and host.faults.take("connection_drop", "") is not None)
            ),
            self._door(wanted, password),
            lambda operation: _answers(host, operation),
        )
        host.on_reboot = endpoint.forget
        endpoint.start()
        host.instance_role = wanted.instance_role
        for fault in wanted.faults:
            host.faults.set(fault)
        self.members[wanted.name] = Member(host, remote, endpoint, password)
        return host

    def _door(self, wanted: HostDescription, password: str) -> Door:
        """How clients get into a host; what it needs for that lies in the folder listeners."""
        schemes = LISTENERS[wanted.listener]
        folder = self.state / "listeners"
        certificate = users = None
        if "Negotiate" in schemes:
            folder.mkdir(mode=0o700, exist_ok=True)
            users = folder / f"{wanted.name}.users"
            users.write_text(
                "".join(f"{domain}:{ADMINISTRATOR}:{password}\n" for domain in ("", wanted.name.upper())),
                encoding="utf-8",
            )
        if wanted.listener == "https":
            if self._listeners is None:
                self._listeners = authority("Lab WinRM CA", None)
                (self.state / "pki" / WINRM_CA).write_text(self._listeners.pem, encoding="ascii")
            issued = tls_server(self._listeners, wanted.name)
            certificate = folder / f"{wanted.name}.pem"
            certificate.write_bytes(issued.key_pem + issued.pem.encode("ascii"))
        return Door(ADMINISTRATOR, password, schemes, users, certificate)

    def stop(self) -> None:
        # Each waits for its server's next look around.
        with ThreadPoolExecutor(max_workers=64) as pool:
            list(pool.map(lambda member: member.endpoint.stop(), self.members.values()))
        self.web.stop()
        self.tsa.stop()
        self.cluster.close()
        if self.other is not None:
            self.other.close()
        self.record.save()

    # Faults of what all hosts share
    # -----------------------------------------------------------------------------------------

    def set_fault(self, text: str, count: int | None = None) -> None:
        """A fault of the timestamp authority, the crypto user or the HSMs."""
        name, _unused, argument = text.partition(":")
        if name == "tsa_limit":
            requests, _slash, seconds = (argument or "10/20").partition("/")
            self.tsa.set_limit(int(requests), float(seconds))
        elif name.startswith("tsa_"):
            if name == "tsa_slow" and argument:
                self.tsa.delay = float(argument)
            self.tsa.set_fault(name.removeprefix("tsa_"), count)
        elif name == "user_locked":
            self.cluster.users[argument or self.description.crypto_user].wrong = WRONG_LOGINS
        elif name == "hsm_down":
            self.cluster.down.update([argument] if argument else self.cluster.addresses)
        elif name == "key_unavailable":
            self._copies(1)
        elif name == "key_foreign":
            self._own(self.description.crypto_user, STRANGER)
        elif name == "key_label":
            for key in self._signing_keys():
                self._labels.setdefault(key.handle, key.label)
                self.cluster.name(key.handle, argument)
        elif name == "key_twice":
            self._doubled += [
                self.cluster.double(key.handle) for key in self._signing_keys() if key.cls == "private"
            ]
        else:
            raise DescriptionError(
                f"no fault '{name}' for the whole fleet; there are {', '.join(FLEET_FAULTS)}"
            )

    def clear_faults(self) -> None:
        self.tsa.set_fault("")
        self.tsa.set_limit(0, 0)
        self.cluster.users[self.description.crypto_user].wrong = 0
        self.cluster.down.clear()
        self._own(STRANGER, self.description.crypto_user)
        for pair in self._doubled:
            for handle in pair:
                self.cluster.delete_key(handle)
        self._doubled = []
        for handle, label in self._labels.items():
            self.cluster.name(handle, label)
        self._labels = {}
        self._copies(len(self.cluster.addresses))

    def _signing_keys(self) -> list[KeyObject]:
        return [key for key in self.cluster.all_keys() if key.owner == self.description.crypto_user]

    def _own(self, old: str, new: str) -> None:
        for key in self.cluster.all_keys():
            if key.owner == old:
                self.cluster.give(key.handle, new)

    def _copies(self, hsms: int) -> None:
        """On how many HSMs the crypto user's keys lie; with one, Client SDK 5 refuses to use them by default."""
        for key in self._signing_keys():
            self.cluster.set_copies(key.handle, hsms)

    # What a user needs
    # -----------------------------------------------------------------------------------------------------

    def inventory(self) -> dict[str, Any]:
        """An Ansible inventory: how the hosts are reached, and what somebody who signs there would set."""
        folder = self.state.resolve() / "pki"
        hosts = {
            name: {
                "ansible_host": "127.0.0.1",
                "ansible_port": member.endpoint.port,
                "ansible_password": member.password,
                "codesign_client_sdk": str(member.host.client_sdk),
                "lab_sdk": member.host.client_sdk,
                "lab_language": member.host.language,
                "codesign_client_packages": self.package_variable(member.host.client_sdk),
                **self._key_access(name),
                **self._reached(name),
            }
            for name, member in self.members.items()
        }
        signtool = packages.SIGNTOOL
        shared = {
            "ansible_connection": "winrm",
            "ansible_user": ADMINISTRATOR,
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic",
            "codesign_hsm_addresses": self.cluster.addresses,
            "codesign_hsm_type": self.cluster.hsm_type,
            "codesign_customer_ca": str(folder / "customerCA.crt"),
            "codesign_client_package_url": self.web.url,
            "codesign_client_packages_by_sdk": {str(sdk): self.package_variable(sdk) for sdk in (3, 5)},
            "codesign_signtool_accept_license": True,
            "codesign_signtool_package_url": f"{self.web.url}/{signtool.file}",
            "codesign_signtool_package_sha256": hashlib.sha256(signtool.content()).hexdigest(),
            "codesign_sign_timestamp_urls": [self.tsa.url],
            "codesign_identities": [
                {
                    "name": "lab",
                    "certificate": str(folder / "signing.pem"),
                    "chain": [
                        {"certificate": str(folder / "intermediate.pem"), "store": "CA"},
                        {"certificate": str(folder / "root.pem"), "store": "Root"},
                    ],
                }
            ],
        }
        groups = {"windows": {"hosts": hosts, "vars": shared}, "codesign": {"children": {"windows": {}}}}
        return {"all": {"children": groups}}

    def _reached(self, name: str) -> dict[str, str]:
        """What the inventory says of a host that is not reached as most are: by winrm and Basic over HTTP."""
        host = next(host for host in self.description.hosts if host.name == name)
        trusted = str(self.state.resolve() / "pki" / WINRM_CA)
        scheme = "https" if host.listener == "https" else "http"
        if host.connection == "psrp":
            return {
                "ansible_connection": "psrp",
                "ansible_psrp_protocol": scheme,
                "ansible_psrp_auth": "negotiate",
                **({"ansible_psrp_ca_cert": trusted} if host.listener == "https" else {}),
            }
        if host.listener == "http":
            return {}
        return {
            "ansible_winrm_scheme": scheme,
            "ansible_winrm_transport": "ntlm",
            **({"ansible_winrm_ca_trust_path": trusted} if host.listener == "https" else {}),
        }

    def _key_access(self, name: str) -> dict[str, str]:
        wanted = next(host.key_access for host in self.description.hosts if host.name == name)
        return {"codesign_key_access": wanted} if wanted else {}

    def _package(self, package: packages.Package) -> dict[str, str]:
        return {
            "file": package.file,
            "sha256": hashlib.sha256(package.content()).hexdigest(),
            "part": package.part,
        }

    def secret_variables(self) -> dict[str, Any]:
        """What belongs into a vault."""
        return {
            "codesign_crypto_user": self.description.crypto_user,
            "codesign_crypto_password": self.crypto_password,
        }

    def write_inventory(self) -> None:
        """Writes inventory.yml and, readable by the owner alone, secrets.yml."""
        (self.state / "inventory.yml").write_text(
            yaml.safe_dump(self.inventory(), sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
        secret = self.state / "secrets.yml"
        with os.fdopen(
            os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as stream:
            yaml.safe_dump(self.secret_variables(), stream)
