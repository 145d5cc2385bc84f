# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PKCS#11 token, asked by python-pkcs11 for the keys of a modulus or an EC point. Any vendor's library;
Linux only.
"""

from __future__ import annotations

import os
from typing import Any, List, Optional, Sequence, Tuple, Type

from .._findings import (
    BrokenLink,
    Link,
    LockedError,
    LoginRefusedError,
    NoLoginError,
    UnexplainedError,
    UnreachableError,
    quoted,
)
from .._key.pair import SeenKey, WantedKey, bare_digits, point_of

try:
    import pkcs11
    from pkcs11 import Attribute, KeyType, ObjectClass, TokenFlag
    from pkcs11 import exceptions as errors

    HAS_PKCS11 = True
except ImportError:
    HAS_PKCS11 = False


def find(module_path: str, token_label: str, pin: Optional[str], wanted: WantedKey) -> Tuple[SeenKey, ...]:
    """The private and public keys of the wanted modulus or point."""
    try:
        with _token(module_path, token_label).open(user_pin=pin) as session:
            keys = tuple(_rsa_keys(session, wanted) if wanted.is_rsa else _ec_keys(session, wanted))
    except errors.PKCS11Error as error:
        raise _failure(error, module_path) from error
    if pin is None and not any(key.key_class == "private" for key in keys):
        raise BrokenLink(
            "credential",
            "Without a login a PKCS#11 token shows no private key.",
            "Set crypto_password (and crypto_user for CloudHSM's library).",
        )
    return keys


def _token(module_path: str, token_label: str) -> Any:
    if not os.path.isfile(module_path):
        raise BrokenLink(
            "client",
            f"The PKCS#11 library {module_path} is not there.",
            "Set pkcs11_module to the library's full path.",
        )
    try:
        library = pkcs11.lib(module_path)
    except (RuntimeError, OSError) as error:
        raise BrokenLink(
            "client",
            f"The PKCS#11 library {module_path} cannot be loaded: {error}.",
            "Check that it is built for this system.",
        ) from error
    tokens = [token for token in library.get_tokens() if token.flags & TokenFlag.TOKEN_INITIALIZED]
    found = [token for token in tokens if not token_label or token.label == token_label]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(quoted(token.label) for token in tokens)) or "none"
    wanted = f"tokens labelled '{token_label}'" if token_label else "tokens"
    raise BrokenLink(
        "argument",
        f"{module_path} has {len(found)} {wanted}, where exactly one is needed (it has: {names}).",
        "Set token_label to one of them.",
    )


def _rsa_keys(session: Any, wanted: WantedKey) -> List[SeenKey]:
    keys = []
    modulus = int(wanted.modulus, 16)
    content = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    for key_class, number in (("private", ObjectClass.PRIVATE_KEY), ("public", ObjectClass.PUBLIC_KEY)):
        found = session.get_objects(
            {Attribute.CLASS: number, Attribute.KEY_TYPE: KeyType.RSA, Attribute.MODULUS: content}
        )
        for key in list(found):
            value = bytes(_attribute(key, Attribute.MODULUS) or b"")
            keys.append(
                _seen(
                    key,
                    key_class,
                    modulus=bare_digits(value.hex()),
                    key_size=int.from_bytes(value, "big").bit_length() or None,
                )
            )
    return keys


def _ec_keys(session: Any, wanted: WantedKey) -> List[SeenKey]:
    """EC keys. A private key seldom carries the point: it is then the one with the public key's CKA_ID."""
    keys: List[SeenKey] = []
    identifiers = []
    for key in list(
        session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.KEY_TYPE: KeyType.EC})
    ):
        if _point(key) == wanted.point:
            keys.append(_seen(key, "public", point=wanted.point))
            identifiers.append(bytes(_attribute(key, Attribute.ID) or b""))
    for key in list(
        session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.KEY_TYPE: KeyType.EC})
    ):
        point = _point(key)
        identifier = bytes(_attribute(key, Attribute.ID) or b"")
        # An empty identifier is every key's that has none: it pairs nothing.
        if point == wanted.point or (not point and identifier and identifier in identifiers):
            keys.append(_seen(key, "private", point=wanted.point))
    return keys


def _point(key: Any) -> str:
    return point_of(bytes(_attribute(key, Attribute.EC_POINT) or b"").hex())


def _attribute(key: Any, name: Any) -> Any:
    try:
        return key[name]
    except (errors.AttributeTypeInvalid, errors.AttributeSensitive, errors.AttributeValueInvalid):
        return None


def _seen(
    key: Any, key_class: str, modulus: str = "", point: str = "", key_size: Optional[int] = None
) -> SeenKey:
    identifier = bytes(_attribute(key, Attribute.ID) or b"")
    return SeenKey(
        int(key.handle),
        key_class,
        modulus=modulus,
        point=point,
        key_size=key_size,
        label=str(_attribute(key, Attribute.LABEL) or ""),
        key_id=f"0x{identifier.hex()}" if identifier else "",
    )


_MEANINGS: Sequence[Tuple[str, Link, str, str, Type[BrokenLink]]] = (
    (
        "PinLocked",
        "credential",
        "the crypto user is locked",
        "An admin must set a new password; five wrong logins lock a user.",
        LockedError,
    ),
    (
        "PinIncorrect PinInvalid PinLenRange PinExpired",
        "credential",
        "the token refused the PIN",
        "Check crypto_user and crypto_password on one host only: five wrong logins lock the user.",
        LoginRefusedError,
    ),
    (
        "UserNotLoggedIn",
        "credential",
        "the token wants a login",
        "Set crypto_user and crypto_password.",
        NoLoginError,
    ),
    (
        "DeviceError DeviceRemoved TokenNotPresent TokenNotRecognised",
        "cluster",
        "the library cannot reach the HSM",
        "Check TCP port 2223 to every HSM (the cluster's own security group) and the library's configuration (configure-pkcs11).",
        UnreachableError,
    ),
)


def _failure(error: Exception, module_path: str) -> BrokenLink:
    name = type(error).__name__
    why = f"{name}: {error}" if str(error) else name
    library = f"PKCS#11 library {os.path.basename(module_path)}"
    for names, link, meaning, advice, kind in _MEANINGS:
        if name in names.split():
            return kind(link, f"{library}: {meaning} ({why}).", advice)
    return UnexplainedError("key", f"{library}: the search failed ({why}).", "See the library's own log.")
