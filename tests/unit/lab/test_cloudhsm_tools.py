# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's CloudHSM programs of both SDKs: key lookups, key containers, configuration, credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.control.bench import (
    PASSWORD,
    PIN,
    USER,
    Bench,
    run,
    text,
)
from lab.hsm.cluster import Cluster
from lab.windows import client, ksp, packages
from lab.windows.host import Host

ROOT = client.PROGRAMS
CLI, CONFIGURE_CLI, CONFIGURE_KSP = (
    rf"{ROOT}\bin\cloudhsm-cli.exe",
    rf"{ROOT}\bin\configure-cli.exe",
    rf"{ROOT}\bin\configure-ksp.exe",
)
KMU, IMPORT, CONFIGURE = rf"{ROOT}\key_mgmt_util.exe", rf"{ROOT}\import_key.exe", rf"{ROOT}\configure.exe"
LOGIN = f"loginHSM -u CU -s {USER} -p {PASSWORD}"


def kmu(host: Host, *commands: str, end: str = "exit\n", **options: Any) -> str:
    done = run(host, KMU, stdin="\n".join(commands) + "\n" + end, **options)
    assert done.exit_code == 0
    return text(host, done)


def modulus_file(host: Host, content: str, path: str = r"C:\modulus.txt") -> str:
    host.files.write(path, content.encode("utf-8"))
    return path


def handles(shown: str) -> list[int]:
    found = re.search(r"Handles of matching keys:\r\n\t([\d, \r\n\t]+)", shown)
    return [int(number) for number in re.findall(r"\d+", found[1])] if found else []


# key_mgmt_util
# --------------------------------------------------------------------------------------------------------


def test_kmu_finds_the_pair_by_its_modulus(bench: Bench) -> None:
    host = bench.host(3)
    path = modulus_file(host, f"{bench.public.modulus:X}\r\n")
    shown = kmu(host, LOGIN, f"findKey -c 3 -m {path}", f"findKey -c 2 -t 0 -m {path}", "logoutHSM")
    assert shown.count("Total number of keys present: 1") == 2
    assert re.findall(r"Handles of matching keys:\r\n\t(\d+)\r\n", shown) == [
        str(bench.private.handle),
        str(bench.public.handle),
    ]
    assert shown.count("Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS") == 2
    assert shown.count("Node id 1 and err state 0x00000000 : HSM Return: SUCCESS") == 4
    assert "Cfm3LogoutHSM returned: 0x00" in shown
    assert PASSWORD not in shown


def test_kmu_in_its_older_grammar(bench: Bench) -> None:
    host = bench.host(3)
    host.faults.set("kmu_older_grammar")
    path = modulus_file(host, f"{bench.public.modulus:x}\r\n")
    shown = kmu(host, LOGIN, f"findKey -c 3 -m {path}")
    assert (
        f"\tTotal number of keys present 1\r\n\r\n\tnumber of keys matched from start index 0::0\r\n\t{bench.private.handle}\r\n"
        in shown
    )
    assert "Handles of matching keys" not in shown
    assert "Node id 0 status: 0x00000000 : HSM Return: SUCCESS" in shown
    assert "Cfm3LoginHSM returned: 0xa3 \r\n\r\n\tHSM Error: RET_USER_LOGIN_FAILURE" in kmu(
        host, f"loginHSM -u CU -s {USER} -p wrong"
    )


@pytest.fixture(scope="module")
def two_keys(bench: Bench) -> Host:
    """A host of Client SDK 3 whose user has two private keys of the same label."""
    bench.cluster.generate_rsa("codesign", owner=USER)
    return bench.host(3)


