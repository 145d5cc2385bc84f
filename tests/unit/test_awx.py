# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/examples/awx: surveys ask for what their playbooks take, playbooks take what roles have, and modules that ansible-lint does
not have are mocked. tests/integration/test_connections.py runs sign.yml.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from support.playbook import ROOT

FOLDER = ROOT / "docs" / "examples" / "awx"
(PLAY,) = yaml.safe_load((FOLDER / "templates.yml").read_text(encoding="utf-8"))
TEMPLATES: list[dict[str, Any]] = PLAY["vars"]["templates"]
QUESTION = {"question_name", "question_description", "variable", "type", "required", "min", "max", "default"}
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}
"""What a question of a survey has (AWX's API, job_templates/survey_spec)."""


def playbook(name: str) -> dict[str, Any]:
    (entry,) = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return dict(entry)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_a_survey_asks_for_what_its_playbook_takes(template: dict[str, Any]) -> None:
    survey = template.get("survey", [])
    for question in survey:
        assert set(question) <= QUESTION
        assert question["type"] in TYPES
        assert len(question["default"]) <= question["max"]
    entry = playbook(template["playbook"])
    assert (
        ROOT / "playbooks" / f"{entry['ansible.builtin.import_playbook'].rpartition('.')[2]}.yml"
    ).is_file()
    taken = set(re.findall(r"survey_\w+", str(entry.get("vars", {}))))
    assert taken == {question["variable"] for question in survey}


def test_the_playbooks_set_variables_that_the_roles_have() -> None:
    specs = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
    )
    names = {
        name
        for path in FOLDER.glob("*.yml")
        if path.name != "templates.yml"
        for name in playbook(path.name).get("vars", {})
    }
    assert names == {"codesign_files", "codesign_sign_description"}
    assert all(f"{name}:" in specs for name in names)


def test_the_credential_gives_the_variables_of_the_login() -> None:
    (kind,) = [task["awx.awx.credential_type"] for task in PLAY["tasks"] if "awx.awx.credential_type" in task]
    fields = {field["id"]: field for field in kind["inputs"]["fields"]}
    assert fields["crypto_password"]["secret"] is True
    given = kind["injectors"]["extra_vars"]
    assert set(given) == {"codesign_crypto_user", "codesign_crypto_password"}
    assert {re.sub(r".*\{\{ (\w+) \}\}.*", r"\1", value) for value in given.values()} == set(fields)


def test_the_modules_of_awx_are_mocked_for_ansible_lint() -> None:
    lint = yaml.safe_load((ROOT / ".ansible-lint").read_text(encoding="utf-8"))
    used = {
        name
        for path in (ROOT / "docs" / "examples").rglob("*.yml")
        for name in re.findall(r"^\s+(awx\.awx\.\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(lint["mock_modules"]) == used
