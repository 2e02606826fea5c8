#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: seam.py OBJECT...

The undefined symbols of mm/'s objects, linked together, are what mm/ asks of
the machine: they must be those of docs/seam.txt, one a line, sorted.
"""

import os
import subprocess
import sys
import tempfile

import tree

SEAM = "docs/seam.txt"


def undefined(objects):
    with tempfile.TemporaryDirectory() as directory:
        whole = os.path.join(directory, "mm.o")
        subprocess.run(["ld", "-r", "-o", whole, *objects], check=True)
        symbols = subprocess.run(
            ["nm", "-u", whole], capture_output=True, text=True, check=True
        ).stdout
    return {line.split()[-1] for line in symbols.splitlines()}


def main():
    asked = undefined(sys.argv[1:])
    lines = tree.read(SEAM).split()
    problems = [f"{SEAM}: {name} is not listed" for name in asked - set(lines)]
    problems += [f"{SEAM}: {name} is not asked" for name in set(lines) - asked]
    if lines != sorted(lines):
        problems.append(f"{SEAM}: is not sorted")
    for problem in sorted(problems):
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
