/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From a host name to addresses, without holding up a poll core.
 *
 * Numeric addresses and "localhost" are answered at once. Any other name is looked up in a thread
 * of its own, which shares nothing with who asked but the answer: either may be the last to leave,
 * and frees it.
 */
#ifndef MILLRACE_REPL_RESOLVE_H
#define MILLRACE_REPL_RESOLVE_H

#include <stdint.h>
#include <sys/socket.h>

#define RESOLVE_MAX_ADDRS 8

struct resolve_addrs {
	unsigned nr;
	struct sockaddr_storage addr[RESOLVE_MAX_ADDRS];
	socklen_t len[RESOLVE_MAX_ADDRS];
};

struct resolve;

/* Begins. 0 and *out (owned: resolve_cancel(), or taken by resolve_poll()); -EINVAL (name longer
 * than names are), -ENOMEM,
 * -EAGAIN (no thread). */
int resolve_start(const char *host, uint16_t port, struct resolve **out);
/* -EINPROGRESS: ask again later. Otherwise the end, *r is NULL: 0 and addresses, in order of
 * preference, at least one; or -ENOENT, with *why the resolver's words (static). */
int resolve_poll(struct resolve **r, struct resolve_addrs *addrs, const char **why);
/* Nobody wants the answer any more. NULL-safe. */
void resolve_cancel(struct resolve **r);

#endif
