/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap_io.c -- pages to the device and back.
 *
 * When a write fails, the page is dirty again, so nothing is lost, and the slot
 * is bad: the next write of the page takes another one (mm/user/anon_reclaim.c).
 * When a read fails, the reader gets the error, and the slot keeps its contents.
 *
 * The page is locked or under writeback, so it stays in the cache, and the area
 * stays, because the slot is in use: the device is read without the lock.
 *
 * Locking: swap.lock to mark a slot bad; none while the device works.
 */
#include "kernel/core/panic.h"
#include "mm/page_bits.h"
#include "mm/reclaim/page_lock.h"
#include "mm/swap/swap_internal.h"

int swap_readpage(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_device *device = swap.area[swp_type(entry)].device;
	int error;

	kassert(page_has(page, PG_locked) && page_has(page, PG_swapcache));
	kassert(device != NULL);
	error = device->read(device, swp_offset(entry), page);
	if (error == 0)
		vmstat_add(&swap.node->stat, VMSTAT_pswpin, 1);
	else if (ratelimit_pass(&swap.said))
		pr_err("Read-error on swap-device (%s:%lu): error %d\n",
		       device->name, swp_offset(entry), -error);
	return error;
}

int swap_writepage(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_device *device = swap.area[swp_type(entry)].device;

	kassert(page_has(page, PG_writeback) && page_has(page, PG_swapcache));
	kassert(device != NULL && !swap_slot_is_bad(entry));
	return device->write(device, swp_offset(entry), page);
}

static void swap_write_has_failed(struct page *page, int error)
{
	swp_entry_t entry = page_swap_entry(page);
	bool enabled = swap_lock();
	struct swap_area *area = swap_area_of(entry);

	kassert(area != NULL && page_has(page, PG_swapcache));
	swap_make_bad(area, swp_offset(entry));
	spin_unlock_irqrestore(&swap.lock, enabled);
	page_set(page, PG_error);
	set_page_dirty(page);
	if (!ratelimit_pass(&swap.said))
		return;
	pr_err("Write-error on swap-device (%s:%lu): error %d; the page stays "
	       "in memory\n",
	       area->device->name, swp_offset(entry), -error);
}

void swap_write_end(struct page *page, int error)
{
	kassert(error <= 0 && page_has(page, PG_writeback));
	if (error == 0)
		vmstat_add(&swap.node->stat, VMSTAT_pswpout, 1);
	else
		swap_write_has_failed(page, error);
	end_page_writeback(page);
}
