# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that is given a secret, with every canary, while something at each of its steps and calls repeats all that it
was given, in many ways of writing: a program, Windows, the module below ours, the connection. No result, no exception, no
screen, no step and no file has the secret.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from ansible_collections.cloudhsm.codesign.plugins.action import (
    cloudhsm_find_key_by_modulus,
    win_cert_repairstore,
    win_certificate_request,
    win_cloudhsm_client,
    win_cloudhsm_import_key,
    win_codesign_artifacts,
    win_codesign_info,
    win_signtool,
    win_signtool_package,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _texts
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host as login_host
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import following
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil, key_signature
from lab.windows.host import Host
from lab.windows.process import Process, babbling
from support.broken_connection import raise_in_plugin
from support.canaries import CANARIES, Searcher
from support.fake_host import FakeHost, Raw, failure, ran, run_action
from tests.unit.plugins.action import cloud_host
from tests.unit.plugins.action.cloud_host import CloudHost
from tests.unit.plugins.certificates import key as key_of
from tests.unit.plugins.certificates import make

pytest.register_assert_rewrite(
    *("fake_signtool", "test_win_signtool", "test_win_certificate_request", "test_win_cert_repairstore")
)
sys.path.insert(0, str(Path(__file__).parent))

import test_win_cert_repairstore as repairs  # noqa: E402 - after the line above
import test_win_certificate_request as requests_of  # noqa: E402
from fake_signtool import SignToolHost  # noqa: E402
from test_win_signtool import CERTIFICATE, CONTAINER, OWN, put_certificate  # noqa: E402

WHOLE, PARTS = os.environ.get("CODESIGN_CANARIES") == "whole", 4
"""A run of all tests takes one part of the combinations, ``make canaries`` all of them."""
SIGNING = make("signing")
CALLS = ("lost", "module", "script", "garbage", "odd")
"""What answers of a whole call may be: no answer, the error of a module, that of a script, no JSON, JSON of another shape"""
STEPS = ("tool 1", "tool 0", "error")
"""A program that ends with a code or well, or Windows' own error"""


class Repeats:
    """Between an action and its host: at call or step ``at`` of the run, what was given is repeated as ``how`` says."""

    def __init__(self, host: FakeHost, lab: Host, how: str = "", at: int = 0) -> None:
        self.host, self.lab, self.how, self.at = host, lab, how, at
        self.calls = self.steps = 0
        self.struck = False

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> Raw:
        given = (module_args.get("sensitive_parameters") or [{"value": "{}"}])[0]["value"]
        said = self._said(json.loads(given))
        self.calls += 1
        if self.how in CALLS and self.calls == self.at:
            self.struck = True
            return self._instead(said.decode("cp437"))
        answer = self.host(module_name, module_args, task_vars)
        if self.how not in STEPS or not isinstance(answer.get("result"), str):
            self.steps += len(json.loads(module_args["parameters"]["Steps"]))
            return answer
        content = json.loads(answer["result"])
        for place in range(len(content["results"])):
            self.steps += 1
            if self.steps == self.at:
                self.struck = True
                content["results"][place] = self._changed(content["results"][place], said)
        return {**answer, "result": json.dumps(content)}

    def _said(self, secrets: Mapping[str, str]) -> bytes:
        environment = {f"SECRET_{name}": value for name, value in secrets.items()}
        stdin = "\r\n".join(secrets.values()).encode()
        process = Process(
            self.lab, "C:\\tool.exe", [], "C:\\tool.exe", stdin, environment, "C:\\", "a", "network"
        )
        babbling(lambda _process: 0, "1")(process)
        return bytes(process.stdout)

    def _instead(self, text: str) -> Raw:
        if self.how == "lost":
            raise_in_plugin(requests.ConnectionError(text))
        if self.how == "module":
            return {
                "failed": True,
                **dict.fromkeys(("msg", "module_stdout", "module_stderr", "exception"), text),
            }
        if self.how == "script":
            errors = [
                {"exception": {"message": text}, "fully_qualified_error_id": text, "target_object": text}
            ]
            return {"failed": True, "error": [*errors, text]}
        if self.how == "garbage":
            return {"changed": False, "result": text}
        names = (
            "results",
            "powershell",
            "account",
            "oem_code_page",
            "utc_offset",
            "time",
            "windows_build",
            text,
        )
        return {"changed": False, "result": json.dumps(dict.fromkeys(names, text))}

    def _changed(self, result: Raw, said: bytes) -> Raw:
        shown = base64.b64encode(said).decode()
        if self.how == "error":
            return failure(said.decode("cp437"))
        ran = {
            "exit_code": int(self.how[-1]),
            "stdout": shown,
            "stderr": shown,
            "timed_out": False,
            "milliseconds": 5,
        }
        if "exit_code" in result:
            return {**result, **ran}
        for name in ("results", "files"):
            if isinstance(result.get(name), list):
                inside = [{**one, **ran} if isinstance(one, dict) else one for one in result[name]]
                return {**result, name: inside}
        return failure(said.decode("cp437")) if self.how == "tool 1" else result


@dataclass
class Scene:
    """A module's task: the action, its arguments (without the secret), the host; ``secret``: the option that takes it."""

    action: Any
    host: Callable[[], FakeHost]
    arguments: Mapping[str, Any]
    secret: str = "crypto_password"  # noqa: S105 - an option's name
    more: Mapping[str, Any] = field(default_factory=lambda: {"crypto_user": cloud_host.USER})


def cloud(sdk: str) -> Callable[[], CloudHost]:
    def made() -> CloudHost:
        host = CloudHost().with_sdk(sdk).with_pair(SIGNING).with_certificate(SIGNING)
        return host.with_container("7e3c-b2f5", SIGNING) if sdk == "both" else host

    return made


def signtool() -> SignToolHost:
    """With a client's tool that accepts every login."""
    host = SignToolHost(files={CONTAINER: b"reference", r"C:\build\a.exe": b"a", r"C:\build\b.exe": b"b"})
    put_certificate(host, CERTIFICATE)
    accepted = json.dumps({"error_code": 0, "data": {"users": [], "matched_keys": [], "total_key_count": 0}})
    host.tools[cloudhsm_cli.WINDOWS_PROGRAM] = lambda step: ran(0, accepted, encoding="utf-8")
    return host


def store() -> FakeHost:
    """With a certificate that is tied to no key."""
    host = FakeHost()
    repairs.put(host)
    host.tools[certutil.PROGRAM] = repairs.Certutil(host)
    host.tools[key_signature.PROGRAM] = repairs.PowerShell(host)
    return host


def scenes(folder: Path) -> dict[str, Scene]:
    """All of them. ``folder``: of the control node."""
    (folder / "app.exe").write_bytes(b"a program")
    key = {"thumbprint": SIGNING.thumbprint}
    tie = {"thumbprint": repairs.THUMBPRINT, "container": "7e3c-b2f5", "test_key": True}
    client = {"hsm_addresses": ["10.0.1.17"], "hsm_type": "hsm2m", "customer_ca": SIGNING.pem}
    found: dict[str, Scene] = {}
    for sdk in ("5", "3"):
        for name, action, arguments in (
            ("cloudhsm_find_key_by_modulus", cloudhsm_find_key_by_modulus, key),
            ("win_cloudhsm_import_key", win_cloudhsm_import_key, key),
            ("win_codesign_info", win_codesign_info, {"gather": [], "prove": "login"}),
        ):
            found[f"{name}, SDK {sdk}"] = Scene(action, cloud(sdk), {**arguments, "client_sdk": sdk})
    found["cloudhsm_find_key_by_modulus, SDK 3"].arguments = {**key, "backend": "key_mgmt_util"}
    found["cloudhsm_find_key_by_modulus, SDK 5"].arguments = {**key, "backend": "cloudhsm_cli"}
    found["win_cert_repairstore"] = Scene(win_cert_repairstore, store, tie)
    found["win_signtool"] = Scene(
        win_signtool,
        signtool,
        {"files": [r"C:\build\*.exe"], "thumbprint": OWN, "ledger_path": r"C:\l.jsonl"},
    )
    found["win_codesign_artifacts"] = Scene(
        win_codesign_artifacts,
        signtool,
        {"artifacts": [{"path": str(folder / "app.exe")}], "thumbprint": OWN},
    )
    found["win_certificate_request"] = Scene(
        win_certificate_request,
        lambda: requests_of.World(folder).host,
        {"subject": requests_of.NAME, "csr": str(folder / "release.csr")},
    )
    found["win_cloudhsm_client"] = Scene(
        win_cloudhsm_client,
        lambda: CloudHost().with_sdk("5"),
        {**client, "tls_certificate": make("client", number=3).pem},
        "tls_key",
        {},
    )
    found["win_signtool_package"] = Scene(
        win_signtool_package,
        lambda: FakeHost(files={"https://x.example/t.zip": b"no archive"}),
        {"package": "https://x.example/t.zip", "sha256": "0" * 64, "proxy_url": "http://proxy.example"},
        "proxy_password",
        {"proxy_username": "u"},
    )
    return found


NAMES = (
    *(
        f"{name}, SDK {sdk}"
        for sdk in ("5", "3")
        for name in (
            "cloudhsm_find_key_by_modulus",
            "win_cloudhsm_import_key",
            "win_codesign_info",
        )
    ),
    *("win_cert_repairstore", "win_signtool", "win_codesign_artifacts", "win_certificate_request"),
    *("win_cloudhsm_client", "win_signtool_package"),
)
TLS_KEY = (
    key_of(3)
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    .decode()
)
SECRETS = {**CANARIES, "key": TLS_KEY}
CASES = [
    (name, canary) for name in NAMES for canary in (["key"] if name == "win_cloudhsm_client" else CANARIES)
]
NOT_ASKED = {("win_codesign_info, SDK 3", "blanks")}
"""key_mgmt_util takes no password with a blank: nothing is sent."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """Who writes in English Windows' code page, for programs that repeat."""
    return Host("en", tmp_path_factory.mktemp("host"))


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.time, "sleep", lambda seconds: None)


