# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fields of a raw answer hold, for the readers of every room."""

from __future__ import annotations

import base64
import binascii
from typing import Any, List, Mapping, Union

from .._findings import quoted
from .._results import Failure, Placed, Result, Skipped, StepError
from .base import Step


def read_result(step: Step, raw: Any, encoding: str) -> Result:
    """The result of one ``step`` of a call: Skipped, Failure or its own kind. ``encoding``: the codec of what programs
    print. Raises StepError for what the script does not give.
    """
    if not isinstance(raw, dict):
        raise StepError(f"the result of a step '{step.op}' is no object")
    if raw.get("skipped"):
        return Skipped()
    if raw.get("error") is not None and "reachable" not in raw:
        return read_failure(raw)
    try:
        return step.read(raw, encoding)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StepError(f"the result of a step '{step.op}' cannot be read ({error!r})") from error


def read_failure(raw: Mapping[str, Any]) -> Failure:
    """What the script gives for a step that it could not do."""
    message, kept = str(raw.get("error") or ""), str(raw.get("kept") or "")
    if kept:
        message = f"{message.rstrip('. ')}. The file's bytes lie in {kept} now."
    return Failure(message, str(raw.get("error_type") or ""), number(raw, "error_code"), kept)


def read_placed(raw: Mapping[str, Any]) -> Placed:
    """What the script gives for a file that it has put in its place, or has left as it was changed meanwhile."""
    return Placed(
        bool(raw.get("changed")),
        str(raw.get("sha256") or ""),
        str(raw.get("kept") or ""),
        str(raw.get("why") or ""),
        str(raw.get("stamp") or ""),
    )


def text_or_failure(raw: Mapping[str, Any], name: str) -> Union[str, Failure]:
    """The text ``name`` of one of several things, or why that one could not be read."""
    return read_failure(raw) if raw.get("error") is not None else str(raw[name])


def number(data: Mapping[str, Any], name: str) -> int:
    """A number that the host tells of itself; 0 where it does not. StepError where it is none."""
    value = data.get(name) or 0
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        shown = quoted(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
        raise StepError(f"the host's {name.replace('_', ' ')} is no number, but {shown}") from error


def decoded(raw: Mapping[str, Any], name: str) -> bytes:
    """The bytes of a field of base64, none where it is not there. StepError where it is something else."""
    try:
        return base64.b64decode(str(raw.get(name) or ""), validate=True)
    except binascii.Error as error:
        raise StepError(f"the field '{name}' of a result is no base64") from error


def entries(raw: Mapping[str, Any], name: str) -> List[Any]:
    """The entries of a list, none where it is not there."""
    value = raw.get(name)
    if value is None:
        return []
    # ConvertTo-Json may hand on a list of one as the one.
    return value if isinstance(value, list) else [value]
