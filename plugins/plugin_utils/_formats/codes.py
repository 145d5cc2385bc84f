# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HRESULT and Win32 codes met on the way from a certificate to a signed file: what they mean here and
what to do.

A code that is not in the table is shown as it is, never explained by a guess. ``source`` says where the
meaning on this path comes from: ``microsoft`` (the documented constant), ``measured`` (a recorded run of the
real tool), ``public`` (somebody's posted output) or ``vendor`` (AWS CloudHSM's documentation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping


@dataclass(frozen=True)
class Code:
    """One code. ``link`` is the link of the chain (findings.LINKS) that it points to on this path."""

    value: int
    symbol: str
    meaning: str
    advice: str
    link: str
    source: str

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
    too.
    """
    if value is None:
        return None
    number = unsigned(value)
    if 0 < number < 0x10000 and number not in CODES:
        number = 0x80070000 | number
    return CODES.get(number)


def describe(value: int | None) -> str:
    """One line for a person: ``0x80090016 NTE_BAD_KEYSET: there is no such key container ...``; the bare code
    when unknown.
    """
    if value is None:
        return "no exit code"
    code = lookup(value)
    return f"{code.text} {code.symbol}: {code.meaning}" if code else as_text(value)


def _table(*codes: Code) -> Mapping[int, Code]:
    table: dict[int, Code] = {}
    for code in codes:
        table[code.value] = code
    return table


CODES: Mapping[int, Code] = _table(
    Code(
        0x80070002,
        "ERROR_FILE_NOT_FOUND",
        "there is no such certificate store or file",
        "Check the store's name and the file's path.",
        "certificate",
        "measured",
    ),
    Code(0x80070003, "ERROR_PATH_NOT_FOUND", "there is no such folder", "Check the path.", "file", "public"),
    Code(
        0x80070005,
        "ERROR_ACCESS_DENIED",
        "this account may not do that",
        "Use an elevated account; on a key container, give the account read access to its file.",
        "host",
        "public",
    ),
    Code(
        0x8007000B,
        "ERROR_BAD_FORMAT",
        "the file has a format that cannot be signed, or an MSIX names another publisher than the certificate",
        "Check the file, and the Publisher of an MSIX.",
        "file",
        "public",
    ),
    Code(
        0x8007000D,
        "ERROR_INVALID_DATA",
        "the file's content is not what its kind promises",
        "Check the file.",
        "file",
        "microsoft",
    ),
    Code(
        0x80070020,
        "ERROR_SHARING_VIOLATION",
        "another process holds the file open",
        "Close the program that uses the file and try again.",
        "file",
        "microsoft",
    ),
    Code(
        0x80070032,
        "ERROR_NOT_SUPPORTED",
        "the request is not supported",
        "Check the provider and the key's type.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80070035,
        "ERROR_BAD_NETPATH",
        "the store's name was taken for a network path",
        "Name the store as certutil does: My, Root, CA, TrustedPublisher.",
        "argument",
        "public",
    ),
    Code(
        0x80070050, "ERROR_FILE_EXISTS", "the target exists already", "Remove it first.", "file", "measured"
    ),
    Code(
        0x80070057,
        "E_INVALIDARG",
        "an argument is wrong",
        "Report the command line: the collection should not have built it.",
        "argument",
        "measured",
    ),
    Code(
        0x8007007E,
        "ERROR_MOD_NOT_FOUND",
        "the provider's library is registered but missing",
        "Install the client's provider again.",
        "provider",
        "microsoft",
    ),
    Code(
        0x800700C1,
        "ERROR_BAD_EXE_FORMAT",
        "a 32-bit process cannot load the 64-bit provider (or the other way round)",
        "Use the x64 SignTool of the Windows SDK.",
        "signtool",
        "microsoft",
    ),
    Code(
        0x800702E4,
        "ERROR_ELEVATION_REQUIRED",
        "the account is not elevated",
        "Connect with an account whose token is not filtered by UAC, or use become.",
        "host",
        "measured",
    ),
    Code(
        0x80070520,
        "ERROR_NO_SUCH_LOGON_SESSION",
        "a network logon has no Credential Manager",
        "Give the crypto user to the module, or run it with become and a password.",
        "credential",
        "microsoft",
    ),
    Code(
        0x800706BA,
        "RPC_S_SERVER_UNAVAILABLE",
        "the service behind the provider does not answer",
        "Start the AWSCloudHSMClient service.",
        "service",
        "microsoft",
    ),
    Code(
        0x80004001,
        "E_NOTIMPL",
        "the provider is registered but does not do that",
        "Nothing, where the hardware is simply absent.",
        "provider",
        "public",
    ),
    Code(
        0x80004005,
        "E_FAIL",
        "the provider failed without saying why",
        "Read the provider's log.",
        "provider",
        "microsoft",
    ),
    Code(
        0x8000FFFF,
        "E_UNEXPECTED",
        "the file is not what its name says",
        "Check the file's content, not its extension.",
        "file",
        "measured",
    ),
    Code(
        0x80090001,
        "NTE_BAD_UID",
        "the provider's handle is wrong",
        "Try again; then read the provider's log.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090003,
        "NTE_BAD_KEY",
        "the key cannot be used for that",
        "Check that the container belongs to the certificate's key pair.",
        "key",
        "microsoft",
    ),
    Code(
        0x80090005,
        "NTE_BAD_DATA",
        "the provider refused the data",
        "Check that the container belongs to the certificate's key pair.",
        "key",
        "microsoft",
    ),
    Code(
        0x80090006,
        "NTE_BAD_SIGNATURE",
        "the signature does not fit the public key",
        "Associate the certificate with the container of its own key.",
        "key",
        "microsoft",
    ),
    Code(
        0x80090008,
        "NTE_BAD_ALGID",
        "the key or the provider does not know the algorithm",
        "Use SHA-256 and an RSA key.",
        "key",
        "microsoft",
    ),
    Code(
        0x80090009,
        "NTE_BAD_FLAGS",
        "the provider refused the flags",
        "Try the association without machine_keys.",
        "container",
        "microsoft",
    ),
    Code(
        0x8009000A,
        "NTE_BAD_TYPE",
        "the provider refused the type",
        "Set provider_type to 0 for a key storage provider.",
        "provider",
        "microsoft",
    ),
    Code(
        0x8009000B,
        "NTE_BAD_KEY_STATE",
        "the key is not in a state in which it can be used",
        "Check the key on the HSM.",
        "key",
        "microsoft",
    ),
    Code(
        0x8009000D,
        "NTE_NO_KEY",
        "the provider does not find the key",
        "Look the key up on the HSM with cloudhsm_find_key_by_modulus.",
        "key",
        "microsoft",
    ),
    Code(
        0x8009000F,
        "NTE_EXISTS",
        "it is there already",
        "Use append to add a second signature, or remove what is there.",
        "file",
        "measured",
    ),
    Code(
        0x80090010,
        "NTE_PERM",
        "this account may not use the key",
        "Give the account read access to the container's file (readers of win_cloudhsm_import_key).",
        "container",
        "microsoft",
    ),
    Code(
        0x80090011,
        "NTE_NOT_FOUND",
        "nothing fits: the certificate is not in the store, or no container holds its key",
        "Check the store; then make the container with win_cloudhsm_import_key.",
        "container",
        "measured",
    ),
    Code(
        0x80090013,
        "NTE_BAD_PROVIDER",
        "the provider is not one",
        "Check the provider's name with certutil -csplist.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090014,
        "NTE_BAD_PROV_TYPE",
        "the provider type does not fit the provider",
        "Set provider_type to 0 for a key storage provider.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090016,
        "NTE_BAD_KEYSET",
        "there is no such key container for this account, or its key is gone from the HSM",
        "Make the container with win_cloudhsm_import_key; check machine_keys and the account's rights.",
        "container",
        "vendor",
    ),
    Code(
        0x80090017,
        "NTE_PROV_TYPE_NOT_DEF",
        "no provider of that type is registered",
        "Set provider_type to 0 for a key storage provider.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090019,
        "NTE_KEYSET_NOT_DEF",
        "the provider is not registered on this host, or shows no keys in this session",
        "Install the CloudHSM client's provider and check its name with certutil -csplist.",
        "provider",
        "public",
    ),
    Code(
        0x8009001A,
        "NTE_KEYSET_ENTRY_BAD",
        "the container is damaged",
        "Remove the container and make it again with win_cloudhsm_import_key.",
        "container",
        "microsoft",
    ),
    Code(
        0x8009001D,
        "NTE_PROVIDER_DLL_FAIL",
        "the provider could not start",
        "Check the client's configuration and the provider's log.",
        "provider",
        "microsoft",
    ),
    Code(
        0x8009001E,
        "NTE_PROV_DLL_NOT_FOUND",
        "the provider's library is missing",
        "Install the CloudHSM client's provider again.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090020,
        "NTE_FAIL",
        "the provider failed inside",
        "Check the credential, the client's service (SDK 3) and that the HSM is reachable on TCP 2223.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090022,
        "NTE_SILENT_CONTEXT",
        "the provider wanted to show a window",
        "Give the crypto user to the module.",
        "credential",
        "microsoft",
    ),
    Code(
        0x80090026,
        "NTE_INVALID_HANDLE",
        "the key's handle is not valid any more",
        "Try again; then make the container again.",
        "key",
        "microsoft",
    ),
    Code(
        0x80090027,
        "NTE_INVALID_PARAMETER",
        "the provider refused a parameter, often the key specification",
        "Try another key_spec: 0, 1 or 2.",
        "container",
        "public",
    ),
    Code(
        0x80090028,
        "NTE_BUFFER_TOO_SMALL",
        "the provider gave a buffer that is too small",
        "Update the provider.",
        "provider",
        "microsoft",
    ),
    Code(
        0x80090029,
        "NTE_NOT_SUPPORTED",
        "the provider does not support that",
        "Check the key's type, and key_spec.",
        "provider",
        "public",
    ),
    Code(0x8009002A, "NTE_NO_MORE_ITEMS", "there are no more keys", "Nothing.", "container", "microsoft"),
    Code(
        0x8009002D,
        "NTE_INTERNAL_ERROR",
        "the provider failed inside while signing",
        "Check the HSM's health and the provider's log.",
        "provider",
        "public",
    ),
    Code(
        0x80090030,
        "NTE_DEVICE_NOT_READY",
        "the HSM cannot be reached or is not ready",
        "Check that TCP 2223 of the HSM is open to this host: it must be a member of the cluster's security group.",
        "cluster",
        "microsoft",
    ),
    Code(
        0x80090031,
        "NTE_AUTHENTICATION_IGNORED",
        "the provider ignored the login",
        "Check the crypto user's credential.",
        "credential",
        "microsoft",
    ),
    Code(
        0x80090033,
        "NTE_INCORRECT_PASSWORD",
        "the crypto user's password is wrong",
        "Correct it before the next run: five failures lock the crypto user.",
        "credential",
        "microsoft",
    ),
    Code(
        0x80092002,
        "CRYPT_E_BAD_ENCODE",
        "the file is no certificate",
        "Check the file.",
        "certificate",
        "microsoft",
    ),
    Code(
        0x80092004,
        "CRYPT_E_NOT_FOUND",
        "the certificate, or a property of it, is not there",
        "Check the store and the thumbprint.",
        "certificate",
        "public",
    ),
    Code(
        0x80092009,
        "CRYPT_E_NO_MATCH",
        "no certificate fits",
        "Check the thumbprint.",
        "certificate",
        "microsoft",
    ),
    Code(
        0x8009200B,
        "CRYPT_E_NO_KEY_PROPERTY",
        "the certificate has no private key property",
        "Associate it with its key: win_cert_repairstore.",
        "container",
        "measured",
    ),
    Code(
        0x80093102,
        "CRYPT_E_ASN1_EOD",
        "the file could not be read to its end",
        "Try again; an antivirus may hold the file.",
        "file",
        "public",
    ),
    Code(
        0x80096001,
        "TRUST_E_SYSTEM_ERROR",
        "a system error happened while the trust was checked",
        "Try again.",
        "host",
        "microsoft",
    ),
    Code(
        0x80096005,
        "TRUST_E_TIME_STAMP",
        "the time stamp could not be got or checked",
        "Try again, or use another time stamp authority.",
        "timestamp",
        "public",
    ),
    Code(
        0x80096010,
        "TRUST_E_BAD_DIGEST",
        "the file was changed after it was signed",
        "Sign the original file again.",
        "file",
        "measured",
    ),
    Code(
        0x800B0001,
        "TRUST_E_PROVIDER_UNKNOWN",
        "Windows knows no way to check this kind of file",
        "Check that the file can be signed.",
        "file",
        "microsoft",
    ),
    Code(
        0x800B0003,
        "TRUST_E_SUBJECT_FORM_UNKNOWN",
        "this kind of file cannot be signed",
        "Check the file.",
        "file",
        "microsoft",
    ),
    Code(
        0x800B0004,
        "TRUST_E_SUBJECT_NOT_TRUSTED",
        "the signer is not trusted",
        "Put the root certificate into the Root store.",
        "certificate",
        "microsoft",
    ),
    Code(0x800B0100, "TRUST_E_NOSIGNATURE", "the file is not signed", "Sign it.", "file", "measured"),
    Code(
        0x800B0101,
        "CERT_E_EXPIRED",
        "a certificate of the chain is expired, or not yet valid",
        "Renew the certificate; check the host's clock.",
        "certificate",
        "measured",
    ),
    Code(
        0x800B0109,
        "CERT_E_UNTRUSTEDROOT",
        "the chain ends in a root that this host does not trust",
        "Put the root certificate into the Root store.",
        "certificate",
        "microsoft",
    ),
    Code(
        0x800B010A,
        "CERT_E_CHAINING",
        "the chain cannot be built",
        "Put the intermediate certificates into the CA store.",
        "certificate",
        "measured",
    ),
    Code(
        0x800B010C,
        "CERT_E_REVOKED",
        "the certificate is revoked",
        "Use another certificate.",
        "certificate",
        "microsoft",
    ),
    Code(
        0x800B0110,
        "CERT_E_WRONG_USAGE",
        "the certificate is not made for code signing",
        "Use a certificate with the code signing usage.",
        "certificate",
        "microsoft",
    ),
    Code(
        0xC0000142,
        "STATUS_DLL_INIT_FAILED",
        "the program could not load its libraries",
        "Install the Windows SDK's SignTool again.",
        "signtool",
        "measured",
    ),
    Code(
        0xC0000225,
        "STATUS_NOT_FOUND",
        "the token does not find its object",
        "Check the provider and the key.",
        "key",
        "public",
    ),
)
"""All codes, by their unsigned value."""
