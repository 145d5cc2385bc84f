# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key pair of a certificate: what counts as exactly one, and how both tools are asked for it."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key import backends
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key import pair as key_pair
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.backends import cloudhsm_cli, find
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.lookup import Lookup
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import SeenKey, WantedKey, judge
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Answer, Step, changes_host
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import (
    cloudhsm_cli as cloudhsm_cli_tool,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import (
    key_mgmt_util as key_mgmt_util_tool,
)
from support.fake_host import FakeHost, Raw, failure, ran

MODULUS = "C" + "3A1" * 170 + "5"
POINT = "04" + "AB" * 64
RSA = WantedKey(modulus=MODULUS)
EC = WantedKey(point=POINT)
PASSWORD = "correct-horse-7"  # noqa: S105
LOOKUP = Lookup(windows=True, user=CryptoUser("signer", PASSWORD), scratch="C:\\Windows\\Temp\\codesign-1")


def private(handle: int = 9, **more: Any) -> SeenKey:
    return SeenKey(handle, "private", **{"modulus": MODULUS, **more})


def public(handle: int = 8, **more: Any) -> SeenKey:
    return SeenKey(handle, "public", **{"modulus": MODULUS, **more})


# The judgement
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "mode", "handles"),
    [
        ([private(), public()], "required", (9, 8)),
        ([private(), public()], "optional", (9, 8)),
        ([private(), public()], "ignored", (9, None)),
        ([private()], "optional", (9, None)),
        ([private(), public(7), public(8)], "optional", (9, None)),
        ([private(), public(7), public(8)], "ignored", (9, None)),
    ],
)
def test_exactly_one_private_key(seen: list[SeenKey], mode: str, handles: tuple[int, int | None]) -> None:
    pair = judge(RSA, seen, mode)
    assert (pair.private.handle, pair.public.handle if pair.public else None) == handles
    assert bool(pair.warnings) == (mode == "optional" and len(seen) == 3)


@pytest.mark.parametrize(
    ("seen", "mode", "words", "handles"),
    [
        ([], "optional", "No private key", []),
        ([public(5)], "optional", r"its public key is there: 5", []),
        ([private(3), private(4)], "optional", r"2 private keys .* handles 3, 4", [3, 4]),
        ([private()], "required", "No public key", []),
        ([private(), public(7), public(8)], "required", r"2 public keys .* handles 7, 8", [7, 8]),
    ],
)
def test_anything_else_says_how_many_and_which(
    seen: list[SeenKey], mode: str, words: str, handles: list[int]
) -> None:
    with pytest.raises(BrokenLink, match=words) as caught:
        judge(RSA, seen, mode)
    assert caught.value.link == "key"
    assert caught.value.details["handles"] == handles
    assert caught.value.details["count"] == len(handles)
    assert caught.value.advice


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (private(modulus="BEEF"), "another modulus"),
        (private(modulus=""), "could not be read back"),
        (private(modulus="", inconsistent=("modulus",)), "not the same on all HSMs"),
        (private(use_quorum=2), "approval of 2 users"),
    ],
)
def test_a_key_that_is_not_the_wanted_one_or_cannot_sign(key: SeenKey, words: str) -> None:
    with pytest.raises(BrokenLink, match=words):
        judge(RSA, [key], "ignored")


def test_a_key_that_is_not_on_all_hsms_is_a_warning() -> None:
    assert "not on all HSMs" in judge(RSA, [private(cluster_coverage="partial")], "ignored").warnings[0]
    assert judge(RSA, [private(cluster_coverage="full")], "ignored").warnings == ()


def test_the_result() -> None:
    result = judge(
        RSA,
        [private(1836678, label="signing", key_id="0x31", owners=("signer",), shared_users=()), public()],
        "optional",
    ).as_dict(RSA, "cloudhsm_cli")
    assert result["private"] == {
        "handle": 1836678,
        "reference": "0x00000000001c0686",
        "label": "signing",
        "id": "0x31",
        "key_size": None,
        "owners": ["signer"],
        "shared_users": [],
    }
    assert (result["public"]["handle"], result["modulus"], result["key_size"], result["backend"]) == (
        8,
        MODULUS,
        2048,
        "cloudhsm_cli",
    )


