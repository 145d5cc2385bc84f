# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command line that tools/signtool.py builds is taken by the genuine SignTool's parser: it gets to the
certificate or the file.

And what the builders refuse is refused by the genuine one too, or stands below with the reason.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import signtool
from support.signtool_world import executable
from support.wine_signtool import Genuine, Ran

pytestmark = pytest.mark.wine

UNKNOWN = "0123456789ABCDEFabcdef0123456789ABCDEF01"
URL = "http://127.0.0.1:1/tsa"
CHOICES: dict[str, list[Any]] = {
    "thumbprint": [UNKNOWN, UNKNOWN.lower()],
    "store_name": ["My", "Root"],
    "machine_store": [True, False],
    "digest": list(signtool.DIGESTS),
    "timestamp_url": ["", URL, "HTTP://127.0.0.1:1/tsa"],
    "timestamp_digest": list(signtool.DIGESTS),
    "description": [
        "",
        "Example Program",
        'with "quotes" and \\ at the end\\',
        "/looks like an option",
        "100 %",
    ],
    "url": ["", "http://www.example.com/?a=b&c=d"],
    "additional_certificates": [(), ("issuing.cer",)],
    "append": [True, False],
    "page_hashes": [None, True, False],
}
NAMES: list[tuple[str, ...]] = [
    ("a.exe",),
    ("a.exe", "b.exe"),
    ("my program.exe",),
    (".\\-a.exe",),
    ("a&b.exe",),
    ("C:\\work\\a.exe",),
    ("a^b.exe", "(1).exe"),
]
GONE_FURTHER = re.compile(
    r"No certificates were found|File not found|No signature found|WinVerifyTrust returned|No signature was found|"
    r"The specified timestamp server|An error occurred while attempting|A required function is not present"
)
USAGE = re.compile(
    r"Invalid option|requires|incompatible|cannot be used|option twice|Missing filename|required parameter|No file digest|No file timestamp|"
    r"cannot be used or is invalid|Invalid SHA1|Invalid Timestamp|Usage:"
)

# What the builders refuse although the genuine SignTool takes it, and why.
STRICTER = {
    "check_name '*.exe'": "SignTool looks for files itself; which ones were signed could then not be told",
    "check_name 'a?.exe'": "SignTool looks for files itself; which ones were signed could then not be told",
    "check_name ''": "SignTool says 'File not found: ' instead of refusing the command line",
    "store_name ''": "SignTool opens a store without a name and says 'File not found: '",
    "timestamp index -1": "SignTool reads the number as an unsigned one and looks for that signature",
    "description 'a\\nb'": "cannot stand in a command line that is one line",
}


