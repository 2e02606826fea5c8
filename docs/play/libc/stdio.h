/* SPDX-License-Identifier: MIT */
/* One file, where a panic says its last words: play_last_words() in docs/play/play.h. */
#ifndef PLAY_STDIO_H
#define PLAY_STDIO_H

typedef struct play_file FILE;

#define stderr ((FILE *)0)

int fprintf(FILE *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
