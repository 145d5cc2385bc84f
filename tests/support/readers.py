# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All readers of the collection, for the tests that feed them anything: what each takes, which errors of ours it may
raise, and what its format is made of. ``found`` finds them by walking the packages, so that none can be forgotten.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import re
import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from ansible_collections.cloudhsm.codesign.plugins.module_utils import (
    _certificate,
    _cluster_api,
    _findings,
    _json,
    _steps,
    _texts,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._arguments import (
    cloudhsm_find_key_by_modulus as find_arguments,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key import pair
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.backends import (
    cloudhsm_cli as cli_backend,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import DigestResult, RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, key_mgmt_util
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import (
    _action,
    _diagnosis,
    _identity_files,
    _sdk,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import manifest, owner
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import provider_log, tls
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift import fleet
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import (
    authenticode,
    client_config,
    csr,
    sddl,
    store_blob,
    x500_name,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import control_node, trust
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import making
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    certificate as signing_certificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import (
    files,
    journal,
    signature,
    tool,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import entry, key_test, request
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import (
    certutil,
    cmdkey,
    import_key,
    key_signature,
    ksp_config,
    osslsigncode,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.certutil import text as certutil_text
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import (
    output,
    reasons,
    verified,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import text as signtool_text
from support.recordings import STORE_BLOBS

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PACKAGE = "ansible_collections.cloudhsm.codesign.plugins"

Takes = Literal["text", "bytes", "json"]


@dataclass(frozen=True)
class Reader:
    """``call`` gives the function what it reads. ``errors``: those it may raise. ``pieces``: what its format is made of,
    for inputs that come further than chance. ``json``: it takes what ``json.loads`` gives.
    """

    function: Callable[..., object]
    takes: Takes
    errors: tuple[type[Exception], ...] = ()
    pieces: tuple[str, ...] = ()
    call: Callable[[Any], object] = field(default=lambda _data: None)
    note: str = ""
    openings: tuple[str, ...] = ()
    """What comes before a run of one piece, so that a reader goes far before it stumbles over it."""

    @property
    def name(self) -> str:
        return _name(self.function) + (f"[{self.note}]" if self.note else "")


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}".removeprefix(f"{PACKAGE}.")


def text(
    function: Callable[..., object],
    *more: Any,
    errors: tuple[type[Exception], ...] = (),
    pieces: str = "",
    note: str = "",
) -> Reader:
    """A reader of texts; ``more`` are its further arguments, ``pieces`` one a line."""
    opened = _openings(pieces)
    return Reader(function, "text", errors, _pieces(pieces), lambda data: function(data, *more), note, opened)


def raw(
    function: Callable[..., object],
    *more: Any,
    errors: tuple[type[Exception], ...] = (),
    pieces: str = "",
    note: str = "",
) -> Reader:
    """A reader of bytes; the pieces are Latin-1."""
    opened = _openings(pieces)
    return Reader(
        function, "bytes", errors, _pieces(pieces), lambda data: function(data, *more), note, opened
    )


def file(
    function: Callable[..., object], *more: Any, errors: tuple[type[Exception], ...] = (), pieces: str = ""
) -> Reader:
    """A reader of open files."""
    return Reader(function, "bytes", errors, _pieces(pieces), lambda data: function(io.BytesIO(data), *more))


def _pieces(lines: str) -> tuple[str, ...]:
    return tuple(_unescaped(line) for line in lines.split("\n") if line and line[0] != ">")


def _openings(lines: str) -> tuple[str, ...]:
    """Those of the pieces that a ``>`` stands before."""
    return tuple(_unescaped(line[1:]) for line in lines.split("\n") if line.startswith(">"))


def _unescaped(line: str) -> str:
    text = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), line)
    return text.replace("\\n", "\n").replace("\\t", "\t")


NOW = datetime(2026, 11, 24, tzinfo=timezone.utc)
BROKEN = (_findings.BrokenLink,)
CERTIFICATE = store_blob.read_blob(bytes.fromhex(json.loads(STORE_BLOBS[0].read_text("utf-8"))["blob"])).der
NOTHING_SEEN = signature.SeenFile("C:\\f.exe", "unreadable")

PEM = r"""-----BEGIN CERTIFICATE-----
-----END CERTIFICATE-----
-----BEGIN A-----
-----END A-----
-----BEGIN PKCS7-----\n
-----BEGIN CERTIFICATE REQUEST-----
-----BEGIN NEW CERTIFICATE REQUEST-----
-----END
MIIB
-----
\n
=
\xff\xfe
\xef\xbb\xbf
0\x82\x01\x00
\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x02"""
JSON = r"""{
{\n
}
[
]
"a":
{"a":\n
{"a":
{}
[[
"
\\u0000
,
\n
1e999
-1
NaN
null
true"""
CLI = (
    JSON
    + r"""
{"error_code": 0, "data":
{"error_code": 1, "data": "x"}
{"error_code": 0, "data": {"matched_keys": [{"key-reference": "0x1", "attributes": {"label": "x"}}], "total_key_count": 1, "returned_key_count": 1}}
{"key-reference": "0x1", "key-info": {"key-owners": [{"username": "a"}]}},
{"error_code": 0, "data": {"users": [{"username": "a", "locked": "true"}]}}
{"error_code": 0, "data": {"message": "m"}}
matched 3 keys
no credentials
invalid value"""
)
UTIL = r"""Command:
>Cfm3A returned: 0x01
>Cfm3A returned: 0x01 : HSM Return: A
>Cfm3GetKeyInfo returned: 0x00\n
1
Command: \n
Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS
Cfm3FindKey returned: 0x
Cfm3LoginHSM returned: 0xa3
Cfm3LoginHSM returned: 0x00\n
Cfm3A
CfmA() returned: 007\x20
returned: 9999999999
Total number of keys present: 2\n
Number of matching keys from start index 0::1\n
Handles of matching keys:\n
12, 13\n
,
Cluster Error Status
Node id 0 and err state 0x00000000
Node id 99 status: 0x00000001
Owned by user 3 \n
shared to following 2 user(s): 4, 5
\x20
\t
\n
:
A
Daemon socket connection error"""
CERTUTIL = r"""\x20\x20
>  name\n  RSA\n
>  name\n
>Provider Name: A\n
  name\n
  RSA\n
  ECDSA_P256\n
\n
CertUtil: -key
CertUtil:\n
    0000  30 82 01 0a 02 82 01 01  00 ab cd\n
0000  04\x20
  0x80090016 (-2146893802)\n
  AT_KEYEXCHANGE(AT_X): 0a\n
Provider Name: A\n
Provider Type: 1 - PROV_RSA_FULL\n
A: B\n
:\x20
SDK Version: 3.1\n
\xa0
\r
"""
SIGNTOOL = r"""SignTool Error:
SignTool Error: An unexpected internal error has occurred.\n
SignTool Warning:
Error information: "Error: SignerSign() failed." (-2147467259/0x80004005)\n
Successfully signed: a\n
Number of files successfully signed: 1\n
Number of errors: 0\n
Number of warnings: 0\n
Number of files successfully verified: 1\n
Index  Algorithm  Timestamp\n
====================\n
0 sha256 None\n
Verifying: a\n
Successfully verified: a\n
File: a\n
Signature Index: 0\n
Hash of file (sha256): AA\n
Signing Certificate Chain:\n
    Issued to: a\n
    Issued by: b\n
    Expires:   Tue Nov 24 06:20:41 2026\n
    SHA1 hash: 0123456789012345678901234567890123456789\n
The signature is timestamped: Tue Nov 24 06:20:41 2026\n
Timestamp Verified by:\n
File is not timestamped.\n
The following certificates were considered:\n
The following certificate was selected:\n
After EKU filter, 0 certs were left.\n
Usage: signtool
WinVerifyTrust returned error: 0x80096010
CERT_TRUST_STATUS.dwErrorStatus: 0x20
An error has been found with the timestamp.
Removing signature on file:
\x20
\n
\r
\t"""
SDDL = r"""O:
>D:(A;;
>O:BAD:(A;;FA;;;
O:S-1-5-21-1-2-3-500
G:
D:
D:PAI
(A;;FA;;;SY)
(A;;0x1301bf;;;WD)
(A;OICI;
(
)
;
A
0x
FA
S-1-
500
NO_ACCESS_CONTROL
\n"""
NAMES = r"""CN=
>CN=a
>CN="
CN=a,
OID.1.2=
"
""
\\
\\,
\\41
,
+
=
\x20
a
\n
C=DE
O=x"""
PE = r"""MZ
\x00\x00\x00\x00
PE\x00\x00
\x0b\x01
\x40\x00\x00\x00
0\x80
0\x82\xff\xff
\x30\x00
\x06\x00
\xa0\x00
\x00\x02\x02\x00"""
BLOB = r"""\x20\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x000
\x02\x00\x00\x00\x01\x00\x00\x00
\x0b\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00a\x00\x00\x00
\x1c\x00\x00\x00
\x00\x00
a\x00
\x00\xd8
\xff\xff\xff\xff"""
JOURNAL = (
    JSON
    + r"""
{"run": "a", "node": "b", "process": "c", "started": "d", "term": 1, "files": []}\n
{"name": "a.exe", "work": "w", "copy": "f1.exe", "action": "s", "state": "x", "before": "1", "after": "2", "ledger": "", "line": ""},\n
{"ended": true}\n"""
)
MANIFEST = (
    JSON
    + r"""
{"format": 1, "made_by": "cloudhsm.codesign", "wanted": {}, "files": [{"path": "a"}]}
{"wanted": {}, "file": {"path": "a"}}\n"""
)
HEX = "0\na\nA\n0x\nmodulus=\nModulus=\n:\n \n-\n\u200e\n04\n0410\n04820100"

READERS: tuple[Reader, ...] = (
    # Certificates, and what people type
    raw(_certificate.read_certificates, "it", errors=(_certificate.CertificateError,), pieces=PEM),
    raw(_certificate.read_certificate, "it", errors=(_certificate.CertificateError,), pieces=PEM),
    raw(_certificate.pem_certificates, pieces=PEM),
    raw(_certificate.rsa_modulus, pieces=PEM),
    raw(_certificate.serial_of, pieces=PEM),
    text(_certificate.normalize_serial, errors=(_certificate.CertificateError,), pieces=HEX),
    text(_certificate.normalize_thumbprint, errors=(_certificate.CertificateError,), pieces=HEX),
    text(pair.wanted_from_modulus, errors=BROKEN, pieces=HEX),
    text(pair.point_of, pieces=HEX),
    text(pair.bare_digits, pieces=HEX),
    text(entry.thumbprint, errors=BROKEN, pieces=HEX),
    text(signing_certificate.plain_thumbprint, errors=BROKEN, pieces=HEX),
    raw(entry.parsed, "AA", "My", errors=BROKEN, pieces=PEM),
    raw(_diagnosis.key_of, pieces=PEM),
    raw(find_arguments.read, "it", errors=BROKEN, pieces=PEM),
    raw(csr.read, "it", errors=(csr.CsrError,), pieces=PEM),
    raw(request.read_csr, "it", errors=BROKEN, pieces=PEM),
    raw(request.read_answer, "it", (), None, NOW, errors=BROKEN, pieces=PEM),
    Reader(_identity_files.read, "text", BROKEN, _pieces(PEM), lambda data: _identity_files.read([data])),
    text(tls.fault, "", pieces=PEM, note="certificate"),
    Reader(
        tls.fault,
        "text",
        (),
        _pieces(PEM),
        lambda data: tls.fault("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", data),
        "key",
    ),
    text(_cluster_api.issued_by, "", errors=BROKEN, pieces=PEM),
    text(x500_name.parse, errors=(x500_name.SubjectError,), pieces=NAMES),
    Reader(
        x500_name.same_text,
        "text",
        (),
        _pieces(NAMES),
        lambda data: x500_name.same_text((x500_name.Attribute("2.5.4.3", "a"),), data),
    ),
    # What lies on hosts
    raw(store_blob.read_blob, errors=(store_blob.StoreBlobError,), pieces=BLOB),
    raw(store_blob.read_key_prov_info, errors=(store_blob.StoreBlobError,), pieces=BLOB),
    raw(client_config.read_sdk5, errors=(client_config.ConfigError,), pieces=JSON),
    raw(client_config.read_sdk3_address, errors=(client_config.ConfigError,), pieces=JSON),
    raw(client_config.with_hsm_type, 0, "hsm1", errors=(client_config.ConfigError,), pieces=JSON),
    file(authenticode.is_program, pieces=PE),
    file(authenticode.layout, errors=(authenticode.DamagedError,), pieces=PE),
    file(authenticode.image_digest, "sha256", errors=(authenticode.DamagedError,), pieces=PE),
    file(authenticode.signatures, errors=(authenticode.DamagedError,), pieces=PE),
    text(sddl.is_own, "S-1-5-18", pieces=SDDL),
    text(sddl.others_in, sddl.FILE, "S-1-5-18", pieces=SDDL),
    text(sddl.readers_of, pieces=SDDL),
    text(sddl.denied_of, pieces=SDDL),
    text(trust.refusal, pieces="digest\\n\nfile\\n\nfolder\\n\nabove\\n\nunread\\n\nC:\\a.exe\\n\n" + SDDL),
    text(trust.is_other, pieces="digest\\n"),
    raw(journal.parse, pieces=JOURNAL),
    # What is kept on the control node
    text(manifest.parse, errors=(manifest.ManifestError,), pieces=MANIFEST),
    Reader(
        manifest.is_same,
        "text",
        (),
        _pieces(MANIFEST),
        lambda data: manifest.is_same(data, manifest.Manifest()),
    ),
    text(manifest.read_record, pieces=MANIFEST),
    text(owner.is_left, 0.0, pieces="00000000-1-0000000000000000\n-\n0"),
    text(control_node.is_gone, pieces="/\n0\n9"),
    text(fleet.parse, errors=(ValueError,), pieces=JSON),
    Reader(
        fleet.from_json,
        "json",
        (ValueError,),
        call=lambda data: fleet.from_json({"schema": fleet.SCHEMA, "hosts": data, "made": data}),
    ),
    Reader(
        fleet.hosts,
        "json",
        call=lambda data: fleet.hosts({"a": {"findings": data, "certificates": data}, "b": data}),
    ),
    text(_texts.shown, pieces="a\n\\n\n\u202e"),
    text(_texts.lines_shown, pieces="a\n\\n\n\u202e"),
    Reader(
        _texts.as_lines,
        "text",
        pieces=("a", "\n", "\u202e"),
        call=lambda data: _texts.as_lines(data.split("a")),
    ),
    text(_texts.ending, pieces="a\n\\n"),
    text(_texts.beginning, 300, pieces="a\n\\n"),
    text(_findings.quoted, pieces="a\n\\n\n\u202e"),
    text(fleet.shown, pieces="a\n\\n\n\u202e"),
    raw(cli_backend.utf8, pieces="\\xff\n\\xc3"),
    text(signtool_text.excerpt, pieces="a\n\\n\n\\x00"),
    text(_json.load, errors=(ValueError,), pieces=JSON),
    # What tools say
    text(cloudhsm_cli.parse_key_list, errors=BROKEN, pieces=CLI),
    text(cloudhsm_cli.parse_generate_file, errors=BROKEN, pieces=CLI),
    text(cloudhsm_cli.parse_user_list, errors=BROKEN, pieces=CLI),
    text(cloudhsm_cli.failure, 1, pieces=CLI),
    text(key_mgmt_util.parse, pieces=UTIL),
    text(key_mgmt_util.check_session, 0, False, errors=BROKEN, pieces=UTIL),
    Reader(
        key_mgmt_util.parse_key_info,
        "text",
        BROKEN,
        _pieces(UTIL),
        lambda data: key_mgmt_util.parse_key_info(key_mgmt_util.CommandAnswer("GetKeyInfo", 0, text=data)),
    ),
    raw(
        key_mgmt_util.parse_attributes,
        errors=BROKEN,
        pieces="OBJ_ATTR_A\\n\nOBJ_ATTR_\n0x01\\n\n\\n\nA\n \nOBJ_ATTR_MODULUS\\n\na\\n",
    ),
    text(
        import_key.parse,
        errors=BROKEN,
        pieces="Represented 2 keypairs\nRepresented\n 1\n User\nNCryptOpenKey\nfailed\n: 80090016\nn3fips_password is not set\nreturned: 0xa3\n \n\\n",
    ),
    text(certutil.parse_keys, errors=(certutil.ParseError,), pieces=CERTUTIL),
    text(certutil.parse_csplist, errors=(certutil.ParseError,), pieces=CERTUTIL),
    text(certutil_text.lines_of, pieces=CERTUTIL),
    text(certutil_text.is_end, pieces=CERTUTIL),
    text(certutil.check_container, pieces='a\n-\n&\n"'),
    text(certutil.check_inf_value, pieces='a\n-\n&\n"'),
    text(
        cmdkey.parse_list,
        "target",
        pieces="  Target: target\\n\n  LegacyGeneric:target=target\\n\n* NONE *\\n\n*\n: \n target\n \n\\t\n\\n\n\\r",
    ),
    text(ksp_config.parse_enum, pieces="Cavium Key Storage Provider\nCavium CNG Provider\n\\n\n \n.\n\\t"),
    text(
        key_signature.parse,
        errors=(key_signature.ParseError,),
        pieces="codesign-key-signature stage=signed code= message= signature=AAAA\\n\n stage=key code=80090016 message=AAA\n=\n\\n\nA",
    ),
    raw(osslsigncode.read_version, pieces="osslsigncode 2.9\nosslsigncode \n9\n."),
    text(output.read_run, "", 1, errors=(signtool_text.Unreadable,), pieces=SIGNTOOL),
    text(output.read_verification, "", 1, errors=(signtool_text.Unreadable,), pieces=SIGNTOOL),
    text(reasons.of_sentence, pieces=SIGNTOOL),
    raw(signtool_text.decode, pieces=SIGNTOOL),
    text(signtool_text.speaks, "", pieces=SIGNTOOL),
    text(signtool_text.tokens, pieces=SIGNTOOL),
    text(signtool_text.without_names, pieces=SIGNTOOL),
    text(verified.read_date, pieces=SIGNTOOL),
    Reader(
        verified.read_files,
        "text",
        (signtool_text.Unreadable,),
        _pieces(SIGNTOOL),
        lambda data: verified.read_files(signtool_text.tokens(data)),
    ),
    Reader(journal.digest_of, "bytes", (), _pieces("AA\n\\x00"), journal.digest_of),
    Reader(
        signature.read_several,
        "bytes",
        (),
        _pieces(SIGNTOOL),
        lambda data: signature.read_several(
            ("C:\\f.exe",), (DigestResult(True, "00" * 32, 9),), RunResult(0, data, b"")
        ),
    ),
    Reader(
        signature.read_verified,
        "text",
        (),
        _pieces(SIGNTOOL),
        lambda data: signature.read_verified(NOTHING_SEEN, data, "", 1),
    ),
    Reader(
        provider_log.explanation,
        "bytes",
        (),
        _pieces(
            "n3fips_password is not set\nCLOUDHSM_PIN\n not found\nDaemon socket connection error\n \n\\n"
        ),
        lambda data: provider_log.explanation(RunResult(1, data, b"")),
    ),
    Reader(
        making.read_proof,
        "bytes",
        (),
        _pieces(CERTUTIL),
        lambda data: making.read_proof(RunResult(0, data, b"")),
    ),
    Reader(
        key_test.judge,
        "bytes",
        (),
        _pieces("codesign-key-signature stage=signed code= message= signature=AAAA\\n\nA"),
        lambda data: key_test.judge(RunResult(0, data, b""), CERTIFICATE, b"", True),
    ),
    text(_sdk.version_of, pieces="5.16.1\n.\n9\na\n\u00b2"),
    text(tool.numbers, pieces="10.0\n.\n9\na\n\u00b2"),
    text(files.fits, "a.exe", pieces="*\n?\na\n.\n[", note="pattern"),
    text(files.locate, errors=BROKEN, pieces='C:\\\n\\\\\n\\\na\n*\n..\n/\n:\n"\n '),
    text(files.plain, pieces="C:\\\n\\\\\n\\\na\n*\n..\n/\n:"),
    text(_action.as_role_says, pieces="crypto_user\nforeign: leave\n \n.\n/\\n"),
)

ANSWERS: tuple[str, ...] = tuple(
    sorted(
        one.__name__
        for one in vars(_steps).values()
        if isinstance(one, type) and issubclass(one, _steps.Step) and one is not _steps.Step
    )
)
"""The steps: the answer of a host to each is read by ``read_answer``, whose tests stand beside those of the readers."""

_TYPED = (
    "takes results that read_answer has read, and gives their texts and bytes to the readers of this list"
)
_OURS = "takes what this collection itself has made: nothing of it comes from elsewhere"
EXCEPTIONS: dict[str, str] = {
    **dict.fromkeys(
        (
            "module_utils._key.backends.cloudhsm_cli.read_asked",
            "module_utils._key.backends.cloudhsm_cli.read_labelled",
            "module_utils._key.backends.key_mgmt_util.read_descriptions",
            "module_utils._key.backends.key_mgmt_util.read_handles",
            "plugin_utils._client.lookups.read",
            "plugin_utils._client.state.read",
            "plugin_utils._client.stored_login.read",
            "plugin_utils._client.tls.read",
            "plugin_utils._key.container.read",
            "plugin_utils._key.identities.read",
            "plugin_utils._signing.additional.read",
            "plugin_utils._signing.certificate.read",
            "plugin_utils._signing.files.read",
            "plugin_utils._signing.files.read_deep",
            "plugin_utils._signing.jobs.read_finish",
            "plugin_utils._signing.journal.read",
            "plugin_utils._signing.journal.read_left",
            "plugin_utils._signing.ledger.read",
            "plugin_utils._signing.package.read",
            "plugin_utils._signing.rounds.read_round",
            "plugin_utils._signing.signature.read_file",
            "plugin_utils._signing.tool.read",
            "plugin_utils._store.association.read",
            "plugin_utils._store.entry.read",
            "plugin_utils._store.export.read",
            "plugin_utils._store.placed.read",
            "plugin_utils._store.placed.read_put",
            "plugin_utils._store.record.read",
            "plugin_utils._store.removal.read",
            "plugin_utils._store.request.read",
        ),
        _TYPED,
    ),
    **dict.fromkeys(
        (
            "module_utils._steps.parts.pack",
            "plugin_utils._artifacts.manifest.entry",
            "plugin_utils._artifacts.plan.item_of",
            "plugin_utils._counting.first_of",
            "plugin_utils._play_hosts.texts_by_host",
            "plugin_utils._tools.cmd.parse_is_defined",
            "plugin_utils._tools.import_key.from_hsm",
        ),
        _OURS,
    ),
    "module_utils._json.checked": "takes what a JSON reader has made: test_answers.py nests it as deep as it goes",
    **dict.fromkeys(
        (
            "module_utils._steps.answer.read_answer",
            "module_utils._steps.files.read_digest",
            "module_utils._steps.raw.decoded",
            "module_utils._steps.raw.entries",
            "module_utils._steps.raw.number",
            "module_utils._steps.raw.read_failure",
            "module_utils._steps.raw.read_placed",
            "module_utils._steps.raw.read_result",
            "module_utils._steps.raw.text_or_failure",
        ),
        "the answers to every step have tests of their own: test_answers.py",
    ),
    "plugin_utils._artifacts.campaign.read": "takes a path: it gives the files' texts to manifest.parse and manifest.read_record",
    "plugin_utils._signing.files.locate_all": "gives each text to locate, and does nothing else",
    "plugin_utils._store.key_test.verifies": "its certificate was read before; judge gives it any signature",
    "plugin_utils._tools.signtool.text.cut_after": "takes tokens, which it neither reads nor keeps",
    "plugin_utils._tools.signtool.text.only": "takes tokens, which tokens and read_run have made of any text",
}
"""Functions that look like readers and have no property, each with the reason."""

_FIRST = {
    "text",
    "data",
    "content",
    "blob",
    "der",
    "sddl",
    "stdout",
    "output",
    "told",
    "encoded",
    "digits",
    "sentence",
    "contents",
    "texts",
    "message",
    "raw",
    "run",
}


def found() -> Iterator[tuple[str, Callable[..., object]]]:
    """All functions of the collection that look like readers: those that are called so (read, parse, decode, from), and
    those whose first argument is called as foreign text or bytes are.
    """
    for package in ("module_utils", "plugin_utils"):
        for path in sorted((PLUGINS / package).rglob("*.py")):
            name = ".".join((PACKAGE, *path.relative_to(PLUGINS).with_suffix("").parts)).removesuffix(
                ".__init__"
            )
            module = importlib.import_module(name)
            for function in vars(module).values():
                if (
                    isinstance(function, types.FunctionType)
                    and function.__module__ == name
                    and _reads(function)
                ):
                    yield _name(function), function


def _reads(function: types.FunctionType) -> bool:
    if function.__name__.startswith("_"):
        return False
    names = list(inspect.signature(function).parameters)
    called_so = re.match(r"(read|parse|decode|from|load)(_|$)", function.__name__) is not None
    return bool(names) and (called_so or names[0] in _FIRST)


class TooSlowError(BaseException):
    """Not an Exception: no reader shall catch it."""


@contextmanager
def processor_seconds(most: float) -> Iterator[None]:
    """Ends what takes more of the processor's time than ``most`` seconds, whatever it waits for. In the main thread only."""

    def too_slow(_number: int, _frame: object) -> None:
        raise TooSlowError(f"it takes more than {most} seconds of the processor")

    before = signal.signal(signal.SIGVTALRM, too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, most)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
