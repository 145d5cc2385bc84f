# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook from a process that has its modules loaded already.

Each start of ansible-playbook, and each of the workers that it forks for a task, loads the same modules again (Ansible,
Jinja2, pywinrm, cryptography, this collection's own, which Ansible compiles at each start), which takes more processor time
than what most of the tests' playbooks do. Here one process loads them and forks for each run: the same command line,
environment and screen, and nothing of a run stays.

A run in an environment that no process was started for yet gets one of its own, since Ansible reads its settings once.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import inspect
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

OF_A_RUN = frozenset({"RUN_RECORD_PATH", "RUN_RECORD_RESULTS", "PYTEST_CURRENT_TEST"})
"""Variables that Ansible itself does not read"""
LOADED = (
    *("ansible.cli.playbook", "ansible.executor.task_executor", "ansible.executor.module_common"),
    *("ansible.executor.powershell.module_manifest", "ansible.plugins.action.normal", "ansible.template"),
    *(
        "ansible.plugins.connection.winrm",
        "ansible.plugins.connection.local",
        "ansible.plugins.connection.psrp",
        "ansible.plugins.shell.powershell",
    ),
    *("ansible.plugins.shell.sh", "ansible.plugins.strategy.linear", "ansible.plugins.callback.default"),
    *("ansible.utils._junit_xml", "tomllib"),
    *("winrm", "winrm.protocol", "requests", "xmltodict", "ntlm_auth", "requests_ntlm"),
    *(
        "cryptography.x509",
        "cryptography.hazmat.primitives.asymmetric.rsa",
        "cryptography.hazmat.primitives.hashes",
    ),
)
"""What is loaded before the first run; what is not installed is left out."""
COLLECTION = "ansible_collections.cloudhsm.codesign"
MADE_BY_A_RUN = (("_login.gate", "GATE"), ("_progress.board", "BOARD"))
"""What the collection makes once for each run, when its first action is loaded; tests/unit/support/test_warm_ansible.py holds
that this is all.
"""
OF_A_NEED = re.compile(rb"^[#uU][^\n]*", re.MULTILINE)
"""A line of a script in which it can say what it needs."""
FEWER_COLLECTIONS = (50_000, 20, 20)
"""Of garbage: a run is short and makes little, and each collection in a fork copies the pages that it shares with others."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, and processor seconds (user and system) of it and of all that it started."""

    returncode: int
    cpu: float


# The process that waits
# ----------------------------------------------------------------------------------------------------------------


def serve(path: str) -> None:
    """Answers at the socket until standard input ends."""
    from kept_templates import keep  # beside this file, which is no part of a package here

    program = str(Path(sys.executable).with_name("ansible-playbook"))
    sys.path[0] = str(Path(program).parent)
    sys.argv = [program]
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    keep_metadata()
    scan_fewer_lines()
    _load_plugins()
    _load_collection()
    # Where each module's file is: a deprecation that Ansible attributes to a plugin asks, in each fork anew.
    inspect.getmodule(sys._getframe())
    folder = Path(path).with_name("templates")
    folder.mkdir()
    keep(folder)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*FEWER_COLLECTIONS)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen(8)
        while True:
            ready, _unused, _unused = select.select([listening, sys.stdin.fileno()], [], [])
            if listening not in ready:
                return
            connection, _unused = listening.accept()
            if os.fork() == 0:
                listening.close()
                os._exit(_attend(connection))
            connection.close()


def keep_metadata() -> None:
    """From here on what a collection's meta/runtime.yml says (ansible.builtin's is long) is parsed once for this process and its
    forks.
    """
    from ansible.utils.collection_loader import _collection_finder as finder

    parse, known = finder._meta_yml_to_dict, {}

    # A run asks once for each collection, and changes nothing in what it gets.
    def parse_once(text: Any, content_id: Any) -> Any:
        key = (text, str(content_id))
        if key not in known:
            known[key] = parse(text, content_id)
        return known[key]

    finder._meta_yml_to_dict = parse_once


def scan_fewer_lines() -> None:
    """From here on Ansible looks for what a PowerShell module needs only in the lines that can say so: its patterns begin with
    "#" or "using", and it tries all of them on each line of the same long scripts for each remote call.
    """
    from ansible.executor.powershell.module_manifest import PSModuleDepFinder

    scan = PSModuleDepFinder.scan_module

    def scan_what_can_match(self: Any, module_data: bytes, *arguments: Any, **named: Any) -> Any:
        return scan(self, b"\n".join(OF_A_NEED.findall(module_data)), *arguments, **named)

    PSModuleDepFinder.scan_module = scan_what_can_match


def _load_plugins() -> None:
    """Loads what each run loads at its start to know its options: all kinds of connection, shell and become."""
    from ansible.plugins.loader import become_loader, connection_loader, shell_loader

    for loader in (connection_loader, shell_loader, become_loader):
        list(loader.all(class_only=True))


