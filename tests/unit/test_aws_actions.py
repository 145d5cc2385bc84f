# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/aws.md names the calls of AWS that are made, in its table and in its policies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from support.aws_api import ACCOUNT, CALLS, REGION, aws_api, forget_clusters
from support.playbook import ROOT, environment

PAGE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
COLLECTIONS = (ROOT / "build" / "dev", ROOT / "build" / "collections")
INVENTORY = ROOT / "docs" / "examples" / "inventory" / "codesign.aws_ec2.yml"
ACTION = re.compile(r"`((?:[a-z0-9]+):[A-Z]\w+)`")
CONDITIONAL = {"kms:Decrypt"}
"""Its resource is a key that nobody knows here."""
PLAYBOOK = f"""
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: lookup('amazon.aws.secretsmanager_secret', 'codesign/crypto-user.user', nested=true, region='{REGION}') == 'cu1'
    - cloudhsm.codesign.cloudhsm_cluster_info:
        region: {REGION}
        assume_role_arn: arn:aws:iam::{ACCOUNT}:role/describe-clusters
"""


def rows() -> dict[str, set[str]]:
    """The table: who asks, and the actions."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    return {line.split("|")[1].strip(): set(ACTION.findall(line)) for line in lines[1:]}


def of(part: str) -> set[str]:
    (found,) = [actions for who, actions in rows().items() if part in who]
    return found - CONDITIONAL


def policies() -> set[str]:
    found: set[str] = set()
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        for statement in json.loads(block)["Statement"]:
            actions = statement["Action"]
            found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def test_the_policies_allow_what_the_table_names_and_no_more() -> None:
    assert policies() == set().union(*rows().values()) - CONDITIONAL


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What the examples' inventory, a secret and cloudhsm_cluster_info ask for."""
    playbook = tmp_path_factory.mktemp("aws") / "play.yml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    with aws_api() as aws:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        manager = boto3.client(
            "secretsmanager", region_name=REGION, endpoint_url=aws["AWS_ENDPOINT_URL"], **keys
        )
        manager.create_secret(Name="codesign/crypto-user", SecretString='{"user": "cu1"}')
        CALLS.clear()
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                "-i",
                str(INVENTORY),
                str(playbook),
            ],
            env={**os.environ, **environment(COLLECTIONS), **aws},
            capture_output=True,
            text=True,
            check=False,
        )
        calls = set(CALLS)
        manager.delete_secret(SecretId="codesign/crypto-user", ForceDeleteWithoutRecovery=True)
        forget_clusters()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return calls


def test_what_is_asked_is_what_is_documented(asked: set[str]) -> None:
    assert asked == of("`cloudhsm_cluster_info`") | of("aws_ec2") | of("secretsmanager_secret")


def test_the_connection_s_bucket_needs_what_its_documentation_says() -> None:
    source = (
        COLLECTIONS[1] / "ansible_collections" / "amazon" / "aws" / "plugins" / "connection" / "aws_ssm.py"
    )
    said = set(re.findall(r"`(s3:\w+)`", source.read_text(encoding="utf-8")))
    assert said == {action for action in of("aws_ssm") if action.startswith("s3:")}
