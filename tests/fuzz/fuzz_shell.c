/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz_shell.c -- any keys typed at the shell.
 *
 * The shell is kernel/shell/shell.c, with the line editor below it and commands of
 * this file's own above.  It reads keys from the input until there are none.
 *
 *	bytes 0xe0..0xe9	KEY_UP ... KEY_INSERT
 *	other bytes		themselves
 *
 * A terminal of one row follows what is written, and a plain model of the
 * editor keeps the text as long as only keys that it knows are typed.  Commands
 * look at their words: none is empty or has a blank, and together they are the
 * line that was shown.  Numbers and flags are read a second time.
 *
 * fuzz-runs: 2500
 */
#include <setjmp.h>
#include <stdarg.h>

#include "drivers/screen.h"
#include "kernel/core/console.h"
#include "kernel/core/printk.h"
#include "kernel/shell/line.h"
#include "kernel/shell/shell.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/gfp.h"
#include "tests/fuzz/fuzz.h"

#define PROMPT        "labyrinth> "
#define PROMPT_LENGTH (sizeof(PROMPT) - 1)

static const uint8_t *input;
static size_t left;
static jmp_buf no_more_keys;

/* ---- The terminal -------------------------------------------------------- */

static struct {
	char row[LINE_COLUMNS + 1];
	size_t column;
	unsigned int escape; /* bytes of an escape sequence so far */
} terminal;

static void fuzz_shell_clear_row(void)
{
	memset(terminal.row, ' ', sizeof(terminal.row));
	terminal.column = 0;
}

static void fuzz_shell_show(char c)
{
	if (terminal.escape > 0 || c == '\033') {
		bool ends = terminal.escape > 1 && c >= '@';

		terminal.escape = ends ? 0 : terminal.escape + 1;
		/* The last column of a row is left alone, so H is a home to
		 * an empty row. */
		if (ends && c == 'H')
			fuzz_shell_clear_row();
		return;
	}
	if (c == '\n') {
		fuzz_shell_clear_row();
	} else if (c == '\r') {
		terminal.column = 0;
	} else if (c == '\b') {
		CLAIM(terminal.column > 0);
		terminal.column--;
	} else {
		CLAIM(c >= ' ' && c <= '~');
		/* Reports may be wider; the editor's row is checked below. */
		if (terminal.column < LINE_COLUMNS)
			terminal.row[terminal.column] = c;
		terminal.column++;
	}
}

void console_write(const char *text, size_t size)
{
	while (size-- > 0)
		fuzz_shell_show(*text++);
}

static void show_formatted(size_t most, const char *format, va_list arguments)
{
	char text[CONSOLE_PRINTF_MAX];

	console_write(text, (size_t)vscnprintf(text, most, format, arguments));
}

void console_printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	show_formatted(CONSOLE_PRINTF_MAX, format, arguments);
	va_end(arguments);
}

/* A line is a line here, however wide. */
void console_fold(unsigned int indent __unused, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	show_formatted(CONSOLE_FOLD_MAX, format, arguments);
	va_end(arguments);
	console_write("\n", 1);
}

/* There is no log here. */
void log_flush(void)
{
}

bool screen_scroll_key(int key)
{
	return key == KEY_PAGE_UP || key == KEY_PAGE_DOWN;
}

/* A command is in the foreground from its begin to its end. */
static struct thread *foreground;

void console_enter(struct thread *thread)
{
	CLAIM(foreground == NULL && thread != NULL);
	foreground = thread;
}

void console_leave(struct thread *thread)
{
	CLAIM(foreground == thread);
	foreground = NULL;
}

/* ---- The model of the editor --------------------------------------------- */

static struct {
	char text[LINE_SIZE];
	size_t length;
	size_t cursor;
	size_t lost;  /* characters that had no room: nothing may run */
	bool known;   /* only keys of the model since the line began */
	bool entered; /* the next key begins a line */
} model;

static void model_begin(void)
{
	memset(&model, 0, sizeof(model));
	model.known = true;
}

static void fuzz_shell_model_insert(char c)
{
	if (model.length == LINE_SIZE - 1) {
		model.lost++;
		return;
	}
	memmove(model.text + model.cursor + 1, model.text + model.cursor,
	        model.length - model.cursor + 1);
	model.text[model.cursor++] = c;
	model.length++;
}

static void fuzz_shell_model_remove(size_t at)
{
	if (at >= model.length)
		return;
	memmove(model.text + at, model.text + at + 1, model.length - at);
	model.length--;
	if (model.length == 0)
		model.lost = 0;
}

static void model_key(int key)
{
	if (key >= ' ' && key <= '~') {
		fuzz_shell_model_insert((char)key);
	} else if (key == '\b') {
		if (model.cursor > 0)
			fuzz_shell_model_remove(--model.cursor);
	} else if (key == KEY_DELETE) {
		fuzz_shell_model_remove(model.cursor);
	} else if (key == KEY_LEFT) {
		model.cursor -= model.cursor > 0;
	} else if (key == KEY_RIGHT) {
		model.cursor += model.cursor < model.length;
	} else if (key == KEY_HOME) {
		model.cursor = 0;
	} else if (key == KEY_END) {
		model.cursor = model.length;
	} else if (key == 3) {
		model_begin();
	} else if (key != KEY_PAGE_UP && key != KEY_PAGE_DOWN &&
	           key != KEY_INSERT) {
		model.known = false;
	}
}

