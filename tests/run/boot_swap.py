# SPDX-License-Identifier: MIT
"""Swap on a real disk: twice as much anonymous memory as there is RAM."""

import re

from lab import boot_test, check, command, disk_copy, number
from machine import Failure

# hda2 of iso/mkdisk: 64 MiB from this sector on, one page of it the header.
SWAP_SECTOR = 34816
SWAP_KB = 64 * 1024 - 4


def prompt_with_disk(lab, **options):
    return lab.prompt(disk=disk_copy(lab.directory), **options)


def says(machine, line, pattern, limit=60):
    said = command(machine, line, limit)
    check(re.search(pattern, said), f"{line}: {said!r}, without {pattern!r}")


def nothing_said(machine, line, limit=60):
    said = command(machine, line, limit).strip()
    check(said == "", f"{line}: {said!r}")


def free_or_parked(machine):
    """Free pages, those on lists too; reclaim lets the parked pool give some back."""
    said = command(machine, "vmstat nr_")
    return sum(
        number(said, rf"^nr_{what} +(\d+)$", "vmstat")
        for what in ("free_pages", "pcp", "parked")
    )


@boot_test
def swapon_takes_the_partition_that_mkswap_made(lab):
    with prompt_with_disk(lab) as qemu:
        nothing_said(qemu, "swapon hda2 7")
        said = command(qemu, "swaps").splitlines()
        heading = ["Filename", "Type", "Size", "Used", "Priority"]
        check(said[0].split() == heading, f"swaps begins {said[0]!r}")
        row = ["/dev/hda2", "partition", str(SWAP_KB), "0", "7"]
        check(said[1].split() == row, f"swaps says {said[1]!r}")
        memory = command(qemu, "meminfo")
        for label in ("SwapTotal", "SwapFree"):
            kb = number(memory, rf"^{label}: +(\d+) kB$", "meminfo")
            check(kb == SWAP_KB, f"{label} is {kb} kB")
        says(qemu, "swapon hda2", "in use")
        nothing_said(qemu, "swapoff hda2")
        check(len(command(qemu, "swaps").splitlines()) == 1, "it still is on")
        says(qemu, "swapoff hda2", "not on")


@boot_test
def swapon_refuses_what_is_no_swap_area(lab):
    with prompt_with_disk(lab) as qemu:
        nothing_said(qemu, "umount")
        says(qemu, "swapon hda1", "hda1: there is no swap header")
        says(qemu, "swapon hda", "hda: there is no swap header")
        says(qemu, "mount hda1", "hda1 mounted")
        says(qemu, "swapon hdx", "there is no disk 'hdx'")
        says(qemu, "swapon hda2 32768", "not in 0..32767")


@boot_test
def a_disk_is_for_files_or_for_swap(lab):
    """A header at the disk's very begin, where a partition table is, too."""
    path = disk_copy(lab.directory)
    with open(path, "r+b") as disk:
        disk.seek(SWAP_SECTOR * 512)
        header = disk.read(4096)[1024:]
        disk.seek(1024)
        disk.write(header)
    with lab.prompt(disk=path) as qemu:
        for device in "hda", "hda1":
            says(qemu, f"swapon {device}", f"{device}: it is in use")
        nothing_said(qemu, "swapon hda2")
        nothing_said(qemu, "umount")
        says(qemu, "swapon hda", "hda: it is in use")
        says(qemu, "mount hda2", "hda2: in use")
        says(qemu, "mount hda", "hda: in use")
        nothing_said(qemu, "swapoff hda2")
        nothing_said(qemu, "swapon hda")
        says(qemu, "mount hda1", "hda1: in use")
        nothing_said(qemu, "swapoff hda")
        says(qemu, "mount hda1", "hda1 mounted")


@boot_test
def dirty_in_the_reports_is_what_files_have_to_write(lab):
    """Anonymous pages are dirty, too: nothing on swap is like them."""
    pages = 500
    with prompt_with_disk(lab) as qemu:
        says(qemu, f"anon {pages}", f"object 1: {pages} pages")
        says(qemu, "anon verify 1", f"{pages} pages, 0 wrong")
        says(qemu, "anon fill 1 1", f"{pages} of {pages} pages filled")
        memory = command(qemu, "meminfo")
        dirty = number(memory, r"^Dirty: +(\d+) kB$", "meminfo")
        check(dirty < pages, f"{dirty} kB are dirty, and no file was written")


