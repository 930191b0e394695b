/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Client-side caching: the clients that track, what their prefixes gather, and telling them.
 */
#include "app/client_limits.h"
#include "app/commands/command.h"
#include "app/tracking_priv.h"
#include "checks.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACKING_FLAGS                                                                             \
	(CLIENT_TRACKING | CLIENT_TRACKING_BROKEN | CLIENT_TRACKING_BCAST |                        \
		CLIENT_TRACKING_OPTIN | CLIENT_TRACKING_OPTOUT | CLIENT_TRACKING_CACHING |         \
		CLIENT_TRACKING_NOLOOP)

static const char push_head[] = ">2\r\n$10\r\ninvalidate\r\n";
static const char message_head[] = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";

/* A key that a prefix has gathered in this turn of the loop. */
struct bcast_key {
	struct chain_link link;
	uint64_t writer; /* the last one */
	size_t len;
	char name[];
};

/* A prefix as the clients of one core have it. The core's alone. */
struct core_prefix {
	TAILQ_ENTRY(core_prefix) link;
	struct bcast_sub_list subs;
	struct chains keys;
	uint64_t gate; /* of all of them */
	size_t len;
	char name[];
};

static struct client_tracking *tracking_of(const struct client *c)
{
	return c->cold ? c->cold->tracking : NULL;
}

static struct client_tracking *find(struct app_core *ac, uint64_t id)
{
	struct chain_link *link = chains_find(&ac->tracking.clients, id);

	return link ? chain_object(link, struct client_tracking, link) : NULL;
}

/* Any client of the core. */
static struct client *client_of(struct app_core *ac, uint64_t id)
{
	struct client **slot = &ac->tracking.redirs[id % TRACKING_REDIRS], *c;

	if (*slot && (*slot)->id == id)
		return *slot;
	TAILQ_FOREACH(c, &ac->clients, core_link) {
		if (c->id == id) {
			*slot = c;
			return c;
		}
	}
	return NULL;
}

/* --- telling --- */

/* Unasked: in front of a reply under construction, and whatever CLIENT REPLY says. */
static void tell(struct client *c, uint64_t gate, const struct slice *parts, int nr)
{
	uint32_t muted = reply_unmute(c);
	void *deferred = c->deferred;

	c->deferred = NULL;
	for (int i = 0; i < nr; i++)
		reply_raw(c, parts[i].ptr, parts[i].len);
	c->deferred = deferred;
	reply_mute(c, muted);
	client_gate_raise(c, gate);
	client_output_check(c);
}

static void tell_broken(struct app_core *ac, uint64_t id, uint64_t gate)
{
	struct client_tracking *ct = find(ac, id);
	char text[80];
	struct slice part = {text, 0};

	if (!ct)
		return;
	client_flags_change(ct->c, CLIENT_TRACKING_BROKEN, 0);
	if (ct->c->resp < 3)
		return;
	part.len = (size_t)snprintf(text, sizeof(text),
		">2\r\n$21\r\ntracking-redir-broken\r\n:%llu\r\n",
		(unsigned long long)atomic_load_explicit(&ct->redirect, memory_order_relaxed));
	tell(ct->c, gate, &part, 1);
}

static void redirect_deliver(struct app_core *ac, struct track_msg *m)
{
	struct client *c = client_of(ac, m->ids[0]);
	struct slice parts[2] = {slice_str(push_head), {m->bytes, m->len}};
	struct track_msg *back;

	if (c && atomic_load_explicit(&c->kill, memory_order_relaxed))
		c = NULL; /* as good as gone */
	if (c && c->resp > 2) {
		tell(c, m->gate, parts, 2);
	} else if (c && (c->flags & CLIENT_PUBSUB)) {
		parts[0] = slice_str(message_head);
		tell(c, m->gate, parts, 2);
	} else if (!c) {
		back = track_msg_create(TRACK_BROKEN, 1, NULL, 0);
		back->gate = m->gate;
		back->ids[back->nr_ids++] = m->from;
		track_post(ac, m->from_core, back);
	}
}

/* what: of the message behind its head, as RESP. */
static void invalidate(struct client_tracking *ct, uint64_t gate, const struct slice *what)
{
	struct client *c = ct->c;
	uint64_t redirect = atomic_load_explicit(&ct->redirect, memory_order_relaxed);
	struct slice parts[2] = {slice_str(push_head), *what};
	struct track_msg *m;

	if (!redirect) {
		if (c->resp > 2)
			tell(c, gate, parts, 2);
		return;
	}
	m = track_msg_create(TRACK_REDIRECT, 1, what->ptr, what->len);
	m->gate = gate;
	m->from = c->id;
	m->from_core = c->core_id;
	m->ids[m->nr_ids++] = redirect;
	track_post(c->ac, ct->redirect_core, m);
}

