# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access lists: who may read."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.sddl import (
    may_read,
    readers_of,
    writers_of,
)


@pytest.mark.parametrize(
    ("sddl", "readers"),
    [
        ("O:BAG:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)", ["S-1-5-18", "S-1-5-32-544"]),
        ("O:BAD:(A;ID;FR;;;S-1-5-21-1-2-3-1001)", ["S-1-5-21-1-2-3-1001"]),
        ("D:(A;;0x1200a9;;;BU)(A;;0x120116;;;WD)", ["S-1-5-32-545"]),
        ("D:(A;;GRGX;;;AU)(A;;GW;;;IU)", ["S-1-5-11"]),
        ("D:(A;OICIIO;FA;;;BU)", []),
        ("D:(A;;FA;;;BU)(D;;FR;;;BU)", []),
        ("D:(A;;CCLC;;;LA)", ["LA"]),
        ("O:BAG:BA", []),
        ("O:BAG:BAD:(A;;FA;;;SY)S:(AU;SAFA;FA;;;WD)", ["S-1-5-18"]),
        ("", []),
    ],
)
def test_who_may_read(sddl: str, readers: list[str]) -> None:
    assert list(readers_of(sddl)) == readers


def test_local_administrators_by_their_number() -> None:
    assert may_read("S-1-5-21-9-500", ["LA"])
    assert may_read("S-1-5-21-9-501", ["LG"])
    assert not may_read("S-1-5-21-9-1001", ["LA", "LG"])


@pytest.mark.parametrize(
    ("sddl", "writers"),
    [
        ("O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", ["S-1-5-18", "S-1-5-32-544"]),
        ("O:SYG:SYD:(A;OICI;0x1200a9;;;BU)(A;OICIIO;GA;;;CO)", []),
        ("O:SYD:(A;OICIID;0x1301bf;;;AU)", ["S-1-5-11"]),
        ("O:SYD:(A;CI;LC;;;BU)(A;CIIO;DC;;;BU)", []),
        ("O:SYD:(A;CI;LCDC;;;BU)", ["S-1-5-32-545"]),
        (
            "O:SYD:(A;;GW;;;WD)(A;;WD;;;IU)(A;;WO;;;NU)(A;;SD;;;S-1-5-21-1)",
            ["S-1-1-0", "S-1-5-4", "S-1-5-2", "S-1-5-21-1"],
        ),
        ("O:SYD:(D;;FA;;;BU)(A;;FR;;;BU)", []),
        ("O:SYD:(A;;0x40000000;;;BU)(A;;0x2;;;BU)", ["S-1-5-32-545"]),
        ("O:SY", []),
    ],
)
def test_who_may_put_a_program_into_a_folder(sddl: str, writers: list[str]) -> None:
    assert list(writers_of(sddl)) == writers
