# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm-cli of Client SDK 5: its argument lists, and what its JSON answers mean.

It runs in single-command mode: role and credentials come by the environment (CLOUDHSM_ROLE, CLOUDHSM_PIN),
never by arguments.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type

from .. import _json
from .._findings import (
    BrokenLink,
    Link,
    LockedError,
    LoginRefusedError,
    NoLoginError,
    NotConfiguredError,
    OutdatedError,
    UnexplainedError,
    UnreachableError,
)
from .._texts import ending, masked

WINDOWS_PROGRAM = "C:\\Program Files\\Amazon\\CloudHSM\\bin\\cloudhsm-cli.exe"
LINUX_PROGRAM = "/opt/cloudhsm/bin/cloudhsm-cli"

ROLE_ENVIRONMENT: Mapping[str, str] = {"CLOUDHSM_ROLE": "crypto-user"}

PAGE_SIZE = 100
"""Keys a page: the tool's own default is 10, and each page more is a call more."""

OLDEST_WITH_KEY_REFERENCES = (5, 16, 0)
"""The first version that knows ``--encoding ksp-key-reference``."""


# What it is asked
# -----------------------------------------------------------------------------------------------------


def class_filter(key_class: str) -> str:
    """The filter for private or public keys."""
    return f"attr.class={key_class}-key"


def modulus_filter(modulus: str) -> str:
    """The filter for the keys of an RSA modulus, given as bare hex."""
    return f"attr.modulus=0x{modulus.lower()}"


def label_filter(label: str) -> str:
    """The filter for the keys that bear a label (user guide, filtering keys)."""
    return f"attr.label={label}"


def key_type_filter(key_type: str) -> str:
    """The filter for keys of a type: rsa or ec."""
    return f"attr.key-type={key_type}"


def reference_filter(handle: int) -> str:
    """The filter for the one key with this handle."""
    return f"key-reference={reference(handle)}"


def reference(handle: int) -> str:
    """A key handle as the tool writes it: 64 bits in hex."""
    return f"0x{handle:016x}"


def key_list(
    filters: Sequence[str], starting_token: str = "", cluster_id: str = "", max_items: int = PAGE_SIZE
) -> Tuple[str, ...]:
    """``key list``: the keys that pass all filters, with their attributes, one page from ``starting_token``
    on.
    """
    arguments: List[str] = ["key", "list", "--filter", *filters, "--verbose", "--max-items", str(max_items)]
    if starting_token:
        arguments += ["--starting-token", starting_token]
    return (*arguments, *_cluster(cluster_id))


def generate_file(filters: Sequence[str], cluster_id: str = "") -> Tuple[str, ...]:
    """``key generate-file``: writes the key reference file (the container) of the one key that passes all
    filters.
    """
    return (
        "key",
        "generate-file",
        "--encoding",
        "ksp-key-reference",
        "--filter",
        *filters,
        *_cluster(cluster_id),
    )


def user_list(cluster_id: str = "") -> Tuple[str, ...]:
    """``user list``: all users and whether they are locked. It needs no login."""
    return ("user", "list", *_cluster(cluster_id))


def _cluster(cluster_id: str) -> Tuple[str, ...]:
    return ("--cluster-id", cluster_id) if cluster_id else ()


# What it answers
# ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListedKey:
    """A key as ``key list --verbose`` shows it.

    ``inconsistent`` names the attributes that differ from HSM to HSM. ``attributes`` are the tool's own. The
    owners and shared users are names; None where the tool does not say.
    """

    handle: int
    reference: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    owners: Optional[Tuple[str, ...]] = None
    shared_users: Optional[Tuple[str, ...]] = None
    use_quorum: int = 0
    cluster_coverage: str = ""
    inconsistent: Tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """An attribute's text, "" where it is missing."""
        value = self.attributes.get(name)
        return value if isinstance(value, str) else ""

    def hexadecimal(self, name: str) -> str:
        """An attribute's hex digits without 0x, upper case; "" where it is missing or no hex number."""
        match = re.fullmatch(r"0[xX]([0-9A-Fa-f]+)", self.text(name))
        return match.group(1).upper() if match else ""

    def number(self, name: str) -> Optional[int]:
        value = self.attributes.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class KeyPage:
    """One page of ``key list``. ``next_token`` is "" on the last one."""

    keys: Tuple[ListedKey, ...]
    total: int
    next_token: str = ""


