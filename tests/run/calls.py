# SPDX-License-Identifier: MIT
"""
A sequence of allocator calls (tests/sequence.h) on the host and in the kernel.

Both print "replay: ..." lines: each step, what came of it, and at the end
either "N steps hold" or the first step that went wrong.
"""

import os
import subprocess

from lab import make_iso
from machine import BUILD, LIMIT, Failure, scaled
from qemu import Qemu

MODULE = ("module2 /boot/extra",)


def replay_lines(text):
    return [line for line in text.splitlines() if line.startswith("replay: ")]


def on_host(path, build=BUILD):
    """The output of the host about the file at PATH."""
    program = os.path.join(build, "host", "replay")
    done = subprocess.run(
        [program, path], capture_output=True, text=True, timeout=scaled(LIMIT)
    )
    return replay_lines(done.stdout)


def in_kernel(path, directory, build=BUILD):
    """The output of the kernel about the file at PATH, and its exit status."""
    with open(path, "rb") as file:
        calls = file.read()
    if not calls:
        raise Failure(f"{path} is empty")
    iso = make_iso("replay", MODULE, calls, build)
    with Qemu("replay", directory, iso) as machine:
        end = machine.wait_end()
        lines = replay_lines(machine.console.text.replace("\r", ""))
    return lines, end.status
