# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of drift's report in a real browser: it shows its table, sorts and searches it, and fetches nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift import fleet, page
from support.drift_states import NOW, fleet_of

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on PATH: the page of drift's report was not looked at in a browser"
)

ASK = """<script>
(function () {
  var table = document.getElementById("fleet"), seen = {};
  function names() {
    return Array.from(table.tBodies[0].rows).filter(function (row) { return !row.hidden; }).map(function (row) { return row.cells[0].textContent; });
  }
  seen.before = names();
  seen.cells = table.tHead.rows[0].cells.length;
  var heads = table.tHead.rows[0].cells;
  heads[0].querySelector("button").click();
  seen.up = names(); seen.sorted = heads[0].getAttribute("aria-sort");
  heads[0].querySelector("button").click();
  seen.down = names();
  var field = document.getElementById("search");
  field.value = "DIFFERS"; field.dispatchEvent(new Event("input"));
  seen.found = names(); seen.number = document.getElementById("number").textContent;
  seen.fetched = performance.getEntriesByType("resource").length;
  seen.wide = document.documentElement.scrollWidth; seen.window = window.innerWidth;
  var out = document.createElement("pre"); out.id = "seen"; out.textContent = JSON.stringify(seen);
  document.body.appendChild(out);
}());
</script>"""


def look(folder: Path, number: int, *, width: int = 1280, scripts: bool = True) -> str:
    """The document of a fleet of so many hosts, as the browser has it after its scripts."""
    made = fleet.Made(NOW, "release", "control", "1.0.0")
    text = page.html(fleet.Report(made, fleet.hosts(fleet_of(number))))
    file = folder / "page.html"
    # A browser that runs no script has no way to print its document either, so the page's own is taken out.
    text = (
        text.replace("</body>", f"{ASK}</body>")
        if scripts
        else re.sub("<script>.*?</script>", "", text, flags=re.DOTALL)
    )
    file.write_text(text, encoding="utf-8")
    argv = [
        str(BROWSER),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},900",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def seen(document: str) -> dict[str, Any]:
    found = re.search(r'<pre id="seen">(.*?)</pre>', document, re.DOTALL)
    assert found, document[-2000:]
    return dict(json.loads(unescape(found.group(1))))


@pytest.mark.parametrize(("number", "width"), [(3, 1280), (500, 1280), (14, 400)])
def test_the_table_is_read_sorted_and_searched(tmp_path: Path, number: int, width: int) -> None:
    found = seen(look(tmp_path, number, width=width))
    names = [host.name for host in page.by_urgency(fleet.hosts(fleet_of(number)))]
    assert found["before"] == names
    assert found["cells"] == len(fleet.CHECKS) + 2
    assert (found["up"], found["sorted"]) == (sorted(names), "ascending")
    assert found["down"] == sorted(names, reverse=True)
    wanted = sorted((name for name in names if int(name[-3:]) % 13 == 3), reverse=True)
    assert found["found"] == wanted
    assert found["number"] == f"{len(wanted)} of {number}"
    assert found["fetched"] == 0
    assert found["wide"] <= found["window"]


def test_without_its_script_the_page_says_the_same(tmp_path: Path) -> None:
    document = look(tmp_path, 14, scripts=False)
    rows = re.findall(r'<th scope="row">(?:<a [^>]*>)?(win-build-\d+)', document)
    assert len(rows) == 14
    assert "<button" not in document
    assert re.search(r'class="search"[^>]* hidden', document)
