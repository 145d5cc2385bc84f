# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's error sentences by table: what each one means, which link of the chain it blames, what to do.

SignTool prints English on every Windows; only system messages behind a code are translated, and those are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Pattern, Tuple

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


UNKNOWN = Reason("unknown", "signtool", FILE, "SignTool gave a reason that is not known", "Look at SignTool's own words.")

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
_FILE_NOT_FOUND = Reason("file_not_found", "file", FILE, "the file is missing", "Check the path.")
_IN_USE = Reason("in_use", "file", FILE, "another process holds the file open", "End what uses the file, then run the task again.")
_NO_SIGNATURE = Reason("no_signature", "file", FILE, "the file has no signature", "Sign it first (state: signed).")
_USAGE = Reason(
    "usage", "argument", RUN, "SignTool did not accept its command line", "This is a fault of the module's or an option that this SignTool does not know."
)

SENTENCES: Tuple[Tuple[Pattern[str], Reason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (
            r"Signing succeeded, but an error occurred while attempting to timestamp",
            Reason("signed_not_timestamped", "timestamp", TIMESTAMP, "the file is signed, but the timestamp failed", "The next run adds the timestamp."),
        ),
        (r"specified timestamp server either could not be reached", _TIMESTAMP_FAILED),
        (
            r"Invalid Timestamp URL",
            Reason("invalid_timestamp_url", "timestamp", RUN, "SignTool does not take this timestamp address", "Give an address that begins with http://."),
        ),
        (r"No certificates were found that met all the given criteria", _NO_CERTIFICATE),
        (
            r"Multiple certificates were found that meet all the given",
            Reason("several_certificates", "certificate", RUN, "more than one certificate fits", "Give the thumbprint."),
        ),
        # The message names the file to be signed, which is not at fault: the store's certificate is linked to another key.
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
            Reason("key_mismatch", "certificate", RUN, "the key is not the certificate's", "Tie the certificate to its own key (win_cert_repairstore)."),
        ),
        (
            r"Could not associate private key with certificate",
            Reason("not_associated", "certificate", RUN, "the key could not be tied to the certificate of the store", "Tie it with win_cert_repairstore."),
        ),
        (
            r"No private key is available",
            Reason(
                "no_private_key", "key", RUN, "the certificate's key cannot be opened", "Check provider, key container and credentials (win_codesign_info)."
            ),
        ),
        (
            r"specified private key container was not found",
            Reason(
                "container_not_found",
                "container",
                KEY,
                "the key container of the certificate does not exist for this account",
                "Make it with win_cloudhsm_import_key, then tie the certificate with win_cert_repairstore.",
            ),
        ),
        (
            r"No signature was found\. The file must be signed before",
            Reason("not_signed", "file", FILE, "the file has no signature that could be timestamped", "Sign it first (state: signed)."),
        ),
        (
            r"Multiple signature support is not implemented",
            Reason("append_not_supported", "file", FILE, "this kind of file can hold one signature only", "Leave append out."),
        ),
        (
            r"file format cannot be (?:signed|verified) because it is not\s+recognized",
            Reason("not_recognized", "file", FILE, "SignTool cannot sign this kind of file", "Leave the file out, or check that it is whole."),
        ),
        (r"file is being used by another process", _IN_USE),
        (
            r"Access is denied",
            Reason("access_denied", "file", FILE, "Windows denied the access", "Check the rights of the account and that nothing holds the file open."),
        ),
        (
            r"section alignment is not a multiple of page size",
            Reason("page_hashes_impossible", "file", FILE, "this program cannot have page hashes", "Leave page_hashes out."),
        ),
        (r"Invalid index specified", Reason("no_such_signature", "file", FILE, "the file has no signature with this index", "")),
        (r"Invalid SHA1 hash format", Reason("invalid_thumbprint", "argument", RUN, "SignTool does not take this thumbprint", "Give 40 hexadecimal digits.")),
        (
            r"specified algorithm cannot be used or is invalid",
            Reason("invalid_digest", "argument", RUN, "SignTool does not take this digest algorithm", "Use sha256."),
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
                "wrong_usage", "certificate", FILE, "the signing certificate is not meant for code signing", "Use a certificate with the code-signing usage."
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
            Reason("timestamp_invalid", "timestamp", FILE, "the file's timestamp cannot be verified", "Sign the file anew, with another timestamp authority."),
        ),
        (r"does not chain to a Microsoft Root", Reason("not_microsoft_root", "certificate", FILE, "the chain does not end in a Microsoft root", "")),
        (r"does not chain to the specified Root", Reason("other_root", "certificate", FILE, "the chain ends in another root than asked for", "")),
        (r"does not have a specified SHA1 hash", Reason("other_certificate", "certificate", FILE, "another certificate signed the file", "")),
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
    0x80096010: Reason("bad_digest", "file", FILE, "the file was changed after it was signed", "Get the file as it was built, and sign that one."),
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
    0x800B010C: Reason("revoked", "certificate", FILE, "the certificate was revoked by its issuer", "Use another certificate."),
    0x800B010E: Reason("revocation_unknown", "certificate", FILE, "the revocation check failed", "Let the host reach the issuer's revocation list."),
    0x80092012: Reason("revocation_unknown", "certificate", FILE, "the revocation check failed", "Let the host reach the issuer's revocation list."),
    0x80092013: Reason("revocation_unknown", "certificate", FILE, "the revocation server is offline", "Let the host reach the issuer's revocation list."),
    0x800B0110: Reason(
        "wrong_usage", "certificate", FILE, "the signing certificate is not meant for code signing", "Use a certificate with the code-signing usage."
    ),
    0x800B0111: Reason("distrusted", "certificate", FILE, "this host distrusts the certificate explicitly", "Use another certificate."),
    0x80096005: Reason(
        "timestamp_failed", "timestamp", TIMESTAMP, "the timestamp could not be verified or is malformed", "Try again, or use another timestamp authority."
    ),
    0x800B0003: Reason("not_recognized", "file", FILE, "SignTool cannot sign this kind of file", "Leave the file out, or check that it is whole."),
    0x80070005: Reason("access_denied", "file", FILE, "Windows denied the access", "Check the rights of the account and that nothing holds the file open."),
    0x80070020: _IN_USE,
    0x80070002: _FILE_NOT_FOUND,
    0x80070003: _FILE_NOT_FOUND,
    0x00000057: Reason("nothing_to_remove", "file", FILE, "the file has no signature to take off", ""),
    0x80070032: Reason("not_supported", "file", FILE, "this kind of file, or this operation on it, is not supported on the host", "Check the kind of file."),
    0x8007000B: Reason("bad_format", "file", FILE, "the file is damaged, or not what its kind asks for", "Check the file."),
    0x8000FFFF: Reason("bad_format", "file", FILE, "the file is damaged", "Check that the file is whole."),
    0x80070057: Reason("invalid_parameter", "file", FILE, "Windows refused a parameter (a timestamp authority with another protocol answers so, too)", ""),
    0x80090016: Reason(
        "container_not_found",
        "container",
        KEY,
        "the key container of the certificate does not exist for this account",
        "Make it with win_cloudhsm_import_key, then tie the certificate with win_cert_repairstore.",
    ),
    0x80090010: Reason("key_access_denied", "credential", KEY, "the key storage provider denied the access to the key", "Check the crypto user's credentials."),
    0x80090022: Reason(
        "key_silent",
        "credential",
        KEY,
        "the key storage provider would have asked for something on a screen",
        "Give the crypto user's credentials (crypto_user, crypto_password).",
    ),
    0x80090029: Reason(
        "key_not_supported", "provider", KEY, "the key storage provider does not support this operation", "Check the provider's version and the digest."
    ),
    0x80090030: Reason("key_device_not_ready", "cluster", KEY, "the HSM is not ready", "Check the client and the cluster (win_codesign_info)."),
}
"""What a code means where SignTool gives one. On this path a code of the provider (0x8009....) means the key."""


