/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whoever listens to keys: WATCH, and commands that wait for a key to be filled.
 *
 *	partition --> chains of nodes --> node (a key of a database) --> watches of it
 *	                                                             --> waiters for it
 *
 * A node is there while somebody listens to its key, and is guarded by the lock of the key's
 * partition, as everything here that says nothing else. The keyspace tells of every key that is
 * about to change, in partitions with nodes only (ks_part_listen()). What a command has touched is
 * kept until the command has ended: only if it has changed anything does it count, so that a
 * watched key is not broken by a command that left it as it was.
 *
 * Somebody who goes cannot wait for partitions' locks: what is left of him stays with his core,
 * which tries again in every turn of its loop (listeners_core_work()).
 */
#ifndef MILLRACE_APP_LISTENERS_H
#define MILLRACE_APP_LISTENERS_H

#include "app/chains.h"
#include "app/keyspace/keyspace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct app_core;
struct client;
struct server;
struct wait;
struct watch;
struct watch_set;

TAILQ_HEAD(watch_list, watch);
TAILQ_HEAD(wait_list, wait);

struct key_node {
	struct chain_link link;
	uint32_t part;
	int db;
	struct watch_list watches;
	struct wait_list waits; /* waiting.h: first come, first served */
	bool is_ready;          /* among its core's ready ones; it stays until it is no more */
	size_t len;
	char name[];
};

/* One client's WATCH of one key. */
struct watch {
	struct key_node *node;
	struct watch_set *set;
	bool expired; /* the key's time was over when it was watched: that it goes is no change */
	TAILQ_ENTRY(watch) node_link, set_link;
};

/* All that one client watches. The list is its core's alone, and so is every field without a word:
 * others find the set by the node of a key that they change, and only set touched. */
struct watch_set {
	struct watch_list watches;
	size_t bytes;        /* that it takes, with the names */
	atomic_uint nr;      /* written by the core; others look */
	atomic_bool touched; /* by somebody: EXEC fails */
	TAILQ_ENTRY(watch_set) left_link;
};
TAILQ_HEAD(watch_set_list, watch_set);

/* Keys with waiters that commands have filled, in that order. */
struct ready_nodes {
	struct key_node **nodes; /* owned */
	unsigned nr, at, cap;    /* nodes[at] is the next one */
};

/* Of one core. */
struct core_listeners {
	struct key_node **touched; /* by the command under way; owned */
	unsigned nr_touched, cap;
	bool in_command;
	/* by commands under the locks that are held; empty before those are let go */
	struct ready_nodes ready;
	struct watch_set_list left; /* of clients that unwatch or have gone */
};

int listeners_create(struct server *srv);   /* behind the keyspace; 0 or -ENOMEM */
void listeners_destroy(struct server *srv); /* the cores have stopped, clients have gone */
void listeners_core_init(struct app_core *ac);

/* A command that has ended has touched something: hears whether it changed anything. */
void listeners_touched(struct app_core *ac);
/* A database is about to be emptied (with NULL), or another one, of this keyspace or one of the
 * same geometry, to take its place; db -1: all of them. All partitions are locked. */
void listeners_database(
	struct app_core *ac, int db, struct keyspace *with, int with_db, int64_t now_ms);
/* Forgets who is ready: the node stops. */
void listeners_ready_drop(struct app_core *ac);

/* Goes on with what could not be ended. True: there is more. */
bool listeners_core_work(struct app_core *ac);

/* --- WATCH; the client's core --- */

/* Adds the key, whose partition is locked, unless it is there; *set is made if need be. False: no
 * memory. */
bool watch_add(struct client *c, struct watch_set **set, const struct ks_key *k);
/* Adds the partitions of the keys. */
void watch_lockset(const struct watch_set *set, struct ks_lockset *ls);
/* Has a key changed? The partitions are locked. */
bool watch_is_broken(struct client *c, const struct watch_set *set);
/* Ends it with the partitions locked, and without: as far as can be, the rest later. *set is NULL
 * then. */
void watch_end_locked(struct server *srv, struct watch_set **set);
void watch_end(struct app_core *ac, struct watch_set **set);

#endif
