# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run: what each kind of result adds to it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._progress.summary import (
    Ending,
    Event,
    File,
    duration,
    event,
    summary,
)

SIGN = "cloudhsm.codesign.win_signtool"
WELL, FAILED, LOST = Ending(), Ending(failed=True), Ending(unreachable=True)
STAMP = r"C:\b\2.exe got no timestamp. Check the addresses."


def entry(path: str, outcome: str, action: str = "sign", error: Any = None) -> dict[str, Any]:
    return {"path": path, "outcome": outcome, "action": action, "state_before": "unsigned", "error": error}


def ours(host: str, *files: File, **more: Any) -> Event:
    return Event(host, "Sign", ours=True, files=files, **more)


def texts(events: list[Event], endings: dict[str, Ending], **more: Any) -> list[str]:
    return [one.text for one in summary(events, endings, **more)]


@pytest.mark.parametrize(
    ("events", "endings", "lines"),
    [
        ([], {"a": WELL}, []),
        ([Event("a", "Somebody else's", changed=True)], {"a": WELL}, []),
        ([ours("a")], {"a": WELL}, ["1 host: 1 unchanged"]),
        (
            [ours("a", changed=True), Event("a", "Restart", changed=True), ours("b")],
            {"a": WELL, "b": WELL},
            ["2 hosts: 1 changed, 1 unchanged", "  a changed: Sign, Restart"],
        ),
        (
            [
                ours("a", changed=True),
                ours("b", changed=True),
                ours("c", changed=True),
                Event("c", "x", changed=True),
            ],
            dict.fromkeys("abc", WELL),
            ["3 hosts: 3 changed", "  a, b changed: Sign", "  c changed: Sign, x"],
        ),
        (
            [ours("a", failed=True, msg="The key is gone. Make it."), ours("b", failed=True, msg="No way.")],
            {"a": FAILED, "b": LOST, "c": WELL},
            [
                "3 hosts: 1 unchanged, 1 failed, 1 not reached",
                "  a failed: The key is gone. Make it.",
                "  b not reached: No way.",
            ],
        ),
        # What a task ignores, or another one rescues, is no failure of the host.
        ([ours("a", failed=True, ignored=True, msg="never mind")], {"a": WELL}, ["1 host: 1 unchanged"]),
        (
            [ours("a", failed=True, ignored=True, msg="never mind")],
            {"a": FAILED},
            ["1 host: 1 failed", "  a failed: see above"],
        ),
        (
            [ours("a", File("1", "signed"), File("2", "unchanged"), File("3", "left as they are"))],
            {"a": WELL},
            ["1 host: 1 unchanged", "3 files: 1 signed, 1 unchanged, 1 left as they are"],
        ),
        (
            [
                ours("a", File("1", "signed"), File(r"C:\b\2.exe", "failed", "timestamp", STAMP)),
                ours(
                    "b", File("3", "failed", "file", "It is gone."), File("4", "not tried", "timestamp", "")
                ),
            ],
            {"a": WELL, "b": WELL},
            [
                "2 hosts: 2 unchanged",
                "4 files: 1 signed, 2 failed, 1 not tried",
                "  timestamp: 2 files",
                f"    a: {STAMP}",
                "    b: 4: see above",
                "  file: 1 file",
                "    b: 3: It is gone.",
            ],
        ),
        # A later task knows more of a file.
        (
            [ours("a", File("1", "failed", "file", "1 is held.")), ours("a", File("1", "signed"))],
            {"a": WELL},
            ["1 host: 1 unchanged", "1 file: 1 signed"],
        ),
        (
            [
                ours("a", notices=("ends soon",), looked=True),
                ours("b", notices=("ends soon", "logging is on"), looked=True),
                ours("c", notices=("was repaired",), looked=True),
                ours("c", looked=True),
            ],
            dict.fromkeys("abc", WELL),
            ["3 hosts: 3 unchanged", "2 notices:", "  a, b: ends soon", "  b: logging is on"],
        ),
    ],
)
def test_lines(events: list[Event], endings: dict[str, Ending], lines: list[str]) -> None:
    assert texts(events, endings) == lines


def test_a_large_fleet_has_a_short_summary() -> None:
    names = [f"h{number:03}" for number in range(300)]
    files = [File(f"{number}.exe", "failed", "key", "No.") for number in range(40)]
    events = [ours(name, *files, changed=True) for name in names[:200]]
    events += [ours(name, failed=True, msg="No.") for name in names[200:]]
    events += [ours(name, notices=("same for all",), looked=True) for name in names]
    found = texts(events, {name: FAILED if name >= "h200" else WELL for name in names})
    assert len(found) < 35
    assert "  h000, h001, h002, h003, h004 and 195 more changed: Sign" in found
    assert "  and 90 more" in found
    assert "    and 7995 more" in found
    assert "  h000, h001, h002, h003, h004 and 295 more: same for all" in found


