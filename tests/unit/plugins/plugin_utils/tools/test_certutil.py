# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil.py: command lines, property files, and single sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import KeyProvInfo
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.certutil.keys import read_pkcs1
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.certutil.verdict import (
    Verdict,
    read_verdict,
)

KSP = "Cavium Key Storage Provider"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (certutil.store_argv("My"), "-store My"),
        (certutil.store_argv("My", "AB", "CurrentUser", verbose=True), "-v -user -store My AB"),
        (certutil.repair_by_search_argv("KSP", "My", "AB"), "-f -csp KSP -repairstore My AB"),
        (
            certutil.repair_by_search_argv("KSP", "My", "AB", "CurrentUser"),
            "-f -user -csp KSP -repairstore My AB",
        ),
        (certutil.repair_by_file_argv("My", "AB", "f.inf"), "-repairstore My AB f.inf"),
        (certutil.repair_by_file_argv("My", "AB", "f.inf", "CurrentUser"), "-user -repairstore My AB f.inf"),
        (certutil.key_argv("KSP"), "-v -csp KSP -key"),
        (certutil.key_argv("KSP", verbose=False, store_location="CurrentUser"), "-user -csp KSP -key"),
        (certutil.delete_key_argv("KSP", "c"), "-csp KSP -delkey c"),
        (certutil.csplist_argv(), "-csplist"),
        (certutil.addstore_argv("Root", "r.cer"), "-f -addstore Root r.cer"),
    ],
)
def test_options_come_before_the_verbs_arguments(arguments: tuple[str, ...], line: str) -> None:
    assert " ".join(arguments) == line


# The property file
# ----------------------------------------------------------------------------------------------------


def test_the_property_file_of_an_association() -> None:
    content = certutil.property_file(KeyProvInfo("CNGRSAPriv-1-2-3", KSP, 0, 0x20, 2), "Build server")
    assert content.decode("ascii").split("\r\n") == [
        "[Properties]",
        '11 = "{text}Build server"',
        '2 = "{text}"',
        '_continue_ = "Container=CNGRSAPriv-1-2-3&"',
        '_continue_ = "Provider=Cavium Key Storage Provider&"',
        '_continue_ = "ProviderType=0&"',
        '_continue_ = "Flags=32&"',
        '_continue_ = "KeySpec=2"',
        "",
    ]


def test_the_friendly_name_alone_leaves_the_association_alone() -> None:
    assert certutil.property_file(friendly_name="x") == b'[Properties]\r\n11 = "{text}x"\r\n'


def test_taking_the_association_away() -> None:
    assert certutil.removal_file() == b"[Properties]\r\n2 =\r\n"
    assert certutil.parse_property_file(certutil.removal_file().decode()) == {2: None}
    assert certutil.association_of(certutil.removal_file().decode()) is None


def test_letters_that_are_not_ascii_are_written_as_utf16() -> None:
    content = certutil.property_file(KeyProvInfo("Schlüssel", KSP))
    assert content[:2] == b"\xff\xfe"
    assert certutil.association_of(content.decode("utf-16")) == KeyProvInfo("Schlüssel", KSP)


NAMES = st.text(
    st.characters(codec="utf-16-le", exclude_categories=("C", "Z"), exclude_characters='"&%'),
    min_size=1,
    max_size=20,
)


@given(NAMES, NAMES, st.integers(0, 99), st.integers(0, 0xFFFFFFFF), st.integers(0, 2), st.none() | NAMES)
def test_a_property_file_is_read_back(
    container: str, provider: str, kind: int, flags: int, key_spec: int, name: str | None
) -> None:
    key = KeyProvInfo(container, provider, kind, flags, key_spec)
    content = certutil.property_file(key, name)
    text = content.decode("utf-16" if content[:2] == b"\xff\xfe" else "ascii")
    assert certutil.association_of(text) == key
    assert certutil.parse_property_file(text).get(11) == name


@pytest.mark.parametrize("bad", ['a"b', "a&b", "a\r\n[Properties]", "a\x00b"])
def test_a_value_that_would_break_out_of_the_file_is_refused(bad: str) -> None:
    assert certutil.check_inf_value(bad) is not None
    with pytest.raises(ValueError, match="cannot be written to a certutil property file"):
        certutil.property_file(KeyProvInfo(bad, KSP))


def test_a_per_cent_sign_is_doubled() -> None:
    assert b"Container=50%%&" in certutil.property_file(KeyProvInfo("50%", KSP))


