# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CloudHSM client on a lab host: its configuration files, its credentials, and whether it gets through to
the HSMs.

Everything of Client SDK 3 goes through the service AWSCloudHSMClient and its one configuration; in SDK 5 the
CLI and the key storage provider have a configuration each (AWS CloudHSM user guide, the configure tools).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .errors import NO_SUCH_LOGON_SESSION, LabOSError

if TYPE_CHECKING:
    from ..hsm.cluster import Cluster
    from .host import Host

PROGRAMS = r"C:\Program Files\Amazon\CloudHSM"
DATA = r"C:\ProgramData\Amazon\CloudHSM"
CONFIGURATIONS = {
    "client": rf"{DATA}\data\cloudhsm_client.cfg",
    "cli": rf"{DATA}\data\cloudhsm-cli.cfg",
    "ksp": rf"{DATA}\data\cloudhsm-ksp.cfg",
}
"""By component: client is SDK 3's service, cli and ksp are SDK 5's."""
CLUSTER_INFO = rf"{DATA}\data\cluster.info"
"""Where SDK 3's service keeps the addresses that it works with; written when it starts"""
SERVICE = "AWSCloudHSMClient"
CREDENTIAL_TARGETS = {3: "cloudhsm_client", 5: "CLOUDHSM_PIN"}
CREDENTIAL_VARIABLES = {3: "n3fips_password", 5: "CLOUDHSM_PIN"}

SDK3_DEFAULTS: dict[str, Any] = {
    "client": {
        "CriticalAlertScript": "",
        "create_object_minimum_nodes": 1,
        "daemon_id": 1,
        "e2e_owner_crt_path": rf"{DATA}\customerCA.crt",
        "log_level": "INFO",
        "reconnect_attempts": -1,
        "reconnect_interval": 3,
        "socket_type": "TCPSOCKET",
        "sslreneg": 0,
        "tcp_port": 1111,
        "workers": 1,
    },
    "loadbalance": {"enable": "yes", "prefer_same_zone": "no"},
    "server": {"hostname": "", "port": 2223},
    "ssl": {"certificate": "client.crt", "pkey": "client.key", "server_ssl": "yes"},
}
"""The configuration that the installer of SDK 3 lays down"""

NOT_CONFIGURED = "not_configured"
NOT_RUNNING = "not_running"
UNREACHABLE = "unreachable"
UNTRUSTED = "untrusted"
WRONG_TYPE = "wrong_type"


