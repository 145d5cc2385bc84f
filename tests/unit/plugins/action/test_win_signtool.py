# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool as a user sees it: results, remote calls, files on the host, for every state and everything
that goes wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

sys.path.insert(0, str(Path(__file__).parent))

from fake_signtool import PROGRAM, SignToolHost, join, made, signed, split

from ansible_collections.cloudhsm.codesign.plugins.action.win_signtool import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    KeyProvInfo,
    StoredCertificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.container import FOLDER
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import PLACES
from support.fake_host import Raw, failure, ran, run_action
from support.store_blobs import write_blob
from tests.unit.plugins.certificates import FAULTS, unreadable

URL = "http://tsa.example.com/ts"
SECOND_URL = "http://tsa2.example.com/ts"
OTHER = "E5A33772F63DAF4DC4172E1285FA008745385F4C"
STORE = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\My\Certificates"
SECRET = "secret-Pass"  # noqa: S105
APP = r"C:\build\app.exe"
TOOL = r"C:\build\tool.exe"
CONTAINER = f"{FOLDER}\\signing-key"
NO_CERTIFICATE = "No certificates were found that met all the given criteria."


def certificate(
    name: str = "Example Code Signing",
    days: int = 365,
    usage: Any = ExtendedKeyUsageOID.CODE_SIGNING,
    size: int = 2048,
) -> x509.Certificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=size)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(4711)
    )
    builder = builder.not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=days))
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(key, hashes.SHA256())


CERTIFICATE = certificate()


def thumbprint(of: x509.Certificate) -> str:
    return of.fingerprint(hashes.SHA1()).hex().upper()


OWN = thumbprint(CERTIFICATE)


def put_certificate(
    host: SignToolHost,
    of: x509.Certificate,
    linked: bool = True,
    provider: str = "Cavium Key Storage Provider",
) -> str:
    key = KeyProvInfo("signing-key", provider, flags=32) if linked else None
    from cryptography.hazmat.primitives.serialization import Encoding

    blob = write_blob(StoredCertificate(of.public_bytes(Encoding.DER), key))
    host.registry[f"{STORE}\\{thumbprint(of)}|Blob"] = {
        "exists": True,
        "kind": "Binary",
        "base64": base64.b64encode(blob).decode(),
    }
    return thumbprint(of)


@pytest.fixture
def host() -> SignToolHost:
    made_host = SignToolHost(
        files={
            APP: b"MZ app",
            TOOL: b"MZ tool",
            r"C:\build\notes.txt": b"text of a note",
            r"C:\logs\keep": b"",
            CONTAINER: b"reference",
        }
    )
    put_certificate(made_host, CERTIFICATE)
    return made_host


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(
        "ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.following.time.sleep",
        slept.append,
    )
    return slept


AC = r"C:\certs\ca.cer"


def run(host: SignToolHost, check_mode: bool = False, **options: Any) -> Raw:
    given = {
        "files": [APP],
        **(
            {"thumbprint": OWN}
            if options.get("state", "signed") == "signed" and "subject" not in options
            else {}
        ),
        **options,
    }
    return run_action(ActionModule, given, host, check_mode=check_mode)


def no_copies(host: SignToolHost) -> bool:
    return not [name for name in host.files if ".codesign" in name]


def signatures(host: SignToolHost, path: str = APP) -> list[dict[str, Any]]:
    return split(host.files[path])[1]


# The good way
# ---------------------------------------------------------------------------------------------------------


def test_signs_with_a_timestamp_in_two_calls_and_changes_nothing_again(host: SignToolHost) -> None:
    result = run(host, files=[APP, TOOL], timestamp_urls=[URL])
    assert result["changed"]
    assert not result.get("failed")
    assert len(host.calls) == 2
    assert [entry["state_after"] for entry in result["files"]] == ["timestamped", "timestamped"]
    assert result["signed"] == 2
    entry = result["files"][0]
    assert (entry["path"], entry["state_before"], entry["signer"], entry["digest"], entry["signatures"]) == (
        APP,
        "unsigned",
        OWN,
        "sha256",
        1,
    )
    assert entry["timestamp"] == {"time": "2026-11-24T06:20:41", "authority": "Example Time Stamping"}
    assert entry["sha256_before"] != entry["sha256_after"]
    assert no_copies(host)
    after = dict(host.files)
    host.calls.clear()
    again = run(host, files=[APP, TOOL], timestamp_urls=[URL])
    assert not again["changed"]
    assert again["unchanged"] == 2
    assert len(host.calls) == 1
    assert host.files == after


def test_pattern_is_expanded_on_the_host_and_a_name_like_ours_is_a_file_of_the_user(
    host: SignToolHost,
) -> None:
    own = [r"C:\build\codesign-20261127.exe", r"C:\build\codesign-deadbeef.exe"]
    host.files.update(dict.fromkeys(own, b"MZ own"))
    result = run(host, files=[r"C:\build\*.exe", APP])
    assert sorted(entry["path"] for entry in result["files"]) == [APP, *own, TOOL]
    assert result["signed"] == 4
    assert no_copies(host)


DEEP = r"C:\tree\**\*.exe"


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_pattern_for_all_folders_below(host: SignToolHost, check_mode: bool) -> None:
    names = [r"C:\tree\a.exe", r"C:\tree\one\b.exe", r"C:\tree\one\two\c.exe"]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    host.files[r"C:\tree\notes\d.txt"] = b"text"
    result = run(host, files=[DEEP, r"C:\tree\one\*.exe", names[0]], check_mode=check_mode)
    assert sorted(entry["path"] for entry in result["files"]) == names
    assert result["changed"]
    assert no_copies(host)
    host.calls.clear()
    if not check_mode:
        again = run(host, files=[DEEP])
        assert (again["changed"], again["unchanged"], len(host.calls)) == (False, 3, 2)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({r"C:\tree\x.txt": b"text"}, rf"No file fits {DEEP}."),
        ({}, r"The folder C:\tree does not exist."),
        ({r"C:\tree\.codesign\f1.exe": b"MZ"}, rf"No file fits {DEEP}."),
    ],
    ids=["none", "no folder", "our own copies"],
)
def test_a_deep_pattern_that_finds_nothing_is_named(
    host: SignToolHost, files: dict[str, bytes], says: str
) -> None:
    host.files.update(files)
    result = run(host, files=[DEEP, APP])
    assert result["failed"]
    assert [entry["error"]["msg"] for entry in result["files"] if entry["error"]] == [says]
    assert len(signatures(host, APP)) == 1


def test_names_that_signtool_cannot_print_are_signed_under_a_short_name(host: SignToolHost) -> None:
    path = r"C:\build\日本.exe"
    host.files[path] = b"MZ cjk"
    result = run(host, files=[path])
    assert result["files"][0]["outcome"] == "changed"
    assert len(signatures(host, path)) == 1
    assert not run(host, files=[path])["changed"]


