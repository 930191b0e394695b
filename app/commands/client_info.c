/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients described: the lines of CLIENT LIST and CLIENT INFO.
 *
 * Formatting ten thousand lines takes milliseconds, too long for a lock that every accept and close
 * needs: what the lines need is copied under the lock, then printed without it.
 */
#include "app/commands/connection.h"

#include "app/acl/client.h"
#include "app/commands/multi.h"

#include "dataplane/obuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum client_type client_type_of(uint32_t flags)
{
	if (flags & CLIENT_MASTER)
		return CLIENT_TYPE_MASTER;
	if (flags & CLIENT_REPLICA)
		return CLIENT_TYPE_REPLICA;
	if (flags & CLIENT_PUBSUB)
		return CLIENT_TYPE_PUBSUB;
	return CLIENT_TYPE_NORMAL;
}

/* Copies what CLIENT LIST tells. The registry's lock is held, or c belongs to the calling core. */
static void view_take(struct client_view *v, struct client *c)
{
	v->id = c->id;
	v->fd = c->cold && c->cold->ends ? c->cold->fd : -1;
	v->flags = atomic_load_explicit(&c->pub_flags, memory_order_relaxed);
	v->resp = atomic_load_explicit(&c->pub_resp, memory_order_relaxed);
	v->db = atomic_load_explicit(&c->pub_db, memory_order_relaxed);
	v->created_ms = c->created_ms;
	v->active_ms = atomic_load_explicit(&c->pub_active_ms, memory_order_relaxed);
	v->qbuf = atomic_load_explicit(&c->pub_qbuf, memory_order_relaxed);
	v->qbuf_free = atomic_load_explicit(&c->pub_qbuf_free, memory_order_relaxed);
	v->obuf = atomic_load_explicit(&c->pub_obuf, memory_order_relaxed);
	v->total = client_memory(c);
	for (int i = 0; i < PUBSUB_KINDS; i++)
		v->subs[i] = pubsub_client_count(c, (enum pubsub_kind)i);
	v->multi = c->tx ? atomic_load_explicit(&c->tx->shown, memory_order_relaxed) : -1;
	v->multi_mem = c->tx ? atomic_load_explicit(&c->tx->shown_bytes, memory_order_relaxed) : 0;
	v->argv_mem = 0; /* no command is under way, or it is the owner's business */
	v->cmd = atomic_load_explicit(&c->last_cmd, memory_order_relaxed);
	v->name = client_name(c) ? strdup(client_name(c)) : NULL;
	v->user = strdup(acl_client_name(c));
	v->redirect = -1;
	if (c->cold && c->cold->tracking)
		v->redirect = (int64_t)atomic_load_explicit(
			&c->cold->tracking->redirect, memory_order_relaxed);
	client_peer(c, v->peer);
	client_local(c, v->local);
}

int client_id_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int view_compare(const void *a, const void *b)
{
	return client_id_compare(
		&((const struct client_view *)a)->id, &((const struct client_view *)b)->id);
}

static bool filter_passes(const struct client_filter *f, const struct client *c)
{
	if (atomic_load_explicit(&c->kill, memory_order_relaxed))
		return false;
	if (f->by_type && client_type_of(atomic_load_explicit(
				  &c->pub_flags, memory_order_relaxed)) != f->type)
		return false;
	if (f->by_id && !bsearch(&c->id, f->ids, f->nr_ids, sizeof(*f->ids), client_id_compare))
		return false;
	return true;
}

size_t client_views_take(
	struct server *srv, const struct client_filter *filter, struct client_view **views)
{
	/* Clients that come in between the two are left out when they find no room. */
	size_t room = atomic_load_explicit(&srv->nr_clients, memory_order_relaxed) + 64, nr = 0;
	struct client *c;

	*views = malloc(room * sizeof(**views));
	if (!*views)
		return 0;
	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link) {
		if (nr == room)
			break;
		if (filter_passes(filter, c))
			view_take(&(*views)[nr++], c);
	}
	rte_spinlock_unlock(&srv->clients_lock);
	qsort(*views, nr, sizeof(**views), view_compare);
	return nr;
}

