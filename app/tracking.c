/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Client-side caching: who is to be told.
 */
#include "app/tracking.h"

#include "app/commands/command.h"
#include "app/commands/script_core.h"
#include "app/keyspace/rand.h"
#include "app/tracking_priv.h"
#include "checks.h"
#include "dataplane/core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_INLINE  64
#define KEEP_BYTES   4096
#define RECLAIM_KEYS 64
#define LIMIT_KEYS   100 /* that one slice makes room for */

/* What a command has touched; the key follows. */
struct touched_key {
	uint64_t hash;
	uint32_t part, len;
	bool expired;
};

static_assert(TRACKING_CORES >= MILLRACE_MAX_CORES, "a core does not fit into an id");

/* --- messages --- */

struct track_msg *track_msg_create(
	enum track_kind kind, uint32_t max_ids, const void *bytes, size_t len)
{
	struct track_msg *m = malloc(sizeof(*m) + max_ids * sizeof(m->ids[0]) + len);

	BUG_ON(!m); /* somebody would go on using a value that has changed */
	*m = (struct track_msg){.kind = kind, .len = len};
	m->bytes = (char *)(m->ids + max_ids);
	if (len)
		memcpy(m->bytes, bytes, len);
	return m;
}

static void outbox_add(struct track_outbox *o, unsigned core, struct track_msg *m)
{
	if (o->cores & 1u << core)
		o->last[core]->next = m;
	else
		o->first[core] = m;
	o->last[core] = m;
	o->cores |= 1u << core;
}

/* All at once: a core never sees a part of what a command has done. */
static void post_list(
	struct app_core *ac, unsigned core, struct track_msg *first, struct track_msg *last)
{
	struct mailbox_of_tracking *box = &ac->srv->tracking->boxes[core];

	rte_spinlock_lock(&box->lock);
	if (box->first)
		box->last->next = first;
	else
		box->first = first;
	box->last = last;
	atomic_store_explicit(&box->full, true, memory_order_relaxed);
	rte_spinlock_unlock(&box->lock);
	core_poke(ac->srv->cores[core]->core);
}

static void deliver_list(struct app_core *ac, struct track_msg *m)
{
	struct track_msg *next;

	for (; m; m = next) {
		next = m->next;
		track_deliver(ac, m);
		free(m);
	}
}

void track_post(struct app_core *ac, unsigned core, struct track_msg *m)
{
	if (core == ac->id)
		deliver_list(ac, m);
	else
		post_list(ac, core, m, m);
}

static void outbox_send(struct app_core *ac, uint64_t gate, bool all_by_mail)
{
	struct track_outbox o = ac->tracking.outbox;

	ac->tracking.outbox.cores = 0;
	for (uint32_t left = o.cores; left; left &= left - 1) {
		unsigned core = (unsigned)__builtin_ctz(left);

		o.last[core]->next = NULL;
		for (struct track_msg *m = o.first[core]; m; m = m->next)
			m->gate = gate;
		if (core == ac->id && !all_by_mail)
			deliver_list(ac, o.first[core]);
		else
			post_list(ac, core, o.first[core], o.last[core]);
	}
}

void tracking_publish(struct app_core *ac, uint64_t gate)
{
	if (!ac->tracking.is_held)
		outbox_send(ac, gate, false);
}

void tracking_serve_begin(struct app_core *ac, struct client *server, uint64_t id)
{
	ac->tracking.served_id = id;
	ac->tracking.running = server;
}

void tracking_serve_end(struct app_core *ac, bool changed)
{
	if (ac->tracking.touched.len)
		tracking_touched(ac, changed);
	ac->tracking.served_id = 0;
	ac->tracking.running = NULL;
}

void tracking_publish_held(struct app_core *ac, uint64_t gate)
{
	ac->tracking.is_held = false;
	outbox_send(ac, gate, true);
}

/* --- changes --- */

/* Whose command is under way: of a script, whose it is. */
static const struct client *caller_of(const struct app_core *ac)
{
	const struct client *c = ac->tracking.running;

	if (ac->tracking.served_id) /* Redis: of who filled the key, which is not known here */
		return NULL;
	return c && (c->flags & CLIENT_SCRIPT) ? ac->script->user : c;
}

static void msg_sign(const struct app_core *ac, struct track_msg *m, bool expired)
{
	const struct client *caller = caller_of(ac);

	m->caller = caller ? caller->id : 0;
	m->writer = ac->tracking.running && !expired ? ac->tracking.running->id : 0;
	if (m->writer && ac->tracking.served_id)
		m->writer = ac->tracking.served_id;
}

