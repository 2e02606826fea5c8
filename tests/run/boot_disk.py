# SPDX-License-Identifier: MIT
"""
Disks: the host finds the bytes that the kernel wrote, errors and time-outs are
reported and nothing else is lost, and a machine without a disk works.

Errors come from QEMU's blkdebug, which stands between the disk and its image and
fails what its rules say.
"""

import os
import re
import shutil
import struct

from lab import boot_test, check, command, disk_copy, for_each, logged
from ktap import END_POWER_OFF, END_QUIT
from lab import expect_end
from machine import PROMPT
from qemu import GUEST_TIME

SECTOR = 512
SCRATCH = 165888  # where hda3 begins: iso/mkdisk
SUPERBLOCK = 2048 + 2  # of hda1, in which each mount is noted


def pattern(sector, seed):
    """The contents that `scribble` writes to a sector."""
    words = [(sector << 16 | i) ^ seed << 32 for i in range(64)]
    return struct.pack("<64Q", *words)


def sectors_of(path, first, count):
    with open(path, "rb") as image:
        image.seek(first * SECTOR)
        return image.read(count * SECTOR)


def power_off(qemu):
    qemu.send("poweroff\r")
    expect_end(qemu, END_POWER_OFF)


def drive(path, rules="", cache="unsafe"):
    """Options for a disk behind blkdebug with the text RULES; with CACHE unsafe
    QEMU does nothing for a flush."""
    config = path + ".rules"
    with open(config, "w") as file:
        file.write(rules)
    image = f"file.image.driver=file,file.image.filename={path}"
    return (
        "-drive",
        f"if=ide,index=0,id=disk,cache={cache},werror=report,rerror=report,"
        f"driver=raw,file.driver=blkdebug,file.config={config},{image}",
    )


@for_each(dma="ata=dma", pio="ata=pio")
def disk_gets_what_is_written_and_nothing_else(lab, words):
    path = disk_copy(lab.directory)
    before = shutil.copyfile(path, path + ".before")
    with lab.prompt(words, disk=path) as qemu:
        said = command(qemu, "scribble hda3 24 200 7")
        check("200 sectors written\n" in said, said)
        said = command(qemu, "hexdump hda3 223")
        first = " ".join(f"{b:02x}" for b in pattern(223, 7)[:16])
        check(first in said, said)
        power_off(qemu)
    size = os.path.getsize(before) // SECTOR
    check(os.path.getsize(path) == size * SECTOR, "the image grew")
    expected = sectors_of(before, 0, SUPERBLOCK)
    expected += sectors_of(path, SUPERBLOCK, 2)
    first = SUPERBLOCK + 2
    expected += sectors_of(before, first, SCRATCH + 24 - first)
    expected += b"".join(pattern(i, 7) for i in range(24, 224))
    rest = SCRATCH + 224
    expected += sectors_of(before, rest, size - rest)
    check(sectors_of(path, 0, size) == expected, "the image differs")


READ_ERROR = f"""
[inject-error]
event = "read_aio"
iotype = "read"
errno = "5"
sector = "{SCRATCH + 40}"
once = "off"
"""

WRITE_ERROR = f"""
[inject-error]
event = "write_aio"
iotype = "write"
errno = "5"
sector = "{SCRATCH + 40}"
once = "off"
"""


@for_each(dma="ata=dma", pio="ata=pio")
def disk_read_error_is_told_and_nothing_else_lost(lab, words):
    path = disk_copy(lab.directory)
    with lab.prompt(words, more=drive(path, READ_ERROR)) as qemu:
        said = command(qemu, "scribble hda3 39 3 1")
        check("3 sectors written\n" in said, said)
        said = command(qemu, "hexdump hda3 40")
        check("hda3: cannot be read: error 5" in said, said)
        where = rf"hda: read of sector {SCRATCH + 40} failed: status "
        check(re.search(where + r"0x\w+.* ERR, error 0x04 ABRT", said), said)
        for sector in (39, 41):
            said = command(qemu, f"hexdump hda3 {sector}")
            check("0000000000000" not in said and "|" in said, said)
        said = command(qemu, "disks")
        check(re.search(r"hda3 .* da +3 +3 +1 +1 +0\n", said), said)
        power_off(qemu)
    for sector in (39, 40, 41):
        data = sectors_of(path, SCRATCH + sector, 1)
        check(data == pattern(sector, 1), f"sector {sector} differs")


