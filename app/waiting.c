/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/waiting.h"

#include "app/client_cold.h"
#include "app/client_limits.h"
#include "app/client_priv.h"
#include "app/commands/dispatch.h"
#include "app/commands/notify.h"
#include "app/listeners_priv.h"
#include "app/replication.h"
#include "app/tracking.h"
#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_PART UINT32_MAX

/* --- sets ------------------------------------------------------------------------------------- */

/* The wait leaves its row; the partition is locked. The node stays. */
static void row_leave(struct server *srv, struct wait *w)
{
	TAILQ_REMOVE(&w->node->waits, w, node_link);
	srv->listeners->parts[w->node->part].nr_waits--;
	atomic_fetch_sub_explicit(&srv->nr_waits, 1, memory_order_relaxed);
	if (w->set->dst_part != NO_PART)
		atomic_fetch_sub_explicit(&srv->nr_waits_moving, 1, memory_order_relaxed);
	w->node = NULL;
}

static bool row_join(struct client *c, struct wait_set *set, const struct slice *key,
	const struct stream_id *after)
{
	struct server *srv = c->srv;
	struct ks_key k = cmd_key(c, key);
	struct key_node *n = node_get(srv, c->db, &k);
	struct wait *w, *last = n ? TAILQ_LAST(&n->waits, wait_list) : NULL;

	if (!n)
		return false;
	if (last && last->set == set) /* the same key twice */
		return true;
	w = malloc(sizeof(*w));
	if (!w) {
		node_put(srv, n);
		return false;
	}
	*w = (struct wait){.node = n, .set = set};
	if (after)
		w->after = *after;
	TAILQ_INSERT_TAIL(&n->waits, w, node_link);
	TAILQ_INSERT_TAIL(&set->waits, w, set_link);
	srv->listeners->parts[n->part].nr_waits++;
	/* who locks the partition after us sees it */
	atomic_fetch_add_explicit(&srv->nr_waits, 1, memory_order_relaxed);
	if (set->dst_part != NO_PART)
		atomic_fetch_add_explicit(&srv->nr_waits_moving, 1, memory_order_relaxed);
	return true;
}

static void set_free(struct wait_set *set)
{
	free(set->argv);
	free(set->reply);
	free(set);
}

/* Ends as many waits as can be without waiting for a lock; have_locks: for all. True: the set is
 * gone. */
static bool set_end(struct server *srv, struct wait_set *set, bool have_locks)
{
	struct wait *w, *next;

	for (w = TAILQ_FIRST(&set->waits); w; w = next) {
		struct key_node *n = w->node;
		uint32_t part = n ? n->part : 0;

		next = TAILQ_NEXT(w, set_link);
		if (n && !have_locks && !ks_part_trylock(srv->ks, part))
			continue;
		if (n) {
			row_leave(srv, w);
			node_put(srv, n);
		}
		if (n && !have_locks)
			ks_part_unlock(srv->ks, part);
		TAILQ_REMOVE(&set->waits, w, set_link);
		free(w);
	}
	if (!TAILQ_EMPTY(&set->waits))
		return false;
	set_free(set);
	return true;
}

static void set_leave(struct app_core *ac, struct wait_set *set)
{
	if (!set_end(ac->srv, set, false))
		TAILQ_INSERT_TAIL(&ac->waiting.left, set, left_link);
}

/* False: somebody is serving it, the mail will come. */
static bool set_cancel(struct wait_set *set)
{
	unsigned was = atomic_fetch_or_explicit(&set->state, WAIT_CANCELLED, memory_order_acq_rel);

	return !(was & WAIT_CLAIMED);
}

static bool set_claim(struct wait_set *set)
{
	unsigned none = 0;

	return atomic_compare_exchange_strong_explicit(
		&set->state, &none, WAIT_CLAIMED, memory_order_acq_rel, memory_order_relaxed);
}

