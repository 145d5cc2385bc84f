# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a text file of the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: control_file
short_description: Reads a text file of the control node that a variable names
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Gives the content of a file, as P(ansible.builtin.file#lookup) does, and an empty text for an empty name.
  - A file that C(ansible-vault) has encrypted is decrypted.
  - A relative path is also looked for beside the inventory, and where C(ansible-playbook) was started. The playbooks of a collection lie in the
    collection, where nobody puts files.
options:
  _terms:
    description:
      - Paths. In each place the folder C(files) is looked into first. With O(key) mappings that hold one.
    type: list
    elements: raw
    required: true
  key:
    description:
      - What in each mapping of the terms is a path. The mapping is given back with the file's content in that place; one without it as it is.
    type: str
"""

EXAMPLES = r"""
- name: Write the cluster's issuing certificate
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses: "{{ codesign_hsm_addresses }}"
    customer_ca: "{{ lookup('cloudhsm.codesign.control_file', codesign_customer_ca) }}"

- name: Show the file that the cluster's certificate was issued by
  ansible.builtin.debug:
    msg: "{{ lookup('cloudhsm.codesign.control_file', 'customerCA.crt') }}"

- name: Show several files of the control node
  ansible.builtin.debug:
    msg: "{{ query('cloudhsm.codesign.control_file', 'customerCA.crt', 'signing.pem') }}"

- name: Show further clusters with the content of the files that they name
  ansible.builtin.debug:
    msg: "{{ query('cloudhsm.codesign.control_file', *codesign_client_lookup_clusters, key='customer_ca') }}"
"""

RETURN = r"""
_raw:
  description: The contents, without line ends at their end; with O(key) the mappings that hold them.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils import _control_files


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        key = self.get_option("key")
        if key:
            return [self._filled(one, str(key), variables or {}) for one in terms]
        return [self.content(str(name or ""), variables or {}) for name in terms]

    def _filled(self, one: Any, key: str, variables: dict[str, Any]) -> Any:
        if not isinstance(one, Mapping):
            raise AnsibleLookupError(f"'{one}' is no mapping with a path in '{key}'.")
        return {**one, key: self.content(str(one[key] or ""), variables)} if key in one else dict(one)

    def content(self, name: str, variables: dict[str, Any]) -> str:
        """The text of a file, "" without a name. AnsibleLookupError where it cannot be read."""
        if not name:
            return ""
        path = _control_files.find(self._loader, variables, name)
        if not path:
            raise AnsibleLookupError(_control_files.missing(name, variables))
        try:
            return str(self._loader.get_text_file_contents(path)).rstrip()
        except AnsibleError as error:
            # A vault that nobody opens: the sentence is Ansible's own.
            raise AnsibleLookupError(f"The file '{path}' cannot be read: {error.message}") from error
        except (OSError, ValueError) as error:
            raise AnsibleLookupError(f"The file '{path}' cannot be read as text: {error}.") from error
