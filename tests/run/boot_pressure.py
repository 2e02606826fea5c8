# SPDX-License-Identifier: MIT
"""
Twice the memory of a small machine, swapped while interrupts take pages and
files are written, which are then looked at on the host.
"""

import os
import re
import struct

from bochs import Bochs
from boot_disk import drive
from boot_files import (
    BLOCK,
    FIRST_SECTOR,
    blocks_of,
    power_off,
    take_out,
    tool,
)
from boot_swap import SWAP_SECTOR
from lab import (
    boot_test,
    check,
    command,
    disk_copy,
    expect_selftest_passes,
    long_test,
    make_iso,
    number,
)

FILES = 8


def contents(file, version):
    """The expected contents of /pressure-FILE: kernel/demo/pressure_files.h."""
    size = 40000 + version * 79190 % 600000
    words = (size + 7) // 8
    first = file << 56 | version << 32
    return struct.pack(f"<{words}Q", *range(first, first + words))[:size]


def file_on(part, file):
    """Version and bytes of /pressure-FILE."""
    path = f"{part}-{file}"
    tool("debugfs", "-R", f"dump /pressure-{file} {path}", part)
    with open(path, "rb") as dumped:
        data = dumped.read()
    check(len(data) >= 8, f"/pressure-{file} has {len(data)} bytes")
    return struct.unpack("<Q", data[:8])[0] >> 32 & 0xFFFFFF, data


def wrong_blocks(data, expected):
    check(len(data) == len(expected), f"{len(data)} bytes, not {len(expected)}")
    size = BLOCK * 512
    blocks = range(0, len(data), size)
    return sum(data[at:][:size] != expected[at:][:size] for at in blocks)


def check_files(disk, written, lost=()):
    """e2fsck is content; each file is what was written last, and WRITTEN is how
    often that was.  Of the one in LOST one block is wrong.  If it is the first, which
    names the version, that is what is missing from WRITTEN."""
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    found = {file: file_on(part, file) for file in range(1, FILES + 1)}
    others = sum(version for file, (version, _) in found.items() if file not in lost)
    for file, (version, data) in found.items():
        if file in lost:
            version = written - others
        wrong = wrong_blocks(data, contents(file, version))
        check(wrong == (file in lost), f"/pressure-{file}: {wrong} blocks wrong")
    check(lost or others == written, f"{written} were written, {others} are there")
    return part


def check_clean(part):
    check("not" not in state_of(part), "the state is not clean")


def state_of(part):
    said = tool("dumpe2fs", "-h", part)
    return re.search(r"Filesystem state: +(.*)", said).group(1)


def check_report(said, ranges=True):
    """Check all of the report but the disk.  Returns the number of files written."""
    # Its lines are folded, and the progress before it has numbers of pages, too.
    said = re.sub(r".* (?=\d+ anonymous pages )", "", " ".join(said.split()))
    pages = number(said, r"(\d+) anonymous pages", "pressure")
    memory = number(said, r"in (\d+) pages of memory", "pressure")
    check(pages == 2 * memory, f"{pages} pages in {memory}")
    for what in (
        "pages to swap",
        "by kswapd",
        "by others",
        "timer interrupts",
        "keyboard interrupts",
        "exclusive pages",
        "pages of files reclaimed",
        "written by the flusher",
        "times a writer waited",
        *(["times 2 MiB in one piece"] if ranges else []),
    ):
        check(number(said, rf"(\d+) {what}", "pressure") > 0, f"no {what}")
    for what in (
        "0 pages wrong, 0 unreadable, 0 killed",
        "; 0 NULLs above the floor",
        " 0 bytes wrong, 0 calls failed",
        "; 0 times against NOFS, 0 against NOIO",
    ):
        check(what in said, f"pressure: {said!r}, without {what!r}")
    return number(said, r"(\d+) files written", "pressure")


@boot_test
def pressure_on_all_of_16M(lab):
    """Swap, files and interrupts at the same time; none of the memory stays in use."""
    disk = disk_copy(lab.directory)
    with lab.prompt(disk=disk, memory="16M") as qemu:
        said = command(qemu, "pressure")
        check("there is no swap" in said, f"without swap: {said!r}")
        command(qemu, "swapon hda2")
        said = command(qemu, "pressure 1", 180)
        written = check_report(said)
        check("all data intact" in said, f"pressure: {said!r}")
        used = command(qemu, "swaps").splitlines()[1].split()[3]
        check(used == "0", f"{used} kB of swap are still used")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")
        power_off(qemu)
    check_clean(check_files(disk, written))


@boot_test
def pressure_without_files_and_ended(lab):
    """Where nothing is mounted for writing it does without; ^C ends it."""
    with lab.prompt(disk=disk_copy(lab.directory), memory="8M") as qemu:
        command(qemu, "umount")
        command(qemu, "mount hda1 ro")
        command(qemu, "swapon hda2")
        qemu.send("pressure 1000\r")
        qemu.console.expect("C ends it")
        said = command(qemu, "\x03")
        check("nothing is mounted for writing" in said, f"it says {said!r}")
        check("ended by ^C; all invariants held" in said, f"it says {said!r}")


@long_test
def pressure_in_bochs_on_all_of_8M(lab):
    iso = make_iso("selftest=pressure")
    os.makedirs(lab.directory, exist_ok=True)
    disk = disk_copy(lab.directory)
    with Bochs(lab.name, lab.directory, iso, 8, disk=disk) as machine:
        expect_selftest_passes(machine)
        said = machine.console.text
    written = number(said, r"(\d+) files written", "the suite")
    check_clean(check_files(disk, written))


# ---- A disk that fails


def rule(sector, once):
    return (
        f'[inject-error]\nevent = "write_aio"\niotype = "write"\nerrno = "5"\n'
        f'sector = "{sector}"\nonce = "{once}"\n'
    )


