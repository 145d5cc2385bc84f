/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writes certificates with their properties through Wine's crypt32, and shows what it reads.
 *
 *   certstore add LOCATION STORE FILE.cer [container provider type flags keyspec friendly-name]   an argument "-" is left out
 *   certstore show LOCATION STORE            one line per certificate, the fields parted by tabs, in UTF-8
 *   certstore delete LOCATION STORE          empties the store
 * LOCATION: machine or user. Characters outside ASCII are written as \uNNNN.
 */
#define UNICODE
#include <windows.h>
#include <wincrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static HCERTSTORE open_store(const WCHAR *location, const WCHAR *name)
{
    DWORD where = wcscmp(location, L"user") ? CERT_SYSTEM_STORE_LOCAL_MACHINE : CERT_SYSTEM_STORE_CURRENT_USER;
    return CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, where, name);
}

static int fail(const char *what)
{
    fprintf(stderr, "%s: 0x%08lx\n", what, (unsigned long)GetLastError());
    return 1;
}

static int add(int count, WCHAR **words)
{
    static BYTE der[65536];
    size_t size;
    const CERT_CONTEXT *certificate;
    HCERTSTORE store = open_store(words[0], words[1]);
    FILE *file = _wfopen(words[2], L"rb");
    if (!store || !file)
        return fail("open");
    size = fread(der, 1, sizeof der, file);
    fclose(file);
    if (!CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, (DWORD)size, CERT_STORE_ADD_REPLACE_EXISTING, &certificate))
        return fail("add");
    if (count > 7 && wcscmp(words[3], L"-")) {
        CRYPT_KEY_PROV_INFO info = {0};
        info.pwszContainerName = words[3];
        info.pwszProvName = words[4];
        info.dwProvType = wcstoul(words[5], NULL, 0);
        info.dwFlags = wcstoul(words[6], NULL, 0);
        info.dwKeySpec = wcstoul(words[7], NULL, 0);
        if (!CertSetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, 0, &info))
            return fail("key provider information");
    }
    if (count > 8 && wcscmp(words[8], L"-")) {
        CRYPT_DATA_BLOB name = {(DWORD)((wcslen(words[8]) + 1) * sizeof(WCHAR)), (BYTE *)words[8]};
        if (!CertSetCertificateContextProperty(certificate, CERT_FRIENDLY_NAME_PROP_ID, 0, &name))
            return fail("friendly name");
    }
    CertFreeCertificateContext(certificate);
    CertCloseStore(store, 0);
    return 0;
}

static void text(const WCHAR *words)
{
    char bytes[2048];
    int size = WideCharToMultiByte(CP_UTF8, 0, words, -1, bytes, sizeof bytes, NULL, NULL);
    if (size)
        fwrite(bytes, 1, size - 1, stdout);
    putchar('\t');
}

static int show(WCHAR **words)
{
    const CERT_CONTEXT *one = NULL;
    HCERTSTORE store = open_store(words[0], words[1]);
    if (!store)
        return fail("open");
    while ((one = CertEnumCertificatesInStore(store, one))) {
        BYTE hash[20], data[4096];
        WCHAR name[512];
        DWORD size = sizeof hash, i;
        if (!CertGetCertificateContextProperty(one, CERT_SHA1_HASH_PROP_ID, hash, &size))
            return fail("hash");
        for (i = 0; i < size; i++)
            printf("%02X", hash[i]);
        putchar('\t');
        size = sizeof data;
        if (CertGetCertificateContextProperty(one, CERT_KEY_PROV_INFO_PROP_ID, data, &size)) {
            CRYPT_KEY_PROV_INFO *info = (CRYPT_KEY_PROV_INFO *)data;
            text(info->pwszContainerName);
            text(info->pwszProvName);
            printf("%lu\t%lu\t%lu\t", info->dwProvType, info->dwFlags, info->dwKeySpec);
        } else
            printf("-\t-\t-\t-\t-\t");
        size = sizeof name;
        if (CertGetCertificateContextProperty(one, CERT_FRIENDLY_NAME_PROP_ID, name, &size))
            text(name);
        else
            printf("-\t");
        puts("");
    }
    CertCloseStore(store, 0);
    return 0;
}

static int delete(WCHAR **words)
{
    WCHAR key[256] = L"Software\\Microsoft\\SystemCertificates\\";
    LONG result;
    wcscat(wcscat(key, words[1]), L"\\Certificates");
    result = RegDeleteTreeW(wcscmp(words[0], L"user") ? HKEY_LOCAL_MACHINE : HKEY_CURRENT_USER, key);
    return result && result != ERROR_FILE_NOT_FOUND;
}

/* \uNNNN in a word stands for one UTF-16 unit: Wine's cmd.exe reads its lines in one code page. */
static void unescape(WCHAR *word)
{
    WCHAR *to = word;
    for (; *word; word++) {
        if (word[0] == '\\' && word[1] == 'u') {
            WCHAR digits[5] = {word[2], word[3], word[4], word[5], 0};
            *to++ = (WCHAR)wcstoul(digits, NULL, 16);
            word += 5;
        } else
            *to++ = *word;
    }
    *to = 0;
}

int wmain(int count, WCHAR **words)
{
    int i;
    for (i = 0; i < count; i++)
        unescape(words[i]);
    if (count > 4 && !wcscmp(words[1], L"add"))
        return add(count - 2, words + 2);
    if (count == 4 && !wcscmp(words[1], L"show"))
        return show(words + 2);
    if (count == 4 && !wcscmp(words[1], L"delete"))
        return delete(words + 2);
    return 2;
}
