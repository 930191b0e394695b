/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Internet checksum over a small and over a full segment.
 */
#include "dataplane/ip/csum.h"

#include "perf/micro/suites.h"

static const uint8_t bytes[1460] = {0x5a, 0xa5, 1, 2, 3};

static void csum_run(size_t len, uint64_t n)
{
	while (n-- > 0) {
		bench_keep(bytes); /* or the sum would be taken once */
		uint16_t sum = csum_of(bytes, len);

		bench_keep(&sum);
	}
}

static void csum_64(struct bench_run *r, void *ctx, uint64_t n)
{
	(void)r;
	(void)ctx;
	csum_run(64, n);
}

static void csum_1460(struct bench_run *r, void *ctx, uint64_t n)
{
	(void)r;
	(void)ctx;
	csum_run(1460, n);
}

void bench_csum_add(void)
{
	bench_add(&(struct bench){.name = "csum/64", .run = csum_64, .bytes = 64});
	bench_add(&(struct bench){.name = "csum/1460", .run = csum_1460, .bytes = 1460});
}
