# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for other programs: Prometheus, event-driven tools, CI systems."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from xml.etree import ElementTree as ET

from .fleet import OUTCOMES, Found, Host, Report

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def prometheus(report: Report) -> str:
    """The report in the text format that node_exporter's textfile collector reads.

    ``codesign_findings`` has a line for each thing that differs (``check``: the thing); ``codesign_host_findings`` one for
    every host that could be read, whose number goes back to 0.
    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    lines = [
        *_family("codesign_report_timestamp_seconds", "When the report was made."),
        _sample("codesign_report_timestamp_seconds", {}, _seconds(report.made.at)),
        *_family("codesign_hosts", "Hosts by what was found."),
        *(_sample("codesign_hosts", {"outcome": one}, report.counts[one]) for one in OUTCOMES),
        *_family("codesign_host_read", "Whether the host could be read."),
        *(_sample("codesign_host_read", {"host": host.name}, int(host.is_read)) for host in report.hosts),
        *_family("codesign_host_findings", "Findings of a host by severity."),
    ]
    read = [host for host in report.hosts if host.is_read]
    for host in read:
        for severity, found in (("error", host.errors), ("notice", host.notices)):
            labels = {"host": host.name, "severity": severity}
            lines.append(_sample("codesign_host_findings", labels, len(found)))
    lines += _family("codesign_findings", "What differs on a host, by the thing and the link of the chain.")
    for host in read:
        things = Counter((one.what, one.link, one.severity) for one in host.findings)
        for (what, link, severity), number in things.items():
            labels = {"host": host.name, "check": what, "link": link, "severity": severity}
            lines.append(_sample("codesign_findings", labels, number))
    lines += _family("codesign_certificate_not_after_seconds", "When a certificate ends.")
    for host in report.hosts:
        for one in {(one.thumbprint, one.store): one for one in host.certificates}.values():
            labels = {"host": host.name, "thumbprint": one.thumbprint, "store": one.store}
            lines.append(_sample("codesign_certificate_not_after_seconds", labels, _seconds(one.not_after)))
    return "\n".join(lines) + "\n"


def _family(name: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge"]


def _sample(name: str, labels: Mapping[str, str], value: int) -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inside = ",".join(f'{key}="{quoted(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def events(report: Report) -> str:
    """A JSON object a line: each finding, each finding that is gone, each host that could not be read.

    ``change`` is ``new``, ``known`` or ``gone``; without an earlier report all is ``new``.
    """
    at = report.made.at.isoformat()
    known = {(one.host, one.finding.same) for one in report.changes.new} if report.changes else None

    def event(kind: str, host: str, **further: str) -> str:
        return json.dumps({"event": kind, "at": at, "host": host, **further}, ensure_ascii=False)

    def of(finding: Found, change: str) -> dict[str, str]:
        return {"change": change, **asdict(finding)}

    lines = []
    for host in report.hosts:
        if not host.is_read:
            lines.append(
                event("codesign_unread", host.name, outcome=host.outcome, link=host.link, text=host.message)
            )
        for one in host.findings:
            change = "new" if known is None or (host.name, one.same) in known else "known"
            lines.append(event("codesign_finding", host.name, **of(one, change)))
    for gone in report.changes.gone if report.changes else ():
        lines.append(event("codesign_finding", gone.host, **of(gone.finding, "gone")))
    return "".join(f"{line}\n" for line in lines)


def junit(report: Report) -> str:
    """The report as test results in the form of JUnit: a suite a host, a case a check; an error is a failure, a notice
    is written into the case's output, a host that could not be read is an error.
    """
    suites = ET.Element("testsuites", name="cloudhsm.codesign drift")
    for host in report.hosts:
        suites.append(_suite(host, report.made.at))
    for name in ("tests", "failures", "errors"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(host: Host, at: datetime) -> ET.Element:
    suite = ET.Element("testsuite", name=_xml(host.name), timestamp=at.replace(tzinfo=None).isoformat())
    checks = host.checks if host.is_read else ("read",)
    for check in checks:
        case = ET.SubElement(suite, "testcase", classname=_xml(host.name), name=check)
        if not host.is_read:
            ET.SubElement(case, "error", message=_xml(host.message), type=host.outcome)
            continue
        errors = [one.text for one in host.errors if one.link == check]
        if errors:
            failure = ET.SubElement(case, "failure", message=_xml(errors[0]), type=check)
            failure.text = _xml("\n".join([*errors, host.repair]).strip())
        notices = [one.text for one in host.notices if one.link == check]
        if notices:
            ET.SubElement(case, "system-out").text = _xml("\n".join(notices))
    suite.set("tests", str(len(checks)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in suite)))
    suite.set("errors", str(sum(case.find("error") is not None for case in suite)))
    return suite


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 has no way to write."""
    return _NO_XML.sub("\ufffd", text)
