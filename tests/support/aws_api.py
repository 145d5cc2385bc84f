# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS APIs that the collection's users call, on a loopback port: moto's answers, over HTTP, to whoever is told
the address.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.cloudhsmv2.models import cloudhsmv2_backends
from moto.cloudhsmv2.responses import CloudHSMV2Response
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.ec2.responses import EC2Response
from moto.iam.responses import IamResponse
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.responses import TokenResponse
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

ACCOUNT, REGION = "123456789012", "eu-central-1"
_SERVICES: dict[str, type[BaseResponse]] = {
    "cloudhsm": CloudHSMV2Response,
    "ec2": EC2Response,
    "iam": IamResponse,
    "secretsmanager": SecretsManagerResponse,
    "ssm": SimpleSystemManagerResponse,
    "sts": TokenResponse,
}
"""By the name that a request is signed for."""


CALLS: list[str] = []
"""What was asked, by the names of IAM's actions"""


def _action(request: Request) -> str:
    """The operation of a request: in a header (JSON), else in the body (query protocol)."""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    found = re.search(r"(?:^|&)Action=(\w+)", "" if target else request.get_data(as_text=True))
    return target or (found[1] if found else "")


class _Api:
    """moto's dispatchers as a WSGI application; moto's own server does the same for all services and wants
    Flask for it.
    """

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", request.headers.get("Authorization", ""))
        service = _SERVICES.get(scope.group(1)) if scope else None
        if service is None:
            return Response("no such service here", 501)(environ, start)
        CALLS.append(f"{scope[1] if scope else ''}:{_action(request)}")
        status, headers, body = service.dispatch(request, request.url, request.headers)
        return Response(body, status, headers)(environ, start)


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@contextmanager
def aws_api() -> Iterator[dict[str, str]]:
    """Runs the APIs; gives the environment in which boto3 finds them."""
    server = make_server("127.0.0.1", 0, _Api(), threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, name="aws api", daemon=True)
    thread.start()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_cluster(
    cluster_id: str,
    tags: Mapping[str, str],
    addresses: Iterable[str],
    certificate: str,
    **described: Any,
) -> None:
    """An active cluster with an HSM at each address. moto makes clusters without HSMs, certificates and
    security group. ``described``: what AWS says of it instead.
    """
    backend = cloudhsmv2_backends[ACCOUNT][REGION]
    tag_list = [{"Key": name, "Value": value} for name, value in tags.items()]
    made = backend.create_cluster(None, "hsm2m.medium", None, ["subnet-0a1b2c3d"], "IPV4", tag_list, "FIPS")
    cluster = backend.clusters[cluster_id] = backend.clusters.pop(made["ClusterId"])
    cluster.cluster_id = cluster_id
    cluster.certificates["ClusterCertificate"] = certificate
    for number, address in enumerate(addresses, 1):
        place = {"AvailabilityZone": f"{REGION}{'abc'[number % 3]}", "SubnetId": f"subnet-{number:08}"}
        cluster.hsms.append(
            {
                "HsmId": f"hsm-{number:011}",
                "State": "ACTIVE",
                "EniIp": address,
                "EniId": f"eni-{number:08}",
                **place,
            }
        )
    known = cluster.to_dict
    group = {"SecurityGroup": "sg-0b1c2d3e"}
    cluster.to_dict = lambda: {**known(), **group, **described}  # type: ignore[method-assign]


def forget_clusters() -> None:
    cloudhsmv2_backends[ACCOUNT][REGION].clusters.clear()
