/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/log.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_MS 60000
/* Entries that are looked at for a like one. */
#define GROUP_SCAN 10

void acl_log_init(struct acl_log *log)
{
	rte_spinlock_init(&log->lock);
	TAILQ_INIT(&log->entries);
	log->nr = 0;
}

static void entry_free(struct acl_log_entry *e)
{
	free(e->user);
	free(e->client);
	free(e->object);
	free(e);
}

void acl_log_list_free(struct acl_log_list *list)
{
	struct acl_log_entry *e;

	while ((e = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, e, link);
		entry_free(e);
	}
}

void acl_log_fini(struct acl_log *log)
{
	acl_log_list_free(&log->entries);
}

static char *copy(const char *text, size_t len)
{
	char *to = malloc(len + 1);

	if (!to)
		return NULL;
	memcpy(to, text, len);
	to[len] = '\0';
	return to;
}

/* NULL: no memory. */
static struct acl_log_entry *entry_create(
	const struct slice *object, const struct slice *user, const char *client)
{
	struct acl_log_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->user = copy(user->ptr, user->len);
	e->client = copy(client, strlen(client));
	e->object = copy(object->ptr, object->len);
	e->object_len = object->len;
	if (e->user && e->client && e->object)
		return e;
	entry_free(e);
	return NULL;
}

static bool is_like(const struct acl_log_entry *a, const struct acl_log_entry *b)
{
	return a->reason == b->reason && a->context == b->context &&
	       llabs(a->time_ms - b->time_ms) <= GROUP_MS && a->object_len == b->object_len &&
	       memcmp(a->object, b->object, a->object_len) == 0 && strcmp(a->user, b->user) == 0;
}

static struct acl_log_entry *like_find(struct acl_log *log, const struct acl_log_entry *e)
{
	struct acl_log_entry *old;
	int scanned = 0;

	TAILQ_FOREACH(old, &log->entries, link) {
		if (is_like(old, e))
			return old;
		if (++scanned == GROUP_SCAN)
			break;
	}
	return NULL;
}

void acl_log_add(struct acl_log *log, enum acl_verdict reason, enum acl_context context,
	const struct slice *object, const struct slice *user, const char *client, int64_t now_ms,
	size_t max)
{
	struct acl_log_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct acl_log_entry *e = entry_create(object, user, client), *old;

	if (!e)
		return;
	e->reason = reason;
	e->context = context;
	e->time_ms = now_ms;
	e->count = 1;
	rte_spinlock_lock(&log->lock);
	old = like_find(log, e);
	if (old) {
		e->count += old->count;
		TAILQ_REMOVE(&log->entries, old, link);
		TAILQ_INSERT_TAIL(&gone, old, link);
		log->nr--;
	}
	TAILQ_INSERT_HEAD(&log->entries, e, link);
	log->nr++;
	while (!old && log->nr > max) { /* as Redis: an entry that is there is only counted */
		e = TAILQ_LAST(&log->entries, acl_log_list);
		TAILQ_REMOVE(&log->entries, e, link);
		TAILQ_INSERT_TAIL(&gone, e, link);
		log->nr--;
	}
	rte_spinlock_unlock(&log->lock);
	acl_log_list_free(&gone);
}

void acl_log_reset(struct acl_log *log)
{
	struct acl_log_list gone = TAILQ_HEAD_INITIALIZER(gone);

	rte_spinlock_lock(&log->lock);
	TAILQ_CONCAT(&gone, &log->entries, link);
	log->nr = 0;
	rte_spinlock_unlock(&log->lock);
	acl_log_list_free(&gone);
}

size_t acl_log_take(struct acl_log *log, size_t max, struct acl_log_list *list)
{
	struct acl_log_entry *e, *c;
	size_t nr = 0;

	TAILQ_INIT(list);
	rte_spinlock_lock(&log->lock);
	TAILQ_FOREACH(e, &log->entries, link) {
		struct slice object = {e->object, e->object_len};
		struct slice user = {e->user, strlen(e->user)};

		c = nr < max ? entry_create(&object, &user, e->client) : NULL;
		if (!c)
			break;
		c->count = e->count;
		c->reason = e->reason;
		c->context = e->context;
		c->time_ms = e->time_ms;
		TAILQ_INSERT_TAIL(list, c, link);
		nr++;
	}
	rte_spinlock_unlock(&log->lock);
	return nr;
}

const char *acl_reason_name(enum acl_verdict reason)
{
	switch (reason) {
	case ACL_DENIED_COMMAND: return "command";
	case ACL_DENIED_KEY: return "key";
	case ACL_DENIED_CHANNEL: return "channel";
	case ACL_DENIED_AUTH: return "auth";
	case ACL_ALLOWED: break;
	}
	return "unknown";
}

const char *acl_context_name(enum acl_context context)
{
	switch (context) {
	case ACL_CONTEXT_LUA: return "lua";
	case ACL_CONTEXT_MULTI: return "multi";
	case ACL_CONTEXT_TOPLEVEL: break;
	}
	return "toplevel";
}
