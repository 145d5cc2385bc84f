# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm-cli of Client SDK 5: it lists keys with all that it knows of them, a page a call."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Mapping, Optional, Sequence, Set, Tuple

from ..._findings import BrokenLink, LoginRefusedError
from ..._results import Result, RunResult
from ..._sdk import Sdk5
from ..._steps import Run, Transport
from ..._tools import cloudhsm_cli as tool
from ..lookup import Lookup, checked_run, problem, refusal
from ..pair import KeyPair, SeenKey, WantedKey, bare_digits, inconsistent, judge, point_of

PACKAGE = "Client SDK 5"
ON_WINDOWS = True

ACCEPTED = r'"error_code"\s*:\s*0\b'
"""What ``login_step`` prints with a login that was accepted (a regular expression)."""

MOST_KEYS = 20_000
"""What a crypto user may see of the keys that are asked for: a list that announces more is not gone through."""


def program(lookup: Lookup) -> str:
    return lookup.tool_path or (tool.WINDOWS_PROGRAM if lookup.windows else tool.LINUX_PROGRAM)


def is_named(_lookup: Lookup) -> bool:
    """A program of any name is taken for this one."""
    return False


def hindrance(_lookup: Lookup) -> Optional[str]:
    return None


def _filters(wanted: WantedKey) -> Tuple[str, ...]:
    """cloudhsm-cli's filters. For an EC key they give all EC keys: which one it is says its point
    (``_read_keys``).
    """
    if wanted.is_rsa:
        return (tool.key_type_filter("rsa"), tool.modulus_filter(wanted.modulus))
    return (tool.key_type_filter("ec"),)


def _read_keys(wanted: WantedKey, keys: Sequence[tool.ListedKey]) -> Tuple[SeenKey, ...]:
    """The private and public keys among those that cloudhsm-cli listed; of EC keys only those with the wanted
    point.
    """
    seen = []
    for key in keys:
        key_class = key.text("class")
        if key_class not in ("private-key", "public-key"):
            if "class" in key.inconsistent or not key_class:
                raise inconsistent(key.reference, ("class",))
            continue
        size = key.number("modulus-size-bits")
        found = SeenKey(
            key.handle,
            key_class[: -len("-key")],
            bare_digits(key.hexadecimal("modulus")),
            point_of(key.hexadecimal("ec-point")),
            size,
            key.text("label"),
            key.text("id"),
            key.owners,
            key.shared_users,
            key.use_quorum,
            key.inconsistent,
            key.cluster_coverage,
        )
        if wanted.is_rsa or found.point == wanted.point or "ec-point" in key.inconsistent:
            seen.append(found)
    return tuple(seen)


def _page_step(wanted: WantedKey, lookup: Lookup, starting_token: str = "") -> Run:
    """One page of the keys that may be the wanted ones, private and public alike."""
    return Run(
        program(lookup),
        tool.key_list(_filters(wanted), starting_token, lookup.cluster_id),
        environment=dict(tool.ROLE_ENVIRONMENT),
        secret_environment=lookup.user.environment(Sdk5.name),
        timeout=lookup.timeout,
    )


def _read_page(result: Result, lookup: Lookup) -> tool.KeyPage:
    """One page of keys from the step's result."""
    outcome = checked_run(result, "cloudhsm-cli")
    if outcome.timed_out:
        raise tool.timed_out(lookup.timeout)
    return tool.parse_key_list(utf8(outcome.stdout_bytes), utf8(outcome.stderr_bytes), outcome.exit_code)


def utf8(text: bytes) -> str:
    """What cloudhsm-cli wrote: UTF-8, whatever the host's code page."""
    return text.decode("utf-8", errors="replace")


def user_step(lookup: Lookup) -> Run:
    """Asks whether users are locked, for which nobody needs to log in."""
    return Run(program(lookup), tool.user_list(lookup.cluster_id), timeout=lookup.timeout)


def ask_step(wanted: WantedKey, lookup: Lookup) -> Run:
    """Logs in, and asks for the keys that may be the wanted ones; one page of them is enough for an RSA key."""
    return _page_step(wanted, lookup)


