# SPDX-License-Identifier: MIT
"""
The mistakes that people make, each committed on purpose (kernel/demo/mistake.c), in the
plain entry of the menu and in Debug: the report names the file and line of the statement.

The line is that of the comment with the mistake's name, so that the test cannot agree with
a report that names another one.
"""

import os
import re

from lab import boot_test, check, command, debug_words, for_each, plain_words
from machine import PROMPT, ROOT
from qemu import GUEST_TIME

SOURCE = "kernel/demo/mistake.c"
# A refill brings as many pages, which are taken before one that was freed to the zone.
ON_A_LIST = 9

STOPPED = r"The machine has stopped\."

# Where the machine goes on.  PLACE is the statement; "!" is typed at the shell after it.
REPORTED = {
    "double-free": r"BUG: free of .* at \S+ \(PLACE\) refused: it is free already",
    "wrong-order": r"BUG: free of .* at \S+ \(PLACE\) refused: wrong order",
    "free-stack": r"BUG: free of .* at \S+ \(PLACE\) refused: no such page",
    "free-null": r"BUG: free of .* at \S+ \(PLACE\) refused: no such page",
    "free-middle": r"BUG: free of .* \(PLACE\) refused: it is in the middle of a",
    "alloc-handler": r"BUG: alloc_pages\(0xcc0, 0\) by irq 0 timer at \S+ \(PLACE\) "
    r"refused: .* cannot sleep",
    "mutex-handler": r"BUG: sleeping function mutex_lock called by irq 0 timer at \S+ "
    r"\(PLACE\)",
    "exclusive-released": r"intrusion: .* owned by shell, touched by shell:\s.* at \S+ "
    r"\(PLACE\)(.|\n)*The shell was ended: it touched an exclusive page",
}

# ... and where it ends.
ENDED = {
    "lock-forgotten": r"BUG: sleeping function thread_sleep called by thread shell(.|\n)*"
    r"spinlock mistake_lock is held since \S+ \(PLACE\)(.|\n)*-- in short:(.|\n)*"
    r"holding spinlock mistake_lock since \S+ \(PLACE\)",
    "sleep-locked": r"BUG: sleeping function thread_sleep called by thread shell at \S+ "
    r"\(PLACE\)(.|\n)*-- in short:(.|\n)*holding spinlock mistake_lock",
    "lock-twice": r"PANIC: spinlock mistake_lock(.|\n)*\(PLACE\)",
    "mutex-twice": r"PANIC: mutex mistake_mutex(.|\n)*\(PLACE\)",
    "sleep-handler": r"BUG: sleeping function thread_sleep called by irq 0 timer at \S+ "
    r"\(PLACE\)(.|\n)*PANIC: irq 0 timer cannot wait",
    "recursion": r"PANIC: double fault: push .* a stack has overflowed\s.* at \S+ "
    r"\(kernel/demo/mistake.c:\d+\)(.|\n)*mistake_recurse",
    "null-pointer": r"PANIC: page fault: write of 0, .*NULL\s.* at \S+ \(PLACE\)",
    "wild-pointer": r"PANIC: page fault: write of 0x414141414140, not mapped\s.* at \S+ "
    r"\(PLACE\)",
    "irqs-off": r"PANIC: watchdog: no tick for \d+ ms, interrupts are off\s.* at \S+ "
    r"\(PLACE\)",
}

# Debug alone sees these.
SEEN_BY_DEBUG = {
    "use-after-free": r"PANIC: page fault: write of \S+, not mapped, a free page: freed "
    r"by shell at \S+ \(FREE\)(.|\n)*backtrace:\s+.*memset.*\s+.*\(PLACE\)(.|\n)*"
    r"page_owner: pfn \S+: taken at(.|\n)*page_owner: pfn \S+: freed at(.|\n)*\(FREE\)",
    "mapped-page": r"PANIC: page_table_check: pfn 0x\w+ is freed while it is mapped(.|\n)*"
    r"backtrace:(.|\n)*mistake_mapped_page\S+ \(PLACE\)",
    "overrun": r"PANIC: page fault: write of 0x\w+000, not mapped, the guard behind 4096 bytes "
    r"at pfn (0x\w+), taken\s+by shell at \S+\s+\(PAGE\)(.|\n)*backtrace:\s+.*memset.*\s+"
    r".*\(PLACE\)(.|\n)*page_owner: pfn \1: taken at(.|\n)*\(PAGE\)",
}


def place_of(name):
    """file:line of the statement that is marked with NAME."""
    with open(os.path.join(ROOT, SOURCE)) as file:
        lines = file.read().split("\n")
    found = [i for i, line in enumerate(lines, 1) if f"/* {name} */" in line]
    check(len(found) == 1, f"{name} is marked in lines {found}")
    return f"{SOURCE}:{found[0]}"


