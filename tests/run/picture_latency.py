# SPDX-License-Identifier: MIT
"""docs/latency.svg: how many instructions each of 100,000 operations takes."""

import math
import re

import bench
from picture import Picture
from picture_machine import near, said, with_numbers

# The key, the colour, the title, and notes on the usual case and on the others.
PANELS = (
    (
        *("alloc", "listed", "A request: alloc_page(GFP_ATOMIC)"),
        *("a page of the CPU's list", "the list is empty, and is filled first"),
    ),
    (
        *("free", "file", "A free: __free_page()"),
        *("back to the CPU's list", "the list is full, and gives a batch back"),
    ),
    (
        *("interrupt", "parked", "An interrupt: in and out, an empty handler"),
        *("nothing else", "the timer's interrupt comes as well"),
    ),
)
HEADING = re.compile(r"^(\w+): (\d+) operations, worst (\d+)$")
LEFT, TOP, WIDTH, HIGH, GAP = 76, 52, 840, 120, 74
LEAST, MOST = 5, 13  # instructions, as powers of two
DECADES = 4  # below one in ten thousand nothing is drawn


def measure():
    numbers = {"compiler": bench.compiler()}
    for line in said("512M", "bench latency").splitlines():
        heading = HEADING.match(line.strip())
        if heading:
            operations, worst = int(heading.group(2)), int(heading.group(3))
            last = {"operations": operations, "worst": worst, "buckets": []}
            numbers[heading.group(1)] = last
        elif re.fullmatch(r"\s*\d+\s+\d+\s*", line):
            last["buckets"].append([int(word) for word in line.split()])
    return numbers


def usual(of):
    """The fullest bucket, and its part of all operations"""
    start, count = max(of["buckets"], key=lambda bucket: bucket[1])
    return start, count / of["operations"]


def are_near(shown, today):
    """Of another compiler nothing is claimed."""
    if shown["compiler"] != today["compiler"]:
        return True
    for name, *_ in PANELS:
        pairs = [usual(shown[name]), usual(today[name])]
        if not near(pairs[0][0], pairs[1][0], 0.05, 4):
            return False
        if abs(pairs[0][1] - pairs[1][1]) > 0.01:
            return False
        if not near(shown[name]["worst"], today[name]["worst"], 0.2):
            return False
    return True


def across(instructions):
    part = (math.log2(max(instructions, 1)) - LEAST) / (MOST - LEAST)
    return LEFT + round(WIDTH * min(max(part, 0), 1))


def up(top, part):
    """Where a PART of all operations reaches, on a scale of powers of ten"""
    decades = max(0, DECADES + math.log10(part)) if part > 0 else 0
    return top + HIGH - round(HIGH * decades / DECADES)


def bucket_end(start):
    """latency_bucket_start() of the next one, in kernel/demo/bench_latency.c"""
    return start + max(1, 1 << max(0, start.bit_length() - 5))


def frame(picture, top):
    for decade, words in enumerate(("100 %", "10 %", "1 %", "0.1 %", "0.01 %")):
        y = top + HIGH * decade // DECADES
        picture.line("line", [(LEFT, y), (LEFT + WIDTH, y)], stroke="thin")
        picture.text(LEFT - 10, y + 4, words, "quiet small", "end")
    for power in range(LEAST, MOST + 1):
        x = across(1 << power)
        picture.text(x, top + HIGH + 17, f"{1 << power:,}", "quiet small", "middle")


def draw_notes(picture, top, of, often, seldom):
    start, _ = usual(of)
    picture.text(across(start) + 16, top + 16, often, "quiet small")
    others = [bucket for bucket in of["buckets"] if bucket[0] != start]
    if others:
        tallest = max(others, key=lambda bucket: bucket[1])
        y = up(top, tallest[1] / of["operations"])
        x = across(tallest[0])
        if x > LEFT + WIDTH * 3 // 4:
            picture.text(x + 36, y - 8, seldom, "quiet small", "end")
        else:
            picture.text(x + 16, y - 2, seldom, "quiet small")


def draw_panel(picture, top, panel, of):
    key, colour, title, often, seldom = panel
    frame(picture, top)
    for start, count in of["buckets"]:
        x, y = across(start), up(top, count / of["operations"])
        width = max(7, across(bucket_end(start)) - x - 1)
        picture.rect(colour, x, y, width, max(2, top + HIGH - y), 1)
    draw_notes(picture, top, of, often, seldom)
    start, part = usual(of)
    picture.text(LEFT, top - 14, title, "ink bold")
    words = f"{start:,} instructions in {100 * part:.2f} % of {of['operations']:,}; "
    words += f"worst {of['worst']:,}"
    picture.text(LEFT + WIDTH, top - 14, words, "quiet", "end")


def draw(numbers):
    height = TOP + len(PANELS) * (HIGH + GAP) + 6
    title = "Instructions of requests, frees and interrupts: three histograms"
    picture = Picture(LEFT + WIDTH + 34, height, title)
    for number, panel in enumerate(PANELS):
        draw_panel(picture, TOP + number * (HIGH + GAP), panel, numbers[panel[0]])
    picture.text(LEFT + WIDTH // 2, height - 22, "instructions", "quiet", "middle")
    return with_numbers(picture.svg(), numbers)
