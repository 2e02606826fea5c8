/* SPDX-License-Identifier: MIT */
/*
 * kernel/fail.c -- the settings of fault injection, by name.
 *
 * One table says what each name means, for pages (fail_page_alloc) and for objects
 * (failslab).  On the command line both have Linux's form, four numbers: interval,
 * probability, space, times; behind them any of the other settings may follow.  They
 * take effect when the boot is over: a boot that fails on purpose shows nothing.
 */
#include "kernel/fail.h"

#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"
#include "mm/task.h"

enum type {
	UNSIGNED,
	SIGNED, /* -1, too */
	BOOL,
	NUMBER_64,
	NAME,  /* its index in names[], which low says */
	PLACE, /* a struct code_place */
};

#define NAMES 6

/* The words of each kind of NAME, up to an empty one. */
static const char *const names[][NAMES] = {
	{ "any", "thread", "interrupt" },
	{ "any", "DMA", "DMA32", "Normal", "Movable" },
};

enum names_of {
	NAMES_OF_CONTEXTS, /* enum fault_context */
	NAMES_OF_ZONES,    /* 0, or enum zone_type + 1 */
};

struct setting {
	const char *name;
	size_t offset; /* in struct fault_attr */
	uint64_t low;
	uint64_t high;
	enum type type;
	bool of_pages; /* an object has no order, and no zone */
};

#define SETTING(text, kind, member, lowest, highest)                           \
	{                                                                      \
		.name = (text), .type = (kind),                                \
		.offset = offsetof(struct fault_attr, member),                 \
		.low = (lowest), .high = (highest),                            \
	}
#define SETTING_OF_PAGES(text, kind, member, lowest, highest)                  \
	{                                                                      \
		.name = (text), .type = (kind),                                \
		.offset = offsetof(struct fault_attr, member),                 \
		.low = (lowest), .high = (highest), .of_pages = true,          \
	}

static const struct setting settings[] = {
	SETTING("probability", UNSIGNED, probability, 0, 100),
	SETTING("interval", UNSIGNED, interval, 1, INT32_MAX),
	SETTING("times", SIGNED, times, 0, INT32_MAX),
	SETTING("space", SIGNED, space, 0, INT32_MAX),
	SETTING("verbose", UNSIGNED, verbose, 0, 2),
	SETTING_OF_PAGES("min-order", UNSIGNED, min_order, 0, MAX_ORDER),
	SETTING("task-filter", BOOL, task_filter, 0, 1),
	SETTING("ignore-gfp-wait", BOOL, ignore_gfp_wait, 0, 1),
	SETTING_OF_PAGES("ignore-gfp-highmem", BOOL, ignore_gfp_highmem, 0, 1),
	SETTING("context", NAME, context, NAMES_OF_CONTEXTS, 0),
	SETTING_OF_PAGES("zone", NAME, zone, NAMES_OF_ZONES, 0),
	SETTING_OF_PAGES("max-order", UNSIGNED, max_order, 0, MAX_ORDER),
	SETTING("require", PLACE, require, 0, 0),
	SETTING("reject", PLACE, reject, 0, 0),
	SETTING("stacktrace-depth", UNSIGNED, stacktrace_depth, 0, FAULT_DEPTH),
	SETTING("seed", NUMBER_64, seed, 0, UINT64_MAX),
};

static struct fault_attr *fail_attributes(enum fail_point point)
{
	struct node *node = main_node();

	return point == FAIL_SLAB ? &node->failslab : &node->fail_page_alloc;
}

/* NULL: POINT has no such setting. */
static const struct setting *fail_setting(enum fail_point point, size_t index)
{
	return settings[index].of_pages && point != FAIL_PAGE_ALLOC
	               ? NULL
	               : &settings[index];
}

static void *fail_place(enum fail_point point, const struct setting *setting)
{
	return (char *)fail_attributes(point) + setting->offset;
}

static void store(enum fail_point point, const struct setting *setting,
                  uint64_t value)
{
	void *place = fail_place(point, setting);

	switch (setting->type) {
	case UNSIGNED:
	case SIGNED:
	case NAME:
		WRITE_ONCE(*(uint32_t *)place, (uint32_t)value);
		break;
	case BOOL:
		WRITE_ONCE(*(bool *)place, value != 0);
		break;
	case NUMBER_64:
		WRITE_ONCE(*(uint64_t *)place, value);
		break;
	case PLACE: /* code_place_parse() has stored it */
		break;
	}
	pcp_shortcut_update();
}

