# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control node finds out of a signed file before it takes its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import checks
from support.osslsigncode import need_newer
from support.signable import Vendor, cabinet, missing_tools, programs, tampered, thumbprint

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
Change = Callable[[Vendor, bytes, Path], bytes]


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return Vendor(tmp_path_factory.mktemp("vendor") / "vendor")


def check(folder: Path, vendor: Vendor, content: bytes, plain: bytes, **wanted: Any) -> list[str]:
    original, new = folder / "original.exe", folder / "new.exe"
    original.write_bytes(plain)
    new.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    usual = {"sha256": digest, "signer": thumbprint(vendor.certificate), "digest": "sha256", "stamped": False}
    trusted = [vendor.root.public_bytes(Encoding.PEM).decode()] if wanted.pop("tool", True) else []
    with checks.tool(trusted) as tool:
        return checks.check(
            str(new), digest, checks.Wanted(**{**usual, "original": str(original), **wanted}), tool
        )


def test_a_good_program_is_good_by_all(vendor: Vendor, tmp_path: Path) -> None:
    need_newer("what osslsigncode is asked with")
    plain = programs()["setup64.exe"]
    assert check(tmp_path, vendor, vendor.sign(plain), plain) == [
        "sha256",
        "certificate_table",
        "osslsigncode",
    ]
    assert check(tmp_path, vendor, vendor.sign(plain), plain, tool=False) == ["sha256", "certificate_table"]
    package = cabinet(tmp_path)
    assert check(tmp_path, vendor, vendor.sign(package, ".cab"), package) == ["sha256", "osslsigncode"]
    assert check(tmp_path, vendor, b"a script", b"script") == ["sha256"]


@pytest.mark.parametrize(
    ("content", "wanted", "why"),
    [
        (
            lambda vendor, plain, folder: vendor.sign(plain),
            {"sha256": "0" * 64},
            "is not what the host verified",
        ),
        (lambda vendor, plain, folder: plain, {}, "holds 0 signatures of"),
        (lambda vendor, plain, folder: Vendor(folder / "o").sign(plain), {}, "holds 0 signatures of"),
        (lambda vendor, plain, folder: vendor.sign(plain), {"digest": "sha384"}, "holds 0 signatures of"),
        (lambda vendor, plain, folder: vendor.sign(plain), {"stamped": True}, "carries no timestamp"),
        (lambda vendor, plain, folder: tampered(vendor.sign(plain)), {}, "is of another program"),
        (
            lambda vendor, plain, folder: vendor.sign(programs()["setup32.exe"]),
            {},
            "it is not the program that was sent",
        ),
        (lambda vendor, plain, folder: vendor.sign(plain)[:-100], {}, "lies outside of the file"),
    ],
)
def test_what_is_not_the_file_is_not_accepted(
    vendor: Vendor, tmp_path: Path, content: Change, wanted: dict[str, Any], why: str
) -> None:
    plain = programs()["setup64.exe"]
    with pytest.raises(checks.NotAcceptedError, match=why):
        check(tmp_path, vendor, content(vendor, plain, tmp_path), plain, tool=False, **wanted)


def test_osslsigncode_has_to_accept_it_too(vendor: Vendor, tmp_path: Path) -> None:
    need_newer("what osslsigncode is asked with")
    package, other = cabinet(tmp_path), Vendor(tmp_path / "other")
    with pytest.raises(checks.NotAcceptedError, match="does not accept its signature"):
        check(tmp_path, vendor, other.sign(package, ".cab"), package)


@pytest.mark.parametrize(
    ("script", "there"),
    [
        ("echo 'osslsigncode 2.9, using:'", True),
        ("echo 'osslsigncode 2.10.1, using:'", True),
        ("echo 'osslsigncode 2.8, using:'", False),
        ("echo 'osslsigncode, version?'", False),
        ("exit 1", False),
    ],
)
def test_only_a_version_that_asks_nobody_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, there: bool
) -> None:
    program = tmp_path / "osslsigncode"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with checks.tool(["-----BEGIN CERTIFICATE-----"]) as tool:
        assert (tool is not None) == there
        path = tool.trusted if tool else ""
    assert not os.path.exists(path)
    with checks.tool([]) as tool:
        assert tool is None
