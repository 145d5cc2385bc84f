# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's CloudHSM cluster: crypto users, key handles and HSM addresses over key pairs that live in a
SoftHSM token.

SoftHSM knows one user and no handles of its own; who may see and use which key, the lockout after wrong
passwords and on how many HSMs a key lies are kept here. Users and handles live as long as the ``Cluster``.
"""

from __future__ import annotations

import datetime
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from .softhsm import (
    PublicPart,
    SigningArguments,
    Token,
    ec_public_key,
)

PORT = 2223
"""TCP port of an HSM."""
WRONG_LOGINS = 5
"""So many wrong passwords in a row lock a user (AWS CloudHSM user guide, loginHSM)."""
FIRST_HANDLE = 1835009

RET_USER_LOGIN_FAILURE = 0xA3
INVALID_USER_TYPE = 0xDB
USER_UNKNOWN = 0xCE
KEY_ACCESS_DENIED = 0xC6
INVALID_HANDLE = 0xA8
TEXTS = {
    RET_USER_LOGIN_FAILURE: "HSM Error: RET_USER_LOGIN_FAILURE",
    INVALID_USER_TYPE: "HSM Error: Invalid User Type",
    USER_UNKNOWN: "HSM Error: This user doesn't exist",
    KEY_ACCESS_DENIED: "HSM Error: Key Access is denied",
    INVALID_HANDLE: "HSM Error: Invalid object handle is passed to this operation",
}


class HsmError(Exception):
    """What an HSM refuses: ``code`` is the HSM's, ``text`` what SDK 3 says of it."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(detail or TEXTS[code])
        self.code = code
        self.text = TEXTS[code]


class LoginFailedError(HsmError):
    """``locked``: the user has been locked, now or before."""

    def __init__(self, code: int, locked: bool = False) -> None:
        super().__init__(code)
        self.locked = locked


@dataclass
class User:
    name: str
    password: str
    role: str = "CU"
    wrong: int = 0

    @property
    def locked(self) -> bool:
        return self.wrong >= WRONG_LOGINS


@dataclass(frozen=True)
class KeyObject:
    """One half of a key pair as an HSM shows it. ``partner``: the handle of the other half."""

    handle: int
    partner: int
    cls: str
    """private or public"""
    label: str
    id: bytes
    """The id as its owner set it: may be empty and the same for several keys"""
    public: PublicPart
    owner: str
    shared: tuple[str, ...] = ()
    hsms: int = 1
    """On how many HSMs of the cluster the key lies"""
    token_id: bytes = b""
    """Names the pair in the SoftHSM token"""
    attributes: dict[str, object] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """As Client SDK 5 writes a handle."""
        return f"0x{self.handle:016x}"

    @property
    def key_type(self) -> str:
        return self.public.key_type

    @property
    def key_size(self) -> int:
        return self.public.size

    @property
    def modulus(self) -> int:
        """0 for keys that have none."""
        return self.public.modulus

    @property
    def exponent(self) -> int:
        return self.public.exponent

    @property
    def public_key(self) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        if self.public.key_type == "rsa":
            return rsa.RSAPublicNumbers(self.exponent, self.modulus).public_key()
        return ec_public_key(self.public)

    @property
    def public_der(self) -> bytes:
        """RSA: PKCS#1, EC: the uncompressed point; what stands in a certificate's public key bits."""
        key = self.public_key
        if isinstance(key, rsa.RSAPublicKey):
            return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


@dataclass(frozen=True)
class Keys:
    """All keys of a cluster at a moment, and how many pairs were ever made."""

    by_handle: Mapping[int, KeyObject]
    pairs: int