INDENTED = """; written by hand
[Version]
Signature = "$Windows NT$"
[Properties]
19 = Empty ; archived
11 =
2 = "{text}" ; the key
    _continue_ = "Container = my container&"
    _continue_="Provider=crypto CSP&"
    _continue_ = "ProviderType=1&Flags=0x20&"
    _continue_ = "KeySpec=2"
9 = "{text}1.3.6.1.5.5.7.3.3; not a remark"
"""


def test_a_property_file_written_by_hand() -> None:
    properties = certutil.parse_property_file(INDENTED)
    assert properties[19] == ""
    assert properties[11] is None
    assert properties[9] == "1.3.6.1.5.5.7.3.3; not a remark"
    assert certutil.association_of(INDENTED) == KeyProvInfo("my container", "crypto CSP", 1, 0x20, 2)
    assert certutil.facts(INDENTED, "inf") == {
        "properties": [2, 9, 11, 19],
        "container": "my container",
        "provider": "crypto CSP",
        "provider_type": 1,
        "flags": 32,
        "key_spec": 2,
    }


@pytest.mark.parametrize(
    "text", ["", "[Properties]\n", '[Properties]\n_continue_ = "x"\n', "[Properties]\nname = 1\n", "2 = 1\n"]
)
def test_what_is_no_property_file_is_refused(text: str) -> None:
    with pytest.raises(certutil.ParseError):
        certutil.parse_property_file(text)


# How a run ended
# ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "failed", "code", "symbol"),
    [
        ("CertUtil: -store command completed successfully.", False, None, ""),
        (
            "CertUtil: -store command FAILED: 0x80090011 (-2146893807 NTE_NOT_FOUND)",
            True,
            0x80090011,
            "NTE_NOT_FOUND",
        ),
        ("CertUtil: -store command FAILED: 0x80090011 (-2146893807)", True, 0x80090011, "NTE_NOT_FOUND"),
        ("CertUtil: -csplist 失败: 0x80004001 (E_NOTIMPL)", True, 0x80004001, "E_NOTIMPL"),
        (
            "CertUtil: -store command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)",
            True,
            0x80070002,
            "ERROR_FILE_NOT_FOUND",
        ),
        ("CertUtil: -store 命令 FAILED: 0x8badf00d (-1951535091)", True, 0x8BADF00D, ""),
        ("CertUtil: -store command FAILED: 0x80090011 (-2146893802 NTE_BAD_KEYSET)", True, None, ""),
        ("CertUtil: -store command FAILED: 0x80070002 (WIN32: 5 ERROR_ACCESS_DENIED)", True, None, ""),
        ("CertUtil: -store command FAILED: 0x8009", True, None, ""),
        ("CertUtil: -store command FAILED: 0x00000001", True, None, ""),
        (
            "CertUtil: -store command FAILED: 0x80090011 (-2146893807\nNTE_NOT_FOUND)",
            True,
            0x80090011,
            "NTE_NOT_FOUND",
        ),
        ("CertUtil: Unknown arg: -foo", True, None, ""),
        ("CertUtil: - Esecuzione comando dump riuscita.", False, None, ""),
        ("CertUtil: -addstore comando concluído com êxito.", False, None, ""),
        ("CertUtil: -addstore 명령이 성공적으로 완료되었습니다.", False, None, ""),
        ("CertUtil: -store dydy", None, None, ""),
        ("CertUtil: Keyset does not exist", None, None, ""),
        ("nothing", None, None, ""),
    ],
)
def test_how_a_run_ended(text: str, failed: bool | None, code: int | None, symbol: str) -> None:
    assert certutil.parse_outcome(text) == certutil.Outcome(failed, code, symbol)


def test_the_exit_code_that_belongs_to_it() -> None:
    assert certutil.Outcome(True, 0x80090016).exit == -2146893802
    assert certutil.Outcome(False).exit == 0
    assert certutil.Outcome().exit is None


