#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: conformance.py [--replay | --write]

The questions of tests/conformance/questions.c, put to a Linux 6.12 of Debian in QEMU and
to Labyrinth's mm/ on the host, and the answers side by side.

Without an option (`make conformance`) Linux answers, twice, and its answers are kept in
tests/conformance/linux.txt.  The packages are unpacked below build/, not installed.
--replay, as in `make test`, asks Labyrinth and compares with that file.  A difference must
have a reason in tests/conformance/reasons.txt, and each reason must have as many
differences as it says; docs/conformance.md must be what these files make of it.  --write
writes that page, and asks nobody else.

All answers are in build/conformance/report.txt.  Exit status 1: a difference without a
reason, a reason without its differences, or a page that is not the newest.
"""

import fnmatch
import glob
import os
import re
import subprocess
import sys
from typing import NamedTuple

from linux import boot, build_module, initramfs, run
from machine import BUILD, ROOT, scaled

FOLDER = "tests/conformance"
RECORDING = os.path.join(ROOT, FOLDER, "linux.txt")
REASONS = os.path.join(ROOT, FOLDER, "reasons.txt")
PAGE = os.path.join(ROOT, "docs", "conformance.md")
CHECKED = os.path.join(ROOT, "docs", "checked.md")
PLACE = os.path.join(BUILD, "conformance")
PROGRAM = os.path.join(BUILD, "host", "conformance")
LIMIT = scaled(900)
# The zone of the questions is DMA32, then NORMAL.
MEMORY = ("-m 512", "-m 5G")
# Nobody else is to disturb: no pressure statistics, no watchdogs, no huge pages.
LINE = "psi=0 nowatchdog rcupdate.rcu_cpu_stall_suppress=1 transparent_hugepage=never"

# The first word of a question, and what the questions are.
GROUPS = {
    "drain": "How many pages does a mask leave in the zone before it gets NULL?",
    "zones": "From which of two zones do pages come, and how many stay there?",
    "marks": "Which marks and reserves have zones of these sizes?",
    "lists": "How long are a CPU's lists?",
    "split": "Which part of a block is given, and where do the others wait?",
    "merge": "What becomes of single pages that come back in this order?",
    "walk": "Which frames do random calls get, and what is free then?",
    "reference": "What is freed under an extra reference, what by its end?",
    "exact": "What does alloc_pages_exact() take and leave?",
    "bulk": "How many pages does a bulk request give?",
    "claim": "Does a request of another type claim the pageblock, or a page?",
    "fallback": "Which type and order is taken from when the own list is empty?",
    "fragment": "Is a page of a lower zone better than a mixed pageblock?",
    "boost": "How far do claims raise the marks?",
    "reserve": "How many pageblocks become HIGHATOMIC?",
    "use": "Who gets pages of a HIGHATOMIC pageblock?",
    "giveup": "When is a HIGHATOMIC pageblock given up?",
    "room": "Is compaction tried again, after it was skipped?",
    "pfmemalloc": "Which pages are marked as taken without watermarks?",
    "counters": "What do the counters of a call say?",
    "stack": "Which frames come off a CPU's list?",
    "level": "How many pages wait on a CPU's list?",
    "scene": "What becomes of random requests in random zones?",
    "scenes": "And of those in fifty zones at a time?",
    "rungs": "Which passes, reclaims, compactions and kills are tried?",
}


class Fails(Exception):
    """A sentence for people."""


# ---- Linux --------------------------------------------------------------------


def release():
    """The newest one on offer: 6.12.111+deb12-cloud-amd64."""
    pattern = r"^linux-headers-6\.12\.[0-9]+.*-cloud-amd64$"
    words = ("apt-cache", "search", "--names-only", pattern)
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^linux-headers-(6\.12\.\S+)", found, re.MULTILINE)
    if not names:
        raise Fails("apt offers no Linux 6.12 of Debian (apt-get update?)")
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def unpack(version):
    """The image, the headers, and the programs that build a module."""
    family = version.replace("-cloud-amd64", "")
    packages = [f"linux-image-{version}", f"linux-headers-{version}"]
    packages += [f"linux-headers-{family}-common", f"linux-kbuild-{family}"]
    headers = os.path.join(PLACE, "usr", "src", f"linux-headers-{version}")
    if os.path.exists(os.path.join(PLACE, "unpacked-" + version)):
        return headers
    for package in packages:
        run("apt-get", "-q", "download", package, cwd=PLACE)
        for path in glob.glob(os.path.join(PLACE, package + "_*.deb")):
            run("dpkg-deb", "-x", path, PLACE)
            os.unlink(path)
    # Its makefile names the place where the packages would be installed.
    path = os.path.join(headers, "Makefile")
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("/usr/src/", os.path.join(PLACE, "usr/src/"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    # The type information of a module would need one more program.
    if os.path.exists(os.path.join(headers, "vmlinux")):
        os.unlink(os.path.join(headers, "vmlinux"))
    with open(os.path.join(PLACE, "unpacked-" + version), "w", encoding="utf-8"):
        pass
    return headers


def ask_linux():
    """The text of a recording."""
    os.makedirs(PLACE, exist_ok=True)
    version = release()
    headers = unpack(version)
    files = initramfs(build_module(headers, FOLDER, PLACE), PLACE)
    image = os.path.join(PLACE, "boot", f"vmlinuz-{version}")
    text = "# Written by `make conformance`: what a Linux of Debian answered to\n"
    text += f"# tests/conformance/questions.c.\nlinux: {version}\n"
    for memory in MEMORY:
        said = boot(image, files, PLACE, LIMIT, memory, LINE)
        text += "".join(line + "\n" for line in answers_of(said))
    return text


def answers_of(said):
    """The lines of one Linux, which has answered all twice."""
    lines = re.findall(r"conformance: (.*: .*?)\r?$", said, re.MULTILINE)
    begin = [i for i, line in enumerate(lines) if line.endswith("again")]
    if "conformance: end" not in said or len(begin) != 2:
        raise Fails(f"Linux did not come to its end: {PLACE}/serial.log")
    first, again = lines[begin[0] + 1 : begin[1]], lines[begin[1] + 1 :]
    if first != again:
        wrong = next(pair for pair in zip(first, again) if pair[0] != pair[1])
        raise Fails(f"Linux changed its mind: {wrong[0]}, then {wrong[1]}")
    return [line for line in lines if line.startswith("machine")] + first


# ---- Answers --------------------------------------------------------------------


def parse(text):
    """{question: answer}"""
    answers = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        question, colon, answer = line.partition(": ")
        if not colon or question in answers:
            raise Fails(f"no answer, or two: {line!r}")
        answers[question] = answer
    return answers


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def split(answers):
    """The answers about the machine, and the others."""
    about = ("linux", "machine")
    machine = {q: a for q, a in answers.items() if q.split(",")[0] in about}
    return machine, {q: a for q, a in answers.items() if q not in machine}


def ask_labyrinth(machine):
    text = ""
    for question, answer in machine.items():
        if not question.startswith("machine"):
            continue
        words = [PROGRAM, *answer.split()]
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT)
        if done.returncode:
            raise Fails(f"status {done.returncode}: {done.stderr.strip()[-300:]}")
        text += done.stdout
    return parse(text)


class Reason(NamedTuple):
    count: int
    pattern: str
    text: str


def read_reasons(text):
    """[COUNT] PATTERN, then lines of text up to an empty one."""
    reasons = []
    for part in re.split(r"\n\s*\n", text):
        lines = [line for line in part.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        head = re.fullmatch(r"\[(\d+)\] (.+)", lines[0])
        if not head or len(lines) < 2:
            raise Fails(f"{REASONS}: {lines[0]!r} is no reason")
        reasons.append(Reason(int(head[1]), head[2], "\n".join(lines[1:])))
    return reasons


class Comparison(NamedTuple):
    version: str
    theirs: dict
    ours: dict
    explained: list  # (reason, questions that differ)
    wrong: list  # (group, sentence)


def matches(question, pattern):
    question = question.removeprefix("NORMAL/")
    return fnmatch.fnmatchcase(question, pattern.replace("[", "[[]"))


def compare(theirs, ours, reasons, version):
    wrong = []
    for question in sorted(set(theirs) ^ set(ours)):
        whom = "Linux" if question in theirs else "Labyrinth"
        wrong.append((group_of(question), f"only {whom} answers: {question}"))
    left = [q for q in theirs if q in ours and theirs[q] != ours[q]]
    explained = []
    for reason in reasons:
        found = [q for q in left if matches(q, reason.pattern)]
        left = [q for q in left if q not in found]
        explained.append((reason, found))
        if len(found) != reason.count:
            said = f"{reason.count} differences have a reason, there are {len(found)}"
            wrong.append((group_of(reason.pattern), f"{said}: {reason.pattern}"))
    for question in left:
        answers = f"Linux {theirs[question]}, Labyrinth {ours[question]}"
        wrong.append((group_of(question), f"{question}: {answers}"))
    return Comparison(version, theirs, ours, explained, wrong)


def group_of(question):
    return re.match(r"(NORMAL/)?(\w*)", question)[2]


# ---- What people read -----------------------------------------------------------

HEAD = """# The same questions to Linux and to Labyrinth

