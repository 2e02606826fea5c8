#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: assertions.py [FOLDER or FILE]...

Assertions (kassert) per 1,000 lines of mm/, or of the arguments.  Checkers do not
count, neither their lines nor their assertions:

  - files named *check.[ch];
  - sections of a file whose heading begins with "Check";
  - functions with "check" as a word of their name.

static_assert does not count either.  Fails if mm/ has fewer than LEAST.
"""

import os
import re
import sys

import tree

LEAST = 30
HEADING = re.compile(r"(?m)^/\* ---- (.*?) -+ \*/$")
CHECKER = re.compile(
    r"(?m)^(?![\s#/*]).*(?:^|[\s*_])check(?:_\w+)?\([^;{}]*\)\n\{\n(?:.*\n)*?\}\n"
)
ASSERTION = re.compile(r"\bkassert\(")


def without_checkers(text):
    parts = HEADING.split(text)
    kept = parts[0]
    for heading, section in zip(parts[1::2], parts[2::2]):
        if not heading.startswith("Check"):
            kept += section
    return CHECKER.sub("", kept)


def count(paths):
    lines = assertions = 0
    for path in paths:
        if re.search(r"check\.[ch]$", path):
            continue
        text = without_checkers(tree.read(path))
        lines += text.count("\n")
        assertions += len(ASSERTION.findall(tree.without_comments(text)))
    return lines, assertions


def paths_of(root):
    if os.path.isfile(os.path.join(tree.ROOT, root)):
        return [root]
    return tree.files((root,), (".c", ".h"))


def main(arguments):
    paths = [p for root in arguments or ["mm"] for p in paths_of(root)]
    lines, assertions = count(paths)
    density = 1000 * assertions / max(lines, 1)
    print(
        f"assertions: {assertions} in {lines} lines, "
        f"{density:.1f} per 1,000, at least {LEAST}"
    )
    problems = []
    if not arguments and density < LEAST:
        problems.append("assert what each function relies on")
    return tree.finish("assertions", problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