/* Others look at it, to kill the client: waiting_kill(). */
static void waits_show(struct client *c, struct wait_set *set)
{
	rte_spinlock_lock(&c->srv->clients_lock);
	c->cold->waits = set;
	rte_spinlock_unlock(&c->srv->clients_lock);
}

static struct wait_set *set_create(struct client *c, const struct wait_kind *kind)
{
	size_t size = c->argc * sizeof(struct slice);
	struct wait_set *set = calloc(1, sizeof(*set));
	char *at;

	for (uint32_t i = 0; i < c->argc; i++)
		size += c->argv[i].len;
	if (set)
		set->argv = malloc(size);
	if (!set || !set->argv) {
		free(set);
		return NULL;
	}
	at = (char *)(set->argv + c->argc);
	for (uint32_t i = 0; i < c->argc; i++) {
		memcpy(at, c->argv[i].ptr, c->argv[i].len);
		set->argv[i] = (struct slice){at, c->argv[i].len};
		at += c->argv[i].len;
	}
	TAILQ_INIT(&set->waits);
	set->c = c;
	set->id = c->id;
	set->owner = c->ac;
	set->kind = kind;
	set->cmd = c->cmd;
	set->argc = c->argc;
	set->db = c->db;
	set->resp = c->resp;
	set->on_replica = c->ac->local;
	set->role_gen = atomic_load_explicit(&c->srv->repl->role_gen, memory_order_relaxed);
	set->dst_part = NO_PART;
	set->bytes = sizeof(*set) + size;
	return set;
}

/* --- the commands ----------------------------------------------------------------------------- */

bool waiting_allowed(const struct client *c)
{
	return !c->ac->in_exec && !(c->flags & (CLIENT_MASTER | CLIENT_REPLAY));
}

bool waiting_timeout_arg(struct client *c, const struct slice *arg, int64_t *until_ms)
{
	long double seconds, ms;

	if (!arg_long_double(arg, &seconds)) {
		reply_err(c, "ERR timeout is not a float or out of range");
		return false;
	}
	ms = ceill(seconds * 1000);
	if (ms < 0) {
		reply_err(c, "ERR timeout is negative");
		return false;
	}
	/* what Redis computes here overflows, and says that it is negative */
	if (ms >= (long double)INT64_MAX) {
		reply_err(c, "ERR timeout is negative");
		return false;
	}
	*until_ms = (int64_t)ms;
	if (*until_ms > 0)
		*until_ms = *until_ms > INT64_MAX - c->now_ms ? INT64_MAX : *until_ms + c->now_ms;
	return true;
}

void waiting_begin(struct client *c, const struct wait_kind *kind, const struct slice *keys,
	uint32_t nr_keys, const struct stream_id *after, const struct slice *dst, int64_t until_ms)
{
	struct client_cold *cold = client_cold_get(c);
	struct wait_set *set = cold ? set_create(c, kind) : NULL;
	bool ok = set;

	if (ok && dst)
		set->dst_part = cmd_key(c, dst).part;
	for (uint32_t i = 0; ok && i < nr_keys; i++) {
		ok = row_join(c, set, &keys[i], after ? &after[i] : NULL);
		set->bytes += sizeof(struct wait) + sizeof(struct key_node) + keys[i].len;
	}
	if (!ok) {
		if (set)
			set_end(c->srv, set, true);
		reply_err(c, "ERR out of memory");
		return;
	}
	waits_show(c, set);
	c->block = BLOCK_KEYS;
	c->block_until_ms = until_ms;
	c->flags |= CLIENT_BLOCKED;
}

/* --- locks ------------------------------------------------------------------------------------ */

bool waiting_in_part(const struct server *srv, uint32_t part)
{
	return srv->listeners->parts[part].nr_waits;
}

/* Adds to *more what the waiters in the partition would change. */
static void part_closure(
	struct server *srv, uint32_t part, const struct ks_lockset *ls, struct ks_lockset *more)
{
	const struct listeners_part *lp = &srv->listeners->parts[part];

