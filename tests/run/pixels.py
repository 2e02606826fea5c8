# SPDX-License-Identifier: MIT
"""
Text that is read from a picture, as a person reads it: the screen of a framebuffer.

A character is 8x16 pixels of at most two colours, and only the font says which.  So
the picture alone decides what a test sees: a glyph that is drawn wrong is U+FFFD.
"""

import functools
import os
import re
import runpy

from machine import ROOT, Failure

WIDE, HIGH = 8, 16
MOST_COLUMNS, MOST_CELLS = 160, 8000  # kernel/core/console.h, drivers/screen.h
TEXT_MODE = (720, 400)
WRONG = "\ufffd"


def _font_path():
    with open(os.path.join(ROOT, "Makefile")) as file:
        return re.search(r"^FONT := (\S+)", file.read(), re.MULTILINE)[1]


@functools.cache
def _font():
    """A character for each glyph, 16 bytes."""
    tool = runpy.run_path(os.path.join(ROOT, "iso", "mkfont"))
    glyphs = tool["glyphs_of"](_font_path())
    codes = range(tool["FIRST"], tool["LAST"] + 1)
    return {bytes(glyphs[code]): chr(code) for code in codes}


def _rows_of_bits(cell):
    """The cell as rows of bits, those of its second colour set; None if it has more
    than two colours."""
    pixels = [cell[i : i + 3] for i in range(0, len(cell), 3)]
    colours = list(dict.fromkeys(pixels))
    if len(colours) > 2:
        return None
    bits = [pixel != colours[0] for pixel in pixels]
    return bytes(
        sum(bit << (WIDE - 1 - x) for x, bit in enumerate(bits[y : y + WIDE]))
        for y in range(0, len(bits), WIDE)
    )


@functools.cache
def _character(cell):
    rows = _rows_of_bits(cell)
    if rows is None:
        return WRONG
    other = bytes(row ^ 0xFF for row in rows)
    return _font().get(rows) or _font().get(other, WRONG)


class Pixels:
    """A picture as QEMU dumps it: a PPM file of kind P6."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        if not head:
            raise Failure(f"{path} is not a picture")
        self.width, self.height = int(head[1]), int(head[2])
        self.data = data[head.end() :]
        self.columns = min(self.width // WIDE, MOST_COLUMNS)
        self.rows = min(self.height // HIGH, MOST_CELLS // self.columns)
        self._left = (self.width - self.columns * WIDE) // 2
        self._top = (self.height - self.rows * HIGH) // 2

    def is_text_mode(self):
        return (self.width, self.height) == TEXT_MODE

    def colour(self, x, y):
        """Red, green and blue of a pixel."""
        at = (y * self.width + x) * 3
        return tuple(self.data[at : at + 3])

    def colours_of(self, row, column):
        """Those of a cell, the one of its first pixel first."""
        cell = self._cells(row)[column]
        pixels = [tuple(cell[i : i + 3]) for i in range(0, len(cell), 3)]
        return list(dict.fromkeys(pixels))

    def _cells(self, row):
        first = self._top + row * HIGH
        lines = [
            self.data[(y * self.width + self._left) * 3 :][: self.columns * WIDE * 3]
            for y in range(first, first + HIGH)
        ]
        step = WIDE * 3
        return [
            b"".join(line[at : at + step] for line in lines)
            for at in range(0, self.columns * step, step)
        ]

    def text(self):
        """The lines, without the blanks at their ends."""
        return [
            "".join(map(_character, self._cells(row))).rstrip()
            for row in range(self.rows)
        ]