@pytest.mark.parametrize(
    "text",
    [
        MODULUS,
        MODULUS.lower(),
        "0x" + MODULUS,
        "Modulus=" + MODULUS + "\n",
        "00:" + MODULUS[:2] + ":" + MODULUS[2:],
        f" 00{MODULUS} ",
    ],
)
def test_a_modulus_in_the_forms_people_have_it(text: str) -> None:
    assert key_pair.wanted_from_modulus(text) == RSA


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no hexadecimal"),
        ("0xZZ", "no hexadecimal"),
        ("-----BEGIN", "no hexadecimal"),
        ("FF" * 128, "1024 bits"),
        ("FF" * 1024, "8192 bits"),
        ("0", "0 bits"),
    ],
)
def test_a_modulus_that_is_none_or_of_the_wrong_size(text: str, words: str) -> None:
    with pytest.raises(BrokenLink, match=words):
        key_pair.wanted_from_modulus(text)


def test_a_key_that_is_neither_rsa_nor_ec() -> None:
    with pytest.raises(BrokenLink, match="neither RSA nor EC"):
        key_pair.checked(WantedKey())


@pytest.mark.parametrize(
    ("encoded", "point"),
    [
        ("0441" + POINT, POINT),
        (POINT, POINT),
        ("0481" + "85" + "04" + "CD" * 132, "04" + "CD" * 132),
        ("0441" + POINT[:-2], ""),
        ("02" + "AB" * 32, ""),
        ("", ""),
        ("zz", ""),
    ],
)
def test_an_ec_point_is_a_der_string_or_bare(encoded: str, point: str) -> None:
    assert key_pair.point_of(encoded) == point


# Asking the tools
# -----------------------------------------------------------------------------------------------------


class Tools(FakeHost):
    """A host that has the given tools: each takes a run, its secrets and the files, and gives exit code (None
    where it is ended by the time limit) and text.
    """

    def __init__(self, **tools: Any) -> None:
        super().__init__(oem_code_page=850)
        programs = {"cli": cloudhsm_cli_tool.WINDOWS_PROGRAM, "kmu": key_mgmt_util_tool.WINDOWS_PROGRAM}
        self.tools = {programs[name]: functools.partial(self._use, tool) for name, tool in tools.items()}

    def run(self, steps: Sequence[Step], secrets: Mapping[str, str] | None = None) -> Answer:
        assert not any(changes_host(step) for step in steps)
        return super().run(steps, secrets)

    def _use(self, tool: Any, step: Raw) -> Raw:
        assert PASSWORD not in step["arguments"]
        code, text = tool(step, self.secrets[-1], self.files)
        return ran(code, text, timed_out=code is None, encoding="cp850")


def listed(handle: int, key_class: str = "private", **attributes: Any) -> dict[str, Any]:
    return {
        "key-reference": f"0x{handle:016x}",
        "key-info": {"key-owners": [{"username": "signer"}], "shared-users": [], "cluster-coverage": "full"},
        "attributes": {
            "class": f"{key_class}-key",
            "key-type": "rsa",
            "label": "s",
            "id": "",
            "modulus": "0x" + MODULUS.lower(),
            "modulus-size-bits": 2048,
            **attributes,
        },
    }


def cli(*pages: list[dict[str, Any]]) -> Any:
    def run(step: Raw, secrets: Mapping[str, str], files: dict[str, bytes]) -> tuple[int, str]:
        assert step["environment"] == {"CLOUDHSM_ROLE": "crypto-user"}
        assert {name: secrets[secret] for name, secret in step["secret_environment"].items()} == {
            "CLOUDHSM_PIN": f"signer:{PASSWORD}"
        }
        arguments = shlex.split(step["arguments"])
        number = (
            int(arguments[arguments.index("--starting-token") + 1]) if "--starting-token" in arguments else 0
        )
        data: dict[str, Any] = {
            "matched_keys": pages[number],
            "total_key_count": sum(map(len, pages)),
            "returned_key_count": len(pages[number]),
        }
        if number + 1 < len(pages):
            data["next_token"] = str(number + 1)
        return 0, json.dumps({"error_code": 0, "data": data})

    return run


