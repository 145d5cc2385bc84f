# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a WinRM endpoint and of a timestamp authority that mean no good, through sign.yml over the wire, each on a host of its
own: the run ends in time, each host fails in one sentence or is signed, nothing is evaluated or shown to a terminal, no login goes
elsewhere, and the next run, without them, ends as wanted. (The same below Ansible: tests/unit/plugins/plugin_utils/host/test_lost.py.)
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.network import hostile, tsa
from support.faults import not_a_sentence
from support.osslsigncode import need_newer
from support.playbook import PlaybookRun, run_playbook
from support.signable import programs

from .conftest import COLLECTIONS, Bench, running

GOOD = "good"
FILE = r"C:\build\app.exe"
LEDGER = r"C:\build\signed.jsonl"
VALUE = "79190010"
UNREADABLE = r"its answer cannot be read \(.*\)"
ENDPOINT = {
    "http_500": r"its answer cannot be read \(bytes that are no text\)",
    "unauthorized": "the specified credentials were rejected by the server",
    "garbage": UNREADABLE,
    "bomb": UNREADABLE,
    "entity": UNREADABLE,
    "fault": r"\{\{ 79190000\+10 \}\} .* fatal: \[x\]: FAILED! 31m gnp",
    "huge": UNREADABLE,
    "dribbles": "",
    "truncated": UNREADABLE,
    "longer": "IncompleteRead.*",
    "shorter": UNREADABLE,
    "redirect": "winrm send_input failed; stdout: stderr",
}
"""By the answer (lab.network.hostile), how the connection broke; "" where the host is signed for all that"""
AUTHORITY = {
    "escapes": "timestamp",
    "huge": "timestamp",
    "name": "",
    "late": "",
    "early": "",
}
"""By the answer (lab.network.tsa.ODD), the link that broke; "" where the host is signed"""
PATIENCE = {"ansible_winrm_operation_timeout_sec": 4, "ansible_winrm_read_timeout_sec": 6}
TASK = "Have the files as they should be"
DRIBBLES = 8
"""Seconds, more than the read time-out: an answer that comes at all is waited for"""


def of_endpoint(name: str) -> str:
    return f"endpoint-{name.replace('_', '-')}"


def of_authority(name: str) -> str:
    return f"authority-{name}"


