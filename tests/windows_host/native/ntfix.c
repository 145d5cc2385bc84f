/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ntfix.dll repairs three system calls of Wine 8 in the process that loads it (StartupHook.cs does that in each .NET process):
 * - NtQueryDirectoryFile: .NET 10 hands over the Win32 wildcards < > " and Wine takes them literally, so that
 *   Directory.GetFiles(dir, "cmd.*"), and with it PowerShell's search for programs, finds nothing. .NET filters the names
 *   itself afterwards: ask for all of them.
 * - NtSetInformationFile: class 64 (delete at once, POSIX style), which Ansible uses for its temporary folder, is not known.
 *   Use the older class 13.
 * - NtFlushProcessWriteBuffers is an empty stub, and .NET's garbage collector relies on it. Taking rights away from a page in
 *   use makes the kernel interrupt every processor that runs this process, which is the barrier that is wanted.
 */
#include <windows.h>
#include <winternl.h>
#include <string.h>

#define PAGE 4096
#define DELETE_AT_ONCE 64
#define DELETE_ON_CLOSE 13

typedef NTSTATUS(NTAPI *query_t)(HANDLE, HANDLE, void *, void *, void *, void *, ULONG, ULONG, BOOLEAN, UNICODE_STRING *, BOOLEAN);
typedef NTSTATUS(NTAPI *set_t)(HANDLE, void *, void *, ULONG, ULONG);
static query_t query;
static set_t set;
static BYTE *page;
static CRITICAL_SECTION lock;

static NTSTATUS NTAPI query_directory_file(HANDLE file, HANDLE event, void *apc, void *context, void *io, void *buffer, ULONG length, ULONG kind,
                                           BOOLEAN single, UNICODE_STRING *mask, BOOLEAN restart)
{
    int i;
    for (i = 0; mask && mask->Buffer && i < mask->Length / 2; i++)
        if (mask->Buffer[i] == '<' || mask->Buffer[i] == '>' || mask->Buffer[i] == '"')
            mask = NULL;
    return query(file, event, apc, context, io, buffer, length, kind, single, mask, restart);
}

static NTSTATUS NTAPI set_information_file(HANDLE file, void *io, void *buffer, ULONG length, ULONG kind)
{
    BOOLEAN remove;
    if (kind != DELETE_AT_ONCE || length < sizeof(ULONG))
        return set(file, io, buffer, length, kind);
    remove = *(ULONG *)buffer & 1;
    return set(file, io, &remove, sizeof remove, DELETE_ON_CLOSE);
}

static void NTAPI flush_process_write_buffers(void)
{
    DWORD old;
    EnterCriticalSection(&lock);
    VirtualProtect(page, PAGE, PAGE_READWRITE, &old);
    (*(volatile LONG *)page)++;
    VirtualProtect(page, PAGE, PAGE_NOACCESS, &old);
    LeaveCriticalSection(&lock);
}

/* Lets the calls of a system call of ntdll go to ``to``; gives a copy of it, NULL where it does not look like Wine's stub. */
static void *divert(const char *name, void *to)
{
    static const BYTE stub[] = {0x4c, 0x8b, 0xd1, 0xb8};        /* mov r10, rcx; mov eax, number */
    static const BYTE jump[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};        /* mov rax, to; jmp rax */
    BYTE *target = (BYTE *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name);
    BYTE *copy = VirtualAlloc(NULL, PAGE, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
    DWORD old;
    if (!target || !copy || memcmp(target, stub, sizeof stub))
        return NULL;
    memcpy(copy, target, 32);        /* the stub uses absolute addresses only and runs from anywhere */
    VirtualProtect(target, sizeof jump, PAGE_EXECUTE_READWRITE, &old);
    memcpy(target, jump, sizeof jump);
    memcpy(target + 2, &to, sizeof to);
    VirtualProtect(target, sizeof jump, old, &old);
    return copy;
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, void *reserved)
{
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    DisableThreadLibraryCalls(self);
    InitializeCriticalSection(&lock);
    page = VirtualAlloc(NULL, PAGE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    query = (query_t)divert("NtQueryDirectoryFile", query_directory_file);
    set = (set_t)divert("NtSetInformationFile", set_information_file);
    divert("NtFlushProcessWriteBuffers", flush_process_write_buffers);
    return TRUE;
}
