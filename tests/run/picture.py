# SPDX-License-Identifier: MIT
"""
SVG for the pictures of the book, readable on paper and on a dark screen.

The colours are classes in the picture's own style sheet, which asks the reader's
prefers-color-scheme; those with a meaning are the ones that the kernel's `map` has.  Text
is text: it can be searched and read aloud, and the title says in a sentence what is seen.
Coordinates are whole numbers, so that a picture of the same numbers is the same file.
"""

from html import escape

# Class: its colour on paper, and on a dark screen.
COLOURS = {
    "paper": ("#ffffff", "#14161a"),
    "ink": ("#1d2127", "#d8dce2"),
    "quiet": ("#626b76", "#8f98a3"),
    "line": ("#dde1e7", "#30353d"),
    "faint": ("#eef0f3", "#20242a"),
    "free": ("#bfe6cd", "#28593e"),
    "listed": ("#4caa73", "#3f9a66"),
    "used": ("#9aa4b5", "#566072"),
    "file": ("#4f7fd0", "#6d9bea"),
    "parked": ("#d98a3a", "#e09a50"),
    "owned": ("#d8433a", "#ff6a5f"),
}

RULES = """text{font:13px system-ui,"Segoe UI","DejaVu Sans",sans-serif}
.code{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
.small{font-size:11px}
.bold{font-weight:600}
.stroke{fill:none;stroke-width:2;stroke-linejoin:round}
.thin{fill:none;stroke-width:1}"""


def style():
    parts = [RULES]
    for which, (before, after) in enumerate(
        (("", ""), ("@media (prefers-color-scheme:dark){", "}"))
    ):
        colours = []
        for name, both in COLOURS.items():
            colours.append(f".{name}{{fill:{both[which]}}}")
            colours.append(f".{name}.stroke,.{name}.thin{{fill:none;stroke:{both[which]}}}")
        parts.append(before + "\n".join(colours) + after)
    return "\n".join(parts)


class Picture:
    def __init__(self, width, height, title):
        self.head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>\n{style()}\n</style>"
        )
        self.parts = []
        self.rect("paper", 0, 0, width, height, 8)

    def rect(self, name, x, y, width, height, radius=0):
        rounded = f' rx="{radius}"' if radius else ""
        self.parts.append(
            f'<rect class="{name}" x="{x}" y="{y}" width="{width}" height="{height}"'
            f"{rounded}/>"
        )

    def circle(self, name, x, y, radius):
        self.parts.append(f'<circle class="{name}" cx="{x}" cy="{y}" r="{radius}"/>')

    def line(self, name, points, dashes="", stroke="stroke"):
        joined = " ".join(f"{x},{y}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(
            f'<polyline class="{name} {stroke}" points="{joined}"{dashed}/>'
        )

    def text(self, x, y, words, name="ink", anchor="start"):
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        words = escape(str(words), quote=False)
        self.parts.append(f'<text class="{name}" x="{x}" y="{y}"{place}>{words}</text>')

    def svg(self):
        return "\n".join([self.head, *self.parts, "</svg>", ""])
