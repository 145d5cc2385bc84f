# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of the win_* modules on this POSIX machine as the target, each a few tasks and what must come of them.

A scene is possible where a module asks for files, programs and connections only. What needs the registry, a service or access lists is in
NOT_HERE: the tests of tests/windows_host (``make windows-host``) do that on the Windows build of PowerShell.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from support.posix_scenes import associations, hosts, signing
from support.posix_scenes.machine import Machine, certificate
from support.posix_scenes.stage import Batch, Done, Playing, Scene, Task

__all__ = [
    "ANYHOW",
    "NEEDS_WINDOWS",
    "NOT_HERE",
    "PARTS",
    "SCENES",
    "Batch",
    "Done",
    "Machine",
    "Playing",
    "Scene",
    "Task",
]

PARTS: tuple[tuple[Scene, ...], ...] = (
    signing.SCENES,
    (*associations.SCENES, *hosts.SCENES),
)
"""Scenes that share their runs of ansible-playbook, a part for each of two cores. All that a module is covered by is in one part."""

SCENES: tuple[Scene, ...] = tuple(scene for part in PARTS for scene in part)

NEEDS_WINDOWS = ("registry", "registry_children", "service", "access", "program")
"""The steps that no POSIX system can do."""

_THUMBPRINT = {"thumbprint": "A1" * 20}
_CLUSTER = {"hsm_addresses": ["10.0.1.10"]}

NOT_HERE: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "win_cloudhsm_import_key": tuple(
        (
            f"{state}, {location}, client_sdk {sdk}: it asks for the service of Client SDK 3 in any case",
            {**_THUMBPRINT, "state": state, "store_location": location, "client_sdk": sdk},
        )
        for state in ("present", "absent")
        for location in ("LocalMachine", "CurrentUser")
        for sdk in ("auto", "3", "5")
    ),
    "win_cloudhsm_client": tuple(
        (
            f"client_sdk {sdk}: a daemon is a service, a store is a key of the registry",
            {**_CLUSTER, "client_sdk": sdk},
        )
        for sdk in ("auto", "3", "5")
    ),
    "win_certificate_export": (("the store's entries", {}),),
    "win_certificate_request": (("the store's entries", {"subject": "CN=Example", "csr": "example.csr"}),),
    "win_signtool_package": (("who signed a program", {"package": "package.zip", "sha256": "0" * 64}),),
    "win_codesign_certificates": (
        (
            "the record of what was put there is in the registry",
            {"identities": [{"certificate": base64.b64encode(certificate()).decode()}]},
        ),
    ),
    "win_codesign_info": (
        ("client: a daemon is a service, a store is a key of the registry", {"gather": ["client"]}),
        ("identities: the store's entries and the service of Client SDK 3", {"gather": ["identities"]}),
    ),
    "win_cert_repairstore": (
        (
            "LocalMachine: that store is a key of the registry",
            {**_THUMBPRINT, "store_location": "LocalMachine"},
        ),
        (
            "another store of the user: a key of the registry too",
            {**_THUMBPRINT, "store_location": "CurrentUser", "store_name": "Root"},
        ),
    ),
    "win_signtool": (
        (
            "LocalMachine: that store is a key of the registry",
            {**_THUMBPRINT, "files": [r"C:\build\a.exe"], "store_location": "LocalMachine"},
        ),
    ),
}
"""By module what cannot be a scene, and why: arguments whose first call holds one of those steps.
Tests of tests/unit/fidelity and tests/contract hold it against the modules.
"""

ANYHOW = (
    "win_certificate_export",
    "win_certificate_request",
    "win_cloudhsm_client",
    "win_cloudhsm_import_key",
    "win_codesign_artifacts",
    "win_codesign_certificates",
)
"""The modules that ask for such a thing whatever their choices are. NOT_HERE has an example of each, but for
win_codesign_artifacts, which works as win_signtool does.
"""
