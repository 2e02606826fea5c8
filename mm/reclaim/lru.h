/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/lru.h -- used pages that can be reclaimed, in the order of their last use.
 *
 * Five lists in each zone: active and inactive, of anonymous pages and of pages
 * of files, and the unevictable ones.  A page is on at most one.  All functions
 * take the lru's lock of the page's zone; any context but NMI.
 */
#ifndef MM_RECLAIM_LRU_H
#define MM_RECLAIM_LRU_H

#include "mm/node.h"

/* PAGE, a single page in use with a reference that lasts until lru_remove(),
 * becomes the newest of its kind: anonymous with PG_swapbacked, of a file
 * otherwise; on the active list with PG_active, on the unevictable one with
 * PG_unevictable.  It is on no list. */
void lru_add(struct node *node, struct page *page);

/* The owner takes PAGE back: it is on no list afterwards, nor will be, even if
 * reclaim looks at it now.  PG_active and PG_unevictable are cleared.  A page
 * that is on no list stays as it is. */
void lru_remove(struct node *node, struct page *page);

/* Never reclaim PAGE, or as any other from now on. */
void lru_set_unevictable(struct node *node, struct page *page,
                         bool unevictable);

/*
 * PAGE, of the main node, was used.  The first time sets PG_referenced, the
 * second moves it to the active list:
 *
 *	inactive  ->  inactive, referenced  ->  active  ->  active, referenced
 */
void mark_page_accessed(struct page *page);

/* "inactive_anon" ... "unevictable" */
const char *lru_list_name(enum lru_list list);

/* Do lists, bits and counts agree?  NULL or a sentence in BUFFER.  Looks at each
 * page of the node, zone by zone, under the lock for a slice at a time; others
 * go on meanwhile.  The findings on bits and counts are right for the moment at
 * which the last slice of a zone ends; lists that do not stand still are not
 * walked from end to end (mm/debug/check.h).  Any context but NMI. */
const char *lru_check(struct node *node, char *buffer, size_t size);

/* ---- For mm/ itself ------------------------------------------------------ */

/* Take at most NR pages from the back of LIST, each with one more reference and
 * PG_isolated, and append them to PAGES by page->link.  How many it was.  The lock
 * is held for a few pages at a time, however many NR is. */
unsigned long lru_isolate(struct zone *zone, enum lru_list list,
                          unsigned long nr, struct list *pages);

/* Take PAGE, of ZONE, off its list, with one more reference and PG_isolated, whatever
 * its place there.  False: it is on none, or has too many references.  Linux:
 * folio_isolate_lru(). */
bool lru_isolate_page(struct zone *zone, struct page *page);

/* Reclaim, which isolated PAGE from a list of KIND and has unlinked it, is done
 * with it: it goes to the front of the list that its bits name, unless its owner
 * has taken it back meanwhile, or KEEP is false: then it has no owner any more.
 * The reference remains to be dropped. */
void lru_putback(struct zone *zone, struct page *page, enum lru_kind kind,
                 bool keep);

/* Set or clear PG_dirty or PG_writeback of PAGE, and count it in the same
 * step, so that a check never sees the one without the other.  Returns what the bit
 * was.  PG_swapbacked does not change while PG_dirty is set. */
bool lru_change_bit(struct node *node, struct page *page, enum page_bit bit,
                    bool set);

/* PAGE belongs on the active list (now, or when it is put back). */
void lru_activate(struct node *node, struct page *page);

/* PAGE is written: to the back of its inactive list, to be the next to go. */
void lru_rotate(struct node *node, struct page *page);

#endif