/* The row is the prompt and the part of the text around the cursor. */
static void check_row(void)
{
	size_t width = LINE_COLUMNS - PROMPT_LENGTH;
	size_t column;
	size_t offset;

	CLAIM(terminal.escape == 0);
	CLAIM(terminal.column >= PROMPT_LENGTH);
	CLAIM(terminal.column <= LINE_COLUMNS);
	CLAIM(memcmp(terminal.row, PROMPT, PROMPT_LENGTH) == 0);
	if (!model.known)
		return;
	column = terminal.column - PROMPT_LENGTH;
	CLAIM(column <= model.cursor);
	offset = model.cursor - column;
	CLAIM(model.length > width || offset == 0);
	for (size_t i = 0; i < width; i++) {
		bool in_text = offset + i < model.length;
		char c = in_text ? model.text[offset + i] : ' ';

		CLAIM(terminal.row[PROMPT_LENGTH + i] == c);
	}
}

int console_read_key(void)
{
	int key;

	if (model.entered)
		model_begin();
	check_row();
	if (left == 0)
		longjmp(no_more_keys, 1);
	left--;
	key = *input++;
	if (key >= 0xe0 && key <= 0xe9)
		key = KEY_UP + key - 0xe0;
	model.entered = key == '\n';
	if (!model.entered)
		model_key(key);
	return key;
}

/* ---- The commands -------------------------------------------------------- */

/* The words are those of the line: nothing but blanks is lost. */
static void fuzz_shell_check_words(int argc, char **argv)
{
	const char *at = model.text;

	CLAIM(argc >= 1 && argc <= SHELL_MAX_WORDS);
	CLAIM(!model.known || model.lost == 0);
	for (int i = 0; i < argc; i++) {
		size_t length = strlen(argv[i]);

		CLAIM(length > 0 && length < LINE_SIZE);
		CLAIM(strchr(argv[i], ' ') == NULL);
		if (!model.known)
			continue;
		while (*at == ' ')
			at++;
		CLAIM(strncmp(at, argv[i], length) == 0);
		at += length;
		CLAIM(*at == ' ' || *at == '\0');
	}
	while (model.known && *at == ' ')
		at++;
	CLAIM(!model.known || *at == '\0');
}

static int digit_of(char c, int base)
{
	int digit = c >= '0' && c <= '9'   ? c - '0'
	            : c >= 'a' && c <= 'f' ? c - 'a' + 10
	            : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                                   : 16;

	return digit < base ? digit : -1;
}

/* The number that TEXT is, or -1: none, or too large. */
static __int128 fuzz_shell_number_of(const char *text)
{
	int base = 10;
	__int128 number = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		int digit = digit_of(*text, base);

		if (digit < 0)
			return -1;
		number = number * base + digit;
		if (number > UINT64_MAX)
			return -1;
	}
	return number;
}

static int run_number(int argc, char **argv)
{
	fuzz_shell_check_words(argc, argv);
	for (int i = 1; i < argc; i++) {
		__int128 expected = fuzz_shell_number_of(argv[i]);
		uint64_t number = 12345;
		int error = shell_number(argv[i], "n", 1, 1UL << 40, &number);
		bool fits = expected >= 1 && expected <= (__int128)1 << 40;

		CLAIM((error == 0) == fits);
		CLAIM(number == (fits ? (uint64_t)expected : 12345));
	}
	return argc > 1 ? 0 : -EINVAL;
}

/* A mask that was understood is understood again from its own names. */
static int run_flags(int argc, char **argv)
{
	fuzz_shell_check_words(argc, argv);
	for (int i = 1; i < argc; i++) {
		char names[512];
		char bad[32];
		gfp_t mask;
		gfp_t again;

		if (gfp_parse(argv[i], &mask, bad, sizeof(bad)) != 0) {
			CLAIM(strlen(bad) < sizeof(bad));
			continue;
		}
		gfp_format(names, sizeof(names), mask);
		CLAIM(gfp_parse(names, &again, bad, sizeof(bad)) == 0);
		CLAIM(mask == again);
	}
	return 0;
}

void shell_report_kept(uint64_t since __unused)
{
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("n", "N ...", run_number, NULL, "numbers"),
	SHELL_COMMAND("f", "FLAGS ...", run_flags, shell_flag_candidate,
	              "flags"),
};
static const struct shell_command no_commands[] = {
	SHELL_COMMAND("", "", run_number, NULL, "no word is empty"),
};

SHELL_TABLE(shell_report_commands, "fuzzed", "about it", commands);
const struct shell_table shell_mobility_commands = { "I", "", no_commands, 0 };
const struct shell_table shell_gfp_commands = { "J", "", no_commands, 0 };
const struct shell_table shell_page_commands = { "A", "", no_commands, 0 };
const struct shell_table shell_map_commands = { "A", "", no_commands, 0 };
const struct shell_table shell_test_commands = { "B", "", no_commands, 0 };
const struct shell_table shell_system_commands = { "C", "", no_commands, 0 };
const struct shell_table shell_bench_commands = { "D", "", no_commands, 0 };
const struct shell_table shell_disk_commands = { "E", "", no_commands, 0 };
const struct shell_table shell_trace_commands = { "F", "", no_commands, 0 };
const struct shell_table shell_swap_commands = { "G", "", no_commands, 0 };
const struct shell_table shell_file_commands = { "H", "", no_commands, 0 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	memset(&terminal, 0, sizeof(terminal));
	fuzz_shell_clear_row();
	model_begin();
	if (setjmp(no_more_keys) == 0)
		shell_run();
	return 0;
}
