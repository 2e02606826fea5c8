/* SPDX-License-Identifier: MIT */
/* tests/kernel/test_ubsan.c -- undefined behaviour is reported in a sentence. */
#include "kernel/arch/ubsan.h"
#include "kernel/core/fault.h"
#include "kernel/core/printk.h"
#include "lib/string.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(ubsan);

#ifdef CHECKED
static volatile int largest = 0x7fffffff;
static volatile int smallest = -0x7fffffff - 1;
static volatile int minus_one = -1;
static volatile int bits_of_int = 32;
static volatile unsigned int four = 4;
static volatile int result;
static uint8_t *volatile wrapped;
static uint8_t bytes[16] __attribute__((aligned(8)));

static void ubsan_add(void *unused)
{
	(void)unused;
	result = largest + 1;
}

static void ubsan_subtract(void *unused)
{
	(void)unused;
	result = smallest - 1;
}

static void ubsan_multiply(void *unused)
{
	(void)unused;
	result = largest * 2;
}

static void ubsan_negate(void *unused)
{
	(void)unused;
	result = -smallest;
}

static void ubsan_shift(void *unused)
{
	(void)unused;
	result = 1 << bits_of_int;
}

static void ubsan_shift_back(void *unused)
{
	(void)unused;
	result = 1 << minus_one;
}

static void ubsan_index(void *unused)
{
	int array[4] = { 0 };

	(void)unused;
	result = array[four];
}

static void ubsan_misaligned(void *unused)
{
	(void)unused;
	result = *(int *)(void *)(bytes + four / 4);
}

static void ubsan_wrapped_pointer(void *unused)
{
	(void)unused;
	wrapped = bytes;
	wrapped += (size_t)four << 40;
}

struct ubsan_wanted {
	void (*function)(void *);
	const char *sentence;
	bool reported;
};

static bool ubsan_match(const struct fault *fault, void *data)
{
	static const char here[] = ", at tests/kernel/test_ubsan.c:";
	struct ubsan_wanted *wanted = data;
	const char *sentence = ubsan_trapped(fault->frame);
	const char *place = sentence;

	if (sentence == NULL)
		return false;
	while (*place != '\0' && strncmp(place, here, sizeof(here) - 1) != 0)
		place++;
	wanted->reported =
		*place != '\0' && strncmp(sentence, wanted->sentence,
	                                  strlen(wanted->sentence)) == 0;
	if (!wanted->reported)
		printk(LOG_NOTICE, "ubsan: reported: %s\n", sentence);
	return true;
}

static void ubsan_provoke(void *data)
{
	struct ubsan_wanted *wanted = data;
	struct fault_expect expect = { .match = ubsan_match, .data = data };

	wanted->reported = false;
	(void)fault_catch(&expect, wanted->function, NULL);
}

static struct ubsan_wanted ubsan_all[] = {
	{ ubsan_add, "2147483647 + 1 is outside of 'int', at", false },
	{ ubsan_subtract, "-2147483648 - 1 is outside of 'int', at", false },
	{ ubsan_multiply, "2147483647 * 2 is outside of 'int', at", false },
	{ ubsan_negate, "-(-2147483648) is outside of 'int', at", false },
	{ ubsan_shift, "1 of 'int' shifted by 32, at", false },
	{ ubsan_shift_back, "1 of 'int' shifted by -1, at", false },
	{ ubsan_index, "index 4 is outside of 'int", false },
	{ ubsan_misaligned, "'int' at 0x", false },
	{ ubsan_wrapped_pointer, "a pointer goes from 0x", false },
};

CASE(ubsan, undefined_behaviour_is_reported_with_operands_and_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(ubsan_all); i++) {
		ubsan_provoke(&ubsan_all[i]);
		if (!ubsan_all[i].reported)
			return test_failure("not in a thread: %s",
			                    ubsan_all[i].sentence);
		if (!in_timer_interrupt(ubsan_provoke, &ubsan_all[i]) ||
		    !ubsan_all[i].reported)
			return test_failure("not in a handler: %s",
			                    ubsan_all[i].sentence);
	}
	return NULL;
}
#else
CASE(ubsan, undefined_behaviour_is_reported_with_operands_and_place)
{
	SKIP("checked build");
}
#endif
