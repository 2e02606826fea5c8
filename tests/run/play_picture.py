#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: play_picture.py OUT.png

The playground in the middle of a scene: a request that will have to reclaim memory.
"""

import os
import shutil
import sys

from boot_play import PAGE
from browser import Browser
from console import DIRECTORY

SCENE, STEP = "ladder", 3


def main(path):
    with Browser(os.path.join(DIRECTORY, "pictures")) as browser:
        browser.open_file(PAGE, f"#scene={SCENE}")
        browser.wait("return window.ready")
        for _ in range(STEP - 1):
            browser.click("#next")
        # Cells that have changed flash for a while.
        browser.wait("return performance.now() - playground.map.lastFlash() > 1000")
        shutil.copyfile(browser.screenshot("play.png"), path)
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    main(sys.argv[1])
