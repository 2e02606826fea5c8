/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_line.c -- the line editor, seen through a model terminal:
 * one row of cells, \r, \b and \n; that row must always show what the editor
 * believes it shows.
 */
#include "kernel/core/console.h"
#include "kernel/shell/line.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(line);

static struct {
	char row[LINE_COLUMNS + 1];
	unsigned int at;
	bool wrapped;      /* something was written past the last column */
	unsigned int rows; /* newlines so far */
	bool escape;
} terminal;

static void test_line_clear_row(void)
{
	memset(terminal.row, ' ', LINE_COLUMNS);
	terminal.at = 0;
}

static void terminal_put(char c)
{
	if (terminal.escape) {
		terminal.escape = !(c == 'J' || c == 'H');
		test_line_clear_row();
		return;
	}
	switch (c) {
	case '\033':
		terminal.escape = true;
		break;
	case '\r':
		terminal.at = 0;
		break;
	case '\n':
		terminal.rows++;
		test_line_clear_row();
		break;
	case '\b':
		terminal.at -= terminal.at > 0;
		break;
	default:
		if (terminal.at >= LINE_COLUMNS)
			terminal.wrapped = true;
		else
			terminal.row[terminal.at++] = c;
		break;
	}
}

static void terminal_write(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		terminal_put(text[i]);
}

static const char *candidate(const char *text, unsigned int start,
                             unsigned int index)
{
	static const char *const command[] = { "alloc", "allow", "free",
		                               "buddyinfo" };
	static const char *const flag[] = { "GFP_ATOMIC", "GFP_KERNEL",
		                            "GFP_KERNEL_ACCOUNT" };

	(void)text;
	if (start == 0)
		return index < ARRAY_SIZE(command) ? command[index] : NULL;
	return index < ARRAY_SIZE(flag) ? flag[index] : NULL;
}

static const struct line_hooks hooks = { terminal_write, candidate, "|" };
SUITE_OBJECT(struct line, line);

static void test_line_start(void)
{
	memset(&terminal, 0, sizeof(terminal));
	test_line_clear_row();
	line_init(line, &hooks, "labyrinth> ");
	line_begin(line);
}

static enum line_event type(const char *text)
{
	enum line_event event = LINE_MORE;

	for (; *text != '\0'; text++)
		event = line_key(line, *text);
	return event;
}

/* NULL, or what the terminal shows that it should not. */
static const char *test_line_look(void)
{
	const unsigned int prompt = 11;
	unsigned int visible =
		min(line->length - line->offset, LINE_COLUMNS - prompt);

	EXPECT(!terminal.wrapped);
	EXPECT(line->cursor <= line->length && line->length < LINE_SIZE);
	EXPECT(line->text[line->length] == '\0');
	EXPECT(strlen(line->text) == line->length);
	EXPECT(memcmp(terminal.row, "labyrinth> ", prompt) == 0);
	EXPECT(memcmp(terminal.row + prompt, line->text + line->offset,
	              visible) == 0);
	for (unsigned int i = prompt + visible; i < LINE_COLUMNS; i++)
		EXPECT(terminal.row[i] == ' ');
	EXPECT_EQUAL(terminal.at, prompt + line->cursor - line->offset);
	return NULL;
}

/* The text, and the row shows it. */
static bool reads(const char *text)
{
	return test_line_look() == NULL && strcmp(line->text, text) == 0;
}

CASE(line, types_and_enters)
{
	test_line_start();
	EXPECT(type("buddyinfo") == LINE_MORE);
	EXPECT(reads("buddyinfo"));
	EXPECT(type("\n") == LINE_ENTERED);
	EXPECT(strcmp(line->text, "buddyinfo") == 0);
	EXPECT_EQUAL(terminal.rows, 1);
	return NULL;
}

