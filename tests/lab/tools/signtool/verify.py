# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``signtool verify``: reads the embedded signatures, checks them, and judges their chains by the host's own
stores.
"""

from __future__ import annotations

import datetime
import re

from cryptography import x509

from ...windows.errors import SHARING_VIOLATION, LabOSError
from ...windows.process import Process
from . import authenticode, fileformat, listing
from .authenticode import Signature, Stamp
from .chains import (
    CERT_E_UNTRUSTEDROOT,
    CERT_E_WRONG_USAGE,
    CERT_TRUST_IS_NOT_VALID_FOR_USAGE,
    CODE_SIGNING,
    TIME_STAMPING,
    TRUST_E_BAD_DIGEST,
    Chain,
    Trust,
    allows,
    date,
    simple_name,
    stamp_status,
    thumbprint,
)
from .console import Console
from .names import Named, find
from .options import CommandLine
from .sign import Tally, count

UNKNOWN_FORM = 0x800B0003
CATASTROPHIC = 0x8000FFFF
AUTHENTICODE_POLICY = "{00AAC56B-CD44-11D0-8CC2-00C04FC295EE}"
NO_SIGNATURE = "No signature found."
NOT_RECOGNIZED = "This file format cannot be verified because it is not\n\trecognized."
TRUST_E_TIME_STAMP = 0x80096005
STAMP_USAGE = "The timestamp certificate is not valid for the requested usage."
STAMP_ERROR = "An error has been found with the timestamp. \n\tCERT_TRUST_STATUS.dwErrorStatus: 0x{:08X}\n\tCERT_TRUST_STATUS.dwInfoStatus: 0x00000020"
"""Recorded with this information status; the lab knows no other."""
UNTRUSTED = "A certificate chain processed, but terminated in a root\n\tcertificate which is not trusted by the trust provider."
WRONG_USAGE = "The signing certificate is not valid for the requested usage."


class Unverified(Exception):
    """A signature or file fails; ``words``: sentences without a value, ``code``: WinVerifyTrust's.
    ``always``: said with /q too.
    """

    def __init__(self, words: str = "", code: int = 0, *, always: bool = False) -> None:
        super().__init__(words or f"0x{code:08x}")
        self.words = words
        self.code = code
        self.always = always


def run(process: Process, line: CommandLine, console: Console, build: int) -> int:
    line.not_done("p7", "p7content", "enclave", "sl", "bp", "policy")
    if line.has("c") and not find(process, line.value("c")):
        console.error_about(f"File not found: {line.value('c')}")
        return 1
    run_of = _Verifier(process, line, console)
    tally = run_of.tally
    for name in line.files:
        found = find(process, name)
        if not found:
            console.error_about(f"File not found: {name}")
            tally.errors += 1
        for one in found:
            run_of.file(one)
    what = (
        "Number of signatures successfully Verified"
        if line.has("all")
        else "Number of files successfully Verified"
    )
    count(console, tally, what, line.quiet, run_of.verbose)
    return tally.exit_code


class _Verifier:
    def __init__(self, process: Process, line: CommandLine, console: Console) -> None:
        self.process = process
        self.line = line
        self.console = console
        self.tally = Tally()
        self.quiet = line.quiet
        self.verbose = line.verbose
        self.trust = Trust(process)
        policy = line.value("pg").upper() == AUTHENTICODE_POLICY
        self.authenticode_policy = line.has("pa") or policy
        self.now = process.host.now()

    def file(self, named: Named) -> None:
        if named.folder:
            self.tally.errors += 1
            return
        if self.line.has("ad", "as", "ag", "c"):
            if self.verbose:
                self.console.say(f"\nVerifying: {named.shown}\n")
            # No catalog of the lab knows any file.
            if self.line.has("c") and not self.quiet:
                self.console.error("File not found in the specified catalog.")
            self._fail_about(f"File not valid: {named.shown}")
            return
        if self.verbose:
            self.console.say(f"\nVerifying: {named.shown}\n")
        else:
            self.console.row(f"File: {named.shown}\n")
            self.console.table_head()
        try:
            chosen = self._signatures(named)
        except Unverified as failure:
            self._fail(failure)
            return
        good = 0
        for index, signature in chosen:
            try:
                self._signature(index, signature)
            except Unverified as failure:
                self._fail(failure)
                continue
            good += 1
            # A stamp whose chain has an error is none for it.
            if self.line.has("tw") and (signature.stamp is None or self._stamp(signature.stamp)[1]):
                self.console.warning_about(f"File is not timestamped: {named.shown}")
                self.tally.warnings += 1
        if good == len(chosen):
            self.console.out("\n")
            self.console.say(f"Successfully verified: {named.shown}\n")
        self.tally.good += good if self.line.has("all") else int(good == len(chosen))

    # What went wrong
    # ---------------------------------------------------------------------------------------------------

    def _fail(self, failure: Unverified) -> None:
        self.tally.errors += 1
        if self.quiet and not failure.always:
            return
        if failure.words:
            self.console.error(failure.words)
        else:
            self.console.failed_call("WinVerifyTrust", failure.code)

    def _fail_about(self, text: str) -> None:
        self.tally.errors += 1
        if not self.quiet:
            self.console.error_about(text)

    # Reading
    # -----------------------------------------------------------------------------------------------------------

    def _signatures(self, named: Named) -> list[tuple[int, Signature]]:
        """The signatures to be looked at, with their indices."""
        files = self.process.host.files
        try:
            files.read(named.path)
        except LabOSError as error:
            words = (
                "The file is being used by another process."
                if error.code == SHARING_VIOLATION
                else "Access is denied."
            )
            raise Unverified(words) from None
        path = files.real_path(named.path)
        kind = fileformat.kind(path)
        if not kind:
            self._catalog_hash(UNKNOWN_FORM)
            raise Unverified(NOT_RECOGNIZED, always=True)
        try:
            found = authenticode.read(path, kind)
        except fileformat.Broken:
            self._catalog_hash(CATASTROPHIC)
            raise Unverified(NO_SIGNATURE) from None
        if not found:
            raise Unverified(NO_SIGNATURE)
        if self.line.has("all"):
            return list(enumerate(found))
        match = re.match(r"-?\d+", self.line.value("ds", "0"))
        index = int(match[0]) if match else 0
        if not 0 <= index < len(found):
            raise Unverified(NO_SIGNATURE)
        return [(index, found[index])]

    def _catalog_hash(self, code: int) -> None:
        if self.verbose:
            self.console.failed_call("CryptCATAdminCalcHashFromFileHandle", code)

    # Judging
    # -----------------------------------------------------------------------------------------------------------

    def _signature(self, index: int, signature: Signature) -> None:
        """Prints what is known of a signature and raises Unverified for a bad one."""
        chain = self.trust.chain(signature.signer, signature.certificates)
        warnings: list[str] = []
        forced, _unused, chainless = (self.process.fault("verify_code") or "").partition(":")
        if self.verbose:
            self._describe(index, signature, chain, bool(chainless))
            if self.line.has("ph") and not signature.page_hashes:
                warnings.append("No page hashes are present.")
        self._judge(signature, chain)
        if forced:
            raise Unverified(code=int(forced, 16))
        if not self.verbose and not self.quiet:
            kind = signature.stamp.kind if signature.stamp else "None"
            self.console.row(f"{index:<7}{signature.algorithm:<11}{kind:<13}\n")
        for words in warnings:
            self.console.warning(words)
            self.tally.warnings += 1

    def _describe(self, index: int, signature: Signature, chain: Chain, chainless: bool) -> None:
        console = self.console
        console.row(f"\nSignature Index: {index}{' (Primary Signature)' if index == 0 else ''}\n")
        console.row(f"Hash of file ({signature.algorithm}): {signature.digest.hex().upper()}\n")
        if chainless:
            return
        console.out("\nSigning Certificate Chain:\n")
        listing.chain(console, chain.certificates)
        stamp = signature.stamp
        if stamp is None:
            console.out("File is not timestamped.\n\n")
        else:
            self._describe_stamp(stamp)
        if signature.page_hashes:
            console.out("File has page hashes.\n\n")
        if self.line.has("d") and (signature.description or signature.url):
            console.row(f"Description:     {signature.description}\nDescription URL: {signature.url} \n\n")

    def _describe_stamp(self, stamp: Stamp) -> None:
        """The time and the chain; in their place a warning on the other stream, that no counter counts, where
        the chain has an error.
        """
        console = self.console
        chain, status = self._stamp(stamp)
        if status & CERT_TRUST_IS_NOT_VALID_FOR_USAGE:
            console.out(f"SignTool Warning: {STAMP_USAGE}\n")
        elif status:
            console.warning(STAMP_ERROR.format(status))
        else:
            console.say(f"The signature is timestamped: {date(stamp.time)}\n")
            console.out("Timestamp Verified by:\n")
            if chain:
                listing.chain(console, chain.certificates)

    def _stamp(self, stamp: Stamp) -> tuple[Chain | None, int]:
        """A stamp's chain, and what is wrong with it (0: nothing)."""
        chain = self.trust.chain(stamp.signer, stamp.certificates) if stamp.signer is not None else None
        return chain, stamp_status(chain, stamp.time) if chain else 0

    def _judge(self, signature: Signature, chain: Chain) -> None:
        line = self.line
        if line.has("kp"):
            raise Unverified("Signing Cert does not chain to a Microsoft Root Cert.")
        if not self.authenticode_policy:
            # The policy for drivers accepts only Microsoft's roots, and no host of the lab has a certificate
            # below one.
            raise Unverified(UNTRUSTED)
        if not signature.intact:
            raise Unverified(code=TRUST_E_BAD_DIGEST)
        if signature.stamp is not None and not signature.stamp.intact:
            raise Unverified(code=TRUST_E_TIME_STAMP)
        code = self.trust.verdict(chain, CODE_SIGNING, self._moment(signature))
        if code == CERT_E_UNTRUSTEDROOT:
            raise Unverified(UNTRUSTED)
        if code == CERT_E_WRONG_USAGE:
            raise Unverified(WRONG_USAGE)
        if code:
            raise Unverified(code=code)
        self._requirements(signature.signer, chain)

    def _moment(self, signature: Signature) -> datetime.datetime:
        """The time at which the certificates have to be valid: that of a timestamp that can be trusted, else
        now.
        """
        stamp = signature.stamp
        if stamp is None or stamp.signer is None or not stamp.intact:
            return self.now
        chain = self.trust.chain(stamp.signer, stamp.certificates)
        return stamp.time if not self.trust.verdict(chain, TIME_STAMPING, stamp.time) else self.now

    def _requirements(self, signer: x509.Certificate, chain: Chain) -> None:
        line = self.line
        if line.has("r"):
            name = simple_name(chain.root.subject)
            if line.value("r").lower() not in name.lower():
                self.console.out(f"Root subject name does not match: {name.lower()}\n")
                raise Unverified("Signing Cert does not chain to the specified Root Cert.")
        if line.has("sha1") and thumbprint(signer) not in {text.upper() for text in line.given["sha1"]}:
            raise Unverified("The signing certificate does not have a specified SHA1 hash.")
        if line.has("ca") and not {thumbprint(one) for one in chain.certificates[1:]} & {
            text.upper() for text in line.given["ca"]
        }:
            raise Unverified("No intermediate CA with a specified thumbprint was found.")
        if line.has("u") and not all(allows(signer, usage) for usage in line.given["u"]):
            raise Unverified("The signer does not possess the specified EKUs.")
