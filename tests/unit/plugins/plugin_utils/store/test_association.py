# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""association.py and association_plan.py by table: what is asked, found, compared, planned and judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import read_certificate
from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink, NotInStoreError
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    Failure,
    FileContent,
    FolderContents,
    RegistryChildrenResult,
    RegistryResult,
    Result,
    RunResult,
    Skipped,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    ReadFile,
    ReadFolder,
    ReadRegistryChildren,
    RemoveFile,
    RemoveScratch,
    Run,
    Scratch,
    WriteFile,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    KeyProvInfo,
    StoredCertificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import association
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import repair as association_plan
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.association import Seen, Wanted
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.repair import Access
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil
from support.store_blobs import write_blob

KSP = "Cavium Key Storage Provider"
PRIVATE = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.now(timezone.utc)


def make(name: str, serial: int) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        subject, subject, PRIVATE.public_key(), serial, NOW, NOW + timedelta(days=1)
    )
    return builder.sign(PRIVATE, hashes.SHA256()).public_bytes(Encoding.DER)


DER = make("Example", 0xABCD)
THUMBPRINT = read_certificate(DER).thumbprint
KEY = KeyProvInfo("7e3c-b2f5", KSP, 0, 0, 2)


def children(**blobs: bytes) -> RegistryChildrenResult:
    return RegistryChildrenResult(
        True, {name: RegistryResult(True, "Binary", None, blob) for name, blob in blobs.items()}
    )


def entry(der: bytes = DER, key: KeyProvInfo | None = None, name: str | None = None) -> dict[str, bytes]:
    return {read_certificate(der).thumbprint: write_blob(StoredCertificate(der, key, name))}


# Asking and reading
# ---------------------------------------------------------------------------------------------------


def test_what_is_asked() -> None:
    places = [
        "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\My\\Certificates",
        "HKLM\\SOFTWARE\\Policies\\Microsoft\\SystemCertificates\\My\\Certificates",
        "HKLM\\SOFTWARE\\Microsoft\\EnterpriseCertificates\\My\\Certificates",
    ]
    asked = [ReadRegistryChildren(place, "Blob") for place in places]
    assert association.observe(Wanted("AB")) == asked
    assert association.observe(Wanted("AB", store_location="CurrentUser")) == [
        ReadFolder("%APPDATA%\\Microsoft\\SystemCertificates\\My\\Certificates")
    ]
    assert association.observe(Wanted(certificate_path="C:\\x.cer"))[3:] == [ReadFile("C:\\x.cer")]


@pytest.mark.parametrize(
    ("wanted", "results"),
    [
        (Wanted(THUMBPRINT), [children(**entry(key=KEY, name="n"))]),
        (
            Wanted(THUMBPRINT),
            [children(**{name.lower(): blob for name, blob in entry(key=KEY, name="n").items()})],
        ),
        (
            Wanted(serial="abcd"),
            [children(**entry(key=KEY, name="n"), **entry(make("Other", 0x99)), FF=b"damaged")],
        ),
        (Wanted(certificate_path="x.cer"), [children(**entry(key=KEY, name="n")), FileContent(True, DER)]),
        (Wanted(THUMBPRINT, store_location="CurrentUser"), [FolderContents(True, entry(key=KEY, name="n"))]),
    ],
    ids=["thumbprint", "lower case", "serial number", "file", "user store"],
)
def test_the_certificate_is_found(wanted: Wanted, results: list[Result]) -> None:
    assert association.read(wanted, results) == Seen(THUMBPRINT, DER, KEY, "n")


