# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access lists: who may read, and who may change a program."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.sddl import (
    ABOVE,
    FILE,
    FOLDER,
    denied_of,
    may_read,
    others_in,
    readers_of,
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


@pytest.mark.parametrize(
    ("sddl", "denied"),
    [
        ("O:BAG:BAD:(D;;FR;;;S-1-5-21-1-2-3-1001)(A;;FR;;;S-1-5-21-1-2-3-1001)", ("S-1-5-21-1-2-3-1001",)),
        ("O:BAG:BAD:(D;;0x120089;;;BU)(D;;FR;;;BU)(A;;FA;;;SY)", ("S-1-5-32-545",)),
        ("O:BAG:BAD:(D;;SD;;;BU)(D;IO;FR;;;WD)(A;;FA;;;SY)", ()),
    ],
)
def test_who_is_denied_to_read(sddl: str, denied: tuple[str, ...]) -> None:
    assert denied_of(sddl) == denied
    assert not set(readers_of(sddl)) & set(denied)


def test_local_administrators_by_their_number() -> None:
    assert may_read("S-1-5-21-9-500", ["LA"])
    assert may_read("S-1-5-21-9-501", ["LG"])
    assert not may_read("S-1-5-21-9-1001", ["LA", "LG"])


INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
OWNER = f"O:{INSTALLER}G:{INSTALLER}"
PROGRAM_FILES = (
    f"{OWNER}D:PAI(A;OICIIO;GA;;;CO)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;BA)(A;;0x1301bf;;;BA)"
    f"(A;OICIIO;GXGR;;;BU)(A;;0x1200a9;;;BU)(A;CIIO;GA;;;{INSTALLER})(A;;FA;;;{INSTALLER})(A;;0x1200a9;;;AC)"
    "(A;OICIIO;GXGR;;;AC)(A;;0x1200a9;;;S-1-15-2-2)(A;OICIIO;GXGR;;;S-1-15-2-2)"
)
r"""C:\Program Files, as Windows sets it up"""
ROOT = (
    f"{OWNER}D:PAI(A;;LC;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;OICIIO;GA;;;BA)(A;;FA;;;BA)"
    "(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)"
)
r"""C:\ of Windows 10 and 11"""
SERVER_ROOT = f"{OWNER}D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;BU)(A;CIIO;DC;;;BU)(A;OICIIO;GA;;;CO)"
r"""C:\ of Windows Server"""
PROGRAM_DATA = "O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;DCLCRPCR;;;BU)"
NEW_ON_CLIENT = "O:BAG:DUD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)"
NEW_ON_SERVER = (
    "O:BAG:DUD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;CIID;LC;;;BU)(A;CIID;DC;;;BU)"
)
r"""What an administrator makes in C:\ without more ado"""
SOMEBODY = "S-1-5-21-1-2-3-1105"
ADMINS = "O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"


