#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: cover.py [--host]

`make cover`: which lines and functions do the tests run?  Runs what make has
built in build/cover, and writes

    build/cover/index.html      every line, with how often it ran
    build/cover/summary.txt     lines and functions by directory, also printed
    build/cover/all.info        the same for programs (lcov's format)

and the table in docs/08-testing.md.  Branches of a line with kassert() do not count:
one side of them never runs in a kernel that is right.

It counts on the host (the suites) and on the target: sessions in QEMU that end
in a panic, after which tests/cover/dump.c sends the counters.  A function of
mm/ that was never entered is named, and then the status is 1.

--host counts on the host alone, which takes seconds, and checks it: the suites enter
every function of mm/ and run over 95 % of its lines, as many as the table says.  `make
test` does that where the suites are not counted anyway, as gcc's are (check_suites()).
"""

import collections
import glob
import os
import re
import shutil
import subprocess
import sys

import lab
from chapter import read_block, write_block
from ktap import Log, plain_lines, verdict_of_program
from machine import BUILD, PROMPT, ROOT, Failure, end_on_signals
from qemu import GUEST_TIME

STATUS_DUMPED = 41  # EXIT_DUMPED of tests/cover/dump.c, as QEMU says it
ALL_MM, MM_ON_HOST = "mm/, all of it", "mm/, on the host alone"
OBJECTS = os.path.join(BUILD, "obj")
HOST = os.path.join(BUILD, "host", "asan")
RATES = ("--rc", "lcov_branch_coverage=1", "--rc", "lcov_excl_br_line=kassert|KASSERT")
CHAPTER = "08-testing.md"
LEAST_LINES = 95.0
# A case that depends on the compiler or on the seed may run a line more or less.
NEAR = 0.5

# A typical session, one line after the other; keys() types at the keyboard.
TOUR = """help
help gfp
help params
help nothing
echo a few words
clear
buddyinfo
zoneinfo
meminfo
vmstat pg
check
irqs
ps
log 5
log
gfp
gfp GFP_ATOMIC
gfp GFP_USER
gfp NONSENSE
alloc GFP_KERNEL 3
alloc GFP_ATOMIC|__GFP_EXCLUSIVE
owner 1
exclusive
free all
drain GFP_ATOMIC
free all
recorder
storm 5000 500
recorder stop
recorder start
recorder now
panic intrude
nonsense
selftest
selftest nonsense
panic wrongly"""

# name, processor, memory, what is typed; each ends with a panic of its kind.
SESSIONS = (
    ("tour", "max", "128M", TOUR, "null"),
    ("small", "qemu64", "8M", "selftest", "assert"),
    ("stack", "max", "64M", "irqs", "stack"),
    ("text", "max", "64M", "ps", "text"),
    ("divide", "qemu64", "6G", "buddyinfo", "divide"),
    ("opcode", "max", "64M", "log 3", "opcode"),
    ("handler", "max", "64M", "exclusive", "handler"),
)


def run(command, **options):
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, **options
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise Failure(f"{command[0]}: {said.strip()[-400:]}")
    return done.stdout


def remove_counts(directory):
    for place, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".gcda"):
                os.remove(os.path.join(place, name))


def suites_are_counted():
    """Was build/host/run-suites built with gcc's counters in mm/?"""
    return bool(glob.glob(os.path.join(HOST, "mm", "*.gcno")))


def check_suites():
    """A Failure, unless a run of run-suites since remove_counts(HOST) has entered
    every function of mm/, and run the lines that chapter 8 says."""
    check_host(Counts(capture(HOST, "host")))


def capture(directory, name):
    """The counts under DIRECTORY as a tracefile; returns its path."""
    path = os.path.join(BUILD, f"{name}.info")
    command = ["lcov", "-q", "--capture", "--directory", directory]
    command += ["--base-directory", ROOT, "--no-external", *RATES]
    run([*command, "--test-name", name.replace("-", "_"), "--output", path])
    return path


def count_on_host():
    remove_counts(HOST)
    program = os.path.join(BUILD, "host", "run-suites")
    done = subprocess.run(
        [program, "--seed", "1"], stdin=subprocess.DEVNULL, capture_output=True
    )
    log = Log(done.stdout.decode(errors="replace"))
    answer = verdict_of_program(log, done.returncode)
    if answer.kind.value != "passed":
        raise Failure(f"the suites on the host: {answer.reason}")
    return capture(HOST, "host")


def store(text):
    """Write the files that a machine has sent.  Returns how many."""
    found = re.search(r"^COVER FILE (.*)^COVER END", text, re.M | re.S)
    if not found:
        raise Failure("the machine did not send its counters")
    files = found.group(1).split("COVER FILE ")
    for file in files:
        path, *lines = file.split("\n")
        if not path.startswith(OBJECTS + os.sep):
            raise Failure(f"a file that is not ours: {path}")
        with open(path, "wb") as counts:
            counts.write(bytes.fromhex("".join(lines)))
    return len(files)


def type_session(machine, lines):
    for line in lines.splitlines():
        machine.send(line + "\r")
        machine.console.expect(r"\n")
        machine.console.expect(PROMPT, 240)


def type_keys(machine):
    """At the keyboard: letters, shift, completion, history, a line given up."""
    machine.keys("budd\tx\b\n")
    machine.console.expect(PROMPT)
    machine.press("up")
    machine.press("home")
    machine.press("delete")
    machine.press("end")
    machine.press("left")
    machine.press("shift", "pgup")
    machine.press("shift", "pgdn")
    machine.press("ctrl", "c")
    machine.console.expect(PROMPT)
    # The editor has drawn several prompts: continue after the last one.
    machine.keys("echo typed\n")
    machine.console.expect(r"\ntyped")
    machine.console.expect(PROMPT)


def count_session(name, cpu, memory, lines, panic):
    remove_counts(OBJECTS)
    laboratory = lab.Lab(f"cover-{name}")
    options = {"cpu": cpu, "memory": memory, "more": GUEST_TIME}
    with laboratory.prompt("cover", **options) as machine:
        type_keys(machine)
        type_session(machine, lines)
        machine.send(f"panic {panic}\r")
        end = machine.wait_end(120)
        text = "\n".join(plain_lines(machine.console.text))
    if end.status != STATUS_DUMPED:
        raise Failure(f"session {name}: {end}")
    # A case may fail: bounds in instructions do not allow for those of the counters.
    store(text)
    return capture(OBJECTS, f"target-{name}")


def add(paths, name):
    """One tracefile that has the counts of all of PATHS."""
    path = os.path.join(BUILD, f"{name}.info")
    command = ["lcov", "-q", *RATES]
    for part in paths:
        command += ["--add-tracefile", part]
    run([*command, "--output", path])
    return path


class Counts:
    """The contents of a tracefile: {file: {line or function or branch: count}}."""

    def __init__(self, path):
        self.lines = collections.defaultdict(dict)
        self.functions = collections.defaultdict(dict)
        self.branches = collections.defaultdict(dict)
        with open(path) as records:
            for record in records:
                self._record(*record.rstrip().partition(":")[::2])

    def _record(self, kind, text):
        words = text.split(",")
        if kind == "SF":
            self.file = os.path.relpath(text, ROOT)
        elif kind == "DA":
            self._count(self.lines, words[0], words[1])
        elif kind == "FNDA":
            self._count(self.functions, words[1], words[0])
        elif kind == "FNA":  # the same since lcov 2.2, with a number in front
            self._count(self.functions, words[2], words[1])
        elif kind == "BRDA":
            taken = "0" if words[3] == "-" else words[3]
            self._count(self.branches, tuple(words[:3]), taken)

    def _count(self, kind, key, count):
        counts = kind[self.file]
        counts[key] = counts.get(key, 0) + int(count)

    def never_entered(self, directory):
        return [
            f"{file}#{function}"
            for file, functions in sorted(self.functions.items())
            if file.startswith(directory)
            for function, count in sorted(functions.items())
            if count == 0
        ]


def ratio(kind, belongs):
    """(how many ran, of how many) in the directories of which BELONGS is true."""
    counts = [
        count
        for file, counted in kind.items()
        if belongs(os.path.dirname(file))
        for count in counted.values()
    ]
    return sum(count > 0 for count in counts), len(counts)


def percent(part, whole):
    return 100 * part / whole if whole else 0.0


def in_mm(directory):
    return directory.split("/")[0] == "mm"


def row(name, counts, belongs):
    """Lines, functions and branches that ran, in per cent."""
    cells = [
        f"{percent(*ratio(kind, belongs)):5.1f} %"
        for kind in (counts.lines, counts.functions, counts.branches)
    ]
    return f"{name:<24}{'      '.join(cells)}"


def summary(counts, on_host):
    """A row for each directory, and for all of mm/."""
    lines = [f"{'':<24}{'lines':>7}    {'functions':>9}     {'branches':>8}"]
    for directory in sorted({os.path.dirname(file) for file in counts.lines}):
        lines.append(row(directory, counts, lambda d, wanted=directory: d == wanted))
    lines.append(row(ALL_MM, counts, in_mm))
    lines.append(row(MM_ON_HOST, on_host, in_mm))
    return "\n".join(lines) + "\n"


def check_mm(counts):
    """Every function of mm/ is entered, and most of its lines run."""
    if not any(file.startswith("mm/") for file in counts.functions):
        raise Failure("nothing was counted in mm/")
    missing = counts.never_entered("mm/")
    if missing:
        raise Failure("never entered: " + ", ".join(missing))
    ran = percent(*ratio(counts.lines, in_mm))
    if ran <= LEAST_LINES:
        raise Failure(f"only {ran:.1f} % of the lines of mm/ ran")


def check_table(on_host):
    """Chapter 8 shows how many lines of mm/ the suites on the host run."""
    ran = percent(*ratio(on_host.lines, in_mm))
    shown = re.search(rf"{MM_ON_HOST} +([\d.]+) %", read_block(CHAPTER, "cover"))
    if not shown or abs(float(shown.group(1)) - ran) > NEAR:
        raise Failure(f"docs/{CHAPTER}: {ran:.1f} % of the lines of mm/ ran: make cover")


def check_host(on_host):
    check_mm(on_host)
    check_table(on_host)


def report(path, on_host):
    counts = Counts(path)
    text = summary(counts, on_host)
    with open(os.path.join(BUILD, "summary.txt"), "w") as file:
        file.write(text)
    print(text, end="")
    shown = "".join(f"    {line}\n" for line in text.splitlines())
    write_block(CHAPTER, "cover", f"\n{shown}\n")
    command = ["genhtml", "-q", "--branch-coverage", "--prefix", ROOT]
    command += ["--title", "Labyrinth", "--output-directory", BUILD, path]
    run(command)
    print(f"Line by line: {os.path.join(BUILD, 'index.html')}")
    return counts


def main(arguments):
    end_on_signals()
    for tool in ("lcov", "genhtml"):
        if not shutil.which(tool):
            print(f"{tool} is missing: tests/setup cover", file=sys.stderr)
            return 2
    try:
        paths = [count_on_host()]
        on_host = Counts(paths[0])
        if arguments == ["--host"]:
            check_host(on_host)
            return 0
        targets = [count_session(*session) for session in SESSIONS]
        paths.append(add(targets, "target"))
        counts = report(add(paths, "all"), on_host)
        check_mm(counts)
        print("Every function of mm/ was entered.")
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
