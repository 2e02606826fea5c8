#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: fragmentation.py OUT.svg: draw what build/host/fragmentation measures

Two panels, for 50 and 90 per cent of memory in use; across, the order of a block; up, the
part of the free memory that is in blocks too small for it.  The picture is the same, byte
for byte, wherever it is drawn.
"""

import os
import subprocess
import sys

from machine import BUILD, LIMIT, scaled

PROGRAM = os.path.join(BUILD, "host", "fragmentation")
ORDERS = 11
WIDTH, HEIGHT = 300, 200  # of a panel
LEFT, TOP, GAP = 60, 40, 60
LINES = {
    ("mixed", "as-it-is"): ("#c02020", "", "mixed"),
    ("mixed", "compacted"): ("#c02020", "6 4", "mixed, compacted"),
    ("grouped", "as-it-is"): ("#2050b0", "", "grouped by mobility"),
    ("grouped", "compacted"): ("#2050b0", "6 4", "grouped, compacted"),
}


def measure():
    """{(occupancy, grouping, compaction): thousandths for each order}"""
    said = subprocess.run(
        [PROGRAM], capture_output=True, text=True, check=True, timeout=scaled(LIMIT)
    ).stdout
    numbers = {}
    for line in said.splitlines():
        occupancy, grouping, compaction, *unusable = line.split()
        numbers[int(occupancy), grouping, compaction] = [int(n) for n in unusable]
    return numbers


def at(panel, order, unusable):
    x = LEFT + panel * (WIDTH + GAP) + WIDTH * order // (ORDERS - 1)
    return x, TOP + HEIGHT * (1000 - unusable) // 1000


def text(x, y, words, anchor="middle"):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def line(points, colour, dashes=""):
    joined = " ".join(f"{x},{y}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{joined}" fill="none" stroke="{colour}"{dashed}/>'


def frame(panel, occupancy):
    """The axes of a panel"""
    middle = at(panel, 5, 0)[0]
    parts = [text(middle, TOP - 12, f"{occupancy} % of memory in use")]
    for percent in range(0, 101, 25):
        ends = [at(panel, 0, 10 * percent), at(panel, 10, 10 * percent)]
        parts.append(line(ends, "#c0c0c0"))
        parts.append(text(ends[0][0] - 6, ends[0][1] + 4, f"{percent} %", "end"))
    for order in range(ORDERS):
        x, y = at(panel, order, 0)
        parts.append(text(x, y + 16, order))
    parts.append(text(middle, TOP + HEIGHT + 34, "order of the block wanted"))
    return parts


def legend(y):
    parts = []
    for number, (colour, dashes, words) in enumerate(LINES.values()):
        x = LEFT + number * 165
        parts.append(line([(x, y), (x + 30, y)], colour, dashes))
        parts.append(text(x + 36, y + 4, words, "start"))
    return parts


def draw(numbers):
    """The picture of MEASURE()'s numbers"""
    width = LEFT + 2 * WIDTH + GAP + 20
    height = TOP + HEIGHT + 80
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12" stroke-width="2">',
        "<title>Free memory in blocks too small, after a churn</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for panel, occupancy in enumerate((50, 90)):
        parts += frame(panel, occupancy)
        for key, (colour, dashes, _) in LINES.items():
            unusable = numbers[(occupancy, *key)]
            points = [at(panel, order, n) for order, n in enumerate(unusable)]
            parts.append(line(points, colour, dashes))
    parts += legend(TOP + HEIGHT + 62)
    return "\n".join([*parts, "</svg>", ""])


def main(path):
    with open(path, "w", encoding="ascii") as file:
        file.write(draw(measure()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