def block_of_files(disk):
    """A block that the files will need: not far above the first free one."""
    said = tool("dumpe2fs", take_out(disk))
    return number(said, r"^  Free blocks: (\d+)-", "dumpe2fs") + 40


def sector_of(block):
    return FIRST_SECTOR + block * BLOCK


@boot_test
def write_errors_under_pressure_lose_nothing(lab):
    """One in a swap slot, one in a block of a file; both are written later."""
    disk = disk_copy(lab.directory)
    sector = sector_of(block_of_files(disk))
    slot = rule(SWAP_SECTOR + 8 * 500, "on")
    more = drive(disk, slot + rule(sector, "on"))
    with lab.prompt(memory="8M", more=more) as qemu:
        command(qemu, "swapon hda2")
        said = command(qemu, "pressure 1", 180)
        written = check_report(said, ranges=False)
        check("all data intact" in said, f"pressure: {said!r}")
        check("/pressure-" not in said, f"pressure: {said!r}")
        for words in (
            "Write-error on swap-device (hda2:500): error 5",
            f"hda: write of sector {sector} failed",
        ):
            check(words in qemu.console.text, f"the log is without {words!r}")
        said = command(qemu, "disks")
        check(re.search(r"hda1 .* 1 +0\n", said), f"disks: {said!r}")
        said = command(qemu, "swaps")
        check(re.search(r"\s65528\s+0\s", said), f"swaps: {said!r}")
        said = command(qemu, "swapoff hda2").strip()
        check(not said, f"swapoff: {said!r}")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")
        power_off(qemu)
    check_clean(check_files(disk, written))


@boot_test
def a_bad_sector_under_pressure_is_one_file_and_told(lab):
    """Each write of it fails: the file that has it in the end is named, and only
    that; all others are on the disk."""
    disk = disk_copy(lab.directory)
    block = block_of_files(disk)
    bad = rule(sector_of(block), "off")
    with lab.prompt(memory="8M", more=drive(disk, bad)) as qemu:
        command(qemu, "swapon hda2")
        said = command(qemu, "pressure 1", 180)
        written = check_report(said, ranges=False)
        words = f"hda: write of sector {sector_of(block)} failed"
        check(words in qemu.console.text, f"the log is without {words!r}")
        power_off(qemu)
    part = take_out(disk)
    owner = [i for i in range(1, FILES + 1)
             if block in blocks_of(part, f"pressure-{i}")]
    named = re.findall(r"/pressure-(\d): not all of it is on the disk", said)
    if "not all blocks of the file system are on the disk" in said:
        check(not named, f"files {named} are named for a block of numbers")
        return
    check([int(i) for i in named] == owner, f"{named} named, {owner} have it")
    verdict = "not all of a file is" if owner else "all data intact"
    check(verdict in said, f"pressure: {said!r}")
    check_files(disk, written, owner)
    check(("not" in state_of(part)) == bool(owner), "the state does not tell")


@boot_test
def requests_that_fail_under_pressure_lose_nothing(lab):
    """Two of a hundred requests of every caller fail: some pages and files cannot
    be allocated, and the others hold the data that was written."""
    disk = disk_copy(lab.directory)
    with lab.prompt(memory="8M", disk=disk) as qemu:
        command(qemu, "swapon hda2")
        command(qemu, "fail probability=2 times=-1 min-order=0 verbose=0 "
                "ignore-gfp-wait=0 ignore-gfp-highmem=0")
        said = " ".join(command(qemu, "pressure 2", 180).split())
        command(qemu, "fail off")
        check(" 0 pages wrong, " in said, f"pressure: {said!r}")
        check(" 0 bytes wrong, " in said, f"pressure: {said!r}")
        for what in ("unreadable", "calls failed"):
            check(number(said, rf"(\d+) {what}", "pressure") > 0, f"0 {what}")
        said = command(qemu, "swapoff hda2").strip()
        check(not said, f"swapoff: {said!r}")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")
        power_off(qemu)
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    check_clean(part)


# ---- Who is killed


def anonymous_pages(machine, name):
    """rss, swapents, oom_score_adj and badness of a thread."""
    said = command(machine, "oom_score_adj")
    found = re.search(rf" {name} +(\d+) +(\d+) +(-?\d+) +(\S+)$", said, re.M)
    check(found, f"oom_score_adj: {said!r}")
    return found.groups()


@boot_test
def the_shell_is_killed_for_what_it_filled_and_begins_anew(lab):
    """Without swap there is nothing else to reclaim."""
    with lab.prompt("oom_score_adj=7", memory="8M") as qemu:
        command(qemu, "anon 100")
        command(qemu, "anon fill 1 1")
        row = anonymous_pages(qemu, "shell")
        check(row[:3] == ("100", "0", "7"), f"the shell has {row}")
        command(qemu, "anon 20000")
        said = command(qemu, "anon fill 2 2")
        good = "frees all that it held (0 blocks, 2 objects)"
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


@boot_test
def pressure_where_memory_is_kept_for_movable_pages(lab):
    """With ZONE_MOVABLE and a CMA area, what is left to it is as little as it says."""
    disk = disk_copy(lab.directory)
    with lab.prompt("kernelcore=24M cma=4M", disk=disk, memory="64M") as qemu:
        command(qemu, "swapon hda2")
        said = command(qemu, "pressure 1 1200", 300)
        check_report(said, ranges=False)
        swapped = number(said, r"(\d+) pages to swap, \d+ from it;", "pressure")
        check(swapped >= 1200, f"only {swapped} of 2400 pages had no room")
        check("all data intact" in said, f"pressure: {said!r}")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")
        power_off(qemu)
