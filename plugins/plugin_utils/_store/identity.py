# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signing identity as a user describes it: a certificate, the certificates above it, and what its key
container has to be. One without a certificate is a chain for hosts that only verify.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

from ...module_utils._certificate import Certificate, CertificateError, normalize_thumbprint, read_certificate
from ...module_utils._findings import BrokenLink
from .._formats.store_blob import check_store_name
from . import chain

CHAIN_LOCATION = "LocalMachine"
"""A chain belongs to the machine: adding a root for a user opens a window that nobody sees."""


@dataclass(frozen=True)
class Placed:
    """A certificate and the store that it belongs into."""

    certificate: Certificate
    store_name: str
    store_location: str


@dataclass(frozen=True)
class Identity:
    """What is None or empty is not compared. ``signing`` is None where hosts only verify by it."""

    name: str
    signing: Placed | None
    chain: tuple[Placed, ...] = ()
    provider: str = ""
    container: str = ""
    key_spec: int | None = None
    provider_type: int | None = None
    machine_keys: bool | None = None
    friendly_name: str | None = None
    readers: tuple[str, ...] = ()
    former: tuple[str, ...] = ()

    @property
    def thumbprint(self) -> str:
        return self.signing.certificate.thumbprint if self.signing else ""

    @property
    def certificates(self) -> tuple[Placed, ...]:
        """The whole chain, the root first."""
        return (*reversed(self.chain), *((self.signing,) if self.signing else ()))


def identities(params: Mapping[str, Any]) -> tuple[Identity, ...]:
    """The wanted identities from a module's arguments, which its spec has checked. BrokenLink for one that
    cannot be read.
    """
    found = [_identity(number, item, params) for number, item in enumerate(params.get("identities") or [], 1)]
    names = [identity.name for identity in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BrokenLink(
            "argument", f"Two identities have the name '{twice[0]}'.", "Give each identity a name of its own."
        )
    return tuple(found)


def _identity(number: int, item: Mapping[str, Any], params: Mapping[str, Any]) -> Identity:
    name = str(item.get("name") or f"identity {number}")
    certificate, links = certificates_of(name, item, _from_text)
    if certificate:
        chain.check_place(name, certificate, str(params["store_name"]))
    return Identity(
        name,
        _placed(certificate, str(params["store_name"]), str(params["store_location"]))
        if certificate
        else None,
        tuple(_placed(link, store, CHAIN_LOCATION) for link, store in links),
        str(item.get("provider") or params.get("provider") or ""),
        str(item.get("container") or ""),
        item.get("key_spec"),
        item.get("provider_type"),
        item.get("machine_keys"),
        item.get("friendly_name"),
        tuple(item.get("readers") or ()),
        tuple(_thumbprint(name, one) for one in item.get("former") or ()),
    )


def _thumbprint(name: str, text: str) -> str:
    try:
        return normalize_thumbprint(text)
    except CertificateError as error:
        raise BrokenLink("argument", f"former of '{name}': {error.sentence}") from error


OF_KEYS = ("provider", "container", "provider_type", "machine_keys", "key_spec", "friendly_name", "readers")
"""What says something of a signing certificate or its key."""


def certificates_of(
    name: str, item: Mapping[str, Any], read: Callable[[Any, str], Certificate]
) -> tuple[Certificate | None, list[tuple[Certificate, str]]]:
    """The signing certificate of an identity, None where it has none, and its chain with the store of each, the
    nearest first, both checked. ``read`` takes what stands in a key certificate, and what messages call it.
    """
    signing = None
    if item.get("certificate") is not None:
        signing = read(item["certificate"], f"the certificate of '{name}'")
    given = [key for key in OF_KEYS if item.get(key) not in (None, "", [])]
    if signing is None and given:
        raise BrokenLink(
            "argument",
            f"The identity '{name}' has no certificate, and says something of its key: {', '.join(given)}.",
            "Give its certificate, or, for hosts that only verify, nothing but the chain.",
        )
    above = item.get("chain") or ()
    above = [above] if isinstance(above, (str, Mapping)) else above
    for place, link in enumerate(above, 1):
        if not isinstance(link, Mapping):
            raise BrokenLink(
                "argument",
                f"Certificate {place} in the chain of '{name}' is no dictionary.",
                "Write each as one with the key certificate (- certificate: files/intermediate.cer).",
            )
    links = [
        (
            read(link.get("certificate"), f"certificate {place} in the chain of '{name}'"),
            str(link.get("store") or ""),
        )
        for place, link in enumerate(above, 1)
    ]
    return signing, chain.arrange(name, signing, links)


def _from_text(content: Any, what: str) -> Certificate:
    if not content:
        problem = f"{what[:1].upper()}{what[1:]} is missing."
        raise BrokenLink("argument", problem, "Give it in the key certificate, as PEM text.")
    try:
        return read_certificate(str(content).encode("utf-8"), what)
    except CertificateError as error:
        advice = "The lookup cloudhsm.codesign.identities reads certificate files."
        raise BrokenLink("argument", error.sentence, advice) from error


def _placed(certificate: Certificate, store_name: str, store_location: str) -> Placed:
    problem = check_store_name(store_name)
    if problem:
        raise BrokenLink("argument", problem)
    return Placed(certificate, store_name, store_location)
