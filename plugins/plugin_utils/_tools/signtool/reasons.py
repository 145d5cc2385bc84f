# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's error sentences by table: what each one means, which link of the chain it blames, what to do.

SignTool prints English on every Windows; only system messages behind a code are translated, and those are not
looked at.
"""

from __future__ import annotations

import re
from typing import Mapping, Pattern

from ..._formats import codes as hresult
from ..._formats.codes import FILE, KEY, RUN, STAMP_AGAIN, TIMESTAMP, Reason

__all__ = [
    "BAD_DIGEST",
    "CODES",
    "ENDLESS_CERTIFICATE",
    "FILE",
    "FILTERS",
    "KEY",
    "KEY_NOT_OPENED",
    "NOT_OF_A_STAMP",
    "NO_END",
    "RUN",
    "STAMP_AGAIN",
    "STAMP_OF_THE_HOST",
    "TIMESTAMP",
    "TIMESTAMP_REFUSED",
    "UNKNOWN",
    "VERIFY_CODES",
    "Reason",
    "is_bad_answer",
    "leaves_open",
    "of_code",
    "of_sentence",
    "of_stamp_status",
    "of_verify_code",
]

CODES: Mapping[int, Reason] = {
    value: code.signing for value, code in hresult.CODES.items() if code.signing is not None
}
"""What a code means where SignTool signs. On this path a code of the provider (0x8009....) means the key."""

VERIFY_CODES: Mapping[int, Reason] = {
    value: code.verifying for value, code in hresult.CODES.items() if code.verifying is not None
}
"""What a code of ``verify`` means."""

BAD_DIGEST = VERIFY_CODES[0x80096010]
"""The file was changed after it was signed: nothing else says so."""

UNKNOWN = Reason(
    "unknown",
    "signtool",
    FILE,
    "SignTool gave a reason that is not known",
    "Look at SignTool's own words (output in the file's entry).",
)

_NO_CERTIFICATE = Reason(
    "no_certificate",
    "certificate",
    RUN,
    "SignTool found no certificate that fits in the store",
    "Check thumbprint and store, that the certificate is valid and meant for code signing, and that it is tied to its key (win_cert_repairstore).",
)
_TIMESTAMP_FAILED = Reason(
    "timestamp_failed",
    "timestamp",
    TIMESTAMP,
    "the timestamp authority could not be reached or gave no valid answer",
    "Check the address and that the host may reach it; give a second address in timestamp_urls.",
)
TIMESTAMP_REFUSED = Reason(
    "timestamp_failed",
    "timestamp",
    TIMESTAMP,
    "the timestamp authority's answer cannot be read",
    "Try again, or use another timestamp authority.",
)
NO_END = Reason(
    "no_end",
    "timestamp",
    TIMESTAMP,
    "SignTool did not end in time and was stopped",
    "Check the timestamp authority and the HSM, or raise timeout.",
)
"""A run that asks an authority and hangs: it waits for the authority, or for the key."""
NOT_OF_A_STAMP = Reason(
    "key_failed",
    "key",
    KEY,
    "the signature failed, and no timestamp was asked for",
    "Check client, credentials and cluster (win_codesign_info).",
)
"""A code of the network or of a bad answer, from a run that asks no authority."""
KEY_NOT_OPENED = Reason(
    "key_not_opened",
    "key",
    RUN,
    "SignTool says that the file is not there, but it is: what is missing is the key, its provider or the certificate store",
    "Check provider, key container and store (win_codesign_info).",
)
"""0x80070002 about a file that is there: the key could not be opened."""
ENDLESS_CERTIFICATE = Reason(
    "endless_certificate",
    "certificate",
    RUN,
    "the certificate ends after the year 3000, and SignTool drops such a certificate without saying so",
    "Sign with a certificate that ends before.",
)
_USAGE = Reason(
    "usage",
    "argument",
    RUN,
    "SignTool did not accept its command line",
    "This is a fault of the module's or an option that this SignTool does not know.",
)

SENTENCES: tuple[tuple[Pattern[str], Reason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (
            r"Signing succeeded, but an error occurred while attempting to timestamp",
            Reason(
                "signed_not_timestamped",
                "timestamp",
                TIMESTAMP,
                "the file is signed, but the timestamp failed",
                "The next run adds the timestamp.",
            ),
        ),
        (r"specified timestamp server either could not be reached", _TIMESTAMP_FAILED),
        (
            r"Invalid Timestamp URL",
            Reason(
                "invalid_timestamp_url",
                "timestamp",
                RUN,
                "SignTool does not take this timestamp address",
                "Give an address that begins with http://.",
            ),
        ),
        (r"No certificates were found that met all the given criteria", _NO_CERTIFICATE),
        (
            r"Multiple certificates were found that meet all the given",
            Reason(
                "several_certificates",
                "certificate",
                RUN,
                "more than one certificate fits",
                "Give the thumbprint.",
            ),
        ),
        # The message names the file to be signed, which is not at fault: the store's certificate is linked to
        # another key.
        (
            r"attempting to load the signing certificate from",
            Reason(
                "wrong_key",
                "certificate",
                RUN,
                "the certificate cannot be used: it is tied to a key that is not its own, or a certificate file cannot be read",
                "Tie the certificate to its own key (win_cert_repairstore); check additional_certificates.",
            ),
        ),
        (
            r"private key does not match the public key",
            Reason(
                "key_mismatch",
                "certificate",
                RUN,
                "the key is not the certificate's",
                "Tie the certificate to its own key (win_cert_repairstore).",
            ),
        ),
        (
            r"Could not associate private key with certificate",
            Reason(
                "not_associated",
                "certificate",
                RUN,
                "the key could not be tied to the certificate of the store",
                "Tie it with win_cert_repairstore.",
            ),
        ),
        (
            r"No private key is available",
            Reason(
                "no_private_key",
                "key",
                RUN,
                "the certificate's key cannot be opened",
                "Check provider, key container and credentials (win_codesign_info).",
            ),
        ),
        (r"specified private key container was not found", CODES[0x80090016]),
        (r"specified CSP could not be found", CODES[0x80090019]),
        (
            r"cross certificate would not be present in the certificate chain",
            Reason(
                "not_of_the_chain",
                "argument",
                RUN,
                "the additional certificate is not of the signing certificate's chain, and SignTool signs nothing with it",
                "Give a certificate of the chain in additional_certificates, or leave them out.",
            ),
        ),
        (
            r"signer'?s certificate is not valid for signing",
            Reason(
                "signer_not_valid",
                "certificate",
                RUN,
                "Windows does not take the certificate for signing: its chain cannot be built on this host, or it is not meant for code signing",
                "Put the intermediate certificates into LocalMachine\\CA and the root into LocalMachine\\Root (role certificates).",
            ),
        ),
        (
            r"No signature was found\. The file must be signed before",
            Reason(
                "not_signed",
                "file",
                FILE,
                "the file has no signature that could be timestamped",
                "Sign it first (state: signed).",
            ),
        ),
        (
            r"Multiple signature support is not implemented",
            Reason(
                "append_not_supported",
                "file",
                FILE,
                "this kind of file can hold one signature only",
                "Leave append out.",
            ),
        ),
        (
            r"file format cannot be (?:signed|verified) because it is not\s+recognized",
            CODES[0x800B0003],
        ),
        (r"file is being used by another process", CODES[0x80070020]),
        (
            r"Access is denied",
            CODES[0x80070005],
        ),
        (
            r"section alignment is not a multiple of page size",
            Reason(
                "page_hashes_impossible",
                "file",
                FILE,
                "this program cannot have page hashes",
                "Leave page_hashes out.",
            ),
        ),
        (
            r"Invalid index specified",
            Reason("no_such_signature", "file", FILE, "the file has no signature with this index", ""),
        ),
        (
            r"Invalid SHA1 hash format",
            Reason(
                "invalid_thumbprint",
                "argument",
                RUN,
                "SignTool does not take this thumbprint",
                "Give 40 hexadecimal digits.",
            ),
        ),
        (
            r"specified algorithm cannot be used or is invalid",
            Reason(
                "invalid_digest",
                "argument",
                RUN,
                "SignTool does not take this digest algorithm",
                "Use sha256.",
            ),
        ),
        (r"File not valid", Reason("not_in_catalog", "file", FILE, "the file is in no catalog", "")),
        (r"^File not found", CODES[0x80070002]),
        (
            r"terminated in a root certificate which is not trusted",
            CODES[0x800B0109],
        ),
        (
            r"signing certificate is not valid for the requested usage",
            CODES[0x800B0110],
        ),
        (
            r"not within its validity period",
            CODES[0x800B0101],
        ),
        (
            r"timestamp signature and/or certificate could not be verified",
            VERIFY_CODES[0x80096005],
        ),
        (
            r"Signature did not pass crypto policy",
            Reason(
                "crypto_policy",
                "certificate",
                FILE,
                "an algorithm or a key of the signature or its chain does not satisfy this host's policy",
                "Look at the digest, the key sizes and the host's policy for weak cryptography.",
            ),
        ),
        (
            r"does not chain to a Microsoft Root",
            Reason(
                "not_microsoft_root", "certificate", FILE, "the chain does not end in a Microsoft root", ""
            ),
        ),
        (
            r"does not chain to the specified Root",
            Reason("other_root", "certificate", FILE, "the chain ends in another root than asked for", ""),
        ),
        (
            r"does not have a specified SHA1 hash",
            Reason("other_certificate", "certificate", FILE, "another certificate signed the file", ""),
        ),
        (r"^No signature found", CODES[0x800B0100]),
        (
            "|".join(
                (
                    "No file (?:digest|timestamp) algorithm specified",
                    "Invalid option",
                    "Invalid command",
                    "Missing filename",
                    "required parameter is missing",
                    "requires a parameter",
                    "is incompatible with the",
                    "cannot be used with",
                    "You cannot use the",
                    "requires the /",
                )
            ),
            _USAGE,
        ),
    )
)


def of_verify_code(code: int) -> Reason:
    """The reason for a code of a verification. One that no table knows is shown, and its link is that of its
    family.
    """
    known = VERIFY_CODES.get(code)
    if known:
        return known
    elsewhere = hresult.lookup(code)
    of_trust = code >> 16 in (0x800B, 0x8009)
    link = "certificate" if of_trust or elsewhere is None else elsewhere.link
    return Reason(
        "not_accepted",
        link,
        FILE,
        f"the verification answers {hresult.describe(code)}",
        "Look at the certificates of the chain on this host.",
    )


def of_stamp_status(status: int | None, sentence: str) -> Reason:
    """Why the chain of a timestamp is not trusted: by CERT_TRUST_STATUS.dwErrorStatus (wincrypt.h), the first
    that fits.
    """
    for bit, meaning, advice in STAMP_STATUS:
        if status is not None and status & bit:
            return Reason(
                "timestamp_not_trusted",
                "timestamp",
                FILE,
                f"this host does not trust its timestamp: {meaning}",
                advice,
            )
    why = f"status 0x{status:08x}" if status is not None else sentence.rstrip(".") or "no reason is given"
    return Reason(
        "timestamp_not_trusted",
        "timestamp",
        FILE,
        f"this host does not trust its timestamp: {why}",
        _AUTHORITY,
    )


_AUTHORITY = "Look at the certificates of the timestamp authority on this host."
_AUTHORITY_ROOT = "Put the root certificate of the timestamp authority into LocalMachine\\Root."
STAMP_STATUS: tuple[tuple[int, str, str], ...] = (
    (0x00000020, "its chain ends in a root that is not in the host's Root store", _AUTHORITY_ROOT),
    (
        0x00010000,
        "its chain cannot be built up to a root",
        "Put the intermediate certificates of the timestamp authority into LocalMachine\\CA and its root into LocalMachine\\Root.",
    ),
    (0x00000004, "a certificate of its chain was revoked", STAMP_AGAIN),
    (0x04000000, "the host distrusts a certificate of its chain explicitly", STAMP_AGAIN),
    (0x00000008, "the signature of a certificate of its chain is not valid", STAMP_AGAIN),
    (0x00000010, "the authority's certificate is not meant for timestamps", STAMP_AGAIN),
    (
        0x00000001,
        "a certificate of its chain is expired or not yet valid",
        f"Check the host's clock. {STAMP_AGAIN}",
    ),
    (
        0x01000000,
        "the revocation list of its authority cannot be reached",
        "Let the host reach the revocation list of the timestamp authority.",
    ),
    (
        0x00000040,
        "whether its authority's certificate was revoked is not known",
        "Let the host reach the revocation list of the timestamp authority.",
    ),
)
"""Bits of the status of a timestamp's chain: what they mean, what to do."""

