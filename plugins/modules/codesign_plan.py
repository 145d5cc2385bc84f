# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of codesign_plan; the work is done by the action of the same name, on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codesign_plan
short_description: Finds files of the control node that are to be signed, and shares them out over hosts
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Finds files by patterns, leaves out those that a manifest knows as signed, and says which host signs which of the others.
  - Asked again with what the hosts returned, it shares out what they did not bring back over the hosts that are left. What is wrong with a file
    fails the file; anything else puts the host out of the run.
  - No host is touched. The playbook C(cloudhsm.codesign.sign_local) is made of this module, M(cloudhsm.codesign.win_codesign_artifacts) and
    M(cloudhsm.codesign.codesign_manifest).
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.read_only
options:
  files:
    description:
      - Paths and patterns with V(*), V(?), V([...]) in each part and V(**) for folders of any depth. Relative ones count from where
        C(ansible-playbook) was started.
      - What begins with a dot is found only by a part that does so too. Folders behind symbolic links are not entered.
      - A symbolic link means the file behind it. Files that are alike, and end alike, are signed once.
    type: list
    elements: path
  target:
    description:
      - Folder for the signed files, which lie there as they do below the part of their pattern that has no wildcard. Without it each takes the
        place of its original.
    type: path
  manifest:
    description:
      - The manifest of earlier runs. A file that it knows as signed in the way of O(wanted), and that is still that file, is left out.
    type: path
  wanted:
    description:
      - How the files are to be signed, in any form. Entries of a manifest count only where they were signed in the same way.
    type: dict
    default: {}
  hosts:
    description:
      - The hosts that can sign, in the order in which they are taken.
    type: list
    elements: str
    required: true
  files_per_host:
    description:
      - How many files make a further host worth while. Fewer than twice as many go to one host. 4 MB of a file count as one more.
    type: int
    default: 8
  previous:
    description:
      - What the module returned before, to go on from there. Given instead of O(files), together with O(results).
    type: dict
  results:
    description:
      - What M(cloudhsm.codesign.win_codesign_artifacts) returned, by host. A host without an answer of its own died.
    type: dict
attributes:
  platform:
    platforms:
      - posix
      - windows
seealso:
  - module: cloudhsm.codesign.win_codesign_artifacts
  - module: cloudhsm.codesign.codesign_manifest
"""

EXAMPLES = r"""
- name: Share out all programs of a build
  cloudhsm.codesign.codesign_plan:
    files:
      - /srv/release/dist/**/*.exe
      - /srv/release/dist/setup.msi
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
  register: first_plan

- name: See which host would sign what, for copies in a folder of their own
  cloudhsm.codesign.codesign_plan:
    files:
      - /srv/release/dist/**
    target: /srv/release/signed
    manifest: /srv/release/signed/manifest.json
    hosts: "{{ groups['codesign'] }}"
    files_per_host: 1

- name: Share out again what a host did not bring back
  cloudhsm.codesign.codesign_plan:
    previous: "{{ first_plan }}"
    results: "{{ dict([[inventory_hostname, {}]]) }}"
    hosts: "{{ groups['codesign'] }}"
  run_once: true
  register: last_plan
"""

RETURN = r"""
files:
  description: What there is to sign, each content once.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its name on a host.
      type: str
      sample: a0001.exe
    path:
      description: The file, or the first of several that are alike.
      type: str
      sample: /srv/release/dist/app.exe
    sha256:
      description: Its SHA-256.
      type: str
      sample: d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26
    size:
      description: Its bytes.
      type: int
      sample: 101888
    named:
      description: Whether it was named in full, and not found by a pattern.
      type: bool
      sample: false
    places:
      description: Where it goes when it is signed.
      type: list
      elements: dict
      contains:
        path:
          description: The file that it becomes.
          type: str
          sample: /srv/release/dist/app.exe
        before:
          description: SHA-256 of what lies there now, empty for nothing. Something else is not overwritten later.
          type: str
          sample: d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26
        mode:
          description: The mode that it gets.
          type: int
          sample: 493
shares:
  description:
    - What each host is to sign now, by host, as O(cloudhsm.codesign.win_codesign_artifacts#module:artifacts) takes it.
    - Empty when there is nothing more to do.
  returned: success
  type: dict
  sample:
    build-1: []
settled:
  description: What came of the items so far, by their ids, as RV(cloudhsm.codesign.win_codesign_artifacts#module:artifacts) has it, with the host.
  returned: success
  type: dict
  sample: {}
known:
  description: Entries of the manifest for files that were left out as signed.
  returned: success
  type: list
  elements: dict
  sample: []
out:
  description: Hosts that take no further part, with the reason.
  returned: success
  type: dict
  sample: {}
uses:
  description: By item, the hosts that may have signed it and did not bring it back.
  returned: success
  type: dict
  sample: {}
record:
  description: Where O(cloudhsm.codesign.win_codesign_artifacts#module:record) goes, empty without O(manifest).
  returned: success
  type: str
  sample: /srv/release/signed/.manifest.json.part
open:
  description: How many items are not settled.
  returned: success
  type: int
  sample: 1
signed:
  description: How many items were signed so far.
  returned: success
  type: int
  sample: 0
key_uses_repeated:
  description: How many uses of the key had to be made again, at most, as hosts did not bring back what they may have signed.
  returned: success
  type: int
  sample: 0
problem:
  description: Why not every file is as it should be, when nothing more can be done. Empty otherwise.
  returned: success
  type: str
  sample: ''
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: file
"""
