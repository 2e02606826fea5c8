#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: book.py [DOCUMENT]...

Plays the sessions in the book again, and writes the numbers of today into it.

A session in README.md or docs/*.md is an indented block behind a line

    <!-- session memory=128M cpu=max disk within=5% append="hz=100" -->

(a comment of Markdown: a reader of the page does not see it).  A line that begins with
the prompt is typed at a machine's serial console, and the lines after it
are the expected answer, word by word; wrapping and spacing do not matter.
The word "..", or "..." stands for any words, none included.  The lines before the
first prompt must be in the log of the boot.

within=5% lets each number differ by so much, for those that follow from the size of
the kernel; else each digit counts.  Time is counted in instructions, so that a busy
host changes nothing.

A fact is a number in a sentence: FACTS below has, for each, the document, the sentence,
and the command that has a machine answer it.

`make test` compares (tests/run/boot_book.py); this program, `make transcripts`, replaces the
numbers that differ and fails where a word does.
"""

import glob
import os
import re
import shlex
import sys

from lab import Lab, command, disk_copy
from machine import ROOT, Failure, end_on_signals
from qemu import GUEST_TIME

MARKER = re.compile(r"<!-- session(.*)-->\s*$")
INDENT = "    "
PROMPT = "labyrinth> "
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NUMBER = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?")
ANYTHING = ("..", "...")


def documents():
    paths = glob.glob(os.path.join(ROOT, "docs", "*.md"))
    return [os.path.join(ROOT, "README.md"), *sorted(paths)]


def title_of(path):
    return os.path.relpath(path, ROOT)


class Exchange:
    """A command (None: the log of the boot) and the lines of the answer."""

    def __init__(self, typed):
        self.typed = typed
        self.lines = []  # (number of the line in the document, its text)


class Session:
    def __init__(self, place, options):
        self.place = place
        self.machine = {"cpu": "max", "memory": "128M"}
        self.append = ""
        self.disk = False
        self.within = 0.0
        self.exchanges = [Exchange(None)]
        for word in shlex.split(options):
            self._option(*word.partition("=")[::2])

    def _option(self, name, value):
        if name in self.machine:
            self.machine[name] = value
        elif name == "within" and value.endswith("%"):
            self.within = float(value[:-1]) / 100
        elif name == "append":
            self.append = value
        elif name == "disk" and not value:
            self.disk = True
        else:
            raise Failure(f"{self.place}: what is {name!r} of a session?")

    def add(self, number, text):
        if text.startswith(PROMPT):
            self.exchanges.append(Exchange(text[len(PROMPT) :].strip()))
        elif text.strip():
            self.exchanges[-1].lines.append((number, text))


def read(path):
    """The sessions of the document at PATH; every prompt must be in one."""
    sessions = []
    session = None
    for number, line in enumerate(lines_of(path)):
        marker = MARKER.match(line)
        if marker:
            place = f"{title_of(path)}:{number + 1}"
            session = Session(place, marker.group(1))
            sessions.append(session)
        elif not line.startswith(INDENT) and line.strip():
            session = None
        elif session:
            session.add(number, line[len(INDENT) :])
        elif line.startswith(INDENT + PROMPT):
            place = f"{title_of(path)}:{number + 1}"
            raise Failure(f"{place}: this prompt belongs to no session")
    return sessions


def lines_of(path):
    with open(path) as file:
        return file.read().split("\n")


# ---- Comparing ----


class Word:
    def __init__(self, line, column, text):
        self.line, self.column, self.text = line, column, text


def words_of(lines):
    return [
        Word(number, m.start(), m.group())
        for number, text in lines
        for m in re.finditer(r"\S+", text)
    ]


def shape(text):
    return NUMBER.sub("#", text)


def near(book, machine, within):
    """Do the numbers of two words of one shape agree?"""
    for ours, theirs in zip(NUMBER.findall(book), NUMBER.findall(machine)):
        if ours == theirs:
            continue
        if not within or ours.startswith("0x"):
            return bool(within)
        wanted, is_now = float(ours), float(theirs)
        if abs(wanted - is_now) > within * max(wanted, is_now):
            return False
    return True


def align(book, said, whole):
    """
    Pairs (word of the book, word of the machine) of one shape, in order, with
    nothing left out but where the book says so; WHOLE: the answer has no more.
    None if there is no such way.
    """
    start = {(0, 0): None}
    todo = [(0, 0)] if whole else [(0, j) for j in range(len(said) + 1)]
    start.update({state: None for state in todo})
    while todo:
        i, j = state = todo.pop()
        if i == len(book) and (not whole or j == len(said)):
            return _path(start, state, book, said)
        steps = []
        if i < len(book) and book[i].text in ANYTHING:
            steps.append((i + 1, j))
            if j < len(said):
                steps.append((i, j + 1))
        elif i < len(book) and j < len(said):
            if shape(book[i].text) == shape(said[j]):
                steps.append((i + 1, j + 1))
        for step in steps:
            if step not in start:
                start[step] = state
                todo.append(step)
    return None


def _path(start, state, book, said):
    pairs = []
    while start[state] is not None:
        before = start[state]
        if state == (before[0] + 1, before[1] + 1):
            pairs.append((book[before[0]], said[before[1]]))
        state = before
    return pairs[::-1]


def differences(session, exchange, answer):
    """[(word of the book, what the machine says now)]; Failure if words differ."""
    said = COLOUR.sub("", answer).split()
    if exchange.typed is None:
        said = [w for w in said if not re.fullmatch(r"\[|\d+\.\d+\]", w)]
    book = words_of(exchange.lines)
    if not book:
        return []
    pairs = align(book, said, exchange.typed is not None)
    if pairs is None:
        what = exchange.typed or "the boot"
        raise Failure(f"{session.place}: {what!r} said {answer[-1500:]!r}")
    return [(b, s) for b, s in pairs if not near(b.text, s, session.within)]


def play(session, directory):
    """All differences of SESSION."""
    found = []
    lab = Lab(directory)
    options = dict(session.machine, more=GUEST_TIME)
    if session.disk:
        options["disk"] = disk_copy(lab.directory)
    with lab.prompt(session.append, **options) as machine:
        log = machine.console.text.replace("\r", "")
        for exchange in session.exchanges:
            if exchange.typed is None:
                answer = log
            else:
                answer = command(machine, exchange.typed)
            found += differences(session, exchange, answer)
    return found


# ---- Facts ----


class Fact:
    """
    DOCUMENT has the SENTENCE (white space may be anything); its one group is
    the number that ANSWER's group finds in what a machine with MEMORY says to
    TYPED (None: in the log of its boot), in units of UNIT, or nearly.
    """

    def __init__(
        self, document, sentence, memory, typed, answer, within=0.0, unit=1
    ):
        self.document = document
        self.sentence = re.compile(sentence.replace(" ", r"\s+"))
        self.memory = memory
        self.typed = typed
        self.answer = re.compile(answer, re.MULTILINE)
        self.within = within
        self.unit = unit

    def find(self, pattern, text, where):
        found = pattern.search(text)
        if not found:
            raise Failure(f"{where} has no {pattern.pattern!r}")
        return found

    def number_in(self, text):
        found = self.find(self.answer, text, self.typed or "the log")
        return str(int(found.group(1)) // self.unit)


MANAGED = r"^ +managed +(\d+)"
FACTS = (
    Fact(
        "docs/05-watermarks-and-reserves.md",
        r"With 4 MB, a kernel managed (\d+) pages",
        "4M",
        "zoneinfo",
        MANAGED,
        0.03,
    ),
    Fact(
        "docs/05-watermarks-and-reserves.md",
        r"the formulas give min (\d+)",
        "4M",
        "zoneinfo",
        r"^ +min +(\d+)",
        0.03,
    ),
    Fact(
        "docs/05-watermarks-and-reserves.md",
        r"and (\d+) as the floor of GFP_ATOMIC",
        "4M",
        "gfp GFP_ATOMIC",
        r"^DMA(?: +\d+){3} +(\d+)",
        0.03,
    ),
    Fact(
        "docs/06-exclusive-ownership.md",
        r"(\d+) managed \(4 MB\)",
        "4M",
        "zoneinfo",
        MANAGED,
        0.03,
    ),
    Fact(
        "docs/06-exclusive-ownership.md",
        r"(\d+) managed \(128 MB\)",
        "128M",
        "meminfo",
        r"^MemTotal: +(\d+) kB",
        0.01,
        4,
    ),
    Fact(
        "docs/01-boot.md",
        r"\(about (\d+) with 64 MB\)",
        "64M",
        None,
        r"or a guard: (\d+) mappings",
        0.1,
    ),
)


def differing_facts(path):
    """[(where its number is in the text of PATH, the number of today)]."""
    text = "\n".join(lines_of(path))
    found = []
    for count, fact in enumerate(FACTS):
        if fact.document != title_of(path):
            continue
        where = fact.find(fact.sentence, text, fact.document).span(1)
        lab = Lab(f"book-fact-{count}")
        with lab.prompt(memory=fact.memory, more=GUEST_TIME) as machine:
            said = machine.console.text
            if fact.typed:
                said = command(machine, fact.typed)
        now = fact.number_in(said)
        if not near(text[slice(*where)], now, fact.within):
            found.append((where, now))
    return found


# ---- A document ----


def sessions_of(path):
    name = os.path.basename(path)[:-3]
    for count, session in enumerate(read(path)):
        yield session, f"book-{name}-{count}"


def check_document(path):
    """Raise Failure where PATH does not say what machines say today."""
    old = []
    for session, directory in sessions_of(path):
        for word, now in play(session, directory):
            old.append(f"line {word.line + 1}: {word.text}, today {now}")
    text = "\n".join(lines_of(path))
    for (start, end), now in differing_facts(path):
        line = text.count("\n", 0, start) + 1
        old.append(f"line {line}: {text[start:end]}, today {now}")
    if old:
        raise Failure(f"make transcripts: {title_of(path)}: {'; '.join(old)}")


def rewrite(path):
    """Put today's numbers into PATH.  Returns how many differed."""
    facts = differing_facts(path)
    text = "\n".join(lines_of(path))
    for (start, end), now in sorted(facts, reverse=True):
        text = text[:start] + now + text[end:]
    lines = text.split("\n")
    changes = []
    for session, directory in sessions_of(path):
        changes += play(session, directory)
    for word, now in sorted(changes, key=lambda c: -c[0].column):
        at = word.column + len(INDENT)
        line = lines[word.line]
        lines[word.line] = line[:at] + now + line[at + len(word.text) :]
    if changes or facts:
        with open(path, "w") as file:
            file.write("\n".join(lines))
    return len(changes) + len(facts)


def main(names):
    status = 0
    for path in documents():
        if names and not any(name in path for name in names):
            continue
        try:
            count = rewrite(path)
            if count:
                print(f"{title_of(path)}: {count} numbers renewed")
        except Failure as failure:
            print(failure)
            status = 1
    return status


if __name__ == "__main__":
    end_on_signals()
    sys.exit(main(sys.argv[1:]))
