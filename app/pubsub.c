/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A topic is a channel or a pattern with its subscribers by core. It stays while it has subscribers
 * or a message on its way to them: so a core finds its subscribers from the message, without a
 * look-up and without the lock.
 */
#include "app/pubsub.h"

#include "app/acl/client.h"
#include "app/chains.h"
#include "app/client_limits.h"
#include "app/commands/command.h"
#include "app/keyspace/hash.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Bytes that wait in one core's mailbox before publishers are asked to wait. */
#define BEHIND_BYTES (32u << 20)
/* Names looked at in one hold of the lock. */
#define WALK_NAMES    256
#define TOPICS_INLINE 4

struct subscription {
	struct chain_link link; /* in the core's, by client and topic */
	struct client *c;
	struct topic *topic;
	TAILQ_ENTRY(subscription) topic_link, client_link;
};
TAILQ_HEAD(subscription_list, subscription);

struct topic_core {
	unsigned nr;                   /* subscribers; guarded by the lock */
	struct subscription_list subs; /* the core's alone */
};

/* Guarded by the lock, but for the lists. */
struct topic {
	struct chain_link link;
	TAILQ_ENTRY(topic) all_link;
	enum pubsub_kind kind;
	unsigned refs; /* subscriptions, messages on their way, walks */
	unsigned nr;   /* subscribers */
	size_t len;
	char *name; /* behind cores */
	struct topic_core cores[];
};
TAILQ_HEAD(topic_list, topic);

/* One message to all its receivers. Constant once it is in a mailbox, but for the counts. */
struct message {
	atomic_uint refs;      /* mailboxes that hold it, and output that refers to it */
	unsigned nr_cores;     /* mailboxes that hold it: guarded by the lock */
	unsigned nr_topics;    /* the channel, if somebody listens to it, then patterns */
	struct topic **topics; /* few, or owned */
	struct topic *few[TOPICS_INLINE];
	uint64_t gate;
	size_t len;             /* of text: channel and payload as two bulk strings */
	char *text;             /* behind next */
	struct message *next[]; /* in the mailbox of each core */
};

struct mailbox {
	struct message *first, **last; /* guarded by the lock */
	atomic_size_t bytes;           /* written under the lock; 0: empty */
	struct chains subs;            /* the core's alone */
} __attribute__((aligned(64)));

struct pubsub {
	rte_spinlock_t lock;
	struct hash_seed seed;
	struct chains topics[PUBSUB_KINDS];
	struct topic_list all[PUBSUB_KINDS]; /* in the order in which they came */
	atomic_uint nr_names[PUBSUB_KINDS];  /* topics with subscribers */
	unsigned nr_cores;
	struct mailbox boxes[];
};

struct client_pubsub {
	size_t bytes; /* of its subscriptions, with the names */
	atomic_uint nr[PUBSUB_KINDS];
	struct subscription_list subs[PUBSUB_KINDS];
};

static unsigned nr_names(const struct pubsub *p, enum pubsub_kind kind)
{
	return atomic_load_explicit(&p->nr_names[kind], memory_order_relaxed);
}

int pubsub_create(struct server *srv)
{
	size_t size = sizeof(struct pubsub) + MILLRACE_MAX_CORES * sizeof(struct mailbox);
	struct pubsub *p = NULL;
	uint8_t seed[16];

	if (posix_memalign((void **)&p, 64, size))
		return -ENOMEM;
	memset(p, 0, size);
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		memcpy(seed, &p, sizeof(p));
	p->seed = hash_seed_load(seed);
	p->nr_cores = MILLRACE_MAX_CORES;
	rte_spinlock_init(&p->lock);
	for (int i = 0; i < PUBSUB_KINDS; i++)
		TAILQ_INIT(&p->all[i]);
	for (unsigned i = 0; i < p->nr_cores; i++)
		p->boxes[i].last = &p->boxes[i].first;
	srv->pubsub = p;
	return 0;
}

/* --- topics (the lock is held) --- */

static uint64_t name_hash(const struct pubsub *p, const struct slice *name)
{
	return hash_key(&p->seed, name->ptr, name->len);
}

