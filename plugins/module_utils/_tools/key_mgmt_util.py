# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_mgmt_util of Client SDK 3: what it is told on its standard input, and what its answers mean.

The tool exits with 0 though a command of it failed. What counts is ``Cfm3<Command> returned: 0xNN``; a
command without that line has failed. It splits its input at blanks and knows no quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Type

from .._findings import BrokenLink, Link, LoginRefusedError, ServiceStoppedError, UnexplainedError, quoted
from .._texts import ending

WINDOWS_PROGRAM = "C:\\Program Files\\Amazon\\CloudHSM\\key_mgmt_util.exe"
LINUX_PROGRAM = "/opt/cloudhsm/bin/key_mgmt_util"
SERVICE = "AWSCloudHSMClient"

CLASSES: Mapping[str, int] = {"public": 2, "private": 3}
"""The numbers that findKey takes after -c."""

ALL_ATTRIBUTES = 512

SUCCESS = 0


@dataclass(frozen=True)
class CodeMeaning:
    """What an error code of the tool means on the way to a signature, and what to do about it."""

    link: Link
    meaning: str
    advice: str
    kind: Type[BrokenLink] = BrokenLink


_DAEMON = CodeMeaning(
    "service",
    "the CloudHSM client daemon does not answer, or none of the HSMs that it knows is reachable",
    f"Start the service {SERVICE}; if it runs, check TCP port 2223 to the HSMs (the instance must be in the cluster's own security group) and run "
    "'configure -a' with the address of an HSM that exists.",
    ServiceStoppedError,
)

CODES: Mapping[int, CodeMeaning] = {
    0x40000040: _DAEMON,
    0xA3: CodeMeaning(
        "credential",
        "the HSM refused the login: the password is wrong, the crypto user is locked, or the user is missing on one of the HSMs",
        "Check crypto_user and crypto_password on one host only: five wrong logins lock the user, and a crypto officer must then reset the "
        "password with changePswd.",
        LoginRefusedError,
    ),
    0x9D: CodeMeaning(
        "credential",
        "there is no crypto user of that name on the HSM",
        "Check crypto_user; a crypto officer's name does not do.",
        LoginRefusedError,
    ),
    0xCE: CodeMeaning(
        "credential",
        "there is no crypto user of that name on the HSM",
        "Check crypto_user; a crypto officer's name does not do.",
        LoginRefusedError,
    ),
    0xDB: CodeMeaning(
        "credential",
        "the user is no crypto user (CU)",
        "Only a crypto user can log in to key_mgmt_util.",
        LoginRefusedError,
    ),
    0xC6: CodeMeaning(
        "key",
        "the crypto user has no access to the key",
        "Share the key with crypto_user, or use the user that owns it.",
    ),
    0xA8: CodeMeaning(
        "key",
        "there is no key with that handle",
        "Look the handles up again: they do not survive a move to other HSMs.",
    ),
}
"""Sources: AWS CloudHSM user guide (Error2String, audit log reference, deleteKey, lost connection),
aws-cloudhsm-user-guide issue 20.
"""


# What the tool is told
# ------------------------------------------------------------------------------------------------


def modulus_file(modulus: str) -> bytes:
    """The bytes of the file that findKey -m reads: bare hex digits, ended by CR and LF.

    Anything before the first digit (a name, 0x, a byte order mark) makes the tool read no modulus at all, and
    then it finds every key of the class.
    """
    if not re.fullmatch(r"[0-9A-Fa-f]+", modulus):
        raise BrokenLink("argument", "The modulus is no hexadecimal number.", "Give it as bare hex digits.")
    return modulus.encode("ascii") + b"\r\n"


def find_key(key_class: str, modulus_path: str) -> Tuple[str, ...]:
    """findKey for the keys of a class (public or private) with the modulus in the file."""
    return ("findKey", "-c", str(CLASSES[key_class]), "-m", modulus_path)


def get_attributes(handle: int, path: str) -> Tuple[str, ...]:
    """getAttribute that writes all attributes of a key into the file."""
    return ("getAttribute", "-o", str(handle), "-a", str(ALL_ATTRIBUTES), "-out", path)


def get_key_info(handle: int) -> Tuple[str, ...]:
    """getKeyInfo: who owns a key and whom it is shared with."""
    return ("getKeyInfo", "-k", str(handle))


def takes(*values: str) -> bool:
    """Whether the tool reads each of them as one word."""
    return all(word and not re.search(r"[\s\x00-\x1f\x7f]", word) for word in values)


