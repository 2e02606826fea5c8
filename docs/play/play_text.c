/* SPDX-License-Identifier: MIT */
/*
 * docs/play/play_text.c -- JSON into one buffer.
 *
 * A comma is due before a value unless the value is the first one behind a bracket.
 */
#include "docs/play/play.h"
#include "lib/format.h"
#include "lib/string.h"

static struct {
	char buffer[PLAY_ANSWER];
	size_t length;
	bool first; /* behind a bracket */
} text;

char *play_answer_buffer(void)
{
	return text.buffer;
}

static void put(const char *part)
{
	text.length += (size_t)scnprintf(text.buffer + text.length,
	                                 sizeof(text.buffer) - text.length,
	                                 "%s", part);
}

void play_character(char character)
{
	if (text.length + 1 < sizeof(text.buffer))
		text.buffer[text.length++] = character;
	text.buffer[text.length] = '\0';
}

void play_text_begin(void)
{
	text.length = 0;
	text.first = true;
}

unsigned long play_text_end(void)
{
	kassert(text.length + 1 < sizeof(text.buffer));
	return text.length;
}

static void put_quoted(const char *value)
{
	play_character('"');
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			play_character('\\');
		play_character((unsigned char)*value < ' ' ? ' ' : *value);
	}
	play_character('"');
}

static void begin_value(const char *key)
{
	if (!text.first)
		play_character(',');
	text.first = false;
	if (key != NULL) {
		put_quoted(key);
		play_character(':');
	}
}

void play_open(const char *key, char bracket)
{
	begin_value(key);
	play_character(bracket);
	text.first = true;
}

void play_close(char bracket)
{
	play_character(bracket);
	text.first = false;
}

void play_number(const char *key, unsigned long value)
{
	char digits[24];

	begin_value(key);
	scnprintf(digits, sizeof(digits), "%lu", value);
	put(digits);
}

void play_signed(const char *key, long value)
{
	char digits[24];

	begin_value(key);
	scnprintf(digits, sizeof(digits), "%ld", value);
	put(digits);
}

void play_bool(const char *key, bool value)
{
	begin_value(key);
	put(value ? "true" : "false");
}

void play_string(const char *key, const char *value)
{
	begin_value(key);
	put_quoted(value);
}

void play_begin_string(const char *key)
{
	begin_value(key);
	play_character('"');
}

void play_end_string(void)
{
	play_character('"');
}
