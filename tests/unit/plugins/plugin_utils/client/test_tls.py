# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's own certificate and key: what is taken, what differs, and that the key is nowhere but in its file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.cloudhsm.codesign.plugins.action.win_cloudhsm_client import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_info import (
    ActionModule as InfoModule,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    AccessResult,
    DigestResult,
    Failure,
    FileContent,
    Result,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    WriteFile,
    WriteSecret,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._aspect import Context
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import tls
from support.fake_host import FakeHost, Raw, failure, ran, run_action
from tests.unit.plugins import certificates
from tests.unit.plugins.action import test_win_cloudhsm_client as client
from tests.unit.plugins.action.test_win_cloudhsm_client import (
    CLI_FILE,
    KSP_FILE,
    TLS_KEY,
    TLS_PEM,
    WANTED,
)

AGENT, SID = "BUILD\\agent", "S-1-5-21-1-2-3-1001"
GIVEN = {"tls_certificate": TLS_PEM, "tls_key": TLS_KEY, "tls_readers": [AGENT]}
OTHER = certificates.make("another client", number=4).pem
OTHER_KEY = (
    certificates.key(4)
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    .decode()
)
ENCRYPTED = (
    certificates.key(3)
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    .decode()
)
RIGHT = f"O:BAG:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;{SID})"
DIGEST = hashlib.sha256(TLS_KEY.encode()).hexdigest()
WANT = tls.Wanted("present", TLS_PEM.encode(), TLS_KEY, (AGENT,))
WELL = tls.Seen(TLS_PEM.encode(), DIGEST, RIGHT, {AGENT: SID})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, ""),
        ({"tls_key": ""}, ""),
        ({"tls_certificate": TLS_PEM.replace("\n", "\r\n"), "tls_key": f"\n{TLS_KEY}\n\n"}, ""),
        ({"tls_certificate": TLS_PEM + OTHER}, ""),
        ({"tls_certificate": ""}, "tls_key is given without tls_certificate."),
        ({"tls_certificate": "ssl-client.pem"}, "tls_certificate is no certificate in PEM form."),
        ({"tls_certificate": TLS_KEY}, "tls_certificate is no certificate in PEM form."),
        ({"tls_certificate": OTHER + TLS_PEM}, "tls_key is not the key of tls_certificate."),
        ({"tls_key": OTHER_KEY}, "tls_key is not the key of tls_certificate."),
        ({"tls_key": "ssl-client.key"}, "tls_key is no private key in PEM form."),
        ({"tls_key": TLS_PEM}, "tls_key is no private key in PEM form."),
        ({"tls_key": ENCRYPTED}, "tls_key is encrypted with a passphrase"),
    ],
)
def test_what_is_taken(given: Raw, says: str) -> None:
    params = {**GIVEN, **given}
    if not says:
        assert tls.wanted(params).state == "present"
        return
    with pytest.raises(BrokenLink, match=says) as raised:
        tls.wanted(params)
    assert raised.value.link == "argument"
    body = str(params["tls_key"]).splitlines()[1:-1]
    assert not any(line in str(raised.value) for line in body)


@pytest.mark.parametrize(
    ("params", "state"),
    [({}, ""), ({"tls_state": "present"}, ""), ({"tls_state": "absent"}, "absent")],
)
def test_what_is_not_asked_for_is_not_looked_at(params: Raw, state: str) -> None:
    want = tls.wanted(params)
    assert (want.state, want.secrets) == (state, {})
    assert bool(tls.observe(want)) == bool(state)
    assert tls.compare(want, tls.UNSEEN) == tls.plan(want, tls.UNSEEN) == []


def rights(*entries: str) -> str:
    return f"O:BAG:BAD:PAI{''.join(entries)}"


SYSTEM, ADMINISTRATORS, READER = "(A;;FA;;;SY)", "(A;;FA;;;BA)", f"(A;;FR;;;{SID})"


@pytest.mark.parametrize(
    ("entry", "others"),
    [
        ("(A;;FR;;;BU)", ("Users",)),
        ("(A;;FA;;;BU)", ("Users",)),
        ("(A;;FA;;;S-1-5-21-1-2-3-9)", ("S-1-5-21-1-2-3-9",)),
        ("(A;;FW;;;WD)", ("Everyone",)),
    ],
)
def test_who_should_not_have_the_key_is_named_once(entry: str, others: tuple[str, ...]) -> None:
    for owner in ("BA", SID):
        access = f"O:{owner}G:BAD:PAI{SYSTEM}{ADMINISTRATORS}{READER}{entry}"
        assert replace(WELL, access=access).others() == others


