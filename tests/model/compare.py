#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: compare.py [--seed N] [--states N] [--all-contexts] [rights | zones]

The decisions of mm/, on the host, against tests/model/model.py.

rights  Each set of flags in each context: what gfp_decode() makes of it.  All 2^21
        sets of the flags that a request may have, each further bit with all sets of
        the flags that it could meet, and the exclusive flag.
zones   Random machines of four zones, random states of them, and requests of each right
        and order, from any caller: the zone and the frame, the passes, wake-ups,
        reclaims, compactions and kills in their order, the state afterwards.

build/host/model-answers puts the questions to mm/ and decides nothing.  The seed is
printed, and a run with the same seed asks the same questions.  The last line is
"passed" or "FAILED"; a difference is shown with all that is needed to repeat it.
"""

import argparse
import array
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import model
from model import (
    BLOCK,
    C,
    Context,
    FLAG,
    H,
    M,
    NORMAL,
    ORDERS,
    R,
    Request,
    TYPES,
    U,
    ZONES,
    Zone,
)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LABYRINTH_BUILD", os.path.join(ROOT, "build"))
if not os.path.isabs(BUILD):
    BUILD = os.path.join(ROOT, BUILD)
PROGRAM = os.path.join(BUILD, "host", "model-answers")

CASES = {
    "rights": "every mask has the rights of the model in every context",
    "zones": "every request climbs and ends as in the model",
}


class Differs(Exception):
    """mm/ and the model."""


class Answers:
    """The program on the other side of two pipes."""

    def __init__(self):
        self.process = subprocess.Popen(
            [PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def put(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            self.fail()
        return line.decode()

    def data(self, size):
        data = self.process.stdout.read(size)
        if len(data) != size:
            self.fail()
        return data

    def fail(self):
        self.process.stdin.close()
        words = self.process.stderr.read().decode().strip()
        raise Differs(f"mm/ ended: {words or 'without a word'}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- Rights -----------------------------------------------------------------

# These flags change one bit of the answer, or nothing at all, whatever the others are
# (check_separate()).  So the answers without them give the answers with them.
ALONE = "KSWAPD NOWARN NOFAIL NORETRY ZERO COMP WRITE HARDWALL".split()
CORE = [name for name in FLAG if name not in ALONE]
CONTEXTS = 64


def core_words(context, order, base):
    """The packed answers for all sets of CORE, and whether they are OK."""
    words, fine = array.array("I"), array.array("I")
    for number in range(1 << len(CORE)):
        mask = base
        for at, name in enumerate(CORE):
            mask |= FLAG[name] if number >> at & 1 else 0
        verdict, rights = model.decode(mask, order, context)
        words.append(model.pack(verdict, rights))
        fine.append(verdict == model.OK)
    return words.tobytes(), fine.tobytes()


def bit_of(name, context, order):
    """The bits of the answer that flag NAME alone changes."""
    words = []
    for mask in (0, FLAG[name]):
        verdict, rights = model.decode(mask, order, context)
        words.append(model.pack(verdict, rights))
    return words[0] ^ words[1]


def expected_words(context, order, base):
    """All sets of CORE and ALONE, the first flag in the lowest bit of the index."""
    words, fine = core_words(context, order, base)
    exclusive = base & model.EXCLUSIVE
    for name in ALONE:
        bits = 0 if context.in_nmi or order >= ORDERS else bit_of(name, context, order)
        if exclusive and name in ("COMP", "NOFAIL"):
            # These are refused with it.
            refused = array.array("I")
            for number, word in enumerate(array.array("I", words)):
                at = number % (1 << len(CORE))
                refused.append(refused_word(at, context, order, base | FLAG[name], word))
            words += refused.tobytes()
            fine += bytes(len(fine))
            continue
        total = int.from_bytes(words, "little")
        change = int.from_bytes(fine, "little") * bits
        words += (total ^ change).to_bytes(len(words), "little")
        fine += fine
    return words


def refused_word(number, context, order, mask, word):
    """WORD, of a mask, with a flag more that makes it illegal."""
    if word & 7 in (model.IN_NMI, model.TOO_LARGE):
        return word
    return model.REFUSED


def check_separate(dice, rounds):
    """The model itself: do the flags of ALONE change nothing else?"""
    for _ in range(rounds):
        context = Context(dice.randrange(CONTEXTS) & ~4)
        mask = sum(bit for bit in FLAG.values() if dice.random() < 0.3)
        name = dice.choice(ALONE)
        mask &= ~FLAG[name]
        before = model.decode(mask, 0, context)
        after = model.decode(mask | FLAG[name], 0, context)
        if before[0] != after[0]:
            raise Differs(f"model: {name} changes the verdict of {mask:#x}")
        change = model.pack(*before) ^ model.pack(*after)
        if before[0] == model.OK and change != bit_of(name, context, 0):
            raise Differs(f"model: {name} changes more than its bit of {mask:#x}")


def ask_words(answers, number, order, base, names):
    bits = " ".join(str(FLAG[name]) for name in names)
    answers.put(f"D {order} {number} {base} {len(names)} {bits}\n")
    return answers.data(4 << len(names))


def difference_of_words(theirs, ours, number, order, base, names):
    theirs, ours = array.array("I", theirs), array.array("I", ours)
    at = next(i for i, word in enumerate(theirs) if word != ours[i])
    mask = base
    for bit, name in enumerate(names):
        mask |= FLAG[name] if at >> bit & 1 else 0
    many = sum(a != b for a, b in zip(theirs, ours))
    return Differs(
        f"mask {mask:#x}, order {order}, context {number:#x}: {theirs[at]:#x}, "
        f"the model says {ours[at]:#x} ({theirs[at] ^ ours[at]:#x}); {many} masks differ"
    )


def compare_words(answers, number, order, base=0):
    names = CORE + ALONE
    theirs = ask_words(answers, number, order, base, names)
    ours = expected_words(Context(number), order, base)
    if theirs != ours:
        raise difference_of_words(theirs, ours, number, order, base, names)
    return len(theirs) // 4


def compare_other_bits(answers, whole):
    """Each bit that no request may have, with all sets of CORE, or of all flags."""
    names = CORE + (ALONE if whole else [])
    count = 0
    for bit in (1 << n for n in range(32)):
        if bit & model.LEGAL:
            continue
        for number in (1, 2):
            theirs = ask_words(answers, number, 0, bit, names)
            ours = array.array("I", [model.REFUSED]).tobytes() * (1 << len(names))
            if theirs != ours:
                raise difference_of_words(theirs, ours, number, 0, bit, names)
            count += 1 << len(names)
    return count


# Without scopes, which only take flags away, and without NMIs: a thread, one that
# cannot sleep, a hard interrupt.
SHORT_CONTEXTS = (0x1, 0x0, 0x2)


def compare_rights(options, dice):
    check_separate(dice, 20000)
    answers = Answers()
    count = 0
    for number in range(CONTEXTS):
        if number & 3 == 3:
            # Nobody sleeps in an interrupt.
            continue
        whole = options.all_contexts or number in SHORT_CONTEXTS
        if whole:
            count += compare_words(answers, number, 0)
            continue
        theirs = ask_words(answers, number, 0, 0, CORE)
        ours = some_words(Context(number), 0, CORE)
        if theirs != ours:
            raise difference_of_words(theirs, ours, number, 0, 0, CORE)
        count += len(ours) // 4
    for order in range(1, ORDERS + 2):
        count += compare_orders(answers, order)
    count += compare_words(answers, 1, 0, model.EXCLUSIVE)
    count += compare_other_bits(answers, options.all_contexts)
    answers.close()
    return f"{count} masks in {CONTEXTS} contexts"


def some_words(context, order, names, base=0):
    words = array.array("I")
    for number in range(1 << len(names)):
        mask = base
        for at, name in enumerate(names):
            mask |= FLAG[name] if number >> at & 1 else 0
        words.append(model.pack(*model.decode(mask, order, context)))
    return words.tobytes()


def compare_orders(answers, order):
    count = 0
    for number in (0x1, 0x2, 0x4):
        for base in (0, model.EXCLUSIVE):
            theirs = ask_words(answers, number, order, base, CORE)
            ours = some_words(Context(number), order, CORE, base)
            if theirs != ours:
                raise difference_of_words(theirs, ours, number, order, base, CORE)
            count += len(ours) // 4
    return count


# ---- Machines and states ----------------------------------------------------

LARGE = 53248
SCENES_EACH = 40


class Script:
    """The answers of reclaim, compaction and the killer."""


class Machine:
    """Four zones of random sizes."""

    def __init__(self, dice, large):
        self.first = dice.choice((0, 512, 1024))
        self.pages = [self.size(dice) for _ in range(ZONES)]
        if large:
            self.pages[dice.choice((1, NORMAL))] = LARGE + dice.randrange(2) * 512
        if not any(self.pages):
            self.pages[NORMAL] = 300
        self.starts = []
        at = self.first
        for pages in self.pages:
            self.starts.append(at)
            at += pages
        self.lists = dice.random() < 0.3

    @staticmethod
    def size(dice):
        most = dice.choice((0, 40, 700, 1900, 1900, 2600))
        return 1 + dice.randrange(most) if most else 0

    def command(self):
        pages = " ".join(str(n) for n in self.pages)
        return f"M {self.first} {pages} {int(self.lists)}\n"


class Scene:
    """A state of a machine, as commands."""

    def __init__(self, dice, machine):
        self.dice = dice
        self.machine = machine
        self.grouping = dice.random() > 0.08
        self.text = ["C\n"]
        self.script = Script()
        self.freed = [[] for _ in range(ZONES)]
        for zone in range(ZONES):
            if machine.pages[zone]:
                self.fill(zone)
        self.stock()
        for zone in range(ZONES):
            self.set_marks(zone)
        self.text.append(f"N {int(not self.grouping)}\n")
        self.write_script()
        self.text.append("E\n")

    def below(self, n):
        return self.dice.randrange(n) if n > 0 else 0

    def one_in(self, n):
        return self.dice.randrange(n) == 0

    # -- Pages

    def fill(self, zone):
        start = self.machine.starts[zone]
        end = start + self.machine.pages[zone]
        self.set_types(zone, start, end)
        used = bytearray(b"\1") * (end - start)
        for pfn, count in self.free_blocks(start, end):
            if all(used[pfn - start : pfn - start + count]):
                used[pfn - start : pfn - start + count] = bytes(count)
                self.freed[zone].append((pfn, count))
        self.list_used(zone, start, used)
        for pfn, count in self.freed[zone]:
            self.text.append(f"F {pfn} {count}\n")
        self.gifts = getattr(self, "gifts", [])
        for pfn in self.dice.sample(range(start, end), min(8, end - start)):
            run = 0
            while run < 8 and pfn + run < end and used[pfn + run - start] == 1:
                used[pfn + run - start] = 2
                run += 1
            if run:
                self.gifts.append((pfn, run))

    def set_types(self, zone, start, end):
        many = self.one_in(3)
        first = -(-start // BLOCK) * BLOCK
        for pfn in range(first, end - BLOCK + 1, BLOCK):
            kinds = [M, M, M, U, U, R, R, H, C] if self.grouping else [M, M, M, H]
            kind = self.dice.choice([M, U, R] if many and self.grouping else kinds)
            if kind != M and (end - start < LARGE or self.one_in(4)):
                number = pfn // BLOCK - start // BLOCK
                self.text.append(f"T {zone} {number} {kind}\n")

    def free_blocks(self, start, end):
        """Single pages and blocks, about as many as the marks ask for."""
        target = self.below(self.dice.choice((160, 160, 160, 1200, end - start)))
        largest = self.dice.choice((0, 2, 3, 4, 6, 9, 10))
        taken = 0
        while taken < target:
            order = self.below(largest + 1)
            at = -(-start >> order)
            last = (end >> order) - 1
            if last < at:
                order, at, last = 0, start, end - 1
            yield self.dice.randint(at, last) << order, 1 << order
            taken += 1 << order

    def list_half(self, zone, start, used):
        """Half of a pageblock free or movable, or a page more or less."""
        first = -(-start // BLOCK) * BLOCK - start
        blocks = range(first, len(used) - BLOCK + 1, BLOCK)
        for at in self.dice.sample(blocks, min(2, len(blocks))):
            free = used.count(0, at, at + BLOCK)
            half = BLOCK // 2 - self.dice.choice((0, free))
            left = half + self.below(3) - 1
            pfn = at
            while left > 0 and pfn < at + BLOCK:
                run = 0
                while run < left and pfn + run < at + BLOCK and used[pfn + run] == 1:
                    used[pfn + run] = 3
                    run += 1
                if run:
                    self.text.append(f"L {zone} {start + pfn} {run}\n")
                    left -= run
                pfn += run + 1

    def list_used(self, zone, start, used):
        """Pages that can move."""
        if self.one_in(2):
            self.list_half(zone, start, used)
            return
        for _ in range(self.dice.choice((0, 2, 6))):
            pfn = self.below(len(used))
            count = self.below(self.dice.choice((20, 300, 600)))
            run = 0
            while run < count and pfn + run < len(used) and used[pfn + run] == 1:
                used[pfn + run] = 3
                run += 1
            if run:
                self.text.append(f"L {zone} {start + pfn} {run}\n")

    def stock(self):
        if not self.machine.lists or self.one_in(4):
            return
        kinds = [0, 0x8, 0x10, 0x1, 0x4, 0xA] if self.grouping else [0, 1, 4, 2]
        for _ in range(self.below(40)):
            mask = self.dice.choice(kinds) | FLAG["MEMALLOC"] | FLAG["NOWARN"]
            self.text.append(f"H {mask} {self.below(4)}\n")

    # -- Marks

    def set_marks(self, zone):
        lowest = self.below(80)
        low = lowest + self.below(30)
        high = low + self.below(self.dice.choice((30, 30, 700)))
        factor = 0 if self.one_in(5) else 15000
        self.text.append(f"K {zone} {lowest} {low} {high} {factor}\n")
        above = False
        for highest in range(zone, ZONES):
            above |= highest > zone and self.machine.pages[highest] > 0
            if above and self.one_in(2):
                self.text.append(f"R {zone} {highest} {self.below(50)}\n")
        if self.machine.pages[zone] >= 4 * BLOCK and factor and self.one_in(4):
            boost = self.below(max(BLOCK, high * factor // 10000) + 1)
            self.text.append(f"O {zone} {boost} {self.below(2)}\n")

    # -- The others

    def write_script(self):
        s = self.script
        s.reclaimable = [
            0 if self.one_in(3) else self.below(150) for _ in range(ZONES)
        ]
        s.rounds = self.below(self.dice.choice((1, 1, 20, 60)))
        s.progress = 32 if self.one_in(2) else 1 + self.below(8)
        s.kills = self.below(3)
        s.compacts = not self.one_in(4)
        s.answers = [self.below(5) for _ in range(8)]
        if self.one_in(2):
            s.answers = [s.answers[0]] * 8
        s.busy = self.one_in(16)
        s.dirty = self.one_in(2)
        s.gifts = getattr(self, "gifts", [])[:32]
        s.moment = (None, 0)
        number = 0
        # How many pages a list keeps is not the model's: without lists.
        if not self.machine.lists and self.one_in(2):
            number = 1 + self.below(self.dice.choice((2, 18)))
            s.moment = (self.dice.choice(("reclaim", "kill")), number)
        kind = {None: 0, "reclaim": 1, "kill": 2}[s.moment[0]]
        words = [*s.reclaimable, s.rounds, s.progress, s.kills, int(s.compacts)]
        words += [*s.answers, int(s.busy), int(s.dirty), kind, number]
        self.text.append("X " + " ".join(str(w) for w in words) + "\n")
        for pfn, count in s.gifts:
            self.text.append(f"G {pfn} {count}\n")


def read_state(answers):
    """The four zones as the program prints them."""
    zones = []
    while True:
        words = answers.line().split()
        kind, numbers = words[0], [int(w) for w in words[1:]]
        if kind == ".":
            return zones
        if kind == "S":
            grouping, factor = not numbers[0], numbers[1]
        elif kind == "Z":
            zones.append(new_zone(numbers, grouping, factor))
        elif kind == "B":
            zones[numbers[0]].types = numbers[1::2]
            zones[numbers[0]].movable = numbers[2::2]
        elif kind == "F":
            zones[numbers[0]].free[numbers[2]][numbers[1]] = numbers[3:]
        elif kind == "P":
            zones[numbers[0]].lists[numbers[1]] = numbers[3:]


def new_zone(numbers, grouping, factor):
    zone = Zone.__new__(Zone)
    zone.grouping, zone.factor = grouping, factor
    zone.managed, zone.start, zone.spanned = numbers[1:4]
    zone.marks = numbers[4:7]
    zone.boost, zone.told = numbers[7], bool(numbers[8])
    zone.reserve = numbers[9:13]
    zone.pages, zone.cma_pages, zone.high_pages, zone.reserved = numbers[13:17]
    zone.free = [[[] for _ in range(ORDERS)] for _ in range(TYPES)]
    zone.lists = {}
    return zone


def check_state(zones):
    """Do the sums that mm/ keeps fit the blocks that it has?"""
    for number, zone in enumerate(zones):
        theirs = (zone.pages, zone.cma_pages, zone.high_pages)
        zone.recount()
        if theirs != (zone.pages, zone.cma_pages, zone.high_pages):
            raise Differs(f"zone {number} counts {theirs}, its blocks are others")


# ---- Questions --------------------------------------------------------------

PLACES = (0, 0, 0x8, 0x8, 0x10, 0xA, 0xA, 0x1, 0x4, 0x2, 0x9, 0xC)
EXTRAS = "RETRY_MAYFAIL NORETRY NOFAIL THISNODE HARDWALL WRITE NOMEMALLOC".split()
# Callers that may sleep come first in model.CALLERS.
SLEEPERS = 4


def right_masks(dice):
    """(mask, caller) of each right: none, NOWAIT, half, ATOMIC, a victim's, all."""
    may_wait = model.GFP_KERNEL
    scarce = dice.choice((may_wait, may_wait, 0xC40, 0xC00, 0xC80))
    high = FLAG["HIGH"]
    anywhere = dice.randrange(len(model.CALLERS))
    return (
        (scarce, 0),
        (model.GFP_NOWAIT, anywhere),
        (scarce | high, dice.randrange(2)),
        (model.GFP_ATOMIC, anywhere),
        (scarce, 2),
        (scarce | FLAG["MEMALLOC"], dice.randrange(SLEEPERS)),
        (dice.choice((0, high)) | FLAG["KSWAPD"] | FLAG["MEMALLOC"], anywhere),
        (random_mask(dice), dice.randrange(len(model.CALLERS))),
    )


