#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: check.py [--verbose] [--long] [WORD]...

Runs everything: the suites on the host, the judge's own tests, the self-test in
QEMU and in Bochs, short runs of the fuzz targets, the boot tests, a few mutants.
Two at a time.  With WORDs, only what has one of them in its name ("host",
"bochs", "menu").

--long, `make test-long`: the long forms of tests that run here in a short form, because
the whole run must end within ten minutes: see LEFT_OUT and @long_test.

A line for each test as it ends: a suite with the number of its cases, and each
case that failed or was skipped; --verbose shows each case.  The output of the
machines is in build/test/, and the time each took in build/test/times.txt.  The last line
is "N passed, N failed, N skipped", and the status is 0 if none failed and some passed.
"""

import concurrent.futures
import filecmp
import fnmatch
import glob
import importlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import bench_host
import cover
import fuzz
import lab
import mutants
import pictures
import warned
from bochs import Bochs
from ktap import Kind, Log, plain_lines, verdict, verdict_of_program
from machine import BUILD, ISO, LIMIT, PROMPT, ROOT, Failure
from machine import call, end_all, end_on_signals, scaled
from qemu import GUEST_TIME, Qemu

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINES_AT_ONCE = 2
MIB = 1 << 20

# GRUB 2.06, which has shown its menu on 4 MB, finds room for 2,203,648 bytes and not for
# 2,207,744.  The self-test still passes in the memory that 2,000,000 leave.
ROOM_ON_4M = 2000000

# To the prompt, without a menu, while three others use the same two CPUs.
BOOT_SECONDS = 2.0

# Their command line.  Where time is counted in instructions, a machine that does
# nothing but wait for its disk lets 30 seconds pass in one of the host's; a busy
# host may take longer than that for a request.
SELFTEST = "selftest disk_timeout=600"

# The machines that run the self-test: name, processor, memory.
QEMU_SELFTESTS = (
    ("qemu-qemu64-4M", "qemu64", "4M"),
    ("qemu-max-64M", "max", "64M"),
    ("qemu-qemu64-6G", "qemu64", "6G"),
)
# The same with traps for undefined behaviour, of `make build-checked`.  Not in
# Bochs: there the handlers of the storm's 10 kHz would take longer than a tick.
CHECKED_SELFTESTS = (("qemu-max-64M-checked", "max", "64M"),)
CHECKED = os.path.join(BUILD, "checked")

# One of so many objects is compiled again elsewhere.
REBUILT_OF = 8
BOCHS_SELFTESTS = (("bochs-128M", 128),)

# `make test-long` runs the whole self-test on these.
LONG_SELFTESTS = (
    ("qemu-max-128M", "max", "128M"),
    ("qemu-qemu64-6G", "qemu64", "6G"),
)

# ... and these.
LONG_CHURN = "300"  # seconds
LONG_STATES = "30000"  # of the model

# Suites that a machine leaves out here, and runs in `make test-long`.  In Bochs: those that
# never ask the machine for anything, and run on the host and in QEMU, and those that
# use the disk for long, as the boot test of pressure does in Bochs.  At 6 GB: those
# that do the same as on a smaller machine, only slower.  In the checked build: those that
# run the same lines again and again.
LEFT_OUT = {
    "qemu-max-64M-checked": "sequence step step_map step_move".split(),
    "bochs-128M": """
        buddy fail_files fail_shell files format gfp mbr memmap multiboot2 page_alloc
        pressure sequence
    """.split(),
    "qemu-qemu64-6G": """
        all_checks buddy fail_files fail_nth fail_shell files format gfp intruder life
        lines mbr memmap multiboot2 mutex nmi pressure printk recorder scan_codes sched
        semaphore sequence step step_move visit watchdog
    """.split(),
}


class Report:
    """Counts, and the lines that people read."""

    def __init__(self, verbose, long=False):
        self.verbose = verbose
        self.long = long
        self.passed = self.failed = self.skipped = 0
        self.names = {}
        self.steps = {}
        self.times = []
        self._lock = threading.Lock()

    def left_out(self, place):
        """The suites that PLACE does not run in this run."""
        return () if self.long else LEFT_OUT.get(place, ())

    def line(self, word, place, text):
        print(f"{word:<5} {place:<16} {text}", flush=True)

    def passes(self, place, name, seconds=None):
        with self._lock:
            self.passed += 1
            took = f" ({seconds:.1f} s)" if seconds is not None else ""
            self.line("ok", place, name + took)

    def fails(self, place, name, reason):
        with self._lock:
            self.failed += 1
            self.line("FAIL", place, f"{name}: {reason}")

    def skips(self, place, name, reason):
        with self._lock:
            self.skipped += 1
            self.line("skip", place, f"{name}: {reason}")

    def log(self, place, log, answer):
        """The cases of a self-test log, and the run itself unless it ended
        as its cases say."""
        with self._lock:
            for suite in dict.fromkeys(case.suite for case in log.cases):
                cases = [case for case in log.cases if case.suite == suite]
                self._suite(place, suite, cases)
        if answer.kind not in (Kind.PASSED, Kind.FAILED):
            reason = f"{answer.kind.value}: {answer.reason}"
            self.fails(place, "self-test", reason)
        self.names[place] = log.names
        self._check_skips(place, log)

    def _suite(self, place, suite, cases):
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        for case in cases:
            counts[case.outcome] += 1
            if case.outcome == "failed":
                self.line("FAIL", place, f"{case.full_name}: {case.reason}")
            elif case.outcome == "skipped":
                self.line("skip", place, f"{case.full_name}: {case.reason}")
            elif self.verbose:
                self.line("ok", place, case.full_name)
        self.passed += counts["passed"]
        self.failed += counts["failed"]
        self.skipped += counts["skipped"]
        if counts["passed"] and not self.verbose:
            self.line("ok", place, f"{suite}: {counts['passed']} cases")

    def _check_skips(self, place, log):
        skipped = {c.full_name for c in log.cases if c.outcome == "skipped"}
        ran = set(log.names) - skipped
        allowed = allowed_skips(place)
        for name in sorted(skipped - allowed):
            self.fails(place, name, "skipped, but not in skips.txt")
        for name in sorted(ran & allowed):
            self.fails(place, name, "in skips.txt, but it ran")


def allowed_skips(place):
    allowed = set()
    with open(os.path.join(HERE, "skips.txt")) as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if len(words) >= 2 and fnmatch.fnmatch(place, words[0]):
                allowed.add(words[1])
    return allowed


def run_judge(report):
    """The tests of ktap.py, machine.py's limits, doctor.py, of colours, and of tests/lint/."""
    suite = unittest.TestSuite()
    for module in (
        *("test_ktap", "test_machine", "test_mutations", "test_lint"),
        *("test_doctor", "test_colours"),
    ):
        suite.addTests(unittest.defaultTestLoader.loadTestsFromName(module))
    for case in suite:
        for test in case:
            result = unittest.TestResult()
            test.run(result)
            name = test.id().split(".", 1)[1]
            wrong = result.failures + result.errors
            if wrong:
                report.fails("judge", name, wrong[0][1].splitlines()[-1])
            else:
                report.passed += 1
                if report.verbose:
                    report.line("ok", "judge", name)
    if not report.verbose:
        report.line("ok", "judge", f"{suite.countTestCases()} tests ran")


