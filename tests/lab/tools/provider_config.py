# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ksp_config and cng_config of Client SDK 3: list the registered providers, or register CloudHSM's own.

Known are the options -enum and -register and the names that -enum lists (AWS CloudHSM user guide); the rest
of the text is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..windows import ksp

if TYPE_CHECKING:
    from ..windows.process import Process


def ksp_config(process: Process) -> int:
    listed = [name for name in (*ksp.BUILT_IN, *ksp.registered(process.host)) if name != ksp.CAVIUM_CNG]
    return _run(process, "ksp_config", ksp.CAVIUM, ksp.CAVIUM_IMAGE, listed)


def cng_config(process: Process) -> int:
    listed = [
        "Microsoft Primitive Provider",
        "Microsoft SSL Protocol Provider",
        *(name for name in ksp.registered(process.host) if name == ksp.CAVIUM_CNG),
    ]
    return _run(process, "cng_config", ksp.CAVIUM_CNG, ksp.CNG_IMAGE, listed)


def _run(process: Process, program: str, provider: str, image: str, listed: list[str]) -> int:
    if process.argv == ["-enum"]:
        process.out("Registered providers:\r\n" + "".join(f"\t{name}\r\n" for name in listed))
        return 0
    if process.argv == ["-register"]:
        user = process.host.accounts.user(process.account)
        if user is not None and not user.administrator:
            process.out("Registering the provider failed: 0xc0000022\r\n")
            return 1
        ksp.register(process.host, provider, image)
        process.out(f"{provider} registered successfully\r\n")
        return 0
    process.out(f"Usage: {program} -enum | -register\r\n")
    return 1