@dataclass
class Elsewhere:
    """A server that somebody else has: what comes to it."""

    url: str
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@dataclass
class Ground:
    """Hosts that can sign, each but one with an answer of its own."""

    bench: Bench
    made: Path
    elsewhere: Elsewhere

    @property
    def answers(self) -> dict[str, str]:
        """What a command would make, in a text that is answered, is looked for afterwards."""
        pipe = f"{{{{ lookup('ansible.builtin.pipe', 'touch {self.made}') }}}}"
        arguments = {
            "entity": self.elsewhere.url,
            "fault": "{{ 79190000+10 }} " + pipe + "\nfatal: [x]: FAILED!\x9b31m\u202egnp",
            "dribbles": str(DRIBBLES),
            "redirect": self.elsewhere.url,
        }
        return {name: f"answers:{name}:{arguments.get(name, '')}" for name in ENDPOINT}

    def play(self, playbook: Any, hosts: list[str], *extra: str, **variables: Any) -> PlaybookRun:
        run = run_playbook(
            playbook,
            self.bench.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.bench.lab.secrets}", "--limit", ",".join(hosts), "--forks", "20", *extra],
            variables={
                **PATIENCE,
                "codesign_files": [FILE],
                "codesign_sign_ledger_path": LEDGER,
                **variables,
            },
            keep_results=True,
        )
        assert run.seconds < 120
        assert not self.made.exists(), "a template was evaluated"
        assert VALUE not in run.output, "a template was evaluated"
        assert self.bench.password not in run.output
        assert not any(self.bench.lab.leaks(self.bench.password).values())
        return run


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.came.append((self.path, dict(self.headers), body))
            # Who has sent input gets on with it, and would wait for a command that does not run.
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the base class names it so

        def log_message(self, *_unused: object) -> None:
            """The terminal stays quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Elsewhere(f"http://127.0.0.1:{server.server_address[1]}/")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def ground(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    need_newer("what is signed and stamped here")
    others = [*map(of_endpoint, ENDPOINT), *map(of_authority, AUTHORITY)]
    fleet = {
        "hosts": {name: {} for name in (GOOD, *others)},
        "cluster": {"hsm_type": "hsm1", "hsms": 2},
    }
    with running(tmp_path_factory.mktemp("answers"), fleet) as control:
        made = Ground(Bench(control), tmp_path_factory.mktemp("made") / "made", elsewhere)
        ready = made.bench.play("cloudhsm.codesign.site", "--limit", GOOD)
        assert ready.returncode == 0, ready.output[-4000:]
        control.write(GOOD, FILE, programs()["setup64.exe"])
        control.copy(GOOD, *others)
        yield made


def test_every_answer_is_here() -> None:
    assert ENDPOINT.keys() == hostile.ANSWERS.keys()
    assert AUTHORITY.keys() == set(tsa.ODD)


def test_sign_with_hostile_answers(ground: Ground, record_property: Callable[[str, object], None]) -> None:
    """Each endpoint answers so from its second answer on: what the first call asked for is there, the login is on its way."""
    lab = ground.bench.lab
    refused = lab.status()["cluster"]["refused_logins"]
    hosts = [*map(of_endpoint, ENDPOINT), *map(of_authority, AUTHORITY)]
    for name, fault in ground.answers.items():
        lab.fault(of_endpoint(name), fault, None, 1 if hostile.at(name) == "Receive" else 0)
    urls = {of_authority(name): f"{lab.info['tsa']}/{name}" for name in AUTHORITY}
    run = ground.play(
        "cloudhsm.codesign.sign",
        hosts,
        lab_urls=urls,
        codesign_sign_timestamp_urls=f"{{{{ lab_urls[inventory_hostname] | default('{lab.info['tsa']}') }}}}",
        codesign_sign_timestamp_attempts=1,
    )
    odd = {line for line in run.output.split("\n") if not line.replace("\t", " ").isprintable()}
    assert odd == set()
    assert "Traceback" not in run.output
    assert lab.status()["cluster"]["refused_logins"] == refused
    assert ground.elsewhere.came == [], "what was meant for the host went elsewhere"
    found = {host: run.of(TASK, host) for host in hosts}
    for name, words in ENDPOINT.items():
        one = found[of_endpoint(name)]
        assert one.failed is bool(words), (name, one.msg)
        if words:
            assert re.match(
                rf"The connection to the host broke: {words}\. It may go on with what", one.msg
            ), (name, one.msg)
            assert one.result["link"] == "host"
    for name, link in AUTHORITY.items():
        one = found[of_authority(name)]
        assert (one.failed, one.result.get("link", "")) == (bool(link), link), (name, one.msg)
    for one in run.failed():
        assert not_a_sentence(one.result) == []
    for name in tsa.ODD_YEARS:
        (file,) = found[of_authority(name)].result["files"]
        assert (file["trusted"], file["not_accepted"]["link"]) == (False, "timestamp"), file
    lab.clear()
    again = ground.play("cloudhsm.codesign.sign", hosts)
    assert again.returncode == 0, again.output[-4000:]
    signed = {host for host in hosts if not found[host].failed}
    assert {one.host for one in again.changed()} == set(hosts) - signed
    for host in hosts:
        assert (lab.read(host, LEDGER) or b"").count(b"\n") == 1, host
        assert len(lab.read(host, FILE) or b"") > len(programs()["setup64.exe"]), host
    count = len(ENDPOINT) + len(AUTHORITY)
    record_property("added", f"{count} bad inputs tried: answers of endpoints and authorities")


def test_what_ansible_itself_says(ground: Ground) -> None:
    """A module that is not ours shows pywinrm's text as it is, escapes and nested errors too; still nothing of it is a template. And
    no time-out but Ansible's own of a task ends an answer that never does: the connection's is for each byte.
    """
    lab = ground.bench.lab
    slow = of_endpoint("dribbles")
    raw = [of_endpoint(name) for name in ("fault", "longer")]
    for name in ("fault", "longer"):
        lab.fault(of_endpoint(name), ground.answers[name])
    lab.fault(slow, "answers:dribbles")
    ping = {"name": "ping", "ansible.windows.win_ping": {}, "ignore_errors": True}
    look = {"name": "look", "cloudhsm.codesign.win_codesign_info": {"gather": ["client"]}, "timeout": 4}
    plays: list[dict[str, Any]] = [
        {"hosts": ",".join(raw), "gather_facts": False, "tasks": [ping]},
        {"hosts": slow, "gather_facts": False, "tasks": [look]},
    ]
    run = ground.play(plays, [*raw, slow])
    lab.clear()
    assert run.of("ping", raw[0]).failed
    assert "FAILED!\x9b31m\u202egnp" in run.output
    assert "IncompleteRead" in run.of("ping", raw[1]).msg
    assert run.of("look").failed
    assert "Timed out after 4 second" in run.of("look").msg
    assert run.seconds < 60
