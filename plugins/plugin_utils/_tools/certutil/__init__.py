# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil: its command lines, the property file of -repairstore, and the readers of its texts.

Success is the exit code and nothing else: 0, or the HRESULT of what went wrong (1 for a wrong command line).
Options come before the verb's own arguments, because certutil takes a later one for an argument. ``facts``
gives all that a text says as plain data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Callable, Mapping

from ....module_utils._findings import quoted
from ..._formats.codes import as_text
from ..._formats.store_blob import FRIENDLY_NAME, KEY_PROV_INFO, KeyProvInfo
from .keys import (
    KeyContainer,
    KeyListing,
    Provider,
    ProviderListing,
    parse_csplist,
    parse_keys,
)
from .store import StoreEntry, StoreListing, parse_store
from .text import (
    Outcome,
    ParseError,
    clean,
    is_end,
    outcome,
)

__all__ = [
    "PROGRAM",
    "AddedCertificates",
    "KeyContainer",
    "KeyListing",
    "Outcome",
    "ParseError",
    "Provider",
    "ProviderListing",
    "StoreEntry",
    "StoreListing",
    "addstore_argv",
    "association_of",
    "check_inf_value",
    "csplist_argv",
    "delete_key_argv",
    "facts",
    "key_argv",
    "parse_addstore",
    "parse_csplist",
    "parse_keys",
    "parse_outcome",
    "parse_property_file",
    "parse_store",
    "property_file",
    "removal_file",
    "repair_by_file_argv",
    "repair_by_search_argv",
    "store_argv",
]

PROGRAM = r"C:\Windows\System32\certutil.exe"


# Command lines
# --------------------------------------------------------------------------------------------------------


def _user(store_location: str) -> tuple[str, ...]:
    return ("-user",) if store_location == "CurrentUser" else ()


def store_argv(
    store_name: str, thumbprint: str = "", store_location: str = "LocalMachine", verbose: bool = False
) -> tuple[str, ...]:
    """Shows a store or one certificate of it. With a thumbprint the certificate's key is opened and tried:
    give it a time limit.
    """
    return (
        *(("-v",) if verbose else ()),
        *_user(store_location),
        "-store",
        store_name,
        *((thumbprint,) if thumbprint else ()),
    )


def repair_by_search_argv(
    provider: str, store_name: str, thumbprint: str, store_location: str = "LocalMachine"
) -> tuple[str, ...]:
    """Lets certutil look through the provider's containers for the certificate's key."""
    return ("-f", *_user(store_location), "-csp", provider, "-repairstore", store_name, thumbprint)


def repair_by_file_argv(
    store_name: str, thumbprint: str, file: str, store_location: str = "LocalMachine"
) -> tuple[str, ...]:
    """Sets the properties that ``file`` (see property_file) holds."""
    return (*_user(store_location), "-repairstore", store_name, thumbprint, file)


def key_argv(provider: str, verbose: bool = True, store_location: str = "LocalMachine") -> tuple[str, ...]:
    """Lists a provider's key containers; verbose with their public keys, for which every key is opened."""
    return (*(("-v",) if verbose else ()), *_user(store_location), "-csp", provider, "-key")


def delete_key_argv(provider: str, container: str, store_location: str = "LocalMachine") -> tuple[str, ...]:
    """Deletes a key container."""
    return (*_user(store_location), "-csp", provider, "-delkey", container)


def csplist_argv() -> tuple[str, ...]:
    """Lists the providers that are registered on the host."""
    return ("-csplist",)


def addstore_argv(store_name: str, file: str, store_location: str = "LocalMachine") -> tuple[str, ...]:
    """Adds the certificates of a file to a store."""
    return ("-f", *_user(store_location), "-addstore", store_name, file)


# The property file
# ----------------------------------------------------------------------------------------------------

_PROPERTY_ITEMS = ("Container", "Provider", "ProviderType", "Flags", "KeySpec")


def property_file(key: KeyProvInfo | None = None, friendly_name: str | None = None) -> bytes:
    """The INF text of -repairstore that sets the association, the friendly name or both; what is None is left
    alone.

    ASCII where that is enough. Anything else is written as UTF-16 with a byte order mark: that is how
    Windows' own INF reader tells Unicode from the ANSI code page, which differs from host to host. All five
    items of an association are always written.
    """
    lines = ["[Properties]"]
    if friendly_name is not None:
        lines.append(f'{FRIENDLY_NAME} = "{{text}}{_inf_value(friendly_name)}"')
    if key is not None:
        values = (key.container, key.provider, key.provider_type, key.flags, key.key_spec)
        items = [
            f"{name}={_inf_value(str(value))}" for name, value in zip(_PROPERTY_ITEMS, values, strict=True)
        ]
        lines.append(f'{KEY_PROV_INFO} = "{{text}}"')
        lines.extend(f'_continue_ = "{item}&"' for item in items[:-1])
        lines.append(f'_continue_ = "{items[-1]}"')
    text = "\r\n".join([*lines, ""])
    return text.encode("ascii") if text.isascii() else text.encode("utf-16")


