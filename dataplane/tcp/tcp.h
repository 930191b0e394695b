/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP as its users see it: listeners, connections, upcalls.
 *
 * Everything is called by the core that owns the struct net. Upcalls come from net_input() and
 * net_run() and may call anything declared here for any connection; net_input(), net_run() and
 * net_fini() must not be called from an upcall.
 *
 * Life of a connection: it exists for its user from accept() or tcp_connect() until closed(),
 * which comes exactly once, always from net_run() or net_fini(), whoever ended the connection.
 * (Not after tcp_conn_detach().) After closed() has returned the pointer is dead. Between the end
 * of a connection and closed(), calls on it are harmless and do nothing.
 *
 * What follows RFC 9293 unless another source is named.
 */
#ifndef MILLRACE_DATAPLANE_TCP_TCP_H
#define MILLRACE_DATAPLANE_TCP_TCP_H

#include "dataplane/ip/addr.h"
#include "dataplane/obuf.h"

#include <stdbool.h>
#include <stdint.h>

struct net;
struct tcp_conn;
struct tcp_listener;

enum tcp_state {
	TCP_ST_CLOSED,
	TCP_ST_SYN_SENT,
	TCP_ST_SYN_RCVD,
	TCP_ST_ESTABLISHED,
	TCP_ST_FIN_WAIT_1,
	TCP_ST_FIN_WAIT_2,
	TCP_ST_CLOSE_WAIT,
	TCP_ST_CLOSING,
	TCP_ST_LAST_ACK,
	TCP_ST_NR
};

/* Upcalls; any but data(), closed() and, for a listener, accept() may be NULL. */
struct tcp_ops {
	/* A connection to the listener is established. 0: taken (set its user with
	   tcp_conn_set_user(); until then that is the listener's ctx). -1: it is reset, without
	   closed(). */
	int (*accept)(struct net *net, struct tcp_conn *conn);
	/* tcp_connect() succeeded. */
	void (*connected)(struct tcp_conn *conn);
	/* In-order bytes, borrowed until the next net_run(): they lie in the received packet.
	   Returns how many were taken; if fewer than len the rest is kept, the window shrinks, and
	   no data() comes until tcp_conn_resume(). */
	uint32_t (*data)(struct tcp_conn *conn, const uint8_t *data, uint32_t len);
	/* The peer acknowledged bytes, and no more than the mark (tcp_conn_set_sent_mark) are
	   left in the output buffer. */
	void (*sent)(struct tcp_conn *conn);
	/* The peer has closed its direction and all its data was delivered. Sending is still
	   possible. */
	void (*eof)(struct tcp_conn *conn);
	/* The connection is gone. reason: 0 (closed in order), or an errno: ECONNREFUSED,
	   ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ECONNABORTED (tcp_conn_abort), ESHUTDOWN
	   (net_fini). */
	void (*closed)(struct tcp_conn *conn, int reason);
};

struct tcp_conn_info {
	enum tcp_state state;
	uint32_t srtt_us; /* 0: not measured */
	uint32_t rttvar_us;
	uint32_t min_rtt_us;
	uint32_t rto_us;
	uint32_t mss; /* payload of a full segment, bytes */
	uint32_t cwnd_bytes;
	uint32_t ssthresh_bytes;
	uint32_t inflight_bytes;
	uint32_t snd_wnd_bytes;
	uint32_t rcv_wnd_bytes;
	uint32_t rx_queued_bytes; /* received, not taken by the application */
	uint32_t ooo_pkts;
	uint64_t bytes_acked;
	bool has_timestamps;
	bool has_sack;
	bool in_recovery;
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
};

struct tcp_conn_addr {
	struct ip_addr ip;
	uint16_t port;
};

struct tcp_gauges {
	uint32_t conns; /* all states but TIME_WAIT */
	uint32_t half_open;
	uint32_t timewait;
	uint32_t rx_pkts; /* kept in receive queues */
};

/* Listens on a port of our address. backlog: half-open connections kept; beyond it SYNs are
   answered with cookies (RFC 4987). Borrows ops. *out is borrowed until tcp_listen_close. 0,
   -EADDRINUSE or -ENOMEM. */
int tcp_listen(struct net *net, uint16_t port, uint32_t backlog, const struct tcp_ops *ops,
	void *ctx, struct tcp_listener **out);

