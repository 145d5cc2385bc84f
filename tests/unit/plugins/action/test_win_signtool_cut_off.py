# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool with others and after crashes: control nodes that are killed at every point, two of them in one
folder, files that something else writes meanwhile. No file is lost, doubled or left behind.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_signtool import SignToolHost, signed, split
from test_win_signtool import CERTIFICATE, LEDGER, OTHER, OWN, put_certificate

from ansible_collections.cloudhsm.codesign.plugins.action.win_signtool import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import read_answer, to_json
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import control_node
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import following, journal
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.course import Ask, Course, Pause
from support.fake_host import Raw, failure, run_action
from support.programs import program

FILES = {r"C:\build\a.exe": b"MZ a", r"C:\build\b.dll": b"MZ b", r"D:\other\c.exe": b"MZ c"}
PATTERNS = [r"C:\build\*.exe", r"C:\build\b.dll", r"D:\other\*"]


class Killed(BaseException):
    """The control node is no more: nothing of it goes on, no clean-up either."""


class HostGone(Exception):
    """The host's own call was ended."""


def new_host() -> SignToolHost:
    made = SignToolHost(files={**FILES, r"C:\logs\keep": b""})
    put_certificate(made, CERTIFICATE)
    return made


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits, and no process of this machine is known: the term alone counts."""
    pauses: list[float] = []
    monkeypatch.setattr(following.time, "sleep", pauses.append)
    monkeypatch.setattr(control_node, "process", lambda: "")
    return pauses


def run(host: SignToolHost, **options: Any) -> Raw:
    return run_action(
        ActionModule, {"files": PATTERNS, "thumbprint": OWN, "ledger_path": LEDGER, **options}, host
    )


def of_the_user(host: SignToolHost) -> dict[str, bytes]:
    return {name: data for name, data in host.files.items() if ".codesign" not in name and "logs" not in name}


def judged(host: SignToolHost, files: dict[str, bytes] | None = None) -> None:
    """All files are there and signed once, each with the one right line in the ledger; nothing is left."""
    files = FILES if files is None else files
    assert set(of_the_user(host)) == set(files)
    lines = [json.loads(line) for line in host.files.get(LEDGER, b"").splitlines()]
    for path, body in files.items():
        found, signatures = split(host.files[path])
        assert (found, [one["signer"] for one in signatures]) == (body, [OWN]), path
        digest = hashlib.sha256(host.files[path]).hexdigest()
        own = [line for line in lines if line["file"] == path]
        assert [line["sha256_after"] for line in own] == [digest], path
        assert own[0]["sha256_before"] == hashlib.sha256(body).hexdigest()
    assert not [name for name in host.files if ".codesign" in name]


def survivors(host: SignToolHost) -> None:
    """Right after the kill: the bytes of each file are somewhere."""
    for path, body in FILES.items():
        kept = [data for name, data in host.files.items() if split(data)[0] == body]
        assert kept, f"{path} is lost"


class Kills:
    """Ends the control node before or after its n-th call, or the host's call before its n-th step (then the
    control node goes too, or lives and is told).
    """

    def __init__(self, host: SignToolHost, *, call: int = 0, after: bool = False, step: int = 0) -> None:
        self.host, self.call, self.after, self.step = host, call, after, step
        self.calls = self.steps = 0
        host.before_step = self.one_step

    def __call__(self, *arguments: Any, **keywords: Any) -> Raw:
        self.calls += 1
        if self.calls == self.call and not self.after:
            raise Killed
        try:
            answer = self.host(*arguments, **keywords)
        except HostGone:
            raise Killed from None
        if self.calls == self.call:
            raise Killed
        return answer

    def one_step(self, step: Raw) -> None:
        self.steps += 1
        if self.steps == self.step:
            raise HostGone


def killed(host: SignToolHost, **how: Any) -> bool:
    try:
        run(Kills(host, **how))  # type: ignore[arg-type]
    except Killed:
        return True
    finally:
        host.before_step = lambda step: None
    return False


STEPS_OF_A_RUN = 29
AT = [
    *[{"call": call, "after": after} for call in (1, 2, 3) for after in (False, True)],
    *[{"step": step} for step in range(1, STEPS_OF_A_RUN + 1)],
]


@pytest.mark.parametrize("how", AT, ids=str)
def test_a_control_node_that_is_killed_loses_and_leaves_nothing(how: dict[str, Any]) -> None:
    host = new_host()
    assert killed(host, **how)
    survivors(host)
    host.clock += 661
    result = run(host)
    assert not result.get("failed"), result["msg"]
    judged(host)
    host.calls.clear()
    assert not run(host)["changed"]
    assert len(host.calls) == 1


def test_the_kills_reach_the_end_of_a_run() -> None:
    """One step more, and nobody is killed."""
    assert not killed(new_host(), step=STEPS_OF_A_RUN + 1)


@pytest.mark.parametrize("step", range(1, 26))
@pytest.mark.parametrize("first", [16, 24, 26, 28])
def test_a_second_kill_while_the_first_one_is_mended(first: int, step: int) -> None:
    host = new_host()
    assert killed(host, step=first)
    host.clock += 661
    killed(host, step=step)
    survivors(host)
    host.clock += 661
    assert not run(host).get("failed")
    judged(host)


def half(host: SignToolHost, code: int) -> Callable[[Raw], Raw]:
    """ReplaceFile as the script does it, cut off in its middle: the file lies under the backup's name."""

    def move(step: Raw) -> Raw:
        if "b.dll" in step["target"] and step.get("backup"):
            host._put(step["backup"], host._file(step["target"]))
            host._put(step["target"], None)
            raise HostGone
        return host._move(step)

    return move


