# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_find_key_by_modulus as a module on Linux: tools as processes, files, time limits, and SoftHSM by
PKCS#11.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from cryptography.hazmat.primitives import serialization

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import WantedKey, judge
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import pkcs11_token
from ansible_collections.cloudhsm.codesign.plugins.modules import cloudhsm_find_key_by_modulus as module
from tests.unit.plugins.certificates import key, make

Raw = dict[str, Any]
SIGNING = make("signing")
PASSWORD = "correct-horse-7"  # noqa: S105
LOGIN = {"crypto_user": "signer", "crypto_password": PASSWORD}

CLI = f"""#!{sys.executable}
import json, os, sys
assert os.environ["CLOUDHSM_ROLE"] == "crypto-user"
if os.environ.get("CLOUDHSM_PIN") != "signer:{PASSWORD}":
    print(json.dumps({{"error_code": 1, "data": "Incorrect credentials are passed for this operation"}}))
    sys.exit(1)
modulus = next(word.partition("=")[2] for word in sys.argv if word.startswith("attr.modulus="))
keys = [
    {{"key-reference": "0x%016x" % handle, "attributes": {{"class": name, "label": "gr\\u00fcn", "modulus": modulus, "modulus-size-bits": 2048}}}}
    for handle, name in ((9, "private-key"), (8, "public-key"))
]
text = json.dumps({{"error_code": 0, "data": {{"matched_keys": keys, "total_key_count": 2, "returned_key_count": 2}}}}, ensure_ascii=False)
sys.stdout.buffer.write(text.encode())
"""

KMU = f"""#!{sys.executable}
import os, stat, sys
print("Command:  ", end="")
while True:
    words = sys.stdin.readline().split()
    if words[0] == "exit":
        break
    options = dict(zip(words[1::2], words[2::2]))
    if words[0] == "loginHSM":
        assert options["-p"] == "{PASSWORD}"
        print("\\tCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\\n\\nCommand:  ", end="")
    elif words[0] == "findKey":
        assert stat.S_IMODE(os.stat(options["-m"]).st_mode) == 0o600
        handle = {{"3": 9, "2": 8}}[options["-c"]]
        modulus = open(options["-m"], "rb").read()
        assert modulus.endswith(b"\\r\\n")
        open("{{folder}}/modulus", "wb").write(modulus.strip())
        print("\\tTotal number of keys present: 1\\n\\n\\tNumber of matching keys from start index 0::0\\n\\n\\tHandles of matching keys:")
        print("\\t%d\\n\\n\\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\\n\\nCommand:  " % handle, end="")
    elif words[0] == "getAttribute":
        open(options["-out"], "w").write("OBJ_ATTR_LABEL\\nsigning\\nOBJ_ATTR_MODULUS\\n0x" + open("{{folder}}/modulus").read() + "\\n")
        print("\\tCfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS\\n\\nCommand:  ", end="")
    elif words[0] == "getKeyInfo":
        print("\\tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS\\n\\n\\tOwned by user 3\\n\\nCommand:  ", end="")
    elif words[0] == "logoutHSM":
        print("\\tCfm3LogoutHSM returned: 0x00 : HSM Return: SUCCESS\\n\\nCommand:  ", end="")
"""


class Ended(Exception):
    """The module ended with this result."""

    def __init__(self, result: Raw) -> None:
        super().__init__(str(result.get("msg", "")))
        self.result = result


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs the module's main with arguments and gives its result; temporary folders are made below tmp_path."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def end(self: Any, **result: Any) -> None:
        raise Ended({"changed": False, **result})

    def fail(self: Any, msg: str = "", **result: Any) -> None:
        raise Ended({"failed": True, "msg": msg, **result})

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail)

    def act(**arguments: Any) -> Raw:
        with patch_module_args(arguments), pytest.raises(Ended) as caught:
            module.main()
        assert list(temporary.iterdir()) == []
        assert PASSWORD not in json.dumps(caught.value.result)
        return caught.value.result

    return act


