# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for Prometheus, for event-driven tools and for CI systems."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from xml.etree import ElementTree as ET

import pytest
import yaml

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift import fleet, forms
from support.drift_states import NOW, UNREACHABLE, finding, fleet_of, read
from support.playbook import ROOT

MADE = fleet.Made(NOW, "release", "control", "1.0.0")
REPORT = fleet.Report(MADE, fleet.hosts(fleet_of(27)))
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"{_NAME}(?:\{{{_LABEL}(?:,{_LABEL})*\}})? -?\d+")


def samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_every_line_is_of_prometheus_text_format() -> None:
    odd = finding("host", 'a "quoted" \\ thing', severity="notice")
    text = forms.prometheus(fleet.Report(MADE, fleet.hosts({"odd": read(odd), **fleet_of(27)})))
    assert all(_SAMPLE.fullmatch(line) for line in samples(text))
    assert text.endswith("\n")
    families = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(families) == len(set(families))
    order = list(dict.fromkeys(re.match(_NAME, line)[0] for line in samples(text)))  # type: ignore[index]
    assert order == families
    assert len(samples(text)) == len({line.rpartition(" ")[0] for line in samples(text)})


@pytest.mark.parametrize(
    "line",
    [
        "codesign_report_timestamp_seconds 1796036400",
        'codesign_hosts{outcome="drifted"} 2',
        'codesign_host_read{host="win-build-009"} 0',
        'codesign_host_findings{host="win-build-003",severity="error"} 2',
        'codesign_host_findings{host="win-build-000",severity="error"} 0',
        'codesign_findings{host="win-build-003",check="container of release",link="container",severity="error"} 1',
    ],
)
def test_the_samples_that_alerts_are_made_of(line: str) -> None:
    assert line in samples(forms.prometheus(REPORT))


def test_certificates_tell_when_they_end() -> None:
    text = forms.prometheus(fleet.Report(MADE, fleet.hosts({"one": read(release=1)})))
    (line,) = [line for line in samples(text) if line.startswith("codesign_certificate")]
    assert line.endswith(f" {int(NOW.timestamp()) + 86400}")
    assert 'host="one"' in line


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not installed: Prometheus' own check was not run"
)
def test_promtool_takes_it() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=forms.prometheus(REPORT),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_line_a_finding_for_event_driven_tools() -> None:
    container = finding("container", "container of release", role="key_container")
    before = fleet.Report(MADE, fleet.hosts({"a": read(container), "b": read(finding("key", "gone"))}))
    now = fleet.Report(
        MADE,
        fleet.hosts({"a": read(container, finding("client", "version")), "b": read(), "c": UNREACHABLE}),
    )
    found = [json.loads(line) for line in forms.events(fleet.compared(now, before)).splitlines()]
    assert [(one["event"], one["host"], one.get("change"), one["link"]) for one in found] == [
        ("codesign_finding", "a", "known", "container"),
        ("codesign_finding", "a", "new", "client"),
        ("codesign_unread", "c", None, ""),
        ("codesign_finding", "b", "gone", "key"),
    ]
    assert {
        json.loads(line)["change"] for line in forms.events(fleet.Report(MADE, now.hosts[:1])).splitlines()
    } == {"new"}


def test_drift_as_test_results() -> None:
    suites = ET.fromstring(forms.junit(REPORT))
    assert (suites.get("failures"), suites.get("errors")) == ("4", "4")
    assert int(suites.get("tests", "")) == len(list(suites.iter("testcase")))
    drifted = next(suite for suite in suites if suite.get("name") == "win-build-003")
    failures = {case.get("name"): case.find("failure") for case in drifted}
    assert {name for name, failure in failures.items() if failure is not None} == {"container", "certificate"}
    assert "cloudhsm.codesign.site --limit win-build-003" in str(failures["container"].text)  # type: ignore[union-attr]
    (unread,) = next(suite for suite in suites if suite.get("name") == "win-build-009")
    assert unread.find("error") is not None


def test_what_xml_cannot_hold_does_not_break_it() -> None:
    odd = finding("host", "a", severity="notice")
    odd["text"] = "bell \ufffe end"
    (suite,) = ET.fromstring(forms.junit(fleet.Report(MADE, fleet.hosts({"one": read(odd)}))))
    assert "bell" in str(next(suite.iter("system-out")).text)


EXAMPLES = ROOT / "docs" / "examples" / "drift"


def test_the_alerts_ask_for_what_the_report_has() -> None:
    (group,) = yaml.safe_load((EXAMPLES / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    have = dict[str, set[str]]()
    for line in samples(forms.prometheus(REPORT)):
        have.setdefault(re.match(_NAME, line)[0], set()).update(re.findall(r"[{,](\w+)=", line))  # type: ignore[index]
    for rule in group["rules"]:
        asked = re.findall(r"codesign_\w+", rule["expr"])
        assert asked
        assert set(asked) <= set(have)
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= set.union(
            *map(have.__getitem__, asked)
        )


@pytest.mark.skipif(
    not shutil.which("promtool"),
    reason="promtool is not installed: the example's rules were not checked by it",
)
def test_promtool_takes_the_alerts() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(EXAMPLES / "alerts.yml")],
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rulebook_asks_for_fields_of_the_events() -> None:
    (ruleset,) = yaml.safe_load((EXAMPLES / "rulebook.yml").read_text(encoding="utf-8"))
    event = json.loads(forms.events(fleet.Report(MADE, fleet.hosts({"a": read(finding("key", "x"))}))))
    (rule,) = ruleset["rules"]
    asked = re.findall(r"event\.payload\.(\w+)", json.dumps(rule))
    assert asked
    assert set(asked) <= set(event)
