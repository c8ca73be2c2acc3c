// SPDX-License-Identifier: MIT
/*
 * perfcache.h: PerfCache for programs in C. Version 1.
 *
 * A page cache in native memory (hits without a lock, misses that load each page once, a bound in bytes that
 * holds, write-back), pools of page frames, and rings that hand pages from one domain to another by exchanging
 * frames instead of copying bytes. 64-bit Linux.
 *
 *     pc_cache_options options = { sizeof options };
 *     options.capacity_bytes = 64u << 20;
 *     pc_cache cache;
 *     if (pc_open(&options, &cache) != PC_OK) ...                  // pc_last_error says why
 *     pc_object file;
 *     pc_attach_file(cache, "data.bin", NULL, &file);
 *     pc_lease lease = { sizeof lease };
 *     if (pc_get(file, 42, &lease) == PC_OK) {
 *         use(lease.data, lease.length);                           // the page itself, not a copy
 *         pc_release(lease.handle);
 *     }
 *     pc_close(cache);
 *
 * Rules that hold everywhere:
 *
 * Handles are numbers. 0 is never one. A handle that was closed, of another kind, or made up, gives PC_CLOSED or
 * PC_BAD_HANDLE, and nothing else happens. Numbers of closed handles are not used again. The one thing that cannot
 * be told is one lease released by two threads at the same instant: that is an error of the program, as it is with
 * free().
 *
 * Structs begin with their size, which the caller sets: sizeof the struct. Zero in any other field of a struct of
 * options asks for the default. Later versions add fields at the end only; a library that does not know what is at
 * the end of a longer struct of options refuses it unless it is zero there, and fills in only what it knows of others.
 *
 * Answers are status codes: PC_OK is 0; answers that are no failures are positive; failures are negative, and then
 * pc_last_error has a line of text. What a failed call was to give is undefined, unless told otherwise.
 *
 * Pointers must be good for as long as the call lasts, and null only where that is said.
 *
 * Threads: any function may be called from any thread at any time, pc_close included: it makes later calls fail,
 * waits for those under way, and then ends the cache. Waiting always has an end: see patience_ms.
 *
 * Processes: the library cannot be unloaded (dlclose does nothing), and a child made by fork must not use it unless it
 * loads it anew by exec. It has threads of its own: a process that wants signals in one thread only blocks them
 * before the first call.
 */
#ifndef PERFCACHE_H
#define PERFCACHE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PC_VERSION_MAJOR 1
#define PC_VERSION_MINOR 1
#define PC_VERSION ((PC_VERSION_MAJOR << 16) | PC_VERSION_MINOR)

/* The version of the library: the major number must be that of this header, the minor one no less. */
uint32_t pc_version(void);

/* ------------------------------------------------------------------------------------------ statuses ---- */

typedef int32_t pc_status;

enum {
	PC_OK = 0,
	/* Answers. */
	PC_NOT_RESIDENT = 1, /* the page is not in the cache */
	PC_EXISTS = 2,       /* the page is in the cache already, or is just being loaded */
	PC_FULL = 3,         /* no free slot in the ring */
	PC_EMPTY = 4,        /* no page in the ring, or no free frame to leave for it */
	/* Failures. */
	PC_BAD_ARGUMENT = -1, /* a value that makes no sense: a page that the object has not got, a null pointer */
	PC_BAD_HANDLE = -2,   /* not a handle, or of another kind */
	PC_CLOSED = -3,       /* a handle that was closed, released or committed, or is just being closed */
	PC_IO = -4,           /* a file could not be opened, read or written */
	PC_NO_MEMORY = -5,    /* memory cannot be had within the bound */
	PC_REFUSED = -6,      /* not in this state: every frame is held, the file is read only, no room for the answer */
	PC_TIMEOUT = -7,      /* whoever has what is needed kept it for longer than patience_ms */
	PC_INTERNAL = -8      /* an error of the library: please report it with its text */
};

/* The name of a status, "PC_OK"; "PC_?" for a number that is none. Good for ever. */
const char *pc_status_name(pc_status status);

/*
 * The text of this thread's last failed call: one line of UTF-8, cut to size - 1 bytes and ended by 0 where size
 * is not 0. Returns the bytes of the whole text without the 0. Calls that do not fail leave it as it is.
 */
size_t pc_last_error(char *text, size_t size);

/* ----------------------------------------------------------------------------------------- the cache ---- */

