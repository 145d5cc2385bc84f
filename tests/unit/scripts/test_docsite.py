# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation's site and pictures: links as the site has them, those that lead nowhere, and pictures that are their sources'."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbook import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import docsite
import pictures

BASE = docsite.repository()


@pytest.mark.parametrize(
    ("target", "place", "ending", "wanted"),
    [
        ("https://docs.aws.amazon.com/x#y", "docs/aws.md", "", "https://docs.aws.amazon.com/x#y"),
        ("#drift", "docs/playbooks.md", "", "#drift"),
        ("aws.md#the-least-policy", "docs/connections.md", "", "aws.md#the-least-policy"),
        ("../roles/client/README.md", "docs/drift.md", "", "roles/client.md"),
        ("../key_container/README.md", "roles/credentials/README.md", "", "key_container.md"),
        ("../../docs/playbooks.md#site", "roles/sign/README.md", "", "../playbooks.md#site"),
        ("../aws.md", "docs/examples/README.md", "", "../aws.md"),
        ("release/sign.sh", "docs/examples/README.md", "", f"{BASE}docs/examples/release/sign.sh"),
        ("../plugins/modules/win_signtool.py", "docs/sign_local.md", "", "reference/win_signtool_module.rst"),
        ("pictures/chain.svg", "docs/index.md", "", "pictures/chain.svg"),
        ("docsite/rst/guide_how_to.rst", "docs/index.md", "", "reference/docsite/guide_how_to.rst"),
        (f"{BASE}docs/playbooks.md#site", "README.md", "", "playbooks.md#site"),
        (f"{BASE}docs/lab.md", "docs/docsite/rst/guide_how_to.rst", ".html", "../../lab.html"),
        (f"{docsite.raw()}docs/pictures/chain.svg", "README.md", "", "pictures/chain.svg"),
        (f"{BASE}LICENSE", "README.md", "", f"{BASE}LICENSE"),
        (f"{BASE}CHANGELOG.rst", "README.md", "", "reference/changelog.rst"),
    ],
)
def test_links_are_of_the_site(target: str, place: str, ending: str, wanted: str) -> None:
    assert docsite.link(target, place, docsite.page_of(place), ending) == wanted


def test_blocks_of_code_keep_what_looks_like_a_link() -> None:
    text = "[a](aws.md)\n\n```console\necho '[a](aws.md)'\n```\n\n[b]: aws.md\n"
    known = docsite.markdown(text, "docs/examples/README.md", "examples/README")
    assert known == text.replace("[a](aws.md)", "[a](aws.md)", 1)
    assert "[b]: ../chain.md" in docsite.markdown(
        "[b]: ../chain.md\n", "docs/examples/README.md", "examples/README"
    )


def test_page_has_no_contents_of_its_own() -> None:
    text = "Title\n=====\n\n.. contents::\n   :local:\n   :depth: 1\n\nText.\n"
    assert docsite.without_contents(text) == "Title\n=====\n\n\nText.\n"


def test_broken_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<a href="sub/b.html#there">1</a><a href="#here">2</a><p id="here">', "utf-8"
    )
    (tmp_path / "sub" / "b.html").write_text(
        '<a href="../a.html#gone">1</a><a href="c.html">2</a><a href="https://example.com/x">3</a><p id="there">',
        "utf-8",
    )
    assert docsite.broken_links(tmp_path) == [
        "sub/b.html: ../a.html#gone: there is no such place on that page",
        "sub/b.html: c.html: there is no such page",
    ]


def test_pages_and_guides_link_to_files_that_exist() -> None:
    """Those that are read on Galaxy, or on Ansible's site, have whole addresses."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.rst"), *(ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for part in text.split(BASE)[1:]:
            path = part.split(">")[0].split(")")[0].split("#")[0].split()[0]
            assert (ROOT / path).exists(), f"{page.name}: {path}"


SECTIONS = (
    "Description",
    "Requirements",
    "Installation",
    "Use Cases",
    "Testing",
    "Contributing",
    "Support",
    "Release Notes and Roadmap",
    "Related Information",
    "License Information",
)
"""The order that is asked of a certified collection."""


def test_readme_is_in_the_certified_order() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS


def test_readme_links_work_on_galaxy_and_lead_to_files_of_the_artifact() -> None:
    """Galaxy shows README alone, so its links are whole addresses; who has installed the collection finds the same files there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    left_out = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    for target in targets:
        assert target.startswith("https://"), target
        for base in (BASE, docsite.raw()):
            if target.startswith(base):
                path = target.removeprefix(base).partition("#")[0]
                assert (ROOT / path).is_file(), path
                assert not any(path == one or path.startswith(f"{one}/") for one in left_out), path


def test_menu_names_pages_that_exist() -> None:
    there = {docsite.page_of(path.relative_to(ROOT).as_posix()) for path in ROOT.glob("docs/**/*.*")}
    of_antsibull = {
        *(f"{docsite.REFERENCE}/{name}" for name in ("index", "changelog")),
        "readme",
        "contributing",
        "roles/*",
    }
    named = {page.split("<")[-1].rstrip(">") for _caption, pages in docsite.MENU for page in pages}
    assert named <= there | of_antsibull
    assert {page for page in there if page and "/" not in page} - {"index"} <= named


@pytest.mark.parametrize("source", sorted(pictures.PICTURES.glob("*.yml")), ids=lambda path: path.stem)
def test_picture_is_its_source(source: Path) -> None:
    drawn = pictures.draw(yaml.safe_load(source.read_text(encoding="utf-8")))
    assert source.with_suffix(".svg").read_text(encoding="utf-8") == drawn, "run `make pictures`"


def test_arrow_has_to_be_straight() -> None:
    source: dict[str, Any] = {
        "title": "t",
        "about": "a",
        "groups": [{"name": "g", "columns": [0, 1], "rows": [["a", "b"], ["c", "d"]]}],
        "boxes": {name: {"title": name} for name in "abcd"},
        "arrows": [["a", "d", "across"]],
    }
    with pytest.raises(ValueError, match="across"):
        pictures.draw(source)


def test_addresses_that_were_not_asked_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docsite, "is_online", lambda: False)
    assert docsite.main(["--external"]) == docsite.SKIPPED
    found = re.search(r"0 addresses answered, (\d+) were not asked", capsys.readouterr().out)
    assert found
    assert int(found[1]) == len(docsite.addresses()) > 10
    assert "https://docs.aws.amazon.com/cloudhsm/latest/userguide/" in docsite.addresses()
    assert not any("github.com/cloudhsm/codesign/blob" in one for one in docsite.addresses())


def test_an_address_that_nobody_knows_of_is_named() -> None:
    states = {
        "https://a/": "working",
        "http://b/": "redirected",
        "https://c/": "rate-limited",
        "#d": "unchecked",
    }
    record = "\n".join(json.dumps({"uri": uri, "status": status}) for uri, status in states.items())
    assert docsite.asked(record) == (2, ["https://c/: rate-limited"])