	for (uint32_t i = 0; lp->nr_waits && i < lp->nodes.nr_heads; i++) {
		struct chain_link *link = lp->nodes.heads[i];

		for (; link; link = link->next) {
			struct wait *w;

			TAILQ_FOREACH(
				w, &chain_object(link, struct key_node, link)->waits, node_link) {
				uint32_t dst = w->set->dst_part;

				if (dst != NO_PART && !ks_lockset_has(ls, dst))
					ks_lockset_add(more, dst);
			}
		}
	}
}

/* What is missing for all that may be served under the locks. False: nothing. */
static bool closure(struct server *srv, const struct ks_lockset *ls, struct ks_lockset *more)
{
	if (ls->all || !atomic_load_explicit(&srv->nr_waits_moving, memory_order_relaxed))
		return false;
	for (uint32_t i = 0; i < ls->nr; i++)
		part_closure(srv, ls->parts[i], ls, more);
	return more->all || more->nr > 0;
}

bool waiting_lock(struct app_core *ac, struct ks_lockset *ls)
{
	struct keyspace *ks = ac->srv->ks;
	struct ks_lockset more;
	bool ok;

	ks_lockset_init(&more);
	while ((ok = ks_lockset_try(ks, ls)) && closure(ac->srv, ls, &more)) {
		ks_lockset_unlock(ks, ls);
		if (more.all)
			ks_lockset_all(ls);
		for (uint32_t i = 0; i < more.nr; i++)
			ks_lockset_add(ls, more.parts[i]);
		ks_lockset_fini(&more);
	}
	ks_lockset_fini(&more);
	return ok;
}

static void lock_rest(struct app_core *ac, struct ks_lockset *ls)
{
	struct ks_lockset more;

	ks_lockset_init(&more);
	while (closure(ac->srv, ls, &more)) {
		if (more.all)
			ks_lockset_extend_all(ac->srv->ks, ls);
		for (uint32_t i = 0; i < more.nr; i++)
			ks_lockset_extend(ac->srv->ks, ls, more.parts[i]);
		ks_lockset_fini(&more);
	}
	ks_lockset_fini(&more);
}

/* --- serving ---------------------------------------------------------------------------------- */

struct serving {
	struct app_core *ac;
	struct client *s; /* runs the waiters' commands */
	struct ks_lockset *ls;
	bool local;
};

static bool serving_begin(
	struct serving *sv, struct app_core *ac, struct ks_lockset *ls, int64_t now_ms, bool local)
{
	if (!ac->waiting.server)
		ac->waiting.server = client_create(ac, NULL, CLIENT_SCRIPT | CLIENT_AUTHENTICATED);
	*sv = (struct serving){ac, ac->waiting.server, ls, local};
	if (sv->s)
		sv->s->now_ms = now_ms;
	propagation_reset(ac);
	ac->local = local;
	return sv->s;
}

/* Logs what has been done. Returns what replies to it wait for. */
static uint64_t log_effects(struct serving *sv, bool *wrote)
{
	struct keyspace *ks = sv->ac->srv->ks;
	uint64_t end = propagate_effects(sv->s);

	if (end)
		ks_lockset_set_written(ks, sv->ls, end);
	*wrote = end != 0;
	if (!end)
		end = ks_lockset_written(ks, sv->ls);
	notify_publish(sv->ac, end);
	propagation_reset(sv->ac);
	return end;
}

static void post(struct wait_set *set)
{
	struct app_core *owner = set->owner;

	rte_spinlock_lock(&owner->waiting.lock);
	STAILQ_INSERT_TAIL(&owner->waiting.mail, set, mail_link);
	atomic_store_explicit(&owner->waiting.has_mail, true, memory_order_relaxed);
	rte_spinlock_unlock(&owner->waiting.lock);
	core_poke(owner->core);
}

