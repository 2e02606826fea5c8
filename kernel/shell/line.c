/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/line.c -- a line editor.
 *
 * The text scrolls sideways in one row, so that it never wraps and any terminal
 * of 80 columns (the screen and the serial line together) shows the same:
 *
 *	labyrinth> RNEL|__GFP_ZERO|__GFP_NOWARN 3_
 *	           ^offset                        ^cursor
 *	           |<------- shown ---------------|
 *
 * A character typed or deleted at the end is written as such; everything else
 * redraws the row: \r, prompt, the visible part, blanks over the old text after it,
 * and \b back to the cursor.  At the right edge the text moves by half a row, so that
 * a long line that is pasted is not redrawn for each of its characters.
 *
 * A line has LINE_SIZE - 1 characters.  Characters beyond are counted, and then
 * the line is refused when it is entered, because half a command may do harm.  An
 * insertion by the editor itself is done completely or not at all.
 *
 * Invariants: cursor <= length < LINE_SIZE; text[length] is NUL; offset <=
 * cursor <= offset + columns.
 */
#include "kernel/shell/line.h"

#include "kernel/core/console.h"
#include "lib/string.h"

#define CONTROL(letter) ((letter)&0x1f)
#define META(letter)    (0x80 | (letter))

/* ---- Showing ------------------------------------------------------------ */

static void line_show(const struct line *line, const char *text, size_t size)
{
	if (size > 0)
		line->hooks->write(text, size);
}

static void show_string(const struct line *line, const char *text)
{
	line_show(line, text, strlen(text));
}

static void show_repeated(const struct line *line, char c, unsigned int count)
{
	char row[LINE_COLUMNS];

	count = min(count, (unsigned int)sizeof(row));
	memset(row, c, count);
	line_show(line, row, count);
}

/* Columns that the text has. */
static unsigned int columns(const struct line *line)
{
	return LINE_COLUMNS - (unsigned int)strlen(line->prompt);
}

/* Move the visible part so that the cursor is in it. */
static void follow_cursor(struct line *line)
{
	unsigned int width = columns(line);

	if (line->cursor < line->offset)
		line->offset = line->cursor;
	if (line->cursor > line->offset + width)
		line->offset = line->cursor - width / 2;
	if (line->length <= width)
		line->offset = 0;
}

static void redraw(struct line *line)
{
	unsigned int visible;
	unsigned int blanks;

	follow_cursor(line);
	visible = min(line->length - line->offset, columns(line));
	blanks = line->shown > visible ? line->shown - visible : 0;
	show_string(line, "\r");
	show_string(line, line->prompt);
	line_show(line, line->text + line->offset, visible);
	show_repeated(line, ' ', blanks);
	show_repeated(line, '\b',
	              visible + blanks - (line->cursor - line->offset));
	line->shown = visible;
}

/* ---- Changing the text -------------------------------------------------- */

/* Take text[from .. to-1] out; the cursor goes to FROM. */
static void cut(struct line *line, unsigned int from, unsigned int to)
{
	bool last = to == line->length && line->cursor == to && to - from == 1;

	memmove(line->text + from, line->text + to, line->length - to + 1);
	line->length -= to - from;
	line->cursor = from;
	if (line->length == 0)
		line->lost = 0;
	if (last && line->offset == 0 && line->shown == to) {
		show_string(line, "\b \b");
		line->shown--;
	} else {
		redraw(line);
	}
}

/* As cut(), and keep it for ^Y. */
static void cut_and_keep(struct line *line, unsigned int from, unsigned int to)
{
	if (from == to)
		return;
	memcpy(line->killed, line->text + from, to - from);
	line->killed[to - from] = '\0';
	cut(line, from, to);
}

/* Does what was just appended, COUNT characters, stand behind all that is shown? */
static bool fits_behind_shown(const struct line *line, unsigned int count)
{
	unsigned int visible = line->length - line->offset;

	return line->shown + count == visible && visible <= columns(line);
}

/* Insert TEXT at the cursor.  False: there is no room, and nothing is done. */
static bool line_insert(struct line *line, const char *text, unsigned int count)
{
	bool at_end = line->cursor == line->length;
	char *gap = line->text + line->cursor;

	if (count > LINE_SIZE - 1 - line->length)
		return false;
	memmove(gap + count, gap, line->length - line->cursor + 1);
	memcpy(gap, text, count);
	line->length += count;
	line->cursor += count;
	if (at_end && fits_behind_shown(line, count)) {
		line_show(line, text, count);
		line->shown += count;
	} else {
		redraw(line);
	}
	return true;
}

