# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before a host is touched (preflight), and hosts that only verify (site, drift, verify)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.control.process import Control
from support.aws_api import aws_api, forget_clusters, make_cluster
from support.playbook import PlaybookRun, run_playbook
from support.signable import Vendor, missing_tools, programs, tampered, thumbprint

from .conftest import COLLECTIONS, running

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

HOSTS = ("one", "two")
CLUSTER = "cluster-a1b2c3d4e5f"


@dataclass(frozen=True)
class Lab:
    """Two bare hosts, and a vendor whose files they shall verify."""

    control: Control
    vendor: Vendor

    @property
    def given(self) -> dict[str, Any]:
        """What the inventory says of the hosts that sign."""
        return dict(yaml.safe_load(self.control.inventory.read_text())["all"]["children"]["windows"]["vars"])

    def play(self, playbook: str, *extra: str, login: bool = False, **variables: Any) -> PlaybookRun:
        return run_playbook(
            f"cloudhsm.codesign.{playbook}",
            self.control.inventory,
            collections=COLLECTIONS,
            extra=[*(["-e", f"@{self.control.secrets}"] if login else []), *extra],
            variables=variables,
            keep_results=True,
        )

    def calls(self, since: int) -> int:
        return sum(len(self.control.calls(host, since)) for host in HOSTS)

    @property
    def chain_alone(self) -> list[dict[str, Any]]:
        """The vendor, by whom nobody here signs."""
        root = str(self.vendor.folder / "root.pem")
        ours = [thumbprint(self.vendor.certificate)]
        return [{"name": "vendor", "former": ours, "chain": [{"certificate": root}]}]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    fleet = {
        "hosts": {name: {} for name in HOSTS},
        "cluster": {"hsm_type": "hsm2m", "hsms": 2},
        "certificates": "all",
    }
    with running(tmp_path_factory.mktemp("lab"), fleet) as control:
        yield Lab(control, Vendor(tmp_path_factory.mktemp("vendor") / "vendor"))


