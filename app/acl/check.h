/* SPDX-License-Identifier: BSD-3-Clause
 *
 * May this user do that? Reads a user that is held by a reference, and locks nothing.
 */
#ifndef MILLRACE_APP_ACL_CHECK_H
#define MILLRACE_APP_ACL_CHECK_H

#include "app/acl/user.h"
#include "app/commands/command.h"

enum acl_verdict { /* in the order in which Redis weighs them */
	ACL_ALLOWED,
	ACL_DENIED_COMMAND,
	ACL_DENIED_KEY,
	ACL_DENIED_AUTH, /* for the log: a login that failed */
	ACL_DENIED_CHANNEL,
};

/* The command with these arguments. u NULL: everything is allowed. *at: which argument a denied key
 * or channel is. When selectors deny for different reasons, the last in the order above is told. */
enum acl_verdict acl_check(const struct acl_user *u, const struct command *cmd,
	const struct slice *argv, uint32_t argc, uint32_t *at);
/* The command, by a selector that has this access to every key too: for what reads keys that are
 * not among its arguments (SORT BY). */
bool acl_check_all_keys(const struct acl_user *u, const struct command *cmd,
	const struct slice *argv, uint32_t argc, unsigned access);
/* Whether a subscriber may stay subscribed. A pattern has to be one of the user's, as it is. */
bool acl_channel_allowed(const struct acl_user *u, const struct slice *channel, bool is_pattern);
/* Everything that the one user may be subscribed to, the other may be, too; as far as the lists of
 * patterns tell without looking into them. */
bool acl_channels_kept(const struct acl_user *before, const struct acl_user *now);

#endif
