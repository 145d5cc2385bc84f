# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certutil's last lines on a certificate say of its private key.

These are sentences, and only words tell them apart, so there is a table of the words of several languages.
Letters that a wrong code page destroys are left open in it. A sentence that is in no table is counted as
unread, and then nothing is claimed about the key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

from .text import is_end


@dataclass(frozen=True)
class Verdict:
    """``passed``/``failed``: a test with the key. ``unproven``: the provider could not compare the keys.
    ``unread``: sentences not understood.
    """

    passed: bool = False
    failed: bool = False
    missing_keyset: bool = False
    no_provider: bool = False
    not_found: bool = False
    not_exportable: bool = False
    unproven: bool = False
    unread: int = 0


_TEST = (
    r"Encryption test|Signature test|Verschl.{0,3}sselungstest|Signaturtest|[Tt]est de (?:chiffrement|signature)|[Pp]rueba de (?:cifrado|firma)"
    r"|[Tt]este de (?:criptografia|assinatura)|[Tt]est (?:di )?(?:crittografia|firma)|加密测试|签名测试|加密測試|簽章測試"
    r"|暗号化テスト|暗号化のテスト|署名テスト|암호화 테스트|서명 테스트|(?:Проверка|Тест) (?:шифрования|подписи)"
)
_PASSED = re.compile(
    rf"(?:ha(?:n)? pasado|superad[oa]s?) la (?:{_TEST})"
    rf"|(?:{_TEST})[^:]*(?:passed|durchgef.{{0,3}}hrt|bestanden|erfolgreich|r.{{0,3}}ussi|correct|superad|satisfactori|aprovad|conclu|superat|riuscit"
    r"|通过|成功|通過|合格|パス|통과|성공|пройден|успешно|выполнен)"
    r"|(?:通过|通過)(?:了)?(?:加密|签名|簽章)(?:测试|測試)|Private key verifies"
)
_FAILED = re.compile(
    rf"(?:{_TEST})[^\n]*"
    r"(?:FAILED|fehlgeschlagen|nicht bestanden|.chou|err.{0,3}neo|incorrect|fallid|falhou|reprovad|non riuscit|fallit"
    r"|失败|失敗|不合格|실패|не пройден|сбой"
    r"|не выполнен|0x[89cC][0-9a-fA-F]{7})"
)
_MISSING = re.compile(
    r"Missing stored keyset|Fehlender gespeicherter Schl.{0,3}ssel|gespeicherte.? Schl.{0,3}sselsatz fehlt"
    r"|[Jj]eu de cl.{0,3}s stock.{0,3} manquant|manque.{0,20}jeu de cl"
    r"|[Ff]alta (?:el|un) conjunto de claves|[Cc]onjunto de chaves armazenad.{1,3} ausente|[Ss]et di chiavi archiviat. mancante"
    r"|(?:缺少|丢失|遗失)(?:了)?(?:已)?(?:存储|保存)的密钥集|(?:遺失|遺漏|缺少)(?:已)?(?:儲存|存放)的金鑰組"
    r"|저장된 키 ?집합이 없|Отсутствует (?:хранимый|сохраненный) набор ключей"
    r"|格納されたキー ?セットがありません|保存されているキー ?セットがありません"
)
_NO_PROVIDER = re.compile(
    r"No key provider information|Keine Schl.{0,3}sselanbieterinformation|Keine Informationen .{0,20}Schl.{0,3}sselanbieter"
    r"|Aucune information (?:sur le|de) fournisseur de cl|Pas d.informations? (?:sur le|de) fournisseur de cl"
    r"|(?:No hay|Sin) informaci.{0,3}n (?:de|del|sobre el) proveedor de claves?"
    r"|(?:Nenhuma informa|Sem informa|N.{0,3}o h.{0,3} informa).{0,30}provedor d[ea]s? chaves?"
    r"|Nessuna informazione (?:sul|del) provider (?:di|della) chiav|没有密钥提供程序信息|无密钥提供程序信息|沒有金鑰提供者資訊"
    r"|키 공급자 정보가 없|Нет сведений о поставщике ключ"
    r"|キー ?プロバイダー(?:の)?情報(?:が|は)ありません"
)
_NOT_FOUND = re.compile(
    r"Cannot find the certificate and private key for decryption"
    r"|Das? Zertifikat und .{0,25}private.? Schl.{0,3}ssel .{0,20}Entschl.{0,3}sselung.{0,30}nicht gefunden"
    r"|Impossible de trouver le certificat et la cl|No se (?:encuentra|puede encontrar|encuentran) el certificado y la clave privada"
    r"|N.{0,3}o .{0,12}poss.{0,3}vel (?:encontrar|localizar) o certificado e a chave privada|Impossibile trovare il certificato e la chiave privata"
    r"|(?:找不到|无法找到)(?:用来|用于|用於|要)?解密(?:的)?(?:证书|憑證)(?:和|与)(?:私钥|私密金鑰)"
)
_NOT_EXPORTABLE = re.compile(
    r"Private key is (?:NOT|not) exportable|[Pp]rivate Schl.{0,3}ssel (?:ist|kann) NICHT export|Privater Schl.{0,3}ssel NICHT export"
    r"|[Ll]a cl.{0,3} priv.{0,3}e (?:n.est (?:PAS|pas)|NE PEUT PAS|ne peut pas) (?:exportable|.tre export)"
    r"|[Ll]a clave privada NO (?:es|se puede) export|A chave privada N.{0,3}O (?:.{1,3}|pode ser) export"
    r"|[Ll]a chiave privata NON .{0,14}esporta|私钥(?:不能|不可|无法)(?:被)?导出|(?:不能|无法)导出私钥|私密金鑰(?:不可|無法)匯出|無法匯出私密金鑰"
    r"|개인 키를 내보낼 수 없|Закрытый ключ НЕ[ЛЬЗЯ ]* ?(?:может быть |является )?экспорт"
    r"|秘密キーはエクスポートできません|秘密キーは?、?エクスポート(?:できません|不可)"
)
_POLICY = re.compile(
    r"NOT plain text exportable|Klartext|texte? brut|texto (?:sin formato|n.{0,3}o criptografado|sem formata)|纯文本|明文|純文字|プレーン ?テキスト|일반 텍스트"
    r"|Private key is (?:a VSM key|exportable)"
)
_LONG_REST = re.compile(r"\S.{16,}")
_UNPROVEN = re.compile(r"^ERROR: ")
# The extra tests of new versions name an algorithm or a key specification: they say nothing that the two
# tests do not say.
_EXTRA = re.compile(r"RSAES_OAEP|KeySpec ?= ?\d|\(CNG\)|^\s*UI Policy|_PROP_ID")


