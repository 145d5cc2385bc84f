# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certreq: its argument lists and the INF file, by table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certreq
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.certreq import NewRequest

PLAIN = NewRequest("CN=Example, C=DE", "CloudHSM Key Storage Provider")
TEXT = """\
[Version]
Signature = "$Windows NT$"
[NewRequest]
Subject = "CN=Example, C=DE"
RequestType = PKCS10
HashAlgorithm = SHA256
ProviderName = "CloudHSM Key Storage Provider"
MachineKeySet = True
KeyAlgorithm = RSA
KeyLength = 3072
Exportable = False
KeyUsage = "CERT_DIGITAL_SIGNATURE_KEY_USAGE"
[EnhancedKeyUsageExtension]
OID = 1.3.6.1.5.5.7.3.3
"""


def test_the_whole_file() -> None:
    assert certreq.request_file(PLAIN) == TEXT.replace("\n", "\r\n").encode("ascii")


@pytest.mark.parametrize(
    ("changes", "there", "gone"),
    [
        ({"subject": 'CN=X, O="Acme, Inc."'}, 'Subject = "CN=X, O=""Acme, Inc."""', ""),
        ({"subject": 'CN="A ""B"""'}, 'Subject = "CN=""A """"B"""""""', ""),
        ({"subject": "CN=50 %off%"}, 'Subject = "CN=50 %%off%%"', ""),
        ({"key_size": 4096}, "KeyLength = 4096", ""),
        (
            {"key_algorithm": "ECDSA_P384", "hash_algorithm": "sha384"},
            "KeyAlgorithm = ECDSA_P384\r\nKeyLength = 384",
            "3072",
        ),
        ({"hash_algorithm": "sha512"}, "HashAlgorithm = SHA512", ""),
        ({"container": "tq-1"}, 'UseExistingKeySet = True\r\nKeyContainer = "tq-1"', "Exportable"),
        ({"container": "a label"}, 'KeyContainer = "a label"', "KeyLength"),
    ],
)
def test_what_the_file_says(changes: dict[str, object], there: str, gone: str) -> None:
    text = certreq.request_file(replace(PLAIN, **changes)).decode("ascii")  # type: ignore[arg-type]
    assert f"\r\n{there}\r\n" in text
    assert not gone or gone not in text


@pytest.mark.parametrize("subject", ["CN=Müller", "CN=日本"])
def test_what_is_not_ascii_is_unicode_with_a_mark(subject: str) -> None:
    content = certreq.request_file(replace(PLAIN, subject=subject))
    assert content[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert f'Subject = "{subject}"' in content.decode("utf-16")


@pytest.mark.parametrize("text", ["CN=a\r\nExportable = True", "CN=a\x00b"])
def test_no_value_begins_another_line(text: str) -> None:
    for field in ("subject", "provider", "container"):
        with pytest.raises(ValueError, match="INF"):
            certreq.request_file(replace(PLAIN, **{field: text}))


def test_argument_lists() -> None:
    assert certreq.new_argv("a.inf", "a.csr") == ("-new", "-q", "-machine", "a.inf", "a.csr")
    assert certreq.accept_argv("a.cer") == ("-accept", "-q", "-machine", "a.cer")
