# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool through the lab with a key that cannot be used: nine causes have nine sentences and their links.

SignTool itself says one thing for all of them: that no certificate is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from support.signable import missing_tools

from .scenes import Case, Outcome, Scene, play, put
from .signing import FOLDER, MODULE, SIGNTOOL, Signing

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"
DATA = r"C:\ProgramData\Amazon\CloudHSM\data"
SDK5, SDK3 = "en5", "en3"
WRONG = {"crypto_user": "codesigner", "crypto_password": "wrong-horse-8"}
TWO = [rf"{FOLDER}\causes\a.exe", rf"{FOLDER}\causes\b.exe"]

CAUSES: dict[str, list[tuple[str, dict[str, Any], str, str]]] = {
    SDK5: [
        (
            "HSM unreachable",
            {"faults": ["hsm_unreachable"]},
            "cluster",
            "cannot reach the HSM on TCP port 2223",
        ),
        (
            "user locked",
            {"faults": ["fleet:user_locked"]},
            "credential",
            "The crypto user codesigner is locked",
        ),
        ("wrong password", {"login": WRONG}, "credential", "the HSM refused the crypto user or the password"),
        ("on one HSM", {"faults": ["fleet:key_unavailable"]}, "key", "is not on all HSMs of the cluster"),
        ("not shared", {"faults": ["fleet:key_foreign"]}, "key", "is visible to this crypto user"),
        ("container gone", {"gone": CONTAINERS}, "container", "is gone: it has no file in"),
        (
            "configuration gone",
            {"gone": rf"{DATA}\cloudhsm-ksp.cfg"},
            "client",
            "The configuration of CloudHSM's provider is gone",
        ),
    ],
    SDK3: [
        (
            "HSM unreachable",
            {"faults": ["hsm_unreachable"]},
            "cluster",
            "cannot reach the HSM on TCP port 2223",
        ),
        ("wrong password", {"login": WRONG}, "credential", "0xa3"),
        ("not shared", {"faults": ["fleet:key_foreign"]}, "key", "is visible to this crypto user"),
        ("container gone", {"gone": CONTAINERS}, "container", "is gone: it has no file in"),
        (
            "configuration gone",
            {"gone": rf"{DATA}\cloudhsm_client.cfg"},
            "client",
            "cloudhsm_client.cfg is gone",
        ),
        # What stays broken until somebody mends it.
        (
            "provider gone",
            {"damage": ["provider"]},
            "provider",
            "Cavium Key Storage Provider is not registered",
        ),
        (
            "service stopped",
            {"faults": ["service_stopped"], "mended": True},
            "service",
            "AWSCloudHSMClient is stopped",
        ),
    ],
}
"""By host: what is broken, the link, words of the sentence."""
MEND = ("cloudhsm.codesign.win_cloudhsm_client", {"hsm_addresses": "{{ codesign_hsm_addresses }}"})


def _files(signing: Signing, host: str, place: str) -> list[str]:
    """The files that are taken away: that one, or all of a folder."""
    return (
        [place]
        if place.endswith(".cfg")
        else [rf"{place}\{name}" for name in signing.fleet.lab.files(host, place)]
    )


def _cases(signing: Signing, host: str) -> list[Case]:
    usual = {
        "thumbprint": signing.thumbprint(),
        "signtool_path": SIGNTOOL,
        "files": TWO,
        "jobs": 1,
    }
    cases, back = [], []
    for name, broken, _link, _words in CAUSES[host]:
        if broken.get("mended"):
            cases.append(Case("mend the provider", *MEND))
        gone = _files(signing, host, broken["gone"]) if "gone" in broken else []
        asks = [*back, *(("remove", {"host": host, "path": path}) for path in gone)]
        back = [put(host, path, signing.content(path, host)) for path in gone]
        arguments = {**usual, **broken.get("login", {})}
        cases.append(Case(name, MODULE, arguments, broken.get("faults", ()), broken.get("damage", ()), asks))
    if host == SDK3:
        cases.append(Case("mend", *MEND))
    return [*cases, Case("healed", MODULE, usual, asks=back)]


@pytest.fixture(scope="module")
def broken(signing: Signing) -> dict[str, tuple[Scene, int]]:
    scenes = {}
    for host in CAUSES:
        for path in TWO:
            signing.put(path.removeprefix(f"{FOLDER}\\"), signing.files["setup64.exe"], host)
        first = signing.fleet.lab.last()
        scenes[host] = (play(signing.fleet, [host], _cases(signing, host)), first)
        signing.fleet.lab.clear()
    return scenes


def _errors(outcome: Outcome) -> Sequence[dict[str, Any]]:
    """None where a login was refused before any file was touched."""
    return outcome.result.get("files", []) if outcome.link != "credential" else []


@pytest.mark.parametrize(
    ("host", "name", "link", "words"),
    [(host, name, link, words) for host, cases in CAUSES.items() for name, _broken, link, words in cases],
)
def test_each_cause_has_its_sentence_for_all_files(
    broken: dict[str, tuple[Scene, int]], host: str, name: str, link: str, words: str
) -> None:
    outcome = broken[host][0].of(name, host)
    assert (outcome.failed, outcome.changed, outcome.link) == (True, False, link), outcome.msg
    assert words in outcome.msg
    for one in _errors(outcome):
        assert (one["error"]["link"], words in one["error"]["msg"]) == (link, True), one["error"]["msg"]
        assert one["error"]["msg"].startswith(one["path"])
    # The look, SignTool, the cleaning up with a look at the client, and one call that asks.
    assert outcome.calls <= 5
    assert "wrong-horse-8" not in str(outcome.result)


def test_nine_causes_have_nine_sentences(broken: dict[str, tuple[Scene, int]]) -> None:
    names = {name for cases in CAUSES.values() for name, *_rest in cases}
    assert len(names) == 9
    sentences = {
        next((one["error"]["msg"] for one in _errors(outcome)), outcome.msg)
        for host, cases in CAUSES.items()
        for name, *_rest in cases
        for outcome in [broken[host][0].of(name, host)]
    }
    assert len(sentences) >= len(names)


@pytest.mark.parametrize("host", list(CAUSES))
def test_the_next_run_heals(signing: Signing, broken: dict[str, tuple[Scene, int]], host: str) -> None:
    healed = broken[host][0].of("healed", host)
    assert [one["outcome"] for one in healed.result["files"]] == ["changed", "changed"], healed.msg
    assert signing.leftovers(host) == []


def _logins(entries: Sequence[dict[str, Any]]) -> int:
    return sum(
        "key list" in " ".join(map(str, entry.get("argv", entry.get("arguments", [])))) for entry in entries
    )


def test_the_diagnosis_logs_in_no_oftener_than_once(
    signing: Signing, broken: dict[str, tuple[Scene, int]]
) -> None:
    entries = [
        entry
        for entry in signing.fleet.lab.record("process", SDK5, broken[SDK5][1])
        if entry["program"].lower().endswith("cloudhsm-cli.exe")
    ]
    # Beside the one that proves the login at the start of each run.
    assert 0 < _logins(entries) <= 2 * len(CAUSES[SDK5])
