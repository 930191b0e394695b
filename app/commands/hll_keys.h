/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys that hold HyperLogLog strings, under the hands of a command.
 */
#ifndef MILLRACE_APP_COMMANDS_HLL_KEYS_H
#define MILLRACE_APP_COMMANDS_HLL_KEYS_H

#include "app/commands/command.h"
#include "app/commands/hll.h"

/* Whether the value of e is one; replies the error when not. */
bool hll_check(struct client *c, const struct entry *e, struct slice *str);
/* What redis-server does to every string that these commands look at with the right to write. The
 * entry may move. */
void hll_make_raw(struct client *c, const struct slice *key, struct entry *e, size_t len);
/* Stores h (which the caller keeps) as a raw string, the time to live stays. False: no memory,
 * OOM has been replied. */
bool hll_store(struct client *c, const struct slice *key, const struct hll *h);
/* Replies what HLL_CORRUPT and HLL_NO_MEMORY stand for. */
void hll_reply_failed(struct client *c, enum hll_rc rc);

#endif
