# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of codesign_manifest; the work is done by the action of the same name, on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codesign_manifest
short_description: Writes down which files were signed, as JSON and for sha256sum
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Writes a manifest on the control node, and C(SHA256SUMS) beside it, each in one stroke. For files on hosts there is one C(SHA256SUMS.HOST) for each.
  - An entry of an earlier run stays while its file on the control node is still what the entry says, or while its file is one of a host.
  - Nothing is written where nothing but the time would differ.
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
options:
  path:
    description:
      - The manifest. Its folder is made where it is missing. Paths of files below that folder are relative to it.
    type: path
    required: true
  plan:
    description:
      - The last result of M(cloudhsm.codesign.codesign_plan). One of O(plan) and O(signed) is required.
    type: dict
  signed:
    description:
      - RV(cloudhsm.codesign.win_signtool#module:files) of tasks that signed files on hosts, by host.
    type: dict
  wanted:
    description:
      - How the files were to be signed, in the form that O(cloudhsm.codesign.codesign_plan#module:wanted) has.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms:
      - posix
      - windows
seealso:
  - module: cloudhsm.codesign.codesign_plan
  - module: cloudhsm.codesign.win_signtool
"""

EXAMPLES = r"""
- name: Write down what was signed on this host
  cloudhsm.codesign.codesign_manifest:
    path: /srv/release/manifest.json
    signed: "{{ dict([[inventory_hostname, signed.files]]) }}"

- name: Write down what several hosts signed
  cloudhsm.codesign.codesign_manifest:
    path: /srv/release/hosts.json
    signed: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, ['signed', 'files']))) }}"
  run_once: true

- name: Write down what came of files of the control node
  cloudhsm.codesign.codesign_manifest:
    path: /srv/release/signed/manifest.json
    plan: "{{ last_plan }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The manifest.
  returned: success
  type: str
  sample: /srv/release/signed/manifest.json
sums:
  description: The files for sha256sum.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/release/signed/SHA256SUMS
files:
  description: How many files the manifest has.
  returned: success
  type: int
  sample: 60
key_uses_repeated:
  description: How many uses of the key were repeated for these files, at most, as a host did not bring back what it may have signed.
  returned: success
  type: int
  sample: 0
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: file
"""