def run_program(report, place, program, words=()):
    """A program of suites, with its log in the directory called PLACE."""
    directory = os.path.join(lab.TEST_DIRECTORY, place)
    os.makedirs(directory, exist_ok=True)
    environment = dict(os.environ)
    environment["ASAN_OPTIONS"] = "exitcode=99"
    environment["UBSAN_OPTIONS"] = "exitcode=99:print_stacktrace=1"
    program = os.path.join(BUILD, "host", program)
    paths = [os.path.join(directory, n) for n in ("output.log", "errors.log")]
    with open(paths[0], "wb") as output, open(paths[1], "wb") as errors:
        try:
            status = call(
                [program, *words],
                240,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            status = -9
    with open(paths[0], errors="replace") as output:
        log = Log(output.read())
    report.log(place, log, verdict_of_program(log, status))


ONE_PIECE = "carries a kernel that lies in the file as in memory"
ENTERED = "the suites enter every function of mm/ and run the lines that docs/08 says"


def run_host(report):
    """The suites, and what they have entered if that is counted."""
    cover.remove_counts(cover.HOST)
    run_program(report, "host", "run-suites")
    if not cover.suites_are_counted():
        return
    try:
        cover.check_suites()
    except Failure as failure:
        report.fails("cover", ENTERED, str(failure))
    else:
        report.passes("cover", ENTERED)


def run_states(report):
    """Searches of a few seconds; test-long and `make states` do the long ones, too."""
    words = ["block_states", "buddy_states", "exclusive_states", "region_states"]
    words += ["type_states"]
    if report.long:
        words += ["region_states_more", "buddy_states_16", "type_states_whole"]
        words += ["exclusive_states_more"]
    run_program(report, "states", "run-states", words)
    check_states(report)


def run_churn(report):
    """Random calls of all of mm/'s API; a new seed each time."""
    directory = os.path.join(lab.TEST_DIRECTORY, "churn")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "output.log")
    amount = ("--seconds", LONG_CHURN) if report.long else ("--rounds", "2")
    # Counts of gcc's that are not those of the suites.
    environment = {**os.environ, "GCOV_PREFIX": directory}
    with open(path, "wb") as output:
        status = call(
            [os.path.join(BUILD, "host", "churn"), *amount],
            scaled(240) + int(LONG_CHURN),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    with open(path, errors="replace") as output:
        lines = output.read().strip().split("\n")
    if status == 0:
        report.passes("churn", lines[-1])
    else:
        round_begun = [line for line in lines if line.startswith("churn --seed")][-1:]
        report.fails("churn", " ".join(round_begun), f"status {status}: {lines[-1]}")


def run_model(report):
    """The allocator's decisions beside tests/model/model.py; a new seed each time."""
    directory = os.path.join(lab.TEST_DIRECTORY, "model")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "output.log")
    more = ("--all-contexts", "--states", LONG_STATES) if report.long else ()
    with open(path, "wb") as output:
        status = call(
            [sys.executable, os.path.join(ROOT, "tests", "model", "compare.py"), *more],
            240,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with open(path, errors="replace") as output:
        text = output.read()
    seed = re.search(r"# (seed \d+)", text)
    lines = re.findall(r"^(ok|not ok) model:(\S+) (.*)", text, re.MULTILINE)
    for word, name, said in lines:
        if word == "ok":
            report.passes("model", said)
        else:
            report.fails("model", name, f"{seed and seed[1]}: {said}")
    if len(lines) != 2 or (status == 0) != all(word == "ok" for word, _, _ in lines):
        report.fails("model", "comparison", f"status {status}: {text[-200:]}")


def run_conformance(report):
    """Labyrinth's answers beside those that a Linux gave, tests/run/conformance.py."""
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "conformance.py"), "--replay"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(240),
    )
    lines = re.findall(r"^(ok|not ok) conformance:(\w*) (.*)", done.stdout, re.MULTILINE)
    for word, name, said in lines:
        if word == "ok":
            report.passes("conformance", said)
        else:
            report.fails("conformance", name, said)
    if not lines or (done.returncode == 0) != all(w == "ok" for w, _, _ in lines):
        said = f"status {done.returncode}: {done.stderr.strip()[-300:]}"
        report.fails("conformance", "replay", said)


