# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook sign_local: files of the control node signed by a fleet, of which hosts die and refuse."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from support.osslsigncode import need_newer
from support.playbook import ROOT, PlaybookRun, environment, run_playbook
from support.signable import Judge, missing_tools, programs, thumbprint

from .conftest import COLLECTIONS, Bench, running

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

HOSTS = ("one", "two", "three", "four", "five")
FLEET: dict[str, Any] = {
    "hosts": {
        "one": {},
        "two": {"language": "de"},
        "three": {},
        "four": {"client_sdk": 3},
        "five": {},
    },
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
}
PLAYBOOK = "cloudhsm.codesign.sign_local"
TEMP = r"C:\Windows\Temp"
A_YEAR = 366 * 86_400


WRONG = {"codesign_crypto_password": "wrong-horse-battery-8"}


def program(number: int) -> bytes:
    """A program that no other number gives."""
    data = bytearray(programs()["setup64.exe"])
    head = struct.unpack_from("<I", data, 60)[0]
    struct.pack_into("<I", data, head + 8, 1_700_000_000 + number)
    return bytes(data)


@dataclass
class Release:
    """A fleet that can sign, and a folder of the control node."""

    bench: Bench
    folder: Path
    judge: Judge

    def play(self, *extra: str, files: Any = None, **variables: Any) -> PlaybookRun:
        given = [str(self.folder / "dist" / "**")] if files is None else files
        return self.bench.play(PLAYBOOK, *extra, variables={"codesign_local_files": given, **variables})

    def fill(self, count: int) -> dict[str, bytes]:
        """Programs in some folders, by their paths below dist."""
        names = [f"part {number % 3}/tool-{number:02}.exe" for number in range(count)]
        contents = {name: program(number) for number, name in enumerate(names)}
        for name, content in contents.items():
            self.put(name, content)
        return contents

    def put(self, name: str, content: bytes, mode: int = 0o640) -> Path:
        path = self.folder / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def is_signed_once(self, path: Path) -> bool:
        opinion = self.judge.opinion(path.read_bytes(), path.name)
        return opinion.good and len(opinion.signers) == 1 and opinion.stamped == (True,)

    @property
    def thumbprint(self) -> str:
        return thumbprint(x509.load_pem_x509_certificate(self.bench.certificate("signing").encode("ascii")))

    def calls(self, since: int) -> dict[str, int]:
        return {host: len(self.bench.lab.calls(host, since)) for host in HOSTS}

    def signatures(self, since: int) -> int:
        """How many files SignTool signed."""
        lines = (
            entry
            for entry in self.bench.lab.record("process", since=since)
            if entry["program"].lower().endswith("signtool.exe")
            and entry["argv"][:1] == ["sign"]
            and entry["exit_code"] == 0
        )
        return sum(sum(word.lower().endswith(".exe") for word in entry["argv"]) for entry in lines)

    def leftovers(self, host: str) -> list[str]:
        return [
            name
            for name in self.bench.lab.ask("list", host=host, path=TEMP)["folders"]
            if name.startswith("codesign-")
        ]


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    need_newer("what these tests sign and stamp")
    with running(tmp_path_factory.mktemp("signers"), FLEET) as control:
        bench = Bench(control)
        run = bench.play("cloudhsm.codesign.site")
        assert run.returncode == 0, run.output[-6000:]
        yield bench


@pytest.fixture
def release(signers: Bench, tmp_path: Path) -> Iterator[Release]:
    pki = Path(signers.lab.info["pki"])
    (tmp_path / "judge").mkdir()
    judge = Judge(tmp_path / "judge", pki / "root.pem", pki / "tsa-root.pem")
    yield Release(signers, tmp_path, judge)
    signers.lab.clear()


