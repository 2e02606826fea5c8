/* SPDX-License-Identifier: MIT */
/*
 * docs/play/play.c -- a line is read, its command is run, the answer is written.
 *
 * Every answer is an object.  It begins with the command's own results, and ends with its
 * effects:
 *
 *	"counters"	the counters of mm/debug/vmstat.h that have moved, and by how much
 *	"log"		the lines that the kernel has logged
 *
 * The same lines always give the same answers: the clock stands still but for waits, and
 * nothing is random.
 */
#include "docs/play/play.h"

#include "kernel/sysctl.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/watermark.h"
#include "tests/host/libmm.h"

/* The largest machine that the page offers: 256 MB. */
#define MOST_PAGES 65536UL
#define LOG_LINES  64U

static struct {
	struct node *node;
	struct pcp_cpu lists;
	unsigned long before[VMSTAT_COUNT];
	uint64_t log_mark;
	char line[PLAY_LINE];
} play;

struct node *play_node(void)
{
	return play.node;
}

char *play_line_buffer(void)
{
	return play.line;
}

bool play_parse(const char *word, unsigned long low, unsigned long high,
                unsigned long *number)
{
	uint64_t value;

	if (parse_number(word, &value) != 0 || value < low || value > high)
		return false;
	*number = value;
	return true;
}

/* ---- A new machine ------------------------------------------------------- */

/* As kernel/boot_memory.c and kernel/services.c start the allocator. */
static void start_allocator(unsigned long pages)
{
	struct node *node = play.node;
	unsigned long tables = exclusive_region_tables(pages);

	node->min_free_kbytes = watermark_min_free_kbytes(node_lowmem(node) *
	                                                  (PAGE_SIZE / KIB));
	watermark_setup(node);
	pageblock_group_by_mobility(node);
	machine_start_exclusive(node, min(tables, MACHINE_TABLES));
	play_work_start(node);
	memset(&play.lists, 0, sizeof(play.lists));
	pcp_start(node, &play.lists, 1);
	play_request_start();
}

static const char *run_machine(const struct play_words *words)
{
	unsigned long pages[ZONE_COUNT];
	unsigned long total = 0;

	if (words->count != 1 + ZONE_COUNT)
		return "machine wants four numbers of pages";
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (!play_parse(words->word[1 + type], 0, MOST_PAGES,
		                &pages[type]) ||
		    pages[type] % (1UL << MAX_ORDER) != 0)
			return "pages of a zone: a multiple of 1024";
		total += pages[type];
	}
	if (total == 0 || total > MOST_PAGES)
		return "a machine has 1024 to 65536 pages";
	if (pages[0] + pages[1] + pages[2] == 0)
		return "the kernel itself needs a zone other than MOVABLE";
	machine_start(total);
	play.node = machine_zones(0, pages);
	start_allocator(total);
	vmstat_clear(&play.node->stat);
	return NULL;
}

/* ---- Knobs --------------------------------------------------------------- */

static const char *run_set(const struct play_words *words)
{
	char value[PLAY_LINE] = "";
	const struct sysctl *knob;
	size_t length = 0;

	if (words->count < 3)
		return "set wants a knob and its value";
	knob = sysctl_find(words->word[1], strlen(words->word[1]));
	if (knob == NULL)
		return "there is no such knob";
	for (unsigned int i = 2; i < words->count; i++)
		length += (size_t)scnprintf(value + length,
		                            sizeof(value) - length, "%s ",
		                            words->word[i]);
	switch (sysctl_set(knob, play.node, value)) {
	case 0:
		return NULL;
	case -ENOMEM:
		return "that is too much for this machine";
	default:
		return "that is outside of the knob's limits";
	}
}

static const char *run_state(const struct play_words *words __unused)
{
	play_state();
	return NULL;
}

/* ---- Commands ------------------------------------------------------------ */

static const struct {
	const char *name;
	const char *(*run)(const struct play_words *words);
} commands[] = {
	{ "alloc", play_alloc },
	{ "route", play_route },
	{ "free", play_free },
	{ "state", run_state },
	{ "set", run_set },
	{ "file", play_file },
	{ "cut", play_cut },
	{ "contig", play_contig },
	{ "anon", play_anon },
	{ "swap", play_swap },
	{ "program", play_program },
	{ "kswapd", play_kswapd },
	{ "kcompactd", play_kcompactd },
	{ "compact", play_compact },
	{ "drain", play_drain },
	{ "refill", play_refill },
	{ "second", play_second },
	{ "serve", play_serve },
};

static void split(char *line, struct play_words *words)
{
	words->count = 0;
	while (words->count < PLAY_WORDS) {
		while (*line == ' ')
			line++;
		if (*line == '\0')
			return;
		words->word[words->count++] = line;
		while (*line != ' ' && *line != '\0')
			line++;
		if (*line == ' ')
			*line++ = '\0';
	}
}

static const char *run_words(const struct play_words *words)
{
	if (words->count == 0)
		return "an empty line";
	if (strcmp(words->word[0], "machine") == 0)
		return run_machine(words);
	if (play.node == NULL)
		return "there is no machine yet";
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(words->word[0], commands[i].name) == 0)
			return commands[i].run(words);
	}
	return "there is no such command";
}

/* ---- Effects ------------------------------------------------------------- */

static void note_counters(void)
{
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++)
		play.before[i] = play.node == NULL
		                         ? 0
		                         : vmstat_read(&play.node->stat,
		                                       (enum vmstat_event)i);
}

static void tell_counters(void)
{
	play_open("counters", '{');
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++) {
		enum vmstat_event event = (enum vmstat_event)i;
		unsigned long now = vmstat_read(&play.node->stat, event);

		if (now > play.before[i])
			play_number(vmstat_name(event), now - play.before[i]);
	}
	play_close('}');
}

static void tell_line(const char *line, void *data __unused)
{
	play_string(NULL, line);
}

static void tell_log(void)
{
	uint64_t lines = log_mark() - play.log_mark;

	play_open("log", '[');
	log_visit((unsigned int)min(lines, (uint64_t)LOG_LINES), tell_line,
	          NULL);
	play_close(']');
	play.log_mark = log_mark();
}

unsigned long play_run(void)
{
	struct play_words words;
	const char *wrong;

	play_text_begin();
	play_open(NULL, '{');
	note_counters();
	split(play.line, &words);
	wrong = run_words(&words);
	if (wrong == NULL)
		play_work_serve();
	else
		play_string("error", wrong);
	if (play.node != NULL) {
		tell_counters();
		tell_log();
	}
	play_close('}');
	return play_text_end();
}
