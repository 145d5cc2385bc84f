# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's SignTool beyond the recordings: faults, kinds of files, versions, and that its signatures are
real.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lab.hsm.pki import Pki
from lab.tools.signtool import (
    authenticode,
    chains,
    codepage,
    fileformat,
    response,
)
from lab.windows.certstore import USER, CertificateStores
from lab.windows.process import Completed
from support.osslsigncode import need_newer
from support.signtool_play import signatures
from support.signtool_world import WORK, World

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    one = World.create(tmp_path_factory.mktemp("signtool"))
    yield one
    one.close()


@pytest.fixture
def world(made: World) -> Iterator[World]:
    made.empty_folder()
    for name in ("a.exe", "b.exe", "c.exe"):
        made.put(name, made.samples["unsigned.exe"].read_bytes())
    yield made
    made.host.faults.clear()


def sign(world: World, *names: str, certificate: str = "sign", options: str = "") -> Completed:
    return world.run(f"sign /fd sha256 /sm /sha1 {world.thumbprint(certificate)} {options} {' '.join(names)}")


def text(done: Completed) -> tuple[str, str]:
    return done.stdout.decode("cp1253").replace("\r", ""), done.stderr.decode("cp1253").replace("\r", "")


def verified_by_osslsigncode(world: World, name: str) -> str:
    """What an independent verification says."""
    bundle = world.folder / "root.pem"
    bundle.write_text(world.issued["root"].pem, encoding="ascii")
    path = world.host.files.real_path(f"{WORK}\\{name}")
    done = subprocess.run(
        ["osslsigncode", "verify", "-CAfile", str(bundle), "-TSA-CAfile", str(bundle), "-in", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_signature_is_accepted_by_another_program(world: World) -> None:
    options = f"/tr {world.server.url}/ts /td sha512 /d Example /du http://www.example.com/ /ph"
    assert sign(world, "a.exe", options=options).exit_code == 0
    said = verified_by_osslsigncode(world, "a.exe")
    assert "Number of verified signatures: 1" in said
    assert "Timestamp Server Signature verification: ok" in said
    (one,) = authenticode.read(world.host.files.real_path(f"{WORK}\\a.exe"), fileformat.PE)
    assert (one.description, one.url, one.page_hashes, one.intact) == (
        "Example",
        "http://www.example.com/",
        True,
        True,
    )


def test_each_signature_takes_its_seconds(world: World) -> None:
    world.host.pace.set({"signature": 1.0})
    try:
        done = sign(world, "a.exe", "b.exe")
        world.host.pace.set({"signature": 0.0})
        verified = world.run("verify /pa a.exe b.exe")
    finally:
        world.host.pace.set({"signature": 0.0})
    assert done.exit_code == 0
    assert done.milliseconds >= 2000
    assert verified.milliseconds < done.milliseconds


@pytest.mark.parametrize("name", ["archive.cab", "script.ps1", "package.msi"])
def test_other_kinds_of_files(world: World, name: str) -> None:
    if name != "package.msi":
        need_newer(name)
    if name not in world.samples:
        pytest.skip("msibuild is not installed (Debian and Ubuntu: apt-get install msitools)")
    world.put(name, world.samples[name].read_bytes())
    assert sign(world, name, options=f"/tr {world.server.url}/ts /td sha256").exit_code == 0
    assert "Number of verified signatures: 1" in verified_by_osslsigncode(world, name)
    assert world.run(f"verify /pa /v {name}").exit_code == 0
    assert world.run(f"remove /s {name}").exit_code == 0
    assert signatures(world, name) == {"signatures": 0, "timestamped": 0}


@pytest.mark.parametrize("name", ["archive.cab", "script.ps1"])
def test_changed_file_of_another_kind_is_found_out(world: World, name: str) -> None:
    if name != "package.msi":
        need_newer(name)
    world.put(name, world.samples[name].read_bytes())
    sign(world, name)
    data = bytearray(world.host.files.read(f"{WORK}\\{name}"))
    at = data.index(b"text\r\n") if name.endswith("cab") else data.index(b"hello")
    data[at] ^= 0x20
    world.put(name, bytes(data))
    done = world.run(f"verify /pa {name}")
    assert done.exit_code == 1
    assert "0x80096010" in text(done)[1]


def test_ksp_error_ends_the_run(world: World) -> None:
    world.host.faults.set("ksp_error:1", 1)
    done = sign(world, "a.exe", "b.exe", "c.exe")
    out, err = text(done)
    assert done.exit_code == 1
    assert (
        out
        == 'Done Adding Additional Store\nSuccessfully signed: a.exe\nError information: "Error: SignerSign() failed." (-2146893779/0x8009002d)\n'
    )
    assert err == "SignTool Error: An unexpected internal error has occurred.\n"
    assert [signatures(world, name)["signatures"] for name in ("a.exe", "b.exe", "c.exe")] == [1, 0, 0]
    assert sign(world, "b.exe", "c.exe").exit_code == 0


def test_certificate_tied_to_the_wrong_key_blames_the_file(world: World) -> None:
    done = sign(world, "a.exe", "b.exe", certificate="wrong")
    assert done.exit_code == 1
    assert (
        text(done)[1]
        == "SignTool Error: An error occurred while attempting to load the signing\n\tcertificate from: C:\\work\\a.exe\n"
    )
    assert signatures(world, "a.exe")["signatures"] == 0


def test_dead_timestamp_authority_leaves_the_file_unsigned(world: World) -> None:
    before = hashlib.sha256(world.host.files.read(f"{WORK}\\a.exe")).hexdigest()
    done = sign(world, "a.exe", options=f"/tr {world.server.url}/500 /td sha256")
    assert done.exit_code == 1
    assert "could not be reached" in text(done)[1]
    assert hashlib.sha256(world.host.files.read(f"{WORK}\\a.exe")).hexdigest() == before


def test_older_version_signs_without_the_timestamp(world: World) -> None:
    world.host.faults.set("stamp_fails_after_signing", 1)
    done = sign(world, "a.exe", options=f"/tr {world.server.url}/ts /td sha256")
    assert done.exit_code == 1
    assert (
        "SignTool Warning: Signing succeeded, but an error occurred while attempting to\n\ttimestamp: a.exe\n"
        in text(done)[1]
    )
    assert signatures(world, "a.exe") == {"signatures": 1, "timestamped": 0}
    assert world.run(f"timestamp /tr {world.server.url}/ts /td sha256 a.exe").exit_code == 0
    assert signatures(world, "a.exe") == {"signatures": 1, "timestamped": 1}


def test_the_host_s_own_root_stores_judge_the_chain(world: World) -> None:
    sign(world, "a.exe", options=f"/tr {world.server.url}/ts /td sha256")
    assert world.run("verify /pa /tw a.exe").exit_code == 0
    stores = CertificateStores(world.host)
    stores.remove(world.thumbprint("root"), "Root")
    try:
        done = world.run("verify /pa a.exe")
        assert done.exit_code == 1
        # The root is not in the file, so the chain ends before it.
        assert "0x800B010A" in text(done)[1]
        account = world.host.accounts.full_name("Administrator")
        stores.add(world.issued["root"].der, "Root", USER, account)
        assert world.run("verify /pa a.exe").exit_code == 0
        stores.remove(world.thumbprint("root"), "Root", USER, account)
    finally:
        stores.add(world.issued["root"].der, "Root")


def test_chain_goes_into_the_signature_so_that_another_host_needs_the_root_only(world: World) -> None:
    sign(world, "a.exe")
    stores = CertificateStores(world.host)
    stores.remove(world.thumbprint("issuing"), "CA")
    try:
        assert world.run("verify /pa a.exe").exit_code == 0
    finally:
        stores.add(world.issued["issuing"].der, "CA")


def test_no_credentials_look_like_a_missing_key(world: World) -> None:
    account = world.host.accounts.full_name("Administrator")
    done = world.host.start(
        r"C:\Program Files (x86)\Windows Kits\10\bin\10.0.26100.0\x64\signtool.exe",
        f"sign /debug /fd sha256 /sm /sha1 {world.thumbprint('sign')} a.exe",
        directory=WORK,
        account=account,
    )
    assert "After Private Key filter, 0 certs were left." in text(done)[0]
    assert text(done)[1] == "SignTool Error: No certificates were found that met all the given criteria.\n"


def test_locked_and_read_only_files_do_not_end_the_run(world: World) -> None:
    world.host.faults.set(f"file_locked:{WORK}\\a.exe")
    world.host.files.real_path(f"{WORK}\\b.exe").chmod(0o444)
    done = sign(world, "a.exe", "b.exe", "c.exe")
    assert done.exit_code == 1
    assert text(done)[0].endswith(
        "Successfully signed: c.exe\n\nNumber of files successfully Signed: 1\nNumber of errors: 2\n"
    )
    assert text(done)[1].splitlines()[::2] == [
        "SignTool Error: The file is being used by another process.",
        "SignTool Error: Access is denied.",
    ]


def test_signatures_beside_each_other_are_listed_newest_first_behind_the_first(world: World) -> None:
    for certificate in ("sign", "sign2", "nousage"):
        assert sign(world, "a.exe", certificate=certificate, options="/as").exit_code == 0
    found = authenticode.read(world.host.files.real_path(f"{WORK}\\a.exe"), fileformat.PE)
    assert [one.signer for one in found] == [
        world.issued[name].certificate for name in ("sign", "nousage", "sign2")
    ]
    assert all(one.intact for one in found)
    assert text(world.run("verify /pa /all a.exe"))[0].count("sha256") == 3


def test_names_outside_the_code_page_cut_lines_off(world: World) -> None:
    world.put("größe.exe", world.samples["unsigned.exe"].read_bytes())
    done = sign(world, "größe.exe", "a.exe")
    assert (
        done.stdout
        == b"Done Adding Additional Store\r\nSuccessfully signed: groSuccessfully signed: a.exe\r\r\n"
    )
    shown = world.run('verify /pa "größe.exe" a.exe').stdout
    assert shown.startswith(b"File: groIndex")
    # The stream that prints rows and names of files is silent from then on.
    assert b"sha256" not in shown
    assert codepage.encode("aöþb") == (b"ao", False)


def test_response_file_words() -> None:
    found = response.commands(b'sign\r\n/n "My cert"\r\na.exe\r\n\r\n\r\nverify /pa "my app.exe"')
    assert found == [["sign", "/n", "My cert", "a.exe"], ["verify", "/pa", "my app.exe"]]
    assert response.commands(b"") == []


@pytest.mark.parametrize(
    ("version", "known"), [("10.0.22000.194", False), ("10.0.26100.9457", True), ("10.0.28000.2957", True)]
)
def test_versions(world: World, version: str, known: bool) -> None:
    path = rf"C:\tools\{version}\signtool.exe"
    world.host.put_program(path, "signtool", version)
    world.put("args.rsp", b"verify /pa a.exe\r\n")
    done = world.host.start(path, "@args.rsp", directory=WORK)
    assert ("Invalid command: @args.rsp" in text(done)[1]) is not known
    account = world.host.accounts.full_name("Administrator")
    environment = {**world.host.environment_of(account), "CLOUDHSM_PIN": "signer:Crypto-user-1!"}
    done = world.host.start(
        path,
        'sign /v /fd sha256 /fn "example friendly" a.exe',
        environment=environment,
        directory=WORK,
        account=account,
        logon="batch",
    )
    newest = version.startswith("10.0.28000")
    assert ("Friendly Name: Example Friendly Name\n" in text(done)[0]) is newest
    assert ("Invalid option: /fn" in text(done)[1]) is not newest


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "verify /now2010pca /w2010pca a.exe",
            "The /w2010pca option cannot be used with any of the following\n\toptions: /now2010pca",
        ),
        (
            "verify /w2010pca /now2010pca /ph a.exe",
            "The /w2010pca option cannot be used with any of the following\n\toptions: /now2010pca",
        ),
        ("verify /noenclavewarn /q /v a.exe", "The /noenclavewarn option requires the /enclave option."),
        ("verify /noenclavewarn /ph a.exe", "The /ph option requires the /v option."),
        ("verify /noenclavewarn /enclave a.exe", "The /enclave option requires the /ph /v option."),
        ("verify /p7 /kp /ph a.exe", "The /ph option requires the /v option."),
        ("verify /enclave /p7 /kp a.exe", "The /enclave option requires the /ph /v option."),
        ("verify /q /v /p7 /pa a.exe", "The /p7 option is incompatible with the /pa option."),
        ("verify /q /v a.exe", "The /q option is incompatible with the /v option."),
    ],
)
def test_the_first_of_two_faults_is_told(world: World, line: str, words: str) -> None:
    """In the order of the genuine 10.0.26100.9169, as tests/contract shows."""
    done = world.run(line)
    assert (done.exit_code, text(done)) == (1, ("", f"SignTool Error: {words}\n"))


