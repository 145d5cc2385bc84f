# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small lab without a network, for tests of its parts: a cluster with a signing key, its certificate, hosts
with a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..hsm.cluster import Cluster, KeyObject
from ..hsm.pki import Issued, Pki
from ..windows import client, packages
from ..windows.certstore import MACHINE, CertificateStores
from ..windows.host import Host
from ..windows.process import Completed

USER, PASSWORD = "signer", "S3cret-Pw!"
PIN = f"{USER}:{PASSWORD}"
CA = r"C:\ProgramData\Amazon\CloudHSM\customerCA.crt"


@dataclass
class Bench:
    """A cluster of one type with its certificates; ``host`` makes hosts that can talk to it."""

    folder: Path
    cluster: Cluster
    pki: Pki
    private: KeyObject
    public: KeyObject
    signing: Issued
    hosts: list[Host] = field(default_factory=list)

    @classmethod
    def create(cls, folder: Path, hsm_type: str = "hsm1", hsms: int = 2) -> Bench:
        cluster = Cluster.create(folder, hsm_type, hsms, noise=False)
        cluster.add_user(USER, PASSWORD)
        private, public = cluster.generate_rsa("codesign", owner=USER)
        pki = Pki.create()
        return cls(folder, cluster, pki, private, public, pki.code_signing("signing", public.public_key))

    def host(self, sdk: int = 5, language: str = "en") -> Host:
        """A host whose client is installed, configured and (SDK 3) running."""
        host = Host(
            f"win{len(self.hosts)}",
            self.folder / f"host{len(self.hosts)}",
            language=language,
            client_sdk=sdk,
            cluster=self.cluster,
        )
        self.hosts.append(host)
        for package in packages.for_sdk(sdk):
            package.install(host)
        host.files.write(CA, self.cluster.customer_ca_pem.encode("ascii"))
        first = self.cluster.addresses[0]
        if sdk == 3:
            run(host, rf"{client.PROGRAMS}\configure.exe", f"-a {first}")
            run(host, "net", f"start {client.SERVICE}")
        else:
            check = (
                "--disable-key-availability-check"
                if len(self.cluster.addresses) == 1
                else "--enable-key-availability-check"
            )
            run(
                host,
                rf"{client.PROGRAMS}\bin\configure-cli.exe",
                f"-a {' '.join(self.cluster.addresses)} {check}",
            )
            run(
                host,
                rf"{client.PROGRAMS}\bin\configure-ksp.exe",
                f"-a {' '.join(self.cluster.addresses)} {check} --enable-sdk3-compatibility-mode",
            )
        return host

    def store(
        self, host: Host, issued: Issued | None = None, store: str = "My", location: str = MACHINE
    ) -> str:
        """Puts a certificate (the signing one) into a store and gives its thumbprint."""
        one = issued or self.signing
        CertificateStores(host).add(one.der, store, location, host.accounts.full_name("Administrator"))
        return one.thumbprint


def run(
    host: Host,
    program: str,
    arguments: str = "",
    *,
    pin: bool = False,
    stdin: str = "",
    account: str = "",
    logon: str = "network",
    environment: Mapping[str, str] | None = None,
    directory: str = "",
    timeout: float | None = 60,
) -> Completed:
    """Starts a program of a host; ``pin`` gives it the crypto user in the environment of both SDKs."""
    account = account or host.accounts.full_name("Administrator")
    variables = host.environment_of(account)
    if pin:
        variables |= {"n3fips_password": PIN, "CLOUDHSM_PIN": PIN, "CLOUDHSM_ROLE": "crypto-user"}
    variables |= environment or {}
    return host.start(
        program, arguments, stdin.encode("utf-8"), variables, directory, account, logon, timeout
    )


def text(host: Host, done: Completed) -> str:
    """Standard output, decoded as a reader on the host would."""
    return done.stdout.decode(host.encoding, errors="replace")
