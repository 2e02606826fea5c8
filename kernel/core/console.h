/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/console.h -- where text goes to and keys come from.
 *
 * Sinks (serial port, VGA text) and the input ring, which the serial and the
 * keyboard interrupt fill and the shell empties.
 */
#ifndef KERNEL_CORE_CONSOLE_H
#define KERNEL_CORE_CONSOLE_H

#include "lib/types.h"

struct thread;
struct spinlock;

/*
 * A sink writes SIZE bytes.  Called by threads, by a handler only if that says
 * something past the log, and in a panic, where it takes no lock that it would
 * wait for: console_begin_write().  ANSI colour sequences
 * (ESC [ n m) and \b \r \n \t are understood by every sink.
 */
struct console_sink {
	const char *name;
	void (*write)(const char *text, size_t size);
	unsigned int columns;      /* of a screen; 0: a terminal breaks lines */
	struct console_sink *next; /* private */
};

/*
 * For sinks: one writer at a time, and interrupts stay as they are, however long
 * a line takes.  False: nothing is held.  In a panic that does not matter; in a
 * handler, which would wait for the thread beneath it, nothing may be written.
 */
struct console_writer {
	struct spinlock *lock; /* NULL: not held */
	bool tried;            /* by spin_trylock_irqsave() */
	bool enabled;
};
bool console_begin_write(struct console_writer *writer, struct spinlock *lock);
void console_end_write(const struct console_writer *writer);

void console_register_sink(struct console_sink *sink);
bool console_has_sinks(void);

/*
 * Write to all sinks.  Any context but NMI: counted and dropped there, unless
 * it is the NMI that panics.
 */
void console_write(const char *text, size_t size);
uint64_t console_write_dropped(void);

/*
 * Write the LENGTH bytes of LINE, of which the last is its newline.  Where it is wider
 * than a sink's screen it is broken between words, and further rows are INDENT
 * columns to the right.  On a screen the first INDENT columns are dim, and the others
 * as the sequence COLOUR says, at most CONSOLE_COLOUR_MAX - 1 bytes.  LINE is as before
 * afterwards.  Contexts as console_write().
 */
#define CONSOLE_COLOUR_MAX 12
void console_write_line(char *line, size_t length, unsigned int indent,
                        const char *colour);

/*
 * printf to all sinks, not into the log: for the shell and the self-test.  At most
 * CONSOLE_PRINTF_MAX - 1 characters: a line of the shell, and a message about it.
 */
#define CONSOLE_PRINTF_MAX 1280
void console_printf(const char *format, ...) __printf(1, 2);

/*
 * The same with one line, at most CONSOLE_FOLD_MAX - 1 characters without its
 * newline, that may be longer than the screen's CONSOLE_COLUMNS are: what goes
 * on further lines is INDENT columns to the right.
 */
#define CONSOLE_COLUMNS  80U
#define CONSOLE_WIDEST   160U /* that a screen has */
#define CONSOLE_FOLD_MAX 512
void console_fold(unsigned int indent, const char *format, ...) __printf(2, 3);

/*
 * From now on what console_printf() says goes to DIVERT and to no sink; NULL: to
 * the sinks again.  So that a test can run a command of the shell.  Thread
 * context.
 */
void console_divert(void (*divert)(const char *text, size_t size));

/*
 * Write to the sink called NAME alone ("serial", "screen"): the self-test's KTAP
 * goes to the serial port, its coloured summary to the screen.
 */
void console_write_to(const char *name, const char *text, size_t size);

/*
 * Keys that are not characters, above 0xff.  The serial sink translates ANSI
 * escape sequences, the keyboard driver its extended codes.
 */
enum console_key {
	KEY_UP = 0x100,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_HOME,
	KEY_END,
	KEY_DELETE,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_INSERT,
};

/*
 * A device that delivers keys.  A source asks before each key whether there is room;
 * if not, it is held: it takes nothing from its device, whose sender has to wait,
 * until RESUME is called, when half of the ring is free.  So nothing is lost,
 * however much is pasted.  RESUME is called in thread context without a lock.
 */
struct console_source {
	void (*resume)(void);
	unsigned int spare; /* keys for which there is room when it is held */
	bool held;          /* private: under the ring's lock */
	struct console_source *next; /* private */
};
void console_register_source(struct console_source *source);

/* Is there room for a key of SOURCE?  If not, it is held.  Any context but NMI. */
__must_check bool console_room(struct console_source *source);

/* Put a key into the ring, from an interrupt.  Full: counted, dropped; this
 * never happens to a source that asks console_room(). */
void console_input(int key);
uint64_t console_input_dropped(void);

/* The next key, waiting for it (other threads run).  Thread context. */
int console_read_key(void);

/* The next key, or -1.  Thread context. */
int console_poll_key(void);

/*
 * Was ^C typed?  It is taken, with the keys before it; without it all stay.  The
 * thread in the foreground is told so until it has called console_leave() and
 * cleared its flags.  Thread context.
 */
bool console_interrupted(void);

/*
 * THREAD is in the foreground: from now on ^C is not a key, but calls
 * thread_interrupt() for THREAD, in the interrupt that delivers it; the keys before it
 * are dropped.  One thread at a time.
 */
void console_enter(struct thread *thread);

/* THREAD is so no longer, if it was: ^C is a key again. */
void console_leave(struct thread *thread);

#endif
