# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the control node that the fault matrix has signed on a host: what a run is asked for, as codesign_plan shares it out,
and what is wrong with the files and with what is written down of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.cloudhsm.codesign.plugins.action import codesign_plan
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import manifest
from lab.windows.host import Host
from support.fake_host import run_action
from support.fault_signing import not_signed

_OURS = re.compile(r"(codesign-[0-9a-f]{8}-)[0-9]+(-[0-9a-f]{16})")
NOBODY = 4_194_305
"""A number that Linux gives no process"""
LATER = "later.exe"
"""What is to be signed next where all else is: a host is not asked before there is something for it."""


@dataclass(frozen=True)
class Artifacts:
    """``folder``: where the files lie and are to be signed; ``originals``: their bytes by their names; ``signer``: the
    thumbprint of the certificate; ``base``: the module's arguments but for the files.
    """

    host: Host
    folder: Path
    originals: Mapping[str, bytes]
    signer: str
    base: Mapping[str, Any]

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def apart(self) -> frozenset[str]:
        """What no two runs have in common."""
        names = (*self.originals, Path(manifest.record_of(str(self.manifest))).name)
        return frozenset(f"control {name}" for name in names)

    def ready(self) -> None:
        """The files are unsigned, and nothing else is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for name, content in self.originals.items():
            (self.folder / name).write_bytes(content)

    def beside(self) -> Mapping[str, str]:
        """What lies there, by its place in a state."""
        return {
            f"control {path.name}": hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            for path in self.folder.iterdir()
            if path.name != LATER
        }

    def further(self) -> int:
        """How many files came later."""
        return int((self.folder / LATER).exists())

    def arguments(self) -> Mapping[str, Any]:
        """What the next run asks of this host."""
        plan = self._plan()
        if not plan["shares"]:
            name = next((one for one in self.originals if one.endswith(".exe")), None)
            assert name
            (self.folder / LATER).write_bytes(self.originals[name] + bytes(8))
            plan = self._plan()
        return {**self.base, "artifacts": plan["shares"][self.host.name], "record": plan["record"]}

    def _plan(self) -> Mapping[str, Any]:
        plan = run_action(
            codesign_plan.ActionModule,
            {
                "files": [str(self.folder / "*.*")],
                "manifest": str(self.manifest),
                "wanted": self.base["wanted"],
                "hosts": [self.host.name],
            },
            None,  # type: ignore[arg-type] - it asks no host
        )
        assert not plan.get("failed"), plan
        return plan

    def process_is_gone(self) -> None:
        """The next run is another process's: it knows that nobody works with what this one has left."""
        places = [self.folder, Path(self.host.files.real_path("C:\\Windows\\Temp"))]
        for path in [one for place in places for one in place.iterdir()]:
            name = _OURS.sub(rf"\g<1>{NOBODY}\g<2>", path.name)
            if name != path.name:
                os.rename(path, path.with_name(name))

    def whole(self) -> list[str]:
        """What is wrong with the files after a run that has ended in whatever way: each is what it was, or signed."""
        wrong = []
        for name, content in self.originals.items():
            path = self.folder / name
            if not path.is_file():
                wrong.append(f"{name} is gone")
            elif path.read_bytes() != content and (text := not_signed(path, content, self.signer)):
                wrong.append(f"{name} is neither what it was nor signed: {text}")
        return wrong

    def done(self) -> list[str]:
        """What is wrong once a run has done its work: all are signed, and each as it is stands in the record."""
        wrong = [
            f"{name}: {text}"
            for name, content in self.originals.items()
            if (text := not_signed(self.folder / name, content, self.signer))
        ]
        record = Path(manifest.record_of(str(self.manifest)))
        lines = record.read_text("ascii").splitlines() if record.exists() else []
        for name in self.originals:
            digest = hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
            if sum(digest in line for line in lines) != 1:
                wrong.append(f"{name} as it is does not stand in the record once")
        return wrong
