# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES of the documentation as tasks for the lab: what stands for their made-up values, what is there
before, what they come to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.hsm.softhsm import module_path
from support.aws_api import make_cluster
from support.documentation import COLLECTION, PLUGINS, documentation
from support.playbook import PlaybookRun, run_playbook
from support.signable import Vendor, installer, programs, tampered, thumbprint

from .conftest import COLLECTIONS, Bench

LINUX = "localhost"
CLUSTER = "cluster-lab2mhsm1ab"
"""The lab's, so that a host may ask for it as well."""
OTHER_CLUSTER = "cluster-lab2mhsm2cd"
KIT = r"C:\Program Files (x86)\Windows Kits"
_SIGNTOOL = r"C:\Program Files\cloudhsm.codesign\signtool\bin"
FOLDERS = (
    *(
        ("en5", folder)
        for folder in (KIT, r"C:\build", r"C:\vendor", r"C:\release", r"C:\ProgramData\codesign")
    ),
    *(("fr3", KIT), ("de5", r"C:\certificates")),
)
"""What the files of the examples are in."""
Task = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """Where an example runs and what it comes to. ``damage``: what is broken on the host before. ``first``:
    tasks that a reader has run by then.
    """

    name: str
    host: str
    changed: bool
    damage: Sequence[str] = ()
    first: Sequence[Task] = ()


# Tasks that the examples take for granted
# -----------------------------------------------------------------------------------

_LOGIN = {"crypto_user": "{{ codesign_crypto_user }}", "crypto_password": "{{ codesign_crypto_password }}"}
_HANDLES: Task = {
    "name": "Look up the handles that the example has from its reader",
    f"{COLLECTION}.cloudhsm_find_key_by_modulus": {
        "certificate_content": "{{ lookup('ansible.builtin.file', 'signing.pem') }}",
        **_LOGIN,
    },
    "register": "lab_pair",
}
_SIGNED: Task = {
    "name": "Sign what is written down next",
    f"{COLLECTION}.win_signtool": {
        "files": [r"C:\release\*.exe"],
        "thumbprint": "{{ codesign_thumbprint }}",
        **_LOGIN,
    },
    "register": "signed",
}
_RELEASE: Task = {
    "name": "Sign the release that is verified next",
    f"{COLLECTION}.win_signtool": {
        "files": [r"C:\release\*.exe"],
        "thumbprint": "{{ codesign_thumbprint }}",
        **_LOGIN,
    },
}

_ANSWER: Task = {
    "name": "Let the lab's CA answer the request",
    "lab_door": {
        "state": "{{ lab_state }}",
        "ask": [["issue", {"csr": "requests/release.csr", "answer": "requests/answer.pem"}]],
    },
}
_STATE: Task = {
    "name": "Read the state that the example reports on",
    f"{COLLECTION}.win_codesign_info": {},
    "register": "codesign_state",
}

_AUTHORITY: Task = {
    "name": "Make the host a certificate authority",
    "lab_door": {"state": "{{ lab_state }}", "ask": [["authority", {"host": "zh5"}]]},
}
_EXPORTED: Task = {
    "name": "Read what the host signs with for its files",
    f"{COLLECTION}.win_certificate_export": {},
    "register": "codesign_exported",
}
_FORMER: Task = {
    "name": "Have an identity whose certificate was renewed",
    "ansible.builtin.set_fact": {
        "codesign_identities": [{"name": "release", "certificate": "release.pem", "former": ["former.pem"]}]
    },
}