def of_all(base: Scene, lab: Host, canary: str) -> Repeats:
    """How many calls and steps there are when nothing is repeated."""
    repeats = Repeats(base.host(), lab)
    run_action(base.action.ActionModule, {**base.arguments, **base.more, base.secret: canary}, repeats)  # type: ignore[arg-type]
    return repeats


def combinations(counted: Repeats) -> list[tuple[str, int]]:
    return [
        *((how, at) for how in CALLS for at in range(1, counted.calls + 1)),
        *((how, at) for how in STEPS for at in range(1, counted.steps + 1)),
    ]


@pytest.mark.parametrize(("name", "canary"), CASES)
def test_no_secret_leaves_a_module(
    name: str,
    canary: str,
    lab: Host,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    secret = SECRETS[canary]
    monkeypatch.setattr(cloud_host, "PASSWORD", secret)
    assert set(scenes(tmp_path)) == set(NAMES)
    scene = scenes(tmp_path)[name]
    monkeypatch.setattr(login_host, "GATE", Gate())
    wanted = combinations(of_all(scene, lab, secret))
    if not WHOLE:
        # Another part for each canary, so that every place has some.
        wanted = wanted[list(SECRETS).index(canary) % PARTS :: PARTS]
    assert bool(wanted) == ((name, canary) not in NOT_ASKED)
    assert len(wanted) >= (len(CALLS) + len(STEPS)) // (1 if WHOLE else PARTS) or not wanted
    searcher, hits, struck = Searcher({canary: secret}), [], 0
    for how, at in wanted:
        monkeypatch.setattr(login_host, "GATE", Gate())
        for path in tmp_path.iterdir():
            path.unlink()
        host = scenes(tmp_path)[name].host()
        repeats = Repeats(host, lab, how, at)
        said: Any
        try:
            said = run_action(
                scene.action.ActionModule,
                {**scene.arguments, **scene.more, scene.secret: secret},
                repeats,  # type: ignore[arg-type]
            )
        except Exception:  # noqa: BLE001 - whatever it is, it would be shown
            said = traceback.format_exc()
        struck += repeats.struck
        channels = {"results": said, "screen": list(capfd.readouterr()), "steps": host.calls}
        channels["files"] = {} if name == "win_cloudhsm_client" else dict(host.files)
        for channel, value in channels.items():
            hits += [(how, at, channel, hit) for hit in searcher.find_texts(channel, value)]
    assert hits == []
    assert struck == len(wanted), "all that was planned came to pass"
    record_property("added", f"{len(wanted)} runs of modules below Ansible while something repeats a canary")
    record_property("added", f"{len(hits)} hits in their results, screen, steps and files")


def test_a_secret_that_a_module_lets_out_would_be_found(lab: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run with a mask that masks nothing."""
    secret = CANARIES["quotes"]
    monkeypatch.setattr(cloud_host, "PASSWORD", secret)
    monkeypatch.setattr(_texts, "ways_of_writing", lambda secret: [])
    given = {"crypto_user": cloud_host.USER, "crypto_password": secret}
    searcher, found = Searcher({"quotes": secret}), []
    for at in range(1, 6):
        monkeypatch.setattr(login_host, "GATE", Gate())
        repeats = Repeats(cloud("5")(), lab, "tool 1", at)
        asked = {"gather": [], "prove": "login", "client_sdk": "5", **given}
        result = run_action(win_codesign_info.ActionModule, asked, repeats)  # type: ignore[arg-type]
        found += searcher.find_texts("results", result)
    assert found
