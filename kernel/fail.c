/* SPDX-License-Identifier: MIT */
/*
 * kernel/fail.c -- the settings of fault injection, by name.
 *
 * One table says what each name means.  On the command line fail_page_alloc has
 * Linux's form, four numbers: interval, probability, space, times.  It takes
 * effect when the boot is over: a boot that fails on purpose shows nothing.
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
#include "mm/task.h"

enum type {
	UNSIGNED,
	SIGNED, /* -1, too */
	BOOL,
	NUMBER_64,
};

struct setting {
	const char *name;
	enum type type;
	size_t offset; /* in struct fault_attr */
	uint64_t low;
	uint64_t high;
};

#define SETTING(text, kind, member, lowest, highest)                           \
	{                                                                      \
		text, kind, offsetof(struct fault_attr, member), lowest,       \
			highest                                                \
	}

static const struct setting settings[] = {
	SETTING("probability", UNSIGNED, probability, 0, 100),
	SETTING("interval", UNSIGNED, interval, 1, INT32_MAX),
	SETTING("times", SIGNED, times, 0, INT32_MAX),
	SETTING("space", SIGNED, space, 0, INT32_MAX),
	SETTING("verbose", UNSIGNED, verbose, 0, 2),
	SETTING("min-order", UNSIGNED, min_order, 0, MAX_ORDER),
	SETTING("task-filter", BOOL, task_filter, 0, 1),
	SETTING("ignore-gfp-wait", BOOL, ignore_gfp_wait, 0, 1),
	SETTING("ignore-gfp-highmem", BOOL, ignore_gfp_highmem, 0, 1),
	SETTING("seed", NUMBER_64, seed, 0, UINT64_MAX),
};

static struct fault_attr *attributes(void)
{
	return &main_node()->fail_page_alloc;
}

static void *fail_place(const struct setting *setting)
{
	return (char *)attributes() + setting->offset;
}

static void store(const struct setting *setting, uint64_t value)
{
	switch (setting->type) {
	case UNSIGNED:
	case SIGNED:
		WRITE_ONCE(*(uint32_t *)fail_place(setting), (uint32_t)value);
		break;
	case BOOL:
		WRITE_ONCE(*(bool *)fail_place(setting), value != 0);
		break;
	case NUMBER_64:
		WRITE_ONCE(*(uint64_t *)fail_place(setting), value);
		break;
	}
}

static long load(const struct setting *setting)
{
	switch (setting->type) {
	case UNSIGNED:
	case SIGNED:
		return *(const int32_t *)fail_place(setting);
	case BOOL:
		return *(const bool *)fail_place(setting);
	case NUMBER_64:
		return *(const int64_t *)fail_place(setting);
	}
	return 0;
}

static int set_attribute(const struct setting *setting, const char *text)
{
	uint64_t value;
	int error;

	if (setting->type == SIGNED && strcmp(text, "-1") == 0) {
		store(setting, UINT32_MAX);
		return 0;
	}
	error = parse_number(text, &value);
	if (error == 0 && (value < setting->low || value > setting->high))
		error = -ERANGE;
	if (error == 0)
		store(setting, value);
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

int fail_set(const char *word)
{
	const char *value = value_of(word, "fail-nth");

	if (value != NULL)
		return set_nth(value);
	value = value_of(word, "make-it-fail");
	if (value != NULL)
		return set_make_it_fail(value);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		value = value_of(word, settings[i].name);
		if (value != NULL)
			return set_attribute(&settings[i], value);
	}
	return -EINVAL;
}

void fail_reset(void)
{
	fault_attr_init(attributes());
	fail_nth_set(current_thread(), 0, false);
	current_thread()->mm->make_it_fail = false;
}

void fail_visit(void (*visit)(const char *name, long value))
{
	const struct thread *thread = current_thread();

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		visit(settings[i].name, load(&settings[i]));
	visit("make-it-fail", thread->mm->make_it_fail);
	visit("fail-nth", thread->mm->fail_nth);
}

/* ---- The command line ---------------------------------------------------- */

/* In Linux's order. */
static const char *const boot_names[] = { "interval", "probability", "space",
	                                  "times" };

static char boot_words[ARRAY_SIZE(boot_names)][40];
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

static int set_fail_page_alloc(const char *value)
{
	int error = value == NULL ? -EINVAL : 0;

	for (size_t i = 0; i < ARRAY_SIZE(boot_names) && error == 0; i++)
		error = fail_next_word(&value, boot_names[i], boot_words[i],
		                       sizeof(boot_words[i]));
	return error == 0 && *value != '\0' ? -EINVAL : error;
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
      "=INTERVAL,PROBABILITY,SPACE,TIMES: fail requests on purpose",
      set_fail_page_alloc);
PARAM(fail_nth, "fail_nth", "=N[,forever]: the first thread's Nth request",
      set_fail_nth);

void fail_start(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(boot_names); i++) {
		if (boot_words[i][0] != '\0' && fail_set(boot_words[i]) != 0)
			pr_warn("fail_page_alloc: bad value in '%s'\n",
			        boot_words[i]);
	}
	if (boot_nth != NULL && set_nth(boot_nth) != 0)
		pr_warn("fail_nth: bad value '%s'\n", boot_nth);
}
