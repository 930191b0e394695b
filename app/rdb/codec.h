/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values of a type and their RDB form: what each type brings, in a file of its own.
 *
 *     RDB items (repl/rdb_value.h) -> struct rdb_build -> struct obj
 *     struct obj -> form(), write() -> the primitives of repl/rdb_write.h
 *
 * The same codec serves snapshots, full synchronisation, DUMP, RESTORE and DEBUG RELOAD.
 */
#ifndef MILLRACE_APP_RDB_CODEC_H
#define MILLRACE_APP_RDB_CODEC_H

#include "app/keyspace/types/dict.h"
#include "app/keyspace/types/list.h"
#include "app/keyspace/types/stream.h"
#include "app/keyspace/types/zset.h"
#include "app/rdb/build.h"
#include "repl/rdb_write.h"

/* How far a value has been written; all zeros: not begun. The fields are the codec's own. */
struct rdb_progress {
	bool begun; /* what stands ahead of the value has been written */
	unsigned stage;
	uint64_t unit;                /* of a table; of a string: bytes */
	const struct list_node *node; /* the next one */
	struct zset_pos zset;
	struct tree_pos pos, group, consumer; /* of a stream */
};

/* Functions that return bool: false when the value is refused, with rdb_build_refuse() called. */
struct rdb_codec {
	/* The next item; those of a form come only in its order. b->obj and b->state are NULL at
	 * the beginning. */
	bool (*item)(struct rdb_build *b, const struct rdb_item *item);
	/* There are no more items: what can be checked only now. NULL: nothing. b->obj.ptr may be
	 * NULL: an empty value. */
	bool (*end)(struct rdb_build *b);
	/* Frees b->state, after the end or before it. NULL: there is never any. */
	void (*drop)(struct rdb_build *b);

	/* The form that o is written in. */
	enum rdb_type (*form)(const struct obj *o);
	/* Writes o in its form, without type and key, and goes on where the part before has ended:
	 * at its beginning when *at is all zeros. Ends early once the writer has written so many
	 * bytes in all. True: it is complete. What o holds must not change between parts. Errors
	 * stick to the writer. */
	bool (*write)(
		struct rdb_writer *w, const struct obj *o, struct rdb_progress *at, uint64_t until);
};

extern const struct rdb_codec rdb_hash;
extern const struct rdb_codec rdb_set;
extern const struct rdb_codec rdb_zset;
extern const struct rdb_codec rdb_list;
extern const struct rdb_codec rdb_stream;

/* Writes the members of a dict, each by fn, in parts. */
typedef void (*rdb_member_fn)(struct rdb_writer *w, const struct entry *e);
bool rdb_write_dict(struct rdb_writer *w, const struct dict *d, struct rdb_progress *at,
	uint64_t until, rdb_member_fn fn);

/* NULL: a type that is not stored here. */
const struct rdb_codec *rdb_codec(enum obj_type type);

#endif
