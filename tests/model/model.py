# SPDX-License-Identifier: MIT
"""
The decisions of Linux 6.12's page allocator, in Python.

This is the third text of the rules, after mm/ and after tests/host/model_rules.c, and
it shares nothing with either: no line of mm/ is read, included or called here.  It was
written from a description of Linux's behaviour alone.  Three questions:

    decode()   mask, order and caller: refused, or which rights?
    Zone       may a zone serve it, and which block does it give?
    Request    which rungs are tried, one after the other?

Numbers of flags, zones and types are Linux's.  Where Labyrinth differs on purpose
(docs/linux-rules.md), the place has the word OURS.
"""

DMA, DMA32, NORMAL, MOVABLE = range(4)
ZONES = 4
U, M, R, H, C, I = range(6)
TYPES = 6
ORDERS = 11
COSTLY = 3
BLOCK_ORDER = 9
BLOCK = 512

FLAG = {
    "DMA": 0x1,
    "HIGHMEM": 0x2,
    "DMA32": 0x4,
    "MOVABLE": 0x8,
    "RECLAIMABLE": 0x10,
    "HIGH": 0x20,
    "IO": 0x40,
    "FS": 0x80,
    "ZERO": 0x100,
    "DIRECT": 0x400,
    "KSWAPD": 0x800,
    "WRITE": 0x1000,
    "NOWARN": 0x2000,
    "RETRY_MAYFAIL": 0x4000,
    "NOFAIL": 0x8000,
    "NORETRY": 0x10000,
    "MEMALLOC": 0x20000,
    "COMP": 0x40000,
    "NOMEMALLOC": 0x80000,
    "HARDWALL": 0x100000,
    "THISNODE": 0x200000,
}
# OURS: a page that only its owner can reach.
EXCLUSIVE = 0x10000000

GFP_KERNEL = 0xCC0
GFP_ATOMIC = 0x820
GFP_NOWAIT = 0x2800

# ---- Masks ------------------------------------------------------------------

# The four zone bits, without high memory: the highest zone.  The other eight name
# more than one of DMA, HIGHMEM and DMA32.
ZONE_OF = {
    0x0: NORMAL,
    0x1: DMA,
    0x2: NORMAL,
    0x4: DMA32,
    0x8: NORMAL,
    0x9: DMA,
    0xA: MOVABLE,
    0xC: DMA32,
}

# Verdicts, and classes of rights: how far below the min mark.
OK, REFUSED, TOO_LARGE, MUST_SLEEP, IN_NMI = range(5)
NONE, NOWAIT, HALF, VICTIM, ATOMIC, ALL = range(6)


class Context:
    """The state of the caller, as in struct alloc_context."""

    def __init__(self, number):
        self.can_sleep = bool(number & 1)
        self.in_interrupt = bool(number & 2)
        self.in_nmi = bool(number & 4)
        self.memalloc = bool(number & 8)
        self.noio = bool(number & 16)
        self.nofs = bool(number & 32)


class Rights:
    """A mask that was decoded."""


def first_right(mask):
    """At the min mark, before the caller's own rights count."""
    cannot_wait = not mask & FLAG["DIRECT"]
    bonus = cannot_wait and not mask & FLAG["NOMEMALLOC"]
    if mask & FLAG["HIGH"]:
        return ATOMIC if bonus else HALF
    return NOWAIT if bonus else NONE


def in_scope(mask, context):
    if context.noio:
        mask &= ~(FLAG["IO"] | FLAG["FS"])
    if context.nofs:
        mask &= ~FLAG["FS"]
    return mask


LEGAL = EXCLUSIVE
for _bit in FLAG.values():
    LEGAL |= _bit
# OURS: what contradicts an exclusive page.
NOT_EXCLUSIVE = 0
for _name in "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE COMP MEMALLOC NOMEMALLOC NOFAIL".split():
    NOT_EXCLUSIVE |= FLAG[_name]


def is_refused(mask, order):
    """OURS: refused with a report, where Linux warns, or serves another zone."""
    if mask & ~LEGAL or mask & 0xF not in ZONE_OF:
        return True
    if mask & FLAG["MOVABLE"] and mask & FLAG["RECLAIMABLE"]:
        return True
    return bool(mask & EXCLUSIVE and (mask & NOT_EXCLUSIVE or order > 0))


