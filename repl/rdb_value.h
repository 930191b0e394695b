/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The values of RDB, item by item: so that a collection of any size is read without being held as
 * a whole.
 *
 * A type's form is a short text, one letter an item (enum rdb_item_kind). A group in brackets comes
 * as often as the count ahead of it says:
 *
 *   list 1    n(e)        set 2       n(m)      zset 3, 5   n(mt), n(ms)     hash 4   n(fv)
 *   list 14   n(b)        list 18     n(cb)     string, and what is one blob   b
 *   stream    n(ib) lL [FDA] n( gG [R] n(pTC) n( uS [V] n(q) ) )
 *             format 1 lacks what is in square brackets; 2 has no V; 3 has all
 *
 * - An item takes at least one byte and every step takes one item, so a count announces work only
 *   as far as bytes come for it. Nothing is allocated by it.
 * - What items mean together (two fields of one name, an ID out of order) is the receiver's to
 *   check; here they are well formed one by one.
 *
 * Any thread; nothing is kept between calls but the caller's state.
 */
#ifndef MILLRACE_REPL_RDB_VALUE_H
#define MILLRACE_REPL_RDB_VALUE_H

#include "repl/rdb_decode.h"

/* How a group may be nested. */
#define RDB_VALUE_DEPTH 3

/* Where the reading of a value stands. */
struct rdb_value_scan {
	const char *at; /* the item to come; at the end of the text: none */
	unsigned depth;
	struct {
		const char *body;
		uint64_t left; /* how often it comes yet, the present time included */
	} loops[RDB_VALUE_DEPTH];
};

/* True if values of this type are read. */
bool rdb_value_known(unsigned type);

/* Begins with a value of a known type. */
void rdb_value_scan_init(struct rdb_value_scan *vs, enum rdb_type type);

static inline bool rdb_value_scan_over(const struct rdb_value_scan *vs)
{
	return *vs->at == '\0';
}

/* Reads the item at *pos of a value that is not over, and moves *pos behind it. Its string is
 * borrowed: it lies in the input or in scratch. MORE: *pos stays and *need is the least len with
 * which to come again. BAD: the fault is set. */
enum rdb_step rdb_value_scan_item(struct rdb_value_scan *vs, const struct rdb_input *in,
	size_t *pos, struct rdb_scratch *scratch, struct rdb_item *item, size_t *need);

#endif
