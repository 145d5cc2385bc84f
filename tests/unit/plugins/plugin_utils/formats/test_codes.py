# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hresult.py: the table is whole, and codes are found however they are written."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import LINKS
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import codes as hresult


@pytest.mark.parametrize("code", hresult.CODES.values(), ids=lambda code: code.symbol)
def test_each_code_says_what_it_means_and_what_to_do(code: hresult.Code) -> None:
    assert hresult.CODES[code.value] is code
    assert code.link in LINKS
    assert code.source in ("microsoft", "measured", "public", "vendor")
    assert code.meaning == code.meaning.rstrip(".")
    assert code.advice.endswith(".")
    assert code.symbol.isupper()


def test_no_symbol_stands_twice() -> None:
    symbols = [code.symbol for code in hresult.CODES.values()]
    assert len(symbols) == len(set(symbols))


@pytest.mark.parametrize(
    ("value", "symbol"),
    [
        (0x80090016, "NTE_BAD_KEYSET"),
        (-2146893802, "NTE_BAD_KEYSET"),
        (-2146893807, "NTE_NOT_FOUND"),
        (-2147024894, "ERROR_FILE_NOT_FOUND"),
        (-2147024156, "ERROR_ELEVATION_REQUIRED"),
        (2, "ERROR_FILE_NOT_FOUND"),
        (5, "ERROR_ACCESS_DENIED"),
        (0xC0000142, "STATUS_DLL_INIT_FAILED"),
    ],
)
def test_lookup(value: int, symbol: str) -> None:
    found = hresult.lookup(value)
    assert found is not None
    assert found.symbol == symbol


def test_signed_and_text() -> None:
    assert hresult.CODES[0x80090016].signed == -2146893802
    assert hresult.CODES[0x80090016].text == "0x80090016"
    assert hresult.signed(5) == 5


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert hresult.lookup(0x8BADF00D) is None
    assert hresult.lookup(None) is None
    assert hresult.lookup(0) is None
    assert hresult.describe(0x8BADF00D) == "0x8badf00d"
    assert hresult.describe(-1) == "0xffffffff"
    assert hresult.describe(None) == "no exit code"
    assert hresult.describe(-2146893802).startswith(
        "0x80090016 NTE_BAD_KEYSET: there is no such key container"
    )
