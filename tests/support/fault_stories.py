# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stories of the fault matrix: what each module does, with the arguments that the roles give it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from cryptography import x509

from ansible_collections.cloudhsm.codesign.plugins.action import (
    cloudhsm_find_key_by_modulus,
    win_cert_repairstore,
    win_certificate_export,
    win_certificate_request,
    win_cloudhsm_client,
    win_cloudhsm_import_key,
    win_codesign_artifacts,
    win_codesign_certificates,
    win_codesign_info,
    win_signtool,
    win_signtool_package,
)
from lab.hsm.cluster import Cluster
from lab.windows.copies import Image
from support import fault_signing
from support.drift_world import PASSWORD, SCENES, USER, World
from support.fake_host import run_action
from support.fault_artifacts import Artifacts
from support.fault_requests import SUBJECT, Requested
from support.faults import Door, Story

WORLDS = ("ref5", "old3", "dir5", "tls5")
"""The scenes whose hosts the stories are told of"""
LATER = ("ref5", "old3")
"""Those that also tell of what is done on hosts that are set up"""
LOGIN = {"crypto_user": USER, "crypto_password": PASSWORD}

# Which task of a role stands for a module when a host is set up: the role, the task, its file.
TASKS = {
    "win_codesign_certificates": (
        win_codesign_certificates,
        "certificates",
        "Put the certificates that are missing into their stores",
        "main",
    ),
    "win_signtool_package": (win_signtool_package, "signtool", "Unpack it from its package", "install"),
    "win_cloudhsm_client": (win_cloudhsm_client, "client", "Configure the client", "repair"),
    "win_cloudhsm_import_key": (
        win_cloudhsm_import_key,
        "key_container",
        "Make or name the key container of the certificate's key pair",
        "tie",
    ),
    "win_cert_repairstore": (
        win_cert_repairstore,
        "key_container",
        "Tie the certificate to its key container",
        "tie",
    ),
}