# In this order: what one has made is there for the next.
EXAMPLES = (
    Example("Find the cluster that is tagged for code signing", "en5", changed=False),
    Example("Check customerCA.crt before it is handed out", "en5", changed=False),
    Example(
        "Ask as a role of another account, behind a proxy that has its own authority", "en5", changed=False
    ),
    Example("List all clusters of the account in this region", "en5", changed=False),
    Example("A cluster that knows its clients by their certificates", "en5", changed=True),
    Example("Let the configure tools ask AWS for the addresses, and log warnings only", "en5", changed=True),
    Example("Let cloudhsm-cli know a second cluster, for look-ups", "en5", changed=True),
    Example("Let cloudhsm-cli forget it", "en5", changed=True),
    Example("Take the client's certificate and its key from a host that leaves", "en5", changed=True),
    Example(
        "Configure the client for a cluster with two HSMs",
        "en5",
        changed=True,
        damage=["client_configuration"],
    ),
    Example("Client SDK 3 on a cluster of the old type", "en3", changed=True, damage=["service"]),
    Example("Look what would change, from a network that the HSMs do not let in", "de5", changed=True),
    Example("Find the key of a certificate in the Windows host's store", "en5", changed=False),
    Example("Find both keys with the tool of Client SDK 3", "en3", changed=False),
    Example("Find the key on a Linux host by PKCS#11", LINUX, changed=False),
    Example(
        "Make the key container of a certificate in the machine's store",
        "en5",
        changed=True,
        damage=["container", "association"],
    ),
    Example(
        "Make it with Client SDK 3 from known handles, for a build agent too",
        "en3",
        changed=True,
        damage=["container", "association"],
        first=[_HANDLES],
    ),
    Example(
        "Tie the certificate to the container that holds its key, and give it a name", "en5", changed=True
    ),
    Example("Let certutil find the container, and try the key", "de5", changed=True, damage=["association"]),
    Example("Show when each signing certificate ends", "en5", changed=False),
    Example("Remember the thumbprint of the first identity", "en5", changed=False),
    Example("Tie a certificate to the key that belongs to it", "fr3", changed=True, damage=["association"]),
    Example("Sign the programs of a build, with a timestamp", "en5", changed=True),
    Example("Add a signature beside the vendor's and write it into the ledger", "en5", changed=True),
    Example(
        "Fail unless all files of a release are signed and trusted", "en5", changed=False, first=[_RELEASE]
    ),
    Example(
        "Look at everything, compare nothing but what is always needed",
        "fr3",
        changed=False,
        damage=["service"],
    ),
    Example("Compare the host with what is wanted", "en5", changed=False),
    Example("Report on all hosts of the play", "en5", changed=True, first=[_STATE]),
    Example("Show how the fleet is, and write nothing", "en5", changed=False),
    Example("Make one report of the slices of a job", "en5", changed=True),
    Example("Know that everything is there before anything is done", "en5", changed=False),
    Example("Know which variables differ from what a look needs, and go on", "en5", changed=False),
    Example("Compare the variables with what AWS says of the clusters", "en5", changed=False),
    Example("Know that a login is there", "en5", changed=False),
    Example("Write the cluster's issuing certificate", "en5", changed=False),
    Example("Show the file that the cluster's certificate was issued by", "en5", changed=False),
    Example("Show several files of the control node", "en5", changed=False),
    Example("Show further clusters with the content of the files that they name", "en5", changed=False),
    Example("Is the crypto user's login still good?", "en5", changed=False),
    Example(
        "Put the certificates of all identities into their stores", "en5", changed=True, damage=["chain"]
    ),
    Example(
        "See what would be added where the signing certificate belongs to the account, and its chain to the machine",
        "en5",
        changed=True,
    ),
    Example(
        "One certificate with its chain, and a publisher whom Windows does not ask about", "zh5", changed=True
    ),
    Example("Make a key in the HSM and a request for the CA", "de5", changed=True),
    Example("Accept what the CA answered", "de5", changed=True, first=[_ANSWER]),
    Example("Make a request for the key that signs already, for a renewal", "de5", changed=True),
    Example(
        "See whether a larger key would be made for the next certificate of that subject", "de5", changed=True
    ),
    Example("Read what this host signs with", "en5", changed=False),
    Example("Read one certificate with its chain, whatever it is tied to", "fr3", changed=False),
    Example(
        "Ask the certificate authority for its certificate and chain",
        "zh5",
        changed=False,
        first=[_AUTHORITY],
    ),
    Example("Write the release's certificate and its chain into files", "en5", changed=True),
    Example("See what would be written elsewhere", "en5", changed=True),
    Example("Write what a host signs with into files", "en5", changed=True, first=[_EXPORTED]),
    Example("Is SignTool there, and not too old?", "en5", changed=False),
    Example("Install SignTool from Microsoft's server", "en5", changed=False),
    Example("Install it on a host that reaches the internet by a proxy", "en5", changed=False),
    Example("Install it by a proxy that wants to know who asks", "en5", changed=False),
    Example("Install it from the company's own server, where it is older than wanted", "en5", changed=False),
    Example("See whether it would be installed into another folder", "en5", changed=True),
    Example("Show which certificates could go", LINUX, changed=False, first=[_FORMER]),
    Example("Show until when each is kept", LINUX, changed=False),
    Example("Take out what is of no use any more", "fr3", changed=False),
    Example("Take the certificate out that was in use before the renewal", "zh5", changed=False),
    Example(
        "Let the provider open keys by their own names, though certificates are tied to key reference files",
        "zh5",
        changed=True,
    ),
    Example("Say the name by which the key is opened directly", "zh5", changed=False),
    Example("Take the association away from a host that shall not sign any more", "zh5", changed=True),
    Example("Remove the container from a host that shall not sign any more", "zh5", changed=True),
    Example("Take all certificates out that this collection has put there", "zh5", changed=True),
    Example("Sign a program of the control node in its place", "en5", changed=True),
    Example("Put the signed program beside the original", "en5", changed=True),
    Example("Share out all programs of a build", "en5", changed=False),
    Example(
        "See which host would sign what, for copies in a folder of their own",
        "en5",
        changed=False,
    ),
    Example("Share out again what a host did not bring back", "en5", changed=False),
    Example("Sign the share that this host has by a plan", "en5", changed=True),
    Example("Write down what was signed on this host", "en5", changed=True, first=[_SIGNED]),
    Example("Say what signing came to", "en5", changed=False, first=[_SIGNED]),
    Example("Say what signing came to on this host alone", "en5", changed=False, first=[_SIGNED]),
    Example("Say it with what was changed before", "en5", changed=False, first=[_SIGNED]),
    Example("Write down what several hosts signed", "en5", changed=True),
    Example("Write down what came of files of the control node", "en5", changed=True),
    Example(
        "See whether this account can sign with the key, and why not",
        "de5",
        changed=False,
        damage=["container"],
    ),
)


