/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What must be true of every connection between two calls into the stack (see
 * dataplane/tcp/conn.h).
 */
#ifndef MILLRACE_TESTS_NET_INVARIANTS_H
#define MILLRACE_TESTS_NET_INVARIANTS_H

struct net;

/* Aborts with the condition that does not hold. */
void tcp_invariants_check(const struct net *net);

#endif
