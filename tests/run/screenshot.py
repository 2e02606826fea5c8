#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: screenshot.py OUT.png MAP.png

The screen of a machine that shows something, and the map while the storm has drained
memory.
"""

import os
import re
import sys

from console import DIRECTORY
from machine import PROMPT, wait_until
from qemu import Qemu
from lab import command, make_iso

SHOWN = ("buddyinfo", "gfp GFP_ATOMIC|__GFP_EXCLUSIVE", "exclusive")


def report(path, picture):
    size = os.path.getsize(path)
    print(f"{path}: {picture.width}x{picture.height}, {size} bytes")


def main(path, map_path):
    with Qemu("screenshot", DIRECTORY, make_iso("")) as machine:
        machine.console.expect(PROMPT)
        for line in SHOWN:
            command(machine, line)
        report(path, machine.screenshot(path))
        machine.send("poweroff\r")
        machine.wait_end(20)
    with Qemu("screenshot-map", DIRECTORY, make_iso("map"), memory="64M") as machine:
        machine.console.expect(PROMPT)
        machine.send("storm 1000 3000\r")
        machine.console.expect("drained")
        wait_until(
            lambda: any(re.search(r" in use +1\d{4}", row) for row in machine.screen_text()),
            lambda: "memory is not drained",
        )
        report(map_path, machine.screenshot(map_path))
        machine.console.expect(PROMPT, 60)
        machine.send("poweroff\r")
        machine.wait_end(20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
