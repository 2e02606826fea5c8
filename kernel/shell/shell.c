/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell.c -- the shell.
 *
 *	key --> line editor --> words --> command's function
 *
 * It reads the console's input ring, which both the keyboard and the serial
 * line fill, and writes to all sinks, so that both show the same.  A line is
 * split at blanks; there are no quotes, variables or pipes.
 *
 * ^C ends a command, however it waits: while one runs, the shell's thread is in the
 * console's foreground.  A request for memory that waits is ended as by a fatal
 * signal; commands that loop look at shell_interrupted().
 *
 * One thread runs the shell: its state needs no lock.
 */
#include "kernel/shell/shell.h"

#include "drivers/screen.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/shell/line.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/gfp.h"
#include "mm/reclaim/oom.h"

#define PROMPT "labyrinth> "

static const struct shell_table shell_own_commands;

static const struct shell_table *const tables[] = {
	&shell_report_commands, &shell_mobility_commands,
	&shell_page_commands,   &shell_map_commands,
	&shell_gfp_commands,    &shell_test_commands,
	&shell_bench_commands,  &shell_disk_commands,
	&shell_file_commands,   &shell_swap_commands,
	&shell_trace_commands,  &shell_system_commands,
	&shell_own_commands,
};

/* ---- For the commands ---------------------------------------------------- */

const char *shell_join(char *buffer, size_t size, char *const *argv, int from,
                       int to)
{
	int at = scnprintf(buffer, size, "%s", from < to ? argv[from] : "");

	for (int i = from + 1; i < to; i++)
		at += scnprintf(buffer + at, size - (size_t)at, " %s", argv[i]);
	return buffer;
}

const char *shell_flag_candidate(const char *word, unsigned int index)
{
	const struct gfp_name *name = gfp_name_at(index);
	bool whole = *word == '_' || *word == 'G';

	if (name == NULL)
		return NULL;
	return whole ? name->name : strchr(name->name, 'P') + 2;
}

int shell_number(const char *text, const char *what, uint64_t low,
                 uint64_t high, uint64_t *number)
{
	uint64_t value;

	if (parse_number(text, &value) != 0) {
		console_printf("%s: '%s' is no number\n", what, text);
		return -EINVAL;
	}
	if (value < low || value > high) {
		console_printf("%s: %s is not in %llu..%llu\n", what, text,
		               (unsigned long long)low,
		               (unsigned long long)high);
		return -EINVAL;
	}
	*number = value;
	return 0;
}

bool shell_interrupted(void)
{
	return thread_has_flags(current_thread(), THREAD_INTERRUPTED);
}

/* ---- Finding commands ---------------------------------------------------- */

const struct shell_command *shell_command_at(unsigned int index)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (index < tables[i]->count)
			return &tables[i]->command[index];
		index -= tables[i]->count;
	}
	return NULL;
}

static const struct shell_command *find_command(const char *name)
{
	const struct shell_command *command;

	for (unsigned int i = 0; (command = shell_command_at(i)) != NULL; i++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

static const char *command_candidate(const char *word __unused,
                                     unsigned int index)
{
	const struct shell_command *command = shell_command_at(index);

	return command == NULL ? NULL : command->name;
}

/* ---- The shell's own commands -------------------------------------------- */

#define HELP_COLUMN      27U
#define PARAMS_ON_A_PAGE 21U /* a heading and a hint more: 23 rows */

static void print_usage(const struct shell_command *command)
{
	char synopsis[64];

	scnprintf(synopsis, sizeof(synopsis), "%s %s", command->name,
	          command->usage);
	console_fold(HELP_COLUMN, "  %-24s %s", synopsis, command->help);
}

/* Looks for the first name behind LAST; NULL: the first of all. */
struct param_search {
	const char *last;
	const struct param *found;
};

static void consider_param(const struct param *param, void *data)
{
	struct param_search *search = data;

	if (search->last != NULL && strcmp(param->name, search->last) <= 0)
		return;
	if (search->found == NULL ||
	    strcmp(param->name, search->found->name) < 0)
		search->found = param;
}

static const struct param *param_after(const struct param *param)
{
	struct param_search search = {
		.last = param == NULL ? NULL : param->name,
	};

	params_visit(consider_param, &search);
	return search.found;
}

static void print_param(const struct param *param)
{
	bool bare = strchr("=:[", *param->help) != NULL;

	console_fold(6, "  %s%s%s", param->name, bare ? "" : "=", param->help);
}

/* Words number FIRST and on, as many as go on a screen. */
static void print_param_page(unsigned int first)
{
	const struct param *param = NULL;
	unsigned int end = first + PARAMS_ON_A_PAGE;

	for (unsigned int i = 0; (param = param_after(param)) != NULL; i++) {
		if (i >= first && i < end)
			print_param(param);
		if (i == end)
			console_printf("'help params %u' goes on.\n",
			               end / PARAMS_ON_A_PAGE + 1);
	}
}

static void print_command_line(void)
{
	size_t left_out;
	const char *line = params_command_line(&left_out);

	console_printf("Words of the kernel command line; now: \"");
	/* It may be as long as all that console_printf() takes. */
	console_write(line, strlen(line));
	if (left_out > 0)
		console_printf("\" and %zu characters more\n", left_out);
	else
		console_printf("\"\n");
}

static int print_params(int argc, char **argv)
{
	uint64_t page = 1;

	if (argc == 3 &&
	    shell_number(argv[2], "help params", 1, UINT8_MAX, &page) != 0)
		return 0;
	if (page == 1)
		print_command_line();
	print_param_page(((unsigned int)page - 1) * PARAMS_ON_A_PAGE);
	return 0;
}

/* The commands of the group TITLE: their names, or a line for each.  Returns how many
 * there are. */
static unsigned int print_group(const char *title, bool names_alone)
{
	unsigned int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (strcmp(tables[i]->title, title) != 0)
			continue;
		for (unsigned int c = 0; c < tables[i]->count; c++, count++) {
			if (names_alone)
				console_printf(" %s",
				               tables[i]->command[c].name);
			else
				print_usage(&tables[i]->command[c]);
		}
	}
	return count;
}

/* Two rows for each group, so that all of them are on one screen. */
static void print_groups(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (*tables[i]->about == '\0')
			continue;
		console_printf("\033[1m%-8s\033[0m%s\n", tables[i]->title,
		               tables[i]->about);
		console_printf("       ");
		print_group(tables[i]->title, true);
		console_printf("\n");
	}
	console_printf(
		"'help COMMAND' or 'help GROUP' says more, 'help params' "
		"the words for the boot.\n"
		"Keys: Tab completes, arrows edit and recall, "
		"Page Up looks back on the screen.\n");
}

