/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/printk.c -- the kernel log.
 *
 *	printk() --> ring --> consoles		one printer at a time
 *	    |          ^
 *	    +-> deferred lines			NMI, or the ring's lock is mine
 *
 * The ring holds records, a head and a line, one behind the other and round the
 * end of the array.  Positions in it only grow; LOG_SIZE divides them.  A line
 * that finds no room pushes the oldest ones out.
 *
 *	first ............................. next	positions
 *	| head line | head line | head line |
 *
 * Reading is done with a cursor, a position and the number of the line there; a
 * cursor that was overtaken continues at the oldest line and reports how many it
 * has missed.  The consoles are one such reader.  The caller that logs a line becomes
 * their printer, unless another already is, which then prints this line also.  So
 * the lines keep their order, an interrupt never waits for the serial port of the
 * thread beneath it, and the ring's lock is never held while a console writes.
 *
 * One is the printer for one line, with preemption off, and then gives the office
 * up: a more urgent thread takes over between two lines and prints what is left
 * and its own.  So no line waits until a less urgent thread runs again.
 *
 * Where interrupts are off nobody prints at all, but in a panic and before there are
 * threads: a line lasts for milliseconds.  The printer beneath prints it, or the
 * tick finds it and wakes log_thread(), which is of the highest priority.  While
 * preemption stays off log_thread() does not run: the watchdog prints its own report about
 * that (log_show_here()).  If a handler hangs, the NMI watchdog's panic prints what it
 * has logged.
 *
 * An NMI takes no lock, and neither does an exception inside the ring's own
 * code.  Both put their lines into a small array of deferred lines, where an entry is
 * claimed with one compare-and-exchange; the next user of the ring moves them, at the
 * latest the next tick.  A line that finds the array full is counted, and the count is
 * logged.
 *
 * Locking: log_lock guards the ring.  In a panic it is tried and then passed
 * by: a torn record may show a torn line, but every length is below 256 and
 * every position is taken modulo LOG_SIZE.
 */
#include "kernel/core/printk.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"

#define LINE_MAX       255 /* characters; fits into record_head.length */
#define TEXT_MAX       512 /* of one printk(), which may be several lines */
#define STAMP_MAX      32  /* "[18446744073709.551615] " is 24 */
#define STAMP_WIDTH    15  /* "[    0.123456] " */

/* Lines that are passed over in one piece, with interrupts off. */
#define SEEK_SLICE     16U

/* An NMI says a line or two; the failure dump is never printed from one. */
#define DEFERRED_LINES 8

/* The head of each line in the ring. */
struct record_head {
	uint64_t time; /* microseconds since boot */
	uint8_t level;
	uint8_t length;
} __packed;

struct record {
	struct record_head head;
	char text[LINE_MAX + 1];
};

/* The longest line must fit many times. */
static_assert(LOG_SIZE >= 16 * sizeof(struct record), "log too small");

struct cursor {
	uint64_t position;
	uint64_t number; /* of the line at position */
};

struct deferred {
	bool ready; /* atomic: claimed and complete */
	struct record record;
};

static struct spinlock log_lock = SPINLOCK_INIT("log");

/* Under log_lock: */
static char ring[LOG_SIZE];
static struct cursor first;     /* the oldest line */
static struct cursor next;      /* where the next line goes, and its number */
static struct cursor shown;     /* what the consoles print next */
static uint32_t deferred_taken; /* read without the lock, too */
static uint32_t lost_told;

/* Atomic: */
static struct deferred deferred[DEFERRED_LINES];
static uint32_t deferred_claimed;
static uint32_t deferred_lost;
static bool printing; /* the consoles have a printer */

static bool has_thread; /* log_thread() runs */
static struct wait_queue log_readers = WAIT_QUEUE_INIT(log_readers);

static enum log_level console_level = LOG_INFO;

/* ---- The ring; log_lock held (or passed by, in a panic) ------------------ */

