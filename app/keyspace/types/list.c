/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: making, ends, and places in them. Edits in the middle are in list_edit.c.
 */
#include "app/keyspace/types/list.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/mem.h"
#include "app/keyspace/types/list_priv.h"

#define PACKED_THRESHOLD (1u << 30)
#define PACKED_MAX       UINT32_MAX

static atomic_size_t packed_threshold = PACKED_THRESHOLD;

bool list_set_packed_threshold(size_t bytes)
{
	if (bytes > PACKED_MAX)
		return false;
	atomic_store(&packed_threshold, bytes ? bytes : PACKED_THRESHOLD);
	return true;
}

bool list_is_large(size_t len)
{
	return len >= PACKED_THRESHOLD ||
	       len >= atomic_load_explicit(&packed_threshold, memory_order_relaxed);
}

/* --- nodes --- */

bool list_node_fits(const struct list_node *node, size_t len, int fill)
{
	static const size_t by_fill[] = {4096, 8192, 16384, 32768, 65536};
	size_t bytes;

	if (!node || node->plain || list_is_large(len))
		return false;
	bytes = lp_bytes(node->data) + len + NODE_ENTRY_OVERHEAD;
	if (fill < 0)
		return bytes <= by_fill[fill < -5 ? 4 : -fill - 1];
	return bytes <= NODE_SAFE_BYTES && node->nr < (unsigned)fill;
}

/* A node that is in no list yet. Takes data on success. */
static struct list_node *node_create(void *data, size_t nr, bool plain)
{
	struct list_node *node = mem_alloc(sizeof(*node));

	if (node)
		*node = (struct list_node){.data = data, .nr = nr & 0x7fffffff, .plain = plain};
	return node;
}

struct list_node *list_node_make(const void *s, size_t len)
{
	struct list_node *node;
	unsigned char *lp;

	if (list_is_large(len)) {
		struct plain *plain = mem_alloc(sizeof(*plain) + len);

		if (!plain)
			return NULL;
		plain->len = len;
		memcpy(plain->bytes, s, len);
		node = node_create(plain, 1, true);
		if (!node)
			mem_free(plain);
		return node;
	}
	lp = lp_new(0);
	if (!lp)
		return NULL;
	node = lp_append(&lp, s, len) ? node_create(lp, 1, false) : NULL;
	if (!node)
		lp_free(lp);
	return node;
}

struct list_node *list_node_wrap(unsigned char *lp)
{
	return node_create(lp, lp_count(lp), false);
}

void list_node_free(struct list_node *node)
{
	if (node->plain)
		mem_free(node->data);
	else
		lp_free(node->data);
	mem_free(node);
}

void list_node_link(struct list *l, struct list_node *after, struct list_node *node)
{
	node->prev = after;
	node->next = after ? after->next : l->head;
	*(node->prev ? &node->prev->next : &l->head) = node;
	*(node->next ? &node->next->prev : &l->tail) = node;
	l->nr_nodes++;
	l->nr += node->nr;
}

void list_node_unlink(struct list *l, struct list_node *node)
{
	*(node->prev ? &node->prev->next : &l->head) = node->next;
	*(node->next ? &node->next->prev : &l->tail) = node->prev;
	l->nr_nodes--;
	l->nr -= node->nr;
}

struct list_node *list_node_first(const struct obj *o)
{
	return list_of(o)->head;
}

struct list_node *list_node_next(const struct list_node *node)
{
	return node->next;
}

size_t list_nr_nodes(const struct obj *o)
{
	return list_of(o)->nr_nodes;
}

bool list_node_is_plain(const struct list_node *node)
{
	return node->plain;
}

struct slice list_node_bytes(const struct list_node *node)
{
	const struct plain *plain = node->data;

	if (node->plain)
		return (struct slice){plain->bytes, plain->len};
	return (struct slice){node->data, lp_bytes(node->data)};
}

/* --- the whole --- */

bool list_make(struct obj *o)
{
	struct list *l = mem_alloc(sizeof(*l));

	if (!l)
		return false;
	*l = (struct list){0};
	*o = (struct obj){.type = OBJ_LIST, .enc = OBJ_ENC_QUICKLIST, .ptr = l};
	return true;
}

bool list_add_listpack(struct obj *o, unsigned char *lp)
{
	struct list_node *node = list_node_wrap(lp);

	if (!node)
		return false;
	list_node_link(list_of(o), list_of(o)->tail, node);
	return true;
}

bool list_add_plain(struct obj *o, const void *s, size_t len)
{
	struct plain *plain = mem_alloc(sizeof(*plain) + len);
	struct list_node *node = plain ? node_create(plain, 1, true) : NULL;

	if (!node) {
		mem_free(plain);
		return false;
	}
	plain->len = len;
	memcpy(plain->bytes, s, len);
	list_node_link(list_of(o), list_of(o)->tail, node);
	return true;
}

