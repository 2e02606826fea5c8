#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutations drawn by a program: what is changed, what is left alone, what is drawn."""

import contextlib
import os
import sys
import tempfile
import unittest

import mutations
from mutations import Equivalent, equivalents, mutations_of, problems_of

ONE = """
#define TWICE(x) ((x) + (x)) /* a + b */
static const int table[] = { 1, 2 };
static_assert(sizeof(int) == 4, "an int");

static int %s(int a, int b)
{
%s
\tfinish();
}
"""


def made_of(body, name="work"):
    return mutations_of("file.c", ONE % (name, body))


def pairs(body):
    return {(m.before, m.after) for m in made_of(body)}


class Places(unittest.TestCase):
    def test_each_kind_is_found(self):
        self.assertEqual(
            pairs("\tif (a < 3)\n\t\twork(a);"),
            {
                ("if (a < 3)", "if (a <= 3)"),
                ("if (a < 3)", "if (a < 4)"),
                ("if (a < 3)", "if (a < 2)"),
                ("if (a < 3)", "if (a < 0)"),
                ("if (a < 3)", "if (!(a < 3))"),
                ("if (a < 3)", "if (false)"),
                ("if (a < 3)", "if (true)"),
                ("work(a);", ";"),
                ("finish();", ";"),
            },
        )

    def test_what_people_read_is_left_alone(self):
        rest = {("finish();", ";")}
        for quiet in (
            '\tprintk("%d < %d", a + 1, b == 2);',
            "\tkassert(a < 3 && b == 4);",
            "\t/* a < b; a = 1; */",
            "#if A < 3\n#define B \\\n\t(1 + 2)\n#endif",
            '\tstatic_assert(1 + 1 == 2, "two");',
        ):
            self.assertEqual(pairs(quiet), rest, quiet)

    def test_a_sign_is_no_operator_and_an_address_no_mask(self):
        texts = pairs("\ta = -b;\n\twork(&b);\n\treturn -a;")
        self.assertEqual({after for _, after in texts}, {";"})

    def test_a_declaration_is_no_statement(self):
        self.assertEqual(pairs("\tint c = a;\n\tint *d = &a;"), {("finish();", ";")})

    def test_the_last_return_of_a_function_stays(self):
        text = """
static int work(int a)
{
\tswitch (a) {
\tcase A:
\t\treturn b;
\tdefault:
\t\treturn c;
\t}
}

static void loop(int a)
{
\twhile (a) {
\t\treturn;
\t}
}
"""
        found = [m.line for m in mutations_of("file.c", text) if m.kind == "statement"]
        self.assertEqual(found, [6, 15])

    def test_no_line_behind_a_change_moves(self):
        for mutation in made_of("\twork(a,\n\t     b);\n\twhile (a &&\n\t       b)\n\t\ta--;"):
            text = ONE % ("work", "\twork(a,\n\t     b);\n\twhile (a &&\n\t       b)\n\t\ta--;")
            changed = mutation.apply(text)
            self.assertNotEqual(changed, text)
            self.assertEqual(changed.count("\n"), text.count("\n"))

    def test_equals_of_a_function_are_numbered(self):
        numbers = [m.number for m in made_of("\ta++;\n\tb++;\n\ta++;") if m.before == "a++;"]
        self.assertEqual(numbers, [1, 1, 2, 2])  # a-- and nothing, each twice


class Draw(unittest.TestCase):
    def names(self, text, seed):
        lines = {}
        for mutation in mutations_of("file.c", text):
            lines.setdefault(mutation.line, []).append(mutation)
        chosen = [mutations.one_of_line(seed, line) for line in lines.values()]
        return [m.name for m in sorted(chosen, key=lambda m: m.rank(seed))]

    def test_a_seed_draws_the_same_where_lines_have_moved(self):
        text = ONE % ("work", "\tif (a < 3)\n\t\ta = b + 1;\n\tb = a;")
        moved = text.replace("static int", "\n/* moved */\nstatic int")
        for seed in range(20):
            self.assertEqual(self.names(text, seed), self.names(moved, seed))
        drawn = {tuple(self.names(text, seed)) for seed in range(20)}
        self.assertGreater(len(drawn), 1)


class List(unittest.TestCase):
    def entries(self, text):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "list")
            with open(path, "w") as file:
                file.write(text)
            return equivalents(path)

    def test_an_entry_is_a_place_a_change_and_a_reason(self):
        text = "# head\n\nmm/a.c work 2\n- a  < 3\n+ a <= 3\nboth\n  same\n\nmm/b.c f\n- x\n+ y\nz\n"
        self.assertEqual(
            self.entries(text),
            [
                Equivalent(("mm/a.c", "work", "a < 3", "a <= 3"), 2, "both same", 3),
                Equivalent(("mm/b.c", "f", "x", "y"), 1, "z", 9),
            ],
        )

    def test_an_entry_whose_place_is_gone_is_told(self):
        gone = Equivalent(("mm/gone.c", "work", "a", "b"), 1, "reason", 3)
        mute = Equivalent(("mm/gone.c", "work", "a", "c"), 1, "", 8)
        said = problems_of([gone, gone, mute])
        self.assertIn("tests/mutate/equivalent.txt:3: no such change in mm/gone.c", said)
        self.assertIn("tests/mutate/equivalent.txt:8: no reason", said)
        self.assertTrue(any(text.startswith("listed twice") for text in said))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(unittest.main())
