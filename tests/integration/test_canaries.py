# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The passwords of support.canaries through every playbook and a play of somebody's own, with everything turned on that shows
or keeps something (-vvvvv, log, callback plug-ins, fact cache, tracebacks, diff, script block logging), while programs repeat
what they were given and connections break; on hosts where programs and libraries lie that somebody hopes to have run.

A run of all tests takes each playbook with one canary and some faults; ``make canaries`` (CODESIGN_CANARIES=whole) each with
every canary and more of the steps. What runs under the oldest ansible-core needs ``make ansible-oldest``.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.canaries import ACCOUNT_PASSWORD, CANARIES, PROXY_PASSWORD
from support.canary_runs import LOGGING, MACHINE, MODULE_LOGGING, OWN, Found, Hunt, Unsafe
from support.osslsigncode import need_newer
from support.playbook import ROOT
from support.signable import programs

from .conftest import COLLECTIONS, Bench, running

WHOLE = os.environ.get("CODESIGN_CANARIES") == "whole"
FAULTS_A_PLAYBOOK = 3 if WHOLE else 1
OLDEST = ROOT / "build" / "ansible-oldest" / "bin" / "ansible-playbook"
NEWEST = Path(sys.executable).with_name("ansible-playbook")
FIVE, THREE = "en5", "de3"
FLEET: dict[str, Any] = {
    "hosts": {
        FIVE: {"users": {"agent": ACCOUNT_PASSWORD}},
        THREE: {"language": "de", "client_sdk": 3, "users": {"agent": ACCOUNT_PASSWORD}},
    },
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
ACCOUNTS = {"codesign_credentials_accounts": [{"name": "agent", "password": Unsafe(ACCOUNT_PASSWORD)}]}
FILES = {"codesign_files": [r"C:\build\app.exe", r"C:\release\*.exe"]}
HOSTILE = ("{{ 7+7 }}.exe", "-f & calc.exe", "%PATH%.exe", "$(x)`y`.exe", "@list [x].exe")
"""Names of files that somebody may choose who hopes that they are run, or taken for templates or options"""
LOGIN = {"crypto_user": "{{ codesign_crypto_user }}", "crypto_password": "{{ codesign_crypto_password }}"}


@dataclass(frozen=True)
class Stage:
    """A playbook in its turn. ``steps``: about so many programs run in it on the host that has the fault; 0 for none. A
    stage whose last run fails by design has its ``code``.
    """

    name: str
    steps: int = 0
    variables: Callable[[Ground], Mapping[str, Any]] = lambda ground: {}
    extra: tuple[str, ...] = ()
    host: str = FIVE
    code: int = 0
    own: list[dict[str, Any]] = field(default_factory=list)

    @property
    def playbook(self) -> Any:
        return self.own or f"cloudhsm.codesign.{self.name.partition(' ')[0]}"


@dataclass
class Ground:
    """A lab with what has to be in it, and the hunts on it: one for each ansible-core. ``only``: the one canary, "" for all."""

    bench: Bench
    hunts: dict[str, Hunt]
    only: str

    @property
    def work(self) -> Path:
        return self.hunts["newest"].work

    def identity(self, name: str = "signing") -> dict[str, Any]:
        (known,) = self.bench.identities
        path = Path(self.bench.lab.info["pki"]) / f"{name}.pem"
        return {"codesign_identities": [{**known, "certificate": str(path), "readers": ["agent"]}]}

    def run(self, stage: Stage, canary: str, core: str = "newest", **more: Any) -> Found:
        """Runs a stage with a canary; the HSMs know it as the password."""
        lab = self.bench.lab
        lab.change_password(CANARIES[canary])
        for host in (FIVE, THREE):
            lab.write(host, r"C:\build\app.exe", programs()["setup64.exe"])
            for name in HOSTILE:
                lab.write(host, rf"C:\release\{name}", programs()["setup64.exe"])
        (self.work / "dist").mkdir(exist_ok=True)
        (self.work / "dist" / "tool.exe").write_bytes(programs()["setup64.exe"])
        secrets = {"login": CANARIES[canary], "account": ACCOUNT_PASSWORD, "proxy": PROXY_PASSWORD}
        only = ("--limit", FIVE) if canary == BLANKS else ()
        variables = {**self.identity(), **stage.variables(self), **more.pop("variables", {})}
        found = self.hunts[core].run(
            stage.playbook, secrets, *stage.extra, *only, variables=variables, **more
        )
        assert found.hits == [], f"{stage.name} with {canary}, {more}"
        assert found.planted == []
        assert found.refused <= 1
        return found


PLAY: list[dict[str, Any]] = [
    {
        "name": "A play of somebody's own",
        "hosts": "codesign",
        "gather_facts": False,
        "tasks": [
            {
                "name": "a file that is missing, tried twice",
                "cloudhsm.codesign.win_signtool": {
                    **LOGIN,
                    "files": [r"C:\build\none.exe"],
                    "auto_select": True,
                },
                "register": "missing",
                "retries": 1,
                "delay": 0,
                "until": "missing is success",
                "ignore_errors": True,
            },
            {"name": "show it", "ansible.builtin.debug": {"var": "missing"}},
            {
                "name": "something that fails, and what rescues it",
                "block": [
                    {
                        "name": "make a container anew",
                        "cloudhsm.codesign.win_cloudhsm_import_key": {**LOGIN, "thumbprint": "0" * 40},
                    }
                ],
                "rescue": [
                    {"name": "name the task", "ansible.builtin.debug": {"var": "ansible_failed_task.name"}},
                    {"name": "show the result", "ansible.builtin.debug": {"var": "ansible_failed_result"}},
                ],
            },
            {
                "name": "look for the key, which counts as failed",
                "cloudhsm.codesign.cloudhsm_find_key_by_modulus": {**LOGIN, "thumbprint": "{{ thumbprint }}"},
                "register": "key",
                "failed_when": "'key' in key",
                "ignore_errors": True,
            },
            {"name": "remember it", "ansible.builtin.set_fact": {"seen": "{{ key }}", "cacheable": True}},
            {
                "name": "arguments that are wrong",
                "cloudhsm.codesign.win_signtool": {**LOGIN, "files": [], "digest": "md4", "jobs": "many"},
                "ignore_errors": True,
            },
            {
                "name": "an option that is written wrongly",
                "cloudhsm.codesign.win_signtool": {
                    "files": [r"C:\build\app.exe"],
                    "crypto_pasword": "{{ codesign_crypto_password }}",
                },
                "ignore_errors": True,
            },
            {
                "name": "as another account",
                "cloudhsm.codesign.win_cert_repairstore": {
                    **LOGIN,
                    "thumbprint": "{{ thumbprint }}",
                    "test_key": True,
                },
                "become": True,
                "become_method": "ansible.builtin.runas",
                "vars": {
                    "ansible_become_user": "agent",
                    "ansible_become_password": "{{ codesign_credentials_accounts[0].password }}",
                },
                "register": "tested",
                "ignore_errors": True,
            },
            {"name": "show that too", "ansible.builtin.debug": {"msg": "{{ tested }}"}},
        ],
    }
]

STAGES = (
    Stage("preflight", 0, lambda ground: {"codesign_ask_aws": False}),
    Stage("site", 12, lambda ground: {**ACCOUNTS, "codesign_prove": "signature"}),
    Stage("prove_login", 2),
    Stage("sign", 4, lambda ground: FILES),
    Stage("verify", 2, lambda ground: FILES, code=2),
    Stage("drift", 3, lambda ground: {"codesign_drift_report": str(ground.work / "drift")}, host=THREE),
    Stage(
        "drift_merge",
        0,
        lambda ground: {
            "codesign_drift_reports": [str(ground.work / "drift" / "drift.json")],
            "codesign_drift_report": str(ground.work / "merged"),
        },
    ),
    Stage(
        "export",
        0,
        lambda ground: {"codesign_export_folder": str(ground.work / "exported")},
        ("-e", f"codesign_export_from={FIVE}"),
    ),
    Stage("own play", 5, lambda ground: {**ACCOUNTS, "thumbprint": _thumbprint(ground)}, own=PLAY),
    Stage(
        "request",
        3,
        lambda ground: {
            "codesign_request_subject": "CN=x",
            "codesign_request_csr": str(ground.work / "x.csr"),
        },
        ("-e", f"codesign_request_host={FIVE}"),
    ),
    Stage("rotate", 6, lambda ground: ground.identity("signing-renewed"), host=THREE),
    Stage("sign_local", 4, lambda ground: {"codesign_local_files": [str(ground.work / "dist" / "**")]}),
    Stage("password", 2, lambda ground: {**ACCOUNTS, "codesign_password_services": []}),
    Stage("upgrade", 4),
    Stage("migrate", 12, extra=("--limit", THREE), host=THREE),
    Stage(
        "retire",
        4,
        lambda ground: {**ACCOUNTS, "codesign_retire_client": True, "codesign_retire_signtool": True},
    ),
)


def _thumbprint(ground: Ground) -> str:
    from .scenes import thumbprint

    return thumbprint(ground.bench, "signing")


def prepared(bench: Bench, folder: Path, only: str) -> Ground:
    """Hosts that log what they can log, with programs and libraries where they do not belong, also in the machine's PATH."""
    path = OWN + r";%SystemRoot%\system32;%SystemRoot%;%SystemRoot%\System32\Wbem"
    values = [*LOGGING, {"path": MACHINE, "name": "Path", "type": "expandstring", "data": path}]
    done = bench.tasks("codesign", [{"ansible.windows.win_regedit": dict(value)} for value in values])
    assert done.returncode == 0, done.output[-3000:]
    hunts = {"newest": Hunt(bench.lab, folder / "newest", COLLECTIONS, NEWEST, True)}
    if OLDEST.exists():
        hunts["oldest"] = Hunt(bench.lab, folder / "oldest", COLLECTIONS, OLDEST, False)
    hunts["newest"].plant((FIVE, THREE))
    return Ground(bench, hunts, only)


EACH = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CANARIES]
"""All tests of a canary in one worker: they are the days of one fleet."""


