# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""configure-cli and configure-ksp of Client SDK 5: write the configuration of the CLI or of the key storage
provider.

Options as in the AWS CloudHSM user guide; what they write as in public deployments, including the type hsm1
for any cluster. --cluster-id asks AWS, which a host of the lab may that has an instance role. configure-cli has
the subcommands add-cluster and remove-cluster; once its file names several clusters it changes nothing else.
Assumed: a new -a writes the cluster anew (and with it that type), the field of the compatibility mode is a top-level
sdk3_compatibility_mode, the fields of the client's certificate for TLS and of the retry mode, and what is said where
a cluster is added twice or one is removed that is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..windows import client
from .clap import Option, Refused, parse

if TYPE_CHECKING:
    from ..hsm.cluster import Cluster
    from ..windows.process import Process

TOGGLES = {
    "--disable-key-availability-check": ("disable_key_availability_check", True),
    "--enable-key-availability-check": ("disable_key_availability_check", False),
    "--disable-validate-key-at-init": ("disable_validate_key_at_init", True),
    "--enable-validate-key-at-init": ("disable_validate_key_at_init", False),
}
LOGGING = {
    "--log-type": Option(allowed=("term", "file")),
    "--log-file": Option(),
    "--log-level": Option(allowed=("error", "warn", "info", "debug", "trace")),
    "--log-rotation": Option(allowed=("never", "hourly", "daily")),
}
LOG_FIELDS = {
    "--log-type": "log_type",
    "--log-file": "log_file",
    "--log-level": "log_level",
    "--log-rotation": "log_interval",
}
CERTIFICATES = {
    "--client-cert-hsm-tls-file": "client_cert_hsm_tls_file",
    "--client-key-hsm-tls-file": "client_key_hsm_tls_file",
}
KSP_CERTIFICATES = {
    "--server-client-cert-file": "client_cert_path",
    "--server-client-key-file": "client_key_path",
}
COMPATIBILITY = {"--enable-sdk3-compatibility-mode": True, "--disable-sdk3-compatibility-mode": False}
OPTIONS = {
    "-a": Option("+"),
    "--cluster-id": Option(),
    "--region": Option(),
    "--endpoint": Option(),
    "--hsm-ca-cert": Option(),
    **{name: Option("0") for name in TOGGLES},
    **LOGGING,
    "--default-retry-mode": Option(allowed=("off", "standard")),
    **{name: Option() for name in CERTIFICATES},
    "--help": Option("0"),
}
KSP_OPTIONS = {
    **OPTIONS,
    **{name: Option() for name in KSP_CERTIFICATES},
    **{name: Option("0") for name in COMPATIBILITY},
}
ADD = {
    "--cluster-id": Option(required=True),
    "--region": Option(),
    "--endpoint": Option(),
    "--hsm-ca-cert": Option(),
    **{name: Option() for name in CERTIFICATES},
    "--help": Option("0"),
}
REMOVE = {"--cluster-id": Option(required=True), "--help": Option("0")}
CUSTOMER_CA = rf"{client.DATA}\customerCA.crt"


def configure_cli(process: Process) -> int:
    command = process.argv[0] if process.argv else ""
    if command in ("add-cluster", "remove-cluster"):
        return _change_clusters(process, command)
    return _run(process, "cli", OPTIONS)


def configure_ksp(process: Process) -> int:
    return _run(process, "ksp", KSP_OPTIONS)


def _run(process: Process, component: str, options: dict[str, Option]) -> int:
    usage = f"configure-{component}.exe [OPTIONS]"
    try:
        given = parse(process.argv, options, {"-h": "--help"}, usage)
        for pair in (
            ("--enable-key-availability-check", "--disable-key-availability-check"),
            ("--enable-sdk3-compatibility-mode", "--disable-sdk3-compatibility-mode"),
            ("-a", "--cluster-id"),
        ):
            if all(name in given for name in pair):
                raise Refused(f"the argument '{pair[0]}' cannot be used with '{pair[1]}'", usage)
        if not given:
            raise Refused("at least one option is required", usage)
    except Refused as refusal:
        process.err_bytes(str(refusal).encode())
        return 2
    if "--help" in given:
        process.out(f"Usage: {usage}\n")
        return 0
    cluster = None
    if "--cluster-id" in given:
        cluster = _described(process, given["--cluster-id"][0])
        if cluster is None:
            return 1
    elif "--region" in given or "--endpoint" in given:
        process.err_bytes(
            b"error: the following required arguments were not provided:\n  --cluster-id <CLUSTER ID>\n"
        )
        return 2
    refused = _check_files(process, given)
    if refused:
        return refused
    certificate = given.get("--hsm-ca-cert", [""])[0]
    try:
        data = client.read_configuration(process.host, component) or _new(component)
    except client.ClientError as error:
        process.err(f"Error: {error}\n")
        return 1
    if len(data["clusters"]) > 1:
        process.err("Error: There are multiple clusters in the configuration file\n")
        return 1
    found = cluster.addresses if cluster else []
    if cluster:
        data["clusters"][0]["cluster_id"] = cluster.cluster_id
    _apply(data, {**given, **({"-a": found} if found else {})}, certificate and process.resolve(certificate))
    client.write_configuration(process.host, component, data)
    return 0


