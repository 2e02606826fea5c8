/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine.c -- processors, contexts, locks and owners on the host.
 *
 * The same names as in kernel/arch/ and kernel/core/, answered without a
 * machine.  A CPU is a thread of the host; its interrupt flag, preempt_count,
 * interrupt line and open window are in struct host_cpu.  Interrupts do not
 * come by themselves: a test enters and leaves them.
 *
 *	thread main --enter_irq()--> line A --enter_irq()--> line B
 *	            <--leave_irq()--        <--leave_irq()--
 *
 * Each arrow to the right saves what it found and closes the window of the
 * interrupted context; each arrow to the left checks that the handler left
 * everything as it found it and puts it back, last in, first out.  Soft work
 * changes preempt_count and nothing else: it runs as the thread that it
 * interrupted.
 *
 * Locks are real (other threads of the host may contend) and watched: every
 * pair "B taken while A is held" is noted by name, and the opposite order is a
 * panic even if nobody ever deadlocks.
 */
#include "tests/host/machine.h"

#include <sched.h>
#include <stdlib.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/counter.h"
#include "kernel/arch/vmap.h"
#include "kernel/core/clock.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab/slab.h"
#include "mm/task.h"

#define MAX_NODES      8
#define MAX_OWNERS     2048
#define MAX_LOCK_NAMES 16

/* One level of soft work in preempt_count. */
#define SOFTIRQ_ONE    (SOFTIRQ_MASK & -SOFTIRQ_MASK)

/* The objects that machine_start() creates. */
static struct {
	unsigned long number; /* of the machine; 0: none yet */
	unsigned int cpus;
	struct thread main;
	struct mm_task main_task;
	struct mm_task task[MAX_OWNERS]; /* of begun threads, by number */
	struct node *node[MAX_NODES];
	unsigned int nodes;
	unsigned int preempt_count[MAX_CPUS]; /* as others see it */
	struct pcp_cpu *page_lists[MAX_CPUS];
	struct node *exclusive; /* the node with the pool */
	struct vmalloc_space vmalloc;
	const struct owner_provider *provider;
	uint64_t owners;                 /* numbers given out */
	struct owner *begun[MAX_OWNERS]; /* by number */
	char owner_name[MAX_OWNERS][OWNER_NAME_SIZE];
	void (*unlock_hook)(const struct spinlock *lock);
	unsigned long sleep_violations;
	const char *lock_name[MAX_LOCK_NAMES];
	bool taken_under[MAX_LOCK_NAMES][MAX_LOCK_NAMES];
} machine;

static _Thread_local struct host_cpu cpu_of_thread;
static _Thread_local struct thread idle_thread;
static _Thread_local struct mm_task idle_task;

/* ---- CPUs ---------------------------------------------------------------- */

struct host_cpu *host_cpu(void)
{
	struct host_cpu *cpu = &cpu_of_thread;
	sigjmp_buf *recover = cpu->recover;
	unsigned int id;

	if (cpu->machine == machine.number + 1)
		return cpu;
	idle_thread.mm = &idle_task;
	id = __atomic_fetch_add(&machine.cpus, 1, __ATOMIC_RELAXED);
	*cpu = (struct host_cpu){
		.machine = machine.number + 1,
		.id = id,
		.irq_enabled = true,
		.recover = recover,
		.thread = id == 0 ? &machine.main : &idle_thread,
	};
	if (id >= MAX_CPUS)
		panic("more than %d threads of the host are CPUs", MAX_CPUS);
	return cpu;
}

unsigned int arch_cpu_id(void)
{
	return host_cpu()->id;
}

unsigned long *arch_counter_way(unsigned long *rows)
{
	return rows;
}

void arch_counter_add(unsigned long *way, unsigned long amount)
{
	__atomic_fetch_add(way + arch_cpu_id() * COUNTER_ROW, amount,
	                   __ATOMIC_RELAXED);
}

