# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_import_key against a host held in Python: both SDKs, proofs, calls counted, every broken link
told apart.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action.win_cloudhsm_import_key import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.container import FOLDER
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import import_key
from support.fake_host import (
    Raw,
    failure,
    ran,
    run_action,
)
from tests.unit.plugins.action.cloud_host import (
    LOGIN,
    PASSWORD,
    PROVIDERS,
    CloudHost,
)
from tests.unit.plugins.certificates import make

SIGNING = make("signing")
OTHER = make("other", number=1)
CURVE = make("curve", curve=True)
WANTED = {"thumbprint": SIGNING.thumbprint, **LOGIN}


def host(sdk: str = "5", **more: Any) -> CloudHost:
    return (
        CloudHost(**more)
        .with_sdk(sdk)
        .with_pair(SIGNING)
        .with_pair(OTHER, 1835020, 1835021)
        .with_certificate(SIGNING)
    )


def act(there: CloudHost, check_mode: bool = False, **arguments: Any) -> Raw:
    result = run_action(ActionModule, {**WANTED, **arguments}, there, check_mode=check_mode)
    assert PASSWORD not in json.dumps([result, there.calls, [str(path) for path in there.files]])
    return result


# Present
# --------------------------------------------------------------------------------------------------------------


def test_the_new_container_is_taken_where_another_one_turns_out_to_hold_the_key_too() -> None:
    there = host().with_container("aaaa-1111", None)

    def make_and_show(step: Raw) -> Raw:
        there.held["aaaa-1111"] = SIGNING
        return there._cli(step)

    there.tools[cloudhsm_cli.WINDOWS_PROGRAM] = make_and_show
    result = act(there)
    assert (result["container"], result["containers"]) == ("7e3c-b2f5", ["7e3c-b2f5", "aaaa-1111"])
    assert any("7e3c-b2f5 is used, aaaa-1111 could be removed" in text for text in result["warnings"])


@pytest.mark.parametrize(("sdk", "calls"), [("5", 2), ("3", 3)])
def test_a_container_is_made_and_proven_by_its_public_key(sdk: str, calls: int) -> None:
    there = host(sdk)
    result = act(there)
    assert (result["changed"], result["container"], result["proof"], result["client_sdk"]) == (
        True,
        "7e3c-b2f5",
        "public_key",
        sdk,
    )
    assert result["containers"] == ["7e3c-b2f5"]
    assert len(there.calls) == calls
    assert result["diff"]["before"]["container"] is None
    assert result["diff"]["after"] == {"container": "7e3c-b2f5", "containers_of_the_host": ["7e3c-b2f5"]}
    assert there.containers() == ["7e3c-b2f5"]


@pytest.mark.parametrize("sdk", ["5", "3"])
def test_a_container_is_known_by_its_public_key_before_the_certificate_is_tied_to_it(sdk: str) -> None:
    there = host(sdk).with_container("aaaa-1111", OTHER).with_container("bbbb-2222", SIGNING)
    result = act(there)
    assert (result["changed"], result["container"], result["proof"], len(there.calls)) == (
        False,
        "bbbb-2222",
        "public_key",
        2,
    )
    assert there.containers() == ["aaaa-1111", "bbbb-2222"]


