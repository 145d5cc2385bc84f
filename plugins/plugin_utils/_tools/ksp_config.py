# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ksp_config.exe and cng_config.exe of Client SDK 3: which providers are registered, and registering them."""

from __future__ import annotations

import re

from ...module_utils._tools.configure import INSTALLED

KSP = "Cavium Key Storage Provider"
CNG = "Cavium CNG Provider"
SDK5_KSP = "CloudHSM Key Storage Provider"
"""SDK 5's own name for its provider, which answers to the name of SDK 3 as well."""

PROGRAMS: dict[str, str] = {KSP: f"{INSTALLED}\\ksp_config.exe", CNG: f"{INSTALLED}\\cng_config.exe"}
"""The program that lists and registers a provider."""


def enum_argv() -> tuple[str, ...]:
    return ("-enum",)


def register_argv() -> tuple[str, ...]:
    return ("-register",)


def parse_enum(text: str) -> frozenset[str]:
    """Those of our two providers that ``-enum`` lists.

    No sample of its output is public, so a name counts only as a value: at the end of a line, alone or behind
    a blank, a sign or a number, whatever the words before it say.
    """
    return frozenset(
        name
        for name in PROGRAMS
        if re.search(r"(?im)(?:^|[\s:=\"'(\[])" + re.escape(name) + r"[\"')\],.;]*[ \t\r]*$", text)
    )
