/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-bench: what the single parts cost, each alone.
 */
#include "perf/micro/bench.h"
#include "perf/micro/suites.h"

int main(int argc, char **argv)
{
	struct bench_options opt = {.max_keys = 10000000, .dir = "."};

	if (!bench_options_parse(&argc, argv, &opt))
		return 2;
	bench_csum_add();
	bench_obuf_add();
	bench_timer_add();
	bench_resp_add();
	bench_tcp_add();
	bench_log_add(&opt);
	bench_rdb_add();
	bench_keyspace_add(&opt);
	return bench_run_all();
}
