# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenario ec2 as far as AWS goes: what create makes, what converge then looks up, what destroy leaves (moto answers,
and loopback addresses with certificates of their own stand for the instances).
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import ipaddress
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response
from moto.ec2.utils import Base64EncodedString
from moto.ssm.models import Parameter, ssm_backends

from support.aws_api import ACCOUNT, CALLS, REGION, aws_api, forget_clusters, make_cluster
from support.playbook import ROOT, PlaybookRun, environment, run_playbook

from .conftest import COLLECTIONS

SCENARIO = ROOT / "extensions" / "molecule" / "ec2"
NAME = "codesign-molecule-test"
CLUSTER = "cluster-ec2ec2ec2e2"
CALLER = "198.51.100.7"
VERSIONS = {"2016": "127.0.0.16", "2025": "127.0.0.25"}
"""The Windows Servers of the test, and where each is."""
PASSWORD = "{{{{ no template }}}} for {}"  # noqa: S105 - a form of one
"""An instance's password: EC2's hold any character."""
WHAT_A_HOST_HAS = {
    "hosts": "windows",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Show",
            "ansible.builtin.debug": {
                "msg": {"password": "{{ ansible_password }}", "trusted": "{{ ansible_winrm_ca_trust_path }}"}
            },
        }
    ],
}


def certificate(address: str) -> tuple[bytes, bytes]:
    """A key and a certificate as New-SelfSignedCertificate makes it for an address."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "EC2AMAZ-TEST")])
    now = datetime.now(timezone.utc)
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    purposes = [x509.ExtendedKeyUsageOID.CLIENT_AUTH, x509.ExtendedKeyUsageOID.SERVER_AUTH]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, made.public_bytes(serialization.Encoding.PEM)


class Here(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@contextmanager
def listening(address: str, port: int, folder: Path) -> Iterator[tuple[int, str]]:
    """A server over HTTPS; gives its port and the hash of its certificate. ``port``: 0 for any."""
    private, public = certificate(address)
    file = folder / f"{address}-{port}.pem"
    file.write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = http.server.ThreadingHTTPServer((address, port), Here)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        der = ssl.PEM_cert_to_DER_cert(public.decode())
        yield server.server_port, hashlib.sha256(der).hexdigest().upper()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Cloud:
    """An account with a cluster; ``hashes``: what each instance says of its certificate, by its Windows Server."""

    project: Path
    aws: dict[str, str]
    port: int
    hashes: dict[str, str]
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.project / "build" / "molecule" / "ec2"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory"

    @property
    def ec2(self) -> Any:
        return boto3.client("ec2", region_name=REGION)

    def play(self, playbook: str | Path | list[Mapping[str, Any]], *extra: str) -> PlaybookRun:
        return run_playbook(
            playbook,
            self.inventory,
            collections=COLLECTIONS,
            extra=extra,
            variables={
                "ec2_port": self.port,
                "ec2_first_boot": {"retries": 3, "delay": 0},
                "ec2_let_go": {"retries": 2, "delay": 0},
            },
            keep_results=True,
        )

    def instances(self) -> dict[str, dict[str, Any]]:
        """Those that run, by their Windows Server."""
        wanted = [{"Name": "instance-state-name", "Values": ["running"]}]
        found = [
            one
            for group in self.ec2.describe_instances(Filters=wanted)["Reservations"]
            for one in group["Instances"]
        ]
        return {tags(one)["Name"].rpartition("-")[2]: one for one in found}


def tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing["Tags"]}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    project = tmp_path / "project"
    project.mkdir()
    variables = tmp_path / "variables.yml"
    variables.write_text(f"codesign_cluster_id: {CLUSTER}\n", encoding="utf-8")
    with ExitStack() as stack:
        aws = stack.enter_context(aws_api())
        port, said = 0, {}
        for version, address in VERSIONS.items():
            port, said[version] = stack.enter_context(listening(address, port, tmp_path))
        cloud = Cloud(project, aws, port, said)
        for name, value in {
            **aws,
            "MOLECULE_PROJECT_DIRECTORY": str(project),
            "CODESIGN_EC2_NAME": NAME,
            "CODESIGN_EC2_CLUSTER": CLUSTER,
            "CODESIGN_EC2_VARIABLES": str(variables),
            "CODESIGN_EC2_VERSIONS": ",".join(VERSIONS),
            "CODESIGN_EC2_CALLER": CALLER,
        }.items():
            monkeypatch.setenv(name, value)
        seed(cloud, monkeypatch)
        try:
            yield cloud
        finally:
            forget_clusters()
            ec2_backends[ACCOUNT][REGION].reset()


def seed(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What moto lacks: AWS's parameters for Windows, the cluster's security group and place, an instance's console, its encrypted
    password and an address that answers.
    """
    backend = ec2_backends[ACCOUNT][REGION]
    image = next(one for one in cloud.ec2.describe_images()["Images"] if one.get("Platform") == "windows")
    for version in VERSIONS:
        name = f"/aws/service/ami-windows-latest/Windows_Server-{version}-English-Full-Base"
        now = datetime.now(timezone.utc)
        made = Parameter(ACCOUNT, name, image["ImageId"], "String", "", "", None, now, 1, "text")
        monkeypatch.setitem(ssm_backends[ACCOUNT][REGION]._parameters, name, [made])
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]
    group = cloud.ec2.create_security_group(
        GroupName=CLUSTER, Description="the cluster's own", VpcId=subnet["VpcId"]
    )
    make_cluster(
        CLUSTER,
        {},
        ["10.0.1.17"],
        "",
        SecurityGroup=group["GroupId"],
        VpcId=subnet["VpcId"],
        SubnetMapping={subnet["AvailabilityZone"]: subnet["SubnetId"]},
    )

    def version(instance: Instance) -> str:
        return next((tag["value"] for tag in instance.get_tags() if tag["key"] == "Name"), "").rpartition(
            "-"
        )[2]

    def console(response: EC2Response) -> ActionResult:
        instance = backend.get_instance(response._get_param("InstanceId"))
        cloud.asked[instance.id] = cloud.asked.get(instance.id, 0) + 1
        text = "Windows is Ready to use\r\n"
        if cloud.asked[instance.id] > 1:
            text += f"CODESIGN-WINRM-SHA256: {cloud.hashes[version(instance)]}\r\n"
        assert response._get_param("Latest") is True
        return ActionResult({"InstanceId": instance.id, "Output": Base64EncodedString.from_raw_string(text)})

    def password(_backend: EC2Backend, instance_id: str) -> str:
        instance = backend.get_instance(instance_id)
        public = serialization.load_ssh_public_key(backend.key_pairs[instance.key_name].material_public)
        assert isinstance(public, rsa.RSAPublicKey)
        text = PASSWORD.format(version(instance)).encode()
        return base64.b64encode(public.encrypt(text, padding.PKCS1v15())).decode()

    monkeypatch.setattr(EC2Response, "get_console_output", console)
    monkeypatch.setattr(EC2Backend, "get_password_data", password)

    def address(card: NetworkInterface) -> str | None:
        return VERSIONS.get(version(card.instance)) if card.instance else None

    monkeypatch.setattr(NetworkInterface, "public_ip", property(address, lambda *_given: None), raising=False)


