# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that a lab host can download and install: CloudHSM's MSIs and Microsoft's build tools with
SignTool.

A package's file holds a marker that names it instead of the vendor's programs; the installers know it by
that. File names, paths, services and provider names are the real ones, product codes are not.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import client, ksp
from .host import program_bytes
from .services import Service

if TYPE_CHECKING:
    from .host import Host

MARKER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1lab-package:"
UNINSTALL = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
SIGNTOOL_FILES = (
    "signtool.exe",
    "signtool.exe.manifest",
    "Microsoft.Windows.Build.Signing.mssign32.dll.manifest",
    "mssign32.dll",
    "Microsoft.Windows.Build.Signing.wintrust.dll.manifest",
    "wintrust.dll",
    "wintrust.dll.ini",
    "msisip.dll",
    "Microsoft.Windows.Build.Appx.AppxSip.dll.manifest",
    "appxsip.dll",
    "Microsoft.Windows.Build.Appx.AppxPackaging.dll.manifest",
    "appxpackaging.dll",
    "Microsoft.Windows.Build.Appx.OpcServices.dll.manifest",
    "opcservices.dll",
)
"""What has to lie beside each other for SignTool to work."""


@dataclass(frozen=True)
class Package:
    """``programs``: path to (tool, or "" for a DLL). ``after``: what else the installation does,
    ``before_removal`` undoes it.
    """

    name: str
    file: str
    title: str
    version: str
    programs: dict[str, str] = field(default_factory=dict)
    after: Callable[[Host], None] | None = None
    before_removal: Callable[[Host], None] | None = None
    msi: bool = True

    @property
    def product_id(self) -> str:
        return "{" + str(uuid.uuid5(uuid.NAMESPACE_URL, f"lab:{self.name}:{self.version}")).upper() + "}"

    @property
    def part(self) -> str:
        """The part of the client that it brings, as the role client calls it."""
        return self.name.rstrip("35")

    def content(self) -> bytes:
        """The package's file; always the same bytes."""
        if not self.msi:
            return _build_tools(self.version)
        return MARKER + json.dumps({"name": self.name, "version": self.version}).encode("ascii").ljust(
            2048, b"\0"
        )

    def installed(self, host: Host) -> bool:
        return host.registry.exists(rf"{UNINSTALL}\{self.product_id}")

    def install(self, host: Host) -> None:
        """Installs the package; an earlier version of the same product goes away (MSIs: configuration files
        stay).
        """
        if not self.msi:
            raise ValueError(f"{self.file} is unpacked, not installed")
        for other in ALL:
            if other.name == self.name and other.version != self.version and other.installed(host):
                host.registry.delete(rf"{UNINSTALL}\{other.product_id}")
        for path, tool in self.programs.items():
            host.put_program(path, tool, f"{self.version}.0", self.version)
        key = rf"{UNINSTALL}\{self.product_id}"
        for name, value in (
            ("DisplayName", self.title),
            ("DisplayVersion", self.version),
            ("Publisher", "Amazon Web Services"),
            ("UninstallString", f"MsiExec.exe /X{self.product_id}"),
        ):
            host.registry.set(key, name, "String", value)
        host.registry.set(key, "WindowsInstaller", "DWord", 1)
        host.files.makedirs(rf"{client.DATA}\data")
        if self.after is not None:
            self.after(host)

    def remove(self, host: Host) -> None:
        if self.before_removal is not None:
            self.before_removal(host)
        for path in self.programs:
            if host.files.exists(path):
                host.files.remove(path)
        host.registry.delete(rf"{UNINSTALL}\{self.product_id}")


def _sdk3_installed(host: Host) -> None:
    ksp.register(host, ksp.CAVIUM, ksp.CAVIUM_IMAGE)
    ksp.register(host, ksp.CAVIUM_CNG, ksp.CNG_IMAGE)
    if not host.files.exists(client.CONFIGURATIONS["client"]):
        client.write_configuration(host, "client", client.SDK3_DEFAULTS)
    if host.services.get(client.SERVICE) is None:
        host.services.create(
            Service(
                client.SERVICE,
                "AWS CloudHSM Client",
                rf'"{client.PROGRAMS}\cloudhsm_client.exe" {client.CONFIGURATIONS["client"]}',
                on_start=lambda: client.start_daemon(host),
            )
        )


def _sdk3_removed(host: Host) -> None:
    ksp.unregister(host, ksp.CAVIUM)
    ksp.unregister(host, ksp.CAVIUM_CNG)
    host.services.delete(client.SERVICE)


