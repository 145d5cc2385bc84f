# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the certificate files of signing identities on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: identities
short_description: Reads the certificate files of signing identities
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Takes signing identities that name certificate files on the control node, and gives them back with what these files hold.
  - The roles of this collection use it for the variable C(codesign_identities). The files may be PEM, DER or PKCS#7.
options:
  _terms:
    description:
      - Identities. Each is a dictionary with C(name), C(certificate) (a file) and C(chain), one of them at least. The chain is a list of dictionaries with
        C(certificate) (a file) and optionally C(store), which is C(Root) for a self-signed certificate and C(CA) for another one unless given.
        All other keys are handed on as they are.
      - The signing certificate must be fit for code signing and no CA, each certificate of the chain must have signed another one, in any order,
        and only a self-signed one may be in C(Root). The root may be absent, and the signing certificate may stand in C(TrustedPublisher) too.
      - The certificates that an identity had before, C(former), may be files or thumbprints; thumbprints are given back.
      - Files are looked for as P(ansible.builtin.file#lookup) does, in the folder C(files) of the role or play among others; then beside the
        inventory, and where C(ansible-playbook) was started.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show when each signing certificate ends
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.not_after }}"
  loop: "{{ query('cloudhsm.codesign.identities', codesign_identities) }}"

- name: Remember the thumbprint of the first identity
  ansible.builtin.set_fact:
    release_thumbprint: "{{ query('cloudhsm.codesign.identities', codesign_identities)[0].thumbprint }}"

- name: Tie a certificate to the key that belongs to it
  cloudhsm.codesign.win_cert_repairstore:
    thumbprint: "{{ query('cloudhsm.codesign.identities', {'name': 'release', 'certificate': 'release.cer'})[0].thumbprint }}"
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
"""

RETURN = r"""
_raw:
  description: The identities, in their order, with the keys of the input and the ones named here.
  type: list
  elements: dict
  contains:
    name:
      description: The identity's name, from the input.
      type: str
      sample: release
    certificate:
      description: The signing certificate as PEM text. This and all that is said of it is not there for an identity without one.
      type: str
      sample: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
    thumbprint:
      description: Its SHA-1 thumbprint, upper case hex.
      type: str
      sample: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
    serial_number:
      description: Its serial number, lower case hex as certutil prints it.
      type: str
      sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
    subject:
      description: Its subject.
      type: str
      sample: CN=Example Software,O=Example,C=DE
    not_before:
      description: When it became valid (UTC, ISO 8601).
      type: str
      sample: '2026-11-24T09:40:00+00:00'
    not_after:
      description: When it ends (UTC, ISO 8601).
      type: str
      sample: '2027-11-24T09:40:00+00:00'
    modulus:
      description: The modulus of its RSA key, upper case hex; empty for other keys.
      type: str
      sample: C3A1D0E96B2F47C8...
    former:
      description: The thumbprints of the certificates that it had before.
      returned: where the input names some
      type: list
      elements: str
      sample: []
    chain:
      description: The certificates above it, the nearest first.
      type: list
      elements: dict
      contains:
        certificate:
          description: The certificate as PEM text.
          type: str
          sample: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
        thumbprint:
          description: Its SHA-1 thumbprint.
          type: str
          sample: 0D4C5E6F708192A3B4C5D6E7F8091A2B3C4D5E6F
        store:
          description: The store of the machine that it belongs into.
          type: str
          sample: CA
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils._certificate import (
    Certificate,
    CertificateError,
    normalize_thumbprint,
    read_certificate,
)
from ..module_utils._findings import BrokenLink
from ..plugin_utils import _control_files
from ..plugin_utils._store.identity import certificates_of
from ..plugin_utils._variables import as_list


class LookupModule(LookupBase):
    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        return self.identities(terms, variables)

    def identities(self, terms: list[Any], variables: dict[str, Any] | None) -> list[dict[str, Any]]:
        """The identities of all terms, with what their files hold. AnsibleLookupError for one that cannot be read."""
        identities = [item for term in terms for item in (term if isinstance(term, list) else [term])]
        for number, one in enumerate(identities, 1):
            if not isinstance(one, Mapping):
                raise AnsibleLookupError(
                    f"Identity {number} is no dictionary: it is to have name, certificate and chain as its keys."
                )
        return [self._identity(dict(identity), variables) for identity in identities]

    def _identity(self, identity: dict[str, Any], variables: dict[str, Any] | None) -> dict[str, Any]:
        if not identity.get("name"):
            raise AnsibleLookupError(f"A signing identity lacks 'name': {identity}.")
        try:
            certificate, chain = certificates_of(
                identity["name"], identity, lambda file, what: self._read(file, what, variables)
            )
        except BrokenLink as broken:
            raise AnsibleLookupError(str(broken)) from None
        signing = (
            {
                "certificate": certificate.pem,
                "thumbprint": certificate.thumbprint,
                "serial_number": certificate.serial,
                "subject": certificate.subject,
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
                "modulus": certificate.modulus,
            }
            if certificate
            else {}
        )
        former = [
            self._former(str(one), identity["name"], variables) for one in as_list(identity.get("former"))
        ]
        if certificate and certificate.thumbprint in former:
            raise AnsibleLookupError(
                f"'former' of '{identity['name']}' names {certificate.thumbprint}, which is the certificate that it has now: "
                "name the ones before."
            )
        return {
            **identity,
            **signing,
            **({"former": former} if "former" in identity else {}),
            "chain": [
                {"certificate": read.pem, "thumbprint": read.thumbprint, "store": store}
                for read, store in chain
            ],
        }

    def _former(self, text: str, identity: str, variables: dict[str, Any] | None) -> str:
        """The thumbprint of a former certificate, which is named by it or by a file."""
        try:
            return normalize_thumbprint(text)
        except CertificateError as error:
            if _control_files.find(self._loader, variables or {}, text):
                return self._read(text, f"the former certificate of '{identity}'", variables).thumbprint
            raise AnsibleLookupError(
                f"'former' of '{identity}' holds '{text}', which is no file on the control node; as a thumbprint it cannot be read: "
                f"{error.sentence}"
            ) from None

    def _read(self, name: Any, what: str, variables: dict[str, Any] | None) -> Certificate:
        if not name:
            raise AnsibleLookupError(f"{what[:1].upper()}{what[1:]} names no file.")
        path = _control_files.find(self._loader, variables or {}, str(name))
        if not path:
            raise AnsibleLookupError(_control_files.missing(str(name), variables or {}))
        try:
            return read_certificate(Path(path).read_bytes())
        except CertificateError as error:
            raise AnsibleLookupError(f"The certificate file '{path}' cannot be used: {error}") from None
