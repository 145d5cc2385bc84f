# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool with real RFC 3161 timestamps on the host: an authority that it trusts, one that it does not,
none that answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from windows_host.host import CLOSED, Played, WindowsHost, Work


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    work: Work
    played: Played
    uses: int
    """How often the key was used for b.exe"""


def stamping(host: WindowsHost) -> Seen:
    work = host.work("stamping")
    for name in ("a.exe", "b.exe", "c.exe", "e.exe"):
        work.put(name, host.program)
    work.put("d.exe", host.signed())
    work.put("f.exe", host.signed(stamp=host.strange_stamps))
    known, strange = host.stamps.url, host.strange_stamps.url
    first = {
        "sign": host.sign([work.path("a.exe")], timestamp_urls=[known]),
        "strange": host.sign([work.path("b.exe")], timestamp_urls=[strange]),
    }
    then = {
        "strange again": host.sign([work.path("b.exe"), work.path("f.exe")], timestamp_urls=[strange]),
        "fail over": host.sign([work.path("c.exe")], timestamp_urls=[CLOSED, known], timestamp_delay=0),
        "stamp later": host.sign([work.path("d.exe")], state="timestamped", timestamp_urls=[known]),
        "nobody": host.sign(
            [work.path("e.exe")], timestamp_urls=[CLOSED], timestamp_attempts=1, timestamp_delay=0
        ),
    }
    played = host.play({**first, **then})
    uses = sum(1 for asked in host.signer.asked if asked.what == "sign" and asked.url == strange)
    return Seen(host, work, played, uses)


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=stamping)]


def test_a_file_is_signed_and_stamped(seen: Seen) -> None:
    told = seen.played.file("sign", "a.exe")
    assert (told["state_after"], told["trusted"]) == ("timestamped", True), told
    assert told["timestamp"]["authority"] == "Lab Timestamp Authority"
    assert seen.played.calls("sign") == 3


@pytest.mark.parametrize("name", ["a.exe", "b.exe", "c.exe", "d.exe"])
def test_osslsigncode_sees_signature_and_stamp(seen: Seen, name: str) -> None:
    opinion = seen.host.judge(seen.work.file(name))
    assert opinion.good, opinion.text
    assert opinion.stamped == (True,)


def test_a_stamp_that_the_host_does_not_trust_is_a_stamp(seen: Seen) -> None:
    """SignTool says so in a warning and exits with 0; the file is as wanted, and the user hears what the host
    lacks.
    """
    assert not seen.played.of("strange").failed, seen.played.message("strange")
    told = seen.played.file("strange", "b.exe")
    assert (told["outcome"], told["trusted"]) == ("changed", False), told
    warnings = " ".join(seen.played.result("strange").get("warnings", []))
    assert "b.exe" in warnings
    assert "Root" in warnings


def test_a_stamp_that_the_host_does_not_trust_costs_no_second_use_of_the_key(seen: Seen) -> None:
    assert not seen.played.of("strange again").failed, seen.played.message("strange again")
    assert not seen.played.of("strange again").changed
    assert seen.played.calls("strange again") == 1
    assert seen.uses == 1


def test_the_next_authority_is_asked(seen: Seen) -> None:
    assert not seen.played.of("fail over").failed, seen.played.message("fail over")
    assert seen.played.file("fail over", "c.exe")["state_after"] == "timestamped"


def test_a_signed_file_gets_a_stamp_and_no_second_signature(seen: Seen) -> None:
    assert not seen.played.of("stamp later").failed, seen.played.message("stamp later")
    told = seen.played.file("stamp later", "d.exe")
    assert (told["action"], told["state_after"], told["signatures"]) == ("timestamp", "timestamped", 1)


def test_where_no_authority_answers_the_file_stays_as_it_was(seen: Seen) -> None:
    assert seen.played.of("nobody").failed
    assert seen.played.result("nobody")["link"] == "timestamp"
    assert CLOSED in seen.played.message("nobody")
    assert seen.work.file("e.exe").read_bytes() == seen.host.program


def test_no_working_copy_is_left(seen: Seen) -> None:
    assert seen.work.left() == ["a.exe", "b.exe", "c.exe", "d.exe", "e.exe", "f.exe"]
