# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Further clusters that cloudhsm-cli knows for look-ups, each by its id: what differs in its configuration file, and the
steps that add and remove them (``configure-cli add-cluster``, ``remove-cluster``). The key storage provider works with
one cluster and is not told of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...module_utils._certificate import pem_certificates
from ...module_utils._findings import BrokenLink, Finding, found
from ...module_utils._results import FileContent, Result
from ...module_utils._steps import ReadFile, RemoveFile, Run, Step, WriteFile
from ...module_utils._tools import configure
from .._formats.client_config import ClusterConfig

MODULE = "Run the module cloudhsm.codesign.win_cloudhsm_client."
_ID = re.compile(r"cluster-[0-9A-Za-z]+")


@dataclass(frozen=True)
class Cluster:
    """One of them. What is empty is not compared; ``customer_ca`` is the certificate that issued its own, as PEM."""

    cluster_id: str
    present: bool = True
    region: str = ""
    endpoint: str = ""
    hsm_type: str = ""
    customer_ca: bytes = b""

    @property
    def file(self) -> str:
        """Where ``customer_ca`` lies on the host."""
        return configure.customer_ca_of(self.cluster_id)

    def is_of(self, entry: ClusterConfig) -> bool:
        """Whether an entry of the configuration file is this cluster's."""
        return entry.cluster_id.lower() == self.cluster_id.lower()


Wanted = tuple[Cluster, ...]