def pattern_of(pattern, name):
    pattern = pattern.replace("PLACE", re.escape(place_of(name)))
    for word, before in (("FREE", "the free"), ("PAGE", "the page")):
        if word in pattern:
            place = re.escape(place_of(f"{name}, {before}"))
            pattern = pattern.replace(word, place)
    return pattern


def said_by(qemu, name, end):
    """The console's text from the mistake until END."""
    start = qemu.console.cursor
    qemu.send(f"mistake {name}\r")
    qemu.console.expect(r"\n")
    qemu.console.expect(end, 60)
    return qemu.console.text[start:].replace("\r", "")


def expect_report(name, said, pattern):
    wanted = pattern_of(pattern, name)
    check(re.search(wanted, said), f"{name}: {said[:2000]!r} is not {wanted!r}")


# An object is looked at when it is freed and when it leaves the quarantine: the line is that
# of the kfree().
OF_OBJECTS = {
    "object-after-free": r"BUG: kmalloc-128: poison of object \S+ was written to while free, "
    r"noticed by thread shell at \S+ \(kernel/demo/mistake.c:\d+\): 0x41 instead of 0x6b at "
    r"offset 32(.|\n)*"
    r"object \S+ of kmalloc-128 was freed by shell at \S+ \(FREE\), \d+ us ago",
    "stale-pointer": r"BUG: kmalloc-128: poison of object \S+ was written to while free, "
    r"noticed by thread shell at \S+ \(kernel/demo/mistake.c:\d+\): 0x41 instead of 0x6b at "
    r"offset 32(.|\n)*"
    r"object \S+ of kmalloc-128 was freed by shell at \S+ \(FREE\), \d+ us ago",
    "object-overrun": r"BUG: kmalloc-128: right red zone of object \S+ in use was written to, "
    r"noticed by thread shell at mistake_object_overrun\S+ \(kernel/demo/mistake.c:\d+\): "
    r"0x41 instead of 0xcc at offset 128",
}

WORDS = {"plain": "", "debug": debug_words()}


@for_each(**WORDS)
def mistake_that_is_refused_has_file_and_line_in(lab, words):
    with lab.prompt(words) as qemu:
        for name, pattern in REPORTED.items():
            expect_report(name, said_by(qemu, name, PROMPT), pattern)
        said = command(qemu, "check")
        check("exactly one column" in said, f"the check says {said!r}")


@for_each(**WORDS)
def mistake_that_is_the_end_has_file_and_line_in(lab, words):
    rows = dict(ENDED, **(SEEN_BY_DEBUG if words else {}))
    for name, pattern in rows.items():
        with lab.prompt(f"watchdog=2 {words}", more=GUEST_TIME) as qemu:
            expect_report(name, said_by(qemu, name, STOPPED), pattern)


@for_each(**WORDS)
def preemption_off_forever_has_file_and_line_in(lab, words):
    """The machine is lost, and no thread prints anything; the watchdog says where."""
    with lab.prompt(f"watchdog=2 {words}", more=GUEST_TIME) as qemu:
        said = said_by(qemu, "preempt-off", r"mistake_preempt_off\S+ \(kernel/\S+\)")
        wanted = (
            r"BUG: watchdog: thread shell has kept its CPU for 2\d{3} ms(.|\n)*backtrace:(.|\n)*"
            r"mistake_preempt_off\S+ \(PLACE\)"
        )
        expect_report("preempt-off", said, wanted)


@for_each(**WORDS)
def overwritten_struct_page_is_found_by_the_next_check_in(lab, words):
    """It names the page and the field, and who had it last; so does the next taker."""
    last = r"last touched\s+by shell\s+at mistake_struct_page\+"
    with lab.prompt(words) as qemu:
        said_by(qemu, "struct-page", PROMPT)
        said = command(qemu, "check")
        check(re.search(r"pfn 0x\w+ is corrupt: .*refcount\s+1094795585", said), said)
        check(re.search(last, said), said)
        start = qemu.console.cursor
        for _ in range(ON_A_LIST):
            command(qemu, "alloc GFP_KERNEL")
        said = qemu.console.text[start:]
        check(re.search(r"BUG: Bad page state: pfn 0x\w+ refcount:1094795585", said), said)
        check(re.search(last, said), said)


@boot_test
def page_freed_behind_an_uncounted_entry_is_found_by_the_next_check(lab):
    """Without page_table_check, which stops at the free."""
    with lab.prompt("") as qemu:
        said_by(qemu, "mapped-page", PROMPT)
        said = command(qemu, "check")
        check("invariant X6 broken" in said, said)


@boot_test
def objects_written_to_wrongly_are_reported_in_debug(lab):
    with lab.prompt(debug_words()) as qemu:
        for name, pattern in OF_OBJECTS.items():
            expect_report(name, said_by(qemu, name, PROMPT), pattern)


