# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damages a host on purpose, each by a name: what somebody or something breaks in real life."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from ..windows.certstore import CertificateStores
from ..windows.client import CONFIGURATIONS, read_configuration, write_configuration
from ..windows.filesystem import join
from ..windows.host import Host
from ..windows.ksp import PROVIDERS, containers, registered

_CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"
_SERVICE = "AWSCloudHSMClient"


class UnknownDamage(Exception):
    """There is no damage of that name; the text lists them."""


def association(host: Host) -> int:
    """Takes the key away from every certificate in LocalMachine\\My."""
    stores, done = CertificateStores(host), 0
    for stored in stores.certificates("My"):
        if stored.key_provider_info is not None:
            stores.set_key_provider_info(stored.thumbprint, None, "My")
            done += 1
    return done


def container(host: Host) -> int:
    """Deletes the key containers' files."""
    names = host.files.list(_CONTAINERS) if host.files.is_dir(_CONTAINERS) else []
    for name in names:
        host.files.remove(join(_CONTAINERS, name))
    return len(names)


def container_content(host: Host) -> int:
    """Empties the key containers' files, which stay."""
    return _overwrite(host, b"")


def container_zeros(host: Host) -> int:
    """Leaves nothing but zeros in the key containers' files, as a disk does that was full."""
    return _overwrite(host, bytes(64))


def _overwrite(host: Host, content: bytes) -> int:
    names = host.files.list(_CONTAINERS) if host.files.is_dir(_CONTAINERS) else []
    for name in names:
        host.files.write(f"{_CONTAINERS}\\{name}", content, by="damage")
    return len(names)


def container_handle(host: Host) -> int:
    """Lets the key containers' files refer to a handle that no key has, as after a new cluster."""
    found = containers(host)
    for one in found:
        data = {"name": one.inner, "handle": one.handle + 0x70000, "cluster": one.cluster_id}
        host.files.write(f"{_CONTAINERS}\\{one.name}", json.dumps(data).encode("utf-8"), by="damage")
    return len(found)


def certificate(host: Host) -> int:
    """Removes all certificates from LocalMachine\\My."""
    return _empty(host, "My")


def chain(host: Host) -> int:
    """Removes all certificates from the store of the intermediate authorities."""
    return _empty(host, "CA")


def root(host: Host) -> int:
    """Removes all certificates from the store of the root authorities."""
    return _empty(host, "Root")


def _empty(host: Host, store: str) -> int:
    stores = CertificateStores(host)
    found = stores.certificates(store)
    for stored in found:
        stores.remove(stored.thumbprint, store)
    return len(found)


def service(host: Host) -> int:
    """Stops the client's service (SDK 3)."""
    found = host.services.get(_SERVICE)
    if found is None or found.status != "Running":
        return 0
    host.services.stop(_SERVICE)
    return 1


def client_configuration(host: Host) -> int:
    """Deletes the client's configuration files."""
    there = [path for path in CONFIGURATIONS.values() if host.files.is_file(path)]
    for path in there:
        host.files.remove(path)
    return len(there)


def second_cluster(host: Host) -> int:
    """Adds another cluster to the configuration of cloudhsm-cli, as its add-cluster does; both have an id then."""
    data = read_configuration(host, "cli")
    if data is None or host.cluster is None or len(data["clusters"]) != 1:
        return 0
    first = data["clusters"][0]
    first["cluster_id"] = host.cluster.cluster_id
    other = {**first["cluster"], "servers": [{"hostname": "10.99.0.11", "port": 2223, "enable": True}]}
    data["clusters"] = [{"type": "hsm2m", "cluster_id": "cluster-aaaabbbbccc", "cluster": other}, first]
    write_configuration(host, "cli", data)
    return 1


def provider(host: Host) -> int:
    """Takes CloudHSM's providers out of the registry."""
    return sum(int(host.registry.delete(f"{PROVIDERS}\\{name}")) for name in registered(host))


def credential(host: Host) -> int:
    """Empties every account's Credential Manager."""
    done = 0
    for account in host.accounts.users():
        for one in host.credentials.all(account.name, "interactive"):
            host.credentials.delete(account.name, "interactive", one.target, one.kind)
            done += 1
    return done


DAMAGES: Mapping[str, Callable[[Host], int]] = {
    "association": association,
    "container": container,
    "container_content": container_content,
    "container_zeros": container_zeros,
    "container_handle": container_handle,
    "certificate": certificate,
    "chain": chain,
    "root": root,
    "service": service,
    "client_configuration": client_configuration,
    "second_cluster": second_cluster,
    "provider": provider,
    "credential": credential,
}


def damage(host: Host, name: str) -> int:
    """Does the damage and says how many things it broke (0: there was nothing to break)."""
    if name not in DAMAGES:
        raise UnknownDamage(f"no damage '{name}'; there are {', '.join(DAMAGES)}")
    return DAMAGES[name](host)
