# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a recorded command line of the genuine SignTool through the lab's, in the same situation, and
compares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lab.tools.signtool import authenticode, fileformat
from lab.windows.filesystem import normalize

from .signtool_world import WORK, World

HELP = "Usage: signtool"
LEFT_OUT = re.compile(r"\r\n\[\.\.\. \d+ characters left out \.\.\.\]\r\n")
BLOCK = re.compile(
    r"(?:    Friendly Name: [^\r]*\r\r\n)?    Issued to: [^\r]*\r\r\n    Issued by: [^\r]*\r\r\n    Expires: [^\r]*\r\r\n    SHA1 hash: [^\r]*\r\r\n\r\n"
)
UNSIGNED_IN_SIGN = ("a.exe", "b.exe", "c.exe", "d.exe", "app", "app.txt", "my app.exe")
IN_VERIFY = {"a.exe": "signed.exe", "b.exe": "unsigned.exe", "c.exe": "tampered.exe", "d.exe": "stamped.exe"}


@dataclass(frozen=True)
class Played:
    exit_code: int
    stdout: str
    stderr: str
    files_after: dict[str, dict[str, int]]


def quote(word: str) -> str:
    """A word of a command line, by the rules of the Microsoft C run-time."""
    if word and not re.search(r'[\s"]', word):
        return word
    text = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)$", r"\1\1", text) + '"'


def arguments(case: dict[str, Any]) -> list[str]:
    """The arguments of a case; long command lines are stored shortened and numbered through."""
    words = list(case["argv"])
    if not case["name"].startswith("long-"):
        return words
    options = [word for word in words if word.startswith("/")]
    last = max(int(re.sub(r"\D", "", word.rpartition("\\")[2])) for word in words if "long0" in word)
    return [words[0], *options, *(f"{WORK}\\long{number:016d}.exe" for number in range(last + 1))]


def _file_names(case: dict[str, Any], words: list[str]) -> list[str]:
    """Words that may be names of files: of the command line, of response files (but not the parts of a name
    with blanks).
    """
    text, after = " ".join(case.get("files", {}).values()), list(case.get("files_after", {}))
    inside = re.findall(r'"([^"\r\n]+\.exe)"', text) + [
        one for one in re.findall(r"(?<![^\s])([^\s\"]+\.exe)", text) if "my" not in text.split()
    ]
    return [*words, *inside, *after]


def prepare(world: World, case: dict[str, Any]) -> None:
    """Puts the files of a case into the working folder."""
    world.empty_folder()
    words = arguments(case)
    verifies = words[:1] == ["verify"] or any(
        "verify" in text and "sign\r\n" not in text for text in case.get("files", {}).values()
    )
    mentioned = {word.lower() for word in words} | set(case.get("files_after", {}))
    for name, path in world.samples.items():
        if name.lower() in mentioned:
            world.put(name, path.read_bytes())
    signed = world.samples["signed.exe"].read_bytes()
    unsigned = world.samples["unsigned.exe"].read_bytes()
    text = " ".join(case.get("files", {}).values())
    for name in UNSIGNED_IN_SIGN:
        if name in mentioned or name in text:
            world.put(
                name,
                world.samples[IN_VERIFY[name]].read_bytes() if verifies and name in IN_VERIFY else unsigned,
            )
    for word in _file_names(case, words):
        relative = _relative(word)
        if (
            not relative
            or "gone" in relative
            or relative.startswith("long-")
            or relative in world.samples
            or relative in IN_VERIFY
        ):
            continue
        world.put(relative, signed if verifies else unsigned)
    for name, text in case.get("files", {}).items():
        world.put(name, world.lab(text).encode("latin-1"))


def _relative(word: str) -> str:
    """The name below the working folder of a word that means a program to be there, else ''."""
    if (
        not word.lower().rstrip(".").endswith(".exe")
        or "*" in word
        or word.startswith(("/", "http", "@args"))
        or word[1:3] == ":\\"
        and word[0] != "C"
    ):
        return ""
    full = normalize(word, WORK)
    return full[len(WORK) + 1 :] if full.startswith(WORK + "\\") else ""


def play(world: World, case: dict[str, Any]) -> Played:
    prepare(world, case)
    fault = re.search(r"answers (0x[0-9a-f]{8})", case["situation"])
    if fault and case["name"].startswith("key-sign-fails"):
        world.host.faults.set(f"ksp_error:{fault[1]}", 1)
    pfx = "sign.pfx" in case["argv"]
    done = world.run(" ".join(quote(world.lab(word, pfx=pfx)) for word in arguments(case)))
    world.host.faults.clear()
    code = done.exit_code - (1 << 32) if done.exit_code & 0x80000000 else done.exit_code
    after = {name: signatures(world, name) for name in case.get("files_after", {})}
    return Played(
        code, world.recorded(done.stdout.decode("cp437")), world.recorded(done.stderr.decode("cp437")), after
    )


def signatures(world: World, name: str) -> dict[str, int]:
    path = world.host.files.real_path(f"{WORK}\\{name}".replace("/", "\\"))
    found = authenticode.read(path, fileformat.kind(path))
    return {"signatures": len(found), "timestamped": sum(one.stamp is not None for one in found)}


def normal(text: str) -> str:
    """Without what is different in every run: times of stamps, digests, the order of a store's certificates,
    help.
    """
    text = text.partition(HELP)[0]
    text = re.sub(r"The signature is timestamped: [^\r]*", "The signature is timestamped: <time>", text)
    text = re.sub(
        r"Hash of file \((\w+)\): [0-9A-F]+",
        lambda match: f"Hash of file ({match[1]}): <{len(match[0])}>",
        text,
    )
    return re.sub(rf"(?:{BLOCK.pattern}){{2,}}", lambda match: "".join(sorted(BLOCK.findall(match[0]))), text)


def differences(case: dict[str, Any], played: Played) -> list[str]:
    """What is not as recorded, one line each; [] when all agrees."""
    found = []
    if played.exit_code != case["exit_code"]:
        found.append(f"exit code {played.exit_code}, recorded {case['exit_code']}")
    for stream in ("stdout", "stderr"):
        recorded, own = case[stream], getattr(played, stream)
        if case.get("help") and stream == "stderr" and HELP not in own:
            found.append("no help was printed")
        parts = LEFT_OUT.split(recorded)
        if len(parts) == 2:
            agrees = own.startswith(parts[0]) and own.endswith(parts[1])
        else:
            agrees = normal(own) == normal(recorded)
        if not agrees:
            found.append(
                f"{stream}:\n  lab      {normal(own)[:3000]!r}\n  recorded {normal(recorded)[:3000]!r}"
            )
    for name, counted in played.files_after.items():
        recorded_count = {key: case["files_after"][name][key] for key in ("signatures", "timestamped")}
        if counted != recorded_count:
            found.append(f"{name} afterwards: {counted}, recorded {recorded_count}")
    return found
