# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters for the tests of the lab's parts: one for a whole file, or a fresh one for a test that damages it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.control.bench import Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A cluster of type hsm1 with two HSMs, shared by a file's tests: each makes hosts of its own."""
    made = Bench.create(tmp_path_factory.mktemp("bench"))
    yield made
    made.cluster.close()


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes clusters for one test: ``make_bench(hsm_type, hsms)``."""
    made: list[Bench] = []

    def make(hsm_type: str = "hsm1", hsms: int = 2) -> Bench:
        made.append(Bench.create(tmp_path / f"bench{len(made)}", hsm_type, hsms))
        return made[-1]

    yield make
    for one in made:
        one.cluster.close()
