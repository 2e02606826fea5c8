#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Rules that a search can check:

  - gfp_decode() is the only function that tests the bits of a mask, so no file
    but mm/gfp.c has a __GFP_ flag or a mask beside an &; taking a flag away
    (& ~) is no test;
  - inline assembly is in kernel/arch/, assembly files there and in boot/;
  - the Python of tests/ compiles;
  - each source names its licence in its first line;
  - the top level holds what it may hold;
  - no .c of mm/ has an #if;
  - in mm/ only functions that get a page, an address or nothing, the way Linux's
    do, ask for main_node(): the files with such functions are listed here;
  - a function that reports a BUG prints a backtrace.
"""

import os
import re
import sys

import tree

KERNEL_FOLDERS = ("boot", "kernel", "mm", "drivers", "lib")
TOP_LEVEL = {
    *("Makefile", "linker.ld", "README.md", "LICENSE", "build"),
    *("boot", "kernel", "mm", "drivers", "lib", "iso", "tests", "docs"),
}
GFP_TEST = re.compile(
    r"[\w)\]]\s*&\s*\(?\s*_*GFP_\w+|\b__GFP_\w+\)?\s*&\s*[\w(]"
    r"|\bgfp(?:_mask|_flags)?\s*&\s*[\w(]|[\w)\]]\s*&\s*gfp\b"
)
GFP_READERS = {
    *("mm/gfp.c", "mm/gfp.h"),
    *("mm/slab/slab_gfp.c", "mm/slab/slab_gfp.h"),
    "mm/contig/contig_gfp.c",
}
ASSEMBLY = re.compile(r"\b(?:asm|__asm__|__asm)\b")
MAIN_NODE = re.compile(r"\bmain_node\(\)")
MAIN_NODE_USERS = {
    "mm/contig/contig.c",
    "mm/debug/shortcut.c",
    "mm/exclusive/exclusive.c",
    "mm/exclusive/exclusive_check.c",
    "mm/debug/page_debug.c",
    "mm/exclusive/exclusive_owner.c",
    "mm/mm_check.c",
    "mm/page_alloc.c",
    "mm/page_free.c",
    "mm/slab/mapcount.c",
    "mm/reclaim/flusher.c",
    "mm/reclaim/lru.c",
    "mm/reclaim/page_lock.c",
    "mm/reclaim/shrinker.c",
    "mm/slab/kfence_report.c",
    "mm/slab/kmalloc.c",
    "mm/slab/mempool.c",
    "mm/user/anon_access.c",
    "mm/user/anon_check.c",
    "mm/user/anon_drop.c",
    "mm/user/anon_reclaim.c",
    "mm/user/filemap.c",
}
LICENCE = "SPDX-License-Identifier: MIT"


def search(path, text, pattern, sentence, problems):
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            problems.append(f"{path}:{number}: {sentence}: {line.strip()}")


def check_c(path, problems):
    text = tree.without_comments(tree.read(path))
    if path not in GFP_READERS:
        sentence = "tests a gfp bit outside of gfp_decode()"
        search(path, text, GFP_TEST, sentence, problems)
    if not path.startswith("kernel/arch/"):
        sentence = "inline assembly outside of kernel/arch/"
        search(path, text, ASSEMBLY, sentence, problems)
    if path.startswith("mm/") and path.endswith(".c"):
        conditional = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef)\b")
        search(path, text, conditional, "an #if in mm/", problems)
        if path not in MAIN_NODE_USERS:
            sentence = "takes main_node() instead of a parameter"
            search(path, text, MAIN_NODE, sentence, problems)


def check_reports(path, problems):
    """Functions end with a brace in the first column."""
    text = tree.without_comments(tree.read(path))
    for function in text.split("\n}\n"):
        bug = re.search(r'"BUG: [^"]*"', function)
        if bug and "backtrace_print" not in function[bug.end() :]:
            problems.append(f"{path}: no backtrace after {bug[0]}")


def check_licence(path, problems):
    lines = tree.read(path).splitlines()[:2]
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    if not lines or LICENCE not in lines[0]:
        problems.append(f"{path}: does not begin with {LICENCE}")


def main():
    problems = []
    for path in tree.files(KERNEL_FOLDERS, (".c", ".h")):
        check_c(path, problems)
        check_reports(path, problems)
    for path in tree.files(tree.SOURCE_FOLDERS, (".asm",)):
        if not path.startswith(("boot/", "kernel/arch/")):
            problems.append(f"{path}: assembly outside of boot/, kernel/arch/")
    endings = (".c", ".h", ".asm", ".py")
    for path in tree.files(tree.SOURCE_FOLDERS, endings):
        check_licence(path, problems)
    for path in tree.files(("tests",), (".py",)):
        try:
            compile(tree.read(path), path, "exec")
        except SyntaxError as error:
            problems.append(f"{path}: {error}")
    for name in sorted(os.listdir(tree.ROOT)):
        if name not in TOP_LEVEL and not name.startswith("."):
            problems.append(f"{name}: not at the top level, please")
    return tree.finish("rules", problems)


if __name__ == "__main__":
    sys.exit(main())