typedef uint64_t pc_cache;
typedef uint64_t pc_object;       /* a file or another numbered set of pages in a cache; it names its cache too */
typedef uint64_t pc_lease_handle; /* a page held for reading */
typedef uint64_t pc_write_handle; /* a page held for writing */

/* Which pages stay. */
enum {
	PC_POLICY_LINUX_6 = 0, /* two lists with refault distance, as the kernel since 6.x */
	PC_POLICY_LINUX_3_15 = 1,
	PC_POLICY_FIFO = 2,
	PC_POLICY_CLOCK = 3,
	PC_POLICY_SIEVE = 4,
	PC_POLICY_S3_FIFO = 5
};

/* pc_cache_options.flags */
enum {
	PC_COUNT_HITS = 1,            /* costs a store a hit */
	PC_NO_BACKGROUND_RECLAIM = 2, /* no thread keeps frames free: a miss evicts itself */
	PC_NO_BACKGROUND_FLUSH = 4    /* no thread writes changed pages: pc_flush does */
};

typedef struct pc_cache_options {
	uint32_t size;
	uint32_t page_bytes;         /* a power of two from 4096 (the default) to 65536 */
	uint64_t capacity_bytes;     /* the bound: page data and metadata together; no default */
	uint32_t policy;             /* PC_POLICY_... */
	uint32_t flags;
	uint32_t readahead_pages;    /* the most pages that sequential reads are served ahead of need; 0: none */
	uint32_t patience_ms;        /* how long to wait for leases, writers and loads of others; 0: 10,000 */
	uint32_t flush_interval_ms;  /* how often changed pages are looked for; 0: 200 */
	uint32_t dirty_age_ms;       /* how long a page stays changed before it is written; 0: 5,000 */
	const char *name;            /* for messages, UTF-8; null: "page cache" */
} pc_cache_options;

/* Makes an empty cache. */
pc_status pc_open(const pc_cache_options *options, pc_cache *cache);

/*
 * Ends a cache with all its objects. Changes that were not written are lost: call pc_flush first. PC_TIMEOUT: leases
 * are out, or calls are under way, after patience_ms; the cache takes no new calls then, leases may still be released
 * and committed, and pc_close may be called again.
 */
pc_status pc_close(pc_cache cache);

/* Writes all changed pages and makes them durable. PC_IO: some could not be written and are still changed. */
pc_status pc_flush(pc_cache cache);

typedef struct pc_statistics {
	uint32_t size;
	uint32_t page_bytes;
	uint64_t capacity_bytes;
	uint64_t used_bytes;     /* never above capacity_bytes */
	uint64_t frame_count;    /* the size in pages */
	uint64_t resident_pages;
	uint64_t hits;           /* 0 unless PC_COUNT_HITS */
	uint64_t misses;
	uint64_t load_failures;
	uint64_t insertions;
	uint64_t refaults;       /* insertions of pages that were evicted not long ago */
	uint64_t activations;
	uint64_t deactivations;
	uint64_t evictions;
	uint64_t removals;       /* by invalidation */
	uint64_t lock_waits;     /* how often a thread had to wait for the cache's lock */
	uint64_t dirty_pages;
	uint64_t pages_written;
	uint64_t write_requests; /* neighbours go together */
	uint64_t write_failures;
	uint64_t readahead_pages;
	uint64_t readahead_hits;
	uint64_t leases_out;     /* of the whole process: handles of pc_get not yet released */
} pc_statistics;

/* Counts since the cache was made. */
pc_status pc_get_statistics(pc_cache cache, pc_statistics *statistics);

/* ------------------------------------------------------------------------------------------- objects ---- */

/* pc_file_options.flags */
enum {
	PC_READ_ONLY = 1,
	PC_CREATE = 2,              /* make the file where there is none */
	PC_GROW = 4,                /* writes beyond the end make the file longer: see page_count_max */
	PC_DIRECT = 8,              /* past the kernel's page cache, where that is possible */
	PC_DIRECT_OR_FAIL = 16,
	PC_NO_KERNEL_READAHEAD = 32
};

typedef struct pc_file_options {
	uint32_t size;
	uint32_t flags;
	uint64_t page_count_max; /* the most pages there may ever be; 0: those that the file has now, at least one */
} pc_file_options;

/* Makes the pages of a file those of a new object. options may be null. The path is UTF-8. */
pc_status pc_attach_file(
	pc_cache cache, const char *path, const pc_file_options *options, pc_object *object);

