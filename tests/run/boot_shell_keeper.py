# SPDX-License-Identifier: MIT
"""A shell that is ended says why, and another one reads the next line."""

import re

from lab import boot_test, check, command, for_each
from machine import PROMPT

WHY = r"\nThe shell was ended: it touched an exclusive page that it does not own\."
HELD = r"\n(\d+) blocks and (\d+) objects are given back, and it is started again"


def end_the_shell(qemu, word):
    """Type the command that ends it.  Returns what the report says it held."""
    qemu.send(f"panic {word}\r")
    qemu.console.expect("intrusion: .*, touched by shell:")
    if word == "release":
        qemu.console.expect(r"  released by shell at \w+\+0x\w+ \(kernel/shell/")
    why = qemu.console.expect(WHY)
    held = qemu.console.expect(HELD)
    for line in (why.group(0).strip(), held.group(0)):
        check(len(line) < 80, f"wider than the screen: {line}")
    qemu.console.expect(PROMPT)
    return held.groups()


def shells(qemu):
    """The numbers of the threads that are called so."""
    return re.findall(r"^ *(\d+) shell ", command(qemu, "ps"), re.MULTILINE)


@for_each(
    touching_what_it_released="release",
    in_a_handler_of_its_own_fault="nested",
)
def shell_is_started_again_after(lab, word):
    """Twice: the first thread, and one that was made for it."""
    with lab.prompt() as qemu:
        first = shells(qemu)
        command(qemu, "alloc GFP_KERNEL 2")
        command(qemu, "anon 3")
        command(qemu, "oom_score_adj " + first[0] + " 7")
        check(end_the_shell(qemu, word) == ("1", "1"), "it held something else")
        second = shells(qemu)
        check(len(first) == len(second) == 1, f"{first}, then {second}")
        check(first != second, "it is the same thread")
        check("alive" in command(qemu, "echo alive"), "the shell is gone")
        scores = command(qemu, "oom_score_adj")
        rows = re.findall(r" shell +(\d+) +(\d+) +(-?\d+) ", scores)
        check(rows == [("0", "0", "7")], f"it begins with {rows}")
        command(qemu, "alloc GFP_ATOMIC|__GFP_EXCLUSIVE")
        check(end_the_shell(qemu, word) == ("0", "0"), "it held nothing")
        third = shells(qemu)
        check(len(third) == 1 and third != second, f"{second}, then {third}")
        # Suites count every page before and after each case.
        said = command(qemu, "selftest exclusive", 120)
        check(re.search(r"selftest: \d+ passed, 0 failed", said), said[-400:])


@boot_test
def a_shell_that_was_started_again_panics_like_the_first(lab):
    """Faults other than an intrusion still end the machine."""
    with lab.prompt() as qemu:
        end_the_shell(qemu, "release")
        qemu.send("panic null\r")
        qemu.console.expect("PANIC: page fault: write of 0, .*NULL")
        qemu.console.expect(r"\] in thread shell, ")
