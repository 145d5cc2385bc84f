# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user writes: README's own example, what is missing, what is misspelt, whose login is stored."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.control.process import Control
from support.playbook import ROOT, PlaybookRun, run_playbook
from support.signable import programs

from .conftest import COLLECTIONS, running

SITE = "cloudhsm.codesign.site"
HOSTS = ("one", "two")
WRONG = {"codesign_crypto_password": "wrong-horse-battery-8"}
ACCOUNTS = {"codesign_credentials_accounts": [{"name": "SYSTEM"}, {"name": r"NT AUTHORITY\NETWORK SERVICE"}]}


@dataclass(frozen=True)
class Desk:
    """A user's folder: an inventory, group_vars and files."""

    lab: Control
    folder: Path

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory"

    def play(self, playbook: str = SITE, *extra: str, secrets: bool = True, **variables: Any) -> PlaybookRun:
        login = ["-e", f"@{self.lab.secrets}"] if secrets else []
        return run_playbook(
            playbook,
            self.inventory,
            collections=COLLECTIONS,
            extra=[*login, *extra],
            variables=variables,
            keep_results=True,
        )

    def calls(self, since: int) -> int:
        return sum(len(self.lab.calls(host, since)) for host in HOSTS)

    @property
    def refused(self) -> int:
        return int(self.lab.status()["cluster"]["refused_logins"])


def readme_block() -> dict[str, Any]:
    """The variables that README prints first."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(codesign_hsm_addresses.*?)```", text, re.DOTALL)
    assert found
    return dict(yaml.safe_load(found.group(1)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Bare hosts, and a folder as README describes it."""
    folder = tmp_path_factory.mktemp("desk")
    fleet = {
        "hosts": {name: {} for name in HOSTS},
        "cluster": {"hsm_type": "hsm2m", "hsms": 2},
        "certificates": "all",
    }
    with running(tmp_path_factory.mktemp("lab"), fleet) as control:
        given = yaml.safe_load(control.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]
        ours = set(readme_block()) | {"codesign_client_sdk", "codesign_hsm_type"}
        for variables in (given["vars"], *given["hosts"].values()):
            for name in ours:
                variables.pop(name, None)
        made = Desk(control, folder)
        made.inventory.write_text(yaml.safe_dump({"codesign": given}), encoding="utf-8")
        yield made


def write_variables(desk: Desk) -> dict[str, Any]:
    """README's block in group_vars, with the lab's addresses for the made-up ones, and the files that it names."""
    pki = Path(desk.lab.info["pki"])
    lab = yaml.safe_load(desk.lab.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]["vars"]
    block = {**readme_block(), "codesign_hsm_addresses": lab["codesign_hsm_addresses"]}
    secrets = yaml.safe_load(desk.lab.secrets.read_text(encoding="utf-8"))
    vault = {f"vault_crypto_{name}": secrets[f"codesign_crypto_{name}"] for name in ("user", "password")}
    (desk.folder / "group_vars").mkdir(exist_ok=True)
    (desk.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump({**block, **vault}), encoding="utf-8")
    files = desk.folder / "files"
    files.mkdir(exist_ok=True)
    for name, source in (
        ("customerCA.crt", "customerCA.crt"),
        ("release.cer", "signing.pem"),
        ("root.cer", "root.pem"),
        ("intermediate.cer", "intermediate.pem"),
    ):
        shutil.copyfile(pki / source, files / name)
    return block


def messages(run: PlaybookRun) -> set[str]:
    return {result.msg for result in run.failed()}


@pytest.mark.parametrize("extra", [(), ("--check",)], ids=["run", "check mode"])
def test_all_that_is_missing_is_one_message_before_a_host_is_touched(
    desk: Desk, extra: Sequence[str]
) -> None:
    since = desk.lab.last()
    run = desk.play(SITE, *extra, secrets=False)
    assert run.returncode != 0
    (message,) = messages(run)
    for name in (
        "codesign_hsm_addresses",
        "codesign_identities",
        "codesign_customer_ca",
        "codesign_signtool_accept_license",
        "codesign_crypto_user",
        "codesign_crypto_password",
    ):
        assert name in message
    assert desk.calls(since) == 0