# The sentences on the key
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("Encryption test passed", Verdict(passed=True)),
        ("Signature test passed", Verdict(passed=True)),
        ("Encryption test passed (CNG)", Verdict(passed=True)),
        ("Private key verifies", Verdict(passed=True)),
        ("Verschlüsselungstest wurde durchgeführt", Verdict(passed=True)),
        ("Verschl\ufffdsselungstest wurde durchgef\ufffdhrt", Verdict(passed=True)),
        ("Test de chiffrement réussi", Verdict(passed=True)),
        (
            "Signature test FAILED: Keyset does not exist 0x80090016 (-2146893802 NTE_BAD_KEYSET)",
            Verdict(failed=True),
        ),
        ("Encryption test FAILED", Verdict(failed=True)),
        ("AES256+RSAES_OAEP(RSA:CNG) test passed", Verdict()),
        (
            "AES256+RSAES_OAEP(RSA:??) test FAILED: Cannot find object or property. 0x80092004 (-2146885628 CRYPT_E_NOT_FOUND)",
            Verdict(),
        ),
        ("Microsoft RSA SChannel Cryptographic Provider: KeySpec=1", Verdict()),
        ("Missing stored keyset", Verdict(missing_keyset=True)),
        ("No key provider information", Verdict(no_provider=True)),
        ("没有密钥提供程序信息", Verdict(no_provider=True)),
        ("Cannot find the certificate and private key for decryption.", Verdict(not_found=True)),
        ("找不到解密的证书和私钥。", Verdict(not_found=True)),
        ("Private key is NOT exportable", Verdict(not_exportable=True)),
        ("Der private Schlüssel ist NICHT exportierbar", Verdict(not_exportable=True)),
        ("Private key is NOT plain text exportable", Verdict()),
        ("无法以纯文本方式导出私钥", Verdict()),
        ("ERROR: Could not verify certificate public key against private key", Verdict(unproven=True)),
        ("some words that nobody knows", Verdict(unread=1)),
        ("????? ???", Verdict(unread=1)),
        ("CertUtil: -store command completed successfully.", Verdict()),
        ("================", Verdict()),
    ],
)
def test_what_a_sentence_says(line: str, verdict: Verdict) -> None:
    assert read_verdict([line]) == verdict


HEAD = """================ Certificate 0 ================
Serial Number: 0a0b0c0d
Issuer: CN=Example
Cert Hash(sha1): 0123456789abcdef0123456789abcdef01234567
"""
LINKED = f"  Key Container = c-1\n  Provider = {KSP}\n"
END = "CertUtil: -store command completed successfully.\n"


@pytest.mark.parametrize(
    ("tail", "key"),
    [
        (LINKED + "Encryption test passed\n" + END, "usable"),
        (LINKED + "Encryption test FAILED\nSignature test passed\n" + END, "usable"),
        (LINKED + "Encryption test FAILED\n" + END, "unusable"),
        (LINKED + "Missing stored keyset\n" + END, "linked"),
        (LINKED + "ERROR: Could not verify certificate public key against private key\n" + END, "linked"),
        (LINKED + END, "linked"),
        (LINKED + "unread words\n" + END, "unknown"),
        (LINKED, "unknown"),
        ("No key provider information\nMissing stored keyset\n" + END, "none"),
        ("No key provider information\n" + END, "none"),
        ("No key provider information\n", "unknown"),
        ("Cannot find the certificate and private key for decryption.\n", "none"),
        (END, "unknown"),
    ],
)
def test_the_state_of_the_key(tail: str, key: str) -> None:
    (entry,) = certutil.parse_store(HEAD + tail).certificates
    assert entry.key == key


@pytest.mark.parametrize(
    ("tail", "container", "provider", "damaged"),
    [
        ("  Key Container = (null)\n  Provider = Some Provider\n", None, "Some Provider", False),
        ("  Key Container = a b\n  Provider = vendor module\n", "a b", "vendor module", False),
        (
            "  Key Container = first half\nsecond half\n  Provider = Some Provider\n",
            None,
            "Some Provider",
            True,
        ),
        (f"  Key Container = c\n  Provider = {KSP} und noch etwas\n", "c", KSP, False),
        (f"  Key Container = c\n  Provider = {KSP}und noch etwas\n", "c", KSP, False),
        (
            "  Key Container = c\n  Provider = Vendor Key Storage ProviderVerdict\n",
            "c",
            "Vendor Key Storage Provider",
            True,
        ),
        ("  Clé\ufffd= c\n  Fournisseur = Some Provider\n", "c", "Some Provider", False),
        ("  Key Container = c  Name: d\n  Provider = Some Provider\n", None, "Some Provider", True),
        ("  Provider = Some Provider\n", None, "Some Provider", False),
    ],
)
def test_the_association(tail: str, container: str | None, provider: str, damaged: bool) -> None:
    (entry,) = certutil.parse_store(HEAD + tail + "Encryption test passed\n" + END).certificates
    assert (entry.container, entry.provider, entry.damaged) == (container, provider, damaged)


