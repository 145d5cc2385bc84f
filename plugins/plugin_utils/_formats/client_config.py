# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of the CloudHSM client: reading them, and changing a cluster's type in one.

SDK 5 (cloudhsm-cli.cfg, cloudhsm-ksp.cfg): one JSON object, a list of clusters in it. SDK 3
(cloudhsm_client.cfg): one JSON object with the server that the daemon asks first. What a file does not say is
None; a file that is damaged raises ConfigError.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator, Mapping, Sequence

from ...module_utils import _json
from ...module_utils._tools import configure

HSM_TYPES = ("hsm1", "hsm2m")


class ConfigError(Exception):
    """The file is not what the configure tools write; the text says what is wrong."""


@dataclass(frozen=True)
class ClusterConfig:
    """One cluster of a configuration file of SDK 5."""

    addresses: tuple[str, ...] = ()
    hsm_type: str | None = None
    customer_ca_file: str | None = None
    key_availability_check: bool = True
    """On, unless the file turns it off: so the documentation of the configure tools."""
    cluster_id: str = ""
    tls: bool = False
    """Whether it names the client's certificate and key, in whatever fields: they are not documented."""


@dataclass(frozen=True)
class Logging:
    """Where and what a part of the client logs; None for what the file does not say."""

    type: str | None = None
    file: str | None = None
    level: str | None = None
    rotation: str | None = None


@dataclass(frozen=True)
class ClientConfig:
    """A configuration file of SDK 5. ``sdk3_compatibility_mode`` and ``retry_mode`` are None where no field speaks
    of them.
    """

    clusters: tuple[ClusterConfig, ...] = ()
    sdk3_compatibility_mode: bool | None = None
    retry_mode: str | None = None
    logging: Logging = Logging()

    def cluster_of(self, addresses: Sequence[str], cluster_id: str = "") -> int | None:
        """The index of the cluster that is meant: the only one, the one of that id, or the one that shares an
        address with these.
        """
        if len(self.clusters) == 1:
            return 0
        ids = [cluster.cluster_id.lower() for cluster in self.clusters]
        if cluster_id and cluster_id.lower() in ids:
            return ids.index(cluster_id.lower())
        wanted = set(addresses)
        return next(
            (index for index, cluster in enumerate(self.clusters) if wanted & set(cluster.addresses)), None
        )


@lru_cache(maxsize=8)
def read_sdk5(content: bytes) -> ClientConfig:
    """Reads cloudhsm-cli.cfg or cloudhsm-ksp.cfg. Each question of a look reads the same ones."""
    data = _object(_text(content))
    clusters = data.get("clusters", [])
    if not isinstance(clusters, list) or not all(isinstance(item, dict) for item in clusters):
        raise ConfigError("its field 'clusters' is no list of objects")
    return ClientConfig(
        tuple(_cluster(item) for item in clusters),
        _sdk3_compatibility_mode(data),
        _retry_mode(data),
        _logging(data.get("logging")),
    )


def read_sdk3_address(content: bytes) -> str | None:
    """The address of the server in cloudhsm_client.cfg, None where the file names none."""
    server = _object(_text(content)).get("server")
    address = server.get("hostname") if isinstance(server, dict) else None
    return _plain(address) if isinstance(address, str) and address else None


def with_hsm_type(content: bytes, index: int, hsm_type: str) -> bytes:
    """``content`` with the type of cluster ``index`` set; every other byte stays as it is."""
    text = _text(content)
    data = _object(text)
    clusters = data.get("clusters")
    if (
        not isinstance(clusters, list)
        or not 0 <= index < len(clusters)
        or not isinstance(clusters[index], dict)
    ):
        raise ConfigError(f"it has no cluster number {index + 1}")
    value = json.dumps(hsm_type)
    if "type" in clusters[index]:
        start, end = _span(text, ("clusters", index, "type"))
        changed = text[:start] + value + text[end:]
    else:
        start, _end = _span(text, ("clusters", index))
        after = _blank(text, start + 1)
        comma = "" if text[after] == "}" else ","
        changed = f'{text[: start + 1]}{text[start + 1 : after]}"type": {value}{comma}{text[start + 1 :]}'
    mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
    return mark + changed.encode("utf-8")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("it is no UTF-8 text") from error