def test_a_playbook_needs_hosts(desk: Desk) -> None:
    run = desk.play(SITE, "-e", "codesign_hosts=nobody")
    assert run.returncode != 0
    (message,) = messages(run)
    assert "codesign_hosts, which is nobody" in message


def test_readme_example_works_as_printed(desk: Desk) -> None:
    write_variables(desk)
    run = desk.play(secrets=False)
    assert run.returncode == 0, run.output[-5000:]
    since = desk.lab.last()
    again = desk.play(secrets=False)
    assert (again.returncode, again.changed()) == (0, []), again.output[-4000:]
    assert desk.calls(since) == len(HOSTS)


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        (
            {"codesign_hsm_addresses": "10.0.1.11,10.0.2.12"},
            "codesign_hsm_addresses is one text where a list",
        ),
        ({"codesign_customer_ca": "files/gone.crt"}, "The file 'files/gone.crt' was not found"),
        (
            {"codesign_crypto_password": "{{ vault_misspelt }}"},
            "codesign_crypto_password cannot be worked out",
        ),
        ({"codesign_client_sdk": "4"}, "codesign_client_sdk must be one of"),
    ],
    ids=["commas", "file", "template", "choice"],
)
def test_what_is_wrong_is_said_before_a_host_is_touched(
    desk: Desk, variables: dict[str, Any], part: str
) -> None:
    since = desk.lab.last()
    run = desk.play(secrets=False, **variables)
    (message,) = messages(run)
    assert part in message
    assert desk.calls(since) == 0


def test_a_misspelt_name_is_named(desk: Desk) -> None:
    variables = desk.folder / "group_vars" / "all.yml"
    text = variables.read_text(encoding="utf-8")
    variables.write_text(text.replace("codesign_identities", "codesign_identites"), encoding="utf-8")
    try:
        (message,) = messages(desk.play("cloudhsm.codesign.drift", secrets=False))
    finally:
        variables.write_text(text, encoding="utf-8")
    assert (
        "codesign_identites is no variable of this collection: did you mean codesign_identities?" in message
    )