static void ring_write(uint64_t position, const void *from, size_t size)
{
	const char *bytes = from;

	size_t at = position % LOG_SIZE;
	size_t before_end = min(size, LOG_SIZE - at);

	memcpy(ring + at, bytes, before_end);
	memcpy(ring, bytes + before_end, size - before_end);
}

static void ring_read(uint64_t position, void *to, size_t size)
{
	char *bytes = to;

	size_t at = position % LOG_SIZE;
	size_t before_end = min(size, LOG_SIZE - at);

	memcpy(bytes, ring + at, before_end);
	memcpy(bytes + before_end, ring, size - before_end);
}

static void advance(struct cursor *cursor, const struct record_head *head)
{
	cursor->position += sizeof(*head) + head->length;
	cursor->number++;
}

static void drop_first(void)
{
	struct record_head head;

	ring_read(first.position, &head, sizeof(head));
	advance(&first, &head);
	/* Only after a panic tore a record. */
	if (first.position > next.position || first.number > next.number)
		first = next;
}

static void ring_append(const struct record *record)
{
	size_t size = sizeof(record->head) + record->head.length;

	while (next.position + size - first.position > LOG_SIZE)
		drop_first();
	ring_write(next.position, &record->head, sizeof(record->head));
	ring_write(next.position + sizeof(record->head), record->text,
	           record->head.length);
	advance(&next, &record->head);
}

/*
 * Copy the line at CURSOR and advance it.  False: there is none.  *MISSED grows
 * by the lines that were overwritten before CURSOR came.
 */
static bool ring_next(struct cursor *cursor, struct record *record,
                      uint64_t *missed)
{
	if (cursor->number < first.number) {
		*missed += first.number - cursor->number;
		*cursor = first;
	}
	if (cursor->number >= next.number)
		return false;
	ring_read(cursor->position, &record->head, sizeof(record->head));
	ring_read(cursor->position + sizeof(record->head), record->text,
	          record->head.length);
	record->text[record->head.length] = '\0';
	advance(cursor, &record->head);
	return true;
}

/*
 * Bring CURSOR on to line NUMBER, at most SEEK_SLICE lines at a time, or to the
 * oldest line if that is gone.  True: it has arrived.
 */
static bool ring_seek(struct cursor *cursor, uint64_t number)
{
	struct record_head head;

	if (cursor->number < first.number)
		*cursor = first;
	for (unsigned int i = 0; i < SEEK_SLICE; i++) {
		if (cursor->number >= number || cursor->number >= next.number)
			return true;
		ring_read(cursor->position, &head, sizeof(head));
		advance(cursor, &head);
	}
	return false;
}

/* ---- Deferred lines ------------------------------------------------------ */

/*
 * Entry TICKET % DEFERRED_LINES belongs to TICKET; while fewer than
 * DEFERRED_LINES tickets are out, no two of them share an entry.
 */
static void printk_defer(const struct record *record)
{
	uint32_t ticket = __atomic_load_n(&deferred_claimed, __ATOMIC_RELAXED);
	struct deferred *entry;

	do {
		uint32_t out = ticket - __atomic_load_n(&deferred_taken,
		                                        __ATOMIC_ACQUIRE);

		if (out >= DEFERRED_LINES) {
			__atomic_fetch_add(&deferred_lost, 1, __ATOMIC_RELAXED);
			return;
		}
	} while (!__atomic_compare_exchange_n(
		&deferred_claimed, &ticket, ticket + 1, false, __ATOMIC_RELAXED,
		__ATOMIC_RELAXED));
	entry = &deferred[ticket % DEFERRED_LINES];
	entry->record = *record;
	__atomic_store_n(&entry->ready, true, __ATOMIC_RELEASE);
}

