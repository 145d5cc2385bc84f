#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of drift_report; the work is done by the action of the same name, on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: drift_report
short_description: Reports on a fleet what M(cloudhsm.codesign.win_codesign_info) found on its hosts
version_added: 1.0.0
description:
  - Takes what M(cloudhsm.codesign.win_codesign_info) returned on each host, or what was registered where a host could not be reached or read, and makes
    one report of it, on the control node.
  - With O(folder) it writes C(drift.json) (for machines, and for the next report to be compared with), C(drift.html) (one page for people that needs no
    network), C(drift.prom) (Prometheus' text format for node_exporter's textfile collector), C(drift.jsonl) (a JSON object a finding) and C(drift.xml)
    (JUnit). Each file is replaced in one stroke.
  - What is new and what is gone since the report that lies in O(folder) is told. Of a host that cannot be read now, nothing is gone.
  - The playbooks C(cloudhsm.codesign.drift) and C(cloudhsm.codesign.drift_merge) use it.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
options:
  states:
    description:
      - The result of M(cloudhsm.codesign.win_codesign_info) by host name. V(null), or an empty mapping, for a host of which nothing was registered.
    type: dict
  reports:
    description:
      - Files C(drift.json) that are made into one report, for example those of the slices of a job. Of a host that is in several, the newest counts.
    type: list
    elements: path
  folder:
    description:
      - Where the files are written, from where ansible-playbook was started. It is made where it is not there. Without it nothing is written.
    type: path
attributes:
  check_mode:
    support: full
    details:
      - In check mode no file is written.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - The files are written each time, since they say when they were made. C(changed) is whether the fleet is another than in the report before.
  platform:
    platforms:
      - posix
      - windows
seealso:
  - module: cloudhsm.codesign.win_codesign_info
"""

EXAMPLES = r"""
# codesign_state is what win_codesign_info was registered as, with ignore_errors and ignore_unreachable: a host that cannot be read is a line of the report.
- name: Report on all hosts of the play
  cloudhsm.codesign.drift_report:
    states: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars) | map(attribute='codesign_state', default={}))) }}"
    folder: reports/codesign
  run_once: true

- name: Show how the fleet is, and write nothing
  cloudhsm.codesign.drift_report:
    states: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars) | map(attribute='codesign_state', default={}))) }}"
  run_once: true

- name: Make one report of the slices of a job
  cloudhsm.codesign.drift_report:
    reports:
      - reports/codesign/drift.json
    folder: reports/all
  run_once: true
"""

RETURN = r"""
converged:
  description: Whether all hosts could be read and none has an error. Notices do not count.
  returned: success
  type: bool
  sample: false
counts:
  description: How many hosts are as they should be (C(converged)), have errors (C(drifted)), could not be reached (C(unreachable)) or read (C(failed)).
  returned: success
  type: dict
  sample:
    converged: 39
    drifted: 1
    unreachable: 0
    failed: 0
total:
  description: One sentence.
  returned: success
  type: str
  sample: 39 of 40 hosts are as they should be
table:
  description: A line a host, and the sentence.
  returned: success
  type: list
  elements: str
  sample:
    - win-1  as it should be
    - win-2  drifted          1 error (container)
    - 1 of 2 hosts is as it should be.
new:
  description: Findings that the report before did not have, with their hosts. Empty where there was none.
  returned: success
  type: list
  elements: str
  sample:
    - "win-2: container: the container of release should be there, is missing. Run the role key_container."
gone:
  description: Findings of the report before that are gone.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: What was written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/reports/codesign/drift.json
    - /srv/reports/codesign/drift.html
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: file
"""
