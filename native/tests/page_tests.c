// SPDX-License-Identifier: MIT
/* Caches, objects and pages, by one thread. */
#include "check.h"
#include "groups.h"
#include <string.h>

static const uint64_t SMALL = 4u << 20;

void test_general(void)
{
	CHECK(pc_version() >> 16 == PC_VERSION_MAJOR && pc_version() >= PC_VERSION);
	CHECK(strcmp(pc_status_name(PC_OK), "PC_OK") == 0);
	CHECK(strcmp(pc_status_name(PC_TIMEOUT), "PC_TIMEOUT") == 0);
	CHECK(strcmp(pc_status_name(77), "PC_?") == 0);
	CHECK_STATUS(pc_close(0), PC_BAD_HANDLE);
	char text[64], cut[8];
	size_t length = pc_last_error(text, sizeof text);
	CHECK(length > sizeof cut && strlen(text) == (length < sizeof text ? length : sizeof text - 1));
	CHECK(pc_last_error(cut, sizeof cut) == length && strlen(cut) == sizeof cut - 1);
	CHECK(pc_last_error(NULL, 0) == length);
}

static pc_status open_with(pc_cache_options options)
{
	pc_cache cache;
	pc_status status = pc_open(&options, &cache);
	if (status == PC_OK)
		CHECK_OK(pc_close(cache));
	return status;
}

void test_options(void)
{
	pc_cache cache;
	pc_cache_options good = { 0 };
	good.size = sizeof good;
	good.capacity_bytes = SMALL;
	CHECK_OK(open_with(good));
	CHECK_STATUS(pc_open(NULL, &cache), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_open(&good, NULL), PC_BAD_ARGUMENT);

	pc_cache_options bad = good;
	bad.size = 0;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);
	bad.size = sizeof bad - 1;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);
	bad = good;
	bad.capacity_bytes = 0;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);
	bad.capacity_bytes = UINT64_MAX;
	CHECK(open_with(bad) < 0);
	bad = good;
	bad.page_bytes = 5000;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);
	bad = good;
	bad.policy = 99;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);
	bad = good;
	bad.flags = 1u << 31;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);
	bad = good;
	bad.readahead_pages = UINT32_MAX;
	CHECK_STATUS(open_with(bad), PC_BAD_ARGUMENT);

	/* A later version's struct: what is unknown must be zero. */
	struct {
		pc_cache_options known;
		uint64_t unknown;
	} later = { good, 0 };
	later.known.size = sizeof later;
	CHECK_OK(pc_open(&later.known, &cache));
	struct {
		pc_statistics known;
		uint64_t unknown;
	} counts = { { 0 }, 7 };
	counts.known.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts.known));
	CHECK(counts.known.size == sizeof counts && counts.unknown == 7 && counts.known.page_bytes == PAGE);
	CHECK_OK(pc_close(cache));
	later.unknown = 1;
	CHECK_STATUS(pc_open(&later.known, &cache), PC_BAD_ARGUMENT);
}

