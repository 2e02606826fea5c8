#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: mutants.py [--check | --table | --all-failures] [WORD]...

Faults on purpose.  Each patch in tests/mutants/ puts one fault into a copy of
the tree; the copy is built, and the case that the patch names must fail.  A
line for each mutant as it ends:

    killed    the named case failed; "by an assertion" if the first that failed in
              the run was a kassert(), before any test looked
    LATE      it failed, but no assertion before it, and the patch says "Asserted"
    SURVIVED  it did not: a test is missing, or the patch names the wrong one
    STALE     the patch does not apply to the tree as it is
    BROKEN    the copy does not build, or the run broke

With WORDs, only the mutants whose name, files, or killer have one of them.  A
run of all mutants in which all die writes docs/mutants.md, the table of them.
Two mutants at a time; what the machines said is in build/mutants/.

--check runs none: do all patches apply, are their headings complete, do the
cases that they name exist, does the table list them?  --table writes the table
without a run.  --all-failures names every case that failed, not only the one
that was named.  The heading of a patch (tests/run/patched.py):

    Title:      what the fault is
    World:      "host", the suites in build/host/run-suites, "kernel", QEMU,
                "model", the comparison of tests/model/compare.py, or
                "conformance", that of tests/run/conformance.py
    Killed-by:  suite.case, boot:test of boot_*.py, model:rights or model:zones,
                conformance: and a group of its questions, or "verdict hang" (or
                another kind of verdict) where a self-test cannot end by itself
    Run:        what runs, if it is not the suite of the case: suites or cases
                on the host, one suite or case in the kernel
    Asserted:   "yes" if a kassert() fails before any test looks
"""

import concurrent.futures
import glob
import importlib
import os
import re
import subprocess
import sys
import time
from typing import NamedTuple

import conformance
import lab
from ktap import Kind, Log, verdict, verdict_of_program
from machine import BUILD, ROOT, Failure, call, end_all, end_on_signals, scaled
from patched import KERNEL_SEEDS, SEEDS, Patched, read_heading
from qemu import GUEST_TIME, Qemu

FOLDER = os.path.join(ROOT, "tests", "mutants")
TABLE = os.path.join(ROOT, "docs", "mutants.md")
WORK = os.path.join(BUILD, "mutants")
AT_ONCE = 2
# Of the wall's clock: a case that hangs never ends, the others of one suite need
# a few seconds, and a hundred times that on a host that does much else.
HOST_SECONDS = 600
KERNEL_SECONDS = 120
# A boot test has private limits, which a slow host extends.
BOOT_SECONDS = 3600
SAMPLE = 4
# So many at least must fall to an assertion.
LEAST_ASSERTED = 40

BOOT = "boot:"
MODEL = "model:"
CONFORMANCE = "conformance:"
# States of the comparison with the model.
MODEL_STATES = 1500
VERDICT = "verdict "
SEED = "1"
SANITIZER_STATUS = 99

CASE = re.compile(r"\bCASE\w*\(\s*(\w+)\s*,\s*(\w+)\s*[,)]")
CHANGED = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)


class Mutant:
    """A patch and what its heading says."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[: -len(".patch")]
        heading = read_heading(path)
        self.title = heading.get("Title", "")
        self.world = heading.get("World", "")
        self.killer = heading.get("Killed-by", "")
        self.asserted = heading.get("Asserted") == "yes"
        self.run = heading.get("Run", self.killer.split(".")[0]).split()
        with open(path) as patch:
            self.files = CHANGED.findall(patch.read())

    def matches(self, words):
        texts = (self.name, self.world, self.killer, *self.files)
        return not words or any(w in text for w in words for text in texts)

    def problems(self, cases):
        """Faults of the patch, found before it is run."""
        keys = {"Title": self.title, "Killed-by": self.killer}
        missing = [
            f"{self.name}: no {key} in its heading"
            for key, value in keys.items()
            if not value
        ]
        if self.world not in RUNNERS:
            missing.append(f"{self.name}: World is none of {', '.join(RUNNERS)}")
        if self.world == "kernel" and len(self.run) != 1:
            missing.append(f"{self.name}: the kernel runs one suite or case")
        if not self.killer.startswith(VERDICT) and self.killer not in cases:
            missing.append(f"{self.name}: there is no {self.killer}")
        command = ["patch", "-p1", "-s", "-F0", "--dry-run"]
        with open(self.path) as patch:
            done = subprocess.run(
                command, cwd=ROOT, stdin=patch, capture_output=True
            )
        if done.returncode:
            missing.append(f"{self.name}: does not apply any more")
        return missing


