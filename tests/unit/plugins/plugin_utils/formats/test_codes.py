# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codes.py: the table is whole, no code stands twice, and codes are found however they are written."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import LINKS
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import codes as hresult


@pytest.mark.parametrize("code", hresult.CODES.values(), ids=lambda code: code.symbol)
def test_each_code_says_what_it_means_and_what_to_do(code: hresult.Code) -> None:
    assert code.source in ("microsoft", "measured", "public", "vendor")
    assert code.symbol.isupper()
    columns = [column for column in (code.certutil, code.signing, code.verifying) if column is not None]
    assert code.usual is columns[0]
    assert [code.link, code.meaning, code.advice] == [columns[0].link, columns[0].meaning, columns[0].advice]
    for column in columns:
        assert column.link in LINKS
        assert column.meaning == column.meaning.rstrip(".")
        assert "time stamp" not in column.meaning + column.advice
        assert column.advice.endswith(".") or not column.advice
    assert code.certutil is None or code.certutil.advice


def test_no_code_and_no_symbol_stands_twice() -> None:
    codes = hresult._TABLE
    assert len({code.value for code in codes}) == len({code.symbol for code in codes}) == len(codes)


def test_a_code_blames_another_link_in_another_context() -> None:
    denied = hresult.CODES[0x80070005]
    assert denied.certutil is not None
    assert denied.signing is not None
    assert (denied.certutil.link, denied.signing.link, denied.verifying) == ("host", "file", denied.signing)
    stamp = hresult.CODES[0x80096005]
    assert stamp.signing is not None
    assert stamp.verifying is not None
    assert (stamp.signing.key, stamp.verifying.key) == ("timestamp_failed", "timestamp_invalid")


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
        (0x57, "E_INVALIDARG"),
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
