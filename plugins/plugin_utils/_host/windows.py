# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place of the collection that runs anything on a Windows host.

One call of ``Host.run`` is one remote call: ``ansible.windows.win_powershell`` with ``run_steps.ps1`` and a
list of steps.
"""

from __future__ import annotations

import functools
import json
import pkgutil
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any, Iterator, Mapping, Sequence

from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.plugins.shell import ShellBase
from ansible.utils.display import Display

from ...module_utils._findings import BrokenLink
from ...module_utils._results import (
    EachResult,
    Failure,
    JournaledResult,
    Placed,
    PlaceResult,
    Result,
    RunResult,
    StepError,
    TogetherResult,
    too_much,
)
from ...module_utils._steps import (
    Answer,
    Service,
    Step,
    changes_host,
    has_changed,
    read_answer,
    to_json,
)
from .. import _scratch as scratch
from . import trust
from .lost import lost
from .redirects import in_session, not_followed


def _failures(results: Sequence[Result]) -> Iterator[Failure]:
    for result in results:
        if isinstance(result, Failure):
            yield result
        elif isinstance(result, (TogetherResult, JournaledResult)):
            yield from _failures(result.results)
        elif isinstance(result, EachResult):
            yield from _failures([file.result for file in result.files])


def _runs(results: Sequence[Result]) -> Iterator[RunResult]:
    for result in results:
        if isinstance(result, RunResult):
            yield result
        elif isinstance(result, (TogetherResult, JournaledResult)):
            yield from _runs(result.results)
        elif isinstance(result, EachResult):
            yield from _runs([file.result for file in result.files])


def _placed(results: Sequence[Result]) -> Iterator[Placed]:
    for result in results:
        if isinstance(result, Placed):
            yield result
        elif isinstance(result, PlaceResult):
            yield from _placed(result.placed)
        elif isinstance(result, JournaledResult) and not result.cleared:
            yield from _placed(result.results)


WITHOUT_WINDOWS = (
    "System.PlatformNotSupportedException",
    "System.Management.Automation.CommandNotFoundException",
)
"""What .NET and PowerShell answer elsewhere when they are asked for the registry and for services."""


BLOCKED_BY_AMSI = (
    "ScriptContainedMaliciousContent",
    "contains malicious content and has been blocked by your antivirus",
)
"""How PowerShell says that the host's virus protection refused a script: the error's name, and its English
sentence, which an answer without error records holds.
"""


@functools.cache
def step_script() -> str:
    """The text of run_steps.ps1 as it lies in the collection."""
    content = pkgutil.get_data(__package__, "run_steps.ps1")
    if content is None:
        raise RuntimeError("run_steps.ps1 is missing from the collection")
    return content.decode("ascii")


def refuse_kept_files() -> None:
    """BrokenLink where Ansible would leave the files that hold a module's arguments."""
    if constants.DEFAULT_KEEP_REMOTE_FILES:
        raise BrokenLink(
            "argument",
            "ANSIBLE_KEEP_REMOTE_FILES is set: the files that Ansible would leave on the host hold the crypto user's password, so no login is sent.",
            "Unset it (keep_remote_files in ansible.cfg), or leave crypto_user and crypto_password out.",
        )


SHOWN = 4
"""-vvvv: with one more, the connection plug-ins show what comes back."""


@contextmanager
def answer_unseen(action: ActionBase) -> Iterator[None]:
    """Within, no connection plug-in shows what a host answers: a program that repeats its input is in it as it is, in base64.

    ssh (-vvv), psrp and winrm (-vvvvv) leave an answer out where their own context has no_log, which a task's no_log does not set.
    winrm of some releases (ansible-core 2.19.0, 2.20.0) shows it all the same: so there is no more than -vvvv meanwhile, on the screen and in the log.
    """
    context, display = getattr(action._connection, "_play_context", None), Display()
    before = getattr(context, "no_log", None), display.verbosity, display.log_verbosity
    if context is not None:
        context.no_log = True
    display.verbosity, display.log_verbosity = min(before[1], SHOWN), min(before[2], SHOWN)
    try:
        yield
    finally:
        if context is not None:
            context.no_log = before[0]
        display.verbosity, display.log_verbosity = before[1:]


