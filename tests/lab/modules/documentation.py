# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's options as the DOCUMENTATION of the installed collection says, and the check of arguments
against them.

The messages are those of Ansible.Basic, which checks the arguments on a real host.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_TRUE = ("y", "yes", "on", "1", "true", "t", "1.0")
_FALSE = ("n", "no", "off", "0", "false", "f", "0.0")


class BadArguments(Exception):
    """The arguments are not what the module's documentation allows; the text is the module's own."""


class NotDocumented(Exception):
    """The installed collections hold no documentation of a module."""


@dataclass(frozen=True)
class Option:
    name: str
    type: str = "str"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    elements: str = ""
    suboptions: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """What the documentation does not say in a form that can be read: which arguments go together."""

    required_if: Sequence[tuple[str, Any, Sequence[str], bool]] = ()
    """argument, value, arguments that it needs, whether one of them is enough"""
    required_one_of: Sequence[Sequence[str]] = ()
    required_together: Sequence[Sequence[str]] = ()
    mutually_exclusive: Sequence[Sequence[str]] = ()
    required_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    free_form: bool = False
    """The module takes ``_raw_params`` too."""


@functools.lru_cache(maxsize=None)
def options(collections: Path, module: str) -> Mapping[str, Option]:
    """The options of ``namespace.collection.module`` in the collections below ``collections``."""
    namespace, collection, name = module.split(".")
    folder = collections / "ansible_collections" / namespace / collection / "plugins"
    text = _sidecar(folder / "modules" / name)
    if text is None and module.startswith("ansible.windows."):
        text = _core(name)
    if text is None:
        raise NotDocumented(f"{module} is not in the collections below {collections}")
    document = yaml.safe_load(text)
    found = dict(document.get("options") or {})
    fragments = document.get("extends_documentation_fragment") or []
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        for key, value in _fragment(collections, str(fragment)).items():
            found[key] = {**value, **found.get(key, {})}
    return _read_options(found)


def _sidecar(stem: Path) -> str | None:
    document = stem.with_suffix(".yml")
    if document.is_file():
        return yaml.safe_dump(yaml.safe_load(document.read_text(encoding="utf-8"))["DOCUMENTATION"])
    source = stem.with_suffix(".py")
    return _constant(source, "DOCUMENTATION") if source.is_file() else None


def _core(name: str) -> str | None:
    """The documentation of a module that ansible-core documents (slurp, setup)."""
    spec = importlib.util.find_spec("ansible")
    if spec is None or not spec.submodule_search_locations:
        return None
    source = Path(spec.submodule_search_locations[0]) / "modules" / f"{name}.py"
    return _constant(source, "DOCUMENTATION") if source.is_file() else None


def _fragment(collections: Path, name: str) -> dict[str, Any]:
    parts = name.split(".")
    if len(parts) < 3:
        return {}  # fragments of ansible-core hold attributes and notes, no options of Windows modules
    source = (
        collections
        / "ansible_collections"
        / parts[0]
        / parts[1]
        / "plugins"
        / "doc_fragments"
        / f"{parts[2]}.py"
    )
    constant = (parts[3] if len(parts) > 3 else "DOCUMENTATION").upper()
    text = _constant(source, constant) if source.is_file() else None
    return dict((yaml.safe_load(text) or {}).get("options") or {}) if text else {}