def resources(cloud: Cloud) -> dict[str, int]:
    """How many things that cost or stay bear the scenario's tag."""
    tagged = [{"Name": "tag:codesign-molecule", "Values": [NAME]}]
    return {
        "instances": len(cloud.instances()),
        "groups": len(cloud.ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]),
        "keys": len(cloud.ec2.describe_key_pairs(Filters=tagged)["KeyPairs"]),
        "disks": len(cloud.ec2.describe_volumes(Filters=tagged)["Volumes"]),
    }


def listed(cloud: Cloud) -> Any:
    """What ansible-inventory makes of the inventory that create wrote."""
    argv = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(cloud.inventory), "--list"]
    done = subprocess.run(argv, env=environment(COLLECTIONS), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_create_and_destroy(cloud: Cloud) -> None:
    asked = len(CALLS)
    somebody_s = cloud.ec2.create_key_pair(KeyName="somebody-else-s")
    run = cloud.play(SCENARIO / "create.yml")
    assert run.returncode == 0, run.output[-4000:]
    assert "AWS charges" in run.of("Say what it costs").msg
    assert resources(cloud) == {"instances": 2, "groups": 1, "keys": 1, "disks": 2}

    instances = cloud.instances()
    assert sorted(instances) == sorted(VERSIONS)
    cluster = cloud.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [CLUSTER]}])[
        "SecurityGroups"
    ][0]
    own = cloud.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [NAME]}])[
        "SecurityGroups"
    ][0]
    (rule,) = own["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (cloud.port, cloud.port)
    assert [one["CidrIp"] for one in rule["IpRanges"]] == [f"{CALLER}/32"]
    assert rule["Ipv6Ranges"] == rule["UserIdGroupPairs"] == rule["PrefixListIds"] == []
    for instance in instances.values():
        assert tags(instance)["codesign-molecule"] == NAME
        assert {one["GroupId"] for one in instance["SecurityGroups"]} == {own["GroupId"], cluster["GroupId"]}
        assert instance["KeyName"] == NAME
        data = cloud.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
        told = base64.b64decode(data["UserData"]["Value"]).decode()
        assert told == (SCENARIO / "files" / "winrm_https.txt").read_text(encoding="utf-8").strip()

    # Secrets are where they belong, and on the screen nowhere.
    key = cloud.folder / "key.pem"
    for version in VERSIONS:
        secret = cloud.folder / "secrets" / f"windows-{version}"
        assert secret.read_text(encoding="utf-8") == PASSWORD.format(version)
        assert secret.stat().st_mode & 0o777 == key.stat().st_mode & 0o777 == 0o600
        assert PASSWORD.format(version) not in run.output
    assert "PRIVATE KEY" not in run.output

    # The inventory that the other steps use: pinned certificates, and the user's variables.
    hosts = listed(cloud)["_meta"]["hostvars"]
    assert sorted(hosts) == ["windows-2016", "windows-2025"]
    for version, address in VERSIONS.items():
        host = hosts[f"windows-{version}"]
        assert host["ansible_host"] == address
        assert host["codesign_cluster_id"] == CLUSTER
        assert host["ansible_winrm_server_cert_validation"] == "validate"
        pinned = cloud.folder / "certificates" / f"windows-{version}.pem"
        # As pywinrm connects: requests with this file and no other trust.
        assert (
            requests.get(f"https://{address}:{cloud.port}/", verify=str(pinned), timeout=20).status_code
            == 200
        )
        other = next(one for one in VERSIONS.values() if one != address)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"https://{other}:{cloud.port}/", verify=str(pinned), timeout=20)
    seen = cloud.play([WHAT_A_HOST_HAS])
    for version in VERSIONS:
        result = seen.of("Show", f"windows-{version}").result["msg"]
        assert result["password"] == PASSWORD.format(version)
        assert result["trusted"] == str(cloud.folder / "certificates" / f"windows-{version}.pem")

    # What converge asks AWS for on behalf of these hosts.
    preflight = cloud.play("cloudhsm.codesign.preflight")
    assert [one["cluster_id"] for one in preflight.of("Ask AWS for the clusters").result["clusters"]] == [
        CLUSTER
    ]
    assert preflight.of("Check the variables of all roles").failed, "only the cluster is named"

    run = cloud.play(SCENARIO / "destroy.yml")
    assert run.returncode == 0, run.output[-4000:]
    assert resources(cloud) == dict.fromkeys(("instances", "groups", "keys", "disks"), 0)
    assert not cloud.folder.exists()
    names = [one["KeyName"] for one in cloud.ec2.describe_key_pairs()["KeyPairs"]]
    assert names == [somebody_s["KeyName"]]
    # The caller's policy is the one that the README names.
    readme = (SCENARIO / "README.md").read_text(encoding="utf-8")
    assert sorted({one for one in CALLS[asked:] if one.rpartition(":")[2] not in readme}) == []
    assert cloud.ec2.describe_security_groups(GroupIds=[cluster["GroupId"]])["SecurityGroups"]