def manifest(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def verified(folder: Path) -> bool:
    """What sha256sum says of a folder's SHA256SUMS."""
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_sixty_files_over_five_hosts_of_which_one_dies_and_one_has_a_wrong_clock(release: Release) -> None:
    contents = release.fill(60)
    lab, since = release.bench.lab, release.bench.lab.last()
    lab.fault("three", "dies:signtool sign", 1)
    lab.fault("five", f"clock:-{A_YEAR}")
    where = release.folder / "manifest.json"
    run = release.play(codesign_manifest=str(where))
    assert run.returncode == 0, run.output[-6000:]
    paths = {name: release.folder / "dist" / name for name in contents}
    assert [name for name, path in paths.items() if not release.is_signed_once(path)] == []
    assert {path.stat().st_mode & 0o777 for path in paths.values()} == {0o640}
    # Nothing of ours is left beside them.
    assert {path for path in (release.folder / "dist").rglob("*") if path.is_file()} == set(paths.values())
    told = manifest(where)
    assert {one["path"] for one in told["files"]} == {f"dist/{name}" for name in contents}
    for one in told["files"]:
        content = contents[one["path"].removeprefix("dist/")]
        assert one["sha256_before"] == hashlib.sha256(content).hexdigest()
        assert (
            one["sha256_after"]
            == hashlib.sha256(paths[one["path"].removeprefix("dist/")].read_bytes()).hexdigest()
        )
        assert (one["signer"], one["digest"], one["signatures"]) == (release.thumbprint, "sha256", 1)
        assert one["host"] in ("one", "two", "four")
        assert one["checked_by"] == ["sha256", "certificate_table", "osslsigncode"]
        assert one["timestamp"]["time"].endswith("Z")
    assert verified(release.folder)
    repeated = sum(one.get("key_uses_repeated", 0) for one in told["files"])
    assert told["key_uses_repeated"] == repeated == 12
    # Ansible breaks warnings by the width of the screen.
    said = " ".join(run.output.split())
    assert "12 signatures may have been made on hosts that did not bring them back" in said
    assert "three takes no further part: The connection to the host broke" in said
    assert "five takes no further part: 12 of 12 files were not signed on this host" in said
    assert "The clock of this host is 366 days, 0:00:0" in said
    assert r"\a00" not in said, "files have their own names"
    assert release.signatures(since) == 72
    assert release.bench.password not in run.output
    # The next run finds nothing to do: no host is asked.
    since = lab.last()
    again = release.play(codesign_manifest=str(where))
    assert again.returncode == 0, again.output[-4000:]
    assert again.changed() == []
    assert release.calls(since) == dict.fromkeys(HOSTS, 0)
    # Without the manifest the hosts look, and sign nothing.
    lab.clear()
    looked = release.play()
    assert looked.returncode == 0, looked.output[-4000:]
    assert looked.changed() == []
    assert "60 files: 0 signed, 60 signed already." in looked.output
    assert release.signatures(since) == 0
    assert {host: release.leftovers(host) for host in HOSTS} == {host: [] for host in HOSTS}


def test_five_hosts_take_at_most_five_calls_each_and_check_mode_says_so_before(release: Release) -> None:
    contents = release.fill(60)
    since = release.bench.lab.last()
    predicted = release.play("--check", "--diff")
    assert predicted.returncode == 0, predicted.output[-4000:]
    assert len({result.host for result in predicted.changed()}) == 5
    assert "60 would be signed" in predicted.output
    assert release.signatures(since) == 0
    assert {host: release.leftovers(host) for host in HOSTS} == {host: [] for host in HOSTS}
    for name, content in contents.items():
        assert (release.folder / "dist" / name).read_bytes() == content
    since = release.bench.lab.last()
    run = release.play()
    assert run.returncode == 0, run.output[-4000:]
    assert max(release.calls(since).values()) <= 5
    assert min(release.calls(since).values()) >= 1
    assert release.signatures(since) == 60
    assert all(release.is_signed_once(release.folder / "dist" / name) for name in contents)
    assert {result.host for result in run.changed()} == {result.host for result in predicted.changed()}


@pytest.mark.parametrize("waiting", [HOSTS[:2], HOSTS], ids=["some", "all"])
def test_check_mode_leaves_out_hosts_to_which_earlier_roles_would_bring_what_signs(
    release: Release, waiting: Sequence[str]
) -> None:
    release.fill(2)
    play = {
        "name": "a play of somebody else",
        "hosts": "windows",
        "gather_facts": False,
        "tasks": [
            {
                "name": "what an earlier role predicts",
                "ansible.builtin.set_fact": {"codesign_predicted": ["signtool"]},
                "when": "inventory_hostname in waiting",
            },
            {
                "name": "the tasks local",
                "ansible.builtin.import_role": {"name": "cloudhsm.codesign.sign", "tasks_from": "local"},
            },
        ],
    }
    since = release.bench.lab.last()
    run = run_playbook(
        [play],
        release.bench.lab.inventory,
        collections=COLLECTIONS,
        extra=["-e", f"@{release.bench.lab.secrets}", "--check"],
        variables={
            "codesign_local_files": [str(release.folder / "dist" / "**")],
            "codesign_sign_timestamp_urls": [str(release.bench.lab.status()["tsa"])],
            "waiting": list(waiting),
        },
        keep_results=True,
    )
    assert run.returncode == 0, run.output[-4000:]
    asked = {host for host, calls in release.calls(since).items() if calls}
    assert asked == ({"three"} if waiting != HOSTS else set())
    says = "2 would be signed" if asked else "cannot be known before signtool would be there"
    assert says in run.output


def test_few_files_go_to_one_host_and_into_a_target(release: Release) -> None:
    release.put("Setup.exe", program(1))
    release.put("setup.exe", program(2))
    release.put("a/CON.exe", program(3))
    release.put("a/b/tool: 'x' *?.exe", program(4))
    release.put("b/tool: 'x' *?.exe", program(4))
    (release.folder / "dist" / "link.exe").symlink_to("Setup.exe")
    (release.folder / "dist" / "elsewhere").symlink_to(release.folder)
    target = release.folder / "signed"
    since = release.bench.lab.last()
    run = release.play(codesign_local_target=str(target))
    assert run.returncode == 0, run.output[-4000:]
    assert [host for host, count in release.calls(since).items() if count] == ["one"]
    names = ["Setup.exe", "setup.exe", "a/CON.exe", "a/b/tool: 'x' *?.exe", "b/tool: 'x' *?.exe", "link.exe"]
    for name in names:
        assert release.is_signed_once(target / name), name
        assert not (target / name).is_symlink()
    # Files that are alike are signed once.
    assert release.signatures(since) == 4
    assert (release.folder / "dist" / "Setup.exe").read_bytes() == program(1)
    assert verified(target)
    told = manifest(target / "codesign-manifest.json")
    assert sorted(one["path"] for one in told["files"]) == sorted(names)
    since = release.bench.lab.last()
    again = release.play(codesign_local_target=str(target))
    assert again.changed() == []
    assert release.calls(since) == dict.fromkeys(HOSTS, 0)
    # A source that changed is signed again, the others are not.
    release.put("setup.exe", program(5))
    third = release.play(codesign_local_target=str(target))
    assert third.returncode == 0, third.output[-4000:]
    assert release.signatures(since) == 1


def test_when_no_host_is_left_the_files_are_as_they_were(release: Release) -> None:
    contents = release.fill(4)
    for host in HOSTS:
        release.bench.lab.fault(host, "dead")
    run = release.play()
    assert run.returncode != 0
    assert "4 of 4 files were not signed, as hosts failed. No host is left that could sign." in run.output
    for name, content in contents.items():
        assert (release.folder / "dist" / name).read_bytes() == content


def test_a_refused_login_is_tried_once(release: Release) -> None:
    contents = release.fill(40)
    before = release.bench.lab.status()["cluster"]["refused_logins"]
    run = release.play(**WRONG)
    assert run.returncode != 0
    assert release.bench.lab.status()["cluster"]["refused_logins"] - before == 1
    for name, content in contents.items():
        assert (release.folder / "dist" / name).read_bytes() == content
    release.bench.lab.clear()


def test_what_is_wrong_with_a_file_fails_the_file_alone(release: Release) -> None:
    good = release.put("good.exe", program(1))
    text = release.put("readme.txt", b"no program\r\n")
    run = release.play()
    assert run.returncode != 0
    assert "1 of 2 files is not signed" in run.output
    assert release.is_signed_once(good)
    assert text.read_bytes() == b"no program\r\n"
    skipped = release.play(codesign_sign_unsignable="skip")
    assert skipped.returncode == 0, skipped.output[-4000:]
    assert skipped.changed() == []


def test_variables_are_checked_before_a_host_is_touched(release: Release) -> None:
    since = release.bench.lab.last()
    run = release.play(files=[], codesign_local_files_per_host=0)
    assert run.returncode != 0
    assert "codesign_local_files is missing" in run.output
    assert "codesign_local_files_per_host is 0" in run.output
    missing = release.play(files=[str(release.folder / "none" / "*.exe")])
    assert missing.returncode != 0
    assert "No file of the control node fits" in missing.output
    assert release.calls(since) == dict.fromkeys(HOSTS, 0)


def test_a_large_file_travels_in_parts(release: Release) -> None:
    content = program(7) + os.urandom(5_000_000)
    path = release.put("large.exe", content)
    since = release.bench.lab.last()
    run = release.play()
    assert run.returncode == 0, run.output[-4000:]
    assert release.is_signed_once(path)
    largest = max(
        len(call["args"]["parameters"]["Steps"]) + len(json.dumps(call["result"]))
        for call in release.bench.lab.calls("one", since)
    )
    assert largest < 2_000_000


def test_the_playbook_sign_writes_a_manifest_too(release: Release) -> None:
    lab = release.bench.lab
    for host in ("one", "two"):
        lab.write(host, r"C:\rel\app.exe", program(11))
    lab.write("two", r"C:\rel\readme.exe", b"no program")
    where = release.folder / "out" / "manifest.json"
    variables = {"codesign_files": [r"C:\rel\*.exe"], "codesign_manifest": str(where)}
    run = release.bench.play("cloudhsm.codesign.sign", "--limit", "one,two", variables=variables)
    assert run.returncode != 0, "a file of a host is no program"
    told = manifest(where)
    before = hashlib.sha256(program(11)).hexdigest()
    found = {(one["host"], one["path"]): one for one in told["files"]}
    assert set(found) == {("one", r"C:\rel\app.exe"), ("two", r"C:\rel\app.exe")}
    for host in ("one", "two"):
        entry = found[host, r"C:\rel\app.exe"]
        after = hashlib.sha256(lab.read(host, r"C:\rel\app.exe") or b"").hexdigest()
        assert (entry["sha256_before"], entry["sha256_after"]) == (before, after)
        sums = (where.parent / f"SHA256SUMS.{host}").read_text(encoding="utf-8")
        assert sums == rf"\{after}  C:\\rel\\app.exe" + "\n"
    lab.remove("two", r"C:\rel\readme.exe")
    again = release.bench.play("cloudhsm.codesign.sign", "--limit", "one,two", variables=variables)
    assert again.returncode == 0, again.output[-4000:]
    assert again.changed() == []
    assert manifest(where)["files"] == told["files"]
    for host in ("one", "two"):
        lab.remove(host, r"C:\rel")


def test_the_script_of_the_release_jobs(release: Release) -> None:
    release.put("app.exe", program(21))
    release.put("docs/readme.txt", b"no program\r\n")
    done = subprocess.run(
        [
            "sh",
            str(ROOT / "docs" / "examples" / "release" / "sign.sh"),
            "-e",
            f"@{release.bench.lab.secrets}",
        ],
        cwd=release.folder,
        env={
            **environment(COLLECTIONS),
            "INVENTORY": str(release.bench.lab.inventory),
            "VAULT_PASSWORD": "not-used-here",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert release.is_signed_once(release.folder / "signed" / "app.exe")
    assert (release.folder / "signed" / "docs" / "readme.txt").read_bytes() == b"no program\r\n"
    assert "not-used-here" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml", "Jenkinsfile"])
def test_the_jobs_run_the_script(name: str) -> None:
    text = (ROOT / "docs" / "examples" / "release" / name).read_text(encoding="utf-8")
    assert "sh sign.sh" in text
    if name.endswith(".yml"):
        assert isinstance(yaml.safe_load(text), dict)