def test_many_files_are_spread_over_processes(host: SignToolHost) -> None:
    names = [rf"C:\many\f{number:03}.exe" for number in range(50)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    result = run(host, files=[r"C:\many\*.exe"], jobs=4, batch=10)
    assert result["signed"] == 50
    signing = [arguments for _program, arguments in host.runs() if arguments.startswith("sign ")]
    # Two full turns of four processes, all of the same length.
    assert sorted(arguments.count(".exe") for arguments in signing) == [6] * 6 + [7] * 2
    assert len(host.calls) == 2


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"exists": False}, "is not on this host. Give the path of a file that is there"),
        (failure("Access to the path is denied."), "cannot be read: Access to the path is denied. Check"),
    ],
)
def test_an_additional_certificate_that_cannot_be_read_is_named_before_signtool_runs(
    host: SignToolHost, monkeypatch: pytest.MonkeyPatch, answer: Raw, said: str, check_mode: bool
) -> None:
    there = host._digest
    monkeypatch.setattr(host, "_digest", lambda step: answer if step["path"] == AC else there(step))
    result = run(host, check_mode, additional_certificates=[AC])
    assert (result["failed"], result["changed"], result["link"]) == (True, False, "argument")
    assert result["msg"].startswith(f"The additional certificate {AC} {said}")
    assert len(host.calls) == 1


def test_an_additional_certificate_is_looked_at_only_for_what_will_be_signed(host: SignToolHost) -> None:
    host.files[APP] = signed(b"body", OWN)
    result = run(host, check_mode=True, additional_certificates=[AC])
    assert (result["changed"], "failed" in result) == (False, False)


def test_options_reach_signtool_before_the_file_names(host: SignToolHost) -> None:
    host.files[AC] = b"a certificate"
    run(
        host,
        description="Example Program",
        url="http://www.example.com/",
        page_hashes=True,
        additional_certificates=[AC],
        digest="sha384",
        timestamp_urls=[URL],
    )
    (arguments,) = [arguments for _program, arguments in host.runs() if arguments.startswith("sign ")]
    assert arguments.startswith(
        f"sign /v /debug /fd sha384 /sm /s My /sha1 {OWN} /tr {URL} /td sha256 /ac C:\\certs\\ca.cer /d "
    )
    assert '/d "Example Program" /du http://www.example.com/ /ph f1.exe' in arguments


def test_credentials_reach_the_signing_process_only(host: SignToolHost) -> None:
    result = run(host, crypto_user="signer", crypto_password=SECRET, client_sdk="5")
    assert result["changed"]
    assert [environment for environment in host.environments if environment] == [
        {"CLOUDHSM_PIN": "pin", "n3fips_password": "pin"}
    ]
    assert host.secrets[1] == {"pin": f"signer:{SECRET}"}
    assert SECRET not in json.dumps(host.calls)
    assert SECRET not in json.dumps(result)


# Check mode and diff
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "options", "state"),
    [
        (b"MZ app", {}, "signed"),
        (b"MZ app", {"timestamp_urls": [URL]}, "timestamped"),
        (signed(b"MZ app", OWN), {"timestamp_urls": [URL]}, "timestamped"),
        (signed(b"MZ app", OTHER), {"append": True}, "signed"),
        (signed(b"MZ app", OTHER, OWN), {"state": "unsigned"}, "unsigned"),
        (signed(b"MZ app", OTHER), {"state": "timestamped", "timestamp_urls": [URL]}, "timestamped"),
    ],
)
def test_check_mode_predicts_what_happens(
    host: SignToolHost, content: bytes, options: dict[str, Any], state: str
) -> None:
    host.files[APP] = content
    predicted = run(host, check_mode=True, **options)
    assert host.files[APP] == content
    assert len(host.calls) == 1
    actual = run(host, **options)
    assert predicted["changed"]
    assert actual["changed"]
    for key in (
        "path",
        "state_before",
        "state_after",
        "signatures",
        "action",
        "outcome",
        "changed",
        "sha256_before",
        "signer",
    ):
        assert predicted["files"][0][key] == actual["files"][0][key], key
    assert actual["files"][0]["state_after"] == state
    assert predicted["diff"] == actual["diff"]
    assert not run(host, **options)["changed"]


# What is there already
# ------------------------------------------------------------------------------------------------


def test_missing_timestamp_is_added_without_a_second_signature(host: SignToolHost) -> None:
    host.files[APP] = signed(b"MZ app", OTHER, OWN)
    result = run(host, timestamp_urls=[URL])
    assert result["files"][0]["action"] == "timestamp"
    assert [(one["signer"], one["stamped"]) for one in signatures(host)] == [(OTHER, False), (OWN, True)]
    assert any(
        "/tp 1 " in arguments for _program, arguments in host.runs() if arguments.startswith("timestamp")
    )


def test_append_adds_one_signature_once(host: SignToolHost) -> None:
    host.files[APP] = signed(b"MZ app", OTHER)
    assert run(host, append=True)["files"][0]["signatures"] == 2
    assert not run(host, append=True)["changed"]
    assert [one["signer"] for one in signatures(host)] == [OTHER, OWN]


def test_another_certificates_signature_is_left_unless_it_is_asked_for(host: SignToolHost) -> None:
    vendor = host.files[APP] = signed(b"MZ app", OTHER)
    result = run(host, files=[APP, TOOL])
    entry = result["files"][0]
    assert (entry["state_before"], entry["outcome"], entry["action"], entry["error"]) == (
        "signed_by_others",
        "left",
        "leave",
        None,
    )
    assert (result.get("failed", False), result["left"], result["unchanged"], result["signed"]) == (
        False,
        1,
        0,
        1,
    )
    (warning,) = result["warnings"]
    assert warning == f"{APP}: signed by somebody else ({OTHER}), and left as it is (foreign: leave)"
    assert host.files[APP] == vendor
    host.calls.clear()
    assert not run(host, files=[APP, TOOL])["changed"]
    assert len(host.calls) == 1
    failed = run(host, foreign="fail")
    assert (failed["failed"], failed["link"]) == (True, "file")
    assert "is signed by somebody else" in failed["msg"]
    assert host.files[APP] == vendor
    assert run(host, foreign="replace")["changed"]
    assert [one["signer"] for one in signatures(host)] == [OWN]
    # The certificate that was renewed is ours.
    host.files[APP] = signed(b"MZ app", OTHER)
    assert run(host, former=[" ".join(OTHER[at : at + 2] for at in range(0, 40, 2)).lower()])["changed"]
    assert [one["signer"] for one in signatures(host)] == [OWN]


def test_two_answers_about_somebody_elses_signature_are_refused(host: SignToolHost) -> None:
    assert "say two things" in run(host, append=True, foreign="replace")["msg"]
    assert "former:" in run(host, former=["4711"])["msg"]
    assert host.calls == []


def test_a_pattern_passes_over_what_cannot_be_signed(host: SignToolHost) -> None:
    host.files[r"C:\build\empty.dat"] = b""
    result = run(host, files=[r"C:\build\*"])
    assert result["failed_files"] == 2
    result = run(host, files=[r"C:\build\*"], unsignable="skip")
    assert not result.get("failed")
    assert {entry["path"].rsplit("\\", 1)[1]: entry["outcome"] for entry in result["files"]} == {
        "app.exe": "unchanged",
        "tool.exe": "unchanged",
        "notes.txt": "left",
        "empty.dat": "left",
    }
    assert "warnings" not in result
    assert run(host, files=[r"C:\build\notes.txt"], unsignable="skip")["failed"]


def test_msi_never_gets_as(host: SignToolHost) -> None:
    host.files.update({r"C:\build\new.msi": b"msi 1", r"C:\build\old.msi": signed(b"msi 2", OTHER)})
    result = run(host, files=[r"C:\build\new.msi", r"C:\build\old.msi"], append=True)
    assert result["failed"]
    assert result["changed"]
    assert [entry["outcome"] for entry in result["files"]] == ["changed", "failed"]
    assert "one only" in result["files"][1]["error"]["msg"]
    assert not any("/as" in arguments for _program, arguments in host.runs())