def test_more_than_a_response_file(world: World) -> None:
    """The genuine one forgets to fill in the names, and shows its help."""
    world.put("args.rsp", b"verify /pa a.exe\r\n")
    said = text(world.run("@args.rsp a.exe"))[1]
    assert said.startswith(
        "SignTool Error: The %1!s! option is incompatible with the %2!s! option.\nUsage: signtool"
    )


def test_not_signed_by_a_key_outside_the_token(world: World, tmp_path: Path) -> None:
    """The operations of the cluster show that the key was used there."""
    sign(world, "a.exe")
    key = next(one for one in world.cluster.all_keys() if one.cls == "private" and one.label == "signkey")
    assert world.cluster.token.protection(key.token_id)["never_extractable"]
    (one,) = authenticode.read(world.host.files.real_path(f"{WORK}\\a.exe"), fileformat.PE)
    assert one.signer.public_key() == key.public_key


# What a host does not accept
# ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stamped(world: World) -> World:
    """A world with a stamped file, on a host that has lost the root of both signer and authority and has the
    signer's again.
    """
    assert sign(world, "a.exe", options=f"/tr {world.server.url}/ts /td sha256").exit_code == 0
    return world


def test_the_error_of_a_stamps_chain_stands_in_the_place_of_the_stamp(stamped: World) -> None:
    trust, status = chains.Trust.chain, []

    def without_root(
        self: chains.Trust, leaf: x509.Certificate, extra: Iterable[x509.Certificate] = ()
    ) -> chains.Chain:
        found = trust(self, leaf, extra)
        if not chains.allows(leaf, chains.TIME_STAMPING):
            return found
        return replace(found, trusted="untrusted" not in status, complete="partial" not in status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains.Trust, "chain", without_root)
        for word, number in (("untrusted", 0x20), ("partial", 0x10000)):
            status[:] = [word]
            done = stamped.run("verify /pa /all /v a.exe")
            out, err = text(done)
            assert (done.exit_code, "Number of warnings: 0" in out, "timestamped" in out) == (0, True, False)
            assert err.startswith(
                f"SignTool Warning: An error has been found with the timestamp. \n\tCERT_TRUST_STATUS.dwErrorStatus: 0x{number:08X}\n"
            )
            assert "RFC3161" in text(stamped.run("verify /pa /all a.exe"))[0]
            wanted = stamped.run("verify /pa /all /v /tw a.exe")
            assert (wanted.exit_code, "File is not timestamped: a.exe" in text(wanted)[1]) == (2, True)
    assert "The signature is timestamped:" in text(stamped.run("verify /pa /all /v a.exe"))[0]


