# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signature's PKCS#7 with parts left out that its own signature does not cover: timestamps, nested
signatures, CA certificates.
"""

from __future__ import annotations

from pathlib import Path

from asn1crypto import cms
from cryptography import x509

from . import fileformat


def without_any(path: Path, kind: str) -> bytes:
    """Without all unauthenticated attributes: timestamps and nested signatures."""
    info = _load(path, kind)
    signer = info["content"]["signer_infos"][0]
    fields = {
        name: signer[name]
        for name in ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature")
    }
    return _with(info, signer_infos=cms.SignerInfos([cms.SignerInfo(fields)]))


def _load(path: Path, kind: str) -> cms.ContentInfo:
    der = fileformat.pkcs7(path, kind)
    assert der is not None
    return cms.ContentInfo.load(der)


def without_authorities(path: Path, kind: str) -> bytes:
    """Without the certificates of CAs."""
    info = _load(path, kind)
    kept = [one for one in info["content"]["certificates"] if not _is_authority(one.chosen.dump())]
    return _with(info, certificates=cms.CertificateSet(kept))


def _is_authority(der: bytes) -> bool:
    try:
        return bool(
            x509.load_der_x509_certificate(der)
            .extensions.get_extension_for_class(x509.BasicConstraints)
            .value.ca
        )
    except x509.ExtensionNotFound:
        return False


def _with(info: cms.ContentInfo, **changed: object) -> bytes:
    data = info["content"]
    names = ("version", "digest_algorithms", "encap_content_info", "certificates", "signer_infos")
    made = cms.SignedData({name: changed.get(name, data[name]) for name in names})
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": made}).dump())
