/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the fuzz targets of the network stack share: their input, read step by step, and packets
 * that are counted, so that each has to come back.
 */
#ifndef MILLRACE_TESTS_FUZZ_BENCH_H
#define MILLRACE_TESTS_FUZZ_BENCH_H

#include "dataplane/ip/net.h"

#include <stddef.h>
#include <stdint.h>

#define BENCH_BUF_LEN 2048u
#define BENCH_MAX_OUT 400u /* packets at a time; then there are none */

/* The first member of a target's own. */
struct bench {
	struct pkt_pool pool;
	uint32_t nr_out;
	struct net net;
	uint64_t now_us;
	const uint8_t *in;
	size_t left;
};

/* An empty bench for the input; the net is still to be made. */
void bench_init(struct bench *b, const uint8_t *data, size_t len);

/* A configuration of small bounds, which an input can reach. */
void bench_cfg(struct net_cfg *cfg);

/* Takes steps until the input is used up, with a look at all connections after each; then ends the
 * net, and all packets have to be back. */
void bench_run(struct bench *b, void (*step)(struct bench *b));

/* The next number of the input, little-endian; 0 behind its end. */
uint8_t bench_next8(struct bench *b);
uint16_t bench_next16(struct bench *b);

/* Gives the stack a frame, whose last byte is the last of its buffer. */
void bench_inject(struct bench *b, const uint8_t *frame, uint32_t len);

#endif
