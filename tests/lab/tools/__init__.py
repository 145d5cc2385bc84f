# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the simulated hosts, a file each: key of the program -> what runs when it is started."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import (
    certreq,
    certutil,
    cloudhsm_cli,
    cmd,
    cmdkey,
    configure3,
    configure5,
    icacls,
    import_key,
    key_mgmt_util,
    msiexec,
    net,
    powershell,
    provider_config,
    sc,
    set_cloudhsm_credentials,
    signtool,
)

if TYPE_CHECKING:
    from ..windows.process import Process

TOOLS: "dict[str, Callable[[Process], int]]" = {
    "certreq": certreq.main,
    "certutil": certutil.main,
    "cloudhsm_cli": cloudhsm_cli.main,
    "cmd": cmd.main,
    "cmdkey": cmdkey.main,
    "cng_config": provider_config.cng_config,
    "configure3": configure3.main,
    "configure_cli": configure5.configure_cli,
    "configure_ksp": configure5.configure_ksp,
    "icacls": icacls.main,
    "import_key": import_key.main,
    "key_mgmt_util": key_mgmt_util.main,
    "ksp_config": provider_config.ksp_config,
    "msiexec": msiexec.main,
    "net": net.main,
    "powershell": powershell.main,
    "sc": sc.main,
    "set_cloudhsm_credentials": set_cloudhsm_credentials.main,
    "signtool": signtool.main,
}
