#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: bench_host.py [--write]

`make bench-host`: runs build/host/bench, which is mm/ compiled as for the kernel, beside
a stack of frames and tcmalloc (tests/bench/host.c), and writes build/bench/host.json.
Instructions are counted by callgrind, and are the same each time, as are the blocks that
a churn leaves.  build/host/scale counts operations on machines of several sizes, with
few and many free blocks and owners (tests/bench/scale.c).  Nanoseconds are those of this machine: each round measures all peers,
and what is compared is the median of the rounds' ratios.  --write: also the table in
docs/22-how-fast.md, and the one of these machines.
"""

import collections
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import bench
from chapter import read_block, write_block
from machine import BUILD, scaled

PROGRAM = os.path.join(BUILD, "host", "bench")
SCALE = os.path.join(BUILD, "host", "scale")
OPERATIONS = {
    "page_of_list": "order-0 pair, off the CPU's list and back",
    "page_of_zone": "the same where the CPU has no lists: a block is split and merges",
    "order10_of_zone": "the largest block and back, without lists",
    "batch": "64 pages taken, then given",
    "refused": "a request that cannot wait, refused",
    "exclusive": "an exclusive page taken and released",
    "handover": "the same, sent to another owner between; two switches are in it",
}
PAIRS = 1000
LIMIT = scaled(120)
PEERS = ("labyrinth", "floor", "tcmalloc")
# Name: the target, and whether it is the least or the most.
TARGETS = {
    "order0_pair": (60, "most"),
    "order0_pair_to_floor": (1.1, "most"),
    "churn50_to_tcmalloc": (1.05, "most"),
    "churn90_to_tcmalloc": (0.85, "most"),
    "blocks_left50": (247, "least"),
    "blocks_left90": (35, "least"),
}
WHAT = {
    "order0_pair": "order-0 pair, instructions",
    "order0_pair_floor": "the stack of frames",
    "order0_pair_tcmalloc": "tcmalloc",
    "order0_pair_ns": "order-0 pair, ns",
    "order0_pair_floor_ns": "the stack of frames",
    "order0_pair_tcmalloc_ns": "tcmalloc",
    "order0_pair_to_floor": "times the stack's",
    "churn50_ns": "churn at 50 %, an operation, ns",
    "churn50_tcmalloc_ns": "tcmalloc",
    "churn50_to_tcmalloc": "times tcmalloc's",
    "churn90_ns": "churn at 90 %, an operation, ns",
    "churn90_tcmalloc_ns": "tcmalloc",
    "churn90_to_tcmalloc": "times tcmalloc's",
    "blocks_left50": "order-9 blocks left after it at 50 %, of 256",
    "blocks_left90": "the same at 90 %, of 51",
}

def run(*command):
    """The program's lines."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    if done.stderr:
        print(done.stderr.strip(), file=sys.stderr)
    return done.stdout.splitlines()