def parse_key_list(stdout: str, stderr: str = "", exit_code: Optional[int] = 0) -> KeyPage:
    """One page of keys. BrokenLink for an error of the tool and for an answer that does not add up."""
    data = _data(stdout, stderr, exit_code)
    if not isinstance(data, dict) or not isinstance(data.get("matched_keys"), list):
        raise _unreadable("there is no list of keys in it", stdout, stderr)
    keys = tuple(_read_key(item, stdout) for item in data["matched_keys"])
    total, returned = data.get("total_key_count", len(keys)), data.get("returned_key_count", len(keys))
    if not _is_count(total) or not _is_count(returned) or returned != len(keys) or total < returned:
        raise _unreadable(f"it speaks of {returned} of {total} keys and lists {len(keys)}", stdout, stderr)
    token = data.get("next_token") or ""
    return KeyPage(keys, total, str(token))


def parse_generate_file(stdout: str, stderr: str = "", exit_code: Optional[int] = 0) -> str:
    """The message of a ``key generate-file`` that succeeded. BrokenLink otherwise."""
    data = _data(stdout, stderr, exit_code)
    return str(data.get("message") or "") if isinstance(data, dict) else str(data or "")


def parse_user_list(stdout: str, stderr: str = "", exit_code: Optional[int] = 0) -> Dict[str, bool]:
    """The users, in lower case as the tool writes them, and whether each is locked."""
    data = _object(_data(stdout, stderr, exit_code))
    users = data.get("users")
    if not isinstance(users, list):
        raise _unreadable("there is no list of users in it", stdout, stderr)
    return {
        str(user["username"]).lower(): str(user.get("locked")).lower() == "true"
        for user in users
        if isinstance(user, dict) and user.get("username")
    }


