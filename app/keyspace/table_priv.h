/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the two halves of the hash table share.
 */
#ifndef MILLRACE_APP_KEYSPACE_TABLE_PRIV_H
#define MILLRACE_APP_KEYSPACE_TABLE_PRIV_H

#include "app/keyspace/table.h"

static inline struct bucket *bucket_next(const struct bucket *b)
{
	return b->used & BUCKET_CHAINED ? b->slot[BUCKET_SLOTS - 1] : NULL;
}

#endif
