#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: pictures.py [NAME]...

`make pictures`: draws docs/NAME.svg, each picture of the book, from a run of this tree.  The
same tree draws the same picture, byte for byte; `make test` draws them again and compares
(is_of_today()).
"""

import os
import sys

import fragmentation
import picture_buddy
import picture_ladder
import picture_latency
import picture_zones
from machine import ROOT
from picture_machine import numbers_of

# Name: its module, which has measure() and draw().
PICTURES = {
    "fragmentation": fragmentation,
    "buddy": picture_buddy,
    "slow-path": picture_ladder,
    "zones": picture_zones,
    "latency": picture_latency,
}


def path_of(name):
    return os.path.join(ROOT, "docs", f"{name}.svg")


def drawn(name):
    """The picture of today, as text"""
    module = PICTURES[name]
    return module.draw(module.measure())


def is_of_today(name):
    """Of a machine's numbers, which change with the kernel: see picture_machine.py"""
    module = PICTURES[name]
    with open(path_of(name), encoding="utf-8") as file:
        shown = file.read()
    if not hasattr(module, "are_near"):
        return shown == drawn(name)
    numbers = numbers_of(shown)
    return shown == module.draw(numbers) and module.are_near(numbers, module.measure())


def main(names):
    for name in names or PICTURES:
        svg = drawn(name)
        with open(path_of(name), "w", encoding="utf-8") as file:
            file.write(svg)
        print(os.path.relpath(path_of(name), ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
