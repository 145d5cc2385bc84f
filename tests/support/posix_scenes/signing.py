# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of win_signtool, which signs with the certificate of the user's own store. SignTool lies under a POSIX path."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from support.posix_scenes.machine import BUILD, FRAGMENT, LOGIN, PASSWORD, USER, Machine, certificate
from support.posix_scenes.stage import Playing, Task


def sign(machine: Machine, thumbprint: str, *names: str, **arguments: Any) -> dict[str, Any]:
    """Arguments of win_signtool."""
    files = [f"{BUILD}\\{name}" for name in names]
    return {
        "files": files,
        "thumbprint": thumbprint,
        "store_location": "CurrentUser",
        "signtool_path": machine.signtool,
        **arguments,
    }


def prepared(machine: Machine) -> str:
    machine.install_signtool()
    return machine.store(certificate(), "container")


def files_are_signed_with_the_login_and_without_a_trace_of_it(machine: Machine) -> Playing:
    """The first timestamp authority does not answer."""
    thumbprint = prepared(machine)
    names = ("a.exe", "two words & more (1) 100%.exe", "Prüfung 签名.exe")
    for name in (*names, "c.dll"):
        machine.put(name, b"program " + name.encode())
    login: dict[str, Any] = {
        "crypto_user": USER,
        "crypto_password": PASSWORD,
        "client_sdk": "5",
        "description": 'says "hi" \\',
        "timestamp_urls": ["http://dead.example/", "http://alive.example/"],
        "timestamp_delay": 0,
    }
    predicted, unsigned = yield [
        Task("win_signtool", sign(machine, thumbprint, "*.exe", **login), check=True),
        Task(
            "win_signtool",
            {"state": "verified", "signtool_path": machine.signtool, "files": [f"{BUILD}\\a.exe"]},
        ),
    ]
    assert predicted.changed
    assert [one["argv"][0] for one in predicted.runs] == ["verify"] * 3
    assert unsigned.failed
    assert [(one["path"], one["state_before"], one["outcome"]) for one in unsigned.result["files"]] == [
        (f"{BUILD}\\a.exe", "unsigned", "failed")
    ]
    assert all(machine.file(name).read_bytes() == b"program " + name.encode() for name in names)

    signed, again = yield [
        Task("win_signtool", sign(machine, thumbprint, "*.exe", **login)),
        Task("win_signtool", sign(machine, thumbprint, *names, **login)),
    ]
    assert signed.changed
    assert (signed.result["signed"], signed.result["failed_files"], signed.result["unchanged"]) == (3, 0, 0)
    assert sorted(one["path"] for one in signed.result["files"]) == sorted(
        f"{BUILD}\\{name}" for name in names
    ), "the pattern finds its files"
    assert [one["signer"] for one in signed.result["files"]] == [thumbprint] * 3
    told = {one["path"]: one["sha256_after"] for one in signed.result["files"]}
    for name in names:
        content = machine.file(name).read_bytes()
        assert content.startswith(b"program " + name.encode() + b"\n--signature ")
        assert told[f"{BUILD}\\{name}"] == hashlib.sha256(content).hexdigest()
    assert machine.file("c.dll").read_bytes() == b"program c.dll"
    assert machine.left() == []
    runs = [one for one in signed.runs if one["argv"][0] == "sign"]
    assert runs
    assert all(one["logins"] == {"CLOUDHSM_PIN": LOGIN, "n3fips_password": LOGIN} for one in runs)
    assert all(one["argv"][one["argv"].index("/d") + 1] == 'says "hi" \\' for one in runs)
    asked = [one["argv"][one["argv"].index("/tr") + 1] for one in signed.runs if "/tr" in one["argv"]]
    assert list(dict.fromkeys(asked)) == login["timestamp_urls"], "the next authority is asked"
    assert all(b'"stamped": true' in machine.file(name).read_bytes() for name in names)
    assert not [one for one in machine.runs() if one["argv"][0] != "sign" and one["logins"]]
    assert not again.changed
    assert again.result["unchanged"] == 3
    assert {one["argv"][0] for one in again.runs} == {"verify"}
    for done in (predicted, unsigned, signed, again):
        assert FRAGMENT not in json.dumps(done.result)
        assert FRAGMENT not in done.screen
    assert FRAGMENT not in machine.log.read_text(encoding="utf-8")


def time_limit_ends_the_tree_and_leaves_the_file(machine: Machine) -> Playing:
    thumbprint = prepared(machine)
    machine.put("slow.exe", b"hangs")
    (done,) = yield [Task("win_signtool", sign(machine, thumbprint, "slow.exe", timeout=8))]
    assert done.failed
    # Why it hangs is asked of Windows' registry.
    assert done.result["link"] == "host"
    assert "not Windows" in done.msg
    assert machine.file("slow.exe").read_bytes() == b"hangs"
    assert machine.left() == []
    (heartbeat,) = machine.folder.glob("*.codesign*/heartbeat")
    machine.check_ended(heartbeat)


SCENES = (
    files_are_signed_with_the_login_and_without_a_trace_of_it,
    time_limit_ends_the_tree_and_leaves_the_file,
)
