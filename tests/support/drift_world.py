# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the drift matrix: simulated ones in this process, of every kind that the roles set up.

A scene is a kind of host with the variables that its user would set. It is set up once, by the modules with the arguments
that the roles give them (their own templates are filled in here), and copied for each cell of the matrix.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cloudhsm.codesign.plugins.action import (
    win_cert_repairstore,
    win_cloudhsm_client,
    win_cloudhsm_import_key,
    win_codesign_certificates,
    win_codesign_info,
    win_signtool_package,
)
from ansible_collections.cloudhsm.codesign.plugins.lookup.control_file import LookupModule as ControlFile
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._role_defaults import Values
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._role_variables import Reader, client_options
from lab.control.fleet import Description, Fleet, HostDescription
from lab.windows import packages
from lab.windows.copies import lay_over
from lab.windows.credentials import Credential
from lab.windows.host import Host
from lab.windows.services import Service
from lab.windows.steps import StepRunner
from support.fake_host import run_action
from support.playbook import ROOT

Raw = dict[str, Any]
ROLES = ROOT / "roles"
USER, PASSWORD = "codesigner", "Cu-matrix-9f3a"
READER, OTHER = "builder", "visitor"
"""Users of every host: one that may read the key, and one that nobody asked for."""
FURTHER, GONE = "cluster-lab2mhsm2cd", "cluster-aaaabbbbccc"
"""The lab's second cluster, and one that nobody has any more"""
LOGS = r"C:\ProgramData\Amazon\CloudHSM\log"
LIKED = {
    "codesign_client_retry_mode": "standard",
    "codesign_client_log_type": "file",
    "codesign_client_log_folder": LOGS,
    "codesign_client_log_level": "warn",
    "codesign_client_log_rotation": "daily",
}
SIGNTOOL = {"codesign_signtool_minimum_version": "10.0.26100.0"}


@dataclass(frozen=True)
class Scene:
    """``identity`` is added to the lab's own one, ``variables`` to those of its inventory."""

    name: str
    what: str
    sdk: int = 5
    language: str = "en"
    identity: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    newer_hsm: bool = False
    """Whether its cluster is of type hsm2m and asks for a certificate of the client."""
    verifies: bool = False
    further: bool = False
    """Whether its client knows a further cluster, and is to know no other one that it knew; the host may ask AWS"""
    idle: str = ""
    """How the service of Client SDK 3 starts that lies beside Client SDK 5; "" where there is none."""


PUBLISHER = {"publisher": True, "friendly_name": "Release", "readers": [READER]}
SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            "ref5",
            "Client SDK 5, keys by reference files",
            identity={**PUBLISHER, "key_spec": 2, "provider_type": 0, "machine_keys": True, "renewed": True},
            variables={
                **LIKED,
                **SIGNTOOL,
                "codesign_certificates_former": "absent",
                "codesign_client_idle_service": "disabled",
            },
            idle="Disabled",
        ),
        Scene("old3", "Client SDK 3", sdk=3, language="de", identity=PUBLISHER, variables=SIGNTOOL),
        Scene(
            "dir5",
            "Client SDK 5, keys opened directly",
            language="fr",
            variables={**SIGNTOOL, "codesign_key_access": "direct"},
            idle="Manual",
        ),
        Scene(
            "tls5",
            "Client SDK 5 and HSMs that ask for a certificate of the client",
            identity={"readers": [READER]},
            variables=SIGNTOOL,
            newer_hsm=True,
        ),
        Scene("ver5", "hosts that only verify", language="zh", variables=SIGNTOOL, verifies=True),
        Scene(
            "mor5",
            "Client SDK 5 that knows a further cluster for look-ups",
            variables=SIGNTOOL,
            further=True,
        ),
        Scene(
            "own5",
            "a certificate in the account's own store",
            variables={**SIGNTOOL, "codesign_store_location": "CurrentUser"},
        ),
        Scene(
            "acc5",
            "accounts that sign with a stored login",
            identity={"readers": [READER]},
            variables={
                **SIGNTOOL,
                "codesign_credentials_accounts": [{"name": READER, "password": "Reader-1"}],
            },
        ),
    )
}


class LabHost:
    """What stands for win_powershell in an action: the lab's host, in this process."""

    def __init__(self, host: Host, account: str = "Administrator") -> None:
        self.host, self.account = host, host.accounts.full_name(account)
        self.calls = 0

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> Raw:
        """The module's answer, as ``ActionBase._execute_module`` gives it."""
        assert module_name == "ansible.windows.win_powershell"
        given = module_args.get("sensitive_parameters") or [{"value": "{}"}]
        parameters = module_args["parameters"]
        runner = StepRunner(
            self.host,
            self.account,
            "network",
            self.host.environment_of(self.account),
            json.loads(given[0]["value"]),
            json.loads(parameters["Trust"]),
        )
        self.calls += 1
        return {"changed": False, "result": runner.answer(json.loads(parameters["Steps"]))}


