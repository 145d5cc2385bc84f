/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wrun.exe CMDFILE RCFILE CODEPAGE
 * Starts the command line in CMDFILE (UTF-8, used as it is) the way WinRM's shell host does: with a hidden console of its own
 * that has the given code page, with our standard handles, and in a job that dies with us. Waits and writes the whole 32-bit
 * exit code to RCFILE, because a Unix caller of Wine sees its low 8 bits only.
 */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

#define LONGEST (1 << 20)

static void fail(const char *what)
{
    fprintf(stderr, "wrun: %s: error %lu\n", what, GetLastError());
    ExitProcess(250);
}

static HANDLE inherited(DWORD which)
{
    HANDLE handle = GetStdHandle(which);
    SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    return handle;
}

static DWORD run(wchar_t *line, DWORD flags, HANDLE job)
{
    STARTUPINFOW start = {sizeof start};
    PROCESS_INFORMATION process;
    DWORD code;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = inherited(STD_INPUT_HANDLE);
    start.hStdOutput = inherited(STD_OUTPUT_HANDLE);
    start.hStdError = inherited(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, flags | (job ? CREATE_SUSPENDED : 0), NULL, NULL, &start, &process))
        fail("CreateProcess");
    if (job) {
        if (!AssignProcessToJobObject(job, process.hProcess))
            fail("AssignProcessToJobObject");
        ResumeThread(process.hThread);
    }
    /* Ours would keep the pipes open after the command has ended. */
    CloseHandle(start.hStdInput);
    CloseHandle(start.hStdOutput);
    CloseHandle(start.hStdError);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return code;
}

/* Outside: makes the job and starts this program again in it, with a hidden console. */
static int outside(wchar_t **words)
{
    static wchar_t line[LONGEST];
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    limit.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    if (!SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit))
        fail("SetInformationJobObject");
    GetModuleFileNameW(NULL, line, 1000);
    wcscat(line, L" inside ");
    wcscat(wcscat(line, words[1]), L" ");
    wcscat(wcscat(line, words[2]), L" ");
    wcscat(line, words[3]);
    return run(line, CREATE_NO_WINDOW, job);
}

static int inside(wchar_t **words)
{
    static wchar_t line[LONGEST];
    static char raw[LONGEST];
    DWORD code;
    FILE *file = _wfopen(words[2], L"rb");
    if (!file)
        fail("CMDFILE");
    raw[fread(raw, 1, sizeof raw - 1, file)] = 0;
    fclose(file);
    MultiByteToWideChar(CP_UTF8, 0, raw, -1, line, LONGEST);
    SetConsoleCP(_wtoi(words[4]));
    SetConsoleOutputCP(_wtoi(words[4]));
    code = run(line, 0, NULL);
    file = _wfopen(words[3], L"wb");
    if (!file)
        fail("RCFILE");
    fprintf(file, "%lu\n", code);
    fclose(file);
    return 0;
}

int wmain(int count, wchar_t **words)
{
    if (count == 4)
        return outside(words);
    if (count != 5)
        fail("usage");
    return inside(words);
}
