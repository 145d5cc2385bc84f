# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files, subjects of certificates and answers of programs that somebody chose who means no good, through playbooks over
the wire: no template and no command is evaluated, nothing that a terminal obeys is shown, and each is taken as it is or
refused in a sentence. (What becomes of the same below Ansible: tests/unit/plugins/plugin_utils/test_hostile_names.py.)
"""

from __future__ import annotations

import datetime
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support.osslsigncode import need_newer
from support.playbook import PlaybookRun, run_playbook
from support.signable import programs

from .conftest import COLLECTIONS, Bench, running

HOST = "en5"
FLEET: dict[str, Any] = {
    "hosts": {HOST: {}},
    "cluster": {"hsm_type": "hsm2m", "hsms": 1},
    "certificates": "all",
}
SUM, VALUE = "{{ 79190000+10 }}", "79190010"
GOOD = (
    "a & calc.exe",
    "$(calc).exe",
    "`calc`.exe",
    f"{SUM}.exe",
    "{% raw %}.exe",
    "-f.exe",
    "@list.exe",
    "[x].exe",
    "%PATH%.exe",
    "!PATH!.exe",
    "'single'.exe",
    "\U0001f511.exe",
    "n" * 200 + ".exe",
)
"""Names that Windows knows and that are signed like any other"""
ODD = ("blank .exe ", "dot.exe.", "gnp\u202e.exe", "csi\x9b31m.exe", "line\u2028end.exe", "n" * 251 + ".exe")
"""Names that only programs make, and a path of more characters than SignTool takes"""
WRITTEN = (
    "-f",
    "/as",
    "@list.txt",
    r"C:\build\a.exe ",
    r"C:\build\a.exe:stream",
    r"\\.\C:\build\a.exe",
    r"\\?\C:\build\a.exe",
    r"\\nowhere\share\a.exe",
    r"C:\build\gnp" + "\u202e.exe",
    r"C:\build" + "\x1b[31m.exe",
    r"C:\build\one" + "\ntwo.exe",
    r"C:\build\%PATH%\a.exe",
    "C:\\" + "d" * 300 + "\\a.exe",
    "",
)
"""What somebody may write for a file, and is refused"""


@dataclass
class Ground:
    """A host that can sign, and a file that a command would make."""

    bench: Bench
    made: Path

    @property
    def texts(self) -> dict[str, str]:
        """What programs print, and certificates are called."""
        pipe = f"{{{{ lookup('ansible.builtin.pipe', 'touch {self.made}') }}}}"
        return {
            "template": f"{SUM} {pipe}",
            "statement": "{% for x in [1] %}" + pipe + "{% endfor %}",
            "escape": "a\x1b[31mred\x1b]0;title\x07\x9b2J",
            "lines": "one\r\nfatal: [en5]: FAILED!\u2028two",
            "direction": "exe.\u202egnp.\u2066x",
            "markup": "<script>alert(1)</script>]]>&'\"\n# TYPE x gauge",
            "long": "n" * 10_000,
        }

    def play(self, playbook: Any, *extra: str, **variables: Any) -> PlaybookRun:
        run = run_playbook(
            playbook,
            self.bench.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.bench.lab.secrets}", *extra],
            variables=variables,
            keep_results=True,
        )
        self.harmless(run.output)
        return run

    def harmless(self, text: str) -> None:
        """Nothing was evaluated, and nothing is there that a terminal would obey."""
        assert not self.made.exists(), "a template was evaluated"
        assert VALUE not in text, "a template was evaluated"
        odd = {line for line in text.split("\n") if not line.replace("\t", " ").isprintable()}
        assert odd == set()
        assert "Traceback" not in text
        assert not any("calc" in one["program"] for one in self.bench.lab.record(kind="process"))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    need_newer("what is signed and stamped here")
    with running(tmp_path_factory.mktemp("hostile"), FLEET) as control:
        made = Ground(Bench(control), tmp_path_factory.mktemp("made") / "made")
        assert made.play("cloudhsm.codesign.site").returncode == 0
        yield made


def named(ground: Ground, subject: str) -> bytes:
    """The signing certificate's key under another name, whatever X.509 says of its length."""
    public = x509.load_pem_x509_certificate(ground.bench.certificate("signing").encode()).public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject, _validate=False)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1))
    builder = builder.not_valid_after(now + datetime.timedelta(300))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(rsa.generate_private_key(65537, 2048), hashes.SHA256()).public_bytes(Encoding.PEM)


