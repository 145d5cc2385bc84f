# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play came to, in lines for a person."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
short_description: Says in a few lines what a play came to
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Takes what a module of this collection returned on each host, and says what became of hosts and files, what failed, by the link of the chain that is broken,
    and which notices remain.
  - The playbooks C(cloudhsm.codesign.site) and C(cloudhsm.codesign.sign) end with it. The callback plug-in P(cloudhsm.codesign.progress#callback) says the
    same of any run; where that is enabled, they leave it to the plug-in.
options:
  _terms:
    description:
      - The registered result by host name. Of a host without one, nothing was registered.
    type: list
    elements: dict
    required: true
  well:
    description:
      - The hosts that have not failed, such as C(ansible_play_hosts) of a play behind. All others have.
    type: list
    elements: str
    required: true
  changed:
    description:
      - What was changed on a host, by host name, beside what its result says.
    type: dict
    default: {}
  check_mode:
    description:
      - Whether nothing was changed yet.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what signing came to
  ansible.builtin.debug:
    msg: "{{ query('cloudhsm.codesign.summary', results, well=ansible_play_hosts, check_mode=ansible_check_mode) }}"
  vars:
    results: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars) | map(attribute='signed', default={}))) }}"
  run_once: true

- name: Say what signing came to on this host alone
  ansible.builtin.debug:
    msg: "{{ query('cloudhsm.codesign.summary', {inventory_hostname: signed}, well=[inventory_hostname]) }}"

- name: Say it with what was changed before
  ansible.builtin.debug:
    msg: "{{ query('cloudhsm.codesign.summary', {inventory_hostname: signed}, well=[inventory_hostname], changed=changed) }}"
  vars:
    changed: "{{ {inventory_hostname: ['client', 'certificates']} }}"
"""

RETURN = r"""
_raw:
  description: The lines.
  type: list
  elements: str
  sample:
    - '2 hosts: 1 changed, 1 failed'
    - '  win-1 changed: signing'
    - '  win-2 failed: The certificate is not tied to a key. Run the role key_container.'
    - '3 files: 3 signed'
"""

from collections.abc import Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase

from ..plugin_utils._drift.fleet import shown
from ..plugin_utils._progress.summary import Ending, Event, event, summary

_MODULE = "cloudhsm.codesign.win_signtool"


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        well, changed = set(self.get_option("well")), self.get_option("changed")
        events: list[Event] = []
        endings: dict[str, Ending] = {}
        for name, given in ((name, one) for term in terms for name, one in term.items()):
            result: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
            failed = name not in well
            for what in changed.get(name) or ():
                events.append(Event(shown(name), shown(what), ours=True, changed=True))
            told = {**result, "msg": _reason(result)} if failed else result
            events.append(event(name, "signing", _MODULE, told, failed))
            endings[shown(name)] = Ending(failed, bool(result.get("unreachable")))
        return [line.text for line in summary(events, endings, check=self.get_option("check_mode"))]


def _reason(result: Mapping[str, Any]) -> str:
    """Why a host failed: its result's sentence, or those of its findings."""
    findings = result.get("findings")
    errors = [
        str(one.get("text"))
        for one in (findings if isinstance(findings, (list, tuple)) else ())
        if isinstance(one, Mapping) and one.get("severity") == "error"
    ]
    return str(result.get("msg") or " ".join(errors) or "see above")