def _load_collection() -> None:
    """Loads the collection's action plugins, and what they import, from where the environment has the collection; where it
    has none, nothing.

    The packages around them are left for the run, and with them all that Ansible does when it comes to a collection.
    """
    from ansible import _internal, constants
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    folder = str(Path(_internal.__file__).parent)
    finder = _AnsibleCollectionFinder(
        [folder, *constants.COLLECTIONS_PATHS], False, internal_collections=folder
    )
    finder._install()
    package = f"{COLLECTION}.plugins.action"
    with contextlib.suppress(ImportError):
        for path in sorted(Path(importlib.import_module(package).__path__[0]).glob("*.py")):
            with contextlib.suppress(ImportError):
                importlib.import_module(f"{package}.{path.stem}")
    # The codecs of the ways in which a program may write a secret stay, too.
    if texts := sys.modules.get(f"{COLLECTION}.plugins.module_utils._texts"):
        texts.ways_of_writing("long enough, and no secret")
    finder._remove()
    for name in [*sys.modules]:
        if name.startswith("ansible_collections") and not name.startswith(f"{COLLECTION}."):
            del sys.modules[name]


def _attend(connection: socket.socket) -> int:
    """Runs what is asked for and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection, connection.makefile("rwb") as stream:
        request = json.loads(stream.readline())
        child = os.fork()
        if child == 0:
            _run(request)
        _child, status = os.waitpid(child, 0)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = {"code": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime}
        stream.write(json.dumps(answer).encode() + b"\n")
    return 0


def _run(request: Mapping[str, Any]) -> NoReturn:
    code: Any = 1
    try:
        code = _play(request)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def _play(request: Mapping[str, Any]) -> Any:
    """ansible-playbook's own main, in a process that looks as if it had just been started."""
    os.setsid()
    # A process for one task ends before garbage is worth a collection.
    os.register_at_fork(after_in_child=gc.disable)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    nothing, screen = os.open(os.devnull, os.O_RDONLY), os.open(request["screen"], os.O_WRONLY)
    for source, target in ((nothing, 0), (screen, 1), (screen, 2)):
        os.dup2(source, target)
    random.seed()
    sys.argv = list(request["argv"])
    from ansible import constants
    from ansible.cli import playbook
    from ansible.utils.path import cleanup_tmp_file

    # Each run has a folder of its own there; that of the process that waits stays.
    atexit.unregister(cleanup_tmp_file)
    folder = tempfile.mkdtemp(
        prefix=f"ansible-local-{os.getpid()}", dir=str(Path(constants.DEFAULT_LOCAL_TMP).parent)
    )
    constants.DEFAULT_LOCAL_TMP = folder
    for module, name in MADE_BY_A_RUN:
        if loaded := sys.modules.get(f"{COLLECTION}.plugins.plugin_utils.{module}"):
            made = getattr(loaded, name)
            type(made).__init__(made)
    try:
        playbook.main(sys.argv)
    except SystemExit as ended:
        return ended.code or 0
    finally:
        atexit._run_exitfuncs()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


# Who asks
# ----------------------------------------------------------------------------------------------------------------


class Warm:
    """A process that waits, for one environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        self._path = str(Path(self._folder.name) / "s")
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
        )
        atexit.register(self.stop)

    def stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)
        self._folder.cleanup()

    def run(self, argv: Sequence[str], environment: Mapping[str, str], screen: Path) -> Ended:
        """Runs a command line of ansible-playbook; what it prints goes to the file ``screen``."""
        with self._connection() as connection, connection.makefile("rwb") as stream:
            request = {
                "argv": list(argv),
                "environment": dict(environment),
                "screen": str(screen),
                "directory": str(Path.cwd()),
            }
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            line = stream.readline()
        if not line:
            raise RuntimeError(f"ansible-playbook was ended from outside: {' '.join(argv)}")
        answer = json.loads(line)
        return Ended(int(answer["code"]), float(answer["cpu"]))

    def _connection(self) -> socket.socket:
        """Waits until the process has loaded what it loads."""
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(self._path)
                return connection
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
            try:
                self._process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            assert self._process.stdout is not None
            raise RuntimeError(
                f"no process that waits: {self._process.stdout.read().decode(errors='replace')}"
            )


_waiting: dict[tuple[tuple[str, str], ...], Warm] = {}


def run(argv: Sequence[str], environment: Mapping[str, str], screen: Path) -> Ended:
    """Runs a command line of ansible-playbook in a process that is warm, as ``Warm.run``."""
    key = tuple(sorted((name, value) for name, value in environment.items() if name not in OF_A_RUN))
    if key not in _waiting:
        _waiting[key] = Warm({name: value for name, value in environment.items() if name not in OF_A_RUN})
    return _waiting[key].run(argv, environment, screen)


if __name__ == "__main__":
    serve(sys.argv[1])
