# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configure tools of both client SDKs: where they lie, what they write, and their command lines.

SDK 5 has one tool a component (docs.aws.amazon.com/cloudhsm, "Client SDK 5 configuration syntax"); SDK 3 has
one for its daemon.
"""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

INSTALLED = "C:\\Program Files\\Amazon\\CloudHSM"
DATA = "C:\\ProgramData\\Amazon\\CloudHSM"

CONFIGURE_CLI = f"{INSTALLED}\\bin\\configure-cli.exe"
CONFIGURE_KSP = f"{INSTALLED}\\bin\\configure-ksp.exe"
CONFIGURE_SDK3 = (f"{INSTALLED}\\bin\\configure.exe", f"{INSTALLED}\\configure.exe")
"""The documentation names the first, scripts in production use the second: both are looked for."""

CUSTOMER_CA = f"{DATA}\\customerCA.crt"
"""The issuing certificate of the cluster: both SDKs look for it here unless told otherwise."""

FOLDERS = (f"{DATA}\\data", DATA, f"{INSTALLED}\\data", f"{INSTALLED}\\etc", INSTALLED)
"""Where the configuration files are looked for, in this order. For SDK 5 no public source says where they lie: its
documentation and AWS's own scripts name both of the vendor's folders.
"""

LOGS = f"{INSTALLED} and {DATA}"
"""Where the tools' logs lie: AWS's pages name one and the other."""

CLI_FILE = "cloudhsm-cli.cfg"
KSP_FILE = "cloudhsm-ksp.cfg"
SDK3_FILE = "cloudhsm_client.cfg"

SERVICE = "AWSCloudHSMClient"
"""The daemon of SDK 3; SDK 5 has none."""


def argv(
    addresses: Sequence[str] = (),
    customer_ca: str = "",
    key_availability_check: Optional[bool] = None,
    sdk3_compatibility_mode: Optional[bool] = None,
) -> Tuple[str, ...]:
    """Arguments of a configure tool; what is empty or None is not touched.

    ``sdk3_compatibility_mode`` is an option of configure-ksp.exe only; configure.exe of SDK 3 takes one address
    and nothing else.
    """
    arguments = ["-a", *addresses] if addresses else []
    if customer_ca:
        arguments += ["--hsm-ca-cert", customer_ca]
    if key_availability_check is not None:
        arguments.append(f"--{_enable(key_availability_check)}-key-availability-check")
    if sdk3_compatibility_mode is not None:
        arguments.append(f"--{_enable(sdk3_compatibility_mode)}-sdk3-compatibility-mode")
    return tuple(arguments)


def _enable(on: bool) -> str:
    return "enable" if on else "disable"
