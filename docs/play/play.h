/* SPDX-License-Identifier: MIT */
/*
 * docs/play/ -- the playground: the memory manager in a web page.
 *
 *	play.h			the language of the page: this file
 *	play.c			its commands, one after the other
 *	play_request.c		requests, frees, and the way through the rungs
 *	play_work.c		files, programs, and the threads that serve the others
 *	play_state.c		the machine as text: zones, lists, pageblocks, frames
 *	play_text.c		JSON into one buffer
 *	wasm_memory.c wasm_libc.c libc/	a machine without an MMU, and no C library
 *	host.c			the same commands in a program of the host
 *
 * mm/, lib/, kernel/sysctl.c and the host's machine (tests/host/machine.c ...) are
 * compiled for WebAssembly without any change.  In front of them is one function: it
 * takes a line, does what the line says and answers with one line of JSON.  Nothing else
 * goes in or out, so the answers of the page and of the host can be compared
 * (tests/run/boot_play.py).
 *
 *	machine DMA DMA32 NORMAL MOVABLE   a new machine, pages of each zone
 *	set KNOB VALUE...          a knob of kernel/sysctl.c
 *	alloc CONTEXT COUNT ORDER FLAGS...
 *	route CONTEXT ORDER FLAGS...   the way that such a request would take
 *	free ID... | all | each N | last N   what alloc gave
 *	contig COUNT | contig free   neighbouring frames, of one range at a time
 *	cut N                      each Nth page of files is given up by its file
 *	file COUNT | anon COUNT    pages that reclaim can take: page cache, anonymous
 *	swap SLOTS                 room for anonymous pages
 *	program NAME COUNT         a thread with anonymous pages, which OOM may kill
 *	kswapd | kcompactd | compact | drain | refill | second
 *	serve on | off             do kswapd and the others run by themselves?
 *	state                      everything that the page draws
 *
 * CONTEXT is thread, irq, softirq, nmi, irqsoff, reclaim, noio or nofs.
 */
#ifndef PLAY_PLAY_H
#define PLAY_PLAY_H

#include "mm/node.h"

/* The longest line, and the longest answer. */
#define PLAY_LINE   1024UL
#define PLAY_ANSWER (4UL << 20)

/* Where the caller writes the line, and where it finds the answer: texts that end
 * with a NUL. */
char *play_line_buffer(void);
char *play_answer_buffer(void);

/* Do what the line says; returns the length of the answer.  A bad line gets
 * {"error": "..."}, and nothing is changed. */
unsigned long play_run(void);

/* The text of the panic that ended the module; empty: there was none. */
char *play_last_words(void);

/* ---- Between the files of the playground --------------------------------- */

struct node *play_node(void);

/* JSON: a key, a value; commas come by themselves. */
void play_text_begin(void);
unsigned long play_text_end(void);
void play_open(const char *key, char bracket);
void play_close(char bracket);
void play_number(const char *key, unsigned long value);
void play_signed(const char *key, long value);
void play_bool(const char *key, bool value);
void play_string(const char *key, const char *value);

/* Characters of one long string, for the frames. */
void play_begin_string(const char *key);
void play_character(char character);
void play_end_string(void);

/* The words of a line. */
#define PLAY_WORDS 24

struct play_words {
	unsigned int count;
	char *word[PLAY_WORDS];
};

/* Handlers: NULL, or what is wrong with the line. */
const char *play_alloc(const struct play_words *words);
const char *play_route(const struct play_words *words);
const char *play_free(const struct play_words *words);
const char *play_contig(const struct play_words *words);
const char *play_file(const struct play_words *words);
const char *play_cut(const struct play_words *words);
const char *play_anon(const struct play_words *words);
const char *play_swap(const struct play_words *words);
const char *play_program(const struct play_words *words);
const char *play_kswapd(const struct play_words *words);
const char *play_kcompactd(const struct play_words *words);
const char *play_compact(const struct play_words *words);
const char *play_drain(const struct play_words *words);
const char *play_refill(const struct play_words *words);
const char *play_second(const struct play_words *words);
const char *play_serve(const struct play_words *words);

/* A new machine begins. */
void play_request_start(void);
void play_work_start(struct node *node);

/* The threads that have been called run now, if they run by themselves. */
void play_work_serve(void);

/* The state of the machine, as members of the object that is open. */
void play_state(void);
void play_state_programs(void);

/* A number within limits; false: WORD is none. */
bool play_parse(const char *word, unsigned long low, unsigned long high,
                unsigned long *number);

#endif
