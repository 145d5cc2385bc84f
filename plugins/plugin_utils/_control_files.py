# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the control node that variables name: found beside the role and the playbook, as Ansible does, and
beside the inventory and where ansible-playbook was started.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFileNotFound

FOLDER = "files"
"""Looked into at each place, before the place itself."""


def places(variables: Mapping[str, Any]) -> list[str]:
    """Where a relative path is looked for after Ansible's own places."""
    sources = [str(source) for source in variables.get("ansible_inventory_sources") or ()]
    beside = [source if os.path.isdir(source) else os.path.dirname(source) for source in sources]
    named = [variables.get("inventory_dir"), *beside, variables.get("playbook_dir"), os.getcwd()]
    return list(dict.fromkeys(str(place) for place in named if place))


def find(loader: Any, variables: Mapping[str, Any], name: str) -> str:
    """The full path of the file ``name``; "" where it is in none of the places."""
    stack = list(variables.get("ansible_search_path") or [loader.get_basedir()])
    try:
        return str(loader.path_dwim_relative_stack(stack, FOLDER, name, is_role="role_path" in variables))
    except AnsibleFileNotFound:
        pass
    expanded = os.path.expanduser(name)
    tried = (os.path.join(place, folder, expanded) for place in places(variables) for folder in (FOLDER, ""))
    return next((path for path in tried if os.path.isfile(path)), "")


def missing(name: str, variables: Mapping[str, Any]) -> str:
    """A sentence for a file that is not there."""
    if os.path.isabs(os.path.expanduser(name)):
        return f"There is no file '{name}' on the control node."
    looked = ", ".join(places(variables))
    return f"The file '{name}' was not found on the control node, beside neither the inventory nor the playbook ({looked})."
