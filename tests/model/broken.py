#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: broken.py [WORD]...

Does the comparison notice a model that is wrong?  Each entry of BREAKS changes one
rule in tests/model/model.py, and tests/model/compare.py must then find a difference.
With WORDs, only the entries that have one of them in their name.
"""

import contextlib
import importlib
import io
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

STATES = "400"

# (name, part of the comparison, text in the model, text instead)
BREAKS = [
    ("zone-bits", "rights", "    0xC: DMA32,", "    0xC: NORMAL,"),
    (
        "nomemalloc-yields",
        "rights",
        '    if not mask & FLAG["NOMEMALLOC"]:\n',
        "    if True:\n",
    ),
    (
        "interrupt-inherits",
        "rights",
        "context.memalloc and not context.in_interrupt",
        "context.memalloc",
    ),
    (
        "nofs-takes-io",
        "rights",
        'mask &= ~FLAG["FS"]',
        'mask &= ~(FLAG["FS"] | FLAG["IO"])',
    ),
    ("dma32-kills", "rights", "r.zone >= NORMAL and", "r.zone >= DMA32 and"),
    ("mark-is-enough", "zones", "if usable <= floor", "if usable < floor"),
    ("quarter-is-a-third", "zones", "floor -= floor // 4", "floor -= floor // 3"),
    (
        "boost-for-high",
        "zones",
        "return zone.passes(0, zone.marks[MIN]",
        "return zone.passes(0, zone.mark(MIN)",
    ),
    ("highatomic-counts", "zones", "usable -= self.high_pages", "pass"),
    ("cma-at-half", "zones", "self.cma_pages > self.pages // 2", "self.cma_pages"),
    ("claims-at-255", "zones", "alike < BLOCK // 2 and", "alike < BLOCK // 2 - 1 and"),
    ("fallback-order", "zones", "U: (R, M)", "U: (M, R)"),
    ("boosts-once-less", "zones", "self.boost + BLOCK,", "self.boost + BLOCK - 1,"),
    ("steals-the-largest", "zones", "for o in range(order, ORDERS):\n            old", "for o in reversed(range(order, ORDERS)):\n            old"),
    ("rounds", "zones", "self.fruitless <= 16", "self.fruitless <= 15"),
    ("costly-retries", "zones", "(4 if costly else 16)", "(5 if costly else 16)"),
    ("lost-races-add-up", "zones", "self.lost = 0\n            return", "return"),
    ("early-for-movable", "zones", "or r.type == M", "or False"),
    ("kills-below-normal", "zones", "r.zone >= NORMAL and", ""),
    ("no-second-pass", "zones", "self.unreserve(False)\n", "return False\n"),
    ("lists-in-one-piece", "zones", ".drain(8)", ".drain(16)"),
    ("upper-half", "zones", "self._push(kind, order, pfn + (1 << order))", "self._push(kind, order, pfn)\n            pfn += 1 << order"),
]


def run_with(part, old, new):
    """The output of the comparison with OLD replaced."""
    with open(os.path.join(HERE, "model.py")) as file:
        source = file.read()
    if old not in source:
        return f"there is no {old!r} in the model"
    broken = types.ModuleType("model")
    exec(compile(source.replace(old, new), "model.py", "exec"), broken.__dict__)
    sys.modules["model"] = broken
    sys.modules.pop("compare", None)
    compare = importlib.import_module("compare")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        compare.main(["--seed", "1", "--states", STATES, part])
    return output.getvalue()


def main(words):
    wrong = 0
    for name, part, old, new in BREAKS:
        if words and not any(word in name for word in words):
            continue
        said = run_with(part, old, new)
        noticed = f"not ok model:{part}" in said
        wrong += not noticed
        place = said.splitlines()[1][:70] if noticed else said.strip()
        print(f"{'noticed' if noticed else 'UNNOTICED':<10} {name:<22} {place}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
