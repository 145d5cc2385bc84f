# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of the real ansible.windows modules: how a lab host is made ready for them, and how an answer is
compared.

The recordings (fixtures/ansible_windows.json) were made on Wine. What is not compared stands here by name,
with its reason.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from lab.network.fileserver import FileServer
from lab.tools import TOOLS
from lab.windows import packages
from lab.windows.certstore import CertificateStores
from lab.windows.host import Host
from lab.windows.process import Process
from lab.windows.services import Service

ROOT = Path(__file__).resolve().parents[3]
COLLECTIONS = ROOT / "build" / "collections"
SCRIPT = ROOT / "plugins" / "plugin_utils" / "_host" / "run_steps.ps1"
RECORDED_WEB, RECORDED_CLOSED = "127.0.0.1:8025", "127.0.0.1:8026"
WEB_FILE = b"hello from the web\n"
CONTROLLER = "<controller>"

RECORDINGS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "fixtures" / "ansible_windows.json").read_text(encoding="utf-8")
)

NOT_PLAYED = {
    "win_shell": "the lab runs no PowerShell text but the collection's step script",
    "win_powershell": "the lab runs no PowerShell text but the collection's step script",
}
"""Modules of which the lab plays nothing or only what needs no other script."""

_WINE_STORE = "Wine does not save a store while its certificates are referenced; Windows does"
_WINE_OPEN = "Wine makes a store that is only opened to read"
_WINE_MSI = "Wine's msi.dll fails here (error 87)"
_SENTENCE = "the sentence is Wine's, PowerShell 7's or the web server's"
_BYTES = "our stand-in of the recordings' file has other bytes"
_NEWER = "the installed ansible.windows makes a diff here, the recorded 3.7 did not"
_HASH = "the order of a PowerShell hashtable"

UNLIKE: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    # story, situation: keys whose values are not compared ("-key": not even whether it is there), and why
    ("certificate_store_my", "absent again"): (("changed",), _WINE_STORE),
    ("certificate_store_my", "absent, thumbprint with spaces"): (("changed",), _WINE_STORE),
    ("certificate_store_my", "absent by path, not in the store"): (("changed",), _WINE_STORE),
    ("certificate_store_formats", "PKCS#7 DER again"): (("changed",), _WINE_STORE),
    ("certificate_store_formats", "PKCS#7 PEM"): (("changed",), _WINE_STORE),
    ("certificate_store_formats", "PEM with text before it"): (("changed",), _WINE_STORE),
    ("certificate_store_formats", "not a certificate"): (("msg",), _SENTENCE),
    ("certificate_store_formats", "not a certificate, check mode"): (("msg",), _SENTENCE),
    ("certificate_store_stores", "again"): (("changed",), _WINE_STORE),
    ("certificate_store_stores", "store name that nothing has opened before"): (("msg",), _SENTENCE),
    ("certificate_store_stores", "store name that nothing has opened before, check mode"): (
        ("msg",),
        _SENTENCE,
    ),
    ("certificate_store_stores", "store name that nothing has opened before, absent"): (("msg",), _SENTENCE),
    ("certificate_store_stores", "store name that nothing has opened before, file missing too"): (
        ("msg",),
        _SENTENCE,
    ),
    ("certificate_store_absent", "certificate_info of CA with two certificates"): (
        ("exists", "certificates"),
        _WINE_STORE,
    ),
    ("certificate_info", "put a certificate there"): (("changed",), _WINE_STORE),
    ("certificate_info", "other store, by thumbprint, check mode"): (("exists", "certificates"), _WINE_STORE),
    ("copy", "content, check mode, new file, diff"): (("-diff", "-warnings"), _NEWER),
    ("copy", "content, new file, diff"): (("diff", "-warnings"), _NEWER),
    ("copy", "content changed, check mode, diff"): (("-diff",), _NEWER),
    ("copy", "content changed, backup"): (("diff",), _NEWER),
    ("copy", "file, changed, check mode, diff"): (("-diff",), _NEWER),
    ("slurp_fetch_tempfile", "fetch"): (("-file",), "the installed ansible-core gives it"),
    ("slurp_fetch_tempfile", "tempfile, path missing"): (("msg",), "the name in it is random"),
    ("regedit", "dword, no number"): (("msg",), _SENTENCE),
    ("environment", "several variables"): (("before_value", "value"), _HASH),
    ("get_url", "404"): (("msg",), _SENTENCE),
    ("get_url", "404, check mode"): (("msg",), _SENTENCE),
    ("get_url", "refused connection"): (("msg",), _SENTENCE),
    ("package", "exe, creates_path missing: runs"): (("checksum",), _BYTES),
    ("package", "exe without product_id and creates_path"): (("checksum",), _BYTES),
    ("package", "checksum wrong"): (("checksum", "msg"), _BYTES),
    ("package", "msi, install"): (("checksum",), _BYTES),
    ("package", "not an msi"): (("msg",), _SENTENCE),
    ("package", "expected_return_code, exe that ends otherwise"): (("checksum",), _BYTES),
    ("package", "exe ends with 3010"): (("checksum",), _BYTES),
    ("package", "url, product_id unknown, provider registry, check mode"): (("msg",), _SENTENCE),
    ("command_shell", "rc 5, stderr"): (("stderr", "stderr_lines"), "the blanks are those of Wine's cmd"),
    ("command_shell", "missing program"): (("msg",), _SENTENCE),
    ("run_steps", "Steps is no JSON"): (("error",), _SENTENCE),
    ("stat", "file with sha256"): (("-warnings",), "Wine lacks what the module asks"),
    ("stat", "file, get_checksum no"): (("-warnings",), "Wine lacks what the module asks"),
    ("stat", "file, defaults"): (("-warnings",), "Wine lacks what the module asks"),
    ("stat", "directory"): (("-warnings",), "Wine lacks what the module asks"),
    ("setup", "gather_subset min"): (("-warnings",), "Wine lacks what the module asks"),
    ("setup", "gather_subset !all"): (("-warnings",), "Wine lacks what the module asks"),
}