STAMP_OF_THE_HOST = 0x01010060
"""The bits that the host's stores and its way to revocation lists explain: another stamp would not be trusted
either.
"""


def of_code(code: int, stamping: bool = False) -> Reason | None:
    """The reason for a code of a run that signs; all codes of key storage providers that have no line of
    their own are alike.

    ``stamping``: SignerTimeStamp() gave it, which uses no key: what is not the file's fault is the
    authority's.
    """
    # What takes signatures off gives the system's number as it is, and one of them means something of its own there.
    known = CODES.get(code) or CODES.get(hresult.hresult(code))
    network = code >> 16 == 0x8019 or code & 0xFFFFFE00 == 0x80072E00 or code == 0x8009310B
    if network or (stamping and (known is None or known.link != "file")):
        return Reason(
            "timestamp_failed",
            "timestamp",
            TIMESTAMP,
            f"the timestamp failed with 0x{code:08x}",
            "Try again, or use another timestamp authority.",
        )
    if known:
        return known
    if code >> 16 == 0x8009 and (code & 0xFFFF) < 0x1000:
        return Reason(
            "key_failed",
            "key",
            KEY,
            f"the key storage provider failed with 0x{code:08x}",
            "Check client, credentials and cluster (win_codesign_info).",
        )
    return None


