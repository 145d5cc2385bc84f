# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_signtool, and what they mean together."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    CREDENTIALS,
    CREDENTIALS_TOGETHER,
    STORE,
    Arguments,
    timeout,
)
from ...module_utils._crypto_user import crypto_user
from ...module_utils._findings import BrokenLink
from .._signing import certificate as signing_certificate
from .._signing import files as signing_files
from .._signing import signature
from .._signing.jobs import Settings
from .._tools import signtool

ARGUMENTS = Arguments(
    argument_spec={
        "state": {"type": "str", "choices": list(signature.STATES), "default": "signed"},
        "files": {"type": "list", "elements": "str", "required": True},
        "thumbprint": {"type": "str"},
        "subject": {"type": "str"},
        "issuer": {"type": "str"},
        **STORE,
        "digest": {"type": "str", "choices": list(signtool.DIGESTS), "default": "sha256"},
        "timestamp_urls": {"type": "list", "elements": "str", "default": []},
        "timestamp_digest": {"type": "str", "choices": list(signtool.DIGESTS), "default": "sha256"},
        "timestamp_attempts": {"type": "int", "default": 3},
        "timestamp_delay": {"type": "int", "default": 5},
        "description": {"type": "str"},
        "url": {"type": "str"},
        "additional_certificates": {"type": "list", "elements": "str", "default": []},
        "append": {"type": "bool", "default": False},
        "foreign": {"type": "str", "choices": list(signature.FOREIGN), "default": "leave"},
        "former": {"type": "list", "elements": "str", "default": []},
        "unsignable": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
        "page_hashes": {"type": "bool"},
        "signtool_path": {"type": "str"},
        "batch": {"type": "int", "default": 32},
        "jobs": {"type": "int", "default": 0},
        "ledger_path": {"type": "str"},
        "cluster_id": {"type": "str"},
        "lock_timeout": {"type": "int", "default": 600},
        **CREDENTIALS,
        **CLIENT_SDK,
        **timeout(600),
    },
    mutually_exclusive=(("thumbprint", "subject"), ("thumbprint", "issuer")),
    required_together=CREDENTIALS_TOGETHER,
    required_if=(
        ("state", "signed", ("thumbprint", "subject", "issuer"), True),
        ("state", "timestamped", ("timestamp_urls",)),
    ),
)


def check(params: Mapping[str, Any]) -> None:
    """BrokenLink for values that no SignTool takes, before anything runs on the host."""
    if not params["files"]:
        raise BrokenLink("argument", "The list files is empty.", "Name at least one file or pattern.")
    named = [str(params.get(name) or "").strip() for name in ("thumbprint", "subject", "issuer")]
    given = any(params.get(name) is not None for name in ("thumbprint", "subject", "issuer"))
    if (
        given
        and (params["state"] == "signed" or any(params.get(name) for name in ("subject", "issuer")))
        and not any(named)
    ):
        raise BrokenLink(
            "argument",
            "The certificate to sign with is not named: thumbprint, subject and issuer are empty.",
            "Give one of them; where it comes from a variable, look at what that holds.",
        )
    for name, smallest in (
        ("batch", 1),
        ("jobs", 0),
        ("timestamp_attempts", 1),
    ):
        if params[name] < smallest:
            raise BrokenLink("argument", f"{name} is {params[name]}; it must be at least {smallest}.")
    if params["state"] == "timestamped" and not params["timestamp_urls"]:
        raise BrokenLink(
            "argument",
            "state is timestamped, but timestamp_urls is empty.",
            "Name at least one timestamp authority.",
        )
    try:
        for url in params["timestamp_urls"]:
            signtool.check_timestamp_url(url)
    except signtool.RefusedArgument as error:
        advice = "Give the authority's http address; its answer is signed, so nothing is lost."
        raise BrokenLink("timestamp", f"A timestamp cannot be asked for: {error}.", advice) from error
    for path in params["additional_certificates"]:
        if not path.strip():
            raise BrokenLink(
                "argument",
                "The name of an additional certificate is empty.",
                "Take it off the list additional_certificates.",
            )
    if len(params["additional_certificates"]) > 1:
        advice = "Put further ones into the host's store of intermediate certificates (LocalMachine\\CA)."
        raise BrokenLink(
            "argument", "SignTool takes the name of one additional certificate and no more.", advice
        )
    if params["append"] and params["foreign"] in ("replace", "fail"):
        raise BrokenLink(
            "argument",
            f"append: true and foreign: {params['foreign']} say two things of a file that somebody else signed.",
            "Leave append out, or give foreign: append.",
        )
    for name in ("signtool_path", "ledger_path", "additional_certificates"):
        for path in [params.get(name) or ""] if name != "additional_certificates" else params[name]:
            signing_files.refuse_control(f"{name}:", path)
    for thumbprint in params["former"]:
        signing_certificate.plain_thumbprint(thumbprint, "former")
    for name in ("description", "url"):
        if any(ord(char) < 32 for char in params.get(name) or ""):
            raise BrokenLink(
                "argument",
                f"{name} holds a line break or another control character.",
                "Write it in one line.",
            )


def certificate(params: Mapping[str, Any]) -> signing_certificate.Wanted:
    return signing_certificate.wanted(
        params.get("thumbprint"),
        params.get("subject"),
        params.get("issuer"),
        params["store_name"],
        params["store_location"],
    )


def wanted(params: Mapping[str, Any], thumbprint: str) -> signature.Wanted:
    return signature.Wanted(
        params["state"],
        thumbprint,
        params["digest"],
        bool(params["timestamp_urls"]),
        "append" if params["append"] else params["foreign"],
        tuple(signing_certificate.plain_thumbprint(one, "former") for one in params["former"]),
        params["unsignable"] == "skip",
    )


LEAST_JOBS = 8
"""Processes side by side on a host with few processors: signing waits for the HSM and the timestamp authority."""


def settings(params: Mapping[str, Any], program: str, thumbprint: str, processors: int = 0) -> Settings:
    """How SignTool is run on a host with so many ``processors`` (0: not known)."""
    options = signtool.SignOptions(
        thumbprint=thumbprint,
        store_name=params["store_name"],
        machine_store=params["store_location"] == "LocalMachine",
        digest=params["digest"],
        timestamp_digest=params["timestamp_digest"],
        description=params.get("description") or "",
        url=params.get("url") or "",
        additional_certificates=tuple(params["additional_certificates"]),
        page_hashes=params.get("page_hashes"),
    )
    return Settings(
        program=program,
        wanted=wanted(params, thumbprint),
        sign=options,
        timestamp_urls=tuple(params["timestamp_urls"]),
        attempts=params["timestamp_attempts"],
        delay=params["timestamp_delay"],
        batch=params["batch"],
        jobs=params["jobs"] or max(LEAST_JOBS, processors),
        timeout=params["timeout"],
        secret_environment=crypto_user(params).provider_environment,
    )
