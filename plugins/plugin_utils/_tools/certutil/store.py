# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``certutil -store``, ``-v -store`` and ``-repairstore`` say of certificates, in any language.

Read by structure: rules of ``=`` with a number, ``label: hex`` for the serial number, ``(sha1)`` with 40 hex
digits, and ``label = value`` lines of which the first is the container and the next the provider. What cannot
be read for sure is None, and the entry is marked as damaged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Sequence

from .text import (
    KNOWN_PROVIDERS,
    Outcome,
    ParseError,
    clean,
    is_end,
    outcome,
)
from .verdict import Verdict, read_verdict


@dataclass(frozen=True)
class StoreEntry:
    """One certificate of a listing.

    ``key``: ``usable`` (opened and used by this account), ``linked`` (the association is there; nothing was
    tried, or this account finds no key for it), ``unusable`` (the key was found and the test failed),
    ``none`` (no association),
    ``unknown`` (the text does not say, or not in words we know).
    """

    index: int | None = None
    serial: str | None = None
    sha1: str | None = None
    container: str | None = None
    simple_name: str | None = None
    unique_name: str | None = None
    provider: str | None = None
    provider_type: int | None = None
    flags: int | None = None
    key_spec: int | None = None
    key: str = "unknown"
    missing_keyset: bool = False
    exportable: bool | None = None
    damaged: bool = False


@dataclass(frozen=True)
class StoreListing:
    certificates: tuple[StoreEntry, ...]
    outcome: Outcome
    damaged: bool = False


def parse_store(text: str) -> StoreListing:
    """Reads a listing. Raises ParseError when there is neither a certificate nor an end in it."""
    cleaned = clean(text)
    ended = outcome(cleaned)
    segments = _segments(cleaned.lines)
    entries = []
    for number, segment in enumerate(segments):
        complete = number < len(segments) - 1 or any(is_end(line) for line in segment.lines)
        entry = _read_entry(segment, complete and not cleaned.hidden, cut=cleaned.ends_open and not complete)
        if entry is not None:
            entries.append(entry)
    if not entries and ended == Outcome() and not any(is_end(line) for line in cleaned.lines):
        raise ParseError("this is no output of certutil -store: it holds no certificate and no result")
    damaged = cleaned.damaged or any(entry.damaged for entry in entries)
    return StoreListing(tuple(entries), ended, damaged)


# Cutting the text into certificates
# -----------------------------------------------------------------------------------

_RULE = re.compile(r"^\s*={4,} ?(.*?) ?={4,}\s*$")
_DASHES = re.compile(r"^\s*-{4,} ?(.*?) ?-{4,}\s*$")
_NUMBERED = re.compile(r"^(\D*?)\s*(\d{1,6})$")
_OTHER_LISTS = re.compile(r"CRL|CTL|LCR|LRC|Sperrliste|吊销|撤銷|失効|해지", re.IGNORECASE)
_SERIAL = re.compile(
    r"^\s*([^:=(]{1,60}?)\s*: ?([0-9a-fA-F]{2,42}|[0-9a-fA-F]{2}(?: [0-9a-fA-F]{2}){1,20})\s*$"
)
_NAME = re.compile(r"(?:^|[ ,+])(?:CN|OU|O|DC|C|E|L|S|ST|SERIALNUMBER)=")


@dataclass(frozen=True)
class _Segment:
    index: int | None
    lines: tuple[str, ...]


