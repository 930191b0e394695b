/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For codecs: values that come as one blob, and what elements of theirs are as text.
 */
#ifndef MILLRACE_APP_RDB_BLOB_H
#define MILLRACE_APP_RDB_BLOB_H

#include "app/keyspace/types/listpack.h"
#include "app/rdb/build.h"
#include "repl/rdb_old.h"
#include "repl/rdb_write.h"

/* A copy, owned by the caller, of the listpack that an item brings. Refused unless it is valid to
 * the last byte, and its elements can be divided into groups of that many. */
bool rdb_blob_listpack(
	struct rdb_build *b, const struct rdb_item *item, size_t group, unsigned char **lp);

/* The same, and the first elements of all groups are different. */
bool rdb_blob_named(
	struct rdb_build *b, const struct rdb_item *item, size_t group, unsigned char **lp);

/* An item's string. */
static inline struct slice rdb_item_text(const struct rdb_item *item)
{
	return (struct slice){.ptr = item->str.bytes, .len = item->str.len};
}

/* Takes the element's text; false: refused. */
typedef bool (*rdb_old_fn)(struct rdb_build *b, struct slice text);
/* Begins with the blob that an item brings, of the kind that b->form says (a ziplist or a zipmap),
 * and hands all its elements to fn. Refused unless it is valid. */
bool rdb_blob_old(struct rdb_build *b, const struct rdb_item *item, rdb_old_fn fn);

/* A number as text. */
bool rdb_text_double(struct slice text, double *out);

/* Writes an element. */
void rdb_write_val(struct rdb_writer *w, const struct lp_val *val);

#endif
