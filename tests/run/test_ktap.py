#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The judge judged: one log for each way in which a self-test can end."""

import contextlib
import io
import unittest

import console
import ktap
from ktap import End, Kind, Log, verdict, verdict_of_program

GOOD = """\
\x1b[2JGNU GRUB\r
[    0.000] Labyrinth\r
KTAP version 1\r
1..2\r
    KTAP version 1\r
    # Subtest: buddy\r
    1..2\r
    ok 1 joins_two_free_buddies\r
[    0.100] a line of the log\r
    # a note\r
    ok 2 needs_more # SKIP smep\r
ok 1 buddy\r
    KTAP version 1\r
    # Subtest: pool\r
    1..1\r
    ok 1 takes_eight\r
ok 2 pool\r
[    0.200] another line\r
EXIT 16\r
"""

FAILED = (
    GOOD.replace("ok 1 takes_eight", "not ok 1 takes_eight # 7, not 8")
    .replace("ok 2 pool", "not ok 2 pool")
    .replace("EXIT 16", "EXIT 17")
)

STATUS = {16: 33, 17: 35, 18: 37}


def without(text, part):
    assert part in text
    return text.replace(part, "", 1)


def status(code):
    return End(ktap.END_STATUS, STATUS[code])


class WhatMakeRunSays(unittest.TestCase):
    """`make run` says that the self-test passed where the judge says it."""

    def said(self, text, end):
        words = io.StringIO()
        with contextlib.redirect_stderr(words):
            code = console.explain(text, end)
        self.assertEqual(code == 0, "passed: 3 cases" in words.getvalue())
        return code, words.getvalue()

    def test_passed(self):
        code, words = self.said(GOOD, status(16))
        self.assertEqual(code, 0)
        self.assertIn("3 cases, 0 failed, 1 skipped", words)

    def test_failed(self):
        code, words = self.said(FAILED, status(17))
        self.assertEqual(code, 1)
        self.assertIn("pool.takes_eight: 7, not 8", words)

    def test_no_lie_of_the_status_is_believed(self):
        for text in (
            FAILED.replace("EXIT 17", "EXIT 16"),
            without(GOOD, "    ok 1 takes_eight\r\n"),
            without(GOOD, "EXIT 16\r\n"),
            GOOD + GOOD,
            "",
        ):
            code, words = self.said(text, status(16))
            self.assertEqual(code, 1, text)
            self.assertNotIn("passed:", words)

    def test_panic(self):
        code, words = self.said("PANIC: no more\r\nEXIT 18\r\n", status(18))
        self.assertEqual(code, 1)
        self.assertIn("The kernel panicked: PANIC: no more", words)