STATES = "docs/08-testing.md has the numbers of states and calls"


def check_states(report):
    """Each search of a thousand states and more has a line in the book."""
    path = os.path.join(lab.TEST_DIRECTORY, "states", "output.log")
    with open(path, errors="replace") as output:
        found = re.findall(r"# .*page.*: (\d{4,}) states, (\d+) calls", output.read())
    with open(os.path.join(ROOT, "docs", "08-testing.md"), encoding="ascii") as book:
        lines = [line.split() for line in book]
    missing = [
        f"{states} states, {calls} calls"
        for states, calls in found
        if not any(states in line and calls in line for line in lines)
    ]
    if found and not missing:
        report.passes("states", STATES)
    else:
        report.fails("states", STATES, "missing: " + (", ".join(missing) or "all"))


def run_example(report):
    program = os.path.join(BUILD, "host", "example")
    done = subprocess.run(
        [program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=scaled(LIMIT),
    )
    if done.returncode == 0 and done.stdout:
        report.passes("host", "the example program runs")
    else:
        report.fails("host", "example", f"status {done.returncode}")


def run_picture(report, picture):
    """A picture in the book is that of this tree."""
    name = f"docs/{picture}.svg shows what this tree does"
    try:
        same = pictures.is_of_today(picture)
    except Failure as failure:
        report.fails("host", name, str(failure))
        return
    if same:
        report.passes("host", name)
    else:
        report.fails("host", name, f"it has changed: make pictures ONLY={picture}")


def run_bench_host(report):
    """Instructions and blocks; time belongs to the machine that measures."""
    name = "chapter 22 shows what the host's benchmark counts"
    wrong = bench_host.differences()
    if wrong:
        report.fails("host", name, "; ".join([*wrong, "make bench-host"]))
    else:
        report.passes("host", name)


def run_fuzz(report, name):
    directory = os.path.join(lab.TEST_DIRECTORY, "fuzz", name)
    started = time.monotonic()
    seed = random.randrange(1, 1 << 31) if report.long else fuzz.SEED
    wrong, done = fuzz.short_run(name, directory, 10 if report.long else 1, seed)
    if wrong:
        report.fails("fuzz", name, f"-seed={seed}: {wrong}")
    else:
        report.passes("fuzz", f"{name}: {done}", time.monotonic() - started)


def run_cover(report):
    """On the host alone; `make cover` counts on the target, too."""
    if cover.suites_are_counted():
        return
    environment = dict(os.environ)
    environment["LABYRINTH_BUILD"] = os.path.join(BUILD, "cover")
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "cover.py"), "--host"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(900),
        env=environment,
    )
    if done.returncode:
        report.fails("cover", ENTERED, done.stderr.strip()[-400:])
    else:
        report.passes("cover", ENTERED)