class World:
    """Two fleets in one folder, one for each type of HSM, with a host of each scene that is set up, named as the scene.

    ``at_stage`` is called before each of the tasks that set a host up, with the module's name, and with "" at the end.
    """

    def __init__(
        self,
        folder: Path,
        scenes: Iterable[str] = SCENES,
        at_stage: Callable[[str, Host], None] | None = None,
    ) -> None:
        self._at_stage = at_stage or (lambda stage, host: None)
        scenes = tuple(scenes)
        shared = {"crypto_user": USER, "crypto_password": PASSWORD, "certificates": "all"}
        self.fleets = {
            newer: Fleet.start(
                Description(
                    (),
                    hsm_type="hsm2m" if newer else "hsm1",
                    mutual_tls=newer,
                    other=not newer and any(SCENES[name].further for name in scenes),
                    noise=False,
                    **shared,
                ),
                folder / ("newer" if newer else "older"),
            )
            for newer in (False, True)
        }
        self.folder = folder
        self.scenes: dict[str, Scene] = {}
        self._asked: dict[str, tuple[Raw, Raw]] = {}
        for name in scenes:
            self._set_up(SCENES[name], self.add(name, SCENES[name]))

    def stop(self) -> None:
        """Ends both fleets."""
        for fleet in self.fleets.values():
            fleet.stop()

    def fleet(self, scene: Scene) -> Fleet:
        """The fleet that the scene's hosts belong to."""
        return self.fleets[scene.newer_hsm]

    def add(self, name: str, scene: Scene) -> Host:
        """A bare host."""
        users = ((READER, "Reader-1"), (OTHER, "Visitor-1"))
        self.scenes[name] = scene
        return self.fleet(scene).add(
            HostDescription(
                name, scene.language, client_sdk=scene.sdk, users=users, instance_role=scene.further
            )
        )

    def copy(self, name: str, scene: Scene) -> Host:
        """A host that is set up, as the scene's own one."""
        host = self.add(name, scene)
        lay_over(self.host(scene.name), host)
        return host

    def again(self, name: str) -> Host:
        """A host as its scene's own one is, whatever was done to it; one that there is not is made."""
        if name not in self.scenes:
            raise KeyError(name)
        host = self.host(name)
        lay_over(self.host(self.scenes[name].name), host)
        return host

    def host(self, name: str) -> Host:
        """A host by its name."""
        return self.fleet(self.scenes[name]).members[name].host

    # What a user would set
    # ---------------------------------------------------------------------------------------------

    def variables(self, scene: Scene) -> dict[str, Any]:
        """The variables of a scene's hosts, without how they are reached."""
        fleet = self.fleet(scene)
        data = fleet.inventory()["all"]["children"]["windows"]
        pki = fleet.state.resolve() / "pki"
        given = {key: value for key, value in data["vars"].items() if key.startswith("codesign_")}
        given["codesign_client_sdk"] = str(scene.sdk)
        given["codesign_client_packages"] = fleet.package_variable(scene.sdk)
        (identity,) = given["codesign_identities"]
        added = dict(scene.identity)
        if added.pop("publisher", False):
            identity["chain"] = [
                *identity["chain"],
                {"certificate": str(pki / "signing.pem"), "store": "TrustedPublisher"},
            ]
        if added.pop("renewed", False):
            identity["former"] = [fleet.pki.issued["signing-renewed"].thumbprint]
        identity.update(added)
        if scene.verifies:
            identity.pop("certificate")
        if scene.newer_hsm:
            given["codesign_client_tls_certificate"] = str(pki / "ssl-client.pem")
            given["codesign_client_tls_key"] = str(pki / "ssl-client.key")
        if scene.further:
            assert fleet.other is not None
            given["codesign_cluster_id"] = fleet.cluster.cluster_id
            given["codesign_client_lookup_clusters"] = [
                {
                    "cluster_id": fleet.other.cluster_id,
                    "region": "eu-central-1",
                    "hsm_type": "hsm2m",
                    "customer_ca": str(pki / "otherCA.crt"),
                },
                {"cluster_id": GONE, "state": "absent"},
            ]
        return {**given, **scene.variables}

    def inventory(self) -> Path:
        """An inventory of all hosts, in the folder."""
        hosts: dict[str, Any] = {}
        for name, scene in self.scenes.items():
            data = self.fleet(scene).inventory()["all"]["children"]["windows"]
            reach = {
                key: value
                for key, value in {**data["vars"], **data["hosts"][name]}.items()
                if key.startswith("ansible_")
            }
            hosts[name] = reach
        groups: dict[str, Any] = {"windows": {"hosts": hosts}, "codesign": {"children": {"windows": {}}}}
        for scene in SCENES.values():
            members = {name: {} for name, one in self.scenes.items() if one is scene}
            groups[f"scene_{scene.name}"] = {"hosts": members, "vars": self.variables(scene)}
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"children": groups}}, sort_keys=False), encoding="utf-8")
        return path

    def secrets(self) -> Path:
        """What belongs into a vault."""
        path = self.folder / "secrets.yml"
        path.write_text(
            yaml.safe_dump({"codesign_crypto_user": USER, "codesign_crypto_password": PASSWORD}),
            encoding="utf-8",
        )
        return path

    # The modules, as the roles call them
    # ---------------------------------------------------------------------------------------------

    def arguments(self, scene: Scene, role: str, task: str, /, file: str = "main", **more: Any) -> Raw:
        """What a role's task gives its module, on a host of the scene."""
        loader = DataLoader()
        values = {**self._values(loader, scene, role), **more}
        found = [
            one
            for one in _tasks(
                loader.load_from_file(str(ROLES / role / "tasks" / f"{file}.yml"), trusted_as_template=True)
            )
            if one.get("name") == task
        ]
        (one,) = found
        values.update({name: value for name, value in (one.get("vars") or {}).items() if name not in more})
        ((_module, arguments),) = [
            (key, value) for key, value in one.items() if key.startswith("cloudhsm.codesign.")
        ]
        templar = Templar(loader, variables=values)
        if role == "client":
            # In place of of_roles, what it stands for: whoever asks may want to change some of it.
            files = ControlFile(loader=loader, templar=templar)
            read = Values(values, templar.template).read
            return client_options(Reader(read, lambda name: files.content(name, values), list))
        return dict(templar.template(arguments))

    def _values(self, loader: DataLoader, scene: Scene, role: str) -> Raw:
        """What a role sees of variables on a host of the scene, not templated."""
        values: Raw = {}
        for name in ("common", role):
            for folder in ("defaults", "vars"):
                path = ROLES / name / folder / "main.yml"
                if path.exists():
                    values.update(loader.load_from_file(str(path), trusted_as_template=True))
        login = {"codesign_crypto_user": USER, "codesign_crypto_password": PASSWORD}
        return {**values, **self.variables(scene), **login}

    def look(self, name: str) -> Raw:
        """What win_codesign_info says of a host, asked as the role inspect asks."""
        scene = self.scenes[name]
        loader = DataLoader()
        if scene.name not in self._asked:
            asked = self.arguments(scene, "inspect", "Read the signing state of the host")
            self._asked[scene.name] = (asked, self._values(loader, scene, "inspect"))
        arguments, values = self._asked[scene.name]
        return run_action(
            win_codesign_info.ActionModule,
            arguments,
            LabHost(self.host(name)),
            task_vars=values,
            loader=loader,
            templar=Templar(loader, variables=values),
        )

    def _set_up(self, scene: Scene, host: Host) -> None:
        door = LabHost(host)

        def do(module: Any, role: str, task: str, file: str = "main", **more: Any) -> Raw:
            self._at_stage(module.__name__.rpartition(".")[2], host)
            result = run_action(module.ActionModule, self.arguments(scene, role, task, file, **more), door)
            assert not result.get("failed"), (scene.name, task, result.get("msg"))
            return result

        do(
            win_codesign_certificates,
            "certificates",
            "Put the certificates that are missing into their stores",
        )
        do(win_signtool_package, "signtool", "Unpack it from its package", "install")
        if scene.verifies:
            self._at_stage("", host)
            return
        for package in packages.for_sdk(scene.sdk):
            package.install(host)
        if scene.idle:
            host.services.create(Service("AWSCloudHSMClient", "AWS CloudHSM Client", start_type=scene.idle))
        do(win_cloudhsm_client, "client", "Configure the client", "repair")
        if scene.variables.get("codesign_credentials_accounts"):
            login = Credential("CLOUDHSM_PIN", user=USER, secret=PASSWORD.encode("utf-16-le"))
            host.credentials.write(READER, "interactive", login)
        named = {"codesign_identity_name": "lab"}
        made = do(
            win_cloudhsm_import_key,
            "key_container",
            "Make or name the key container of the certificate's key pair",
            "tie",
            **named,
        )
        results = {"results": [{**made, **named}]}
        do(
            win_cert_repairstore,
            "key_container",
            "Tie the certificate to its key container",
            "tie",
            codesign_key_container_made=results,
            **named,
        )
        self._at_stage("", host)


def _tasks(data: list[Raw]) -> list[Raw]:
    found = []
    for one in data:
        found.append(one)
        for part in ("block", "rescue", "always"):
            found += _tasks(one.get(part) or [])
    return found
