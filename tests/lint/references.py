#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Files and names that the documents mention exist.

In README.md and docs/: `mm/buddy.c#buddy_take` is a file and something that is
defined or declared in it (a test case counts: tests/mm/test_buddy.c#its_name);
`mm/buddy.c` is a file.
"""

import os
import re
import subprocess
import sys

import tree

ENDINGS = (".c", ".h", ".asm", ".py")
REFERENCE = re.compile(r"([\w.-]+(?:/[\w.-]+)+\.(?:c|h|asm|py))#(\w+)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.\w+)`")
CASE = re.compile(r"\bCASE\w*\(\s*\w+\s*,\s*(\w+)")
DECLARATIONS = ("prototype", "externvar", "member")
LABEL = re.compile(r"^(\w+):|^\s*(?:%define|%macro)\s+(\w+)", re.MULTILINE)


def tags():
    """{path: {name: (line, kind)}} by ctags; a definition wins over declarations."""
    names = {}
    command = ["ctags", "-x", "--_xformat=%F %n %K %N", "--kinds-C=+pxm", "-L", "-"]
    paths = tree.files(tree.SOURCE_FOLDERS, (".c", ".h", ".py"))
    listing = subprocess.run(
        command,
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
        cwd=tree.ROOT,
    ).stdout
    for line in listing.splitlines():
        path, number, kind, name = line.split(None, 3)
        known = names.setdefault(path, {})
        if name not in known or known[name][1] in DECLARATIONS:
            known[name] = (int(number), kind)
    return names


def defined_in(path, names):
    """{name: (line, kind)} of what the file at PATH defines or declares"""
    found = dict(names.get(path, ()))
    text = tree.read(path)
    more = ()
    if path.endswith(".c"):
        more = CASE.finditer(text)
    if path.endswith(".asm"):
        more = LABEL.finditer(text)
    for match in more:
        name = match.group(match.lastindex)
        line = text.count("\n", 0, match.start(match.lastindex)) + 1
        found.setdefault(name, (line, "case" if path.endswith(".c") else "label"))
    return found


def check_document(document, names, problems):
    for number, line in enumerate(tree.read(document).splitlines(), 1):
        where = f"{document}:{number}"
        for path, name in REFERENCE.findall(line):
            if not os.path.exists(os.path.join(tree.ROOT, path)):
                problems.append(f"{where}: {path} does not exist")
            elif name not in defined_in(path, names):
                problems.append(f"{where}: {path} does not define {name}")
        for path in PATH.findall(line):
            outside = path.startswith(("build/", "/", "~", "../"))
            folder = path.split("/")[0]
            known = os.path.isdir(os.path.join(tree.ROOT, folder))
            if known and not outside:
                if not os.path.exists(os.path.join(tree.ROOT, path)):
                    problems.append(f"{where}: {path} does not exist")


def main():
    problems = []
    names = tags()
    documents = tree.files(("docs",), (".md",))
    if os.path.exists(os.path.join(tree.ROOT, "README.md")):
        documents.insert(0, "README.md")
    for document in documents:
        check_document(document, names, problems)
    return tree.finish("references", problems)


if __name__ == "__main__":
    sys.exit(main())