@pytest.fixture
def aws(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS knows the lab's cluster."""
    certificate = (Path(lab.control.info["pki"]) / "customerCA.crt").read_text(encoding="ascii")
    with aws_api() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        make_cluster(CLUSTER, {}, lab.given["codesign_hsm_addresses"], certificate)
        yield
        forget_clusters()


# preflight
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("extra", [(), ("--check",)], ids=["run", "check mode"])
def test_good_variables_touch_no_host(lab: Lab, extra: tuple[str, ...]) -> None:
    since = lab.control.last()
    run = lab.play("preflight", *extra, login=True, codesign_cluster_id=CLUSTER)
    assert run.returncode == 0, run.output[-4000:]
    said = next(result.msg for result in run.results if result.task == "Say what was found")
    assert said.startswith("Nothing is missing or wrong in the variables of 2 hosts. They were compared with")
    assert lab.calls(since) == 0
    assert run.changed() == []


@pytest.mark.usefixtures("aws")
def test_all_that_is_wrong_is_one_message(lab: Lab) -> None:
    since = lab.control.last()
    pki = Path(lab.control.info["pki"])
    ended = str(pki / "signing-expired.pem")
    run = lab.play(
        "preflight",
        codesign_cluster_id=CLUSTER,
        codesign_hsm_addresses=["10.99.0.1"],
        codesign_customer_ca="files/gone.crt",
        codesign_hsm_type="hsm1",
        codesign_identities=[
            {"name": "ended", "certificate": ended},
            {"name": "chain", "certificate": str(pki / "signing.pem"), "chain": [{"certificate": ended}]},
        ],
        codesign_files=r"C:\a.exe",
        codesign_sign_identity="nobody",
        codesign_signtol_path=r"C:\signtool.exe",
    )
    assert run.returncode != 0
    (failed,) = run.failed()
    for part in (
        "codesign_hsm_addresses has 10.99.0.1",
        "codesign_hsm_type is hsm1",
        "The file 'files/gone.crt' was not found",
        "certificate of 'ended' cannot sign",
        "in the chain of 'chain'",
        "codesign_crypto_user and codesign_crypto_password are missing",
        "codesign_sign_identity is 'nobody'",
        "codesign_signtol_path is no variable of this collection: did you mean codesign_signtool_path?",
    ):
        assert part in failed.msg, (part, failed.msg)
    assert lab.calls(since) == 0


def test_without_aws_nothing_is_held_against_the_user(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    run = lab.play("preflight", login=True)
    assert run.returncode == 0, run.output[-4000:]
    assert "The cluster was not looked at: There are no usable AWS credentials" in run.output
    run = lab.play("preflight", login=True, codesign_ask_aws=False)
    assert run.returncode == 0, run.output[-4000:]
    assert "The cluster was not looked at: codesign_ask_aws is false." in run.output


def test_check_mode_on_bare_hosts_finds_wrong_addresses(lab: Lab) -> None:
    run = lab.play("site", "--check", "--limit", "two", login=True, codesign_hsm_addresses=["127.0.0.99"])
    assert run.returncode != 0
    assert "127.0.0.99" in run.failed()[-1].msg
    assert lab.play("site", "--check", "--limit", "two", login=True).returncode == 0


# verify
# ------------------------------------------------------------------------------------------------------------

RELEASE = r"C:\release"


@pytest.fixture(scope="module")
def verifying(lab: Lab) -> Iterator[Lab]:
    """The hosts after site.yml: the vendor's root and SignTool are there, and nothing else. Files of each kind
    are on the first one.
    """
    since = lab.control.last()
    predicted = lab.play("site", "--check", codesign_identities=lab.chain_alone)
    assert predicted.returncode == 0, predicted.output[-4000:]
    run = lab.play("site", codesign_identities=lab.chain_alone)
    assert run.returncode == 0, run.output[-4000:]
    for found in (predicted, run):
        roles = {result.role for result in found.changed() if result.role != "inspect"}
        assert roles == {"certificates", "signtool"}, found.output[-4000:]
    ran = {
        entry["program"].rsplit("\\", 1)[-1].lower() for entry in lab.control.record("process", since=since)
    }
    assert ran <= {"signtool.exe"}
    program = programs()["setup64.exe"]
    signed = lab.vendor.sign(program)
    for name, content in (
        ("signed.exe", signed),
        ("plain.exe", program),
        ("changed.exe", tampered(signed)),
    ):
        lab.control.write("one", rf"{RELEASE}\{name}", content)
    yield lab
    lab.control.remove("one", RELEASE)


def verify(lab: Lab, *names: str, **variables: Any) -> PlaybookRun:
    usual: dict[str, Any] = {
        "codesign_identities": lab.chain_alone,
        "codesign_files": [rf"{RELEASE}\{name}" for name in names],
        "codesign_sign_timestamp_urls": [],
    }
    return lab.play("verify", "--limit", "one", **{**usual, **variables})


def test_a_host_that_only_verifies_needs_one_call(verifying: Lab) -> None:
    since = verifying.control.last()
    for playbook in ("site", "drift"):
        run = verifying.play(
            playbook,
            codesign_identities=verifying.chain_alone,
            codesign_drift_fail=True,
            codesign_prove="signature",
            codesign_hsm_addresses=[],
        )
        assert (run.returncode, run.changed()) == (0, []), run.output[-4000:]
    assert verifying.calls(since) == 2 * len(HOSTS)


def test_what_the_vendor_signed_is_verified(verifying: Lab) -> None:
    before = hashlib.sha256(verifying.control.read("one", rf"{RELEASE}\signed.exe") or b"").hexdigest()
    since = verifying.control.last()
    run = verify(verifying, "signed.exe")
    assert (run.returncode, run.changed()) == (0, []), run.output[-4000:]
    assert run.of("Say what was done", "one").msg == "1 file: 1 verified."
    result = run.of("Have the files as they should be", "one").result
    assert [(one["sha256_after"], one["trusted"]) for one in result["files"]] == [(before, True)]
    assert verifying.calls(since) == 1
    assert not verifying.control.record("file", "one", since)


@pytest.mark.parametrize(
    ("name", "variables", "says"),
    [
        ("plain.exe", {}, r"C:\release\plain.exe is not signed."),
        ("changed.exe", {}, "was changed after it was signed"),
        ("gone.exe", {}, r"C:\release\gone.exe does not exist"),
        (
            "signed.exe",
            {"codesign_sign_timestamp_urls": ["http://timestamp.example.com"]},
            "is signed without a timestamp",
        ),
        ("signed.exe", {"codesign_identities": "signing"}, "is signed, but not by"),
    ],
    ids=["unsigned", "changed", "missing", "without timestamp", "by another"],
)
def test_what_is_not_so_is_one_sentence(
    verifying: Lab, name: str, variables: dict[str, Any], says: str
) -> None:
    if variables.get("codesign_identities"):
        # Its certificate is read on the control node, and not looked for on the host.
        variables = {**variables, "codesign_identities": verifying.given["codesign_identities"][:1]}
    run = verify(verifying, name, **variables)
    assert run.returncode != 0
    (failed,) = run.failed()
    assert says in failed.msg, failed.msg


def test_to_sign_by_a_chain_is_refused_before_a_host_is_touched(verifying: Lab) -> None:
    since = verifying.control.last()
    run = verifying.play("sign", codesign_identities=verifying.chain_alone, codesign_files=r"C:\a.exe")
    (failed,) = run.failed()
    assert "'vendor' has no certificate, so nothing can be signed as it" in failed.msg
    assert verifying.calls(since) == 0