def test_cloudhsm_cli_takes_one_call_a_page() -> None:
    tools = Tools(cli=cli([listed(9)], [listed(8, "public"), listed(5, "secret")]))
    pair, backend = find(tools, RSA, LOOKUP)
    assert (pair.private.handle, pair.public and pair.public.handle, backend, len(tools.calls)) == (
        9,
        8,
        "cloudhsm_cli",
        2,
    )
    first = tools.calls[0][0]
    assert f"attr.modulus=0x{MODULUS.lower()}" in first["arguments"]


def test_an_ec_key_is_found_by_its_point_among_all() -> None:
    other = listed(7, **{"key-type": "ec", "ec-point": "0x0441" + "04" + "11" * 64, "modulus": ""})
    keys = [
        other,
        *(
            listed(handle, name, **{"key-type": "ec", "ec-point": "0x0441" + POINT.lower(), "modulus": ""})
            for handle, name in ((9, "private"), (8, "public"))
        ),
    ]
    pair, _backend = find(Tools(cli=cli(keys)), EC, LOOKUP)
    assert (pair.private.handle, pair.public and pair.public.handle, pair.private.point) == (9, 8, POINT)


def test_keys_that_differ_from_hsm_to_hsm_are_refused() -> None:
    with pytest.raises(BrokenLink, match="class inconsistent"):
        find(Tools(cli=cli([listed(9, **{"class": "inconsistent"})])), RSA, LOOKUP)
    with pytest.raises(BrokenLink, match="modulus inconsistent"):
        find(Tools(cli=cli([listed(9, modulus="inconsistent")])), RSA, LOOKUP)


@pytest.mark.parametrize(
    ("keys", "total", "calls", "problem"),
    [
        ([], 0, 1, "has no end"),
        ([], 500, 1, "has no end"),
        ([listed(9)], 1, 1, "has no end"),
        ([listed(9)], 500, 2, "has no end"),
        ([listed(9)], 20_001, 1, "more than 20000"),
        ([listed(9)], 10**12, 1, "more than 20000"),
    ],
    ids=["nothing", "nothing of many", "more than all", "the same again", "too many", "without number"],
)
def test_a_list_without_an_end_costs_a_login_or_two(
    keys: list[dict[str, Any]], total: int, calls: int, problem: str
) -> None:
    """Each page is a call and a login; the token is another one each time."""
    tokens = iter(range(1000))

    def endless(step: Raw, secrets: Mapping[str, str], files: dict[str, bytes]) -> tuple[int, str]:
        counts = {"total_key_count": total, "returned_key_count": len(keys)}
        return 0, json.dumps(
            {"error_code": 0, "data": {"matched_keys": keys, **counts, "next_token": str(next(tokens))}}
        )

    tools = Tools(cli=endless)
    with pytest.raises(BrokenLink, match=problem):
        find(tools, RSA, LOOKUP)
    assert len(tools.calls) == calls


def test_time_outs_and_missing_tools() -> None:
    with pytest.raises(BrokenLink, match="did not answer within 60 seconds") as caught:
        find(Tools(cli=lambda *_args: (None, "")), RSA, LOOKUP)
    assert caught.value.link == "cluster"
    with pytest.raises(BrokenLink, match=r"neither .*cloudhsm-cli.exe nor .*key_mgmt_util.exe"):
        find(Tools(), RSA, LOOKUP)
    with pytest.raises(BrokenLink, match="Install Client SDK 5"):
        find(Tools(), RSA, replace(LOOKUP, backend="cloudhsm_cli"))
    with pytest.raises(BrokenLink, match=r"D:\\key_mgmt_util.exe is not there"):
        find(Tools(), RSA, replace(LOOKUP, tool_path="D:\\key_mgmt_util.exe"))


