# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key pair on the HSM that belongs to a certificate: which keys were found, and whether they are exactly
the ones wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Literal, Optional, Sequence, Tuple, get_args

from .._certificate import Certificate
from .._findings import BrokenLink, NotVisibleError
from .._tools import cloudhsm_cli

SMALLEST_RSA, LARGEST_RSA = 2048, 4096

PublicKeyMode = Literal["required", "optional", "ignored"]
PUBLIC_KEY_MODES: Tuple[PublicKeyMode, ...] = get_args(PublicKeyMode)


@dataclass(frozen=True)
class WantedKey:
    """The public half of the key pair that is looked for: an RSA modulus, or the point of an EC key.

    Both are upper case hex without a prefix; the point is uncompressed (04, x, y).
    """

    modulus: str = ""
    point: str = ""

    @property
    def is_rsa(self) -> bool:
        return bool(self.modulus)

    @property
    def name(self) -> str:
        """What the key is called in messages."""
        return (
            f"the RSA modulus {self.modulus[:16]}..." if self.is_rsa else f"the EC point {self.point[:16]}..."
        )


def key_of(certificate: Certificate) -> WantedKey:
    """The public half of a certificate's key."""
    return WantedKey(certificate.modulus, certificate.point.upper())


@dataclass(frozen=True)
class SeenKey:
    """One key that a back end found. What it does not say is None, or "" for texts."""

    handle: int
    key_class: str
    """private or public"""
    modulus: str = ""
    point: str = ""
    key_size: Optional[int] = None
    label: str = ""
    key_id: str = ""
    owners: Optional[Tuple[str, ...]] = None
    shared_users: Optional[Tuple[str, ...]] = None
    use_quorum: int = 0
    inconsistent: Tuple[str, ...] = ()
    cluster_coverage: str = ""

    @property
    def reference(self) -> str:
        return cloudhsm_cli.reference(self.handle)

    def as_dict(self) -> Dict[str, Any]:
        """The key as the module returns it."""
        return {
            "handle": self.handle,
            "reference": self.reference,
            "label": self.label,
            "id": self.key_id,
            "key_size": self.key_size,
            "owners": None if self.owners is None else list(self.owners),
            "shared_users": None if self.shared_users is None else list(self.shared_users),
        }


@dataclass(frozen=True)
class KeyPair:
    """The one private key, and the public key where there is one and it was asked for."""

    private: SeenKey
    public: Optional[SeenKey]
    warnings: Tuple[str, ...] = ()

    def as_dict(self, wanted: WantedKey, backend: str) -> Dict[str, Any]:
        """The value ``key`` that the module returns."""
        return {
            "private": self.private.as_dict(),
            "public": self.public.as_dict() if self.public else None,
            "modulus": wanted.modulus,
            "point": wanted.point,
            "key_size": self.private.key_size or (len(wanted.modulus) * 4 if wanted.is_rsa else None),
            "backend": backend,
        }


# What is wanted
# -------------------------------------------------------------------------------------------------------


def wanted_from_modulus(text: str) -> WantedKey:
    """The wanted key for a modulus as OpenSSL, cloudhsm-cli or Windows show it (prefix, blanks and colons are
    dropped).
    """
    digits = re.sub(r"^(?:[Mm]odulus=|0[xX])", "", text.strip())
    digits = re.sub(r"[\s:]", "", digits)
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits):
        raise BrokenLink(
            "argument",
            "modulus is no hexadecimal number.",
            "Give it as 'openssl x509 -noout -modulus' prints it.",
        )
    return checked(WantedKey(modulus=bare_digits(digits) or "0"))


def checked(wanted: WantedKey) -> WantedKey:
    """``wanted`` if it is a key that can be looked for. BrokenLink otherwise."""
    if wanted.is_rsa:
        bits = int(wanted.modulus, 16).bit_length()
        if not SMALLEST_RSA <= bits <= LARGEST_RSA:
            raise BrokenLink(
                "certificate",
                f"The RSA key has {bits} bits; keys of {SMALLEST_RSA} to {LARGEST_RSA} bits can be used for code signing with CloudHSM.",
                "Use a certificate with such a key.",
            )
    elif not wanted.point:
        raise BrokenLink(
            "certificate",
            "The certificate's key is neither RSA nor EC.",
            "Use a certificate with an RSA key.",
        )
    return wanted


# What was found
# -------------------------------------------------------------------------------------------------------


def point_of(encoded: str) -> str:
    """The uncompressed point in an EC point's hex, which is a DER OCTET STRING or the point itself; "" for
    anything else.
    """
    try:
        data = bytes.fromhex(encoded)
    except ValueError:
        return ""
    for content in (_octet_string(data), data):
        if content and content[0] == 4 and len(content) % 2 == 1 and len(content) >= 57:
            return content.hex().upper()
    return ""


