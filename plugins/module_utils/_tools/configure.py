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

TLS_CERTIFICATE, TLS_KEY = f"{DATA}\\ssl-client.pem", f"{DATA}\\ssl-client.key"
"""The client's own certificate and key for TLS with the HSMs: so named in the documentation's example for Windows."""

FOLDERS = (f"{DATA}\\data", DATA, f"{INSTALLED}\\data", f"{INSTALLED}\\etc", INSTALLED)
"""Where the configuration files are looked for, in this order. For SDK 5 no public source says where they lie: its
documentation and AWS's own scripts name both of the vendor's folders.
"""

LOGS = f"{INSTALLED} and {DATA}"
"""Where the tools' logs lie: AWS's pages name one and the other."""

CLI_FILE = "cloudhsm-cli.cfg"
KSP_FILE = "cloudhsm-ksp.cfg"
SDK3_FILE = "cloudhsm_client.cfg"

TLS = (("--client-cert-hsm-tls-file", TLS_CERTIFICATE), ("--client-key-hsm-tls-file", TLS_KEY))
"""The options that name the client's certificate and key: the documentation wants both or none."""

RETRY_MODE, RETRY_MODES = "--default-retry-mode", ("off", "standard")
LOG_TYPE, LOG_TYPES = "--log-type", ("term", "file")
LOG_FILE = "--log-file"
LOG_LEVEL, LOG_LEVELS = "--log-level", ("error", "warn", "info", "debug", "trace")
LOG_ROTATION, LOG_ROTATIONS = "--log-rotation", ("never", "hourly", "daily")

SERVICE = "AWSCloudHSMClient"
"""The daemon of SDK 3; SDK 5 has none."""


def argv(
    addresses: Sequence[str] = (),
    customer_ca: str = "",
    key_availability_check: Optional[bool] = None,
    sdk3_compatibility_mode: Optional[bool] = None,
    values: Sequence[Tuple[str, str]] = (),
    cluster_id: str = "",
    region: str = "",
) -> Tuple[str, ...]:
    """Arguments of a configure tool; what is empty or None is not touched.

    ``sdk3_compatibility_mode`` is an option of configure-ksp.exe only; configure.exe of SDK 3 takes one address
    and nothing else. ``values``: options that take one value each, in their order (TLS, RETRY_MODE, LOG_...).
    With ``cluster_id`` the tool asks AWS for the addresses, which takes the place of ``addresses``.
    """
    arguments = ["-a", *addresses] if addresses and not cluster_id else []
    if cluster_id:
        arguments += ["--cluster-id", cluster_id]
        arguments += ["--region", region] if region else []
    if customer_ca:
        arguments += ["--hsm-ca-cert", customer_ca]
    if key_availability_check is not None:
        arguments.append(f"--{_enable(key_availability_check)}-key-availability-check")
    if sdk3_compatibility_mode is not None:
        arguments.append(f"--{_enable(sdk3_compatibility_mode)}-sdk3-compatibility-mode")
    for name, value in values:
        arguments += [name, value]
    return tuple(arguments)


def customer_ca_of(cluster_id: str) -> str:
    """Where the issuing certificate of a further cluster lies, named by us: each cluster has its own."""
    return f"{DATA}\\customerCA-{cluster_id}.crt"


def add_cluster(
    cluster_id: str, region: str = "", endpoint: str = "", customer_ca: str = ""
) -> Tuple[str, ...]:
    """Arguments that add a cluster to the configuration of cloudhsm-cli; the tool asks AWS for its addresses (user
    guide, "Add a cluster to your configuration"; the options as the guide has them for configure-pkcs11).
    """
    given = (("--region", region), ("--endpoint", endpoint), ("--hsm-ca-cert", customer_ca))
    return ("add-cluster", "--cluster-id", cluster_id, *(text for pair in given if pair[1] for text in pair))


def remove_cluster(cluster_id: str) -> Tuple[str, ...]:
    """Arguments that take a cluster from the configuration of cloudhsm-cli."""
    return ("remove-cluster", "--cluster-id", cluster_id)


def _enable(on: bool) -> str:
    return "enable" if on else "disable"
