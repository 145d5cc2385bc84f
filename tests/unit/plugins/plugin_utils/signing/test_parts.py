# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a signing task: SignTool on the host, files and patterns, certificate, working copies, ledger."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    DigestResult,
    Done,
    EachResult,
    Failure,
    FileRun,
    FolderContents,
    FolderResult,
    Placed,
    PlaceResult,
    RegistryResult,
    Result,
    RunResult,
    Skipped,
    TogetherResult,
    TreeResult,
    VersionResult,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    AppendFile,
    CopyFile,
    Digest,
    Each,
    MoveFile,
    Place,
    ReadFolder,
    ReadRegistry,
    ReadRegistryChildren,
    Together,
    Version,
    changes_host,
    quote,
    read_answer,
    to_json,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._aspect import Context
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    StoredCertificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    certificate as signing_certificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    files as signing_files,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    jobs as signing_jobs,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    ledger,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    rounds as signing_rounds,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    tool as signing_tool,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.pace import Pace, Tally
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.signature import (
    Decision,
    SeenFile,
    Wanted,
    decide,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.entry import Entries
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import (
    COMMAND_LINE_LIMIT,
    PLACES,
    SignOptions,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool.output import (
    ChainCertificate,
    Signature,
)
from support import recordings
from support.store_blobs import write_blob
from tests.unit.plugins.certificates import make

LEAF = make("Example")
OWN = "184EFBD18B376F996FFD3D79C2622334481D4409"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=timezone.utc)
KIT = r"C:\Program Files (x86)\Windows Kits\10\bin\10.0.26100.0"


# SignTool
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "wanted", "words"),
    [
        (VersionResult(True, "10.0.26100.9457", "", KIT + r"\x64\signtool.exe"), signing_tool.Wanted(), ""),
        (VersionResult(True, "10.0.26100.9457", "", r"D:\tools\signtool.exe"), signing_tool.Wanted(), ""),
        (VersionResult(False), signing_tool.Wanted(), "There is no SignTool"),
        (Failure("denied."), signing_tool.Wanted(), "cannot be looked for: denied"),
        (
            VersionResult(True, "10.0.26100.9457", "", KIT + r"\x86\signtool.exe"),
            signing_tool.Wanted(),
            "x86 SignTool",
        ),
        (
            VersionResult(True, "10.0.9.1", "", KIT + r"\x64\signtool.exe"),
            signing_tool.Wanted(minimum_version="10.0.22000.0"),
            "older than",
        ),
        (
            VersionResult(True, "10.0.22000.0", "", KIT + r"\x64\signtool.exe"),
            signing_tool.Wanted(minimum_version="10.0.22000.0"),
            "",
        ),
    ],
)
def test_signtool_that_can_do_the_work(
    result: VersionResult | Failure, wanted: signing_tool.Wanted, words: str
) -> None:
    assert [step.op for step in signing_tool.observe(wanted)] == ["version", "version"]
    seen = signing_tool.read(wanted, [result])
    assert bool(signing_tool.compare(wanted, seen)) is bool(words)
    if not words:
        signing_tool.check(wanted, seen)
        return
    with pytest.raises(BrokenLink, match=words):
        signing_tool.check(wanted, seen)


@pytest.mark.parametrize(
    ("version", "build", "hangs"),
    [
        ("10.0.28000.2957", 14393, True),
        ("10.0.22000.194", 14393, True),
        ("10.0.17763.132", 14393, False),
        ("10.0.19041.1", 14393, False),
        ("10.0.28000.2957", 17763, False),
        ("10.0.28000.2957", 0, False),
    ],
)
def test_signtool_that_hangs_on_an_old_windows(version: str, build: int, hangs: bool) -> None:
    wanted, seen = signing_tool.Wanted(), signing_tool.Seen(True, KIT + r"\x64\signtool.exe", version)
    findings = signing_tool.compare(wanted, seen, Context(windows_build=build))
    assert [("Windows Server 2016" in one.text, one.role) for one in findings] == [(True, "")] * hangs
    if not hangs:
        signing_tool.check_windows(seen, build)
        return
    with pytest.raises(BrokenLink, match="hangs with it on Windows Server 2016") as raised:
        signing_tool.check_windows(seen, build)
    assert raised.value.link == "signtool"


@pytest.mark.parametrize(("kind", "role"), [("digest", "signtool"), ("folder", "")])
def test_signtool_that_the_host_would_not_run(kind: str, role: str) -> None:
    path = KIT + r"\x64\signtool.exe"
    told = "\n".join((kind, path, "C:\\tools", "O:BAG:BAD:(A;;FA;;;BU)", ""))
    seen = signing_tool.read(signing_tool.Wanted(), [VersionResult(True, "10.0.26100.1", "", path, told)])
    (finding,) = signing_tool.compare(signing_tool.Wanted(), seen)
    assert (finding.link, finding.role, finding.severity) == ("signtool", role, "error")
    with pytest.raises(BrokenLink, match="not"):
        signing_tool.check(signing_tool.Wanted(), seen)


def test_signtool_is_looked_for_where_the_role_and_the_sdk_put_it() -> None:
    wanted, kit = (
        signing_tool.Wanted(),
        VersionResult(True, "10.0.26100.9457", "", KIT + r"\x64\signtool.exe"),
    )
    assert signing_tool.observe(wanted) == [Version(place) for place in PLACES]
    assert signing_tool.observe(signing_tool.Wanted(r"D:\signtool.exe")) == [Version(r"D:\signtool.exe")]
    for first, place in ((VersionResult(False), 1), (Failure("denied"), 1), (kit, 0)):
        seen = signing_tool.read(wanted, [first, kit])
        assert (seen.exists, seen.path, seen.place, seen.problem) == (True, kit.file, place, "")
    (finding,) = signing_tool.compare(
        wanted, signing_tool.read(wanted, [VersionResult(False), VersionResult(False)])
    )
    assert finding.expected == " or ".join(PLACES)
    assert signing_tool.read(wanted, [Failure("denied."), VersionResult(False)]).problem == "denied"


def test_architecture_is_the_folders() -> None:
    assert signing_tool.Seen(True, KIT + r"\x64\signtool.exe").architecture == "x64"
    assert signing_tool.Seen(True, KIT + r"\ARM64\signtool.exe").architecture == "arm64"
    assert signing_tool.Seen(True, r"D:\x86 tools\signtool.exe").architecture == ""
    # The deepest folder that names one says it.
    assert signing_tool.Seen(True, r"D:\arm64\kits\x64\signtool.exe").architecture == "x64"
    assert signing_tool.Seen(True, r"D:\x64\x86\tools\signtool.exe").architecture == "x86"
    assert signing_tool.numbers("10.0.x.1") == (10, 0, 0, 1)


