# SPDX-License-Identifier: MIT
"""The parts of the chapters in docs/ that a program writes, each between two marks:

    <!-- NAME: written by make TARGET -->
    <!-- NAME ends -->
"""

import os
import re

from machine import ROOT, Failure


def _split(name, block):
    """(path, text up to the block, the block, text after it)"""
    path = os.path.join(ROOT, "docs", name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    marks = rf"(?s)\A(.*<!-- {block}: written by [^\n]* -->\n)(.*)(<!-- {block} ends -->\n.*)\Z"
    found = re.fullmatch(marks, text)
    if not found:
        raise Failure(f"docs/{name} has no block {block}")
    return path, *found.groups()


def read_block(name, block):
    return _split(name, block)[2]


def write_block(name, block, text):
    path, before, _, after = _split(name, block)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + text + after)
