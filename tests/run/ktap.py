# SPDX-License-Identifier: MIT
"""
Reads a self-test log and says what it is worth.

A machine reports the result of its self-test twice, in its log and by its exit
status, and the two must agree.  The log is KTAP with one level below the top:

    KTAP version 1                    the kernel's log lines, "[ 0.1] ...",
    1..2                              may stand between these
        KTAP version 1
        # Subtest: buddy
        1..2
        ok 1 joins_two_free_buddies
        ok 2 runs_on_big_iron # SKIP iron
    ok 1 buddy
    ...
    EXIT 16

16 says that all passed, 17 that something failed, 18 that the kernel panicked;
QEMU ends with twice that and one.  A log that breaks off, promises more than it
keeps, repeats itself or says something else than the exit status is not a pass,
whatever its lines say.
"""

import enum
import re
from typing import NamedTuple, Optional

EXIT_PASSED = 16
EXIT_FAILED = 17
EXIT_PANIC = 18

# How many failed cases a verdict names.
NAMED_FAILURES = 4

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PLAN = re.compile(r"1\.\.(\d+)$")
_RESULT = re.compile(r"(ok|not ok) (\d+) -? ?([^\s#]+)\s*(?:#\s*(.*))?$")
_NMI = re.compile(r"\[ *\d+\.\d+\] NMI received at ")
_EXIT = re.compile(r"EXIT (\d+)$")
_PANIC = re.compile(r"(\[[^\]]*\]\s*)?(kernel )?panic\b", re.IGNORECASE)
_INDENT = "    "


def plain_lines(text):
    """The lines of a console, without colours and carriage returns."""
    return _ANSI.sub("", text).replace("\r", "").split("\n")


class Case(NamedTuple):
    suite: str
    name: str
    outcome: str  # "passed", "failed", "skipped"
    reason: str

    @property
    def full_name(self):
        return f"{self.suite}.{self.name}"


class Level:
    """One plan and the numbered results under it."""

    def __init__(self, name):
        self.name = name
        self.planned: Optional[int] = None
        self.names = []

    def plan(self, number, problems):
        if self.planned is not None:
            problems.append(f"{self.name}: a second plan")
        if self.names:
            problems.append(f"{self.name}: the plan follows a result")
        if number == 0:
            problems.append(f"{self.name}: ran nothing")
        self.planned = number

    def result(self, number, name, problems):
        if number != len(self.names) + 1:
            problems.append(
                f"{self.name}: number {number} ({name}) where "
                f"{len(self.names) + 1} was due"
            )
        if name in self.names:
            problems.append(f"{self.name}: {name} appears twice")
        self.names.append(name)

    def close(self, problems):
        if self.planned is None:
            problems.append(f"{self.name}: no plan")
        elif self.planned != len(self.names):
            problems.append(
                f"{self.name}: planned {self.planned}, ran {len(self.names)}"
            )


