# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench for win_signtool: files on the hosts, tasks that sign them, and what each task sent to its host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from support.playbook import PlaybookRun
from support.signable import Judge, Opinion, Vendor, cabinet, installer, programs, thumbprint

from .conftest import Bench

FOLDER = r"C:\signed here"
SIGNTOOL = r"C:\Program Files\cloudhsm.codesign\signtool\bin\*\x64\signtool.exe"
MODULE = "cloudhsm.codesign.win_signtool"
READING = {"version", "registry", "registry_children", "read_folder", "list", "digest", "each", "journal"}
"""Steps that write nothing, whatever they are told (a run may)."""
HOST = "en5"


@dataclass
class Signing:
    """A fleet that can sign. ``files``: one of each kind, by name; ``written``: what a test put on a host, by
    host and path.
    """

    fleet: Bench
    vendor: Vendor
    judge: Judge
    files: dict[str, bytes]
    written: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, fleet: Bench, folder: Path) -> Signing:
        pki = Path(fleet.lab.info["pki"])
        vendor = Vendor(folder / "vendor")
        roots = folder / "roots.pem"
        roots.write_text(
            (pki / "root.pem").read_text() + (vendor.folder / "root.pem").read_text(), encoding="ascii"
        )
        files = {**programs(), "package.msi": installer(folder), "package.cab": cabinet(folder)}
        return cls(fleet, vendor, Judge(folder, roots, pki / "tsa-root.pem"), files)

    @property
    def url(self) -> str:
        return str(self.fleet.lab.status()["tsa"])

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.fleet.certificate(name).encode("ascii"))

    def thumbprint(self, name: str = "signing") -> str:
        return thumbprint(self.certificate(name))

    # Files
    # ------------------------------------------------------------------------------------------------------------------

    def put(self, path: str, content: bytes, host: str = HOST) -> str:
        """Writes a file below the tests' folder and remembers what it was."""
        full = rf"{FOLDER}\{path}"
        self.fleet.lab.write(host, full, content)
        self.written[host, full] = content
        return full

    def content(self, path: str, host: str = HOST) -> bytes:
        found = self.fleet.lab.read(host, path)
        assert found is not None, path
        return found

    def survived(self, path: str, host: str = HOST) -> bool:
        """Whether a file holds what was put there."""
        return self.content(path, host) == self.written[host, path]

    def opinion(self, path: str, host: str = HOST) -> Opinion:
        return self.judge.opinion(self.content(path, host), path)

    def leftovers(self, host: str = HOST) -> list[str]:
        """Folders of working copies below the tests' folder."""
        lab = self.fleet.lab
        folders = [
            FOLDER,
            *(rf"{FOLDER}\{name}" for name in lab.ask("list", host=host, path=FOLDER)["folders"]),
        ]
        return [
            rf"{folder}\{name}"
            for folder in folders
            for name in lab.ask("list", host=host, path=folder)["folders"]
            if name.lower() == ".codesign"
        ]

    # Tasks
    # ------------------------------------------------------------------------------------------------------------------

    def task(self, name: str, files: Sequence[str], **options: Any) -> dict[str, Any]:
        """A task that signs; an option None is left out, one that is not given has the tests' value."""
        usual = {
            "thumbprint": self.thumbprint(),
            "timestamp_urls": [self.url],
            "timestamp_delay": 0,
            "signtool_path": SIGNTOOL,
        }
        arguments = {**usual, **options, "files": list(files)}
        return {"name": name, MODULE: {key: value for key, value in arguments.items() if value is not None}}

    def run(self, *tasks: Mapping[str, Any], host: str = HOST, extra: Sequence[str] = ()) -> PlaybookRun:
        found = self.fleet.tasks(host, tasks, "--diff", *extra)
        assert len(found.results) == len(tasks) * len({result.host for result in found.results}), (
            found.output[-4000:]
        )
        assert "Traceback" not in found.output, found.output[-4000:]
        return found

    def result(self, *options: str, host: str = HOST, **arguments: Any) -> dict[str, Any]:
        """One task's whole result."""
        return self.run(self.task("one", **arguments), host=host, extra=options).of("one").result

    # What was sent
    # ------------------------------------------------------------------------------------------------------------

    def calls(self, since: int, host: str = HOST) -> list[list[list[dict[str, Any]]]]:
        """The steps of each remote call of each task that came to its host. A task begins by looking for
        SignTool.
        """
        tasks: list[list[list[dict[str, Any]]]] = []
        for call in self.fleet.lab.calls(host, since):
            steps = json.loads(call["args"]["parameters"]["Steps"])
            if steps[0]["op"] == "version":
                tasks.append([])
            tasks[-1].append(steps)
        return tasks

    def processes(self, since: int, host: str = HOST) -> list[dict[str, Any]]:
        """SignTool's runs."""
        return [
            entry
            for entry in self.fleet.lab.record("process", host, since)
            if entry["program"].lower().endswith("signtool.exe")
        ]


