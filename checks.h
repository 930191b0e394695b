/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks of the program's own logic. ASSERT() is compiled into debug, test and fuzz builds
 * (meson option "checks"); BUG_ON() always: it guards memory safety and durability.
 */
#ifndef MILLRACE_CHECKS_H
#define MILLRACE_CHECKS_H

#include <stdio.h>
#include <stdlib.h>

/* Prints the failed condition and aborts. Conditions have no side effects. */
static inline __attribute__((noreturn, cold)) void assert_failed(
	const char *what, const char *cond, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, cond);
	abort();
}

#ifdef MILLRACE_CHECKS
#define ASSERT(cond)                                                                               \
	((cond) ? (void)0 : assert_failed("assertion failed", #cond, __FILE__, __LINE__))
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#define BUG_ON(cond)                                                                               \
	(__builtin_expect(!!(cond), 0) ? assert_failed("bug", #cond, __FILE__, __LINE__) : (void)0)

#endif