def made_up(bench: Bench) -> dict[Any, Any]:
    """What stands in the lab for each value that the examples made up. Texts are replaced wherever they
    occur.
    """
    cluster, tsa = bench.lab.status()["cluster"], bench.lab.status()["tsa"]
    return {
        "cluster-igklspoyj5v": CLUSTER,
        "cluster-mx2qtp3kd7a": OTHER_CLUSTER,
        r"BUILD\agent": r"NT AUTHORITY\NETWORK SERVICE",
        "10.0.1.17": cluster["addresses"][0],
        "10.0.2.23": cluster["addresses"][1],
        "hsm2m": cluster["hsm_type"],
        "184EFBD18B376F996FFD3D79C2622334481D4409": _thumbprint(bench),
        "http://timestamp.digicert.com": tsa,
        "http://timestamp.sectigo.com": tsa,
        1835009: "{{ lab_pair.key.private.handle }}",
        1835010: "{{ lab_pair.key.public.handle }}",
        r"BUILD01\agent": r"NT AUTHORITY\NETWORK SERVICE",
        "requests/": f"{_requests(bench)}/",
        "reports/": f"{bench.lab.state / 'reports'}/",
        "files/": f"{_requests(bench)}/files/",
        "/srv/release": str(_release(bench)),
        "/etc/pki/signing.pem": str(_pki(bench) / "signing.pem"),
        "/opt/cloudhsm/lib/libcloudhsm_pkcs11.so": module_path(),
    }


