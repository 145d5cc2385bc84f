# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to a key side by side: hosts whose provider reads key reference files, and hosts where it opens keys
by their own names. Everything here is done by the playbooks, and by the role that a user would take alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.playbook import PlaybookRun
from support.signable import Judge, programs

from .conftest import Bench, running
from .scenes import thumbprint

REFERENCE, DIRECT, GERMAN, OLD = "ref5", "dir5", "dir5de", "old3"
FLEET: dict[str, Any] = {
    "hosts": {
        REFERENCE: {},
        DIRECT: {"key_access": "direct"},
        GERMAN: {"key_access": "direct", "language": "de"},
        OLD: {"client_sdk": 3},
    },
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
HOSTS = tuple(FLEET["hosts"])
NAME = "codesign-key"
"""What the lab calls the signing key on the HSM"""
CAVIUM, CLOUDHSM = "Cavium Key Storage Provider", "CloudHSM Key Storage Provider"
ROLES = {"client", "certificates", "signtool", "key_container"}


@pytest.fixture(scope="module")
def bare_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("ways"), FLEET) as control:
        yield Bench(control)


@pytest.fixture(scope="module")
def predicted(bare_bench: Bench) -> PlaybookRun:
    return bare_bench.play("cloudhsm.codesign.site", "--check", "--diff")


@pytest.fixture(scope="module")
def ways(bare_bench: Bench, predicted: PlaybookRun) -> Bench:
    """The fleet after site.yml, which check mode had foretold."""
    run = bare_bench.play("cloudhsm.codesign.site", "--diff")
    assert run.returncode == 0, run.output[-6000:]
    assert {(one.host, one.role) for one in predicted.changed()} == {
        (one.host, one.role) for one in run.changed()
    }
    return bare_bench


def site(ways: Bench, host: str, *extra: str, **variables: Any) -> PlaybookRun:
    return ways.play("cloudhsm.codesign.site", "--limit", f"{host},localhost", *extra, variables=variables)


def converge(ways: Bench) -> None:
    run = ways.play("cloudhsm.codesign.site")
    assert run.returncode == 0, run.output[-6000:]


def state(ways: Bench, host: str, **arguments: Any) -> Mapping[str, Any]:
    """What win_codesign_info reads, of the client and the lab's identity."""
    identities = "{{ query('cloudhsm.codesign.identities', codesign_identities) }}"
    return ways.task(
        host, "win_codesign_info", {"gather": ["client", "identities"], "identities": identities, **arguments}
    )


def association(ways: Bench, host: str) -> tuple[str, str]:
    found = state(ways, host)["identities"][0]["association"]
    return found["container"], found["provider"]


def test_check_mode_on_bare_hosts_predicts_every_role(predicted: PlaybookRun) -> None:
    assert predicted.returncode == 0, predicted.output[-4000:]
    assert {host: {one.role for one in predicted.changed(host)} for host in HOSTS} == dict.fromkeys(
        HOSTS, ROLES
    )


def test_each_host_goes_its_way(ways: Bench) -> None:
    for host in (DIRECT, GERMAN):
        found = state(ways, host)
        assert found["client"]["key_access"] == "direct"
        assert association(ways, host) == (NAME, CLOUDHSM)
        assert found["containers"] == []
        assert found["identities"][0]["container"] == NAME
        ksp = next(part for part in found["client"]["components"] if part["name"] == "ksp")
        assert not ksp["sdk3_compatibility_mode"]
    for host in (REFERENCE, OLD):
        found = state(ways, host)
        container, provider = association(ways, host)
        assert (found["client"]["key_access"], provider) == ("reference", CAVIUM)
        assert found["containers"] == [container]


def test_a_second_run_changes_nothing_and_costs_one_call(ways: Bench) -> None:
    converge(ways)
    before = ways.lab.last()
    run = ways.play("cloudhsm.codesign.site", "--diff")
    assert run.returncode == 0, run.output[-4000:]
    assert run.changed() == []
    assert {host: len(ways.lab.calls(host, before)) for host in HOSTS} == dict.fromkeys(HOSTS, 1)