@pytest.mark.parametrize(
    ("sddl", "file", "folder", "above"),
    [
        (PROGRAM_FILES, "", "", ""),
        (ROOT, "Authenticated Users", "Authenticated Users", ""),
        (SERVER_ROOT, "Users", "Users", ""),
        (PROGRAM_DATA, "Users", "Users", ""),
        (NEW_ON_CLIENT, "Authenticated Users", "Authenticated Users", "Authenticated Users"),
        (NEW_ON_SERVER, "Users", "Users", ""),
        (ADMINS, "", "", ""),
        (f"{ADMINS}(A;OICI;0x1200a9;;;BU)(A;OICIIO;GA;;;CO)", "", "", ""),
        (
            f"{ADMINS}(A;OICI;FA;;;S-1-5-21-1-2-3-512)(A;;FA;;;DA)(A;;FA;;;LA)(A;;FA;;;S-1-5-21-9-8-7-519)",
            "",
            "",
            "",
        ),
        (
            f"{ADMINS}(A;;FA;;;S-1-5-21-1-2-3-5120)",
            "S-1-5-21-1-2-3-5120",
            "S-1-5-21-1-2-3-5120",
            "S-1-5-21-1-2-3-5120",
        ),
        (f"{ADMINS}(A;;FA;;;S-1-5-18-1)", "S-1-5-18-1", "S-1-5-18-1", "S-1-5-18-1"),
        (f"{ADMINS}(A;OICI;0x1301bf;;;{SOMEBODY})", SOMEBODY, SOMEBODY, SOMEBODY),
        (f"{ADMINS}(A;;DC;;;WD)", "Everyone", "Everyone", ""),
        (f"{ADMINS}(A;;FW;;;WD)", "Everyone", "Everyone", ""),
        (f"{ADMINS}(A;;DT;;;WD)", "", "Everyone", "Everyone"),
        (f"{ADMINS}(A;;0x40;;;WD)", "", "Everyone", "Everyone"),
        (f"{ADMINS}(A;;CCDT;;;WD)", "", "Everyone", "Everyone"),
        (f"{ADMINS}(A;;SD;;;IU)", "INTERACTIVE", "INTERACTIVE", "INTERACTIVE"),
        (
            f"{ADMINS}(A;;WD;;;NU)(A;;WO;;;AN)",
            "NETWORK ANONYMOUS LOGON",
            "NETWORK ANONYMOUS LOGON",
            "NETWORK ANONYMOUS LOGON",
        ),
        (f"{ADMINS}(A;;GW;;;WD)", "Everyone", "Everyone", ""),
        (f"{ADMINS}(A;;0x40000000;;;WD)", "Everyone", "Everyone", ""),
        (f"{ADMINS}(A;;0x10000000;;;WD)", "Everyone", "Everyone", "Everyone"),
        (f"{ADMINS}(A;;0x1F01FF;;;WD)", "Everyone", "Everyone", "Everyone"),
        (f"{ADMINS}(A;;FRFX;;;WD)(A;;CCSWRPLOCRRC;;;WD)(A;;0x1200a9;;;WD)", "", "", ""),
        (f"{ADMINS}(A;CIOI;FA;;;WD)", "Everyone", "Everyone", "Everyone"),
        (f"{ADMINS}(A;CIOIIO;FA;;;WD)", "", "", ""),
        (f"{ADMINS}(D;;FA;;;WD)", "", "", ""),
        (f"{ADMINS}(D;;FA;;;BU)(A;;FA;;;BU)", "Users", "Users", "Users"),
        (f'{ADMINS}(XA;;FA;;;AU;(WIN://SYSAPPID Contains "x"))', *["Authenticated Users"] * 3),
        (f"O:{SOMEBODY}G:DUD:(A;;FA;;;SY)", *[f"its owner {SOMEBODY}"] * 3),
        ("O:BUG:DUD:(A;;FA;;;SY)", *["its owner Users"] * 3),
        ("O:BAG:DUD:NO_ACCESS_CONTROL", *["everybody"] * 3),
        ("O:BAG:DUD:PAINO_ACCESS_CONTROL", *["everybody"] * 3),
        ("O:BAG:DU", *["everybody"] * 3),
        ("O:BAG:DUD:", "", "", ""),
        ("", *["everybody"] * 3),
    ],
)
def test_who_may_change_a_program_or_what_is_above_it(sddl: str, file: str, folder: str, above: str) -> None:
    found = [" ".join(others_in(sddl, mask)) for mask in (FILE, FOLDER, ABOVE)]
    assert found == [file, folder, above]


def test_the_account_that_asks_may_change_what_is_its_own() -> None:
    text = f"O:{SOMEBODY}G:DUD:(A;;FA;;;{SOMEBODY})"
    assert others_in(text, FOLDER, SOMEBODY) == ()
    assert others_in(text, FOLDER, owner=False) == (SOMEBODY,)
    assert others_in(text, FOLDER, "S-1-5-21-1-2-3-110") == (f"its owner {SOMEBODY}", SOMEBODY)
    assert others_in(text, FOLDER, f"{SOMEBODY}0") == (f"its owner {SOMEBODY}", SOMEBODY)


@pytest.mark.parametrize("mask", [FILE, FOLDER, ABOVE, 0x1, 0x80000000, 0x500D0042])
def test_numbers_as_rights(mask: int) -> None:
    """Each bit alone, and each pair, is found where the mask has one of them, whatever else stands before it."""
    for first in range(32):
        for second in range(first + 1):
            bits = 1 << first | 1 << second
            found = others_in(f"O:SYG:SYD:(A;;0x{bits:x};;;WD)", mask)
            assert bool(found) == bool(bits & mask), hex(bits)
