# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles and playbooks as parts of somebody else's play: in a loop, by tags, in batches, in check mode behind one
another, with module_defaults as documented, and what a notice changes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml
from cryptography import x509

from support.playbook import ROOT, PlaybookRun, run_playbook
from support.signable import missing_tools, programs, thumbprint

from .conftest import COLLECTIONS, Bench

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

FOLDER = r"C:\plays"
HOSTS = ("en5", "de5", "zh5", "en3", "fr3")


def run(bench: Bench, play: dict[str, Any], *extra: str, **variables: Any) -> PlaybookRun:
    return run_playbook(
        [{"name": "a play of somebody else", "gather_facts": False, **play}],
        bench.lab.inventory,
        collections=COLLECTIONS,
        extra=["-e", f"@{bench.lab.secrets}", *extra],
        variables={"codesign_sign_timestamp_urls": [str(bench.lab.status()["tsa"])], **variables},
        keep_results=True,
    )


def put(bench: Bench, host: str, *names: str) -> list[str]:
    paths = [rf"{FOLDER}\{name}" for name in names]
    for path in paths:
        bench.lab.write(host, path, programs()["setup64.exe"])
    return paths


def roles_of(found: PlaybookRun, host: str = "") -> set[str]:
    return {result.role for result in found.changed(host)}


def test_a_role_in_a_loop_gives_no_warning(fleet: Bench) -> None:
    files = put(fleet, "en5", "one.exe", "two.exe")
    roles = ["client", "certificates", "signtool", "key_container", "sign"]
    tasks = [
        {
            "name": f"the role {role}",
            "ansible.builtin.include_role": {"name": f"cloudhsm.codesign.{role}"},
            "vars": {"codesign_files": ["{{ item }}"]},
            "loop": files,
        }
        for role in roles
    ]
    found = run(fleet, {"hosts": "en5", "tasks": tasks})
    assert found.returncode == 0, found.output[-4000:]
    assert "WARNING" not in found.output, found.output
    said = [result.msg for result in found.results if result.task == "Say what was done"]
    assert said == [f"1 file: 1 signed ({path}), 0 signed already." for path in files]


@pytest.mark.parametrize(
    ("tags", "repaired"),
    [
        (("codesign_certificates",), {"certificates"}),
        (("codesign_key_container",), {"key_container"}),
        (("web",), set()),
        (("codesign",), {"certificates", "key_container"}),
    ],
    ids=lambda value: " ".join(sorted(value)) or "nothing",
)
def test_a_tag_chooses_a_stage(fleet: Bench, tags: Sequence[str], repaired: set[str]) -> None:
    for damage in ("chain", "association"):
        assert fleet.lab.damage("de5", damage) > 0
    since = fleet.lab.last()
    try:
        found = fleet.play("cloudhsm.codesign.site", "--tags", ",".join(tags), "--limit", "de5")
        assert found.returncode == 0, found.output[-4000:]
        assert roles_of(found) == repaired
        assert bool(fleet.lab.calls("de5", since)) == (tags != ("web",))
    finally:
        assert fleet.play("cloudhsm.codesign.site", "--limit", "de5").returncode == 0


def test_hosts_come_in_batches(fleet: Bench) -> None:
    found = fleet.play("cloudhsm.codesign.drift", "-e", "codesign_serial=2")
    assert found.returncode == 0, found.output[-4000:]
    done = [result for result in found.results if not result.skipped]
    assert len([result for result in done if result.task == "Name each difference"]) == len(HOSTS)
    # The variables of a batch are checked before it is looked at.
    assert [result.task for result in done].count("Check the variables") == 3


@pytest.mark.parametrize("roles", [("key_container", "sign"), ("sign",)], ids=["tied before", "sign alone"])
def test_check_mode_knows_what_an_earlier_role_would_bring(fleet: Bench, roles: Sequence[str]) -> None:
    """What the run itself does is predicted: signed behind the role that ties, refused without it."""
    (path,) = put(fleet, "de5", "predicted.exe")
    assert fleet.lab.damage("de5", "association") > 0
    play = {"hosts": "de5", "roles": [f"cloudhsm.codesign.{role}" for role in roles]}
    try:
        for extra in (["--check"], []):
            found = run(fleet, play, *extra, codesign_files=[path])
            if "key_container" in roles:
                assert found.returncode == 0, found.output[-4000:]
                assert roles_of(found) == {"key_container", "sign"}
            else:
                assert found.returncode != 0
                assert "is not tied to a key" in found.failed()[0].msg
    finally:
        assert fleet.play("cloudhsm.codesign.site", "--limit", "de5").returncode == 0


