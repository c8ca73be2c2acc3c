// SPDX-License-Identifier: MIT
/* The groups of tests, and what they share. */
#ifndef PC_GROUPS_H
#define PC_GROUPS_H

#include <perfcache.h>

#define PAGE 4096u

extern const char *test_folder;
extern int test_scale;

/* The name of a file in the test's folder, good until the next call of this thread. */
const char *path_of(const char *name);

/* Makes a file of pages whose every 8 bytes say which page they are in, and a tail of so many bytes more. */
const char *make_file(const char *name, uint64_t pages, uint32_t tail);

/* The 8 bytes that fill a page of such a file. */
uint64_t word_of(uint64_t page);

/* True when a page is filled with its word. */
int is_page(const void *data, uint64_t page);

/* A cache of so many bytes, with patience of 200 ms. */
pc_cache open_cache(uint64_t capacity_bytes, uint32_t flags);

/* A lease and a write lease to be filled in. */
pc_lease new_lease(void);
pc_write_lease new_write_lease(void);

/* Numbers that look random; the same ones from one seed. */
uint64_t next_random(uint64_t *state);

void test_general(void);
void test_options(void);
void test_file(void);
void test_leases(void);
void test_handles(void);
void test_close(void);
void test_write(void);
void test_insert(void);
void test_failures(void);
void test_many(void);
void test_bound(void);
void test_policies(void);
void test_view(void);
void test_view_policies(void);
void test_view_threads(void);
void test_view_stalls(void);
void test_ring(void);
void test_ring_close(void);
void test_threads(void);
void test_closing_threads(void);
void test_passing_threads(void);
void test_short_threads(void);
void test_ring_threads(void);

#endif
