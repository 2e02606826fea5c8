# SPDX-License-Identifier: MIT
"""Exclusive pages, seen from outside of the machine."""

import re

from lab import boot_test, check, command
from machine import Failure

EXCLUSIVE = "GFP_ATOMIC|__GFP_EXCLUSIVE"
DIRECT_MAP = 0xFFFF888000000000
PAGE = 4096


def mappings(qemu):
    """QEMU's own walk of the page tables: {virtual address: physical}."""
    text = qemu.monitor("info tlb")
    found = {}
    for line in text.splitlines():
        match = re.match(r"([0-9a-f]{16}): ([0-9a-f]{16}) (\S+)", line)
        if match:
            found[int(match[1], 16)] = (int(match[2], 16), match[3])
    return found


def mapped_at(found, physical):
    """The addresses at which the frame can be reached."""
    places = []
    for address, (base, flags) in found.items():
        size = (2 << 20) if "P" in flags[:4] else PAGE
        if base <= physical < base + size:
            places.append(address + physical - base)
    return places


@boot_test
def owned_frame_is_in_its_window_or_nowhere(lab):
    """
    The shell owns a page and waits for a key: its window is closed, and QEMU's
    own walk finds the frame nowhere.  Whenever the machine is stopped while the
    shell runs, the frame may be in the shell's window, but never elsewhere; an
    ordinary page is found in the direct map, once.
    """
    with lab.prompt() as qemu:
        plain = command(qemu, "alloc GFP_KERNEL")
        owned = command(qemu, f"alloc {EXCLUSIVE}")
        check("window at" in owned, f"no exclusive page: {owned!r}")
        plain_frame = int(re.search(r"pfn (0x[0-9a-f]+)", plain)[1], 16)
        frame = int(re.search(r"pfn (0x[0-9a-f]+)", owned)[1], 16)
        address = int(re.search(r"window at\s+(?:0x)?([0-9a-f]+)", owned)[1], 16)
        closed = opened = 0
        for turn in range(1000):
            if turn >= 60 and closed and opened:
                break
            busy = turn % 2
            if busy:
                qemu.send("help\r")
                # The shell is in the middle of its answer.
                qemu.console.expect("buddyinfo")
            qemu.qmp("stop")
            found = mappings(qemu)
            qemu.qmp("cont")
            at = mapped_at(found, plain_frame * PAGE)
            check(
                at == [DIRECT_MAP + plain_frame * PAGE],
                f"the plain frame is at {at}",
            )
            at = mapped_at(found, frame * PAGE)
            check(at in ([], [address]), f"the frame can be reached at {at}")
            closed += not at
            opened += bool(at)
            if busy:
                qemu.console.expect("labyrinth> ")
        check(closed > 0, "the window was never seen closed")
        check(opened > 0, "the window was never seen open")
        said = command(qemu, f"owner {frame:#x}")
        check("direct map: no" in said, f"owner says {said!r}")
        command(qemu, "free all")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


@boot_test
def gfp_answers_what_a_real_request_is_told(lab):
    """
    At three levels of memory, for each mask: ask, then do it.  A request
    that would wait gets a page after all, or NULL, or its thread is killed; one
    that would wait forever is not made.
    """
    masks = (
        "GFP_KERNEL",
        "GFP_ATOMIC",
        "GFP_NOWAIT",
        "GFP_NOIO",
        "GFP_NOFS",
        "GFP_DMA|GFP_ATOMIC",
        "GFP_DMA32|GFP_KERNEL",
        "GFP_ATOMIC|NOMEMALLOC",
        "GFP_KERNEL|MEMALLOC",
        "GFP_USER",
        "GFP_KERNEL|NOFAIL",
        "GFP_KERNEL|NORETRY",
        "GFP_KERNEL|RETRY_MAYFAIL",
        "GFP_KERNEL|MOVABLE|RECLAIMABLE",
        "GFP_ATOMIC 2",
        "GFP_KERNEL 3",
        "GFP_KERNEL|NORETRY 9",
        EXCLUSIVE,
        "GFP_KERNEL|EXCLUSIVE",
    )
    waited = kills = 0
    with lab.prompt(memory="8M") as qemu:
        for level in (None, "GFP_NOWAIT", "GFP_ATOMIC|NOWARN"):
            if level:
                command(qemu, f"drain {level}", 120)
            for mask in masks:
                # The refiller and the recorder work in between: ask again if
                # the machine has changed under the question.
                for _ in range(5):
                    said = command(qemu, f"gfp {mask}")
                    answer = re.search(r"in this thread: (yes|no|refused|waits)(.*)", said)
                    check(answer, f"gfp {mask} says {said!r}")
                    if "forever" in answer[2] or "until others" in answer[2]:
                        break
                    done = command(qemu, f"alloc {mask}")
                    got = "pfn" in done and "NULL" not in done
                    if answer[1] == "waits":
                        waited += 1
                        killed = "Killed for its memory" in done
                        check(
                            killed or got or "NULL" in done,
                            f"alloc {mask} after draining {level}: {done!r}",
                        )
                        check(
                            not killed or "then the OOM killer" in answer[2],
                            f"{mask} kills, and gfp says {said!r}",
                        )
                        if killed and level:
                            kills += 1
                            command(qemu, f"drain {level}", 120)
                        break
                    if got == (answer[1] == "yes"):
                        break
                else:
                    raise Failure(
                        f"{mask} after draining {level}: gfp says "
                        f"{answer[1]}, alloc says {done!r}"
                    )
        check(waited > 0 and kills > 0, f"{waited} waited, {kills} kills")
        command(qemu, "free all", 120)
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