def run_room(report, kernel):
    """GRUB, which has shown its menu, can load the kernel on 4 MB, as one piece."""
    headers = subprocess.run(
        ["readelf", "-lW", kernel], capture_output=True, text=True, check=True
    ).stdout
    loads = [
        [int(number, 16) for number in load]
        for load in re.findall(
            r"^ +LOAD +(\S+) +\S+ +(\S+) +\S+ +(\S+)", headers, re.MULTILINE
        )
    ]
    distances = {at - offset for offset, at, _ in loads}
    if len(distances) == 1:
        report.passes("disc", ONE_PIECE)
    else:
        report.fails("disc", ONE_PIECE, f"distances: {distances}")
    end = max(at + size for _, at, size in loads)
    name = f"takes up {end - MIB} bytes from 1 MiB on, of {ROOM_ON_4M}"
    if end - MIB <= ROOM_ON_4M:
        report.passes("disc", name)
    else:
        report.fails("disc", "room", name)


def run_disc(report):
    """The released disc: size, no DWARF, the same bytes again elsewhere."""
    size = os.path.getsize(ISO)
    if size < 2 << 20:
        report.passes("disc", f"is below 2 MB: {size} bytes")
    else:
        report.fails("disc", "size", f"{size} bytes")
    kernel = os.path.join(BUILD, "iso", "labyrinth.elf")
    sections = subprocess.run(
        ["readelf", "-SW", kernel], capture_output=True, text=True, check=True
    ).stdout
    if ".debug" in sections or ".symtab" in sections:
        report.fails("disc", "kernel", "carries .debug or .symtab")
    else:
        report.passes("disc", "carries a kernel without DWARF")
    run_room(report, kernel)
    run_rebuild(report)


def leave_to_rebuild(build, chosen):
    """Of the build in BUILD only the objects of sources: all that CHOSEN, a
    random.Random, does not pick.  How many it has picked."""
    picked = 0
    for place, _, names in os.walk(build):
        for name in sorted(names):
            source = name.endswith((".c.o", ".asm.o"))
            again = source and chosen.randrange(REBUILT_OF) == 0
            picked += again
            if again or not (source or name.endswith((".d", "compile"))):
                os.remove(os.path.join(place, name))
    return picked


