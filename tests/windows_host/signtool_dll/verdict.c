/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What WinVerifyTrust says. Wine's says "good" whatever root a chain ends in, sees no RFC 3161 time stamp, and stops before the
 * signer of a file that was changed.
 */
#include "parts.h"
#include "import_table.h"
#include <stdlib.h>

static LONG(WINAPI *wine_verify)(HWND, GUID *, void *);

static CRYPT_PROVIDER_DATA *provider_data(WINTRUST_DATA *asked)
{
    return asked->hWVTStateData ? WTHelperProvDataFromStateData(asked->hWVTStateData) : NULL;
}

static LONG judged(CRYPT_PROVIDER_SGNR *signer)
{
    DWORD errors = signer->pChainContext ? signer->pChainContext->TrustStatus.dwErrorStatus : 0;
    if (errors & CERT_TRUST_IS_UNTRUSTED_ROOT)
        return CERT_E_UNTRUSTEDROOT;
    if (errors & CERT_TRUST_IS_PARTIAL_CHAIN)
        return CERT_E_CHAINING;
    if (errors & CERT_TRUST_IS_NOT_TIME_VALID)
        return CERT_E_EXPIRED;
    return errors & CERT_TRUST_IS_NOT_VALID_FOR_USAGE ? CERT_E_WRONG_USAGE : 0;
}

static LONG WINAPI verify(HWND window, GUID *action, void *data)
{
    WINTRUST_DATA *asked = data;
    CRYPT_PROVIDER_DATA *known;
    CRYPT_PROVIDER_SGNR *signer;
    char text[32];
    LONG code;
    if (asked->dwStateAction == WTD_STATEACTION_CLOSE) {
        known = provider_data(asked);
        if (known)
            take_off(known);        /* Wine would free what is not its own */
        return wine_verify(window, action, data);
    }
    code = wine_verify(window, action, data);
    known = provider_data(asked);
    if (known && code == TRUST_E_BAD_DIGEST && !variable("CODESIGN_NO_SIGNER", text, sizeof text))
        add_signer(known);
    signer = known ? WTHelperGetProvSignerFromChain(known, 0, FALSE, 0) : NULL;
    if (signer)
        add_stamp(signer);
    if (variable("CODESIGN_VERIFY_RESULT", text, sizeof text))
        return (LONG)strtoul(text, NULL, 16);
    return code || !signer ? code : judged(signer);
}

void patch_verdict(HMODULE program) { wine_verify = patch(program, "WinVerifyTrust", verify); }
