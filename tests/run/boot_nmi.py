# SPDX-License-Identifier: MIT
"""Events between any two instructions: NMIs at rest and in panics, machine checks."""

import re

from boot_panic import as_written, last_screen
from ktap import END_TIMEOUT
from lab import boot_test, check, command, number
from machine import wait_until
from qemu import GUEST_TIME

# MCi_STATUS: valid, uncorrected, enabled, with an address; the processor's
# context is corrupt.
MACHINE_CHECK = "0xb600000000000000"


def raise_machine_check(qemu):
    qemu.monitor(f"mce 0 1 {MACHINE_CHECK} 0x5 0x1000 0x0")


def expect_on_screen(qemu, pattern):
    """PATTERN comes onto the screen, which is written last."""
    wait_until(
        lambda: re.search(pattern, as_written(qemu.screen_text())),
        lambda: f"{pattern!r} is not on the screen",
    )


@boot_test
def nmi_at_an_idle_prompt_is_in_the_log_at_once(lab):
    """
    Nobody logs anything after it: the next tick shows its line.  Without those
    that ticks bring: two at the same moment are one.
    """
    with lab.prompt("watchdog=0") as qemu:
        qemu.qmp("inject-nmi")
        found = qemu.console.expect(r"NMI received at (.+) \(1 so far\)")
        check("+0x" in found.group(1), f"no function: {found.group(1)}")
        command(qemu, "echo still here")


@boot_test
def nmis_at_an_idle_cpu_change_nothing(lab):
    """Each comes at a halt or beside it; then everything works as ever."""
    with lab.prompt(more=GUEST_TIME) as qemu:
        for _ in range(300):
            qemu.qmp("inject-nmi")
        command(qemu, "echo")
        count = number(command(qemu, "irqs"), r"^NMI:\s+(\d+)", "irqs")
        check(count > 0, "no NMI was counted")
        answer = command(qemu, "storm 1000 100")
        check("all invariants hold" in answer, f"storm said {answer!r}")


@boot_test
def nmi_after_a_panic_leaves_the_last_words(lab):
    with lab.prompt() as qemu:
        qemu.send("panic\r")
        qemu.console.expect(r"The machine has stopped\.\r?\n")
        text, screen = qemu.console.text, last_screen(qemu)
        for _ in range(5):
            qemu.qmp("inject-nmi")
        check(last_screen(qemu) == screen, "the screen has changed")
        end = qemu.wait_end(1)
        check(end.kind == END_TIMEOUT, f"it did not stand still: {end}")
        check(qemu.console.text == text, "there was output after the end")


@boot_test
def machine_check_is_a_panic_that_names_its_bank(lab):
    with lab.prompt() as qemu:
        raise_machine_check(qemu)
        qemu.console.expect(
            rf"PANIC: machine check: bank 1, status {MACHINE_CHECK}, "
            r"memory at 0x1000"
        )
        qemu.console.expect(r"backtrace:")
        qemu.console.expect(r"The machine has stopped\.")
        end = qemu.wait_end(1)
        check(end.kind == END_TIMEOUT, f"it did not stand still: {end}")


@boot_test
def panic_within_a_panic_names_both_on_both_consoles(lab):
    """The second one is a machine check, which no halt keeps away."""
    with lab.prompt() as qemu:
        qemu.send("panic\r")
        qemu.console.expect(r"The machine has stopped\.\r?\n")
        raise_machine_check(qemu)
        second = r"panic within the panic: machine check: .* at \w"
        first = r"the first one: asked for at the shell"
        qemu.console.expect(second)
        qemu.console.expect(first)
        place = qemu.console.expect(r"in thread shell, .* at \w.*\+")
        where = re.escape(place.group().rstrip())
        for pattern in (second, first, where):
            expect_on_screen(qemu, pattern)