@for_each(dma="ata=dma", pio="ata=pio")
def disk_write_error_is_told_and_nothing_else_lost(lab, words):
    path = disk_copy(lab.directory)
    with lab.prompt(words, more=drive(path, WRITE_ERROR)) as qemu:
        said = command(qemu, "scribble hda3 38 4 1")
        check("2 sectors written, then error 5\n" in said, said)
        check(f"hda: write of sector {SCRATCH + 40} failed" in said, said)
        said = command(qemu, "scribble hda3 41 2 1")
        check("2 sectors written\n" in said, said)
        power_off(qemu)
    for sector in (38, 39, 41, 42):
        data = sectors_of(path, SCRATCH + sector, 1)
        check(data == pattern(sector, 1), f"sector {sector} differs")
    check(sectors_of(path, SCRATCH + 40, 1) == bytes(SECTOR), "40 was written")


def slow_down(qemu):
    """
    All of QEMU on one CPU of the host, its main loop behind the guest: what
    the guest starts there, like the reset of a disk, is late.
    """
    cpu = min(os.sched_getaffinity(0))
    for thread in os.listdir(f"/proc/{qemu.process.pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})
    os.setpriority(os.PRIO_PROCESS, qemu.process.pid, 19)


@boot_test
def disk_whose_reset_takes_long_is_found(lab):
    path = disk_copy(lab.directory)
    for _ in range(3):
        with lab.boot(disk=path, stopped=True) as qemu:
            slow_down(qemu)
            qemu.qmp("cont")
            qemu.console.expect(PROMPT, 240)
            check("hda: " in qemu.console.text, "the disk was not found")


@boot_test
def disk_that_does_not_answer_is_given_up(lab):
    """Throttled to nearly nothing, a request takes longer than the limit."""
    path = disk_copy(lab.directory)
    slow = drive(path)
    with lab.prompt("disk_timeout=2", more=slow) as qemu:
        said = command(qemu, "scribble hda3 0 1 1")
        check("1 sectors written\n" in said, said)
        qemu.qmp(
            "block_set_io_throttle",
            device="disk",
            **{"bps": 8, "bps_rd": 0, "bps_wr": 0},
            **{"iops": 0, "iops_rd": 0, "iops_wr": 0},
        )
        # This one is let through; at 8 bytes a second the next has a minute.
        command(qemu, "hexdump hda3 0")
        said = command(qemu, "hexdump hda3 1", 120)
        check("no answer within 2000 ms, given up" in said, said)
        check("hda3: cannot be read: error 110" in said, said)
        check("hda: answers again after a reset" in said, said)
        qemu.qmp(
            "block_set_io_throttle",
            device="disk",
            **{"bps": 0, "bps_rd": 0, "bps_wr": 0},
            **{"iops": 0, "iops_rd": 0, "iops_wr": 0},
        )
        said = command(qemu, "scribble hda3 1 4 1")
        check("4 sectors written\n" in said, said)
        said = command(qemu, "disks")
        check(re.search(r"hda3 .* [1-9]\d*\n", said), said)
        power_off(qemu)
    for sector in range(5):
        data = sectors_of(path, SCRATCH + sector, 1)
        check(data == pattern(sector, 1), f"sector {sector} differs")


@boot_test
def disk_of_200_gb_is_written_to_its_end(lab):
    """Beyond 2^28 sectors: LBA48.  The table of partitions is all zeroes."""
    sectors = 200 << 21
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, "large.img")
    with open(path, "wb") as image:
        image.truncate(sectors * SECTOR)
    with lab.prompt(disk=path) as qemu:
        for first in ((1 << 28) - 2, sectors - 3):
            said = command(qemu, f"scribble hda {first} 3 5")
            check("3 sectors written\n" in said, said)
        said = command(qemu, f"scribble hda {sectors - 1} 2 5")
        check("1 sectors written, then error 5" in said, said)
        said = logged(qemu)
        check("hda: no partitions: sector 0 does not end in 55 aa" in said, said)
        power_off(qemu)
    for first in ((1 << 28) - 2, sectors - 3):
        for sector in range(first, first + 3):
            data = sectors_of(path, sector, 1)
            check(data == pattern(sector, 5), f"sector {sector} differs")
    os.remove(path)