def test_a_name_that_a_console_has_wrapped() -> None:
    tail = (
        "  Key Container = 00112233445566778899aabbccddeeff_0f0e0d0c-1234-5678-9abc-def0123456\n78\n"
        "  Andere Bezeichnung: te-x\n  Provider = Microsoft RSA SChannel Cryptographic Provider\n"
    )
    (entry,) = certutil.parse_store(HEAD + tail + END).certificates
    assert entry.container == "00112233445566778899aabbccddeeff_0f0e0d0c-1234-5678-9abc-def012345678"
    assert entry.simple_name == "te-x"


@pytest.mark.parametrize(
    ("lines", "serial"),
    [
        ("Serial Number: 0a 0b 0c", "0a0b0c"),
        ("Serial Number: 0A0B0C", "0a0b0c"),
        ("Serial Number: <redacted>", None),
        ("Serial Number: 0a0b0c\n0d0e0f", None),
        ("Seriennummer: 0a0b0", "0a0b0"),
        ("Vorlage: CA", None),
    ],
)
def test_the_serial_number(lines: str, serial: str | None) -> None:
    text = f"================ Certificate 0 ================\n{lines}\nIssuer: CN=Example\nCert Hash(sha1): {'ab' * 20}\n{END}"
    assert certutil.parse_store(text).certificates[0].serial == serial


@pytest.mark.parametrize("digest", ["ab" * 19, "ab" * 21, "zz" * 20, "ab " * 19])
def test_a_thumbprint_that_is_not_whole_is_left_out(digest: str) -> None:
    text = f"================ Certificate 0 ================\nSerial Number: 0a0b0c0d\nCert Hash(sha1): {digest}\n{END}"
    assert certutil.parse_store(text).certificates[0].sha1 is None


def test_two_hashes_that_contradict_each_other_give_none() -> None:
    text = (
        "================ Certificate 0 ================\nX509 Certificate:\nSerial Number: 0a0b0c0d\n"
        f"Cert Hash(md5): {'cd' * 16}\nCert Hash(sha1): {'ab' * 20}\n\n  CERT_SHA1_HASH_PROP_ID(3):\n    {'ef' * 20}\n{END}"
    )
    assert certutil.parse_store(text).certificates[0].sha1 is None


def test_a_pfx_dump_has_the_certificate_inside_of_a_nesting() -> None:
    text = (
        "================ Certificate 0 ================\n================ Begin Nesting Level 1 ================\nElement 0:\n"
        f"Serial Number: 0a0b0c0d\nIssuer: CN=Example\nCert Hash(sha1): {'ab' * 20}\n----------------  End Nesting Level 1  ----------------\n"
        "  Provider = Microsoft Enhanced Cryptographic Provider v1.0\nEncryption test passed\n" + END
    )
    (entry,) = certutil.parse_store(text).certificates
    assert (entry.index, entry.serial, entry.provider, entry.key) == (
        0,
        "0a0b0c0d",
        "Microsoft Enhanced Cryptographic Provider v1.0",
        "usable",
    )


# Adding to a store
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "added", "present"),
    [
        ('Certificate "a" added to store.', ("a",), ()),
        ('Certificate "a" already in store.', (), ("a",)),
        ('Certificate "CN=a, O="b, c"" added to store.', ('CN=a, O="b, c"',), ()),
        ('Zertifikat "a" wurde zum Speicher hinzugefügt.', ("a",), ()),
        ('Zertifikat "a" ist bereits im Speicher.', (), ("a",)),
        ('证书 "a" 添加到存储。', ("a",), ()),
        ('"a" 인증서가 저장소에 추가되었습니다.', ("a",), ()),
        ('憑證 "a" 已在存放區中。', (), ("a",)),
        ('xx "a" yy', (), ()),
        ('Root "Title"  Zertifikat "a" hinzugefügt.', (), ()),
    ],
)
def test_what_was_added(line: str, added: tuple[str, ...], present: tuple[str, ...]) -> None:
    result = certutil.parse_addstore(
        f'Root "Trusted Root"\n{line}\nCertUtil: -addstore command completed successfully.\n'
    )
    assert (result.names, result.present) == (added, present)


