#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: patches.py [--table]

Each patch in tests/ still applies to the tree, without fuzz, and
docs/boot-deaths.txt is what the headings of tests/broken/ say; --table prints
that, to be put there.
"""

import glob
import os
import re
import subprocess
import sys

import tree

sys.path.insert(0, os.path.join(tree.ROOT, "tests", "run"))
from patched import read_heading  # noqa: E402

TABLE = "docs/boot-deaths.txt"
INTRODUCTION = """\
# What you see when the boot dies: what was broken, and what the runner said.
# Made of the headings of tests/broken/*.patch by tests/lint/patches.py --table.
"""


def patches(pattern):
    return sorted(glob.glob(os.path.join(tree.ROOT, "tests", pattern)))


def check_applies(path, problems):
    name = os.path.relpath(path, tree.ROOT)
    with open(path) as diff:
        done = subprocess.run(
            ["patch", "-p1", "-s", "-F0", "--dry-run"],
            cwd=tree.ROOT,
            stdin=diff,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        problems.append(f"{name}: does not apply: {said[-1] if said else '?'}")


def as_seen(pattern):
    """A regular expression as people read it: `..` for what varies."""
    pattern = re.sub(r"\[[^]]*\]\{\d\}|\\w\+|\.\*", "..", pattern)
    return pattern.replace("\\", "")


def table():
    lines = [INTRODUCTION]
    for path in patches("broken/*.patch"):
        heading = read_heading(path)
        name = os.path.basename(path)[: -len(".patch")]
        lines.append(f"{name}: {heading['Title']}")
        lines.append(f"    {as_seen(heading['Says'])}")
        if heading.get("Bochs", heading["Says"]) != heading["Says"]:
            lines.append(f"    in Bochs: {as_seen(heading['Bochs'])}")
        lines.append("")
    return "\n".join(lines)


def main(arguments):
    if "--table" in arguments:
        print(table(), end="")
        return 0
    problems = []
    for path in patches("*/*.patch"):
        check_applies(path, problems)
    if tree.read(TABLE) != table():
        problems.append(f"{TABLE} is not what tests/lint/patches.py prints")
    return tree.finish("patches", problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
