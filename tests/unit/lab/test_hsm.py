# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HSM cluster on a real SoftHSM token: keys that cannot leave it, users, lockout, handles, reachability."""

from __future__ import annotations

import glob
import hashlib
import os
import subprocess
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from lab.control.bench import PASSWORD, USER, Bench
from lab.hsm.cluster import (
    INVALID_HANDLE,
    KEY_ACCESS_DENIED,
    RET_USER_LOGIN_FAILURE,
    USER_UNKNOWN,
    HsmError,
    LoginFailedError,
)
from lab.hsm.softhsm import module_path


def test_the_private_key_is_sensitive_and_was_never_extractable(bench: Bench) -> None:
    assert bench.cluster.token.protection(bench.private.token_id) == {
        "sensitive": True,
        "always_sensitive": True,
        "extractable": False,
        "never_extractable": True,
    }


def test_another_program_sees_the_same_protection(bench: Bench) -> None:
    token = bench.cluster.token
    done = subprocess.run(
        [
            "pkcs11-tool",
            "--module",
            module_path(),
            "--token-label",
            token.label,
            "--login",
            "--pin",
            token.pin,
            "-O",
            "--type",
            "privkey",
        ],
        env=token.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "sensitive, always sensitive, never extractable" in done.stdout
    assert "extractable, " not in done.stdout.replace("never extractable, ", "")


def test_the_private_key_cannot_be_read_out(bench: Bench) -> None:
    import pkcs11

    with bench.cluster.token.session() as session:
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=bench.private.token_id)
        with pytest.raises(pkcs11.exceptions.PKCS11Error):
            bytes(key[pkcs11.Attribute.PRIVATE_EXPONENT])


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_rsa_signatures_verify_with_the_public_key(bench: Bench, algorithm: str) -> None:
    session = bench.cluster.login(USER, PASSWORD)
    signature = session.sign(bench.private.handle, hashlib.new(algorithm, b"file").digest(), algorithm)
    key = bench.public.public_key
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(
        signature,
        b"file",
        padding.PKCS1v15(),
        {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[algorithm],
    )


def test_ec_signatures_verify_with_the_public_key(bench: Bench) -> None:
    private, public = bench.cluster.generate_ec("curve", owner=USER)
    signature = bench.cluster.login(USER, PASSWORD).sign(
        private.handle, hashlib.sha256(b"file").digest(), "sha256"
    )
    key = public.public_key
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signature, b"file", ec.ECDSA(hashes.SHA256()))
    assert public.modulus == 0
    assert public.public_der[0] == 4


def test_a_digest_of_the_wrong_length_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="not a digest of sha256"):
        bench.cluster.login(USER, PASSWORD).sign(bench.private.handle, b"short", "sha256")


def test_osslsigncode_signs_with_the_token_and_verifies(bench: Bench) -> None:
    folder = bench.folder / "sign"
    bench.pki.write(folder)
    program = glob.glob(sysconfig.get_paths()["purelib"] + "/pip/_vendor/distlib/t64.exe")[0]
    arguments = bench.cluster.signing_arguments(bench.private.handle)
    subprocess.run(
        [
            "osslsigncode",
            "sign",
            *arguments.osslsigncode(),
            "-certs",
            str(folder / "signing.pem"),
            "-ac",
            str(folder / "chain.pem"),
            "-h",
            "sha256",
            "-in",
            program,
            "-out",
            str(folder / "signed.exe"),
        ],
        env={**os.environ, **arguments.environment},
        check=True,
        capture_output=True,
        timeout=60,
    )
    done = subprocess.run(
        ["osslsigncode", "verify", "-CAfile", str(folder / "root.pem"), "-in", str(folder / "signed.exe")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Number of verified signatures: 1" in done.stdout


def test_many_sign_at_once_with_copies_of_the_token(bench: Bench) -> None:
    folder = bench.folder / "many"
    bench.pki.write(folder)
    program = glob.glob(sysconfig.get_paths()["purelib"] + "/pip/_vendor/distlib/t64.exe")[0]
    objects = {file: file.read_bytes() for file in bench.cluster.token.folder.rglob("*.object")}

    def sign(number: int) -> int:
        own = folder / str(number)
        own.mkdir()
        arguments = bench.cluster.signing_arguments(bench.private.handle, own)
        command = ["osslsigncode", "sign", *arguments.osslsigncode(), "-certs", str(folder / "signing.pem")]
        command += ["-h", "sha256", "-in", program, "-out", str(own / "signed.exe")]
        environment = {**os.environ, **arguments.environment}
        return subprocess.run(
            command, env=environment, capture_output=True, timeout=60, check=False
        ).returncode

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sign, range(8))) == [0] * 8
    assert objects == {file: file.read_bytes() for file in objects}


def test_the_token_pin_stands_in_no_argument(bench: Bench) -> None:
    arguments = bench.cluster.signing_arguments(bench.private.handle)
    assert arguments.pin not in " ".join(arguments.osslsigncode())
    assert os.stat(arguments.pin_file).st_mode & 0o077 == 0


