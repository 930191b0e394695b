/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients and their users: who a client is logged in as, and what it may do.
 *
 * All on the client's core, but for acl_client_name().
 */
#ifndef MILLRACE_APP_ACL_CLIENT_H
#define MILLRACE_APP_ACL_CLIENT_H

#include "app/acl/acl.h"
#include "app/server.h"

/* As a connection begins (and RESET leaves it): "default", logged in if that needs no password. */
void acl_client_reset(struct client *c);
/* The client goes. */
void acl_client_forget(struct client *c);
/* Logs in. False: there is no such user, or the password is wrong; the log of ACL is told. */
bool acl_client_login(struct client *c, const struct slice *name, const struct slice *password);
/* It has to log in before it does anything else. */
bool acl_client_must_login(const struct client *c);

/* May it run the command? False: text says why not, as the dispatcher does, and the log is told. */
#define ACL_TEXT_MAX 256
bool acl_client_may(struct client *c, const struct command *cmd, char text[ACL_TEXT_MAX]);
/* The same for a command of EXEC that was queued when it was allowed. */
bool acl_client_still_may(struct client *c, const struct command *cmd, char text[ACL_TEXT_MAX]);
/* The same for one that a script of the client wants to run. */
bool acl_script_may(struct client *c, const struct command *cmd, uint32_t argc,
	const struct slice *argv, char text[ACL_TEXT_MAX]);

/* Brings the core's clients up to date if users have changed, and disconnects at the end of the
 * burst who may not stay; self, whose command changes users, only when its reply is sent. */
void acl_core_update(struct app_core *ac, struct client *self);
static inline void acl_core_look(struct app_core *ac, struct client *self)
{
	if (atomic_load_explicit(&ac->srv->acl->changes, memory_order_acquire) != ac->acl_seen)
		acl_core_update(ac, self);
}
/* The client has changed users: its own core's clients know it when this returns, other cores are
 * woken. */
void acl_announce(struct client *c);

/* "(superuser)": nobody's. The client's core, or srv->clients_lock held. */
const char *acl_client_name(const struct client *c);

#endif
