/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Signing, time stamping and taking off, which Wine's mssign32 cannot: each is a request, a file in C:\ask, that signer.py answers
 * with an HRESULT in a file beside it.
 * A request is nine lines: what, flags, file, thumbprint, digest, kind of stamp, its digest, address, index.
 */
#include "parts.h"
#include "import_table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "C:\\ask"
#define WAIT_MILLISECONDS 120000
#define STEP_MILLISECONDS 10
#define IN_A_STORE 2

/* Of mssign32's undocumented header, as its documentation gives them. */
typedef struct { DWORD size; LPCWSTR name; HANDLE handle; } FILE_INFO;
typedef struct { DWORD size; DWORD *index; DWORD choice; FILE_INFO *file; } SUBJECT;
typedef struct { DWORD size; PCCERT_CONTEXT certificate; DWORD policy; HCERTSTORE store; } STORE_INFO;
typedef struct { DWORD size; DWORD choice; STORE_INFO *store; HWND window; } CERTIFICATE;
typedef struct { DWORD size; ALG_ID digest; DWORD choice; void *attributes, *authenticated, *unauthenticated; } SIGNATURE;

typedef struct {
    const char *what;
    DWORD flags;
    const WCHAR *file;
    PCCERT_CONTEXT certificate;
    ALG_ID digest;
    DWORD stamp;
    const char *stamp_digest;
    const WCHAR *url;
    DWORD index;
} REQUEST;

static void utf8(const WCHAR *words, char *text, int size) { WideCharToMultiByte(CP_UTF8, 0, words, -1, text, size, NULL, NULL); }

static void print(const REQUEST *asked, FILE *file)
{
    char name[4096] = "", url[1024] = "-", thumbprint[41] = "-";
    BYTE hash[20];
    DWORD size = sizeof hash, i;
    WCHAR full[1024];
    if (asked->file && GetFullPathNameW(asked->file, 1024, full, NULL))
        utf8(full, name, sizeof name);
    if (asked->url && *asked->url)
        utf8(asked->url, url, sizeof url);
    if (asked->certificate && CertGetCertificateContextProperty(asked->certificate, CERT_SHA1_HASH_PROP_ID, hash, &size))
        for (i = 0; i < size; i++)
            sprintf(thumbprint + 2 * i, "%02X", hash[i]);
    fprintf(file, "%s\n%lx\n%s\n%s\n%x\n%lx\n%s\n%s\n%lu\n", asked->what, asked->flags, name, thumbprint, asked->digest, asked->stamp,
            asked->stamp_digest ? asked->stamp_digest : "-", url, asked->index);
}

static HRESULT ask(const REQUEST *asked)
{
    static int counter;
    char path[300], partial[320], request[320], result[320];
    unsigned code;
    int waited;
    FILE *file;
    sprintf(path, "%s\\%lu-%d", FOLDER, GetCurrentProcessId(), counter++);
    sprintf(partial, "%s.tmp", path);
    sprintf(request, "%s.req", path);
    sprintf(result, "%s.res", path);
    file = fopen(partial, "wb");
    if (!file)
        return E_FAIL;
    print(asked, file);
    fclose(file);
    MoveFileA(partial, request);
    for (waited = 0; waited < WAIT_MILLISECONDS; waited += STEP_MILLISECONDS) {
        file = fopen(result, "rb");
        if (file) {
            int found = fscanf(file, "%x", &code);
            fclose(file);
            if (found == 1)
                return (HRESULT)code;
        }
        Sleep(STEP_MILLISECONDS);
    }
    return E_ABORT;
}

/* The HRESULT of an environment variable of the test, in hexadecimal, instead of an answer. */
static BOOL forced(const char *name, HRESULT *code)
{
    char text[32];
    if (!variable(name, text, sizeof text))
        return FALSE;
    *code = (HRESULT)strtoul(text, NULL, 16);
    return TRUE;
}

static HRESULT sign(DWORD flags, SUBJECT *subject, CERTIFICATE *certificate, SIGNATURE *signature, DWORD stamp, const char *stamp_digest, const WCHAR *url)
{
    HRESULT code;
    REQUEST asked = {"sign", flags, subject->file->name, NULL, signature->digest, stamp, stamp_digest, url, 0};
    if (certificate->choice == IN_A_STORE)
        asked.certificate = certificate->store->certificate;
    return forced("CODESIGN_SIGN_RESULT", &code) ? code : ask(&asked);
}