static void replace_text(struct line *line, const char *text)
{
	size_t length = strnlen(text, LINE_SIZE - 1);

	memmove(line->text, text, length);
	line->text[length] = '\0';
	line->length = (unsigned int)length;
	line->cursor = line->length;
	line->lost = 0;
	redraw(line);
}

static void line_move_to(struct line *line, unsigned int cursor)
{
	line->cursor = cursor;
	redraw(line);
}

/* ---- Words -------------------------------------------------------------- */

static unsigned int word_back(const struct line *line)
{
	unsigned int at = line->cursor;

	while (at > 0 && line->text[at - 1] == ' ')
		at--;
	while (at > 0 && line->text[at - 1] != ' ')
		at--;
	return at;
}

static unsigned int word_ahead(const struct line *line)
{
	unsigned int at = line->cursor;

	while (at < line->length && line->text[at] == ' ')
		at++;
	while (at < line->length && line->text[at] != ' ')
		at++;
	return at;
}

/* ---- History ------------------------------------------------------------ */

/* The line that was entered BACK lines ago, 1: the newest. */
static char *history_line(struct line *line, unsigned int back)
{
	return line->history[(line->entered - back) % LINE_HISTORY];
}

static void line_remember(struct line *line)
{
	if (line->length == 0)
		return;
	if (line->entered > 0 && strcmp(history_line(line, 1), line->text) == 0)
		return;
	line->entered++;
	memcpy(history_line(line, 1), line->text, line->length + 1);
}

static void browse(struct line *line, unsigned int back)
{
	if (back > min(line->entered, (unsigned int)LINE_HISTORY))
		return;
	if (line->browse == 0)
		memcpy(line->draft, line->text, line->length + 1);
	line->browse = back;
	replace_text(line, back == 0 ? line->draft : history_line(line, back));
}

/* ---- Completion --------------------------------------------------------- */

static bool ends_word(const struct line *line, char c)
{
	return c == ' ' || strchr(line->hooks->separators, c) != NULL;
}

static unsigned int completion_start(const struct line *line)
{
	unsigned int start = line->cursor;

	while (start > 0 && !ends_word(line, line->text[start - 1]))
		start--;
	return start;
}

struct completion {
	char before[LINE_SIZE]; /* the text up to the cursor */
	unsigned int start;
	unsigned int typed;   /* length of the word so far */
	unsigned int matches; /* different candidates */
	const char *first;
	unsigned int common; /* characters that all of them share */
};

/* Candidate INDEX if it begins with the word; *END at the last one. */
static const char *match(const struct line *line,
                         const struct completion *completion,
                         unsigned int index, bool *end)
{
	const char *name = line->hooks->candidate(completion->before,
	                                          completion->start, index);

	*end = name == NULL;
	if (*end || strncmp(name, completion->before + completion->start,
	                    completion->typed) != 0)
		return NULL;
	return name;
}

static unsigned int common_prefix(const char *a, const char *b,
                                  unsigned int limit)
{
	unsigned int length = 0;

	while (length < limit && a[length] == b[length] && a[length] != '\0')
		length++;
	return length;
}

static void find_matches(const struct line *line, struct completion *completion)
{
	bool end = false;

	memcpy(completion->before, line->text, line->cursor);
	completion->before[line->cursor] = '\0';
	completion->start = completion_start(line);
	completion->typed = line->cursor - completion->start;
	for (unsigned int index = 0; !end; index++) {
		const char *name = match(line, completion, index, &end);

		if (name == NULL)
			continue;
		if (completion->first == NULL) {
			completion->first = name;
			completion->common = (unsigned int)strlen(name);
		} else if (strcmp(name, completion->first) == 0) {
			continue;
		}
		completion->matches++;
		completion->common = common_prefix(completion->first, name,
		                                   completion->common);
	}
}

static void list_matches(struct line *line, const struct completion *completion)
{
	unsigned int column = 0;
	bool end = false;

	show_string(line, "\n");
	for (unsigned int index = 0; !end; index++) {
		const char *name = match(line, completion, index, &end);
		unsigned int width;

		if (name == NULL)
			continue;
		width = (unsigned int)strlen(name) + 2;
		if (column > 0 && column + width > LINE_COLUMNS) {
			show_string(line, "\n");
			column = 0;
		}
		show_string(line, name);
		show_string(line, "  ");
		column += width;
	}
	show_string(line, "\n");
	line->shown = 0;
	redraw(line);
}