@pytest.mark.parametrize("sdk", ["5", "3"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_tied_certificate_costs_one_call(sdk: str, check_mode: bool) -> None:
    there = (
        host(sdk)
        .with_container("7E3C-B2F5", SIGNING)
        .with_certificate(SIGNING, "7e3c-b2f5", "cavium key storage provider")
    )
    result = act(there, check_mode)
    assert (result["changed"], result["container"], result["proof"], len(there.calls)) == (
        False,
        "7E3C-B2F5",
        "association",
        1,
    )


# Opened directly
# --------------------------------------------------------------------------------------------------------------


DIRECT = {"key_access": "direct"}
CLOUDHSM = "CloudHSM Key Storage Provider"


def mode(there: CloudHost, on: bool) -> CloudHost:
    for path in [path for path in there.files if path.endswith(configure.KSP_FILE)]:
        there.files[path] = json.dumps(
            {**json.loads(there.files[path]), "sdk3_compatibility_mode": on}
        ).encode()
    return there


def one_key() -> CloudHost:
    return mode(CloudHost().with_sdk("5").with_pair(SIGNING).with_certificate(SIGNING), False)


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_key_that_is_opened_directly_is_named_and_nothing_is_made(check_mode: bool) -> None:
    there = one_key()
    result = act(there, check_mode, **DIRECT)
    assert (result["changed"], result["container"], result["proof"], result["key_access"]) == (
        False,
        "signing",
        "public_key",
        "direct",
    )
    assert result["provider"] == CLOUDHSM
    assert (result["diff"]["before"], len(there.calls)) == (result["diff"]["after"], 3)
    assert there.containers() == []


def test_a_name_that_the_certificate_is_tied_to_costs_one_call() -> None:
    there = one_key().with_certificate(SIGNING, "signing", CLOUDHSM)
    for arguments in (DIRECT, {}):
        there.calls.clear()
        result = act(there, readers=["WINHOST\\agent"], **arguments)
        assert (result["container"], result["proof"], len(there.calls)) == ("signing", "association", 1)
        assert "no key reference file that readers" in " ".join(result["warnings"])
    assert act(there, **DIRECT, force=True)["proof"] == "public_key"


def test_a_name_that_two_keys_bear_opens_none() -> None:
    there = one_key().with_pair(OTHER, 1835020, 1835021)
    result = act(there, **DIRECT)
    assert (result["failed"], result["link"], result["handles"]) == (True, "key", [1835009, 1835020])
    assert "set key_access to reference" in result["msg"]


def test_a_key_that_is_opened_directly_is_never_removed() -> None:
    there = one_key().with_container("7e3c-b2f5", SIGNING).with_certificate(SIGNING, "signing", CLOUDHSM)
    result = act(there, **DIRECT, state="absent")
    assert (result["changed"], result["removed"], len(there.calls)) == (False, [], 1)
    assert there.containers() == ["7e3c-b2f5"]
    assert "stays on the HSM" in " ".join(result["warnings"])


@pytest.mark.parametrize("way", ["direct", "reference"])
def test_the_provider_that_goes_the_other_way_is_said_before_a_login(way: str) -> None:
    there = mode(one_key(), way == "direct")
    result = act(there, key_access=way)
    assert (result["failed"], result["link"], len(there.calls)) == (True, "client", 1)
    assert f"key_access is {way}" in result["msg"]
    foretold = act(there, True, key_access=way)
    assert (foretold["changed"], foretold["container"]) == (way == "reference", None)


def test_client_sdk_3_opens_no_key_directly() -> None:
    result = act(host("3"), **DIRECT)
    assert (result["failed"], result["link"]) == (True, "argument")


ASIDE = f"{FOLDER.rpartition(chr(92))[0]}\\7e3c-b2f5.replaced"


def lost(sdk: str, content: bytes) -> CloudHost:
    """A host whose container holds nothing, and makes the next one under the same name."""
    there = host(sdk).with_container("7e3c-b2f5", None).with_certificate(SIGNING, "7e3c-b2f5")
    there.files[f"{FOLDER}\\7e3c-b2f5"] = content
    del there.held["7e3c-b2f5"]
    return there


@pytest.mark.parametrize("content", [b"", bytes(64)])
@pytest.mark.parametrize("sdk", ["5", "3"])
def test_a_container_that_holds_nothing_is_made_again(sdk: str, content: bytes) -> None:
    there = lost(sdk, content)
    predicted = act(there, check_mode=True)
    assert (predicted["changed"], predicted["container"], there.containers()) == (True, None, ["7e3c-b2f5"])
    result = act(there)
    assert (result["changed"], result["container"], result["proof"]) == (True, "7e3c-b2f5", "public_key")
    assert there.files[f"{FOLDER}\\7e3c-b2f5"] == b"reference"
    assert ASIDE not in there.files
    again = act(there)
    assert (again["changed"], again["proof"]) == (False, "association")


@pytest.mark.parametrize("sdk", ["5", "3"])
def test_what_could_not_be_made_again_is_put_back(sdk: str) -> None:
    there = lost(sdk, bytes(64))
    there.tools[cloudhsm_cli.WINDOWS_PROGRAM if sdk == "5" else import_key.PROGRAM] = lambda _step: ran(
        1, "no"
    )
    result = act(there)
    assert (result["failed"], result["changed"]) == (True, False)
    assert there.files[f"{FOLDER}\\7e3c-b2f5"] == bytes(64)
    assert ASIDE not in there.files


def test_a_container_that_cannot_be_moved_is_left_and_nothing_is_made() -> None:
    there = lost("5", b"")
    there.overrides["move"] = lambda _step: failure("The process cannot access the file.")
    result = act(there)
    assert (result["failed"], result["changed"], result["link"]) == (True, False, "container")
    assert "could not be moved aside" in result["msg"]
    assert there.containers() == ["7e3c-b2f5"]


def test_where_nothing_can_be_put_back_the_message_says_where_it_is() -> None:
    there = lost("5", bytes(64))
    moved: list[Raw] = []

    def once(step: Raw) -> Raw:
        moved.append(step)
        return there._move(step) if len(moved) == 1 else failure("The process cannot access the file.")

    there.overrides["move"] = once
    there.tools[cloudhsm_cli.WINDOWS_PROGRAM] = lambda _step: ran(1, "no")
    result = act(there)
    assert (result["failed"], result["changed"]) == (True, True)
    assert f"Move {ASIDE} to {FOLDER}" in result["msg"]


@pytest.mark.parametrize(("shown", "proof", "kept"), [(True, "public_key", False), (False, "new_file", True)])
def test_a_container_is_made_again_by_force(shown: bool, proof: str, kept: bool) -> None:
    """A reference to a key that is gone looks like any other; whoever has proven it says so."""
    there = host().with_container("7e3c-b2f5", SIGNING).with_certificate(SIGNING, "7e3c-b2f5")
    there.files[f"{FOLDER}\\7e3c-b2f5"] = b"stale"

    def make_it(step: Raw) -> Raw:
        answer = there._cli(step)
        if not shown:
            there.held["7e3c-b2f5"] = None
        return answer

    there.tools[cloudhsm_cli.WINDOWS_PROGRAM] = make_it
    result = act(there, force=True)
    assert (result["changed"], result["container"], result["proof"]) == (True, "7e3c-b2f5", proof)
    assert there.files[f"{FOLDER}\\7e3c-b2f5"] == b"reference"
    assert there.files.get(ASIDE) == (b"stale" if kept else None)
    assert any(ASIDE in text for text in result.get("warnings", [])) == kept


def test_an_association_whose_file_is_gone_is_no_proof() -> None:
    there = host().with_certificate(SIGNING, "gone-0000")
    assert act(there)["container"] == "7e3c-b2f5"


def test_two_containers_of_one_key_are_said() -> None:
    there = host().with_container("aaaa-1111", SIGNING).with_container("bbbb-2222", SIGNING)
    result = act(there)
    assert (result["changed"], result["container"], result["containers"]) == (
        False,
        "aaaa-1111",
        ["aaaa-1111", "bbbb-2222"],
    )
    assert "2 containers: aaaa-1111 is used, bbbb-2222 could be removed" in result["warnings"][0]


def test_check_mode_predicts_and_writes_nothing() -> None:
    for sdk in ("5", "3"):
        there = host(sdk).with_container("aaaa-1111", OTHER)
        result = act(there, check_mode=True)
        assert (result["changed"], result["container"], result["proof"]) == (True, None, None)
        assert there.containers() == ["aaaa-1111"]
        assert not any("codesign-" in path for path in there.files)


def test_given_handles_are_not_looked_up() -> None:
    there = host("3")
    assert act(there, private_handle=1835009, public_handle=1835010)["container"] == "7e3c-b2f5"
    assert [run[0] for run in there.runs()] == ["import_key.exe", "certutil.exe"]
    there = host("5")
    act(there, private_handle=1835009)
    assert "key-reference=0x00000000001c0001" in there.runs()[0][1]


def test_handles_of_another_pair_are_caught() -> None:
    result = act(host("3"), private_handle=1835020, public_handle=1835021)
    assert (result["failed"], result["link"]) == (True, "container")
    assert "another public key than the certificate" in result["msg"]


def test_client_sdk_5_comes_first_and_can_be_overruled() -> None:
    there = host("3").with_sdk("5")
    assert act(there)["client_sdk"] == "5"
    there = host("3").with_sdk("5")
    assert act(there, client_sdk="3")["client_sdk"] == "3"


def test_an_ec_key_is_found_by_its_point() -> None:
    there = CloudHost().with_sdk("5").with_pair(CURVE).with_certificate(CURVE)
    result = act(there, thumbprint=CURVE.thumbprint)
    assert result["container"] == "7e3c-b2f5"
    assert "key-reference=0x00000000001c0001" in there.runs()[1][1]
    result = act(
        CloudHost().with_sdk("3").with_pair(CURVE).with_certificate(CURVE), thumbprint=CURVE.thumbprint
    )
    assert "EC key" in result["msg"]


def test_a_certificate_from_a_file_on_the_host_or_from_the_task() -> None:
    there = CloudHost().with_sdk("5").with_pair(SIGNING)
    there.files["C:\\signing.cer"] = SIGNING.der
    arguments = {"certificate_path": "C:\\signing.cer", **LOGIN}
    assert run_action(ActionModule, arguments, there)["thumbprint"] == SIGNING.thumbprint
    assert (
        run_action(ActionModule, {"certificate_path": "C:\\none.cer", **LOGIN}, there)["link"]
        == "certificate"
    )
    there = CloudHost().with_sdk("5").with_pair(SIGNING)
    assert (
        run_action(ActionModule, {"certificate_content": SIGNING.pem, **LOGIN}, there)["container"]
        == "7e3c-b2f5"
    )


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("5.16.0", "Container name inconsistent"),
        ("5.18.0", ""),
        ("5.16.1", ""),
        ("5.13.0", ""),
        ("0.0.0.0", ""),
    ],
)
def test_versions_with_known_faults_are_named(version: str, words: str) -> None:
    there = (
        host()
        .with_container("7e3c-b2f5", SIGNING)
        .with_certificate(SIGNING, "7e3c-b2f5")
        .with_sdk("5", version)
    )
    warnings = act(there).get("warnings", [])
    assert (words in warnings[0]) if words else not warnings


