# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool on files that cannot be signed as they are: each has its sentence, the others are signed, nothing is left behind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from windows_host.host import Played, WindowsHost, Work

LEDGERED = "ledger\\a file.exe"


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    work: Work
    played: Played
    left: list[str]


def obstacles(host: WindowsHost) -> Seen:
    work = host.work("obstacles")
    for name in ("good.exe", "held.exe", "readonly.exe", LEDGERED):
        work.put(name, host.program)
    work.put("empty.exe", b"")
    work.put("text.txt", b"just text, and no program\r\n")
    work.put("ledger.jsonl", b"")
    work.file("readonly.exe").chmod(0o444)
    names = ["good.exe", "held.exe", "readonly.exe", "empty.exe", "text.txt", "gone.exe"]
    files = [*(work.path(name) for name in names), r"C:\scenes\no such folder\a.exe", work.path("*.none")]
    with host.held(work.path("held.exe")), host.held(work.path("ledger.jsonl")):
        played = host.play(
            {
                "sign": host.sign(files),
                "ledger": host.sign([work.path(LEDGERED)], ledger_path=work.path("ledger.jsonl")),
                "relative": host.sign(["build\\größe.exe"]),
            }
        )
    return Seen(host, work, played, work.left())


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=obstacles)]


def test_the_good_file_is_signed_beside_the_others(seen: Seen) -> None:
    assert seen.played.file("sign", "good.exe")["outcome"] == "changed"
    assert seen.host.judge(seen.work.file("good.exe")).good
    assert seen.played.result("sign")["signed"] == 1
    # One more call than a run without obstacles: a file whose reason could be another's runs alone.
    assert seen.played.calls("sign") <= 4


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("held.exe", "in_use", "is in use"),
        ("readonly.exe", "unsigned", "read-only"),
        ("empty.exe", "empty", "is empty"),
        ("text.txt", "not_signable", "text.txt"),
        ("gone.exe", "missing", "does not exist"),
        ("a.exe", "missing", "does not exist"),
        ("*.none", "missing", "No file fits"),
    ],
)
def test_each_obstacle_has_its_sentence(seen: Seen, name: str, state: str, words: str) -> None:
    told = seen.played.file("sign", name)
    assert told["outcome"] == "failed", told
    assert told["state_before"] == state
    assert words in told["error"]["msg"]


@pytest.mark.parametrize("name", ["held.exe", "readonly.exe", LEDGERED])
def test_what_could_not_be_signed_is_as_it_was(seen: Seen, name: str) -> None:
    assert seen.work.file(name).read_bytes() == seen.host.program


def test_a_ledger_that_is_held_open_is_found_before_anything_is_signed(seen: Seen) -> None:
    assert seen.played.of("ledger").failed
    assert seen.played.result("ledger")["link"] == "ledger"
    assert "ledger.jsonl" in seen.played.message("ledger")
    folder = seen.work.path(LEDGERED).rpartition("\\")[0] + "\\"
    assert not [asked for asked in seen.host.signer.asked if asked.file.lower().startswith(folder.lower())], (
        "the key was used"
    )


def test_a_path_is_shown_as_it_was_written(seen: Seen) -> None:
    assert "größe.exe" in seen.played.message("relative")
    assert "is not an absolute path" in seen.played.message("relative")
    assert seen.played.calls("relative") == 0


def test_no_working_copy_is_left(seen: Seen) -> None:
    assert seen.left == sorted(
        ["good.exe", "held.exe", "readonly.exe", "ledger/a file.exe", "empty.exe", "text.txt", "ledger.jsonl"]
    )