class ClientError(Exception):
    """The client gets no connection; ``reason`` is one of the words above, the text says more."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Settings:
    """What a configuration file says about one cluster."""

    addresses: tuple[str, ...]
    hsm_type: str
    ca_file: str
    availability_check: bool = True
    sdk3_compatibility: bool = False
    cluster_id: str = ""
    tls_certificate: str = ""
    tls_key: str = ""


def read_configuration(host: Host, component: str) -> dict[str, Any] | None:
    """The configuration as it stands; None where there is none. One that is no JSON object is a ClientError."""
    path = CONFIGURATIONS[component]
    if not host.files.is_file(path):
        return None
    try:
        data = json.loads(host.files.read(path).decode("utf-8-sig"))
    except ValueError as error:
        raise ClientError(NOT_CONFIGURED, f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ClientError(NOT_CONFIGURED, f"{path} holds no JSON object")
    return data


def write_configuration(host: Host, component: str, data: Mapping[str, Any]) -> None:
    path = CONFIGURATIONS[component]
    host.files.makedirs(path.rsplit("\\", 1)[0])
    host.files.write(path, (json.dumps(data, indent=2) + "\n").encode("utf-8"), by="configure")


def settings(host: Host, component: str, cluster_id: str = "") -> Settings:
    """What ``component`` would connect to. With several clusters in the file, ``cluster_id`` has to say
    which.
    """
    data = read_configuration(host, component)
    if data is None:
        raise ClientError(NOT_CONFIGURED, f"no configuration file {CONFIGURATIONS[component]}")
    try:
        if component == "client":
            # The running service works with what it read when it started. SDK 3 does not count the HSMs of a
            # key that is only used.
            known = (
                json.loads(host.files.read(CLUSTER_INFO))
                if host.files.is_file(CLUSTER_INFO)
                else [str(data["server"]["hostname"])]
            )
            return Settings(
                tuple(known), "hsm1", str(data["client"]["e2e_owner_crt_path"]), availability_check=False
            )
        clusters = data["clusters"]
        chosen = [one for one in clusters if not cluster_id or one.get("cluster_id") == cluster_id]
        if len(chosen) != 1:
            raise ClientError(
                NOT_CONFIGURED, f"{len(chosen)} clusters in the configuration fit: give --cluster-id"
            )
        one = chosen[0]
        options = one["cluster"].get("options") or {}
        return Settings(
            tuple(
                str(server["hostname"]) for server in one["cluster"]["servers"] if server.get("enable", True)
            ),
            str(one["type"]),
            str(one["cluster"]["hsm_ca_file"]),
            not options.get("disable_key_availability_check", False),
            bool(data.get("sdk3_compatibility_mode", False)),
            str(one.get("cluster_id", "")),
            str(one["cluster"].get("client_cert_hsm_tls_file", "")),
            str(one["cluster"].get("client_key_hsm_tls_file", "")),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ClientError(NOT_CONFIGURED, f"{CONFIGURATIONS[component]} lacks {error}") from None


def reachable(host: Host, address: str, port: int = 2223) -> bool:
    """Whether this host gets a TCP connection to an HSM. The fault ``hsm_unreachable`` (of all or of one
    address) is a security group.
    """
    if (
        host.faults.take("hsm_unreachable", "") is not None
        or host.faults.take("hsm_unreachable", address) is not None
    ):
        return False
    return any(cluster.reachable(address, port) for cluster in clusters(host))


def clusters(host: Host) -> list[Cluster]:
    """All that there are in its account, its own first."""
    return [cluster for cluster in (host.cluster, *host.others) if cluster is not None]


def connect(host: Host, component: str, cluster_id: str = "") -> tuple[Cluster, Settings]:
    """The cluster that ``component`` talks to, or a ClientError that says why it does not."""
    wanted = settings(host, component, cluster_id)
    cluster = next((one for one in clusters(host) if set(wanted.addresses) & set(one.addresses)), None)
    if component == "client":
        service = host.services.get(SERVICE)
        if service is None or service.status != "Running":
            raise ClientError(NOT_RUNNING, f"the service {SERVICE} is not running")
    if cluster is None or not any(reachable(host, address) for address in wanted.addresses):
        raise ClientError(
            UNREACHABLE, f"no HSM of {', '.join(wanted.addresses) or 'none'} answers on port 2223"
        )
    # Client SDK 3 does not know the newer type at all; SDK 5 works whatever type its configuration names.
    if component == "client" and cluster.hsm_type != "hsm1":
        raise ClientError(
            WRONG_TYPE, f"the cluster is of type {cluster.hsm_type}, which Client SDK 3 does not know"
        )
    if not _trusts(host, wanted.ca_file, cluster):
        raise ClientError(
            UNTRUSTED, f"{wanted.ca_file} is not the certificate that the cluster's was issued by"
        )
    if cluster.trust_anchor is not None and not _is_known(host, wanted, cluster.trust_anchor):
        raise ClientError(
            UNTRUSTED, "the HSM wants a certificate of the client that its trust anchor has issued"
        )
    return cluster, wanted


def _is_known(host: Host, wanted: Settings, anchor: x509.Certificate) -> bool:
    """Whether the client has a certificate of the trust anchor, and its key."""
    try:
        own = x509.load_pem_x509_certificate(host.files.read(wanted.tls_certificate))
        key = load_pem_private_key(host.files.read(wanted.tls_key), None)
        own.verify_directly_issued_by(anchor)
    except (LabOSError, ValueError, TypeError, InvalidSignature):
        return False
    return own.public_key() == key.public_key()


def start_daemon(host: Host) -> int:
    """What AWSCloudHSMClient does when it starts: asks one HSM for the addresses of all. It starts even if
    nobody answers.
    """
    try:
        data = read_configuration(host, "client")
        configured = [str(data["server"]["hostname"])] if data else []
    except (ClientError, KeyError, TypeError):
        configured = []
    answering = host.cluster is not None and any(reachable(host, address) for address in configured)
    known = host.cluster.addresses if host.cluster is not None and answering else configured
    host.files.makedirs(CLUSTER_INFO.rsplit("\\", 1)[0])
    host.files.write(CLUSTER_INFO, json.dumps(known).encode("ascii"), by="cloudhsm_client")
    return 0


def _trusts(host: Host, path: str, cluster: Cluster) -> bool:
    try:
        found = x509.load_pem_x509_certificate(host.files.read(path))
    except (LabOSError, ValueError):
        return False
    return found == x509.load_pem_x509_certificate(cluster.customer_ca_pem.encode("ascii"))


def credential(
    host: Host, sdk: int, environment: Mapping[str, str], account: str, logon: str
) -> tuple[str, str] | None:
    """The crypto user's name and password as the tools of an SDK find them; None where there are none.

    The environment variable goes first: which one wins in reality is not documented. A network logon sees no
    Credential Manager (CredWrite: ERROR_NO_SUCH_LOGON_SESSION).
    """
    wanted = CREDENTIAL_VARIABLES[sdk].lower()
    text = next((value for name, value in environment.items() if name.lower() == wanted), None)
    if text:
        user, colon, password = text.partition(":")
        return (user, password) if colon else None
    try:
        found = host.credentials.read(account, logon, CREDENTIAL_TARGETS[sdk])
    except LabOSError as error:
        if error.code == NO_SUCH_LOGON_SESSION:
            return None
        raise
    return None if found is None else (found.user, found.password)