def locked(user: str) -> BrokenLink:
    """The crypto user is locked, as ``user list`` shows."""
    return LockedError(
        "credential",
        f"The crypto user {user} is locked.",
        "An admin must set a new password (cloudhsm-cli user change-password): five wrong logins lock a user.",
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _data(stdout: str, stderr: str, exit_code: Optional[int]) -> Any:
    """The ``data`` of an answer. Both error_code and the process's exit code must say success."""
    answer = _json_object(stdout)
    if answer is None:
        if exit_code != 0:
            raise failure(stderr.strip() or stdout.strip(), exit_code)
        raise _unreadable("it is no JSON object with an error_code", stdout, stderr)
    code, data = answer["error_code"], answer.get("data")
    if code != 0 or isinstance(code, bool):
        raise failure(
            data if isinstance(data, str) else json.dumps(masked(data), ensure_ascii=False), exit_code
        )
    if exit_code != 0:
        raise failure(
            stderr.strip() or f"the answer says success, but the process ended with exit code {exit_code}",
            exit_code,
        )
    return data


_MOST_OBJECTS = 1000


def _json_object(text: str) -> Optional[Dict[str, Any]]:
    """The JSON object in ``text``; log lines before and after it are passed over."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _attempt in range(_MOST_OBJECTS):
        if start < 0:
            return None
        try:
            value, end = decoder.raw_decode(text, start)
            _json.checked(value)
        except json.JSONDecodeError as error:
            # What lies before the fault was read already: each character is looked at once.
            start = text.find("{", max(start + 1, error.pos))
            # An object inside one that cannot be read is not the answer.
            if start < 0 or text[text.rfind("\n", 0, start) + 1 : start].strip():
                return None
            continue
        except (ValueError, RecursionError):
            # A number that is too long, or objects in objects without end.
            return None
        if isinstance(value, dict) and "error_code" in value:
            return value
        start = text.find("{", end)
    return None  # no log has as many lines that begin like an answer


def _read_key(item: Any, text: str) -> ListedKey:
    if not isinstance(item, dict) or not re.fullmatch(
        r"0[xX][0-9A-Fa-f]{1,16}", str(item.get("key-reference"))
    ):
        raise _unreadable("a key has no key-reference", text, "")
    handle = int(str(item["key-reference"]), 16)
    info, attributes = _object(item.get("key-info")), _object(item.get("attributes"))
    use_quorum = _object(info.get("key-quorum-values")).get("use-key-quorum-value")
    return ListedKey(
        handle,
        reference(handle),
        attributes,
        _user_names(info.get("key-owners")),
        _user_names(info.get("shared-users")),
        int(use_quorum) if _is_count(use_quorum) and use_quorum else 0,
        str(info.get("cluster-coverage") or ""),
        tuple(
            sorted(
                name
                for name, value in attributes.items()
                if value == "inconsistent" and name not in ("label", "id")
            )
        ),
    )


def _object(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _user_names(users: Any) -> Optional[Tuple[str, ...]]:
    if not isinstance(users, list):
        return None
    return tuple(str(user["username"]) for user in users if isinstance(user, dict) and user.get("username"))


def _unreadable(reason: str, stdout: str, stderr: str) -> BrokenLink:
    return BrokenLink(
        "key",
        f"The answer of cloudhsm-cli cannot be read: {reason}.",
        "Nothing was concluded from it; the tool's own words are in 'output'.",
        output=ending(stdout.strip() or stderr),
    )


# Failures
# -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ErrorText:
    """Words of the tool, and what they mean on this path. ``assumed``: no public sample of the words was
    found.
    """

    pattern: str
    link: Link
    meaning: str
    advice: str
    assumed: bool = False
    kind: Type[BrokenLink] = BrokenLink


CONNECTION_ADVICE = (
    "Check TCP port 2223 from this host to every HSM: the usual cause is that the instance is not in the cluster's own "
    "security group (cloudhsm-<cluster id>-sg)."
)
WRONG_LOGIN_ADVICE = (
    "Check crypto_user and crypto_password on one host only: five wrong logins lock the user."
)

ERRORS: Sequence[ErrorText] = (
    ErrorText(
        r"matched 0 keys",
        "key",
        "no key passes the filter",
        "Check that the crypto user owns the key or that it is shared with this user.",
    ),
    ErrorText(
        r"matched (\d+) keys",
        "key",
        "more than one key passes the filter",
        "Name one of them by its handle, or delete the duplicate on the HSM.",
    ),
    ErrorText(
        r"availability requirements",
        "key",
        "the key is on fewer than two HSMs",
        "Add an HSM to the cluster; with a single HSM run configure-cli and configure-ksp with --disable-key-availability-check (win_cloudhsm_client does).",
    ),
    ErrorText(
        r"not synchroni[sz]ed",
        "key",
        "the key is not the same on all HSMs",
        "Replicate the key to every HSM (cloudhsm-cli key replicate).",
    ),
    ErrorText(
        r"No credentials in the property bag",
        "client",
        "the client asks AWS for the cluster's addresses and has no AWS credentials",
        "Configure the client with the addresses of the HSMs (-a) instead of the cluster id, or give the instance a role.",
        kind=NotConfiguredError,
    ),
    ErrorText(
        r"%%HSM_IP_ADDRESS%%|invalid value %%",
        "client",
        "the client is not configured",
        "Run configure-cli with the address of an HSM (win_cloudhsm_client does).",
        kind=NotConfiguredError,
    ),
    ErrorText(
        r"(?i)\blocked\b",
        "credential",
        "the crypto user is locked",
        "An admin must set a new password (cloudhsm-cli user change-password); five wrong logins lock a user.",
        True,
        LockedError,
    ),
    ErrorText(
        r"(?i)CLOUDHSM_PIN|CLOUDHSM_ROLE|not logged in|must (?:be logged|log) in|login (?:is )?required|no credentials (?:were|are|found|given)",
        "credential",
        "no crypto user is logged in",
        "Set crypto_user and crypto_password.",
        True,
        NoLoginError,
    ),
    ErrorText(
        r"(?i)incorrect (?:authentication )?credentials|invalid (?:username|user name|password|credentials)|authentication failed|login fail|"
        r"user (?:does not|doesn't) exist|incorrect password",
        "credential",
        "the HSM refused the crypto user or the password",
        WRONG_LOGIN_ADVICE,
        kind=LoginRefusedError,
    ),
    ErrorText(
        r"(?i)could not connect|connection (?:refused|timed out|error|was lost)|unable to connect|failed to connect|not connected|unreachable|"
        r"communication with the device was lost|no HSMs? (?:is|are) available|2223",
        "cluster",
        "the HSM cannot be reached",
        CONNECTION_ADVICE,
        True,
        UnreachableError,
    ),
    ErrorText(
        r"unexpected argument|unrecognized|invalid value '?ksp-key-reference",
        "client",
        "this version of cloudhsm-cli does not know an option that is needed",
        "Install version 5.16.1 or newer.",
        True,
        OutdatedError,
    ),
)


def failure(message: str, exit_code: Optional[int] = None) -> BrokenLink:
    """The broken link behind an error message of the tool."""
    why = ending(message, 1000).rstrip(".") or "it gave no reason"
    for known in ERRORS:
        if re.search(known.pattern, message):
            return known.kind(
                known.link, f"cloudhsm-cli: {known.meaning} ({why}).", known.advice, exit_code=exit_code
            )
    return UnexplainedError(
        "key",
        f"cloudhsm-cli failed: {why}.",
        "See the AWS CloudHSM user guide for this message.",
        exit_code=exit_code,
    )


def timed_out(seconds: int) -> BrokenLink:
    """cloudhsm-cli outlived its time limit."""
    return UnreachableError(
        "cluster", f"cloudhsm-cli did not answer within {seconds} seconds.", CONNECTION_ADVICE
    )