def run_rebuild(report, whole=False):
    """Another directory, umask, date and time zone: the same disc.  WHOLE: all of
    it is compiled again; else some objects, and SEED=n picks the same ones."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    name = "has the same bytes when built elsewhere"
    with tempfile.TemporaryDirectory(prefix="labyrinth-") as place:
        copy = os.path.join(place, "elsewhere")
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns("build", ".git")
        )
        if not whole:
            objects = os.path.join(copy, "build", "obj")
            shutil.copytree(os.path.join(BUILD, "obj"), objects)
            picked = leave_to_rebuild(objects, random.Random(seed))
            name += f", {picked} objects compiled there, SEED={seed}"
        strip = ["find", copy, "-exec", "chmod", "go-rwx", "{}", "+"]
        subprocess.run(strip, check=True)
        command = "umask 077; exec make -j2 build-iso"
        environment = dict(os.environ, TZ="Asia/Kathmandu")
        for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LABYRINTH_BUILD"):
            environment.pop(variable, None)
        if "CC" in os.environ:
            command += f" CC='{os.environ['CC']}'"
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        again = os.path.join(copy, "build", "labyrinth.iso")
        if done.returncode:
            report.fails("disc", name, done.stderr.strip()[-200:])
        elif not filecmp.cmp(again, ISO, shallow=False):
            report.fails("disc", name, "the bytes differ")
        elif not whole and done.stdout.count("  CC ") > picked:
            report.fails("disc", name, "more was compiled than was picked")
        else:
            report.passes("disc", name)


def run_warnings(report):
    started = time.monotonic()
    name = "stop no build, and fail the tests"
    try:
        warned.try_all()
    except Failure as failure:
        report.fails("warnings", name, str(failure))
    else:
        report.passes("warnings", name, time.monotonic() - started)


def selftest_in(machine, report):
    with machine:
        end = machine.wait_end(240)
        log = Log(machine.console.text)
        report.log(machine.name, log, verdict(log, end))
        report.steps[machine.name] = step_counts(machine.console.text)


def selftest_words(left_out):
    """The command line of a self-test without the suites LEFT_OUT."""
    if not left_out:
        return SELFTEST
    first, _, rest = SELFTEST.partition(" ")
    return f"{first}={','.join('-' + suite for suite in left_out)} {rest}"


def run_qemu_selftest(report, name, cpu, memory, build=BUILD, left_out=()):
    directory = os.path.join(lab.TEST_DIRECTORY, name)
    iso = lab.make_iso(selftest_words(left_out), build=build)
    disk = lab.disk_copy(directory)
    machine = Qemu(
        name, directory, iso, cpu, memory, more=GUEST_TIME, disk=disk
    )
    selftest_in(machine, report)


def run_bochs_selftest(report, name, megs, left_out=()):
    directory = os.path.join(lab.TEST_DIRECTORY, name)
    iso = lab.make_iso(selftest_words(left_out))
    disk = lab.disk_copy(directory)
    selftest_in(Bochs(name, directory, iso, megs, disk=disk), report)


def run_boot_test(report, name, test):
    started = time.monotonic()
    try:
        test(lab.Lab(name))
    except lab.Skip as reason:
        report.skips("boot", name, str(reason))
    except Failure as failure:
        report.fails("boot", name, str(failure))
    else:
        report.passes("boot", name, time.monotonic() - started)


# How many instructions it has depends on the frames that the machine gives it.
BY_FRAMES = re.compile(r"(# step migrate_pages: )\d+ boundaries, ")


def step_counts(text):
    """The counts of the stepping suite, path by path."""
    return [line for line in plain_lines(text) if "# step " in line]


def comparable_steps(lines):
    return {BY_FRAMES.sub(r"\1", line) for line in lines}


def compare_steps(report):
    """Every machine has the same instructions on the allocator's paths, but
    for the kernel that was compiled with other flags, and for a large zone, where a
    refill looks for whole pageblocks first."""
    machines = [
        m
        for m in report.steps
        if not m.endswith(("-checked", "-6G")) and "step" not in report.left_out(m)
    ]
    for machine in machines[1:]:
        here = comparable_steps(report.steps[machines[0]])
        there = comparable_steps(report.steps[machine])
        odd = sorted(here ^ there)[:2]
        if here and not odd:
            name = f"counted the same boundaries as {machines[0]}"
            report.passes(machine, name)
        else:
            report.fails(machine, "step", f"not as {machines[0]}: {odd}")


STEP_NUMBERS = re.compile(
    r"The (\d+) paths have about\s+(\d+) boundaries, of which about "
    r"(\d+) are\s+eligible"
)
STEP_COUNTS = re.compile(r"# step \w+: (\d+) boundaries, (\d+) eligible")


def check_step_numbers(report):
    """The book's numbers are those of a run, but for a fifth."""
    with open(os.path.join(ROOT, "docs", "08-testing.md")) as chapter:
        said = STEP_NUMBERS.search(" ".join(chapter.read().split()))
    for machine, lines in report.steps.items():
        pairs = STEP_COUNTS.findall("\n".join(lines))
        counts = [
            len(pairs),
            sum(int(all_of_them) for all_of_them, _ in pairs),
            sum(int(eligible) for _, eligible in pairs),
        ]
        if not pairs or machine.endswith("-checked"):
            continue
        numbers = [int(number) for number in said.groups()] if said else []
        if numbers[:1] == counts[:1] and all(
            abs(a - b) * 5 <= b for a, b in zip(numbers, counts)
        ):
            report.passes(machine, "stepped as much as the book says")
        else:
            report.fails(
                machine, "step", f"counted {counts}, the book says {numbers}"
            )


