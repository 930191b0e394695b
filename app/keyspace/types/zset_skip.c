/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The skip list of a sorted set.
 *
 *     head   o------------------------------> c ---------> (end)     level 1
 *            o ---------> a ---------> b ---> c ---------> (end)     level 0
 *
 * A node is on level i with probability 4^-i. A way to a place is, for each level, the last node
 * before it and that node's rank (the head has rank 0, the first node 1). Changes take one.
 *
 * The functions with a predicate are inlined with it: nothing is called through a pointer.
 */
#include "app/keyspace/types/zset_priv.h"

#include "app/keyspace/mem.h"
#include "app/keyspace/rand.h"

struct way {
	struct entry *node[ZSKIP_HEIGHT_MAX]; /* NULL: the head */
	uint64_t rank[ZSKIP_HEIGHT_MAX];
};

/* Of a place in the order. */
struct key {
	double score;
	struct slice member;
};

static inline struct zskip_link *link_of(const struct zset *z, const struct entry *e, unsigned i)
{
	return e ? &zskip_node(e)->links[i] : (struct zskip_link *)&z->head[i];
}

static unsigned height_of(const struct entry *e)
{
	return (e->emb_len - sizeof(struct zskip_node)) / sizeof(struct zskip_link);
}

static unsigned height_draw(void)
{
	uint64_t bits = ks_rand();
	unsigned h = 1;

	while (h < ZSKIP_HEIGHT_MAX && (bits & 3) == 0) {
		bits >>= 2;
		h++;
	}
	return h;
}

struct zset *zskip_create(void)
{
	struct zset *z = mem_alloc(sizeof(*z));

	if (!z)
		return NULL;
	memset(z, 0, sizeof(*z));
	z->height = 1;
	z->members = dict_create();
	if (!z->members) {
		mem_free(z);
		return NULL;
	}
	return z;
}

bool zskip_destroy_part(struct zset **z, uint64_t *at, unsigned max)
{
	if (!dict_destroy_part(&(*z)->members, at, max))
		return false;
	mem_free(*z);
	*z = NULL;
	return true;
}

void zskip_destroy(struct zset **z)
{
	if (!*z)
		return;
	dict_destroy(&(*z)->members);
	mem_free(*z);
	*z = NULL;
}

/* Walks past all nodes for which before() holds; returns their number. */
static inline __attribute__((always_inline)) uint64_t walk(const struct zset *z, struct way *way,
	bool (*before)(const void *ctx, const struct entry *e), const void *ctx)
{
	struct entry *at = NULL;
	uint64_t rank = 0;

	for (unsigned i = z->height; i-- > 0;) {
		const struct zskip_link *l = link_of(z, at, i);

		while (l->next && before(ctx, l->next)) {
			rank += l->span;
			at = l->next;
			l = link_of(z, at, i);
		}
		if (way) {
			way->node[i] = at;
			way->rank[i] = rank;
		}
	}
	return rank;
}

static inline bool before_key(const void *ctx, const struct entry *e)
{
	const struct key *k = ctx;
	double score = zskip_node(e)->score;

	if (score != k->score)
		return score < k->score;
	return zset_member_cmp(entry_key(e), k->member) < 0;
}

static inline bool before_scores(const void *ctx, const struct entry *e)
{
	return zset_score_below(zskip_node(e)->score, ctx);
}

static inline bool until_scores(const void *ctx, const struct entry *e)
{
	return zset_score_within(zskip_node(e)->score, ctx);
}

static inline bool before_lex(const void *ctx, const struct entry *e)
{
	return zset_lex_below(entry_key(e), ctx);
}

static inline bool until_lex(const void *ctx, const struct entry *e)
{
	return zset_lex_within(entry_key(e), ctx);
}

static uint64_t walk_to_key(const struct zset *z, const struct key *k, struct way *way)
{
	return walk(z, way, before_key, k);
}

static struct key key_of(const struct entry *e)
{
	return (struct key){zskip_node(e)->score, entry_key(e)};
}

/* The way to a rank, counted from 0. */
static void walk_to_rank(const struct zset *z, uint64_t to, struct way *way)
{
	struct entry *at = NULL;
	uint64_t rank = 0;

	for (unsigned i = z->height; i-- > 0;) {
		const struct zskip_link *l = link_of(z, at, i);

		while (l->next && rank + l->span <= to) {
			rank += l->span;
			at = l->next;
			l = link_of(z, at, i);
		}
		way->node[i] = at;
		way->rank[i] = rank;
	}
}

static void raise_to(struct zset *z, unsigned height, struct way *way)
{
	for (; z->height < height; z->height++) {
		z->head[z->height] = (struct zskip_link){.next = NULL, .span = z->nr};
		way->node[z->height] = NULL;
		way->rank[z->height] = 0;
	}
}

