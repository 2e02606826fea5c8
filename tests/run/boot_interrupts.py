# SPDX-License-Identifier: MIT
"""Interrupts from outside: keys by the thousand, NMIs, serial input."""

import contextlib
import re
import subprocess
import sys
import time
import signal
import threading

from ktap import Log
from lab import boot_test, check, command, disk_copy, for_each
from lab import expect_selftest_passes, number, long_test
from machine import PROMPT, Failure, wait_until
from qemu import GUEST_TIME

KEYS = 2000
NMIS = 20  # in a whole self-test, at the very least
MOST_NMIS = 20000
FLOOD = 300

# The figure of docs/07-interrupts.md for the serial port's handler, and some room.
BOUND = 20000


def keyboard_numbers(qemu):
    """(scan codes read by the driver, overruns, the recorder's columns)."""
    irqs, recorder = command(qemu, "irqs"), command(qemu, "recorder")
    codes = number(irqs, r"^scan codes: (\d+)", "irqs")
    overruns = number(irqs, r"^scan codes: \d+, (\d+) overruns", "irqs")
    line = re.search(r"^keyboard((?:\s+\d+){6})", recorder, re.MULTILINE)
    check(line, f"recorder has no line for the keyboard: {recorder!r}")
    columns = ("taken", "seen", "dropped", "pending", "pages", "errors")
    values = (int(word) for word in line.group(1).split())
    return codes, overruns, dict(zip(columns, values))


def type_key(qemu, key, count):
    """
    Press and release KEY, seven times at most before the echo is awaited: the
    controller's queue holds 16 scan codes, and a busy host may not run the
    machine for longer than that.
    """
    for begin in range(0, count, 7):
        strokes = min(7, count - begin)
        for _ in range(strokes):
            qemu.press(key)
        qemu.console.expect(rf"({key}[^{key}]*){{{strokes}}}")


