# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each fork of Ansible would do anew for its one call, done once by the process that forks.

Ansible runs each task of each host in a process of its own, which begins with what its parent has loaded. The first use of OpenSSL, of the
Windows modules' parts and of some tables of Ansible takes ten to fifteen milliseconds in each of them; the parent loads the actions, so it can
go first. Nothing depends on it: what a release of ansible-core has elsewhere costs its time, as without this module.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from contextlib import suppress

from ...module_utils import _certificate

Step = Callable[[], None]

MODULE_MARKS = (
    b"#Requires -Module",
    b"#Requires -Version",
    b"#AnsibleRequires -(OSVersion|PowerShell|CSharpUtil|Wrapper)",
)


def _windows_module() -> None:
    """The expressions that find a Windows module's parts. Nothing is looked up by them here: Ansible's loaders of modules and of
    their utilities share one table, and what is found of one in this process would be taken for the other by each fork.
    """
    from ansible.executor.powershell.module_manifest import PSModuleDepFinder

    PSModuleDepFinder()
    # As ansible.executor.module_common asks whether a module is one of PowerShell's.
    for pattern in MODULE_MARKS:
        re.compile(pattern, re.IGNORECASE)


def _arguments() -> None:
    """How arguments become JSON and a command line that of PowerShell, and what tools write text in."""
    from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder

    get_module_encoder("legacy", Direction.CONTROLLER_TO_MODULE)
    get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)
    for encoding in ("utf-16-le", "cp437", "cp850", "cp1252"):
        codecs.lookup(encoding)


def _results() -> None:
    """Which part of a result is what."""
    from ansible._internal._task import UnifiedTaskResult

    for of_module in (True, False):
        # As it is called, by name: it remembers its answers by how it is asked.
        UnifiedTaskResult.get_result_key_to_resolved_field_mapping(source_is_module=of_module)


def _templates() -> None:
    """The tables of the filters and tests of Jinja, which Ansible reads from its files where the first of them is used."""
    from ansible.plugins.loader import filter_loader, test_loader

    for loader, name in ((filter_loader, "bool"), (test_loader, "changed")):
        loader.get(f"ansible.builtin.{name}")


STEPS: tuple[Step, ...] = (_certificate.prepare, _windows_module, _arguments, _results, _templates)


def prepare() -> None:
    """Has the first use of what a remote call needs behind it afterwards. Raises nothing."""
    for step in STEPS:
        with suppress(Exception):
            step()