/* pc_add_object flags */
enum {
	PC_SPARSE = 1 /* few of very many pages will be used: costs more a page, and nothing for those that are not */
};

/* Makes an object whose pages the program puts in itself: pc_insert, pc_begin_write. At most 2^40 pages. */
pc_status pc_add_object(pc_cache cache, uint64_t page_count_max, uint32_t flags, pc_object *object);

/* Forgets an object and closes its file. Changes that were not written are lost; leases keep their bytes. */
pc_status pc_detach(pc_object object);

typedef struct pc_object_info {
	uint32_t size;
	uint32_t can_write;    /* 1 when changes go to a file */
	uint64_t page_count;   /* of the file as it is known now; otherwise page_count_max */
	uint64_t length_bytes; /* of the file; otherwise 0 */
	uint32_t is_direct;    /* 1 when the kernel's page cache is passed by */
	uint32_t reserved;
} pc_object_info;

pc_status pc_get_object_info(pc_object object, pc_object_info *info);

/* Writes the changed pages of an object and makes them durable. */
pc_status pc_flush_object(pc_object object);

/* --------------------------------------------------------------------------------------------- pages ---- */

/* A page that stays where it is, and unchanged, until its handle is released; by any thread, once. */
typedef struct pc_lease {
	uint32_t size;
	uint32_t length;        /* bytes: a whole page, with zeros behind the end of a short last one */
	pc_lease_handle handle;
	const void *data;
} pc_lease;

/* The page, loaded from the object's file if it is not there. */
pc_status pc_get(pc_object object, uint64_t page, pc_lease *lease);

/* The page if it is there, otherwise PC_NOT_RESIDENT. Loads nothing. */
pc_status pc_try_get(pc_object object, uint64_t page, pc_lease *lease);

/* Lets a page go. */
pc_status pc_release(pc_lease_handle lease);

/*
 * Several pages at once, which costs less for each. got is how many leases were given, the first ones, whatever the
 * status is: where one page fails, those before it are held.
 */
pc_status pc_get_many(
	pc_object object, const uint64_t *pages, uint32_t count, pc_lease *leases, uint32_t *got);

/* Lets several go. A bad handle among them gives its status, and the others are released all the same. */
pc_status pc_release_many(const pc_lease *leases, uint32_t count);

/* Copies bytes of a page, loaded if it is not there. */
pc_status pc_copy(pc_object object, uint64_t page, uint32_t offset, void *bytes, uint32_t length);

/* Copies bytes of a page that is there, otherwise PC_NOT_RESIDENT. */
pc_status pc_try_copy(pc_object object, uint64_t page, uint32_t offset, void *bytes, uint32_t length);

/* PC_OK when the page is there, otherwise PC_NOT_RESIDENT. No access, as far as the policy is concerned. */
pc_status pc_contains(pc_object object, uint64_t page);

/* A page for one writer alone. */
typedef struct pc_write_lease {
	uint32_t size;
	uint32_t length;
	pc_write_handle handle;
	void *data;
} pc_write_lease;

/*
 * The page for this caller alone, loaded or, in an object without a file, made of zeros if it is not there: waits until
 * no lease of it is out, and none is given until pc_commit.
 */
pc_status pc_begin_write(pc_object object, uint64_t page, pc_write_lease *lease);

/* Ends a write: the page is changed, and will be written to the object's file. */
pc_status pc_commit(pc_write_handle lease);

/* Puts a page in that is not there; behind length it is zero. PC_EXISTS changes nothing. bytes may be null if length
 * is 0. */
pc_status pc_insert(pc_object object, uint64_t page, const void *bytes, uint32_t length);

/* Forgets pages, and changes of them that were not written. removed, which may be null, is how many were there. */
pc_status pc_invalidate_page(pc_object object, uint64_t page, uint64_t *removed);
pc_status pc_invalidate_range(pc_object object, uint64_t first, uint64_t count, uint64_t *removed);
pc_status pc_invalidate_object(pc_object object, uint64_t *removed);

/* --------------------------------------------------------------------------------------------- views ---- */

