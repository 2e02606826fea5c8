/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_command.h -- what a command of the shell is.
 *
 * Each shell_*.c file has a table of commands; kernel/shell/shell.c lists the
 * tables.
 */
#ifndef KERNEL_SHELL_SHELL_COMMAND_H
#define KERNEL_SHELL_SHELL_COMMAND_H

#include "lib/types.h"

#define SHELL_MAX_WORDS 24

struct shell_command {
	const char *name;
	const char *usage; /* its arguments, "" for none */
	const char *help;  /* one line */
	/*
	 * ARGV[0] is the name.  0, or -EINVAL: the arguments make no sense,
	 * and the shell shows the usage.  Thread context.
	 */
	int (*run)(int argc, char **argv);
	/* Completion: candidate INDEX for an argument that begins like WORD,
	 * NULL after the last one; or NULL. */
	const char *(*candidate)(const char *word, unsigned int index);
};

#define SHELL_COMMAND(word, arguments, function, candidates, text)             \
	{                                                                      \
		.name = (word), .usage = (arguments), .run = (function),       \
		.candidate = (candidates), .help = (text)                      \
	}

/* Tables of one title are one group of `help`. */
struct shell_table {
	const char *title; /* a word */
	const char *about; /* one line; "" but for the first table of a group */
	const struct shell_command *command;
	unsigned int count;
};

#define SHELL_TABLE(identifier, heading, text, commands)                       \
	const struct shell_table identifier = {                                \
		.title = (heading),                                            \
		.about = (text),                                               \
		.command = (commands),                                         \
		.count = ARRAY_SIZE(commands),                                 \
	}

extern const struct shell_table shell_report_commands;
extern const struct shell_table shell_mobility_commands;
extern const struct shell_table shell_page_commands;
extern const struct shell_table shell_map_commands;
extern const struct shell_table shell_gfp_commands;
extern const struct shell_table shell_file_commands;
extern const struct shell_table shell_system_commands;
extern const struct shell_table shell_test_commands;
extern const struct shell_table shell_bench_commands;
extern const struct shell_table shell_disk_commands;
extern const struct shell_table shell_trace_commands;
extern const struct shell_table shell_swap_commands;

/* Command INDEX of all tables, or NULL.  Any context. */
const struct shell_command *shell_command_at(unsigned int index);

/* ---- What the shell holds: kernel/shell/shell_memory.c ------------------- */

struct page;
struct anon_object;

/* The shell's thread holds the block PAGE from now on. */
void shell_hold(struct page *page);

/* PAGE, or if it is NULL any block: no longer held.  NULL: it was not. */
struct page *shell_let_go(struct page *page);

/* Free all blocks; how many they were. */
unsigned long shell_free_blocks(void);

#define SHELL_OBJECTS 16U

/* The objects that `anon` has made. */
struct shell_object {
	struct anon_object *memory; /* NULL: there is none */
	uint64_t seed;
	unsigned long filled; /* its first pages; the others are zero */
};

/* Object ID, 1 .. SHELL_OBJECTS. */
struct shell_object *shell_object(unsigned int id);

/* Has the OOM killer chosen the shell?  Then it has given back all that it held,
 * and said so.  Asked by commands that hold memory, whenever they have got
 * some, or none. */
bool shell_was_killed(void);

/* Was ^C typed for the command that runs?  Whatever loops asks, and ends.  True
 * until the command has returned. */
bool shell_interrupted(void);

/* Give back what `alloc` and `anon` took, and say how many of each. */
void shell_give_back(unsigned long *blocks, unsigned int *dropped);

/* ARGV[FROM] .. ARGV[TO-1], a blank between them, cut at SIZE.  Returns
 * BUFFER. */
const char *shell_join(char *buffer, size_t size, char *const *argv, int from,
                       int to);

/* With page_owner=on: say which pages the shell has taken from SINCE (microseconds) on, and
 * not given back. */
void shell_report_kept(uint64_t since);

/* The words ARGV[1] .. ARGV[TO-1] as one mask, or a message and -EINVAL. */
__must_check int shell_parse_mask(char *const *argv, int to, uint32_t *mask);

/* Is the last word of ARGV, behind the flags, an order?  Then it goes to *ORDER, and *TO is
 * where the flags end.  -EINVAL: a message was printed. */
__must_check int shell_parse_order(int argc, char *const *argv, int *to,
                                   uint64_t *order);

/* For completion: the names of gfp flags, bare unless WORD begins with _ or
 * G. */
const char *shell_flag_candidate(const char *word, unsigned int index);

/* A number in LOW..HIGH out of TEXT; otherwise a message, and -EINVAL. */
__must_check int shell_number(const char *text, const char *what, uint64_t low,
                              uint64_t high, uint64_t *number);

#endif
