# SPDX-License-Identifier: MIT
"""The prompt comes: memory sizes, processors, maps, the menu, odd words."""

import contextlib
import re

import os
import pty
import subprocess
import sys

from ktap import END_POWER_OFF, END_REBOOT
from lab import boot_test, check, command, expect_end, expect_selftest_passes
from lab import for_each, number, long_test
from machine import LIMIT, PROMPT, ROOT, scaled, wait_until
from qemu import GUEST_TIME

LOW_AND_HIGH = ("-M", "pc,max-ram-below-4g=64M")


@for_each(
    at_4M=("qemu64", "4M", ()),
    at_8M=("qemu64", "8M", ()),
    at_17M=("max", "17M", ()),
    at_64M=("max", "64M", ()),
    at_1G=("qemu64", "1G", ()),
    at_6G=("max", "6G", ()),
    at_20G=("max", "20G", ()),
    with_a_hole_from_64M_to_4G=("max", "256M", LOW_AND_HIGH),
    on_q35=("max", "128M", ("-M", "q35")),
)
def prompt(lab, machine):
    cpu, memory, more = machine
    with lab.prompt(cpu=cpu, memory=memory, more=more) as qemu:
        answer = command(qemu, "echo one two")
        check("one two" in answer, f"echo said {answer!r}")
        command(qemu, "check")
        qemu.send("poweroff\r")
        expect_end(qemu, END_POWER_OFF)


def choose_selftest(qemu, where):
    """The second entry of the released disc's menu."""
    qemu.console.expect("Self-test")
    if where == "keyboard":
        qemu.press("down")
        qemu.press("ret")
    else:
        qemu.send("\x1b[B\r")


@for_each(keyboard="keyboard", serial_port="serial")
def menu_starts_the_selftest_by(lab, where):
    """On 4 MB; its first suite passes."""
    with lab.insert(cpu="qemu64", memory="4M", more=GUEST_TIME) as qemu:
        choose_selftest(qemu, where)
        qemu.console.expect(r"KTAP version 1\r?\n1\.\.\d+")
        qemu.console.expect(r"\nok 1 ")


@boot_test
def menu_starts_debug_with_its_detectors(lab):
    """The last entry."""
    with lab.insert(more=GUEST_TIME) as qemu:
        qemu.console.expect("Self-test")
        qemu.send("\x1b[B\x1b[B\x1b[B\r")
        qemu.console.expect(r"detectors: page_owner debug_pagealloc debug_guardpage page_table_check")
        qemu.console.expect(PROMPT)


@long_test
def selftest_from_the_menu_passes_on_4M_without_a_disk(lab):
    with lab.insert(cpu="qemu64", memory="4M", more=GUEST_TIME) as qemu:
        choose_selftest(qemu, "keyboard")
        expect_selftest_passes(qemu)


@boot_test
def menu_starts_its_first_entry_by_itself(lab):
    """In guest time: by the host's, GRUB measures a busy host wrongly and waits."""
    with lab.insert(cpu="qemu64", memory="4M", more=GUEST_TIME) as qemu:
        qemu.console.expect(PROMPT)


@boot_test
def odd_words_are_named_and_ignored(lab):
    words = "frobnicate hz=abc hz= =3 mem=\\ \"x' $y loglevel=7 " + "w" * 300
    with lab.prompt(words) as qemu:
        text = qemu.console.text
        for word in ("frobnicate", "www", "$y"):
            check(f"unknown word '{word}" in text, f"{word} is not reported")
        check("bad value in 'hz=abc'" in text, "hz=abc is not reported")


@boot_test
def a_cpu_without_nx_is_a_message(lab):
    """This one's CPUID ends before leaf 7, whose answer is then another leaf's."""
    cpu = "max,vendor=GenuineIntel,level=4,-nx"
    with lab.prompt(cpu=cpu, memory="32M") as qemu:
        text = qemu.console.text
        check("this CPU has no NX" in text, "it is not reported")
        missing = r"cpu: .*, without nx smep smap umip\r?\n"
        check(re.search(missing, text), "it claims what leaf 7 has")
        check("both writable and executable" not in text, "it claims NX")
        check("alive" in command(qemu, "echo alive"), "the shell is gone")


@for_each(in_pixels=False, in_text=True)
def a_cpu_without_long_mode_gets_a_sentence(lab, text):
    with lab.boot(cpu="qemu32", memory="32M", text=text) as qemu:
        qemu.console.expect(r"(?i)long mode|64-bit")
        # The screen is written behind the serial port.
        wait_until(
            lambda: re.search(
                r"(?i)long mode|64-bit", "\n".join(qemu.screen_text())
            ),
            lambda: "not on the screen",
        )


@boot_test
def mem_0_is_named_and_ignored(lab):
    with lab.prompt("mem=0", memory="32M") as qemu:
        check("bad value in 'mem=0'" in qemu.console.text, "not reported")


