/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What SignTool takes from Windows and Wine 8 does not have (from 10.0.26100 on), or has otherwise.
 */
#include "import_table.h"
#include <time.h>

#define STATUS_INVALID_IMAGE_FORMAT ((LONG)0xC000007B)

/* ntdll: the header of an image in memory; size 0 means that it is not known. */
static LONG WINAPI image_nt_header(ULONG flags, void *base, ULONG64 size, IMAGE_NT_HEADERS **header)
{
    IMAGE_DOS_HEADER *dos = base;
    ULONG64 offset;
    *header = NULL;
    if (!base || (size && size < sizeof *dos) || dos->e_magic != IMAGE_DOS_SIGNATURE)
        return STATUS_INVALID_IMAGE_FORMAT;
    offset = (ULONG)dos->e_lfanew;
    if (size && offset + sizeof(IMAGE_NT_HEADERS32) > size)
        return STATUS_INVALID_IMAGE_FORMAT;
    if (*(DWORD *)((BYTE *)base + offset) != IMAGE_NT_SIGNATURE)
        return STATUS_INVALID_IMAGE_FORMAT;
    *header = (IMAGE_NT_HEADERS *)((BYTE *)base + offset);
    return 0;
}

/* ntdll: where a virtual address lies in an image that was read as a file. */
static void *WINAPI address_in_section_table(IMAGE_NT_HEADERS *header, void *base, DWORD address)
{
    IMAGE_SECTION_HEADER *section = IMAGE_FIRST_SECTION(header);
    int number;
    for (number = 0; number < header->FileHeader.NumberOfSections; number++, section++)
        if (address >= section->VirtualAddress && address < section->VirtualAddress + section->SizeOfRawData)
            return (BYTE *)base + address - section->VirtualAddress + section->PointerToRawData;
    return NULL;
}

/* msvcrt: Microsoft's knows no time after 31 December 3000, and SignTool prints no line for a date that it gets no time for. */
static __time64_t (*wine_mktime)(struct tm *);
static __time64_t mktime_to_3000(struct tm *when)
{
    return when->tm_year > 3000 - 1900 ? -1 : wine_mktime(when);
}

void give_what_wine_lacks(HMODULE program)
{
    patch(program, "RtlImageNtHeaderEx", image_nt_header);
    patch(program, "RtlAddressInSectionTable", address_in_section_table);
    wine_mktime = patch(program, "_mktime64", mktime_to_3000);
}
