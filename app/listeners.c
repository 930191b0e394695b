/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/listeners.h"

#include "app/commands/dispatch.h"
#include "app/listeners_priv.h"
#include "app/server.h"
#include "app/tracking.h"
#include "app/waiting.h"
#include "checks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- nodes --- */

static uint64_t node_hash(int db, const struct ks_key *k)
{
	return k->hash + (uint64_t)db * 0x9e3779b97f4a7c15u;
}

struct key_node *node_find(struct listeners *l, int db, const struct ks_key *k)
{
	struct chain_link *link = chains_find(&l->parts[k->part].nodes, node_hash(db, k));

	for (; link; link = chain_next(link)) {
		struct key_node *n = chain_object(link, struct key_node, link);

		if (n->db == db && n->len == k->len && memcmp(n->name, k->ptr, k->len) == 0)
			return n;
	}
	return NULL;
}

struct key_node *node_get(struct server *srv, int db, const struct ks_key *k)
{
	struct key_node *n = node_find(srv->listeners, db, k);

	if (n)
		return n;
	n = malloc(sizeof(*n) + k->len);
	if (!n)
		return NULL;
	*n = (struct key_node){.part = k->part, .db = db, .len = k->len};
	TAILQ_INIT(&n->watches);
	TAILQ_INIT(&n->waits);
	memcpy(n->name, k->ptr, k->len);
	if (!chains_add(&srv->listeners->parts[k->part].nodes, &n->link, node_hash(db, k))) {
		free(n);
		return NULL;
	}
	ks_part_listen(srv->ks, k->part, 1);
	return n;
}

void node_put(struct server *srv, struct key_node *n)
{
	if (!TAILQ_EMPTY(&n->watches) || !TAILQ_EMPTY(&n->waits) || n->is_ready)
		return;
	ks_part_listen(srv->ks, n->part, -1);
	chains_remove(&srv->listeners->parts[n->part].nodes, &n->link);
	free(n);
}

struct entry *node_find_entry(struct keyspace *ks, const struct key_node *n, int db)
{
	struct ks_key k = ks_key(ks, n->name, n->len);

	return ks_find(ks, db, &k);
}

/* --- what is touched --- */

static void watch_break(struct watch *w)
{
	atomic_store_explicit(&w->set->touched, true, memory_order_relaxed);
}

/* The key has changed, or gone. */
static void node_changed(struct key_node *n, bool gone)
{
	struct watch *w;

	TAILQ_FOREACH(w, &n->watches, node_link) {
		if (w->expired && gone)
			w->expired = false;
		else
			watch_break(w);
	}
}

static void keep_touched(struct core_listeners *cl, struct key_node *n)
{
	for (unsigned i = 0; i < cl->nr_touched; i++)
		if (cl->touched[i] == n)
			return;
	if (cl->nr_touched == cl->cap) {
		unsigned cap = cl->cap ? cl->cap * 2 : 16;

		cl->touched = realloc(cl->touched, cap * sizeof(struct key_node *));
		BUG_ON(!cl->touched); /* nobody would hear of the change */
		cl->cap = cap;
	}
	cl->touched[cl->nr_touched++] = n;
}

static void touch(void *ctx, unsigned core, int db, const struct ks_key *k, bool created)
{
	struct server *srv = ctx;
	struct core_listeners *cl = &srv->cores[core]->listeners;
	struct key_node *n = node_find(srv->listeners, db, k);

	tracking_touch(srv->cores[core], k, cl->in_command);
	if (n && cl->in_command)
		keep_touched(cl, n);
	else if (n)
		node_changed(n, !created);
	if (n && !cl->in_command && !TAILQ_EMPTY(&n->waits))
		waiting_owe(srv->cores[core], n);
}

void node_set_ready(struct app_core *ac, struct key_node *n)
{
	struct ready_nodes *r = &ac->listeners.ready;

	if (n->is_ready || TAILQ_EMPTY(&n->waits))
		return;
	if (r->nr == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->nodes = realloc(r->nodes, r->cap * sizeof(struct key_node *));
		BUG_ON(!r->nodes); /* somebody would wait for ever */
	}
	n->is_ready = true;
	r->nodes[r->nr++] = n;
}

