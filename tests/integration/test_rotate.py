# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rotate.yml: another certificate on the same key, then one on another key, while files are being signed: none is lost, and
what was there before goes only when the new one was proven to sign and its days are over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.osslsigncode import need_newer
from support.playbook import PlaybookRun
from support.signable import programs

from .conftest import Bench, running
from .scenes import thumbprint

HOSTS = ("en5", "de5", "en3")
FLEET: dict[str, Any] = {
    "hosts": {"en5": {}, "de5": {"language": "de"}, "en3": {"client_sdk": 3}},
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
FILES = 12
TAKE_OUT = "Take out the former certificates and their key containers"
SEE = "See which former certificates are here whose days are over"
PROVE = "Prove that each key signs"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Hosts that sign with the certificate that will be renewed."""
    need_newer("what these tests sign and stamp")
    with running(tmp_path_factory.mktemp("rotate"), FLEET) as control:
        bench = Bench(control)
        ready = bench.play("cloudhsm.codesign.site")
        assert ready.returncode == 0, ready.output[-4000:]
        yield bench


def as_identity(bench: Bench, name: str, *former: str, days: int = 30) -> dict[str, Any]:
    """The variables that say: sign with this certificate of the lab, and those were in use before."""
    (known, *_others) = bench.identities
    folder = Path(bench.lab.info["pki"])
    now = {**known, "certificate": str(folder / f"{name}.pem"), "former": list(former)}
    return {"codesign_identities": [now], "codesign_former_days": days}


def rotate(bench: Bench, variables: Mapping[str, Any], *extra: str) -> PlaybookRun:
    return bench.play("cloudhsm.codesign.rotate", *extra, variables=variables)


def sign(bench: Bench, variables: Mapping[str, Any], folder: str) -> PlaybookRun:
    files = {"codesign_files": [rf"C:\{folder}\*.exe"]}
    return bench.play("cloudhsm.codesign.sign", variables={**variables, **files})


def put(bench: Bench, folder: str) -> None:
    for host in HOSTS:
        for number in range(FILES):
            bench.lab.write(host, rf"C:\{folder}\{number}.exe", programs()["setup64.exe"])


def changes(run: PlaybookRun) -> set[tuple[str, str]]:
    return {(result.host, result.task) for result in run.changed()}


def certificates(bench: Bench) -> dict[str, set[str]]:
    """The thumbprints in each host's store My."""
    place = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\My\Certificates"
    return {host: set(bench.lab.registry(host, place)["keys"]) for host in HOSTS}


def together(
    bench: Bench, signing: Mapping[str, Any], folder: str, rotating: Mapping[str, Any]
) -> tuple[PlaybookRun, PlaybookRun]:
    """Files are being signed while the certificates rotate."""
    with ThreadPoolExecutor() as pool:
        signed = pool.submit(sign, bench, signing, folder)
        rotated = pool.submit(rotate, bench, rotating)
        return signed.result(), rotated.result()


def check_signed_once(bench: Bench, variables: Mapping[str, Any], folder: str) -> None:
    """Every file has exactly one signature, by the certificate that the variables name."""
    last = sign(bench, variables, folder)
    assert last.returncode == 0, last.output[-4000:]
    again = sign(bench, variables, folder)
    assert (again.returncode, changes(again)) == (0, set()), again.output[-4000:]
    for host in HOSTS:
        names = bench.lab.files(host, rf"C:\{folder}")
        assert len([name for name in names if name.endswith(".exe")]) == FILES


def test_another_certificate_on_the_same_key_while_files_are_being_signed(company: Bench) -> None:
    old, new = (
        as_identity(company, "signing"),
        as_identity(company, "signing-renewed", thumbprint(company, "signing")),
    )
    put(company, "one")
    predicted = rotate(company, new, "--check")
    assert predicted.returncode == 0, predicted.output[-4000:]
    signed, rotated = together(company, old, "one", new)
    assert rotated.returncode == 0, rotated.output[-4000:]
    assert signed.returncode == 0, signed.output[-4000:]
    assert set(changes(rotated)) >= {
        (host, "Put the certificates that are missing into their stores") for host in HOSTS
    }
    assert {host for host, _task in changes(predicted)} == {host for host, _task in changes(rotated)}
    assert {rotated.of(PROVE, host).result["results"][0]["key"] for host in HOSTS} == {"usable"}
    assert all(
        len(found & {thumbprint(company, "signing"), thumbprint(company, "signing-renewed")}) == 2
        for found in certificates(company).values()
    ), "the former one stays for its days"
    assert f"{thumbprint(company, 'signing')} of" in rotated.output
    check_signed_once(company, new, "one")


def test_the_former_one_goes_when_its_days_are_over_and_loses_no_file(company: Bench) -> None:
    old = as_identity(company, "signing")
    new = as_identity(company, "signing-renewed", thumbprint(company, "signing"), days=0)
    put(company, "two")
    predicted = rotate(company, new, "--check")
    assert changes(predicted) == {(host, task) for host in HOSTS for task in (SEE, TAKE_OUT)}, (
        predicted.output[-4000:]
    )
    _signed, rotated = together(company, old, "two", new)
    assert rotated.returncode == 0, rotated.output[-4000:]
    assert changes(rotated) == changes(predicted)
    for host in HOSTS:
        taken = rotated.of(TAKE_OUT, host).result
        assert taken["containers"] == [], "the key is the new certificate's too"
        assert rotated.of(PROVE, host).result["results"][0]["key"] == "usable"
    assert all(thumbprint(company, "signing") not in found for found in certificates(company).values())
    check_signed_once(company, new, "two")


def test_another_key_and_the_container_of_the_former_one_goes(company: Bench) -> None:
    assert rotate(company, as_identity(company, "signing-renewed")).returncode == 0
    former = str(Path(company.lab.info["pki"]) / "signing-renewed.pem")
    # The certificate before that has the same key: its container goes when none of them needs it.
    new = as_identity(company, "signing-second", former, thumbprint(company, "signing"), days=0)
    predicted = rotate(company, new, "--check")
    assert predicted.returncode == 0, predicted.output[-4000:]
    run = rotate(company, new)
    assert run.returncode == 0, run.output[-4000:]
    assert {(host, TAKE_OUT) for host in HOSTS} <= changes(predicted) & changes(run)
    for host in HOSTS:
        order = [result.task for result in run.results if result.host == host]
        assert order.index("Fail where a key was not proven to sign") < order.index(TAKE_OUT)
        assert len(run.of(TAKE_OUT, host).result["containers"]) == 1
    again = rotate(company, new)
    assert (again.returncode, changes(again)) == (0, set()), again.output[-4000:]
    put(company, "three")
    check_signed_once(company, new, "three")


def test_nothing_goes_where_the_new_one_does_not_sign(company: Bench) -> None:
    """The former certificate is what the host signs with: it stays until its successor works."""
    assert rotate(company, as_identity(company, "signing-second")).returncode == 0
    former = thumbprint(company, "signing-second")
    new = as_identity(company, "signing-umlaut", former, days=0)
    company.lab.fault("de5", "key_cannot_sign")
    run = rotate(company, new)
    company.lab.clear()
    assert run.returncode != 0
    assert {result.host for result in run.failed()} == {"de5"}, run.output[-4000:]
    found = certificates(company)
    assert former in found["de5"]
    assert former not in found["en5"]
