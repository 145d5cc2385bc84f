# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables of the roles and playbooks, by their codesign_ names: all of it at once.

The roles' argument specifications say which variables there are and of what type. What is required depends on
what will be used, and is decided here.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ..module_utils._certificate import pem_certificates
from ..module_utils._crypto_user import login_problem
from ..module_utils._findings import BrokenLink
from ..module_utils._texts import secret_problem
from ._client import lookups, tls
from ._formats import x500_name
from ._store import identity, placed

COLLECTION = Path(__file__).resolve().parents[2]
PREFIX = "codesign_"
ROLES = (
    "client",
    "certificate_request",
    "certificates",
    "credentials",
    "inspect",
    "key_container",
    "sign",
    "signtool",
)
LOGIN = "login"
"""Beside the roles: a login that a playbook needs."""
OF_USES: Mapping[str, tuple[str, ...]] = {
    "retire": ("inspect", "client", "signtool", "credentials"),
    "password": ("credentials",),
    "export": (),
    "rotate": ("inspect", "client", "certificates", "key_container"),
    "migrate": ("inspect", "client", "certificates", "key_container"),
    "sign_local": ("sign",),
}
"""Playbooks that need other variables than the roles do, and the roles whose options they know."""
USES = (*ROLES, LOGIN, *OF_USES)
OF_PLAYBOOKS: Mapping[str, Any] = {
    "codesign_prove": {"type": "str", "choices": ["never", "login", "signature"]},
    "codesign_host_login": {"type": "bool"},
    "codesign_drift_fail": {"type": "bool"},
    "codesign_ask_aws": {"type": "bool"},
    "codesign_serial": {"type": "raw"},
    "codesign_request_host": {"type": "str"},
    "codesign_migrate_sdk3": {"type": "str", "choices": ["stopped", "disabled", "removed"]},
    "codesign_migrate_from": {"type": "str"},
    "codesign_migrate_references": {"type": "str", "choices": ["new", "keep"]},
    "codesign_retire_client": {"type": "bool"},
    "codesign_retire_signtool": {"type": "bool"},
    "codesign_password_services": {"type": "list", "elements": "str"},
    "codesign_drift_report": {"type": "path"},
    "codesign_drift_reports": {"type": "list", "elements": "path"},
    "codesign_export_folder": {"type": "path"},
    "codesign_export_from": {"type": "str"},
    "codesign_export_authority": {"type": "str"},
    "codesign_export_thumbprints": {"type": "list", "elements": "str"},
    "codesign_former_days": {"type": "int"},
}
"""What the playbooks read beside the variables of roles."""

_NAME = re.compile(rf"\b{PREFIX}\w+")
_UNSUPPORTED = re.compile(r"\. Supported parameters include: ")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_NO_PASSWORD = re.compile(r"(?i)^(.*\\)?(system|local ?system|local ?service|network ?service|.*\$)$")
_ALIKE = 0.85

ReadFile = Callable[[str], str]
"""A file of the control node as text, by the name in a variable. ValueError with a sentence where that fails."""
ReadIdentity = Callable[[Mapping[str, Any]], None]
"""Reads the certificates of an identity. ValueError with a sentence where one cannot be used."""


@dataclass
class Report:
    """``errors`` keep the roles from their work, ``warnings`` may be no mistake."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """What another one found too."""
        self.errors += other.errors
        self.warnings += other.warnings


def _load(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - it is a safe one, in C


@cache
def specification(role: str) -> Mapping[str, Any]:
    """The options of a role."""
    path = COLLECTION / "roles" / role / "meta" / "argument_specs.yml"
    options: Mapping[str, Any] = _load(path)["argument_specs"]["main"]["options"]
    return options


@cache
def known_names() -> frozenset[str]:
    """All codesign_ names that roles and playbooks of this collection speak of."""
    files = [*COLLECTION.glob("roles/*/*/*.yml"), *COLLECTION.glob("playbooks/**/*.yml")]
    return frozenset(name for path in files for name in _NAME.findall(path.read_text(encoding="utf-8")))


def options_of(uses: Collection[str]) -> dict[str, Any]:
    """The options of all roles that will be used."""
    roles = [role for use in uses for role in ((use,) if use in ROLES else OF_USES.get(use, ()))]
    of_roles = {name: option for role in roles for name, option in specification(role).items()}
    of_login = specification("credentials") if LOGIN in uses else {}
    login = {name: option for name, option in of_login.items() if name.startswith(f"{PREFIX}crypto_")}
    return {**of_roles, **login, **OF_PLAYBOOKS}


def defaults_of(uses: Collection[str]) -> dict[str, Any]:
    """What the options have where nothing is set, as documented."""
    return {name: option["default"] for name, option in options_of(uses).items() if "default" in option}


def wanted_names(uses: Collection[str]) -> frozenset[str]:
    """The variables that ``check`` has to know."""
    return frozenset(options_of(uses))


def as_list(value: Any) -> list[Any]:
    """A value where a list belongs: what is none is one element, and nothing is none."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def empty(variables: Mapping[str, Any]) -> dict[str, bool]:
    """The codesign_ names among a host's variables, and whether each has an empty value."""
    return {
        str(name): value in (None, "", [], {})
        for name, value in variables.items()
        if str(name).startswith(PREFIX)
    }