def test_one_address_is_one_address(desk: Desk) -> None:
    """A text has letters, and they are not counted."""
    block = yaml.safe_load((desk.folder / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    one = block["codesign_hsm_addresses"][0]
    run = desk.play("cloudhsm.codesign.drift", "-e", f"codesign_hsm_addresses={one}", secrets=False)
    result = run.of("Read the signing state of the host", "one").result
    assert {finding["expected"] for finding in result["findings"]} <= {one, "off"}, result["findings"]


# Whose login is stored
# ------------------------------------------------------------------------------------------------------------


def test_a_wrong_login_is_refused_once_and_stored_nowhere(desk: Desk) -> None:
    before, since = desk.refused, desk.lab.last()
    run = desk.play(secrets=False, **ACCOUNTS, **WRONG)
    assert run.returncode != 0
    assert desk.refused - before == 1
    assert {result.result["link"] for result in run.failed()} == {"credential"}
    assert [
        call for host in HOSTS for call in desk.lab.calls(host, since) if "win_credential" in call["module"]
    ] == []


def test_no_login_is_refused_before_a_host_is_touched(desk: Desk) -> None:
    since = desk.lab.last()
    nobody = {"codesign_crypto_user": "", "codesign_crypto_password": "", "codesign_host_login": True}
    (message,) = messages(desk.play(secrets=False, **ACCOUNTS, **nobody))
    assert "there is no login to store for them" in message
    assert desk.calls(since) == 0


def test_a_proven_login_is_stored_for_accounts_without_a_password(desk: Desk) -> None:
    run = desk.play(secrets=False, **ACCOUNTS)
    assert run.returncode == 0, run.output[-4000:]
    assert len(run.changed()) == len(HOSTS) * 2
    assert desk.play(secrets=False, **ACCOUNTS).changed() == []


def test_an_account_that_cannot_be_entered_is_named(desk: Desk) -> None:
    accounts = {"codesign_credentials_accounts": [{"name": "builds$"}]}
    run = desk.play(SITE, "--limit", "one", secrets=False, **accounts)
    assert run.returncode != 0
    assert "The login was not stored for builds$: a managed service account" in run.output


def test_a_rotated_password_is_noticed_by_one_call_of_one_host(desk: Desk) -> None:
    since, before = desk.lab.last(), desk.refused
    proven = desk.play(secrets=False, codesign_prove="login")
    assert proven.returncode == 0, proven.output[-4000:]
    assert desk.calls(since) == len(HOSTS) + 1
    wrong = desk.play(secrets=False, codesign_prove="login", **WRONG)
    assert {result.host for result in wrong.failed()} == set(HOSTS)
    assert desk.refused - before == 1
    assert WRONG["codesign_crypto_password"] not in wrong.output


def test_each_key_signs(desk: Desk) -> None:
    run = desk.play(secrets=False, codesign_prove="signature")
    assert run.returncode == 0, run.output[-4000:]


def test_an_identity_that_expired_fails_its_host_by_name(desk: Desk) -> None:
    """And no role repairs it. The file is read on the control node, so that every host has it."""
    shutil.copyfile(Path(desk.lab.info["pki"]) / "signing-expired.pem", desk.folder / "files" / "expired.cer")
    identity = json.dumps({"codesign_identities": [{"name": "old", "certificate": "files/expired.cer"}]})
    run = desk.play(SITE, "-e", identity, secrets=False)
    assert run.returncode != 0
    assert {result.host for result in run.failed()} == set(HOSTS)
    assert "expired on" in run.output


@pytest.mark.parametrize("extra", [(), ("--check",)], ids=["run", "check mode"])
def test_a_signtool_that_cannot_use_the_provider_fails_its_host(desk: Desk, extra: Sequence[str]) -> None:
    path = r"C:\Kits\10.0.26100.0\x86\signtool.exe"
    desk.lab.write("two", path, b"")
    run = desk.play(SITE, *extra, secrets=False, codesign_signtool_path=path, codesign_hosts="two")
    assert run.returncode != 0
    assert "This host cannot sign. signtool: SignTool's architecture should be x64, is x86" in run.output


def test_a_failing_item_says_its_sentence_and_shows_no_certificate(desk: Desk) -> None:
    """And it speaks of what the user of a role has set."""
    assert desk.lab.damage("one", "container") > 0
    run = desk.play(SITE, "--limit", "one", secrets=False, **WRONG)
    assert "Check codesign_crypto_user and codesign_crypto_password" in run.output
    assert "BEGIN CERTIFICATE" not in run.output
    assert desk.play(SITE, "--limit", "one", secrets=False).returncode == 0


def test_a_signing_says_how_many_files(desk: Desk) -> None:
    for name in ("one", "two"):
        desk.lab.write("one", rf"C:\build\{name}.exe", programs()["setup64.exe"])
    wanted = {"codesign_files": r"C:\build\*.exe", "codesign_sign_timestamp_urls": []}
    first, again = (
        desk.play("cloudhsm.codesign.sign", "--limit", "one", secrets=False, **wanted) for _run in range(2)
    )
    assert "2 files: 2 signed" in first.of("Say what was done", "one").result["msg"]
    assert "2 files: 0 signed" in again.of("Say what was done", "one").result["msg"]


def test_set_up_and_signing_are_predicted_in_one_play(tmp_path: Path) -> None:
    """On a host on which nothing is there yet."""
    roles = ["client", "certificates", "signtool", "key_container", "credentials", "sign"]
    play = {
        "name": "play",
        "hosts": "codesign",
        "gather_facts": False,
        "roles": [f"cloudhsm.codesign.{role}" for role in roles],
    }
    fleet = {"hosts": {"new": {}}, "cluster": {"hsm_type": "hsm2m", "hsms": 2}, "certificates": "all"}
    with running(tmp_path, fleet) as control:
        run = run_playbook(
            [play],
            control.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{control.secrets}", "--check"],
            variables={**ACCOUNTS, "codesign_files": [r"C:\build\*.exe"]},
            keep_results=True,
        )
    assert run.returncode == 0, run.output[-4000:]
    assert {result.role for result in run.changed("new")} == set(roles)
