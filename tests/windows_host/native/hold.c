/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hold.exe FILE SECONDS: holds a file open as a program does that lets nobody else in. Says "held" when it does.
 */
#include <windows.h>
#include <stdio.h>

int wmain(int count, wchar_t **words)
{
    HANDLE file;
    if (count != 3)
        return 2;
    file = CreateFileW(words[1], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        printf("not held: error %lu\n", GetLastError());
        return 1;
    }
    puts("held");
    fflush(stdout);
    Sleep(1000 * _wtoi(words[2]));
    CloseHandle(file);
    return 0;
}
