# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HRESULT and Win32 codes met on the way from a certificate to a signed file: what they mean here and
what to do.

One table, with a column for each context: the same code blames another link where certutil opens a key than
where SignTool opens a file. A code that is not in the table is shown as it is, never explained by a guess.
``source`` says where the meaning on this path comes from: ``microsoft`` (the documented constant),
``measured`` (a recorded run of the real tool), ``public`` (somebody's posted output) or ``vendor`` (AWS
CloudHSM's documentation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Mapping

from ...module_utils._findings import Link

Scope = Literal["run", "key", "file", "timestamp"]
"""What a failure of SignTool ends."""

RUN: Scope = "run"
"""Nothing was tried: the same command line would fail again for every file."""
KEY: Scope = "key"
"""The key could not sign: SignTool ends its run there, the files behind are not tried."""
FILE: Scope = "file"
"""This file only; SignTool goes on with the next one."""
TIMESTAMP: Scope = "timestamp"
"""The timestamp authority; another one, or a later time, may do."""


@dataclass(frozen=True)
class Meaning:
    """What a code means in one context: the link of the chain (findings.LINKS) that it points to, half a
    sentence, and what to do.
    """

    link: Link
    meaning: str
    advice: str = ""


@dataclass(frozen=True)
class Reason:
    """One known reason of SignTool's. ``key`` names it, ``link`` is one of findings.LINKS."""

    key: str
    link: Link
    scope: Scope
    meaning: str
    advice: str = ""


@dataclass(frozen=True)
class Code:
    """One code. ``certutil`` is its meaning wherever a program opens keys, stores and files by itself, the
    others what it means where SignTool gives it: ``sign`` and ``verify`` by the command, ``signtool`` with
    either.
    """

    value: int
    symbol: str
    source: str
    certutil: Meaning | None = None
    signtool: Reason | None = None
    sign: Reason | None = None
    verify: Reason | None = None

    @property
    def usual(self) -> Meaning | Reason:
        """The meaning where the context says nothing: certutil's, else the one there is."""
        return next(column for column in (self.certutil, self.signing, self.verifying) if column is not None)

    @property
    def signing(self) -> Reason | None:
        """The meaning in a run that signs, stamps or takes signatures off."""
        return self.sign or self.signtool

    @property
    def verifying(self) -> Reason | None:
        """The meaning in a verification."""
        return self.verify or self.signtool

    @property
    def link(self) -> Link:
        return self.usual.link

    @property
    def meaning(self) -> str:
        return self.usual.meaning

    @property
    def advice(self) -> str:
        return self.usual.advice

    @property
    def text(self) -> str:
        """The code as the tools print it."""
        return as_text(self.value)

    @property
    def signed(self) -> int:
        """The process exit code that certutil ends with."""
        return signed(self.value)


def unsigned(value: int) -> int:
    """``value`` as an unsigned 32-bit number, however it was written."""
    return value & 0xFFFFFFFF


def signed(value: int) -> int:
    """``value`` as a signed 32-bit number, as the command shell shows an exit code."""
    value = unsigned(value)
    return value - 0x100000000 if value & 0x80000000 else value


def as_text(value: int) -> str:
    """``0x80090016``"""
    return f"0x{unsigned(value):08x}"


def lookup(value: int | None) -> Code | None:
    """The table's entry for a code (signed or unsigned); None for an unknown one. A bare Win32 error is found
    by its HRESULT.
    """
    return None if value is None else CODES.get(hresult(value))


def hresult(value: int) -> int:
    """``value`` as an unsigned HRESULT: a bare Win32 error gets the one that Windows gives it."""
    number = unsigned(value)
    return 0x80070000 | number if 0 < number < 0x10000 else number


def describe(value: int | None) -> str:
    """One line for a person: ``0x80090016 NTE_BAD_KEYSET: there is no such key container ...``; the bare code
    when unknown.
    """
    if value is None:
        return "no exit code"
    code = lookup(value)
    return f"{code.text} {code.symbol}: {code.meaning}" if code else as_text(value)


def _chain(key: str, meaning: str) -> Reason:
    return Reason(key, "certificate", FILE, meaning, _ANOTHER_CHAIN)


STAMP_AGAIN = "Stamp the file again, with another timestamp authority (win_signtool with timestamp_urls)."
_ANOTHER_CHAIN = "Look at the certificates of the chain; sign with a certificate that this host accepts."
_FILE_NOT_FOUND = Reason("file_not_found", "file", FILE, "the file is missing", "Check the path.")
_REVOCATION_UNKNOWN = Reason(
    "revocation_unknown",
    "certificate",
    FILE,
    "the revocation check failed",
    "Let the host reach the issuer's revocation list.",
)

_TABLE = (
    Code(
        0x00000057,
        "ERROR_INVALID_PARAMETER",
        "measured",
        sign=Reason("nothing_to_remove", "file", FILE, "the file has no signature to take off", ""),
    ),
    Code(
        0x80004001,
        "E_NOTIMPL",
        "public",
        certutil=Meaning(
            "provider",
            "the provider is registered but does not do that",
            "Nothing, where the hardware is simply absent.",
        ),
    ),
    Code(
        0x80004005,
        "E_FAIL",
        "microsoft",
        certutil=Meaning("provider", "the provider failed without saying why", "Read the provider's log."),
    ),
    Code(
        0x8000FFFF,
        "E_UNEXPECTED",
        "measured",
        signtool=Reason("bad_format", "file", FILE, "the file is damaged", "Check that the file is whole."),
    ),
    Code(
        0x80070002,
        "ERROR_FILE_NOT_FOUND",
        "measured",
        certutil=Meaning(
            "certificate",
            "there is no such certificate store or file",
            "Check the store's name and the file's path.",
        ),
        signtool=_FILE_NOT_FOUND,
    ),
    Code(
        0x80070003,
        "ERROR_PATH_NOT_FOUND",
        "public",
        certutil=Meaning("file", "there is no such folder", "Check the path."),
        signtool=_FILE_NOT_FOUND,
    ),
    Code(
        0x80070005,
        "ERROR_ACCESS_DENIED",
        "public",
        certutil=Meaning(
            "host",
            "this account may not do that",
            "Use an elevated account; on a key container, give the account read access to its file.",
        ),
        signtool=Reason(
            "access_denied",
            "file",
            FILE,
            "Windows denied the access",
            "Check the rights of the account and that nothing holds the file open.",
        ),
    ),
    Code(
        0x8007000B,
        "ERROR_BAD_FORMAT",
        "public",
        certutil=Meaning(
            "file",
            "the file has a format that cannot be signed, or an MSIX names another publisher than the certificate",
            "Check the file, and the Publisher of an MSIX.",
        ),
        signtool=Reason(
            "bad_format",
            "file",
            FILE,
            "the file is damaged, or not what its kind asks for",
            "Check the file.",
        ),
    ),
    Code(
        0x8007000D,
        "ERROR_INVALID_DATA",
        "microsoft",
        certutil=Meaning("file", "the file's content is not what its kind promises", "Check the file."),
    ),
    Code(
        0x80070020,
        "ERROR_SHARING_VIOLATION",
        "microsoft",
        signtool=Reason(
            "in_use",
            "file",
            FILE,
            "another process holds the file open",
            "End what uses the file, then run the task again.",
        ),
    ),
    Code(
        0x80070032,
        "ERROR_NOT_SUPPORTED",
        "microsoft",
        certutil=Meaning(
            "provider", "the request is not supported", "Check the provider and the key's type."
        ),
        sign=Reason(
            "not_supported",
            "file",
            FILE,
            "this kind of file, or this operation on it, is not supported on the host",
            "Check the kind of file.",
        ),
    ),
    Code(
        0x80070035,
        "ERROR_BAD_NETPATH",
        "public",
        certutil=Meaning(
            "argument",
            "the store's name was taken for a network path",
            "Name the store as certutil does: My, Root, CA, TrustedPublisher.",
        ),
    ),
    Code(
        0x80070050,
        "ERROR_FILE_EXISTS",
        "measured",
        certutil=Meaning("file", "the target exists already", "Remove it first."),
    ),
    Code(
        0x80070057,
        "E_INVALIDARG",
        "measured",
        certutil=Meaning(
            "argument",
            "an argument is wrong",
            "Report the command line: the collection should not have built it.",
        ),
        sign=Reason(
            "invalid_parameter",
            "file",
            FILE,
            "Windows refused a parameter (a timestamp authority with another protocol answers so, too)",
            "",
        ),
    ),
    Code(
        0x8007007E,
        "ERROR_MOD_NOT_FOUND",
        "microsoft",
        certutil=Meaning(
            "provider",
            "the provider's library is registered but missing",
            "Install the client's provider again.",
        ),
    ),
    Code(
        0x800700C1,
        "ERROR_BAD_EXE_FORMAT",
        "microsoft",
        certutil=Meaning(
            "signtool",
            "a 32-bit process cannot load the 64-bit provider (or the other way round)",
            "Use the x64 SignTool of the Windows SDK.",
        ),
        signtool=Reason(
            "bad_certificate_table",
            "file",
            FILE,
            "the program's certificate table does not fit the file: it points beyond its end, or something was written behind it",
            "Get the file as it was built; a tool that cut it or added to it has left the entry for a signature behind.",
        ),
    ),
    Code(
        0x800702E4,
        "ERROR_ELEVATION_REQUIRED",
        "measured",
        certutil=Meaning(
            "host",
            "the account is not elevated",
            "Connect with an account whose token is not filtered by UAC, or use become.",
        ),
    ),
    Code(
        0x80070520,
        "ERROR_NO_SUCH_LOGON_SESSION",
        "microsoft",
        certutil=Meaning(
            "credential",
            "a network logon has no Credential Manager",
            "Give the crypto user to the module, or run it with become and a password.",
        ),
    ),
    Code(
        0x800706BA,
        "RPC_S_SERVER_UNAVAILABLE",
        "microsoft",
        certutil=Meaning(
            "service",
            "the service behind the provider does not answer",
            "Start the AWSCloudHSMClient service.",
        ),
    ),
    Code(
        0x80090001,
        "NTE_BAD_UID",
        "microsoft",
        certutil=Meaning(
            "provider", "the provider's handle is wrong", "Try again; then read the provider's log."
        ),
    ),
    Code(
        0x80090003,
        "NTE_BAD_KEY",
        "microsoft",
        certutil=Meaning(
            "key",
            "the key cannot be used for that",
            "Check that the container belongs to the certificate's key pair.",
        ),
    ),
    Code(
        0x80090005,
        "NTE_BAD_DATA",
        "microsoft",
        certutil=Meaning(
            "key",
            "the provider refused the data",
            "Check that the container belongs to the certificate's key pair.",
        ),
    ),
    Code(
        0x80090006,
        "NTE_BAD_SIGNATURE",
        "microsoft",
        certutil=Meaning(
            "key",
            "the signature does not fit the public key",
            "Associate the certificate with the container of its own key.",
        ),
    ),
    Code(
        0x80090008,
        "NTE_BAD_ALGID",
        "microsoft",
        certutil=Meaning(
            "key", "the key or the provider does not know the algorithm", "Use SHA-256 and an RSA key."
        ),
        verify=_chain(
            "crypto_policy", "an algorithm of the signature or its chain does not satisfy this host's policy"
        ),
    ),
    Code(
        0x80090009,
        "NTE_BAD_FLAGS",
        "microsoft",
        certutil=Meaning(
            "container", "the provider refused the flags", "Try the association without machine_keys."
        ),
    ),
    Code(
        0x8009000A,
        "NTE_BAD_TYPE",
        "microsoft",
        certutil=Meaning(
            "provider", "the provider refused the type", "Set provider_type to 0 for a key storage provider."
        ),
    ),
    Code(
        0x8009000B,
        "NTE_BAD_KEY_STATE",
        "microsoft",
        certutil=Meaning(
            "key", "the key is not in a state in which it can be used", "Check the key on the HSM."
        ),
    ),
    Code(
        0x8009000D,
        "NTE_NO_KEY",
        "microsoft",
        certutil=Meaning(
            "key",
            "the provider does not find the key",
            "Look the key up on the HSM with cloudhsm_find_key_by_modulus.",
        ),
    ),
    Code(
        0x8009000F,
        "NTE_EXISTS",
        "measured",
        certutil=Meaning(
            "file", "it is there already", "Use append to add a second signature, or remove what is there."
        ),
    ),
    Code(
        0x80090010,
        "NTE_PERM",
        "microsoft",
        certutil=Meaning(
            "container",
            "this account may not use the key",
            "Give the account read access to the container's file (readers of win_cloudhsm_import_key).",
        ),
        sign=Reason(
            "key_access_denied",
            "credential",
            KEY,
            "the key storage provider denied the access to the key",
            "Check the crypto user's credentials.",
        ),
    ),
    Code(
        0x80090011,
        "NTE_NOT_FOUND",
        "measured",
        certutil=Meaning(
            "container",
            "nothing fits: the certificate is not in the store, or no container holds its key",
            "Check the store; then make the container with win_cloudhsm_import_key.",
        ),
    ),
    Code(
        0x80090013,
        "NTE_BAD_PROVIDER",
        "microsoft",
        certutil=Meaning(
            "provider", "the provider is not one", "Check the provider's name with certutil -csplist."
        ),
    ),
    Code(
        0x80090014,
        "NTE_BAD_PROV_TYPE",
        "microsoft",
        certutil=Meaning(
            "provider",
            "the provider type does not fit the provider",
            "Set provider_type to 0 for a key storage provider.",
        ),
    ),
    Code(
        0x80090016,
        "NTE_BAD_KEYSET",
        "vendor",
        certutil=Meaning(
            "container",
            "there is no such key container for this account, or its key is gone from the HSM",
            "Make the container with win_cloudhsm_import_key; check machine_keys and the account's rights.",
        ),
        sign=Reason(
            "container_not_found",
            "container",
            RUN,
            "the key container of the certificate does not exist for this account",
            "Make it with win_cloudhsm_import_key, then tie the certificate with win_cert_repairstore.",
        ),
    ),
    Code(
        0x80090017,
        "NTE_PROV_TYPE_NOT_DEF",
        "microsoft",
        certutil=Meaning(
            "provider",
            "no provider of that type is registered",
            "Set provider_type to 0 for a key storage provider.",
        ),
    ),
    Code(
        0x80090019,
        "NTE_KEYSET_NOT_DEF",
        "public",
        certutil=Meaning(
            "provider",
            "the provider is not registered on this host, or shows no keys in this session",
            "Install the CloudHSM client's provider and check its name with certutil -csplist.",
        ),
        sign=Reason(
            "provider_not_found",
            "provider",
            RUN,
            "the key storage provider that the certificate is tied to cannot be opened",
            "Check that it is registered on the host (certutil -csplist, win_codesign_info), or tie the certificate to the one that is (win_cert_repairstore).",
        ),
    ),
    Code(
        0x8009001A,
        "NTE_KEYSET_ENTRY_BAD",
        "microsoft",
        certutil=Meaning(
            "container",
            "the container is damaged",
            "Remove the container and make it again with win_cloudhsm_import_key.",
        ),
    ),
    Code(
        0x8009001D,
        "NTE_PROVIDER_DLL_FAIL",
        "microsoft",
        certutil=Meaning(
            "provider",
            "the provider could not start",
            "Check the client's configuration and the provider's log.",
        ),
    ),
    Code(
        0x8009001E,
        "NTE_PROV_DLL_NOT_FOUND",
        "microsoft",
        certutil=Meaning(
            "provider", "the provider's library is missing", "Install the CloudHSM client's provider again."
        ),
    ),
    Code(
        0x80090020,
        "NTE_FAIL",
        "microsoft",
        certutil=Meaning(
            "provider",
            "the provider failed inside",
            "Check the credential, the client's service (SDK 3) and that the HSM is reachable on TCP 2223.",
        ),
    ),
    Code(
        0x80090022,
        "NTE_SILENT_CONTEXT",
        "microsoft",
        certutil=Meaning(
            "credential", "the provider wanted to show a window", "Give the crypto user to the module."
        ),
        sign=Reason(
            "key_silent",
            "credential",
            KEY,
            "the key storage provider would have asked for something on a screen",
            "Give the crypto user's credentials (crypto_user, crypto_password).",
        ),
    ),
    Code(
        0x80090026,
        "NTE_INVALID_HANDLE",
        "microsoft",
        certutil=Meaning(
            "key", "the key's handle is not valid any more", "Try again; then make the container again."
        ),
    ),
    Code(
        0x80090027,
        "NTE_INVALID_PARAMETER",
        "public",
        certutil=Meaning(
            "container",
            "the provider refused a parameter, often the key specification",
            "Try another key_spec: 0, 1 or 2.",
        ),
    ),
    Code(
        0x80090028,
        "NTE_BUFFER_TOO_SMALL",
        "microsoft",
        certutil=Meaning("provider", "the provider gave a buffer that is too small", "Update the provider."),
    ),
    Code(
        0x80090029,
        "NTE_NOT_SUPPORTED",
        "public",
        certutil=Meaning(
            "provider", "the provider does not support that", "Check the key's type, and key_spec."
        ),
        sign=Reason(
            "key_not_supported",
            "provider",
            KEY,
            "the key storage provider does not support this operation",
            "Check the provider's version and the digest.",
        ),
    ),
    Code(
        0x8009002A,
        "NTE_NO_MORE_ITEMS",
        "microsoft",
        certutil=Meaning("container", "there are no more keys", "Nothing."),
    ),
    Code(
        0x8009002D,
        "NTE_INTERNAL_ERROR",
        "public",
        certutil=Meaning(
            "provider",
            "the provider failed inside while signing",
            "Check the HSM's health and the provider's log.",
        ),
    ),
    Code(
        0x80090030,
        "NTE_DEVICE_NOT_READY",
        "microsoft",
        certutil=Meaning(
            "cluster",
            "the HSM cannot be reached or is not ready",
            "Check that TCP 2223 of the HSM is open to this host: it must be a member of the cluster's security group.",
        ),
        sign=Reason(
            "key_device_not_ready",
            "cluster",
            KEY,
            "the HSM is not ready",
            "Check the client and the cluster (win_codesign_info).",
        ),
    ),
    Code(
        0x80090031,
        "NTE_AUTHENTICATION_IGNORED",
        "microsoft",
        certutil=Meaning(
            "credential", "the provider ignored the login", "Check the crypto user's credential."
        ),
    ),
    Code(
        0x80090033,
        "NTE_INCORRECT_PASSWORD",
        "microsoft",
        certutil=Meaning(
            "credential",
            "the crypto user's password is wrong",
            "Correct it before the next run: five failures lock the crypto user.",
        ),
    ),
    Code(
        0x80092002,
        "CRYPT_E_BAD_ENCODE",
        "microsoft",
        certutil=Meaning("certificate", "the file is no certificate", "Check the file."),
    ),
    Code(
        0x80092004,
        "CRYPT_E_NOT_FOUND",
        "public",
        certutil=Meaning(
            "certificate",
            "the certificate, or a property of it, is not there",
            "Check the store and the thumbprint.",
        ),
    ),
    Code(
        0x80092009,
        "CRYPT_E_NO_MATCH",
        "microsoft",
        certutil=Meaning("certificate", "no certificate fits", "Check the thumbprint."),
    ),
    Code(
        0x8009200B,
        "CRYPT_E_NO_KEY_PROPERTY",
        "measured",
        certutil=Meaning(
            "container",
            "the certificate has no private key property",
            "Associate it with its key: win_cert_repairstore.",
        ),
    ),
    Code(
        0x80092010,
        "CRYPT_E_REVOKED",
        "microsoft",
        verify=Reason(
            "revoked",
            "certificate",
            FILE,
            "a certificate of the chain was revoked by its issuer",
            "Use another certificate.",
        ),
    ),
    Code(
        0x80092012,
        "CRYPT_E_NO_REVOCATION_CHECK",
        "microsoft",
        signtool=_REVOCATION_UNKNOWN,
    ),
    Code(
        0x80092013,
        "CRYPT_E_REVOCATION_OFFLINE",
        "microsoft",
        signtool=Reason(
            "revocation_unknown",
            "certificate",
            FILE,
            "the revocation server is offline",
            "Let the host reach the issuer's revocation list.",
        ),
    ),
    Code(
        0x80092026,
        "CRYPT_E_SECURITY_SETTINGS",
        "microsoft",
        verify=_chain("security_settings", "this host's security settings do not allow the certificate"),
    ),
    Code(
        0x80093102,
        "CRYPT_E_ASN1_EOD",
        "public",
        certutil=Meaning(
            "file", "the file could not be read to its end", "Try again; an antivirus may hold the file."
        ),
    ),
    Code(
        0x80096001,
        "TRUST_E_SYSTEM_ERROR",
        "microsoft",
        verify=Reason(
            "system_error",
            "host",
            FILE,
            "Windows had a system error while it verified the trust",
            "Run the task again.",
        ),
    ),
    Code(
        0x80096002,
        "TRUST_E_NO_SIGNER_CERT",
        "microsoft",
        verify=_chain("no_signer", "the certificate of the signer is not valid or not there"),
    ),
    Code(
        0x80096003,
        "TRUST_E_COUNTER_SIGNER",
        "microsoft",
        verify=Reason(
            "timestamp_invalid",
            "timestamp",
            FILE,
            "the certificate that stamped the file is not valid",
            STAMP_AGAIN,
        ),
    ),
    Code(
        0x80096004,
        "TRUST_E_CERT_SIGNATURE",
        "microsoft",
        verify=_chain(
            "certificate_signature", "the signature of a certificate of the chain cannot be verified"
        ),
    ),
    Code(
        0x80096005,
        "TRUST_E_TIME_STAMP",
        "public",
        sign=Reason(
            "timestamp_failed",
            "timestamp",
            TIMESTAMP,
            "the timestamp could not be verified or is malformed",
            "Try again, or use another timestamp authority.",
        ),
        verify=Reason(
            "timestamp_invalid", "timestamp", FILE, "the file's timestamp cannot be verified", STAMP_AGAIN
        ),
    ),
    Code(
        0x80096010,
        "TRUST_E_BAD_DIGEST",
        "measured",
        signtool=Reason(
            "bad_digest",
            "file",
            FILE,
            "the file was changed after it was signed",
            "Get the file as it was built, and sign that one.",
        ),
    ),
    Code(
        0x80096019,
        "TRUST_E_BASIC_CONSTRAINTS",
        "microsoft",
        verify=_chain(
            "basic_constraints", "a certificate of the chain breaks the basic constraints of the one above"
        ),
    ),
    Code(
        0x800B0001,
        "TRUST_E_PROVIDER_UNKNOWN",
        "microsoft",
        certutil=Meaning(
            "file", "Windows knows no way to check this kind of file", "Check that the file can be signed."
        ),
    ),
    Code(
        0x800B0003,
        "TRUST_E_SUBJECT_FORM_UNKNOWN",
        "microsoft",
        signtool=Reason(
            "not_recognized",
            "file",
            FILE,
            "SignTool cannot sign this kind of file",
            "Leave the file out, or check that it is whole.",
        ),
    ),
    Code(
        0x800B0004,
        "TRUST_E_SUBJECT_NOT_TRUSTED",
        "microsoft",
        verify=_chain("not_trusted", "this host does not trust the signer"),
    ),
    Code(
        0x800B0100,
        "TRUST_E_NOSIGNATURE",
        "measured",
        signtool=Reason(
            "no_signature", "file", FILE, "the file has no signature", "Sign it first (state: signed)."
        ),
    ),
    Code(
        0x800B0101,
        "CERT_E_EXPIRED",
        "measured",
        signtool=Reason(
            "expired",
            "certificate",
            FILE,
            "a certificate of the chain is not valid at the time of signing",
            "Sign with a certificate that is valid, with a timestamp.",
        ),
    ),
    Code(
        0x800B0102,
        "CERT_E_VALIDITYPERIODNESTING",
        "microsoft",
        verify=_chain("validity_nesting", "the validity periods in the chain do not nest"),
    ),
    Code(
        0x800B0103,
        "CERT_E_ROLE",
        "microsoft",
        verify=_chain(
            "role", "a certificate that may only end a chain issued another, or the other way round"
        ),
    ),
    Code(
        0x800B0104,
        "CERT_E_PATHLENCONST",
        "microsoft",
        verify=_chain("path_length", "the chain is longer than one of its certificates allows"),
    ),
    Code(
        0x800B0105,
        "CERT_E_CRITICAL",
        "microsoft",
        verify=_chain(
            "critical_extension",
            "a certificate of the chain has a critical extension that Windows does not know",
        ),
    ),
    Code(
        0x800B0106,
        "CERT_E_PURPOSE",
        "microsoft",
        verify=_chain(
            "purpose", "a certificate of the chain is used for another purpose than its issuer allowed"
        ),
    ),
    Code(
        0x800B0107,
        "CERT_E_ISSUERCHAINING",
        "microsoft",
        verify=_chain("issuer_chaining", "a certificate of the chain was not issued by the one above it"),
    ),
    Code(
        0x800B0108,
        "CERT_E_MALFORMED",
        "microsoft",
        verify=_chain(
            "malformed",
            "a certificate of the chain is malformed, or has an empty field that must not be empty",
        ),
    ),
    Code(
        0x800B0109,
        "CERT_E_UNTRUSTEDROOT",
        "microsoft",
        signtool=Reason(
            "untrusted_root",
            "certificate",
            FILE,
            "the chain ends in a root that this host does not trust",
            "Put the root certificate into LocalMachine\\Root (role certificates).",
        ),
    ),
    Code(
        0x800B010A,
        "CERT_E_CHAINING",
        "measured",
        signtool=Reason(
            "chain_incomplete",
            "certificate",
            FILE,
            "the chain cannot be built up to a root that this host trusts",
            "Put the intermediate certificates into LocalMachine\\CA and the root into LocalMachine\\Root (role certificates).",
        ),
    ),
    Code(
        0x800B010B,
        "TRUST_E_FAIL",
        "microsoft",
        verify=_chain("trust_failed", "the check of the chain failed without a reason"),
    ),
    Code(
        0x800B010C,
        "CERT_E_REVOKED",
        "microsoft",
        signtool=Reason(
            "revoked",
            "certificate",
            FILE,
            "the certificate was revoked by its issuer",
            "Use another certificate.",
        ),
    ),
    Code(
        0x800B010D,
        "CERT_E_UNTRUSTEDTESTROOT",
        "microsoft",
        verify=_chain("test_root", "the chain ends in a test root, which this host does not trust"),
    ),
    Code(
        0x800B010E,
        "CERT_E_REVOCATION_FAILURE",
        "microsoft",
        signtool=_REVOCATION_UNKNOWN,
    ),
    Code(
        0x800B010F,
        "CERT_E_CN_NO_MATCH",
        "microsoft",
        verify=_chain("name", "the certificate's name is not the one that was expected"),
    ),
    Code(
        0x800B0110,
        "CERT_E_WRONG_USAGE",
        "microsoft",
        signtool=Reason(
            "wrong_usage",
            "certificate",
            FILE,
            "the signing certificate is not meant for code signing",
            "Use a certificate with the code-signing usage.",
        ),
    ),
    Code(
        0x800B0111,
        "TRUST_E_EXPLICIT_DISTRUST",
        "microsoft",
        signtool=Reason(
            "distrusted",
            "certificate",
            FILE,
            "this host distrusts the certificate explicitly",
            "Use another certificate.",
        ),
    ),
    Code(
        0x800B0112,
        "CERT_E_UNTRUSTEDCA",
        "microsoft",
        verify=_chain(
            "untrusted_ca", "a certification authority of the chain is not trusted by this host's policy"
        ),
    ),
    Code(
        0x800B0113,
        "CERT_E_INVALID_POLICY",
        "microsoft",
        verify=_chain("policy", "a certificate of the chain has a policy that is not allowed"),
    ),
    Code(
        0x800B0114,
        "CERT_E_INVALID_NAME",
        "microsoft",
        verify=_chain(
            "name_constraints", "a certificate of the chain has a name that its issuer may not certify"
        ),
    ),
    Code(
        0xC0000142,
        "STATUS_DLL_INIT_FAILED",
        "measured",
        certutil=Meaning(
            "signtool",
            "the program could not load its libraries",
            "Install the Windows SDK's SignTool again.",
        ),
    ),
    Code(
        0xC0000225,
        "STATUS_NOT_FOUND",
        "public",
        certutil=Meaning("key", "the token does not find its object", "Check the provider and the key."),
    ),
)

BUSY = frozenset((0x80070015, 0x800700AA, 0x800706BA, 0x80090020, 0x8009002D, 0x80090030, 0x80090035))
"""What a device or its service answers that is busy or not ready for the moment, among other causes: not ready,
busy, no answer by RPC, the provider failed inside (two codes), device not ready, device not found (winerror.h).
"""

CODES: Mapping[int, Code] = {code.value: code for code in _TABLE}
"""All codes, by their unsigned value. SignTool's 0x80096010 is the only one that judges the file: all others of
a verification judge the certificates or the stamp (winerror.h).
"""
