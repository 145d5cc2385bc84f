# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift matrix: every thing that the roles manage on a host, by how it can be wrong.

``THINGS`` is the table: a thing, the scenes that have it, its kind. ``KINDS`` says how a thing of a kind can be wrong, and what
becomes of it. ``CELLS`` is their product: a thing that is wrong in one way, on a host of one scene. What drift.yml and
site.yml promise of each is held against the product below Ansible and by a fleet, and docs/drift.md is written from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lab.windows import client, ksp, packages
from lab.windows.access import FULL, READ, USERS, Ace, Acl
from lab.windows.certstore import ARCHIVED, FRIENDLY_NAME, KEY_PROV_INFO, MACHINE, USER, CertificateStores
from lab.windows.credentials import Credential
from lab.windows.filesystem import join
from lab.windows.host import Host, program_bytes
from support.drift_world import FURTHER, GONE, OTHER, READER, SCENES
from support.playbook import ROOT

Break = Callable[[Host], object]
Verdict = Literal["repaired", "refused", "notice", "good", "unseen", "renewed"]
"""``repaired``: drift names it and site repairs it. ``refused``: drift names it, and site fails there by name, as no role
repairs it. ``notice``: it is shown, and fails nothing. ``good``: it is as good as what is wanted, so nothing is named.
``unseen``: a look cannot tell, so nothing is named. ``renewed``: a look cannot tell, and site puts it right all the same.
"""


@dataclass(frozen=True)
class Damage:
    """One way to be wrong. ``link`` and ``what`` (a part of it) are of the finding; ``role`` is the one that repairs it.

    ``leaves``: a part of the places where something of the damage stays, as it is in nobody's way.
    ``alone``: that what else is damaged would show itself otherwise, so that it has a host of its own.
    ``says``: what stands in the message with which site fails, where no role repairs it; ``what`` unless given.
    ``why`` says for people why no role repairs it, or why it is not seen. ``along``: link and part of what else is named, as it
    goes along with it. ``many``: that it is named once or more, as by each value of a file that is missing.
    """

    do: Break
    verdict: Verdict = "repaired"
    link: str = ""
    what: str = ""
    role: str = ""
    why: str = ""
    along: tuple[tuple[str, str], ...] = ()
    many: bool = False
    says: str = ""
    leaves: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Thing:
    """Something that roles manage. ``of`` is what its kind has to know of it."""

    name: str
    kind: str
    scenes: tuple[str, ...]
    of: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A thing that is wrong in one way, on a host of a scene."""

    scene: str
    thing: str
    how: str
    damage: Damage
    part: str = ""
    """What of a host is damaged: two cells of one part do not fit on one host."""

    @property
    def name(self) -> str:
        """For people and for a test's id."""
        return f"{self.scene}: {self.thing}: {self.how}"


# Certificates
# ---------------------------------------------------------------------------------------------------------------

FOLDERS = {"LocalMachine": "HKLM"}
POLICIES = r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates"


def _der(host: Host, name: str) -> bytes:
    pki = host.fleet.pki  # type: ignore[union-attr]
    return {"root": pki.root, "intermediate": pki.intermediate}.get(name, pki.issued.get(name)).der  # type: ignore[union-attr]


def _thumbprint(host: Host, name: str) -> str:
    pki = host.fleet.pki  # type: ignore[union-attr]
    return str(
        {"root": pki.root, "intermediate": pki.intermediate}.get(name, pki.issued.get(name)).thumbprint
    )  # type: ignore[union-attr]


ADMINISTRATOR = "Administrator"


def _account(host: Host) -> str:
    return host.accounts.full_name(ADMINISTRATOR)


def _property(host: Host, of: Mapping[str, Any], number: int, data: bytes | None) -> None:
    CertificateStores(host).set_property(
        _thumbprint(host, of["file"]), number, data, of["store"], of.get("location", MACHINE), _account(host)
    )


def _blob(host: Host, of: Mapping[str, Any], change: Callable[[bytes], bytes]) -> None:
    """Changes the bytes of an entry where Windows keeps it."""
    thumbprint = _thumbprint(host, of["file"])
    if of.get("location", MACHINE) == USER:
        path = rf"C:\Users\{ADMINISTRATOR}\AppData\Roaming\Microsoft\SystemCertificates\My\Certificates\{thumbprint}"
        host.files.write(path, change(host.files.read(path)), by="damage")
        return
    name = "MY" if of["store"] == "My" else of["store"]
    key = rf"HKLM\SOFTWARE\Microsoft\SystemCertificates\{name}\Certificates\{thumbprint}"
    value = host.registry.get(key, "Blob")
    assert value is not None
    assert isinstance(value.data, bytes)
    host.registry.set(key, "Blob", "Binary", change(value.data))


def _other_certificate(host: Host, of: Mapping[str, Any]) -> None:
    """The entry holds another certificate than the one that it is named by."""
    stores, there = CertificateStores(host), []
    location = of.get("location", MACHINE)
    other = _der(host, "signing-second")
    stores.add(other, "TrustedPeople", MACHINE)
    key = rf"HKLM\SOFTWARE\Microsoft\SystemCertificates\TrustedPeople\Certificates\{_thumbprint(host, 'signing-second')}"
    value = host.registry.get(key, "Blob")
    assert value is not None
    there.append(value.data)
    stores.remove(_thumbprint(host, "signing-second"), "TrustedPeople", MACHINE)
    _blob(host, {**of, "location": location}, lambda _old: there[0])


def _into_policy(host: Host, of: Mapping[str, Any]) -> None:
    stores = CertificateStores(host)
    thumbprint = _thumbprint(host, of["file"])
    key = rf"HKLM\SOFTWARE\Microsoft\SystemCertificates\{of['store']}\Certificates\{thumbprint}"
    value = host.registry.get(key, "Blob")
    assert value is not None
    host.registry.set(rf"{POLICIES}\{of['store']}\Certificates\{thumbprint}", "Blob", "Binary", value.data)
    stores.remove(thumbprint, of["store"])