def _ksp5_installed(host: Host) -> None:
    for provider in (ksp.CLOUDHSM, ksp.CAVIUM):
        ksp.register(host, provider, ksp.CLOUDHSM_IMAGE)


def _ksp5_removed(host: Host) -> None:
    for provider in (ksp.CLOUDHSM, ksp.CAVIUM):
        ksp.unregister(host, provider)


def _client3(version: str) -> Package:
    root = client.PROGRAMS
    programs = {
        rf"{root}\import_key.exe": "import_key",
        rf"{root}\key_mgmt_util.exe": "key_mgmt_util",
        rf"{root}\configure.exe": "configure3",
        rf"{root}\ksp_config.exe": "ksp_config",
        rf"{root}\cng_config.exe": "cng_config",
        rf"{root}\cloudhsm_client.exe": "",
        rf"{root}\tools\set_cloudhsm_credentials.exe": "set_cloudhsm_credentials",
    }
    return Package(
        "client3",
        f"AWSCloudHSMClient-{version}.msi",
        "AWS CloudHSM Client",
        version,
        programs,
        _sdk3_installed,
        _sdk3_removed,
    )


def _cli5(version: str) -> Package:
    programs = {
        rf"{client.PROGRAMS}\bin\cloudhsm-cli.exe": "cloudhsm_cli",
        rf"{client.PROGRAMS}\bin\configure-cli.exe": "configure_cli",
    }
    return Package("cli5", f"AWSCloudHSMCLI-{version}-1.msi", "AWS CloudHSM CLI", version, programs)


def _ksp5(version: str) -> Package:
    programs = {
        rf"{client.PROGRAMS}\bin\configure-ksp.exe": "configure_ksp",
        ksp.CLOUDHSM_IMAGE: "",
        rf"{client.PROGRAMS}\tools\set_cloudhsm_credentials.exe": "set_cloudhsm_credentials",
    }
    return Package(
        "ksp5",
        f"AWSCloudHSMKSP-{version}-1.msi",
        "AWS CloudHSM KSP",
        version,
        programs,
        _ksp5_installed,
        _ksp5_removed,
    )


def _build_tools(version: str) -> bytes:
    """A zip like the NuGet package Microsoft.Windows.SDK.BuildTools: bin/<build>/<architecture>/<file>."""
    folder = ".".join([*version.split(".")[:3], "0"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for architecture in ("arm64", "x64", "x86"):
            for name in SIGNTOOL_FILES:
                tool = "signtool" if name == "signtool.exe" else ""
                # The four fixed numbers and the product version are right, unlike the text of the file
                # version.
                info = zipfile.ZipInfo(f"bin/{folder}/{architecture}/{name}", (2025, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, program_bytes(tool, version, version))
        archive.writestr(
            zipfile.ZipInfo("Microsoft.Windows.SDK.BuildTools.nuspec", (2025, 1, 1, 0, 0, 0)), "<package/>\n"
        )
    return buffer.getvalue()


def _tools(version: str) -> Package:
    return Package(
        "buildtools",
        f"microsoft.windows.sdk.buildtools.{version}.nupkg",
        "Windows SDK build tools",
        version,
        msi=False,
    )


ALL = (
    _client3("3.4.4"),
    _cli5("5.18.0"),
    _cli5("5.16.0"),
    _cli5("5.15.0"),
    _ksp5("5.18.0"),
    _ksp5("5.16.0"),
    _ksp5("5.15.0"),
    _tools("10.0.26100.9457"),
    _tools("10.0.28000.2957"),
)
"""Every package, the version that a lab normally offers first of its name."""
PACKAGES: dict[str, Package] = {package.name: package for package in reversed(ALL)}
"""The normal version of each: client3, cli5, ksp5, buildtools."""


SIGNTOOL = PACKAGES["buildtools"]


def for_sdk(sdk: int) -> list[Package]:
    """What a host needs of Client SDK 3 or 5."""
    return [PACKAGES["client3"]] if sdk == 3 else [PACKAGES["cli5"], PACKAGES["ksp5"]]


def by_file_name(name: str) -> Package | None:
    """The package that a vendor's server offers under ``name``; ``-latest`` is the normal version."""
    lower = name.lower()
    for package in ALL:
        latest = package.file.rsplit("-", 1 if package.name == "client3" else 2)[0] + "-latest.msi"
        if lower in (package.file.lower(), latest.lower()):
            return package
    return None


def by_content(data: bytes) -> Package | None:
    """The package whose file this is; None for any other bytes, also for a damaged package."""
    return next((package for package in ALL if package.content() == data), None)


def by_product_id(product_id: str) -> Package | None:
    return next(
        (package for package in ALL if package.msi and package.product_id == product_id.upper()), None
    )
