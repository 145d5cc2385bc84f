# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_certificate_info: the certificates of a store."""

from __future__ import annotations

from ..windows.certstore import CertificateStores
from .base import Call, Module
from .certificates import describe


def run(call: Call) -> None:
    location = "CurrentUser" if call.args["store_location"].lower() == "currentuser" else "LocalMachine"
    wanted = (call.args["thumbprint"] or "").replace(" ", "").upper()
    found = CertificateStores(call.host).certificates(call.args["store_name"], location, call.account)
    chosen = sorted(
        (one for one in found if not wanted or one.thumbprint == wanted), key=lambda one: one.thumbprint
    )
    call.result.update(exists=bool(chosen), certificates=[describe(one) for one in chosen])


MODULE = Module(run)
