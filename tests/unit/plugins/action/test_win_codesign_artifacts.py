# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_artifacts on a host that answers as run_steps.ps1 does: what travels, what is signed, what comes back, and
what is left where something breaks.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_artifacts import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import course, owner
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from support.broken_connection import raise_in_plugin
from support.fake_host import Raw, run_action

pytest.register_assert_rewrite("fake_signtool", "test_win_signtool")
sys.path.insert(0, str(Path(__file__).parent))

from fake_signtool import SignToolHost, signed, split  # noqa: E402 - after the line above
from test_win_signtool import (  # noqa: E402
    CERTIFICATE,
    CONTAINER,
    OTHER,
    OWN,
    URL,
    put_certificate,
)

TEMP = "c:\\windows\\temp\\"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a run of its own."""
    from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host

    monkeypatch.setattr(host, "GATE", Gate())
    monkeypatch.setattr(
        "ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.following.time.sleep",
        lambda seconds: None,
    )


@pytest.fixture
def host() -> SignToolHost:
    made = SignToolHost(files={CONTAINER: b"reference"})
    put_certificate(made, CERTIFICATE)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("app.exe", "tool.exe", "setup.msi"):
        (tmp_path / name).write_bytes(f"bytes of {name}".encode())
        (tmp_path / name).chmod(0o750)
    return tmp_path


def run(host: Any, *paths: Path | dict[str, Any], check_mode: bool = False, **options: Any) -> Raw:
    artifacts = [one if isinstance(one, dict) else {"path": str(one)} for one in paths]
    return run_action(
        ActionModule,
        {"artifacts": artifacts, "thumbprint": OWN, **options},
        host,
        check_mode=check_mode,
    )


def outcomes(result: Raw) -> dict[str, str]:
    return {os.path.basename(one["path"]): one["outcome"] for one in result["artifacts"]}


def on_host(host: SignToolHost) -> list[str]:
    """What of ours lies on the host."""
    return sorted({*(name for name in host.files if name.lower().startswith(TEMP)), *host.folders})


def test_files_are_signed_in_their_place_by_four_calls(host: SignToolHost, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run(host, *sorted(folder.iterdir()), timestamp_urls=[URL])
    assert not result.get("failed"), result
    assert (result["changed"], result["signed"], result["open"]) == (True, 3, 0)
    for path in folder.iterdir():
        body, signatures = split(path.read_bytes())
        assert body == before[path.name]
        assert [(one["signer"], one["stamped"]) for one in signatures] == [(OWN, True)]
        assert path.stat().st_mode & 0o777 == 0o750
    for one in result["artifacts"]:
        name = os.path.basename(one["path"])
        assert (one["sha256_before"], one["sha256_after"]) == (
            digest(before[name]),
            digest((folder / name).read_bytes()),
        )
        assert (one["checked_by"], one["placed"]) == (["sha256"], [one["path"]])
        assert one["timestamp"] == {
            "time": "2026-11-24T06:20:41Z",
            "authority": one["timestamp"]["authority"],
        }
    # One of them looks for SignTool where the Windows SDK puts it.
    assert len(host.calls) == 4
    assert on_host(host) == []
    assert len(list(folder.iterdir())) == 3


def test_the_hosts_local_time_becomes_utc(host: SignToolHost, folder: Path) -> None:
    host.utc_offset = 330
    result = run(host, folder / "app.exe", timestamp_urls=[URL])
    assert result["artifacts"][0]["timestamp"]["time"] == "2026-11-24T00:50:41Z"


def test_a_second_run_signs_nothing(host: SignToolHost, folder: Path) -> None:
    run(host, folder / "app.exe")
    host.calls.clear()
    result = run(host, folder / "app.exe")
    assert (result["changed"], outcomes(result)) == (False, {"app.exe": "unchanged"})
    assert not any("sign " in arguments for _program, arguments in host.runs())
    assert len(host.calls) == 2
    assert on_host(host) == []


def test_check_mode_predicts_and_leaves_nothing(host: SignToolHost, folder: Path) -> None:
    (folder / "tool.exe").write_bytes(signed(b"tool", OWN))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run(host, folder / "app.exe", folder / "tool.exe", check_mode=True)
    assert (result["changed"], outcomes(result)) == (True, {"app.exe": "signed", "tool.exe": "unchanged"})
    assert result["artifacts"][0]["sha256_after"] is None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert on_host(host) == []


def test_a_signed_file_goes_elsewhere_and_one_that_needs_none_too(host: SignToolHost, folder: Path) -> None:
    (folder / "vendor.dll").write_bytes(signed(b"vendor", OTHER))
    out = folder / "out"
    given = [
        {"path": str(folder / name), "places": [{"path": str(out / place)} for place in places]}
        for name, places in (("app.exe", ["a/app.exe", "b/app.exe"]), ("vendor.dll", ["vendor.dll"]))
    ]
    result = run(host, *given)
    assert outcomes(result) == {"app.exe": "signed", "vendor.dll": "left"}
    assert result["changed"]
    assert (folder / "app.exe").read_bytes() == b"bytes of app.exe"
    assert (out / "a" / "app.exe").read_bytes() == (out / "b" / "app.exe").read_bytes() != b"bytes of app.exe"
    assert (out / "vendor.dll").read_bytes() == (folder / "vendor.dll").read_bytes()
    assert sum("sign " in arguments for _program, arguments in host.runs()) == 1


@pytest.mark.parametrize(
    ("content", "options", "named", "outcome"),
    [
        (signed(b"vendor", OTHER), {}, True, "left"),
        (signed(b"vendor", OTHER), {"foreign": "replace"}, True, "signed"),
        (signed(b"vendor", OTHER), {"foreign": "fail"}, True, "failed"),
        (b"", {}, False, "failed"),
        (b"", {"unsignable": "skip"}, False, "left"),
        (b"", {"unsignable": "skip"}, True, "failed"),
    ],
)
def test_files_that_are_not_just_unsigned(
    host: SignToolHost, folder: Path, content: bytes, options: dict[str, Any], named: bool, outcome: str
) -> None:
    (folder / "tool.exe").write_bytes(content)
    result = run(host, folder / "app.exe", {"path": str(folder / "tool.exe"), "named": named}, **options)
    assert outcomes(result) == {"app.exe": "signed", "tool.exe": outcome}
    assert result["failed_files"] == int(outcome == "failed")
    if outcome == "failed":
        assert result["failed"]
        assert str(folder / "tool.exe") in result["msg"]
        assert "Temp" not in result["msg"]
        assert (folder / "tool.exe").read_bytes() == content


# The control node meanwhile
# --------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_the_planned_one_is_not_signed(host: SignToolHost, folder: Path) -> None:
    result = run(host, folder / "app.exe", {"path": str(folder / "tool.exe"), "sha256": digest(b"other")})
    assert outcomes(result) == {"app.exe": "signed", "tool.exe": "changed meanwhile"}
    assert (folder / "tool.exe").read_bytes() == b"bytes of tool.exe"


def test_a_file_that_changes_while_it_is_signed_is_not_overwritten(host: SignToolHost, folder: Path) -> None:
    def change(step: Raw) -> None:
        if step["op"] == "get_part":
            (folder / "app.exe").write_bytes(b"built anew")

    host.before_step = change
    result = run(host, folder / "app.exe", folder / "tool.exe")
    assert outcomes(result) == {"app.exe": "changed meanwhile", "tool.exe": "signed"}
    assert (folder / "app.exe").read_bytes() == b"built anew"
    assert "was not overwritten" in result["msg"]
    assert sorted(path.name for path in folder.iterdir()) == ["app.exe", "setup.msi", "tool.exe"]


def test_what_comes_back_has_to_be_what_was_verified(host: SignToolHost, folder: Path) -> None:
    def spoil(step: Raw) -> None:
        if step["op"] == "get_part":
            host.files[step["path"]] = b"something else"

    host.before_step = spoil
    result = run(host, folder / "app.exe")
    assert outcomes(result) == {"app.exe": "failed"}
    assert "is not what the host verified" in result["msg"]
    assert (folder / "app.exe").read_bytes() == b"bytes of app.exe"


def test_a_program_is_read_on_the_control_node(host: SignToolHost, folder: Path) -> None:
    (folder / "app.exe").write_bytes(b"MZ app")
    result = run(host, folder / "app.exe")
    assert outcomes(result) == {"app.exe": "failed"}
    assert "came back from  and was not put in place: it ends too early" in result["msg"]
    assert (folder / "app.exe").read_bytes() == b"MZ app"


def test_the_record_is_written_before_a_file_takes_its_place(
    host: SignToolHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = folder / ".record"

    def crash(source: str, target: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        run(host, folder / "app.exe", record=str(record), wanted={"thumbprint": OWN})
    assert (folder / "app.exe").read_bytes() == b"bytes of app.exe"
    (line,) = [json.loads(text) for text in record.read_text(encoding="ascii").splitlines()]
    assert line["wanted"] == {"thumbprint": OWN}
    assert line["file"]["path"] == "app.exe"
    assert line["file"]["sha256_before"] == digest(b"bytes of app.exe")


def test_a_file_that_cannot_be_put_in_place_takes_no_other_with_it(host: SignToolHost, folder: Path) -> None:
    (folder / "vendor.dll").write_bytes(signed(b"vendor", OTHER))
    nowhere = {"path": str(folder / "vendor.dll"), "places": [{"path": str(folder / "setup.msi" / "x.dll")}]}
    result = run(host, folder / "app.exe", nowhere)
    assert outcomes(result) == {"app.exe": "signed", "vendor.dll": "failed"}
    assert "vendor.dll could not be put in place on the control node" in result["msg"]
    assert on_host(host) == []


def test_nothing_is_left_beside_a_place_that_takes_no_file(
    host: SignToolHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    other = {
        "path": str(folder / "tool.exe"),
        "places": [{"path": str(folder / name)} for name in ("a", "b")],
    }
    result = run(host, folder / "app.exe", other)
    assert outcomes(result) == {"app.exe": "failed", "tool.exe": "failed"}
    assert [one["key_used"] for one in result["artifacts"]] == [True, True]
    assert sorted(path.name for path in folder.iterdir()) == ["app.exe", "setup.msi", "tool.exe"]


# The host
# --------------------------------------------------------------------------------------------------------------


class Dying:
    """A host that dies at its call number ``at``; ``after``: the call is done there before."""

    def __init__(
        self, host: SignToolHost, at: int, after: bool, error: type[Exception] = AnsibleConnectionFailure
    ) -> None:
        self.host, self.at, self.after, self.error = host, at, after, error
        self.count = 0

    def __call__(self, **arguments: Any) -> Raw:
        self.count += 1
        answer = (
            self.host(**arguments) if self.count < self.at or self.after and self.count == self.at else {}
        )
        if self.count >= self.at:
            raise_in_plugin(self.error("the other side is gone"))
        return answer


@pytest.mark.parametrize("error", [AnsibleConnectionFailure, ConnectionResetError])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("at", "used"), [(1, False), (2, True), (3, True), (4, True)])
def test_a_host_that_dies_leaves_the_originals(
    host: SignToolHost, folder: Path, at: int, used: bool, after: bool, error: type[Exception]
) -> None:
    result = run(Dying(host, at, after, error), folder / "app.exe", folder / "tool.exe")
    assert (result["failed"], result["link"], result["changed"]) == (True, "host", False)
    assert result["msg"].startswith("The connection to the host broke: the other side is gone.")
    assert [(one["outcome"], one["key_used"]) for one in result["artifacts"]] == [("open", used)] * 2
    for name in ("app.exe", "tool.exe"):
        assert (folder / name).read_bytes() == f"bytes of {name}".encode()
    assert sorted(path.name for path in folder.iterdir()) == ["app.exe", "setup.msi", "tool.exe"]


def test_what_a_dead_host_brought_back_before_stays(
    host: SignToolHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(step: Raw) -> None:
        if step["op"] == "get_part" and step["path"].endswith("a0002.exe"):
            raise AnsibleConnectionFailure("the other side is gone")

    monkeypatch.setattr(course, "CALL", 1)
    host.before_step = die
    result = run(host, folder / "app.exe", folder / "tool.exe")
    assert outcomes(result) == {"app.exe": "signed", "tool.exe": "open"}
    assert (result["changed"], result["open"]) == (True, 1)
    assert split((folder / "app.exe").read_bytes())[1]


@pytest.mark.parametrize(
    ("spoil", "link", "words"),
    [
        (lambda host: setattr(host, "program", ""), "signtool", "SignTool"),
        (lambda host: host.registry.clear(), "certificate", "certificate"),
        (lambda host: host.key_fails_at.add(b"bytes of app.exe"), "key", "app.exe"),
        (
            lambda host: setattr(
                host, "selection_error", "No certificates were found that met all the given criteria."
            ),
            "certificate",
            "",
        ),
    ],
)
def test_a_host_that_cannot_sign_leaves_its_files_to_others(
    host: SignToolHost, folder: Path, spoil: Callable[[SignToolHost], None], link: str, words: str
) -> None:
    spoil(host)
    result = run(host, folder / "app.exe")
    assert result["failed"], result
    assert outcomes(result) == {"app.exe": "open"}
    assert result["artifacts"][0]["key_used"] is False
    assert words in result["msg"]
    assert "files" not in result
    assert on_host(host) == []


def test_a_wrong_clock_is_named(host: SignToolHost, folder: Path) -> None:
    host.selection_error = "No certificates were found that met all the given criteria."
    host.time = 1_000_000_000
    result = run(host, folder / "app.exe")
    assert "The clock of this host is " in result["msg"]
    assert " behind the control node's: set it right." in result["msg"]


@pytest.mark.parametrize(
    ("op", "words"),
    [("scratch", "could not be made on the host"), ("put_part", "could not be written on the host")],
)
def test_a_host_without_room(host: SignToolHost, folder: Path, op: str, words: str) -> None:
    host.overrides[op] = lambda step: {"error": "There is not enough space on the disk.", "error_code": 112}
    result = run(host, folder / "app.exe")
    assert (result["link"], outcomes(result)) == ("host", {"app.exe": "open"})
    assert words in result["msg"]
    assert "enough space" in result["msg"]


def test_large_files_travel_in_parts(
    host: SignToolHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "PART", 1000)
    monkeypatch.setattr(course, "CALL", 2500)
    content = os.urandom(9_500)
    (folder / "app.exe").write_bytes(content)
    result = run(host, folder / "app.exe", folder / "tool.exe")
    assert outcomes(result) == {"app.exe": "signed", "tool.exe": "signed"}
    assert split((folder / "app.exe").read_bytes())[0] == content
    sizes = [sum(len(step.get("base64", "")) for step in call) for call in host.calls]
    assert max(sizes) < 2500 * 4 / 3 + 500
    assert sum(step["op"] == "put_part" for call in host.calls for step in call) == 11


def test_the_first_error_is_the_one_that_counts(host: SignToolHost, folder: Path) -> None:
    def die(step: Raw) -> None:
        if step["op"] == "remove_scratch":
            raise AnsibleConnectionFailure("the other side is gone")

    host.overrides["scratch"] = lambda step: {
        "error": "There is not enough space on the disk.",
        "error_code": 112,
    }
    host.before_step = die
    result = run(host, folder / "app.exe")
    assert (result["failed"], result["link"]) == (True, "host")
    assert "could not be made on the host" in result["msg"]
    assert any(
        "could not be removed on the host: the other side is gone." in text for text in result["warnings"]
    )


def test_what_something_on_the_host_wrote_is_for_another_host(host: SignToolHost, folder: Path) -> None:
    """Nobody but us has the file there: a virus scanner, for example."""

    def scanned(step: Raw) -> None:
        if step["op"] == "move" and step["target"].endswith("a0001.exe"):
            host.files[step["target"]] = b"quarantined"

    host.before_step = scanned
    result = run(host, folder / "app.exe")
    assert [(one["outcome"], one["key_used"]) for one in result["artifacts"]] == [("open", True)]
    assert (folder / "app.exe").read_bytes() == b"bytes of app.exe"


def test_what_runs_have_left_is_removed_where_it_is_ours(host: SignToolHost, folder: Path) -> None:
    code = "from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import owner; print(owner.mark())"
    marks = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _number in range(2)
    ]
    ended, planted, running, old = *marks, owner.mark(), "0badcafe-12-0123456789abcdef"
    names = {name: f"codesign-{name}" for name in (ended, planted, running, old)}
    host.folders |= {TEMP + name for name in (*names.values(), "codesign-setup", "other")}
    host.owners[names[planted]] = "O:S-1-5-21-1-2-3-1001G:BUD:(A;;FA;;;BU)"
    host.ages[names[old]] = owner.STALE + 1
    run(host, folder / "app.exe")
    left = {name.removeprefix(TEMP) for name in host.folders}
    assert left == {names[planted], names[running], "codesign-setup", "other"}


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        ([], "The list artifacts is empty"),
        ([{"path": "/none/x.exe"}], "/none/x.exe cannot be read on the control node"),
        ([{"path": "{folder}/app.exe", "id": "..\\x.exe"}], "is no plain name"),
        ([{"path": "{folder}/app.exe", "id": "a.exe"}] * 2, "Two artifacts have the id a.exe"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    host: SignToolHost, folder: Path, artifacts: list[dict[str, Any]], words: str
) -> None:
    given = [{**one, "path": one["path"].format(folder=folder)} for one in artifacts]
    result = run(host, *given)
    assert result["failed"]
    assert words in result["msg"]
    assert host.calls == []


def test_sentences_speak_of_the_files_of_the_control_node(host: SignToolHost, folder: Path) -> None:
    host.key_fails_at.add(b"bytes of app.exe")
    (folder / "vendor.dll").write_bytes(signed(b"vendor", OTHER))
    result = run(host, *sorted(folder.iterdir()))
    texts = [
        result["msg"],
        *result["warnings"],
        *(one["error"]["msg"] for one in result["artifacts"] if one["error"]),
    ]
    assert not [text for text in texts if "Temp" in text], texts
    assert any(str(folder / "vendor.dll") in text for text in result["warnings"])
