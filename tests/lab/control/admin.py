# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own door on loopback: JSON over HTTP for the record, faults, damages and files. ``lab.control``
is its client.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509

from ..windows import authority
from ..windows.copies import Image, lay_over, state
from ..windows.errors import LabOSError
from ..windows.filesystem import normalize
from ..windows.host import Host
from .damage import UnknownDamage, damage
from .faults import KNOWN
from .fleet import DescriptionError, Fleet
from .moments import Strike, UnknownMoment
from .pace import UnknownPace

Question = Mapping[str, Any]


class _Refused(Exception):
    """The question cannot be answered; the text says why."""


class Admin:
    """Answers questions about a fleet until ``stop``. ``stopping`` is set when somebody asks the lab to end."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.stopping = threading.Event()
        self._images: dict[tuple[str, str], Image] = {}
        self._answers: dict[str, Callable[[Question], Any]] = {
            "status": self._status,
            "record": self._record,
            "search": self._search,
            "leaks": self._leaks,
            "fault": self._fault,
            "moments": self._moments,
            "keep": self._keep,
            "lay": self._lay,
            "copy": self._copy,
            "state": lambda question: dict(state(self._host(question))),
            "clear": self._clear,
            "pace": self._pace,
            "reads": self._reads,
            "damage": self._damage,
            "read": self._read,
            "write": self._write,
            "remove": self._remove,
            "list": self._list,
            "registry": self._registry,
            "state_of": self._state_of,
            "issue": self._issue,
            "authority": self._authority,
            "password": self._password,
            "stop": self._stop,
        }
        owner = self

        class Handler(_Handler):
            admin = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="admin", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, name: str, question: Question) -> tuple[int, Any]:
        """HTTP status and answer."""
        if name not in self._answers:
            return 404, {"error": f"the lab has no '{name}'; it has {', '.join(self._answers)}"}
        try:
            return 200, self._answers[name](question)
        except (_Refused, DescriptionError, UnknownDamage, UnknownPace, LabOSError) as error:
            return 400, {"error": str(error)}
        except (KeyError, TypeError, ValueError) as error:
            return 400, {"error": f"the question lacks or misuses {error}"}

    def _host(self, question: Question) -> Host:
        name = str(question.get("host") or "")
        member = self._fleet.members.get(name)
        if member is None:
            raise _Refused(f"the fleet has no host '{name}'; it has {', '.join(self._fleet.members)}")
        return member.host

    def _hosts(self, question: Question) -> list[Host]:
        return (
            [self._host(question)]
            if question.get("host")
            else [member.host for member in self._fleet.members.values()]
        )

    def _status(self, question: Question) -> Any:
        fleet = self._fleet
        return {
            "pid": os.getpid(),
            "last": fleet.record.last,
            "tsa": fleet.tsa.url,
            "tsa_requests": fleet.tsa.count,
            "web": fleet.web.url,
            "pace": fleet.pace.to_dict(),
            "cluster": {
                "id": fleet.cluster.cluster_id,
                "hsm_type": fleet.cluster.hsm_type,
                "addresses": fleet.cluster.addresses,
                "users": list(fleet.cluster.users),
                "operations": len(fleet.cluster.operations),
                "refused_logins": sum(
                    what == "login_failed" for _user, what, _handle in fleet.cluster.operations
                ),
            },
            "other": None
            if fleet.other is None
            else {
                "id": fleet.other.cluster_id,
                "addresses": fleet.other.addresses,
                "modulus": next(f"{key.modulus:X}" for key in fleet.other.all_keys()),
            },
            "hosts": {
                name: {
                    "port": member.endpoint.port,
                    "language": member.host.language,
                    "oem_code_page": member.host.oem_code_page,
                    "client_sdk": member.host.client_sdk,
                    "boots": member.host.boots,
                    "calls": len(fleet.record.entries("call", name)),
                    "faults": member.host.faults.to_list(),
                }
                for name, member in fleet.members.items()
            },
        }

    def _record(self, question: Question) -> Any:
        record = self._fleet.record
        return {
            "last": record.last,
            "entries": record.entries(
                str(question.get("kind") or ""),
                str(question.get("host") or ""),
                int(question.get("since") or 0),
            ),
        }

    def _search(self, question: Question) -> Any:
        """Where a text stands: in the record, in the hosts' files and in their registries."""
        text = _wanted(question)
        return {
            "record": self._fleet.record.search(text, str(question.get("host") or "")),
            **self._at_rest(text, question),
        }

    def _leaks(self, question: Question) -> Any:
        """Where a secret stands and does not belong: as ``search``, without the ways in which it has to
        travel.
        """
        text = _wanted(question)
        return {
            "record": self._fleet.record.leaks(text, str(question.get("host") or "")),
            **self._at_rest(text, question),
        }

    def _at_rest(self, text: str, question: Question) -> dict[str, list[dict[str, str]]]:
        files, registry = [], []
        for host in self._hosts(question):
            for file in sorted(host.folder.glob("[A-Z]/**/*")):
                data = file.read_bytes() if file.is_file() else b""
                if text.encode() in data or text.encode("utf-16-le") in data:
                    files.append({"host": host.name, "path": host.files.windows_path(file)})
            registry += [{"host": host.name, "path": path} for path in host.registry.search(text)]
        return {"files": files, "registry": registry}

    def _fault(self, question: Question) -> Any:
        text, count = str(question["fault"]), question.get("count")
        if question.get("host"):
            if text.partition(":")[0] not in KNOWN:
                raise _Refused(f"a host knows no fault '{text}'; there are {', '.join(KNOWN)}")
            times, after = None if count is None else int(count), int(question.get("after") or 0)
            self._inject(self._host(question), text, times, after)
        else:
            self._fleet.set_fault(text, None if count is None else int(count))
        return {}

    @staticmethod
    def _inject(host: Host, text: str, count: int | None, after: int) -> None:
        name, _colon, argument = text.partition(":")
        if name != "at":
            host.faults.set(text, count, after)
            return
        try:
            host.moments.begin(Strike.read(argument))
        except UnknownMoment as error:
            raise _Refused(str(error)) from error

    def _moments(self, question: Question) -> Any:
        """What a host came to since the last question like this, and whether a fault at a moment struck."""
        moments = self._host(question).moments
        found = {
            "struck": moments.struck,
            "log": [[one.point, one.number, one.detail] for one in moments.log],
        }
        moments.begin(keep=True)
        return found

    def _keep(self, question: Question) -> Any:
        """Keeps a host as it is under a name."""
        host = self._host(question)
        self._images[host.name, str(question["name"])] = Image(host)
        return {}

    def _lay(self, question: Question) -> Any:
        """Makes a host again what was kept under a name."""
        host = self._host(question)
        self._images[host.name, str(question["name"])].lay(host)
        return {}

    def _copy(self, question: Question) -> Any:
        """Makes hosts what another one of their language is."""
        for name in question["to"]:
            lay_over(self._host(question), self._host({"host": name}))
        return {}

    def _clear(self, question: Question) -> Any:
        for host in self._hosts(question):
            host.moments.end()
            host.faults.clear(str(question.get("fault") or ""))
        if not question.get("host"):
            self._fleet.clear_faults()
        return {}

    def _reads(self, question: Question) -> Any:
        """How often and how many bytes of each file modules and steps have read; what programs read does not count."""
        return {
            path: {"times": times, "bytes": read}
            for path, (times, read) in dict(self._host(question).reads).items()
        }

    def _pace(self, question: Question) -> Any:
        """Other seconds for the kinds named; the answer has those of all kinds."""
        self._fleet.pace.set(question)
        return self._fleet.pace.to_dict()

    def _damage(self, question: Question) -> Any:
        return {"broken": damage(self._host(question), str(question["name"]))}

    def _read(self, question: Question) -> Any:
        files, path = self._host(question).files, str(question["path"])
        return (
            {"base64": base64.b64encode(files.read(path)).decode()}
            if files.is_file(path)
            else {"base64": None}
        )

    def _password(self, question: Question) -> Any:
        """The crypto officer gives the crypto user another password."""
        self._fleet.cluster.change_password(self._fleet.description.crypto_user, str(question["password"]))
        return {}

    def _write(self, question: Question) -> Any:
        files, path = self._host(question).files, normalize(str(question["path"]))
        files.makedirs(path.rpartition("\\")[0])
        files.write(path, base64.b64decode(str(question["base64"])), by="admin")
        return {}

    def _remove(self, question: Question) -> Any:
        self._host(question).files.remove_tree(str(question["path"]))
        return {}

    def _list(self, question: Question) -> Any:
        files, path = self._host(question).files, str(question["path"])
        return (
            {"files": files.list(path), "folders": files.folders(path)}
            if files.is_dir(path)
            else {"files": [], "folders": []}
        )

    def _registry(self, question: Question) -> Any:
        host = self._host(question)
        registry = host.registry_of(str(question["account"])) if question.get("account") else host.registry
        value = registry.get(str(question["path"]), str(question.get("name") or ""))
        data = (
            base64.b64encode(value.data).decode()
            if value and isinstance(value.data, bytes)
            else value.data
            if value
            else None
        )
        return {
            "keys": registry.subkeys(str(question["path"])),
            "value": None if value is None else {"kind": value.kind, "data": data},
        }

    def _state_of(self, question: Question) -> Any:
        host = self._host(question)
        return {
            "registry": {
                path: value.data.decode("latin-1") if isinstance(value.data, bytes) else value.data
                for path, value in host.registry.everything().items()
            },
            "credentials": [
                {"account": account, "target": one.target, "user": one.user, "secret": one.password}
                for account, one in host.credentials.everything()
            ],
        }

    def _issue(self, question: Question) -> Any:
        """The lab's CA answers a request: files of the machine that the lab runs on, the answer with its chain."""
        request = x509.load_pem_x509_csr(Path(str(question["csr"])).read_bytes())
        if not request.is_signature_valid:
            raise _Refused("the request is not signed with its own key")
        issued = self._fleet.pki.answer(
            request,
            days=int(question.get("days", 365)),
            code_signing=bool(question.get("code_signing", True)),
        )
        Path(str(question["answer"])).write_text(issued.pem + self._fleet.pki.chain_pem(), encoding="ascii")
        return {"thumbprint": issued.thumbprint}

    def _authority(self, question: Question) -> Any:
        """Makes a host the lab's CA (AD CS), or takes the role off it (``remove``)."""
        host = self._host(question)
        if question.get("remove"):
            authority.remove(host)
        else:
            authority.install(host, self._fleet.pki)
        return {}

    def _stop(self, question: Question) -> Any:
        self.stopping.set()
        return {}


def _wanted(question: Question) -> str:
    text = str(question["text"])
    if not text:
        raise _Refused("the text to search for is empty")
    return text


class _Handler(BaseHTTPRequestHandler):
    admin: Admin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            question = json.loads(body or b"{}")
        except ValueError:
            question = None
        status, answer = (
            self.admin.answer(self.path.strip("/"), question)
            if isinstance(question, dict)
            else (400, {"error": "no JSON object"})
        )
        data = json.dumps(answer, ensure_ascii=False, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Questions of tests are no part of the record."""