def test_a_kill_in_the_middle_of_a_replacement() -> None:
    host = new_host()
    host.overrides["move"] = half(host, 1177)
    assert killed(host)
    assert r"C:\build\b.dll" not in host.files
    survivors(host)
    host.overrides.clear()
    host.clock += 661
    # Asked for another file only: what is left in the folder is ended all the same.
    result = run(host, files=[r"C:\build\a.exe"])
    assert not result.get("failed"), result["msg"]
    assert result["changed"]
    assert "b.dll" in result["warnings"][0]
    assert not run(host).get("failed")
    judged(host)


def test_what_was_finished_before_the_kill_is_not_signed_again() -> None:
    host = new_host()
    assert killed(host, call=3)
    host.clock += 661
    # The verified copies were not in the journal yet: they are made again.
    assert run(host)["signed"] == 3
    judged(host)
    host = new_host()

    def stop(step: Raw) -> None:
        if step["op"] == "move":
            raise HostGone

    host.before_step = stop
    with pytest.raises(Killed):
        run(until_the_host_is_gone(host))  # type: ignore[arg-type]
    host.before_step = lambda step: None
    signing = sum(arguments.startswith("sign ") for _program, arguments in host.runs())
    host.clock += 661
    result = run(host)
    assert [(entry["outcome"], entry["action"]) for entry in result["files"]] == [("changed", "sign")] * 3
    assert sum(arguments.startswith("sign ") for _program, arguments in host.runs()) == signing
    judged(host)


def until_the_host_is_gone(host: SignToolHost) -> Callable[..., Raw]:
    def call(*arguments: Any, **keywords: Any) -> Raw:
        try:
            return host(*arguments, **keywords)
        except HostGone:
            raise Killed from None

    return call


def test_a_missing_line_of_the_ledger_is_written_by_the_next_run() -> None:
    host = new_host()
    append = host._append

    def full(step: Raw) -> Raw:
        return append(step) if not step["base64"] else failure("There is not enough space.", -2147024784)

    host.overrides["append"] = full
    result = run(host)
    assert (result["failed"], result["link"], result["changed"]) == (True, "ledger", True)
    host.overrides.clear()
    # All files are as wanted: the run has nothing to do but this.
    result = run(host)
    assert (result.get("failed", False), result["signed"]) == (False, 0)
    judged(host)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("done", [False, True])