void test_file(void)
{
	enum { PAGES = 100, TAIL = 24 };
	pc_cache cache = open_cache(SMALL, PC_COUNT_HITS);
	pc_object file;
	pc_file_options options = { sizeof options, PC_READ_ONLY, 0 };
	CHECK_OK(pc_attach_file(cache, make_file("data.bin", PAGES, TAIL), &options, &file));
	pc_object_info info = { 0 };
	info.size = sizeof info;
	CHECK_OK(pc_get_object_info(file, &info));
	CHECK(info.page_count == PAGES + 1 && info.length_bytes == PAGES * PAGE + TAIL && info.can_write == 0);

	pc_lease lease = new_lease();
	CHECK_STATUS(pc_try_get(file, 7, &lease), PC_NOT_RESIDENT);
	CHECK_STATUS(pc_contains(file, 7), PC_NOT_RESIDENT);
	for (int round = 0; round < 2; round++) {
		for (uint64_t page = 0; page < PAGES; page++) {
			CHECK_OK(pc_get(file, page, &lease));
			CHECK(lease.length == PAGE && is_page(lease.data, page));
			CHECK_OK(pc_release(lease.handle));
		}
	}

	CHECK_OK(pc_contains(file, 7));
	CHECK_OK(pc_try_get(file, 7, &lease));
	CHECK(is_page(lease.data, 7));
	CHECK_OK(pc_release(lease.handle));
	CHECK_OK(pc_get(file, PAGES, &lease));
	const char *tail = lease.data;
	for (size_t i = 0; i < PAGE; i++)
		CHECK(i < TAIL ? tail[i] == ((const char *)&(uint64_t){ word_of(PAGES) })[i % 8] : tail[i] == 0);
	CHECK_OK(pc_release(lease.handle));
	CHECK(pc_get(file, 100000, &lease) < 0);

	uint64_t word = 0;
	CHECK_OK(pc_copy(file, 9, PAGE - 8, &word, 8));
	CHECK(word == word_of(9));
	CHECK_OK(pc_try_copy(file, 9, 8, &word, 8));
	CHECK_STATUS(pc_copy(file, 9, PAGE - 7, &word, 8), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_copy(file, 9, UINT32_MAX, &word, 8), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_copy(file, 9, 0, NULL, 8), PC_BAD_ARGUMENT);
	CHECK_OK(pc_invalidate_page(file, 9, NULL));
	CHECK_STATUS(pc_try_copy(file, 9, 0, &word, 8), PC_NOT_RESIDENT);
	CHECK_OK(pc_copy(file, 9, 0, &word, 8));
	CHECK(word == word_of(9));

	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.misses >= PAGES && counts.hits >= PAGES && counts.resident_pages == PAGES + 1);
	CHECK(counts.used_bytes <= counts.capacity_bytes && counts.capacity_bytes == SMALL && counts.leases_out == 0);
	CHECK_OK(pc_close(cache));
}

void test_leases(void)
{
	enum { PAGES = 64, LEASES = 10000 };
	pc_cache cache = open_cache(SMALL, 0);
	pc_object file;
	CHECK_OK(pc_attach_file(cache, make_file("leases.bin", PAGES, 0), NULL, &file));
	int count = LEASES / test_scale;
	pc_lease *leases = calloc((size_t)count, sizeof *leases);
	CHECK(leases);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < count; i++) {
			leases[i] = new_lease();
			CHECK_OK(pc_get(file, (uint64_t)i % PAGES, &leases[i]));
		}

		pc_statistics counts = { 0 };
		counts.size = sizeof counts;
		CHECK_OK(pc_get_statistics(cache, &counts));
		CHECK(counts.leases_out == (uint64_t)count);
		for (int i = count - 1; i >= 0; i--) {
			CHECK(is_page(leases[i].data, (uint64_t)i % PAGES));
			CHECK_OK(pc_release(leases[i].handle));
		}

		/* Each of them is a released one now, whatever has become of its slot. */
		for (int i = 0; i < count; i++)
			CHECK_STATUS(pc_release(leases[i].handle), PC_CLOSED);
	}

	/* A handle that was used again is not the one before. */
	pc_lease lease = new_lease(), next = new_lease();
	CHECK_OK(pc_get(file, 1, &lease));
	CHECK_OK(pc_release(lease.handle));
	CHECK_OK(pc_get(file, 1, &next));
	CHECK(next.handle != lease.handle);
	CHECK_STATUS(pc_release(lease.handle), PC_CLOSED);
	CHECK_OK(pc_release(next.handle));
	free(leases);
	CHECK_OK(pc_close(cache));
}

