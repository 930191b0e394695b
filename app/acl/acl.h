/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of users, the log of what was denied, and who the clients are.
 *
 * A change makes a new struct acl_user (user.h), puts it into the table under the lock, marks the
 * former one stale and counts up `changes`; every client holds a reference to the state of its
 * user that its core has seen last, and commands are checked against that, without a lock. What a
 * command costs is one comparison of `changes` with what the core has seen, and one bit of the
 * client: whether its user may do everything.
 *
 * Promised: who has got the reply to ACL SETUSER, DELUSER, LOAD or CONFIG SET requirepass knows
 * that every command, on any core, that arrives from then on is checked by the new rules, and that
 * no message published from then on reaches a subscriber who may not be subscribed any more. (A
 * core looks at `changes` before each command that it runs by itself, before each burst of reads,
 * before it hands out messages, and in each turn of its loop; the change comes before the reply.)
 * A command that runs on another core while the rules change runs by the former ones, as if it had
 * come before. Clients of a user that is gone, and subscribers who may not stay, are disconnected
 * by their core in its next turn, which it is woken for. Several changes that a core sees at once
 * count as one: a right that was taken and given back in between was never missed.
 *
 * Lock order: nothing is locked under this lock; srv->clients_lock is never held when it is taken.
 */
#ifndef MILLRACE_APP_ACL_ACL_H
#define MILLRACE_APP_ACL_ACL_H

#include "app/acl/log.h"
#include "app/acl/rules.h"

#include <rte_spinlock.h>

struct acl {
	/* read by every core, seldom written */
	atomic_uint changes;
	atomic_bool default_nopass, default_enabled;
	atomic_bool all_channels; /* acl-pubsub-default: of users and selectors to come */
	struct acl_catalog catalog;
	/* guards what follows */
	rte_spinlock_t lock __attribute__((aligned(64)));
	struct acl_user **users; /* by name, with a reference each */
	unsigned nr;
	uint64_t last_account;
	struct acl_log log; /* has a lock of its own */
};

/* With the user "default", who may do everything without a password. The table of commands is set
 * up. NULL: no memory. */
struct acl *acl_create(void);
void acl_destroy(struct acl **acl);

/* Any thread, all of them. */

/* A reference; NULL: there is no such user. */
struct acl_user *acl_find(struct acl *acl, const char *name, size_t len);
/* All users by name, a reference each, in an owned array. NULL: no memory. */
struct acl_user **acl_users(struct acl *acl, unsigned *nr);
void acl_users_put(struct acl_user **users, unsigned nr); /* NULL-safe */
/* Makes or changes a user: all rules or none. 0, or -errno with the reason in err, as Redis tells
 * it behind "ERR ". */
int acl_set(struct acl *acl, const struct slice *name, uint32_t argc, const struct slice *argv,
	struct textbuf *err);
/* False: there was none. Never "default". */
bool acl_delete(struct acl *acl, const char *name, size_t len);
/* What requirepass means: the only password of "default"; "" or NULL: it needs none. */
int acl_default_password(struct acl *acl, const char *password);
/* Takes these users (and leaves the array) for all that there are. "default" stays the user that it
 * is, and gets the rights of that name, or all; the others are not who had these names before. 0
 * or -ENOMEM: then nothing was taken. */
int acl_replace_all(struct acl *acl, struct acl_user **users, unsigned nr);

/* Nobody has to log in. */
static inline bool acl_is_open(const struct acl *acl)
{
	return atomic_load_explicit(&acl->default_nopass, memory_order_relaxed) &&
	       atomic_load_explicit(&acl->default_enabled, memory_order_relaxed);
}
/* A name that a user can have. */
bool acl_name_valid(const struct slice *name);

#endif
