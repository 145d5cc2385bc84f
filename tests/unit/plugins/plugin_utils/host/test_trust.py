# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a host does not run: the rules that it gets, and the sentences for what it tells."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import sddl
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import trust

SIGNTOOL = r"C:\tools\x64\signtool.exe"
CLI = r"D:\CloudHSM\bin\cloudhsm-cli.exe"
USERS = "O:BAG:BAD:(A;;FA;;;BU)"
ACCOUNT = "S-1-5-21-1-2-3-1105"


def test_rules_are_those_of_the_judgement() -> None:
    rules = json.loads(trust.rules())
    assert set(rules) == {"file", "folder", "above"}
    for name, mask in (("file", sddl.FILE), ("folder", sddl.FOLDER), ("above", sddl.ABOVE)):
        for text in (USERS, "O:BAG:BAD:(A;;LC;;;BU)", "O:BAG:BAD:(A;;DT;;;BU)", "O:BAG:BAD:(A;;FA;;;SY)"):
            rule = re.sub(r"\(\?<(\w+)>", r"(?P<\1>", rules[name])
            assert bool(re.search(rule, text)) == bool(sddl.others_in(text, mask))


@pytest.mark.parametrize(
    ("told", "link", "says"),
    [
        (
            ("file", SIGNTOOL, SIGNTOOL, USERS, ACCOUNT),
            "signtool",
            f"{SIGNTOOL} was not run. {SIGNTOOL} can be changed by others than administrators (Users): whoever plants",
        ),
        (
            ("folder", CLI, r"D:\CloudHSM\bin", f"{USERS}(A;;FA;;;{ACCOUNT})(A;;FA;;;AU)", ACCOUNT),
            "client",
            r"In the folder D:\CloudHSM\bin others than administrators (Users, Authenticated Users) can change or plant files",
        ),
        (
            ("above", SIGNTOOL, "C:\\tools", USERS, ACCOUNT),
            "signtool",
            r"In C:\tools, above it, others than administrators (Users) can rename or remove folders",
        ),
        (
            ("unread", SIGNTOOL, "C:\\tools", "Access is denied."),
            "signtool",
            r"Who may change C:\tools cannot be read (Access is denied), so C:\tools\x64\signtool.exe was not run.",
        ),
        (
            ("digest", SIGNTOOL, "12ab", "34cd"),
            "signtool",
            f"is not the program that was installed: its SHA-256 is 12ab, {SIGNTOOL}.sha256 notes 34cd. It was not run.",
        ),
        (("something new",), "client", "cannot be read"),
    ],
)
def test_what_a_refused_program_is_said_of(told: tuple[str, ...], link: str, says: str) -> None:
    found = trust.refusal("\n".join(told))
    assert found.link == link
    assert says in found.problem
    assert "\n" not in str(found)
    assert trust.is_other("\n".join(told)) == (told[0] == "digest")
