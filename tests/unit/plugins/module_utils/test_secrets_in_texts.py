# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that repeats a secret may write it in JSON, in an address, in base64 or in another code page: no way of writing
gets past the mask, and nothing else is masked.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _texts as texts
from lab.windows.host import Host
from lab.windows.process import Process, babbling
from support.canaries import ACCOUNT_PASSWORD, CANARIES, Searcher

ALL = {**CANARIES, "account": ACCOUNT_PASSWORD}
READ_AS = ("cp437", "cp850", "cp936", "utf-8")
"""How hosts of the lab write and are read: English, German, Chinese, and tools that write UTF-8."""


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    yield
    texts.hide(())


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Host]:
    folder = tmp_path_factory.mktemp("hosts")
    return {language: Host(language, folder / language, language=language) for language in ("en", "de", "zh")}


def babble(host: Host, secret: str) -> bytes:
    """All that a program can show that has the login in its environment, in its input and (which no tool of ours has) in its
    command line.
    """
    process = Process(
        host,
        *(r"C:\tool.exe", [], f'"C:\\tool.exe" -p {secret}'),
        f"loginHSM -s u -p {secret}\r\n".encode(),
        *({"CLOUDHSM_PIN": f"u:{secret}"}, "C:\\", "a", "network"),
    )
    assert babbling(lambda _process: 0, "1")(process) == 1
    return bytes(process.stdout + process.stderr)


@pytest.mark.parametrize("language", ["en", "de", "zh"])
@pytest.mark.parametrize("name", ALL)
def test_nothing_that_a_program_repeats_is_left(name: str, language: str, hosts: dict[str, Host]) -> None:
    said = babble(hosts[language], ALL[name])
    assert len(Searcher({name: ALL[name]}).find("said", said)) > 5, "the program repeats it in many ways"
    texts.hide([ALL[name], "another-password"])
    for encoding in (hosts[language].encoding, "utf-8"):
        read = said.decode(encoding, "replace")
        left = texts.masked(read)
        assert Searcher({name: ALL[name]}).find("left", left) == []
        assert Searcher({name: ALL[name]}).find("left", texts.shown(left)) == []
        for cut in (500, 1000, 1999, 2000, 2001):
            assert Searcher({name: ALL[name]}).find("left", texts.ending(read, cut)) == []


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_secret_is_left_alone(name: str) -> None:
    """What the collection itself holds: its code and documentation, and another password in all ways of writing."""
    texts.hide([ALL[name]])
    for path in sorted(Path(texts.__file__).parents[1].glob("modules/*.py")):
        said = path.read_text(encoding="utf-8")
        assert texts.masked(said) == said
    for said in texts.ways_of_writing('Ünother&one\'s "Password"%9\\$x {y}:z'):
        assert texts.masked(said) == said


ANY_SECRET = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=4, max_size=40)


@settings(max_examples=150)
@given(ANY_SECRET, st.text(string.printable, max_size=20))
def test_any_secret_in_any_surroundings(secret: str, around: str) -> None:
    """Written by who writes such texts, not by what masks them."""
    texts.hide([secret])
    for said in (f"{around}{secret}{around}", json.dumps({"a": secret}), repr([secret])):
        left = texts.masked(said)
        assert texts.MASK in left
        assert secret not in left.replace(texts.MASK, "")


@pytest.mark.parametrize("short", ["PATH", "pass1", "1234567"])
def test_a_short_secret_is_masked_where_it_stands_and_nowhere_else(short: str) -> None:
    texts.hide([short])
    assert texts.masked(f"the {short}") == f"the {texts.MASK}"
    assert texts.masked("?" * 40) == "?" * 40
    assert texts.masked("SGVsbG8gd29ybGQ=") == "SGVsbG8gd29ybGQ="
