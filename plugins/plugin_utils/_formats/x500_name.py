# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A distinguished name as people write it, and as Windows takes it (CertStrToName).

People escape with a backslash (RFC 4514) or put a value in double quotes (RFC 1779). Windows knows the quotes alone, in
which a double quote is written twice. Its order differs from program to program, so two names are compared without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...module_utils._findings import quoted

KEYS = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "SERIALNUMBER": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "S": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "DESCRIPTION": "2.5.4.13",
    "POSTALCODE": "2.5.4.17",
    "POBOX": "2.5.4.18",
    "PHONE": "2.5.4.20",
    "G": "2.5.4.42",
    "I": "2.5.4.43",
    "E": "1.2.840.113549.1.9.1",
    "DC": "0.9.2342.19200300.100.1.25",
}
"""The keys that CertStrToName and CertNameToStr document, with what they stand for."""
_OTHER_KEYS = {"ST": "S", "EMAIL": "E", "EMAILADDRESS": "E", "TITLE": "T", "GN": "G", "GIVENNAME": "G"}
_OTHER_KEYS |= {"INITIALS": "I", "SURNAME": "SN"}
_BY_OID = {oid: key for key, oid in KEYS.items()}
LONGEST = {"2.5.4.3": 64, "2.5.4.10": 64, "2.5.4.11": 64, "2.5.4.7": 128, "2.5.4.8": 128}
"""Characters (RFC 5280, appendix A.1), where an organisation's name meets them."""

_OID = re.compile(r"(?:OID\.)?([0-2](?:\.\d+)+)", re.IGNORECASE)
_QUOTE_WINDOWS = set(",+=\"'\n<>#;")
"""Where CertStrToName wants a value in quotes."""


class SubjectError(ValueError):
    """The text is no distinguished name: one sentence that says why."""


@dataclass(frozen=True)
class Attribute:
    """``oid``: what it is, dotted; ``value``: its text without quotes and escapes."""

    oid: str
    value: str

    @property
    def key(self) -> str:
        """The key as Windows writes it."""
        return _BY_OID.get(self.oid, f"OID.{self.oid}")


Name = tuple[Attribute, ...]


def parse(text: str) -> Name:
    """The attributes of a name, in their order. SubjectError for a text that is none, or that no certificate can hold."""
    found = [_attribute(text, part) for part in _parts(text)]
    if not found:
        raise SubjectError(
            "the subject is empty: it needs a common name at least, such as CN=Example Software."
        )
    return tuple(found)


def as_windows(name: Name) -> str:
    """The text for CertStrToName."""
    return ", ".join(f"{one.key}={_quoted_value(one.value)}" for one in name)


def same(first: Name, second: Name) -> bool:
    """Whether both say the same, in any order."""
    return sorted((one.oid, one.value) for one in first) == sorted((one.oid, one.value) for one in second)


def same_text(name: Name, text: str) -> bool:
    """The same for a certificate's subject; one that cannot be read is another one."""
    try:
        return same(name, parse(text))
    except SubjectError:
        return False


def _quoted_value(value: str) -> str:
    if value.strip(" ") != value or set(value) & _QUOTE_WINDOWS:
        return '"' + value.replace('"', '""') + '"'
    return value


def _parts(text: str) -> list[tuple[str, str]]:
    """Key and raw value of each attribute, cut at the commas that are neither escaped nor in quotes."""
    parts: list[list[str]] = [[]]
    in_quotes = escaped = False
    for char in text:
        if not escaped and not in_quotes and char == ",":
            parts.append([])
            continue
        if not escaped and not in_quotes and char in "+;":
            what = (
                "a plus joins two parts of a name" if char == "+" else "a semicolon stands between two parts"
            )
            raise SubjectError(
                f"the subject {quoted(text)} cannot be used: {what}. Put a value that holds one in double quotes."
            )
        if not escaped and char == '"':
            in_quotes = not in_quotes
        escaped = char == "\\" and not escaped
        parts[-1].append(char)
    if in_quotes or escaped:
        raise SubjectError(f"the subject {quoted(text)} cannot be used: a quote in it does not end.")
    if not text.strip():
        return []
    return [_split(text, "".join(part)) for part in parts]


def _split(text: str, part: str) -> tuple[str, str]:
    key, equals, value = part.partition("=")
    if not equals:
        raise SubjectError(
            f"the subject {quoted(text)} cannot be used: {quoted(part.strip())} has no equals sign. Put a value that holds a comma in double quotes."
        )
    return key.strip(), value


def _attribute(text: str, part: tuple[str, str]) -> Attribute:
    key, raw = part
    oid = _oid(text, key)
    value = _value(text, raw)
    if not value:
        raise SubjectError(f"the subject {quoted(text)} cannot be used: {key} has no value.")
    if any(not char.isprintable() for char in value):
        raise SubjectError(f"the subject {quoted(text)} cannot be used: {key} holds a control character.")
    if oid == KEYS["C"] and not re.fullmatch(r"[A-Za-z]{2}", value):
        raise SubjectError(
            f"the subject {quoted(text)} cannot be used: C is a country's code of two letters, not {quoted(value)}."
        )
    longest = LONGEST.get(oid)
    if longest and len(value) > longest:
        raise SubjectError(
            f"the subject {quoted(text)} cannot be used: {key} has {len(value)} characters, and certificates take {longest}."
        )
    return Attribute(oid, value)


def _oid(text: str, key: str) -> str:
    upper = key.upper()
    upper = _OTHER_KEYS.get(upper, upper)
    if upper in KEYS:
        return KEYS[upper]
    dotted = _OID.fullmatch(key)
    if dotted:
        return dotted[1]
    raise SubjectError(
        f"the subject {quoted(text)} cannot be used: there is no part {quoted(key)}; known are {', '.join(KEYS)}, and OID.<number>."
    )


_ESCAPE = re.compile(r"\\((?:[0-9A-Fa-f]{2})(?:\\[0-9A-Fa-f]{2})*|.)", re.DOTALL)
_IN_QUOTES = re.compile(r'"(?:[^"\\]|""|\\.)*"', re.DOTALL)


def _value(text: str, raw: str) -> str:
    """The value without its quotes and escapes; blanks at its ends count only where they are escaped or in quotes."""
    plain = _without_blanks_at_end(raw.lstrip(" "))
    if _IN_QUOTES.fullmatch(plain):
        plain = plain[1:-1].replace('""', '"')
    elif '"' in _ESCAPE.sub("", plain):
        raise SubjectError(
            f"the subject {quoted(text)} cannot be used: quotes stand round a whole value or not at all."
        )
    return _ESCAPE.sub(_unescaped, plain)


def _without_blanks_at_end(text: str) -> str:
    """Without the blanks at the end, but for one that a backslash escapes."""
    bare = text.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(text) else bare


def _unescaped(found: re.Match[str]) -> str:
    escaped = found[1]
    if len(escaped) > 1:
        return bytes.fromhex(escaped.replace("\\", "")).decode("utf-8", errors="replace")
    return escaped
