# SPDX-License-Identifier: MIT
"""Shared by the checks: the files of the tree, and C without its comments."""

import os
import re

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
SOURCE_FOLDERS = ("boot", "kernel", "mm", "drivers", "lib", "tests")
_HIDDEN = re.compile(
    r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.DOTALL
)


def files(folders, endings):
    """Paths from the root, sorted, of the files with one of ENDINGS."""
    found = []
    for folder in folders:
        for place, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if name.endswith(endings):
                    path = os.path.join(place, name)
                    found.append(os.path.relpath(path, ROOT))
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def without_comments(text, keep_strings=False):
    """The same lines; comments, and the contents of strings, are blank."""

    def blank(match):
        if match.group(0).startswith('"'):
            return match.group(0) if keep_strings else '""'
        return "\n" * match.group(0).count("\n")

    return _HIDDEN.sub(blank, text)


def finish(what, problems):
    """Print the problems; the status of a check."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{what}: {len(problems)} problems")
    return 1 if problems else 0
