# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of check_variables; the work is done by the action of the same name, on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_variables
short_description: Names everything that is missing or wrong in the variables of the roles, before a host is touched
version_added: 1.0.0
description:
  - Compares the variables C(codesign_*) of all hosts of the play with what the roles that will be used need, on the control node, and fails with one
    message that names all of them.
  - Types and choices come from the roles' argument specifications. What is required depends on O(uses). Certificate files are read, templates are
    worked out.
  - A name that begins with C(codesign_) and that nothing reads is a warning. It is an error where it looks like the name of a variable that is not
    set.
  - The playbooks and roles of this collection run it first, with C(run_once).
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.read_only
options:
  uses:
    description:
      - The roles that will be used. V(login) stands for the login of a crypto user, V(retire), V(password), V(export), V(rotate) and V(migrate)
        for the playbooks of these names, V(sign_local) for the role sign with files of the control node.
    type: list
    elements: str
    required: true
    choices:
      - client
      - certificate_request
      - certificates
      - credentials
      - inspect
      - key_container
      - sign
      - signtool
      - login
      - retire
      - password
      - export
      - rotate
      - migrate
      - sign_local
  clusters:
    description:
      - What M(cloudhsm.codesign.cloudhsm_cluster_info) has returned, to compare the variables with it. The cluster of a host is the one that
        C(codesign_cluster_id) names, else the one that has an HSM at C(codesign_hsm_addresses).
    type: list
    elements: dict
  dates:
    description:
      - Whether a signing certificate that has ended is wrong too, and one that ends within C(codesign_expiry_days) is a warning. The playbooks
        that work on hosts leave that to each host's look.
    type: bool
    default: false
attributes:
  platform:
    platforms:
      - posix
      - windows
"""

EXAMPLES = r"""
- name: Know that everything is there before anything is done
  cloudhsm.codesign.check_variables:
    uses:
      - client
      - certificates
      - signtool
      - key_container
  run_once: true

- name: Know which variables differ from what a look needs, and go on
  cloudhsm.codesign.check_variables:
    uses:
      - inspect
  register: variables
  # What is missing is shown, and hinders nothing here.
  failed_when: false

- name: Compare the variables with what AWS says of the clusters
  cloudhsm.codesign.check_variables:
    uses:
      - client
    clusters:
      - cluster_id: cluster-igklspoyj5v
        state: ACTIVE
        hsm_type: hsm2m
        client_sdks:
          - '5'
        addresses:
          - 10.0.1.17
          - 10.0.2.23

- name: Know that a login is there
  cloudhsm.codesign.check_variables:
    uses:
      - login
"""

RETURN = r"""
problems:
  description: What is missing or wrong, as sentences; each begins with the names of its hosts where not all hosts have it.
  returned: always
  type: list
  elements: str
  sample: []
hosts:
  description: How many hosts' variables were looked at.
  returned: always
  type: int
  sample: 12
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: argument
"""
