# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names: what people write, what Windows gets, and which two say the same."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.x500_name import (
    KEYS,
    SubjectError,
    as_windows,
    parse,
    same,
    same_text,
)

CASES = [
    # written, values by key, for Windows
    ("CN=Example", {"CN": "Example"}, "CN=Example"),
    (" CN = Example , c=DE ", {"CN": "Example", "C": "DE"}, "CN=Example, C=DE"),
    ('CN=X,O="Acme, Inc."', {"CN": "X", "O": "Acme, Inc."}, 'CN=X, O="Acme, Inc."'),
    (r"CN=X,O=Acme\, Inc.", {"CN": "X", "O": "Acme, Inc."}, 'CN=X, O="Acme, Inc."'),
    (r"CN=X,O=Acme\2C Inc.", {"CN": "X", "O": "Acme, Inc."}, 'CN=X, O="Acme, Inc."'),
    ('CN="A ""B"" C"', {"CN": 'A "B" C'}, 'CN="A ""B"" C"'),
    (r"CN=A \"B\" C", {"CN": 'A "B" C'}, 'CN="A ""B"" C"'),
    ("CN=Müller & Söhne GmbH", {"CN": "Müller & Söhne GmbH"}, "CN=Müller & Söhne GmbH"),
    (r"CN=M\C3\BCller", {"CN": "Müller"}, "CN=Müller"),
    ("CN=日本,ST=東京", {"CN": "日本", "S": "東京"}, "CN=日本, S=東京"),
    ('CN="Foo + Bar"', {"CN": "Foo + Bar"}, 'CN="Foo + Bar"'),
    (r"CN=Foo \+ Bar", {"CN": "Foo + Bar"}, 'CN="Foo + Bar"'),
    ("CN=a=b", {"CN": "a=b"}, 'CN="a=b"'),
    (r"CN=50 % off\\now", {"CN": "50 % off\\now"}, "CN=50 % off\\now"),
    (r"CN=\ a\ ", {"CN": " a "}, 'CN=" a "'),
    ('CN=" a "', {"CN": " a "}, 'CN=" a "'),
    ("CN=L'Oréal", {"CN": "L'Oréal"}, 'CN="L\'Oréal"'),
    ("CN=X,emailAddress=a@b.example", {"CN": "X", "E": "a@b.example"}, "CN=X, E=a@b.example"),
    ("CN=X,OID.2.5.4.15=Private Organization", {"CN": "X"}, "CN=X, OID.2.5.4.15=Private Organization"),
    ("CN=X,2.5.4.15=V1.0", {"CN": "X"}, "CN=X, OID.2.5.4.15=V1.0"),
    ("CN=X,OU=One,OU=Two", {"CN": "X"}, "CN=X, OU=One, OU=Two"),
]


@pytest.mark.parametrize(("written", "values", "windows"), CASES)
def test_a_name_is_read_and_written_for_windows(written: str, values: dict[str, str], windows: str) -> None:
    name = parse(written)
    assert as_windows(name) == windows
    for key, value in values.items():
        assert [one.value for one in name if one.oid == KEYS[key]] == [value]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("Example", "no equals sign"),
        ("CN=Acme, Inc.", "double quotes"),
        ("CN=", "no value"),
        ('CN=""', "no value"),
        ("CN=X,C=Germany", "two letters"),
        ("CN=X,FOO=Y", "no part 'FOO'"),
        ("CN=X+OU=Y", "plus"),
        ("CN=X;O=Y", "semicolon"),
        ('CN="X', "does not end"),
        ("CN=X\\", "does not end"),
        ('CN=a "b" c', "whole value"),
        ("CN=a\tb", "control character"),
        ("CN=a\nb", "control character"),
        ("CN=" + "x" * 65, "65 characters"),
        ("CN=X,O=" + "ü" * 65, "65 characters"),
        ("CN=X,", "no equals sign"),
    ],
)
def test_what_is_no_name_is_refused_in_one_sentence(written: str, why: str) -> None:
    with pytest.raises(SubjectError) as refused:
        parse(written)
    assert why in str(refused.value)
    assert str(refused.value).endswith((".", "Software."))
    assert "\n" not in str(refused.value)


def test_longest_name() -> None:
    assert parse("CN=" + "x" * 64)


VALUES = ("Acme, Inc.", 'A "B"', " a ", "#x", "a+b=c;<d>", "back\\slash", "Müller", "日本", "x" * 64, "a\\,b")


@pytest.mark.parametrize("value", VALUES)
def test_what_a_certificate_says_is_the_same_name_in_any_order(value: str) -> None:
    """cryptography writes subjects with the escapes of RFC 4514."""
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, value),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b.example"),
        x509.NameAttribute(NameOID.COMMON_NAME, "X"),
    ]
    wanted = parse('CN=X,O="' + value.replace("\\", "\\\\").replace('"', '""') + '",C=DE,E=a@b.example')
    for order in (attributes, attributes[::-1]):
        assert same_text(wanted, x509.Name(order).rfc4514_string())
    assert not same_text(wanted, x509.Name(attributes[:3]).rfc4514_string())
    assert not same_text(wanted, x509.Name([*attributes, attributes[3]]).rfc4514_string())


def test_a_name_that_cannot_be_read_is_another_one() -> None:
    assert not same_text(parse("CN=X"), "CN=X+OU=Y")
    assert same(parse("CN=X,C=DE"), parse("c=DE, cn=X"))
    assert not same(parse("CN=X"), parse("CN=x"))