@boot_test
def keys_2000_by_qmp_and_none_lost(lab):
    """
    Each key is pressed and released, so that makes 4000 scan codes.  The driver
    counts them, and so does the recorder, from the contents of its pages.
    """
    with lab.prompt() as qemu:
        codes, overruns, old = keyboard_numbers(qemu)
        for _ in range(KEYS // 50):
            type_key(qemu, "x", 49)
            qemu.press("ret")
            qemu.console.expect(PROMPT)
        command(qemu, "recorder stop")
        more, new_overruns, new = keyboard_numbers(qemu)
        # Stopping the recorder's line takes one more scan code.
        sent, counted = 2 * KEYS + 1, more - codes
        check(counted == sent, f"{counted} scan codes for {sent} edges")
        check(new_overruns == overruns, "the controller lost scan codes")
        check(new["dropped"] == 0, f"the recorder dropped {new['dropped']}")
        check(new["errors"] == 0, f"the recorder found {new['errors']} errors")
        check(new["pending"] == 0, f"{new['pending']} samples are on their way")
        check(
            new["seen"] == new["taken"],
            f"the recorder saw {new['seen']} of {new['taken']} interrupts",
        )
        taken = new["taken"] - old["taken"]
        check(taken >= sent, f"the recorder counted {taken} for {sent} edges")


def end_flooded_line(qemu):
    """
    Return, behind all that is queued; again if the queue had no room.  On a
    busy host the first one may be on its way yet: then more prompts come than
    one, and what is typed last tells where they end.
    """

    def enter():
        qemu.monitor("sendkey ret 1")
        try:
            return qemu.console.expect("no such command", 5)
        except Failure:
            return None

    wait_until(enter, lambda: "Return does not get through")
    qemu.send("echo in step\r")
    qemu.console.expect(r"\nin step\r?\n")
    qemu.console.expect(PROMPT)


@boot_test
def flood_by_sendkey_leaves_equations_and_keyboard_whole(lab):
    """
    Far more keys than the machine takes: QEMU's own queue and the keyboard's
    overflow, and what is lost there no guest can see.  Of what arrives, each
    interrupt is a scan code, each scan code is seen or counted as dropped, and
    the next line that is typed is read right.
    """
    with lab.prompt() as qemu:
        codes, _, old = keyboard_numbers(qemu)
        for _ in range(FLOOD):
            qemu.monitor("sendkey x 1")
        end_flooded_line(qemu)
        command(qemu, "recorder stop")
        more, _, new = keyboard_numbers(qemu)
        taken = new["taken"] - old["taken"]
        check(taken > 100, f"the flood was {taken} interrupts")
        check(
            new["seen"] + new["dropped"] == new["taken"],
            f"{new['seen']} + {new['dropped']} is not {new['taken']}",
        )
        check(new["errors"] == 0, f"the recorder found {new['errors']} errors")
        check(taken >= more - codes - 1, f"{more - codes} codes, {taken} taken")
        qemu.type_keys("echo whole\n")
        qemu.console.expect(r"\nwhole\r?\n")


@boot_test
def nmis_between_commands_are_counted(lab):
    """Without those that ticks bring: two at the same moment are one."""
    with lab.prompt("watchdog=0") as qemu:
        for _ in range(20):
            qemu.qmp("inject-nmi")
            command(qemu, "alloc GFP_ATOMIC 0")
        command(qemu, "free all")
        count = number(command(qemu, "irqs"), r"^NMI:\s+(\d+)", "irqs")
        check(count == 20, f"{count} of 20 NMIs were counted")


def log_text(machine):
    return machine.console.text.replace("\r", "")


def inject_until_the_end(qemu, limit):
    """NMIs until the machine is gone or LIMIT were sent.  How many."""
    for sent in range(limit):
        try:
            qemu.qmp("inject-nmi")
        except (Failure, OSError):
            return sent
    return limit


def run_under_nmis(lab, words):
    """
    A self-test that passes, with an NMI in every QMP round trip.  How many were
    sent, how many the guest has counted (its suites raise some themselves; an
    NMI in an NMI waits, a third one is lost), and its log.
    """
    with lab.boot(words, more=GUEST_TIME) as qemu:
        qemu.console.expect("KTAP version 1")
        sent = inject_until_the_end(qemu, MOST_NMIS)
        expect_selftest_passes(qemu)
        log = log_text(qemu)
    return sent, number(log, r"^# nmis (\d+)", "the self-test"), log


def short_run_under_nmis(lab, words):
    """The same; again if it was over before an NMI was sent and counted."""

    def run():
        sent, counted, log = run_under_nmis(lab, words)
        return (sent, counted, log) if sent > 0 and counted > 0 else None

    return wait_until(run, lambda: "no NMI came before the end")


def nmis_change_nothing(lab, words):
    sent, counted, _ = run_under_nmis(lab, words)
    check(sent >= NMIS, f"only {sent} NMIs were sent before the end")
    check(counted >= NMIS, f"only {counted} NMIs were counted")


@boot_test
def nmis_on_top_of_the_allocator_change_nothing(lab):
    """The suites that ask the machine's own node, with a walk after each case."""
    suites = "exclusive,reclaim,reserve,slow_path,anon,life,intruder"
    nmis_change_nothing(lab, f"selftest={suites}")


@long_test
def nmis_on_top_of_every_suite_change_nothing(lab):
    nmis_change_nothing(lab, "selftest")


@boot_test
def nmis_among_the_lines_of_the_log_tear_none(lab):
    """The kernel logs the 1st, 2nd, 4th, 8th... of its first NMIs immediately."""
    short_run_under_nmis(lab, "selftest=printk")


@boot_test
def nmis_from_outside_meet_those_from_inside(lab):
    """
    The suite nmi raises its own and counts what its handler does; injected ones
    come between, and the allocator is closed to both.
    """
    _, counted, log = short_run_under_nmis(lab, "selftest=nmi")
    own = number(log, r"nmi: (\d+) NMIs", "the suite")
    check(counted >= own, f"{counted} counted, {own} of them in one case")


@boot_test
def interrupts_are_off_for_a_bounded_number_of_instructions(lab):
    """Where time is counted in instructions nothing is skipped, and the log says
    how many they were at most, and where."""
    with lab.boot("selftest=irqsoff", memory="512M", more=GUEST_TIME) as qemu:
        qemu.console.expect("KTAP version 1")
        expect_selftest_passes(qemu)
        log = log_text(qemu)
    check("# SKIP instr" not in log, "the instructions are not counted")
    number(log, r"^# interrupts off at most (\d+) instructions, \S", "the log")


@boot_test
def irqs_says_how_long_interrupts_were_off(lab):
    """After the boot, with a tick a hundred times a second."""
    with lab.prompt(more=GUEST_TIME) as qemu:
        command(qemu, "alloc 0 GFP_KERNEL")
        answer = command(qemu, "irqs")
        text = r"^interrupts off at most (\d+) instructions, \S"
        most = number(answer, text, "irqs")
        check(100 < most <= BOUND, f"{most} instructions:\n{answer}")
    with lab.prompt("irqsoff=0", more=GUEST_TIME) as qemu:
        answer = command(qemu, "irqs")
        check("off at most 0 " in answer, f"it is measured:\n{answer}")


@boot_test
def serial_input_faster_than_the_line(lab):
    """A long line in one piece: what it echoes is what was sent."""
    text = "".join(chr(97 + i % 26) for i in range(60))
    with lab.prompt() as qemu:
        for _ in range(5):
            answer = command(qemu, "echo " + text)
            check(text in answer, f"echo said {answer!r}")
        overruns = number(
            command(qemu, "irqs"), r"^COM1: \d+ bytes in, (\d+) over", "irqs"
        )
        check(overruns == 0, f"{overruns} overruns")


def keys_dropped(qemu):
    said = command(qemu, "irqs")
    check(", 0 overruns" in said, said)
    return number(said, r"console dropped: (\d+) keys", "irqs")


def expect_lines(qemu, words):
    """The answers of `echo WORD`, each once and in this order."""
    for word in words:
        qemu.console.expect(rf"\n{word}\r?\n")


@for_each(lines_60=60, lines_600=600)
def pasted_in_one_write_all_run(lab, count):
    """600 are three times what the console's ring holds."""
    words = [f"p{i:03}" for i in range(count)]
    with lab.prompt() as qemu:
        qemu.send("".join(f"echo {word}\r" for word in words))
        expect_lines(qemu, words)
        qemu.console.expect(PROMPT)
        check(keys_dropped(qemu) == 0, "keys were dropped")
        answers = re.findall(r"\n(p\d\d\d)\r?\n", qemu.console.text)
        check(answers == words, f"{len(answers)} answers for {count} lines")


@boot_test
def pasted_behind_a_command_that_does_not_read_all_run(lab):
    """Nobody reads keys while it runs: the ring is full, and the port holds."""
    words = [f"q{i:03}" for i in range(400)]
    with lab.prompt() as qemu:
        qemu.send("bench\r" + "".join(f"echo {word}\r" for word in words))
        expect_lines(qemu, words)
        qemu.console.expect(PROMPT)
        check(keys_dropped(qemu) == 0, "keys were dropped")


@boot_test
def pasted_before_the_kernel_runs_it_waits(lab):
    """From the first byte on: the machine stands still when they are sent, and the
    loader of this disc does not read the port."""
    words = [f"r{i:03}" for i in range(60)]
    with lab.boot(stopped=True) as qemu:
        qemu.send("".join(f"echo {word}\r" for word in words))
        qemu.qmp("cont")
        expect_lines(qemu, words)
        qemu.console.expect(PROMPT)
        check(keys_dropped(qemu) == 0, "keys were dropped")
        check("no such command" not in qemu.console.text, "a line was torn")


@for_each(of_160=160, of_300=300, of_1018=1018)
def long_line_is_what_was_typed(lab, length):
    """`echo` and so many characters, and another command in the same write."""
    text = "".join(chr(97 + i % 26) for i in range(length))
    with lab.prompt() as qemu:
        qemu.send(f"echo {text}\recho behind\r")
        qemu.console.expect(rf"\n{text}\r?\n")
        qemu.console.expect(r"\nbehind\r?\n")


@for_each(by_1=1019, to_4096=4091)
def too_long_a_line_is_refused_and_not_run(lab, length):
    with lab.prompt() as qemu:
        qemu.send("echo " + length * "x" + "\recho behind\r")
        qemu.console.expect(
            rf"not run: the line has {length + 5} characters, and 1023 are the most"
        )
        qemu.console.expect(r"\nbehind\r?\n")
        check("\nxxx" not in qemu.console.text, "a part of it was run")
        said = command(qemu, "bench 0 " + 180 * "y")
        check("usage" in said, f"the shell is out of step: {said!r}")


@boot_test
def storm_from_the_command_line(lab):
    """In guest time the machine delivers the rate set in the timer: 10 kHz."""
    with lab.boot("storm", memory="32M", more=GUEST_TIME) as qemu:
        qemu.console.expect(r"storm: .*all invariants hold", 120)
        text = qemu.console.text
        asked = number(text, r"storm: asked (\d+) Hz", "storm")
        ran = number(text, r"storm: asked \d+ Hz, ran at (\d+) Hz", "storm")
        check(asked == 10000, f"it asked for {asked} Hz")
        check(ran == 10000, f"it ran at {ran} Hz")
        rate = number(text, r"interrupts \((\d+) %", "storm")
        check(95 <= rate <= 105, f"{rate} % of 10 kHz were delivered")
        said = re.findall(r"storm: (three acts|at +\d+ Hz: [^\r\n]*)", text)
        check(said[0] == "three acts", f"the first word was {said[:1]}")
        check(len(said) == 4, f"it told of {said}")
        qemu.console.expect(PROMPT)


@contextlib.contextmanager
def host_is_away(process):
    """The process gets a fifth of the time, in pieces; its clock goes on."""
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            process.send_signal(signal.SIGSTOP)
            over.wait(0.08)
            process.send_signal(signal.SIGCONT)
            over.wait(0.02)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@boot_test
def storm_on_a_host_that_is_away_cannot_be_told(lab):
    """Neither held nor FAILED: the third outcome, and the shell goes on."""
    with lab.prompt(memory="32M") as qemu:
        with host_is_away(qemu.process):
            said = command(qemu, "storm 1000 300")
        check("this host is too slow to tell" in said, f"storm: {said!r}")
        check("FAILED" not in said and "hold\x1b" not in said, said)
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


@boot_test
def storm_ends_at_control_c(lab):
    """At once in one of hours, and in the act without memory."""
    with lab.prompt(memory="32M") as qemu:
        for words, place in (
            ("1000 10000000", "\\^C ends it"),
            ("1000 4000", "the pool is drained"),
        ):
            qemu.send(f"storm {words}\r")
            qemu.console.expect(place)
            qemu.send("\x03")
            qemu.console.expect(r"storm: ended by \^C; all invariants held")
            qemu.console.expect(PROMPT)
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


def rate_of(text):
    return number(text, r"pit: TSC runs at (\d+) MHz", "the boot")


@boot_test
def tsc_is_measured_right_on_a_busy_host(lab):
    """
    QEMU's TSC is the host's.  Boots beside four programs that never rest say the
    same rate, within one percent, and a clock that runs with it keeps step with
    the host's.
    """
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        rates = []
        for _ in range(4):
            with lab.prompt() as qemu:
                rates.append(rate_of(qemu.console.text))
        check(
            100 * (max(rates) - min(rates)) <= min(rates),
            f"the TSC runs at {rates} MHz",
        )
        with lab.prompt() as qemu:
            # Each pair is read within a command, whose time is no clock's.
            begin, earliest = milliseconds(qemu)
            wait_until(
                lambda: time.monotonic() > earliest + 5, lambda: "no five seconds"
            )
            asked = time.monotonic()
            end, answered = milliseconds(qemu)
        least, most = asked - earliest, answered - earliest + 1
        guest = (end - begin) / 1000
        check(
            0.97 * least - 1 <= guest <= 1.03 * most + 1,
            f"{guest} s in the guest, {least} to {most} outside",
        )
    finally:
        for process in busy:
            process.kill()
            process.wait()


def milliseconds(qemu):
    """(milliseconds that the guest counts since its boot, when it had said so)."""
    said = command(qemu, "ps")
    return number(said, r"all since boot: (\d+) ms", "ps"), time.monotonic()


@boot_test
def dead_timer_is_a_message_and_no_hang(lab):
    """No 8254: the prompt comes, the storm fails and says why."""
    with lab.prompt(memory="32M", more=("-M", "pc,pit=off")) as qemu:
        text = qemu.console.text
        check("counter 2 does not count" in text, "the TSC was measured")
        check("no interrupts come; time stands still" in text, "no message")
        said = command(qemu, "storm 1000 100")
        check("FAILED: no timer interrupt came" in said, f"storm: {said!r}")
        command(qemu, "map")
        command(qemu, "map off")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")


@boot_test
def machine_without_interrupt_controllers_says_that_it_is_deaf(lab):
    with lab.prompt(more=("-M", "pc,pic=off")) as qemu:
        text = qemu.console.text
        check("no pair of 8259s answers" in text, "not told at its place")
        check("boot: this machine is deaf: no interrupt" in text, "not told")
    with lab.prompt(more=("-M", "pc,pit=off")) as qemu:
        check("who waits for a time is never woken" in qemu.console.text, "pit")
    with lab.prompt() as qemu:
        check("deaf" not in qemu.console.text, "a good machine is deaf")


@boot_test
def storm_without_a_keyboard_controller_says_so(lab):
    off = ("-M", "pc,i8042=off", *GUEST_TIME)
    with lab.prompt(memory="32M", more=off) as qemu:
        said = command(qemu, "storm 1000 500")
        check("hold" in said and "no keyboard controller" in said, said)
        said = command(qemu, "recorder stop")
        check("running" not in said, f"a line does not stop: {said!r}")


def selftest_without_i8042(lab, words):
    """It passes, and what is skipped needs the controller."""
    off = ("-M", "pc,i8042=off", *GUEST_TIME)
    disk = disk_copy(lab.directory)
    words += " disk_timeout=600"
    with lab.boot(words, memory="32M", more=off, disk=disk) as qemu:
        expect_selftest_passes(qemu)
        cases = Log(qemu.console.text).cases
        skipped = [
            case
            for case in cases
            if case.outcome == "skipped"
            # Those need words of the command line.
            and not case.full_name.startswith(("detectors.", "kfence."))
            and case.reason not in ("checked build", "a large zone")
        ]
        check(len(skipped) >= 8, f"only {len(skipped)} cases were skipped")
        for case in skipped:
            check("i8042" in case.reason, f"{case.full_name}: {case.reason}")


@boot_test
def selftest_without_a_keyboard_controller_skips_what_needs_one(lab):
    """The suites that use interrupts; the others have no keyboard."""
    suites = "crowd,exclusive,irqsoff,lines,machine,nmi,printk,recorder,reserve,scan_codes"
    selftest_without_i8042(lab, f"selftest={suites}")


@long_test
def selftest_without_a_keyboard_controller_passes_in_all_suites(lab):
    selftest_without_i8042(lab, "selftest")
