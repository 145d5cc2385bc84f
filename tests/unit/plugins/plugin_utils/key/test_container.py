# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key containers: what is proof, what a version's fault is, who may read, what a report says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink, NotInStoreError
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import WantedKey
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    AccessResult,
    Failure,
    FileContent,
    FolderContents,
    FolderFile,
    FolderResult,
    RegistryChildrenResult,
    RegistryResult,
    Result,
    RunResult,
    ServiceResult,
    Skipped,
    VersionResult,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools.configure import FOLDERS
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import container as key_container
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import making as key_container_plan
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.container import Seen, Wanted
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._sdk import SDK3, SDK5, ClientSdk, version_of
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import entry as store_entry
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.certutil import KeyContainer
from tests.unit.plugins.certificates import blob, make

SIGNING = make("signing")
WANTED = Wanted(key=WantedKey(modulus=SIGNING.modulus), thumbprint=SIGNING.thumbprint)
CLOUDHSM = "CloudHSM Key Storage Provider"


def results(wanted: Wanted = WANTED, **changed: Result) -> list[Result]:
    """The results of ``observe`` on a host with nothing, but for what ``changed`` gives by place."""
    places = [
        "cli",
        "ksp",
        "importer",
        "service",
        "folder",
        "contents",
        "store",
        "policy",
        "enterprise",
        "cli_1",
        "ksp_1",
        "sdk3_1",
        "cli_2",
        "ksp_2",
        "sdk3_2",
        *(f"{name}_{number}" for number in range(3, len(FOLDERS) + 1) for name in ("cli", "ksp", "sdk3")),
        "certificate",
    ]
    missing: dict[str, Result] = {
        **dict.fromkeys(places, FileContent(False)),
        **dict.fromkeys(places[:3], VersionResult(False)),
        "service": ServiceResult(False),
        "folder": FolderResult(False),
        "contents": FolderContents(False),
        **dict.fromkeys(("store", "policy", "enterprise"), RegistryChildrenResult(False)),
    }
    found = [{**missing, **changed}[place] for place in places]
    return found[: len(key_container.observe(wanted))]


def seen(**changed: Result) -> Seen:
    return key_container.read(WANTED, results(**changed))


def stored(content: bytes) -> RegistryChildrenResult:
    return RegistryChildrenResult(
        True, {SIGNING.thumbprint.lower(): RegistryResult(True, "Binary", None, content)}
    )


def test_a_host_with_nothing() -> None:
    nothing = Seen(
        service=ServiceResult(False), store=store_entry.Entries(exists=False), addresses={"3": (), "5": ()}
    )
    assert seen() == nothing


def test_what_a_host_has() -> None:
    there = seen(
        cli=VersionResult(True, "5.18.0.0", "5.18.0"),
        ksp=VersionResult(True, "0.0.0.0", ""),
        importer=VersionResult(True, "3.4.4.0"),
        folder=FolderResult(True, (FolderFile("b", 1, ""), FolderFile("a", 1, ""))),
        cli_2=FileContent(True, b'{"clusters": [{"cluster": {"servers": [{"hostname": "10.0.0.4"}]}}]}'),
        ksp_1=FileContent(
            True,
            b'{"clusters": [{"cluster": {"servers": [{"hostname": "10.0.0.4"}, {"hostname": "10.0.0.5"}]}}]}',
        ),
        sdk3_1=FileContent(True, b'{"server": {"hostname": "10.0.0.6"}}'),
        sdk3_2=FileContent(True, b"damaged"),
    )
    assert (there.cli_version, there.ksp_version, there.import_key, there.containers) == (
        "5.18.0",
        "unknown",
        True,
        ("a", "b"),
    )
    assert {sdk: set(addresses) for sdk, addresses in there.addresses.items()} == {
        "5": {"10.0.0.4", "10.0.0.5"},
        "3": {"10.0.0.6"},
    }
    assert key_container.sdk_of(WANTED, there) is SDK5
    assert key_container.sdk_of(replace(WANTED, client_sdk="3"), there) is SDK3
    with pytest.raises(BrokenLink, match="Client SDK 3 is not installed"):
        key_container.sdk_of(replace(WANTED, client_sdk="3"), replace(there, import_key=False))


def test_the_certificate_on_the_host_is_read_along() -> None:
    wanted = replace(WANTED, certificate_path="C:\\signing.cer")
    assert (
        key_container.read(wanted, results(wanted, certificate=FileContent(True, b"x"))).certificate == b"x"
    )
    with pytest.raises(BrokenLink, match="cannot be read on the host"):
        key_container.read(wanted, results(wanted))