static struct topic *topic_find(
	struct pubsub *p, enum pubsub_kind kind, const struct slice *name, uint64_t hash)
{
	struct chain_link *link = chains_find(&p->topics[kind], hash);

	for (; link; link = chain_next(link)) {
		struct topic *t = chain_object(link, struct topic, link);

		if (t->len == name->len && memcmp(t->name, name->ptr, name->len) == 0)
			return t;
	}
	return NULL;
}

/* With one reference. NULL: no memory. */
static struct topic *topic_create(
	struct pubsub *p, enum pubsub_kind kind, const struct slice *name, uint64_t hash)
{
	size_t size = sizeof(struct topic) + p->nr_cores * sizeof(struct topic_core);
	struct topic *t = calloc(1, size + name->len);

	if (!t)
		return NULL;
	if (!chains_add(&p->topics[kind], &t->link, hash)) {
		free(t);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&p->all[kind], t, all_link);
	t->kind = kind;
	t->refs = 1;
	t->len = name->len;
	t->name = (char *)t + size;
	memcpy(t->name, name->ptr, name->len);
	for (unsigned i = 0; i < p->nr_cores; i++)
		TAILQ_INIT(&t->cores[i].subs);
	return t;
}

static void topic_put(struct pubsub *p, struct topic *t)
{
	if (--t->refs > 0)
		return;
	chains_remove(&p->topics[t->kind], &t->link);
	TAILQ_REMOVE(&p->all[t->kind], t, all_link);
	free(t);
}

static void topic_count(struct pubsub *p, struct topic *t, unsigned core, int by)
{
	atomic_uint *nr = &p->nr_names[t->kind];
	unsigned names = atomic_load_explicit(nr, memory_order_relaxed);

	if (by > 0 ? t->nr == 0 : t->nr == 1)
		atomic_store_explicit(nr, names + (unsigned)by, memory_order_relaxed);
	t->nr += (unsigned)by;
	t->cores[core].nr += (unsigned)by;
}

/* --- delivery --- */

static void message_put(void *ctx)
{
	struct message *m = ctx;

	if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (m->topics != m->few)
		free(m->topics);
	free(m);
}

static struct message *mailbox_take(struct pubsub *p, unsigned core)
{
	struct mailbox *box = &p->boxes[core];
	struct message *first = box->first;

	box->first = NULL;
	box->last = &box->first;
	atomic_store_explicit(&box->bytes, 0, memory_order_relaxed);
	return first;
}

/* What stands before channel and payload. */
static size_t head_print(char head[64], const struct topic *t, bool push)
{
	char mark = push ? '>' : '*';
	int n;

	switch (t->kind) {
	case PUBSUB_PATTERN:
		n = snprintf(head, 64, "%c4\r\n$8\r\npmessage\r\n$%zu\r\n", mark, t->len);
		break;
	case PUBSUB_SHARD: n = snprintf(head, 64, "%c3\r\n$8\r\nsmessage\r\n", mark); break;
	default: n = snprintf(head, 64, "%c3\r\n$7\r\nmessage\r\n", mark); break;
	}
	return (size_t)n;
}

static void deliver_to(struct client *c, const struct topic *t, struct message *m)
{
	char head[64];
	uint32_t muted = reply_unmute(c);
	void *deferred = c->deferred; /* a reply under construction waits */

	if (c->flags & CLIENT_ASAP) { /* it is as good as gone */
		reply_mute(c, muted);
		return;
	}
	c->deferred = NULL;
	reply_raw(c, head, head_print(head, t, c->resp == 3));
	if (t->kind == PUBSUB_PATTERN) {
		reply_raw(c, t->name, t->len);
		reply_raw(c, "\r\n", 2);
	}
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	if (!reply_raw_ref(c, m->text, m->len, message_put, m))
		atomic_fetch_sub_explicit(&m->refs, 1, memory_order_relaxed);
	c->deferred = deferred;
	reply_mute(c, muted);
	if (m->gate > c->gate)
		c->gate = m->gate;
	client_output_check(c);
}

