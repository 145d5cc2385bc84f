# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the recordings of the real ansible.windows modules through the lab's modules and compares each
answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.modules import MODULES
from lab.modules.base import Call, execute

from .replay import (
    COLLECTIONS,
    NOT_COMPARED,
    RECORDINGS,
    SCRIPT,
    UNLIKE,
    Recording,
    Stage,
    difference,
    make_stage,
    prepare,
    recordings,
    stories,
)

BY_ACTION_PLUGIN = ("win_copy", "fetch")
"""Modules whose result is their action plugin's: they are played over the wire only."""


def play(stage: Stage, recording: Recording) -> dict[str, Any]:
    """The lab's answer, with what Ansible itself adds to it."""
    name = recording.full_name.replace("ansible.builtin.", "ansible.windows.")
    account = "WINHOST\\root"
    call = Call(
        stage.host,
        name,
        {},
        account,
        "interactive",
        stage.host.environment_of(account),
        check_mode=recording.call["check_mode"],
        diff=recording.call["diff"],
        script=SCRIPT,
    )
    answer = {
        "failed": False,
        "skipped": False,
        **execute(MODULES[name], name, COLLECTIONS, call, stage.arguments(recording)),
    }
    return {
        **answer,
        **{f"{key}_lines": answer[key].splitlines() for key in ("stdout", "stderr") if key in answer},
    }


def after_the_copies(stage: Stage) -> None:
    """What the story of win_copy leaves behind, which is played over the wire only."""
    for name, data in (("c.txt", b"three\n"), ("r.txt", b"three\n")):
        stage.host.files.write(rf"C:\Work\{name}", data)


def test_every_module_of_the_recordings_is_played() -> None:
    modules = {
        recording.full_name.replace("ansible.builtin.", "ansible.windows.")
        for story in stories()
        for recording in recordings(story)
    }
    assert {name for name in modules if name not in MODULES} == {"ansible.windows.fetch"}


def test_what_is_not_compared_is_still_in_the_recordings() -> None:
    known = {(story, call["situation"]) for story, calls in RECORDINGS.items() for call in calls}
    assert not (set(UNLIKE) | set(NOT_COMPARED)) - known


def test_the_modules_answer_as_the_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = make_stage(tmp_path, monkeypatch)
    wrong, played = {}, 0
    for story in stories():
        for recording in recordings(story):
            if recording.module in BY_ACTION_PLUGIN:
                continue
            prepare(stage, recording)
            found = difference(recording, stage.expected(recording), play(stage, recording))
            played += 1
            if found:
                wrong[recording.label] = found
        if story == "copy":
            after_the_copies(stage)
    stage.web.stop()
    assert wrong == {}
    assert played > 200
