# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of cloudhsm_find_key_by_modulus, and what they mean together."""

from __future__ import annotations

from typing import Any, Mapping

from .._certificate import Certificate, CertificateError, read_certificate
from .._crypto_user import crypto_user, login_problem
from .._findings import BrokenLink
from .._key.backends import CHOICES
from .._key.lookup import AUTO, Lookup
from .._key.pair import PUBLIC_KEY_MODES, WantedKey, checked, key_of
from .base import (
    CREDENTIALS,
    STORE,
    Arguments,
    seconds_problem,
    timeout,
)

SOURCES = ("certificate_path", "certificate_content", "thumbprint", "modulus")
CONTENT = "the text in certificate_content"
"""What messages call it"""

ARGUMENTS = Arguments(
    argument_spec={
        "certificate_path": {"type": "path"},
        "certificate_content": {"type": "str"},
        "thumbprint": {"type": "str"},
        "modulus": {"type": "str"},
        **STORE,
        "backend": {"type": "str", "choices": list(CHOICES), "default": AUTO},
        "pkcs11_module": {"type": "path"},
        "token_label": {"type": "str", "no_log": False},
        "tool_path": {"type": "path"},
        "cluster_id": {"type": "str"},
        "public_key": {"type": "str", "choices": list(PUBLIC_KEY_MODES), "default": "optional"},
        **CREDENTIALS,
        **timeout(60),
    },
    mutually_exclusive=(SOURCES,),
    required_one_of=(SOURCES,),
    required_if=(("backend", "pkcs11", ("pkcs11_module",)),),
)


def lookup(params: Mapping[str, Any], windows: bool, scratch: str) -> Lookup:
    """How to look, from a module's arguments. BrokenLink for a user without a password, or a time that is none."""
    problem = seconds_problem(params) or login_problem(params)
    if problem:
        raise BrokenLink("argument", problem)
    if not any(params.get(name) for name in SOURCES):
        raise BrokenLink(
            "argument",
            "certificate_path, certificate_content, thumbprint and modulus are empty.",
            "Name the certificate or the key.",
        )
    user = crypto_user(params)
    if user and not user.password:
        raise BrokenLink(
            "argument", "crypto_user was given without crypto_password.", "Give both, or neither."
        )
    return Lookup(
        windows=windows,
        backend=params["backend"],
        tool_path=params.get("tool_path") or "",
        pkcs11_module=params.get("pkcs11_module") or "",
        token_label=params.get("token_label") or "",
        cluster_id=params.get("cluster_id") or "",
        public_key=params["public_key"],
        user=user,
        timeout=params["timeout"],
        scratch=scratch,
    )


def wanted_from_certificate(certificate: Certificate) -> WantedKey:
    """The key of a certificate. BrokenLink for a key that cannot be looked for."""
    return checked(key_of(certificate))


def read(content: bytes, name: str) -> Certificate:
    """The certificate in a user's input. BrokenLink says what it is instead."""
    try:
        return read_certificate(content, name)
    except CertificateError as error:
        raise BrokenLink("certificate", error.sentence) from error
