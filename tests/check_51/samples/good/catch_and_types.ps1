# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
try { throw (New-Object System.ComponentModel.Win32Exception(2, 'x')) }
catch [System.IO.IOException] { $_.Exception.Message }
catch { if ($_.Exception -is [System.ComponentModel.Win32Exception]) { $_.Exception.HResult }; $_.InvocationInfo.ScriptLineNumber }
