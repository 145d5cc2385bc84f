# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the roles' variables, without Jinja where it has nothing to do.

Ansible compiles each template anew for each host, which takes the control node some milliseconds. Most variables are plain values, and
those of roles/common/defaults that are templates are worked out here as the template would, while nobody has set them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DEFAULTS = Path(__file__).resolve().parents[2] / "roles" / "common" / "defaults" / "main.yml"

_VERSION = re.compile(r"[0-9]+[.][0-9]+[.][0-9]+")
_BLANK = re.compile(r"[^\S ]")
"""Other blanks than the space"""

Read = Callable[[str], Any]
"""Gives a variable's value, None where it has none."""


class UnusualError(Exception):
    """A value is not of the form that is worked out here: the template says what comes of it."""


def key_availability_check(read: Read) -> bool:
    """``codesign_client_key_availability_check``: more than one HSM, by its addresses of one family."""
    given, asks = _texts(read("codesign_hsm_addresses")), _bool(read("codesign_client_ask_aws"))
    addresses = [one for text in given for one in text.split(" ") if one]
    of_six = sum(":" in one for one in addresses)
    return max(of_six, len(addresses) - of_six) > 1 or (asks and not given)


def tls_readers(read: Read) -> list[str]:
    """``codesign_client_tls_readers``: the readers of all identities, each once."""
    given = read("codesign_identities")
    identities = given if isinstance(given, list) else [given]
    if not all(isinstance(one, Mapping) for one in identities):
        raise UnusualError
    found: dict[str, str] = {}
    for text in (text for one in identities for text in _texts(one.get("readers", []))):
        # Jinja's unique, and Windows, know no capital letters.
        found.setdefault(text.lower(), text)
    return list(found.values())


def packages(read: Read) -> list[Any]:
    """``codesign_client_packages``: those of the client SDK."""
    by_sdk, sdk = read("codesign_client_packages_by_sdk"), read("codesign_client_sdk")
    if not isinstance(by_sdk, Mapping) or not isinstance(sdk, (str, int)):
        raise UnusualError
    found = by_sdk.get(str(sdk))
    if not isinstance(found, list):
        raise UnusualError
    return found


def minimum_version(read: Read) -> str:
    """``codesign_client_minimum_version``: that of the first package whose file has one in its name."""
    if not _bool(read("codesign_client_install")):
        return ""
    given = read("codesign_client_packages")
    if not isinstance(given, list) or not all(isinstance(one, Mapping) and "file" in one for one in given):
        raise UnusualError
    found = _VERSION.search(" ".join(_texts([one["file"] for one in given])))
    return found[0] if found else ""


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    # Jinja's flatten drops what reads like nothing, and takes lists in lists apart.
    if not isinstance(texts, list) or any(
        not isinstance(one, str) or one in ("None", "null") or _BLANK.search(one) for one in texts
    ):
        raise UnusualError
    return texts


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnusualError
    return value


COMPUTED: Mapping[str, Callable[[Read], Any]] = {
    "codesign_client_key_availability_check": key_availability_check,
    "codesign_client_tls_readers": tls_readers,
    "codesign_client_packages": packages,
    "codesign_client_minimum_version": minimum_version,
}


def _load() -> dict[str, str]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read = yaml.load(DEFAULTS.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - it is a safe one, in C
    return {name: read[name] for name in COMPUTED}


TEMPLATES: Mapping[str, str] = _load()
"""The templates that are worked out here. Read by the process that loads the actions, for all of its forks."""


class Values:
    """The variables of one host. ``template`` gives what Ansible makes of a value."""

    def __init__(self, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> None:
        self._variables = variables
        self._template = template

    def read(self, name: str) -> Any:
        """A variable's value, as a template would have it; None where it has none."""
        value = self._variables.get(name)
        if _is_plain(value):
            return value
        if name in COMPUTED and value == TEMPLATES[name]:
            try:
                return COMPUTED[name](self.read)
            except UnusualError:
                pass
        return self._template(value)


def _is_plain(value: Any) -> bool:
    """Whether there is no template in it, which are all written with a brace, and nothing that is encrypted."""
    return all(
        "{" not in one if isinstance(one, str) else one is None or isinstance(one, (int, float))
        for one in _leaves(value)
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from _leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
