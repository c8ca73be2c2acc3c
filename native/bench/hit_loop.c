// SPDX-License-Identifier: MIT
/*
 * Hits through the C interface, for `abi-hits` of the benchmarks, which runs the same loop over C# leases in turn with
 * this one. hit_loop PAGES puts that many pages into a cache; each line "MODE ROUNDS" on standard input goes through
 * the same requests ROUNDS times and answers with nanoseconds of processor time a hit.
 */
#include <perfcache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REQUESTS = 1 << 16, BATCH = 32, PART = 64 };

static uint64_t requests[REQUESTS];
static pc_object object;
static pc_view view = { .size = sizeof view, .layout = PC_VIEW_LAYOUT };

static void must(pc_status status, const char *what)
{
	if (status == PC_OK)
		return;
	char text[256];
	pc_last_error(text, sizeof text);
	fprintf(stderr, "hit_loop: %s: %s: %s\n", what, pc_status_name(status), text);
	exit(1);
}

static double now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint64_t by_lease(void)
{
	pc_lease lease = { sizeof lease, 0, 0, NULL };
	uint64_t hits = 0;
	for (int i = 0; i < REQUESTS; i++) {
		if (pc_get(object, requests[i], &lease) != PC_OK)
			continue;
		hits++;
		pc_release(lease.handle);
	}

	return hits;
}

static uint64_t by_view(void)
{
	pc_lease lease = { sizeof lease, 0, 0, NULL };
	uint64_t hits = 0;
	for (int i = 0; i < REQUESTS; i++) {
		if (pc_view_get(&view, requests[i], &lease) != PC_OK)
			continue;
		hits++;
		pc_view_release(&lease);
	}

	return hits;
}

static uint64_t by_batch(void)
{
	pc_lease leases[BATCH];
	for (int i = 0; i < BATCH; i++)
		leases[i].size = sizeof leases[i];
	uint64_t hits = 0;
	for (int i = 0; i < REQUESTS; i += BATCH) {
		uint32_t got = 0;
		pc_get_many(object, requests + i, BATCH, leases, &got);
		hits += got;
		pc_release_many(leases, got);
	}

	return hits;
}

static uint64_t by_copy(void)
{
	char bytes[PART];
	uint64_t hits = 0;
	for (int i = 0; i < REQUESTS; i++)
		hits += pc_try_copy(object, requests[i], 0, bytes, PART) == PC_OK;
	return hits;
}

static void prepare(uint64_t pages)
{
	pc_cache_options options = { sizeof options, 0, 0, 0, 0, 0, 0, 0, 0, NULL };
	options.capacity_bytes = pages * 4096 + pages * 512 + (8u << 20);
	pc_cache cache;
	must(pc_open(&options, &cache), "pc_open");
	must(pc_add_object(cache, pages, 0, &object), "pc_add_object");
	for (uint64_t page = 0; page < pages; page++)
		must(pc_insert(object, page, &page, sizeof page), "pc_insert");
	must(pc_open_view(object, &view), "pc_open_view");
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < REQUESTS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		requests[i] = (x >> 32) * pages >> 32;
	}
}

int main(int argc, char **argv)
{
	if (argc != 2 || atoll(argv[1]) <= 0) {
		fprintf(stderr, "usage: hit_loop PAGES, then lines of lease|view|batch|copy ROUNDS\n");
		return 2;
	}

	prepare((uint64_t)atoll(argv[1]));
	char mode[16];
	int rounds;
	while (scanf("%15s %d", mode, &rounds) == 2) {
		uint64_t (*loop)(void) = strcmp(mode, "lease") == 0 ? by_lease : strcmp(mode, "view") == 0 ? by_view
			: strcmp(mode, "batch") == 0 ? by_batch : by_copy;
		double start = now_ns();
		uint64_t hits = 0;
		for (int round = 0; round < rounds; round++)
			hits += loop();
		double nanos = now_ns() - start;
		if (hits != (uint64_t)rounds * REQUESTS) {
			fprintf(stderr, "hit_loop: %llu hits of %llu requests\n", (unsigned long long)hits,
				(unsigned long long)rounds * REQUESTS);
			return 1;
		}

		printf("%.4f\n", nanos / (double)hits);
		fflush(stdout);
	}

	return 0;
}