static HRESULT stamp(SUBJECT *subject, DWORD kind, const char *digest, const WCHAR *url, DWORD index)
{
    HRESULT code;
    REQUEST asked = {"stamp", 0, subject->file->name, NULL, 0, kind, digest, url, index};
    return forced("CODESIGN_STAMP_RESULT", &code) ? code : ask(&asked);
}

static HRESULT WINAPI sign_ex2(DWORD flags, SUBJECT *subject, CERTIFICATE *certificate, SIGNATURE *signature, void *provider, DWORD kind, const char *digest,
                               const WCHAR *url, void *request, void *sip, void **context, void *policy, void *reserved)
{
    if (context)
        *context = NULL;
    return sign(flags, subject, certificate, signature, kind, digest, url);
}

static HRESULT WINAPI sign_ex3(DWORD flags, SUBJECT *subject, CERTIFICATE *certificate, SIGNATURE *signature, void *provider, DWORD kind, const char *digest,
                               const WCHAR *url, void *request, void *sip, void **context, void *policy, void *digest_info, void *reserved)
{
    return sign_ex2(flags, subject, certificate, signature, provider, kind, digest, url, request, sip, context, policy, reserved);
}

static HRESULT WINAPI sign_first(SUBJECT *subject, CERTIFICATE *certificate, SIGNATURE *signature, void *provider, const WCHAR *url, void *request, void *sip)
{
    return sign(0, subject, certificate, signature, 1, NULL, url);
}

static HRESULT WINAPI stamp_ex3(DWORD kind, DWORD index, SUBJECT *subject, const WCHAR *url, const char *digest, void *request, void *sip, void **context,
                                void *policy, void *reserved)
{
    if (context)
        *context = NULL;
    return stamp(subject, kind, digest, url, index);
}

static HRESULT WINAPI stamp_first(SUBJECT *subject, const WCHAR *url, void *request, void *sip) { return stamp(subject, 1, NULL, url, 0); }

static HRESULT WINAPI free_context(void *context) { return S_OK; }

FARPROC signing_function(const char *name)
{
    if (!strcmp(name, "SignerSignEx2"))
        return (FARPROC)sign_ex2;
    if (!strcmp(name, "SignerSignEx3"))
        return (FARPROC)sign_ex3;
    return strcmp(name, "SignerTimeStampEx3") ? NULL : (FARPROC)stamp_ex3;
}

/* The subject interface package of a kind of file: its readers are Wine's, what takes signatures off is ours. */
static BOOL(WINAPI *wine_load)(const GUID *, DWORD, SIP_DISPATCH_INFO *);
static BOOL(WINAPI *wine_get)(SIP_SUBJECTINFO *, DWORD *, DWORD, DWORD *, BYTE *);

/* SignTool /as goes on after "no signature" only, and Wine gives another reason. */
static BOOL WINAPI get_message(SIP_SUBJECTINFO *subject, DWORD *encoding, DWORD index, DWORD *size, BYTE *data)
{
    BOOL done = wine_get(subject, encoding, index, size, data);
    if (!done)
        SetLastError(TRUST_E_NOSIGNATURE);
    return done;
}

static BOOL WINAPI remove_message(SIP_SUBJECTINFO *subject, DWORD index)
{
    REQUEST asked = {"remove", 0, subject->pwsFileName, NULL, 0, 0, NULL, NULL, index};
    HRESULT code = ask(&asked);
    SetLastError(code);
    return code == S_OK;
}

static BOOL WINAPI load(const GUID *kind, DWORD flags, SIP_DISPATCH_INFO *functions)
{
    BOOL done = wine_load(kind, flags, functions);
    if (!done)
        return FALSE;
    if (functions->pfGet) {
        wine_get = (void *)functions->pfGet;
        functions->pfGet = (void *)get_message;
    }
    functions->pfRemove = (void *)remove_message;
    return TRUE;
}

void patch_signing(HMODULE program)
{
    patch(program, "SignerSign", sign_first);
    patch(program, "SignerTimeStamp", stamp_first);
    patch(program, "SignerFreeSignerContext", free_context);
    wine_load = patch(program, "CryptSIPLoad", load);
}
