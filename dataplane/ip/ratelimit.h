/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Token bucket: bounds what a peer can make us send.
 */
#ifndef MILLRACE_DATAPLANE_IP_RATELIMIT_H
#define MILLRACE_DATAPLANE_IP_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct ratelimit {
	uint64_t filled_us;
	uint64_t credit; /* millionths of a token */
	uint32_t per_s;  /* rate; the bucket holds one second's worth */
};

static inline void ratelimit_init(struct ratelimit *rl, uint32_t per_s, uint64_t now_us)
{
	rl->filled_us = now_us;
	rl->per_s = per_s;
	rl->credit = (uint64_t)per_s * 1000000;
}

/* Takes one token if there is one. */
static inline bool ratelimit_allow(struct ratelimit *rl, uint64_t now_us)
{
	const uint64_t full = (uint64_t)rl->per_s * 1000000;
	uint64_t past_us = now_us - rl->filled_us;

	rl->filled_us = now_us;
	if (past_us >= 1000000)
		rl->credit = full;
	else if (rl->credit + past_us * rl->per_s >= full)
		rl->credit = full;
	else
		rl->credit += past_us * rl->per_s;
	if (rl->credit < 1000000)
		return false;
	rl->credit -= 1000000;
	return true;
}

#endif
