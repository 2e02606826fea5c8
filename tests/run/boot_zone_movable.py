# SPDX-License-Identifier: MIT
"""ZONE_MOVABLE: where it begins on real machines, and who uses it."""

import re

from boot_cma import fill_9000_pages, pressure_is_survived
from boot_disk import drive  # noqa: F401
from lab import boot_test, check, command, disk_copy, number


def zone_of(said, name):
    """The lines of zoneinfo about one zone."""
    parts = re.split(r"(?=Node 0, zone +)", said)
    for part in parts:
        if re.match(rf"Node 0, zone +{name}\b", part):
            return part
    return ""


def start_of(qemu):
    """The first frame of ZONE_MOVABLE, or None."""
    part = zone_of(command(qemu, "zoneinfo"), "Movable")
    found = re.search(r"start_pfn: +(\d+)", part)
    return int(found[1]) if found and "managed  0" not in part else None


@boot_test
def a_zone_for_movable_pages_begins_where_linux_has_it(lab):
    """262144 frames, of which Linux sees those up to 262111 as well."""
    for words, memory, start in (
        ("kernelcore=512M", "1G", 132096),
        ("movablecore=100M", "1G", 236544),
        ("kernelcore=32M", "64M", 9216),
    ):
        with lab.prompt(words, memory=memory) as qemu:
            found = start_of(qemu)
            check(found == start, f"{words} with {memory}: {found}")
            said = command(qemu, "buddyinfo")
            check("Movable" in said, said)
            said = command(qemu, "pagetypeinfo")
            check("Movable" in said, said)
            said = command(qemu, "check")
            check("exactly one column" in said, said)


@boot_test
def a_zone_for_movable_pages_is_used_by_them_alone(lab):
    """24 of 64 MiB: pages are swapped; the kernel's fail while it is free."""
    disk = disk_copy(lab.directory)
    with lab.prompt("kernelcore=40M", disk=disk, memory="64M") as qemu:
        free = number(zone_of(command(qemu, "zoneinfo"), "Movable"),
                      r"pages free +(\d+)", "zoneinfo")
        fill_9000_pages(qemu)
        left = number(zone_of(command(qemu, "zoneinfo"), "Movable"),
                      r"pages free +(\d+)", "zoneinfo")
        check(left < free // 4, f"{left} of {free} are free")
        said = command(qemu, "anon verify 1", 60)
        check("9000 pages, 0 wrong" in said, said)
        command(qemu, "anon drop 1")
        pressure_is_survived(qemu)


@boot_test
def words_for_it_that_mean_nothing_are_said_and_the_kernel_boots(lab):
    for words, sentence in (
        ("kernelcore=mirror", "does not say which memory is mirrored"),
        ("movablecore=101%", "movablecore=101%: more than there can be"),
        ("kernelcore=much", "bad value in 'kernelcore=much'"),
        ("kernelcore=10G", "the kernel keeps all memory"),
    ):
        with lab.prompt(words, memory="64M") as qemu:
            said = " ".join(command(qemu, "log 80").split())
            check(sentence in said, f"{words}: {said}")
            check(start_of(qemu) is None, words)