def _octet_string(data: bytes) -> bytes:
    if len(data) < 3 or data[0] != 4:
        return b""
    length, start = data[1], 2
    if length == 0x81:
        length, start = data[2], 3
    return data[start:] if length == len(data) - start else b""


def bare_digits(digits: str) -> str:
    """A hex number without leading zeros, upper case."""
    return digits.upper().lstrip("0")


# The judgement
# --------------------------------------------------------------------------------------------------------


def judge(wanted: WantedKey, seen: Sequence[SeenKey], public_key: PublicKeyMode) -> KeyPair:
    """The key pair, if there is exactly one and it is the wanted one. BrokenLink says what else there is."""
    for key in seen:
        _check_identity(wanted, key)
    private = only_private(
        [key.handle for key in seen if key.key_class == "private"],
        [key.handle for key in seen if key.key_class == "public"],
        wanted,
    )
    public = only_public([key.handle for key in seen if key.key_class == "public"], public_key, wanted)
    chosen = {key.handle: key for key in seen}
    warnings: List[str] = []
    publics = [key for key in seen if key.key_class == "public"]
    if public is None and public_key == "optional" and len(publics) > 1:
        warnings.append(
            f"{len(publics)} public keys have {wanted.name} (handles {_handles(publics)}): none was chosen. "
            "Ask with public_key=required to make this a failure."
        )
    if chosen[private].use_quorum > 1:
        raise BrokenLink(
            "key",
            f"The private key {private} needs the approval of {chosen[private].use_quorum} users for each use: it cannot sign unattended.",
            "Use a key without a quorum.",
            handles=[private],
        )
    if chosen[private].cluster_coverage not in ("", "full"):
        warnings.append(
            f"The private key {private} is not on all HSMs of the cluster ({chosen[private].cluster_coverage}): replicate it."
        )
    return KeyPair(chosen[private], chosen[public] if public is not None else None, tuple(warnings))


def only_private(private: Sequence[int], public: Sequence[int], wanted: WantedKey) -> int:
    """The handle of the one private key. BrokenLink says how many there are, and what to do."""
    if len(private) == 1:
        return private[0]
    if not private:
        there = f" (its public key is there: {', '.join(map(str, public))})" if public else ""
        raise NotVisibleError(
            "key",
            f"No private key with {wanted.name} is visible to this crypto user{there}.",
            "Share the key with the crypto user or use the user that owns it, and check that the certificate belongs to a key on this cluster.",
            handles=[],
            count=0,
        )
    raise BrokenLink(
        "key",
        f"{len(private)} private keys have {wanted.name}, where exactly one is needed: handles {', '.join(map(str, private))}.",
        "Delete the duplicates on the HSM, or unshare them from this crypto user.",
        handles=list(private),
        count=len(private),
    )


def only_public(public: Sequence[int], mode: PublicKeyMode, wanted: WantedKey) -> Optional[int]:
    """The handle of the one public key; None where it is not asked for or, being optional, is not exactly
    one.
    """
    if mode == "ignored":
        return None
    if len(public) == 1:
        return public[0]
    if mode == "optional":
        return None
    if not public:
        raise BrokenLink(
            "key",
            f"No public key with {wanted.name} is on the HSM.",
            "Import the public key, or ask with public_key=optional where it is not needed.",
            handles=[],
            count=0,
        )
    raise BrokenLink(
        "key",
        f"{len(public)} public keys have {wanted.name}, where exactly one is needed: handles {', '.join(map(str, public))}.",
        "Delete the duplicates on the HSM.",
        handles=list(public),
        count=len(public),
    )


def _check_identity(wanted: WantedKey, key: SeenKey) -> None:
    name = "modulus" if wanted.is_rsa else "ec-point"
    if name in key.inconsistent:
        raise inconsistent(key.reference, (name,))
    seen, asked = (key.modulus, wanted.modulus) if wanted.is_rsa else (key.point, wanted.point)
    if not seen:
        problem = f"The {name} of key {key.handle} could not be read back: it cannot be proven to be the wanted one."
        raise BrokenLink("key", problem, "Check the crypto user's access to it.")
    if seen != asked:
        raise BrokenLink(
            "key",
            f"The key {key.handle} that was found has another {name} than the certificate ({seen[:16]}...): the back end did not apply the filter.",
            "Report this with the versions of the client; nothing was changed.",
            handles=[key.handle],
        )


def inconsistent(reference: str, names: Sequence[str]) -> BrokenLink:
    """The HSMs do not agree on these attributes of a key."""
    return BrokenLink(
        "key",
        f"The key {reference} is not the same on all HSMs ({', '.join(names)} inconsistent).",
        "Replicate the key to every HSM of the cluster (cloudhsm-cli key replicate).",
    )


def _handles(keys: Sequence[SeenKey]) -> str:
    return ", ".join(str(key.handle) for key in keys)