def test_another_certificate_than_the_one_announced_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    expected = "AB" * 32
    task = {
        "name": "Take",
        "pinned_certificate": {
            "address": VERSIONS["2025"],
            "port": cloud.port,
            "sha256": expected,
            "path": str(tmp_path / "pinned.pem"),
        },
    }
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    run = cloud.play([play], "-M", str(SCENARIO / "library"))
    seen = cloud.hashes["2025"]
    assert run.of("Take").failed
    assert (
        f"{VERSIONS['2025']}, port {cloud.port}, shows the certificate {seen}, not {expected}"
        in run.of("Take").msg
    )
    assert not (tmp_path / "pinned.pem").exists()


def test_without_credentials_there_is_one_sentence(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    run = cloud.play(SCENARIO / "create.yml")
    assert run.returncode != 0
    (failed,) = run.failed()
    assert failed.msg.startswith(
        "The scenario ec2 makes instances that cost money and needs the credentials of an AWS account"
    )
    # Nothing was made from here.
    run = cloud.play(SCENARIO / "destroy.yml")
    assert run.returncode == 0, run.output[-3000:]
    assert run.changed() == []
    # Something was: then it says that it stays.
    cloud.folder.mkdir(parents=True)
    (failed,) = cloud.play(SCENARIO / "destroy.yml").failed()
    assert f"Until then what bears the tag codesign-molecule={NAME} stays, and costs." in failed.msg
