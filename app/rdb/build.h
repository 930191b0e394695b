/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Building a collection from the items of its RDB form.
 *
 *     rdb_build_init(&b, &limits);
 *     for each value:
 *         rdb_build_begin(&b, type), rdb_build_item(&b, &item) for all of them,
 *         rdb_build_end(&b, &obj)
 *     rdb_build_fini(&b);                      at any time
 *
 * Items may come from anywhere: blobs are checked to the last byte, fields and members must not
 * come twice, and memory grows with what has come, never with an announced count. The encodings of
 * the result follow our limits, whatever the form was.
 *
 * One thread at a time; any thread.
 */
#ifndef MILLRACE_APP_RDB_BUILD_H
#define MILLRACE_APP_RDB_BUILD_H

#include "app/keyspace/types/obj.h"
#include "repl/rdb.h"

#include <stdbool.h>

struct rdb_codec;

struct rdb_build {
	struct obj_limits limits;
	const struct rdb_codec *codec; /* NULL: no value is being built */
	enum rdb_type form;
	char why[128]; /* the reason of a refusal */

	/* the codec's: */
	struct obj obj; /* what there is of it, owned; ptr NULL: nothing yet */
	void *state;    /* owned */
	bool holding;   /* held waits for the next item */
	char *held;     /* a copy of an item's string, owned */
	size_t held_len, held_cap;
	enum rdb_container container; /* of a list's node, which comes next */
};

enum rdb_built {
	RDB_BUILT_VALUE,
	RDB_BUILT_EMPTY,   /* nothing in it: such a key must not be */
	RDB_BUILT_REFUSED, /* b->why tells the reason */
};

void rdb_build_init(struct rdb_build *b, const struct obj_limits *limits);
void rdb_build_fini(struct rdb_build *b);

/* False: refused. Then the value is dropped, and why tells the reason. */
bool rdb_build_begin(struct rdb_build *b, enum rdb_type form);
bool rdb_build_item(struct rdb_build *b, const struct rdb_item *item);
/* On RDB_BUILT_VALUE *out is the caller's. */
enum rdb_built rdb_build_end(struct rdb_build *b, struct obj *out);

/* For codecs. All return false. */
bool rdb_build_refuse(struct rdb_build *b, const char *why);
bool rdb_build_no_memory(struct rdb_build *b);

/* For codecs: keeps a copy of the text in held. False: no memory, refused. */
bool rdb_build_hold(struct rdb_build *b, struct slice text);

#endif
