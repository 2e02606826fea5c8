# SPDX-License-Identifier: MIT
"""
docs/slow-path.svg: which rungs of the slow path six requests climb.

Each request has its own machine, in the same state: little memory is free.  It asks
beforehand for its way (mm/reclaim/route.c), then makes the request, and what the trace has
recorded says on which rung it ended.  The lines of code are those of docs/play/rungs.txt,
looked up in the tree.
"""

import importlib.machinery
import importlib.util
import os

from machine import ROOT, Failure
from picture import Picture
from playground import play

# Below min, but above the floor of GFP_ATOMIC.
LITTLE = ["serve off", "alloc thread 3000 0 GFP_NOWAIT", "alloc irq 10 0 GFP_ATOMIC"]
MACHINE = "machine 0 2048 0 0"
CACHE = [MACHINE, "file 900", *LITTLE]
PROGRAM = [MACHINE, "program reader 300", *LITTLE]

# The heading, the machine, the request.
REQUESTS = (
    (("GFP_ATOMIC", "in an interrupt"), CACHE, "irq 0 GFP_ATOMIC"),
    (("GFP_NOWAIT", ""), CACHE, "thread 0 GFP_NOWAIT"),
    (("GFP_KERNEL", "by reclaim itself"), CACHE, "reclaim 0 GFP_KERNEL"),
    (("GFP_KERNEL", ""), CACHE, "thread 0 GFP_KERNEL"),
    (("GFP_KERNEL", "2 MiB, order 9"), CACHE, "thread 9 GFP_KERNEL"),
    (("GFP_KERNEL", "nothing to reclaim"), PROGRAM, "thread 0 GFP_KERNEL"),
)
# On the way there is no such rung: a request that fails has fallen off the ladder.
LEFT_OUT = ("shortcut", "fail")

LEFT, TOP, ROW, COLUMN = 430, 78, 42, 104


def rungs():
    """The rows of docs/play/rungs.txt, with their code"""
    path = os.path.join(ROOT, "docs", "play", "mkplay")
    loader = importlib.machinery.SourceFileLoader("mkplay", path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("mkplay", loader)
    )
    loader.exec_module(module)
    return [rung for rung in module.rungs() if rung["key"] not in LEFT_OUT]


def last_rung(way, answer):
    """Where the request ended: a key, or None if it got nothing"""
    events = " ".join(answer["events"])
    if not answer["got"]:
        return None
    for event, key in (("mark_victim", "kill"), ("direct_reclaim_begin", "reclaim")):
        if event in events:
            return key
    gives = (step["rung"] for step in way["steps"] if step["outcome"] == "gives")
    return next(gives)


def climb(setup, request):
    """[(key, outcome)] of the way, and the last rung"""
    context, order, flags = request.split()
    lines = [*setup, f"route {request}", f"alloc {context} 1 {order} {flags}"]
    *_, way, answer = play(lines)
    if way["verdict"] != "ok":
        raise Failure(f"{request}: {way['verdict']}")
    return {
        "steps": {step["rung"]: step["outcome"] for step in way["steps"]},
        "last": last_rung(way, answer),
    }


def measure():
    return {
        "rungs": rungs(),
        "ways": [climb(setup, request) for _, setup, request in REQUESTS],
        "zone": play([*CACHE, "state"])[-1]["zones"][0],
    }


def place(column, row):
    return LEFT + 46 + column * COLUMN, TOP + 28 + row * ROW


def draw_rung(picture, row, rung, width):
    y = place(0, row)[1]
    picture.line("line", [(24, y + 21), (width - 24, y + 21)], stroke="thin")
    picture.text(36, y + 5, rung["number"], "quiet bold", "middle")
    picture.text(58, y - 2, rung["title"])
    code = rung["text"].split(" && ")[0]
    picture.text(58, y + 14, code, "quiet code small")


def draw_way(picture, column, rungs_shown, way):
    """A line down to the last rung; what lies below it was not climbed"""
    last = way["last"]
    keys = [rung["key"] for rung in rungs_shown]
    end = keys.index(last) if last else len(keys)
    colour = "listed" if last else "owned"
    x, y = place(column, end)
    picture.line(colour, [place(column, 0), (x, y if last else y - 12)])
    for row, key in enumerate(keys[: end + 1]):
        x, y = place(column, row)
        outcome = way["steps"].get(key)
        if key == last:
            picture.circle(colour, x, y, 9)
        elif outcome == "acts":
            picture.circle("parked", x, y, 6)
        elif outcome != "closed":
            picture.circle("paper", x, y, 5)
            picture.circle(f"{colour} stroke", x, y, 5)
    x, y = place(column, len(keys))
    picture.text(x, y + 8, "a page" if last else "NULL", f"{colour} bold", "middle")


def legend(picture, y):
    entries = (
        ("listed stroke", 5, "looks, and finds no page"),
        ("parked", 6, "does something, and looks again"),
        ("listed", 9, "finds a page"),
    )
    for number, (name, radius, words) in enumerate(entries):
        x = 66 + number * 260
        picture.circle(name, x, y, radius)
        picture.text(x + 18, y + 4, words, "quiet")
    picture.text(66 + 3 * 260, y + 4, "no mark: passed by", "quiet")


def draw(numbers):
    shown, ways, zone = numbers["rungs"], numbers["ways"], numbers["zone"]
    width = LEFT + len(ways) * COLUMN + 20
    height = TOP + (len(shown) + 2) * ROW + 22
    picture = Picture(width, height, "Rungs of the slow path that six requests climb")
    picture.text(24, 34, "The ladder", "ink bold")
    says = f"{zone['free']} pages free; min {zone['min']}, low {zone['low']}"
    picture.text(24, 54, says, "quiet")
    for row, rung in enumerate(shown):
        draw_rung(picture, row, rung, width)
    for column, ((flags, more), way) in enumerate(zip((r[0] for r in REQUESTS), ways)):
        x = place(column, 0)[0]
        picture.text(x, 34, flags, "ink code bold", "middle")
        picture.text(x, 54, more, "quiet small", "middle")
        draw_way(picture, column, shown, way)
    legend(picture, height - 26)
    return picture.svg()