def test_a_step_that_fails_as_a_whole_leaves_no_claim(nth: int, done: bool, slept: list[float]) -> None:
    """The journal could be written, and then something failed: the folder for copies, or the word that all is done.
    What is in place then is told as such.
    """
    host = new_host()
    seen: list[Raw] = []

    def journaled(step: Raw) -> Raw:
        seen.append(step)
        if len(seen) != nth:
            return host._journaled(step)
        if done:
            host._journaled({**step, "clear": False, "closing": ""})
        else:
            for one in step["folders"]:
                host._line(one["path"], one["base64"])
        return failure("There is not enough space on the disk.", -2147024784, "System.IO.IOException")

    host.overrides["journaled"] = journaled
    result = run(host)
    outcomes = {entry["outcome"] for entry in result["files"]}
    # What was verified is put in place in any case, or was there already.
    assert outcomes == ({"changed"} if nth == 2 else {"failed"})
    assert result["changed"] is (nth == 2)
    assert bool(result.get("failed")) is (nth == 1)
    assert sum(slept) == 0
    assert not run(host).get("failed")
    judged(host)


@pytest.mark.parametrize("state", ["verified", "signed"])
def test_who_changes_nothing_mends_nothing(state: str) -> None:
    host = new_host()
    assert killed(host, step=28)
    host.clock += 661
    before = dict(host.files)
    result = run_action(
        ActionModule,
        {"files": PATTERNS, "state": state, "thumbprint": OWN},
        host,
        check_mode=state == "signed",
    )
    assert host.files == before
    assert any("The next run that signs ends it." in text for text in result["warnings"])


def test_what_is_left_is_ended_even_where_nothing_can_be_signed_now() -> None:
    host = new_host()
    host.overrides["move"] = half(host, 1177)
    assert killed(host)
    host.overrides.clear()
    host.clock += 661
    host.files[r"C:\build\new.exe"] = b"MZ new"
    result = run(host, thumbprint="7" * 40)
    assert (result["failed"], result["link"]) == (True, "certificate")
    assert split(host.files[r"C:\build\b.dll"])[0] == b"MZ b"
    assert not [name for name in host.files if ".codesign" in name]


def test_one_folder_under_several_spellings_has_one_journal() -> None:
    host = new_host()
    result = run(
        host, files=[r"c:\BUILD\a.EXE", r"C:\build\*.dll", r"C:\Build\..\build\*.exe", r"D:\OTHER\c.exe"]
    )
    assert not result.get("failed"), result["msg"]
    assert (result["signed"], len(host.calls)) == (3, 3)
    assert not [name for name in host.files if ".codesign" in name]
    assert host.files[LEDGER].count(b"\n") == 3


# Two control nodes
# ------------------------------------------------------------------------------------------------------------


class Turns:
    """Lets somebody else do something before the n-th call of a run."""

    def __init__(self, host: SignToolHost, call: int, do: Callable[[], object]) -> None:
        self.host, self.call, self.do, self.calls = host, call, do, 0

    def __call__(self, *arguments: Any, **keywords: Any) -> Raw:
        self.calls += 1
        if self.calls == self.call:
            self.do()
        return self.host(*arguments, **keywords)


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("other", [PATTERNS, [r"C:\build\*.exe"], [r"D:\other\c.exe", r"C:\build\b.dll"]])
def test_two_control_nodes_sign_each_file_once(call: int, other: list[str], slept: list[float]) -> None:
    host = new_host()
    results: list[Raw] = []
    first = run(Turns(host, call, lambda: results.append(run(host, files=other, lock_timeout=30))))  # type: ignore[arg-type]
    (second,) = results
    assert not first.get("failed"), first["msg"]
    if call == 3:
        # The first one has the folders: the second waits, and says who does.
        assert second["failed"]
        assert "is worked in by run " in second["msg"]
        assert "30 seconds (lock_timeout)" in second["msg"]
        assert sum(pause for pause in slept if pause) == 30
    else:
        assert not second.get("failed"), second["msg"]
    run(host, files=other)
    judged(host)


def test_who_waits_looks_again_when_the_claim_ends(slept: list[float]) -> None:
    host = new_host()
    assert killed(host, call=2, after=True)

    def polled(*arguments: Any, **keywords: Any) -> Raw:
        host.clock += 300
        return host(*arguments, **keywords)

    host.calls.clear()
    result = run(polled)  # type: ignore[arg-type]
    assert not result.get("failed"), result["msg"]
    judged(host)
    # Looked, polled twice, looked again, emptied, looked, signed, finished.
    assert len(host.calls) == 8
    assert [pause for pause in slept if pause] == [5, 5]


