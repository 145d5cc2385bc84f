# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a fleet: what hosts said, what is new, and the same as JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift import fleet
from support.drift_states import FAILED, NOW, UNREACHABLE, finding, fleet_of, read

MADE = fleet.Made(NOW, "release", "control", "1.0.0")
CONTAINER = finding("container", "container of release", role="key_container")
NOTICE = finding("host", "logging", severity="notice")


def report(**states: Any) -> fleet.Report:
    return fleet.Report(MADE, fleet.hosts(states))


@pytest.mark.parametrize(
    ("state", "outcome", "message", "link"),
    [
        (read(), "converged", "", ""),
        (read(NOTICE), "converged", "", ""),
        (read(CONTAINER, NOTICE), "drifted", "", ""),
        (UNREACHABLE, "unreachable", "ntlm: the credentials were rejected", ""),
        (FAILED, "failed", "The script is not signed.", "host"),
        ({"changed": False, "msg": "skipped"}, "failed", "skipped", ""),
        (None, "failed", "It was not looked at.", ""),
        ({}, "failed", "It was not looked at.", ""),
    ],
)
def test_a_host_is_what_was_registered(state: Any, outcome: str, message: str, link: str) -> None:
    (host,) = report(one=state).hosts
    assert (host.outcome, host.message, host.link) == (outcome, message, link)


def test_versions_are_those_of_what_is_installed() -> None:
    (host,) = report(one=read()).hosts
    assert host.versions == {
        "Client SDK": "5",
        "Client: ksp": "5.18.0",
        "SignTool": "10.0.26100.7705",
        "PowerShell": "5.1.20348.2849",
    }


@pytest.mark.parametrize(
    ("state", "cells"),
    [
        (read(), {"container": "ok", "host": "ok"}),
        (read(NOTICE), {"container": "ok", "host": "notice"}),
        (read(CONTAINER, finding("container", "readers", severity="notice")), {"container": "error"}),
        (UNREACHABLE, {"container": "unknown", "host": "unknown"}),
    ],
)
def test_a_cell_is_the_worst_of_its_findings(state: Any, cells: dict[str, str]) -> None:
    (host,) = report(one=state).hosts
    assert {check: host.cell(check) for check in cells} == cells


@pytest.mark.parametrize(
    ("name", "state", "command"),
    [
        ("win-1", read(CONTAINER), "ansible-playbook cloudhsm.codesign.site --limit win-1"),
        ("a b;c", read(CONTAINER), "ansible-playbook cloudhsm.codesign.site --limit 'a b;c'"),
        ("win-1", read(finding("certificate", "expired")), ""),
        ("win-1", read(finding("host", "x", severity="notice", role="client")), ""),
    ],
)
def test_the_command_repairs_what_a_role_repairs(name: str, state: Any, command: str) -> None:
    (host,) = fleet.hosts({name: state})
    assert host.repair == command


@pytest.mark.parametrize(
    ("states", "total"),
    [
        ({"a": read()}, "1 of 1 host is as it should be"),
        ({"a": FAILED}, "0 of 1 host is as it should be"),
        ({"a": read(), "b": FAILED}, "1 of 2 hosts is as it should be"),
        ({"a": read(), "b": read(NOTICE), "c": UNREACHABLE}, "2 of 3 hosts are as they should be"),
        ({}, "0 of 0 hosts are as they should be"),
    ],
)
def test_one_sentence_for_the_fleet(states: dict[str, Any], total: str) -> None:
    assert report(**states).total == total


def test_the_table_has_a_line_a_host_and_the_total() -> None:
    lines = fleet.table(report(b=read(CONTAINER, NOTICE), A=read(), c={**UNREACHABLE, "msg": "x" * 300}), 60)
    assert lines[:2] == [
        "A  as it should be",
        "b  drifted          1 error (container), 1 notice (host)",
    ]
    assert lines[2].startswith("c  not reached")
    assert lines[2].endswith("...")
    assert len(lines[2]) == 60
    assert lines[3] == "1 of 3 hosts is as it should be."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain größe", "plain größe"),
        ("a\r\n  b\tc", "a b c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        (None, "None"),
    ],
)
def test_text_from_hosts_steers_no_terminal(text: Any, wanted: str) -> None:
    assert fleet.shown(text) == wanted


@pytest.mark.parametrize(
    ("before", "now", "new", "gone"),
    [
        (read(), read(CONTAINER), ["container of release"], []),
        (read(CONTAINER), read(), [], ["container of release"]),
        (read(CONTAINER), read({**CONTAINER, "seen": "empty"}), [], []),
        (read(NOTICE), read({**NOTICE, "severity": "error"}), ["logging"], ["logging"]),
        (read(CONTAINER), UNREACHABLE, [], []),
        (UNREACHABLE, read(CONTAINER), ["container of release"], []),
    ],
)
def test_what_is_new_and_gone(before: Any, now: Any, new: list[str], gone: list[str]) -> None:
    found = fleet.compared(report(one=now), report(one=before)).changes
    assert found is not None
    assert [one.finding.what for one in found.new] == new
    assert [one.finding.what for one in found.gone] == gone


def test_a_host_that_is_new_has_new_findings_only() -> None:
    found = fleet.compared(report(one=read(), two=read(CONTAINER)), report(one=read())).changes
    assert found is not None
    assert [one.host for one in found.new] == ["two"]
    assert found.gone == ()


def test_without_an_earlier_report_nothing_is_compared() -> None:
    assert fleet.compared(report(one=read(CONTAINER)), None).changes is None


def test_json_tells_all_of_it_and_is_read_again() -> None:
    given = fleet.compared(report(**fleet_of(27)), report(**fleet_of(3)))
    data = json.loads(json.dumps(fleet.as_json(given)))
    assert data["counts"] == {"hosts": 27, **given.counts}
    assert {one["host"] for one in data["changes"]["new"]} == {one.host for one in given.changes.new}  # type: ignore[union-attr]
    assert fleet.from_json(data) == fleet.Report(given.made, given.hosts)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: [], "no report"),
        (lambda data: {**data, "schema": "other/1"}, "no report"),
        (lambda data: {**data, "hosts": [{"name": "x"}]}, "damaged"),
        (lambda data: {**data, "hosts": 3}, "damaged"),
        (lambda data: {**data, "made": {**data["made"], "at": "yesterday"}}, "damaged"),
        (lambda data: {**data, "hosts": [{**data["hosts"][0], "outcome": "fine"}]}, "damaged"),
        (lambda data: {**data, "hosts": [{**data["hosts"][0], "versions": 1}]}, "damaged"),
    ],
)
def test_what_is_no_report_is_refused(change: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fleet.from_json(change(json.loads(json.dumps(fleet.as_json(report(one=read(release=3)))))))


def test_merging_takes_the_newest_of_each_host() -> None:
    early = fleet.Report(MADE, fleet.hosts({"a": read(CONTAINER), "b": read()}))
    late = fleet.Report(
        fleet.Made(NOW + timedelta(hours=1), "x", "y", "1"), fleet.hosts({"a": read(), "c": FAILED})
    )
    for given in ([early, late], [late, early]):
        found = fleet.merged(given, MADE)
        assert [(host.name, host.outcome) for host in found.hosts] == [
            ("a", "converged"),
            ("b", "converged"),
            ("c", "failed"),
        ]
    with pytest.raises(ValueError, match="no report"):
        fleet.merged([], MADE)