def test_a_cli_that_is_too_old_is_refused() -> None:
    result = act(host().with_sdk("5", "5.15.0"))
    assert (result["failed"], result["link"]) == (True, "client")
    assert "5.16.1 or newer" in result["msg"]


def test_a_provider_that_shows_no_public_key() -> None:
    there = host()
    there._made = lambda certificate: there.with_container("cccc-3333", None)  # type: ignore[method-assign, assignment, return-value]
    result = act(there)
    assert (result["container"], result["proof"]) == ("cccc-3333", "new_file")
    assert "A test signature is the proof" in result["warnings"][0]


def test_an_import_that_makes_nothing_or_too_much() -> None:
    there = host()
    there._made = lambda certificate: None  # type: ignore[method-assign, assignment]
    assert "there is no new container" in act(there)["msg"]
    there = host()

    def two(certificate: object) -> None:
        there.with_container("a", None)
        there.with_container("b", None)

    there._made = two  # type: ignore[method-assign, assignment]
    assert "2 new containers appeared at once" in act(there)["msg"]


def test_a_file_named_otherwise_than_its_container() -> None:
    there = host().with_sdk("5", "5.16.0")

    def made(certificate: Any) -> None:
        there.files[f"{FOLDER}\\7e3c-b2f5"] = b"reference"
        there.held["tq-3daacd89"] = certificate

    there._made = made  # type: ignore[method-assign]
    result = act(there)
    assert (result["container"], result["proof"]) == ("7e3c-b2f5", "public_key")
    assert any("its own name tq-3daacd89" in text for text in result["warnings"])


