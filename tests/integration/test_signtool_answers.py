# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool through the lab where the host, another process or SignTool itself answers something else than
usual: the truth, once.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator

import pytest

from support.signable import missing_tools

from .signing import FOLDER, HOST, Signing, entry

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")


@pytest.fixture(autouse=True)
def no_faults(signing: Signing) -> Iterator[None]:
    yield
    signing.fleet.lab.clear()


# Files that are not as they should be
# -------------------------------------------------------------------------------------------------------------


def with_table(program: bytes, offset: int, size: int) -> bytes:
    """The program, whose entry for a signature says so."""
    head = struct.unpack_from("<I", program, 60)[0]
    optional = head + 24
    wide = struct.unpack_from("<H", program, optional)[0] == 0x20B
    made = bytearray(program)
    struct.pack_into("<II", made, optional + (144 if wide else 128), offset, size)
    return bytes(made)


def test_files_that_cannot_be_signed_say_why_and_stay(signing: Signing) -> None:
    program = signing.files["setup64.exe"]
    contents = {
        "beyond.exe": with_table(program, len(program) + 4096, 512),
        "behind.exe": signing.vendor.sign(program) + b"payload of an installer",
        "cut.exe": signing.vendor.sign(program)[:-100],
        "two.ps1": b"a\n",
        "one.psm1": b"a",
        "mark.ps1": b"\xef\xbb\xbf",
    }
    paths = {name: signing.put(rf"odd\{name}", content) for name, content in contents.items()}
    good = signing.put(r"odd\good.exe", program)
    result = signing.result(files=[*paths.values(), good], timestamp_urls=[])
    words = {
        "exe": "certificate table",
        "ps1": "format is not recognized",
        "psm1": "format is not recognized",
    }
    for name, path in paths.items():
        one = entry(result, path)
        assert (one["outcome"], one["error"]["link"]) == ("failed", "file"), one
        assert words[name.partition(".")[2]] in one["error"]["msg"]
        assert signing.survived(path)
    assert entry(result, good)["outcome"] == "changed"
    passed = signing.result(files=[rf"{FOLDER}\odd\*.ps1"], timestamp_urls=[], unsignable="skip")
    assert [one["outcome"] for one in passed["files"]] == ["left", "left"]
    off = signing.result(files=list(paths.values()), state="unsigned", timestamp_urls=[])
    outcomes = {name: entry(off, path)["outcome"] for name, path in paths.items()}
    assert outcomes == {**dict.fromkeys(paths, "unchanged"), "behind.exe": "failed"}
    assert "certificate table" in off["msg"]
    assert all(signing.survived(path) for path in paths.values())
    assert signing.leftovers() == []


def test_drives_and_shares(signing: Signing) -> None:
    """Another drive is as good as C:, its root too; what is mapped or shared is explained."""
    lab, program = signing.fleet.lab, signing.files["setup64.exe"]
    there = [r"D:\root.exe", r"D:\Build\a.exe", r"D:\Build\b.exe"]
    for path in there:
        lab.write(HOST, path, program)
    shared = [r"X:\build\a.exe", r"\\server\share\a.exe"]
    ledger = r"D:\Build\signed.jsonl"
    result = signing.result(
        files=["d:\\*.exe", r"D:\BUILD\*.exe", *shared], ledger_path=ledger, timestamp_urls=[]
    )
    assert (result["signed"], result["failed_files"]) == (3, 2)
    for path, words in zip(shared, ("a mapped drive", "cannot use shares"), strict=True):
        assert words in entry(result, path)["error"]["msg"]
    assert all(signing.opinion(path).good for path in there)
    assert (lab.read(HOST, ledger) or b"").count(b"\n") == 3
    for folder in ("D:\\", r"D:\Build"):
        assert ".codesign" not in lab.ask("list", host=HOST, path=folder)["folders"]
    mark = lab.last()
    assert not signing.result(files=there, timestamp_urls=[])["changed"]
    assert [len(calls) for calls in signing.calls(mark)] == [1]


# What this host does not accept
# ---------------------------------------------------------------------------------------------------