class EachEnd(unittest.TestCase):
    def check(self, text, end, kind, reason=""):
        answer = verdict(Log(text), end)
        self.assertEqual(answer.kind, kind, answer.reason)
        self.assertIn(reason, answer.reason)

    def test_all_passed(self):
        self.check(GOOD, status(16), Kind.PASSED, "3 cases, 0 failed, 1 skip")

    def test_all_passed_without_a_status(self):
        self.check(GOOD, End(ktap.END_STOPPED), Kind.PASSED)

    def test_one_failed(self):
        reason = "1 failed, 1 skipped; pool.takes_eight: 7, not 8"
        self.check(FAILED, status(17), Kind.FAILED, reason)

    def test_many_failed(self):
        cases = "".join(f"    not ok {n} c{n} # no\n" for n in range(1, 8))
        text = FAILED.replace("    1..1", "    1..7").replace(
            "    not ok 1 takes_eight # 7, not 8\r\n", cases
        )
        reason = "pool.c3: no; pool.c4: no; and 3 more"
        self.check(text, status(17), Kind.FAILED, reason)

    def test_a_suite_failed_as_a_whole(self):
        text = FAILED.replace(
            "not ok 1 takes_eight # 7, not 8", "ok 1 takes_eight"
        ).replace("not ok 2 pool", "not ok 2 pool # leaks a page")
        self.check(text, status(17), Kind.FAILED)
        self.assertEqual(Log(text).failed[0].reason, "leaks a page")

    def test_panic(self):
        text = GOOD[: GOOD.index("ok 1 buddy")]
        text += "[    1.000] panic: page 0x12\nEXIT 18\n"
        self.check(text, status(18), Kind.PANIC, "page 0x12")

    def test_panic_told_by_the_status_alone(self):
        self.check(GOOD[:60], status(18), Kind.PANIC)

    def test_triple_fault(self):
        end = End(ktap.END_TRIPLE_FAULT, 0)
        self.check(GOOD, end, Kind.TRIPLE_FAULT, "after pool.takes_eight")

    def test_reboot(self):
        self.check(GOOD, End(ktap.END_REBOOT, 0), Kind.REBOOT)

    def test_power_off(self):
        self.check(GOOD, End(ktap.END_POWER_OFF, 0), Kind.POWER_OFF)

    def test_hang(self):
        self.check(GOOD, End(ktap.END_TIMEOUT), Kind.HANG)

    def test_ended_from_outside(self):
        self.check(GOOD, End(ktap.END_QUIT, 0), Kind.QUIT)

    def test_emulator_error(self):
        self.check("", End(ktap.END_EMULATOR, 1), Kind.EMULATOR)
        self.check(GOOD, End(ktap.END_STATUS, 2), Kind.EMULATOR)


class EachGap(unittest.TestCase):
    def check(self, text, reason, code=16):
        answer = verdict(Log(text), status(code))
        self.assertEqual(answer.kind, Kind.INCOMPLETE, answer.reason)
        self.assertIn(reason, answer.reason)

    def test_empty_log(self):
        self.check("EXIT 16\n", "no KTAP")

    def test_no_plan(self):
        self.check(without(GOOD, "1..2\r\n"), "the log: no plan")

    def test_no_plan_of_a_suite(self):
        self.check(without(GOOD, "    1..1\r\n"), "pool: no plan")

    def test_two_plans(self):
        self.check(GOOD.replace("\n1..2", "\n1..2\n1..2"), "second plan")

    def test_fewer_cases_than_planned(self):
        text = without(GOOD, "    ok 2 needs_more # SKIP smep\r\n")
        self.check(text, "planned 2, ran 1")

    def test_more_cases_than_planned(self):
        text = GOOD.replace("    1..1", "    1..1\n    ok 1 extra")
        self.check(text, "pool: number 1 (takes_eight) where 2 was due")

    def test_fewer_suites_than_planned(self):
        self.check(GOOD.replace("\n1..2", "\n1..3", 1), "planned 3, ran 2")

    def test_a_suite_that_ran_nothing(self):
        text = without(GOOD, "    ok 1 takes_eight\r\n")
        self.check(text.replace("    1..1", "    1..0"), "pool: ran nothing")

    def test_a_suite_without_a_word(self):
        text = GOOD[: GOOD.rindex("    KTAP")] + "ok 2 pool\nEXIT 16\n"
        self.check(text, "pool: ran nothing")

    def test_a_suite_without_a_result(self):
        self.check(without(GOOD, "ok 1 buddy\r\n"), "buddy: no result")

    def test_a_suite_that_ends_as_another(self):
        self.check(GOOD.replace("ok 2 pool", "ok 2 poll"), "pool ends as poll")

    def test_a_suite_that_hides_a_failure(self):
        text = FAILED.replace("not ok 2 pool", "ok 2 pool")
        self.check(text, "pool: ok, but", 17)

    def test_the_same_case_twice(self):
        text = GOOD.replace("needs_more # SKIP smep", "joins_two_free_buddies")
        self.check(text, "appears twice")

    def test_the_same_suite_twice(self):
        text = GOOD.replace("pool", "buddy")
        self.check(text, "buddy appears twice")

    def test_no_exit_line(self):
        self.check(without(GOOD, "EXIT 16\r\n"), "no EXIT line")

    def test_two_exit_lines(self):
        self.check(GOOD + "EXIT 16\n", "2 EXIT lines")

    def test_an_exit_line_of_another_kind(self):
        self.check(GOOD.replace("EXIT 16", "EXIT 9"), "EXIT 9 means nothing")

    def test_an_nmi_behind_the_exit_line_is_no_fault(self):
        log = Log(GOOD + "[    9.0] NMI received at uart_write+0x6 (32 so far)\n")
        self.assertEqual(log.problems, [])

    def test_text_behind_the_exit_line(self):
        self.check(GOOD + "[    9.0] still here\n", "text behind EXIT")

    def test_log_and_status_disagree(self):
        self.check(GOOD, "EXIT 16 in the log, but", 17)

    def test_exit_16_with_a_failure(self):
        self.check(FAILED.replace("EXIT 17", "EXIT 16"), "takes_eight failed")

    def test_exit_17_without_a_failure(self):
        text = GOOD.replace("EXIT 16", "EXIT 17")
        self.check(text, "no case failed", 17)

    def test_exit_16_with_a_panic_in_the_log(self):
        text = GOOD.replace("a line of the log", "panic: at the disco")
        self.check(text, "at the disco")

    def test_a_second_start(self):
        self.check(GOOD[: GOOD.index("EXIT")] + GOOD, "starts twice")


