# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""msiexec: installs (/i) and removes (/x) the packages of the lab, silently.

Exit codes are Windows Installer's: 0, 1603 fatal error, 1605 unknown product, 1619 no package, 1625
forbidden, 1639 bad command line, 3010 restart needed (the fault ``msi_reboot``). The fault ``msi_fails``
makes an installation end with 1603.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..windows import packages
from ..windows.errors import LabOSError

if TYPE_CHECKING:
    from ..windows.process import Process

_LOG = re.compile(r"[/-]l(?:og|[iwearucmopvx+!*]*)", re.IGNORECASE)
_SILENT = ("/quiet", "/qn", "/passive", "/qb", "/qr", "/qf", "/qn+", "/qb!", "/q")
_RESTART = ("/norestart", "/promptrestart", "/forcerestart")


def main(process: Process) -> int:
    verb, target, log, silent = "", "", "", False
    argv = list(process.argv)
    while argv:
        word = argv.pop(0)
        lower = "/" + word[1:].lower() if word[:1] in "/-" else word
        if lower in ("/i", "/package", "/x", "/uninstall") and argv and not verb:
            verb, target = ("install" if lower in ("/i", "/package") else "remove"), argv.pop(0)
        elif lower in _SILENT:
            silent = True
        elif lower in _RESTART:
            continue
        elif _LOG.fullmatch(word) and argv:
            log = argv.pop(0)
        elif re.fullmatch(r"[A-Z_][A-Z0-9_]*=.*", word):
            continue
        else:
            return 1639
    if not verb:
        return 1639
    if not silent:
        # The wizard waits for somebody to press its button.
        process.wait(86_400)
    return _finish(process, log, _run(process, verb, target))


def _run(process: Process, verb: str, target: str) -> int:
    host = process.host
    if re.fullmatch(r"\{[0-9A-Fa-f-]{36}\}", target):
        package = packages.by_product_id(target)
        if package is None or not package.installed(host):
            return 1605
    else:
        try:
            package = packages.by_content(host.files.read(process.resolve(target)))
        except LabOSError:
            return 1619
        if package is None or not package.msi:
            return 1620 if package is None else 1619
    user = host.accounts.user(process.account)
    if user is not None and not user.administrator:
        return 1625
    if verb == "remove":
        if not package.installed(host):
            return 1605
        package.remove(host)
        return 0
    if process.fault("msi_fails") is not None:
        return 1603
    package.install(host)
    return 3010 if process.fault("msi_reboot") is not None else 0


def _finish(process: Process, log: str, code: int) -> int:
    if log:
        text = f"=== Verbose logging started ===\r\nMainEngineThread is returning {code}\r\n=== Verbose logging stopped ===\r\n"
        try:
            process.host.files.write(process.resolve(log), text.encode("utf-16"), by="msiexec")
        except LabOSError:
            return 1622
    return code
