# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certutil says, in the languages of the lab's hosts.

The words follow the grammar of public outputs; sentences that no source shows in a language are the lab's own
wording.
"""

from __future__ import annotations

import datetime

HRESULTS: dict[int, tuple[str, str]] = {
    0x80070002: ("ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."),
    0x80070005: ("ERROR_ACCESS_DENIED", "Access is denied."),
    0x80070050: ("ERROR_FILE_EXISTS", "The file exists."),
    0x80070057: ("ERROR_INVALID_PARAMETER", "The parameter is incorrect."),
    0x80070103: ("ERROR_NO_MORE_ITEMS", "No more data is available."),
    0x800706BA: ("RPC_S_SERVER_UNAVAILABLE", "The RPC server is unavailable."),
    0x800B010A: (
        "CERT_E_CHAINING",
        "A certificate chain could not be built to a trusted root authority.",
    ),
    0x800702E4: ("ERROR_ELEVATION_REQUIRED", "The requested operation requires elevation."),
    0x80090010: ("NTE_PERM", "Access denied."),
    0x80090011: ("NTE_NOT_FOUND", "Object was not found."),
    0x80090016: ("NTE_BAD_KEYSET", "Keyset does not exist"),
    0x80090019: ("NTE_KEYSET_NOT_DEF", "The keyset is not defined."),
    0x80090020: ("NTE_FAIL", "An internal error occurred."),
    0x8009002D: ("NTE_INTERNAL_ERROR", "An internal error occurred."),
    0x80090030: (
        "NTE_DEVICE_NOT_READY",
        "The device that is required by this cryptographic provider is not ready for use.",
    ),
    0x8009310B: ("CRYPT_E_ASN1_BADTAG", "ASN1 bad tag value met."),
    0xE0000100: ("ERROR_EXPECTED_SECTION_NAME", "The INF file is missing a section name."),
}

TITLES: dict[str, dict[str, str]] = {
    "my": {"en": "Personal", "de": "Eigene Zertifikate", "fr": "Personnel", "zh": "个人"},
    "root": {
        "en": "Trusted Root Certification Authorities",
        "de": "Vertrauenswürdige Stammzertifizierungsstellen",
        "fr": "Autorités de certification racines de confiance",
        "zh": "受信任的根证书颁发机构",
    },
    "ca": {
        "en": "Intermediate Certification Authorities",
        "de": "Zwischenzertifizierungsstellen",
        "fr": "Autorités intermédiaires",
        "zh": "中间证书颁发机构",
    },
    "trustedpublisher": {
        "en": "Trusted Publishers",
        "de": "Vertrauenswürdige Herausgeber",
        "fr": "Éditeurs approuvés",
        "zh": "受信任的发布者",
    },
}

NBSP = "\u00a0"

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "certificate": "Certificate",
        "serial": "Serial Number: ",
        "issuer": "Issuer: ",
        "not_before": " NotBefore: ",
        "not_after": " NotAfter: ",
        "subject": "Subject: ",
        "archived": "Archived!",
        "root": "Signature matches Public Key\r\nRoot Certificate: Subject matches Issuer",
        "self_signed": "Signature matches Public Key",
        "non_root": "Non-root Certificate",
        "hash": "Cert Hash",
        "colon": ": ",
        "container": "Key Container = ",
        "provider": "Provider = ",
        "no_info": "No key provider information",
        "no_key": "Cannot find the certificate and private key for decryption.",
        "missing": "Missing stored keyset",
        "not_exportable": "Private key is NOT exportable",
        "passed": "Encryption test passed",
        "test_failed": "Encryption test FAILED",
        "mismatch": "ERROR: Certificate public key does NOT match private key",
        "added": 'Certificate "{}" added to store.',
        "present": 'Certificate "{}" already in store.',
        "deleted": "Deleting Certificate {}",
        "input": "Input Length = {}",
        "output": "Output Length = {}",
        "provider_name": "Provider Name: ",
        "csp_type": "Provider Type: ",
        "key_public": "Container Public Key:",
        "length": "Length: ",
        "done": "CertUtil: -{verb} command completed successfully.",
        "failed": "CertUtil: -{verb} command FAILED: {code}",
    },
    "de": {
        "certificate": "Zertifikat",
        "serial": "Seriennummer: ",
        "issuer": "Aussteller: ",
        "not_before": " Nicht vor: ",
        "not_after": " Nicht nach: ",
        "subject": "Antragsteller: ",
        "archived": "Archiviert!",
        "root": "Signatur stimmt mit dem öffentlichen Schlüssel überein.\r\nStammzertifikat: Antragsteller stimmt mit Aussteller überein",
        "self_signed": "Signatur stimmt mit dem öffentlichen Schlüssel überein.",
        "non_root": "Kein Stammzertifikat",
        "hash": "Zertifikathash",
        "colon": ": ",
        "container": "Schlüsselcontainer = ",
        "provider": "Anbieter = ",
        "no_info": "Keine Schlüsselanbieterinformationen",
        "no_key": "Das Zertifikat und der private Schlüssel für die Entschlüsselung wurden nicht gefunden.",
        "missing": "Gespeicherter Schlüsselsatz fehlt",
        "not_exportable": "Privater Schlüssel ist NICHT exportierbar.",
        "passed": "Verschlüsselungstest wurde durchgeführt",
        "test_failed": "Verschlüsselungstest FEHLGESCHLAGEN",
        "mismatch": "FEHLER: Der öffentliche Schlüssel des Zertifikats stimmt NICHT mit dem privaten Schlüssel überein",
        "added": 'Zertifikat "{}" wurde dem Speicher hinzugefügt.',
        "present": 'Zertifikat "{}" ist bereits im Speicher.',
        "deleted": "Zertifikat {} wird gelöscht",
        "input": "Eingabelänge = {}",
        "output": "Ausgabelänge = {}",
        "provider_name": "Anbietername: ",
        "csp_type": "Anbietertyp: ",
        "key_public": "Öffentlicher Schlüssel des Containers:",
        "length": "Länge: ",
        "done": "CertUtil: -{verb}-Befehl wurde erfolgreich ausgeführt.",
        "failed": "CertUtil: -{verb}-Befehl ist fehlgeschlagen: {code}",
    },
    "fr": {
        "certificate": "Certificat",
        "serial": f"Numéro de série{NBSP}: ",
        "issuer": "Émetteur: ",
        "not_before": f" NotBefore{NBSP}: ",
        "not_after": f" NotAfter{NBSP}: ",
        "subject": "Objet: ",
        "archived": "Archivé!",
        "root": "La signature correspond à la clé publique\r\nCertificat racine: l'objet correspond à l'émetteur",
        "self_signed": "La signature correspond à la clé publique",
        "non_root": "Il ne s'agit pas d'un certificat racine",
        "hash": "Hach. cert. ",
        "colon": f"{NBSP}: ",
        "container": f"Conteneur de clé{NBSP}= ",
        "provider": "Fournisseur = ",
        "no_info": "Aucune information sur le fournisseur de clé",
        "no_key": "Impossible de trouver le certificat et la clé privée pour le déchiffrement.",
        "missing": "Jeu de clés stocké manquant",
        "not_exportable": "La clé privée N'EST PAS exportable",
        "passed": "Test de chiffrement réussi",
        "test_failed": "ÉCHEC du test de chiffrement",
        "mismatch": "ERREUR: la clé publique du certificat NE correspond PAS à la clé privée",
        "added": 'Certificat "{}" ajouté au magasin.',
        "present": 'Le certificat "{}" existe déjà dans le magasin.',
        "deleted": "Suppression du certificat {}",
        "input": "Longueur d'entrée = {}",
        "output": "Longueur de sortie = {}",
        "provider_name": f"Nom du fournisseur{NBSP}: ",
        "csp_type": f"Type de fournisseur{NBSP}: ",
        "key_public": f"Clé publique du conteneur{NBSP}:",
        "length": f"Longueur{NBSP}: ",
        "done": "CertUtil: -{verb} La commande s'est terminée correctement.",
        "failed": f"CertUtil: -{{verb}} ÉCHEC de la commande{NBSP}: {{code}}",
    },
    "zh": {
        "certificate": "证书",
        "serial": "序列号: ",
        "issuer": "颁发者: ",
        "not_before": " NotBefore: ",
        "not_after": " NotAfter: ",
        "subject": "使用者: ",
        "archived": "已存档!",
        "root": "签名与公钥匹配\r\n根证书: 使用者与颁发者匹配",
        "self_signed": "签名与公钥匹配",
        "non_root": "非根证书",
        "hash": "证书哈希",
        "colon": ": ",
        "container": "密钥容器 = ",
        "provider": "提供程序 = ",
        "no_info": "没有密钥提供程序信息",
        "no_key": "找不到用来解密的证书和私钥。",
        "missing": "缺少存储的密钥集",
        "not_exportable": "私钥不能导出",
        "passed": "加密测试通过",
        "test_failed": "加密测试失败",
        "mismatch": "错误: 证书公钥与私钥不匹配",
        "added": '证书 "{}" 添加到存储。',
        "present": '证书 "{}" 已经在存储中。',
        "deleted": "删除证书 {}",
        "input": "输入长度 = {}",
        "output": "输出长度 = {}",
        "provider_name": "提供程序名称: ",
        "csp_type": "提供程序类型: ",
        "key_public": "容器公钥:",
        "length": "长度: ",
        "done": "CertUtil: -{verb} 命令成功完成。",
        "failed": "CertUtil: -{verb} 失败: {code}",
    },
}


def date(moment: datetime.datetime, language: str) -> str:
    """Short date and time of the language's usual locale; the lab's hosts keep UTC."""
    if language == "de":
        return f"{moment:%d.%m.%Y %H:%M}"
    if language == "fr":
        return f"{moment:%d/%m/%Y %H:%M}"
    if language == "zh":
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M} {'AM' if moment.hour < 12 else 'PM'}"
