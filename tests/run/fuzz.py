#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: fuzz.py [NAME]...

`make fuzz`: each fuzz target (tests/fuzz/fuzz_NAME.c), or those named, for
FUZZ_SECONDS (60) with a new seed, which it prints (FUZZ_SEED sets it).  It
starts from the committed corpus and from what earlier runs have added in
build/fuzz/grown/NAME/.  An input that breaks a claim is kept in
build/fuzz/findings/; `build/fuzz/fuzz_NAME FILE` runs it again.

`make test` calls short_run(): the corpus and a fixed number of runs with a
fixed seed.  `make test-long` makes ten times as many, with a new seed.
"""

import glob
import os
import random
import re
import subprocess
import sys

from machine import BUILD, ROOT, call, scaled

SOURCES = os.path.join(ROOT, "tests", "fuzz")
FUZZ = os.path.join(BUILD, "fuzz")
SEED = 1
RUNS = 2000  # of a target that does not say
LIMIT = 300  # seconds


def targets():
    """The names of all targets."""
    paths = glob.glob(os.path.join(SOURCES, "fuzz_*.c"))
    return sorted(os.path.basename(p)[len("fuzz_") : -2] for p in paths)


def runs_of(name):
    with open(os.path.join(SOURCES, f"fuzz_{name}.c")) as source:
        found = re.search(r"^ \* fuzz-runs: (\d+)$", source.read(), re.MULTILINE)
    return int(found[1]) if found else RUNS


def command(name, options, grown):
    findings = os.path.join(FUZZ, "findings", name)
    os.makedirs(findings, exist_ok=True)
    os.makedirs(grown, exist_ok=True)
    return [
        os.path.join(FUZZ, f"fuzz_{name}"),
        f"-artifact_prefix={findings}{os.sep}",
        "-max_len=4096",
        f"-timeout={int(scaled(120))}",
        *options,
        grown,
        os.path.join(SOURCES, "corpus", name),
    ]


def short_run(name, directory, times=1, seed=SEED):
    """TIMES the runs that the target says.  Returns (None, what was done) or (what went wrong, "")."""
    corpus = glob.glob(os.path.join(SOURCES, "corpus", name, "*"))
    if not corpus:
        return "it has no corpus", ""
    os.makedirs(directory, exist_ok=True)
    runs = times * runs_of(name)
    options = [f"-runs={runs}", f"-seed={seed}"]
    # A new directory, so that inputs of earlier runs take no part.
    grown = os.path.join(directory, "grown")
    for path in glob.glob(os.path.join(grown, "*")):
        os.remove(path)
    log = os.path.join(directory, "output.log")
    try:
        with open(log, "wb") as output:
            status = call(
                command(name, options, grown),
                times * LIMIT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
    except subprocess.TimeoutExpired:
        return f"{runs} runs took more than {times * LIMIT} s", ""
    with open(log, errors="replace") as output:
        text = output.read()
    claim = re.search(r".*: not true: .*|SUMMARY: .*", text)
    if status:
        return claim[0] if claim else f"status {status}, see {log}", ""
    done = re.search(r"^Done (\d+) runs", text, re.MULTILINE)
    if not done or int(done[1]) < runs:
        return f"it ended before its {runs} runs, see {log}", ""
    return None, f"{len(corpus)} files, {runs} runs, seed {seed}"


def main(names):
    seconds = int(os.environ.get("FUZZ_SECONDS") or 60)
    broken = []
    for name in names or targets():
        seed = int(os.environ.get("FUZZ_SEED") or random.randrange(1, 1 << 31))
        print(f"fuzz_{name}: {seconds} s, seed {seed}", flush=True)
        options = [f"-max_total_time={seconds}", f"-seed={seed}"]
        options += ["-print_final_stats=1"]
        grown = os.path.join(FUZZ, "grown", name)
        if subprocess.call(command(name, options, grown)):
            broken.append(name)
    if broken:
        print(f"Findings: {', '.join(broken)}; see {FUZZ}/findings/")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
