/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What has to happen beyond storing the value when CONFIG SET changes the node.
 *
 * Most values need nothing: whoever uses one reads it each time. The keyspace keeps copies of its
 * own, since it knows no configuration.
 */
#include "app/config_apply.h"

#include "app/acl/acl.h"
#include "app/acl/start.h"
#include "app/control.h"
#include "app/pool_size.h"
#include "app/repl_durable.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL_WARNING 3

static int load_int(const atomic_int *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void apply_policy(struct server *srv)
{
	const struct config *cfg = srv->cfg;

	ks_set_policy(srv->ks, (enum ks_policy)load_int(&cfg->maxmemory_policy),
		(unsigned)load_int(&cfg->maxmemory_samples), load_int(&cfg->lfu_log_factor),
		load_int(&cfg->lfu_decay_time));
}

/* Clients learn it in their cores' next turn. */
static void apply_password(struct server *srv)
{
	char *text = config_get(srv->cfg, "requirepass");

	if (!text || acl_default_password(srv->acl, text))
		server_log(srv, LEVEL_WARNING, "config: requirepass: out of memory");
	free(text);
}

static void apply_pubsub_default(struct server *srv)
{
	atomic_store(&srv->acl->all_channels, load_int(&srv->cfg->acl_pubsub_default) == 0);
}

static const struct {
	const char *name;
	void (*apply)(struct server *srv);
} actions[] = {
	{"acl-pubsub-default", apply_pubsub_default},
	{"lfu-decay-time", apply_policy},
	{"lfu-log-factor", apply_policy},
	{"maxmemory-policy", apply_policy},
	{"maxmemory-samples", apply_policy},
	{"min-replicas-durable", repl_durable_configure},
	{"requirepass", apply_password},
};

/* Replicas are resumed from the log in the pool, whose size is the pool's. */
static int check_backlog(struct server *srv, char *err, size_t err_len)
{
	uint64_t wanted = atomic_load(&srv->cfg->repl_backlog_size);
	uint64_t has = srv->log ? log_ring_size(srv->log) : UINT64_MAX;

	if (wanted <= has)
		return 0;
	snprintf(err, err_len,
		"the backlog is the log in the pool, which has %llu bytes; a pool with a larger one "
		"is made by 'millrace-pool create' or 'import' with --log-size",
		(unsigned long long)has);
	return -EINVAL;
}

static int changed(void *ctx, const char *name, char *err, size_t err_len)
{
	if (strcmp(name, "pmem-size") == 0)
		return pool_size_check(ctx, err, err_len);
	if (strcmp(name, "repl-backlog-size") == 0)
		return check_backlog(ctx, err, err_len);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(name, actions[i].name) == 0)
			actions[i].apply(ctx);
	return 0;
}

void config_apply_setup(struct server *srv)
{
	const struct config_hooks hooks = {changed, srv, acl_config_lines};
	const char *text;

	config_set_hooks(srv->cfg, &hooks);
	for (unsigned i = 0; (text = config_warning(srv->cfg, i)); i++)
		server_log(srv, LEVEL_WARNING, "config: %s", text);
}
