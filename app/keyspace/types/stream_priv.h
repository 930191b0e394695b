/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams from inside: the form of blocks, which is Redis' (RDB files have them as they lie).
 *
 * A block is a listpack under an ID, the master ID; all elements but fields and values are
 * integers:
 *
 *     count, deleted           entries that are left, and that are marked as deleted
 *     n, field * n, 0          the master fields: those of the entry that came first
 *     entries, one after another:
 *       flags                  1: deleted; 2: its fields are the master fields
 *       ms, seq                its ID less the master ID
 *       n                      } not with flag 2
 *       (field, value) * n     with flag 2 only the values
 *       elements               how many elements stand before this one in the entry
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_STREAM_PRIV_H
#define MILLRACE_APP_KEYSPACE_TYPES_STREAM_PRIV_H

#include "app/keyspace/types/stream.h"

#include "app/keyspace/mem.h"
#include "checks.h"

#include <string.h>

enum {
	ENTRY_DELETED = 1,
	ENTRY_SAME_FIELDS = 2,
};

extern const struct tree_kind stream_block_kind, stream_pending_kind, stream_own_kind,
	stream_group_kind, stream_consumer_kind;

/* The beginning of a block. */
struct block_head {
	uint64_t count, deleted, nr_fields;
	unsigned char *fields; /* the first master field */
	unsigned char *zero;   /* behind them */
};

/* An entry in its block. */
struct block_entry {
	struct stream_id id;
	unsigned flags;
	uint64_t nr_fields;
	unsigned char *at; /* behind the head: its first field or value, or what ends it */
};

static inline int64_t lp_num(const unsigned char *p)
{
	struct lp_val val = lp_get(p);

	ASSERT(!val.str);
	return val.num;
}

static inline unsigned char *lp_skip(const unsigned char *lp, const unsigned char *p, uint64_t nr)
{
	while (nr-- > 0)
		p = lp_next(lp, p);
	return (unsigned char *)(uintptr_t)p;
}

static inline uint64_t entry_nr_elements(unsigned flags, uint64_t nr_fields)
{
	return flags & ENTRY_SAME_FIELDS ? nr_fields : 2 * nr_fields;
}

struct block_head stream_block_head(const unsigned char *lp);
/* The entry whose flags are at p. */
struct block_entry stream_block_entry(const unsigned char *lp, const struct stream_id *master,
	uint64_t nr_master, const unsigned char *p);
/* What follows the entry: the flags of the next one, or NULL. */
unsigned char *stream_block_after(const unsigned char *lp, const struct block_entry *e);
/* The ID of the last entry, deleted or not. */
struct stream_id stream_block_last(const unsigned char *lp, const struct stream_id *master);

/* A block with one entry, which has its master ID. NULL: no memory. */
unsigned char *stream_block_new(
	const struct slice *pairs, uint32_t nr_fields, const struct obj_limits *limits);
/* Adds one. False: no memory, nothing has changed. */
bool stream_block_add(unsigned char **lp, const struct stream_id *master,
	const struct stream_id *id, const struct slice *pairs, uint32_t nr_fields);
/* Room for a change of the counters, which needs no memory then. */
bool stream_block_ready(unsigned char **lp);
/* Marks the entry with its flags at p as deleted. */
void stream_block_mark(unsigned char *p);
/* So many entries have been marked: the counters. */
void stream_block_marked(unsigned char **lp, uint64_t nr);

/* Takes the block out, and frees it. */
void stream_block_remove(struct stream *s, const struct stream_id *id);
/* The first entry is gone, or others: first_id. */
void stream_first_settle(struct stream *s);
void stream_groups_free(struct stream *s);
/* Frees about *max allocations, and takes them off. True: all groups are gone. */
bool stream_groups_free_parts(struct stream *s, unsigned *max);
bool stream_groups_copy(const struct stream *from, struct stream *to);
size_t stream_groups_mem(const struct stream *s);

#endif
