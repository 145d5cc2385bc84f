# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The property INF of ``certutil -repairstore``: which properties of a certificate to set or to delete.

Section [Properties]; the key is a property's number; a value is a text, "{text}..." or "{hex}...", continued
by _continue_ lines; no value or Empty deletes the property (Microsoft, certutil -repairstore).
"""

from __future__ import annotations

import re

from ...windows import certstore
from .command import EXPECTED_SECTION, INVALID_PARAMETER, Failure

_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^";]*))')
_NUMBERS = ("ProviderType", "Flags", "KeySpec")


def parse(content: bytes, code_page: str) -> dict[int, bytes | None]:
    """The properties by number; None for one that is to be deleted. A ``Failure`` for what certutil refuses."""
    if content.startswith(b"\xff\xfe"):
        text = content[2:].decode("utf-16-le", errors="replace")
    else:
        text = content.decode(code_page, errors="replace")
    values: dict[int, str | None] = {}
    section, last, seen = "", None, False
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith(";"):
            continue
        if stripped.startswith("["):
            section, last = stripped.partition("]")[0][1:].strip().lower(), None
            seen = seen or section == "properties"
            continue
        if not section:
            raise Failure(EXPECTED_SECTION)
        if section != "properties":
            continue
        key, equals, rest = stripped.partition("=")
        value = _value(rest) if equals else None
        name = key.strip().strip('"')
        if name.lower() == "_continue_":
            if last is None:
                raise Failure(INVALID_PARAMETER)
            values[last] = (values[last] or "") + (value or "")
            continue
        if not name.isdigit():
            raise Failure(INVALID_PARAMETER)
        last = int(name)
        values[last] = value
    if not seen:
        raise Failure(EXPECTED_SECTION)
    return {number: _encode(number, value) for number, value in values.items()}


def _value(text: str) -> str | None:
    """The value up to a remark; None where there is none or the word Empty."""
    match = _ITEM.match(text)
    assert match is not None
    if match[1] is not None:
        return match[1].replace('""', '"').replace("%%", "%")
    plain = match[2].strip().replace("%%", "%")
    return None if not plain or plain.lower() == "empty" else plain


def _encode(number: int, value: str | None) -> bytes | None:
    if value is None:
        return None
    if value.startswith("{hex}"):
        try:
            return bytes.fromhex(value[5:])
        except ValueError:
            raise Failure(INVALID_PARAMETER) from None
    text = value.removeprefix("{text}")
    if number == certstore.KEY_PROV_INFO:
        return certstore.write_key_provider_info(_key_provider_info(text))
    return (text + "\0").encode("utf-16-le")


def _key_provider_info(text: str) -> certstore.KeyProviderInfo:
    fields: dict[str, str] = {}
    for item in text.split("&"):
        name, equals, value = item.partition("=")
        known = {one.lower(): one for one in ("Container", "Provider", *_NUMBERS)}.get(name.strip().lower())
        if not equals or known is None or known in fields:
            raise Failure(INVALID_PARAMETER)
        fields[known] = value.strip()
    try:
        numbers = {name: int(fields.get(name, "0"), 0) for name in _NUMBERS}
    except ValueError:
        raise Failure(INVALID_PARAMETER) from None
    if not fields.get("Container") or not fields.get("Provider"):
        raise Failure(INVALID_PARAMETER)
    return certstore.KeyProviderInfo(
        fields["Container"], fields["Provider"], numbers["ProviderType"], numbers["Flags"], numbers["KeySpec"]
    )
