/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a core keeps for clients that wait for keys: waiting.h.
 */
#ifndef MILLRACE_APP_CORE_WAITING_H
#define MILLRACE_APP_CORE_WAITING_H

#include "app/client.h"

#include <rte_spinlock.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct wait_set;

TAILQ_HEAD(wait_set_list, wait_set);
STAILQ_HEAD(wait_mail, wait_set);

/* A key whose waiters could not be served at once. */
struct owed {
	TAILQ_ENTRY(owed) link;
	int db;
	size_t len;
	char name[];
};
TAILQ_HEAD(owed_list, owed);

/* Of one core. */
struct core_waiting {
	struct client *server;      /* runs the commands of waiters of all cores; owned */
	struct client_list blocked; /* this core's clients that wait for keys */
	int64_t checked_ms;
	struct wait_set_list left; /* sets whose waits could not all be ended */
	struct owed_list owed;
	rte_spinlock_t lock;   /* guards mail, into which other cores post */
	struct wait_mail mail; /* sets of this core's clients that have been served */
	atomic_bool has_mail;
};

#endif