@pytest.mark.parametrize(
    ("content", "containers", "container"),
    [
        (blob(SIGNING, "7e3c-b2f5"), ["7E3C-B2F5"], "7E3C-B2F5"),
        (blob(SIGNING, "7e3c-b2f5", CLOUDHSM), ["7e3c-b2f5"], "7e3c-b2f5"),
        (blob(SIGNING, "7e3c-b2f5", "Microsoft Software Key Storage Provider"), ["7e3c-b2f5"], ""),
        (blob(SIGNING, "7e3c-b2f5"), ["7e3c-b2f"], ""),
        (blob(SIGNING), ["7e3c-b2f5"], ""),
        (blob(SIGNING, "7e3c-b2f5")[:-3], ["7e3c-b2f5"], ""),
    ],
)
def test_an_association_is_proof_if_its_file_exists(
    content: bytes, containers: list[str], container: str
) -> None:
    there = replace(seen(store=stored(content)), containers=tuple(containers))
    assert key_container.associated(WANTED, there) == container
    findings = key_container.compare(WANTED, there)
    assert [finding.link for finding in findings] == ([] if container else ["container"])


def test_a_report_says_what_the_certificate_is_tied_to() -> None:
    assert key_container.compare(WANTED, seen())[0].seen == "none"
    assert (
        "gone of Cavium" in key_container.compare(WANTED, seen(store=stored(blob(SIGNING, "gone"))))[0].seen
    )
    assert "unreadable" in key_container.compare(WANTED, seen(store=stored(b"damaged")))[0].seen


ONE = FolderResult(True, (FolderFile("7E3C-B2F5", 8, ""),))


@pytest.mark.parametrize(
    ("folder", "contents", "blank"),
    [
        (
            FolderResult(True, (FolderFile("7E3C-B2F5", 0, ""),)),
            FolderContents(True, {"7E3C-B2F5": b""}),
            True,
        ),
        (FolderResult(True, (FolderFile("7E3C-B2F5", 0, ""),)), Failure("Access is denied."), True),
        (ONE, FolderContents(True, {"7E3C-B2F5": bytes(8)}), True),
        (ONE, FolderContents(True, {"7E3C-B2F5": b"\0\0\0\1\0\0\0\0"}), False),
        (ONE, FolderContents(True, {}), False),
        (ONE, Failure("Access is denied."), False),
    ],
)
def test_a_file_that_holds_nothing_is_no_container(folder: Result, contents: Result, blank: bool) -> None:
    there = seen(store=stored(blob(SIGNING, "7e3c-b2f5")), folder=folder, contents=contents)
    assert there.blank == (("7E3C-B2F5",) if blank else ())
    assert key_container.associated(WANTED, there) == ("" if blank else "7E3C-B2F5")
    findings = key_container.compare(WANTED, there)
    assert ["whose file holds nothing" in finding.seen for finding in findings] == ([True] if blank else [])


@pytest.mark.parametrize(
    ("tied", "blank", "force", "matches", "moved"),
    [
        ("a", ["a"], False, (), ("a",)),
        ("a", ["a", "b"], False, (), ("a",)),
        ("a", ["b"], False, (), ()),
        ("a", [], True, (), ("a",)),
        ("", ["b"], False, (), ("b",)),
        ("gone", ["b"], False, (), ("b",)),
        ("", [], True, ("b", "a"), ("b",)),
        ("", [], False, ("b",), ()),
    ],
)
def test_what_a_new_container_takes_the_place_of(
    tied: str, blank: list[str], force: bool, matches: tuple[str, ...], moved: tuple[str, ...]
) -> None:
    there = replace(seen(store=stored(blob(SIGNING, tied))), containers=("a", "b"), blank=tuple(blank))
    assert key_container_plan.in_the_way(replace(WANTED, force=force), there, matches) == moved


def test_a_blank_container_of_another_certificate_is_left() -> None:
    other = make("other", number=1)
    entries = {SIGNING.thumbprint: blob(SIGNING), other.thumbprint: blob(other, "a")}
    there = Seen(containers=("a", "b"), blank=("a", "b"), store=store_entry.Entries(blobs=entries))
    assert key_container_plan.in_the_way(WANTED, there, ()) == ("b",)


@pytest.mark.parametrize(
    ("keys", "files", "names"),
    [
        ([KeyContainer("a", modulus=SIGNING.modulus)], ["A"], ("A",)),
        ([KeyContainer("te-name", "a", modulus=SIGNING.modulus)], ["a"], ("a",)),
        ([KeyContainer("other", modulus=SIGNING.modulus)], ["a"], ("other",)),
        ([KeyContainer("a", modulus="BEEF"), KeyContainer("b")], ["a", "b"], ()),
        (
            [KeyContainer("a", modulus=SIGNING.modulus), KeyContainer("b", modulus=SIGNING.modulus)],
            ["a", "b"],
            ("a", "b"),
        ),
    ],
)
def test_containers_are_matched_by_public_key_and_named_as_their_files(
    keys: list[KeyContainer], files: list[str], names: tuple[str, ...]
) -> None:
    assert key_container.matching(WANTED, keys, files) == names


def test_an_ec_container_is_matched_by_its_point() -> None:
    point = "04" + "ab" * 64
    assert key_container.is_key(WantedKey(point=point.upper()), KeyContainer("a", point=point))
    assert not key_container.is_key(WantedKey(point=point.upper()), KeyContainer("a"))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("5.16.0", (5, 16, 0)),
        ("5.16.1-1", (5, 16, 1)),
        ("5.18", (5, 18, 0)),
        ("0.0.0.0", ()),
        ("unknown", ()),
        ("", ()),
    ],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_of(text) == numbers


