/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Users as the configuration has them.
 */
#ifndef MILLRACE_APP_ACL_START_H
#define MILLRACE_APP_ACL_START_H

#include "app/server.h"

#include <stddef.h>

/* Makes srv->acl, and has `user` lines checked as they are read. Before config_load(). 0 or
 * -ENOMEM. */
int acl_setup(struct server *srv);
void acl_teardown(struct server *srv);
/* Once the configuration has been read: requirepass, then `user` lines or the ACL file. In the
 * working directory of the node. 0, or -errno with a message. */
int acl_start(struct server *srv, char *err, size_t err_len);
/* config_hooks.user_lines: those that CONFIG REWRITE writes; ctx is the server. With an ACL file
 * there are none. */
char *acl_config_lines(void *ctx);

#endif
