# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the key pair of a certificate is looked up with the client's tools: the same steps on Windows and on
Linux.

Who calls says how steps are run (``Runner``): in a remote call, or by processes of its own. Nothing is
changed on the host or the HSM; key_mgmt_util needs files to talk through, which the same call removes again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from .._findings import BrokenLink
from .._results import (
    Failure,
    FileContent,
    Result,
    RunResult,
    ServiceResult,
    Skipped,
    expect,
)
from .._steps import (
    ReadFile,
    RemoveFile,
    Run,
    Step,
    WriteFile,
)
from .._tools import cloudhsm_cli, configure, key_mgmt_util
from .pair import (
    KeyPair,
    SeenKey,
    WantedKey,
    cli_filters,
    from_cli,
    from_key_mgmt_util,
    judge,
    only_private,
    only_public,
    refuse_ec,
)

Runner = Callable[[Sequence[Step], Mapping[str, str]], Sequence[Result]]
"""Runs steps with the secrets that they name, and gives one result a step."""

BACKENDS = ("auto", "cloudhsm_cli", "key_mgmt_util", "pkcs11")

MOST_PAGES = 200

NOT_FOUND = (2, 3)
"""Win32 (and POSIX 2) codes of a program that is not there."""

PIN, SESSION = "pin", "login"
"""The names under which the secrets travel."""


@dataclass(frozen=True)
class Lookup:
    """What to ask with. ``scratch`` begins the names of temporary files and holds no blank; ``password``
    shows in no repr.
    """

    windows: bool
    backend: str = "auto"
    tool_path: str = ""
    cluster_id: str = ""
    public_key: str = "optional"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: int = 60
    scratch: str = ""

    def program(self, backend: str) -> str:
        if self.tool_path:
            return self.tool_path
        if backend == "cloudhsm_cli":
            return cloudhsm_cli.WINDOWS_PROGRAM if self.windows else cloudhsm_cli.LINUX_PROGRAM
        return key_mgmt_util.WINDOWS_PROGRAM if self.windows else key_mgmt_util.LINUX_PROGRAM

    @property
    def first_backend(self) -> str:
        """The back end to begin with: the one asked for, or for auto the one that tool_path names, else
        cloudhsm_cli.
        """
        if self.backend != "auto":
            return self.backend
        return "key_mgmt_util" if "key_mgmt_util" in self.tool_path.lower() else "cloudhsm_cli"


class NotInstalledError(Exception):
    """The back end's program is not there."""


def find(run: Runner, wanted: WantedKey, lookup: Lookup) -> Tuple[KeyPair, str]:
    """The key pair and the back end that found it. BrokenLink for anything but exactly one private key."""
    ways = {"cloudhsm_cli": _find_with_cli, "key_mgmt_util": _find_with_key_mgmt_util}
    first = lookup.first_backend
    try:
        return ways[first](run, wanted, lookup), first
    except NotInstalledError as error:
        if lookup.backend != "auto" or lookup.tool_path or first == "key_mgmt_util":
            raise not_installed(first, lookup.program(first)) from error
    if not lookup.user:
        program = lookup.program("cloudhsm_cli")
        raise BrokenLink(
            "client",
            f"{program} is not there, and key_mgmt_util of Client SDK 3 is not tried without a crypto user.",
            "Install Client SDK 5 (the role cloudhsm.codesign.client does), or set crypto_user and crypto_password.",
        )
    try:
        return _find_with_key_mgmt_util(run, wanted, lookup), "key_mgmt_util"
    except NotInstalledError as error:
        raise BrokenLink(
            "client",
            f"No client of CloudHSM is installed on this host: neither {lookup.program('cloudhsm_cli')} nor {lookup.program('key_mgmt_util')} is there.",
            "Install Client SDK 5 (the role cloudhsm.codesign.client does), or set tool_path.",
        ) from error


