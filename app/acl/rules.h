/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The language of ACL SETUSER, of `user` in the configuration and of the ACL file: read into a
 * user, and written from one. As redis-server 7.0 reads and writes it.
 */
#ifndef MILLRACE_APP_ACL_RULES_H
#define MILLRACE_APP_ACL_RULES_H

#include "app/acl/user.h"
#include "app/textbuf.h"
#include "dataplane/resp.h"

enum acl_rule_result {
	ACL_RULE_OK,
	ACL_RULE_NO_MEMORY,
	ACL_RULE_SYNTAX,
	ACL_RULE_UNKNOWN, /* a command or category */
	ACL_RULE_KEYS_ALL,
	ACL_RULE_CHANNELS_ALL,
	ACL_RULE_NO_PASSWORD,
	ACL_RULE_BAD_HASH,
	ACL_RULE_FIRST_ARG,
};
const char *acl_rule_text(enum acl_rule_result result);

#define ACL_MAX_CATEGORIES 32

/* What the table of commands says, brought into a form that is fast to use. Constant. */
struct acl_catalog {
	unsigned nr_categories;
	struct acl_commands members[ACL_MAX_CATEGORIES];
	/* ... and the subcommands of the containers among them: what +@category changes */
	struct acl_commands reached[ACL_MAX_CATEGORIES];
};
/* Once command_table_setup() has run. */
void acl_catalog_init(struct acl_catalog *cat);

/* Changes a user (that nobody else knows yet) by one rule. all_channels: what acl-pubsub-default
 * gives to a selector. */
enum acl_rule_result acl_rule_apply(const struct acl_catalog *cat, struct acl_user *u,
	const struct slice *rule, bool all_channels);

/* Rules with selectors that are spread over several arguments put together. */
struct acl_rules {
	struct slice *at;
	unsigned nr;
	char *text; /* owned: what was put together */
};
/* 0, -ENOMEM, or -EINVAL: the parenthesis at argv[*bad] is not closed. */
int acl_rules_merge(
	struct acl_rules *rules, uint32_t argc, const struct slice *argv, uint32_t *bad);
void acl_rules_fini(struct acl_rules *rules);

/* The rules of a selector's commands ("+@all -get"); of the keys, and of the channels, with blanks
 * between them ("~*"); and of the whole user but for its name ("on nopass ~* ..."). */
void acl_commands_print(
	struct textbuf *tb, const struct acl_catalog *cat, const struct acl_selector *s);
void acl_keys_print(struct textbuf *tb, const struct acl_selector *s);
void acl_channels_print(struct textbuf *tb, const struct acl_selector *s);
void acl_user_print(struct textbuf *tb, const struct acl_catalog *cat, const struct acl_user *u);
/* The i-th word about the user ("on", "nopass" ...); NULL behind the last. */
const char *acl_user_flag(const struct acl_user *u, unsigned i);

#endif
