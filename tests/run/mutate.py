#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: mutate.py [--seed N] [--count N] [--jobs N] [--first] [--again] [--list]
                 [WORD]...
       mutate.py --check

Faults drawn by a program.  A seed draws COUNT (400) changes of one operator, number,
condition or statement each, in mm/, kernel/core and kernel/arch
(tests/run/mutations.py).  Each is put alone into a copy of the tree.  Steps follow,
and the first failure kills it:

    host         the suites that run the changed line, built without sanitizers
    conformance  the answers of Linux; for mm/
    model        the decisions of the model; for mm/
    kernel       the self-test in QEMU, 64 MB, up to the first failure: the suites
                 that run nowhere else, and for kernel/ then the others
    boot         the boot tests of the part (BOOT_TESTS)
    sanitizers   the suites of the first step, built with sanitizers

All mutants go through their first step, and the survivors then go through the other
ones.  A change that does not compile, or compiles to the same object, is not a mutant:
another one is drawn.  A line for each:

    killed      by the case that follows
    SURVIVED    by nothing: a test is missing, or nobody can tell the difference
    equivalent  nobody can: tests/mutate/equivalent.txt has the reason

The last lines count them.  Results are kept in build/mutate/results, by the content
of the function and the change, so that a run that was ended goes on where it was.
--first leaves out the other steps, --again tries the survivors once more, --list prints
all that the seed draws, before anything is compiled, and WORDs pick mutants by file,
function or text.

