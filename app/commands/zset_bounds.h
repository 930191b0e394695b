/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ends of ranges as arguments: "5", "(5" (without 5 itself), "-inf"; by name "[a", "(a", "-", "+".
 */
#ifndef MILLRACE_APP_COMMANDS_ZSET_BOUNDS_H
#define MILLRACE_APP_COMMANDS_ZSET_BOUNDS_H

#include "app/commands/command.h"
#include "app/keyspace/types/zset.h"

/* False: the error that Redis gives has been replied. The range borrows from the arguments. */
bool zset_scores_arg(struct client *c, const struct slice *min, const struct slice *max,
	struct zset_scores *out);
bool zset_lex_arg(
	struct client *c, const struct slice *min, const struct slice *max, struct zset_lex *out);

/* Indexes as ZRANGE takes them, negative ones from the end: the ranks of nr members that they
 * mean. */
struct zset_ranks zset_ranks_clip(int64_t start, int64_t stop, uint64_t nr);

#endif
