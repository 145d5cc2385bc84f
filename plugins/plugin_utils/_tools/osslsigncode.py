# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""osslsigncode on the control node: its command lines, and what it says of itself."""

from __future__ import annotations

import re

PROGRAM = "osslsigncode"
OLDEST = (2, 9)
"""The one that can be told to ask nobody (-ignore-crl came with 2.9; its NEWS)."""

KINDS = (b"MZ", b"MSCF", b"\xd0\xcf\x11\xe0")
"""How programs, cabinets and installers begin: what it reads in each build."""


def version() -> list[str]:
    """The arguments that have it tell its version."""
    return ["--version"]


def read_version(output: bytes) -> tuple[int, ...]:
    """Major and minor number; () where it says none."""
    found = re.match(rb"osslsigncode (\d{1,9})\.(\d{1,9})", output)
    return (int(found[1]), int(found[2])) if found else ()


def verify(path: str, trusted: str) -> list[str]:
    """The arguments that have it judge the signatures of a file by the certificates in ``trusted`` (PEM). It asks nobody
    on the network, and leaves the timestamp to the host. Exit code 0: it finds them good.
    """
    return [
        *("verify", "-ignore-timestamp", "-ignore-cdp", "-ignore-crl"),
        *("-CAfile", trusted, "-in", path),
    ]