/*
 * Hits without a call, for programs that want each of them as fast as the library's own: a view knows where an object's
 * pages are found, and pc_view_get goes there by itself, as the code below shows. What is not a usual hit (the page is
 * not there, its access has to be noted, hits are counted, the object is sparse, the policy is FIFO, somebody writes to
 * the page) becomes a call of pc_view_miss, so the answers are those of pc_get in any case.
 *
 *     pc_view view = { sizeof view, PC_VIEW_LAYOUT };
 *     if (pc_open_view(object, &view) != PC_OK) ...
 *     pc_lease lease = { sizeof lease };
 *     if (pc_view_get(&view, 42, &lease) == PC_OK) {
 *         use(lease.data, lease.length);
 *         pc_view_release(&lease);                      // not pc_release
 *     }
 *     pc_close_view(&view);
 *
 * A view may be used by many threads at once. It keeps the cache from being closed: pc_close gives PC_TIMEOUT until all
 * its views are closed. What calls check is not checked here: a lease must be released once, and no view be used after
 * it was closed. Leases of views are not among leases_out.
 *
 * The protocol, with the numbers that it has in the library (PageCache.Hit.cs); each step relies on those before it:
 *   L1  load the slot of the page. It is a hint: old, or by now another page's.
 *   L2  add a pin to the state word of the frame that it names. From here on the frame cannot change its page.
 *   L3  the word as it was then says: live, not one writer's, pins not all taken, and nothing for the policy to note.
 *   L4  the frame's key is the page's. Otherwise the pin is taken back, and nothing was proved.
 *   L5  the bytes may be read.
 *   L6  subtract the pin, after all reads.
 * What these need to know of the library's memory has a number of its own, PC_VIEW_LAYOUT. A library with another one says
 * so when a view is opened (pc_view.layout is 0), and then all gets are calls.
 */
#ifndef PC_VIEW_STALL
#define PC_VIEW_STALL() ((void)0) /* between L1 and L2; tests wait here, where much can happen meanwhile */
#endif

enum {
	PC_VIEW_LAYOUT = 1,
	PC_VIEW_SLOT_BITS = 6,
	PC_VIEW_FRAME_SHIFT = 2,
	PC_VIEW_FRAME_TAG = 1,
	PC_VIEW_PINS_SHIFT = 48,
	PC_VIEW_OBJECT_SHIFT = 40
};

typedef struct pc_view_head {
	uint64_t key;
	uint64_t word;
} pc_view_head;

/* The caller sets size and layout; the rest is the library's, and only leaf_count changes while the view is open. */
typedef struct pc_view {
	uint32_t size;
	uint32_t layout;       /* PC_VIEW_LAYOUT; 0 afterwards: every get is a call */
	uint64_t handle;
	pc_object object;
	uint64_t leaf_count;
	const uint32_t *leaves;
	const uint32_t *slots;
	pc_view_head *heads;
	const char *pages;
	uint64_t key;
	uint64_t mask;
	uint64_t usual;
	uint32_t page_shift;
	uint32_t page_bytes;
} pc_view;

/* Opens a view of an object. */
pc_status pc_open_view(pc_object object, pc_view *view);

/* Ends a view; its leases stay good. The struct may not be used by other threads any more. */
pc_status pc_close_view(pc_view *view);

/* pc_get, for a page that was no usual hit; and brings the view up to date where the object has grown. */
pc_status pc_view_miss(pc_view *view, uint64_t page, pc_lease *lease);

/* The page, loaded from the object's file if it is not there. Released by pc_view_release. */
static inline pc_status pc_view_get(pc_view *view, uint64_t page, pc_lease *lease)
{
#ifdef __GNUC__
	uint64_t leaf = page >> PC_VIEW_SLOT_BITS;
	if (leaf < __atomic_load_n(&view->leaf_count, __ATOMIC_ACQUIRE)) {
		uint32_t block = __atomic_load_n(view->leaves + leaf, __ATOMIC_ACQUIRE);
		uint32_t in_leaf = (uint32_t)page & ((1u << PC_VIEW_SLOT_BITS) - 1);
		uint32_t slot = __atomic_load_n(view->slots + (block << PC_VIEW_SLOT_BITS | in_leaf), __ATOMIC_ACQUIRE); /* L1 */
		if ((slot & ((1u << PC_VIEW_FRAME_SHIFT) - 1)) == PC_VIEW_FRAME_TAG) {
			uint64_t frame = slot >> PC_VIEW_FRAME_SHIFT;
			pc_view_head *head = view->heads + frame;
			uint64_t pin = UINT64_C(1) << PC_VIEW_PINS_SHIFT;
			PC_VIEW_STALL();
			uint64_t word = __atomic_add_fetch(&head->word, pin, __ATOMIC_SEQ_CST); /* L2 */
			if ((word & view->mask) == view->usual /* L3 */
				&& __atomic_load_n(&head->key, __ATOMIC_RELAXED) == (view->key | page)) { /* L4 */
				lease->length = view->page_bytes;
				lease->handle = (uint64_t)(uintptr_t)&head->word;
				lease->data = view->pages + (frame << view->page_shift);
				return PC_OK;
			}

			__atomic_sub_fetch(&head->word, pin, __ATOMIC_SEQ_CST);
		}
	}
#endif
	return pc_view_miss(view, page, lease);
}

