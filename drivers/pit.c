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
 * mode 0 ("interrupt on terminal count") the output goes high when the count has run
 * out and stays so.  Its count can be latched at one moment and read later, and it is
 * the yardstick of the TSC: drivers/tsc_rate.c says what follows from two looks.  A
 * look late by any time does no harm, unless the count has run out in between,
 * 54.9 ms after its begin; then the output is high, and the window is thrown away.
 * Where it is high all the time (nobody drives the bus), or the count stands still,
 * there is no 8254.  A rate that no processor has is no measurement.
 *
 * Locking: pit.lock guards the listener and the two-byte writes of a divisor.
 *
 * Source: Intel 8254 data sheet, "Mode definitions".
 */
#include "drivers/pit.h"

#include "drivers/tsc_rate.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/arch/registers.h"
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
#define CONTROL_LOOK_2 0x80 /* counter 2: latch the count */

#define B_GATE         0x01
#define B_SPEAKER      0x02
#define B_OUTPUT       0x20

#define WINDOW_BEGIN   0xffffU
/* Counts of the first window, half a millisecond, and of the longest, 4 ms: where
 * looks take long, a short window does not say enough, so each is twice as long as the
 * one before. */
#define WINDOW_FIRST   600U
#define WINDOW_MOST    4800U
/* A count lasts 838 ns, and no processor looks so often meanwhile. */
#define WINDOW_LOOKS   100000U
/* Windows that may fail before the rate is taken as exact as it is known. */
#define WINDOWS        50U
/* The best of so many looks begins a window, and ends it. */
#define LOOKS          4U

/* If neither the 8254 counts nor CPUID says: a machine of 1 GHz. */
#define ASSUMED_KHZ    1000000U
/* The plausible range: 10 MHz to 100 GHz. */
#define LEAST_KHZ      10000U
#define MOST_KHZ       100000000U

/* The leaves of CPUID. */
#define LEAF_FEATURES  1U
#define LEAF_CRYSTAL   0x15U
#define LEAF_BASE      0x16U
#define LEAF_VMM       0x40000000U
#define LEAF_VMM_RATES 0x40000010U
#define IN_A_VMM       0x80000000U

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

/* The count of counter 2, and the TSC before and after it was latched. */
struct pit_look {
	uint64_t before;
	uint64_t after;
	unsigned int count;
};

static struct pit_look pit_look_once(void)
{
	struct pit_look look;

	look.before = arch_cycles();
	outb(CONTROL_LOOK_2, PORT_CONTROL);
	look.after = arch_cycles();
	look.count = inb(PORT_COUNTER_2);
	look.count |= (unsigned int)inb(PORT_COUNTER_2) << 8;
	return look;
}

/* The one of a few whose moment is known best. */
static struct pit_look pit_look_well(void)
{
	struct pit_look best = pit_look_once();

	for (unsigned int i = 1; i < LOOKS; i++) {
		struct pit_look look = pit_look_once();

		if (look.after - look.before < best.after - best.before)
			best = look;
	}
	return best;
}

enum pit_window {
	WINDOW_GOOD,
	WINDOW_TORN, /* measure another one */
	WINDOW_DEAD, /* it does not count */
};

static bool pit_has_run_out(void)
{
	return (inb(PORT_B) & B_OUTPUT) != 0;
}

/* Counter 2 counts COUNTS from WINDOW_BEGIN on. */
static enum pit_window measure_counting(struct tsc_window *window,
                                        unsigned int counts)
{
	struct pit_look begin;
	struct pit_look end;
	unsigned int looks = 0; /* that saw the same count */

	write_count(CONTROL_ONCE_2, PORT_COUNTER_2, WINDOW_BEGIN);
	/* It is loaded by the next edge of the 8254's clock. */
	io_wait();
	io_wait();
	if (pit_has_run_out())
		return WINDOW_DEAD;
	begin = pit_look_well();
	end = begin;
	while (begin.count - end.count < counts) {
		unsigned int before = end.count;

		end = pit_look_once();
		looks = end.count == before ? looks + 1 : 0;
		if (looks == WINDOW_LOOKS)
			return WINDOW_DEAD;
		if (end.count > begin.count)
			return WINDOW_TORN;
	}
	end = pit_look_well();
	if (pit_has_run_out() || end.count >= begin.count)
		return WINDOW_TORN;
	*window = (struct tsc_window){ begin.before, begin.after, end.before,
		                       end.after, begin.count - end.count };
	return WINDOW_GOOD;
}