@pytest.fixture(scope="module", params=EACH if WHOLE else ("each",))
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A lab for each canary, or one for all of them."""
    need_newer("what is signed and stamped here")
    with running(tmp_path_factory.mktemp("canaries"), FLEET) as control:
        made = prepared(Bench(control), tmp_path_factory.mktemp("hunt"), request.param if WHOLE else "")
        if made.only == BLANKS:
            (site,) = (one for one in STAGES if one.name == "site")
            assert made.run(site, "colon").returncode == 0
        yield made


BLANKS = "blanks"
"""key_mgmt_util takes no password with a blank: the host of Client SDK 3 has another one."""
IN_TURN = [name for name in CANARIES if name != BLANKS]


def canary_of(ground: Ground, stage: Stage) -> str:
    if ground.only and (ground.only != BLANKS or stage.host == FIVE):
        return ground.only
    return BLANKS if stage.name == "verify" else IN_TURN[STAGES.index(stage) % len(IN_TURN)]


def hunted(ground: Ground, stage: Stage) -> Found:
    """Faults at some steps, and a run that ends as it shall."""
    canary = canary_of(ground, stage)
    chance = random.Random(f"{stage.name} {canary}")  # noqa: S311 - the same steps each time
    places = chance.sample(range(stage.steps), min(FAULTS_A_PLAYBOOK, stage.steps))
    for place in places:
        ground.run(stage, canary, fault=(stage.host, "babbles:1", place))
    if WHOLE and stage.steps:
        ground.run(stage, canary, fault=(stage.host, "babbles", 0))
        ground.run(stage, canary, fault=(stage.host, "connection_drop:Receive", 1))
    found = ground.run(stage, canary)
    assert found.returncode == stage.code, found.output[-6000:]
    return found


def named(name: str) -> Stage:
    return next(one for one in STAGES if one.name == name)


LAST = ("upgrade", "migrate", "retire")
"""After these hosts are no more as the others need them."""


@pytest.mark.parametrize("name", [stage.name for stage in STAGES if stage.name not in LAST])
def test_no_canary_leaves_a_playbook(ground: Ground, name: str) -> None:
    found = hunted(ground, named(name))
    if name == "sign":
        for file in HOSTILE:
            assert file in found.output
        assert "14.exe" not in found.output


@pytest.mark.parametrize("name", ["sign", "own play"])
def test_no_canary_leaves_the_oldest_ansible(ground: Ground, name: str) -> None:
    oldest(ground, name)


def oldest(ground: Ground, name: str) -> None:
    if "oldest" not in ground.hunts:
        pytest.skip("the oldest ansible-core that is supported is not installed here: make ansible-oldest")
    canary = ground.only or {"site": "quotes", "sign": "umlauts"}.get(name, "percent")
    ground.run(named(name), canary, "oldest", fault=(FIVE, "babbles:1", 1))
    found = ground.run(named(name), canary, "oldest")
    assert found.returncode == 0, found.output[-6000:]


def test_a_wrong_password_is_refused_once_and_shown_nowhere(ground: Ground) -> None:
    ground.bench.lab.change_password("somebody-elses-9")
    secrets = {"login": CANARIES["dollar"], "account": ACCOUNT_PASSWORD}
    found = ground.hunts["newest"].run(
        named("sign").playbook, secrets, variables={**ground.identity(), **FILES}
    )
    assert (found.returncode, found.hits, found.refused) == (2, [], 1), found.output[-3000:]


# What is not ours
# ---------------------------------------------------------------------------------------------------------------


def of_others(ground: Ground, playbook: Any, canary: str, *extra: str) -> Found:
    """A run that shows a canary by itself: it does not count."""
    hunt = ground.hunts["newest"]
    hits, runs = hunt.tally.hits, hunt.tally.runs
    ground.bench.lab.change_password(CANARIES[canary])
    found = hunt.run(playbook, {"login": CANARIES[canary]}, *extra, variables=ground.identity())
    hunt.tally.hits, hunt.tally.runs = hits, runs
    return found


def test_event_4103_holds_what_win_powershell_gives_to_a_cmdlet_and_nothing_else_does(ground: Ground) -> None:
    on, off = dict(MODULE_LOGGING), {**MODULE_LOGGING, "data": 0}
    assert ground.bench.tasks(FIVE, [{"ansible.windows.win_regedit": on}]).returncode == 0
    found = of_others(ground, named("prove_login").playbook, "ampersand", "--limit", FIVE)
    assert found.returncode == 0, found.output[-3000:]
    assert {channel for channel, _hit in found.hits} == {"event log 4103"}
    assert "event 4103 holds the password" in found.output
    assert ground.bench.tasks(FIVE, [{"ansible.windows.win_regedit": off}]).returncode == 0


def test_ansible_shows_the_arguments_of_a_task_that_failed_to_who_asks_for_them(ground: Ground) -> None:
    task = {"cloudhsm.codesign.win_cloudhsm_import_key": {**LOGIN, "thumbprint": "0" * 40}}
    shown = {"ansible.builtin.debug": {"var": "ansible_failed_task"}}
    play = {"hosts": FIVE, "gather_facts": False, "tasks": [{"block": [task], "rescue": [shown]}]}
    found = of_others(ground, [play], "colon")
    assert '"crypto_password": "Nf3' in found.output
    assert {
        hit.near.rstrip('\\" :').rpartition('"')[2] for _channel, hit in found.hits if hit.near.endswith('"')
    } == {"crypto_password"}


def test_where_ansible_keeps_remote_files_no_login_is_sent(ground: Ground) -> None:
    since = ground.bench.lab.last()
    found = ground.run(named("prove_login"), "colon", more={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
    assert found.returncode == 2
    assert "ANSIBLE_KEEP_REMOTE_FILES is set" in found.output
    assert not [call for call in ground.bench.lab.calls(since=since) if call.get("sensitive")]


def test_the_search_would_find_what_is_there(ground: Ground) -> None:
    """Who shows the password himself has it on the screen, in the log and in the results."""
    play = [
        {
            "hosts": FIVE,
            "gather_facts": False,
            "tasks": [
                {"ansible.builtin.debug": {"var": "codesign_crypto_password"}},
                {
                    "ansible.windows.win_copy": {
                        "content": "{{ codesign_crypto_password | b64encode }}",
                        "dest": r"C:\x.txt",
                    }
                },
                {
                    "ansible.windows.win_regedit": {
                        "path": r"HKLM:\SOFTWARE\x",
                        "name": "x",
                        "data": "{{ codesign_crypto_password }}",
                    }
                },
            ],
        }
    ]
    found = of_others(ground, play, "quotes")
    assert {channel for channel, _hit in found.hits} >= {
        *("screen", "log file", "callback: results as JSON lines", "callback: results as JSON files"),
        *("a host's files", "a host's registry", "remote calls without their sensitive parameters"),
        "temporary files that were removed or replaced during the run",
    }
    ground.bench.lab.remove(FIVE, r"C:\x.txt")
    gone = {"path": r"HKLM:\SOFTWARE\x", "state": "absent", "delete_key": True}
    assert ground.bench.tasks(FIVE, [{"ansible.windows.win_regedit": gone}]).returncode == 0


# The end
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAST)
def test_no_canary_leaves_what_hosts_end_with(ground: Ground, name: str) -> None:
    hunted(ground, named(name))


def test_no_canary_leaves_the_oldest_ansible_that_sets_hosts_up(ground: Ground) -> None:
    oldest(ground, "site")


def test_faults_came_to_pass(ground: Ground) -> None:
    tally = ground.hunts["newest"].tally
    assert tally.faults >= sum(bool(stage.steps) for stage in STAGES) // 2
    assert len(tally.channels) >= 14, sorted(tally.channels)


def test_what_was_searched(ground: Ground, record_property: Callable[[str, object], None]) -> None:
    """The figures of the run, for its summary."""
    if ground.only:
        record_property("added", f"1 passwords of {len(CANARIES)}, each through every playbook")
    for hunt in ground.hunts.values():
        if not hunt.tally.runs:
            continue
        said = subprocess.run(
            [str(hunt.program.with_name("ansible")), "--version"], capture_output=True, text=True, check=True
        )
        core = said.stdout.partition("core ")[2].partition("]")[0]
        for kind, lines in hunt.tally.lines(core).items():
            for line in lines:
                record_property(kind, line)
        assert hunt.tally.hits == 0
        assert hunt.tally.refused <= 1