/* Stops listening. Half-open connections are forgotten; established ones live on. Sets *lst to
   NULL. */
void tcp_listen_close(struct net *net, struct tcp_listener **lst);

/* Opens a connection from a source port that flow_mine() accepts. The outcome is connected() or
   closed(). Borrows ops until closed(). 0, -EHOSTUNREACH (no route), -EADDRNOTAVAIL (no port
   free), -ENOBUFS (too many connections), -ESHUTDOWN (from an upcall of net_fini) or -ENOMEM;
   *out is set only on 0. */
int tcp_connect(struct net *net, const struct ip_addr *dst, uint16_t port,
	const struct tcp_ops *ops, void *user, struct tcp_conn **out);

/* What a connection takes of memory at the moment, bytes, without packets and output. */
size_t tcp_conn_footprint(const struct tcp_conn *conn);

void *tcp_conn_user(const struct tcp_conn *conn);
void tcp_conn_set_user(struct tcp_conn *conn, void *user);

/* Replaces the upcalls, e.g. when a connection changes its role. Borrows ops until closed(). */
void tcp_conn_set_ops(struct tcp_conn *conn, const struct tcp_ops *ops);

/* The output buffer. Owned by the connection; append to it, hold and release, but never consume.
   What is appended goes out after tcp_conn_push(). */
struct obuf *tcp_conn_obuf(struct tcp_conn *conn);

/* There are new sendable bytes: they are sent in the next net_run() as far as the windows allow,
   and the rest as they open. */
void tcp_conn_push(struct tcp_conn *conn);

/* No more bytes will be appended: FIN follows the output buffer. Receiving goes on. */
void tcp_conn_shutdown(struct tcp_conn *conn);

/* The user is done: no upcalls any more but closed(). The output buffer drains (bytes held in it
   must still be released by the user), FIN is sent, then closed(conn, 0) comes from net_run();
   the rest of the life of the connection has no user. Bounded by tcp_cfg.linger_us from now: then
   it is reset, and closed(), if still due, says ETIMEDOUT. Data that arrives from now on is
   discarded. */
void tcp_conn_close(struct tcp_conn *conn);

/* Resets the connection and discards what it holds. closed(conn, ECONNABORTED) comes from
   net_run(). */
void tcp_conn_abort(struct tcp_conn *conn);

/* No upcalls any more, not even closed(): the caller forgets the connection. Follow with close or
   abort (in this order: afterwards the pointer must not be used once net_run() was called).
   References in the output buffer are still released. */
void tcp_conn_detach(struct tcp_conn *conn);

/* Delivers again what data() left, if anything. Within data(): what that call leaves is offered
   once more, if it took something. */
void tcp_conn_resume(struct tcp_conn *conn);

/* sent() comes when at most this many bytes are left in the output buffer. Default 0: when it is
   empty. */
void tcp_conn_set_sent_mark(struct tcp_conn *conn, uint64_t bytes);

/* Probes an idle connection after idle_us, then each intvl_us, and ends it (ETIMEDOUT) when cnt
   probes stay unanswered. idle_us 0: never. */
void tcp_conn_set_keepalive(
	struct tcp_conn *conn, uint64_t idle_us, uint64_t intvl_us, uint32_t cnt);

/* Ends the connection (ETIMEDOUT) when sent data stays unacknowledged this long (RFC 5482, local
   part). 0: only the number of retransmissions counts. */
void tcp_conn_set_user_timeout(struct tcp_conn *conn, uint64_t timeout_us);

enum tcp_state tcp_conn_state(const struct tcp_conn *conn);
struct net *tcp_conn_net(const struct tcp_conn *conn);
struct tcp_conn_addr tcp_conn_local(const struct tcp_conn *conn);
struct tcp_conn_addr tcp_conn_peer(const struct tcp_conn *conn);
void tcp_conn_info(const struct tcp_conn *conn, struct tcp_conn_info *info);

/* Calls fn for every connection that has a user; fn may end the one it is given, but no other. */
void tcp_conn_each(struct net *net, void (*fn)(struct tcp_conn *conn, void *ctx), void *ctx);

/* Any core may call; the values are relaxed. */
void tcp_gauges_read(const struct net *net, struct tcp_gauges *out);

#endif
