#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The C interface from Python, by ctypes alone: perfcache.py LIBRARY FILE

Checks its own structs against what the library says of its own, reads all pages of the file twice through a cache,
without copying them, changes the first byte of page 0 in an object of its own, and prints what the cache counted.
"""
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

OK = 0
NOT_RESIDENT = 1
COUNT_HITS = 1
READ_ONLY = 1


class SizedStruct(ctypes.Structure):
    """A struct that begins with its size, set when it is made."""

    def __init__(self, **fields):
        super().__init__(size=ctypes.sizeof(self), **fields)


class CacheOptions(SizedStruct):
    c_name = "pc_cache_options"
    _fields_ = [
        ("size", c_uint32), ("page_bytes", c_uint32), ("capacity_bytes", c_uint64), ("policy", c_uint32),
        ("flags", c_uint32), ("readahead_pages", c_uint32), ("patience_ms", c_uint32),
        ("flush_interval_ms", c_uint32), ("dirty_age_ms", c_uint32), ("name", c_char_p),
    ]


class FileOptions(SizedStruct):
    c_name = "pc_file_options"
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("page_count_max", c_uint64)]


class ObjectInfo(SizedStruct):
    c_name = "pc_object_info"
    _fields_ = [
        ("size", c_uint32), ("can_write", c_uint32), ("page_count", c_uint64), ("length_bytes", c_uint64),
        ("is_direct", c_uint32), ("reserved", c_uint32),
    ]


class Lease(SizedStruct):
    c_name = "pc_lease"
    _fields_ = [("size", c_uint32), ("length", c_uint32), ("handle", c_uint64), ("data", c_void_p)]


class WriteLease(SizedStruct):
    c_name = "pc_write_lease"
    _fields_ = Lease._fields_


class Statistics(SizedStruct):
    c_name = "pc_statistics"
    _fields_ = [("size", c_uint32), ("page_bytes", c_uint32)] + [
        (name, c_uint64)
        for name in (
            "capacity_bytes used_bytes frame_count resident_pages hits misses load_failures insertions refaults "
            "activations deactivations evictions removals lock_waits dirty_pages pages_written write_requests "
            "write_failures readahead_pages readahead_hits leases_out"
        ).split()
    ]


class PerfCacheError(Exception):
    """A call failed; the text is the library's."""


def load(path):
    """Loads the library, tells ctypes what its functions take, and compares the layouts."""
    library = ctypes.CDLL(path)
    library.pc_version.restype = c_uint32
    library.pc_last_error.argtypes = [c_char_p, c_size_t]
    library.pc_last_error.restype = c_size_t
    library.pc_status_name.restype = c_char_p

    def check(status, function, _):
        if status >= 0:
            return status
        text = ctypes.create_string_buffer(512)
        library.pc_last_error(text, len(text))
        name = library.pc_status_name(c_int32(status)).decode()
        raise PerfCacheError(f"{function.__name__}: {name}: {text.value.decode(errors='replace')}")

    for name, arguments in {
        "pc_open": [POINTER(CacheOptions), POINTER(c_uint64)],
        "pc_close": [c_uint64],
        "pc_attach_file": [c_uint64, c_char_p, POINTER(FileOptions), POINTER(c_uint64)],
        "pc_add_object": [c_uint64, c_uint64, c_uint32, POINTER(c_uint64)],
        "pc_get_object_info": [c_uint64, POINTER(ObjectInfo)],
        "pc_get": [c_uint64, c_uint64, POINTER(Lease)],
        "pc_try_get": [c_uint64, c_uint64, POINTER(Lease)],
        "pc_release": [c_uint64],
        "pc_begin_write": [c_uint64, c_uint64, POINTER(WriteLease)],
        "pc_commit": [c_uint64],
        "pc_get_statistics": [c_uint64, POINTER(Statistics)],
        "pc_layout_of": [c_char_p, c_char_p, POINTER(c_uint32), POINTER(c_uint32)],
    }.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = c_int32
        function.errcheck = check

    if library.pc_version() >> 16 != 1:
        raise PerfCacheError(f"made for version 1 of the library, found {library.pc_version() >> 16}")
    for struct in (CacheOptions, FileOptions, ObjectInfo, Lease, WriteLease, Statistics):
        compare_layout(library, struct)
    return library


def compare_layout(library, struct):
    offset, size = c_uint32(), c_uint32()
    library.pc_layout_of(struct.c_name.encode(), None, byref(offset), byref(size))
    if size.value != ctypes.sizeof(struct):
        raise PerfCacheError(f"{struct.c_name} has {size.value} bytes, here {ctypes.sizeof(struct)}")
    for name, _ in struct._fields_:
        library.pc_layout_of(struct.c_name.encode(), name.encode(), byref(offset), byref(size))
        mine = getattr(struct, name)
        if (offset.value, size.value) != (mine.offset, mine.size):
            raise PerfCacheError(f"{struct.c_name}.{name} is at {offset.value}, here at {mine.offset}")


def main():
    if len(sys.argv) != 3:
        print("usage: perfcache.py LIBRARY FILE", file=sys.stderr)
        return 2
    library = load(sys.argv[1])
    cache, file, scratch = c_uint64(), c_uint64(), c_uint64()
    library.pc_open(byref(CacheOptions(capacity_bytes=16 << 20, flags=COUNT_HITS, name=b"python")), byref(cache))
    library.pc_attach_file(cache, sys.argv[2].encode(), byref(FileOptions(flags=READ_ONLY)), byref(file))
    info = ObjectInfo()
    library.pc_get_object_info(file, byref(info))
    total = 0
    for _ in range(2):
        for page in range(info.page_count):
            lease = Lease()
            library.pc_get(file, page, byref(lease))
            view = (ctypes.c_ubyte * lease.length).from_address(lease.data)
            total += sum(view[:16])
            library.pc_release(lease.handle)

    library.pc_add_object(cache, 10, 0, byref(scratch))
    write = WriteLease()
    library.pc_begin_write(scratch, 0, byref(write))
    ctypes.memmove(write.data, b"python", 6)
    library.pc_commit(write.handle)
    lease = Lease()
    library.pc_get(scratch, 0, byref(lease))
    written = ctypes.string_at(lease.data, 6).decode()
    library.pc_release(lease.handle)
    absent = library.pc_try_get(scratch, 1, byref(lease)) == NOT_RESIDENT
    try:
        library.pc_release(lease.handle)
        twice = "accepted"
    except PerfCacheError as error:
        twice = "refused" if "PC_CLOSED" in str(error) else str(error)

    counts = Statistics()
    library.pc_get_statistics(cache, byref(counts))
    library.pc_close(cache)
    print(
        f"pages={info.page_count} sum={total} hits={counts.hits} misses={counts.misses} written={written} "
        f"absent={absent} second-release={twice}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
