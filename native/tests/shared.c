// SPDX-License-Identifier: MIT
#include "check.h"
#include "groups.h"
#include <string.h>

const char *test_folder;
int test_scale;

const char *path_of(const char *name)
{
	static char path[1024];
	snprintf(path, sizeof path, "%s/%s", test_folder, name);
	return path;
}

uint64_t word_of(uint64_t page)
{
	return (page + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

const char *make_file(const char *name, uint64_t pages, uint32_t tail)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "wb");
	CHECK(file);
	for (uint64_t page = 0; page <= pages; page++) {
		uint64_t words[PAGE / 8];
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = word_of(page);
		size_t bytes = page < pages ? PAGE : tail;
		CHECK(fwrite(words, 1, bytes, file) == bytes);
	}

	CHECK(fclose(file) == 0);
	return path;
}

int is_page(const void *data, uint64_t page)
{
	for (size_t i = 0; i < PAGE / 8; i++) {
		uint64_t word;
		memcpy(&word, (const char *)data + i * 8, 8);
		if (word != word_of(page))
			return 0;
	}

	return 1;
}

pc_cache open_cache(uint64_t capacity_bytes, uint32_t flags)
{
	pc_cache_options options = { 0 };
	options.size = sizeof options;
	options.capacity_bytes = capacity_bytes;
	options.flags = flags;
	options.patience_ms = 200;
	options.name = "test cache";
	pc_cache cache = 0;
	CHECK_OK(pc_open(&options, &cache));
	CHECK(cache != 0);
	return cache;
}

pc_lease new_lease(void)
{
	pc_lease lease = { 0 };
	lease.size = sizeof lease;
	return lease;
}

pc_write_lease new_write_lease(void)
{
	pc_write_lease lease = { 0 };
	lease.size = sizeof lease;
	return lease;
}

uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}
