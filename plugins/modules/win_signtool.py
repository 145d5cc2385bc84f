# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_signtool; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_signtool
short_description: Sign, timestamp and verify files on Windows with SignTool
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - Signs files with a certificate of the Windows certificate store whose private key lives in AWS CloudHSM (or anywhere else that a
    key storage provider reaches), by Microsoft's SignTool.
  - Looks first. A file that is signed by this certificate with this digest, and has a timestamp if one is asked for, is left alone.
  - A file that is signed but lacks its timestamp gets the timestamp, not a second signature.
  - SignTool works on a copy, which is verified and then put in the file's place in one stroke. The file survives every failure.
  - The copies lie in a hidden folder C(.codesign) beside the files, with a journal. The folder is there while something is signed, and only
    then. What a run has left that was cut off at whatever point is ended by the next run that signs there, whose first warning says so.
  - A file that something else writes while it is signed is left as it is then, and fails with that sentence.
  - Many files are signed by one SignTool process, and several processes run side by side.
  - Where SignTool's failure fits several causes on the way to the key (HSM out of reach, service stopped, container or provider gone, crypto user
    locked ...), one more remote call asks which it is, once for all files, with one login at most.
  - Files are told apart by their verified content, never by SignTool's sentences. SignTool cuts off names that it cannot print.
