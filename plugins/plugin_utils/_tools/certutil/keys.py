# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``certutil -key``, ``-v -key`` and ``-csplist`` say of providers and their key containers, in any
language.

A container is a group of indented lines that ends with an algorithm's name; in a verbose listing its public
key follows as a hex dump, which is the only thing that ties a container to a certificate: names prove
nothing.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Sequence

from .text import (
    KNOWN_PROVIDERS,
    Outcome,
    ParseError,
    clean,
    is_end,
    outcome,
    runs,
)


@dataclass(frozen=True)
class KeyContainer:
    """``modulus``: upper-case hex without leading zeros, "" where the listing shows none; ``point``: an EC
    key's public point.

    ``algorithm`` is "" for a container that certutil could not open.
    """

    name: str
    unique_name: str | None = None
    algorithm: str = ""
    provider: str | None = None
    modulus: str = ""
    exponent: int = 0
    point: str = ""


@dataclass(frozen=True)
class KeyListing:
    provider: str | None
    keys: tuple[KeyContainer, ...]
    outcome: Outcome
    damaged: bool = False


_ALGORITHM = re.compile(r"RSA(?:_SIGN)?|DSA|DH|EC(?:DSA|DH)(?:_[A-Za-z0-9]+)?|AES|3DES")
_PROVIDER_LINE = re.compile(r"^\s{0,1}(\S.*\S):\s*$")
_ONE_LINE = re.compile(
    r"^\s*(\S.*?\b(?:Provider|CSP|KSP)): (?:(\S+) (RSA|ECDSA(?:_P\d+)?|ECDH(?:_P\d+)?)\b ?(?=CertUtil:|$))",
    re.IGNORECASE,
)
_DUMP = re.compile(r"^\s*([0-9a-f]{4,6})  ((?:[0-9a-f]{2} {1,2}){0,15}[0-9a-f]{2})(?:\s{3,}.*)?$")
_UNIQUE_SHAPE = re.compile(r"[0-9a-f]{30,32}_[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_UNIQUE_END = re.compile(_UNIQUE_SHAPE.pattern + "$")
_IDENTITY = re.compile(r"^\s*[A-Z]{1,3}\(AT_[A-Z]+\): [0-9a-f ]+$")
_KEY_SPEC = re.compile(r"AT_(?:SIGNATURE|KEYEXCHANGE)\b")
_UNOPENED = re.compile(r"\b0x[89a-f][0-9a-f]{7} \((?:[A-Z0-9]+: )?-?\d+\b", re.IGNORECASE)
"""Where certutil cannot open a container, its code stands in place of the algorithm."""
_NOT_A_NAME = re.compile(
    r"^\s*(?:AT_SIGNATURE|AT_KEYEXCHANGE):?\s*$|^\s*[A-Z_]+ -- |: [0-9a-f]{40}|^\s*[0-9a-f]{4}  [0-9a-f]{2} "
)


def parse_keys(text: str) -> KeyListing:
    """Reads a listing of containers. Raises ParseError when neither a container nor an end is in it."""
    cleaned = clean(text)
    ended = outcome(cleaned)
    one_line = [match for match in map(_ONE_LINE.match, cleaned.lines) if match]
    if one_line:
        keys = tuple(
            KeyContainer(match.group(2), algorithm=match.group(3), provider=match.group(1))
            for match in one_line
        )
        return KeyListing(one_line[0].group(1) if len(one_line) == 1 else None, keys, ended, True)
    containers: list[KeyContainer] = []
    providers: list[str] = []
    damaged = cleaned.damaged
    group: list[str] = []
    lines = cleaned.lines
    for number, line in enumerate(lines):
        head = _PROVIDER_LINE.match(line)
        if is_end(line):
            damaged, group = damaged or bool(group), []
        elif head and not line[:1].isspace() and _begins_listing(lines, number):
            providers.append(head.group(1))
            damaged, group = damaged or bool(group), []
        elif _ALGORITHM.fullmatch(line.strip()) and line[:1].isspace():
            names = _names(group)
            group = []
            if names is None or (cleaned.ends_open and number == len(lines) - 1):
                damaged = True
                continue
            modulus, exponent, point, broken = _public_key(lines, number + 1)
            damaged = damaged or broken
            containers.append(
                KeyContainer(
                    *names, line.strip(), providers[-1] if providers else None, modulus, exponent, point
                )
            )
        elif _UNOPENED.search(line):
            names = _names(group)
            containers += [KeyContainer(*names, "", providers[-1] if providers else None)] if names else []
            damaged, group = damaged or names is None, []
        elif line.strip() and not line[:1].isspace():
            group = []
        elif line.strip() and not _IDENTITY.match(line) and not _NOT_A_NAME.search(line):
            group.append(line.strip())
    if not containers and ended == Outcome() and not any(is_end(line) for line in lines):
        raise ParseError("this is no output of certutil -key: it holds no container and no result")
    # Of two runs in one text each container is there twice.
    return KeyListing(
        providers[0] if len(set(providers)) == 1 else None, tuple(dict.fromkeys(containers)), ended, damaged
    )


def _names(group: Sequence[str]) -> tuple[str, str | None] | None:
    """A container's name and its unique name. None when these lines are not a name, or a name and its unique
    name.
    """
    if any(_KEY_SPEC.match(line) for line in group):
        return None
    if len(group) == 1:
        name, _blank, unique = group[0].rpartition(" ")
        if _UNIQUE_SHAPE.fullmatch(unique):
            # Two names in one line, or the second one without the first.
            return (name.strip(), unique) if name.strip() else None
        run_together = _UNIQUE_END.search(group[0]) or (_ALGORITHM.fullmatch(unique) and name)
        return None if run_together else (group[0], None)
    return (
        (group[0], group[1])
        if len(group) == 2 and not _ALGORITHM.fullmatch(group[1].rpartition(" ")[2])
        else None
    )


def _begins_listing(lines: Sequence[str], number: int) -> bool:
    """Whether the first line behind is an indented name: other lines that end with a colon head a block of a
    container.
    """
    for line in lines[number + 1 :]:
        if line.strip():
            return line[:1].isspace() and not _DUMP.match(line) and not _NOT_A_NAME.search(line)
    return True


def _public_key(lines: Sequence[str], start: int) -> tuple[str, int, str, bool]:
    """Modulus, exponent or point of the first dump behind ``start`` and before the next container; and
    whether it is damaged.
    """
    data = bytearray()
    for line in lines[start:]:
        match = _DUMP.match(line)
        if match:
            if int(match.group(1), 16) != len(data):
                return "", 0, "", True
            data += bytes.fromhex(match.group(2))
            continue
        if not line.strip():
            continue
        if data or is_end(line) or (_ALGORITHM.fullmatch(line.strip()) and line[:1].isspace()):
            break
    if not data:
        return "", 0, "", False
    key = read_pkcs1(bytes(data))
    if key is not None:
        return f"{key[0]:X}", key[1], "", False
    if data[:1] == b"\x04" and len(data) in (65, 97, 133):
        return "", 0, data.hex(), False
    return "", 0, "", True


def read_pkcs1(data: bytes) -> tuple[int, int] | None:
    """Modulus and exponent of an RSAPublicKey in DER; None when the bytes are not exactly one."""
    try:
        body, rest = _element(data, 0x30)
        modulus, tail = _element(body, 0x02)
        exponent, end = _element(tail, 0x02)
    except (IndexError, ValueError):
        return None
    if rest or end or not modulus or not exponent or modulus[0] & 0x80 or exponent[0] & 0x80:
        return None
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    if data[0] != tag:
        raise ValueError("another tag")
    length, position = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, position = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < position + length:
        raise ValueError("cut off")
    return data[position : position + length], data[position + length :]


# -csplist
# -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Provider:
    """``type`` is None for a key storage provider (KSP), the CryptoAPI type of a legacy provider (CSP)
    otherwise.
    """

    name: str
    type: int | None = None

    @property
    def is_ksp(self) -> bool:
        return self.type is None


@dataclass(frozen=True)
class ProviderListing:
    """``names_lost``: a type stands there without its name. ``types_lost``: a legacy provider may be there
    without its type.
    """

    providers: tuple[Provider, ...]
    outcome: Outcome
    damaged: bool = False
    names_lost: bool = False
    types_lost: bool = False

    def find(self, name: str) -> Provider | None:
        """The provider of that name; Windows does not tell upper from lower case in it."""
        return next((provider for provider in self.providers if provider.name.lower() == name.lower()), None)


_LABELLED = re.compile(r"^\s*([^:]{2,40}?)\s*: (\S.*)$")
_TYPE = re.compile(r"^(\d{1,10})(?: [-\u2010-\u2015] (?:PROV|PROVIDER)_[A-Z0-9_]+)?$")
_PROV = re.compile(r"\b\d{1,4} [-\u2010-\u2015] PROV(?:_|\\_)[A-Z0-9_]+")


# Legacy providers of Windows: without its type line such a one would pass for a key storage provider.
_LEGACY = tuple(
    name.lower()
    for name in KNOWN_PROVIDERS
    if not name.endswith(("Key Storage Provider", "Platform Crypto Provider"))
)
_KSP_NAME = re.compile(r"(?:Key Storage Provider|Platform Crypto Provider|KSP)$", re.IGNORECASE)


def parse_csplist(text: str) -> ProviderListing:
    """Reads a list of providers: the label that stands before a ``n - PROV_...`` line, or else most often, is
    the name's.
    """
    cleaned = clean(text.replace("\\_", "_"))
    ended = outcome(cleaned)
    rows: list[tuple[str, str]] = []
    unread = False
    for line in cleaned.lines:
        match = _LABELLED.match(line)
        if is_end(line) or not line.strip():
            continue
        if match:
            rows.append((match.group(1), match.group(2).strip()))
        elif (
            rows
            and not _TYPE.match(rows[-1][1])
            and re.fullmatch(r"\s*[A-Za-z0-9 .]*\bProvider(?: v\d+\.\d+)?\s*", line)
        ):
            # A console or an editor has broken a long name.
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
        else:
            unread = True
    name_label = _name_label(rows)
    finished = any(is_end(line) for line in cleaned.lines)
    if name_label is None:
        if not finished or ((unread or rows) and not ended.failed):
            raise ParseError("this is no output of certutil -csplist: it holds no provider and no result")
        return ProviderListing((), ended, cleaned.damaged, bool(rows), bool(rows))
    if any(
        f"{name_label}:" in value or f"{name_label} :" in value or (label == name_label and ": " in value)
        for label, value in rows
    ):
        raise ParseError(
            "several lines of the list stand in one: the providers cannot be told apart for sure"
        )
    providers, names_lost = _providers(rows, name_label)
    if runs(cleaned) > 1 or len({provider.name for provider in providers}) < len(providers):
        half = len(providers) // 2
        if providers[:half] != providers[half:]:
            raise ParseError("the text holds more than one list of providers, and they differ")
        providers = providers[:half]
    untyped = [provider for provider in providers if provider.type is None]
    last_open = (
        not finished
        and bool(untyped)
        and untyped[-1] is providers[-1]
        and not _KSP_NAME.search(providers[-1].name)
    )
    types_lost = names_lost or last_open or any(provider.name.lower() in _LEGACY for provider in untyped)
    return ProviderListing(
        tuple(providers), ended, cleaned.damaged or names_lost or types_lost, names_lost, types_lost
    )


def _providers(rows: Sequence[tuple[str, str]], name_label: str) -> tuple[list[Provider], bool]:
    """The providers, and whether a type stands there without a name."""
    providers: list[Provider] = []
    names_lost = False
    open_name = False
    for label, value in rows:
        if _TYPE.match(value):
            if open_name:
                providers[-1] = Provider(providers[-1].name, int(value.split(" ", maxsplit=1)[0]))
            names_lost = names_lost or not open_name
            open_name = False
        elif label == name_label:
            providers.append(Provider(value))
            open_name = True
    return providers, names_lost


def _name_label(rows: Sequence[tuple[str, str]]) -> str | None:
    for (label, value), (next_label, following) in itertools.pairwise(rows):
        if _PROV.search(following) and label != next_label and not _TYPE.match(value):
            return label
    labels = [label for label, value in rows if not _TYPE.match(value)]
    return max(labels, key=labels.count) if labels else None
