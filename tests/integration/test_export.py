# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook export: certificates of a host that signs and of a CA as files, and another host that signs with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cryptography import x509

from support.playbook import PlaybookRun

from .conftest import Bench


@pytest.fixture
def authority(fleet: Bench) -> object:
    fleet.lab.ask("authority", host="zh5")
    yield "zh5"
    fleet.lab.ask("authority", host="zh5", remove=True)


def export(bench: Bench, folder: Path, *extra: str, **hosts: str) -> PlaybookRun:
    named = [word for name, host in hosts.items() for word in ("-e", f"codesign_export_{name}={host}")]
    return bench.play("cloudhsm.codesign.export", *named, "-e", f"codesign_export_folder={folder}", *extra)


def names(folder: Path) -> set[str]:
    """The common names of the certificates in a folder's files."""
    found = [x509.load_pem_x509_certificate(path.read_bytes()) for path in folder.glob("*.pem")]
    return {str(one.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for one in found}


def test_what_a_host_signs_with_makes_another_host_sign(fleet: Bench, tmp_path: Path, authority: str) -> None:
    folder = tmp_path / "release"
    predicted = export(fleet, folder, "--check", **{"from": "fr3", "authority": authority})
    assert (predicted.returncode, folder.exists()) == (0, False), predicted.output[-4000:]
    assert [one.task for one in predicted.changed()] == [
        "Write the certificates into files of the control node"
    ]
    before = fleet.lab.last()
    run = export(fleet, folder, **{"from": "fr3", "authority": authority})
    assert run.returncode == 0, run.output[-4000:]
    assert names(folder) == {"Lab Software", "Lab Code Signing CA", "Lab Root CA"}
    assert len(list(folder.glob("*.pem"))) == 3, "each once, from wherever"
    assert not [path for path in folder.iterdir() if "PRIVATE" in path.read_text(encoding="utf-8")]
    assert {host: len(fleet.lab.calls(host, before)) for host in ("fr3", authority)} == {
        "fr3": 1,
        authority: 1,
    }
    assert not fleet.lab.files(authority, r"C:\Windows\Temp")
    again = export(fleet, folder, **{"from": "fr3", "authority": authority})
    assert (again.returncode, again.changed()) == (0, [])
    written = yaml.safe_load((folder / "codesign_identities.yml").read_text(encoding="utf-8"))
    assert [one["name"] for one in written["codesign_identities"]] == ["lab-software"]
    for what in ("certificate", "chain", "root"):
        fleet.lab.damage("de5", what)
    ready = fleet.play(
        "cloudhsm.codesign.site", "--limit", "de5", "-e", f"@{folder / 'codesign_identities.yml'}"
    )
    assert ready.returncode == 0, ready.output[-4000:]
    assert {one.role for one in ready.changed("de5")} == {"certificates", "key_container"}


def test_a_ca_alone_gives_a_chain(fleet: Bench, tmp_path: Path, authority: str) -> None:
    run = export(fleet, tmp_path / "chain", authority=authority)
    assert run.returncode == 0, run.output[-4000:]
    assert names(tmp_path / "chain") == {"Lab Code Signing CA", "Lab Root CA"}
    assert not (tmp_path / "chain" / "codesign_identities.yml").exists()


@pytest.mark.parametrize(
    ("hosts", "extra", "says"),
    [
        (
            {},
            (),
            "One thing is missing or wrong, and no host was touched: codesign_export_from and codesign_export_authority are missing",
        ),
        ({"from": "nowhere"}, (), "No host of this inventory (and --limit) is meant by nowhere"),
        ({"from": "en5"}, ("-e", "codesign_export_folder="), "codesign_export_folder is missing"),
        ({"authority": "en5"}, (), "certutil -ca.cert failed with 0x80070103"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    fleet: Bench, tmp_path: Path, hosts: dict[str, str], extra: tuple[str, ...], says: str
) -> None:
    run = export(fleet, tmp_path / "none", *extra, **hosts)
    assert run.returncode != 0
    assert says in " ".join(run.output.split())
    assert not (tmp_path / "none").exists()
