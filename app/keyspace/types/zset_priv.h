/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the encodings of sorted sets offer to zset.c.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_ZSET_PRIV_H
#define MILLRACE_APP_KEYSPACE_TYPES_ZSET_PRIV_H

#include "app/keyspace/types/dict.h"
#include "app/keyspace/types/zset.h"

/* --- skip list: zset_skip.c --- */

/* The size of an embedded value limits the height: enough for 4^19 members. */
#define ZSKIP_HEIGHT_MAX 19u

struct zskip_link {
	struct entry *next; /* NULL: the end, which the span then reaches to */
	uint32_t span;      /* ranks between the two */
} __attribute__((packed));

/* Embedded in a member's entry, at any alignment. */
struct zskip_node {
	double score;
	struct entry *prev; /* NULL: it is the first */
	struct zskip_link links[];
} __attribute__((packed));
static_assert(sizeof(struct zskip_node) + ZSKIP_HEIGHT_MAX * sizeof(struct zskip_link) <= 255,
	"a node fits into an embedded value");

struct zset {
	struct dict *members; /* owned, with the entries */
	struct entry *tail;
	uint32_t nr;
	uint32_t height; /* links of head that are in use */
	struct zskip_link head[ZSKIP_HEIGHT_MAX];
};

static inline struct zskip_node *zskip_node(const struct entry *e)
{
	return (struct zskip_node *)entry_emb_ptr(e);
}

struct zset *zskip_create(void);
void zskip_destroy(struct zset **z);
bool zskip_add(struct zset *z, const void *member, size_t len, double score);
/* Adds a member to the dict only; puts all members of the dict into an empty list. */
struct entry *zskip_add_loose(struct zset *z, const void *member, size_t len, double score);
void zskip_link_all(struct zset *z);
void zskip_set_score(struct zset *z, struct entry *e, double score);
void zskip_remove(struct zset *z, struct entry *e);
void zskip_remove_ranks(struct zset *z, uint64_t from, uint64_t n);
uint64_t zskip_rank(const struct zset *z, const struct entry *e);
/* rank < nr */
struct entry *zskip_at(const struct zset *z, uint64_t rank);
struct zset_ranks zskip_range_scores(const struct zset *z, const struct zset_scores *r);
bool zskip_destroy_part(struct zset **z, uint64_t *at, unsigned max);
struct zset_ranks zskip_range_lex(const struct zset *z, const struct zset_lex *r);

/* --- listpack: zset_pack.c --- */

double zpack_score(const unsigned char *p); /* of a score's element */
bool zpack_add(unsigned char **lp, const void *member, size_t len, double score);
bool zpack_set_score(
	unsigned char **lp, unsigned char *p, const void *member, size_t len, double score);
uint64_t zpack_rank(const unsigned char *lp, const unsigned char *p);
struct zset_ranks zpack_range_scores(const unsigned char *lp, const struct zset_scores *r);
struct zset_ranks zpack_range_lex(const unsigned char *lp, const struct zset_lex *r, bool reverse);

/* --- both --- */

static inline int zset_member_cmp(struct slice a, struct slice b)
{
	int d = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

	return d ? d : (a.len > b.len) - (a.len < b.len);
}

/* Whether a score, or a member, lies below the range, or not above its end. */
static inline bool zset_score_below(double score, const struct zset_scores *r)
{
	return r->min_open ? score <= r->min : score < r->min;
}

static inline bool zset_score_within(double score, const struct zset_scores *r)
{
	return r->max_open ? score < r->max : score <= r->max;
}

static inline bool zset_lex_below(struct slice m, const struct zset_lex *r)
{
	if (r->min_end != ZSET_LEX_BYTES)
		return r->min_end == ZSET_LEX_HIGH;
	int d = zset_member_cmp(m, r->min);

	return r->min_open ? d <= 0 : d < 0;
}

static inline bool zset_lex_within(struct slice m, const struct zset_lex *r)
{
	if (r->max_end != ZSET_LEX_BYTES)
		return r->max_end == ZSET_LEX_HIGH;
	int d = zset_member_cmp(m, r->max);

	return r->max_open ? d < 0 : d <= 0;
}

#endif
