# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as files of the control node: one PEM file each, and the variable codesign_identities that names them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ..module_utils._certificate import (
    Certificate,
    CertificateError,
    read_certificates,
    shortened,
    signing_fault,
)
from ..module_utils._findings import BrokenLink
from ._store.export import above_of

VARIABLES = "codesign_identities.yml"
_HEAD = "# Written by cloudhsm.codesign.identity_files. The next run writes it again.\n---\n"


@dataclass(frozen=True)
class Files:
    """``contents``: what belongs into the folder, by file name. ``identities``: as codesign_identities takes them.
    ``warnings``: what a user should know of them.
    """

    contents: dict[str, str]
    identities: list[dict[str, Any]]
    warnings: tuple[str, ...] = ()


def read(texts: Sequence[str]) -> list[Certificate]:
    """All certificates in PEM texts, each once. BrokenLink for a text that holds none."""
    found: dict[bytes, Certificate] = {}
    for number, text in enumerate(texts, 1):
        try:
            for one in read_certificates(text.encode("utf-8"), f"number {number} of certificates"):
                found.setdefault(one.der, one)
        except CertificateError as error:
            raise BrokenLink("argument", error.sentence, "Give PEM texts.") from error
    return list(found.values())


def plan(certificates: Sequence[Certificate], folder: str) -> Files:
    """The files for certificates. ``folder`` as it shall stand before their names in the variable."""
    names = {one.thumbprint: file_name(one) for one in certificates}
    contents = {names[one.thumbprint]: one.pem for one in certificates}
    leaves = [one for one in certificates if not one.is_ca and not signing_fault(one)]
    called = _called(leaves)
    identities: list[dict[str, Any]] = []
    warnings = []
    for leaf in leaves:
        chain = above_of(leaf, certificates)
        last = chain[-1] if chain else leaf
        if last.subject != last.issuer:
            warnings.append(
                f"The certificate above {last.thumbprint} ({last.name}) is not among them: '{shortened(last.issuer)}'."
            )
        identities.append(
            {
                "name": called[leaf.thumbprint],
                "certificate": os.path.join(folder, names[leaf.thumbprint]),
                "chain": [{"certificate": os.path.join(folder, names[one.thumbprint])} for one in chain],
            }
        )
    if identities:
        text = yaml.safe_dump({"codesign_identities": identities}, sort_keys=False, allow_unicode=True)
        contents[VARIABLES] = _HEAD + text
    return Files(contents, identities, tuple(warnings))


def file_name(certificate: Certificate) -> str:
    """A name that says whose certificate it is, and is no other one's."""
    return f"{slug(certificate)}-{certificate.thumbprint[:8].lower()}.pem"


def slug(certificate: Certificate) -> str:
    """The common name in the letters that every file system takes."""
    text = re.sub(r"[^a-z0-9]+", "-", (certificate.common_name or "certificate").lower()).strip("-")
    return text[:60].strip("-") or "certificate"


def _called(leaves: Sequence[Certificate]) -> dict[str, str]:
    """The identities' names: the common name's, with the thumbprint where two have the same."""
    slugs = [slug(one) for one in leaves]
    return {
        one.thumbprint: name if slugs.count(name) == 1 else f"{name}-{one.thumbprint[:8].lower()}"
        for one, name in zip(leaves, slugs, strict=True)
    }