def test_nobody_is_waited_for_where_nothing_has_to_be_signed() -> None:
    host = new_host()
    run(host)
    host.files[r"C:\build\.codesign\journal"] = b""
    host.holding.add(r"c:\build\.codesign")
    host.calls.clear()
    assert not run(host)["changed"]
    assert len(host.calls) == 1


def test_a_claim_that_was_lost_is_told_and_nothing_is_overwritten() -> None:
    """The control node was away for longer than its term, and another one took the folders."""
    host = new_host()

    def late() -> None:
        host.clock += 661
        assert run(host)["signed"] == 3

    result = run(Turns(host, 3, late))  # type: ignore[arg-type]
    assert result["failed"]
    assert "was left as it was: somebody else works in" in result["msg"]
    judged(host)


def test_the_host_that_is_away_at_the_end_and_back_again() -> None:
    """The call was done, and its answer was lost: the next one finds out."""
    host = new_host()

    class Lost:
        calls = 0

        def __call__(self, *arguments: Any, **keywords: Any) -> Raw:
            self.calls += 1
            answer = host(*arguments, **keywords)
            if self.calls == 3:
                raise ConnectionError("gone")
            return answer

    with pytest.raises(ConnectionError):
        run(Lost())  # type: ignore[arg-type]
    judged(host)


# What something else writes meanwhile
# ----------------------------------------------------------------------------------------------


def test_a_file_that_is_written_before_it_is_copied_is_looked_at_again() -> None:
    """Nothing was done to it yet: what is signed is what lies there, and so the ledger says."""
    host = new_host()
    path = r"C:\build\a.exe"
    done: list[int] = []

    def write(step: Raw) -> None:
        if step["op"] == "copy" and not done:
            done.append(1)
            host.files[path] = b"MZ a, built anew"

    host.before_step = write
    result = run(host)
    assert not result.get("failed"), result["msg"]
    assert [entry["outcome"] for entry in result["files"]] == ["changed"] * 3
    assert result["signed"] == 3
    judged(host, {**FILES, path: b"MZ a, built anew"})


@pytest.mark.parametrize("before", ["together", "move"])
def test_a_file_that_is_written_meanwhile_stays(before: str) -> None:
    host = new_host()
    path = r"C:\build\a.exe"
    done: list[int] = []

    def write(step: Raw) -> None:
        signing = step["op"] != "together" or step["runs"][0]["arguments"].startswith("sign ")
        if step["op"] == before and signing and not done:
            done.append(1)
            host.files[path] = b"MZ a, built anew"

    host.before_step = write
    result = run(host)
    host.before_step = lambda step: None
    outcomes = {entry["path"]: (entry["outcome"], entry["error"]) for entry in result["files"]}
    assert outcomes[path][0] == "changed_meanwhile"
    assert (result["failed_files"], result["link"]) == (1, "file")
    assert "was changed meanwhile: something else wrote it" in outcomes[path][1]["msg"]
    assert [outcomes[other][0] for other in FILES if other != path] == ["changed", "changed"]
    assert host.files[path] == b"MZ a, built anew"
    assert not any(path in line for line in host.files[LEDGER].decode().splitlines())
    assert run(host)["signed"] == 1
    judged(host, {**FILES, path: b"MZ a, built anew"})


PROGRAM, ANEW = program() + b"a", program() + b"a, built anew"
"""Programs without a signature, whose digests are taken while they are copied."""


@pytest.mark.parametrize("ledger", [LEDGER, None])
def test_a_program_that_is_written_before_it_is_copied_is_signed_as_it_is(ledger: str | None) -> None:
    """What is signed is what was copied: it needs no second look, and the result and the ledger say what it was."""
    host = new_host()
    path = r"C:\build\a.exe"
    host.files[path] = PROGRAM

    def write(step: Raw) -> None:
        if step["op"] == "copy" and step["path"] == path:
            host.files[path] = ANEW

    host.before_step = write
    result = run(host, ledger_path=ledger)
    assert not result.get("failed"), result["msg"]
    assert len(host.calls) == (3 if ledger else 2)
    (entry,) = [one for one in result["files"] if one["path"] == path]
    assert entry["sha256_before"] == hashlib.sha256(ANEW).hexdigest()
    if ledger:
        judged(host, {**FILES, path: ANEW})


