// SPDX-License-Identifier: MIT
/*
 * refuse_calls NAME... -- PROGRAM ARGUMENTS: runs a program that gets EPERM for the named system calls, as a container
 * with a strict filter would give it. For tests. 64-bit Linux.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned number;
} calls[] = {
	{ "mbind", SYS_mbind }, { "set_mempolicy", SYS_set_mempolicy }, { "get_mempolicy", SYS_get_mempolicy },
	{ "move_pages", SYS_move_pages }, { "migrate_pages", SYS_migrate_pages }, { "madvise", SYS_madvise },
	{ "sched_setaffinity", SYS_sched_setaffinity }, { "memfd_create", SYS_memfd_create },
	{ "membarrier", SYS_membarrier }, { "io_uring_setup", 425 },
};

enum { CALLS = sizeof calls / sizeof calls[0] };

static int number_of(const char *name)
{
	for (int i = 0; i < CALLS; i++)
		if (strcmp(calls[i].name, name) == 0)
			return (int)calls[i].number;
	return -1;
}

int main(int argc, char **argv)
{
	struct sock_filter steps[2 * CALLS + 2];
	unsigned short count = 0;
	steps[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	int at = 1;
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		int number = number_of(argv[at]);
		if (number < 0 || count + 3 > (int)(sizeof steps / sizeof steps[0])) {
			fprintf(stderr, "refuse_calls: no name of a call that is known here: %s\n", argv[at]);
			return 2;
		}

		steps[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
		steps[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}

	if (at + 1 >= argc) {
		fprintf(stderr, "usage: refuse_calls NAME... -- PROGRAM ARGUMENTS\n");
		return 2;
	}

	steps[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { count, steps };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
		perror("refuse_calls: prctl");
		return 1;
	}

	execvp(argv[at + 1], argv + at + 1);
	perror(argv[at + 1]);
	return 127;
}
