# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool through the lab: every kind of file and every state, predicted by check mode, done once,
verified from outside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.playbook import PlaybookRun
from support.signable import SCRIPT, missing_tools, script_support, tampered

from .signing import FOLDER, HOST, Signing, entry, only_reads, sha256, under_journal

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

TSA_NAME = "Lab Timestamp Authority"
COPY = re.compile(r"f\d+(-\d+)?(\.\w+)?")
"""The name of a working copy."""
LEDGER = rf"{FOLDER}\ledger\signed.jsonl"
TORN = b'{"time": "2026-01-01T00:00:00Z", "file": "C:\\\\before"}\n{"time": "2026-01-0'


@dataclass
class Case:
    """A task, and what it makes of its files: path to (action, state after, signatures)."""

    name: str
    files: list[str]
    expected: dict[str, tuple[str, str, int]]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> set[str]:
        return {path for path, (action, _state, _count) in self.expected.items() if action != "leave"}


@dataclass
class Story:
    """All cases: predicted by check mode, done, and done again. ``marks``: the record's numbers before each
    run.
    """

    cases: dict[str, Case]
    predicted: PlaybookRun
    done: PlaybookRun
    again: PlaybookRun
    marks: tuple[int, int, int]
    files_before: dict[str, list[str]]
    files_predicted: dict[str, list[str]]


SIGNED, STAMPED = ("sign", "signed", 1), ("sign", "timestamped", 1)


def _cases(signing: Signing) -> list[Case]:
    put, files = signing.put, signing.files
    exe, msi = files["setup64.exe"], files["package.msi"]
    plain, stamped, plain_msi = _signed_before(signing)
    vendor_exe, vendor_msi = signing.vendor.sign(exe), signing.vendor.sign(msi, ".msi")
    both = tampered(plain)

    programs = [
        put(rf"programs\{name}", files[name])
        for name in ("setup32.exe", "setup64.exe", "library.dll", "driver.sys")
    ]
    packages = [put(r"packages\package.msi", msi), put(r"packages\package.cab", files["package.cab"])]
    packages += [put(r"packages\script.ps1", SCRIPT)] if script_support() else []
    names = (
        "größe.exe",
        "mit  Leerzeichen.exe",
        "签名 程序.exe",
        "-dash.exe",
        "it's 100% [x] & more!.exe",
        "codesign-my-own.exe",
        "Ω-1253.exe",
    )
    odd = [put(rf"names\{name}", exe) for name in names]
    many = [put(rf"many\file{number}.exe", exe) for number in range(7)]
    put(r"ledger\signed.jsonl", TORN)
    kept = [put(rf"ledger\{name}.exe", exe) for name in ("one", "two")]
    done = put(r"ledger\done.exe", stamped)

    return [
        Case(
            "programs",
            [rf"{FOLDER}\programs\*.exe", *programs[2:]],
            dict.fromkeys(programs, STAMPED),
            {"description": "Größtes Programm", "url": "http://www.example.com/info"},
        ),
        Case("packages", packages, dict.fromkeys(packages, STAMPED)),
        Case(
            "sha384",
            [put(r"digests\384.exe", exe)],
            {rf"{FOLDER}\digests\384.exe": STAMPED},
            {"digest": "sha384", "timestamp_digest": "sha512"},
        ),
        Case(
            "sha512",
            [put(r"digests\512.dll", exe)],
            {rf"{FOLDER}\digests\512.dll": SIGNED},
            {"digest": "sha512", "page_hashes": True, "timestamp_urls": []},
        ),
        Case(
            "other digest",
            [put(r"digests\256.exe", stamped)],
            {rf"{FOLDER}\digests\256.exe": STAMPED},
            {"digest": "sha384"},
        ),
        Case("names", [rf"{FOLDER}\names\*", odd[0], odd[3]], dict.fromkeys(odd, STAMPED)),
        Case(
            "case",
            [odd_case := put(r"case\App.exe", exe), odd_case.upper(), odd_case.replace("\\", "/")],
            {odd_case: STAMPED},
        ),
        Case(
            "thumbprint",
            [put(r"thumbprint\a.exe", exe)],
            {rf"{FOLDER}\thumbprint\a.exe": STAMPED},
            {"thumbprint": _as_shown(signing.thumbprint())},
        ),
        Case(
            "append",
            [put(r"append\v.exe", vendor_exe), put(r"append\u.msi", msi)],
            _vendor_and_new(),
            {"append": True},
        ),
        Case(
            "replace",
            [put(r"replace\v.exe", vendor_exe), put(r"replace\v.msi", vendor_msi)],
            _both("replace", "v.exe", "v.msi", STAMPED),
            {"foreign": "replace"},
        ),
        Case(
            "foreign",
            [put(r"foreign\v.exe", vendor_exe), put(r"foreign\v.msi", vendor_msi)],
            _both("foreign", "v.exe", "v.msi", ("leave", "signed_by_others", 1)),
        ),
        Case(
            "without stamp",
            [put(r"stamp\a.exe", plain), put(r"stamp\b.msi", plain_msi)],
            _both("stamp", "a.exe", "b.msi", ("timestamp", "timestamped", 1)),
        ),
        Case(
            "stamp appended",
            [put(r"stamp2\v.exe", signing.vendor.sign(exe)), put(r"stamp2\o.exe", plain)],
            _stamps(),
            _any("timestamped"),
        ),
        Case(
            "unsigned",
            [
                put(r"unsigned\a.exe", stamped),
                put(r"unsigned\b.msi", plain_msi),
                put(r"unsigned\c.txt", b"x"),
            ],
            _off(),
            _any("unsigned"),
        ),
        Case(
            "verified",
            [put(r"verified\a.exe", stamped), put(r"verified\v.exe", vendor_exe)],
            _good(),
            _any("verified", timestamp_urls=[]),
        ),
        Case("tampered", [put(r"tampered\a.exe", both)], {rf"{FOLDER}\tampered\a.exe": STAMPED}),
        Case(
            "user store", [put(r"user\a.exe", exe)], {rf"{FOLDER}\user\a.exe": SIGNED}, _user_store(signing)
        ),
        Case("chain file", [put(r"chain\a.exe", exe)], {rf"{FOLDER}\chain\a.exe": STAMPED}, _chain_file()),
        Case(
            "many",
            [rf"{FOLDER}\many\file?.exe"],
            dict.fromkeys(many, SIGNED),
            {"batch": 2, "jobs": 3, "timestamp_urls": [], "client_sdk": "5"},
        ),
        Case(
            "ledger",
            [*kept, done],
            {**dict.fromkeys(kept, STAMPED), done: ("leave", "timestamped", 1)},
            {"ledger_path": LEDGER},
        ),
    ]


