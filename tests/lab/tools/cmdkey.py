# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmdkey: lists and deletes the entries of the Credential Manager of the account that runs it.

Adding is left out: cmdkey takes the password on its command line, and nothing of the project does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..windows.errors import LabOSError

if TYPE_CHECKING:
    from ..windows.process import Process

WORDS = {
    "en": (
        "Currently stored credentials:",
        "Currently stored credentials for {}:",
        "Target: ",
        "Type: Generic",
        "User: ",
        "* NONE *",
        "CMDKEY: Credential deleted successfully.",
        "Local machine persistence",
    ),
    "de": (
        "Derzeit gespeicherte Anmeldeinformationen:",
        "Derzeit gespeicherte Anmeldeinformationen für {}:",
        "Ziel: ",
        "Typ: Generisch",
        "Benutzer: ",
        "* KEINE *",
        "CMDKEY: Die Anmeldeinformationen wurden erfolgreich gelöscht.",
        "Lokale Computerpersistenz",
    ),
    "fr": (
        "Informations d'identification actuellement stockées :",
        "Informations d'identification actuellement stockées pour {} :",
        "Cible : ",
        "Type : Générique",
        "Utilisateur : ",
        "* AUCUNE *",
        "CMDKEY : informations d'identification supprimées.",
        "Persistance de l'ordinateur local",
    ),
    "zh": (
        "当前保存的凭据:",
        "{} 的当前保存的凭据:",
        "目标: ",
        "类型: 普通",
        "用户: ",
        "* 无 *",
        "CMDKEY: 凭据已成功删除。",
        "本地机器持续时间",
    ),
}


def main(process: Process) -> int:
    """``/list``, ``/list:target`` or ``/delete:target`` (also ``/delete target``)."""
    everything, one, target_word, kind, user_word, none, deleted, persistence = WORDS[process.host.language]
    argv = process.argv
    option, colon, target = (argv[0] if argv else "").partition(":")
    if option.lower() == "/delete" and not colon and len(argv) == 2:
        target, argv = argv[1], argv[:1]
    if (
        len(argv) != 1
        or option.lower() not in ("/list", "/delete")
        or (option.lower() == "/delete" and not target)
    ):
        process.out(
            "\r\nThe command line parameters are incorrect.\r\n\r\nCMDKEY [/list[:targetname]] [/delete:targetname]\r\n"
        )
        return 1
    try:
        if option.lower() == "/delete":
            process.host.credentials.delete(process.account, process.logon, target)
            process.out(f"\r\n{deleted}\r\n")
            return 0
        found = process.host.credentials.all(process.account, process.logon)
    except LabOSError as error:
        process.out(f"\r\n{process.host.error_text(error.code)}\r\n")
        return 1
    shown = [credential for credential in found if not target or credential.target.lower() == target.lower()]
    process.out(f"\r\n{one.format(target) if target else everything}\r\n\r\n")
    for credential in shown:
        lines = (
            f"{target_word}LegacyGeneric:target={credential.target}",
            f"{kind} ",
            f"{user_word}{credential.user}",
            persistence,
        )
        process.out("".join(f"    {line}\r\n" for line in lines) + "\r\n")
    if not shown:
        process.out(f"{none}\r\n\r\n")
    return 0
