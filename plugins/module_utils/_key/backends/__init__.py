# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The back ends of the key look-up: what each of them is able to do, and which of them looks.

A new back end is a file here that does what ``Backend`` says, and its entry in ``BACKENDS``.
"""

from __future__ import annotations

from typing import Mapping, Optional, Protocol, Sequence, Tuple

from ..._findings import BrokenLink, NotInstalledError
from ..._results import Result
from ..._steps import Run, Transport
from ..lookup import AUTO, Lookup
from ..pair import KeyPair, WantedKey
from . import cloudhsm_cli, key_mgmt_util, pkcs11


class Backend(Protocol):
    """What a file of this package offers."""

    PACKAGE: str
    """What brings its program."""
    ON_WINDOWS: bool

    def program(self, lookup: Lookup) -> str:
        """The program or library to run."""

    def is_named(self, lookup: Lookup) -> bool:
        """Whether another option than ``backend`` names it, which leaves auto no choice."""

    def hindrance(self, lookup: Lookup) -> Optional[str]:
        """Why auto does not try it by itself: the end of a sentence, "" where it goes without saying. None where
        it does.
        """

    def find(self, host: Transport, wanted: WantedKey, lookup: Lookup) -> KeyPair:
        """The key pair. NotInstalledError where the program is not there, BrokenLink for anything but exactly
        one private key.
        """


class LoginTool(Backend, Protocol):
    """A client's tool, which also tells whether a login is refused."""

    ACCEPTED: str
    """What ``login_step`` prints with a login that was accepted (a regular expression)."""

    def login_step(self, lookup: Lookup) -> Tuple[Run, Mapping[str, str]]:
        """Logs in and out again and changes nothing; and the step's secrets."""

    def refused_login(self, result: Result, lookup: Lookup) -> Optional[BrokenLink]:
        """Why the login of ``login_step`` was refused; None where it was not, or something else went wrong."""

    def login_problem(self, result: Result, lookup: Lookup) -> Optional[BrokenLink]:
        """What keeps ``login_step`` from its answer; None where nothing does, or the tool is not there."""


TOOLS: Mapping[str, LoginTool] = {"cloudhsm_cli": cloudhsm_cli, "key_mgmt_util": key_mgmt_util}

BACKENDS: Mapping[str, Backend] = {**TOOLS, "pkcs11": pkcs11}
"""By the name that the option ``backend`` takes, in the order in which auto tries them."""

CHOICES = (AUTO, *BACKENDS)


def candidates(lookup: Lookup) -> Sequence[str]:
    """The back ends to try, the first one first."""
    if lookup.backend != AUTO:
        return [lookup.backend]
    # The last one: a library that is given says more than a program's name.
    named = [name for name, backend in BACKENDS.items() if backend.is_named(lookup)][-1:]
    if named or lookup.tool_path:
        return named or [next(iter(BACKENDS))]
    return [name for name, backend in BACKENDS.items() if backend.hindrance(lookup) is None]


def find(host: Transport, wanted: WantedKey, lookup: Lookup) -> Tuple[KeyPair, str]:
    """The key pair and the back end that found it. BrokenLink for anything but exactly one private key."""
    names = candidates(lookup)
    for name in names:
        try:
            return BACKENDS[name].find(host, wanted, lookup), name
        except NotInstalledError:
            continue
    raise not_installed(names, lookup)


def not_installed(names: Sequence[str], lookup: Lookup) -> BrokenLink:
    """None of the back ends that could look is there."""
    tried = [BACKENDS[name] for name in names]
    programs = [backend.program(lookup) for backend in tried]
    by_itself = lookup.backend == AUTO and not lookup.tool_path
    hindrances = [backend.hindrance(lookup) for backend in BACKENDS.values() if by_itself]
    untried = ", and ".join(["", *(reason for reason in hindrances if reason)])
    there = f"{programs[0]} is not there{untried}."
    if len(tried) > 1:
        there = f"No client of CloudHSM is installed on this host: neither {' nor '.join(programs)} is there."
    way = "crypto_user and crypto_password" if untried else "tool_path"
    return NotInstalledError(
        "client", there, f"Install {tried[0].PACKAGE} (the role cloudhsm.codesign.client does), or set {way}."
    )


def check_on_windows(lookup: Lookup) -> None:
    """BrokenLink for a back end that does not work on a Windows host."""
    good = " or ".join(name for name, backend in BACKENDS.items() if backend.ON_WINDOWS)
    for name, backend in BACKENDS.items():
        if not backend.ON_WINDOWS and (name == lookup.backend or backend.is_named(lookup)):
            raise BrokenLink(
                "argument",
                f"{name} is a back end for Linux hosts; this host is a Windows host.",
                f"Use {good}.",
            )