static void tell_lost(void)
{
	uint32_t lost = __atomic_load_n(&deferred_lost, __ATOMIC_RELAXED);
	struct record record = { .head = { .time = clock_microseconds(),
		                           .level = LOG_WARNING } };

	if (lost == lost_told)
		return;
	record.head.length = (uint8_t)scnprintf(
		record.text, sizeof(record.text),
		"log: %u deferred lines found no room", lost - lost_told);
	lost_told = lost;
	ring_append(&record);
}

/* Move what is ready into the ring, in the order of the tickets. */
static void take_deferred(void)
{
	struct deferred *entry = &deferred[deferred_taken % DEFERRED_LINES];

	while (__atomic_load_n(&entry->ready, __ATOMIC_ACQUIRE)) {
		ring_append(&entry->record);
		entry->ready = false;
		__atomic_store_n(&deferred_taken, deferred_taken + 1,
		                 __ATOMIC_RELEASE);
		entry = &deferred[deferred_taken % DEFERRED_LINES];
	}
	tell_lost();
}

/* ---- Access to the ring ------------------------------------------------- */

struct access {
	bool locked;
	bool enabled;
};

/*
 * False: the ring is locked and this context may not wait.  In a panic access is
 * always granted, locked or not.
 */
static bool begin_access(struct access *access)
{
	bool may_wait =
		!in_nmi() && !spin_is_mine(&log_lock) && !panic_in_progress();

	if (may_wait) {
		access->enabled = spin_lock_irqsave(&log_lock);
		access->locked = true;
	} else {
		access->locked =
			panic_in_progress() &&
			spin_trylock_irqsave(&log_lock, &access->enabled);
	}
	if (!access->locked && !panic_in_progress())
		return false;
	take_deferred();
	return true;
}

static void end_access(const struct access *access)
{
	if (access->locked)
		spin_unlock_irqrestore(&log_lock, access->enabled);
}

/* ---- The consoles -------------------------------------------------------- */

static size_t format_line(char *buffer, size_t size,
                          const struct record *record)
{
	return (size_t)scnprintf(
		buffer, size, "[%5llu.%06llu] %s",
		(unsigned long long)record->head.time / 1000000,
		(unsigned long long)record->head.time % 1000000, record->text);
}

/* On a screen: a line's level, and the cause of a panic. */
static const char *colour_of(const struct record *record)
{
	static const char *const colours[] = {
		[LOG_EMERG] = "",
		[LOG_ALERT] = "\033[91m",
		[LOG_CRIT] = "\033[91m",
		[LOG_ERR] = "\033[91m",
		[LOG_WARNING] = "\033[93m",
		[LOG_NOTICE] = "\033[97m",
		[LOG_INFO] = "",
		[LOG_DEBUG] = "\033[90m",
	};
	static const char cause[] = "PANIC: ";

	if (strncmp(record->text, cause, sizeof(cause) - 1) == 0)
		return "\033[1;37;41m";
	return colours[min((size_t)record->head.level,
	                   ARRAY_SIZE(colours) - 1)];
}

static void printk_show(const struct record *record)
{
	char line[STAMP_MAX + LINE_MAX + 2];
	size_t length;

	if (record->head.level > READ_ONCE(console_level))
		return;
	length = format_line(line, sizeof(line) - 1, record);
	line[length++] = '\n';
	console_write_line(line, length, STAMP_WIDTH, colour_of(record));
}

/* The next line for the consoles.  False: they have seen everything. */
static bool take_shown(struct record *record, uint64_t *missed)
{
	struct access access;
	bool found;

	*missed = 0;
	if (!begin_access(&access))
		return false;
	found = ring_next(&shown, record, missed);
	end_access(&access);
	return found;
}

/* False: there was none. */
static bool show_one(void)
{
	struct record record;
	uint64_t missed;

	if (!take_shown(&record, &missed))
		return false;
	if (missed > 0)
		console_printf("(%llu lines of the log are lost)\n",
		               (unsigned long long)missed);
	printk_show(&record);
	return true;
}