@pytest.mark.parametrize(
    ("wanted", "results", "link", "problem"),
    [
        (
            Wanted(THUMBPRINT),
            [children()],
            "certificate",
            f"There is no certificate {THUMBPRINT} in the store LocalMachine\\My",
        ),
        (
            Wanted(THUMBPRINT),
            [RegistryChildrenResult(False)],
            "certificate",
            f"There is no certificate {THUMBPRINT} in the store LocalMachine\\My",
        ),
        (
            Wanted(THUMBPRINT, store_name="Nowhere"),
            [RegistryChildrenResult(False)],
            "certificate",
            "There is no certificate store LocalMachine\\Nowhere",
        ),
        (
            Wanted(serial="ff"),
            [children(**entry())],
            "certificate",
            "no certificate with the serial number ff in the store LocalMachine\\My",
        ),
        (
            Wanted(serial="abcd"),
            [children(**entry(), **entry(make("Twin", 0xABCD)))],
            "certificate",
            "2 certificates in the store LocalMachine\\My have",
        ),
        (
            Wanted(certificate_path="x.cer"),
            [children(), FileContent(False)],
            "certificate",
            "The certificate x.cer cannot be read on the host",
        ),
        (
            Wanted(certificate_path="x.cer"),
            [children(), FileContent(True, b"hello")],
            "certificate",
            "X.cer is not a certificate",
        ),
        (
            Wanted(certificate_path="x.cer"),
            [children(), FileContent(True, b"")],
            "certificate",
            "X.cer is empty",
        ),
        (
            Wanted(THUMBPRINT),
            [children(**{THUMBPRINT: b"\x01\x02"})],
            "certificate",
            "cannot be read: the store entry is cut off",
        ),
        (
            Wanted(THUMBPRINT),
            [Failure("Access is denied.", code=5)],
            "certificate",
            "The store LocalMachine\\My cannot be read: Access is denied.",
        ),
    ],
    ids=[
        "not there",
        "no store My",
        "no such store",
        "no such serial",
        "serial twice",
        "no file",
        "no certificate",
        "empty file",
        "damaged entry",
        "denied",
    ],
)
def test_why_it_is_not_found(wanted: Wanted, results: list[Result], link: str, problem: str) -> None:
    with pytest.raises(BrokenLink) as caught:
        association.read(wanted, results)
    assert caught.value.link == link
    assert problem in str(caught.value)


def test_a_missing_certificate_can_be_told_from_everything_else() -> None:
    with pytest.raises(NotInStoreError):
        association.read(Wanted(serial="ff"), [children()])


# Comparing
# ------------------------------------------------------------------------------------------------------------

SEEN = Seen(THUMBPRINT, DER, KEY, "Build")


@pytest.mark.parametrize(
    ("wanted", "key", "found"),
    [
        (Wanted(), KEY, []),
        (Wanted(provider=KSP.upper()), KEY, []),
        (
            Wanted(
                container="7e3c-b2f5", provider_type=0, machine_keys=False, key_spec=2, friendly_name="Build"
            ),
            KEY,
            [],
        ),
        (
            Wanted(provider_type=None, machine_keys=None, key_spec=None),
            replace(KEY, provider_type=1, flags=0x20, key_spec=0),
            [],
        ),
        (Wanted(), None, [("container", "a container of Cavium Key Storage Provider", "none")]),
        (Wanted(container="c"), None, [("container", "c of Cavium Key Storage Provider", "none")]),
        (Wanted(container="other"), KEY, [("container", "other", "7e3c-b2f5")]),
        (
            Wanted(provider="CloudHSM Key Storage Provider"),
            KEY,
            [("provider", "CloudHSM Key Storage Provider", KSP)],
        ),
        (Wanted(provider_type=1), KEY, [("container", "1", "0")]),
        (Wanted(machine_keys=True), KEY, [("container", "true", "false")]),
        (Wanted(machine_keys=False), replace(KEY, flags=0x60), [("container", "false", "true")]),
        (Wanted(key_spec=0), KEY, [("container", "0", "2")]),
        (Wanted(friendly_name="Other"), KEY, [("certificate", "Other", "Build")]),
        (Wanted(present=False), KEY, [("container", "none", association.describe(KEY))]),
        (Wanted(present=False), None, []),
        (Wanted(present=False, friendly_name="Other"), None, []),
    ],
)
def test_what_differs(wanted: Wanted, key: KeyProvInfo | None, found: list[tuple[str, str, str]]) -> None:
    findings = association.compare(wanted, replace(SEEN, key=key))
    assert [(finding.link, finding.expected, finding.seen) for finding in findings] == found


# Planning
# -------------------------------------------------------------------------------------------------------------

SCRATCH = "C:\\Windows\\Temp\\0123456789abcdef"
ACCESS = Access(CryptoUser("cu1", "secret"), "auto", 30, SCRATCH)
NONE = replace(SEEN, key=None)


