# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds what modules really returned against what RETURN says of it: keys, types, nulls and samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ANSIBLE = {
    *(
        "changed",
        "failed",
        "skipped",
        "msg",
        "diff",
        "stdout_lines",
        "warnings",
        "deprecations",
        "exception",
        "invocation",
        "censored",
    ),
    *("failed_when_result", "failed_when_suppressed_exception", "skip_reason", "false_condition"),
}
"""Keys that Ansible documents for every module."""
TYPES: Mapping[str, type] = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
FORMATS = (
    r"[0-9A-F]{40}",
    r"[0-9a-f]{64}",
    r"[0-9a-f]{38,40}",
    r"[0-9A-F]{512}|[0-9A-F]{16}[.]{3}",
    r"0x[0-9a-f]{16}",
    r"0x[0-9a-f]+",
    r"\d+(\.\d+){2,3}",
    r"[A-Z]:\\.+",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+]00:00",
    r"-----BEGIN CERTIFICATE REQUEST-----\n[^-]+-----END CERTIFICATE REQUEST-----\n?",
    r"-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n?",
    r"",
)
"""What a text can be written like. A sample is written like a value that came back."""

Documented = Mapping[str, Mapping[str, Any]]


def differences(
    documented: Documented, results: Sequence[Mapping[str, Any]], when: str = "success"
) -> list[str]:
    """What RETURN and the results of runs that ended in ``when`` (success or failure) do not agree on."""
    expected = {
        name
        for name, key in documented.items()
        if ("fail" in str(key.get("returned", "always"))) == (when == "failure")
    }
    results = [_own(result) for result in results]
    # A failure may bring what a success brings; it has to show its own keys only.
    keys = {
        name: key
        for name, key in documented.items()
        if name in expected or (when == "failure" and any(name in one for one in results))
    }
    return list(dict.fromkeys(_members(keys, results, "", when)))


def undocumented(documented: Documented, result: Mapping[str, Any]) -> list[str]:
    """The keys of a result that neither RETURN nor Ansible knows."""
    return sorted(set(_own(result)) - set(documented))


def _own(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in result.items()
        if name not in ANSIBLE and not name.startswith("_ansible")
    }


def _members(
    documented: Documented, seen: Sequence[Mapping[str, Any]], path: str, when: str
) -> Iterator[str]:
    for name in sorted({name for one in seen for name in one} - set(documented)):
        yield f"{path}{name} came back and is not documented"
    for name, key in documented.items():
        here, values = f"{path}{name}", [one[name] for one in seen if name in one]
        if always(key, when) and len(values) < len(seen):
            yield f"{here} is documented as always returned, and is missing from {len(seen) - len(values)} of {len(seen)} results"
        if None in values and "null" not in text(key.get("description")).lower():
            yield f"{here} came back as null, of which its description does not speak"
        given = [value for value in values if value is not None]
        if not given and when == "success":
            yield f"{here} came back in no result"
        yield from _key(key, given, here)


def always(key: Mapping[str, Any], when: str) -> bool:
    """Whether every result has the key. A nested key without a word on it comes with what it is in."""
    return str(key.get("returned", "always")) in ("always", when)


def text(description: Any) -> str:
    return " ".join(description) if isinstance(description, list) else str(description or "")


def _key(key: Mapping[str, Any], given: Sequence[Any], here: str) -> Iterator[str]:
    for value in given:
        yield from _typed(key, value, here)
    if "sample" in key and key["sample"] is not None:
        yield from _typed(key, key["sample"], f"the sample of {here}")
        if given and not any(alike(key["sample"], value, free="contains" not in key) for value in given):
            yield f"the sample of {here} is {key['sample']!r}, what came back is like {given[0]!r}"
    elif "contains" not in key and "sample" not in key:
        yield f"{here} has no sample"
    if "contains" in key:
        nested = [
            item
            for value in given
            for item in (value if isinstance(value, list) else [value])
            if isinstance(item, Mapping)
        ]
        # A sample of the whole speaks for its parts.
        parts = {name: {**part, **_part_sample(key, name)} for name, part in key["contains"].items()}
        if nested:
            yield from _members(parts, nested, f"{here}.", "success")
        else:
            yield f"{here} came back empty only"


def _part_sample(key: Mapping[str, Any], name: str) -> dict[str, Any]:
    whole = key.get("sample")
    first = whole[0] if isinstance(whole, list) and whole else whole
    return {"sample": first[name]} if isinstance(first, Mapping) and name in first else {}


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a kind; a truth value is no number."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _typed(key: Mapping[str, Any], value: Any, here: str) -> Iterator[str]:
    expected = str(key.get("type", ""))
    if expected not in TYPES:
        yield f"{here} is documented with the type '{expected}'"
    elif not _is(value, TYPES[expected]):
        yield f"{here} is documented as {expected}, and is {value!r}"
    elif expected == "list":
        elements = str(key.get("elements", ""))
        if elements not in TYPES:
            yield f"{here} is a list without documented elements"
        elif not all(_is(item, TYPES[elements]) for item in value):
            yield f"{here} is documented as a list of {elements}, and is {value!r}"


def alike(sample: Any, value: Any, free: bool = False) -> bool:
    """Whether a sample has the shape of a value: types, nested keys (not where they are ``free``), and how
    texts are written.
    """
    if sample is None or value is None:
        return True
    if type(sample) is not type(value):
        return False
    if isinstance(sample, dict):
        if not free and set(sample) != set(value):
            return False
        shared = [name for name in sample if name in value]
        return all(alike(sample[name], value[name], free) for name in shared) and (
            bool(shared) or _kinds(sample) == _kinds(value)
        )
    if isinstance(sample, list):
        return (
            not sample or not value or all(any(alike(one, other, free) for other in value) for one in sample)
        )
    return not isinstance(sample, str) or _written(sample) == _written(value)


def _kinds(mapping: Mapping[str, Any]) -> set[type]:
    return {type(value) for value in mapping.values()}


def _written(value: str) -> str:
    return next((form for form in FORMATS if re.fullmatch(form, value)), ".+")
