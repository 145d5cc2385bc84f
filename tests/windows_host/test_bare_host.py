# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every action says first on a host without a CloudHSM client, without the certificate that is asked
for: one sentence, in one call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from windows_host.host import Played, WindowsHost

LOGIN = {"crypto_user": "signer", "crypto_password": "container"}
"""The password is a word that is a result's key too."""
UNKNOWN = "0123456789ABCDEF0123456789ABCDEF01234567"


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    played: Played


def action(name: str, **arguments: Any) -> dict[str, Any]:
    return {f"cloudhsm.codesign.{name}": arguments}


def bare(host: WindowsHost) -> Seen:
    own = host.signing.thumbprint
    certificate = {"certificate_content": host.signing.pem}
    return Seen(
        host,
        host.play(
            {
                "info": action("win_codesign_info"),
                "client": action("win_cloudhsm_client", hsm_addresses=["127.0.0.1"], check_connection=False),
                "client 3": action(
                    "win_cloudhsm_client",
                    client_sdk="3",
                    hsm_addresses=["127.0.0.1"],
                    hsm_type="hsm1",
                    check_connection=False,
                ),
                "import": action("win_cloudhsm_import_key", **certificate, **LOGIN),
                "import absent": action("win_cloudhsm_import_key", **certificate, state="absent", **LOGIN),
                "find": action("cloudhsm_find_key_by_modulus", **certificate, **LOGIN),
                "find unknown": action("cloudhsm_find_key_by_modulus", thumbprint=UNKNOWN, **LOGIN),
                "tie unknown": action("win_cert_repairstore", thumbprint=UNKNOWN),
                "tie": action("win_cert_repairstore", thumbprint=own),
                # SignTool lies where the role puts it, and there the module would find it.
                "sign": action(
                    "win_signtool",
                    files=[r"C:\nothing\a.exe"],
                    thumbprint=UNKNOWN,
                    signtool_path=r"C:\nothing\signtool.exe",
                ),
            }
        ),
    )


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=bare)]
FAILING = ["client", "client 3", "import", "find", "find unknown", "tie unknown", "sign"]


@pytest.mark.parametrize("task", FAILING)
def test_the_failure_is_one_sentence_and_its_remedy(seen: Seen, task: str) -> None:
    assert seen.played.of(task).failed
    message = seen.played.message(task)
    assert seen.played.result(task)["link"], message
    assert "Traceback" not in seen.played.run.output
    assert re.search(r"[a-z0-9)]\. [A-Z].*\.$", message), message
    assert len(message) < 500


@pytest.mark.parametrize("task", [*FAILING, "info", "tie"])
def test_it_takes_one_call(seen: Seen, task: str) -> None:
    # The look-up asks for the tool of SDK 5, then for the one of SDK 3.
    assert seen.played.calls(task) <= (2 if task == "find" else 1), seen.played.message(task)


@pytest.mark.parametrize(
    ("task", "link"),
    [
        ("find unknown", "certificate"),
        ("tie unknown", "certificate"),
        ("sign", "signtool"),
        ("client", "client"),
        ("import", "client"),
    ],
)
def test_the_broken_link_is_named(seen: Seen, task: str, link: str) -> None:
    assert seen.played.result(task)["link"] == link, seen.played.message(task)


def test_neither_client_is_there(seen: Seen) -> None:
    """Two things that are missing are joined by neither ... nor."""
    message = seen.played.message("import")
    if " nor " in message:
        assert re.search(r"[Nn]either .* nor .* (is|was) ", message), message
        assert "is not there" not in message


def test_nothing_is_removed_where_nothing_is(seen: Seen) -> None:
    result = seen.played.result("import absent")
    assert not seen.played.of("import absent").failed, seen.played.message("import absent")
    assert not seen.played.of("import absent").changed
    assert result["client_sdk"] is None


def test_a_password_that_is_a_word_leaves_the_results_keys_alone(seen: Seen) -> None:
    for task in ("import", "import absent", "find"):
        assert not [key for key in seen.played.result(task) if "*" in key], seen.played.result(task)


def test_an_association_is_read_without_a_tool(seen: Seen) -> None:
    assert not seen.played.of("tie").failed, seen.played.message("tie")
    assert not seen.played.of("tie").changed


def test_the_state_of_a_bare_host_is_told(seen: Seen) -> None:
    result = seen.played.result("info")
    assert not seen.played.of("info").failed
    assert not result["converged"]
    assert any("client" in one["link"] for one in result["findings"]), result["findings"]
