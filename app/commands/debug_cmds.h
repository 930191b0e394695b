/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DEBUG: the subcommands that touch keys (debug_data.c), called from the table in debug.c.
 */
#ifndef MILLRACE_APP_COMMANDS_DEBUG_CMDS_H
#define MILLRACE_APP_COMMANDS_DEBUG_CMDS_H

#include "app/commands/command.h"

/* Takes every partition's lock for a subcommand. False: one is busy, and the command will run
 * again (cmd_retry()). */
bool debug_lock_all(struct client *c, struct ks_lockset *ls);
/* Gives them back; replies wait for the last write to any of them. */
void debug_unlock_all(struct client *c, struct ks_lockset *ls);

void debug_digest(struct client *c);
void debug_digest_value(struct client *c);
void debug_object(struct client *c);
void debug_populate(struct client *c);
void debug_reload(struct client *c);

#endif