def random_mask(dice):
    mask = dice.choice((0, model.GFP_KERNEL, model.GFP_ATOMIC, model.GFP_NOWAIT))
    for bit in FLAG.values():
        if dice.random() < 0.12:
            mask ^= bit
    return mask & ~FLAG["ZERO"]


def questions(dice):
    """(mask, order, caller, scope, whole state?)"""
    for order in range(ORDERS):
        for mask, caller in right_masks(dice):
            if order > model.COSTLY and dice.random() < 0.6:
                continue
            mask |= dice.choice(PLACES)
            if dice.random() < 0.5:
                mask |= FLAG[dice.choice(EXTRAS)]
            if dice.random() < 0.97:
                mask |= FLAG["NOWARN"]
            if dice.random() < 0.05:
                mask &= ~FLAG["KSWAPD"]
            scope = dice.choice((0, 0, 0, 0, 0, 1, 2, 3))
            yield mask, order, caller, scope, int(dice.random() < 0.06)
    yield model.GFP_KERNEL, 11, 0, 0, 0


def sums(zones, lists):
    out = []
    for zone in zones:
        listed = zone.listed() if lists else 0
        out.append(
            (zone.pages, listed, zone.boost, zone.reserved, zone.cma_pages, zone.high_pages)
        )
    return out


