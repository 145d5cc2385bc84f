# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system: registry, access rights, services, and the answer as a whole."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.step_shell import WINDOWS, Place, Play, ask, case, python, steps, typed

# A secret's name is no secret.
# ruff: noqa: S106

NOT_HERE = "System.PlatformNotSupportedException"


@dataclass(frozen=True)
class Raw(steps.Step):  # type: ignore[misc, name-defined]
    """A step as it stands, whose result comes as it stands."""

    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def op(self) -> str:  # type: ignore[override]
        return str(self.data["op"])

    @property
    def only_if_previous_ok(self) -> bool:
        return bool(self.data.get("only_if_previous_ok"))

    def to_json(self) -> dict[str, Any]:
        return dict(self.data)

    def read(self, raw: Mapping[str, Any], encoding: str) -> Any:
        return dict(raw)


@case(alone=True)
def no_steps_give_no_results(place: Place) -> Play:
    results = yield ask()
    assert results == ()


@case(alone=True)
def one_step_is_a_list_of_one(place: Place) -> Play:
    """Windows PowerShell and ConvertTo-Json each have their own way with lists of one; and no secret comes
    with it.
    """
    results = yield ask(python("cat", secret_stdin="pin"))
    assert [type(one) for one in results] == [typed.Failure]
    assert "pin" in results[0].message


@case()
def registry(place: Place) -> Play:
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    value, missing, hive, children, no_key = yield ask(
        steps.ReadRegistry(key, "CurrentBuild"),
        steps.ReadRegistry(key, "NoSuchValue"),
        steps.ReadRegistry(r"HKXX\A", "x"),
        steps.ReadRegistryChildren(key + r"\ProfileList", "ProfileImagePath"),
        steps.ReadRegistryChildren(r"HKLM\SOFTWARE\NoSuchKey", "x"),
    )
    assert isinstance(hive, typed.Failure)
    assert "HKXX" in hive.message
    if not place.windows:
        for one in (value, missing, children, no_key):
            assert isinstance(one, typed.Failure), "a registry that is not there is no empty one"
            assert one.kind == NOT_HERE
        return
    assert value.exists
    assert value.kind == "String"
    assert int(value.value) > 10_000
    assert not missing.exists
    assert len(children.children) > 0
    # A text with variables comes as it stands.
    assert any("%" in str(one.value) for one in children.children.values())
    assert not no_key.exists


@case()
def access_rights(place: Place) -> Play:
    (place.folder / "file.txt").write_bytes(b"x")
    unknown, system = "no such account 7f3a", "NT AUTHORITY\\SYSTEM"
    found, missing = yield ask(
        steps.ReadAccess(str(place.folder), (system, unknown), "file.*"),
        steps.ReadAccess(str(place.folder / "none")),
    )
    assert (missing.exists, missing.files) == (False, {})
    assert list(found.files) == ["file.txt"]
    if not place.windows:
        # Elsewhere there are no such rights: what cannot be read says so, it is never an empty text.
        for failure in (found.files["file.txt"], found.sids[unknown]):
            assert isinstance(failure, typed.Failure)
            assert failure.kind == NOT_HERE
        return
    assert found.files["file.txt"].startswith("O:")
    assert "D:" in found.files["file.txt"]
    assert found.sids[unknown] == ""
    assert found.sids[system] in ("S-1-5-18", "")  # a system in another language has another name for it


CERTIFICATE = base64.b64decode(
    "MIIBJzCBzqADAgECAgJ/OjAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJjb2Rlc2lnbiBzdGVwIGNhc2UwHhcNMjYwMTAxMDAwMDAw"
    "WhcNMzYwMTAxMDAwMDAwWjAdMRswGQYDVQQDDBJjb2Rlc2lnbiBzdGVwIGNhc2UwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATj"
    "SaOjM8ack3fQsTE8/EEr9V4MzOfwWBcACO6w8ZsDzvRQOTOPtkrqaNqV4KMToS55onlwHqqiTRwW91L2qzxCMAoGCCqGSM49BAMC"
    "A0gAMEUCIQCezNqwWEDLuvQ+x8ia1U7KVURcnXyfXFdoUBJgr6PtbAIgT2O4Og83t2Jt3y8f7YAPw4pTiTJ4RtUHJxJOzRseL80="
)
"""A certificate of a key that nobody has"""
THUMBPRINT = hashlib.sha1(CERTIFICATE).hexdigest().upper()


