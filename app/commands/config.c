/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CONFIG GET, SET, REWRITE, RESETSTAT, HELP.
 */
#include "app/config.h"

#include "app/commands/command.h"
#include "app/commands/server_cmds.h"
#include "app/control.h"
#include "app/pool_size.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL_NOTICE  2
#define LEVEL_WARNING 3

/* --- CONFIG GET ------------------------------------------------------------------------------- */

struct get {
	struct client *c;
	struct slice
		exact; /* the argument that asked for the name as it is; ptr NULL: a pattern did */
	size_t nr;
};

static bool is_pattern(const struct slice *a)
{
	return memchr(a->ptr, '*', a->len) || memchr(a->ptr, '?', a->len) ||
	       memchr(a->ptr, '[', a->len);
}

static bool get_match(void *ctx, const char *name, bool hidden)
{
	struct get *g = ctx;

	for (uint32_t i = 2; i < g->c->argc; i++) {
		const struct slice *a = &g->c->argv[i];

		g->exact = (struct slice){NULL, 0};
		if (is_pattern(a)) {
			if (!hidden && glob_match(a->ptr, a->len, name, strlen(name), true))
				return true;
		} else if (arg_is(a, name)) {
			g->exact = *a;
			return true;
		}
	}
	return false;
}

static void get_one(void *ctx, const char *name, const char *value)
{
	struct get *g = ctx;

	if (g->exact.ptr) /* spelled as the client did */
		reply_bulk(g->c, g->exact.ptr, g->exact.len);
	else
		reply_bulk_str(g->c, name);
	reply_bulk_str(g->c, value);
	g->nr++;
}

static void get_subcommand(struct client *c)
{
	struct get g = {.c = c};

	reply_defer_begin(c);
	config_each(c->srv->cfg, get_match, get_one, &g);
	reply_defer_end_map(c, g.nr);
}

/* --- CONFIG SET ------------------------------------------------------------------------------- */

/* Copies the arguments from the third on, NUL-terminated, into one block that the caller frees.
 * NULL: no memory. */
static char *copy_args(const struct client *c, struct config_pair *pairs)
{
	size_t len = 0;
	char *block, *p;

	for (uint32_t i = 2; i < c->argc; i++)
		len += c->argv[i].len + 1;
	block = p = malloc(len);
	if (!block)
		return NULL;
	for (uint32_t i = 2; i < c->argc; i++) {
		memcpy(p, c->argv[i].ptr, c->argv[i].len);
		p[c->argv[i].len] = '\0';
		if (i % 2 == 0)
			pairs[i / 2 - 1].name = p;
		else
			pairs[i / 2 - 1].value = p;
		p += c->argv[i].len + 1;
	}
	return block;
}

/* A value is text: one with a NUL byte would be cut. Replies and returns true if there is one. */
static bool has_nul(struct client *c)
{
	for (uint32_t i = 2; i < c->argc; i++) {
		if (!memchr(c->argv[i].ptr, '\0', c->argv[i].len))
			continue;
		reply_errf(c,
			"ERR CONFIG SET failed (possibly related to argument '%.*s') - a NUL byte",
			(int)(c->argv[i & ~1u].len < 64 ? c->argv[i & ~1u].len : 64),
			c->argv[i & ~1u].ptr);
		return true;
	}
	return false;
}

static void set_subcommand(struct client *c)
{
	struct config *cfg = c->srv->cfg;
	int mode = atomic_load_explicit(&cfg->enable_protected_configs_mode, memory_order_relaxed);
	bool protected_ok =
		mode == ENABLE_YES || (mode == ENABLE_LOCAL && (c->flags & CLIENT_LOCAL));
	uint32_t nr = (c->argc - 2) / 2;
	struct config_pair *pairs;
	char err[CONFIG_ERR_MAX], *block = NULL;

	if (c->argc % 2 != 0) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (has_nul(c))
		return;
	pairs = calloc(nr, sizeof(*pairs));
	if (pairs)
		block = copy_args(c, pairs);
	if (!block)
		reply_err(c, "ERR out of memory");
	else if (config_set_many(cfg, nr, pairs, protected_ok, err, sizeof(err)))
		reply_err(c, err);
	else if (pool_size_wanted(c->srv))
		pool_size_grow(c);
	else
		reply_ok(c);
	free(block);
	free(pairs);
}

/* --- the others ------------------------------------------------------------------------------- */

static void rewrite_subcommand(struct client *c)
{
	struct server *srv = c->srv;
	char err[CONFIG_ERR_MAX];

	if (srv->config_file[0] == '\0') {
		reply_err(c, "ERR The server is running without a config file");
		return;
	}
	if (config_rewrite(srv->cfg, srv->config_file, err, sizeof(err)) != 0) {
		server_log(srv, LEVEL_WARNING, "config: rewrite failed file=%s reason=%s",
			srv->config_file, err);
		reply_errf(c, "ERR Rewriting config file: %s", err);
		return;
	}
	server_log(srv, LEVEL_NOTICE, "config: rewritten file=%s", srv->config_file);
	reply_ok(c);
}

static void resetstat_subcommand(struct client *c)
{
	server_reset_stats(c->srv);
	reply_ok(c);
}

static void help_subcommand(struct client *c)
{
	static const char *const lines[] = {
		"GET <pattern> [<pattern> ...]",
		"    Tells the parameters whose names match, and their values.",
		"SET <parameter> <value> [<parameter> <value> ...]",
		"    Changes parameters: all of them, or none when one is refused.",
		"REWRITE",
		"    Brings the configuration file in line with the values in force.",
		"RESETSTAT",
		"    Sets the counters that INFO shows to zero.",
		NULL,
	};

	reply_help(c, lines);
}

#define ADMIN_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

struct command config_subcommands[] = {
	{"get", get_subcommand, -3, ADMIN_FLAGS, .group = "server", .since = "2.0.0",
		.complexity = "O(N) where N is the number of parameters",
		.summary = "Tells the values of parameters"},
	{"help", help_subcommand, 2, CMD_LOADING | CMD_STALE, .group = "server", .since = "5.0.0",
		.complexity = "O(1)", .summary = "Explains the subcommands"},
	{"resetstat", resetstat_subcommand, 2, ADMIN_FLAGS, .group = "server", .since = "2.0.0",
		.complexity = "O(1)", .summary = "Sets the counters of INFO to zero"},
	{"rewrite", rewrite_subcommand, 2, ADMIN_FLAGS, .group = "server", .since = "2.8.0",
		.complexity = "O(1)",
		.summary = "Brings the configuration file in line with the values in force"},
	{"set", set_subcommand, -4, ADMIN_FLAGS, .group = "server", .since = "2.0.0",
		.complexity = "O(N) where N is the number of parameters given",
		.summary = "Changes parameters while the node runs"},
	{0},
};