def test_check_mode_says_would() -> None:
    found = texts(
        [ours("a", File("1", "signed"), File("2", "unchanged"), changed=True)], {"a": WELL}, check=True
    )
    assert found == [
        "1 host: 1 would be changed",
        "  a would be changed: Sign",
        "2 files: 1 would be signed, 1 unchanged",
    ]


def test_files_that_were_shared_out() -> None:
    """Of a host that died, another one tells; what nobody brought back is said."""
    died = {
        "artifacts": [{"path": "/d/1", "outcome": "open"}, {"path": "/d/2", "outcome": "signed"}],
        "failed": True,
        "msg": "It broke.",
    }
    plan = {"shares": {}, "known": [{}, {}], "open": 1, "out": {"a": "It broke."}, "key_uses_repeated": 2}
    events = [
        event("a", "Sign", "cloudhsm.codesign.win_codesign_artifacts", died, failed=True, ignored=True),
        event("b", "See", "cloudhsm.codesign.codesign_plan", {**plan, "open": 9}),
        event("b", "See", "cloudhsm.codesign.codesign_plan", plan),
    ]
    assert texts(events, {"a": WELL, "b": WELL}) == [
        "2 hosts: 2 unchanged",
        "4 files: 1 signed, 2 unchanged, 1 not signed",
        "  a takes no further part: It broke.",
        "  2 uses of the key were repeated, at most",
    ]


@pytest.mark.parametrize(
    ("entries", "files"),
    [
        ([entry("1", "changed")], [File("1", "signed")]),
        ([entry("1", "changed", "append")], [File("1", "signed")]),
        ([entry("1", "changed", "timestamp")], [File("1", "timestamped")]),
        ([entry("1", "changed", "remove")], [File("1", "unsigned")]),
        (
            [entry("1", "unchanged"), entry("2", "left")],
            [File("1", "unchanged"), File("2", "left as they are")],
        ),
        (
            [entry("1", "changed", error={"link": "file", "msg": "no line"})],
            [File("1", "failed", "file", "no line")],
        ),
        ([entry("1", "not_tried", error={"link": "key", "msg": "-"})], [File("1", "not tried", "key", "-")]),
        ([entry("1", "changed_meanwhile")], [File("1", "failed")]),
        # Files of other modules are no signed files; what is none of ours is not read at all.
        (["/srv/reports/drift.json"], []),
        ([{"path": "1"}], []),
    ],
)
def test_files_of_a_result(entries: list[Any], files: list[File]) -> None:
    assert event("a", "Sign", SIGN, {"files": entries}).files == tuple(files)
    assert event("a", "Sign", "somebody.elses.win_signtool", {"files": entries}).files == ()


@pytest.mark.parametrize(
    "result",
    [
        {
            "censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
        },
        {"files": "no list", "findings": None, "results": "no list"},
        {"files": [None, 1], "artifacts": {"a": 1}, "shares": 1, "out": [], "known": None},
    ],
)
def test_what_a_result_does_not_say_is_not_told(result: dict[str, Any]) -> None:
    found = event("a", "Sign", SIGN, result)
    assert (found.files, found.notices, found.msg) == ((), (), "")


def test_a_loop_is_told_as_one() -> None:
    items = [
        {"files": [entry("1", "changed")], "changed": True},
        {"failed": True, "link": "key", "msg": "No key.", "findings": [{"severity": "notice", "text": "x"}]},
    ]
    found = event(
        "a", "Sign", SIGN, {"results": items, "changed": True, "msg": "One or more items failed"}, failed=True
    )
    assert (found.link, found.msg, found.files, found.notices) == (
        "key",
        "No key.",
        (File("1", "signed"),),
        ("x",),
    )


def test_text_of_hosts_obeys_no_terminal() -> None:
    bad = "\x1b[2J\x07evil\r\nline\u202e"
    found = event(
        bad, bad, SIGN, {"files": [entry(bad, "failed", error={"link": bad, "msg": bad})], "msg": bad}, True
    )
    lines = summary([found], {found.host: FAILED})
    assert all(line.text.isprintable() for line in lines)
    assert "evil" in "".join(line.text for line in lines)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3600, "1 h 0 min"),
        (7265, "2 h 1 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
