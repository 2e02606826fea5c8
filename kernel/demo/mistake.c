/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/mistake.c -- the mistakes that people make in a kernel, on request.
 *
 * Each function makes one, in the statement that is marked.  docs/23-detectors.md says which
 * detector reports it; tests/run/boot_mistakes.py commits each in the plain entry of the menu
 * and in Debug, or in Debug alone where the plain one sees nothing.
 */
#include "kernel/demo/mistake.h"

#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/vmap.h"
#include "kernel/core/console.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/mutex.h"
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/slab/kfence.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/vmalloc.h"

/* 0, which the compiler does not know. */
static volatile uintptr_t nought;

/* A page of the direct map; NULL, with a message. */
static char *mistake_page(void)
{
	char *memory = (char *)__get_free_pages(GFP_KERNEL, 0);

	if (memory == NULL)
		console_printf("mistake: there is no page to make it with\n");
	return memory;
}

/* ---- Freeing ------------------------------------------------------------- */

static void mistake_double_free(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return;
	__free_page(page);
	__free_page(page); /* double-free */
}

static void mistake_wrong_order(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 1);

	if (page == NULL)
		return;
	__free_pages(page, 0); /* wrong-order */
	__free_pages(page, 1);
}

static void mistake_stack_address(void)
{
	char local = 0;

	free_page(ALIGN_DOWN((uintptr_t)&local, PAGE_SIZE)); /* free-stack */
}

static void mistake_null(void)
{
	__free_page((struct page *)nought); /* free-null */
}

static void mistake_middle(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 2);

	if (page == NULL)
		return;
	__free_page(page + 1); /* free-middle */
	__free_pages(page, 2);
}

/* ---- Contexts ------------------------------------------------------------ */

/* Run HANDLER in the next timer interrupt. */
static void mistake_in_handler(void (*handler)(void *done))
{
	struct completion done;

	init_completion(&done);
	pit_set_listener(handler, &done);
	wait_for_completion(&done);
}

static void mistake_end_handler(struct completion *done)
{
	pit_set_listener(NULL, NULL);
	complete(done);
}

static void mistake_kernel_handler(void *done)
{
	struct page *page = alloc_page(GFP_KERNEL); /* alloc-handler */

	if (page != NULL)
		__free_page(page);
	mistake_end_handler(done);
}

static void mistake_alloc_in_handler(void)
{
	mistake_in_handler(mistake_kernel_handler);
}

static void mistake_sleep_handler(void *done)
{
	thread_sleep(1000); /* sleep-handler */
	mistake_end_handler(done);
}

static void mistake_sleep_in_handler(void)
{
	mistake_in_handler(mistake_sleep_handler);
}

static void mistake_mutex_handler(void *done)
{
	static struct mutex mutex;

	mutex_init(&mutex, "mistake_mutex");
	mutex_lock(&mutex); /* mutex-handler */
	mutex_unlock(&mutex);
	mistake_end_handler(done);
}

static void mistake_mutex_in_handler(void)
{
	mistake_in_handler(mistake_mutex_handler);
}

/* ---- Locks --------------------------------------------------------------- */

static struct spinlock mistake_spinlock = SPINLOCK_INIT("mistake_lock");

/* An early return. */
static __noinline bool mistake_forget_unlock(void)
{
	spin_lock(&mistake_spinlock); /* lock-forgotten */
	if (nought == 0)
		return false;
	spin_unlock(&mistake_spinlock);
	return true;
}

static void mistake_lock_forgotten(void)
{
	if (!mistake_forget_unlock())
		thread_sleep(1000);
}

static void mistake_sleep_locked(void)
{
	spin_lock(&mistake_spinlock);
	thread_sleep(1000); /* sleep-locked */
	spin_unlock(&mistake_spinlock);
}

static void mistake_lock_twice(void)
{
	spin_lock(&mistake_spinlock);
	spin_lock(&mistake_spinlock); /* lock-twice */
	spin_unlock(&mistake_spinlock);
}

static void mistake_mutex_twice(void)
{
	static struct mutex mutex;

	mutex_init(&mutex, "mistake_mutex");
	mutex_lock(&mutex);
	mutex_lock(&mutex); /* mutex-twice */
	mutex_unlock(&mutex);
}

static void mistake_preempt_off(void)
{
	preempt_disable();
	while (nought == 0) /* preempt-off */
		;
	preempt_enable();
}

static void mistake_irqs_off(void)
{
	arch_irq_disable();
	while (nought == 0) /* irqs-off */
		;
	arch_irq_enable();
}

/* ---- Memory -------------------------------------------------------------- */

/* NOLINTNEXTLINE(misc-no-recursion) */
static __noinline int mistake_recurse(const volatile int *above)
{
	volatile int local[64];

	local[0] = *above + 1; /* recursion */
	return nought == 0 ? mistake_recurse(local) + local[0] : local[0];
}

static void mistake_recursion(void)
{
	int zero = 0;

	mistake_recurse(&zero);
}

static void mistake_null_pointer(void)
{
	*(volatile int *)nought = 1; /* null-pointer */
}

static void mistake_wild_pointer(void)
{
	*(volatile int *)(nought + 0x0000414141414140) = 1; /* wild-pointer */
}

