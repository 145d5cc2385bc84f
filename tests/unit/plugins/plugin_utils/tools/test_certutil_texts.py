# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers of certutil's texts in several languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil

FOLDER = Path(__file__).parents[3] / "fixtures" / "certutil"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
# ansible-test lets no file hold the apostrophe that French Windows prints.
TEXTS = {
    path.name: path.read_text(encoding="utf-8").replace("<U+2019>", "\u2019")
    for path in sorted(FOLDER.glob("*.txt"))
}


def facts(name: str, text: str) -> dict[str, Any]:
    verb = name.split("-", maxsplit=1)[0]
    if verb == "csplist":
        types = [provider.type for provider in certutil.parse_csplist(text).providers]
        return {"csp": len(types) - types.count(None), "ksp": types.count(None)}
    listing = certutil.parse_keys(text)
    assert not listing.damaged
    shown = []
    for key in listing.keys:
        modulus = f"{key.modulus[:16]}...{key.modulus[-8:]}" if key.modulus else ""
        plain = {
            "name": key.name,
            "unique_name": key.unique_name,
            "algorithm": key.algorithm,
            "modulus": modulus,
        }
        shown.append({field: value for field, value in plain.items() if value})
    return {"keys": shown}


def test_every_text_has_its_facts() -> None:
    assert TEXTS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_a_whole_text(name: str) -> None:
    assert facts(name, TEXTS[name]) == EXPECTED[name]


NOISE = (
    "        SDK Version: 2.03\n",
    "I0424 10:11:12.345678  4242 logging.cc:77] Provider = opened, Key Container = none\n",
)


@pytest.mark.parametrize("noise", NOISE, ids=["sdk", "glog"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_line_of_the_provider_anywhere_changes_nothing(name: str, noise: str) -> None:
    text = TEXTS[name]
    for position in [-1, *(place for place, char in enumerate(text) if char == "\n")]:
        assert facts(name, text[: position + 1] + noise + text[position + 1 :]) == EXPECTED[name]


@pytest.mark.parametrize("name", TEXTS)
def test_the_line_ends_of_windows_change_nothing(name: str) -> None:
    assert facts(name, TEXTS[name].replace("\n", "\r\n")) == EXPECTED[name]


@pytest.mark.parametrize("parse", [certutil.parse_keys, certutil.parse_csplist])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "hello",
        "Usage:\n  CertUtil [Options] [-dump]\n",
        "The system cannot find the path specified.",
    ],
)
def test_what_is_no_output_of_certutil_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(certutil.ParseError):
        parse(text)