static void bulk_add(struct encbuf *b, const char *ptr, size_t len)
{
	char head[32];

	encbuf_add(b, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", len));
	encbuf_add(b, ptr, len);
	encbuf_add(b, "\r\n", 2);
}

static void key_deliver(struct app_core *ac, const struct track_msg *m)
{
	struct encbuf b = {0};
	struct slice what;

	encbuf_add(&b, "*1\r\n", 4);
	bulk_add(&b, m->bytes, m->len);
	what = (struct slice){b.ptr, b.len};
	for (uint32_t i = 0; i < m->nr_ids; i++) {
		struct client_tracking *ct = find(ac, m->ids[i]);

		if (!ct || (ct->c->flags & CLIENT_TRACKING_BCAST) ||
			((ct->c->flags & CLIENT_TRACKING_NOLOOP) && ct->c->id == m->caller))
			continue;
		invalidate(ct, m->gate, &what);
	}
	encbuf_fini(&b);
}

static void flush_deliver(struct app_core *ac, const struct track_msg *m)
{
	struct chains *t = &ac->tracking.clients;

	for (uint32_t i = 0; i < t->nr_heads; i++) {
		for (struct chain_link *link = t->heads[i]; link; link = link->next) {
			struct client_tracking *ct =
				chain_object(link, struct client_tracking, link);
			struct slice null = slice_str(ct->c->resp > 2 ? "_\r\n" : "$-1\r\n");

			invalidate(ct, m->gate, &null);
		}
	}
}

/* --- prefixes --- */

static bool has_prefix(const struct core_prefix *p, const char *key, size_t len)
{
	return p->len <= len && memcmp(p->name, key, p->len) == 0;
}

static uint64_t name_hash(const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static void gather(struct core_prefix *p, const struct track_msg *m)
{
	uint64_t hash = name_hash(m->bytes, m->len);
	struct chain_link *link = chains_find(&p->keys, hash);
	struct bcast_key *key;

	if (m->gate > p->gate)
		p->gate = m->gate;
	for (; link; link = chain_next(link)) {
		key = chain_object(link, struct bcast_key, link);
		if (key->len == m->len && memcmp(key->name, m->bytes, m->len) == 0) {
			key->writer = m->writer;
			return;
		}
	}
	key = malloc(sizeof(*key) + m->len);
	BUG_ON(!key || !chains_add(&p->keys, &key->link, hash));
	key->writer = m->writer;
	key->len = m->len;
	memcpy(key->name, m->bytes, m->len);
}

static void bcast_deliver(struct app_core *ac, const struct track_msg *m)
{
	struct core_prefix *p;

	TAILQ_FOREACH(p, &ac->tracking.prefixes, link) {
		if (has_prefix(p, m->bytes, m->len)) {
			gather(p, m);
			ac->tracking.has_broadcasts = true;
		}
	}
}

static int bytes_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int d = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return d ? d : (a_len > b_len) - (a_len < b_len);
}

static int key_compare(const void *a, const void *b)
{
	const struct bcast_key *x = *(struct bcast_key *const *)a;
	const struct bcast_key *y = *(struct bcast_key *const *)b;

	return bytes_compare(x->name, x->len, y->name, y->len);
}

/* Takes all that the prefix has gathered, in the order of the bytes; owned. */
static struct bcast_key **keys_take(struct core_prefix *p, uint32_t *nr)
{
	struct bcast_key **keys = malloc(p->keys.nr * sizeof(struct bcast_key *));
	uint32_t n = 0;

	BUG_ON(!keys);
	for (uint32_t i = 0; i < p->keys.nr_heads; i++)
		for (struct chain_link *link = p->keys.heads[i]; link; link = link->next)
			keys[n++] = chain_object(link, struct bcast_key, link);
	chains_fini(&p->keys);
	qsort(keys, n, sizeof(struct bcast_key *), key_compare);
	*nr = n;
	return keys;
}

/* All but those that the client has written itself. False: there are none. */
static bool keys_print(struct encbuf *b, struct bcast_key **keys, uint32_t nr, uint64_t but)
{
	char head[32];
	uint32_t n = 0;

	b->len = 0;
	for (uint32_t i = 0; i < nr; i++)
		n += !but || keys[i]->writer != but;
	encbuf_add(b, head, (size_t)snprintf(head, sizeof(head), "*%u\r\n", n));
	for (uint32_t i = 0; i < nr; i++)
		if (!but || keys[i]->writer != but)
			bulk_add(b, keys[i]->name, keys[i]->len);
	return n;
}

static void broadcast(struct core_prefix *p)
{
	struct encbuf all = {0}, some = {0};
	struct bcast_sub *s;
	uint32_t nr;
	struct bcast_key **keys = keys_take(p, &nr);

	keys_print(&all, keys, nr, 0);
	TAILQ_FOREACH(s, &p->subs, prefix_link) {
		struct client *c = s->ct->c;
		struct encbuf *b = c->flags & CLIENT_TRACKING_NOLOOP ? &some : &all;

		if (b == &some && !keys_print(b, keys, nr, c->id))
			continue;
		invalidate(s->ct, p->gate, &(struct slice){b->ptr, b->len});
	}
	for (uint32_t i = 0; i < nr; i++)
		free(keys[i]);
	free(keys);
	p->gate = 0;
	encbuf_fini(&all);
	encbuf_fini(&some);
}

void tracking_core_burst_end(struct app_core *ac)
{
	struct core_prefix *p;

	if (!ac->tracking.has_broadcasts)
		return;
	ac->tracking.has_broadcasts = false;
	TAILQ_FOREACH(p, &ac->tracking.prefixes, link)
		if (p->keys.nr)
			broadcast(p);
}

void track_deliver(struct app_core *ac, struct track_msg *m)
{
	/* The log has begun anew: a gate of the former one would never be passed. */
	if (m->gate > log_tail(ac->srv->log))
		m->gate = 0;
	switch (m->kind) {
	case TRACK_KEY: key_deliver(ac, m); break;
	case TRACK_BCAST: bcast_deliver(ac, m); break;
	case TRACK_FLUSH: flush_deliver(ac, m); break;
	case TRACK_REDIRECT: redirect_deliver(ac, m); break;
	case TRACK_BROKEN: tell_broken(ac, m->ids[0], m->gate); break;
	}
}

/* Says that clients of the core have the prefix, or have it no more. */
static bool prefix_announce(
	struct server *srv, unsigned core, const struct core_prefix *cp, bool on)
{
	struct tracking *t = srv->tracking;
	struct prefix *p;

	rte_rwlock_write_lock(&t->lock);
	TAILQ_FOREACH(p, &t->prefixes, link)
		if (p->len == cp->len && memcmp(p->name, cp->name, cp->len) == 0)
			break;
	if (!p && on) {
		p = calloc(1, sizeof(*p) + cp->len);
		if (p) {
			p->len = cp->len;
			memcpy(p->name, cp->name, cp->len);
			TAILQ_INSERT_TAIL(&t->prefixes, p, link);
			atomic_fetch_add(&t->nr_prefixes, 1);
		}
	}
	if (p)
		p->cores = on ? p->cores | 1u << core : p->cores & ~(1u << core);
	if (p && !p->cores) {
		TAILQ_REMOVE(&t->prefixes, p, link);
		atomic_fetch_sub(&t->nr_prefixes, 1);
		free(p);
	}
	rte_rwlock_write_unlock(&t->lock);
	return p || !on;
}

static struct core_prefix *core_prefix_get(struct app_core *ac, const struct slice *name)
{
	struct core_prefix *p;

	TAILQ_FOREACH(p, &ac->tracking.prefixes, link)
		if (p->len == name->len && memcmp(p->name, name->ptr, name->len) == 0)
			return p;
	p = calloc(1, sizeof(*p) + name->len);
	if (!p)
		return NULL;
	TAILQ_INIT(&p->subs);
	p->len = name->len;
	memcpy(p->name, name->ptr, name->len);
	if (!prefix_announce(ac->srv, ac->id, p, true)) {
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&ac->tracking.prefixes, p, link);
	return p;
}

static void core_prefix_put(struct app_core *ac, struct core_prefix *p)
{
	struct bcast_key **keys;
	uint32_t nr;

	if (!TAILQ_EMPTY(&p->subs))
		return;
	prefix_announce(ac->srv, ac->id, p, false);
	TAILQ_REMOVE(&ac->tracking.prefixes, p, link);
	if (p->keys.nr) {
		keys = keys_take(p, &nr);
		while (nr > 0)
			free(keys[--nr]);
		free(keys);
	}
	free(p);
}

static bool sub_add(struct client_tracking *ct, const struct slice *name)
{
	struct app_core *ac = ct->c->ac;
	struct bcast_sub *at, *s;
	struct core_prefix *p;
	int d = -1;

	TAILQ_FOREACH(at, &ct->subs, client_link) {
		d = bytes_compare(name->ptr, name->len, at->prefix->name, at->prefix->len);
		if (d <= 0)
			break;
	}
	if (at && d == 0)
		return true;
	s = calloc(1, sizeof(*s));
	p = s ? core_prefix_get(ac, name) : NULL;
	if (!p) {
		free(s);
		return false;
	}
	s->ct = ct;
	s->prefix = p;
	TAILQ_INSERT_TAIL(&p->subs, s, prefix_link);
	if (at)
		TAILQ_INSERT_BEFORE(at, s, client_link);
	else
		TAILQ_INSERT_TAIL(&ct->subs, s, client_link);
	ct->bytes += sizeof(*s) + sizeof(*p) + p->len;
	return true;
}

static void subs_end(struct client_tracking *ct)
{
	struct bcast_sub *s;

	while ((s = TAILQ_FIRST(&ct->subs))) {
		TAILQ_REMOVE(&ct->subs, s, client_link);
		TAILQ_REMOVE(&s->prefix->subs, s, prefix_link);
		core_prefix_put(ct->c->ac, s->prefix);
		free(s);
	}
}

bool tracking_prefix(const struct client *c, uint32_t i, struct slice *prefix)
{
	struct client_tracking *ct = tracking_of(c);
	struct bcast_sub *s = ct ? TAILQ_FIRST(&ct->subs) : NULL;

	while (s && i-- > 0)
		s = TAILQ_NEXT(s, client_link);
	if (s)
		*prefix = (struct slice){s->prefix->name, s->prefix->len};
	return s;
}

/* --- clients --- */

int tracking_core_of(struct server *srv, uint64_t id)
{
	struct client *c;
	int core = -1;

	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link)
		if (c->id == id && !atomic_load_explicit(&c->kill, memory_order_relaxed))
			core = (int)c->core_id;
	rte_spinlock_unlock(&srv->clients_lock);
	return core;
}