static void deliver(struct app_core *ac, struct message *m)
{
	struct subscription *s;

	/* The log has begun anew: a gate of the former one would never be passed. */
	if (m->gate > log_tail(ac->srv->log))
		m->gate = 0;
	for (unsigned i = 0; i < m->nr_topics; i++)
		TAILQ_FOREACH(s, &m->topics[i]->cores[ac->id].subs, topic_link)
			deliver_to(s->c, m->topics[i], m);
}

static void messages_release(struct pubsub *p, unsigned core, struct message *first)
{
	struct message *m, *next;

	if (!first)
		return;
	rte_spinlock_lock(&p->lock);
	for (m = first; m; m = m->next[core]) {
		if (--m->nr_cores > 0)
			continue;
		for (unsigned i = 0; i < m->nr_topics; i++)
			topic_put(p, m->topics[i]);
	}
	rte_spinlock_unlock(&p->lock);
	for (m = first; m; m = next) {
		next = m->next[core];
		message_put(m);
	}
}

static void deliver_all(struct app_core *ac, struct message *first)
{
	if (first)
		acl_core_look(ac, NULL); /* who may not be told any more is not */
	for (struct message *m = first; m; m = m->next[ac->id])
		deliver(ac, m);
}

void pubsub_core_work(struct app_core *ac)
{
	struct pubsub *p = ac->srv->pubsub;
	struct message *first;

	if (atomic_load_explicit(&p->boxes[ac->id].bytes, memory_order_relaxed) == 0)
		return;
	rte_spinlock_lock(&p->lock);
	first = mailbox_take(p, ac->id);
	rte_spinlock_unlock(&p->lock);
	deliver_all(ac, first);
	messages_release(p, ac->id, first);
}

void pubsub_destroy(struct server *srv)
{
	struct pubsub *p = srv->pubsub;

	if (!p)
		return;
	for (unsigned i = 0; i < p->nr_cores; i++)
		messages_release(p, i, mailbox_take(p, i));
	for (int i = 0; i < PUBSUB_KINDS; i++)
		BUG_ON(!TAILQ_EMPTY(&p->all[i]));
	free(p);
	srv->pubsub = NULL;
}

/* --- subscriptions --- */

static uint64_t pair_hash(const struct client *c, const struct topic *t)
{
	uint64_t h = ((uintptr_t)c >> 4) * 0x9e3779b97f4a7c15u ^ ((uintptr_t)t >> 4);

	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 32;
}

static struct subscription *subscription_find(struct client *c, const struct topic *t)
{
	struct chains *subs = &c->srv->pubsub->boxes[c->core_id].subs;
	struct chain_link *link = chains_find(subs, pair_hash(c, t));

	for (; link; link = chain_next(link)) {
		struct subscription *s = chain_object(link, struct subscription, link);

		if (s->c == c && s->topic == t)
			return s;
	}
	return NULL;
}

static struct client_pubsub *client_pubsub_get(struct client *c)
{
	struct client_pubsub *cp = c->pubsub;

	if (cp)
		return cp;
	cp = calloc(1, sizeof(*cp));
	if (!cp)
		return NULL;
	for (int i = 0; i < PUBSUB_KINDS; i++)
		TAILQ_INIT(&cp->subs[i]);
	/* others look at the counts */
	rte_spinlock_lock(&c->srv->clients_lock);
	c->pubsub = cp;
	rte_spinlock_unlock(&c->srv->clients_lock);
	return cp;
}

static void client_count(struct client *c, enum pubsub_kind kind, int by)
{
	atomic_uint *nr = &c->pubsub->nr[kind];

	atomic_store_explicit(nr, atomic_load_explicit(nr, memory_order_relaxed) + (unsigned)by,
		memory_order_relaxed);
}

static bool subscription_add(struct client *c, struct subscription *s)
{
	struct topic *t = s->topic;

	if (!chains_add(&c->srv->pubsub->boxes[c->core_id].subs, &s->link, pair_hash(c, t)))
		return false;
	TAILQ_INSERT_TAIL(&t->cores[c->core_id].subs, s, topic_link);
	TAILQ_INSERT_TAIL(&c->pubsub->subs[t->kind], s, client_link);
	c->pubsub->bytes += sizeof(*s) + sizeof(*t) + t->len;
	client_count(c, t->kind, 1);
	return true;
}

