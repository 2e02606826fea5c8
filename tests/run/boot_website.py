# SPDX-License-Identifier: MIT
"""The book as a website: its links, its names, its search, light and dark."""

import os

import website
from browser import Browser
from lab import boot_test, check, long_test

GOOD = {
    "index.html": '<a class="source" href="source/mm/a.c.html#L2">mm/a.c#f</a>',
    "source/mm/a.c.html": "<pre><span id=L1>int x;\n</span>"
    "<span id=L2>int <i class=nf>f</i>(void)\n</span>"
    "<span id=L3>\treturn f();\n</span></pre>",
    "searchindex.js": "Search.setIndex({terms:{watermark:[1,2]}})",
    "_static/book.css": "body { color: black; }",
}
# (a file of it, an addition, a part of the check's answer)
BAD = (
    ("index.html", '<a href="none.html">', "there is no none.html"),
    ("index.html", '<a href="#none">', "index.html has no none"),
    ("index.html", '<script src="https://net/x.js"></script>', "loads https://net"),
    ("index.html", '<img alt="" src="//net/x.png">', "loads //net"),
    ("_static/book.css", "@import url(https://net/x.css);", "loads from the net"),
    (
        "index.html",
        '<a class="source" href="source/mm/a.c.html#L1">mm/a.c#f</a>',
        "not in line L1",
    ),
    (
        "index.html",
        '<a class="source" href="source/mm/a.c.html#L3">mm/a.c#f</a>',
        "line L3 does not define it",
    ),
    (
        "index.html",
        '<a class="source" href="source/mm/b.c.html">mm/a.c#f</a>',
        "leads to source/mm/b.c.html",
    ),
)


def write_site(folder, files):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)


@boot_test
def the_check_of_the_books_pages_finds_each_kind_of_broken_link(lab):
    for number, (name, addition, expected) in enumerate(BAD):
        folder = os.path.join(lab.directory, str(number))
        write_site(folder, GOOD)
        check(not website.check(folder), f"a good site: {website.check(folder)}")
        write_site(folder, {name: GOOD[name] + addition})
        said = website.check(folder)
        check(any(expected in line for line in said), f"{addition}: {said}")
    folder = os.path.join(lab.directory, "empty")
    write_site(folder, {"04-buddy.html": ""})
    said = website.check(folder)
    check("there is no searchindex.js" in said, f"without an index: {said}")
    check(any("is no link" in line for line in said), f"names without links: {said}")


def search_for(browser, word):
    """The pages that the search lists, as a reader who types a word sees them"""
    browser.type("header input", word + "\ue007")
    browser.wait("return document.querySelectorAll('ul.search li').length > 3")
    return browser.run(
        "return [...document.querySelectorAll('ul.search a')].map(a => a.innerText)"
    )


def paper(browser):
    return browser.run("return getComputedStyle(document.body).backgroundColor")


def read_in_a_browser(lab, site):
    with Browser(lab.directory) as browser:
        browser.open_file(os.path.join(site, "04-buddy.html"))
        light = paper(browser)
        browser.click("#theme")
        check(paper(browser) != light, f"light and dark paper are both {light}")
        dark = paper(browser)
        found = search_for(browser, "watermark")
        check("5. Watermarks and reserves" in found, f"watermark is in {found}")
        browser.open_file(os.path.join(site, "play", "index.html"), "#scene=split")
        browser.wait("return window.ready")
        browser.click("#guide a")
        heading = browser.run("return document.querySelector('h1').innerText")
        check("buddy" in heading.lower(), f"the scene's chapter is {heading!r}")
        browser.open_file(os.path.join(site, "source/mm/buddy.c.html"), "#L1")
        check(paper(browser) == dark, "a source page forgets that it is dark")
        lines = browser.run("return document.querySelectorAll('pre > span').length")
        with open(os.path.join(website.ROOT, "mm", "buddy.c")) as file:
            check(lines == len(file.readlines()), f"mm/buddy.c has {lines} lines")


@long_test
def each_source_file_of_the_books_website_is_coloured(lab):
    """`make test` leaves the colours away where they tell nothing new."""
    site = os.path.join(lab.directory, "book")
    problems = website.build(site) + website.check(site)
    check(not problems, "; ".join(problems[:5]))
    with open(os.path.join(site, "source/tests/run/lab.py.html")) as file:
        check("<i class=nf>boot_test</i>" in file.read(), "lab.py has no colours")


@boot_test
def the_books_website_is_whole_and_works_from_files(lab):
    """Each link and name leads somewhere, nothing comes from the net; and a browser
    searches it and shows it light and dark."""
    site = os.path.join(lab.directory, "book")
    problems = website.build(site, coloured="mm/buddy") + website.check(site)
    check(not problems, "; ".join(problems[:5]))
    with open(os.path.join(site, "mutants.html"), encoding="utf-8") as file:
        link = 'href="source/mm/buddy.c.html">mm/buddy.c</a>'
        check(link in file.read(), "a path that fills the cell of a table is no link")
    read_in_a_browser(lab, site)
