# SPDX-License-Identifier: MIT
"""Calls of the allocator from a file, run by the kernel as by the host."""

import glob
import os
import subprocess

import calls
from lab import boot_test, check, long_test
from machine import LIMIT, ROOT, scaled
from patched import Patched

CORPUS = os.path.join(ROOT, "tests", "fuzz", "corpus", "calls")
PATCH = os.path.join(ROOT, "tests", "run", "replay.patch")

# 16 frames: take order 2 and order 0, free the first rightly, take order 1
# (frame 6), free it by order 0: step 4 must be refused.
WRONG_ORDER = bytes.fromhex("10 0002 0000 1300 0001 0306 0200")
WRONG_STEP = "replay: step 4: an illegal free is not refused"


def in_both(lab, path, **where):
    kernel, status = calls.in_kernel(path, lab.directory, **where)
    host = calls.on_host(path, **where)
    check(kernel == host, f"the kernel says {kernel[-1:]}, the host {host[-1:]}")
    check(kernel, "neither says anything")
    return kernel[-1], status


def write(lab, name, calls):
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, name)
    with open(path, "wb") as file:
        file.write(calls)
    return path


@boot_test
def calls_from_the_corpus_do_the_same_in_the_kernel_as_on_the_host(lab):
    for path in glob.glob(os.path.join(CORPUS, "by-hand*")):
        last, status = in_both(lab, path)
        check(last.endswith("steps hold") and status == 33, f"{last}, {status}")


@boot_test
def replay_without_a_file_fails(lab):
    with lab.boot("replay") as machine:
        end = machine.wait_end()
    check("there is no module" in machine.console.text, "it does not say why")
    check(end.status == 35, str(end))


@long_test
def a_wrong_step_is_the_same_for_fuzzer_host_and_kernel(lab):
    path = write(lab, "calls", WRONG_ORDER)
    last, status = in_both(lab, path)
    check(last == "replay: 6 steps hold" and status == 33, f"{last}, {status}")
    with Patched(PATCH, os.path.join(lab.directory, "tree")) as tree:
        tree.make("build-iso", "build/host/replay", "build/fuzz/fuzz_calls")
        last, status = in_both(lab, path, build=tree.build)
        fuzzer = subprocess.run(
            [os.path.join(tree.build, "fuzz", "fuzz_calls"), path],
            cwd=lab.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=scaled(LIMIT),
        )
    check(last == WRONG_STEP and status == 35, f"{last}, {status}")
    check(fuzzer.returncode != 0, "the fuzzer is content")
    check(WRONG_STEP in fuzzer.stderr, "the fuzzer names another step")