/* The value of SETTING into the SIZE bytes of TEXT, which it returns. */
static const char *fail_format(enum fail_point point,
                               const struct setting *setting, char *text,
                               size_t size)
{
	const void *place = fail_place(point, setting);

	switch (setting->type) {
	case UNSIGNED:
	case SIGNED:
		scnprintf(text, size, "%d", *(const int32_t *)place);
		break;
	case BOOL:
		scnprintf(text, size, "%d", *(const bool *)place);
		break;
	case NUMBER_64:
		scnprintf(text, size, "%llu",
		          *(const unsigned long long *)place);
		break;
	case NAME:
		kassert(*(const uint32_t *)place < NAMES);
		return names[setting->low][*(const uint32_t *)place];
	case PLACE:
		return code_place_format(text, size, place);
	}
	return text;
}

static int fail_find_name(enum names_of which, const char *text,
                          uint64_t *index)
{
	for (*index = 0; names[which][*index] != NULL; ++*index)
		if (strcmp(names[which][*index], text) == 0)
			return 0;
	return -EINVAL;
}

static int fail_parse_range(const struct setting *setting, const char *text,
                            uint64_t *value)
{
	int error = parse_number(text, value);

	return error == 0 && (*value < setting->low || *value > setting->high)
	               ? -ERANGE
	               : error;
}

static int set_attribute(enum fail_point point, const struct setting *setting,
                         const char *text)
{
	uint64_t value;
	int error;

	if (setting->type == SIGNED && strcmp(text, "-1") == 0) {
		store(point, setting, UINT32_MAX);
		return 0;
	}
	if (setting->type == PLACE)
		return code_place_parse(text, fail_place(point, setting));
	error = setting->type == NAME
	                ? fail_find_name((enum names_of)setting->low, text,
	                                 &value)
	                : fail_parse_range(setting, text, &value);
	if (error == 0)
		store(point, setting, value);
	return error;
}

/* "N" or "N,forever". */
static int parse_nth(const char *text, uint64_t *nth, bool *forever)
{
	const char *comma = strchr(text, ',');
	size_t length = comma == NULL ? strlen(text) : (size_t)(comma - text);
	char number[24];
	int error;

	if (length >= sizeof(number) ||
	    (comma != NULL && strcmp(comma, ",forever") != 0))
		return -EINVAL;
	scnprintf(number, length + 1, "%s", text);
	error = parse_number(number, nth);
	*forever = comma != NULL;
	return error == 0 && *nth > UINT32_MAX ? -ERANGE : error;
}

static int set_nth(const char *text)
{
	uint64_t nth;
	bool forever;
	int error = parse_nth(text, &nth, &forever);

	if (error == 0)
		fail_nth_set(current_thread(), (unsigned int)nth, forever);
	return error;
}

static int set_make_it_fail(const char *text)
{
	uint64_t value;
	int error = parse_number(text, &value);

	if (error != 0)
		return error;
	if (value > 1)
		return -ERANGE;
	current_thread()->mm->make_it_fail = value != 0;
	return 0;
}

/* Return the text after "NAME=" in WORD, or NULL. */
static const char *value_of(const char *word, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length) != 0 || word[length] != '=')
		return NULL;
	return word + length + 1;
}

int fail_set(enum fail_point point, const char *word)
{
	const char *value = value_of(word, "fail-nth");

	if (value != NULL && point == FAIL_PAGE_ALLOC)
		return set_nth(value);
	value = value_of(word, "make-it-fail");
	if (value != NULL)
		return set_make_it_fail(value);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *setting = fail_setting(point, i);

		value = value_of(word, settings[i].name);
		if (value != NULL && setting != NULL)
			return set_attribute(point, setting, value);
	}
	return -EINVAL;
}

void fail_reset(enum fail_point point)
{
	current_thread()->mm->make_it_fail = false;
	if (point == FAIL_SLAB) {
		failslab_attr_init(fail_attributes(point));
	} else {
		fault_attr_init(fail_attributes(point));
		fail_nth_set(current_thread(), 0, false);
	}
	pcp_shortcut_update();
}