@pytest.mark.parametrize(
    ("seen", "whats", "writes"),
    [
        (WELL, [], []),
        (replace(WELL, certificate=TLS_PEM.replace("\n", "\r\n").encode()), [], []),
        (replace(WELL, certificate=OTHER.encode()), [configure.TLS_CERTIFICATE], [WriteFile]),
        (replace(WELL, certificate=None), [configure.TLS_CERTIFICATE], [WriteFile]),
        (replace(WELL, key="0" * 64), [configure.TLS_KEY], [WriteSecret]),
        (replace(WELL, key="", access=""), [configure.TLS_KEY], [WriteSecret]),
        (
            replace(WELL, access=rights(SYSTEM, ADMINISTRATORS)),
            [f"the access to {configure.TLS_KEY}"],
            [WriteSecret],
        ),
        (
            replace(WELL, access=rights(SYSTEM, ADMINISTRATORS, READER, "(A;ID;0x1200a9;;;BU)")),
            [f"the access to {configure.TLS_KEY}"],
            [WriteSecret],
        ),
        (
            replace(WELL, access=rights(SYSTEM, ADMINISTRATORS, READER, "(A;;FW;;;WD)")),
            [f"the access to {configure.TLS_KEY}"],
            [WriteSecret],
        ),
        (
            tls.Seen(sids={AGENT: SID}),
            [configure.TLS_CERTIFICATE, configure.TLS_KEY],
            [WriteFile, WriteSecret],
        ),
    ],
)
def test_what_differs_is_found_written_and_predicted(
    seen: tls.Seen, whats: list[str], writes: list[type]
) -> None:
    assert [finding.what for finding in tls.compare(WANT, seen)] == whats
    assert [type(step) for step in tls.plan(WANT, seen)] == writes
    after = tls.predict(WANT, seen)
    assert tls.compare(WANT, after) == tls.plan(WANT, after) == []
    assert (after != seen) == bool(writes)
    assert all(TLS_KEY.splitlines()[1] not in str(step) for step in tls.plan(WANT, seen))


def test_a_local_administrator_is_a_reader_by_either_name() -> None:
    want = replace(WANT, readers=("Administrator",))
    seen = replace(WELL, access=rights(SYSTEM, ADMINISTRATORS, "(A;;FR;;;LA)"))
    assert tls.compare(want, replace(seen, sids={"Administrator": "S-1-5-21-1-2-3-500"})) == []


def test_a_certificate_alone_says_nothing_of_the_key_but_that_it_is_there() -> None:
    want = replace(WANT, key="")
    assert tls.compare(want, replace(WELL, key="0" * 64)) == []
    assert [finding.seen for finding in tls.compare(want, replace(WELL, key="", access=""))] == [
        "no such file"
    ]


def test_a_certificate_that_has_ended() -> None:
    later = Context(datetime(2030, 1, 1, tzinfo=timezone.utc))
    (finding,) = tls.compare(WANT, WELL, later)
    assert finding.seen.startswith("expired on 20")
    assert tls.compare(WANT, WELL, Context(certificates.NOW)) == []


def test_an_account_that_the_host_does_not_know() -> None:
    seen = replace(WELL, sids={AGENT: ""}, access=rights(SYSTEM, ADMINISTRATORS))
    assert [finding.seen for finding in tls.compare(WANT, seen)] == ["unknown"]
    with pytest.raises(BrokenLink, match="knows no account BUILD"):
        tls.check(WANT, seen)


@pytest.mark.parametrize("broken", range(3))
def test_what_cannot_be_read_is_not_absent(broken: int) -> None:
    results: list[Result] = [
        FileContent(True, TLS_PEM.encode()),
        DigestResult(True, 1, DIGEST),
        AccessResult(True, {"ssl-client.key": RIGHT}, {AGENT: SID}),
    ]
    assert tls.read(WANT, results) == WELL
    results[broken] = Failure("Access is denied.", "System.UnauthorizedAccessException", -2147024891)
    with pytest.raises(BrokenLink, match="cannot be read: Access is denied"):
        tls.read(WANT, results)


@pytest.mark.parametrize(
    ("files", "sids"),
    [
        ({"ssl-client.key": Failure("no", "x", 1)}, {AGENT: SID}),
        ({"ssl-client.key": RIGHT}, {AGENT: Failure("no", "x", 1)}),
    ],
)
def test_rights_that_cannot_be_read_are_not_none(files: Any, sids: Any) -> None:
    results: list[Result] = [
        FileContent(True, TLS_PEM.encode()),
        DigestResult(True, 1, DIGEST),
        AccessResult(True, files, sids),
    ]
    with pytest.raises(BrokenLink, match="cannot be read: no"):
        tls.read(WANT, results)