def run_mutants(report):
    """Are the mutants in order, and do the cases still kill a few of them?"""
    every = mutants.all_mutants()
    problems = mutants.check(every)
    for problem in problems:
        report.fails("mutants", "check", problem)
    if not problems:
        report.passes("mutants", f"{len(every)} apply and are in the table")
    for mutant in mutants.sample(every):
        outcome = mutants.run_mutant(mutant)
        if outcome.word == "killed":
            name = f"{mutant.name} is killed by {mutant.killer}"
            report.passes("mutants", name, outcome.seconds)
        else:
            report.fails("mutants", mutant.name, outcome.reason)


def compare_names(report):
    """Every machine ran the same cases in the same order, but for the suites that
    it leaves out."""
    machines = [m for m in report.names if m not in ("host", "states")]
    if len(machines) < 2:
        return
    # The first is one that leaves out nothing.
    machines.sort(key=lambda m: len(report.left_out(m)))
    first = machines[0]
    for machine in machines[1:]:
        left_out = {*report.left_out(first), *report.left_out(machine)}
        here, there = (
            [n for n in report.names[m] if n.partition(".")[0] not in left_out]
            for m in (first, machine)
        )
        if here == there:
            but = f" but for {len(left_out)} suites" if left_out else ""
            report.passes(machine, f"ran the same cases as {first}{but}")
        else:
            odd = sorted(set(here) ^ set(there))[:3] or ["the order"]
            report.fails(machine, "cases", f"not those of {first}: {odd}")