def test_files_are_signed_whatever_they_are_called(
    ground: Ground, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lab, content = ground.bench.lab, programs()["setup64.exe"]
    for name in GOOD:
        lab.write(HOST, rf"C:\good\{name}", content)
    run = ground.play("cloudhsm.codesign.sign", "--diff", codesign_files=[r"C:\good\*.exe"])
    assert run.returncode == 0, run.output[-3000:]
    for name in GOOD:
        assert len(lab.read(HOST, rf"C:\good\{name}") or b"") > len(content), name
    again = ground.play("cloudhsm.codesign.sign", codesign_files=[r"C:\good\*.exe"])
    assert again.changed() == []
    for name in GOOD:
        (tmp_path / name).write_bytes(content)
    local = ground.play("cloudhsm.codesign.sign_local", codesign_local_files=[str(tmp_path / "*")])
    assert local.returncode == 0, local.output[-3000:]
    for name in GOOD:
        assert len((tmp_path / name).read_bytes()) > len(content), name
    record_property("added", f"{2 * len(GOOD)} bad inputs tried: names of files, signed")


def test_other_names_are_refused_in_a_sentence(
    ground: Ground, record_property: Callable[[str, object], None]
) -> None:
    lab, content = ground.bench.lab, programs()["setup64.exe"]
    tasks = []
    for number, name in enumerate(ODD):
        lab.write(HOST, rf"C:\odd\{number}\{name}", content)
        tasks.append(rf"C:\odd\{number}\*")
    tasks += WRITTEN
    run = ground.play(
        [
            {
                "hosts": HOST,
                "gather_facts": False,
                "tasks": [
                    {
                        "name": f"file {number}",
                        "cloudhsm.codesign.win_signtool": {
                            "files": [file],
                            "auto_select": True,
                            "crypto_user": "{{ codesign_crypto_user }}",
                            "crypto_password": "{{ codesign_crypto_password }}",
                        },
                        "ignore_errors": True,
                    }
                    for number, file in enumerate(tasks)
                ],
            }
        ]
    )
    for number, file in enumerate(tasks):
        found = run.of(f"file {number}")
        assert found.failed, file
        assert found.msg.isprintable(), file
        assert found.result["link"] in ("argument", "file"), (file, found.msg)
    for number, name in enumerate(ODD):
        assert lab.read(HOST, rf"C:\odd\{number}\{name}") == content
    record_property("added", f"{len(tasks)} bad inputs tried: names of files, refused")


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_certificates_are_read_whatever_they_are_called(
    ground: Ground, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Of identities that are wanted on the host, and are put there."""
    (known,) = ground.bench.identities
    identities = []
    for name, subject in ground.texts.items():
        path = tmp_path / f"{name}.pem"
        path.write_bytes(named(ground, subject))
        identities.append({**known, "name": name, "certificate": str(path), "chain": []})
    given = {"codesign_identities": identities, "codesign_drift_report": str(tmp_path / "drift")}
    assert ground.play("cloudhsm.codesign.drift", **given).returncode == 0
    for path in (tmp_path / "drift").iterdir():
        text = path.read_text(encoding="utf-8")
        assert VALUE not in text
        assert path.suffix not in (".html", ".xml") or "<script>alert" not in text, path.name
        if path.suffix == ".xml":
            ET.fromstring(text)
        if path.suffix in (".json", ".jsonl", ".xml", ".html"):
            assert SUM in text, path.name
    role = {"name": "certificates", "ansible.builtin.import_role": {"name": "cloudhsm.codesign.certificates"}}
    put = ground.play([{"hosts": HOST, "gather_facts": False, "tasks": [role]}], "--diff", **given)
    assert put.changed(HOST), put.output[-3000:]
    added = [line for line in put.output.splitlines() if line.startswith("+") and HOST not in line[:3]]
    assert len([line for line in added if "LocalMachine" in line]) == len(identities), added
    record_property("added", f"{len(identities)} bad inputs tried: subjects of certificates")


@pytest.mark.parametrize("playbook", ["site", "drift", "sign", "prove_login"])
def test_what_programs_print_is_a_text(
    ground: Ground, tmp_path: Path, playbook: str, record_property: Callable[[str, object], None]
) -> None:
    ground.bench.lab.write(HOST, r"C:\build\app.exe", programs()["setup64.exe"])
    since = ground.bench.lab.last()
    ground.bench.lab.fault(HOST, "says:" + "\r\n".join(ground.texts.values()) + "\udcff")
    try:
        run = ground.play(
            f"cloudhsm.codesign.{playbook}",
            "--diff",
            codesign_files=[r"C:\build\app.exe"],
            codesign_drift_report=str(tmp_path / "drift"),
            codesign_prove="signature",
        )
    finally:
        ground.bench.lab.clear(HOST)
    assert any(SUM in one["stdout"] for one in ground.bench.lab.record(kind="process", since=since)), (
        "a program has printed it"
    )
    for result in run.results:
        assert VALUE not in json.dumps(result.result)
        assert result.msg.isprintable(), result.task
    record_property("added", f"{len(ground.texts)} bad inputs tried: answers of programs")
