# SPDX-License-Identifier: MIT
"""docs/zones.svg: the zones of a machine of 6 GB, and the marks of each."""

import re

from picture import Picture
from picture_machine import near, said, with_numbers

NAMES = ("DMA", "DMA32", "Normal")
COLOURS = {"DMA": "parked", "DMA32": "file", "Normal": "listed"}
FIELDS = ("min", "low", "high", "spanned", "present", "managed", "start_pfn:")
# zone free low min floor reserve pages
ROW = re.compile(r"^(DMA|DMA32|Normal)((?: +\d+){6})\s*$", re.M)
PAGES = 256  # in a MiB

WIDTH, LEFT, STRIP, HIGH = 960, 28, 72, 34
PANEL, TOP, GAUGE, BOTTOM = 290, 196, 210, 84
# Words beside a mark: to which amount of free memory something holds.
MARKS = (
    ("high", "kswapd stops"),
    ("low", "kswapd is woken"),
    ("min", "threads reclaim"),
    ("atomic", "GFP_ATOMIC fails"),
)


def measure():
    zones = {name: {} for name in NAMES}
    for part in said("6G", "zoneinfo").split("Node 0, zone")[1:]:
        name = part.split()[0]
        if name not in zones:
            continue
        for field in FIELDS:
            found = re.search(rf"^ +{field} +(\d+)", part, re.M)
            zones[name][field.strip(":")] = int(found.group(1))
    for name, row in ROW.findall(said("6G", "gfp GFP_ATOMIC 0")):
        if "atomic" in zones[name]:
            continue  # the table of blocks, which comes after that of marks
        _, _, _, floor, reserve, _ = row.split()
        zones[name].update(atomic=int(floor), reserve=int(reserve))
    return zones


def are_near(shown, today):
    return all(
        near(shown[name][field], today[name][field], 0.05)
        for name in NAMES
        for field in shown[name]
    )


def size(pages):
    mib = pages / PAGES
    return f"{mib / 1024:.2f} GiB" if mib >= 1024 else f"{mib:.1f} MiB"


def across(pfn, end):
    return LEFT + round((WIDTH - 2 * LEFT) * pfn / end)


def panel_left(number):
    return LEFT + number * (PANEL + (WIDTH - 2 * LEFT - 3 * PANEL) // 2)


def draw_strip(picture, zones):
    end = zones["Normal"]["start_pfn"] + zones["Normal"]["spanned"]
    picture.text(LEFT, 34, "Physical memory", "ink bold")
    picture.text(WIDTH - LEFT, 34, size(end), "quiet", "end")
    picture.rect("faint", LEFT, STRIP, WIDTH - 2 * LEFT, HIGH, 4)
    for number, name in enumerate(NAMES):
        zone = zones[name]
        start, pages = zone["start_pfn"], zone["spanned"]
        x, after = across(start, end), across(start + pages, end)
        picture.rect(COLOURS[name], x, STRIP, max(4, after - x), HIGH, 2)
        picture.line(
            COLOURS[name],
            [
                ((x + max(x + 4, after)) // 2, STRIP + HIGH),
                (panel_left(number) + PANEL // 2, TOP - 52),
            ],
            stroke="thin",
        )
    for gib in range(0, end // (1024 * PAGES) + 1):
        x = across(gib * 1024 * PAGES, end)
        picture.text(x, STRIP - 8, f"{gib} GiB" if gib else "0", "quiet small", "middle")


def draw_panel(picture, left, name, zone):
    """The zone's numbers, and a gauge whose top is a third above high"""
    start, end = zone["start_pfn"], zone["start_pfn"] + zone["spanned"]
    picture.text(left, TOP - 30, name, "ink bold")
    words = f"frames {start:,} to {end - 1:,}"
    picture.text(left + PANEL, TOP - 30, words, "quiet small", "end")
    words = f"{zone['managed']:,} managed pages, {size(zone['managed'])}"
    picture.text(left, TOP - 12, words, "quiet")

    def height(pages):
        return TOP + GAUGE - GAUGE * pages * 3 // (zone["high"] * 4)

    picture.rect("faint", left, TOP, 96, GAUGE, 4)
    picture.rect("free", left, TOP, 96, height(zone["low"]) - TOP, 4)
    y = height(zone["low"])
    picture.rect("listed", left, y, 96, height(zone["min"]) - y)
    y = height(zone["min"])
    picture.rect("parked", left, y, 96, height(zone["atomic"]) - y)
    y = height(zone["atomic"])
    picture.rect("owned", left, y, 96, TOP + GAUGE - y, 4)
    for field, words in MARKS:
        y = height(zone[field])
        picture.line("ink", [(left, y), (left + 104, y)], stroke="thin")
        picture.text(left + 150, y + 4, f"{zone[field]:,}", "ink", "end")
        picture.text(left + 160, y + 4, words, "quiet small")
    draw_reserve(picture, left, zone)


def draw_reserve(picture, left, zone):
    """Words below the gauge"""
    words = ["nothing is kept from requests", "for this zone"]
    if zone["reserve"] > 0:
        words = [f"{zone['reserve']:,} more are kept from", "requests that can use Normal"]
    if zone["reserve"] > zone["managed"]:
        words.append("all of it: they get none here")
    holes = zone["spanned"] - zone["present"]
    if holes > zone["spanned"] // 10:
        words.append(f"{size(holes)} of its frames are a hole")
    for number, line in enumerate(words):
        picture.text(left, TOP + GAUGE + 28 + 18 * number, line, "quiet")


def draw(zones):
    title = "The zones of a machine of 6 GB, with the marks of each"
    picture = Picture(WIDTH, TOP + GAUGE + BOTTOM, title)
    draw_strip(picture, zones)
    for number, name in enumerate(NAMES):
        draw_panel(picture, panel_left(number), name, zones[name])
    return with_numbers(picture.svg(), zones)