# What is broken
# -------------------------------------------------------------------------------------------------------


def break_password(there: CloudHost) -> Raw:
    return {"crypto_password": "wrong-horse-8"}


def break_credential(there: CloudHost) -> Raw:
    return {"crypto_user": None, "crypto_password": None, "private_handle": 1835009, "public_handle": 1835010}


def break_service(there: CloudHost) -> None:
    there.services["AWSCloudHSMClient"]["status"] = "Stopped"


def break_provider(there: CloudHost) -> None:
    there.providers = PROVIDERS[:1]


def break_lock(there: CloudHost) -> None:
    there.locked = True


def break_availability(there: CloudHost) -> None:
    there.availability = False


def break_network(there: CloudHost) -> None:
    there.reachable.clear()


def break_key(there: CloudHost) -> None:
    there.keys.clear()


def break_duplicate(there: CloudHost) -> None:
    there.with_pair(SIGNING, 1835100, 1835101)


def break_client(there: CloudHost) -> None:
    there.versions.clear()


@pytest.mark.parametrize(
    ("sdk", "damage", "link", "words"),
    [
        ("5", break_password, "credential", "refused the crypto user or the password"),
        ("3", break_password, "credential", "0xa3"),
        ("5", break_credential, "credential", "crypto user"),
        ("3", break_credential, "credential", "n3fips_password is not set"),
        ("5", break_lock, "credential", "The crypto user signer is locked"),
        ("3", break_service, "service", "AWSCloudHSMClient is stopped"),
        ("5", break_provider, "provider", "is not registered"),
        ("3", break_provider, "provider", "is not registered"),
        ("5", break_availability, "key", "fewer than two HSMs"),
        ("5", break_network, "cluster", "cannot reach the HSM on TCP port 2223: 10.0.1.17"),
        ("5", break_key, "key", "no key passes the filter"),
        ("3", break_key, "key", "No private key"),
        ("5", break_duplicate, "key", "more than one key"),
        ("3", break_duplicate, "key", "handles 1835009, 1835100"),
        (
            "5",
            break_client,
            "client",
            f"No client of CloudHSM is installed on this host: neither {cloudhsm_cli.WINDOWS_PROGRAM} nor {import_key.PROGRAM} is there.",
        ),
    ],
)
def test_every_broken_link_is_told_apart(sdk: str, damage: Any, link: str, words: str) -> None:
    there = host(sdk)
    result = act(there, **(damage(there) or {}))
    assert (result["failed"], result["link"]) == (True, link)
    assert words in result["msg"]
    assert len(there.calls) <= 4
    assert "wrong-horse-8" not in json.dumps(result)