static void printk_show_all(void)
{
	while (show_one())
		;
}

/* Is there a line that the consoles have not seen?  A hint, without a lock. */
static bool something_to_show(void)
{
	return READ_ONCE(shown.number) < READ_ONCE(next.number);
}

/* Is there a line that no context is printing? */
static bool printk_is_due(void *data __unused)
{
	return console_has_sinks() && something_to_show() &&
	       !READ_ONCE(printing);
}

/* Where interrupts are off the consoles are left to log_thread(), once there is
 * one: a line lasts for milliseconds on a serial port. */
static bool may_show_here(void)
{
	return !READ_ONCE(has_thread) || panic_in_progress() ||
	       arch_irq_enabled();
}

/*
 * Become the printer, for one line and without being preempted, unless there is
 * one.  False: there was, or nothing to print.
 */
static bool print_one(void)
{
	bool shown_one = false;

	preempt_disable();
	if (!__atomic_exchange_n(&printing, true, __ATOMIC_ACQUIRE)) {
		shown_one = show_one();
		__atomic_store_n(&printing, false, __ATOMIC_SEQ_CST);
	}
	preempt_enable();
	return shown_one;
}

/*
 * A line that arrives between the printer's last look and its resignation would
 * stay behind: look again.
 */
static void update_consoles(void)
{
	if (panic_in_progress()) {
		printk_show_all();
		return;
	}
	if (!console_has_sinks() || !may_show_here())
		return;
	while (something_to_show() && print_one())
		;
}

/* ---- Writing ------------------------------------------------------------ */

/* False: the line was deferred. */
static bool printk_log_line(const struct record *record)
{
	struct access access;

	if (!begin_access(&access)) {
		printk_defer(record);
		return false;
	}
	ring_append(record);
	end_access(&access);
	return true;
}

void vprintk(enum log_level level, const char *format, va_list arguments)
{
	struct record record;
	char text[TEXT_MAX];
	const char *line = text;
	bool logged;

	irqsoff_note_report();
	record.head.time = clock_microseconds();
	record.head.level = (uint8_t)level;
	vscnprintf(text, sizeof(text), format, arguments);
	do {
		const char *end = strchr(line, '\n');
		size_t length =
			end != NULL ? (size_t)(end - line) : strlen(line);

		record.head.length = (uint8_t)min(length, (size_t)LINE_MAX);
		memcpy(record.text, line, record.head.length);
		logged = printk_log_line(&record);
		line += length + (end != NULL);
	} while (*line != '\0');
	if (logged)
		update_consoles();
}

void printk(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintk(level, format, arguments);
	va_end(arguments);
}

void log_show_here(void)
{
	kassert(!in_nmi());
	while (console_has_sinks() && something_to_show() && print_one())
		;
}

void log_flush(void)
{
	bool waiting = __atomic_load_n(&deferred_claimed, __ATOMIC_RELAXED) !=
	               __atomic_load_n(&deferred_taken, __ATOMIC_RELAXED);
	struct access access;

	if (in_nmi() || (!waiting && !something_to_show()))
		return;
	/* A context that may not wait for the ring does not interrupt its holder. */
	if (begin_access(&access))
		end_access(&access);
	if (may_show_here())
		update_consoles();
	else if (printk_is_due(NULL))
		wake_up(&log_readers);
}

void log_thread(void *unused __unused)
{
	WRITE_ONCE(has_thread, true);
	for (;;) {
		wait_event(&log_readers, printk_is_due, NULL);
		update_consoles();
	}
}

void log_set_console_level(enum log_level level)
{
	WRITE_ONCE(console_level, level);
}

enum log_level log_console_level(void)
{
	return READ_ONCE(console_level);
}

static int set_loglevel(const char *value)
{
	uint64_t level;
	int error = parse_number(value, &level);

	if (error != 0)
		return error;
	if (level > LOG_DEBUG)
		return -ERANGE;
	log_set_console_level((enum log_level)level);
	return 0;
}

