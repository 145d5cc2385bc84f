# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup that reads the certificate files of identities."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ansible_collections.cloudhsm.codesign.plugins.lookup.identities import LookupModule
from tests.unit.plugins.certificates import make


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Müller & Söhne")])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x00F3)
    )
    return builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


def lookup() -> LookupModule:
    module = LookupModule(loader=DataLoader())
    module._load_name = "cloudhsm.codesign.identities"
    module._original_path = "identities"
    return module


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_reads_certificate_and_chain(
    tmp_path: Path, certificate: x509.Certificate, encoding: Encoding
) -> None:
    file = tmp_path / "release.cer"
    file.write_bytes(certificate.public_bytes(encoding))
    wanted = {
        "name": "release",
        "certificate": str(file),
        "readers": ["agent"],
        "chain": [{"certificate": str(file), "store": "Root"}],
    }
    (identity,) = lookup().run([[wanted]], variables={})
    modulus = certificate.public_key().public_numbers().n  # type: ignore[union-attr]
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()
    assert identity["certificate"].encode() == certificate.public_bytes(Encoding.PEM)
    assert (identity["thumbprint"], identity["serial_number"], identity["modulus"]) == (
        thumbprint,
        "f3",
        f"{modulus:X}",
    )
    assert identity["readers"] == ["agent"]
    assert [(link["thumbprint"], link["store"]) for link in identity["chain"]] == [(thumbprint, "Root")]


def test_former_certificates_are_thumbprints_or_files(tmp_path: Path, certificate: x509.Certificate) -> None:
    former, current = make("Former", number=3), tmp_path / "release.cer"
    current.write_bytes(certificate.public_bytes(Encoding.DER))
    (tmp_path / "former.pem").write_text(former.pem)
    wanted = {"name": "release", "certificate": str(current)}
    spelt = former.thumbprint.lower()
    (identity,) = lookup().run(
        [{**wanted, "former": [str(tmp_path / "former.pem"), f"{spelt[:20]} {spelt[20:]}", "AB" * 20]}],
        variables={},
    )
    assert identity["former"] == [former.thumbprint, former.thumbprint, "AB" * 20]
    assert datetime.fromisoformat(identity["not_before"]) <= datetime.now(timezone.utc)
    with pytest.raises(AnsibleError, match="which is the certificate that it has now"):
        lookup().run([{**wanted, "former": str(current)}], variables={})
    with pytest.raises(
        AnsibleError, match=r"'old\.pem', which is no file on the control node; as a thumbprint"
    ):
        lookup().run([{**wanted, "former": ["old.pem"]}], variables={})


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [
        ({"name": "x"}, "'x' has neither a certificate nor a chain"),
        ({"name": "x", "certificate": ""}, "The certificate of 'x' names no file"),
        (
            {"name": "x", "readers": ["agent"]},
            "'x' has no certificate, and says something of its key: readers",
        ),
        ({"certificate": "x.cer"}, "lacks 'name'"),
        (
            {"name": "x", "certificate": "no-such-file.cer"},
            "'no-such-file.cer' was not found on the control node",
        ),
    ],
)
def test_says_what_is_missing(identity: dict[str, str], sentence: str) -> None:
    with pytest.raises(AnsibleError, match=sentence):
        lookup().run([identity], variables={})


def test_says_which_certificate_of_the_chain_has_no_file(
    tmp_path: Path, certificate: x509.Certificate
) -> None:
    file = tmp_path / "release.cer"
    file.write_bytes(certificate.public_bytes(Encoding.DER))
    with pytest.raises(AnsibleError, match="Certificate 2 in the chain of 'x' names no file"):
        lookup().run(
            [
                {
                    "name": "x",
                    "certificate": str(file),
                    "chain": [{"certificate": str(file)}, {"store": "Root"}],
                }
            ],
            variables={},
        )


def test_says_which_file_is_no_certificate(tmp_path: Path) -> None:
    file = tmp_path / "release.cer"
    file.write_text("hello")
    with pytest.raises(AnsibleError, match=r"release\.cer' cannot be used"):
        lookup().run([{"name": "x", "certificate": str(file)}], variables={})


def test_a_chain_that_is_none_is_refused_before_any_host(tmp_path: Path) -> None:
    root = make("Test Root", is_ca=True, number=99)
    signer, stranger = make("Signer", "Test Root"), make("Stranger", is_ca=True, number=3)
    for one in (root, signer, stranger):
        (tmp_path / f"{one.common_name}.pem").write_text(one.pem)
    chain = [{"certificate": str(tmp_path / f"{name}.pem")} for name in ("Test Root", "Stranger")]
    wanted = {"name": "release", "certificate": str(tmp_path / "Signer.pem"), "chain": chain}
    with pytest.raises(
        AnsibleError, match=rf"{stranger.thumbprint} \(Stranger\) in the chain of 'release' belongs to no"
    ):
        lookup().run([wanted], variables={})
    (identity,) = lookup().run([{**wanted, "chain": chain[:1]}], variables={})
    assert [(link["thumbprint"], link["store"]) for link in identity["chain"]] == [(root.thumbprint, "Root")]


def test_is_found_by_its_name() -> None:
    assert lookup_loader.get("cloudhsm.codesign.identities") is not None


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("release", "Identity 1 is no dictionary"),
        (None, "Identity 1 is no dictionary"),
        (["release"], "Identity 1 is no dictionary"),
        ({"name": "a", "chain": "root.cer"}, "Certificate 1 in the chain of 'a' is no dictionary."),
        ({"name": "a", "chain": ["root.cer"]}, "Certificate 1 in the chain of 'a' is no dictionary."),
    ],
)
def test_another_type_than_is_meant_is_one_sentence(term: object, said: str) -> None:
    with pytest.raises(AnsibleError, match=said):
        lookup().run([term], variables={})


def test_a_file_that_is_none_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "a.cer"
    file.write_bytes(b"<html>")
    with pytest.raises(AnsibleError) as caught:
        lookup().run([{"name": "a", "certificate": str(file)}], variables={})
    assert str(caught.value).count("is not a certificate") == 1