def removal_file() -> bytes:
    """The INF text that takes the association away: a number with nothing behind it. (``Empty`` would add one
    without content.)
    """
    return f"[Properties]\r\n{KEY_PROV_INFO} =\r\n".encode("ascii")


def _inf_value(text: str) -> str:
    problem = check_inf_value(text)
    if problem:
        raise ValueError(problem)
    # %name% stands for a string of the [Strings] section; %% is a per cent sign.
    return text.replace("%", "%%")


def check_inf_value(text: str) -> str | None:
    """Why ``text`` cannot stand in a property file; None when it can."""
    bad = sorted({char for char in text if char in '"&\r\n\x00'})
    return (
        f"{quoted(text)} cannot be written to a certutil property file: it holds {', '.join(quoted(char) for char in bad)}."
        if bad
        else None
    )


def parse_property_file(text: str) -> dict[int, str | None]:
    """The properties of such a file by number, their continued lines put together; None for one that is to be
    taken away.
    """
    properties: dict[int, str | None] = {}
    current: int | None = None
    inside = False
    for raw in text.splitlines():
        line = _without_remark(raw).strip()
        if line.startswith("["):
            inside = line.lower() == "[properties]"
            continue
        name, equals, value = line.partition("=")
        if not inside or not equals:
            continue
        bare = value.strip()
        value = bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] == '"' else bare
        if name.strip().lower() == "_continue_":
            if current is None:
                raise ParseError("a _continue_ line stands before the first property")
            properties[current] = (properties[current] or "") + value
        elif name.strip().isdigit():
            current = int(name.strip())
            content = "" if bare.lower() == "empty" else value.replace("{text}", "", 1)
            properties[current] = None if not bare else content
        else:
            raise ParseError(f"the property file has an unknown line: {raw.strip()}")
    if not properties:
        raise ParseError("this is no property file of certutil: it has no [Properties] with a number")
    return properties


def _without_remark(line: str) -> str:
    quoted = False
    for position, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            return line[:position]
    return line


def association_of(text: str) -> KeyProvInfo | None:
    """The association that property 2 of such a file stands for; None when it is taken away or not mentioned."""
    value = parse_property_file(text).get(KEY_PROV_INFO)
    if not value:
        return None
    items: dict[str, str] = {}
    for item in value.split("&"):
        name, _equals, content = item.partition("=")
        items[name.strip().lower()] = content.strip()
    numbers = [int(items.get(name.lower()) or "0", 0) for name in _PROPERTY_ITEMS[2:]]
    return KeyProvInfo(items.get("container", ""), items.get("provider", ""), *numbers)


# Texts
# ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AddedCertificates:
    """``names``: what was added; ``present``: what was in the store before. In an unknown language a name is
    in neither.
    """

    names: tuple[str, ...]
    present: tuple[str, ...]
    outcome: Outcome
    damaged: bool = False


_TITLE = re.compile(r'^\s*[^"]{0,80}"[^"]*"\s*$')
_ENGLISH = re.compile(r'^\s*Certificate ".*" (?:added to|already in) store\.')
_QUOTED = re.compile(r'"(.*)"')
_TYPOGRAPHIC = re.compile("[\u201c\u201d\u201e]|\u00ab ?| ?\u00bb")
_ADDED = re.compile(
    r"added|hinzugef|ajout|agreg|a.{0,3}adid|adicionad|aggiunt|添加|新增|加入|추가|добавлен|追加|toegevoegd|dodan|eklen|p.{0,3}id.{0,3}n",
    re.IGNORECASE,
)
_PRESENT = re.compile(
    r"already|bereits|d.{0,3}j.{1,3} |\bya\b|\bj.{1,3} (?:est|exist)|\bgi.{1,3} |已(?:经|經)?(?:存)?在|已有|이미|уже|既に|すでに|\bal\b|\bju.\b|zaten",
    re.IGNORECASE,
)


def parse_addstore(text: str) -> AddedCertificates:
    """Reads -addstore: a sentence with a name in quotation marks for each certificate, wherever the language
    puts it.
    """
    cleaned = clean(text)
    names: list[str] = []
    present: list[str] = []
    lines = _whole_sentences(tuple(_TYPOGRAPHIC.sub('"', line) for line in cleaned.lines))
    damaged = cleaned.damaged or any(line.count('"') % 2 for line in lines)
    for line in lines:
        match = _QUOTED.search(line)
        if is_end(line) or not match or _TITLE.match(line) or line.count('"') % 2:
            continue
        if line.count('"') > 2 and not _ENGLISH.match(line):
            # A name may hold quotation marks, but so does a title that a lost line break has put before the
            # sentence.
            damaged = True
            continue
        words = line[: match.start()] + " " + line[match.end() :]
        if _PRESENT.search(words):
            present.append(match.group(1))
        elif _ADDED.search(words):
            names.append(match.group(1))
    ended = outcome(cleaned)
    if not names and not present and ended == Outcome() and not any(is_end(line) for line in lines):
        raise ParseError(
            "this is no output of certutil -addstore: it holds no certificate's name and no result"
        )
    # Of two runs in one text each name is there twice.
    return AddedCertificates(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(present)), ended, damaged)


