// SPDX-License-Identifier: MIT
/* Several threads at once. */
#include "check.h"
#include "groups.h"
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, PAGES = 600 };

static pc_object shared_file;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static pthread_t start(void *(*run)(void *), uintptr_t number)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, run, (void *)number) == 0);
	return thread;
}

static void join(pthread_t thread)
{
	void *result;
	CHECK(pthread_join(thread, &result) == 0 && result == NULL);
}

static void pause_ms(long millis)
{
	struct timespec time = { millis / 1000, millis % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

/* Leases, copies, writes, invalidations and evictions at once; a page is filled with one word at any time. */
static void *use_pages(void *number)
{
	uint64_t random = (uintptr_t)number + 1;
	for (int i = 0; i < 20000 / test_scale; i++) {
		uint64_t choice = next_random(&random), page = choice % PAGES;
		uint64_t words[4];
		pc_lease lease = new_lease();
		switch (choice >> 32 & 15) {
		case 0:
			CHECK_OK(pc_invalidate_page(shared_file, page, NULL));
			break;
		case 1: {
			pc_write_lease write = new_write_lease();
			pc_status status = pc_begin_write(shared_file, page, &write);
			CHECK(status == PC_OK || status == PC_TIMEOUT);
			if (status == PC_OK) {
				CHECK(is_page(write.data, page));
				memset(write.data, 0, PAGE);
				for (size_t w = 0; w < PAGE / 8; w++)
					memcpy((char *)write.data + w * 8, &(uint64_t){ word_of(page) }, 8);
				CHECK_OK(pc_commit(write.handle));
			}
			break;
		}
		case 2:
			if (pc_try_copy(shared_file, page, 128, words, sizeof words) == PC_OK)
				CHECK(words[0] == word_of(page) && words[3] == word_of(page));
			break;
		default: {
			pc_status status = pc_get(shared_file, page, &lease);
			CHECK(status == PC_OK || status == PC_TIMEOUT);
			if (status == PC_OK) {
				CHECK(is_page(lease.data, page));
				CHECK_OK(pc_release(lease.handle));
			}
		}
		}
	}

	return NULL;
}

void test_threads(void)
{
	pc_cache_options options = { 0 };
	options.size = sizeof options;
	options.capacity_bytes = 1u << 20;
	options.patience_ms = 10000;
	options.flush_interval_ms = 5;
	options.dirty_age_ms = 5;
	pc_cache cache;
	CHECK_OK(pc_open(&options, &cache));
	CHECK_OK(pc_attach_file(cache, make_file("threads.bin", PAGES, 0), NULL, &shared_file));
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		threads[i] = start(use_pages, i);
	for (int i = 0; i < THREADS; i++)
		join(threads[i]);
	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.leases_out == 0 && counts.evictions > 0 && counts.used_bytes <= counts.capacity_bytes);
	CHECK_OK(pc_flush(cache));
	CHECK_OK(pc_close(cache));
}

/* Until the cache is closed under it. */
static void *use_until_closed(void *number)
{
	uint64_t random = (uintptr_t)number + 1;
	while (1) {
		uint64_t page = next_random(&random) % 100;
		pc_lease lease = new_lease();
		pc_status status = pc_get(shared_file, page, &lease);
		if (status == PC_CLOSED)
			return NULL;
		CHECK_OK(status);
		CHECK(is_page(lease.data, page));
		CHECK_OK(pc_release(lease.handle));
	}
}

void test_closing_threads(void)
{
	make_file("closing.bin", 100, 0);
	for (int round = 0; round < 20 / test_scale + 2; round++) {
		pc_cache_options options = { 0 };
		options.size = sizeof options;
		options.capacity_bytes = 2u << 20;
		pc_cache cache;
		CHECK_OK(pc_open(&options, &cache));
		CHECK_OK(pc_attach_file(cache, path_of("closing.bin"), NULL, &shared_file));
		pthread_t threads[THREADS];
		for (uintptr_t i = 0; i < THREADS; i++)
			threads[i] = start(use_until_closed, i);
		pause_ms(round % 5);
		CHECK_OK(pc_close(cache));
		for (int i = 0; i < THREADS; i++)
			join(threads[i]);
	}
}

/* Leases that one thread takes and another releases. */
enum { PASSED_MAX = 100 };

static pc_lease passed[PASSED_MAX];
static int passed_count, passing_ended;

static void *release_passed(void *unused)
{
	(void)unused;
	while (1) {
		pc_lease lease;
		int found = 0;
		pthread_mutex_lock(&mutex);
		int ended = passing_ended;
		if (passed_count > 0) {
			lease = passed[--passed_count];
			found = 1;
		}

		pthread_mutex_unlock(&mutex);
		if (found) {
			CHECK_OK(pc_release(lease.handle));
			CHECK_STATUS(pc_release(lease.handle), PC_CLOSED);
		} else if (ended) {
			return NULL;
		} else {
			pause_ms(0);
		}
	}
}

void test_passing_threads(void)
{
	pc_cache cache = open_cache(4u << 20, 0);
	CHECK_OK(pc_attach_file(cache, make_file("passing.bin", 100, 0), NULL, &shared_file));
	passing_ended = 0;
	pthread_t threads[2] = { start(release_passed, 0), start(release_passed, 1) };
	for (int i = 0; i < 10000 / test_scale;) {
		pc_lease lease = new_lease();
		CHECK_OK(pc_get(shared_file, (uint64_t)i % 100, &lease));
		pthread_mutex_lock(&mutex);
		int room = passed_count < PASSED_MAX;
		if (room)
			passed[passed_count++] = lease;
		pthread_mutex_unlock(&mutex);
		if (room)
			i++;
		else
			CHECK_OK(pc_release(lease.handle));
	}

	pthread_mutex_lock(&mutex);
	passing_ended = 1;
	pthread_mutex_unlock(&mutex);
	join(threads[0]);
	join(threads[1]);
	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.leases_out == 0);
	CHECK_OK(pc_close(cache));
}

