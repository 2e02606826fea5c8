#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: bench_linux.py

`make bench-linux`: the loops of `make bench` in the distribution's own kernel, in the
same QEMU.  The kernel is the newest linux-image package that there are headers for; it
is unpacked below build/, not installed.  tests/linux/ is built as its module, busybox
loads it, and the ratios to build/bench/kernel.json are printed.
"""

import glob
import json
import os
import re
import shutil
import sys

from bench import ROWS
from linux import boot, build_module, initramfs, run
from machine import BUILD, scaled

PLACE = os.path.join(BUILD, "linux")
LIMIT = scaled(900)


def release():
    """The newest one with headers: 6.1.0-57-amd64."""
    found = glob.glob("/lib/modules/*-amd64/build/Makefile")
    if not found:
        raise SystemExit("bench-linux: there are no headers of a Debian kernel")
    names = [path.split("/")[3] for path in found]
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def kernel(version):
    """Its image, unpacked out of the package."""
    image = os.path.join(PLACE, "boot", f"vmlinuz-{version}")
    if not os.path.exists(image):
        run("apt-get", "-q", "download", f"linux-image-{version}", cwd=PLACE)
        package = glob.glob(os.path.join(PLACE, f"linux-image-{version}_*.deb"))[0]
        run("dpkg-deb", "-x", package, PLACE)
        os.unlink(package)
        shutil.rmtree(os.path.join(PLACE, "lib"), ignore_errors=True)
    return image


def ours():
    path = os.path.join(BUILD, "bench", "kernel.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {row["name"]: row["count"] for row in json.load(file)["rows"]}


def main(words):
    if words:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    os.makedirs(PLACE, exist_ok=True)
    version = release()
    module = build_module(f"/lib/modules/{version}/build", "tests/linux", PLACE)
    files = initramfs(module, PLACE)
    said = boot(kernel(version), files, PLACE, LIMIT, "-m 512 -icount shift=0,sleep=off", "")
    found = dict(re.findall(r"bench: (\w+) (\d+|NULL)", said))
    if "bench: end" not in said:
        raise SystemExit(f"bench-linux: it did not come to its end: {PLACE}/serial.log")
    labyrinth = ours()
    print(f"Instructions; Linux is {version}\n")
    print(f"{'':20}{'Labyrinth':>12}{'Linux':>12}{'ratio':>8}")
    for name in ROWS:
        if name not in found:
            continue
        mine, other = labyrinth.get(name), found[name]
        known = mine is not None and other != "NULL"
        ratio = f"{mine / int(other):8.2f}" if known else f"{'':8}"
        print(f"{name:20}{mine if mine is not None else '-':>12}{other:>12}{ratio}")
    if not labyrinth:
        print("\nLabyrinth's come from `make bench`.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
