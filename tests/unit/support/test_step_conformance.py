# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that runs steps without a PowerShell, against the cases that hold run_steps.ps1
(tests/contract/test_run_steps_cases.py): the lab, the local host, and the unit tests' fake.

What one of them cannot do is named with its reason; a case that is named and passes fails its test.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("support.step_shell", "support.step_cases")

from contract.native import stand_in  # noqa: E402 - after the line above, like what follows

from lab.tools import TOOLS  # noqa: E402
from lab.windows.access import ADMINISTRATORS, FULL, SYSTEM, Ace, Acl  # noqa: E402
from lab.windows.filesystem import normalize  # noqa: E402
from lab.windows.host import Host  # noqa: E402
from lab.windows.process import NotDone, Process, split_command_line  # noqa: E402
from lab.windows.services import Service  # noqa: E402
from lab.windows.steps import StepRunner  # noqa: E402
from support import pwsh, step_cases  # noqa: E402
from support.fake_host import FakeHost, Raw, ran  # noqa: E402
from support.step_shell import CASES, Case, Place, Texts, drive  # noqa: E402

assert step_cases.__all__, "the cases are registered by this import"
TOOL = "step_case"


# The lab
# ----------------------------------------------------------------------------------------------------------


class LabWorld(stand_in.World):
    """A process of the lab, as the program of the cases sees it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.out, self.err = process.out_bytes, process.err_bytes
        self.environment, self.wait = process.env, process.wait

    def stdin(self) -> bytes:
        return self.process.stdin

    def folder(self) -> str:
        return str(self.process.host.files.real_path(self.process.directory).resolve())

    def write(self, path: str, data: bytes) -> None:
        self.process.host.files.write(self.process.resolve(path), data)


def lab_program(process: Process) -> int:
    """What runs in the lab as the Python of the cases (its first argument is the script), and as a batch file
    that says which one it is.
    """
    if process.program.endswith("tool.cmd"):
        process.out(process.program.split("\\")[-3])
        return 0
    code = stand_in.do(process.argv[1], process.argv[2:], LabWorld(process))
    if code is None:
        raise NotDone(process.argv[1])
    return code


def lab(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Place]:
    """A host of the lab whose drive has the folder of the cases, and a program for Python, at their own paths."""
    host = Host("win-test", folder / "host")
    monkeypatch.setitem(TOOLS, TOOL, lab_program)
    inside = folder / "host" / "C" / folder.relative_to("/")
    inside.mkdir(parents=True)
    (inside / "files").symlink_to(folder / "files")
    # As a folder for temporary files has it: what is made there is nobody else's.
    ours = tuple(
        Ace(sid, FULL, object_inherit=True, container_inherit=True) for sid in (SYSTEM, ADMINISTRATORS)
    )
    host.files.set_access(normalize(str(folder)), Acl(ours, inherits=False))
    program = str(folder / "powershell")
    host.put_program(program, TOOL, "7.6.9")
    host.put_program(sys.executable, TOOL)
    host.services.create(Service("EventLog", status="Running", start_type="Automatic"))
    host.registry.set(
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-18",
        "ProfileImagePath",
        "ExpandString",
        r"%systemroot%\system32\config\systemprofile",
    )
    account = host.accounts.full_name("Administrator")
    environment = {**host.environment_of(account), "CODESIGN_TEST_FOLDER": str(folder / "files")}

    def call(text: str, secrets: dict[str, str]) -> pwsh.Called:
        runner = StepRunner(host, account, "network", environment, secrets)
        return pwsh.Called(runner.answer(json.loads(text)), "")

    @contextlib.contextmanager
    def held(path: Path, shared: bool) -> Iterator[None]:
        if not shared:
            host.faults.set("file_locked:" + normalize(str(path)))
        yield
        host.faults.clear()

    def install(path: Path, text: str) -> None:
        assert path.parent.parent.name == text, "what it prints is where it lies"
        host.put_program(str(path), TOOL)

    return Texts(call), replace(place, powershell=program, windows=True, install=install, held=held)


# The local host
# --------------------------------------------------------------------------------------------------------


def local(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Place]:
    """The local host, whose steps are those of the cases."""
    pwsh.steps_module()
    return importlib.import_module(f"{pwsh.MODULE_UTILS}._local").LocalHost(), replace(place, windows=False)


# The fake
# --------------------------------------------------------------------------------------------------------------


class Disk(MutableMapping[str, bytes]):
    """The files below a folder by their paths, so that a case sees the fake's files as its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, path: str) -> bytes:
        if not Path(path).is_file():
            raise KeyError(path)
        return Path(path).read_bytes()

    def __setitem__(self, path: str, content: bytes) -> None:
        Path(path).write_bytes(content)

    def __delitem__(self, path: str) -> None:
        Path(path).unlink()

    def __iter__(self) -> Iterator[str]:
        return (str(path) for path in sorted(self.folder.rglob("*")) if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _path in self)


