/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random numbers for sampling: fast, not secret.
 */
#ifndef MILLRACE_APP_KEYSPACE_RAND_H
#define MILLRACE_APP_KEYSPACE_RAND_H

#include <stdint.h>

/* 64 random bits. Any thread; each has its own sequence. */
uint64_t ks_rand(void);
/* Repeats a sequence in the calling thread: for tests. */
void ks_rand_seed(uint64_t seed);
/* A number below n, which is not 0. */
uint64_t ks_rand_below(uint64_t n);

#endif
