#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the checks of tests/lint/ find what they look for, and nothing else?"""

import contextlib
import io
import os
import sys
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lint"))

import assertions  # noqa: E402
import flags  # noqa: E402
import floors  # noqa: E402
import front_door  # noqa: E402
import names  # noqa: E402
import prose  # noqa: E402

REFUSED = "It waits for ever."


def lines_with(reader, source):
    """The lines of SOURCE at which READER lets a refused phrase be found."""
    problems = []
    for text in reader(source):
        prose.check_text("x", text, problems)
    return [int(problem.split(":")[1]) for problem in problems]


class Flags(unittest.TestCase):
    HEADER = """
#define GFP_FLAGS(X) \\
	X(HIGH, 0x20, WORKS, "high") \\
	X(IO, 0x40, WORKS, \\
	  "io") \\
	X(SKIP, 0x0, NOTHING, "none")

#define GFP_COMPOSITES(X) \\
	X(BOTH, (__GFP_HIGH | __GFP_IO) & ~__GFP_FS, "both")

#define GFP_ENUM(name, mask, meaning)
"""
    LINES = {"__GFP_HIGH": "mm", "__GFP_IO": "mm", "GFP_BOTH": "mm"}
    SOURCE = "CASE(flags, does)\n"

    def problems(self, lines, source=SOURCE):
        text = "".join(f"{k} tests/{v}/x.c#does\n" for k, v in lines.items())
        found = []
        cases = flags.read_cases("# a comment\n" + text, found)
        rows = flags.read_flags(self.HEADER)
        flags.check(rows, cases, lambda path: source, found)
        return found

    def test_flags_and_composites_with_a_case_each_pass(self):
        self.assertEqual(self.problems(self.LINES), [])

    def test_a_flag_or_composite_without_a_line_is_found(self):
        for name in self.LINES:
            lines = {k: v for k, v in self.LINES.items() if k != name}
            self.assertEqual(len(self.problems(lines)), 1)
            self.assertIn(name, self.problems(lines)[0])

    def test_a_line_without_a_flag_or_for_a_mask_of_0_is_found(self):
        for name in ("__GFP_GONE", "__GFP_SKIP"):
            problems = self.problems({**self.LINES, name: "mm"})
            self.assertEqual(len(problems), 1)
            self.assertIn(name, problems[0])

    def test_a_case_that_no_longer_exists_is_found(self):
        problems = self.problems(self.LINES, "CASE(flags, does_too)\n")
        self.assertEqual(len(problems), 2 * len(self.LINES))

    def test_a_door_that_is_gone_is_found(self):
        text = "\n".join(flags.DOORS)
        for gone in ("", *flags.DOORS):
            found = []
            flags.check_doors(text.replace(gone, "") if gone else text, found)
            self.assertEqual(len(found), 1 if gone else 0)

    def test_a_case_that_runs_in_one_world_only_is_found(self):
        for folder in ("host", "kernel"):
            problems = self.problems({**self.LINES, "__GFP_IO": folder})
            self.assertEqual(len(problems), 1)


class FrontDoor(unittest.TestCase):
    def test_a_direct_call_is_found_where_no_reason_allows_it(self):
        text = "/* buddy_take( */\npage = page_prep_take(node, zone, 0);\n"
        problems = front_door.check(
            ["kernel/x.c", "mm/page_alloc.c"], lambda path: text
        )
        self.assertEqual(len(problems), 1)
        self.assertTrue(problems[0].startswith("kernel/x.c:2: "))

    def test_words_in_comments_and_longer_names_are_no_calls(self):
        text = "/* buddy_take(zone) */\nexclusive_buddy_take(zone);\n"
        self.assertEqual(front_door.check(["mm/x.c"], lambda path: text), [])


class Prose(unittest.TestCase):
    def test_each_pattern_finds_its_example_and_no_other(self):
        problems = []
        prose.check_examples(problems)
        self.assertEqual(problems, [])

    def test_a_phrase_over_two_lines_is_found_at_its_first(self):
        source = "Some words.\n\nIt waits for\never, and more.\n"
        self.assertEqual(lines_with(prose.markdown, source), [3])
        source = "/* It waits\n * for\n * ever. */\n"
        self.assertEqual(lines_with(prose.c, source), [2])

    def test_paragraphs_are_not_joined(self):
        source = "It waits for\n\never, and more.\n"
        self.assertEqual(lines_with(prose.markdown, source), [])

    def test_code_spans_and_sessions_are_left_out(self):
        source = f"The text `{REFUSED}` is code, `for\never` too.\n"
        self.assertEqual(lines_with(prose.markdown, source), [])
        source = f"<!-- session -->\n\n    {REFUSED}\n\n{REFUSED}\n"
        self.assertEqual(lines_with(prose.markdown, source), [5])

    def test_drawings_and_tables_are_read(self):
        source = f"Text:\n\n    a  for ever\n\n| a | {REFUSED} |\n"
        self.assertEqual(lines_with(prose.markdown, source), [3, 5])

    def test_c_is_read_in_comments_strings_and_names_of_cases(self):
        source = (
            "int for_ever; // it is for ever\n"
            'char *text = "for ever";\n'
            "/* for ever */\n"
            "CASE(suite, it_waits_for_ever)\n"
        )
        self.assertEqual(lines_with(prose.c, source), [1, 2, 3, 4])

    def test_python_is_read_in_comments_and_strings(self):
        source = (
            '"""It waits\nfor ever."""\n'
            "for_ever = 1  # for ever\n"
            'text = f"{for_ever} for ever"\n'
        )
        self.assertEqual(lines_with(prose.python, source), [2, 3, 4])

    def test_assembly_scripts_and_headings_are_read(self):
        source = "\tnop\t; for ever\n"
        self.assertEqual(lines_with(prose.READERS[".asm"], source), [1])
        source = "#!/bin/sh\nloop # for ever\n"
        self.assertEqual(lines_with(prose.READERS[""], source), [2])
        source = "Title: for ever\n\n--- a/x\n+++ b/x\n for ever\n"
        self.assertEqual(lines_with(prose.READERS[".patch"], source), [1])


