# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_cloudhsm_import_key, and the wanted key container that they describe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    CREDENTIALS,
    CREDENTIALS_TOGETHER,
    KEY_ACCESS,
    STORE,
    Arguments,
    timeout,
)
from ...module_utils._arguments.cloudhsm_find_key_by_modulus import CONTENT, read, wanted_from_certificate
from ...module_utils._crypto_user import crypto_user
from ...module_utils._findings import BrokenLink
from .._key.container import Seen, Wanted
from .._store import entry as store_entry

SOURCES = ("thumbprint", "certificate_path", "certificate_content")

ARGUMENTS = Arguments(
    argument_spec={
        "thumbprint": {"type": "str"},
        "certificate_path": {"type": "str"},
        "certificate_content": {"type": "str"},
        **STORE,
        **CLIENT_SDK,
        **KEY_ACCESS,
        "private_handle": {"type": "int"},
        "public_handle": {"type": "int"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "readers": {"type": "list", "elements": "str", "default": []},
        "cluster_id": {"type": "str"},
        **CREDENTIALS,
        **timeout(120),
    },
    mutually_exclusive=(SOURCES,),
    required_one_of=(SOURCES,),
    required_together=CREDENTIALS_TOGETHER,
)


def wanted(params: Mapping[str, Any], scratch: str) -> Wanted:
    """The wanted container; its key and thumbprint only where the arguments hold the certificate itself. BrokenLink
    where they name none.
    """
    if not any(params.get(name) for name in SOURCES):
        raise BrokenLink(
            "argument",
            "The arguments name no certificate: all are empty.",
            "Give thumbprint, certificate_path or certificate_content.",
        )
    want = Wanted(
        thumbprint=store_entry.thumbprint(params["thumbprint"]) if params.get("thumbprint") else "",
        certificate_path=params.get("certificate_path") or "",
        store_name=params["store_name"],
        store_location=params["store_location"],
        provider=params.get("provider") or "",
        key_access=params["key_access"],
        client_sdk=params["client_sdk"],
        private_handle=params.get("private_handle"),
        public_handle=params.get("public_handle"),
        readers=tuple(dict.fromkeys(params.get("readers") or ())),
        force=params["force"],
        cluster_id=params.get("cluster_id") or "",
        user=crypto_user(params),
        timeout=params["timeout"],
        scratch=scratch,
    )
    content = params.get("certificate_content")
    return identified_by(want, content.encode("utf-8"), CONTENT) if content else want


def identified(want: Wanted, seen: Seen) -> Wanted:
    """``want`` with key and thumbprint from the certificate on the host, where the arguments did not hold it."""
    if want.key.modulus or want.key.point:
        return want
    if seen.certificate is not None:
        return identified_by(want, seen.certificate, want.certificate_path)
    return identified_by(
        want,
        seen.store.certificate(want.thumbprint).der,
        f"certificate {want.thumbprint}",
    )


def identified_by(want: Wanted, content: bytes, name: str) -> Wanted:
    """``want`` with key and thumbprint of a certificate."""
    certificate = read(content, name)
    return replace(want, key=wanted_from_certificate(certificate), thumbprint=certificate.thumbprint)
