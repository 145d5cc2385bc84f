# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the roles' variables fit the cluster, by what cloudhsm_cluster_info has returned."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils._cluster_api import issued_by
from ..module_utils._findings import BrokenLink
from ._variables import Report, as_list

WORKING = ("ACTIVE", "DEGRADED")
"""States in which a cluster's HSMs answer (the API reference of CloudHSM v2)."""


def compare(values: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], customer_ca: str) -> Report:
    """``values``: the variables of one host, ``customer_ca`` the certificate that codesign_customer_ca names (PEM,
    "" for none).
    """
    report = Report()
    wanted_id = str(values.get("codesign_cluster_id") or "")
    wanted = [_plain(address) for address in as_list(values.get("codesign_hsm_addresses"))]
    cluster = _meant(clusters, wanted_id, wanted)
    if cluster is None:
        ids = ", ".join(str(one["cluster_id"]) for one in clusters) or "none at all"
        if wanted_id:
            report.errors.append(
                f"codesign_cluster_id is '{wanted_id}', and AWS knows no such cluster there: {ids}."
            )
        elif wanted:
            report.warnings.append(
                f"No cluster that AWS shows has an HSM at codesign_hsm_addresses; there are: {ids}."
            )
        return report
    name, there = cluster["cluster_id"], [_plain(one) for one in _addresses(cluster)]
    if cluster["state"] not in WORKING:
        said = f" ({cluster['state_message']})" if cluster.get("state_message") else ""
        report.errors.append(
            f"The cluster {name} is in the state {cluster['state']}{said}: its HSMs do not work."
        )
    strange = [address for address in wanted if address not in there]
    if strange:
        found = f"its HSMs are at {', '.join(there)}" if there else "it has no active HSM"
        report.errors.append(
            f"codesign_hsm_addresses has {', '.join(strange)}, where the cluster {name} has no HSM: {found}."
        )
    # Whoever names IPv4 addresses does without those of IPv6.
    families = {":" in address for address in wanted}
    lacking = [
        address for address in there if wanted and address not in wanted and (":" in address) in families
    ]
    if lacking:
        report.warnings.append(
            f"The cluster {name} has an HSM at {', '.join(lacking)} too, which codesign_hsm_addresses lacks."
        )
    report.errors += _types(values, cluster)
    report.errors += _issuer(cluster, customer_ca) if customer_ca else []
    return report


def _meant(
    clusters: Sequence[Mapping[str, Any]], wanted_id: str, wanted: Sequence[str]
) -> Mapping[str, Any] | None:
    if wanted_id:
        return next((one for one in clusters if one["cluster_id"] == wanted_id), None)
    fitting = [one for one in clusters if {_plain(address) for address in _addresses(one)} & set(wanted)]
    return fitting[0] if len(fitting) == 1 else None


def _addresses(cluster: Mapping[str, Any]) -> list[str]:
    return [*cluster.get("addresses", ()), *cluster.get("addresses_ipv6", ())]


def _plain(address: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(address).strip()))
    except ValueError:
        return str(address)


def _types(values: Mapping[str, Any], cluster: Mapping[str, Any]) -> list[str]:
    found, name, kind = [], cluster["cluster_id"], cluster["hsm_type"]
    wanted = values.get("codesign_hsm_type")
    if wanted and wanted != kind:
        found.append(f"codesign_hsm_type is {wanted}, and the cluster {name} is of the type {kind}.")
    sdk, fit = str(values.get("codesign_client_sdk") or ""), cluster.get("client_sdks") or []
    if sdk and fit and sdk not in fit:
        found.append(
            f"codesign_client_sdk is {sdk}, which does not work with the cluster {name}: {kind} needs {' or '.join(fit)}."
        )
    return found


def _issuer(cluster: Mapping[str, Any], customer_ca: str) -> list[str]:
    try:
        issued, why = issued_by(
            str((cluster.get("certificates") or {}).get("cluster_certificate") or ""), customer_ca
        )
    except BrokenLink:
        # That it is no certificate is said of the variable itself.
        return []
    if issued is not False:
        return []
    reason = why.replace("customer_ca", "codesign_customer_ca")
    return [
        f"codesign_customer_ca is not what issued the certificate of the cluster {cluster['cluster_id']}: {reason}."
    ]