class Log:
    """The contents of a self-test log, and the problems found in it."""

    def __init__(self, text):
        self.cases = []
        self.exits = []
        self.problems = []
        self.panic_line = None
        self.started = False
        self._top = Level("the log")
        self._suite = None
        self._failed_in_suite = False
        for line in plain_lines(text):
            self._line(line.rstrip())
        self._end()

    @property
    def failed(self):
        return [case for case in self.cases if case.outcome == "failed"]

    @property
    def names(self):
        return [case.full_name for case in self.cases]

    def _line(self, line):
        if self.panic_line is None and _PANIC.match(line):
            self.panic_line = line.strip()
        if not line:
            return
        found = _EXIT.match(line)
        if found:
            self.exits.append(int(found.group(1)))
        elif self.exits and _NMI.match(line):
            pass  # it may arrive at any instruction, the last ones included
        elif self.exits:
            self.problems.append(f"text behind EXIT: {line.strip()!r}")
        elif line == "KTAP version 1":
            if self.started:
                self.problems.append("the log starts twice")
            self.started = True
        elif self.started and not line.startswith("["):
            if line.startswith(_INDENT):
                self._inner(line.strip())
            else:
                self._outer(line)

    def _outer(self, line):
        plan, result = _PLAN.match(line), _RESULT.match(line)
        if plan:
            self._top.plan(int(plan.group(1)), self.problems)
        elif result:
            self._suite_result(*result.groups())

    def _inner(self, line):
        plan, result = _PLAN.match(line), _RESULT.match(line)
        if line.startswith("# Subtest: "):
            if self._suite is not None:
                self._abandon_suite()
            self._suite = Level(line.split(": ", 1)[1].strip())
            self._failed_in_suite = False
        elif self._suite is None:
            if plan or result:
                self.problems.append(f"a case outside of a suite: {line}")
        elif plan:
            self._suite.plan(int(plan.group(1)), self.problems)
        elif result:
            self._case_result(*result.groups())

    def _case_result(self, word, number, name, comment):
        comment = comment or ""
        self._suite.result(int(number), name, self.problems)
        outcome = "passed"
        if comment.upper().startswith("SKIP"):
            outcome, comment = "skipped", comment[4:].strip()
        if word == "not ok":
            outcome = "failed"
            self._failed_in_suite = True
        self.cases.append(Case(self._suite.name, name, outcome, comment))

    def _suite_result(self, word, number, name, comment):
        self._top.result(int(number), name, self.problems)
        if self._suite is None:
            self.problems.append(f"{name}: ran nothing")
            return
        if name != self._suite.name:
            self.problems.append(f"{self._suite.name} ends as {name}")
        if word == "ok" and self._failed_in_suite:
            self.problems.append(f"{name}: ok, but a case of it failed")
        if word == "not ok" and not self._failed_in_suite:
            # Checks after the cases: leaks, invariants.
            reason = comment or "the suite as a whole"
            self.cases.append(Case(name, "(suite)", "failed", reason))
        self._suite.close(self.problems)
        self._suite = None

    def _abandon_suite(self):
        self._suite.close(self.problems)
        self.problems.append(f"{self._suite.name}: no result")
        self._suite = None

    def _end(self):
        if self._suite is not None:
            self._abandon_suite()
        if self.started:
            self._top.close(self.problems)
        else:
            self.problems.append("no KTAP at all")


class End(NamedTuple):
    """How a machine ended, as seen from outside."""

    kind: str  # one of the constants below
    status: Optional[int] = None  # of the emulator's process

    def __str__(self):
        if self.kind == END_STATUS:
            return f"ended with status {self.status}"
        return self.kind


END_STATUS = "status"  # the process's exit status is the guest's word
END_STOPPED = "stopped"  # the guest ended it without a status (Bochs)
END_POWER_OFF = "power-off"
END_REBOOT = "reboot"
END_TRIPLE_FAULT = "triple fault"
END_QUIT = "ended from outside"
END_TIMEOUT = "time limit"
END_EMULATOR = "emulator error"