def test_an_hsm_that_import_key_cannot_reach_is_no_stopped_service() -> None:
    there = host("3")
    there.reachable.clear()
    result = act(there, private_handle=1835009, public_handle=1835010)
    assert (result["link"], "port 2223" in result["msg"]) == ("cluster", True)


@pytest.mark.parametrize(
    ("reachable", "link"),
    [
        ({"10.0.1.17", "10.0.2.23"}, None),
        ({"10.0.1.17"}, None),
        ({"10.0.2.23"}, None),
        (set(), "cluster"),
    ],
)
def test_one_of_two_hsms_that_is_down_is_not_the_cluster(reachable: set[str], link: str | None) -> None:
    there = host().with_container("aaaa-1111", SIGNING)
    servers = [{"hostname": "10.0.1.17"}, {"hostname": "10.0.2.23"}]
    content = json.dumps({"clusters": [{"type": "hsm2m", "cluster": {"servers": servers}}]})
    there.files[f"{configure.FOLDERS[0]}\\{configure.CLI_FILE}"] = content.encode()
    there.listing_code = 0x80090016
    there.reachable = reachable
    result = act(there)
    assert (result.get("failed", False), result.get("link")) == (link is not None, link)


@pytest.mark.parametrize(
    ("sdk", "code", "damage", "link"),
    [
        ("3", 0x80090016, None, "container"),
        ("5", 0x80090020, break_network, "cluster"),
        ("5", 0x80090030, break_provider, "provider"),
        ("3", 0x8009FFFF, None, "container"),
        ("5", 0x80090029, break_lock, "credential"),
    ],
)
def test_containers_that_cannot_be_listed_are_never_guessed(
    sdk: str, code: int, damage: Any, link: str
) -> None:
    there = host(sdk).with_container("aaaa-1111", SIGNING)
    there.listing_code = code
    if damage:
        damage(there)
    result = act(there)
    assert (result["failed"], result["link"]) == (True, link)
    assert f"0x{code:08x}" in json.dumps(result)
    assert there.containers() == ["aaaa-1111"]


