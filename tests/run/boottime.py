#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: boottime.py [RUNS]: seconds from QEMU's start to the prompt"""

import statistics
import sys
import time

from console import DIRECTORY
from lab import make_iso
from machine import ISO, PROMPT
from qemu import Qemu


def seconds_to_prompt(iso):
    with Qemu("boottime", DIRECTORY, iso) as machine:
        machine.console.expect(PROMPT)
        return time.monotonic() - machine.started_at


def main(runs):
    discs = (("with the menu", ISO), ("without it", make_iso("")))
    for what, iso in discs:
        times = [seconds_to_prompt(iso) for _ in range(runs)]
        middle, best = statistics.median(times), min(times)
        print(f"{what}: {middle:.2f} s, best {best:.2f} s of {runs} runs")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