/* Every function with every handle that is not one for it. */
void test_handles(void)
{
	pc_cache cache = open_cache(SMALL, 0);
	pc_object object;
	CHECK_OK(pc_add_object(cache, 100, 0, &object));
	pc_lease lease = new_lease();
	CHECK_OK(pc_insert(object, 1, "abc", 3));
	CHECK_OK(pc_get(object, 1, &lease));
	pc_pool_options pool_options = { sizeof pool_options, 4, 0, 0 };
	pc_pool pool;
	CHECK_OK(pc_pool_open(&pool_options, &pool));
	uint64_t others[] = { 0, 1, UINT64_MAX, cache, object, lease.handle, pool, cache ^ 1, object ^ 0xFFFFFF,
		cache + (UINT64_C(1) << 24), lease.handle + 2, (UINT64_C(4) << 60) | 12345 };
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		uint64_t handle = others[i];
		char byte;
		pc_write_lease write = new_write_lease();
		uint32_t frame = 1, count;
		if (handle != cache) {
			pc_statistics counts = { 0 };
			counts.size = sizeof counts;
			CHECK_STATUS(pc_get_statistics(handle, &counts), PC_BAD_HANDLE);
			CHECK_STATUS(pc_flush(handle), PC_BAD_HANDLE);
			CHECK_STATUS(pc_close(handle), PC_BAD_HANDLE);
			pc_object added;
			CHECK_STATUS(pc_add_object(handle, 1, 0, &added), PC_BAD_HANDLE);
			CHECK_STATUS(pc_attach_file(handle, "x", NULL, &added), PC_BAD_HANDLE);
		}

		if (handle != object) {
			pc_lease other = new_lease();
			CHECK_STATUS(pc_get(handle, 1, &other), PC_BAD_HANDLE);
			CHECK_STATUS(pc_try_get(handle, 1, &other), PC_BAD_HANDLE);
			CHECK_STATUS(pc_get_many(handle, &(uint64_t){ 1 }, 1, &other, &count), PC_BAD_HANDLE);
			CHECK_STATUS(pc_copy(handle, 1, 0, &byte, 1), PC_BAD_HANDLE);
			CHECK_STATUS(pc_try_copy(handle, 1, 0, &byte, 1), PC_BAD_HANDLE);
			CHECK_STATUS(pc_contains(handle, 1), PC_BAD_HANDLE);
			CHECK_STATUS(pc_begin_write(handle, 1, &write), PC_BAD_HANDLE);
			CHECK_STATUS(pc_insert(handle, 2, &byte, 0), PC_BAD_HANDLE);
			CHECK_STATUS(pc_invalidate_range(handle, 0, 9, NULL), PC_BAD_HANDLE);
			CHECK_STATUS(pc_detach(handle), PC_BAD_HANDLE);
			CHECK_STATUS(pc_flush_object(handle), PC_BAD_HANDLE);
		}

		if (handle != lease.handle)
			CHECK_STATUS(pc_release(handle), PC_BAD_HANDLE);
		CHECK_STATUS(pc_commit(handle), PC_BAD_HANDLE);
		if (handle != pool) {
			CHECK_STATUS(pc_pool_allocate(handle, 1, &frame, 1, &count), PC_BAD_HANDLE);
			CHECK_STATUS(pc_pool_close(handle), PC_BAD_HANDLE);
		}

		CHECK_STATUS(pc_ring_collect(handle, &frame, 1, &count), PC_BAD_HANDLE);
		CHECK_STATUS(pc_ring_wait_flip(handle, 0), PC_BAD_HANDLE);
	}

	CHECK(memcmp(lease.data, "abc", 3) == 0);
	CHECK_OK(pc_release(lease.handle));
	CHECK_OK(pc_pool_close(pool));
	CHECK_OK(pc_close(cache));
	CHECK_STATUS(pc_pool_close(pool), PC_CLOSED);
	CHECK_STATUS(pc_get(object, 1, &lease), PC_CLOSED);
	CHECK_STATUS(pc_close(cache), PC_CLOSED);
	CHECK_STATUS(pc_flush(cache), PC_CLOSED);
}

void test_close(void)
{
	pc_cache cache = open_cache(SMALL, 0);
	pc_object object;
	CHECK_OK(pc_add_object(cache, 100, 0, &object));
	CHECK_OK(pc_insert(object, 1, "kept", 4));
	pc_lease lease = new_lease();
	CHECK_OK(pc_get(object, 1, &lease));
	CHECK_STATUS(pc_close(cache), PC_TIMEOUT);
	/* It takes no calls, but what is out is good. */
	pc_lease other = new_lease();
	CHECK_STATUS(pc_get(object, 1, &other), PC_CLOSED);
	CHECK(memcmp(lease.data, "kept", 4) == 0);
	CHECK_OK(pc_release(lease.handle));
	CHECK_OK(pc_close(cache));
	CHECK_STATUS(pc_close(cache), PC_CLOSED);
	CHECK_STATUS(pc_release(lease.handle), PC_CLOSED);

	/* Many, one after the other, in the same place. */
	uint64_t last = 0;
	for (int i = 0; i < 50 / test_scale + 2; i++) {
		pc_cache again = open_cache(1u << 20, 0);
		CHECK(again != last);
		if (last)
			CHECK_STATUS(pc_flush(last), PC_CLOSED);
		CHECK_OK(pc_close(again));
		last = again;
	}
}