def test_untrusted_chain_is_reported_and_never_signed_again(host: SignToolHost) -> None:
    host.untrusted = {OWN}
    first = run(host)
    assert first["changed"]
    assert first["files"][0]["trusted"] is False
    assert any("does not trust" in warning for warning in first["warnings"])
    second = run(host)
    assert not second["changed"]
    assert not second.get("failed")
    assert any("does not trust" in warning for warning in second["warnings"])
    assert len(signatures(host)) == 1


def test_file_changed_after_signing_is_signed_anew(host: SignToolHost) -> None:
    host.files[APP] = join(b"MZ app, changed", [made(b"MZ app", OWN)])
    result = run(host)
    assert result["files"][0]["state_before"] == "changed_after_signing"
    assert len(signatures(host)) == 1
    assert not run(host)["changed"]


def test_one_broken_signature_among_two_is_a_question_for_a_person(host: SignToolHost) -> None:
    host.files[APP] = join(b"MZ app", [made(b"MZ other", OTHER), made(b"MZ app", OWN)])
    result = run(host)
    assert result["failed"]
    assert "does not tell which" in result["msg"]
    assert len(host.calls) == 1


# The other states
# -----------------------------------------------------------------------------------------------------


def test_verified_changes_nothing_and_names_what_is_not(host: SignToolHost) -> None:
    host.files[APP] = signed(b"MZ app", OWN)
    result = run(host, state="verified", files=[APP, TOOL])
    assert result["failed"]
    assert not result["changed"]
    assert len(host.calls) == 1
    assert [entry["outcome"] for entry in result["files"]] == ["unchanged", "failed"]
    assert f"{TOOL} is not signed" in result["msg"]
    assert not run(host, state="verified").get("failed")
    assert "but not by" in run(host, state="verified", thumbprint=OTHER)["msg"]
    assert "without a timestamp" in run(host, state="verified", timestamp_urls=[URL])["msg"]
    host.untrusted = {OWN}
    assert run(host, state="verified")["link"] == "certificate"


def test_timestamped_stamps_every_signature(host: SignToolHost) -> None:
    host.files[APP] = signed(b"MZ app", OTHER, OWN)
    result = run(host, state="timestamped", files=[APP, TOOL], timestamp_urls=[URL])
    assert [entry["outcome"] for entry in result["files"]] == ["changed", "failed"]
    assert all(one["stamped"] for one in signatures(host))
    assert "Sign it first" in result["files"][1]["error"]["msg"]


def test_second_signatures_are_stamped_file_by_file(host: SignToolHost) -> None:
    host.files[APP], host.files[TOOL] = signed(b"MZ app", OTHER, OWN), signed(b"MZ tool", OTHER, OWN)
    result = run(host, state="timestamped", files=[APP, TOOL], timestamp_urls=[URL])
    assert [entry["outcome"] for entry in result["files"]] == ["changed", "changed"]


def test_unsigned_takes_all_signatures_off(host: SignToolHost) -> None:
    host.files[APP] = signed(b"MZ app", OTHER, OWN)
    assert run(host, state="unsigned")["files"][0]["state_after"] == "unsigned"
    assert host.files[APP] == b"MZ app"
    assert no_copies(host)
    assert not run(host, state="unsigned", files=[APP, r"C:\build\notes.txt"])["changed"]


# What goes wrong
# ------------------------------------------------------------------------------------------------------


def test_second_authority_is_asked_when_the_first_is_dead(host: SignToolHost, sleeps: list[float]) -> None:
    host.dead_authorities = {URL: 99}
    result = run(host, files=[APP, TOOL], timestamp_urls=[URL, SECOND_URL])
    assert not result.get("failed")
    assert all(one["stamped"] for one in signatures(host))
    # Look, first try, the signature without a stamp, the stamp.
    assert len(host.calls) == 4
    assert sum(sleeps) == 0


@pytest.mark.parametrize(("seconds", "requests"), [(20, 100), (60, 110)])
def test_an_authority_that_limits_requests_stamps_all_and_the_key_is_used_twice_at_the_most(
    host: SignToolHost, sleeps: list[float], seconds: int, requests: int
) -> None:
    names = [rf"C:\many\f{number:02}.exe" for number in range(40)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    host.limit, host.seconds = (10, seconds), lambda: sum(sleeps)
    result = run(host, files=names, timestamp_urls=[URL])
    assert not result.get("failed"), result["msg"]
    assert all(one["stamped"] for name in names for one in signatures(host, name))
    uses = [arguments for _program, arguments in host.runs() if arguments.startswith("sign ")]
    assert sum(arguments.count(".exe") for arguments in uses) == 40 + 30
    assert host.stamp_requests < requests
    assert no_copies(host)


def test_a_hosts_own_login_that_is_not_proven_is_used_by_one_process_first(
    host: SignToolHost, first_login: Gate
) -> None:
    host.busy = 1
    names = [rf"C:\many\f{number}.exe" for number in range(6)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    refused = run(host, files=names, jobs=4)
    # Where the failure may be a refused login, a busy device gets no second try either.
    assert (refused["failed_files"], refused["not_tried"]) == (1, 5)
    assert len([one for one in host.runs() if one[1].startswith("sign ")]) == 1


def test_the_ledger_names_the_host_that_the_task_is_delegated_to(host: SignToolHost) -> None:
    given = {"files": [APP], "thumbprint": OWN, "ledger_path": r"C:\logs\l.jsonl"}
    assert not run_action(ActionModule, given, host, delegate_to="win7").get("failed")
    assert json.loads(host.files[r"C:\logs\l.jsonl"])["host"] == "win7"


def test_no_login_is_sent_where_ansible_keeps_its_files(
    host: SignToolHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"crypto_user": "codesigner", "crypto_password": SECRET}
    monkeypatch.setattr("ansible.constants.DEFAULT_KEEP_REMOTE_FILES", True)
    result = run(host, **login)
    assert (result["link"], "ANSIBLE_KEEP_REMOTE_FILES" in result["msg"]) == ("argument", True)
    assert not any(host.secrets)
    assert not run(host).get("failed")


def test_signtool_that_hangs_on_this_windows_is_not_run_to_sign(host: SignToolHost) -> None:
    host.windows_build = 14393
    host.versions[PROGRAM] = "10.0.28000.2957"
    result = run(host)
    assert "signing hangs with it on Windows Server 2016" in result["msg"]
    assert (result["link"], len(host.calls)) == ("signtool", 1)
    verified = run(host, state="verified")
    assert "hangs" not in verified["msg"]


@pytest.mark.parametrize("logged", [False, True])
def test_a_login_that_module_logging_has_seen_is_told(host: SignToolHost, logged: bool) -> None:
    host.module_logging = logged
    result = run(host, crypto_user="codesigner", crypto_password=SECRET)
    assert any("event 4103" in text for text in result.get("warnings", [])) is logged
    # Nothing was sent: nothing was seen.
    assert not any("event 4103" in text for text in run(host).get("warnings", []))


@pytest.mark.parametrize(
    ("failure_", "words"),
    [
        (
            {
                "error": [
                    {
                        "fully_qualified_error_id": "ScriptContainedMaliciousContent",
                        "exception": {"message": "At line:1\n+ a\n~\nblocked"},
                    }
                ]
            },
            "virus protection of this host (AMSI) blocked",
        ),
        (
            {
                "msg": "MODULE FAILURE",
                "module_stderr": "This script contains malicious content and has been blocked by your antivirus software.",
            },
            "virus protection of this host (AMSI) blocked",
        ),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "rc": 1}, "ended on this host without an answer"),
    ],
)
def test_a_virus_protection_is_told_in_one_sentence(host: SignToolHost, failure_: Raw, words: str) -> None:
    host.module_failure = {"failed": True, **failure_}
    result = run(host)
    assert (result["link"], words in result["msg"]) == ("host", True), result["msg"]
    assert "\n" not in result["msg"]