# Files
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "folder", "name"),
    [
        (r"C:\build\app.exe", r"C:\build", "app.exe"),
        ("C:/build/app.exe", r"C:\build", "app.exe"),
        (r"C:\app.exe", "C:\\", "app.exe"),
        (r"\\server\share\app.exe", r"\\server\share", "app.exe"),
        (r"C:\build\*.exe", r"C:\build", "*.exe"),
    ],
)
def test_locations(text: str, folder: str, name: str) -> None:
    location = signing_files.locate(text)
    assert (location.folder, location.name) == (folder, name)
    assert location.path == text.replace("/", "\\")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (r"C:\d\.\a.exe", r"C:\d\a.exe"),
        (r"C:\\d\\a.exe", r"C:\d\a.exe"),
        (r"C:\d\x\..\a.exe", r"C:\d\a.exe"),
        (r"C:\..\..\d\a.exe", r"C:\d\a.exe"),
        ("C:/d//./a.exe", r"C:\d\a.exe"),
        (r"C:\d\..\a.exe", r"C:\a.exe"),
        (r"C:\d\.\*.exe", r"C:\d\*.exe"),
        (r"\\?\C:\d\a.exe", r"C:\d\a.exe"),
        (r"C:\console\com10.exe", r"C:\console\com10.exe"),
        (r"\\server\share\..\..\a.exe", r"\\server\share\a.exe"),
        (r"\\\\server\\share\\d\\a.exe", r"\\server\share\d\a.exe"),
    ],
)
def test_every_spelling_of_a_path_becomes_the_plain_one(text: str, path: str) -> None:
    assert signing_files.locate(text).path == path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C:\new\notes.exe", "'C:\\new\\notes.exe' holds a line break: in double quotes YAML"),
        ("C:\build\app.exe\t", "'C:\\x08uild\\x07pp.exe\\t' holds a backspace"),
        ("C:\\d\\\x1bxe.exe", "holds a control character"),
        ("build\\größe.exe", "'build\\größe.exe' is not an absolute path"),
        ("C:\\d.\\a.exe", "A folder in the path 'C:\\d.\\a.exe' ends with"),
        ("C:\\d\\x\u200e.exe", "'C:\\d\\x\\u200e.exe' holds an invisible"),
        ("C:\\d\\..", "is a folder"),
        (r"\\.\C:\a.exe", "is not an absolute path"),
        (r"\\?\UNC\server\share\a.exe", "is not an absolute path"),
        (r"C:\d\CON", "holds the name CON, by which Windows means a device"),
        (r"C:\d\nul.tar.gz", "holds the name nul.tar.gz, by which"),
        (r"C:\Com1\a.exe", "holds the name Com1, by which"),
        ("C:\\d\\LPT\u00b9.exe", "by which Windows means a device"),
        (
            "C:\new\notes.exe",
            r"'C:\new\notes.exe' holds a line break",
        ),
        ("C:\build\tool.exe", "holds a backspace"),
        ("C:\\a.exe\r", "holds a line break"),
        ("C:\\d\\x\x01.exe", "holds a control character"),
    ],
)
def test_a_refused_path_is_shown_as_it_was_written(text: str, words: str) -> None:
    with pytest.raises(BrokenLink) as caught:
        signing_files.locate(text)
    assert words in str(caught.value)


def test_same_file_twice_is_one() -> None:
    assert len(signing_files.locate_all([r"C:\build\app.exe", r"c:\BUILD\APP.exe", "C:/build/app.exe"])) == 1


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*.exe", "a.EXE", True),
        ("*.exe", "a.exe_old", False),
        ("a?.dll", "ab.dll", True),
        ("a?.dll", "abc.dll", False),
        ("*.*", "noextension", True),
        ("a[1]*", "a[1].exe", True),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert signing_files.fits(pattern, name) is fits


@given(st.text(alphabet="aB.*?", max_size=10), st.text(alphabet="Ab.", max_size=12))
def test_patterns_fit_as_a_regular_expression_of_them_does(pattern: str, name: str) -> None:
    expression = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    fits = pattern == "*.*" or re.fullmatch(expression, name, re.IGNORECASE | re.DOTALL) is not None
    assert signing_files.fits(pattern, name) is fits


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not signing_files.fits("*a" * 30 + "b", "a" * 250)


@pytest.mark.parametrize(
    ("result", "paths", "problem"),
    [
        (TreeResult(True, ("", r"one\two")), [r"C:\b\*.exe", r"C:\b\one\two\*.exe"], ""),
        (TreeResult(True, ("", ".codesign", r"one\.CODESIGN\x")), [r"C:\b\*.exe"], ""),
        (TreeResult(True), [], r"No file fits C:\b\**\*.exe."),
        (TreeResult(False), [], r"The folder C:\b does not exist."),
        (
            TreeResult(True, ("",), ("secret",)),
            [],
            r"The folder C:\b\secret cannot be read: this account may not",
        ),
        (TreeResult(True, (), ("",)), [], r"The folder C:\b cannot be read: this account may not"),
        (
            Failure("has more than 5 folders."),
            [],
            r"The folder C:\b cannot be read: has more than 5 folders.",
        ),
    ],
    ids=["found", "our own", "none", "no folder", "unread", "itself unread", "too many"],
)
def test_deep_patterns_become_those_of_their_folders(result: Result, paths: list[str], problem: str) -> None:
    (deep,) = signing_files.locate_all([r"C:\b\**\*.exe"])
    assert (deep.deep, deep.folder, deep.path) == (True, r"C:\b", r"C:\b\**\*.exe")
    assert not any(changes_host(step) for step in signing_files.observe_deep([deep]))
    found, problems = signing_files.read_deep([deep], [result])
    assert [one.path for one in found] == paths
    assert all(one.is_pattern and one.of == deep.path for one in found)
    assert [(path, one.msg.startswith(problem)) for path, one in problems.items()] == (
        [(deep.path, True)] if problem else []
    )


def test_a_deep_pattern_whose_folders_turn_out_empty_is_named_once() -> None:
    (deep,) = signing_files.locate_all([r"C:\b\**\*.exe"])
    found, _problems = signing_files.read_deep([deep], [TreeResult(True, ("", "one"))])
    old = EachResult(True, (FileRun("x.exe_old", 3, DigestResult(True, 3, "cc"), Failure("none")),))
    seen, problems = signing_files.read(signing_files.Wanted(found), [old, old])
    assert seen == []
    assert {path: one.msg for path, one in problems.items()} == {deep.path: r"No file fits C:\b\**\*.exe."}