# By the modules
# ---------------------------------------------------------------------------------------------------------------


def clear(text: str) -> bool:
    """Whether a line of the key stands in a text."""
    return any(line in text for line in TLS_KEY.splitlines()[1:-1])


sdk3, sdk5 = client.sdk3, client.sdk5
"""Its fixtures."""


@pytest.fixture
def host(sdk5: FakeHost) -> FakeHost:
    sdk5.sids[AGENT] = SID
    return sdk5


def test_it_is_written_told_and_kept_secret(host: FakeHost) -> None:
    wanted = {**WANTED, **GIVEN}
    predicted = run_action(ActionModule, wanted, host, check_mode=True)
    done = run_action(ActionModule, wanted, host)
    assert (predicted["changed"], done["changed"]) == (True, True)
    assert predicted["diff"] == done["diff"]
    assert done["tls"] == {"certificate": TLS_PEM.strip(), "key": "as wanted", "may_read": [SID]}
    assert host.files[configure.TLS_KEY].decode() == TLS_KEY
    assert host.access[configure.TLS_KEY.lower()] == RIGHT
    for file in (CLI_FILE, KSP_FILE):
        assert configure.TLS_KEY in json.loads(host.files[file])["clusters"][0]["cluster"].values()
    again = run_action(ActionModule, wanted, host)
    assert (again["changed"], len(host.calls)) == (False, 1 + 3 + 1)
    for text in (predicted, done, again, host.calls):
        assert not clear(json.dumps(text))


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"tls_certificate": OTHER, "tls_key": OTHER_KEY}, ["write", "write_secret"]),
        ({"tls_readers": []}, ["write_secret"]),
    ],
)
def test_a_new_certificate_or_reader_is_a_change_of_files_only(
    host: FakeHost, change: Raw, steps: list[str]
) -> None:
    run_action(ActionModule, {**WANTED, **GIVEN}, host)
    before = len(host.steps())
    assert run_action(ActionModule, {**WANTED, **GIVEN, **change}, host)["changed"] is True
    assert [step["op"] for step in host.steps()[before:] if step["op"].startswith("write")] == steps


def test_the_report_compares_it_and_tells_nothing(host: FakeHost) -> None:
    run_action(ActionModule, {**WANTED, **GIVEN}, host)
    asked = {**WANTED, **GIVEN, "gather": ["client"], "provider": "CloudHSM Key Storage Provider"}
    well = run_action(InfoModule, asked, host)
    assert (well["converged"], well["client"]["tls"]["key"]) == (True, "as wanted")
    host.files[configure.TLS_KEY] = OTHER_KEY.encode()
    drifted = run_action(InfoModule, asked, host)
    assert [finding["what"] for finding in drifted["findings"]] == [configure.TLS_KEY]
    assert not clear(json.dumps([well, drifted]))


def test_it_is_removed_and_nothing_else_is_done(host: FakeHost) -> None:
    run_action(ActionModule, {**WANTED, **GIVEN}, host)
    kept = host.files[KSP_FILE]
    for check_mode in (True, False):
        result = run_action(ActionModule, {"tls_state": "absent"}, host, check_mode=check_mode)
        assert (result["changed"], result["tls"]["key"], result["tls"]["certificate"]) == (True, "none", None)
    assert configure.TLS_KEY not in host.files
    assert host.files[KSP_FILE] == kept
    assert run_action(ActionModule, {"tls_state": "absent"}, host)["changed"] is False


def test_a_removal_that_fails_is_named(host: FakeHost) -> None:
    host.files[configure.TLS_KEY] = TLS_KEY.encode()
    host.overrides["remove"] = lambda step: failure("in use", -2147024864, "System.IO.IOException")
    result = run_action(ActionModule, {"tls_state": "absent"}, host)
    assert (result["failed"], f"{configure.TLS_KEY} could not be removed" in result["msg"]) == (True, True)


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        ("sdk5", {"hsm_type": "hsm1"}, "tls_certificate is given for a cluster of type hsm1"),
        (
            "sdk3",
            {"client_sdk": "3", "hsm_type": "hsm1", "hsm_addresses": ["10.0.1.17"]},
            "Client SDK 3 knows HSMs of type hsm1 only",
        ),
        ("sdk5", {"tls_readers": ["nobody"]}, "knows no account nobody, which tls_readers names"),
    ],
)
def test_where_it_would_be_of_no_use(
    request: pytest.FixtureRequest, kind: str, arguments: Raw, says: str
) -> None:
    there: FakeHost = request.getfixturevalue(kind)
    there.sids[AGENT] = SID
    result = run_action(ActionModule, {**WANTED, **GIVEN, **arguments}, there)
    assert (result["failed"], result["link"], says in result["msg"]) == (True, "argument", True), result[
        "msg"
    ]


