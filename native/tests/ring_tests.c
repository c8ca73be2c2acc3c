// SPDX-License-Identifier: MIT
/* Pools and rings, by one thread. */
#include "check.h"
#include "groups.h"
#include <string.h>

enum { PRODUCER = 1, CONSUMER = 2 };

static pc_pool open_pool(uint32_t frames)
{
	pc_pool_options options = { sizeof options, frames, 0, 0 };
	pc_pool pool = 0;
	CHECK_OK(pc_pool_open(&options, &pool));
	return pool;
}

static pc_ring open_ring(pc_pool pool, uint32_t slots, uint32_t threads)
{
	pc_ring_options options = { sizeof options, PRODUCER, CONSUMER, slots, threads, PC_WAIT_ADAPTIVE };
	pc_ring ring = 0;
	CHECK_OK(pc_ring_create(pool, &options, &ring));
	return ring;
}

static pc_flip_page full_page(uint32_t frame, uint32_t length, uint32_t bits)
{
	pc_flip_page page = { sizeof page, frame, length, bits };
	return page;
}

void test_ring(void)
{
	for (uint32_t threads = PC_RING_ONE_TO_ONE; threads <= PC_RING_MANY_TO_MANY; threads++) {
		pc_pool pool = open_pool(16);
		pc_ring ring = open_ring(pool, 4, threads);
		pc_pool_info info = { 0 };
		info.size = sizeof info;
		uint32_t mine[8], theirs[8], count, published, back[8], back_count, taken;
		CHECK_OK(pc_pool_allocate(pool, PRODUCER, mine, 8, &count));
		CHECK(count == 8);
		CHECK_OK(pc_pool_allocate(pool, CONSUMER, theirs, 8, &count));
		CHECK(count == 8);
		CHECK_OK(pc_pool_get_info(pool, &info));
		CHECK(info.free_count == 0 && info.frame_count == 16 && info.page_bytes == PAGE);
		CHECK_OK(pc_pool_allocate(pool, PRODUCER, back, 1, &count));
		CHECK(count == 0);

		/* Six pages into four slots. */
		pc_flip_page pages[8];
		for (uint32_t i = 0; i < 6; i++) {
			snprintf(pc_frame_page(&info, mine[i]), PAGE, "page %u", i);
			pages[i] = full_page(mine[i], 7, 100 + i);
		}

		CHECK_STATUS(pc_ring_wait_flip(ring, 1), PC_EMPTY);
		CHECK_OK(pc_ring_publish(ring, pages, 6, &published, back, &back_count));
		CHECK(published == 4 && back_count == 0);
		CHECK_STATUS(pc_ring_publish(ring, pages + 4, 2, &published, back, &back_count), PC_FULL);
		CHECK_STATUS(pc_ring_wait_publish(ring, 1), PC_FULL);
		CHECK_OK(pc_ring_wait_flip(ring, 1000));

		/* Without a free frame nothing is taken. */
		pc_flip_page got[8];
		got[0].size = sizeof got[0];
		CHECK_STATUS(pc_ring_flip(ring, NULL, 0, got, &taken), PC_EMPTY);
		CHECK_OK(pc_ring_flip(ring, theirs, 3, got, &taken));
		CHECK(taken == 3);
		for (uint32_t i = 0; i < 3; i++) {
			char text[16];
			snprintf(text, sizeof text, "page %u", i);
			CHECK(got[i].frame == mine[i] && got[i].user_bits == 100 + i && got[i].length == 7);
			CHECK(strcmp(pc_frame_page(&info, got[i].frame), text) == 0);
		}

		/* The frames that were left come back with the next pages. */
		CHECK_OK(pc_ring_publish(ring, pages + 4, 2, &published, back, &back_count));
		CHECK(published == 2 && back_count == 2 && back[0] == theirs[0] && back[1] == theirs[1]);
		CHECK_OK(pc_ring_collect(ring, back + 2, 6, &count));
		CHECK(count == 1 && back[2] == theirs[2]);

		/* What the giver has not got does not go. */
		CHECK_STATUS(pc_ring_publish(ring, pages, 1, &published, back, &back_count), PC_BAD_ARGUMENT);
		pages[7] = full_page(mine[7], PAGE + 1, 0);
		CHECK_STATUS(pc_ring_publish(ring, pages + 7, 1, &published, back, &back_count), PC_BAD_ARGUMENT);
		CHECK_STATUS(pc_ring_flip(ring, theirs, 1, got, &taken), PC_BAD_ARGUMENT);
		uint32_t none = 0;
		CHECK_STATUS(pc_ring_flip(ring, &none, 1, got, &taken), PC_BAD_ARGUMENT);
		got[0].size = 0;
		CHECK_STATUS(pc_ring_flip(ring, theirs + 3, 1, got, &taken), PC_BAD_ARGUMENT);
		got[0].size = sizeof got[0];
		CHECK_STATUS(pc_pool_free(pool, PRODUCER, &mine[0], 1), PC_BAD_ARGUMENT);
		CHECK_OK(pc_pool_free(pool, CONSUMER, &mine[0], 1));
		CHECK_OK(pc_pool_get_info(pool, &info));
		CHECK(info.free_count == 1);

		/* Three pages are in it. */
		uint32_t rest[4], untaken;
		CHECK_STATUS(pc_pool_close(pool), PC_REFUSED);
		CHECK_STATUS(pc_ring_close(ring, rest, 2, &count, &untaken), PC_REFUSED);
		CHECK(count == 3);
		CHECK_OK(pc_ring_flip(ring, theirs + 3, 1, got, &taken));
		CHECK(taken == 1 && got[0].frame == mine[3]);
		CHECK_OK(pc_ring_close(ring, rest, 4, &count, &untaken));
		CHECK(count == 3 && untaken == 2 && rest[0] == mine[4] && rest[1] == mine[5] && rest[2] == theirs[3]);
		CHECK_STATUS(pc_ring_collect(ring, rest, 4, &count), PC_CLOSED);
		CHECK_OK(pc_pool_free(pool, PRODUCER, rest, 3));
		CHECK_OK(pc_pool_close(pool));
	}
}

