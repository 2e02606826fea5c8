/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysctl.c -- the knobs of the memory manager.
 *
 *	min_free_kbytes          ---+
 *	watermark_scale_factor   ---+--> watermark_setup(): marks and reserves
 *	lowmem_reserve_ratio     ---+    of every zone, again
 *	percpu_pagelist_high_fraction -> limits of the CPUs' lists, again
 *	watermark_boost_factor   ------> read when a request has mixed types
 *	swappiness               ------> read by reclaim in each round
 *	compaction_proactiveness ------> read by kcompactd, which is woken
 *	kfence_sample_interval   ------> read after each sample
 *	dirty_ratio, dirty_background_ratio, dirty_expire_centisecs,
 *	dirty_writeback_centisecs ------> writers and the flusher
 *
 * A mark that is lowered makes pages available to the refiller, which is woken.
 *
 * Limits are Linux's (kernel/sysctl.c, mm/page_alloc.c), with one difference:
 * Linux takes any min_free_kbytes and lets the machine die of it.  Here it is
 * what the kernel would choose itself on some machine, 128..262144, and at most
 * half of this one's memory.
 *
 * Locking: one thread at a time sets knobs (the shell, a test);
 * watermark_setup() takes the zones' locks.
 */
#include "kernel/sysctl.h"

#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/node.h"
#include "mm/pcp.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/kcompactd.h"
#include "mm/slab/kfence.h"
#include "mm/task.h"
#include "mm/watermark.h"

#define CENTISECOND 10000UL /* microseconds */

/* ---- The knobs ----------------------------------------------------------- */

static void recompute(struct node *node)
{
	watermark_setup(node);
	exclusive_memory_freed(node);
}

static int64_t get_min_free(const struct node *node,
                            unsigned int index __unused)
{
	return (int64_t)node->min_free_kbytes;
}

static int set_min_free(struct node *node, const int64_t *values)
{
	unsigned long half = node_lowmem(node) / 2 * (PAGE_SIZE / KIB);

	if ((unsigned long)values[0] > half)
		return -ENOMEM;
	node->min_free_kbytes = (unsigned long)values[0];
	recompute(node);
	return 0;
}

static int64_t get_scale(const struct node *node, unsigned int index __unused)
{
	return (int64_t)node->watermark_scale_factor;
}

static int set_scale(struct node *node, const int64_t *values)
{
	node->watermark_scale_factor = (unsigned long)values[0];
	recompute(node);
	return 0;
}

static int64_t get_ratio(const struct node *node, unsigned int index)
{
	return (int64_t)node->lowmem_reserve_ratio[index];
}

static int set_ratio(struct node *node, const int64_t *values)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		node->lowmem_reserve_ratio[type] = (unsigned long)values[type];
	recompute(node);
	return 0;
}

static int64_t sysctl_get_pcp_fraction(const struct node *node,
                                       unsigned int index __unused)
{
	return (int64_t)node->pcp_fraction;
}

static int sysctl_set_pcp_fraction(struct node *node, const int64_t *values)
{
	return pcp_set_fraction(node, (unsigned long)values[0]);
}

static int64_t get_swappiness(const struct node *node,
                              unsigned int index __unused)
{
	return (int64_t)node->swappiness;
}

static int sysctl_set_swappiness(struct node *node, const int64_t *values)
{
	WRITE_ONCE(node->swappiness, (unsigned long)values[0]);
	return 0;
}

static int64_t get_dirty_ratio(const struct node *node,
                               unsigned int index __unused)
{
	return (int64_t)node->writeback.dirty_ratio;
}

static int set_dirty_ratio(struct node *node, const int64_t *values)
{
	WRITE_ONCE(node->writeback.dirty_ratio, (unsigned long)values[0]);
	return 0;
}

static int64_t get_background(const struct node *node,
                              unsigned int index __unused)
{
	return (int64_t)node->writeback.background_ratio;
}

static int set_background(struct node *node, const int64_t *values)
{
	WRITE_ONCE(node->writeback.background_ratio, (unsigned long)values[0]);
	return 0;
}