def test_a_stamp_whose_authority_the_host_does_not_know_is_made_once(signing: Signing) -> None:
    paths = [signing.put(rf"authority\{name}.exe", signing.files["setup64.exe"]) for name in ("a", "b")]
    lab = signing.fleet.lab
    lab.fault(HOST, "authority_unknown")
    before = int(lab.status()["tsa_requests"])
    first = signing.result(files=paths)
    assert not first.get("failed"), first
    for path in paths:
        one = entry(first, path)
        assert (one["outcome"], one["state_after"], one["trusted"], one["error"]) == (
            "changed",
            "timestamped",
            False,
            None,
        )
        assert (one["not_accepted"]["link"], one["timestamp"]) == (
            "timestamp",
            {"time": None, "authority": None},
        )
    (warning,) = first["warnings"]
    assert "Put the root certificate of the timestamp authority into LocalMachine\\Root." in warning
    signed, mark = [signing.content(path) for path in paths], lab.last()
    again = signing.result(files=paths)
    assert (again["changed"], again["warnings"], [len(calls) for calls in signing.calls(mark)]) == (
        False,
        [warning],
        [1],
    )
    refused = signing.result(files=paths, state="verified")
    assert (refused["link"], refused["failed_files"]) == ("timestamp", 2)
    lab.clear()
    good = signing.result(files=paths, state="verified")
    assert [one["trusted"] for one in good["files"]] == [True, True]
    assert [signing.content(path) for path in paths] == signed
    assert int(lab.status()["tsa_requests"]) - before == 2
    assert signing.opinion(paths[0]).stamped == (True,)


@pytest.mark.parametrize("code", ["0x800b0112", "0x800b0114", "0x80092010", "0x800b0004"])
def test_a_signature_that_the_host_does_not_accept_is_made_once(signing: Signing, code: str) -> None:
    path = signing.put(rf"code\{code}.exe", signing.files["setup64.exe"])
    signing.fleet.lab.fault(HOST, f"verify_code:{code}")
    first = signing.result(files=[path])
    one = entry(first, path)
    assert (first.get("failed", False), one["outcome"], one["trusted"]) == (False, "changed", False)
    assert (one["not_accepted"]["link"], one["not_accepted"]["code"]) == ("certificate", code)
    signed = signing.content(path)
    assert not signing.result(files=[path])["changed"]
    assert signing.content(path) == signed


def test_a_digest_that_does_not_match_is_a_verdict_without_a_chain(signing: Signing) -> None:
    path = signing.put(r"chainless\a.exe", signing.vendor.sign(signing.files["setup64.exe"]))
    signing.fleet.lab.fault(HOST, "verify_code:0x80096010:chainless")
    result = signing.result(files=[path], state="verified", thumbprint=None)
    assert entry(result, path)["state_before"] == "changed_after_signing"
    assert "0x80096010" in result["msg"]
    assert entry(signing.result("--check", files=[path]), path)["action"] == "sign"
    assert entry(signing.result("--check", files=[path], state="unsigned"), path)["action"] == "remove"


def test_a_stamp_that_cannot_be_made_blames_the_authority(signing: Signing) -> None:
    path = signing.put(r"stamps\a.exe", signing.files["setup64.exe"])
    lab = signing.fleet.lab
    assert not signing.result(files=[path], timestamp_urls=[]).get("failed")
    lab.fault(HOST, "stamp_error:0x80090006")
    result = signing.result(files=[path], timestamp_attempts=1)
    assert (result["link"], entry(result, path)["error"]["code"]) == ("timestamp", "0x80090006")
    lab.clear()
    other = signing.put(r"stamps\b.exe", signing.files["setup64.exe"])
    lab.fault(HOST, "stamp_error:0x80096005", 1)
    result = signing.result(
        files=[path, other], timestamp_urls=[signing.url, signing.url], timestamp_attempts=1
    )
    assert not result.get("failed"), result
    assert [signing.opinion(one).stamped for one in (path, other)] == [(True,), (True,)]


# One file, one signature
# ----------------------------------------------------------------------------------------------------------


def test_one_file_under_several_spellings_is_signed_once(signing: Signing) -> None:
    path = signing.put(r"spelt\a.exe", signing.files["setup64.exe"])
    ledger = signing.put(r"spelt\ledger.jsonl", b"")
    folder = rf"{FOLDER}\spelt"
    spellings = [
        path,
        rf"{folder}\.\a.exe",
        rf"{FOLDER}\x\..\spelt\A.EXE",
        path.replace("\\", "\\\\"),
        path.replace("\\", "/"),
        rf"{folder}\..\spelt\*.exe",
    ]
    result = signing.result(files=spellings, ledger_path=ledger)
    assert [one["path"] for one in result["files"]] == [path]
    (line,) = signing.content(ledger).splitlines()
    assert json.loads(line)["sha256_after"] == hashlib.sha256(signing.content(path)).hexdigest()
    assert len(signing.opinion(path).signers) == 1
    assert not signing.result(files=spellings, ledger_path=ledger)["changed"]


