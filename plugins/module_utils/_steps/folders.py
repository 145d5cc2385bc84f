# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder: what is in it, who may do what with it, and working folders of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping, Tuple

from .._results import (
    AccessResult,
    Done,
    FolderContents,
    FolderFile,
    FolderResult,
    FoldersResult,
    FoundFolder,
    RemoveResult,
    Result,
    StepError,
    TreeResult,
)
from .base import Step
from .raw import decoded, entries, text_or_failure


@dataclass(frozen=True)
class ListFolder(Step):
    """The files of a folder, without its sub-folders. ``pattern`` as Windows takes it: look at the names
    again.
    """

    op: ClassVar[str] = "list"
    path: str
    pattern: str = "*"
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        files = tuple(
            FolderFile(str(item["name"]), int(item["size"]), str(item["modified"]))
            for item in entries(raw, "files")
        )
        return FolderResult(bool(raw.get("exists")), files)


@dataclass(frozen=True)
class ListFolders(Step):
    """The folders in a folder, each with its age in seconds (since something in it came or went, by the host's own
    clock), and its owner and access list.
    """

    op: ClassVar[str] = "folders"
    path: str
    pattern: str = "*"

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        found = (
            FoundFolder(str(item["name"]), int(item["age"]), text_or_failure(item, "sddl"))
            for item in entries(raw, "folders")
        )
        account = str(raw.get("account") or "")
        return FoldersResult(bool(raw.get("exists")), tuple(found), account)


@dataclass(frozen=True)
class FindFolders(Step):
    """The folders at and below ``path`` that hold a file which ``pattern`` finds, as Windows takes it. Links to other
    folders are not followed. More than ``limit`` folders to look into are a failure.
    """

    op: ClassVar[str] = "tree"
    path: str
    pattern: str = "*"
    limit: int = 20_000

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern, "limit": self.limit}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        folders, unread = (tuple(str(name) for name in entries(raw, key)) for key in ("folders", "unread"))
        return TreeResult(bool(raw.get("exists")), folders, unread)


@dataclass(frozen=True)
class ReadFolder(Step):
    """The bytes of all files that ``pattern`` finds in a folder. Environment variables (%APPDATA%) in
    ``path`` are those of the account that the host runs the steps as.
    """

    op: ClassVar[str] = "read_folder"
    path: str
    pattern: str = "*"
    limit: int = 1_000_000

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern, "limit": self.limit}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return FolderContents(
            bool(raw.get("exists")),
            {str(item["name"]): decoded(item, "base64") for item in entries(raw, "files")},
        )


@dataclass(frozen=True)
class ReadAccess(Step):
    """The access rights of all files that ``pattern`` finds in a folder, and the SIDs of ``accounts``."""

    op: ClassVar[str] = "access"
    path: str
    accounts: Tuple[str, ...] = ()
    pattern: str = "*"

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern, "accounts": list(self.accounts)}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        files = {str(item["name"]): text_or_failure(item, "sddl") for item in entries(raw, "files")}
        sids = [text_or_failure(item, "sid") for item in entries(raw, "sids")]
        if len(sids) != len(self.accounts):
            raise StepError(f"{len(self.accounts)} accounts were asked for, {len(sids)} came back")
        return AccessResult(bool(raw.get("exists")), files, dict(zip(self.accounts, sids)))


@dataclass(frozen=True)
class Scratch(Step):
    """Makes a folder that administrators, the system and the account that runs the steps may use, and nobody
    else, for the files of the steps that come after it. A failure where there is something of that name.
    ``temporary`` as in WriteFile, where a later call removes it too.
    """

    op: ClassVar[str] = "scratch"
    writes: ClassVar[bool] = True
    path: str
    temporary: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return Done()


@dataclass(frozen=True)
class RemoveScratch(Step):
    """Removes the folder that Scratch made, with all that is in it."""

    op: ClassVar[str] = "remove_scratch"
    writes: ClassVar[bool] = True
    path: str
    temporary: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return RemoveResult(bool(raw.get("existed")))
