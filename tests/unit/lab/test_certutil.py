# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certutil: options, exit codes, stores, repairs and key containers, on hosts with real keys behind
the provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from lab.control.bench import (
    PASSWORD,
    PIN,
    USER,
    Bench,
    run,
    text,
)
from lab.windows import authority, client, ksp
from lab.windows.certstore import MACHINE, CertificateStores, KeyProviderInfo
from lab.windows.certstore import USER as CURRENT_USER
from lab.windows.credentials import Credential
from lab.windows.host import Host
from lab.windows.process import NOT_DONE, Completed

NTE_NOT_FOUND, NTE_BAD_KEYSET, FILE_NOT_FOUND, FILE_EXISTS, ELEVATION, INVALID = (
    0x80090011,
    0x80090016,
    0x80070002,
    0x80070050,
    0x800702E4,
    0x80070057,
)
REPAIR = """[Properties]
11 = "{friendly}" ; friendly name
2 = "{{text}}" ; key provider information
_continue_="Container={container}&"
_continue_="Provider={provider}&"
_continue_="ProviderType={provider_type}&"
_continue_="Flags={flags}&"
_continue_="KeySpec={key_spec}"
"""


def certutil(host: Host, arguments: str, **options: object) -> Completed:
    return run(host, "certutil", arguments, pin=True, **options)  # type: ignore[arg-type]


def container(bench: Bench, host: Host, name: str = "CNGRSAPriv-1-2-abc") -> str:
    ksp.write_container(host, name, bench.private)
    return name


def link(host: Host, thumbprint: str, name: str, provider: str = ksp.CAVIUM, **fields: int) -> None:
    CertificateStores(host).set_key_provider_info(thumbprint, KeyProviderInfo(name, provider, **fields), "My")


def association(host: Host, thumbprint: str, location: str = MACHINE) -> KeyProviderInfo | None:
    stored = CertificateStores(host).get(thumbprint, "My", location, host.accounts.full_name("Administrator"))
    assert stored is not None
    return stored.key_provider_info


# The command line
# -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        "-nonsense",
        "",
        "-store -nonsense My",
        "-addstore My",
        "-repairstore My",
        "-store My a b c d",
        "-delkey",
        "-store -csp X My",
        "My -store",
        "-key -f",
        "-addstore My c:\\x.cer extra",
        "-store -?",
        "-csp",
    ],
)
def test_a_usage_error_ends_with_1_and_help_without_a_code(bench: Bench, arguments: str) -> None:
    host = bench.host()
    done = certutil(host, arguments)
    assert done.exit_code == 1
    assert "-repairstore" in text(host, done)
    assert not re.search(r"0x[0-9a-f]{8}", text(host, done))
    assert done.stderr == b""


def test_help_ends_with_0(bench: Bench) -> None:
    assert certutil(bench.host(), "-?").exit_code == 0


def test_an_option_behind_a_positional_argument_is_a_certificate_to_look_for(bench: Bench) -> None:
    host = bench.host()
    bench.store(host, location=CURRENT_USER)
    for arguments in ("-user -store My", "-store -user My", "/user /store My"):
        done = certutil(host, arguments)
        assert done.exit_code == 0
        assert bench.signing.thumbprint.lower() in text(host, done)
    done = certutil(host, "-store My -user")
    assert done.exit_code == NTE_NOT_FOUND
    assert text(host, done).splitlines()[0] == 'My "Personal"'


def test_store_without_a_name_is_the_intermediates_store(bench: Bench) -> None:
    host = bench.host()
    done = certutil(host, "-store")
    assert text(host, done).splitlines()[0] == 'CA "Intermediate Certification Authorities"'


# -store
# ---------------------------------------------------------------------------------------------------------------


def test_a_certificate_without_association(bench: Bench) -> None:
    host = bench.host()
    bench.store(host)
    lines = text(host, certutil(host, "-store My")).splitlines()
    assert lines[1] == "================ Certificate 0 ================"
    assert f"Serial Number: {bench.signing.serial_hex}" in lines
    assert "Issuer: CN=Lab Code Signing CA, O=Lab, C=DE" in lines
    assert "Subject: CN=Lab Software, O=Lab, C=DE" in lines
    assert f"Cert Hash(sha1): {bench.signing.thumbprint.lower()}" in lines
    assert lines[-3:] == [
        "No key provider information",
        "Cannot find the certificate and private key for decryption.",
        "CertUtil: -store command completed successfully.",
    ]


