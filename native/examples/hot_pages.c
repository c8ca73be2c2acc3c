// SPDX-License-Identifier: MIT
/*
 * Reads pages of a file through a cache that is smaller than the file, some of them often, and says what the cache
 * made of it. Then changes a page, if asked to.
 *
 *     hot_pages FILE [--mark TEXT]
 */
#include <perfcache.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, pc_status status)
{
	char text[256];
	pc_last_error(text, sizeof text);
	fprintf(stderr, "hot_pages: %s: %s: %s\n", what, pc_status_name(status), text);
	return 1;
}

static pc_status read_pages(pc_object file, uint64_t page_count, uint64_t *sum)
{
	/* Every third page is one of the first ten: those should stay. */
	for (uint64_t i = 0; i < 4 * page_count; i++) {
		uint64_t page = i % 3 == 0 ? i / 3 % (page_count < 10 ? page_count : 10) : i % page_count;
		pc_lease lease = { sizeof lease, 0, 0, NULL };
		pc_status status = pc_get(file, page, &lease);
		if (status != PC_OK)
			return status;
		*sum += *(const unsigned char *)lease.data;
		pc_release(lease.handle);
	}

	return PC_OK;
}

static pc_status mark(pc_cache cache, pc_object file, const char *text)
{
	pc_write_lease lease = { sizeof lease, 0, 0, NULL };
	pc_status status = pc_begin_write(file, 0, &lease);
	if (status != PC_OK)
		return status;
	size_t length = strlen(text);
	memcpy(lease.data, text, length < lease.length ? length : lease.length);
	status = pc_commit(lease.handle);
	return status == PC_OK ? pc_flush(cache) : status;
}

int main(int argc, char **argv)
{
	if (argc != 2 && !(argc == 4 && strcmp(argv[2], "--mark") == 0)) {
		fprintf(stderr, "usage: hot_pages FILE [--mark TEXT]\n");
		return 2;
	}

	if (pc_version() >> 16 != PC_VERSION_MAJOR) {
		fprintf(stderr, "hot_pages: made for version %d of the library, found %u\n", PC_VERSION_MAJOR,
			(unsigned)(pc_version() >> 16));
		return 1;
	}

	pc_cache_options options = { 0 };
	options.size = sizeof options;
	options.capacity_bytes = 1u << 20;
	options.flags = PC_COUNT_HITS;
	pc_cache cache;
	pc_status status = pc_open(&options, &cache);
	if (status != PC_OK)
		return fail("pc_open", status);

	pc_file_options file_options = { 0 };
	file_options.size = sizeof file_options;
	file_options.flags = argc == 2 ? PC_READ_ONLY : 0;
	pc_object file;
	pc_object_info info = { 0 };
	info.size = sizeof info;
	uint64_t sum = 0;
	const char *step = "pc_attach_file";
	status = pc_attach_file(cache, argv[1], &file_options, &file);
	if (status == PC_OK) {
		step = "pc_get";
		pc_get_object_info(file, &info);
		status = read_pages(file, info.page_count, &sum);
	}

	if (status == PC_OK && argc == 4) {
		step = "writing";
		status = mark(cache, file, argv[3]);
	}

	pc_statistics counts = { 0 };
	counts.size = sizeof counts;
	int result = status == PC_OK ? 0 : fail(step, status);
	if (result == 0 && pc_get_statistics(cache, &counts) == PC_OK) {
		printf("%llu pages, %llu hits, %llu misses, %llu of %llu bytes used, sum of first bytes %llu\n",
			(unsigned long long)info.page_count, (unsigned long long)counts.hits,
			(unsigned long long)counts.misses, (unsigned long long)counts.used_bytes,
			(unsigned long long)counts.capacity_bytes, (unsigned long long)sum);
	}

	status = pc_close(cache);
	return status == PC_OK ? result : fail("pc_close", status);
}
