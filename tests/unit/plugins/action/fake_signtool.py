# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SignTool for tests of win_signtool: it works on the files of a FakeHost and speaks as the recorded
SignTool does.

A file of these tests is its content, then one line a signature. What a recording shows of streams, exit
codes, order and cut-off lines is kept; what signatures mean is not: that is the lab's and the real tool's
business.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.fake_host import FakeHost, Raw, failure, ran

MARK = b"\n--signature "
STAMP_TIME = "Tue Nov 24 06:20:41 2026"
ROOT = "901FBCEE01D6916035A4213F3D4D540323FF6DF4"
TSA = "C64CA61F0F7B8B1D2A3C4E5F60718293A4B5C6D7"
PROGRAM = r"C:\Program Files (x86)\Windows Kits\10\bin\10.0.26100.0\x64\signtool.exe"


def split(content: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    body, *signatures = content.split(MARK)
    return body, [json.loads(text) for text in signatures]


def join(body: bytes, signatures: list[dict[str, Any]]) -> bytes:
    return body + b"".join(MARK + json.dumps(one, sort_keys=True).encode() for one in signatures)


def made(body: bytes, thumbprint: str, digest: str = "sha256", stamped: bool = False) -> dict[str, Any]:
    return {
        "signer": thumbprint,
        "digest": digest,
        "stamped": stamped,
        "body": hashlib.sha256(body).hexdigest(),
    }


def signed(body: bytes, *thumbprints: str, digest: str = "sha256", stamped: bool = False) -> bytes:
    """A file with signatures of the certificates named."""
    return join(body, [made(body, thumbprint, digest, stamped) for thumbprint in thumbprints])


@dataclass
class SignToolHost(FakeHost):
    """A FakeHost with SignTool. ``dead_authorities``: URL -> how many times it fails; ``key_fails_at``: file
    bodies at which the key storage provider fails; ``untrusted``: thumbprints whose chains the host does not
    trust.
    """

    version: str = "10.0.26100.9457"
    program: str = PROGRAM
    dead_authorities: dict[str, int] = field(default_factory=dict)
    limit: tuple[int, int] = (0, 0)
    """So many stamps in so many seconds (0: as many as are asked for)."""
    seconds: Callable[[], float] = lambda: 0.0
    let_through: list[float] = field(default_factory=list)
    stamp_requests: int = 0
    busy: int = 0
    """How often the key fails as a busy device does."""
    key_fails_at: set[bytes] = field(default_factory=set)
    untrusted: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    stamp_failure_leaves_signed: bool = False
    selection_error: str = ""
    hangs_at: set[bytes] = field(default_factory=set)
    hanging_authorities: dict[str, int] = field(default_factory=dict)
    """URL -> how many requests it takes and never answers."""
    environments: list[dict[str, str]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    """Files (lower case) that another process holds open for writing: they can be read, nothing else."""
    enclave_warning: bool = False
    unknown_authority: bool = False
    """Whether the root of the timestamp authority is missing on the host."""
    verify_codes: dict[str, int] = field(default_factory=dict)
    """What the verification answers of a certificate's signatures instead of that they are good."""
    providers: tuple[str, ...] = (
        "Microsoft Software Key Storage Provider",
        "Cavium Key Storage Provider",
    )
    says: bytes | None = None
    """What is printed by the program at the path, where it is none of SignTool's."""

    def _version(self, step: Raw) -> Raw:
        if not self.program:
            return {"exists": False}
        return {
            "exists": True,
            "version": self.version,
            "product_version": self.version,
            "file": self.program if "*" in step["path"] else step["path"],
        }

    def _run(self, step: Raw) -> Raw:
        if not self.program:
            return failure("The system cannot find the file specified")
        if step["file"].endswith("certutil.exe"):
            text = "".join(f"Provider Name: {name}\r\n\r\n" for name in self.providers)
            return ran(0, text)
        if step["file"] in self.tools:
            return super()._run(step)
        if self.says is not None:
            return {
                "exit_code": 3,
                "stdout": base64.b64encode(self.says).decode(),
                "stderr": "",
                "timed_out": False,
                "milliseconds": 8,
            }
        arguments = _split_line(step["arguments"])
        self.environments.append(step.get("secret_environment", {}))
        command = {
            "sign": self._sign,
            "timestamp": self._stamp,
            "verify": self._verify,
            "remove": self._take_off,
        }[arguments[0]]
        code, out, err, timed_out = command(arguments[1:], step.get("directory", ""))
        return {
            "exit_code": code & 0xFFFFFFFF,
            "stdout": base64.b64encode(_bytes(out)).decode(),
            "stderr": base64.b64encode(_bytes(err)).decode(),
            "timed_out": timed_out,
            "milliseconds": 80,
        }

    def _each(self, step: Raw) -> Raw:
        names = sorted(
            name for name in self._in_folder(step) if fnmatch.fnmatch(name.lower(), step["pattern"].lower())
        )
        files = []
        for name in names:
            path = step["path"].rstrip("\\") + "\\" + name
            content = self._file(path) or b""
            if step.get("unless_unsigned") and name != names[0] and self.is_unsigned(content):
                result: Raw = {"unsigned": True}
            else:
                run = {"file": step["file"], "arguments": step["arguments"].replace("{path}", path)}
                result = self._run(run)
            digest = self._digest({"path": path, "unless_unsigned": step.get("digest_unless_unsigned")})
            files.append({"name": name, "size": len(content), "digest": digest, "result": result})
        return {"exists": self._has_folder(step["path"]), "files": files}

    def is_unsigned(self, content: bytes) -> bool:
        return MARK not in content and super().is_unsigned(content)

    def _has_folder(self, path: str) -> bool:
        return any(name.lower().startswith(path.lower().rstrip("\\") + "\\") for name in self.files)

    def _list(self, step: Raw) -> Raw:
        return {**super()._list(step), "exists": self._has_folder(step["path"])}

    def _digest(self, step: Raw) -> Raw:
        return self._in_use() if step["path"].lower() in self.locked else super()._digest(step)

    def _move(self, step: Raw) -> Raw:
        return self._in_use() if step["target"].lower() in self.locked else super()._move(step)

    def stuck(self) -> set[str]:
        return self.held

    def _remove(self, step: Raw) -> Raw:
        return self._in_use() if step["path"].lower() in self.held else super()._remove(step)

    def _copy(self, step: Raw) -> Raw:
        if self._file(step["path"]) is None:
            return failure("Could not find file", -2147024894, "System.IO.FileNotFoundException")
        return super()._copy(step)

    def _append(self, step: Raw) -> Raw:
        if not self._has_folder(step["path"].rsplit("\\", 1)[0]):
            return failure(
                "Could not find a part of the path", -2147024893, "System.IO.DirectoryNotFoundException"
            )
        if step["path"].lower() in self.held:
            return self._in_use()
        if not step["base64"]:
            return {}
        content = self._file(step["path"]) or b""
        if step.get("once") and base64.b64decode(step["base64"]) in content:
            return {}
        if content and not content.endswith(b"\n"):
            content += b"\n"
        self._put(step["path"], content + base64.b64decode(step["base64"]))
        return {}

    @staticmethod
    def _in_use() -> Raw:
        return failure(
            "The process cannot access the file because it is being used by another process.",
            -2147024864,
            "System.IO.IOException",
        )

    # SignTool
    # ---------------------------------------------------------------------------------------------------------

    def _sign(self, arguments: list[str], folder: str) -> tuple[int, str, str, bool]:
        options, names = _options(arguments, {"/fd", "/s", "/sha1", "/tr", "/td", "/ac", "/d", "/du"})
        if self.selection_error:
            return 1, "", f"SignTool Error: {self.selection_error}\r\n", False
        out, err, good, errors = "Done Adding Additional Store\r\n", "", 0, 0
        for name in names:
            content = self._file(f"{folder}\\{name}".replace("\\\\", "\\"))
            if content is None:
                err, errors = err + f"SignTool Error: File not found: {name}\r\r\n", errors + 1
                continue
            body, signatures = split(content)
            if body in self.hangs_at:
                return 1, out, err, True
            if body.startswith(b"text"):
                err += "SignTool Error: This file format cannot be signed because it is not recognized.\r\r\n"
                err, errors = (
                    err + f"SignTool Error: An error occurred while attempting to sign: {name}\r\r\n",
                    errors + 1,
                )
                continue
            if body in self.key_fails_at or self.busy:
                self.busy = max(0, self.busy - 1)
                out += 'Error information: "Error: SignerSign() failed." (-2146893779/0x8009002d)\r\r\n'
                return 1, out, err + "SignTool Error: An unexpected internal error has occurred.\r\r\n", False
            url = options.get("/tr", "")
            if self._hangs(url):
                return 1, out, err, True
            alive = not url or not self._dead(url)
            if url and not alive:
                err += "SignTool Error: The specified timestamp server either could not be reached or\r\nreturned an invalid response.\r\n"
                errors += 1
                if not self.stamp_failure_leaves_signed:
                    err += f"SignTool Error: An error occurred while attempting to sign: {name}\r\r\n"
                    continue
                err += f"SignTool Warning: Signing succeeded, but an error occurred while attempting to\r\n\ttimestamp: {name}\r\n"
            own = made(body, options["/sha1"], options["/fd"], bool(url) and alive)
            self._put(f"{folder}\\{name}", join(body, [*signatures, own] if "/as" in options else [own]))
            if alive or not url:
                out, good = out + f"Successfully signed: {name}\r\r\n", good + 1
        warnings = len(names) if self.enclave_warning else 0
        if warnings:
            err += "SignTool Warning: Note that VBS enclave support is changing\r\n"
        out += f"\r\nNumber of files successfully Signed: {good}\r\r\nNumber of warnings: {warnings}\r\r\nNumber of errors: {errors}\r\r\n"
        return (1 if errors else 2 if warnings else 0), out, err, False

    def _hangs(self, url: str) -> bool:
        left = self.hanging_authorities.get(url, 0)
        self.hanging_authorities[url] = left - 1
        return left > 0

    def _dead(self, url: str) -> bool:
        self.stamp_requests += 1
        most, seconds = self.limit
        if most:
            now = self.seconds()
            self.let_through = [moment for moment in self.let_through if now - moment < seconds]
            if len(self.let_through) >= most:
                return True
            self.let_through.append(now)
        left = self.dead_authorities.get(url, 0)
        self.dead_authorities[url] = left - 1
        return left > 0

    def _stamp(self, arguments: list[str], folder: str) -> tuple[int, str, str, bool]:
        options, names = _options(arguments, {"/tr", "/td", "/tp"})
        index, out, err, good, errors = int(options.get("/tp", "0")), "", "", 0, 0
        if index and len(names) > 1:
            return (
                1,
                "SignTool Error: The /tp option is incompatible with signing multiple files.\r\r\n",
                "",
                False,
            )
        for name in names:
            body, signatures = split(self._file(f"{folder}\\{name}") or b"")
            if self._hangs(options["/tr"]):
                return 1, out, err, True
            if self._dead(options["/tr"]):
                err += "SignTool Error: The specified timestamp server either could not be reached or\r\nreturned an invalid response.\r\n"
                err, errors = (
                    err + f"SignTool Error: An error occurred while attempting to timestamp: {name}\r\r\n",
                    errors + 1,
                )
                continue
            signatures[index]["stamped"] = True
            self._put(f"{folder}\\{name}", join(body, signatures))
            out, good = out + f"Successfully timestamped: {name}\r\r\n", good + 1
        out += f"\r\nNumber of files successfully timestamped: {good}\r\r\nNumber of errors: {errors}\r\r\n"
        return (1 if errors else 0), out, err, False

    def _take_off(self, arguments: list[str], folder: str) -> tuple[int, str, str, bool]:
        _options_given, names = _options(arguments, set())
        for name in names:
            self._put(f"{folder}\\{name}", split(self._file(f"{folder}\\{name}") or b"")[0])
        out = "".join(
            f"\r\nRemoving signature on file: {folder}\\{name}\r\r\nSuccessfully committed changes to the file: {folder}\\{name}\r\r\n"
            for name in names
        )
        return (
            0,
            out
            + f"\r\nNumber of files successfully processed: {len(names)}\r\r\nNumber of warnings: 0\r\r\nNumber of errors: 0\r\r\n",
            "",
            False,
        )

    def _verify(self, arguments: list[str], folder: str) -> tuple[int, str, str, bool]:
        options, names = _options(arguments, {"/sha1"})
        out, err, good, errors, warnings = "", "", 0, 0, 0
        for name in names:
            path = f"{folder}\\{name}" if folder else name
            content = self._file(path)
            if content is None:
                err, errors = err + f"SignTool Error: File not found: {name}\r\r\n", errors + 1
                continue
            body, signatures = split(content)
            out += f"\r\r\nVerifying: {name}\r\r\n"
            own_good, own = 0, ""
            if body.startswith(b"text"):
                own += "SignTool Error: This file format cannot be verified because it is not\r\n\trecognized.\r\n"
            elif not signatures:
                own += "SignTool Error: No signature found.\r\r\n"
            for index, one in enumerate(signatures):
                out += _block(index, one, self.unknown_authority)
                if one["stamped"] and self.unknown_authority:
                    own += "SignTool Warning: An error has been found with the timestamp. \r\n\tCERT_TRUST_STATUS.dwErrorStatus: 0x00000020\r\n"
                if one["body"] != hashlib.sha256(body).hexdigest():
                    own += "SignTool Error: WinVerifyTrust returned error: 0x80096010\r\r\n\tThe digital signature of the object did not verify.\r\r\n"
                elif one["signer"] in self.verify_codes:
                    own += f"SignTool Error: WinVerifyTrust returned error: 0x{self.verify_codes[one['signer']]:08X}\r\r\n\tWords of the system.\r\r\n"
                elif one["signer"] in self.untrusted:
                    own += "SignTool Error: A certificate chain processed, but terminated in a root\r\n"
                    own += "\tcertificate which is not trusted by the trust provider.\r\n"
                elif "/sha1" in options and one["signer"] != options["/sha1"]:
                    own += "SignTool Error: The signing certificate does not have a specified SHA1 hash.\r\n"
                else:
                    own_good += 1
                    if "/tw" in options and (not one["stamped"] or self.unknown_authority):
                        own += f"SignTool Warning: File is not timestamped: {name}\r\r\n"
                        warnings += 1
            failed = "SignTool Error" in own
            if not failed:
                out += f"\r\nSuccessfully verified: {name}\r\r\n"
            err, good = err + own, good + own_good
            errors += max(len(signatures) - own_good, 1 if failed else 0)
        counted = f"Number of warnings: {warnings}\r\r\nNumber of errors: {errors}\r\r\n"
        if good or not errors or split(content or b"")[1] or "Verifying" in out:
            counted = f"Number of signatures successfully Verified: {good}\r\r\n{counted}"
        else:
            counted = f"Number of errors: {errors}\r\r\n"
        return (1 if errors else 2 if warnings else 0), f"{out}\r\n{counted}", err, False


def _block(index: int, one: dict[str, Any], unknown_authority: bool) -> str:
    text = f"\r\nSignature Index: {index}{' (Primary Signature)' if not index else ''}\r\nHash of file ({one['digest']}): {one['body'].upper()}\r\n"
    text += (
        "\r\nSigning Certificate Chain:\r\n"
        + _certificate(1, "Example Test Root CA", ROOT)
        + _certificate(2, "Example Code Signing", one["signer"])
    )
    if one["stamped"] and unknown_authority:
        return text
    if one["stamped"]:
        text += f"The signature is timestamped: {STAMP_TIME}\r\nTimestamp Verified by:\r\n"
        return (
            text
            + _certificate(1, "Example Test Root CA", ROOT)
            + _certificate(2, "Example Time Stamping", TSA)
            + "\r\n"
        )
    return text + "File is not timestamped.\r\n\r\n"


def _certificate(depth: int, subject: str, thumbprint: str) -> str:
    lines = [
        f"Issued to: {subject}",
        "Issued by: Example Test Root CA",
        "Expires:   Sun May 16 05:40:43 2032",
        f"SHA1 hash: {thumbprint}",
    ]
    return "".join(" " * 4 * depth + line + "\r\r\n" for line in lines) + "\r\n"


def _bytes(text: str) -> bytes:
    """Code page 1253, each line cut off with its end at the first character that it lacks."""
    lines = []
    for line in text.splitlines(keepends=True):
        try:
            lines.append(line.encode("cp1253"))
        except UnicodeEncodeError as error:
            lines.append(line[: error.start].encode("cp1253"))
    return b"".join(lines)


def _options(arguments: list[str], with_value: set[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    position = 0
    while position < len(arguments) and arguments[position].startswith("/"):
        option = arguments[position]
        options[option] = arguments[position + 1] if option in with_value else ""
        position += 2 if option in with_value else 1
    return options, arguments[position:]


def _split_line(line: str) -> list[str]:
    """The arguments of a command line whose quotes stand round whole arguments."""
    found, current, quoted, started = [], "", False, False
    for char in line:
        if char == '"':
            quoted, started = not quoted, True
        elif char == " " and not quoted:
            if current or started:
                found.append(current)
            current, started = "", False
        else:
            current += char
    return [*found, current] if current or started else found