def test_several_certificates_of_one_file() -> None:
    text = 'CA "Intermediate"\nCertificate "a" added to store.\nCertificate "b" added to store.\nCertUtil: -addstore command completed successfully.\n'
    assert certutil.facts(text, "addstore") == {"failed": False, "added": ["a", "b"]}


# Keys and providers
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ("3006020105020103", (5, 3)),
        ("300702020085020103", (0x85, 3)),
        ("3006020185020103", None),
        ("300602010502010300", None),
        ("30060201050201", None),
        ("", None),
        ("3003020105", None),
    ],
)
def test_pkcs1(data: str, key: tuple[int, int] | None) -> None:
    assert read_pkcs1(bytes.fromhex(data)) == key


def listing(dump: str) -> str:
    return f"{KSP}:\n  name\n\n  RSA\nContainer Public Key:\n{dump}\nCertUtil: -key command completed successfully.\n"


@pytest.mark.parametrize(
    ("dump", "modulus", "damaged"),
    [
        ("  0000  30 06 02 01 05 02 01 03", "5", False),
        ("  0000  30 06 02 01 05 02 01 03                            0.......", "5", False),
        ("  0010  30 06 02 01 05 02 01 03", "", True),
        ("  0000  30 06 02 01 05 02 01", "", True),
        ("", "", False),
    ],
)
def test_the_public_key_of_a_container(dump: str, modulus: str, damaged: bool) -> None:
    keys = certutil.parse_keys(listing(dump))
    assert (keys.keys[0].modulus, keys.damaged) == (modulus, damaged)


def test_an_elliptic_key_has_a_point() -> None:
    point = bytes([4]) + bytes(range(64))
    dump = "\n".join(
        f"  {start:04x}  {' '.join(f'{byte:02x}' for byte in point[start : start + 16])}"
        for start in range(0, 65, 16)
    )
    text = (
        f"{KSP}:\n  name\n\n  ECDSA_P256\nPublic:\n{dump}\nCertUtil: -key command completed successfully.\n"
    )
    (key,) = certutil.parse_keys(text).keys
    assert (key.algorithm, key.point, key.modulus) == ("ECDSA_P256", point.hex(), "")


@pytest.mark.parametrize(
    "code", ["0x80090016 (-2146893802 NTE_BAD_KEYSET)", "0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)"]
)
def test_a_container_that_cannot_be_opened_spoils_no_other(code: str) -> None:
    text = listing("  0000  30 06 02 01 05 02 01 03").replace("  name\n", f"  dead\n  {code}\n\n  name\n")
    keys = certutil.parse_keys(text)
    assert [(key.name, key.algorithm, key.modulus) for key in keys.keys] == [
        ("dead", "", ""),
        ("name", "RSA", "5"),
    ]
    assert not keys.damaged
    assert certutil.parse_keys(
        f"{KSP}:\n  a\n  b\n  c\n  {code}\nCertUtil: -key command completed successfully.\n"
    ).damaged


def test_keys_of_several_providers_keep_their_provider() -> None:
    text = "First Provider:\n  a\n  RSA\n\nSecond Provider:\n  b\n  RSA\n\nCertUtil: -key command completed successfully.\n"
    keys = certutil.parse_keys(text)
    assert keys.provider is None
    assert [(key.name, key.provider) for key in keys.keys] == [
        ("a", "First Provider"),
        ("b", "Second Provider"),
    ]


def test_a_provider_is_found_without_regard_to_case() -> None:
    listed = certutil.parse_csplist(
        f"Provider Name: {KSP}\n\nCertUtil: -csplist command completed successfully.\n"
    )
    found = listed.find(KSP.upper())
    assert found is not None
    assert found.is_ksp
    assert listed.find("other") is None


def test_providers_that_stand_in_one_line_are_refused() -> None:
    with pytest.raises(certutil.ParseError, match="cannot be told apart"):
        certutil.parse_csplist(
            "Anbieter: A Provider Anbietertyp: 1 - PROV_RSA_FULL Anbieter: B Provider Anbietertyp: 24 - PROV_RSA_AES\n"
        )


def test_no_provider_at_all() -> None:
    assert certutil.facts(
        "CertUtil: -csplist command FAILED: 0x80090020 (-2146893792 NTE_FAIL)\n", "csplist"
    ) == {
        "failed": True,
        "code": "0x80090020",
        "exit": -2146893792,
        "symbol": "NTE_FAIL",
        "providers": 0,
        "csp": 0,
        "ksp": 0,
    }