def _whole_sentences(lines: tuple[str, ...]) -> list[str]:
    """A sentence that a console of 80 columns has broken inside of the quotation marks is put together again."""
    whole: list[str] = []
    for line in lines:
        if whole and whole[-1].count('"') % 2 and line.count('"') % 2 and len(whole[-1].rstrip()) >= 78:
            # Of 80 columns the last may have been a blank, which copying from a console drops.
            whole[-1] += line if len(whole[-1]) >= 80 else " " + line.lstrip()
        else:
            whole.append(line)
    return whole


def parse_outcome(text: str) -> Outcome:
    """How a run ended, whatever it was about."""
    return outcome(clean(text))


def _plain(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that hold something."""
    data = {item.name: getattr(value, item.name) for item in fields(value)}
    return {
        name: content
        for name, content in data.items()
        if content not in (None, "", ()) and content is not False
    }


def _end_facts(ended: Outcome) -> dict[str, Any]:
    data: dict[str, Any] = {} if ended.failed is None else {"failed": ended.failed}
    if ended.code is not None:
        data.update({"code": as_text(ended.code), "exit": ended.exit})
        if ended.symbol:
            data["symbol"] = ended.symbol
    return data


def facts(text: str, verb: str = "store") -> dict[str, Any]:
    """All that a text of ``verb`` (store, repairstore, key, csplist, addstore, inf) says, without what it
    does not say.

    Raises ParseError for a text that is none.
    """
    return _READERS[verb](_in_its_own_letters(text))


# Code pages in which a text is read, and the one that it was written in. UTF-8 first: nothing else passes for
# it.
_MISREADINGS: tuple[tuple[str, str], ...] = (
    *((page, "utf-8") for page in ("cp1252", "latin-1", "cp850", "cp437", "cp866")),
    *(
        (page, other)
        for other in ("cp936", "cp950", "cp932", "cp949")
        for page in ("cp1252", "latin-1", "cp850", "cp437")
    ),
    *((page, "cp866") for page in ("cp1251", "cp1252", "latin-1", "cp850")),
)


def _in_its_own_letters(text: str) -> str:
    """``text``, or, where its last line is in no language, what it says in the code page in which that line
    has a meaning.
    """
    cleaned = clean(text)
    if (
        text.isascii()
        or outcome(cleaned).failed is not None
        or not any(is_end(line) for line in cleaned.lines)
    ):
        return text
    for page, other in _MISREADINGS:
        try:
            again = text.encode(page).decode(other)
        except UnicodeError:
            continue
        if outcome(clean(again)).failed is not None:
            return again
    return text


def _store_facts(text: str) -> dict[str, Any]:
    listing = parse_store(text)
    data = _end_facts(listing.outcome)
    entries = []
    for entry in listing.certificates:
        plain = _plain(entry)
        plain.pop("damaged", None)
        plain.pop("missing_keyset", None)
        if entry.exportable is False:
            plain["exportable"] = False
        entries.append(plain)
    if entries:
        data["certificates"] = entries
    return {**data, "damaged": True} if listing.damaged else data


def _key_facts(text: str) -> dict[str, Any]:
    listing = parse_keys(text)
    data = _end_facts(listing.outcome)
    if listing.provider:
        data["provider"] = listing.provider
    data["keys"] = [
        {name: value for name, value in _plain(key).items() if name not in ("provider", "exponent")}
        for key in listing.keys
    ]
    return {**data, "damaged": True} if listing.damaged else data


def _csplist_facts(text: str) -> dict[str, Any]:
    listing = parse_csplist(text)
    count = sum(1 for provider in listing.providers if provider.is_ksp)
    data = _end_facts(listing.outcome)
    if not listing.names_lost:
        data["providers"] = len(listing.providers)
    if not listing.types_lost:
        data.update({"csp": len(listing.providers) - count, "ksp": count})
    return {**data, "damaged": True} if listing.damaged else data


def _addstore_facts(text: str) -> dict[str, Any]:
    result = parse_addstore(text)
    data = _end_facts(result.outcome)
    if result.names:
        data["added"] = result.names[0] if len(result.names) == 1 else list(result.names)
    if result.present:
        data["present"] = result.present[0] if len(result.present) == 1 else list(result.present)
    return {**data, "damaged": True} if result.damaged else data


def _property_facts(text: str) -> dict[str, Any]:
    key = association_of(text)
    data: dict[str, Any] = {"properties": sorted(parse_property_file(text))}
    if key is not None:
        data.update(
            {
                "container": key.container,
                "provider": key.provider,
                "provider_type": key.provider_type,
                "flags": key.flags,
                "key_spec": key.key_spec,
            }
        )
    return data


_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "store": _store_facts,
    "repairstore": _store_facts,
    "key": _key_facts,
    "csplist": _csplist_facts,
    "addstore": _addstore_facts,
    "inf": _property_facts,
}
