// SPDX-License-Identifier: MIT
/*
 * Tests of the C interface, from C. abi_test FOLDER [NAME...] runs all groups or those named, in an empty folder;
 * --list names them, --layout prints what this compiler makes of the structs. PERFCACHE_SCALE makes loops shorter by
 * that many times, for valgrind.
 */
#include "check.h"
#include "groups.h"
#include <string.h>

#define FIELD(type, field) { #type, #field, offsetof(type, field), sizeof(((type *)0)->field) }
#define WHOLE(type) { #type, "", 0, sizeof(type) }

static const struct layout_row {
	const char *type, *field;
	size_t offset, size;
} rows[] = {
	WHOLE(pc_cache_options), FIELD(pc_cache_options, size), FIELD(pc_cache_options, page_bytes),
	FIELD(pc_cache_options, capacity_bytes), FIELD(pc_cache_options, policy), FIELD(pc_cache_options, flags),
	FIELD(pc_cache_options, readahead_pages), FIELD(pc_cache_options, patience_ms),
	FIELD(pc_cache_options, flush_interval_ms), FIELD(pc_cache_options, dirty_age_ms), FIELD(pc_cache_options, name),
	WHOLE(pc_statistics), FIELD(pc_statistics, size), FIELD(pc_statistics, page_bytes),
	FIELD(pc_statistics, capacity_bytes), FIELD(pc_statistics, used_bytes), FIELD(pc_statistics, frame_count),
	FIELD(pc_statistics, resident_pages), FIELD(pc_statistics, hits), FIELD(pc_statistics, misses),
	FIELD(pc_statistics, load_failures), FIELD(pc_statistics, insertions), FIELD(pc_statistics, refaults),
	FIELD(pc_statistics, activations), FIELD(pc_statistics, deactivations), FIELD(pc_statistics, evictions),
	FIELD(pc_statistics, removals), FIELD(pc_statistics, lock_waits), FIELD(pc_statistics, dirty_pages),
	FIELD(pc_statistics, pages_written), FIELD(pc_statistics, write_requests), FIELD(pc_statistics, write_failures),
	FIELD(pc_statistics, readahead_pages), FIELD(pc_statistics, readahead_hits), FIELD(pc_statistics, leases_out),
	WHOLE(pc_file_options), FIELD(pc_file_options, size), FIELD(pc_file_options, flags),
	FIELD(pc_file_options, page_count_max),
	WHOLE(pc_object_info), FIELD(pc_object_info, size), FIELD(pc_object_info, can_write),
	FIELD(pc_object_info, page_count), FIELD(pc_object_info, length_bytes), FIELD(pc_object_info, is_direct),
	FIELD(pc_object_info, reserved),
	WHOLE(pc_lease), FIELD(pc_lease, size), FIELD(pc_lease, length), FIELD(pc_lease, handle), FIELD(pc_lease, data),
	WHOLE(pc_write_lease), FIELD(pc_write_lease, size), FIELD(pc_write_lease, length),
	FIELD(pc_write_lease, handle), FIELD(pc_write_lease, data),
	WHOLE(pc_view), FIELD(pc_view, size), FIELD(pc_view, layout), FIELD(pc_view, handle), FIELD(pc_view, object),
	FIELD(pc_view, leaf_count), FIELD(pc_view, leaves), FIELD(pc_view, slots), FIELD(pc_view, heads), FIELD(pc_view, pages),
	FIELD(pc_view, key), FIELD(pc_view, mask), FIELD(pc_view, usual), FIELD(pc_view, page_shift), FIELD(pc_view, page_bytes),
	WHOLE(pc_pool_options), FIELD(pc_pool_options, size), FIELD(pc_pool_options, frame_count),
	FIELD(pc_pool_options, page_bytes), FIELD(pc_pool_options, reserved),
	WHOLE(pc_pool_info), FIELD(pc_pool_info, size), FIELD(pc_pool_info, page_bytes), FIELD(pc_pool_info, frame_count),
	FIELD(pc_pool_info, free_count), FIELD(pc_pool_info, first_page),
	WHOLE(pc_ring_options), FIELD(pc_ring_options, size), FIELD(pc_ring_options, producer),
	FIELD(pc_ring_options, consumer), FIELD(pc_ring_options, slot_count), FIELD(pc_ring_options, threads),
	FIELD(pc_ring_options, wait),
	WHOLE(pc_flip_page), FIELD(pc_flip_page, size), FIELD(pc_flip_page, frame), FIELD(pc_flip_page, length),
	FIELD(pc_flip_page, user_bits),
};