class Stories:
    """All stories of a world whose hosts were kept at each stage."""

    def __init__(self, scene: str, world: World, images: dict[str, Image]) -> None:
        self.scene, self.world, self.images = scene, world, images

    @classmethod
    def of_world(cls, scene: str, folder: Path) -> Stories:
        """With a world of their own in a folder."""
        images: dict[str, Image] = {}
        world = World(folder, [scene], lambda stage, host: images.update({stage: Image(host)}))
        return cls(scene, world, images)

    def stop(self) -> None:
        """Ends the world."""
        self.world.stop()

    def all(self) -> Iterator[Story]:
        """Each story. Some have to be told before the next one begins."""
        yield from self._set_up(self.scene)
        if self.scene in LATER:
            yield from self._later(self.scene)

    def _story(
        self, scene: str, name: str, action: Any, arguments: Any, stage: str = "", **more: Any
    ) -> Story:
        host = self.world.host(scene)
        return Story(f"{scene} {name}", action.ActionModule, arguments, host, self.images[stage], **more)

    def _set_up(self, scene: str) -> Iterator[Story]:
        """A host is set up, module by module."""
        one, made = SCENES[scene], {}
        for stage, (action, role, task, file) in TASKS.items():
            if stage == "win_signtool_package" and scene != WORLDS[0]:
                continue  # it is the same on all kinds of hosts
            more: dict[str, Any] = {"codesign_identity_name": "lab"} if role == "key_container" else {}
            if stage == "win_cert_repairstore":
                more["codesign_key_container_made"] = {"results": [{**made, "codesign_identity_name": "lab"}]}
            arguments = self.world.arguments(one, role, task, file, **more)
            story = self._story(scene, stage, action, arguments, stage)
            if stage == "win_cloudhsm_import_key":
                story.image.lay(story.host)
                made = run_action(story.action, arguments, Door(story.host))  # type: ignore[arg-type]
                # The container is the one that the next image has: its own name is in the arguments of what ties it.
                self.images["win_cert_repairstore"] = Image(story.host)
            yield story
        yield self._look(scene, "")
        yield self._look(scene, "win_cloudhsm_client")

    def _look(self, scene: str, stage: str) -> Story:
        """The whole state is read, of a host that is done or of one that is not."""
        one, loader = SCENES[scene], DataLoader()
        arguments = self.world.arguments(one, "inspect", "Read the signing state of the host")
        values = self.world._values(loader, one, "inspect")
        name = "win_codesign_info" if not stage else "win_codesign_info, not set up"
        templar = Templar(loader, variables=values)
        return self._story(
            scene, name, win_codesign_info, arguments, stage, loader=loader, templar=templar, task_vars=values
        )

    def _later(self, scene: str) -> Iterator[Story]:
        """What is done on hosts that are set up."""
        one, fleet = SCENES[scene], self.world.fleet(SCENES[scene])
        certificate = (fleet.state / "pki" / "signing.pem").read_text("ascii")
        thumbprint = fleet.pki.issued["signing"].thumbprint
        sdk = {"client_sdk": str(one.sdk)}
        client = self.world.arguments(one, "client", "Configure the client", "repair")
        other = {
            **client,
            "hsm_addresses": list(reversed(client["hsm_addresses"]))[:1],
            "key_availability_check": False,
        }
        yield self._story(scene, "win_cloudhsm_client, one HSM left", win_cloudhsm_client, other)
        key = {"certificate_content": certificate, **sdk, **LOGIN}
        yield self._story(
            scene,
            "win_cloudhsm_import_key, force",
            win_cloudhsm_import_key,
            {**key, "force": True},
        )
        yield self._story(
            scene,
            "win_cloudhsm_import_key, absent",
            win_cloudhsm_import_key,
            {**key, "state": "absent", "force": True},
        )
        tie = {"thumbprint": thumbprint, **sdk, **LOGIN}
        yield self._story(
            scene,
            "win_cert_repairstore, search",
            win_cert_repairstore,
            {**tie, "method": "search"},
            "win_cert_repairstore",
        )
        yield self._story(
            scene, "win_cert_repairstore, absent", win_cert_repairstore, {**tie, "state": "absent"}
        )
        yield self._story(
            scene,
            "win_codesign_certificates, absent",
            win_codesign_certificates,
            {
                "state": "absent",
                "identities": self.world.arguments(one, *TASKS["win_codesign_certificates"][1:3])[
                    "identities"
                ],
            },
        )
        yield self._story(
            scene,
            "cloudhsm_find_key_by_modulus",
            cloudhsm_find_key_by_modulus,
            {"certificate_content": certificate, **LOGIN},
        )
        yield self._story(
            scene, "win_certificate_export", win_certificate_export, {"thumbprints": [thumbprint]}
        )
        proof = self.world.arguments(one, "credentials", "Prove the login before it is stored")
        yield self._story(scene, "win_codesign_info, login proven", win_codesign_info, proof)
        yield from self._requests(scene)
        yield self._artifacts(scene, thumbprint)
        yield from self._signing(scene, thumbprint)

    def _requests(self, scene: str) -> Iterator[Story]:
        """A request is made, its answer accepted, and one made with the key of the certificate that came of it."""
        host, fleet, cluster = self.world.host(scene), self.world.fleet(SCENES[scene]), self.cluster(scene)
        folder = self.world.folder / f"{scene} requests"
        folder.mkdir()
        loader = DataLoader()

        def story(name: str, stage: str, task: str, judged: Requested, **more: Any) -> Story:
            arguments = self.world.arguments(
                SCENES[scene],
                "certificate_request",
                task,
                codesign_request_subject=SUBJECT,
                codesign_request_csr=str(judged.csr),
                # A short one, as each run makes another.
                codesign_request_key_algorithm="ECDSA_P256",
                **more,
            )
            accepts = "codesign_request_certificate" in more
            return self._story(
                scene,
                f"win_certificate_request, {name}",
                win_certificate_request,
                {name: value for name, value in arguments.items() if not str(value).startswith("__omit")},
                stage,
                loader=loader,
                ready=judged.ready,
                originals=judged.whole,
                view=judged.view,
                rare=scene != WORLDS[0] or name == "same key",
                **({} if accepts else {"judge": judged.done}),
            )

        def keep(story: Story, stage: str) -> None:
            story.image.lay(story.host)
            story.ready()
            run_action(story.action, story.now() or {}, Door(host), loader=loader)  # type: ignore[arg-type]
            self.images[stage] = Image(host)

        csr, answer = folder / "next.csr", self.world.folder / f"{scene} answer.pem"
        made = "Make a key in the HSM and a request for the CA"
        first = story("made", "", made, Requested(host, csr, cluster.keys_there()))
        yield first
        keep(first, "requested")
        text = csr.read_bytes()
        issued = fleet.pki.answer(x509.load_pem_x509_csr(text))
        answer.write_text(issued.pem + fleet.pki.chain_pem(), encoding="ascii")
        there = Requested(host, csr, cluster.keys_there(), text)
        accepted = story(
            "accepted",
            "requested",
            "Accept the CA's answer",
            there,
            codesign_request_certificate=str(answer),
        )
        yield accepted
        keep(accepted, "accepted")
        yield story(
            "same key",
            "accepted",
            made,
            Requested(host, csr, cluster.keys_there(), new=False),
            codesign_request_same_key=True,
        )

    def cluster(self, scene: str) -> Cluster:
        """The HSMs of a scene's hosts."""
        found = self.world.host(scene).cluster
        assert found is not None
        return found

    def _artifacts(self, scene: str, thumbprint: str) -> Story:
        """Files of the control node are signed."""
        pki = self.world.fleet(SCENES[scene]).state.resolve() / "pki"
        signer = {
            "thumbprint": thumbprint,
            "chain": [
                {"certificate": (pki / f"{name}.pem").read_text("ascii")} for name in ("intermediate", "root")
            ],
        }
        base = self.world.arguments(
            SCENES[scene],
            "sign",
            "Sign the share of this host",
            "local_round",
            inventory_hostname=scene,
            codesign_local_plan={"shares": {scene: []}},
            codesign_sign_as=signer,
            # Nobody waits, and the moments come in one order.
            codesign_sign_timestamp_delay=0,
            codesign_sign_lock_timeout=0,
            codesign_sign_jobs=1,
        )
        files = {path.rpartition("\\")[2]: content for path, content in fault_signing.unsigned().items()}
        judged = Artifacts(
            self.world.host(scene),
            self.world.folder / f"{scene} artifacts",
            files,
            thumbprint,
            {name: value for name, value in base.items() if not str(value).startswith("__omit")},
        )
        return self._story(
            scene,
            "win_codesign_artifacts",
            win_codesign_artifacts,
            judged.arguments,
            signs=True,
            ready=judged.ready,
            settled=judged.process_is_gone,
            judge=judged.done,
            originals=judged.whole,
            beside=judged.beside,
            further=judged.further,
            apart=judged.apart,
            rare=True,
        )

    def _signing(self, scene: str, thumbprint: str) -> Iterator[Story]:
        """Files are signed, all of them or one that is left, looked at, and their signatures taken off."""
        host, files = self.world.host(scene), fault_signing.unsigned()

        def arguments(state: str, **more: Any) -> Any:
            given = self.world.arguments(
                SCENES[scene],
                "sign",
                "Have the files as they should be",
                codesign_sign_state=state,
                codesign_files=[rf"{fault_signing.FOLDER}\*"],
                codesign_sign_as={"thumbprint": thumbprint} if state != "unsigned" else {},
                # Nobody waits, and the moments come in one order.
                codesign_sign_timestamp_delay=0,
                codesign_sign_lock_timeout=0,
                codesign_sign_jobs=1,
                **more,
            )
            return {name: value for name, value in given.items() if not str(value).startswith("__omit")}

        def story(name: str, stage: str, state: str, **more: Any) -> Story:
            judged = {}
            if state == "signed":
                before = {path: host.files.read(path) for path in files}
                signed = fault_signing.Signed(
                    host, thumbprint, files, before, "codesign_sign_ledger_path" in more
                )
                judged = {
                    "signs": True,
                    "apart": signed.apart,
                    "originals": signed.whole,
                    "judge": signed.done,
                }
            return self._story(
                scene,
                f"win_signtool, {name}",
                win_signtool,
                arguments(state, **more),
                stage,
                settled=lambda: fault_signing.term_is_over(host),
                rare=scene != WORLDS[0] or name not in ("all with a ledger", "verified"),
                **judged,
            )

        def keep(stage: str) -> None:
            self.images[stage] = Image(host)

        self.images[""].lay(host)
        for path, content in files.items():
            host.files.makedirs(path.rpartition("\\")[0])
            host.files.write(path, content, by="test")
        host.files.makedirs(fault_signing.LEDGER.rpartition("\\")[0])
        host.files.write(fault_signing.LEDGER, fault_signing.EARLIER, by="test")
        keep("files")
        signing = story(
            "all with a ledger", "files", "signed", codesign_sign_ledger_path=fault_signing.LEDGER
        )
        yield signing
        signing.image.lay(host)
        run_action(signing.action, signing.arguments, Door(host))  # type: ignore[arg-type]
        keep("signed")
        yield story("verified", "signed", "verified")
        yield story("unsigned", "signed", "unsigned")
        left, *_others = files
        self.images["signed"].lay(host)
        host.files.write(left, files[left], by="test")
        keep("one left")
        yield story("one left", "one left", "signed")
