# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_mgmt_util of Client SDK 3: it finds the handles of RSA keys, and writes what it knows of a key into
files, which the same call removes again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

from ..._crypto_user import SESSION
from ..._findings import BrokenLink, UnreachableError
from ..._results import Failure, FileContent, Result, ServiceResult, Skipped, expect
from ..._steps import ReadFile, RemoveScratch, Run, Scratch, Step, Transport, WriteFile
from ..._tools import configure
from ..._tools import key_mgmt_util as tool
from ..._tools.cloudhsm_cli import CONNECTION_ADVICE
from ..lookup import Lookup, checked_run, problem, reason, refusal
from ..pair import KeyPair, SeenKey, WantedKey, bare_digits, judge, only_private, only_public

PACKAGE = "Client SDK 3"
ON_WINDOWS = True

ACCEPTED = r"LoginHSM(\(\))?:?\s+returned:?\s*<?0(x0+)?\b"
"""What ``login_step`` prints with a login that was accepted (a regular expression)."""


def program(lookup: Lookup) -> str:
    return lookup.tool_path or (tool.WINDOWS_PROGRAM if lookup.windows else tool.LINUX_PROGRAM)


def is_named(lookup: Lookup) -> bool:
    return "key_mgmt_util" in lookup.tool_path.lower()


def hindrance(lookup: Lookup) -> Optional[str]:
    return None if lookup.user else "key_mgmt_util of Client SDK 3 is not tried without a crypto user"


def find(host: Transport, wanted: WantedKey, lookup: Lookup) -> KeyPair:
    steps, secrets = find_handles_steps(wanted, lookup)
    handles = read_handles(host.run(steps, secrets).results, lookup)
    chosen = [("private", only_private(handles.private, handles.public, wanted))]
    public = only_public(handles.public, lookup.public_key, wanted)
    if public is not None:
        chosen.append(("public", public))
    steps, secrets = describe_steps(chosen, lookup)
    keys = read_descriptions(chosen, host.run(steps, secrets).results, lookup)
    pair = judge(wanted, keys, lookup.public_key)
    return KeyPair(pair.private, pair.public, (*handles.warnings, *pair.warnings))


def login_step(lookup: Lookup) -> Tuple[Run, Mapping[str, str]]:
    """Logs in and out again; and the step's secrets."""
    return Run(program(lookup), secret_stdin=SESSION, timeout=lookup.timeout), lookup.user.session(())


def refused_login(result: Result, lookup: Lookup) -> Optional[BrokenLink]:
    """Why the login of ``login_step`` was refused; None where it was not, or something else went wrong."""
    return refusal(login_problem(result, lookup))


def login_problem(result: Result, _lookup: Lookup) -> Optional[BrokenLink]:
    """What keeps ``login_step`` from its answer; None where nothing does, or the tool is not there."""
    return problem(lambda: _answers(result))


def _refuse_ec(wanted: WantedKey) -> None:
    """BrokenLink for an EC key: the tool can only look for a modulus."""
    if not wanted.is_rsa:
        raise BrokenLink(
            "certificate",
            "The certificate has an EC key, which has no modulus: key_mgmt_util cannot look for it.",
            "Use backend cloudhsm_cli (Client SDK 5) or pkcs11, or a certificate with an RSA key.",
        )


def _read_key(handle: int, key_class: str, dump: Mapping[str, str], info: Optional[tool.KeyInfo]) -> SeenKey:
    """A key from its handle, the dump of its attributes and what getKeyInfo says. Users are numbers there."""
    modulus = re.fullmatch(r"0[xX]([0-9A-Fa-f]+)", re.sub(r"\s", "", dump.get("MODULUS", "")))
    owners = shared = None
    if info is not None:
        owners = () if info.owner is None else (str(info.owner),)
        shared = tuple(str(user) for user in info.shared)
    return SeenKey(
        handle,
        key_class,
        bare_digits(modulus.group(1)) if modulus else "",
        "",
        tool.attribute_number(dump, "MODULUS_BITS"),
        dump.get("LABEL", ""),
        dump.get("ID", ""),
        owners,
        shared,
        info.quorum if info else 0,
    )


@dataclass(frozen=True)
class Handles:
    """What findKey found, by class; ``public`` is empty where it was not asked for."""

    private: Tuple[int, ...]
    public: Tuple[int, ...] = ()
    warnings: Tuple[str, ...] = ()


def find_handles_steps(wanted: WantedKey, lookup: Lookup) -> Tuple[List[Step], Mapping[str, str]]:
    """The steps that look for the handles, and their secret: modulus file in a folder of ours, one session of the
    tool, folder away.
    """
    _refuse_ec(wanted)
    path = _file(lookup, "modulus")
    commands = [tool.find_key(key_class, path) for key_class in _classes(lookup)]
    secrets = lookup.user.session(commands)
    steps: List[Step] = [
        Scratch(lookup.scratch, temporary=True),
        WriteFile(path, tool.modulus_file(wanted.modulus), temporary=True, only_if_previous_ok=True),
        Run(
            program(lookup),
            secret_stdin=SESSION,
            timeout=lookup.timeout,
            only_if_previous_ok=True,
        ),
        RemoveScratch(lookup.scratch, temporary=True),
    ]
    return steps, secrets