def test_an_authority_that_stops_answering_is_named_with_a_limit_as_one_cause(
    host: SignToolHost, sleeps: list[float]
) -> None:
    names = [rf"C:\many\f{number:02}.exe" for number in range(20)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    host.limit = (5, 1)
    result = run(host, files=names, timestamp_urls=[URL])
    assert (result["link"], result["failed_files"]) == ("timestamp", 15)
    assert URL in result["msg"]
    assert "limits requests may be the cause, too" in result["msg"]
    assert [seconds for seconds in sleeps if seconds] == [5, 10, 20, 40, 80, 160]


def test_a_busy_device_gets_one_more_try(host: SignToolHost, sleeps: list[float]) -> None:
    host.busy = 1
    result = run(host, files=[APP, TOOL], jobs=1)
    assert not result.get("failed"), result["msg"]
    assert sum(sleeps) == 2
    host.files[APP] = b"MZ other"
    host.busy = 2
    result = run(host, files=[APP])
    assert (result["link"], result["files"][0]["error"]["code"]) == ("key", "0x8009002d")


def test_all_authorities_dead_leaves_the_file_as_it_was(host: SignToolHost, sleeps: list[float]) -> None:
    host.dead_authorities = {URL: 99, SECOND_URL: 99}
    before = dict(host.files)
    result = run(host, timestamp_urls=[URL, SECOND_URL], timestamp_attempts=3, timestamp_delay=5)
    assert result["failed"]
    assert result["link"] == "timestamp"
    assert "6 tries" in result["msg"]
    assert host.files == before
    assert [seconds for seconds in sleeps if seconds] == [5, 10]


@pytest.mark.parametrize("append", [False, True])
def test_signature_left_without_its_timestamp_gets_it_and_no_second_signature(
    host: SignToolHost, append: bool
) -> None:
    host.stamp_failure_leaves_signed = True
    host.dead_authorities = {URL: 1}
    host.files[APP] = signed(b"MZ app", OTHER) if append else b"MZ app"
    result = run(host, timestamp_urls=[URL], append=append)
    assert not result.get("failed"), result["msg"]
    assert [(one["signer"], one["stamped"]) for one in signatures(host)] == (
        [(OTHER, False)] if append else []
    ) + [(OWN, True)]
    commands = [arguments.split()[0] for _program, arguments in host.runs()]
    assert commands.count("sign") == 1
    assert commands.count("timestamp") == 1


def test_key_failure_ends_a_run_and_the_files_behind_it_go_into_the_next(host: SignToolHost) -> None:
    names = [rf"C:\many\f{number}.exe" for number in range(6)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    host.key_fails_at = {b"MZ " + names[2].encode()}
    result = run(host, files=names, jobs=1)
    assert [entry["outcome"] for entry in result["files"]] == [
        "changed",
        "changed",
        "failed",
        "changed",
        "changed",
        "changed",
    ]
    assert result["failed"]
    assert result["failed_files"] == 1
    assert names[2] in result["msg"]
    assert "0x8009002d" in result["msg"]
    assert result["link"] == "key"
    assert no_copies(host)


def test_key_that_never_signs_leaves_the_rest_not_tried(host: SignToolHost) -> None:
    names = [rf"C:\many\f{number}.exe" for number in range(9)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    host.key_fails_at = {host.files[name] for name in names}
    before = dict(host.files)
    result = run(host, files=names, jobs=1)
    assert not result["changed"]
    assert host.files == before
    assert result["not_tried"] == 7
    assert result["failed_files"] == 2
    assert "was not tried" in result["files"][-1]["error"]["msg"]


def test_different_errors_in_one_run_are_told_apart_by_running_alone(host: SignToolHost) -> None:
    names = [rf"C:\many\f{number}.exe" for number in range(5)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    host.dead_authorities = {URL: 1}
    host.key_fails_at = {b"MZ " + names[3].encode()}
    result = run(host, files=names, jobs=1, timestamp_urls=[URL])
    assert [entry["outcome"] for entry in result["files"]] == [
        "changed",
        "changed",
        "changed",
        "failed",
        "changed",
    ]
    assert result["files"][3]["error"]["link"] == "key"


def test_tool_that_hangs_is_stopped_and_says_where(host: SignToolHost) -> None:
    host.hangs_at = {b"MZ app"}
    result = run(host, files=[APP, TOOL], jobs=1, timeout=7)
    assert [entry["outcome"] for entry in result["files"]] == ["failed", "changed"]
    assert "did not end within 7 seconds" in result["msg"]
    assert result["link"] == "signtool"


def words(host: SignToolHost) -> list[str]:
    """What SignTool was run for, without the verifications."""
    return [one for _program, line in host.runs() if (one := line.split(" ")[0]) in ("sign", "timestamp")]


@pytest.mark.parametrize(
    ("hangs", "urls", "stamps"),
    [
        # Signed apart, then stamped by the next authority, or by the only one once more.
        ({URL: 1}, [URL, SECOND_URL], 1),
        ({URL: 1}, [URL], 1),
        ({URL: 2}, [URL], 2),
        ({URL: 9, SECOND_URL: 1}, [URL, SECOND_URL, "http://tsa3.example.com/ts"], 2),
    ],
)
def test_an_authority_that_never_answers_is_one_that_failed(
    host: SignToolHost, hangs: dict[str, int], urls: list[str], stamps: int
) -> None:
    host.hanging_authorities = dict(hangs)
    result = run(host, timestamp_urls=urls, timeout=7)
    assert not result.get("failed"), result
    assert words(host) == ["sign", "sign", *["timestamp"] * stamps]
    (one,) = signatures(host)
    assert one["stamped"]
    assert no_copies(host)


@pytest.mark.parametrize("state", ["signed", "timestamped"])
def test_authorities_that_never_answer_are_named_and_no_file_waits_alone(
    host: SignToolHost, state: str
) -> None:
    names = [rf"C:\many\f{number}.exe" for number in range(6)]
    bodies = {name: b"MZ " + name.encode() for name in names}
    host.files.update(
        {name: signed(body, OWN) if state == "timestamped" else body for name, body in bodies.items()}
    )
    before = dict(host.files)
    host.hanging_authorities = {URL: 99}
    result = run(
        host, files=names, state=state, jobs=1, timestamp_urls=[URL], timestamp_attempts=2, timeout=7
    )
    assert (result["link"], result["failed_files"]) == ("timestamp", 6)
    assert f"none of the authorities ({URL}) gave a valid answer in 2 tries" in result["msg"]
    assert "not there within 7 seconds" in result["msg"]
    assert 99 - host.hanging_authorities[URL] <= 3
    assert host.files == before


def test_files_that_are_stamped_before_one_hangs_stay_stamped(host: SignToolHost) -> None:
    names = [rf"C:\many\f{number}.exe" for number in range(5)]
    host.files.update({name: b"MZ " + name.encode() for name in names})
    asked: list[str] = []
    hangs = host._hangs

    def third(url: str) -> bool:
        asked.append(url)
        return hangs(url) or len(asked) == 3

    host._hangs = third  # type: ignore[method-assign]
    result = run(host, files=names, jobs=1, timestamp_urls=[URL], timeout=7)
    assert not result.get("failed"), result
    assert all(split(host.files[name])[1][0]["stamped"] for name in names)
    # The key was used twice for the one file at which it hung.
    assert words(host).count("sign") == 3


def test_a_run_that_hangs_is_asked_about_with_one_login(host: SignToolHost) -> None:
    """The HSM that cannot be reached is the usual cause."""
    host.hangs_at = {b"MZ app", b"MZ tool"}
    tried = refusing(host)
    result = run(host, files=[APP, TOOL], jobs=1, timeout=7, **LOGIN)
    assert (result["link"], len(tried)) == ("credential", 1)
    for one in result["files"]:
        assert "refused the crypto user or the password" in one["error"]["msg"]
    del host.files[CONTAINER]
    host.hanging_authorities = {URL: 9}
    for options in ({}, {"timestamp_urls": [URL]}, {"timestamp_urls": [URL], "timestamp_attempts": 1}):
        tried.clear()
        result = run(host, files=[APP], timeout=7, **LOGIN, **options)
        assert (result["link"], tried) == ("container", [])
        assert "signing-key" in result["msg"]
        assert "(SignTool did not end in time)" in result["msg"]


def test_a_run_that_hangs_and_has_no_reason_keeps_its_sentence(host: SignToolHost) -> None:
    host.hangs_at = {b"MZ app"}
    result = run(host, timeout=7)
    assert (result["link"], "did not end within 7 seconds" in result["msg"]) == ("signtool", True)
    assert "Check the HSM, or raise timeout." in result["msg"]
    host.files[APP] = signed(b"MZ app", OWN)
    host.overrides["together"] = lambda step: _hanging_removal(host, step)
    result = run(host, state="unsigned", timeout=7)
    assert "was stopped. Raise timeout." in result["msg"]
    assert len(host.calls[-1]) == 1, "nobody is asked about a key that was not used"


def _hanging_removal(host: SignToolHost, step: Raw) -> Raw:
    if step["runs"] and step["runs"][0]["arguments"].startswith("remove"):
        return {"results": [ran(None, timed_out=True)], "failed": True}
    return host._together(step)


@pytest.mark.parametrize(
    ("sentence", "link", "words"),
    [
        (
            "No certificates were found that met all the given criteria.",
            "certificate",
            "found no certificate",
        ),
        (
            "An error occurred while attempting to load the signing\r\n\tcertificate from: codesign-1.exe",
            "certificate",
            "tied to a key that is not its own",
        ),
        (
            "An error occurred while attempting to load the signing\r\n\tcertificate from: C:\\certs\\gone.cer",
            "argument",
            "additional certificate C:\\certs\\gone.cer",
        ),
        ("No private key is available.", "key", "cannot be opened"),
        (
            f"{NO_CERTIFICATE}\r\nAfter Private Key filter, 0 certs were left.",
            "certificate",
            "the provider opens no key for the certificate",
        ),
        (
            f"{NO_CERTIFICATE}\r\nn3fips_password is not set\r\nAfter Private Key filter, 0 certs were left.",
            "credential",
            "has no credentials",
        ),
        ("Something nobody has seen before.", "signtool", "Something nobody has seen before."),
    ],
)
def test_selection_errors_are_named(host: SignToolHost, sentence: str, link: str, words: str) -> None:
    host.selection_error = sentence
    gone = r"C:\certs\gone.cer"
    host.files[gone] = b"no certificate"
    result = run(host, files=[APP, TOOL], jobs=1, additional_certificates=[gone])
    assert result["failed"]
    assert result["link"] == link
    assert words in result["msg"]
    assert not result["changed"]
    assert no_copies(host)


# The key
# ------------------------------------------------------------------------------------------------------------------

LOGIN = {"crypto_user": "signer", "crypto_password": SECRET}
NO_KEY = f"{NO_CERTIFICATE}\r\nAfter Private Key filter, 0 certs were left."
REFUSED = '{"error_code": 1, "data": "Incorrect credentials are passed for this operation: Incorrect authentication credentials."}'
NOBODY_LOCKED = '{"error_code": 0, "data": {"users": [{"username": "signer", "locked": "false"}]}}'


def refusing(host: SignToolHost) -> list[str]:
    """A cloudhsm-cli that refuses every login; the logins that were tried."""
    tried: list[str] = []

    def answer(step: Raw) -> Raw:
        if step["arguments"].startswith("user list"):
            return ran(0, NOBODY_LOCKED)
        tried.append(step["arguments"])
        return ran(1, REFUSED)

    host.tools[cloudhsm_cli.WINDOWS_PROGRAM] = answer
    return tried


def test_a_key_that_cannot_be_opened_is_asked_about_once_for_all_files(host: SignToolHost) -> None:
    host.selection_error = NO_KEY
    del host.files[CONTAINER]
    tried = refusing(host)
    result = run(host, files=[APP, TOOL], jobs=2, batch=1, **LOGIN)
    assert (result["link"], result["failed_files"], tried) == ("container", 2, [])
    for one in result["files"]:
        assert one["error"]["link"] == "container"
        assert one["error"]["msg"].startswith(
            f"{one['path']}: The key container signing-key, which the certificate"
        )
        assert "No certificates were found" in one["error"]["output"]
    # One look, one round, one call that cleans up and looks at the host, one that asks.
    assert len(host.calls) == 4
    assert no_copies(host)


def test_a_login_is_tried_once_where_signtool_names_no_reason(host: SignToolHost) -> None:
    host.key_fails_at = {b"MZ app", b"MZ tool"}
    tried = refusing(host)
    result = run(host, files=[APP, TOOL], jobs=1, **LOGIN)
    assert (result["link"], len(tried)) == ("credential", 1)
    assert "refused the crypto user or the password" in result["msg"]
    assert "(SignTool: 0x8009002d)" in result["msg"]
    assert "was not tried: cloudhsm-cli" in result["files"][1]["error"]["msg"] or result["not_tried"] == 0
    assert SECRET not in json.dumps(result)


@pytest.mark.parametrize("error", ["Something nobody has seen before.", NO_CERTIFICATE])
def test_what_is_not_of_the_key_is_not_asked_about(host: SignToolHost, error: str) -> None:
    host.selection_error = error
    tried = refusing(host)
    run(host, files=[APP], **LOGIN)
    assert (tried, len(host.calls)) == ([], 3)


def test_a_provider_of_somebody_else(host: SignToolHost) -> None:
    put_certificate(host, CERTIFICATE, provider="Contoso Key Storage Provider")
    host.selection_error = NO_KEY
    tried = refusing(host)
    result = run(host, files=[APP], **LOGIN)
    assert "The provider Contoso Key Storage Provider is not registered on this host" in result["msg"]
    host.providers = ("Contoso Key Storage Provider",)
    assert "the provider opens no key" in run(host, files=[APP], **LOGIN)["msg"]
    assert tried == []


def test_a_store_that_cannot_be_read_any_more_hides_no_failure(host: SignToolHost) -> None:
    host.selection_error = NO_KEY
    host.overrides["service"] = lambda step: failure("Access is denied", -2147024891)
    assert "the provider opens no key" in run(host, files=[APP])["msg"]


def test_warning_exit_code_is_a_warning(host: SignToolHost) -> None:
    host.enclave_warning = True
    result = run(host)
    assert result["changed"]
    assert not result.get("failed")
    assert any("VBS enclave" in warning for warning in result["warnings"])


def test_bad_files_are_named_and_the_good_ones_signed(host: SignToolHost) -> None:
    host.files.update({r"C:\build\empty.exe": b"", r"C:\build\held.exe": b"MZ held"})
    host.locked = {r"c:\build\held.exe"}
    files = [
        r"C:\build\empty.exe",
        r"C:\build\held.exe",
        r"C:\build\gone.exe",
        r"C:\build\notes.txt",
        r"C:\build\*.sys",
        APP,
    ]
    result = run(host, files=files)
    by_path = {entry["path"]: entry for entry in result["files"]}
    assert result["failed"]
    assert result["changed"]
    assert by_path[APP]["outcome"] == "changed"
    for path, words in (
        (files[0], "is empty"),
        (files[1], "is in use"),
        (files[2], "does not exist"),
        (files[3], "not recognized"),
        (files[4], "No file fits"),
    ):
        assert words in by_path[path]["error"]["msg"]
    assert "5 of 6 files are not as wanted" in result["msg"]


def test_file_that_gets_in_use_meanwhile_stays_as_it_was(host: SignToolHost) -> None:
    host.overrides["move"] = lambda step: host._in_use()
    result = run(host)
    assert result["failed"]
    assert "it is in use" in result["msg"]
    assert r"The signed copy stays in C:\build\.codesign" in result["msg"]
    assert host.files[APP] == b"MZ app"
    # The next run puts it in place: the key is not used again.
    host.overrides.clear()
    host.environments.clear()
    signing = len([arguments for _program, arguments in host.runs() if arguments.startswith("sign ")])
    again = run(host, ledger_path=LEDGER)
    entry = again["files"][0]
    assert (entry["outcome"], entry["action"], entry["state_before"], entry["state_after"]) == (
        "changed",
        "sign",
        "unsigned",
        "signed",
    )
    assert (again["changed"], again["signed"]) == (True, 1)
    assert entry["sha256_before"] == hashlib.sha256(b"MZ app").hexdigest()
    assert len([arguments for _program, arguments in host.runs() if arguments.startswith("sign ")]) == signing
    assert "Its finished work is in place: app.exe." in again["warnings"][0]
    assert no_copies(host)


def test_file_that_is_read_only_stays_as_it_was(host: SignToolHost) -> None:
    host.overrides["move"] = lambda step: failure(
        f"Access to the path '{step['target']}' is denied.", -2147024891, "System.UnauthorizedAccessException"
    )
    result = run(host)
    assert "could not be replaced by its signed copy" in result["msg"]
    assert "Check that it is not read-only" in result["msg"]
    assert host.files[APP] == b"MZ app"
    # Other files of the folder do not wait for it.
    again = run(host, files=[APP, TOOL])
    assert [entry["outcome"] for entry in again["files"]] == ["failed", "failed"]
    assert "could not be ended (Access to the path" in again["msg"]
    host.overrides["move"] = lambda step: (
        failure("Access is denied.", -2147024891, "System.UnauthorizedAccessException")
        if step["target"] == APP
        else host._move(step)
    )
    again = run(host, files=[APP, TOOL])
    assert [entry["outcome"] for entry in again["files"]] == ["failed", "changed"]
    assert "could not be ended (Access is denied)" in again["msg"]
    host.overrides.clear()
    assert run(host, files=[APP, TOOL])["signed"] == 1
    assert no_copies(host)


def test_file_that_cannot_be_copied_fails_alone(host: SignToolHost) -> None:
    host.overrides["copy"] = lambda step: (
        failure("There is not enough space on the disk.", -2147024784, "System.IO.IOException")
        if "app" in step["path"]
        else host._copy(step)
    )
    result = run(host, files=[APP, TOOL], jobs=1)
    assert [entry["outcome"] for entry in result["files"]] == ["failed", "changed"]
    assert "the disk of C:\\build is full" in result["msg"]
    assert no_copies(host)


def test_what_was_begun_is_ended_when_the_connection_breaks(host: SignToolHost) -> None:
    calls = 0
    real = host.__call__

    class Breaking(SignToolHost):
        def __call__(self, *arguments: Any, **keywords: Any) -> Raw:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise ConnectionError("gone")
            return real(*arguments, **keywords)

    with pytest.raises(ConnectionError):
        run(Breaking(), ledger_path=LEDGER)
    assert calls == 5
    assert no_copies(host)
    assert host.files[APP] == b"MZ app"


# Bad input
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"files": [APP + " "]}, "begins or ends with a blank"),
        ({"files": ['"' + APP + '"']}, "stands in quotes"),
        ({"files": ["app.exe"]}, "is not an absolute path"),
        ({"files": ["C:\\build\\"]}, "is a folder"),
        ({"files": [r"C:\b*\app.exe"]}, "wildcard in a folder"),
        ({"files": [r"C:\b\**\c\*.exe"]}, "wildcard in a folder"),
        ({"files": [r"C:\b\**"]}, "wildcard in a folder"),
        ({"files": ["C:\\build\\" + "x" * 260 + ".exe"]}, "SignTool takes 259"),
        ({"files": ["C:\\build\\\u200eapp.exe"]}, "invisible character"),
        ({"files": [r"C:\build\a|b.exe"]}, "no file name has"),
        ({"files": [""]}, "path is empty"),
        ({"files": []}, "list files is empty"),
        ({"thumbprint": "1234"}, "4 hex digits"),
        ({"thumbprint": "xyz"}, "no hex digits"),
        ({"timestamp_urls": ["https://tsa.example.com"]}, "https included"),
        ({"state": "timestamped", "timestamp_urls": []}, "timestamp_urls is empty"),
        ({"jobs": -1}, "at least 0"),
        ({"additional_certificates": [r"C:\a.cer", r"C:\b.cer"]}, "one additional certificate and no more"),
        ({"additional_certificates": [" "]}, "name of an additional certificate is empty"),
        ({"thumbprint": ""}, "is not named: thumbprint, subject and issuer are empty"),
        ({"subject": " "}, "is not named: thumbprint, subject and issuer are empty"),
        ({"state": "unsigned", "subject": " "}, "is not named"),
        ({"timestamp_urls": ["http://a, http://b"]}, "holds a blank"),
        ({"timeout": 0}, "at least 1"),
        ({"timeout": 10_000_000}, "timeout is 10000000 seconds; it must be 1000000 at the most"),
        ({"lock_timeout": -1}, "at least 0"),
        ({"timestamp_delay": 2**40}, "at the most"),
        ({"crypto_user": "cu", "crypto_password": True}, "crypto_password is no text as YAML reads it"),
        ({"crypto_user": "cu", "crypto_password": ["a-password"]}, "crypto_password is no text"),
        ({"description": "two\nlines"}, "control character"),
        ({"store_name": "My\\Other"}, "store name"),
        ({"ledger_path": r"C:\logs\*.json"}, "holds a wildcard"),
        ({"ledger_path": APP}, "is that of a file to sign"),
    ],
)
def test_bad_input_is_refused_before_any_remote_call(
    host: SignToolHost, options: dict[str, Any], words: str
) -> None:
    result = run(host, **options)
    assert result["failed"]
    assert words in result["msg"]
    assert host.calls == []


