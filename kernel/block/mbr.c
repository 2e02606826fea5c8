/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/mbr.c -- each entry is accepted, or refused with a reason.
 *
 * What is accepted keeps these promises, whatever the sector holds:
 *
 *  M1  first >= 1 and sectors >= 1
 *  M2  first + sectors <= the disk's sectors, without overflow
 *  M3  no two accepted partitions have a sector in common
 */
#include "kernel/block/mbr.h"

#define TABLE      446
#define ENTRY_SIZE 16
#define SIGNATURE  510

#define TYPE_EMPTY 0x00
#define TYPE_GPT   0xee

#define BOOTABLE   0x80

static uint32_t little_endian_32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static bool mbr_overlaps(const struct mbr_table *table,
                         const struct mbr_partition *entry)
{
	for (unsigned int i = 0; i < table->count; i++) {
		const struct mbr_partition *other = &table->partition[i];

		if (entry->first < other->first + other->sectors &&
		    other->first < entry->first + entry->sectors)
			return true;
	}
	return false;
}

/* NULL, or why not. */
static const char *mbr_judge(const struct mbr_table *table,
                             const struct mbr_partition *entry, uint8_t flag,
                             uint64_t sectors)
{
	if ((flag & ~BOOTABLE) != 0)
		return "its first byte is neither 00 nor 80";
	if (is_extended(entry->type))
		return "an extended partition, which nobody here reads";
	if (entry->sectors == 0)
		return "it has no sectors";
	if (entry->first == 0)
		return "it begins on the partition table";
	if (entry->first >= sectors)
		return "it begins beyond the end of the disk";
	if (entry->sectors > sectors - entry->first)
		return "it ends beyond the end of the disk";
	if (mbr_overlaps(table, entry))
		return "it overlaps one before it";
	return NULL;
}

static void read_entry(const uint8_t *at, unsigned int number, uint64_t sectors,
                       struct mbr_table *table)
{
	struct mbr_partition entry = {
		.number = number,
		.type = at[4],
		.first = little_endian_32(at + 8),
		.sectors = little_endian_32(at + 12),
	};
	const char *why;

	if (entry.type == TYPE_EMPTY)
		return;
	why = mbr_judge(table, &entry, at[0], sectors);
	if (why == NULL)
		table->partition[table->count++] = entry;
	else
		table->refusal[table->refused++] =
			(struct mbr_refusal){ number, why };
}

static bool is_gpt(const uint8_t *sector)
{
	for (unsigned int i = 0; i < MBR_ENTRIES; i++) {
		if (sector[TABLE + i * ENTRY_SIZE + 4] == TYPE_GPT)
			return true;
	}
	return false;
}

void mbr_read(const uint8_t *sector, uint64_t sectors, struct mbr_table *table)
{
	*table = (struct mbr_table){ 0 };
	if (sector[SIGNATURE] != 0x55 || sector[SIGNATURE + 1] != 0xaa) {
		table->fault = "sector 0 does not end in 55 aa";
		return;
	}
	if (is_gpt(sector)) {
		table->fault = "a GPT, which nobody here reads";
		return;
	}
	for (unsigned int i = 0; i < MBR_ENTRIES; i++)
		read_entry(sector + TABLE + (size_t)i * ENTRY_SIZE, i + 1,
		           sectors, table);
}
