#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A static function shares its name with no other function of the tree, so that
grep, gdb and a backtrace lead to one place.

Functions with external linkage may exist twice: the host's stand-ins in tests/host/
have the names of what they stand for, and the linker checks each program.  The
original may be an inline function of a header, which the host does not see.
"""

import re
import sys

import tree

# A definition as clang-format lays it out: a type at the start of a line, the
# name, the parameters, and a brace at the start of the next line.
DEFINITION = re.compile(
    r"^(?P<type>[a-z_][\w \t*\n]*?[\s*])(?P<name>[a-z_]\w*)\((?P<rest>[^;{}]*)\)"
    r"[^;{}()]*\n\{",
    re.MULTILINE,
)


def definitions(text):
    """[(line, name, static?)] of the functions that TEXT defines."""
    found = []
    code = tree.without_comments(text)
    for match in DEFINITION.finditer(code):
        line = code.count("\n", 0, match.start("name")) + 1
        static = "static" in match.group("type").split()
        found.append((line, match.group("name"), static))
    return found


def is_stood_in_for(found):
    """An inline function of a header, and stand-ins of the host."""
    inline = [path for path, _, static in found if static and path.endswith(".h")]
    others = [path for path, _, static in found if not static]
    return len(inline) == 1 and all(path.startswith("tests/host/") for path in others) \
        and len(inline) + len(others) == len(found)


def check(texts):
    """The problems of {path: text}."""
    places = {}
    for path, text in texts.items():
        for line, name, static in definitions(text):
            places.setdefault(name, []).append((path, line, static))
    problems = []
    for name, found in sorted(places.items()):
        shared = len(found) > 1 and any(static for _, _, static in found)
        if shared and not is_stood_in_for(found):
            where = ", ".join(f"{path}:{line}" for path, line, _ in found)
            problems.append(f"{name}() is defined more than once: {where}")
    return problems


def main():
    paths = tree.files(tree.SOURCE_FOLDERS, (".c", ".h"))
    return tree.finish("names", check({p: tree.read(p) for p in paths}))


if __name__ == "__main__":
    sys.exit(main())
