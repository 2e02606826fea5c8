# SPDX-License-Identifier: MIT
"""Lines of the source: in the kernel's table, in its reports, by `make where`."""

import os
import random
import re
import subprocess
import sys

from boot_panic import FRAME
from lab import boot_test, check, command
from machine import BUILD, ROOT
from where import Kernel

SAMPLES = 3000


class Table:
    """The tables that iso/mklines has written, read as kernel/core/line_table.c does."""

    def __init__(self, text):
        def rows(name):
            body = re.search(rf"\b{name}\[\] = {{\n(.*?)^}};", text, re.S | re.M)
            return body.group(1)

        self.blocks = [
            (int(a, 16), int(n), int(o))
            for a, n, o in re.findall(
                r"{ (0x\w+), (\d+), (\d+) }", rows("line_block")
            )
        ]
        self.code = [int(byte) for byte in re.findall(r"\d+", rows("line_code"))]
        self.files = [
            (int(before), name)
            for before, name in re.findall(
                r'{ (\d+), "(.*?)" }', rows("line_file")
            )
        ]
        self.numbers = sorted(self._numbers())

    def _numbers(self):
        ends = [offset for _, _, offset in self.blocks[1:]] + [len(self.code)]
        for (address, number, at), end in zip(self.blocks, ends):
            yield address, number
            while at < end:
                row, at = self.code[at], at + 1
                forward, step = row >> 4, (row & 15) - 7
                if forward == 0:
                    forward, at = self._varint(at)
                if step == 8:
                    step, at = self._varint(at)
                    step = -(step >> 1) if step & 1 else step >> 1
                address, number = address + forward, number + step
                yield address, number

    def _varint(self, at):
        value = shift = 0
        while True:
            byte, at = self.code[at], at + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, at

    def find(self, address):
        """(file, line) of ADDRESS, None if it has none."""
        number = 0
        for begins, there in self.numbers:
            if begins > address & 0xFFFFFFFF:
                break
            number = there
        if number == 0:
            return None
        before, name = max(file for file in self.files if file[0] < number)
        return name, number - before


def same_place(mine, theirs):
    """A file outside of the source is named without its directory."""
    name, line = theirs
    return mine == theirs or mine == (os.path.basename(name or ""), line)


