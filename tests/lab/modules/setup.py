# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""setup: the facts of a host that a playbook asks for most."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .base import Call, Module


def run(call: Call) -> None:
    subsets = [str(item) for item in call.args["gather_subset"] or ["all"]]
    facts: dict[str, Any] = {"gather_subset": subsets, "module_setup": True}
    if "!min" not in subsets:
        facts.update(_facts(call))
    # The real module gives more for "min" than for "!all".
    if "!all" not in subsets:
        facts.update(_machine(call))
    call.result["ansible_facts"] = facts


def _facts(call: Call) -> dict[str, Any]:
    host = call.host
    version = "10.0.20348.0"
    user = call.account.rpartition("\\")[2]
    name = "Microsoft Windows Server 2022 Datacenter"
    return {
        "ansible_architecture": "64-bit",
        "ansible_architecture2": "x86_64",
        "ansible_date_time": _now(),
        "ansible_distribution": name,
        "ansible_distribution_major_version": "10",
        "ansible_distribution_version": version,
        "ansible_domain": "",
        "ansible_env": call.environment,
        "ansible_fqdn": host.computer,
        "ansible_hostname": host.computer,
        "ansible_kernel": version,
        "ansible_machine_id": host.administrator.sid.rpartition("-")[0],
        "ansible_netbios_name": host.computer,
        "ansible_nodename": host.computer,
        "ansible_os_family": "Windows",
        "ansible_os_install_date": "2026-01-02",
        "ansible_os_installation_type": "Server",
        "ansible_os_name": name,
        "ansible_os_product_type": "server",
        "ansible_owner_contact": "",
        "ansible_owner_name": "",
        "ansible_powershell_version": int(host.powershell.split(".")[0]),
        "ansible_reboot_pending": False,
        "ansible_system": "Win32NT",
        "ansible_system_description": "",
        "ansible_system_vendor": "Amazon EC2",
        "ansible_user_dir": host.profile(call.account),
        "ansible_user_gecos": "",
        "ansible_user_id": user,
        "ansible_user_sid": host.accounts.sid(call.account),
    }


def _machine(call: Call) -> dict[str, Any]:
    interface: dict[str, Any] = {
        "connection_name": "Ethernet",
        "default_gateway": "10.0.0.1",
        "dns_domain": None,
        "interface_index": 4,
        "interface_name": "Amazon Elastic Network Adapter",
        "ipv4": {"address": "10.0.0.20", "prefix": "24"},
        "ipv6": [],
        "macaddress": "02:00:5E:00:53:01",
        "mtu": 9001,
        "speed": 1000,
    }
    return {
        "ansible_bios_date": "10/16/2017",
        "ansible_bios_version": "1.0",
        "ansible_interfaces": [interface],
        "ansible_ip_addresses": ["10.0.0.20"],
        "ansible_lastboot": "2026-11-24 05:30:47Z",
        "ansible_memfree_mb": 2048.0,
        "ansible_memtotal_mb": 4096.0,
        "ansible_pagefilefree_mb": 0.0,
        "ansible_pagefiletotal_mb": 0.0,
        "ansible_processor": ["0", "GenuineIntel", "Intel(R) Xeon(R)"],
        "ansible_processor_cores": 1,
        "ansible_processor_count": 1,
        "ansible_processor_vcpus": 2,
        "ansible_product_name": "t3.medium",
        "ansible_product_serial": "ec200000-0000",
        "ansible_product_uuid": "EC200000-0000-0000-0000-000000000000",
        "ansible_swaptotal_mb": 0,
        "ansible_uptime_seconds": 8209.0 + call.host.boots,
        "ansible_virtualization_role": "guest",
        "ansible_virtualization_type": "kvm",
        "ansible_windows_domain": "WORKGROUP",
        "ansible_windows_domain_member": False,
        "ansible_windows_domain_role": "Stand-alone server",
    }


def _now() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "date": now.strftime("%Y-%m-%d"),
        "day": now.strftime("%d"),
        "epoch": str(int(now.timestamp())),
        "epoch_int": int(now.timestamp()),
        "epoch_local": str(int(now.timestamp())),
        "hour": now.strftime("%H"),
        "iso8601": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "iso8601_basic": now.strftime("%Y%m%dT%H%M%S%f"),
        "iso8601_basic_short": now.strftime("%Y%m%dT%H%M%S"),
        "iso8601_micro": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "minute": now.strftime("%M"),
        "month": now.strftime("%m"),
        "second": now.strftime("%S"),
        "time": now.strftime("%H:%M:%S"),
        "tz": "Coordinated Universal Time",
        "tz_offset": "+00:00",
        "weekday": now.strftime("%A"),
        "weekday_number": now.strftime("%w"),
        "weeknumber": str(int(now.strftime("%W"))),
        "year": now.strftime("%Y"),
    }


MODULE = Module(run)