def session(user: str, password: str, commands: Sequence[Sequence[str]]) -> str:
    """The whole standard input: login, the commands, logout, exit. It holds the password: a secret as a
    whole.

    Without ``exit`` the tool would read its ended input for ever.
    """
    if not user or not password:
        raise BrokenLink(
            "credential",
            "key_mgmt_util needs a crypto user and the password, which were not given.",
            "Set crypto_user and crypto_password (the tool does not read the Credential Manager), or give the handles where a module takes them.",
        )
    values = [("crypto_user", user), ("crypto_password", password)]
    values += [("path", word) for command in commands for word in command]
    for name, word in values:
        if not takes(word):
            shown = f" ({quoted(word)})" if name == "path" else ""
            raise BrokenLink(
                "argument" if name == "path" else "credential",
                f"key_mgmt_util splits its input at blanks and knows no quotes: the {name}{shown} is empty or holds a blank or a control character.",
                "Choose one without, or use Client SDK 5.",
            )
    lines = [("loginHSM", "-u", "CU", "-s", user, "-p", password), *commands, ("logoutHSM",), ("exit",)]
    return "".join(" ".join(line) + "\n" for line in lines)


# What the tool says
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CommandAnswer:
    """What one command said. ``code`` is None where the tool gave no return line: the command failed.

    ``nodes`` gives each HSM's own code by its number. ``total`` and ``handles`` are findKey's; None for other
    commands and for a list that cannot be trusted (``damage`` says why).
    """

    command: str
    code: Optional[int]
    message: str = ""
    nodes: Mapping[int, int] = field(default_factory=dict)
    total: Optional[int] = None
    handles: Optional[Tuple[int, ...]] = None
    damage: str = ""
    text: str = ""


# A code must be followed by something, unless it is one that is known: a text cut off after 0x4 is no code 4.
_RETURN = re.compile(
    r"\bCfm\d?(?P<name>[A-Z]\w*?)(?:\(\))?:?\s+returned:?\s*<?(?P<code>0[xX][0-9A-Fa-f]+|[0-9]+)(?P<after>>|\s|:|$)"
)
_NODE = re.compile(
    r"Node\s+id\s+(?P<id>\d+)\s+(?:and\s+err\s+state|status:?)\s+(?P<status>0[xX][0-9A-Fa-f]{8})\b"
)
_CLUSTER_HEADING = re.compile(r"Cluster\s+(?:Error\s+)?Status:?")
_PROMPT = re.compile(r"Command:[ \t]*")
_TOTAL = re.compile(r"Total\s+number\s+of\s+keys\s+present(?::\s*|\s+)(?P<total>\d+)(?=\s)")
_RANGE = re.compile(
    r"(?:Number\s+of\s+matching\s+keys|number\s+of\s+keys\s+matched)\s+from\s+start\s+index\s+\d+::\d+(?=\s)"
)
_HANDLES_HEADING = re.compile(r"\s*Handles\s+of\s+matching\s+keys:")
_LIST = re.compile(r"\s*(?P<list>\d+(?:\s*,\s*\d+)*)(?P<comma>\s*,)?(?P<rest>[^\n]*)")
_ERROR_TEXT = re.compile(r"(?:HSM (?:Error|Return):|LIQUIDSECURITY:|[A-Z])[^\n]*")
_NEXT_FACT = re.compile(r"\s(?=Cluster (?:Error )?Status|Cfm\d)")
_DIGITS = 18
"""More than this no number of the tool has."""