void test_write(void)
{
	enum { PAGES = 16 };
	pc_cache cache = open_cache(SMALL, PC_NO_BACKGROUND_FLUSH);
	pc_object file;
	const char *path = make_file("write.bin", PAGES, 0);
	CHECK_OK(pc_attach_file(cache, path, NULL, &file));
	pc_lease lease = new_lease();
	pc_write_lease write = new_write_lease();
	CHECK_OK(pc_get(file, 3, &lease));
	CHECK_STATUS(pc_begin_write(file, 3, &write), PC_TIMEOUT);
	CHECK_OK(pc_release(lease.handle));
	CHECK_OK(pc_begin_write(file, 3, &write));
	CHECK(write.length == PAGE && is_page(write.data, 3));
	CHECK_STATUS(pc_get(file, 3, &lease), PC_TIMEOUT);
	memcpy(write.data, "changed", 7);
	CHECK_OK(pc_commit(write.handle));
	CHECK_STATUS(pc_commit(write.handle), PC_CLOSED);
	char bytes[7];
	CHECK_OK(pc_copy(file, 3, 0, bytes, 7));
	CHECK(memcmp(bytes, "changed", 7) == 0);

	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.dirty_pages == 1);
	CHECK_OK(pc_flush_object(file));
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.dirty_pages == 0 && counts.pages_written == 1);
	FILE *stream = fopen(path, "rb");
	CHECK(stream && fseek(stream, 3 * PAGE, SEEK_SET) == 0 && fread(bytes, 1, 7, stream) == 7);
	CHECK(memcmp(bytes, "changed", 7) == 0);
	CHECK(fclose(stream) == 0);
	CHECK_OK(pc_detach(file));

	/* A file that grows. */
	pc_file_options grow = { sizeof grow, PC_CREATE | PC_GROW, 1000 };
	CHECK_OK(pc_attach_file(cache, path_of("grown.bin"), &grow, &file));
	CHECK_OK(pc_begin_write(file, 9, &write));
	memset(write.data, 'g', write.length);
	CHECK_OK(pc_commit(write.handle));
	CHECK_OK(pc_flush(cache));
	pc_object_info info = { 0 };
	info.size = sizeof info;
	CHECK_OK(pc_get_object_info(file, &info));
	CHECK(info.length_bytes == 10 * PAGE && info.can_write == 1);
	CHECK_OK(pc_close(cache));
}