struct key_node *node_next_ready(struct app_core *ac)
{
	struct ready_nodes *r = &ac->listeners.ready;
	struct key_node *n;

	if (r->at == r->nr) {
		r->at = r->nr = 0;
		return NULL;
	}
	n = r->nodes[r->at++];
	n->is_ready = false;
	return n;
}

void listeners_ready_drop(struct app_core *ac)
{
	while (node_next_ready(ac))
		;
}

void listeners_touched(struct app_core *ac)
{
	struct core_listeners *cl = &ac->listeners;
	bool changed = propagation_changed(ac);

	for (unsigned i = 0; changed && i < cl->nr_touched; i++) {
		struct key_node *n = cl->touched[i];

		node_changed(n, !node_find_entry(ac->srv->ks, n, n->db));
		node_set_ready(ac, n);
	}
	cl->nr_touched = 0;
}

/* --- whole databases --- */

/* What takes the place of a database: with_db of with; with NULL: nothing. */
struct successor {
	struct keyspace *with;
	int db;
	int64_t now_ms;
};

static void node_replaced(struct app_core *ac, struct key_node *n, const struct successor *to)
{
	struct server *srv = ac->srv;
	bool before = node_find_entry(srv->ks, n, n->db) != NULL;
	struct entry *e = to->with ? node_find_entry(to->with, n, to->db) : NULL;
	bool expired = e && entry_expired(e, to->now_ms);
	struct watch *w;

	if (!before && !e)
		return;
	node_set_ready(ac, n);
	TAILQ_FOREACH(w, &n->watches, node_link) {
		if (w->expired && !e)
			w->expired = false;
		else if (w->expired && expired)
			continue; /* as it was: over */
		else if (!w->expired && !before && expired)
			w->expired = true; /* nothing to be seen before and now */
		else
			watch_break(w);
	}
}

void listeners_database(
	struct app_core *ac, int db, struct keyspace *with, int with_db, int64_t now_ms)
{
	struct listeners *l = ac->srv->listeners;

	for (uint32_t part = 0; part < l->nr_parts; part++) {
		const struct chains *nodes = &l->parts[part].nodes;

		for (uint32_t i = 0; i < nodes->nr_heads; i++) {
			struct chain_link *link = nodes->heads[i];

			for (; link; link = link->next) {
				struct key_node *n = chain_object(link, struct key_node, link);
				struct successor to = {with, db < 0 ? n->db : with_db, now_ms};

				if (db < 0 || n->db == db)
					node_replaced(ac, n, &to);
			}
		}
	}
}

/* --- WATCH --- */

static struct watch_set *set_create(void)
{
	struct watch_set *set = calloc(1, sizeof(*set));

	if (set)
		TAILQ_INIT(&set->watches);
	return set;
}

static bool is_watched(const struct watch_set *set, const struct key_node *n)
{
	struct watch *w;

	TAILQ_FOREACH(w, &n->watches, node_link)
		if (w->set == set)
			return true;
	return false;
}

static void set_count(struct watch_set *set, int by)
{
	atomic_store_explicit(&set->nr,
		atomic_load_explicit(&set->nr, memory_order_relaxed) + (unsigned)by,
		memory_order_relaxed);
}

bool watch_add(struct client *c, struct watch_set **set, const struct ks_key *k)
{
	struct key_node *n = node_get(c->srv, c->db, k);
	struct watch *w = n ? malloc(sizeof(*w)) : NULL;
	struct entry *e;

	if (w && !*set)
		*set = set_create();
	if (!w || !*set || is_watched(*set, n)) {
		bool ok = w && *set;

		free(w);
		if (n)
			node_put(c->srv, n);
		return ok;
	}
	e = ks_find(c->srv->ks, c->db, k);
	*w = (struct watch){.node = n, .set = *set, .expired = e && entry_expired(e, c->now_ms)};
	TAILQ_INSERT_TAIL(&n->watches, w, node_link);
	TAILQ_INSERT_TAIL(&(*set)->watches, w, set_link);
	(*set)->bytes += sizeof(*w) + sizeof(*n) + n->len;
	set_count(*set, 1);
	return true;
}