def test_windows_brings_the_roots_of_authorities_along(world: World) -> None:
    root = world.issued["root"]
    stores = CertificateStores(world.host)
    assert stores.remove(hashlib.sha1(root.der, usedforsecurity=False).hexdigest(), "Root")
    try:
        stores.add(root.der, "AuthRoot")
        sign(world, "a.exe")
        assert world.run("verify /pa a.exe").exit_code == 0
        world.host.faults.set("authority_unknown")
        assert world.run("verify /pa a.exe").exit_code == 1
    finally:
        stores.remove(hashlib.sha1(root.der, usedforsecurity=False).hexdigest(), "AuthRoot")
        stores.add(root.der, "Root")


@pytest.mark.parametrize(("fault", "chain"), [("0x800b0114", True), ("0x80096010:chainless", False)])
def test_a_verification_ends_with_the_code_that_was_asked_for(world: World, fault: str, chain: bool) -> None:
    sign(world, "a.exe")
    world.host.faults.set(f"verify_code:{fault}")
    done = world.run("verify /pa /all /v a.exe")
    out, err = text(done)
    assert (done.exit_code, "Hash of file" in out, "Signing Certificate Chain" in out) == (1, True, chain)
    assert f"WinVerifyTrust returned error: 0x{fault[2:10].upper()}" in err