def kmu(
    private: Sequence[int] = (9,),
    public: Sequence[int] = (8,),
    modulus: str = MODULUS,
    info: str = "\tOwned by user 3\n",
) -> Any:
    """key_mgmt_util as far as a lookup goes: it reads the modulus file and its input word by word."""

    def run(step: Raw, secrets: Mapping[str, str], files: dict[str, bytes]) -> tuple[int, str]:
        said = []
        for line in secrets[step["secret_stdin"]].splitlines():
            word, *rest = line.split(" ")
            options = dict(zip(rest[::2], rest[1::2], strict=False))
            if word == "loginHSM":
                assert options == {"-u": "CU", "-s": "signer", "-p": PASSWORD}
                said.append("\tCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\n")
            elif word == "findKey":
                assert files[options["-m"]] == MODULUS.encode() + b"\r\n"
                handles = private if options["-c"] == "3" else public
                found = (
                    f"\tNumber of matching keys from start index 0::{len(handles)}\n\n\tHandles of matching keys:\n\t{', '.join(map(str, handles))}\n\n"
                    if handles
                    else ""
                )
                said.append(
                    f"\tTotal number of keys present: {len(handles)}\n\n{found}\tCluster Status:\n\tNode id 0 status: 0x00000000 : HSM Return: SUCCESS\n"
                    "\tNode id 1 status: 0x000000a3 : HSM Error: x\n\n\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n"
                )
            elif word == "getAttribute":
                files[options["-out"]] = (
                    f"OBJ_ATTR_LABEL\nsigning\nOBJ_ATTR_MODULUS\n0x{modulus.lower()}\nOBJ_ATTR_MODULUS_BITS\n0x800\n".encode()
                )
                said.append(
                    "\tAttributes dumped\n\n\tCfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS\n"
                )
            elif word == "getKeyInfo":
                said.append(f"\tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS\n\n{info}")
            elif word == "logoutHSM":
                said.append("\tCfm3LogoutHSM returned: 0x00 : HSM Return: SUCCESS\n")
        return 0, "".join(f"Command:  {text}\n" for text in said) + "Command:  "

    return run


def test_key_mgmt_util_finds_and_reads_back_in_two_calls() -> None:
    tools = Tools(kmu=kmu(info="\tOwned by user 3\n\talso, shared to following 1 user(s):\n\t 5\n"))
    pair, backend = find(tools, RSA, replace(LOOKUP, backend="key_mgmt_util"))
    assert (pair.private.handle, pair.public and pair.public.handle, backend, len(tools.calls)) == (
        9,
        8,
        "key_mgmt_util",
        2,
    )
    assert (pair.private.label, pair.private.key_size, pair.private.owners, pair.private.shared_users) == (
        "signing",
        2048,
        ("3",),
        ("5",),
    )
    assert "HSM 1 of the cluster" in pair.warnings[0]
    assert tools.files == {}


def test_auto_falls_back_to_key_mgmt_util() -> None:
    tools = Tools(kmu=kmu())
    assert find(tools, RSA, LOOKUP)[1] == "key_mgmt_util"
    assert len(tools.calls) == 3
    with pytest.raises(BrokenLink, match="EC key"):
        find(Tools(kmu=kmu()), EC, LOOKUP)


@pytest.mark.parametrize(
    ("tool", "mode", "words"),
    [
        (kmu(private=()), "optional", "No private key"),
        (kmu(private=(1, 2)), "optional", "handles 1, 2"),
        (kmu(public=()), "required", "No public key"),
        (kmu(modulus="BEEF"), "optional", "another modulus"),
        (
            lambda *_args: (
                0,
                "Command:  \tCfm3LoginHSM returned: 0xa3 \n\n\tHSM Error: RET_USER_LOGIN_FAILURE\nCommand:  ",
            ),
            "optional",
            "refused the login",
        ),
        (
            lambda *_args: (
                0,
                "Command:  \tCfm3LoginHSM returned: 0x00 : S\nCommand:  WARNING: x is an empty file.\nCommand:  ",
            ),
            "optional",
            "empty file",
        ),
        (
            lambda *_args: (0, "Command:  \tCfm3LoginHSM returned: 0x00 : S\nCommand:  "),
            "optional",
            "0 of 2 searches",
        ),
        (
            lambda *_args: (
                0,
                "Command:  \tCfm3LoginHSM returned: 0x00 : S\n"
                + "\tCfm3FindKey returned: 0xc6 : HSM Error: Key Access is denied\n" * 2,
            ),
            "optional",
            "no access",
        ),
    ],
)
def test_what_key_mgmt_util_may_answer_instead(tool: Any, mode: str, words: str) -> None:
    with pytest.raises(BrokenLink, match=words) as caught:
        find(Tools(kmu=tool), RSA, replace(LOOKUP, backend="key_mgmt_util", public_key=mode))
    assert PASSWORD not in str(caught.value)