/* Runs the claimed waiter's command for the key, or tells it what has happened to that. */
static void serve(struct serving *sv, struct wait *w, const struct slice *key, const char *lost)
{
	struct app_core *ac = sv->ac;
	struct wait_set *set = w->set;
	struct command_stats *st = &ac->stats[set->cmd->id];
	uint64_t errors = ac->error_replies, start = clock_cycles(), gate;

	ac->tracking.is_held = true;
	tracking_serve_begin(ac, sv->s, set->id);
	reply_capture_begin(sv->s);
	ac->listeners.in_command = true;
	if (lost)
		reply_err(sv->s, lost);
	else
		set->kind->serve(sv->s, w, key);
	ac->listeners.in_command = false;
	tracking_serve_end(ac, propagation_changed(ac));
	if (ac->listeners.nr_touched)
		listeners_touched(ac);
	set->reply = reply_capture_end(sv->s, &set->len);
	st->cycles += clock_cycles() - start;
	st->failed += ac->error_replies != errors;
	gate = set->gate = log_effects(sv, &set->wrote);
	set->log_epoch = atomic_load_explicit(&ac->srv->repl->log_epoch, memory_order_acquire);
	row_leave(ac->srv, w);
	post(set);
	tracking_publish_held(ac, gate);
}

/* It waits under a role that the node has no more: its core ends that. */
static bool is_outlived(const struct serving *sv, const struct wait_set *set)
{
	unsigned gen = atomic_load_explicit(&sv->ac->srv->repl->role_gen, memory_order_relaxed);

	return set->role_gen != gen || (sv->local && !set->on_replica);
}

enum served {
	SERVED_ON,    /* the next one */
	SERVED_EMPTY, /* nothing is left for the others */
	SERVED_LATER, /* no room in the log */
};

static enum served serve_wait(struct serving *sv, struct key_node *n, struct wait *w)
{
	struct slice key = {n->name, n->len};
	struct wait_set *set = w->set;
	struct client *s = sv->s;
	const char *lost = NULL;
	struct entry *e;
	size_t need;

	s->cmd = NULL; /* an expired key asks for the room of its DEL */
	s->db = n->db;
	s->argc = 0;
	sv->ac->admitted = 0;
	tracking_serve_begin(sv->ac, s, set->id);
	e = lookup_db(s, n->db, &key, false);
	tracking_serve_end(sv->ac, false);
	if (is_outlived(sv, set))
		return SERVED_ON;
	s->cmd = set->cmd;
	s->argv = set->argv;
	s->argc = set->argc;
	s->resp = set->resp;
	if (!e || entry_type(e) != set->kind->type) {
		lost = set->kind->lost ? set->kind->lost(set) : NULL;
		if (!lost)
			return SERVED_ON;
	} else if (set->kind->has && !set->kind->has(s, w, e)) {
		return SERVED_ON;
	}
	need = sv->ac->admitted + command_record_bound(s);
	if (!lost && set->kind->log_bytes)
		need += set->kind->log_bytes(s, w, e);
	if (!sv->local && propagate_admit(sv->ac, need))
		return SERVED_LATER;
	sv->ac->admitted = need;
	if (set_claim(set))
		serve(sv, w, &key, lost);
	return SERVED_ON;
}

static void serve_node(struct serving *sv, struct key_node *n)
{
	struct wait *w, *next;
	bool wrote;

	n->is_ready = true; /* served commands may fill it again: it has to stay */
	for (w = TAILQ_FIRST(&n->waits); w; w = next) {
		next = TAILQ_NEXT(w, node_link);
		if (serve_wait(sv, n, w) == SERVED_LATER) {
			waiting_owe(sv->ac, n);
			break;
		}
	}
	log_effects(sv, &wrote); /* of a key whose time was over */
	n->is_ready = false;
	node_put(sv->ac->srv, n);
}

