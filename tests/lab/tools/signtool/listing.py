# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as SignTool lists them, one below the other or as a chain with the root first."""

from __future__ import annotations

from cryptography import x509

from .chains import (
    LAST_YEAR,
    date,
    simple_name,
    thumbprint,
)
from .console import Console


def certificate(console: Console, one: x509.Certificate, depth: int = 0, friendly_name: str = "") -> None:
    """Four lines (three without an end that can be printed) and an empty one; from 10.0.28000 on a friendly
    name stands before them.
    """
    blanks = "    " * (depth + 1)
    if friendly_name:
        console.say(f"{blanks}Friendly Name: {friendly_name}\n")
    console.say(f"{blanks}Issued to: {simple_name(one.subject)}\n")
    console.say(f"{blanks}Issued by: {simple_name(one.issuer)}\n")
    if one.not_valid_after_utc.year <= LAST_YEAR:
        console.say(f"{blanks}Expires:   {date(one.not_valid_after_utc)}\n")
    console.say(f"{blanks}SHA1 hash: {thumbprint(one)}\n")
    console.out("\n")


def chain(console: Console, certificates: tuple[x509.Certificate, ...]) -> None:
    """``certificates`` from the signer up, as chains are built."""
    for depth, one in enumerate(reversed(certificates)):
        certificate(console, one, depth)
