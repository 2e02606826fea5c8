#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The two pages show memory in the colours of the kernel's own map."""

import os
import re
import unittest

from machine import ROOT


def text_of(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


def of_kernel(table):
    """Name -> colour, from a table of kernel/demo/map.c."""
    body = re.search(rf"{table}\[\w*\] = \{{(.*?)\n\}};", text_of("kernel", "demo", "map.c"), re.DOTALL)[1]
    return {
        name: "#" + colour
        for name, colour in re.findall(r'\{ "([^"]+)", \'.{1,2}\', 0x(\w{6}) \}', body)
    }


def of_watch(key):
    rows = re.findall(
        rf'\{{ name: "([^"]+)".*?{key}: "(#\w{{6}})"', text_of("docs", "watch", "kinds.js")
    )
    return dict(rows)


class Colours(unittest.TestCase):
    def check(self, kernel, page, least):
        self.assertGreaterEqual(len(kernel), least)
        for name, colour in kernel.items():
            self.assertEqual(page.get(name), colour, name)

    def test_watch_has_the_kernels_colours_of_states_and_ages(self):
        self.check(of_kernel("state_kinds"), of_watch("dark"), 13)
        self.check(of_kernel("age_kinds"), of_watch("dark"), 6)

    def test_both_pages_have_the_kernels_colours_of_pageblocks(self):
        kernel = of_kernel("type_kinds")
        page = of_watch("used")
        page.update({"free, " + name: colour for name, colour in of_watch("free").items()})
        page["reserved"] = of_watch("dark")["reserved"]
        self.check(kernel, page, 13)
        rows = re.findall(
            r'^  \w: \["(\w+)", "(#\w{6})", "(#\w{6})"\]', text_of("docs", "play", "map.js"),
            re.MULTILINE,
        )
        self.assertEqual(len(rows), 6)
        for name, used, free in rows:
            self.assertEqual((used, free), (kernel[name], kernel["free, " + name]), name)

    def test_the_playground_has_the_kernels_colours_of_uses(self):
        rows = re.findall(
            r'^  "?\S"?: \["([^"]+)", "(#\w{6})"\],$', text_of("docs", "play", "map.js"),
            re.MULTILINE,
        )
        self.assertEqual(dict(rows), of_kernel("state_kinds"))


if __name__ == "__main__":
    unittest.main()