/* Lets a page of pc_view_get go. */
static inline pc_status pc_view_release(const pc_lease *lease)
{
#ifdef __GNUC__
	/* A handle has its kind in its top bits; what has none is the address of the state word. */
	if (lease->handle >> 60 == 0 && lease->handle != 0) {
		__atomic_sub_fetch( /* L6 */
			(uint64_t *)(uintptr_t)lease->handle, UINT64_C(1) << PC_VIEW_PINS_SHIFT, __ATOMIC_SEQ_CST);
		return PC_OK;
	}
#endif
	return pc_release(lease->handle);
}

/* --------------------------------------------------------------------------------- pools of page frames ---- */

/* Frames are numbered from 1; 0 is none. Domains are numbered from 1 to 65535: whoever owns frames. */
typedef uint64_t pc_pool;

typedef struct pc_pool_options {
	uint32_t size;
	uint32_t frame_count; /* no default */
	uint32_t page_bytes;  /* a power of two from 4096 (the default) to 65536 */
	uint32_t reserved;
} pc_pool_options;

typedef struct pc_pool_info {
	uint32_t size;
	uint32_t page_bytes;
	uint32_t frame_count;
	uint32_t free_count;  /* frames that no domain owns */
	void *first_page;     /* the page of frame 1; the others follow */
} pc_pool_info;

/* Makes a pool of frames that no domain owns yet. */
pc_status pc_pool_open(const pc_pool_options *options, pc_pool *pool);

/* Gives the memory back. PC_REFUSED: it has open rings. */
pc_status pc_pool_close(pc_pool pool);

pc_status pc_pool_get_info(pc_pool pool, pc_pool_info *info);

/* Gives frames to a domain: got of them, fewer than count when no more are free. Their bytes are what they were. */
pc_status pc_pool_allocate(pc_pool pool, uint32_t domain, uint32_t *frames, uint32_t count, uint32_t *got);

/* Takes frames from a domain that has them in its hands. PC_BAD_ARGUMENT: it has not; those before it are free. */
pc_status pc_pool_free(pc_pool pool, uint32_t domain, const uint32_t *frames, uint32_t count);

/* Where the page of a frame is. No check: the frame must be one of the pool's. */
static inline void *pc_frame_page(const pc_pool_info *info, uint32_t frame)
{
	return (char *)info->first_page + (size_t)(frame - 1) * info->page_bytes;
}

/* --------------------------------------------------------------------------------------- flipping rings ---- */

/*
 * A ring hands full pages from a producing domain to a consuming one. The consumer takes a page with its frame and
 * leaves a free frame for it, so no byte is copied and each domain has as many frames as before. The free frames come
 * back through the same slots: with the next pages that are published, or by pc_ring_collect. A ring knows from its pool
 * who owns which frame, and refuses frames that their giver has not got.
 */
typedef uint64_t pc_ring;

/* How many threads use each end at a time. */
enum {
	PC_RING_ONE_TO_ONE = 0,
	PC_RING_MANY_TO_MANY = 1
};

/* How the waiting functions wait. */
enum {
	PC_WAIT_ADAPTIVE = 0, /* pauses, then yields, then sleeps */
	PC_WAIT_SPIN = 1,
	PC_WAIT_PAUSE = 2,
	PC_WAIT_YIELD = 3,
	PC_WAIT_PARK = 4
};

typedef struct pc_ring_options {
	uint32_t size;
	uint32_t producer;   /* domains: two different ones */
	uint32_t consumer;
	uint32_t slot_count; /* a power of two from 2 to 32768; 0: 256 */
	uint32_t threads;    /* PC_RING_... */
	uint32_t wait;       /* PC_WAIT_... */
} pc_ring_options;

