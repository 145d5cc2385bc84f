# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's SignTool and the genuine one side by side, on the same command lines: the same exit code, the
same words.

Genuine here: the parser, the selection of certificates, the texts, and what is made of a code of the signing
call. The key behind a certificate and the signing call itself are stand-ins (native/mfc42.c).
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.windows.certstore import CertificateStores
from support.signtool_play import normal, quote
from support.signtool_world import IN_MACHINE_STORE, WORK, World
from support.wine_signtool import Genuine, Ran, drive_path

pytestmark = [pytest.mark.wine, pytest.mark.lab]

WITHOUT_KEY = ("provider", "lost", "nokey", "wrong")
"""Certificates whose key the lab does not open; under Wine every certificate has one."""
H = "{sign}"
UNKNOWN = "0" * 40
SELECTIONS = [
    ["sign", "/fd", "sha256", "/sm", "/sha1", UNKNOWN, "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/sha1", UNKNOWN, "a.exe"],
    ["sign", "/v", "/fd", "sha256", "/sm", "/sha1", UNKNOWN, "gone.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/sha1", "{expired}", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/sha1", "{server}", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/u", "1.3.6.1.5.5.7.3.1", "/sha1", "{server}", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/u", "1.2.3.4", "/sha1", H, "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/u", "Code Signing", "/sha1", H, "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/uw", "/sha1", H, "a.exe"],
    ["sign", "/fd", "sha256", "/sm", "a.exe"],
    ["sign", "/v", "/fd", "sha256", "/sm", "a.exe"],
    ["sign", "/q", "/fd", "sha256", "/sm", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "a.exe"],
    ["sign", "/v", "/a", "/fd", "sha256", "/sm", "/n", "Code", "a.exe"],
    ["sign", "/a", "/fd", "sha256", "/sm", "/n", "Code", "a.exe"],
    ["sign", "/debug", "/a", "/fd", "sha256", "/sm", "/n", "code signing two", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/n", "Nobody", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/i", "issuing", "/n", "Example Code Signing Two", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/i", "Nobody", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/r", "test root", "/sha1", H, "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/r", "Nobody", "/sha1", H, "a.exe"],
    [
        "sign",
        "/debug",
        "/fd",
        "sha256",
        "/sm",
        "/n",
        "Code",
        "/i",
        "Issuing",
        "/r",
        "Test",
        "/c",
        "none",
        "/sha1",
        H,
        "a.exe",
    ],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/s", "NoSuchStore", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/sha1", H, "/ac", "issuing.cer", "a.exe"],
    ["sign", "/debug", "/fd", "sha256", "/sm", "/sha1", H, "/ac", "server.cer", "a.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "/ac", "server.cer", "a.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "/ac", "text.txt", "a.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "/ac", "gone.cer", "a.exe"],
    ["sign", "/fd", "sha256", "/f", "gone.cer", "a.exe"],
    ["sign", "/fd", "sha256", "/f", "text.txt", "a.exe"],
]
RUNS = [
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "a.exe"],
    ["sign", "/v", "/fd", "sha256", "/sm", "/sha1", H, "a.exe", "b.exe"],
    ["sign", "/q", "/fd", "sha256", "/sm", "/sha1", H, "a.exe", "gone.exe", "b.exe"],
    ["sign", "/q", "/debug", "/fd", "sha256", "/sm", "/sha1", H, "a.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "a.exe", "gone.exe", "b.exe"],
    ["sign", "/v", "/fd", "sha256", "/sm", "/sha1", H, "gone.exe", "a.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "*.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "?.EXE"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "*.none"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "A.EXE"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "."],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, ""],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, ".\\a.exe"],
    ["sign", "/fd", "sha256", "/sm", "/sha1", H, "a.exe", "/debug"],
    ["verify", "/pa", "a.exe"],
    ["verify", "/pa", "/v", "a.exe", "b.exe"],
    ["verify", "/pa", "/q", "a.exe"],
    ["verify", "a.exe"],
    ["verify", "/pa", "/all", "/tw", "a.exe"],
    ["verify", "/pa", "/all", "/v", "a.exe"],
    ["verify", "/pa", "/ds", "3", "a.exe"],
    ["verify", "/pa", "gone.exe", "a.exe"],
    ["verify", "/pa", "*.none"],
    ["verify", "/pa", "."],
    ["verify", "/ad", "a.exe"],
    ["verify", "/ad", "/v", "a.exe"],
    ["verify", "/a", "/pa", "a.exe"],
    ["verify", "/pa", "/c", "gone.cat", "a.exe"],
    ["timestamp", "/t", "http://127.0.0.1:1", "gone.exe"],
    ["timestamp", "/t", "http://127.0.0.1:1"],
    ["timestamp", "/tp", "1", "/tr", "http://127.0.0.1:1", "/td", "sha256", "a.exe", "b.exe"],
    ["timestamp", "/v", "/tp", "1", "/tr", "http://127.0.0.1:1", "/td", "sha256", "a.exe", "b.exe"],
    ["timestamp", "/q", "/t", "http://127.0.0.1:1", "gone.exe"],
    ["timestamp", "/v", "/t", "http://127.0.0.1:1", "gone.exe"],
    ["remove", "/s", "gone.exe"],
    ["remove", "/s", "/q", "gone.exe"],
    ["remove", "/s", "/v", "gone.exe"],
]
BY_VERSION = [
    ["@one.rsp"],
    ["@several.rsp"],
    ["@failing.rsp"],
    ["@empty.rsp"],
    ["@gone.rsp"],
    ["@one.rsp", "a.exe"],
    ["/debug", "@one.rsp"],
    ["sign", "/noenclavewarn", "/fd", "sha256", "/sm", "/sha1", H, "a.exe"],
    ["sign", "/fn", "Code", "/fd", "sha256", "/sm", "/sha1", H, "a.exe"],
    ["verify", "/pa", "/w2010pca", "a.exe"],
    ["verify", "/w2010pca", "/now2010pca", "a.exe"],
    ["verify", "/noenclavewarn", "/pa", "a.exe"],
    ["verify", "/noenclavewarn", "/p7", "/kp", "a.exe"],
    ["verify", "/noenclavewarn", "/ph", "a.exe"],
    ["verify", "/noenclavewarn", "/enclave", "a.exe"],
]
"""What one release knows and another one does not: response files from 26100 on, and options."""
COMBINATIONS = [
    ["verify", "/p7", "/kp", "/ph", "a.exe"],
    ["verify", "/p7", "/kp", "/o", "2:5.0", "a.exe"],
    ["verify", "/enclave", "/q", "/v", "a.exe"],
    ["verify", "/enclave", "/p7", "/kp", "a.exe"],
    ["verify", "/enclave", "/ph", "a.exe"],
    ["verify", "/enclave", "/o", "2:5.0", "a.exe"],
    ["verify", "/q", "/v", "a.exe"],
    ["verify", "/q", "/v", "/o", "2:5.0", "a.exe"],
    ["verify", "/q", "/v", "/p7", "/kp", "a.exe"],
    ["verify", "/q", "/v", "/p7", "/pa", "a.exe"],
    ["verify", "/q", "/v", "/p7", "/r", "X", "a.exe"],
    ["verify", "/o", "2:5.0", "/p7", "/pa", "a.exe"],
    ["verify", "/ph", "/d", "a.exe"],
    ["sign", "/q", "/v", "/p", "pw", "/fd", "sha256", "a.exe"],
    ["timestamp", "/q", "/v", "/t", "http://127.0.0.1:1", "/td", "sha256", "a.exe"],
]
"""Two faults in one command line: which one is told"""
RESPONSE_FILES = {
    "one.rsp": "verify /pa a.exe\r\n",
    "several.rsp": 'verify\r\n/pa\r\n"a.exe"\r\n\r\nverify /pa gone.exe\r\n\r\nverify /pa b.exe\r\n',
    "failing.rsp": "verify /unknown a.exe\r\n\r\nverify /pa b.exe\r\n",
    "empty.rsp": "",
}
ENDING_CODES = (
    0x8009002D,
    0x80090030,
    0x80090010,
    0x80090029,
    0x80090020,
    0x80090022,
    0x80090011,
    0x80090016,
    0x80090015,
    0x80090019,
    0x8009200B,
    0x80092009,
)