def test_with_sdk_5_a_list_that_fails_is_a_warning_and_the_new_file_is_known_by_itself() -> None:
    there = host().with_container("aaaa-1111", OTHER)
    there.listing_code = 0x80090029
    predicted = act(there, check_mode=True)
    assert (predicted["changed"], predicted["container"], there.containers()) == (True, None, ["aaaa-1111"])
    there.calls.clear()
    result = act(there)
    assert (result["changed"], result["container"], result["proof"]) == (True, "7e3c-b2f5", "new_file")
    assert "The containers that are there cannot be listed (certutil -key failed with 0x80090029" in str(
        result["warnings"]
    )
    assert "The container 7e3c-b2f5 is known by its new file only" in str(result["warnings"])
    # The look, the list, the diagnosis of it, the import.
    assert len(there.calls) == 4


@pytest.mark.parametrize(
    ("tool", "answer", "words"),
    [
        ("certutil.exe", ran(timed_out=True), "did not end within its time limit"),
        ("certutil.exe", failure("Access is denied", 5), "could not be started"),
        ("cloudhsm-cli.exe", ran(timed_out=True), "did not end within 120 seconds"),
        ("cloudhsm-cli.exe", failure("The system cannot find the file specified", 2), "not there any more"),
    ],
)
def test_tools_that_hang_or_are_missing(tool: str, answer: Raw, words: str) -> None:
    there = host()
    if tool == "certutil.exe":
        there.with_container("aaaa-1111", SIGNING)
    for path in [path for path in there.tools if path.endswith(tool)]:
        there.tools[path] = lambda step: answer
    result = act(there)
    assert result["failed"]
    assert words in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "link", "words"),
    [
        ({"thumbprint": "5AAE"}, "argument", "4 hex digits"),
        ({"thumbprint": OTHER.thumbprint}, "certificate", "There is no certificate"),
        ({"store_name": "My\\..\\Root"}, "argument", "store name"),
        ({"private_handle": 5, "client_sdk": "3"}, "argument", "handles of both keys"),
        ({"readers": ["WINHOST\\nobody"]}, "argument", "no account 'WINHOST\\nobody'"),
        ({"thumbprint": ""}, "argument", "The arguments name no certificate"),
    ],
)
def test_bad_input_gets_a_sentence(arguments: Raw, link: str, words: str) -> None:
    result = act(host("3").with_sdk("5"), **arguments)
    assert (result["failed"], result["link"]) == (True, link)
    assert words in result["msg"]


