/* SPDX-License-Identifier: MIT */
/*
 * Ports and registers in memory are compiler barriers.  A device sees memory when
 * it is told to look, so what the source stores before has been stored by then,
 * and what it loads afterwards is loaded afterwards.  Here the "device" is the
 * hook of the stepper, which looks at memory where the access is the next
 * instruction.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/step.h"
#include "kernel/arch/trap.h"
#include "kernel/core/irq.h"
#include "tests/suite.h"

SUITE(io);

#define LINE        5 /* not used: no interrupt is asked for */
#define OUT_IMM8    0xe6
#define IN_IMM8     0xe4
#define NOBODY_PORT 0x80 /* a write is harmless, a read as well */

static uint32_t descriptor;
static uint32_t device_register;
static uint32_t seen;

/* The device's action where OPCODE comes next. */
struct device {
	uint8_t opcode;
	bool writes; /* to the descriptor; otherwise it reads it */
	unsigned int accesses;
};

static enum step_action be_device(const struct step_boundary *boundary,
                                  void *data)
{
	struct device *device = data;
	const uint8_t *code = (const uint8_t *)boundary->frame->rip;

	if (*code != device->opcode)
		return STEP_ON;
	device->accesses++;
	if (device->writes)
		descriptor = 7;
	else
		seen = descriptor;
	return STEP_ON;
}

static void store_around_a_port(void *data __unused)
{
	descriptor = 1;
	outb(0, NOBODY_PORT);
	descriptor = 2;
}

static void load_around_a_port(void *data __unused)
{
	uint32_t before = descriptor;

	(void)inb(NOBODY_PORT);
	seen = before + descriptor;
}

CASE(io, what_is_stored_before_a_port_is_in_memory_when_it_is_written)
{
	struct device device = { .opcode = OUT_IMM8 };

	descriptor = 0;
	seen = 0;
	step_run(store_around_a_port, NULL, LINE, be_device, &device);
	EXPECT_EQUAL(device.accesses, 1);
	EXPECT_EQUAL(seen, 1);
	EXPECT_EQUAL(descriptor, 2);
	return NULL;
}

CASE(io, what_is_loaded_behind_a_port_is_loaded_afterwards)
{
	struct device device = { .opcode = IN_IMM8, .writes = true };

	descriptor = 3;
	seen = 0;
	step_run(load_around_a_port, NULL, LINE, be_device, &device);
	EXPECT_EQUAL(device.accesses, 1);
	EXPECT_EQUAL(seen, 3 + 7);
	return NULL;
}

/* ---- Registers in memory, and the barriers by name ----------------------- */

/*
 * The device has looked: which values has the descriptor had, in which order?
 */
struct history {
	uint32_t value[4];
	unsigned int count;
};

static enum step_action
note_changes(const struct step_boundary *boundary __unused, void *data)
{
	struct history *history = data;

	if (history->count < ARRAY_SIZE(history->value) &&
	    (history->count == 0 ||
	     history->value[history->count - 1] != descriptor))
		history->value[history->count++] = descriptor;
	return STEP_ON;
}

static const char *expect_0_1_2(void (*run)(void *))
{
	struct history history = { .count = 0 };

	descriptor = 0;
	step_run(run, NULL, LINE, note_changes, &history);
	EXPECT_EQUAL(history.count, 3);
	for (uint32_t i = 0; i < 3; i++)
		EXPECT_EQUAL(history.value[i], i);
	return NULL;
}

static void store_around_writel(void *data __unused)
{
	descriptor = 1;
	writel(9, &device_register);
	descriptor = 2;
}

static void store_around_readl(void *data __unused)
{
	descriptor = 1;
	(void)readl(&device_register);
	descriptor = 2;
}

static void store_around_wmb(void *data __unused)
{
	descriptor = 1;
	dma_wmb();
	descriptor = 2;
}

CASE(io, a_register_in_memory_separates_stores)
{
	const char *sentence = expect_0_1_2(store_around_writel);

	EXPECT_EQUAL(device_register, 9);
	EXPECT_EQUAL(readl(&device_register), 9);
	return sentence != NULL ? sentence : expect_0_1_2(store_around_readl);
}

CASE(io, dma_wmb_separates_stores)
{
	return expect_0_1_2(store_around_wmb);
}