static void subscription_remove(struct client *c, struct subscription *s)
{
	struct topic *t = s->topic;

	chains_remove(&c->srv->pubsub->boxes[c->core_id].subs, &s->link);
	TAILQ_REMOVE(&t->cores[c->core_id].subs, s, topic_link);
	TAILQ_REMOVE(&c->pubsub->subs[t->kind], s, client_link);
	c->pubsub->bytes -= sizeof(*s) + sizeof(*t) + t->len;
	client_count(c, t->kind, -1);
}

/* Counts the client in, with a reference for its subscription. *before: the messages from before.
 * NULL: it was subscribed, or there is no memory (*rc). */
static struct topic *topic_join(struct client *c, enum pubsub_kind kind, const struct slice *name,
	struct message **before, int *rc)
{
	struct pubsub *p = c->srv->pubsub;
	uint64_t hash = name_hash(p, name);
	struct topic *t;

	rte_spinlock_lock(&p->lock);
	t = topic_find(p, kind, name, hash);
	if (t && subscription_find(c, t)) {
		*rc = 0;
		t = NULL;
	} else if (t) {
		t->refs++;
	} else {
		*rc = -ENOMEM;
		t = topic_create(p, kind, name, hash);
	}
	if (t) {
		topic_count(p, t, c->core_id, 1);
		*before = mailbox_take(p, c->core_id);
	}
	rte_spinlock_unlock(&p->lock);
	return t;
}

static void topic_leave(struct client *c, struct topic *t, struct message **before)
{
	struct pubsub *p = c->srv->pubsub;

	rte_spinlock_lock(&p->lock);
	topic_count(p, t, c->core_id, -1);
	*before = mailbox_take(p, c->core_id);
	rte_spinlock_unlock(&p->lock);
}

static void topic_drop(struct pubsub *p, struct topic *t)
{
	rte_spinlock_lock(&p->lock);
	topic_put(p, t);
	rte_spinlock_unlock(&p->lock);
}

int pubsub_subscribe(struct client *c, enum pubsub_kind kind, const struct slice *name)
{
	struct message *before = NULL;
	struct subscription *s;
	int rc = 1;

	if (!client_pubsub_get(c))
		return -ENOMEM;
	s = malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->c = c;
	s->topic = topic_join(c, kind, name, &before, &rc);
	if (!s->topic) {
		free(s);
		return rc;
	}
	deliver_all(c->ac, before); /* they are from before, and not for it */
	rc = 1;
	if (!subscription_add(c, s)) {
		struct message *since;

		topic_leave(c, s->topic, &since);
		deliver_all(c->ac, since);
		messages_release(c->srv->pubsub, c->core_id, since);
		topic_drop(c->srv->pubsub, s->topic);
		free(s);
		rc = -ENOMEM;
	}
	messages_release(c->srv->pubsub, c->core_id, before);
	return rc;
}

static void subscription_end(struct client *c, struct subscription *s)
{
	struct pubsub *p = c->srv->pubsub;
	struct message *before;

	topic_leave(c, s->topic, &before);
	deliver_all(c->ac, before); /* they are from before, and for it too */
	subscription_remove(c, s);
	messages_release(p, c->core_id, before);
	topic_drop(p, s->topic);
	free(s);
}

int pubsub_unsubscribe(struct client *c, enum pubsub_kind kind, const struct slice *name)
{
	struct pubsub *p = c->srv->pubsub;
	struct subscription *s = NULL;
	struct topic *t;

	if (!c->pubsub)
		return 0;
	rte_spinlock_lock(&p->lock);
	t = topic_find(p, kind, name, name_hash(p, name));
	if (t)
		s = subscription_find(c, t);
	rte_spinlock_unlock(&p->lock);
	if (!s)
		return 0;
	subscription_end(c, s);
	return 1;
}

bool pubsub_client_any(const struct client *c, enum pubsub_kind kind, struct slice *name)
{
	const struct subscription *s = c->pubsub ? TAILQ_FIRST(&c->pubsub->subs[kind]) : NULL;

	if (s)
		*name = (struct slice){s->topic->name, s->topic->len};
	return s;
}