# Options and values of the random command lines. What is left out is left out of the lab too, or has its own
# tests.
FLAGS = {
    "sign": ["a", "sm", "uw", "as", "ph", "nph", "q", "v", "debug", "noenclavewarn"],
    "verify": [
        "a",
        "ad",
        "as",
        "pa",
        "kp",
        "tw",
        "all",
        "q",
        "ph",
        "d",
        "v",
        "debug",
        "w2010pca",
        "now2010pca",
    ],
    "timestamp": ["q", "v", "debug"],
    "remove": ["s", "c", "u", "q", "v"],
    "catdb": ["d", "r", "u", "q", "v"],
}
VALUES = {
    "sign": {
        "ac": "g.cer",
        "c": "tpl",
        "f": "g.pfx",
        "i": "I",
        "n": "N",
        "p": "pw",
        "r": "R",
        "s": "my",
        "sha1": UNKNOWN,
        "u": "1.2.3",
        "csp": "C",
        "kc": "K",
        "k": "K",
        "d": "D",
        "du": "http://d",
        "t": "http://127.0.0.1:1",
        "tr": "http://127.0.0.1:1",
        "td": "sha256",
        "fd": "sha256",
    },
    "verify": {
        "ag": "{F750E6C3-38EE-11D1-85E5-00C04FC295EE}",
        "c": "g.cat",
        "pg": "{00AAC56B-CD44-11d0-8CC2-00C04FC295EE}",
        "ca": UNKNOWN,
        "r": "R",
        "sha1": UNKNOWN,
        "u": "1.2.3",
        "ds": "0",
    },
    "timestamp": {"t": "http://127.0.0.1:1", "tr": "http://127.0.0.1:1", "td": "sha256", "tp": "1"},
    "remove": {},
    "catdb": {"g": "{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"},
}
BAD_VALUES = {
    "sha1": "12",
    "fd": "md5",
    "td": "sha-256",
    "tr": "https://x",
    "t": "ftp://x",
    "ag": "x",
    "pg": "x",
    "g": "x",
    "ca": "x",
}