def _file(lookup: Lookup, name: str) -> str:
    """The path of a file that the tool reads or writes."""
    return f"{lookup.scratch}{chr(92) if lookup.windows else '/'}{name}.txt"


def read_handles(results: Sequence[Result], lookup: Lookup) -> Handles:
    """The handles that the steps of ``find_handles_steps`` found."""
    failed_first = next((one for one in results[:2] if isinstance(one, (Failure, Skipped))), None)
    if failed_first is not None:
        problem = f"The modulus file {_file(lookup, 'modulus')} could not be written: {reason(failed_first)}."
        raise BrokenLink("host", problem, "Check the access rights of the folder above.")
    answers = _answers(results[2])
    classes = _classes(lookup)
    found = [answer for answer in answers if answer.command == "FindKey" or answer.total is not None]
    if len(found) != len(classes):
        silent = [answer for answer in answers if answer.code is None]
        if silent:
            raise tool.failure(silent[0])
        raise BrokenLink(
            "key",
            f"key_mgmt_util answered {len(found)} of {len(classes)} searches.",
            "Give the task a longer timeout and run it with -vvv.",
        )
    handles: List[Tuple[int, ...]] = []
    warnings: List[str] = []
    for answer in found:
        checked = tool.checked_find(answer)
        if checked.code != tool.SUCCESS:
            raise tool.failure(checked)
        failed = sorted(node for node, status in checked.nodes.items() if status)
        if failed:
            nodes = ", ".join(map(str, failed))
            warnings.append(
                f"HSM {nodes} of the cluster answered the search with an error: the key may be on fewer HSMs than it should."
            )
        handles.append(checked.handles or ())
    return Handles(handles[0], handles[1] if len(handles) > 1 else (), tuple(dict.fromkeys(warnings)))


def _classes(lookup: Lookup) -> Tuple[str, ...]:
    return ("private",) if lookup.public_key == "ignored" else ("private", "public")


def _answers(result: Result) -> Tuple[tool.CommandAnswer, ...]:
    outcome = checked_run(result, "key_mgmt_util")
    return tool.check_session(f"{outcome.stdout}\n{outcome.stderr}", outcome.exit_code, outcome.timed_out)


def behind_the_daemon(broken: BrokenLink, service: Result) -> BrokenLink:
    """``broken`` of a tool that got no answer from the client daemon, or what is behind it: a daemon that
    runs gets none from the HSMs.
    """
    if not isinstance(service, ServiceResult) or service.status != "Running":
        return broken
    problem = f"The service {configure.SERVICE} runs, but no HSM answers it ({broken.problem.rstrip('.')})."
    return UnreachableError("cluster", problem, CONNECTION_ADVICE, **broken.details)


def describe_steps(keys: Sequence[Tuple[str, int]], lookup: Lookup) -> Tuple[List[Step], Mapping[str, str]]:
    """The steps that read attributes and owners of keys (class, handle) back, and their secret."""
    paths = [_file(lookup, f"key-{number}") for number in range(len(keys))]
    commands: List[Tuple[str, ...]] = []
    for (_key_class, handle), path in zip(keys, paths):
        commands += [tool.get_attributes(handle, path), tool.get_key_info(handle)]
    secrets = lookup.user.session(commands)
    steps: List[Step] = [
        Scratch(lookup.scratch, temporary=True),
        Run(program(lookup), secret_stdin=SESSION, timeout=lookup.timeout, only_if_previous_ok=True),
    ]
    steps += [ReadFile(path) for path in paths]
    steps.append(RemoveScratch(lookup.scratch, temporary=True))
    return steps, secrets


def read_descriptions(
    keys: Sequence[Tuple[str, int]], results: Sequence[Result], lookup: Lookup
) -> Tuple[SeenKey, ...]:
    """The keys as the steps of ``describe_steps`` read them back."""
    if isinstance(results[0], Failure):
        problem = f"The folder {lookup.scratch} could not be made: {reason(results[0])}."
        raise BrokenLink("host", problem, "Check the access rights of the folder above.")
    answers = _answers(results[1])
    dumps = [answer for answer in answers if answer.command == "GetAttribute"]
    infos = [answer for answer in answers if answer.command.startswith("GetKey")]
    seen = []
    for number, (key_class, handle) in enumerate(keys):
        if number < len(dumps) and dumps[number].code:
            raise tool.failure(dumps[number])
        content = expect(results[2 + number], FileContent)
        if not isinstance(content, FileContent) or not content.exists:
            problem = f"The attributes of key {handle} could not be read back: it cannot be proven to be the wanted one."
            raise BrokenLink("key", problem, "Check the crypto user's access to it.")
        # Who owns it is a nicety: a key whose owners the tool does not tell is as good.
        info = _info(infos[number]) if len(infos) == len(keys) else None
        seen.append(_read_key(handle, key_class, tool.parse_attributes(content.content), info))
    return tuple(seen)


def _info(answer: tool.CommandAnswer) -> Optional[tool.KeyInfo]:
    return tool.parse_key_info(answer) if answer.code == tool.SUCCESS else None