def _signed_before(signing: Signing) -> tuple[bytes, bytes, bytes]:
    """A program signed without stamp, one with, and a package without."""
    kinds = {"a.exe": "setup64.exe", "b.exe": "setup64.exe", "c.msi": "package.msi"}
    paths = [signing.put(rf"before\{name}", signing.files[kind]) for name, kind in kinds.items()]
    run = signing.run(
        signing.task("plain", [paths[0], paths[2]], timestamp_urls=[]), signing.task("stamped", [paths[1]])
    )
    assert not run.failed(), run.output[-4000:]
    return signing.content(paths[0]), signing.content(paths[1]), signing.content(paths[2])


def _as_shown(thumbprint: str) -> str:
    """As the certificate window gives it to the clipboard: in small letters, with blanks and an invisible
    character before them.
    """
    return "\u200e" + " ".join(thumbprint.lower()[start : start + 2] for start in range(0, 40, 2))


def _both(
    folder: str, first: str, second: str, outcome: tuple[str, str, int]
) -> dict[str, tuple[str, str, int]]:
    return {rf"{FOLDER}\{folder}\{first}": outcome, rf"{FOLDER}\{folder}\{second}": outcome}


def _vendor_and_new() -> dict[str, tuple[str, str, int]]:
    return {rf"{FOLDER}\append\v.exe": ("append", "timestamped", 2), rf"{FOLDER}\append\u.msi": STAMPED}


def _stamps() -> dict[str, tuple[str, str, int]]:
    return _both("stamp2", "v.exe", "o.exe", ("timestamp", "timestamped", 1))


