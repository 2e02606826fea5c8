#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: bench.py [--write | hotpath]

`make bench`: boots the disc on a machine where a tick of the time-stamp counter is an
instruction, asks the shell's `bench` for each row, with all switches off and as `make
run` starts, and writes build/bench/kernel.json.  --write: also the table in
docs/22-how-fast.md, and below it the instructions of a request and of a free, one at a
time.  hotpath: print only these.
"""

import json
import os
import re
import subprocess
import sys

from chapter import read_block, write_block
from console import DIRECTORY
from lab import command, make_iso, plain_words
from machine import BUILD, PROMPT, scaled
from qemu import Qemu

CHAPTER = "22-how-fast.md"
MEMORY = "512M"
MACHINE = {"more": ("-icount", "shift=0,sleep=off")}
SWITCHES_OFF = "irqsoff=0 watchdog=0"
# Name: what Debian 12's Linux 6.1 takes, and the target.
ROWS = {
    "order0_pair": (699, 80),
    "order0_pair_atomic": (699, 80),
    "order3_pair": (969, 90),
    "order9_pair": (22359, 120),
    "batch1024": (1192, 100),
    "bulk": (220, 40),
    "churn50": (506, 150),
    "churn90": (500, 150),
    "kmalloc64_pair": (269, 60),
    "reserve": (907, 150),
    "refused_atomic": (1438, 300),
    "refused_nowait": (1284, 300),
    "exclusive_take": (None, 200),
    "exclusive_release": (None, 750),
    "handover": (None, 500),
    "worst_alloc": (7057, 500),
    "worst_free": (75194, 500),
    "lock": (None, 60),
    "interrupt": (None, 250),
    "switch": (None, 300),
    "boot": (None, 5000000),
}
LONG = ("churn50", "churn90", "worst_alloc", "worst_free")
LIMIT = scaled(300)


def compiler():
    """As it names itself in an object file of the kernel."""
    kernel = os.path.join(BUILD, "obj", "kernel", "main.c.o")
    command_line = ["readelf", "-p", ".comment", kernel]
    said = subprocess.run(command_line, capture_output=True, text=True, check=True)
    found = re.search(r"\]\s+(\S.*)", said.stdout)
    return found.group(1).strip() if found else "unknown"


def measure(words, names, memory=MEMORY):
    """Name: instructions, or None where there was no memory."""
    counts = {}
    with Qemu("bench", DIRECTORY, make_iso(words), memory=memory, **MACHINE) as machine:
        machine.console.expect(PROMPT, LIMIT)
        for name in names:
            said = command(machine, f"bench {name}", LIMIT)
            found = re.search(rf"^{name} +(\d+|NULL)", said, re.M)
            text = found.group(1) if found else "NULL"
            counts[name] = None if text == "NULL" else int(text)
    return counts


def hotpath():
    """The report of the shell's hotpath."""
    with Qemu("hotpath", DIRECTORY, make_iso(SWITCHES_OFF), memory=MEMORY, **MACHINE) as machine:
        machine.console.expect(PROMPT, LIMIT)
        return command(machine, "hotpath", LIMIT).strip("\n")


def hot_totals(said):
    """Instructions of a request, and of a free."""
    return [int(found) for found in re.findall(r"hotpath: .*: (\d+) instructions", said)]


def rows():
    # The short ones first, as the tests do: what lies on the lists decides a little.
    names = sorted(ROWS, key=lambda name: name in LONG)
    off, run = measure(SWITCHES_OFF, names), measure(plain_words(), names)
    return [
        {
            "name": name,
            "count": off[name],
            "count_run": run[name],
            "target": target,
            "linux": linux,
        }
        for name, (linux, target) in ROWS.items()
    ]


def number(value):
    return "–" if value is None else f"{value:,}"


def table(measured, made_with):
    lines = [
        f"Instructions, by a kernel made with {made_with}:\n",
        "\n",
        "| Name | All switches off | As `make run` starts | Linux 6.1 | Target |\n",
        "|---|---|---|---|---|\n",
    ]
    for row in measured:
        values = (row[key] for key in ("count", "count_run", "linux", "target"))
        cells = " | ".join(number(value) for value in values)
        lines.append(f"| {row['name']} | {cells} |\n")
    return "".join(lines)


def shown():
    """The table of the chapter: the compiler, and name: (count, count_run, target)."""
    text = read_block(CHAPTER, "bench")
    made_with = re.search(r"made with (.*):\n", text).group(1)
    counts = {}
    for line in text.splitlines():
        cells = [cell.strip().replace(",", "") for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[0] in ROWS:
            values = [int(cells[i]) if cells[i] != "–" else None for i in (1, 2, 4)]
            counts[cells[0]] = tuple(values)
    return made_with, counts


def hot_shown():
    """The chapter's report of hotpath."""
    return read_block(CHAPTER, "hotpath")


def write_json(name, measured, made_with):
    path = os.path.join(BUILD, "bench", name + ".json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"compiler": made_with, "rows": measured}, file, indent=1)


def write_chapter(measured, made_with):
    write_block(CHAPTER, "bench", table(measured, made_with))
    lines = [f"    {line}".rstrip() + "\n" for line in hotpath().splitlines()]
    write_block(CHAPTER, "hotpath", "\n" + "".join(lines))


def main(words):
    if words not in ([], ["--write"], ["hotpath"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if words == ["hotpath"]:
        print(hotpath())
        return 0
    measured, made_with = rows(), compiler()
    write_json("kernel", measured, made_with)
    print(table(measured, made_with), end="")
    if words:
        write_chapter(measured, made_with)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
