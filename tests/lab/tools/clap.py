# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the Rust programs of Client SDK 5 take their command lines (the parser clap), and how they refuse one.

Only the shape is known: a message that begins with ``error:`` on standard error, exit code 2 (no public
output of these programs shows one; clap's own convention is assumed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class Refused(Exception):  # noqa: N818 - it is an answer, not a defect
    """A command line that the program does not take; the text is what it writes to standard error."""

    def __init__(self, text: str, usage: str) -> None:
        super().__init__(f"error: {text}\n\nUsage: {usage}\n\nFor more information, try '--help'.\n")


@dataclass(frozen=True)
class Option:
    """``values``: how many: "0", "1" or "+". ``allowed``: the only values, if there are some."""

    values: str = "1"
    allowed: tuple[str, ...] = ()
    required: bool = False


def parse(
    argv: list[str], options: Mapping[str, Option], short: Mapping[str, str], usage: str
) -> dict[str, list[str]]:
    """The values of each option that was given, by its long name. ``short`` maps one-letter options to long
    names.
    """
    found: dict[str, list[str]] = {}
    position = 0
    while position < len(argv):
        word = argv[position]
        position += 1
        name, equals, attached = (
            word.partition("=") if word.startswith("--") else (short.get(word, word), "", "")
        )
        option = options.get(name)
        if option is None or not word.startswith("-"):
            raise Refused(f"unexpected argument '{word}' found", usage)
        if name in found and option.values != "+":
            raise Refused(f"the argument '{name}' cannot be used multiple times", usage)
        values = [attached] if equals else []
        while (
            option.values != "0"
            and position < len(argv)
            and not argv[position].startswith("-")
            and not equals
        ):
            values.append(argv[position])
            position += 1
            if option.values == "1":
                break
        if (option.values == "0") != (not values):
            raise Refused(
                f"a value is required for '{name}' but none was supplied"
                if not values
                else f"unexpected value for '{name}' found",
                usage,
            )
        for value in values:
            if option.allowed and value not in option.allowed:
                raise Refused(
                    f"invalid value '{value}' for '{name}'\n  [possible values: {', '.join(option.allowed)}]",
                    usage,
                )
        found.setdefault(name, []).extend(values)
    missing = [name for name, option in options.items() if option.required and name not in found]
    if missing:
        raise Refused("the following required arguments were not provided:\n  " + "\n  ".join(missing), usage)
    return found