def test_a_program_that_somebody_signs_before_it_is_copied_is_looked_at_again() -> None:
    host = new_host()
    path = r"C:\build\a.exe"
    host.files[path] = PROGRAM

    def write(step: Raw) -> None:
        if step["op"] == "copy" and step["path"] == path:
            host.files[path] = signed(PROGRAM, OTHER)

    host.before_step = write
    result = run(host)
    assert not result.get("failed"), result["msg"]
    assert {one["path"]: one["outcome"] for one in result["files"]}[path] == "left"
    assert host.files[path] == signed(PROGRAM, OTHER)


@pytest.mark.parametrize("before", ["together", "move"])
@pytest.mark.parametrize("ledger", [LEDGER, None])
def test_a_program_that_is_written_after_it_was_copied_stays(before: str, ledger: str | None) -> None:
    host = new_host()
    path = r"C:\build\a.exe"
    host.files[path] = PROGRAM
    done: list[int] = []

    def write(step: Raw) -> None:
        signing = step["op"] != "together" or step["runs"][0]["arguments"].startswith("sign ")
        if step["op"] == before and signing and not done:
            done.append(1)
            host.files[path] = ANEW

    host.before_step = write
    result = run(host, ledger_path=ledger)
    host.before_step = lambda step: None
    outcomes = {one["path"]: one["outcome"] for one in result["files"]}
    assert outcomes.pop(path) == "changed_meanwhile"
    assert set(outcomes.values()) == {"changed"}
    assert host.files[path] == ANEW
    assert not [name for name in host.files if ".codesign" in name]


def test_a_prediction_knows_the_digest_of_a_program() -> None:
    host = new_host()
    host.files[r"C:\build\a.exe"] = PROGRAM
    given = {"files": PATTERNS, "thumbprint": OWN}
    result = run_action(ActionModule, given, host, check_mode=True)
    before = {one["path"]: one["sha256_before"] for one in result["files"]}
    assert before[r"C:\build\a.exe"] == hashlib.sha256(PROGRAM).hexdigest()


def test_a_file_that_is_written_again_and_again_stays() -> None:
    """It is looked at anew once; then somebody has to let it be."""
    host = new_host()
    path = r"C:\build\a.exe"

    def write(step: Raw) -> None:
        if step["op"] == "copy":
            host.files[path] = b"MZ a, built anew" + bytes([48 + len(host.calls)])

    host.before_step = write
    result = run(host)
    outcomes = {entry["path"]: entry["outcome"] for entry in result["files"]}
    assert outcomes == {path: "changed_meanwhile", r"C:\build\b.dll": "changed", r"D:\other\c.exe": "changed"}
    assert split(host.files[path])[1] == []
    assert not [name for name in host.files if ".codesign" in name]


def test_a_file_that_is_taken_away_meanwhile_stays_away() -> None:
    host = new_host()

    def take(step: Raw) -> None:
        if step["op"] == "move":
            host.files.pop(r"C:\build\a.exe", None)

    host.before_step = take
    result = run(host)
    assert "something else took it away" in result["msg"]
    outcomes = {entry["path"]: entry["outcome"] for entry in result["files"]}
    assert outcomes.pop(r"C:\build\a.exe") == "changed_meanwhile"
    assert set(outcomes.values()) == {"changed"}
    host.before_step = lambda step: None
    assert r"C:\build\a.exe" not in host.files
    assert not [name for name in host.files if ".codesign" in name]


def test_a_file_that_is_held_at_the_first_look_is_looked_at_again(slept: list[float]) -> None:
    host = new_host()
    host.locked.add(r"c:\build\a.exe")
    look = host._each

    def each(step: Raw) -> Raw:
        seen = look(step)
        host.locked.clear()
        return seen

    host.overrides["each"] = each
    result = run(host)
    assert not result.get("failed"), result["msg"]
    assert len(host.calls) == 4
    judged(host)


