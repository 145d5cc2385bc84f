# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_host_variables.py: what is asked of the files, and what becomes of what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _host_variables

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Files:
    """Files that are there, but those whose name begins with "gone"."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def text(self, name: str) -> str:
        self.asked.append(name)
        if name.startswith("gone"):
            raise ValueError(f"there is no file {name}")
        return "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

    def identity(self, identity: Mapping[str, Any]) -> Any:
        self.asked.append(identity["name"])
        if identity["name"].startswith("gone"):
            raise ValueError(f"there is no file {identity['name']}.cer.")
        return {"name": identity["name"], "chain": []}

    def request_problem(self, csr: str, answer: str, chain: Sequence[str], now: datetime) -> str | None:
        self.asked.append(" ".join((csr, answer, *chain)))
        return "it cannot be used" if answer.startswith("gone") else None


def judged(
    values: dict[str, Any],
    *uses: str,
    dates: bool = False,
    clusters: list[dict[str, Any]] | None = None,
    unread: Sequence[str] = (),
) -> tuple[list[str], list[str], list[str]]:
    """Errors, warnings, and what was asked of the files."""
    files = Files()
    params = {"uses": list(uses), "dates": dates, "clusters": clusters}
    report = _host_variables.judge(values, values, unread, params, files, NOW)
    return report.errors, report.warnings, files.asked


def test_a_value_that_could_not_be_worked_out_is_named_once() -> None:
    unread = ["codesign_crypto_user cannot be worked out: 'x' is undefined."]
    errors, _warnings, _asked = judged({}, "login", unread=unread)
    assert [text for text in errors if "codesign_crypto_user" in text] == unread


def test_a_name_that_nothing_reads_is_a_warning() -> None:
    _errors, warnings, _asked = judged({"codesign_no_such_thing_at_all": 1})
    assert warnings == ["codesign_no_such_thing_at_all is no variable of this collection: nothing reads it."]


@pytest.mark.parametrize(
    ("answer", "found"),
    [("a.cer", []), ("gone.cer", ["codesign_request_certificate: it cannot be used"])],
)
def test_the_files_of_a_request_are_read_where_it_is_used(answer: str, found: list[str]) -> None:
    values = {
        "codesign_request_csr": "a.csr",
        "codesign_request_certificate": answer,
        "codesign_request_chain": "b.cer",
    }
    errors, _warnings, asked = judged(values, "certificate_request")
    assert [text for text in errors if "cannot be used" in text] == found
    assert f"a.csr {answer} b.cer" in asked
    assert f"a.csr {answer} b.cer" not in judged(values, "client")[2]


@pytest.mark.parametrize(("dates", "times"), [(False, 1), (True, 2)])
def test_an_identity_that_cannot_be_read_is_named_once(dates: bool, times: int) -> None:
    values = {"codesign_identities": [{"name": "gone", "signer": {"certificate": "x.cer"}}]}
    errors, _warnings, asked = judged(values, "certificates", dates=dates)
    assert [text for text in errors if "gone.cer" in text] == [
        "codesign_identities: there is no file gone.cer."
    ]
    assert asked.count("gone") == times


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        (["One."], "One thing is missing or wrong, and no host was touched: One."),
        (["One.", "Two."], "2 things are missing or wrong, and no host was touched: One. Two."),
    ],
)
def test_a_refusal_counts_what_is_wrong(errors: list[str], text: str) -> None:
    assert _host_variables.refusal(errors) == {"failed": True, "msg": text, "link": "argument"}


def test_nothing_is_refused_where_nothing_is_wrong() -> None:
    assert _host_variables.refusal([]) == {}


def test_days_that_are_no_number_are_named_by_their_type_alone() -> None:
    errors, _warnings, _asked = judged({"codesign_expiry_days": "x"}, "inspect", dates=True)
    assert len([text for text in errors if "codesign_expiry_days" in text]) == 1