def all_mutants():
    return [Mutant(path) for path in sorted(glob.glob(f"{FOLDER}/*.patch"))]


def known_cases():
    """All that can kill: cases of the suites, and boot tests."""
    names = set()
    for path in glob.glob(f"{ROOT}/tests/*/*.c"):
        with open(path) as source:
            names.update(".".join(m) for m in CASE.findall(source.read()))
    here = os.path.dirname(os.path.abspath(__file__))
    for path in glob.glob(f"{here}/boot_*.py"):
        importlib.import_module(os.path.basename(path)[:-3])
    names.update(BOOT + name for name in lab.tests)
    names.update(MODEL + name for name in ("rights", "zones"))
    names.update(CONFORMANCE + name for name in conformance.GROUPS)
    return names


# ---- Running one ------------------------------------------------------------


ASSERTED = "assertion failed: "


class Run(NamedTuple):
    """The result of the suites, in the copy with the mutant."""

    failed: list  # names of what failed
    kind: str  # of verdict
    reason: str
    asserted: bool = False  # the first failure is a kassert()


class Outcome(NamedTuple):
    word: str  # killed, LATE, SURVIVED, STALE, BROKEN
    failed: list
    reason: str
    seconds: float
    asserted: bool = False


def begins_with_an_assertion(log, last_words):
    """Is it one that failed first?  LAST_WORDS: of a run that ended by itself."""
    if log.failed:
        return ASSERTED in log.failed[0].reason
    return ASSERTED in last_words