def comparable(rows, merged):
    """MERGED: pages have moved between the zone and the lists."""
    if not merged:
        return rows
    return [(row[0] + row[1], *row[2:4]) for row in rows]


class Counts:
    """How often each thing was seen, so that a run that shows nothing fails."""

    def __init__(self):
        self.seen = {}

    def add(self, what):
        self.seen[what] = self.seen.get(what, 0) + 1


def count_answer(counts, ours, kinds):
    counts.add("requests")
    counts.add(f"zone {ours.zone}" if ours.zone >= 0 else "no page")
    if ours.verdict != "ok":
        counts.add(ours.verdict)
    for letter in set(ours.story):
        counts.add(f"story {letter}")
    if ours.zone >= 0:
        counts.add(f"of type {kinds}")
    if ours.listed:
        counts.add("from a list")
    if ours.dump:
        counts.add("dump")
    if ours.unmarked:
        counts.add("without marks")


def compare_answer(answers, zones, scene, question, counts):
    mask, order, caller, scope, whole = question
    line = answers.line()
    head, tail = line.split(". ")
    words = head.split()
    verdict, story = words[0], words[1] if len(words) > 1 else ""
    numbers = [int(w) for w in tail.split()]
    zone, pfn, kind, unmarked, dump = numbers[:5]
    rows = [tuple(numbers[5 + 6 * z : 11 + 6 * z]) for z in range(ZONES)]
    after = read_state(answers) if whole else None
    request = Request(zones, scene.script, scene.machine.lists)
    ours = request.run(mask, order, caller, scope)
    if ours.verdict == "forever":
        # mm/ was stopped in the middle of a reclaim.
        theirs = (verdict, story) if verdict != "forever" else (verdict,)
        expected = ("forever", ours.story) if verdict != "forever" else (verdict,)
    else:
        if ours.listed and story == "":
            # The shortcut has no pass.
            story = ours.story
        theirs = (verdict, story, zone, pfn, unmarked, dump)
        expected = (
            ours.verdict,
            ours.story,
            ours.zone,
            ours.pfn,
            ours.unmarked,
            ours.dump,
        )
        merged = scene.machine.lists
        theirs += tuple(comparable(rows, merged))
        expected += tuple(comparable(sums(request.zones, merged), merged))
        if ours.zone >= 0:
            theirs += (kind,)
            expected += (request.zones[ours.zone].type_at(ours.pfn),)
    if theirs != expected:
        raise Differs(
            f"mask {mask:#x} order {order} {model.CALLERS[caller].name} scope {scope}\n"
            f"    mm/:   {theirs}\n    model: {expected}"
        )
    count_answer(counts, ours, expected[-1] if ours.zone >= 0 else None)
    if after and ours.verdict == "ok" and not scene.machine.lists:
        compare_whole(after, request.zones)
        counts.add("whole states")


