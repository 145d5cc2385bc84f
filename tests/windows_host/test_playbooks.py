# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's playbooks on the host: sign.yml, and drift.yml with what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from windows_host.host import CONTAINER, PROVIDER, Played, WindowsHost, Work
from windows_host.prefix import NEWEST_SIGNTOOL

SIGN, DRIFT = "cloudhsm.codesign.sign", "cloudhsm.codesign.drift"
OTHER_PROVIDER = "Another Key Storage Provider"
REFUSING = "127.0.0.1"
"""An HSM's address at which nobody listens"""


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    work: Work
    first: Played
    again: Played
    drift: Played


def variables(host: WindowsHost) -> dict[str, Any]:
    """A fleet's group_vars."""
    certificate = host.folder / "signing.pem"
    return {
        "codesign_signtool_path": NEWEST_SIGNTOOL,
        "codesign_hsm_addresses": [REFUSING],
        "codesign_customer_ca": str(host.folder / "root.pem"),
        "codesign_crypto_user": "signer",
        "codesign_crypto_password": "Wine-Scene-Password-1",
        "codesign_identities": [{"name": "release", "certificate": str(certificate)}],
    }


def playbooks(host: WindowsHost) -> Seen:
    work = host.work("playbooks")
    for name in ("a.exe", "b.exe"):
        work.put(name, host.program)
    given = {
        **variables(host),
        "codesign_files": [work.path("*.exe")],
        "codesign_sign_timestamp_urls": [host.stamps.url],
    }
    first = host.playbook(SIGN, **given)
    again = host.playbook(SIGN, **given)
    drift = host.playbook(DRIFT, **variables(host), codesign_provider=OTHER_PROVIDER)
    return Seen(host, work, first, again, drift)


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=playbooks)]


def test_the_role_signs(seen: Seen) -> None:
    assert seen.first.run.returncode == 0, seen.first.run.output[-3000:]
    assert seen.first.result("Have the files as they should be")["signed"] == 2
    assert seen.first.calls() == 3
    for name in ("a.exe", "b.exe"):
        opinion = seen.host.judge(seen.work.file(name))
        assert opinion.good, opinion.text
        assert opinion.stamped == (True,)


def test_the_role_changes_nothing_the_second_time(seen: Seen) -> None:
    assert seen.again.run.returncode == 0, seen.again.run.output[-3000:]
    assert not seen.again.run.changed()
    assert seen.again.calls() == 1


def test_no_secret_is_on_the_screen_or_on_the_host(seen: Seen) -> None:
    for played in (seen.first, seen.again, seen.drift):
        assert "Wine-Scene-Password-1" not in played.run.output
        assert not any("Wine-Scene-Password-1" in one.line for one in played.ran)


def test_drift_reads_everything_in_one_call_and_changes_nothing(seen: Seen) -> None:
    assert seen.drift.run.returncode == 0, seen.drift.run.output[-3000:]
    assert seen.drift.calls() == 1
    assert not seen.drift.run.changed()


def test_the_certificate_its_association_and_signtool_are_seen(seen: Seen) -> None:
    state = seen.drift.result("Read the signing state of the host")
    text = str(state)
    assert seen.host.signing.thumbprint in text
    assert CONTAINER in text
    assert PROVIDER in text
    assert "10.0.26100.9169" in text


def test_every_finding_is_a_sentence_with_a_role_that_mends_it(seen: Seen) -> None:
    state = seen.drift.result("Read the signing state of the host")
    assert state["findings"], "a host without a client differs from the wanted state"
    for one in state["findings"]:
        assert one["text"].endswith("."), one
        assert not one["text"].endswith(".."), one
        assert " is Connection" not in one["text"], one


def test_an_association_with_another_provider_names_the_role_that_ties(seen: Seen) -> None:
    state = seen.drift.result("Read the signing state of the host")
    found = [
        one
        for one in state["findings"]
        if OTHER_PROVIDER in one["text"] and seen.host.signing.thumbprint in one["text"]
    ]
    assert found, [one["text"] for one in state["findings"]]
    assert {one["role"] for one in found} == {"key_container"}
