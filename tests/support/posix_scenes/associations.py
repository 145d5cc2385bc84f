# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of win_cert_repairstore with the user's own store: which certificate is tied to which container."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.windows.certstore import KeyProviderInfo
from support.posix_scenes.machine import FRAGMENT, LOGIN, PASSWORD, PROVIDER, USER, Machine, certificate
from support.posix_scenes.stage import Playing, Task

MODULE = "win_cert_repairstore"
FOUND = "CNGRSAPriv-1835009-1835010-1f2e3d"
"""The container that the stand-in's search finds."""


def repair(thumbprint: str, **arguments: Any) -> dict[str, Any]:
    return {"thumbprint": thumbprint, "store_location": "CurrentUser", **arguments}


def certificate_is_tied_by_search_and_by_property_file(machine: Machine) -> Playing:
    machine.install_certutil()
    thumbprint, other = machine.store(certificate(0)), machine.store(certificate(1), "container of the other")
    login = {"crypto_user": USER, "crypto_password": PASSWORD, "client_sdk": "5"}
    before = machine.stored(other)
    wanted = {
        "container": "the container (2)",
        "friendly_name": "Prüfung 签名 100%",
        "key_spec": 1,
        "machine_keys": True,
    }
    predicted, searched, again, written = yield [
        Task(MODULE, repair(thumbprint, **login), check=True),
        Task(MODULE, repair(thumbprint, **login)),
        Task(MODULE, repair(thumbprint, **login)),
        Task(MODULE, repair(thumbprint, **login, **wanted)),
    ]
    assert predicted.changed
    assert predicted.runs == ()
    assert searched.changed
    assert [one["argv"] for one in searched.runs] == [
        ["-f", "-user", "-csp", PROVIDER, "-repairstore", "My", thumbprint]
    ]
    association = {"container": FOUND, "provider": PROVIDER, "provider_type": 0, "flags": 0, "key_spec": 0}
    assert (searched.result["association"], searched.result["method"]) == (association, "search")
    assert not again.changed
    assert again.runs == ()
    assert again.result["association"] == association
    assert written.changed
    assert (written.result["method"], written.result["friendly_name"]) == (
        "property_file",
        wanted["friendly_name"],
    )
    (run,) = written.runs
    *words, file = run["argv"]
    assert words == ["-user", "-repairstore", "My", thumbprint]
    assert file.startswith(f"C:\\Windows\\Temp\\codesign-{thumbprint}-")
    stored = machine.stored(thumbprint)
    assert (stored.key_provider_info, stored.friendly_name) == (
        KeyProviderInfo("the container (2)", PROVIDER, 0, 0x20, 1),
        wanted["friendly_name"],
    )
    assert machine.stored(other) == before
    assert machine.left() == []
    assert all(one["logins"] == {"CLOUDHSM_PIN": LOGIN} for one in machine.runs())
    for done in (predicted, searched, again, written):
        assert FRAGMENT not in json.dumps(done.result)
        assert FRAGMENT not in done.screen
    assert FRAGMENT not in machine.log.read_text(encoding="utf-8")


def refused_repair_is_told_in_the_provider_s_words(machine: Machine) -> Playing:
    machine.install_certutil()
    thumbprint = machine.store(certificate(0), "container")
    before = machine.stored(thumbprint)
    (done,) = yield [Task(MODULE, repair(thumbprint, container="another container"))]
    assert done.failed
    assert done.result["link"] == "credential"
    assert "n3fips_password is not set" in done.msg
    assert "certutil" in done.result["stdout"].lower()
    # Of an HRESULT a POSIX system hands on the lowest eight bits.
    assert done.result["code"] == "0x00000016"
    assert [one["logins"] for one in done.runs] == [{}]
    assert machine.stored(thumbprint) == before
    assert machine.left() == [], "the property file is removed after a failure too"


def key_that_hangs_is_ended_at_its_time_limit(machine: Machine) -> Playing:
    machine.install_certutil()
    thumbprint = machine.store(certificate(0), "container")
    (done,) = yield [Task(MODULE, repair(thumbprint, test_key=True, timeout=8), fault="certutil hangs")]
    assert not done.changed
    assert done.argv("-store") == [["-v", "-user", "-store", "My", thumbprint]]
    assert done.result["key"] == "unusable"
    found = re.search(r"certutil did not answer within (\d+) seconds", " ".join(done.result["warnings"]))
    assert found
    # The limit is 8 seconds; a machine that has much to do may need some more to notice. The program itself would wait for 300.
    assert 8 <= int(found[1]) < 120
    machine.check_ended(machine.folder / "heartbeat")


SCENES = (
    certificate_is_tied_by_search_and_by_property_file,
    refused_repair_is_told_in_the_provider_s_words,
    key_that_hangs_is_ended_at_its_time_limit,
)
