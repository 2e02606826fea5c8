# SPDX-License-Identifier: MIT
"""
docs/buddy.svg: a block of 32 frames is split, and merges again.

The zone of a machine of 4 MB, the playground's (docs/play/play.h).  All that is free
below frame 32 is taken first, so that the block at 32, of order 5, is the smallest left.
After each step all blocks are asked for, and those of the 32 frames are drawn.
"""

from machine import Failure
from picture import Picture
from playground import play

MACHINE = "machine 0 1024 0 0"
# Every smaller block.
BEFORE = [f"alloc thread 1 {order} GFP_KERNEL" for order in (4, 3, 1, 0)]
FIRST, FRAMES = 32, 32
# The command, two lines of words, and the number of blocks that they mean.
STEPS = (
    (None, "the block of order 5", "its 32 frames are free", 1),
    ("alloc thread 1 0 GFP_KERNEL", "a page, order 0", "five splits leave a buddy each", 6),
    ("alloc thread 1 2 GFP_KERNEL", "four pages, order 2", "a block fits: no split", 6),
    ("alloc thread 1 1 GFP_KERNEL", "two pages, order 1", "a block fits: no split", 6),
    ("free 5", "the page is freed", "it waits on the CPU's list", 6),
    ("drain", "the list is drained", "32 meets its buddy 33: order 1", 5),
    ("free 7", "the two are freed", "they wait, too", 5),
    ("drain", "the list is drained", "32 meets its buddy 34: order 2", 4),
    ("free 6", "the four are freed", "they wait, too", 4),
    ("drain", "the list is drained", "merges up to order 5", 1),
)
USES = {".": "free", ":": "listed"}

LEFT, TOP, ROW, CELL, HIGH = 252, 64, 46, 22, 28


def blocks(state):
    """[(use, first frame, order)] of the frames that are drawn"""
    found, frame = [], 0
    text = state["frames"]
    for use, order in zip(text[::2], text[1::2]):
        if FIRST <= frame < FIRST + FRAMES:
            found.append((use, frame, int(order, 16)))
        frame += 1 << int(order, 16)
    return found


def measure():
    """The blocks after each step"""
    lines = [MACHINE, *BEFORE]
    for command, *_ in STEPS:
        lines += [command] if command else []
        lines.append("state")
    states = [answer for answer in play(lines) if "frames" in answer]
    if any(state["check"] for state in states):
        raise Failure("the zone is broken")
    found = [blocks(state) for state in states]
    for (command, *_, count), there in zip(STEPS, found):
        if len(there) != count:
            raise Failure(f"{command}: {len(there)} blocks, and the words say {count}")
    return found


def draw_block(picture, use, frame, order, y):
    x = LEFT + (frame - FIRST) * CELL
    width = CELL << order
    picture.rect(USES.get(use, "used"), x + 1, y, width - 2, HIGH, 4)
    picture.text(x + width // 2, y + 19, order, "ink small", "middle")


def draw(numbers):
    width = LEFT + FRAMES * CELL + 28
    height = TOP + len(STEPS) * ROW + 44
    picture = Picture(width, height, "A block of 32 frames is split and merges again")
    for frame in range(0, FRAMES, 4):
        x = LEFT + frame * CELL
        picture.text(x + CELL // 2, TOP - 26, FIRST + frame, "quiet small", "middle")
        picture.line("line", [(x, TOP - 16), (x, height - 50)], stroke="thin")
    for row, ((_, title, more, _), found) in enumerate(zip(STEPS, numbers)):
        y = TOP + row * ROW
        picture.text(24, y + 10, title, "ink bold")
        picture.text(24, y + 26, more, "quiet small")
        for block in found:
            draw_block(picture, *block, y)
    for number, (name, words) in enumerate(
        (("free", "free"), ("used", "in use"), ("listed", "on the CPU's list"))
    ):
        x = LEFT + number * 120
        picture.rect(name, x, height - 32, 14, 14, 3)
        picture.text(x + 22, height - 21, words, "quiet")
    end = width - 28
    picture.text(end, height - 21, "the number in a block is its order", "quiet", "end")
    return picture.svg()
