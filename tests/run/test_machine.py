#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits: a busy host does not reach them, and a machine that hangs does."""

import os
import subprocess
import sys
import time
import unittest
from unittest import mock

import machine
from machine import Deadline, scaled, wait_for, waited_for_a_cpu

LOOP = "import os\nos.sched_setaffinity(0, {%d})\nwhile True: pass"


def loops(count):
    """So many programs that want the same CPU all the time."""
    cpu = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", LOOP % cpu]
    return [subprocess.Popen(command) for _ in range(count)]


class Limits(unittest.TestCase):
    def test_what_others_had_of_the_cpu_is_not_counted(self):
        with mock.patch.object(machine, "waited_for_a_cpu") as waited:
            waited.return_value = 3
            deadline = Deadline(0, pid=1)
            self.assertLessEqual(deadline.left(), 0)
            waited.return_value = 8
            self.assertGreater(deadline.left(), 4)

    def test_two_for_one_cpu_wait_for_it(self):
        both = loops(2)
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                waited = [waited_for_a_cpu(process.pid) for process in both]
                if min(waited) > 0.05:
                    break
            self.assertGreater(min(waited), 0.05)
        finally:
            for process in both:
                process.kill()
                process.wait()

    def test_what_hangs_on_a_busy_host_reaches_its_limit(self):
        both = loops(2)
        try:
            with mock.patch.dict(os.environ, LABYRINTH_TIME="1"):
                with self.assertRaises(subprocess.TimeoutExpired):
                    wait_for(both[0], 0.2)
            self.assertIsNotNone(both[0].returncode)
        finally:
            for process in both:
                process.kill()
                process.wait()

    def test_a_slow_host_has_longer_limits(self):
        with mock.patch.dict(os.environ, LABYRINTH_TIME="2.5"):
            self.assertEqual(scaled(4), 10)
            self.assertGreater(Deadline(4).left(), 9)


if __name__ == "__main__":
    unittest.main()