def test_thumbprint_as_copied_from_the_certificate_window(host: SignToolHost) -> None:
    copied = "\u200e" + " ".join(OWN[at : at + 2].lower() for at in range(0, 40, 2))
    assert run(host, thumbprint=copied)["files"][0]["signer"] == OWN


def test_certificate_that_cannot_sign_is_refused_before_signtool_runs(host: SignToolHost) -> None:
    cases = [
        (certificate(days=-1), True, "expired"),
        (certificate(usage=ExtendedKeyUsageOID.SERVER_AUTH), True, "not made for code signing"),
        (certificate(size=1024), True, "1024 bits"),
        (certificate(), False, "not tied to a key"),
    ]
    for one, linked, words in cases:
        result = run(host, thumbprint=put_certificate(host, one, linked))
        assert result["failed"]
        assert words in result["msg"]
        assert result["link"] == "certificate"
    assert "There is no certificate" in run(host, thumbprint=OTHER)["msg"]
    assert not any(arguments.startswith("sign") for _program, arguments in host.runs())
    assert run(host, thumbprint=put_certificate(host, certificate(usage=None)))["changed"]


def test_subject_must_fit_exactly_one_certificate(host: SignToolHost) -> None:
    put_certificate(host, certificate("Example Expired", days=-1))
    assert run(host, subject="example code")["files"][0]["signer"] == OWN
    assert "expired" in run(host, subject="Example Expired")["msg"]
    assert "No certificate" in run(host, subject="Nobody")["msg"]
    put_certificate(host, certificate("Example Code Signing Two"))
    assert "2 certificates" in run(host, subject="Example Code")["msg"]


