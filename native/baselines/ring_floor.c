// SPDX-License-Identifier: MIT
// What a bounded queue of 8-byte elements between two threads costs in plain C, and, where DPDK's headers are
// installed, in DPDK: the rings that PerfCache's are compared with.
//
// The floor is the usual ring of one producer and one consumer: each side keeps a copy of the other's index and
// reads the real one only when the copy says "full" or "empty".
//
// ring_floor_run() starts two threads, each pinned to its core, passes `count` numbers in bursts and returns the
// nanoseconds from the moment both have begun until the consumer has everything, or 0 when the sum is wrong. A side
// that cannot go on executes `pauses` PAUSE instructions and looks again.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_DPDK
#include <rte_ring.h>
#include <rte_ring_elem.h>
#endif

enum ring_kind { RING_SPSC = 0, RING_DPDK_SPSC = 1, RING_DPDK_MPMC = 2 };

#define BURST_MAX 1024

struct spsc {
	_Alignas(128) _Atomic uint64_t tail;
	uint64_t head_seen;
	_Alignas(128) _Atomic uint64_t head;
	uint64_t tail_seen;
	_Alignas(128) uint64_t mask;
	uint64_t slots[];
};

struct run {
	enum ring_kind kind;
	void *ring;
	uint64_t count;
	unsigned burst, pauses;
	int core[2];
	pthread_barrier_t *start;
	uint64_t sum;
	struct timespec begin, end;
};

static void pause_for(unsigned pauses)
{
	for (unsigned i = 0; i < pauses; i++) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#else
		__asm__ volatile("yield");
#endif
	}
}

static inline __attribute__((always_inline)) unsigned spsc_put(struct spsc *ring, const uint64_t *values, unsigned count)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t size = ring->mask + 1;
	if (size - (tail - ring->head_seen) < count) {
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
		uint64_t space = size - (tail - ring->head_seen);
		if (space < count)
			count = space;
	}
	for (unsigned i = 0; i < count; i++)
		ring->slots[(tail + i) & ring->mask] = values[i];
	if (count)
		atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
	return count;
}

static inline __attribute__((always_inline)) unsigned spsc_take(struct spsc *ring, uint64_t *values, unsigned count)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (ring->tail_seen - head < count) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (ring->tail_seen - head < count)
			count = ring->tail_seen - head;
	}
	for (unsigned i = 0; i < count; i++)
		values[i] = ring->slots[(head + i) & ring->mask];
	if (count)
		atomic_store_explicit(&ring->head, head + count, memory_order_release);
	return count;
}

static inline __attribute__((always_inline)) unsigned put(enum ring_kind kind, void *ring, const uint64_t *values, unsigned count)
{
	switch (kind) {
	case RING_SPSC:
		return spsc_put(ring, values, count);
#ifdef HAVE_DPDK
	case RING_DPDK_SPSC:
		return rte_ring_sp_enqueue_burst_elem(ring, values, 8, count, NULL);
	case RING_DPDK_MPMC:
		return rte_ring_mp_enqueue_burst_elem(ring, values, 8, count, NULL);
#endif
	default:
		return 0;
	}
}

static inline __attribute__((always_inline)) unsigned take(enum ring_kind kind, void *ring, uint64_t *values, unsigned count)
{
	switch (kind) {
	case RING_SPSC:
		return spsc_take(ring, values, count);
#ifdef HAVE_DPDK
	case RING_DPDK_SPSC:
		return rte_ring_sc_dequeue_burst_elem(ring, values, 8, count, NULL);
	case RING_DPDK_MPMC:
		return rte_ring_mc_dequeue_burst_elem(ring, values, 8, count, NULL);
#endif
	default:
		return 0;
	}
}

static void pin(int core)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static inline __attribute__((always_inline)) void produce(struct run *run, enum ring_kind kind)
{
	uint64_t values[BURST_MAX];
	uint64_t sent = 0;
	if (run->burst == 1) {
		for (; sent < run->count; sent++)
			while (!put(kind, run->ring, &sent, 1))
				pause_for(run->pauses);
		return;
	}
	while (sent < run->count) {
		unsigned want = run->count - sent < run->burst ? run->count - sent : run->burst;
		for (unsigned i = 0; i < want; i++)
			values[i] = sent + i;
		unsigned done = 0;
		while (done < want) {
			unsigned put_now = put(kind, run->ring, values + done, want - done);
			done += put_now;
			if (!put_now)
				pause_for(run->pauses);
		}
		sent += want;
	}
}