def test_observation_is_one_list_of_steps_and_is_read_back() -> None:
    locations = signing_files.locate_all([r"C:\a\one.exe", r"C:\b\*.dll", r"C:\gone\*.sys", r"C:\none\*.exe"])
    steps = signing_files.observe(signing_files.Wanted(locations, "signtool.exe", 4))
    assert [type(step) for step in steps] == [Digest, Together, Each, Each, Each]
    assert not any(changes_host(step) for step in steps)
    unsigned = RunResult(
        1,
        b"Verifying: x\r\n\r\nNumber of signatures successfully Verified: 0\r\nNumber of errors: 1\r\n",
        b"SignTool Error: No signature found.\r\n",
    )
    results = [
        DigestResult(True, 5, "aa"),
        TogetherResult((unsigned,)),
        EachResult(
            True,
            (
                FileRun("x.dll", 3, DigestResult(True, 3, "bb"), unsigned),
                FileRun("held.dll", 3, Failure("used by another process", "", -2147024864), unsigned),
                FileRun("x.dll_old", 3, DigestResult(True, 3, "cc"), unsigned),
            ),
        ),
        EachResult(False),
        Failure("denied"),
    ]
    seen, problems = signing_files.read(signing_files.Wanted(locations), results)
    assert [(file.path, file.kind) for file in seen] == [
        (r"C:\a\one.exe", "unsigned"),
        (r"C:\b\x.dll", "unsigned"),
        (r"C:\b\held.dll", "in_use"),
    ]
    assert "does not exist" in problems[r"C:\gone\*.sys"].msg
    assert "cannot be read: denied" in problems[r"C:\none\*.exe"].msg
    seen, _problems = signing_files.read(
        signing_files.Wanted(locations[:1]), [DigestResult(True, 5, "aa"), Failure("broken")]
    )
    assert seen[0].kind == "unreadable"
    assert "broken" in seen[0].note


def test_a_short_name_is_the_file_that_windows_says() -> None:
    """Named and found by a pattern, under the short name and the whole one: one file each."""
    locations = signing_files.locate_all(
        [r"C:\PROGRA~1\a.exe", r"C:\Program Files\a.exe", r"C:\PROGRA~1\*.exe"]
    )
    unsigned = unsigned_run()
    results = [
        DigestResult(True, 5, "aa", r"C:\Program Files\a.exe"),
        DigestResult(True, 5, "aa"),
        TogetherResult((unsigned, unsigned)),
        EachResult(
            True,
            (
                FileRun("a.exe", 5, DigestResult(True, 5, "aa"), unsigned),
                FileRun("b.exe", 5, DigestResult(True, 5, "bb"), unsigned),
            ),
            r"C:\Program Files",
        ),
    ]
    seen, problems = signing_files.read(signing_files.Wanted(locations, "", 1), results)
    assert [(file.path, file.named) for file in seen] == [
        (r"C:\Program Files\a.exe", True),
        (r"C:\Program Files\b.exe", False),
    ]
    assert problems == {}


# Certificate
# ----------------------------------------------------------------------------------------------------------


def test_where_the_certificate_is_looked_for() -> None:
    assert signing_certificate.observe(signing_certificate.Wanted()) == []
    steps = signing_certificate.observe(signing_certificate.Wanted(OWN))
    assert all(isinstance(step, ReadRegistry) and step.path.endswith(OWN) for step in steps)
    children = signing_certificate.observe(signing_certificate.Wanted(subject="Example"))
    assert [type(step) for step in children] == [ReadRegistryChildren] * len(steps)
    (folder,) = signing_certificate.observe(signing_certificate.Wanted(OWN, store_location="CurrentUser"))
    assert isinstance(folder, ReadFolder)
    assert folder.pattern == OWN


def test_store_that_cannot_be_read() -> None:
    sought = signing_certificate.Wanted(OWN)
    seen = signing_certificate.read(sought, [Failure("Requested registry access is not allowed.")])
    with pytest.raises(BrokenLink, match="cannot be read"):
        signing_certificate.thumbprint(signing_certificate.Wanted(subject="x"), seen, NOW)
    with pytest.raises(BrokenLink, match="cannot be read"):
        signing_certificate.check(sought, OWN, seen, NOW)


def test_certificates_that_do_not_count() -> None:
    hidden, no_certificate = StoredCertificate(LEAF.der, archived=True), StoredCertificate(b"no DER at all")
    seen = Entries(blobs={one.thumbprint: write_blob(one) for one in (hidden, no_certificate)})
    with pytest.raises(BrokenLink, match="There is no certificate"):
        signing_certificate.check(signing_certificate.Wanted(OWN), OWN, seen, NOW)
    with pytest.raises(BrokenLink, match=r"in LocalMachine\\My is archived: Windows hides it from SignTool"):
        signing_certificate.check(signing_certificate.Wanted(LEAF.thumbprint), LEAF.thumbprint, seen, NOW)
    with pytest.raises(BrokenLink, match=f"certificate {LEAF.thumbprint} in .* is archived"):
        signing_certificate.thumbprint(signing_certificate.Wanted(subject="Example"), seen, NOW)
    with pytest.raises(BrokenLink, match="No certificate"):
        signing_certificate.thumbprint(signing_certificate.Wanted(subject="x", issuer="y"), seen, NOW)


def test_damaged_entries_are_passed_over() -> None:
    sought = signing_certificate.Wanted(OWN)
    folder = signing_certificate.read(sought, [FolderContents(True, {OWN: b"damaged"})])
    assert folder.readable == ()
    with pytest.raises(BrokenLink, match="cannot be read"):
        signing_certificate.check(sought, OWN, folder, NOW)
    assert signing_certificate.read(sought, [RegistryResult(False)]).blobs == {}
    assert signing_certificate.read(sought, []).blobs == {}


# Working copies
# -------------------------------------------------------------------------------------------------------


def settings(**other: object) -> signing_jobs.Settings:
    given: dict[str, object] = {
        "program": "signtool.exe",
        "wanted": Wanted("signed", OWN),
        "sign": SignOptions(OWN),
        **other,
    }
    return signing_jobs.Settings(**given)  # type: ignore[arg-type]


def make_jobs(files: list[tuple[SeenFile, Decision]]) -> list[signing_jobs.Job]:
    return signing_jobs.make_jobs(files, "0a1b2c")


A, B = "http://a/", "http://b/"