static void mistake_use_after_free(void)
{
	char *memory = mistake_page();

	if (memory == NULL)
		return;
	free_page((uintptr_t)memory);  /* use-after-free, the free */
	memset(memory + 16, 0x41, 16); /* use-after-free */
	console_printf("mistake: the next owner reads what was written\n");
}

static void mistake_overrun(void)
{
	uintptr_t memory =
		__get_free_pages(GFP_KERNEL, 0); /* overrun, the page */

	if (memory == 0)
		return;
	memset((char *)memory + PAGE_SIZE - 16, 0x41, 32); /* overrun */
	free_page(memory);
}

static void mistake_exclusive(void)
{
	volatile char *memory =
		labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (memory == NULL)
		return;
	exclusive_release((void *)memory);
	*memory = 1; /* exclusive-released */
}

/* An entry behind the area, where its guard is, that nobody counts. */
static void mistake_mapped_page(void)
{
	char *area = vmalloc(PAGE_SIZE);
	struct page *page = alloc_page(GFP_KERNEL);
	uintptr_t behind = (uintptr_t)area + PAGE_SIZE;

	if (area != NULL && page != NULL)
		vmap_set(behind, page_to_pfn(page), true);
	if (page != NULL)
		__free_page(page); /* mapped-page */
}

static void mistake_leak(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		if (alloc_page(GFP_KERNEL) == NULL) /* leak */
			break;
	}
}

/* The page is free again, so that its next taker finds it. */
static void mistake_struct_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return;
	__free_page(page);
	memset(&page->refcount, 0x41, sizeof(page->refcount)); /* struct-page */
}

/* An object: with kfence=MS a sample, for which one would have to wait otherwise. */
static char *mistake_object(void)
{
	kfence_open(main_node());
	return kmalloc(100, GFP_KERNEL); /* object */
}

/* More than are in the quarantine of the Debug entry. */
#define MANY_OBJECTS 300

static void mistake_many_objects(void)
{
	for (unsigned int i = 0; i < MANY_OBJECTS; i++)
		kfree(kmalloc(100, GFP_KERNEL));
}

static void mistake_object_after_free(void)
{
	char *object = mistake_object();

	if (object == NULL)
		return;
	kfree(object);                 /* object-after-free, the free */
	memset(object + 32, 0x41, 16); /* object-after-free */
	mistake_many_objects();
}

static void mistake_stale_pointer(void)
{
	char *object = kmalloc(100, GFP_KERNEL);
	char *other;

	if (object == NULL)
		return;
	kfree(object); /* stale-pointer, the free */
	other = kmalloc(100, GFP_KERNEL);
	memset(object + 32, 0x41, 16); /* stale-pointer */
	kfree(other);
	mistake_many_objects();
}

static void mistake_object_overrun(void)
{
	char *object = mistake_object();

	if (object == NULL)
		return;
	memset(object, 0x41, 132 + nought); /* object-overrun */
	kfree(object);                      /* object-overrun, the free */
}

/* ---- All ----------------------------------------------------------------- */

static const struct mistake mistakes[] = {
	{ "double-free", "a page freed twice", mistake_double_free },
	{ "wrong-order", "two pages freed as one", mistake_wrong_order },
	{ "free-stack", "an address of the stack freed",
	  mistake_stack_address },
	{ "free-null", "NULL freed as a page", mistake_null },
	{ "free-middle", "the middle of a block freed", mistake_middle },
	{ "alloc-handler", "GFP_KERNEL in a handler",
	  mistake_alloc_in_handler },
	{ "lock-forgotten", "an early return with a spinlock",
	  mistake_lock_forgotten },
	{ "sleep-locked", "sleeping with a spinlock", mistake_sleep_locked },
	{ "lock-twice", "a spinlock taken twice", mistake_lock_twice },
	{ "mutex-twice", "a mutex taken twice", mistake_mutex_twice },
	{ "sleep-handler", "sleeping in a handler", mistake_sleep_in_handler },
	{ "mutex-handler", "a free mutex locked in a handler",
	  mistake_mutex_in_handler },
	{ "recursion", "a recursion without end", mistake_recursion },
	{ "null-pointer", "NULL followed", mistake_null_pointer },
	{ "wild-pointer", "a pointer to nowhere", mistake_wild_pointer },
	{ "preempt-off", "preemption off forever", mistake_preempt_off },
	{ "irqs-off", "interrupts off forever", mistake_irqs_off },
	{ "use-after-free", "a write to a page that was freed",
	  mistake_use_after_free },
	{ "overrun", "16 bytes written behind a page", mistake_overrun },
	{ "exclusive-released", "an exclusive page used after its release",
	  mistake_exclusive },
	{ "mapped-page", "a page freed that a page-table entry still maps",
	  mistake_mapped_page },
	{ "leak", "20 pages that are never freed", mistake_leak },
	{ "struct-page", "a struct page overwritten", mistake_struct_page },
	{ "object-after-free", "a write to an object after kfree()",
	  mistake_object_after_free },
	{ "stale-pointer",
	  "a write to an object after kfree() that has a new owner",
	  mistake_stale_pointer },
	{ "object-overrun", "4 bytes written behind an object",
	  mistake_object_overrun },
};

const struct mistake *mistake_at(unsigned int index)
{
	return index < ARRAY_SIZE(mistakes) ? &mistakes[index] : NULL;
}