def _segments(lines: Sequence[str]) -> list[_Segment]:
    segments: list[_Segment] = []
    index: int | None = None
    current: list[str] = []
    serial_label = ""
    wanted = True
    nested_body = False
    position = 0

    def close() -> None:
        if wanted and any(line.strip() for line in current):
            segments.append(_Segment(index, tuple(current)))

    while position < len(lines):
        line = lines[position]
        position += 1
        rule = _RULE.match(line)
        if rule:
            number = _NUMBERED.match(rule.group(1))
            nested = number is not None and (
                len(number.group(1).split()) > 1
                or (not any(text.strip() for text in current) and index is not None)
                or _ends_in_dashes(lines, position, number.group(2))
            )
            if number is None or nested:
                position, inner = _block(lines, position)
                # A certificate may stand inside of a nesting (a PFX dump): then that is the entry's body. A
                # second body has lost its rule.
                if nested and nested_body and any(_SERIAL.match(text) for text in inner):
                    close()
                    index, current, serial_label, wanted = None, [], "", True
                if nested and not any(_SERIAL.match(text) for text in current):
                    current.extend(inner)
                    nested_body = True
                continue
            close()
            index, current, serial_label, nested_body = int(number.group(2)), [], "", False
            wanted = not _OTHER_LISTS.search(number.group(1))
            continue
        serial = _SERIAL.match(line)
        if serial and _looks_like_serial(serial.group(2)):
            if not serial_label:
                serial_label = serial.group(1)
            elif serial.group(1) == serial_label and any(_SHA1.search(text) for text in current):
                close()
                index, current, wanted = None, [], True
        current.append(line)
        if is_end(line):
            close()
            index, current, serial_label, wanted, nested_body = None, [], "", True, False
    close()
    return segments


def _ends_in_dashes(lines: Sequence[str], position: int, number: str) -> bool:
    """Whether a row of dashes with the same number comes before the next rule: then this rule has begun a
    nesting.
    """
    for line in lines[position:]:
        dashes = _DASHES.match(line)
        if dashes:
            ending = _NUMBERED.match(dashes.group(1).strip())
            return ending is not None and ending.group(2) == number
        if _RULE.match(line) or is_end(line):
            return False
    return False


def _block(lines: Sequence[str], position: int) -> tuple[int, list[str]]:
    """The lines up to the row of dashes that ends a block, and the position behind it; none when the block
    has no end.
    """
    for end in range(position, len(lines)):
        if _DASHES.match(lines[end]):
            return end + 1, list(lines[position:end])
        if _RULE.match(lines[end]) or is_end(lines[end]):
            return end, list(lines[position:end])
    return len(lines), list(lines[position:])


# One certificate
# ------------------------------------------------------------------------------------------------------

