/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/clock.h"

#include <time.h>

static uint64_t timespec_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_mono_us(void)
{
	return timespec_us(CLOCK_MONOTONIC);
}

int64_t clock_unix_us(void)
{
	return (int64_t)timespec_us(CLOCK_REALTIME);
}
