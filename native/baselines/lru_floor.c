// SPDX-License-Identifier: MIT
//
// The floor under every replay: what exact LRU costs in plain C when nothing but LRU is asked for.
//
// Pages are dense numbers, so the index is an array: slot_of[page] is the page's frame, or ABSENT. Frames
// form one circular list, most recent first, and the most recent one is kept in a local variable. There is
// no sentinel: the least recent frame is the predecessor of the head, so a miss turns the ring by one place
// and renames that frame without touching a link. The ring starts full of frames that hold no page (page_of
// = page_count, which owns one spare slot), which takes the "is there still a free frame?" branch out of the
// loop.
//
// Nothing here serves a cache: no data, no pins, no locks, no flags, no growth, no other policy.
//
// LOOK_AHEAD > 0 makes the loop prefetch the slot of the request that many places ahead.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef LOOK_AHEAD
#define LOOK_AHEAD 0
#endif

#define ABSENT UINT32_MAX

struct link {
	uint32_t prev;
	uint32_t next;
};

static uint64_t replay(const uint32_t *requests, uint64_t request_count, uint32_t *slot_of, struct link *links,
		       uint32_t *page_of)
{
	uint64_t misses = 0;
	uint32_t head = 0;

	for (uint64_t i = 0; i < request_count; i++) {
		uint32_t page = requests[i];
		uint32_t frame = slot_of[page];
#if LOOK_AHEAD > 0
		if (i + LOOK_AHEAD < request_count)
			__builtin_prefetch(&slot_of[requests[i + LOOK_AHEAD]]);
#endif
		if (frame == ABSENT) {
			misses++;
			head = links[head].prev;
			slot_of[page_of[head]] = ABSENT;
			slot_of[page] = head;
			page_of[head] = page;
		} else if (frame != head) {
			struct link link = links[frame];
			links[link.prev].next = link.next;
			links[link.next].prev = link.prev;
			// Read after the unlink: the tail's link may just have changed.
			uint32_t tail = links[head].prev;
			links[frame] = (struct link){ tail, head };
			links[tail].next = frame;
			links[head].prev = frame;
			head = frame;
		}
	}
	return misses;
}

// Replays the requests, each below page_count, through an empty cache of frame_count frames.
// Returns the misses, or UINT64_MAX when memory is short or frame_count is 0.
uint64_t lru_floor(const uint32_t *requests, uint64_t request_count, uint32_t page_count, uint32_t frame_count)
{
	uint32_t *slot_of = malloc(((size_t)page_count + 1) * sizeof *slot_of);
	uint32_t *page_of = malloc(((size_t)frame_count + 1) * sizeof *page_of);
	struct link *links = malloc(((size_t)frame_count + 1) * sizeof *links);
	uint64_t misses = UINT64_MAX;

	if (slot_of && page_of && links && frame_count > 0) {
		memset(slot_of, 0xff, ((size_t)page_count + 1) * sizeof *slot_of);
		for (uint32_t frame = 0; frame < frame_count; frame++) {
			uint32_t prev = frame == 0 ? frame_count - 1 : frame - 1;
			uint32_t next = frame == frame_count - 1 ? 0 : frame + 1;
			links[frame] = (struct link){ prev, next };
			page_of[frame] = page_count;
		}
		misses = replay(requests, request_count, slot_of, links, page_of);
	}
	free(slot_of);
	free(page_of);
	free(links);
	return misses;
}

#ifdef LRU_FLOOR_MAIN
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

// Zipf(1.0) by inversion of the cumulative weights; ranks are scattered over the page numbers by a shuffle,
// so that popular pages do not share cache lines.
static uint32_t *zipf_requests(uint64_t request_count, uint32_t page_count, uint64_t seed)
{
	uint32_t *requests = malloc(request_count * sizeof *requests);
	uint32_t *page_of_rank = malloc(page_count * sizeof *page_of_rank);
	double *weight_up_to = malloc(page_count * sizeof *weight_up_to);
	double total = 0;

	if (!requests || !page_of_rank || !weight_up_to)
		return NULL;
	for (uint32_t rank = 0; rank < page_count; rank++) {
		weight_up_to[rank] = total += 1.0 / (rank + 1.0);
		page_of_rank[rank] = rank;
	}
	for (uint32_t rank = page_count - 1; rank > 0; rank--) {
		uint32_t other = (uint32_t)(next_random(&seed) % (rank + 1));
		uint32_t page = page_of_rank[rank];
		page_of_rank[rank] = page_of_rank[other];
		page_of_rank[other] = page;
	}
	for (uint64_t i = 0; i < request_count; i++) {
		double weight = (double)(next_random(&seed) >> 11) * 0x1p-53 * total;
		uint32_t low = 0, high = page_count - 1;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			if (weight_up_to[middle] > weight)
				high = middle;
			else
				low = middle + 1;
		}
		requests[i] = page_of_rank[low];
	}
	free(weight_up_to);
	free(page_of_rank);
	return requests;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	enum { ROUNDS = 15 };
	uint32_t page_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	uint32_t frame_count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000;
	uint64_t request_count = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000000;
	double seconds[ROUNDS];
	uint64_t misses = 0;

	if (page_count == 0 || frame_count == 0 || request_count == 0) {
		fprintf(stderr, "usage: %s [PAGES [FRAMES [REQUESTS]]], each at least 1\n", argv[0]);
		return 2;
	}
	uint32_t *requests = zipf_requests(request_count, page_count, 1);
	if (!requests) {
		fprintf(stderr, "%s: out of memory for %" PRIu64 " requests\n", argv[0], request_count);
		return 1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		double start = seconds_now();
		misses = lru_floor(requests, request_count, page_count, frame_count);
		seconds[round] = seconds_now() - start;
	}
	qsort(seconds, ROUNDS, sizeof *seconds, compare_doubles);
	printf("pages %" PRIu32 " frames %" PRIu32 " requests %" PRIu64 " misses %" PRIu64 "\n", page_count,
	       frame_count, request_count, misses);
	printf("M requests/s: median %.1f, slowest %.1f, fastest %.1f of %d passes\n",
	       (double)request_count / seconds[ROUNDS / 2] / 1e6, (double)request_count / seconds[ROUNDS - 1] / 1e6,
	       (double)request_count / seconds[0] / 1e6, ROUNDS);
	free(requests);
	return 0;
}
#endif
