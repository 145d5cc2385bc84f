# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to the names of a folder, as the Linux kernel tells it (inotify): nothing that happens in
between is missed.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType

EVENTS = {0x40: "moved from", 0x80: "moved to", 0x100: "created", 0x200: "deleted", 0x2: "written"}
"""linux/inotify.h: IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_MODIFY."""


class Watch:
    """``with Watch(folder) as watch: ...; watch.events()``: a list of (what, name) in the order in which they
    happened.
    """

    def __init__(self, folder: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = library.inotify_init1(os.O_NONBLOCK)
        if (
            self._descriptor < 0
            or library.inotify_add_watch(self._descriptor, os.fsencode(folder), sum(EVENTS)) < 0
        ):
            raise OSError(ctypes.get_errno(), "inotify")

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def events(self) -> list[tuple[str, str]]:
        found = []
        try:
            data = os.read(self._descriptor, 1 << 20)
        except BlockingIOError:
            return []
        while data:
            _watch, mask, _cookie, length = struct.unpack_from("iIII", data)
            name = data[16 : 16 + length].split(b"\0", 1)[0].decode("utf-8")
            found += [(what, name) for bit, what in EVENTS.items() if mask & bit]
            data = data[16 + length :]
        return found
