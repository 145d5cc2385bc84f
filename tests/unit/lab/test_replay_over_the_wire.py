# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the recordings of the real ansible.windows modules through an unmodified Ansible, pywinrm and the
lab's endpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .over_the_wire import Answer, endpoint, play
from .replay import Recording, Stage, difference, make_stage, prepare, recordings, stories


def task(stage: Stage, recording: Recording) -> dict[str, Any]:
    arguments = stage.arguments(recording)
    if recording.module == "win_command" and "_raw_params" in arguments:
        arguments["cmd"] = arguments.pop("_raw_params")
    made: dict[str, Any] = {
        "name": recording.label,
        recording.full_name: arguments,
        "check_mode": recording.call["check_mode"],
        "diff": recording.call["diff"],
    }
    if recording.module == "win_credential":
        # A network logon has no Credential Manager; Wine has no logon sessions at all.
        made.update(
            become=True,
            become_method="runas",
            vars={"ansible_become_user": "root", "ansible_become_password": "Root-2026!"},
        )
    return made


def batches() -> list[list[Recording]]:
    """The recordings in their order, cut where something has to be done by hand on the host."""
    everything = [recording for story in stories() for recording in recordings(story)]
    cuts = [
        index
        for index, recording in enumerate(everything)
        if (recording.story, recording.index) in (("certificate_store_absent", 1), ("certificate_info", 0))
    ]
    return [everything[start:end] for start, end in zip([0, *cuts], [*cuts, len(everything)], strict=True)]


def without_core(answer: Answer, expected: dict[str, Any]) -> dict[str, Any]:
    """A task's answer without what newer versions of ansible-core add to a failure by themselves."""
    result = {**answer.result, "failed": answer.failed, "skipped": answer.skipped}
    if "exception" not in expected:
        result.pop("exception", None)
    if "msg" not in expected and str(result.get("msg", "")).startswith("Task failed: "):
        del result["msg"]
    return result


def test_ansible_gets_the_answers_of_the_real_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make_stage(tmp_path, monkeypatch)
    wrong, played = {}, 0
    with endpoint(stage.host) as made:
        for batch in batches():
            prepare(stage, batch[0])
            answers = play(tmp_path, made.port, [task(stage, recording) for recording in batch])
            assert len(answers) == len(batch)
            for recording, answer in zip(batch, answers, strict=True):
                expected = stage.expected(recording)
                found = difference(recording, expected, without_core(answer, expected))
                played += 1
                if found:
                    wrong[recording.label] = found
    stage.web.stop()
    assert wrong == {}
    assert played > 230
