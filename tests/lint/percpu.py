#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: percpu.py CC FLAGS...

Each access to a CPU's own data is one instruction: a probe with one access to a function
is compiled as the kernel is, and disassembled.  In each function exactly one instruction
touches memory, it is relative to GS, and it has no lock prefix.
"""

import os
import re
import subprocess
import sys
import tempfile

PROBE = """
#include "kernel/arch/counter.h"
#include "kernel/arch/percpu.h"
unsigned int probe_read32(void);
uint64_t probe_read64(void);
bool probe_read8(void);
void probe_write(uint64_t value);
void probe_write8(bool value);
void probe_add32(void);
void probe_add64(uint64_t amount);
void probe_inc(void);
bool probe_sub(void);
bool probe_test(void);
void probe_and(void);
void probe_or(void);
void probe_end(void);
void probe_counter(unsigned long *way);
unsigned int probe_read32(void) { return this_cpu_read(preempt); }
uint64_t probe_read64(void) { return this_cpu_read(irq_rip); }
bool probe_read8(void) { return this_cpu_read(irr_hidden); }
void probe_write(uint64_t value) { this_cpu_write(irq_rip, value); }
void probe_write8(bool value) { this_cpu_write(irr_hidden, value); }
void probe_add32(void) { this_cpu_add(preempt, 3); }
void probe_add64(uint64_t amount) { this_cpu_add(nmi_count, amount); }
void probe_inc(void) { this_cpu_inc(nmi_ticks); }
bool probe_sub(void) { return this_cpu_sub(preempt, 1).zero; }
bool probe_test(void) { return this_cpu_test(preempt, 6); }
void probe_and(void) { this_cpu_and(preempt, ~1U); }
void probe_or(void) { this_cpu_or(preempt, 1); }
void probe_end(void) { this_cpu_preempt_end(2); }
void probe_counter(unsigned long *way) { arch_counter_add(way + 5, 2); }
"""
FUNCTIONS = re.findall(r"^\w[\w ]* (probe_\w+)\(.*\) \{", PROBE, re.M)


def disassemble(compiler, flags):
    with tempfile.TemporaryDirectory() as place:
        source, built = os.path.join(place, "probe.c"), os.path.join(place, "probe.o")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROBE)
        subprocess.run([compiler, *flags, "-c", source, "-o", built], check=True)
        call = ["objdump", "-d", "--no-show-raw-insn", built]
        return subprocess.run(call, check=True, capture_output=True, text=True).stdout


def touches_memory(line):
    """Not LEA, which computes, nor a jump, a call or a NOP."""
    words = line.split()
    if not words or words[0].startswith(("lea", "j", "call", "ret", "push", "pop")):
        return False
    if any(word.startswith("nop") for word in words[:3]):
        return False
    return "(" in line or "%gs:" in line or "lock" in words


def main(compiler, *flags):
    code = disassemble(compiler, flags)
    problems = 0
    for name in FUNCTIONS:
        body = re.search(rf"<{name}>:\n((?: .*\n)*)", code).group(1)
        lines = [line.split("\t", 1)[1].strip() for line in body.splitlines()]
        accesses = [line for line in lines if touches_memory(line)]
        if len(accesses) != 1 or "%gs:" not in accesses[0] or "lock" in accesses[0]:
            print(f"kernel/arch/percpu.h: {name} is not one access by GS: {accesses}")
            problems += 1
    print(f"percpu: {len(FUNCTIONS)} accessors, {problems} problems")
    return problems > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
