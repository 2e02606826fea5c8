/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/line.h -- a line editor.  Pure: keys in, text out.
 *
 *	left right home end, ^B ^F ^A ^E	move
 *	Alt+B Alt+F				move by a word
 *	backspace delete ^D			delete a character
 *	^K ^U ^W				delete to the end, the
 *						beginning, a word back
 *	^Y					put back what those deleted
 *	up down, ^P ^N				history
 *	Tab					complete; again: list
 *	^L					clear the screen
 *	^C					give the line up
 */
#ifndef KERNEL_SHELL_LINE_H
#define KERNEL_SHELL_LINE_H

#include "lib/types.h"

#define LINE_SIZE    1024 /* with the NUL; a longer line is refused */
#define LINE_HISTORY 16

/* A screen's width less one: a full last column makes terminals disagree. */
#define LINE_COLUMNS 79

enum line_event {
	LINE_MORE,     /* the line goes on */
	LINE_ENTERED,  /* line->text is what was entered */
	LINE_GIVEN_UP, /* ^C: line->text is empty */
	LINE_TOO_LONG, /* entered, but line->lost characters had no room: what
	                * is in line->text must not be run */
};

struct line_hooks {
	/* Show SIZE bytes: printable ASCII, \r \n \b, ESC [ K, ESC [ 2 J, H. */
	void (*write)(const char *text, size_t size);
	/*
	 * Candidate INDEX for the word that starts at TEXT[START] (NUL at its
	 * end), NULL after the last one.  The editor picks those that begin
	 * with the word.  May be NULL.
	 */
	const char *(*candidate)(const char *text, unsigned int start,
	                         unsigned int index);
	/* Besides blanks, characters that end a word after the first one. */
	const char *separators;
};

struct line {
	const struct line_hooks *hooks;
	const char *prompt;
	char text[LINE_SIZE];
	unsigned int length;
	unsigned int cursor; /* 0 .. length */
	unsigned int lost;   /* characters typed for which there was no room */
	unsigned int offset; /* text[offset] is the leftmost one shown */
	unsigned int shown;  /* columns behind the prompt with characters */
	bool tab;            /* the last key was a Tab that changed nothing */
	char killed[LINE_SIZE];
	char draft[LINE_SIZE]; /* the new line, while history is shown */
	char history[LINE_HISTORY][LINE_SIZE];
	unsigned int entered; /* lines ever put into the history */
	unsigned int browse;  /* lines back from the newest; 0: the draft */
};

/* Once, before the first line; everything is forgotten. */
void line_init(struct line *line, const struct line_hooks *hooks,
               const char *prompt);

/* Begin a line: empty, and the prompt is shown. */
void line_begin(struct line *line);

/* KEY is a character or an enum console_key. */
enum line_event line_key(struct line *line, int key);

#endif
