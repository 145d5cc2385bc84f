# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FakeHost with a CloudHSM client on it: both SDKs' tools, key containers, and certutil's listings of them."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass, field

from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import Certificate
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import (
    cloudhsm_cli,
    configure,
    key_mgmt_util,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.container import FOLDER
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil, import_key
from support.fake_host import (
    FakeHost,
    Raw,
    failure,
    ran,
)
from tests.unit.plugins.certificates import blob

ICACLS = "C:\\Windows\\System32\\icacls.exe"
USER, PASSWORD = "signer", "correct-horse-7"
LOGIN = {"crypto_user": USER, "crypto_password": PASSWORD}
PROVIDERS = ("Microsoft Software Key Storage Provider", "Cavium Key Storage Provider")
SIDS = {"WINHOST\\agent": "S-1-5-21-1-2-3-1001", "WINHOST\\Administrator": "S-1-5-21-1-2-3-500"}


@dataclass
class CloudHost(FakeHost):
    """``keys``: handle -> (class, certificate) on the HSM; ``held``: container -> certificate, None where
    certutil shows no public key.
    """

    keys: dict[int, tuple[str, Certificate]] = field(default_factory=dict)
    held: dict[str, Certificate | None] = field(default_factory=dict)
    providers: tuple[str, ...] = PROVIDERS
    locked: bool = False
    availability: bool = True
    listing_code: int = 0
    new_names: list[str] = field(default_factory=lambda: ["7e3c-b2f5", "91aa-0c44"])
    readers: list[str] = field(default_factory=list)
    page_size: int = 100
    label: str = "signing"
    """What each key on the HSM is called."""

    def __post_init__(self) -> None:
        self.tools |= {
            certutil.PROGRAM: self._certutil,
            cloudhsm_cli.WINDOWS_PROGRAM: self._cli,
            import_key.PROGRAM: self._import_key,
            key_mgmt_util.WINDOWS_PROGRAM: self._key_mgmt_util,
            ICACLS: self._icacls,
        }
        self.overrides["access"] = self._rights
        self.overrides["each"] = self._each

    # What a host is made of
    # -------------------------------------------------------------------------------------------

    def with_sdk(self, sdk: str, version: str = "5.18.0", address: str = "10.0.1.17") -> CloudHost:
        if sdk == "5":
            self.versions |= {cloudhsm_cli.WINDOWS_PROGRAM: version, configure.CONFIGURE_KSP: version}
            config = {
                "clusters": [
                    {
                        "type": "hsm2m",
                        "cluster": {"servers": [{"hostname": address, "port": 2223, "enable": True}]},
                    }
                ]
            }
            for name in (configure.CLI_FILE, configure.KSP_FILE):
                self.files[f"{configure.FOLDERS[0]}\\{name}"] = json.dumps(config).encode()
        else:
            self.versions |= {import_key.PROGRAM: "3.4.4", key_mgmt_util.WINDOWS_PROGRAM: "3.4.4"}
            self.services["AWSCloudHSMClient"] = {"status": "Running", "start_type": "Automatic"}
            self.files[f"{configure.FOLDERS[0]}\\{configure.SDK3_FILE}"] = json.dumps(
                {"server": {"hostname": address}}
            ).encode()
        self.reachable.add(address)
        return self

    def with_pair(self, certificate: Certificate, private: int = 1835009, public: int = 1835010) -> CloudHost:
        self.keys |= {private: ("private", certificate), public: ("public", certificate)}
        return self

    def with_container(self, name: str, certificate: Certificate | None) -> CloudHost:
        self.files[f"{FOLDER}\\{name}"] = b"reference"
        self.held[name] = certificate
        return self

    def with_certificate(
        self, certificate: Certificate, container: str = "", provider: str = "Cavium Key Storage Provider"
    ) -> CloudHost:
        content = base64.b64encode(blob(certificate, container, provider)).decode()
        key = (
            f"HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\My\\Certificates\\{certificate.thumbprint}|Blob"
        )
        self.registry[key] = {"exists": True, "kind": "Binary", "base64": content}
        return self

    def containers(self) -> list[str]:
        return sorted(path.rsplit("\\", 1)[1] for path in self.files if path.startswith(FOLDER))

    # Its tools
    # ----------------------------------------------------------------------------------------------------------

    def _run(self, step: Raw) -> Raw:
        # A tool of the client is there where its SDK is installed.
        if "CloudHSM" in step["file"] and step["file"] not in self.versions:
            return failure("The system cannot find the file specified")
        return super()._run(step)

    def _credential(self, step: Raw, variable: str) -> str:
        name = step.get("secret_environment", {}).get(variable)
        return self.secrets[-1][name] if name else ""

    def _broken(self, sdk: str) -> str:
        """Why the HSM cannot be used: stopped, unreachable or ""."""
        if sdk == "3" and self.services["AWSCloudHSMClient"]["status"] != "Running":
            return "stopped"
        return "" if self.reachable else "unreachable"

    def _certutil(self, step: Raw) -> Raw:
        words = shlex.split(step["arguments"])
        if words == ["-csplist"]:
            return ran(
                0,
                "".join(f"Provider Name: {name}\r\n\r\n" for name in self.providers)
                + "CertUtil: -csplist command completed successfully.\r\n",
            )
        if words[:4] == ["-v", "-csp", "CloudHSM Key Storage Provider", "-key"]:
            return self._by_name(*words[4:])
        assert words == ["-v", "-csp", "Cavium Key Storage Provider", "-key"]
        if self.listing_code or "Cavium Key Storage Provider" not in self.providers:
            code = self.listing_code or 0x80090011
            return ran(code, f"CertUtil: -key command FAILED: 0x{code:08x} ({code - 2**32})\r\n")
        text = "Cavium Key Storage Provider:\r\n" if self.held else ""
        for name, certificate in self.held.items():
            dump = _dump(certificate.public_key) if certificate else ""
            text += f"  {name}\r\n  {name}\r\n\r\n  RSA\r\n    AT_KEYEXCHANGE:\r\n{dump}"
            text += (
                "  Export Policy = 0\r\n  Algorithm Group: RSA\r\n\r\nPrivate key is NOT exportable\r\n\r\n"
            )
        return ran(0, f"\tSDK Version: 3.0\r\n{text}CertUtil: -key command completed successfully.\r\n")

    def _by_name(self, name: str) -> Raw:
        """A provider that opens keys by their own names."""
        found = [
            one for key_class, one in self.keys.values() if key_class == "private" and name == self.label
        ]
        if len(found) != 1:
            return ran(0x80090016, "CertUtil: -key command FAILED: 0x80090016 (-2146893802)\r\n")
        text = f"CloudHSM Key Storage Provider:\r\n  {name}\r\n\r\n  RSA\r\n    AT_KEYEXCHANGE:\r\n{_dump(found[0].public_key)}"
        return ran(0, f"{text}\r\nCertUtil: -key command completed successfully.\r\n")

    def _made(self, certificate: Certificate) -> None:
        self.with_container(self.new_names.pop(0), certificate)

    def _cli(self, step: Raw) -> Raw:
        words = shlex.split(step["arguments"])

        def answer(code: int, data: object) -> Raw:
            return ran(
                code, json.dumps({"error_code": code, "data": data}, indent=2) + "\n", encoding="utf-8"
            )

        if words[:2] == ["user", "list"]:
            return answer(
                0, {"users": [{"username": USER, "role": "crypto-user", "locked": str(self.locked).lower()}]}
            )
        if self._broken("5"):
            return answer(1, "Unable to connect to the cluster")
        if self._credential(step, "CLOUDHSM_PIN") != f"{USER}:{PASSWORD}" or self.locked:
            return answer(
                1,
                "Incorrect credentials are passed for this operation: Incorrect authentication credentials.",
            )
        assert step["environment"] == {"CLOUDHSM_ROLE": "crypto-user"}
        filters = [word for word in words if word.startswith(("attr.", "key-reference="))]
        found = [handle for handle in self.keys if all(self._passes(handle, text) for text in filters)]
        if words[:2] == ["key", "list"]:
            start = int(words[words.index("--starting-token") + 1]) if "--starting-token" in words else 0
            shown = found[start : start + self.page_size]
            data: Raw = {
                "matched_keys": [self._listed(handle) for handle in shown],
                "total_key_count": len(found),
                "returned_key_count": len(shown),
            }
            if start + self.page_size < len(found):
                data["next_token"] = str(start + self.page_size)
            return answer(0, data)
        assert words[:5] == ["key", "generate-file", "--encoding", "ksp-key-reference", "--filter"]
        if len(found) != 1:
            return answer(
                1,
                f"Key selection criteria matched {len(found)} keys. Refine selection criteria to select a single key.",
            )
        if not self.availability:
            return answer(
                1,
                f"Key {found[0]} does not meet the availability requirements - The key must be available on at least 2 HSMs before being used.",
            )
        self._made(self.keys[found[0]][1])
        return answer(0, {"message": "Successfully generated key file"})

    def _passes(self, handle: int, text: str) -> bool:
        name, _equals, value = text.partition("=")
        key_class, certificate = self.keys[handle]
        return {
            "attr.label": value == self.label,
            "attr.class": value == f"{key_class}-key",
            "attr.key-type": value == certificate.key_type.lower(),
            "attr.modulus": value == f"0x{certificate.modulus.lower()}",
            "key-reference": value == f"0x{handle:016x}",
        }[name]

    def _listed(self, handle: int) -> Raw:
        key_class, certificate = self.keys[handle]
        attributes: Raw = {
            "class": f"{key_class}-key",
            "key-type": certificate.key_type.lower(),
            "label": self.label,
            "id": "0x31",
        }
        if certificate.modulus:
            attributes |= {
                "modulus": f"0x{certificate.modulus.lower()}",
                "modulus-size-bits": certificate.key_size,
            }
        else:
            attributes["ec-point"] = f"0x04{len(certificate.point) // 2:02x}{certificate.point}"
        return {
            "key-reference": f"0x{handle:016x}",
            "key-info": {"key-owners": [{"username": USER}], "shared-users": [], "cluster-coverage": "full"},
            "attributes": attributes,
        }

    def _import_key(self, step: Raw) -> Raw:
        if self._broken("3"):
            return ran(
                0, "Cfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error\r\n"
            )
        if not self._credential(step, "n3fips_password"):
            return ran(0, "n3fips_password is not set\r\n")
        words = shlex.split(step["arguments"])
        assert words[:3] == ["-from", "HSM", "-privateKeyHandle"]
        assert words[4] == "-publicKeyHandle"
        pair = [self.keys.get(int(words[3])), self.keys.get(int(words[5]))]
        if [item and item[0] for item in pair] != ["private", "public"]:
            return ran(0, "Represented 0 keypairs in Cavium Key Storage Provider.\r\n")
        assert pair[0]
        self._made(pair[0][1])
        return ran(0, "\tSDK Version: 3.0\r\nRepresented 1 keypairs in Cavium Key Storage Provider.\r\n")

    def _key_mgmt_util(self, step: Raw) -> Raw:
        if self._broken("3"):
            return ran(
                0xFFFFFFFF,
                "Cfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error\r\n",
            )
        said = []
        for line in self.secrets[-1][step["secret_stdin"]].splitlines():
            word, *rest = line.split(" ")
            options = dict(zip(rest[::2], rest[1::2], strict=False))
            if word == "loginHSM":
                if (options["-s"], options["-p"]) != (USER, PASSWORD):
                    return ran(
                        0,
                        "Command:  \tCfm3LoginHSM returned: 0xa3 \r\n\r\n\tHSM Error: RET_USER_LOGIN_FAILURE\r\nCommand:  ",
                    )
                said.append("\tCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\r\n")
            elif word == "findKey":
                wanted = self.files[options["-m"]].decode().strip()
                key_class = {"2": "public", "3": "private"}[options["-c"]]
                handles = [
                    handle
                    for handle, (name, certificate) in self.keys.items()
                    if name == key_class and certificate.modulus == wanted
                ]
                listed = ", ".join(map(str, handles))
                rows = f"\tNumber of matching keys from start index 0::{len(handles) - 1}\r\n\r\n\tHandles of matching keys:\r\n\t{listed}\r\n\r\n"
                said.append(
                    f"\tTotal number of keys present: {len(handles)}\r\n\r\n{rows if handles else ''}\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\r\n"
                )
            elif word == "getAttribute":
                certificate = self.keys[int(options["-o"])][1]
                self.files[options["-out"]] = (
                    f"OBJ_ATTR_LABEL\r\nsigning\r\nOBJ_ATTR_MODULUS\r\n0x{certificate.modulus.lower()}\r\n".encode()
                )
                said.append("\tCfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS\r\n")
            elif word == "getKeyInfo":
                said.append("\tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS\r\n\r\n\tOwned by user 3\r\n")
        return ran(0, "".join(f"Command:  {text}\r\n" for text in said) + "Command:  ")

    def _rights(self, step: Raw) -> Raw:
        granted = "".join(f"(A;;FR;;;{sid})" for sid in self.readers)
        sddl = f"O:BAG:DUD:PAI(A;;FA;;;SY)(A;;FA;;;BA){granted}"
        files = [{"name": name, "sddl": sddl} for name in self.containers()]
        return {
            "exists": bool(files),
            "files": files,
            "sids": [{"sid": SIDS.get(name, "")} for name in step.get("accounts", [])],
        }

    def _each(self, step: Raw) -> Raw:
        names = [name for name in self.containers() if name not in step.get("leave_out", [])]
        names = names if len(names) <= step["most"] else []
        for name in names:
            self._run({**step, "arguments": step["arguments"].replace("{path}", f"{step['path']}\\{name}")})
        return {"exists": True, "files": []}

    def _icacls(self, step: Raw) -> Raw:
        words = shlex.split(step["arguments"].replace("\\", "\\\\"))
        if words[1] != "/grant" or not all(
            word.startswith("*S-1-") and word.endswith(":R") for word in words[2:]
        ):
            return failure("bad arguments")
        self.readers += [word[1:-2] for word in words[2:]]
        return ran(0, "processed file\r\n")


def _dump(data: bytes) -> str:
    """certutil's hex dump of a public key."""
    lines = ["Container Public Key:"]
    for at in range(0, len(data), 16):
        row = [f"{byte:02x}" for byte in data[at : at + 16]]
        halves = " ".join(row[:8]), " ".join(row[8:])
        lines.append(f"  {at:04x}  {'  '.join(half for half in halves if half)}")
    return "\r\n".join([*lines, ""])
