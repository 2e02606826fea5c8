#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Pages come from the front door: no file beside those below takes a page from the
buddy allocator, or gives one to it, directly.

A file that is added here has a reason, and says itself which marks and rights hold
for what it takes.
"""

import re
import sys

import tree

# The functions that move a block between free memory and a caller.
DIRECT = re.compile(
    r"\b(buddy_take|buddy_take_block|buddy_take_within|"
    r"buddy_take_around|buddy_give|"
    r"page_prep_take|page_prep_take_within)\s*\("
)

REASONS = {
    "mm/buddy.c": "the buddy allocator itself",
    "mm/pageblock.c": "from which list of the buddy a block comes",
    "mm/reclaim/highatomic.c": "a free pageblock that is given up merges like a freed one",
    "mm/pcp.c": "pages on their way between a zone and a CPU's list",
    "mm/page_prep.c": "between the buddy and the front door",
    "mm/page_alloc.c": "the front door",
    "mm/debug/page_guard.c": "the larger block for a request with a guard, above low",
    "mm/zone.c": "boot: what nobody has becomes free",
    "mm/contig/page_isolation.c": "a free pageblock merges by its new type",
    "mm/contig/contig.c": "frames of an isolated range, which are not for requests",
    "mm/reclaim/compaction.c": "frames for pages to move to",
    "mm/exclusive/exclusive_block.c": "whole pageblocks for that pool, above low",
    "mm/exclusive/exclusive_refill.c": "frames for the pool of parked frames, "
    "by GFP_ATOMIC's right",
}


def check(sources, read):
    """Problems: calls in files that have no reason."""
    problems = []
    for path in sources:
        text = tree.without_comments(read(path))
        lines = [
            number
            for number, line in enumerate(text.splitlines(), 1)
            if DIRECT.search(line)
        ]
        if lines and path not in REASONS:
            problems.append(
                f"{path}:{lines[0]}: takes or gives pages beside the front "
                "door; see tests/lint/front_door.py"
            )
    return problems


def main():
    sources = tree.files(("kernel", "drivers", "mm", "lib"), (".c",))
    problems = check(sources, tree.read)
    problems += [
        f"tests/lint/front_door.py: {path} does not exist"
        for path in REASONS
        if path not in sources
    ]
    return tree.finish("front door", problems)


if __name__ == "__main__":
    sys.exit(main())
