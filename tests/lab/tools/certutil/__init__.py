# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil: its options and verbs, its exit codes, and the line that ends every run.

Options come before the positional arguments; behind the first of those everything is positional, as in the
real tool. Only what the project has to do with is here; every other verb or option is a usage error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import authority, keys, store
from .command import Command, Failure, UsageError
from .texts import TEXTS

if TYPE_CHECKING:
    from ...windows.process import Process

Verb = Callable[[Command], None]

VERBS: dict[str, tuple[Verb, int, int, frozenset[str]]] = {
    # verb: what does it, fewest and most positional arguments, the options it takes
    "store": (
        store.show,
        0,
        3,
        frozenset(("f", "user", "enterprise", "service", "grouppolicy", "silent", "split", "dc")),
    ),
    "addstore": (store.add, 2, 2, frozenset(("f", "user", "enterprise", "grouppolicy", "dc"))),
    "delstore": (store.delete, 2, 2, frozenset(("enterprise", "user", "grouppolicy", "dc"))),
    "repairstore": (
        store.repair,
        2,
        3,
        frozenset(("f", "enterprise", "user", "grouppolicy", "silent", "split", "csp")),
    ),
    "key": (keys.show, 0, 1, frozenset(("user", "silent", "split", "csp", "location"))),
    "delkey": (keys.delete, 1, 1, frozenset(("user", "silent", "split", "csp", "location"))),
    "csplist": (keys.list_providers, 0, 1, frozenset(("user", "silent"))),
    "ca.cert": (authority.certificate, 1, 2, frozenset(("f", "split", "config", "sid", "pin", "privatekey"))),
    "ca.chain": (authority.chain, 1, 2, frozenset(("f", "split", "config", "sid", "pin", "privatekey"))),
    "encode": (store.encode, 2, 2, frozenset(("f", "unicodetext"))),
}
EVERYWHERE = frozenset(("v", "gmt", "seconds", "unicode"))
WITH_VALUE = frozenset(("csp", "dc", "location", "split", "config", "sid", "pin"))
ALIASES = {"q": "silent"}


def main(process: Process) -> int:
    try:
        command = parse(process)
    except UsageError as error:
        return _usage(process, error.args[0])
    if command.verb == "?":
        _usage(process, "")
        return 0
    texts = TEXTS[process.host.language]
    try:
        VERBS[command.verb][0](command)
    except Failure as failure:
        command.line(texts["failed"].format(verb=command.verb, code=failure.describe()))
        sentence = failure.sentence(process.host.language)
        if sentence:
            command.line(f"CertUtil: {sentence}")
        return failure.hresult - (1 << 32)
    command.line(texts["done"].format(verb=command.verb))
    return 0


def parse(process: Process) -> Command:
    """Reads the command line; UsageError says what the tool would complain about."""
    verb, options, position = "", {}, 0
    argv = process.argv
    while position < len(argv) and argv[position][:1] in ("-", "/"):
        name = argv[position][1:].lower()
        name = ALIASES.get(name, name)
        position += 1
        if name == "?":
            if verb:
                raise UsageError("")
            return Command(process, "?", {}, [])
        if not verb and name in VERBS:
            verb = name
        elif name in WITH_VALUE and name != "split":
            if position >= len(argv):
                raise UsageError(f"Missing argument: -{name}")
            options[name] = argv[position]
            position += 1
        elif name in EVERYWHERE or any(
            name in verb_options for _verb, _few, _many, verb_options in VERBS.values()
        ):
            options[name] = ""
        else:
            raise UsageError(f"Unknown arg: {argv[position - 1]}")
    if not verb:
        raise UsageError("Missing verb" if not argv else f"Unknown arg: {argv[min(position, len(argv) - 1)]}")
    _do, fewest, most, allowed = VERBS[verb]
    for name in options:
        if name not in allowed | EVERYWHERE:
            raise UsageError(f"Unexpected option: -{name}")
    values = argv[position:]
    if len(values) < fewest:
        raise UsageError(f"Expected at least {fewest} args, received {len(values)}")
    if len(values) > most:
        raise UsageError(f"Expected no more than {most} args, received {len(values)}")
    return Command(process, verb, options, values)


def _usage(process: Process, complaint: str) -> int:
    if complaint:
        process.out(f"{complaint}\r\nCertUtil: {complaint}\r\n\r\n")
    process.out("Usage:\r\n")
    for verb in VERBS:
        process.out(f"  CertUtil [Options] -{verb}\r\n")
    return 1