@pytest.mark.parametrize(
    ("content", "matches"),
    [
        ("{modulus}\r\n", 1),
        ("00{modulus}\n", 1),
        ("{modulus} and more", 1),
        ("{modulus}", 0),
        ("{half}:{half}\r\n", 0),
        ("ABCD\r\n", 0),
        ("Modulus={modulus}\r\n", 2),
        ("0x{modulus}\r\n", 2),
        ("\ufeff{modulus}\r\n", 2),
        (" {modulus}\r\n", 2),
        ("\r\n", 2),
    ],
)
def test_a_modulus_file_is_read_by_the_rules_of_openssl(
    two_keys: Host, bench: Bench, content: str, matches: int
) -> None:
    digits = f"{bench.private.modulus:x}"
    path = modulus_file(two_keys, content.format(modulus=digits, half=digits[:16]))
    shown = kmu(two_keys, LOGIN, f"findKey -c 3 -l codesign -m {path}")
    # Without a single digit there is no filter, and every key comes back.
    assert f"Total number of keys present: {matches}" in shown
    assert len(handles(shown)) == matches


def test_kmu_without_a_match_succeeds_all_the_same(bench: Bench) -> None:
    shown = kmu(bench.host(3), LOGIN, "findKey -l nobody")
    assert "Total number of keys present: 0" in shown
    assert "Number of matching" not in shown
    assert "Cfm3FindKey returned: 0x00" in shown


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (r"findKey -c 3 -m C:\missing.txt", 'Failed to read from the file "C:\\missing.txt"'),
        (r"findKey -c 3 -m C:\empty.txt", r"C:\empty.txt is an empty file."),
        (r"findKey -c 3 -x 1", "WARNING"),
        (r"findKey -c 3 -m C:\Program Files\m.txt", "WARNING"),
    ],
)
def test_kmu_complaints_have_no_return_line(bench: Bench, command: str, complaint: str) -> None:
    host = bench.host(3)
    modulus_file(host, "", r"C:\empty.txt")
    shown = kmu(host, LOGIN, command)
    assert complaint in shown
    assert "Cfm3FindKey returned" not in shown


