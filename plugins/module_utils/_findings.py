# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not as it should be: findings, and the one kind of error that a user sees."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Literal, Tuple, Type, TypeVar, get_args

from ._results import Failure, Result, StepError
from ._texts import masked, shown

T = TypeVar("T")

Link = Literal[
    "host",
    "client",
    "cluster",
    "service",
    "provider",
    "credential",
    "certificate",
    "key",
    "container",
    "signtool",
    "file",
    "timestamp",
    "ledger",
    "argument",
]
"""The links of the chain from a host to a signed file. A finding or an error names exactly one."""

Severity = Literal["error", "notice"]
"""Whether a host cannot do its work with it, or can and should be looked at."""

LINKS: Tuple[Link, ...] = get_args(Link)
"""The same in the order of the chain."""


def quoted(text: str) -> str:
    """``text`` as it was written, in quotes. Only what nobody could see is written as its number."""
    return (
        "'"
        + "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
            for char in str(text)
        )
        + "'"
    )


@dataclass(frozen=True)
class Finding:
    """One thing that differs from the wanted state.

    ``link`` is one of LINKS, ``what`` the property in a few words, ``expected`` and ``seen`` its values as
    text, ``repair`` what puts it right (the role or module that does, or what a person has to do). ``role``
    is the role of this collection that repairs it; "" where none does. ``sentence`` is the whole statement, for
    what "should be, is" makes no sentence of. ``severity``: an error keeps the host from signing, or is not as wanted; a
    notice is only to be known, and leaves a host converged.
    """

    link: Link
    what: str
    expected: str
    seen: str
    repair: str
    role: str = ""
    sentence: str = ""
    severity: Severity = "error"

    @property
    def text(self) -> str:
        """The finding as one line for a person."""
        sentence = self.sentence or f"{self.what} should be {self.expected}, is {self.seen}"
        return shown(f"{self.link}: {sentence.rstrip('. ')}. {self.repair}")

    def as_dict(self) -> Dict[str, str]:
        data = {**asdict(self), "text": self.text}
        data.pop("sentence")
        return data


class BrokenLink(Exception):
    """Something that keeps a module from doing its work, said for the user.

    Who decides by it, decides by its kind (the classes below) and ``link``: what it says is for people.
    ``link`` is one of LINKS, ``problem`` one sentence that names the thing and what is wrong with it,
    ``advice`` what to do. ``details`` are further result keys (numbers, codes, the tool's own words), never a
    secret.
    """

    def __init__(self, link: Link, problem: str, advice: str = "", **details: Any) -> None:
        if link not in LINKS:
            raise ValueError(f"unknown link {link!r}")
        self.link = link
        # Parts of both may come from a host: a secret goes before an escape could hide it.
        self.problem = shown(str(masked(problem)))
        self.advice = shown(str(masked(advice)))
        super().__init__(f"{self.problem} {self.advice}".strip())
        self.details = details


class NotInstalledError(BrokenLink):
    """A program of the client is not on the host."""


class NotConfiguredError(BrokenLink):
    """The client is on the host and does not know the cluster."""


class OutdatedError(BrokenLink):
    """A program of the client is too old for what is asked of it."""


class NotInStoreError(BrokenLink):
    """The certificate is not in the store: what a play in check mode would have put there is not there yet."""


class UnreachableError(BrokenLink):
    """The HSM, or the service on the way to it, did not answer."""


class ServiceStoppedError(UnreachableError):
    """The service of Client SDK 3 does not run, or none that answers."""


class NoLoginError(BrokenLink):
    """A program found no login of a crypto user: none was tried."""


class LoginRefusedError(BrokenLink):
    """The HSM refused a login. Five in a row lock the crypto user, so nothing logs in after it."""


class LockedError(LoginRefusedError):
    """The crypto user is locked, and no login will do."""


class NotVisibleError(BrokenLink):
    """The crypto user sees no private key of the certificate."""


class ListingFailedError(BrokenLink):
    """The key containers could not be listed, so that nothing can be proven by them."""


class UnexplainedError(BrokenLink):
    """A tool failed with no reason that is known: what is behind it has to be asked elsewhere."""


def found(result: Result, kind: Type[T], link: Link, what: str) -> T:
    """``result`` as the kind that was asked for. BrokenLink where the host could not read ``what``: what
    cannot be read is not absent.
    """
    if isinstance(result, kind):
        return result
    if isinstance(result, Failure):
        problem = f"{what} cannot be read: {result.message.rstrip('. ')}."
        raise BrokenLink(link, problem, "Check the account's rights on this host.")
    raise StepError(f"expected {kind.__name__}, the host answered {type(result).__name__}")