def decode(mask, order, context):
    """(verdict, Rights or None)"""
    if context.in_nmi:
        return IN_NMI, None
    if order >= ORDERS:
        return TOO_LARGE, None
    if is_refused(mask, order):
        return REFUSED, None
    # OURS: refused, where Linux warns.
    if mask & FLAG["DIRECT"] and not context.can_sleep:
        return MUST_SLEEP, None
    mask = in_scope(mask, context)
    r = Rights()
    r.mask = mask
    r.order = order
    r.zone = ZONE_OF[mask & 0xF]
    r.type = mask >> 3 & 3
    r.right = r.last = r.victim = first_right(mask)
    # A hard interrupt does not have the rights of the thread below it.
    r.in_reclaim = context.memalloc and not context.in_interrupt
    if not mask & FLAG["NOMEMALLOC"]:
        if mask & FLAG["MEMALLOC"] or r.in_reclaim:
            r.last = r.victim = ALL
        else:
            r.victim = VICTIM
    for name in "DIRECT KSWAPD IO FS NORETRY RETRY_MAYFAIL NOFAIL THISNODE".split():
        setattr(r, name.lower(), bool(mask & FLAG[name]))
    for name in "NOMEMALLOC ZERO COMP WRITE NOWARN".split():
        setattr(r, name.lower(), bool(mask & FLAG[name]))
    r.exclusive = bool(mask & EXCLUSIVE)
    r.may_kill = not r.retry_mayfail and not r.thisnode
    r.may_kill = r.may_kill and r.zone >= NORMAL and order <= COSTLY
    return OK, r


# How tests/model/answers.c packs a decoded mask: the verdict in the lowest three
# bits, and if that is OK these.
FIELDS = [
    (2, lambda r: r.zone),
    (2, lambda r: r.type),
    (3, lambda r: r.right),
    (3, lambda r: r.last),
    (3, lambda r: r.victim),
    (1, lambda r: r.direct),
    (1, lambda r: r.kswapd),
    (1, lambda r: r.direct and r.io),
    (1, lambda r: r.direct and r.fs),
    (1, lambda r: r.noretry),
    (1, lambda r: r.retry_mayfail),
    (1, lambda r: r.may_kill),
    (1, lambda r: r.nofail),
    (1, lambda r: r.thisnode),
    (1, lambda r: r.nomemalloc),
    (1, lambda r: r.zero),
    (1, lambda r: r.comp),
    (1, lambda r: not r.nowarn),
    (1, lambda r: r.exclusive),
    (1, lambda r: r.write),
    (1, lambda r: r.in_reclaim),
]


def pack(verdict, r):
    word, at = verdict, 3
    if verdict != OK:
        return word
    for bits, field in FIELDS:
        word |= int(field(r)) << at
        at += bits
    return word


# ---- Zones ------------------------------------------------------------------

FALLBACKS = {U: (R, M), M: (R, U), R: (U, M)}


