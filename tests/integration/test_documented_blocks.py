# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fenced block of README.md and docs/*.md, in the order in which a user meets them: commands run as they are printed,
variables lie where the page says, plays and tasks run on the lab's hosts.

What stands for the reader: the folder in which they work (an inventory, files, a vault's variables), how the lab's hosts are
reached, its packages and its timestamp authority, and the thumbprint of its certificate. A block that cannot run here has
its reason in ``STORY``; which is which is counted by the last test.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from moto.cloudhsmv2.models import cloudhsmv2_backends

from lab.control.process import Control
from support.aws_api import ACCOUNT, REGION, aws_api, forget_clusters, make_cluster
from support.osslsigncode import need_newer
from support.playbook import ROOT, environment
from support.signable import installer, missing_tools, programs

from .conftest import COLLECTIONS, running

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PRINTED = "5AAEF93E7E972B1187363D880CFA3F71507C2E24"
"""The thumbprint that stands for the reader's on the pages."""
OURS = tuple(
    f"ANSIBLE_{name}"
    for name in ("CALLBACKS_ENABLED", "CALLBACK_PLUGINS", "ACTION_PLUGINS", "CONNECTION_PLUGINS", "CONFIG")
)
"""What a test run of Ansible has beside a user's."""
GROUP = ("build01", "build02", "build07", "old07", "new07")
FLEET: dict[str, Any] = {
    "hosts": {
        "build01": {},
        "build02": {"language": "de"},
        "build07": {},
        "old07": {"client_sdk": 3},
        "new07": {},
        "ca01": {},
    },
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
PROTOCOL = (
    "the hosts of this lab are reached by WinRM over HTTP; tests/integration/test_connections.py takes the blocks of NTLM and PSRP, "
    "and each variable of all is held against the connection plug-in in test_documented_fleet.py"
)
SETS_UP = "it asks Galaxy and PyPI"
MAKES = (
    "it is how this run was set up and started; that the targets exist is a test of tests/unit/test_docs.py"
)
SLICES = "tests/integration/test_slices.py runs the program, with playbooks of its own"
CLUSTERS = "the hosts of this lab know one cluster; tests/unit/test_docs.py knows the variables"
THERE = (
    "the lab's hosts have no WinHTTP and no console; tests/unit/test_docs.py checks the syntax of the play"
)
VERIFIERS = "tests/integration/test_preflight_verify.py has hosts that only verify, with such variables"
POLICY = "IAM is not at hand; its form and the names of its actions are read"
Way = Literal["run", "kept", "read"]


@dataclass
class Desk:
    """The reader's folder, where screen.log has what every command showed; ``printed``: the last of them."""

    lab: Control
    folder: Path
    aws: Mapping[str, str]
    printed: str = ""
    signer: str = ""

    def command(self, text: str, code: int = 0) -> None:
        """Runs lines as they are printed, in the reader's folder."""
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.folder,
            env={
                **{name: value for name, value in environment(COLLECTIONS).items() if name not in OURS},
                **self.aws,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.printed = done.stdout
        with (self.folder / "screen.log").open("a", encoding="utf-8") as screen:
            screen.write(f"$ {text}\n{done.stdout}\n")
        assert done.returncode == code, f"{text}\n{done.stdout[-8000:]}"
        # What a page has its reader type shows no deprecation and no stray variable.
        assert "[DEPRECATION" not in done.stdout, done.stdout[-8000:]
        assert self.password not in done.stdout

    @property
    def password(self) -> str:
        return str(yaml.safe_load(self.lab.secrets.read_text("utf-8"))["codesign_crypto_password"])

    def variables(self, name: str, text: str) -> None:
        place = self.folder / "group_vars" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def play(self, text: str, hosts: str = "build01") -> None:
        """A block of plays, or of tasks, which get a play around them."""
        content = yaml.safe_load(text.replace(PRINTED, self.signer))
        if not any("hosts" in one or "import_playbook" in one for one in content):
            content = [{"hosts": hosts, "gather_facts": False, "tasks": content}]
        (self.folder / "block.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        self.command("ansible-playbook block.yml -i inventory")

    def programs(self, folder: str, *hosts: str) -> None:
        for host in hosts or GROUP:
            self.lab.write(host, rf"{folder}\app.exe", programs()["setup64.exe"])


# The reader's folder
# -----------------------------------------------------------------------------------------------------


def described() -> set[str]:
    """What README has its reader write into group_vars."""
    return set(yaml.safe_load(only("README.md", "codesign_hsm_addresses: [")))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    need_newer("what is signed and stamped here")
    folder = tmp_path_factory.mktemp("desk")
    with running(tmp_path_factory.mktemp("lab"), FLEET) as control, aws_api() as aws:
        pki = Path(control.info["pki"])
        (folder / "files").mkdir()
        for name, source in (
            ("customerCA.crt", "customerCA.crt"),
            ("release.cer", "signing.pem"),
            ("release-2026.cer", "signing.pem"),
            ("release-2027.cer", "signing-renewed.pem"),
            ("root.cer", "root.pem"),
            ("intermediate.cer", "intermediate.pem"),
        ):
            shutil.copyfile(pki / source, folder / "files" / name)
        lab = yaml.safe_load(control.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]
        left = described() - {"codesign_hsm_addresses"}
        (folder / "host_vars").mkdir()
        for name, own in lab["hosts"].items():
            known = {key: value for key, value in {**lab["vars"], **own}.items() if key not in left}
            (folder / "host_vars" / f"{name}.yml").write_text(yaml.safe_dump(known), encoding="utf-8")
        (folder / "inventory").write_text("\n".join(["ca01", "[codesign]", *GROUP, ""]), encoding="utf-8")
        login = yaml.safe_load(control.secrets.read_text(encoding="utf-8"))
        vault = {name.replace("codesign", "vault", 1): value for name, value in login.items()}
        made = Desk(control, folder, aws)
        made.variables("codesign/vault.yml", yaml.safe_dump(vault))
        made.signer = thumbprint_of(pki / "signing.pem")
        control.ask("authority", host="ca01")
        addresses = lab["vars"]["codesign_hsm_addresses"]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in aws.items():
                patch.setenv(name, value)
            make_cluster(
                "cluster-igklspoyj5v",
                {"purpose": "code-signing"},
                addresses,
                (pki / "customerCA.crt").read_text("ascii"),
            )
            cloudhsmv2_backends[ACCOUNT][REGION].clusters["cluster-igklspoyj5v"].hsm_type = "hsm1.medium"
            yield made
        forget_clusters()


def thumbprint_of(path: Path) -> str:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.fingerprint(hashes.SHA1()).hex().upper()


# The blocks
# --------------------------------------------------------------------------------------------------------------


@cache
def blocks() -> tuple[tuple[str, str, str], ...]:
    """Page, language and text of each block that has a language; a drawing of docs/architecture.md is ``text``."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for language, content in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            found.append((str(page.relative_to(ROOT)), language, content))
    return tuple(found)


def only(page: str, part: str) -> str:
    """The one block of a page that has ``part``."""
    found = [content for name, _language, content in blocks() if name == page and part in content]
    assert len(found) == 1, f"{len(found)} blocks of {page} have {part!r}"
    return found[0]


Do = Callable[[Desk, str], None]


@dataclass(frozen=True)
class Told:
    """A block of a page, by a part that no other block of the page has. ``way``: it runs (``run``), is looked up where
    the page says while others run (``kept``), or is only read (``read``), with the reason. ``do``: how it is run.
    """

    page: str
    part: str
    way: Way = "run"
    do: Do | None = None
    why: str = ""
    shows: str = field(default="")

    @property
    def name(self) -> str:
        return f"{self.page}: {self.part}"


def command(desk: Desk, text: str) -> None:
    desk.command(text)


def play(desk: Desk, text: str) -> None:
    desk.play(text)


def first_variables(desk: Desk, text: str) -> None:
    desk.variables("all.yml", text)


def first_use(desk: Desk, text: str) -> None:
    """README's own commands, with something to sign on the hosts and here."""
    dist = desk.folder / "dist" / "tools"
    dist.mkdir(parents=True)
    (dist / "setup.exe").write_bytes(programs()["setup32.exe"])
    desk.programs(r"C:\build")
    desk.programs(r"C:\release")
    lines = [line for line in text.splitlines() if line]
    assert [re.findall(r"codesign\.(\w+)", line)[0] for line in lines] == [
        *("preflight", "site", "sign", "sign_local", "drift", "verify"),
    ]
    for line in lines[:-1]:
        desk.command(line)
    for host in GROUP:
        content = desk.lab.read(host, r"C:\build\app.exe")
        assert content is not None
        desk.lab.write(host, r"C:\release\app.exe", content)
    desk.command(lines[-1])


def roles(desk: Desk, text: str) -> None:
    desk.play(text)
    assert "changed=0" in desk.printed


def modules(desk: Desk, text: str) -> None:
    desk.lab.write("build01", r"C:\build\package.msi", installer(desk.folder))
    # The page's authority is the reader's; the lab has one of its own.
    desk.play(text.replace("[http://timestamp.digicert.com]", "'{{ codesign_sign_timestamp_urls }}'"))


def local(desk: Desk, text: str) -> None:
    (desk.folder / "dist" / "setup.msi").write_bytes(installer(desk.folder))
    desk.command(text)


def manifest(desk: Desk, text: str) -> None:
    printed = json.loads(text)
    (desk.folder / "fresh").mkdir()
    (desk.folder / "fresh" / "app.exe").write_bytes(programs()["setup64.exe"])
    desk.command(
        """ansible-playbook cloudhsm.codesign.sign_local -i inventory -e '{"codesign_local_files": ["fresh/*.exe"], """
        """"codesign_local_target": "out"}'"""
    )
    real = json.loads((desk.folder / "out" / "codesign-manifest.json").read_text(encoding="utf-8"))
    assert set(printed) == set(real)
    assert set(printed["wanted"]) == set(real["wanted"])
    assert set(printed["files"][0]) == set(real["files"][0])


def request(desk: Desk, text: str) -> None:
    """The first step, the CA's answer, and the third step: the block has both."""
    head, mark, _rest = text.partition("# from the third step on")
    assert mark
    desk.variables("codesign/request.yml", head)
    (desk.folder / "requests").mkdir()
    line = only("docs/playbooks.md", "codesign_request_host=build01\n")
    desk.command(line)
    desk.lab.ask(
        "issue",
        csr=str(desk.folder / "requests/release.csr"),
        answer=str(desk.folder / "requests/answer.pem"),
    )
    desk.variables("codesign/request.yml", text)
    desk.command(line)
    assert (desk.folder / "files/release/codesign_identities.yml").is_file()


def renewal(desk: Desk, text: str) -> None:
    """On the host that the request before has given its certificate."""
    head, _mark, _rest = only("docs/playbooks.md", "codesign_request_subject: ").partition(
        "# from the third step on"
    )
    desk.variables("codesign/request.yml", head)
    desk.command(text)
    assert (desk.folder / "requests/release-2027.csr").is_file()
    (desk.folder / "group_vars/codesign/request.yml").unlink()


def reports(desk: Desk, text: str) -> None:
    for name in ("one", "two"):
        desk.command(f"ansible-playbook cloudhsm.codesign.drift -i inventory -e codesign_drift_report={name}")
    desk.command(text)
    assert (desk.folder / "all" / "drift.html").is_file()


def renewed(desk: Desk, text: str) -> None:
    known = yaml.safe_load(only("README.md", "codesign_hsm_addresses: ["))
    desk.variables("all.yml", yaml.safe_dump({**known, **yaml.safe_load(text)}))
    desk.command(only("docs/playbooks.md", "codesign.rotate"))


def as_before(desk: Desk, _text: str) -> None:
    """The last of the pages' examples work with the certificate that they began with."""
    desk.variables("all.yml", only("README.md", "codesign_hsm_addresses: ["))
    desk.command("ansible-playbook cloudhsm.codesign.site -i inventory")


def password(desk: Desk, text: str) -> None:
    desk.lab.change_password("another-Pw-41")
    vault = desk.folder / "group_vars/codesign/vault.yml"
    variables = yaml.safe_load(vault.read_text(encoding="utf-8"))
    vault.write_text(
        yaml.safe_dump({**variables, "vault_crypto_password": "another-Pw-41"}), encoding="utf-8"
    )
    desk.command(text)


def new_server(desk: Desk, text: str) -> None:
    desk.command(text)
    assert "new07" in desk.printed


def moved(desk: Desk, text: str) -> None:
    desk.command(text)
    place = desk.folder / "host_vars" / "old07.yml"
    known = yaml.safe_load(place.read_text(encoding="utf-8"))
    known["codesign_client_packages"] = known["codesign_client_packages_by_sdk"]["5"]
    place.write_text(yaml.safe_dump({**known, "codesign_client_sdk": "5"}), encoding="utf-8")


def packages(desk: Desk) -> None:
    """By client SDK, as migrate takes them: of the hosts that have one or the other."""
    read = {
        name: yaml.safe_load((desk.folder / "host_vars" / f"{name}.yml").read_text(encoding="utf-8"))
        for name in ("build01", "old07")
    }
    by_sdk = {
        "5": read["build01"]["codesign_client_packages"],
        "3": read["old07"]["codesign_client_packages"],
    }
    for name in GROUP:
        place = desk.folder / "host_vars" / f"{name}.yml"
        known = yaml.safe_load(place.read_text(encoding="utf-8"))
        place.write_text(
            yaml.safe_dump({**known, "codesign_client_packages_by_sdk": by_sdk}), encoding="utf-8"
        )


def first_move(desk: Desk, text: str) -> None:
    packages(desk)
    new_server(desk, text)


def asks_aws(desk: Desk, text: str) -> None:
    assert REGION in text
    desk.play(text)


def policy(_desk: Desk, text: str) -> None:
    read = json.loads(text)
    assert read["Version"] == "2012-10-17"
    for one in read["Statement"]:
        assert set(one) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Z]\w+", action) for action in actions)


def as_yaml(_desk: Desk, text: str) -> None:
    assert isinstance(yaml.safe_load(text), (dict, list))


def as_shell(_desk: Desk, text: str) -> None:
    subprocess.run(["bash", "-n", "-c", text], check=True)


PLAYBOOKS = "docs/playbooks.md"
STORY: tuple[Told, ...] = (
    Told("README.md", "ansible-galaxy collection install", "read", as_shell, SETS_UP),
    Told("README.md", "collections:\n", "read", as_yaml, SETS_UP),
    Told("README.md", "build02: {", "read", as_yaml, PROTOCOL),
    Told("README.md", "codesign_hsm_addresses: [", do=first_variables),
    # A server that has nothing yet, before site gives it what it needs.
    Told("README.md", "codesign.preflight", do=first_use),
    Told("README.md", "cloudhsm.codesign.certificates\n", do=roles),
    Told("README.md", "win_signtool:", do=modules),
    Told("README.md", "make demo", "read", as_shell, MAKES),
    Told("README.md", "make lab", "read", as_shell, MAKES),
    Told(
        "docs/index.md",
        "codesign.site",
        "read",
        as_shell,
        "README has these commands, and they run from there",
    ),
    Told("docs/lab.md", "make lab", "read", as_shell, MAKES),
    Told("docs/lab.md", "lab pace", "read", as_shell, MAKES),
    Told("docs/performance.md", "make bench", "read", as_shell, MAKES),
    Told("docs/performance.md", "bench.where", "read", as_shell, MAKES),
    Told("docs/fleets.md", "tests/bench/fleets.py", "read", as_shell, MAKES),
    Told("docs/playbooks.md", "callbacks_enabled", "read", None, "the callback is shown in tests of its own"),
    Told("docs/playbooks.md", "files 230 done", "read", None, "it is a screen, of a fleet of 40 hosts"),
    Told("docs/aws.md", '"ec2:DescribeInstances"', "read", policy, POLICY),
    Told("docs/aws.md", '"ssm:GetParameter"', "read", policy, POLICY),
    Told("docs/proxies.md", "netsh winhttp", "read", as_shell, THERE),
    Told("docs/proxies.md", "win_http_proxy:", "read", as_yaml, THERE),
    Told("docs/fleets.md", "prove_login ----", "read", None, "it is a drawing"),
    Told("docs/fleets.md", "slices.py", "read", as_shell, SLICES),
    Told("docs/aws.md", "codesign_client_lookup_clusters:", "read", as_yaml, CLUSTERS),
    Told("docs/architecture.md", "action/win_signtool.py", "read", None, "it is a drawing"),
    *(
        Told("docs/connections.md", part, "read", as_yaml, PROTOCOL)
        for part in (
            "transport: ntlm",
            "transport: kerberos",
            "transport: credssp",
            "psrp_auth",
            "ssh\n",
            "aws_ssm\n",
        )
    ),
    *(
        Told("docs/aws.md", part, "read", policy, POLICY)
        for part in ('"Action": "cloudhsm:DescribeClusters"', '"Action": "sts:AssumeRole"')
    ),
    Told(PLAYBOOKS, "codesign.prove_login", do=command),
    Told(PLAYBOOKS, "codesign.site -i inventory\n", do=command),
    Told(PLAYBOOKS, "codesign.sign -i", do=command),
    Told(PLAYBOOKS, "codesign.sign_local", do=command),
    Told("docs/sign_local.md", '"dist/*.msi"', do=local),
    Told("docs/sign_local.md", '"made_by"', do=manifest),
    Told("docs/sign_local.md", "sha256sum --check SHA256SUMS", do=command),
    Told(PLAYBOOKS, "codesign_request_subject: ", do=request),
    Told(
        PLAYBOOKS,
        "codesign_request_host=build01\n",
        "kept",
        why="it runs with the variables of its block, twice",
    ),
    Told(PLAYBOOKS, "codesign_request_same_key=true", do=renewal),
    Told(PLAYBOOKS, "codesign_migrate_from=old07", do=first_move),
    Told(PLAYBOOKS, "codesign.migrate -i inventory --check", do=moved),
    Told(PLAYBOOKS, "codesign.upgrade", do=command),
    Told(PLAYBOOKS, "codesign.export", do=command),
    Told(PLAYBOOKS, "codesign.drift -i", do=command),
    Told(PLAYBOOKS, "codesign.drift_merge", do=reports),
    Told(PLAYBOOKS, "codesign.preflight", do=command),
    Told(PLAYBOOKS, "codesign.verify", do=command),
    Told(PLAYBOOKS, "former: [5AAE", "read", as_yaml, VERIFIERS),
    Told(PLAYBOOKS, "rolespec_validate: false", do=play),
    Told(PLAYBOOKS, "module_defaults:", do=play),
    Told("docs/chain.md", "win_codesign_info:", do=play),
    Told("docs/aws.md", "import_playbook: cloudhsm.codesign.site", do=asks_aws),
    Told(PLAYBOOKS, "former: [files/release-2026.cer]", do=renewed),
    Told(PLAYBOOKS, "codesign.rotate", do=as_before, why="it runs with the variables of its block"),
    Told("docs/chain.md", "codesign_switch_key_access=true", do=command),
    Told(PLAYBOOKS, "codesign.password", do=password),
    Told(PLAYBOOKS, "codesign.retire", do=command),
)


@pytest.mark.parametrize("told", STORY, ids=lambda told: told.name)
def test_block(request: pytest.FixtureRequest, told: Told) -> None:
    text = only(told.page, told.part)
    if told.do is not None:
        desk = request.getfixturevalue("desk") if told.way == "run" else None
        told.do(desk, text)  # type: ignore[arg-type]


def test_every_block_is_told() -> None:
    """A block that nobody runs or gives a reason for is a failure, and so is one without a language."""
    pages = {str(page.relative_to(ROOT)) for page in PAGES}
    told = Counter((one.page, only(one.page, one.part)) for one in STORY)
    assert [key for key, times in told.items() if times > 1] == []
    assert {(page, content) for page, _language, content in blocks()} == set(told)
    for page in pages:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert text.count("\n```\n") == sum(name == page for name, _language, _content in blocks()), page
    counts = Counter(one.way for one in STORY)
    assert counts["run"] >= counts["read"]
    assert all(one.why for one in STORY if one.way != "run")
    page = " ".join((ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8").split())
    assert f"{counts['run'] + counts['kept']} run as they are printed, {counts['read']} are only read" in page
