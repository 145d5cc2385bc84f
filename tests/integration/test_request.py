# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from nothing to a signed file: bare hosts, a key made in the HSM on one of them, the CA's answer, and another
host that signs with that key. For both client SDKs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from support.playbook import PlaybookRun
from support.signable import Judge, missing_tools, programs

from .conftest import Bench

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

SUBJECT = 'CN=Müller & Söhne, O="Example, Inc.", C=DE'
FILE = r"C:\build\app.exe"


def request(bench: Bench, host: str, folder: Path, *extra: str, **variables: Any) -> PlaybookRun:
    return bench.play(
        "cloudhsm.codesign.request",
        *("-e", f"codesign_request_host={host}", *extra),
        variables={
            "codesign_request_subject": SUBJECT,
            "codesign_request_csr": str(folder / "release.csr"),
            **variables,
        },
    )


def certreqs(bench: Bench, since: int = 0) -> list[list[str]]:
    found = bench.lab.record("process", since=since)
    return [entry["argv"] for entry in found if entry["program"].lower().endswith("certreq.exe")]


@pytest.mark.parametrize(("first", "second"), [("de5", "en3"), ("fr3", "zh5")])
def test_from_nothing_to_a_signed_file(bare: Bench, tmp_path: Path, first: str, second: str) -> None:
    predicted = request(bare, first, tmp_path, "--check")
    assert predicted.returncode == 0, predicted.output[-4000:]
    assert "Make a key in the HSM and a request for the CA" in [one.task for one in predicted.changed(first)]
    assert certreqs(bare) == []
    assert list(tmp_path.iterdir()) == []

    made = request(bare, first, tmp_path)
    assert made.returncode == 0, made.output[-4000:]
    csr = x509.load_pem_x509_csr((tmp_path / "release.csr").read_bytes())
    assert {one.value for one in csr.subject} == {"Müller & Söhne", "Example, Inc.", "DE"}
    assert [words[0] for words in certreqs(bare)] == ["-new"]
    again = request(bare, first, tmp_path)
    assert (again.returncode, again.changed()) == (0, []), again.output[-4000:]

    answer = tmp_path / "answer.pem"
    bare.lab.ask("issue", csr=str(tmp_path / "release.csr"), answer=str(answer))
    expected = request(bare, first, tmp_path, "--check", codesign_request_certificate=str(answer))
    assert [one.task for one in expected.changed()] == ["Accept the CA's answer"], expected.output[-4000:]
    arguments = {
        "codesign_request_certificate": str(answer),
        "codesign_request_folder": str(tmp_path / "release"),
    }
    accepted = request(bare, first, tmp_path, **arguments)
    assert accepted.returncode == 0, accepted.output[-4000:]
    assert [one.task for one in accepted.changed()] == [
        "Accept the CA's answer",
        "Write the certificate and its chain into files of the control node",
    ]
    quiet = request(bare, first, tmp_path, **arguments)
    assert (quiet.returncode, quiet.changed()) == (0, []), quiet.output[-4000:]
    assert [words[0] for words in certreqs(bare)] == ["-new", "-accept"]
    assert (
        bare.lab.registry(first, r"HKLM\SOFTWARE\Microsoft\SystemCertificates\REQUEST\Certificates")["keys"]
        == []
    )

    pki = Path(bare.lab.info["pki"])
    variables = yaml.safe_load((tmp_path / "release" / "codesign_identities.yml").read_text(encoding="utf-8"))
    variables["codesign_files"] = [FILE]
    hosts = f"{first},{second}"
    ready = bare.play("cloudhsm.codesign.site", "--limit", hosts, variables=variables)
    assert ready.returncode == 0, ready.output[-4000:]
    assert "key_container" in {one.role for one in ready.changed(second)}
    assert "key_container" not in {one.role for one in ready.changed(first)}, "certreq has tied it"
    for host in (first, second):
        bare.lab.write(host, FILE, programs()["setup64.exe"])
    signed = bare.play("cloudhsm.codesign.sign", "--limit", hosts, variables=variables)
    assert signed.returncode == 0, signed.output[-4000:]
    for host in (first, second):
        content = bare.lab.read(host, FILE)
        assert content is not None
        opinion = Judge(tmp_path, pki / "root.pem", pki / "tsa-root.pem").opinion(content, FILE)
        assert (opinion.good, len(opinion.signers)) == (True, 1), opinion
    leaks = bare.lab.ask("leaks", text=bare.password)
    assert (leaks["record"], leaks["files"], leaks["registry"]) == ([], [], [])


def test_what_is_wrong_is_said_before_a_host_is_touched(fleet: Bench, tmp_path: Path) -> None:
    before = fleet.lab.last()
    nobody = fleet.play("cloudhsm.codesign.request")
    assert nobody.returncode != 0
    assert "codesign_request_host is missing" in nobody.output
    two = request(fleet, "en5,de5", tmp_path)
    assert two.returncode != 0
    assert "give the one host" in two.output
    wrong = request(fleet, "en5", tmp_path, codesign_request_subject="CN=Acme, Inc.", codesign_request_csr="")
    assert wrong.returncode != 0
    assert "codesign_request_subject: the subject" in wrong.output
    assert "codesign_request_csr is missing" in wrong.output
    for name, other in (
        ("signing", "has another key than the request"),
        ("server-authentication", "not made for code signing"),
    ):
        key = rsa.generate_private_key(65537, 2048)
        text = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        if name == "signing":
            (tmp_path / "other.csr").write_bytes(text.public_bytes(Encoding.PEM))
        answer = tmp_path / f"{name}.pem"
        answer.write_text(fleet.certificate(name), encoding="ascii")
        refused = request(
            fleet,
            "en5",
            tmp_path,
            codesign_request_csr=str(tmp_path / "other.csr") if name == "signing" else "",
            codesign_request_subject="",
            codesign_request_certificate=str(answer),
        )
        assert refused.returncode != 0
        assert other in " ".join(refused.output.split())
    assert fleet.lab.calls("en5", before) == []


def test_a_wrong_password_is_tried_once_and_makes_no_key(fleet: Bench, tmp_path: Path) -> None:
    before = fleet.lab.status()["cluster"]["refused_logins"]
    wrong = {"codesign_crypto_password": "not-the-password"}
    run = request(fleet, "en5", tmp_path, **wrong)
    try:
        assert run.returncode != 0
        assert fleet.lab.status()["cluster"]["refused_logins"] == before + 1
        assert not (tmp_path / "release.csr").exists()
    finally:
        fleet.lab.clear()