def answers(
    told: signing_jobs.Round,
    runs: Sequence[RunResult | Failure],
    verified: RunResult | Failure,
    digest: Result,
    copied: Result | None = None,
) -> list[Result]:
    """The results of a round in which no run of several files ended with 0, so that each copy was verified alone."""
    results: list[Result] = []
    for step in told.steps:
        if isinstance(step, CopyFile):
            results.append(copied or Placed())
        elif isinstance(step, Place):
            results.append(PlaceResult((Skipped(),) * len(step.copies)))
        elif isinstance(step, Digest):
            results.append(digest)
        elif step is told.steps[told.together]:
            results.append(TogetherResult(tuple(runs)))
        elif isinstance(step, Together):
            results.append(
                TogetherResult(
                    tuple(
                        RunResult(1, otherwise=(verified,) * len(run.otherwise))
                        if run.otherwise
                        else verified
                        for run in step.runs
                    )
                )
            )
    return results


def test_working_copies_lie_in_a_folder_of_ours_have_short_ascii_names_and_keep_the_extension() -> None:
    paths = [r"C:\build\日本.exe", r"C:\setup.msi", r"C:\build\noextension", r"C:\build\x.größe"]
    jobs = make_jobs([(SeenFile(path, "unsigned"), Decision("sign")) for path in paths])
    assert [job.copy_path for job in jobs] == [
        r"C:\build\.codesign\0a1b2c\f1.exe",
        r"C:\.codesign\0a1b2c\f2.msi",
        r"C:\build\.codesign\0a1b2c\f3",
        r"C:\build\.codesign\0a1b2c\f4",
    ]
    assert jobs[0].backup_path == r"C:\build\.codesign\0a1b2c\b1.exe"
    assert replace(jobs[0], generation=2).copy == "f1-2.exe"
    assert make_jobs([(SeenFile(r"C:\a.exe", "signed"), Decision("leave"))]) == []


def test_folder_too_deep_for_a_copy_is_said_before_anything_runs() -> None:
    path = "C:\\" + "d" * 245 + "\\a.exe"
    (job,) = make_jobs([(SeenFile(path, "unsigned"), Decision("sign"))])
    assert job.status == "failed"
    assert job.problem is not None
    assert "shorter folder" in job.problem.msg


def test_round_copies_signs_verifies_and_digests() -> None:
    jobs = make_jobs(
        [(SeenFile(rf"C:\build\{name}.exe", "unsigned", 5, "aa"), Decision("sign")) for name in "abc"]
    )
    told = signing_jobs.next_round(settings(jobs=2), jobs)
    kinds = [CopyFile] * 3 + [Together, Together] + [Digest] * 3 + [Place]
    assert [type(step) for step in told.steps] == kinds
    assert [step.if_sha256 for step in told.steps if isinstance(step, CopyFile)] == ["aa"] * 3
    signing, verifying = told.steps[3], told.steps[4]
    assert isinstance(signing, Together)
    assert isinstance(verifying, Together)
    assert [len(batch.members) for batch in told.batches] == [2, 1]
    assert all(run.changes and run.directory == r"C:\build\.codesign\0a1b2c" for run in signing.runs)
    assert not changes_host(verifying)
    # What one process has signed, one process verifies, so that its exit code says whose and how; else each its own.
    assert [run.arguments[-2:] for run in verifying.runs] == [("f1.exe", "f2.exe"), (OWN, "f3.exe")]
    assert [[one.arguments for one in run.otherwise] for run in verifying.runs] == [
        [("verify", "/pa", "/all", "/v", "f1.exe"), ("verify", "/pa", "/all", "/v", "f2.exe")],
        [("verify", "/pa", "/all", "/v", "f3.exe")],
    ]
    place = told.steps[-1]
    assert isinstance(place, Place)
    assert [(one.digest, one.copied, one.runs) for one in place.copies] == [
        (5, 0, ((3, 0), (4, 0))),
        (6, 1, ((3, 0), (4, 0))),
        (7, 2, ((3, 1), (4, 1))),
    ]


def test_long_lists_keep_within_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_jobs, "ROUND_FILES", 10_000)
    files = [(SeenFile(rf"C:\many\{number}.exe", "unsigned"), Decision("sign")) for number in range(9000)]
    deep = settings(program="C:\\" + "p" * 200 + "\\signtool.exe", batch=100_000, jobs=1)
    told = signing_jobs.next_round(deep, make_jobs(files))
    lengths = [len(f'"{batch.run.file}" {quote(batch.run.arguments)}') + 1 for batch in told.batches]
    assert len(lengths) == 3
    assert COMMAND_LINE_LIMIT - 30 < lengths[0] <= COMMAND_LINE_LIMIT
    assert sorted(number for batch in told.batches for number in batch.members) == list(range(9000))


@pytest.mark.parametrize(
    ("sizes", "batch", "jobs", "parts"),
    [
        # 160 files were five processes on four jobs.
        ([160], 32, 4, [[20] * 8]),
        ([200], 32, 4, [[25] * 8]),
        ([200], 32, 16, [[13] * 8 + [12] * 8]),
        ([20], 32, 8, [[3] * 6 + [2]]),
        ([1], 32, 8, [[1]]),
        # Many folders with few files each do not become a process a file.
        ([4] * 50, 32, 4, [[4]] * 50),
        ([100, 4], 32, 4, [[25] * 4, [4]]),
        ([], 32, 4, []),
        ([0], 32, 4, [[]]),
    ],
)
def test_files_are_shared_out_evenly(sizes: list[int], batch: int, jobs: int, parts: list[list[int]]) -> None:
    found = signing_jobs.shared_out(sizes, batch, jobs)
    assert [sum(one) for one in found] == sizes
    assert max((size for one in found for size in one), default=0) <= batch
    assert [sorted(one, reverse=True) for one in found] == parts


@pytest.mark.parametrize(
    ("pace", "jobs"),
    [(Pace(), 8), (Pace({A: 40}), 8), (Pace({A: 6}), 3), (Pace({A: 1}), 1), (Pace({A: 40, B: 4}), 2)],
)
def test_fewer_processes_ask_an_authority_that_limits(pace: Pace, jobs: int) -> None:
    assert pace.jobs(8) == jobs


def test_a_round_has_an_end() -> None:
    files = [(SeenFile(rf"C:\many\{n}.exe", "unsigned", 1), Decision("sign")) for n in range(1200)]
    jobs = make_jobs(files)
    assert signing_jobs.next_round(settings(), jobs).checked == tuple(range(signing_jobs.ROUND_FILES))
    # What was begun comes first.
    jobs[1100] = replace(jobs[1100], pending=Decision("look"), fresh=False)
    assert signing_jobs.next_round(settings(), jobs).checked[-1] == 1100
    large = [(SeenFile(rf"C:\many\{n}.msi", "unsigned", 900_000_000), Decision("sign")) for n in range(5)]
    assert signing_jobs.next_round(settings(), make_jobs(large)).checked == (0, 1)
    huge = [(SeenFile(r"C:\many\a.msi", "unsigned", 5_000_000_000), Decision("sign"))]
    assert signing_jobs.next_round(settings(), make_jobs(huge)).checked == (0,)


