/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The slow log.
 */
#include "app/slowlog.h"

#include "app/client.h"
#include "app/commands/command.h"
#include "app/redact.h"
#include "app/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest text that is put in an argument's place: "... (18446744073709551615 more arguments)". */
#define SLOWLOG_NOTE_MAX 64

struct slowlog {
	rte_spinlock_t lock;        /* guards all below */
	struct slowlog_entry *head; /* newest */
	uint64_t len;
	uint64_t next_id;
};

struct slowlog *slowlog_create(void)
{
	struct slowlog *sl = calloc(1, sizeof(*sl));

	if (sl)
		rte_spinlock_init(&sl->lock);
	return sl;
}

static void entry_put(struct slowlog_entry *e)
{
	if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
		free(e);
}

static void list_put(struct slowlog_entry *e)
{
	while (e) {
		struct slowlog_entry *next = e->next;

		entry_put(e);
		e = next;
	}
}

void slowlog_destroy(struct slowlog **sl)
{
	if (!*sl)
		return;
	list_put((*sl)->head);
	free(*sl);
	*sl = NULL;
}

/* Appends bytes to the entry's text as argument e->nr_args. */
static void entry_arg(struct slowlog_entry *e, size_t *used, const void *data, size_t len)
{
	struct slowlog_arg *a = &e->args[e->nr_args++];

	a->off = (uint32_t)*used;
	a->len = (uint32_t)len;
	memcpy(e->text + *used, data, len);
	*used += len;
}

static void entry_fill_args(struct slowlog_entry *e, const struct slice *argv, uint32_t argc)
{
	enum redact_kind kind = redact_kind_of(argv, argc);
	uint32_t nr = argc < SLOWLOG_MAX_ARGC ? argc : SLOWLOG_MAX_ARGC;
	char text[SLOWLOG_MAX_ARG + SLOWLOG_NOTE_MAX];
	size_t used = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const struct slice *a = &argv[i];
		int n;

		if (nr != argc && i == nr - 1) {
			n = snprintf(text, sizeof(text), "... (%u more arguments)", argc - nr + 1);
			entry_arg(e, &used, text, (size_t)n);
		} else if (redact_arg(kind, argv, argc, i)) {
			entry_arg(e, &used, REDACTED, strlen(REDACTED));
		} else if (a->len > SLOWLOG_MAX_ARG) {
			memcpy(text, a->ptr, SLOWLOG_MAX_ARG);
			n = snprintf(text + SLOWLOG_MAX_ARG, SLOWLOG_NOTE_MAX,
				"... (%zu more bytes)", a->len - SLOWLOG_MAX_ARG);
			entry_arg(e, &used, text, SLOWLOG_MAX_ARG + (size_t)n);
		} else {
			entry_arg(e, &used, a->ptr, a->len);
		}
	}
}

static size_t text_bound(const struct slice *argv, uint32_t argc)
{
	size_t bytes = SLOWLOG_NOTE_MAX;

	for (uint32_t i = 0; i < argc && i < SLOWLOG_MAX_ARGC; i++) {
		size_t len = argv[i].len < SLOWLOG_MAX_ARG ? argv[i].len : SLOWLOG_MAX_ARG;

		bytes += len + SLOWLOG_NOTE_MAX;
	}
	return bytes;
}

static struct slowlog_entry *entry_create(struct client *c, uint64_t duration_us)
{
	struct slowlog_entry *e = malloc(sizeof(*e) + text_bound(c->argv, c->argc));

	if (!e)
		return NULL;
	atomic_init(&e->refs, 1);
	e->time_s = c->now_ms / 1000;
	e->duration_us = duration_us;
	e->nr_args = 0;
	entry_fill_args(e, c->argv, c->argc);
	/* Only the owning core, this one, writes its clients' names: no lock is needed to read. */
	client_peer(c, e->peer);
	snprintf(e->name, sizeof(e->name), "%s", client_name(c) ? client_name(c) : "");
	return e;
}

/* Cuts the list behind the newest max entries. Returns what was cut off. */
static struct slowlog_entry *trim(struct slowlog *sl, uint64_t max)
{
	struct slowlog_entry **link = &sl->head, *rest;

	if (sl->len <= max)
		return NULL;
	for (uint64_t i = 0; i < max; i++)
		link = &(*link)->next;
	rest = *link;
	*link = NULL;
	sl->len = max;
	return rest;
}

void slowlog_add(struct server *srv, struct client *c, uint64_t duration_us)
{
	struct slowlog *sl = srv->slowlog;
	struct slowlog_entry *e, *old;
	int64_t max = atomic_load_explicit(&srv->cfg->slowlog_max_len, memory_order_relaxed);

	if (!sl || c->argc == 0 || (c->cmd && (c->cmd->flags & CMD_SKIP_SLOWLOG)))
		return;
	e = entry_create(c, duration_us);
	if (!e)
		return;
	rte_spinlock_lock(&sl->lock);
	e->id = sl->next_id++;
	e->next = sl->head;
	sl->head = e;
	sl->len++;
	old = trim(sl, max > 0 ? (uint64_t)max : 0);
	rte_spinlock_unlock(&sl->lock);
	list_put(old);
}

uint64_t slowlog_len(struct slowlog *sl)
{
	uint64_t len;

	rte_spinlock_lock(&sl->lock);
	len = sl->len;
	rte_spinlock_unlock(&sl->lock);
	return len;
}

void slowlog_reset(struct slowlog *sl)
{
	struct slowlog_entry *old;

	rte_spinlock_lock(&sl->lock);
	old = trim(sl, 0);
	rte_spinlock_unlock(&sl->lock);
	list_put(old);
}

size_t slowlog_get(struct slowlog *sl, size_t max, struct slowlog_entry ***entries)
{
	uint64_t len = slowlog_len(sl);
	size_t room = len < max ? (size_t)len : max, nr = 0;

	*entries = room ? malloc(room * sizeof(**entries)) : NULL;
	if (!*entries)
		return 0;
	rte_spinlock_lock(&sl->lock);
	for (struct slowlog_entry *e = sl->head; e && nr < room; e = e->next) {
		atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
		(*entries)[nr++] = e;
	}
	rte_spinlock_unlock(&sl->lock);
	return nr;
}

void slowlog_put(struct slowlog_entry **entries, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		entry_put(entries[i]);
	free(entries);
}
