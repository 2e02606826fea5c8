# SPDX-License-Identifier: MIT
"""Hangs are reported: loops with interrupts off, threads that wait forever."""

import os
import re
import threading

from bochs import LiveBochs
from ktap import END_TIMEOUT
from lab import boot_test, check, command, for_each, logged, make_iso, number
from machine import PROMPT
from qemu import GUEST_TIME

# Edges a second at hz=1000: 1193182 / 1193.
PIT_1000 = 1000.15

# ---- Interrupts off


def expect_report_of_the_loop(machine, seconds):
    """The last words name the loop, and how long it was."""
    found = machine.console.expect(
        r"PANIC: watchdog: no tick for (\d+) ms, interrupts are off"
    )
    took = int(found[1])
    check(seconds * 1000 <= took < seconds * 1100, f"reported after {took} ms")
    machine.console.expect(r"in thread shell, .* at fault_irqs_off\+0x")
    machine.console.expect(r"backtrace:\s+(.*\n)?.* fault_irqs_off\+0x")
    machine.console.expect(r" run_panic\+0x")
    machine.console.expect(r"The machine has stopped\.")


@for_each(by_the_clock=(), by_instructions=GUEST_TIME)
def loop_with_interrupts_off_is_a_panic_that_names_it(lab, more):
    with lab.prompt("watchdog=2", more=more) as qemu:
        qemu.send("panic irqs-off\r")
        expect_report_of_the_loop(qemu, 2)
        end = qemu.wait_end(1)
        check(end.kind == END_TIMEOUT, f"it did not stand still: {end}")


def feed_console(machine):
    """The bytes of its serial socket, until it closes."""
    while data := machine.serial.recv(4096):
        machine.console.feed(data)
    machine.console.close()


@boot_test
def loop_with_interrupts_off_is_seen_in_bochs(lab):
    iso = make_iso("watchdog=2")
    os.makedirs(lab.directory, exist_ok=True)
    with LiveBochs(lab.directory, iso) as machine:
        machine.serial.settimeout(None)
        reader = threading.Thread(target=feed_console, args=(machine,))
        reader.daemon = True
        reader.start()
        machine.console.expect(PROMPT)
        machine.serial.sendall(b"panic irqs-off\r")
        expect_report_of_the_loop(machine, 2)
    reader.join()


def watch_numbers(qemu):
    """Microseconds up, ticks' NMIs, and others."""
    said = command(qemu, "irqs")
    return (
        number(said, r"^up (\d+)\.", "irqs") * 10**6
        + number(said, r"^up \d+\.(\d+) s", "irqs"),
        number(said, r"^WDT: +(\d+) ", "irqs"),
        number(said, r"^NMI: +(\d+) ", "irqs"),
    )


@boot_test
def each_edge_of_the_timer_brings_one_nmi(lab):
    """Counted for two seconds, by the clock; and none is taken for another's,
    also among all interrupts at 10 kHz."""
    with lab.prompt(more=GUEST_TIME) as qemu:
        began, first, _ = watch_numbers(qemu)
        command(qemu, "storm 1000 700")
        ended, last, others = watch_numbers(qemu)
        wanted = (ended - began) * PIT_1000 / 10**6
        check(
            abs(last - first - wanted) <= wanted / 100 + 5,
            f"{last - first} NMIs where {wanted:.0f} edges were",
        )
        check(others == 0, f"{others} NMIs of another source")
        command(qemu, "storm 10000 2000")
        check(watch_numbers(qemu)[2] == 0, "an NMI of another source")


@boot_test
def nmi_from_elsewhere_is_told_although_ticks_bring_theirs(lab):
    """Two at the same moment are one, so there are some tries."""
    with lab.prompt("hz=19") as qemu:
        for _ in range(10):
            qemu.qmp("inject-nmi")
            command(qemu, "echo")
        told = r"NMI received at \S+\+0x\S+ .*\(1 so far\)"
        said = logged(qemu, 100)
        check(re.search(told, said), said)
        others = watch_numbers(qemu)[2]
        check(5 <= others <= 10, f"{others} of 10 NMIs were reported")


@boot_test
def without_an_io_apic_the_log_says_what_is_not_seen(lab):
    with lab.prompt(more=("-M", "isapc")) as qemu:
        said = logged(qemu, 100)
        check(
            "no I/O APIC: loops with interrupts off are not seen" in said, said
        )
        check(watch_numbers(qemu)[1] == 0, "there are NMIs")


@boot_test
def watchdog_that_is_switched_off_costs_no_nmi(lab):
    with lab.prompt("watchdog=0") as qemu:
        check(watch_numbers(qemu)[1:] == (0, 0), "there are NMIs")