def _message_of(error: Any) -> str:
    """What an error record of win_powershell says; some answers hold the bare text instead."""
    if not isinstance(error, Mapping):
        return error if isinstance(error, str) else ""
    exception = error.get("exception")
    return str(exception.get("message", "")) if isinstance(exception, Mapping) else str(exception or "")


class Host:
    """The host of one task. ``calls`` counts the remote calls made."""

    def __init__(self, action: ActionBase, task_vars: Mapping[str, Any], tidies: bool = False) -> None:
        """``tidies``: the first call also looks for working folders of calls that were cut off (``tidy`` removes them)."""
        self._tidies = tidies
        self._left: list[str] = []
        self._action = action
        self._task_vars = task_vars
        self.calls = 0
        self.is_logged = False
        """Whether secrets went to a host whose PowerShell writes them into its event log."""
        self.has_changed = False
        """Whether a step of this task is known to have changed the host"""

    def run(self, steps: Sequence[Step], secrets: Mapping[str, str] | None = None) -> Answer:
        """Does ``steps`` in their order and gives one typed result a step.

        ``secrets``: name -> value; a step refers to a secret by its name. They travel as a sensitive
        parameter only. Raises BrokenLink("host") when the script could not be run there, BrokenLink("argument") where
        secrets would stay in files that Ansible keeps there, BrokenLink("signtool" or "client") where a program was
        not run because others may change it, and
        AnsibleConnectionFailure when the host could not be reached, ConnectionLostError of its kind when the connection
        broke meanwhile. A tool that fails is no exception: its result says so.
        """
        if self._tidies:
            self._tidies = False
            answer = self.run([*steps, scratch.observe()], secrets)
            self._left = scratch.left(answer.results[-1])
            return replace(answer, results=answer.results[:-1])
        if self._action._task.check_mode and any(changes_host(step) for step in steps):
            raise AssertionError("a step that changes the host was about to be sent in check mode")
        if secrets:
            refuse_kept_files()
        parameters = {"Steps": to_json(steps), "Trust": trust.rules()}
        arguments: dict[str, Any] = {"script": step_script(), "parameters": parameters}
        if secrets:
            arguments["sensitive_parameters"] = [{"name": "Secrets", "value": json.dumps(dict(secrets))}]
        self.calls += 1
        with answer_unseen(self._action) if secrets else nullcontext():
            raw = self._execute(arguments)
        self._need_shell(raw)
        if raw.get("failed") or not isinstance(raw.get("result"), str):
            raise self._script_failure(raw)
        try:
            answer = read_answer(steps, raw["result"])
        except StepError as error:
            raise BrokenLink(
                "host",
                f"The host's answer to the step script cannot be read: {error}.",
                "Run the task again with -vvv.",
            ) from error
        self.has_changed |= any(map(has_changed, steps, answer.results))
        self._need_windows(steps, answer)
        self.is_logged |= bool(secrets) and answer.host.module_logging
        for run in _runs(answer.results):
            if run.cut:
                self._tell(f"{too_much(run.file)} It counts as a program that did not end in time.")
        for placed in _placed(answer.results):
            if placed.kept:
                why = f" ({placed.why.rstrip('. ')})" if placed.why else ""
                self._tell(
                    f"{placed.kept} holds what a file was before, and could not be removed{why}. Remove it when it is not needed."
                )
        for failure in _failures(answer.results):
            if failure.kind == trust.REFUSED:
                raise trust.refusal(failure.message)
        return answer

    def tidy(self) -> None:
        """Removes what calls have left that were cut off; what cannot be removed is the next run's."""
        if self._left:
            steps, self._left = scratch.removal(self._left), []
            with suppress(BrokenLink, AnsibleConnectionFailure):
                self.run(steps)

    def _tell(self, text: str) -> None:
        """A warning of the task, where the action can show one."""
        warn = getattr(self._action, "warn", None)
        if warn is not None:
            warn(text)

    def _execute(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        task = self._action._task
        before = task.no_log
        # Without no_log every call writes its parameters into the host's Application event log.
        task.no_log = True
        connection = self._action._connection
        try:
            with not_followed(connection):
                return dict(
                    self._action._execute_module(
                        module_name="ansible.windows.win_powershell",
                        module_args=dict(arguments),
                        task_vars=dict(self._task_vars),
                    )
                )
        except Exception as error:
            broken = lost(error, in_session(connection))
            if broken is None:
                raise
            raise broken from None
        finally:
            task.no_log = before

    def _need_shell(self, raw: Mapping[str, Any]) -> None:
        """BrokenLink where no module answered and the connection has a shell type that is not its own: WinRM's shell is cmd.exe,
        which leaves the quotes on that ansible-core puts around a command for PowerShell (github.com/ansible/ansible/issues/87147).
        """
        if (
            raw.get("failed")
            and "module_stdout" in raw
            and getattr(self._action._connection, "transport", "") == "winrm"
            and self._task_vars.get("ansible_shell_type") == "powershell"
        ):
            raise BrokenLink(
                "host",
                "No module runs on this host: ansible_shell_type is powershell, which ansible-core 2.21 and newer cannot use over winrm.",
                "Take ansible_shell_type out of this host's variables; it belongs to the connections ssh and aws_ssm.",
            )
        shell = getattr(self._action._connection, "_shell", None)
        if (
            raw.get("failed")
            and "module_stdout" in raw
            and not str(raw["module_stdout"] or "").strip()
            and isinstance(shell, ShellBase)
            and not getattr(shell, "_IS_WINDOWS", False)
        ):
            raise BrokenLink(
                "host",
                "No PowerShell answers here, and the connection is one for hosts without Windows.",
                "Give it to Windows hosts only (connection local and delegate_to: localhost mean the control node). Over ssh they need ansible_shell_type.",
            )

    @staticmethod
    def _need_windows(steps: Sequence[Step], answer: Answer) -> None:
        """BrokenLink when something of Windows was asked for where there is none: a missing registry is no
        empty one.
        """
        if answer.host.oem_code_page == 0 and any(
            isinstance(result, Failure)
            and result.kind in WITHOUT_WINDOWS
            and not (isinstance(step, Service) and step.optional)
            for step, result in zip(steps, answer.results, strict=True)
        ):
            raise BrokenLink(
                "host",
                f"PowerShell {answer.host.powershell} answers there, but the host is not Windows: it has no registry and no Windows services.",
                "Give this task to the Windows hosts only.",
            )

    @staticmethod
    def _script_failure(raw: Mapping[str, Any]) -> BrokenLink:
        given = raw.get("error")
        told = given if isinstance(given, list) else [given] if given else []
        errors = [error for error in told if isinstance(error, Mapping)]
        identifiers = " ".join(str(error.get("fully_qualified_error_id", "")) for error in errors)
        if "ConstrainedLanguage" in identifiers:
            return BrokenLink(
                "host",
                "This host enforces an application control policy (WDAC), under which the collection's step script may not run unsigned.",
                "Sign plugins/plugin_utils/_host/run_steps.ps1 with a publisher that the policy trusts.",
            )
        try:
            everything = json.dumps(dict(raw), default=str)
        except (TypeError, ValueError, RecursionError):
            everything = ""  # objects in each other without end, or names that are none
        if any(text in everything for text in BLOCKED_BY_AMSI):
            return BrokenLink(
                "host",
                "The virus protection of this host (AMSI) blocked the collection's step script as malicious content.",
                "Let whoever runs it allow plugins/plugin_utils/_host/run_steps.ps1; Windows' event log of the virus protection names the rule.",
            )
        if "module_stdout" in raw and not str(raw["module_stdout"] or "").strip():
            return BrokenLink(
                "host",
                "PowerShell ended on this host without an answer, as it does where a virus protection (EDR) stops it.",
                "Look at the virus protection's own log at this time; else check that win_powershell works there (ansible.windows.win_ping, then -vvv).",
            )
        texts = [_message_of(error) for error in told]
        text = next((text for text in reversed(texts) if text), str(raw.get("msg") or "no reason was given"))
        return BrokenLink(
            "host",
            f"The step script failed on the host: {text.rstrip('.')}.",
            "Check that win_powershell works there (ansible.windows.win_ping, then -vvv).",
        )