def not_installed(backend: str, program: str) -> BrokenLink:
    """The program of a back end that was asked for is missing."""
    sdk = "5" if backend == "cloudhsm_cli" else "3"
    return BrokenLink(
        "client",
        f"{program} is not there.",
        f"Install Client SDK {sdk} (the role cloudhsm.codesign.client does), or set tool_path.",
    )


def checked_run(result: Result, what: str) -> RunResult:
    """The result of a process that ran. NotInstalledError for a missing program, BrokenLink for one that
    could not be started.
    """
    outcome = expect(result, RunResult)
    if isinstance(outcome, RunResult):
        return outcome
    if isinstance(outcome, Failure) and outcome.code in NOT_FOUND:
        raise NotInstalledError(what)
    raise BrokenLink(
        "client",
        f"{what} could not be started: {_reason(outcome)}.",
        "Check the access rights of the account that Ansible connects as.",
    )


def _reason(outcome: object) -> str:
    return outcome.message.strip().rstrip(".") if isinstance(outcome, Failure) else "a step before it failed"


# cloudhsm-cli
# ---------------------------------------------------------------------------------------------------------


def cli_secrets(lookup: Lookup) -> Mapping[str, str]:
    """user:password, if the crypto user was given; otherwise the tool takes what its environment holds."""
    return {PIN: f"{lookup.user}:{lookup.password}"} if lookup.user else {}


def cli_step(wanted: WantedKey, lookup: Lookup, starting_token: str = "") -> Run:
    """One page of the keys that may be the wanted ones, private and public alike."""
    return Run(
        lookup.program("cloudhsm_cli"),
        cloudhsm_cli.key_list(cli_filters(wanted), starting_token, lookup.cluster_id),
        environment=dict(cloudhsm_cli.ROLE_ENVIRONMENT),
        secret_environment={cloudhsm_cli.PIN_VARIABLE: PIN} if lookup.user else {},
        timeout=lookup.timeout,
    )


def read_cli(result: Result, lookup: Lookup) -> cloudhsm_cli.KeyPage:
    """One page of keys from the step's result."""
    outcome = checked_run(result, "cloudhsm-cli")
    if outcome.timed_out:
        raise cloudhsm_cli.timed_out(lookup.timeout)
    return cloudhsm_cli.parse_key_list(
        utf8(outcome.stdout_bytes), utf8(outcome.stderr_bytes), outcome.exit_code
    )


def utf8(text: bytes) -> str:
    """What cloudhsm-cli wrote: UTF-8, whatever the host's code page."""
    return text.decode("utf-8", errors="replace")


def user_step(lookup: Lookup) -> Run:
    """Asks whether users are locked, for which nobody needs to log in."""
    return Run(
        lookup.program("cloudhsm_cli"), cloudhsm_cli.user_list(lookup.cluster_id), timeout=lookup.timeout
    )


def login_step(lookup: Lookup) -> Tuple[Run, Mapping[str, str]]:
    """Logs in and out again, or asks for one key, whichever the back end's tool can; and its secrets."""
    if lookup.backend == "cloudhsm_cli":
        arguments = cloudhsm_cli.key_list(
            (cloudhsm_cli.class_filter("private"),), cluster_id=lookup.cluster_id, max_items=1
        )
        return replace(cli_step(WantedKey(), lookup), arguments=arguments), cli_secrets(lookup)
    login = {SESSION: key_mgmt_util.session(lookup.user, lookup.password, ())}
    return Run(lookup.program("key_mgmt_util"), secret_stdin=SESSION, timeout=lookup.timeout), login


def refused_login(result: Result, lookup: Lookup) -> Optional[BrokenLink]:
    """Why the login of ``login_step`` was refused; None where it was not, or something else went wrong."""
    try:
        if lookup.backend == "cloudhsm_cli":
            read_cli(result, lookup)
        else:
            _answers(result)
    except BrokenLink as broken:
        return broken if broken.link == "credential" else None
    except NotInstalledError:
        return None
    return None