def of_code(code: int) -> Optional[Reason]:
    """The reason for a code; all codes of key storage providers that have no line of their own are alike."""
    if code in CODES:
        return CODES[code]
    if code >> 16 == 0x8009 and (code & 0xFFFF) < 0x1000:
        return Reason(
            "key_failed", "key", KEY, f"the key storage provider failed with 0x{code:08x}", "Check client, credentials and cluster (win_codesign_info)."
        )
    return None


def of_sentence(sentence: str) -> Optional[Reason]:
    """The reason for one error sentence (white space already made single blanks)."""
    for pattern, reason in SENTENCES:
        if pattern.search(sentence):
            return reason
    return None


FILTERS = {
    "eku": Reason(
        "no_code_signing_usage", "certificate", RUN, "no certificate of the store has the code-signing usage", "Use a certificate with the code-signing usage."
    ),
    "expiry": Reason("expired_certificate", "certificate", RUN, "no code-signing certificate of the store is valid now", "Renew the certificate."),
    "hash": Reason(
        "no_such_certificate",
        "certificate",
        RUN,
        "the store holds no valid code-signing certificate with this thumbprint",
        "Check the thumbprint and the store; an expired certificate and one for another usage count as missing.",
    ),
    "subject name": Reason(
        "no_such_certificate", "certificate", RUN, "the store holds no valid code-signing certificate with this subject", "Check the subject."
    ),
    "issuer name": Reason("no_such_certificate", "certificate", RUN, "the store holds no valid code-signing certificate of this issuer", "Check the issuer."),
    "root name": Reason("no_such_certificate", "certificate", RUN, "no certificate of the store chains to this root", "Check the root's name."),
    "private key": Reason(
        "key_not_linked",
        "certificate",
        RUN,
        "the certificate is not tied to a key that this account can find",
        "Tie it with win_cert_repairstore; check that provider and key container exist.",
    ),
}
"""The filter of SignTool's /debug output that left no certificate, and what that means. The first one at 0 is the reason."""
