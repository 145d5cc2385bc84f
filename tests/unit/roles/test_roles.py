# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role's defaults, argument specification, tasks and README say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cloudhsm.codesign.plugins.modules import win_signtool
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._arguments.identity import CHAIN, IDENTITY
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import PLACES

ROLES = Path(__file__).resolve().parents[3] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir() and path.name != "common")


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


COMMON = load(ROLES / "common" / "defaults" / "main.yml")
SHARED = {
    "codesign_client_lookup_clusters_read",
    "codesign_identities_read",
    "codesign_identities_signing",
    "codesign_predicted",
    "codesign_seen",
    "codesign_signs",
    "codesign_variables_checked",
}
"""What the role common works out, for all roles."""
TAG = re.compile(r"\bcodesign_\w+(?=[^\n\[]*\]$)", re.MULTILINE)
PLAYBOOKS = ROLES.parent / "playbooks"


def options(role: str) -> dict[str, Any]:
    return load(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


def texts(role: str) -> str:
    folders = [ROLES / role / folder for folder in ("tasks", "vars", "defaults")]
    return "\n".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        if folder.exists()
        for path in sorted(folder.glob("*.yml"))
    )


def test_every_role_of_the_design_is_there() -> None:
    assert set(NAMES) >= {
        "client",
        "credentials",
        "certificates",
        "key_container",
        "signtool",
        "sign",
        "inspect",
    }


@pytest.mark.parametrize("role", NAMES)
def test_documented_defaults_are_the_real_ones(role: str) -> None:
    defaults = {**COMMON, **load(ROLES / role / "defaults" / "main.yml")}
    for name, option in options(role).items():
        if "default" in option:
            assert defaults.get(name) == option["default"], name


@pytest.mark.parametrize("role", NAMES)
def test_every_default_of_the_role_is_an_option(role: str) -> None:
    assert set(load(ROLES / role / "defaults" / "main.yml")) <= set(options(role))


@pytest.mark.parametrize("role", NAMES)
def test_tasks_read_documented_variables_only(role: str) -> None:
    """What another role has registered is none of them."""
    text = texts(role)
    of_tasks = re.findall(r"(?:register|loop_var): (codesign_\w+)|^ {4,}(codesign_\w+): ", text, re.MULTILINE)
    registered = {name for pair in of_tasks for name in pair} | set(load(ROLES / role / "vars" / "main.yml"))
    used = set(re.findall(r"(?<!codesign\.)\bcodesign_\w+", text)) - set(TAG.findall(text))
    assert used - registered <= set(options(role)) | SHARED


def options_of_all() -> set[str]:
    return {name for role in NAMES for name in options(role)}


