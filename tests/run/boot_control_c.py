# SPDX-License-Identifier: MIT
"""^C gives the prompt back, whatever the shell's command does."""

import os
import re

from boot_columns import commands_and_groups
from boot_files import put_back, take_out, tool
from lab import boot_test, check, command, disk_copy, for_each, number
from machine import PROMPT
from qemu import GUEST_TIME

CONTROL_C = "\x03"


def interrupt(qemu, line, begun):
    """Type LINE, and ^C when it has printed BEGUN.  Returns its output up to the prompt."""
    qemu.send(line + "\r")
    qemu.console.expect(r"\n")
    start = qemu.console.cursor
    qemu.console.expect(begun)
    qemu.send(CONTROL_C)
    qemu.console.expect(r"\^C\r?\n")
    end = qemu.console.expect(PROMPT).start()
    return qemu.console.text[start:end].replace("\r", "")


@for_each(nofs="GFP_NOFS", noio="GFP_NOIO")
def request_that_waits_forever_is_told_and_ended(lab, mask):
    """
    No FS, so nobody is killed, and nobody brings memory.  The watchdog looks at
    the first thread, too; the request gets a victim's right, and then NULL.
    """
    with lab.prompt("watchdog=1", memory="32M", more=GUEST_TIME) as qemu:
        kills = number(command(qemu, "vmstat oom_kill"), r"(\d+)$", "vmstat")
        said = interrupt(
            qemu,
            f"drain {mask}",
            r"BUG: watchdog: thread shell has waited for memory for \d+ ms",
        )
        check(re.search(r"^\d+ pages taken, \d+ free", said, re.M), said)
        check("alloc_slow_path+0x" in said, f"no backtrace: {said!r}")
        said = command(qemu, "free all")
        check(re.search(r"^\d+ blocks", said), said)
        said = command(qemu, "alloc GFP_KERNEL 0")
        check("pfn" in said, f"the shell has no right to memory: {said!r}")
        now = number(command(qemu, "vmstat oom_kill"), r"(\d+)$", "vmstat")
        check(now == kills, "somebody was killed")
        said = command(qemu, "check")
        check("exactly one column" in said, said)


# Commands that take as long as one is willing to let them: what to type, what they
# say when they have begun, and what must not have come to its end.
LONG = {
    "selftest": ("selftest", r"# Subtest: "),
    "storm": ("storm 1000 10000000", r"\^C ends it"),
    "threads": ("threads 1000", r""),
    "pressure": ("pressure 1000", r"\^C ends it"),
    "hexdump": ("hexdump hda 0 1024", r"\n0000000400 "),
    "scribble": ("scribble hda3 0 16000 1", r""),
    "ls": ("ls /big", r"name-0001"),
    "cat": ("cat endless", r"\.{500}"),
    "swapoff": ("swapoff hda2", r""),
    "anon": ("anon fill 1 3", r""),
    "drain": ("drain GFP_NOFS", r"shell has waited for memory"),
    "log": ("log 16384", r"\n\["),
    "trace": ("trace show", r"\n.*\n.*\n"),
}

# The others end by themselves: what they print has an end, and each request to a
# disk has a time limit.
SHORT = set(
    """
    buddyinfo pagetypeinfo extfrag compact contig fragment zoneinfo meminfo vmstat slabinfo vmallocinfo check alloc free gfp owner why
    exclusive page_owner map recorder bench hotpath
    panic mistake disks write rm mkdir sync df mount umount swapon swaps oom_score_adj fail
    failslab cma
    sysctl irqs ps stacks reboot poweroff help echo clear
    """.split()
)

# Their output if they were not interrupted.
WHOLE = {
    "hexdump": r"\n000007fff0 ",
    "scribble": r"16000 sectors written",
    "ls": r"name-2999",
    "anon": r"2000 of 2000 pages filled",
    "threads": r"threads: 1000 lived",
}


def disk_with_much_to_show(lab):
    disk = disk_copy(lab.directory)
    part = take_out(disk)
    script = os.path.join(lab.directory, "script")
    with open(script, "w") as file:
        file.write("write /dev/null endless\nsif endless size 4000000000\n")
        file.write("mkdir big\n")
        for i in range(3000):
            file.write(f"symlink big/name-{i:04} x\n")
    tool("debugfs", "-w", "-f", script, part)
    put_back(disk)
    return disk


@boot_test
def control_c_ends_every_command_that_takes_long(lab):
    """All that `help` lists: a new one belongs into one of the two lists."""
    disk = disk_with_much_to_show(lab)
    with lab.prompt(
        "watchdog=1", memory="64M", disk=disk, more=GUEST_TIME
    ) as qemu:
        groups = commands_and_groups(qemu)
        names = {name for names in groups.values() for name in names}
        check(names == SHORT | set(LONG), f"{names ^ (SHORT | set(LONG))}")
        for line in (
            "swapon hda2",
            "trace on",
            "anon 2000",
            "anon fill 1 3",
            "anon out 1",
        ):
            command(qemu, line)
        for name, (line, begun) in LONG.items():
            said = interrupt(qemu, line, begun)
            whole = WHOLE.get(name)
            check(not whole or not re.search(whole, said), f"{name} went on")
            command(qemu, "free all")
        said = command(qemu, "swaps")
        check("hda2" in said, f"swapoff was not ended: {said!r}")
        said = command(qemu, "anon verify 1")
        check(" 0 cannot be read" in said, said)
        said = command(qemu, "check")
        check("exactly one column" in said, said)


@boot_test
def control_c_typed_ahead_is_for_the_command_before_it(lab):
    """All in one write: the interrupt comes before the command has begun."""
    with lab.prompt(memory="32M") as qemu:
        qemu.send("storm 1000 10000000\r" + CONTROL_C + "echo behind\r")
        qemu.console.expect(r"ended by \^C")
        qemu.console.expect(r"\nbehind\r?\n")
