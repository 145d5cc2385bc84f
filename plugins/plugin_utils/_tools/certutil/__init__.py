# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil: its command lines, the property file of -repairstore, and the readers of its texts.

Success is the exit code and nothing else: 0, or the HRESULT of what went wrong (1 for a wrong command line).
Options come before the verb's own arguments, because certutil takes a later one for an argument.
"""

from __future__ import annotations

from ....module_utils._findings import quoted
from ..._formats.store_blob import FRIENDLY_NAME, KEY_PROV_INFO, KeyProvInfo
from .keys import (
    KeyContainer,
    KeyListing,
    Provider,
    ProviderListing,
    parse_csplist,
    parse_keys,
)
from .text import ParseError

__all__ = [
    "PROGRAM",
    "KeyContainer",
    "KeyListing",
    "ParseError",
    "Provider",
    "ProviderListing",
    "ca_certificate_argv",
    "ca_chain_argv",
    "check_container",
    "check_inf_value",
    "csplist_argv",
    "key_argv",
    "parse_csplist",
    "parse_keys",
    "property_file",
    "removal_file",
    "repair_by_file_argv",
    "repair_by_search_argv",
]

PROGRAM = r"C:\Windows\System32\certutil.exe"


# Command lines
# --------------------------------------------------------------------------------------------------------


def _user(store_location: str) -> tuple[str, ...]:
    return ("-user",) if store_location == "CurrentUser" else ()


def repair_by_search_argv(
    provider: str, store_name: str, thumbprint: str, store_location: str = "LocalMachine"
) -> tuple[str, ...]:
    """Lets certutil look through the provider's containers for the certificate's key."""
    return ("-f", *_user(store_location), "-csp", provider, "-repairstore", store_name, thumbprint)


def repair_by_file_argv(
    store_name: str, thumbprint: str, file: str, store_location: str = "LocalMachine"
) -> tuple[str, ...]:
    """Sets the properties that ``file`` (see property_file) holds."""
    return (*_user(store_location), "-repairstore", store_name, thumbprint, file)


def key_argv(
    provider: str, verbose: bool = True, store_location: str = "LocalMachine", container: str = ""
) -> tuple[str, ...]:
    """Lists a provider's key containers, or the one of that name; verbose with their public keys, for which every
    key is opened.
    """
    one = (container,) if container else ()
    return (*(("-v",) if verbose else ()), *_user(store_location), "-csp", provider, "-key", *one)


def check_container(name: str) -> str | None:
    """Why a container of that name can neither be asked for nor be tied to a certificate; None when it can."""
    if name[:1] in "-/":
        return f"certutil takes {quoted(name)} for an option"
    if name != name.strip() or not name.isprintable():
        return f"{quoted(name)} begins or ends with a blank, or holds a character that is none to print"
    problem = check_inf_value(name)
    return problem.rstrip(".") if problem else None


def csplist_argv() -> tuple[str, ...]:
    """Lists the providers that are registered on the host."""
    return ("-csplist",)


def ca_certificate_argv(file: str) -> tuple[str, ...]:
    """Writes the certificate of this host's CA (AD CS) to a file, which must not be there."""
    return ("-ca.cert", file)


def ca_chain_argv(file: str) -> tuple[str, ...]:
    """The same with all certificates above it."""
    return ("-ca.chain", file)


# The property file
# ----------------------------------------------------------------------------------------------------

_PROPERTY_ITEMS = ("Container", "Provider", "ProviderType", "Flags", "KeySpec")


def property_file(key: KeyProvInfo | None = None, friendly_name: str | None = None) -> bytes:
    """The INF text of -repairstore that sets the association, the friendly name or both; what is None is left
    alone.

    ASCII where that is enough. Anything else is written as UTF-16 with a byte order mark: that is how
    Windows' own INF reader tells Unicode from the ANSI code page, which differs from host to host. All five
    items of an association are always written.
    """
    lines = ["[Properties]"]
    if friendly_name is not None:
        lines.append(f'{FRIENDLY_NAME} = "{{text}}{_inf_value(friendly_name)}"')
    if key is not None:
        values = (key.container, key.provider, key.provider_type, key.flags, key.key_spec)
        items = [
            f"{name}={_inf_value(str(value))}" for name, value in zip(_PROPERTY_ITEMS, values, strict=True)
        ]
        lines.append(f'{KEY_PROV_INFO} = "{{text}}"')
        lines.extend(f'_continue_ = "{item}&"' for item in items[:-1])
        lines.append(f'_continue_ = "{items[-1]}"')
    text = "\r\n".join([*lines, ""])
    return text.encode("ascii") if text.isascii() else text.encode("utf-16")


def removal_file() -> bytes:
    """The INF text that takes the association away: a number with nothing behind it. (``Empty`` would add one
    without content.)
    """
    return f"[Properties]\r\n{KEY_PROV_INFO} =\r\n".encode("ascii")


def _inf_value(text: str) -> str:
    problem = check_inf_value(text)
    if problem:
        raise ValueError(problem)
    # %name% stands for a string of the [Strings] section; %% is a per cent sign.
    return text.replace("%", "%%")


def check_inf_value(text: str) -> str | None:
    """Why ``text`` cannot stand in a property file; None when it can."""
    bad = sorted({char for char in text if char in '"&\r\n\x00'})
    return (
        f"{quoted(text)} cannot be written to a certutil property file: it holds {', '.join(quoted(char) for char in bad)}."
        if bad
        else None
    )