@pytest.mark.parametrize("role", NAMES)
def test_readme_lists_every_option(role: str) -> None:
    readme = (ROLES / role / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(codesign_\w+)` \|", readme, re.MULTILINE)
    assert listed == list(options(role))


@pytest.mark.parametrize("role", NAMES)
def test_passwords_are_marked(role: str) -> None:
    def walk(items: dict[str, Any]) -> None:
        for name, option in items.items():
            assert bool(option.get("no_log")) == ("password" in name), name
            walk(option.get("options") or {})

    walk(options(role))


def test_the_modules_look_where_the_role_puts_signtool() -> None:
    assert COMMON["codesign_signtool_path"] == PLACES[0]
    folder = load(ROLES / "signtool" / "defaults" / "main.yml")["codesign_signtool_folder"]
    assert PLACES[0].startswith(f"{folder}\\bin\\")


@pytest.mark.parametrize("role", [role for role in NAMES if "codesign_identities" in options(role)])
def test_an_identity_is_the_same_for_a_role_as_for_the_module(role: str) -> None:
    """Two things differ: a role takes files of the control node, and insists on a name and on the usual
    stores of a chain.
    """

    def comparable(spec: Mapping[str, Any]) -> dict[str, Any]:
        keys = ("type", "elements", "default", "choices")
        return {name: {key: option.get(key) for key in keys} for name, option in spec.items()}

    of_role = options(role)["codesign_identities"]["options"]
    ours, theirs = comparable(IDENTITY), comparable(of_role)
    chain, chain_of_role = comparable(CHAIN), comparable(of_role["chain"]["options"])
    for spec in (ours, chain):
        spec["certificate"]["type"] = "path"
    chain["store"]["choices"] = ["Root", "CA", "TrustedPublisher"]
    assert theirs == ours
    assert chain_of_role == chain
    assert of_role["name"]["required"]


# What runs
# ------------------------------------------------------------------------------------------------------------


def task_files() -> list[Path]:
    return [*ROLES.glob("*/tasks/*.yml"), *PLAYBOOKS.rglob("*.yml")]


def tasks_in(path: Path) -> Iterator[dict[str, Any]]:
    """The tasks of a file, those of its plays too; one in a block has the block's tags."""

    def walk(items: list[dict[str, Any]], tags: list[str]) -> Iterator[dict[str, Any]]:
        for item in items:
            own = [*tags, *([item["tags"]] if isinstance(item.get("tags"), str) else item.get("tags") or [])]
            inner = [task for part in PARTS for task in item.get(part) or []]
            if "import_playbook" in str(sorted(item)):
                continue
            yield from walk(inner, own) if inner else [{**item, "tags": own}]

    yield from walk(yaml.safe_load(path.read_text(encoding="utf-8")), [])


PARTS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")
FILES = pytest.mark.parametrize("path", task_files(), ids=lambda path: str(path.relative_to(ROLES.parent)))


@FILES
def test_every_stage_has_tags_of_its_own(path: Path) -> None:
    for task in tasks_in(path):
        assert "codesign" in task["tags"], task["name"]
        assert [tag for tag in task["tags"] if tag.startswith("codesign_")], task["name"]


@FILES
def test_a_loop_has_a_variable_of_its_own(path: Path) -> None:
    """Who runs a role in a loop has one already, and Ansible warns of a second one."""
    for task in tasks_in(path):
        if "loop" in task:
            assert str(task.get("loop_control", {}).get("loop_var", "")).startswith("codesign_"), task["name"]


def test_the_first_play_runs_with_every_tag() -> None:
    (first,) = tasks_in(PLAYBOOKS / "_hosts.yml")
    assert {tag for path in task_files() for task in tasks_in(path) for tag in task["tags"]} <= set(
        first["tags"]
    )


def test_accounts_are_proven_only_with_what_stores_their_login() -> None:
    """The login that lies there else may be an old one, which costs a refused login that no gate sees."""
    tasks = list(tasks_in(ROLES / "credentials" / "tasks" / "main.yml"))
    (stores,) = (task for task in tasks if task.get("ansible.builtin.include_tasks") == "store.yml")
    (proves,) = (task for task in tasks if task.get("ansible.builtin.include_tasks") == "prove.yml")
    assert set(proves["tags"]) == {"codesign", "codesign_credentials"}
    assert tasks.index(stores) < tasks.index(proves)


def test_every_package_of_the_client_comes_by_the_proxy() -> None:
    proxy = {
        f"proxy_{name}": f"{{{{ codesign_client_proxy_{name} | default(omit, true) }}}}"
        for name in ("url", "username", "password")
    }
    found = [
        task["ansible.windows.win_package"]
        for path in (ROLES / "client" / "tasks").glob("*.yml")
        for task in tasks_in(path)
        if "ansible.windows.win_package" in task
    ]
    assert {one["state"] for one in found} == {"present", "absent"}
    assert [one for one in found if not proxy.items() <= one.items()] == []


def test_what_signing_leaves_is_documented() -> None:
    readme = (ROLES / "sign" / "README.md").read_text(encoding="utf-8")
    returned = yaml.safe_load(win_signtool.RETURN)
    kept = {key for key, value in returned.items() if not value["returned"].startswith("failure")}
    named = set(re.findall(r"`(\w+)`", readme.partition("## What it leaves")[2].partition("## Example")[0]))
    assert kept <= named
    assert set(returned["files"]["contains"]) - {"changed", "signatures"} <= named