void waiting_serve_ready(
	struct app_core *ac, struct ks_lockset *ls, bool may_wait, int64_t now_ms, bool local)
{
	struct key_node *n = node_next_ready(ac);
	struct serving sv;
	bool was_local = ac->local;

	if (!n)
		return;
	if (may_wait)
		lock_rest(ac, ls);
	if (!serving_begin(&sv, ac, ls, now_ms, local)) {
		for (; n; n = node_next_ready(ac))
			waiting_owe(ac, n);
		return;
	}
	for (; n; n = node_next_ready(ac))
		serve_node(&sv, n);
	sv.s->argv = NULL;
	sv.s->argc = 0;
	ac->local = was_local;
}

/* --- what is owed ----------------------------------------------------------------------------- */

void waiting_owe(struct app_core *ac, const struct key_node *n)
{
	struct owed *o = malloc(sizeof(*o) + n->len);

	BUG_ON(!o); /* they would wait for ever */
	o->db = n->db;
	o->len = n->len;
	memcpy(o->name, n->name, n->len);
	TAILQ_INSERT_TAIL(&ac->waiting.owed, o, link);
}

/* False: the partition is busy. */
static bool owed_serve(struct app_core *ac, const struct owed *o)
{
	struct server *srv = ac->srv;
	struct ks_key k = ks_key(srv->ks, o->name, o->len);
	struct ks_lockset ls;
	struct key_node *n;
	bool ok;

	ks_lockset_init(&ls);
	ks_lockset_add(&ls, k.part);
	ok = waiting_lock(ac, &ls);
	if (ok) {
		n = node_find(srv->listeners, o->db, &k);
		if (n)
			node_set_ready(ac, n);
		waiting_serve_ready(ac, &ls, false, ac->now_ms, flag_on(&srv->is_replica));
		ks_lockset_unlock(srv->ks, &ls);
	}
	ks_lockset_fini(&ls);
	return ok;
}

static bool owed_work(struct app_core *ac)
{
	struct owed_list list = TAILQ_HEAD_INITIALIZER(list);
	struct owed *o;

	TAILQ_CONCAT(&list, &ac->waiting.owed, link); /* some may be owed again */
	while ((o = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, o, link);
		if (!owed_serve(ac, o)) {
			TAILQ_INSERT_TAIL(&ac->waiting.owed, o, link);
			continue;
		}
		free(o);
	}
	return !TAILQ_EMPTY(&ac->waiting.owed);
}

/* --- the client's core ------------------------------------------------------------------------ */

static void take_reply(struct client *c, struct wait_set *set)
{
	unsigned epoch = atomic_load_explicit(&c->srv->repl->log_epoch, memory_order_acquire);

	c->now_ms = c->ac->now_ms;
	if (set->log_epoch == epoch) /* else nothing is left to wait for */
		client_gate_raise(c, set->gate);
	if (set->wrote)
		c->last_write_off = set->gate;
	if (!set->reply) {
		client_abort(c);
		return;
	}
	reply_raw(c, set->reply, set->len);
	client_output_check(c);
}

static void mail_take(struct app_core *ac)
{
	struct core_waiting *cw = &ac->waiting;
	struct wait_mail mail = STAILQ_HEAD_INITIALIZER(mail);
	struct wait_set *set;

	if (!atomic_load_explicit(&cw->has_mail, memory_order_relaxed))
		return;
	rte_spinlock_lock(&cw->lock);
	STAILQ_CONCAT(&mail, &cw->mail);
	atomic_store_explicit(&cw->has_mail, false, memory_order_relaxed);
	rte_spinlock_unlock(&cw->lock);
	while ((set = STAILQ_FIRST(&mail))) {
		struct client *c = set->c;

		STAILQ_REMOVE_HEAD(&mail, mail_link);
		if (c) {
			waits_show(c, NULL);
			take_reply(c, set);
		}
		set_leave(ac, set);
		if (c)
			client_unblock(c);
	}
}