void test_insert(void)
{
	pc_cache cache = open_cache(SMALL, 0);
	pc_object object;
	CHECK_OK(pc_add_object(cache, 1000, 0, &object));
	pc_object sparse;
	CHECK_OK(pc_add_object(cache, UINT64_C(1) << 40, PC_SPARSE, &sparse));
	CHECK_OK(pc_insert(object, 5, "five", 4));
	CHECK_STATUS(pc_insert(object, 5, "again", 5), PC_EXISTS);
	CHECK_OK(pc_insert(sparse, (UINT64_C(1) << 40) - 1, "far", 3));
	CHECK_OK(pc_insert(object, 6, NULL, 0));
	char page[PAGE];
	CHECK_OK(pc_copy(object, 5, 0, page, PAGE));
	CHECK(memcmp(page, "five\0\0\0", 7) == 0 && page[PAGE - 1] == 0);
	CHECK_OK(pc_copy(sparse, (UINT64_C(1) << 40) - 1, 0, page, 3));
	CHECK(memcmp(page, "far", 3) == 0);
	CHECK_STATUS(pc_insert(object, 7, page, PAGE + 1), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_insert(object, 100000, page, 1), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_add_object(cache, 0, 0, &object), PC_BAD_ARGUMENT);

	/* Without a file there is nothing to load, and a write begins with zeros. */
	pc_lease lease = new_lease();
	CHECK_STATUS(pc_get(object, 8, &lease), PC_REFUSED);
	pc_write_lease write = new_write_lease();
	CHECK_OK(pc_begin_write(object, 8, &write));
	CHECK(*(char *)write.data == 0);
	memcpy(write.data, "eight", 5);
	CHECK_OK(pc_commit(write.handle));
	CHECK_OK(pc_get(object, 8, &lease));
	CHECK(memcmp(lease.data, "eight", 5) == 0);

	/* Forgotten; whoever holds it keeps it. */
	uint64_t removed = 0;
	CHECK_OK(pc_invalidate_page(object, 8, &removed));
	CHECK(removed == 1 && memcmp(lease.data, "eight", 5) == 0);
	CHECK_STATUS(pc_contains(object, 8), PC_NOT_RESIDENT);
	CHECK_OK(pc_release(lease.handle));
	CHECK_OK(pc_invalidate_page(object, 8, &removed));
	CHECK(removed == 0);
	for (uint64_t i = 100; i < 200; i++)
		CHECK_OK(pc_insert(object, i, &i, sizeof i));
	CHECK_OK(pc_invalidate_range(object, 150, 30, &removed));
	CHECK(removed == 30);
	CHECK_OK(pc_invalidate_object(object, &removed));
	CHECK(removed == 72);
	CHECK_OK(pc_contains(sparse, (UINT64_C(1) << 40) - 1));
	CHECK_OK(pc_detach(object));
	CHECK_STATUS(pc_insert(object, 5, "x", 1), PC_CLOSED);
	CHECK_STATUS(pc_get(object, 5, &lease), PC_CLOSED);
	CHECK_STATUS(pc_detach(object), PC_CLOSED);
	CHECK_OK(pc_close(cache));
}

static int error_names(const char *word)
{
	char text[512];
	pc_last_error(text, sizeof text);
	return strstr(text, word) != NULL && strchr(text, '\n') == NULL;
}

void test_failures(void)
{
	pc_cache cache = open_cache(SMALL, 0);
	pc_object file;
	CHECK_STATUS(pc_attach_file(cache, path_of("missing.bin"), NULL, &file), PC_IO);
	CHECK(error_names("missing.bin"));
	CHECK_STATUS(pc_attach_file(cache, NULL, NULL, &file), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_attach_file(cache, test_folder, NULL, &file), PC_IO);
	pc_file_options options = { sizeof options, PC_READ_ONLY | PC_GROW, 0 };
	const char *path = make_file("cut.bin", 10, 0);
	CHECK_STATUS(pc_attach_file(cache, path, &options, &file), PC_BAD_ARGUMENT);
	options.flags = PC_READ_ONLY;
	CHECK_OK(pc_attach_file(cache, path, &options, &file));
	pc_write_lease write = new_write_lease();
	CHECK_STATUS(pc_begin_write(file, 1, &write), PC_REFUSED);

	/* The file is cut behind the library's back. */
	make_file("cut.bin", 2, 0);
	pc_lease lease = new_lease();
	CHECK_OK(pc_get(file, 1, &lease));
	CHECK_OK(pc_release(lease.handle));
	CHECK_STATUS(pc_get(file, 7, &lease), PC_IO);
	CHECK(error_names("cut.bin"));
	lease.size = 8;
	CHECK_STATUS(pc_get(file, 1, &lease), PC_BAD_ARGUMENT);
	CHECK(error_names("pc_lease"));
	CHECK_STATUS(pc_get(file, 1, NULL), PC_BAD_ARGUMENT);
	pc_statistics counts = { 0 };
	CHECK_STATUS(pc_get_statistics(cache, &counts), PC_BAD_ARGUMENT);
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.load_failures == 1 && counts.leases_out == 0);

	/* Every frame is held. */
	pc_cache tiny = open_cache(256u << 10, 0);
	pc_object object;
	CHECK_OK(pc_add_object(tiny, 1000, 0, &object));
	static pc_lease held[64];
	int count = 0;
	pc_status status = PC_OK;
	while (status == PC_OK && count < 64) {
		status = pc_insert(object, (uint64_t)count, "held", 4);
		if (status != PC_OK)
			break;
		held[count] = new_lease();
		CHECK_OK(pc_get(object, (uint64_t)count, &held[count]));
		count++;
	}

	CHECK(status == PC_REFUSED && count >= 8);
	while (count > 0)
		CHECK_OK(pc_release(held[--count].handle));
	CHECK_OK(pc_insert(object, 900, "room", 4));
	CHECK_OK(pc_close(tiny));
	CHECK_OK(pc_close(cache));
}

