/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: entries in the order of their IDs, and groups of consumers that share them out.
 *
 *     blocks   a listpack of some entries each, by the ID of the first one (stream_priv.h)
 *     groups   by name; a group has
 *       pending    entries that were delivered and not acknowledged, by ID
 *       consumers  by name; a consumer has the IDs of those pending with it
 *
 * An entry that is deleted stays in its block, marked, until the last one there goes. What is said
 * here of entries is said of those that are not. A seek takes logarithmic time and a walk through
 * one block. The structs are for reading; what changes them is below, but for plain values: IDs,
 * counters and times.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_STREAM_H
#define MILLRACE_APP_KEYSPACE_TYPES_STREAM_H

#include "app/keyspace/types/listpack.h"
#include "app/keyspace/types/obj.h"
#include "app/keyspace/types/tree.h"

extern const struct obj_ops stream_ops;

/* --- IDs --- */

struct stream_id {
	uint64_t ms, seq;
};

#define STREAM_ID_MIN ((const struct stream_id){0, 0})
#define STREAM_ID_MAX ((const struct stream_id){UINT64_MAX, UINT64_MAX})

/* As memcmp(). */
static inline int stream_id_cmp(const struct stream_id *a, const struct stream_id *b)
{
	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	return a->seq == b->seq ? 0 : a->seq < b->seq ? -1 : 1;
}

static inline bool stream_id_is_min(const struct stream_id *id)
{
	return id->ms == 0 && id->seq == 0;
}

/* The ID behind and the one before. False: there is none, and it has come round. */
bool stream_id_next(struct stream_id *id);
bool stream_id_prev(struct stream_id *id);

#define STREAM_ID_TEXT_MAX 44
/* "ms-seq"; returns the length. */
size_t stream_id_text(const struct stream_id *id, char buf[STREAM_ID_TEXT_MAX]);

/* --- the stream --- */

struct stream {
	struct tree blocks;
	uint64_t nr; /* entries */
	struct stream_id last_id;
	struct stream_id first_id;       /* of the first entry, 0-0 when there is none */
	struct stream_id max_deleted_id; /* by XDEL */
	uint64_t entries_added;          /* ever */
	struct tree groups;
};

static inline struct stream *stream_of(const struct obj *o)
{
	return o->ptr;
}

/* An empty stream. False: no memory. */
bool stream_make(struct obj *o);
/* Adds an entry: nr_fields pairs of field and value. Its ID is above last_id, and becomes it.
 * False: no memory, nothing has changed. */
bool stream_add(struct stream *s, const struct stream_id *id, const struct slice *pairs,
	uint32_t nr_fields, const struct obj_limits *limits);
/* The sum of the lengths of fields and values may not pass this. */
#define STREAM_ENTRY_MAX LP_BYTES_MAX

enum stream_deleted {
	STREAM_DELETED,
	STREAM_NOT_THERE,
	STREAM_NO_MEMORY, /* nothing has changed */
};
enum stream_deleted stream_delete(struct stream *s, const struct stream_id *id);

struct stream_trim {
	bool by_id;  /* MINID; else MAXLEN */
	bool approx; /* whole blocks only */
	uint64_t max_len;
	struct stream_id min_id;
	uint64_t limit; /* entries at most; 0: no limit */
};
/* Removes entries from the beginning; *nr: how many. False: for want of memory some are left that
 * should go. */
bool stream_trim(struct stream *s, const struct stream_trim *trim, uint64_t *nr);

bool stream_has(const struct stream *s, const struct stream_id *id);
/* The ID of the first entry; the largest when there is none. */
struct stream_id stream_first_entry(const struct stream *s);
/* The ID of the last entry. False: there is none. */
bool stream_last_entry(const struct stream *s, struct stream_id *id);
/* The ID of the first entry, deleted ones in its block included; the largest when there is none. */
struct stream_id stream_first_in_block(const struct stream *s);
/* Nodes that a radix tree of the blocks' IDs has, as Redis keeps one. */
uint64_t stream_nr_radix_nodes(const struct stream *s);

/* --- walking --- */

struct stream_iter {
	/* the entry that stream_iter_next() has found */
	struct stream_id id;
	uint64_t nr_fields; /* that stream_iter_field() has not given yet */

	/* inside */
	struct stream_id from, to;
	bool back, same_fields;
	struct tree_pos block;
	const unsigned char *lp;
	struct stream_id master;
	uint64_t nr_master;
	const unsigned char *master_fields;
	const unsigned char *p;     /* where the next step begins; NULL: in another block */
	const unsigned char *at;    /* the next field or value */
	const unsigned char *field; /* the next field, when it is a master's */
	const unsigned char *flags; /* the entry's first element */
	char field_buf[KS_INT_STR_MAX], value_buf[KS_INT_STR_MAX];
};

