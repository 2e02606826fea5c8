# SPDX-License-Identifier: MIT
"""Allocations that fail on request, from the command line and the shell."""

import re

from lab import boot_test, check, command, logged, number


def answers(qemu, flags, count):
    said = [command(qemu, f"alloc {flags}") for _ in range(count)]
    return ["NULL" in answer for answer in said]


def injected(qemu):
    return number(command(qemu, "vmstat fault"), r"injected (\d+)", "vmstat")


@boot_test
def fail_page_alloc_takes_linuxs_four_numbers(lab):
    """
    interval 2, probability 100, space 0, times 3: each second request of
    GFP_ATOMIC and order 1 fails, three times; others never.
    """
    with lab.prompt("fail_page_alloc=2,100,0,3") as qemu:
        check(not any(answers(qemu, "ATOMIC 0", 4)), "order 0 fails")
        check(not any(answers(qemu, "KERNEL 1", 4)), "GFP_KERNEL fails")
        failed = answers(qemu, "ATOMIC 1", 10)
        due = [at in (1, 3, 5) for at in range(10)]
        check(failed == due, f"they failed so: {failed}")
        check(injected(qemu) == 3, f"{injected(qemu)} are counted")
        log = logged(qemu, 60)
        check("FAULT_INJECTION: forcing a failure" in log, "the log is silent")


@boot_test
def fail_nth_fails_what_the_shell_asks_for(lab):
    with lab.prompt("fail_nth=2") as qemu:
        failed = answers(qemu, "KERNEL", 4)
        check(failed == [False, True, False, False], f"first: {failed}")
        command(qemu, "fail fail-nth=3,forever")
        failed = answers(qemu, "KERNEL", 5)
        check(failed == [False] * 2 + [True] * 3, f"forever: {failed}")
        command(qemu, "fail off")
        check(not any(answers(qemu, "KERNEL", 3)), "it goes on failing")
        check(injected(qemu) == 4, f"{injected(qemu)} are counted")
        said = command(qemu, "fail probability=101")
        check("out of range" in said, f"101 %: {said!r}")
        said = command(qemu, "fail frobnicate=1")
        check("makes no sense" in said, f"frobnicate: {said!r}")


@boot_test
def failslab_fails_objects_and_spares_pages(lab):
    """
    `threads 3` takes an object for its table and one a thread, and pages for stacks.
    """
    with lab.prompt("failslab=1,100,0,-1") as qemu:
        said = command(qemu, "threads 3")
        check("threads: 3 lived" in said, f"it may wait, and is spared: {said!r}")
        command(qemu, "failslab ignore-gfp-wait=0 space=1")
        said = command(qemu, "threads 3")
        check("no memory" in said, f"an object is there: {said!r}")
        check(injected(qemu) > 0, "nothing is counted")
        check(not any(answers(qemu, "ATOMIC 1", 4)), "pages fail, too")
        said = command(qemu, "failslab")
        check("min-order" not in said, f"objects have an order: {said!r}")
        check(number(said, r"probability +(\d+)", "failslab") == 100, said)
        command(qemu, "failslab off")
        said = command(qemu, "threads 3")
        check("threads: 3 lived" in said, f"they fail still: {said!r}")
        said = command(qemu, "failslab min-order=0")
        check("makes no sense" in said, f"min-order: {said!r}")


@boot_test
def fail_page_alloc_has_a_place_and_linuxs_other_names(lab):
    """
    Behind the four numbers: of the requests that the shell's `alloc` makes those of order 0
    fail, and no others.
    """
    words = "min-order=0,max-order=0,ignore-gfp-wait=0,require=kernel/shell/shell_pages.c"
    with lab.prompt(f"fail_page_alloc=1,100,0,-1,{words}") as qemu:
        said = command(qemu, "threads 3")
        check("threads: 3 lived" in said, f"others fail, too: {said!r}")
        check(all(answers(qemu, "KERNEL 0", 3)), "alloc does not fail")
        check(not any(answers(qemu, "KERNEL 1", 3)), "order 1 fails")
        said = command(qemu, "fail")
        for line in (r"require +kernel/shell/shell_pages\.c", r"reject +any", r"zone +any"):
            check(re.search(line, said), f"{line}: {said!r}")
        command(qemu, "fail reject=shell_pages_run_alloc context=thread zone=DMA32")
        check(not any(answers(qemu, "KERNEL 0", 3)), "the rejected place fails")
        command(qemu, "fail reject=any")
        check(not any(answers(qemu, "KERNEL 0", 3)), "Normal fails")
        check(all(answers(qemu, "KERNEL|DMA32 0", 3)), "DMA32 does not fail")
        command(qemu, "fail context=interrupt")
        check(not any(answers(qemu, "KERNEL|DMA32 0", 3)), "a thread fails")
        for word, answer in (
            ("require=mm/nothing.c", "is no place in the code"),
            ("zone=High", "makes no sense"),
            ("max-order=11", "is out of range"),
        ):
            said = command(qemu, f"fail {word}")
            check(answer in said, f"{word}: {said!r}")


@boot_test
def nothing_fails_if_a_word_of_fail_page_alloc_makes_no_sense(lab):
    """Without the place that was meant all requests would."""
    with lab.prompt("fail_page_alloc=1,100,0,-1,min-order=0,require=mm/nothing.c") as qemu:
        log = logged(qemu, 60)
        wanted = "fail_page_alloc: bad value in 'require=mm/nothing.c', nothing will fail"
        check(wanted in log, log[-500:])
        check(not any(answers(qemu, "ATOMIC 0", 3)), "it fails nevertheless")
        said = command(qemu, "fail")
        check(number(said, r"probability +(\d+)", "fail") == 0, said)
