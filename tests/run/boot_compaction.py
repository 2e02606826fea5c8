# SPDX-License-Identifier: MIT
"""Free memory in single pages, between pages that can move."""

import re

from lab import boot_test, check, command


def free_blocks(qemu):
    """[free blocks of order 0, 1, ...] of zone DMA32"""
    line = re.search(r"zone +DMA32 +([\d ]+)", command(qemu, "buddyinfo"))
    return [int(n) for n in line[1].split()]


def event(qemu, name):
    return int(re.search(rf"^{name} (\d+)$", command(qemu, f"vmstat {name}"), re.M)[1])


@boot_test
def single_pages_between_movable_ones_become_blocks(lab):
    with lab.prompt(memory="64M") as qemu:
        said = command(qemu, "fragment")
        check("502 single pages are free" in said, said)
        blocks = free_blocks(qemu)
        # The refiller may have given a block of 16 frames back meanwhile.
        check(blocks[0] >= 480 and sum(blocks[1:]) <= 4, f"{blocks}")
        for _ in range(3):
            said = command(qemu, "alloc GFP_KERNEL 3")
            check("order 3, zone DMA32" in said, said)
        check(event(qemu, "oom_kill") == 0, "somebody was killed")
        check(event(qemu, "compact_success") > 0, "no compaction")
        command(qemu, "free all")
        command(qemu, "fragment off")
        command(qemu, "fragment")
        said = command(qemu, "compact")
        moved = re.search(r"compact: (\d+) pages moved", said)
        check(moved and int(moved[1]) > 100, said)
        said = command(qemu, "alloc GFP_KERNEL 6")
        check("order 6" in said, said)
        command(qemu, "free all")
        said = command(qemu, "check")
        check("exactly one column" in said, said)
        command(qemu, "fragment off")
        blocks = free_blocks(qemu)
        check(blocks[10] > 0, f"{blocks}")


@boot_test
def a_range_is_emptied_where_only_single_pages_are_free(lab):
    """1024 frames in one piece, more than a block of the buddy that is not order 10."""
    with lab.prompt(memory="64M") as qemu:
        said = command(qemu, "fragment 3000")
        check("3000 single pages are free" in said, said)
        moved = event(qemu, "pgmigrate_success")
        said = command(qemu, "contig 1024")
        taken = re.search(r"1024 pages from pfn (0x[0-9a-f]+) on", said)
        check(taken and int(taken[1], 16) % 1024 == 0, said)
        check(event(qemu, "pgmigrate_success") - moved > 100, "nothing has moved")
        said = command(qemu, f"owner {taken[1]}")
        check("used" in said, said)
        said = command(qemu, "check")
        check("exactly one column" in said, said)
        check("no place" in command(qemu, "contig 9000"), "9000")
        check(event(qemu, "nr_isolate") == 0, "something stays isolated")
        command(qemu, "contig off")
        command(qemu, "fragment off")
        said = command(qemu, "check")
        check("exactly one column" in said, said)


@boot_test
def fragment_says_what_it_cannot_do(lab):
    with lab.prompt(memory="64M") as qemu:
        check("not so many pages" in command(qemu, "fragment 100000"), "100000")
        check("usage" in command(qemu, "fragment x").lower(), "x")
        check("as it was" in command(qemu, "fragment off"), "off")
        command(qemu, "fragment")
        check("it is so already" in command(qemu, "fragment"), "twice")
        command(qemu, "fragment off")
        said = command(qemu, "check")
        check("exactly one column" in said, said)


@boot_test
def kcompactd_makes_large_blocks_unasked(lab):
    with lab.prompt(memory="64M") as qemu:
        check("kcompactd0" in command(qemu, "ps"), "no thread kcompactd0")
        said = command(qemu, "sysctl compaction_proactiveness=101")
        check("out of range" in said and "0..100" in said, said)
        said = command(qemu, "sysctl vm.compaction_proactiveness")
        check(said.strip() == "vm.compaction_proactiveness = 20", said)
        # fragment turns it off, or it would be over in half a second.
        said = command(qemu, "fragment 3000")
        check("3000 single pages are free" in said, said)
        said = command(qemu, "sysctl compaction_proactiveness")
        check(said.strip() == "vm.compaction_proactiveness = 0", said)
        blocks = free_blocks(qemu)
        # The refiller may have given a block of 16 frames back meanwhile.
        check(blocks[0] >= 2900 and sum(blocks[1:]) <= 4, f"{blocks}")
        # The DMA zone is full, so the score of the node is not above 90.
        command(qemu, "sysctl compaction_proactiveness=100")
        for _ in range(500):
            blocks = free_blocks(qemu)
            by_kcompactd = event(qemu, "compact_daemon_migrate_scanned")
            if sum(blocks[9:]) > 0 and by_kcompactd > 0:
                break
        check(sum(blocks[9:]) > 0, f"{blocks}")
        check(by_kcompactd > 0, "by whom?")
        check(event(qemu, "compact_stall") == 0, "somebody asked")
        command(qemu, "fragment off")
        said = command(qemu, "sysctl compaction_proactiveness")
        check(said.strip() == "vm.compaction_proactiveness = 20", said)
        said = command(qemu, "check")
        check("exactly one column" in said, said)