NOT_COMPARED: dict[tuple[str, str], str] = {
    ("certificate_store_stores", "unknown store name"): _WINE_OPEN,
    ("certificate_store_stores", "unknown store name, check mode"): _WINE_OPEN,
    ("certificate_store_stores", "unknown store name, absent"): _WINE_OPEN,
    ("package", "product_id absent, state absent"): _WINE_MSI,
    ("package", "msi, absent again"): _WINE_MSI,
    (
        "service",
        "query an existing service",
    ): "Wine's services have no failure actions, so the module fails there",
}
"""Calls whose recorded answer is no Windows answer at all; they are played all the same."""

VOLATILE: dict[str, tuple[str, ...]] = {
    "*": ("exception", "start", "end", "delta", "elapsed", "backup_file"),
    "win_tempfile": ("path",),
    "win_copy": ("original_basename", "msg"),
}
"""Keys whose values nobody can foretell (random, a time, a trace); that they are there is compared all the
same.
"""


@dataclass(frozen=True)
class Recording:
    story: str
    index: int
    call: dict[str, Any]

    @property
    def module(self) -> str:
        return str(self.call["module"])

    @property
    def situation(self) -> str:
        return str(self.call["situation"])

    @property
    def label(self) -> str:
        return f"{self.story}-{self.index}-{self.situation}"

    @property
    def full_name(self) -> str:
        if "." in self.module:
            return self.module
        return (
            f"ansible.builtin.{self.module}"
            if self.module in ("slurp", "setup", "fetch")
            else f"ansible.windows.{self.module}"
        )

    @property
    def unlike(self) -> tuple[str, ...]:
        return UNLIKE.get((self.story, self.situation), ((), ""))[0]

    @property
    def played(self) -> bool:
        """Whether the lab can play the call at all."""
        return (
            self.module not in NOT_PLAYED
            or self.story == "run_steps"
            or self.situation in ("no script", "creates, present")
        )


def stories() -> list[str]:
    return list(RECORDINGS)


def recordings(story: str) -> list[Recording]:
    """The calls of a story that the lab can play."""
    found = [Recording(story, index, call) for index, call in enumerate(RECORDINGS[story])]
    return [recording for recording in found if recording.played]