static int64_t get_expire(const struct node *node, unsigned int index __unused)
{
	return (int64_t)(node->writeback.expire / CENTISECOND);
}

static int set_expire(struct node *node, const int64_t *values)
{
	WRITE_ONCE(node->writeback.expire,
	           (unsigned long)values[0] * CENTISECOND);
	return 0;
}

static int64_t get_interval(const struct node *node,
                            unsigned int index __unused)
{
	return (int64_t)(node->writeback.interval / CENTISECOND);
}

/* The flusher is woken, because it sleeps for the old interval. */
static int set_interval(struct node *node, const int64_t *values)
{
	WRITE_ONCE(node->writeback.interval,
	           (unsigned long)values[0] * CENTISECOND);
	wakeup_flusher(node);
	return 0;
}

/* Linux has it in /proc/PID: here it is that of the running thread, and of the
 * threads that it creates from now on. */
static int64_t get_oom_score_adj(const struct node *node __unused,
                                 unsigned int index __unused)
{
	return current_thread()->mm->oom_score_adj;
}

static int sysctl_set_oom_score_adj(struct node *node __unused,
                                    const int64_t *values)
{
	WRITE_ONCE(current_thread()->mm->oom_score_adj, (short)values[0]);
	return 0;
}

static int64_t get_boost(const struct node *node, unsigned int index __unused)
{
	return (int64_t)node->watermark_boost_factor;
}

static int set_boost(struct node *node, const int64_t *values)
{
	(void)watermark_set_boost_factor(node, (unsigned long)values[0]);
	return 0;
}

static int64_t get_proactiveness(const struct node *node,
                                 unsigned int index __unused)
{
	return (int64_t)node->reclaim.kcompactd.proactiveness;
}

static int set_proactiveness(struct node *node, const int64_t *values)
{
	kcompactd_set_proactiveness(node, (unsigned long)values[0]);
	return 0;
}

static int64_t get_kfence(const struct node *node, unsigned int index __unused)
{
	return (int64_t)kfence_interval(node);
}

static int set_kfence(struct node *node, const int64_t *values)
{
	return kfence_set_interval(node, (unsigned long)values[0]);
}

static const struct sysctl knobs[] = {
	{ "vm.min_free_kbytes", 1, MIN_FREE_KBYTES_MIN, MIN_FREE_KBYTES_MAX,
	  get_min_free, set_min_free },
	{ "vm.watermark_scale_factor", 1, 1, 3000, get_scale, set_scale },
	{ "vm.watermark_boost_factor", 1, 0, INT32_MAX, get_boost, set_boost },
	{ "vm.lowmem_reserve_ratio", ZONE_COUNT, 0, INT32_MAX, get_ratio,
	  set_ratio },
	{ "vm.percpu_pagelist_high_fraction", 1, 0, INT32_MAX,
	  sysctl_get_pcp_fraction, sysctl_set_pcp_fraction },
	{ "vm.swappiness", 1, 0, 200, get_swappiness, sysctl_set_swappiness },
	{ "vm.compaction_proactiveness", 1, 0, 100, get_proactiveness,
	  set_proactiveness },
	{ "vm.dirty_ratio", 1, 0, 100, get_dirty_ratio, set_dirty_ratio },
	{ "vm.dirty_background_ratio", 1, 0, 100, get_background,
	  set_background },
	{ "vm.dirty_expire_centisecs", 1, 0, INT32_MAX, get_expire,
	  set_expire },
	{ "vm.dirty_writeback_centisecs", 1, 0, INT32_MAX, get_interval,
	  set_interval },
	{ "vm.kfence_sample_interval", 1, 0, 3600000, get_kfence, set_kfence },
	{ "kernel.oom_score_adj", 1, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX,
	  get_oom_score_adj, sysctl_set_oom_score_adj },
};

static_assert(ZONE_COUNT <= SYSCTL_VALUES, "lowmem_reserve_ratio");

const struct sysctl *sysctl_at(unsigned int index)
{
	return index < ARRAY_SIZE(knobs) ? &knobs[index] : NULL;
}

