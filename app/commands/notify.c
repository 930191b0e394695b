/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/notify.h"

#include <string.h>

#define KEEP_BYTES (64 * 1024)

void cmd_notify_db(
	struct client *c, unsigned class, const char *event, int db, const struct slice *key)
{
	struct event_head head = {event, key->len, 0, db};

	if (!notify_wanted(c->srv, class) || (c->flags & CLIENT_REPLAY))
		return;
	encbuf_add(&c->ac->events, &head, sizeof(head));
	encbuf_add(&c->ac->events, key->ptr, key->len);
}

void cmd_notify(struct client *c, unsigned class, const char *event, const struct slice *key)
{
	cmd_notify_db(c, class, event, c->db, key);
}

void notify_add_message(
	struct app_core *ac, int kind, const struct slice *channel, const struct slice *text)
{
	struct event_head head = {NULL, channel->len, text->len, kind};

	encbuf_add(&ac->events, &head, sizeof(head));
	encbuf_add(&ac->events, channel->ptr, channel->len);
	encbuf_add(&ac->events, text->ptr, text->len);
}

void notify_forget(struct app_core *ac)
{
	ac->events.len = 0;
	encbuf_shrink(&ac->events, KEEP_BYTES);
}