RUNGS = (
    "shortcut",
    "fast pass",
    "wake kswapd",
    "min",
    "compaction",
    "min again",
    "reclaim",
    "compaction",
    "once more",
    "CPU's lists",
    "OOM killer",
    "never fail",
)


def rungs(qemu, words):
    """[(rung, what gfp WORDS says about it)], folded lines joined."""
    text = command(qemu, f"gfp {words}")
    way = re.search(r"in this thread:\s*\n(.*?)\r?\n(?:One page|A block)", text, re.S)
    check(way, f"gfp {words} shows no way: {text!r}")
    names = "|".join(sorted(set(RUNGS), key=len, reverse=True))
    steps = []
    for line in way[1].splitlines():
        step = re.match(rf"[ \d]{{2}} ({names}) +(\S.*)", line)
        if step:
            steps.append((step[1], step[2].strip()))
        else:
            steps[-1] = (steps[-1][0], steps[-1][1] + " " + line.strip())
    check([name for name, _ in steps] == list(RUNGS), f"gfp {words}: {steps}")
    return steps


@boot_test
def gfp_with_an_order_tells_each_rung_and_takes_nothing(lab):
    """
    Plenty: the fast pass gives.  A drained machine: it says with the numbers of the
    zones why not, and the last pass gives to a request that may have all of the reserve.
    A request that may not wait makes passes only; each closed rung says why.
    """
    with lab.prompt(memory="64M") as qemu:
        steps = dict(rungs(qemu, "GFP_ATOMIC|NOMEMALLOC 5"))
        check(steps["fast pass"].startswith("yes, from DMA32"), steps)
        check("no list has blocks of this order" in steps["shortcut"]
              or "flag" in steps["shortcut"], steps)
        check("cannot wait" in steps["OOM killer"], steps)
        command(qemu, "drain GFP_ATOMIC|NOWARN", 120)

        def passes():
            return re.findall(r"(?:freelist_pass|pgalloc_\w+) +\d+", command(qemu, "vmstat"))

        def ask():
            before = passes()
            steps = dict(rungs(qemu, "GFP_KERNEL|MEMALLOC"))
            return steps if passes() == before else None

        # The recorder and the refiller take pages, too: ask again.
        for _ in range(5):
            steps = ask()
            if steps:
                break
        else:
            raise Failure("each time something was taken while gfp answered")
        floor = re.search(r"(\d+) pages free in DMA32 are not above the floor of (\d+) "
                          r"= low (\d+)", steps["fast pass"])
        check(floor and int(floor[1]) <= int(floor[2]) == int(floor[3]), steps)
        check("= min " in steps["min"], steps)
        check(steps["min again"].startswith("yes, from "), steps)
        said = command(qemu, "alloc GFP_KERNEL|MEMALLOC")
        check("pfn" in said, f"the second look gave nothing: {said!r}")
        steps = dict(rungs(qemu, "GFP_KERNEL|NORETRY"))
        check("kswapd is woken" in steps["wake kswapd"], steps)
        check("reclaims pages" in steps["reclaim"], steps)
        check("__GFP_NORETRY" in steps["once more"], steps)
        check("__GFP_NORETRY" in steps["OOM killer"], steps)
        steps = dict(rungs(qemu, "GFP_NOFS"))
        check("without __GFP_FS it kills nobody" in steps["OOM killer"], steps)
        steps = dict(rungs(qemu, "GFP_KERNEL|RETRY_MAYFAIL 9"))
        check("above 3" in steps["OOM killer"], steps)
        check("moves pages" in steps["compaction"], steps)
        command(qemu, "free all")


@boot_test
def why_tells_what_a_page_is_who_has_it_and_what_would_free_it(lab):
    """
    The kernel's image, a block of the shell, a page behind its first one, the same after
    its free, and an exclusive page: with page_owner=on also since when, and the call.
    """
    with lab.prompt("page_owner=on") as qemu:
        said = command(qemu, "why 0x200")
        check("a part of the kernel's image" in said, said)
        check("freed by: nothing, ever" in said, said)
        said = command(qemu, "why 0")
        check("never given to the allocator" in said, said)
        block = int(re.search(r"pfn (0x\w+)", command(qemu, "alloc GFP_KERNEL 4"))[1], 16)
        said = command(qemu, f"why {block + 5:#x}")
        check(f"page 5 of the block at pfn {block:#x}" in said, said)
        check("a block without a mark of its owner" in said, said)
        check("__free_pages()" in said, said)
        check(re.search(r"since: \d+\.\d{3} s after the boot, \d+\.\d{3} s ago, by shell",
                        said), said)
        check("at shell_pages_run_alloc+" in said, said)
        command(qemu, f"free {block:#x}")
        said = command(qemu, f"why {block:#x}")
        check("what: on a free list of its zone" in said, said)
        check("freed by: nobody, it is free" in said, said)
        check("at shell_pages_run_free+" in said, said)
        page = re.search(r"pfn (0x\w+)", command(qemu, f"alloc {EXCLUSIVE}"))[1]
        said = command(qemu, f"why {page}")
        check("exclusive, in the window of its owner" in said, said)
        check("exclusive_release()" in said, said)
        check("direct map: no" in said, said)
        check(command(qemu, f"owner {page}").splitlines()[1:2] ==
              said.splitlines()[1:2], "owner is another command than why")
        command(qemu, "free all")