def program(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text.replace("{folder}", str(folder)), encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_cloudhsm_cli(run: Any, tmp_path: Path) -> None:
    result = run(modulus=SIGNING.modulus, tool_path=program(tmp_path, "cloudhsm-cli", CLI), **LOGIN)
    assert (
        result["key"]["private"]["handle"],
        result["key"]["public"]["handle"],
        result["key"]["backend"],
    ) == (9, 8, "cloudhsm_cli")
    assert result["key"]["private"]["label"] == "grün"


def test_key_mgmt_util(run: Any, tmp_path: Path) -> None:
    result = run(
        certificate_content=SIGNING.pem,
        tool_path=program(tmp_path, "key_mgmt_util", KMU),
        public_key="required",
        _ansible_check_mode=True,
        **LOGIN,
    )
    assert (
        result["key"]["private"]["handle"],
        result["key"]["public"]["handle"],
        result["key"]["backend"],
    ) == (9, 8, "key_mgmt_util")
    assert result["key"]["private"]["owners"] == ["3"]


def test_a_tool_that_hangs_is_ended_with_its_children(run: Any, tmp_path: Path) -> None:
    tool = program(tmp_path, "cloudhsm-cli", f"#!/bin/sh\nsleep 100 & echo $! > {tmp_path}/child\nwait\n")
    begun = time.monotonic()
    result = run(modulus=SIGNING.modulus, tool_path=tool, timeout=1, **LOGIN)
    assert (result["failed"], result["link"], time.monotonic() - begun < 20) == (True, "cluster", True)
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("arguments", "link", "words"),
    [
        ({"modulus": SIGNING.modulus, "tool_path": "/nowhere/cloudhsm-cli"}, "client", "is not there"),
        ({"modulus": SIGNING.modulus, **LOGIN}, "client", "No client of CloudHSM is installed"),
        ({"modulus": SIGNING.modulus}, "client", "not tried without a crypto user"),
        ({"thumbprint": SIGNING.thumbprint}, "argument", "no Windows host"),
        ({"certificate_path": "/nowhere/signing.pem"}, "certificate", "cannot be read: No such file"),
        ({"certificate_path": __file__}, "certificate", "is not a certificate"),
        (
            {"modulus": SIGNING.modulus, "backend": "pkcs11", "pkcs11_module": "/nowhere/lib.so"},
            "client",
            "is not there",
        ),
        (
            {"modulus": SIGNING.modulus, "backend": "pkcs11", "pkcs11_module": ""},
            "argument",
            "pkcs11_module is empty",
        ),
        (
            {"modulus": SIGNING.modulus, "backend": "pkcs11", "pkcs11_module": __file__},
            "client",
            "cannot be loaded",
        ),
    ],
)
def test_bad_input_gets_a_sentence(run: Any, arguments: Raw, link: str, words: str) -> None:
    result = run(**arguments)
    assert (result["failed"], result["link"]) == (True, link)
    assert words in result["msg"]


def test_a_wrong_password(run: Any, tmp_path: Path) -> None:
    result = run(
        modulus=SIGNING.modulus,
        tool_path=program(tmp_path, "cloudhsm-cli", CLI),
        **{**LOGIN, "crypto_password": "wrong"},
    )
    assert result["link"] == "credential"


def test_python_pkcs11_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs11_token, "HAS_PKCS11", False)
    assert "python-pkcs11" in run(modulus=SIGNING.modulus, backend="pkcs11", pkcs11_module="/x.so")["msg"]


# PKCS#11
# --------------------------------------------------------------------------------------------------------------

LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so", "/usr/lib/libsofthsm2.so")
SOFTHSM = next((path for path in LIBRARIES if os.path.exists(path)), "")
softhsm = pytest.mark.skipif(
    not SOFTHSM or not shutil.which("softhsm2-util") or not pkcs11_token.HAS_PKCS11,
    reason="needs softhsm2 and python-pkcs11",
)

PIN = "1234"