def compare_whole(theirs, ours):
    for number in range(ZONES):
        a, b = theirs[number], ours[number]
        if a.types != b.types:
            raise Differs(f"zone {number}: types {a.types}, the model says {b.types}")
        for kind in range(TYPES):
            for order in range(ORDERS):
                if sorted(a.free[kind][order]) != sorted(b.free[kind][order]):
                    raise Differs(
                        f"zone {number}, type {kind}, order {order}: blocks "
                        f"{a.free[kind][order]}, the model says {b.free[kind][order]}"
                    )


LEAST = {
    "story p": 1000,
    "story w": 1000,
    "story r": 100,
    "story i": 50,
    "story n": 50,
    "story x": 10,
    "story a": 100,
    "story l": 100,
    "story f": 20,
    "story o": 50,
    "forever": 50,
    "refused": 50,
    "must-sleep": 50,
    "too-large": 100,
    "no page": 1000,
    "dump": 200,
    "zone 0": 100,
    "zone 1": 100,
    "zone 2": 100,
    "zone 3": 100,
    "of type 0": 100,
    "of type 1": 100,
    "of type 2": 100,
    "of type 3": 100,
    "of type 4": 100,
    "from a list": 100,
    "whole states": 100,
}


def compare_zones(options, dice):
    answers, counts = Answers(), Counts()
    for number in range(options.states):
        seed = options.seed * 1000003 + number // SCENES_EACH
        if number % SCENES_EACH == 0:
            large = number // SCENES_EACH % 12 == 5
            machine_dice = random.Random(seed)
            machine = Machine(machine_dice, large)
            answers.put(machine.command())
        scene_dice = random.Random(options.seed * 1000003 + 500000 + number)
        if options.only is not None and number != options.only:
            continue
        scene = Scene(scene_dice, machine)
        answers.put("".join(scene.text))
        zones = read_state(answers)
        check_state(zones)
        asked = list(questions(scene_dice))
        if machine.pages[1] >= LARGE or machine.pages[2] >= LARGE:
            asked = scene_dice.sample(asked, 30)
        asked = [q for q in asked if is_bounded(q, zones)]
        answers.put("".join("A %d %d %d %d %d\n" % q for q in asked))
        for question in asked:
            try:
                compare_answer(answers, zones, scene, question, counts)
            except Differs as difference:
                raise Differs(f"state {number}: {difference}") from None
    answers.close()
    if options.verbose:
        for what in sorted(counts.seen):
            print(f"# {what}: {counts.seen[what]}")
    if options.states >= 3000:
        few = [w for w, least in LEAST.items() if counts.seen.get(w, 0) < least]
        if few:
            raise Differs("seen too rarely: " + ", ".join(few))
    return f"{options.states} states, {counts.seen['requests']} requests"


def is_bounded(question, zones):
    """No wait without a round of reclaim: nobody could count it."""
    mask, _, caller, _, _ = question
    if not (mask & FLAG["NOFAIL"] and mask & FLAG["DIRECT"]):
        return True
    zone = model.ZONE_OF.get(mask & 0xF, 0)
    there = any(zones[z].managed for z in range(zone + 1))
    return there and not model.CALLERS[caller].reclaims


# ---- The run ----------------------------------------------------------------


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--states", type=int, default=3000)
    parser.add_argument("--only", type=int, default=None)
    parser.add_argument("--all-contexts", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("what", nargs="*", default=list(CASES))
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    print(f"# seed {options.seed}", flush=True)
    failed = 0
    for name, compare in (("rights", compare_rights), ("zones", compare_zones)):
        if name not in options.what:
            continue
        started = time.monotonic()
        try:
            what = compare(options, random.Random(options.seed))
        except Differs as difference:
            failed += 1
            print(f"not ok model:{name} {difference}", flush=True)
        else:
            seconds = time.monotonic() - started
            print(f"ok model:{name} {CASES[name]} ({what}, {seconds:.1f} s)", flush=True)
    print("FAILED" if failed else "passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