bool pubsub_client_has_other(const struct client *c, enum pubsub_kind kind,
	bool (*test)(const void *ctx, const struct slice *name), const void *ctx)
{
	const struct subscription *s;

	if (!c->pubsub)
		return false;
	TAILQ_FOREACH(s, &c->pubsub->subs[kind], client_link) {
		struct slice name = {s->topic->name, s->topic->len};

		if (!test(ctx, &name))
			return true;
	}
	return false;
}

size_t pubsub_client_bytes(const struct client *c)
{
	return c->pubsub ? sizeof(*c->pubsub) + c->pubsub->bytes : 0;
}

unsigned pubsub_client_count(const struct client *c, enum pubsub_kind kind)
{
	return c->pubsub ? atomic_load_explicit(&c->pubsub->nr[kind], memory_order_relaxed) : 0;
}

void pubsub_client_forget(struct client *c)
{
	struct client_pubsub *cp = c->pubsub;
	struct subscription *s;

	if (!cp)
		return;
	for (int i = 0; i < PUBSUB_KINDS; i++)
		while ((s = TAILQ_FIRST(&cp->subs[i])))
			subscription_end(c, s);
	rte_spinlock_lock(&c->srv->clients_lock);
	c->pubsub = NULL;
	rte_spinlock_unlock(&c->srv->clients_lock);
	free(cp);
}

/* --- publishing --- */

static size_t bulk_print(char *to, const struct slice *s)
{
	size_t n = (size_t)sprintf(to, "$%zu\r\n", s->len);

	memcpy(to + n, s->ptr, s->len);
	memcpy(to + n + s->len, "\r\n", 2);
	return n + s->len + 2;
}

static struct message *message_create(
	struct pubsub *p, const struct slice *channel, const struct slice *payload, uint64_t gate)
{
	size_t size = sizeof(struct message) + p->nr_cores * sizeof(struct message *);
	struct message *m = malloc(size + channel->len + payload->len + 2 * 32);

	BUG_ON(!m); /* a message is an effect: as those of the log, it cannot be undone */
	atomic_init(&m->refs, 1);
	m->nr_cores = 0;
	m->nr_topics = 0;
	m->topics = m->few;
	m->gate = gate;
	m->text = (char *)m + size;
	m->len = bulk_print(m->text, channel);
	m->len += bulk_print(m->text + m->len, payload);
	return m;
}

static void message_add(struct message *m, struct topic *t)
{
	unsigned n = m->nr_topics;

	if (n >= TOPICS_INLINE && (n & (n - 1)) == 0) {
		struct topic **topics = malloc(2 * n * sizeof(*topics));

		BUG_ON(!topics);
		memcpy(topics, m->topics, n * sizeof(*topics));
		if (m->topics != m->few)
			free(m->topics);
		m->topics = topics;
	}
	t->refs++;
	m->topics[m->nr_topics++] = t;
}

/* Calls message_add() for each topic that has subscribers; m NULL: only counts. */
static size_t topics_of(struct pubsub *p, enum pubsub_kind kind, const struct slice *channel,
	uint64_t hash, struct message *m)
{
	struct topic *t = topic_find(p, kind, channel, hash);
	size_t nr = 0;

	if (t && t->nr) {
		nr += t->nr;
		if (m)
			message_add(m, t);
	}
	if (kind == PUBSUB_SHARD || nr_names(p, PUBSUB_PATTERN) == 0)
		return nr;
	TAILQ_FOREACH(t, &p->all[PUBSUB_PATTERN], all_link) {
		if (t->nr == 0 || !glob_match(t->name, t->len, channel->ptr, channel->len, false))
			continue;
		nr += t->nr;
		if (m)
			message_add(m, t);
	}
	return nr;
}