static void show(struct client *c, struct client_tracking *ct)
{
	rte_spinlock_lock(&c->srv->clients_lock);
	c->cold->tracking = ct;
	rte_spinlock_unlock(&c->srv->clients_lock);
}

static struct client_tracking *get(struct client *c)
{
	struct tracking *t = c->srv->tracking;
	struct client_cold *cold = client_cold_get(c);
	struct client_tracking *ct = cold ? cold->tracking : NULL;

	if (ct || !cold)
		return ct;
	ct = calloc(1, sizeof(*ct));
	if (!ct || !chains_add(&c->ac->tracking.clients, &ct->link, c->id)) {
		free(ct);
		return NULL;
	}
	ct->c = c;
	ct->bytes = sizeof(*ct);
	TAILQ_INIT(&ct->subs);
	rte_rwlock_write_lock(&t->lock);
	atomic_fetch_add(&t->nr_clients, 1);
	if (!t->is_listening)
		ks_listen_all(c->srv->ks, true);
	t->is_listening = true;
	rte_rwlock_write_unlock(&t->lock);
	atomic_fetch_add(&t->boxes[c->core_id].nr_clients, 1);
	show(c, ct);
	return ct;
}

int tracking_on(struct client *c, uint64_t redirect, unsigned redirect_core, uint32_t flags,
	const struct slice *prefixes, uint32_t nr)
{
	static const struct slice all = {"", 0};
	struct client_tracking *ct = get(c);
	bool ok = ct;

	if (ct && (flags & CLIENT_TRACKING_BCAST)) {
		if (nr == 0)
			ok = sub_add(ct, &all);
		for (uint32_t i = 0; i < nr && ok; i++)
			ok = sub_add(ct, &prefixes[i]);
	}
	if (!ok) {
		tracking_off(c);
		return -ENOMEM;
	}
	ct->redirect_core = redirect_core;
	atomic_store_explicit(&ct->redirect, redirect, memory_order_relaxed);
	client_flags_change(
		c, CLIENT_TRACKING | flags, TRACKING_FLAGS & ~(uint32_t)CLIENT_TRACKING_CACHING);
	return 0;
}

void tracking_off(struct client *c)
{
	struct client_tracking *ct = tracking_of(c);
	struct tracking *t = c->srv->tracking;

	if (!ct)
		return;
	subs_end(ct);
	chains_remove(&c->ac->tracking.clients, &ct->link);
	atomic_fetch_sub(&t->boxes[c->core_id].nr_clients, 1);
	atomic_fetch_sub(&t->nr_clients, 1);
	show(c, NULL);
	free(ct);
	client_flags_change(c, 0, TRACKING_FLAGS);
}

void tracking_client_gone(struct client *c)
{
	struct client **slot = &c->ac->tracking.redirs[c->id % TRACKING_REDIRS];

	tracking_off(c);
	if (*slot == c)
		*slot = NULL;
}

void tracking_core_init(struct app_core *ac)
{
	TAILQ_INIT(&ac->tracking.prefixes);
}

void tracking_core_fini(struct app_core *ac)
{
	chains_fini(&ac->tracking.clients);
	encbuf_fini(&ac->tracking.touched);
}