--check asks whether each entry of the list of equivalent ones is a change of a place
that is still there.
"""

import argparse
import contextlib
import functools
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple

import cover
import lab
from ktap import Kind, Log, verdict, verdict_of_program
from machine import BUILD, ROOT, Deadline, Failure, call, end_all, end_on_signals
from machine import scaled
from mutations import drawn, equivalents, problems_of
from patched import KERNEL_SEEDS, Copy
from qemu import GUEST_TIME, Qemu

WORK = os.path.join(BUILD, "mutate")
RESULTS = os.path.join(WORK, "results")
MAP = os.path.join(WORK, "map.json")
COVER = os.path.join(WORK, "cover")
ALL_PLAIN = os.path.join(WORK, "plain", "host", "run-suites")
PLAIN = "build/mutate/plain"  # in the copy
PLAIN_SUITES = f"{PLAIN}/host/run-suites"
PLAIN_VARIABLES = (f"B={PLAIN}", "PLAIN=1")
SEED = "1"
SANITIZER_STATUS = 99

# A suite gets so many times what it takes without a fault, and some seconds.
TIMES, SECONDS = 5, 10
# The longest silence of a self-test, which is 2 seconds without a fault.
SILENCE = 25
# A self-test says less than 200,000 characters: one that says more will say no end.
TALK = 2000000
MODEL_STATES = 500
# Longer suites run only for lines that few suites reach.
LONG, FEW = 3.0, 20
# Suites that say little about kernel/, and others that say little about mm/.
FOR_MM = ("fail_files", "fail_nth", "fail_shell", "files", "pressure")
NOT_FOR_MM = ("step", "irqsoff", "printk", "scan_codes", "screen")
SELFTEST_WORDS = "disk_timeout=600"

# Which boot tests ask for a part: words of their names.  The first that fits.
BOOT_TESTS = (
    ("kernel/core/panic", "panic_ nmi_after"),
    ("kernel/core/fault", "panic_in intrud double_free began_again machine_check"),
    ("kernel/core/console", "screen_shows page_up history_and long_lines pasted_behind"),
    ("kernel/core/printk", "loglevel_4 long_lines panic_within"),
    ("kernel/core/irq", "irqs_ serial_input"),
    ("kernel/core/nmi_watch", "each_edge loop_with nmi_from without_an_io"),
    ("kernel/core/nmi", "nmis_ nmi_"),
    ("kernel/core/watchdog", "dead_timer loop_with watchdog_that"),
    ("kernel/core/sched", "ps_ intrud panic_in"),
    ("kernel/core/params", "odd_words nothing_fails_if"),
    ("kernel/core/multiboot2", "mem_limits more_modules grub_says"),
    ("kernel/core/symbols", "line_table panic_backtrace make_where"),
    ("kernel/core/line_table", "line_table panic_backtrace make_where"),
    ("kernel/core/code_place", "panic_backtrace fail_page_alloc_has_a_place"),
    ("kernel/core/", "mutex_in panic_in"),
    ("kernel/arch/irqsoff", "irqs_says interrupts_are_off"),
    ("kernel/arch/", "panic_in a_cpu_without machine_check"),
    ("mm/debug/page_", "owner_says leak_is double_free"),
    ("mm/debug/show_mem", "_has_linuxs_format why_tells"),
    ("mm/debug/trace", "trace_"),
    ("mm/debug/vmstat", "_has_linuxs_format"),
    ("mm/debug/explain", "gfp_"),
    ("mm/debug/gfp_names", "gfp_"),
    ("mm/debug/fault_inject", "fail_page_alloc fail_nth failslab"),
    ("mm/debug/", "why_tells double_free"),
    ("mm/slab/slab_", "objects_written failslab"),
    ("mm/swap/", "swap"),
    ("mm/user/filemap", "files_ what_was_synced"),
    ("mm/user/", "pressure_without swapping"),
    ("mm/reclaim/kcompactd", "kcompactd single_pages"),
    ("mm/reclaim/compaction", "single_pages a_range fragment_says"),
    ("mm/reclaim/", "pressure_without swapping"),
    ("mm/contig/", "an_area"),
    ("mm/boot/", "mem_limits a_zone_for"),
    ("mm/exclusive/", "owned_frame intrud panic_in"),
)


class Result(NamedTuple):
    word: str  # killed, SURVIVED, same (is no mutant), open (after the first step)
    by: str
    seconds: float


# ---- Which suites run which lines --------------------------------------------


SUITE = re.compile(r"^CASE\w*\((\w+),", re.MULTILINE)


def digests():
    """Of the sources without cases, and of those with cases for each suite."""
    found = []
    for folder in ("mm", "kernel", "lib", "tests"):
        for kind in ("c", "h"):
            found += glob.glob(f"{ROOT}/{folder}/**/*.{kind}", recursive=True)
    all_of = {"": hashlib.sha256()}
    for path in sorted(found):
        with open(path) as file:
            text = file.read()
        for suite in set(SUITE.findall(text)) or {""}:
            digest = all_of.setdefault(suite, hashlib.sha256())
            digest.update(f"{path}\n{text}".encode())
    return {suite: digest.hexdigest() for suite, digest in all_of.items()}


class Map:
    """Which suites of the host run a line, and how long each takes.  A suite
    is measured again when it changes, and all when a source without cases does."""

    def __init__(self):
        now, known = digests(), {}
        if os.path.exists(MAP):
            with open(MAP) as file:
                known = json.load(file)
        old = known.get("digests", {})
        if old.get("") != now[""]:
            known, old = {}, {}
        self.seconds = known.get("seconds", {})
        self.lines = known.get("lines", {})
        listed = subprocess.run([ALL_PLAIN, "--list"], capture_output=True, text=True)
        suites = dict.fromkeys(n.split(".")[0] for n in listed.stdout.split())
        changed = [s for s in suites if now.get(s) != old.get(s) or s not in self.seconds]
        if not changed:
            return
        print(f"# which lines {len(changed)} of {len(suites)} suites run", flush=True)
        for suite in changed:
            self._measure(suite)
        with open(MAP + ".part", "w") as file:
            known = {"digests": now, "seconds": self.seconds, "lines": self.lines}
            json.dump(known, file)
        os.rename(MAP + ".part", MAP)

    def _measure(self, suite):
        before = sum(os.times()[2:4])  # of children: a busy host does not count
        self._run(ALL_PLAIN, suite)
        self.seconds[suite] = sum(os.times()[2:4]) - before
        cover.remove_counts(os.path.join(COVER, "host"))
        self._run(os.path.join(COVER, "host", "run-suites"), suite)
        for suites in (s for lines in self.lines.values() for s in lines.values()):
            if suite in suites:
                suites.remove(suite)
        self._read(suite, self.lines)

    def _run(self, program, suite):
        command = [program, "--seed", SEED, suite]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{suite} fails without a change: {done.stdout[-300:]}")

    def _read(self, suite, lines):
        """Add what gcov tells to LINES: {file: {line: suites}}."""
        pattern = os.path.join(COVER, "host", "**", "*.gcda")
        counts = glob.glob(pattern, recursive=True)
        command = ["gcov", "--json-format", "--stdout", *counts]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        for unit in done.stdout.splitlines():
            for file in json.loads(unit)["files"]:
                here = lines.setdefault(os.path.normpath(file["file"]), {})
                for line in file["lines"]:
                    suites = here.setdefault(str(line["line_number"]), [])
                    if line["count"] and suite not in suites:
                        suites.append(suite)

    def knows(self, file):
        return file in self.lines

    def suites(self, mutation):
        """Those that run the line, or the nearest counted one before it: the quick
        ones first."""
        lines = self.lines[mutation.file]
        counted = [int(n) for n in lines if int(n) <= mutation.line]
        suites = lines[str(max(counted))] if counted else []
        few = len(suites) < FEW
        some = [s for s in suites if few or self.seconds[s] < LONG]
        return sorted(some, key=self.seconds.get)


@functools.cache
def suites_of_both():
    """Those of the folders that are compiled for the host and for the kernel."""
    found = set()
    for folder in ("lib", "core", "mm", "drivers"):
        for path in glob.glob(f"{ROOT}/tests/{folder}/*.c"):
            with open(path) as file:
                found.update(SUITE.findall(file.read()))
    return sorted(found)


# ---- One mutant --------------------------------------------------------------


def stripped(path):
    """An object without its lines and types for a debugger.  Two workers may ask for the
    same one."""
    with tempfile.NamedTemporaryFile() as bare:
        subprocess.run(["strip", "--strip-debug", "-o", bare.name, path], check=True)
        # Not through `bare`: strip may put another file in its place.
        with open(bare.name, "rb") as file:
            return file.read()


class Workshop(Copy):
    """A copy in which one mutation after the other is put and judged."""

    def __init__(self, name, known):
        directory = os.path.join(WORK, name)
        seeds = (*KERNEL_SEEDS, "host", "mutate/plain")
        super().__init__(name, directory, seeds)
        self.known = known
        self.log = os.path.join(WORK, name + ".log")

    def judge(self, mutation, is_first):
        """The first step, or all others."""
        started = time.monotonic()
        path = os.path.join(self.directory, mutation.file)
        with open(path) as file:
            source = file.read()
        with open(path, "w") as file:
            file.write(mutation.apply(source))
        try:
            word, by = self._judge(mutation, is_first)
        finally:
            with open(path, "w") as file:
                file.write(source)
        return Result(word, by, time.monotonic() - started)

    def _judge(self, mutation, is_first):
        steps = self._steps(mutation)
        on_host = steps[0] == self.ask_host
        # A mutant that dies on the host is another program.  Only of a survivor the
        # kernel's object is compiled and compared, too.
        try:
            if is_first and self._is_same(mutation, on_host):
                return "same", "the object is the same"
            if is_first and on_host:
                self.make(PLAIN_SUITES, variables=PLAIN_VARIABLES)
            else:
                self.make("build-iso")
        except Failure:
            return "same", "it does not build"
        for step in steps[:1] if is_first else steps[1:]:
            by = step(mutation)
            if by:
                return "killed", by
        if is_first and on_host and self._is_same(mutation, False):
            return "same", "the object of the kernel is the same"
        return ("open" if is_first else "SURVIVED"), ""

    def _is_same(self, mutation, on_host):
        part = os.path.join("obj", f"{mutation.file}.o")
        if mutation.file.endswith(".h"):
            if on_host:
                return False
            part = os.path.join("obj", "labyrinth-1.elf")
        if on_host:
            part = os.path.join("mutate/plain/host/asan", f"{mutation.file}.o")
            self.make(f"build/{part}", variables=PLAIN_VARIABLES)
        else:
            self.make(f"build/{part}")
        paths = [os.path.join(build, part) for build in (self.build, BUILD)]
        return stripped(paths[0]) == stripped(paths[1])

    def _steps(self, mutation):
        """The functions to call, in turn, until one returns a killer."""
        if not self.known.knows(mutation.file):
            return [self.ask_kernel, self.ask_more_of_kernel, self.ask_boot]
        steps = [self.ask_host]
        if mutation.file.startswith("mm/"):
            steps += [self.ask_linux, self.ask_model, self.ask_kernel]
        else:
            steps += [self.ask_kernel, self.ask_more_of_kernel]
        return [*steps, self.ask_boot, self.ask_sanitizers]

    # ---- On the host ----

    def ask_host(self, mutation):
        suites = self.known.suites(mutation)
        return self._ask_suites(PLAIN_SUITES, suites, TIMES, {})

    def ask_sanitizers(self, mutation):
        suites = self.known.suites(mutation)
        self.make("build/host/run-suites")
        status = f"exitcode={SANITIZER_STATUS}"
        environment = {
            "ASAN_OPTIONS": status,
            "UBSAN_OPTIONS": status,
            "GCOV_PREFIX": self.log + ".counts",
        }
        program = "build/host/run-suites"
        return self._ask_suites(program, suites, 4 * TIMES, environment)

    def _ask_suites(self, program, suites, times, environment):
        for suite in suites:
            limit = SECONDS + times * self.known.seconds[suite]
            by = self._ask_suite(program, suite, limit, environment)
            if by:
                return by
        return None

    def _ask_suite(self, program, suite, limit, environment):
        with open(self.log, "wb") as output:
            try:
                status = call(
                    [os.path.join(self.directory, program), "--seed", SEED, suite],
                    limit,
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(os.environ, **environment),
                )
            except subprocess.TimeoutExpired:
                return f"host: {suite} hangs"
        if status == 0:
            return None
        with open(self.log, errors="replace") as output:
            log = Log(output.read())
        if log.failed:
            return f"host: {log.failed[0].full_name}"
        if status == SANITIZER_STATUS:
            return f"host: {suite}, a sanitizer"
        return f"host: {suite}, {verdict_of_program(log, status).reason}"

    def _output(self, command, limit, environment):
        """The output of a program of the copy, and its status; None: it hangs."""
        try:
            done = subprocess.run(
                [sys.executable, *command],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=scaled(limit),
            )
        except subprocess.TimeoutExpired:
            return None
        return done.stdout, done.returncode

    def _ask_program(self, place, goal, command):
        self.make(goal)
        environment = dict(os.environ, LABYRINTH_BUILD=self.build)
        output = self._output(command, 240, environment)
        if output is None:
            return f"{place}: hangs"
        failed = re.search(r"^not ok (\S+)", output[0], re.MULTILINE)
        if failed:
            return f"{place}: {failed[1]}"
        return f"{place}: status {output[1]}" if output[1] else None

    def ask_linux(self, _mutation):
        command = ["tests/run/conformance.py", "--replay"]
        return self._ask_program("conformance", "build-conformance", command)

    def ask_model(self, _mutation):
        command = ["tests/model/compare.py", "--seed", SEED]
        command += ["--states", str(MODEL_STATES)]
        return self._ask_program("model", "build-model", command)

    # ---- In the kernel ----

    def ask_kernel(self, mutation):
        """The suites that no host runs."""
        is_of_mm = mutation.file.startswith("mm/")
        less = NOT_FOR_MM if is_of_mm else FOR_MM
        names = (f"-{suite}" for suite in (*suites_of_both(), *less))
        return self._ask_selftest(names)

    def ask_more_of_kernel(self, _mutation):
        return self._ask_selftest((*suites_of_both(), *FOR_MM))

    def _ask_selftest(self, names):
        self.make("build-iso")
        words = f"selftest={','.join(names)} {SELFTEST_WORDS}"
        iso = lab.make_iso(words, build=self.build)
        directory = os.path.join(WORK, self.name + ".machine")
        machine = Qemu(
            self.name, directory, iso, memory="64M", more=GUEST_TIME,
            disk=lab.disk_copy(directory),
        )
        with machine:
            failed = first_failure(machine)
            if failed:
                return f"kernel: {failed}"
            end = machine.wait_end(60)
            text = machine.console.text
        answer = verdict(Log(text), end)
        if answer.kind is Kind.PASSED:
            return None
        return f"kernel: {answer.kind.value}, {answer.reason}"

    def ask_boot(self, mutation):
        for part, words in BOOT_TESTS:
            if mutation.file.startswith(part):
                return self._ask_boot_tests(words.split())
        return None

    def _ask_boot_tests(self, words):
        self.make("build-iso", "build-disk")
        environment = dict(os.environ, LABYRINTH_TIME="1")
        environment.pop("LABYRINTH_BUILD", None)
        output = self._output(["tests/run/check.py", *words], 400, environment)
        if output is None:
            return "boot: time limit"
        failed = re.search(r"^FAIL +boot +(\w+)", output[0], re.MULTILINE)
        return f"boot: {failed[1]}" if failed else None


def first_failure(machine):
    """The case that fails first, or what ends the self-test; None if it ends by
    itself."""
    console, seen = machine.console, -1
    while True:
        closed = console.closed  # before the text, which is whole then
        text = console.wait_for_more(seen, 0.5)
        log = re.search(r"^ +not ok \d+ (\S+)", text, re.MULTILINE)
        if log:
            suites = re.findall(r"# Subtest: (\w+)", text[: log.start()])
            return f"{suites[-1] if suites else '?'}.{log[1]}"
        if closed:
            return None
        if len(text) > TALK:
            return "talks without end"
        if len(text) != seen:
            seen = len(text)
            deadline = Deadline(SILENCE, machine.process.pid)
        elif deadline.left() <= 0:
            suites = re.findall(r"# Subtest: (\w+)", text)
            return f"hang in {suites[-1] if suites else 'the boot'}"


# ---- All ---------------------------------------------------------------------


class Run:
    """The mutants that a seed draws, one after the other."""

    def __init__(self, options):
        self.options = options
        self.known = Map()
        self.results = read_results()
        self.lock = threading.Lock()
        self.queue = [
            m for m in drawn(options.seed)
            if is_wanted(m, options.words)
        ]
        self.equivalent = {(e.key, e.number) for e in equivalents()}
        self.of = {}  # mutation: result
        self.next = 0
        self.counted = 0
        self.is_first = True
        self.is_over = False

    def take(self):
        """The next to be judged, or None."""
        with self.lock:
            if self.counted >= self.options.count or self.next == len(self.queue):
                return None
            self.next += 1
            self.counted += 1
            return self.queue[self.next - 1]

    def second_round(self):
        """From here on, what is still open."""
        self.queue = [m for m in self.queue if self.is_open(m)]
        self.options.count = len(self.queue)
        self.next = self.counted = 0
        self.is_first = False

    def is_open(self, mutation):
        return mutation in self.of and self.of[mutation].word == "open"

    def finish(self, mutation, result):
        with self.lock:
            if result.word == "same":
                self.counted -= 1
                return
            self.of[mutation] = result
            if result.word != "open":
                print(sentence(mutation, result), flush=True)

    def kept(self, mutation):
        """A result of an earlier run."""
        result = self.results.get(mutation.content)
        if result is None or not self.is_first:
            return None
        if result.word == "SURVIVED" and self.options.again:
            return None
        return result

    def result(self, mutation, workshop):
        if (mutation.key, mutation.number) in self.equivalent:
            return Result("equivalent", "", 0)
        result = self.kept(mutation)
        if result is None:
            result = workshop.judge(mutation, self.is_first)
            self.keep(mutation, result)
        return result

    def work(self, workshop):
        while mutation := self.take():
            self.finish(mutation, self.result(mutation, workshop))

    def keep(self, mutation, result):
        if self.is_over:
            return  # what fails now fails because all is taken away
        with self.lock, open(RESULTS, "a") as file:
            record = [mutation.content, *result, mutation.name]
            file.write(json.dumps(record) + "\n")


def read_results():
    results = {}
    if os.path.exists(RESULTS):
        with open(RESULTS) as file:
            for line in file:
                content, word, by, seconds, _ = json.loads(line)
                results[content] = Result(word, by, seconds)
    return results


def is_wanted(mutation, words):
    text = f"{mutation.file} {mutation.function} {mutation.before}"
    return not words or any(word in text for word in words)


def place(mutation):
    change = f"{mutation.before}\n{'':11} => {mutation.after.rstrip(';') and mutation.after or 'nothing'}"
    return f"{mutation.file}:{mutation.line} {mutation.function}: {change}"


def sentence(mutation, result):
    text = f"{result.word:<11} {place(mutation)}"
    if result.by:
        text += f"\n{'':11} by {result.by}, {result.seconds:.1f} s"
    return text


def guarded(run, workshop, failures):
    try:
        run.work(workshop)
    except Exception as error:  # whatever it is, the others end too
        failures.append(f"{type(error).__name__}: {error}")
        run.options.count = 0


def run_round(run, workshops):
    failures = []
    workers = [
        threading.Thread(target=guarded, args=(run, w, failures), daemon=True)
        for w in workshops
    ]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:
        run.is_over = True
        raise
    if failures:
        raise Failure("; ".join(failures))


def run_all(options):
    os.makedirs(WORK, exist_ok=True)
    print(f"# seed {options.seed}", flush=True)
    run = Run(options)
    with contextlib.ExitStack() as stack:
        names = [f"tree-{i}" for i in range(options.jobs)]
        workshops = [stack.enter_context(Workshop(n, run.known)) for n in names]
        run_round(run, workshops)
        print(f"# {sum(map(run.is_open, run.of))} are left for the other steps", flush=True)
        if not options.first:
            run.second_round()
            run_round(run, workshops)
    return summary(options, run.of.values())


def summary(options, results):
    words = [result.word for result in results]
    killed = words.count("killed")
    equal, survived = words.count("equivalent"), words.count("SURVIVED") + words.count("open")
    print(
        f"# seed {options.seed}: {len(words)} mutants, {equal} equivalent; of the "
        f"other {killed + survived} died {killed}, {survived} survived: "
        f"{100 * killed / max(killed + survived, 1):.1f} %"
    )
    places = {}
    for result in results:
        if result.word == "killed":
            kind = result.by.split(":")[0]
            places[kind] = places.get(kind, 0) + 1
    print("# " + ", ".join(f"{n} by {p}" for p, n in sorted(places.items())))
    return 1 if survived else 0


def read_options(arguments):
    parser = argparse.ArgumentParser(usage=__doc__, add_help=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3), "big")
    return options


def main(arguments):
    end_on_signals()
    options = read_options(arguments)
    if options.check:
        problems = problems_of(equivalents())
        print("".join(p + "\n" for p in problems), end="")
        return 1 if problems else 0
    if options.list:
        for mutation in drawn(options.seed)[: options.count]:
            print(place(mutation))
        return 0
    try:
        return run_all(options)
    except (Failure, OSError, KeyboardInterrupt) as error:
        print(f"mutate: {error!r}", file=sys.stderr)
        end_all()
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
