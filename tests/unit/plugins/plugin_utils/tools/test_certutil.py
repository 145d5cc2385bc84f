# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil: command lines, property files, keys and providers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import KeyProvInfo
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil
from support.property_files import association_of, parse_property_file

KSP = "Cavium Key Storage Provider"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (certutil.repair_by_search_argv("KSP", "My", "AB"), "-f -csp KSP -repairstore My AB"),
        (
            certutil.repair_by_search_argv("KSP", "My", "AB", "CurrentUser"),
            "-f -user -csp KSP -repairstore My AB",
        ),
        (certutil.repair_by_file_argv("My", "AB", "f.inf"), "-repairstore My AB f.inf"),
        (certutil.repair_by_file_argv("My", "AB", "f.inf", "CurrentUser"), "-user -repairstore My AB f.inf"),
        (certutil.key_argv("KSP"), "-v -csp KSP -key"),
        (certutil.key_argv("KSP", verbose=False, store_location="CurrentUser"), "-user -csp KSP -key"),
        (certutil.csplist_argv(), "-csplist"),
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
    assert parse_property_file(certutil.removal_file().decode()) == {2: None}
    assert association_of(certutil.removal_file().decode()) is None


def test_letters_that_are_not_ascii_are_written_as_utf16() -> None:
    content = certutil.property_file(KeyProvInfo("Schlüssel", KSP))
    assert content[:2] == b"\xff\xfe"
    assert association_of(content.decode("utf-16")) == KeyProvInfo("Schlüssel", KSP)


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
    assert association_of(text) == key
    assert parse_property_file(text).get(11) == name


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
    properties = parse_property_file(INDENTED)
    assert properties[19] == ""
    assert properties[11] is None
    assert properties[9] == "1.3.6.1.5.5.7.3.3; not a remark"
    assert association_of(INDENTED) == KeyProvInfo("my container", "crypto CSP", 1, 0x20, 2)


@pytest.mark.parametrize(
    "text", ["", "[Properties]\n", '[Properties]\n_continue_ = "x"\n', "[Properties]\nname = 1\n", "2 = 1\n"]
)
def test_what_is_no_property_file_is_refused(text: str) -> None:
    with pytest.raises(certutil.ParseError):
        parse_property_file(text)


# Keys and providers
# ---------------------------------------------------------------------------------------------------


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


TINY = "  0000  30 06 02 01 05 02 01 03\n"
SHOWN = f"Container Public Key:\n{TINY}  Export Policy = 0\n  Algorithm Name: RSA\nPrivate key is NOT exportable\n\n"
LAST = "CertUtil: -key command completed successfully.\n"


@pytest.mark.parametrize(
    ("containers", "read", "damaged"),
    [
        # An algorithm that is named otherwise ends a container like the usual ones.
        (f"  a\n  RSA-PSS\n{SHOWN}  b\n  RSA\n{SHOWN}", [("a", "5"), ("b", "5")], False),
        # The dump of the next container is not that of one without.
        (f"  a\n  RSA\n\n  b\n  RSA\n{SHOWN}", [("a", ""), ("b", "5")], False),
        (f"  a\n  RSA\n    AT_SIGNATURE\n\n  b\n  RSA-PSS\n{SHOWN}", [("a", ""), ("b", "5")], False),
        # An algorithm that nobody knows: the container cannot be read, and nor can what it holds.
        (f"  a\n  RSA\n\n  b\n  ML-DSA 65\n{SHOWN}", [("a", "")], True),
        ("  a\n  ML-DSA 65\n\n  b\n  RSA\n\n", [], True),
        ("  a\n  b\n", [], True),
        # A container may be named like an algorithm.
        (f"  RSA\n  RSA\n{SHOWN}", [("RSA", "5")], False),
        (f"  RSA-signing\n  ECDSA\n{SHOWN}", [("RSA-signing", "5")], False),
        # Details without a line that is not indented behind them.
        (
            f"  a\n  RSA\nContainer Public Key:\n{TINY}  Export Policy = 0\n\n  b\n  RSA\n\n",
            [("a", "5"), ("b", "")],
            False,
        ),
    ],
)
def test_each_container_has_its_own_public_key_or_none(
    containers: str, read: list[tuple[str, str]], damaged: bool
) -> None:
    keys = certutil.parse_keys(f"{KSP}:\n{containers}{LAST}")
    assert ([(key.name, key.modulus) for key in keys.keys], keys.damaged) == (read, damaged)


def test_a_provider_is_found_without_regard_to_case() -> None:
    listed = certutil.parse_csplist(
        f"Provider Name: {KSP}\n\nCertUtil: -csplist command completed successfully.\n"
    )
    found = listed.find(KSP.upper())
    assert found is not None
    assert found.type is None
    assert listed.find("other") is None


def test_no_provider_at_all() -> None:
    text = "CertUtil: -csplist command FAILED: 0x80090020 (-2146893792 NTE_FAIL)\n"
    assert certutil.parse_csplist(text).providers == ()
