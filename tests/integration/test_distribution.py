# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user gets: the built collection, installed into an empty place, shows all of its documentation there, its links lead
somewhere, and nothing is in it that belongs to the repository.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from provision.collections import shipped_files

from support.playbook import ROOT, environment

BUILT = sorted((ROOT / "build" / "artifact").glob("cloudhsm-codesign-*.tar.gz"))
pytestmark = pytest.mark.skipif(not BUILT, reason="the collection is not built: make artifact")
REPOSITORY = re.compile(r"https://github\.com/cloudhsm/codesign/(?:blob|tree)/main/([^\s)#>`]+)")
TOP = {
    *("CHANGELOG.rst", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "README.md", "REUSE.toml"),
    "SECURITY.md",
    *(
        "FILES.json",
        "MANIFEST.json",
        "LICENSES",
        "changelogs",
        "docs",
        "meta",
        "playbooks",
        "plugins",
        "requirements",
        "roles",
    ),
}
"""What lies in the collection's folder; a new name belongs here or into build_ignore of galaxy.yml."""
KINDS = {"modules": "module", "lookup": "lookup", "callback": "callback"}


def tool(name: str, *arguments: str, collections: Path, home: Path) -> str:
    """A program of Ansible that sees one place for collections and nothing else of this machine."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *arguments],
        cwd=home,
        env={**environment([collections]), "ANSIBLE_HOME": str(home / ".ansible"), "PYTHONPATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # ansible-core warns of a collection of its own.
    told = [line for line in done.stderr.splitlines() if "WARNING" in line and "/_protomatter'" not in line]
    assert told == []
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def installed(place: Path) -> Path:
    """The collection's folder in an empty place."""
    how = ("collection", "install", "--offline", "--no-deps", "-p", str(place), str(BUILT[-1]))
    tool("ansible-galaxy", *how, collections=place, home=place)
    return place / "ansible_collections" / "cloudhsm" / "codesign"


def files(installed: Path) -> list[str]:
    return sorted(str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file())


def test_it_holds_what_a_user_needs_and_no_more(installed: Path) -> None:
    assert {name.partition("/")[0] for name in files(installed)} == TOP
    of_the_repository = ("plugins/", "roles/", "playbooks/", "meta/")
    tracked = subprocess.run(
        ["git", "ls-files", *of_the_repository],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert [name for name in files(installed) if name.startswith(of_the_repository)] == sorted(tracked)
    assert [name for name in files(installed) if name.startswith("requirements/")] == [
        "requirements/runtime.txt"
    ]


def test_a_change_of_any_of_its_files_has_it_built_again(installed: Path) -> None:
    looked_at = {path.relative_to(ROOT).as_posix() for path in shipped_files()}
    assert set(files(installed)) - {"FILES.json", "MANIFEST.json"} <= looked_at


@pytest.fixture(scope="module")
def shown(place: Path, installed: Path) -> dict[str, dict[str, Any]]:
    """All that ansible-doc has of the collection there, by kind and name; a page that it cannot read ends it."""
    text = tool("ansible-doc", "--metadata-dump", "cloudhsm.codesign", collections=place, home=place)
    return dict(json.loads(text)["all"])


@pytest.mark.parametrize("folder", list(KINDS))
def test_ansible_doc_shows_every_plugin(shown: dict[str, dict[str, Any]], folder: str) -> None:
    names = [
        f"cloudhsm.codesign.{path.stem}" for path in sorted((ROOT / "plugins" / folder).glob("[a-z]*.py"))
    ]
    pages = shown[KINDS[folder]]
    assert names
    assert sorted(pages) == names
    for name, page in pages.items():
        assert page["doc"]["short_description"], name
        assert page["examples"] or folder == "callback", name


def test_ansible_doc_shows_every_role(shown: dict[str, dict[str, Any]]) -> None:
    specs = sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))
    assert sorted(shown["role"]) == [f"cloudhsm.codesign.{path.parents[1].name}" for path in specs]
    assert all(entry["entry_points"] for entry in shown["role"].values())


def links(text: str) -> list[str]:
    """Links and pictures of a page, without those to elsewhere and to places of the same page."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", prose)
    return [one for pair in found for one in pair if one and not re.match(r"[a-z]+:|#", one)]


def test_links_of_its_pages_lead_to_files_that_are_in_it(installed: Path) -> None:
    pages = [name for name in files(installed) if name.endswith(".md")]
    assert len(pages) > 20
    dead = [
        (page, link)
        for page in pages
        for link in links((installed / page).read_text(encoding="utf-8"))
        if not (
            installed / posixpath.normpath(posixpath.join(posixpath.dirname(page), link.partition("#")[0]))
        ).exists()
    ]
    assert dead == [], "what is not installed is linked by its address in the repository"


def test_links_into_the_repository_lead_to_files_of_it(installed: Path) -> None:
    named = {
        (page, target.rstrip(".,;:"))
        for page in files(installed)
        if page.endswith((".md", ".rst", ".yml", ".py"))
        for target in REPOSITORY.findall((installed / page).read_text(encoding="utf-8"))
    }
    assert named
    assert sorted((page, target) for page, target in named if not (ROOT / target).exists()) == []


def test_nothing_in_it_names_this_machine(installed: Path) -> None:
    here = {str(ROOT), os.path.expanduser("~") + "/"} - {"//"}
    found = [
        name
        for name in files(installed)
        if any(text.encode() in (installed / name).read_bytes() for text in here)
    ]
    assert found == []


# An execution environment
# ---------------------------------------------------------------------------------------------------------------------

BUILDER = Path(sys.executable).with_name("ansible-builder")
builder = pytest.mark.skipif(not BUILDER.exists(), reason="ansible-builder is not installed: run make setup")


@builder
def test_the_example_of_an_execution_environment_has_a_build_context(place: Path) -> None:
    """The image itself is built by a container engine, which tests do not need."""
    example = ROOT / "docs" / "examples" / "execution-environment.yml"
    context = place / "context"
    how = ("create", "--file", str(example), "--context", str(context), "--output-filename", "Containerfile")
    tool("ansible-builder", *how, collections=place, home=place)
    said = (context / "Containerfile").read_text(encoding="utf-8")
    wanted = yaml.safe_load(example.read_text(encoding="utf-8"))
    assert wanted["images"]["base_image"]["name"] in said
    assert wanted["dependencies"]["python_interpreter"]["python_path"] in said
    galaxy = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert "cloudhsm.codesign" in {entry["name"] for entry in galaxy["collections"]}
    assert "pypsrp" in (context / "_build" / "requirements.txt").read_text(encoding="utf-8")


@builder
def test_an_execution_environment_gets_all_that_the_collection_needs(place: Path, installed: Path) -> None:
    said = tool("ansible-builder", "introspect", str(place), collections=place, home=place)
    lines = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line for line in lines if line and not line.startswith("#")}
    assert len(wanted) >= 3
    got = re.findall(r"- '(\S+)\s+# from collection cloudhsm\.codesign'", said)
    assert set(got) == wanted
