# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is said of one host's variables: their names, their values, the files that they name, what AWS says of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from . import _variables
from ._variables import Report


class Files(Protocol):
    """The files of the control node that variables name. ValueError with a sentence where one cannot be read."""

    def text(self, name: str) -> str:
        """A file's text."""

    def identity(self, identity: Mapping[str, Any]) -> Any:
        """An identity with its certificates, as the lookup identities gives it."""

    def request_problem(self, csr: str, answer: str, chain: Sequence[str], now: datetime) -> str | None:
        """What is wrong with the files of a certificate request; None where nothing is."""


def judge(
    variables: Mapping[str, Any],
    values: Mapping[str, Any],
    unread: Sequence[str],
    params: Mapping[str, Any],
    files: Files,
    now: datetime,
) -> Report:
    """What is wrong with one host's ``variables``. ``values``: those that were worked out; ``unread``: a sentence for each
    other one, which begins with its name; ``params``: the module's options.
    """
    uses: list[str] = params["uses"]
    empty = _variables.empty(variables)
    report = _variables.unknown(map(str, variables), lambda name: not empty.get(name, True))
    known = [text.partition(" ")[0] for text in unread]
    report.errors += [*unread, *_variables.check(values, uses, files.text, files.identity, known)]
    values = {**_variables.defaults_of(uses), **values}
    if "certificate_request" in uses:
        report.errors += _request(values, files, now)
    if params["dates"]:
        # What is no number has been named by its type.
        days = str(values.get("codesign_expiry_days") or 0).strip()
        report.add(_variables.ended(_identities(values, files), now, int(days) if days.isdecimal() else 0))
    if params["clusters"] is not None and _variables.signs(values):
        # Imported where they are of use: Ansible compiles what a run loads anew each time.
        from . import _cluster

        report.add(_cluster.compare(values, params["clusters"], _customer_ca(values, files)))
    return report


def refusal(errors: Sequence[str]) -> dict[str, Any]:
    """What a result says beside the list of ``errors``; nothing where there are none."""
    if not errors:
        return {}
    count = "One thing is" if len(errors) == 1 else f"{len(errors)} things are"
    text = f"{count} missing or wrong, and no host was touched: {' '.join(errors)}"
    return {"failed": True, "msg": text, "link": "argument"}


def _identities(values: Mapping[str, Any], files: Files) -> Iterator[Mapping[str, Any]]:
    """The identities as their files are. What cannot be read has been named."""
    for one in _variables.as_list(values.get("codesign_identities")):
        with suppress(ValueError, TypeError):
            yield files.identity(dict(one))


def _request(values: Mapping[str, Any], files: Files, now: datetime) -> list[str]:
    csr, answer = (str(values.get(f"codesign_request_{name}") or "") for name in ("csr", "certificate"))
    chain = [str(one) for one in _variables.as_list(values.get("codesign_request_chain"))]
    found = files.request_problem(csr, answer, chain, now)
    return [f"codesign_request_{'certificate' if answer else 'csr'}: {found}"] if found else []


def _customer_ca(values: Mapping[str, Any], files: Files) -> str:
    name = str(values.get("codesign_customer_ca") or "")
    with suppress(ValueError):
        return files.text(name) if name else ""
    return ""
