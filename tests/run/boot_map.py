# SPDX-License-Identifier: MIT
"""The map of memory: its cells, its legend, and what becomes of the screen."""

import re
from collections import Counter

from lab import boot_test, check, command, disk_copy, for_each
from machine import PROMPT, wait_until
from pixels import HIGH, WIDE

FRAMES = 64 * 256
PANEL = 34  # columns of text: kernel/demo/map_picture.c


def shape(picture):
    """(The side of a cell in pixels, cells in a row): as large as they can be."""
    wide = (picture.columns - PANEL - 1) * WIDE
    high = (picture.rows * 5 // 8 - 1) * HIGH
    for side in range(16, 0, -1):
        columns = wide // side // 32 * 32
        if columns * (high // side) >= FRAMES - 32:
            return side, columns
    raise AssertionError(picture.columns)


def legend(picture):
    """(Name, colour) -> count, from the panel."""
    found = {}
    first = picture.columns - PANEL
    for row, line in enumerate(picture.text()):
        entry = re.fullmatch(r"\ufffd +(\S.*?) +(\d+)", line[first:])
        if entry:
            colour = picture.colour(first * WIDE + 2, row * HIGH + 8)
            found[entry[1], colour] = int(entry[2])
    return found


def counted(picture):
    """Colour -> cells that have it."""
    side, columns = shape(picture)
    rows = FRAMES // columns + 1
    return Counter(
        picture.colour(column * side, row * side)
        for row in range(rows)
        for column in range(columns)
    )


def same(picture):
    """Does the picture have the legend's numbers of cells?"""
    cells = counted(picture)
    rows = legend(picture)
    if len(rows) < 8:
        return False
    return all(cells[colour] == count for (_, colour), count in rows.items())


@for_each(storm=("storm 1000 800", "Hz: the pool is"), pressure=("pressure 1 5000", " pages to swap"))
def the_map_is_shown_meanwhile_by(lab, words):
    """With progress below it; then the screen is as before, and has the verdict."""
    with lab.prompt(memory="64M", disk=disk_copy(lab.directory)) as qemu:
        command(qemu, "swapon hda2")
        qemu.send(words[0] + "\r")

        def look():
            picture = qemu.pixels()
            below = picture.text()[picture.rows * 5 // 8 :]
            shown = legend(picture) and any(words[1] in row for row in below)
            return picture if shown else None

        wait_until(look, lambda: "\n".join(qemu.pixels().text()))
        start = qemu.console.cursor
        qemu.console.expect(PROMPT, 120)
        said = re.sub(r"\x1b\[\d*m|\r", "", qemu.console.text[start:])
        verdict = said.split("\n")[-2]

        def ended():
            picture = qemu.pixels()
            rows = [row.rstrip() for row in picture.text()]
            return not legend(picture) and verdict.rstrip() in rows

        wait_until(ended, lambda: "\n".join(qemu.pixels().text()))


@boot_test
def map_has_as_many_cells_of_a_colour_as_its_legend_says(lab):
    """A picture is taken while the machine stands, until none is in the middle of a
    look; nothing flashes by then, as the recorder has stopped."""
    with lab.prompt(memory="64M") as qemu:
        command(qemu, "recorder stop")
        command(qemu, "map")

        def look():
            qemu.qmp("stop")
            picture = qemu.pixels()
            qemu.qmp("cont")
            below = picture.text()[picture.rows * 5 // 8 :]
            seen = PROMPT.strip() in below and same(picture)
            return picture if seen else None

        picture = wait_until(
            look,
            lambda: f"{legend(qemu.pixels())} is not {counted(qemu.pixels())}",
        )
        names = {name: count for (name, _), count in legend(picture).items()}
        check(names["free"] > 10000 and names["parked"] > 8, f"it says {names}")
        text = picture.text()
        top = picture.rows * 5 // 8
        check("memory by state" in text[top - 1], f"no title: {text[top - 1]}")


@boot_test
def map_in_text_mode_is_letters(lab):
    with lab.prompt("map", memory="64M", text=True) as qemu:
        rows = wait_until(
            lambda: [r for r in [qemu.screen_text()] if "X" in "".join(r[:11])],
            lambda: f"no exclusive page: {qemu.screen_text()}",
        )[0]
        check("memory by state, 32 frames a cell" in rows[11], f"title: {rows[11]}")
        check(any(" free " in row for row in rows[:11]), f"no legend: {rows[:11]}")
        check(any(row.startswith(PROMPT.strip()) for row in rows[12:]), "no prompt")


@for_each(pixels=False, text=True)
def panic_takes_the_screen_back_from_the_map(lab, text):
    with lab.prompt("map=type", memory="64M", text=text) as qemu:
        qemu.send("panic\r")
        qemu.console.expect(r"The machine has stopped\.\r?\n")
        wait_until(
            lambda: qemu.screen_text()[-2].endswith("The machine has stopped."),
            lambda: f"the screen ends with {qemu.screen_text()[-2:]}",
        )
        rows = qemu.screen_text()
        check(not any("memory by type" in row for row in rows), "the map stays")
        full = sum(bool(row) for row in rows) > len(rows) * 4 // 5
        check(full, f"half a screen: {rows}")