_SHA1 = re.compile(r"[(\uff08]sha1[)\uff09][^0-9A-Za-z:]{0,3}: ?")
_MD5 = re.compile(r"[(\uff08]md5[)\uff09][^0-9A-Za-z:]{0,3}: ?")
_DIGEST = re.compile(
    r"(?:[0-9a-f]{2} ){19}[0-9a-f]{2}(?![0-9a-f])|[0-9a-f]{40}(?![0-9a-f])|[0-9A-F]{40}(?![0-9A-Fa-f])"
)
_VERBOSE = re.compile(
    r"[(\uff08](?:md5|rfc-sha1|bcrypt-sha1|pin-sha256)[)\uff09]|_PROP_ID\(\d+\)|\b1\.2\.840\.|^\s*[0-9a-f]{4}  (?:[0-9a-f]{2} ){8}"
)
_PROPERTY = re.compile(r"_PROP_ID\((\d+)\)")
_EQUALS = re.compile(r"^(\s*)(\S.*?)(?<![0-9A-Za-z=])= ?(.*)$")
_COLON = re.compile(r"^\s*([^:=]{2,60}?)\s*: (\S.*)$")
_PROVIDER = re.compile(
    r"^.{2,80}?\b(?:Provider|CSP|KSP|Crypto Provider)(?: v\d+(?:\.\d+)*)?(?: \([^()]*\))?$", re.IGNORECASE
)
_PROVIDER_HEAD = re.compile(r"^(.{2,80}? Provider(?: v\d+\.\d+)?)(\S.*)$")
_TWICE = re.compile(r"^(.{4,80}\b(?:Provider|CSP|KSP)) ?\1", re.IGNORECASE)
_SEVERAL = re.compile(r": |(?<![0-9A-Za-z=])= ")
_UNIQUE_SHAPE = re.compile(r"^[0-9a-f]{30,32}_[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
_GUID_END = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?$", re.IGNORECASE)
_TAIL = re.compile(r"^[0-9a-fA-F_-]{1,70}\}?$")
_PATH = re.compile(r"^(?:[A-Za-z]:\\|\\\\|//)")
_UNIQUE = re.compile(r"uni[qv]|eindeutig|exclusiv|.nico|唯一|고유|уникальн|一意|固有", re.IGNORECASE)
_SIMPLE = re.compile(r"simpl|einfach|sencill|semplic|简单|簡單|단순|간단|прост|単純|簡易", re.IGNORECASE)


def _looks_like_serial(value: str) -> bool:
    return bool(re.search(r"\d", value)) or len(value) >= 8


def _read_entry(segment: _Segment, complete: bool, cut: bool) -> StoreEntry | None:
    """``complete``: something certutil prints after a certificate follows it. ``cut``: its last line may be
    half a line.
    """
    lines = _join_wrapped(_split_providers(segment.lines))
    verbose = any(_VERBOSE.search(line) for line in lines)
    serial, damaged = _serial(lines, cut)
    sha1, at = _thumbprint(lines, verbose)
    if serial is None and (sha1 is None or (at is not None and _OTHER_LISTS.search(lines[at]))):
        return None
    if verbose:
        association = _property_lines(lines)
        after = lines[(at + 1) if at is not None else 0 :]
    elif at is not None:
        association = after = lines[at + 1 :]
    else:
        # The hash is missing or cut: of what follows, the association is all that can be told from the names.
        association = after = [line for line in lines if _EQUALS.match(line) and not _NAME.search(line)]
        damaged = damaged or bool(after)
    if not verbose and at is not None and sha1 is None:
        damaged = True
    pairs, names, broken = _association(association, cut and association[-1:] == list(lines[-1:]))
    entry = replace(_linked(pairs, names, verbose), index=segment.index, serial=serial, sha1=sha1)
    verdict = read_verdict(lines if at is None and not verbose else after)
    listed = (
        verbose
        and complete
        and any(_PROPERTY.search(line) for line in lines)
        and not any(_property_number(line) == 2 for line in lines)
    )
    key = _key(entry, verdict, complete, listed)
    exportable = False if verdict.not_exportable else None
    return replace(
        entry,
        key=key,
        missing_keyset=verdict.missing_keyset,
        exportable=exportable,
        damaged=damaged or broken,
    )


def _split_providers(lines: Sequence[str]) -> list[str]:
    """Puts what a lost line break has put behind a known provider's name on a line of its own."""
    split: list[str] = []
    for line in lines:
        equals = _EQUALS.match(line)
        value = equals.group(3).strip() if equals else ""
        known = next(
            (
                name
                for name in KNOWN_PROVIDERS
                if value.lower().startswith(name.lower()) and len(value) > len(name)
            ),
            None,
        )
        if known:
            start = line.index(value)
            split.extend((line[: start + len(known)], line[start + len(known) :].strip()))
        else:
            split.append(line)
    return split


def _serial(lines: Sequence[str], cut: bool) -> tuple[str | None, bool]:
    """The serial number; and whether what stands there is not a whole one."""
    seen = 0
    for number, line in enumerate(lines):
        if _NAME.search(line) or _SHA1.search(line) or seen > 8:
            break
        if not line.strip():
            continue
        seen += 1
        match = _SERIAL.match(line)
        if match and _looks_like_serial(match.group(2)):
            value = match.group(2).replace(" ", "").lower()
            following = lines[number + 1].strip() if number + 1 < len(lines) else ""
            if (cut and number == len(lines) - 1) or re.fullmatch(r"[0-9a-f]+", following):
                return None, True
            return value, len(value) % 2 == 1
    return None, False


def _thumbprint(lines: Sequence[str], verbose: bool) -> tuple[str | None, int | None]:
    """The certificate's SHA-1 and the number of its line. In a verbose text names and keys have hashes of
    their own.
    """
    found: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines):
        match = _SHA1.search(line)
        if match:
            digest = _DIGEST.match(line, match.end())
            found.append(
                (
                    number,
                    line[: match.start()].strip(),
                    digest.group(0).replace(" ", "").lower() if digest else "",
                )
            )
    if not verbose:
        return (found[0][2] or None, found[0][0]) if len(found) == 1 else (None, None)
    stated = _property_value(lines, 3)
    for number, label, value in reversed(found):
        above = next((line for line in reversed(lines[:number]) if line.strip()), "")
        before = _MD5.search(above)
        if before and above[: before.start()].strip() == label and value:
            return (value, number) if stated in (None, value) else (None, number)
    return stated, None


