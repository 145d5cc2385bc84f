# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to a key, by table: which one a certificate goes, which one a host is to go, and what stands against
changing it.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import (
    BrokenLink,
    NotConfiguredError,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    Failure,
    FolderContents,
    FolderFile,
    FolderResult,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import access, container
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.access import Use
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._sdk import SDK3, SDK5, ClientSdk
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import entry as store_entry
from tests.unit.plugins.certificates import blob, make

CAVIUM, CLOUDHSM = "Cavium Key Storage Provider", "CloudHSM Key Storage Provider"
FILE, LOST = Use("AA", "7e3c", CAVIUM, True), Use("BB", "91aa", CAVIUM, False)
NAMED, NAMED_FILE = Use("CC", "signing", CLOUDHSM, False), Use("DD", "signing", CLOUDHSM, True)
SIGNING, OTHER = make("signing"), make("other", number=1)


@pytest.mark.parametrize(
    ("use", "on", "off", "unknown"),
    [
        (FILE, "reference", "reference", "reference"),
        (LOST, "reference", "direct", "reference"),
        (NAMED, "reference", "direct", "direct"),
        (NAMED_FILE, "reference", "direct", "reference"),
    ],
)
def test_which_way_a_certificate_goes(use: Use, on: str, off: str, unknown: str) -> None:
    assert [access.way(use, mode) for mode in (True, False, None)] == [on, off, unknown]


@pytest.mark.parametrize(
    ("wanted", "uses", "mode", "way"),
    [
        ("auto", [], True, "reference"),
        ("auto", [], False, "reference"),
        ("auto", [], None, "reference"),
        ("auto", [FILE], False, "reference"),
        ("auto", [FILE, LOST], True, "reference"),
        ("auto", [NAMED], False, "direct"),
        ("auto", [NAMED], None, "direct"),
        ("auto", [NAMED], True, "reference"),
        ("auto", [FILE, NAMED], False, "direct"),
        ("auto", [FILE, NAMED], None, "reference"),
        ("direct", [FILE], True, "direct"),
        ("reference", [NAMED], False, "reference"),
    ],
)
def test_which_way_a_host_is_to_go(wanted: str, uses: list[Use], mode: bool | None, way: str) -> None:
    assert access.resolve(wanted, uses, mode) == way


@pytest.mark.parametrize(
    ("wanted", "mode", "against"),
    [
        ("reference", True, []),
        ("reference", False, [LOST, NAMED, NAMED_FILE]),
        ("reference", None, [NAMED]),
        ("direct", False, []),
        ("direct", True, [FILE, NAMED_FILE]),
        ("direct", None, [FILE, NAMED_FILE]),
    ],
)
def test_what_stands_against_the_other_way(
    wanted: access.Access, mode: bool | None, against: list[Use]
) -> None:
    assert list(access.hindering(wanted, [FILE, LOST, NAMED, NAMED_FILE], mode)) == against


def test_certificates_are_named_with_what_they_are_tied_to() -> None:
    assert access.named([FILE, NAMED]) == "AA (7e3c), CC (signing)"


def test_what_a_store_is_tied_to() -> None:
    """Names of files compare without case, one that holds nothing is none, and other providers are left out."""
    entries = store_entry.Entries(
        blobs={
            SIGNING.thumbprint: blob(SIGNING, "7E3C", CAVIUM.upper()),
            OTHER.thumbprint: blob(OTHER, "empty", CLOUDHSM),
            "EE": blob(make("third", number=2), "7e3c", "Microsoft Software Key Storage Provider"),
            "FF": b"damaged",
            "00": blob(make("fourth", number=3), "", ""),
        }
    )
    found = access.uses(entries, ("7e3c", "empty"), ("empty",))
    wished = [
        Use(SIGNING.thumbprint, "7E3C", CAVIUM.upper(), True),
        Use(OTHER.thumbprint, "empty", CLOUDHSM, False),
    ]
    assert found == tuple(sorted(wished, key=lambda use: use.thumbprint))


@pytest.mark.parametrize(
    ("contents", "blank"),
    [
        (None, ("empty",)),
        (FolderContents(True, {"full": b"x", "zeros": b"\0\0", "empty": b""}), ("empty", "zeros")),
        (Failure("denied"), ("empty",)),
    ],
)
def test_files_that_hold_nothing(contents: FolderContents | Failure | None, blank: tuple[str, ...]) -> None:
    listing = FolderResult(
        True, (FolderFile("full", 1, ""), FolderFile("zeros", 2, ""), FolderFile("empty", 0, ""))
    )
    assert access.blank(listing, contents) == blank
    assert access.containers(listing) == ("empty", "full", "zeros")


def test_a_folder_that_cannot_be_read_is_said() -> None:
    with pytest.raises(BrokenLink, match="folder of the key containers") as caught:
        access.containers(Failure("Access is denied."))
    assert caught.value.link == "container"


# What a host makes of it
# ----------------------------------------------------------------------------------------------------------


def seen(mode: bool | None = None, sdk3: bool = False, **more: object) -> container.Seen:
    data: dict[str, object] = {"clusters": []}
    if mode is not None:
        data["sdk3_compatibility_mode"] = mode
    there = container.Seen(
        cli_version="" if sdk3 else "5.18.0",
        import_key=sdk3,
        configurations={configure.KSP_FILE: json.dumps(data).encode()},
    )
    return replace(there, **more)  # type: ignore[arg-type]


def tied(name: str, provider: str) -> dict[str, object]:
    return {"store": store_entry.Entries(blobs={SIGNING.thumbprint: blob(SIGNING, name, provider)})}


WANTED = container.Wanted(thumbprint=SIGNING.thumbprint, provider="")


@pytest.mark.parametrize(
    ("wanted", "there", "way", "provider"),
    [
        ("auto", seen(), "reference", CAVIUM),
        ("auto", seen(False, **tied("signing", CLOUDHSM)), "direct", CLOUDHSM),
        ("auto", seen(False, sdk3=True, **tied("signing", CLOUDHSM)), "reference", CAVIUM),
        ("direct", seen(True), "direct", CLOUDHSM),
        ("direct", seen(sdk3=True), "direct", CLOUDHSM),
        ("reference", seen(False), "reference", CAVIUM),
    ],
)
def test_a_host_settles_what_is_left_to_it(
    wanted: str, there: container.Seen, way: str, provider: str
) -> None:
    settled = container.settled(replace(WANTED, key_access=wanted), there)
    assert (settled.key_access, settled.provider) == (way, provider)
    named = container.settled(replace(WANTED, key_access=wanted, provider="Mine"), there)
    assert named.provider == "Mine"


@pytest.mark.parametrize(
    ("way", "mode", "sdk", "link", "words"),
    [
        ("direct", True, SDK5, "client", "by key reference files now (its SDK 3 compatibility mode is on)"),
        ("reference", False, SDK5, "client", "directly by their names now"),
        ("direct", None, SDK3, "argument", "exists in Client SDK 5 alone"),
        ("direct", False, SDK5, "", ""),
        ("direct", None, SDK5, "", ""),
        ("reference", True, SDK5, "", ""),
        ("reference", None, SDK5, "", ""),
        ("reference", False, SDK3, "", ""),
    ],
)
def test_the_provider_has_to_go_the_way_that_is_wanted(
    way: str, mode: bool | None, sdk: ClientSdk, link: str, words: str
) -> None:
    wanted = replace(WANTED, key_access=way)
    if not link:
        container.check_way(wanted, seen(mode), sdk)
        return
    with pytest.raises(BrokenLink) as caught:
        container.check_way(wanted, seen(mode), sdk)
    assert caught.value.link == link
    assert words in caught.value.problem
    # Check mode takes it for granted that a task before this one would have changed it.
    assert isinstance(caught.value, NotConfiguredError) is (link == "client")


FILES = {"containers": ("7e3c",)}


@pytest.mark.parametrize(
    ("way", "there", "held", "words"),
    [
        ("reference", seen(True, **tied("7e3c", CAVIUM), **FILES), "7e3c", ""),
        ("reference", seen(True, **tied("gone", CAVIUM), **FILES), "", "which has no file"),
        ("direct", seen(False, **tied("signing", CLOUDHSM)), "signing", ""),
        ("direct", seen(False, **tied("signing", CLOUDHSM), containers=("signing",)), "signing", ""),
        ("direct", seen(True, **tied("7e3c", CLOUDHSM), **FILES), "", "a key reference file"),
        ("direct", seen(False, **tied("7e3c", CAVIUM), **FILES), "", "a key reference file"),
        ("direct", seen(None, **tied("signing", CLOUDHSM)), "signing", ""),
        ("direct", seen(None), "", "none"),
    ],
)
def test_what_a_report_says_of_a_container(way: str, there: container.Seen, held: str, words: str) -> None:
    provider = CLOUDHSM if way == "direct" else CAVIUM
    wanted = replace(WANTED, key_access=way, provider=provider)
    assert container.held(wanted, there) == held
    findings = container.compare(wanted, there)
    assert [words in finding.seen for finding in findings] == ([] if held else [True])
    assert container.associated(wanted, there) == ("" if way == "direct" else held)
