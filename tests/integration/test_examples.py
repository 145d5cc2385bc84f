# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation's examples run as they stand, and what they return is what RETURN says, samples included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.aws_api import aws_api, forget_clusters
from support.documentation import COLLECTION, PLUGINS, documentation
from support.playbook import PlaybookRun, TaskResult
from support.returned import differences
from support.signable import missing_tools

from . import examples
from .conftest import Bench
from .examples import EXAMPLES, LINUX, Example

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

MODULES = sorted(name for name, kind in PLUGINS.items() if kind == "modules")
LOOKUP = "Keep what the lookup gives"
_LOGIN = {"crypto_user": "{{ codesign_crypto_user }}", "crypto_password": "{{ codesign_crypto_password }}"}

# A mistake for each module, so that the keys of a failure are seen as well.
MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "codesign_manifest": ("en5", {"path": "/proc/none/manifest.json", "signed": {}}),
    "codesign_plan": ("en5", {"files": ["/none/*.exe"], "hosts": ["en5"]}),
    "win_codesign_artifacts": (
        "en5",
        {
            "artifacts": [{"path": "/srv/release/dist/app.exe"}, {"path": "/srv/release/readme.txt"}],
            "thumbprint": "{{ codesign_thumbprint }}",
            "timestamp_urls": ["http://timestamp.digicert.com"],
            **_LOGIN,
        },
    ),
    "check_variables": ("en5", {"uses": ["sign"]}),
    "cloudhsm_cluster_info": ("en5", {"cluster_id": "cluster-none", "region": "eu-central-1"}),
    "cloudhsm_find_key_by_modulus": ("en5", {"modulus": "C" * 512, **_LOGIN}),
    "drift_report": ("en5", {"reports": ["none.json"]}),
    "win_cert_repairstore": ("zh5", {"thumbprint": "{{ codesign_thumbprint }}", **_LOGIN}),
    "identity_files": ("en5", {"certificates": ["nothing"], "folder": "none"}),
    "win_certificate_export": ("de5", {"source": "authority"}),
    "win_certificate_request": ("en5", {"subject": "Example Software", "csr": "requests/mistake.csr"}),
    "win_cloudhsm_client": ("en5", {"hsm_addresses": []}),
    "win_cloudhsm_import_key": (
        "fr3",
        {"thumbprint": "{{ codesign_thumbprint }}", "state": "absent", **_LOGIN},
    ),
    "win_codesign_certificates": ("en5", {"identities": [{"name": "release"}]}),
    "win_codesign_info": ("en5", {"identities": [{"name": "release"}]}),
    "win_signtool_package": ("en5", {"package": "http://127.0.0.1:1/none", "sha256": "12"}),
    "win_signtool": (
        "en5",
        {"files": [r"C:\build\gone.exe", r"C:\vendor\changed.exe", r"C:\build\app.exe"], "state": "verified"},
    ),
}


@dataclass(frozen=True)
class Shown:
    """The run of all examples and mistakes."""

    run: PlaybookRun

    def result(self, name: str) -> dict[str, Any]:
        return self.run.of(name).result

    def results(self, module: str) -> list[dict[str, Any]]:
        """What the examples of a module returned."""
        found = [
            self.run.of(name)
            for name, task in examples.documented().items()
            if f"{COLLECTION}.{module}" in task
        ]
        return [one.result for one in found if not one.failed] + self._partly(module)

    def _partly(self, module: str) -> list[dict[str, Any]]:
        """The mistake's result too, where it ends the task only after all that could be done was done: it has
        everything but the link.
        """
        documented = documentation(module, "RETURN")
        if any(key["returned"] == "success" for key in documented.values()):
            return []
        return [{name: value for name, value in self.mistake(module).result.items() if name != "link"}]

    def mistake(self, module: str) -> TaskResult:
        return self.run.of(f"A mistake for {module}")


@pytest.fixture(scope="module")
def shown(fleet: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    examples.clusters(fleet)
    extra = [
        (host, {"name": f"A mistake for {module}", f"{COLLECTION}.{module}": arguments})
        for module, (host, arguments) in MISTAKES.items()
    ]
    lookup = {
        "name": LOOKUP,
        "ansible.builtin.set_fact": {
            "lab_identities": f"{{{{ query('{COLLECTION}.identities', codesign_identities | map('combine', {{'former': []}})) }}}}"
        },
    }
    delegated = [
        (host, {**task, "delegate_to": LINUX} if "cluster_info" in str(task["name"]) else task)
        for host, task in extra
    ]
    try:
        with aws_api() as environment:
            yield Shown(
                examples.run(
                    fleet,
                    tmp_path_factory.mktemp("examples") / "play",
                    environment,
                    [*delegated, ("en5", lookup)],
                )
            )
    finally:
        forget_clusters()
        examples.restore(fleet)


def test_the_table_has_every_example_and_no_other() -> None:
    assert {example.name for example in EXAMPLES} == set(examples.documented())
    assert len(EXAMPLES) == len(examples.documented())


@pytest.mark.parametrize("plugin", PLUGINS)
def test_each_module_has_three_examples_of_its_own(plugin: str) -> None:
    tasks = documentation(plugin, "EXAMPLES")
    assert len(tasks) >= 3
    assert all(f"{COLLECTION}.{plugin}" in str(task) for task in tasks)


def test_every_made_up_value_is_in_an_example(fleet: Bench) -> None:
    values = [value for task in examples.documented().values() for value in examples.texts(task)]
    for name in examples.made_up(fleet):
        assert any(
            name in value if isinstance(name, str) and isinstance(value, str) else name == value
            for value in values
        ), name


NOT_SHOWN = (
    *("components.needs", "client.components.needs", "idle_service", "client.idle_service"),
    *("components.cluster_id", "components.retry_mode", "client.tls"),
    *("components.lookup_clusters", "client.components.lookup_clusters"),
    *(f"components.lookup_clusters.{name}" for name in ("cluster_id", "hsm_type", "customer_ca_file")),
    *(f"components.log.{name}" for name in ("type", "file", "rotation")),
    *("certificates.association", "certificates.container"),
)
"""What a host returns whose package is too old, or which has both client SDKs (test_packages.py shows it), whose client
has further options (test_client_options.py), or which a certificate leaves with its container (test_retire.py).
"""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_example_ends_as_its_name_says(shown: Shown, example: Example) -> None:
    done = shown.run.of(example.name)
    assert (done.failed, done.skipped) == (False, False), (done.msg, done.result)
    assert done.changed == example.changed, done.result
    assert not done.result.get("deprecations")


@pytest.mark.parametrize("module", MODULES)
def test_what_an_example_returns_is_documented_with_type_and_sample(shown: Shown, module: str) -> None:
    found = differences(documentation(module, "RETURN"), shown.results(module))
    found = [one for one in found if one.split(" ")[0] not in NOT_SHOWN]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", MODULES)
def test_what_a_failure_returns_is_documented(shown: Shown, module: str) -> None:
    failed = shown.mistake(module)
    assert (failed.failed, failed.changed) == (True, False), failed.result
    found = differences(documentation(module, "RETURN"), [failed.result], "failure")
    assert not found, "\n".join(found)


def test_what_the_lookup_gives_is_documented(shown: Shown) -> None:
    given = shown.result(LOOKUP)["ansible_facts"]["lab_identities"]
    found = differences(documentation("identities", "RETURN"), [{"_raw": given}])
    assert not found, "\n".join(found)
