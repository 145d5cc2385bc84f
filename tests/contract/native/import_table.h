/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the stand-ins for MFC42.dll share: they change the import table of the signtool.exe that loads them.
 */
#include <windows.h>

/* Lets the calls of ``name`` in ``module`` go to ``function``. Gives what was there before, NULL where nothing of that name is imported. */
void *patch(HMODULE module, const char *name, void *function);

/* Gives the program the functions that SignTool takes from Windows and Wine 8 does not have, or has otherwise. */
void give_what_wine_lacks(HMODULE program);