def test_signtool_of_the_sdk_is_found_where_the_roles_is_not(host: SignToolHost) -> None:
    """The files are looked at once more, with the SignTool that is there."""
    places: list[str] = []

    def version(step: Raw) -> Raw:
        places.append(step["path"])
        return host._version(step) if step["path"] == PLACES[1] else {"exists": False}

    host.overrides["version"] = version
    result = run(host)
    assert (result["changed"], result["signtool_path"]) == (True, PROGRAM)
    assert places == list(PLACES)
    assert [split(host.files[APP])[1][0]["signer"], len(host.calls)] == [OWN, 3]


def put_der(host: SignToolHost, der: bytes) -> str:
    """A certificate of the store that nobody could make with ``cryptography``."""
    stored = StoredCertificate(der, KeyProvInfo("signing-key", "Cavium Key Storage Provider", flags=32))
    host.registry[f"{STORE}\\{stored.thumbprint}|Blob"] = {
        "exists": True,
        "kind": "Binary",
        "base64": base64.b64encode(write_blob(stored)).decode(),
    }
    return stored.thumbprint


@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_that_cannot_be_read(host: SignToolHost, fault: str) -> None:
    odd = put_der(host, unreadable(fault))
    assert run(host, subject="example code")["files"][0]["signer"] == OWN
    asked, missed = run(host, files=[TOOL], thumbprint=odd), run(host, files=[TOOL], subject="Odd")
    assert (asked["link"], missed["link"]) == ("certificate", "certificate")
    assert asked["msg"].startswith(f"The certificate {odd} in LocalMachine\\My cannot be read: ")
    assert f"not looked into was {odd}, which cannot be read" in missed["msg"]


