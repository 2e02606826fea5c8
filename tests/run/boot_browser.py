# SPDX-License-Identifier: MIT
"""The browser with which pages are tested."""

import os

from browser import Browser
from lab import boot_test, check
from machine import Failure

PAGE = """<!doctype html><title>a page</title><input id="field">
<script>window.pressed = []; onkeydown = event => pressed.push(event.key);</script>"""


def write_page(lab):
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, "page.html")
    with open(path, "w") as file:
        file.write(PAGE)
    return path


def type_then_throw(lab, path):
    with Browser(lab.directory, (800, 600), dark=True) as browser:
        browser.open_file(path)
        browser.type("#field", "ab")
        pressed = browser.run("return pressed.join() + field.value")
        check(pressed == "a,bab", f"typed a and b, and the page has {pressed}")
        size = browser.run("return [innerWidth, innerHeight]")
        check(size == [800, 600], f"the page's size is {size}")
        dark = 'return matchMedia("(prefers-color-scheme: dark)").matches'
        check(browser.run(dark), "the page is not asked to be dark")
        check(not browser.complaints(), "a sound page complains")
        browser.run("setTimeout(() => { throw new Error('on purpose'); })")
        browser.wait("return true")


@boot_test
def a_page_that_throws_fails_its_test(lab):
    """Before that it did nothing wrong."""
    try:
        type_then_throw(lab, write_page(lab))
    except Failure as failure:
        check("on purpose" in str(failure), str(failure))
    else:
        raise Failure("a page that threw passed")