@boot_test
def line_table_says_what_addr2line_says(_lab):
    """Of random bytes of the code; SEED=n repeats a run."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    chosen = random.Random(seed)
    kernel = Kernel()
    with open(os.path.join(BUILD, "obj", "lines-2.c")) as file:
        table = Table(file.read())
    first, last = kernel.functions[0][0], kernel.functions[-1][0]
    addresses = sorted(chosen.randrange(first, last) for _ in range(SAMPLES))
    known = 0
    for address, places in zip(addresses, kernel.lines(addresses)):
        if places[0][1] is None:
            continue
        known += 1
        mine = table.find(address)
        check(
            mine and same_place(mine, places[0][1:]),
            f"SEED={seed}: {address:#x}: {mine} in the table, {places[0]} "
            "says addr2line",
        )
    check(known > SAMPLES / 2, f"only {known} of {SAMPLES} have a line")


def check_frames(text):
    """Every frame in TEXT has the line that binutils find for it."""
    kernel = Kernel()
    # In the first line of a report, and in those of an interrupt, stands the
    # address of an instruction; in all others one that a call returns to.
    frames = re.findall(r"([\w.]+\+0x[0-9a-f]+) \(([\w./]+):(\d+)\)", text)
    check(len(frames) >= 4, f"{len(frames)} frames in {text!r}")
    for name, file, line in frames:
        address = kernel.address(name)
        returns = kernel.is_behind_call(address)
        _, *place = kernel.lines([address - returns])[0][0]
        # binutils find no line in boot.asm, which has code in two sections.
        check(
            place == [file, int(line)] or (not place[0] and "boot." in file),
            f"{name}: {file}:{line}, not {place}",
        )
    return frames


@boot_test
def panic_backtrace_has_the_line_of_each_call(lab):
    with lab.prompt() as qemu:
        qemu.send("panic assert\r")
        qemu.console.expect(r"PANIC: ")
        start = qemu.console.cursor
        qemu.console.expect(r"-- in short:")
        qemu.console.expect(r"The machine has stopped\.")
        frames = check_frames(qemu.console.text[start:])
        files = {file for _, file, _ in frames}
        check("kernel/shell/shell.c" in files, f"no caller in {files}")


def report_of(qemu, word, end):
    """The log lines caused by `panic WORD`, up to the pattern END."""
    qemu.send(f"panic {word}\r")
    start = qemu.console.expect(r"BUG: ").start()
    qemu.console.expect(end)
    return qemu.console.text[start : qemu.console.cursor]


@boot_test
def double_free_has_both_lines_and_a_short_backtrace(lab):
    with lab.prompt() as qemu:
        text = report_of(qemu, "free", r"labyrinth> ")
        frames = check_frames(text)
        check(
            [name.partition("+")[0] for name, _, _ in frames[:3]]
            == ["fault_free_twice"] * 3,
            f"not the student's function first: {text!r}",
        )
        check(len(frames) <= 2 + 6, f"{len(frames)} frames in {text!r}")
        lines = [int(line) for _, _, line in frames[:2]]
        check(lines[0] == lines[1] + 1, f"freed in lines {lines}")


@boot_test
def mutex_in_a_handler_is_reported_with_who_took_it(lab):
    """Nobody had it: only the report tells."""
    with lab.prompt() as qemu:
        text = report_of(qemu, "mutex", r"\] +\.\.\.")
        said = r"sleeping function mutex_lock called by irq 0 timer at "
        found = re.search(said + r"(\w+)\+0x\w+ \((.*?):\d+\)", text)
        check(found, text)
        check(
            found.groups() == ("fault_mutex_in_handler", "kernel/shell/shell_tests.c"),
            f"it names {found.groups()}",
        )
        names = [name.partition("+")[0] for name, _, _ in check_frames(text)]
        check("pit_interrupt" in names[1:], f"no caller in {names}")


@boot_test
def panic_in_short_names_the_locks_that_are_held(lab):
    """A spinlock that an early return has left, at the next sleep."""
    with lab.prompt() as qemu:
        qemu.send("panic lock\r")
        qemu.console.expect(r"sleeping function thread_sleep called by thread")
        qemu.console.expect(r"-- in short:")
        start = qemu.console.cursor
        qemu.console.expect(r"The machine has stopped\.")
        text = qemu.console.text[start : qemu.console.cursor]
        check("thread shell cannot wait" in text, text)
        for held in (
            r"holding spinlock fault_lock since fault_lock_is_left\+0x\w+ \(k",
            r"holding mutex fault_mutex since fault_lock\+0x\w+ \(kernel/shell",
        ):
            check(re.search(held, text), f"{held!r} is not in {text!r}")
        check_frames(text)


@boot_test
def make_where_prints_function_line_and_source(_lab):
    """Of an address, and of a name with an offset; its own mistakes, too."""

    def where(*words):
        script = os.path.join(ROOT, "tests", "run", "where.py")
        return subprocess.run(
            [sys.executable, script, *words],
            capture_output=True,
            text=True,
            check=False,
        )

    kernel = Kernel()
    address = kernel.by_name["alloc_pages"]
    for word in (f"{address:#x}", "alloc_pages+0x0", "alloc_pages"):
        answer = where(word)
        said = answer.stdout
        check(answer.returncode == 0, f"{word}: {answer.stderr}")
        check(said.startswith(f"alloc_pages+0x0 ({address:#x})"), said)
        line = re.search(r"mm/page_alloc\.c:(\d+) in alloc_pages\n    (.*)", said)
        check(line, said)
        with open(os.path.join(ROOT, "mm", "page_alloc.c")) as file:
            written = file.read().splitlines()[int(line[1]) - 1]
        check(line[2] == written.strip(), f"{line[2]!r} is not the line")
    for word in ("no_such_function+0x1", "0x10", "nonsense"):
        answer = where(word)
        check(answer.returncode == 1 and not answer.stdout, f"{word}: {answer}")
