# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's command line: which options a command knows, and in which order it finds fault with them.

First each word is looked at, one after the other: unknown option, missing or wrong value, an option given
twice. From the first word that is no option on, everything is a file name. Then come the missing file name,
combinations, algorithms. The order was found out by comparing with the genuine SignTool, which
``tests/contract`` repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...windows.process import NotDone
from .console import Console

HASHES = {"sha1": "sha1", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
CERTHASH = "certHash"
P7_KINDS = ("embedded", "detachedsigneddata", "pkcs7detachedsigneddata")
GUID = re.compile(r"\{[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}\}", re.IGNORECASE)
OID = re.compile(r"[0-9]+([.][0-9]+)*")


class Refused(Exception):
    """The command line is refused; ``words`` are the sentences after "SignTool Error: "."""

    def __init__(self, *words: str, plain: bool = False, help_of: str | None = None) -> None:
        super().__init__(*words)
        self.words = words
        self.plain = plain
        self.help_of = help_of


class HelpWanted(Exception):
    """/? was given."""


@dataclass(frozen=True)
class Option:
    """``values``: how many words follow. ``group``: options of one group exclude each other as if one were
    given twice.

    ``once``: whether a second one is refused. ``not_after``: options that may not have come before it.
    ``since``: the first build number that knows it. ``named_by_value``: the genuine SignTool shows the value
    too when it is given twice;
    ``named_after``: it names the earlier of two options first.
    """

    values: int = 0
    once: bool = False
    group: str = ""
    called: str = ""
    since: int = 0
    check: Callable[[str, Console], None] | None = None
    not_after: tuple[str, ...] = ()
    named_by_value: bool = False
    named_after: bool = False


@dataclass
class CommandLine:
    """What was given: options by name (all values of each), file names."""

    command: str
    given: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def has(self, *names: str) -> bool:
        return any(name in self.given for name in names)

    def not_done(self, *names: str) -> None:
        """Options that the parser knows and the lab does nothing for."""
        if self.has(*names):
            raise NotDone(f"signtool {self.command} /{next(name for name in names if self.has(name))}")

    @property
    def verbose(self) -> bool:
        return self.has("v", "debug")

    @property
    def quiet(self) -> bool:
        return self.has("q") and not self.has("debug")

    def value(self, name: str, default: str = "") -> str:
        values = self.given.get(name)
        return values[0] if values else default

    def last(self, name: str, default: str = "") -> str:
        values = self.given.get(name)
        return values[-1] if values else default


def _thumbprint(text: str, console: Console) -> None:
    if not re.fullmatch(r"[0-9A-Fa-f]{40}", text):
        raise Refused(f"Invalid SHA1 hash format: {text}")


def _file_digest(text: str, console: Console) -> None:
    if text.lower() not in HASHES and text.lower() != CERTHASH.lower():
        raise Refused("The specified algorithm cannot be used or is invalid.")


def _stamp_digest(text: str, console: Console) -> None:
    if text.lower() == "md5":
        console.warning_about("The specified algorithm is not considered secure.")
        return
    _file_digest(text, console)


def _own_stamp_digest(text: str, console: Console) -> None:
    """For ``timestamp``, which has no certificate whose algorithm it could take."""
    if text.lower() == CERTHASH.lower():
        raise Refused("The specified algorithm cannot be used or is invalid.")
    _stamp_digest(text, console)


def _usage(text: str, console: Console) -> None:
    if not OID.fullmatch(text):
        raise Refused(f"Invalid Enhanced Key Usage: {text}")


def _url(text: str, console: Console) -> None:
    if not text.lower().startswith("http://"):
        raise Refused(f"Invalid Timestamp URL: {text}")


def _guid(text: str, console: Console) -> None:
    if not GUID.fullmatch(text):
        raise Refused(
            f"Invalid GUID format: {text}\nExpected GUID format: {{F750E6C3-38EE-11D1-85E5-00C04FC295EE}}"
        )


def _oid(text: str, console: Console) -> None:
    if not OID.fullmatch(text):
        raise Refused(f"Invalid OID: {text}")


def _platform(text: str, console: Console) -> None:
    if not re.fullmatch(r"\d+:\d+\.\d+(\.\d+)?", text):
        raise Refused(
            f"Invalid OS Version string: {text}\nExpected format: PlatformID:VerMajor.VerMinor\nExamples: 2:5.0 -- Windows NT, Version 5.0 -- Windows 2000\n"
            "          2:5.1 -- Windows NT, Version 5.1 -- Windows XP\nYou may optionally add a build number to the Version string.\n"
            "Example:  2:5.1.2600 -- Windows XP final build"
        )


def _stamp_index(text: str, console: Console) -> None:
    if not re.fullmatch(r"[1-9][0-9]*.*", text):
        raise Refused("Invalid index selected for timestamping.")


def _flags(*names: str) -> dict[str, Option]:
    return {name: Option() for name in names}


_ONE = Option(1, once=True)
_STAMP = {
    "t": Option(1, once=True, check=_url),
    "tr": Option(1, once=True, check=_url),
    "tseal": Option(1, once=True, check=_url),
    "td": Option(1, check=_stamp_digest),
    "force": Option(),
    "nosealwarn": Option(),
    "q": Option(),
    "v": Option(),
    "debug": Option(),
}
OPTIONS: dict[str, dict[str, Option]] = {
    "sign": {
        **_STAMP,
        **dict.fromkeys(
            (
                "ac",
                "c",
                "f",
                "i",
                "n",
                "p",
                "r",
                "s",
                "csp",
                "d",
                "du",
                "dg",
                "di",
                "dlib",
                "dmdf",
                "p7",
                "p7ce",
            ),
            _ONE,
        ),
        "k": Option(1, once=True),
        "kc": Option(1, once=True, called="k"),
        "fn": Option(1, once=True, since=28000),
        "sha1": Option(1, once=True, check=_thumbprint),
        "u": Option(1, once=True, group="usage"),
        "uw": Option(0, once=True, group="usage"),
        "fd": Option(1, once=True, check=_file_digest),
        "p7co": Option(1, once=True, check=_oid),
        "sa": Option(2, check=_oid),
        "noenclavewarn": Option(since=26100),
        **dict.fromkeys(("ph", "nph", "tdchw", "ds", "fdchw", "fdws", "rmc"), Option(0, once=True)),
        **_flags("a", "sm", "as", "seal", "itos", "dxml", "es"),
    },
    "timestamp": {
        **_STAMP,
        "td": Option(1, check=_own_stamp_digest),
        "tp": Option(1, once=True, check=_stamp_index),
        "p7": Option(),
    },
    "verify": {
        "a": Option(0, once=True, group="catalog"),
        "ad": Option(0, once=True, group="catalog"),
        "as": Option(0, once=True, group="catalog"),
        "ag": Option(1, once=True, group="catalog", check=_guid),
        "c": _ONE,
        "o": Option(1, once=True, check=_platform),
        "hash": _ONE,
        "pa": Option(0, once=True, group="policy"),
        "pg": Option(1, once=True, group="policy", check=_guid),
        "bp": Option(0, once=True),
        "ca": Option(1, check=_thumbprint),
        "sha1": Option(1, check=_thumbprint),
        "r": _ONE,
        "u": Option(1, check=_usage, named_by_value=True),
        "all": Option(not_after=("kp", "ds", "ms")),
        "ms": Option(not_after=("kp", "all", "ds")),
        "ds": Option(1, not_after=("kp", "all", "ms")),
        "kp": Option(0, once=True),
        "ph": Option(0, once=True),
        "enclave": Option(0, once=True),
        "p7content": _ONE,
        "policy": Option(1),
        "w2010pca": Option(since=26100),
        "now2010pca": Option(since=26100),
        "noenclavewarn": Option(since=26100),
        **_flags("tw", "sl", "p7", "q", "d", "v", "debug"),
    },
    "remove": {
        "s": Option(0, once=True),
        "c": Option(0, once=True),
        "u": Option(0, once=True),
        "q": Option(0, once=True, not_after=("v",)),
        "v": Option(0, once=True, not_after=("q",)),
    },
    "catdb": {
        "g": Option(1, once=True, check=_guid, not_after=("d",)),
        "d": Option(0, once=True, not_after=("g",)),
        "r": Option(0, once=True, not_after=("u",), named_after=True),
        "u": Option(0, once=True, not_after=("r",), named_after=True),
        **_flags("q", "v"),
    },
}
NO_FILE_DIGEST = (
    "No file digest algorithm specified. Please specify the digest algorithm with the /fd flag. Using /fd SHA256 is recommended and more secure "
    "than SHA1. Calling signtool with /fd sha1 is equivalent to the previous behavior. In order to select the hash algorithm used in the signing "
    "certificate's signature, use the /fd certHash option. "
)
NO_STAMP_DIGEST = (
    "No file timestamp algorithm specified. Please specify the timestamp algorithm with the /td flag. Using /td SHA256 is recommended and more "
    "secure than SHA1. Calling signtool with /td sha1 is equivalent to the previous behavior."
)
NO_STAMP_DIGEST_SIGN = "\nIn order to select the hash algorithm used in the signing certificate's signature, use the /td certHash option. "


def parse(command: str, words: list[str], build: int, console: Console) -> CommandLine:
    """The command line of one command, or Refused."""
    known = {name: option for name, option in OPTIONS[command].items() if option.since <= build}
    line = CommandLine(command)
    position = 0
    while position < len(words) and words[position][:1] in ("/", "-"):
        word = words[position]
        position += 1
        name = word[1:].lower()
        if name == "?":
            raise HelpWanted
        option = known.get(name)
        if option is None:
            if command == "remove":
                continue  # which takes any option and makes nothing of it
            raise Refused(f"Invalid option: {word}")
        shown = option.called or name
        if option.once and (
            shown in line.given
            or option.group
            and any(known[other].group == option.group for other in line.given)
        ):
            raise Refused(f"You cannot use the {word} option twice.")
        for earlier in option.not_after:
            if earlier in line.given:
                first, second = (earlier, shown) if option.named_after else (shown, earlier)
                raise Refused(f"The /{first} option is incompatible with the /{second} option.")
        _at_once(line, shown, word)
        if position + option.values > len(words):
            raise Refused(f"The /{shown} option requires a parameter.")
        values = words[position : position + option.values]
        position += option.values
        if option.check:
            option.check(values[0], console)
        if option.named_by_value and values[0] in line.given.get(shown, ()):
            raise Refused(f"You cannot use the {word} {values[0]} option twice.")
        line.given.setdefault(shown, []).append("\0".join(values))
    line.files = words[position:]
    CHECKS[command](line)
    return line


def _at_once(line: CommandLine, name: str, word: str) -> None:
    if line.command != "verify":
        return
    for catalog in ("a", "ad", "as", "ag"):
        if name == "c" and line.has(catalog) or name == catalog and line.has("c"):
            raise Refused(f"The /c option is incompatible with the /{catalog} option.")
    if name == "bp" and line.has("kp", "pa", "pg"):
        raise Refused("/bp cannot be used with /kp, /pa, or /pg.")
    if name in ("pa", "pg") and line.has("bp"):
        raise Refused(f"You cannot use the {word} option twice.")
    if name in ("kp", "pa", "pg", "bp") and (line.has("kp") or name == "kp" and line.has("bp", "pa", "pg")):
        raise Refused(
            "/kp cannot be used with /bp, /pa, or /pg."
            if name != "kp" or line.has("bp", "pa", "pg")
            else "You cannot use the /kp option twice."
        )


# Combinations
# ------------------------------------------------------------------------------------------------------------


def _incompatible(
    line: CommandLine, first: Iterable[str], second: Iterable[str], left: str = "", right: str = ""
) -> None:
    first, second = list(first), list(second)
    if line.has(*first) and line.has(*second):
        left = left or f"/{first[0]}"
        right = right or f"/{second[0]}"
        raise Refused(f"The {left} option is incompatible with the {right} option.")


def _requires(line: CommandLine, name: str, needed: str, left: str = "", right: str = "") -> None:
    if line.has(name) and not line.has(needed):
        raise Refused(f"The {left or '/' + name} option requires the {right or '/' + needed} option.")


def _requires_one_of(line: CommandLine, name: str, *needed: str) -> None:
    if line.has(name) and not line.has(*needed):
        raise Refused(
            f"The /{name} option requires the use of one of the following\n\toptions: {' '.join('/' + one for one in needed)}"
        )


def _not_with(line: CommandLine, name: str, *others: str) -> None:
    if line.has(name) and line.has(*others):
        raise Refused(
            f"The /{name} option cannot be used with any of the following\n\toptions: {' '.join('/' + one for one in others)}"
        )


def _need_file(line: CommandLine) -> None:
    if not line.files:
        raise Refused("Missing filename.", plain=True)


def _check_sign(line: CommandLine) -> None:
    _need_file(line)
    if line.value("p7ce").lower() in P7_KINDS:
        _requires(
            line,
            "p7ce",
            "p7",
            "/p7ce embedded|detachedSignedData|pkcs7DetachedSignedData",
            "/p7 <output path>",
        )
    if line.has("as", "seal", "itos") and line.has("dg", "ds", "di"):
        raise Refused("The /dg /ds /di option is incompatible with the /seal /itos /as option.")
    _requires(line, "p", "f")
    # An empty name counts as none.
    if line.value("k") and not line.value("csp"):
        raise Refused("The /k option requires the /csp option.")
    if line.value("csp") and not line.value("k"):
        raise Refused("The /csp option requires the /k option.")
    _incompatible(line, ["q"], ["v"])
    _not_with(line, "f", "s", "sm")
    _incompatible(line, ["t"], ["tr"])
    _incompatible(line, ["t"], ["tseal"])
    _incompatible(line, ["tr"], ["tseal"])
    _incompatible(line, ["t"], ["td"])
    if line.has("as") and line.has("t"):
        raise Refused(
            "The /t option is incompatible with the /as option.",
            "Specify the RFC 3161 timestamp server's URL instead with /tr.",
        )
    _not_with(line, "ph", "nph")
    for name in ("d", "du", "as", "t", "ph", "nph"):
        _incompatible(line, ["p7"], [name])
    _requires(line, "p7", "p7co", "/p7 <output path>", "/p7co <OID>")
    _requires(line, "p7co", "p7", "/p7co <OID>", "/p7 <output path>")
    _requires(line, "tseal", "seal", "/tseal <URL>")
    _requires_one_of(line, "force", "seal", "itos", "as")
    _requires_one_of(line, "nosealwarn", "seal", "itos", "as")
    _incompatible(line, ["dg", "ds", "di"], ["dlib", "dmdf"], "/dg /ds /di", "/dlib /dmdf")
    _incompatible(line, ["dg"], ["ds", "di"], "", "/ds /di")
    _incompatible(line, ["ds"], ["dg", "di"], "", "/dg /di")
    for name in ("dg", "ds"):
        _incompatible(line, [name], ["t"])
    for name in ("ds", "di"):
        _incompatible(line, [name], ["ph"])
        _incompatible(line, [name], ["nph"])
    _incompatible(line, ["di"], ["fd"])
    _requires(line, "dxml", "dg")
    _requires(line, "dmdf", "dlib")
    if not line.has("fd", "fdws", "di"):
        raise Refused(NO_FILE_DIGEST)
    if line.has("es") and len(line.given) > 2:
        raise Refused("The /es option cannot be used with any other option.")
    if line.has("tr") and not line.has("td"):
        raise Refused(NO_STAMP_DIGEST + NO_STAMP_DIGEST_SIGN)


def _check_timestamp(line: CommandLine) -> None:
    if not line.has("t", "tr", "tseal"):
        raise Refused("A required parameter is missing.")
    if len(line.given.get("td", ())) > 1:
        raise Refused("You cannot use the /td option twice.")
    if line.has("t") and line.has("tp"):
        raise Refused(
            "The /tp option is incompatible with the /t option.",
            "Specify the RFC 3161 timestamp server's URL instead with /tr.",
        )
    _incompatible(line, ["t"], ["tr"])
    _incompatible(line, ["t"], ["tseal"])
    _incompatible(line, ["tr"], ["tseal"])
    _incompatible(line, ["t"], ["td"])
    _requires(line, "nosealwarn", "force")
    _incompatible(line, ["q"], ["v"])
    _incompatible(line, ["tp"], ["p7"])
    _not_with(line, "p7", "force", "nosealwarn")
    if line.has("tr") and not line.has("td"):
        raise Refused(NO_STAMP_DIGEST)


def _check_verify(line: CommandLine) -> None:
    _need_file(line)
    _not_with(line, "w2010pca", "now2010pca")
    for name in ("ph", "d"):
        if not line.has("debug"):  # which implies /v
            _requires(line, name, "v")
    _requires(line, "noenclavewarn", "enclave")
    if line.has("enclave") and not (line.has("ph") and line.has("v", "debug")):
        raise Refused("The /enclave option requires the /ph /v option.")
    _requires_one_of(line, "o", "a", "ad", "ag", "as", "c")
    _incompatible(line, ["p7"], ["kp"])
    for name in ("a", "ad", "as", "ag", "c", "pa", "pg"):
        _incompatible(line, ["p7"], [name])
    _incompatible(line, ["p7"], ["bp"], "", "/pa")
    for name in ("policy", "r", "all", "ds", "sl", "ms"):
        _incompatible(line, ["p7"], [name])
    _incompatible(line, ["q"], ["v"])


def _check_remove(line: CommandLine) -> None:
    if not line.has("s", "c", "u"):
        raise Refused("A required parameter is missing.", plain=True, help_of="remove")
    if line.has("s") and line.has("c", "u"):
        raise Refused("The /s option is incompatible with the /c and/or /u option.")
    _need_file(line)


def _check_catdb(line: CommandLine) -> None:
    _need_file(line)
    _incompatible(line, ["q"], ["v"])


CHECKS: dict[str, Callable[[CommandLine], None]] = {
    "sign": _check_sign,
    "timestamp": _check_timestamp,
    "verify": _check_verify,
    "remove": _check_remove,
    "catdb": _check_catdb,
}
