/* SPDX-License-Identifier: MIT */
/*
 * docs/play/host.c -- the playground without a page: build/host/play.
 *
 * Reads commands of docs/play/play.h from its input, a line each, and writes the answers,
 * a line each.  Same sources, same host machine, but the host's compiler and memory:
 * tests/run/boot_play.py compares both.
 */
#include <stdio.h>
#include <string.h>

#include "docs/play/play.h"

int main(void)
{
	while (fgets(play_line_buffer(), (int)PLAY_LINE, stdin) != NULL) {
		play_line_buffer()[strcspn(play_line_buffer(), "\n")] = '\0';
		play_run();
		puts(play_answer_buffer());
		/* A panic in the next line ends the program. */
		fflush(stdout);
	}
	return 0;
}
