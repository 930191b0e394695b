/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/network.h"

#include "app/control.h"
#include "dataplane/conn.h"
#include "dataplane/core.h"
#include "dataplane/nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct network {
	bool eal;
	unsigned nr;
	struct nic *nics[CONFIG_MAX_NICS];
};

int network_parse_address(const char *text, uint32_t *ip, unsigned *prefix)
{
	char addr[32], *slash, *end;
	struct in_addr in;
	unsigned long bits = 32;

	if (snprintf(addr, sizeof(addr), "%s", text) >= (int)sizeof(addr))
		return -EINVAL;
	slash = strchr(addr, '/');
	if (slash) {
		*slash = 0;
		bits = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end || bits > 32)
			return -EINVAL;
	}
	if (inet_pton(AF_INET, addr, &in) != 1)
		return -EINVAL;
	*ip = ntohl(in.s_addr);
	*prefix = (unsigned)bits;
	return 0;
}

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
	rc = nic_eal_init(&ec, &huge, err, err_len);
	if (rc && cfg->nr_nics)
		return rc;
	if (rc) {
		server_log(srv, 3, "no telemetry: %s", err);
		return 0;
	}
	srv->net->eal = true;
	server_log(srv, 2, "eal: prefix=%s hugepages=%s", prefix, huge ? "yes" : "no");
	return 0;
}

void network_eal_stop(struct server *srv)
{
	if (srv->net && srv->net->eal)
		nic_eal_fini();
	free(srv->net);
	srv->net = NULL;
}

static int nic_config(struct config *cfg, unsigned i, struct nic_cfg *nc, char *err, size_t err_len)
{
	uint32_t gw = 0;
	unsigned bits;

	memset(nc, 0, sizeof(*nc));
	nc->device = cfg->nic[i];
	if (i >= cfg->nr_nic_addresses) {
		snprintf(err, err_len,
			"nic %s has no nic-address (as 10.0.0.2/24; one for each nic, in order)",
			cfg->nic[i]);
		return -EINVAL;
	}
	if (network_parse_address(cfg->nic_address[i], &nc->ip, &nc->prefix)) {
		snprintf(err, err_len, "nic-address %s: not an IPv4 address with a prefix length",
			cfg->nic_address[i]);
		return -EINVAL;
	}
	if (i < cfg->nr_nic_gateways && network_parse_address(cfg->nic_gateway[i], &gw, &bits)) {
		snprintf(err, err_len, "nic-gateway %s: not an IPv4 address", cfg->nic_gateway[i]);
		return -EINVAL;
	}
	nc->gateway = gw;
	return 0;
}

static int nic_up(
	struct server *srv, unsigned i, const uint8_t secret[16], char *err, size_t err_len)
{
	struct network *net = srv->net;
	struct nic_cfg nc;
	char text[256];
	int rc = nic_config(srv->cfg, i, &nc, err, err_len);

	if (rc)
		return rc;
	memcpy(nc.secret, secret, sizeof(nc.secret));
	rc = nic_open(&nc, srv->nr_cores, &net->nics[i], err, err_len);
	if (rc)
		return rc;
	net->nr++;
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

void network_stop(struct server *srv)
{
	for (unsigned i = 0; srv->net && i < srv->net->nr; i++)
		nic_close(&srv->net->nics[i]);
}