class FakeWorld(stand_in.World):
    """A run of the fake, as the program of the cases sees it: its programs are functions, and know no time."""

    def __init__(self, step: Raw, secrets: Mapping[str, str]) -> None:
        self.given, self.streams = step, (bytearray(), bytearray())
        named = step.get("secret_environment") or {}
        self.variables = {
            **(step.get("environment") or {}),
            **{key: secrets[one] for key, one in named.items()},
        }
        self.text = secrets[step["secret_stdin"]] if step.get("secret_stdin") else step.get("stdin", "")

    def out(self, data: bytes) -> None:
        self.streams[0].extend(data)

    def err(self, data: bytes) -> None:
        self.streams[1].extend(data)

    def stdin(self) -> bytes:
        return self.text.encode("utf-8")

    def environment(self, name: str) -> str | None:
        return self.variables.get(name)

    def folder(self) -> str:
        return str(self.given.get("directory") or "/")

    def wait(self, seconds: float) -> None:
        raise NotImplementedError


def fake(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Place]:
    """The unit tests' fake with the files of the case."""
    host = FakeHost(files=Disk(folder / "files"), oem_code_page=65001)

    def program(step: Raw) -> Raw:
        _script, what, *words = split_command_line(step["arguments"])
        world = FakeWorld(step, host.secrets[-1])
        code = stand_in.do(what, words, world)
        if code is None:
            raise NotImplementedError(what)
        out, err = (base64.b64encode(stream).decode() for stream in world.streams)
        return {**ran(code), "stdout": out, "stderr": err}

    host.tools[sys.executable] = program
    powershell = str(folder / "powershell")
    host.versions[powershell] = "7.6.9.500"
    host.services["EventLog"] = {"status": "Running", "start_type": "Automatic"}
    version = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    host.registry = {
        f"{version}|CurrentBuild": {"exists": True, "kind": "String", "value": "20348"},
        rf"{version}\ProfileList\S-1-5-18|ProfileImagePath": {
            "exists": True,
            "kind": "ExpandString",
            "value": r"%systemroot%\system32\config\systemprofile",
        },
    }
    return Texts(lambda text, secrets: pwsh.Called(host.answer_text(text, secrets), "")), replace(
        place, powershell=powershell, windows=True
    )


# What each of them cannot do
# ---------------------------------------------------------------------------------------------------

CHILDREN = (
    "time_out_ends_the_whole_tree",
    "time_out_side_by_side_ends_each_tree",
    "child_that_outlives_the_tool",
)
PROCESSES = ("secrets_are_in_no_command_line_and_no_other_environment",)
LINKS = ("what_may_not_be_read_is_not_absent", "what_may_not_be_looked_at_is_not_absent")
EACH = (
    "held_file_has_no_digest_and_the_others_are_not_lost",
    "each_file_of_a_folder",
    "each_digest_is_that_after_the_run",
    "newest_program_runs_for_each_file",
    "program_without_a_signature_needs_no_run",
    "program_without_a_signature_gets_its_digest_while_it_is_copied",
)
APPEND = (
    "append",
    "append_of_nothing_asks_and_changes_nothing",
    "append_to_a_folder_is_refused",
    "append_lets_readers_in_and_writers_out",
)
PARTS = (
    "file_sent_and_fetched_in_parts",
    "empty_file_sent_in_one_part",
    "folders_of_a_folder",
    "folders_that_hold_a_kind_of_file",
)