class Programs(unittest.TestCase):
    log = without(GOOD, "EXIT 16\r\n")
    failed = without(FAILED, "EXIT 17\r\n")

    def check(self, text, code, kind):
        answer = verdict_of_program(Log(text), code)
        self.assertEqual(answer.kind, kind, answer.reason)

    def test_passed(self):
        self.check(self.log, 0, Kind.PASSED)

    def test_failed(self):
        self.check(self.failed, 1, Kind.FAILED)

    def test_ended_by_a_signal(self):
        self.check(self.log, -11, Kind.PANIC)

    def test_ended_by_a_sanitizer(self):
        self.check(self.log, 99, Kind.PANIC)

    def test_log_and_status_disagree(self):
        self.check(self.log, 1, Kind.INCOMPLETE)
        self.check(self.failed, 0, Kind.INCOMPLETE)

    def test_broken_off(self):
        self.check(self.log[: self.log.index("ok 2 pool")], 0, Kind.INCOMPLETE)


class Obituary(unittest.TestCase):
    CRUMBS = "entry tables paging "

    def expect(self, kind, text, crumbs, sentence):
        self.assertEqual(ktap.obituary(End(kind), text, crumbs), sentence)

    def test_a_triple_fault_has_its_last_breadcrumb(self):
        said = 'triple fault after "paging"'
        self.expect(ktap.END_TRIPLE_FAULT, "", self.CRUMBS, said)

    def test_a_boot_that_never_began_has_none(self):
        said = "triple fault before the first step"
        self.expect(ktap.END_TRIPLE_FAULT, "GRUB\r\n", "", said)

    def test_silence_is_a_hang(self):
        self.expect(ktap.END_TIMEOUT, "", "entry ", 'hang after "entry"')

    def test_last_words_are_told(self):
        words = 'boot died: vector 6 (#UD), in kmain, after "entry"'
        crumbs = f"entry \r\n{words}"
        said = f'stopped after "entry": {words}'
        self.expect(ktap.END_TIMEOUT, f"entry \r\n{words}\r\n", crumbs, said)

    def test_a_panic_on_the_way_to_a_triple_fault_is_told(self):
        said = 'triple fault after "entry": PANIC: double fault, in boot'
        text = "[ 0.1] PANIC: double fault\r\n[ 0.2] in boot, CPU 0\r\n"
        self.expect(ktap.END_TRIPLE_FAULT, text, "entry ", said)


if __name__ == "__main__":
    unittest.main()
