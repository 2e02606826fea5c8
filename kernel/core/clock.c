/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/clock.c -- time since boot.
 *
 * Time is the time-stamp counter since the kernel's entry, divided by its rate,
 * which the timer's driver measures.  Until then a rate is assumed that no
 * processor reaches: time runs slow, never back, and no wait ends too soon.
 *
 * The counters of different CPUs are taken to agree, as they do where the TSC
 * is invariant (Intel SDM vol. 3B, 17.17 "Time-Stamp Counter").
 */
#include "kernel/core/clock.h"

#include "kernel/arch/arch.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/watchdog.h"

/* 10 GHz. */
#define KHZ_ASSUMED 10000000ULL

static uint64_t entry;
static uint64_t khz = KHZ_ASSUMED;
static uint64_t ticks; /* atomic */
static unsigned int ticks_a_second;

void clock_init(uint64_t entry_cycles)
{
	entry = entry_cycles;
}

void clock_calibrated(uint64_t measured_khz)
{
	WRITE_ONCE(khz, max(measured_khz, (uint64_t)1));
}

uint64_t clock_cycles_per_microsecond(void)
{
	return max((READ_ONCE(khz) + 500) / 1000, (uint64_t)1);
}

uint64_t clock_cycles(void)
{
	return arch_cycles() - entry;
}

/* In two steps: cycles * 1000 would overflow after months. */
uint64_t clock_microseconds(void)
{
	uint64_t cycles = clock_cycles();
	uint64_t rate = READ_ONCE(khz);

	return cycles / rate * 1000 + cycles % rate * 1000 / rate;
}

uint64_t clock_ticks(void)
{
	return __atomic_load_n(&ticks, __ATOMIC_RELAXED);
}

void clock_tick(void)
{
	__atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED);
	log_flush();
	sched_tick();
	watchdog_tick();
}

unsigned int clock_hz(void)
{
	return READ_ONCE(ticks_a_second);
}

void clock_set_hz(unsigned int hz)
{
	WRITE_ONCE(ticks_a_second, hz);
}
