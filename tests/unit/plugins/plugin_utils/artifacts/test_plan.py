# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signs what, and who takes over."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import plan
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts.files import Place, Source

MB = 1 << 20
HOSTS = ["one", "two", "three", "four", "five"]


def source(path: str, sha256: str = "", size: int = 100, named: bool = False) -> Source:
    return Source(path, sha256 or path, size, Place(path, sha256 or path, 0o644), named)


def items(count: int, size: int = 100) -> list[plan.Item]:
    return plan.items([source(f"/d/f{number}.exe", size=size) for number in range(count)])


@pytest.mark.parametrize(
    ("count", "size", "hosts", "per_host", "shares"),
    [
        (0, 100, 5, 8, []),
        (1, 100, 5, 8, [1]),
        (15, 100, 5, 8, [15]),
        (16, 100, 5, 8, [8, 8]),
        (60, 100, 5, 8, [12] * 5),
        (61, 100, 5, 8, [13, 12, 12, 12, 12]),
        (60, 100, 2, 8, [30, 30]),
        (60, 100, 0, 8, []),
        (5, 100, 5, 1, [1] * 5),
        (1, 300 * MB, 5, 8, [1]),
        (4, 60 * MB, 5, 8, [1] * 4),
        (10, 8 * MB, 5, 8, [4, 3, 3]),
    ],
)
def test_how_many_hosts_a_number_of_files_is_worth(
    count: int, size: int, hosts: int, per_host: int, shares: list[int]
) -> None:
    found = plan.share_out(items(count, size), HOSTS[:hosts], per_host)
    assert [len(share) for share in found.values()] == shares
    assert list(found) == HOSTS[: len(shares)]
    assert sorted(one.id for share in found.values() for one in share) == sorted(
        one.id for one in (items(count, size) if hosts else [])
    )


def test_a_heavy_file_goes_to_a_host_that_has_little_else() -> None:
    wanted = plan.items([source("/d/big.msi", size=40 * MB), *(source(f"/d/{n}.exe") for n in range(12))])
    found = plan.share_out(wanted, HOSTS, 8)
    assert [len(share) for share in found.values()] == [2, 11]
    assert "/d/big.msi" in [one.path for one in found["one"]]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/d/app.exe", "a0001.exe"),
        ("/d/Übergröße mit Leerzeichen.EXE", "a0001.EXE"),
        ("/d/CON", "a0001"),
        ("/d/script.ps1", "a0001.ps1"),
        ("/d/odd.e xe", "a0001"),
        ("/d/odd.näme", "a0001"),
        ("/d/trailing.", "a0001"),
        ("/d/.hidden", "a0001"),
        ("/d/a.tar.gz:stream", "a0001"),
    ],
)
def test_names_on_the_host_are_ours(path: str, name: str) -> None:
    assert [one.id for one in plan.items([source(path)])] == [name]


def test_files_that_are_alike_are_signed_once() -> None:
    found = plan.items(
        [
            source("/d/a.exe", "11"),
            source("/d/b.EXE", "11", named=True),
            source("/d/c.ps1", "11"),
            source("/d/e.exe", "22"),
        ]
    )
    assert [(one.id, [place.path for place in one.places], one.named) for one in found] == [
        ("a0001.exe", ["/d/a.exe", "/d/b.EXE"], True),
        ("a0002.ps1", ["/d/c.ps1"], False),
        ("a0003.exe", ["/d/e.exe"], False),
    ]
    assert [plan.item_of(one.as_dict()) for one in found] == found


def told(outcome: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": f"a{number:04d}.exe", "outcome": outcome, **more}


GONE = "The connection to the host broke."


@pytest.mark.parametrize(
    ("result", "settled", "out", "uses"),
    [
        ({"artifacts": [told("signed"), told("left", 2)]}, {1: "signed", 2: "left"}, [], {}),
        ({"artifacts": [told("signed"), told("failed", 2)], "msg": "x"}, {1: "signed", 2: "failed"}, [], {}),
        (
            {"artifacts": [told("signed"), told("open", 2, key_used=True)], "msg": GONE},
            {1: "signed"},
            ["one"],
            {2: ("one",)},
        ),
        ({"artifacts": [told("open"), told("open", 2)], "msg": GONE}, {}, ["one"], {}),
        ({"unreachable": True, "msg": GONE}, {}, ["one"], {1: ("one",), 2: ("one",)}),
        ({}, {}, ["one"], {1: ("one",), 2: ("one",)}),
        ({"skipped": True}, {}, ["one"], {1: ("one",), 2: ("one",)}),
    ],
)
def test_what_a_host_did_not_bring_back_is_open(
    result: dict[str, Any], settled: dict[int, str], out: list[str], uses: dict[int, tuple[str, ...]]
) -> None:
    wanted = tuple(items(2))
    found = plan.after(plan.State(wanted), {"one": wanted}, {"one": result})
    assert {name: one["outcome"] for name, one in found.told.items()} == {
        f"a{number:04d}.exe": outcome for number, outcome in settled.items()
    }
    assert list(found.out) == out
    assert found.uses == {f"a{number:04d}.exe": hosts for number, hosts in uses.items()}
    assert all(one["host"] == "one" for one in found.told.values())


def test_uses_of_the_key_are_counted_when_they_were_repeated() -> None:
    wanted = tuple(items(2))
    state = plan.after(plan.State(wanted), {"one": wanted}, {"one": {}})
    assert state.repeated == 0
    state = plan.after(state, {"two": wanted}, {"two": {"artifacts": [told("signed"), told("left", 2)]}})
    assert state.repeated == 1
    assert not state.open
    assert plan.verdict(state, ["two"]) == ""


@pytest.mark.parametrize(
    ("result", "hosts", "sentence"),
    [
        (
            {"artifacts": [told("signed"), told("failed", 2, error={"msg": "It is no program."})], "msg": ""},
            ["one"],
            "1 of 2 files is not signed: It is no program.",
        ),
        (
            {"msg": GONE},
            [],
            f"2 of 2 files were not signed, as hosts failed. No host is left that could sign. one: {GONE}",
        ),
    ],
)
def test_the_verdict_names_what_is_not_signed(
    result: dict[str, Any], hosts: list[str], sentence: str
) -> None:
    wanted = tuple(items(2))
    state = plan.after(plan.State(wanted), {"one": wanted}, {"one": result})
    assert plan.verdict(state, hosts) == sentence
