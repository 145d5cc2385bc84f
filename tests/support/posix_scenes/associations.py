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
    name = "Prüfung 签名 100%"
    done, again = yield [
        Task(MODULE, repair(thumbprint, friendly_name=name, **login)),
        Task(MODULE, repair(thumbprint, friendly_name=name, **login)),
    ]
    assert done.changed
    searched, written = done.runs
    assert searched["argv"] == ["-f", "-user", "-csp", PROVIDER, "-repairstore", "My", thumbprint]
    *words, file = written["argv"]
    assert words == ["-user", "-repairstore", "My", thumbprint]
    assert re.fullmatch(r"C:\\Windows\\Temp\\codesign-[0-9a-f]{16}\\properties\.inf", file)
    association = {"container": FOUND, "provider": PROVIDER, "provider_type": 0, "flags": 0, "key_spec": 0}
    assert done.result["method"] == "search"
    assert (done.result["association"], done.result["friendly_name"]) == (association, name)
    assert not again.changed
    assert again.runs == ()
    assert (again.result["association"], again.result["friendly_name"]) == (association, name)
    stored = machine.stored(thumbprint)
    assert (stored.key_provider_info, stored.friendly_name) == (
        KeyProviderInfo(FOUND, PROVIDER, 0, 0, 0),
        name,
    )
    assert machine.stored(other) == before
    assert machine.left() == []
    assert all(one["logins"] == {"CLOUDHSM_PIN": LOGIN, "n3fips_password": LOGIN} for one in machine.runs())
    for one in (done, again):
        assert FRAGMENT not in json.dumps(one.result)
        assert FRAGMENT not in one.screen
    assert FRAGMENT not in machine.log.read_text(encoding="utf-8")


def refused_repair_is_told_in_the_provider_s_words(machine: Machine) -> Playing:
    machine.install_certutil()
    thumbprint = machine.store(certificate(0), "container")
    before = machine.stored(thumbprint)
    wanted = {"container": "another container (2)", "key_spec": 1, "machine_keys": True}
    (done,) = yield [Task(MODULE, repair(thumbprint, **wanted))]
    assert done.failed
    assert done.result["link"] == "credential"
    assert "n3fips_password is not set" in done.msg
    assert "certutil" in done.result["stdout"].lower()
    # Of an HRESULT a POSIX system hands on the lowest eight bits.
    assert done.result["code"] == "0x00000016"
    assert [one["logins"] for one in done.runs] == [{}]
    # What it was asked for came whole: the property file was read before the key was looked for.
    assert f"container {wanted['container']}, flags 32, key specification 1" in done.result["stdout"]
    assert machine.stored(thumbprint) == before
    assert machine.left() == [], "the property file is removed after a failure too"


def key_signs_and_the_signature_is_checked_with_the_certificate(machine: Machine) -> Playing:
    machine.install_powershell()
    thumbprint = machine.store(certificate(0), "container")
    login = {"crypto_user": USER, "crypto_password": PASSWORD, "client_sdk": "5"}
    task = repair(thumbprint, test_key=True, **login)
    done, other, refused = yield [
        Task(MODULE, task),
        Task(MODULE, task, fault="another key signs"),
        Task(MODULE, task, fault="key cannot sign"),
    ]
    for one, key, code in (
        (done, "usable", None),
        (other, "unusable", None),
        (refused, "unusable", "0x80090029"),
    ):
        assert not one.changed
        assert (one.result["key"], one.result["key_code"]) == (key, code)
        assert [run["logins"] for run in one.runs] == [{"CLOUDHSM_PIN": LOGIN, "n3fips_password": LOGIN}]
        assert FRAGMENT not in json.dumps(one.result)
    assert done.result["key_problem"] is None
    assert "does not fit the certificate" in other.result["key_problem"]
    assert "NTE_NOT_SUPPORTED" in refused.result["key_problem"]


def key_that_hangs_is_ended_at_its_time_limit(machine: Machine) -> Playing:
    machine.install_powershell()
    thumbprint = machine.store(certificate(0), "container")
    (done,) = yield [Task(MODULE, repair(thumbprint, test_key=True, timeout=8), fault="powershell hangs")]
    assert not done.changed
    assert [one["program"] for one in done.runs] == ["powershell"]
    assert (done.result["key"], done.result["key_code"]) == ("untested", None)
    found = re.search(r"PowerShell did not answer within (\d+) seconds", " ".join(done.result["warnings"]))
    assert found
    # The limit is 8 seconds; a machine that has much to do may need some more to notice. The program itself would wait for 300.
    assert 8 <= int(found[1]) < 120
    machine.check_ended(machine.folder / "heartbeat")


SCENES = (
    certificate_is_tied_by_search_and_by_property_file,
    refused_repair_is_told_in_the_provider_s_words,
    key_signs_and_the_signature_is_checked_with_the_certificate,
    key_that_hangs_is_ended_at_its_time_limit,
)