def _constant(source: Path, name: str) -> str | None:
    """A text constant of a Python file, at its top or in a class, without running the file."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                return node.value.value
    return None


def _read_options(raw: Mapping[str, Any]) -> dict[str, Option]:
    result = {}
    for name, data in raw.items():
        choices = data.get("choices") or ()
        result[str(name)] = Option(
            name=str(name),
            type=str(data.get("type") or "str"),
            required=bool(data.get("required")),
            default=data.get("default"),
            choices=tuple(_choice(choice) for choice in choices),
            aliases=tuple(data.get("aliases") or ()),
            elements=str(data.get("elements") or ""),
            suboptions=_read_options(data.get("suboptions") or {}),
        )
    return result


def _choice(value: Any) -> str:
    # YAML reads an unquoted choice like no as a truth value.
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def check(
    module: str,
    allowed: Mapping[str, Option],
    rules: Rules,
    given: Mapping[str, Any],
    expand: Any = str,
    legacy: bool = False,
) -> dict[str, Any]:
    """The arguments with their aliases resolved, converted, defaults filled in. Raises BadArguments.

    ``expand`` replaces environment variables in arguments of type path. ``legacy``: the words are those of
    Get-AnsibleParam.
    """
    arguments = _resolve(module, allowed, rules, given)
    _together(rules, arguments)
    missing = [name for name, option in allowed.items() if option.required and arguments.get(name) is None]
    if missing:
        raise BadArguments(
            f"Get-AnsibleParam: Missing required argument: {missing[0]}"
            if legacy
            else f"missing required arguments: {', '.join(missing)}"
        )
    result: dict[str, Any] = {}
    for name, option in allowed.items():
        value = arguments.get(name, option.default)
        result[name] = None if value is None else _convert(module, option, value, expand, legacy)
    _relations(
        rules,
        result,
        {name for name, value in arguments.items() if value is not None}
        | {n for n, o in allowed.items() if o.default is not None},
    )
    for name in ("_raw_params",):
        if name in arguments:
            result[name] = arguments[name]
    return result


def _resolve(
    module: str, allowed: Mapping[str, Option], rules: Rules, given: Mapping[str, Any]
) -> dict[str, Any]:
    names = {name.lower(): name for name in allowed}
    names |= {alias.lower(): name for name, option in allowed.items() for alias in option.aliases}
    if rules.free_form:
        names["_raw_params"] = "_raw_params"
    unknown = sorted(key for key in given if key.lower() not in names)
    if unknown:
        legal = sorted(set(allowed) | {alias for option in allowed.values() for alias in option.aliases})
        raise BadArguments(
            f"Unsupported parameters for ({module}) module: {', '.join(unknown)}. Supported parameters include: {', '.join(legal)}"
        )
    return {names[key.lower()]: value for key, value in given.items()}


def _together(rules: Rules, arguments: Mapping[str, Any]) -> None:
    for group in rules.mutually_exclusive:
        if sum(arguments.get(name) is not None for name in group) > 1:
            raise BadArguments(f"parameters are mutually exclusive: {', '.join(group)}")


def _relations(rules: Rules, values: Mapping[str, Any], present: set[str]) -> None:
    for group in rules.required_together:
        if any(name in present for name in group) and not all(name in present for name in group):
            raise BadArguments(f"parameters are required together: {', '.join(group)}")
    for group in rules.required_one_of:
        if not any(name in present for name in group):
            raise BadArguments(f"one of the following is required: {', '.join(group)}")
    for name, value, needed, one in rules.required_if:
        if str(values.get(name)) != str(value):
            continue
        missing = [other for other in needed if other not in present]
        if len(missing) >= (len(needed) if one else 1):
            raise BadArguments(
                f"{name} is {value} but {'any' if one else 'all'} of the following are missing: {', '.join(missing)}"
            )
    for name, needed in rules.required_by.items():
        missing = [other for other in needed if other not in present]
        if name in present and missing:
            raise BadArguments(f"missing parameter(s) required by '{name}': {', '.join(missing)}")


def given_names(allowed: Mapping[str, Option], given: Mapping[str, Any]) -> frozenset[str]:
    """The options that were given, by their own names, without those that are null."""
    names = {alias.lower(): name for name, option in allowed.items() for alias in (name, *option.aliases)}
    return frozenset(
        names[key.lower()] for key, value in given.items() if value is not None and key.lower() in names
    )


def _convert(module: str, option: Option, value: Any, expand: Any, legacy: bool) -> Any:
    try:
        converted = _typed(option.type, value, expand)
    except ValueError as error:
        raise BadArguments(
            f"argument for {option.name} is of type {_net_type(value)} and we were unable to convert to {option.type}: {error}"
        ) from None
    if option.choices:
        values = [str(item) for item in converted] if option.type == "list" else [str(converted)]
        wrong = [item for item in values if item.lower() not in [choice.lower() for choice in option.choices]]
        if wrong and legacy:
            raise BadArguments(
                f"Get-AnsibleParam: Argument {option.name} needs to be one of {','.join(option.choices)} but was {wrong[0]}."
            )
        if wrong:
            which = "one or more of" if option.type == "list" else "one of"
            raise BadArguments(
                f"value of {option.name} must be {which}: {', '.join(option.choices)}. Got no match for: {', '.join(wrong)}"
            )
    if option.type == "list" and option.elements:
        elements = []
        for item in converted:
            try:
                element = _typed(option.elements, item, expand)
                elements.append(
                    _sub(module, option, element, expand)
                    if option.elements == "dict" and option.suboptions
                    else element
                )
            except ValueError as error:
                text = f"argument for list entry {option.name} is of type {_net_type(item)} and we were unable to convert to {option.elements}: {error}"
                raise BadArguments(text) from None
        return elements
    if option.type == "dict" and option.suboptions:
        return _sub(module, option, converted, expand)
    return converted


def _sub(module: str, option: Option, value: Mapping[str, Any], expand: Any) -> dict[str, Any]:
    try:
        return check(module, option.suboptions, Rules(), value, expand)
    except BadArguments as error:
        text = str(error)
        if text.startswith("Unsupported parameters"):
            head, _unused, tail = text.partition(". Supported")
            raise BadArguments(f"{head} found in {option.name}. Supported{tail}") from None
        raise BadArguments(f"{text} found in {option.name}") from None


def _typed(kind: str, value: Any, expand: Any) -> Any:
    if kind == "bool":
        if isinstance(value, bool):
            return value
        text = str(value).lower().strip()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise ValueError(
            f"The value '{text}' is not a valid boolean. Valid booleans include: {', '.join((*_TRUE, *_FALSE))}"
        )
    if kind == "int":
        try:
            return int(str(value))
        except ValueError:
            raise ValueError("Input string was not in a correct format.") from None
    if kind == "float":
        try:
            return float(str(value))
        except ValueError:
            raise ValueError("Input string was not in a correct format.") from None
    if kind == "list":
        if isinstance(value, list):
            return value
        return [item.strip() for item in value.split(",")] if isinstance(value, str) else [value]
    if kind == "dict":
        if isinstance(value, dict):
            return value
        raise ValueError(
            "string cannot be converted to a dict, must either be a JSON string or in the key=value form"
        )
    if kind == "path":
        return expand(str(value))
    if kind in ("str", "json"):
        return str(value) if not isinstance(value, bool) else str(value).title()
    return value


def _net_type(value: Any) -> str:
    names = {str: "System.String", bool: "System.Boolean", int: "System.Int32", float: "System.Double"}
    return names.get(
        type(value),
        "System.Collections.Generic.Dictionary`2[System.String,System.Object]"
        if isinstance(value, dict)
        else "System.Object[]",
    )
