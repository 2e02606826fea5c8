/* SPDX-License-Identifier: MIT */
/*
 * drivers/pit.c -- the 8254 programmable interval timer.
 *
 * Three 16-bit counters run at 1 193 182 Hz, whatever the CPU does.  Counter 0
 * is wired to line 0; in mode 2 ("rate generator") it raises one edge each time
 * it has counted its divisor down:
 *
 *	hz      divisor   really
 *	19      62799     19.000
 *	1000    1193      1000.152
 *	10000   119       10026.739
 *
 * Counter 2 has a gate and an output that port 0x61 shows (bits 0 and 5).  In
 * mode 0 ("interrupt on terminal count") the output goes high when the count
 * has run out, so a loop that reads it measures the TSC without interrupts.
 * Reading late makes the result too large, never too small: of several
 * measurements the smallest is the best.  The output must be low first: where it
 * is high all the time (nobody drives the bus) nothing is counted.  And a rate
 * that no processor has is no measurement.
 *
 * Locking: pit.lock guards the listener and the two-byte writes of a divisor.
 *
 * Source: Intel 8254 data sheet, "Mode definitions".
 */
#include "drivers/pit.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/core/lock.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/parse.h"

#define PIT_IRQ        0
#define PIT_FREQUENCY  1193182U
#define HZ_DEFAULT     1000U

#define PORT_COUNTER_0 0x40
#define PORT_COUNTER_2 0x42
#define PORT_CONTROL   0x43
#define PORT_B         0x61 /* bit 0 gate of counter 2, 1 speaker, 5 output */

#define CONTROL_RATE_0 0x34 /* counter 0, low then high byte, mode 2 */
#define CONTROL_ONCE_2 0xb0 /* counter 2, low then high byte, mode 0 */

#define B_GATE         0x01
#define B_SPEAKER      0x02
#define B_OUTPUT       0x20

#define MEASUREMENTS   3
#define MEASURE_COUNT  2386U /* 2 ms */
#define MEASURE_MICROS 2000U
/* A read of a port takes a quarter of a microsecond at the very least. */
#define MEASURE_POLLS  (400U * MEASURE_MICROS)
/* If the 8254 does not count: a machine of 1 GHz. */
#define ASSUMED_CYCLES 1000U
/* Cycles a microsecond that can be: 10 MHz to 100 GHz. */
#define LEAST_CYCLES   10U
#define MOST_CYCLES    100000U

/* Periods until the first interrupt must have come, and microseconds besides
 * for a host that is busy. */
#define CHECK_PERIODS  3U
#define CHECK_MICROS   200000U

static struct {
	struct spinlock lock;
	void (*listener)(void *data);
	void *data;
	unsigned int hz; /* of the parameter */
} pit = {
	.lock = SPINLOCK_INIT("pit"),
	.hz = HZ_DEFAULT,
};

static bool hz_is_valid(uint64_t hz)
{
	return hz >= PIT_HZ_MIN && hz <= PIT_HZ_MAX;
}

static int set_hz_param(const char *value)
{
	uint64_t hz;

	if (value == NULL || parse_number(value, &hz) != 0)
		return -EINVAL;
	if (!hz_is_valid(hz))
		return -ERANGE;
	pit.hz = (unsigned int)hz;
	return 0;
}

PARAM(hz, "hz", "N: timer interrupts a second, 19..10000", set_hz_param);

static unsigned int divisor_of(unsigned int hz)
{
	return (PIT_FREQUENCY + hz / 2) / hz;
}

uint64_t pit_millihertz(unsigned int hz)
{
	return PIT_FREQUENCY * 1000ULL / divisor_of(hz);
}

static void write_count(uint8_t control, uint16_t counter, unsigned int count)
{
	outb(control, PORT_CONTROL);
	outb((uint8_t)count, counter);
	outb((uint8_t)(count >> 8), counter);
}