@dataclass
class Stage:
    """A lab host with the files, programs and services that the recordings' host had, and a web server."""

    host: Host
    web: FileServer
    controller: Path

    @cached_property
    def certificates(self) -> dict[str, bytes]:
        """leaf and root of the recordings, DER."""
        found = RECORDINGS["certificate_store_absent"][5]["result"]["certificates"]
        return {
            ("leaf" if one["serial_number"] == "1234" else "root"): base64.b64decode(one["raw"])
            for one in found
        }

    def arguments(self, recording: Recording) -> dict[str, Any]:
        """The call's arguments with the addresses and the script of this stage."""
        text = json.dumps(recording.call["args"])
        text = text.replace(RECORDED_WEB, self.web.url.removeprefix("http://")).replace(
            CONTROLLER, str(self.controller)
        )
        arguments: dict[str, Any] = json.loads(text)
        if arguments.get("script") == "<the text of run_steps.ps1>":
            arguments["script"] = SCRIPT.read_text(encoding="ascii")
            arguments["parameters"]["Steps"] = arguments["parameters"]["Steps"].replace(
                "8025", self.web.url.rpartition(":")[2]
            )
        return arguments

    def expected(self, recording: Recording) -> dict[str, Any]:
        """The recorded result in this stage's terms, with failed and skipped as part of it."""
        text = json.dumps(recording.call["result"])
        text = text.replace(RECORDED_WEB, self.web.url.removeprefix("http://")).replace(
            CONTROLLER, str(self.controller)
        )
        return {**json.loads(text), "failed": recording.call["failed"], "skipped": recording.call["skipped"]}


def make_stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A host as the recordings' one was at its beginning."""
    host = Host("winhost", folder / "host", powershell="7.6.5")
    host.add_user("root", "Root-2026!", administrator=True)
    (folder / "www").mkdir()
    (folder / "www" / "file.txt").write_bytes(WEB_FILE)
    stage = Stage(host, FileServer(folder / "www"), folder / "controller")
    files = host.files
    for name in (r"C:\Work", r"C:\Files", r"C:\tools"):
        files.makedirs(name)
    leaf, root = (x509.load_der_x509_certificate(stage.certificates[name]) for name in ("leaf", "root"))
    pem = serialization.Encoding.PEM
    contents = {
        "leaf.cer": stage.certificates["leaf"],
        "ca.cer": stage.certificates["root"],
        "leaf.pem": leaf.public_bytes(pem),
        "ca.pem": root.public_bytes(pem),
        "both.pem": leaf.public_bytes(pem) + root.public_bytes(pem),
        "junk.pem": b"some text before\n" + leaf.public_bytes(pem),
        "chain.p7b": pkcs7.serialize_certificates([leaf, root], serialization.Encoding.DER),
        "chain.pem.p7b": pkcs7.serialize_certificates([leaf, root], pem),
        "notacert.cer": b"this is not a certificate\r\n",
        "empty.cer": b"",
        "client.zip": _zip(),
        "client.msi": ExampleClient.data,
    }
    for name, data in contents.items():
        files.write(rf"C:\Files\{name}", data)
    stage.controller.mkdir()
    (stage.controller / "files").mkdir()
    for name in ("leaf.pem", "ca.pem"):
        (stage.controller / "files" / name).write_bytes(contents[name])
    host.put_program(r"C:\Files\setup.exe", "lab_test_setup")
    host.put_program(r"C:\tools\io.exe", "lab_test_io")
    host.put_program(r"C:\windows\system32\kernel32.dll", "", "10.0.18362.1350")
    host.registry.set(
        rf"{packages.UNINSTALL}\ExampleTool", "UninstallString", "String", r"C:\Files\setup.exe /uninstall"
    )
    host.services.create(Service("Spooler", "Print Spooler", r"C:\Windows\System32\spoolsv.exe"))
    host.registry.set(
        r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment",
        "PATH",
        "ExpandString",
        r"%SystemRoot%\system32;%SystemRoot%;%SystemRoot%\system32\wbem;%SystemRoot%\system32\WindowsPowershell\v1.0",
    )
    monkeypatch.setitem(TOOLS, "lab_test_setup", lambda process: 0)
    monkeypatch.setitem(TOOLS, "lab_test_io", _io)
    monkeypatch.setattr(packages, "ALL", (*packages.ALL, ExampleClient()))
    return stage


class ExampleClient(packages.Package):
    """The recordings' client.msi, as far as the installers of the lab look at one."""

    data = packages.MARKER + b"example client"

    def __init__(self) -> None:
        super().__init__("example", "client.msi", "Example Client", "1.0.0")

    @property
    def product_id(self) -> str:
        return "{11111111-2222-4333-8444-555555555555}"

    def content(self) -> bytes:
        return self.data


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("client/readme.txt", "read me\n")
    return buffer.getvalue()


