# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``signtool sign``: real Authenticode signatures by osslsigncode, with the key in the token, and real time
stamps.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from ...windows.errors import ACCESS_DENIED, SHARING_VIOLATION, LabOSError
from ...windows.process import Process
from . import authenticode, fileformat, osslsigncode
from .console import Console
from .names import Named, find
from .options import CERTHASH, CommandLine
from .select import (
    NotSelected,
    Selected,
    matches,
    select,
)

FILE_NOT_FOUND = 0x80070002
NTE_INTERNAL_ERROR = 0x8009002D
CRYPT_E_NO_MATCH = 0x80092009
WORDS = {
    0x80090015: "The specified private key does not match the public key of the\n\tselected certificate.",
    0x80090016: "The specified private key container was not found.",
    0x80090019: "The specified CSP could not be found.",
    0x8009200B: "No private key is available.",
}
E_UNEXPECTED = 0x8000FFFF
E_INVALIDARG = 0x80070057
BAD_EXE_FORMAT = 0x800700C1
SERVER = "The specified timestamp server either could not be reached or\nreturned an invalid response."


class FileFailed(Exception):
    """This file could not be signed; the others are still tried. ``words``: sentences without a value."""

    def __init__(self, *words: str, call: tuple[str, int] | None = None) -> None:
        super().__init__(*words)
        self.words = words
        self.call = call


class RunEnded(Exception):
    """SignerSign failed and SignTool leaves without a look at the other files. ``path``: the file that it was
    about.
    """

    def __init__(self, code: int, path: str = "") -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code
        self.path = path

    def say(self, console: Console) -> None:
        """Few codes have words of their own."""
        if self.code in WORDS:
            console.error(WORDS[self.code])
        elif self.code == FILE_NOT_FOUND:
            # The file is there: what was not found is what the key needs.
            console.error_about(f"File not found: {self.path}")
        elif self.code == CRYPT_E_NO_MATCH:
            # It blames the file to be signed for the certificate that is tied to the wrong key.
            console.error_about(
                f"An error occurred while attempting to load the signing\n\tcertificate from: {self.path}"
            )
        else:
            console.internal_error("Error: SignerSign() failed.", self.code)


@dataclass
class Tally:
    good: int = 0
    warnings: int = 0
    errors: int = 0

    @property
    def exit_code(self) -> int:
        return 1 if self.errors else 2 if self.warnings else 0


def run(process: Process, line: CommandLine, console: Console, build: int) -> int:
    line.not_done("dg", "ds", "di", "dlib", "p7", "es", "sa", "tseal")
    try:
        selected = select(process, line, console, build)
    except NotSelected:
        return 1
    signer = _Signer(process, line, console, selected)
    tally, quiet, verbose = Tally(), line.quiet, line.verbose
    try:
        for name in line.files:
            found = find(process, name)
            if not found:
                console.error_about(f"File not found: {name}")
                tally.errors += 1
            for one in found:
                _one(signer, one, tally, quiet)
    except RunEnded as end:
        end.say(console)
        return 1
    count(console, tally, "Number of files successfully Signed", quiet, verbose)
    return tally.exit_code


def count(
    console: Console, tally: Tally, what: str, quiet: bool, verbose: bool, warnings: bool = True
) -> None:
    """The figures at the end: all with /v, otherwise those that are not zero, and only when something went
    wrong.
    """
    if quiet or not (verbose or tally.errors or tally.warnings):
        return
    figures = [
        (what, tally.good),
        *([("Number of warnings", tally.warnings)] if warnings else []),
        ("Number of errors", tally.errors),
    ]
    console.counters(*(f"{label}: {number}" for label, number in figures if verbose or number))


def _one(signer: _Signer, named: Named, tally: Tally, quiet: bool) -> None:
    console = signer.console
    if named.folder:
        tally.errors += 1
        return
    try:
        warned = signer.sign(named)
    except FileFailed as failure:
        if not quiet:
            for words in failure.words:
                console.error(words)
            if failure.call:
                console.failed_call(*failure.call)
        console.error_about(f"An error occurred while attempting to sign: {named.shown}")
        tally.errors += 1
        return
    if warned:
        console.error(SERVER)
        console.warning_about(
            f"Signing succeeded, but an error occurred while attempting to\n\ttimestamp: {named.shown}"
        )
        tally.errors += 1
        return
    if not quiet:
        console.say(f"Successfully signed: {named.shown}\n")
    tally.good += 1
    warning = signer.process.fault("sign_warning")
    if warning:
        console.warning(warning)
        tally.warnings += 1