def test_replacing_somebody_elses_signature_when_cut_off(slept: list[float]) -> None:
    host = new_host()
    host.files[r"C:\build\a.exe"] = signed(b"MZ a", OTHER)
    assert not run(host).get("failed")
    assert [one["signer"] for one in split(host.files[r"C:\build\a.exe"])[1]] == [OTHER]
    host = new_host()
    host.files[r"C:\build\a.exe"] = signed(b"MZ a", OTHER)
    with pytest.raises(Killed):
        run(Kills(host, step=28), foreign="replace")  # type: ignore[arg-type]
    host.before_step = lambda step: None
    host.clock += 661
    run(host)
    assert [one["signer"] for one in split(host.files[r"C:\build\a.exe"])[1]][-1] == OWN
    assert not [name for name in host.files if ".codesign" in name]


def test_what_a_file_was_and_could_not_be_removed_is_told() -> None:
    """Of every step that replaces a file, under a journal or not; not where the folder went with it."""
    host = new_host()

    def kept(step: Raw) -> Raw:
        return {**host._move(step), "kept": step["backup"], "why": "It is in use."}

    host.overrides["move"] = kept
    assert "warnings" not in run(host, files=[r"C:\build\a.exe"])
    host.held.add(r"c:\build\.codesign\journal")
    result = run(host, files=[r"C:\build\b.dll"], ledger_path=None)
    (kept_text, left) = result["warnings"]
    assert kept_text.endswith("(It is in use). Remove it when it is not needed.")
    assert "b1.dll holds what a file was before, and could not be removed" in kept_text
    assert "The working copies in" in left


FULL = "There is not enough space on the disk."


def test_what_was_done_is_told_whatever_becomes_of_the_journal() -> None:
    """The files are in place, and neither the ledger nor the journal takes a line more."""
    host = new_host()
    host.unclosable = FULL

    def full(step: Raw) -> Raw:
        return failure(FULL, -2147024784, "System.IO.IOException") if step["base64"] else {}

    host.overrides["append"] = full
    result = run(host)
    assert (result["failed"], result["changed"], result["link"]) == (True, True, "ledger")
    assert [one["outcome"] for one in result["files"]] == ["changed"] * 3
    assert result["signed"] == 3
    (text,) = result["warnings"]
    assert text.startswith(
        rf"The journal in C:\build\.codesign, D:\other\.codesign could not be closed: {FULL} What was"
    )
    assert "the next run completes the rest" in text
    del host.overrides["append"]
    host.unclosable = ""
    host.clock += 661
    again = run(host)
    assert not again.get("failed"), again["msg"]
    judged(host)