def is_bad_answer(code: int) -> bool:
    """Whether a run that asks for timestamps means the authority's answer: a message (0x80091...) or ASN.1
    (0x80093...) that cannot be read, or one without the certificate that signed it.
    """
    return code >> 12 in (0x80091, 0x80093) or code == 0x80092004


_SEVERAL_CAUSES = (
    "container_not_found",
    "provider_not_found",
    "key_not_opened",
    "key_not_linked",
    "no_private_key",
    "not_associated",
)


def leaves_open(reason: Reason) -> bool:
    """Whether the reason fits several causes on the way to the key: SignTool says the same of a key that is
    gone and of an HSM that does not answer.
    """
    return reason.scope == KEY or reason.key in _SEVERAL_CAUSES


def of_sentence(sentence: str) -> Reason | None:
    """The reason for one error sentence (white space already made single blanks)."""
    for pattern, reason in SENTENCES:
        if pattern.search(sentence):
            return reason
    return None


FILTERS = {
    "eku": Reason(
        "no_code_signing_usage",
        "certificate",
        RUN,
        "no certificate of the store has the code-signing usage",
        "Use a certificate with the code-signing usage.",
    ),
    "expiry": Reason(
        "expired_certificate",
        "certificate",
        RUN,
        "no code-signing certificate of the store is valid now",
        "Renew the certificate.",
    ),
    "hash": Reason(
        "no_such_certificate",
        "certificate",
        RUN,
        "the store holds no valid code-signing certificate with this thumbprint",
        "Check the thumbprint and the store; an expired certificate and one for another usage count as missing.",
    ),
    "subject name": Reason(
        "no_such_certificate",
        "certificate",
        RUN,
        "the store holds no valid code-signing certificate with this subject",
        "Check the subject.",
    ),
    "issuer name": Reason(
        "no_such_certificate",
        "certificate",
        RUN,
        "the store holds no valid code-signing certificate of this issuer",
        "Check the issuer.",
    ),
    "root name": Reason(
        "no_such_certificate",
        "certificate",
        RUN,
        "no certificate of the store chains to this root",
        "Check the root's name.",
    ),
    "private key": Reason(
        "key_not_linked",
        "certificate",
        RUN,
        "the certificate is not tied to a key that this account can find",
        "Tie it with win_cert_repairstore; check that provider and key container exist.",
    ),
}
"""The filter of SignTool's /debug output that left no certificate, and what that means. The first one at 0 is
the reason.
"""
