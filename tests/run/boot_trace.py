# SPDX-License-Identifier: MIT
"""The trace as it arrives at the other end of COM2."""

import json
import os
import re
import threading

from lab import boot_test, check, command, number
from machine import LIMIT, scaled, wait_until


def boot_with_com2(lab, words="", **options):
    """A machine at its prompt, and the file that its COM2 is."""
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, "com2.log")
    return lab.prompt(words, more=("-serial", "file:" + path), **options), path


def vmstat(qemu):
    lines = command(qemu, "vmstat").splitlines()
    return {name: int(n) for name, n in map(str.split, filter(None, lines))}


def end_stream(qemu):
    """Ask for the end, and wait until the kernel says that all is sent."""
    command(qemu, "trace stream off")
    wait_until(
        lambda: "stream to COM2: off" in command(qemu, "trace"),
        lambda: "the stream does not end",
    )


def read_stream(path):
    """Each line parsed; the numbers of each line follow those of the one
    before."""
    with open(path) as file:
        return parse_stream(file.read().splitlines())


def parse_stream(lines):
    events = []
    for at, line in enumerate(lines):
        try:
            events.append(json.loads(line))
        except ValueError:
            check(False, f"line {at} is no JSON: {line!r}")
    check(events[0]["event"] == "begin", f"it begins with {lines[0]}")
    check(events[-1]["event"] == "end", f"it ends with {lines[-1]}")
    expected = events[0]["seq"]
    for event in events:
        seq = event["seq"]
        check(seq == expected, f"{event} instead of number {expected}")
        marks = {"begin": 0, "end": 0, "lost": event.get("lost")}
        expected += marks.get(event["event"], 1)
    records = [e for e in events if e["event"] not in ("begin", "lost", "end")]
    check(events[-1]["sent"] == len(records), "not all that was sent arrived")
    lost = sum(e["lost"] for e in events if e["event"] == "lost")
    return records, lost


def pages_of(records, event):
    return sum(1 << r["order"] for r in records if r["event"] == event)


def allocated(before, after):
    names = [name for name in before if name.startswith("pgalloc_")]
    return sum(after[name] - before[name] for name in names)


@boot_test
def trace_over_com2_adds_up_to_vmstat(lab):
    """
    Blocks of several orders are taken and given back: what the stream says is
    what the counters say, page for page, and nothing is lost.
    """
    qemu, path = boot_with_com2(lab)
    with qemu:
        command(qemu, "recorder stop")
        command(qemu, "trace stream on")
        before = vmstat(qemu)
        command(qemu, "trace mm_page mm_exclusive")
        for words in ("GFP_KERNEL", "GFP_KERNEL 3", "ATOMIC|ZERO 1", "NOWAIT 9"):
            said = command(qemu, f"alloc {words}")
            check("pfn" in said, f"alloc {words}: {said!r}")
        pfns = [command(qemu, "alloc ATOMIC|EXCLUSIVE") for _ in range(3)]
        pfns = [int(re.search(r"pfn (0x[0-9a-f]+)", p)[1], 16) for p in pfns]
        command(qemu, "free all")
        command(qemu, "trace off")
        after = vmstat(qemu)
        end_stream(qemu)
        records, lost = read_stream(path)
    check(lost == 0, f"{lost} records were lost")
    got = pages_of(records, "mm_page_alloc")
    check(got == allocated(before, after) == 1 + 8 + 2 + 512, f"{got} pages")
    freed = pages_of(records, "mm_page_free")
    check(freed == after["pgfree"] - before["pgfree"] == got, f"{freed} freed")
    for name in ("take", "release", "park", "unpark"):
        seen = [r for r in records if r["event"] == f"mm_exclusive_{name}"]
        counter = f"exclusive_{name}"
        check(
            len(seen) == after[counter] - before[counter],
            f"{len(seen)} of {name}",
        )
        if name in ("take", "release"):
            said = sorted(r["pfn"] for r in seen)
            check(said == sorted(pfns), f"{name} of {said}, not {pfns}")
    times = [r["ts_us"] for r in records]
    check(times == sorted(times), "time runs back")
    check({r["context"] for r in records} == {"thread"}, "not all in threads")