class Cluster:
    """A cluster of HSMs. Make one with ``Cluster.create``; ``close`` ends its listeners."""

    def __init__(
        self, token: Token, hsm_type: str, addresses: list[str], customer_ca_pem: str, cluster_id: str
    ) -> None:
        self.token = token
        self.hsm_type = hsm_type
        self.addresses = addresses
        self.customer_ca_pem = customer_ca_pem
        self.cluster_id = cluster_id
        self.trust_anchor: x509.Certificate | None = None
        """Who has issued the certificates of the clients that are let in; None where they need none"""
        self.users: dict[str, User] = {}
        self.down: set[str] = set()
        """Addresses whose HSM does not answer"""
        self.operations: list[tuple[str, str, int]] = []
        """What was done on the HSMs: user, operation (login, login_failed, find, sign), handle or 0"""
        self._keys: dict[int, KeyObject] = {}
        self._pairs = 0
        self._listeners: dict[str, socket.socket] = {}
        self._lock = threading.RLock()

    @classmethod
    def create(
        cls,
        state_dir: Path,
        hsm_type: str = "hsm2m",
        hsm_count: int = 2,
        *,
        noise: bool = True,
        cluster_id: str = "cluster-lab2mhsm1ab",
        first: int = 11,
    ) -> Cluster:
        """A new cluster below ``state_dir``, with an admin, and with some keys of other people unless
        ``noise`` is false. ``first``: the last number of its first HSM's address.
        """
        if hsm_type not in ("hsm1", "hsm2m"):
            raise ValueError(f"hsm_type is {hsm_type!r}; a cluster is of type hsm1 or hsm2m")
        if not 1 <= hsm_count <= 28:
            raise ValueError(f"hsm_count is {hsm_count}; a cluster has 1 to 28 HSMs")
        token = Token.create(state_dir / "hsm", "lab")
        addresses, listeners = _listen(hsm_count, first)
        cluster = cls(token, hsm_type, addresses, _customer_ca(), cluster_id)
        cluster._listeners = listeners
        for listener in listeners.values():
            threading.Thread(target=_answer, args=(listener,), daemon=True).start()
        cluster.add_user("admin", "Lab-admin-1!", role="CO")
        if noise:
            cluster._add_noise()
        return cluster

    def _add_noise(self) -> None:
        self.add_user("backup", "Lab-backup-1!")
        self.generate_rsa("codesign", owner="backup", bits=2048)
        self.generate_rsa("codesign", owner="backup", bits=3072)
        self.generate_rsa("tls", owner="backup", bits=4096)
        self.generate_ec("tls", owner="backup", curve="P-256")

    # Users
    # -------------------------------------------------------------------------------------------------------------

    def add_user(self, name: str, password: str, role: str = "CU") -> User:
        """``role``: CU (crypto user) or CO (crypto officer; SDK 5 says admin)."""
        if name in self.users:
            raise ValueError(f"the cluster has a user {name!r} already")
        self.users[name] = User(name, password, role)
        return self.users[name]

    def change_password(self, name: str, password: str) -> None:
        """What an officer does; it unlocks the user as well."""
        self.users[name].password = password
        self.users[name].wrong = 0

    def login(self, name: str, password: str) -> Session:
        """A session of a crypto user, or ``LoginFailedError``. Only crypto users use keys."""
        with self._lock:
            user = self.users.get(name)
            if user is None:
                self.operations.append((name, "login_failed", 0))
                raise LoginFailedError(USER_UNKNOWN)
            if user.role != "CU":
                self.operations.append((name, "login_failed", 0))
                raise LoginFailedError(INVALID_USER_TYPE)
            if user.locked or user.password != password:
                user.wrong = min(user.wrong + 1, WRONG_LOGINS)
                self.operations.append((name, "login_failed", 0))
                raise LoginFailedError(RET_USER_LOGIN_FAILURE, locked=user.locked)
            user.wrong = 0
            self.operations.append((name, "login", 0))
            return Session(self, user)

    # Keys
    # --------------------------------------------------------------------------------------------------------------

    def generate_rsa(
        self, label: str, owner: str, bits: int = 2048, *, key_id: bytes = b"", shared: Iterable[str] = ()
    ) -> tuple[KeyObject, KeyObject]:
        """A new RSA key pair (private, public) in the token; its private key never leaves it."""
        token_id = self._next_token_id()
        return self._register(
            self.token.generate_rsa(bits, label, token_id), label, owner, key_id, shared, token_id
        )

    def generate_ec(
        self, label: str, owner: str, curve: str = "P-256", *, key_id: bytes = b"", shared: Iterable[str] = ()
    ) -> tuple[KeyObject, KeyObject]:
        token_id = self._next_token_id()
        return self._register(
            self.token.generate_ec(curve, label, token_id), label, owner, key_id, shared, token_id
        )

    def _next_token_id(self) -> bytes:
        with self._lock:
            self._pairs += 1
            return self._pairs.to_bytes(2, "big")

    def _register(
        self, part: PublicPart, label: str, owner: str, key_id: bytes, shared: Iterable[str], token_id: bytes
    ) -> tuple[KeyObject, KeyObject]:
        # Handles of a pair lie beside each other, the public key's first: as on a real HSM, nothing may be
        # concluded from it.
        public_handle = FIRST_HANDLE + 2 * (int.from_bytes(token_id, "big") - 1)
        private_handle = public_handle + 1
        copies, readers = len(self.addresses), tuple(shared)
        private = KeyObject(
            private_handle, public_handle, "private", label, key_id, part, owner, readers, copies, token_id
        )
        public = KeyObject(
            public_handle, private_handle, "public", label, key_id, part, owner, readers, copies, token_id
        )
        with self._lock:
            self._keys.update({private_handle: private, public_handle: public})
        return private, public

    def all_keys(self) -> list[KeyObject]:
        """All keys of the cluster, whoever owns them, in the order of their handles."""
        return [self._keys[handle] for handle in sorted(self._keys)]

    def key(self, handle: int) -> KeyObject | None:
        return self._keys.get(handle)

    def share(self, handle: int, users: Iterable[str]) -> None:
        """Sets who else may use the key pair of ``handle``."""
        self._change_pair(handle, shared=tuple(users))

    def set_copies(self, handle: int, hsms: int) -> None:
        """Sets on how many HSMs the key pair of ``handle`` lies."""
        self._change_pair(handle, hsms=hsms)

    def _change_pair(self, handle: int, **changes: object) -> None:
        with self._lock:
            for one in (handle, self._keys[handle].partner):
                self._keys[one] = replace(self._keys[one], **changes)  # type: ignore[arg-type]

    def give(self, handle: int, owner: str) -> None:
        """Makes another user the owner of the key pair of ``handle``."""
        self._change_pair(handle, owner=owner)

    def name(self, handle: int, label: str) -> None:
        """Gives the key pair of ``handle`` another label."""
        self._change_pair(handle, label=label)

    def double(self, handle: int) -> tuple[int, int]:
        """The key pair of ``handle`` once more, as somebody gets it who imports it twice: the new handles,
        private and public.
        """
        with self._lock:
            public = FIRST_HANDLE + 2 * (int.from_bytes(self._next_token_id(), "big") - 1)
            key = self._keys[handle]
            for old, new, partner in ((key.handle, public + 1, public), (key.partner, public, public + 1)):
                self._keys[new] = replace(self._keys[old], handle=new, partner=partner)
        return public + 1, public

    def delete_pair(self, handle: int) -> None:
        with self._lock:
            key = self._keys.pop(handle)
            self._keys.pop(key.partner, None)
            self.token.destroy(key.token_id)

    def keys_there(self) -> Keys:
        """The keys as they are, for ``put_back``."""
        with self._lock:
            return Keys(dict(self._keys), self._pairs)

    def made_since(self, keys: Keys) -> list[KeyObject]:
        """The private keys that were made since then."""
        return [key for key in self.all_keys() if key.cls == "private" and key.handle not in keys.by_handle]

    def put_back(self, keys: Keys) -> None:
        """Takes away what was made since then: the next key that is made gets the handle that the first of those had. What
        was deleted since then stays deleted.
        """
        with self._lock:
            for key in self.made_since(keys):
                self.delete_pair(key.handle)
            self._pairs = keys.pairs

    def delete_key(self, handle: int) -> None:
        """Forgets one half of a pair; the other stays (and the token keeps both)."""
        with self._lock:
            self._keys.pop(handle)

    def signing_arguments(self, handle: int, folder: Path | None = None) -> SigningArguments:
        """How another program signs with this private key."""
        key = self._keys.get(handle)
        if key is None or key.cls != "private":
            raise HsmError(INVALID_HANDLE)
        return self.token.signing_arguments(key.token_id, folder)

    # Network
    # -----------------------------------------------------------------------------------------------------------

    def reachable(self, address: str, port: int = PORT) -> bool:
        """Whether a TCP connection to ``address`` can be made: a real one where the lab could bind the
        address.
        """
        if address not in self.addresses or port != PORT or address in self.down:
            return False
        if address not in self._listeners:
            return True
        try:
            with socket.create_connection((address, port), timeout=5):
                return True
        except OSError:
            return False

    def close(self) -> None:
        for listener in self._listeners.values():
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected, on some systems an error for a listener
            listener.close()
        self._listeners = {}