def test_a_stamp_fails_with_the_code_that_was_asked_for(world: World) -> None:
    sign(world, "b.exe")
    world.host.faults.set("stamp_error:0x80090006")
    done = sign(world, "a.exe", "c.exe", options=f"/tr {world.server.url}/ts /td sha256")
    assert (done.exit_code, 'SignerSign() failed." (-2146893818/0x80090006)' in text(done)[0]) == (1, True)
    done = world.run(f"timestamp /tr {world.server.url}/ts /td sha256 b.exe")
    assert (done.exit_code, 'SignerTimeStamp() failed." (-2146893818/0x80090006)' in text(done)[0]) == (
        1,
        True,
    )
    assert signatures(world, "b.exe") == {"signatures": 1, "timestamped": 0}


def test_a_key_that_is_not_found_blames_the_file(world: World) -> None:
    world.host.faults.set("ksp_error:0:0x80070002")
    done = sign(world, "a.exe", "b.exe")
    assert (done.exit_code, text(done)[1]) == (1, f"SignTool Error: File not found: {WORK}\\a.exe\n")


def test_a_certificate_that_ends_after_the_year_3000_is_dropped_and_has_no_end(world: World) -> None:
    stores, key = CertificateStores(world.host), world.issued["sign"]
    pki = Pki.create()
    endless = pki.code_signing("endless", key.certificate.public_key(), endless=True)
    digits = endless.certificate.fingerprint(hashes.SHA1()).hex().upper()
    stores.add(endless.der, "My")
    try:
        done = world.run(f"sign /v /debug /fd sha256 /sm /sha1 {digits} a.exe")
    finally:
        stores.remove(digits, "My")
    out, err = text(done)
    listed = out[: out.index(digits)].rpartition("Issued to")[2]
    assert "Expires" not in listed
    assert (done.exit_code, "After Hash filter, 0 certs were left." in out) == (1, True)
    assert "No certificates were found" in err