def test_the_role_alone_logs_in_for_nothing_that_is_tied(ways: Bench) -> None:
    before = ways.lab.last()
    play = {
        "name": "key_container alone",
        "ansible.builtin.include_role": {"name": "cloudhsm.codesign.key_container"},
    }
    run = ways.tasks(DIRECT, [play])
    assert not run.failed(), run.output[-4000:]
    assert run.changed() == []
    assert len(ways.lab.calls(DIRECT, before)) == 2
    assert ways.lab.record("process", DIRECT, before) == []


def test_auto_is_what_the_host_does(ways: Bench) -> None:
    run = site(ways, DIRECT, codesign_key_access="auto")
    assert (run.returncode, run.changed()) == (0, []), run.output[-4000:]


def test_both_ways_sign(ways: Bench, tmp_path: Path) -> None:
    program = next(iter(programs().values()))
    for host in HOSTS:
        ways.lab.write(host, r"C:\build\app.exe", program)
    variables = {"codesign_files": [r"C:\build\*.exe"]}
    run = ways.play("cloudhsm.codesign.sign", variables=variables)
    assert run.returncode == 0, run.output[-4000:]
    pki = Path(ways.lab.info["pki"])
    judge = Judge(tmp_path, pki / "root.pem", pki / "tsa-root.pem")
    for host in HOSTS:
        content = ways.lab.read(host, r"C:\build\app.exe")
        assert content is not None
        opinion = judge.opinion(content, "app.exe")
        assert opinion.good, (host, opinion.text)
        assert len(opinion.signers) == 1
    assert ways.play("cloudhsm.codesign.sign", variables=variables).changed() == []


def test_site_proves_that_both_sign(ways: Bench) -> None:
    run = ways.play("cloudhsm.codesign.site", variables={"codesign_prove": "signature"})
    assert run.returncode == 0, run.output[-4000:]
    assert run.changed() == []


@pytest.mark.parametrize(("host", "other"), [(REFERENCE, "direct"), (DIRECT, "reference")])
def test_the_other_way_is_refused_while_a_certificate_needs_this_one(
    ways: Bench, host: str, other: str
) -> None:
    """By the run, by check mode, and as a difference in the report, each with the certificate's name."""
    signing, before = thumbprint(ways, "signing"), association(ways, host)
    for extra in (("--check",), ()):
        run = site(ways, host, *extra, codesign_key_access=other)
        assert run.returncode != 0
        (failed,) = run.failed(host)
        assert signing in failed.msg
        assert "codesign_switch_key_access" in failed.msg
        assert (failed.role, failed.action) == ("client", "cloudhsm.codesign.win_cloudhsm_client")
    found = state(ways, host, key_access=other)
    assert any(signing in one["repair"] for one in found["findings"] if one["link"] == "client")
    assert association(ways, host) == before
    assert site(ways, host).changed() == []


@pytest.mark.parametrize(("host", "other"), [(REFERENCE, "direct"), (DIRECT, "reference")])
def test_a_host_goes_over_where_that_is_asked_for(ways: Bench, host: str, other: str) -> None:
    """There and back again; check mode says which roles it takes."""
    own = "reference" if other == "direct" else "direct"
    for way in (other, own):
        wish = {"codesign_key_access": way, "codesign_switch_key_access": True}
        foretold = site(ways, host, "--check", **wish)
        assert foretold.returncode == 0, foretold.output[-4000:]
        run = site(ways, host, **wish)
        assert run.returncode == 0, run.output[-4000:]
        for one in (foretold, run):
            assert {result.role for result in one.changed(host)} == {"client", "key_container"}
        provider = CLOUDHSM if way == "direct" else CAVIUM
        assert association(ways, host)[1] == provider
        assert site(ways, host, codesign_key_access=way).changed() == []
        proven = site(ways, host, codesign_key_access=way, codesign_prove="signature")
        assert proven.returncode == 0, proven.output[-4000:]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("key_label:shared", "3 private keys bear the label 'shared'"),
        ("key_label", "has no label on the HSM"),
        ("key_label:-dash", "can be no key container: certutil takes '-dash' for an option"),
    ],
)
def test_a_name_that_opens_no_key_is_one_sentence(ways: Bench, fault: str, words: str) -> None:
    ways.lab.fault("", fault)
    try:
        wish = {"thumbprint": thumbprint(ways, "signing"), "key_access": "direct", "force": True}
        for extra in ((), ("--check",)):
            found = ways.task(GERMAN, "win_cloudhsm_import_key", wish, *extra)
            assert words in found["msg"]
            assert found["link"] in ("key", "container")
            assert "set-attribute" in found["msg"]
    finally:
        ways.lab.clear()