void machine_be_cpu(unsigned int id)
{
	struct host_cpu *cpu = host_cpu();

	if (id >= MAX_CPUS || cpu->held > 0 || !cpu->irq_enabled)
		panic("CPU %u cannot go on here", id);
	cpu->id = id;
}

bool arch_irq_enabled(void)
{
	return host_cpu()->irq_enabled;
}

void arch_irq_disable(void)
{
	host_cpu()->irq_enabled = false;
}

void arch_irq_enable(void)
{
	struct host_cpu *cpu = host_cpu();

	if (cpu->held > 0)
		panic("interrupts enabled while lock %s is held",
		      cpu->lock[cpu->held - 1]->name);
	if (in_nmi())
		panic("interrupts enabled in an NMI");
	cpu->irq_enabled = true;
}

bool arch_irq_save(void)
{
	bool enabled = host_cpu()->irq_enabled;

	arch_irq_disable();
	return enabled;
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		arch_irq_enable();
	else
		arch_irq_disable();
}

void arch_wait_for_interrupt(void)
{
	panic("the machine waits for an interrupt, and none will come");
}

void arch_relax(void)
{
	sched_yield();
}

void arch_clear_page(void *address)
{
	memset(address, 0, PAGE_SIZE);
}

uint64_t arch_cycles(void)
{
	return host_now() * clock_cycles_per_microsecond();
}

__noreturn void arch_halt_forever(void)
{
	panic("the CPU was halted");
}

/* ---- Time ---------------------------------------------------------------- */

uint64_t clock_microseconds(void)
{
	return host_now();
}

uint64_t clock_cycles_per_microsecond(void)
{
	return 1000;
}

/* ---- Contexts ------------------------------------------------------------ */

unsigned int preempt_count(void)
{
	return host_cpu()->preempt_count;
}

/* Is the depth in each field one that can be? */
static void check_preempt_count(unsigned int count)
{
	if ((count & ~(PREEMPT_MASK | SOFTIRQ_MASK | HARDIRQ_MASK | NMI_MASK |
	               LISTS_ONE)) != 0 ||
	    (count & PREEMPT_MASK) > 64)
		panic("unknown context: preempt_count %#x", count);
}

bool cpu_has_preempt_count(unsigned int id, unsigned int bits)
{
	return (__atomic_load_n(&machine.preempt_count[id], __ATOMIC_RELAXED) &
	        bits) != 0;
}

struct pcp_cpu *this_cpu_lists(void)
{
	return __atomic_load_n(&machine.page_lists[host_cpu()->id],
	                       __ATOMIC_ACQUIRE);
}

void cpu_set_lists(unsigned int id, struct pcp_cpu *lists)
{
	__atomic_store_n(&machine.page_lists[id], lists, __ATOMIC_RELEASE);
}

static void set_preempt_count(struct host_cpu *cpu, unsigned int count)
{
	cpu->preempt_count = count;
	__atomic_store_n(&machine.preempt_count[cpu->id], count,
	                 __ATOMIC_RELAXED);
}

void preempt_count_add(unsigned int amount)
{
	struct host_cpu *cpu = host_cpu();

	set_preempt_count(cpu, cpu->preempt_count + amount);
	check_preempt_count(cpu->preempt_count);
}

void preempt_count_sub(unsigned int amount)
{
	struct host_cpu *cpu = host_cpu();

	if (cpu->preempt_count < amount)
		panic("unknown context: preempt_count %#x less %#x",
		      cpu->preempt_count, amount);
	set_preempt_count(cpu, cpu->preempt_count - amount);
	check_preempt_count(cpu->preempt_count);
}

bool preempt_count_has(unsigned int bits)
{
	return (preempt_count() & bits) != 0;
}

void preempt_count_end(unsigned int amount)
{
	preempt_count_sub(amount);
}

