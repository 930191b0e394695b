/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Kernel listeners: the bind addresses and the unix socket. Accepted connections go to the poll
 * cores in turn.
 */
#ifndef MILLRACE_APP_LISTEN_H
#define MILLRACE_APP_LISTEN_H

#include "app/server.h"

#include <stddef.h>

struct listeners;

/* Opens all of them and adds them to the epoll instance, with their descriptors as data. 0 or
 * -errno, with cause and remedy in err. Control thread, as everything here. */
int listeners_open(
	struct server *srv, int epoll_fd, struct listeners **out, char *err, size_t err_len);
/* Whether they could be opened now. Returns the same, and leaves nothing open. */
int listeners_check(const struct config *cfg, char *err, size_t err_len);
void listeners_close(struct listeners **l);
/* Accepts what waits on this descriptor. */
void listeners_accept(struct listeners *l, int fd);

#endif