def under_journal(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The steps of a call that are done under journals."""
    return [inner for step in steps if step["op"] == "journaled" for inner in step["steps"]]


def only_reads(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a call holds nothing that could write: reading steps, and SignTool's verification."""
    for step in steps:
        runs = step["runs"] if step["op"] == "together" else [step] if step["op"] == "each" else []
        if step["op"] not in {*READING, "together"} or any(
            not run["arguments"].startswith("verify ") for run in runs
        ):
            return False
    return True


def entry(result: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A file's entry in a result."""
    found = [one for one in result["files"] if one["path"].lower() == path.lower()]
    assert len(found) == 1, (path, [one["path"] for one in result["files"]])
    return dict(found[0])


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Certificates
# ---------------------------------------------------------------------------------------------------------------

STORED = (
    "signing-second",
    "signing-renewed",
    "signing-umlaut",
    "signing-expired",
    "signing-endless",
    "server-authentication",
)
"""Certificates that the tests put beside the one that site.yml has put into LocalMachine\\My."""
_CERTIFICATES = rf"{FOLDER}\certificates"


def prepare(signing: Signing) -> None:
    """Certificates on the test host that cannot sign, each for its own reason, and the vendor's root.

    signing-renewed is tied to the key of signing-second, signing-umlaut to a container that does not exist,
    signing-second to none. all-purposes lies in the store of the user and can sign.
    """
    lab = signing.fleet.lab
    for name in (*STORED, "all-purposes", "intermediate"):
        lab.write(HOST, rf"{_CERTIFICATES}\{name}.pem", signing.fleet.certificate(name).encode("ascii"))
    lab.write(HOST, rf"{_CERTIFICATES}\vendor.pem", (signing.vendor.folder / "root.pem").read_bytes())
    repair = {"provider": "Cavium Key Storage Provider", "method": "property_file", "key_spec": 0}
    second = {"thumbprint": signing.thumbprint("signing-second")}
    run = signing.fleet.tasks(
        HOST,
        [
            *(_store(name) for name in STORED),
            _store("vendor", store_name="Root"),
            _store("all-purposes", store_location="CurrentUser"),
            {"name": "container", "cloudhsm.codesign.win_cloudhsm_import_key": second, "register": "made"},
            _tie(
                {
                    **repair,
                    "thumbprint": signing.thumbprint("signing-renewed"),
                    "container": "{{ made.container }}",
                }
            ),
            _tie({**repair, "thumbprint": signing.thumbprint("signing-umlaut"), "container": "gone"}),
            _tie(
                {
                    "thumbprint": signing.thumbprint("all-purposes"),
                    "store_location": "CurrentUser",
                    "method": "search",
                }
            ),
        ],
    )
    assert not run.failed(), run.output[-6000:]


def restore(signing: Signing) -> None:
    """The test host as it was."""
    second = {"thumbprint": signing.thumbprint("signing-second"), "state": "absent", "force": True}
    run = signing.fleet.tasks(
        HOST,
        [
            {"cloudhsm.codesign.win_cloudhsm_import_key": second},
            *(_store(name, state="absent") for name in STORED),
            _store("vendor", store_name="Root", state="absent"),
            _store("all-purposes", store_location="CurrentUser", state="absent"),
        ],
    )
    for host in {HOST, *(host for host, _path in signing.written)}:
        signing.fleet.lab.remove(host, FOLDER)
    assert not run.failed(), run.output[-6000:]


def _store(name: str, **options: str) -> dict[str, Any]:
    usual = {
        "store_name": "My",
        "store_location": "LocalMachine",
        "state": "present",
        "path": rf"{_CERTIFICATES}\{name}.pem",
    }
    return {"ansible.windows.win_certificate_store": {**usual, **options}}


def _tie(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"cloudhsm.codesign.win_cert_repairstore": dict(arguments)}
