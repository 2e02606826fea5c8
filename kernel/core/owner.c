/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/owner.c -- numbers and names of owners.
 *
 * Numbers count up from 1 and are never given twice: a page that remembers who
 * took it cannot mean somebody else years later.  Some are never given at all
 * (mm/exclusive/exclusive_owner.c).  After OWNER_ID_MAX there are no more.
 *
 * The names of the last 256 owners are kept after their end, for the reports
 * that come later ("freed by ..."); entry ID % 256 belongs to number ID.  The
 * entry's number is cleared before its name changes and set afterwards, so a
 * reader without a lock meets an old number, none, or the right one.
 */
#include "kernel/core/owner.h"

#include "kernel/arch/percpu.h"
#include "kernel/core/context.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

/*
 * 256 owners back: a 4 MB machine has about ten at a time.  15 characters hold
 * "irq 14 ata-disk"; 256 * 24 bytes are 6 KiB.
 */
#define NAMES      256
#define NAME_BYTES 16

struct remembered {
	uint64_t id;
	char name[NAME_BYTES];
};

static struct remembered names[NAMES];
static uint64_t last_id; /* atomic */
struct owner owner_nobody;
static const struct owner_provider *window_provider;

void owner_init(void)
{
	for (unsigned int id = 0; id < MAX_CPUS; id++)
		cpu_data[id].owner = &owner_nobody;
}

/* The next number, or 0 if they are used up. */
static uint64_t owner_take_number(void)
{
	uint64_t last = __atomic_load_n(&last_id, __ATOMIC_RELAXED);

	while (last < OWNER_ID_MAX) {
		if (__atomic_compare_exchange_n(&last_id, &last, last + 1,
		                                false, __ATOMIC_RELAXED,
		                                __ATOMIC_RELAXED))
			return last + 1;
	}
	return 0;
}

static void owner_remember(const struct owner *owner)
{
	struct remembered *entry = &names[owner->id % NAMES];

	__atomic_store_n(&entry->id, 0, __ATOMIC_RELEASE);
	scnprintf(entry->name, sizeof(entry->name), "%s", owner->name);
	__atomic_store_n(&entry->id, owner->id, __ATOMIC_RELEASE);
}

/* Begin an owner with the next number. */
static int begin_numbered(struct owner *owner, enum owner_kind kind,
                          const char *name)
{
	*owner = (struct owner){ .kind = kind, .id = owner_take_number() };
	if (owner->id == 0)
		return -ENOSPC;
	scnprintf(owner->name, sizeof(owner->name), "%s", name);
	owner_remember(owner);
	return window_provider->begin(owner);
}

int owner_begin(struct owner *owner, enum owner_kind kind, const char *name)
{
	int error;

	if (window_provider == NULL)
		return -ENODEV;
	do {
		error = begin_numbered(owner, kind, name);
	} while (error == -EAGAIN);
	return error;
}

void owner_end(struct owner *owner)
{
	if (window_provider != NULL)
		window_provider->end(owner);
}

const char *owner_name(uint64_t id)
{
	const struct remembered *entry = &names[id % NAMES];

	if (id == 0 || __atomic_load_n(&entry->id, __ATOMIC_ACQUIRE) != id)
		return "?";
	return entry->name;
}

void owner_register_provider(const struct owner_provider *provider)
{
	window_provider = provider;
}