def pairs(choices: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Few combinations in which every pair of values of two options occurs, found greedily."""
    names = list(choices)
    missing = {
        ((one, first), (other, second))
        for one, other in itertools.combinations(range(len(names)), 2)
        for first in range(len(choices[names[one]]))
        for second in range(len(choices[names[other]]))
    }
    while missing:
        (one, first), (other, second) = min(missing)
        row = {one: first, other: second}
        for column in range(len(names)):
            if column in row:
                continue
            gains = [
                sum(tuple(sorted([(column, value), item])) in missing for item in row.items())
                for value in range(len(choices[names[column]]))
            ]
            row[column] = gains.index(max(gains))
        missing -= {tuple(sorted(pair)) for pair in itertools.combinations(row.items(), 2)}  # type: ignore[misc]
        yield {names[column]: choices[names[column]][value] for column, value in row.items()}


def built() -> list[tuple[str, ...]]:
    rows = list(pairs({**CHOICES, "names": NAMES}))
    lines = [
        signtool.sign_argv(signtool.SignOptions(**{key: row[key] for key in CHOICES}), row["names"])
        for row in rows
    ]
    for names in NAMES:
        lines += [signtool.verify_argv(names), signtool.remove_argv(names)]
        lines += [signtool.verify_argv(names, "A" * 40, stamped) for stamped in (False, True)]
        lines += [signtool.timestamp_argv(URL, digest, names) for digest in signtool.DIGESTS]
        lines += [signtool.timestamp_argv(URL, "sha256", names[:1], 1)]
    return lines


@pytest.fixture(scope="module")
def work(genuine: Genuine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "a.exe").write_bytes(executable())
    (folder / "issuing.cer").write_bytes(b"no certificate")
    genuine.certstore(
        [["delete", location, store] for location in ("machine", "user") for store in ("My", "Root")], folder
    )
    return folder


def refused(ran: Ran) -> bool:
    # One of its usage errors goes to standard output.
    said = ran.text + ran.stdout.decode("cp1253", errors="replace")
    return ran.exit_code != 0 and bool(USAGE.search(said)) and not GONE_FURTHER.search(said)


def test_all_options_are_covered() -> None:
    assert set(CHOICES) == {field.name for field in fields(signtool.SignOptions)}


def test_every_command_line_gets_past_the_parser(genuine: Genuine, work: Path) -> None:
    lines = built()
    assert len(lines) > 80
    wrong = [
        f"{' '.join(line)}\n  {ran.exit_code} {ran.text.strip()[:200]}"
        for line, ran in zip(lines, genuine.signtool(lines, work), strict=True)
        if refused(ran) or not (ran.exit_code == 0 or GONE_FURTHER.search(ran.text))
    ]
    assert not wrong, f"{len(wrong)} of {len(lines)} are refused by the genuine SignTool:\n" + "\n".join(
        wrong
    )


def _options(**values: Any) -> signtool.SignOptions:
    return signtool.SignOptions(**{"thumbprint": UNKNOWN, **values})


def _sign(what: str, words: list[str], **values: Any) -> tuple[str, Callable[[], object], list[str]]:
    """A value of an option, the builder that has to refuse it, and the command line for the genuine one."""
    return (
        what,
        lambda: signtool.sign_argv(_options(**values), ["a.exe"]),
        ["sign", "/fd", "sha256", *words, "a.exe"],
    )


def _name(name: str) -> tuple[str, Callable[[], object], list[str]]:
    return (
        f"check_name {name!r}",
        lambda: signtool.check_name(name),
        ["sign", "/fd", "sha256", "/sha1", UNKNOWN, name],
    )


REFUSED = [
    _sign("thumbprint of 39 digits", ["/sha1", UNKNOWN[1:]], thumbprint=UNKNOWN[1:]),
    _sign("thumbprint of 64 digits", ["/sha1", "A" * 64], thumbprint="A" * 64),
    _sign(
        "thumbprint with blanks",
        ["/sha1", UNKNOWN[:2] + " " + UNKNOWN[2:]],
        thumbprint=UNKNOWN[:2] + " " + UNKNOWN[2:],
    ),
    _sign("thumbprint empty", ["/sha1", ""], thumbprint=""),
    _sign("digest md5", ["/fd", "md5"], digest="md5"),
    _sign("digest SHA-256", ["/sha1", UNKNOWN], digest="SHA-256"),
    _sign(
        "timestamp https",
        ["/tr", "https://tsa.example/", "/td", "sha256"],
        timestamp_url="https://tsa.example/",
    ),
    _sign(
        "timestamp ftp", ["/tr", "ftp://tsa.example/", "/td", "sha256"], timestamp_url="ftp://tsa.example/"
    ),
    _sign("timestamp digest", ["/tr", URL, "/td", "sha-256"], timestamp_url=URL, timestamp_digest="sha-256"),
    _sign("store_name ''", ["/s", "", "/sha1", UNKNOWN], store_name=""),
    _sign("description 'a\\nb'", ["/sha1", UNKNOWN], description="a\nb"),
    ("no file", lambda: signtool.sign_argv(_options(), []), ["sign", "/fd", "sha256", "/sha1", UNKNOWN]),
    ("verify without a file", lambda: signtool.verify_argv([]), ["verify", "/pa"]),
    ("remove without a file", lambda: signtool.remove_argv([]), ["remove", "/s"]),
    (
        "timestamp index -1",
        lambda: signtool.timestamp_argv(URL, "sha256", ["a.exe"], -1),
        ["timestamp", "/tp", "-1", "/tr", URL, "/td", "sha256", "a.exe"],
    ),
    (
        "timestamp index of two files",
        lambda: signtool.timestamp_argv(URL, "sha256", ["a.exe", "b.exe"], 1),
        ["timestamp", "/tp", "1", "/tr", URL, "/td", "sha256", "a.exe", "b.exe"],
    ),
    _name("-a.exe"),
    _name("/a.exe"),
    _name("*.exe"),
    _name("a?.exe"),
    _name(""),
]
# "digest SHA-256": the genuine word for the same mistake.
REFUSED[5] = ("digest SHA-256", REFUSED[5][1], ["sign", "/fd", "SHA-256", "/sha1", UNKNOWN, "a.exe"])
REFUSED[4] = ("digest md5", REFUSED[4][1], ["sign", "/fd", "md5", "/sha1", UNKNOWN, "a.exe"])


def test_what_the_builders_refuse_is_refused_by_the_genuine_one(genuine: Genuine, work: Path) -> None:
    lines = [line for _what, _build, line in REFUSED]
    taken = []
    for (what, build, line), ran in zip(REFUSED, genuine.signtool(lines, work), strict=True):
        with pytest.raises(signtool.RefusedArgument):
            build()
        if not refused(ran):
            taken.append(f"{what}: {' '.join(line)} -> {ran.exit_code} {ran.text.strip()[:120]}")
    unknown = [one for one in taken if one.partition(": ")[0] not in STRICTER]
    assert not unknown, "refused here, taken by the genuine SignTool:\n" + "\n".join(unknown)
    assert {one.partition(": ")[0] for one in taken} == set(STRICTER), (
        "a stricter rule is not needed any more"
    )


def test_several_additional_certificates(genuine: Genuine, work: Path) -> None:
    """The genuine SignTool takes /ac once; the builder may not build a line with two."""
    line = ["sign", "/fd", "sha256", "/sha1", UNKNOWN, "/ac", "one.cer", "/ac", "two.cer", "a.exe"]
    ran = genuine.signtool([line], work)[0]
    assert "You cannot use the /ac option twice." in ran.text
    with pytest.raises(signtool.RefusedArgument):
        signtool.sign_argv(_options(additional_certificates=("one.cer", "two.cer")), ["a.exe"])