CASE(line, inserts_and_deletes_anywhere)
{
	test_line_start();
	type("fre");
	line_key(line, KEY_LEFT);
	line_key(line, KEY_LEFT);
	type("XY");
	EXPECT(reads("fXYre"));
	type("\b");
	line_key(line, KEY_DELETE);
	EXPECT(reads("fXe"));
	line_key(line, KEY_HOME);
	type("\b");
	line_key(line, KEY_DELETE);
	EXPECT(reads("Xe"));
	line_key(line, KEY_END);
	line_key(line, KEY_DELETE);
	line_key(line, KEY_RIGHT);
	type("!");
	EXPECT(reads("Xe!"));
	return NULL;
}

CASE(line, control_keys_cut_and_put_back)
{
	test_line_start();
	type("alloc GFP_KERNEL 3\x01"); /* ^A */
	EXPECT_EQUAL(line->cursor, 0);
	type("\x05\x17"); /* ^E ^W */
	EXPECT(reads("alloc GFP_KERNEL "));
	type("\x17\x19"); /* ^W ^Y */
	EXPECT(reads("alloc GFP_KERNEL "));
	line_key(line, KEY_LEFT);
	line_key(line, KEY_LEFT);
	type("\x0b"); /* ^K */
	EXPECT(reads("alloc GFP_KERNE"));
	type("\x15"); /* ^U */
	EXPECT(reads(""));
	type("\x19"); /* ^Y */
	EXPECT(reads("alloc GFP_KERNE"));
	return NULL;
}

CASE(line, words_are_walked)
{
	test_line_start();
	type("one two");
	line_key(line, 0x80 | 'b');
	EXPECT_EQUAL(line->cursor, 4);
	line_key(line, 0x80 | 'b');
	EXPECT_EQUAL(line->cursor, 0);
	line_key(line, 0x80 | 'f');
	EXPECT_EQUAL(line->cursor, 3);
	EXPECT(test_line_look() == NULL);
	return NULL;
}

CASE(line, control_c_gives_up_and_control_l_clears)
{
	test_line_start();
	type("panic");
	type("\x0c"); /* ^L */
	EXPECT(reads("panic"));
	EXPECT(type("\x03") == LINE_GIVEN_UP);
	EXPECT_EQUAL(line->length, 0);
	line_begin(line);
	line_key(line, KEY_UP);
	EXPECT(reads(""));
	return NULL;
}

CASE(line, history_goes_back_16_lines_and_keeps_the_draft)
{
	char name[] = "lineA";

	test_line_start();
	for (unsigned int i = 0; i < 20; i++) {
		name[4] = (char)('A' + i);
		type(name);
		type("\n");
		line_begin(line);
	}
	type("draft");
	line_key(line, KEY_UP);
	EXPECT(reads("lineT"));
	for (unsigned int i = 0; i < 30; i++)
		line_key(line, KEY_UP);
	EXPECT(reads("lineE"));
	for (unsigned int i = 0; i < 30; i++)
		line_key(line, KEY_DOWN);
	EXPECT(reads("draft"));
	return NULL;
}

CASE(line, history_skips_blanks_and_repetitions)
{
	test_line_start();
	type("a\n");
	line_begin(line);
	type("b\n");
	line_begin(line);
	type("b\n");
	line_begin(line);
	type("\n");
	line_begin(line);
	line_key(line, KEY_UP);
	EXPECT(reads("b"));
	line_key(line, KEY_UP);
	EXPECT(reads("a"));
	return NULL;
}

CASE(line, tab_completes_and_lists)
{
	test_line_start();
	type("bu\t");
	EXPECT(reads("buddyinfo "));
	type("\x15"
	     "a\t"); /* ^U */
	EXPECT(reads("allo"));
	type("\t");
	EXPECT(reads("allo"));
	EXPECT_EQUAL(terminal.rows, 0);
	type("\t");
	EXPECT_EQUAL(terminal.rows, 2);
	EXPECT(reads("allo"));
	type("c GFP_ATOMIC|GFP_K\t");
	EXPECT(reads("alloc GFP_ATOMIC|GFP_KERNEL"));
	type("_\t");
	EXPECT(reads("alloc GFP_ATOMIC|GFP_KERNEL_ACCOUNT"));
	type(" zzz\t");
	EXPECT(reads("alloc GFP_ATOMIC|GFP_KERNEL_ACCOUNT zzz"));
	return NULL;
}