def read_verdict(lines: Sequence[str]) -> Verdict:
    """What the sentences among ``lines`` say. Lines of the form ``label: value`` and ``label = value`` are no
    sentences.
    """
    passed = failed = missing = no_provider = not_found = not_exportable = unproven = False
    unread = 0
    for raw in lines:
        line = raw.strip()
        if not line or is_end(line):
            continue
        known = True
        if _EXTRA.search(line) and not _PASSED.search(line):
            continue
        if _FAILED.search(line):
            failed = True
        elif _PASSED.search(line):
            passed = True
        elif _MISSING.search(line):
            missing = True
        elif _NO_PROVIDER.search(line):
            no_provider = True
        elif _NOT_FOUND.search(line):
            not_found = True
        elif _POLICY.search(line):
            pass
        elif _NOT_EXPORTABLE.search(line):
            not_exportable = True
            # What stands behind it, where a line break is lost, is another sentence.
            known = not _LONG_REST.search(_NOT_EXPORTABLE.split(line)[-1] or "")
        elif _UNPROVEN.match(line):
            unproven = True
        else:
            known = False
        if not known and not re.search(r"[:=]\s|:$|^[-=*.\"' ]+$|--|^\s*[0-9a-f]{4}  ", line):
            unread += 1
    return Verdict(passed, failed, missing, no_provider, not_found, not_exportable, unproven, unread)
