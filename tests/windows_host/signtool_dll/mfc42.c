/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in for the two functions of MFC42.dll that signtool.exe takes by number (new and delete), and is the way in for what
 * Wine 8 lacks: a catalog database (an empty one) and a key behind a certificate that is tied to a key storage provider.
 */
#include "parts.h"
#include "import_table.h"
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define GONE L"gone"

void *op_new(size_t size) { return malloc(size ? size : 1); }
void op_delete(void *block) { free(block); }

char *variable(const char *name, char *buffer, DWORD size)
{
    DWORD length = GetEnvironmentVariableA(name, buffer, size);
    return length && length < size ? buffer : NULL;
}

static BOOL WINAPI acquire_context(HANDLE *context, const GUID *subsystem, PCWSTR algorithm, const void *policy, DWORD flags)
{
    *context = (HANDLE)1;
    return TRUE;
}
static BOOL WINAPI release_context(HANDLE context, DWORD flags) { return TRUE; }
static HANDLE WINAPI no_catalog(HANDLE context, BYTE *hash, DWORD size, DWORD flags, HANDLE *previous)
{
    SetLastError(ERROR_NOT_FOUND);
    return NULL;
}

/* A handle that is never used, as the signer holds the keys. A container whose name begins with "gone" is not there. */
static BOOL(WINAPI *wine_acquire_key)(PCCERT_CONTEXT, DWORD, void *, HCRYPTPROV_OR_NCRYPT_KEY_HANDLE *, DWORD *, BOOL *);
static BOOL WINAPI acquire_key(PCCERT_CONTEXT certificate, DWORD flags, void *reserved, HCRYPTPROV_OR_NCRYPT_KEY_HANDLE *key, DWORD *spec, BOOL *free_it)
{
    BYTE data[4096];
    DWORD size = sizeof data;
    CRYPT_KEY_PROV_INFO *info = (CRYPT_KEY_PROV_INFO *)data;
    if (!CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, data, &size) || info->dwProvType)
        return wine_acquire_key(certificate, flags, reserved, key, spec, free_it);
    if (!wcsncmp(info->pwszContainerName, GONE, wcslen(GONE))) {
        SetLastError(NTE_BAD_KEYSET);
        return FALSE;
    }
    *key = 1;
    if (spec)
        *spec = CERT_NCRYPT_KEY_SPEC;
    if (free_it)
        *free_it = FALSE;
    return TRUE;
}

typedef FARPROC(WINAPI *get_proc_t)(HMODULE, LPCSTR);
static get_proc_t wine_get_proc;
static FARPROC WINAPI get_proc(HMODULE module, LPCSTR name)
{
    static const struct { const char *name; void *function; } ours[] = {
        {"CryptCATAdminAcquireContext2", acquire_context}, {"CryptCATAdminAcquireContext", acquire_context},
        {"CryptCATAdminReleaseContext", release_context}, {"CryptCATAdminEnumCatalogFromHash", no_catalog},
    };
    FARPROC signing;
    unsigned i;
    if ((ULONG_PTR)name <= 0xFFFF)        /* by number */
        return wine_get_proc(module, name);
    for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (!strcmp(name, ours[i].name))
            return (FARPROC)ours[i].function;
    signing = signing_function(name);
    return signing ? signing : wine_get_proc(module, name);
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, void *reserved)
{
    HMODULE program = GetModuleHandleA(NULL);
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    wine_get_proc = (get_proc_t)patch(program, "GetProcAddress", get_proc);
    if (!wine_get_proc)
        wine_get_proc = GetProcAddress;
    wine_acquire_key = patch(program, "CryptAcquireCertificatePrivateKey", acquire_key);
    give_what_wine_lacks(program);
    patch_signing(program);
    patch_verdict(program);
    return TRUE;
}
