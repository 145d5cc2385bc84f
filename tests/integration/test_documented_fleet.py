# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/examples as it stands: the inventory and the secrets from AWS (moto answers), and a site.yml of somebody's own
on the lab's hosts.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.ec2.models import ec2_backends
from moto.secretsmanager.models import secretsmanager_backends
from winrm.protocol import Protocol

from lab.control.process import Control
from support.aws_api import ACCOUNT, REGION, aws_api, forget_clusters, make_cluster
from support.playbook import ROOT, PlaybookRun, environment, run_playbook

from .conftest import COLLECTIONS, running

EXAMPLES = ROOT / "docs" / "examples"
TAGS = {"one": "release", "two": "nightly"}
"""Our hosts, by name, and what they bear as the tag codesign."""


@dataclass(frozen=True)
class Desk:
    """A copy of docs/examples with the files that it names; ``aws``: where boto3 finds the APIs."""

    lab: Control
    folder: Path
    aws: dict[str, str]

    def inventory(self, *argv: str) -> Any:
        """What ansible-inventory prints about the examples' inventory alone."""
        program = str(Path(sys.executable).with_name("ansible-inventory"))
        done = subprocess.run(
            [program, "-i", "inventory", *argv],
            cwd=self.folder,
            env={**environment(COLLECTIONS), **self.aws, "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def play(self, playbook: str, *extra: str) -> PlaybookRun:
        """A playbook with the examples' inventory, and after it the one that says where the lab's hosts are."""
        return run_playbook(
            playbook,
            self.folder / "inventory",
            collections=COLLECTIONS,
            extra=["-i", str(self.folder / "lab.yml"), *extra],
            keep_results=True,
        )


def instances() -> None:
    """Two hosts of ours, a Linux machine and a Windows host that has nothing to do with signing."""
    ec2 = boto3.client("ec2", region_name=REGION)
    images = {image.get("Platform", ""): image["ImageId"] for image in ec2.describe_images()["Images"]}
    for name, platform, tags in (
        *((name, "windows", {"codesign": tag}) for name, tag in TAGS.items()),
        ("linux", "", {"codesign": "release"}),
        ("desk", "windows", {}),
    ):
        named = [{"Key": key, "Value": value} for key, value in {"Name": name, **tags}.items()]
        ec2.run_instances(
            ImageId=images[platform],
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": named}],
        )


def secrets(login: Mapping[str, str], windows: Mapping[str, str]) -> None:
    manager = boto3.client("secretsmanager", region_name=REGION)
    user = {"user": login["codesign_crypto_user"], "password": login["codesign_crypto_password"]}
    manager.create_secret(Name="codesign/crypto-user", SecretString=json.dumps(user))
    for name, password in windows.items():
        manager.create_secret(Name=f"codesign/windows/{name}", SecretString=password)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk") / "examples"
    shutil.copytree(EXAMPLES, folder)
    fleet = {
        "hosts": {name: {} for name in TAGS},
        "cluster": {"hsm_type": "hsm2m", "hsms": 2},
        "certificates": "all",
    }
    with running(tmp_path_factory.mktemp("lab"), fleet) as control, aws_api() as aws:
        pki = Path(control.info["pki"])
        (folder / "files").mkdir()
        for name, source in (
            ("customerCA.crt", "customerCA.crt"),
            ("release.cer", "signing.pem"),
            ("root.cer", "root.pem"),
            ("intermediate.cer", "intermediate.pem"),
        ):
            shutil.copyfile(pki / source, folder / "files" / name)
        lab = yaml.safe_load(control.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]
        described = set(
            yaml.safe_load((folder / "inventory/group_vars/codesign/identities.yml").read_text("utf-8"))
        )
        (folder / "lab.yml").write_text(yaml.safe_dump(_where(lab, described)), encoding="utf-8")
        addresses = lab["vars"]["codesign_hsm_addresses"]
        make_cluster(
            "cluster-igklspoyj5v",
            {"purpose": "code-signing"},
            addresses,
            (pki / "customerCA.crt").read_text("ascii"),
        )
        login = yaml.safe_load(control.secrets.read_text(encoding="utf-8"))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in aws.items():
                patch.setenv(name, value)
            instances()
            secrets(login, {name: own["ansible_password"] for name, own in lab["hosts"].items()})
            yield Desk(control, folder, aws)
        forget_clusters()
        ec2_backends[ACCOUNT][REGION].reset()
        secretsmanager_backends[ACCOUNT][REGION].reset()


def _where(lab: dict[str, Any], described: set[str]) -> dict[str, Any]:
    """How the lab's hosts are reached, and what only the lab has (its packages): what the examples describe is left
    to them.
    """
    hosts = {
        name: {
            key: value
            for key, value in {**lab["vars"], **own}.items()
            if key not in described and key != "ansible_password"
        }
        for name, own in lab["hosts"].items()
    }
    addresses = {"codesign_hsm_addresses": lab["vars"]["codesign_hsm_addresses"]}
    return {"codesign": {"hosts": {name: {**own, **addresses} for name, own in hosts.items()}}}


def test_the_inventory_finds_the_hosts_by_their_tag(desk: Desk) -> None:
    found = desk.inventory("--list")
    assert sorted(found["codesign"]["hosts"]) == sorted(TAGS)
    for name, tag in TAGS.items():
        assert name in found[f"codesign_{tag}"]["hosts"]
    host = found["_meta"]["hostvars"]["one"]
    assert host["ansible_host"] == host["private_ip_address"]


def test_no_secret_is_in_the_inventory(desk: Desk) -> None:
    login = yaml.safe_load(desk.lab.secrets.read_text(encoding="utf-8"))
    assert login["codesign_crypto_password"] not in json.dumps(desk.inventory("--list"))


def test_the_fleet_is_set_up_with_login_and_passwords_from_secrets_manager(desk: Desk) -> None:
    run = desk.play("cloudhsm.codesign.site")
    assert run.returncode == 0, run.output[-5000:]
    again = desk.play("cloudhsm.codesign.site")
    assert (again.returncode, again.changed()) == (0, []), again.output[-4000:]


def test_a_site_of_ones_own_takes_two_roles(desk: Desk) -> None:
    run = desk.play(str(desk.folder / "site.yml"))
    assert run.returncode == 0, run.output[-5000:]
    assert {result.host for result in run.results if result.role.endswith("certificates")} == set(TAGS)
    again = desk.play(str(desk.folder / "site.yml"))
    assert (again.returncode, again.changed()) == (0, []), again.output[-4000:]


def test_requirements_name_what_the_examples_use() -> None:
    wanted = {
        one["name"]
        for one in yaml.safe_load((EXAMPLES / "requirements.yml").read_text("utf-8"))["collections"]
    }
    assert wanted == {"cloudhsm.codesign", "amazon.aws"}


def connection_blocks() -> list[dict[str, str]]:
    """The blocks of docs/connections.md."""
    text = (ROOT / "docs" / "connections.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_every_way_to_connect_has_a_block() -> None:
    assert [block["ansible_connection"] for block in connection_blocks()] == [
        *("winrm",) * 3,
        "psrp",
        "ssh",
        "amazon.aws.aws_ssm",
    ]


@pytest.mark.parametrize("block", connection_blocks(), ids=lambda block: str(list(block.values())[:3]))
def test_connections_are_described_in_variables_that_their_plugin_has(block: dict[str, str]) -> None:
    program = str(Path(sys.executable).with_name("ansible-doc"))
    shown = subprocess.run(
        [program, "--type", "connection", "--json", block["ansible_connection"]],
        env=environment(COLLECTIONS),
        capture_output=True,
        text=True,
        check=True,
    )
    (plugin,) = json.loads(shown.stdout).values()
    known = {one["name"] for option in plugin["doc"]["options"].values() for one in option.get("vars", ())}
    # The winrm plug-in takes what pywinrm takes beside what it documents; ssh leaves the shell to another plug-in.
    handed = {
        "winrm": {f"ansible_winrm_{name}" for name in inspect.signature(Protocol.__init__).parameters},
    }.get(block["ansible_connection"], {"ansible_shell_type"})
    assert set(block) - known - handed == {"ansible_connection"}
