// SPDX-License-Identifier: MIT
/* Views: the path of a usual hit that programs have compiled in. */
static void stall(void);
#define PC_VIEW_STALL() stall()
#include "check.h"
#include "groups.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum { PAGES = 600, THREADS = 4 };

static pc_object shared_file;
static pc_view shared_view;

static pc_view open_view(pc_object object)
{
	pc_view view = { 0 };
	view.size = sizeof view;
	view.layout = PC_VIEW_LAYOUT;
	CHECK_OK(pc_open_view(object, &view));
	CHECK(view.layout == PC_VIEW_LAYOUT);
	return view;
}

static int is_inline(const pc_lease *lease)
{
	return lease->handle >> 60 == 0;
}

/* inline_hit is 1 or 0 for what it must be, and -1 where either will do. Returns what it was. */
static int expect(pc_view *view, uint64_t page, int inline_hit)
{
	pc_lease lease = new_lease();
	CHECK_OK(pc_view_get(view, page, &lease));
	CHECK(is_page(lease.data, page) && lease.length == PAGE);
	int was_inline = is_inline(&lease);
	CHECK(inline_hit < 0 || was_inline == inline_hit);
	CHECK_OK(pc_view_release(&lease));
	return was_inline;
}

/* Misses become calls, hits whose access is noted become none, and what a call gives is the same. */
void test_view(void)
{
	pc_cache cache = open_cache(8u << 20, 0);
	CHECK_OK(pc_attach_file(cache, make_file("view.bin", PAGES, 100), NULL, &shared_file));
	/* Opened before there is a page: the view learns of the directory when it grows. */
	pc_view view = open_view(shared_file);
	for (uint64_t page = 0; page < PAGES; page++)
		expect(&view, page, 0);
	/* The first hits are noted, some of them in batches; then nothing is left to note. */
	int inline_hits = 0;
	for (int again = 0; again < 5; again++)
		for (uint64_t page = 0; page < PAGES; page++)
			inline_hits += expect(&view, page, -1) && again == 4;
	CHECK(inline_hits >= PAGES * 9 / 10);
	/* The short last page has zeros behind its end. */
	pc_lease lease = new_lease();
	CHECK_OK(pc_view_get(&view, PAGES, &lease));
	CHECK(((const char *)lease.data)[PAGE - 1] == 0);
	CHECK_OK(pc_view_release(&lease));
	CHECK_STATUS(pc_view_get(&view, PAGES + 1000000, &lease), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_view_get(&view, UINT64_MAX, &lease), PC_BAD_ARGUMENT);

	/* A lease of a view keeps writers and invalidation away, as any other. */
	CHECK_OK(pc_view_get(&view, 7, &lease));
	pc_write_lease write = new_write_lease();
	CHECK_STATUS(pc_begin_write(shared_file, 7, &write), PC_TIMEOUT);
	CHECK_OK(pc_view_release(&lease));
	CHECK_OK(pc_begin_write(shared_file, 7, &write));
	pc_lease other = new_lease();
	CHECK_STATUS(pc_view_get(&view, 7, &other), PC_TIMEOUT);
	CHECK_OK(pc_commit(write.handle));
	expect(&view, 7, -1);

	/* pc_release cannot tell what a view's lease is, and says so. */
	uint64_t usual = 8;
	while (!expect(&view, usual, -1))
		usual++;
	CHECK_OK(pc_view_get(&view, usual, &lease));
	CHECK(is_inline(&lease));
	CHECK_STATUS(pc_release(lease.handle), PC_BAD_HANDLE);
	CHECK_OK(pc_view_release(&lease));

	/* A program with another layout makes calls, and finds the same. */
	pc_view foreign = { 0 };
	foreign.size = sizeof foreign;
	foreign.layout = PC_VIEW_LAYOUT + 1;
	CHECK_OK(pc_open_view(shared_file, &foreign));
	CHECK(foreign.layout == 0 && foreign.leaf_count == 0);
	expect(&foreign, 3, 0);
	expect(&foreign, 3, 0);
	CHECK_OK(pc_close_view(&foreign));

	/* Removed objects, closed views, and closing with a view open. */
	CHECK_OK(pc_detach(shared_file));
	CHECK_STATUS(pc_view_get(&view, 7, &lease), PC_CLOSED);
	CHECK_STATUS(pc_close(cache), PC_TIMEOUT);
	CHECK_STATUS(pc_view_get(&view, 7, &lease), PC_CLOSED);
	CHECK_OK(pc_close_view(&view));
	CHECK_STATUS(pc_close_view(&view), PC_CLOSED);
	CHECK_STATUS(pc_view_get(&view, 7, &lease), PC_CLOSED);
	CHECK_OK(pc_close(cache));
}