class Kind(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    PANIC = "panic"
    TRIPLE_FAULT = "triple fault"
    REBOOT = "reboot"
    POWER_OFF = "power-off"
    HANG = "hang"
    INCOMPLETE = "incomplete log"
    QUIT = "ended from outside"
    EMULATOR = "emulator error"


class Verdict(NamedTuple):
    kind: Kind
    reason: str


_UNASKED_ENDS = {
    END_TIMEOUT: Kind.HANG,
    END_TRIPLE_FAULT: Kind.TRIPLE_FAULT,
    END_REBOOT: Kind.REBOOT,
    END_POWER_OFF: Kind.POWER_OFF,
    END_QUIT: Kind.QUIT,
    END_EMULATOR: Kind.EMULATOR,
}


def _exit_problem(log, end):
    """The fault of the EXIT line, or None."""
    if not log.exits:
        return "no EXIT line"
    if len(log.exits) > 1:
        return f"{len(log.exits)} EXIT lines"
    code = log.exits[0]
    if code not in (EXIT_PASSED, EXIT_FAILED, EXIT_PANIC):
        return f"EXIT {code} means nothing"
    if end.kind == END_STATUS and end.status != 2 * code + 1:
        return f"EXIT {code} in the log, but {end}"
    return None


def verdict(log, end):
    """A machine's self-test: its log and its end."""
    if end.kind in _UNASKED_ENDS:
        where = f"after {log.cases[-1].full_name}" if log.cases else "before the first case"
        reason = f"{end}, {where}"
        return Verdict(_UNASKED_ENDS[end.kind], reason)
    if end.kind == END_STATUS and end.status & 1 == 0:
        return Verdict(Kind.EMULATOR, str(end))
    said_panic = end.kind == END_STATUS and end.status == 2 * EXIT_PANIC + 1
    if said_panic or EXIT_PANIC in log.exits:
        return Verdict(Kind.PANIC, log.panic_line or "EXIT 18")
    problem = _exit_problem(log, end)
    if problem is None and log.problems:
        problem = log.problems[0]
    passed = log.exits == [EXIT_PASSED]
    if problem is None and passed and log.failed:
        problem = f"EXIT 16, but {log.failed[0].full_name} failed"
    if problem is None and not passed and not log.failed:
        problem = "EXIT 17, but no case failed"
    if problem is None and log.panic_line and passed:
        problem = f"EXIT 16, but the log says: {log.panic_line}"
    if problem is not None:
        return Verdict(Kind.INCOMPLETE, problem)
    return _verdict_of_complete(log)


_LAST_WORDS = re.compile(r"boot died: .*|Labyrinth (?:must|needs) .*")
# The cause, and the context in the line behind it.
_PANIC_WORDS = re.compile(r"(PANIC: .*)(?:\n(?:\[[^\]]*\] )?(in [^,]*),)?")


def _last_words(text):
    text = "\n".join(plain_lines(text))
    panic, said = _PANIC_WORDS.search(text), _LAST_WORDS.search(text)
    if panic:
        return ", ".join(filter(None, panic.groups()))
    return said.group().strip() if said else None


def obituary(end, text, crumbs):
    """
    One sentence about a boot that did not get through: how the machine ended,
    or that it stands, then the kernel's own words or its last breadcrumb.
    """
    words = crumbs.split("\n")[0].split()
    last = f'after "{words[-1]}"' if words else "before the first step"
    said = _last_words(text)
    if end.kind == END_TIMEOUT and said:
        return f"stopped {last}: {said}"
    if end.kind == END_TIMEOUT:
        return f"hang {last}"
    return f"{end} {last}" + (f": {said}" if said else "")


def verdict_of_program(log, status):
    """A host program that prints the same log and ends with 0 or 1."""
    if status not in (0, 1):
        how = f"signal {-status}" if status < 0 else f"status {status}"
        last = log.names[-1] if log.names else "nothing"
        return Verdict(Kind.PANIC, f"{how}, after {last}")
    problem = log.problems[0] if log.problems else None
    if problem is None and log.exits:
        problem = "an EXIT line from a program"
    if problem is None and (status == 0) == bool(log.failed):
        problem = f"status {status}, but {len(log.failed)} failed"
    if problem is not None:
        return Verdict(Kind.INCOMPLETE, problem)
    return _verdict_of_complete(log)


def _verdict_of_complete(log):
    """The verdict on a log that agrees with its end."""
    skipped = sum(case.outcome == "skipped" for case in log.cases)
    counts = (
        f"{len(log.cases)} cases, {len(log.failed)} failed, {skipped} skipped"
    )
    if not log.failed:
        return Verdict(Kind.PASSED, counts)
    return Verdict(Kind.FAILED, f"{counts}; {_failures(log)}")


def _failures(log):
    """The cases that failed, each with its sentence; the first of many."""
    named = [f"{case.full_name}: {case.reason}" for case in log.failed]
    if len(named) > NAMED_FAILURES:
        more = len(named) - NAMED_FAILURES
        named[NAMED_FAILURES:] = [f"and {more} more"]
    return "; ".join(named)
