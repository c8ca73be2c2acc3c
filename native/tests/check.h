// SPDX-License-Identifier: MIT
/* What the test programs share: a check that says where it failed, and the library's text with it. */
#ifndef PC_CHECK_H
#define PC_CHECK_H

#include <perfcache.h>
#include <stdio.h>
#include <stdlib.h>

static inline void check_failed(const char *file, int line, const char *what, long long got)
{
	char text[512];
	pc_last_error(text, sizeof text);
	fprintf(stderr, "%s:%d: %s does not hold (%lld); last error: %s\n", file, line, what, got, text);
	exit(1);
}

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			check_failed(__FILE__, __LINE__, #condition, 0); \
	} while (0)

#define CHECK_STATUS(call, wanted) \
	do { \
		pc_status status_ = (call); \
		if (status_ != (wanted)) \
			check_failed(__FILE__, __LINE__, #call " == " #wanted, status_); \
	} while (0)

#define CHECK_OK(call) CHECK_STATUS(call, PC_OK)

#endif