bool may_sleep_here(void)
{
	const struct host_cpu *cpu = host_cpu();

	return cpu->thread != NULL && cpu->preempt_count == 0 &&
	       cpu->irq_enabled;
}

bool might_sleep_at(const char *function, uintptr_t caller)
{
	if (may_sleep_here())
		return true;
	machine.sleep_violations++;
	panic("%s, called at %#lx, may sleep, but %s cannot", function,
	      (unsigned long)caller, context_name());
}

unsigned long might_sleep_violations(void)
{
	return machine.sleep_violations;
}

const char *context_name(void)
{
	static _Thread_local char name[OWNER_NAME_SIZE + 16];
	const struct host_cpu *cpu = host_cpu();

	if (in_nmi())
		return "nmi";
	if (in_hardirq())
		return cpu->irq_owner != NULL ? cpu->irq_owner->name
		                              : "irq of nobody";
	if (in_interrupt())
		return "interrupt";
	scnprintf(name, sizeof(name), "thread %s", cpu->thread->owner.name);
	return name;
}

static void interrupt(bool nmi, struct owner *line)
{
	struct host_cpu *cpu = host_cpu();

	if (cpu->depth == MAX_NESTING)
		panic("more than %d interrupts are nested", MAX_NESTING);
	cpu->interrupted[cpu->depth++] = (struct interrupted){
		.nmi = nmi,
		.irq_enabled = cpu->irq_enabled,
		.preempt_count = cpu->preempt_count,
		.held = cpu->held,
		.window = cpu->window,
		.irq_owner = cpu->irq_owner,
	};
	cpu->irq_enabled = false;
	preempt_count_add(nmi ? NMI_ONE : HARDIRQ_ONE);
	cpu->irq_owner = line;
	host_switch_window(line != NULL && line->alive ? line->window.id : 0);
}

static void return_from(bool nmi)
{
	struct host_cpu *cpu = host_cpu();
	const struct interrupted *before;
	unsigned int one = nmi ? NMI_ONE : HARDIRQ_ONE;

	if (cpu->depth == 0 || cpu->interrupted[cpu->depth - 1].nmi != nmi)
		panic("return from an %s that is not the innermost context",
		      nmi ? "NMI" : "interrupt");
	before = &cpu->interrupted[--cpu->depth];
	if (cpu->preempt_count != before->preempt_count + one)
		panic("%s returns with preempt_count %#x, entered with %#x",
		      context_name(), cpu->preempt_count,
		      before->preempt_count + one);
	if (cpu->held != before->held)
		panic("%s returns with a lock", context_name());
	cpu->irq_enabled = before->irq_enabled;
	set_preempt_count(cpu, before->preempt_count);
	cpu->irq_owner = before->irq_owner;
	host_switch_window(before->window);
}

void machine_enter_irq(struct owner *line)
{
	if (!arch_irq_enabled())
		panic("an interrupt arrives while interrupts are off");
	interrupt(false, line);
}

void machine_leave_irq(void)
{
	return_from(false);
}

void machine_enter_nmi(void)
{
	interrupt(true, NULL);
}

void machine_leave_nmi(void)
{
	return_from(true);
}

void machine_enter_softirq(void)
{
	preempt_count_add(SOFTIRQ_ONE);
}

void machine_leave_softirq(void)
{
	if ((preempt_count() & SOFTIRQ_MASK) == 0)
		panic("soft work ends that has not begun");
	preempt_count_sub(SOFTIRQ_ONE);
}

void machine_set_memalloc(bool memalloc)
{
	struct thread *thread = host_cpu()->thread;

	if (memalloc)
		thread_set_flags(thread, THREAD_MEMALLOC);
	else
		thread_clear_flags(thread, THREAD_MEMALLOC);
}

/* ---- Locks --------------------------------------------------------------- */