def _object(text: str) -> Mapping[str, Any]:
    try:
        data = _json.load(text)
    except ValueError as error:
        raise ConfigError(f"it is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise ConfigError("it is no JSON object")
    return data


def _cluster(data: Mapping[str, Any]) -> ClusterConfig:
    inner = data.get("cluster")
    inner = inner if isinstance(inner, dict) else {}
    options = inner.get("options")
    disabled = options.get("disable_key_availability_check") if isinstance(options, dict) else None
    return ClusterConfig(
        tuple(_addresses(inner.get("servers"))),
        _string(data.get("type")),
        _string(inner.get("hsm_ca_file")),
        disabled is not True,
        _string(data.get("cluster_id")) or _string(inner.get("cluster_id")) or "",
        {path.lower() for _option, path in configure.TLS} <= {text.lower() for text in _texts(data)},
    )


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    for child in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _texts(child)


def _logging(data: Any) -> Logging:
    """The fields as public deployments on Linux have them."""
    given = data if isinstance(data, dict) else {}
    return Logging(*(_string(given.get(f"log_{name}")) for name in ("type", "file", "level", "interval")))


def _retry_mode(data: Any, within: bool = False) -> str | None:
    """The field's name is not documented: a text that is one of the two modes, in or below a field whose name
    speaks of retrying.
    """
    if isinstance(data, str):
        return data if within and data in configure.RETRY_MODES else None
    if isinstance(data, dict):
        children = [(child, within or "retry" in name.lower()) for name, child in data.items()]
    else:
        children = [(child, within) for child in data] if isinstance(data, list) else []
    return next((found for found in (_retry_mode(*child) for child in children) if found), None)


def _addresses(servers: Any) -> Iterator[str]:
    for server in servers if isinstance(servers, list) else []:
        if (
            isinstance(server, dict)
            and server.get("enable", True) is not False
            and _string(server.get("hostname"))
        ):
            yield _plain(server["hostname"])


def _plain(address: str) -> str:
    """An address as this collection writes it: IPv6 has several spellings."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _sdk3_compatibility_mode(data: Any) -> bool | None:
    """The field's name is not documented: any field whose name speaks of SDK 3 and whose value is a truth
    value.
    """
    if isinstance(data, dict):
        for name, value in data.items():
            if "sdk3" in name.lower() and isinstance(value, bool):
                return value is not name.lower().startswith("disable")
    children = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return next((found for found in map(_sdk3_compatibility_mode, children) if found is not None), None)


# Where a value stands in the text
# --------------------------------------------------------------------------------------

_DECODER = json.JSONDecoder()


def _blank(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def _span(text: str, path: Sequence[str | int]) -> tuple[int, int]:
    """Start and end of the value at ``path`` in ``text``, which is valid JSON and holds it."""
    start = _blank(text, 0)
    for part in path:
        start = _entry(text, start, part)
    return start, _DECODER.raw_decode(text, start)[1]


def _entry(text: str, position: int, wanted: str | int) -> int:
    """Where the value of a name (of its last entry, as JSON readers take it) or of an index starts, inside
    what starts at ``position``.
    """
    is_object = text[position] == "{"
    position = _blank(text, position + 1)
    found: list[int] = []
    count = 0
    while text[position] not in "}]":
        key: str | int = count
        if is_object:
            key, position = _DECODER.raw_decode(text, position)
            position = _blank(text, _blank(text, position) + 1)
        if key == wanted:
            found.append(position)
        position = _blank(text, _DECODER.raw_decode(text, position)[1])
        if text[position] == ",":
            position = _blank(text, position + 1)
        count += 1
    return found[-1]
