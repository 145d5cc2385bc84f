# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the nearly real Windows host that need no Wine: its signer's requests, its command lines, its
paths.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from windows_host.host import Played
from windows_host.prefix import PWSH, Prefix
from windows_host.shells import Ran, windows_line
from windows_host.signer import Key, Request, command

from support.wine_signtool import Wine

SHA384 = "2.16.840.1.101.3.4.2.2"
KEYS = {"AB": Key(Path("leaf.pem"), Path("chain.pem"), Path("leaf.key"))}
WHO = ["-certs", "leaf.pem", "-ac", "chain.pem", "-key", "leaf.key"]
ENDS = ["-in", "in.exe", "-out", "out.exe"]


def lines(
    what: str = "sign",
    flags: str = "0",
    thumbprint: str = "AB",
    digest: str = "800c",
    stamp: str = "-",
    url: str = "-",
    index: str = "0",
) -> str:
    return "\n".join([what, flags, r"C:\a b\größe.exe", thumbprint, digest, "2", stamp, url, index]) + "\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (lines(), ["sign", *WHO, "-h", "sha256", *ENDS]),
        (lines(flags="1000", digest="800d"), ["sign", *WHO, "-h", "sha384", "-nest", *ENDS]),
        (lines(url="http://stamps"), ["sign", *WHO, "-h", "sha256", "-ts", "http://stamps", *ENDS]),
        (lines(thumbprint="CD"), []),
        (
            lines("stamp", url="http://stamps", stamp=SHA384),
            ["add", "-ts", "http://stamps", "-h", "sha384", *ENDS],
        ),
        (
            lines("stamp", url="http://stamps", stamp=SHA384, index="1"),
            ["add", "-ts", "http://stamps", "-h", "sha384", "-index", "1", *ENDS],
        ),
        (lines("remove", thumbprint="-", digest="0"), ["remove-signature", *ENDS]),
    ],
)
def test_a_request_becomes_a_run_of_osslsigncode(text: str, wanted: list[str]) -> None:
    asked = Request.read(text)
    assert asked.file == r"C:\a b\größe.exe"
    assert command(asked, KEYS, Path("in.exe"), Path("out.exe")) == wanted


@pytest.mark.parametrize("text", ["", "sign\n", lines() + "more\n", lines(flags="x")])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Request.read(text)


@pytest.mark.parametrize(
    ("words", "without_cmd", "wanted"),
    [
        (
            ["PowerShell", "-NoProfile", "-EncodedCommand", "AAA="],
            False,
            f"{PWSH} -NoProfile -EncodedCommand AAA=",
        ),
        (
            [r'"C:\windows\system32\WindowsPowerShell\v1.0\powershell.exe"', "-Version"],
            True,
            f"{PWSH} -Version",
        ),
        (["pwsh.exe"], False, f"{PWSH} "),
        (["type", "a.txt"], False, r'C:\windows\system32\cmd.exe /c "type a.txt"'),
        ([r"C:\tools\io.exe", "x"], True, r"C:\tools\io.exe x"),
        (["powershellish"], True, "powershellish"),
    ],
)
def test_how_winrm_starts_a_command(words: list[str], without_cmd: bool, wanted: str) -> None:
    assert windows_line(words[0], words[1:], without_cmd) == wanted


def test_a_path_of_drive_c_and_no_other() -> None:
    prefix = Prefix(Wine("wine", "wineserver", Path("/p")))
    assert prefix.path("c:\\a\\b.exe") == Path("/p/drive_c/a/b.exe")
    with pytest.raises(ValueError, match="no path of drive C"):
        prefix.path("D:\\a")


def test_calls_are_counted_by_task() -> None:
    ran = tuple(Ran(label, "", 0, 1.0) for label in ("task-0", "task-1", "task-1"))
    played = Played(None, ran, {"one": "task-0", "two": "task-1"})  # type: ignore[arg-type]
    assert (played.calls("one"), played.calls("two"), played.calls()) == (1, 2, 3)