def is_locked(result: Result, user: str) -> bool:
    """Whether the answer to ``user_step`` says that the user is locked; False where it says nothing."""
    if not isinstance(result, RunResult):
        return False
    try:
        return cloudhsm_cli.parse_user_list(
            utf8(result.stdout_bytes), utf8(result.stderr_bytes), result.exit_code
        ).get(user.lower(), False)
    except BrokenLink:
        return False


def _find_with_cli(run: Runner, wanted: WantedKey, lookup: Lookup) -> KeyPair:
    return judge(wanted, list_with_cli(run, wanted, lookup), lookup.public_key)


def list_with_cli(run: Runner, wanted: WantedKey, lookup: Lookup) -> Tuple[SeenKey, ...]:
    """All keys that may be the wanted ones, of all pages; each page is one call of ``run``."""
    keys: List[cloudhsm_cli.ListedKey] = []
    token, seen_tokens = "", set()
    for _page in range(MOST_PAGES):
        result = run([cli_step(wanted, lookup, token)], cli_secrets(lookup))[0]
        try:
            page = read_cli(result, lookup)
        except BrokenLink as broken:
            # The tool refuses a locked user and a wrong password with the same words.
            if (
                broken.link == "credential"
                and lookup.user
                and is_locked(run([user_step(lookup)], {})[0], lookup.user)
            ):
                raise cloudhsm_cli.locked(lookup.user) from broken
            raise
        keys.extend(page.keys)
        token = page.next_token
        if not token:
            break
        if token in seen_tokens:
            raise BrokenLink(
                "key",
                "cloudhsm-cli gave the same page of keys twice: its list has no end.",
                "Report this with the version of cloudhsm-cli.",
            )
        seen_tokens.add(token)
    else:
        raise BrokenLink(
            "key",
            f"cloudhsm-cli lists more than {MOST_PAGES} pages of keys.",
            "Use a crypto user that sees fewer keys.",
        )
    return from_cli(wanted, keys)


# key_mgmt_util
# --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Handles:
    """What findKey found, by class; ``public`` is empty where it was not asked for."""

    private: Tuple[int, ...]
    public: Tuple[int, ...] = ()
    warnings: Tuple[str, ...] = ()


def find_handles_steps(wanted: WantedKey, lookup: Lookup) -> Tuple[List[Step], Mapping[str, str]]:
    """The steps that look for the handles, and their secret: modulus file, one session of the tool, modulus
    file away.
    """
    refuse_ec(wanted, "key_mgmt_util")
    path = f"{lookup.scratch}.txt"
    commands = [key_mgmt_util.find_key(key_class, path) for key_class in _classes(lookup)]
    secrets = {SESSION: key_mgmt_util.session(lookup.user, lookup.password, commands)}
    steps: List[Step] = [
        WriteFile(path, key_mgmt_util.modulus_file(wanted.modulus), temporary=True),
        Run(
            lookup.program("key_mgmt_util"),
            secret_stdin=SESSION,
            timeout=lookup.timeout,
            only_if_previous_ok=True,
        ),
        RemoveFile(path, temporary=True),
    ]
    return steps, secrets


def read_handles(results: Sequence[Result], lookup: Lookup) -> Handles:
    """The handles that the steps of ``find_handles_steps`` found."""
    if isinstance(results[0], (Failure, Skipped)):
        problem = f"The modulus file {lookup.scratch}.txt could not be written: {_reason(results[0])}."
        raise BrokenLink("host", problem, "Check the access rights of that folder.")
    answers = _answers(results[1])
    classes = _classes(lookup)
    found = [answer for answer in answers if answer.command == "FindKey" or answer.total is not None]
    if len(found) != len(classes):
        silent = [answer for answer in answers if answer.code is None]
        if silent:
            raise key_mgmt_util.failure(silent[0])
        raise BrokenLink(
            "key",
            f"key_mgmt_util answered {len(found)} of {len(classes)} searches.",
            "Give the task a longer timeout and run it with -vvv.",
        )
    handles: List[Tuple[int, ...]] = []
    warnings: List[str] = []
    for answer in found:
        checked = key_mgmt_util.checked_find(answer)
        if checked.code != key_mgmt_util.SUCCESS:
            raise key_mgmt_util.failure(checked)
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