static void view_fini(struct client_view *v)
{
	free(v->name);
	free(v->user);
}

void client_views_free(struct client_view *views, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		view_fini(&views[i]);
	free(views);
}

static void flags_print(char out[16], uint32_t flags)
{
	char *p = out;

	if (flags & CLIENT_MONITOR)
		*p++ = 'O';
	else if (flags & CLIENT_REPLICA)
		*p++ = 'S';
	if (flags & CLIENT_MASTER)
		*p++ = 'M';
	if (flags & CLIENT_PUBSUB)
		*p++ = 'P';
	if (flags & CLIENT_MULTI)
		*p++ = 'x';
	if (flags & CLIENT_BLOCKED)
		*p++ = 'b';
	if (flags & CLIENT_TRACKING)
		*p++ = 't';
	if (flags & CLIENT_TRACKING_BROKEN)
		*p++ = 'R';
	if (flags & CLIENT_TRACKING_BCAST)
		*p++ = 'B';
	if (flags & CLIENT_CLOSE_AFTER)
		*p++ = 'c';
	if (flags & CLIENT_ASAP)
		*p++ = 'A';
	if (flags & CLIENT_UNIX)
		*p++ = 'U';
	if (flags & CLIENT_NO_EVICT)
		*p++ = 'e';
	if (p == out)
		*p++ = 'N';
	*p = '\0';
}

void client_view_print(struct textbuf *tb, const struct client_view *v, int64_t now_ms)
{
	char flags[16], cmd[COMMAND_NAME_MAX] = "NULL";

	flags_print(flags, v->flags);
	if (v->cmd)
		command_full_name(v->cmd, cmd);
	textbuf_addf(tb, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=%d",
		(unsigned long long)v->id, v->peer, v->local, v->fd, v->name ? v->name : "",
		(long long)((now_ms - v->created_ms) / 1000),
		(long long)((now_ms - v->active_ms) / 1000), flags, v->db);
	/* One buffer for output, made as it is needed: what Redis splits finer is 0 here. */
	textbuf_addf(tb,
		" sub=%u psub=%u ssub=%u multi=%d qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu rbs=0 "
		"rbp=0 obl=0 oll=%d omem=%zu tot-mem=%zu events=%s cmd=%s user=%s redir=%lld resp=%u",
		v->subs[PUBSUB_CHANNEL], v->subs[PUBSUB_PATTERN], v->subs[PUBSUB_SHARD], v->multi,
		v->qbuf, v->qbuf_free, v->argv_mem, v->multi_mem, v->obuf != 0, v->obuf, v->total,
		v->obuf ? "rw" : "r", cmd, v->user ? v->user : "", (long long)v->redirect,
		v->resp ? v->resp : 2);
}

static unsigned digits_of(size_t n)
{
	unsigned digits = 1;

	for (; n >= 10; n /= 10)
		digits++;
	return digits;
}

static size_t args_len(const struct client *c)
{
	size_t len = 0;

	for (uint32_t i = 0; i < c->argc; i++)
		len += c->argv[i].len;
	return len;
}

/* Bytes of the command under way as a RESP array. */
static size_t request_len(const struct client *c)
{
	size_t len = 3 + digits_of(c->argc);

	for (uint32_t i = 0; i < c->argc; i++)
		len += 5 + digits_of(c->argv[i].len) + c->argv[i].len;
	return len;
}

void client_self_print(struct textbuf *tb, struct client *c)
{
	struct client_view v;

	/* Own fields: nobody else writes them, so no lock is needed. */
	view_take(&v, c);
	v.flags = c->flags;
	v.db = c->db;
	v.resp = c->resp;
	v.cmd = c->cmd;
	v.active_ms = c->now_ms;
	/* A request that came in one piece is run from where it was received. */
	v.qbuf = c->in.len > c->in.pos ? c->in.len - c->in.pos : request_len(c);
	v.argv_mem = args_len(c);
	v.obuf = c->out ? obuf_len(c->out) : 0;
	client_view_print(tb, &v, c->now_ms);
	view_fini(&v);
}
