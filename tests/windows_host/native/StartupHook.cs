// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// .NET calls this before a program begins (DOTNET_STARTUP_HOOKS): it loads ntfix.dll, which lies beside it.

using System.IO;
using System.Runtime.InteropServices;

internal static class StartupHook
{
    public static void Initialize() => NativeLibrary.Load(Path.Combine(Path.GetDirectoryName(typeof(StartupHook).Assembly.Location), "ntfix.dll"));
}
