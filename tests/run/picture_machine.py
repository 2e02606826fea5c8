# SPDX-License-Identifier: MIT
"""
Machines for the pictures whose numbers come from the kernel: 6 GB for three zones, 512 MB,
as `make bench` has, for what operations cost.  A tick of its time-stamp counter is an
instruction.

A run of the same kernel says the same.  But with each change of the kernel its image has
another size, and its operations a few instructions more or less.  So such a picture has the
numbers that it was drawn from in its <metadata>: `make test` draws it from these again, byte
for byte, and compares them with those of today by the module's are_near().
"""

import functools
import json
import os
import re
import threading
from html import escape, unescape

import bench
from lab import TEST_DIRECTORY, command, make_iso
from machine import PROMPT
from qemu import Qemu

# The commands for a machine, by its memory.  No answer of the first depends on time.
COMMANDS = {"6G": ("zoneinfo", "gfp GFP_ATOMIC 0"), "512M": ("bench latency",)}
MORE = {"6G": {}, "512M": bench.MACHINE}
NUMBERS = re.compile(r"<metadata>(.*?)</metadata>", re.S)

_lock = threading.Lock()


@functools.lru_cache
def _ask(memory):
    directory = os.path.join(TEST_DIRECTORY, "pictures", memory)
    os.makedirs(directory, exist_ok=True)
    disc = make_iso(bench.SWITCHES_OFF)
    with Qemu("pictures", directory, disc, memory=memory, **MORE[memory]) as machine:
        machine.console.expect(PROMPT, bench.LIMIT)
        words = COMMANDS[memory]
        return {word: command(machine, word, bench.LIMIT) for word in words}


def said(memory, words):
    """The answer to WORDS on a machine with MEMORY; the first call types them all"""
    with _lock:
        return _ask(memory)[words]


def with_numbers(svg, numbers):
    text = escape(json.dumps(numbers), quote=False)
    return svg.replace("</svg>", f"<metadata>{text}</metadata>\n</svg>")


def numbers_of(svg):
    return json.loads(unescape(NUMBERS.search(svg).group(1)))


def near(one, other, part, pages=2):
    return abs(one - other) <= max(pages, part * max(abs(one), abs(other)))