/* A message to each core that has readers of the key. */
static void tell_readers(struct app_core *ac, const struct track_key *key)
{
	struct track_msg *to[TRACKING_CORES] = {NULL};

	for (uint32_t i = 0; i < key->cap; i++) {
		unsigned core = track_id_core(key->ids[i]);

		if (!key->ids[i])
			continue;
		if (!to[core]) {
			to[core] = track_msg_create(TRACK_KEY, key->nr, key->name, key->len);
			msg_sign(ac, to[core], false);
			outbox_add(&ac->tracking.outbox, core, to[core]);
		}
		to[core]->ids[to[core]->nr_ids++] = track_id_client(key->ids[i]);
	}
}

/* The cores that have clients with a prefix of the key. */
static uint32_t prefix_cores(struct tracking *t, const struct ks_key *k)
{
	uint32_t cores = 0;
	struct prefix *p;

	if (atomic_load_explicit(&t->nr_prefixes, memory_order_relaxed) == 0)
		return 0;
	rte_rwlock_read_lock(&t->lock);
	TAILQ_FOREACH(p, &t->prefixes, link)
		if (p->len <= k->len && memcmp(p->name, k->ptr, p->len) == 0)
			cores |= p->cores;
	rte_rwlock_read_unlock(&t->lock);
	return cores;
}

static void key_changed(struct app_core *ac, const struct ks_key *k, bool expired)
{
	struct tracking *t = ac->srv->tracking;
	struct track_key *key;

	for (uint32_t left = prefix_cores(t, k); left; left &= left - 1) {
		struct track_msg *m = track_msg_create(TRACK_BCAST, 0, k->ptr, k->len);

		msg_sign(ac, m, expired);
		outbox_add(&ac->tracking.outbox, (unsigned)__builtin_ctz(left), m);
	}
	key = track_table_take(t->table, k);
	if (!key)
		return;
	tell_readers(ac, key);
	track_key_free(key);
}

static void keep_touched(struct core_tracking *ct, const struct ks_key *k)
{
	struct touched_key head = {k->hash, k->part, k->len, ct->expiring};

	encbuf_add(&ct->touched, &head, sizeof(head));
	encbuf_add(&ct->touched, k->ptr, k->len);
}

void tracking_touch(struct app_core *ac, const struct ks_key *k, bool whole)
{
	struct tracking *t = ac->srv->tracking;

	if (!t || (!track_table_has(t->table, k) && !prefix_cores(t, k)))
		return;
	if (whole) {
		keep_touched(&ac->tracking, k);
		return;
	}
	key_changed(ac, k, ac->tracking.expiring);
	if (!ac->tracking.running && tracking_has_news(&ac->tracking))
		tracking_publish(ac, ks_part_written(ac->srv->ks, k->part));
}

void tracking_touched(struct app_core *ac, bool changed)
{
	struct encbuf *b = &ac->tracking.touched;
	struct touched_key head;
	struct ks_key k;

	for (size_t at = 0; changed && at < b->len; at += sizeof(head) + head.len) {
		memcpy(&head, b->ptr + at, sizeof(head));
		k = (struct ks_key){b->ptr + at + sizeof(head), head.len, head.part, head.hash};
		key_changed(ac, &k, head.expired);
	}
	b->len = 0;
	encbuf_shrink(b, KEEP_BYTES);
}

void tracking_flushed(struct app_core *ac)
{
	struct tracking *t = ac->srv->tracking;

	track_table_clear(t->table);
	for (unsigned i = 0; i < ac->srv->nr_cores; i++) {
		struct track_msg *m;

		if (atomic_load_explicit(&t->boxes[i].nr_clients, memory_order_relaxed) == 0)
			continue;
		m = track_msg_create(TRACK_FLUSH, 0, NULL, 0);
		msg_sign(ac, m, false);
		outbox_add(&ac->tracking.outbox, i, m);
	}
	if (!ac->tracking.running)
		tracking_publish(ac, 0);
}

/* --- reads --- */

static bool is_caching(const struct client *c)
{
	bool said = c->flags & CLIENT_TRACKING_CACHING;

	if (c->flags & CLIENT_TRACKING_OPTIN)
		return said;
	return !(c->flags & CLIENT_TRACKING_OPTOUT) || !said;
}

void tracking_remember(struct client *c)
{
	struct client *user = c->flags & CLIENT_SCRIPT ? c->ac->script->user : c;
	struct track_table *table = c->srv->tracking->table;
	uint32_t inl[KEYS_INLINE], *pos = inl, *heap = NULL;
	int n;

	if ((user->flags & (CLIENT_TRACKING | CLIENT_TRACKING_BCAST)) != CLIENT_TRACKING ||
		!is_caching(user) || (user->cmd->first_key == 0 && !user->cmd->keys))
		return;
	n = command_keys(user->cmd, user->argv, user->argc, pos, KEYS_INLINE);
	if (n > KEYS_INLINE) {
		pos = heap = malloc(sizeof(*heap) * (size_t)n);
		BUG_ON(!heap);
		n = command_keys(user->cmd, user->argv, user->argc, pos, (uint32_t)n);
	}
	for (int i = 0; i < n; i++) {
		struct ks_key k = cmd_key(user, &user->argv[pos[i]]);

		/* Without memory it would not hear of a change: the end of its connection tells it
		 * to keep nothing. */
		if (!track_table_add(table, &k, track_id(user->id, user->core_id)))
			client_flags_change(user, CLIENT_ASAP, 0);
	}
	free(heap);
}