`make conformance` writes this page.  It boots Debian's Linux {version}
in QEMU, with a module of ours (`tests/conformance/linux.c`), and asks it
`tests/conformance/questions.c`.  The same file is compiled with Labyrinth's `mm/` for the
host (`tests/conformance/labyrinth.c`).  `make test` asks Labyrinth again, and compares with
the answers of Linux that were kept, `tests/conformance/linux.txt`;
`build/conformance/report.txt` has all of them side by side.  Chapter 8 explains how Linux is
made to hold still.  The zone of the questions is DMA32; those about types of pageblocks
are put to zone NORMAL as well.

A difference without a reason in `tests/conformance/reasons.txt` is a failure of `make test`,
and so is a reason whose difference has gone.

| Question | Asked | Different |
|---|---|---|
"""


SHOWN = 5
LONGEST = 76


def short(answer):
    return answer if len(answer) <= LONGEST else answer[:LONGEST].rstrip() + " ..."


def page(comparison):
    text = HEAD.format(version=comparison.version)
    differ = [q for _, found in comparison.explained for q in found]
    for group, title in GROUPS.items():
        asked = [q for q in comparison.theirs if group_of(q) == group]
        different = [q for q in differ if group_of(q) == group]
        text += f"| {title} (`{group}`) | {len(asked)} | {len(different) or 'none'} |\n"
    text += "\n## The differences\n"
    if not differ:
        text += "\nThere is none.\n"
    for reason, found in comparison.explained:
        text += f"\n{reason.text}\n\n"
        for q in found[:SHOWN]:
            theirs, ours = short(comparison.theirs[q]), short(comparison.ours[q])
            text += f"    {q}\n        Linux      {theirs}\n        Labyrinth  {ours}\n"
        if len(found) > SHOWN:
            text += f"\nand {len(found) - SHOWN} more of that kind.\n"
    return text


def report(comparison):
    """All answers; a line with a * differs."""
    lines = [f"{'':2}{'Linux':>24} {'Labyrinth':>24}  question\n"]
    for question, answer in comparison.theirs.items():
        other = comparison.ours.get(question, "-")
        mark = " " if answer == other else "*"
        lines.append(f"{mark} {answer:>24} {other:>24}  {question}\n")
    os.makedirs(PLACE, exist_ok=True)
    with open(os.path.join(PLACE, "report.txt"), "w", encoding="ascii") as file:
        file.writelines(lines)


def current():
    """A comparison of the recording with Labyrinth as it is."""
    machine, theirs = split(parse(read(RECORDING)))
    reasons = read_reasons(read(REASONS))
    ours = ask_labyrinth(machine)
    unknown = {group_of(q) for q in theirs} ^ set(GROUPS)
    if unknown:
        raise Fails(f"GROUPS and the questions differ: {', '.join(sorted(unknown))}")
    return compare(theirs, ours, reasons, machine["linux"])


def show(comparison):
    bad = {group for group, _ in comparison.wrong}
    for group in GROUPS:
        if group not in bad:
            print(f"ok conformance:{group} {GROUPS[group]}")
    for group, said in comparison.wrong:
        print(f"not ok conformance:{group} {said}")
    count = sum(len(found) for _, found in comparison.explained)
    print(
        f"# {len(comparison.theirs)} answers of Linux {comparison.version}, "
        f"{count} differ for a reason, {len(comparison.wrong)} faults"
    )


def main(words):
    if len(words) > 1 or not set(words) <= {"--replay", "--write"}:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if not words:
        recording = ask_linux()
        with open(RECORDING, "w", encoding="ascii") as file:
            file.write(recording)
    comparison = current()
    report(comparison)
    text = page(comparison)
    if words != ["--replay"] and not comparison.wrong:
        with open(PAGE, "w", encoding="ascii") as file:
            file.write(text)
    elif not comparison.wrong and read(PAGE) != text:
        said = "docs/conformance.md is not the newest: conformance.py --write"
        comparison.wrong.append(("page", said))
    if f"{len(comparison.theirs)} questions" not in read(CHECKED):
        comparison.wrong.append(("page", "docs/checked.md has another number of questions"))
    show(comparison)
    return 1 if comparison.wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Fails as failure:
        print(f"conformance: {failure}", file=sys.stderr)
        sys.exit(1)
