# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the control node that variables name: found beside the role and the playbook, as Ansible does, and
beside the inventory and where ansible-playbook was started; and files that are written there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
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


def _is_content(name: str) -> bool:
    """Whether somebody has given what is in a file instead of its path. Ansible would show it from -vvvvv on while it looks."""
    return "-----BEGIN" in name or "\n" in name


def find(loader: Any, variables: Mapping[str, Any], name: str) -> str:
    """The full path of the file ``name``; "" where it is in none of the places, or no path."""
    if _is_content(name):
        return ""
    expanded = os.path.expanduser(name)
    if os.path.isabs(expanded):
        return expanded if os.path.isfile(expanded) else ""
    stack = list(variables.get("ansible_search_path") or [loader.get_basedir()])
    try:
        return str(loader.path_dwim_relative_stack(stack, FOLDER, name, is_role="role_path" in variables))
    except AnsibleFileNotFound:
        pass
    tried = (os.path.join(place, folder, expanded) for place in places(variables) for folder in (FOLDER, ""))
    return next((path for path in tried if os.path.isfile(path)), "")


def missing(name: str, variables: Mapping[str, Any]) -> str:
    """A sentence for a file that is not there. It does not show what is no path: that may be a private key."""
    if _is_content(name):
        return "The path of a file of the control node is wanted, and a file's content was given."
    if os.path.isabs(os.path.expanduser(name)):
        return f"There is no file '{name}' on the control node."
    looked = ", ".join(places(variables))
    return f"The file '{name}' was not found on the control node, beside neither the inventory nor the playbook ({looked})."


def target(loader: Any, variables: Mapping[str, Any], name: str) -> str:
    """The full path of a file that is to be written: where it is already, else relative to where ansible-playbook was
    started.
    """
    return find(loader, variables, name) or os.path.abspath(os.path.expanduser(name))


def write(path: str, content: bytes) -> bool:
    """Puts ``content`` into a file in one stroke, with its folders; whether it was another one before. OSError where that
    fails. What is there keeps its mode.
    """
    file = Path(path)
    mode = 0o666 & ~_umask()
    try:
        if file.read_bytes() == content:
            return False
        mode = file.stat().st_mode & 0o777
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, file)
    except OSError:
        os.unlink(temporary)
        raise
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
