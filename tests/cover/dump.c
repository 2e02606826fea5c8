/* SPDX-License-Identifier: MIT */
/*
 * tests/cover/dump.c -- how often each line of the kernel ran, sent to the host.
 *
 * Linked only into the kernel that `make cover` builds.  There gcc counts every
 * line, keeps one record for each source file and puts the record's address
 * into a section (-fprofile-info-section), so nothing has to run at boot.
 * libgcov's __gcov_info_to_gcda() turns a record into the bytes of a .gcda file,
 * which leave through the serial port in hexadecimal:
 *
 *	COVER FILE /path/to/build/cover/obj/mm/buddy.c.gcda
 *	6164636742333241...
 *	COVER END
 *
 * The word `cover` on the command line makes this the end of a panic, so every
 * session that is to be counted ends in one; tests/run/cover.py does that.
 *
 * libgcov was compiled for user space: its functions use the red zone below the
 * stack pointer.  After a panic interrupts are off, and nobody else comes.
 *
 * Source: GCC manual, "Profiling and Test Coverage in Freestanding
 * Environments".
 */
#include "drivers/power.h"
#include "kernel/arch/arch.h"
#include "kernel/core/console.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define BYTES_IN_LINE 60
#define EXIT_DUMPED   20

struct gcov_info;

/* linker.ld */
extern const struct gcov_info *const gcov_info_begin[];
extern const struct gcov_info *const gcov_info_end[];

/* gcc's <gcov.h>, which is not for kernels. */
void __gcov_info_to_gcda(const struct gcov_info *info,
                         void (*filename)(const char *, void *),
                         void (*dump)(const void *, unsigned int, void *),
                         void *(*allocate)(unsigned int, void *), void *data);

/* Functions that libgcov refers to.  The records name the first, which merges files of
 * several runs; that is done on the host.  The others are called if allocate()
 * fails and if a record is damaged. */
void __gcov_merge_add(int64_t *counters, unsigned int count);
void *mmap(void);
__noreturn void abort(void);

void __gcov_merge_add(int64_t *counters __unused, unsigned int count __unused)
{
	abort();
}

void *mmap(void)
{
	return (void *)~0UL; /* MAP_FAILED */
}

void abort(void)
{
	static const char text[] = "\nCOVER FAILED\n";

	console_write_to("serial", text, sizeof(text) - 1);
	machine_exit(EXIT_DUMPED + 1);
}

struct line {
	char text[2 * BYTES_IN_LINE + 2];
	size_t length;
};

static void flush(struct line *line)
{
	line->text[line->length++] = '\n';
	console_write_to("serial", line->text, line->length);
	line->length = 0;
}

static void print_name(const char *name, void *data)
{
	char text[256];
	int length = scnprintf(text, sizeof(text), "COVER FILE %s\n", name);

	(void)data;
	console_write_to("serial", text, (size_t)length);
}

static void dump_print_bytes(const void *bytes, unsigned int count, void *data)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *at = bytes;
	struct line *line = data;

	for (; count > 0; count--, at++) {
		line->text[line->length++] = digits[*at >> 4];
		line->text[line->length++] = digits[*at & 15];
		if (line->length == 2 * BYTES_IN_LINE)
			flush(line);
	}
}

/* Never given back: the machine ends after the dump. */
static void *allocate(unsigned int size, void *data)
{
	static char memory[4096] __aligned(16);
	static size_t used;
	void *piece = memory + used;

	(void)data;
	size = (size + 15) & ~15U;
	if (size > sizeof(memory) - used)
		return NULL;
	used += size;
	return piece;
}

static void dump_and_end(void)
{
	static const char end[] = "COVER END\n";
	static struct line line;

	arch_irq_disable();
	for (const struct gcov_info *const *info = gcov_info_begin;
	     info < gcov_info_end; info++) {
		__gcov_info_to_gcda(*info, print_name, dump_print_bytes,
		                    allocate, &line);
		flush(&line);
	}
	console_write_to("serial", end, sizeof(end) - 1);
	machine_exit(EXIT_DUMPED);
}

static int set_cover(const char *value)
{
	if (value != NULL)
		return -EINVAL;
	panic_set_exit(dump_and_end);
	return 0;
}

PARAM(cover, "cover", ": after a panic, send the counters of gcov", set_cover);
