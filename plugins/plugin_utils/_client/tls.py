# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's own certificate and private key, by which an HSM of type hsm2m knows it (mutual TLS): the files on
the host, who may read the key, and what differs. The key itself is never read from a host: its digest is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from ...module_utils._certificate import CertificateError, pem_certificates, read_certificates
from ...module_utils._findings import BrokenLink, Finding, found
from ...module_utils._results import AccessResult, DigestResult, Failure, FileContent, Result
from ...module_utils._steps import Digest, ReadAccess, ReadFile, RemoveFile, Step, WriteFile, WriteSecret
from ...module_utils._tools import configure
from .._aspect import ANYWHERE, NEVER, Context
from .._formats.sddl import FILE, may_read, name_of, others_in, readers_of

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

SECRET = "tls_key"  # noqa: S105 - the name by which the key travels, and of the option
MODULE = "Run the module cloudhsm.codesign.win_cloudhsm_client."
ALWAYS = ("S-1-5-18", "S-1-5-32-544")
"""The system and administrators: they may read the key whoever else may."""


@dataclass(frozen=True)
class Wanted:
    """``state`` is "" where nothing is asked for. Without ``key`` any key will do; ``readers`` are accounts."""

    state: Literal["", "present", "absent"] = ""
    certificate: bytes = b""
    key: str = field(default="", repr=False)
    readers: tuple[str, ...] = ()

    @property
    def key_digest(self) -> str:
        """The SHA-256 of the key's file; "" where any will do."""
        return hashlib.sha256(self.key.encode("utf-8")).hexdigest() if self.key else ""

    @property
    def secrets(self) -> dict[str, str]:
        """What goes along with the steps of ``plan``."""
        return {SECRET: self.key} if self.state == "present" and self.key else {}


@dataclass(frozen=True)
class Seen:
    """``certificate`` is None and ``key`` (the SHA-256 of its file) "" where there is no such file; ``access`` is the
    access list of the key's file. ``sids``: the readers' SIDs, "" for an account that the host does not know.
    """

    certificate: bytes | None = None
    key: str = ""
    access: str = ""
    sids: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The SIDs that may read the key."""
        return readers_of(self.access)

    def others(self) -> tuple[str, ...]:
        """Who may read the key and should not, and who may change it. Its owner is whoever wrote it."""
        readers = [
            name_of(one)
            for one in self.allowed
            if one not in ALWAYS and not any(may_read(sid, (one,)) for sid in self.sids.values() if sid)
        ]
        changers = others_in(self.access, FILE, owner=False) if self.access else ()
        return tuple(dict.fromkeys((*readers, *changers)))

    def missing(self) -> tuple[str, ...]:
        """The readers that may not read the key."""
        return tuple(name for name, sid in self.sids.items() if sid and not may_read(sid, self.allowed))


UNASKED, UNSEEN = Wanted(), Seen()


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted state from a module's arguments. BrokenLink for a certificate or key that cannot be used; its
    sentences say nothing of the key.
    """
    if params.get("tls_state") == "absent":
        return Wanted("absent")
    certificate, key = (_text(params.get(name)) for name in ("tls_certificate", "tls_key"))
    if not certificate and not key:
        return Wanted()
    problem = fault(certificate, key)
    if problem:
        raise BrokenLink("argument", *problem)
    readers = tuple(dict.fromkeys(str(name) for name in params.get("tls_readers") or ()))
    return Wanted("present", certificate.encode("utf-8"), key, readers)


def _text(value: Any) -> str:
    text = str(value or "").replace("\r\n", "\n").strip()
    return f"{text}\n" if text else ""


def fault(certificate: str, key: str) -> tuple[str, str] | None:
    """What is wrong with a certificate and its key (PEM), and what to do; None where they fit each other."""
    if not certificate:
        return "tls_key is given without tls_certificate.", "Give the client's certificate as well."
    if not pem_certificates(certificate.encode("utf-8")):
        return (
            "tls_certificate is no certificate in PEM form.",
            "Give the client's certificate first, then those above it, BEGIN and END lines included.",
        )
    if not key:
        return None
    if not HAS_CRYPTOGRAPHY:
        return "Python's cryptography is missing on the control node.", "Install it there."
    try:
        private = load_pem_private_key(key.encode("utf-8"), None)
    except TypeError:
        return (
            "tls_key is encrypted with a passphrase, which nobody could give the client.",
            "Decrypt it, and keep it in a vault instead.",
        )
    except (ValueError, UnsupportedAlgorithm):
        return (
            "tls_key is no private key in PEM form.",
            "Give the whole file, BEGIN and END lines included.",
        )
    try:
        leaf = read_certificates(certificate.encode("utf-8"), "tls_certificate")[0]
        public = x509.load_der_x509_certificate(leaf.der).public_key()
    except (CertificateError, ValueError, UnsupportedAlgorithm) as error:
        return f"tls_certificate cannot be read: {str(error).rstrip('.')}.", "Get it again."
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != private.public_key().public_bytes(*form):
        return (
            "tls_key is not the key of tls_certificate.",
            "Give the key that the certificate was issued for; the client's certificate comes first in its file.",
        )
    return None


def observe(want: Wanted) -> list[Step]:
    """Three questions; none where nothing is asked for."""
    if not want.state:
        return []
    folder, name = configure.TLS_KEY.rsplit("\\", 1)
    return [
        ReadFile(configure.TLS_CERTIFICATE),
        Digest(configure.TLS_KEY),
        ReadAccess(folder, want.readers, name),
    ]