def _off() -> dict[str, tuple[str, str, int]]:
    return {
        **_both("unsigned", "a.exe", "b.msi", ("remove", "unsigned", 0)),
        rf"{FOLDER}\unsigned\c.txt": ("leave", "not_signable", 0),
    }


def _good() -> dict[str, tuple[str, str, int]]:
    return {
        rf"{FOLDER}\verified\a.exe": ("leave", "timestamped", 1),
        rf"{FOLDER}\verified\v.exe": ("leave", "signed", 1),
    }


def _any(state: str, **options: Any) -> dict[str, Any]:
    return {"state": state, "thumbprint": None, **options}


def _user_store(signing: Signing) -> dict[str, Any]:
    return {
        "thumbprint": signing.thumbprint("all-purposes"),
        "store_location": "CurrentUser",
        "timestamp_urls": [],
    }


def _chain_file() -> dict[str, Any]:
    return {"additional_certificates": [rf"{FOLDER}\certificates\intermediate.pem"]}


@pytest.fixture(scope="module")
def story(signing: Signing) -> Story:
    cases = {case.name: case for case in _cases(signing)}
    tasks = [signing.task(case.name, case.files, **case.options) for case in cases.values()]
    listed = _listed(signing)
    first = signing.fleet.lab.last()
    predicted = signing.run(*tasks, extra=["--check"])
    listed_after, second = _listed(signing), signing.fleet.lab.last()
    done = signing.run(*tasks)
    third = signing.fleet.lab.last()
    return Story(cases, predicted, done, signing.run(*tasks), (first, second, third), listed, listed_after)


def _listed(signing: Signing) -> dict[str, list[str]]:
    lab = signing.fleet.lab
    folders = [rf"{FOLDER}\{name}" for name in lab.ask("list", host=HOST, path=FOLDER)["folders"]]
    return {
        folder: [
            f"{name} {sha256(signing.content(rf'{folder}{chr(92)}{name}'))}"
            for name in lab.files(HOST, folder)
        ]
        for folder in folders
    }


# All cases
# ----------------------------------------------------------------------------------------------------------------


def test_every_file_is_as_wanted(story: Story) -> None:
    assert not story.done.failed(), [(one.task, one.msg) for one in story.done.failed()]
    for case in story.cases.values():
        result = story.done.of(case.name).result
        found = {
            one["path"]: (one["action"], one["state_after"], one["signatures"]) for one in result["files"]
        }
        assert found == case.expected, case.name
        assert {one["path"] for one in result["files"] if one["changed"]} == case.changes, case.name
        assert result["changed"] is bool(case.changes)
        assert result["signed"] == sum(
            action in ("sign", "append") for action, _state, _count in case.expected.values()
        )
        assert (result["failed_files"], result["not_tried"], result["unchanged"] + result["left"]) == (
            0,
            0,
            len(case.expected) - len(case.changes),
        )
        assert result["signtool_version"] == "10.0.26100.9457"
        assert all(one["error"] is None and one["trusted"] in (True, None) for one in result["files"])


def test_check_mode_predicts_exactly_that(story: Story) -> None:
    assert not story.predicted.failed(), [(one.task, one.msg) for one in story.predicted.failed()]
    for name in story.cases:
        predicted, done = story.predicted.of(name).result, story.done.of(name).result
        for key in ("changed", "signed", "failed_files", "not_tried", "unchanged", "diff"):
            assert predicted[key] == done[key], (name, key)
        for before, after in zip(predicted["files"], done["files"], strict=True):
            same = (
                "path",
                "state_before",
                "state_after",
                "sha256_before",
                "signer",
                "digest",
                "signatures",
                "action",
                "outcome",
                "changed",
                "error",
            )
            assert {key: before[key] for key in same} == {key: after[key] for key in same}, name
            assert (before["timestamp"] is None) == (after["timestamp"] is None)


def test_check_mode_sends_nothing_that_writes(signing: Signing, story: Story) -> None:
    first, second, _third = story.marks
    tasks = signing.calls(first)[: len(story.cases)]
    assert [len(calls) for calls in tasks] == [1] * len(story.cases)
    assert all(only_reads(steps) for calls in tasks for steps in calls)
    written = [one for one in signing.fleet.lab.record("file", HOST, first) if one["number"] <= second]
    assert written == []
    assert story.files_predicted == story.files_before