def load_boot_tests():
    for path in sorted(glob.glob(os.path.join(HERE, "boot_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])


def selftest_jobs():
    jobs = []
    for name, megs in BOCHS_SELFTESTS:
        arguments = (name, megs, LEFT_OUT[name])
        jobs.append((name, lambda r, a=arguments: run_bochs_selftest(r, *a)))
    for name, cpu, memory in CHECKED_SELFTESTS:
        arguments = (name, cpu, memory, CHECKED, LEFT_OUT[name])
        jobs.append((name, lambda r, a=arguments: run_qemu_selftest(r, *a)))
    for name, cpu, memory in QEMU_SELFTESTS:
        arguments = (name, cpu, memory, BUILD, LEFT_OUT.get(name, ()))
        jobs.append((name, lambda r, a=arguments: run_qemu_selftest(r, *a)))
    return jobs


def boot_jobs(tests):
    return [
        (f"boot {name}", lambda r, n=name, t=test: run_boot_test(r, n, t))
        for name, test in tests.items()
    ]


def all_jobs():
    """(name, function of the report): about the longest first, so that none is
    left alone at the end."""
    jobs = [("host, cover", run_host), *selftest_jobs()]
    jobs.append(("states", run_states))
    jobs.append(("model", run_model))
    jobs.append(("churn", run_churn))
    jobs.append(("conformance", run_conformance))
    jobs.append(("cover", run_cover))
    jobs.append(("disc", run_disc))
    jobs.append(("mutants", run_mutants))
    for name in fuzz.targets():
        jobs.append((f"fuzz {name}", lambda r, n=name: run_fuzz(r, n)))
    jobs.append(("warnings", run_warnings))
    jobs.append(("host example", run_example))
    for name in pictures.PICTURES:
        jobs.append((f"host picture {name}", lambda r, n=name: run_picture(r, n)))
    jobs.append(("host bench", run_bench_host))
    jobs.append(("judge", run_judge))
    load_boot_tests()
    return jobs + boot_jobs(lab.tests)


def long_jobs():
    """The long forms."""
    jobs = []
    for name, megs in BOCHS_SELFTESTS:
        arguments = (name, megs)
        jobs.append((name, lambda r, a=arguments: run_bochs_selftest(r, *a)))
    for name, cpu, memory in LONG_SELFTESTS:
        arguments = (name, cpu, memory)
        jobs.append((name, lambda r, a=arguments: run_qemu_selftest(r, *a)))
    for name, cpu, memory in CHECKED_SELFTESTS:
        arguments = (name, cpu, memory, CHECKED)
        jobs.append((name, lambda r, a=arguments: run_qemu_selftest(r, *a)))
    jobs.append(("disc", lambda r: run_rebuild(r, whole=True)))
    jobs.append(("states", run_states))
    jobs.append(("model", run_model))
    jobs.append(("churn", run_churn))
    for name in fuzz.targets():
        jobs.append((f"fuzz {name}", lambda r, n=name: run_fuzz(r, n)))
    load_boot_tests()
    return jobs + boot_jobs(lab.long_tests)


def guarded(job, name, report):
    """A job that breaks is a failed test, not a broken run."""
    started = time.monotonic()
    try:
        job(report)
    except Exception as error:  # whatever it is, it is reported
        report.fails(name.split()[0], name, f"{type(error).__name__}: {error}")
    finally:
        report.times.append((time.monotonic() - started, name))


def measure_host():
    """
    How many times as long as on a host that we know, and which had much else to
    do, a boot takes here.  All limits are multiplied by that, in the programs that
    are started from here, too; it is never less than 1.
    """
    if os.environ.get("LABYRINTH_TIME"):
        return
    directory = os.path.join(lab.TEST_DIRECTORY, "speed")
    os.environ["LABYRINTH_TIME"] = "60"
    factor = 1.0
    try:
        started = time.monotonic()
        with Qemu("speed", directory, lab.make_iso("")) as machine:
            machine.console.expect(PROMPT)
        factor = max(1.0, (time.monotonic() - started) / BOOT_SECONDS)
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        print(f"the speed of this host is unknown: {error}", flush=True)
    os.environ["LABYRINTH_TIME"] = f"{factor:.2f}"
    if factor > 1:
        print(f"a slow host: all limits are {factor:.1f} times as long")


def run(words, report):
    wanted = lambda job: not words or any(word in job[0] for word in words)
    every = long_jobs() if report.long else all_jobs()
    jobs = list(filter(wanted, every))
    if jobs:
        measure_host()
    pool = concurrent.futures.ThreadPoolExecutor(MACHINES_AT_ONCE)
    try:
        futures = [pool.submit(guarded, j, n, report) for n, j in jobs]
        for future in futures:
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        raise
    pool.shutdown()
    compare_names(report)
    compare_steps(report)
    check_step_numbers(report)


def write_times(report):
    """How long each job took, the longest first."""
    os.makedirs(lab.TEST_DIRECTORY, exist_ok=True)
    with open(os.path.join(lab.TEST_DIRECTORY, "times.txt"), "w") as file:
        for seconds, name in sorted(report.times, reverse=True):
            file.write(f"{seconds:7.1f} s  {name}\n")


def main(arguments):
    if {"-h", "--help"} & set(arguments):
        print(__doc__.strip())
        return 0
    report = Report("--verbose" in arguments, "--long" in arguments)
    end_on_signals()
    started = time.monotonic()
    try:
        run([a for a in arguments if not a.startswith("-")], report)
    except KeyboardInterrupt:
        report.fails("run", "interrupted", "not everything ran")
        end_all()
    write_times(report)
    took = time.monotonic() - started
    busy = sum(os.times()[:4])
    print(
        f"It took {took:.0f} s and {busy / 60:.1f} CPU minutes; "
        f"logs: {lab.TEST_DIRECTORY}"
    )
    print(
        f"{report.passed} passed, {report.failed} failed, "
        f"{report.skipped} skipped",
        flush=True,
    )
    return 0 if report.passed and not report.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