def variables(bench: Bench, host: str) -> dict[str, Any]:
    """The variables that the examples read; all others they register themselves, or the inventory has them."""
    secrets = bench.secrets
    if host == LINUX:
        # SoftHSM's login is a PIN without a user.
        secrets["codesign_crypto_password"] = (bench.lab.state / "hsm" / "pin").read_text(encoding="ascii")
    serial = f"{_certificate(bench).serial_number:x}"
    return {
        **secrets,
        "codesign_thumbprint": _thumbprint(bench),
        "codesign_serial_number": serial.zfill(len(serial) + len(serial) % 2),
        "lab_state": str(bench.lab.state),
        "codesign_signtool_proxy_password": "through-the-proxy",
        "codesign_cluster_id": CLUSTER,
        "codesign_client_lookup_clusters": [{"cluster_id": OTHER_CLUSTER, "customer_ca": "otherCA.crt"}],
    }


def control_files(bench: Bench, folder: Path) -> None:
    """The files beside the playbook."""
    folder.mkdir(parents=True)
    for name, source in (
        ("customerCA.crt", "customerCA.crt"),
        ("otherCA.crt", "otherCA.crt"),
        ("signing.pem", "signing.pem"),
        ("release.cer", "signing.cer"),
        ("release.pem", "signing.pem"),
        ("intermediate.pem", "intermediate.pem"),
        ("root.pem", "root.pem"),
        ("former.pem", "signing-expired.pem"),
    ):
        shutil.copyfile(_pki(bench) / source, folder / name)
    own_certificate(folder)


def release(bench: Bench) -> None:
    """Files of the control node that are to be signed."""
    folder = _release(bench) / "dist"
    shutil.rmtree(folder.parent, ignore_errors=True)
    (folder / "plugins").mkdir(parents=True)
    program = programs()
    for name, content in (
        ("app.exe", program["setup64.exe"]),
        ("tool.exe", program["setup32.exe"]),
        ("plugins/plugin.exe", program["library.dll"]),
        ("setup.msi", installer(folder.parent)),
    ):
        (folder / name).write_bytes(content)
    (folder.parent / "readme.txt").write_text("no program", encoding="ascii")


def _release(bench: Bench) -> Path:
    return bench.lab.state / "release"


