/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in for the two functions of MFC42.dll that signtool.exe takes by number (new and delete), and for what Wine lacks:
 * an empty catalog database, a key behind every certificate, and a signing call that answers with a code of the test's choice.
 */
#include "import_table.h"
#include <stdlib.h>
#include <string.h>

void *op_new(size_t size) { return malloc(size ? size : 1); }
void op_delete(void *block) { free(block); }

typedef FARPROC(WINAPI *get_proc_t)(HMODULE, LPCSTR);
static get_proc_t real_get_proc;

/* The catalog database: there, and empty. */
static BOOL WINAPI acquire_context(HANDLE *context, const GUID *subsystem, PCWSTR algorithm, const void *policy, DWORD flags)
{
    *context = (HANDLE)1;
    return TRUE;
}
static BOOL WINAPI release_context(HANDLE context, DWORD flags) { return TRUE; }
static HANDLE WINAPI no_catalog(HANDLE context, BYTE *hash, DWORD size, DWORD flags, HANDLE *previous)
{
    SetLastError(1168);
    return NULL;
}

/* A handle that is never used: what signs is answered below. LAB_KEY=none leaves Wine's own answer. */
static BOOL WINAPI acquire_key(const void *certificate, DWORD flags, void *reserved, ULONG_PTR *key, DWORD *spec, BOOL *free_it)
{
    *key = 1;
    if (spec)
        *spec = 0xFFFFFFFF;
    if (free_it)
        *free_it = FALSE;
    return TRUE;
}

/* The HRESULT of LAB_SIGN_RESULT (hexadecimal, 0 for success): SignTool's own words for it are what the test is after. */
static HRESULT sign_result(void)
{
    char text[32];
    return GetEnvironmentVariableA("LAB_SIGN_RESULT", text, sizeof text) ? (HRESULT)strtoul(text, NULL, 16) : 0;
}
static HRESULT WINAPI sign2(DWORD flags, void *subject, void *certificate, void *signature, void *provider, DWORD stamp_flags, const char *stamp_oid,
                            const WCHAR *url, void *request, void *sip, void **context, void *policy, void *reserved)
{
    return sign_result();
}
static HRESULT WINAPI sign3(DWORD flags, void *subject, void *certificate, void *signature, void *provider, DWORD stamp_flags, const char *stamp_oid,
                            const WCHAR *url, void *request, void *sip, void **context, void *policy, void *digest, void *reserved)
{
    return sign_result();
}

static FARPROC WINAPI get_proc(HMODULE module, LPCSTR name)
{
    static const struct { const char *name; void *function; } ours[] = {
        {"CryptCATAdminAcquireContext2", acquire_context}, {"CryptCATAdminAcquireContext", acquire_context},
        {"CryptCATAdminReleaseContext", release_context}, {"CryptCATAdminEnumCatalogFromHash", no_catalog},
        {"SignerSignEx2", sign2}, {"SignerSignEx3", sign3},
    };
    unsigned i;
    if ((ULONG_PTR)name > 0xFFFF)
        for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
            if (!strcmp(name, ours[i].name))
                return (FARPROC)ours[i].function;
    return real_get_proc(module, name);
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, void *reserved)
{
    if (reason == DLL_PROCESS_ATTACH) {
        HMODULE program = GetModuleHandleA(NULL);
        char key[8];
        real_get_proc = (get_proc_t)patch(program, "GetProcAddress", get_proc);
        if (!real_get_proc)
            real_get_proc = GetProcAddress;
        give_what_wine_lacks(program);
        if (GetEnvironmentVariableA("LAB_KEY", key, sizeof key) && !strcmp(key, "any"))
            patch(program, "CryptAcquireCertificatePrivateKey", acquire_key);
    }
    return TRUE;
}