def _answers(result: Result) -> Tuple[key_mgmt_util.CommandAnswer, ...]:
    outcome = checked_run(result, "key_mgmt_util")
    return key_mgmt_util.check_session(
        f"{outcome.stdout}\n{outcome.stderr}", outcome.exit_code, outcome.timed_out
    )


def behind_the_daemon(broken: BrokenLink, service: Result) -> BrokenLink:
    """``broken`` of a tool that got no answer from the client daemon, or what is behind it: a daemon that
    runs gets none from the HSMs.
    """
    if not isinstance(service, ServiceResult) or service.status != "Running":
        return broken
    problem = f"The service {configure.SERVICE} runs, but no HSM answers it ({broken.problem.rstrip('.')})."
    return BrokenLink("cluster", problem, cloudhsm_cli.CONNECTION_ADVICE, **broken.details)


def _find_with_key_mgmt_util(run: Runner, wanted: WantedKey, lookup: Lookup) -> KeyPair:
    steps, secrets = find_handles_steps(wanted, lookup)
    handles = read_handles(run(steps, secrets), lookup)
    chosen = [("private", only_private(handles.private, handles.public, wanted))]
    public = only_public(handles.public, lookup.public_key, wanted)
    if public is not None:
        chosen.append(("public", public))
    steps, secrets = describe_steps(chosen, lookup)
    keys = read_descriptions(chosen, run(steps, secrets))
    pair = judge(wanted, keys, lookup.public_key)
    return KeyPair(pair.private, pair.public, (*handles.warnings, *pair.warnings))


def describe_steps(keys: Sequence[Tuple[str, int]], lookup: Lookup) -> Tuple[List[Step], Mapping[str, str]]:
    """The steps that read attributes and owners of keys (class, handle) back, and their secret."""
    paths = [f"{lookup.scratch}-{number}.txt" for number in range(len(keys))]
    commands: List[Tuple[str, ...]] = []
    for (_key_class, handle), path in zip(keys, paths):
        commands += [key_mgmt_util.get_attributes(handle, path), key_mgmt_util.get_key_info(handle)]
    secrets = {SESSION: key_mgmt_util.session(lookup.user, lookup.password, commands)}
    steps: List[Step] = [Run(lookup.program("key_mgmt_util"), secret_stdin=SESSION, timeout=lookup.timeout)]
    steps += [ReadFile(path) for path in paths]
    steps += [RemoveFile(path, temporary=True) for path in paths]
    return steps, secrets


def read_descriptions(keys: Sequence[Tuple[str, int]], results: Sequence[Result]) -> Tuple[SeenKey, ...]:
    """The keys as the steps of ``describe_steps`` read them back."""
    answers = _answers(results[0])
    dumps = [answer for answer in answers if answer.command == "GetAttribute"]
    infos = [answer for answer in answers if answer.command.startswith("GetKey")]
    seen = []
    for number, (key_class, handle) in enumerate(keys):
        if number < len(dumps) and dumps[number].code:
            raise key_mgmt_util.failure(dumps[number])
        content = expect(results[1 + number], FileContent)
        if not isinstance(content, FileContent) or not content.exists:
            problem = f"The attributes of key {handle} could not be read back: it cannot be proven to be the wanted one."
            raise BrokenLink("key", problem, "Check the crypto user's access to it.")
        # Who owns it is a nicety: a key whose owners the tool does not tell is as good.
        info = _info(infos[number]) if len(infos) == len(keys) else None
        seen.append(
            from_key_mgmt_util(handle, key_class, key_mgmt_util.parse_attributes(content.content), info)
        )
    return tuple(seen)


def _info(answer: key_mgmt_util.CommandAnswer) -> Optional[key_mgmt_util.KeyInfo]:
    return key_mgmt_util.parse_key_info(answer) if answer.code == key_mgmt_util.SUCCESS else None
