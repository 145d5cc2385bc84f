# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's tools do not do is refused aloud: an exit code and a text of the lab's own, and an entry in
the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.tools.signtool.options import OPTIONS
from lab.windows.process import NOT_DONE
from lab.windows.steps import StepRunner
from support.signtool_world import WORK, World

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World.create(tmp_path_factory.mktemp("not-done"))
    made.put("a.exe", made.samples["unsigned.exe"].read_bytes())
    made.put("list.txt", b"text")
    yield made
    made.close()


REFUSED = {
    "sign /dg": "sign /fd sha256 /dg out a.exe",
    "sign /ds": "sign /fd sha256 /sha1 {sign} /sm /ds a.exe",
    "sign /di": "sign /di in a.exe",
    "sign /dlib": "sign /fd sha256 /dlib some.dll /dmdf list.txt a.exe",
    "sign /p7": "sign /fd sha256 /p7 out /p7co 1.2.3 /p7ce Embedded a.exe",
    "sign /es": "sign /fd sha256 /es a.exe",
    "sign /sa": "sign /fd sha256 /sa 1.2.3 list.txt a.exe",
    "sign /tseal": "sign /fd sha256 /seal /tseal http://127.0.0.1/ /td sha256 a.exe",
    "timestamp /tseal": "timestamp /tseal http://127.0.0.1/ /td sha256 a.exe",
    "verify /p7": "verify /p7 a.exe",
    "verify /enclave": "verify /enclave /ph /v /pa a.exe",
    "verify /sl": "verify /sl /pa a.exe",
    "verify /bp": "verify /bp a.exe",
    "catdb": "catdb /u list.txt",
}


@pytest.mark.parametrize("what", REFUSED)
def test_signtool_refuses_what_it_does_not_do(world: World, what: str) -> None:
    before = world.host.files.read(f"{WORK}\\a.exe")
    done = world.run(REFUSED[what].format(sign=world.thumbprint("sign")))
    assert done.exit_code == NOT_DONE, (done.stdout, done.stderr)
    said = done.stderr.decode("ascii")
    assert said.startswith("the lab does not do this: signtool ")
    assert f"signtool {what}" in said
    assert said.endswith("(docs/lab.md)\r\n")
    entry = world.host.record.entries("process")[-1]
    assert entry["not_done"].startswith(f"signtool {what}")
    assert entry["exit_code"] == NOT_DONE
    assert world.host.files.read(f"{WORK}\\a.exe") == before


def test_the_parser_knows_each_refused_option() -> None:
    """A refusal of the lab's comes after SignTool's own: only what the real one would take gets so far."""
    for what in REFUSED:
        command, _space, option = what.partition(" /")
        assert not option or option in OPTIONS[command]


def test_real_refusals_come_first(world: World) -> None:
    assert world.run("sign /fd sha256 /sha1 none /dg out a.exe").exit_code == 1
    assert world.run("catdb none.cat").exit_code == 1


def test_endpoint_goes_on_after_a_refusal(world: World) -> None:
    """The refusal is the process's, not the step's: the steps behind it are done."""
    world.host.put_program(r"C:\work\nothing.exe", "no-such-tool")
    account = world.host.accounts.full_name("Administrator")
    runner = StepRunner(world.host, account, "network", world.host.environment_of(account), {})
    steps = [
        {"op": "run", "file": r"C:\work\nothing.exe", "timeout": 5},
        {"op": "digest", "path": f"{WORK}\\a.exe"},
    ]
    refused, digest = json.loads(runner.answer(steps))["results"]
    assert refused["exit_code"] == NOT_DONE
    assert digest["exists"]
    assert world.host.record.entries("process")[-1]["not_done"] == r"the program C:\work\nothing.exe"
