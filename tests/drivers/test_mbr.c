/* SPDX-License-Identifier: MIT */
/*
 * tests/drivers/test_mbr.c -- partition tables, friendly and hostile.
 */
#include "kernel/block/mbr.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(mbr);

#define DISK 100000ULL

static uint8_t sector[512];
static struct mbr_table table;

static void test_mbr_begin(void)
{
	memset(sector, 0, sizeof(sector));
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

static void test_mbr_put32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void test_mbr_entry(unsigned int number, uint8_t type, uint32_t first,
                           uint32_t sectors)
{
	uint8_t *at = sector + 446 + 16UL * (number - 1);

	at[4] = type;
	test_mbr_put32(at + 8, first);
	test_mbr_put32(at + 12, sectors);
}

CASE(mbr, four_partitions_are_read)
{
	test_mbr_begin();
	sector[446] = 0x80;
	for (unsigned int i = 1; i <= 4; i++)
		test_mbr_entry(i, (uint8_t)(0x80 + i), i * 10000, 10000);
	mbr_read(sector, DISK, &table);
	EXPECT(table.fault == NULL);
	EXPECT_EQUAL(table.count, 4);
	EXPECT_EQUAL(table.refused, 0);
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQUAL(table.partition[i].number, i + 1);
		EXPECT_EQUAL(table.partition[i].type, 0x81 + i);
		EXPECT_EQUAL(table.partition[i].first, (i + 1) * 10000);
		EXPECT_EQUAL(table.partition[i].sectors, 10000);
	}
	return NULL;
}

CASE(mbr, a_partition_keeps_its_number_behind_an_empty_entry)
{
	test_mbr_begin();
	test_mbr_entry(3, 0x83, 1, 1);
	mbr_read(sector, DISK, &table);
	EXPECT_EQUAL(table.count, 1);
	EXPECT_EQUAL(table.partition[0].number, 3);
	return NULL;
}

CASE(mbr, a_sector_without_signature_is_no_table)
{
	test_mbr_begin();
	test_mbr_entry(1, 0x83, 1, 1);
	sector[510] = 0x54;
	mbr_read(sector, DISK, &table);
	EXPECT(table.fault != NULL);
	EXPECT_EQUAL(table.count, 0);
	test_mbr_begin();
	sector[511] = 0;
	mbr_read(sector, DISK, &table);
	EXPECT(table.fault != NULL);
	return NULL;
}

CASE(mbr, a_gpt_is_refused_as_a_whole)
{
	test_mbr_begin();
	test_mbr_entry(1, 0x83, 1, 1);
	test_mbr_entry(2, 0xee, 2, 1);
	mbr_read(sector, DISK, &table);
	EXPECT(table.fault != NULL);
	EXPECT_EQUAL(table.count, 0);
	return NULL;
}

/* A table with this one entry refuses it, and keeps the good one beside it. */
static bool refused(uint8_t flag, uint8_t type, uint32_t first,
                    uint32_t sectors)
{
	test_mbr_begin();
	test_mbr_entry(1, 0x83, 50000, 100);
	test_mbr_entry(2, type, first, sectors);
	sector[446 + 16] = flag;
	mbr_read(sector, DISK, &table);
	return table.fault == NULL && table.count == 1 &&
	       table.partition[0].number == 1 && table.refused == 1 &&
	       table.refusal[0].number == 2 && table.refusal[0].why != NULL;
}

CASE(mbr, an_entry_that_lies_is_refused_and_the_others_stay)
{
	EXPECT(refused(0, 0x83, 0, 10));
	EXPECT(refused(0, 0x83, 10, 0));
	EXPECT(refused(0, 0x83, DISK, 1));
	EXPECT(refused(0, 0x83, DISK - 1, 2));
	EXPECT(refused(0, 0x83, 1, DISK));
	EXPECT(refused(0, 0x83, 0xffffffff, 0xffffffff));
	EXPECT(refused(0, 0x83, 1, 0xffffffff));
	EXPECT(refused(0x01, 0x83, 1, 1));
	EXPECT(refused(0x7f, 0x83, 1, 1));
	EXPECT(refused(0, 0x05, 1, 1));
	EXPECT(refused(0, 0x0f, 1, 1));
	EXPECT(refused(0, 0x85, 1, 1));
	/* Up to the edges it is accepted. */
	EXPECT(!refused(0x80, 0x83, DISK - 1, 1));
	EXPECT(!refused(0, 0x83, 1, 49999));
	return NULL;
}

CASE(mbr, of_two_that_overlap_the_second_is_refused)
{
	EXPECT(refused(0, 0x83, 50000, 100));
	EXPECT(refused(0, 0x83, 50099, 1));
	EXPECT(refused(0, 0x83, 1, 50000));
	EXPECT(refused(0, 0x83, 49999, 2));
	EXPECT(refused(0, 0x83, 50010, 10));
	EXPECT(refused(0, 0x83, 1, DISK - 1));
	EXPECT(!refused(0, 0x83, 50100, 1));
	EXPECT(!refused(0, 0x83, 49999, 1));
	return NULL;
}

/* M1 to M3, and that nothing is lost: each entry is empty, taken or refused. */
static const char *promises(uint64_t sectors)
{
	unsigned int filled = 0;

	if (table.fault != NULL) {
		EXPECT_EQUAL(table.count + table.refused, 0);
		return NULL;
	}
	for (unsigned int i = 0; i < MBR_ENTRIES; i++)
		filled += sector[446 + 16 * i + 4] != 0;
	EXPECT_EQUAL(table.count + table.refused, filled);
	for (unsigned int i = 0; i < table.count; i++) {
		const struct mbr_partition *a = &table.partition[i];

		EXPECT(a->first >= 1 && a->sectors >= 1);
		EXPECT(a->sectors <= sectors &&
		       a->first <= sectors - a->sectors);
		for (unsigned int j = 0; j < i; j++) {
			const struct mbr_partition *b = &table.partition[j];

			EXPECT(a->first >= b->first + b->sectors ||
			       b->first >= a->first + a->sectors);
		}
	}
	return NULL;
}

/* Numbers near each other and near the ends are the interesting ones. */
static uint32_t odd_number(struct random *random)
{
	switch (random_below(random, 4)) {
	case 0:
		return (uint32_t)random_below(random, 8);
	case 1:
		return 0xffffffffU - (uint32_t)random_below(random, 8);
	case 2:
		return (uint32_t)random_next(random);
	default:
		return (uint32_t)random_below(random, 2 * DISK);
	}
}

CASE(mbr, random_tables_never_break_a_promise)
{
	struct random random = { .state = test_seed() };
	const char *answer = NULL;

	for (unsigned int round = 0; round < 20000 && answer == NULL; round++) {
		uint64_t sectors = random_below(&random, 4) == 0
		                           ? random_next(&random)
		                           : odd_number(&random);

		test_mbr_begin();
		for (unsigned int i = 1; i <= 4; i++)
			test_mbr_entry(i, (uint8_t)random_next(&random) & 0x8f,
			               odd_number(&random),
			               odd_number(&random));
		mbr_read(sector, sectors, &table);
		answer = promises(sectors);
	}
	return answer;
}

CASE(mbr, random_bytes_never_break_a_promise)
{
	struct random random = { .state = test_seed() };
	const char *answer = NULL;

	for (unsigned int round = 0; round < 20000 && answer == NULL; round++) {
		test_mbr_begin();
		for (unsigned int i = 440; i < 510; i++)
			sector[i] = (uint8_t)random_next(&random);
		mbr_read(sector, DISK, &table);
		answer = promises(DISK);
	}
	return answer;
}