LAST_28 = 0x0FFFFFFE  # the last sector that a command of 28 bits may name
NAMES = {"dma": (0xC8, 0x25, 0xCA, 0x35), "pio": (0x20, 0x24, 0x30, 0x34)}


def commands_of(trace, position):
    """The commands that QEMU's disk has got since POSITION of its trace."""
    with open(trace, encoding="utf-8", errors="replace") as file:
        file.seek(position)
        text = file.read()
    return [int(word, 16) for word in re.findall(r"exec_cmd.*cmd (0x\w+)", text)]


@for_each(dma="dma", pio="pio")
def commands_of_28_bits_end_before_sector_0fffffff(lab, how):
    """Each transfer that touches 0x0fffffff is a command of 48 bits, and none
    that ends before it; QEMU says which commands came."""
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, "large.img")
    with open(path, "wb") as image:
        image.truncate(150 * 10**9)
    more = ("-trace", "enable=ide*exec_cmd")
    read, read_ext, write, write_ext = NAMES[how]
    cases = [
        (f"hexdump hda {LAST_28} 1", {read}),
        (f"hexdump hda {LAST_28 + 1} 1", {read_ext}),
        (f"hexdump hda {LAST_28 + 2} 1", {read_ext}),
        (f"scribble hda {LAST_28} 1 5", {write}),
        (f"scribble hda {LAST_28 + 1} 1 5", {write_ext}),
        (f"scribble hda {LAST_28 + 2} 1 5", {write_ext}),
    ]
    with lab.prompt(f"ata={how}", disk=path, more=more) as qemu:
        trace = qemu.file("qemu.log")
        for line, allowed in cases:
            position = os.path.getsize(trace)
            said = command(qemu, line)
            got = set(commands_of(trace, position)) - {0xEA}
            check(got == allowed, f"{line}: {[hex(c) for c in got]}: {said!r}")
        check(0xE7 not in commands_of(trace, 0), "a flush of 28 bits")
        power_off(qemu)
    for sector in range(LAST_28, LAST_28 + 3):
        data = sectors_of(path, sector, 1)
        check(data == pattern(sector, 5), f"sector {sector} differs")
    os.remove(path)


@boot_test
def without_a_disk_the_shell_says_so(lab):
    with lab.prompt() as qemu:
        check("no disk\n" in command(qemu, "disks"), "disks says otherwise")
        said = command(qemu, "hexdump hda 0")
        check("hda: no such device" in said, said)
        check("ata: no disk" in logged(qemu), "nothing in the log")
        power_off(qemu)


@boot_test
def without_pci_the_disk_works_by_pio(lab):
    path = disk_copy(lab.directory)
    with lab.prompt(disk=path, more=("-M", "isapc")) as qemu:
        said = logged(qemu)
        check(re.search(r"hda: .*, PIO", said), said)
        said = command(qemu, "scribble hda3 0 9 3")
        check("9 sectors written\n" in said, said)
        # Such a machine has no power to turn off.
        qemu.qmp("quit")
        expect_end(qemu, END_QUIT)
    for sector in range(9):
        data = sectors_of(path, SCRATCH + sector, 1)
        check(data == pattern(sector, 3), f"sector {sector} differs")


@boot_test
def two_disks_on_one_cable_take_turns(lab):
    path = disk_copy(lab.directory)
    other = shutil.copyfile(path, path + ".slave")
    slave = f"file={other},format=raw,if=ide,index=1,cache=unsafe"
    with lab.prompt(disk=path, more=("-drive", slave, *GUEST_TIME)) as qemu:
        for i in range(4):
            for name in ("hda3", "hdb3"):
                said = command(qemu, f"scribble {name} {i} 1 {ord(name[2])}")
                check("1 sectors written\n" in said, said)
        power_off(qemu)
    for name, image in (("a", path), ("b", other)):
        for sector in range(4):
            data = sectors_of(image, SCRATCH + sector, 1)
            check(data == pattern(sector, ord(name)), f"hd{name} differs")
