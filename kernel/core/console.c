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
 *	sender --> device's FIFO --> handler --> ring --> shell
 *	                                ^          |
 *	             held: no room <----+----------+
 *	             resumed: half of it is free
 *
 * A handler that finds the ring (nearly) full leaves its device alone; the device
 * fills up and holds the sender.  Sources are held one before the other, so that
 * a key of the keyboard has a place although a serial line is held.
 *
 * ^C does not wait in the ring behind a command that reads no keys: while a thread
 * is in the foreground, the interrupt that brings ^C marks it and wakes it.
 * kernel/core/sched.h and mm/slow_path.c describe what the mark ends.
 *
 * Locking: input_lock guards the ring and who is in the foreground; it is released
 * before the reader is woken or a source is resumed.  It is held while a thread is
 * interrupted, so that none is after console_leave().
 */
#include "kernel/core/console.h"

#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/format.h"
#include "lib/string.h"

/* Two long lines of typing ahead; a key is below 0x200. */
#define INPUT_KEYS 2048

#define CONTROL_C  0x03

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
static struct thread *foreground; /* whom ^C interrupts; NULL: it is a key */
static unsigned int interrupts;   /* how many ^C the ring holds */
static unsigned int held;         /* how many sources are */
static struct console_source *sources;

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

/* A handler may have come upon the writer, and a panic upon anybody. */
bool console_begin_write(struct console_writer *writer, struct spinlock *lock)
{
	*writer = (struct console_writer){ .lock = lock };
	writer->tried = panic_in_progress() || in_interrupt();
	if (!writer->tried)
		spin_lock(lock);
	else if (!spin_trylock_irqsave(lock, &writer->enabled))
		writer->lock = NULL;
	return writer->lock != NULL;
}

void console_end_write(const struct console_writer *writer)
{
	if (writer->lock == NULL)
		return;
	if (writer->tried)
		spin_unlock_irqrestore(writer->lock, writer->enabled);
	else
		spin_unlock(writer->lock);
}

bool console_has_sinks(void)
{
	return sink_after(NULL) != NULL;
}

/* False: counted and dropped. */
static bool console_may_write(void)
{
	if (!in_nmi() || panic_in_progress())
		return true;
	__atomic_fetch_add(&write_dropped, 1, __ATOMIC_RELAXED);
	return false;
}

/* To all sinks, or if NAME is not NULL to the one that is called so. */
static void write_to(const char *name, const char *text, size_t size)
{
	struct console_sink *sink = NULL;

	if (!console_may_write())
		return;
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

/*
 * PUT gets TEXT as rows of COLUMNS, broken between words, each in one piece, so that the
 * cursor is drawn once; rows after the first are INDENT columns to the right.  COLOUR:
 * the first INDENT columns are dim, and the others so; NULL: no colours.
 */
static void console_rows(const char *text, unsigned int columns,
                         unsigned int indent, const char *colour,
                         void (*put)(const char *row, size_t size))
{
	const char *reset = colour == NULL ? "" : "\033[0m";
	const char *dim = colour == NULL ? "" : "\033[90m";
	char row[CONSOLE_WIDEST + CONSOLE_COLOUR_MAX + 16];
	unsigned int lead = 0;

	do {
		size_t length = fold_length(text, columns - lead);
		size_t stamp = lead == 0 ? min(length, (size_t)indent) : 0;

		put(row, (size_t)scnprintf(
				 row, sizeof(row), "%*s%s%.*s%s%s%.*s%s\n",
				 (int)lead, "", dim, (int)stamp, text, reset,
				 colour == NULL ? "" : colour,
				 (int)(length - stamp), text + stamp, reset));
		text += length;
		while (*text == ' ')
			text++;
		lead = indent;
	} while (*text != '\0');
}

void console_write_line(char *line, size_t length, unsigned int indent,
                        const char *colour)
{
	struct console_sink *sink = NULL;

	if (!console_may_write())
		return;
	while ((sink = sink_after(sink)) != NULL) {
		if (sink->columns == 0) {
			sink->write(line, length);
			continue;
		}
		line[length - 1] = '\0';
		console_rows(line, min(sink->columns, CONSOLE_WIDEST), indent,
		             colour, sink->write);
		line[length - 1] = '\n';
	}
}

void console_divert(void (*divert)(const char *text, size_t size))
{
	WRITE_ONCE(diverted_to, divert);
}

/* To the sinks, or where console_divert() leads it. */
static void console_say(const char *text, size_t size)
{
	void (*to)(const char *, size_t) = READ_ONCE(diverted_to);

	if (to != NULL)
		to(text, size);
	else
		console_write(text, size);
}

void console_printf(const char *format, ...)
{
	char text[CONSOLE_PRINTF_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	console_say(text, (size_t)length);
}

void console_fold(unsigned int indent, const char *format, ...)
{
	char text[CONSOLE_FOLD_MAX];
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	console_rows(text, CONSOLE_COLUMNS, indent, NULL, console_say);
}

uint64_t console_write_dropped(void)
{
	return __atomic_load_n(&write_dropped, __ATOMIC_RELAXED);
}

/* ---- Input -------------------------------------------------------------- */

/* Is KEY for the thread in the foreground?  input_lock is held. */
static bool interrupt_foreground(int key)
{
	if (key != CONTROL_C || foreground == NULL)
		return false;
	taken = written;
	interrupts = 0;
	thread_interrupt(foreground);
	return true;
}

void console_register_source(struct console_source *source)
{
	bool enabled = spin_lock_irqsave(&input_lock);

	source->next = sources;
	sources = source;
	spin_unlock_irqrestore(&input_lock, enabled);
}

bool console_room(struct console_source *source)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	bool room = INPUT_KEYS - (written - taken) > source->spare;

	if (!room && !source->held) {
		source->held = true;
		held++;
	}
	spin_unlock_irqrestore(&input_lock, enabled);
	return room;
}

/* One that is held and may go on, or NULL. */
static struct console_source *take_held(void)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	struct console_source *source = NULL;

	if (held > 0 && written - taken <= INPUT_KEYS / 2) {
		source = sources;
		while (!source->held)
			source = source->next;
		source->held = false;
		held--;
	}
	spin_unlock_irqrestore(&input_lock, enabled);
	return source;
}