@pytest.mark.parametrize("state", ["timestamped", "unsigned"])
def test_the_role_does_what_the_module_can(fleet: Bench, state: str) -> None:
    (path,) = put(fleet, "zh5", f"{state}.exe")
    play = {"hosts": "zh5", "roles": ["cloudhsm.codesign.sign"]}
    plain = {"codesign_sign_timestamp_urls": []} if state == "timestamped" else {}
    assert run(fleet, play, codesign_files=path, **plain).returncode == 0
    predicted = run(fleet, play, "--check", codesign_files=path, codesign_sign_state=state)
    done = run(fleet, play, codesign_files=path, codesign_sign_state=state)
    again = run(fleet, play, codesign_files=path, codesign_sign_state=state)
    for found, changed in ((predicted, True), (done, True), (again, False)):
        assert found.returncode == 0, found.output[-4000:]
        assert bool(found.changed()) == changed
    said = [found.of("Say what was done", "zh5").msg for found in (predicted, done, again)]
    assert said == [
        f"1 file: 1 would be {state} ({path}), 0 {state} already.",
        f"1 file: 1 {state} ({path}), 0 {state} already.",
        f"1 file: 0 {state}, 1 {state} already.",
    ]


def test_all_folders_below_are_signed_and_verified(fleet: Bench) -> None:
    put(fleet, "zh5", r"deep\a.exe", r"deep\one\b.exe", r"deep\one\two\c.exe", r"deep\one\two\c.txt")
    since = fleet.lab.last()
    play = {"hosts": "zh5", "roles": ["cloudhsm.codesign.sign"]}
    wanted = {"codesign_files": [rf"{FOLDER}\deep\**\*.exe"]}
    predicted, done = run(fleet, play, "--check", **wanted), run(fleet, play, **wanted)
    for found in (predicted, done):
        assert found.returncode == 0, found.output[-4000:]
        assert (
            found.of("Have the files as they should be", "zh5").result["files"][2]["path"].endswith("c.exe")
        )
        assert len(found.of("Have the files as they should be", "zh5").result["files"]) == 3
    since = fleet.lab.last()
    again = run(fleet, play, **wanted, codesign_sign_state="verified")
    assert again.of("Say what was done", "zh5").msg == "3 files: 3 verified."
    assert len(fleet.lab.calls("zh5", since)) == 2


def test_a_certificate_of_before_a_renewal_is_taken_out(fleet: Bench) -> None:
    """By the role, where site.yml finds it; however its thumbprint is written."""
    old = x509.load_pem_x509_certificate(fleet.certificate("signing-second").encode("ascii"))
    path = rf"{FOLDER}\second.pem"
    fleet.lab.write("en5", path, fleet.certificate("signing-second").encode("ascii"))
    store = {"store_name": "My", "store_location": "LocalMachine", "path": path, "state": "present"}
    assert not fleet.tasks("en5", [{"ansible.windows.win_certificate_store": store}]).failed()
    (first, *others) = fleet.identities
    wanted = {
        "codesign_identities": [{**first, "former": [thumbprint(old).lower()]}, *others],
        "codesign_certificates_former": "absent",
    }
    for extra in (["--check"], []):
        found = fleet.play("cloudhsm.codesign.site", "--limit", "en5", *extra, variables=wanted)
        assert found.returncode == 0, found.output[-4000:]
        assert roles_of(found) == {"certificates"}
    again = fleet.play("cloudhsm.codesign.site", "--limit", "en5", variables=wanted)
    assert (again.returncode, again.changed()) == (0, []), again.output[-4000:]


def test_a_notice_changes_nothing(fleet: Bench) -> None:
    far = {"codesign_expiry_days": 20000}
    site = fleet.play("cloudhsm.codesign.site", "--limit", "en5", variables=far)
    drift = fleet.play(
        "cloudhsm.codesign.drift", "--limit", "en5", variables={**far, "codesign_drift_fail": True}
    )
    for found in (site, drift):
        assert (found.returncode, found.changed()) == (0, []), found.output[-4000:]
        assert "days left)" in found.output
    assert drift.of("Name each difference", "en5").msg == "Nothing differs."
    assert drift.of("Show what to know", "en5").result["msg"]


def test_module_defaults_as_documented(fleet: Bench) -> None:
    text = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "module_defaults" in one]
    ours = block.replace(
        "5AAEF93E7E972B1187363D880CFA3F71507C2E24",
        thumbprint(x509.load_pem_x509_certificate(fleet.certificate("signing").encode("ascii"))),
    )
    (play,) = yaml.safe_load(ours.replace(r"C:\build", FOLDER))
    put(fleet, "en5", "documented.exe")
    vault = {
        f"vault_crypto_{name}": fleet.secrets[f"codesign_crypto_{name}"] for name in ("user", "password")
    }
    found = run(fleet, {**play, "hosts": "en5"}, **vault)
    assert found.returncode == 0, found.output[-4000:]
    assert found.of("Sign the programs", "en5").changed
    assert fleet.password not in found.output


@pytest.fixture(scope="module", autouse=True)
def _clean(fleet: Bench) -> Iterator[None]:
    yield
    for host in HOSTS:
        # Which of them has something depends on the tests that ran.
        fleet.lab.write(host, rf"{FOLDER}\last.txt", b"")
        fleet.lab.remove(host, FOLDER)