/* --- work --- */

/* One core at a time, so that no more than has to goes. */
static void limit(struct app_core *ac, struct tracking *t, uint64_t max)
{
	uint32_t nr_parts = ks_nr_parts(ac->srv->ks), part;

	for (int i = 0; i < LIMIT_KEYS && track_table_nr_keys(t->table) > max; i++) {
		uint32_t from = (uint32_t)ks_rand_below(nr_parts);
		struct track_key *key = track_table_take_any(t->table, from, &part);

		if (!key)
			return;
		tell_readers(ac, key);
		track_key_free(key);
	}
}

void tracking_limit(struct app_core *ac)
{
	struct tracking *t = ac->srv->tracking;
	long long max =
		atomic_load_explicit(&ac->srv->cfg->tracking_table_max_keys, memory_order_relaxed);

	if (max == 0 || track_table_nr_keys(t->table) <= (uint64_t)max ||
		atomic_load_explicit(&t->nr_clients, memory_order_relaxed) == 0 ||
		!rte_spinlock_trylock(&t->limit_lock))
		return;
	limit(ac, t, (uint64_t)max);
	rte_spinlock_unlock(&t->limit_lock);
	tracking_publish(ac, 0);
}

static struct track_msg *mailbox_take(struct mailbox_of_tracking *box)
{
	struct track_msg *first;

	rte_spinlock_lock(&box->lock);
	first = box->first;
	box->first = box->last = NULL;
	atomic_store_explicit(&box->full, false, memory_order_relaxed);
	rte_spinlock_unlock(&box->lock);
	return first;
}

/* Nobody tracks and nobody's reads are known: changes need not be looked at. */
static void rest(struct server *srv, struct tracking *t)
{
	rte_rwlock_write_lock(&t->lock);
	if (t->is_listening && atomic_load_explicit(&t->nr_clients, memory_order_relaxed) == 0 &&
		track_table_nr_keys(t->table) == 0) {
		t->is_listening = false;
		ks_listen_all(srv->ks, false);
	}
	rte_rwlock_write_unlock(&t->lock);
}

struct track_msg *tracking_core_take(struct app_core *ac)
{
	struct mailbox_of_tracking *box = &ac->srv->tracking->boxes[ac->id];

	return atomic_load_explicit(&box->full, memory_order_relaxed) ? mailbox_take(box) : NULL;
}

void tracking_core_work(struct app_core *ac, struct track_msg *taken)
{
	struct tracking *t = ac->srv->tracking;

	deliver_list(ac, taken);
	if (tracking_has_news(&ac->tracking)) /* of a command that had to be run again */
		tracking_publish(ac, 0);
	tracking_limit(ac);
	track_table_reclaim(t->table, RECLAIM_KEYS);
	if (ac->id == 0 && t->is_listening &&
		atomic_load_explicit(&t->nr_clients, memory_order_relaxed) == 0)
		rest(ac->srv, t);
}

/* --- life --- */

int tracking_create(struct server *srv)
{
	struct tracking *t = NULL;

	if (posix_memalign((void **)&t, 64, sizeof(*t)))
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	rte_rwlock_init(&t->lock);
	TAILQ_INIT(&t->prefixes);
	t->table = track_table_create(ks_nr_parts(srv->ks));
	if (!t->table) {
		free(t);
		return -ENOMEM;
	}
	srv->tracking = t;
	return 0;
}

void tracking_destroy(struct server *srv)
{
	struct tracking *t = srv->tracking;
	struct track_msg *m, *next;

	if (!t)
		return;
	for (unsigned i = 0; i < TRACKING_CORES; i++) {
		for (m = mailbox_take(&t->boxes[i]); m; m = next) {
			next = m->next;
			free(m);
		}
	}
	BUG_ON(!TAILQ_EMPTY(&t->prefixes));
	track_table_destroy(&t->table);
	free(t);
	srv->tracking = NULL;
}

struct tracking_counts tracking_counts(const struct server *srv)
{
	const struct tracking *t = srv->tracking;

	return (struct tracking_counts){
		.keys = track_table_nr_keys(t->table),
		.items = track_table_nr_items(t->table),
		.prefixes = atomic_load_explicit(&t->nr_prefixes, memory_order_relaxed),
		.clients = atomic_load_explicit(&t->nr_clients, memory_order_relaxed),
	};
}