@pytest.fixture(scope="module")
def world(genuine: Genuine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World.create(tmp_path_factory.mktemp("lab"), genuine.version)
    stores = CertificateStores(made.host)
    for name in WITHOUT_KEY:
        stores.remove(made.thumbprint(name), "My")
    yield made
    made.close()


@pytest.fixture(scope="module")
def work(world: World, genuine: Genuine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the genuine one runs, and the same files in the lab's; the same certificates in the
    stores of both.
    """
    folder = tmp_path_factory.mktemp("wine")
    names = [name for name in IN_MACHINE_STORE if name not in WITHOUT_KEY]
    files = {
        "a.exe": world.samples["unsigned.exe"].read_bytes(),
        "b.exe": world.samples["unsigned.exe"].read_bytes(),
        "text.txt": b"just text\r\n",
    }
    files.update({name: text.encode("ascii") for name, text in RESPONSE_FILES.items()})
    files.update({f"{name}.cer": world.issued[name].der for name in (*names, "root", "issuing")})
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = [["delete", "machine", store] for store in ("My", "CA", "Root")] + [["delete", "user", "My"]]
    lines += [
        [
            "add",
            "machine",
            "My",
            f"{name}.cer",
            "container",
            "Cavium Key Storage Provider",
            "0",
            "0x20",
            "0",
            "-",
        ]
        for name in names
    ]
    lines += [["add", "machine", "Root", "root.cer"], ["add", "machine", "CA", "issuing.cer"]]
    genuine.certstore(lines, folder)
    world.empty_folder()
    for name, data in files.items():
        world.put(name, data)
    return folder


def fill(world: World, line: list[str]) -> list[str]:
    return [world.thumbprint(word[1:-1]) if re.fullmatch(r"\{[a-z]\w*\}", word) else word for word in line]


def lab_run(world: World, work: Path, line: list[str]) -> Ran:
    # Each line is to find the files as they were.
    for name in ("a.exe", "b.exe"):
        world.put(name, (work / name).read_bytes())
    done = world.run(" ".join(quote(word) for word in line))
    return Ran(done.exit_code, done.stdout, done.stderr)


def difference(line: list[str], lab: Ran, genuine: Ran, work: Path) -> str:
    """'' when both said the same, Wine's page-hash warning and the folders' names apart."""
    found = []
    if lab.exit_code != genuine.exit_code:
        found.append(f"exit code {lab.exit_code}, genuine {genuine.exit_code}")
    for stream in ("stdout", "stderr"):
        own, real = (getattr(one, stream).decode("cp1253", errors="replace") for one in (lab, genuine))
        real = re.sub(r"SignTool Warning: Unable to (?:en|dis)able page-hashes\.\r\n", "", real).replace(
            drive_path(work), WORK
        )
        if normal(own) != normal(real):
            lines = difflib.ndiff(normal(real).splitlines(), normal(own).splitlines())
            found.append(
                f"{stream} (- genuine, + lab):\n    "
                + "\n    ".join(line for line in lines if line[:1] in "+-")
            )
    return f"{line}\n  " + "\n  ".join(found) if found else ""


def compare(
    world: World, genuine: Genuine, work: Path, lines: list[list[str]], **variables: str
) -> list[str]:
    filled = [fill(world, line) for line in lines]
    real = genuine.signtool(filled, work, **variables)
    found = (
        difference(line, lab_run(world, work, line), one, work)
        for line, one in zip(filled, real, strict=True)
    )
    return [one for one in found if one]


def test_selection_of_the_certificate(world: World, genuine: Genuine, work: Path) -> None:
    found = compare(world, genuine, work, SELECTIONS, LAB_KEY="any", LAB_SIGN_RESULT="0")
    assert not found, "\n".join(found)


def test_runs_over_files(world: World, genuine: Genuine, work: Path) -> None:
    found = compare(world, genuine, work, RUNS, LAB_KEY="any", LAB_SIGN_RESULT="0")
    assert not found, "\n".join(found)


def test_what_only_some_releases_know(world: World, genuine: Genuine, work: Path) -> None:
    found = compare(world, genuine, work, BY_VERSION, LAB_KEY="any", LAB_SIGN_RESULT="0")
    assert not found, "\n".join(found)


def test_the_first_of_two_faults_is_the_same(world: World, genuine: Genuine, work: Path) -> None:
    found = compare(world, genuine, work, COMBINATIONS)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("code", ENDING_CODES, ids=[f"{code:08x}" for code in ENDING_CODES])
def test_error_of_the_key_storage_provider(world: World, genuine: Genuine, work: Path, code: int) -> None:
    world.host.faults.set(f"ksp_error:0x{code:08x}")
    try:
        found = compare(
            world,
            genuine,
            work,
            [["sign", "/v", "/fd", "sha256", "/sm", "/sha1", H, "a.exe", "b.exe"]],
            LAB_KEY="any",
            LAB_SIGN_RESULT=f"{code:08x}",
        )
    finally:
        world.host.faults.clear()
    assert not found, "\n".join(found)


def random_lines(seed: int, count: int) -> list[list[str]]:
    chance = random.Random(seed)  # noqa: S311 - the same command lines in every run
    commands = ["sign"] * 4 + ["verify"] * 3 + ["timestamp", "remove", "catdb"]
    lines = []
    for _number in range(count):
        command = chance.choice(commands)
        names = [*FLAGS[command], *VALUES[command]]
        line = [command]
        for name in chance.sample(names, chance.randint(1, min(4, len(names)))) + (
            ["fd"] if command == "sign" and chance.random() < 0.5 else []
        ):
            value = VALUES[command].get(name)
            if value and name in BAD_VALUES and chance.random() < 0.1:
                value = BAD_VALUES[name]
            line += [
                chance.choice("/-") + (name if chance.random() < 0.8 else name.upper()),
                *([value] if value else []),
            ]
        if chance.random() < 0.05:
            line.insert(1 + chance.randrange(len(line)), "/unknown")
        lines.append([*line, *(["gone.exe"] if chance.random() < 0.9 else [])])
    return lines


def test_random_command_lines(world: World, genuine: Genuine, work: Path) -> None:
    """Usage errors, their order and their words; what is no usage error gets to the certificate or the file
    in both.
    """
    lines = [
        line
        for line in random_lines(genuine.build, 200)
        if line[0] != "catdb" or "gone.exe" not in line or "/unknown" in line
    ]
    found = []
    for line, real in zip(lines, genuine.signtool(lines, work), strict=True):
        own = lab_run(world, work, line)
        if past_the_parser(real) and past_the_parser(own):
            continue
        found.append(
            difference(line, Ran(own.exit_code, b"", own.stderr), Ran(real.exit_code, b"", real.stderr), work)
        )
    found = [one for one in found if one]
    assert not found, f"{len(found)} of {len(lines)}\n" + "\n".join(found)


def past_the_parser(ran: Ran) -> bool:
    """Whether it got to a certificate or a file."""
    words = r"No certificates were found|Multiple certificates were found|File not found|File not valid|cross certificate|An error occurred while"
    return bool(re.search(words, ran.text))