void test_many(void)
{
	enum { PAGES = 100 };
	pc_cache cache = open_cache(SMALL, 0);
	pc_object file;
	CHECK_OK(pc_attach_file(cache, make_file("many.bin", PAGES, 0), NULL, &file));
	uint64_t pages[PAGES];
	pc_lease leases[PAGES];
	for (int i = 0; i < PAGES; i++) {
		pages[i] = (uint64_t)(i * 7) % PAGES;
		leases[i] = new_lease();
	}

	uint32_t got = 0;
	for (int round = 0; round < 3; round++) {
		CHECK_OK(pc_get_many(file, pages, PAGES, leases, &got));
		CHECK(got == PAGES);
		for (int i = 0; i < PAGES; i++)
			CHECK(is_page(leases[i].data, pages[i]));
		CHECK_OK(pc_release_many(leases, PAGES));
		CHECK_STATUS(pc_release_many(leases, PAGES), PC_CLOSED);
		CHECK_OK(pc_invalidate_range(file, 0, 50, NULL));
	}

	/* One that is not there: those before it are held, those behind it are not. */
	pages[60] = 1000;
	pc_status status = pc_get_many(file, pages, PAGES, leases, &got);
	CHECK(status < 0 && got <= 60);
	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.leases_out == got);
	CHECK_OK(pc_release_many(leases, got));
	CHECK_OK(pc_get_many(file, pages, 0, NULL, &got));

	/* A bad one among good ones. */
	CHECK_OK(pc_get_many(file, pages, 10, leases, &got));
	pc_lease_handle fourth = leases[4].handle;
	leases[4].handle = 12345;
	CHECK_STATUS(pc_release_many(leases, 10), PC_BAD_HANDLE);
	CHECK_OK(pc_release(fourth));
	CHECK_OK(pc_close(cache));
}

void test_bound(void)
{
	enum { PAGES = 2048 };
	pc_cache cache = open_cache(1u << 20, 0);
	pc_object file;
	CHECK_OK(pc_attach_file(cache, make_file("bound.bin", PAGES, 0), NULL, &file));
	uint64_t random = 1;
	/* More than fit, at any scale. */
	for (int i = 0; i < 3 * PAGES / test_scale + 500; i++) {
		uint64_t page = next_random(&random) % PAGES;
		pc_lease lease = new_lease();
		CHECK_OK(pc_get(file, page, &lease));
		CHECK(is_page(lease.data, page));
		CHECK_OK(pc_release(lease.handle));
	}

	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	CHECK_OK(pc_get_statistics(cache, &counts));
	CHECK(counts.evictions > 0 && counts.used_bytes <= 1u << 20 && counts.frame_count < 256);
	CHECK_OK(pc_close(cache));
}

void test_policies(void)
{
	make_file("policies.bin", 1000, 0);
	for (uint32_t policy = PC_POLICY_LINUX_6; policy <= PC_POLICY_S3_FIFO; policy++) {
		pc_cache_options options = { 0 };
		options.size = sizeof options;
		options.capacity_bytes = 1u << 20;
		options.policy = policy;
		options.readahead_pages = 8;
		pc_cache cache;
		CHECK_OK(pc_open(&options, &cache));
		pc_object file;
		CHECK_OK(pc_attach_file(cache, path_of("policies.bin"), NULL, &file));
		for (uint64_t page = 0; page < 1000; page += (uint64_t)test_scale) {
			pc_lease lease = new_lease();
			CHECK_OK(pc_get(file, page, &lease));
			CHECK(is_page(lease.data, page));
			CHECK_OK(pc_release(lease.handle));
		}

		CHECK_OK(pc_close(cache));
	}
}
