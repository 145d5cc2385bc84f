# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_signtool_package; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_signtool_package
short_description: Installs Microsoft SignTool on a Windows host from Microsoft's package
version_added: 1.0.0
description:
  - Unpacks the package Microsoft.Windows.SDK.BuildTools into a folder where that has no SignTool for 64 bit, or one that is too old.
  - The package stays in memory between the look at its hash and its use, so that nobody on the host can change it.
  - Then, and whenever SignTool is there, Windows has to find Microsoft's valid signature on it, and nobody but administrators and the account that
    asks may change it, its folder or one above that. A program that was unpacked and does not pass is removed again.
  - Its SHA-256 is noted beside it (C(signtool.exe.sha256)). M(cloudhsm.codesign.win_signtool) runs no SignTool that differs from its note, and this module
    unpacks the package again over one.
  - SignTool is Microsoft's. Read the licence of the Windows SDK (U(https://aka.ms/WinSDKLicenseURL)) before you install it.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
attributes:
  check_mode:
    support: partial
    details:
      - Whether the package can be had, and is the wanted one, is not known before it is asked for.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  package:
    description:
      - Address (http, https) or path of the package as the host sees it, of a share for example.
    type: str
    required: true
  sha256:
    description:
      - The package's SHA-256. Nothing of another one is unpacked.
    type: str
    required: true
  folder:
    description:
      - Folder that the package is unpacked into. It is made where it is missing.
    type: str
    default: C:\Program Files\cloudhsm.codesign\signtool
  minimum_version:
    description:
      - The oldest version of SignTool that will do. Any unless given.
    type: str
  proxy_url:
    description:
      - Address of a proxy for a package that comes from an address, such as V(http://proxy.example:3128). Unless given, the proxy of Windows' settings for the
        account is used, which an account that Ansible connects as often has not.
      - A package on a share, or copied from the control node as the role P(cloudhsm.codesign.signtool#role) does, needs no proxy.
    type: str
  proxy_username:
    description:
      - The user that the proxy wants to know.
    type: str
  proxy_password:
    description:
      - That user's password. It travels as a sensitive parameter, and is in no result or log.
    type: str
  timeout:
    description:
      - Seconds that the download may take.
    type: int
    default: 600
seealso:
  - module: cloudhsm.codesign.win_signtool
  - module: cloudhsm.codesign.win_codesign_info
"""

EXAMPLES = r"""
- name: Install SignTool from Microsoft's server
  cloudhsm.codesign.win_signtool_package:
    package: "{{ codesign_signtool_package_url }}"
    sha256: "{{ codesign_signtool_package_sha256 }}"

- name: Install it on a host that reaches the internet by a proxy
  cloudhsm.codesign.win_signtool_package:
    package: "{{ codesign_signtool_package_url }}"
    sha256: "{{ codesign_signtool_package_sha256 }}"
    proxy_url: http://proxy.example:3128

- name: Install it by a proxy that wants to know who asks
  cloudhsm.codesign.win_signtool_package:
    package: "{{ codesign_signtool_package_url }}"
    sha256: "{{ codesign_signtool_package_sha256 }}"
    proxy_url: http://proxy.example:3128
    proxy_username: builder
    proxy_password: "{{ codesign_signtool_proxy_password }}"

- name: Install it from the company's own server, where it is older than wanted
  cloudhsm.codesign.win_signtool_package:
    package: "{{ codesign_signtool_package_url }}"
    sha256: "{{ codesign_signtool_package_sha256 }}"
    minimum_version: 10.0.22621.0

- name: See whether it would be installed into another folder
  cloudhsm.codesign.win_signtool_package:
    package: "{{ codesign_signtool_package_url }}"
    sha256: "{{ codesign_signtool_package_sha256 }}"
    folder: C:\Program Files\Signing
  check_mode: true
"""

RETURN = r"""
path:
  description: The full path of signtool.exe, empty in check mode where it would be installed.
  returned: success
  type: str
  sample: C:\Program Files\cloudhsm.codesign\signtool\bin\10.0.28000.0\x64\signtool.exe
version:
  description: Its version.
  returned: success
  type: str
  sample: 10.0.28000.2957
sha256:
  description: Its SHA-256.
  returned: success
  type: str
  sample: 92a5751c292c7d3c41619ca0f0a28d1121cf55ef55d75dcce394bf01f0194193
signer:
  description: The subject of the certificate that signed it.
  returned: success
  type: str
  sample: CN=Microsoft Corporation, O=Microsoft Corporation, L=Redmond, S=Washington, C=US
link:
  description: Which link of the chain is broken, V(signtool), V(host) or V(argument).
  returned: failure
  type: str
  sample: signtool
"""
