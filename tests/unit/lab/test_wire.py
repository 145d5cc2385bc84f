# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decodes what four versions of ansible-core sent for the same playbook; the sources of the scripts are cut
short in the fixtures.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lab.network.wire import (
    Become,
    HelperCall,
    ModuleCall,
    Request,
    ShellCall,
    Unknown,
    decode,
)

FIXTURES = sorted((Path(__file__).parent / "fixtures" / "wire").glob("core-*.json"))
SEPARATOR = "\n\0\0\0\0\n"


def requests(file: Path) -> list[Request]:
    sent = json.loads(file.read_text(encoding="utf-8"))["requests"]
    return [decode(one["line"], one["stdin"].encode("latin-1")) for one in sent]


@pytest.fixture(params=FIXTURES, ids=lambda file: file.stem)
def decoded(request: pytest.FixtureRequest) -> list[Request]:
    return requests(request.param)


def module(decoded: list[Request], index: int) -> ModuleCall:
    found = decoded[index]
    assert isinstance(found, ModuleCall)
    return found


def test_the_fixtures_hold_every_shape() -> None:
    texts = [file.read_text(encoding="utf-8") for file in FIXTURES]
    assert any('\\"ArgumentJSON' not in text and "complex_args" in text for text in texts)
    assert any("H4sI" in text for text in texts), "no gzip"
    assert any("PowerShell -NoProfile" in text for text in texts)
    assert any("powershell -NoProfile" in text for text in texts)


def test_a_module_and_its_arguments(decoded: list[Request]) -> None:
    call = module(decoded, 0)
    assert (call.script, call.name) == ("ansible.windows.win_ping", "ansible.windows.win_ping")
    assert call.args == {"data": "grün"}
    assert not call.check_mode
    assert call.become is None
    assert not call.is_async
    assert call.environment == {}


def test_become_and_environment(decoded: list[Request]) -> None:
    assert module(decoded, 1).become == Become("Administrator", "Sommer-2026!", "Batch", "")
    assert module(decoded, 1).environment == {"A_B": "value c"}
    assert module(decoded, 2).become == Become("SYSTEM", None, "Interactive", "WithProfile")


def test_nested_and_sensitive_arguments(decoded: list[Request]) -> None:
    assert module(decoded, 3).args == {
        "script": "$Ansible.Changed=$false",
        "parameters": {"Steps": "[]"},
        "sensitive_parameters": [{"name": "Secrets", "value": "{}"}],
    }


def test_raw_text(decoded: list[Request]) -> None:
    assert decoded[4] == ShellCall("certutil -store My")


def test_files_on_their_way(decoded: list[Request]) -> None:
    helpers = [one for one in decoded if isinstance(one, HelperCall)]
    sent = next(one for one in helpers if one.script == "winrm_put_file.ps1")
    assert base64.b64decode(sent.data) == b"abc"
    assert str(sent.params["Path"]).endswith("\\source")
    made = next(one for one in helpers if one.script == "powershell_mkdtemp.ps1")
    assert made.params["Directory"] == "%TEMP%"
    fetched = next(one for one in helpers if one.script == "winrm_fetch_file.ps1")
    assert (fetched.params["Path"], fetched.params["Offset"]) == (r"C:\Work\x", 0)


def test_the_stat_of_an_action_plugin_is_known_by_its_script(decoded: list[Request]) -> None:
    stat = next(one for one in decoded if isinstance(one, ModuleCall) and one.name == "ansible.legacy.stat")
    assert stat.script == "ansible.windows.win_stat"
    assert stat.internal["ignore_unknown_opts"] is True


def test_async_is_seen(decoded: list[Request]) -> None:
    assert [one.args for one in decoded if isinstance(one, ModuleCall) and one.is_async] == [{"data": "x"}]


def test_clean_up_is_plain_powershell(decoded: list[Request]) -> None:
    assert any(isinstance(one, ShellCall) and "Remove-Item" in one.text for one in decoded)


# What is no Ansible
# ------------------------------------------------------------------------------------------------------


def encoded(script: str) -> str:
    return "powershell -NoProfile -EncodedCommand " + base64.b64encode(script.encode("utf-16-le")).decode()


def manifest(**changes: Any) -> bytes:
    wrapper = {"name": "exec_wrapper", "script": "", "params": {}}
    action = {
        "name": "module_wrapper.ps1",
        "params": {
            "Script": "ansible_collections.ansible.windows.plugins.modules.win_ping.ps1",
            "Variables": [{"Name": "complex_args", "Value": {}}],
        },
        "secure_params": {},
    }
    body = {"scripts": {}, "actions": [action], **changes}
    return (json.dumps(wrapper) + SEPARATOR + json.dumps(body)).encode()


def test_the_smallest_manifest_is_a_module_call() -> None:
    assert isinstance(decode(encoded("$x | ConvertFrom-Json"), manifest()), ModuleCall)


@pytest.mark.parametrize(
    ("line", "stdin", "reason"),
    [
        ("cmd.exe /c dir", b"", "no encoded PowerShell command"),
        ("powershell -EncodedCommand A", b"", "cannot be read"),
        (encoded("Get-Process"), b"some input", "not Ansible's bootstrap wrapper"),
        (
            encoded("ConvertFrom-Json"),
            b'{"name": "other", "params": {}}' + SEPARATOR.encode() + b"{}",
            "exec_wrapper",
        ),
        (encoded("ConvertFrom-Json"), b"[]" + SEPARATOR.encode() + b"{}", "no JSON object"),
        (
            encoded("ConvertFrom-Json"),
            b'{"name": "exec_wrapper", "params": {}}' + SEPARATOR.encode() + b"%%%",
            "neither JSON nor gzip",
        ),
        (encoded("ConvertFrom-Json"), manifest(actions=[]), "no actions"),
        (
            encoded("ConvertFrom-Json"),
            manifest(actions=[{"name": "evil.ps1"}, {"name": "module_wrapper.ps1"}]),
            "evil.ps1",
        ),
        (
            encoded("ConvertFrom-Json"),
            manifest(
                actions=[{"name": "module_wrapper.ps1", "params": {"Script": "x.ps1", "ArgumentJSON": "{}"}}]
            ),
            "no module",
        ),
        (
            encoded("ConvertFrom-Json"),
            manifest(actions=[{"name": "module_wrapper.ps1", "params": {"Script": "a.b.c.ps1"}}]),
            "no arguments",
        ),
    ],
)
def test_everything_else_is_refused_with_its_reason(line: str, stdin: bytes, reason: str) -> None:
    with pytest.raises(Unknown, match=reason):
        decode(line, stdin)


def test_a_compressed_manifest_is_the_same_call() -> None:
    plain = manifest()
    head, _unused, body = plain.partition(SEPARATOR.encode())
    packed = head + SEPARATOR.encode() + base64.b64encode(gzip.compress(body))
    assert decode(encoded("ConvertFrom-Json"), packed) == decode(encoded("ConvertFrom-Json"), plain)
