# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timestamp authority: answers that OpenSSL verifies, and faults that can be switched on and off."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asn1crypto import tsp

from lab.hsm.pki import Pki
from lab.network.tsa import HUGE, ODD_NAME, ODD_YEARS, Tsa


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    tsa = Tsa.start(tmp_path_factory.mktemp("tsa"), pki)
    yield tsa
    tsa.stop()


@pytest.fixture
def tsa(running: Tsa) -> Iterator[Tsa]:
    running.requests.clear()
    yield running
    running.set_fault("")


def query(folder: Path, digest: str = "sha256") -> Path:
    (folder / "data").write_bytes(os.urandom(64))
    subprocess.run(
        [
            "openssl",
            "ts",
            "-query",
            "-data",
            str(folder / "data"),
            f"-{digest}",
            "-cert",
            "-out",
            str(folder / "request.tsq"),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return folder / "request.tsq"


def post(tsa: Tsa, body: bytes, kind: str = "application/timestamp-query") -> bytes:
    request = urllib.request.Request(tsa.url, data=body, headers={"Content-Type": kind})  # noqa: S310 - the lab's own address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.headers["Content-Type"] in ("application/timestamp-reply", "text/html")
        return bytes(answer.read())


def verify(folder: Path, pki: Pki, request: Path, reply: bytes) -> subprocess.CompletedProcess[str]:
    pki.write(folder)
    (folder / "reply.tsr").write_bytes(reply)
    return subprocess.run(
        [
            "openssl",
            "ts",
            "-verify",
            "-queryfile",
            str(request),
            "-in",
            str(folder / "reply.tsr"),
            "-CAfile",
            str(folder / "tsa-root.pem"),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_verifies_the_stamp(tsa: Tsa, pki: Pki, tmp_path: Path, digest: str) -> None:
    request = query(tmp_path, digest)
    done = verify(tmp_path, pki, request, post(tsa, request.read_bytes()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(one.digest, one.status) for one in tsa.requests] == [(digest, 200)]


def test_a_digest_that_is_not_accepted_gets_a_refusal(tsa: Tsa, pki: Pki, tmp_path: Path) -> None:
    request = query(tmp_path, "sha1")
    assert verify(tmp_path, pki, request, post(tsa, request.read_bytes())).returncode != 0


def serial_of(reply: bytes, file: Path) -> str:
    file.write_bytes(reply)
    text = subprocess.run(
        ["openssl", "ts", "-reply", "-in", str(file), "-text"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return next(line for line in text.stdout.splitlines() if line.startswith("Serial number:"))


def test_serial_numbers_differ(tsa: Tsa, tmp_path: Path) -> None:
    replies = [post(tsa, query(tmp_path).read_bytes()) for _round in range(3)]
    assert len({serial_of(reply, tmp_path / "reply.tsr") for reply in replies}) == 3


def test_serial_numbers_differ_of_what_is_answered_side_by_side(tsa: Tsa, tmp_path: Path) -> None:
    asked = query(tmp_path).read_bytes()
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _number: post(tsa, asked), range(12)))
    assert len({serial_of(reply, tmp_path / "reply.tsr") for reply in replies}) == 12


def test_what_is_no_request_gets_400(tsa: Tsa, tmp_path: Path) -> None:
    for body, kind in (
        (b"hello", "application/timestamp-query"),
        (query(tmp_path).read_bytes(), "text/plain"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(tsa, body, kind)
        assert caught.value.code == 400
    assert tsa.count == 2


@pytest.mark.parametrize(("fault", "status"), [("http_500", 500), ("http_404", 404)])
def test_http_faults(tsa: Tsa, tmp_path: Path, fault: str, status: int) -> None:
    tsa.set_fault(fault)
    for _round in range(2):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(tsa, query(tmp_path).read_bytes())
        assert caught.value.code == status


def test_down_resets_the_connection_and_ends_after_its_count(tsa: Tsa, tmp_path: Path) -> None:
    tsa.set_fault("down", times=2)
    body = query(tmp_path).read_bytes()
    for _round in range(2):
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            post(tsa, body)
    assert post(tsa, body)
    assert [one.status for one in tsa.requests] == [0, 0, 200]


@pytest.mark.parametrize("fault", ["garbage", "reject"])
def test_answers_that_hold_no_stamp(tsa: Tsa, pki: Pki, tmp_path: Path, fault: str) -> None:
    tsa.set_fault(fault)
    request = query(tmp_path)
    assert verify(tmp_path, pki, request, post(tsa, request.read_bytes())).returncode != 0


def test_slow_takes_its_time(tsa: Tsa, tmp_path: Path) -> None:
    tsa.set_fault("slow")
    tsa.delay = 0.4
    start = time.monotonic()
    assert post(tsa, query(tmp_path).read_bytes())
    assert time.monotonic() - start >= 0.4


def test_requests_beyond_a_limit_get_429_until_its_time_is_over(tsa: Tsa, tmp_path: Path) -> None:
    tsa.set_limit(2, 0.5)
    body = query(tmp_path).read_bytes()
    assert post(tsa, body)
    assert post(tsa, body)
    for _again in range(2):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(tsa, body)
        assert caught.value.code == 429
    time.sleep(0.5)
    assert post(tsa, body)
    tsa.set_limit(0, 0)
    assert all(post(tsa, body) for _more in range(3))


def test_an_unknown_fault_is_refused(tsa: Tsa) -> None:
    with pytest.raises(ValueError, match="knows no fault"):
        tsa.set_fault("sleepy")


def test_a_get_is_no_time_stamp(tsa: Tsa) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(tsa.url, timeout=10)  # noqa: S310
    assert caught.value.code == 405


@pytest.mark.parametrize("name", ["name", "late", "early"])
def test_odd_timestamps_are_good_ones(tsa: Tsa, pki: Pki, tmp_path: Path, name: str) -> None:
    """Whoever knows the authority accepts them."""
    request = query(tmp_path)
    _kind, reply = tsa.odd(name, request.read_bytes())
    checked = verify(tmp_path, pki, request, reply)
    assert "Verification: OK" in checked.stdout + checked.stderr
    token = tsp.TimeStampResp.load(reply)["time_stamp_token"]["content"]
    year = token["encap_content_info"]["content"].parsed["gen_time"].native.year
    assert year == ODD_YEARS.get(name, time.gmtime().tm_year)


def test_other_odd_answers_come_over_the_wire(tsa: Tsa, tmp_path: Path) -> None:
    body = query(tmp_path).read_bytes()
    for name, size in (("huge", HUGE), ("escapes", len(ODD_NAME))):
        headers = {"Content-Type": "application/timestamp-query"}
        request = urllib.request.Request(tsa.odd_url(name), data=body, headers=headers)  # noqa: S310 - the lab's own address
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert len(answer.read()) > size