STRICT = ("/sha1", OWN)


@pytest.mark.parametrize(
    ("wanted", "decision", "before", "more", "strict"),
    [
        (Wanted("signed", OWN), Decision("sign"), 0, {}, STRICT),
        (Wanted("signed", OWN, timestamped=True), Decision("sign"), 0, {}, (*STRICT, "/tw")),
        (Wanted("timestamped", OWN), Decision("timestamp"), 1, {}, (*STRICT, "/tw")),
        # Exit codes do not count signatures, do not say which one has a stamp, and not whose one is.
        (Wanted("signed", OWN), Decision("append"), 1, {}, None),
        (Wanted("timestamped", OWN), Decision("timestamp"), 2, {}, None),
        (Wanted("timestamped"), Decision("timestamp"), 1, {}, None),
        (Wanted("unsigned"), Decision("remove"), 1, {}, None),
        (Wanted("signed", OWN, timestamped=True), Decision("sign"), 0, {"apart": True, "tries": 1}, None),
    ],
)
def test_what_exit_codes_alone_can_say(
    wanted: Wanted, decision: Decision, before: int, more: dict[str, Any], strict: tuple[str, ...] | None
) -> None:
    """Only then a copy takes its file's place in the call that verified it, and not where it gets a line in a ledger."""
    one = Signature(0, "sha256", chain=(ChainCertificate(OWN),), timestamped=False)
    seen = SeenFile(r"C:\build\a.exe", "signed" if before else "unsigned", 5, "aa", (one,) * before)
    (job,) = make_jobs([(seen, decision)])
    given = settings(wanted=wanted, timestamp_urls=(A,))
    planned = signing_jobs.next_round(given, [replace(job, **more)])
    verifying = planned.steps[planned.together + 1]
    assert isinstance(verifying, Together)
    (run,) = verifying.runs
    assert run.arguments == ("verify", "/pa", "/all", "/v", *(strict or ()), "f1.exe")
    assert (planned.placed, isinstance(planned.steps[-1], Place)) == (((0,), True) if strict else ((), False))
    with_ledger = signing_jobs.next_round(given, [replace(job, **more)], r"C:\logs\l")
    written = decision.action in ("sign", "append")
    assert any(isinstance(step, Place) for step in with_ledger.steps) is bool(strict and not written)


def test_pause_comes_only_when_all_authorities_failed() -> None:
    (job,) = make_jobs([(SeenFile(r"C:\a.exe", "unsigned"), Decision("sign"))])
    two = settings(timestamp_urls=("http://a/", "http://b/"), delay=5)
    stamp = {"pending": Decision("timestamp"), "fresh": False, "apart": True}
    found = [
        signing_jobs.pause(two, [replace(job, tries=tries, **stamp)], Pace(level=2)) for tries in range(5)
    ]
    assert found == [0, 0, 10, 0, 10]
    # Files that are signed to be stamped later ask nobody.
    assert signing_jobs.pause(two, [replace(job, tries=2, apart=True)], Pace(level=2)) == 0
    assert signing_jobs.pause(settings(), [job], Pace()) == 0
    assert signing_jobs.pause(settings(), [replace(job, repeats=1)], Pace()) == signing_jobs.BUSY_PAUSE


@pytest.mark.parametrize(
    ("before", "got", "all_asked", "after"),
    [
        (Pace(), {}, False, Pace()),
        (Pace(), {A: Tally(5, 0)}, False, Pace(stamped=True)),
        # A limit: so many at a time as were stamped, after a wait.
        (Pace(), {A: Tally(10, 30)}, True, Pace({A: 10}, 0, 1, True)),
        # Another authority is asked at once.
        (Pace(), {A: Tally(0, 30)}, False, Pace({A: 15}, 1, 0)),
        (Pace({A: 10}, 0, 1, True), {A: Tally(0, 10)}, True, Pace({A: 5}, 1, 2, True)),
        (Pace({A: 1}, 1, 2, True), {A: Tally(0, 1)}, True, Pace({A: 1}, 2, 3, True)),
        # As long as there is progress, the wait does not grow; it falls when all is well.
        (Pace({A: 4}, 2, 3, True), {A: Tally(3, 1)}, True, Pace({A: 3}, 0, 3, True)),
        (Pace({A: 4}, 0, 3, True), {A: Tally(4, 0)}, False, Pace({A: 6}, 0, 2, True)),
        (Pace({A: 4}, 0, 1), {A: Tally(0, 4), B: Tally(9, 0)}, False, Pace({A: 2}, 0, 1, True)),
        (Pace({A: 1}, 9, 6), {A: Tally(0, 1)}, True, Pace({A: 1}, 10, 6)),
    ],
)
def test_pace_of_timestamps(before: Pace, got: dict[str, Tally], all_asked: bool, after: Pace) -> None:
    assert before.after(got, all_asked, attempts=3) == after


def test_when_nothing_more_is_expected_of_the_authorities() -> None:
    assert [Pace(idle=idle).is_over(3, 2, True) for idle in (5, 6)] == [False, True]
    assert [Pace(idle=idle, stamped=True).is_over(3, 1, True) for idle in (5, 6)] == [False, True]
    assert Pace(idle=3, stamped=True).is_over(3, 1, False)
    assert [Pace(level=level).wait(5) for level in range(4)] == [0, 5, 10, 20]


def test_an_authority_is_asked_for_so_many_at_a_time_and_who_tried_least_comes_first() -> None:
    stamp = {"pending": Decision("timestamp"), "fresh": False, "apart": True}
    made = make_jobs([(SeenFile(rf"C:\{n}.exe", "unsigned"), Decision("sign")) for n in range(5)])
    jobs = [replace(job, tries=tries, **stamp) for job, tries in zip(made, (2, 1, 2, 1, 1), strict=True)]
    one = settings(timestamp_urls=(A,), jobs=1)
    assert signing_jobs.next_round(one, jobs, pace=Pace({A: 4})).checked == (0, 1, 3, 4)
    planned = signing_jobs.next_round(one, jobs, pace=Pace({A: 2}))
    (batch,) = planned.batches
    assert (planned.checked, batch.run.arguments[0], batch.run.key_use) == ((1, 3), "timestamp", False)
    # Who has to be signed for it is signed first, without an address.
    jobs[2] = replace(made[2], tries=1, apart=True)
    planned = signing_jobs.next_round(one, jobs, pace=Pace({A: 2}))
    (batch,) = planned.batches
    assert (planned.checked, batch.run.arguments[0], "/tr" in batch.run.arguments) == ((2,), "sign", False)


