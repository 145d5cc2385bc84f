# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool through the lab where something is wrong: each link is named, no file is harmed, and the next
run heals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.playbook import PlaybookRun
from support.signable import missing_tools, tampered

from .signing import FOLDER, HOST, SIGNTOOL, Signing, entry, only_reads

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

DEAD = "http://127.0.0.1:1/timestamp"
"""Nothing listens there."""
LOCKED = (rf"{FOLDER}\locked\a.exe", rf"{FOLDER}\pattern\a.exe")


@dataclass
class Bad:
    """A task that fails: the broken link, and words of its one sentence. ``calls``: what it costs (0: refused
    before anything is sent).
    """

    name: str
    link: str
    words: Sequence[str]
    files: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    calls: int = 1
    good: tuple[str, ...] = ()

    @property
    def known_before(self) -> bool:
        """Whether reading is enough to know it, so that check mode fails alike."""
        return self.calls < 2


@dataclass
class Refusals:
    cases: list[Bad]
    predicted: PlaybookRun
    done: PlaybookRun
    calls: list[list[list[dict[str, Any]]]]
    predicted_calls: list[list[list[dict[str, Any]]]]


@pytest.fixture(autouse=True)
def no_faults(signing: Signing) -> Iterator[None]:
    yield
    signing.fleet.lab.clear()


def _bad_paths() -> list[Bad]:
    deep = "\\".join([FOLDER, *["x" * 40] * 5, "y" * 40 + ".exe"])
    table = {
        "path longer than 260": (deep, "259 at the most"),
        "blank at the end": (rf"{FOLDER}\a.exe ", "begins or ends with a blank or a dot"),
        "dot at the end": (rf"{FOLDER}\a.exe.", "begins or ends with a blank or a dot"),
        "quotes": (rf'"{FOLDER}\a.exe"', "stands in quotes"),
        "quote at the end": (rf"{FOLDER}\a.exe'", "stands in quotes"),
        "invisible character": (rf"{FOLDER}\a.exe" + "\u200e", "invisible character"),
        "relative": ("a.exe", "The path 'a.exe' is not an absolute path"),
        "letters as written": (r"build\größe.exe", r"The path 'build\größe.exe' is not an absolute path"),
        "dot in a folder": (rf"{FOLDER}.\a.exe", "ends with a blank or a dot"),
        "folder": (f"{FOLDER}\\", "is a folder"),
        "wildcard in a folder": (rf"{FOLDER}\*\a.exe", "wildcard in a folder's name"),
        "stream": (rf"{FOLDER}\a.exe:b", "a character that no file name has"),
        "empty path": ("", "path is empty"),
    }
    return [Bad(name, "argument", [words], [path], calls=0) for name, (path, words) in table.items()]


def _bad_arguments(one: list[str]) -> list[Bad]:
    table: dict[str, tuple[str, str, dict[str, Any]]] = {
        "https": ("timestamp", "does not begin with http://", {"timestamp_urls": ["https://tsa.example"]}),
        "no address": ("timestamp", "does not begin with http://", {"timestamp_urls": ["tsa.example"]}),
        "short thumbprint": ("argument", "4 hex digits, not 40", {"thumbprint": "12 34"}),
        "sha256 thumbprint": ("argument", "which is a SHA-256", {"thumbprint": "AB" * 32}),
        "store's name": ("argument", "The store name", {"store_name": "a\\b"}),
        "two additional": (
            "argument",
            "one additional certificate and no more",
            {"additional_certificates": [r"C:\a.cer", r"C:\b.cer"]},
        ),
        "stamp without address": (
            "argument",
            "timestamp_urls is empty",
            {"state": "timestamped", "timestamp_urls": []},
        ),
        "no batch": ("argument", "batch is 0", {"batch": 0}),
        "line break": ("argument", "description holds a line break", {"description": "a\nb"}),
        "ledger pattern": ("argument", "holds a wildcard", {"ledger_path": r"C:\signed\*.jsonl"}),
    }
    return [Bad(name, link, [words], one, options, calls=0) for name, (link, words, options) in table.items()]


