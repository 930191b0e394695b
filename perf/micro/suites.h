/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The benchmarks of each part: one file and one function a part, which adds them.
 */
#ifndef MILLRACE_PERF_MICRO_SUITES_H
#define MILLRACE_PERF_MICRO_SUITES_H

#include "perf/micro/bench.h"

void bench_csum_add(void);
void bench_obuf_add(void);
void bench_timer_add(void);
void bench_resp_add(void);
void bench_tcp_add(void);
void bench_log_add(const struct bench_options *opt);
void bench_rdb_add(void);
void bench_keyspace_add(const struct bench_options *opt);

#endif
