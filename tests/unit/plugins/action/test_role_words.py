# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a role, sentences speak of the role's variables; what is no sentence stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._action import (
    OF_ROLES,
    VALUES_OF_ROLES,
    as_role_says,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._variables import COLLECTION, known_names


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (
            {"msg": "Check crypto_user and crypto_password."},
            {"msg": "Check codesign_crypto_user and codesign_crypto_password."},
        ),
        ({"warnings": ["hsm_addresses: none"]}, {"warnings": ["codesign_hsm_addresses: none"]}),
        (
            {"findings": [{"text": "Give signtool_path.", "seen": "signtool_path"}]},
            {"findings": [{"text": "Give codesign_signtool_path.", "seen": "signtool_path"}]},
        ),
        (
            {"files": [{"path": r"C:\client_sdk\a.exe", "error": {"msg": "timestamp_urls is empty."}}]},
            {
                "files": [
                    {
                        "path": r"C:\client_sdk\a.exe",
                        "error": {"msg": "codesign_sign_timestamp_urls is empty."},
                    }
                ]
            },
        ),
        ({"msg": r"C:\client_sdk\a.exe is locked."}, {"msg": r"C:\client_sdk\a.exe is locked."}),
        ({"msg": "codesign_client_sdk is 4."}, {"msg": "codesign_client_sdk is 4."}),
        ({"client": {"client_sdk": "5"}}, {"client": {"client_sdk": "5"}}),
        (
            {"msg": "Give foreign: replace to replace it, or foreign: leave (append: true)."},
            {
                "msg": (
                    "Give codesign_sign_foreign: replace to replace it, or codesign_sign_foreign: leave "
                    "(codesign_sign_append: true)."
                )
            },
        ),
        (
            {"msg": "Take them off (state: unsigned), then sign again."},
            {"msg": "Take them off (codesign_sign_state: unsigned), then sign again."},
        ),
        ({"msg": "It is in the state: stopped."}, {"msg": "It is in the state: stopped."}),
        ({"msg": r"C:\state: signed is odd."}, {"msg": r"C:\state: signed is odd."}),
    ],
    ids=[
        "message",
        "warning",
        "finding",
        "file",
        "path",
        "variable",
        "value",
        "word",
        "state",
        "prose",
        "name",
    ],
)
def test_only_sentences_change(result: dict[str, Any], shown: dict[str, Any]) -> None:
    assert as_role_says(result) == shown


def test_the_variables_exist() -> None:
    assert set(OF_ROLES.values()) | {name for name, _values in VALUES_OF_ROLES.values()} <= known_names()
    assert (COLLECTION / "roles").is_dir()
