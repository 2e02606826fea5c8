#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: watch_pictures.py STORM.png BLOCK.png

The page of `make watch`: a storm when it has drained memory, and the history of a frame
in a recording of a machine that is short of memory, in light colours.
"""

import os
import shutil
import sys

from boot_trace import boot_with_com2, end_stream
from boot_watch import wait_for_sweeps
from browser import Browser
from console import DIRECTORY
from lab import Lab, command, disk_copy
from watch import PAGE, WORDS


def recording_of(name, memory, *lines):
    """The stream of COM2 while LINES run."""
    lab = Lab(name)
    lab.directory = os.path.join(DIRECTORY, name)
    disk = disk_copy(lab.directory)
    qemu, path = boot_with_com2(lab, WORDS, memory=memory, disk=disk)
    with qemu:
        for line in lines:
            command(qemu, line, 240)
        wait_for_sweeps(path, 2)
        command(qemu, "trace off")
        end_stream(qemu)
    with open(path) as file:
        return file.read()


def picture(path, text, name, dark, script):
    with Browser(os.path.join(DIRECTORY, "pictures"), dark=dark) as browser:
        browser.open_file(os.path.join(PAGE, "index.html"))
        browser.run(
            "openText(...arguments).then(view => window.opened = view)", text, name
        )
        browser.wait("return Boolean(window.opened)")
        browser.run(script)
        browser.wait("return !opened.dirty")
        shutil.copyfile(browser.screenshot("page.png"), path)
    print(f"{path}: {os.path.getsize(path)} bytes")


# When memory is drained: the row of a request that fails, of the later ones.
DRAINED = """
const { recording } = opened;
const fails = recording.matcher("mm_page_alloc_fail");
const rows = [];
for (let at = 0; (at = recording.find(fails, at, 1)) >= 0; at++)
    rows.push(at);
goToRowOf(opened, rows[Math.floor(rows.length * 0.9)] + 1);
"""

# A frame that is now a page of a file, and was not always.
BLOCK = """
const { memory } = opened;
setMode("state");
let best = 0;
for (let i = 0; i < memory.frames; i++)
    if (STATES[STATE_OF_WHY[memory.kind[i]]].name === "page cache" &&
        memory.changed[i] > memory.changed[best])
        best = i;
opened.frame = best;
opened.dirty = true;
"""


def main(storm, block):
    text = recording_of("watch-storm", "64M", "storm 1000 3000")
    picture(storm, text, "storm", True, DRAINED)
    text = recording_of("watch-block", "16M", "swapon hda2", "pressure 1")
    picture(block, text, "pressure", False, BLOCK)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