GUARDS = (
    "guard_that_is_passed_lets_secrets_go_on",
    "guard_whose_output_says_no_stops_secrets",
    "guard_that_ends_with_a_code_stops_secrets",
    "guard_that_hangs_stops_secrets",
    "guards_that_are_all_missing_stop_secrets",
)
LAB: Mapping[str, tuple[str, ...]] = {
    "its programs are functions: they start no children": CHILDREN,
    "its processes are in no list of the system (its record has their environments: tests/unit/lab/test_steps.py)": PROCESSES,
    "its drive has no links": LINKS,
}
JOURNALS = (
    "steps_under_a_journal",
    "journal_that_cannot_be_closed_loses_no_result",
    "journals_of_several_folders_are_taken_together_or_not_at_all",
    "journal_that_a_call_holds",
    "verified_copies_are_placed_with_a_line_in_the_journal",
    "verified_copies_are_placed_only_over_what_was_copied",
)
LOCAL: Mapping[str, tuple[str, ...]] = {
    "a key look-up works in nobody's folder": JOURNALS,
    "a key look-up of its own is the try of the login": GUARDS,
    "a key look-up lists, digests, appends, copies and moves nothing": (
        "digest_of_a_file",
        "list_of_a_folder",
        "empty_folder_is_there",
        "times_are_utc",
        "pattern_of_a_list",
        "folder_with_a_variable_in_its_path",
        "copy_refuses_an_existing_target_and_move_replaces_it",
        "copy_of_a_read_only_file_can_be_written",
        "written_and_moved_in_one_stroke",
        "failure_says_what_and_by_which_number",
        "refusal_says_by_which_number",
        "move_only_over_the_file_that_was_looked_at",
        "copy_only_of_the_file_that_was_looked_at",
        "many_files_are_read_side_by_side",
        "what_was_written_since_it_had_its_stamp_is_neither_put_nor_replaced",
        "append_once",
        *APPEND,
        *PARTS,
    ),
    "a key look-up unpacks nothing and asks for no signature": (
        "package_is_unpacked_where_it_is_the_one",
        "package_that_is_not_the_one_leaves_nothing",
        "package_brings_a_program_whose_digest_is_noted",
        "package_without_the_program_notes_nothing",
        "package_that_breaks_on_its_way_leaves_nothing_of_it",
        "package_comes_from_an_address",
        "package_comes_by_a_proxy_that_asks_who_it_is",
        "program_and_who_signed_it",
    ),
    "a key look-up writes no secret into a file": (
        "secret_is_written_for_its_readers_only",
        "secret_file_has_the_rights_of_its_owner",
    ),
    "a key look-up adds and removes no certificates": (
        "certificate_is_added_once",
        "certificate_is_taken_out",
        "certificate_that_was_added_is_in_the_record",
        "certificate_that_a_tool_has_added_is_written_down",
        "certificate_that_was_there_is_in_no_record",
        "certificate_comes_into_no_store_that_is_not_there",
    ),
    "a key look-up runs one program after the other": (
        "other_runs_where_one_does_not_end_with_0",
        "time_out_side_by_side_ends_each_tree",
        "runs_side_by_side",
        "as_many_at_a_time_as_jobs_says",
        "each_run_side_by_side_has_its_own_input_limit_and_environment",
        "no_runs_side_by_side",
        "secret_of_one_run_is_not_in_the_others",
        "unknown_secret_fails_one_of_several_runs",
        "output_side_by_side_has_a_limit",
        *EACH,
    ),
    "a client's tools lie at one path, in no folder by their version": (
        "newest_version_folder",
        "version_of_a_file",
    ),
    "a key look-up connects to nothing": (
        "connections",
        "connection_over_ipv6",
        "connection_that_nobody_answers",
    ),
    "Linux has no registry, no Windows service and no access lists; what cannot be done there says so otherwise": (
        "registry",
        "services",
        "access_rights",
    ),
    "an exit code of Linux has 8 bits": ("exit_code_is_unsigned",),
    "no path of Linux is too long for the temporary name": ("temporary_name_is_short_and_fits_no_pattern",),
}
FAKE: Mapping[str, tuple[str, ...]] = {
    "its programs print what a test wrote: none of it is too much": (
        "output_has_a_limit",
        "output_side_by_side_has_a_limit",
    ),
    "its locks and its folders are words": (
        "steps_under_a_journal",
        "journal_that_cannot_be_closed_loses_no_result",
        "journal_that_a_call_holds",
        "verified_copies_are_placed_with_a_line_in_the_journal",
        "verified_copies_are_placed_only_over_what_was_copied",
    ),
    "its files have no times": ("what_was_written_since_it_had_its_stamp_is_neither_put_nor_replaced",),
    "its programs are functions: they take no time": (
        "tool_that_does_not_read_its_input",
        "time_limits_are_seconds_of_each_run",
        "other_runs_where_one_does_not_end_with_0",
        "what_was_printed_before_a_time_out_is_kept",
        "runs_side_by_side",
        "as_many_at_a_time_as_jobs_says",
        "each_run_side_by_side_has_its_own_input_limit_and_environment",
        "guard_that_hangs_stops_secrets",
    ),
    "its programs are functions: they start no children and are in no list": (*CHILDREN, *PROCESSES),
    "its programs get what the step gives them": ("the_rest_of_the_environment_is_inherited",),
    "its folders are those of its files": (
        "empty_folder_is_there",
        "refused_reads_and_writes",
        "no_run_in_a_folder_that_is_not_there",
        "failure_says_what_and_by_which_number",
        "refusal_says_by_which_number",
        "package_is_unpacked_where_it_is_the_one",
        "package_that_breaks_on_its_way_leaves_nothing_of_it",
        "folders_that_hold_a_kind_of_file",
        "folders_of_a_folder",
    ),
    "its files have no links, no times, no names in between": (
        *LINKS,
        "times_are_utc",
        "written_and_moved_in_one_stroke",
        "temporary_name_is_short_and_fits_no_pattern",
    ),
    "a path with a variable or a star is a name like any other": (
        "folder_with_a_variable_in_its_path",
        "package_brings_a_program_whose_digest_is_noted",
        "package_without_the_program_notes_nothing",
        "newest_version_folder",
    ),
    "a step that it does not know ends the test": ("unknown_step_fails_alone", "append_once", *APPEND, *EACH),
    "its files have no access lists": ("scratch_folder_is_for_nobody_else",),
    "its network is a list of addresses": (
        "connections",
        "connection_over_ipv6",
        "package_comes_from_an_address",
        "package_comes_by_a_proxy_that_asks_who_it_is",
    ),
    "a file that it does not hold is no program": ("program_and_who_signed_it",),
}


