# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
$a = 0x10, 5L, 1.5d, 2e3, 3kb, .5, "`t``e``u{41}`0", 'a`e'
$a