@boot_test
def swapping_twice_the_memory_loses_nothing(lab):
    """16 objects of 1 MiB in 8 MiB of RAM, out and in for two rounds."""
    objects, pages = 16, 256
    with prompt_with_disk(lab, memory="8M") as qemu:
        # Pages of files come and go.
        nothing_said(qemu, "umount")
        free = free_or_parked(qemu)
        nothing_said(qemu, "swapon hda2")
        for i in range(1, objects + 1):
            says(qemu, f"anon {pages}", f"object {i}: {pages} pages")
            says(qemu, f"anon fill {i} {i}", f"{pages} of {pages} pages filled")
            says(qemu, f"anon out {i}", f"0 of {pages} pages in memory")
        for _ in range(2):
            for i in range(1, objects + 1):
                good = f"{pages} pages, 0 wrong, 0 cannot be read"
                says(qemu, f"anon verify {i}", good)
                says(qemu, f"anon fill {i} {i + 100}", "pages filled")
                says(qemu, f"anon out {i}", f" 0 of {pages} pages in memory")
        said = command(qemu, "anon")
        check("adds up" in said, f"anon says {said!r}")
        swapped = sum(int(n) for n in re.findall(r"(\d+)\n", said))
        check(swapped == objects * pages, f"{swapped} pages are swapped")
        # It does not fit; nothing is lost by trying.
        says(qemu, "swapoff hda2", "not enough memory")
        for i in range(1, objects + 1):
            says(qemu, f"anon out {i}", f" 0 of {pages} pages in memory")
        for i in range(1, objects + 1):
            says(qemu, f"anon verify {i}", f"{pages} pages, 0 wrong, 0 cannot")
            nothing_said(qemu, f"anon drop {i}")
        nothing_said(qemu, "swapoff hda2")
        left = free_or_parked(qemu)
        check(left == free, f"{free} pages were free, now {left}")
        says(qemu, "check", "every page is in exactly one column")


def bad_sector(path, what, page):
    """The disk at PATH; the first read or write of PAGE of its swap fails."""
    sector = SWAP_SECTOR + 8 * page
    file = f"file.driver=blkdebug,file.image.filename={path}"
    error = "file.inject-error.0"
    return (
        "-drive",
        f"driver=raw,{file},{error}.event={what}_aio,{error}.errno=5,"
        f"{error}.iotype={what},{error}.sector={sector},{error}.once=on,"
        "if=ide,index=0,cache=unsafe,werror=report,rerror=report",
    )


@boot_test
def a_bad_sector_keeps_the_page_in_memory(lab):
    more = bad_sector(disk_copy(lab.directory), "write", 3)
    with lab.prompt(more=more) as qemu:
        nothing_said(qemu, "swapon hda2")
        command(qemu, "anon 8")
        command(qemu, "anon fill 1 5")
        said = command(qemu, "anon out 1")
        check("the disk reports an error" in said, f"anon out: {said!r}")
        words = "Write-error on swap-device (hda2:3): error 5"
        check(words in qemu.console.text, "the log does not say so")
        says(qemu, "anon verify 1", "8 pages, 0 wrong, 0 cannot")
        # Another slot is taken instead.
        says(qemu, "anon out 1", "0 of 8 pages in memory")
        says(qemu, "anon verify 1", "8 pages, 0 wrong, 0 cannot")
        says(qemu, "swaps", str(SWAP_KB - 4))
        says(qemu, "anon", "adds up")


@boot_test
def a_sector_that_cannot_be_read_is_the_readers_error(lab):
    more = bad_sector(disk_copy(lab.directory), "read", 3)
    with lab.prompt(more=more) as qemu:
        nothing_said(qemu, "swapon hda2")
        command(qemu, "anon 8")
        command(qemu, "anon fill 1 5")
        says(qemu, "anon out 1", "0 of 8 pages in memory")
        said = command(qemu, "anon verify 1")
        found = re.search(r"(\d+) wrong, (\d+) cannot", said)
        if not found or found.groups() != ("0", "1"):
            raise Failure(f"anon verify: {said!r}")
        words = "Read-error on swap-device (hda2:3): error 5"
        check(words in qemu.console.text, "the log does not say so")
        # It happens once: what is on the disk is still there.
        says(qemu, "anon verify 1", "8 pages, 0 wrong, 0 cannot")
        says(qemu, "anon", "adds up")


@boot_test
def a_read_error_under_pressure_is_one_page_that_cannot_be_had(lab):
    more = bad_sector(disk_copy(lab.directory), "read", 500)
    with lab.prompt(memory="8M", more=more) as qemu:
        nothing_said(qemu, "swapon hda2")
        says(qemu, "pressure 1", " 0 pages wrong, 1 unreadable, 0 killed", 180)
        words = "Read-error on swap-device (hda2:500): error 5"
        check(words in qemu.console.text, "the log does not say so")
        nothing_said(qemu, "swapoff hda2")
        says(qemu, "check", "every page is in exactly one column")
