# SPDX-License-Identifier: MIT
"""The shell: its reports in Linux's formats, help, editing; words at boot."""

import re

from ktap import Kind, Log, verdict
from boot_columns import commands_and_groups
from lab import boot_test, check, command, for_each, logged, number
from machine import LIMIT, PROMPT, wait_until
from qemu import GUEST_TIME

UP, LEFT, BACKSPACE = "\x1b[A", "\x1b[D", "\x7f"


def all_match(text, *patterns):
    """Each line of TEXT matches one of PATTERNS, and each of them a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    unused = set(patterns)
    for line in lines:
        fitting = [p for p in patterns if re.fullmatch(p, line)]
        check(fitting, f"this line has an odd format: {line!r}")
        unused -= set(fitting)
    check(not unused, f"no line looks like {sorted(unused)} in {text!r}")


# ---- Reports, by the formats of Linux's /proc ----


@boot_test
def buddyinfo_has_linuxs_format(lab):
    """frag_show_print(): "Node %d, zone %8s ", then a number for each order; ours
    are 5 wide, to fit a screen, and have a heading."""
    with lab.prompt() as qemu:
        said = command(qemu, "buddyinfo")
        all_match(
            said,
            r"free blocks of order  ( *\d+ ){11}",
            r"Node 0, zone      DMA ( *\d+ ){11}",
            r"Node 0, zone    DMA32 ( *\d+ ){11}",
        )
        lines = [line for line in said.splitlines() if line]
        for line in lines:
            columns = line[len("Node 0, zone      DMA ") :]
            check(len(columns) == 11 * 5, f"columns are not 5 wide: {line!r}")
        free = sum(
            int(count) << order
            for line in lines[1:]
            for order, count in enumerate(line.split()[4:])
        )
        total = number(
            command(qemu, "vmstat nr_free"), r"^nr_free_pages (\d+)", "vmstat"
        )
        check(free == total, f"{free} pages in buddyinfo, {total} in vmstat")


@boot_test
def zoneinfo_has_linuxs_format(lab):
    """zoneinfo_show_print(): labels and widths."""
    with lab.prompt() as qemu:
        all_match(
            command(qemu, "zoneinfo"),
            r"Node 0, zone {1,8}(DMA|DMA32|Normal|Movable)",
            r"  pages free     \d+",
            r"        min      \d+",
            r"        low      \d+",
            r"        high     \d+",
            r"        promo    \d+",
            r"        spanned  \d+",
            r"        present  \d+",
            r"        managed  \d+",
            r"        cma      \d+",
            r"        protection: \(\d+, \d+, \d+, \d+\)",
            r"      nr_free_pages \d+",
            r"      nr_\w+ +\d+",
            r"  pagesets",
            r"    cpu: \d+",
            r"              (count|high|batch):    +\d+",
            r"              high_(min|max): \d+",
            r"  start_pfn:           \d+",
        )


@boot_test
def meminfo_has_linuxs_format(lab):
    """show_val_kb(): a label of 16 columns, then "%8lu kB"; VmallocTotal is longer."""
    with lab.prompt() as qemu:
        said = command(qemu, "meminfo")
        all_match(said, r"(?=.{27}$|.{16}\d{9,} kB$)[\w()]+: +\d+ kB")
        for label in ("MemTotal", "MemFree", "MemAvailable", "DirectMap4k"):
            number(said, rf"^{label}: +(\d+) kB$", "meminfo")


@boot_test
def vmstat_has_linuxs_format(lab):
    """One "name value" a line; a prefix picks."""
    with lab.prompt() as qemu:
        said = command(qemu, "vmstat")
        all_match(said, r"[a-z]\w* \d+", r"pgalloc_dma32 \d+", r"pgfree \d+")
        all_match(command(qemu, "vmstat pgalloc"), r"pgalloc_\w+ \d+")


@boot_test
def irqs_has_the_format_of_proc_interrupts(lab):
    with lab.prompt() as qemu:
        said = command(qemu, "irqs")
        table = re.split("scan codes|interrupts off", said)[0]
        all_match(
            table,
            r"           CPU0 *",
            r" {0,2}\d+: [ \d]{9}\d {4}XT-PIC +\d+-edge {2}\w+",
            r"  0: [ \d]{9}\d {4}XT-PIC   0-edge  timer",
            r"  1: [ \d]{9}\d {4}XT-PIC   1-edge  keyboard",
            r"(NMI|WDT|SPU|ERR): [ \d]{9}\d   [A-Z][\w ,'-]+",
        )


# ---- Help, errors, editing ----


def commands_of(qemu):
    """The names of all commands, by the overview."""
    groups = commands_and_groups(qemu)
    return [name for names in groups.values() for name in names]


@boot_test
def help_knows_each_command(lab):
    with lab.prompt() as qemu:
        names = commands_of(qemu)
        for name in ("alloc", "buddyinfo", "gfp", "owner", "storm", "help"):
            check(name in names, f"help does not list {name}: {names}")
        for name in names:
            said = command(qemu, f"help {name}").strip()
            check(said.split()[0] == name, f"help {name} says {said!r}")
            check(len(said.split()) > 1, f"help {name} says nothing: {said!r}")
        said = command(qemu, "help params") + command(qemu, "help params 2")
        for word in ("hz=", "mem=", "loglevel=", "seed=", "selftest", "storm"):
            check(f"  {word}" in said, f"help params does not list {word}")


@boot_test
def nonsense_is_answered_and_changes_nothing(lab):
    with lab.prompt() as qemu:
        said = command(qemu, "frobnicate 1 2")
        check("frobnicate: no such command" in said, f"it says {said!r}")
        said = command(qemu, "help frobnicate")
        check("no command and no group 'frobnicate'" in said, f"it says {said!r}")
        said = command(qemu, "meminfo now")
        check("usage:\n  meminfo" in said, f"it says {said!r}")
        said = command(qemu, "alloc FROBNICATE")
        check("FROBNICATE" in said and "pfn" not in said, f"it says {said!r}")
        said = command(qemu, "alloc GFP_KERNEL 11")
        check("not in 0..10" in said, f"it says {said!r}")
        said = command(qemu, "storm 20000")
        check("not in 19..10000" in said, f"it says {said!r}")
        said = command(qemu, "owner 0xfffffff")
        check("no frame" in said, f"it says {said!r}")
        said = command(qemu, "   ")
        check(said.strip() == "", f"an empty line says {said!r}")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


def typed(qemu, keys, limit=LIMIT):
    """Send KEYS and enter; what the line was in the end, and its answer."""
    qemu.send(keys)
    return command(qemu, "", limit)


@boot_test
def tab_completes_commands_and_flags(lab):
    with lab.prompt() as qemu:
        said = typed(qemu, "bud\t")
        check("Node 0, zone" in said, f"bud<Tab> is not buddyinfo: {said!r}")
        said = typed(qemu, "gfp GFP_ATO\t")
        check("One page now?" in said, f"GFP_ATO<Tab>: {said!r}")
        said = typed(qemu, "gfp GFP_ATOMIC|EXCL\t")
        check("parked pool" in said, f"EXCL<Tab>: {said!r}")
        # Twice: the candidates, then the same line again.
        qemu.send("p\t\t")
        qemu.console.expect(r"panic\s+.*")
        qemu.console.expect(PROMPT + "p")
        said = typed(qemu, "s\r" + "echo on")
        check("thread" in said, f"ps says {said!r}")
        check(re.search(r"stack: bytes .* of 16384; double fault 0, NMI \d+", said),
              f"ps says {said!r}")


def ps_at_rest(qemu):
    """
    The output of ps when no other thread is ready to run.  A line typed right after
    the boot may find a thread that has not run yet; then ps is typed again.
    """

    def look():
        said = command(qemu, "ps")
        return None if "runnable" in said else said

    return wait_until(look, lambda: "somebody wants to run all the time")


@boot_test
def ps_and_stacks_show_what_threads_wait_for(lab):
    with lab.prompt() as qemu:
        said = ps_at_rest(qemu)
        for name, waits_for in (
            ("shell", "running"),
            ("refiller", "refiller_queue"),
            ("worker", "work_queue"),
            ("recorder", "page_queue"),
        ):
            line = rf"\d+ {name} +\w+ +\d+ +\d+ +\d+ +\d+ +\d+ +{waits_for}"
            check(re.search(line, said), f"no {name} in {said!r}")
        check(re.search(r"idle: \d+ ms", said), f"no idle time: {said!r}")
        said = command(qemu, "stacks")
        check("thread worker, waiting for work_queue" in said, said)
        check("work_thread+0x" in said, f"no backtrace: {said!r}")


def booked(said):
    """(milliseconds of threads and idle, since boot, rows) out of `ps`."""
    rows = re.findall(
        r"^ *\d+ \S+ +\w+ +(\d+) +\d+ +\d+ +\d+ +\d+ ", said, re.MULTILINE
    )
    line = re.search(
        r"^idle: (\d+) ms; threads that have ended: (\d+) ms; all since boot: "
        r"(\d+) ms",
        said,
        re.MULTILINE,
    )
    check(rows and line, f"ps says {said!r}")
    idle, ended, total = (int(line[i]) for i in (1, 2, 3))
    return sum(int(row) for row in rows) + idle + ended, total, len(rows)


@boot_test
def ps_books_each_millisecond_once(lab):
    """Threads, those that have ended, and idle are the time since boot; each
    row is rounded down.  At rest, and five seconds later, most of them idle."""
    with lab.prompt(more=GUEST_TIME) as qemu:

        def five_seconds_later():
            said = command(qemu, "ps")
            parts, total, rows = booked(said)
            check(total - rows - 2 <= parts <= total, f"{parts}: {said!r}")
            return said if total >= start + 5000 else None

        said = command(qemu, "ps")
        parts, start, rows = booked(said)
        check(start - rows - 2 <= parts <= start, f"{parts}: {said!r}")
        wait_until(five_seconds_later, lambda: "five seconds never pass")


@boot_test
def history_and_editing_over_the_serial_line(lab):
    with lab.prompt() as qemu:
        command(qemu, "echo first")
        command(qemu, "echo second")
        said = typed(qemu, UP)
        check(said.strip() == "second", f"up recalls {said!r}")
        said = typed(qemu, UP * 2)
        check(said.strip() in ("first", "second"), f"up, up recalls {said!r}")
        said = typed(qemu, "echo abd" + LEFT + "c")
        check(said.strip() == "abcd", f"insert gives {said!r}")
        said = typed(qemu, "echo abx" + BACKSPACE + "c")
        check(said.strip() == "abc", f"backspace gives {said!r}")
        said = typed(qemu, "frobnicate\x15echo new")
        check(said.strip() == "new", f"^U gives {said!r}")
        qemu.send("frobnicate\x03")
        qemu.console.expect(PROMPT)
        said = command(qemu, "echo after")
        check(said.strip() == "after", f"^C leaves {said!r}")


# ---- Words of the command line that are understood ----


@for_each(at_19="19", at_100="100", at_1000="1000")
def hz_is_shown_and_obeyed(lab, rate):
    """
    The log says the rate; in guest time the interrupts come at it.  (At 10 kHz
    a line on the screen takes longer than a tick, and ticks are lost: that is
    for the storm, which prints nothing.)
    """
    with lab.prompt(f"hz={rate}", memory="32M", more=GUEST_TIME) as qemu:
        said = number(qemu.console.text, r"pit: timer at (\d+) Hz", "the log")
        check(said == int(rate), f"the report says {said} Hz")
        before = timer_and_time(qemu)
        limit = before[1] + (1.0 if rate == "19" else 0.2)
        after = before
        while after[1] < limit:
            after = timer_and_time(qemu)
        ticks, seconds = after[0] - before[0], after[1] - before[1]
        due = seconds * int(rate)
        slack = 2 + 0.02 * due
        check(abs(ticks - due) <= slack, f"{ticks} interrupts in {seconds} s")


def timer_and_time(qemu):
    """(ticks, seconds since boot), read by the guest at one moment."""
    said = command(qemu, "irqs")
    found = re.search(r"^up (\d+\.\d+) s, (\d+) ticks", said, re.MULTILINE)
    check(found, f"irqs does not say the time: {said!r}")
    return int(found.group(2)), float(found.group(1))


@boot_test
def loglevel_4_silences_info_lines(lab):
    with lab.prompt("loglevel=4 frobnicate") as qemu:
        text = qemu.console.text
        check("mm: zone" not in text, "an info line is on the console")
        check("pit:" not in text, "an info line is on the console")
        said = logged(qemu, 100)
        check("mm: zone" in said, f"the log has lost it: {said!r}")
        check("unknown word 'frobnicate'" in said, f"no warning: {said!r}")


@boot_test
def mem_limits_memory(lab):
    with lab.prompt("mem=32M", memory="128M") as qemu:
        total = number(
            command(qemu, "meminfo"), r"^MemTotal: +(\d+) kB", "meminfo"
        )
        check(24 << 10 < total < 32 << 10, f"{total} kB are managed")
        said = command(qemu, f"owner {(32 << 20) // 4096:#x}")
        check("no frame" in said, f"there is a frame at 32M: {said!r}")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


def selftest_log(lab, words):
    with lab.boot(words, memory="32M", more=GUEST_TIME) as qemu:
        end = qemu.wait_end(120)
        log = Log(qemu.console.text)
        answer = verdict(log, end)
        kind = answer.kind
        check(kind == Kind.PASSED, f"{kind.value}: {answer.reason}")
        return log, qemu.console.text


@boot_test
def selftest_of_one_suite_runs_that_suite(lab):
    log, _ = selftest_log(lab, "selftest=gfp")
    suites = {case.suite for case in log.cases}
    check(suites == {"gfp"}, f"it ran {sorted(suites)}")
    check(len(log.cases) > 10, f"it ran {len(log.cases)} cases")


@boot_test
def selftest_of_one_case_runs_that_case(lab):
    one = "buddy.random_takes_and_gives_keep_every_invariant"
    log, _ = selftest_log(lab, f"selftest={one}")
    check(log.names == [one], f"it ran {log.names}")


@boot_test
def seed_is_taken_and_said(lab):
    _, text = selftest_log(lab, "selftest=buddy seed=0x1abc2def")
    check("# seed 0x1abc2def" in text, "the seed is not in the log")