PARAM(loglevel, "loglevel", "0..7: lines above it stay off the consoles",
      set_loglevel);

/* ---- Reading ------------------------------------------------------------- */

/* CURSOR to line NUMBER, slice by slice. */
static bool seek_number(uint64_t number, struct cursor *cursor)
{
	struct access access;
	bool there;

	*cursor = (struct cursor){ 0, 0 };
	do {
		if (!begin_access(&access))
			return false;
		there = ring_seek(cursor, number);
		end_access(&access);
	} while (!there);
	return true;
}

/* The first line of the last COUNT. */
static bool seek_last(unsigned int count, struct cursor *cursor)
{
	struct access access;
	uint64_t number;

	if (!begin_access(&access))
		return false;
	number = next.number - min((uint64_t)count, next.number - first.number);
	end_access(&access);
	return seek_number(number, cursor);
}

static bool printk_read_line(struct cursor *cursor, struct record *record)
{
	struct access access;
	uint64_t missed = 0;
	bool found;

	if (!begin_access(&access))
		return false;
	found = ring_next(cursor, record, &missed);
	end_access(&access);
	return found;
}

void log_visit(unsigned int count, void (*visit)(const char *line, void *data),
               void *data)
{
	char line[STAMP_MAX + LINE_MAX + 1];
	struct record record;
	struct cursor cursor;

	if (!seek_last(count, &cursor))
		return;
	for (; count > 0 && printk_read_line(&cursor, &record); count--) {
		format_line(line, sizeof(line), &record);
		visit(line, data);
	}
}

uint64_t log_mark(void)
{
	struct access access;
	uint64_t mark;

	if (!begin_access(&access))
		return READ_ONCE(next.number);
	mark = next.number;
	end_access(&access);
	return mark;
}

static bool printk_contains(const char *text, const char *part)
{
	size_t length = strlen(part);

	for (; *text != '\0'; text++) {
		if (strncmp(text, part, length) == 0)
			return true;
	}
	return length == 0;
}

unsigned int log_count_since(uint64_t mark, const char *text)
{
	uint64_t end = log_mark();
	struct record record;
	struct cursor cursor;
	unsigned int count = 0;

	if (!seek_number(mark, &cursor))
		return 0;
	while (cursor.number < end && printk_read_line(&cursor, &record)) {
		if (printk_contains(record.text, text))
			count++;
	}
	return count;
}

bool log_contains_since(uint64_t mark, const char *text)
{
	return log_count_since(mark, text) > 0;
}

/* ---- Rate limits --------------------------------------------------------- */

static struct spinlock ratelimit_lock = SPINLOCK_INIT("ratelimit");

/*
 * A burst is over when nothing was printed for INTERVAL: then no stretch of
 * that length can hold lines of two bursts.  `begin` is when the last line
 * was printed.  *MISSED is what was suppressed before a line that passes.
 */
static bool pass_locked(struct ratelimit *limit, unsigned int *missed)
{
	uint64_t now = clock_microseconds();

	if (now - limit->begin >= limit->interval)
		limit->printed = 0;
	if (limit->printed >= limit->burst) {
		limit->missed++;
		return false;
	}
	limit->begin = now;
	limit->printed++;
	*missed = limit->missed;
	limit->missed = 0;
	return true;
}

bool ratelimit_pass(struct ratelimit *limit)
{
	unsigned int missed = 0;
	bool enabled;
	bool pass;

	if (in_nmi()) {
		if (!spin_trylock_irqsave(&ratelimit_lock, &enabled))
			return false;
	} else {
		enabled = spin_lock_irqsave(&ratelimit_lock);
	}
	pass = pass_locked(limit, &missed);
	spin_unlock_irqrestore(&ratelimit_lock, enabled);
	if (pass && missed > 0)
		pr_warn("%u reports like the next one were suppressed\n",
		        missed);
	return pass;
}