# With kfence=MS the object of `mistake` is a sample.  One that lies at the start of its page
# is written behind without a fault, which the kfree() finds.
OF_SAMPLES = {
    "object-after-free": r"PANIC: page fault: write of \S+, not mapped, kfence: use after free "
    r"of 100 bytes at \S+, freed\s+by shell at \S+ \(FREE\)(.|\n)*backtrace:\s+.*memset.*\s+"
    r".*\(PLACE\)(.|\n)*kfence: 100 bytes of kmalloc-128 at(.|\n)*taken at \S+ s by shell"
    r"(.|\n)*freed at \S+ s by shell(.|\n)*\(FREE\)",
    "object-overrun": r"(PANIC: page fault: write of 0x\w+000, not mapped, kfence: out of "
    r"bounds, behind 100 bytes at \S+, taken\s+by shell at mistake_object\S+(.|\n)*backtrace:"
    r"\s+.*memset.*\s+.*\(PLACE\)|BUG: kfence: a byte beside an object was written to, "
    r"noticed by thread shell at \S+ \(FREE\): 0x41 instead of \S+ 0 bytes behind its 100)"
    r"(.|\n)*kfence: 100 bytes of kmalloc-128 at(.|\n)*taken at \S+ s by shell",
}


@boot_test
def mistake_with_a_sampled_object_has_file_and_line(lab):
    for name, pattern in OF_SAMPLES.items():
        with lab.prompt(plain_words(), more=GUEST_TIME) as qemu:
            expect_report(name, said_by(qemu, name, rf"{STOPPED}|{PROMPT}"), pattern)


@boot_test
def kfence_samples_as_often_as_its_knob_says(lab):
    """It tells in slabinfo; on 4 MB there is no pool, and the knob is refused."""
    with lab.prompt(plain_words(), more=GUEST_TIME) as qemu:
        said = command(qemu, "slabinfo")
        check(re.search(r"kfence: a sample each 100 ms .* of 63 in use,", said), said)
        command(qemu, "sysctl kfence_sample_interval=1")
        said = command(qemu, "slabinfo")
        check("a sample each 1 ms" in said, said)
        command(qemu, "sysctl kfence_sample_interval=0")
        said = command(qemu, "sysctl kfence_sample_interval").strip()
        check(said == "vm.kfence_sample_interval = 0", said)
    with lab.prompt(plain_words(), memory="4M", more=GUEST_TIME) as qemu:
        check("kfence" not in command(qemu, "slabinfo"), "a pool on 4 MB")
        said = command(qemu, "sysctl kfence_sample_interval=1")
        check(said.strip() != "", "the knob is taken without a pool")
        said = command(qemu, "sysctl kfence_sample_interval").strip()
        check(said == "vm.kfence_sample_interval = 0", said)


@for_each(small="kfence=1", unmapped="kfence=1 debug_pagealloc=on slub_debug")
def kfence_selftest(lab, words):
    """Its suite, and others that take and free threads: nobody uses them too late."""
    suites = "kfence,all_checks,exclusive,sched"
    if "debug_pagealloc" not in words:
        suites += ",life"  # which writes to a free page
    with lab.boot(f"selftest={suites} {words}", memory="64M", more=GUEST_TIME) as qemu:
        end = qemu.wait_end(60)
        said = qemu.console.text
        check("not ok" not in said, f"{end}: {said[-1500:]!r}")
        found = re.search(r"# (\d+) passed, 0 failed, (\d+) skipped", said)
        # One needs a large zone.
        check(found and int(found[1]) >= 50 and int(found[2]) <= 1, said[-800:])


@boot_test
def leak_is_said_after_the_command_and_by_page_owner(lab):
    """In Debug: how many pages, and the line that took them, after the mark only."""
    place = re.escape(place_of("leak"))
    with lab.prompt(debug_words()) as qemu:
        command(qemu, "page_owner mark")
        said = said_by(qemu, "leak", PROMPT)
        wanted = rf"page_owner: 20 pages are still in use, taken at \S+\s+\({place}\)"
        check(re.search(wanted, said), said)
        said = command(qemu, "page_owner")
        found = re.findall(r"^ +(\d+) +(\d+) +\d+\.\d+ ", said, re.MULTILINE)
        check(found[0] == ("20", "20"), f"not most first: {said!r}")
        pages = [int(pages) for pages, _ in found]
        check(pages == sorted(pages, reverse=True), f"not most first: {said!r}")
        check(re.search(place, said), said)
        check("thread_create" not in said, f"taken before the mark: {said!r}")


@for_each(
    unmapped="page_owner=on debug_guardpage=on",
    poisoned="page_owner=on page_poison=on init_on_alloc=on init_on_free=1",
)
def detectors_selftest(lab, words):
    """The suite of the detectors, with those on that its cases are about."""
    with lab.boot(f"selftest=detectors {words}") as qemu:
        end = qemu.wait_end(60)
        said = qemu.console.text
        check("not ok" not in said, f"{end}: {said[-1500:]!r}")
        found = re.search(r"# (\d+) passed, 0 failed, (\d+) skipped", said)
        check(found and int(found[1]) >= 2 and int(found[2]) <= 2, said[-800:])
