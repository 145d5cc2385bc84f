# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_codesign_artifacts; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_codesign_artifacts
short_description: Sign files of the control node on a Windows host
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Carries files to a Windows host, signs them there as M(cloudhsm.codesign.win_signtool) does, and carries them back.
  - A file that came back takes its place on the control node only when it was found good there. Its SHA-256 has to be that of the file which the
    host's SignTool verified. Of a program (PE) the certificate table is read; its one signature of the certificate has to fit the program and the
    signer's key, and the program has to be the one that was sent. C(osslsigncode) is asked too where it is installed (2.9 or newer) and
    O(trusted) is given; it verifies programs, cabinets and installers.
  - A file takes its place in one stroke, with the mode of the original. One that changed meanwhile on the control node is not overwritten.
  - On the host the files lie in a folder of their own in C(C:\Windows\Temp), which nobody but administrators, the system and the account
    may enter. Their names there are ours. The folder is removed in the end; what a run has left that was cut off goes with the next one.
  - Small files travel together, packed, about 1 MB in one remote call; a share of few small files takes four calls. Large ones travel in parts, of
    which one is in memory at a time.
options:
  artifacts:
    description:
      - The files, as RV(cloudhsm.codesign.codesign_plan#module:shares) has them. Only their paths are needed.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - The file on the control node.
        type: path
        required: true
      id:
        description:
          - Its name on the host, a letter with letters or digits and an ending. By its place in the list unless given.
        type: str
      sha256:
        description:
          - What the file has to be; another one is not signed. What it is now unless given.
        type: str
      size:
        description:
          - Its bytes.
        type: int
      named:
        description:
          - Whether it was named in full; see O(unsignable).
        type: bool
        default: true
      places:
        description:
          - Where the signed file goes. To its own place unless given.
        type: list
        elements: dict
        suboptions:
          path:
            description:
              - The file that it becomes.
            type: path
            required: true
          before:
            description:
              - SHA-256 of what may be overwritten there. Empty means that nothing may lie there.
            type: str
          mode:
            description:
              - The mode that it gets, as a number. That of the original unless given.
            type: int
  record:
    description:
      - File on the control node that gets a line of JSON for each file before it takes its place, so that a run after a crash knows what was
        signed. M(cloudhsm.codesign.codesign_manifest) takes it in, and removes it.
    type: path
  wanted:
    description:
      - Stands in each line of O(record); see O(cloudhsm.codesign.codesign_plan#module:wanted).
    type: dict
    default: {}
  trusted:
    description:
      - Certificates as PEM texts, the root of the signing certificate among them, that C(osslsigncode) on the control node is to trust. It is not
        asked without any.
    type: list
    elements: str
    default: []
  thumbprint:
    description:
      - SHA-1 thumbprint of the certificate, as for M(cloudhsm.codesign.win_signtool).
    type: str
    required: true
  former:
    description:
      - Thumbprints of certificates that are ours too, those that were renewed. Their signatures are replaced.
    type: list
    elements: str
    default: []
  digest:
    description:
      - Digest algorithm of the signature.
    type: str
    choices:
      - sha1
      - sha256
      - sha384
      - sha512
    default: sha256
  timestamp_urls:
    description:
      - Addresses of RFC 3161 timestamp authorities (C(http://)), asked in this order. Empty means that no timestamp is asked for.
    type: list
    elements: str
    default: []
  timestamp_digest:
    description:
      - Digest algorithm that the timestamp authority is asked for.
    type: str
    choices:
      - sha1
      - sha256
      - sha384
      - sha512
    default: sha256
  timestamp_attempts:
    description:
      - How often each authority is asked before files without a timestamp are given up.
    type: int
    default: 3
  timestamp_delay:
    description:
      - Seconds to wait when all authorities have failed once, doubled after each round without any timestamp.
    type: int
    default: 5
  description:
    description:
      - What the files are, shown by Windows where it asks for consent.
    type: str
  url:
    description:
      - Address with more about the files, shown beside O(description).
    type: str
  foreign:
    description:
      - What becomes of a file that another certificate signed, as for M(cloudhsm.codesign.win_signtool).
    type: str
    choices:
      - leave
      - replace
      - append
      - fail
    default: leave
  unsignable:
    description:
      - What becomes of a file that SignTool cannot sign, or that is empty. With V(skip) it is left as it is where a pattern found it.
    type: str
    choices:
      - fail
      - skip
    default: fail
  signtool_path:
    description:
      - Full path of C(signtool.exe) on the host. One folder may be V(*). Looked for as M(cloudhsm.codesign.win_signtool) does unless given.
    type: str
  page_hashes:
    description:
      - Whether the signature of a program holds a hash of each page, as for M(cloudhsm.codesign.win_signtool).
    type: bool
  batch:
    description:
      - How many files one SignTool process gets at the most.
    type: int
    default: 32
  jobs:
    description:
      - How many SignTool processes run side by side. V(0) stands for as many as the host has processors, 8 at least, as signing waits for
        the HSM and the timestamp authority most of the time.
    type: int
    default: 0
  ledger_path:
    description:
      - File on the host that gets one line of JSON for each signature made. It has our names of the files; the manifest has both digests.
    type: str
  lock_timeout:
    description:
      - As for M(cloudhsm.codesign.win_signtool). Nobody else works in the folder of these files.
    type: int
    default: 600
  cluster_id:
    description:
      - The cluster that C(cloudhsm-cli) is asked for, where the configuration of Client SDK 5 holds several.
    type: str
  timeout:
    description:
      - Seconds that one SignTool process may take.
    type: int
    default: 600
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.store
  - cloudhsm.codesign.credentials
  - cloudhsm.codesign.client_sdk
attributes:
  check_mode:
    support: full
    details:
      - The files are carried to the host for the look, and are removed there again. Nothing is signed, and nothing changes on the control node.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Where the files take the place of the originals. With O(artifacts[].places) elsewhere the originals stay as they were;
        M(cloudhsm.codesign.codesign_plan) knows by the manifest what was signed.
seealso:
  - module: cloudhsm.codesign.codesign_plan
  - module: cloudhsm.codesign.codesign_manifest
  - module: cloudhsm.codesign.win_signtool
"""

EXAMPLES = r"""
- name: Sign a program of the control node in its place
  cloudhsm.codesign.win_codesign_artifacts:
    artifacts:
      - path: /srv/release/dist/app.exe
    thumbprint: 184EFBD18B376F996FFD3D79C2622334481D4409
    timestamp_urls:
      - http://timestamp.digicert.com
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Put the signed program beside the original
  cloudhsm.codesign.win_codesign_artifacts:
    artifacts:
      - path: /srv/release/dist/tool.exe
        places:
          - path: /srv/release/signed/tool.exe
    thumbprint: 184EFBD18B376F996FFD3D79C2622334481D4409
    record: /srv/release/record
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Sign the share that this host has by a plan
  cloudhsm.codesign.win_codesign_artifacts:
    artifacts: "{{ first_plan.shares[inventory_hostname] }}"
    thumbprint: 184EFBD18B376F996FFD3D79C2622334481D4409
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
"""

RETURN = r"""
artifacts:
  description: What came of the files, in their order.
  returned: when the host was asked
  type: list
  elements: dict
  contains:
    id:
      description: Its name on the host.
      type: str
      sample: a0001.exe
    path:
      description: The file on the control node.
      type: str
      sample: /srv/release/dist/app.exe
    outcome:
      description: >-
        V(signed), V(unchanged) (as wanted already), V(left) (not as wanted, and left on purpose), V(failed), V(changed meanwhile) (it or its place
        changed on the control node, and was not overwritten) or V(open) (another host may sign it).
      type: str
      sample: signed
    placed:
      description: The files that are as they should be now.
      type: list
      elements: str
      sample:
        - /srv/release/dist/app.exe
    changed:
      description: Whether one of them was changed.
      type: bool
      sample: true
    key_used:
      description: Whether the key may have been used for it, and nothing came back.
      type: bool
      sample: false
    sha256_before:
      description: SHA-256 of the file before, null where the host said nothing of it.
      type: str
      sample: d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26
    sha256_after:
      description: SHA-256 of the file after, null where it is not known yet.
      type: str
      sample: 03ba204e50d126e4674c005e04d82e84c21366780af1f43bd54a37816b6ab340
    signer:
      description: Thumbprint of the certificate whose signature counts, null without one.
      type: str
      sample: 184EFBD18B376F996FFD3D79C2622334481D4409
    digest:
      description: Digest algorithm of that signature, null without one.
      type: str
      sample: sha256
    signatures:
      description: How many signatures the file has, null where the host said nothing of it.
      type: int
      sample: 1
    timestamp:
      description: That signature's timestamp, null without one.
      type: dict
      contains:
        time:
          description: When it was made (UTC), null where the host does not trust it, or it is not made yet.
          type: str
          sample: '2026-11-24T06:20:41Z'
        authority:
          description: Name of the authority's certificate, null likewise.
          type: str
          sample: Example Time Stamping
    checked_at:
      description: When it was checked on the control node (UTC), null where it was not.
      type: str
      sample: '2026-11-24T06:20:42Z'
    checked_by:
      description: >-
        By what it was found good on the control node, V(sha256) (it is the file that the host's SignTool verified), V(certificate_table),
        V(osslsigncode).
      type: list
      elements: str
      sample:
        - sha256
        - certificate_table
        - osslsigncode
    error:
      description: Why it is not as wanted, null otherwise.
      type: dict
      contains:
        link:
          description: The broken link of the chain.
          type: str
          sample: file
        msg:
          description: What is wrong and what to do.
          type: str
          sample: /srv/release/dist/app.exe changed meanwhile on the control node, and was not signed. Run it again.
signed:
  description: How many files were signed.
  returned: when the host was asked
  type: int
  sample: 1
failed_files:
  description: How many files failed for their own sake.
  returned: when the host was asked
  type: int
  sample: 0
open:
  description: How many files this host could not sign, and another one may.
  returned: when the host was asked
  type: int
  sample: 0
signtool_version:
  description: The version of the SignTool that was used.
  returned: when the host was asked
  type: str
  sample: 10.0.26100.9457
code:
  description: The code that C(key_mgmt_util), the tool of Client SDK 3, gave for the login that was tried, in hexadecimal.
  returned: failure, where the login was tried with that tool and was not accepted
  type: str
  sample: '0xa3'
exit_code:
  description: The exit code of the client's tool, with which the login was tried. Null where it ended without one.
  returned: failure, where the login was tried with it and was not accepted
  type: int
  sample: 1
output:
  description: What was printed by a program that is not SignTool, null where it printed nothing.
  returned: failure, where O(signtool_path) is no SignTool that runs
  type: str
  sample: This is not the program that you look for.
link:
  description: The broken link of the chain of the first problem.
  returned: failure
  type: str
  sample: timestamp
login_tries:
  description: How often this run of ansible-playbook has tried the login that was refused. It is not tried again in that run.
  returned: failure, where a login was refused
  type: int
  sample: 1
"""
