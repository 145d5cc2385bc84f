# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job over each protocol that docs/connections.md names and the lab speaks, by the variables that stand there: a bare host
is set up and signs over WinRM with HTTPS and NTLM, over WinRM with messages that NTLM encrypts, and over PSRP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.release import __version__ as ansible_core

from lab.control.process import Control
from lab.hsm.pki import authority
from support.canaries import Searcher
from support.osslsigncode import need_newer
from support.playbook import ROOT, PlaybookRun, run_playbook
from support.signable import missing_tools, programs

from .conftest import COLLECTIONS, running

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

RUNSPACE = find_spec("pypsrp") is not None
HOSTS: dict[str, dict[str, str]] = {
    "https": {"listener": "https"},
    "sealed": {"listener": "sealed"},
    **({"runspace": {"listener": "https", "connection": "psrp"}} if RUNSPACE else {}),
}
over_psrp = pytest.param(
    "runspace", marks=pytest.mark.skipif(not RUNSPACE, reason="pypsrp is not installed: run make setup")
)
PLAIN = "plain"
FILE = r"C:\build\app.exe"


def documented(connection: str) -> dict[str, Any]:
    """The first block of docs/connections.md for a connection plug-in."""
    page = (ROOT / "docs" / "connections.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    return next(block for block in blocks if block["ansible_connection"] == connection)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    with running(tmp_path_factory.mktemp("connections"), {"hosts": {**HOSTS, PLAIN: {}}}) as control:
        yield control


@pytest.fixture(scope="module")
def inventory(lab: Control, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's hosts, reached as the page has it; only port, password and the CA's place are the lab's."""
    content = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))
    hosts = content["all"]["children"]["windows"]["hosts"]
    for name, listener in HOSTS.items():
        own = {
            key: value
            for key, value in hosts[name].items()
            if not key.startswith(("ansible_winrm", "ansible_psrp"))
        }
        told = documented(listener.get("connection", "winrm"))
        trust = str(Path(lab.info["pki"]) / "winrm-ca.pem")
        told = {key: trust if value == "files/winrm-ca.pem" else value for key, value in told.items()}
        if listener["listener"] == "sealed":
            # Over HTTP, as the page says below the block.
            del told["ansible_winrm_ca_trust_path"]
            told |= {"ansible_winrm_scheme": "http", "ansible_winrm_message_encryption": "always"}
        hosts[name] = {
            **told,
            **own,
            "ansible_connection": told["ansible_connection"],
            "ansible_user": "Administrator",
        }
    for name in ("ansible_winrm_scheme", "ansible_winrm_transport", "ansible_connection", "ansible_user"):
        hosts[PLAIN][name] = content["all"]["children"]["windows"]["vars"].pop(name)
    file = tmp_path_factory.mktemp("inventory") / "inventory.yml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def play(lab: Control, inventory: Path, playbook: Any, *extra: str, **variables: Any) -> PlaybookRun:
    return run_playbook(
        playbook,
        inventory,
        collections=COLLECTIONS,
        extra=["-e", f"@{lab.secrets}", *extra],
        variables=variables,
        keep_results=True,
    )


def looked(lab: Control, inventory: Path, host: str, **variables: Any) -> dict[str, Any]:
    """A look at one host, its connection changed by variables: the task's result."""
    tasks = [{"name": "look", "cloudhsm.codesign.win_codesign_info": {}}]
    run = play(lab, inventory, [{"hosts": host, "gather_facts": False, "tasks": tasks}], **variables)
    (seen,) = run.results
    return {**seen.result, "msg": seen.msg, "failed": seen.failed, "unreachable": seen.unreachable}


@pytest.fixture(scope="module")
def calls(lab: Control, inventory: Path) -> dict[str, int]:
    """The hosts are set up: the calls that it took."""
    need_newer("what is signed and stamped here")
    for host in HOSTS:
        lab.write(host, FILE, programs()["setup64.exe"])
    before = lab.last()
    run = play(lab, inventory, "cloudhsm.codesign.site", "--limit", ",".join(HOSTS))
    assert run.returncode == 0, run.output[-6000:]
    return {host: len(lab.calls(host, before)) for host in HOSTS}


