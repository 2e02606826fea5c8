#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: ignored.py [--host | --kernel] [WORD]...

Does the case of each flag die if the flag is ignored?  tests/mm/gfp_flags.txt has the
flags and composites with their cases.  In a copy of the tree, the two doors of
mm/page_alloc.c lose one flag after the other (a composite as a whole: the mask is 0)
while a case runs, both worlds are built, and the case must fail in each.  Without a
flag that is ignored it must pass.  With WORDs, only flags that have one of them in their
name; --host and --kernel leave the other world out.  The last line is "N of N die".
"""

import os
import subprocess
import sys
import time

import lab
from ktap import Log
from machine import BUILD, ROOT, Failure, call, end_on_signals
from patched import Copy
from qemu import GUEST_TIME, Qemu

sys.path.insert(0, os.path.join(ROOT, "tests", "lint"))

import flags  # noqa: E402

WORK = os.path.join(BUILD, "ignored")
SECONDS = 120

RUNNERS = {
    "kernel/selftest/selftest.c": "attempt->sentence = attempt->test->run();",
    "tests/host/main.c": "run->answer = run->test->run();",
}


class CopyThatIgnores(Copy):
    """The tree, in which each flag changes something once more."""

    def __init__(self, directory):
        super().__init__("ignored", directory)

    def _apply(self):
        self.ignore("gfp")
        for path, call_of_case in RUNNERS.items():
            around = (
                "do {\n\t\textern bool gfp_ignoring;\n\n\t\tgfp_ignoring = true;\n"
                f"\t\t{call_of_case}\n\t\tgfp_ignoring = false;\n\t}} while (0);"
            )
            self._replace(path, (call_of_case, around))

    def _replace(self, path, *pairs):
        """In the file as it is in the tree: each (old, new) once."""
        with open(os.path.join(ROOT, path)) as file:
            text = file.read()
        for old, new in pairs:
            if text.count(old) != 1:
                raise Failure(f"{path} has changed: it has no single {old!r}")
            text = text.replace(old, new)
        with open(os.path.join(self.directory, path), "w") as file:
            file.write(text)

    def ignore(self, expression):
        """While a case runs, the mask is EXPRESSION of gfp."""
        line = f"\tif (gfp_ignoring)\n\t\tgfp = {expression};\n"
        pairs = []
        for door in flags.DOORS:
            before, _, last = door.rpartition("\n")
            opened = f"{before}\n{line}{last}"
            pairs.append((door, opened))
        part = "/* ---- Allocating "
        pairs.append((part, "extern bool gfp_ignoring;\n" + part))
        self._replace(flags.FRONT_DOOR, *pairs)
        path = os.path.join(self.directory, flags.FRONT_DOOR)
        with open(path, "a") as file:
            file.write("\nbool gfp_ignoring;\n")


def full_name(case):
    """suite.case of path#case."""
    path, _, name = case.partition("#")
    with open(os.path.join(ROOT, path)) as file:
        for line in file:
            if line.startswith("CASE(") and line.rstrip().endswith(f" {name})"):
                return line[len("CASE(") :].split(",")[0] + "." + name
    raise Failure(f"there is no {case}")


def run_on_host(tree, name, *cases):
    tree.make("build/host/run-suites")
    path = os.path.join(WORK, f"{name}.host.log")
    program = os.path.join(tree.build, "host", "run-suites")
    environment = dict(os.environ, GCOV_PREFIX=path + ".counts")
    with open(path, "wb") as output:
        call(
            [program, "--seed", "1", *cases],
            SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    with open(path, errors="replace") as output:
        return Log(output.read())


def run_in_kernel(tree, name, case):
    tree.make("build-iso")
    iso = lab.make_iso(f"selftest={case}", build=tree.build)
    directory = os.path.join(WORK, f"{name}.machine")
    with Qemu(name, directory, iso, memory="64M", more=GUEST_TIME) as machine:
        machine.wait_end(SECONDS)
        log = Log(machine.console.text)
    os.remove(iso)
    return log


WORLDS = {"host": run_on_host, "kernel": run_in_kernel}


def verdict_of(tree, world, name, case):
    """"passes", "dies", or why it is neither."""
    full = full_name(case)
    log = WORLDS[world](tree, name, full)
    if full in [c.full_name for c in log.failed]:
        return "dies"
    ran = [c.full_name for c in log.cases]
    return "passes" if full in ran else "did not run"


def try_flag(tree, name, bits, cases, worlds):
    """Lines about it; how many died."""
    word = name if bits is None else f"gfp & ~(gfp_t){name}"
    tree.ignore(f"gfp == {name} ? 0 : gfp" if bits is None else word)
    died = 0
    for world, case in zip(WORLDS, cases):
        if world not in worlds:
            continue
        verdict = verdict_of(tree, world, name, case)
        died += verdict == "dies"
        print(f"{verdict:<12} {world:<7} {name:<22} {case.split('#')[1]}", flush=True)
    return died


def check_whole(tree, cases):
    """With nothing ignored, each case passes on the host; make test runs the kernel's."""
    names = {full_name(host) for host, _ in cases.values()}
    log = run_on_host(tree, "none", *names)
    failed = {case.full_name for case in log.failed}
    wrong = failed | (names - {case.full_name for case in log.cases})
    if wrong:
        raise Failure(f"with all flags these do not pass: {', '.join(sorted(wrong))}")


def main(arguments):
    if {"-h", "--help"} & set(arguments):
        print(__doc__.strip())
        return 0
    end_on_signals()
    words = [word for word in arguments if not word.startswith("--")]
    worlds = [world for world in WORLDS if f"--{world}" in arguments] or list(WORLDS)
    rows = flags.read_flags(flags.read_file(flags.HEADER))
    cases = flags.read_cases(flags.read_file(flags.LIST), [])
    bits = {name: of for name, of, _, _ in rows}
    wanted = [n for n in cases if not words or any(word in n for word in words)]
    os.makedirs(WORK, exist_ok=True)
    started = time.monotonic()
    died = 0
    with CopyThatIgnores(os.path.join(WORK, "tree")) as tree:
        check_whole(tree, cases)
        for name in wanted:
            died += try_flag(tree, name, bits[name], cases[name], worlds)
    count = len(wanted) * len(worlds)
    print(f"{died} of {count} die, in {time.monotonic() - started:.0f} s")
    return 0 if wanted and died == count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
