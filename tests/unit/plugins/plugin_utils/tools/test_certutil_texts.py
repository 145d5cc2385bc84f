# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers of certutil's texts: several languages read right, and the same texts damaged in every way
never read wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
    data = certutil.facts(text, name.split("-", maxsplit=1)[0])
    for key in data.get("keys", []):
        if "modulus" in key:
            key["modulus"] = f"{key['modulus'][:16]}...{key['modulus'][-8:]}"
    return data


def test_every_text_has_its_facts() -> None:
    assert TEXTS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_a_whole_text(name: str) -> None:
    assert facts(name, TEXTS[name]) == EXPECTED[name]


# Damage
# ---------------------------------------------------------------------------------------------------------------

IDENTITIES = ("serial", "sha1", "name")


def wrong_facts(whole: dict[str, Any], got: dict[str, Any]) -> list[Any]:
    """What ``got`` says that ``whole`` does not: a fact may be missing in a damaged text, a key's state
    unknown, nothing else.
    """
    wrong: list[Any] = []
    for name, value in got.items():
        if name == "damaged":
            continue
        if name not in ("certificates", "keys"):
            if whole.get(name) != value and not (name == "failed" and name not in whole):
                wrong.append((name, value))
            continue
        known = whole.get(name, [])
        for entry in value:
            same = [
                item
                for item in known
                if any(field in entry and item.get(field) == entry[field] for field in IDENTITIES)
            ]
            if not same:
                wrong.append((name, entry))
            else:
                wrong += [
                    (name, field, item)
                    for field, item in entry.items()
                    if same[0].get(field) != item and (field, item) != ("key", "unknown")
                ]
        if len(value) > len(known):
            wrong.append((name, len(value)))
    return wrong


def check(name: str, text: str, leave_out: tuple[str, ...] = ()) -> bool:
    """Whether anything was read; fails when something wrong was."""
    try:
        got = facts(name, text)
    except certutil.ParseError:
        return False
    for field in leave_out:
        got.pop(field, None)
    assert wrong_facts(EXPECTED[name], got) == [], text
    return True


def line_ends(text: str) -> list[int]:
    return [position for position, char in enumerate(text) if char == "\n"]


COUNTS = ("providers", "csp", "ksp")


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_cut_off_anywhere(name: str) -> None:
    text = TEXTS[name]
    borders = {position + offset for position in line_ends(text) for offset in (-1, 0, 1)}
    for length in sorted({*range(0, len(text), 1 if len(text) < 900 else 4), *borders}):
        # A list of providers that is cut off has fewer of them; no count can know that.
        check(name, text[:length], leave_out=COUNTS)


@pytest.mark.parametrize("gap", ["", " "], ids=["joined", "joined with a blank"])
@pytest.mark.parametrize("name", [name for name in TEXTS if "wrapped" not in name])
def test_a_line_break_that_is_lost(name: str, gap: str) -> None:
    text = TEXTS[name]
    for position in line_ends(text):
        check(name, text[:position] + gap + text[position + 1 :].lstrip(" "))
    check(name, text.replace("\n", gap or ""))


NOISE = (
    "SDK Version: 3.0\n",
    "        SDK Version: 2.03\n",
    "I0424 10:11:12.345678  4242 logging.cc:77] sessions = 1\n",
    "C:\\Users\\Administrator>\n",
    "\n",
)


@pytest.mark.parametrize("noise", NOISE, ids=["sdk 3", "sdk 2", "glog", "prompt", "blank"])
@pytest.mark.parametrize("name", [name for name in TEXTS if "wrapped" not in name])
def test_a_line_of_noise_anywhere_changes_nothing(name: str, noise: str) -> None:
    text = TEXTS[name]
    for position in [-1, *line_ends(text)]:
        assert facts(name, text[: position + 1] + noise + text[position + 1 :]) == EXPECTED[name]


def wrapped(text: str, width: int = 80) -> str:
    lines = text.split("\n")
    return "\n".join(
        line[start : start + width] for line in lines for start in range(0, max(len(line), 1), width)
    )


WHOLE: dict[str, Callable[[str], str]] = {
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "indented": lambda text: "".join(f"      {line}\n" for line in text.splitlines()),
    "wrapped by a console": wrapped,
    "marked up": lambda text: text.replace("\n", "<br/>"),
    "prefixed": lambda text: "".join(f"[build] {line}\n" for line in text.splitlines()),
    "a byte order mark": lambda text: "\ufeff" + text,
}


@pytest.mark.parametrize("change", WHOLE)
@pytest.mark.parametrize("name", [name for name in TEXTS if "wrapped" not in name and "one-line" not in name])
def test_a_text_that_was_changed_as_a_whole_is_read_all_the_same(name: str, change: str) -> None:
    assert {**facts(name, WHOLE[change](TEXTS[name])), "damaged": None} == {**EXPECTED[name], "damaged": None}


@pytest.mark.parametrize("name", TEXTS)
def test_without_its_indentation_nothing_is_read_wrong(name: str) -> None:
    check(name, "".join(f"{line.strip()}\n" for line in TEXTS[name].splitlines()))


CODE_PAGES = (
    ("utf-8", "cp1252"),
    ("utf-8", "cp850"),
    ("cp850", "cp1252"),
    ("cp850", "utf-8"),
    ("cp936", "latin-1"),
    ("cp936", "utf-8"),
    ("cp1252", "cp850"),
    ("cp949", "cp437"),
    ("cp850", "ascii"),
    ("ascii", "ascii"),
)


@pytest.mark.parametrize(("written", "read"), CODE_PAGES)
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_in_the_wrong_code_page(name: str, written: str, read: str) -> None:
    assert check(name, TEXTS[name].encode(written, "replace").decode(read, "replace"))


def test_the_verdict_survives_an_umlaut_that_a_code_page_destroys() -> None:
    for written, read in (("cp850", "utf-8"), ("utf-8", "cp1252"), ("cp850", "ascii"), ("ascii", "ascii")):
        text = TEXTS["store-de-usable.txt"].encode(written, "replace").decode(read, "replace")
        assert (
            facts("store-de-usable.txt", text)["certificates"]
            == EXPECTED["store-de-usable.txt"]["certificates"]
        )


def test_two_runs_in_one_text() -> None:
    before, after = TEXTS["store-en-not-associated.txt"], TEXTS["store-en-cavium-usable.txt"]
    prompt = "C:\\Users\\Administrator>certutil -store my\n"
    entries = certutil.parse_store(prompt + before + prompt + after).certificates
    assert [entry.key for entry in entries] == ["none", "usable"]
    assert certutil.parse_outcome(before + TEXTS["store-en-failed-no-store.txt"]) == certutil.Outcome()


def text_without_rules() -> Iterator[str]:
    for name in ("store-en-many.txt", "store-en-cavium-usable.txt"):
        yield "\n".join(line for line in TEXTS[name].split("\n") if "===" not in line and "CRL" not in line)


def test_certificates_are_told_apart_without_the_rules_between_them() -> None:
    many, one = text_without_rules()
    assert [entry.serial for entry in certutil.parse_store(many).certificates] == [
        "61000000aabbccdd",
        "62000000aabbccdd",
        "63000000aabbccdd",
    ]
    assert [entry.index for entry in certutil.parse_store(one).certificates] == [None]


@pytest.mark.parametrize("verb", ["store", "key", "csplist", "addstore"])
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
def test_what_is_no_output_of_certutil_is_refused(verb: str, text: str) -> None:
    with pytest.raises(certutil.ParseError):
        certutil.facts(text, verb)