def own_certificate(folder: Path) -> None:
    """A certificate that a client shows, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "ssl-client.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "ssl-client.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))


def host_files(bench: Bench, folder: Path) -> dict[tuple[str, str], bytes]:
    """The files on the hosts, in FOLDERS; SignTool is where the Windows SDK puts it."""
    program, (version,) = programs(), bench.lab.ask("list", host="en5", path=_SIGNTOOL)["folders"]
    signtool = {
        host: bench.lab.read(host, rf"{_SIGNTOOL}\{version}\x64\signtool.exe") for host in ("en5", "fr3")
    }
    return {
        **{
            (host, rf"{KIT}\10\bin\{version}\x64\signtool.exe"): content or b""
            for host, content in signtool.items()
        },
        ("en5", r"C:\build\app.exe"): program["setup64.exe"],
        ("en5", r"C:\build\tool.exe"): program["setup32.exe"],
        ("en5", r"C:\build\setup.msi"): installer(folder),
        ("en5", r"C:\vendor\driver.dll"): Vendor(folder / "vendor").sign(program["library.dll"]),
        ("en5", r"C:\vendor\changed.exe"): tampered(Vendor(folder / "changed").sign(program["setup64.exe"])),
        ("en5", r"C:\release\app.exe"): program["setup64.exe"],
        ("en5", r"C:\ProgramData\codesign\signed.jsonl"): b"",
        ("de5", r"C:\certificates\signing.cer"): (_pki(bench) / "signing.cer").read_bytes(),
    }


def clusters(bench: Bench) -> None:
    """The cluster of the examples. The lab's CA has signed itself, and nothing else: its certificate is the
    cluster's too.
    """
    certificate = (_pki(bench) / "customerCA.crt").read_text(encoding="ascii")
    make_cluster(CLUSTER, {"purpose": "code-signing"}, ["10.0.1.17", "10.0.2.23"], certificate)


# The documentation
# ----------------------------------------------------------------------------------------------------------


def documented() -> dict[str, dict[str, Any]]:
    """All examples, by their names."""
    tasks = [task for plugin in PLUGINS for task in documentation(plugin, "EXAMPLES")]
    found = {str(task["name"]): task for task in tasks}
    assert len(found) == len(tasks), "two examples have one name"
    return found


def replaced(value: Any, table: Mapping[Any, Any]) -> Any:
    """A task with the lab's values for the made-up ones."""
    if isinstance(value, dict):
        return {name: replaced(item, table) for name, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, table) for item in value]
    if isinstance(value, str):
        for name, ours in table.items():
            value = value.replace(name, str(ours)) if isinstance(name, str) else value
        return value
    return table.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def texts(value: Any) -> Iterator[Any]:
    """All values in a task."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if items is None:
        yield value
    else:
        for item in items:
            yield from texts(item)


# The run
# --------------------------------------------------------------------------------------------------------------------


def run(
    bench: Bench, folder: Path, environment: Mapping[str, str], extra: Sequence[tuple[str, Task]]
) -> PlaybookRun:
    """Runs all examples in one playbook, each as a play of its own; ``extra``: further tasks, each with its
    host, after them.
    """
    control_files(bench, folder / "files")
    release(bench)
    for (host, path), content in host_files(bench, folder).items():
        bench.lab.write(host, path, content)
    tasks, table = documented(), made_up(bench)
    plays = [
        _play(
            bench,
            example.host,
            [
                *_door(bench, example),
                *(replaced(task, table) for task in (*example.first, tasks[example.name])),
            ],
            environment,
        )
        for example in EXAMPLES
    ]
    plays += [_play(bench, host, [replaced(task, table)], environment) for host, task in extra]
    playbook = folder / "examples.yml"
    playbook.write_text(yaml.safe_dump(plays, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return run_playbook(
        playbook, bench.lab.inventory, collections=COLLECTIONS, extra=["--diff"], keep_results=True
    )


def _play(bench: Bench, host: str, tasks: Sequence[Task], environment: Mapping[str, str]) -> dict[str, Any]:
    token = {"SOFTHSM2_CONF": str(bench.lab.state / "hsm" / "softhsm2.conf")}
    return {
        "name": str(tasks[-1]["name"]),
        "hosts": host,
        "gather_facts": False,
        "ignore_errors": True,
        "environment": {**environment, **token},
        "vars": variables(bench, host),
        "tasks": [dict(task) for task in tasks],
    }


def _door(bench: Bench, example: Example) -> list[Task]:
    ask = [["damage", {"host": example.host, "name": name}] for name in example.damage]
    return (
        [{"name": "Break what the example repairs", "lab_door": {"state": str(bench.lab.state), "ask": ask}}]
        if ask
        else []
    )


def restore(bench: Bench) -> None:
    """Nothing of the examples is left for which site.yml does not care."""
    for host, folder in FOLDERS:
        bench.lab.remove(host, folder)
    shutil.rmtree(_requests(bench), ignore_errors=True)
    bench.lab.ask("authority", host="zh5", remove=True)
    for what in ("certificate", "container"):
        bench.lab.damage("de5", what)
    # Only a certificate that is imported anew has no friendly name at all.
    assert bench.lab.damage("en5", "certificate") > 0


def _requests(bench: Bench) -> Path:
    folder = bench.lab.state / "requests"
    folder.mkdir(exist_ok=True)
    return folder


def _pki(bench: Bench) -> Path:
    return Path(bench.lab.info["pki"])


def _certificate(bench: Bench) -> x509.Certificate:
    return x509.load_pem_x509_certificate(bench.certificate("signing").encode("ascii"))


def _thumbprint(bench: Bench) -> str:
    return thumbprint(_certificate(bench))
