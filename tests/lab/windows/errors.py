# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows error numbers as the lab raises them, with the system's own sentence in the host's language."""

from __future__ import annotations

FILE_NOT_FOUND = 2
PATH_NOT_FOUND = 3
ACCESS_DENIED = 5
NOT_SAME_DEVICE = 17
SHARING_VIOLATION = 32
BAD_NETWORK_PATH = 53
FILE_EXISTS = 80
DISK_FULL = 112
INVALID_NAME = 123
DIRECTORY_NOT_EMPTY = 145
ALREADY_EXISTS = 183
DIRECTORY = 267
SERVICE_REQUEST_TIMEOUT = 1053
SERVICE_ALREADY_RUNNING = 1056
SERVICE_DISABLED = 1058
SERVICE_DOES_NOT_EXIST = 1060
SERVICE_NOT_ACTIVE = 1062
NOT_FOUND = 1168
UNABLE_TO_REMOVE_REPLACED = 1175
UNABLE_TO_MOVE_REPLACEMENT = 1176
UNABLE_TO_MOVE_REPLACEMENT_2 = 1177
NO_SUCH_LOGON_SESSION = 1312
LOGON_FAILURE = 1326
NONE_MAPPED = 1332

_ENGLISH = {
    FILE_NOT_FOUND: "The system cannot find the file specified.",
    PATH_NOT_FOUND: "The system cannot find the path specified.",
    ACCESS_DENIED: "Access is denied.",
    NOT_SAME_DEVICE: "The system cannot move the file to a different disk drive.",
    SHARING_VIOLATION: "The process cannot access the file because it is being used by another process.",
    BAD_NETWORK_PATH: "The network path was not found.",
    FILE_EXISTS: "The file exists.",
    DISK_FULL: "There is not enough space on the disk.",
    INVALID_NAME: "The filename, directory name, or volume label syntax is incorrect.",
    DIRECTORY_NOT_EMPTY: "The directory is not empty.",
    ALREADY_EXISTS: "Cannot create a file when that file already exists.",
    DIRECTORY: "The directory name is invalid.",
    SERVICE_REQUEST_TIMEOUT: "The service did not respond to the start or control request in a timely fashion.",
    SERVICE_ALREADY_RUNNING: "An instance of the service is already running.",
    SERVICE_DISABLED: "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.",
    SERVICE_DOES_NOT_EXIST: "The specified service does not exist as an installed service.",
    SERVICE_NOT_ACTIVE: "The service has not been started.",
    NOT_FOUND: "Element not found.",
    UNABLE_TO_REMOVE_REPLACED: "Unable to remove the file to be replaced.",
    UNABLE_TO_MOVE_REPLACEMENT: "Unable to move the replacement file to the file to be replaced. "
    "The file to be replaced has retained its original name.",
    UNABLE_TO_MOVE_REPLACEMENT_2: "Unable to move the replacement file to the file to be replaced. "
    "The file to be replaced has been renamed using the backup name.",
    NO_SUCH_LOGON_SESSION: "A specified logon session does not exist. It may already have been terminated.",
    LOGON_FAILURE: "The user name or password is incorrect.",
    NONE_MAPPED: "No mapping between account names and security IDs was done.",
    10060: "A connection attempt failed because the connected party did not properly respond after a period of time, "
    "or established connection failed because connected host has failed to respond.",
    10061: "No connection could be made because the target machine actively refused it.",
    11001: "No such host is known.",
}

_OTHERS = {
    "de": {
        FILE_NOT_FOUND: "Das System kann die angegebene Datei nicht finden.",
        PATH_NOT_FOUND: "Das System kann den angegebenen Pfad nicht finden.",
        ACCESS_DENIED: "Zugriff verweigert",
        SHARING_VIOLATION: "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird.",
    },
    "fr": {
        FILE_NOT_FOUND: "Le fichier sp\u00e9cifi\u00e9 est introuvable.",
        PATH_NOT_FOUND: "Le chemin d\u2019acc\u00e8s sp\u00e9cifi\u00e9 est introuvable.",
        ACCESS_DENIED: "Acc\u00e8s refus\u00e9.",
    },
    "zh": {
        FILE_NOT_FOUND: "\u7cfb\u7edf\u627e\u4e0d\u5230\u6307\u5b9a\u7684\u6587\u4ef6\u3002",
        PATH_NOT_FOUND: "\u7cfb\u7edf\u627e\u4e0d\u5230\u6307\u5b9a\u7684\u8def\u5f84\u3002",
        ACCESS_DENIED: "\u62d2\u7edd\u8bbf\u95ee\u3002",
    },
}


class LabOSError(Exception):
    """An operation that Windows refuses: ``code`` is the Win32 error number, ``path`` what it was about."""

    def __init__(self, code: int, path: str = "", message: str = "") -> None:
        self.code = code
        self.path = path
        self.message = message or sentence(code)
        super().__init__(f"{self.message} ({code}{': ' + path if path else ''})")


def sentence(code: int, language: str = "en") -> str:
    """What the system says for ``code``; English where the lab has no other text."""
    return _OTHERS.get(language, {}).get(code) or _ENGLISH.get(
        code, f"Unknown error (0x{code & 0xFFFFFFFF:x})"
    )