def _io(process: Process) -> int:
    """The recordings' io.exe: prints its arguments or its input, or sleeps."""
    if process.argv[0] == "args":
        process.out("".join(f"{argument}|" for argument in process.argv[1:]))
    elif process.argv[0] == "cat":
        process.out_bytes(process.stdin)
    else:
        process.wait(float(process.argv[1]))
    return 0


def prepare(stage: Stage, recording: Recording) -> None:
    """What was done by hand on the recordings' host before a call (the recordings' README)."""
    if (recording.story, recording.index) == ("certificate_store_absent", 1):
        stores = CertificateStores(stage.host)
        thumbprint = hashlib.sha1(stage.certificates["root"]).hexdigest().upper()
        stores.add(stage.certificates["root"], "CA")
        stores.add(stage.certificates["leaf"], "CA")
        for one in stores.certificates("My"):
            stores.remove(one.thumbprint, "My")
        assert stores.get(thumbprint, "CA")
    if (recording.story, recording.index) == ("certificate_info", 0):
        CertificateStores(stage.host).remove(hashlib.sha1(stage.certificates["root"]).hexdigest(), "CA")


def difference(recording: Recording, expected: dict[str, Any], actual: dict[str, Any]) -> dict[str, Any]:
    """Key -> (recorded, the lab's), for all keys that do not agree; empty when the lab answers as the real
    module.
    """
    if (recording.story, recording.situation) in NOT_COMPARED:
        return {}
    ignored = {key[1:] for key in recording.unlike if key.startswith("-")}
    volatile = {*VOLATILE["*"], *VOLATILE.get(recording.module, ()), *recording.unlike}
    found = {}
    for key in sorted({*expected, *actual} - ignored):
        if (key in expected) != (key in actual):
            found[key] = (expected.get(key, "(missing)"), actual.get(key, "(missing)"))
        elif key not in volatile and _comparable(recording, key, expected[key]) != _comparable(
            recording, key, actual[key]
        ):
            found[key] = (expected[key], actual[key])
    return found


def _comparable(recording: Recording, key: str, value: Any) -> Any:
    """A value without what is random or Wine's in it."""
    if key == "msg" and "Supported parameters include: " in str(value):
        head, _unused, names = str(value).partition("Supported parameters include: ")
        return head, sorted(names.split(", "))
    if key == "certificates":
        # The texts of extensions are formatted by crypt32; Wine's knows fewer of them.
        return [
            {**one, "extensions": [(part["field"], part["critical"]) for part in one["extensions"]]}
            for one in value
        ]
    if key == "stat" and value["exists"]:
        # Wine gives no owner, and the size of C:\\Work is that of the recordings' other files.
        return {
            name: None if "time" in name or name == "owner" or (name == "size" and value["isdir"]) else item
            for name, item in value.items()
        }
    if key == "ansible_facts":
        return sorted(value)
    if recording.story == "run_steps" and key == "result" and isinstance(value, str):
        answer = json.loads(value)
        # Since the recording the script also tells of the host's time, its logging and its Windows.
        later = ("utc_offset", "module_logging", "windows_build", "time", "processors")
        kept = {name: item for name, item in answer.items() if name not in later}
        return {**kept, "results": [_comparable_step(step) for step in answer["results"]]}
    return value


def _comparable_step(step: dict[str, Any]) -> dict[str, Any]:
    """A step's result without times and without the system's sentences, which are Wine's; their numbers stay."""
    # Since the recording a version tells, too, whether the program would be run, and a digest when the file was written.
    later = ("milliseconds", "file", "refused", "cut", "stamp")
    kept = {key: value for key, value in step.items() if key not in later}
    if set(kept) == {"sha256"}:
        # A write or a move says since what it put there; the recorded script did not.
        return {}
    if kept.get("error_code") in (2, 10061, 11001):
        kept["error"] = None
    if str(kept.get("error")).startswith("Could not find a part of the path"):
        # A write names its temporary file there, and that name is random.
        kept["error"] = str(kept["error"]).rpartition("\\")[0]
    if "files" in kept:
        kept["files"] = [file["name"] for file in kept["files"]]
    if "results" in kept:
        kept["results"] = [_comparable_step(one) for one in kept["results"]]
    return kept