class Token:
    """A SoftHSM token with keys. It is asked through a copy of the library, as one library knows one set of
    tokens a process.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        self.folder = folder
        self.environment = {**os.environ, "SOFTHSM2_CONF": str(config)}
        self.library = shutil.copy(SOFTHSM, folder / "libsofthsm2.so")
        self.make("signing")

    def make(self, label: str) -> None:
        self.tool("--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN)

    def tool(self, *arguments: str) -> None:
        subprocess.run(["softhsm2-util", *arguments], check=True, env=self.environment, capture_output=True)

    def put(self, private: Any, label: str, identifier: str) -> None:
        path = self.folder / f"{label}.pem"
        path.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.tool(
            "--import", str(path), "--token", "signing", "--label", label, "--id", identifier, "--pin", PIN
        )
        path.unlink()

    def ask(
        self, modulus: str = "", point: str = "", label: str = "", pin: str | None = PIN
    ) -> tuple[pkcs11_token.SeenKey, ...]:
        import pkcs11

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOFTHSM2_CONF", self.environment["SOFTHSM2_CONF"])
            try:
                return pkcs11_token.find(str(self.library), label, pin, WantedKey(modulus, point))
            finally:
                pkcs11.unload(str(self.library))


@pytest.fixture
def token(tmp_path: Path) -> Token:
    return Token(tmp_path)


@softhsm
def test_pkcs11_finds_an_rsa_pair_by_its_modulus(token: Token) -> None:
    token.put(key(0), "signing", "a1")
    token.put(key(1), "other", "a2")
    found = token.ask(SIGNING.modulus)
    assert sorted(item.key_class for item in found) == ["private", "public"]
    assert {(item.modulus, item.point, item.key_size, item.label, item.key_id) for item in found} == {
        (SIGNING.modulus, "", 2048, "signing", "0xa1")
    }
    assert judge(WantedKey(SIGNING.modulus), found, "required").private.handle > 0
    assert token.ask("F" + SIGNING.modulus[1:-1] + "1") == ()


@softhsm
def test_pkcs11_pairs_an_ec_key_by_its_point_and_identifier(token: Token) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    private, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    token.put(private, "curve", "b1")
    token.put(other, "other", "b2")
    point = (
        private.public_key()
        .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        .hex()
        .upper()
    )
    found = token.ask(point=point)
    assert sorted((item.key_class, item.label) for item in found) == [
        ("private", "curve"),
        ("public", "curve"),
    ]
    assert {item.point for item in found} == {point}


@softhsm
def test_pkcs11_says_what_is_wrong(token: Token) -> None:
    with pytest.raises(BrokenLink, match="refused the PIN") as caught:
        token.ask(SIGNING.modulus, pin="9999")
    assert caught.value.link == "credential"
    with pytest.raises(BrokenLink, match="Without a login") as caught:
        token.ask(SIGNING.modulus, pin=None)
    assert caught.value.link == "credential"
    with pytest.raises(BrokenLink, match="labelled 'none'"):
        token.ask(SIGNING.modulus, label="none")
    token.make("second")
    with pytest.raises(
        BrokenLink, match=r"has 2 tokens, where exactly one is needed \(it has: 'second', 'signing'\)"
    ):
        token.ask(SIGNING.modulus)
    assert token.ask(SIGNING.modulus, label="signing") == ()


@softhsm
def test_the_module_by_pkcs11(token: Token, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import pkcs11

    token.put(key(0), "signing", "a1")
    monkeypatch.setenv("SOFTHSM2_CONF", token.environment["SOFTHSM2_CONF"])
    result = run(
        modulus=SIGNING.modulus, pkcs11_module=str(token.library), public_key="required", crypto_password=PIN
    )
    pkcs11.unload(str(token.library))
    assert (result["key"]["backend"], result["key"]["private"]["label"], result["key"]["key_size"]) == (
        "pkcs11",
        "signing",
        2048,
    )
    assert result["key"]["private"]["handle"] != result["key"]["public"]["handle"]


@pytest.mark.parametrize(
    ("path", "user", "password", "pin"),
    [
        ("/opt/cloudhsm/lib/libcloudhsm_pkcs11.so", "signer", "word", "signer:word"),
        ("/usr/lib/softhsm/libsofthsm2.so", "signer", "word", "word"),
        ("/usr/lib/softhsm/libsofthsm2.so", "", "word", "word"),
        ("/usr/lib/softhsm/libsofthsm2.so", "", "", None),
    ],
)
def test_the_pin_that_a_library_wants(path: str, user: str, password: str, pin: str | None) -> None:
    assert CryptoUser(user, password).library_pin(path) == pin


def test_two_pairs_are_a_failure() -> None:
    keys = [pkcs11_token.SeenKey(number, "private", modulus=SIGNING.modulus) for number in (1, 2)]
    with pytest.raises(BrokenLink, match="handles 1, 2"):
        judge(WantedKey(modulus=SIGNING.modulus), keys, "optional")
