# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_certificate_request, and the wanted request that they describe."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    CREDENTIALS,
    CREDENTIALS_TOGETHER,
    PROVIDER,
    Arguments,
    timeout,
)
from ...module_utils._certificate import SMALLEST_KEY
from ...module_utils._crypto_user import crypto_user
from ...module_utils._findings import BrokenLink
from ...module_utils._key.pair import LARGEST_RSA
from .. import _scratch as scratch
from .._formats import x500_name
from .._store.request import Wanted
from .._tools.certreq import HASH_ALGORITHMS, KEY_ALGORITHMS, RSA
from .._tools.certutil import check_inf_value

ARGUMENTS = Arguments(
    argument_spec={
        "state": {"type": "str", "choices": ["requested", "accepted"], "default": "requested"},
        "subject": {"type": "str"},
        "csr": {"type": "path"},
        "certificate": {"type": "path"},
        "chain": {"type": "list", "elements": "path", "default": []},
        "renew": {"type": "bool", "default": False},
        "same_key": {"type": "bool", "default": False},
        "key_algorithm": {"type": "str", "choices": list(KEY_ALGORITHMS), "default": RSA},
        "key_size": {"type": "int", "default": 3072},
        "hash_algorithm": {"type": "str", "choices": list(HASH_ALGORITHMS), "default": "sha256"},
        **PROVIDER,
        **CLIENT_SDK,
        "cluster_id": {"type": "str"},
        **CREDENTIALS,
        **timeout(300),
    },
    required_together=CREDENTIALS_TOGETHER,
    required_if=(
        ("state", "requested", ("subject", "csr")),
        ("state", "accepted", ("certificate",)),
    ),
)


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted request, without what lies in files. BrokenLink for values that no request can have."""
    size = params["key_size"]
    if params["key_algorithm"] == RSA and not (SMALLEST_KEY <= size <= LARGEST_RSA and size % 256 == 0):
        problem = f"key_size is {size}: an RSA key for code signing has {SMALLEST_KEY} to {LARGEST_RSA} bits, in steps of 256."
        raise BrokenLink("argument", problem, "Leave it out for 3072, which public CAs ask for.")
    if params["renew"] and params["same_key"]:
        problem = "renew asks for a new key, same_key for that of the certificate that is there."
        raise BrokenLink("argument", problem, "Give one of the two.")
    fault = check_inf_value(params["provider"])
    if fault or not params["provider"]:
        raise BrokenLink("argument", "The option provider cannot be used.", fault or "It is empty.")
    return Wanted(
        subject=_subject(params.get("subject") or "", params["state"] == "requested"),
        provider=params["provider"],
        key_algorithm=params["key_algorithm"],
        key_size=size,
        hash_algorithm=params["hash_algorithm"],
        renew=params["renew"],
        same_key=params["same_key"],
        client_sdk=params["client_sdk"],
        cluster_id=params.get("cluster_id") or "",
        user=crypto_user(params),
        timeout=params["timeout"],
        scratch=scratch.folder(),
    )


def _subject(text: str, needed: bool) -> x500_name.Name:
    if not text and not needed:
        return ()
    try:
        return x500_name.parse(text)
    except x500_name.SubjectError as error:
        sentence = str(error)
        advice = 'Write it as in CN=Example Software, O="Example, Inc.", C=DE.'
        raise BrokenLink("argument", f"{sentence[:1].upper()}{sentence[1:]}", advice) from error
