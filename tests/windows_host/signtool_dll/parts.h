/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of the MFC42.dll that SignTool loads on the nearly real Windows host.
 */
#include <windows.h>
#include <wincrypt.h>
#include <wintrust.h>
#include <softpub.h>
#include <mssip.h>

/* The value of an environment variable, NULL where it is not set: a test sets them to get an answer that Wine does not give by itself. */
char *variable(const char *name, char *buffer, DWORD size);

/* requests.c: mssign32's functions, by asking the test's signer. */
FARPROC signing_function(const char *name);
void patch_signing(HMODULE program);

/* verdict.c: what WinVerifyTrust says. */
void patch_verdict(HMODULE program);

/* signers.c: hang on the provider's data what Windows finds in a signature and Wine does not. */
void add_signer(CRYPT_PROVIDER_DATA *data);
void add_stamp(CRYPT_PROVIDER_SGNR *signer);
void take_off(CRYPT_PROVIDER_DATA *data);