@pytest.mark.parametrize(
    ("wanted", "seen", "method", "wished"),
    [
        (Wanted(), SEEN, "none", KEY),
        (Wanted(), NONE, "search", None),
        (Wanted(container="c"), NONE, "property_file", KeyProvInfo("c", KSP, 0, 0, 2)),
        (
            Wanted(container="c", machine_keys=True, key_spec=0, provider_type=0),
            NONE,
            "property_file",
            KeyProvInfo("c", KSP, 0, 0x20, 0),
        ),
        (Wanted(container="c"), SEEN, "property_file", KeyProvInfo("c", KSP, 0, 0, 2)),
        (Wanted(key_spec=1), SEEN, "property_file", replace(KEY, key_spec=1)),
        (
            Wanted(machine_keys=True),
            replace(SEEN, key=replace(KEY, flags=0x40)),
            "property_file",
            replace(KEY, flags=0x60),
        ),
        (
            Wanted(machine_keys=False),
            replace(SEEN, key=replace(KEY, flags=0x60)),
            "property_file",
            replace(KEY, flags=0x40),
        ),
        (
            Wanted(provider="CloudHSM Key Storage Provider"),
            SEEN,
            "property_file",
            replace(KEY, provider="CloudHSM Key Storage Provider"),
        ),
        (Wanted(provider="Other Provider"), SEEN, "search", None),
        (Wanted(method="search", key_spec=1), SEEN, "search", replace(KEY, key_spec=1)),
        (
            Wanted(method="property_file", container="c"),
            NONE,
            "property_file",
            KeyProvInfo("c", KSP, 0, 0, 2),
        ),
        (Wanted(present=False), SEEN, "property_file", KEY),
        (Wanted(present=False), NONE, "none", None),
    ],
)
def test_the_way_and_the_association_in_full(
    wanted: Wanted, seen: Seen, method: str, wished: KeyProvInfo | None
) -> None:
    assert association_plan.method(wanted, seen) == method
    assert association_plan.wished(wanted, seen) == wished


@pytest.mark.parametrize("sdk", ["auto", "3", "5"])
def test_the_search(sdk: str) -> None:
    """Which SDK's provider answers to its name, only Windows knows."""
    variables = {"n3fips_password": "pin", "CLOUDHSM_PIN": "pin"}
    assert association_plan.plan(Wanted(), NONE, replace(ACCESS, client_sdk=sdk)) == [
        Run(
            certutil.PROGRAM,
            ("-f", "-csp", KSP, "-repairstore", "My", THUMBPRINT),
            secret_environment=variables,
            timeout=30,
            changes=True,
            key_use=True,
        )
    ]


def test_without_a_crypto_user_nothing_is_given_to_certutil() -> None:
    (run,) = association_plan.plan(Wanted(), NONE, Access())
    assert isinstance(run, Run)
    assert run.secret_environment == {}
    assert Access().secrets == {}
    assert ACCESS.secrets == {"pin": "cu1:secret"}
    assert "secret" not in repr(ACCESS)


def test_the_property_file_is_written_used_and_removed() -> None:
    scratch, write, run, remove, clear = association_plan.plan(Wanted(container="c"), NONE, ACCESS)
    assert (scratch, clear) == (Scratch(SCRATCH), RemoveScratch(SCRATCH))
    assert isinstance(write, WriteFile)
    assert isinstance(run, Run)
    assert write.content == certutil.property_file(KeyProvInfo("c", KSP, 0, 0, 2))
    assert write.path == f"{SCRATCH}\\properties.inf"
    assert write.only_if_previous_ok, "in a folder that is not ours nothing is written"
    assert run.arguments == ("-repairstore", "My", THUMBPRINT, write.path)
    assert run.only_if_previous_ok
    assert remove == RemoveFile(write.path)


def test_a_friendly_name_alone_does_not_touch_the_association() -> None:
    steps = association_plan.plan(Wanted(friendly_name="New"), SEEN, ACCESS)
    assert isinstance(steps[1], WriteFile)
    assert steps[1].content == certutil.property_file(friendly_name="New")


def test_the_search_and_then_the_friendly_name() -> None:
    search, _scratch, write, run, _remove, _clear = association_plan.plan(
        Wanted(friendly_name="New"), NONE, ACCESS
    )
    assert isinstance(search, Run)
    assert isinstance(write, WriteFile)
    assert isinstance(run, Run)
    assert "-csp" in search.arguments
    assert write.content == certutil.property_file(friendly_name="New")


def test_an_association_is_taken_away_and_nothing_else() -> None:
    _scratch, write, run, _remove, _clear = association_plan.plan(
        Wanted(present=False, friendly_name="New"), SEEN, ACCESS
    )
    assert isinstance(run, Run)
    assert not run.key_use
    assert isinstance(write, WriteFile)
    assert write.content == certutil.removal_file()


def test_no_steps_where_nothing_differs() -> None:
    assert association_plan.plan(Wanted(), SEEN, ACCESS) == []


def test_a_property_file_needs_a_container() -> None:
    with pytest.raises(BrokenLink, match="With method=property_file a container is needed"):
        association_plan.plan(Wanted(method="property_file"), NONE, ACCESS)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (Wanted(container='a"b'), "The option container: 'a\"b' cannot be written"),
        (Wanted(provider="a&b"), "The option provider"),
        (Wanted(friendly_name="a\nb"), "The option friendly_name"),
        (
            Wanted(method="search", container="c"),
            "With method=search certutil chooses the container by itself",
        ),
    ],
)
def test_a_wish_that_cannot_be_written(wanted: Wanted, problem: str) -> None:
    with pytest.raises(BrokenLink, match=problem.replace('"', ".")) as caught:
        association_plan.check_wanted(wanted)
    assert caught.value.link == "argument"


