# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""drift_report: the report of a fleet, on the control node."""

from __future__ import annotations

import getpass
import json
import os
import platform
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from ..module_utils._findings import BrokenLink
from ..plugin_utils import _control_files as control_files
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.drift_report import ARGUMENTS
from ..plugin_utils._drift import fleet, forms, page

COLLECTION = Path(__file__).resolve().parents[2]
JSON = "drift.json"


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    _requires_connection = False

    def execute(self) -> dict[str, Any]:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        made = fleet.Made(now, _user(), platform.node(), _version())
        if self.params["states"] is not None:
            report = fleet.Report(made, fleet.hosts(self.params["states"]))
        else:
            report = fleet.merged([_read(Path(path)) for path in self.params["reports"]], made)
        folder = Path(self.params["folder"]).absolute() if self.params["folder"] else None
        earlier = self._earlier(folder / JSON) if folder else None
        report = fleet.compared(report, earlier)
        files = self._write(folder, report) if folder else []
        return {
            "changed": bool(files) and (earlier is None or earlier.hosts != report.hosts),
            "converged": report.counts["converged"] == len(report.hosts),
            "counts": dict(report.counts),
            "total": report.total,
            "table": fleet.table(report),
            "new": _lines(report.changes.new if report.changes else ()),
            "gone": _lines(report.changes.gone if report.changes else ()),
            "files": files,
        }

    def _earlier(self, path: Path) -> fleet.Report | None:
        """The report that lies there already. What cannot be read is said, and taken for none."""
        if not path.exists():
            return None
        try:
            return _read(path)
        except BrokenLink as broken:
            self.warn(f"{broken.problem} Nothing is compared with it.")
            return None

    def _write(self, folder: Path, report: fleet.Report) -> list[str]:
        texts = {
            JSON: json.dumps(fleet.as_json(report), indent=1, ensure_ascii=False) + "\n",
            "drift.jsonl": forms.events(report),
            "drift.prom": forms.prometheus(report),
            "drift.xml": forms.junit(report),
            "drift.html": page.html(report),
        }
        if not self.check_mode:
            try:
                for name, text in texts.items():
                    # In one stroke: node_exporter or a browser may read it meanwhile.
                    control_files.write(str(folder / name), text.encode("utf-8"))
            except OSError as error:
                problem = f"The report cannot be written to {folder}: {error.strerror}."
                raise BrokenLink("file", problem, "Name a folder that can be written to.") from error
        return [str(folder / name) for name in texts]


def _read(path: Path) -> fleet.Report:
    try:
        return fleet.parse(path.read_text("utf-8"))
    except OSError as error:
        raise BrokenLink("file", f"The report {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        why = "it is no text" if isinstance(error, UnicodeError) else str(error)
        raise BrokenLink("file", f"The report {path} cannot be read: {why}.") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _version() -> str:
    """This collection's version: an installed one has it in its manifest, a checkout in galaxy.yml."""
    manifest = COLLECTION / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text("utf-8"))["collection_info"]["version"])
    return str(yaml.safe_load((COLLECTION / "galaxy.yml").read_text("utf-8"))["version"])


def _lines(changes: Iterable[fleet.Change]) -> list[str]:
    return [f"{one.host}: {one.finding.text}" for one in changes]