@pytest.mark.parametrize("wanted", ["0", "{serial}", "00{serial}", "{sha1}", "{SHA1}", '"Lab Software"', "*"])
def test_a_certificate_is_found_by_every_kind_of_identifier(bench: Bench, wanted: str) -> None:
    host = bench.host()
    bench.store(host)
    arguments = wanted.format(
        serial=bench.signing.serial_hex, sha1=bench.signing.thumbprint.lower(), SHA1=bench.signing.thumbprint
    )
    assert certutil(host, f"-store My {arguments}").exit_code == 0


@pytest.mark.parametrize(
    ("language", "failed"),
    [
        ("en", "CertUtil: -store command FAILED: 0x80090011 (-2146893807 NTE_NOT_FOUND)"),
        ("de", "CertUtil: -store-Befehl ist fehlgeschlagen: 0x80090011 (-2146893807 NTE_NOT_FOUND)"),
        ("fr", "CertUtil: -store ÉCHEC de la commande\u00a0: 0x80090011 (-2146893807 NTE_NOT_FOUND)"),
        ("zh", "CertUtil: -store 失败: 0x80090011 (-2146893807 NTE_NOT_FOUND)"),
    ],
)
def test_a_failure_names_its_code_in_every_language(bench: Bench, language: str, failed: str) -> None:
    host = bench.host(language=language)
    done = certutil(host, "-store My 12345678")
    assert done.exit_code == NTE_NOT_FOUND
    assert failed in text(host, done).splitlines()


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh"])
def test_no_character_is_lost_in_the_oem_code_page(bench: Bench, language: str) -> None:
    host = bench.host(language=language)
    thumbprint = bench.store(host)
    link(host, thumbprint, container(bench, host))
    for arguments in ("-store My", "-csplist", f'-v -csp "{ksp.CAVIUM}" -key'):
        shown = text(host, certutil(host, arguments))
        assert "?" not in shown
        assert "\ufffd" not in shown


def test_absent_stores_and_files(bench: Bench) -> None:
    host = bench.host()
    done = certutil(host, "-store Releases")
    assert done.exit_code == FILE_NOT_FOUND
    assert text(host, done).splitlines()[0] == "Releases"
    assert "(WIN32: 2 ERROR_FILE_NOT_FOUND)" in text(host, done)
    assert certutil(host, r"-addstore My C:\missing.cer").exit_code == FILE_NOT_FOUND


def test_an_umlaut_comes_in_the_code_page_of_the_host(bench: Bench) -> None:
    host = bench.host(language="de")
    issued = bench.pki.code_signing("umlaut", bench.public.public_key, "Müller & Söhne GmbH")
    bench.store(host, issued)
    done = certutil(host, "-store My")
    assert "Antragsteller: CN=Müller & Söhne GmbH, O=Lab, C=DE" in text(host, done)
    assert "Müller".encode("cp850") in done.stdout


@pytest.mark.parametrize("sdk", [3, 5])
def test_a_linked_certificate_is_tested_with_the_key_on_the_hsm(bench: Bench, sdk: int) -> None:
    host = bench.host(sdk)
    thumbprint = bench.store(host)
    link(host, thumbprint, container(bench, host))
    shown = text(host, certutil(host, "-store My"))
    assert "  Key Container = CNGRSAPriv-1-2-abc\r\n  Provider = Cavium Key Storage Provider\r\n" in shown
    assert "Encryption test passed" in shown
    assert ("SDK Version: 3.0" in shown) is (sdk == 3)
    silent = text(host, certutil(host, "-Silent -store My"))
    assert "Encryption test" not in silent
    assert "SDK Version" not in silent


def test_the_verbose_form_is_not_done(bench: Bench) -> None:
    host = bench.host()
    bench.store(host)
    assert certutil(host, "-v -store My").exit_code == NOT_DONE