static unsigned int lock_name_number(const char *name)
{
	for (unsigned int i = 0; i < MAX_LOCK_NAMES; i++) {
		if (machine.lock_name[i] == NULL)
			machine.lock_name[i] = name;
		if (strcmp(machine.lock_name[i], name) == 0)
			return i;
	}
	panic("more than %d kinds of locks", MAX_LOCK_NAMES);
}

/* Note what LOCK is taken under, and refuse the opposite order. */
static void note_order(const struct host_cpu *cpu, const struct spinlock *lock)
{
	unsigned int inner = lock_name_number(lock->name);

	for (unsigned int i = 0; i < cpu->held; i++) {
		unsigned int outer = lock_name_number(cpu->lock[i]->name);

		if (outer == inner || machine.taken_under[outer][inner])
			panic("lock order: %s taken under %s, and the other "
			      "way round elsewhere",
			      lock->name, cpu->lock[i]->name);
		machine.taken_under[inner][outer] = true;
	}
}

static bool try_to_hold(struct spinlock *lock, unsigned int me)
{
	uint32_t nobody = 0;

	return __atomic_compare_exchange_n(&lock->held, &nobody, me, false,
	                                   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void begin_holding(struct host_cpu *cpu, const struct spinlock *lock)
{
	if (cpu->held == MAX_HELD)
		panic("more than %d locks are held", MAX_HELD);
	cpu->lock[cpu->held++] = lock;
	preempt_disable();
}

bool spin_lock_irqsave(struct spinlock *lock)
{
	struct host_cpu *cpu = host_cpu();
	bool enabled = arch_irq_save();

	if (lock->name == NULL)
		panic("a lock without a name: not initialised");
	if (in_nmi())
		panic("lock %s taken in an NMI", lock->name);
	if (lock->held == cpu->id + 1)
		panic("deadlock: lock %s taken twice", lock->name);
	note_order(cpu, lock);
	while (!try_to_hold(lock, cpu->id + 1))
		arch_relax();
	begin_holding(cpu, lock);
	return enabled;
}

bool spin_trylock_irqsave(struct spinlock *lock, bool *enabled)
{
	struct host_cpu *cpu = host_cpu();

	*enabled = arch_irq_save();
	if (try_to_hold(lock, cpu->id + 1)) {
		begin_holding(cpu, lock);
		return true;
	}
	arch_irq_restore(*enabled);
	return false;
}

/* Its own use of locks calls no hook. */
static void run_unlock_hook(const struct spinlock *lock)
{
	void (*hook)(const struct spinlock *lock) = machine.unlock_hook;

	machine.unlock_hook = NULL;
	hook(lock);
	machine.unlock_hook = hook;
}

void machine_set_unlock_hook(void (*hook)(const struct spinlock *lock))
{
	machine.unlock_hook = hook;
}

void spin_unlock_irqrestore(struct spinlock *lock, bool enabled)
{
	struct host_cpu *cpu = host_cpu();

	if (lock->held != cpu->id + 1)
		panic("lock %s given back by a CPU that does not hold it",
		      lock->name);
	if (cpu->held == 0 || cpu->lock[cpu->held - 1] != lock)
		panic("lock %s given back before one that was taken later",
		      lock->name);
	cpu->held--;
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	preempt_enable();
	arch_irq_restore(enabled);
	if (machine.unlock_hook != NULL && cpu->held == 0)
		run_unlock_hook(lock);
}

/* ---- Owners and threads -------------------------------------------------- */

void owner_register_provider(const struct owner_provider *provider)
{
	machine.provider = provider;
}

int owner_begin(struct owner *owner, enum owner_kind kind, const char *name)
{
	int error;

	if (machine.provider == NULL)
		return -ENODEV;
	if (machine.owners + 1 == MAX_OWNERS)
		panic("more than %d owners in one test", MAX_OWNERS);
	*owner = (struct owner){ .kind = kind, .id = machine.owners + 1 };
	scnprintf(owner->name, sizeof(owner->name), "%s", name);
	error = machine.provider->begin(owner);
	if (error == -EAGAIN) {
		machine.owners++;
		return owner_begin(owner, kind, name);
	}
	if (error != 0)
		return error;
	machine.owners++;
	memcpy(machine.owner_name[owner->id], owner->name, OWNER_NAME_SIZE);
	machine.begun[owner->id] = owner;
	return 0;
}

void owner_end(struct owner *owner)
{
	if (!owner->alive || machine.begun[owner->id] != owner)
		panic("the end of owner %s, who is not alive", owner->name);
	machine.begun[owner->id] = NULL;
	machine.provider->end(owner);
}

uint64_t current_owner_id(void)
{
	const struct owner *owner = current_owner();

	return owner == NULL ? 0 : owner->id;
}

struct owner *current_owner(void)
{
	const struct host_cpu *cpu = host_cpu();

	if (in_nmi())
		return NULL;
	if (in_hardirq())
		return cpu->irq_owner;
	return &cpu->thread->owner;
}

const char *owner_name(uint64_t id)
{
	if (id == 0 || id > machine.owners || machine.owners - id >= 256)
		return "?";
	return machine.owner_name[id];
}

struct thread *current_thread(void)
{
	return host_cpu()->thread;
}

struct thread *machine_main(void)
{
	return &machine.main;
}

void machine_begin_thread(struct thread *thread, const char *name)
{
	int error;

	*thread = (struct thread){ .state = THREAD_RUNNABLE };
	error = owner_begin(&thread->owner, OWNER_THREAD, name);
	if (error != 0)
		panic("thread %s cannot begin: %d", name, error);
	thread->mm = &machine.task[thread->owner.id];
}

void machine_end_thread(struct thread *thread)
{
	if (thread == current_thread())
		panic("thread %s ends while it runs", thread->owner.name);
	if (thread->held.count != 0)
		panic("thread %s ends and holds %u things", thread->owner.name,
		      thread->held.count);
	owner_end(&thread->owner);
	thread->state = THREAD_ENDED;
}

void machine_switch_to(struct thread *thread)
{
	struct host_cpu *cpu = host_cpu();

	if (!may_sleep_here())
		panic("a switch to thread %s in %s", thread->owner.name,
		      context_name());
	cpu->thread = thread;
	host_switch_window(thread->owner.alive ? thread->owner.window.id : 0);
}

void machine_begin_line(struct owner *line, const char *name)
{
	int error = owner_begin(line, OWNER_IRQ, name);

	if (error != 0)
		panic("line %s cannot begin: %d", name, error);
}

void machine_end_line(struct owner *line)
{
	owner_end(line);
}

/* ---- Start and stop ------------------------------------------------------ */

static void free_nodes(void)
{
	for (unsigned int i = 0; i < machine.nodes; i++) {
		free(machine.node[i]->pages);
		free(machine.node[i]->zone[ZONE_DMA].blocks);
		free(machine.node[i]->stat.row);
		free(machine.node[i]);
	}
	machine.nodes = 0;
}

void machine_stop(void)
{
	unsigned long number = machine.number;

	free_nodes();
	host_memory_stop();
	memset(&machine, 0, sizeof(machine));
	machine.number = number;
}

void machine_start(unsigned long frames)
{
	machine_stop();
	machine.number++;
	machine.main.mm = &machine.main_task;
	scnprintf(machine.main.owner.name, OWNER_NAME_SIZE, "main");
	host_cpu();
	host_log_start();
	host_wait_start();
	host_memory_start(frames);
	set_main_node(NULL);
	set_main_vmalloc(NULL);
}

/* ---- Nodes --------------------------------------------------------------- */

static void check_room(unsigned long first, unsigned long pages)
{
	if (first + pages > host_frames())
		panic("a node of frames %lu..%lu in a machine of %lu", first,
		      first + pages - 1, host_frames());
	if (machine.nodes == MAX_NODES)
		panic("more than %d nodes", MAX_NODES);
}

struct node *machine_zones(unsigned long first,
                           const unsigned long pages[ZONE_COUNT])
{
	unsigned long total = pages[0] + pages[1] + pages[2] + pages[3];
	struct node *node = calloc(1, sizeof(*node));
	struct page *page = calloc(total, sizeof(*page));
	struct pageblock *blocks =
		calloc(NODE_PAGEBLOCKS(total), sizeof(*blocks));
	unsigned long pfn = first;

	check_room(first, total);
	if (node == NULL || page == NULL || blocks == NULL)
		panic("the host has no memory for a node");
	node_init(node, page, blocks, first, total);
	vmstat_start(&node->stat, calloc(MAX_CPUS, sizeof(struct vmstat_row)),
	             MAX_CPUS);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		zone_init(zone, (enum zone_type)type, page + (pfn - first),
		          node_blocks_of(blocks, first, (enum zone_type)type,
		                         pfn),
		          pfn, pages[type]);
		zone->node = node;
		if (pages[type] > 0) {
			zone_add_present(zone, pfn, pfn + pages[type]);
			zone_release(zone, pfn, pfn + pages[type]);
		}
		pfn += pages[type];
	}
	machine.node[machine.nodes++] = node;
	if (machine.nodes == 1)
		set_main_node(node);
	return node;
}

struct node *machine_one_zone(enum zone_type type, unsigned long pages)
{
	unsigned long each[ZONE_COUNT] = { 0 };

	each[type] = pages;
	return machine_zones(0, each);
}

void machine_set_marks(struct zone *zone, unsigned long lowest,
                       unsigned long low, unsigned long high)
{
	zone->watermark[WMARK_MIN] = lowest;
	zone->watermark[WMARK_LOW] = low;
	zone->watermark[WMARK_HIGH] = high;
	zone->watermark[WMARK_PROMO] = high + (high - low);
	zone->watermark_boost = 0;
	zone->node->watermark_boost_factor = 0;
}

void machine_set_lowmem_reserve(struct zone *zone, enum zone_type highest,
                                unsigned long pages)
{
	zone->lowmem_reserve[highest] = pages;
}

void machine_set_kswapd_hook(struct node *node,
                             void (*hook)(struct node *node, unsigned int order,
                                          enum zone_type highest,
                                          bool may_sleep))
{
	node->wake_kswapd = hook;
}

void machine_set_refiller_hook(struct node *node, void (*hook)(void))
{
	node->pool.wake = hook;
}

void machine_start_exclusive(struct node *node, unsigned long tables)
{
	uintptr_t table = direct_map_base + host_frames() * PAGE_SIZE;
	void (*refiller_hook)(void) = node->pool.wake;
	int error;

	if (tables > MACHINE_TABLES)
		panic("more than %lu tables", MACHINE_TABLES);
	set_main_node(node);
	exclusive_pool_init(node, tables > 0 ? (void *)table : NULL, tables);
	machine_set_refiller_hook(node, refiller_hook);
	exclusive_start(node);
	machine.exclusive = node;
	error = owner_begin(&machine.main.owner, OWNER_THREAD, "main");
	if (error != 0)
		panic("thread main gets no window: %d", error);
	machine_switch_to(&machine.main);
}

struct vmalloc_space *machine_start_vmalloc(struct node *node)
{
	if (!slab_start(node, 1, 0x9e3779b97f4a7c15))
		panic("the slab allocator does not start");
	vmalloc_space_init(&machine.vmalloc, node, vmap_base,
	                   vmap_base + vmap_size, 1);
	set_main_vmalloc(&machine.vmalloc);
	return &machine.vmalloc;
}

/* ---- The end of a test --------------------------------------------------- */

static const char *check_contexts(char *buffer, size_t size)
{
	const struct host_cpu *cpu = host_cpu();
	char held[160];

	if (cpu->held > 0)
		scnprintf(buffer, size, "lock %s is still held",
		          cpu->lock[cpu->held - 1]->name);
	else if (cpu->depth > 0)
		scnprintf(buffer, size, "an interrupt or NMI has not returned");
	else if (cpu->preempt_count != 0)
		scnprintf(buffer, size, "preempt_count is %#x",
		          cpu->preempt_count);
	else if (!cpu->irq_enabled)
		scnprintf(buffer, size, "interrupts are off");
	else if (cpu->thread != &machine.main || machine.main.flags != 0)
		scnprintf(buffer, size, "thread main does not run as it began");
	else if (machine.main.held.count != 0)
		scnprintf(buffer, size, "thread main holds %s",
		          held_format(held, sizeof(held)));
	else if (machine.main.memory_wait != 0)
		scnprintf(buffer, size, "thread main still waits for memory");
	else if (cpu->expect != NULL)
		scnprintf(buffer, size, "a fault is still expected");
	else
		return NULL;
	return buffer;
}

static void end_owners(void)
{
	host_switch_window(0);
	for (uint64_t id = 1; id <= machine.owners; id++) {
		if (machine.begun[id] != NULL)
			owner_end(machine.begun[id]);
	}
}

/* Pages in use that a node has when nobody uses it: the table of the window that the
 * pool scrubs in, and what further groups of windows took for good. */
static const char *check_node(struct node *node, char *buffer, size_t size)
{
	unsigned long idle =
		node == machine.exclusive ? 1 + node->pool.group_pages : 0;
	struct page_columns columns;
	const char *broken = node_check(node, &columns, false, buffer, size);

	if (broken != NULL)
		return broken;
	if (columns.used == idle && columns.parked == 0 &&
	    columns.exclusive == 0)
		return NULL;
	scnprintf(buffer, size,
	          "leak: %lu pages in use (idle: %lu), %lu parked, %lu "
	          "exclusive",
	          columns.used, idle, columns.parked, columns.exclusive);
	return buffer;
}

static void machine_free_table(void *table)
{
	struct page *page = virt_to_page(table);

	/* For good means until the machine ends. */
	page->flags &= (uint8_t)~PAGE_TABLE;
	__free_page(page);
}

/* Areas that wait for a purge, and page tables, are no leak. */
static const char *machine_end_vmalloc(char *buffer, size_t size)
{
	struct vmalloc_space *space = main_vmalloc();
	const char *broken;

	if (space == NULL)
		return NULL;
	broken = vmalloc_check(space, buffer, size);
	if (broken != NULL)
		return broken;
	vmalloc_work(space);
	vmalloc_purge(space);
	host_visit_vmap_tables(machine_free_table);
	if (space->areas == 0 && space->pages == 0 && slab_stop(space->node))
		return NULL;
	scnprintf(buffer, size,
	          "leak: %lu areas, %lu pages of vmalloc(), or memory of "
	          "kmalloc()",
	          space->areas, space->pages);
	return buffer;
}

/* Each CPU has parked frames at hand. */
static void shrink_on_each_cpu(struct node *node)
{
	unsigned int before = arch_cpu_id();

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		machine_be_cpu(cpu);
		exclusive_shrink(node, 0);
	}
	machine_be_cpu(before);
}

const char *machine_finish(void)
{
	static char sentence[200];
	const char *broken = check_contexts(sentence, sizeof(sentence));

	if (broken != NULL)
		return broken;
	broken = machine_end_vmalloc(sentence, sizeof(sentence));
	if (broken != NULL)
		return broken;
	if (machine.exclusive != NULL) {
		end_owners();
		machine.exclusive->pool.busy = false;
		shrink_on_each_cpu(machine.exclusive);
	}
	for (unsigned int i = 0; i < machine.nodes; i++) {
		broken =
			check_node(machine.node[i], sentence, sizeof(sentence));
		if (broken != NULL)
			return broken;
	}
	return NULL;
}