static inline __attribute__((always_inline)) void consume(struct run *run, enum ring_kind kind)
{
	uint64_t values[BURST_MAX];
	uint64_t taken = 0, sum = 0;
	if (run->burst == 1) {
		for (; taken < run->count; taken++) {
			while (!take(kind, run->ring, values, 1))
				pause_for(run->pauses);
			sum += values[0];
		}
	}
	while (taken < run->count) {
		unsigned got = take(kind, run->ring, values, run->burst);
		for (unsigned i = 0; i < got; i++)
			sum += values[i];
		taken += got;
		if (!got)
			pause_for(run->pauses);
	}
	run->sum = sum;
}

static void *produce_thread(void *argument)
{
	struct run *run = argument;
	pin(run->core[0]);
	pthread_barrier_wait(run->start);
	clock_gettime(CLOCK_MONOTONIC, &run->begin);
	// One loop a kind, so that the compiler sees which ring it is.
	if (run->kind == RING_SPSC)
		produce(run, RING_SPSC);
	else if (run->kind == RING_DPDK_SPSC)
		produce(run, RING_DPDK_SPSC);
	else
		produce(run, RING_DPDK_MPMC);
	return NULL;
}

static void *consume_thread(void *argument)
{
	struct run *run = argument;
	pin(run->core[1]);
	pthread_barrier_wait(run->start);
	if (run->kind == RING_SPSC)
		consume(run, RING_SPSC);
	else if (run->kind == RING_DPDK_SPSC)
		consume(run, RING_DPDK_SPSC);
	else
		consume(run, RING_DPDK_MPMC);
	clock_gettime(CLOCK_MONOTONIC, &run->end);
	return NULL;
}

static void *make_ring(enum ring_kind kind, unsigned size)
{
	if (kind == RING_SPSC) {
		size_t bytes = (sizeof(struct spsc) + size * sizeof(uint64_t) + 127) / 128 * 128;
		struct spsc *ring = aligned_alloc(128, bytes);
		if (ring) {
			memset(ring, 0, bytes);
			ring->mask = size - 1;
		}
		return ring;
	}
#ifdef HAVE_DPDK
	size_t bytes = (sizeof(struct rte_ring) + size * sizeof(uint64_t) + 127) / 128 * 128;
	struct rte_ring *ring = aligned_alloc(128, bytes);
	if (!ring)
		return NULL;
	// What the library's own initialisation leaves for a power of two: so the headers are enough.
	memset(ring, 0, bytes);
	ring->prod.sync_type = kind == RING_DPDK_SPSC ? RTE_RING_SYNC_ST : RTE_RING_SYNC_MT;
	ring->cons.sync_type = ring->prod.sync_type;
	ring->size = size;
	ring->mask = size - 1;
	ring->capacity = size - 1;
	return ring;
#else
	return NULL;
#endif
}

// 1 when the library was built with DPDK's headers.
int ring_floor_has_dpdk(void)
{
#ifdef HAVE_DPDK
	return 1;
#else
	return 0;
#endif
}

double ring_floor_run(
	int kind, unsigned size, unsigned burst, uint64_t count, unsigned pauses, int producer_core, int consumer_core)
{
	if (burst < 1 || burst > BURST_MAX)
		return 0;
	void *ring = make_ring(kind, size);
	if (!ring)
		return 0;
	pthread_barrier_t start;
	pthread_barrier_init(&start, NULL, 2);
	struct run run = {
		.kind = kind, .ring = ring, .count = count, .burst = burst, .pauses = pauses,
		.core = { producer_core, consumer_core }, .start = &start,
	};
	pthread_t producer, consumer;
	double nanos = 0;
	if (!pthread_create(&producer, NULL, produce_thread, &run)) {
		if (pthread_create(&consumer, NULL, consume_thread, &run))
			abort();
		pthread_join(producer, NULL);
		pthread_join(consumer, NULL);
		if (run.sum == count * (count - 1) / 2)
			nanos = (run.end.tv_sec - run.begin.tv_sec) * 1e9 + (run.end.tv_nsec - run.begin.tv_nsec);
	}
	pthread_barrier_destroy(&start);
	free(ring);
	return nanos;
}