def unknown(names: Iterable[str], given: Callable[[str], bool]) -> Report:
    """The codesign_ names that nothing here reads. One that looks like a name which is not ``given`` is taken for
    a slip.
    """
    report = Report()
    known = known_names()
    for name in sorted(name for name in names if name.startswith(PREFIX) and name not in known):
        close = difflib.get_close_matches(name, sorted(known), 1, _ALIKE)
        if close and not given(close[0]):
            report.errors.append(f"{name} is no variable of this collection: did you mean {close[0]}?")
        elif close:
            report.warnings.append(f"{name} is no variable of this collection, and {close[0]} is set.")
        else:
            report.warnings.append(f"{name} is no variable of this collection: nothing reads it.")
    return report


def check(
    values: Mapping[str, Any],
    uses: Sequence[str],
    read_file: ReadFile,
    read_identity: ReadIdentity,
    unread: Iterable[str] = (),
) -> list[str]:
    """What is missing or wrong in the values of one host, as sentences. ``unread``: names whose value is not known,
    of which nothing is said.
    """
    options = options_of(uses)
    typed, no_lists = _lists(values, options)
    found = _types(typed, options)
    for use in uses:
        found += _REQUIRED[use](typed) if use in _REQUIRED else []
    found += _login(typed) if {"codesign_crypto_user", "codesign_crypto_password"} & set(options) else []
    found += _key_access(typed) if "codesign_key_access" in options else []
    found += _digests(typed, options)
    found += _addresses(typed) if "codesign_hsm_addresses" in options else []
    found += _customer_ca(typed, read_file) if "codesign_customer_ca" in options else []
    found += _lookup_clusters(typed, read_file) if "codesign_client_lookup_clusters" in options else []
    found += _tls(typed, read_file) if "codesign_client_tls_key" in options else []
    found += _identities(typed, read_identity) if "codesign_identities" in options else []
    if found and "client" in uses and signs(typed) and not _has(typed, "codesign_customer_ca"):
        found.append(
            "codesign_customer_ca is not set either: it has to be, unless the cluster's customerCA.crt lies on the hosts already."
        )
    silent = {*unread, *(_NAME.findall(text)[0] for text in no_lists)}
    return [*no_lists, *(text for text in dict.fromkeys(found) if not silent & set(_NAME.findall(text)))]