@pytest.mark.parametrize(
    ("wanted", "seen", "after"),
    [
        (Wanted(), SEEN, KEY),
        (Wanted(present=False), SEEN, None),
        (Wanted(container="c"), NONE, KeyProvInfo("c", KSP, 0, 0, 2)),
        (Wanted(), NONE, KeyProvInfo("(the one that certutil finds)", KSP, 0, 0, 0)),
    ],
)
def test_what_check_mode_predicts(wanted: Wanted, seen: Seen, after: KeyProvInfo | None) -> None:
    assert association_plan.predicted(wanted, seen) == after


# Judging
# --------------------------------------------------------------------------------------------------------------


def ran(code: int = 0, text: str = "", **more: Any) -> RunResult:
    return RunResult(code & 0xFFFFFFFF, text.encode(), **more)


def test_the_store_decides_and_not_the_exit_code() -> None:
    association_plan.judge(Wanted(), NONE, SEEN, [ran(-2146893802)])


@pytest.mark.parametrize(
    ("result", "link", "problem"),
    [
        (ran(), "container", "ended without an error, but the association"),
        (
            ran(-2146893807),
            "container",
            f"found no container of {KSP} that holds the key of {THUMBPRINT} (0x80090011 NTE_NOT_FOUND)",
        ),
        (ran(-2146893802), "container", "found no container"),
        (ran(-2146893799), "provider", "0x80090019 NTE_KEYSET_NOT_DEF: the provider is not registered"),
        (ran(-2147024156), "host", "0x800702e4 ERROR_ELEVATION_REQUIRED"),
        (ran(-2147024894), "certificate", "0x80070002 ERROR_FILE_NOT_FOUND"),
        (ran(1), "container", "failed with 0x00000001"),
        (ran(-1), "container", "failed with 0xffffffff"),
        (
            ran(-2146893802, "n3fips_password is not set\r\n"),
            "credential",
            "no credentials of the crypto user (n3fips_password is not set)",
        ),
        (
            ran(-2146893792, "CLOUDHSM_PIN environment variable is not set"),
            "credential",
            "no credentials of the crypto user",
        ),
        (
            ran(-2146893792, "Cfm3Initialize() returned 0x40000040"),
            "service",
            "cannot reach the service AWSCloudHSMClient",
        ),
        (ran(0, timed_out=True, milliseconds=30123), "provider", "did not end within 30 seconds"),
        (RunResult(None, timed_out=True, milliseconds=30123), "provider", "did not end within 30 seconds"),
        (
            Failure("The system cannot find the file specified"),
            "host",
            "could not be repaired on the host: The system cannot find",
        ),
        (Skipped(), "container", "ended without an error"),
    ],
)
def test_why_a_repair_failed(result: Result, link: str, problem: str) -> None:
    with pytest.raises(BrokenLink) as caught:
        association_plan.judge(Wanted(), NONE, NONE, [result])
    assert caught.value.link == link
    assert problem in str(caught.value)


def test_a_repair_that_changed_nothing_says_both_states() -> None:
    other = replace(SEEN, key=replace(KEY, container="other"))
    with pytest.raises(BrokenLink) as caught:
        association_plan.judge(Wanted(container="c"), NONE, other, [ran()])
    assert (
        "Before: no association. After: container other, provider Cavium Key Storage Provider, type 0, flags 0x0, key specification 2."
        in str(caught.value)
    )
    assert "c is wanted, other is there" in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "before", "after", "wrote"),
    [
        # The search has found the container, and what it does not set is wanted.
        (Wanted(THUMBPRINT, key_spec=1), None, KEY, True),
        (Wanted(THUMBPRINT, machine_keys=True), None, KEY, True),
        # It has found it, and nothing else is wanted.
        (Wanted(THUMBPRINT), None, KEY, False),
        # It has found nothing.
        (Wanted(THUMBPRINT, key_spec=1), None, None, False),
        # What was asked for is the search alone.
        (Wanted(THUMBPRINT, key_spec=1, method="search"), None, KEY, False),
        # The property file was the first step already: it is not written twice.
        (Wanted(THUMBPRINT, key_spec=1), KEY, replace(KEY, container="other"), False),
    ],
)
def test_what_follows_a_search(
    wanted: Wanted, before: KeyProvInfo | None, after: KeyProvInfo | None, wrote: bool
) -> None:
    seen, then = Seen(THUMBPRINT, DER, before), Seen(THUMBPRINT, DER, after)
    steps = association_plan.follow(wanted, seen, then, Access(scratch="C:\\s"))
    assert any(isinstance(step, WriteFile) for step in steps) is wrote
    assert bool(steps) is wrote