static void line_complete(struct line *line)
{
	struct completion completion = { .first = NULL };
	bool again = line->tab;

	line->tab = false;
	if (line->hooks->candidate == NULL)
		return;
	find_matches(line, &completion);
	if (completion.matches == 0)
		return;
	if (completion.common > completion.typed)
		(void)line_insert(line, completion.first + completion.typed,
		                  completion.common - completion.typed);
	else if (completion.matches > 1 && again)
		list_matches(line, &completion);
	else
		line->tab = completion.matches > 1;
	/* A command is followed by something; a flag perhaps by a |. */
	if (completion.matches == 1 && completion.start == 0 &&
	    line->cursor == line->length)
		(void)line_insert(line, " ", 1);
}

/* ---- Keys --------------------------------------------------------------- */

static enum line_event line_enter(struct line *line)
{
	if (line->cursor != line->length)
		line_move_to(line, line->length);
	show_string(line, "\n");
	if (line->lost > 0)
		return LINE_TOO_LONG;
	line_remember(line);
	return LINE_ENTERED;
}

static enum line_event give_up(struct line *line)
{
	/* At the right edge there is no room behind the text. */
	if (line->cursor - line->offset + 2 > columns(line))
		show_string(line, "\b\b");
	show_string(line, "^C\n");
	line->text[0] = '\0';
	line->length = 0;
	line->cursor = 0;
	line->lost = 0;
	return LINE_GIVEN_UP;
}

static void move_key(struct line *line, int key)
{
	switch (key) {
	case KEY_LEFT:
	case CONTROL('B'):
		if (line->cursor > 0)
			line_move_to(line, line->cursor - 1);
		break;
	case KEY_RIGHT:
	case CONTROL('F'):
		if (line->cursor < line->length)
			line_move_to(line, line->cursor + 1);
		break;
	case KEY_HOME:
	case CONTROL('A'):
		line_move_to(line, 0);
		break;
	case KEY_END:
	case CONTROL('E'):
		line_move_to(line, line->length);
		break;
	case META('b'):
		line_move_to(line, word_back(line));
		break;
	case META('f'):
		line_move_to(line, word_ahead(line));
		break;
	default:
		break;
	}
}

static void delete_key(struct line *line, int key)
{
	switch (key) {
	case '\b':
		if (line->cursor > 0)
			cut(line, line->cursor - 1, line->cursor);
		break;
	case KEY_DELETE:
	case CONTROL('D'):
		if (line->cursor < line->length)
			cut(line, line->cursor, line->cursor + 1);
		break;
	case CONTROL('K'):
		cut_and_keep(line, line->cursor, line->length);
		break;
	case CONTROL('U'):
		cut_and_keep(line, 0, line->cursor);
		break;
	case CONTROL('W'):
		cut_and_keep(line, word_back(line), line->cursor);
		break;
	case CONTROL('Y'):
		(void)line_insert(line, line->killed,
		                  (unsigned int)strlen(line->killed));
		break;
	default:
		break;
	}
}

static void history_key(struct line *line, int key)
{
	if (key == KEY_UP || key == CONTROL('P'))
		browse(line, line->browse + 1);
	else if ((key == KEY_DOWN || key == CONTROL('N')) && line->browse > 0)
		browse(line, line->browse - 1);
}

static void clear_screen(struct line *line)
{
	show_string(line, "\033[2J\033[H");
	line->shown = 0;
	redraw(line);
}

static void edit_key(struct line *line, int key)
{
	char c = (char)key;

	if (key >= ' ' && key < 0x7f) {
		line->lost += !line_insert(line, &c, 1);
	} else if (key == CONTROL('L')) {
		clear_screen(line);
	} else {
		move_key(line, key);
		delete_key(line, key);
		history_key(line, key);
	}
}

enum line_event line_key(struct line *line, int key)
{
	if (key == '\t') {
		line_complete(line);
		return LINE_MORE;
	}
	line->tab = false;
	if (key == '\n')
		return line_enter(line);
	if (key == CONTROL('C'))
		return give_up(line);
	edit_key(line, key);
	return LINE_MORE;
}

void line_begin(struct line *line)
{
	line->text[0] = '\0';
	line->length = 0;
	line->cursor = 0;
	line->lost = 0;
	line->offset = 0;
	line->shown = 0;
	line->tab = false;
	line->browse = 0;
	show_string(line, line->prompt);
}

void line_init(struct line *line, const struct line_hooks *hooks,
               const char *prompt)
{
	memset(line, 0, sizeof(*line));
	line->hooks = hooks;
	line->prompt = prompt;
}
