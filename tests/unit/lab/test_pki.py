# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificates: chains that OpenSSL accepts, and every broken kind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.control.bench import USER, Bench
from lab.hsm.pki import Issued


@pytest.fixture(scope="module")
def issued(bench: Bench) -> dict[str, Issued]:
    _private, second = bench.cluster.generate_rsa("second", owner=USER)
    _private, curve = bench.cluster.generate_ec("curve", owner=USER)
    return bench.pki.variants(bench.public.public_key, second.public_key, curve.public_key)


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_openssl_accepts_the_chain_for_code_signing(
    bench: Bench, issued: dict[str, Issued], tmp_path: Path
) -> None:
    bench.pki.write(tmp_path)
    arguments = ["-CAfile", str(tmp_path / "root.pem"), "-untrusted", str(tmp_path / "intermediate.pem")]
    for name in (
        "signing",
        "signing-renewed",
        "signing-umlaut",
        "signing-second",
        "signing-ec",
        "all-purposes",
    ):
        done = openssl("verify", *arguments, str(tmp_path / f"{name}.pem"))
        assert done.returncode == 0, done.stderr
    assert (
        "certificate has expired"
        in openssl("verify", *arguments, str(tmp_path / "signing-expired.pem")).stderr
    )


def test_openssl_accepts_the_time_stamp_authority(bench: Bench, tmp_path: Path) -> None:
    bench.pki.write(tmp_path)
    done = openssl(
        "verify",
        "-purpose",
        "timestampsign",
        "-CAfile",
        str(tmp_path / "tsa-root.pem"),
        str(tmp_path / "tsa.pem"),
    )
    assert done.returncode == 0, done.stderr
    usage = bench.pki.tsa.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    assert list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def test_the_signing_certificate_is_for_the_key_on_the_hsm(bench: Bench, issued: dict[str, Issued]) -> None:
    for name in (
        "signing",
        "signing-renewed",
        "signing-umlaut",
        "signing-expired",
        "server-authentication",
        "all-purposes",
    ):
        assert issued[name].certificate.public_key() == bench.public.public_key
    assert len({one.thumbprint for one in issued.values()}) == len(issued)
    with pytest.raises(ValueError, match="no private key"):
        _unused = issued["signing"].key_pem


def test_the_broken_kinds_are_broken_as_named(issued: dict[str, Issued]) -> None:
    def usages(name: str) -> list[x509.ObjectIdentifier]:
        return list(issued[name].certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)

    assert usages("signing") == [ExtendedKeyUsageOID.CODE_SIGNING]
    assert usages("server-authentication") == [ExtendedKeyUsageOID.SERVER_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        usages("all-purposes")
    weak, curve = (
        issued["signing-1024"].certificate.public_key(),
        issued["signing-ec"].certificate.public_key(),
    )
    assert isinstance(weak, rsa.RSAPublicKey)
    assert weak.key_size == 1024
    assert isinstance(curve, ec.EllipticCurvePublicKey)
    subject = issued["signing-umlaut"].certificate.subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "M\u00fcller & S\u00f6hne GmbH"


def test_files_hold_what_a_user_would_have(bench: Bench, issued: dict[str, Issued], tmp_path: Path) -> None:
    written = bench.pki.write(tmp_path)
    assert x509.load_der_x509_certificate(written["signing"].read_bytes()) == issued["signing"].certificate
    assert (
        x509.load_pem_x509_certificate((tmp_path / "signing.pem").read_bytes())
        == issued["signing"].certificate
    )
    bag = pkcs7.load_der_pkcs7_certificates((tmp_path / "signing.p7b").read_bytes())
    assert set(bag) == {
        issued["signing"].certificate,
        bench.pki.intermediate.certificate,
        bench.pki.root.certificate,
    }
    assert len(x509.load_pem_x509_certificates((tmp_path / "chain.pem").read_bytes())) == 2
    assert not any(b"PRIVATE" in path.read_bytes() for path in tmp_path.iterdir())
