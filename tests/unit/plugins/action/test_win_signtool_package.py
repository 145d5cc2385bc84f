# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool_package against a host held in Python: installed, left, predicted, refused."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action.win_signtool_package import ActionModule
from support.fake_host import MICROSOFT, FakeHost, Raw, failure, run_action

FOLDER = r"C:\Program Files\cloudhsm.codesign\signtool"
PATTERN = rf"{FOLDER}\bin\*\x64\signtool.exe"
URL = "https://packages.example/buildtools"
NOTE = f"{PATTERN}.sha256"
OPEN = (
    f"folder\n{PATTERN}\nC:\\tools\nO:BAG:BAD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;AU)"
)


def package(name: str = "bin/*/x64/signtool.exe") -> bytes:
    """The star stands for itself in the fake."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, b"MZ signtool")
    return content.getvalue()


CONTENT = package()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def served(content: bytes = CONTENT, **more: Any) -> FakeHost:
    return FakeHost(files={URL: content}, **more)


def execute(host: FakeHost, check_mode: bool = False, **arguments: Any) -> Raw:
    return run_action(
        ActionModule, {"package": URL, "sha256": SHA256, **arguments}, host, check_mode=check_mode
    )


def trust(host: FakeHost, **said: Any) -> None:
    host.overrides["program"] = lambda step: {**host._program(step), **said}


def refused(host: FakeHost) -> None:
    """The host refuses a program that is not the one that was noted."""

    def version(step: Raw) -> Raw:
        there, noted = host._sha256(PATTERN), host.files.get(NOTE, b"").decode().strip()
        told = f"digest\n{PATTERN}\n{there}\n{noted}" if noted and noted != there else ""
        return {**host._version(step), "refused": told}

    host.overrides["version"] = version


def test_it_is_installed_once() -> None:
    host = served()
    predicted = execute(host, check_mode=True)
    assert (predicted["changed"], predicted["path"], len(host.calls)) == (True, "", 1)
    assert set(host.files) == {URL}
    result = execute(host, sha256=f" {SHA256.upper()}\n")
    assert result["changed"]
    assert (result["path"], result["signer"]) == (PATTERN, MICROSOFT)
    assert result["sha256"] == hashlib.sha256(b"MZ signtool").hexdigest()
    assert len(host.calls) == 2
    assert host.files[NOTE].decode() == f"{result['sha256']}\r\n"
    assert result["diff"]["after"] == f"{PATTERN}\n"
    again = execute(host)
    assert (again["changed"], again["path"], len(host.calls)) == (False, PATTERN, 3)


def test_the_package_comes_by_a_proxy() -> None:
    host = served()
    assert execute(host, proxy_url="http://proxy.example:3128")["changed"]
    (unpacked,) = [step for step in host.steps() if step["op"] == "unpack"]
    assert unpacked["proxy"] == "http://proxy.example:3128"
    assert "proxy_user" not in unpacked


def test_the_proxy_s_password_travels_as_a_secret() -> None:
    host, password = served(), "-".join(("through", "the", "proxy"))
    given = {"proxy_url": "http://proxy.example:3128", "proxy_username": "CORP\\builder"}
    result = execute(host, **given, proxy_password=password)
    assert result["changed"]
    (unpacked,) = [step for step in host.steps() if step["op"] == "unpack"]
    assert (unpacked["proxy_user"], unpacked["proxy_secret"]) == ("CORP\\builder", "proxy_password")
    assert password not in str(host.steps()) + str(result)
    with_secret = [secrets for secrets in host.secrets if secrets]
    assert with_secret == [{"proxy_password": password}]
    assert "required together" in execute(served(), **given)["msg"]


def test_one_that_is_there_already_is_noted() -> None:
    host = served()
    host.files[PATTERN] = b"MZ there"
    assert execute(host, check_mode=True)["changed"]
    assert NOTE not in host.files
    assert execute(host)["changed"]
    assert host.files[NOTE].decode().strip() == hashlib.sha256(b"MZ there").hexdigest()
    assert not execute(host)["changed"]


def test_one_that_was_changed_is_installed_again() -> None:
    host = served()
    execute(host)
    host.files[PATTERN] = b"MZ other"
    refused(host)
    assert execute(host)["changed"]
    assert host.files[PATTERN] == b"MZ signtool"
    assert host.files[NOTE].decode().strip() == hashlib.sha256(b"MZ signtool").hexdigest()


@pytest.mark.parametrize("fails", ["unpack", "other place"])
def test_one_that_was_changed_stays_refused_where_the_package_does_not_replace_it(fails: str) -> None:
    host = served()
    execute(host)
    noted = host.files[NOTE]
    host.files[PATTERN] = b"MZ other"
    refused(host)
    if fails == "unpack":
        del host.files[URL]
    else:
        host.overrides["unpack"] = lambda step: {
            "sha256": SHA256,
            "files": 1,
            "kept": step.get("keep"),
        }
    result = execute(host)
    assert result["failed"]
    assert host.files.get(NOTE) == noted
    if fails == "other place":
        assert "is not the program that was installed" in result["msg"]


def test_a_note_that_cannot_be_written_is_said() -> None:
    host = served()
    host.files[PATTERN] = b"MZ"
    host.overrides["write"] = lambda _step: failure("Access is denied.", 5)
    assert "could not be noted beside it: Access is denied." in execute(host)["msg"]


@pytest.mark.parametrize(("version", "changed"), [("10.0.19041.1", True), ("10.0.26100.1", False)])
def test_an_old_one_is_replaced(version: str, changed: bool) -> None:
    host = served()
    host.files[PATTERN] = b"MZ old"
    host.files[NOTE] = hashlib.sha256(b"MZ old").hexdigest().encode()
    host.versions[PATTERN] = version

    def unpack(step: Raw) -> Raw:
        if not step.get("keep"):
            host.versions[PATTERN] = "10.0.28000.1"
        return host._unpack(step)

    host.overrides["unpack"] = unpack
    assert execute(host, minimum_version="10.0.22621.0")["changed"] == changed


def test_a_package_that_is_still_too_old() -> None:
    host = served(versions={PATTERN: "10.0.19041.1"})
    result = execute(host, minimum_version="10.0.22621.0")
    assert "has the version 10.0.19041.1, older than 10.0.22621.0. Give a newer package." in result["msg"]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"status": "NotSigned", "signer": ""}, "calls its signature NotSigned, signed by nobody"),
        ({"status": "HashMismatch"}, "calls its signature HashMismatch, signed by CN=Microsoft"),
        ({"signer": "CN=O=Microsoft Corporation Ltd, O=Example"}, "is not Microsoft's"),
        ({"signer": "CN=Example, O=Microsoft Corporation Partner"}, "is not Microsoft's"),
    ],
)
def test_a_program_that_must_not_run_is_taken_away(said: dict[str, str], says: str) -> None:
    host = served()
    trust(host, **said)
    result = execute(host)
    assert result["failed"]
    assert result["link"] == "signtool"
    assert says in result["msg"]
    assert set(host.files) == {URL}


def test_one_that_comes_meanwhile_is_left() -> None:
    """Between the look and the step that unpacks, in one call."""
    host = served()

    def unpack(step: Raw) -> Raw:
        host.files[PATTERN] = b"MZ there"
        return host._unpack(step)

    host.overrides["unpack"] = unpack
    result = execute(host)
    assert result["sha256"] == hashlib.sha256(b"MZ there").hexdigest()
    assert host.files[PATTERN] == b"MZ there"


def test_a_folder_that_users_may_write_is_refused() -> None:
    host = served()
    host.overrides["version"] = lambda step: {**host._version(step), "refused": OPEN}
    result = execute(host)
    assert (
        "In the folder C:\\tools others than administrators (Authenticated Users) can change" in result["msg"]
    )
    assert result["link"] == "signtool"
    assert set(host.files) == {URL}


def test_one_that_was_there_is_refused_and_left() -> None:
    host = served()
    host.files[PATTERN] = b"MZ"
    host.overrides["version"] = lambda step: {**host._version(step), "refused": OPEN}
    result = execute(host)
    assert "others than administrators (Authenticated Users)" in result["msg"]
    assert result["failed"]
    assert PATTERN in host.files
    assert len(host.calls) == 1


@pytest.mark.parametrize(
    ("host", "arguments", "says"),
    [
        (
            served(b"other"),
            {},
            f"has the SHA-256 {hashlib.sha256(b'other').hexdigest()}, not {SHA256}: nothing",
        ),
        (FakeHost(), {}, f"The package {URL} could not be unpacked into {FOLDER}: The remote server"),
        (served(), {"sha256": "12"}, "sha256 is no SHA-256"),
        (served(), {"proxy_url": "proxy"}, "proxy_url 'proxy' is no address of a proxy."),
        (served(), {"proxy_url": "http://u:pw@proxy:1"}, "proxy_url 'proxy:1' is no address of a proxy."),
        (
            served(),
            {"proxy_username": "u", "proxy_password": "a-password"},
            "proxy_username is given without proxy_url.",
        ),
        (served(), {"folder": "signtool"}, "is no full path of a folder"),
        (served(), {"folder": "C:\\"}, "is no full path of a folder"),
        (
            FakeHost(overrides={"version": lambda _step: failure("Access is denied.", 5)}),
            {},
            "cannot be read: Access is denied. Check the account's rights",
        ),
    ],
)
def test_what_keeps_it_from_being_installed(host: FakeHost, arguments: dict[str, str], says: str) -> None:
    result = execute(host, **arguments)
    assert result["failed"]
    assert says in result["msg"]
    assert PATTERN not in host.files


def test_a_package_without_signtool() -> None:
    content = package("tools/other.exe")
    result = execute(served(content), sha256=hashlib.sha256(content).hexdigest())
    assert f"was unpacked, but there is no {PATTERN}." in result["msg"]


def test_a_signature_that_cannot_be_asked_for_is_not_a_good_one() -> None:
    host = served()
    host.files[PATTERN] = b"MZ"
    host.overrides["program"] = lambda _step: failure("The module could not be loaded.", 0)
    result = execute(host)
    assert f"The signature of {PATTERN} cannot be read: The module could not be loaded." in result["msg"]