static int run_help(int argc, char **argv)
{
	const struct shell_command *command;

	if (argc == 1) {
		print_groups();
		return 0;
	}
	if (argc <= 3 && strcmp(argv[1], "params") == 0)
		return print_params(argc, argv);
	if (argc > 2)
		return -EINVAL;
	command = find_command(argv[1]);
	if (command != NULL)
		print_usage(command);
	else if (print_group(argv[1], false) == 0)
		console_printf("help: there is no command and no group '%s'\n",
		               argv[1]);
	return 0;
}

static int run_echo(int argc, char **argv)
{
	char text[LINE_SIZE];

	console_printf("%s\n", shell_join(text, sizeof(text), argv, 1, argc));
	return 0;
}

static int run_clear(int argc, char **argv __unused)
{
	if (argc > 1)
		return -EINVAL;
	console_printf("\033[2J\033[H");
	return 0;
}

static const struct shell_command own_commands[] = {
	SHELL_COMMAND("help", "[COMMAND|GROUP|params [PAGE]]", run_help,
	              command_candidate,
	              "what there is; params: words for the boot"),
	SHELL_COMMAND("echo", "[WORD ...]", run_echo, NULL, "say it"),
	SHELL_COMMAND("clear", "", run_clear, NULL, "an empty screen"),
};

static const struct shell_table shell_own_commands = {
	.title = "shell",
	.about = "the shell itself",
	.command = own_commands,
	.count = ARRAY_SIZE(own_commands),
};

/* ---- Running a line ------------------------------------------------------ */

/* Split TEXT at blanks, in place.  The number of words, or -E2BIG. */
static int split(char *text, char **argv)
{
	int count = 0;

	for (;;) {
		while (*text == ' ')
			*text++ = '\0';
		if (*text == '\0')
			return count;
		if (count == SHELL_MAX_WORDS)
			return -E2BIG;
		argv[count++] = text;
		while (*text != ' ' && *text != '\0')
			text++;
	}
}

void shell_execute(char *text)
{
	const struct shell_command *command;
	char *argv[SHELL_MAX_WORDS];
	int argc = split(text, argv);
	uint64_t begin;

	if (argc == 0)
		return;
	if (argc < 0) {
		console_printf("a line has at most %d words\n",
		               SHELL_MAX_WORDS);
		return;
	}
	command = find_command(argv[0]);
	begin = clock_microseconds();
	if (command == NULL) {
		console_printf("%s: no such command; 'help' lists them\n",
		               argv[0]);
	} else if (command->run(argc, argv) == -EINVAL) {
		console_printf("usage:\n");
		print_usage(command);
	}
	shell_report_kept(begin);
}

/* ---- Editing ------------------------------------------------------------- */

/* Completion: commands for the first word, then what the command says. */
static const char *line_candidate(const char *text, unsigned int start,
                                  unsigned int index)
{
	const struct shell_command *command;
	char name[LINE_SIZE];
	unsigned int first = 0;
	unsigned int end;

	while (text[first] == ' ')
		first++;
	if (start <= first)
		return command_candidate(text + start, index);
	for (end = first; text[end] != ' ' && text[end] != '\0'; end++)
		name[end - first] = text[end];
	name[end - first] = '\0';
	command = find_command(name);
	if (command == NULL || command->candidate == NULL)
		return NULL;
	return command->candidate(text + start, index);
}

static const struct line_hooks hooks = {
	.write = console_write,
	.candidate = line_candidate,
	.separators = "|,~",
};

static struct line line;
static unsigned long lines_read;

unsigned long shell_lines(void)
{
	return lines_read;
}

/* Read a whole line; it is in line.text.  False: there is nothing to run. */
static bool shell_read_line(void)
{
	enum line_event event = LINE_MORE;

	/* Print the log of handlers before the prompt. */
	log_flush();
	line_begin(&line);
	while (event == LINE_MORE) {
		int key = console_read_key();

		if (!screen_scroll_key(key))
			event = line_key(&line, key);
	}
	if (event == LINE_TOO_LONG)
		console_printf("not run: the line has %u characters, and %d "
		               "are the most\n",
		               line.length + line.lost, LINE_SIZE - 1);
	return event == LINE_ENTERED;
}

/* After a command that ^C has ended the shell continues. */
static void recover_from_interrupt(void)
{
	if (!shell_interrupted())
		return;
	oom_pardon(current_thread());
	console_printf("^C\n");
}

static void run_in_foreground(char *text)
{
	console_enter(current_thread());
	shell_execute(text);
	console_leave(current_thread());
	recover_from_interrupt();
}

void shell_run(void)
{
	line_init(&line, &hooks, PROMPT);
	console_printf("Type 'help' for the commands.\n");
	for (;;) {
		if (shell_read_line()) {
			lines_read++;
			run_in_foreground(line.text);
		}
	}
}