def test_a_thumbprint_copied_with_blanks_and_marks() -> None:
    text = "\u200e" + " ".join(SIGNING.thumbprint[at : at + 2].lower() for at in range(0, 40, 2))
    assert act(host(), thumbprint=text)["container"] == "7e3c-b2f5"


def test_check_mode_before_the_play_has_put_anything_there() -> None:
    for there in (CloudHost(), CloudHost().with_sdk("5"), CloudHost().with_certificate(SIGNING)):
        result = act(there, check_mode=True)
        assert (result["changed"], result["container"]) == (True, None)
        assert "taken for granted" in result["warnings"][0]
    there = host("3")
    break_service(there)
    assert act(there, check_mode=True)["changed"]


# Readers
# --------------------------------------------------------------------------------------------------------------


def test_readers_are_let_in_once() -> None:
    there = host().with_container("7e3c-b2f5", SIGNING).with_certificate(SIGNING, "7e3c-b2f5")
    wanted = {"readers": ["WINHOST\\agent"]}
    assert act(there, check_mode=True, **wanted)["changed"]
    assert there.readers == []
    assert act(there, **wanted)["changed"]
    assert there.readers == ["S-1-5-21-1-2-3-1001"]
    there.calls.clear()
    assert not act(there, **wanted)["changed"]
    assert len(there.calls) == 1


@pytest.mark.parametrize(("sdk", "calls"), [("5", 2), ("3", 3)])
def test_readers_of_a_new_container_cost_no_call_of_their_own(sdk: str, calls: int) -> None:
    there = host(sdk).with_sdk(sdk)
    result = act(there, readers=["WINHOST\\agent", "S-1-5-20"])
    assert (result["changed"], result["container"], len(there.calls)) == (True, "7e3c-b2f5", calls)
    assert there.readers == ["S-1-5-21-1-2-3-1001", "S-1-5-20"]


def test_readers_are_not_let_into_several_new_containers_at_once() -> None:
    there = host()
    made = there._made

    def two(certificate: Any) -> None:
        made(certificate)
        there.with_container("ffff-9999", OTHER)

    there._made = two  # type: ignore[method-assign]
    result = act(there, readers=["WINHOST\\agent"])
    # Only the one that is proven to hold the key, by a call of its own.
    assert (result["container"], there.readers, len(there.calls)) == ("7e3c-b2f5", ["S-1-5-21-1-2-3-1001"], 3)


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_reader_who_is_denied_is_told_before_anything_is_changed(check_mode: bool) -> None:
    there = host().with_container("7e3c-b2f5", SIGNING).with_certificate(SIGNING, "7e3c-b2f5")
    rights, denial = there._rights, "(D;;FR;;;S-1-5-21-1-2-3-1001)"
    there.overrides["access"] = lambda step: {
        **rights(step),
        "files": [{**one, "sddl": one["sddl"] + denial} for one in rights(step)["files"]],
    }
    result = act(there, check_mode=check_mode, readers=["WINHOST\\agent", "S-1-5-20"])
    assert (result["failed"], result["link"], there.readers) == (True, "container", [])
    assert "WINHOST\\agent may not read the key container 7e3c-b2f5" in result["msg"]


def test_rights_that_icacls_does_not_give() -> None:
    there = host().with_container("7e3c-b2f5", SIGNING).with_certificate(SIGNING, "7e3c-b2f5")
    for path in [path for path in there.tools if path.endswith("icacls.exe")]:
        there.tools[path] = lambda step: ran(5, "Access is denied.\r\n")
    assert "did not let WINHOST\\agent read" in act(there, readers=["WINHOST\\agent"])["msg"]


