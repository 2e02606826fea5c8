# SPDX-License-Identifier: MIT
"""
An extension of Sphinx: code spans become links into the source, and sessions are coloured.

A page of the book is ordinary Markdown, which other viewers show as well.  Only when the
page is written are its code spans looked up in definitions.py, and those that stand for a
file or for a line of one are made links.  Links to files outside of the book have the
scheme "source:", which tests/run/website.py gives them.
"""

import os
import re

from docutils import nodes
from pygments.lexer import RegexLexer, bygroups
from pygments.token import Generic, Text

import floors
import tree
from definitions import REFERENCE, Definitions
from source_pages import Pages

SCHEME = "source:"
# Before a place in the playground, whose page lies beside those of the book.
PLAY = "play:"
# Where a link would be a link within a link.
NO_LINKS = (nodes.reference, nodes.title)
BLOCK = re.compile(r"<pre>.*?</pre>", re.DOTALL)


class SessionLexer(RegexLexer):
    """Commands at the kernel's prompt stand out from its answers."""

    name = "session"
    tokens = {
        "root": [
            (r"^(labyrinth> )(.*\n)", bygroups(Generic.Prompt, Generic.Strong)),
            (r".*\n", Text),
        ]
    }


def purposes():
    """{path: what docs/floors.txt says of it}"""
    found = {}
    for line in tree.read(floors.LIST).splitlines():
        words = line.split("#")[0].split(None, 2)
        if len(words) == 3:
            found[words[1]] = words[2].replace(floors.MARK, "").strip()
    return found


class Book:
    """Shared by the pages while they are written."""

    def __init__(self):
        self.definitions = Definitions()
        self.mentions = {}

    def mention(self, place, page, title):
        self.mentions.setdefault(place[0], {}).setdefault(page, title)
        return self.definitions.address(place)

    def resolve(self, app, document, page):
        """The links of a page: `doctree-resolved`."""
        title = app.env.titles[page].astext()
        for span in list(document.findall(nodes.literal)):
            place = self.definitions.place_of(span.astext())
            if place and not inside(span, NO_LINKS):
                address = self.mention(place, page, title)
                link = nodes.reference("", "", refuri=address, classes=["source"])
                link.internal = True
                span.replace_self(link)
                link += span
        for cell in document.findall(nodes.entry):
            self.link_cell(cell, page, title)
        for link in document.findall(nodes.reference):
            address = link.get("refuri", "")
            if address.startswith(SCHEME):
                place = address[len(SCHEME) :], None
                link["refuri"] = self.mention(place, page, title)
            elif address.startswith(PLAY):
                link["refuri"] = "play/index.html" + address[len(PLAY) :]

    def link_cell(self, cell, page, title):
        """A cell of a table that holds nothing but the path of a file"""
        path = cell.astext()
        if path in self.definitions.files and len(cell) == 1:
            paragraph = cell[0]
            if len(paragraph) == 1 and isinstance(paragraph[0], nodes.Text):
                address = self.mention((path, None), page, title)
                link = nodes.reference("", path, refuri=address, classes=["source"])
                paragraph.replace(paragraph[0], link)

    def link_blocks(self, app, page, template, context, document):
        """The names in drawings and tables, which are text: `html-page-context`."""

        def link(match):
            place = self.definitions.place_of(match.group())
            if place is None:
                return match.group()
            address = self.mention(place, page, app.env.titles[page].astext())
            return f'<a class="source" href="{address}">{match.group()}</a>'

        def link_all(block):
            return REFERENCE.sub(link, block.group())

        if document is not None:
            context["body"] = BLOCK.sub(link_all, context["body"])

    def finish(self, app, problem):
        """The source pages, when the others are there: `build-finished`."""
        if not problem:
            pages = Pages(
                self.definitions,
                os.fspath(app.outdir),
                purposes(),
                self.mentions,
                app.config.coloured,
            )
            pages.write_all()


def inside(node, kinds):
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def setup(app):
    book = Book()
    # Only files whose path begins so are coloured.
    app.add_config_value("coloured", "", "html")
    app.add_lexer("session", SessionLexer)
    app.connect("doctree-resolved", book.resolve)
    app.connect("html-page-context", book.link_blocks)
    app.connect("build-finished", book.finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