def test_a_key_whose_attributes_cannot_be_read_back() -> None:
    def denied(step: Raw, secrets: Mapping[str, str], files: dict[str, bytes]) -> tuple[int, str]:
        code, text = kmu()(step, secrets, files)
        for path in [path for path in files if "-0.txt" in path]:
            del files[path]
        return code, text.replace("\tAttributes dumped\n", "")

    with pytest.raises(BrokenLink, match="could not be read back"):
        find(Tools(kmu=denied), RSA, replace(LOOKUP, backend="key_mgmt_util", public_key="ignored"))
    with pytest.raises(BrokenLink, match="no key with that handle"):
        find(
            Tools(
                kmu=lambda step, secrets, files: (
                    0,
                    kmu()(step, secrets, files)[1].replace(
                        "GetAttribute returned: 0x00", "GetAttribute returned: 0xa8"
                    ),
                )
            ),
            RSA,
            replace(LOOKUP, backend="key_mgmt_util", public_key="ignored"),
        )


def test_files_and_processes_that_cannot_be_made() -> None:
    def denied(_step: Raw) -> Raw:
        return failure("Access is denied.", 5, "UnauthorizedAccessException")

    tools = Tools(kmu=kmu(), cli=cli([listed(9)]))
    tools.overrides = {"write": denied}
    with pytest.raises(BrokenLink, match="could not be written: Access is denied"):
        find(tools, RSA, replace(LOOKUP, backend="key_mgmt_util"))
    tools.overrides = {"run": denied}
    with pytest.raises(BrokenLink, match="could not be started: Access is denied"):
        find(tools, RSA, LOOKUP)


def test_a_lookup_shows_no_password() -> None:
    assert PASSWORD not in repr(LOOKUP)
    assert cloudhsm_cli.login_step(LOOKUP)[1] == {"pin": f"signer:{PASSWORD}"}
    assert cloudhsm_cli.login_step(replace(LOOKUP, user=CryptoUser()))[1] == {}


# Which back end looks
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["cloudhsm_cli", "key_mgmt_util"]),
        ({"user": CryptoUser()}, ["cloudhsm_cli"]),
        ({"backend": "pkcs11"}, ["pkcs11"]),
        ({"backend": "cloudhsm_cli", "pkcs11_module": "/lib.so"}, ["cloudhsm_cli"]),
        ({"pkcs11_module": "/lib.so"}, ["pkcs11"]),
        ({"pkcs11_module": "/lib.so", "tool_path": "/opt/key_mgmt_util"}, ["pkcs11"]),
        ({"tool_path": "/opt/key_mgmt_util"}, ["key_mgmt_util"]),
        ({"tool_path": "/opt/wrapper"}, ["cloudhsm_cli"]),
    ],
)
def test_what_auto_tries(asked: dict[str, Any], names: list[str]) -> None:
    assert list(backends.candidates(replace(LOOKUP, **asked))) == names


@pytest.mark.parametrize("asked", [{"backend": "pkcs11"}, {"pkcs11_module": "C:\\lib.dll"}])
def test_a_library_is_refused_on_windows(asked: dict[str, Any]) -> None:
    with pytest.raises(BrokenLink, match=r"Windows host\. Use cloudhsm_cli or key_mgmt_util\.$"):
        backends.check_on_windows(replace(LOOKUP, **asked))
    backends.check_on_windows(LOOKUP)