def test_a_journal_that_cannot_be_closed_keeps_this_process_from_nothing(
    slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was claimed by this very process, which does one thing after the other."""
    monkeypatch.setattr(control_node, "process", lambda: "boot/pid:[1]/7")
    host = new_host()
    host.unclosable = FULL
    host.overrides["append"] = lambda step: failure(FULL, -2147024784) if step["base64"] else {}
    assert run(host)["failed"]
    del host.overrides["append"]
    host.unclosable = ""
    slept.clear()
    again = run(host)
    assert not again.get("failed"), again["msg"]
    assert not [seconds for seconds in slept if seconds], "nobody is waited for"
    judged(host)


@pytest.mark.parametrize("keep", [1, 40, -2])
@pytest.mark.parametrize("ledger", [LEDGER, None])
def test_an_intent_that_was_cut_off_replaces_nothing(ledger: str | None, keep: int) -> None:
    """The host goes when a part of a line is written: of the claim, of what is put in place, of the ledger."""
    counted = new_host()
    lines: list[str] = []

    def count(host: SignToolHost, stops: int) -> None:
        plain = host._line

        def line(folder: str, text: str) -> None:
            lines.append(folder)
            if len(lines) == stops:
                plain(folder, base64.b64encode(base64.b64decode(text)[:keep]).decode())
                raise HostGone
            plain(folder, text)

        host._line = line  # type: ignore[method-assign]

    count(counted, 0)
    assert not run(counted, ledger_path=ledger).get("failed")
    for stops in range(1, len(lines) + 1):
        host = new_host()
        lines.clear()
        count(host, stops)
        with pytest.raises(Killed):
            run(Kills(host), ledger_path=ledger)  # type: ignore[arg-type]
        del host._line
        whole = journal.parse(host.files.get(r"C:\build\.codesign\journal", b""))
        known = {one.name for one in whole.files if one.after} if whole else set()
        for path, body in FILES.items():
            if path.startswith("C:") and path.rpartition("\\")[2] not in known:
                assert host.files[path] == body, f"{path} was replaced, and no whole line says so"
        host.before_step = lambda step: None
        host.clock += 661
        again = run(host, ledger_path=ledger)
        assert not again.get("failed"), again["msg"]
        if ledger:
            judged(host)
        assert not [name for name in host.files if ".codesign" in name]


# Many pairs of control nodes
# ------------------------------------------------------------------------------------------------------------


class Node:
    """A control node whose turns a test gives it one by one. ``result``: what its task ended with."""

    def __init__(self, host: SignToolHost, files: list[str]) -> None:
        spec = ActionModule.ARGUMENTS.argument_spec
        given = {"files": files, "thumbprint": OWN, "ledger_path": LEDGER}
        params = {name: given.get(name, option.get("default")) for name, option in spec.items()}
        self.host = host
        self.turns = Course(params, False, "host").turns()
        self.result: Raw | None = None
        self.wanted = next(self.turns)

    def go_on(self) -> None:
        """The next call; pauses and warnings on the way take no turn."""
        found: Any = None
        try:
            if isinstance(self.wanted, Ask):
                text = to_json(self.wanted.steps)
                raw = self.host(
                    "ansible.windows.win_powershell", {"script": "Steps", "parameters": {"Steps": text}}
                )
                found = read_answer(self.wanted.steps, raw["result"])
            elif isinstance(self.wanted, Pause):
                self.host.clock += self.wanted.seconds
            self.wanted = self.turns.send(found)
            if not isinstance(self.wanted, Ask):
                self.go_on()
        except StopIteration as ended:
            self.result = ended.value
        except BrokenLink as broken:
            self.result = {"failed": True, "msg": str(broken), **broken.details}


PAIRS = range(60)
CHOICES = [PATTERNS, [r"C:\build\*"], [r"D:\other\c.exe"], [r"C:\build\b.dll", r"D:\other\*.exe"]]


def pair(seed: int, kill: bool = False) -> tuple[SignToolHost, list[Node], str]:
    """Two control nodes at once, and in which order they took turns: one's call comes between the other's, or while
    the other's is at some step. ``kill``: one of them goes after some turns.
    """
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    host = new_host()
    nodes = [Node(host, PATTERNS), Node(host, chance.choice(CHOICES))]
    last = chance.randrange(1, 4) if kill else 0
    order, steps, inside = "", 0, False

    def turn(node: Node) -> None:
        nonlocal order
        order += f"{steps}:{nodes.index(node)} "
        node.go_on()

    def meanwhile(_step: Raw) -> None:
        nonlocal steps, inside
        steps += 1
        others = [node for node in nodes if node is not working and node.result is None]
        if others and not inside and chance.random() < 0.1:
            inside = True
            turn(others[0])
            inside = False

    host.before_step = meanwhile
    while waiting := [node for node in nodes if node.result is None]:
        working = chance.choice(waiting)
        turn(working)
        if order.count(" ") >= last > 0 and len(nodes) == 2:
            nodes.remove(chance.choice(nodes))
        assert order.count(" ") < 400, "nobody gets anywhere"
    host.before_step = lambda step: None
    return host, nodes, order


@pytest.mark.parametrize("seed", PAIRS)
def test_pairs_of_control_nodes_whose_calls_fall_between_each_other(seed: int) -> None:
    host, nodes, _order = pair(seed)
    assert all(node.result is not None and not node.result["failed_files"] for node in nodes)
    judged(host)


def test_fifty_pairs_and_more_take_turns_in_fifty_orders() -> None:
    assert len({pair(seed)[2] for seed in PAIRS}) >= 50


@pytest.mark.parametrize("seed", PAIRS)
def test_pairs_of_which_one_is_killed(seed: int) -> None:
    """The other one ends what was left, or says who holds the folder; the next run finds nothing left."""
    host, (node,), _order = pair(1000 + seed, kill=True)
    assert node.result is not None
    if node.result.get("failed"):
        assert "(lock_timeout)" in node.result["msg"]
    survivors(host)
    host.clock += 661
    assert not run(host).get("failed")
    judged(host)