@boot_test
def trace_counts_what_com2_is_too_slow_for(lab):
    """
    All of memory goes away faster than a serial line can say: what is missing in
    the stream is counted in it, and together it is what the counters say.
    """
    qemu, path = boot_with_com2(lab)
    with qemu:
        command(qemu, "recorder stop")
        command(qemu, "trace stream on")
        before = vmstat(qemu)
        command(qemu, "trace mm_page_alloc")
        command(qemu, "drain NOWAIT")
        command(qemu, "trace off")
        after = vmstat(qemu)
        end_stream(qemu)
        said = command(qemu, "trace")
        command(qemu, "free all")
        records, lost = read_stream(path)
    check(lost > 0, "nothing was lost: this tests nothing")
    total = len(records) + lost
    check(
        total == allocated(before, after),
        f"{total} records for {allocated(before, after)} pages",
    )
    shown = number(said, r"sent, (\d+) lost", "trace")
    check(shown == lost, f"trace says {shown} lost, the stream {lost}")


@boot_test
def trace_of_the_boot_is_asked_for_on_the_command_line(lab):
    """The recorder's pages pass from interrupt to thread, as the trace says."""
    qemu, path = boot_with_com2(lab, "trace=mm_exclusive trace_stream")
    with qemu:
        command(qemu, "recorder stop")
        command(qemu, "trace off")
        said = command(qemu, "trace show 5")
        check(
            re.search(r" \[000\] [d.][h.]\d +\d+\.\d{6}: mm_exclusive_", said),
            f"trace show says {said!r}",
        )
        end_stream(qemu)
        records, lost = read_stream(path)
    check(lost == 0, f"{lost} records were lost")
    taken = [r for r in records if r["event"] == "mm_exclusive_take"]
    check({r["context"] for r in taken} == {"irq"}, "taken by a thread")
    sent = [r["pfn"] for r in records if r["event"] == "mm_exclusive_transfer"]
    got = [r["pfn"] for r in records if r["event"] == "mm_exclusive_accept"]
    check(sent and sent == got, f"sent {sent}, accepted {got}")


@boot_test
def traced_code_does_not_wait_for_a_reader_that_sleeps(lab):
    """
    Nobody reads the other end of COM2: the port is full, the thread that sends
    waits, and everybody else goes on.  When it is read at last, everything is
    there, as a record or as lost.
    """
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, "com2")
    for name in (path + ".in", path + ".out"):
        if os.path.exists(name):
            os.unlink(name)
        os.mkfifo(name)
    end = os.open(path + ".out", os.O_RDONLY | os.O_NONBLOCK)
    with lab.prompt(more=("-serial", "pipe:" + path)) as qemu:
        command(qemu, "recorder stop")
        command(qemu, "trace stream on")
        before = vmstat(qemu)
        command(qemu, "trace mm_page_alloc")
        command(qemu, "drain NOWAIT")
        command(qemu, "trace off")
        after = vmstat(qemu)
        command(qemu, "trace stream off")
        said = command(qemu, "trace")
        check("stream to COM2: on" in said, f"it was read: {said!r}")
        command(qemu, "free all")
        said = command(qemu, "check")
        check("exactly one column" in said, f"check says {said!r}")
        os.set_blocking(end, True)
        lines = []
        with os.fdopen(end, errors="replace") as pipe:
            reader = threading.Thread(
                target=lambda: lines.extend(pipe.read().splitlines())
            )
            reader.start()
            end_stream(qemu)
            qemu.kill()
            reader.join(scaled(LIMIT))
    records, lost = parse_stream(lines)
    check(lost > 0, "nothing was lost: this tests nothing")
    total = len(records) + lost
    check(
        total == allocated(before, after),
        f"{total} records for {allocated(before, after)} pages",
    )


@boot_test
def stream_without_a_port_is_refused(lab):
    with lab.prompt("trace_stream", memory="32M") as qemu:
        check("trace: not possible" in qemu.console.text, "no word of it")
        said = command(qemu, "trace stream on")
        check("no UART answers at COM2" in said, f"it says {said!r}")