static bool sysctl_is_called(const char *knob, const char *name, size_t length)
{
	return strlen(knob) == length && strncmp(knob, name, length) == 0;
}

const struct sysctl *sysctl_find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		const char *knob = knobs[i].name;

		if (sysctl_is_called(knob, name, length) ||
		    sysctl_is_called(strchr(knob, '.') + 1, name, length))
			return &knobs[i];
	}
	return NULL;
}

/* ---- Setting ------------------------------------------------------------- */

static bool sysctl_is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

/* The next number of *TEXT, *TEXT behind it.  -ENOENT: there is none. */
static int next_value(const char **text, int64_t *value)
{
	const char *at = *text;
	char word[24];
	size_t length = 0;

	while (sysctl_is_separator(*at))
		at++;
	if (*at == '\0')
		return -ENOENT;
	for (; *at != '\0' && !sysctl_is_separator(*at); at++) {
		if (length == sizeof(word) - 1)
			return -EINVAL;
		word[length++] = *at;
	}
	word[length] = '\0';
	*text = at;
	return parse_signed(word, value);
}

/* The numbers in TEXT, which must be as many as KNOB has, and within its
 * limits. */
static int parse_values(const struct sysctl *knob, const char *text,
                        int64_t *values)
{
	int64_t more;

	for (unsigned int i = 0; i < knob->count; i++) {
		int error = next_value(&text, &values[i]);

		if (error != 0 || values[i] < knob->low ||
		    values[i] > knob->high)
			return -EINVAL;
	}
	return next_value(&text, &more) == -ENOENT ? 0 : -EINVAL;
}

int sysctl_set(const struct sysctl *knob, struct node *node, const char *text)
{
	int64_t values[SYSCTL_VALUES];
	int error = parse_values(knob, text, values);

	return error == 0 ? knob->set(node, values) : error;
}

/* ---- The command line ---------------------------------------------------- */

/* The value of each knob, until there is a node; NULL: none. */
static const char *wanted[ARRAY_SIZE(knobs)];

static int sysctl_remember(const char *name, const char *value)
{
	const struct sysctl *knob = sysctl_find(name, strlen(name));
	int64_t values[SYSCTL_VALUES];
	int error;

	if (knob == NULL || value == NULL)
		return -EINVAL;
	error = parse_values(knob, value, values);
	if (error == 0)
		wanted[knob - knobs] = value;
	return error;
}

#define SYSCTL_PARAM(name, help)                                               \
	static int set_param_##name(const char *value)                         \
	{                                                                      \
		return sysctl_remember(#name, value);                          \
	}                                                                      \
	PARAM(name, #name, help, set_param_##name)

SYSCTL_PARAM(min_free_kbytes, "N: the min marks together, 128..262144");
SYSCTL_PARAM(watermark_scale_factor, "N: their distance, 1..3000 / 10000");
SYSCTL_PARAM(watermark_boost_factor, "N: of high, in 1/10000; 0: no boost");
SYSCTL_PARAM(lowmem_reserve_ratio, "A,B,C,D: for each zone; 0: no reserve");
SYSCTL_PARAM(swappiness, "N: how readily anonymous pages go to swap, 0..200");
SYSCTL_PARAM(compaction_proactiveness, "N: compact unasked, 0 (never)..100");
SYSCTL_PARAM(dirty_ratio, "N: per cent dirty that stop writers, 0..100");
SYSCTL_PARAM(dirty_background_ratio, "N: per cent that begin writing, 0..100");
SYSCTL_PARAM(dirty_expire_centisecs, "N: pages dirty for so long are written");
SYSCTL_PARAM(dirty_writeback_centisecs, "N: how often that is looked at");

void sysctl_start(struct node *node)
{
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		if (wanted[i] != NULL &&
		    sysctl_set(&knobs[i], node, wanted[i]) != 0)
			pr_warn("sysctl: %s=%s is too much for this machine\n",
			        knobs[i].name, wanted[i]);
	}
}