@contextlib.contextmanager
def a_store_of_the_user(place: Place) -> Iterator[str]:
    """A store that a certificate may come into. Elsewhere than on Windows .NET keeps a store as a folder."""
    if place.windows:
        yield "CA"
        return
    name = f"codesign-{uuid.uuid4().hex}"
    folder = Path.home() / ".dotnet" / "corefx" / "cryptography" / "x509stores" / name
    folder.mkdir(parents=True)
    try:
        yield name
    finally:
        shutil.rmtree(folder)


@case()
def certificate_is_added_once(place: Place) -> Play:
    with a_store_of_the_user(place) as store:
        first, second = yield ask(
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE),
        )
    if not WINDOWS:  # on a machine that lives on, it may be there from the time before
        assert first == typed.AddResult(False)
    assert second == typed.AddResult(True)


RECORD = r"HKCU\Software\cloudhsm.codesign\step cases"


@case()
def certificate_is_taken_out(place: Place) -> Play:
    with a_store_of_the_user(place) as store:
        _added, removed, again = yield ask(
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE),
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT),
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT),
        )
    assert removed == typed.RemoveResult(True)
    assert again == typed.RemoveResult(False)


@case()
def certificate_that_was_added_is_in_the_record(place: Place) -> Play:
    """Where the record cannot be written, nothing is added."""
    with a_store_of_the_user(place) as store:
        _before, added, again, recorded, removed, gone = yield ask(
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE, RECORD),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE, RECORD),
            steps.ReadRegistryChildren(RECORD, steps.RECORDED),
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT, RECORD),
            steps.ReadRegistryChildren(RECORD, steps.RECORDED),
        )
    if not place.windows:
        assert [one.kind for one in (added, again, removed)] == [NOT_HERE] * 3
        return
    assert (added, again, removed) == (
        typed.AddResult(False),
        typed.AddResult(True),
        typed.RemoveResult(True),
    )
    assert list(recorded.children) == [f"{THUMBPRINT} {store}"]
    assert str(recorded.children[f"{THUMBPRINT} {store}"].value).startswith("20")
    assert gone.children == {}


@case()
def certificate_that_was_there_is_in_no_record(place: Place) -> Play:
    with a_store_of_the_user(place) as store:
        _added, existed, recorded, removed = yield ask(
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE, RECORD),
            steps.ReadRegistryChildren(RECORD, steps.RECORDED),
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT),
        )
    assert (existed, removed) == (typed.AddResult(True), typed.RemoveResult(True))
    if place.windows:
        assert recorded.children == {}


@case()
def certificate_that_a_tool_has_added_is_written_down(place: Place) -> Play:
    """By a step that adds nothing itself."""
    noting = {"record": RECORD, "only_record": True} if place.windows else {"only_record": True}
    with a_store_of_the_user(place) as store:
        _before, absent, added, existed, recorded, removed = yield ask(
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE, **noting),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE),
            steps.AddCertificate(store, "CurrentUser", CERTIFICATE, **noting),
            steps.ReadRegistryChildren(RECORD, steps.RECORDED),
            steps.RemoveCertificate(store, "CurrentUser", THUMBPRINT, RECORD if place.windows else ""),
        )
    assert (absent, existed, removed) == (
        typed.AddResult(False),
        typed.AddResult(True),
        typed.RemoveResult(True),
    )
    assert added == typed.AddResult(False), "nothing was added before"
    if place.windows:
        assert list(recorded.children) == [f"{THUMBPRINT} {store}"]


@case()
def certificate_comes_into_no_store_that_is_not_there(place: Place) -> Play:
    with a_store_of_the_user(place) as store:
        unknown, damaged, nowhere = yield ask(
            steps.AddCertificate("no such store 7f3a", "CurrentUser", CERTIFICATE),
            steps.AddCertificate(store, "CurrentUser", b"no certificate"),
            steps.RemoveCertificate("no such store 7f3a", "CurrentUser", THUMBPRINT),
        )
    for one in (unknown, damaged, nowhere):
        assert isinstance(one, typed.Failure)
    assert unknown.kind.startswith("System.Security.Cryptography.")


