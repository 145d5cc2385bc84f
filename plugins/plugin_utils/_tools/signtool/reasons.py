# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's error sentences by table: what each one means, which link of the chain it blames, what to do.

SignTool prints English on every Windows; only system messages behind a code are translated, and those are not
looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Pattern

from ..._formats import codes as hresult

RUN = "run"
"""Nothing was tried: the same command line would fail again for every file."""
KEY = "key"
"""The key could not sign: SignTool ends its run there, the files behind are not tried."""
FILE = "file"
"""This file only; SignTool goes on with the next one."""
TIMESTAMP = "timestamp"
"""The timestamp authority; another one, or a later time, may do."""


@dataclass(frozen=True)
class Reason:
    """One known reason. ``key`` names it, ``link`` is one of findings.LINKS, ``scope`` one of the four above."""

    key: str
    link: str
    scope: str
    meaning: str
    advice: str = ""


UNKNOWN = Reason(
    "unknown",
    "signtool",
    FILE,
    "SignTool gave a reason that is not known",
    "Look at SignTool's own words (words in the file's entry).",
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
_CONTAINER_NOT_FOUND = Reason(
    "container_not_found",
    "container",
    RUN,
    "the key container of the certificate does not exist for this account",
    "Make it with win_cloudhsm_import_key, then tie the certificate with win_cert_repairstore.",
)
_PROVIDER_NOT_FOUND = Reason(
    "provider_not_found",
    "provider",
    RUN,
    "the key storage provider that the certificate is tied to cannot be opened",
    "Check that it is registered on the host (certutil -csplist, win_codesign_info), or tie the certificate to the one that is (win_cert_repairstore).",
)
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
_FILE_NOT_FOUND = Reason("file_not_found", "file", FILE, "the file is missing", "Check the path.")
_IN_USE = Reason(
    "in_use",
    "file",
    FILE,
    "another process holds the file open",
    "End what uses the file, then run the task again.",
)
_NO_SIGNATURE = Reason(
    "no_signature", "file", FILE, "the file has no signature", "Sign it first (state: signed)."
)
STAMP_AGAIN = "Stamp the file again, with another timestamp authority (win_signtool with timestamp_urls)."
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
        (r"specified private key container was not found", _CONTAINER_NOT_FOUND),
        (r"specified CSP could not be found", _PROVIDER_NOT_FOUND),
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
            Reason(
                "not_recognized",
                "file",
                FILE,
                "SignTool cannot sign this kind of file",
                "Leave the file out, or check that it is whole.",
            ),
        ),
        (r"file is being used by another process", _IN_USE),
        (
            r"Access is denied",
            Reason(
                "access_denied",
                "file",
                FILE,
                "Windows denied the access",
                "Check the rights of the account and that nothing holds the file open.",
            ),
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
        (r"^File not found", _FILE_NOT_FOUND),
        (
            r"terminated in a root certificate which is not trusted",
            Reason(
                "untrusted_root",
                "certificate",
                FILE,
                "the chain ends in a root that this host does not trust",
                "Put the root certificate into LocalMachine\\Root (role certificates).",
            ),
        ),
        (
            r"signing certificate is not valid for the requested usage",
            Reason(
                "wrong_usage",
                "certificate",
                FILE,
                "the signing certificate is not meant for code signing",
                "Use a certificate with the code-signing usage.",
            ),
        ),
        (
            r"not within its validity period",
            Reason(
                "expired",
                "certificate",
                FILE,
                "a certificate of the chain is not valid at the time of signing",
                "Sign with a certificate that is valid, with a timestamp.",
            ),
        ),
        (
            r"timestamp signature and/or certificate could not be verified",
            Reason(
                "timestamp_invalid", "timestamp", FILE, "the file's timestamp cannot be verified", STAMP_AGAIN
            ),
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
        (r"^No signature found", _NO_SIGNATURE),
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

CODES = {
    0x80096010: Reason(
        "bad_digest",
        "file",
        FILE,
        "the file was changed after it was signed",
        "Get the file as it was built, and sign that one.",
    ),
    0x800B0100: _NO_SIGNATURE,
    0x800B0101: Reason(
        "expired",
        "certificate",
        FILE,
        "a certificate of the chain is not valid at the time of signing",
        "Sign with a certificate that is valid, with a timestamp.",
    ),
    0x800B0109: Reason(
        "untrusted_root",
        "certificate",
        FILE,
        "the chain ends in a root that this host does not trust",
        "Put the root certificate into LocalMachine\\Root (role certificates).",
    ),
    0x800B010A: Reason(
        "chain_incomplete",
        "certificate",
        FILE,
        "the chain cannot be built up to a root that this host trusts",
        "Put the intermediate certificates into LocalMachine\\CA and the root into LocalMachine\\Root (role certificates).",
    ),
    0x800B010C: Reason(
        "revoked",
        "certificate",
        FILE,
        "the certificate was revoked by its issuer",
        "Use another certificate.",
    ),
    0x800B010E: Reason(
        "revocation_unknown",
        "certificate",
        FILE,
        "the revocation check failed",
        "Let the host reach the issuer's revocation list.",
    ),
    0x80092012: Reason(
        "revocation_unknown",
        "certificate",
        FILE,
        "the revocation check failed",
        "Let the host reach the issuer's revocation list.",
    ),
    0x80092013: Reason(
        "revocation_unknown",
        "certificate",
        FILE,
        "the revocation server is offline",
        "Let the host reach the issuer's revocation list.",
    ),
    0x800B0110: Reason(
        "wrong_usage",
        "certificate",
        FILE,
        "the signing certificate is not meant for code signing",
        "Use a certificate with the code-signing usage.",
    ),
    0x800B0111: Reason(
        "distrusted",
        "certificate",
        FILE,
        "this host distrusts the certificate explicitly",
        "Use another certificate.",
    ),
    0x80096005: Reason(
        "timestamp_failed",
        "timestamp",
        TIMESTAMP,
        "the timestamp could not be verified or is malformed",
        "Try again, or use another timestamp authority.",
    ),
    0x800B0003: Reason(
        "not_recognized",
        "file",
        FILE,
        "SignTool cannot sign this kind of file",
        "Leave the file out, or check that it is whole.",
    ),
    0x80070005: Reason(
        "access_denied",
        "file",
        FILE,
        "Windows denied the access",
        "Check the rights of the account and that nothing holds the file open.",
    ),
    0x80070020: _IN_USE,
    0x80070002: _FILE_NOT_FOUND,
    0x80070003: _FILE_NOT_FOUND,
    0x00000057: Reason("nothing_to_remove", "file", FILE, "the file has no signature to take off", ""),
    0x80070032: Reason(
        "not_supported",
        "file",
        FILE,
        "this kind of file, or this operation on it, is not supported on the host",
        "Check the kind of file.",
    ),
    0x8007000B: Reason(
        "bad_format", "file", FILE, "the file is damaged, or not what its kind asks for", "Check the file."
    ),
    0x8000FFFF: Reason("bad_format", "file", FILE, "the file is damaged", "Check that the file is whole."),
    0x80070057: Reason(
        "invalid_parameter",
        "file",
        FILE,
        "Windows refused a parameter (a timestamp authority with another protocol answers so, too)",
        "",
    ),
    0x80090016: _CONTAINER_NOT_FOUND,
    0x80090019: _PROVIDER_NOT_FOUND,
    0x80090010: Reason(
        "key_access_denied",
        "credential",
        KEY,
        "the key storage provider denied the access to the key",
        "Check the crypto user's credentials.",
    ),
    0x80090022: Reason(
        "key_silent",
        "credential",
        KEY,
        "the key storage provider would have asked for something on a screen",
        "Give the crypto user's credentials (crypto_user, crypto_password).",
    ),
    0x80090029: Reason(
        "key_not_supported",
        "provider",
        KEY,
        "the key storage provider does not support this operation",
        "Check the provider's version and the digest.",
    ),
    0x80090030: Reason(
        "key_device_not_ready",
        "cluster",
        KEY,
        "the HSM is not ready",
        "Check the client and the cluster (win_codesign_info).",
    ),
}
"""What a code means where SignTool gives one. On this path a code of the provider (0x8009....) means the key.
"""


def _chain(
    key: str,
    meaning: str,
    advice: str = "Look at the certificates of the chain; sign with a certificate that this host accepts.",
) -> Reason:
    return Reason(key, "certificate", FILE, meaning, advice)


VERIFY_CODES: Mapping[int, Reason] = {
    0x80096010: CODES[0x80096010],
    **{
        code: CODES[code]
        for code in (
            0x800B0100,
            0x800B0003,
            0x80070005,
            0x80070020,
            0x80070002,
            0x80070003,
            0x8007000B,
            0x8000FFFF,
        )
    },
    **{
        code: CODES[code]
        for code in (
            0x800B0101,
            0x800B0109,
            0x800B010A,
            0x800B010C,
            0x800B010E,
            0x80092012,
            0x80092013,
            0x800B0110,
            0x800B0111,
        )
    },
    0x80096005: Reason(
        "timestamp_invalid", "timestamp", FILE, "the file's timestamp cannot be verified", STAMP_AGAIN
    ),
    0x80096003: Reason(
        "timestamp_invalid",
        "timestamp",
        FILE,
        "the certificate that stamped the file is not valid",
        STAMP_AGAIN,
    ),
    0x80092010: _chain(
        "revoked", "a certificate of the chain was revoked by its issuer", "Use another certificate."
    ),
    0x80092026: _chain("security_settings", "this host's security settings do not allow the certificate"),
    0x80090008: _chain(
        "crypto_policy", "an algorithm of the signature or its chain does not satisfy this host's policy"
    ),
    0x80096001: Reason(
        "system_error",
        "host",
        FILE,
        "Windows had a system error while it verified the trust",
        "Run the task again.",
    ),
    0x80096002: _chain("no_signer", "the certificate of the signer is not valid or not there"),
    0x80096004: _chain(
        "certificate_signature", "the signature of a certificate of the chain cannot be verified"
    ),
    0x80096019: _chain(
        "basic_constraints", "a certificate of the chain breaks the basic constraints of the one above"
    ),
    0x800B0004: _chain("not_trusted", "this host does not trust the signer"),
    0x800B0102: _chain("validity_nesting", "the validity periods in the chain do not nest"),
    0x800B0103: _chain(
        "role", "a certificate that may only end a chain issued another, or the other way round"
    ),
    0x800B0104: _chain("path_length", "the chain is longer than one of its certificates allows"),
    0x800B0105: _chain(
        "critical_extension", "a certificate of the chain has a critical extension that Windows does not know"
    ),
    0x800B0106: _chain(
        "purpose", "a certificate of the chain is used for another purpose than its issuer allowed"
    ),
    0x800B0107: _chain("issuer_chaining", "a certificate of the chain was not issued by the one above it"),
    0x800B0108: _chain(
        "malformed", "a certificate of the chain is malformed, or has an empty field that must not be empty"
    ),
    0x800B010B: _chain("trust_failed", "the check of the chain failed without a reason"),
    0x800B010D: _chain("test_root", "the chain ends in a test root, which this host does not trust"),
    0x800B010F: _chain("name", "the certificate's name is not the one that was expected"),
    0x800B0112: _chain(
        "untrusted_ca", "a certification authority of the chain is not trusted by this host's policy"
    ),
    0x800B0113: _chain("policy", "a certificate of the chain has a policy that is not allowed"),
    0x800B0114: _chain(
        "name_constraints", "a certificate of the chain has a name that its issuer may not certify"
    ),
}
"""What a code of ``verify`` means (winerror.h). All but 0x80096010 judge the certificates or the stamp: the
file is as it was signed.
"""

BAD_DIGEST = VERIFY_CODES[0x80096010]
"""The file was changed after it was signed: nothing else says so."""


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


def of_stamp_status(status: int | None, words: str) -> Reason:
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
    said = f"status 0x{status:08x}" if status is not None else words.rstrip(".") or "no reason is given"
    return Reason(
        "timestamp_not_trusted",
        "timestamp",
        FILE,
        f"this host does not trust its timestamp: {said}",
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
    known = CODES.get(code)
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
