# SPDX-License-Identifier: MIT
"""An area of memory that is lent to movable pages, and asked back."""

import re

from boot_disk import drive  # noqa: F401
from lab import boot_test, check, command, disk_copy, number


def fill_9000_pages(qemu):
    """More than such a machine has free: some go to the disk."""
    command(qemu, "swapon hda2")
    command(qemu, "anon 9000")
    said = command(qemu, "anon fill 1 1", 60)
    check("9000 of 9000 pages filled" in said, said)


def pressure_is_survived(qemu):
    said = command(qemu, "pressure 1 18000", 240)
    check("all data intact" in said, said)
    said = command(qemu, "check")
    check("exactly one column" in said, said)


@boot_test
def an_area_is_lent_under_pressure_and_comes_back(lab):
    """16 of 64 MiB: pages are swapped and files written with it; half comes back."""
    disk = disk_copy(lab.directory)
    with lab.prompt("cma=16M", disk=disk, memory="64M") as qemu:
        said = command(qemu, "meminfo")
        check(number(said, r"CmaTotal: +(\d+) kB", "meminfo") == 16384, said)
        free = number(said, r"CmaFree: +(\d+) kB", "meminfo")
        check(free > 0, said)
        fill_9000_pages(qemu)
        said = command(qemu, "meminfo")
        lent = free - number(said, r"CmaFree: +(\d+) kB", "meminfo")
        check(lent > 4096, f"{lent} kB were lent: {said}")
        said = command(qemu, "cma alloc 2048 9", 60)
        taken = re.search(r"2048 pages from pfn (0x[0-9a-f]+) on", said)
        check(taken and int(taken[1], 16) % 512 == 0, said)
        said = command(qemu, "anon verify 1", 60)
        check("9000 pages, 0 wrong" in said, said)
        check("4096 pages" in command(qemu, "cma"), "cma")
        said = command(qemu, "check")
        check("exactly one column" in said, said)
        command(qemu, f"cma free {taken[1]} 2048")
        check(" 0 taken" in command(qemu, "cma"), "cma")
        command(qemu, "anon drop 1")
        pressure_is_survived(qemu)


@boot_test
def an_area_that_does_not_fit_is_said_and_the_kernel_boots(lab):
    with lab.prompt("cma=1G", memory="64M") as qemu:
        check("no place for 1048576 KiB" in command(qemu, "log 60"), "log")
        check("boot with cma=SIZE" in command(qemu, "cma"), "cma")
