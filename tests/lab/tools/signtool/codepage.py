# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a character becomes a byte of code page 1253, in which SignTool writes: itself, a look-alike, or
nothing at all.
"""

from __future__ import annotations

LOOK_ALIKES = {
    "!": "\u203c\uff01",
    '"': "\uff02",
    "#": "\uff03",
    "$": "\uff04",
    "%": "\uff05",
    "&": "\uff06",
    "'": "\uff07",
    "(": "\uff08",
    ")": "\uff09",
    "*": "\uff0a",
    "+": "\u251c\u2524\u2534\u253c\u256c\u2640\uff0b",
    ",": "\uff0c",
    "-": "\u2194\u2500\u250c\u2518\u2554\u255d\u2580\u2584\u2588\u2591\u2592\u2593\u25ac\uff0d",
    ".": "\uff0e",
    "/": "\u00b4\uff0f",
    "0": "\u25cb\u25d9\u263c\uff10",
    "1": "\uff11",
    "2": "\uff12",
    "3": "\uff13",
    "4": "\uff14",
    "5": "\uff15",
    "6": "\uff16",
    "7": "\uff17",
    "8": "\uff18",
    "9": "\uff19",
    ":": "\uff1a",
    ";": "\u037e\uff1b",
    "<": "\u2190\u25c4\uff1c",
    "=": "\u2550\uff1d",
    ">": "\u2192\u25ba\u2642\uff1e",
    "@": "\uff20",
    "A": "ÀÁÂÃÄÅĀĂĄǍǞ\uff21",
    "B": "\uff22",
    "C": "ÇĆĈĊČ\uff23",
    "D": "ĎĐ\uff24",
    "E": "ÈÉÊËĒĔĖĘĚ\uff25",
    "F": "\uff26",
    "G": "ĜĞĠĢǤǦ\uff27",
    "H": "ĤĦ\uff28",
    "I": "ÌÍÎÏĨĪĬĮİƗǏ\uff29",
    "J": "Ĵ\uff2a",
    "K": "ĶǨ\uff2b",
    "L": "ĹĻĽŁ\u221f\u2514\u255a\uff2c",
    "M": "\uff2d",
    "N": "ÑŃŅŇ\uff2e",
    "O": "ÒÓÔÕÖØŌŎŐƟƠǑǪǬ\u263a\u263b\uff2f",
    "P": "\uff30",
    "Q": "\uff31",
    "R": "ŔŖŘ\uff32",
    "S": "ŚŜŞŠ\uff33",
    "T": "ŢŤŦƮ\u252c\u2566\uff34",
    "U": "ÙÚÛÜŨŪŬŮŰŲƯǓǕǗǙǛ\uff35",
    "V": "\uff36",
    "W": "Ŵ\uff37",
    "X": "\uff38",
    "Y": "ÝŶŸ\uff39",
    "Z": "ŹŻŽ\uff3a",
    "[": "\uff3b",
    "\\": "\uff3c",
    "]": "\uff3d",
    "^": "\u2191\u25b2\uff3e",
    "_": "\uff3f",
    "`": "\uff40",
    "a": "àáâãäåāăąǎǟ\uff41",
    "b": "ƀ\uff42",
    "c": "çćĉċč\uff43",
    "d": "ďđ\u266a\u266b\uff44",
    "e": "èéêëēĕėęě\uff45",
    "f": "\uff46",
    "g": "ĝğġģǥǧ\uff47",
    "h": "ĥħ\uff48",
    "i": "ìíîïĩīĭįǐ\uff49",
    "j": "ĵǰ\uff4a",
    "k": "ķǩ\uff4b",
    "l": "ĺļľłƚ\uff4c",
    "m": "\uff4d",
    "n": "ñńņň\uff4e",
    "o": "òóôõöøōŏőơǒǫǭ\uff4f",
    "p": "\uff50",
    "q": "\uff51",
    "r": "ŕŗř\uff52",
    "s": "śŝşš\uff53",
    "t": "ţťŧƫ\uff54",
    "u": "ùúûüũūŭůűųưǔǖǘǚǜ\uff55",
    "v": "\u2193\uff56",
    "w": "ŵ\uff57",
    "x": "\uff58",
    "y": "ýÿŷ\uff59",
    "z": "źżž\uff5a",
    "{": "\uff5b",
    "|": "\uff5c",
    "}": "\uff5d",
    "~": "\uff5e",
    "¦": "\u2195\u21a8\u2302\u2502\u2551\u2560\u2563\u2569\u25a0\u2660\u2663\u2665\u2666",
    "¬": "\u2510\u2557",
    "ƒ": "Ƒ",
    "΄": "\u030d",
    "΅": "\u25bc",
    "•": "\u25d8",
}
"""Character of the code page -> the characters that Windows writes as it (the Unicode consortium's table
bestfit1253).
"""

_BYTES = {
    character: like.encode("cp1253") for like, characters in LOOK_ALIKES.items() for character in characters
}


def encode(text: str) -> tuple[bytes, bool]:
    """The bytes up to the first character that has none, and whether all of the text was written."""
    result = bytearray()
    for character in text:
        try:
            result += character.encode("cp1253")
        except UnicodeEncodeError:
            if character not in _BYTES:
                return bytes(result), False
            result += _BYTES[character]
    return bytes(result), True