static const size_t row_count = sizeof rows / sizeof rows[0];

static void print_layout(void)
{
	for (size_t i = 0; i < row_count; i++)
		printf("%s %s %zu %zu\n", rows[i].type, *rows[i].field ? rows[i].field : "-", rows[i].offset, rows[i].size);
}

/* The library was compiled with the layouts that this program was. */
static void test_layout(void)
{
	for (size_t i = 0; i < row_count; i++) {
		uint32_t offset = 0, size = 0;
		CHECK_OK(pc_layout_of(rows[i].type, *rows[i].field ? rows[i].field : NULL, &offset, &size));
		if (offset == rows[i].offset && size == rows[i].size)
			continue;
		fprintf(stderr, "%s.%s: %u+%u in the library, %zu+%zu here\n", rows[i].type, rows[i].field, offset,
			size, rows[i].offset, rows[i].size);
		exit(1);
	}

	uint32_t offset, size;
	CHECK_STATUS(pc_layout_of("pc_lease", "no_such_field", &offset, &size), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_layout_of(NULL, NULL, &offset, &size), PC_BAD_ARGUMENT);
	CHECK_STATUS(pc_layout_of("pc_lease", NULL, NULL, &size), PC_BAD_ARGUMENT);
}

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "layout", test_layout },
	{ "general", test_general },
	{ "options", test_options },
	{ "file", test_file },
	{ "leases", test_leases },
	{ "handles", test_handles },
	{ "close", test_close },
	{ "write", test_write },
	{ "insert", test_insert },
	{ "failures", test_failures },
	{ "many", test_many },
	{ "bound", test_bound },
	{ "policies", test_policies },
	{ "view", test_view },
	{ "view-policies", test_view_policies },
	{ "view-threads", test_view_threads },
	{ "view-stalls", test_view_stalls },
	{ "ring", test_ring },
	{ "ring-close", test_ring_close },
	{ "threads", test_threads },
	{ "closing-threads", test_closing_threads },
	{ "passing-threads", test_passing_threads },
	{ "short-threads", test_short_threads },
	{ "ring-threads", test_ring_threads },
};

static const size_t group_count = sizeof groups / sizeof groups[0];

static int is_named(const char *name, int count, char **names)
{
	if (count == 0)
		return 1;
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--layout") == 0) {
		print_layout();
		return 0;
	}

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < group_count; i++)
			puts(groups[i].name);
		return 0;
	}

	if (argc < 2) {
		fprintf(stderr, "usage: abi_test FOLDER [NAME...] | --list | --layout\n");
		return 2;
	}

	test_folder = argv[1];
	const char *scale = getenv("PERFCACHE_SCALE");
	test_scale = scale ? atoi(scale) : 1;
	if (test_scale < 1)
		test_scale = 1;
	int ran = 0;
	for (size_t i = 0; i < group_count; i++) {
		if (!is_named(groups[i].name, argc - 2, argv + 2))
			continue;
		groups[i].run();
		printf("%s: ok\n", groups[i].name);
		fflush(stdout);
		ran++;
	}

	if (ran == 0 || (argc > 2 && ran != argc - 2)) {
		fprintf(stderr, "abi_test: no such group; --list names them\n");
		return 2;
	}

	return 0;
}
