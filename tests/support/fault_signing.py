# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the fault matrix's stories of signing, and what is wrong with them: signatures and timestamps hold times, so
that two runs never leave the same bytes, and files are judged by what they mean.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.tools.signtool import authenticode, fileformat
from lab.tools.signtool.osslsigncode import Failed
from lab.windows.host import Host
from support.signable import SCRIPT, programs, script_support, thumbprint

FOLDER = r"C:\release"
LEDGER = r"C:\signed\ledger.jsonl"
EARLIER = b'{"file": "C:\\\\release\\\\1.0.exe"}\n'
"""What stands in the ledger before"""
READ = (fileformat.Broken, Failed, ValueError, TypeError, IndexError, KeyError)
"""What the lab's readers raise of a file that is half written"""


def unsigned() -> dict[str, bytes]:
    """The files by their paths: a program, and a script where the lab can sign one, else a library."""
    found = programs()
    other = {"deploy.ps1": SCRIPT} if script_support() else {"tool.dll": found["library.dll"]}
    names = {"setup.exe": found["setup32.exe"], **other}
    return {rf"{FOLDER}\{name}": content for name, content in names.items()}


@dataclass
class Signed:
    """Files that are to be signed by one certificate, once each and with a timestamp.

    ``originals``: each file's bytes without a signature. ``before``: each as it lies there before a run. ``ledger``: whether
    each file that a run signs has its one line there.
    """

    host: Host
    signer: str
    originals: Mapping[str, bytes]
    before: Mapping[str, bytes]
    ledger: bool

    @property
    def apart(self) -> frozenset[str]:
        """What no two runs have in common."""
        return frozenset(name.lower() for name in (*self.originals, *([LEDGER] if self.ledger else [])))

    def whole(self) -> list[str]:
        """What is wrong with the files after a run that has ended in whatever way: each is what it was, or signed."""
        files, wrong = self.host.files, []
        for path, content in self.before.items():
            if not files.is_file(path):
                wrong.append(f"{path} is gone")
            elif files.read(path) != content and (text := self._signed(path)):
                wrong.append(f"{path} is neither what it was nor signed: {text}")
        return wrong

    def done(self) -> list[str]:
        """What is wrong with the files once a run has done its work: all are signed, and written down."""
        wrong = [f"{path}: {text}" for path in self.originals if (text := self._signed(path))]
        if not self.ledger:
            return wrong
        files = self.host.files
        content = files.read(LEDGER) if files.is_file(LEDGER) else b""
        if not content.startswith(EARLIER):
            return [*wrong, "the ledger has lost what stood there"]
        try:
            lines = [json.loads(line) for line in content.removeprefix(EARLIER).splitlines()]
        except ValueError:
            return [*wrong, "the ledger has a line that was cut off"]
        for path in self.originals:
            if not files.is_file(path):
                continue
            now, was = (hashlib.sha256(data).hexdigest() for data in (files.read(path), self.before[path]))
            found = [one["sha256_after"] for one in lines if one["file"] == path]
            if found != ([] if now == was else [now]):
                wrong.append(f"{path} has the lines {found} in the ledger, and is {now}")
        return wrong

    def _signed(self, path: str) -> str:
        """Why a file is not signed as wanted, "" where it is."""
        files = self.host.files
        if not files.is_file(path):
            return "it is gone"
        return not_signed(files.real_path(path), self.originals[path], self.signer)


def not_signed(real: Path, original: bytes, signer: str) -> str:
    """Why the file at a real path is not what becomes of ``original`` where the certificate with the thumbprint ``signer``
    signs it once, with a timestamp; "" where it is.
    """
    kind = fileformat.kind(real)
    try:
        found = authenticode.read(real, kind)
    except READ as error:
        return f"it cannot be read: {error}"
    if len(found) != 1:
        return f"it has {len(found)} signatures"
    (one,) = found
    if not one.intact:
        return "its signature is not of this content"
    if thumbprint(one.signer) != signer:
        return f"it is signed by {one.signer.subject.rfc4514_string()}"
    if one.stamp is None or not one.stamp.intact:
        return "it has no timestamp that is its own"
    if kind == fileformat.PE:
        same = one.digest == fileformat.Image(original).digest(one.algorithm)
    else:
        # A script's signature is a comment behind it.
        same = real.read_bytes().startswith(original)
    return "" if same else "it is signed, and its content is another"


def term_is_over(host: Host) -> None:
    """A journal of who was killed does not count any more."""
    path = rf"{FOLDER}\.codesign\journal"
    if host.files.is_file(path):
        os.utime(host.files.real_path(path), (1_700_000_000, 1_700_000_000))
