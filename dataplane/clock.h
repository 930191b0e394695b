/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The clock: the only place that reads one. A poll core reads it once per loop and hands the time
 * down.
 */
#ifndef MILLRACE_DATAPLANE_CLOCK_H
#define MILLRACE_DATAPLANE_CLOCK_H

#include <rte_cycles.h>
#include <stdint.h>

uint64_t clock_mono_us(void); /* monotonic, microseconds */
int64_t clock_unix_us(void);  /* since the Unix epoch, microseconds */

/* Time stamp counter: differences only. */
static inline uint64_t clock_cycles(void)
{
	return rte_rdtsc();
}

#endif
