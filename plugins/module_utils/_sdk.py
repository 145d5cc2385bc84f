# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two client SDKs of CloudHSM, and which of them is meant by the option ``client_sdk``.

What a Windows host has of them beside this is added on the control node, by classes of the same names
(plugin_utils/_sdk.py).
"""

from __future__ import annotations

from typing import Literal, Optional, Sequence, Tuple, TypeVar

from ._tools import configure

AUTO = "auto"


class ClientSdk:
    """What differs between the two. An empty ``service`` is none."""

    name: Literal["3", "5"]
    """As the option ``client_sdk`` takes it."""
    variable: str
    """The environment variable that its tools and its provider take user:password from."""
    credential: str
    """The generic credential that they look for in the Credential Manager."""
    hsm_types: Tuple[str, ...]
    """The types of clusters that it works with."""
    service = ""
    """The daemon that its tools and its provider need."""
    backend: str
    """The back end of the key look-up that runs its tool, by its name there."""
    public_key: Literal["required", "ignored"]
    """Whether a container can be made without the handle of the public key."""


class Sdk3(ClientSdk):
    name = "3"
    variable = "n3fips_password"
    credential = "cloudhsm_client"
    hsm_types = ("hsm1",)
    service = configure.SERVICE
    backend = "key_mgmt_util"
    public_key = "required"


class Sdk5(ClientSdk):
    name = "5"
    variable = credential = "CLOUDHSM_PIN"
    hsm_types = ("hsm1", "hsm2m")
    backend = "cloudhsm_cli"
    public_key = "ignored"


SDKS: Tuple[ClientSdk, ...] = (Sdk5(), Sdk3())
"""The newest first."""

CHOICES = [AUTO, *sorted(sdk.name for sdk in SDKS)]
"""What the option ``client_sdk`` takes."""

Sdk = TypeVar("Sdk", bound=ClientSdk)


def meant(client_sdk: str, sdks: Sequence[Sdk]) -> Tuple[Sdk, ...]:
    """Those of ``sdks`` that the option stands for: the one that it names, or all."""
    return tuple(sdk for sdk in sdks if client_sdk in (AUTO, sdk.name))


def choose(client_sdk: str, installed: Sequence[Sdk]) -> Optional[Sdk]:
    """The one to work with: the newest that is installed and meant; None where there is none."""
    return next(iter(meant(client_sdk, installed)), None)