def test_a_key_that_could_not_be_written(host: FakeHost) -> None:
    host.overrides["write_secret"] = lambda step: failure("The disk is full.")
    result = run_action(ActionModule, {**WANTED, **GIVEN}, host)
    assert (result["failed"], "The disk is full" in result["msg"]) == (True, True)


# What goes along with it
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "given"),
    [
        ("retry_mode", "off", "--default-retry-mode off"),
        ("log_type", "term", "--log-type term"),
        ("log_folder", "D:\\logs\\", "--log-file D:\\logs\\cloudhsm-ksp.log"),
        ("log_level", "warn", "--log-level warn"),
        ("log_rotation", "never", "--log-rotation never"),
    ],
)
def test_an_option_of_one_value(host: FakeHost, option: str, value: str, given: str) -> None:
    run_action(ActionModule, WANTED, host)
    wanted = {**WANTED, option: value}
    predicted = run_action(ActionModule, wanted, host, check_mode=True)
    done = run_action(ActionModule, wanted, host)
    assert predicted["diff"] == done["diff"]
    assert given in [run[1] for run in host.runs() if run[0] == "configure-ksp.exe"][-1]
    assert (done["changed"], run_action(ActionModule, wanted, host)["changed"]) == (True, False)


@pytest.mark.parametrize("mode", ["off", "standard"])
def test_a_retry_mode_that_the_file_never_speaks_of_is_no_difference_of_its_own(
    host: FakeHost, mode: str
) -> None:
    for path in (configure.CONFIGURE_CLI, configure.CONFIGURE_KSP):
        known = host.tools[path]
        host.tools[path] = lambda step, known=known: ran() if "retry" in step["arguments"] else known(step)
    run_action(ActionModule, WANTED, host)
    done = run_action(ActionModule, {**WANTED, "retry_mode": mode}, host)
    assert (done["changed"], done.get("failed")) == (False, None)


def test_the_tools_ask_aws(host: FakeHost) -> None:
    wanted = {"ask_aws": True, "cluster_id": "cluster-a", "region": "eu-central-1"}
    done = run_action(ActionModule, wanted, host)
    assert done["changed"] is True, done
    assert [item["cluster_id"] for item in done["components"]] == ["cluster-a"] * 2
    assert ["configure-cli.exe", "--cluster-id cluster-a --region eu-central-1"] in host.runs()
    assert run_action(ActionModule, wanted, host)["changed"] is False
    other = run_action(ActionModule, {**wanted, "cluster_id": "cluster-b"}, host)
    assert (other["changed"], other["components"][1]["cluster_id"]) == (True, "cluster-b")
    assert "cluster_id" in run_action(ActionModule, {"ask_aws": True}, host)["msg"]


@pytest.mark.parametrize(
    ("addresses", "check"),
    [
        (["10.0.1.17", "2001:db8::17"], False),
        (["2001:db8::17", "2001:db8::23"], True),
        (["10.0.1.17", "10.0.2.23", "2001:db8::17", "2001:DB8:0::23"], True),
    ],
)
def test_an_hsm_with_two_addresses_is_one(host: FakeHost, addresses: list[str], check: bool) -> None:
    wanted = {"hsm_addresses": addresses, "check_connection": False}
    done = run_action(ActionModule, wanted, host)
    assert done["components"][1]["key_availability_check"] is check
    assert run_action(ActionModule, wanted, host)["changed"] is False


def test_a_provider_of_several_clusters_is_a_finding(host: FakeHost) -> None:
    run_action(ActionModule, WANTED, host)
    data = json.loads(host.files[KSP_FILE])
    data["clusters"].append({**data["clusters"][0], "cluster_id": "cluster-other"})
    host.files[KSP_FILE] = json.dumps(data).encode()
    found = run_action(
        InfoModule, {**WANTED, "gather": ["client"], "provider": "CloudHSM Key Storage Provider"}, host
    )["findings"]
    assert [(one["what"], one["seen"]) for one in found] == [("clusters in the configuration (ksp)", "2")]
