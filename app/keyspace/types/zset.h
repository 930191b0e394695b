/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: members with a score each, ordered by score, then by the bytes of the member.
 *
 * LISTPACK: member, score, member, score ... in that order. A score that is a whole number within
 * half the range of 64 bits is an element with that integer (so -0 becomes 0), any other is text
 * in the form of %.17g, infinities as "inf" and "-inf". Bytes as redis-server 7.0 writes them.
 *
 * SKIPLIST: struct zset, a dict of the members and a skip list through its entries. Each entry has
 * its score and its links in the place of the embedded value, so that a member is one allocation:
 *
 *     header | member | score 8 | previous 8 | (next 8, span 4) * height
 *
 * Links count what they pass over (their span), so rank, member by rank, and ranges by score or by
 * name cost O(log n); all ranges are given by ranks here. Scores are never NaN.
 *
 * Functions that add may turn LISTPACK into SKIPLIST when limits are passed. None needs an element
 * order that is right: a listpack from elsewhere gives odd answers, but no crash.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_ZSET_H
#define MILLRACE_APP_KEYSPACE_TYPES_ZSET_H

#include "app/keyspace/types/obj.h"

#define ZSET_SCORE_TEXT_MAX 40 /* room for a score as text */

extern const struct obj_ops zset_ops;

/* An empty one for members of up to len bytes: LISTPACK unless the limits rule it out. False: no
 * memory. */
bool zset_create(struct obj *o, const struct obj_limits *lim, size_t len);
/* An empty SKIPLIST, for results whose size is not known yet: zset_settle() afterwards. */
bool zset_create_skiplist(struct obj *o);
/* Makes a LISTPACK of a SKIPLIST when it is within the limits; with no memory it stays. */
void zset_settle(struct obj *o, const struct obj_limits *lim);
/* Whether the elements of a listpack are members and scores, each by itself; lp_valid() has been
 * true for it. */
bool zset_listpack_valid(const unsigned char *lp);
/* Makes a sorted set of such a listpack (taken on success), in the encoding that the limits ask
 * for. Of a member that is there twice the last stays when it is converted. */
bool zset_from_listpack(struct obj *o, unsigned char *lp, const struct obj_limits *lim);

size_t zset_count(const struct obj *o);

/* Filling a new SKIPLIST when scores still change on the way, as in a union: of all other calls
 * only zset_find() is allowed until zset_loose_end() has put the members in order. */
bool zset_loose_add(struct obj *o, const void *member, size_t len, double score);
void zset_loose_end(struct obj *o);

/* A member that has been found, until the next change. */
struct zset_ref {
	struct entry *e;  /* SKIPLIST */
	unsigned char *p; /* LISTPACK: its member */
	double score;
};
bool zset_find(const struct obj *o, const void *member, size_t len, struct zset_ref *ref);
void zset_loose_set(const struct zset_ref *ref, double score);
/* Adds a member that is not there. False: no memory, nothing has changed. */
bool zset_add(
	struct obj *o, const void *member, size_t len, double score, const struct obj_limits *lim);
/* Gives a member that is there (again named by its bytes) another score. False as before. */
bool zset_set_score(
	struct obj *o, const struct zset_ref *ref, const void *member, size_t len, double score);
void zset_remove(struct obj *o, const struct zset_ref *ref);
/* Removes n members from a rank on, at most those that there are. */
void zset_remove_ranks(struct obj *o, uint64_t from, uint64_t n);
/* The number of members before it. */
uint64_t zset_rank(const struct obj *o, const struct zset_ref *ref);

/* A place in the order. member is good until the position moves or the set changes. */
struct zset_pos {
	struct slice member;
	double score;
	/* inside */
	const struct obj *o;
	struct entry *e;
	unsigned char *p;
	char buf[KS_INT_STR_MAX];
};
/* False: there is no such rank, or nothing more in that direction. */
bool zset_seek(const struct obj *o, uint64_t rank, struct zset_pos *pos);
bool zset_last(const struct obj *o, struct zset_pos *pos);
bool zset_next(struct zset_pos *pos);
bool zset_prev(struct zset_pos *pos);

/* Ranks from <= rank < to. */
struct zset_ranks {
	uint64_t from, to;
};
struct zset_scores {
	double min, max;
	bool min_open, max_open; /* the end itself does not belong */
};
enum zset_lex_end {
	ZSET_LEX_BYTES,
	ZSET_LEX_LOW,  /* before every member: "-" */
	ZSET_LEX_HIGH, /* behind every member: "+" */
};
struct zset_lex {
	struct slice min, max; /* ZSET_LEX_BYTES */
	enum zset_lex_end min_end, max_end;
	bool min_open, max_open;
	uint64_t skip; /* so many members of the range are passed over (LIMIT) */
};
struct zset_ranks zset_range_scores(const struct obj *o, const struct zset_scores *r);
/* Makes sense where all scores are equal. Where they are not, a LISTPACK answers as Redis does,
 * for which the direction of the walk matters, and that the end of the range is looked for only
 * behind those that are skipped. */
struct zset_ranks zset_range_lex(const struct obj *o, const struct zset_lex *r, bool reverse);

typedef void (*zset_scan_fn)(void *ctx, struct slice member, double score);
/* SCAN's guarantee; a LISTPACK is visited as a whole. Returns the next cursor, 0 at the end. */
uint64_t zset_scan(const struct obj *o, uint64_t cursor, zset_scan_fn fn, void *ctx);

/* As Redis' %.17g: for digests and for listpacks. Returns the length. */
size_t zset_score_text(double score, char buf[ZSET_SCORE_TEXT_MAX]);

#endif
