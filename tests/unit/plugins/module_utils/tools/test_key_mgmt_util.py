# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_mgmt_util: what it is told, and both grammars of its answers, whole, cut off and damaged."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import key_mgmt_util as kmu

LOGIN = """Command:  \tCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS

\tCluster Status:
\tNode id 0 status: 0x00000000 : HSM Return: SUCCESS
\tNode id 1 status: 0x00000000 : HSM Return: SUCCESS

"""
LOGOUT = "Command:  \tCfm3LogoutHSM returned: 0x00 : HSM Return: SUCCESS\n\nCommand:  "


def new_form(handles: list[int], nodes: tuple[int, ...] = (0, 1)) -> str:
    """findKey's answer as the 3.x tools print it: 15 handles a line."""
    text = f"Command:  \tTotal number of keys present: {len(handles)}\n\n"
    if handles:
        lines = [", ".join(map(str, handles[at : at + 15])) for at in range(0, len(handles), 15)]
        text += (
            f"\tNumber of matching keys from start index 0::{len(handles) - 1}\n\n\tHandles of matching keys:\n\t"
            + ", \n\t".join(lines)
            + "\n\n"
        )
        text += (
            "\tCluster Status:\n"
            + "".join(f"\tNode id {node} status: 0x00000000 : HSM Return: SUCCESS\n" for node in nodes)
            + "\n"
        )
    return text + "\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n\n"


def old_form(handles: list[int]) -> str:
    """findKey's answer as the older documentation shows it."""
    return (
        f"Command: findKey -c 3\n\nTotal number of keys present {len(handles)}\n\n number of keys matched from start index 0::{len(handles) - 1}\n"
        + ", ".join(map(str, handles))
        + "\n\n        Cluster Error Status\n        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS\n"
        "        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS\n\n        Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n"
    )


RUN_TOGETHER = (
    "Command: findKey -c 2 -m C:\\\\modulus.txt Total number of keys present: 1 Number of matching keys from start index 0::0 "
    "Handles of matching keys: 786440 Cluster Error Status Node id 13 and err state 0x00000000 : HSM Return: SUCCESS "
    "Node id 14 and err state 0x00000000 : HSM Return: SUCCESS Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS"
)


def find_key(text: str) -> kmu.CommandAnswer:
    """The one answer of findKey, checked."""
    found = [one for one in kmu.parse(text) if one.command == "FindKey" or one.total is not None]
    if len(found) != 1:
        raise BrokenLink("key", "not one answer")
    return kmu.checked_find(found[0])


@pytest.mark.parametrize(
    ("text", "handles", "nodes"),
    [
        (new_form([1835009]), (1835009,), 2),
        (new_form([6, 7, 8, 9]), (6, 7, 8, 9), 2),
        (new_form(list(range(100, 115))), tuple(range(100, 115)), 2),
        (new_form(list(range(100, 147))), tuple(range(100, 147)), 2),
        (new_form([]), (), 0),
        (old_form([262154]), (262154,), 2),
        (old_form([6, 7, 8, 262158, 262161]), (6, 7, 8, 262158, 262161), 2),
        (RUN_TOGETHER, (786440,), 2),
        (new_form([9]).replace("\n", "\r\n"), (9,), 2),
    ],
)
def test_find_key_in_both_grammars(text: str, handles: tuple[int, ...], nodes: int) -> None:
    answer = find_key(text)
    assert (answer.total, answer.handles, len(answer.nodes), answer.code) == (len(handles), handles, nodes, 0)


@pytest.mark.parametrize(
    "text", [new_form(list(range(100, 147))), new_form([786440]), old_form([262154, 262162]), RUN_TOGETHER]
)
def test_a_text_cut_off_anywhere_gives_the_facts_or_a_refusal(text: str) -> None:
    whole = find_key(text)
    readable = 0
    for end in range(len(text)):
        try:
            answer = find_key(text[:end])
        except BrokenLink:
            continue
        readable += 1
        assert (answer.total, answer.handles, answer.code) == (whole.total, whole.handles, whole.code)
    assert 0 < readable < len(text) / 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            new_form([6, 7, 8]).replace("present: 3", "present: 4"),
            "4 keys are announced and 3 handles listed",
        ),
        (new_form([6, 7, 8]).replace("6, 7, 8", "6, 7, ..."), "cut off"),
        (new_form([6, 7, 8]).replace("6, 7, 8", "6, 7, 7"), "listed twice"),
        (new_form([6, 7]).replace("6, 7", "<private key handle>"), "missing"),
        (
            new_form([6]).replace("Cfm3FindKey returned: 0x00", "Cfm3FindKey"),
            "no line 'Cfm3FindKey returned'",
        ),
        ("Command:  \tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n", "the number of keys is missing"),
    ],
)
def test_a_damaged_answer_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BrokenLink, match=reason):
        find_key(text)