def test_signtool_missing_and_x86(host: SignToolHost) -> None:
    assert "x86 SignTool" in run(host, signtool_path=r"C:\Kits\10.0.26100.0\x86\signtool.exe")["msg"]
    host.program = ""
    result = run(host)
    assert result["link"] == "signtool"
    assert "There is no SignTool" in result["msg"]


# The ledger
# -----------------------------------------------------------------------------------------------------------

LEDGER = r"C:\logs\signed.jsonl"


def test_ledger_gets_one_line_a_signature_and_none_for_nothing(host: SignToolHost) -> None:
    host.files[LEDGER] = b'{"file": "older"}\n{"file": "torn by a cr'
    run(host, files=[APP, TOOL], ledger_path=LEDGER, timestamp_urls=[URL])
    lines = host.files[LEDGER].split(b"\n")
    assert lines[0] == b'{"file": "older"}'
    assert lines[1] == b'{"file": "torn by a cr'
    assert lines[4] == b""
    entries = [json.loads(line) for line in lines[2:4]]
    assert [entry["file"] for entry in entries] == [APP, TOOL]
    assert entries[0]["account"] == "WINHOST\\Administrator"
    assert entries[0]["certificate"] == OWN
    assert entries[0]["timestamp"] == {"time": "2026-11-24T06:20:41Z", "authority": "Example Time Stamping"}
    assert entries[0]["sha256_before"] != entries[0]["sha256_after"]
    after = host.files[LEDGER]
    run(host, files=[APP, TOOL], ledger_path=LEDGER, timestamp_urls=[URL])
    assert host.files[LEDGER] == after


def test_ledger_without_a_folder_stops_before_signing_and_a_full_disk_is_told(host: SignToolHost) -> None:
    result = run(host, ledger_path=r"C:\nowhere\signed.jsonl")
    assert result["link"] == "ledger"
    assert len(host.calls) == 1
    append = host._append

    def full(step: Raw) -> Raw:
        return (
            append(step)
            if not step["base64"]
            else failure("There is not enough space on the disk.", -2147024784, "System.IO.IOException")
        )

    host.overrides["append"] = full
    result = run(host, ledger_path=LEDGER)
    # The signature is made and no line tells of it: the file is changed, and it counts as failed.
    assert (result["failed"], result["link"], result["changed"], result["failed_files"]) == (
        True,
        "ledger",
        True,
        1,
    )
    assert "is signed, but the ledger" in result["msg"]
    assert len(signatures(host)) == 1


# The documentation
# ----------------------------------------------------------------------------------------------------


def test_examples_run_and_return_what_is_documented(host: SignToolHost) -> None:
    import yaml

    from ansible_collections.cloudhsm.codesign.plugins.modules import win_signtool as module

    documented = yaml.safe_load(module.RETURN)
    ansible_own = {"changed", "failed", "msg", "warnings", "diff"}
    example_files = {
        r"C:\build\setup.msi": b"msi",
        r"C:\vendor\driver.dll": signed(b"MZ dll", OTHER),
        r"C:\release\a.exe": signed(b"MZ a", OWN),
        r"C:\ProgramData\codesign\x": b"",
    }
    host.files.update(example_files)
    outcomes = []
    for example in yaml.safe_load(module.EXAMPLES):
        arguments = example["cloudhsm.codesign.win_signtool"]
        given = {"thumbprint": OWN, "crypto_user": "codesigner"}
        arguments |= {name: value for name, value in given.items() if name in arguments}
        result = run_action(ActionModule, arguments, host)
        assert not result.get("failed"), result["msg"]
        assert set(result) - ansible_own == {
            key for key, value in documented.items() if not value["returned"].startswith("failure")
        }
        for entry in result["files"]:
            assert set(entry) == set(documented["files"]["contains"])
        outcomes.append([entry["outcome"] for entry in result["files"]])
    assert outcomes == [["changed", "changed", "changed"], ["changed"], ["unchanged"]]
    assert "link" in run(host, files=[r"C:\build\gone.exe"])


