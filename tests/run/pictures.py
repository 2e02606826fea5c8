#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: pictures.py [NAME]...

`make pictures`: draws docs/NAME.svg, each picture of the book, from a run of this tree.  The
same tree draws the same picture, byte for byte; `make test` draws them again and compares.
"""

import os
import sys

import fragmentation
import picture_buddy
import picture_ladder
from machine import ROOT

# Name: its numbers, and a function that draws them.
PICTURES = {
    "fragmentation": (fragmentation.measure, fragmentation.draw),
    "buddy": (picture_buddy.measure, picture_buddy.draw),
    "slow-path": (picture_ladder.measure, picture_ladder.draw),
}


def path_of(name):
    return os.path.join(ROOT, "docs", f"{name}.svg")


def drawn(name):
    """The picture of today, as text"""
    measure, draw = PICTURES[name]
    return draw(measure())


def is_of_today(name):
    with open(path_of(name), encoding="utf-8") as file:
        return file.read() == drawn(name)


def main(names):
    for name in names or PICTURES:
        with open(path_of(name), "w", encoding="utf-8") as file:
            file.write(drawn(name))
        print(os.path.relpath(path_of(name), ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