@for_each(one=1, as_many_as_fit=64)
def modules_are_reserved(lab, count):
    """GRUB loads a file as a module: its frames are never allocated."""
    grub = ["module2 /boot/extra"] * count
    size = 5 * 4096 + 1
    with lab.prompt(grub=grub, extra=b"module " * (size // 7)) as qemu:
        found = re.findall(
            r"module \d+ at (0x\w+)\.\.(0x\w+) stays reserved",
            qemu.console.text,
        )
        check(len(found) == count, f"{len(found)} modules are reported")
        for start, end in (found[0], found[-1]):
            first, last = int(start, 16) // 4096, (int(end, 16) - 1) // 4096
            check(last - first >= 4, f"{start}..{end} is too small")
            for frame in (first, last):
                said = command(qemu, f"owner {frame:#x}")
                check(": reserved" in said, f"owner says {said!r}")
        command(qemu, "drain GFP_ATOMIC|NOWARN", 120)
        command(qemu, "free all", 120)
        start = int(found[0][0], 16)
        check(qemu.read_memory(start, 7) == b"module ", "it was overwritten")


@boot_test
def more_modules_than_can_be_kept_get_a_sentence(lab):
    grub = ["module2 /boot/extra"] * 65
    with lab.boot(grub=grub, extra=b"module") as qemu:
        qemu.console.expect("65 modules: 64 are the most")


@boot_test
def grub_says_that_memory_is_too_small(lab):
    """GRUB has no room for the kernel's file: it says so, and waits."""
    speak = ("serial --unit=0 --speed=115200", "terminal_output serial")
    with lab.boot(grub=speak, cpu="qemu64", memory="2M") as qemu:
        qemu.console.expect("error: out of memory")
        qemu.console.expect("error: you need to load the kernel first")
        qemu.console.expect("grub>")
        check(qemu.crumbs() == "", f"the kernel said {qemu.crumbs()!r}")
        # A reset would have ended it.
        check(qemu.qmp("query-status")["running"], "the machine has ended")


@for_each(for_the_tables="mem=16K", of_nothing="mem=4K")
def too_little_memory_gets_a_sentence(lab, words):
    with lab.boot(words, memory="32M") as qemu:
        qemu.console.expect(r"(?i)not enough memory|no usable memory")


@boot_test
def missing_keyboard_controller_is_a_message(lab):
    with lab.prompt(more=("-M", "pc,i8042=off")) as qemu:
        check("no controller" in qemu.console.text, "it is not reported")
        check("alive" in command(qemu, "echo alive"), "the shell is gone")


@for_each(at_19="19", at_100="100", at_10000="10000")
def timer_interrupts_come(lab, rate):
    with lab.prompt(f"hz={rate}", more=GUEST_TIME) as qemu:
        count = r"^\s*0:\s+(\d+)"
        wait_until(
            lambda: number(command(qemu, "irqs"), count, "irqs") >= 3,
            lambda: "no timer interrupts came",
        )


@for_each(too_low="hz=18", too_high="hz=10001", no_number="hz=1k")
def rate_out_of_range_is_named_and_ignored(lab, word):
    with lab.prompt(word) as qemu:
        check(f"'{word}'" in qemu.console.text, f"{word} is not reported")


def run_with_input(lab, text):
    """The output of `make run`, from the program that it starts."""
    console = os.path.join(ROOT, "tests", "run", "console.py")
    done = subprocess.run(
        [sys.executable, console],
        input=text.encode(),
        env=dict(os.environ, RUN_DIRECTORY=lab.directory),
        capture_output=True,
        timeout=scaled(LIMIT),
    )
    check(done.returncode == 0, f"it ended with {done.returncode}")
    return done.stdout.replace(b"\r", b"")


@boot_test
def run_without_a_terminal_boots_and_powers_off(lab):
    """`make run </dev/null` and `echo ... | make run`, one after the other, because
    they use the same files.  A line that is too long is reported and does not hang."""
    check(b"labyrinth> " in run_with_input(lab, ""), "no prompt came")
    lines = ("echo " + 400 * "a", "echo " + 2000 * "b", "echo behind")
    said = run_with_input(lab, "".join(line + "\n" for line in lines))
    check(b"\n" + 400 * b"a" + b"\n" in said, "the long line is cut")
    check(b"not run: the line has 2005 characters" in said, "not refused")
    check(b"\nbehind\n" in said, "the line behind is lost")


def run_in_a_terminal(lab, words):
    """`make run` with APPEND=WORDS: (its status, what the terminal shows)."""
    ours, theirs = pty.openpty()
    environment = dict(
        os.environ, APPEND=words, DISK="none", RUN_DIRECTORY=lab.directory
    )
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    console = os.path.join(ROOT, "tests", "run", "console.py")
    shown = b""
    with os.fdopen(ours, "rb", 0) as terminal:
        with os.fdopen(theirs, "rb", 0) as other:
            process = subprocess.Popen(
                [sys.executable, console],
                stdin=other,
                stdout=other,
                stderr=other,
                env=environment,
                start_new_session=True,
            )
        # The end of file of a terminal is an error.
        with process, contextlib.suppress(OSError):
            while data := terminal.read(65536):
                shown += data
    return process.returncode, shown.decode(errors="replace")


@boot_test
def run_in_a_terminal_says_what_the_judge_says(lab):
    """Not what QEMU's status says alone: the log was read."""
    status, shown = run_in_a_terminal(lab, "selftest=bitmap")
    check(status == 0, f"it ended with {status}: {shown[-300:]!r}")
    said = re.search(r"The self-test passed: (\d+) cases, 0 failed", shown)
    check(said, f"it said {shown[-300:]!r}")
    listed = len(re.findall(r"^ {4}ok \d+", shown, re.MULTILINE))
    check(int(said[1]) == listed, f"{said[1]} cases of {listed}")


@boot_test
def poweroff_is_a_power_off(lab):
    with lab.prompt() as qemu:
        qemu.send("poweroff\r")
        expect_end(qemu, END_POWER_OFF)


@boot_test
def reboot_is_a_reset_and_no_triple_fault(lab):
    with lab.prompt() as qemu:
        qemu.send("reboot\r")
        expect_end(qemu, END_REBOOT)
