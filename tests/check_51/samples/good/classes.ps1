# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
class Point { [int] $X; Point([int] $x) { $this.X = $x } [int] Twice() { return 2 * $this.X } }
$a = [Point]::new(3)
$a
