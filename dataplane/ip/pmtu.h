/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is known of the way to other stations: the MTUs of paths that are narrower than our own link
 * (RFC 1191, RFC 8201), so that a new connection need not find out again.
 *
 * An MTU that a router told is believed for ten minutes. One that was guessed, because large
 * segments vanished, for a minute, and each time that it is guessed again for twice as long, up to
 * an hour: an interruption of the path looks the same and should leave no trace.
 */
#ifndef MILLRACE_DATAPLANE_IP_PMTU_H
#define MILLRACE_DATAPLANE_IP_PMTU_H

#include "dataplane/ip/net.h"

enum pmtu_source { PMTU_TOLD, PMTU_GUESSED };

/* 0 or -ENOMEM. */
int pmtu_setup(struct net *net);
void pmtu_teardown(struct net *net);

/* The MTU of the path to a station; net->cfg.mtu if nothing else is known. */
uint32_t pmtu_get(const struct net *net, const struct ip_addr *ip);

/* Notes a smaller one. When its time is over, tcp_path_raise() is called. */
void pmtu_lower(struct net *net, const struct ip_addr *ip, uint32_t mtu, enum pmtu_source source);

#endif