@dataclass(frozen=True)
class Runs:
    """Something that runs steps: how it is made, with the place that it has for a case, and the cases that it
    cannot do, by the reason.
    """

    make: Callable[[Place, Path, pytest.MonkeyPatch], tuple[Any, Place]]
    cannot: Mapping[str, tuple[str, ...]]

    @property
    def excluded(self) -> set[str]:
        return {name for names in self.cannot.values() for name in names}


ALL = {"lab": Runs(lab, LAB), "local": Runs(local, LOCAL), "fake": Runs(fake, FAKE)}


@pytest.mark.parametrize("one", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("name", ALL)
def test_as_run_steps_does(name: str, one: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = ALL[name]
    place = Place(tmp_path / "files" / one.name, "", one.name)
    place.folder.mkdir(parents=True)
    # Where a path of Windows is taken for a name, its file lies here.
    monkeypatch.chdir(tmp_path)
    transport, place = runs.make(place, tmp_path, monkeypatch)
    if one.name not in runs.excluded:
        drive(one, place, transport)
        return
    with pytest.raises(Exception):  # noqa: B017 - whatever it cannot do, it does not pass
        drive(one, place, transport)


@pytest.mark.parametrize("name", ALL)
def test_what_is_excluded_is_a_case(name: str) -> None:
    named = [case for cases in ALL[name].cannot.values() for case in cases]
    assert sorted(named) == sorted(ALL[name].excluded)
    assert ALL[name].excluded <= CASES.keys()
