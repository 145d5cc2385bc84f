/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Changes the import table of a loaded program.
 */
#include "import_table.h"

void *patch(HMODULE module, const char *name, void *function)
{
    BYTE *base = (BYTE *)module;
    IMAGE_NT_HEADERS *head = (IMAGE_NT_HEADERS *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
    IMAGE_IMPORT_DESCRIPTOR *one = (IMAGE_IMPORT_DESCRIPTOR *)(base + head->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);
    for (; one->Name; one++) {
        IMAGE_THUNK_DATA *names = (IMAGE_THUNK_DATA *)(base + one->OriginalFirstThunk), *slots = (IMAGE_THUNK_DATA *)(base + one->FirstThunk);
        for (; names->u1.AddressOfData; names++, slots++) {
            DWORD old;
            void *before;
            if (IMAGE_SNAP_BY_ORDINAL(names->u1.Ordinal) || strcmp(((IMAGE_IMPORT_BY_NAME *)(base + names->u1.AddressOfData))->Name, name))
                continue;
            before = (void *)slots->u1.Function;
            VirtualProtect(&slots->u1.Function, sizeof slots->u1.Function, PAGE_READWRITE, &old);
            slots->u1.Function = (ULONG_PTR)function;
            VirtualProtect(&slots->u1.Function, sizeof slots->u1.Function, old, &old);
            return before;
        }
    }
    return NULL;
}
