"""Printed barcodes, as the modules that a scanner sees: 1 is a dark one, 0 a light one, all equally wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.gs1 import check_digit

if TYPE_CHECKING:
    from tools.synth.drawing import Picture

QUIET = 11
"""Light modules that EAN-13 asks for at its left; the others are content with less."""

_LEFT = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111",
         "0001011")  # fmt: skip
_PARITY = ("000000", "001011", "001101", "001110", "010011", "011001", "011100", "010101", "010110", "011010")
"""Which of the six digits at the left are written the other way round: this is the first digit."""

_WIDTHS = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222"
    "123122123221223211221132221231213212223112312131311222321122321221312212322112322211212123212321"
    "232121111323131123131321112313132113132311211313231113231311112133112331132131113123113321133121"
    "313121211331231131213113213311213131311123311321331121312113312311332111314111221411431111111224"
    "111422121124121421141122141221112214112412122114122411142112142211241211221114413111241112134111"
    "111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141114113"
    "1143114111134113111131411141313111414111312114122112142112322331112"
)
"""Of Code 128: widths of bars and gaps in turn, six for each value of a symbol."""

_START_B, _START_C, _STOP = 104, 105, "2331112"
_FNC1 = 102


def ean13(digits: str) -> str:
    """The modules of 13 digits, quiet zones not included.

    Raises:
        ValueError: they are not 13 digits, or the last one does not fit the others.
    """
    if len(digits) != 13 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"EAN-13: expected 13 digits, found {digits!r}")
    if digits[12] != check_digit(digits[:12]):
        raise ValueError(f"EAN-13: expected {check_digit(digits[:12])} as the last digit of {digits}")
    left = [
        _flipped(_LEFT[int(digit)]) if turned == "1" else _LEFT[int(digit)]
        for digit, turned in zip(digits[1:7], _PARITY[int(digits[0])], strict=True)
    ]
    right = [_inverted(_LEFT[int(digit)]) for digit in digits[7:]]
    return "101" + "".join(left) + "01010" + "".join(right) + "101"


def gs1_128(digits: str) -> str:
    """The modules of an element string that is all digits, an even number of them: `"00106141412345678908"`.

    Raises:
        ValueError: it is something else.
    """
    if not digits.isdigit() or not digits.isascii() or len(digits) % 2:
        raise ValueError(f"GS1-128: expected pairs of digits, found {digits!r}")
    return _symbols([_START_C, _FNC1] + [int(digits[at : at + 2]) for at in range(0, len(digits), 2)])


def code128(text: str) -> str:
    """The modules of a text, quiet zones not included: two digits a symbol where it is all digits.

    Raises:
        ValueError: a character is not printable ASCII.
    """
    if not text or not all(" " <= letter <= "~" for letter in text):
        raise ValueError(f"Code 128: expected printable ASCII, found {text!r}")
    if text.isdigit() and len(text) % 2 == 0:
        values = [_START_C] + [int(text[at : at + 2]) for at in range(0, len(text), 2)]
    else:
        values = [_START_B] + [ord(letter) - 32 for letter in text]
    return _symbols(values)


def _symbols(values: list[int]) -> str:
    """The modules of the symbols with these values, check symbol and stop behind them."""
    check = (values[0] + sum(at * value for at, value in enumerate(values))) % 103
    widths = "".join(_WIDTHS[6 * value : 6 * value + 6] for value in [*values, check]) + _STOP
    return "".join("10"[at % 2] * int(width) for at, width in enumerate(widths))


def draw_barcode(modules: str, module_px: int, height: int) -> Picture:
    """Modules with their quiet zones as `(height, W, 3)` uint8 BGR, black on white."""
    row = np.array([int(module) for module in "0" * QUIET + modules + "0" * QUIET], np.uint8)
    line = np.repeat(np.where(row == 1, 25, 250).astype(np.uint8), module_px)
    return np.repeat(np.repeat(line[None, :, None], height, axis=0), 3, axis=2)


def _inverted(modules: str) -> str:
    return modules.translate(str.maketrans("01", "10"))


def _flipped(modules: str) -> str:
    """The same digit with even parity: inverted and read backwards."""
    return _inverted(modules)[::-1]
