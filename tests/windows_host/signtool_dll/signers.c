/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hangs on the data of a verification what Windows finds in a signature and Wine does not: the signer of a file that was changed,
 * and the signer of an RFC 3161 time stamp. One process of SignTool has one signature in hand at a time, so one place of each is enough.
 */
#include "parts.h"
#include <stdlib.h>
#include <string.h>

#define ENCODING (X509_ASN_ENCODING | PKCS_7_ASN_ENCODING)
#define RFC3161 "1.3.6.1.4.1.311.3.3.1"
#define LONGEST_CHAIN 8
#define GENERALIZED_TIME 0x18
#define TIMESTAMP_SIGNER 0x10

typedef struct { CRYPT_PROVIDER_SGNR signer; CRYPT_PROVIDER_CERT certificates[LONGEST_CHAIN]; } PLACE;
static PLACE changed_file, stamp;

static void *parameter(HCRYPTMSG message, DWORD kind, DWORD *size)
{
    void *data;
    *size = 0;
    if (!CryptMsgGetParam(message, kind, 0, NULL, size))
        return NULL;
    data = malloc(*size);
    return data && CryptMsgGetParam(message, kind, 0, data, size) ? data : NULL;
}

/* Fills a place with the signer of a message and the chain that this host builds for it. */
static BOOL fill(PLACE *place, HCRYPTMSG message)
{
    CERT_CHAIN_PARA options = {sizeof options};
    PCCERT_CHAIN_CONTEXT chain;
    PCCERT_CONTEXT certificate;
    CERT_INFO *wanted;
    DWORD size, i;
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MSG, ENCODING, 0, 0, message);
    wanted = parameter(message, CMSG_SIGNER_CERT_INFO_PARAM, &size);
    certificate = store && wanted ? CertGetSubjectCertificateFromStore(store, ENCODING, wanted) : NULL;
    if (!certificate || !CertGetCertificateChain(NULL, certificate, NULL, store, &options, 0, NULL, &chain))
        return FALSE;
    memset(place, 0, sizeof *place);
    place->signer.cbStruct = sizeof place->signer;
    place->signer.pChainContext = chain;
    for (i = 0; i < chain->rgpChain[0]->cElement && i < LONGEST_CHAIN; i++) {
        place->certificates[i].cbStruct = sizeof place->certificates[i];
        place->certificates[i].pCert = chain->rgpChain[0]->rgpElement[i]->pCertContext;
        place->certificates[i].pChainElement = chain->rgpChain[0]->rgpElement[i];
    }
    place->signer.csCertChain = i;
    place->signer.pasCertChain = place->certificates;
    place->signer.psSigner = parameter(message, CMSG_SIGNER_INFO_PARAM, &size);
    return place->signer.psSigner != NULL;
}

void add_signer(CRYPT_PROVIDER_DATA *data)
{
    if (!data->hMsg || data->csSigners || !fill(&changed_file, data->hMsg))
        return;
    GetSystemTimeAsFileTime(&changed_file.signer.sftVerifyAsOf);
    data->csSigners = 1;
    data->pasSigners = &changed_file.signer;
}

static WORD two_digits(const BYTE *text) { return (text[0] - '0') * 10 + text[1] - '0'; }

/* The first GeneralizedTime of a token is the time that it testifies: YYYYMMDDHHMMSS. */
static FILETIME time_of(const BYTE *token, DWORD size)
{
    SYSTEMTIME time = {0};
    FILETIME found = {0};
    DWORD i;
    for (i = 0; i + 17 <= size; i++) {
        const BYTE *text = token + i + 2;
        if (token[i] != GENERALIZED_TIME || token[i + 1] < 15 || *text != '2')
            continue;
        time.wYear = two_digits(text) * 100 + two_digits(text + 2);
        time.wMonth = two_digits(text + 4);
        time.wDay = two_digits(text + 6);
        time.wHour = two_digits(text + 8);
        time.wMinute = two_digits(text + 10);
        time.wSecond = two_digits(text + 12);
        SystemTimeToFileTime(&time, &found);
        break;
    }
    return found;
}

static BOOL read_stamp(CRYPT_DATA_BLOB *token)
{
    HCRYPTMSG message = CryptMsgOpenToDecode(ENCODING, 0, 0, 0, NULL, NULL);
    BYTE *content;
    DWORD size;
    if (!message || !CryptMsgUpdate(message, token->pbData, token->cbData, TRUE))
        return FALSE;
    content = parameter(message, CMSG_CONTENT_PARAM, &size);
    if (!content || !fill(&stamp, message))
        return FALSE;
    stamp.signer.sftVerifyAsOf = time_of(content, size);
    stamp.signer.dwSignerType = TIMESTAMP_SIGNER;
    return TRUE;
}

void add_stamp(CRYPT_PROVIDER_SGNR *signer)
{
    DWORD i;
    if (!signer->psSigner || signer->csCounterSigners)
        return;
    for (i = 0; i < signer->psSigner->UnauthAttrs.cAttr; i++) {
        CRYPT_ATTRIBUTE *attribute = &signer->psSigner->UnauthAttrs.rgAttr[i];
        if (strcmp(attribute->pszObjId, RFC3161) || !attribute->cValue || !read_stamp(attribute->rgValue))
            continue;
        signer->csCounterSigners = 1;
        signer->pasCounterSigners = &stamp.signer;
        return;
    }
}

void take_off(CRYPT_PROVIDER_DATA *data)
{
    CRYPT_PROVIDER_SGNR *signer = WTHelperGetProvSignerFromChain(data, 0, FALSE, 0);
    if (signer && signer->pasCounterSigners == &stamp.signer) {
        signer->csCounterSigners = 0;
        signer->pasCounterSigners = NULL;
    }
    if (data->pasSigners == &changed_file.signer) {
        data->csSigners = 0;
        data->pasSigners = NULL;
    }
}
