# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_cert_repairstore, and the wanted association that they describe."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    CREDENTIALS,
    CREDENTIALS_TOGETHER,
    PROVIDER,
    STORE,
    Arguments,
    timeout,
)
from ...module_utils._certificate import CertificateError, normalize_serial
from ...module_utils._crypto_user import crypto_user
from ...module_utils._findings import BrokenLink
from .. import _scratch as scratch
from .._store import entry as store_entry
from .._store.association import Wanted
from .._store.repair import Access, check_wanted

SOURCES = ("thumbprint", "serial_number", "certificate_path")

ARGUMENTS = Arguments(
    argument_spec={
        "thumbprint": {"type": "str"},
        "serial_number": {"type": "str"},
        "certificate_path": {"type": "str"},
        **STORE,
        **PROVIDER,
        "container": {"type": "str"},
        "provider_type": {"type": "int", "default": 0},
        "machine_keys": {"type": "bool"},
        "key_spec": {"type": "int", "choices": [0, 1, 2]},
        "friendly_name": {"type": "str"},
        "method": {"type": "str", "choices": ["auto", "search", "property_file"], "default": "auto"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "test_key": {"type": "bool", "default": False},
        **CLIENT_SDK,
        "cluster_id": {"type": "str"},
        **CREDENTIALS,
        **timeout(120),
    },
    mutually_exclusive=(SOURCES,),
    required_one_of=(SOURCES,),
    required_together=CREDENTIALS_TOGETHER,
)


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted association. BrokenLink for values that are none."""
    want = Wanted(
        thumbprint=store_entry.thumbprint(params["thumbprint"]) if params.get("thumbprint") else "",
        serial=_serial(params["serial_number"]) if params.get("serial_number") else "",
        certificate_path=params.get("certificate_path") or "",
        store_name=params["store_name"],
        store_location=params["store_location"],
        present=params["state"] == "present",
        provider=params["provider"],
        container=params.get("container") or "",
        provider_type=params["provider_type"],
        machine_keys=params.get("machine_keys"),
        key_spec=params.get("key_spec"),
        friendly_name=params.get("friendly_name"),
        method=params["method"],
    )
    if not (want.thumbprint or want.serial or want.certificate_path):
        raise BrokenLink(
            "argument", "thumbprint, serial_number or certificate_path is empty.", "Name the certificate."
        )
    check_wanted(want)
    return want


def access(params: Mapping[str, Any]) -> Access:
    """The crypto user and the time limit."""
    return Access(crypto_user(params), params["client_sdk"], params["timeout"], scratch.folder())


def _serial(text: str) -> str:
    try:
        return normalize_serial(text)
    except CertificateError as error:
        raise BrokenLink("argument", error.sentence, "Copy it from the certificate's details.") from error
