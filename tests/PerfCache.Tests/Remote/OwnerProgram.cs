// SPDX-License-Identifier: MIT
using PerfCache.Tests.Judges;

namespace PerfCache.Tests.Remote;

/// <summary>What an owner of memory does while some of it is lent: a small C program, without a runtime of its own.</summary>
internal static class OwnerProgram
{
    private const string Source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/stat.h>
        #include <time.h>
        #include <unistd.h>

        static char page[1 << 20];

        /* Blocks of 8 MiB, allocated, touched and kept: the processor time that each took, in nanoseconds. Other
           programs' time slices are not in it; what the kernel does to find the memory is. */
        static int allocate(int blocks)
        {
            for (int block = 0; block < blocks; block++) {
                struct timespec from, to;
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
                volatile char *bytes = malloc(8 << 20);
                if (!bytes) return 1;
                for (int at = 0; at < 8 << 20; at += 4096) bytes[at] = 1;
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
                printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
            }
            return 0;
        }

        static long long fetched(void)
        {
            char line[100];
            long long bytes = -1;
            FILE *file = fopen("/proc/self/io", "r");
            while (file && fgets(line, sizeof line, file)) sscanf(line, "read_bytes: %lld", &bytes);
            if (file) fclose(file);
            return bytes;
        }

        /* Pages of a file in any order: how many, and how many of them came from the disk. */
        static int read_pages(const char *name, int passes)
        {
            int file = open(name, O_RDONLY);
            struct stat facts;
            if (file < 0 || fstat(file, &facts)) return 1;
            posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
            long long pages = facts.st_size / 4096, before = fetched(), reads = pages * passes;
            unsigned long long random = 88172645463325252ULL;
            for (long long i = 0; i < reads; i++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if (pread(file, page, 4096, (long long)(random % pages) * 4096) != 4096) return 1;
            }
            printf("%lld %lld\n", reads, before < 0 ? -1 : (fetched() - before) / 4096);
            return 0;
        }

        /* A file from end to end, over and over. */
        static int load(const char *name, int seconds)
        {
            int file = open(name, O_RDONLY);
            if (file < 0) return 1;
            for (time_t end = time(0) + seconds; time(0) < end;)
                if (read(file, page, sizeof page) <= 0) lseek(file, 0, SEEK_SET);
            return 0;
        }

        /* What an arena must not do: huge pages that are marked, and one byte of each written again. */
        static int lend_wrongly(int mebibytes)
        {
            size_t bytes = (size_t)mebibytes << 20;
            char *memory = aligned_alloc(2 << 20, bytes);
            if (!memory || madvise(memory, bytes, MADV_HUGEPAGE)) return 1;
            memset(memory, 1, bytes);
            if (madvise(memory, bytes, MADV_FREE)) return 1;
            for (size_t at = 0; at < bytes; at += 2 << 20) memory[at] = 2;
            puts("lent");
            fflush(stdout);
            pause();
            return 0;
        }

        int main(int count, char **words)
        {
            if (count == 3 && !strcmp(words[1], "malloc")) return allocate(atoi(words[2]));
            if (count == 4 && !strcmp(words[1], "read")) return read_pages(words[2], atoi(words[3]));
            if (count == 4 && !strcmp(words[1], "load")) return load(words[2], atoi(words[3]));
            if (count == 3 && !strcmp(words[1], "huge")) return lend_wrongly(atoi(words[2]));
            return 2;
        }
        """;

    /// <summary>The path of the program; the test is skipped where it cannot be compiled.</summary>
    internal static string In(string folder) => RecordedRun.Compile(folder, "owner", Source);
}