def _lists(
    values: Mapping[str, Any], options: Mapping[str, Any], within: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """``values`` with one element where a text stands for a list, and what is no list by its commas."""
    typed, found = dict(values), []
    for name, option in options.items():
        if option.get("type") != "list" or name not in values:
            continue
        value, where = values[name], f"{name}{within}"
        if isinstance(value, str) and re.search(r"[,\n]|^\s*[\[{]", value):
            found.append(
                f'{where} is one text where a list belongs: write a YAML list; on the command line JSON, as in -e \'{{"{name}": ["..."]}}\'.'
            )
            typed[name] = []
            continue
        typed[name] = as_list(value)
        if not option.get("options"):
            continue
        inner_options = option["options"]
        elements: list[Any] = []
        for number, element in enumerate(typed[name], 1):
            if isinstance(element, Mapping):
                label = element.get("name") or number
                inner, more = _lists(element, inner_options, f"{within} in {name} ({label})")
                elements.append(inner)
                found += more
            elif isinstance(element, str) and "=" in element:
                # Ansible reads key=value as a dictionary.
                elements.append(element)
            else:
                keys = ", ".join(key for key, one in inner_options.items() if one.get("required"))
                found.append(f"{where}: entry {number} is no dictionary. It needs the keys: {keys}.")
        typed[name] = elements
    return typed, found


def _types(values: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    given = {name: values[name] for name in options if name in values and values[name] is not None}
    errors = ArgumentSpecValidator(dict(options)).validate(given).errors.errors
    return [
        f"{_UNSUPPORTED.sub(': no such key; there are: ', error.msg, count=1).rstrip('.')}."
        if isinstance(error, UnsupportedError)
        else f"{error.msg.rstrip('.')}."
        for error in errors
    ]


_YES = ("true", "yes", "on", "1")
"""How -e gives what is true."""


def _has(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) not in (None, "", [], {})


def _need(values: Mapping[str, Any], name: str, what: str) -> list[str]:
    return [] if _has(values, name) else [f"{name} is missing: {what}."]


def _is(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")


def _named(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The identities that are worth a look: what is none has been named by its type."""
    return [one for one in as_list(values.get("codesign_identities")) if isinstance(one, Mapping)]


def signs(values: Mapping[str, Any]) -> bool:
    """Whether the host signs: one whose identities have no certificate, only chains, verifies and no more."""
    named = _named(values)
    return not named or any(one.get("certificate") is not None for one in named)


def _client(values: Mapping[str, Any]) -> list[str]:
    if not signs(values):
        return []
    if _is(values.get("codesign_client_ask_aws", False)):
        what = "codesign_client_ask_aws asks AWS for the HSMs of this cluster"
        return _need(values, "codesign_cluster_id", what)
    return _need(values, "codesign_hsm_addresses", "the IP addresses of the cluster's HSMs")


def _some_identity(values: Mapping[str, Any]) -> list[str]:
    return _need(values, "codesign_identities", "what the hosts sign as, each with name and certificate")


def _signtool(values: Mapping[str, Any]) -> list[str]:
    installs = _is(values.get("codesign_signtool_install", True))
    path = values.get("codesign_signtool_path")
    ours = path in (None, "", specification("signtool")["codesign_signtool_path"]["default"])
    if not installs or not ours or _is(values.get("codesign_signtool_accept_license")):
        return []
    licence = "read Microsoft's licence of the Windows SDK (https://aka.ms/WinSDKLicenseURL) and accept it"
    return [
        f"codesign_signtool_accept_license is not true: {licence}, or set codesign_signtool_path to a SignTool that the hosts have."
    ]


def _wanted_login(values: Mapping[str, Any]) -> list[str]:
    what = "the crypto user (CU) that may use the key pair"
    if not signs(values) or _has(values, "codesign_crypto_user") or _has(values, "codesign_crypto_password"):
        return []
    return [f"codesign_crypto_user and codesign_crypto_password are missing: {what}."]


def _login(values: Mapping[str, Any]) -> list[str]:
    user, password = (_has(values, f"codesign_crypto_{name}") for name in ("user", "password"))
    name = "codesign_crypto_password"
    if fault := secret_problem(name, values.get(name)) or login_problem(values, PREFIX):
        return [fault]
    if user == password:
        return []
    lacks, has = ("password", "user") if user else ("user", "password")
    return [f"codesign_crypto_{lacks} is missing: codesign_crypto_{has} is set without it."]


def _credentials(values: Mapping[str, Any]) -> list[str]:
    accounts = [
        one for one in as_list(values.get("codesign_credentials_accounts")) if isinstance(one, Mapping)
    ]
    if not accounts:
        return []
    found = []
    if not (_has(values, "codesign_crypto_user") and _has(values, "codesign_crypto_password")):
        found.append(
            "codesign_credentials_accounts names accounts, and there is no login to store for them: set codesign_crypto_user and codesign_crypto_password."
        )
    names = [str(one.get("name") or "") for one in accounts if not one.get("password")]
    lacking = [name for name in names if name and not _NO_PASSWORD.match(name)]
    if lacking:
        found.append(
            f"codesign_credentials_accounts has no password for {', '.join(lacking)}: only SYSTEM, LocalService, NetworkService "
            "and managed service accounts (their names end with $) need none."
        )
    return found


def _password(values: Mapping[str, Any]) -> list[str]:
    """A managed service account can be entered only while a process of it runs, and that one would go on with the old password."""
    names = [
        str(one.get("name") or "")
        for one in as_list(values.get("codesign_credentials_accounts"))
        if isinstance(one, Mapping)
    ]
    managed = [name for name in names if name.endswith("$")]
    found = [*_wanted_login(values), *_credentials(values)]
    if managed:
        found.append(
            f"codesign_credentials_accounts names {', '.join(managed)}: the login of a managed service account can be changed only while a process of it runs, "
            "which would go on with the old password and lock the crypto user. Leave it out here and stop its work; afterwards start a process of it "
            "that signs nothing, and run site with --tags codesign_credentials."
        )
    return found


def _export(values: Mapping[str, Any]) -> list[str]:
    what = "the folder on the control node that the certificates come into"
    found = _need(values, "codesign_export_folder", what)
    if not (_has(values, "codesign_export_from") or _has(values, "codesign_export_authority")):
        found.append(
            "codesign_export_from and codesign_export_authority are missing: a host that signs already, or one that is the CA."
        )
    return found


def _certificate_request(values: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    if not _has(values, "codesign_request_certificate"):
        what = 'the subject of the certificate, for example CN=Example Software, O="Example, Inc.", C=DE'
        found += _need(values, "codesign_request_subject", what)
        found += _need(values, "codesign_request_csr", "the file on the control node for the request")
    if _has(values, "codesign_request_subject"):
        try:
            x500_name.parse(str(values["codesign_request_subject"]))
        except x500_name.SubjectError as error:
            found.append(f"codesign_request_subject: {error}")
    if all(str(values.get(f"codesign_request_{name}")).lower() in _YES for name in ("renew", "same_key")):
        found.append(
            "codesign_request_renew asks for a new key, codesign_request_same_key for that of the certificate that is there: give one of the two."
        )
    return found


def _sign(values: Mapping[str, Any]) -> list[str]:
    state = str(values.get("codesign_sign_state") or "signed")
    found = _need(
        values,
        "codesign_files",
        rf"the files to be {state}, full paths on the host, for example ['C:\build\*.exe']",
    )
    if state == "timestamped" and values.get("codesign_sign_timestamp_urls") in ("", []):
        found.append(
            "codesign_sign_timestamp_urls is empty, and codesign_sign_state is timestamped: name a timestamp authority."
        )
    return found + _signer(values, state == "signed")


def _sign_local(values: Mapping[str, Any]) -> list[str]:
    what = "the files of the control node to sign, for example ['dist/**/*.exe']"
    found = _need(values, "codesign_local_files", what)
    per_host = values.get("codesign_local_files_per_host")
    if str(per_host).lstrip("-").isdigit() and int(str(per_host)) < 1:
        found.append(f"codesign_local_files_per_host is {per_host}; it must be at least 1.")
    if str(values.get("codesign_sign_state") or "signed") != "signed":
        found.append("codesign_sign_state is not signed: files of the control node can be signed only.")
    if _has(values, "codesign_sign_additional_certificates"):
        found.append(
            "codesign_sign_additional_certificates is set, and files of the control node are signed without any: leave it empty here, and name "
            "the certificate in the identity's chain, which puts it into the hosts' stores."
        )
    return found + _signer(values, signs=True)


def _migrate(values: Mapping[str, Any]) -> list[str]:
    # With Client SDK 3 it is refused in any case.
    if values.get("codesign_key_access") != "direct" or str(values.get("codesign_client_sdk")) == "3":
        return []
    return [
        "codesign_key_access is direct, and hosts move by their key reference files: run migrate with -e codesign_key_access=auto, then site with direct."
    ]


def _signer(values: Mapping[str, Any], signs: bool) -> list[str]:
    found = _some_identity(values) if signs else []
    named = _named(values)
    names = [str(one.get("name")) for one in named]
    wanted = str(values.get("codesign_sign_identity") or "")
    if wanted and names and wanted not in names:
        found.append(
            f"codesign_sign_identity is '{wanted}', and codesign_identities has no such name; there are: {', '.join(names)}."
        )
    chosen = next((one for one in named if not wanted or str(one.get("name")) == wanted), None)
    if signs and chosen and chosen.get("certificate") is None and chosen.get("chain"):
        found.append(
            f"codesign_identities: '{chosen.get('name')}' has no certificate, so nothing can be signed as it: hosts verify by it only."
        )
    return found


_REQUIRED: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "client": _client,
    "certificate_request": _certificate_request,
    "certificates": _some_identity,
    "key_container": _some_identity,
    "signtool": _signtool,
    "sign": _sign,
    "sign_local": _sign_local,
    "credentials": _credentials,
    LOGIN: _wanted_login,
    "rotate": _some_identity,
    "migrate": _migrate,
    "password": _password,
    "export": _export,
}
"""What each use cannot do without."""


def _key_access(values: Mapping[str, Any]) -> list[str]:
    if values.get("codesign_key_access") != "direct" or str(values.get("codesign_client_sdk")) != "3":
        return []
    return [
        "codesign_key_access is direct, and Client SDK 3 opens keys by their key reference files only: leave it out, or use Client SDK 5."
    ]


def _digests(values: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """The SHA-256 of packages that are none: nothing that is fetched could fit them."""
    given = {"codesign_signtool_package_sha256": values.get("codesign_signtool_package_sha256")}
    for package in as_list(values.get("codesign_client_packages")):
        if isinstance(package, Mapping):
            given[f"sha256 of '{package.get('file')}' in codesign_client_packages"] = package.get("sha256")
    return [
        f"{where} is no SHA-256: it has to be 64 hexadecimal digits."
        for where, value in given.items()
        if value and _NAME.findall(where)[0] in options and not _SHA256.fullmatch(str(value))
    ]


def _addresses(values: Mapping[str, Any]) -> list[str]:
    found = []
    for address in as_list(values.get("codesign_hsm_addresses")):
        try:
            ipaddress.ip_address(str(address).strip())
        except ValueError:
            found.append(
                f"'{address}' in codesign_hsm_addresses is no IP address: give those of the HSMs' network interfaces."
            )
    return found


def _customer_ca(values: Mapping[str, Any], read_file: ReadFile) -> list[str]:
    return _issuer("codesign_customer_ca", str(values.get("codesign_customer_ca") or ""), read_file)


def _issuer(where: str, name: str, read_file: ReadFile) -> list[str]:
    """What is wrong with a cluster's customerCA.crt, the file ``name`` of the control node."""
    if not name:
        return []
    try:
        text = read_file(name)
    except ValueError as error:
        return [f"{where}: {error}"]
    if len(pem_certificates(text.encode("utf-8"))) != 1:
        return [f"{where}: '{name}' is not one certificate in PEM form; it is the cluster's customerCA.crt."]
    return []


def _lookup_clusters(values: Mapping[str, Any], read_file: ReadFile) -> list[str]:
    """What is wrong with the further clusters of cloudhsm-cli and their certificates."""
    where = "codesign_client_lookup_clusters"
    given = [one for one in as_list(values.get(where)) if isinstance(one, Mapping) and one.get("cluster_id")]
    found = [text for one in given for text in _issuer(where, str(one.get("customer_ca") or ""), read_file)]
    try:
        lookups.wanted(
            {"lookup_clusters": [{**one, "customer_ca": ""} for one in given]},
            str(values.get("codesign_cluster_id") or ""),
        )
    except BrokenLink as broken:
        # By the names that a user of the roles knows.
        text = str(broken).replace("lookup_clusters", where)
        found.append(re.sub(r"\bcluster_id\b", "codesign_cluster_id", text))
    return found


def _tls(values: Mapping[str, Any], read_file: ReadFile) -> list[str]:
    """What is wrong with the client's certificate for TLS and its key. What is said holds nothing of the key."""
    texts, found = {}, []
    for name in ("tls_certificate", "tls_key"):
        variable = f"{PREFIX}client_{name}"
        try:
            texts[name] = read_file(str(values[variable])) if _has(values, variable) else ""
        except ValueError as error:
            found.append(f"{variable}: {error}")
    if found or not any(texts.values()):
        return found
    if not texts["tls_key"]:
        return ["codesign_client_tls_key is missing: codesign_client_tls_certificate is set without it."]
    problem = tls.fault(texts["tls_certificate"], texts["tls_key"])
    said = " ".join(problem or ()).replace("tls_", f"{PREFIX}client_tls_")
    if str(values.get("codesign_client_sdk", "5")) == "3" and not said:
        said = "codesign_client_tls_certificate is of no use with Client SDK 3 (codesign_client_sdk), which takes none."
    return [said] if said else []


def _identities(values: Mapping[str, Any], read_identity: ReadIdentity) -> list[str]:
    found: list[str] = []
    identities = _named(values)
    names = [str(one.get("name")) for one in identities if one.get("name")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(f"Two identities in codesign_identities have the name '{name}'.")
    if any(one.get("name") == "" for one in identities):
        found.append("The name of an identity in codesign_identities is empty.")
    for one in identities:
        # What is not there at all has been named by its type.
        if one.get("name"):
            try:
                read_identity(one)
            except ValueError as error:
                found.append(f"codesign_identities: {error}")
    return found


def ended(read: Iterable[Mapping[str, Any]], now: datetime, days: int) -> Report:
    """The signing certificates that have ended, and what ends within ``days`` from ``now``, of identities as the
    lookup reads them.
    """
    report = Report()
    for one in read:
        # Dates are the same in any store.
        place = {"store_name": "My", "store_location": "LocalMachine", "identities": [one]}
        for wanted in identity.identities(place):
            report.errors += [found.text for found in placed.compare_use(wanted, now)]
            report.warnings += [found.text for found in placed.compare_expiry(wanted, now, days)]
    return report