@pytest.mark.parametrize(
    "name", ["signtool sign.exe", "File is not timestamped..exe", "signtool verify größe.exe"]
)
def test_a_file_named_like_a_text_of_signtool_is_signed(signing: Signing, name: str) -> None:
    path = signing.put(rf"texts\{name}", signing.files["setup64.exe"])
    assert signing.result(files=[path])["signed"] == 1
    again = signing.result(files=[path])
    assert (again["changed"], entry(again, path)["state_before"]) == (False, "timestamped")


# What another process holds
# -------------------------------------------------------------------------------------------------------


def test_a_ledger_that_is_held_open_is_found_before_anything_is_signed(signing: Signing) -> None:
    paths = [signing.put(rf"held\{name}.exe", signing.files["setup64.exe"]) for name in ("a", "b")]
    ledger = signing.put(r"held\ledger.jsonl", b'{"earlier": 1}\n')
    lab = signing.fleet.lab
    lab.fault(HOST, f"file_open:{ledger}")
    mark = lab.last()
    result = signing.result(files=paths, ledger_path=ledger)
    assert (result["link"], result["failed_files"], result["signed"]) == ("ledger", 2, 0)
    assert "another process holds it open" in result["msg"]
    assert [one for one in signing.processes(mark) if one["argv"][0] == "sign"] == []
    assert all(signing.survived(path) for path in (*paths, ledger))
    assert signing.leftovers() == []
    lab.clear()
    assert signing.result(files=paths, ledger_path=ledger)["signed"] == 2
    assert signing.content(ledger).count(b"\n") == 3


def test_a_file_that_is_held_for_a_moment_is_signed_once(signing: Signing) -> None:
    """Held at one to three accesses, at the look, when it is copied, and when it is replaced."""
    lab = signing.fleet.lab
    for count in (1, 2, 3):
        paths = [
            signing.put(rf"moment\{count}\{name}.exe", signing.files["setup64.exe"]) for name in ("a", "b")
        ]
        mark = lab.last()
        lab.fault(HOST, f"file_locked:{paths[0]}", count)
        lab.fault(HOST, f"file_open:{paths[1]}", count)
        result = signing.result(files=[rf"{FOLDER}\moment\{count}\*"])
        assert [one["outcome"] for one in result["files"]] == ["changed", "changed"], result.get("msg")
        assert sum(one["argv"][0] == "sign" for one in signing.processes(mark)) in (1, 2)
        assert signing.leftovers() == []


@pytest.mark.parametrize("code", ["1175", "1176", "1177", "1176:lost"])
def test_a_replacement_that_windows_ends_half_way_loses_nothing(signing: Signing, code: str) -> None:
    paths = [
        signing.put(rf"half\{code.replace(':', '-')}\{name}.exe", signing.files["setup64.exe"])
        for name in ("a", "b")
    ]
    lab = signing.fleet.lab
    lab.fault(HOST, f"replace_error:{code}", 1)
    result = signing.result(files=paths)
    outcomes = [one["outcome"] for one in result["files"]]
    # 1175 passes, and of what is lost the signed copy is kept: both are signed.
    assert outcomes == (["changed", "changed"] if code in ("1175", "1176:lost") else ["failed", "changed"])
    assert signing.content(paths[0]) == signing.files["setup64.exe"] or outcomes[0] == "changed"
    mark = lab.last()
    again = signing.result(files=paths)
    assert not again.get("failed"), again["msg"]
    assert not [one for one in signing.processes(mark) if one["argv"][0] == "sign"], "it was signed already"
    for path in paths:
        assert signing.opinion(path).good
    assert signing.leftovers() == []


def test_a_full_disk_and_a_backup_that_stays_are_told(signing: Signing) -> None:
    path = signing.put(r"full\a.exe", signing.files["setup64.exe"])
    lab = signing.fleet.lab
    lab.fault(HOST, rf"disk_full:{FOLDER}\full\.codesign", 1)
    result = signing.result(files=[path])
    assert "the disk is full" in result["msg"]
    assert signing.survived(path)
    lab.clear()
    assert signing.result(files=[path])["signed"] == 1
    assert signing.leftovers() == []
