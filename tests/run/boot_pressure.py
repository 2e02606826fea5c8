# SPDX-License-Identifier: MIT
"""Twice the memory of a small machine, swapped while interrupts take pages."""

import os
import re

from bochs import Bochs
from lab import (
    boot_test,
    check,
    command,
    disk_copy,
    expect_selftest_passes,
    make_iso,
    number,
)


@boot_test
def pressure_on_all_of_8M(lab):
    """By kswapd and by those who ask; what is on the disk is no longer used."""
    disk = disk_copy(lab.directory)
    with lab.prompt(disk=disk, memory="8M") as qemu:
        said = command(qemu, "pressure")
        check("there is no swap" in said, f"without swap: {said!r}")
        command(qemu, "swapon hda2")
        said = command(qemu, "pressure 1", 180)
        check("all data intact" in said, f"pressure: {said!r}")
        pages = number(said, r"(\d+) anonymous pages", "pressure")
        memory = number(said, r"in (\d+) pages of memory", "pressure")
        check(pages == 2 * memory, f"{pages} pages in {memory}")
        for who in ("kswapd", "others"):
            pages = number(said, rf"(\d+) by {who}", "pressure")
            check(pages > 0, f"{who} reclaimed nothing")
        used = command(qemu, "swaps").splitlines()[1].split()[3]
        check(used == "0", f"{used} kB of swap are still used")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


@boot_test
def pressure_in_bochs_on_all_of_8M(lab):
    iso = make_iso("selftest=pressure")
    os.makedirs(lab.directory, exist_ok=True)
    disk = disk_copy(lab.directory)
    with Bochs(lab.name, lab.directory, iso, 8, disk=disk) as machine:
        expect_selftest_passes(machine)


def anonymous_pages(machine, name):
    """rss, swapents, oom_score_adj and badness of a thread."""
    said = command(machine, "oom_score_adj")
    found = re.search(rf" {name} +(\d+) +(\d+) +(-?\d+) +(\S+)$", said, re.M)
    check(found, f"oom_score_adj: {said!r}")
    return found.groups()


@boot_test
def the_shell_is_killed_for_what_it_filled_and_begins_anew(lab):
    """Without swap nothing else can be had back."""
    with lab.prompt("oom_score_adj=7", memory="8M") as qemu:
        command(qemu, "anon 100")
        command(qemu, "anon fill 1 1")
        row = anonymous_pages(qemu, "shell")
        check(row[:3] == ("100", "0", "7"), f"the shell has {row}")
        command(qemu, "anon 20000")
        said = command(qemu, "anon fill 2 2")
        good = "gives back all that it held (0 blocks, 2 objects)"
        check(good in said, f"anon fill: {said!r}")
        row = anonymous_pages(qemu, "shell")
        check(row[:2] == ("0", "0"), f"afterwards the shell has {row}")
        said = command(qemu, "vmstat oom_kill").split()
        check(said == ["oom_kill", "1"], f"vmstat: {said}")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


@boot_test
def oom_score_adj_is_range_checked(lab):
    with lab.prompt("oom_score_adj=1001 oom_score_adj=-5") as qemu:
        log = qemu.console.text
        check("bad value in 'oom_score_adj=1001'" in log, "1001 is taken")
        check(anonymous_pages(qemu, "shell")[2] == "-5", "-5 is not taken")
        found = re.search(r"(\d+) shell ", command(qemu, "oom_score_adj"))
        for value in ("-1001", "1001", "5x", "-"):
            said = command(qemu, f"oom_score_adj {found[1]} {value}")
            check("no number in -1000..1000" in said, f"{value}: {said!r}")
        command(qemu, f"oom_score_adj {found[1]} -1000")
        command(qemu, "anon 10")
        command(qemu, "anon fill 1 1")
        row = anonymous_pages(qemu, "shell")
        check(row == ("10", "0", "-1000", "never"), f"the shell has {row}")
        said = command(qemu, "sysctl oom_score_adj=1001")
        check("-1000..1000" in said, f"sysctl takes 1001: {said!r}")
        command(qemu, "sysctl oom_score_adj=-9")
        row = anonymous_pages(qemu, "shell")
        check(row[2] == "-9", f"the shell has {row}")
        said = command(qemu, "sysctl oom_score_adj")
        check("kernel.oom_score_adj = -9\n" in said, said)
        said = command(qemu, "oom_score_adj 9999 1")
        check("no thread 9999" in said, f"9999: {said!r}")