def test_end_moves_and_writes() -> None:
    before = SeenFile(r"C:\build\a.exe", "unsigned", 5, "aa")
    (job,) = make_jobs([(before, Decision("sign"))])
    good = replace(job, status="good", now=SeenFile(before.path, "signed", 9, "bb"))
    bad = replace(job, status="failed")
    steps = signing_jobs.finish([good, bad], {0: b"line\n"}, r"C:\logs\l")
    assert steps == [
        MoveFile(job.copy_path, before.path, job.backup_path, if_sha256="aa", sha256="bb"),
        AppendFile(r"C:\logs\l", b"line\n", once=True, only_if_previous_ok=True),
    ]

    def ended(*results: Result) -> tuple[str, str]:
        first, second = signing_jobs.read_finish([good, bad], {0: b"line\n"}, results, r"C:\logs\l")
        assert second == bad
        return first.status, first.problem.msg if first.problem else ""

    assert ended(Placed(sha256="bb"), Done()) == ("done", "")
    status, msg = ended(Placed(changed=True, sha256="cc"), Skipped())
    assert (status, "was changed meanwhile: something else wrote it" in msg) == ("failed", True)
    status, msg = ended(Placed(changed=True), Skipped())
    assert "something else took it away" in msg
    status, msg = ended(Failure("error 1177. The file's bytes lie in b now.", "", 1177, "b"), Skipped())
    assert (status, "lie in b now" in msg, "left as it was" in msg) == ("failed", True, False)
    status, msg = ended(Placed(sha256="bb"), Failure("denied"))
    assert (status, "The next run writes the missing line." in msg) == ("done", True)


def test_a_copy_that_is_held_is_looked_at_again_and_not_made_again() -> None:
    (job,) = make_jobs([(SeenFile(r"C:\build\a.exe", "unsigned", 5, "aa"), Decision("sign"))])
    held = RunResult(
        1,
        b"Number of errors: 1\r\n",
        b"SignTool Error: The file is being used by another process.\r\n",
    )
    sharing = Failure("used by another process", "System.IO.IOException", 32)
    for digest, verified in ((sharing, held), (sharing, unsigned_run())):
        jobs = [job]
        for _look in range(signing_jobs.LOOKS):
            planned = signing_jobs.next_round(settings(), jobs)
            results = answers(planned, [RunResult(0)], verified, digest)
            jobs, _warnings = signing_rounds.read_round(settings(), jobs, planned, results)
            assert (jobs[0].status, jobs[0].next.action) == ("open", "look")
        planned = signing_jobs.next_round(settings(), jobs)
        assert (planned.copies, planned.batches) == ({}, ())
        assert [type(step) for step in planned.steps] == [Together, Together, Digest]
        (last,), _warnings = signing_rounds.read_round(
            settings(), jobs, planned, [TogetherResult(()), TogetherResult((verified,)), digest]
        )
        assert (last.status, last.problem is not None) == ("failed", True)
        (seen,), _warnings = signing_rounds.read_round(
            settings(),
            jobs,
            planned,
            [TogetherResult(()), TogetherResult((unsigned_run(),)), DigestResult(True, 5, "aa")],
        )
        assert (seen.status, seen.fresh, seen.copy) == ("open", True, "f1-1.exe")


@pytest.mark.parametrize(
    ("copied", "words"),
    [
        (Placed(changed=True, sha256="bb"), "was changed meanwhile"),
        (Failure("There is not enough space on the disk.", "", 0x80070070), "the disk of C:\\build is full"),
        (Failure("x", "", 32), "could not be copied: it is in use"),
    ],
)
def test_a_file_that_cannot_be_copied(copied: Result, words: str) -> None:
    jobs = make_jobs([(SeenFile(r"C:\build\a.exe", "unsigned", 5, "aa"), Decision("sign"))])
    planned = signing_jobs.next_round(settings(), jobs)
    results = answers(planned, [unsigned_run()], unsigned_run(), DigestResult(False), copied)
    (job,), _warnings = signing_rounds.read_round(settings(), jobs, planned, results)
    assert job.status == "failed"
    assert job.problem is not None
    assert words in job.problem.msg


DENIED = b"SignTool Error: Access is denied.\r\n"
INTERNAL = b"SignTool Error: An unexpected internal error has occurred.\r\n"


def counted(errors: int) -> bytes:
    return f"Number of files successfully Signed: 0\r\nNumber of errors: {errors}\r\n".encode()


def unsigned_run() -> RunResult:
    counters = b"Number of signatures successfully Verified: 0\r\nNumber of errors: 1\r\n"
    return RunResult(1, b"Verifying: x\r\n\r\n" + counters, b"SignTool Error: No signature found.\r\n")


@pytest.mark.parametrize(
    ("files", "run", "outcomes"),
    [
        # Two files, one sentence: whose it is shows when each runs alone.
        (2, RunResult(1, counted(1), DENIED), ["alone", "alone"]),
        # Two files, two equal sentences: each has its own.
        (2, RunResult(1, counted(2), DENIED * 2), ["failed", "failed"]),
        # Ended early without a sentence: the first file is where it ended.
        (2, RunResult(1, b"Done Adding Additional Store\r\n"), ["failed", "open"]),
        # Two sentences and no counters: the last one ended the run, but at which file?
        (3, RunResult(1, b"", DENIED + INTERNAL), ["alone", "alone", "alone"]),
        (1, RunResult(None, timed_out=True), ["failed"]),
    ],
)
def test_whose_reason_it_is(files: int, run: RunResult, outcomes: list[str]) -> None:
    jobs = make_jobs(
        [(SeenFile(rf"C:\build\{number}.exe", "unsigned"), Decision("sign")) for number in range(files)]
    )
    told = signing_jobs.next_round(settings(jobs=1), jobs)
    results = answers(told, [run], unsigned_run(), DigestResult(True, 5, "aa"))
    after, _warnings = signing_rounds.read_round(settings(jobs=1), jobs, told, results)
    assert ["alone" if job.alone else job.status for job in after] == outcomes


def test_copy_that_is_not_as_wanted_never_takes_the_files_place() -> None:
    two = Signature(index=0, algorithm="sha256", chain=(ChainCertificate(OWN),), timestamped=False)
    (job,) = make_jobs([(SeenFile(r"C:\build\a.exe", "unsigned"), Decision("sign"))])
    now = SeenFile(job.before.path, "signed", 9, "bb", (two, two), True)
    decision = signing_jobs.achieved(settings(), job, now)
    assert decision.action == "refuse"
    assert decision.problem is not None
    assert "2 signatures instead of 1" in decision.problem.msg


