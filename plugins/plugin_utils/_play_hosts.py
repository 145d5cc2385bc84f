# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that a task on the control node speaks for, with their variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def of_hosts(task: Any, task_vars: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The task's own host; with ``run_once`` all hosts of the play. Under a strategy that knows no run_once each
    host has a task of its own.
    """
    own = str(task_vars.get("inventory_hostname", ""))
    yield own, task_vars
    if not task.run_once or getattr(task.play, "strategy", "") in ("free", "host_pinned"):
        return
    # hostvars itself knows no variables of plays and no defaults of roles.
    manager: Any = getattr(task_vars.get("hostvars"), "_variable_manager", None)
    inventory: Any = getattr(task_vars.get("hostvars"), "_inventory", None)
    # Given, because they would be worked out anew for each host, from all hosts.
    batch, every = (list(task_vars.get(f"ansible_play_{name}", ())) for name in ("batch", "hosts_all"))
    # Of a play in batches the first one speaks for all.
    first = own in every[:1]
    for name in task_vars.get("ansible_play_hosts" if first else "ansible_play_batch", ()):
        if name == own:
            continue
        try:
            host = inventory.get_host(str(name))
            found = manager.get_vars(
                play=task.play, host=host, task=task, include_hostvars=False, _hosts=batch, _hosts_all=every
            )
        except (AttributeError, TypeError):
            # What no release of ansible-core promises may be gone: then each role finds out by itself.
            return
        # Without it here, where a variable takes another host's value it could not be worked out.
        yield str(name), {**found, "hostvars": task_vars["hostvars"]}


def texts_by_host(texts: Mapping[str, list[str]]) -> list[str]:
    """Each text once, after the names of its hosts where not all have it."""
    hosts: dict[str, list[str]] = {}
    for host, found in texts.items():
        for text in found:
            hosts.setdefault(text, []).append(host)
    return [
        text if len(names) == len(texts) else f"{', '.join(names)}: {text}" for text, names in hosts.items()
    ]