@pytest.mark.parametrize(
    ("text", "command", "code", "message", "link"),
    [
        (
            "\tCfm3LoginHSM returned: 0xa3 \n\n\tHSM Error: RET_USER_LOGIN_FAILURE\n",
            "LoginHSM",
            0xA3,
            "HSM Error: RET_USER_LOGIN_FAILURE",
            "credential",
        ),
        (
            "Cfm2LoginHSM returned 206  HSM Error: This user doesn't exist",
            "LoginHSM",
            206,
            "HSM Error: This user doesn't exist",
            "credential",
        ),
        (
            "\tCfm3FindKey returned: 0xc6 : HSM Error: Key Access is denied\n",
            "FindKey",
            0xC6,
            "HSM Error: Key Access is denied",
            "key",
        ),
        (
            "deleteKey -k 9 Cfm3DeleteKey returned: <0xc6> : HSM Error: Key Access is denied Cluster Error Status",
            "DeleteKey",
            0xC6,
            "HSM Error: Key Access is denied",
            "key",
        ),
        (
            "Cfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error\n",
            "Initialize",
            0x40000040,
            "LIQUIDSECURITY: Daemon socket connection error",
            "service",
        ),
        ("\tCfm3GetAttribute returned: 0xa8 \n", "GetAttribute", 0xA8, "", "key"),
        (
            "\tCfm3FindKey returned: 0x1234 : HSM Error: something new\n",
            "FindKey",
            0x1234,
            "HSM Error: something new",
            "key",
        ),
    ],
)
def test_codes_and_their_links(text: str, command: str, code: int, message: str, link: str) -> None:
    (answer,) = kmu.parse(text)
    assert (answer.command, answer.code, answer.message) == (command, code, message)
    assert kmu.failure(answer).link == link


def test_a_code_that_is_cut_off_is_no_code() -> None:
    assert [answer.code for answer in kmu.parse("Cfm3Initialize() returned 0x4000")] == [None]


def test_the_application_id_is_no_code() -> None:
    (answer,) = kmu.parse(
        "Cfm3Initialize() returned app id : 01000000\n    session_handle 1000000\nCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\n"
    )
    assert (answer.command, answer.code) == ("LoginHSM", 0)


def test_rows_after_the_return_line_belong_to_it() -> None:
    text = (
        "Cfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\n\nCluster Error Status\nNode id 3 and err state 0x00000000 : HSM Return: SUCCESS\n"
        "Cfm3LogoutHSM returned: 0x00 : HSM Return: SUCCESS\n\nCluster Error Status\nNode id 4 and err state 0x000000a3 : HSM Error: RET_USER_LOGIN_FAILURE\n"
    )
    assert [dict(answer.nodes) for answer in kmu.parse(text)] == [{3: 0}, {4: 0xA3}]


def test_a_session() -> None:
    answers = kmu.check_session(LOGIN + new_form([6]) + new_form([7]) + LOGOUT, 0, False)
    assert [(answer.command, answer.handles) for answer in answers] == [("FindKey", (6,)), ("FindKey", (7,))]


@pytest.mark.parametrize(
    ("text", "exit_code", "timed_out", "link", "words"),
    [
        (
            LOGIN.replace(
                "0x00 : HSM Return: SUCCESS\n\n", "0xa3 : HSM Error: RET_USER_LOGIN_FAILURE\n\n", 1
            ),
            0,
            False,
            "credential",
            "0xa3",
        ),
        (
            "Cfm3Initialize() returned 0x40000040 : Daemon socket connection error\n",
            0xFFFFFFFF,
            False,
            "service",
            "daemon",
        ),
        (
            "\tLIQUIDSECURITY: Daemon socket connection error\n",
            0xFFFFFFFF,
            False,
            "service",
            "could not start",
        ),
        ("", 0xFFFFFFFF, False, "service", "before the login"),
        ("", 0, False, "key", "answer to the login is missing"),
        (LOGIN, None, True, "service", "time limit"),
    ],
)
def test_a_session_that_does_not_come_about(
    text: str, exit_code: int | None, timed_out: bool, link: str, words: str
) -> None:
    with pytest.raises(BrokenLink, match=words) as caught:
        kmu.check_session(text, exit_code, timed_out)
    assert caught.value.link == link


def test_the_script_of_a_session() -> None:
    script = kmu.session(
        "signer",
        "pass%word",
        [
            kmu.find_key("private", "C:\\Windows\\Temp\\m.txt"),
            kmu.get_key_info(9),
            kmu.get_attributes(9, "C:\\a.txt"),
        ],
    )
    assert script.splitlines() == [
        "loginHSM -u CU -s signer -p pass%word",
        "findKey -c 3 -m C:\\Windows\\Temp\\m.txt",
        "getKeyInfo -k 9",
        "getAttribute -o 9 -a 512 -out C:\\a.txt",
        "logoutHSM",
        "exit",
    ]
    assert script.endswith("exit\n")