class Sizes(unittest.TestCase):
    """The spine is what lies directly in mm/, the semester adds the marked."""

    def check(self, sizes, marked):
        """What is printed and refused of {path: lines}."""
        problems = []
        read = mock.patch("tree.read", lambda path: "x\n" * sizes[path])
        printed = io.StringIO()
        with read, contextlib.redirect_stdout(printed):
            floors.check_sizes(sorted(sizes), marked, problems)
        return printed.getvalue(), problems

    def test_the_spine_is_the_files_directly_in_mm(self):
        sizes = {"mm/a.c": 10, "mm/b.h": 5, "mm/user/c.c": 7, "lib/d.c": 9}
        printed, problems = self.check(sizes, {"lib/d.c"})
        self.assertEqual(problems, [])
        self.assertIn("the spine: 15 lines", printed)
        self.assertIn("the semester: 24 lines", printed)

    def test_each_limit_may_be_reached_and_not_exceeded(self):
        sizes = {"mm/a.c": 6000, "lib/b.c": 4000}
        self.assertEqual(self.check(sizes, {"lib/b.c"})[1], [])
        sizes["lib/b.c"] += 1
        self.assertEqual(len(self.check(sizes, {"lib/b.c"})[1]), 1)
        self.assertEqual(self.check(sizes, set())[1], [])
        sizes["mm/a.c"] += 1
        self.assertEqual(len(self.check(sizes, set())[1]), 1)

    def test_a_mark_in_the_spine_is_refused(self):
        self.assertEqual(len(self.check({"mm/a.c": 1}, {"mm/a.c"})[1]), 1)


class Folders(unittest.TestCase):
    def problems(self, arrows):
        problems = []
        floors.check_folders(arrows, problems)
        return problems

    def test_one_way_is_accepted(self):
        arrows = {"a/x.c": ["b/y.h", "a/x.h"], "a/x.h": [], "b/y.h": []}
        self.assertEqual(self.problems(arrows), [])

    def test_ring_over_three_folders_is_refused_with_its_includes(self):
        arrows = {
            "a/x.c": ["b/y.h"],
            "b/y.h": [],
            "b/z.c": ["c/d/u.h"],
            "c/d/u.h": [],
            "c/d/v.c": ["a/w.h"],
            "a/w.h": [],
        }
        (problem,) = self.problems(arrows)
        for include in (
            "a/x.c includes b/y.h",
            "b/z.c includes c/d/u.h",
            "c/d/v.c includes a/w.h",
        ):
            self.assertIn(include, problem)

    def test_folder_and_its_subfolder_may_include_each_other(self):
        arrows = {
            "a/main.c": ["a/b/x.h"],
            "a/b/x.h": [],
            "a/b/x.c": ["a/y.h"],
            "a/y.h": [],
        }
        self.assertEqual(self.problems(arrows), [])

    def test_subfolders_of_one_folder_may_not(self):
        arrows = {
            "a/b/x.c": ["a/c/y.h"],
            "a/c/y.h": [],
            "a/c/y.c": ["a/b/x.h"],
            "a/b/x.h": [],
        }
        self.assertEqual(len(self.problems(arrows)), 1)


class Names(unittest.TestCase):
    ONE = "static int count(int a)\n{\n\treturn a;\n}\n"

    def test_a_static_name_that_exists_twice_is_found(self):
        problems = names.check({"a.c": self.ONE, "b.c": self.ONE})
        self.assertEqual(len(problems), 1)
        self.assertIn("a.c:1, b.c:1", problems[0])

    def test_over_two_lines_inline_and_pointers_too(self):
        source = (
            "static inline struct page *\ncount(struct node *node,\n"
            "      int a)\n{\n}\n"
        )
        self.assertEqual(
            len(names.check({"a.h": source, "b.c": self.ONE})), 1
        )

    def test_declarations_calls_and_cases_are_no_definitions(self):
        source = (
            "static int count(int a);\n"
            "CASE(suite, count)\n{\n\tcount(3);\n}\n"
            "/* static int count(int a)\n{ */\n"
        )
        self.assertEqual(names.check({"a.c": source, "b.c": self.ONE}), [])

    def test_stand_ins_of_the_host_may_share_a_name(self):
        source = "void panic(const char *format, ...)\n{\n}\n"
        self.assertEqual(names.check({"a.c": source, "b.c": source}), [])


class Assertions(unittest.TestCase):
    ONE = "static int f(void)\n{\n\tkassert(1);\n}\n"

    def kept(self, source):
        return assertions.without_checkers(source).count("kassert(")

    def test_a_function_with_check_in_its_name_does_not_count(self):
        source = self.ONE + self.ONE.replace(" f(", " f_check_all(")
        self.assertEqual(self.kept(source), 1)
        self.assertEqual(self.kept(self.ONE.replace(" f(", " checked(")), 1)

    def test_a_section_that_checks_does_not_count(self):
        both = "".join(
            f"/* ---- {heading} ------- */\n" + self.ONE
            for heading in ("Checking: sums", "Freeing")
        )
        self.assertEqual(self.kept(both), 1)


if __name__ == "__main__":
    unittest.main()
