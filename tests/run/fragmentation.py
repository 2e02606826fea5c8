# SPDX-License-Identifier: MIT
"""docs/fragmentation.svg: the numbers of build/host/fragmentation.

Two panels, for 50 and 90 per cent of memory in use; across, the order of a block; up, the
part of the free memory that is in blocks too small for it.  The picture is the same, byte
for byte, wherever it is drawn.
"""

import os
import subprocess

from machine import BUILD, LIMIT, scaled
from picture import Picture

PROGRAM = os.path.join(BUILD, "host", "fragmentation")
ORDERS = 11
WIDTH, HEIGHT = 320, 220  # of a panel
LEFT, TOP, GAP = 70, 52, 50
LINES = {
    ("mixed", "as-it-is"): ("owned", "", "mixed"),
    ("mixed", "compacted"): ("owned", "6 4", "mixed, compacted"),
    ("grouped", "as-it-is"): ("file", "", "grouped by mobility"),
    ("grouped", "compacted"): ("file", "6 4", "grouped, compacted"),
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


def frame(picture, panel, occupancy):
    """The axes of a panel"""
    left, middle = at(panel, 0, 0)[0], at(panel, 5, 0)[0]
    picture.text(left, TOP - 20, f"{occupancy} % of memory in use", "ink bold")
    for percent in range(0, 101, 25):
        ends = [at(panel, 0, 10 * percent), at(panel, 10, 10 * percent)]
        picture.line("line", ends, stroke="thin")
        picture.text(ends[0][0] - 8, ends[0][1] + 4, f"{percent} %", "quiet small", "end")
    for order in range(ORDERS):
        x, y = at(panel, order, 0)
        picture.text(x, y + 18, order, "quiet small", "middle")
    picture.text(middle, TOP + HEIGHT + 38, "order of the block wanted", "quiet", "middle")


def legend(picture, y):
    for number, (colour, dashes, words) in enumerate(LINES.values()):
        x = LEFT + number * 178
        picture.line(colour, [(x, y), (x + 30, y)], dashes)
        picture.text(x + 38, y + 4, words)


def draw(numbers):
    """The picture of MEASURE()'s numbers"""
    picture = Picture(
        LEFT + 2 * WIDTH + GAP + 30,
        TOP + HEIGHT + 84,
        "The part of free memory in blocks too small for a request, after a churn",
    )
    for panel, occupancy in enumerate((50, 90)):
        frame(picture, panel, occupancy)
        for key, (colour, dashes, _) in LINES.items():
            unusable = numbers[(occupancy, *key)]
            points = [at(panel, order, n) for order, n in enumerate(unusable)]
            picture.line(colour, points, dashes)
    legend(picture, TOP + HEIGHT + 64)
    return picture.svg()