options:
  state:
    description:
      - V(signed) signs what is not signed by the certificate yet.
      - V(timestamped) adds a timestamp to the signatures that have none, to those of the certificate where one is named, else to all.
      - V(unsigned) takes all signatures off.
      - V(verified) changes nothing and fails for files that are not signed, whose signature is not valid or not trusted by the host, that
        are signed by another certificate than the one named (or one of O(former)), or that lack a timestamp although O(timestamp_urls) is not
        empty. It needs neither the certificate in the store nor a login.
    type: str
    choices:
      - signed
      - verified
      - timestamped
      - unsigned
    default: signed
  files:
    description:
      - Full paths of files, or patterns with V(*) and V(?) in the last part, such as V(C:\\build\\*.exe). They are expanded on the host.
      - C(**) as the last folder stands for all folders at and below the one before it, as in V(C:\\build\\**\\*.exe). It costs one remote call more.
        Links to other folders are not followed.
      - Every spelling of one path (V(.), V(..), doubled or forward slashes, any case) is one file.
      - A pattern that no file fits is a failure, as it is for SignTool.
      - All that the host's SignTool can sign. What it cannot sign fails by name, after the other files were signed (see O(unsignable)).
    type: list
    elements: str
    required: true
  thumbprint:
    description:
      - SHA-1 thumbprint of the certificate. Blanks, colons and the invisible character that the certificate window copies are dropped.
      - One of O(thumbprint), O(subject) and O(issuer) is required for O(state=signed).
    type: str
  subject:
    description:
      - A part of the certificate's subject, in any case. Exactly one certificate of the store that can sign may fit.
    type: str
  issuer:
    description:
      - A part of the name of the certificate's issuer, used like O(subject) and together with it.
    type: str
  digest:
    description:
      - Digest algorithm of the signature. A signature with another digest does not count as the wanted one.
    type: str
    choices:
      - sha1
      - sha256
      - sha384
      - sha512
    default: sha256
  timestamp_urls:
    description:
      - Addresses of RFC 3161 timestamp authorities. Where the first does not answer, the next one is asked.
      - Empty means that no timestamp is asked for.
      - Only addresses that begin with C(http://). SignTool refuses all others, up to the newest version.
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
      - SignTool says the same of an authority that limits requests and of one that is down, and leaves the file
        unsigned. After a first failure a file is therefore signed without a timestamp and stamped by itself, so that
        the key is not used for each try; fewer files at a time, as long as rounds bring timestamps. An authority
        that has stamped before gets twice as many rounds without any.
      - A SignTool that does not end within O(timeout) while it asks an authority counts as a try, too.
    type: int
    default: 3
  timestamp_delay:
    description:
      - Seconds to wait when all authorities have failed once, doubled after each round without any timestamp.
    type: int
    default: 5
  description:
    description:
      - What the file is, shown by Windows where it asks for consent. Not compared with a signature that is there.
    type: str
  url:
    description:
      - Address with more about the file, shown beside O(description). Not compared with a signature that is there.
    type: str
  additional_certificates:
    description:
      - Files on the host with certificates that are added to the signature, where the chain is not in the host's stores.
      - SignTool takes one such file, with one certificate in DER or PEM (not PKCS#7), and only a certificate of the signing certificate's chain.
        Further ones belong into the host's store of intermediate certificates.
      - A file that is not there is named before anything is signed, in check mode too.
    type: list
    elements: str
    default: []
  append:
    description:
      - Add the signature beside those that are there, once. The same as O(foreign=append).
    type: bool
    default: false
  foreign:
    description:
      - What becomes of a file that another certificate signed. It is somebody else's unless the certificate is among O(former), or its
        signature holds no certificate at all.
      - V(leave) leaves it, RV(files[].outcome=left), with a warning. V(fail) makes it fail.
      - V(replace) replaces all its signatures. V(append) adds ours beside them, once; an MSI, MSP, MST or CAT can hold one signature only, so
        one that somebody else signed is refused then.
      - A file that was changed after it was signed is signed anew whoever signed it, as its signature helps nobody.
    type: str
    choices:
      - leave
      - replace
      - append
      - fail
    default: leave
  former:
    description:
      - Thumbprints of certificates that are ours too, those that were renewed. Their signatures are replaced.
      - With O(state=verified) a file may be signed by them as well; without a certificate that is named, by one of them.
    type: list
    elements: str
    default: []
  unsignable:
    description:
      - What becomes of a file that a pattern finds and that SignTool cannot sign, or that is empty. V(skip) passes it over,
        RV(files[].outcome=left). A file that is named in full fails in any case.
    type: str
    choices:
      - fail
      - skip
    default: fail
  page_hashes:
    description:
      - Whether the signature of a program holds a hash of each page. Left to SignTool where it is not given. Not compared with a
        signature that is there.
    type: bool
  signtool_path:
    description:
      - Full path of C(signtool.exe). One folder may be V(*), which stands for the newest version.
      - Unless given, the x64 SignTool is looked for where the role P(cloudhsm.codesign.signtool#role) puts it, then where the Windows SDK
        does (C(Windows Kits\10\bin)). The second place costs one more remote call.
      - The x86 SignTool is refused, as the key storage provider of CloudHSM exists for 64 bit only.
      - It is not run where others than administrators may change it, its folder or one above that, nor where it is not the one whose SHA-256
        M(cloudhsm.codesign.win_signtool_package) noted beside it. The same holds for the tools of the client.
    type: str
  batch:
    description:
      - How many files one SignTool process gets at the most. The length of a Windows command line is kept in any case.
    type: int
    default: 32
  jobs:
    description:
      - How many SignTool processes run side by side. V(0) stands for as many as the host has processors, 8 at least, as signing waits for
        the HSM and the timestamp authority most of the time.
      - The files are shared out evenly over the processes. While an authority limits requests, fewer of them ask it.
      - A remote call works on 500 files or 2 GB at the most. What was signed before a connection breaks is kept, and signed files are not
        signed again by the next run.
    type: int
    default: 0
  ledger_path:
    description:
      - File on the host that gets one line of JSON for each signature made, with time, host, account, file, its SHA-256 before and after,
        certificate, digest and timestamp.
      - Lines are only ever appended. A line that a crash cut off stays alone on its line.
      - The folder must exist, and the file must be open for writing directly before SignTool signs. Otherwise nothing is signed.
    type: str
  cluster_id:
    description:
      - The cluster that C(cloudhsm-cli) is asked for, where the configuration of Client SDK 5 holds several.
    type: str
  lock_timeout:
    description:
      - Seconds to wait for another run, of this or of another control node, that signs in the same folder. Then the task fails and says who
        works there. After the wait all files are looked at again, so that none is signed twice.
      - The claim of a run that was cut off counts for O(timeout) and a minute more after its last sign of life, unless it was a process of this
        control node that has ended.
    type: int
    default: 600
  timeout:
    description:
      - Seconds that one SignTool process may take. Then it is ended with everything that it started.
      - SignTool itself waits for a timestamp authority up to 300 seconds.
      - The connection's own time limit (for WinRM C(ansible_winrm_read_timeout_sec)) has to be longer than the work takes.
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
      - Reads and plans as otherwise, and starts nothing that writes. Hash, timestamp and trust of a signature that is not made yet are
        unknown then.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Exit code 2 of SignTool is a warning and is shown as one.
  - Only a digest that does not match means that a file was changed after it was signed. With every other answer of the verification the
    file counts as signed, and as not accepted by this host. RV(files[].trusted) is V(false) then, RV(files[].not_accepted) and a warning
    give the reason and the code, and the file is not signed again. With O(state=verified) it is a failure.
  - The same goes for a timestamp whose authority the host does not know. A stamp that cannot be verified for another reason is made again
    where O(timestamp_urls) is given.
  - The provider ends SignTool's run when the key cannot sign. The files behind are tried again, and are RV(files[].outcome=not_tried) in the
    end if the key fails for every file.
  - With O(client_sdk=auto) the credentials are given to SignTool in the form of both client SDKs.
seealso:
  - module: cloudhsm.codesign.win_cert_repairstore
  - module: cloudhsm.codesign.win_codesign_info
"""

EXAMPLES = r"""
---
- name: Sign the programs of a build, with a timestamp
  cloudhsm.codesign.win_signtool:
    files:
      - C:\build\*.exe
      - C:\build\setup.msi
    thumbprint: 184EFBD18B376F996FFD3D79C2622334481D4409
    timestamp_urls:
      - http://timestamp.digicert.com
      - http://timestamp.sectigo.com
    description: Example Program
    url: https://www.example.com/
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Add a signature beside the vendor's and write it into the ledger
  cloudhsm.codesign.win_signtool:
    files:
      - C:\vendor\driver.dll
    thumbprint: 184EFBD18B376F996FFD3D79C2622334481D4409
    append: true
    ledger_path: C:\ProgramData\codesign\signed.jsonl
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Fail unless all files of a release are signed and trusted
  cloudhsm.codesign.win_signtool:
    state: verified
    files:
      - C:\release\*.exe
"""

RETURN = r"""
---
files:
  description: One entry a file, in the order of O(files). A pattern that nothing fits has an entry of its own, at the end.
  returned: when the files were looked at
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
      sample: C:\build\app.exe
    state_before:
      description: >-
        V(missing), V(empty), V(in_use), V(unreadable), V(not_signable), V(unsigned), V(signed), V(timestamped), V(signed_by_others) or
        V(changed_after_signing), as the certificate that was named sees it.
      type: str
      sample: unsigned
    state_after:
      description: The same after the task. In check mode as it would be.
      type: str
      sample: timestamped
    sha256_before:
      description: SHA-256 of the file before the task, null where it could not be read, and for a program without a signature of which no copy was made.
      type: str
      sample: d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26
    sha256_after:
      description: SHA-256 of the file after the task, null where it is not known yet.
      type: str
      sample: 03ba204e50d126e4674c005e04d82e84c21366780af1f43bd54a37816b6ab340
    signer:
      description: Thumbprint of the certificate whose signature counts, the one named or else the primary one. Null without one.
      type: str
      sample: 184EFBD18B376F996FFD3D79C2622334481D4409
    digest:
      description: Digest algorithm of that signature, null without one.
      type: str
      sample: sha256
    timestamp:
      description: That signature's timestamp, null without one.
      type: dict
      contains:
        time:
          description: When it was made, in the host's local time. Null where the host does not trust the timestamp, of which SignTool tells nothing more.
          type: str
          sample: '2026-11-24T06:20:41'
        authority:
          description: Name of the authority's certificate, null likewise.
          type: str
          sample: Example Time Stamping
    signatures:
      description: How many signatures the file has.
      type: int
      sample: 1
    trusted:
      description: Whether the host accepts all signatures of the file and their timestamps, null where there are none or it is not known yet.
      type: bool
      sample: true
    not_accepted:
      description: Why the host does not accept a signature or its timestamp, null where it does, where there is none or it is not known yet.
      type: dict
      contains:
        link:
          description: The link of the chain that it points to, V(file) only where the file was changed after it was signed.
          type: str
          sample: timestamp
        msg:
          description: What is wrong and what to do.
          type: str
          sample: >-
            C:\build\app.exe is signed, but this host does not trust its timestamp: its chain ends in a root that is not in the host's Root store.
            Put the root certificate of the timestamp authority into LocalMachine\Root.
        code:
          description: The code that SignTool gave, null without one.
          type: str
          sample: '0x800b0109'
        output:
          description: SignTool's own words, null without any.
          type: str
          sample: An error has been found with the timestamp.
    action:
      description: What the file needed, V(leave), V(sign), V(append), V(timestamp), V(remove) or V(refuse).
      type: str
      sample: sign
    outcome:
      description: >-
        V(changed), V(unchanged), V(left) (not as wanted, and left on purpose), V(failed), V(changed_meanwhile) (something else changed the
        file while it was worked on, and it was left as it is now) or V(not_tried).
      type: str
      sample: changed
    changed:
      description: Whether the file was changed.
      type: bool
      sample: true
    error:
      description: Why the file is not as wanted, null otherwise.
      type: dict
      contains:
        link:
          description: The broken link of the chain, for example V(file), V(certificate), V(key), V(timestamp).
          type: str
          sample: timestamp
        msg:
          description: What is wrong and what to do.
          type: str
          sample: "C:\\build\\app.exe is in use: another process holds it open. End what uses it."
        code:
          description: The code that SignTool gave, null without one.
          type: str
          sample: '0x8009002d'
        output:
          description: SignTool's own words, null where it said nothing about the file.
          type: str
          sample: An unexpected internal error has occurred.
signed:
  description: How many files got a signature.
  returned: when the files were looked at
  type: int
  sample: 1
failed_files:
  description: How many files failed, those that something else changed meanwhile included.
  returned: when the files were looked at
  type: int
  sample: 0
not_tried:
  description: How many files SignTool never came to.
  returned: when the files were looked at
  type: int
  sample: 0
unchanged:
  description: How many files were as wanted already.
  returned: when the files were looked at
  type: int
  sample: 0
left:
  description: How many files were left on purpose though they are not as wanted, see O(foreign) and O(unsignable).
  returned: when the files were looked at
  type: int
  sample: 0
signtool_path:
  description: The SignTool that was used.
  returned: when the files were looked at
  type: str
  sample: C:\Program Files (x86)\Windows Kits\10\bin\10.0.26100.0\x64\signtool.exe
signtool_version:
  description: Its version.
  returned: when the files were looked at
  type: str
  sample: 10.0.26100.9457
code:
  description: The code that key_mgmt_util, the tool of Client SDK 3, gave for the login that was tried, in hexadecimal.
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