def test_signtool_that_cannot_be_started_and_verification_that_was_not_run() -> None:
    jobs = make_jobs([(SeenFile(r"C:\build\a.exe", "unsigned"), Decision("sign"))])
    told = signing_jobs.next_round(settings(), jobs)
    results = [
        Placed(),
        Failure("it went away"),
        Failure("it went away"),
        DigestResult(True, 5, "aa"),
        PlaceResult((Skipped(),)),
    ]
    (job,), _warnings = signing_rounds.read_round(settings(), jobs, told, results)
    assert job.status == "failed"
    assert job.problem is not None
    assert job.problem.link == "signtool"


def test_tool_that_says_nothing_useful() -> None:
    jobs = make_jobs([(SeenFile(r"C:\build\a.exe", "unsigned"), Decision("sign"))])
    told = signing_jobs.next_round(settings(), jobs)
    unsigned = RunResult(
        1,
        b"Verifying: x\r\n\r\nNumber of signatures successfully Verified: 0\r\nNumber of errors: 1\r\n",
        b"SignTool Error: No signature found.\r\n",
    )
    for run, words in (
        (RunResult(0, b"", b"Usage: signtool sign"), "SignTool's help"),
        (RunResult(0xC0000142), "exit code 3221225794"),
        (RunResult(0, b"Successfully signed: a\r\n"), "exit code 0 and gave no reason"),
    ):
        results = answers(told, [run], unsigned, DigestResult(True, 5, "aa"))
        (job,), _warnings = signing_rounds.read_round(settings(), jobs, told, results)
        assert job.status == "failed"
        assert job.problem is not None
        assert words in job.problem.msg


def test_a_signature_that_cannot_be_taken_off_for_the_file_names_the_file() -> None:
    jobs = make_jobs([(SeenFile(r"C:\build\a.exe", "signed"), Decision("remove"))])
    told = signing_jobs.next_round(settings(), jobs)
    error = b"SignTool Error: CryptSIPRemoveSignedDataMsg returned error: 0x000000C1\r\r\n\t%1 is not a valid Win32 application.\r\r\n"
    run = RunResult(
        1,
        b"\r\nNumber of files successfully processed: 0\r\r\nNumber of warnings: 0\r\r\nNumber of errors: 1\r\r\n",
        error,
    )
    signed = b"Verifying: x\r\n\r\nNumber of signatures successfully Verified: 0\r\nNumber of errors: 1\r\n"
    broken = RunResult(
        1, signed, b"SignTool Error: WinVerifyTrust returned error: 0x80096010\r\n\tWords.\r\n"
    )
    results = [Placed(), TogetherResult((run,)), TogetherResult((broken,)), DigestResult(True, 5, "aa")]
    (job,), _warnings = signing_rounds.read_round(settings(), jobs, told, results)
    assert job.problem is not None
    assert (job.problem.link, job.problem.code) == ("file", 0xC1)
    assert "certificate table" in job.problem.msg


# Ledger
# ---------------------------------------------------------------------------------------------------------------


def test_a_ledger_line_is_one_line_of_ascii_that_any_reader_of_json_takes() -> None:
    before, after = (
        SeenFile(r"C:\größe.exe", "unsigned", 5, "aa"),
        SeenFile(r"C:\größe.exe", "signed", 9, "bb"),
    )
    where = ledger.Host("win01", "WIN01\\signer", 120)
    text = ledger.line(NOW, where, Wanted("signed", OWN), before, after)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert text.isascii()
    entry = json.loads(text)
    assert (entry["time"], entry["host"], entry["file"], entry["sha256_after"]) == (
        "2026-11-24T08:00:00Z",
        "win01",
        r"C:\größe.exe",
        "bb",
    )