bool list_push(struct obj *o, enum list_side side, const void *s, size_t len, int fill)
{
	struct list *l = list_of(o);
	struct list_node *node = side == LIST_LEFT ? l->head : l->tail;

	if (list_node_fits(node, len, fill)) {
		if (!(side == LIST_LEFT ? lp_prepend : lp_append)(
			    (unsigned char **)&node->data, s, len))
			return false;
		node->nr++;
		l->nr++;
		return true;
	}
	node = list_node_make(s, len);
	if (!node)
		return false;
	list_node_link(l, side == LIST_LEFT ? NULL : l->tail, node);
	return true;
}

static bool ops_free_parts(struct obj *o, uint64_t *at, unsigned max)
{
	struct list *l = list_of(o);

	while (l->head) {
		struct list_node *node = l->head;

		if (max-- == 0)
			return false;
		list_node_unlink(l, node);
		list_node_free(node);
	}
	mem_free(l);
	o->ptr = NULL;
	return true;
}

static void ops_free(struct obj *o)
{
	while (!ops_free_parts(o, NULL, UINT32_MAX))
		;
}

static size_t ops_nr_parts(const struct obj *o)
{
	return list_of(o)->nr_nodes;
}

static bool ops_copy(const struct obj *o, struct obj *out)
{
	if (!list_make(out))
		return false;
	for (const struct list_node *n = list_of(o)->head; n; n = n->next) {
		struct slice bytes = list_node_bytes(n);
		unsigned char *lp = n->plain ? NULL : lp_copy(bytes.ptr, bytes.len);
		bool ok = n->plain ? list_add_plain(out, bytes.ptr, bytes.len)
				   : lp && list_add_listpack(out, lp);

		if (ok)
			continue;
		lp_free(lp);
		ops_free(out);
		return false;
	}
	return true;
}

static size_t ops_count(const struct obj *o)
{
	return list_of(o)->nr;
}

static size_t ops_mem(const struct obj *o, size_t samples)
{
	const struct list *l = list_of(o);
	size_t nr = 0, bytes = 0;

	for (const struct list_node *n = l->head; n && (nr < samples || !samples); n = n->next) {
		bytes += mem_usable(n) + mem_usable(n->data);
		nr++;
	}
	if (nr)
		bytes = (size_t)((double)bytes / (double)nr * (double)l->nr_nodes);
	return mem_usable(l) + bytes;
}

static void ops_digest(const struct obj *o, struct obj_digest *d)
{
	char buf[KS_INT_STR_MAX];

	for (struct list_pos pos = list_at(o, 0); list_pos_ok(&pos); list_next(&pos)) {
		struct slice text = list_text(&pos, buf);

		digest_mix(d, text.ptr, text.len);
	}
}

const struct obj_ops list_ops = {
	.free = ops_free,
	.nr_parts = ops_nr_parts,
	.free_parts = ops_free_parts,
	.copy = ops_copy,
	.count = ops_count,
	.mem = ops_mem,
	.digest = ops_digest,
};

/* --- places --- */

struct list_pos list_at(const struct obj *o, int64_t index)
{
	struct list *l = list_of(o);
	struct list_pos pos = {.list = l};
	uint64_t at = index < 0 ? l->nr + (uint64_t)index : (uint64_t)index;
	struct list_node *node;

	if (at >= l->nr)
		return pos;
	if (at < l->nr / 2) {
		for (node = l->head; at >= node->nr; node = node->next)
			at -= node->nr;
	} else {
		uint64_t behind = l->nr - 1 - at;

		for (node = l->tail; behind >= node->nr; node = node->prev)
			behind -= node->nr;
		at = node->nr - 1 - behind;
	}
	pos.node = node;
	pos.p = node->plain ? NULL : lp_seek(node->data, (long)at);
	return pos;
}

void list_next(struct list_pos *pos)
{
	pos->p = pos->node->plain ? NULL : lp_next(pos->node->data, pos->p);
	if (pos->p)
		return;
	pos->node = pos->node->next;
	if (pos->node && !pos->node->plain)
		pos->p = lp_first(pos->node->data);
}

void list_prev(struct list_pos *pos)
{
	pos->p = pos->node->plain ? NULL : lp_prev(pos->node->data, pos->p);
	if (pos->p)
		return;
	pos->node = pos->node->prev;
	if (pos->node && !pos->node->plain)
		pos->p = lp_last(pos->node->data);
}

struct slice list_text(const struct list_pos *pos, char buf[KS_INT_STR_MAX])
{
	if (pos->node->plain)
		return list_node_bytes(pos->node);
	return lp_text(pos->p, buf);
}

bool list_eq(const struct list_pos *pos, const void *s, size_t len)
{
	struct slice text;

	if (!pos->node->plain)
		return lp_eq(pos->p, s, len);
	text = list_node_bytes(pos->node);
	return text.len == len && memcmp(text.ptr, s, len) == 0;
}