void test_ring_close(void)
{
	pc_pool_options bad_pool = { sizeof bad_pool, 0, 0, 0 };
	pc_pool pool;
	CHECK_STATUS(pc_pool_open(&bad_pool, &pool), PC_BAD_ARGUMENT);
	bad_pool.frame_count = 4;
	bad_pool.page_bytes = 100;
	CHECK_STATUS(pc_pool_open(&bad_pool, &pool), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_pool_open(NULL, &pool), PC_BAD_ARGUMENT);

	pool = open_pool(4);
	pc_ring_options good = { sizeof good, PRODUCER, CONSUMER, 0, PC_RING_ONE_TO_ONE, PC_WAIT_PARK }, bad = good;
	pc_ring ring;
	bad.consumer = PRODUCER;
	CHECK_STATUS(pc_ring_create(pool, &bad, &ring), PC_BAD_ARGUMENT);
	bad = good;
	bad.producer = 0;
	CHECK_STATUS(pc_ring_create(pool, &bad, &ring), PC_BAD_ARGUMENT);
	bad = good;
	bad.slot_count = 3;
	CHECK_STATUS(pc_ring_create(pool, &bad, &ring), PC_BAD_ARGUMENT);
	bad = good;
	bad.threads = 2;
	CHECK_STATUS(pc_ring_create(pool, &bad, &ring), PC_BAD_ARGUMENT);
	bad = good;
	bad.wait = 5;
	CHECK_STATUS(pc_ring_create(pool, &bad, &ring), PC_BAD_ARGUMENT);
	uint32_t frame, count, untaken;
	CHECK_STATUS(pc_pool_allocate(pool, 0, &frame, 1, &count), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_pool_allocate(pool, 65536, &frame, 1, &count), PC_BAD_ARGUMENT);
	for (int i = 0; i < 20; i++) {
		CHECK_OK(pc_ring_create(pool, &good, &ring));
		CHECK_OK(pc_ring_close(ring, NULL, 0, &count, &untaken));
		CHECK(count == 0 && untaken == 0);
		CHECK_STATUS(pc_ring_wait_flip(ring, 0), PC_CLOSED);
	}

	CHECK_OK(pc_pool_close(pool));
}
