/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/nmi.c -- the interrupt that cannot be masked.
 *
 * Those that ticks bring are kernel/core/nmi_watch.c's.  Nobody else on this machine
 * is known to send one; somebody pressed a button, or memory is failing.  The log says
 * so, the first times and then ever less often.  In a panic it is counted: the last
 * words are others'.
 *
 * A handler and its data are one pointer, so an NMI in the middle of
 * nmi_set_handler() meets the old pair or the new one, never half of each: the
 * new pair is complete, in the half of the array that is not in use, before the
 * pointer is turned to it.
 *
 * Source: Intel SDM vol. 3A, 6.7 "Nonmaskable Interrupt (NMI)".
 */
#include "kernel/core/nmi.h"

#include "kernel/arch/percpu.h"
#include "kernel/arch/trap.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"

struct action {
	nmi_handler handler;
	void *data;
};

static struct action actions[2];
static const struct action *action = &actions[0]; /* atomic */

void nmi_set_handler(nmi_handler handler, void *data)
{
	struct action *next = action == &actions[0] ? &actions[1] : &actions[0];

	*next = (struct action){ handler, data };
	__atomic_store_n(&action, next, __ATOMIC_RELEASE);
}

static void nmi_call_handler(uintptr_t rip)
{
	const struct action *now = __atomic_load_n(&action, __ATOMIC_ACQUIRE);

	if (now->handler != NULL)
		now->handler(rip, now->data);
}

static void nmi(struct trap_frame *frame)
{
	uint64_t count = this_cpu_read(nmi_count) + 1;
	char place[PLACE_SIZE];
	struct owner *owner;

	if (nmi_watch_took(frame))
		return;
	this_cpu_inc(nmi_count);
	if (panic_in_progress())
		return;
	owner = this_cpu_read(owner);
	this_cpu_write(owner, &owner_nobody);
	preempt_count_add(NMI_ONE);
	if ((count & (count - 1)) == 0)
		pr_warn("NMI received at %s (%llu so far)\n",
		        place_format(place, sizeof(place), frame->rip),
		        (unsigned long long)count);
	nmi_call_handler(frame->rip);
	preempt_count_sub(NMI_ONE);
	this_cpu_write(owner, owner);
}

uint64_t nmi_count(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < MAX_CPUS; i++)
		sum += READ_ONCE(cpu_data[i].nmi_count);
	return sum;
}

void nmi_init(void)
{
	trap_set_handler(VECTOR_NMI, nmi);
}