void fail_visit(enum fail_point point,
                void (*visit)(const char *name, const char *value))
{
	const struct thread *thread = current_thread();
	char text[CODE_PLACE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *setting = fail_setting(point, i);

		if (setting != NULL)
			visit(setting->name,
			      fail_format(point, setting, text, sizeof(text)));
	}
	visit("make-it-fail", thread->mm->make_it_fail ? "1" : "0");
	scnprintf(text, sizeof(text), "%u", thread->mm->fail_nth);
	if (point == FAIL_PAGE_ALLOC)
		visit("fail-nth", text);
}

/* ---- The command line ---------------------------------------------------- */

/* In Linux's order. */
static const char *const boot_names[] = { "interval", "probability", "space",
	                                  "times" };

static char boot_words[FAIL_POINTS][ARRAY_SIZE(boot_names)][40];
/* The text behind the four numbers: NAME=VALUE,...; NULL: none. */
static const char *boot_rest[FAIL_POINTS];
static const char *boot_nth;

/* The next of the numbers in *TEXT, as a word for fail_set(). */
static int fail_next_word(const char **text, const char *name, char *word,
                          size_t size)
{
	size_t length = 0;

	while ((*text)[length] != ',' && (*text)[length] != '\0')
		length++;
	if (length == 0 || strlen(name) + 1 + length >= size)
		return -EINVAL;
	scnprintf(word, strlen(name) + length + 2, "%s=%s", name, *text);
	*text += length;
	*text += **text == ',';
	return 0;
}

static int fail_take_words(enum fail_point point, const char *value)
{
	int error = value == NULL ? -EINVAL : 0;

	for (size_t i = 0; i < ARRAY_SIZE(boot_names) && error == 0; i++)
		error = fail_next_word(&value, boot_names[i],
		                       boot_words[point][i],
		                       sizeof(boot_words[point][i]));
	boot_rest[point] = error == 0 && *value != '\0' ? value : NULL;
	return error;
}

static int set_fail_page_alloc(const char *value)
{
	return fail_take_words(FAIL_PAGE_ALLOC, value);
}

static int set_failslab(const char *value)
{
	return fail_take_words(FAIL_SLAB, value);
}

static int set_fail_nth(const char *value)
{
	uint64_t nth;
	bool forever;

	if (value == NULL)
		return -EINVAL;
	boot_nth = value;
	return parse_nth(value, &nth, &forever);
}

PARAM(fail_page_alloc, "fail_page_alloc",
      "=INTERVAL,PROBABILITY,SPACE,TIMES[,NAME=VALUE...]: fail requests on purpose",
      set_fail_page_alloc);
PARAM(failslab, "failslab",
      "=INTERVAL,PROBABILITY,SPACE,TIMES[,...]: the same for objects",
      set_failslab);
PARAM(fail_nth, "fail_nth", "=N[,forever]: the first thread's Nth request",
      set_fail_nth);

/* A word of the command line.  If it makes no sense nothing fails: without the
 * place that was meant all requests would. */
static bool fail_start_word(enum fail_point point, const char *name,
                            const char *word)
{
	if (fail_set(point, word) == 0)
		return true;
	pr_warn("%s: bad value in '%s', nothing will fail\n", name, word);
	fail_reset(point);
	return false;
}

/* One setting of the rest after the other: NAME=VALUE, as for fail_set(). */
static void fail_start_rest(enum fail_point point, const char *name)
{
	const char *text = boot_rest[point];
	char word[CODE_PLACE_SIZE];

	while (text != NULL && *text != '\0') {
		const char *comma = strchr(text, ',');
		size_t length =
			comma == NULL ? strlen(text) : (size_t)(comma - text);

		scnprintf(word, min(length + 1, sizeof(word)), "%s", text);
		if (!fail_start_word(point, name, word))
			return;
		text += length + (comma != NULL);
	}
}

static void fail_start_point(enum fail_point point, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(boot_names); i++) {
		const char *word = boot_words[point][i];

		if (word[0] != '\0' && !fail_start_word(point, name, word))
			return;
	}
	fail_start_rest(point, name);
}

void fail_start(void)
{
	fail_start_point(FAIL_PAGE_ALLOC, "fail_page_alloc");
	fail_start_point(FAIL_SLAB, "failslab");
	if (boot_nth != NULL && set_nth(boot_nth) != 0)
		pr_warn("fail_nth: bad value '%s'\n", boot_nth);
}