/* Every policy answers the same; where hits are counted, all of them are. */
void test_view_policies(void)
{
	for (uint32_t policy = PC_POLICY_LINUX_6; policy <= PC_POLICY_S3_FIFO; policy++) {
		for (uint32_t flags = 0; flags <= PC_COUNT_HITS; flags++) {
			pc_cache_options options = { 0 };
			options.size = sizeof options;
			options.capacity_bytes = 4u << 20;
			options.policy = policy;
			options.flags = flags;
			pc_cache cache;
			CHECK_OK(pc_open(&options, &cache));
			pc_object object;
			CHECK_OK(pc_attach_file(cache, make_file("policies.bin", PAGES, 0), NULL, &object));
			pc_view view = open_view(object);
			int inline_hits = 0;
			for (int i = 0; i < 1000; i++)
				inline_hits += expect(&view, 5, -1);
			CHECK(flags == 0 && policy != PC_POLICY_FIFO ? inline_hits > 900 : inline_hits == 0);
			pc_statistics counts = { 0 };
			counts.size = sizeof counts;
			CHECK_OK(pc_get_statistics(cache, &counts));
			CHECK(counts.misses == 1 && counts.hits == (flags ? 999u : 0u) && counts.leases_out == 0);
			CHECK_OK(pc_close_view(&view));
			CHECK_OK(pc_close(cache));
		}
	}
}

/* How many looks go by without a wait; 0: none waits. */
static uint64_t stall_every;
static __thread uint64_t stall_random;

/* A frame that was found is pinned now and then only after others had the time to give it to another page. */
static void stall(void)
{
	if (stall_every == 0)
		return;
	if (stall_random == 0)
		stall_random = (uintptr_t)&stall_random | 1;
	if (next_random(&stall_random) % stall_every != 0)
		return;
	struct timespec time = { 0, (long)(stall_random >> 32) % 2000000 };
	nanosleep(&time, NULL);
}

/* Four threads, a cache a quarter of the file: hits, evictions, writes and invalidations at once. */
static void *look(void *number)
{
	uint64_t random = (uintptr_t)number + 1;
	int inline_hits = 0;
	for (int i = 0; i < 100000 / test_scale; i++) {
		uint64_t choice = next_random(&random);
		/* Mostly few pages, which stay; the others push each other out. With stalls, any: then few stay. */
		uint64_t page = stall_every == 0 && choice >> 60 ? choice % 40 : choice % PAGES;
		if ((choice >> 32 & 255) == 0) {
			CHECK_OK(pc_invalidate_page(shared_file, page, NULL));
			continue;
		}

		if ((choice >> 32 & 255) == 1) {
			pc_write_lease write = new_write_lease();
			pc_status status = pc_begin_write(shared_file, page, &write);
			CHECK(status == PC_OK || status == PC_TIMEOUT);
			if (status != PC_OK)
				continue;
			CHECK(is_page(write.data, page));
			uint64_t word = word_of(page);
			memset(write.data, 0, PAGE);
			for (size_t w = 0; w < PAGE / 8; w++)
				memcpy((char *)write.data + w * 8, &word, 8);
			CHECK_OK(pc_commit(write.handle));
			continue;
		}

		pc_lease lease = new_lease();
		pc_status status = pc_view_get(&shared_view, page, &lease);
		CHECK(status == PC_OK || status == PC_TIMEOUT);
		if (status != PC_OK)
			continue;
		CHECK(is_page(lease.data, page));
		inline_hits += is_inline(&lease);
		CHECK_OK(pc_view_release(&lease));
	}

	/* Otherwise this would prove nothing. */
	CHECK(test_scale > 1 || inline_hits > 5000);
	return NULL;
}

static void look_by_threads(uint32_t policy)
{
	pc_cache_options options = { 0 };
	options.size = sizeof options;
	options.policy = policy;
	options.capacity_bytes = 1u << 20;
	options.patience_ms = 10000;
	options.flush_interval_ms = 5;
	options.dirty_age_ms = 5;
	pc_cache cache;
	CHECK_OK(pc_open(&options, &cache));
	CHECK_OK(pc_attach_file(cache, make_file("view-threads.bin", PAGES, 0), NULL, &shared_file));
	shared_view = open_view(shared_file);
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, look, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		CHECK(pthread_join(threads[i], &result) == 0 && result == NULL);
	}

	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.leases_out == 0 && counts.used_bytes <= counts.capacity_bytes);
	CHECK(test_scale > 1 || counts.evictions > 0);
	/* No pin is left: every page can go. */
	CHECK_OK(pc_invalidate_object(shared_file, NULL));
	CHECK_OK(pc_close_view(&shared_view));
	CHECK_OK(pc_close(cache));
}

void test_view_threads(void)
{
	stall_every = 0;
	look_by_threads(PC_POLICY_LINUX_6);
}

/* The same with waits at the one place where a frame can change its page under a reader. */
void test_view_stalls(void)
{
	stall_every = 64;
	look_by_threads(PC_POLICY_CLOCK);
	stall_every = 0;
}
