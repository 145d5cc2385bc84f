# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as files: what they are called, and the variable that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.playbook.task import Task

from ansible_collections.cloudhsm.codesign.plugins.action.identity_files import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _identity_files as files
from tests.unit.plugins.certificates import make

ROOT = make("Example Root CA", is_ca=True, number=99)
MIDDLE = make("Example Code Signing CA", "Example Root CA", is_ca=True, number=1)
LEAF = make("Example & Söhne (Release)", "Example Code Signing CA", signer=1)
OTHER = make("Example & Söhne (Release)", "Example Code Signing CA", signer=1, number=2, days=400)


def short(certificate: Any) -> str:
    return certificate.thumbprint[:8].lower()


def run(folder: Path, *certificates: str, check_mode: bool = False) -> dict[str, Any]:
    task = Task()
    task.action = "cloudhsm.codesign.identity_files"
    task.args = {"certificates": list(certificates), "folder": str(folder)}
    task.check_mode, task.diff = check_mode, True
    templar = MagicMock()
    templar.template = lambda value: value
    connection = MagicMock()
    connection._shell.tmpdir = None
    return dict(ActionModule(task, connection, MagicMock(), MagicMock(), templar, None).run(task_vars={}))


def test_a_file_each_and_the_variable_that_names_them() -> None:
    found = files.plan([ROOT, LEAF, MIDDLE], "files/x")
    names = [f"example-root-ca-{short(ROOT)}.pem", f"example-s-hne-release-{short(LEAF)}.pem"]
    names.append(f"example-code-signing-ca-{short(MIDDLE)}.pem")
    assert list(found.contents) == [*names, "codesign_identities.yml"]
    assert found.contents[names[1]] == LEAF.pem
    written = yaml.safe_load(found.contents["codesign_identities.yml"])
    assert written == {
        "codesign_identities": [
            {
                "name": "example-s-hne-release",
                "certificate": f"files/x/{names[1]}",
                "chain": [{"certificate": f"files/x/{names[2]}"}, {"certificate": f"files/x/{names[0]}"}],
            }
        ]
    }
    assert (found.identities, found.warnings) == (written["codesign_identities"], ())


def test_two_of_one_name_are_told_apart() -> None:
    found = files.plan([LEAF, OTHER, MIDDLE, ROOT], "f")
    assert [one["name"] for one in found.identities] == [
        f"example-s-hne-release-{short(LEAF)}",
        f"example-s-hne-release-{short(OTHER)}",
    ]
    assert len(found.contents) == 5


def test_a_chain_alone_is_no_identity() -> None:
    found = files.plan([MIDDLE, ROOT], "f")
    assert (found.identities, sorted(found.contents)) == (
        [],
        sorted(files.file_name(one) for one in (MIDDLE, ROOT)),
    )


@pytest.mark.parametrize(
    ("there", "missing"), [([LEAF], "Example Code Signing CA"), ([LEAF, MIDDLE], "Example Root CA")]
)
def test_what_is_missing_above_is_said(there: list[Any], missing: str) -> None:
    (warning,) = files.plan(there, "f").warnings
    assert missing in warning


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Müller", "m-ller"), ("日本", "certificate"), ("a/../b", "a-b"), ("x" * 90, "x" * 60), ("CON", "con")],
)
def test_a_name_that_every_file_system_takes(name: str, slug: str) -> None:
    assert files.slug(make(name[:64])) == slug[:64]


def test_what_is_no_certificate_is_one_sentence() -> None:
    with pytest.raises(BrokenLink, match="Number 2 of certificates"):
        files.read([LEAF.pem, "nothing"])


def test_files_are_written_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "release"
    texts = (LEAF.pem, MIDDLE.pem + ROOT.pem)
    predicted = run(folder, *texts, check_mode=True)
    assert (predicted["changed"], folder.exists()) == (True, False)
    result = run(folder, *texts)
    assert result["written"] == predicted["written"] == result["files"]
    assert sorted(str(path) for path in folder.iterdir()) == sorted(result["files"])
    again = run(folder, *texts)
    assert (again["changed"], again["written"], again["diff"]) == (False, [], [])
    (folder / "codesign_identities.yml").write_text("old", encoding="ascii")
    mended = run(folder, *texts)
    assert mended["written"] == [str(folder / "codesign_identities.yml")]
    assert mended["diff"][0]["before"] == "old"
    assert (folder / "codesign_identities.yml").stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="ascii")
    result = run(tmp_path / "file", LEAF.pem)
    assert (result["failed"], result["link"]) == (True, "argument")
    assert "cannot be written" in result["msg"]


def test_nothing_is_no_list(tmp_path: Path) -> None:
    result = run(tmp_path, "nothing")
    assert (result["failed"], result["link"], list(tmp_path.iterdir())) == (True, "argument", [])
