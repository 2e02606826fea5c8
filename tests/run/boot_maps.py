# SPDX-License-Identifier: MIT
"""
The map zoo: GRUB cuts holes into the memory of differently built machines.

Three parties say which frames are memory: QEMU's machine minus the holes that
GRUB was told to cut, the map that the kernel says it was given, and the columns
of the zones.  Their counts must be the same, zone by zone.  Then the kernel
takes all memory there is and compares each frame with the map.
"""

import re

from lab import check, command, for_each, number
from ktap import END_POWER_OFF

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PAGE = 4096
ZONES = {"DMA": (0, 16 * MIB), "DMA32": (16 * MIB, 4 * GIB)}
ZONES["Normal"] = (4 * GIB, 1 << 40)
COLUMNS = ("free_pages", "isolate", "on_lists", "used_pages", "parked", "exclusive")
COLUMNS += ("bad",)

# Memory the BIOS keeps: above 639 KiB, and at the top of low memory.
BIOS_LOW = (0x9FC00, MIB)
BIOS_TOP = 256 * KIB


def cut(*holes):
    """GRUB's cutmem reads numbers of 32 bits, but K multiplies in 64."""

    def word(number):
        return hex(number) if number < 4 * GIB else f"{number // KIB}K"

    return [f"cutmem {word(start)} {word(end)}" for start, end in holes], holes


def bad(address, mask):
    """
    badram's notation: what agrees with ADDRESS in the bits of MASK.  GRUB looks
    for the first such address with a search that never ends if there is none
    above some entry of the map, so a bit above all memory is left open: 32 bits
    name one run of frames below 4 GiB, bits 0 to 62 one anywhere.
    """
    size = (mask & -mask)
    start = address & mask
    return [f"badram {address:#x},{mask:#x}"], ((start, start + size),)


def pieces(first, step, size, count):
    return cut(*((first + i * step, first + i * step + size) for i in range(count)))


WHOLE = ([], ())
FRAME = 0xFFFFF000
FRAME_ANYWHERE = 0x7FFFFFFFFFFFF000

# 64 MiB at 0, 192 MiB at 4 GiB.
TWO_PARTS = ("-M", "pc,max-ram-below-4g=64M")

# Name: memory, what is cut, more for QEMU.
MAPS = {
    "of_8M": ("8M", WHOLE, ()),
    "of_17M": ("17M", WHOLE, ()),
    "of_odd_holes": (
        "64M",
        cut((0x1234567, 0x1238889), (0x2000FFF, 0x2001001)),
        (),
    ),
    "of_a_hole_of_one_byte": ("64M", cut((0x3000000, 0x3000001)), ()),
    "of_a_last_byte_cut": ("64M", cut((0x2345FFF, 0x2346000)), ()),
    "of_a_hole_over_16M": ("64M", cut((15 * MIB + 1, 17 * MIB - 1)), ()),
    "of_overlapping_holes": (
        "64M",
        cut((0x2000000, 0x2100000), (0x2080001, 0x2180001)),
        (),
    ),
    "of_300_odd_pieces": ("40M", pieces(0x2000801, 0x4001, 0x7FF, 300), ()),
    "of_single_frames": ("32M", pieces(0x1801000, 0x2000, 0x1000, 100), ()),
    "with_a_bad_frame": ("64M", bad(0x2345000, FRAME), ()),
    "with_bad_64K": ("64M", bad(0x2340000, 0xFFFF0000), ()),
    "with_little_below_4G": ("256M", WHOLE, TWO_PARTS),
    "with_a_hole_and_little_below_4G": (
        "256M",
        cut((0x3F00FFF, 0x3F01001)),
        TWO_PARTS,
    ),
    "with_odd_holes_above_4G": (
        "256M",
        cut(
            (4 * GIB + 8193 * KIB, 4 * GIB + 8194 * KIB),
            (4 * GIB + 64 * MIB + 3 * KIB, 4 * GIB + 66 * MIB + KIB),
        ),
        TWO_PARTS,
    ),
    "with_a_bad_frame_above_4G": (
        "256M",
        bad(4 * GIB + 0x2345000, FRAME_ANYWHERE),
        TWO_PARTS,
    ),
    "of_6G": ("6G", cut((2 * GIB + 7, 2 * GIB + 9)), ()),
    "of_20G": ("20G", WHOLE, ()),
    "on_q35": ("128M", cut((0x1234567, 0x1238889)), ("-M", "q35")),
    "on_q35_with_4G": ("4G", WHOLE, ("-M", "q35")),
}