/* A full page on its way. */
typedef struct pc_flip_page {
	uint32_t size;
	uint32_t frame;
	uint32_t length;    /* bytes that mean something: 1 to page_bytes */
	uint32_t user_bits; /* whatever the domains agree on */
} pc_flip_page;

pc_status pc_ring_create(pc_pool pool, const pc_ring_options *options, pc_ring *ring);

/*
 * Publishes pages in order, as many as there are free slots for: published of them. The free frames that were in those
 * slots go to returned, which has room for count: returned_count of them, now the producer's. PC_FULL: none was
 * published. PC_BAD_ARGUMENT: a page that may not go; those before it may have been published.
 */
pc_status pc_ring_publish(
	pc_ring ring, const pc_flip_page *pages, uint32_t count, uint32_t *published, uint32_t *returned,
	uint32_t *returned_count);

/*
 * Takes pages in order, as many as are ready and there are free frames for: taken of them, and as many of the
 * consumer's free frames, the first ones, go into the ring. free_frames and pages have count elements; the size field of
 * the first element of pages must be set. PC_EMPTY: none was taken.
 */
pc_status pc_ring_flip(
	pc_ring ring, const uint32_t *free_frames, uint32_t count, pc_flip_page *pages, uint32_t *taken);

/* Takes returned frames out of the ring without publishing anything, at most room of them. */
pc_status pc_ring_collect(pc_ring ring, uint32_t *returned, uint32_t room, uint32_t *count);

/* Waits until there is a free slot, or a page to take; PC_FULL, PC_EMPTY when there is none in time. */
pc_status pc_ring_wait_publish(pc_ring ring, uint32_t timeout_ms);
pc_status pc_ring_wait_flip(pc_ring ring, uint32_t timeout_ms);

/*
 * Ends a ring and hands back the frames in it, all the producer's then: those of pages that nobody took first, untaken
 * of them. Threads that wait in it are sent away. PC_REFUSED: there is room for fewer than count; the ring is as before.
 */
pc_status pc_ring_close(pc_ring ring, uint32_t *frames, uint32_t room, uint32_t *count, uint32_t *untaken);

/* ------------------------------------------------------------------------------------------- layouts ---- */

/*
 * Where the library believes a field to be: for bindings to other languages, which cannot include this file. field may
 * be null for the size of the whole struct, at offset 0.
 */
pc_status pc_layout_of(const char *struct_name, const char *field, uint32_t *offset, uint32_t *size);

/* These hold on every machine that the library is for; otherwise this does not compile. */
#define PC_ASSERT_LAYOUT(name, condition) typedef char pc_layout_##name[(condition) ? 1 : -1]
PC_ASSERT_LAYOUT(cache_options, sizeof(pc_cache_options) == 48 && offsetof(pc_cache_options, name) == 40);
PC_ASSERT_LAYOUT(statistics, sizeof(pc_statistics) == 176 && offsetof(pc_statistics, leases_out) == 168);
PC_ASSERT_LAYOUT(file_options, sizeof(pc_file_options) == 16 && offsetof(pc_file_options, page_count_max) == 8);
PC_ASSERT_LAYOUT(object_info, sizeof(pc_object_info) == 32 && offsetof(pc_object_info, is_direct) == 24);
PC_ASSERT_LAYOUT(lease, sizeof(pc_lease) == 24 && offsetof(pc_lease, data) == 16);
PC_ASSERT_LAYOUT(write_lease, sizeof(pc_write_lease) == 24 && offsetof(pc_write_lease, data) == 16);
PC_ASSERT_LAYOUT(view, sizeof(pc_view) == 96 && offsetof(pc_view, page_bytes) == 92);
PC_ASSERT_LAYOUT(view_head, sizeof(pc_view_head) == 16 && offsetof(pc_view_head, word) == 8);
PC_ASSERT_LAYOUT(pool_options, sizeof(pc_pool_options) == 16 && offsetof(pc_pool_options, page_bytes) == 8);
PC_ASSERT_LAYOUT(pool_info, sizeof(pc_pool_info) == 24 && offsetof(pc_pool_info, first_page) == 16);
PC_ASSERT_LAYOUT(ring_options, sizeof(pc_ring_options) == 24 && offsetof(pc_ring_options, wait) == 20);
PC_ASSERT_LAYOUT(flip_page, sizeof(pc_flip_page) == 16 && offsetof(pc_flip_page, user_bits) == 12);

#ifdef __cplusplus
}
#endif

#endif