def _bad_tools(one: list[str], text: str) -> list[Bad]:
    return [
        Bad(
            "x86",
            "signtool",
            ["is the x86 SignTool", "Use the x64 one"],
            one,
            {"signtool_path": SIGNTOOL.replace("x64", "x86")},
        ),
        Bad(
            "no tool",
            "signtool",
            ["There is no SignTool at", "role cloudhsm.codesign.signtool"],
            one,
            {"signtool_path": r"C:\tools\signtool.exe"},
        ),
        Bad(
            "text as a tool",
            "signtool",
            ["a.txt is not SignTool, or cannot run on this host: it could not be started"],
            one,
            {"signtool_path": text},
        ),
        Bad(
            "another tool",
            "signtool",
            ["certutil.exe is not SignTool", "CertUtil: "],
            one,
            {"signtool_path": r"C:\Windows\System32\certutil.exe"},
        ),
        Bad(
            "no ledger",
            "ledger",
            ["folder of the ledger", "does not exist"],
            one,
            {"ledger_path": r"C:\nowhere\ledger.jsonl"},
        ),
    ]


def _bad_certificates(signing: Signing, one: list[str]) -> list[Bad]:
    def by(name: str) -> dict[str, Any]:
        return {"thumbprint": signing.thumbprint(name)}

    def filtered(**options: str) -> dict[str, Any]:
        return {"thumbprint": None, **options}

    other = rf"{FOLDER}\certificates\vendor.pem"
    second, renewed, gone = (
        signing.thumbprint(name) for name in ("signing-second", "signing-renewed", "signing-umlaut")
    )
    return [
        Bad(
            "unknown",
            "certificate",
            ["There is no certificate", "perhaps it is in CurrentUser"],
            one,
            {"thumbprint": "AB" * 20},
        ),
        Bad("no store", "certificate", ["LocalMachine\\Nowhere"], one, {"store_name": "Nowhere"}),
        Bad("expired", "certificate", ["expired on", "renew it"], one, by("signing-expired")),
        Bad(
            "endless", "certificate", ["ends in the year 9999", "SignTool drops"], one, by("signing-endless")
        ),
        Bad("usage", "certificate", ["not made for code signing"], one, by("server-authentication")),
        Bad(
            "not tied",
            "certificate",
            [second, "is not tied to a key", "win_cert_repairstore"],
            one,
            by("signing-second"),
        ),
        Bad(
            "several",
            "certificate",
            ["2 certificates", signing.thumbprint(), renewed, "Give the thumbprint"],
            one,
            filtered(subject="lab SOFTWARE"),
        ),
        Bad(
            "none",
            "certificate",
            ["No certificate of LocalMachine\\My fits the subject 'nobody'"],
            one,
            filtered(subject="nobody"),
        ),
        Bad("no issuer", "certificate", ["fits the issuer 'nobody'"], one, filtered(issuer="nobody")),
        Bad(
            "cannot sign",
            "certificate",
            ["fits the subject 'lab.example' can sign"],
            one,
            filtered(subject="lab.example"),
        ),
        Bad(
            "wrong key",
            "certificate",
            [f"{renewed} is tied to a key that is not its own", "win_cert_repairstore"],
            one,
            by("signing-renewed"),
            3,
        ),
        Bad(
            "no container",
            "container",
            [f"The key container gone, which the certificate {gone} is tied to, is gone"],
            one,
            by("signing-umlaut"),
            4,
        ),
        Bad(
            "no login",
            "credential",
            ["has no credentials", "CLOUDHSM_PIN is not set", "crypto_user"],
            one,
            {"crypto_user": "{{ omit }}"},
            3,
        ),
        Bad(
            "other chain",
            "argument",
            ["is not of the signing certificate's chain"],
            one,
            {"additional_certificates": [other]},
            3,
        ),
        Bad(
            "chain file",
            "argument",
            [r"additional certificate C:\a.cer is not on this host"],
            one,
            {"additional_certificates": [r"C:\a.cer"]},
        ),
    ]