def collected(peer, pairs):
    """Instructions of so many pairs and their loop; None: there is no such peer here."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={directory}/out",
                f"--toggle-collect=pairs_of_{peer}",
                PROGRAM,
                "pairs",
                peer,
                str(pairs),
            ],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 and peer == "tcmalloc":
        return None
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"callgrind, {peer}: {done.stderr.strip()}")
    return int(found.group(1))


def instructions(peer):
    """Of one pair, net of the loop; the first pairs fill lists and are left out."""
    if shutil.which("valgrind") is None:
        raise RuntimeError("there is no valgrind here: tests/setup bench")
    first = collected(peer, PAIRS)
    if first is None:
        return None
    loop = collected("nothing", 2 * PAIRS) - collected("nothing", PAIRS)
    return round((collected(peer, 2 * PAIRS) - first - loop) / PAIRS)


def blocks():
    """Per cent: the median of all seeds."""
    left = collections.defaultdict(list)
    for line in run(PROGRAM, "blocks"):
        percent, count = re.match(r"blocks(\d+) (\d+) of \d+$", line).groups()
        left[percent].append(int(count))
    return {percent: statistics.median(counts) for percent, counts in left.items()}


def exact():
    """Name: what is the same on each machine, for one compiler."""
    left = blocks()
    return {
        "order0_pair": instructions("labyrinth"),
        "order0_pair_floor": instructions("floor"),
        "blocks_left50": left["50"],
        "blocks_left90": left["90"],
    }


def times():
    """Name: nanoseconds, and ratios."""
    rounds = collections.defaultdict(list)
    for line in run(PROGRAM, "times"):
        loop, peer, value = line.split()
        rounds[loop, peer].append(float(value))
    if any(rounds.pop((f"failed{percent}", "labyrinth")) != [0] for percent in (50, 90)):
        raise RuntimeError("a request of the churn failed: it is not the same work")
    found = {}
    for (loop, peer), values in rounds.items():
        name = {"pair": "order0_pair"}.get(loop, loop)
        name += "_ns" if peer == "labyrinth" else f"_{peer}_ns"
        found[name] = round(statistics.median(values), 1)
    for loop, peer in (("pair", "floor"), ("churn50", "tcmalloc"), ("churn90", "tcmalloc")):
        both = list(zip(rounds[loop, "labyrinth"], rounds.get((loop, peer), ())))
        name = {"pair": "order0_pair"}.get(loop, loop) + f"_to_{peer}"
        found[name] = round(statistics.median([a / b for a, b in both]), 2) if both else None
    return found


def scale():
    """Name: {machine: instructions of the operation}, the stops of the child left out."""
    found = collections.defaultdict(dict)
    for line in run(SCALE):
        name, *machine, count = line.split()
        found[name][tuple(machine)] = int(count)
    stops = found.pop("nothing")
    return {
        name: {machine: count - stops[machine] for machine, count in counts.items()}
        for name, counts in found.items()
    }


def grows(measured):
    """Sentences: the operations that do not cost the same on each machine."""
    return [
        f"{name} costs {counts} (MB, free single pages, owners)"
        for name, counts in measured.items()
        if len(set(counts.values())) != 1
    ]


def scale_table(measured):
    lines = ["| Name | What | Instructions, on each machine |\n", "|---|---|---|\n"]
    for name in OPERATIONS:
        counts = measured[name]
        cell = " / ".join(f"{count:,}" for count in sorted(set(counts.values())))
        lines.append(f"| {name} | {OPERATIONS[name]} | {cell} |\n")
    return "".join(lines)


def rows():
    found = {**exact(), **times(), "order0_pair_tcmalloc": instructions("tcmalloc")}
    result = []
    for name in WHAT:
        row = {"name": name, "count": found.get(name)}
        if name in TARGETS:
            row["target"], row["is_the"] = TARGETS[name]
        result.append(row)
    return result


def compiler():
    """As it names itself in the benchmark."""
    said = subprocess.run(
        ["readelf", "-p", ".comment", PROGRAM], capture_output=True, text=True, check=True
    )
    return re.search(r"\]\s+(\S.*)", said.stdout).group(1).strip()


def table(measured, made_with):
    lines = [
        f"By mm/ made with {made_with}:\n",
        "\n",
        "| Name | What | Measured | Target |\n",
        "|---|---|---|---|\n",
    ]
    for row in measured:
        count = "–" if row["count"] is None else f"{row['count']:,}"
        sign = {"most": "≤", "least": "≥"}.get(row.get("is_the"))
        target = f"{sign} {row['target']}" if sign else ""
        lines.append(f"| {row['name']} | {WHAT[row['name']]} | {count} | {target} |\n")
    return "".join(lines)


def shown():
    """The tables of the chapter: the compiler, and twice name: what was measured."""
    text = read_block(bench.CHAPTER, "bench-host")
    made_with = re.search(r"made with (.*):\n", text).group(1)
    scale = rows_shown(read_block(bench.CHAPTER, "bench-scale"), OPERATIONS)
    return made_with, rows_shown(text, WHAT), scale


def rows_shown(text, names):
    counts = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and cells[0] in names:
            counts[cells[0]] = None if cells[2] == "–" else float(cells[2].replace(",", ""))
    return counts


def differences():
    """
    Sentences: how the chapter's table is not that of this tree.  Instructions may be off
    by 5 per cent for the compiler that it was made with; blocks may not.  A row that
    reached its target does so with any.
    """
    made_with, written, scaled_written = shown()
    if set(written) != set(WHAT) or set(scaled_written) != set(OPERATIONS):
        return [f"the rows are {sorted(written)} and {sorted(scaled_written)}"]
    measured = scale()
    wrong = grows(measured)
    if made_with == compiler():
        for name, counts in measured.items():
            count = max(counts.values())
            if abs(count - scaled_written[name]) > 0.05 * count:
                wrong.append(f"{name}: {count}, not {scaled_written[name]:g}")
    for name, count in exact().items():
        blocks_left = name.startswith("blocks")
        near = 0 if blocks_left else 0.05 * written[name]
        if (blocks_left or made_with == compiler()) and abs(count - written[name]) > near:
            wrong.append(f"{name}: {count}, not {written[name]:g}")
        elif not keeps_target(name, count) and keeps_target(name, written[name]):
            wrong.append(f"{name}: {count} misses its target")
    return wrong


def keeps_target(name, count):
    if name not in TARGETS:
        return True
    target, kind = TARGETS[name]
    return count <= target if kind == "most" else count >= target


def main(words):
    if words not in ([], ["--write"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    measured, made_with = rows(), compiler()
    bench.write_json("host", measured, made_with)
    print(table(measured, made_with), end="")
    on_machines = scale()
    print(scale_table(on_machines), end="")
    if words:
        write_block(bench.CHAPTER, "bench-host", table(measured, made_with))
        write_block(bench.CHAPTER, "bench-scale", scale_table(on_machines))
    print("\n".join(grows(on_machines)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