/* Puts it into the mailboxes of all cores that have subscribers. Returns them, a bit each. */
static uint32_t message_post(struct pubsub *p, struct message *m)
{
	uint32_t cores = 0;

	for (unsigned core = 0; core < p->nr_cores; core++)
		for (unsigned i = 0; i < m->nr_topics && !(cores & 1u << core); i++)
			cores |= m->topics[i]->cores[core].nr ? 1u << core : 0;
	for (uint32_t left = cores; left; left &= left - 1) {
		unsigned core = (unsigned)__builtin_ctz(left);
		struct mailbox *box = &p->boxes[core];
		size_t bytes = atomic_load_explicit(&box->bytes, memory_order_relaxed);

		m->next[core] = NULL;
		*box->last = m;
		box->last = &m->next[core];
		atomic_store_explicit(
			&box->bytes, bytes + sizeof(*m) + m->len, memory_order_relaxed);
		m->nr_cores++;
	}
	/* the first reference was the publisher's */
	atomic_fetch_add_explicit(&m->refs, m->nr_cores, memory_order_relaxed);
	return cores;
}

static bool nobody_listens(const struct pubsub *p, enum pubsub_kind kind)
{
	return nr_names(p, kind) == 0 && (kind == PUBSUB_SHARD || nr_names(p, PUBSUB_PATTERN) == 0);
}

size_t pubsub_publish(struct app_core *ac, enum pubsub_kind kind, const struct slice *channel,
	const struct slice *payload, uint64_t gate)
{
	struct pubsub *p = ac->srv->pubsub;
	struct message *m;
	uint64_t hash;
	uint32_t cores = 0;
	size_t nr;

	if (nobody_listens(p, kind))
		return 0;
	hash = name_hash(p, channel);
	m = message_create(p, channel, payload, gate);
	rte_spinlock_lock(&p->lock);
	nr = topics_of(p, kind, channel, hash, m);
	if (nr)
		cores = message_post(p, m);
	rte_spinlock_unlock(&p->lock);
	message_put(m);
	for (cores &= ~(1u << ac->id); cores; cores &= cores - 1)
		core_poke(ac->srv->cores[__builtin_ctz(cores)]->core);
	return nr;
}

size_t pubsub_receivers(struct server *srv, enum pubsub_kind kind, const struct slice *channel)
{
	struct pubsub *p = srv->pubsub;
	size_t nr;

	if (nobody_listens(p, kind))
		return 0;
	rte_spinlock_lock(&p->lock);
	nr = topics_of(p, kind, channel, name_hash(p, channel), NULL);
	rte_spinlock_unlock(&p->lock);
	return nr;
}

bool pubsub_is_behind(const struct server *srv)
{
	for (unsigned i = 0; i < srv->nr_cores; i++)
		if (atomic_load_explicit(&srv->pubsub->boxes[i].bytes, memory_order_relaxed) >
			BEHIND_BYTES)
			return true;
	return false;
}

/* --- looking --- */

unsigned pubsub_nr_names(const struct server *srv, enum pubsub_kind kind)
{
	return nr_names(srv->pubsub, kind);
}

size_t pubsub_nr_subscribers(struct server *srv, enum pubsub_kind kind, const struct slice *channel)
{
	struct pubsub *p = srv->pubsub;
	struct topic *t;
	size_t nr;

	rte_spinlock_lock(&p->lock);
	t = topic_find(p, kind, channel, name_hash(p, channel));
	nr = t ? t->nr : 0;
	rte_spinlock_unlock(&p->lock);
	return nr;
}

/* One slice from t on (which has a reference for the walk). Returns where it goes on. */
static struct topic *walk_slice(
	struct topic *t, void (*fn)(void *ctx, const struct slice *name), void *ctx)
{
	for (int i = 0; t && i < WALK_NAMES; i++) {
		struct slice name = {t->name, t->len};

		if (t->nr)
			fn(ctx, &name);
		t = TAILQ_NEXT(t, all_link);
	}
	if (t)
		t->refs++;
	return t;
}

void pubsub_walk(struct server *srv, enum pubsub_kind kind,
	void (*fn)(void *ctx, const struct slice *name), void *ctx)
{
	struct pubsub *p = srv->pubsub;
	struct topic *at, *next;

	rte_spinlock_lock(&p->lock);
	at = TAILQ_FIRST(&p->all[kind]);
	if (at)
		at->refs++;
	while (at) {
		next = walk_slice(at, fn, ctx);
		topic_put(p, at);
		at = next;
		rte_spinlock_unlock(&p->lock);
		rte_spinlock_lock(&p->lock);
	}
	rte_spinlock_unlock(&p->lock);
}