def test_arguments_are_the_documented_options() -> None:
    import yaml

    from ansible_collections.cloudhsm.codesign.plugins.doc_fragments import client_sdk, credentials, store
    from ansible_collections.cloudhsm.codesign.plugins.modules import win_signtool as module

    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    for fragment in (client_sdk, credentials, store):
        documented.update(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"])
    spec = ActionModule.ARGUMENTS.argument_spec
    assert set(spec) == set(documented)
    for name, option in spec.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert option.get(key) == documented[name].get(key), (name, key)


# What this host does not accept
# ----------------------------------------------------------------------------------------


def test_a_stamp_whose_authority_the_host_does_not_know_is_made_once(host: SignToolHost) -> None:
    host.unknown_authority = True
    first = run(host, files=[APP, TOOL], timestamp_urls=[URL])
    assert not first.get("failed"), first.get("msg")
    for entry in first["files"]:
        assert (entry["outcome"], entry["state_after"], entry["trusted"], entry["error"]) == (
            "changed",
            "timestamped",
            False,
            None,
        )
        assert entry["timestamp"] == {"time": None, "authority": None}
        assert entry["not_accepted"]["link"] == "timestamp"
    (warning,) = first["warnings"]
    assert "and 1 more file" in warning
    assert "Put the root certificate of the timestamp authority into LocalMachine\\Root." in warning
    host.calls.clear()
    again = run(host, files=[APP, TOOL], timestamp_urls=[URL])
    assert (again["changed"], len(host.calls)) == (False, 1)
    assert again["warnings"] == first["warnings"]
    assert run(host, state="verified", timestamp_urls=[URL])["link"] == "timestamp"
    host.unknown_authority = False
    assert run(host, timestamp_urls=[URL])["files"][0]["not_accepted"] is None


@pytest.mark.parametrize("code", [0x800B0112, 0x800B0114, 0x80092010, 0x800B0004, 0x80096019])
def test_a_signature_that_the_host_does_not_accept_is_made_once(host: SignToolHost, code: int) -> None:
    host.verify_codes[OWN] = code
    first = run(host)
    entry = first["files"][0]
    assert (first.get("failed", False), entry["outcome"], entry["trusted"]) == (False, "changed", False)
    assert (entry["not_accepted"]["code"], entry["not_accepted"]["link"]) == (f"0x{code:08x}", "certificate")
    assert "Words of the system." in entry["not_accepted"]["output"]
    host.calls.clear()
    again = run(host)
    assert (again["changed"], len(host.calls), again["warnings"]) == (False, 1, first["warnings"])
    assert f"0x{code:08x}" in again["warnings"][0]


def test_a_program_that_is_no_signtool_is_named_once_with_its_words(host: SignToolHost) -> None:
    host.says = b"Hello from another program\r\n"
    result = run(host, files=[APP, TOOL], signtool_path=PROGRAM)
    assert (result["failed"], result["link"], result["output"]) == (
        True,
        "signtool",
        "Hello from another program",
    )
    assert result["msg"].count(PROGRAM) == 1
    assert "exit code 3 and said 'Hello from another program'" in result["msg"]
    assert "files" not in result


def test_the_words_that_a_message_points_to_are_in_the_result(host: SignToolHost) -> None:
    host.selection_error = "Something that nobody knows."
    error = run(host)["files"][0]["error"]
    assert "Look at SignTool's own words" in error["msg"]
    assert "Something that nobody knows." in error["output"]


# What another process holds
# ----------------------------------------------------------------------------------------------


def test_a_ledger_that_cannot_be_written_is_found_before_anything_is_signed(host: SignToolHost) -> None:
    before = dict(host.files)
    host.files[LEDGER] = before[LEDGER] = b'{"earlier": 1}\n'
    host.held.add(LEDGER.lower())
    result = run(host, files=[APP, TOOL], ledger_path=LEDGER)
    assert (result["failed"], result["link"], result["failed_files"], result["signed"]) == (
        True,
        "ledger",
        2,
        0,
    )
    assert "another process holds it open" in result["msg"]
    assert host.files == before
    assert not any(
        arguments.startswith("sign ")
        for _program, arguments in host.runs()
        if host.environments and host.environments[-1]
    )
    host.held.clear()
    assert run(host, files=[APP, TOOL], ledger_path=LEDGER)["signed"] == 2
    assert host.files[LEDGER].count(b"\n") == 3


def test_a_working_copy_that_another_process_holds_is_in_nobodys_way(host: SignToolHost) -> None:
    def hold(step: Raw) -> None:
        if step["op"] == "together" and step["runs"][0]["arguments"].startswith("sign "):
            host.held.update(name.lower() for name in host.files if name.endswith("f1.exe"))

    host.before_step = hold
    result = run(host)
    assert result["files"][0]["outcome"] == "changed"
    (left,) = [name for name in host.files if name.endswith("f1.exe")] or [""]
    assert left == "", "what is moved into its place is not left"
    host.files[APP] = b"MZ app"
    host.overrides["move"] = lambda step: failure("no", -2147024891)
    result = run(host)
    (left,) = [name for name in host.files if name.endswith("f1.exe")]
    host.overrides.clear()
    host.held.add(left.lower())
    host.files[APP] = b"MZ another"
    result = run(host, files=[APP, TOOL])
    assert [entry["outcome"] for entry in result["files"]] == ["changed", "changed"]
    assert any("could not be removed" in text and left in text for text in result["warnings"])
    assert any("app.exe, which was changed meanwhile" in text for text in result["warnings"])
    host.held.clear()
    assert not run(host, files=[APP, TOOL])["changed"]
    assert no_copies(host)


def test_one_file_under_several_spellings_is_one_file(host: SignToolHost) -> None:
    spellings = [
        APP,
        r"C:\build\.\app.exe",
        r"C:\\build\app.exe",
        r"C:\build\x\..\app.exe",
        "c:/BUILD/APP.EXE",
        r"C:\build\..\build\*.exe",
    ]
    result = run(host, files=spellings, ledger_path=LEDGER)
    assert [entry["path"] for entry in result["files"]] == [APP, TOOL]
    assert (result["signed"], host.files[LEDGER].count(b"\n")) == (2, 2)
    assert len(signatures(host)) == 1
    assert not run(host, files=spellings, ledger_path=LEDGER)["changed"]


# Secrets
# ---------------------------------------------------------------------------------------------------------------


def test_masking_leaves_the_keys_alone(host: SignToolHost) -> None:
    host.selection_error = "the password is signed"
    result = run(host, crypto_user="signer", crypto_password="signed")  # noqa: S106
    assert {"signed", "failed_files", "files"} <= set(result)
    assert "state_before" in result["files"][0]
    assert "signed" not in result["files"][0]["error"]["output"]


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("code signer", "a-password", "crypto_user holds a blank"),
        ("signer\n", "a-password", "crypto_user holds a line end"),
        ("signer:a-password", "a-password", "crypto_user holds a colon"),
        ("signer", "a-password\r\n", "crypto_password holds a line end"),
    ],
)
def test_a_login_that_no_crypto_user_has_is_never_tried(
    host: SignToolHost, user: str, password: str, said: str
) -> None:
    result = run(host, crypto_user=user, crypto_password=password)
    assert (result["failed"], result["changed"], result["link"], host.calls) == (True, False, "argument", [])
    assert result["msg"].startswith(said)
    assert "a-password" not in repr(result)


@pytest.mark.parametrize("password", ["a", "abc"])
def test_a_password_that_cannot_be_masked_is_refused(host: SignToolHost, password: str) -> None:
    result = run(host, crypto_user="signer", crypto_password=password)
    assert (result["failed"], result["changed"], result["link"], host.calls) == (True, False, "argument", [])
    assert "less than 4 characters" in result["msg"]