@dataclass(frozen=True)
class Seen:
    """``files``: what lies where the certificates of ``Cluster.file`` belong, None for no such file."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)


UNSEEN = Seen()


def wanted(params: Mapping[str, Any], main: str) -> Wanted:
    """The wanted clusters from a module's arguments. ``main``: the id of the cluster that the client is configured for.
    BrokenLink for what cannot be one of them.
    """
    clusters = tuple(_cluster(one) for one in params.get("lookup_clusters") or ())
    ids = [one.cluster_id.lower() for one in clusters]
    twice = next((one for one in ids if ids.count(one) > 1), "")
    if twice:
        raise BrokenLink(
            "argument", f"lookup_clusters names {twice} more than once.", "Name each cluster once."
        )
    if main.lower() in ids:
        raise BrokenLink(
            "argument",
            f"lookup_clusters names {main}, the cluster that the client is configured for (cluster_id).",
            "Name the further clusters only.",
        )
    if any(one.present for one in clusters) and not main:
        raise BrokenLink(
            "argument",
            "lookup_clusters is given without cluster_id: where cloudhsm-cli knows several clusters, each of its calls names one by its id.",
            "Give the id of the cluster that the client is configured for in cluster_id.",
        )
    return clusters


def _cluster(given: Mapping[str, Any]) -> Cluster:
    cluster_id, customer_ca = str(given["cluster_id"]).strip(), str(given.get("customer_ca") or "")
    if not _ID.fullmatch(cluster_id):
        raise BrokenLink(
            "argument",
            f"'{cluster_id}' in lookup_clusters is no id of a cluster.",
            "Write it as AWS does: cluster-igklspoyj5v, for example.",
        )
    if customer_ca and len(pem_certificates(customer_ca.encode("utf-8"))) != 1:
        raise BrokenLink(
            "argument",
            f"customer_ca of {cluster_id} in lookup_clusters is not one certificate in PEM form.",
            "Give the content of that cluster's customerCA.crt, BEGIN and END lines included.",
        )
    return Cluster(
        cluster_id,
        given.get("state") != "absent",
        str(given.get("region") or ""),
        str(given.get("endpoint") or ""),
        str(given.get("hsm_type") or ""),
        f"{customer_ca.strip()}\n".replace("\r\n", "\n").encode("utf-8") if customer_ca else b"",
    )


def observe(want: Wanted) -> list[Step]:
    """The files of the certificates; none where no cluster is named."""
    return [ReadFile(one.file) for one in want if one.customer_ca or not one.present]


def read(want: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    asked = [step.path for step in observe(want) if isinstance(step, ReadFile)]
    files = {
        path: found(result, FileContent, "client", path) for path, result in zip(asked, results, strict=True)
    }
    return Seen({path: file.content if file.exists else None for path, file in files.items()})


def strangers(want: Wanted, others: Sequence[ClusterConfig]) -> tuple[ClusterConfig, ...]:
    """The clusters of the file that are none of the wanted ones."""
    return tuple(entry for entry in others if not any(one.is_of(entry) for one in want))


def _entry(one: Cluster, others: Sequence[ClusterConfig]) -> ClusterConfig | None:
    return next((entry for entry in others if one.is_of(entry)), None)


def _other_file(one: Cluster, entry: ClusterConfig) -> bool:
    return bool(one.customer_ca) and (entry.customer_ca_file or "").lower() != one.file.lower()


def _other_type(one: Cluster, entry: ClusterConfig) -> bool:
    return bool(one.hsm_type) and entry.hsm_type != one.hsm_type


def _other_certificate(one: Cluster, seen: Seen) -> bool:
    there = pem_certificates(seen.files.get(one.file) or b"")
    return one.present and bool(one.customer_ca) and pem_certificates(one.customer_ca) != there


def compare(want: Wanted, seen: Seen, others: Sequence[ClusterConfig]) -> list[Finding]:
    """What is not as wanted. ``others``: the clusters of the file beside the one that the client is configured for."""
    findings: list[Finding] = []
    for one in want:
        entry, name = _entry(one, others), f"{one.cluster_id} in the configuration (cli)"
        if not one.present:
            if entry:
                findings.append(Finding("client", name, "absent", "there", MODULE))
            if seen.files.get(one.file) is not None:
                findings.append(Finding("client", one.file, "absent", "there", MODULE))
            continue
        if entry is None:
            findings.append(Finding("client", name, "there", "absent", MODULE))
        elif _other_file(one, entry):
            what = f"customer CA file of {one.cluster_id} (cli)"
            findings.append(Finding("client", what, one.file, entry.customer_ca_file or "none", MODULE))
        if entry and _other_type(one, entry):
            what = f"HSM type of {one.cluster_id} (cli)"
            findings.append(Finding("client", what, one.hsm_type, entry.hsm_type or "none", MODULE))
        if _other_certificate(one, seen):
            there = "another certificate" if seen.files.get(one.file) else "no such file"
            wish = f"the issuing certificate of {one.cluster_id}"
            findings.append(Finding("client", one.file, wish, there, MODULE))
    return findings


def plan_files(want: Wanted, seen: Seen) -> tuple[list[Step], list[Step]]:
    """The steps that write certificates, for before a cluster is added, and those that take them away, for after it was
    removed.
    """
    written: list[Step] = [
        WriteFile(one.file, one.customer_ca) for one in want if _other_certificate(one, seen)
    ]
    removed: list[Step] = [
        RemoveFile(one.file) for one in want if not one.present and seen.files.get(one.file) is not None
    ]
    return written, removed


def plan(
    want: Wanted, others: Sequence[ClusterConfig], program: str, anew: bool, timeout: int
) -> tuple[list[Step], list[Step]]:
    """The steps before and after the configure tool (``program``) writes its file. ``anew``: it does so for another
    reason, and then it has to find one cluster in it, so that the others are removed before and added again.
    """
    gone = [
        one
        for one in want
        for entry in others
        if one.is_of(entry) and (anew or not one.present or _other_file(one, entry))
    ]
    new = [one for one in want if one.present and (one in gone or _entry(one, others) is None)]
    removals = [configure.remove_cluster(one.cluster_id) for one in gone]
    additions = [
        configure.add_cluster(one.cluster_id, one.region, one.endpoint, one.file if one.customer_ca else "")
        for one in new
    ]
    before, after = (
        [Run(program, argv, timeout=timeout, changes=True) for argv in argvs]
        for argvs in (removals, additions)
    )
    return list(before), list(after)


def types(want: Wanted, clusters: Sequence[ClusterConfig]) -> list[tuple[int, str]]:
    """The clusters of the file (by their index) whose type differs, with the wanted one."""
    return [
        (index, one.hsm_type)
        for one in want
        for index, entry in enumerate(clusters)
        if one.present and one.is_of(entry) and _other_type(one, entry)
    ]


def predict(want: Wanted, others: Sequence[ClusterConfig]) -> tuple[ClusterConfig, ...]:
    """The clusters of the file once the plan was done. The addresses of a new one are known to AWS only."""
    kept = []
    for entry in others:
        one = next((one for one in want if one.is_of(entry)), None)
        if one is None or one.present:
            kept.append(_predicted(one, entry) if one else entry)
    new = [one for one in want if one.present and _entry(one, others) is None]
    return (*kept, *(_predicted(one, None) for one in new))


def _predicted(one: Cluster, entry: ClusterConfig | None) -> ClusterConfig:
    there = entry or ClusterConfig(cluster_id=one.cluster_id, customer_ca_file=configure.CUSTOMER_CA)
    return replace(
        there,
        hsm_type=one.hsm_type or there.hsm_type,
        customer_ca_file=one.file if one.customer_ca else there.customer_ca_file,
    )


def predict_files(want: Wanted, seen: Seen) -> Seen:
    """The files of the certificates once the plan was done."""
    written = {one.file: one.customer_ca for one in want if _other_certificate(one, seen)}
    removed = dict.fromkeys(one.file for one in want if not one.present)
    return Seen({**seen.files, **removed, **written})


def as_dicts(want: Wanted, others: Sequence[ClusterConfig]) -> list[dict[str, Any]]:
    """For a module's result: the further clusters that have an id. What nobody asked for is the tool's own, which
    nobody can predict.
    """
    asked = {one.cluster_id.lower(): one for one in want}
    shown = []
    for entry in sorted(others, key=lambda entry: entry.cluster_id.lower()):
        one = asked.get(entry.cluster_id.lower())
        if entry.cluster_id:
            shown.append(
                {
                    "cluster_id": entry.cluster_id,
                    "hsm_type": entry.hsm_type if one and one.hsm_type else None,
                    "customer_ca_file": entry.customer_ca_file if one and one.customer_ca else None,
                }
            )
    return shown
