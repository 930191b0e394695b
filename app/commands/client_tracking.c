/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CLIENT TRACKING, TRACKINGINFO, CACHING and GETREDIR.
 */
#include "app/commands/connection.h"
#include "app/tracking.h"

#include <stdlib.h>
#include <string.h>

struct options {
	int64_t redirect; /* 0: none */
	int redirect_core;
	uint32_t flags;
	struct slice *prefixes; /* owned */
	uint32_t nr_prefixes;
};

/* Replies and returns false when there is no such client. */
static bool redirect_parse(struct client *c, const struct slice *a, struct options *o)
{
	if (o->redirect) {
		reply_err(c, "ERR A client can only redirect to a single other client");
		return false;
	}
	if (!arg_int_reply(c, a, &o->redirect))
		return false;
	o->redirect_core = tracking_core_of(c->srv, (uint64_t)o->redirect);
	if (o->redirect_core < 0) {
		reply_err(c, "ERR The client ID you want redirect to does not exist");
		return false;
	}
	return true;
}

/* Replies and returns false when something is wrong. */
static bool options_parse(struct client *c, struct options *o)
{
	for (uint32_t i = 3; i < c->argc; i++) {
		const struct slice *a = &c->argv[i];
		bool more = i + 1 < c->argc;

		if (arg_is(a, "redirect") && more) {
			if (!redirect_parse(c, &c->argv[++i], o))
				return false;
		} else if (arg_is(a, "bcast")) {
			o->flags |= CLIENT_TRACKING_BCAST;
		} else if (arg_is(a, "optin")) {
			o->flags |= CLIENT_TRACKING_OPTIN;
		} else if (arg_is(a, "optout")) {
			o->flags |= CLIENT_TRACKING_OPTOUT;
		} else if (arg_is(a, "noloop")) {
			o->flags |= CLIENT_TRACKING_NOLOOP;
		} else if (arg_is(a, "prefix") && more) {
			o->prefixes[o->nr_prefixes++] = c->argv[++i];
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

static bool overlap(const struct slice *a, const struct slice *b)
{
	return memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len) == 0;
}

/* Replies and returns true when two of them overlap. */
static bool prefixes_overlap(struct client *c, const struct options *o)
{
	static const char text[] = "ERR Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for "
				   "a single client must not overlap.";
	struct slice other;

	for (uint32_t i = 0; i < o->nr_prefixes; i++) {
		const struct slice *p = &o->prefixes[i];

		for (uint32_t j = 0; tracking_prefix(c, j, &other); j++) {
			if (!overlap(p, &other))
				continue;
			reply_errf(c, text, (int)p->len, p->ptr, "an existing", (int)other.len,
				other.ptr);
			return true;
		}
		for (uint32_t j = i + 1; j < o->nr_prefixes; j++) {
			other = o->prefixes[j];
			if (!overlap(p, &other))
				continue;
			reply_errf(c, text, (int)p->len, p->ptr, "another provided", (int)other.len,
				other.ptr);
			return true;
		}
	}
	return false;
}

/* What does not go together, or not with what the client has; NULL: nothing. */
static const char *options_refuse(const struct client *c, const struct options *o)
{
	uint32_t on = o->flags;

	if (!(on & CLIENT_TRACKING_BCAST) && o->nr_prefixes)
		return "ERR PREFIX option requires BCAST mode to be enabled";
	if ((c->flags & CLIENT_TRACKING) && ((on ^ c->flags) & CLIENT_TRACKING_BCAST))
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this "
		       "client, and then re-enabling it with a different mode.";
	if ((on & CLIENT_TRACKING_BCAST) && (on & (CLIENT_TRACKING_OPTIN | CLIENT_TRACKING_OPTOUT)))
		return "ERR OPTIN and OPTOUT are not compatible with BCAST";
	if ((on & CLIENT_TRACKING_OPTIN) && (on & CLIENT_TRACKING_OPTOUT))
		return "ERR You can't specify both OPTIN mode and OPTOUT mode";
	if (((on & CLIENT_TRACKING_OPTIN) && (c->flags & CLIENT_TRACKING_OPTOUT)) ||
		((on & CLIENT_TRACKING_OPTOUT) && (c->flags & CLIENT_TRACKING_OPTIN)))
		return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this "
		       "client, and then re-enabling it with a different mode.";
	return NULL;
}

static void turn_on(struct client *c, const struct options *o)
{
	const char *refusal = options_refuse(c, o);

	if (refusal) {
		reply_err(c, refusal);
		return;
	}
	if ((o->flags & CLIENT_TRACKING_BCAST) && prefixes_overlap(c, o))
		return;
	if (tracking_on(c, (uint64_t)o->redirect, (unsigned)o->redirect_core, o->flags, o->prefixes,
		    o->nr_prefixes))
		reply_err(c, "ERR out of memory");
	else
		reply_ok(c);
}

void client_tracking_command(struct client *c)
{
	struct options o = {.prefixes = malloc(c->argc * sizeof(struct slice))};

	if (!o.prefixes) {
		reply_err(c, "ERR out of memory");
		return;
	}
	if (options_parse(c, &o)) {
		if (arg_is(&c->argv[2], "on")) {
			turn_on(c, &o);
		} else if (arg_is(&c->argv[2], "off")) {
			tracking_off(c);
			reply_ok(c);
		} else {
			reply_err(c, REPLY_SYNTAX);
		}
	}
	free(o.prefixes);
}

static int64_t redirect_of(const struct client *c)
{
	if (!(c->flags & CLIENT_TRACKING))
		return -1;
	return (int64_t)atomic_load_explicit(&c->cold->tracking->redirect, memory_order_relaxed);
}

static void flags_reply(struct client *c)
{
	static const struct {
		uint32_t flags;
		const char *name;
	} names[] = {
		{CLIENT_TRACKING_BCAST, "bcast"},
		{CLIENT_TRACKING_OPTIN, "optin"},
		{CLIENT_TRACKING_OPTIN | CLIENT_TRACKING_CACHING, "caching-yes"},
		{CLIENT_TRACKING_OPTOUT, "optout"},
		{CLIENT_TRACKING_OPTOUT | CLIENT_TRACKING_CACHING, "caching-no"},
		{CLIENT_TRACKING_NOLOOP, "noloop"},
		{CLIENT_TRACKING_BROKEN, "broken_redirect"},
	};
	size_t n = 1;

	reply_defer_begin(c);
	reply_bulk_str(c, c->flags & CLIENT_TRACKING ? "on" : "off");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((c->flags & names[i].flags) != names[i].flags)
			continue;
		reply_bulk_str(c, names[i].name);
		n++;
	}
	reply_defer_end_set(c, n);
}

void client_trackinginfo_command(struct client *c)
{
	struct slice prefix;
	uint32_t nr = 0;

	reply_map(c, 3);
	reply_bulk_str(c, "flags");
	flags_reply(c);
	reply_bulk_str(c, "redirect");
	reply_int(c, redirect_of(c));
	reply_bulk_str(c, "prefixes");
	reply_defer_begin(c);
	for (; tracking_prefix(c, nr, &prefix); nr++)
		reply_bulk(c, prefix.ptr, prefix.len);
	reply_defer_end_array(c, nr);
}

void client_caching_command(struct client *c)
{
	uint32_t mode = 0;

	if (!(c->flags & CLIENT_TRACKING)) {
		reply_err(c, "ERR CLIENT CACHING can be called only when the client is in tracking "
			     "mode with OPTIN or OPTOUT mode enabled");
		return;
	}
	if (arg_is(&c->argv[2], "yes"))
		mode = CLIENT_TRACKING_OPTIN;
	else if (arg_is(&c->argv[2], "no"))
		mode = CLIENT_TRACKING_OPTOUT;
	if (!mode) {
		reply_err(c, REPLY_SYNTAX);
	} else if (!(c->flags & mode)) {
		reply_errf(c,
			"ERR CLIENT CACHING %s is only valid when tracking is enabled in %s "
			"mode.",
			mode == CLIENT_TRACKING_OPTIN ? "YES" : "NO",
			mode == CLIENT_TRACKING_OPTIN ? "OPTIN" : "OPTOUT");
	} else {
		client_flags_change(c, CLIENT_TRACKING_CACHING, 0);
		reply_ok(c);
	}
}

void client_getredir_command(struct client *c)
{
	reply_int(c, redirect_of(c));
}