def certificate(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A certificate in its store."""
    where = f"in {of.get('location', MACHINE)}\\{of['store']}"
    base = Damage(lambda _host: None, "repaired", "certificate", where, "certificates")

    def remove(host: Host) -> object:
        return CertificateStores(host).remove(
            _thumbprint(host, of["file"]), of["store"], of.get("location", MACHINE), _account(host)
        )

    yield "missing", replace(base, do=remove)
    yield "another certificate in its place", replace(base, do=lambda host: _other_certificate(host, of))
    yield "entry cut off", replace(base, do=lambda host: _blob(host, of, lambda old: old[: len(old) // 2]))
    yield "entry empty", replace(base, do=lambda host: _blob(host, of, lambda old: b""))
    yield (
        "archived: hidden by Windows",
        replace(
            base,
            do=lambda host: _property(host, of, ARCHIVED, b""),
            verdict="refused",
            why="somebody has archived it on purpose",
        ),
    )
    if of["store"] in ("Root", "CA"):
        yield (
            "in the store of a group policy instead",
            replace(
                base,
                do=lambda host: _into_policy(host, of),
                verdict="good",
                why="Windows shows both as one store",
            ),
        )


def former(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The certificate of before a renewal."""
    yield (
        "there still",
        Damage(
            lambda host: CertificateStores(host).add(_der(host, of["file"]), of["store"]),
            "repaired",
            "certificate",
            "former certificate",
            "certificates",
        ),
    )


# Keys
# -----------------------------------------------------------------------------------------------------------------


def _tie(host: Host, of: Mapping[str, Any], **changed: Any) -> None:
    """Changes fields of the association."""
    stores, location = CertificateStores(host), of.get("location", MACHINE)
    thumbprint = _thumbprint(host, of["file"])
    stored = stores.get(thumbprint, "My", location, _account(host))
    assert stored is not None
    assert stored.key_provider_info is not None
    stores.set_key_provider_info(
        thumbprint, replace(stored.key_provider_info, **changed), "My", location, _account(host)
    )


_TIED = Damage(lambda _host: None, "repaired", "container", "association of", "key_container")


def association(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The association as a whole."""
    yield "missing", replace(_TIED, do=lambda host: _property(host, of, KEY_PROV_INFO, None))
    yield "cut off", replace(_TIED, do=lambda host: _property(host, of, KEY_PROV_INFO, bytes(7)))
    yield (
        "names outside of it",
        replace(_TIED, do=lambda host: _property(host, of, KEY_PROV_INFO, b"\xff" * 40)),
    )


def tied_container(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The container in it."""
    lost = replace(_TIED, what="key container of")
    if of.get("direct"):
        lost = replace(
            lost,
            verdict="unseen",
            why="whether the HSM has a key of that name is known to a login only: codesign_prove asks",
        )
    yield "empty", replace(_TIED, do=lambda host: _tie(host, of, container=""), what="key container of")
    yield (
        "a name that there is not",
        replace(lost, do=lambda host: _tie(host, of, container="no-such-container")),
    )


def tied_provider(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The provider in it."""
    base = replace(_TIED, link="provider", what="provider in the association")
    others = {
        "empty": "",
        "one of Windows": "Microsoft Software Key Storage Provider",
        "the provider's other name": "Cavium Key Storage Provider"
        if of.get("direct")
        else "CloudHSM Key Storage Provider",
    }
    for how, name in others.items():
        yield how, replace(base, do=lambda host, name=name: _tie(host, of, provider=name))  # type: ignore[misc]


def tied_number(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A number in it that the user asks for."""
    yield (
        "another value",
        replace(
            _TIED,
            do=lambda host: _tie(host, of, **{of["field"]: of["other"]}),
            what=f"{of['called']} in the association",
        ),
    )


def friendly_name(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The friendly name that the user asks for."""
    base = replace(_TIED, link="certificate", what="friendly name of")
    yield "missing", replace(base, do=lambda host: _property(host, of, FRIENDLY_NAME, None))
    yield (
        "another one",
        replace(base, do=lambda host: _property(host, of, FRIENDLY_NAME, "Old\0".encode("utf-16-le"))),
    )
    yield "no text", replace(base, do=lambda host: _property(host, of, FRIENDLY_NAME, b"\x00\xd8R\x00"))


def _references(host: Host, change: Callable[[str], object]) -> None:
    for name in host.files.list(ksp.CONTAINERS):
        change(join(ksp.CONTAINERS, name))


def reference(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The key reference file of the container."""
    base = replace(_TIED, what="key container of")
    for how, content in (("empty", b""), ("nothing but zeros", bytes(64))):
        yield (
            how,
            replace(
                base,
                do=lambda host, content=content: _references(  # type: ignore[misc]
                    host, lambda path: host.files.write(path, content, by="damage")
                ),
            ),
        )
    yield "missing", replace(base, do=lambda host: _references(host, host.files.remove))
    yield "its folder missing", replace(base, do=lambda host: host.files.remove_tree(ksp.CONTAINERS))

    def stale(host: Host) -> None:
        for one in ksp.containers(host):
            data = {"name": one.inner, "handle": one.handle + 0x70000, "cluster": one.cluster_id}
            host.files.write(join(ksp.CONTAINERS, one.name), json.dumps(data).encode(), by="damage")

    unseen = (
        "what is in it is AWS's; that it opens the key is known to the provider only: codesign_prove asks"
    )
    yield "stale: a key that there is not", replace(base, do=stale, verdict="unseen", why=unseen)


def readers(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """Who may read the key reference file."""
    base = replace(_TIED, what="readers of the key container")

    def without(host: Host, path: str) -> None:
        acl, sid = host.files.access(path), host.accounts.sid(READER)
        host.files.set_access(path, replace(acl, entries=tuple(one for one in acl.entries if one.sid != sid)))

    def denied(host: Host, path: str) -> None:
        acl, sid = host.files.access(path), host.accounts.sid(READER)
        host.files.set_access(path, replace(acl, entries=(Ace(sid, READ, allow=False), *acl.entries)))

    def other(host: Host, path: str) -> None:
        acl = host.files.access(path)
        host.files.set_access(path, replace(acl, entries=(*acl.entries, Ace(host.accounts.sid(OTHER), READ))))

    yield "missing", replace(base, do=lambda host: _references(host, lambda path: without(host, path)))
    yield (
        "denied",
        replace(
            base,
            do=lambda host: _references(host, lambda path: denied(host, path)),
            verdict="refused",
            why="somebody has denied it on purpose, and a denial goes before a grant",
            says=READER,
        ),
    )
    yield (
        "one more",
        replace(
            base,
            do=lambda host: _references(host, lambda path: other(host, path)),
            verdict="unseen",
            why="readers are those that must be able to read; others are not held against a host, as the file holds no key",
        ),
    )


# The client
# --------------------------------------------------------------------------------------------------------------

_CLIENT = Damage(lambda _host: None, "repaired", "client", "", "client")


def program(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A program of the client's packages."""
    base = replace(_CLIENT, what=of["called"], alone=True)
    yield "missing", replace(base, do=lambda host: host.files.remove(of["path"]))


def package(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A package of the client."""
    base = replace(_CLIENT, what=f"version of the CloudHSM client ({of['part']})", alone=True)
    older = next((one for one in packages.ALL if one.name == of["package"] and one.version == "5.15.0"), None)
    if older is not None:
        yield "an earlier version", replace(base, do=older.install)

    def copied(host: Host) -> None:
        """Its programs are of an earlier version, which no installer knows of."""
        for path in packages.PACKAGES[of["package"]].programs:
            info = host.program_info(path)
            if info is not None:
                host.files.write(path, program_bytes(info["tool"], f"{of['old']}.0", of["old"]), by="damage")

    yield "programs of an earlier version", replace(base, do=copied)

    def removed(host: Host) -> None:
        packages.PACKAGES[of["package"]].remove(host)

    yield (
        "removed",
        replace(base, do=removed, what=f"CloudHSM client ({of['part']})", along=tuple(of.get("along", ()))),
    )


def _configuration(host: Host, part: str, change: Callable[[Any], object]) -> None:
    data = client.read_configuration(host, part)
    change(data)
    assert data is not None
    client.write_configuration(host, part, data)


def configuration(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A configuration file of the client."""
    part = of["part"]
    path = client.CONFIGURATIONS[part]
    base = replace(_CLIENT, what=f"({part})")
    yield "missing", replace(base, do=lambda host: host.files.remove(path), many=True)
    broken = replace(
        base,
        what=path.rpartition("\\")[2],
        leaves=f"{path}.damaged",
        many=True,
    )
    yield "empty", replace(broken, do=lambda host: host.files.write(path, b"", by="damage"))
    yield (
        "cut off",
        replace(broken, do=lambda host: host.files.write(path, host.files.read(path)[:-20], by="damage")),
    )
    if part == "client":
        return

    def second(data: Any) -> None:
        first = data["clusters"][0]
        first["cluster_id"] = "cluster-mmmmnnnnooo"
        there = {**first["cluster"], "servers": [{"hostname": "10.99.0.11", "port": 2223, "enable": True}]}
        data["clusters"] = [{"type": "hsm2m", "cluster_id": "cluster-aaaabbbbccc", "cluster": there}, first]

    if part == "ksp":
        yield (
            "a second cluster",
            replace(
                base,
                do=lambda host: _configuration(host, part, second),
                what="clusters in the configuration (ksp)",
                verdict="refused",
                why="which of them the configure tool would change is not documented",
            ),
        )
    else:
        yield (
            "a second cluster",
            replace(
                base,
                do=lambda host: _configuration(host, part, second),
                verdict="good",
                why="cloudhsm-cli may know several",
            ),
        )


def _take(path: tuple[str | int, ...]) -> Callable[[Any], object]:
    def change(data: Any) -> None:
        for name in path[:-1]:
            data = data[name]
        data.pop(path[-1], None)

    return change


def _put(path: tuple[str | int, ...], value: Any) -> Callable[[Any], object]:
    def change(data: Any) -> None:
        for name in path[:-1]:
            data = data.setdefault(name, {}) if isinstance(data, dict) else data[name]
        data[path[-1]] = value

    return change


CLUSTER = ("clusters", 0, "cluster")
OTHER_ADDRESS = [{"hostname": "10.99.0.11", "port": 2223, "enable": True}]


def setting(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A value of a configuration file."""
    part, path = of["part"], of["path"]
    base = replace(_CLIENT, what=f"{of['called']} ({part})", alone=of["called"] == "SDK 3 compatibility mode")
    if "other" in of:
        other = replace(base, do=lambda host: _configuration(host, part, _put(path, of["other"])))
        yield "another value", replace(other, along=of.get("along", ()))
    missing = replace(base, do=lambda host: _configuration(host, part, _take(path)))
    if of.get("default"):
        missing = replace(missing, verdict="good", why=of["default"])
    if of.get("unsaid"):
        missing = replace(missing, verdict="unseen", why=of["unsaid"])
    yield "missing", missing


def customer_ca(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The cluster's issuing certificate."""
    path = rf"{client.DATA}\customerCA.crt"
    base = replace(_CLIENT, what=path)
    yield "missing", replace(base, do=lambda host: host.files.remove(path))
    yield (
        "another certificate",
        replace(
            base,
            do=lambda host: host.files.write(path, host.fleet.pki.root.pem.encode(), by="damage"),  # type: ignore[union-attr]
        ),
    )
    yield "no certificate", replace(base, do=lambda host: host.files.write(path, b"\0" * 100, by="damage"))


def _further(host: Host, change: Callable[[list[Any]], object]) -> None:
    """Changes the list of clusters that cloudhsm-cli knows: the client's own one, then the further one."""
    _configuration(host, "cli", lambda data: change(data["clusters"]))


def _stranger(clusters: list[Any], cluster_id: str) -> None:
    there = {**clusters[0]["cluster"], "servers": OTHER_ADDRESS}
    clusters.append({**clusters[0], "cluster_id": cluster_id, "cluster": there})


def lookup_cluster(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A further cluster in the configuration of cloudhsm-cli."""
    base = replace(_CLIENT, what=f"{FURTHER} in the configuration (cli)")
    yield "missing", replace(base, do=lambda host: _further(host, lambda clusters: clusters.pop()))
    yield (
        "of another type",
        replace(
            base,
            do=lambda host: _further(host, lambda clusters: clusters[1].update(type="hsm1")),
            what=f"HSM type of {FURTHER} (cli)",
        ),
    )

    def other_file(clusters: list[Any]) -> None:
        clusters[1]["cluster"]["hsm_ca_file"] = r"C:\old\customerCA.crt"

    yield (
        "with another file of its issuing certificate",
        replace(
            base, do=lambda host: _further(host, other_file), what=f"customer CA file of {FURTHER} (cli)"
        ),
    )
    yield (
        "beside one that nobody names",
        replace(
            base,
            do=lambda host: _further(host, lambda clusters: _stranger(clusters, "cluster-mmmmnnnnooo")),
            verdict="good",
            why="cloudhsm-cli may know several",
        ),
    )


def lookup_ca(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The issuing certificate of a further cluster."""
    path = rf"{client.DATA}\customerCA-{FURTHER}.crt"
    base = replace(_CLIENT, what=path)
    yield "missing", replace(base, do=lambda host: host.files.remove(path))
    yield (
        "another certificate",
        replace(
            base,
            do=lambda host: host.files.write(path, host.fleet.pki.root.pem.encode(), by="damage"),  # type: ignore[union-attr]
        ),
    )
    yield "no certificate", replace(base, do=lambda host: host.files.write(path, b"\0" * 100, by="damage"))


def lookup_gone(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A further cluster that is not to be known any more."""
    path = rf"{client.DATA}\customerCA-{GONE}.crt"
    base = replace(_CLIENT, what=f"{GONE} in the configuration (cli)")
    yield (
        "there",
        replace(base, do=lambda host: _further(host, lambda clusters: _stranger(clusters, GONE))),
    )
    yield (
        "there by its certificate alone",
        replace(base, do=lambda host: host.files.write(path, b"old", by="damage"), what=path),
    )


def service(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The service of Client SDK 3."""
    base = replace(_CLIENT, link="service", what="AWSCloudHSMClient")
    name = client.SERVICE

    def start_type(kind: str, status: str = "") -> Break:
        def change(host: Host) -> None:
            found = host.services.require(name)
            found.start_type, found.status = kind, status or found.status

        return change

    if of.get("idle") == "disabled":
        yield "starts by hand", replace(base, do=start_type("Manual"))
        yield "runs", replace(base, do=start_type("Automatic", "Running"))
        return
    if of.get("idle") == "leave":
        yield (
            "runs",
            replace(base, do=start_type("Automatic", "Running"), verdict="notice", why="it does no harm"),
        )
        return
    yield "stopped", replace(base, do=lambda host: host.services.stop(name))
    yield "starts by hand", replace(base, do=start_type("Manual"), what="start type of")
    yield (
        "disabled",
        replace(base, do=start_type("Disabled", "Stopped"), along=(("service", "start type of"),)),
    )
    yield "missing", replace(base, do=lambda host: host.services.delete(name))


def provider(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """A key storage provider in Windows' list."""
    base = replace(_CLIENT, link="provider", what=of["name"])
    gone = replace(base, do=lambda host: ksp.unregister(host, of["name"]))
    if ksp.CLOUDHSM in of.get("all", ()):
        either = "one of both names may be all that an installer registers: codesign_provider names it"
        gone = replace(gone, verdict="refused", why=either)
    yield "missing", gone
    if "all" in of:
        yield (
            "missing, as all of the client's",
            replace(
                base,
                do=lambda host: [ksp.unregister(host, name) for name in of["all"]],
                along=tuple(of.get("along", ())),
            ),
        )


TLS_CERTIFICATE, TLS_KEY = rf"{client.DATA}\ssl-client.pem", rf"{client.DATA}\ssl-client.key"


def tls_certificate(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The client's own certificate."""
    base = replace(_CLIENT, what=of["path"])
    path = of["path"]
    next_one = f"ssl-client-next.{of['next']}"
    yield "missing", replace(base, do=lambda host: host.files.remove(path))
    yield (
        "another one",
        replace(
            base,
            do=lambda host: host.files.write(
                path,
                (host.fleet.state / "pki" / next_one).read_bytes(),
                by="damage",  # type: ignore[union-attr]
            ),
        ),
    )
    yield "empty", replace(base, do=lambda host: host.files.write(path, b"", by="damage"))


def tls_access(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """Who may read the client's own key."""
    base = replace(_CLIENT, what=f"the access to {of['path']}")
    path = of["path"]

    def entries(change: Callable[[Host, tuple[Ace, ...]], tuple[Ace, ...]]) -> Break:
        def do(host: Host) -> None:
            acl = host.files.access(path)
            host.files.set_access(path, replace(acl, entries=change(host, acl.entries)))

        return do

    yield "users may read", replace(base, do=entries(lambda _host, old: (*old, Ace(USERS, READ))))
    yield (
        "somebody may change it",
        replace(base, do=entries(lambda host, old: (*old, Ace(host.accounts.sid(OTHER), FULL)))),
    )
    yield (
        "a reader missing",
        replace(
            base,
            do=entries(lambda host, old: tuple(one for one in old if one.sid != host.accounts.sid(READER))),
        ),
    )
    yield "inherited from its folder", replace(base, do=lambda host: host.files.set_access(path, Acl()))


# SignTool, logins, what is around
# ---------------------------------------------------------------------------------------------------------------

_SIGNTOOL = Damage(lambda _host: None, "repaired", "signtool", "SignTool", "signtool")
_BIN = r"C:\Program Files\cloudhsm.codesign\signtool\bin"


def _signtool(host: Host) -> str:
    (version,) = host.files.folders(_BIN)
    return join(join(_BIN, version), r"x64\signtool.exe")


def signtool(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """SignTool."""

    def older(host: Host) -> None:
        (version,) = host.files.folders(_BIN)
        host.files.move(join(_BIN, version), join(_BIN, "10.0.19041.0"))
        path = _signtool(host)
        data = program_bytes("signtool", "10.0.19041.685", "10.0.19041.685")
        host.files.write(path, data, by="damage")
        host.files.remove(path + ".sha256")

    def others(host: Host, path: str) -> None:
        acl = host.files.access(path)
        host.files.set_access(
            path, replace(acl, entries=(*acl.entries, Ace(USERS, FULL, object_inherit=True)))
        )

    yield "missing", replace(_SIGNTOOL, do=lambda host: host.files.remove(_signtool(host)))
    yield "its folder missing", replace(_SIGNTOOL, do=lambda host: host.files.remove_tree(_BIN))
    yield "an earlier version", replace(_SIGNTOOL, do=older, what="SignTool's version", leaves="10.0.19041.0")
    yield (
        "another program",
        replace(
            _SIGNTOOL,
            do=lambda host: host.files.write(
                _signtool(host), program_bytes("signtool", "10.0.28000.2957"), by="damage"
            ),
        ),
    )
    yield (
        "empty",
        replace(
            _SIGNTOOL,
            do=lambda host: host.files.write(_signtool(host), b"", by="damage"),
            along=(("signtool", "SignTool's version"),),
        ),
    )
    yield (
        "its digest is another",
        replace(
            _SIGNTOOL,
            do=lambda host: host.files.write(_signtool(host) + ".sha256", b"0" * 64, by="damage"),
        ),
    )
    open_to_others = replace(
        _SIGNTOOL, verdict="refused", role="", why="who may change what is your administrators' to say"
    )
    yield (
        "others may change it",
        replace(
            open_to_others,
            do=lambda host: others(host, _signtool(host)),
            says="signtool.exe can be changed by others",
        ),
    )
    yield (
        "others may change its folder",
        replace(
            open_to_others,
            do=lambda host: others(host, _signtool(host).rpartition("\\")[0]),
            says="can be changed by others",
        ),
    )
    yield (
        "the note of its digest missing",
        replace(
            _SIGNTOOL,
            do=lambda host: host.files.remove(_signtool(host) + ".sha256"),
            verdict="unseen",
            why="a SignTool that this collection has not installed has none",
        ),
    )


def login(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The login that is stored for an account that signs."""
    base = Damage(
        lambda _host: None,
        "renewed",
        why="another account's Credential Manager opens for that account only: site stores the login anew",
    )
    target = "CLOUDHSM_PIN"

    def gone(host: Host) -> None:
        host.credentials.delete(READER, "interactive", target)

    def other(host: Host) -> None:
        host.credentials.write(
            READER, "interactive", Credential(target, user="nobody", secret="wrong".encode("utf-16-le"))
        )

    yield "missing", replace(base, do=gone)
    yield "another one", replace(base, do=other)


def logging(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """PowerShell's policy of module logging."""
    key = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell\ModuleLogging"
    yield (
        "on",
        Damage(
            lambda host: host.registry.set(key, "EnableModuleLogging", "DWord", 1),
            "notice",
            "host",
            "PowerShell's module logging",
            why="a policy is your administrators' to say",
        ),
    )


def record(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The record of the certificates that were put there."""
    key = r"HKLM\SOFTWARE\cloudhsm.codesign\Certificates"
    base = Damage(lambda _host: None, "unseen")
    without = "a certificate without a line is one that others have put there: retire leaves it"
    yield "missing", replace(base, do=lambda host: host.registry.delete(key), why=without)
    yield (
        "a line for a certificate that is not there",
        replace(
            base,
            do=lambda host: host.registry.set(rf"{key}\{'0' * 40} Root", "Added", "String", "2026"),
            why="it does no harm",
        ),
    )


def scratch(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The folder of a call that a tool's files lie in."""
    path = r"C:\Windows\Temp\codesign-0123456789abcdef0123456789abcdef"

    def left(host: Host) -> None:
        host.files.makedirs(path)
        host.files.set_access(path, Acl((Ace(USERS, FULL),)))

    yield (
        "one is left, which others may write into",
        Damage(
            left,
            "unseen",
            why="each call makes one of its own, of a name that nobody can guess, with an access list of its own",
        ),
    )


def network(of: Mapping[str, Any]) -> Iterator[tuple[str, Damage]]:
    """The way to the HSMs."""
    base = Damage(
        lambda _host: None,
        "refused",
        "cluster",
        "TCP connection to",
        why="a network is not a role's",
        says="reach",
    )

    def one(host: Host) -> None:
        assert host.cluster is not None
        host.faults.set(f"hsm_unreachable:{host.cluster.addresses[1]}")

    yield "one HSM cannot be reached", replace(base, do=one)
    yield (
        "no HSM can be reached",
        replace(base, do=lambda host: host.faults.set("hsm_unreachable"), many=True),
    )


KINDS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, Damage]]]] = {
    kind.__name__: kind
    for kind in (
        certificate,
        former,
        association,
        tied_container,
        tied_provider,
        tied_number,
        friendly_name,
        reference,
        readers,
        program,
        package,
        configuration,
        setting,
        customer_ca,
        lookup_cluster,
        lookup_ca,
        lookup_gone,
        service,
        provider,
        tls_certificate,
        tls_access,
        signtool,
        login,
        logging,
        record,
        scratch,
        network,
    )
}

SIGNING = {"file": "signing", "store": "My"}
OWN = {**SIGNING, "location": USER}
_BINARIES = rf"{client.PROGRAMS}\bin"


def _settings() -> Iterator[Thing]:
    """Each value that the configure tools write, in each part of Client SDK 5."""
    values: tuple[tuple[str, str, tuple[str | int, ...], Mapping[str, Any], tuple[str, ...]], ...] = (
        ("HSM addresses", "HSM addresses", (*CLUSTER, "servers"), {"other": OTHER_ADDRESS}, ("ref5", "dir5")),
        ("HSM type", "HSM type", ("clusters", 0, "type"), {"other": "hsm2m"}, ("ref5",)),
        (
            "path of the issuing certificate",
            "customer CA file",
            (*CLUSTER, "hsm_ca_file"),
            {"other": r"C:\old\customerCA.crt", "unsaid": "no source says what the client does without it"},
            ("ref5",),
        ),
        (
            "key availability check",
            "key availability check",
            (*CLUSTER, "options", "disable_key_availability_check"),
            {"other": True, "default": "it is on unless the file turns it off"},
            ("ref5",),
        ),
        (
            "retry mode",
            "retry mode",
            (*CLUSTER, "retry_policy", "mode"),
            {
                "other": "off",
                "unsaid": "the field's name is not documented, and the tool is run where something else differs",
            },
            ("ref5",),
        ),
        ("log type", "log type", ("logging", "log_type"), {"other": "term"}, ("ref5",)),
        ("log file", "log file", ("logging", "log_file"), {"other": r"C:\old.log"}, ("ref5",)),
        ("log level", "log level", ("logging", "log_level"), {"other": "trace"}, ("ref5",)),
        ("log rotation", "log rotation", ("logging", "log_interval"), {"other": "never"}, ("ref5",)),
        (
            "client's certificate for TLS",
            "client certificate for TLS",
            (*CLUSTER, "client_cert_hsm_tls_file"),
            {"other": r"C:\old\ssl-client.crt"},
            ("tls5",),
        ),
        (
            "client's key for TLS",
            "client certificate for TLS",
            (*CLUSTER, "client_key_hsm_tls_file"),
            {"other": r"C:\old\ssl-client.key"},
            ("tls5",),
        ),
    )
    for part in ("cli", "ksp"):
        for name, called, path, more, scenes in values:
            yield Thing(
                f"{name} in the configuration ({part})",
                "setting",
                scenes,
                {"part": part, "called": called, "path": path, **more},
            )
    mode = {"part": "ksp", "called": "SDK 3 compatibility mode", "path": ("sdk3_compatibility_mode",)}
    unsaid = "the field's name is not documented, and the tool is run where something else differs"
    yield Thing(
        "SDK 3 compatibility mode (ksp)", "setting", ("ref5",), {**mode, "other": False, "unsaid": unsaid}
    )
    yield Thing(
        "SDK 3 compatibility mode (ksp)",
        "setting",
        ("dir5",),
        {**mode, "other": True, "unsaid": unsaid, "along": (("container", "key container of"),)},
    )


THINGS: tuple[Thing, ...] = (
    *(
        Thing(f"certificate of {what}", "certificate", scenes, {"file": file, "store": store})
        for file, store, what, scenes in (
            ("root", "Root", "the root authority in Root", ("ref5", "old3", "ver5")),
            ("intermediate", "CA", "the authority in CA", ("ref5", "old3", "ver5")),
            ("signing", "My", "the identity in My", ("ref5", "old3", "dir5")),
            ("signing", "TrustedPublisher", "the identity in TrustedPublisher", ("ref5", "old3")),
        )
    ),
    Thing("certificate of the identity in My", "certificate", ("own5",), OWN),
    Thing(
        "certificate of before a renewal in My",
        "former",
        ("ref5",),
        {"file": "signing-renewed", "store": "My"},
    ),
    Thing(
        "certificate of before a renewal in TrustedPublisher",
        "former",
        ("ref5",),
        {"file": "signing-renewed", "store": "TrustedPublisher"},
    ),
    *(
        Thing(f"{name}, keys opened directly" if of.get("direct") else name, kind, scenes, of)
        for name, kind in (
            ("association", "association"),
            ("association's container", "tied_container"),
            ("association's provider", "tied_provider"),
        )
        for scenes, of in (
            (("ref5", "old3"), SIGNING),
            (("dir5",), {**SIGNING, "direct": True}),
            (("own5",), OWN),
        )
    ),
    *(
        Thing(
            f"association's {called}",
            "tied_number",
            ("ref5",),
            {**SIGNING, "field": name, "called": called, "other": other},
        )
        for name, called, other in (
            ("provider_type", "provider type", 24),
            ("flags", "machine keys", 0),
            ("key_spec", "key specification", 1),
        )
    ),
    Thing("friendly name", "friendly_name", ("ref5", "old3"), SIGNING),
    Thing("key reference file", "reference", ("ref5", "old3", "tls5")),
    Thing("readers of the key reference file", "readers", ("ref5", "old3")),
    Thing(
        "configure-cli.exe",
        "program",
        ("ref5",),
        {"path": rf"{_BINARIES}\configure-cli.exe", "called": "CloudHSM client (cli)", "part": "cli"},
    ),
    Thing(
        "cloudhsm-cli.exe",
        "program",
        ("ref5",),
        {"path": rf"{_BINARIES}\cloudhsm-cli.exe", "called": "cloudhsm-cli.exe", "part": "cli"},
    ),
    Thing(
        "configure-ksp.exe",
        "program",
        ("ref5",),
        {"path": rf"{_BINARIES}\configure-ksp.exe", "called": "CloudHSM client (ksp)", "part": "ksp"},
    ),
    Thing(
        "configure.exe",
        "program",
        ("old3",),
        {"path": rf"{client.PROGRAMS}\configure.exe", "called": "CloudHSM client (client)", "part": "client"},
    ),
    Thing(
        "import_key.exe",
        "program",
        ("old3",),
        {"path": rf"{client.PROGRAMS}\import_key.exe", "called": "import_key.exe", "part": "client"},
    ),
    Thing("package of the CLI", "package", ("ref5",), {"package": "cli5", "part": "cli", "old": "5.15.0"}),
    Thing(
        "package of the provider", "package", ("ref5",), {"package": "ksp5", "part": "ksp", "old": "5.15.0"}
    ),
    Thing(
        "package of Client SDK 3",
        "package",
        ("old3",),
        {"package": "client3", "part": "client", "old": "3.2.1"},
    ),
    *(
        Thing(f"configuration of {part}", "configuration", ("ref5",), {"part": part})
        for part in ("cli", "ksp")
    ),
    Thing("configuration of Client SDK 3", "configuration", ("old3",), {"part": "client"}),
    *_settings(),
    Thing(
        "HSM address of Client SDK 3",
        "setting",
        ("old3",),
        {"part": "client", "called": "HSM addresses", "path": ("server", "hostname"), "other": "10.99.0.11"},
    ),
    Thing("issuing certificate of the cluster", "customer_ca", ("ref5", "old3")),
    Thing("further cluster for look-ups", "lookup_cluster", ("mor5",)),
    Thing("issuing certificate of a further cluster", "lookup_ca", ("mor5",)),
    Thing("further cluster for look-ups that is to be absent", "lookup_gone", ("mor5",)),
    Thing("service of Client SDK 3", "service", ("old3",)),
    Thing(
        "service of Client SDK 3 beside Client SDK 5 (codesign_client_idle_service: disabled)",
        "service",
        ("ref5",),
        {"idle": "disabled"},
    ),
    Thing(
        "service of Client SDK 3 beside Client SDK 5 (codesign_client_idle_service: leave)",
        "service",
        ("dir5",),
        {"idle": "leave"},
    ),
    Thing(
        "provider of the name Cavium",
        "provider",
        ("ref5",),
        {"name": ksp.CAVIUM, "all": (ksp.CAVIUM, ksp.CLOUDHSM)},
    ),
    Thing(
        "provider of the name CloudHSM",
        "provider",
        ("dir5",),
        {"name": ksp.CLOUDHSM, "all": (ksp.CAVIUM, ksp.CLOUDHSM)},
    ),
    Thing(
        "key storage provider of Client SDK 3",
        "provider",
        ("old3",),
        {"name": ksp.CAVIUM, "all": (ksp.CAVIUM, ksp.CAVIUM_CNG), "along": (("provider", ksp.CAVIUM_CNG),)},
    ),
    Thing("CNG provider of Client SDK 3", "provider", ("old3",), {"name": ksp.CAVIUM_CNG}),
    Thing(
        "client's certificate for TLS", "tls_certificate", ("tls5",), {"path": TLS_CERTIFICATE, "next": "pem"}
    ),
    Thing("client's key for TLS", "tls_certificate", ("tls5",), {"path": TLS_KEY, "next": "key"}),
    Thing("access to the client's key for TLS", "tls_access", ("tls5",), {"path": TLS_KEY}),
    Thing("SignTool", "signtool", ("ref5", "ver5")),
    Thing("stored login of an account", "login", ("acc5",)),
    Thing("PowerShell's module logging", "logging", ("ref5", "old3", "ver5")),
    Thing("record of the certificates in the registry", "record", ("ref5",)),
    Thing("folder of a call", "scratch", ("ref5",)),
    Thing("way to the HSMs", "network", ("ref5", "old3")),
)
"""Everything that the roles manage on a host."""


def _part(kind: str, of: Mapping[str, Any]) -> str:
    """What of a host a thing is a part of."""
    if kind in ("certificate", "former"):
        return "key" if of["store"] == "My" and kind == "certificate" else f"{kind} in {of['store']}"
    if kind in KEYS:
        return "key"
    if "part" in of:
        return str(of["part"])
    return {"service": "client", "provider": "ksp" if "all" in of else "client", "tls_access": TLS_KEY}.get(
        kind, str(of.get("path", kind)) if kind == "tls_certificate" else kind
    )


KEYS = (
    "association",
    "tied_container",
    "tied_provider",
    "tied_number",
    "friendly_name",
    "reference",
    "readers",
)
CELLS: tuple[Cell, ...] = tuple(
    Cell(scene, thing.name, how, damage, "client" if scene == "old3" and part == "ksp" else part)
    for thing in THINGS
    for part in (_part(thing.kind, thing.of),)
    for how, damage in KINDS[thing.kind](thing.of)
    for scene in thing.scenes
)
"""The matrix."""


# Held against what the product says
# -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """A finding: its link, a part of what it is about, its severity, the role that repairs it ("" for any)."""

    link: str
    what: str
    severity: str
    role: str
    many: bool = False

    def is_(self, finding: Mapping[str, Any]) -> bool:
        """Whether the product's finding is this one."""
        return (
            finding["link"] == self.link
            and self.what in finding["what"]
            and finding["severity"] == self.severity
            and self.role in ("", finding["role"])
        )


def expected(damage: Damage) -> tuple[Expected, ...]:
    """What a look names of a damage."""
    if damage.verdict in ("good", "unseen", "renewed"):
        return ()
    severity = "notice" if damage.verdict == "notice" else "error"
    role = damage.role if damage.verdict == "repaired" else ""
    first = Expected(damage.link, damage.what, severity, role, damage.many)
    return (first, *(Expected(link, what, severity, "") for link, what in damage.along))


def differs(cells: Sequence[Cell], findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a look at a host named too much, and what it passed over; empty where it named each damage and nothing else."""
    wanted = [one for cell in cells for one in expected(cell.damage)]
    left, lacking = list(findings), []
    for one in wanted:
        found = [finding for finding in left if one.is_(finding)]
        if not found:
            lacking.append(f"not named: {one.link}: {one.what} ({one.severity}, {one.role or 'no role'})")
        for finding in found if one.many else found[:1]:
            left.remove(finding)
    return [
        *lacking,
        *(f"named: {finding['text']} [{finding['severity']}, {finding['role']}]" for finding in left),
    ]


@dataclass(frozen=True)
class Planned:
    """A host of the fleet with what is wrong on it; nothing on one that is left alone."""

    name: str
    scene: str
    cells: tuple[Cell, ...] = ()


BRIEF = ("mor5",)
"""Scenes of which a short run takes one host, as their ways to be wrong are those of others on one file more."""
ALONE_EVERY = 7
"""After so many hosts of a scene comes one that is left alone."""


def fleet(cells: Sequence[Cell] = CELLS) -> tuple[Planned, ...]:
    """The hosts on which all cells are. One that no role repairs has a host of its own, as site fails there; what changes nothing
    for site lies beside its like; of the others several share a host where they are of different parts of it.
    """
    planned: list[Planned] = []
    for scene in dict.fromkeys(cell.scene for cell in cells):
        groups: dict[str, list[list[Cell]]] = {}
        for cell in (one for one in cells if one.scene == scene):
            quiet = cell.damage.verdict in ("good", "unseen", "notice")
            alone = (
                cell.damage.verdict in ("refused", "renewed") or bool(cell.damage.along) or cell.damage.alone
            )
            shelf = groups.setdefault("alone" if alone else "quiet" if quiet else "repaired", [])
            place = next(
                (one for one in shelf if not alone and cell.part not in {other.part for other in one}), None
            )
            if place is None:
                shelf.append([cell])
            else:
                place.append(cell)
        hosts = [tuple(one) for shelf in groups.values() for one in shelf]
        for number, together in enumerate(hosts, 1):
            planned.append(Planned(f"{scene}-{number:02}", scene, together))
            if number % ALONE_EVERY == 0:
                planned.append(Planned(f"{scene}-{number:02}-left-alone", scene))
    return tuple(planned)


def sample(planned: Sequence[Planned]) -> tuple[Planned, ...]:
    """The hosts for a short run, in their order: each way in which a thing of each kind can be wrong, with each end that it
    has, each thing and each scene are there, and of each scene a host that is left alone, where it has one; of a scene of BRIEF
    one host stands for all. The same each time.
    """
    kinds = {thing.name: thing.kind for thing in THINGS}

    def covers(host: Planned) -> set[tuple[str, ...]]:
        if host.scene in BRIEF:
            return {("scene", host.scene)} if host.cells else set()
        ways = {(kinds[cell.thing], cell.how, cell.damage.verdict) for cell in host.cells}
        things = {("thing", cell.thing) for cell in host.cells}
        return {*ways, *things, ("scene", host.scene) if host.cells else ("left alone in", host.scene)}

    covered = {host.name: covers(host) for host in planned}
    left = {one for host in planned for one in covered[host.name]}
    chosen: set[str] = set()
    while left:
        # The first of those that cover most.
        best = max(planned, key=lambda host: len(covered[host.name] & left)).name
        chosen.add(best)
        left -= covered[best]
    return tuple(host for host in planned if host.name in chosen)


# For people
# -----------------------------------------------------------------------------------------------------------------

PAGE = ROOT / "docs" / "drift.md"
BEGIN, END = "<!-- written by: python -m support.drift_matrix -->", "<!-- end -->"
_BECOMES = {
    "repaired": "named; `site` repairs it, by the role {role}",
    "refused": "named; no role repairs it ({why}), and `site` fails there by name",
    "notice": "a notice, which fails nothing ({why})",
    "good": "nothing is named: {why}",
    "unseen": "nothing is named: {why}",
    "renewed": "not named by `drift`: {why}",
}


def table() -> str:
    """The matrix as Markdown: a row for each thing and what becomes of it."""
    rows: dict[tuple[str, str], dict[str, None]] = {}
    for cell in CELLS:
        damage = cell.damage
        becomes = _BECOMES[damage.verdict].format(
            role=f"[{damage.role}](../roles/{damage.role}/README.md)", why=damage.why
        )
        rows.setdefault((cell.thing, becomes), {})[cell.how] = None
    lines = ["| thing | wrong in that it is | what becomes of it |", "| --- | --- | --- |"]
    lines += [f"| {thing} | {'; '.join(hows)} | {becomes} |" for (thing, becomes), hows in rows.items()]
    kinds = ", ".join(
        f"{SCENES[name].what} (`{name}`)" for name in dict.fromkeys(cell.scene for cell in CELLS)
    )
    return f"{len(CELLS)} cells, on these kinds of hosts: {kinds}.\n\n" + "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with the matrix as it is now."""
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
