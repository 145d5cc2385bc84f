# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast timestamps are asked for once some have failed: fewer at a time, with growing waits, as long as
rounds make progress.

SignTool says the same of an authority that limits requests and of one that is down: only what the next
rounds bring tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping


@dataclass(frozen=True)
class Tally:
    """What a round got of one authority."""

    made: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Pace:
    """``most``: how many stamps a round asks of an authority, by its address (all, where it is not in it);
    ``idle``: rounds without any stamp, one after the other; ``level``: how often the wait was doubled, and one
    (0: no wait); ``stamped``: whether an authority has stamped anything yet.
    """

    most: Mapping[str, int] = field(default_factory=dict)
    idle: int = 0
    level: int = 0
    stamped: bool = False

    def after(self, round_: Mapping[str, Tally], all_asked: bool, attempts: int) -> Pace:
        """The pace after a round. ``all_asked``: some file has asked every authority by now, so that the first
        one comes again.
        """
        if not round_:
            return self
        most = dict(self.most)
        for url, tally in round_.items():
            if tally.failed:
                most[url] = max(1, tally.made or tally.failed // 2)
            elif url in most:
                most[url] += max(1, most[url] // 2)
        made = any(tally.made for tally in round_.values())
        failed = any(tally.failed for tally in round_.values())
        level = self.level
        if not failed:
            level = max(1, level - 1) if level else 0
        elif all_asked and (not made or not level):
            level = min(level + 1, longest(attempts))
        return Pace(most, 0 if made else self.idle + failed, level, self.stamped or made)

    def jobs(self, wanted: int) -> int:
        """How many processes of those that are wanted ask an authority at a time, while one limits."""
        return (
            max(1, min(wanted, *(max(1, most // 2) for most in self.most.values()))) if self.most else wanted
        )

    def wait(self, delay: int) -> int:
        """Seconds before the next round."""
        return delay * 2 ** (self.level - 1) if self.level else 0

    def is_over(self, attempts: int, authorities: int, limited: bool) -> bool:
        """Whether nothing more is to be expected. ``limited``: authorities refuse, and so may limit requests:
        one that has stamped before gets twice the time.
        """
        return self.idle >= attempts * max(1, authorities) * (2 if limited and self.stamped else 1)


def longest(attempts: int) -> int:
    """The highest level."""
    return 2 * attempts