def bytes_of(size):
    return int(size[:-1]) * {"M": MIB, "G": GIB}[size[-1]]


def ram_of(memory, more):
    """The ranges of RAM of QEMU's machine (hw/i386/pc_piix.c, pc_q35.c)."""
    size, text = bytes_of(memory), " ".join(more)
    if "q35" in text:
        low = 2 * GIB if size >= 0xB0000000 else size
    else:
        low = 3 * GIB if size >= 0xE0000000 else size
    stated = re.search(r"max-ram-below-4g=(\w+)", text)
    low = min(low, bytes_of(stated[1])) if stated else low
    return [(0, low)] + [(4 * GIB, 4 * GIB + size - low)] * (size > low)


def without(ranges, holes):
    for start, end in holes:
        rest = []
        for a, b in ranges:
            rest += [(a, min(b, start)), (max(a, end), b)]
        ranges = [(a, b) for a, b in rest if a < b]
    return sorted(ranges)


def frames(ranges, within=(0, 1 << 40)):
    """Whole frames; ranges that touch have been joined."""
    count = 0
    for start, end in ranges:
        start, end = max(start, within[0]), min(end, within[1])
        count += max(0, end // PAGE - -(-start // PAGE))
    return count


def joined(ranges):
    result = []
    for start, end in sorted(ranges):
        if result and result[-1][1] >= start:
            result[-1][1] = max(result[-1][1], end)
        else:
            result.append([start, end])
    return [tuple(r) for r in result]


def stated_map(text):
    """The map that the kernel was given, cleaned once more."""
    entries = re.findall(
        r"boot: map ([0-9a-fx]+)\+([0-9a-fx]+) type (\d+)", text
    )
    check(entries, "the kernel does not say which map it was given")
    usable, other = [], []
    for base, length, kind in entries:
        start, size = int(base, 16), int(length, 16)
        (usable if kind == "1" else other).append((start, start + size))
    return without(joined(usable), other)


def check_zones(said, ranges):
    """The columns of each zone against the map."""
    for name, within in ZONES.items():
        zone = re.search(rf"zone +{name}\n(.*?)(?=Node 0|\Z)", said, re.DOTALL)
        check(zone, f"zoneinfo has no zone {name}: {said!r}")
        text, allowed = zone[1], frames(ranges, within)
        present = number(text, r"present +(\d+)", "zoneinfo")
        managed = number(text, r"managed +(\d+)", "zoneinfo")
        check(
            present == allowed,
            f"zone {name} has {present} pages, the map allows {allowed}",
        )
        check(managed <= present, f"zone {name} manages {managed}")
        if present:
            columns = COLUMNS + ("in_flight",)
            numbers = [number(text, rf"nr_{c} +(\d+)", name) for c in columns]
            check(
                sum(numbers) == managed,
                f"zone {name}: {numbers} are not {managed} pages",
            )


def check_qemu(ranges, memory, holes, more):
    """The map against the machine that QEMU made and the holes cut."""
    ram = ram_of(memory, more)
    real = without(ram, holes)
    strange = without(ranges, real)
    check(not strange, f"the map has memory that is not there: {strange}")
    top = ram[0][1]
    lost = without(without(real, ranges), [BIOS_LOW, (top - BIOS_TOP, top)])
    lost = [(a, b) for a, b in lost if a >= MIB]
    check(not lost, f"memory is missing from the map: {lost}")


@for_each(**{name: name for name in MAPS})
def map(lab, name):
    memory, (grub, holes), more = MAPS[name]
    with lab.prompt("loglevel=7", grub=grub, memory=memory, more=more) as qemu:
        ranges = stated_map(qemu.console.text)
        check_qemu(ranges, memory, holes, more)
        check_zones(command(qemu, "zoneinfo"), ranges)
        # Gigabytes take their time; one self-test of all machines has them.
        if bytes_of(memory) < GIB:
            said = command(qemu, "selftest boot_map", 120)
            check("2 passed, 0 failed" in said, f"boot_map: {said!r}")
        check_zones(command(qemu, "zoneinfo"), ranges)
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")
        qemu.send("poweroff\r")
        end = qemu.wait_end()
        check(end.kind == END_POWER_OFF, f"{end} instead of a power-off")


@for_each(cutmem="cutmem 1M 3M", badram="badram 0x100000,0xfff00000")
def map_that_cuts_the_kernel_away_gets_a_sentence(lab, line):
    with lab.boot(grub=[line], memory="64M") as qemu:
        qemu.console.expect(
            r"PANIC: the memory map says that there is no memory at 0x100000\.\."
            r"0x[0-9a-f]+, where the kernel lies"
        )