def test_a_second_run_changes_nothing_in_one_call(signing: Signing, story: Story) -> None:
    assert not story.again.failed()
    assert story.again.changed() == []
    tasks = signing.calls(story.marks[2])[: len(story.cases)]
    assert [len(calls) for calls in tasks] == [1] * len(story.cases)
    assert all(only_reads(steps) for calls in tasks for steps in calls)
    for name in story.cases:
        for done, again in zip(
            story.done.of(name).result["files"], story.again.of(name).result["files"], strict=True
        ):
            assert done["sha256_after"] == again["sha256_before"] == again["sha256_after"]


JUDGED_BEFORE = ("append", "stamp appended", "unsigned", "ledger")
"""What exit codes alone do not say is judged before it takes a file's place."""


def test_a_change_costs_two_calls_and_one_more_where_it_is_judged_before(
    signing: Signing, story: Story
) -> None:
    tasks = dict(zip(story.cases, signing.calls(story.marks[1]), strict=False))
    assert {name: len(calls) for name, calls in tasks.items()} == {
        name: (3 if name in JUDGED_BEFORE else 2) if case.changes else 1 for name, case in story.cases.items()
    }


def test_the_result_is_what_lies_on_the_host(signing: Signing, story: Story) -> None:
    for case in story.cases.values():
        result = story.done.of(case.name).result
        for path in case.expected:
            if case.name in ("programs", "packages", "unsigned", "ledger"):
                assert entry(result, path)["sha256_before"] == sha256(signing.written[HOST, path])
                assert entry(result, path)["sha256_after"] == sha256(signing.content(path))
    assert signing.leftovers() == []


def test_the_diff_says_what_was_and_what_is(story: Story) -> None:
    diff = story.done.of("without stamp").result["diff"]
    first, second = rf"{FOLDER}\stamp\a.exe", rf"{FOLDER}\stamp\b.msi"
    assert diff == {
        "before": f"{first}: signed\n{second}: signed\n",
        "after": f"{first}: timestamped\n{second}: timestamped\n",
    }
    assert f"+{first}: timestamped" in story.done.output


# Seen from outside
# -----------------------------------------------------------------------------------------------------------


def test_osslsigncode_verifies_every_signature(signing: Signing, story: Story) -> None:
    for case in story.cases.values():
        for path, (_action, state, count) in case.expected.items():
            if not count:
                continue
            opinion = signing.opinion(path)
            assert opinion.good, (path, opinion.text)
            assert len(opinion.signers) == count, path
            facts = entry(story.done.of(case.name).result, path)
            assert any(opinion.stamped) is (state == "timestamped") is (facts["timestamp"] is not None), path
            assert facts["digest"] in opinion.digests
            if facts["timestamp"]:
                assert facts["timestamp"]["authority"] == TSA_NAME
            if case.options.get("state") not in ("timestamped", "verified") and case.name != "foreign":
                assert "Lab Software" in opinion.signers


def test_options_are_in_the_signature(signing: Signing, story: Story) -> None:
    program = signing.opinion(rf"{FOLDER}\programs\setup64.exe")
    assert (program.descriptions, program.urls) == (("Größtes Programm",), ("http://www.example.com/info",))
    assert signing.opinion(rf"{FOLDER}\digests\384.exe").digests == ("sha384",)
    assert signing.opinion(rf"{FOLDER}\digests\256.exe").digests == ("sha384",)
    wide = signing.opinion(rf"{FOLDER}\digests\512.dll")
    assert (wide.digests, wide.page_hashes, program.page_hashes) == (("sha512",), True, False)
    assert set(signing.opinion(rf"{FOLDER}\append\v.exe").signers) == {"Vendor Inc.", "Lab Software"}
    assert signing.opinion(rf"{FOLDER}\replace\v.msi").signers == ("Lab Software",)
    assert signing.opinion(rf"{FOLDER}\stamp2\v.exe").signers == ("Vendor Inc.",)


