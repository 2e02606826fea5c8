#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: where.py ADDRESS...

Says for each ADDRESS, 0xffffffff80123456 or function+0x1f, in which function of
build/labyrinth.elf it is, and prints its line of the source, and with a function
that the compiler has inlined the line of each call, from the inside out.

An address after a call is treated as its return address, as in a backtrace: the
line is that of the call.
"""

import bisect
import os
import re
import subprocess
import sys

from machine import BUILD, ROOT, Failure

ELF = os.path.join(BUILD, "labyrinth.elf")


def run(*command):
    return subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout


class Kernel:
    """The functions of an ELF file, and what addr2line says of it."""

    def __init__(self, path=ELF):
        self.path = path
        self.functions = sorted(
            (int(address, 16), name)
            for address, kind, name in map(
                str.split, run("nm", path).splitlines()
            )
            if kind in "tT" and address.startswith("ffffffff")
        )
        self.by_name = {name: address for address, name in self.functions}

    def address(self, text):
        """The address that TEXT names."""
        found = re.fullmatch(r"([\w.]+)\+((?:0x)?[0-9a-f]+)", text)
        if found and found[1] in self.by_name:
            return self.by_name[found[1]] + int(found[2], 16)
        if text in self.by_name:
            return self.by_name[text]
        if re.fullmatch(r"(0x)?[0-9a-f]+", text):
            return int(text, 16)
        raise Failure(f"{text}: no address, and no function of that name")

    def function(self, address):
        """(where it begins, its name) of the function at ADDRESS."""
        at = bisect.bisect(self.functions, (address, "\x7f")) - 1
        if at < 0 or address >> 32 != self.functions[at][0] >> 32:
            raise Failure(f"{address:#x} is not in the kernel's code")
        return self.functions[at]

    def is_behind_call(self, address):
        start, _ = self.function(address - 1)
        code = run(
            "objdump", "-d", "--no-show-raw-insn",
            f"--start-address={start:#x}", f"--stop-address={address:#x}",
            self.path,
        )
        instructions = re.findall(r"^ *[0-9a-f]+:\t(\w+)", code, re.MULTILINE)
        return bool(instructions) and instructions[-1].startswith("call")

    def lines(self, addresses):
        """For each of ADDRESSES a list of (function, file, line), the innermost
        inlined one first; file and line are None where none is known."""
        out = run("addr2line", "-afie", self.path, *map(hex, addresses))
        answers = []
        words = iter(out.splitlines())
        for word in words:
            if word.startswith("0x"):
                answers.append([])
                continue
            place = next(words).split(" ")[0]
            file, _, line = place.rpartition(":")
            known = line.isdigit() and int(line) > 0
            file = path_of(file)
            answers[-1].append(
                (word, file, int(line)) if known else (word, None, None)
            )
        return answers


def path_of(file):
    """FILE from the root of the source.  NASM's paths are from there already,
    and binutils put the directory before them once more."""
    file = os.path.normpath(file).removeprefix(ROOT + "/")
    folder = os.path.dirname(file)
    half = folder[: len(folder) // 2]
    if half and folder == f"{half}/{half}":
        file = file.removeprefix(half + "/")
    return file


def source(file, line):
    try:
        with open(os.path.join(ROOT, file)) as lines:
            return lines.read().splitlines()[line - 1].strip()
    except (OSError, IndexError):
        return ""


def where(kernel, text):
    address = kernel.address(text)
    returns = kernel.is_behind_call(address)
    start, name = kernel.function(address - returns)
    kind = ", where a call returns to" if returns else ""
    yield f"{name}+{address - start:#x} ({address:#x}{kind})"
    for function, file, line in kernel.lines([address - returns])[0]:
        if file is None:
            yield f"  {function}: no line is known"
        else:
            yield f"  {file}:{line} in {function}"
            yield f"    {source(file, line)}"


def main():
    if len(sys.argv) < 2 or not all(sys.argv[1:]):
        sys.exit("usage: make where ADDR=0xffffffff80123456, or function+0x1f")
    if not os.path.exists(ELF):
        sys.exit(f"{ELF} has not been built")
    kernel = Kernel()
    try:
        for text in sys.argv[1:]:
            print("\n".join(where(kernel, text)))
    except Failure as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