static void link_in(struct zset *z, struct entry *e, struct way *way)
{
	struct zskip_node *n = zskip_node(e);
	unsigned height = height_of(e);

	raise_to(z, height, way);
	for (unsigned i = 0; i < z->height; i++) {
		struct zskip_link *l = link_of(z, way->node[i], i);
		uint32_t passed = (uint32_t)(way->rank[0] - way->rank[i]);

		if (i >= height) {
			l->span++;
			continue;
		}
		n->links[i] = (struct zskip_link){.next = l->next, .span = l->span - passed};
		*l = (struct zskip_link){.next = e, .span = passed + 1};
	}
	n->prev = way->node[0];
	if (n->links[0].next)
		zskip_node(n->links[0].next)->prev = e;
	else
		z->tail = e;
	z->nr++;
}

static void link_out(struct zset *z, struct entry *e, const struct way *way)
{
	const struct zskip_node *n = zskip_node(e);

	for (unsigned i = 0; i < z->height; i++) {
		struct zskip_link *l = link_of(z, way->node[i], i);

		if (l->next == e)
			*l = (struct zskip_link){
				.next = n->links[i].next, .span = l->span + n->links[i].span - 1};
		else
			l->span--;
	}
	if (n->links[0].next)
		zskip_node(n->links[0].next)->prev = n->prev;
	else
		z->tail = n->prev;
	while (z->height > 1 && !z->head[z->height - 1].next)
		z->height--;
	z->nr--;
}

struct entry *zskip_add_loose(struct zset *z, const void *member, size_t len, double score)
{
	size_t size = sizeof(struct zskip_node) + height_draw() * sizeof(struct zskip_link);
	struct value v = {.type = OBJ_STRING, .enc = OBJ_ENC_RAW, .emb_len = (uint8_t)size};
	struct entry *e;

	/* spans count to 2^32 */
	if (dict_count(z->members) == UINT32_MAX - 1 || len > UINT32_MAX)
		return NULL;
	e = entry_create(member, (uint32_t)len, &v, false);
	if (!e)
		return NULL;
	zskip_node(e)->score = score;
	if (dict_insert(z->members, e))
		return e;
	entry_free_shell(e);
	return NULL;
}

static void link_new(struct zset *z, struct entry *e)
{
	struct key k = key_of(e);
	struct way way;

	walk_to_key(z, &k, &way);
	link_in(z, e, &way);
}

bool zskip_add(struct zset *z, const void *member, size_t len, double score)
{
	struct entry *e = zskip_add_loose(z, member, len, score);

	if (e)
		link_new(z, e);
	return e != NULL;
}

static void link_walked(void *ctx, struct entry *e)
{
	link_new(ctx, e);
}

void zskip_link_all(struct zset *z)
{
	dict_walk(z->members, link_walked, z);
}

/* Whether e may keep its place with that score. */
static bool stays(const struct entry *e, double score)
{
	const struct zskip_node *n = zskip_node(e);
	struct key k = {score, entry_key(e)};

	return (!n->prev || before_key(&k, n->prev)) &&
	       (!n->links[0].next || !before_key(&k, n->links[0].next));
}

void zskip_set_score(struct zset *z, struct entry *e, double score)
{
	struct key k = key_of(e);
	struct way way;

	if (stays(e, score)) {
		zskip_node(e)->score = score;
		return;
	}
	walk_to_key(z, &k, &way);
	link_out(z, e, &way);
	k.score = score;
	zskip_node(e)->score = score;
	walk_to_key(z, &k, &way);
	link_in(z, e, &way);
}

static void drop(struct zset *z, struct entry *e, const struct way *way)
{
	struct slice name = entry_key(e);

	link_out(z, e, way);
	dict_remove(z->members, name.ptr, name.len);
	entry_free_shell(e);
}

void zskip_remove(struct zset *z, struct entry *e)
{
	struct key k = key_of(e);
	struct way way;

	walk_to_key(z, &k, &way);
	drop(z, e, &way);
}

void zskip_remove_ranks(struct zset *z, uint64_t from, uint64_t n)
{
	struct way way;
	struct entry *e;

	walk_to_rank(z, from, &way);
	/* the way stays right: what it leads to goes */
	while (n-- > 0 && (e = link_of(z, way.node[0], 0)->next))
		drop(z, e, &way);
}

uint64_t zskip_rank(const struct zset *z, const struct entry *e)
{
	struct key k = key_of(e);

	return walk_to_key(z, &k, NULL);
}

struct entry *zskip_at(const struct zset *z, uint64_t rank)
{
	struct way way;

	if (rank == 0)
		return z->head[0].next;
	if (rank + 1 == z->nr)
		return z->tail;
	walk_to_rank(z, rank, &way);
	return link_of(z, way.node[0], 0)->next;
}

struct zset_ranks zskip_range_scores(const struct zset *z, const struct zset_scores *r)
{
	struct zset_ranks ranks = {.from = walk(z, NULL, before_scores, r)};

	ranks.to = walk(z, NULL, until_scores, r);
	return ranks;
}

struct zset_ranks zskip_range_lex(const struct zset *z, const struct zset_lex *r)
{
	struct zset_ranks ranks = {.from = walk(z, NULL, before_lex, r)};

	ranks.to = walk(z, NULL, until_lex, r);
	return ranks;
}
