# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs for the DLL of signtool_dll: answers its requests in C:\\ask with osslsigncode and the key of the
certificate that SignTool chose.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .prefix import Prefix

DIGESTS = {0x8004: "sha1", 0x800C: "sha256", 0x800D: "sha384", 0x800E: "sha512"}
"""Windows' numbers of the digest algorithms (ALG_ID)"""
STAMP_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
APPEND = 0x1000
"""SIG_APPEND"""
DONE, NO_SIGNATURE, NO_KEY, UNREACHABLE, FAILED = 0, 0x800B0100, 0x80090016, 0x80072EFD, 0x80004005


@dataclass(frozen=True)
class Request:
    """What the DLL asks for, the nine lines of a request."""

    what: str
    flags: int
    file: str
    thumbprint: str
    digest: int
    stamp: int
    stamp_digest: str
    url: str
    index: int

    @classmethod
    def read(cls, text: str) -> Request:
        what, flags, file, thumbprint, digest, stamp, stamp_digest, url, index = text.splitlines()
        return cls(
            what,
            int(flags, 16),
            file,
            thumbprint,
            int(digest, 16),
            int(stamp, 16),
            stamp_digest,
            url.removeprefix("-"),
            int(index),
        )


@dataclass(frozen=True)
class Key:
    """Files with a certificate, its chain and its private key, all PEM."""

    certificate: Path
    chain: Path
    key: Path


def command(asked: Request, keys: Mapping[str, Key], source: Path, target: Path) -> list[str]:
    """osslsigncode's arguments; [] where there is no such key."""
    ends = ["-in", str(source), "-out", str(target)]
    stamp = (
        ["-ts", asked.url, *(["-h", STAMP_DIGESTS[asked.stamp_digest]] if asked.what == "stamp" else [])]
        if asked.url
        else []
    )
    if asked.what == "remove":
        return ["remove-signature", *ends]
    if asked.what == "stamp":
        return ["add", *stamp, *(["-index", str(asked.index)] if asked.index else []), *ends]
    key = keys.get(asked.thumbprint)
    if key is None:
        return []
    who = [
        "-certs",
        str(key.certificate),
        "-ac",
        str(key.chain),
        "-key",
        str(key.key),
        "-h",
        DIGESTS[asked.digest],
    ]
    return ["sign", *who, *(["-nest"] if asked.flags & APPEND else []), *stamp, *ends]


class Signer:
    """Answers until ``stop``. ``asked`` is what came in, so that tests can count the uses of the key."""

    def __init__(self, prefix: Prefix, keys: Mapping[str, Key]) -> None:
        self._prefix, self._keys = prefix, keys
        self.asked: list[Request] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        folder = self._prefix.drive / "ask"
        while not self._ended.is_set():
            for request in sorted(folder.glob("*.req")):
                text = request.read_text(encoding="utf-8")
                request.unlink()
                threading.Thread(
                    target=self._answer, args=(text, request.with_suffix(".res")), daemon=True
                ).start()
            time.sleep(0.02)

    def _answer(self, text: str, result: Path) -> None:
        code = FAILED
        try:
            asked = Request.read(text)
            self.asked.append(asked)
            code = self._do(asked)
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            print(f"signer: {text!r}: {error}", file=sys.stderr, flush=True)
        partial = result.with_suffix(".partial")
        partial.write_text(f"{code:x}\n", encoding="ascii")
        partial.rename(result)

    def _do(self, asked: Request) -> int:
        source = self._prefix.path(asked.file)
        target = source.with_name(source.name + ".out")
        words: Sequence[str] = command(asked, self._keys, source, target)
        if not words:
            return NO_KEY
        done = subprocess.run(
            ["osslsigncode", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if done.returncode:
            target.unlink(missing_ok=True)
            return NO_SIGNATURE if asked.what == "remove" else UNREACHABLE if asked.url else FAILED
        if asked.what == "remove":
            source.write_bytes(target.read_bytes())  # SignTool has the file open
            target.unlink()
        else:
            os.replace(target, source)
        return DONE
