/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in for Wine's powershell.exe, which says nothing and returns 0 for anything: starts pwsh.exe with the same arguments.
 */
#include <windows.h>
#include <stdio.h>

#define LONGEST 40000

static wchar_t *behind_the_program(wchar_t *line)
{
    if (*line == '"') {
        for (line++; *line && *line != '"'; line++)
            ;
        return *line ? line + 1 : line;
    }
    while (*line && *line != ' ' && *line != '\t')
        line++;
    return line;
}

int main(void)
{
    static wchar_t line[LONGEST];
    STARTUPINFOW start = {sizeof start};
    PROCESS_INFORMATION process;
    DWORD code;
    _snwprintf(line, LONGEST - 1, L"\"C:\\pwsh\\pwsh.exe\"%ls", behind_the_program(GetCommandLineW()));
    GetStartupInfoW(&start);
    start.lpReserved = NULL;
    start.cbReserved2 = 0;
    start.lpReserved2 = NULL;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return 250;
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}
