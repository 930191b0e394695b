/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/notify.h"
#include "app/pubsub.h"

#include <stdio.h>
#include <string.h>

#define CHANNEL_HEAD 48 /* "__keyspace@<db>__:" */

/* Publishes on "__<kind>@<db>__:<tail>". */
static void publish(struct app_core *ac, const char *kind, int db, const struct slice *tail,
	const struct slice *payload, uint64_t gate)
{
	struct encbuf name = {0};
	struct slice channel;
	char head[CHANNEL_HEAD];

	encbuf_add(&name, head, (size_t)snprintf(head, sizeof(head), "__%s@%d__:", kind, db));
	encbuf_add(&name, tail->ptr, tail->len);
	channel = (struct slice){name.ptr, name.len};
	pubsub_publish(ac, PUBSUB_CHANNEL, &channel, payload, gate);
	encbuf_fini(&name);
}

static void tell(
	struct app_core *ac, const char *event, int db, const struct slice *key, uint64_t gate)
{
	unsigned on = atomic_load_explicit(&ac->srv->cfg->notify_events, memory_order_relaxed);
	struct slice name = slice_str(event);

	if (pubsub_nr_names(ac->srv, PUBSUB_CHANNEL) + pubsub_nr_names(ac->srv, PUBSUB_PATTERN) ==
		0)
		return;
	if (on & NOTIFY_KEYSPACE)
		publish(ac, "keyspace", db, key, &name, gate);
	if (on & NOTIFY_KEYEVENT)
		publish(ac, "keyevent", db, &name, key, gate);
}

void notify_publish_all(struct app_core *ac, uint64_t gate)
{
	struct event_head head;
	struct slice key, text;

	tracking_publish(ac, gate);
	for (size_t at = 0; at < ac->events.len; at += sizeof(head) + key.len + text.len) {
		memcpy(&head, ac->events.ptr + at, sizeof(head));
		key = (struct slice){ac->events.ptr + at + sizeof(head), head.key_len};
		text = (struct slice){key.ptr + key.len, head.text_len};
		if (head.event)
			tell(ac, head.event, head.db, &key, gate);
		else
			pubsub_publish(ac, (enum pubsub_kind)head.db, &key, &text, gate);
	}
	notify_forget(ac);
}

void notify_now(struct app_core *ac, unsigned class, const char *event, int db,
	const struct slice *key, uint64_t gate)
{
	if (notify_wanted(ac->srv, class))
		tell(ac, event, db, key, gate);
}
