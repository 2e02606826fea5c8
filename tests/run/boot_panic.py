# SPDX-License-Identifier: MIT
"""Real faults on request: each panics with its cause, on both consoles."""

import re

from ktap import END_TIMEOUT
from lab import boot_test, check, command, disk_copy, for_each
from machine import wait_until

SPARE_ROWS = 5  # a longer cause and longer names must fit, too
LAST_WORDS = "The machine has stopped."

# The parts of a panic report, in this order.  A time stamp precedes each line of
# the log, so patterns match part of a line.
REGISTERS = (r"rip [0-9a-f]{16}", r"cr2 [0-9a-f]+")
WALK = (r"page walk of [0-9a-fx]+:", r"level 4 PML4E [0-9a-f]{16} \w+")
FRAME = r"\b[\w.]+\+0x[0-9a-f]+ \([\w./]+:\d+\)"
BACKTRACE = (r"backtrace:", FRAME)
MEMORY = (r"accounting: adds up",)
LOG = (r"the last log lines before:", r"  \[.*\] boot: \d+ microseconds")


def expect_all(qemu, patterns):
    for pattern in patterns:
        qemu.console.expect(pattern)


def expect_report(qemu, walk):
    """Everything that follows the cause."""
    parts = REGISTERS + (WALK if walk else ()) + BACKTRACE + MEMORY + LOG
    expect_all(qemu, parts)
    expect_all(qemu, (r"-- in short:", r"PANIC: ", re.escape(LAST_WORDS)))


def last_screen(qemu):
    """The rows of the screen after the last words."""

    def look():
        rows = qemu.screen_text()
        # The line feed behind them is the last thing that is written.
        ended = rows[-2].endswith(LAST_WORDS) and not rows[-1]
        return [row for row in rows if row] if ended else None

    return wait_until(
        look, lambda: f"the screen ends with {qemu.screen_text()[-2:]}"
    )


def as_written(rows):
    """The rows as one text: a long line of the log continues in the next row, below
    its own text, and each run of blanks counts as one."""
    return " ".join(" ".join(rows).split())


def check_screen(qemu, cause):
    """A reader of the screen alone learns what happened, where, and the path to it."""
    rows = last_screen(qemu)
    starts = [i for i, row in enumerate(rows) if "PANIC: " in row]
    check(starts, f"no cause on the screen: {rows}")
    short = rows[starts[-1] :]
    check(len(short) + SPARE_ROWS <= 25, f"{len(short)} rows are too many")
    said = as_written(short)
    check(re.search(cause, said, re.IGNORECASE), f"{cause!r} not in {said!r}")
    check(re.search(r"\] in .*, CPU 0, .* at \w", said), f"no place: {said!r}")
    place, _, frames = said.partition("backtrace:")
    check(re.search(FRAME, place), f"no line of the source: {place!r}")
    frames = re.findall(FRAME, frames)
    check(3 <= len(frames) <= 6, f"{len(frames)} frames in {said!r}")


@for_each(
    by_the_shell=("", r"asked for at the shell", False),
    by_a_null_pointer=("null", r"page fault: write of 0, .*NULL", True),
    by_a_stack_overflow=("stack", r"double fault: .*stack has over", False),
    by_a_write_behind_an_area=(
        "guard",
        r"page fault: write of 0xffffc9\w+, not mapped, the guard page behind the "
        r"12288 bytes at 0xffffc9\w+ of shell, from fault_guard\+",
        True,
    ),
    by_a_write_to_a_freed_area=(
        "freed",
        r"page fault: write of 0xffffc9\w+, not mapped, where vmalloc\(\) has noth",
        True,
    ),
    by_a_write_to_code=("text", r"page fault: write of .*forbidden", True),
    by_a_division=("divide", r"divide error", False),
    by_an_opcode=("opcode", r"invalid opcode \(vector 6\): ud2", False),
    by_a_smashed_stack=(
        "smash",
        r"stack smashed: the guard in the frame of fault_smash\+",
        False,
    ),
    by_one_preempt_enable_too_many=(
        "preempt",
        # A tick between the wrap and the report ends an interrupt with that count.
        r"preempt_count is 0(xffff)? and cannot go down by 0x1",
        False,
    ),
    by_an_assertion=("assert", r"assertion failed: shell_is", False),
)
def panic(lab, what):
    """The cause, registers, walk, backtrace, memory, log; then it stands."""
    word, cause, walk = what
    with lab.prompt() as qemu:
        qemu.send(f"panic {word}\r")
        qemu.console.expect(f"PANIC: .*{cause}")
        expect_report(qemu, walk)
        check_screen(qemu, cause)
        end = qemu.wait_end(1)
        check(end.kind == END_TIMEOUT, f"it did not stand still: {end}")


@boot_test
def panic_in_an_interrupt_names_owner_and_intruder(lab):
    """
    A handler touches a page of the shell's: the cause names both, on both
    consoles, and so do the context and the window that the walk finds closed.
    """
    cause = r"exclusive page of shell, touched by irq 0 timer"
    with lab.prompt() as qemu:
        qemu.send("panic handler\r")
        qemu.console.expect(r"intrusion: page 0x\w+, owned by shell, ")
        qemu.console.expect(f"PANIC: page fault: write of .*{cause}")
        qemu.console.expect(r"\] in irq 0 timer, CPU 0, preempt_count 0x1")
        expect_all(qemu, REGISTERS + WALK)
        qemu.console.expect(r"that is entry \d+ of window (\d+)")
        qemu.console.expect(r"window \d+ was open; .* its PDE was:")
        qemu.console.expect(r"level 2 PDE +[0-9a-f]{16} present writable")
        expect_all(qemu, BACKTRACE)
        qemu.console.expect(r"-- vector 32, interrupt, at:")
        expect_all(qemu, MEMORY + LOG[:1] + (re.escape(LAST_WORDS),))
        check_screen(qemu, cause)


@boot_test
def intruding_thread_is_ended_and_the_shell_goes_on(lab):
    with lab.prompt() as qemu:
        answer = command(qemu, "panic intrude")
        check("was ended" in answer, f"it said {answer!r}")
        command(qemu, "check")


@for_each(
    a_spinlock=("lock", r"spinlock fault_lock", "with_lock"),
    a_mutex=("mutex", r"mutex fault_mutex since", "with_mutex"),
    a_page_lock=("page-lock", r"page lock since", "with_page_lock"),
    a_pin=("pin", r"pin since", "with_pin"),
    a_scope=("scope", r"scope since", "with_scope"),
    a_claimed_device=("claim", r"device since", "with_claim"),
    a_bio=("bio", r"bio since", "with_bio"),
)
def intruder_cannot_be_ended_and_the_panic_names(lab, what):
    """The cause names the lock that the intruder holds and where it was taken."""
    word, thing, place = what
    words = r"exclusive page of shell, touched by intruder, which cannot be"
    with lab.prompt(disk=disk_copy(lab.directory)) as qemu:
        qemu.send(f"panic intrude-{word}\r")
        qemu.console.expect(r"intrusion: page 0x\w+, owned by shell, ")
        qemu.console.expect(f"PANIC: {words} ended: it holds {thing}")
        qemu.console.expect(f"touch_{place}\\+")
        expect_all(qemu, (r"-- in short:", re.escape(LAST_WORDS)))


@boot_test
def intruder_that_has_given_back_everything_is_ended(lab):
    """One of each kind, one after the other; at the end it holds nothing."""
    with lab.prompt(disk=disk_copy(lab.directory)) as qemu:
        answer = command(qemu, "panic intrude-after")
        check("was ended" in answer, f"it said {answer!r}")
        command(qemu, "check")