def test_nothing_is_left_of_a_signature_that_was_taken_off(signing: Signing, story: Story) -> None:
    assert "No signature found" in signing.opinion(rf"{FOLDER}\unsigned\a.exe").text
    assert "MSI file has no signature" in signing.opinion(rf"{FOLDER}\unsigned\b.msi").text
    assert signing.survived(rf"{FOLDER}\unsigned\c.txt")


# How it was done
# -------------------------------------------------------------------------------------------------------------


def _signing_runs(signing: Signing, story: Story, folder: str) -> list[dict[str, Any]]:
    found = [
        one
        for one in signing.processes(story.marks[1])
        if one["directory"].lower().startswith(rf"{FOLDER}\{folder}\.codesign".lower())
    ]
    return [one for one in found if one["argv"][0] != "verify"]


def test_signtool_works_on_copies_with_ascii_names_in_the_folder(signing: Signing, story: Story) -> None:
    runs = _signing_runs(signing, story, "names")
    names = [word for one in runs for word in one["argv"] if COPY.fullmatch(word)]
    assert len(names) == 7
    assert all(one["command_line"].isascii() and FOLDER not in one["command_line"] for one in runs)


def test_append_is_never_said_for_a_package(signing: Signing, story: Story) -> None:
    runs = {
        one["argv"][-1].rpartition(".")[2]: "/as" in one["argv"]
        for one in _signing_runs(signing, story, "append")
    }
    assert runs == {"exe": True, "msi": False}


def test_a_missing_stamp_is_added_and_nothing_signed_again(signing: Signing, story: Story) -> None:
    assert {one["argv"][0] for one in _signing_runs(signing, story, "stamp")} == {"timestamp"}
    before, after = signing.written[HOST, rf"{FOLDER}\stamp\a.exe"], signing.content(rf"{FOLDER}\stamp\a.exe")
    assert len(after) > len(before)
    assert entry(story.done.of("without stamp").result, rf"{FOLDER}\stamp\a.exe")["state_before"] == "signed"


def test_batches_and_jobs_spread_the_files(signing: Signing, story: Story) -> None:
    runs = [one for one in _signing_runs(signing, story, "many") if one["argv"][0] == "sign"]
    assert sorted(sum(bool(COPY.fullmatch(word)) for word in one["argv"]) for one in runs) == [1, 2, 2, 2]
    (first, *_others) = [
        step for step in under_journal(signing_steps(signing, story, "many")) if step["op"] == "together"
    ]
    assert first["jobs"] == 3


def signing_steps(signing: Signing, story: Story, name: str) -> list[dict[str, Any]]:
    """The steps of the call that signs."""
    return signing.calls(story.marks[1])[list(story.cases).index(name)][1]


def test_only_the_process_that_signs_gets_the_password(signing: Signing, story: Story) -> None:
    password = signing.fleet.password
    with_password = [
        one
        for one in signing.processes(story.marks[0])
        if any(password in value for value in one["environment"].values())
    ]
    assert with_password
    assert {one["argv"][0] for one in with_password} == {"sign"}
    both = {name for one in with_password for name, value in one["environment"].items() if password in value}
    assert both == {"CLOUDHSM_PIN", "n3fips_password"}


def test_a_file_that_was_changed_after_signing_is_named(story: Story) -> None:
    result = story.done.of("tampered").result
    assert entry(result, rf"{FOLDER}\tampered\a.exe")["state_before"] == "changed_after_signing"
    assert result["warnings"] == [
        rf"{FOLDER}\tampered\a.exe: the file was changed after it was signed: the signature is replaced"
    ]


def test_the_ledger_has_one_line_for_each_signature(signing: Signing, story: Story) -> None:
    content = signing.content(LEDGER)
    assert content.startswith(TORN + b"\n")
    lines = [json.loads(line) for line in content[len(TORN) + 1 :].splitlines()]
    result = story.done.of("ledger").result
    assert [line["file"] for line in lines] == [rf"{FOLDER}\ledger\one.exe", rf"{FOLDER}\ledger\two.exe"]
    for line in lines:
        facts = entry(result, line["file"])
        keys = ("sha256_before", "sha256_after", "digest", "signatures")
        assert {key: line[key] for key in keys} == {key: facts[key] for key in keys}
        stamp = facts["timestamp"]
        assert line["timestamp"] == (stamp and {**stamp, "time": f"{stamp['time']}Z"})
        assert (line["host"], line["certificate"]) == (HOST, signing.thumbprint())
        assert line["account"].endswith("\\Administrator")
        assert line["time"].endswith("Z")