# Absent
# ---------------------------------------------------------------------------------------------------------------


def test_absent_removes_the_file_and_leaves_the_hsm_alone() -> None:
    there = (
        host()
        .with_container("aaaa-1111", OTHER)
        .with_container("bbbb-2222", SIGNING)
        .with_container("cccc-3333", SIGNING)
    )
    before = dict(there.keys)
    predicted = act(there, check_mode=True, state="absent")
    assert (predicted["changed"], predicted["removed"], len(there.containers())) == (
        True,
        ["bbbb-2222", "cccc-3333"],
        3,
    )
    result = act(there, state="absent")
    assert (result["changed"], result["removed"], there.containers(), there.keys) == (
        True,
        ["bbbb-2222", "cccc-3333"],
        ["aaaa-1111"],
        before,
    )
    assert not any("-delkey" in arguments for _program, arguments in there.runs())
    there.held = {"aaaa-1111": OTHER}
    assert not act(there, state="absent")["changed"]


def test_absent_refuses_while_a_certificate_points_to_it() -> None:
    there = host().with_container("bbbb-2222", SIGNING).with_certificate(SIGNING, "bbbb-2222")
    result = act(there, state="absent")
    assert (result["failed"], result["link"], result["thumbprints"]) == (
        True,
        "container",
        [SIGNING.thumbprint],
    )
    assert act(there, state="absent", force=True)["removed"] == ["bbbb-2222"]
    assert there.containers() == []


def test_absent_is_done_where_there_is_no_container_and_no_client() -> None:
    there = CloudHost()
    result = act(there, state="absent")
    assert (result["changed"], result["removed"], len(there.calls)) == (False, [], 1)
    assert result["client_sdk"] is None
    assert act(there, state="absent", client_sdk="3")["client_sdk"] is None
    assert act(host("3"), state="absent")["client_sdk"] == "3"


def test_absent_without_proof() -> None:
    there = host().with_container("bbbb-2222", SIGNING)
    there.listing_code = 0x80090016
    assert act(there, state="absent")["failed"]
    there.with_certificate(SIGNING, "bbbb-2222")
    assert act(there, state="absent", force=True)["removed"] == ["bbbb-2222"]


def test_absent_says_when_the_file_stays() -> None:
    there = host().with_container("bbbb-2222", SIGNING)
    there.overrides["remove"] = lambda step: failure(
        "The process cannot access the file because it is being used by another process.", 32
    )
    assert "could not be removed: The process cannot access" in act(there, state="absent")["msg"]


# Logins
# -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sdk", "logins"), [("5", 2), ("3", 2)])
def test_a_wrong_password_is_tried_no_oftener_than_the_diagnosis_needs(sdk: str, logins: int) -> None:
    there = host(sdk).with_container("aaaa-1111", SIGNING)
    there.listing_code = 0x80090010
    result = act(there, crypto_password="wrong-horse-8")  # noqa: S106
    assert result["link"] == "credential"
    tools = [program for program, arguments in there.runs() if arguments not in ("user list", "-csplist")]
    assert len(tools) == logins, tools


def test_a_failed_import_is_followed_by_no_other_login() -> None:
    there = host("5")
    listed: list[Raw] = []
    certutil = next(path for path in there.tools if path.endswith("certutil.exe"))
    real = there.tools[certutil]
    there.tools[certutil] = lambda step: listed.append(step["arguments"]) or real(step)  # type: ignore[func-returns-value]
    assert act(there, crypto_password="wrong-horse-8")["link"] == "credential"  # noqa: S106
    assert listed == []


def test_a_change_before_a_failure_is_said() -> None:
    there = host()
    there.providers = PROVIDERS[:1]
    result = act(there)
    assert (result["failed"], result["link"], result["changed"]) == (True, "provider", True)
    assert act(host("3"), private_handle=1835020, public_handle=1835021)["changed"]