def test_missing_containers_and_other_keys(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    link(host, thumbprint, "gone")
    assert "Missing stored keyset" in text(host, certutil(host, "-store My"))
    other, _public = bench.cluster.generate_rsa("other", owner=USER)
    ksp.write_container(host, "wrong", other)
    link(host, thumbprint, "wrong")
    shown = text(host, certutil(host, "-store My"))
    assert "does NOT match" in shown
    assert "Encryption test passed" not in shown
    link(host, thumbprint, container(bench, host), provider_type=1)
    assert "Missing stored keyset" in text(host, certutil(host, "-store My"))


def test_the_output_file_of_store(bench: Bench) -> None:
    host = bench.host()
    bench.store(host)
    assert certutil(host, r"-store My 0 C:\out.cer").exit_code == 0
    assert host.files.read(r"C:\out.cer") == bench.signing.der
    assert certutil(host, r"-store My 0 C:\out.cer").exit_code == FILE_EXISTS
    assert certutil(host, r"-f -store My 0 C:\out.cer").exit_code == 0


# -addstore, -delstore, -encode
# ----------------------------------------------------------------------------------------


def test_addstore_adds_once(bench: Bench) -> None:
    host = bench.host()
    host.files.write(r"C:\root.cer", bench.pki.root.der)
    lines = text(host, certutil(host, r'-addstore "Root" C:\root.cer')).splitlines()
    assert lines == [
        'Root "Trusted Root Certification Authorities"',
        "Signature matches Public Key",
        'Certificate "Lab Root CA" added to store.',
        "CertUtil: -addstore command completed successfully.",
    ]
    assert 'Certificate "Lab Root CA" already in store.' in text(
        host, certutil(host, r'-addstore "Root" C:\root.cer')
    )
    assert len(CertificateStores(host).certificates("Root")) == 1


def test_addstore_reads_pem_and_refuses_other_things(bench: Bench) -> None:
    host = bench.host()
    host.files.write(r"C:\a.pem", bench.signing.pem.encode("ascii"))
    assert certutil(host, r"-addstore My C:\a.pem").exit_code == 0
    assert CertificateStores(host).get(bench.signing.thumbprint, "My")
    host.files.write(r"C:\b.cer", b"no certificate")
    assert certutil(host, r"-addstore My C:\b.cer").exit_code == 0x8009310B


def test_writing_for_the_machine_needs_an_administrator(bench: Bench) -> None:
    host = bench.host()
    host.add_user("builder", "Pw-1!")
    account = host.accounts.full_name("builder")
    done = certutil(host, r"-addstore My C:\does-not-matter.cer", account=account)
    assert done.exit_code == ELEVATION
    assert certutil(host, "-repairstore My 1", account=account).exit_code == ELEVATION
    host.files.write(r"C:\a.cer", bench.signing.der)
    assert certutil(host, r"-user -addstore My C:\a.cer", account=account).exit_code == 0


def test_a_root_certificate_for_a_user_waits_for_a_window(bench: Bench) -> None:
    host = bench.host()
    host.files.write(r"C:\root.cer", bench.pki.root.der)
    done = certutil(host, r"-user -addstore Root C:\root.cer", timeout=0.3)
    assert done.timed_out


def test_delstore(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    assert certutil(host, f"-delstore My {thumbprint}").exit_code == 0
    assert CertificateStores(host).certificates("My") == []
    assert certutil(host, f"-delstore My {thumbprint}").exit_code == NTE_NOT_FOUND


def test_encode(bench: Bench) -> None:
    host = bench.host()
    host.files.write(r"C:\a.cer", bench.signing.der)
    done = certutil(host, r"-encode C:\a.cer C:\a.txt")
    written = host.files.read(r"C:\a.txt")
    assert text(host, done).splitlines()[:2] == [
        f"Input Length = {len(bench.signing.der)}",
        f"Output Length = {len(written)}",
    ]
    assert written.replace(b"\r\n", b"\n") == bench.signing.pem.encode("ascii")
    assert certutil(host, r"-encode C:\a.cer C:\a.txt").exit_code == FILE_EXISTS


# -repairstore
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", [3, 5])
@pytest.mark.parametrize(("option", "location", "flags"), [("", MACHINE, 32), ("-user ", CURRENT_USER, 0)])
def test_repair_by_search_links_the_container_with_the_certificates_key(
    bench: Bench, sdk: int, option: str, location: str, flags: int
) -> None:
    host = bench.host(sdk)
    other, _public = bench.cluster.generate_rsa("other", owner=USER)
    ksp.write_container(host, "a-wrong-one", other)
    thumbprint = bench.store(host, location=location)
    name = container(bench, host)
    done = certutil(host, f'-f {option}-csp "cavium key storage provider" -repairstore My {thumbprint}')
    assert done.exit_code == 0
    assert association(host, thumbprint, location) == KeyProviderInfo(name, ksp.CAVIUM, 0, flags, 0)
    assert "Encryption test passed" in text(host, done)


def test_repair_by_search_without_a_fitting_container(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    assert certutil(host, f'-f -csp "{ksp.CAVIUM}" -repairstore My {thumbprint}').exit_code == NTE_NOT_FOUND
    assert association(host, thumbprint) is None
    assert (
        certutil(host, f'-f -csp "No Such Provider" -repairstore My {thumbprint}').exit_code
        == ksp.NTE_KEYSET_NOT_DEF
    )


def test_repair_by_property_file_sets_what_it_says_without_a_look_at_the_key(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    host.files.write(
        r"C:\repair.txt",
        REPAIR.format(
            friendly="release",
            container="7e3c-b2f5",
            provider=ksp.CAVIUM,
            provider_type=0,
            flags="0x20",
            key_spec=2,
        ).encode("ascii"),
    )
    done = certutil(host, rf"-repairstore my {bench.signing.serial_hex} C:\repair.txt")
    assert done.exit_code == 0
    assert association(host, thumbprint) == KeyProviderInfo("7e3c-b2f5", ksp.CAVIUM, 0, 32, 2)
    stored = CertificateStores(host).get(thumbprint, "My")
    assert stored is not None
    assert stored.friendly_name == "release"
    assert "Encryption test" not in text(host, done)


def inf(host: Host, body: str, encoding: str = "ascii") -> str:
    host.files.write(r"C:\p.inf", body.encode(encoding))
    return r"C:\p.inf"


def test_empty_values_delete_and_an_empty_text_does_not(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    link(host, thumbprint, "x")
    CertificateStores(host).set_friendly_name(thumbprint, "old", "My")
    path = inf(host, '[Properties]\n2 = Empty\n11 = ""\n')
    assert certutil(host, f"-repairstore My {thumbprint} {path}").exit_code == 0
    stored = CertificateStores(host).get(thumbprint, "My")
    assert stored is not None
    assert (stored.key_provider_info, stored.friendly_name) == (None, "")
    path = inf(host, "[Properties]\n11 =\n")
    assert certutil(host, f"-repairstore My {thumbprint} {path}").exit_code == 0
    stored = CertificateStores(host).get(thumbprint, "My")
    assert stored is not None
    assert stored.friendly_name is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("2 = Empty\n", 0xE0000100),
        ("[Other]\n2 = Empty\n", 0xE0000100),
        ('[Properties]\n_continue_ = "x"\n', INVALID),
        ('[Properties]\nname = "x"\n', INVALID),
        ('[Properties]\n2 = "{text}"\n_continue_ = "Container=a"\n_continue_ = "Provider=b"\n', INVALID),
        ('[Properties]\n2 = "{text}Container=a&Provider=b&Colour=red"\n', INVALID),
        ('[Properties]\n2 = "{text}Container=a&Provider=b&Flags=many"\n', INVALID),
        ('[Properties]\n2 = "{text}Container=a"\n', INVALID),
        ('[Properties]\n2 = "{hex}zz"\n', INVALID),
    ],
)
def test_a_property_file_that_breaks_the_grammar_changes_nothing(bench: Bench, body: str, code: int) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    link(host, thumbprint, "x")
    assert certutil(host, f"-repairstore My {thumbprint} {inf(host, body)}").exit_code == code
    assert association(host, thumbprint) == KeyProviderInfo("x", ksp.CAVIUM)


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_blanks_remarks_and_quotes_in_a_property_file(bench: Bench, encoding: str) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    body = '; a remark\n[Properties]\n\n2 = "{text}"  ; another\n    _continue_ = "Container = a ""b"" 100%%&"\n  _continue_="Provider=P"\n'
    assert certutil(host, f"-repairstore My {thumbprint} {inf(host, body, encoding)}").exit_code == 0
    assert association(host, thumbprint) == KeyProviderInfo('a "b" 100%', "P")


def test_a_repair_can_be_made_to_change_nothing(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    host.faults.set("repairstore_no_effect", 1)
    body = '[Properties]\n2 = "{text}Container=a&Provider=b"\n'
    assert certutil(host, f"-repairstore My {thumbprint} {inf(host, body)}").exit_code == 0
    assert association(host, thumbprint) is None


# Keys
# -----------------------------------------------------------------------------------------------------------------


def test_a_list_of_keys_can_be_made_to_fail(bench: Bench) -> None:
    host = bench.host()
    host.faults.set("key_list_fails:0x8009002D", 1)
    assert key_list(host, pin=True).exit_code == 0x8009002D
    assert key_list(host, pin=True).exit_code == 0


def test_key_lists_containers_and_shows_public_keys(bench: Bench) -> None:
    host = bench.host(3)
    name = container(bench, host)
    plain = text(host, certutil(host, '-key -csp "Cavium Key Storage provider"')).splitlines()
    assert plain == [
        "        SDK Version: 3.0",
        "Cavium Key Storage provider:",
        f"  {name}",
        "  RSA",
        "",
        "CertUtil: -key command completed successfully.",
    ]
    verbose = text(host, certutil(host, f'-v -csp "{ksp.CAVIUM}" -key'))
    dump = verbose.split("Container Public Key:\r\n")[1].split("    NCRYPT")[0]
    octets = bytes.fromhex(
        "".join(re.sub(r"^ +[0-9a-f]{4}  ", "", line) for line in dump.splitlines()).replace(" ", "")
    )
    assert octets == bench.public.public_der


def test_key_of_one_container(bench: Bench) -> None:
    host = bench.host()
    container(bench, host, "one")
    container(bench, host, "two")
    shown = text(host, certutil(host, f'-csp "{ksp.CAVIUM}" -key two'))
    assert "  two" in shown
    assert "  one" not in shown
    assert certutil(host, f'-csp "{ksp.CAVIUM}" -key three').exit_code == NTE_BAD_KEYSET


def test_a_host_without_keys_lists_none(bench: Bench) -> None:
    host = bench.host()
    done = certutil(host, f'-csp "{ksp.CAVIUM}" -key')
    assert text(host, done).splitlines() == [
        f"{ksp.CAVIUM}:",
        "CertUtil: -key command completed successfully.",
    ]
    assert certutil(host, "-csp KSP -key").exit_code == 0


def test_delkey_takes_the_key_pair_on_the_hsm_with_it(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    host = bench.host()
    name = container(bench, host)
    assert certutil(host, f'-csp "{ksp.CAVIUM}" -delkey {name}').exit_code == 0
    assert ksp.containers(host) == []
    assert bench.cluster.key(bench.private.handle) is None
    assert certutil(host, f'-csp "{ksp.CAVIUM}" -delkey {name}').exit_code == NTE_BAD_KEYSET


@pytest.mark.parametrize("sdk", [3, 5])
def test_csplist_shows_types_for_csps_only(bench: Bench, sdk: int) -> None:
    host = bench.host(sdk)
    shown = text(host, certutil(host, "-csplist"))
    assert f"Provider Name: {ksp.CAVIUM}\r\n" in shown
    assert (f"Provider Name: {ksp.CLOUDHSM}\r\n" in shown) is (sdk == 5)
    assert ksp.CAVIUM_CNG not in shown
    assert (
        "Provider Name: Microsoft Strong Cryptographic Provider\r\nProvider Type: 1 - PROV_RSA_FULL\r\n"
        in shown
    )
    ksp.unregister(host, ksp.CAVIUM)
    assert ksp.CAVIUM not in text(host, certutil(host, "-csplist"))


# What keeps a key from being opened
# -----------------------------------------------------------------------------------


def key_list(host: Host, **options: object) -> Completed:
    return run(host, "certutil", f'-csp "{ksp.CAVIUM}" -key', **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("sdk", "variable"), [(3, "n3fips_password"), (5, "CLOUDHSM_PIN")])
def test_credentials_come_from_the_environment_or_from_the_accounts_credential_manager(
    bench: Bench, sdk: int, variable: str
) -> None:
    host = bench.host(sdk)
    container(bench, host)
    done = key_list(host)
    assert done.exit_code == ksp.NTE_FAIL
    assert f"{variable} is not set" in text(host, done)
    assert key_list(host, environment={variable.upper(): PIN}).exit_code == 0
    assert key_list(host, environment={variable: f"{USER}:wrong"}).exit_code == ksp.NTE_PERM
    administrator = host.accounts.full_name("Administrator")
    secret = PASSWORD.encode("utf-16-le")
    host.credentials.write(
        administrator, "batch", Credential(client.CREDENTIAL_TARGETS[sdk], user=USER, secret=secret)
    )
    assert key_list(host, logon="batch").exit_code == 0
    assert key_list(host, logon="network").exit_code == ksp.NTE_FAIL
    host.add_user("builder", "Pw-1!")
    assert key_list(host, logon="batch", account=host.accounts.full_name("builder")).exit_code == ksp.NTE_FAIL


def test_a_stopped_service_and_an_unreachable_hsm(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    host, other = bench.host(3), bench.host(5)
    host.services.stop(client.SERVICE)
    assert key_list(host, pin=True).exit_code == ksp.NTE_DEVICE_NOT_READY
    host.services.start(client.SERVICE)
    assert key_list(host, pin=True).exit_code == 0
    bench.cluster.down.add(bench.cluster.addresses[0])
    assert key_list(other, pin=True).exit_code == 0
    bench.cluster.down.update(bench.cluster.addresses)
    assert key_list(host, pin=True).exit_code == ksp.NTE_DEVICE_NOT_READY
    assert key_list(other, pin=True).exit_code == ksp.NTE_DEVICE_NOT_READY


def test_one_host_can_be_cut_off(bench: Bench) -> None:
    host = bench.host()
    host.faults.set("hsm_unreachable")
    assert key_list(host, pin=True).exit_code == ksp.NTE_DEVICE_NOT_READY
    assert key_list(bench.host(), pin=True).exit_code == 0


def test_containers_need_the_compatibility_mode_of_sdk_5(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    link(host, thumbprint, container(bench, host))
    run(host, rf"{client.PROGRAMS}\bin\configure-ksp.exe", "--disable-sdk3-compatibility-mode")
    assert "Missing stored keyset" in text(host, certutil(host, "-store My"))
    assert "  codesign\r\n" in text(host, key_list(host, pin=True))


def test_without_the_compatibility_mode_names_are_searched_and_files_are_not(
    make_bench: Callable[..., Bench],
) -> None:
    """A container is the key's own name then, and one that two keys bear opens neither of them."""
    bench = make_bench()
    host, name = bench.host(), bench.private.label
    container(bench, host)
    thumbprint = bench.store(host)
    run(host, rf"{client.PROGRAMS}\bin\configure-ksp.exe", "--disable-sdk3-compatibility-mode")
    found = certutil(host, f'-f -csp "{ksp.CLOUDHSM}" -repairstore My {thumbprint}')
    assert "Encryption test passed" in text(host, found)
    tied = association(host, thumbprint)
    assert tied is not None
    assert (tied.container, tied.provider) == (name, ksp.CLOUDHSM)
    asked = f'-csp "{ksp.CLOUDHSM}" -key "{name}"'
    assert f"  {name}\r\n  RSA\r\n" in text(host, certutil(host, asked))
    double = bench.cluster.double(bench.private.handle)
    assert "0x80090016" in text(host, certutil(host, asked))
    for handle in double:
        bench.cluster.delete_key(handle)
    bench.cluster.name(bench.private.handle, "")
    assert certutil(host, asked).exit_code == ksp.NTE_BAD_KEYSET
    assert "RSA" not in text(host, key_list(host, pin=True))


def test_a_key_on_one_hsm_is_refused_where_availability_is_checked(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    sdk5, sdk3 = bench.host(), bench.host(3)
    for host in (sdk5, sdk3):
        link(host, bench.store(host), container(bench, host))
    bench.cluster.set_copies(bench.private.handle, 1)
    shown = text(sdk5, certutil(sdk5, "-store My"))
    assert "must be available on at least 2 HSMs" in shown
    assert "Encryption test FAILED: 0x8009002d" in shown
    assert "Encryption test passed" in text(sdk3, certutil(sdk3, "-store My"))
    run(sdk5, rf"{client.PROGRAMS}\bin\configure-ksp.exe", "--disable-key-availability-check")
    assert "Encryption test passed" in text(sdk5, certutil(sdk5, "-store My"))


def test_a_reader_needs_rights_on_the_containers_file(bench: Bench) -> None:
    host = bench.host()
    name = container(bench, host)
    link(host, bench.store(host), name)
    host.add_user("builder", "Pw-1!")
    account = host.accounts.full_name("builder")
    assert "Missing stored keyset" in text(host, certutil(host, "-store My", account=account))
    assert run(host, "icacls", rf"{ksp.CONTAINERS}\{name} /grant {account}:(R)").exit_code == 0
    assert "Encryption test passed" in text(host, certutil(host, "-store My", account=account))
    assert run(host, "icacls", rf"{ksp.CONTAINERS}\{name} /remove {account}").exit_code == 0
    assert "Missing stored keyset" in text(host, certutil(host, "-store My", account=account))


def test_a_key_that_is_gone_from_the_hsm(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    host = bench.host()
    link(host, bench.store(host), container(bench, host))
    bench.cluster.delete_pair(bench.private.handle)
    assert "Missing stored keyset" in text(host, certutil(host, "-store My"))


def test_early_versions_of_the_sdk_5_provider_deny_a_good_link(bench: Bench) -> None:
    from lab.windows import packages

    host = bench.host()
    link(host, bench.store(host), container(bench, host))
    old = packages.by_file_name("AWSCloudHSMKSP-5.15.0-1.msi")
    assert old is not None
    old.install(host)
    shown = text(host, certutil(host, "-store My"))
    assert "ERROR: Could not verify certificate public key against private key" in shown
    packages.PACKAGES["ksp5"].install(host)
    assert "Encryption test passed" in text(host, certutil(host, "-store My"))


def test_lines_of_the_provider_can_stand_anywhere(bench: Bench) -> None:
    host = bench.host()
    link(host, bench.store(host), container(bench, host))
    host.faults.set("ksp_noise", 1)
    assert "logging.cc" in text(host, certutil(host, "-store My"))
    assert "logging.cc" not in text(host, certutil(host, "-store My"))


# The CA of the host
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "many"), [("ca.cert", 1), ("ca.chain", 2)])
def test_the_ca_s_certificate_and_chain(bench: Bench, verb: str, many: int) -> None:
    host = bench.host()
    authority.install(host, bench.pki)
    done = certutil(host, rf"-{verb} C:\ca.out")
    assert done.exit_code == 0, text(host, done)
    content = host.files.read(r"C:\ca.out")
    found = (
        [x509.load_der_x509_certificate(content)] if many == 1 else pkcs7.load_der_pkcs7_certificates(content)
    )
    assert set(found) == {bench.pki.intermediate.certificate, bench.pki.root.certificate} - (
        {bench.pki.root.certificate} if many == 1 else set()
    )
    assert certutil(host, rf"-{verb} C:\ca.out").exit_code == FILE_EXISTS
    assert certutil(host, rf"-f -{verb} C:\ca.out").exit_code == 0
    host.services.stop(authority.SERVICE)
    assert certutil(host, rf"-f -{verb} C:\ca.out").exit_code == 0x800706BA
    authority.remove(host)
    done = certutil(host, rf"-f -{verb} C:\ca.out")
    assert done.exit_code == 0x80070103
    assert "No local Certification Authority; use -config option" in text(host, done)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("-ca.cert", 1),
        (r"-csp x -ca.cert C:\ca.out", 1),
        (r"-config A\B -ca.cert C:\ca.out", NOT_DONE),
        (r"-ca.chain C:\ca.out 1", NOT_DONE),
        (r"-ca.chain C:\ca.out 1 2", 1),
        (r"-ca.certs C:\ca.out", 1),
    ],
)
def test_command_lines_of_the_ca(bench: Bench, arguments: str, code: int) -> None:
    host = bench.host()
    authority.install(host, bench.pki)
    assert certutil(host, arguments).exit_code == code


def test_a_chain_that_the_host_does_not_have(bench: Bench) -> None:
    host = bench.host()
    authority.install(host, bench.pki)
    CertificateStores(host).remove(bench.pki.root.thumbprint, "Root")
    assert certutil(host, r"-ca.chain C:\ca.out").exit_code == 0x800B010A