def run_on_host(mutant, tree):
    tree.make("build-suites")
    program = os.path.join(tree.build, "host", "run-suites")
    path = os.path.join(WORK, mutant.name + ".log")
    exit_code = f"exitcode={SANITIZER_STATUS}"
    environment = dict(os.environ, ASAN_OPTIONS=exit_code)
    environment["UBSAN_OPTIONS"] = f"{exit_code}:print_stacktrace=1"
    # Objects of the tree's own build would add to its counts.
    environment["GCOV_PREFIX"] = path + ".counts"
    with open(path, "wb") as output:
        try:
            status = call(
                [program, "--seed", SEED, *mutant.run],
                HOST_SECONDS,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return Run([], Kind.HANG.value, "time limit")
    with open(path, errors="replace") as output:
        text = output.read()
    log = Log(text)
    answer = verdict_of_program(log, status)
    failed = [c.full_name for c in log.failed]
    if status == SANITIZER_STATUS:
        failed += case_in_backtrace(text, mutant.killer)
    # A thread of a test that panics ends the program: "panic: " and the words.
    asserted = begins_with_an_assertion(log, text if status < 0 else "")
    return Run(failed, answer.kind.value, answer.reason, asserted)


def case_in_backtrace(text, killer):
    """A sanitizer ends the program in the middle of a case: was it KILLER?"""
    found = f" in case_{killer.replace('.', '_')} " in text
    return [killer] if found else []


def run_of_copy(mutant, tree, command, environment, seconds):
    """The output of COMMAND in the copy; also kept in the log of the mutant."""
    done = subprocess.run(
        command,
        cwd=tree.directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(seconds),
    )
    with open(os.path.join(WORK, mutant.name + ".log"), "w") as log:
        log.write(done.stdout + done.stderr)
    return done.stdout


def run_beside_model(mutant, tree):
    """The copy's own comparison, of the part that is to fail."""
    tree.make("build-model")
    command = [sys.executable, "tests/model/compare.py", "--seed", SEED]
    command += ["--states", str(MODEL_STATES), mutant.killer[len(MODEL) :]]
    environment = dict(os.environ, LABYRINTH_BUILD=tree.build)
    output = run_of_copy(mutant, tree, command, environment, HOST_SECONDS)
    failed = re.findall(r"^not ok (\S+) (.*)", output, re.MULTILINE)
    reason = failed[0][1] if failed else "no difference"
    return Run([name for name, _ in failed], "model", reason, ASSERTED in reason)


def run_beside_linux(mutant, tree):
    """The copy's own replay."""
    tree.make("build-conformance")
    command = [sys.executable, "tests/run/conformance.py", "--replay"]
    environment = dict(os.environ, LABYRINTH_BUILD=tree.build)
    output = run_of_copy(mutant, tree, command, environment, HOST_SECONDS)
    failed = re.findall(r"^not ok (\S+) (.*)", output, re.MULTILINE)
    reason = failed[0][1] if failed else "no difference"
    return Run([name for name, _ in failed], "conformance", reason, ASSERTED in reason)


def run_in_kernel(mutant, tree):
    tree.make("build-iso")
    if mutant.killer.startswith(BOOT):
        tree.make("build-disk")
        if "play" in mutant.killer:
            tree.make("build-play")
        return run_boot_test(mutant, tree)
    iso = lab.make_iso(f"selftest={mutant.run[0]}", build=tree.build)
    directory = os.path.join(WORK, mutant.name + ".machine")
    machine = Qemu(
        mutant.name, directory, iso, memory="64M", more=GUEST_TIME
    )
    with machine:
        end = machine.wait_end(KERNEL_SECONDS)
        text = machine.console.text
    log = Log(text)
    answer = verdict(log, end)
    asserted = begins_with_an_assertion(
        log, text if answer.kind is Kind.PANIC else ""
    )
    failed = [c.full_name for c in log.failed]
    return Run(failed, answer.kind.value, answer.reason, asserted)


def run_boot_test(mutant, tree):
    """The copy's own runner, for this test alone."""
    name = mutant.killer[len(BOOT) :]
    command = [sys.executable, "tests/run/check.py", f"boot {name}"]
    environment = dict(os.environ)
    environment.pop("LABYRINTH_BUILD", None)
    output = run_of_copy(mutant, tree, command, environment, BOOT_SECONDS)
    fails = re.findall(r"^FAIL +boot +(\w+): (.*)", output, re.MULTILINE)
    reason = fails[0][1] if fails else "the boot test passed"
    failed = [BOOT + test for test, _ in fails]
    return Run(failed, "boot test", reason, ASSERTED in reason)


RUNNERS = {
    "host": run_on_host,
    "kernel": run_in_kernel,
    "model": run_beside_model,
    "conformance": run_beside_linux,
}


def run_mutant(mutant):
    started = time.monotonic()
    os.makedirs(WORK, exist_ok=True)
    run = RUNNERS[mutant.world]
    ran = Run([], "", "")
    try:
        seeds = KERNEL_SEEDS if mutant.world == "kernel" else SEEDS
        tree = Patched(mutant.path, os.path.join(WORK, mutant.name), seeds)
        with tree:
            ran = run(mutant, tree)
        dead = mutant.killer in (*ran.failed, VERDICT + ran.kind)
        word = "killed" if dead else "SURVIVED"
        if dead and mutant.asserted and not ran.asserted:
            word = "LATE"
        reason = f"{ran.kind}: {ran.reason}"
    except (Failure, OSError, subprocess.SubprocessError) as error:
        reason = " ".join(str(error).split())
        word = "STALE" if "does not apply" in reason else "BROKEN"
    seconds = time.monotonic() - started
    return Outcome(word, ran.failed, reason, seconds, ran.asserted)


def sentence(mutant, outcome, all_failures=False):
    text = f"{outcome.word:<8}  {mutant.name:<28} "
    if outcome.word == "killed":
        by = "an assertion in " if outcome.asserted else ""
        text += f"by {by}{mutant.killer} in {outcome.seconds:.1f} s"
    else:
        text += f"{mutant.killer}: {outcome.reason}"
    if all_failures:
        text += "".join(f"\n\t\t{name}" for name in outcome.failed)
    return text


def run_all(mutants, show):
    """SHOW(mutant, outcome) as each ends; the outcomes, as MUTANTS has them."""

    def job(mutant):
        outcome = run_mutant(mutant)
        show(mutant, outcome)
        return outcome

    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    try:
        return list(pool.map(job, mutants))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        raise
    finally:
        pool.shutdown()


# ---- The table --------------------------------------------------------------

HEAD = """\
# Mutants: who tests the tests?

A test that passes proves nothing unless it can fail.  Here are {count}
faults of the kind that people make.  `make mutants` puts each of them, alone,
into a copy of the tree, builds it and runs a suite; the case in the last column
must fail there, by name.  On the tree without the fault the same case passes, in
every `make test`.

{asserted} of them fall to an assertion: where the code relies on what the fault breaks,
a kassert() of the kernel fails before any test looks.  They have *asserted* in the last
column.

`tests/run/mutants.py` writes this table at the end of a run in which all of them
die.  Chapter 8 explains how to add one.

| mutant | file | fault | world | killed by |
|--------|------|-------|-------|-----------|
"""


def table(mutants):
    rows = [
        f"| [{m.name}](../tests/mutants/{m.name}.patch) "
        f"| {', '.join(m.files)} | {m.title} | {m.world} "
        f"| {m.killer}{', asserted' if m.asserted else ''} |\n"
        for m in mutants
    ]
    asserted = sum(mutant.asserted for mutant in mutants)
    head = HEAD.format(count=len(mutants), asserted=asserted)
    return head + "".join(rows)


def write_table(mutants):
    with open(TABLE, "w") as file:
        file.write(table(mutants))


def check(mutants):
    """Sentences about what is wrong before anything is run."""
    cases = known_cases()
    problems = [p for mutant in mutants for p in mutant.problems(cases)]
    asserted = sum(mutant.asserted for mutant in mutants)
    if asserted < LEAST_ASSERTED:
        problems.append(f"only {asserted} of the mutants fall to an assertion")
    with open(TABLE) as file:
        if file.read() != table(mutants):
            problems.append("docs/mutants.md is not their table: make mutants")
    return problems


def sample(mutants):
    """A few for each `make test`: the same ones for the same tree."""
    host = [mutant for mutant in mutants if mutant.world == "host"]
    return host[:: max(1, len(host) // SAMPLE)][:SAMPLE]


def main(arguments):
    if {"-h", "--help"} & set(arguments):
        print(__doc__.strip())
        return 0
    options = {word for word in arguments if word.startswith("--")}
    words = [word for word in arguments if not word.startswith("--")]
    mutants = all_mutants()
    if "--table" in options:
        write_table(mutants)
        return 0
    if "--check" in options:
        problems = check(mutants)
        print("\n".join(problems) or f"{len(mutants)} mutants, all in order")
        return 1 if problems else 0
    end_on_signals()
    show_all = "--all-failures" in options
    wanted = [mutant for mutant in mutants if mutant.matches(words)]
    started = time.monotonic()
    ended = run_all(
        wanted, lambda m, o: print(sentence(m, o, show_all), flush=True)
    )
    dead = [outcome for outcome in ended if outcome.word == "killed"]
    killed, asserted = len(dead), sum(outcome.asserted for outcome in dead)
    if mutants == wanted and killed == len(wanted):
        write_table(mutants)
    print(
        f"{killed} of {len(wanted)} mutants killed, {asserted} of them by an "
        f"assertion before any test looked, in {time.monotonic() - started:.0f} s"
    )
    return 0 if wanted and killed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