/* Ends the wait, unless somebody is just serving it. */
static bool give_up(struct client *c)
{
	struct wait_set *set = c->cold->waits;

	if (!set_cancel(set))
		return false;
	waits_show(c, NULL);
	set_leave(c->ac, set);
	return true;
}

static bool role_is_over(const struct client *c, struct wait_set *set)
{
	const struct repl *r = c->srv->repl;

	return set->role_gen != atomic_load_explicit(&r->role_gen, memory_order_relaxed) ||
	       (!set->on_replica && flag_on(&c->srv->is_replica));
}

static void check(struct client *c)
{
	int request = atomic_load_explicit(&c->unblock, memory_order_relaxed);
	bool over = c->block_until_ms && c->ac->now_ms >= c->block_until_ms;
	bool other_role = role_is_over(c, c->cold->waits);

	if ((!request && !over && !other_role) || !give_up(c))
		return;
	c->now_ms = c->ac->now_ms;
	atomic_store_explicit(&c->unblock, 0, memory_order_relaxed);
	if (other_role)
		reply_err(c, "UNBLOCKED force unblock from blocking operation, instance state "
			     "changed (master -> replica?)");
	else if (request == 2)
		reply_err(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
	else
		reply_null_array(c);
	if (other_role)
		client_close(c);
	client_unblock(c);
}

bool waiting_core_work(struct app_core *ac)
{
	struct core_waiting *cw = &ac->waiting;
	struct client *c, *next_client;
	struct wait_set *set, *next;
	bool more = false;

	mail_take(ac);
	if (!TAILQ_EMPTY(&cw->owed))
		more = owed_work(ac);
	for (set = TAILQ_FIRST(&cw->left); set; set = next) {
		next = TAILQ_NEXT(set, left_link);
		TAILQ_REMOVE(&cw->left, set, left_link);
		if (!set_end(ac->srv, set, false))
			TAILQ_INSERT_HEAD(&cw->left, set, left_link);
	}
	if (cw->checked_ms != ac->now_ms) { /* they may be many */
		cw->checked_ms = ac->now_ms;
		for (c = TAILQ_FIRST(&cw->blocked); c; c = next_client) {
			next_client = TAILQ_NEXT(c, blocked_link);
			check(c);
		}
	}
	return more || !TAILQ_EMPTY(&cw->left);
}

void waiting_kill(struct client *c)
{
	if (c->cold && c->cold->waits)
		set_cancel(c->cold->waits);
}

void waiting_client_gone(struct client *c)
{
	struct wait_set *set = c->cold ? c->cold->waits : NULL;

	if (!set)
		return;
	waits_show(c, NULL);
	set->c = NULL;
	if (set_cancel(set))
		set_leave(c->ac, set);
}

/* --- life ------------------------------------------------------------------------------------- */

void waiting_core_init(struct app_core *ac)
{
	struct core_waiting *cw = &ac->waiting;

	TAILQ_INIT(&cw->blocked);
	TAILQ_INIT(&cw->left);
	TAILQ_INIT(&cw->owed);
	STAILQ_INIT(&cw->mail);
	rte_spinlock_init(&cw->lock);
}

void waiting_core_fini(struct app_core *ac)
{
	struct core_waiting *cw = &ac->waiting;
	struct wait_set *set;
	struct owed *o;

	while ((o = TAILQ_FIRST(&cw->owed))) {
		TAILQ_REMOVE(&cw->owed, o, link);
		free(o);
	}
	while ((set = STAILQ_FIRST(&cw->mail))) {
		STAILQ_REMOVE_HEAD(&cw->mail, mail_link);
		set_end(ac->srv, set, true);
	}
	while ((set = TAILQ_FIRST(&cw->left))) {
		TAILQ_REMOVE(&cw->left, set, left_link);
		set_end(ac->srv, set, true);
	}
	client_destroy(&cw->server);
}
