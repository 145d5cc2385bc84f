# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_diagnosis.py: nine causes of a key that cannot be used have nine answers, whoever asks, and one login at most."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _findings as findings
from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import WantedKey
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    ConnectResult,
    Failure,
    FileContent,
    Result,
    RunResult,
    ServiceResult,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Connect, Run, Step
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import (
    cloudhsm_cli,
    configure,
    key_mgmt_util,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _diagnosis as diagnosis
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._diagnosis import Context
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.container import Seen, Wanted
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.entry import Entries
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil
from tests.unit.plugins.certificates import blob, make

SIGNING = make("signing")
CAVIUM, CLOUDHSM = "Cavium Key Storage Provider", "CloudHSM Key Storage Provider"
USER = CryptoUser("signer", "correct-horse-7")
WANTED = Wanted(
    key=WantedKey(SIGNING.modulus),
    thumbprint=SIGNING.thumbprint,
    provider=CAVIUM,
    user=USER,
    scratch="C:\\scratch",
)
RUNNING, STOPPED = ServiceResult(True, "Running", "Automatic"), ServiceResult(True, "Stopped", "Automatic")
OPEN = findings.UnexplainedError("container", "It failed.", "Look.", code="0x80090016")


def sdk5_file(**options: Any) -> bytes:
    cluster = {"servers": [{"hostname": "10.0.0.4"}], "options": options.pop("options", {})}
    return json.dumps({"clusters": [{"type": "hsm2m", "cluster": cluster}], **options}).encode()


SDK5 = Seen(
    cli_version="5.18.0",
    ksp_version="5.18.0",
    service=ServiceResult(False),
    containers=("7e3c-b2f5",),
    store=Entries(blobs={SIGNING.thumbprint: blob(SIGNING, "7e3c-b2f5", CAVIUM)}),
    addresses={"5": ("10.0.0.4", "10.0.0.5"), "3": ()},
    configurations={configure.CLI_FILE: sdk5_file(), configure.KSP_FILE: sdk5_file()},
)
SDK3 = replace(
    SDK5,
    cli_version="",
    ksp_version="",
    import_key=True,
    service=RUNNING,
    addresses={"3": ("10.0.0.4",), "5": ()},
    configurations={configure.SDK3_FILE: b"{}"},
)


def ran(code: int, text: str) -> RunResult:
    return RunResult(code, text.encode())


def cli(code: int, data: Any) -> RunResult:
    return ran(code, json.dumps({"error_code": code, "data": data}))


def key(key_class: str = "private-key", coverage: str = "full") -> dict[str, Any]:
    return {
        "key-reference": "0x00000000001c0001",
        "key-info": {"cluster-coverage": coverage},
        "attributes": {"class": key_class, "key-type": "rsa", "modulus": f"0x{SIGNING.modulus}"},
    }


def keys(*listed: dict[str, Any]) -> RunResult:
    return cli(
        0,
        {
            "matched_keys": list(listed),
            "total_key_count": len(listed),
            "returned_key_count": len(listed),
        },
    )


def providers(*names: str) -> RunResult:
    return ran(0, "".join(f"Provider Name: {name}\n\n" for name in ("Microsoft Software", *names)))


def session(*answers: str) -> RunResult:
    login = "\tCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\r\n"
    return ran(0, "".join(f"Command:  {answer}\r\n" for answer in (login, *answers)) + "Command:  ")


def found(*handles: int) -> str:
    rows = (
        f"\tNumber of matching keys from start index 0::{len(handles) - 1}\r\n\r\n\tHandles of matching keys:\r\n\t{', '.join(map(str, handles))}\r\n\r\n"
        if handles
        else ""
    )
    return f"\tTotal number of keys present: {len(handles)}\r\n\r\n{rows}\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\r\n"


REFUSED = cli(1, "Incorrect credentials are passed for this operation: Incorrect authentication credentials.")
KMU_REFUSED = ran(
    0, "Command:  \tCfm3LoginHSM returned: 0xa3 \r\n\r\n\tHSM Error: RET_USER_LOGIN_FAILURE\r\nCommand:  "
)
DAEMON = ran(
    0xFFFFFFFF, "Cfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error"
)
UNCONFIGURED = cli(1, "error: invalid value '%%HSM_IP_ADDRESS%%'")


class Host:
    """Answers the steps of a diagnosis: well, but for what is given."""

    def __init__(self, **answers: Result | None) -> None:
        self.answers = answers
        self.logins = 0

    def run(self, steps: list[Step]) -> list[Result]:
        return [self._answer(step) for step in steps]

    def _answer(self, step: Step) -> Result:
        if isinstance(step, Connect):
            closed = self.answers.get("closed", ConnectResult(True))
            return closed if step.address == "10.0.0.4" or "closed" in self.answers else ConnectResult(True)
        if not isinstance(step, Run):
            return FileContent(True)
        if step.file == certutil.PROGRAM:
            return self.answers.get("listed") or providers(CAVIUM)
        if step.file == cloudhsm_cli.WINDOWS_PROGRAM and step.arguments[0] == "user":
            return self.answers.get("user") or cli(0, {"users": [{"username": "signer", "locked": "false"}]})
        self.logins += 1
        if step.file == key_mgmt_util.WINDOWS_PROGRAM:
            return self.answers.get("kmu") or session(found(7), found(8))
        return self.answers.get("cli") or keys(key(), key("public-key"))


def judged(context: Context, host: Host, broken: BrokenLink = OPEN) -> BrokenLink:
    broken = type(broken)(broken.link, broken.problem, broken.advice, **broken.details)
    steps, secrets = diagnosis.steps(context, broken)
    assert USER.password not in str(steps)
    assert bool(secrets) is any(
        isinstance(one, Run) and (one.secret_stdin or one.secret_environment) for one in steps
    )
    return diagnosis.judge(context, host.run(steps), broken)


UNREACHED = {"closed": ConnectResult(False, error="refused")}
LOCKED = {"user": cli(0, {"users": [{"username": "Signer", "locked": "true"}]})}
LONE = {
    **SDK5.configurations,
    configure.KSP_FILE: sdk5_file(options={"disable_key_availability_check": True}),
}
OFF = {**SDK5.configurations, configure.KSP_FILE: sdk5_file(sdk3_compatibility_mode=False)}
CAUSES: list[tuple[str, Seen, dict[str, Result], str, str]] = [
    ("unreachable", SDK5, UNREACHED, "cluster", "cannot reach the HSM on TCP port 2223: 10.0.0.4, 10.0.0.5"),
    ("unreachable", SDK3, UNREACHED, "cluster", "cannot reach the HSM on TCP port 2223: 10.0.0.4"),
    ("provider alone", replace(SDK5, cli_version=""), UNREACHED, "cluster", "2223: 10.0.0.4, 10.0.0.5"),
    ("tool alone", replace(SDK5, ksp_version=""), UNREACHED, "cluster", "2223: 10.0.0.4, 10.0.0.5"),
    ("behind the daemon", SDK3, {"kmu": DAEMON}, "cluster", "runs, but no HSM answers it"),
    ("stopped", replace(SDK3, service=STOPPED), {}, "service", "The service AWSCloudHSMClient is stopped."),
    ("no service", replace(SDK3, service=ServiceResult(False)), {}, "service", "is not installed"),
    (
        "container",
        replace(SDK5, containers=("other",)),
        {},
        "container",
        "key container 7e3c-b2f5, which the certificate",
    ),
    ("container", replace(SDK3, containers=()), {}, "container", "is gone: it has no file in"),
    ("mode off", replace(SDK5, configurations=OFF), {}, "client", "SDK 3 compatibility mode is off"),
    ("key's name", replace(SDK5, configurations=OFF, containers=()), {}, "container", "It failed."),
    (
        "provider",
        SDK5,
        {"listed": providers()},
        "provider",
        f"The provider {CAVIUM} is not registered on this host.",
    ),
    (
        "provider",
        SDK3,
        {"listed": providers()},
        "provider",
        f"The provider {CAVIUM} is not registered on this host.",
    ),
    (
        "other name",
        SDK5,
        {"listed": providers(CLOUDHSM)},
        "provider",
        f"where CloudHSM's provider is registered as {CLOUDHSM}.",
    ),
    (
        "configuration",
        replace(SDK5, configurations={configure.CLI_FILE: sdk5_file()}),
        {},
        "client",
        "The configuration of CloudHSM's provider is gone",
    ),
    ("configurations", replace(SDK5, configurations={}), {"cli": UNCONFIGURED}, "client", "provider is gone"),
    ("lies elsewhere", replace(SDK5, configurations={}), {}, "container", "It failed."),
    ("configuration", replace(SDK3, configurations={}), {}, "client", "cloudhsm_client.cfg is gone"),
    (
        "few HSMs",
        SDK5,
        {"cli": keys(key(coverage="partial"))},
        "key",
        "is not on all HSMs of the cluster (partial)",
    ),
    (
        "few HSMs do",
        replace(SDK5, configurations=LONE),
        {"cli": keys(key(coverage="partial"))},
        "container",
        "It failed.",
    ),
    ("not shared", SDK5, {"cli": keys(key("public-key"))}, "key", "its public key is there"),
    ("not shared", SDK3, {"kmu": session(found(), found(8))}, "key", "its public key is there: 8"),
    ("locked", SDK5, LOCKED, "credential", "The crypto user signer is locked."),
    ("locked, refused", SDK5, {**LOCKED, "cli": REFUSED}, "credential", "The crypto user signer is locked."),
    ("wrong password", SDK5, {"cli": REFUSED}, "credential", "refused the crypto user or the password"),
    ("wrong password", SDK3, {"kmu": KMU_REFUSED}, "credential", "0xa3"),
    ("well", SDK5, {}, "container", "It failed."),
    ("well", SDK3, {}, "container", "It failed."),
    ("no list", SDK5, {"listed": ran(0, "no list")}, "container", "It failed."),
    ("no list", SDK5, {"listed": Failure("gone")}, "container", "It failed."),
    (
        "no tool",
        SDK5,
        {"cli": Failure("gone", code=2), "user": Failure("gone", code=2)},
        "container",
        "It failed.",
    ),
    (
        "a long list",
        SDK5,
        {
            "cli": cli(
                0, {"matched_keys": [], "total_key_count": 20, "returned_key_count": 0, "next_token": "a"}
            )
        },
        "container",
        "It failed.",
    ),
]


@pytest.mark.parametrize(
    ("seen", "answers", "link", "words"), [pytest.param(*case[1:], id=case[0]) for case in CAUSES]
)
def test_each_cause_has_its_answer(seen: Seen, answers: dict[str, Result], link: str, words: str) -> None:
    host = Host(**answers)
    answer = judged(Context(WANTED, seen, associated=True), host)
    assert (answer.link, words in answer.problem) == (link, True), answer.problem
    assert answer.details["code"]
    assert host.logins <= 1
    if answer.problem != "It failed.":
        assert answer.details["reported"] == "It failed."


def test_nine_causes_have_nine_sentences() -> None:
    nine = {
        judged(Context(WANTED, seen, associated=True), Host(**answers)).problem
        for _name, seen, answers, _link, _words in CAUSES
        if _words != "It failed."
    }
    assert len(nine) >= 9


def test_one_of_two_hsms_is_no_cause_and_is_told() -> None:
    context = Context(WANTED, SDK5)
    steps, _secrets = diagnosis.steps(context, OPEN)
    results = Host().run(steps)
    results[1] = ConnectResult(False, error="refused")
    answer = diagnosis.judge(context, results, OPEN)
    assert (answer, answer.details["unreachable"]) == (OPEN, ["10.0.0.4"])
    del OPEN.details["unreachable"]


@pytest.mark.parametrize(
    ("context", "logins"),
    [
        (Context(WANTED, SDK5), 1),
        (Context(WANTED, SDK3), 1),
        (Context(replace(WANTED, client_sdk="3"), replace(SDK3, cli_version="5.18.0")), 1),
        (Context(WANTED, replace(SDK5, import_key=True, service=RUNNING)), 1),
        (Context(WANTED, SDK5, logged_in=True), 0),
        (Context(replace(WANTED, user=CryptoUser()), SDK5), 0),
        (Context(WANTED, replace(SDK5, cli_version="")), 0),
        (Context(WANTED, replace(SDK3, service=STOPPED)), 0),
        (Context(WANTED, replace(SDK5, containers=()), associated=True), 0),
        (Context(WANTED, Seen()), 0),
        (Context(replace(WANTED, user=CryptoUser("two words", "x y z")), SDK3), 0),
        (Context(replace(WANTED, key=WantedKey()), SDK5), 1),
        (Context(replace(WANTED, key=WantedKey(point="04AA")), SDK3), 1),
    ],
)
def test_one_login_at_most_and_only_where_it_tells_something(context: Context, logins: int) -> None:
    host = Host()
    steps, _secrets = diagnosis.steps(context, OPEN)
    host.run(steps)
    assert host.logins == logins


@pytest.mark.parametrize("seen", [SDK5, SDK3])
def test_nothing_logs_in_after_a_refusal(seen: Seen) -> None:
    refused = findings.LoginRefusedError("credential", "Refused.")
    host = Host(**LOCKED)
    answer = judged(Context(WANTED, seen), host, refused)
    assert host.logins == 0
    assert answer.problem == ("The crypto user signer is locked." if seen is SDK5 else "Refused.")
    assert judged(Context(WANTED, SDK5), Host(), refused).problem == "Refused."


@pytest.mark.parametrize(
    ("kind", "is_open"),
    [
        (findings.UnexplainedError, True),
        (findings.ListingFailedError, True),
        (findings.UnreachableError, True),
        (findings.ServiceStoppedError, True),
        (findings.LoginRefusedError, True),
        (findings.LockedError, False),
        (findings.NoLoginError, False),
        (findings.NotVisibleError, False),
        (findings.NotInstalledError, False),
        (findings.BrokenLink, False),
    ],
)
def test_what_is_open(kind: type[BrokenLink], is_open: bool) -> None:
    assert diagnosis.is_open(kind("container", "It failed.")) is is_open


def test_the_key_of_a_certificate() -> None:
    assert diagnosis.key_of(SIGNING.der) == WantedKey(SIGNING.modulus)
    assert diagnosis.key_of(b"none") == WantedKey()
