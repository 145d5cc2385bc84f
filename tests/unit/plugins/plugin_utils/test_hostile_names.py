# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that somebody chose who means no good: of files, and in certificates. They are one argument, one file name, one line
of a message, and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import read_certificate
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run, to_json
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _identity_files
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import manifest
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import files
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import signtool
from lab.windows.process import split_command_line
from tests.unit.plugins.certificates import make

NAMES = (
    "a & calc.exe",
    "$(x).exe",
    "`x`.exe",
    "a&b^c.exe",
    "$env~PATH.exe",
    "{{ 1+1 }}.exe",
    "{% raw %}.exe",
    "{path}.exe",
    "-f.exe",
    "--help.exe",
    "@list.exe",
    "[x].exe",
    "%PATH%.exe",
    "!PATH!.exe",
    "'single'.exe",
    "; rm.exe",
    "a,b.exe",
    "a=b.exe",
    "two  blanks.exe",
    "\U0001f511.exe",
    "日本語.exe",
)
FOLDERS = ("C:\\build", "C:\\build & more\\{{ x }}", "\\\\server\\share$", "C:\\" + "\\".join(["d" * 50] * 4))


@pytest.fixture(autouse=True)
def counted(record_property: Callable[[str, object], None]) -> None:
    """For the summary of `make test`."""
    record_property(
        "added", "1 bad inputs tried: names of files and in certificates, to what builds and shows them"
    )


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_one_argument_and_no_option(folder: str, name: str) -> None:
    path = f"{folder}\\{name}"
    location = files.locate(path)
    assert (location.path, location.is_pattern) == (path, False)
    for arguments in (
        signtool.verify_argv([path]),
        signtool.sign_argv(signtool.SignOptions("A" * 40), [path]),
        signtool.timestamp_argv("http://t", "sha256", [path]),
        signtool.remove_argv([path]),
    ):
        sent = json.loads(to_json([Run("C:\\s.exe", arguments)]))[0]["arguments"]
        assert split_command_line(f"s.exe {sent}")[1:] == list(arguments)
        assert arguments[-1] == path, "by its whole path: it begins with no sign of an option or a list"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_the_host_found_is_one_argument(name: str) -> None:
    """As the host does it: the path takes the place of the word in the command line, once."""
    path = f"C:\\build\\{name}"
    line = signtool.verify_each_arguments().replace("{path}", path)
    assert split_command_line(f"s.exe {line}")[1:] == [*signtool.VERIFY_OPTIONS, path]


REFUSED = (
    *("a.exe ", "a.exe.", "a\x1b.exe", "a\nb.exe", "a\x00.exe", 'a"b.exe', "a<b.exe", "a|b.exe", "a.exe:x"),
    *("${env:PATH}.exe", "gnp\u202e.exe", "n" * 256 + ".exe"),
)


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_windows_would_take_otherwise_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(BrokenLink) as broken:
        files.locate(f"C:\\build\\{name}")
    assert str(broken.value).isprintable()


@pytest.mark.parametrize("name", [*NAMES, "a\nb.exe", "a\\b.exe", "a\rb.exe"])
def test_a_manifest_keeps_a_name_and_its_sums_one_line(name: str) -> None:
    entry = {"path": name, "sha256_after": "0" * 64}
    assert manifest.parse(manifest.build(manifest.Manifest({}, (entry,)), "")).entries[0]["path"] == name
    lines = manifest.sums([entry]).split("\n")
    assert (len(lines), lines[1]) == (2, "")


SUBJECTS = (
    "{{ lookup('pipe', 'id') }}",
    "{% for x in y %}",
    "a\x1b[31mred\x1b]0;title\x07",
    "one\r\ntwo",
    "exe.\u202egnp",
    "../../etc/passwd",
    "..\\..\\x",
    "CON",
    "$(x)`y`",
    "--- !!python/object:os.system",
    "- a: b\n  c: d",
    " ",
    "ü" * 30,
)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_certificates_name_is_a_text_and_nothing_else(subject: str) -> None:
    certificate = read_certificate(make(subject).der)
    assert certificate.common_name == subject
    assert str(BrokenLink("certificate", f"{certificate.label} has ended.")).isprintable()
    found = _identity_files.plan([certificate], "/identities")
    for name in found.contents:
        assert name == os.path.basename(name)
        assert name.isascii()
        assert name.isprintable()
    variables: Any = yaml.safe_load(found.contents[_identity_files.VARIABLES])
    (identity,) = variables["codesign_identities"]
    assert identity["certificate"].startswith("/identities/")
    assert "{{" not in found.contents[_identity_files.VARIABLES]


def test_a_message_does_not_grow_with_a_certificates_name() -> None:
    """X.509 gives a common name 64 characters; who makes a certificate need not keep to that."""
    certificate = replace(read_certificate(make("short").der), common_name="n" * 10_000)
    assert len(certificate.label) < 200
    assert certificate.label.endswith("n...)")
    assert make("n" * 64).name == "n" * 64
