# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's commands: start, stop, status, calls, record, search, fault, clear, pace, damage (``python -m lab``)."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .admin import Admin
from .damage import DAMAGES
from .faults import KNOWN
from .fleet import (
    DEMO,
    FLEET_FAULTS,
    Description,
    DescriptionError,
    Fleet,
    read_description,
)
from .pace import KINDS
from .process import Control, LabError, start

_OWN_FOLDERS = ("hosts", "hsm", "listeners", "pki", "tsa", "www")
DEFAULT_STATE = "build/lab"
_FAULTS = (
    "of a host:\n"
    + "\n".join(f"  {name:<26} {text}" for name, text in KNOWN.items())
    + f"\nof all (without --host):\n  {', '.join(FLEET_FAULTS)}"
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.do(options))
    except (LabError, DescriptionError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A fleet of simulated Windows hosts.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: Any, text: str, epilog: str = "") -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.add_argument(
            "--state",
            type=Path,
            default=Path(DEFAULT_STATE),
            help=f"the lab's folder (default: {DEFAULT_STATE})",
        )
        made.set_defaults(do=do)
        return made

    starting = command("start", _start, "start a fleet in the background and wait until it answers")
    starting.add_argument("--fleet", default="demo", help="demo, or a file that describes the fleet")
    serving = command("serve", _serve, "run a fleet in the foreground")
    serving.add_argument("--fleet", default="demo")
    command("stop", _stop, "end the fleet")
    command("status", _status, "what runs, and where")
    calls = command("calls", _calls, "the remote calls so far, a line each")
    record = command("record", _record, "all that was recorded, as JSON lines")
    record.add_argument("--kind", default="", choices=("", "call", "process", "event", "file"))
    for one in (calls, record):
        one.add_argument("--since", type=int, default=0, help="only what came after this number")
        one.add_argument("--host", default="")
    search = command(
        "search",
        _search,
        "where a text stands: record, files and registries; the exit code says whether it does",
    )
    search.add_argument("text")
    search.add_argument("--host", default="")
    search.add_argument("--leaks", action="store_true", help="only where a secret does not belong")
    fault = command("fault", _fault, "inject a fault: NAME or NAME:ARGUMENT", epilog=_FAULTS)
    fault.add_argument("fault")
    fault.add_argument(
        "--host", default="", help="without it: the timestamp authority, the crypto user, the HSMs"
    )
    fault.add_argument("--count", type=int, help="gone after so many times")
    clear = command("clear", _clear, "take faults away")
    clear.add_argument("fault", nargs="?", default="")
    clear.add_argument("--host", default="")
    pace = command("pace", _pace, "make the fleet as slow as real hosts are; without options: how slow it is")
    for name, text in KINDS.items():
        pace.add_argument(f"--{name}", type=float, metavar="SECONDS", help=text)
    damage = command("damage", _damage, "break something on a host")
    damage.add_argument("name", choices=tuple(DAMAGES))
    damage.add_argument("--host", required=True)
    return parser


def _start(options: argparse.Namespace) -> int:
    control = start(options.state, options.fleet)
    playbook = Path(sys.executable).with_name("ansible-playbook")
    collections = _description(options.fleet).collections
    variables = f"-i {_short(control.inventory)} -e @{_short(control.secrets)}"
    print(f"The lab runs (process {control.info['pid']}): {', '.join(control.info['hosts'])}.")
    print(
        f"Inventory: {_short(control.inventory)}   Secrets: {_short(control.secrets)}   Certificates: {_short(Path(control.info['pki']))}"
    )
    print(
        f"Use it:    ANSIBLE_COLLECTIONS_PATH={_short(collections)} {_short(playbook)} {variables} cloudhsm.codesign.site"
    )
    print(
        f"Watch it:  PYTHONPATH={_short(Path(__file__).parents[2])} {_short(Path(sys.executable))} -m lab calls --state {options.state}"
    )
    print(
        f"Stop it:   the same with stop in the place of calls, or make lab-stop (LAB_STATE={options.state})"
    )
    return 0