void watch_lockset(const struct watch_set *set, struct ks_lockset *ls)
{
	struct watch *w;

	TAILQ_FOREACH(w, &set->watches, set_link)
		ks_lockset_add(ls, w->node->part);
}

bool watch_is_broken(struct client *c, const struct watch_set *set)
{
	struct watch *w;

	if (atomic_load_explicit(&set->touched, memory_order_relaxed))
		return true;
	TAILQ_FOREACH(w, &set->watches, set_link) {
		struct entry *e =
			w->expired ? NULL : node_find_entry(c->srv->ks, w->node, w->node->db);

		if (e && entry_expired(e, c->now_ms))
			return true;
	}
	return false;
}

/* The partition is locked. */
static void watch_remove(struct server *srv, struct watch *w)
{
	TAILQ_REMOVE(&w->node->watches, w, node_link);
	TAILQ_REMOVE(&w->set->watches, w, set_link);
	set_count(w->set, -1);
	node_put(srv, w->node);
	free(w);
}

void watch_end_locked(struct server *srv, struct watch_set **set)
{
	struct watch *w;

	if (!*set)
		return;
	while ((w = TAILQ_FIRST(&(*set)->watches)))
		watch_remove(srv, w);
	free(*set);
	*set = NULL;
}

/* Removes as many as can be without waiting. True: the set is gone. */
static bool set_end(struct server *srv, struct watch_set *set)
{
	struct watch *w, *next;

	for (w = TAILQ_FIRST(&set->watches); w; w = next) {
		uint32_t part = w->node->part;

		next = TAILQ_NEXT(w, set_link);
		if (!ks_part_trylock(srv->ks, part))
			continue;
		watch_remove(srv, w);
		ks_part_unlock(srv->ks, part);
	}
	if (!TAILQ_EMPTY(&set->watches))
		return false;
	free(set);
	return true;
}

void watch_end(struct app_core *ac, struct watch_set **set)
{
	if (*set && !set_end(ac->srv, *set))
		TAILQ_INSERT_TAIL(&ac->listeners.left, *set, left_link);
	*set = NULL;
}

/* --- life --- */

bool listeners_core_work(struct app_core *ac)
{
	struct watch_set *set, *next;

	for (set = TAILQ_FIRST(&ac->listeners.left); set; set = next) {
		next = TAILQ_NEXT(set, left_link);
		TAILQ_REMOVE(&ac->listeners.left, set, left_link);
		if (!set_end(ac->srv, set))
			TAILQ_INSERT_HEAD(&ac->listeners.left, set, left_link);
	}
	return !TAILQ_EMPTY(&ac->listeners.left);
}

void listeners_core_init(struct app_core *ac)
{
	TAILQ_INIT(&ac->listeners.left);
}

/* Nobody else runs any more. */
static void core_fini(struct app_core *ac)
{
	struct watch_set *set;

	waiting_core_fini(ac);
	while ((set = TAILQ_FIRST(&ac->listeners.left))) {
		TAILQ_REMOVE(&ac->listeners.left, set, left_link);
		watch_end_locked(ac->srv, &set);
	}
	free(ac->listeners.touched);
	ac->listeners.touched = NULL;
	free(ac->listeners.ready.nodes);
	ac->listeners.ready = (struct ready_nodes){0};
}

int listeners_create(struct server *srv)
{
	struct ks_touch_ops ops = {touch, srv};
	uint32_t nr = ks_nr_parts(srv->ks);
	struct listeners *l = calloc(1, sizeof(*l) + nr * sizeof(l->parts[0]));

	if (!l)
		return -ENOMEM;
	l->nr_parts = nr;
	srv->listeners = l;
	ks_set_touch(srv->ks, &ops);
	return 0;
}

void listeners_destroy(struct server *srv)
{
	for (unsigned i = 0; i < srv->nr_cores && srv->cores[i]; i++)
		core_fini(srv->cores[i]);
	for (uint32_t i = 0; srv->listeners && i < srv->listeners->nr_parts; i++)
		BUG_ON(srv->listeners->parts[i].nodes.nr);
	free(srv->listeners);
	srv->listeners = NULL;
}