def test_a_name_that_was_changed_is_said_where_the_key_is_used(ways: Bench) -> None:
    """The certificate is tied to the old name: SignTool cannot tell, the HSM can."""
    ways.lab.fault("", "key_label:renamed")
    try:
        ways.lab.write(DIRECT, r"C:\build\later.exe", next(iter(programs().values())))
        run = ways.play(
            "cloudhsm.codesign.sign",
            "--limit",
            f"{DIRECT},localhost",
            variables={"codesign_files": [r"C:\build\later.exe"]},
        )
        (failed,) = run.failed(DIRECT)
        assert "tied to the name 'codesign-key'" in failed.msg
        assert "'renamed'" in failed.msg
    finally:
        ways.lab.clear()


def test_the_modules_hold_to_the_way_that_the_provider_goes(ways: Bench) -> None:
    wish = {"thumbprint": thumbprint(ways, "signing"), "force": True}
    for host, other in ((REFERENCE, "direct"), (DIRECT, "reference")):
        found = ways.task(host, "win_cloudhsm_import_key", {**wish, "key_access": other})
        assert found["link"] == "client"
        assert f"key_access is {other}" in found["msg"]
    found = ways.task(DIRECT, "win_cloudhsm_import_key", {**wish, "readers": ["BUILTIN\\Users"]})
    assert (found["changed"], found["container"], found["proof"]) == (False, NAME, "public_key")
    assert "no key reference file" in " ".join(found["warnings"])
    gone = ways.task(DIRECT, "win_cloudhsm_import_key", {**wish, "state": "absent"})
    assert (gone["changed"], gone["removed"]) == (False, [])


def test_certutil_searches_among_names_as_among_files(ways: Bench) -> None:
    """win_cert_repairstore finds the key by itself, too, and its answer is the name that was found otherwise."""
    arguments = {"thumbprint": thumbprint(ways, "signing"), "provider": CLOUDHSM}
    untied = ways.task(DIRECT, "win_cert_repairstore", {**arguments, "state": "absent"})
    assert untied["changed"]
    tied = ways.task(DIRECT, "win_cert_repairstore", {**arguments, "method": "search", "test_key": True})
    assert (tied["association"]["container"], tied["key"]) == (NAME, "usable")
    converge(ways)


def test_sdk3_has_no_direct_way(ways: Bench) -> None:
    run = site(ways, OLD, codesign_key_access="direct")
    assert run.returncode != 0
    assert "exists in Client SDK 5 alone" in run.output or "SDK 5" in run.failed()[0].msg
    wish = {"thumbprint": thumbprint(ways, "signing"), "key_access": "direct"}
    assert ways.task(OLD, "win_cloudhsm_import_key", wish)["link"] == "argument"


def test_a_mode_that_drifted_is_reported_and_set_right(ways: Bench) -> None:
    """Turned over by hand on each kind of host: an explicit wish and the certificates' files say what is right."""
    ways.tasks(
        f"{REFERENCE},{DIRECT}",
        [
            {
                "name": "by hand",
                "ansible.windows.win_command": {
                    "argv": [
                        r"C:\Program Files\Amazon\CloudHSM\bin\configure-ksp.exe",
                        "--{{ 'enable' if codesign_key_access is defined else 'disable' }}-sdk3-compatibility-mode",
                    ]
                },
            }
        ],
    )
    report = ways.play("cloudhsm.codesign.drift", variables={"codesign_drift_fail": True})
    assert {one.host for one in report.failed()} == {REFERENCE, DIRECT}
    assert "SDK 3 compatibility mode (ksp) should be on, is off" in report.output
    assert "SDK 3 compatibility mode (ksp) should be off, is on" in report.output
    run = ways.play("cloudhsm.codesign.site")
    assert run.returncode == 0, run.output[-4000:]
    assert {(one.host, one.role) for one in run.changed()} >= {(REFERENCE, "client"), (DIRECT, "client")}
    assert site(ways, f"{REFERENCE},{DIRECT}").changed() == []