def _property_number(line: str) -> int | None:
    match = _PROPERTY.search(line)
    return int(match.group(1)) if match else None


def _property_value(lines: Sequence[str], wanted: int) -> str | None:
    for number, line in enumerate(lines[:-1]):
        if _property_number(line) == wanted:
            digest = _DIGEST.match(lines[number + 1].strip())
            return digest.group(0).replace(" ", "").lower() if digest else None
    return None


def _property_lines(lines: Sequence[str]) -> list[str]:
    """The lines of property 2, up to its fifth value or the next property."""
    inside = False
    chosen: list[str] = []
    for line in lines:
        number = _property_number(line)
        if number is not None:
            if inside:
                break
            inside = number == 2
            rest = line.partition("PROP_ID(2):")[2]
            if inside and rest.strip():
                chosen.append(rest)
            continue
        if inside:
            chosen.append(line)
            if sum(1 for text in chosen if _EQUALS.match(text)) == 5:
                break
    return chosen


def _join_wrapped(lines: Sequence[str]) -> list[str]:
    """Puts names together that a console of 80 columns has broken, where the whole has the shape that the
    part has not.
    """
    joined: list[str] = []
    skip = False
    for number, line in enumerate(lines):
        if skip:
            skip = False
            continue
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if (
            ("=" in line or ":" in line)
            and _TAIL.match(following)
            and not _GUID_END.search(line)
            and _GUID_END.search(line + following)
        ):
            line, skip = line + following, True
        elif "=" in line and len(line) >= 40 and following and not re.search("[:=]", following):
            whole = _whole_provider(line.partition("=")[2].strip(), following)
            if whole:
                line, skip = f"{line.partition('=')[0]}= {whole}", True
        joined.append(line)
    return joined


def _whole_provider(value: str, following: str) -> str:
    """The known provider's name of which a console has put the end on the next line; "" where there is none."""
    known = {name.lower(): name for name in KNOWN_PROVIDERS}
    return (
        ""
        if value.lower() in known
        else known.get((value + following).lower()) or known.get(f"{value} {following}".lower()) or ""
    )


def _association(
    lines: Sequence[str], cut: bool
) -> tuple[list[tuple[str, str | None]], list[tuple[str, str]], bool]:
    """The ``label = value`` pairs and the ``label: value`` names round them; and whether something did not
    fit.
    """
    pairs: list[tuple[str, str | None]] = []
    names: list[tuple[str, str]] = []
    damaged = False
    open_value = False
    for number, line in enumerate(lines):
        if is_end(line):
            break
        equals = _EQUALS.match(line)
        colon = _COLON.match(line)
        if equals and not (colon and colon.group(1) in equals.group(2) and ":" in equals.group(2)):
            value: str | None = equals.group(3).strip()
            head = _PROVIDER_HEAD.match(value or "")
            if head and pairs and not _PROVIDER.match(value or ""):
                value, damaged = head.group(1), True
            twice = _TWICE.match(value or "")
            if twice:
                value, damaged = twice.group(1), True
            if (
                value
                and any(name.startswith(value) and name != value for name in KNOWN_PROVIDERS)
                and " " in value
                and value not in KNOWN_PROVIDERS
            ):
                # A known name that breaks off in its middle.
                value, damaged = None, True
            if value is not None and (
                _SEVERAL.search(value) or (cut and number == len(lines) - 1 and not _is_whole(value))
            ):
                value, damaged = None, True
            pairs.append((equals.group(2).strip(), None if value in ("", "(null)") else value))
            open_value = True
        elif (colon and open_value) or (colon and line[:1] == " "):
            name = colon.group(2).strip()
            if line.lstrip().startswith("ERROR:"):
                continue
            if _SEVERAL.search(name) or (cut and number == len(lines) - 1 and not _is_whole(name)):
                damaged = True
            elif not re.search(r"\d=|=\d", line):
                names.append((colon.group(1), name))
        elif (
            line.strip()
            and len(pairs) == 1
            and open_value
            and any(_EQUALS.match(text) for text in lines[number + 1 :])
        ):
            # A line that fits nothing between container and provider: the container's name may go on there.
            pairs[0] = (pairs[0][0], None)
            damaged = True
    return pairs, names, damaged


