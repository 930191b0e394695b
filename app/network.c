/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/network.h"

#include "app/connect_guard.h"
#include "app/control.h"
#include "app/nic_address.h"
#include "app/unmap_guard.h"
#include "dataplane/conn.h"
#include "dataplane/core.h"
#include "dataplane/nic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LINK_EVERY_MS 300

struct network {
	bool eal;
	unsigned nr;
	int64_t looked_ms; /* at the links */
	struct nic *nics[CONFIG_MAX_NICS];
};

int network_eal_start(struct server *srv, char *err, size_t err_len)
{
	struct config *cfg = srv->cfg;
	char prefix[64];
	struct nic_eal_cfg ec = {
		.prefix = prefix,
		.devices = (const char *const *)cfg->nic,
		.nr_devices = cfg->nr_nics,
		.huge = cfg->huge_pages == HUGE_YES  ? 1
			: cfg->huge_pages == HUGE_NO ? 0
						     : -1,
		.extra_args = cfg->eal_args ? cfg->eal_args : "",
		.verbose = atomic_load(&cfg->loglevel) == 0,
	};
	bool huge = false;
	int rc;

	srv->net = calloc(1, sizeof(*srv->net));
	if (!srv->net)
		return -ENOMEM;
	snprintf(prefix, sizeof(prefix), "millrace-%d", cfg->port);
	connect_guard_watch(true);
	rc = nic_eal_init(&ec, &huge, err, err_len);
	/* Without a NIC it only serves telemetry; but what was asked for has to be. */
	if (rc && (cfg->nr_nics || cfg->huge_pages == HUGE_YES || ec.extra_args[0]))
		return rc;
	if (rc) {
		server_log(srv, 3, "no telemetry: %s", err);
		return 0;
	}
	srv->net->eal = true;
	server_log(srv, 2, "eal: directory=%s hugepages=%s", nic_eal_dir(), huge ? "yes" : "no");
	return 0;
}

void network_eal_stop(struct server *srv)
{
	if (srv->net && srv->net->eal)
		nic_eal_fini();
	free(srv->net);
	srv->net = NULL;
}

static void nic_log(void *ctx, int level, const char *text)
{
	server_log(ctx, level, "%s", text);
}

/* The lists have been checked when they were read. */
static int nic_config(struct server *srv, unsigned i, struct nic_cfg *nc, char *err, size_t err_len)
{
	const struct config *cfg = srv->cfg;
	int n = i < cfg->nr_nic_addresses ? nic_address_parse(cfg->nic_address[i], nc->addrs) : 0;

	if (n <= 0) {
		snprintf(err, err_len,
			"nic %s has no nic-address (as 10.0.0.2/24; one for each nic, in order)",
			cfg->nic[i]);
		return -EINVAL;
	}
	nc->nr_addrs = (unsigned)n;
	nc->device = cfg->nic[i];
	nc->vlan = (uint16_t)(i < cfg->nr_nic_vlans ? atoi(cfg->nic_vlan[i]) : 0);
	nc->mtu = (uint16_t)(i < cfg->nr_nic_mtus ? atoi(cfg->nic_mtu[i]) : 0);
	nc->log = nic_log;
	nc->log_ctx = srv;
	if (i < cfg->nr_nic_gateways)
		return nic_gateway_parse(cfg->nic_gateway[i], &nc->gateway, &nc->gateway_v6);
	return 0;
}

static void bursts_guard(struct server *srv)
{
	struct core *cores[CORE_MAX];

	for (unsigned i = 0; i < srv->nr_cores; i++)
		cores[i] = srv->cores[i]->core;
	unmap_guard_watch(cores, srv->nr_cores);
}

static int nic_up(
	struct server *srv, unsigned i, const uint8_t secret[16], char *err, size_t err_len)
{
	struct network *net = srv->net;
	struct nic_cfg nc = {0};
	char text[512];
	int rc = nic_config(srv, i, &nc, err, err_len);

	if (rc)
		return rc;
	memcpy(nc.secret, secret, sizeof(nc.secret));
	rc = nic_open(&nc, srv->nr_cores, &net->nics[i], err, err_len);
	if (rc)
		return rc;
	net->nr++;
	if (nic_unmaps(net->nics[i]))
		bursts_guard(srv);
	for (unsigned c = 0; c < srv->nr_cores && rc == 0; c++) {
		struct core *core = srv->cores[c]->core;

		rc = nic_attach(net->nics[i], core, err, err_len);
		if (rc == 0)
			rc = conn_listen_net(core, core->nets[core->nr_nets - 1],
				(uint16_t)srv->cfg->port, (unsigned)srv->cfg->tcp_backlog);
	}
	if (rc == 0)
		rc = nic_start(net->nics[i], err, err_len);
	if (rc == 0) {
		nic_describe(net->nics[i], text, sizeof(text));
		server_log(srv, 2, "nic: %s", text);
	}
	return rc;
}

int network_start(struct server *srv, char *err, size_t err_len)
{
	uint8_t secret[16];
	int rc = 0;

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	for (unsigned i = 0; i < srv->cfg->nr_nics && rc == 0; i++)
		rc = nic_up(srv, i, secret, err, err_len);
	return rc;
}

void network_tick(struct server *srv, int64_t now_ms)
{
	struct network *net = srv->net;

	if (!net || now_ms - net->looked_ms < LINK_EVERY_MS)
		return;
	net->looked_ms = now_ms;
	for (unsigned i = 0; i < net->nr; i++)
		nic_link_poll(net->nics[i]);
}

const struct nic *network_nic(const struct server *srv, unsigned i)
{
	return srv->net && i < srv->net->nr ? srv->net->nics[i] : NULL;
}

void network_stop(struct server *srv)
{
	for (unsigned i = 0; srv->net && i < srv->net->nr; i++)
		nic_close(&srv->net->nics[i]);
	unmap_guard_watch(NULL, 0);
}