/* Cycles that the TSC counts in MEASURE_COUNT steps of counter 2; 0: never. */
static uint64_t measure_once(void)
{
	uint8_t quiet = inb(PORT_B) & (uint8_t) ~(B_GATE | B_SPEAKER);
	uint64_t begin;

	outb(quiet | B_GATE, PORT_B);
	write_count(CONTROL_ONCE_2, PORT_COUNTER_2, MEASURE_COUNT);
	begin = arch_cycles();
	if (inb(PORT_B) & B_OUTPUT) {
		outb(quiet, PORT_B);
		return 0;
	}
	for (unsigned int polls = 0; polls < MEASURE_POLLS; polls++) {
		if (inb(PORT_B) & B_OUTPUT) {
			uint64_t cycles = arch_cycles() - begin;

			outb(quiet, PORT_B);
			return cycles;
		}
	}
	outb(quiet, PORT_B);
	return 0;
}

/* Cycles a microsecond, the best of some measurements; 0: none. */
static uint64_t measure(void)
{
	uint64_t smallest = UINT64_MAX;

	for (unsigned int i = 0; i < MEASUREMENTS; i++) {
		bool enabled = arch_irq_save();
		uint64_t cycles = measure_once();

		arch_irq_restore(enabled);
		if (cycles == 0)
			return 0;
		smallest = min(smallest, cycles);
	}
	return (smallest + MEASURE_MICROS / 2) / MEASURE_MICROS;
}

static void calibrate(void)
{
	uint64_t rate = measure();

	if (rate >= LEAST_CYCLES && rate <= MOST_CYCLES) {
		clock_calibrated(rate);
		pr_info("pit: TSC runs at %llu MHz", (unsigned long long)rate);
		return;
	}
	clock_calibrated(ASSUMED_CYCLES);
	if (rate == 0)
		pr_warn("pit: counter 2 does not count; assuming a TSC of "
		        "%u MHz",
		        ASSUMED_CYCLES);
	else
		pr_warn("pit: a TSC of %llu MHz cannot be; assuming %u MHz",
		        (unsigned long long)rate, ASSUMED_CYCLES);
}

static void pit_interrupt(int irq __unused, void *dev_id __unused)
{
	void (*listener)(void *data);
	bool enabled;
	void *data;

	clock_tick();
	enabled = spin_lock_irqsave(&pit.lock);
	listener = pit.listener;
	data = pit.data;
	spin_unlock_irqrestore(&pit.lock, enabled);
	if (listener != NULL)
		listener(data);
}

void pit_set_listener(void (*listener)(void *data), void *data)
{
	bool enabled = spin_lock_irqsave(&pit.lock);

	pit.listener = listener;
	pit.data = data;
	spin_unlock_irqrestore(&pit.lock, enabled);
}

int pit_set_hz(unsigned int hz)
{
	bool enabled;

	if (!hz_is_valid(hz))
		return -EINVAL;
	enabled = spin_lock_irqsave(&pit.lock);
	write_count(CONTROL_RATE_0, PORT_COUNTER_0, divisor_of(hz));
	clock_set_hz(hz);
	spin_unlock_irqrestore(&pit.lock, enabled);
	return 0;
}

int pit_init(void)
{
	int error;

	calibrate();
	/* The parameter was checked when it was set. */
	pit_set_hz(pit.hz);
	pr_info("pit: timer at %u Hz, exactly %llu.%03llu", pit.hz,
	        (unsigned long long)pit_millihertz(pit.hz) / 1000,
	        (unsigned long long)pit_millihertz(pit.hz) % 1000);
	error = request_irq(PIT_IRQ, pit_interrupt, "timer", NULL);
	if (error != 0)
		pr_err("pit: no line %d: error %d; time stands still", PIT_IRQ,
		       -error);
	return error;
}

int pit_check(void)
{
	uint64_t begin = clock_microseconds();
	uint64_t limit = CHECK_MICROS + CHECK_PERIODS * 1000000U / pit.hz;

	while (clock_ticks() == 0) {
		if (clock_microseconds() - begin > limit) {
			pr_err("pit: no interrupts come; time stands still");
			return -ETIMEDOUT;
		}
		arch_relax();
	}
	return 0;
}
