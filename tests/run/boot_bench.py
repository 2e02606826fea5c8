# SPDX-License-Identifier: MIT
"""The command bench, and the table of chapter 22 that is made with it."""

import re

import bench
from lab import boot_test, check, command, number
from qemu import GUEST_TIME

NEAR = 0.05


@boot_test
def bench_says_what_operations_cost_and_repeats_exactly(lab):
    """Where time is counted in instructions; nothing is lost by measuring."""
    names = "order0_pair batch1024 kmalloc64_pair interrupt handover switch"
    with lab.prompt(memory="64M", more=GUEST_TIME) as qemu:
        said = command(qemu, "bench")
        first = dict(re.findall(r"^(\w+) +(\d+)  \S", said, re.M))
        check(set(names.split()) <= set(first), f"missing: {said!r}")
        check("And, by name: churn50 churn90 reserve" in said, f"the long ones: {said!r}")
        for name in ("order0_pair", "kmalloc64_pair"):
            again = command(qemu, f"bench {name}")
            count = number(again, rf"{name} +(\d+)", name)
            check(count == int(first[name]), f"{again!r}, was {first[name]}")
        check("exactly one column" in command(qemu, "check"), "the checks")
        said = command(qemu, "bench frobnicate")
        check("usage" in said.lower(), f"an unknown one: {said!r}")


@boot_test
def bench_latency_counts_each_operation_and_repeats(lab):
    """Each is in a bucket, none above the worst; and instructions do not vary."""
    with lab.prompt(bench.SWITCHES_OFF, memory="64M", more=GUEST_TIME) as qemu:
        said = command(qemu, "bench latency")
        again = command(qemu, "bench latency")
        check("exactly one column" in command(qemu, "check"), "the checks")
    parts = re.split(r"(\w+): (\d+) operations, worst (\d+)", said)[1:]
    check(parts[::4] == ["alloc", "free", "interrupt"], f"{said!r}")
    for name, count, worst, rows in zip(*(parts[at::4] for at in range(4))):
        buckets = re.findall(r"^ +(\d+) +(\d+)\s*$", rows, re.M)
        total = sum(int(operations) for _, operations in buckets)
        check(total == int(count), f"{name}: {total} of {count} operations")
        last = int(buckets[-1][0])
        check(last <= int(worst) <= last * 17 // 16 + 1, f"{name}: {worst} above {last}")
        check(f"\n{buckets[0][0]:>8} " in "\n" + again, f"{name}: {again!r}")


@boot_test
def the_rate_is_measured_where_a_count_of_the_8254_lasts_838_instructions(lab):
    """So many looks see the same count that it could be taken for a broken one."""
    more = ("-icount", "shift=0,sleep=off")
    with lab.prompt(memory="16M", more=more) as qemu:
        said = command(qemu, "log 60")
    found = re.search(r"pit: TSC runs at (\d+) MHz", said)
    check(found is not None, f"it is not measured: {said!r}")
    check(abs(int(found.group(1)) - 1000) <= 5, f"{found.group(0)}, not 1000")


@boot_test
def hotpath_books_the_instructions_that_bench_counts(lab):
    """Each is in a row, and those of both ways are the pair's but for its two calls."""
    words = bench.SWITCHES_OFF
    with lab.prompt(words, memory="64M", more=("-icount", "shift=0,sleep=off")) as qemu:
        said = command(qemu, "hotpath")
        check(command(qemu, "hotpath") == said, "it does not repeat")
        pair = number(command(qemu, "bench order0_pair_atomic"), r"pair_atomic +(\d+)", "pair")
    for name, place in (("alloc_page", "mm/pcp_hot.h"), ("__free_page", "mm/pcp_hot.h")):
        check(re.search(rf"^ +\d+  {name} +{place}$", said, re.M), f"no {name}: {said}")
    rows = sum(int(count) for count in re.findall(r"^ +(\d+)  \w", said, re.M))
    totals = bench.hot_totals(said)
    check(len(totals) == 2 and rows == sum(totals), f"{rows} in rows, {totals}")
    # The pairs of `bench` pass their order, so they shift by it.
    check(0 <= pair - rows <= 80, f"{rows} instructions stepped, {pair} counted")
    if bench.shown()[0] == bench.compiler():
        shown = sum(bench.hot_totals(bench.hot_shown()))
        check(abs(rows - shown) <= NEAR * shown, f"{rows}, not {shown}: make bench")


@boot_test
def an_operation_costs_the_same_on_a_large_machine(lab):
    """64 MB or 5 GB, which has a zone more; not an instruction more or less."""
    names = (
        "order0_pair order0_pair_atomic order3_pair batch1024 kmalloc64_pair "
        "exclusive_take handover lock interrupt switch"
    ).split()
    small = bench.measure(bench.SWITCHES_OFF, names, "64M")
    large = bench.measure(bench.SWITCHES_OFF, names, "5G")
    check(None not in small.values(), f"no memory: {small}")
    check(small == large, f"with 64 MB {small}, with 5 GB {large}")


@boot_test
def chapter_22_shows_what_the_benchmark_measures(lab):
    """
    The rows that take no time, with all switches off: within 5 per cent for the compiler
    that the table was made with.  A row that reached its target reaches it with any.
    """
    made_with, shown = bench.shown()
    check(set(shown) == set(bench.ROWS), f"the rows: {sorted(shown)}")
    short = [name for name in bench.ROWS if name not in bench.LONG]
    measured = bench.measure(bench.SWITCHES_OFF, short)
    same = made_with == bench.compiler()
    for name, count in measured.items():
        written, _, target = shown[name]
        check(count is not None and written is not None, f"{name}: no memory")
        near = abs(count - written) <= NEAR * written
        check(near or not same, f"{name}: {count}, not {written}: make bench")
        check(count <= target or written > target, f"{name}: {count} > {target}")