@pytest.mark.parametrize(
    ("cli", "ksp", "sdk", "count"),
    [
        ("5.14.0", "5.15.2", SDK5, 0),
        ("5.16.0", "5.18.0", SDK5, 1),
        ("5.16.0", "5.16.0", SDK5, 2),
        ("5.16.1", "5.16.1", SDK5, 0),
        ("5.13.0", "5.13.0", SDK5, 0),
        ("5.16.0", "5.16.0", SDK3, 0),
        ("unknown", "", SDK5, 0),
    ],
)
def test_known_faults(cli: str, ksp: str, sdk: ClientSdk, count: int) -> None:
    warnings = key_container.known_faults(Seen(cli_version=cli, ksp_version=ksp), sdk)
    assert len(warnings) == count
    assert all("5.16.1 or newer" in text for text in warnings)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            Failure("Attempted to perform an unauthorized operation.", "UnauthorizedAccessException"),
            "unauthorized operation",
        ),
        (AccessResult(False), "its file is not there"),
        (AccessResult(True, {"b": "D:"}), "its file is not there"),
        (AccessResult(True, {"A": Failure("Access is denied.", "", 5)}), "cannot be read: Access is denied"),
        (
            AccessResult(True, {"A": "D:"}, {"agent": Failure("No domain.")}),
            "The account .agent. cannot be looked up on this host: No domain",
        ),
        (AccessResult(True, {"A": "D:"}, {"agent": ""}), "There is no account 'agent'"),
    ],
)
def test_rights_that_cannot_be_known(result: Result, words: str) -> None:
    with pytest.raises(BrokenLink, match=words):
        key_container_plan.missing_readers(result, "a", ["agent"])


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("a", "A", True), (CLOUDHSM, "cavium key storage provider", True), (CLOUDHSM, "Microsoft", False)],
)
def test_two_names_of_one_provider(first: str, second: str, same: bool) -> None:
    assert store_entry.same_provider(first, second) == same


def test_stores_that_are_folders_or_cannot_be_read() -> None:
    user = store_entry.Wanted("My", "CurrentUser")
    entries = store_entry.read(user, [FolderContents(True, {"ab": b"1"})])
    assert entries.blobs == {"AB": b"1"}
    assert store_entry.read(user, [FolderContents(False)]).blobs == {}
    assert store_entry.read(user, [Skipped()]).blobs == {}
    with pytest.raises(BrokenLink, match="cannot be read: Access is denied"):
        store_entry.read(user, [Failure("Access is denied.")]).check()
    with pytest.raises(BrokenLink, match="entry of certificate AB in the store cannot be read"):
        entries.certificate("AB")
    both = store_entry.Entries(blobs={"AB": b"1", SIGNING.thumbprint: blob(SIGNING, "7E3C")})
    assert both.pointing_to("7e3c", CLOUDHSM).keys() == {SIGNING.thumbprint}


def test_a_certificate_is_in_the_store_wherever_windows_keeps_it() -> None:
    """What group policy put there counts, and a place that cannot be read is no place without it."""
    wanted = SIGNING.thumbprint
    machine = store_entry.Wanted("My", "LocalMachine", wanted)
    own, policy, enterprise = store_entry.observe(machine)
    assert [step.to_json()["path"].split("\\")[1:3] for step in (own, policy, enterprise)] == [
        ["SOFTWARE", "Microsoft"],
        ["SOFTWARE", "Policies"],
        ["SOFTWARE", "Microsoft"],
    ]
    there = RegistryResult(True, "Binary", None, blob(SIGNING, "7E3C"))
    absent, denied = RegistryResult(False), Failure("Access is denied.")
    for results in ([absent, there, absent], [denied, there, absent], [there, absent, denied]):
        assert store_entry.read(machine, results).certificate(wanted).der == SIGNING.der
    first = store_entry.read(machine, [there, RegistryResult(True, "Binary", None, b"other")])
    assert first.certificate(wanted).der == SIGNING.der
    with pytest.raises(BrokenLink, match="cannot be read: Access is denied"):
        store_entry.read(machine, [absent, denied, absent]).certificate(wanted)
    with pytest.raises(NotInStoreError):
        store_entry.read(machine, [absent] * 3).certificate(wanted)


def test_proof_that_was_not_made() -> None:
    assert key_container_plan.read_proof(Skipped()).problem == "certutil was not run"
    silent = key_container_plan.read_proof(RunResult(0x80090020, b"CLOUDHSM_PIN is not set\r\n"))
    assert key_container_plan.listing_failed(silent).link == "credential"
    with pytest.raises(ValueError, match="both handles"):
        key_container_plan.plan(WANTED, Seen(), SDK3, (1, None))


def test_a_wanted_container_shows_no_password() -> None:
    assert "correct-horse" not in repr(replace(WANTED, user=CryptoUser("signer", "correct-horse-7")))
