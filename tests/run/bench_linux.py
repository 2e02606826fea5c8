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
import subprocess
import sys

from bench import ROWS
from machine import BUILD, ROOT, scaled

PLACE = os.path.join(BUILD, "linux")
LIMIT = scaled(900)
INIT = """#!/bin/busybox sh
/bin/busybox mkdir /proc
/bin/busybox mount -t proc none /proc
echo 7 > /proc/sys/kernel/printk
/bin/busybox insmod /bench_linux.ko
/bin/busybox poweroff -f
"""


def run(*words, **options):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **options)


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


def module(version):
    source = os.path.join(PLACE, "module")
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "tests", "linux"), source)
    # Not with the variables of this make.
    clean = {k: v for k, v in os.environ.items() if "MAKE" not in k and k != "CC"}
    run("make", "-C", f"/lib/modules/{version}/build", f"M={source}", env=clean)
    return os.path.join(source, "bench_linux.ko")


def initramfs(built):
    """A file system of busybox, the module, and an init that loads it."""
    tree = os.path.join(PLACE, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, "bin"))
    shutil.copy("/bin/busybox", os.path.join(tree, "bin"))
    shutil.copy(built, tree)
    with open(os.path.join(tree, "init"), "w", encoding="utf-8") as file:
        file.write(INIT)
    os.chmod(os.path.join(tree, "init"), 0o755)
    names = "init\nbench_linux.ko\nbin\nbin/busybox\n"
    path = os.path.join(PLACE, "initramfs")
    with open(path, "wb") as file:
        cpio = ("cpio", "-o", "-H", "newc", "--quiet")
        subprocess.run(cpio, input=names.encode(), stdout=file, cwd=tree, check=True)
    return path


def boot(image, files):
    """Returns the lines of the serial port."""
    words = "qemu-system-x86_64 -M pc -accel tcg -icount shift=0,sleep=off -smp 1"
    words += " -cpu max -m 512 -nodefaults -display none -serial stdio -no-reboot"
    # Debian's kernel zeroes each page that it gives out; Labyrinth, as Linux by itself,
    # those that are requested with __GFP_ZERO.
    line = "console=ttyS0 nokaslr panic=-1 init_on_alloc=0"
    call = [*words.split(), "-kernel", image, "-initrd", files, "-append", line]
    with open(os.path.join(PLACE, "serial.log"), "wb") as log:
        subprocess.run(call, stdin=subprocess.DEVNULL, stdout=log, timeout=LIMIT, check=True)
    with open(os.path.join(PLACE, "serial.log"), encoding="utf-8", errors="replace") as log:
        return log.read()


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
    said = boot(kernel(version), initramfs(module(version)))
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