def _is_whole(value: str) -> bool:
    """Whether a value that the text may have been cut in is known to end there."""
    return value in KNOWN_PROVIDERS or _GUID_END.search(value) is not None


def _linked(
    pairs: Sequence[tuple[str, str | None]], names: Sequence[tuple[str, str]], verbose: bool
) -> StoreEntry:
    values = [value for _label, value in pairs]
    entry = StoreEntry()
    if not values:
        return entry
    if (
        values[0] is not None
        and _PROVIDER.match(values[0])
        and not (len(values) > 1 and values[1] is not None and _PROVIDER.match(values[1]))
    ):
        # Without property 2 certutil looks for the key by itself and begins with the provider it found it in.
        entry = replace(entry, provider=values[0])
    else:
        provider = values[1] if len(values) > 1 else None
        if provider is not None and not _PROVIDER.match(provider) and (verbose or provider.isdigit()):
            provider = None
        entry = replace(entry, container=values[0], provider=provider)
    if verbose and len(values) >= 5:
        entry = replace(
            entry,
            provider_type=_number(values[2], 10),
            flags=_flags(values[3]),
            key_spec=_number(values[4], 10),
        )
    found = _container_names(names, entry.container)
    return replace(entry, simple_name=found.get("simple"), unique_name=found.get("unique"))


def _container_names(names: Sequence[tuple[str, str]], container: str | None) -> dict[str, str]:
    """The other name of the container: by its label where we know the word, else by its shape."""
    found: dict[str, str] = {}
    for label, value in names:
        by_shape = (
            container is not None
            and _UNIQUE_SHAPE.match(container)
            and not _UNIQUE_SHAPE.match(value)
            and not _PROVIDER.match(label)
        )
        if _UNIQUE.search(label):
            kind = "unique"
        elif _SIMPLE.search(label) or by_shape:
            kind = "simple"
        elif _UNIQUE_SHAPE.match(value) or _PATH.match(value):
            kind = "unique"
        else:
            continue
        found.setdefault(kind, value)
    return found


def _number(text: str | None, base: int) -> int | None:
    match = re.match(r"[0-9a-fA-F]+", text or "")
    return int(match.group(0), base) if match else None


def _flags(text: str | None) -> int | None:
    """``20 (32)``: first hex, then decimal; a contradiction is no number."""
    match = re.fullmatch(r"([0-9a-fA-F]{1,8})(?: \((\d+)\))?", (text or "").strip())
    if not match:
        return None
    value = int(match.group(1), 16)
    return value if match.group(2) in (None, str(value)) else None


def _key(entry: StoreEntry, verdict: Verdict, complete: bool, listed_properties: bool) -> str:
    linked = entry.container is not None or (entry.provider is not None and not verdict.no_provider)
    if verdict.passed:
        return "usable"
    if verdict.failed:
        return "unusable"
    if linked:
        said = verdict.missing_keyset or verdict.unproven
        return "linked" if said or (complete and not verdict.unread) else "unknown"
    # "No key provider information" alone may be followed by a provider that certutil finds by itself.
    if (
        verdict.not_found
        or (verdict.no_provider and (complete or verdict.missing_keyset))
        or listed_properties
    ):
        return "none"
    return "unknown"
