# SPDX-License-Identifier: MIT
"""
The tools of boot tests.

A boot test is a function that takes a Lab, does something to a machine and
raises Failure if the machine did something else than the function's name says.
@boot_test enters it in the list; for_each() enters one for each value.  @long_test
is for the long form of such a test, which `make test-long` runs and `make test` does not.
"""

import contextlib
import hashlib
import os
import re
import subprocess
import threading

from ktap import Log, verdict
from machine import BUILD, ISO, LIMIT, NEW_DISK, PROMPT, ROOT, Failure
from qemu import Qemu

TEST_DIRECTORY = os.path.join(BUILD, "test")

tests = {}
long_tests = {}
_iso_locks = {}
_iso_locks_lock = threading.Lock()


class Skip(Exception):
    """The test cannot run here, and why."""


def boot_test(function):
    tests[function.__name__] = function
    return function


def long_test(function):
    long_tests[function.__name__] = function
    return function


def for_each(**values):
    """
    Enter the function once for each of the named values:

        @for_each(at_4M="4M", at_6G="6G")
        def prompt(lab, memory):

    makes prompt_at_4M and prompt_at_6G.
    """

    def enter(function):
        for suffix, value in values.items():
            name = f"{function.__name__}_{suffix}"
            tests[name] = lambda lab, value=value: function(lab, value)
        return function

    return enter


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def make_iso(command_line, grub=(), extra=b"", build=BUILD):
    """
    A disc that boots directly with COMMAND_LINE, after the GRUB commands, and
    carries the bytes EXTRA as /boot/extra; the same one for the same question.
    Kernel and loader are those of the directory BUILD.
    """
    words = "\0".join([build, command_line, *grub]).encode() + b"\0" + extra
    name = hashlib.sha256(words).hexdigest()[:16] + ".iso"
    path = os.path.join(TEST_DIRECTORY, "iso", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with _iso_locks_lock:
        lock = _iso_locks.setdefault(path, threading.Lock())
    with lock:
        if _is_older(path, os.path.join(build, "labyrinth.iso")):
            maker = os.path.join(ROOT, "iso", "mkiso")
            command = [maker, path, command_line, *grub]
            environment = dict(
                os.environ,
                KERNEL=os.path.join(build, "iso", "labyrinth.elf"),
                LOADER=os.path.join(build, "iso", "eltorito.img"),
            )
            if extra:
                environment["EXTRA"] = path + ".extra"
                with open(environment["EXTRA"], "wb") as file:
                    file.write(extra)
            subprocess.run(command, check=True, env=environment)
    return path


def text_iso(iso):
    """A disc like ISO, under which the screen stays in text mode."""
    path = iso + ".text"
    with _iso_locks_lock:
        lock = _iso_locks.setdefault(path, threading.Lock())
    with lock:
        if _is_older(path, iso):
            tool = os.path.join(ROOT, "iso", "mktext")
            subprocess.run([tool, iso, path], check=True)
    return path


def _is_older(path, source):
    return not os.path.exists(path) or (
        os.stat(path).st_mtime_ns <= os.stat(source).st_mtime_ns
    )


def _menu_words(entry):
    """The command line of an entry of the menu."""
    with open(os.path.join(ROOT, "iso", "grub.cfg")) as file:
        text = file.read()
    return re.search(rf'"{entry}" \{{\s+multiboot2 \S+ (.*)\n', text)[1]


def debug_words():
    return _menu_words("Debug")


def plain_words():
    """Those of the first one: as `make run` starts."""
    return _menu_words("Labyrinth")


def disk_copy(directory):
    """A copy of a new disk image, holes as holes, in DIRECTORY: its path."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "disk.img")
    # A Bochs that was killed leaves its lock behind, and the next one stops.
    with contextlib.suppress(FileNotFoundError):
        os.remove(path + ".lock")
    subprocess.run(["cp", "--sparse=always", NEW_DISK, path], check=True)
    return path


class Lab:
    """Machines for one test, with its files in a separate directory."""

    def __init__(self, name):
        self.name = name
        self.directory = os.path.join(TEST_DIRECTORY, name)
        self._count = 0

    def boot(self, command_line="", grub=(), extra=b"", **options):
        """A machine that boots directly with COMMAND_LINE."""
        return self.insert(make_iso(command_line, grub, extra), **options)

    def insert(self, iso=ISO, text=False, **options):
        """A machine that boots ISO: the released one, with its menu.  TEXT: without a
        framebuffer, the screen in text mode."""
        if text:
            iso = text_iso(iso)
        self._count += 1
        directory = self.directory
        if self._count > 1:
            directory = os.path.join(directory, str(self._count))
        return Qemu(self.name, directory, iso=iso, **options)

    def prompt(self, command_line="", **options):
        """A machine at its shell's prompt."""
        machine = self.boot(command_line, **options)
        try:
            machine.console.expect(PROMPT)
        except Failure:
            machine.kill()
            raise
        return machine


def command(machine, line, limit=LIMIT):
    """Type LINE at the serial prompt.  Returns what it printed."""
    machine.send(line + "\r")
    # The line editor redraws the line while it is typed; the last line feed ends the echo.
    machine.console.expect(r"\n", limit)
    start = machine.console.cursor
    end = machine.console.expect(PROMPT, limit).start()
    return machine.console.text[start:end].replace("\r", "")


def logged(qemu, count=""):
    """The last COUNT lines of the log: what the screen has on two is one again."""
    said = command(qemu, f"log {count}".rstrip())
    return re.sub(r"\n {15}(?=\S)", " ", said)


def number(text, pattern, what):
    """The number that PATTERN's group finds in the answer of WHAT."""
    found = re.search(pattern, text, re.MULTILINE)
    check(found, f"{what} said {text!r}, without {pattern!r}")
    return int(found.group(1))


def expect_end(machine, kind, limit=LIMIT):
    end = machine.wait_end(limit)
    check(end.kind == kind, f"{end} instead of {kind}")


def expect_selftest_passes(machine, limit=2 * LIMIT):
    end = machine.wait_end(limit)
    answer = verdict(Log(machine.console.text), end)
    kind = answer.kind.value
    check(kind == "passed", f"{kind}: {answer.reason}")
