# SPDX-License-Identifier: MIT
"""
A warning is shown to a developer, and is an error for `make test`: the
object is made, the warning is shown, and `make no-warnings` fails as long as the
object is there, whatever is built again meanwhile.
"""

import os
import shutil
import subprocess
import tempfile

from machine import ROOT, Failure

# A source, what is written at its end, and the objects that are made of it.
MISTAKES = (
    ("lib/bitmap.c", "static int nobody_uses_it;\n", ("obj", "host/asan")),
    ("boot/boot.asm", "\tdb 1000\n", ("obj",)),
)


def make(directory, *words):
    environment = dict(os.environ)
    for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LABYRINTH_BUILD"):
        environment.pop(variable, None)
    return subprocess.run(
        ["make", *words],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def expect(done, works, sentence):
    if (done.returncode == 0) != works:
        raise Failure(f"{sentence}: {done.stderr.strip()[-200:]}")


def try_one(directory, source, mistake, place):
    path = os.path.join(directory, source)
    target = f"build/{place}/{source}.o"
    with open(path) as file:
        before = file.read()
    expect(make(directory, target), True, f"{target} is not built")
    expect(make(directory, "no-warnings"), True, "there are warnings already")
    with open(path, "a") as file:
        file.write(mistake)
    done = make(directory, target)
    expect(done, True, "a warning stops the build")
    if "warning" not in done.stderr or source not in done.stderr:
        raise Failure(f"the warning is not shown: {done.stderr!r}")
    expect(make(directory, target), True, "nothing is built again")
    done = make(directory, "no-warnings")
    expect(done, False, "the tests let the warning pass")
    if source not in done.stderr:
        raise Failure(f"the source is not named: {done.stderr!r}")
    with open(path, "w") as file:
        file.write(before)
    expect(make(directory, target), True, f"{target} is not built again")
    expect(make(directory, "no-warnings"), True, "it is remembered forever")


def try_all():
    """In a copy of the tree; a Failure says what does not hold."""
    with tempfile.TemporaryDirectory(prefix="labyrinth-") as place:
        copy = os.path.join(place, "copy")
        ignore = shutil.ignore_patterns("build", ".git", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignore)
        for source, mistake, places in MISTAKES:
            for where in places:
                try_one(copy, source, mistake, where)
