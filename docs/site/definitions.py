# SPDX-License-Identifier: MIT
"""
Finds the files of the tree, and the lines of them, that words of the book stand for.

The book writes `mm/buddy.c#buddy_take` for a name in a file, `mm/buddy.c` for a file, and
`buddy_take()` for a function.  tests/lint/references.py knows what a file defines, and
refuses a name that it does not; here the same answer becomes the address of a line in the
page of the file.  A name alone means what has it only once among the kernel's files: two
functions of one name are ambiguous, and stay text.
"""

import os
import re

import references
import tree

FOLDERS = ("boot", "docs", "drivers", "iso", "kernel", "lib", "mm", "tests")
SINGLE = ("LICENSE", "Makefile", "linker.ld")
# The files whose names are meant if no file is mentioned.
KERNEL = ("boot/", "drivers/", "kernel/", "lib/", "mm/")
NAMED = ("function", "macro", "struct", "union", "enum", "label")
# Pages of the site in their own right, pictures, and data.
NOT_SHOWN = (".md", ".png", ".svg", ".pyc", ".html", ".bin")
LARGEST = 1 << 20

REFERENCE = re.compile(r"([\w.-]+(?:/[\w.-]+)+)#(\w+)")
CALL = re.compile(r"(\w+)\(\)")
TYPE = re.compile(r"(?:struct|union|enum) (\w+)")
# Shell commands and columns look like short names; an underscore says that it is none.
NAME = re.compile(r"(?=\w*[a-z]_)[a-z_]\w*")


def shown_files():
    """The paths that have a page: text that people write."""
    found = list(SINGLE)
    for path in tree.files(FOLDERS, ""):
        hidden = path.endswith(NOT_SHOWN) or "__pycache__" in path
        if not hidden and os.path.getsize(os.path.join(tree.ROOT, path)) < LARGEST:
            found.append(path)
    return [path for path in found if is_text(path)]


def is_text(path):
    try:
        return "\0" not in tree.read(path)
    except UnicodeDecodeError:
        return False


class Definitions:
    def __init__(self):
        self.files = set(shown_files())
        tags = references.tags()
        sources = [p for p in self.files if p.endswith(references.ENDINGS)]
        self.of_file = {path: references.defined_in(path, tags) for path in sources}
        self.single = self._single_names()

    def _single_names(self):
        """{name: (path, line)} of the names that the kernel's files define once"""
        places = {}
        for path, names in self.of_file.items():
            if path.startswith(KERNEL):
                for name, (line, kind) in names.items():
                    if kind in NAMED:
                        places.setdefault(name, []).append((path, line))
        return {name: p[0] for name, p in places.items() if len(p) == 1}

    def place_of(self, words):
        """(path, line or None) of what WORDS, a code span, stand for; None"""
        match = REFERENCE.fullmatch(words)
        if match and match.group(1) in self.of_file:
            path, name = match.groups()
            known = self.of_file[path].get(name)
            return (path, known[0]) if known else None
        if words in self.files:
            return words, None
        for form in (CALL, TYPE, NAME):
            match = form.fullmatch(words)
            if match:
                return self.single.get(match.group(match.lastindex or 0))
        return None

    @staticmethod
    def address(place):
        """Of PLACE, from the root of the site"""
        path, line = place
        return f"source/{path}.html" + (f"#L{line}" if line else "")