def _bad_files(signing: Signing) -> list[Bad]:
    put, exe, msi = signing.put, signing.files["setup64.exe"], signing.files["package.msi"]
    vendor = signing.vendor.sign(exe)
    paths = {
        name: put(rf"kinds\{name}", content)
        for name, content in (
            ("empty.exe", b""),
            ("text.txt", b"text\r\n"),
            ("half.exe", exe[: len(exe) // 2]),
        )
    }
    other = [
        put(rf"other\{name}", content)
        for name, content in (("u.exe", exe), ("v.exe", vendor), ("t.exe", tampered(vendor)), ("x.txt", b"x"))
    ]
    good = [put(rf"{folder}\good.exe", exe) for folder in ("missing", "kinds", "locked", "pattern")]
    for path in LOCKED:
        put(path.removeprefix(f"{FOLDER}\\"), exe)
    second = put(r"append\v.msi", signing.vendor.sign(msi, ".msi"))
    fresh = put(r"append\u.msi", msi)
    broken = put(r"append\t.exe", tampered(vendor))
    verified = [
        "4 of 4 files are not as wanted",
        "u.exe is not signed",
        "but not by",
        "was changed after it was signed",
        "is no file that SignTool can sign",
    ]
    return [
        Bad(
            "missing",
            "file",
            ["1 of 2 files is not as wanted", "does not exist"],
            [rf"{FOLDER}\missing\no.exe", good[0]],
            calls=2,
            good=(good[0],),
        ),
        Bad(
            "kinds",
            "file",
            ["is empty", "format is not recognized", "the file is damaged"],
            [*paths.values(), good[1]],
            calls=3,
            good=(good[1],),
        ),
        Bad(
            "locked",
            "file",
            ["is in use", "End what uses it"],
            [LOCKED[0], good[2]],
            calls=3,
            good=(good[2],),
        ),
        Bad(
            "locked in a pattern",
            "file",
            ["is in use"],
            [rf"{FOLDER}\pattern\*.exe"],
            calls=3,
            good=(good[3],),
        ),
        Bad(
            "no match", "file", ["1 of 1 file is not as wanted", "No file fits"], [rf"{FOLDER}\missing\*.msi"]
        ),
        Bad("no folder", "file", [r"The folder C:\nowhere does not exist"], [r"C:\nowhere\*.exe"]),
        Bad("folder as a file", "file", ["(or is a folder)"], [rf"{FOLDER}\missing"]),
        Bad(
            "append to a package",
            "file",
            ["can hold one only", "Give foreign: replace"],
            [second, fresh],
            {"append": True},
            2,
            good=(fresh,),
        ),
        Bad(
            "append to a broken one",
            "file",
            ["a signature beside the broken one helps nobody"],
            [broken],
            {"append": True},
        ),
        Bad("not verified", "file", verified, other, {"state": "verified"}),
        Bad(
            "not stamped",
            "timestamp",
            ["is signed without a timestamp"],
            [other[1]],
            {"state": "verified", "thumbprint": None},
        ),
        Bad(
            "nothing to stamp",
            "file",
            ["cannot be timestamped", "state: signed"],
            [other[0]],
            {"state": "timestamped"},
        ),
        Bad(
            "stamp on a broken one",
            "file",
            ["was changed after it was signed"],
            [other[2]],
            {"state": "timestamped", "thumbprint": None},
        ),
        Bad("stamp on another's", "certificate", ["is not signed by"], [other[1]], {"state": "timestamped"}),
    ]


@pytest.fixture(scope="module")
def refusals(signing: Signing) -> Refusals:
    one = [signing.put(r"one\a.exe", signing.files["setup64.exe"])]
    lab, text = signing.fleet.lab, r"C:\Program Files\tools\a.txt"
    lab.write(HOST, text, b"text\r\n")
    tools = _bad_tools(one, text)
    cases = [
        *_bad_paths(),
        *_bad_arguments(one),
        *tools,
        *_bad_certificates(signing, one),
        *_bad_files(signing),
    ]
    tasks = [signing.task(case.name, case.files, **case.options) for case in cases]
    for path in LOCKED:
        lab.fault(HOST, f"file_locked:{path}")
    first = lab.last()
    predicted = signing.run(*tasks, extra=["--check"])
    predicted_calls, second = signing.calls(first), lab.last()
    done = signing.run(*tasks)
    lab.clear()
    lab.remove(HOST, text)
    return Refusals(cases, predicted, done, signing.calls(second), predicted_calls)


def test_every_failure_names_the_broken_link_in_one_sentence(refusals: Refusals) -> None:
    for case in refusals.cases:
        one = refusals.done.of(case.name)
        assert one.failed, case.name
        assert one.result["link"] == case.link, (case.name, one.msg)
        assert [words for words in case.words if words not in one.msg] == [], (case.name, one.msg)
        assert one.changed is bool(case.good)


def test_what_is_refused_before_anything_runs_costs_no_call(refusals: Refusals) -> None:
    costs = {case.name: case.calls for case in refusals.cases if case.calls}
    assert {name: len(calls) for name, calls in zip(costs, refusals.calls, strict=True)} == costs


def test_check_mode_fails_alike_where_reading_is_enough(refusals: Refusals) -> None:
    for case in refusals.cases:
        predicted, done = refusals.predicted.of(case.name), refusals.done.of(case.name)
        if case.known_before:
            assert (predicted.failed, predicted.msg, predicted.result["link"]) == (
                True,
                done.msg,
                done.result["link"],
            ), case.name
    # What another process holds is looked at twice.
    assert [len(calls) for calls in refusals.predicted_calls] == [
        2 if case.name.startswith("locked") else 1 for case in refusals.cases if case.calls
    ]
    assert all(only_reads(steps) for calls in refusals.predicted_calls for steps in calls)


def test_no_file_is_harmed_and_the_good_ones_are_signed(signing: Signing, refusals: Refusals) -> None:
    good = {path for case in refusals.cases for path in case.good}
    for host, path in signing.written:
        if host == HOST:
            assert signing.survived(path) is (path not in good), path
    assert all(signing.opinion(path).good for path in good)
    for case in refusals.cases:
        for one in refusals.done.of(case.name).result.get("files", []):
            assert (one["outcome"] == "changed") is (one["path"] in case.good)
            assert (one["error"] is None) is (one["path"] in case.good)
    assert signing.leftovers() == []


def test_what_does_not_fit_together_is_refused_by_name(signing: Signing) -> None:
    path = signing.put(r"together\a.exe", signing.files["setup64.exe"])
    neither = signing.run(
        signing.task("both", [path], subject="x"), signing.task("neither", [path], thumbprint=None)
    )
    assert "mutually exclusive: thumbprint|subject" in neither.of("both").msg
    assert "any of the following are missing: thumbprint, subject, issuer" in neither.of("neither").msg


# The key
# ------------------------------------------------------------------------------------------------------------------------


def test_a_key_that_fails_in_the_middle_leaves_signed_failed_and_not_tried_and_the_next_run_heals(
    signing: Signing,
) -> None:
    paths = [signing.put(rf"key\file{number}.exe", signing.files["setup64.exe"]) for number in range(7)]
    lab, files = signing.fleet.lab, [rf"{FOLDER}\key\*.exe"]
    lab.fault(HOST, "ksp_error:2", 1)
    lab.fault(HOST, "ksp_error:0")
    broken = signing.result(files=files, jobs=1)
    assert [one["outcome"] for one in broken["files"]] == [
        "changed",
        "changed",
        "failed",
        "failed",
        "not_tried",
        "not_tried",
        "not_tried",
    ]
    assert (broken["signed"], broken["failed_files"], broken["not_tried"], broken["link"]) == (2, 2, 3, "key")
    assert broken["msg"].startswith("5 of 7 files are not as wanted: ")
    assert "0x8009002d" in broken["msg"]
    assert (
        "was not tried: SignTool ended its run before it came to this file"
        in entry(broken, paths[5])["error"]["msg"]
    )
    assert [signing.survived(path) for path in paths] == [False, False, *[True] * 5]
    assert signing.leftovers() == []
    lab.clear()
    signed = [signing.content(path) for path in paths[:2]]
    healed = signing.result(files=files, jobs=1)
    assert [one["outcome"] for one in healed["files"]] == ["unchanged", "unchanged", *["changed"] * 5]
    assert [signing.content(path) for path in paths[:2]] == signed
    assert all(signing.opinion(path).good and len(signing.opinion(path).signers) == 1 for path in paths)


def test_files_behind_one_failure_of_the_key_are_signed_in_the_same_run(signing: Signing) -> None:
    paths = [signing.put(rf"key2\file{number}.exe", signing.files["setup64.exe"]) for number in range(4)]
    signing.fleet.lab.fault(HOST, "ksp_error:1", 1)
    signing.fleet.lab.fault(HOST, "ksp_error:0", 1)
    result = signing.result(files=paths, jobs=1)
    assert [one["outcome"] for one in result["files"]] == ["changed", "failed", "changed", "changed"]
    assert signing.survived(paths[1])
    assert signing.leftovers() == []


def test_codes_of_the_provider_are_told_apart(signing: Signing) -> None:
    path = signing.put(r"codes\a.exe", signing.files["setup64.exe"])
    codes = {
        "0x80090016": ("container", "does not exist"),
        "0x80090010": ("credential", "denied"),
        "0x80090030": ("cluster", "not ready"),
        "0x80090019": (
            "provider",
            "the key storage provider that the certificate is tied to cannot be opened",
        ),
        "0x80070002": ("key", "says that the file is not there, but it is"),
    }
    for code in codes:
        # A device that is not ready is asked twice.
        signing.fleet.lab.fault(HOST, f"ksp_error:0:{code}", 2 if code == "0x80090030" else 1)
    run = signing.run(*(signing.task(code, [path]) for code in codes))
    for code, (link, words) in codes.items():
        assert run.of(code).result["link"] == link, run.of(code).msg
        assert words in run.of(code).msg
    assert signing.survived(path)
    assert signing.leftovers() == []


def test_a_key_out_of_reach_is_no_missing_certificate(signing: Signing) -> None:
    hosts = (HOST, "en3")
    for host in hosts:
        signing.put(r"reach\a.exe", signing.files["setup64.exe"], host)
        signing.fleet.lab.fault(host, "hsm_unreachable")
    run = signing.run(signing.task("one", [rf"{FOLDER}\reach\a.exe"]), host=":".join(hosts))
    for host in hosts:
        assert run.of("one", host).result["link"] == "cluster"
        assert "This host cannot reach the HSM on TCP port 2223" in run.of("one", host).msg
        assert signing.survived(rf"{FOLDER}\reach\a.exe", host)
        assert signing.leftovers(host) == []


# The timestamp
# ----------------------------------------------------------------------------------------------------------------------


def _requests(signing: Signing) -> int:
    return int(signing.fleet.lab.status()["tsa_requests"])


def test_the_next_authority_is_asked_at_once_when_one_does_not_answer(signing: Signing) -> None:
    web = str(signing.fleet.lab.status()["web"])
    paths = [signing.put(rf"failover\{name}.exe", signing.files["setup64.exe"]) for name in ("a", "b")]
    # Three pauses of ten minutes would be noticed.
    run = signing.run(
        signing.task("dead", [paths[0]], timestamp_urls=[DEAD, signing.url], timestamp_delay=600),
        signing.task(
            "web", [paths[1]], timestamp_urls=[f"{web}/timestamp", DEAD, signing.url], timestamp_delay=600
        ),
    )
    assert not run.failed(), run.output[-4000:]
    assert run.seconds < 60
    for path in paths:
        opinion = signing.opinion(path)
        assert (opinion.good, opinion.stamped) == (True, (True,))


@pytest.mark.parametrize("fault", ["tsa_http_500", "tsa_garbage", "tsa_reject", "tsa_down"])
def test_an_authority_that_fails_once_is_asked_again(signing: Signing, fault: str) -> None:
    path = signing.put(rf"retry\{fault}.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault("", fault, 1)
    before = _requests(signing)
    result = signing.result(files=[path], timestamp_attempts=2)
    assert not result.get("failed"), result
    assert _requests(signing) - before == 2
    assert signing.opinion(path).stamped == (True,)


def test_an_authority_that_limits_requests_stamps_all_files(signing: Signing) -> None:
    paths = [signing.put(rf"limit\{number:02}.exe", signing.files["setup64.exe"]) for number in range(12)]
    signing.fleet.lab.fault("", "tsa_limit:4/3")
    before = _requests(signing)
    mark = signing.fleet.lab.last()
    result = signing.result(files=paths, timestamp_delay=1)
    assert not result.get("failed"), result
    assert _requests(signing) - before < 40
    assert all(signing.opinion(path).stamped == (True,) for path in paths)
    signed = [one for one in signing.processes(mark) if one["argv"][0] == "sign"]
    assert sum(word.endswith(".exe") for one in signed for word in one["argv"]) == 12 + 8
    assert signing.leftovers() == []


def test_a_busy_device_gets_one_more_try(signing: Signing) -> None:
    path = signing.put(r"busy\a.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault(HOST, "ksp_error:0:0x8009002d", 1)
    assert not signing.result(files=[path]).get("failed")
    assert signing.opinion(path).stamped == (True,)


def test_a_slow_authority_is_waited_for(signing: Signing) -> None:
    path = signing.put(r"slow\a.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault("", "tsa_slow:1", 1)
    assert not signing.result(files=[path], timestamp_attempts=1).get("failed")
    assert signing.opinion(path).stamped == (True,)


@pytest.mark.parametrize("fault", ["tsa_garbage", "tsa_http_404"])
def test_when_no_authority_answers_the_files_stay_as_they_were(signing: Signing, fault: str) -> None:
    new = signing.put(rf"none\{fault}.exe", signing.files["setup64.exe"])
    old = signing.put(rf"none\{fault}.dll", signing.vendor.sign(signing.files["library.dll"]))
    signing.fleet.lab.fault("", fault)
    before = _requests(signing)
    result = signing.result(
        files=[new, old], timestamp_urls=[DEAD, signing.url], timestamp_attempts=2, foreign="replace"
    )
    assert (result["link"], result["failed_files"]) == ("timestamp", 2)
    assert "gave a valid answer in 4 tries. The file was left as it was." in result["msg"]
    # The second time it is asked for one file only.
    assert _requests(signing) - before == 2 + 1
    assert signing.survived(new)
    assert signing.survived(old)
    assert signing.leftovers() == []


def test_a_file_that_older_versions_leave_without_its_stamp_gets_it_and_no_second_signature(
    signing: Signing,
) -> None:
    path = signing.put(r"older\a.exe", signing.files["setup64.exe"])
    appended = signing.put(r"older\v.exe", signing.vendor.sign(signing.files["setup64.exe"]))
    lab = signing.fleet.lab
    lab.fault(HOST, "stamp_fails_after_signing", 2)
    mark = lab.last()
    run = signing.run(signing.task("one", [path]), signing.task("append", [appended], append=True))
    assert not run.failed(), run.output[-4000:]
    words = [one["argv"][0] for one in signing.processes(mark) if one["argv"][0] != "verify"]
    assert words == ["sign", "timestamp"] * 2
    assert (signing.opinion(path).signers, signing.opinion(path).stamped) == (("Lab Software",), (True,))
    both = signing.opinion(appended)
    assert dict(zip(both.signers, both.stamped, strict=True)) == {"Vendor Inc.": False, "Lab Software": True}


def test_all_signatures_of_a_file_are_stamped(signing: Signing) -> None:
    path = signing.put(r"two\a.exe", signing.vendor.sign(signing.files["setup64.exe"]))
    stamp = signing.task("stamp", [path], state="timestamped", thumbprint=None)
    mark = signing.fleet.lab.last()
    run = signing.run(
        signing.task("append", [path], append=True, timestamp_urls=[]), stamp, {**stamp, "name": "again"}
    )
    assert [one.task for one in run.changed()] == ["append", "stamp"]
    assert signing.opinion(path).stamped == (True, True)
    # SignTool stamps one signature of a file at a time, so each costs a call.
    assert [len(calls) for calls in signing.calls(mark)] == [3, 4, 1]


# The file
# -----------------------------------------------------------------------------------------------------------------------


def test_a_warning_of_signtool_is_a_warning(signing: Signing) -> None:
    path = signing.put(r"warning\a.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault(HOST, "sign_warning:The lab warns.", 1)
    mark = signing.fleet.lab.last()
    result = signing.result(files=[path])
    assert [one["exit_code"] for one in signing.processes(mark) if one["argv"][0] == "sign"] == [2]
    assert result["changed"]
    assert not result.get("failed")
    assert result["warnings"] == ["SignTool warns: The lab warns."]


def test_a_read_only_file_is_not_replaced_and_leaves_no_copy(signing: Signing) -> None:
    path = signing.put(r"read only\a.exe", signing.files["setup64.exe"])
    real = Path(signing.fleet.lab.state, "hosts", HOST, "C", *path.split("\\")[1:])
    real.chmod(0o444)
    result = signing.result(files=[path])
    assert result["link"] == "file"
    assert "could not be replaced by its signed copy" in result["msg"]
    assert "Check that it is not read-only" in result["msg"]
    assert signing.survived(path)
    real.chmod(0o644)
    mark = signing.fleet.lab.last()
    assert signing.result(files=[path])["changed"]
    assert not [one for one in signing.processes(mark) if one["argv"][0] == "sign"], "it was signed already"
    assert signing.leftovers() == []


def test_a_connection_that_breaks_leaves_no_copy(signing: Signing) -> None:
    path = signing.put(r"drop\a.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault(HOST, "connection_drop", 1)
    run = signing.run(signing.task("one", [path]))
    assert len(run.failed()) == 1
    assert signing.survived(path)
    assert signing.leftovers() == []


def test_an_authority_that_never_answers_is_followed_by_the_next(signing: Signing) -> None:
    """The signature is made apart from the stamp then, and stays where the stamp is asked for elsewhere."""
    path = signing.put(r"hang\stamp.exe", signing.files["setup64.exe"])
    lab = signing.fleet.lab
    lab.fault(HOST, "hang:signtool sign", 1)
    lab.fault(HOST, "hang:signtool timestamp", 1)
    mark = lab.last()
    result = signing.result(files=[path], timeout=2, timestamp_urls=[signing.url] * 3, timestamp_attempts=1)
    assert not result.get("failed"), result
    words = [one["argv"][0] for one in signing.processes(mark) if one["argv"][0] != "verify"]
    assert words == ["sign", "sign", "timestamp", "timestamp"]
    assert (len(signing.opinion(path).signers), signing.opinion(path).stamped) == (1, (True,))
    assert signing.leftovers() == []


def test_why_a_tool_hangs_is_asked_once(signing: Signing) -> None:
    path = signing.put(r"hang\hsm.exe", signing.files["setup64.exe"])
    lab = signing.fleet.lab
    lab.fault(HOST, "hang:signtool sign")
    lab.fault(HOST, "hsm_unreachable")
    result = signing.result(files=[path], timeout=2)
    assert result["link"] == "cluster", result["msg"]
    assert "cannot reach the HSM on TCP port 2223" in result["msg"]
    assert signing.survived(path)
    assert signing.leftovers() == []


def test_a_tool_that_hangs_is_ended_and_named(signing: Signing) -> None:
    path = signing.put(r"hang\a.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault(HOST, "hang:signtool sign")
    result = signing.result(files=[path], timeout=2)
    assert result["link"] == "signtool"
    assert "did not end within 2 seconds" in result["msg"]
    assert signing.survived(path)
    assert signing.leftovers() == []
