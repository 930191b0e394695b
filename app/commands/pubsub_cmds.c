/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SUBSCRIBE, PUBLISH and their kin.
 */
#include "app/commands/pubsub_cmds.h"

#include "app/commands/notify.h"
#include "app/pubsub.h"
#include "app/replication.h"

#include <stdlib.h>
#include <string.h>

/* The number that goes with a confirmation: shard channels count for themselves. */
static int64_t subscriptions(const struct client *c, enum pubsub_kind kind)
{
	if (kind == PUBSUB_SHARD)
		return pubsub_client_count(c, PUBSUB_SHARD);
	return (int64_t)pubsub_client_count(c, PUBSUB_CHANNEL) +
	       pubsub_client_count(c, PUBSUB_PATTERN);
}

/* CLIENT_PUBSUB is set while there is any. */
static void mode_update(struct client *c)
{
	bool any = subscriptions(c, PUBSUB_CHANNEL) + subscriptions(c, PUBSUB_SHARD) > 0;

	client_flags_change(c, any ? CLIENT_PUBSUB : 0, any ? 0 : CLIENT_PUBSUB);
}

/* name NULL: there was nothing to end. */
static void confirm(
	struct client *c, const char *what, enum pubsub_kind kind, const struct slice *name)
{
	uint32_t muted = reply_unmute(c); /* it is told even with CLIENT REPLY OFF */

	reply_push(c, 3);
	reply_bulk_str(c, what);
	if (name)
		reply_bulk(c, name->ptr, name->len);
	else
		reply_null(c);
	reply_int(c, subscriptions(c, kind));
	reply_mute(c, muted);
}

static void subscribe(struct client *c, enum pubsub_kind kind, const char *what)
{
	for (uint32_t i = 1; i < c->argc; i++) {
		if (pubsub_subscribe(c, kind, &c->argv[i]) < 0) {
			client_flags_change(c, CLIENT_ASAP, 0); /* it must not believe it is told */
			return;
		}
		confirm(c, what, kind, &c->argv[i]);
	}
	mode_update(c);
}

static void unsubscribe_all(struct client *c, enum pubsub_kind kind, const char *what)
{
	struct slice name;

	if (!pubsub_client_any(c, kind, &name)) {
		confirm(c, what, kind, NULL);
		return;
	}
	do {
		struct slice copy = {.len = name.len};
		char *text = malloc(name.len + 1); /* the name goes with its last subscriber */

		if (!text) {
			client_flags_change(c, CLIENT_ASAP, 0);
			return;
		}
		memcpy(text, name.ptr, name.len);
		copy.ptr = text;
		pubsub_unsubscribe(c, kind, &copy);
		confirm(c, what, kind, &copy);
		free(text);
	} while (pubsub_client_any(c, kind, &name));
}

static void unsubscribe(struct client *c, enum pubsub_kind kind, const char *what)
{
	if (c->argc == 1)
		unsubscribe_all(c, kind, what);
	for (uint32_t i = 1; i < c->argc; i++) {
		pubsub_unsubscribe(c, kind, &c->argv[i]);
		confirm(c, what, kind, &c->argv[i]);
	}
	mode_update(c);
}

void subscribe_command(struct client *c)
{
	subscribe(c, PUBSUB_CHANNEL, "subscribe");
}

void unsubscribe_command(struct client *c)
{
	unsubscribe(c, PUBSUB_CHANNEL, "unsubscribe");
}

void psubscribe_command(struct client *c)
{
	subscribe(c, PUBSUB_PATTERN, "psubscribe");
}

void punsubscribe_command(struct client *c)
{
	unsubscribe(c, PUBSUB_PATTERN, "punsubscribe");
}

void ssubscribe_command(struct client *c)
{
	subscribe(c, PUBSUB_SHARD, "ssubscribe");
}

void sunsubscribe_command(struct client *c)
{
	unsubscribe(c, PUBSUB_SHARD, "sunsubscribe");
}

static void publish(struct client *c, enum pubsub_kind kind)
{
	size_t nr;

	if (c->ac->in_exec) {
		notify_add_message(c->ac, kind, &c->argv[1], &c->argv[2]);
		if (repl_has_audience(c->srv))
			prop_force(c);
		reply_int(c, (int64_t)pubsub_receivers(c->srv, kind, &c->argv[1]));
		return;
	}
	if (!(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) && pubsub_is_behind(c->srv)) {
		pubsub_core_work(c->ac); /* it may be this core */
		cmd_retry(c);
		return;
	}
	nr = pubsub_publish(c->ac, kind, &c->argv[1], &c->argv[2], c->gate);
	pubsub_core_work(
		c->ac); /* a publisher that is subscribed itself hears it before the reply */
	if (repl_has_audience(c->srv))
		prop_force(c);
	reply_int(c, (int64_t)nr);
}

void publish_command(struct client *c)
{
	publish(c, PUBSUB_CHANNEL);
}

void spublish_command(struct client *c)
{
	publish(c, PUBSUB_SHARD);
}

/* --- PUBSUB --- */

struct listing {
	struct client *c;
	const struct slice *pattern; /* NULL: all */
	size_t nr;
};

static void list_name(void *ctx, const struct slice *name)
{
	struct listing *l = ctx;

	if (l->pattern &&
		!glob_match(l->pattern->ptr, l->pattern->len, name->ptr, name->len, false))
		return;
	reply_bulk(l->c, name->ptr, name->len);
	l->nr++;
}

static void list_names(struct client *c, enum pubsub_kind kind)
{
	struct listing l = {c, c->argc == 3 ? &c->argv[2] : NULL, 0};

	if (c->argc > 3) {
		reply_subcommand_syntax(c);
		return;
	}
	reply_defer_begin(c);
	pubsub_walk(c->srv, kind, list_name, &l);
	reply_defer_end_array(c, l.nr);
}

static void count_subscribers(struct client *c, enum pubsub_kind kind)
{
	reply_array(c, (c->argc - 2) * 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		reply_bulk(c, c->argv[i].ptr, c->argv[i].len);
		reply_int(c, (int64_t)pubsub_nr_subscribers(c->srv, kind, &c->argv[i]));
	}
}

void pubsub_channels_command(struct client *c)
{
	list_names(c, PUBSUB_CHANNEL);
}

void pubsub_shardchannels_command(struct client *c)
{
	list_names(c, PUBSUB_SHARD);
}

void pubsub_numsub_command(struct client *c)
{
	count_subscribers(c, PUBSUB_CHANNEL);
}

void pubsub_shardnumsub_command(struct client *c)
{
	count_subscribers(c, PUBSUB_SHARD);
}

void pubsub_numpat_command(struct client *c)
{
	reply_int(c, pubsub_nr_names(c->srv, PUBSUB_PATTERN));
}

void pubsub_help_command(struct client *c)
{
	static const char *const lines[] = {
		"CHANNELS [<pattern>]",
		"    The channels with subscribers, or those that match the pattern.",
		"NUMPAT",
		"    How many patterns somebody is subscribed to.",
		"NUMSUB [<channel> ...]",
		"    How many subscribers each channel has; patterns do not count.",
		"SHARDCHANNELS [<pattern>]",
		"    The shard channels with subscribers, or those that match the pattern.",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    How many subscribers each shard channel has.",
		NULL,
	};

	reply_help(c, lines);
}
