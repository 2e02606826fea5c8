#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: flags.py [--write]

Each flag and each composite of mm/gfp.h has a case that fails if it is ignored, on the
host and in the kernel: tests/mm/gfp_flags.txt names them, tests/run/ignored.py tries it.
Checked: no flag is without a line, no line is without a flag, each case exists and runs
in the world that the line names, the doors at which a flag can be taken away are there, and
docs/gfp-flags.md is the table of all this.  --write writes the page.
"""

import os
import re
import sys

import tree

HEADER = "mm/gfp.h"
LIST = "tests/mm/gfp_flags.txt"
PAGE = "docs/gfp-flags.md"
FLAG = re.compile(r'X\((\w+), (0x[0-9a-f]+), ([A-Z]+),\s*"([^"]*)"\)')
COMPOSITE = re.compile(r'X\((\w+),([^"]*?),\s*"([^"]*)"\)')
CASE = re.compile(r"\bCASE\(\s*\w+\s*,\s*(\w+)\s*\)")

# Where a request comes in, the shortcut and the ladder: tests/run/ignored.py changes the
# mask in front of the last line of each.
FRONT_DOOR = "mm/page_alloc.c"
DOORS = (
    "\tstruct page *page = NULL;\n\n\tif (likely(page_alloc_is_hot(gfp) &&",
    "\tif (node == NULL)\n\t\treturn NULL;\n\tverdict = gfp_decode(gfp, order,",
)

# The folders whose suites run in each world (Makefile).
BOTH = ("tests/mm/", "tests/lib/", "tests/core/")
WORLDS = {"host": BOTH + ("tests/host/",), "kernel": BOTH + ("tests/kernel/",)}

HEAD = """\
# Flags, and the case that fails if one is ignored

`tests/lint/flags.py` writes this page from `mm/gfp.h#GFP_FLAGS`, `mm/gfp.h#GFP_COMPOSITES` and
`tests/mm/gfp_flags.txt`; `make lint` fails if it is not the newest, if a flag has no line,
or if a case does not exist.  `make ignored` takes one flag after the other away at the door
of the allocator (`mm/page_alloc.c#alloc_from_main` and `page_alloc_ladder`), and a composite
as a whole, builds both worlds, and requires the case to fail.  Chapter 3 explains the flags.

*works*: acted upon.  *kept*: accepted, as the promise cannot be broken here.  *later* and
*nothing*: refused by name.  A flag whose mask is 0 cannot be ignored; as in Linux, it is 0
where its feature does not exist.

"""


def read_flags(text):
    """[(name, bits, status, meaning)] of the flags, and of the composites."""
    text = re.sub(r"[ \t]*\\\n[ \t]*", " ", text)
    text = re.sub(r"[ \t]+", " ", text)
    flags = text.split("#define GFP_FLAGS(X)", 1)[1].split("#define", 1)[0]
    masks = text.split("#define GFP_COMPOSITES(X)", 1)[1].split("#define", 1)[0]
    rows = [
        ("__GFP_" + name, int(bits, 16), status.lower(), meaning)
        for name, bits, status, meaning in FLAG.findall(flags)
    ]
    rows += [
        ("GFP_" + name, None, "mask", meaning)
        for name, _, meaning in COMPOSITE.findall(masks)
    ]
    return rows


def read_cases(text, problems):
    """{flag: (case on the host, case in the kernel)}"""
    cases = {}
    for line in text.splitlines():
        words = [] if line.startswith("#") else line.split()
        if not words:
            continue
        if len(words) not in (2, 3) or words[0] in cases:
            problems.append(f"{LIST}: {line!r} is no line, or its flag has two")
            continue
        cases[words[0]] = (words[1], words[-1])
    return cases


def check_case(flag, world, case, read, problems):
    path, _, name = case.partition("#")
    try:
        exists = name in CASE.findall(read(path))
    except OSError:
        exists = False
    if not exists:
        problems.append(f"{LIST}: {flag}: there is no case {case}")
    elif not path.startswith(WORLDS[world]):
        problems.append(f"{LIST}: {flag}: {case} does not run in the world {world}")


def check(rows, cases, read, problems):
    names = {name for name, bits, _, _ in rows if bits != 0}
    for name in sorted(names - set(cases)):
        problems.append(f"{LIST}: no case fails if {name} is ignored")
    for name in sorted(set(cases) - names):
        problems.append(f"{LIST}: there is no {name} in {HEADER}, or its mask is 0")
    for name in sorted(names & set(cases)):
        for world, case in zip(WORLDS, cases[name]):
            check_case(name, world, case, read, problems)


def check_doors(text, problems):
    for door in DOORS:
        if text.count(door) != 1:
            problems.append(f"{FRONT_DOOR}: there is no single {door!r}")


def page(rows, cases):
    text = HEAD + "| Flag | Bits | Status | Meaning | Case |\n|---|---|---|---|---|\n"
    for name, bits, status, meaning in rows:
        host, kernel = cases.get(name, (None, None))
        if host is None:
            case = "0"
        elif host == kernel:
            case = f"`{host}`"
        else:
            case = f"host: `{host}`, kernel: `{kernel}`"
        shown = "" if bits is None else f"{bits:#x}"
        text += f"| {name} | {shown} | {status} | {meaning} | {case} |\n"
    return text


def read_file(path):
    with open(os.path.join(tree.ROOT, path)) as file:
        return file.read()


def main(arguments):
    problems = []
    rows = read_flags(read_file(HEADER))
    cases = read_cases(read_file(LIST), problems)
    check(rows, cases, read_file, problems)
    check_doors(read_file(FRONT_DOOR), problems)
    text = page(rows, cases)
    if "--write" in arguments and not problems:
        with open(os.path.join(tree.ROOT, PAGE), "w") as file:
            file.write(text)
    elif not problems and read_file(PAGE) != text:
        problems.append(f"{PAGE} is not the newest: tests/lint/flags.py --write")
    for problem in problems:
        print(problem)
    print(f"flags: {len(cases)} of {len(rows)} with a case, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
