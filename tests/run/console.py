#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: console.py [--bochs] [COMMAND LINE]

`make run` and `make bochs`: boots the released disc, or with a command line
(as arguments or in APPEND) a disc that boots directly with it, and puts the
serial console into this terminal.

In a terminal, keys go to the machine, ^C included; ^A x ends it.  With a display
(DISPLAY or WAYLAND_DISPLAY) there is a window for the machine's screen too.

When standard input is no terminal, each of its lines is typed at a prompt of
the shell, and at its end the machine is powered off: `make run </dev/null`
boots to the prompt and ends, `echo buddyinfo | make run` prints one report.

MEM (128M), CPU (max), QEMU_FLAGS and DISK (build/disk.img; none) change the
machine; DEBUG=1 puts the words of the menu's entry Debug before the command line, otherwise
those of the first entry come there, unless it is a self-test that is wanted.  The
status is 0 after a power-off, a reboot, ^A x or a self-test that
passed, by the same judge as in `make test`.
"""

import os
import select
import shlex
import subprocess
import sys
import termios
import threading
import tty

from bochs import LiveBochs
from ktap import END_EMULATOR, END_POWER_OFF, END_REBOOT, END_STATUS
from ktap import END_STOPPED, END_TRIPLE_FAULT, End, Kind, Log, verdict
from lab import TEST_DIRECTORY, debug_words, make_iso, plain_words
from machine import DISK, ISO, LIMIT, PROMPT, Failure, end_on_signals, scaled
from qemu import Qemu, disk_options

# Tests that run at the same time have one each.
DIRECTORY = os.environ.get("RUN_DIRECTORY") or os.path.join(
    os.path.dirname(TEST_DIRECTORY), "run"
)
ESCAPE = 1  # ^A


def memory():
    return os.environ.get("MEM") or "128M"


def cpu():
    return os.environ.get("CPU") or "max"


def qemu_flags():
    return shlex.split(os.environ.get("QEMU_FLAGS", ""))


def display():
    """QEMU's name for a window on this machine; "none" if there is none."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "none"
    known = subprocess.run(
        ["qemu-system-x86_64", "-display", "help"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return next((name for name in ("gtk", "sdl") if name in known), "none")


def disk():
    """The image of the disk, or None: DISK= in the environment, none for no
    disk; without that build/disk.img, if it has been made."""
    path = os.environ.get("DISK") or DISK
    return path if path != "none" and os.path.exists(path) else None


def say(sentence):
    print(f"\n{sentence}", file=sys.stderr)


def judge(end, failure):
    """END without a word of the guest's; FAILURE may be an end between lines."""
    if end.kind in (END_POWER_OFF, END_REBOOT):
        return 0
    if failure:
        say(str(failure))
    say(f"The machine: {end}.")
    return 1


def explain(text, end):
    """
    The verdict on a machine that ended with a status, as the status of this
    program.  The status alone is not trusted: TEXT, its console, has to agree.
    """
    answer = verdict(Log(text), end)
    if answer.kind is Kind.PASSED:
        say(f"The self-test passed: {answer.reason}.")
        return 0
    if answer.kind is Kind.FAILED:
        say(f"The self-test failed: {answer.reason}.")
    elif answer.kind is Kind.PANIC:
        say(f"The kernel panicked: {answer.reason}")
    else:
        say(f"No verdict, {answer.kind.value}: {answer.reason}.")
    return 1


def read_text(name):
    path = os.path.join(DIRECTORY, name)
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as file:
        return file.read()


def end_of_qemu(status):
    """Without QMP: a power-off, a reset and ^A x have one status."""
    if status == 0 and "Triple fault" in read_text("qemu.log"):
        return End(END_TRIPLE_FAULT, 0)
    if status == 0:
        return End(END_POWER_OFF, 0)
    return End(END_STATUS if status & 1 and status > 1 else END_EMULATOR, status)


def qemu_in_terminal(iso):
    window = display()
    os.makedirs(DIRECTORY, exist_ok=True)
    log = os.path.join(DIRECTORY, "serial.log")
    console = f"stdio,id=com1,mux=on,signal=off,logfile={log}"
    command = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg"]
    command += ["-cpu", cpu(), "-m", memory(), "-net", "none", "-no-reboot"]
    command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    command += ["-display", window, "-chardev", console]
    command += ["-serial", "chardev:com1", "-mon", "chardev=com1"]
    command += ["-d", "cpu_reset", "-D", os.path.join(DIRECTORY, "qemu.log")]
    command += ["-cdrom", iso, "-boot", "d"]
    command += [*(disk_options(disk()) if disk() else ()), *qemu_flags()]
    say("Serial console; ^A x ends the machine.")
    status = subprocess.call(command)
    if status == 1 and window != "none":
        say("If it is the display that failed: env -u DISPLAY make run")
    end = end_of_qemu(status)
    if end.kind == END_STATUS:
        return explain(read_text("serial.log"), end)
    return judge(end, None)


def type_lines(machine, source):
    """Each line of SOURCE at a prompt, then the power off."""
    for line in source:
        machine.console.expect(PROMPT, 600)
        machine.send(line.rstrip("\n") + "\r")
        machine.console.expect("\n")
    machine.console.expect(PROMPT, 600)
    machine.send("poweroff\r")


def qemu_from_input(iso):
    more = qemu_flags()
    machine = Qemu(
        "run", DIRECTORY, iso, cpu(), memory(), more, disk=disk()
    )
    with machine:
        machine.console.echo = sys.stdout.buffer
        failure = None
        try:
            type_lines(machine, sys.stdin)
        except Failure as reason:
            failure = reason
        end = machine.wait_end(20)
    if end.kind == END_STATUS:
        return explain(machine.console.text, end)
    return judge(end, failure)


def read_bochs(machine):
    try:
        while data := machine.serial.recv(65536):
            machine.console.feed(data)
    except OSError:
        pass
    machine.console.close()


def forward_keys(machine):
    """From the terminal to the machine until ^A x or its end."""
    escaped = False
    while machine.process.poll() is None:
        if not select.select([sys.stdin], [], [], 0.2)[0]:
            continue
        data = os.read(sys.stdin.fileno(), 256)
        if not data:
            return
        for key in data:
            if escaped and key == ord("x"):
                return
            escaped = key == ESCAPE and not escaped
            if not escaped:
                machine.send_bytes(bytes([key]))


def in_terminal(machine):
    say("Serial console; ^A x ends the machine.")
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        forward_keys(machine)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def bochs(iso):
    megs = int(memory().rstrip("M"))
    with LiveBochs(DIRECTORY, iso, megs, disk=disk()) as machine:
        machine.console.echo = sys.stdout.buffer
        machine.send_bytes = machine.serial.sendall
        machine.send = lambda text: machine.send_bytes(text.encode())
        reader = threading.Thread(target=read_bochs, args=(machine,))
        reader.daemon = True
        reader.start()
        failure = None
        if sys.stdin.isatty():
            in_terminal(machine)
            if machine.process.poll() is None:
                return 0  # ^A x
        else:
            try:
                type_lines(machine, sys.stdin)
            except Failure as reason:
                failure = reason
        end = machine.end_of(machine.wait_process(10 if failure else 60))
        reader.join(scaled(LIMIT))
    if end.kind == END_STOPPED:
        return explain(machine.console.text, end)
    return judge(end, failure)


def main(arguments):
    in_bochs = arguments[:1] == ["--bochs"]
    line = " ".join(arguments[in_bochs:]) or os.environ.get("APPEND", "")
    if os.environ.get("DEBUG") == "1":
        line = f"{debug_words()} {line}".rstrip()
    elif line and not in_bochs and "selftest" not in line:
        line = f"{plain_words()} {line}"
    iso = make_iso(line) if line else ISO
    end_on_signals()
    try:
        if in_bochs:
            return bochs(iso)
        if sys.stdin.isatty():
            return qemu_in_terminal(iso)
        return qemu_from_input(iso)
    except Failure as reason:
        say(str(reason))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
