/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sequence numbers: 32 bits that wrap (RFC 9293, 3.4). Valid for distances below 2^31. Timestamps
 * of RFC 7323 compare the same way.
 */
#ifndef MILLRACE_DATAPLANE_TCP_SEQ_H
#define MILLRACE_DATAPLANE_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b)
{
	return seq_lt(b, a);
}

static inline bool seq_geq(uint32_t a, uint32_t b)
{
	return seq_leq(b, a);
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? b : a;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}

/* Is seq in [from, to)? */
static inline bool seq_in(uint32_t seq, uint32_t from, uint32_t to)
{
	return seq - from < to - from;
}

/* Bytes [start, end) of the sequence space. */
struct tcp_range {
	uint32_t start;
	uint32_t end;
};

#endif
