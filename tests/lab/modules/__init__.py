# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible modules that the simulated hosts know, a file each, by their full names."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    setup,
    slurp,
    win_acl,
    win_certificate_info,
    win_certificate_store,
    win_command,
    win_copy,
    win_credential,
    win_environment,
    win_file,
    win_get_url,
    win_package,
    win_path,
    win_ping,
    win_powershell,
    win_reg_stat,
    win_regedit,
    win_service,
    win_shell,
    win_stat,
    win_tempfile,
    win_unzip,
)
from .base import Module

MODULES: Mapping[str, Module] = {
    "ansible.windows.setup": setup.MODULE,
    "ansible.windows.slurp": slurp.MODULE,
    "ansible.windows.win_acl": win_acl.MODULE,
    "ansible.windows.win_certificate_info": win_certificate_info.MODULE,
    "ansible.windows.win_certificate_store": win_certificate_store.MODULE,
    "ansible.windows.win_command": win_command.MODULE,
    "ansible.windows.win_copy": win_copy.MODULE,
    "ansible.windows.win_credential": win_credential.MODULE,
    "ansible.windows.win_environment": win_environment.MODULE,
    "ansible.windows.win_file": win_file.MODULE,
    "ansible.windows.win_get_url": win_get_url.MODULE,
    "ansible.windows.win_package": win_package.MODULE,
    "ansible.windows.win_path": win_path.MODULE,
    "ansible.windows.win_ping": win_ping.MODULE,
    "ansible.windows.win_powershell": win_powershell.MODULE,
    "ansible.windows.win_reg_stat": win_reg_stat.MODULE,
    "ansible.windows.win_regedit": win_regedit.MODULE,
    "ansible.windows.win_service": win_service.MODULE,
    "ansible.windows.win_shell": win_shell.MODULE,
    "ansible.windows.win_stat": win_stat.MODULE,
    "ansible.windows.win_tempfile": win_tempfile.MODULE,
    "community.windows.win_unzip": win_unzip.MODULE,
}
