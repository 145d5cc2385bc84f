# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a reader gets, it gives a result or an error of ours, in time and memory that grow no faster than the input.

``CODESIGN_FUZZ_EXAMPLES`` (`make fuzz`): how many inputs each reader gets.
"""

from __future__ import annotations

import contextlib
import os
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.readers import EXCEPTIONS, READERS, Reader, found, processor_seconds

EXAMPLES = int(os.environ.get("CODESIGN_FUZZ_EXAMPLES", "25"))
SMALL, LARGE = 8_000, 32_000
"""Characters of the inputs by which growth is measured: four times as many."""
MOST_GROWTH = 10
"""What takes four times as long is linear, what takes sixteen times as long is not."""
UNNOTICED = 0.05
"""Seconds in which nothing is wrong, however they grew."""
LIMIT = 20.0
"""Seconds of the processor for one input."""

FED = "bad inputs tried: anything to a reader, long ones among them"
"""What the summary of `make test` adds up"""
Record = Callable[[str, object], None]

every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda one: one.name)


_fed: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def counted(record_property: Record) -> Iterator[None]:
    """How many inputs the test gives to a reader."""
    _fed.clear()
    yield
    if _fed:
        record_property("added", f"{_fed.total()} {FED}")


def _feed(reader: Reader, data: Any) -> None:
    _fed[reader.name] += 1
    with contextlib.suppress(*reader.errors), processor_seconds(LIMIT):
        reader.call(data)


def _strategy(reader: Reader) -> st.SearchStrategy[Any]:
    if reader.takes == "json":
        return st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
            ),
            max_leaves=12,
        )
    some: st.SearchStrategy[str] = st.text(max_size=12)
    if reader.pieces:
        some = st.sampled_from(reader.pieces) | some
    joined = st.lists(some, max_size=24).map("".join)
    if reader.takes == "text":
        return joined | st.text()
    return joined.map(lambda text: text.encode("latin-1", errors="ignore")) | st.binary()


@every_reader
def test_any_input_gives_a_result_or_an_error_of_ours(reader: Reader) -> None:
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(_strategy(reader))
    def feed(data: Any) -> None:
        _feed(reader, data)

    feed()


def _inputs(reader: Reader) -> list[Callable[[int], Any]]:
    """Inputs of any length: one piece over and over, alone and behind or before each of the others."""

    def of(before: str, piece: str, after: str) -> Callable[[int], Any]:
        def make(length: int) -> Any:
            text = before + piece * (length // len(piece)) + after
            return text if reader.takes == "text" else text.encode("latin-1", errors="ignore")

        return make

    alone = [of("", piece, "") for piece in (*reader.pieces, "\n", "\x00", "\u00e9")]
    # What comes before or after decides how far a reader goes: the longest pieces are whole lines of the format.
    lines = sorted(reader.pieces, key=len)[-2:]
    blanks = [piece for piece in reader.pieces if not piece.strip()] + ["\n"]
    opened = [of(opening, piece, "x") for opening in reader.openings for piece in reader.pieces]
    return alone + opened + [of(line, blank, "x" + line) for line in lines for blank in blanks]


def _seconds(reader: Reader, data: Any) -> float:
    begun = time.thread_time()
    _feed(reader, data)
    return time.thread_time() - begun


@pytest.mark.parametrize("reader", [one for one in READERS if one.takes != "json"], ids=lambda one: one.name)
def test_time_grows_no_faster_than_the_input(reader: Reader) -> None:
    for make in _inputs(reader):
        large = make(LARGE)
        after = _seconds(reader, large)
        for _again in range(3):
            if after <= UNNOTICED or after <= MOST_GROWTH * (before := _seconds(reader, make(SMALL))):
                break
            after = min(after, _seconds(reader, large))
        else:
            raise AssertionError(
                f"{reader.name}: {after:.2f} seconds for four times of what takes {before:.2f}: {large[:60]!r}..."
            )


@pytest.mark.parametrize("reader", [one for one in READERS if one.takes != "json"], ids=lambda one: one.name)
def test_memory_is_a_multiple_of_the_input(reader: Reader) -> None:
    for make in _inputs(reader)[: len(reader.pieces)]:
        data = make(8_000)
        tracemalloc.start()
        try:
            _feed(reader, data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16_000_000, f"{reader.name}: {peak} bytes for 8,000: {data[:60]!r}..."


@pytest.mark.parametrize("name", [name for name, _function in found()])
def test_every_reader_has_a_property(name: str) -> None:
    """A function that reads what comes from elsewhere has an entry in READERS, or a reason in EXCEPTIONS."""
    assert (name in {one.name.partition("[")[0] for one in READERS}) != (name in EXCEPTIONS)


def test_every_exception_is_a_function_and_has_a_reason() -> None:
    assert set(EXCEPTIONS) <= {name for name, _function in found()}
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())
