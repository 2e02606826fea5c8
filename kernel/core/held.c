/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/held.c -- what a thread holds, and has to give back.
 *
 * A short list, the last thing taken at its end.  Things are given back in any order,
 * mostly the last first, so it is searched from there.
 *
 * Locking: none.  The list is the running thread's own; an interrupt does not touch
 * it, and an exception only reads.
 */
#include "kernel/core/held.h"

#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/mutex.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/format.h"

#define TEXT_SIZE 256

/* The list of the thread that runs, NULL if it is none that runs now. */
static struct held_list *held_mine(void)
{
	struct thread *self = current_thread();

	return self == NULL || in_interrupt() ? NULL : &self->held;
}

void held_take(enum held_kind kind, const void *what, uintptr_t place)
{
	struct held_list *held = held_mine();

	if (held == NULL)
		return;
	if (held->count == HELD_THINGS) {
		held->more++;
		return;
	}
	held->thing[held->count] = (struct held_thing){
		.what = what,
		.place = (int64_t)(place != 0 ? place : RETURN_ADDRESS()),
		.kind = kind,
	};
	held->count++;
}

void held_drop(enum held_kind kind, const void *what)
{
	struct held_list *held = held_mine();
	unsigned int at;

	if (held == NULL)
		return;
	at = held->count;
	while (at > 0 && (held->thing[at - 1].kind != kind ||
	                  held->thing[at - 1].what != what))
		at--;
	if (at == 0) {
		held->more -= held->more > 0;
		return;
	}
	for (; at < held->count; at++)
		held->thing[at - 1] = held->thing[at];
	held->count--;
}

unsigned int held_total(void)
{
	const struct held_list *held = held_mine();

	return (held == NULL ? 0 : held->count + held->more) +
	       (preempt_count() & PREEMPT_MASK);
}

void held_forget(void)
{
	struct held_list *held = held_mine();

	if (held != NULL)
		held->count = held->more = 0;
}

/* ---- In words ------------------------------------------------------------ */

static const char *held_name(const struct held_thing *thing, char *buffer,
                             size_t size)
{
	static const char *const names[HELD_KINDS] = {
		[HELD_PAGE_LOCK] = "page lock",
		[HELD_PIN] = "pin",
		[HELD_SCOPE] = "scope",
		[HELD_DEVICE] = "device",
		[HELD_BIO] = "bio",
	};

	if (thing->kind != HELD_MUTEX)
		return names[thing->kind];
	scnprintf(buffer, size, "mutex %s",
	          ((const struct mutex *)thing->what)->name);
	return buffer;
}

const char *held_format(char *buffer, size_t size)
{
	const struct held_list *held = held_mine();
	unsigned int locks = preempt_count() & PREEMPT_MASK;
	size_t length = 0;
	char place[PLACE_SIZE];
	char name[40];

	scnprintf(buffer, size, "nothing");
	if (locks > 0)
		length += (size_t)scnprintf(buffer, size, "preempt_count %u",
		                            locks);
	if (held != NULL && held->more > 0)
		length += (size_t)scnprintf(buffer + length, size - length,
		                            "%s%u not listed",
		                            length > 0 ? ", " : "", held->more);
	for (unsigned int i = held == NULL ? 0 : held->count; i-- > 0;) {
		const struct held_thing *thing = &held->thing[i];

		length += (size_t)scnprintf(
			buffer + length, size - length, "%s%s since %s",
			length > 0 ? ", " : "",
			held_name(thing, name, sizeof(name)),
			caller_format(place, sizeof(place),
		                      (uintptr_t)thing->place));
	}
	return buffer;
}

void held_expect(unsigned int count, const char *call)
{
	char text[TEXT_SIZE];

	if (held_total() == count || count >= HELD_THINGS ||
	    panic_in_progress())
		return;
	panic("%s: %s began with %u things held and returns with %u: %s",
	      context_name(), call, count, held_total(),
	      held_format(text, sizeof(text)));
}