@pytest.mark.parametrize(
    ("offset", "time"),
    [(0, "2026-11-24T06:20:41Z"), (330, "2026-11-24T00:50:41Z"), (-480, "2026-11-24T14:20:41Z")],
)
def test_the_time_of_a_stamp_in_the_ledger_is_in_utc(offset: int, time: str) -> None:
    local = datetime(2026, 11, 24, 6, 20, 41)  # noqa: DTZ001
    one = Signature(
        index=0, algorithm="sha256", chain=(ChainCertificate(OWN),), timestamped=True, timestamp_time=local
    )
    after = SeenFile(r"C:\a.exe", "signed", 9, "bb", (one,), True)
    text = ledger.line(NOW, ledger.Host("h", "a", offset), Wanted("signed", OWN), after, after)
    assert json.loads(text)["timestamp"]["time"] == time


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (r"\\server\share\a.exe", "such a logon cannot use shares"),
        (r"X:\build\a.exe", "If X: is a mapped drive"),
        (r"C:\build\a.exe", ""),
    ],
)
def test_shares_and_mapped_drives_are_explained(path: str, words: str) -> None:
    found = decide(Wanted("signed", OWN), SeenFile(path, "missing")).problem
    assert found is not None
    assert ("network" in found.msg) is bool(words)
    assert words in found.msg
    location = signing_files.locate(path.replace("a.exe", "*.exe"))
    _seen, problems = signing_files.read(signing_files.Wanted([location]), [EachResult(False)])
    assert words in problems[location.path].msg


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        (r"C:\a.msix", "0x8007000b", "its Publisher is not the certificate's subject"),
        (r"C:\a.exe", "0x8007000b", "the file is damaged"),
        (r"C:\a.exe", "0x800700c1", "certificate table"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_its_kind(path: str, code: str, words: str) -> None:
    jobs = make_jobs([(SeenFile(path, "unsigned"), Decision("sign"))])
    told = signing_jobs.next_round(settings(), jobs)
    text = f'Error information: "Error: SignerSign() failed." (-1/{code})\r\n'
    run = RunResult(1, text.encode() + counted(1), INTERNAL)
    results = answers(told, [run], unsigned_run(), DigestResult(True, 5, "a"))
    (job,), _warnings = signing_rounds.read_round(settings(), jobs, told, results)
    assert job.problem is not None
    assert (job.problem.link, words in job.problem.msg) == ("file", True), job.problem.msg


def test_ledger_needs_its_folder() -> None:
    assert ledger.observe("") == []
    (step,) = ledger.observe(r"C:\logs\signed.jsonl")
    assert not changes_host(step)
    ledger.check(r"C:\logs\signed.jsonl", ledger.read("", [FolderResult(True)]))
    for result in (FolderResult(False), Failure("denied")):
        with pytest.raises(BrokenLink, match="folder of the ledger"):
            ledger.check(r"C:\logs\signed.jsonl", result)


def test_append_is_a_writing_step_of_the_script() -> None:
    step = AppendFile(r"C:\logs\l", b"line\n", only_if_previous_ok=True)
    assert changes_host(step)
    assert json.loads(to_json([step])) == [
        {"op": "append", "path": r"C:\logs\l", "base64": "bGluZQo=", "only_if_previous_ok": True}
    ]
    assert read_answer([step], '{"results": [{}]}').results == (Done(),)


# What SignTool says of all files alike
# -----------------------------------------------------------------------------------


def one_round(
    files: int,
    run: RunResult,
    verified: RunResult | None = None,
    digests: DigestResult | None = None,
    **options: object,
) -> list[signing_jobs.Job]:
    jobs = make_jobs(
        [(SeenFile(rf"C:\build\{number}.exe", "unsigned"), Decision("sign")) for number in range(files)]
    )
    told = signing_jobs.next_round(settings(jobs=1, **options), jobs)
    results = answers(told, [run], verified or unsigned_run(), digests or DigestResult(True, 5, "aa"))
    one = settings(jobs=1, **options)
    after, _warnings = signing_rounds.read_round(one, jobs, told, results)
    return signing_rounds.paced(one, jobs, after, told, Pace())[0]


def failed_run(error: str, out: str = "") -> RunResult:
    return RunResult(1, out.encode(), f"SignTool Error: {error}\r\n".encode())


@pytest.mark.parametrize(
    ("run", "link", "words"),
    [
        (failed_run("The specified CSP could not be found."), "provider", "key storage provider"),
        (
            failed_run("The specified private key container was not found."),
            "container",
            "does not exist for this account",
        ),
        (
            failed_run("The provided cross certificate would not be present in the certificate chain."),
            "argument",
            "additional certificate",
        ),
        (
            failed_run(r"File not found: codesign-01234567.exe"),
            "key",
            "the key, its provider or the certificate store",
        ),
        (failed_run("No private key is available."), "key", "cannot be opened"),
        (
            failed_run(
                "An unexpected internal error has occurred.",
                'Error information: "Error: SignerSign() failed." (-2146893799/0x80090019)',
            ),
            "provider",
            "0x80090019",
        ),
    ],
)
def test_what_is_wrong_for_every_file_alike_ends_the_round(run: RunResult, link: str, words: str) -> None:
    jobs = one_round(3, run)
    assert [job.status for job in jobs] == ["failed"] * 3
    for job in jobs:
        assert job.problem is not None
        assert job.problem.link == link
        assert words in job.problem.msg
        assert "Check the path" not in job.problem.msg
        assert job.problem.output


def test_a_file_that_is_not_there_is_still_one() -> None:
    (job,) = one_round(
        1,
        RunResult(1, counted(1), b"SignTool Error: File not found: codesign-01234567.exe\r\n"),
        digests=DigestResult(False),
    )
    assert job.problem is not None
    assert (job.status, job.problem.link) == ("failed", "file")
    assert "the file is missing" in job.problem.msg or "is gone" in job.problem.msg


UNKNOWN_TO_SIGN = ("0x80091008", "0x80092004")


@pytest.mark.parametrize(
    "code",
    ["0x80096005", "0x80072ee2", "0x80072f8f", "0x80190191", "0x8009310b", *UNKNOWN_TO_SIGN],
)
def test_an_answer_of_an_authority_that_ends_the_run_counts_as_a_try(code: str) -> None:
    internal = failed_run(
        "An unexpected internal error has occurred.",
        f'Error information: "Error: SignerSign() failed." (-1/{code})',
    )
    jobs = one_round(3, internal, timestamp_urls=("http://a/", "http://b/"), attempts=2)
    # Those behind would meet the same answer: all of them turn to the next authority.
    assert [(job.status, job.tries, job.signs_apart) for job in jobs] == [("open", 1, True)] * 3
    (last,) = one_round(1, internal, timestamp_urls=("http://a/",), attempts=1)
    assert last.problem is not None
    assert (last.status, last.problem.link, last.problem.code) == ("failed", "timestamp", int(code, 16))
    # Where no authority is asked, it is the key's.
    (other,) = one_round(1, internal)
    assert other.problem is not None
    assert (other.status, other.problem.link) == ("failed", "signtool" if code in UNKNOWN_TO_SIGN else "key")


def bad_stamp() -> RunResult:
    """The verification of a file whose timestamp does not stand it."""
    case = next(case for case in recordings.signtool_answers() if case["name"] == "verify-pa-all-v-stamped")
    text = re.sub(r"\r\nSuccessfully verified: [^\r]*\r\r\n", "", case["stdout"])
    text = text.replace("Verified: 1", "Verified: 0").replace("errors: 0", "errors: 1")
    return RunResult(
        1, text.encode("cp1253"), b"SignTool Error: WinVerifyTrust returned error: 0x80096005\r\r\n"
    )


@pytest.mark.parametrize(
    ("run", "tries", "status", "link"),
    [
        (RunResult(0, b"Successfully timestamped: f1.exe\r\n"), 0, "open", None),
        (RunResult(0, b"Successfully timestamped: f1.exe\r\n"), 1, "open", None),
        (RunResult(1, b"", b""), 0, "failed", "signtool"),
        (failed_run("Access is denied."), 0, "failed", "file"),
    ],
)
def test_a_stamp_that_does_not_stand_the_verification_is_a_try(
    run: RunResult, tries: int, status: str, link: str | None
) -> None:
    """Only where SignTool says that it stamped: what it failed at is told, and not tried again."""
    given = settings(
        wanted=Wanted("signed", OWN, timestamped=True), timestamp_urls=("http://a/",), attempts=2
    )
    (job,) = make_jobs([(SeenFile(r"C:\build\1.exe", "signed", 5, "aa"), Decision("timestamp"))])
    jobs = [replace(job, tries=tries)]
    sent = signing_jobs.next_round(given, jobs)
    results = answers(sent, [run], bad_stamp(), DigestResult(True, 5, "bb"))
    (after,), _warnings = signing_rounds.read_round(given, jobs, sent, results)
    assert (after.status, after.problem.link if after.problem else None) == (status, link)
    assert after.tries == (tries + 1 if run.exit_code == 0 else tries)


def test_a_certificate_that_ends_after_the_year_3000_is_said_to_be_dropped() -> None:
    listed = f"    Issued to: A\n    Issued by: B\n    SHA1 hash: {OWN}\n\n"
    filters = "After EKU filter, 1 certs were left.\nAfter expiry filter, 0 certs were left.\nAfter Hash filter, 0 certs were left.\n"
    text = f"The following certificates were considered:\n{listed}{filters}"
    (job,) = one_round(1, failed_run("No certificates were found that met all the given criteria.", text))
    assert job.problem is not None
    assert job.problem.link == "certificate"
    assert "ends after the year 3000" in job.problem.msg
