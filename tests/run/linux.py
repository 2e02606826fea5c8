# SPDX-License-Identifier: MIT
"""
A Linux kernel of Debian with a module of ours in QEMU: for bench_linux.py and
conformance.py.  The only user land is busybox, which loads the module and powers off.
"""

import os
import shutil
import subprocess

from machine import ROOT

INIT = """#!/bin/busybox sh
/bin/busybox mkdir /proc
/bin/busybox mount -t proc none /proc
echo 7 > /proc/sys/kernel/printk
/bin/busybox insmod /{module}
/bin/busybox poweroff -f
"""


def run(*words, **options):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **options)


def build_module(headers, folder, place):
    """FOLDER of the tree, built below PLACE against HEADERS; the module's path."""
    source = os.path.join(place, "module", folder)
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, folder), source)
    # Not with the variables of this make.
    clean = {k: v for k, v in os.environ.items() if "MAKE" not in k and k != "CC"}
    run("make", "-C", headers, f"M={source}", env=clean)
    built = [name for name in os.listdir(source) if name.endswith(".ko")]
    return os.path.join(source, built[0])


def initramfs(built, place):
    """A file system of busybox, the module, and an init that loads it."""
    tree = os.path.join(place, "tree")
    module = os.path.basename(built)
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, "bin"))
    shutil.copy("/bin/busybox", os.path.join(tree, "bin"))
    shutil.copy(built, tree)
    with open(os.path.join(tree, "init"), "w", encoding="utf-8") as file:
        file.write(INIT.format(module=module))
    os.chmod(os.path.join(tree, "init"), 0o755)
    names = f"init\n{module}\nbin\nbin/busybox\n"
    path = os.path.join(place, "initramfs")
    with open(path, "wb") as file:
        cpio = ("cpio", "-o", "-H", "newc", "--quiet")
        subprocess.run(cpio, input=names.encode(), stdout=file, cwd=tree, check=True)
    return path


def boot(image, files, place, limit, more, line):
    """Returns the text of the serial port.  MORE: words for QEMU; LINE: for Linux."""
    words = "qemu-system-x86_64 -M pc -accel tcg -smp 1"
    words += " -cpu max -nodefaults -display none -serial stdio -no-reboot " + more
    # Debian's kernel zeroes each page that it gives out; Labyrinth, as Linux by itself,
    # those that are requested with __GFP_ZERO.
    line = "console=ttyS0 nokaslr panic=-1 init_on_alloc=0 " + line
    call = [*words.split(), "-kernel", image, "-initrd", files, "-append", line]
    path = os.path.join(place, "serial.log")
    with open(path, "wb") as log:
        subprocess.run(call, stdin=subprocess.DEVNULL, stdout=log, timeout=limit, check=True)
    with open(path, encoding="utf-8", errors="replace") as log:
        return log.read()
