# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool where SignTool itself is not what it should be, or says what no table knows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from windows_host.host import Played, WindowsHost, Work

UNHEARD_OF = "8009dead"
NO_TOOL = "C:\\nothing\\x64\\signtool.exe"


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    work: Work
    played: Played


def tools(host: WindowsHost) -> Seen:
    work = host.work("tools")
    for name in ("a.exe", "b.exe", "c.exe"):
        work.put(name, host.program)
    work.put("d.exe", host.tampered())
    work.put("x64\\text\\signtool.exe", b"this is no program\r\n")
    files = [work.path("a.exe"), work.path("b.exe")]
    played = host.play(
        {
            "missing": host.sign(files, signtool_path=NO_TOOL),
            "text": host.sign(files, signtool_path=work.path("x64\\text\\signtool.exe")),
            "other program": host.sign(files, signtool_path=r"C:\tools\hold.exe"),
            "failing program": host.sign(files, signtool_path=r"C:\windows\system32\reg.exe"),
            "unheard-of code": {
                **host.sign([work.path("c.exe")]),
                "environment": {"CODESIGN_SIGN_RESULT": UNHEARD_OF},
            },
            "changed, no chain": {
                **host.sign([work.path("d.exe")], state="verified"),
                "environment": {"CODESIGN_NO_SIGNER": "1"},
            },
            "wrong certificate": host.sign(files, thumbprint="0" * 40),
        }
    )
    return Seen(host, work, played)


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=tools)]


@pytest.mark.parametrize("task", ["missing", "text", "other program", "failing program"])
def test_a_tool_that_is_none_is_told_once(seen: Seen, task: str) -> None:
    assert seen.played.of(task).failed
    assert seen.played.result(task)["link"] == "signtool", seen.played.message(task)
    # One sentence for the task, not one for each file.
    assert seen.played.message(task).count("a.exe") + seen.played.message(task).count("b.exe") <= 1, (
        seen.played.message(task)
    )


def test_what_a_failing_program_says_is_told(seen: Seen) -> None:
    """Wine's reg.exe ends with 1 and says that it does not understand."""
    assert "reg: " in seen.played.message("failing program")


def test_a_code_that_no_table_knows_comes_with_the_tools_own_words(seen: Seen) -> None:
    assert seen.played.of("unheard-of code").failed
    result = seen.played.result("unheard-of code")
    assert UNHEARD_OF in str(result).lower()
    assert "An unexpected internal error has occurred." in str(result)
    assert seen.work.file("c.exe").read_bytes() == seen.host.program


def test_a_changed_file_without_a_chain_is_a_changed_file(seen: Seen) -> None:
    assert seen.played.of("changed, no chain").failed
    told = seen.played.file("changed, no chain", "d.exe")
    assert told["state_before"] == "changed_after_signing", told
    assert "changed after it was signed" in told["error"]["msg"]


def test_a_certificate_that_is_not_there_is_named(seen: Seen) -> None:
    assert seen.played.result("wrong certificate")["link"] == "certificate"
    assert "0" * 40 in seen.played.message("wrong certificate")
    assert seen.played.calls("wrong certificate") == 1


def test_no_file_was_touched(seen: Seen) -> None:
    for name in ("a.exe", "b.exe"):
        assert seen.work.file(name).read_bytes() == seen.host.program