@pytest.mark.parametrize(
    ("user", "password", "path", "words"),
    [
        ("sign er", "secret-1", "C:\\m.txt", "crypto_user"),
        ("signer", "sec ret-1", "C:\\m.txt", "crypto_password"),
        ("signer", "secret-1\nexit", "C:\\m.txt", "crypto_password"),
        ("signer", "secret-1", "C:\\Program Files\\m.txt", "Program Files"),
        ("", "", "C:\\m.txt", "needs a crypto user"),
        ("signer", "", "C:\\m.txt", "needs a crypto user"),
    ],
)
def test_blanks_are_refused_and_no_password_is_told(user: str, password: str, path: str, words: str) -> None:
    with pytest.raises(BrokenLink, match=words) as caught:
        kmu.session(user, password, [kmu.find_key("private", path)])
    assert not password or password not in str(caught.value)


def test_the_modulus_file_is_bare_hex_with_a_line_end() -> None:
    assert kmu.modulus_file("9D1Dab") == b"9D1Dab\r\n"


@pytest.mark.parametrize("modulus", ["", "0x9D1D", "Modulus=9D1D", " 9D1D", "9D:1D", "\ufeff9D1D"])
def test_a_modulus_that_the_tool_would_misread_is_refused(modulus: str) -> None:
    with pytest.raises(BrokenLink, match="no hexadecimal number"):
        kmu.modulus_file(modulus)


DUMP = b"""OBJ_ATTR_CLASS
0x03
OBJ_ATTR_KEY_TYPE
0x00
OBJ_ATTR_ID

OBJ_ATTR_LABEL
signing key 2026
OBJ_ATTR_MODULUS
0xc3a1
ff00
OBJ_ATTR_MODULUS_BITS
0x00000800
"""


@pytest.mark.parametrize("dump", [DUMP, DUMP.replace(b"\n", b"\r\n")])
def test_a_dump_of_attributes(dump: bytes) -> None:
    attributes = kmu.parse_attributes(dump)
    assert attributes["LABEL"] == "signing key 2026"
    assert attributes["ID"] == ""
    assert kmu.attribute_number(attributes, "MODULUS") == 0xC3A1FF00
    assert kmu.attribute_number(attributes, "MODULUS_BITS") == 2048
    assert kmu.attribute_number(attributes, "LABEL") is None
    assert kmu.attribute_number(attributes, "NONE") is None


@pytest.mark.parametrize("dump", [b"", b"nothing of it\n", DUMP + DUMP])
def test_a_dump_that_is_none_is_refused(dump: bytes) -> None:
    with pytest.raises(BrokenLink):
        kmu.parse_attributes(dump)


@pytest.mark.parametrize(
    ("body", "owner", "shared", "quorum"),
    [
        ("\tOwned by user 3\n\n\talso, shared to following 2 user(s):\n\n\t 4\n\t 7\n", 3, (4, 7), 0),
        (
            "\tOwned by user: 3\n\tShared with following 1 user(s): 4\n\t 2 Users need to approve to use/manage this key\n",
            3,
            (4,),
            2,
        ),
        ("\tOwned by user 3\n", 3, (), 0),
        ("\n", None, (), 0),
    ],
)
def test_key_info(body: str, owner: int | None, shared: tuple[int, ...], quorum: int) -> None:
    (answer,) = kmu.parse(f"Command:  \tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS\n\n{body}")
    assert kmu.parse_key_info(answer) == kmu.KeyInfo(owner, shared, quorum)


def test_key_info_that_is_cut_off_or_failed() -> None:
    (answer,) = kmu.parse(
        "Command:  \tCfm3GetKey returned: 0x00 : SUCCESS\n\talso, shared to following 3 user(s):\n\t 4\n"
    )
    with pytest.raises(BrokenLink, match="cut off"):
        kmu.parse_key_info(answer)
    (answer,) = kmu.parse("Command:  \tCfm3GetKey returned: 0xa8 : HSM Error: Invalid object handle\n")
    with pytest.raises(BrokenLink, match="no key with that handle"):
        kmu.parse_key_info(answer)


def test_a_command_without_an_answer_is_a_failure() -> None:
    answers = kmu.check_session(LOGIN + "Command:  WARNING: m.txt is an empty file.\n" + LOGOUT, 0, False)
    assert [answer.code for answer in answers] == [None]
    assert "empty file" in str(kmu.failure(answers[0]))
