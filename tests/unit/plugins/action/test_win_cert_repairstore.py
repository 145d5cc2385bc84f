# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cert_repairstore against a host held in Python: every way to repair, check mode and run compared, every
broken link told apart.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.cloudhsm.codesign.plugins.action.win_cert_repairstore import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import read_certificate
from ansible_collections.cloudhsm.codesign.plugins.modules import win_cert_repairstore as documentation
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    KeyProvInfo,
    StoredCertificate,
    read_blob,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil, key_signature
from support.fake_host import (
    FakeHost,
    Raw,
    failure,
    ran,
    run_action,
)
from support.property_files import association_of, parse_property_file
from support.store_blobs import certificate_key, write_blob
from tests.unit.plugins.certificates import FAULTS, unreadable

KSP = "Cavium Key Storage Provider"
WORD = "Kr-4711-geheim"
CREDENTIALS = {"crypto_user": "cu1", "crypto_password": WORD}
NOW = datetime.now(timezone.utc)
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def make(end: datetime) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example")])
    builder = x509.CertificateBuilder(
        subject, subject, PRIVATE.public_key(), 0xABCD, NOW - timedelta(days=9), end
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    return (
        builder.add_extension(usage, critical=False).sign(PRIVATE, hashes.SHA256()).public_bytes(Encoding.DER)
    )


DER = make(NOW + timedelta(days=9))
THUMBPRINT = read_certificate(DER).thumbprint
FOUND = KeyProvInfo("7e3c-b2f5", KSP, 0, 0x20, 0)
WRITTEN = {"container": "7e3c-b2f5", "provider": KSP, "provider_type": 0, "flags": 0, "key_spec": 2}


class Certutil:
    """certutil as far as this module uses it. ``found`` is what a search finds; ``exit_code`` makes every
    repair fail.
    """

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.found: KeyProvInfo | None = FOUND
        self.exit_code = 0
        self.said = ""
        self.lies = False
        self.providers = (KSP, "Microsoft Software Key Storage Provider")
        self.hangs = False

    def __call__(self, step: Raw) -> Raw:
        words = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', step["arguments"])]
        if "-csplist" in words:
            lines = "".join(f"Provider Name: {name}\r\n\r\n" for name in self.providers)
            return ran(0, f"{lines}CertUtil: -csplist command completed successfully.\r\n")
        if self.hangs:
            return ran(0, "", timed_out=True)
        assert "-repairstore" in words
        return self.repair(words)

    def repair(self, words: list[str]) -> Raw:
        if self.exit_code:
            return ran(self.exit_code, self.said)
        entry = stored(self.host)
        key, name = entry.key, entry.friendly_name
        if "-csp" in words:
            key = self.found
        else:
            text = self.host.files[words[-1]].decode("ascii")
            properties = parse_property_file(text)
            key = association_of(text) if 2 in properties else key
            name = properties.get(11, name)
        if not self.lies:
            put(self.host, key, name)
        return ran(0, "CertUtil: -repairstore command completed successfully.\r\n")


class PowerShell:
    """powershell.exe as far as this module uses it: it signs with ``key``, or answers ``failed`` (stage and code)."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.key = PRIVATE
        self.failed = ("", "")
        self.hangs = False

    def __call__(self, step: Raw) -> Raw:
        if self.hangs:
            return ran(0, "", timed_out=True)
        found = re.fullmatch(
            r"-NoProfile -NonInteractive -Command \"& \{.*\} 'My' 'LocalMachine' '([0-9A-F]{40})' '([0-9a-f]{64})'\"",
            step["arguments"],
            re.DOTALL,
        )
        assert found
        assert found[1] == THUMBPRINT
        stage, code = self.failed if stored(self.host).key else ("key", "")
        signature = ""
        if not stage:
            r, s = decode_dss_signature(self.key.sign(bytes.fromhex(found[2]), ec.ECDSA(hashes.SHA256())))
            stage, signature = (
                "signed",
                base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode(),
            )
        return ran(
            0, f"\r\ncodesign-key-signature stage={stage} code={code} message= signature={signature}\r\n"
        )


def put(host: FakeHost, key: KeyProvInfo | None = None, name: str | None = None, der: bytes = DER) -> None:
    blob = write_blob(StoredCertificate(der, key, name))
    path = certificate_key("My", "LocalMachine", read_certificate(der).thumbprint)
    host.registry[f"{path}|Blob"] = {
        "exists": True,
        "kind": "Binary",
        "base64": base64.b64encode(blob).decode(),
    }


def stored(host: FakeHost) -> StoredCertificate:
    return read_blob(
        base64.b64decode(host.registry[f"{certificate_key('My', 'LocalMachine', THUMBPRINT)}|Blob"]["base64"])
    )


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    put(host)
    host.tools[certutil.PROGRAM] = Certutil(host)
    host.tools[key_signature.PROGRAM] = PowerShell(host)
    return host


def tool(host: FakeHost) -> Certutil:
    found = host.tools[certutil.PROGRAM]
    assert isinstance(found, Certutil)
    return found


def powershell(host: FakeHost) -> PowerShell:
    found = host.tools[key_signature.PROGRAM]
    assert isinstance(found, PowerShell)
    return found


def run(host: FakeHost, *, check_mode: bool = False, diff: bool = True, **arguments: Any) -> Raw:
    return run_action(
        ActionModule, {"thumbprint": THUMBPRINT, **arguments}, host, check_mode=check_mode, diff=diff
    )


def put_odd(host: FakeHost, der: bytes) -> str:
    """A certificate of the store that nobody could make with ``cryptography``."""
    stored = StoredCertificate(der, FOUND)
    host.registry[f"{certificate_key('My', 'LocalMachine', stored.thumbprint)}|Blob"] = {
        "exists": True,
        "kind": "Binary",
        "base64": base64.b64encode(write_blob(stored)).decode(),
    }
    return stored.thumbprint


@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_that_cannot_be_read(host: FakeHost, fault: str) -> None:
    odd = put_odd(host, unreadable(fault))
    assert run_action(ActionModule, {"serial_number": "abcd"}, host)["thumbprint"] == THUMBPRINT
    for name, value in (("thumbprint", odd), ("serial_number", "1DD1")):
        result = run_action(ActionModule, {name: value}, host)
        assert result["link"] == "certificate"
        assert result["msg"].startswith(f"The certificate {odd} in LocalMachine\\My cannot be read: ")
    assert run_action(ActionModule, {"thumbprint": odd, "state": "absent"}, host, check_mode=True)["changed"]


def test_a_certificate_that_group_policy_put_there_and_one_that_is_archived(host: FakeHost) -> None:
    own = f"{certificate_key('My', 'LocalMachine', THUMBPRINT)}|Blob"
    entry = host.registry.pop(own)
    host.registry[own.replace("SOFTWARE\\", "SOFTWARE\\Policies\\")] = entry
    result = run(host, check_mode=True, container="7e3c-b2f5")
    assert (result["changed"], result["thumbprint"]) == (True, THUMBPRINT)
    hidden = base64.b64encode(write_blob(StoredCertificate(DER, FOUND, archived=True))).decode()
    host.registry[own] = {**entry, "base64": hidden}
    (warning,) = run(host)["warnings"]
    assert warning.startswith(f"The certificate {THUMBPRINT} in LocalMachine\\My is archived: Windows hides")
    assert len(host.calls) == 2


# Repairing
# ------------------------------------------------------------------------------------------------------------


def test_a_certificate_is_tied_to_a_container(host: FakeHost) -> None:
    result = run(host, container="7e3c-b2f5", **CREDENTIALS)
    assert result["changed"]
    assert result["association"] == WRITTEN
    assert (result["method"], result["key"], result["account"], result["thumbprint"]) == (
        "property_file",
        "untested",
        host.account,
        THUMBPRINT,
    )
    assert result["diff"] == {
        "before": {"association": None, "friendly_name": None},
        "after": {"association": WRITTEN, "friendly_name": None},
    }
    assert len(host.calls) == 2
    assert host.files == {}
    assert host.secrets[-1] == {"pin": f"cu1:{WORD}"}


def test_a_second_run_changes_nothing_and_takes_one_call(host: FakeHost) -> None:
    run(host, container="7e3c-b2f5")
    host.calls.clear()
    result = run(host, container="7e3c-b2f5")
    assert not result["changed"]
    assert result["method"] == "none"
    assert len(host.calls) == 1
    assert host.runs() == []


def test_certutil_looks_for_the_container(host: FakeHost) -> None:
    result = run(host)
    assert result["changed"]
    assert result["method"] == "search"
    assert result["association"]["container"] == "7e3c-b2f5"
    assert host.runs() == [["certutil.exe", f'-f -csp "{KSP}" -repairstore My {THUMBPRINT}']]
    assert len(host.calls) == 2


def test_what_the_search_does_not_set_is_written_after_it(host: FakeHost) -> None:
    result = run(host, key_spec=2, machine_keys=False)
    assert result["changed"]
    assert result["association"] == WRITTEN
    assert len(host.calls) == 3
    assert not run(host, key_spec=2, machine_keys=False)["changed"]


def test_the_friendly_name(host: FakeHost) -> None:
    put(host, FOUND, "Old")
    assert run(host)["friendly_name"] == "Old"
    result = run(host, friendly_name="New")
    assert result["changed"]
    assert (stored(host).friendly_name, stored(host).key) == ("New", FOUND)
    assert not run(host, friendly_name="New")["changed"]


def test_the_association_is_taken_away(host: FakeHost) -> None:
    put(host, FOUND, "Old")
    result = run(host, state="absent", test_key=True)
    assert result["changed"]
    assert result["association"] is None
    assert (stored(host).key, stored(host).friendly_name, stored(host).der) == (None, "Old", DER)
    assert not run(host, state="absent")["changed"]


@pytest.mark.parametrize(
    "source",
    [
        {"serial_number": "00:AB:CD"},
        {"certificate_path": "C:\\x.cer"},
        {"thumbprint": f"\u200e{THUMBPRINT.lower()}"},
    ],
)
def test_every_way_to_name_the_certificate(host: FakeHost, source: dict[str, str]) -> None:
    host.files["C:\\x.cer"] = DER
    result = run_action(ActionModule, {**source, "container": "c"}, host)
    assert result["changed"]
    assert result["thumbprint"] == THUMBPRINT


def test_the_users_own_store_is_a_folder(host: FakeHost) -> None:
    path = f"%APPDATA%\\Microsoft\\SystemCertificates\\My\\Certificates\\{THUMBPRINT}"
    host.files[path] = write_blob(StoredCertificate(DER, FOUND))
    result = run(host, store_location="CurrentUser")
    assert not result["changed"]
    assert result["association"]["flags"] == 0x20


# Check mode
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"container": "c"},
        {"container": "c", "machine_keys": True, "key_spec": 0, "friendly_name": "n"},
        {"state": "absent"},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("key", [None, FOUND, KeyProvInfo("c", KSP, 0, 0, 2)], ids=["none", "found", "c"])
def test_check_mode_predicts_what_the_run_does(
    host: FakeHost, arguments: dict[str, Any], key: KeyProvInfo | None
) -> None:
    put(host, key)
    predicted = run(host, check_mode=True, **arguments)
    assert stored(host).key == key
    done = run(host, **arguments)
    assert predicted["changed"] == done["changed"]
    assert predicted["method"] == done["method"]
    assert predicted["diff"]["before"] == done["diff"]["before"]
    if done["method"] != "search":
        assert predicted["diff"]["after"] == done["diff"]["after"]


def test_in_check_mode_a_certificate_may_be_missing_that_the_play_would_have_imported(host: FakeHost) -> None:
    host.registry.clear()
    result = run(host, check_mode=True, container="c")
    assert result["changed"]
    assert "taken for granted" in result["warnings"][0]
    assert (result["association"], result["method"]) == (None, "property_file")
    assert run(host, check_mode=True, state="absent")["failed"]


def test_no_diff_where_none_is_asked_for(host: FakeHost) -> None:
    assert "diff" not in run(host, diff=False, container="c")


# Testing the key
# ------------------------------------------------------------------------------------------------------


def test_the_key_is_tried_in_the_same_call(host: FakeHost) -> None:
    put(host, FOUND)
    result = run(host, test_key=True, **CREDENTIALS)
    assert (result["key"], result["account"]) == ("usable", "WINHOST\\Administrator")
    assert "warnings" not in result
    assert len(host.calls) == 1
    assert host.secrets == [{"pin": f"cu1:{WORD}"}]


@pytest.mark.parametrize("arguments", [{"container": "c"}, {}])
def test_the_key_is_tried_after_the_repair(host: FakeHost, arguments: dict[str, str]) -> None:
    result = run(host, test_key=True, **arguments)
    assert (result["changed"], result["key"]) == (True, "usable")
    assert len(host.calls) == 2


def test_a_certificate_named_by_its_file_is_tried_too(host: FakeHost) -> None:
    put(host, FOUND)
    host.files["C:\\x.cer"] = DER
    result = run_action(ActionModule, {"certificate_path": "C:\\x.cer", "test_key": True}, host)
    assert (result["changed"], result["key"], len(host.calls)) == (False, "usable", 2)


@pytest.mark.parametrize(
    ("failed", "login", "key", "code", "words"),
    [
        (
            ("sign", "80090029"),
            CREDENTIALS,
            "unusable",
            "0x80090029",
            "The key does not sign: 0x80090029 NTE_NOT",
        ),
        (("sign", "80090029"), {}, "untested", "0x80090029", "no login was given"),
        (("key", "80090014"), CREDENTIALS, "untested", "0x80090014", "The key was not opened"),
        (("language", ""), CREDENTIALS, "untested", None, "Constrained Language Mode"),
    ],
)
def test_a_key_that_is_not_usable_is_a_warning_with_the_account(
    host: FakeHost, failed: tuple[str, str], login: dict[str, str], key: str, code: str | None, words: str
) -> None:
    put(host, FOUND)
    powershell(host).failed = failed
    result = run(host, test_key=True, **login)
    assert not result.get("failed")
    assert (result["key"], result["key_code"]) == (key, code)
    assert words in result["key_problem"]
    assert result["warnings"] == [
        f"The key of {THUMBPRINT} is {key} for WINHOST\\Administrator. {result['key_problem']}"
    ]


def test_a_container_that_holds_another_key_is_found_by_its_signature(host: FakeHost) -> None:
    put(host, FOUND)
    powershell(host).key = ec.generate_private_key(ec.SECP256R1())
    result = run(host, test_key=True, **CREDENTIALS)
    assert (result["key"], result["key_code"]) == ("unusable", None)
    assert "does not fit the certificate" in result["key_problem"]


def test_each_run_signs_other_bytes(host: FakeHost) -> None:
    put(host, FOUND)
    run(host, test_key=True)
    run(host, test_key=True)
    first, second = [arguments for _program, arguments in host.runs()]
    assert first != second


def test_a_key_that_is_not_to_be_tried(host: FakeHost) -> None:
    put(host, FOUND)
    result = run(host)
    assert (result["key"], result["key_code"], result["key_problem"]) == ("untested", None, None)
    assert host.runs() == []


def test_a_host_without_powershell_exe(host: FakeHost) -> None:
    put(host, FOUND)
    del host.tools[key_signature.PROGRAM]
    result = run(host, test_key=True, **CREDENTIALS)
    assert (result["key"], result["key_code"]) == ("untested", "0x00000002")


def test_a_provider_that_hangs_does_not_hang_the_play(host: FakeHost) -> None:
    put(host, FOUND)
    powershell(host).hangs = True
    result = run(host, test_key=True, timeout=5)
    assert (result["key"], result["key_code"]) == ("untested", None)
    assert [step["timeout"] for step in host.calls[0] if step["op"] == "run"] == [5]


# Broken links
# ---------------------------------------------------------------------------------------------------------


def broken(result: Raw) -> tuple[str, str]:
    assert result["failed"]
    assert not result["changed"]
    return result["link"], result["msg"]


def test_a_repair_that_succeeds_without_changing_anything_fails(host: FakeHost) -> None:
    put(host, FOUND)
    tool(host).lies = True
    link, words = broken(run(host, container="c"))
    assert link == "container"
    assert "ended without an error, but the association" in words
    assert "Before: container 7e3c-b2f5" in words
    assert "After: container 7e3c-b2f5" in words
    assert len(host.calls) == 2


def test_a_search_that_finds_another_providers_key_fails(host: FakeHost) -> None:
    tool(host).found = KeyProvInfo("c", "Other Provider", 0, 0, 0)
    result = run(host)
    assert (result["failed"], result["link"]) == (True, "container")
    assert result["changed"], "certutil has written another association"
    assert f"{KSP} is wanted, Other Provider is there" in result["msg"]


@pytest.mark.parametrize(
    ("exit_code", "said", "link", "words"),
    [
        (-2146893807, "", "container", "certutil found no container of Cavium Key Storage Provider"),
        (-2146893802, "n3fips_password is not set", "credential", "n3fips_password is not set"),
        (-2147024156, "", "host", "ERROR_ELEVATION_REQUIRED"),
        (-2146893776, "", "cluster", "NTE_DEVICE_NOT_READY"),
    ],
)
def test_every_failure_of_certutil_is_told_apart(
    host: FakeHost, exit_code: int, said: str, link: str, words: str
) -> None:
    tool(host).exit_code, tool(host).said = exit_code, said
    found, text = broken(run(host))
    assert found == link
    assert words in text


def test_a_provider_that_is_not_registered(host: FakeHost) -> None:
    tool(host).exit_code, tool(host).providers = -2146893799, ("Microsoft Software Key Storage Provider",)
    result = run(host)
    assert broken(result)[0] == "provider"
    assert result["providers"] == ["Microsoft Software Key Storage Provider"]
    assert result["code"] == "0x80090019"
    assert len(host.calls) == 4


def test_a_service_that_is_stopped(host: FakeHost) -> None:
    tool(host).exit_code = -2146893792
    host.services["AWSCloudHSMClient"] = {"status": "Stopped", "start_type": "Automatic"}
    link, words = broken(run(host))
    assert (link, "AWSCloudHSMClient is stopped" in words) == ("service", True)


def test_certutil_that_does_not_answer(host: FakeHost) -> None:
    tool(host).hangs = True
    link, words = broken(run(host, container="c"))
    assert link == "provider"
    assert "did not end within" in words
    assert host.files == {}


def test_a_host_without_certutil(host: FakeHost) -> None:
    host.overrides["run"] = lambda step: failure("The system cannot find the file specified")
    assert broken(run(host))[0] == "host"


@pytest.mark.parametrize(
    ("arguments", "link", "words"),
    [
        ({"thumbprint": "ab cd"}, "argument", "has 4 hex digits, not 40"),
        ({"thumbprint": "A" * 64}, "argument", "SHA-256"),
        ({"thumbprint": ""}, "argument", "thumbprint, serial_number or certificate_path is empty"),
        ({"thumbprint": None, "serial_number": "xyz"}, "argument", "it must be hex digits"),
        ({"thumbprint": "0" * 40}, "certificate", "There is no certificate 0000"),
        ({"store_name": "Nowhere"}, "certificate", "There is no certificate store LocalMachine.Nowhere"),
        ({"store_name": "My\\..\\Root"}, "argument", "The store name"),
        ({"container": 'a" & b'}, "argument", "The option container"),
        ({"method": "search", "container": "c"}, "argument", "certutil chooses the container by itself"),
        ({"method": "property_file"}, "argument", "a container is needed"),
        (
            {"thumbprint": None, "certificate_path": "C:\\none.cer"},
            "certificate",
            "cannot be read on the host",
        ),
        ({"thumbprint": None, "certificate_path": "C:\\empty.cer"}, "certificate", "is empty"),
        ({"thumbprint": None, "certificate_path": "C:\\text.cer"}, "certificate", "is not a certificate"),
    ],
)
def test_bad_input_gets_its_sentence(
    host: FakeHost, arguments: dict[str, Any], link: str, words: str
) -> None:
    host.files.update({"C:\\empty.cer": b"", "C:\\text.cer": b"hello"})
    given = {
        name: value for name, value in {"thumbprint": THUMBPRINT, **arguments}.items() if value is not None
    }
    result = run_action(ActionModule, given, host)
    assert broken(result)[0] == link
    assert re.search(words, result["msg"])


@pytest.mark.parametrize(
    "arguments",
    [{}, {"thumbprint": THUMBPRINT, "serial_number": "ab"}, {"thumbprint": THUMBPRINT, "crypto_user": "cu1"}],
)
def test_arguments_that_do_not_go_together(host: FakeHost, arguments: dict[str, str]) -> None:
    result = run_action(ActionModule, arguments, host)
    assert (result["failed"], result["changed"], result["link"]) == (True, False, "argument")
    assert host.calls == []


def test_a_refused_argument_hides_a_secret_that_its_message_repeats(host: FakeHost) -> None:
    secret = "Secret-6f1d0a7e"  # noqa: S105 - nobody's
    arguments = {
        "thumbprint": THUMBPRINT,
        "crypto_user": "cu1",
        "crypto_password": secret,
        "key_spec": secret,
    }
    result = run_action(ActionModule, arguments, host)
    assert result["link"] == "argument"
    assert secret not in str(result)


def test_an_expired_certificate_is_a_warning(host: FakeHost) -> None:
    expired = make(NOW - timedelta(days=1))
    put(host, FOUND, der=expired)
    result = run_action(ActionModule, {"thumbprint": read_certificate(expired).thumbprint}, host)
    assert "expired on" in result["warnings"][0]
    assert not result["changed"]


# Secrets and examples
# -------------------------------------------------------------------------------------------------


def test_the_password_is_nowhere_but_beside_the_steps(host: FakeHost) -> None:
    tool(host).exit_code, tool(host).said = -2146893802, f"login cu1:{WORD} failed"
    result = run(host, container="c", test_key=True, **CREDENTIALS)
    assert result["failed"]
    assert WORD not in json.dumps(result)
    assert WORD not in json.dumps(host.calls)


@pytest.mark.parametrize("number", range(4))
def test_the_examples_run(host: FakeHost, number: int) -> None:
    values = {
        "codesign_thumbprint": THUMBPRINT,
        "codesign_key.container": "7e3c-b2f5",
        "codesign_crypto_user": "cu1",
        "codesign_crypto_password": WORD,
        "codesign_serial_number": "abcd",
    }
    text = re.sub(r"\{\{ ([\w.]+) \}\}", lambda match: values[match.group(1)], documentation.EXAMPLES)
    tasks = yaml.safe_load(text)
    assert len(tasks) == 4
    put(host, KeyProvInfo("other", KSP) if number else None)
    host.files["C:\\certificates\\signing.cer"] = DER
    result = run_action(ActionModule, tasks[number]["cloudhsm.codesign.win_cert_repairstore"], host)
    assert not result.get("failed")
    assert set(result) - {"changed", "diff", "warnings", "invocation"} <= set(
        yaml.safe_load(documentation.RETURN)
    )


def test_the_documented_sample_is_what_a_run_returns(host: FakeHost) -> None:
    returned = run(host, container="7e3c-b2f5")
    assert returned["association"] == yaml.safe_load(documentation.RETURN)["association"]["sample"]