def test_kmu_wraps_handles_after_fifteen(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    for number in range(16):
        bench.cluster.generate_ec(f"key{number}", owner=USER)
    shown = kmu(bench.host(3), LOGIN, "findKey -c 2")
    assert "Total number of keys present: 17" in shown
    listed = shown.split("Handles of matching keys:\r\n\t")[1].split("\r\n\r\n")[0].split("\r\n\t")
    assert [len(re.findall(r"\d+", row)) for row in listed] == [15, 2]
    assert len(handles(shown)) == 17


def test_kmu_shows_attributes_and_owner(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.cluster.add_user("friend", "Friend-1!")
    bench.cluster.share(bench.private.handle, ["friend"])
    host = bench.host(3)
    shown = kmu(
        host,
        LOGIN,
        rf"getAttribute -o {bench.private.handle} -a 288 -out C:\attr.txt",
        f"getKeyInfo -k {bench.private.handle}",
        f"findSingleKey -k {bench.public.handle}",
        "getKeyInfo -k 99",
        "Error2String -r 0xa8",
    )
    assert host.files.read(r"C:\attr.txt").decode("ascii").splitlines() == [
        "OBJ_ATTR_MODULUS",
        f"0x{bench.private.modulus:0512x}",
    ]
    assert "Owned by user 2" in shown
    assert "also, shared to following 1 user(s):" in shown
    assert "Cfm3GetKey returned: 0xa8 : HSM Error: Invalid object handle" in shown
    assert "Error Code a8 maps to HSM Error: Invalid object handle" in shown


def test_kmu_fails_a_login_with_exit_code_0_and_locks_after_five(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    host = bench.host(3)
    shown = kmu(host, *[f"loginHSM -u CU -s {USER} -p wrong"] * 5, LOGIN, "findKey -c 3")
    assert shown.count("Cfm3LoginHSM returned: 0xa3 : HSM Error: RET_USER_LOGIN_FAILURE") == 6
    assert "Cfm3FindKey" not in shown
    assert bench.cluster.users[USER].locked
    assert "0xce" in kmu(host, "loginHSM -u CU -s nobody -p x")


def test_kmu_without_exit_never_ends(bench: Bench) -> None:
    assert run(bench.host(3), KMU, stdin=f"{LOGIN}\n", timeout=0.3).timed_out


def test_kmu_singlecmd_and_version(bench: Bench) -> None:
    host = bench.host(3)
    path = modulus_file(host, f"{bench.public.modulus:X}\r\n")
    done = run(host, KMU, f"singlecmd {LOGIN} findKey -c 3 -m {path}")
    assert done.exit_code == 0
    assert handles(text(host, done)) == [bench.private.handle]
    assert run(host, KMU, f"singlecmd loginHSM -u CU -s {USER} -p wrong findKey -c 3").exit_code == 0xFFFFFFFF
    assert run(host, KMU, f"singlecmd {LOGIN} findKey -x").exit_code == 0
    assert run(host, KMU, "-v").exit_code == 0
    assert run(host, KMU, "scriptfile x").exit_code == 0xFFFFFFFF


def test_kmu_needs_the_service_and_an_old_cluster(make_bench: Callable[..., Bench]) -> None:
    bench, newer = make_bench(), make_bench("hsm2m")
    host = bench.host(3)
    host.services.stop(client.SERVICE)
    for one in (host, newer.host(3)):
        done = run(one, KMU, stdin=f"{LOGIN}\nexit\n")
        assert done.exit_code == 0xFFFFFFFF
        assert "0x40000040 : LIQUIDSECURITY: Daemon socket connection error" in text(one, done)


# import_key
# -----------------------------------------------------------------------------------------------------------


def test_import_key_represents_the_pair(bench: Bench) -> None:
    host = bench.host(3)
    done = run(
        host,
        IMPORT,
        f"-from HSM -privateKeyHandle {bench.private.handle} -publicKeyHandle {bench.public.handle}",
        pin=True,
    )
    assert done.exit_code == 0
    assert "Represented 1 keypairs in Cavium Key Storage Provider.\r\n" in text(host, done)
    (container,) = ksp.containers(host)
    assert container.name.startswith("CNGRSAPriv-")
    assert container.handle == bench.private.handle
    assert host.sddl(rf"{ksp.CONTAINERS}\{container.name}").endswith("D:PAI(A;;FA;;;SY)(A;;FA;;;BA)")


def test_import_key_all_and_again(bench: Bench) -> None:
    host = bench.host(3)
    for expected in (1, 2):
        run(host, IMPORT, "-from HSM -all", pin=True)
        assert len([one for one in ksp.containers(host) if one.handle == bench.private.handle]) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "-from HSM",
        "-from MSKSP -all",
        "-from HSM -privateKeyHandle 1",
        "-from HSM –privateKeyHandle 1 -publicKeyHandle 2",
        "-from HSM -all -x",
    ],
)
def test_import_key_refuses_other_calls(bench: Bench, arguments: str) -> None:
    host = bench.host(3)
    done = run(host, IMPORT, arguments, pin=True)
    assert done.exit_code == 1
    assert "Usage" in text(host, done)


def test_import_key_with_wrong_handles_makes_nothing(bench: Bench) -> None:
    host = bench.host(3)
    other, _public = bench.cluster.generate_ec("other", owner=USER)
    for private, public in (
        (bench.public.handle, bench.private.handle),
        (1, 2),
        (other.handle, bench.public.handle),
    ):
        shown = text(
            host,
            run(host, IMPORT, f"-from HSM -privateKeyHandle {private} -publicKeyHandle {public}", pin=True),
        )
        assert "Represented 0 keypairs" in shown
    assert ksp.containers(host) == []


def test_import_key_without_credentials_or_service(bench: Bench) -> None:
    host = bench.host(3)
    done = run(host, IMPORT, "-from HSM -all")
    assert (done.exit_code, text(host, done)) == (1, "n3fips_password is not set\r\n")
    host.services.stop(client.SERVICE)
    assert "Daemon socket connection error" in text(host, run(host, IMPORT, "-from HSM -all", pin=True))


# cloudhsm-cli
# ---------------------------------------------------------------------------------------------------------


def cli(host: Host, arguments: str, expected: int = 0, **options: Any) -> Any:
    done = run(host, CLI, arguments, pin=options.pop("pin", True), **options)
    assert done.exit_code == expected, done
    answer = json.loads(done.stdout.decode("utf-8"))
    assert answer["error_code"] == expected
    return answer["data"]


def test_cli_finds_a_private_key_by_its_modulus(bench: Bench) -> None:
    host = bench.host()
    for digits in (f"{bench.public.modulus:X}", f"{bench.public.modulus:x}"):
        data = cli(host, f"key list --filter attr.class=private-key attr.modulus=0x{digits} --verbose")
        assert (data["total_key_count"], data["returned_key_count"]) == (1, 1)
        (key,) = data["matched_keys"]
        assert key["key-reference"] == bench.private.reference
        assert key["key-info"]["key-owners"] == [{"username": USER, "key-coverage": "full"}]
        assert key["attributes"]["modulus"] == f"0x{bench.public.modulus:0512x}"
        assert key["attributes"]["extractable"] is False
    assert "next_token" not in data


def test_cli_without_verbose_gives_reference_and_label(bench: Bench) -> None:
    data = cli(bench.host(), f"key list --filter key-reference={bench.public.reference}")
    assert data["matched_keys"] == [
        {"key-reference": bench.public.reference, "attributes": {"label": "codesign"}}
    ]


def test_cli_pages_by_token(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    for number in range(6):
        bench.cluster.generate_ec(f"schlüssel{number}", owner=USER)
    host, seen, token = bench.host(language="de"), [], ""
    while True:
        data = cli(host, f"key list{token} --max-items 4")
        assert data["total_key_count"] == 14
        seen += [key["key-reference"] for key in data["matched_keys"]]
        if "next_token" not in data:
            break
        token = f" --starting-token {data['next_token']}"
    assert len(set(seen)) == 14
    assert len(cli(host, "key list")["matched_keys"]) == 10
    assert "schlüssel0" in [
        key["attributes"]["label"] for key in cli(host, "key list --max-items 50")["matched_keys"]
    ]


def test_cli_finds_an_ec_key_by_its_point(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    private, public = bench.cluster.generate_ec("curve", owner=USER)
    point = "0441" + public.public_der.hex()
    data = cli(bench.host(), f"key list --filter attr.class=private-key attr.ec-point=0x{point}")
    assert [key["key-reference"] for key in data["matched_keys"]] == [private.reference]


@pytest.mark.parametrize(
    "arguments",
    [
        "key list --nonsense",
        "key list --max-items",
        "key list --max-items ten",
        "key burn",
        "list",
        "",
        "key list extra",
        "key generate-file --all",
        "key generate-file --encoding der --all",
        "key generate-file --encoding ksp-key-reference --all --filter attr.label=x",
        "key list --max-items 1 --max-items 2",
    ],
)
def test_cli_refuses_what_it_does_not_know(bench: Bench, arguments: str) -> None:
    done = run(bench.host(), CLI, arguments, pin=True)
    assert (done.exit_code, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: ")


@pytest.mark.parametrize(
    "text_of_filter",
    ["attr.colour=red", "modulus=0x1", "attr.modulus=12", "attr.modulus=0xzz", "attr.class=private", "label"],
)
def test_cli_refuses_wrong_filters(bench: Bench, text_of_filter: str) -> None:
    assert "Invalid" in cli(bench.host(), f"key list --filter {text_of_filter}", expected=1)


def test_cli_generates_one_reference_file(bench: Bench) -> None:
    host = bench.host()
    arguments = f"key generate-file --encoding ksp-key-reference --filter attr.class=private-key attr.modulus=0x{bench.public.modulus:X}"
    assert cli(host, arguments) == {"message": "Successfully generated key file"}
    (container,) = ksp.containers(host)
    assert (container.handle, container.inner) == (bench.private.handle, container.name)
    host.files.makedirs(r"C:\out")
    cli(host, rf"{arguments} --path C:\out")
    assert len(host.files.list(r"C:\out")) == 1
    assert "does not exist" in cli(host, rf"{arguments} --path C:\nowhere", expected=1)


def test_cli_wants_exactly_one_key_that_is_on_all_hsms(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    host, command = bench.host(), "key generate-file --encoding ksp-key-reference --filter "
    assert cli(host, f"{command}attr.modulus=0x{bench.public.modulus:x}", expected=1).startswith(
        "Key selection criteria matched 2 keys."
    )
    assert cli(host, f"{command}attr.label=nobody", expected=1).startswith(
        "Key selection criteria matched 0 keys."
    )
    bench.cluster.set_copies(bench.private.handle, 1)
    assert (
        cli(host, f"{command}key-reference={bench.private.reference}", expected=1)
        == "The selected key is not synchronized throughout the cluster"
    )
    assert cli(host, "key list --verbose")["matched_keys"][0]["key-info"]["cluster-coverage"] == "partial"
    assert ksp.containers(host) == []


def test_cli_5_16_0_names_the_file_otherwise_and_5_15_cannot(bench: Bench) -> None:
    host = bench.host()
    old, older = (
        packages.by_file_name("AWSCloudHSMCLI-5.16.0-1.msi"),
        packages.by_file_name("AWSCloudHSMCLI-5.15.0-1.msi"),
    )
    assert old is not None
    assert older is not None
    command = (
        f"key generate-file --encoding ksp-key-reference --filter key-reference={bench.private.reference}"
    )
    old.install(host)
    cli(host, command)
    (container,) = ksp.containers(host)
    assert container.inner != container.name
    older.install(host)
    assert run(host, CLI, command, pin=True).exit_code == 2
    assert run(host, CLI, "--version").stdout == b"cloudhsm-cli 5.15.0\n"


def test_cli_logins(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    host = bench.host()
    assert "not logged in" in cli(host, "key list", expected=1, pin=False)
    environment = {"CLOUDHSM_ROLE": "crypto-user", "CLOUDHSM_PIN": f"{USER}:wrong"}
    for _attempt in range(5):
        assert "Incorrect" in cli(host, "key list", expected=1, pin=False, environment=environment)
    assert "Incorrect" in cli(host, "key list", expected=1)
    users = cli(host, "user list", pin=False)["users"]
    assert [(user["username"], user["locked"]) for user in users] == [("admin", "false"), (USER, "true")]
    host.faults.set("cli_exit_0")
    done = run(host, CLI, "key list", pin=True)
    assert (done.exit_code, json.loads(done.stdout)["error_code"]) == (0, 1)


def test_cli_needs_a_configuration_that_fits_the_cluster(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench("hsm2m")
    host = bench.host()
    path = client.CONFIGURATIONS["cli"]
    data = json.loads(host.files.read(path))
    assert data["clusters"][0]["type"] == "hsm1"
    assert cli(host, "key list")["total_key_count"] == 2, "whatever type it names"
    host.files.write(data["clusters"][0]["cluster"]["hsm_ca_file"], bench.pki.root.pem.encode("ascii"))
    assert "issued by" in cli(host, "key list", expected=1)
    host.files.write(path, b"{")
    assert "not JSON" in cli(host, "key list", expected=1)
    host.files.remove(path)
    assert "no configuration file" in cli(host, "key list", expected=1)


def test_cli_asks_for_the_cluster_where_there_are_several(bench: Bench) -> None:
    host = bench.host()
    path = client.CONFIGURATIONS["cli"]
    data = json.loads(host.files.read(path))
    (one,) = data["clusters"]
    data["clusters"] = [{**one, "cluster_id": "cluster-a"}, {**one, "cluster_id": "cluster-b"}]
    host.files.write(path, json.dumps(data).encode("utf-8"))
    assert "--cluster-id" in cli(host, "key list", expected=1)
    assert cli(host, "key list --cluster-id cluster-b")["total_key_count"]


# Configuration
# --------------------------------------------------------------------------------------------------------


def configuration(host: Host, component: str) -> Any:
    return json.loads(host.files.read(client.CONFIGURATIONS[component]))


def test_configure_writes_servers_and_switches(bench: Bench) -> None:
    host = bench.host()
    for program, component in ((CONFIGURE_CLI, "cli"), (CONFIGURE_KSP, "ksp")):
        done = run(host, program, "-a 10.0.0.1 10.0.0.2 --disable-key-availability-check --log-level debug")
        assert done.exit_code == 0
        data = configuration(host, component)
        cluster = data["clusters"][0]["cluster"]
        assert data["clusters"][0]["type"] == "hsm1"
        assert cluster["servers"] == [
            {"hostname": f"10.0.0.{number}", "port": 2223, "enable": True} for number in (1, 2)
        ]
        assert cluster["options"]["disable_key_availability_check"] is True
        assert data["logging"]["log_level"] == "debug"
    assert configuration(host, "ksp")["sdk3_compatibility_mode"] is True
    assert "sdk3_compatibility_mode" not in configuration(host, "cli")


@pytest.mark.parametrize(
    ("program", "arguments", "code"),
    [
        (CONFIGURE_CLI, "--enable-sdk3-compatibility-mode", 2),
        (CONFIGURE_CLI, "", 2),
        (CONFIGURE_CLI, "-a", 2),
        (CONFIGURE_CLI, "10.0.0.1", 2),
        (CONFIGURE_KSP, "--enable-sdk3-compatibility-mode --disable-sdk3-compatibility-mode", 2),
        (CONFIGURE_KSP, "--hsm-type hsm2m", 2),
        (CONFIGURE_KSP, "--log-level loud", 2),
        (CONFIGURE_KSP, r"--hsm-ca-cert C:\nothing.crt", 1),
        (CONFIGURE_KSP, "--cluster-id cluster-x", 1),
        (CONFIGURE_KSP, "add-cluster --cluster-id cluster-x", 2),
        (CONFIGURE_CLI, "add-cluster", 2),
        (CONFIGURE_CLI, "add-cluster --cluster-id cluster-x -a 10.0.0.1", 2),
        (CONFIGURE_CLI, "add-cluster --cluster-id cluster-x --log-level warn", 2),
        (CONFIGURE_CLI, r"add-cluster --cluster-id cluster-x --hsm-ca-cert C:\nothing.crt", 1),
        (CONFIGURE_CLI, r"add-cluster --cluster-id cluster-x --client-cert-hsm-tls-file C:\one.pem", 2),
        (CONFIGURE_CLI, "add-cluster --cluster-id cluster-x", 1),
        (CONFIGURE_CLI, "remove-cluster", 2),
        (CONFIGURE_CLI, "remove-cluster --cluster-id cluster-x --region eu-central-1", 2),
        (CONFIGURE_CLI, "remove-cluster --cluster-id cluster-x", 1),
    ],
)
def test_configure_refuses_and_leaves_the_file_alone(
    bench: Bench, program: str, arguments: str, code: int
) -> None:
    host = bench.host()
    before = [host.files.read(client.CONFIGURATIONS[component]) for component in ("cli", "ksp")]
    assert run(host, program, arguments).exit_code == code
    assert [host.files.read(client.CONFIGURATIONS[component]) for component in ("cli", "ksp")] == before


def test_configure_cli_knows_several_clusters(bench: Bench, tmp_path: Path) -> None:
    host = bench.host()
    other = Cluster.create(tmp_path / "other", noise=False, cluster_id="cluster-other", first=101)
    other.add_user(USER, PASSWORD)
    other.generate_rsa("elsewhere", owner=USER)
    host.others = [other]
    add = "add-cluster --cluster-id cluster-other --region eu-central-1"
    assert b"property bag" in run(host, CONFIGURE_CLI, add).stderr, "AWS has to be asked"
    host.instance_role = True
    own = bench.cluster.cluster_id
    assert run(host, CONFIGURE_CLI, f"--cluster-id {own}").exit_code == 0
    ca = r"C:\ProgramData\Amazon\CloudHSM\other.crt"
    host.files.write(ca, other.customer_ca_pem.encode("ascii"))
    assert run(host, CONFIGURE_CLI, f"{add} --hsm-ca-cert {ca}").exit_code == 0
    entries = configuration(host, "cli")["clusters"]
    assert [one["cluster_id"] for one in entries] == [own, "cluster-other"]
    assert [server["hostname"] for server in entries[1]["cluster"]["servers"]] == other.addresses
    assert "--cluster-id" in cli(host, "key list", expected=1)
    listed = cli(host, "key list --cluster-id cluster-other --filter attr.class=private-key")
    assert [key["attributes"]["label"] for key in listed["matched_keys"]] == ["elsewhere"]
    for refused in (add, "--log-level warn", f"--cluster-id {own}"):
        assert run(host, CONFIGURE_CLI, refused).exit_code == 1
    assert configuration(host, "cli")["clusters"] == entries
    assert run(host, CONFIGURE_CLI, "remove-cluster --cluster-id cluster-other").exit_code == 0
    assert configuration(host, "cli")["clusters"] == entries[:1]
    other.close()


def test_configure_of_sdk_3_takes_effect_when_the_service_starts_again(bench: Bench) -> None:
    host = bench.host(3)
    done = run(host, CONFIGURE, "-a 10.9.9.9")
    assert text(host, done).startswith(f"Updating server config in {client.CONFIGURATIONS['client']}\r\n")
    assert configuration(host, "client")["server"] == {"hostname": "10.9.9.9", "port": 2223}
    assert "SUCCESS" in kmu(host, LOGIN)
    run(host, "net", f"stop {client.SERVICE}")
    run(host, "net", f"start {client.SERVICE}")
    assert run(host, KMU, stdin="exit\n").exit_code == 0xFFFFFFFF
    assert run(host, CONFIGURE, "--nonsense").exit_code == 2
    assert run(host, CONFIGURE, "-a").exit_code == 2


@pytest.mark.parametrize(
    ("program", "name"), [("ksp_config.exe", ksp.CAVIUM), ("cng_config.exe", ksp.CAVIUM_CNG)]
)
def test_providers_are_listed_and_registered(bench: Bench, program: str, name: str) -> None:
    host = bench.host(3)
    path = rf"{ROOT}\{program}"
    assert name in text(host, run(host, path, "-enum"))
    ksp.unregister(host, name)
    assert name not in text(host, run(host, path, "-enum"))
    assert run(host, path, "-register").exit_code == 0
    assert name in text(host, run(host, path, "-enum"))
    assert run(host, path, "-unknown").exit_code == 1


@pytest.mark.parametrize("sdk", [3, 5])
def test_credentials_are_stored_for_the_calling_account_only(bench: Bench, sdk: int) -> None:
    host = bench.host(sdk)
    tool, account = rf"{ROOT}\tools\set_cloudhsm_credentials.exe", host.accounts.full_name("Administrator")
    done = run(host, tool, f"--username {USER} --password {PASSWORD}", logon="batch")
    assert done.exit_code == 0
    found = host.credentials.read(account, "batch", client.CREDENTIAL_TARGETS[sdk])
    assert found is not None
    assert (found.user, found.password) == (USER, PASSWORD)
    network = run(host, tool, f"--username {USER} --password {PASSWORD}", logon="network")
    assert network.exit_code == 1
    assert b"1312" in network.stderr
    assert run(host, tool, "--username x", logon="batch").exit_code == 2
    assert run(host, tool, "--pin x", logon="batch").exit_code == 2
    assert client.credential(host, sdk, {}, account, "batch") == (USER, PASSWORD)
    assert client.credential(host, sdk, {client.CREDENTIAL_VARIABLES[sdk]: "other:pw"}, account, "batch") == (
        "other",
        "pw",
    )
    assert client.credential(host, sdk, {client.CREDENTIAL_VARIABLES[sdk]: PIN}, account, "network") == (
        USER,
        PASSWORD,
    )