def _short(path: Path) -> str:
    """A path as somebody in this folder would type it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _description(text: str) -> Description:
    if text == "demo":
        return DEMO
    file = Path(text)
    if not file.is_file():
        raise DescriptionError(f"no fleet '{text}': it is neither 'demo' nor a file")
    return read_description(file.read_text(encoding="utf-8"))


def _serve(options: argparse.Namespace) -> int:
    state: Path = options.state.resolve()
    description = _description(options.fleet)
    for name in _OWN_FOLDERS:
        shutil.rmtree(state / name, ignore_errors=True)
    fleet = Fleet.start(description, state)
    admin = Admin(fleet)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_unused: admin.stopping.set())
    fleet.write_inventory()
    info = {
        "pid": admin.answer("status", {})[1]["pid"],
        "admin": admin.url,
        "inventory": str(state / "inventory.yml"),
        "secrets": str(state / "secrets.yml"),
        "hosts": {name: member.endpoint.port for name, member in fleet.members.items()},
        "tsa": fleet.tsa.url,
        "web": fleet.web.url,
        "pki": str(state / "pki"),
        "hsm_type": fleet.cluster.hsm_type,
        "hsm_addresses": fleet.cluster.addresses,
    }
    ready = state / "lab.json.new"
    ready.write_text(json.dumps(info, indent=1), encoding="utf-8")
    ready.rename(state / "lab.json")
    _wait(admin.stopping)
    (state / "lab.json").unlink(missing_ok=True)
    admin.stop()
    fleet.stop()
    return 0


def _wait(event: threading.Event) -> None:
    # In slices: a wait without an end keeps Python from running the signal handlers on some systems.
    while not event.wait(1.0):
        pass


def _stop(options: argparse.Namespace) -> int:
    if not (options.state / "lab.json").is_file():
        print(f"No lab runs in {options.state}.")
        return 0
    Control(options.state).stop()
    print("The lab has ended.")
    return 0


def _status(options: argparse.Namespace) -> int:
    print(json.dumps(Control(options.state).status(), indent=1, ensure_ascii=False))
    return 0


def _calls(options: argparse.Namespace) -> int:
    for call in Control(options.state).calls(options.host, options.since):
        state = "failed" if call.get("failed") else "changed" if call.get("changed") else "ok"
        check = " (check mode)" if call.get("check_mode") else ""
        print(
            f"{call['number']:5}  {call['host']:<16} {state:<8} {call.get('seconds', 0):6.2f} s  {call['module']}{check}"
        )
    return 0


def _record(options: argparse.Namespace) -> int:
    for entry in Control(options.state).record(options.kind, options.host, options.since):
        print(json.dumps(entry, ensure_ascii=False))
    return 0


def _search(options: argparse.Namespace) -> int:
    control = Control(options.state)
    found = (
        control.leaks(options.text, options.host)
        if options.leaks
        else control.search(options.text, options.host)
    )
    print(json.dumps(found, indent=1, ensure_ascii=False))
    return 0 if any(found.values()) else 1


def _fault(options: argparse.Namespace) -> int:
    Control(options.state).fault(options.host, options.fault, options.count)
    return 0


def _clear(options: argparse.Namespace) -> int:
    Control(options.state).clear(options.host, options.fault)
    return 0


def _pace(options: argparse.Namespace) -> int:
    seconds = {name: getattr(options, name) for name in KINDS if getattr(options, name) is not None}
    for name, value in Control(options.state).pace(**seconds).items():
        print(f"{name:<10} {value:6.3f} s")
    return 0


def _damage(options: argparse.Namespace) -> int:
    broken = Control(options.state).damage(options.host, options.name)
    print(f"{options.name} on {options.host}: {broken} broken")
    return 0
