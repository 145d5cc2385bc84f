# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's powershell.exe: one command, real signatures, and every way in which it ends before one."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from lab.control.bench import USER, Bench, run, text
from lab.tools import powershell
from lab.windows import ksp
from lab.windows.certstore import CertificateStores, KeyProviderInfo
from lab.windows.host import Host
from lab.windows.process import NOT_DONE

PROGRAM = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
DATA = bytes(range(32))
CONTAINER = "CNGRSAPriv-1-2-abc"
BODY = "\n".join(
    line.strip()
    for line in powershell.SCRIPT.read_text(encoding="ascii").splitlines()
    if line.strip() and not line.strip().startswith("#")
)


@dataclass
class Answer:
    stage: str
    code: str
    signature: bytes
    output: str


def command(thumbprint: str, store: str = "My", location: str = "LocalMachine", body: str = BODY) -> str:
    return f"-NoProfile -NonInteractive -Command \"& {{{body}}} '{store}' '{location}' '{thumbprint}' '{DATA.hex()}'\""


def ask(host: Host, thumbprint: str, store: str = "My", *, pin: bool = True, **options: object) -> Answer:
    done = run(host, PROGRAM, command(thumbprint, store), pin=pin, **options)  # type: ignore[arg-type]
    output = text(host, done)
    (line,) = re.findall(
        r"^codesign-key-signature stage=(\w+) code=(\w*) message=(\S*) signature=(\S*)\r$",
        output,
        re.MULTILINE,
    )
    assert done.exit_code == (0 if line[0] == "signed" else 1), output
    return Answer(line[0], line[1], base64.b64decode(line[3]), output)


def tie(bench: Bench, host: Host, **fields: object) -> str:
    """The signing certificate in the store, and its association."""
    thumbprint = bench.store(host)
    ksp.write_container(host, CONTAINER, bench.private)
    info = KeyProviderInfo(**{"container": CONTAINER, "provider": ksp.CAVIUM, **fields})  # type: ignore[arg-type]
    CertificateStores(host).set_key_provider_info(thumbprint, info, "My")
    return thumbprint


@pytest.mark.parametrize("sdk", [3, 5])
def test_the_key_signs(bench: Bench, sdk: int) -> None:
    host = bench.host(sdk)
    answer = ask(host, tie(bench, host))
    assert (answer.stage, answer.code) == ("signed", "")
    public = bench.public.public_key
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(answer.signature, DATA, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(answer.signature, DATA[1:], padding.PKCS1v15(), hashes.SHA256())
    assert ("SDK Version" in answer.output) == (sdk == 3)


def test_an_ec_key_signs_with_r_and_s_side_by_side(bench: Bench) -> None:
    host = bench.host()
    private, public = bench.cluster.generate_ec("ec", owner=USER)
    assert isinstance(public.public_key, ec.EllipticCurvePublicKey)
    thumbprint = bench.store(host, bench.pki.code_signing("signing-ec", public.public_key))
    ksp.write_container(host, "ec", private)
    CertificateStores(host).set_key_provider_info(thumbprint, KeyProviderInfo("ec", ksp.CAVIUM), "My")
    signature = ask(host, thumbprint).signature
    half = len(signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    assert half == (public.public_key.key_size + 7) // 8
    public.public_key.verify(encode_dss_signature(r, s), DATA, ec.ECDSA(hashes.SHA256()))
    assert ask(host, thumbprint, pin=False).code == "80004003"


def no_container(bench: Bench, host: Host) -> None:
    host.files.remove(f"{ksp.CONTAINERS}\\{CONTAINER}")


def emptied_container(bench: Bench, host: Host) -> None:
    host.files.write(f"{ksp.CONTAINERS}\\{CONTAINER}", b"")


def no_provider(bench: Bench, host: Host) -> None:
    for name in (ksp.CAVIUM, ksp.CLOUDHSM):
        ksp.unregister(host, name)


def unreachable(bench: Bench, host: Host) -> None:
    host.faults.set("hsm_unreachable")


@pytest.mark.parametrize("damage", [no_container, emptied_container, no_provider, unreachable])
def test_net_framework_does_not_hand_on_why_a_key_was_not_opened(
    bench: Bench, damage: Callable[[Bench, Host], None]
) -> None:
    host = bench.host()
    thumbprint = tie(bench, host)
    damage(bench, host)
    answer = ask(host, thumbprint)
    assert (answer.stage, answer.code, answer.signature) == ("key", "80090014", b"")


@pytest.mark.parametrize("environment", [{}, {"CLOUDHSM_PIN": f"{USER}:wrong"}], ids=["none", "wrong"])
def test_a_login_that_is_missing_or_refused(bench: Bench, environment: dict[str, str]) -> None:
    host = bench.host()
    thumbprint = tie(bench, host)
    answer = ask(host, thumbprint, pin=False, environment=environment)
    assert (answer.stage, answer.code) == ("key", "80090014")
    assert ("is not set" in answer.output) == (not environment)
    # A right login sets the HSM's counter back.
    assert ask(host, thumbprint).stage == "signed"


@pytest.mark.parametrize(("argument", "code"), [("", "80090029"), (":0x8009002D", "8009002d")])
def test_a_key_that_can_be_opened_and_cannot_sign(bench: Bench, argument: str, code: str) -> None:
    host = bench.host()
    thumbprint = tie(bench, host)
    host.faults.set(f"key_cannot_sign{argument}", 1)
    answer = ask(host, thumbprint)
    assert (answer.stage, answer.code, answer.signature) == ("sign", code, b"")
    assert ask(host, thumbprint).stage == "signed"


def test_what_is_not_there(bench: Bench) -> None:
    host = bench.host()
    assert ask(host, "AB" * 20).stage == "certificate"
    answer = ask(host, "AB" * 20, "Nowhere")
    assert (answer.stage, answer.code) == ("store", "80070002")
    answer = ask(host, bench.store(host))
    assert (answer.stage, answer.code) == ("key", "")


def test_lines_of_the_provider_stand_beside_the_answer(bench: Bench) -> None:
    host = bench.host()
    thumbprint = tie(bench, host)
    host.faults.set("ksp_noise", 1)
    answer = ask(host, thumbprint)
    assert (answer.stage, "logging.cc" in answer.output) == ("signed", True)


def test_constrained_language_mode(bench: Bench) -> None:
    host = bench.host()
    host.faults.set("constrained_language", 1)
    assert ask(host, tie(bench, host)).stage == "language"


def test_a_provider_that_hangs(bench: Bench) -> None:
    host = bench.host()
    host.faults.set("hang:powershell", 1)
    assert run(host, PROGRAM, command("AB" * 20), timeout=0.2).timed_out


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "-Command exit",
        "-NoProfile -NonInteractive -Command \"& {Get-Date} 'My' 'LocalMachine' '" + "AB" * 20 + "' '00'\"",
        command("ab" * 20),
        command("AB" * 20, location="Elsewhere"),
        command("AB" * 20) + " more",
        command("AB" * 20, body=BODY + "\nexit"),
        command("AB" * 20).replace("-NonInteractive ", ""),
    ],
)
def test_every_other_command_is_refused(bench: Bench, arguments: str) -> None:
    assert run(bench.host(), PROGRAM, arguments).exit_code == NOT_DONE