def parse(text: str) -> Tuple[CommandAnswer, ...]:
    """The answers in ``text``, in their order: one a prompt that was answered, or one a return line where
    there are no prompts.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    answers: List[CommandAnswer] = []
    for section in _PROMPT.split(text):
        answers.extend(_read_section(section))
    return tuple(answers)


def checked_find(answer: CommandAnswer) -> CommandAnswer:
    """``answer`` if it is a complete answer of findKey or one with an error code. BrokenLink otherwise."""
    if answer.code is None:
        raise _unreadable("there is no line 'Cfm3FindKey returned'", answer.text)
    if answer.code != SUCCESS:
        return answer
    if answer.damage:
        raise _unreadable(answer.damage, answer.text)
    if answer.total is None or answer.handles is None:
        raise _unreadable("the number of keys is missing", answer.text)
    return answer


def _read_section(section: str) -> List[CommandAnswer]:
    returns = [
        match
        for match in _RETURN.finditer(section)
        if match.group("after") or _number(match.group("code")) in (SUCCESS, *CODES)
    ]
    if not returns:
        # Words alone: a prompt that waits, or a command that was not understood. Only the latter says
        # anything.
        total, handles, damage = _read_list(section)
        if not section.strip() or re.fullmatch(r"\s*(?:exit|quit)?\s*", section):
            return []
        return [
            CommandAnswer(
                "", None, _first_line(section), _read_nodes(section), total, handles, damage, section
            )
        ]
    answers = []
    for match, piece in zip(returns, _pieces(section, returns)):
        total, handles, damage = _read_list(piece)
        code = _number(match.group("code"))
        answers.append(
            CommandAnswer(
                match.group("name"),
                code,
                _message(section[match.end("code") : match.end("code") + 2000]),
                _read_nodes(piece),
                total,
                handles,
                damage,
                piece,
            )
        )
    return answers


def _pieces(section: str, returns: Sequence[re.Match[str]]) -> List[str]:
    """What belongs to each return line: the text before it, or, where the cluster's rows follow the line,
    also those.
    """
    if len(returns) == 1:
        return [section]
    rows_first = _CLUSTER_HEADING.search(section, 0, returns[0].start()) is not None
    pieces, start = [], 0
    for number, match in enumerate(returns):
        if number + 1 == len(returns):
            end = len(section)
        elif rows_first:
            end = match.end()
        else:
            rows = [row.end() for row in _NODE.finditer(section, match.end(), returns[number + 1].start())]
            end = rows[-1] if rows else match.end()
        pieces.append(section[start:end])
        start = end
    return pieces


def _read_nodes(piece: str) -> Dict[int, int]:
    nodes: Dict[int, int] = {}
    for match in _NODE.finditer(piece):
        number, status = _number(match.group("id")), int(match.group("status"), 16)
        # Of two rows of one HSM the one that failed counts.
        nodes[number] = nodes.get(number) or status
    return nodes


def _read_list(piece: str) -> Tuple[Optional[int], Optional[Tuple[int, ...]], str]:
    """The number of keys, their handles, and what is wrong with them ("" for nothing)."""
    totals = [_number(match.group("total")) for match in _TOTAL.finditer(piece)]
    if not totals:
        return None, None, ""
    if len(totals) > 1:
        return None, None, "the number of keys stands there twice"
    total, damage = totals[0], ""
    handles: List[int] = []
    for match in _RANGE.finditer(piece):
        position = match.end()
        heading = _HANDLES_HEADING.match(piece, position)
        listed = _LIST.match(piece, heading.end() if heading else position)
        if listed is None:
            damage = "the list of handles is missing"
            continue
        rest = listed.group("rest").strip()
        if listed.group("comma") or (
            rest and not _CLUSTER_HEADING.match(rest) and not _RETURN.match(rest) and not _RANGE.match(rest)
        ):
            damage = "the list of handles is cut off or holds something that is no handle"
            continue
        handles.extend(_number(number) for number in re.findall(r"\d+", listed.group("list")))
    if not damage and len(handles) != total:
        damage = f"{total} keys are announced and {len(handles)} handles listed"
    if not damage and -1 in handles:
        damage = "a handle has more digits than a handle can have"
    if not damage and len(set(handles)) != len(handles):
        damage = "a handle is listed twice"
    return (total, None, damage) if damage else (total, tuple(handles), "")


def _message(after_code: str) -> str:
    """The words that belong to a return code: on its line, or on a line of their own below it."""
    # At most two line ends, and one colon on the line of the words, lie between.
    lines = after_code.lstrip(">").split("\n", 3)[:3]
    found: Optional[re.Match[str]] = None
    for number, line in enumerate(lines):
        words = line.strip(" \t:") if number == 0 else line.strip(" \t").removeprefix(":").lstrip(" \t")
        if words:
            found = _ERROR_TEXT.match(words)
            break
    text = _NEXT_FACT.split(found[0], maxsplit=1)[0].strip() if found else ""
    return "" if text.startswith(("Cfm", "Cluster", "Node id", "Command")) else text


def _number(digits: str) -> int:
    """What a run of digits says, decimal or behind 0x. One that is longer than any number of the tool says nothing: -1."""
    if len(digits) > _DIGITS:
        return -1
    return int(digits, 16) if digits[:2].lower() == "0x" else int(digits)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _unreadable(reason: str, text: str) -> BrokenLink:
    return BrokenLink(
        "key",
        f"The answer of key_mgmt_util cannot be read: {reason}.",
        "Nothing was concluded from it; the tool's own words are in 'output'.",
        output=ending(text),
    )


# Failures
# -------------------------------------------------------------------------------------------------------------


def failure(answer: CommandAnswer) -> BrokenLink:
    """The broken link behind an answer whose code is not 0."""
    name = answer.command or "a command"
    if answer.code is None:
        why = answer.message or "it said nothing"
        return UnexplainedError(
            "key",
            f"key_mgmt_util did not carry out a command: {why}.",
            "See 'output' for its own words.",
            output=ending(answer.text),
        )
    known = CODES.get(answer.code)
    code = f"{answer.code:#04x}"
    failed = f"key_mgmt_util: {name} failed with {code}" + (f" ({answer.message})" if answer.message else "")
    if known is None:
        return UnexplainedError(
            "key",
            f"{failed}.",
            f"Ask 'Error2String -r {code}' in key_mgmt_util for the code's meaning.",
            code=code,
        )
    return known.kind(known.link, f"{failed}: {known.meaning}.", known.advice, code=code)


def check_session(text: str, exit_code: Optional[int], timed_out: bool) -> Tuple[CommandAnswer, ...]:
    """The answers of the commands between login and logout. BrokenLink if the session did not come about."""
    answers = parse(text)
    bad = [
        answer
        for answer in answers
        if answer.command.startswith(("Initialize", "OpenSession", "GetPartitionInfo", "LoginHSM"))
        and answer.code
    ]
    if bad:
        raise failure(bad[0])
    if timed_out:
        raise ServiceStoppedError(
            "service",
            "key_mgmt_util did not end within its time limit.",
            f"Check that the service {SERVICE} runs and that TCP port 2223 of the HSMs can be reached; then give the task a longer timeout.",
        )
    if re.search(r"Daemon socket connection error|Failed to connect socket", text):
        raise _DAEMON.kind(_DAEMON.link, f"key_mgmt_util could not start: {_DAEMON.meaning}.", _DAEMON.advice)
    logins = [number for number, answer in enumerate(answers) if answer.command == "LoginHSM"]
    if not logins:
        if exit_code:
            raise _DAEMON.kind(
                _DAEMON.link,
                f"key_mgmt_util ended with exit code {exit_code:#x} before the login.",
                _DAEMON.advice,
                output=ending(text),
            )
        raise _unreadable("the answer to the login is missing", text)
    return tuple(
        answer
        for answer in answers[logins[0] + 1 :]
        if answer.command not in ("LogoutHSM", "CloseSession", "Shutdown")
    )


# Dumps and key information
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyInfo:
    """Who owns a key. ``shared`` are user numbers; ``quorum`` how many users must approve its use (0:
    nobody).
    """

    owner: Optional[int]
    shared: Tuple[int, ...] = ()
    quorum: int = 0


_OWNER = re.compile(r"Owned by user:?\s+(\d+)(?=\s)")
_SHARED = re.compile(
    r"shared (?:to|with)(?: the)? following (\d+) user\(s\):\s*((?:\d+[\s,]*)+)", re.IGNORECASE
)
_QUORUM = re.compile(r"(?<!\d)(\d{1,18}) Users? need to approve to use", re.IGNORECASE)


def parse_key_info(answer: CommandAnswer) -> KeyInfo:
    """What getKeyInfo says of a key."""
    if answer.code != SUCCESS:
        raise failure(answer)
    owner, quorum, shared = (
        _OWNER.search(answer.text),
        _QUORUM.search(answer.text),
        _SHARED.search(answer.text),
    )
    users: Tuple[int, ...] = ()
    if shared:
        count = _number(shared.group(1))
        users = tuple(_number(number) for number in re.findall(r"\d+", shared.group(2)))[: max(count, 0)]
        if len(users) != count:
            raise _unreadable("the list of users that the key is shared with is cut off", answer.text)
    return KeyInfo(
        _number(owner.group(1)) if owner else None, users, _number(quorum.group(1)) if quorum else 0
    )


def parse_attributes(content: bytes) -> Dict[str, str]:
    """The attributes that getAttribute wrote into a file, by their names without ``OBJ_ATTR_``; values as
    they stand there.

    A name without a value line is an empty value, and a value may be any text but another attribute's name.
    """
    lines = content.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
    found: Dict[str, List[str]] = {}
    name = ""
    for line in lines:
        heading = re.fullmatch(r"\s*OBJ_ATTR_([A-Z0-9_]+)\s*", line)
        if heading:
            name = heading.group(1)
            if name in found:
                raise _unreadable(
                    f"the attribute {name} stands in the dump twice",
                    content.decode("ascii", errors="replace"),
                )
            found[name] = []
        elif name and line.strip():
            found[name].append(line.strip())
    if not found:
        raise _unreadable("the dump of the attributes holds none", content.decode("ascii", errors="replace"))
    return {name: "\n".join(values) for name, values in found.items()}


def attribute_number(attributes: Mapping[str, str], name: str) -> Optional[int]:
    """A numeric attribute of a dump; None where it is missing or no number."""
    value = re.sub(r"\s", "", attributes.get(name, ""))
    return int(value, 16) if re.fullmatch(r"0[xX][0-9A-Fa-f]+", value) else None
