# SPDX-License-Identifier: MIT
"""The shell's output fits the screen: 80 columns, help and a dump on one page."""

import re
import textwrap

from lab import boot_test, check, command, disk_copy, for_each, long_test
from qemu import COLUMNS, GUEST_TIME, ROWS

STAMP = re.compile(r"\[ *\d+\.\d{6}\] ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# The lines typed for each command, in this order; commands that do not end by
# themselves, or end the machine, are left out by name.
LINES = """
    buddyinfo
    pagetypeinfo
    extfrag
    fragment 100
    fragment off
    compact
    zoneinfo
    meminfo
    vmstat
    vmstat nr_
    slabinfo
    vmallocinfo
    contig
    contig 512
    cma
    cma alloc 4
    contig off
    check
    alloc
    alloc GFP_KERNEL 3
    alloc GFP_ATOMIC|__GFP_EXCLUSIVE
    alloc NONSENSE
    free
    free 1
    gfp
    gfp GFP_KERNEL
    gfp GFP_ATOMIC|__GFP_EXCLUSIVE
    gfp GFP_HIGHUSER_MOVABLE|__GFP_NORETRY 10
    gfp GFP_NOIO|__GFP_RETRY_MAYFAIL 4
    gfp GFP_NOFS|__GFP_NOFAIL|__GFP_ZERO|__GFP_COMP|__GFP_MOVABLE|__GFP_NOWARN
    owner
    owner 1
    owner {block}
    owner {exclusive}
    why
    why 256
    why {block}
    why {exclusive}
    page_owner
    page_owner 1
    page_owner mark
    exclusive
    free all
    recorder
    recorder start
    threads 20
    map
    map owner
    map off
    storm 20000
    storm 100 40
    bench
    hotpath
    mistake
    mistake double-free
    disks
    hexdump
    hexdump hda 0
    scribble
    scribble hda3 0 2 1
    ls
    ls -l /
    cat
    cat /hello
    write
    write /columns some words
    mkdir
    mkdir /columns.d
    rm
    rm /columns
    rm /columns.d
    sync
    df
    mount
    swapon
    swapon hda2
    swaps
    anon
    anon 40
    anon fill 1
    anon out 1
    anon verify 1
    anon
    anon drop 1
    oom_score_adj
    pressure 1 400
    swapoff hda2
    umount
    fail
    failslab
    sysctl
    trace
    trace on
    alloc GFP_KERNEL
    free all
    trace off
    trace show 50
    irqs
    ps
    stacks
    log
    help
    echo some words
    clear
    nonsense
    selftest nonsense
"""
LEFT_OUT = {"drain", "panic", "reboot", "poweroff"}


def lines_of(said):
    """As they are on a screen, tabs and all; a line may be written several times.
    The screen breaks the log's lines between words, below their text."""
    rows = []
    for line in re.split(r"[\r\n]+", COLOUR.sub("", said)):
        stamp = STAMP.match(line)
        indent = " " * len(stamp[0]) if stamp else ""
        wrapped = textwrap.wrap(line, COLUMNS, subsequent_indent=indent)
        rows += wrapped if stamp else [line.expandtabs()]
    return rows


def answer(qemu, line):
    """As lab.command(), with each carriage return."""
    start = qemu.console.cursor
    command(qemu, line)
    said = qemu.console.text[start : qemu.console.cursor]
    return said[said.index("\n") + 1 : said.rindex("\n") + 1]


def check_width(what, said):
    wide = [line for line in lines_of(said) if len(line) > COLUMNS]
    check(not wide, f"{what}: {len(wide)} lines are too wide: {wide[:4]}")


def check_page(what, said):
    """With the line that was typed it is on the screen, all of it."""
    check_width(what, said)
    rows = len(said.rstrip("\n").split("\n"))
    check(rows < ROWS, f"{what} has {rows} rows")


def commands_and_groups(qemu):
    """By the overview: {group: its commands}."""
    said = COLOUR.sub("", command(qemu, "help"))
    check_page("help", said)
    found = re.findall(r"^(\w+) .*\n {8}(\w[\w ]+)$", said, re.MULTILINE)
    check(found, f"help says {said!r}")
    return {group: names.split() for group, names in found}


@boot_test
def help_fits_the_screen_page_by_page(lab):
    """The overview, each group, each command, and the words for the boot."""
    with lab.prompt(memory="32M") as qemu:
        groups = commands_and_groups(qemu)
        for group, names in groups.items():
            said = command(qemu, f"help {group}")
            check_page(f"help {group}", said)
            listed = re.findall(r"^ {2}(\w+)(?: .*)?$", said, re.MULTILINE)
            check(listed == names, f"help {group}: {listed}, not {names}")
            for name in names:
                check(name not in groups, f"{name} is a group, too")
                check_page(name, command(qemu, f"help {name}"))
        words = []
        page = 1
        while True:
            said = command(qemu, f"help params {page}")
            check_page(f"help params {page}", said)
            words += re.findall(r"^ {2}(\w+)[ =:\[]", said, re.MULTILINE)
            page += 1
            if f"'help params {page}' goes on" not in said:
                break
        check(words == sorted(set(words)), f"{words} are not in order")
        check(len(words) > 24, f"only {words}")


def reports_fit(lab, memory):
    """All commands, with and without arguments, right ones and wrong ones."""
    disk = disk_copy(lab.directory)
    with lab.prompt(memory=memory, disk=disk, more=GUEST_TIME) as qemu:
        groups = commands_and_groups(qemu)
        names = {name for names in groups.values() for name in names}
        tried = {line.split()[0] for line in LINES.strip().split("\n")}
        check(
            names - {"selftest"} <= tried | LEFT_OUT,
            f"{names - tried - LEFT_OUT} are not tried",
        )
        pfns = {}
        for line in LINES.strip().split("\n"):
            line = line.strip().format(**pfns)
            said = answer(qemu, line)
            check_width(line, said)
            found = re.search(r"^pfn (0x\w+) ", said)
            if found and "window" in said:
                pfns["exclusive"] = found[1]
            elif found:
                pfns["block"] = found[1]


@boot_test
def reports_fit_80_columns_at_64M(lab):
    reports_fit(lab, "64M")


@long_test
def reports_fit_80_columns_at_6G(lab):
    reports_fit(lab, "6G")


@for_each(with_two_zones="64M", with_three_zones="4G")
def oom_dump_is_on_one_screen_and_all_of_it_in_the_log(lab, memory):
    with lab.prompt(memory=memory, more=GUEST_TIME) as qemu:
        said = answer(qemu, "drain GFP_KERNEL")
        check_width("drain", said)
        dump = re.search(
            r"^.*invoked oom-killer.*?oom_score_adj:\d+", said, re.M | re.S
        )
        check(dump, f"no dump: {said!r}")
        rows = lines_of(dump[0])
        check(len(rows) < ROWS, f"{len(rows)} rows: {rows}")
        zones = re.findall(r"\] (DMA|DMA32|Normal) ( +\d+){7}\r?$", dump[0], re.M)
        check(len(zones) == (2 if memory == "64M" else 3), f"zones: {zones}")
        check(dump[0].count("] refused") == 2, f"reasons: {rows}")
        for what in ("drain+0x", "Out of memory: Killed thread"):
            check(what in dump[0], f"no {what}: {rows}")
        said = answer(qemu, "log 300")
        check_width("log", said)
        refused = (
            "refused: no page of DMA is free",
            "pages free in DMA are not above",
            "refused, but DMA has enough",
        )
        log = " ".join(said.split())
        check(any(what in log for what in refused), f"no reason of DMA: {said!r}")
        for what in ("lowmem_reserve[]: ", "*4096kB = ", " pages RAM"):
            check(what in log, f"the log has no {what}")


@boot_test
def storm_and_pressure_write_one_line_again(lab):
    """At most 20 rows with all that they say at the end, and no dump among them;
    the dumps of the requests that failed are in the log."""
    disk = disk_copy(lab.directory)
    with lab.prompt(memory="32M", disk=disk, more=GUEST_TIME) as qemu:
        command(qemu, "swapon hda2")
        for line, again in (
            ("storm 1000 200", r"\rstorm: at +\d+ Hz: "),
            ("pressure 4 800", r"\rpressure: \d+ s, \d+ pages to swap"),
        ):
            said = answer(qemu, line)
            check_width(line, said)
            rows = said.rstrip("\n").split("\n")
            check(len(rows) <= 20, f"{line}: {len(rows)} rows: {rows}")
            check(len(re.findall(again, said)) > 1, f"{line}: {said!r}")
            check("invariants hold" in said, f"{line}: {said!r}")
            check("backtrace" not in said, f"{line}: {said!r}")
        said = command(qemu, "log 200")
        check("page allocation failure" in said, f"the log: {said!r}")
        # After the storm, reports go to the console again.
        said = command(qemu, "drain GFP_KERNEL")
        check("invoked oom-killer" in said, f"drain: {said!r}")


# The reports whose lines are tables: the words above their columns.
HEADINGS = {
    "buddyinfo": "free blocks of order 0 1 2 3 4 5 6 7 8 9 10",
    "pagetypeinfo": "free blocks of type, order 0 1 2 3 4 5 6 7 8 9 10",
    "extfrag": "unusable 0 1 2 3 4 5 6 7 8 9 10",
    "slabinfo": "# name active_objs objs size per_slab pages : slabdata active slabs",
    "exclusive": "number owner window owned sent incoming",
    "recorder": "line taken seen dropped pending pages errors",
    "disks": "device sectors MiB type reads writes",
    "df": "Filesystem",
    "swaps": "Filename Type Size Used Priority",
    "anon": "object pages resident swapped",
    "oom_score_adj": "number thread rss swapents oom_score_adj badness",
    "irqs": "CPU0",
    "ps": "number thread prio ms switches preempt owned stack state or wait",
    "gfp GFP_KERNEL": "zone free low min floor reserve pages",
}


@boot_test
def tables_have_headings(lab):
    disk = disk_copy(lab.directory)
    with lab.prompt(disk=disk) as qemu:
        for line, heading in HEADINGS.items():
            rows = [" ".join(row.split()) for row in command(qemu, line).split("\n")]
            check(
                any(row.startswith(heading) for row in rows),
                f"{line} has no heading {heading!r}: {rows}",
            )


@boot_test
def owner_says_who_took_a_page_with_file_and_line(lab):
    """Of an ordinary page and of an exclusive one: the line that asked."""
    with lab.prompt() as qemu:
        for mask in ("GFP_KERNEL", "GFP_ATOMIC|__GFP_EXCLUSIVE"):
            said = command(qemu, f"alloc {mask}")
            pfn = re.search(r"^pfn (0x\w+) ", said)
            check(pfn, f"alloc {mask} says {said!r}")
            said = " ".join(command(qemu, f"owner {pfn[1]}").split())
            check(
                re.search(
                    r"last touched by shell \(number 1\) at shell_pages_run_alloc\+0x\w+ "
                    r"\(kernel/shell/shell_pages\.c:\d+\) with " + re.escape(mask),
                    said,
                ),
                f"owner says {said!r}",
            )
