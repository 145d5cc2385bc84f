# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' variables as the options of win_codesign_info and win_cloudhsm_client.

Ansible compiles the template of each option anew for each host, which for thirty options is more than half of what a look costs
the control node. Most of these variables are plain values: those need no template at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._variables import as_list

OF_CLIENT = {
    "client_sdk": "codesign_client_sdk",
    "cluster_id": "codesign_cluster_id",
    "hsm_type": "codesign_hsm_type",
    "key_availability_check": "codesign_client_key_availability_check",
    "key_access": "codesign_key_access",
    "check_connection": "codesign_client_check_connection",
    "minimum_version": "codesign_client_minimum_version",
    "configuration_folder": "codesign_client_configuration_folder",
    "idle_service": "codesign_client_idle_service",
    "retry_mode": "codesign_client_retry_mode",
    "log_type": "codesign_client_log_type",
    "log_folder": "codesign_client_log_folder",
    "log_level": "codesign_client_log_level",
    "log_rotation": "codesign_client_log_rotation",
    "ask_aws": "codesign_client_ask_aws",
    "provider": "codesign_provider",
}
"""Options of both that are a variable's value; one that is empty is left out."""

PLAIN = {
    **OF_CLIENT,
    "store_location": "codesign_store_location",
    "former": "codesign_certificates_former",
    "expiry_days": "codesign_expiry_days",
    "signtool_path": "codesign_signtool_path",
    "signtool_minimum_version": "codesign_signtool_minimum_version",
}
"""The same of win_codesign_info."""

CONFIGURED = {
    **OF_CLIENT,
    "switch_key_access": "codesign_switch_key_access",
    "region": "codesign_client_region",
}
"""The same of win_cloudhsm_client."""

FILES = {
    "customer_ca": "codesign_customer_ca",
    "tls_certificate": "codesign_client_tls_certificate",
    "tls_key": "codesign_client_tls_key",
}
"""Options that are what a file of the control node holds, which the variable names."""

ADDRESSES = "codesign_hsm_addresses"
LOOKUP_CLUSTERS = "codesign_client_lookup_clusters"
TLS_READERS = "codesign_client_tls_readers"
IDENTITIES = "codesign_identities"

READ = (*PLAIN.values(), *FILES.values(), ADDRESSES, LOOKUP_CLUSTERS, TLS_READERS, IDENTITIES)
"""All variables that are read."""

VERIFIES = ["certificates", "signtool"]
"""What is asked of a host whose identities are nothing but chains: it verifies, and needs no client."""
SIGNS = ["client", "credentials", "certificates", "identities", "signtool"]


@dataclass(frozen=True)
class Reader:
    """How variables and files are read. ``value`` gives a variable's value, None where it has none; ``file`` the text of a file
    of the control node; ``identities`` what the lookup of that name makes of ``codesign_identities``.
    """

    value: Callable[[str], Any]
    file: Callable[[str], str]
    identities: Callable[[list[Any]], list[dict[str, Any]]]


def options(read: Reader) -> dict[str, Any]:
    """The options of win_codesign_info that the variables say."""
    found = _of_cluster(read, PLAIN)
    # Who may read the key of a client that has none is no question.
    found["tls_readers"] = read.value(TLS_READERS) if found["tls_key"] else []
    given = as_list(read.value(IDENTITIES))
    found["identities"] = read.identities(given)
    signs = not given or any(one.get("certificate") for one in found["identities"])
    found["gather"] = SIGNS if signs else VERIFIES
    return _given(found)


def client_options(read: Reader) -> dict[str, Any]:
    """The options of win_cloudhsm_client that the variables say."""
    return _given({**_of_cluster(read, CONFIGURED), "tls_readers": read.value(TLS_READERS)})


def _of_cluster(read: Reader, plain: Mapping[str, str]) -> dict[str, Any]:
    found = {option: read.value(name) for option, name in plain.items()}
    for option, name in FILES.items():
        file = read.value(name)
        found[option] = read.file(str(file)) if file else ""
    found["hsm_addresses"] = [one for item in as_list(read.value(ADDRESSES)) for one in as_list(item)]
    found["lookup_clusters"] = [_with_file(one, read) for one in as_list(read.value(LOOKUP_CLUSTERS))]
    return found


def _given(found: Mapping[str, Any]) -> dict[str, Any]:
    return {option: value for option, value in found.items() if value not in (None, "")}


def _with_file(cluster: Any, read: Reader) -> Any:
    if not isinstance(cluster, Mapping) or not cluster.get("customer_ca"):
        return cluster
    return {**cluster, "customer_ca": read.file(str(cluster["customer_ca"]))}
