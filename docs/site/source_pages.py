# SPDX-License-Identifier: MIT
"""
A page for each source file: numbered lines, colours, and names that are links.

These pages are many and large, so they are written directly, without the theme: a line is
a span with the number of the line as its id, and the style sheet counts and prints the
numbers.  A name that only one of the kernel's files defines leads to its definition; a
path in a comment leads to the file.  The head says what the file is for, which floors.txt
knows, and which chapters speak of it.
"""

import html
import os
import re

import pygments.lexers
from pygments.token import STANDARD_TYPES, Comment, Literal, Name, Text

import tree

LEXERS = {
    **{".c": "c", ".h": "c", ".asm": "nasm", ".inc": "nasm", ".py": "python"},
    **{".patch": "diff", ".js": "javascript", ".css": "css", "Makefile": "make"},
}
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.\w+(?:#\w+)?")
PROGRAMS = (".c", ".h", ".asm", ".inc")
WITH_PATHS = (Comment, Literal.String, Text)
# The classes that book.css has a colour for.
COLOURED = set(
    """
    c c1 cm ch sd cp cpf k kd kr kn kt kc ow s s1 s2 sa sc se sx sb m mi mh mf mb mo nl
    gi gd gu gh
    """.split()
)
PAGE = """<!doctype html>
<html lang="en" data-theme="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{path} &#8212; Labyrinth</title>
<link rel="stylesheet" href="{root}_static/book.css">
<script src="{root}_static/book.js"></script>
</head>
<body class="file">
<header>
<a class="home" href="{root}index.html">Labyrinth</a>
<h1>{path}</h1>
<a href="{root}source-files.html">all files</a>
<form class="find" role="search" action="{root}search.html" method="get">
<input type="search" name="q" placeholder="Search the book" aria-label="Search the book">
</form>
<button id="theme" type="button" aria-label="light or dark" title="light or dark"></button>
</header>
<div class="about">{about}</div>
<pre>{code}</pre>
</body>
</html>
"""


def lexer_of(path, text, coloured):
    name = LEXERS.get(os.path.splitext(path)[1] or os.path.basename(path))
    if text.startswith("#!/bin/sh"):
        name = "sh"
    if text.startswith("#!/usr/bin/env python3"):
        name = "python"
    if not path.startswith(coloured):
        name = "text"
    options = {"stripnl": False, "ensurenl": False}
    return pygments.lexers.get_lexer_by_name(name or "text", **options)


def class_of(kind):
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    return STANDARD_TYPES[kind]


class Pages:
    """The pages of the files that DEFINITIONS has, below FOLDER."""

    def __init__(self, definitions, folder, purposes, mentions, coloured):
        self.definitions = definitions
        self.folder = folder
        self.purposes = purposes  # {path: what the file is for}
        self.mentions = mentions  # {path: {page: its title}}
        self.coloured_files = coloured  # the beginning of their paths
        self.classes = {}

    def write_all(self):
        for path in sorted(self.definitions.files):
            place = os.path.join(self.folder, "source", path + ".html")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w", encoding="utf-8") as file:
                file.write(self.page(path))

    def page(self, path):
        root = "../" * (path.count("/") + 1)
        lines = self.lines(path, tree.read(path), root)
        code = "".join(
            f"<span id=L{number}>{line}\n</span>"
            for number, line in enumerate(lines, 1)
        )
        about = self.about(path, root)
        return PAGE.format(path=html.escape(path), root=root, about=about, code=code)

    def about(self, path, root):
        parts = []
        if path in self.purposes:
            parts.append(f"<p>{html.escape(self.purposes[path])}</p>")
        mentions = self.mentions.get(path, {}).items()
        pages = [(page, title) for page, title in mentions if page != "source-files"]
        if pages:
            links = (
                f'<li><a href="{root}{page}.html">{html.escape(title)}</a></li>'
                for page, title in sorted(pages)
            )
            parts.append(f"<p>In the book:</p><ul>{''.join(links)}</ul>")
        return "\n".join(parts)

    def lines(self, path, text, root):
        """The lines of TEXT as HTML"""
        lexer = lexer_of(path, text, self.coloured_files)
        lines, parts = [], []
        defined = self.definitions.of_file.get(path, {})
        places = {(name, line) for name, (line, _) in defined.items()}
        for kind, value in lexer.get_tokens(text):
            for number, piece in enumerate(value.split("\n")):
                if number:
                    lines.append("".join(parts))
                    parts = []
                if (piece, len(lines) + 1) in places and kind in Name:
                    parts.append(f"<i class=nf>{piece}</i>")
                elif piece:
                    parts.append(self.coloured(kind, self.linked(kind, piece, path, root)))
        return lines + (["".join(parts)] if parts else [])

    def coloured(self, kind, words):
        name = self.classes.get(kind)
        if name is None:
            name = self.classes[kind] = class_of(kind)
        return f"<i class={name}>{words}</i>" if name in COLOURED else words

    def linked(self, kind, piece, path, root):
        """PIECE as HTML, with links from names and from paths in comments"""
        if kind in Name:
            place = self.definitions.single.get(piece)
            if place and place[0] != path and path.endswith(PROGRAMS):
                return self.link(place, piece, root)
        elif "/" in piece and any(kind in group for group in WITH_PATHS):
            return self.link_paths(piece, root)
        return html.escape(piece, quote=False)

    def link(self, place, words, root):
        address = self.definitions.address(place)
        return f'<a href="{root}{address}">{html.escape(words, quote=False)}</a>'

    def link_paths(self, piece, root):
        parts, end = [], 0
        for match in PATH.finditer(piece):
            place = self.definitions.place_of(match.group())
            if place:
                parts.append(html.escape(piece[end : match.start()], quote=False))
                parts.append(self.link(place, match.group(), root))
                end = match.end()
        return "".join([*parts, html.escape(piece[end:], quote=False)])