def test_the_main_job(lab: Control, inventory: Path, calls: dict[str, int]) -> None:
    limit = ("--limit", ",".join(HOSTS))
    assert len(set(calls.values())) == 1, f"the same work costs another number of calls: {calls}"
    # As AWX runs it, by what a survey answers.
    survey = {"survey_files": f"{FILE}\n\n", "survey_description": "An example"}
    run = play(lab, inventory, ROOT / "docs" / "examples" / "awx" / "sign.yml", *limit, **survey)
    assert run.returncode == 0, run.output[-6000:]
    assert all(lab.read(host, FILE) != programs()["setup64.exe"] for host in HOSTS)
    password = yaml.safe_load(lab.secrets.read_text(encoding="utf-8"))["codesign_crypto_password"]
    assert not any(lab.leaks(password).values())


@pytest.mark.parametrize("host", ["https", "sealed", over_psrp])
def test_no_verbosity_shows_a_login(
    lab: Control,
    inventory: Path,
    calls: dict[str, int],
    host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over each connection, while programs repeat all that they were given: what comes back is shown by none. (Playbooks, steps and
    passwords of all kinds, over WinRM: test_canaries.py.)
    """
    assert calls[host]
    log = tmp_path / "ansible.log"
    monkeypatch.setenv("ANSIBLE_LOG_PATH", str(log))
    password = yaml.safe_load(lab.secrets.read_text(encoding="utf-8"))["codesign_crypto_password"]
    since = lab.last()
    lab.fault(host, "babbles:1", 1)
    run = play(lab, inventory, "cloudhsm.codesign.prove_login", "--limit", host, "-vvvvv")
    lab.fault(host, "babbles:1", 1, 1)
    run_on = play(lab, inventory, "cloudhsm.codesign.prove_login", "--limit", host, "-vvvvv")
    lab.clear()
    searcher = Searcher({"login": password})
    shown = {"screen": run.output + run_on.output, "log": log.read_text(encoding="utf-8")}
    for place, text in shown.items():
        assert f"<{host}>" in text or "ESTABLISH" in text, "nothing is shown at this verbosity"
        assert searcher.find(place, text.encode()) == []
    sent = [call for call in lab.calls(host, since) if call.get("sensitive")]
    assert sent, "the host was sent no login"
    for call in sent:
        assert call["sensitive"].keys() == {"sensitive_parameters"}
        assert call["no_log"]
        assert searcher.find_texts("arguments", call["args"]) == []
    assert any(password in one["stdout"] for one in lab.record("process", host, since)), "none repeated it"


@pytest.mark.parametrize("host", ["https", over_psrp])
def test_a_host_with_a_certificate_of_another_issuer_is_not_reached(
    lab: Control, inventory: Path, host: str, tmp_path: Path
) -> None:
    (tmp_path / "other.pem").write_text(authority("Another CA", None).pem)
    trust = str(tmp_path / "other.pem")
    before = lab.last()
    seen = looked(lab, inventory, host, ansible_winrm_ca_trust_path=trust, ansible_psrp_ca_cert=trust)
    assert seen["unreachable"]
    assert "CERTIFICATE_VERIFY_FAILED" in seen["msg"]
    assert lab.calls(host, before) == []


@pytest.mark.parametrize("host", ["https", "sealed", over_psrp])
def test_a_wrong_password_is_not_let_in(lab: Control, inventory: Path, host: str) -> None:
    before = lab.last()
    login = {"ansible_password": "wrong"}
    assert looked(lab, inventory, host, **login)["unreachable"]
    assert lab.calls(host, before) == []


def test_shell_type_powershell_over_winrm_is_one_sentence(lab: Control, inventory: Path) -> None:
    """ansible-core before 2.21 puts no quotes around the command, so that it works there."""
    seen = looked(lab, inventory, PLAIN, ansible_shell_type="powershell")
    if tuple(map(int, ansible_core.split(".")[:2])) < (2, 21):
        assert not seen["failed"]
        return
    assert seen["failed"]
    assert seen["msg"] == (
        "No module runs on this host: ansible_shell_type is powershell, which ansible-core 2.21 and newer cannot use over winrm. "
        "Take ansible_shell_type out of this host's variables; it belongs to the connections ssh and aws_ssm."
    )


def test_the_page_names_both_the_sentence_of_ansible_and_ours() -> None:
    page = (ROOT / "docs" / "connections.md").read_text(encoding="utf-8")
    assert "No start of json char found" in page
    assert "No module runs on this host: ansible_shell_type is powershell" in page
