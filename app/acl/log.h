/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ACL log: what was denied lately, newest first. Like entries within a minute are counted
 * together.
 */
#ifndef MILLRACE_APP_ACL_LOG_H
#define MILLRACE_APP_ACL_LOG_H

#include "app/acl/check.h"

#include <rte_spinlock.h>
#include <sys/queue.h>

enum acl_context {
	ACL_CONTEXT_TOPLEVEL,
	ACL_CONTEXT_LUA,
	ACL_CONTEXT_MULTI,
};

struct acl_log_entry {
	TAILQ_ENTRY(acl_log_entry) link;
	uint64_t count;
	enum acl_verdict reason;
	enum acl_context context;
	int64_t time_ms; /* of the last time */
	char *user;      /* owned, as the rest */
	char *client;    /* a line of CLIENT LIST: of the last one */
	char *object;    /* the command, key or channel; NUL behind it */
	size_t object_len;
};
TAILQ_HEAD(acl_log_list, acl_log_entry);

struct acl_log {
	rte_spinlock_t lock;
	struct acl_log_list entries; /* newest first */
	size_t nr;
};

void acl_log_init(struct acl_log *log);
void acl_log_fini(struct acl_log *log);
/* Copies its arguments. Without memory nothing is added. max: of entries. Any core. */
void acl_log_add(struct acl_log *log, enum acl_verdict reason, enum acl_context context,
	const struct slice *object, const struct slice *user, const char *client, int64_t now_ms,
	size_t max);
void acl_log_reset(struct acl_log *log);
/* Copies of the newest entries, at most max, in an owned list; acl_log_list_free() it. Returns
 * their number. */
size_t acl_log_take(struct acl_log *log, size_t max, struct acl_log_list *list);
void acl_log_list_free(struct acl_log_list *list);
/* "command", "key" ...; "toplevel" ... */
const char *acl_reason_name(enum acl_verdict reason);
const char *acl_context_name(enum acl_context context);

#endif