/* From one ID to another, both included; back: begins with the last one. The stream must not change
 * meanwhile. */
void stream_iter_init(struct stream_iter *it, const struct stream *s, struct stream_id from,
	struct stream_id to, bool back);
/* False: there are no more. */
bool stream_iter_next(struct stream_iter *it);
/* Good until the next call of either. */
void stream_iter_field(struct stream_iter *it, struct slice *field, struct slice *value);

/* --- groups --- */

struct stream_name {
	uint32_t len;
	char bytes[];
};

#define STREAM_READ_UNKNOWN (-1)

struct stream_group {
	struct stream_id last_id; /* delivered last */
	int64_t entries_read;     /* of all that were ever added, or STREAM_READ_UNKNOWN */
	struct tree pending;
	struct tree consumers;
	struct stream_name name;
};

struct stream_consumer {
	int64_t seen_ms;
	struct tree pending;
	struct stream_name name;
};

struct stream_pending {
	struct stream_id id;
	int64_t time_ms; /* of the last delivery */
	uint64_t count;  /* of deliveries */
	struct stream_consumer *consumer;
};

static inline struct slice stream_name_text(const struct stream_name *name)
{
	return (struct slice){.ptr = name->bytes, .len = name->len};
}

struct stream_group *stream_group_find(const struct stream *s, const struct slice *name);
/* The name is not there yet. NULL: no memory. */
struct stream_group *stream_group_create(struct stream *s, const struct slice *name,
	const struct stream_id *id, int64_t entries_read);
void stream_group_destroy(struct stream *s, struct stream_group *g);
/* In the order of their names; NULL: no more. */
struct stream_group *stream_group_first(const struct stream *s, struct tree_pos *pos);
struct stream_group *stream_group_next(struct tree_pos *pos);
struct stream_group *stream_group_at(const struct tree_pos *pos);

struct stream_consumer *stream_consumer_find(
	const struct stream_group *g, const struct slice *name);
struct stream_consumer *stream_consumer_create(
	struct stream_group *g, const struct slice *name, int64_t now_ms);
/* With all that is pending with it. */
void stream_consumer_destroy(struct stream_group *g, struct stream_consumer *consumer);
struct stream_consumer *stream_consumer_first(const struct stream_group *g, struct tree_pos *pos);
struct stream_consumer *stream_consumer_next(struct tree_pos *pos);
struct stream_consumer *stream_consumer_at(const struct tree_pos *pos);

struct stream_pending *stream_pending_find(
	const struct stream_group *g, const struct stream_id *id);
/* The entry becomes pending with the consumer, whoever it was pending with; time and count are
 * kept, or zeros if it is new. NULL: no memory, nothing has changed. */
struct stream_pending *stream_pending_assign(
	struct stream_group *g, const struct stream_id *id, struct stream_consumer *consumer);
/* False: it was not pending. */
bool stream_pending_drop(struct stream_group *g, const struct stream_id *id);
/* The first one from an ID on, of the group or only of a consumer (which may be NULL); NULL: there
 * is none. In the order of IDs, until something becomes pending or is no more. */
struct stream_pending *stream_pending_from(const struct stream_group *g,
	const struct stream_consumer *consumer, const struct stream_id *id, struct tree_pos *pos);
struct stream_pending *stream_pending_next(
	const struct stream_group *g, const struct stream_consumer *consumer, struct tree_pos *pos);
struct stream_pending *stream_pending_at(const struct stream_group *g,
	const struct stream_consumer *consumer, const struct tree_pos *pos);
/* The group's last one. */
struct stream_pending *stream_pending_last(const struct stream_group *g);

/* How many entries had been added when the one with that ID was, or STREAM_READ_UNKNOWN. */
int64_t stream_entries_until(const struct stream *s, const struct stream_id *id);
/* An entry behind the group's last one has been delivered: it is the last one now. */
void stream_group_advance(
	const struct stream *s, struct stream_group *g, const struct stream_id *id);
/* How many entries the group has not read. False: not known. */
bool stream_group_lag(const struct stream *s, const struct stream_group *g, int64_t *lag);

/* --- as it lies, for RDB --- */

/* The block of that position in s->blocks. */
struct stream_block {
	struct stream_id id;
	unsigned char *lp; /* owned by the stream */
};
struct stream_block *stream_block_at(const struct tree_pos *pos);
struct tree_pos stream_block_first(const struct stream *s);
/* NULL: good; else what is wrong with the bytes as a block. *nr: entries. */
const char *stream_block_fault(
	const unsigned char *lp, size_t size, const struct stream_id *id, uint64_t *nr);
/* Takes a block without fault, that goes behind all that are there (and so do all its entries);
 * *fault tells when it does not. False: that, or no memory (*fault is NULL); the caller keeps
 * it. */
bool stream_block_put(
	struct stream *s, const struct stream_id *id, unsigned char *lp, const char **fault);

#endif
