# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which former certificates signing identities have, and from when on each is of no use any more."""

from __future__ import annotations

DOCUMENTATION = r"""
name: former
short_description: Says which former certificates of signing identities are to be retired
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Takes signing identities as P(cloudhsm.codesign.identities#lookup) does, and gives the former certificates of each.
  - A former certificate is due so many days after its successor became valid, by the clock of the control node. One that an identity has now is
    never due. Where several identities name it, the latest day counts.
options:
  _terms:
    description:
      - Identities, as for P(cloudhsm.codesign.identities#lookup).
    type: list
    elements: dict
    required: true
  days:
    description:
      - How many days after its successor became valid a former certificate is due.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Show which certificates could go
  ansible.builtin.debug:
    msg: "{{ query('cloudhsm.codesign.former', codesign_identities, days=30) | selectattr('due') | map(attribute='thumbprint') }}"

- name: Show until when each is kept
  ansible.builtin.debug:
    msg: "{{ item.thumbprint }} of {{ item.identity }}: {{ item.until }}"
  loop: "{{ query('cloudhsm.codesign.former', codesign_identities) }}"

- name: Take out what is of no use any more
  cloudhsm.codesign.win_codesign_certificates:
    state: absent
    certificates: "{{ query('cloudhsm.codesign.former', codesign_identities, days=90) | selectattr('due') | map(attribute='certificate') }}"
    containers: true
"""

RETURN = r"""
_raw:
  description: The former certificates, each once.
  type: list
  elements: dict
  contains:
    identity:
      description: The identity's name.
      type: str
      sample: release
    thumbprint:
      description: The certificate's SHA-1 thumbprint.
      type: str
      sample: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
    certificate:
      description: The same with the name of its store, as M(cloudhsm.codesign.win_codesign_certificates) takes it.
      type: dict
      sample:
        thumbprint: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
        store_name: My
    until:
      description: The day and time from which on it is due (UTC, ISO 8601). Null where an identity has it now.
      type: str
      sample: '2026-12-24T09:40:00+00:00'
    due:
      description: Whether that has come.
      type: bool
      sample: false
"""

from datetime import datetime, timezone
from typing import Any

from ..plugin_utils._store.former import formers
from .identities import LookupModule as Identities


class LookupModule(Identities):
    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        now = datetime.now(timezone.utc)
        return [
            {
                "identity": one.identity,
                "thumbprint": one.thumbprint,
                "certificate": {"thumbprint": one.thumbprint, "store_name": "My"},
                "until": one.until.isoformat() if one.until else None,
                "due": one.is_due(now),
            }
            for one in formers(self.identities(terms, variables), self.get_option("days"))
        ]
