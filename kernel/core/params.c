/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/params.c -- words of the kernel command line.
 *
 * The line is untrusted: it may be long, hold any byte, and have words that this
 * kernel does not know.  It is copied, cut into words at its blanks, and
 * each word is cut at its first '='.  An unknown word is reported, with
 * unprintable bytes as \xNN, and left alone.
 *
 * The words stay where they were copied to, so a setter may keep its value.
 */
#include "kernel/core/params.h"

#include "kernel/core/printk.h"
#include "lib/format.h"
#include "lib/string.h"

/* Linux's limit on x86, the closing NUL included. */
#define LINE_SIZE  2048

/* Size of the copy for params_command_line(), the closing NUL included. */
#define SHOWN_SIZE 512

/* Characters of a word that a report shows. */
#define REPORT_MAX 63

extern const struct param params_begin[];
extern const struct param params_end[];

static char words[LINE_SIZE];
static char shown[SHOWN_SIZE];
static size_t not_shown; /* characters of the line */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *params_escape(char *buffer, size_t size, const char *text)
{
	size_t length = 0;

	for (; *text != '\0'; text++) {
		bool plain = *text >= ' ' && *text <= '~';

		if (length + (plain ? 1 : 4) >= size)
			break;
		length += (size_t)scnprintf(buffer + length, 5,
		                            plain ? "%c" : "\\x%02x",
		                            (unsigned char)*text);
	}
	buffer[length] = '\0';
	return text;
}

/*
 * WORD as a report shows it, in BUFFER of REPORT_MAX + 4 bytes: at most
 * REPORT_MAX characters, then three dots if that is not all.
 */
static const char *printable(const char *word, char *buffer)
{
	const char *rest = params_escape(buffer, REPORT_MAX + 1, word);

	if (*rest != '\0')
		scnprintf(buffer + strlen(buffer), 4, "...");
	return buffer;
}

/*
 * Copy LINE into TO, SIZE bytes.  Of a line that does not fit, as many whole
 * words as do; returns false then.
 */
static bool copy_line(char *to, size_t size, const char *line)
{
	size_t length = strnlen(line, size);
	bool fits = length < size;

	if (!fits) {
		length = size - 1;
		/* A word that was cut in two would mean something else. */
		while (length > 0 && !is_blank(line[length]))
			length--;
	}
	memcpy(to, line, length);
	to[length] = '\0';
	return fits;
}

/* The next word at *AT, its end marked with a NUL; NULL if there is none. */
static char *params_next_word(char **at)
{
	char *word;

	while (is_blank(**at))
		(*at)++;
	if (**at == '\0')
		return NULL;
	word = *at;
	while (**at != '\0' && !is_blank(**at))
		(*at)++;
	if (**at != '\0')
		*(*at)++ = '\0';
	return word;
}

/* The entry of TABLE whose name is the LENGTH characters at NAME, or NULL. */
static const struct param *params_find(const struct param *table, size_t count,
                                       const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(table[i].name) == length &&
		    strncmp(table[i].name, name, length) == 0)
			return &table[i];
	}
	return NULL;
}

/* Returns whether WORD was understood. */
static bool apply_word(const struct param *table, size_t count,
                       const char *word)
{
	const char *equals = strchr(word, '=');
	size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct param *param = params_find(table, count, word, length);
	char report[REPORT_MAX + 4];

	if (param == NULL) {
		pr_warn("command line: unknown word '%s'\n",
		        printable(word, report));
		return false;
	}
	if (param->set(equals != NULL ? equals + 1 : NULL) != 0) {
		pr_warn("command line: bad value in '%s'\n",
		        printable(word, report));
		return false;
	}
	return true;
}

unsigned int params_apply(const struct param *table, size_t count,
                          const char *line, char *buffer, size_t size)
{
	unsigned int refused = 0;
	char *at = buffer;
	char *word;

	if (!copy_line(buffer, size, line)) {
		pr_warn("command line: only %zu characters of it are read\n",
		        strlen(buffer));
		refused++;
	}
	while ((word = params_next_word(&at)) != NULL) {
		if (!apply_word(table, count, word))
			refused++;
	}
	return refused;
}

unsigned int params_parse(const char *command_line)
{
	not_shown = strlen(params_escape(shown, sizeof(shown), command_line));
	return params_apply(params_begin, (size_t)(params_end - params_begin),
	                    command_line, words, sizeof(words));
}

void params_visit(void (*visit)(const struct param *param, void *data),
                  void *data)
{
	for (const struct param *param = params_begin; param < params_end;
	     param++)
		visit(param, data);
}

const char *params_command_line(size_t *left_out)
{
	*left_out = not_shown;
	return shown;
}
