#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: replay.py record [COMMAND LINE]
       replay.py replay
       replay.py gdb [GDB'S ARGUMENTS]

`make record` and `make replay`: a session that can be repeated byte for byte.

QEMU counts time in instructions (-icount) and writes everything that comes from
outside, and at which instruction it came, into a file.  Replayed, the machine
takes all of it from there: the same interrupts between the same instructions.
Outside are keys, bytes on the serial line, the disc (through blkreplay;
without it the replay stops at the first read), the clock on the wall.

record boots the released disc, or a disc with a command line (arguments or
APPEND), to the serial console in this terminal; ^A x ends the session.  When
standard input is no terminal, its lines are typed at the prompts, those that
begin with @ at the PS/2 keyboard, the others on the serial line, and then the
machine is powered off.  A session that ends by itself, in a panic or with the
self-test, ends the recording as well.

replay runs the recording and compares what the serial port says; gdb stops it
at kmain under gdb (PORT chooses gdb's port).

build/record/ has the log of QEMU (rr.bin), the serial port's (serial.log), and
in session.json how the machine was made, with checksums.  MEM and CPU choose
the machine of a recording.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

from console import cpu, in_terminal, memory, say
from lab import make_iso
from machine import BUILD, ISO, LIMIT, PROMPT, ROOT, Failure
from machine import end_on_signals
from qemu import Qemu

DIRECTORY = os.path.join(BUILD, "record")
PANIC_ENDS = r"The machine has stopped\.\s"


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Recorded(Qemu):
    """A machine whose session is written down ("record") or read ("replay")."""

    def __init__(self, mode, name, directory, log, more=(), **options):
        options["more"] = (
            *("-rtc", "clock=vm,base=2000-01-01"),
            *("-icount", f"shift=3,rr={mode},rrfile={log}"),
            *more,
        )
        super().__init__(name, directory, **options)

    def drive(self, iso):
        return (
            "-drive",
            f"file={iso},if=none,format=raw,readonly=on,id=disc",
            "-drive",
            "driver=blkreplay,if=none,image=disc,id=recorded,readonly=on",
            *("-device", "ide-cd,drive=recorded"),
        )


class Session:
    """A recording in DIRECTORY: making one, and having it again."""

    def __init__(self, directory=DIRECTORY):
        self.directory = directory
        self.log = self.file("rr.bin")

    def file(self, name):
        return os.path.join(self.directory, name)

    def record(self, iso, cpu, memory):
        """The machine to record, stopped by its end.  Then keep()."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        # A build may replace its disc; the recording keeps the one it needs.
        shutil.copyfile(iso, self.file("disc.iso"))
        self.machine = {"cpu": cpu, "memory": memory}
        return Recorded(
            *("record", "record", self.directory, self.log),
            iso=self.file("disc.iso"),
            **self.machine,
        )

    def keep(self):
        """The session is over: say what belongs to it."""
        names = ("rr.bin", "serial.log", "disc.iso")
        sums = {name: checksum(self.file(name)) for name in names}
        with open(self.file("session.json"), "w") as file:
            json.dump({"machine": self.machine, "sums": sums}, file, indent=1)

    def record_lines(self, iso, cpu, memory, lines):
        """Record a session that types LINES.  Returns how the machine ended."""
        with self.record(iso, cpu, memory) as machine:
            type_lines(machine, lines)
            end = machine.wait_end()
        self.keep()
        return end

    def load(self):
        """Is it all there, and as it was?"""
        try:
            with open(self.file("session.json")) as file:
                kept = json.load(file)
        except (OSError, ValueError):
            raise Failure("no finished recording: make record") from None
        self.machine = kept["machine"]
        for name, wanted in kept["sums"].items():
            if checksum(self.file(name)) != wanted:
                raise Failure(f"{self.file(name)} has changed since")

    def replay(self, log=None, **options):
        """The machine, taking everything from LOG (the recording's)."""
        directory = self.file("replay")
        return Recorded(
            *("replay", "replay", directory, log or self.log),
            iso=self.file("disc.iso"),
            **self.machine,
            **options,
        )

    def difference(self):
        """The first difference of the replayed serial port, or None."""
        with open(self.file("serial.log"), "rb") as file:
            recorded = file.read()
        with open(self.file("replay/serial.log"), "rb") as file:
            replayed = file.read()
        if recorded == replayed:
            return None
        at = len(os.path.commonprefix([recorded, replayed]))
        return (
            f"byte {at} of {len(recorded)}: "
            f"{recorded[at:at + 20]!r} recorded, "
            f"{replayed[at:at + 20]!r} replayed"
        )


def wait_prompt(machine):
    """False if there is a panic instead."""
    found = machine.console.expect(PROMPT + "|" + PANIC_ENDS)
    return found.group(0) == PROMPT


def type_lines(machine, lines):
    """
    Each of LINES at a prompt, at the keyboard if it begins with @; then the
    power off.  A panic ends the session.
    """
    for line in [*lines, "poweroff"]:
        if not wait_prompt(machine):
            machine.qmp("quit")
            return
        if line.startswith("@"):
            machine.keys(line[1:].rstrip("\n") + "\n")
        else:
            machine.send(line.rstrip("\n") + "\r")
        machine.console.expect("\n")


def record(command_line):
    iso = make_iso(command_line) if command_line else ISO
    session = Session()
    if sys.stdin.isatty():
        end = record_terminal(session, iso)
    else:
        lines = sys.stdin.read().splitlines()
        end = session.record_lines(iso, cpu(), memory(), lines)
        with open(session.file("serial.log")) as file:
            print(file.read(), end="")
    say(f"The machine: {end}.  Recorded: {session.directory}")
    return 0


def record_terminal(session, iso):
    with session.record(iso, cpu(), memory()) as machine:
        machine.console.echo = sys.stdout.buffer
        say("Serial console; ^A x ends the session.")
        in_terminal(machine)
        if machine.process.poll() is None:
            machine.qmp("quit")
        end = machine.wait_end()
    session.keep()
    return end


def replay():
    session = Session()
    session.load()
    with session.replay() as machine:
        machine.console.echo = sys.stdout.buffer
        end = machine.wait_end(10 * LIMIT)
    difference = session.difference()
    if difference:
        raise Failure(f"The replay differs ({end}): {difference}")
    say("The same bytes.")
    return 0


def debug(arguments):
    session = Session()
    session.load()
    port = os.environ.get("PORT") or str(os.getuid() % 5000 + 25000)
    more = ("-gdb", f"tcp:127.0.0.1:{port}")
    with session.replay(more=more, stopped=True):
        attach = os.path.join(ROOT, "tests", "gdb", "attach")
        return subprocess.call([attach, port, *arguments])


def main(arguments):
    end_on_signals()
    try:
        if arguments[:1] == ["record"]:
            words = arguments[1:] or [os.environ.get("APPEND", "")]
            return record(" ".join(words))
        if arguments == ["replay"]:
            return replay()
        if arguments[:1] == ["gdb"]:
            return debug(arguments[1:])
    except Failure as reason:
        say(str(reason))
        return 1
    except KeyboardInterrupt:
        return 130
    print(__doc__.strip(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