@case()
def scratch_folder_is_for_nobody_else(place: Place) -> Play:
    folder, file = place.folder / "5f1e", place.folder / "5f1e" / "a.txt"
    done, again, _written, read, rights, removed, gone = yield ask(
        steps.Scratch(str(folder)),
        steps.Scratch(str(folder)),
        steps.WriteFile(str(file), b"x"),
        steps.ReadFile(str(file)),
        steps.ReadAccess(str(folder)),
        steps.RemoveScratch(str(folder)),
        steps.RemoveScratch(str(folder)),
    )
    assert isinstance(done, typed.Done)
    assert isinstance(again, typed.Failure), "a folder that is there is somebody else's"
    assert read.content == b"x"
    assert (removed.existed, gone.existed) == (True, False)
    assert not folder.exists()
    if place.windows:
        entries = re.findall(r"\(A;ID;FA;;;([^)]+)\)", rights.files["a.txt"])
        assert {"SY", "BA"} <= set(entries)
        assert len(entries) == rights.files["a.txt"].count("(") <= 3


@case()
def secret_is_written_for_its_readers_only(place: Place) -> Play:
    """Also over a file that more accounts may read."""
    fresh, old = place.folder / "fresh.key", place.folder / "old.key"
    old.write_bytes(b"what was there")
    users, text = "S-1-5-32-545", "-----BEGIN-----\nä\n"
    first, second, unknown, read, rights = yield ask(
        steps.WriteSecret(str(fresh), "key", ("S-1-5-20",)),
        steps.WriteSecret(str(old), "key", ("S-1-5-20",)),
        steps.WriteSecret(str(place.folder / "none.key"), "nobody"),
        steps.ReadFile(str(old)),
        steps.ReadAccess(str(place.folder), (), "*.key"),
        secrets={"key": text},
    )
    assert isinstance(first, typed.Done)
    assert isinstance(second, typed.Done)
    assert isinstance(unknown, typed.Failure)
    assert "nobody" in unknown.message
    assert read.content == fresh.read_bytes() == text.encode("utf-8")
    assert sorted(path.name for path in place.folder.iterdir()) == ["fresh.key", "old.key"]
    for name in ("fresh.key", "old.key"):
        if place.windows:
            found = rights.files[name]
            assert found.partition("D:")[2].startswith("P"), "nothing is inherited"
            assert {"SY", "BA", "NS"} == set(re.findall(r"\(A;[^)]*;;;([^)]+)\)", found))
            assert users not in found


@case("Linux", "Darwin")
def secret_file_has_the_rights_of_its_owner(place: Place) -> Play:
    file = place.folder / "fresh.key"
    yield ask(steps.WriteSecret(str(file), "own key"), secrets={"own key": "a-key-of-its-own-5c1e"})
    if not place.windows:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@case("Linux", "Darwin")
def scratch_folder_has_the_rights_of_its_owner(place: Place) -> Play:
    folder = place.folder / "5f1e"
    yield ask(steps.Scratch(str(folder)))
    if not place.windows:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@case()
def program_and_who_signed_it(place: Place) -> Play:
    program, missing = yield ask(
        steps.Program(place.powershell), steps.Program(str(place.folder / "none.exe"))
    )
    assert not missing.exists
    if not place.windows:
        # Elsewhere nobody signs programs: what cannot be asked is not "not signed".
        assert isinstance(program, typed.Failure)
        assert program.kind == "System.Management.Automation.CommandNotFoundException"
        return
    assert program.exists
    assert program.file == place.powershell
    assert program.status in ("Valid", "NotSigned")
    assert bool(program.signer) == (program.status == "Valid")
    assert re.fullmatch("[0-9a-f]{64}", program.sha256)
    assert program.noted == ""


@case()
def services(place: Place) -> Play:
    known, unknown = yield ask(steps.Service("EventLog"), steps.Service("no such service 7f3a"))
    if not place.windows:
        for one in (known, unknown):
            assert isinstance(one, typed.Failure), "what cannot be asked is not absent"
            assert one.kind == "System.Management.Automation.CommandNotFoundException"
        return
    assert (known.exists, known.status, known.start_type) == (True, "Running", "Automatic")
    assert not unknown.exists


