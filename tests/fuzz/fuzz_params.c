/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz_params.c -- any bytes as the kernel's command line.
 *
 * The first byte makes the size of the buffer.  Line and buffer are heap blocks
 * of exactly their sizes.  A second reader, which counts positions in the line
 * and copies nothing, says which words there are, which setter gets what, and
 * how many words are refused.
 *
 * fuzz-runs: 30000
 */
#include "kernel/core/params.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/fuzz/fuzz.h"

#define CALLS_MOST 4096

/* The calls of the setters. */
static struct {
	unsigned int number; /* of the table's entry */
	const char *value;
} calls[CALLS_MOST];
static unsigned int call_count;

static int take_call(unsigned int number, const char *value)
{
	CLAIM(call_count < CALLS_MOST);
	calls[call_count].number = number;
	calls[call_count++].value = value;
	return value != NULL && value[0] == '!' ? -EINVAL : 0;
}

static int set_a(const char *value)
{
	return take_call(0, value);
}

static int set_ab(const char *value)
{
	return take_call(1, value);
}

static const struct param table[] = {
	{ .name = "a", .help = "", .set = set_a },
	{ .name = "ab", .help = "", .set = set_ab },
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Compare the next call with the word at WORD, LENGTH long.  Is it refused? */
static bool fuzz_params_check_word(const char *word, size_t length,
                                   unsigned int *call)
{
	size_t name = 0;

	while (name < length && word[name] != '=')
		name++;
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		const char *value = calls[*call].value;

		if (strlen(table[i].name) != name ||
		    memcmp(table[i].name, word, name) != 0)
			continue;
		CLAIM(*call < call_count && calls[*call].number == i);
		(*call)++;
		CLAIM((value == NULL) == (name == length));
		if (value == NULL)
			return false;
		CLAIM(strlen(value) == length - name - 1);
		CLAIM(memcmp(value, word + name + 1, strlen(value)) == 0);
		return value[0] == '!';
	}
	return true;
}

/* How many words of LINE are refused; a word ends below SIZE or is cut off. */
static unsigned int read_again(const char *line, size_t size)
{
	size_t length = strlen(line);
	unsigned int refused = length >= size;
	unsigned int call = 0;
	size_t begin = 0;

	for (size_t at = 0; at <= length && at < size; at++) {
		if (line[at] != '\0' && !blank(line[at]))
			continue;
		if (at > begin)
			refused += fuzz_params_check_word(line + begin,
			                                  at - begin, &call);
		begin = at + 1;
	}
	CLAIM(call == call_count);
	return refused;
}

static unsigned int hex(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Undo params_escape(): the text that BUFFER stands for is LINE's beginning. */
static void check_escape(const char *line, size_t size)
{
	char *buffer = malloc(size);
	const char *rest;
	const char *at = buffer;

	CLAIM(buffer != NULL);
	rest = params_escape(buffer, size, line);
	CLAIM(strlen(buffer) < size);
	for (const char *c = line; c < rest; c++) {
		if (*c >= ' ' && *c <= '~') {
			CLAIM(*at++ == *c);
			continue;
		}
		CLAIM(at[0] == '\\' && at[1] == 'x');
		CLAIM(hex(at[2]) * 16 + hex(at[3]) == (unsigned char)*c);
		at += 4;
	}
	CLAIM(*at == '\0');
	/* It stops only where the next character does not fit. */
	CLAIM(*rest == '\0' || strlen(buffer) + 4 >= size);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room;
	char *line;
	char *buffer;

	if (size == 0)
		return 0;
	room = data[0] == 0xff ? 2048 : data[0] + 1UL;
	line = malloc(size);
	buffer = malloc(room);
	CLAIM(line != NULL && buffer != NULL);
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	call_count = 0;
	CLAIM(params_apply(table, ARRAY_SIZE(table), line, buffer, room) ==
	      read_again(line, room));
	check_escape(line, room);
	free(buffer);
	free(line);
	return 0;
}