CASE(line, a_long_line_scrolls_sideways_and_ends)
{
	test_line_start();
	for (unsigned int i = 0; i < LINE_SIZE + 100; i++) {
		line_key(line, 'a' + (int)(i % 26));
		EXPECT(test_line_look() == NULL);
	}
	EXPECT_EQUAL(line->length, LINE_SIZE - 1);
	EXPECT_EQUAL(line->lost, 101);
	line_key(line, KEY_HOME);
	EXPECT(test_line_look() == NULL);
	EXPECT_EQUAL(line->offset, 0);
	return NULL;
}

/* COUNT times C. */
static void type_repeated(char c, unsigned int count)
{
	while (count-- > 0)
		line_key(line, c);
}

/* The longest line is entered; with one character more it is refused, not
 * remembered, and the next one is as any other. */
CASE(line, a_line_that_is_too_long_is_refused_and_not_cut)
{
	test_line_start();
	type_repeated('x', LINE_SIZE - 1);
	EXPECT_EQUAL(line->lost, 0);
	EXPECT(type("\n") == LINE_ENTERED);
	EXPECT_EQUAL(strlen(line->text), LINE_SIZE - 1);
	line_begin(line);
	type_repeated('y', LINE_SIZE);
	EXPECT_EQUAL(line->lost, 1);
	EXPECT(type("\n") == LINE_TOO_LONG);
	line_begin(line);
	line_key(line, KEY_UP);
	EXPECT_EQUAL(line->length, LINE_SIZE - 1);
	EXPECT(line->text[0] == 'x');
	/* Text that was given up or deleted does not count. */
	type_repeated('z', 3);
	EXPECT_EQUAL(line->lost, 3);
	EXPECT(line_key(line, 0x15) == LINE_MORE);
	EXPECT(type("echo\n") == LINE_ENTERED);
	line_begin(line);
	type_repeated('z', LINE_SIZE + 5);
	EXPECT(line_key(line, 0x03) == LINE_GIVEN_UP);
	line_begin(line);
	EXPECT(type("echo\n") == LINE_ENTERED);
	return NULL;
}

/* Text that the editor itself inserts is inserted whole or not at all. */
CASE(line, what_does_not_fit_is_not_completed_or_put_back_by_half)
{
	test_line_start();
	type("abcdef");
	line_key(line, 0x15);
	type_repeated('x', LINE_SIZE - 4);
	line_key(line, 0x19);
	EXPECT_EQUAL(line->length, LINE_SIZE - 4);
	EXPECT_EQUAL(line->lost, 0);
	test_line_start();
	type_repeated('x', LINE_SIZE - 8);
	type(" GFP_\t");
	EXPECT_EQUAL(line->length, LINE_SIZE - 3);
	type("A\t");
	EXPECT_EQUAL(line->length, LINE_SIZE - 2);
	EXPECT_EQUAL(line->lost, 0);
	return NULL;
}

CASE(line, any_keys_keep_the_row_true)
{
	static const int special[] = {
		KEY_UP,   KEY_DOWN,   KEY_LEFT,    KEY_RIGHT,  KEY_HOME,
		KEY_END,  KEY_DELETE, KEY_PAGE_UP, '\b',       '\t',
		'\n',     ' ',        '|',         'a',        'G',
		0x0b,     0x15,       0x17,        0x19,       0x0c,
		KEY_LEFT, 0x03,       0x80 | 'b',  0x80 | 'f',
	};
	struct random random = { test_seed() };

	test_line_start();
	for (unsigned int i = 0; i < 20000; i++) {
		bool plain = random_below(&random, 3) > 0;
		int key = plain ? (int)random_below(&random, 0x180)
		                : special[random_below(&random,
		                                       ARRAY_SIZE(special))];
		const char *wrong;

		if (line_key(line, key) != LINE_MORE)
			line_begin(line);
		wrong = test_line_look();
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}