class Zone:
    """
    The state of a zone.  free[type][order] is a list of first frames, the one that is
    taken first in front; lists[3 * order + type] the same of the CPU's lists.
    """

    def copy(self):
        other = Zone.__new__(Zone)
        other.__dict__.update(self.__dict__)
        other.free = [[list(at) for at in orders] for orders in self.free]
        other.types = list(self.types)
        other.lists = {row: list(at) for row, at in self.lists.items()}
        return other

    # -- Counting

    def free_of(self, kind):
        return sum(len(at) << o for o, at in enumerate(self.free[kind]))

    def recount(self):
        """The sums, from the blocks."""
        self.pages = sum(self.free_of(kind) for kind in range(TYPES) if kind != I)
        self.cma_pages = self.free_of(C)
        self.high_pages = self.free_of(H)

    def listed(self):
        return sum(len(at) << self.order_of_row(row) for row, at in self.lists.items())

    @staticmethod
    def order_of_row(row):
        return BLOCK_ORDER if row // 3 == 4 else row // 3

    def type_at(self, pfn):
        return self.types[pfn // BLOCK - self.start // BLOCK]

    def is_whole(self, first):
        return first >= self.start and first + BLOCK <= self.start + self.spanned

    def mark(self, which):
        return self.marks[which] + self.boost

    # -- Blocks that come and go

    def _push(self, kind, order, pfn, tail=False):
        at = self.free[kind][order]
        at.append(pfn) if tail else at.insert(0, pfn)

    def _count(self, kind, pages):
        self.pages += pages
        if kind == C:
            self.cma_pages += pages
        elif kind == H:
            self.high_pages += pages

    def _split(self, pfn, order, to, kind):
        """The lowest part; upper halves to the front of their lists."""
        while order > to:
            order -= 1
            self._push(kind, order, pfn + (1 << order))
        return pfn

    def _take(self, kind, order, to):
        pfn = self.free[kind][order].pop(0)
        self._count(kind, -(1 << to))
        return self._split(pfn, order, to, kind)

    def _smallest(self, kind, order):
        for o in range(order, ORDERS):
            if self.free[kind][o]:
                return self._take(kind, o, order)
        return None

    def _find_free(self, pfn, order):
        for kind in range(TYPES):
            if pfn in self.free[kind][order]:
                return kind
        return None

    def give(self, pfn, order):
        """Free a block: it merges as far as it can."""
        kind = self.type_at(pfn)
        self._count(kind, 1 << order)
        while order < ORDERS - 1:
            buddy = pfn ^ (1 << order)
            its = self._find_free(buddy, order)
            if its is None:
                break
            if order >= BLOCK_ORDER and its != kind and max(its, kind) > R:
                break
            self.free[its][order].remove(buddy)
            if its != kind:
                self._set_types(buddy, 1 << order, kind)
            pfn &= ~(1 << order)
            order += 1
        tail = False
        if order < BLOCK_ORDER:
            # The buddy of the next level is free: a merge is likely.
            above = pfn & ~(1 << order)
            tail = self._find_free(above ^ (1 << (order + 1)), order + 1) is not None
        self._push(kind, order, pfn, tail)

    def _set_types(self, pfn, pages, kind):
        first = pfn // BLOCK - self.start // BLOCK
        for number in range(first, first + max(1, pages // BLOCK)):
            self.types[number] = kind

    def _move_block(self, first, kind):
        """All free blocks of a pageblock go to the back of the lists of KIND."""
        moved = []
        for old in range(TYPES):
            for order, at in enumerate(self.free[old]):
                for pfn in [p for p in at if first <= p < first + BLOCK]:
                    at.remove(pfn)
                    moved.append((pfn, order, old))
        for pfn, order, old in sorted(moved):
            self._count(old, -(1 << order))
            self._count(kind, 1 << order)
            self._push(kind, order, pfn, tail=True)
        return sum(1 << order for _, order, _ in moved)

    # -- The search

    def raise_boost(self):
        """Before a part of a pageblock is claimed."""
        limit = self.marks[2] * self.factor // 10000
        if 4 * BLOCK > self.managed or limit == 0:
            return False
        self.boost = min(self.boost + BLOCK, max(BLOCK, limit))
        return True

    def _fallback(self, order, kind):
        for other in FALLBACKS[kind]:
            if self.free[other][order]:
                return other
        return None

    def _claim_part(self, first, kind, old):
        """True: the pageblock is KIND's now."""
        if not self.is_whole(first):
            return False
        free = sum(
            1 << order
            for orders in self.free
            for order, at in enumerate(orders)
            for pfn in at
            if first <= pfn < first + BLOCK
        )
        movable = self.movable[first // BLOCK - self.start // BLOCK]
        if kind == M:
            alike = movable
        else:
            alike = BLOCK - free - movable if old == M else 0
        if free + alike < BLOCK // 2 and self.grouping:
            return False
        self._move_block(first, kind)
        self._set_types(first, BLOCK, kind)
        return True

    def _claim(self, order, kind, unmixed, tells):
        lowest = max(order, BLOCK_ORDER) if unmixed else order
        for o in range(ORDERS - 1, lowest - 1, -1):
            if kind == M and o < BLOCK_ORDER // 2:
                return None
            old = self._fallback(o, kind)
            if old is None:
                continue
            pfn = self.free[old][o][0]
            if o >= BLOCK_ORDER:
                self.free[old][o].pop(0)
                self._set_types(pfn, 1 << o, kind)
                self._count(kind, -(1 << order))
                return self._split(pfn, o, order, kind)
            if self.raise_boost() and tells:
                self.told = True
            if self._claim_part(pfn // BLOCK * BLOCK, kind, old):
                return self._smallest(kind, order)
        return None

    def _steal(self, order, kind):
        for o in range(order, ORDERS):
            old = self._fallback(o, kind)
            if old is not None:
                return self._take(old, o, order)
        return None

    def take(self, order, kind, right, cma, unmixed, tells):
        """A block, or None.  TELLS: kswapd may be woken for a boost."""
        pfn = None
        if right == ATOMIC and order > 0:
            pfn = self._smallest(H, order)
        if pfn is None and cma and self.cma_pages > self.pages // 2:
            pfn = self._smallest(C, order)
        if pfn is None:
            pfn = self._smallest(kind, order)
        if pfn is None and cma:
            pfn = self._smallest(C, order)
        if pfn is None:
            pfn = self._claim(order, kind, unmixed, tells)
        if pfn is None and not unmixed:
            pfn = self._steal(order, kind)
        if pfn is None and right in (NOWAIT, ATOMIC, VICTIM):
            pfn = self._smallest(H, order)
        return pfn

    # -- Marks

    def passes(self, order, mark, highest, right, cma, pages=None):
        """MARK with the boost; PAGES: as if so many were free."""
        usable = (self.pages if pages is None else pages) - ((1 << order) - 1)
        if right in (NONE, ALL):
            usable -= self.high_pages
        if not cma:
            usable -= self.cma_pages
        floor = mark
        if right in (HALF, ATOMIC, VICTIM):
            floor -= floor // 2
        if right == ATOMIC:
            floor -= floor // 4
        if usable <= floor + self.reserve[highest]:
            return False
        return order == 0 or self.has_block(order, right, cma)

    def has_block(self, order, right, cma):
        kinds = [U, M, R]
        if cma:
            kinds.append(C)
        if right in (ATOMIC, VICTIM):
            kinds.append(H)
        return any(self.free[kind][o] for kind in kinds for o in range(order, ORDERS))

    # -- HIGHATOMIC

    def reserve_block(self, pfn, order):
        """After a request that may use HIGHATOMIC blocks got PFN."""
        hundredth = self.managed // 100
        limit = -(-hundredth // BLOCK) * BLOCK
        if hundredth < BLOCK or self.reserved >= limit or self.type_at(pfn) > R:
            return
        if order >= BLOCK_ORDER:
            self._set_types(pfn, 1 << order, H)
            self.reserved += 1 << order
        elif self.is_whole(pfn // BLOCK * BLOCK):
            first = pfn // BLOCK * BLOCK
            self._move_block(first, H)
            self._set_types(first, BLOCK, H)
            self.reserved += BLOCK

    def unreserve_block(self, kind, forced):
        """One that has a free page; True: it was."""
        if self.reserved <= (0 if forced else BLOCK):
            return False
        for order in range(ORDERS):
            if not self.free[H][order]:
                continue
            pfn = self.free[H][order][0]
            pages = max(BLOCK, 1 << order)
            if order >= BLOCK_ORDER:
                self.free[H][order].pop(0)
                self._count(H, -(1 << order))
                self._set_types(pfn, pages, kind)
                # OURS: it merges with a free neighbour now.
                self.give(pfn, order)
            else:
                self._move_block(pfn // BLOCK * BLOCK, kind)
                self._set_types(pfn // BLOCK * BLOCK, BLOCK, kind)
            self.reserved -= min(pages, self.reserved)
            return True
        return False

    # -- The CPU's lists

    def from_list(self, order, kind):
        row = 3 * (order if order <= 3 else 4) + kind
        at = self.lists.get(row)
        return at.pop(0) if at else None

    def has_listed(self, order, kind):
        if order > 3 and order != BLOCK_ORDER:
            return False
        return bool(self.lists.get(3 * (order if order <= 3 else 4) + kind))

    def drain(self, pages):
        """PAGES pages, or a block more, go back: from the oldest of the first list."""
        moved = 0
        for row in sorted(self.lists):
            order = self.order_of_row(row)
            while self.lists[row] and moved < pages:
                self.give(self.lists[row].pop(), order)
                moved += 1 << order
        return moved


# ---- The ladder -------------------------------------------------------------

MIN, LOW, HIGH_MARK = range(3)

# Results of compaction, as mm/reclaim/recovery.h numbers them.
SKIPPED, DEFERRED, FAILED, CONTENDED, SUCCESS = range(5)
FULL, LIGHT, ASYNC = range(3)


class Forever(Exception):
    """The request waits until somebody else frees memory."""


class Caller:
    """The thread or interrupt that asks, without its scopes."""

    def __init__(self, name, can_sleep, hard=False, reclaims=False, victim=False):
        self.name = name
        self.can_sleep = can_sleep
        self.hard = hard
        self.reclaims = reclaims
        self.victim = victim


# In the order of enum caller of tests/model/answers.c.
CALLERS = [
    Caller("thread", True),
    Caller("thread in reclaim", True, reclaims=True),
    Caller("victim", True, victim=True),
    Caller("victim in reclaim", True, reclaims=True, victim=True),
    Caller("preemption off", False),
    Caller("soft work", False),
    Caller("soft work on reclaim", False, reclaims=True),
    Caller("interrupt", False, hard=True),
    Caller("interrupt on reclaim", False, hard=True, reclaims=True),
    # The thread below is the victim, and the interrupt is not.
    Caller("interrupt on victim", False, hard=True),
]


class Answer:
    def __init__(self):
        self.verdict = "ok"
        self.story = ""
        self.zone = -1
        self.pfn = 0
        self.unmarked = False
        self.dump = False
        self.listed = False


class Request:
    """
    A request in a state of four zones, by a script of what reclaim, compaction and the
    killer answer.  The story has a letter for each event:

        p pass    w kswapd woken    a l f compaction: async, sync-light, full
        r i n x   reclaim that may do all, no FS, neither, FS alone    o a kill
    """

    RECLAIMS_MAX = 40

    def __init__(self, zones, script, lists_on):
        self.zones = list(zones)
        self.mine = set()
        self.script = script
        self.lists_on = lists_on

    def run(self, mask, order, caller, scope):
        self.answer = Answer()
        self.caller = CALLERS[caller]
        context = Context(0)
        context.can_sleep = self.caller.can_sleep
        context.in_interrupt = self.caller.hard
        context.memalloc = self.caller.reclaims
        context.noio = bool(scope & 1)
        context.nofs = bool(scope & 2)
        verdict, self.r = decode(mask, order, context)
        if verdict != OK:
            self.answer.verdict = {
                REFUSED: "refused",
                TOO_LARGE: "too-large",
                MUST_SLEEP: "must-sleep",
            }[verdict]
            return self.answer
        self.allowed = [
            z for z in range(self.r.zone, -1, -1) if self.zones[z].managed
        ]
        self.grouping = self.zones[0].grouping
        self.kind = self.r.type if self.grouping else U
        self.cma = self.grouping and self.kind == M
        self.reclaims = self.kills = self.compactions = 0
        try:
            if not self.fast_pass():
                self.slow_path()
        except Forever:
            self.answer.verdict = "forever"
        return self.answer

    def zone(self, number):
        """To be changed."""
        if number not in self.mine:
            self.mine.add(number)
            self.zones[number] = self.zones[number].copy()
        return self.zones[number]

    def tell(self, letter):
        self.answer.story += letter

    # -- Passes

    def eligible(self):
        return self.allowed

    def mark_holds(self, zone, which, right):
        r, mark = self.r, zone.mark(which)
        if zone.passes(r.order, mark, r.zone, right, self.cma):
            return True
        # A single page with HIGH's right: the min mark without its boost.
        if zone.boost and r.order == 0 and which == MIN and right in (HALF, ATOMIC):
            return zone.passes(0, zone.marks[MIN], r.zone, right, self.cma)
        return False

    def try_zone(self, number, which, right, unmixed):
        r, zone = self.r, self.zones[number]
        if self.try_list(number, which, right):
            return True
        # OURS: without a mark to keep, a zone without a block is passed over; Linux looks,
        # and may wake kswapd for a boost once more.
        if right == ALL and not zone.has_block(r.order, right, self.cma):
            return False
        if right != ALL and not self.mark_holds(zone, which, right):
            return False
        zone = self.zone(number)
        pfn = zone.take(r.order, self.kind, right, self.cma, unmixed, r.kswapd)
        if zone.told and r.kswapd:
            zone.told = False
            self.boost_wakes += 1
        if pfn is None:
            return False
        self.found(number, pfn, right)
        if right == ATOMIC and r.order > 0:
            zone.reserve_block(pfn, r.order)
        return True

    def try_list(self, number, which, right):
        """OURS: a page of a list needs no mark, unless the zone keeps a reserve from the
        request; large blocks with ATOMIC's right come from HIGHATOMIC first."""
        r, zone = self.r, self.zones[number]
        if not self.lists_on or (right == ATOMIC and r.order > 0):
            return False
        if not zone.has_listed(r.order, self.kind):
            return False
        kept = right != ALL and zone.reserve[r.zone] > 0
        if kept and not self.mark_holds(zone, which, right):
            return False
        self.found(number, self.zone(number).from_list(r.order, self.kind), right)
        self.answer.listed = True
        return True

    def found(self, number, pfn, right):
        self.answer.zone = number
        self.answer.pfn = pfn
        self.answer.unmarked = right == ALL

    def one_pass(self, which, right, unmixed=False):
        self.tell("p")
        self.boost_wakes = 0
        got = False
        if unmixed:
            got = any(self.try_zone(z, which, right, True) for z in self.eligible())
        if not got:
            got = any(self.try_zone(z, which, right, False) for z in self.eligible())
        self.tell("w" * self.boost_wakes)
        return got

    def fast_pass(self):
        zones = self.eligible()
        if self.r.write and self.script.dirty:
            return False
        # Where a request begins in NORMAL, the zones below come before mixing.
        unmixed = bool(zones) and zones[0] == NORMAL
        return self.one_pass(LOW, NONE, unmixed)

    # -- Rungs

    def wake(self):
        if self.r.kswapd:
            self.tell("w")

    def may_compact(self):
        """A machine without compaction allows none."""
        return self.r.io and self.script.compacts

    def slow_path(self):
        r = self.r
        self.right = r.right
        self.fruitless = self.lost = 0
        self.priority = LIGHT
        self.result = SKIPPED
        if not self.eligible():
            return self.fail()
        self.wake()
        if self.one_pass(MIN, self.right):
            return
        if self.early_compaction_ends():
            return
        while not self.one_round():
            pass

    def last_right(self):
        return self.r.victim if self.caller.victim else self.r.last

    def early_compaction_ends(self):
        """True: served, or failed."""
        r = self.r
        costly = r.order > COSTLY
        if not r.direct or not self.may_compact():
            return False
        if not costly and (r.order == 0 or r.type == M):
            return False
        if self.last_right() in (ALL, VICTIM):
            return False
        if self.compact(ASYNC):
            return True
        if costly and r.noretry:
            if self.result in (SKIPPED, DEFERRED) or r.thisnode:
                return self.no_page()
            self.priority = ASYNC
        return False

    def one_round(self):
        """Rungs 4 to 13; True: the end."""
        r = self.r
        self.wake()
        self.right = self.last_right()
        if self.one_pass(MIN, self.right):
            return True
        if not r.direct or r.in_reclaim:
            return self.no_page()
        progress = self.reclaim()
        if progress and self.after_progress():
            return True
        if self.compact(self.priority):
            return True
        costly = r.order > COSTLY
        if r.noretry:
            return self.no_page()
        if costly and not (r.retry_mayfail and self.may_compact()):
            return self.no_page()
        if self.reclaim_again(progress):
            return False
        if progress and self.may_compact() and self.compact_again():
            return False
        if self.lists_help():
            return True
        if self.kill(progress):
            return True
        if self.caller.victim and (self.right == VICTIM or r.nomemalloc):
            return self.no_page()
        if self.killed:
            self.fruitless = 0
            return False
        return self.no_page()

    def moment(self, name, number):
        if self.script.moment != (name, number):
            return
        for pfn, count in self.script.gifts:
            for frame in range(pfn, pfn + count):
                number = next(
                    n
                    for n, z in enumerate(self.zones)
                    if z.start <= frame < z.start + z.spanned
                )
                self.zone(number).give(frame, 0)

    def reclaim(self):
        r, script = self.r, self.script
        self.tell(("r" if r.fs else "i") if r.io else ("x" if r.fs else "n"))
        self.reclaims += 1
        if self.reclaims > self.RECLAIMS_MAX:
            raise Forever
        self.moment("reclaim", self.reclaims)
        return script.progress if self.reclaims <= script.rounds else 0

    def after_progress(self):
        if self.one_pass(MIN, self.right):
            return True
        self.unreserve(False)
        for number in range(ZONES):
            self.zone(number).drain(1 << 30)
        return self.one_pass(MIN, self.right)

    def unreserve(self, forced):
        return any(
            self.zone(z).unreserve_block(self.kind, forced) for z in self.eligible()
        )

    def compact(self, priority):
        """True: served."""
        r, script = self.r, self.script
        if r.order == 0:
            return False
        if not self.may_compact():
            self.result = SKIPPED
            return False
        # OURS: pages on this CPU's lists do not merge.
        for number in range(ZONES):
            self.zone(number).drain(1 << 30)
        self.result = script.answers[self.compactions % len(script.answers)]
        self.compactions += 1
        self.tell("fla"[priority])
        if self.result == SKIPPED:
            return False
        return self.one_pass(MIN, self.right)

    def reclaimable(self, number):
        return self.script.reclaimable[number] or self.zones[number].pages

    def reclaim_again(self, progress):
        r = self.r
        self.fruitless += 1
        if progress and r.order <= COSTLY:
            self.fruitless = 0
        if self.fruitless <= 16:
            for number in self.eligible():
                zone = self.zones[number]
                pages = zone.pages + self.reclaimable(number)
                right = NONE if self.right == ALL else self.right
                if zone.passes(r.order, zone.mark(MIN), r.zone, right, self.cma, pages):
                    return True
        return self.unreserve(True)

    def room_to_compact(self):
        r = self.r
        for number in self.eligible():
            zone = self.zones[number]
            pages = zone.pages + self.reclaimable(number) // r.order
            mark = zone.mark(LOW if r.order > COSTLY else MIN) + (2 << r.order)
            if zone.passes(0, mark, r.zone, NONE, True, pages):
                return True
        return False

    def compact_again(self):
        r = self.r
        costly = r.order > COSTLY
        if r.order == 0 or self.caller.victim:
            return False
        if self.result == SKIPPED:
            return self.room_to_compact()
        if self.result == SUCCESS:
            self.lost += 1
            if self.lost <= (4 if costly else 16):
                return True
        if self.priority > (LIGHT if costly else FULL):
            self.priority -= 1
            self.lost = 0
            return True
        return False

    def lists_help(self):
        """OURS: before a kill and before NULL the CPU's lists go back, 8 pages at a time,
        at most 64 for a request that cannot sleep."""
        if not self.lists_on:
            return False
        moved = 0
        while self.r.direct or moved < 64:
            step = 0
            for number in self.eligible():
                if self.zones[number].listed():
                    step = self.zone(number).drain(8)
                    break
            if step == 0:
                return False
            moved += step
            if self.one_pass(MIN, self.right):
                return True
        return False

    def kill(self, progress):
        """True: served.  self.killed: memory is on its way."""
        r, script = self.r, self.script
        self.killed = False
        if script.busy:
            self.killed = True
            return False
        if self.one_pass(HIGH_MARK, NONE):
            return True
        if not r.may_kill:
            return False
        # A killer also says yes to a request without FS, and kills nobody for it.  Here it
        # says what the script says.
        self.tell("o")
        self.kills += 1
        self.moment("kill", self.kills)
        self.killed = self.kills <= script.kills
        if self.killed and r.nofail:
            return self.one_pass(MIN, ALL)
        return False

    def no_page(self):
        """The end of a round without a page; True: the end of the request."""
        r = self.r
        if self.lists_help():
            return True
        if r.nofail and r.direct:
            if self.one_pass(MIN, HALF):
                return True
            return False
        self.fail()
        return True

    def fail(self):
        dma = self.r.zone == DMA and not self.zones[DMA].managed
        self.answer.dump = not self.r.nowarn and not dma