def labelled_step(label: str, lookup: Lookup) -> Run:
    """Logs in, and asks for the private keys that bear a label; one page shows whether it is one."""
    arguments = tool.key_list(
        (tool.class_filter("private"), tool.label_filter(label)), cluster_id=lookup.cluster_id
    )
    return replace(_page_step(WantedKey(), lookup), arguments=arguments)


def read_labelled(result: Result, lookup: Lookup) -> Tuple[int, ...]:
    """The handles of the keys that ``labelled_step`` found. BrokenLink where it failed."""
    return tuple(key.handle for key in _read_page(result, lookup).keys)


def read_asked(result: Result, wanted: WantedKey, lookup: Lookup) -> Optional[Tuple[SeenKey, ...]]:
    """The keys that ``ask_step`` found, None where the list goes on. BrokenLink where it failed."""
    page = _read_page(result, lookup)
    return None if page.next_token else _read_keys(wanted, page.keys)


def login_step(lookup: Lookup) -> Tuple[Run, Mapping[str, str]]:
    """Asks for one key, as the tool cannot log in alone; and the step's secrets."""
    arguments = tool.key_list((tool.class_filter("private"),), cluster_id=lookup.cluster_id, max_items=1)
    return replace(_page_step(WantedKey(), lookup), arguments=arguments), lookup.user.secrets


def refused_login(result: Result, lookup: Lookup) -> Optional[BrokenLink]:
    """Why the login of ``login_step`` was refused; None where it was not, or something else went wrong."""
    return refusal(login_problem(result, lookup))


def login_problem(result: Result, lookup: Lookup) -> Optional[BrokenLink]:
    """What keeps ``login_step`` from its answer; None where nothing does, or the tool is not there."""
    return problem(lambda: _read_page(result, lookup))


def is_locked(result: Result, user: str) -> bool:
    """Whether the answer to ``user_step`` says that the user is locked; False where it says nothing."""
    if not isinstance(result, RunResult):
        return False
    try:
        return tool.parse_user_list(
            utf8(result.stdout_bytes), utf8(result.stderr_bytes), result.exit_code
        ).get(user.lower(), False)
    except BrokenLink:
        return False


def find(host: Transport, wanted: WantedKey, lookup: Lookup) -> KeyPair:
    return judge(wanted, list_keys(host, wanted, lookup), lookup.public_key)


def list_keys(host: Transport, wanted: WantedKey, lookup: Lookup) -> Tuple[SeenKey, ...]:
    """All keys that may be the wanted ones, of all pages; each page is one call."""
    keys: List[tool.ListedKey] = []
    token = ""
    handles: Set[int] = set()
    while True:
        result = host.run([_page_step(wanted, lookup, token)], lookup.user.secrets).results[0]
        try:
            page = _read_page(result, lookup)
        except LoginRefusedError as broken:
            # The tool refuses a locked user and a wrong password with the same words.
            if lookup.user and is_locked(host.run([user_step(lookup)]).results[0], lookup.user.name):
                raise tool.locked(lookup.user.name) from broken
            raise
        keys.extend(page.keys)
        token = page.next_token
        if not token:
            return _read_keys(wanted, keys)
        _need_end(page, len(keys), handles)


def _need_end(page: tool.KeyPage, listed: int, handles: Set[int]) -> None:
    """BrokenLink where no end of the list can be seen behind ``page``: each page is a call and a login. ``listed``: keys
    so far; ``handles``: those of the pages before, to which this page's are added.
    """
    if page.total > MOST_KEYS:
        raise BrokenLink(
            "key",
            f"cloudhsm-cli lists {page.total} keys, more than {MOST_KEYS}.",
            "Use a crypto user that sees fewer keys.",
        )
    here = {key.handle for key in page.keys}
    if not here or listed >= page.total or here & handles:
        raise BrokenLink(
            "key",
            f"cloudhsm-cli announces {page.total} keys, has listed {listed} and goes on: its list has no end.",
            "Report this with the version of cloudhsm-cli.",
        )
    handles |= here
