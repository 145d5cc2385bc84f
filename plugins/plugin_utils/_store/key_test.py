# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the account that Ansible connects as can use a certificate's key: it signs bytes on the host, and the
signature is checked here with the certificate.

Only a signature proves a key, and only a signing that failed with a login speaks against it: all that stops the
test before that leaves the key untested.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
except ImportError:
    # Without it no certificate was read: read_certificates says so before anything comes here.
    pass

from ...module_utils._results import Failure, Result, RunResult
from ...module_utils._steps import Run
from .._formats import codes
from .._tools import key_signature
from .._tools.key_signature import Answer
from .association import Wanted
from .repair import Access

HIDDEN_BY_DOTNET = (0x80090014, 0x80004003)
"""What .NET Framework answers for every RSA and every EC key that its provider does not open: it asks without
keeping the provider's code, and then fails at what it tries next.
"""

_NO_LOGIN = "no login was given, and over a network logon the provider cannot read the Credential Manager"


@dataclass(frozen=True, kw_only=True)
class KeyTest:
    """``code``: what the test ended with, None where nothing gave one. ``problem``: one sentence; "" where there
    is nothing to say.
    """

    key: Literal["usable", "unusable", "untested"] = "untested"
    code: int | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The part of the module's result."""
        return {
            "key": self.key,
            "key_code": None if self.code is None else codes.as_text(self.code),
            "key_problem": self.problem or None,
        }


def step(wanted: Wanted, thumbprint: str, access: Access, data: bytes) -> Run:
    """Signs ``data`` with the certificate's key. A provider may wait for ever, so it has a time limit."""
    return Run(
        key_signature.PROGRAM,
        key_signature.argv(wanted.store_name, wanted.store_location, thumbprint, data),
        secret_environment=access.variables,
        timeout=access.timeout,
    )


def judge(result: Result, der: bytes, data: bytes, login: bool) -> KeyTest:
    """What the step found. ``der``: the certificate; ``login``: whether the step had one."""
    if isinstance(result, Failure):
        return _untested(f"PowerShell could not be started: {result.message}", result.code or None)
    if not isinstance(result, RunResult):
        return _untested("The signature was not tried")
    if result.timed_out:
        return _untested(
            f"PowerShell did not answer within {result.milliseconds // 1000} seconds, and was ended{_without(login)}"
        )
    try:
        answer = key_signature.parse(result.stdout)
    except key_signature.ParseError as error:
        return _untested(
            f"PowerShell's output cannot be read: {error}; it ended with {codes.describe(result.exit_code)}",
            result.exit_code or None,
        )
    if answer.stage == "signed":
        if verifies(der, data, answer.signature):
            return KeyTest(key="usable")
        if verifies(der, data, answer.signature, der_form=True):
            return _untested(
                "The key signed, but its provider answers with DER rather than r and s side by side, which Windows expects"
            )
        return KeyTest(
            key="unusable",
            problem="The key signed, and its signature does not fit the certificate: the container holds another key.",
        )
    if answer.stage == "sign" and login:
        return KeyTest(
            key="unusable", code=answer.code, problem=_sentence(f"The key does not sign{_reason(answer)}")
        )
    return _untested(_before_signing(answer, login), answer.code)


def _before_signing(answer: Answer, login: bool) -> str:
    match answer.stage:
        case "language":
            return "This host runs commands of PowerShell in Constrained Language Mode (an application control policy), in which none can sign"
        case "store":
            return f"The certificate store was not opened{_reason(answer)}"
        case "certificate":
            return f"PowerShell finds no such certificate in the store{_reason(answer)}"
        case "algorithm":
            return f"The certificate's key is neither RSA nor EC, or not one that .NET reads{_reason(answer)}"
        case "key" if answer.code is None:
            return "The certificate has no association, or with no key of its kind"
        case "key" if answer.code in HIDDEN_BY_DOTNET:
            return (
                f"The key was not opened, and .NET Framework does not hand on the provider's reason ({codes.as_text(answer.code)}"
                f" stands for all of them): win_codesign_info looks for it{_without(login)}"
            )
        case "key":
            return f"The key was not opened{_reason(answer)}{_without(login)}"
    return f"The key does not sign{_reason(answer)}{_without(login)}"


def _reason(answer: Answer) -> str:
    """The code with its meaning; of one that nobody explained here, what .NET says."""
    if answer.code is None:
        return ""
    known = codes.lookup(answer.code) is not None
    message = " ".join(answer.message.split())
    return f": {codes.describe(answer.code)}{'' if known or not message else f' ({message})'}"


def _without(login: bool) -> str:
    return "" if login else f"; {_NO_LOGIN}"


def _untested(problem: str, code: int | None = None) -> KeyTest:
    return KeyTest(key="untested", code=code, problem=_sentence(problem))


def _sentence(text: str) -> str:
    return f"{text.rstrip('. ')}."


def verifies(der: bytes, data: bytes, signature: bytes, *, der_form: bool = False) -> bool:
    """Whether the key of the certificate ``der`` made ``signature`` of ``data``, as .NET writes one;
    ``der_form``: an ECDSA signature as everybody else writes it.
    """
    with warnings.catch_warnings():
        # Of what is odd in a certificate, whoever reads it has been told already.
        warnings.simplefilter("ignore")
        key = x509.load_der_x509_certificate(der).public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            return True
        if isinstance(key, ec.EllipticCurvePublicKey):
            if der_form:
                key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
                return True
            half = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * half:
                return False
            # r and s side by side (IEEE P1363), each as long as the curve's order.
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
            return True
    except InvalidSignature:
        pass
    return False
