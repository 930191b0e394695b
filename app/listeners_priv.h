/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Nodes from inside: what listeners.c and waiting.c share. All with the partition locked.
 */
#ifndef MILLRACE_APP_LISTENERS_PRIV_H
#define MILLRACE_APP_LISTENERS_PRIV_H

#include "app/listeners.h"

struct listeners_part {
	struct chains nodes;
	uint32_t nr_waits; /* at all nodes */
};

struct listeners {
	uint32_t nr_parts;
	struct listeners_part parts[]; /* each guarded by its partition's lock */
};

struct key_node *node_find(struct listeners *l, int db, const struct ks_key *k);
/* Made if need be; NULL: no memory. */
struct key_node *node_get(struct server *srv, int db, const struct ks_key *k);
/* Frees it if nobody listens any more. */
void node_put(struct server *srv, struct key_node *n);
/* The entry of its key in a database; NULL: none. */
struct entry *node_find_entry(struct keyspace *ks, const struct key_node *n, int db);
/* It has been filled, or is no more what it was: serves in this core's turn, if somebody waits. */
void node_set_ready(struct app_core *ac, struct key_node *n);
/* The first of those that have been filled, which is none any more; NULL: there are none. */
struct key_node *node_next_ready(struct app_core *ac);

#endif
