# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool on the host: signs, leaves alone, repairs, verifies, takes signatures off; each file judged by
osslsigncode.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from support.signable import as_driver, as_library, programs
from windows_host.host import Played, WindowsHost, Work

TIMES = 3
"""Remote calls of a task that signs: look, sign, put in place"""


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    work: Work
    played: Played


def signing(host: WindowsHost) -> Seen:
    work = host.work("signing")
    kinds = {
        "wide.exe": host.program,
        "narrow.exe": programs()["setup32.exe"],
        "library.dll": as_library(host.program),
        "driver.sys": as_driver(host.program),
    }
    for name, content in kinds.items():
        work.put(name, content)
    work.put("second\\one.exe", host.program)
    work.put("second\\two.exe", host.tampered())
    every = [work.path("*.exe"), work.path("library.dll"), work.path("driver.sys")]
    one, two = work.path("second\\one.exe"), work.path("second\\two.exe")
    ledger = work.path("ledger.jsonl")
    played = host.play(
        {
            "check": {**host.sign(every), "check_mode": True},
            "sign": host.sign(
                every, ledger_path=ledger, description="Example Program", url="https://www.example.com/"
            ),
            "again": host.sign(every, ledger_path=ledger),
            "verify": host.sign(every, state="verified"),
            "verify bad": host.sign([one, two], state="verified"),
            "repair": host.sign([one, two]),
            "take off": host.sign([work.path("narrow.exe")], state="unsigned", thumbprint=None),
        }
    )
    return Seen(host, work, played)


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=signing)]
FILES = ("wide.exe", "library.dll", "driver.sys")


def test_check_mode_says_what_would_be_signed_in_one_call(seen: Seen) -> None:
    assert seen.played.of("check").changed
    assert seen.played.calls("check") == 1
    assert all(
        one["state_after"] == "signed" and one["sha256_after"] is None
        for one in seen.played.result("check")["files"]
    )


def test_four_programs_are_signed_in_three_calls(seen: Seen) -> None:
    result = seen.played.result("sign")
    assert (result["signed"], result["failed_files"]) == (4, 0), result
    assert seen.played.calls("sign") == TIMES
    assert all(one["trusted"] for one in result["files"])


@pytest.mark.parametrize("name", FILES)
def test_osslsigncode_verifies_each(seen: Seen, name: str) -> None:
    opinion = seen.host.judge(seen.work.file(name))
    assert opinion.good, opinion.text
    assert opinion.signers[0] == "Wine Software"
    assert opinion.digests[0] == "sha256"


def test_no_key_is_used_a_second_time(seen: Seen) -> None:
    assert not seen.played.of("again").changed
    assert seen.played.calls("again") == 1
    assert seen.played.result("again")["unchanged"] == 4


def test_the_ledger_has_one_line_a_signature(seen: Seen) -> None:
    lines = seen.work.file("ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert all(seen.host.signing.thumbprint in line for line in lines)


def test_good_files_verify_in_one_call(seen: Seen) -> None:
    assert not seen.played.of("verify").failed, seen.played.message("verify")
    assert seen.played.calls("verify") == 1


def test_an_unsigned_and_a_changed_file_do_not_verify(seen: Seen) -> None:
    assert seen.played.of("verify bad").failed
    before = {name: seen.played.file("verify bad", name) for name in ("one.exe", "two.exe")}
    assert before["one.exe"]["state_before"] == "unsigned"
    assert before["two.exe"]["state_before"] == "changed_after_signing"
    assert "changed after it was signed" in before["two.exe"]["error"]["msg"]
    assert seen.played.calls("verify bad") == 1


def test_a_changed_file_is_replaced(seen: Seen) -> None:
    assert seen.played.result("repair")["signed"] == 2
    assert seen.played.file("repair", "two.exe")["state_after"] == "signed"
    for name in ("one.exe", "two.exe"):
        # The signature holds over what is there; that the program itself was changed before is not SignTool's
        # business.
        opinion = seen.host.judge(seen.work.file(f"second\\{name}"))
        assert opinion.good, opinion.text


def test_signatures_are_taken_off(seen: Seen) -> None:
    assert seen.played.of("take off").changed, seen.played.message("take off")
    assert "No signature found" in seen.host.judge(seen.work.file("narrow.exe")).text


def test_no_working_copy_is_left(seen: Seen) -> None:
    assert not [name for name in seen.work.left() if ".codesign" in name or name.endswith((".out", ".tmp"))]
