/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc.h -- memory in one piece of addresses, out of single pages.
 *
 * A large block of the buddy allocator needs neighbouring frames, which are rare on a
 * machine that has run for a while.  vmalloc() takes single pages and maps them one
 * behind the other, in a separate region of addresses (kernel/arch/vmap.h):
 *
 *	| page | page | page | guard |  page | guard |
 *	  \      \      \      never    area of one page
 *	   frames from anywhere  mapped
 *
 *	vmalloc.c		the calls: taking and freeing, mapping pages of others
 *	vmalloc_area.c		addresses: taken, given back later, purged
 *	vmalloc_map.c		page tables
 *	vmalloc_report.c	refusals, failures, faults, vmallocinfo
 *	vmalloc_check.c		the invariants, checked
 *
 * Names and rules are Linux's (mm/vmalloc.c).  Memory of vmalloc() has no address in
 * the direct map that virt_to_page() would find from this one, costs a page table and
 * TLB entries, and is for threads only; kvmalloc() tries kmalloc() first.
 *
 * Contexts: threads that may sleep, unless a line says otherwise.  Elsewhere a request
 * is refused and reported.  In an NMI it gets NULL and is counted.
 */
#ifndef MM_SLAB_VMALLOC_H
#define MM_SLAB_VMALLOC_H

#include "kernel/core/lock.h"
#include "kernel/core/mutex.h"
#include "kernel/core/printk.h"
#include "lib/list.h"
#include "lib/range.h"
#include "mm/gfp.h"

struct node;
struct page;

/*
 * SIZE bytes, rounded up to pages, or NULL; vzalloc() of zeroes.  GFP is for the pages;
 * page tables are always asked for with GFP_KERNEL (and RETRY_MAYFAIL, if GFP has
 * that), and what GFP lacks of FS and IO is a scope around that.  With NOFAIL it is never NULL: addresses and tables are
 * asked for again each tick.  COMP and EXCLUSIVE are refused.  SIZE 0 is reported and
 * gets NULL, and so does more than all memory.  A failure frees all that was taken,
 * and is reported unless GFP has NOWARN or the thread has been killed.
 */
__must_check void *vmalloc(size_t size);
__must_check void *vzalloc(size_t size);
__must_check void *__vmalloc(size_t size, gfp_t gfp);

/*
 * Free what vmalloc() returned, or vmap() with VM_MAP_PUT_PAGES; NULL is allowed.  The
 * pages are free when it returns, the addresses at the next purge: until then the TLB
 * may know them.  In an interrupt a thread does all of it later.  An address that is
 * not the start of such an area is refused and reported, and nothing changes.  In an
 * NMI: a panic.
 */
void vfree(const void *address);

/* The same where the caller cannot sleep: always later.  Any context but NMI. */
void vfree_atomic(const void *address);

/*
 * SIZE bytes with the contents of ADDRESS (NULL: none), which is freed unless it is
 * returned: an area that is large enough stays, and with __GFP_ZERO what is behind
 * SIZE is cleared.  NULL: no memory, and ADDRESS is as before.  SIZE 0: vfree().
 */
__must_check void *vrealloc(const void *address, size_t size, gfp_t gfp);

enum vmap_flags {
	VM_MAP = 1 << 0,
	VM_MAP_PUT_PAGES = 1 << 1, /* vfree() frees the pages and PAGES, too */
};

/* Neither is executable. */
enum vmap_protection {
	PAGE_KERNEL,
	PAGE_KERNEL_RO,
};

/*
 * Map COUNT pages one behind the other.  Each mapping holds its own reference.
 * NULL: no memory, or a page that may not be mapped (exclusive, or not allocated):
 * that is reported, and nothing has changed.  With VM_MAP_PUT_PAGES the pages and the
 * array, which kvfree() can free, belong to the area.
 */
__must_check void *vmap(struct page **pages, unsigned int count,
                        unsigned int flags, enum vmap_protection protection);

/* Undo vmap(): the same refusals as vfree().  Thread context. */
void vunmap(const void *address);

/* The page or frame at ADDRESS in an area; NULL and -1UL: nothing is mapped there.
 * Any context. */
struct page *vmalloc_to_page(const void *address);
unsigned long vmalloc_to_pfn(const void *address);

/* Is ADDRESS in the region, mapped or not?  Any context. */
bool is_vmalloc_addr(const void *address);

/* ---- The space ----------------------------------------------------------- */

/* Field locks: (v) lock, (a) atomic, (c) constant. */
struct vmalloc_space {
	struct node *node; /* (c) whose pages these are */
	struct spinlock lock;
	struct range_tree ranges; /* (v) of all areas */
	struct list lazy;         /* (v) freed, and not purged */
	struct list deferred;     /* (v) to be freed by the worker */
	unsigned long areas;      /* (v) in the tree */
	unsigned long lazy_pages; /* (v) of areas freed and in the tree */
	unsigned long changes;    /* (v) of any area's state */
	unsigned long lazy_max;   /* (c) more is purged */
	unsigned long pages;      /* (a) that vmalloc() has */
	unsigned long tables;     /* (v) page tables made */
	unsigned long purges;     /* (a) that found something */
	struct mutex purge_mutex;
	struct ratelimit failure_limit; /* reports: 1 in 10 s */
	void (*wake)(void); /* there is work for vmalloc_work(); or NULL */
};

/*
 * An empty space of the addresses START..END of the region, with pages of NODE, on a
 * machine of CPUS processors.  The main space is that of the functions with Linux's
 * signatures.
 */
void vmalloc_space_init(struct vmalloc_space *space, struct node *node,
                        uintptr_t start, uintptr_t end, unsigned int cpus);
struct vmalloc_space *main_vmalloc(void);
void set_main_vmalloc(struct vmalloc_space *space);

/* Does a thread have to call vmalloc_work(), which frees what was freed in interrupts,
 * and purges if too much is lazy?  space->wake() is called when that becomes true. */
bool vmalloc_has_work(const struct vmalloc_space *space);
void vmalloc_work(struct vmalloc_space *space);

/* Flush, once, and make the addresses of all areas freed so far free.  How many areas
 * these were. */
unsigned long vmalloc_purge(struct vmalloc_space *space);

/* ---- Reports ------------------------------------------------------------- */

/* An area, for vmallocinfo. */
struct vmalloc_info {
	uintptr_t start;
	uintptr_t end; /* guard page included */
	uintptr_t caller;
	uint64_t taker;
	unsigned long pages; /* that it frees */
	const char *kind;    /* "vmalloc", "vmap", "lazy" ... */
};

/* The first area that ends above *AT; *AT moves behind it.  False: there is none.  Any
 * context but NMI. */
__must_check bool vmalloc_next(struct vmalloc_space *space, uintptr_t *at,
                               struct vmalloc_info *info);

/*
 * The first address from *AT on where an area maps one of COUNT frames from PFN on, and the area:
 * *AT is that address.  False: there is none.  A guess, if areas come and go.  Any context
 * but NMI.
 */
__must_check bool vmalloc_find_mapping(struct vmalloc_space *space,
                                       unsigned long pfn, unsigned long count,
                                       uintptr_t *at,
                                       struct vmalloc_info *info);

/* NULL, or what is wrong in BUFFER.  Works in slices: sound while others go on. */
const char *vmalloc_check(struct vmalloc_space *space, char *buffer,
                          size_t size);

#endif
