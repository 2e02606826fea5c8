#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: website.py

`make book`: makes build/book/ of README.md and docs/, checks it, and prints the path of
its first page.

The site needs no network and no server: search, the switch between light and dark and all
links work from a file.  Sphinx, a package of the distribution, makes the pages of the
book, with the theme in docs/site/theme/; docs/site/source_pages.py makes those of the
source files.

The text is copied first, because the front page is README.md, which lies outside of
docs/.  On the way links between Markdown files are left alone, and links to other files
of the tree get the scheme "source:", by which docs/site/links.py knows them.  Links to the
playground get "play:"; its page is a part of the site.

check() reads what was made: each link within the site leads to a page and to a
place in it, each name in a file to the line that has this name, and nothing is loaded
from the net.  It does not share code with what makes the pages.
"""

import glob
import html
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

from machine import BUILD, ROOT, Failure, call

SITE = os.path.join(BUILD, "book")
SETTINGS = os.path.join(ROOT, "docs", "site")
SECONDS = 300

# Its source, and the page that `make play` makes of it.
PLAYGROUND = "docs/play/index.html"
PLAY_PAGE = os.path.join(BUILD, "play", "index.html")
NO_BOOK = '"book": ""'
SCENE = re.compile(r'{"key": "([\w-]+)", "chapter"')

INLINE_LINK = re.compile(r"\]\(([^)\s#:]+)(#[^)\s]*)?\)")
PICTURES = (".png", ".svg")
FLOOR_HEADING = re.compile(r"# ---- (.*)")
FLOOR_ROW = re.compile(r"(?:boot|roof|\d)\s+(\S+)\s+([^#]*)")

REFERENCE = re.compile(r"((?:[\w.-]+/)+[\w.-]+)#(\w+)")
ADDRESS = re.compile(r"""<(\w+)[^>]*?\s(?:href|src)=["']?([^"' >]*)""")
ID = re.compile(r"""\sid=["']?([^"' >]+)""")
NAMED_LINK = re.compile(r'<a class="source[^"]*" href="([^"]*)">(.*?)</a>', re.S)
NAME_IN_TEXT = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.\w+#\w+)`")
TAG = re.compile(r"<[^>]*>")
LOADED = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")

TABLES = """
```{toctree}
:hidden:
:caption: Chapters

%s
```

```{toctree}
:hidden:
:caption: Reference

%s
```
"""


# ------------------------------------------------------------- the text


def pages():
    """The names of the chapters in reading order, and of the other pages."""
    paths = glob.glob(os.path.join(ROOT, "docs", "*.md"))
    names = sorted(os.path.basename(path)[:-3] for path in paths)
    chapters = [name for name in names if name[:2].isdigit()]
    return chapters, [name for name in names if name not in chapters]


def with_links(text, folder):
    """TEXT, a Markdown file in FOLDER, as a page of the site"""

    def replace(match):
        path = os.path.normpath(os.path.join(folder, match.group(1)))
        if not os.path.exists(os.path.join(ROOT, path)):
            raise Failure(f"a link leads to {path}, which does not exist")
        if path == "docs/floors.txt":
            return "](source-files.md)"
        if os.path.dirname(path) == "docs" and path.endswith((".md", *PICTURES)):
            return f"]({os.path.basename(path)}{match.group(2) or ''})"
        if path == PLAYGROUND:
            return f"](play:{match.group(2) or ''})"
        if path == "README.md":
            return f"](index.md{match.group(2) or ''})"
        return f"](source:{path})"

    return INLINE_LINK.sub(replace, text)


def source_files(text):
    """docs/floors.txt, TEXT, as a page: a list of the files in reading order"""
    lines = ["# The source files, in reading order", ""]
    for line in text.splitlines():
        heading, row = FLOOR_HEADING.match(line), FLOOR_ROW.match(line)
        if heading:
            lines += ["", f"## {heading.group(1)}", ""]
        if row:
            purpose = row.group(2).replace("<", "\\<").replace("*", "\\*")
            lines.append(f"* `{row.group(1)}`: {purpose.strip()}")
    return "\n".join([*lines, ""])


def write_text(folder):
    """What Sphinx reads"""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    chapters, others = pages()
    texts = {name: f"docs/{name}.md" for name in chapters + others}
    texts["index"] = "README.md"
    for name, path in texts.items():
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = with_links(file.read(), os.path.dirname(path))
        if name == "index":
            listed = "\n".join(chapters), "\n".join([*others, "source-files"])
            text += TABLES % listed
        write(folder, f"{name}.md", text)
    with open(os.path.join(ROOT, "docs", "floors.txt"), encoding="utf-8") as file:
        write(folder, "source-files.md", source_files(file.read()))
    for ending in PICTURES:
        for path in glob.glob(os.path.join(ROOT, "docs", "*" + ending)):
            shutil.copy(path, folder)


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


# ------------------------------------------------------------ the pages


def build(site, coloured=""):
    """
    The folder SITE, from nothing; the warnings that concern the text of the book.  Only
    the source files below COLOURED have colours, which take half of the time.
    """
    text = site + "-text"
    write_text(text)
    shutil.rmtree(site, ignore_errors=True)
    warnings = os.path.join(text, "warnings")
    command = ["sphinx-build", "-q", "-b", "html", "-c", SETTINGS, "-w", warnings]
    command += ["-d", os.path.join(text, "read"), "-D", f"coloured={coloured}"]
    command += [text, site]
    status = call(
        command,
        SECONDS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    with open(warnings, encoding="utf-8") as file:
        said = file.read()
    if status != 0:
        raise Failure(f"sphinx-build fails: {said}")
    add_playground(site)
    for left in (".buildinfo", "objects.inv"):
        if os.path.exists(os.path.join(site, left)):
            os.remove(os.path.join(site, left))
    # Sphinx may have others about itself, in another version.
    return [line for line in said.splitlines() if text in line]


def add_playground(site):
    if not os.path.exists(PLAY_PAGE):
        raise Failure(f"there is no {PLAY_PAGE}: make play")
    with open(PLAY_PAGE, encoding="utf-8") as file:
        page = file.read()
    if page.count(NO_BOOK) != 1:
        raise Failure(f"{PLAY_PAGE} has no place for the way to the book")
    os.makedirs(os.path.join(site, "play"), exist_ok=True)
    page = page.replace(NO_BOOK, NO_BOOK.replace('""', '"../"'))
    write(os.path.join(site, "play"), "index.html", page)


def names_in_text(page):
    """The names in files that the text of a page mentions, read from the tree"""
    path = "README.md" if page == "index.html" else f"docs/{page[:-5]}.md"
    if not os.path.exists(os.path.join(ROOT, path)):
        return set()
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return set(NAME_IN_TEXT.findall(file.read()))


class Page:
    """A file of the site: its links, and the places in it that links can lead to."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.ids = set(ID.findall(self.text))
        self.ids |= {f"scene={key}" for key in SCENE.findall(self.text)}
        found = set(ADDRESS.findall(self.text))
        self.addresses = {(tag, html.unescape(address)) for tag, address in found}

    def line(self, anchor):
        """The text of a line of a source page"""
        start = self.text.find(f"<span id={anchor}>")
        if start < 0:
            return ""
        end = self.text.index("\n</span>", start)
        return html.unescape(TAG.sub("", self.text[start:end]))


class Site:
    def __init__(self, folder):
        self.folder = folder
        paths = glob.glob(os.path.join(folder, "**", "*.html"), recursive=True)
        self.pages = {os.path.relpath(path, folder): Page(path) for path in paths}

    def target(self, page, address):
        """(path, anchor) of ADDRESS, written in PAGE; None if it leads elsewhere"""
        parts = urllib.parse.urlsplit(address)
        if parts.scheme or parts.netloc:
            return None
        path = urllib.parse.unquote(parts.path)
        if path:
            path = os.path.normpath(os.path.join(os.path.dirname(page), path))
        return path or page, urllib.parse.unquote(parts.fragment)

    def check_links(self, problems):
        for name, page in self.pages.items():
            for _, address in page.addresses:
                target = self.target(name, address)
                if target:
                    self._check_target(name, address, *target, problems)

    def _check_target(self, name, address, path, anchor, problems):
        if path not in self.pages:
            if not os.path.isfile(os.path.join(self.folder, path)):
                problems.append(f"{name}: {address}: there is no {path}")
        elif anchor and anchor not in self.pages[path].ids:
            problems.append(f"{name}: {address}: {path} has no {anchor}")

    def check_nothing_from_the_net(self, problems):
        """Links may lead there; what a page loads by itself may not."""
        for name, page in self.pages.items():
            for tag, address in page.addresses:
                if tag != "a" and re.match(r"(https?:)?//", address):
                    problems.append(f"{name}: loads {address}")
        for path in glob.glob(os.path.join(self.folder, "**", "*.css"), recursive=True):
            with open(path, encoding="utf-8") as file:
                if LOADED.search(file.read()):
                    problems.append(f"{path}: loads from the net")

    def check_names(self, problems):
        """Each name in a file is a link, and the line it leads to defines it."""
        for name, page in self.pages.items():
            linked = set()
            for address, words in NAMED_LINK.findall(page.text):
                match = REFERENCE.fullmatch(html.unescape(TAG.sub("", words)))
                if match:
                    linked.add(match.group())
                    self._check_name(name, address, *match.groups(), problems)
            for left in sorted(names_in_text(name) - linked):
                problems.append(f"{name}: {left} is no link")

    def _check_name(self, name, address, path, word, problems):
        page, anchor = self.target(name, address)
        if page != f"source/{path}.html" or page not in self.pages:
            problems.append(f"{name}: {path}#{word} leads to {page}")
        elif not re.search(rf"\b{word}\b", self.pages[page].line(anchor)):
            problems.append(f"{name}: {path}#{word}: not in line {anchor}")
        elif path.endswith(".c") and not self._defines(page, anchor):
            problems.append(f"{name}: {path}#{word}: line {anchor} does not define it")

    def _defines(self, page, anchor):
        """A call is indented, unlike a definition; a declaration ends in its line."""
        line = self.pages[page].line(anchor)
        if line.startswith((" ", "\t")):
            before = self.pages[page].line(f"L{int(anchor[1:]) - 1}")
            return before.startswith("CASE")
        return not ("(" in line and line.endswith(";"))


    def check_search(self, problems):
        """The index is there, and has a word that the book uses often."""
        path = os.path.join(self.folder, "searchindex.js")
        if not os.path.exists(path):
            problems.append("there is no searchindex.js")
            return
        with open(path, encoding="utf-8") as file:
            if '"watermark"' not in file.read().replace("watermark:", '"watermark":'):
                problems.append("searchindex.js has no watermark")


def check(folder):
    """What is wrong with the site in FOLDER"""
    site, problems = Site(folder), []
    site.check_links(problems)
    site.check_nothing_from_the_net(problems)
    site.check_names(problems)
    site.check_search(problems)
    return problems


def main():
    problems = build(SITE) + check(SITE)
    for problem in problems:
        print(f"make book: {problem}", file=sys.stderr)
    print(os.path.relpath(os.path.join(SITE, "index.html"), ROOT))
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"make book: {failure}")