class _Signer:
    def __init__(self, process: Process, line: CommandLine, console: Console, selected: Selected) -> None:
        self.process = process
        self.line = line
        self.console = console
        self.selected = selected
        self.digest = self._algorithm(line.value("fd", "sha256"))
        self.stamp_digest = self._algorithm(line.last("td", "sha1"))
        self.signed = 0
        self._fault_after, self._fault_code = self._injected()

    def _algorithm(self, name: str) -> str:
        if name.lower() != CERTHASH.lower():
            return name.lower()
        used = self.selected.certificate.signature_hash_algorithm
        return used.name if used is not None else "sha256"

    def _injected(self) -> tuple[int, int]:
        """The fault ``ksp_error[:after][:0xcode]``: after so many files the provider answers with an error."""
        fault = self.process.fault("ksp_error")
        if fault is None:
            return -1, 0
        parts = [part for part in fault.split(":") if part]
        codes = [int(part, 16) for part in parts if part.lower().startswith("0x")]
        counts = [int(part) for part in parts if part.isdigit()]
        return (counts[0] if counts else 0), (codes[0] if codes else NTE_INTERNAL_ERROR)

    def sign(self, named: Named) -> bool:
        """Signs one file. True when it is signed now but has no timestamp, as older versions left it."""
        begun = time.monotonic()
        files = self.process.host.files
        try:
            files.read(named.path)
            path, read_only = files.real_path(named.path), files.stat(named.path).read_only
        except LabOSError as error:
            raise FileFailed(_refusal(error)) from None
        kind = fileformat.kind(path)
        if not kind:
            raise FileFailed("This file format cannot be signed because it is not recognized.")
        append = self.line.has("as")
        if append and kind == fileformat.MSI:
            raise FileFailed("Multiple signature support is not implemented for this filetype.")
        if read_only:
            raise FileFailed("Access is denied.")
        self._check_key(named)
        try:
            before = authenticode.read(path, kind)
            if kind == fileformat.PE:
                fileformat.Image(path.read_bytes()).check_table()
        except fileformat.BadTable:
            raise FileFailed(call=("SignedCode::Sign", BAD_EXE_FORMAT)) from None
        except fileformat.Broken:
            raise RunEnded(E_UNEXPECTED) from None
        content, stamped = self._make(path, kind, append and bool(before), begun)
        try:
            files.write(named.path, content, by="signtool")
        except LabOSError as error:
            raise FileFailed(_refusal(error)) from None
        self.signed += 1
        return not stamped

    def _check_key(self, named: Named) -> None:
        if self.signed == self._fault_after:
            raise RunEnded(self._fault_code, named.path)
        if self.selected.key is not None and not matches(self.selected.certificate, self.selected.key):
            raise RunEnded(CRYPT_E_NO_MATCH, named.path)

    def _make(self, path: Path, kind: str, nested: bool, begun: float) -> tuple[bytes, bool]:
        """The signed content, and whether all that was asked for is in it. ``begun``: when the file's turn came (time.monotonic)."""
        line = self.line
        ending = path.suffix if kind == fileformat.SCRIPT else ""
        url, legacy = line.value("tr"), line.value("t")
        with self._key_arguments() as (arguments, environment):
            command = ["sign", *arguments, "-h", self.digest]
            command += ["-n", line.value("d")] if line.value("d") else []
            command += ["-i", line.value("du")] if line.value("du") else []
            command += ["-ph"] if line.has("ph") and kind == fileformat.PE else []
            command += ["-nest"] if nested else []
            content = osslsigncode.change(path, command, environment, ending)
            self._count()
            self.process.wait(self.process.host.pace.left("signature", begun))
        if not url and not legacy:
            return content, True
        if self.process.fault("stamp_fails_after_signing") is not None:
            return content, False
        if (fault := self.process.fault("stamp_error")) is not None:
            raise RunEnded(int(fault, 16))
        with tempfile.TemporaryDirectory() as folder:
            signed = Path(folder) / ("signed" + ending)
            signed.write_bytes(content)
            index = len(authenticode.read(signed, kind)) - 1 if nested else 0
            return stamp(signed, self.stamp_digest, url, legacy, index, ending), True

    def _count(self) -> None:
        """The HSM has made a signature."""
        cluster, key = self.process.host.cluster, self.selected.key
        if cluster is not None and key is not None:
            cluster.operations.append(("signtool", "sign", key.handle))

    @contextlib.contextmanager
    def _key_arguments(self) -> Iterator[tuple[list[str], dict[str, str]]]:
        """The part of osslsigncode's command line that names key and certificates."""
        selected = self.selected
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "leaf.pem").write_bytes(selected.certificate.public_bytes(Encoding.PEM))
            arguments = ["-certs", str(folder / "leaf.pem")]
            if selected.attached:
                (folder / "chain.pem").write_bytes(
                    b"".join(one.public_bytes(Encoding.PEM) for one in selected.attached)
                )
                arguments += ["-ac", str(folder / "chain.pem")]
            if selected.key is None:
                (folder / "key.pem").touch(mode=0o600)
                (folder / "key.pem").write_bytes(selected.pem_key)
                yield [*arguments, "-key", str(folder / "key.pem")], {}
                return
            cluster = self.process.host.cluster
            assert cluster is not None
            token = cluster.signing_arguments(selected.key.handle, folder)
            yield [*arguments, *token.osslsigncode()], dict(token.environment)


def stamp(path: Path, digest: str, url: str, legacy: str, index: int = 0, ending: str = "") -> bytes:
    """The content with a timestamp at the signature ``index``. Raises FileFailed."""
    where = ["-index", str(index)] if index else []
    server = ["-ts", url] if url else ["-t", legacy]
    try:
        return osslsigncode.change(path, ["add", "-h", digest, *server, *where], ending=ending)
    except osslsigncode.Failed as failure:
        text = str(failure)
        if legacy and not any(word in text for word in ("Couldn't connect", "Could not resolve", "curl")):
            raise FileFailed(call=("SignedCode::Sign", E_INVALIDARG)) from None
        raise FileFailed(SERVER) from None


def _refusal(error: LabOSError) -> str:
    return {
        SHARING_VIOLATION: "The file is being used by another process.",
        ACCESS_DENIED: "Access is denied.",
    }.get(error.code, "Access is denied.")
