# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for SignTool on a POSIX system: it speaks as the recorded one does; its signatures are lines at a file's end.

On such a system the backslash is a letter: the file ``C:\\build\\a.exe`` lies beside the folder ``C:\\build``, in which this
program is started. Each run adds a line to the list of calls (support/stand_in_calls.py).
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support import stand_in_calls

MARK = b"\n--signature "
WITH_VALUE = {"/fd", "/s", "/sha1", "/tr", "/td", "/tp", "/ac", "/d", "/du"}
UNREACHABLE = "SignTool Error: The specified timestamp server either could not be reached or\r\nreturned an invalid response.\r\n"


def path_of(name: str) -> Path:
    """The file that SignTool would find under ``name``, which may be a whole path, in its working directory."""
    if ":" in name:
        return Path(name)
    here = Path.cwd()
    return here.with_name(here.name + "\\" + name.removeprefix(".\\"))


def split(content: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    body, *signatures = content.split(MARK)
    return body, [json.loads(text) for text in signatures]


def certificate(depth: int, subject: str, thumbprint: str) -> str:
    lines = [
        f"Issued to: {subject}",
        "Issued by: Example Test Root CA",
        "Expires:   Sun May 16 05:40:43 2032",
        f"SHA1 hash: {thumbprint}",
    ]
    return "".join(" " * 4 * depth + line + "\r\r\n" for line in lines) + "\r\n"


def sign(options: dict[str, str], names: list[str]) -> tuple[int, str, str]:
    out, err, good, errors = "Done Adding Additional Store\r\n", "", 0, 0
    for name in names:
        body, signatures = split(path_of(name).read_bytes())
        if body.startswith(b"hangs"):
            stand_in_calls.hang("heartbeat")
        if "/tr" in options and "dead" in options["/tr"]:
            err += UNREACHABLE + f"SignTool Error: An error occurred while attempting to sign: {name}\r\r\n"
            errors += 1
            continue
        own = {
            "signer": options["/sha1"],
            "digest": options["/fd"],
            "stamped": "/tr" in options,
            "body": hashlib.sha256(body).hexdigest(),
        }
        kept = signatures if "/as" in options else []
        path_of(name).write_bytes(body + b"".join(MARK + json.dumps(one).encode() for one in [*kept, own]))
        out, good = out + f"Successfully signed: {name}\r\r\n", good + 1
    out += f"\r\nNumber of files successfully Signed: {good}\r\r\nNumber of warnings: 0\r\r\nNumber of errors: {errors}\r\r\n"
    return (1 if errors else 0), out, err


def timestamp(options: dict[str, str], names: list[str]) -> tuple[int, str, str]:
    out, err, good, errors = "", "", 0, 0
    for name in names:
        if "dead" in options["/tr"]:
            err += (
                UNREACHABLE + f"SignTool Error: An error occurred while attempting to timestamp: {name}\r\r\n"
            )
            errors += 1
            continue
        body, signatures = split(path_of(name).read_bytes())
        stamped = [{**one, "stamped": True} for one in signatures]
        path_of(name).write_bytes(body + b"".join(MARK + json.dumps(one).encode() for one in stamped))
        out, good = out + f"Successfully timestamped: {name}\r\r\n", good + 1
    out += f"\r\nNumber of files successfully timestamped: {good}\r\r\nNumber of errors: {errors}\r\r\n"
    return (1 if errors else 0), out, err


def verify(names: list[str]) -> tuple[int, str, str]:
    (name,) = names
    body, signatures = split(path_of(name).read_bytes())
    out, err, good = f"\r\r\nVerifying: {name}\r\r\n", "", 0
    if not signatures:
        err = "SignTool Error: No signature found.\r\r\n"
    for index, one in enumerate(signatures):
        out += f"\r\nSignature Index: {index}{' (Primary Signature)' if not index else ''}\r\nHash of file ({one['digest']}): {one['body'].upper()}\r\n"
        out += (
            "\r\nSigning Certificate Chain:\r\n"
            + certificate(1, "Example Test Root CA", "9" * 40)
            + certificate(2, "Example Code Signing", one["signer"])
        )
        if one["stamped"]:
            out += "The signature is timestamped: Tue Nov 24 06:20:41 2026\r\nTimestamp Verified by:\r\n"
            out += (
                certificate(1, "Example Test Root CA", "9" * 40)
                + certificate(2, "Example Time Stamping", "8" * 40)
                + "\r\n"
            )
        else:
            out += "File is not timestamped.\r\n\r\n"
        if one["body"] != hashlib.sha256(body).hexdigest():
            err += "SignTool Error: WinVerifyTrust returned error: 0x80096010\r\r\n\tThe digital signature of the object did not verify.\r\r\n"
        else:
            good += 1
    if not err:
        out += f"\r\nSuccessfully verified: {name}\r\r\n"
    errors = max(len(signatures) - good, 1 if err else 0)
    out += f"\r\nNumber of signatures successfully Verified: {good}\r\r\nNumber of warnings: 0\r\r\nNumber of errors: {errors}\r\r\n"
    return (1 if err else 0), out, err


def remove(names: list[str]) -> tuple[int, str, str]:
    out = ""
    for name in names:
        path_of(name).write_bytes(split(path_of(name).read_bytes())[0])
        out += f"\r\nRemoving signature on file: {name}\r\r\nSuccessfully committed changes to the file: {name}\r\r\n"
    return (
        0,
        out
        + f"\r\nNumber of files successfully processed: {len(names)}\r\r\nNumber of warnings: 0\r\r\nNumber of errors: 0\r\r\n",
        "",
    )


def printed(text: str) -> bytes:
    """Code page 1253, as SignTool prints: each line ends at the first character that is not in it."""
    lines = []
    for line in text.splitlines(keepends=True):
        try:
            lines.append(line.encode("cp1253"))
        except UnicodeEncodeError as error:
            lines.append(line[: error.start].encode("cp1253"))
    return b"".join(lines)


def main(words: list[str]) -> int:
    stand_in_calls.record("signtool", words)
    command, rest = words[0], words[1:]
    options: dict[str, str] = {}
    while rest and rest[0].startswith("/"):
        option = rest.pop(0)
        options[option] = rest.pop(0) if option in WITH_VALUE and command != "remove" else ""
    code, out, err = {
        "sign": lambda: sign(options, rest),
        "timestamp": lambda: timestamp(options, rest),
        "verify": lambda: verify(rest),
        "remove": lambda: remove(rest),
    }[command]()
    sys.stdout.buffer.write(printed(out))
    sys.stderr.buffer.write(printed(err))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
