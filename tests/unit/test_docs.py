# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML, commands and links in README, docs and the roles' READMEs: playbooks that Ansible takes, options,
variables, targets and files that exist.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _variables
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift.fleet import Made, Report
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift.forms import prometheus
from support.playbook import ROOT, environment
from tests.unit.plugins import documentation

FOLDERS = ("build", ".venv", ".git", ".ansible", "changelogs")
PAGES = sorted(page for page in ROOT.rglob("*.md") if page.relative_to(ROOT).parts[0] not in FOLDERS)
GUIDES = sorted((ROOT / "docs" / "docsite").rglob("*.rst"))
"""Those for Ansible's own site: their commands and variables count as well."""
COLLECTION = "cloudhsm.codesign."
COLLECTIONS = (ROOT / "build" / "dev", ROOT / "build" / "collections")
ROLES = {
    path.parents[1].name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))
}
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
# No role reads them.
OF_PLAYBOOKS = {"codesign_hosts", *_variables.OF_PLAYBOOKS}
TAGS = set(
    yaml.safe_load((ROOT / "playbooks" / "_hosts.yml").read_text(encoding="utf-8"))[0]["tasks"][0]["tags"]
)

METRICS = set(
    re.findall(
        r"^# TYPE (\S+)", prometheus(Report(Made(datetime.now(timezone.utc), "", "", ""), ())), re.MULTILINE
    )
)
"""What Prometheus reads of drift's report."""


@dataclass(frozen=True)
class Snippet:
    """A YAML block of a page."""

    page: Path
    content: Any

    @property
    def plays(self) -> list[dict[str, Any]]:
        """The block as plays; tasks alone get a play around them."""
        if not isinstance(self.content, list):
            return []
        alone = [item for item in self.content if "hosts" not in item]
        return [item for item in self.content if "hosts" in item] + (
            [{"hosts": "all", "tasks": alone}] if alone else []
        )


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


SNIPPETS = [Snippet(page, yaml.safe_load(text)) for page in PAGES for text in blocks(page, "yaml")]
PLAYS = [
    pytest.param(play, id=f"{name(snippet.page)}-{number}")
    for number, snippet in enumerate(SNIPPETS)
    for play in snippet.plays
]


def role_options(role: str) -> dict[str, Any]:
    return dict(ROLES[role]["argument_specs"]["main"]["options"])


def all_options() -> dict[str, Any]:
    return {option: spec for role in ROLES for option, spec in role_options(role).items()}


def tasks_of(play: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in ("pre_tasks", "tasks", "post_tasks", "handlers"):
        yield from play.get(part) or []


def problems(spec: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """What Ansible itself says of values for an argument specification; required ones may come from
    elsewhere, templates from anywhere.
    """
    templates = {option for option, value in values.items() if str(value).startswith("{{")}
    unknown = [f"there is no {option}" for option in templates - set(spec)]
    values = {option: value for option, value in values.items() if option not in templates}
    optional = {
        option: {key: value for key, value in entry.items() if key not in ("required", "description")}
        for option, entry in spec.items()
    }
    return unknown + list(ArgumentSpecValidator(optional).validate(values).error_messages)


def test_there_are_snippets_on_the_pages_that_users_copy_from() -> None:
    with_yaml = {name(snippet.page) for snippet in SNIPPETS}
    assert {"README.md", "docs/chain.md", *(f"roles/{role}/README.md" for role in ROLES)} <= with_yaml


def test_every_snippet_is_a_play_a_task_or_variables() -> None:
    for snippet in SNIPPETS:
        assert isinstance(snippet.content, (list, dict)), name(snippet.page)


def test_ansible_takes_all_plays(tmp_path: Path) -> None:
    playbook = tmp_path / "snippets.yml"
    playbook.write_text(yaml.safe_dump([play.values[0] for play in PLAYS], sort_keys=False), encoding="utf-8")
    argv = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "--syntax-check",
        "-i",
        "all,signers,",
        str(playbook),
    ]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(COLLECTIONS),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("play", PLAYS)
def test_modules_get_options_that_they_have(play: dict[str, Any]) -> None:
    for task in tasks_of(play):
        for action, arguments in task.items():
            module = action.removeprefix(COLLECTION)
            if action.startswith(COLLECTION):
                assert module in documentation.MODULES
                assert problems(documentation.options(module), dict(arguments or {})) == []


@pytest.mark.parametrize("play", PLAYS)
def test_roles_get_variables_that_they_read(play: dict[str, Any]) -> None:
    for entry in play.get("roles") or []:
        role = str(entry["role"] if isinstance(entry, dict) else entry).removeprefix(COLLECTION)
        assert role in ROLES
        assert (
            problems(role_options(role), dict(entry.get("vars") or {}) if isinstance(entry, dict) else {})
            == []
        )
    for task in tasks_of(play):
        for action in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if action in task:
                assert str(task[action]["name"]).removeprefix(COLLECTION) in ROLES


def test_group_variables_are_options_of_roles() -> None:
    # An inventory or a connection belongs to its plug-in, requirements to ansible-galaxy.
    of_plugins = {"plugin", "ansible_connection", "all", "collections"}
    found = [
        snippet
        for snippet in SNIPPETS
        if isinstance(snippet.content, dict) and not of_plugins & set(snippet.content)
    ]
    assert found
    for snippet in found:
        assert problems(all_options(), snippet.content) == [], name(snippet.page)


@pytest.mark.parametrize("page", [*PAGES, *GUIDES], ids=name)
def test_variables_in_the_text_exist(page: Path) -> None:
    """In running text and commands as well. Names that a play registers itself, and modules, are none of ours."""
    registered = {
        "codesign_state",
        "codesign_sign_result",
        "codesign_migrate_pause_seconds",
        *documentation.MODULES,
    }
    found = set(re.findall(r"\bcodesign_\w+", page.read_text(encoding="utf-8")))
    # The beginning of several names, as in a message of which a part differs.
    named = {one for one in found if not one.endswith("_")}
    of_keys = {key for option in all_options().values() for key in option.get("options") or {}}
    assert named <= set(all_options()) | of_keys | OF_PLAYBOOKS | registered | TAGS | METRICS


def test_commands_name_playbooks_and_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in [*PAGES, *GUIDES]:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"ansible-playbook cloudhsm\.codesign\.(\w+)", text)) <= PLAYBOOKS, name(page)
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets, name(page)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    for path in re.findall(r"`((?:tests|plugins|roles|scripts|docs|playbooks|extensions)/[\w./*-]+)`", text):
        assert list(ROOT.glob(path.rstrip("/"))), path