def read(want: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    if not want.state:
        return Seen()
    certificate = found(results[0], FileContent, "client", configure.TLS_CERTIFICATE)
    key = found(results[1], DigestResult, "client", configure.TLS_KEY)
    rights = found(results[2], AccessResult, "client", f"The access list of {configure.TLS_KEY}")
    name = configure.TLS_KEY.rsplit("\\", 1)[1].lower()
    lists = {file.lower(): text for file, text in rights.files.items()}
    what = f"The access list of {configure.TLS_KEY}"
    return Seen(
        certificate.content if certificate.exists else None,
        key.sha256 if key.exists else "",
        _text_of(lists.get(name, ""), what),
        {
            account: _text_of(rights.sids.get(account, ""), f"The account {account}")
            for account in want.readers
        },
    )


def _text_of(answer: str | Failure, what: str) -> str:
    if isinstance(answer, Failure):
        problem = f"{what} cannot be read: {answer.message.rstrip('. ')}."
        raise BrokenLink("client", problem, "Check the account's rights on this host.")
    return answer


def compare(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted of the files, and a certificate that has ended."""
    if want.state == "absent":
        there = (
            (configure.TLS_CERTIFICATE, seen.certificate is not None),
            (configure.TLS_KEY, bool(seen.key)),
        )
        return [Finding("client", path, "absent", "there", MODULE) for path, is_there in there if is_there]
    if not want.state:
        return []
    findings = []
    if _certificate_differs(want, seen):
        seen_as = "no such file" if seen.certificate is None else "another certificate"
        wish = "the client's certificate for TLS"
        findings.append(Finding("client", configure.TLS_CERTIFICATE, wish, seen_as, MODULE))
    if _key_differs(want, seen):
        wish = "the private key of the client's certificate"
        seen_as = "another key" if seen.key else "no such file"
        findings.append(Finding("client", configure.TLS_KEY, wish, seen_as, MODULE))
    for name, sid in seen.sids.items():
        if not sid:
            what = f"the account {name} of tls_readers"
            findings.append(Finding("host", what, "known to this host", "unknown", "Check its name."))
    if seen.key and _access_differs(seen):
        who = [f"{name} may not read it" for name in seen.missing()]
        who += [f"{name} may read or change it" for name in seen.others()]
        wish = "for the system, administrators and tls_readers only"
        what = f"the access to {configure.TLS_KEY}"
        findings.append(Finding("client", what, wish, ", ".join(who), MODULE))
    ended = _ended(want, context.now)
    if ended:
        what = "the client's certificate for TLS"
        advice = "Get its successor from the authority that the cluster trusts (its trust anchor), and set tls_certificate and tls_key."
        findings.append(Finding("client", what, "valid", f"expired on {ended:%Y-%m-%d}", advice, role=""))
    return findings


def _ended(want: Wanted, now: datetime) -> datetime | None:
    if now == NEVER:
        return None
    try:
        ends = read_certificates(want.certificate, "tls_certificate")[0].not_after
    except (CertificateError, IndexError):
        return None
    return ends if ends < now else None


def _certificate_differs(want: Wanted, seen: Seen) -> bool:
    return pem_certificates(want.certificate) != pem_certificates(seen.certificate or b"")


def _key_differs(want: Wanted, seen: Seen) -> bool:
    return not seen.key or bool(want.key and seen.key != want.key_digest)


def _access_differs(seen: Seen) -> bool:
    return bool(seen.others() or seen.missing())


def check(want: Wanted, seen: Seen) -> None:
    """BrokenLink for readers that the host does not know."""
    unknown = [name for name, sid in seen.sids.items() if not sid]
    if unknown:
        raise BrokenLink(
            "argument",
            f"This host knows no account {unknown[0]}, which tls_readers names.",
            "Check the name; a domain's account is written DOMAIN\\name.",
        )


def plan(want: Wanted, seen: Seen) -> list[Step]:
    """The steps that bring ``seen`` to ``want``; none where nothing differs. They need ``want.secrets``."""
    if want.state == "absent":
        paths = [configure.TLS_CERTIFICATE] if seen.certificate is not None else []
        paths += [configure.TLS_KEY] if seen.key else []
        return [RemoveFile(path) for path in paths]
    if not want.state:
        return []
    steps: list[Step] = []
    if _certificate_differs(want, seen):
        steps.append(WriteFile(configure.TLS_CERTIFICATE, want.certificate))
    if want.key and (_key_differs(want, seen) or _access_differs(seen)):
        steps.append(WriteSecret(configure.TLS_KEY, SECRET, tuple(seen.sids.values())))
    return steps


def predict(want: Wanted, seen: Seen) -> Seen:
    """What is there once the plan was done."""
    if want.state == "absent":
        return replace(seen, certificate=None, key="", access="")
    if not plan(want, seen):
        return seen
    written = [step for step in plan(want, seen) if isinstance(step, WriteSecret)]
    readers = "".join(f"(A;;FR;;;{sid})" for sid in seen.sids.values())
    return replace(
        seen,
        certificate=want.certificate if _certificate_differs(want, seen) else seen.certificate,
        key=want.key_digest if written else seen.key,
        access=f"D:PAI(A;;FA;;;SY)(A;;FA;;;BA){readers}" if written else seen.access,
    )


def as_dict(want: Wanted, seen: Seen) -> dict[str, Any] | None:
    """For a module's result and its diff: of the key only whether it is the wanted one."""
    if not want.state:
        return None
    there = "as wanted" if not want.key or seen.key == want.key_digest else "another"
    certificate = seen.certificate
    return {
        "certificate": None
        if certificate is None
        else certificate.decode("ascii", "replace").replace("\r\n", "\n").strip(),
        "key": there if seen.key else "none",
        "may_read": sorted(one for one in seen.allowed if one not in ALWAYS),
    }
