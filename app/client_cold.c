/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/client_cold.h"

#include "app/server.h"
#include "app/waiting.h"
#include "dataplane/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cold_set(struct client *c, struct client_cold *cold)
{
	rte_spinlock_lock(&c->srv->clients_lock);
	c->cold = cold;
	rte_spinlock_unlock(&c->srv->clients_lock);
}

struct client_cold *client_cold_get(struct client *c)
{
	struct client_cold *cold = c->cold;

	if (cold)
		return cold;
	cold = calloc(1, sizeof(*cold));
	if (cold)
		cold_set(c, cold);
	return cold;
}

static bool is_at_rest(const struct client_cold *cold)
{
	static const struct client_cold rest;

	return memcmp(cold, &rest, sizeof(rest)) == 0;
}

void client_cold_trim(struct client *c)
{
	struct client_cold *cold = c->cold;

	if (!cold || !is_at_rest(cold))
		return;
	cold_set(c, NULL);
	free(cold);
}

void client_cold_free(struct client *c)
{
	struct client_cold *cold = c->cold;

	if (!cold)
		return;
	c->cold = NULL;
	free(cold->name);
	free(cold->ends);
	free(cold);
}

size_t client_cold_bytes(const struct client *c)
{
	const struct client_cold *cold = c->cold;

	if (!cold)
		return 0;
	return sizeof(*cold) + (cold->name ? strlen(cold->name) + 1 : 0) +
	       (cold->waits ? cold->waits->bytes : 0) +
	       (cold->tracking ? cold->tracking->bytes : 0);
}

static const char *ends_get(const struct client *c, char buf[CLIENT_ADDR], bool is_local)
{
	const char *text = c->cold ? c->cold->ends : NULL;
	char peer[CLIENT_ADDR] = "", local[CLIENT_ADDR] = "";

	if (text && is_local)
		text += strlen(text) + 1;
	if (!text && c->conn && conn_is_netdev(c->conn)) {
		conn_addr(c->conn, peer, local, CLIENT_ADDR);
		text = is_local ? local : peer;
	}
	snprintf(buf, CLIENT_ADDR, "%s", text ? text : "");
	return buf;
}

const char *client_peer(const struct client *c, char buf[CLIENT_ADDR])
{
	return ends_get(c, buf, false);
}

const char *client_local(const struct client *c, char buf[CLIENT_ADDR])
{
	return ends_get(c, buf, true);
}
