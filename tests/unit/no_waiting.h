/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests of commands on one data set without a node around it: nobody waits for keys.
 */
#ifndef MILLRACE_TESTS_UNIT_NO_WAITING_H
#define MILLRACE_TESTS_UNIT_NO_WAITING_H

#include "app/waiting.h"

#include <stdlib.h>

bool waiting_allowed(const struct client *c)
{
	return false;
}

bool waiting_timeout_arg(struct client *c, const struct slice *arg, int64_t *until_ms)
{
	*until_ms = 0;
	return true;
}

void waiting_begin(struct client *c, const struct wait_kind *kind, const struct slice *keys,
	uint32_t nr_keys, const struct stream_id *after, const struct slice *dst, int64_t until_ms)
{
	abort();
}

#endif