static void resume_sources(void)
{
	struct console_source *source;

	while (READ_ONCE(held) > 0 && (source = take_held()) != NULL)
		source->resume();
}

void console_input(int key)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	bool is_key = !interrupt_foreground(key);
	bool full = is_key && written - taken == INPUT_KEYS;

	if (full) {
		input_dropped++;
	} else if (is_key) {
		input[written++ % INPUT_KEYS] = (uint16_t)key;
		interrupts += key == CONTROL_C;
	}
	spin_unlock_irqrestore(&input_lock, enabled);
	if (is_key && !full)
		wake_up(&readers);
}

uint64_t console_input_dropped(void)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	uint64_t dropped = input_dropped;

	spin_unlock_irqrestore(&input_lock, enabled);
	return dropped;
}

/* The oldest key; there is one.  Under input_lock. */
static int take_oldest(void)
{
	int key = input[taken++ % INPUT_KEYS];

	interrupts -= key == CONTROL_C;
	return key;
}

int console_poll_key(void)
{
	bool enabled = spin_lock_irqsave(&input_lock);
	int key = written != taken ? take_oldest() : -1;

	spin_unlock_irqrestore(&input_lock, enabled);
	resume_sources();
	return key;
}

/* The first ^C in the ring, taken with the keys before it.  input_lock is held. */
static bool take_control_c(void)
{
	bool found = interrupts > 0;

	while (found && take_oldest() != CONTROL_C)
		;
	return found;
}

bool console_interrupted(void)
{
	const struct thread *self = current_thread();
	bool enabled = spin_lock_irqsave(&input_lock);
	bool found = take_control_c();

	spin_unlock_irqrestore(&input_lock, enabled);
	resume_sources();
	return found ||
	       (self != NULL && thread_has_flags(self, THREAD_INTERRUPTED));
}

void console_enter(struct thread *thread)
{
	bool enabled = spin_lock_irqsave(&input_lock);

	foreground = thread;
	/* It was typed ahead. */
	if (take_control_c())
		thread_interrupt(thread);
	spin_unlock_irqrestore(&input_lock, enabled);
}

void console_leave(struct thread *thread)
{
	bool enabled = spin_lock_irqsave(&input_lock);

	if (foreground == thread)
		foreground = NULL;
	spin_unlock_irqrestore(&input_lock, enabled);
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