class Session:
    """A crypto user who has logged in."""

    def __init__(self, cluster: Cluster, user: User) -> None:
        self.cluster = cluster
        self.user = user

    def _may_use(self, key: KeyObject) -> bool:
        return key.owner == self.user.name or self.user.name in key.shared

    def visible(self) -> list[KeyObject]:
        """The user's own keys, those shared with it, and every public key (user guide, findKey)."""
        return [key for key in self.cluster.all_keys() if key.cls == "public" or self._may_use(key)]

    def find(
        self,
        cls: str | None = None,
        modulus: int | None = None,
        label: str | None = None,
        key_id: bytes | None = None,
    ) -> list[KeyObject]:
        """The visible keys that fit all that is given."""
        self.cluster.operations.append((self.user.name, "find", 0))
        return [
            key
            for key in self.visible()
            if cls in (None, key.cls)
            and modulus in (None, key.modulus)
            and label in (None, key.label)
            and key_id in (None, key.id)
        ]

    def get(self, handle: int) -> KeyObject:
        """The key of ``handle``; HsmError if there is none, or if the user may not see it."""
        key = self.cluster.key(handle)
        if key is None:
            raise HsmError(INVALID_HANDLE)
        if key.cls == "private" and not self._may_use(key):
            raise HsmError(KEY_ACCESS_DENIED)
        return key

    def sign(self, handle: int, digest: bytes, algorithm: str) -> bytes:
        """Signs a digest (sha1, sha256, sha384, sha512) in the token."""
        key = self.get(handle)
        if key.cls != "private":
            raise HsmError(INVALID_HANDLE)
        self.cluster.operations.append((self.user.name, "sign", handle))
        return self.cluster.token.sign_digest(key.token_id, digest, algorithm)


def _listen(count: int, first: int) -> tuple[list[str], dict[str, socket.socket]]:
    """Addresses for ``count`` HSMs with a listener each; without listeners where the system has only
    127.0.0.1.
    """
    for net in range(250):
        addresses = [f"127.0.{net}.{first + index}" for index in range(count)]
        listeners: dict[str, socket.socket] = {}
        try:
            for address in addresses:
                listeners[address] = listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, PORT))
                listener.listen(16)
            return addresses, listeners
        except OSError:
            for listener in listeners.values():
                listener.close()
    return [f"127.0.0.{first + index}" for index in range(count)], {}


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            connection, _peer = listener.accept()
        except OSError:
            return
        connection.close()


def _customer_ca() -> str:
    """The operator's own certificate that the cluster's CSR was signed with (customerCA.crt)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Lab CloudHSM customer CA"),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3652))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
