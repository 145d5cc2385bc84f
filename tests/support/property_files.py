# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the collection only writes: certutil's property files."""

from __future__ import annotations

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    KEY_PROV_INFO,
    KeyProvInfo,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.certutil import (
    _PROPERTY_ITEMS,
    ParseError,
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
