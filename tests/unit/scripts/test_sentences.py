# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md explains every sentence that the collection can say, and none that it cannot."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from support.playbook import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import sentences

PAGE = sentences.PAGE.read_text(encoding="utf-8")
ENTRIES = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]


def test_page_has_every_sentence_and_no_other() -> None:
    missing, gone = sentences.compare([one.text for one in sentences.sentences()], PAGE)
    assert (missing, gone) == ([], []), "run: python scripts/sentences.py (--renew for what was reworded)"


def test_no_sentence_is_explained_twice() -> None:
    known = sentences.explained(PAGE)
    assert sorted(known) == sorted(set(known))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.splitlines()[0])
def test_entry_has_sentences_a_meaning_and_what_to_do(entry: str) -> None:
    own = entry.split("\n## ")[0]
    assert sentences.explained(own)
    text = [line for line in own.splitlines()[1:] if line and not line.startswith("- `")]
    assert len(text) >= 2
    assert "**Do:**" in text[-1]


def test_every_link_of_the_chain_has_its_part() -> None:
    from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import LINKS

    parts = {name.lower() for name in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}
    assert parts == {*LINKS, "input"} - {"argument"}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('raise BrokenLink("file", f"{name} is in use by {who}.")', ["… is in use by …."]),
        ('warn("The host " + name + " is not there.")', ["The host … is not there."]),
        ("f\"{why if why else 'nobody knows the reason'} for this file\"", ["nobody knows the reason"]),
        ('ADVICE = "Check the path of the file."', []),
        ('re.compile("one of (?:these|those) texts")', []),
        ('raise ValueError("an author reads this text")', []),
        ('def one():\n    """A docstring that nobody says."""', []),
        ('EXAMPLES = "- name: a task that does something"', []),
        ('name = "two words"', []),
    ],
)
def test_sentences_of_python(source: str, wanted: list[str]) -> None:
    found = [
        sentences.Sentence("plugins/a.py", line, "/".join(context), sentences.plain(text))
        for line, context, text in sentences._walk(ast.parse(source), ())
    ]
    assert [one.text for one in found if sentences.is_sentence(one)] == wanted


def test_sentences_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "ROOT", tmp_path)
    file = tmp_path / "tasks.yml"
    file.write_text(
        "- block:\n"
        "    - ansible.builtin.fail:\n        msg: 'The host {{ name }} is not\n          there{% if x %}!{% endif %}'\n"
        "    - ansible.builtin.assert:\n        that: x\n        fail_msg: Set the variable x first.\n"
        "    - ansible.builtin.debug:\n        msg: nobody fails by this text\n",
        encoding="utf-8",
    )
    assert [one.text for one in sentences.of_tasks(file)] == [
        "The host … is not there…!…",
        "Set the variable x first.",
    ]


def test_sentences_of_powershell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "ROOT", tmp_path)
    file = tmp_path / "a.ps1"
    file.write_text(
        "if (-not $a) { throw \"$($Step.path) has $size bytes\" }\nthrow 'nothing is free'\n$x = 'no throw here'\n",
        encoding="utf-8",
    )
    assert [one.text for one in sentences.of_powershell(file)] == ["… has … bytes", "nothing is free"]


def test_what_was_reworded_takes_the_place_of_the_old() -> None:
    page = "### a\n\n- `The file … is in use.`\n- `Something else entirely, and gone.`\n\nText.\n"
    missing, gone = sentences.compare(["The file … is in use by …."], page)
    assert (missing, gone) == (
        ["The file … is in use by …."],
        ["The file … is in use.", "Something else entirely, and gone."],
    )
    assert sentences.renewed(page, missing, gone) == "### a\n\n- `The file … is in use by ….`\n\nText.\n"