def _described(process: Process, cluster_id: str) -> Cluster | None:
    """The cluster as AWS describes it; None where AWS cannot be asked or knows none of that id, which is said."""
    if not process.host.instance_role or not client.clusters(process.host):
        process.err("Error: Unable to describe the cluster: No credentials in the property bag\n")
        return None
    for cluster in client.clusters(process.host):
        if cluster.cluster_id == cluster_id:
            return cluster
    process.err(f"Error: Unable to find the cluster {cluster_id}\n")
    return None


def _check_files(process: Process, given: dict[str, list[str]]) -> int:
    """The exit code where the files of certificates are not as the tool wants them, which is said; else 0."""
    if len([name for name in CERTIFICATES if name in given]) == 1:
        process.err_bytes(
            b"error: the following required arguments were not provided:\n  the other file of the pair\n"
        )
        return 2
    certificate = given.get("--hsm-ca-cert", [""])[0]
    if certificate and not process.host.files.is_file(process.resolve(certificate)):
        process.err(f"Error: The file {certificate} does not exist\n")
        return 1
    return 0


def _change_clusters(process: Process, command: str) -> int:
    """add-cluster and remove-cluster: one entry more or less in the list of clusters."""
    adds = command == "add-cluster"
    usage = f"configure-cli.exe {command} [OPTIONS] --cluster-id <CLUSTER ID>"
    try:
        given = parse(process.argv[1:], ADD if adds else REMOVE, {"-h": "--help"}, usage)
    except Refused as refusal:
        process.err_bytes(str(refusal).encode())
        return 2
    if "--help" in given:
        process.out(f"Usage: {usage}\n")
        return 0
    try:
        data = client.read_configuration(process.host, "cli") or {**_new("cli"), "clusters": []}
    except client.ClientError as error:
        process.err(f"Error: {error}\n")
        return 1
    cluster_id = given["--cluster-id"][0]
    known = cluster_id in [one.get("cluster_id") for one in data["clusters"]]
    if known == adds:
        process.err(
            f"Error: The cluster {cluster_id} is {'already' if adds else 'not'} in the configuration file\n"
        )
        return 1
    if not adds:
        data["clusters"] = [one for one in data["clusters"] if one.get("cluster_id") != cluster_id]
        client.write_configuration(process.host, "cli", data)
        return 0
    refused = _check_files(process, given)
    if refused:
        return refused
    cluster = _described(process, cluster_id)
    if cluster is None:
        return 1
    (entry,) = _new("cli")["clusters"]
    entry["cluster_id"] = cluster_id
    data["clusters"].append(entry)
    certificate = given.get("--hsm-ca-cert", [""])[0]
    _apply(
        {**data, "clusters": [entry]},
        {**given, "-a": cluster.addresses},
        certificate and process.resolve(certificate),
    )
    client.write_configuration(process.host, "cli", data)
    return 0


def _new(component: str) -> dict[str, Any]:
    return {
        "clusters": [{"type": "hsm1", "cluster": {"hsm_ca_file": CUSTOMER_CA, "servers": []}}],
        "logging": {
            "log_type": "file",
            "log_file": rf"{client.DATA}\cloudhsm-{component}.log",
            "log_level": "info",
            "log_interval": "daily",
        },
    }


def _apply(data: dict[str, Any], given: dict[str, list[str]], certificate: str) -> None:
    entry = data["clusters"][0]
    cluster = entry["cluster"]
    if "-a" in given:
        entry["type"] = "hsm1"
        cluster["servers"] = [{"hostname": address, "port": 2223, "enable": True} for address in given["-a"]]
    if certificate:
        cluster["hsm_ca_file"] = certificate
    for name, (field, value) in TOGGLES.items():
        if name in given:
            cluster.setdefault("options", {})[field] = value
    for name, field in {**CERTIFICATES, **KSP_CERTIFICATES}.items():
        if name in given:
            cluster[field] = given[name][0]
    for name, field in LOG_FIELDS.items():
        if name in given:
            data["logging"][field] = given[name][0]
    if "--default-retry-mode" in given:
        cluster.setdefault("retry_policy", {})["mode"] = given["--default-retry-mode"][0]
    for name, value in COMPATIBILITY.items():
        if name in given:
            data["sdk3_compatibility_mode"] = value