# Other hosts
# -----------------------------------------------------------------------------------------------------------------


def test_hosts_of_every_language_and_sdk_sign_alike(signing: Signing) -> None:
    hosts, names = ("de5", "zh5", "en3", "fr3"), ("größe.exe", "签名.dll")
    for host in hosts:
        for name in names:
            signing.put(rf"hosts\{name}", signing.files["setup64.exe"], host)
    mark = signing.fleet.lab.last()
    options: Mapping[str, Any] = {"thumbprint": None, "subject": "lab SOFTWARE", "issuer": "Code Signing CA"}
    sign = signing.task("sign", [rf"{FOLDER}\hosts\*"], **options)
    run = signing.run(
        sign,
        {**sign, "name": "again"},
        signing.task("verify", [rf"{FOLDER}\hosts\*"], state="verified"),
        host=":".join(hosts),
    )
    assert not run.failed(), [(one.host, one.task, one.msg) for one in run.failed()]
    assert {(one.host, one.task) for one in run.changed()} == {(host, "sign") for host in hosts}
    for host in hosts:
        assert [len(calls) for calls in signing.calls(mark, host)] == [2, 1, 1]
        for name in names:
            assert (
                entry(run.of("sign", host).result, rf"{FOLDER}\hosts\{name}")["signer"]
                == signing.thumbprint()
            )
            opinion = signing.opinion(rf"{FOLDER}\hosts\{name}", host)
            assert (opinion.good, opinion.signers, opinion.stamped) == (True, ("Lab Software",), (True,)), (
                opinion.text
            )
        assert signing.leftovers(host) == []


def test_a_chain_that_the_host_does_not_trust_is_reported_and_never_signed_again(signing: Signing) -> None:
    path = signing.put(r"trust\a.exe", signing.files["setup64.exe"], "zh5")
    signing.fleet.lab.write("zh5", rf"{FOLDER}\root.pem", signing.fleet.certificate("root").encode("ascii"))
    root = {"path": rf"{FOLDER}\root.pem", "store_name": "Root", "store_location": "LocalMachine"}
    run = signing.run(
        {"name": "distrust", "ansible.windows.win_certificate_store": {**root, "state": "absent"}},
        signing.task("sign", [path]),
        signing.task("again", [path]),
        signing.task("verify", [path], state="verified"),
        {"name": "trust", "ansible.windows.win_certificate_store": {**root, "state": "present"}},
        signing.task("trusted", [path], state="verified"),
        host="zh5",
    )
    assert [one.task for one in run.failed()] == ["verify"]
    assert [one.task for one in run.changed()] == ["distrust", "sign", "trust"]
    for name, facts in (("sign", run.of("sign").result), ("again", run.of("again").result)):
        assert entry(facts, path)["trusted"] is False, name
        (warning,) = facts["warnings"]
        assert "the chain cannot be built up to a root that this host trusts" in warning
        assert "LocalMachine\\Root" in warning
    assert run.of("verify").result["link"] == "certificate"
    assert len(signing.opinion(path, "zh5").signers) == 1


def test_the_password_is_nowhere(signing: Signing) -> None:
    path = signing.put(r"secret\a.exe", signing.files["setup64.exe"])
    wrong = signing.put(r"secret\b.exe", signing.files["setup64.exe"])
    login = {
        "crypto_user": "{{ codesign_crypto_user }}",
        "crypto_password": "wrong-{{ codesign_crypto_password }}",
    }
    run = signing.run(signing.task("sign", [path]), signing.task("wrong", [wrong], **login), extra=["-vvvv"])
    assert [one.task for one in run.failed()] == ["wrong"]
    assert signing.survived(wrong)
    assert signing.fleet.password not in run.output
    assert signing.fleet.password not in json.dumps([one.result for one in run.results])
    assert signing.fleet.lab.leaks(signing.fleet.password) == {"record": [], "files": [], "registry": []}