@case()
def unknown_step_fails_alone(place: Place) -> Play:
    first, skipped, second = yield ask(
        Raw({"op": "bogus"}), Raw({"op": "bogus", "only_if_previous_ok": True}), python("exit", "0")
    )
    assert isinstance(first, typed.Failure)
    assert "bogus" in first.message
    assert isinstance(skipped, typed.Skipped)
    assert second.exit_code == 0


def outcome(result: Any) -> tuple[str, int]:
    """Of a failure the .NET type's last name and the number."""
    assert isinstance(result, typed.Failure), result
    return result.kind.rpartition(".")[2], result.code


NO_FILE, NO_FOLDER = ("FileNotFoundException", -2147024894), ("DirectoryNotFoundException", -2147024893)
THROWN, NO_PROGRAM = ("RuntimeException", -2146233087), ("Win32Exception", 2)


@case()
def failure_says_what_and_by_which_number(place: Place) -> Play:
    file, none = str(place.folder / "file"), place.folder / "none"
    (place.folder / "file").write_bytes(b"x")
    there, (gone, elsewhere) = str(place.folder / "there"), (str(none), str(none / "x"))
    table = {
        steps.CopyFile(gone, there): NO_FILE,
        steps.MoveFile(gone, there): NO_FILE,
        steps.MoveFile(gone, file): NO_FILE,
        steps.MoveFile(elsewhere, there): NO_FILE,
        steps.MoveFile(str(place.folder), there): NO_FILE,
        steps.CopyFile(elsewhere, there): NO_FOLDER,
        steps.CopyFile(file, elsewhere): NO_FOLDER,
        steps.MoveFile(file, elsewhere): NO_FOLDER,
        steps.WriteFile(elsewhere, b"x"): NO_FOLDER,
        steps.AppendFile(elsewhere, b"x"): NO_FOLDER,
        steps.RemoveFile(elsewhere): NO_FOLDER,
        steps.ReadFile(file, limit=0): THROWN,
        steps.ReadFolder(str(place.folder), limit=0): THROWN,
    }
    runs = [steps.Run(gone), steps.Run(elsewhere), python("cat", secret_stdin="nobody")]
    *results, missing, nowhere, no_secret = yield ask(*table, *runs)
    assert [outcome(one) for one in results] == list(table.values())
    assert [outcome(missing), outcome(nowhere), outcome(no_secret)] == [NO_PROGRAM, NO_PROGRAM, THROWN]
    assert "none" in results[0].message
    assert (place.folder / "file").read_bytes() == b"x"


@case()
def refusal_says_by_which_number(place: Place) -> Play:
    """A target that is there and a folder in a file's place have numbers of the system."""
    for name in ("file", "other"):
        (place.folder / name).write_bytes(b"x")
    file, folder = str(place.folder / "file"), str(place.folder)
    denied = ("UnauthorizedAccessException", -2147024891) if place.windows else ("IOException", 13)
    there, in_the_way = (-2147024816, -2147024713) if place.windows else (17, 17)
    results = yield ask(
        steps.CopyFile(file, str(place.folder / "other")),
        steps.WriteFile(folder, b"x"),
        steps.MoveFile(file, folder),
        steps.AppendFile(folder, b"x"),
        steps.RemoveFile(folder),
    )
    assert [outcome(one) for one in results] == [
        ("IOException", there),
        ("IOException", in_the_way),
        ("IOException", in_the_way),
        denied,
        denied,
    ]


@case()
def version_of_a_file(place: Place) -> Play:
    real = os.path.realpath(place.powershell)
    beside = os.path.join(os.path.dirname(real), "pwsh.dll")
    library = beside if os.path.exists(beside) else real
    plain = place.folder / "plain.txt"
    plain.write_bytes(b"no program")
    found, missing, none = yield ask(
        steps.Version(library), steps.Version(str(place.folder / "none")), steps.Version(str(plain))
    )
    assert found.exists
    assert len(found.version.split(".")) == 4
    assert found.version != "0.0.0.0"
    assert found.file == library
    assert not missing.exists
    assert (none.exists, none.version) == (True, "0.0.0.0")