static enum pit_window measure_window(struct tsc_window *window,
                                      unsigned int counts)
{
	uint8_t quiet = inb(PORT_B) & (uint8_t) ~(B_GATE | B_SPEAKER);
	enum pit_window answer;

	outb(quiet | B_GATE, PORT_B);
	answer = measure_counting(window, counts);
	outb(quiet, PORT_B);
	return answer;
}

/* Measure until the rate is known, or for long enough. */
static void measure(struct tsc_rate *rate)
{
	unsigned int counts = WINDOW_FIRST;

	for (unsigned int i = 0; i < WINDOWS; i++) {
		struct tsc_window window;
		enum pit_window answer = measure_window(&window, counts);

		if (answer == WINDOW_DEAD)
			return;
		if (answer == WINDOW_GOOD &&
		    tsc_rate_add(rate, &window, PIT_FREQUENCY))
			return;
		counts = min(2 * counts, WINDOW_MOST);
	}
	if (rate->disagreed > 0)
		pr_warn("pit: TSC and 8254 do not keep step: %u times of %u\n",
		        rate->disagreed, WINDOWS);
}

static uint64_t stated(const char **source)
{
	struct tsc_leaves leaves = { 0 };
	uint32_t last = read_cpuid(0, 0).eax;

	if (last >= LEAF_CRYSTAL) {
		struct cpuid cpuid = read_cpuid(LEAF_CRYSTAL, 0);

		leaves.denominator = cpuid.eax;
		leaves.numerator = cpuid.ebx;
		leaves.crystal_hz = cpuid.ecx;
	}
	if (last >= LEAF_BASE)
		leaves.base_mhz = read_cpuid(LEAF_BASE, 0).eax & 0xffff;
	if ((read_cpuid(LEAF_FEATURES, 0).ecx & IN_A_VMM) != 0 &&
	    read_cpuid(LEAF_VMM, 0).eax >= LEAF_VMM_RATES)
		leaves.hypervisor_khz = read_cpuid(LEAF_VMM_RATES, 0).eax;
	return tsc_stated_khz(&leaves, source);
}

static bool pit_rate_can_be(uint64_t khz)
{
	return khz >= LEAST_KHZ && khz <= MOST_KHZ;
}

/* Use the rate from CPUID, unless the measurement disproves it. */
static void calibrate(void)
{
	struct tsc_rate rate = { 0 };
	const char *source;
	uint64_t said = stated(&source);
	uint64_t khz;

	measure(&rate);
	khz = tsc_rate_khz(&rate);
	if (khz == 0)
		pr_warn("pit: counter 2 does not count\n");
	else if (!pit_rate_can_be(khz))
		pr_warn("pit: a TSC of %llu kHz cannot be\n",
		        (unsigned long long)khz);
	if (pit_rate_can_be(said) && tsc_rate_allows(&rate, said)) {
		clock_calibrated(said);
		pr_info("pit: TSC runs at %llu MHz, says CPUID, %s\n",
		        (unsigned long long)(said + 500) / 1000, source);
		return;
	}
	if (pit_rate_can_be(said))
		pr_warn("pit: CPUID, %s, says %llu MHz, which is not so\n",
		        source, (unsigned long long)said / 1000);
	if (!pit_rate_can_be(khz)) {
		clock_calibrated(ASSUMED_KHZ);
		pr_warn("pit: assuming a TSC of %u MHz\n", ASSUMED_KHZ / 1000);
		return;
	}
	clock_calibrated(khz);
	pr_info("pit: TSC runs at %llu MHz\n",
	        (unsigned long long)(khz + 500) / 1000);
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
	if (listener != NULL) {
		irqsoff_set_place((uintptr_t)listener + 1);
		listener(data);
	}
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
