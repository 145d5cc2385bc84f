# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudHSM's key storage provider itself writes into the output of a program that loads it, where its
code says less.

Only runs that failed by their exit codes are asked about, and nothing here says that something went well. It names the broken
link in a sentence; beside that two decisions rest on it, and each takes the careful way where the text is another one:

- A failed run counts as a refused login, unless the provider says that it had none or nobody to log in to (_login/host.py).
- No container is made after a listing that failed with one of these reasons (_key/making.py, ``may_go_on``).
"""

from __future__ import annotations

import re

from ...module_utils._findings import Link
from ...module_utils._results import RunResult
from ...module_utils._tools import configure

_NO_CREDENTIAL = re.compile(
    r"n3fips_password is not set|CLOUDHSM_PIN\b.{0,60}\bnot (?:set|found)", re.IGNORECASE
)
_NO_SERVICE = re.compile(r"Daemon socket connection error|0x40000040", re.IGNORECASE)


def explanation(result: RunResult) -> tuple[Link, str, str] | None:
    """What the provider itself says inside of certutil's output: link, sentence and advice; None where it
    says nothing we know.
    """
    text = f"{result.stdout}\n{result.stderr}"
    found = _NO_CREDENTIAL.search(text)
    if found:
        return (
            "credential",
            f"The provider has no credentials of the crypto user ({found.group(0)}).",
            "Give crypto_user and crypto_password, or store them for this account (role cloudhsm.codesign.credentials).",
        )
    if _NO_SERVICE.search(text):
        return (
            "service",
            f"The provider cannot reach the service {configure.SERVICE}.",
            "Start it (win_cloudhsm_client does).",
        )
    return None
