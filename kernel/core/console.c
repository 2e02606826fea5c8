/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/console.c -- sinks and keys.
 *
 * Sinks form a list that only grows, and a new one is complete before it is
 * linked: it is read without a lock, also in panics.
 *
 * The input ring is filled by interrupts and emptied by threads.  `written` and
 * `taken` count keys since boot; their difference is what the ring holds.
 *
 * Locking: input_lock guards the ring; it is released before the reader is
 * woken.
 */
#include "kernel/core/console.h"

#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/format.h"
#include "lib/string.h"

/* Three lines of typing ahead; a key is below 0x200. */
#define INPUT_KEYS 256

#define CONTROL_C  0x03

#define PRINTF_MAX 512

static struct spinlock sinks_lock = SPINLOCK_INIT("console sinks");
static void (*diverted_to)(const char *text, size_t size);
static struct console_sink *sinks; /* written under sinks_lock */
static uint64_t write_dropped;     /* atomic */

static struct spinlock input_lock = SPINLOCK_INIT("console input");
static struct wait_queue readers = WAIT_QUEUE_INIT(readers);

/* Under input_lock: */
static uint16_t input[INPUT_KEYS];
static uint64_t written;
static uint64_t taken;
static uint64_t input_dropped;

/* ---- Output ------------------------------------------------------------- */

/* At the end of the list: the sinks write in the order of their coming. */
void console_register_sink(struct console_sink *sink)
{
	bool enabled = spin_lock_irqsave(&sinks_lock);
	struct console_sink **link = &sinks;

	while (*link != NULL)
		link = &(*link)->next;
	sink->next = NULL;
	__atomic_store_n(link, sink, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&sinks_lock, enabled);
}

static struct console_sink *sink_after(struct console_sink *sink)
{
	return __atomic_load_n(sink == NULL ? &sinks : &sink->next,
	                       __ATOMIC_ACQUIRE);
}

bool console_has_sinks(void)
{
	return sink_after(NULL) != NULL;
}

/* To all sinks, or if NAME is not NULL to the one that is called so. */
static void write_to(const char *name, const char *text, size_t size)
{
	struct console_sink *sink = NULL;

	if (in_nmi() && !panic_in_progress()) {
		__atomic_fetch_add(&write_dropped, 1, __ATOMIC_RELAXED);
		return;
	}
	while ((sink = sink_after(sink)) != NULL) {
		if (name == NULL || strcmp(name, sink->name) == 0)
			sink->write(text, size);
	}
}

void console_write(const char *text, size_t size)
{
	write_to(NULL, text, size);
}

void console_write_to(const char *name, const char *text, size_t size)
{
	write_to(name, text, size);
}

void console_divert(void (*divert)(const char *text, size_t size))
{
	WRITE_ONCE(diverted_to, divert);
}

void console_printf(const char *format, ...)
{
	void (*to)(const char *, size_t);
	char text[PRINTF_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	to = READ_ONCE(diverted_to);
	if (to != NULL)
		to(text, (size_t)length);
	else
		console_write(text, (size_t)length);
}

uint64_t console_write_dropped(void)
{
	return __atomic_load_n(&write_dropped, __ATOMIC_RELAXED);
}

/* ---- Input -------------------------------------------------------------- */

void console_input(int key)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	bool full = written - taken == INPUT_KEYS;

	if (full)
		input_dropped++;
	else
		input[written++ % INPUT_KEYS] = (uint16_t)key;
	spin_unlock_irqrestore(&input_lock, enabled);
	if (!full)
		wake_up(&readers);
}

uint64_t console_input_dropped(void)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	uint64_t dropped = input_dropped;

	spin_unlock_irqrestore(&input_lock, enabled);
	return dropped;
}

int console_poll_key(void)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	int key = -1;

	if (written != taken)
		key = input[taken++ % INPUT_KEYS];
	spin_unlock_irqrestore(&input_lock, enabled);
	return key;
}

bool console_interrupted(void)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	bool found = false;

	for (uint64_t at = taken; at != written && !found; at++) {
		found = input[at % INPUT_KEYS] == CONTROL_C;
		if (found)
			taken = at + 1;
	}
	spin_unlock_irqrestore(&input_lock, enabled);
	return found;
}

/* Take a key into the int at DATA.  False: there is none. */
static bool take_key(void *data)
{
	int *key = data;

	*key = console_poll_key();
	return *key >= 0;
}

int console_read_key(void)
{
	int key = -1;

	wait_event(&readers, take_key, &key);
	return key;
}
