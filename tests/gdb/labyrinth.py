# SPDX-License-Identifier: MIT
"""Loaded by gdb: the printers of printers.py and the commands of reports.py."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import printers  # noqa: E402 -- found by the line above
import reports  # noqa: E402

printers.register()
reports.register()
