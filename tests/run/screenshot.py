#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: screenshot.py OUT.png: the screen of a machine that shows something"""

import os
import sys

from console import DIRECTORY
from machine import PROMPT
from qemu import Qemu
from lab import command, make_iso

SHOWN = ("buddyinfo", "gfp GFP_ATOMIC|__GFP_EXCLUSIVE", "exclusive")


def main(path):
    iso = make_iso("")
    with Qemu("screenshot", DIRECTORY, iso) as machine:
        machine.console.expect(PROMPT)
        for line in SHOWN:
            command(machine, line)
        picture = machine.screenshot(path)
        print(f"{path}: {picture.width}x{picture.height}, "
              f"{os.path.getsize(path)} bytes")
        machine.send("poweroff\r")
        machine.wait_end(20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
