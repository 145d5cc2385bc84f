# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that are opened by their own names: which names will do, what is asked, and what the answers prove."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import (
    BrokenLink,
    ListingFailedError,
    LoginRefusedError,
    NotVisibleError,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.lookup import Lookup
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import SeenKey, WantedKey
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import Result, RunResult, Skipped
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import container, direct
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import entry as store_entry
from tests.unit.plugins.action.cloud_host import _dump
from tests.unit.plugins.certificates import blob, make

SIGNING, OTHER = make("signing"), make("other", number=1)
CAVIUM, CLOUDHSM = "Cavium Key Storage Provider", "CloudHSM Key Storage Provider"
USER = CryptoUser("signer", "correct-horse-7")
WANTED = container.Wanted(
    key=WantedKey(modulus=SIGNING.modulus),
    thumbprint=SIGNING.thumbprint,
    provider=CLOUDHSM,
    key_access="direct",
    client_sdk="5",
    user=USER,
)
KEY = SeenKey(7, "private", modulus=SIGNING.modulus, label="release 2026")
PUBLIC = replace(KEY, handle=8, key_class="public")
ASKING = Lookup(windows=True, user=USER)


# The name
# --------------------------------------------------------------------------------------------------------------


def test_the_one_private_key_is_taken_by_its_name() -> None:
    assert direct.private_key(WANTED, [PUBLIC, KEY]) == KEY
    assert direct.private_key(replace(WANTED, private_handle=7), [KEY]) == KEY


@pytest.mark.parametrize(
    ("label", "link", "words"),
    [
        ("", "key", "has no label on the HSM"),
        ("-user", "container", "certutil takes '-user' for an option"),
        ("/x", "container", "certutil takes '/x' for an option"),
        (" release", "container", "begins or ends with a blank"),
        ("release\t1", "container", "none to print"),
        ('rel"ease', "container", "cannot be written to a certutil property file"),
        ("a&b", "container", "cannot be written to a certutil property file"),
    ],
)
def test_a_name_that_opens_no_key(label: str, link: str, words: str) -> None:
    with pytest.raises(BrokenLink) as caught:
        direct.private_key(WANTED, [replace(KEY, label=label)])
    assert (caught.value.link, words in caught.value.problem) == (link, True), caught.value.problem
    assert caught.value.details["handles"] == [7]
    assert "set-attribute --name label" in caught.value.advice
    assert ".." not in str(caught.value)


def test_no_key_two_keys_and_another_handle() -> None:
    with pytest.raises(NotVisibleError):
        direct.private_key(WANTED, [PUBLIC])
    with pytest.raises(BrokenLink, match="2 private keys have the RSA modulus"):
        direct.private_key(WANTED, [KEY, replace(KEY, handle=9)])
    with pytest.raises(BrokenLink, match="private_handle is 9") as caught:
        direct.private_key(replace(WANTED, private_handle=9), [KEY])
    assert caught.value.link == "argument"


# The proof
# -------------------------------------------------------------------------------------------------------------


def test_what_is_asked() -> None:
    """The name goes as one argument, blanks and all; the login never does."""
    labelled, opened = direct.prove_steps(WANTED, KEY, ASKING)
    assert isinstance(labelled, Run)
    assert isinstance(opened, Run)
    assert labelled.arguments[:5] == (
        "key",
        "list",
        "--filter",
        "attr.class=private-key",
        "attr.label=release 2026",
    )
    assert opened.arguments == ("-v", "-csp", CLOUDHSM, "-key", "release 2026")
    assert opened.only_if_previous_ok
    assert USER.password not in str([labelled.to_json(), opened.to_json()])


def cli(*handles: int, code: int = 0, data: object = None) -> RunResult:
    keys = [
        {"key-reference": f"0x{handle:016x}", "attributes": {"class": "private-key"}} for handle in handles
    ]
    text = json.dumps({"error_code": code, "data": data or {"matched_keys": keys}})
    return RunResult(code, text.encode(), encoding="utf-8")


def shown(name: str = "release 2026", der: bytes = SIGNING.public_key, dump: bool = True) -> RunResult:
    text = f"{CLOUDHSM}:\r\n  {name}\r\n\r\n  RSA\r\n    AT_KEYEXCHANGE:\r\n{_dump(der) if dump else ''}"
    return RunResult(0, f"{text}\r\nCertUtil: -key command completed successfully.\r\n".encode())


NO_KEYSET = RunResult(0x80090016, b"CertUtil: -key command FAILED: 0x80090016 (-2146893802)\r\n")


@pytest.mark.parametrize(
    ("listed", "opened", "proof", "warned"),
    [
        (cli(7), shown(), "public_key", False),
        (cli(), shown(), "public_key", False),
        (cli(7), shown(dump=False), "label", True),
        (cli(7), shown("something else"), "label", True),
    ],
)
def test_what_proves_a_name(listed: Result, opened: Result, proof: str, warned: bool) -> None:
    chosen = direct.judge(WANTED, KEY, ASKING, [listed, opened])
    assert (chosen.container, chosen.proof, bool(chosen.warnings)) == ("release 2026", proof, warned)


@pytest.mark.parametrize(
    ("listed", "opened", "kind", "link", "words"),
    [
        (
            cli(7, 9),
            shown(),
            BrokenLink,
            "key",
            "2 private keys bear the label 'release 2026' (handles 7, 9)",
        ),
        (cli(9, 11), shown(), BrokenLink, "key", "3 private keys bear the label"),
        (cli(7), shown(der=OTHER.public_key), BrokenLink, "container", "opens another key than the"),
        (cli(7), NO_KEYSET, ListingFailedError, "container", "0x80090016, NTE_BAD_KEYSET"),
        (
            cli(code=1, data="Incorrect credentials are passed: Incorrect authentication credentials."),
            Skipped(),
            LoginRefusedError,
            "credential",
            "refused the crypto user",
        ),
    ],
)
def test_what_does_not(listed: Result, opened: Result, kind: type[BrokenLink], link: str, words: str) -> None:
    with pytest.raises(kind) as caught:
        direct.judge(WANTED, KEY, ASKING, [listed, opened])
    assert (caught.value.link, words in caught.value.problem) == (link, True), caught.value.problem


# What is tied already
# ----------------------------------------------------------------------------------------------------


def seen(name: str, provider: str, containers: tuple[str, ...] = ()) -> container.Seen:
    entries = store_entry.Entries(blobs={SIGNING.thumbprint: blob(SIGNING, name, provider)})
    return container.Seen(cli_version="5.18.0", store=entries, containers=containers)


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        (WANTED, seen("release", CLOUDHSM), "release"),
        (WANTED, seen("release", CLOUDHSM.upper()), "release"),
        (WANTED, seen("release", CLOUDHSM, ("other",)), "release"),
        (WANTED, seen("release", CLOUDHSM, ("RELEASE",)), ""),
        (WANTED, seen("release", CAVIUM), ""),
        (WANTED, seen("", CLOUDHSM), ""),
        (WANTED, container.Seen(), ""),
        (replace(WANTED, force=True), seen("release", CLOUDHSM), ""),
    ],
)
def test_a_certificate_that_is_tied_is_not_asked_again(
    wanted: container.Wanted, there: container.Seen, expected: str
) -> None:
    """But for a name that a key reference file has too: it may be that which was meant."""
    chosen = direct.tied(wanted, there)
    assert (chosen.container if chosen else "") == expected
    assert chosen is None or chosen.proof == "association"
