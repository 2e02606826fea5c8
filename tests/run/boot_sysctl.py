# SPDX-License-Identifier: MIT
"""
Marks and reserves of the zones, worked out once more in Python.

The formulas are Linux's: calculate_min_free_kbytes(),
__setup_per_zone_wmarks(), setup_per_zone_lowmem_reserve().
"""

import math
import re

from lab import boot_test, check, command, for_each

ZONES = ("DMA", "DMA32", "Normal", "Movable")
MARKS = ("min", "low", "high", "promo")


def zoneinfo(qemu):
    """{zone: {"min": ..., "managed": ..., "protection": [...]}}"""
    zones = {}
    for part in command(qemu, "zoneinfo").split("Node 0, zone")[1:]:
        name = part.split()[0]
        fields = dict(re.findall(r"^ +(?:pages )?(\w+) +(\d+)$", part, re.M))
        zones[name] = {key: int(value) for key, value in fields.items()}
        numbers = re.search(r"protection: \(([\d, ]+)\)", part)[1]
        zones[name]["protection"] = [int(n) for n in numbers.split(",")]
    return zones


def expected(zones, kbytes, scale, ratios):
    """The marks and the protection that zoneinfo should print."""
    managed = {name: zones[name]["managed"] for name in ZONES}
    lowmem = sum(managed[name] for name in ZONES[:3])
    answer = {}
    for at, name in enumerate(ZONES):
        share = kbytes // 4 * managed[name] // lowmem
        gap = max(share // 4, managed[name] * scale // 10000)
        lowest = share
        if name == "Movable":
            lowest = min(max(managed[name] // 1024, 32), 128)
        answer[name] = {m: lowest + i * gap for i, m in enumerate(MARKS)}
        protection, above = [], 0
        for other, upper in enumerate(ZONES):
            above += managed[upper] if other > at else 0
            counts = other > at and ratios[at] and managed[name]
            protection.append(above // ratios[at] if counts else 0)
        answer[name]["protection"] = protection
    return answer


def compare(qemu, kbytes, scale=10, ratios=(256, 256, 32, 0)):
    zones = zoneinfo(qemu)
    for name, fields in expected(zones, kbytes, scale, ratios).items():
        for field, value in fields.items():
            said = zones[name][field]
            check(said == value, f"{name} {field}: {said}, not {value}")


def set_knob(qemu, name, value):
    said = command(qemu, f"sysctl {name}={value}").strip()
    wanted = f"vm.{name} = {str(value).replace(',', ' ')}"
    check(said == wanted, f"sysctl {name}={value} says {said!r}")


def default_kbytes(qemu):
    managed = sum(zone["managed"] for zone in zoneinfo(qemu).values())
    return min(max(math.isqrt(16 * managed * 4), 128), 262144)


@for_each(at_4M="4M", at_64M="64M", at_5G="5G")
def marks_are_those_of_the_formula(lab, memory):
    """At boot, and after each change of a knob."""
    with lab.prompt(memory=memory) as qemu:
        kbytes = default_kbytes(qemu)
        compare(qemu, kbytes)
        for kbytes in (128, kbytes * 3 // 2, kbytes):
            set_knob(qemu, "min_free_kbytes", kbytes)
            compare(qemu, kbytes)
        for scale in (1, 3000, 150):
            set_knob(qemu, "watermark_scale_factor", scale)
            compare(qemu, kbytes, scale)
        for ratios in ((9, 8, 7, 6), (0, 0, 0, 0), (1, 2, 3, 0)):
            text = ",".join(map(str, ratios))
            set_knob(qemu, "lowmem_reserve_ratio", text)
            compare(qemu, kbytes, scale, ratios)
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


@boot_test
def knobs_are_set_on_the_command_line(lab):
    words = (
        "min_free_kbytes=3000 watermark_scale_factor=77 "
        "lowmem_reserve_ratio=100,50,25,0 swappiness=201 swappiness=7"
    )
    with lab.prompt(words) as qemu:
        log = qemu.console.text
        check("bad value in 'swappiness=201'" in log, "201 is not refused")
        compare(qemu, 3000, 77, (100, 50, 25, 0))
        said = command(qemu, "sysctl swappiness").strip()
        check(said == "vm.swappiness = 7", f"sysctl says {said!r}")
        said = command(qemu, "sysctl vm.swappiness=-1")
        check("out of range" in said and "0..200" in said, f"-1: {said!r}")


@boot_test
def min_free_kbytes_of_more_than_half_of_memory_is_refused(lab):
    with lab.prompt("min_free_kbytes=262144", memory="32M") as qemu:
        check("too much for this machine" in qemu.console.text, "no warning")
        said = command(qemu, "sysctl min_free_kbytes=262144")
        check("too much for this machine" in said, f"sysctl says {said!r}")
        compare(qemu, default_kbytes(qemu))