def test_handles_are_stable_and_belong_to_one_object(make_bench: Callable[..., Bench]) -> None:
    first = make_bench()
    handles = [key.handle for key in first.cluster.all_keys()]
    assert len(set(handles)) == len(handles)
    assert first.private.handle != first.public.handle
    assert first.cluster.key(first.private.handle) == first.private
    assert make_bench().private.handle == first.private.handle
    assert int(first.private.reference, 16) == first.private.handle
    assert len(first.private.reference) == 18


def test_two_clusters_in_one_process_do_not_see_each_others_keys(make_bench: Callable[..., Bench]) -> None:
    one, other = make_bench(), make_bench()
    digest = hashlib.sha256(b"x").digest()
    for bench in (one, other, one):
        signature = bench.cluster.login(USER, PASSWORD).sign(bench.private.handle, digest, "sha256")
        key = bench.public.public_key
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(signature, b"x", padding.PKCS1v15(), hashes.SHA256())
    assert one.public.modulus != other.public.modulus


def test_noise_holds_keys_of_others_with_one_label_twice(tmp_path_factory: pytest.TempPathFactory) -> None:
    from lab.hsm.cluster import Cluster

    cluster = Cluster.create(tmp_path_factory.mktemp("noise"))
    try:
        cluster.add_user(USER, PASSWORD)
        keys = cluster.all_keys()
        assert [key.label for key in keys if key.cls == "private"].count("codesign") == 2
        assert {key.key_size for key in keys} == {2048, 3072, 4096, 256}
        session = cluster.login(USER, PASSWORD)
        assert session.find(cls="private") == []
        assert len(session.find(cls="public")) == 4
        with pytest.raises(HsmError) as caught:
            session.get(next(key.handle for key in keys if key.cls == "private"))
        assert caught.value.code == KEY_ACCESS_DENIED
    finally:
        cluster.close()


def test_five_wrong_passwords_lock_the_user_until_an_officer_sets_a_new_one(
    make_bench: Callable[..., Bench],
) -> None:
    cluster = make_bench().cluster
    for attempt in range(1, 6):
        with pytest.raises(LoginFailedError) as caught:
            cluster.login(USER, "wrong")
        assert caught.value.code == RET_USER_LOGIN_FAILURE
        assert caught.value.locked is (attempt == 5)
    with pytest.raises(LoginFailedError):
        cluster.login(USER, PASSWORD)
    cluster.change_password(USER, "new")
    assert cluster.login(USER, "new").user.wrong == 0


def test_a_good_login_forgets_the_wrong_ones(make_bench: Callable[..., Bench]) -> None:
    cluster = make_bench().cluster
    for _round in range(3):
        for _attempt in range(4):
            with pytest.raises(LoginFailedError):
                cluster.login(USER, "wrong")
        cluster.login(USER, PASSWORD)
    assert not cluster.users[USER].locked


@pytest.mark.parametrize(("name", "code"), [("nobody", USER_UNKNOWN), ("admin", 0xDB)])
def test_only_crypto_users_log_in(bench: Bench, name: str, code: int) -> None:
    with pytest.raises(LoginFailedError) as caught:
        bench.cluster.login(name, "x")
    assert caught.value.code == code


def test_sharing_and_deleting(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    cluster = bench.cluster
    cluster.add_user("friend", "Friend-1!")
    friend = cluster.login("friend", "Friend-1!")
    assert friend.find(cls="private") == []
    cluster.share(bench.private.handle, ["friend"])
    assert [key.handle for key in friend.find(cls="private", modulus=bench.public.modulus)] == [
        bench.private.handle
    ]
    cluster.delete_pair(bench.private.handle)
    with pytest.raises(HsmError) as caught:
        friend.get(bench.private.handle)
    assert caught.value.code == INVALID_HANDLE
    with cluster.token.session() as session:
        assert list(session.get_objects()) == []


def test_every_hsm_answers_on_its_port_until_it_is_down(make_bench: Callable[..., Bench]) -> None:
    cluster = make_bench(hsms=3).cluster
    assert len(cluster.addresses) == 3
    assert all(cluster.reachable(address) for address in cluster.addresses)
    assert not cluster.reachable(cluster.addresses[0], 2224)
    assert not cluster.reachable("127.0.0.1")
    cluster.down.add(cluster.addresses[1])
    assert [cluster.reachable(address) for address in cluster.addresses] == [True, False, True]


def test_two_clusters_have_different_addresses(make_bench: Callable[..., Bench]) -> None:
    assert not set(make_bench().cluster.addresses) & set(make_bench().cluster.addresses)


@pytest.mark.parametrize(("hsm_type", "hsms"), [("hsm3", 1), ("hsm1", 0)])
def test_impossible_clusters_are_refused(make_bench: Callable[..., Bench], hsm_type: str, hsms: int) -> None:
    with pytest.raises(ValueError, match="hsm_"):
        make_bench(hsm_type, hsms)
