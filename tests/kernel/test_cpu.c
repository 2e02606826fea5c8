/* SPDX-License-Identifier: MIT */
/*
 * The CPU's protections: on where the CPU has them, skipped where it has not.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/core/clock.h"
#include "tests/suite.h"

SUITE(cpu);

CASE(cpu, write_protection_is_on)
{
	EXPECT((read_cr0() & CR0_WP) != 0);
	return NULL;
}

/* The firmware and the loader have run for longer than a millisecond. */
CASE(cpu, time_begins_when_the_kernel_is_entered)
{
	uint64_t cycles = clock_cycles();

	EXPECT(arch_cycles() - cycles > 1000 * clock_cycles_per_microsecond());
	return NULL;
}

/* The last CPU never runs.  Its data is made all the same: itself, its number, and no
 * thread that must go. */
CASE(cpu, each_cpu_knows_itself_before_it_runs)
{
	const struct cpu *last = &cpu_data[MAX_CPUS - 1];

	EXPECT(last->self == last && last->id == MAX_CPUS - 1);
	EXPECT_EQUAL(last->preempt, PREEMPT_NO_RESCHED);
	return NULL;
}

CASE(cpu, nx_is_on)
{
	if (!cpu_has(CPU_NX))
		SKIP("nx");
	EXPECT((read_msr(MSR_EFER) & EFER_NXE) != 0);
	return NULL;
}

CASE(cpu, machine_checks_are_exceptions)
{
	if (!cpu_has(CPU_MCE))
		SKIP("mce");
	EXPECT((read_cr4() & CR4_MCE) != 0);
	return NULL;
}

CASE(cpu, smep_is_on)
{
	if (!cpu_has(CPU_SMEP))
		SKIP("smep");
	EXPECT((read_cr4() & CR4_SMEP) != 0);
	return NULL;
}

CASE(cpu, smap_is_on)
{
	if (!cpu_has(CPU_SMAP))
		SKIP("smap");
	EXPECT((read_cr4() & CR4_SMAP) != 0);
	return NULL;
}

CASE(cpu, umip_is_on)
{
	if (!cpu_has(CPU_UMIP))
		SKIP("umip");
	EXPECT((read_cr4() & CR4_UMIP) != 0);
	return NULL;
}