/* Threads that come, use the cache once and go; each has an error text of its own. */
static void *use_once(void *number)
{
	CHECK(pc_last_error(NULL, 0) == 0);
	uint64_t page = (uintptr_t)number % 100;
	pc_lease lease = new_lease();
	CHECK_OK(pc_get(shared_file, page, &lease));
	CHECK(is_page(lease.data, page));
	CHECK_OK(pc_release(lease.handle));
	CHECK_STATUS(pc_release(lease.handle), PC_CLOSED);
	CHECK(pc_last_error(NULL, 0) > 0);
	return NULL;
}

void test_short_threads(void)
{
	pc_cache cache = open_cache(4u << 20, 0);
	CHECK_OK(pc_attach_file(cache, make_file("short.bin", 100, 0), NULL, &shared_file));
	for (uintptr_t i = 0; i < 400u / (unsigned)test_scale; i++)
		join(start(use_once, i));
	CHECK_OK(pc_close(cache));
}

/* A producing and a consuming thread; every page says its number. */
enum { RING_PAGES = 50000, HANDS = 32 };

static pc_ring shared_ring;
static pc_pool_info shared_pool;
static uint32_t producer_frames[HANDS], consumer_frames[HANDS];

static void *publish_pages(void *unused)
{
	(void)unused;
	uint32_t free_count = HANDS, number = 0, total = RING_PAGES / (uint32_t)test_scale;
	while (number < total) {
		if (free_count == 0) {
			CHECK_OK(pc_ring_collect(shared_ring, producer_frames, HANDS, &free_count));
			if (free_count == 0)
				pause_ms(0);
			continue;
		}

		uint32_t frame = producer_frames[free_count - 1], published, back[1], back_count;
		memcpy(pc_frame_page(&shared_pool, frame), &number, sizeof number);
		pc_flip_page page = { sizeof page, frame, sizeof number, number };
		pc_status status = pc_ring_publish(shared_ring, &page, 1, &published, back, &back_count);
		if (status == PC_FULL) {
			pc_ring_wait_publish(shared_ring, 1000);
			continue;
		}

		CHECK_OK(status);
		free_count--;
		if (back_count > 0)
			producer_frames[free_count++] = back[0];
		number++;
	}

	return NULL;
}

static void *take_pages(void *unused)
{
	(void)unused;
	uint32_t expected = 0, total = RING_PAGES / (uint32_t)test_scale;
	while (expected < total) {
		CHECK(pc_ring_wait_flip(shared_ring, 10000) == PC_OK);
		pc_flip_page pages[HANDS];
		pages[0].size = sizeof pages[0];
		uint32_t taken;
		CHECK_OK(pc_ring_flip(shared_ring, consumer_frames, HANDS, pages, &taken));
		for (uint32_t i = 0; i < taken; i++, expected++) {
			uint32_t number;
			memcpy(&number, pc_frame_page(&shared_pool, pages[i].frame), sizeof number);
			CHECK(number == expected && pages[i].user_bits == expected);
			consumer_frames[i] = pages[i].frame;
		}
	}

	/* Until the ring is closed under it. */
	CHECK_STATUS(pc_ring_wait_flip(shared_ring, 60000), PC_CLOSED);
	return NULL;
}

void test_ring_threads(void)
{
	for (uint32_t threads = PC_RING_ONE_TO_ONE; threads <= PC_RING_MANY_TO_MANY; threads++) {
		pc_pool_options pool_options = { sizeof pool_options, 2 * HANDS, 0, 0 };
		pc_pool pool;
		CHECK_OK(pc_pool_open(&pool_options, &pool));
		shared_pool.size = sizeof shared_pool;
		CHECK_OK(pc_pool_get_info(pool, &shared_pool));
		uint32_t got;
		CHECK_OK(pc_pool_allocate(pool, 1, producer_frames, HANDS, &got));
		CHECK_OK(pc_pool_allocate(pool, 2, consumer_frames, HANDS, &got));
		pc_ring_options options = { sizeof options, 1, 2, 16, threads, PC_WAIT_ADAPTIVE };
		CHECK_OK(pc_ring_create(pool, &options, &shared_ring));
		pthread_t consumer = start(take_pages, 0), producer = start(publish_pages, 0);
		join(producer);
		/* The consumer waits in the ring or is about to. */
		pause_ms(20);
		uint32_t rest[16], count, untaken;
		pc_status status;
		while ((status = pc_ring_close(shared_ring, rest, 0, &count, &untaken)) == PC_REFUSED)
			CHECK_OK(pc_ring_collect(shared_ring, rest, 16, &count));
		CHECK_OK(status);
		CHECK(untaken == 0);
		join(consumer);
		CHECK_OK(pc_pool_close(pool));
	}
}
