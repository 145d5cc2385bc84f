# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of a Windows host, as data (what comes back: _results.py).

A step is one thing that ``run_steps.ps1`` does on the host. ``to_json`` gives the form that the script reads,
``read`` turns the script's raw answer into a typed result. Nothing here runs anything: what implements ``Transport``
does. Everything is imported from here.

Each subject has a room: files.py (one file), folders.py, parts.py (a file in several calls), programs.py, packages.py (a
program that is unpacked), registry.py, certificates.py (the stores), services.py, network.py, journals.py (folders of ours
and what is done under their journals). A new step goes into the room of what it asks for, beside the readers that nobody
else needs. base.py is what all steps share, raw.py reads the fields of any answer, answer.py is the whole call, and
effects.py says what of it changes the host: look there when a new step writes.
"""

from __future__ import annotations

from .answer import Answer, HostFacts, Transport, read_answer, to_json
from .base import Step
from .certificates import RECORDED, AddCertificate, RemoveCertificate
from .effects import ABNORMAL, changes_host, has_changed, went_well
from .files import AppendFile, CopyFile, Digest, MoveFile, ReadFile, RemoveFile, WriteFile, WriteSecret
from .folders import FindFolders, ListFolder, ListFolders, ReadAccess, ReadFolder, RemoveScratch, Scratch
from .journals import Journaled, JournalLine, Place, ReadJournal, VerifiedCopy
from .network import Connect
from .packages import Program, Unpack
from .parts import GetPart, PutPart, pack
from .programs import DEFAULT_TIMEOUT, Each, Run, Together, Version, quote
from .registry import ReadRegistry, ReadRegistryChildren
from .services import Service

__all__ = [
    "ABNORMAL",
    "DEFAULT_TIMEOUT",
    "RECORDED",
    "AddCertificate",
    "Answer",
    "AppendFile",
    "Connect",
    "CopyFile",
    "Digest",
    "Each",
    "FindFolders",
    "GetPart",
    "HostFacts",
    "JournalLine",
    "Journaled",
    "ListFolder",
    "ListFolders",
    "MoveFile",
    "Place",
    "Program",
    "PutPart",
    "ReadAccess",
    "ReadFile",
    "ReadFolder",
    "ReadJournal",
    "ReadRegistry",
    "ReadRegistryChildren",
    "RemoveCertificate",
    "RemoveFile",
    "RemoveScratch",
    "Run",
    "Scratch",
    "Service",
    "Step",
    "Together",
    "Transport",
    "Unpack",
    "VerifiedCopy",
    "Version",
    "WriteFile",
    "WriteSecret",
    "changes_host",
    "has_changed",
    "pack",
    "quote",
    "read_answer",
    "to_json",
    "went_well",
]
