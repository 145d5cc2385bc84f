# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``certutil -key``, ``-v -key`` and ``-csplist`` say of providers and their key containers, in any
language.

A container is a group of lines indented by two blanks that ends with an algorithm's name; in a verbose
listing its public key follows as a hex dump, which is the only thing that ties a container to a certificate:
names prove nothing.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import Iterable, Sequence

from ....module_utils._certificate import rsa_modulus
from .text import ParseError, is_end, lines_of


@dataclass(frozen=True)
class KeyContainer:
    """``modulus``: upper-case hex without leading zeros, "" where the listing shows none; ``point``: an EC
    key's public point.

    ``algorithm`` is "" for a container that certutil could not open.
    """

    name: str
    unique_name: str | None = None
    algorithm: str = ""
    modulus: str = ""
    point: str = ""


@dataclass(frozen=True)
class KeyListing:
    """``damaged``: a container, or a public key, is there that cannot be read for sure."""

    keys: tuple[KeyContainer, ...]
    damaged: bool = False


_ITEM = re.compile(r"  (\S.*)")
_ALGORITHM = re.compile(r"(?:RSA|DSA|DH|EC(?:DSA|DH)?|AES|3DES)(?:[-_][A-Za-z0-9]+)*")
_DUMP = re.compile(r"\s*([0-9a-f]{4,6})  ((?:[0-9a-f]{2} {1,2}){0,15}[0-9a-f]{2})(?:\s{3,}.*)?")
_IDENTITY = re.compile(r"\s*[A-Z]{1,3}\(AT_[A-Z]+\): [0-9a-f ]+")
_UNOPENED = re.compile(r"\b0x[89a-f][0-9a-f]{7} \((?:[A-Z0-9]+: )?-?\d+\b", re.IGNORECASE)
"""Where certutil cannot open a container, its code stands in place of the algorithm."""
_DETAIL = re.compile(r": | = | -- |:$")
"""What the lines behind a container's public key have, in every language."""


def parse_keys(text: str) -> KeyListing:
    """Reads a listing of one provider's containers. Raises ParseError when neither a container nor an end is
    in it.
    """
    lines = lines_of(text)
    containers: list[KeyContainer] = []
    damaged = False
    group: list[str] = []
    is_open = False
    for number, line in enumerate(lines):
        item = _ITEM.fullmatch(line)
        if item is None or _DUMP.fullmatch(line):
            # What ends no container is the details of one, or a container whose algorithm is not known.
            damaged = damaged or bool(line and is_open)
            group, is_open = (group, True) if is_open and not line else ([], False)
        elif group and (_ALGORITHM.fullmatch(item.group(1)) or _UNOPENED.search(line)):
            opened = not _UNOPENED.search(line)
            modulus, point, broken = (
                _public_key(itertools.islice(lines, number + 1, None)) if opened else ("", "", False)
            )
            damaged = damaged or broken or len(group) > 2
            if len(group) <= 2:
                unique = group[1] if len(group) == 2 else None
                algorithm = item.group(1) if opened else ""
                containers.append(KeyContainer(group[0], unique, algorithm, modulus, point))
            group, is_open = [], False
        elif not _IDENTITY.fullmatch(line):
            group.append(item.group(1))
            is_open = is_open or not _DETAIL.search(item.group(1))
    if not containers and not any(is_end(line) for line in lines):
        raise ParseError("this is no output of certutil -key: it holds no container and no result")
    return KeyListing(tuple(containers), damaged or bool(group))


def _public_key(lines: Iterable[str]) -> tuple[str, str, bool]:
    """Modulus or point of the dump that follows a container's algorithm before anything else with
    its indentation; and whether it is damaged.
    """
    data = bytearray()
    for line in lines:
        match = _DUMP.fullmatch(line)
        if match:
            if int(match.group(1), 16) != len(data):
                return "", "", True
            data += bytes.fromhex(match.group(2))
        elif line and (data or _ITEM.fullmatch(line) or is_end(line)):
            break
    if not data:
        return "", "", False
    modulus = rsa_modulus(bytes(data))
    if modulus:
        return modulus, "", False
    if data[:1] == b"\x04" and len(data) in (65, 97, 133):
        return "", data.hex(), False
    return "", "", True


# -csplist
# -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Provider:
    """``type`` is None for a key storage provider (KSP), the CryptoAPI type of a legacy provider (CSP)
    otherwise.
    """

    name: str
    type: int | None = None


@dataclass(frozen=True)
class ProviderListing:
    providers: tuple[Provider, ...]

    def find(self, name: str) -> Provider | None:
        """The provider of that name; Windows does not tell upper from lower case in it."""
        return next((provider for provider in self.providers if provider.name.lower() == name.lower()), None)


_LABELLED = re.compile(r"([^:]{2,40}?)\s*: (\S.*)")
_TYPE = re.compile(r"(\d{1,10})(?: [-\u2010-\u2015] (?:PROV|PROVIDER)_[A-Z0-9_]+)?")


def parse_csplist(text: str) -> ProviderListing:
    """Reads a list of providers: the label that stands before a ``n - PROV_...`` line, or else most often, is
    the name's.
    """
    lines = lines_of(text)
    rows = [
        match.groups() for line in lines if not is_end(line) and (match := _LABELLED.fullmatch(line.strip()))
    ]
    name_label = _name_label(rows)
    if name_label is None and (rows or not any(is_end(line) for line in lines)):
        raise ParseError("this is no output of certutil -csplist: it holds no provider and no result")
    providers: list[Provider] = []
    for label, value in rows:
        number = _TYPE.fullmatch(value)
        if number and providers:
            providers[-1] = Provider(providers[-1].name, int(number.group(1)))
        elif label == name_label:
            providers.append(Provider(value))
    return ProviderListing(tuple(providers))


def _name_label(rows: Sequence[tuple[str, ...]]) -> str | None:
    for (label, value), (next_label, following) in itertools.pairwise(rows):
        if _TYPE.fullmatch(following) and label != next_label and not _TYPE.fullmatch(value):
            return label
    labels = Counter(label for label, value in rows if not _TYPE.fullmatch(value))
    return max(labels, key=lambda label: labels[label]) if labels else None
