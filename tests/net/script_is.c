/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What "is" of a script can ask.
 *
 *	state NAME     of the connection; GONE: there is none for the application
 *	rx N           bytes that the application has taken
 *	FIELD N        of struct tcp_conn_info: cwnd ssthresh inflight mss snd_wnd rcv_wnd queued
 *	               ooo acked recovery; rto and srtt are times
 *	ctr NAME N     a counter of the stack, as telemetry names it
 *	drop NAME N    packets dropped for a reason
 *	GAUGE N        conns half_open timewait rx_pkts
 *	asleep         no timer of TCP is armed (ARP's is, for years)
 */
#include "tests/net/script_run.h"

#include <string.h>

#define HOUR_US 3600000000ull

static const char *state_name(const struct tcp_conn *conn)
{
	static const char *const names[TCP_ST_NR] = {
		[TCP_ST_CLOSED] = "CLOSED",
		[TCP_ST_SYN_SENT] = "SYN_SENT",
		[TCP_ST_SYN_RCVD] = "SYN_RCVD",
		[TCP_ST_ESTABLISHED] = "ESTABLISHED",
		[TCP_ST_FIN_WAIT_1] = "FIN_WAIT_1",
		[TCP_ST_FIN_WAIT_2] = "FIN_WAIT_2",
		[TCP_ST_CLOSE_WAIT] = "CLOSE_WAIT",
		[TCP_ST_CLOSING] = "CLOSING",
		[TCP_ST_LAST_ACK] = "LAST_ACK",
	};

	return conn ? names[tcp_conn_state(conn)] : "GONE";
}

/* Counters by name. */
static bool counter_find(const struct net_counter_info *infos, const uint64_t *values, uint32_t nr,
	const char *name, uint64_t *value)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (strcmp(infos[i].name, name) == 0) {
			*value = values[i];
			return true;
		}
	}
	return false;
}

static bool gauge_find(const struct net *net, const char *name, uint64_t *value)
{
	struct tcp_gauges g;

	tcp_gauges_read(net, &g);
	if (strcmp(name, "conns") == 0)
		*value = g.conns;
	else if (strcmp(name, "half_open") == 0)
		*value = g.half_open;
	else if (strcmp(name, "timewait") == 0)
		*value = g.timewait;
	else if (strcmp(name, "rx_pkts") == 0)
		*value = g.rx_pkts;
	else
		return false;
	return true;
}

static bool info_find(const struct tcp_conn *conn, const char *name, uint64_t *value)
{
	struct tcp_conn_info i;

	if (!conn)
		return false;
	tcp_conn_info(conn, &i);
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = {
		{"cwnd", i.cwnd_bytes},
		{"ssthresh", i.ssthresh_bytes},
		{"inflight", i.inflight_bytes},
		{"mss", i.mss},
		{"snd_wnd", i.snd_wnd_bytes},
		{"rcv_wnd", i.rcv_wnd_bytes},
		{"queued", i.rx_queued_bytes},
		{"ooo", i.ooo_pkts},
		{"acked", i.bytes_acked},
		{"recovery", i.in_recovery},
		{"rto", i.rto_us},
		{"srtt", i.srtt_us},
	};

	for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
		if (strcmp(fields[f].name, name) == 0) {
			*value = fields[f].value;
			return true;
		}
	}
	return false;
}

/* Finds the value that the line asks for. */
static bool value_find(struct script_run *r, const char *kind, const char *name, uint64_t *value)
{
	const struct net *net = &r->lab.b.net;

	if (strcmp(kind, "ctr") == 0)
		return counter_find(net_ctr_info, net->counters.ctrs, NR_NET_CTRS, name, value);
	if (strcmp(kind, "drop") == 0)
		return counter_find(net_drop_info, net->counters.drops, NR_DROPS, name, value);
	if (strcmp(kind, "rx") == 0) {
		*value = r->conn->app.rx_done;
		return true;
	}
	return gauge_find(net, kind, value) || info_find(r->conn->app.conn, kind, value);
}

bool script_is(struct script_run *r)
{
	const struct script_line *line = r->line;
	const char *kind = line->words[0], *last = line->words[line->nr_words - 1];
	const bool is_time = strcmp(kind, "rto") == 0 || strcmp(kind, "srtt") == 0;
	uint64_t value = 0, want = 0;
	uint32_t n = 0;

	if (strcmp(kind, "state") == 0 && line->nr_words == 2) {
		const char *seen = state_name(r->conn->app.conn);

		return strcmp(seen, last) == 0 || script_fail(r, "the state is %s", seen);
	}
	if (strcmp(kind, "asleep") == 0)
		return net_next_deadline(&r->lab.b.net) - r->lab.now_us > HOUR_US ||
		       script_fail(r, "a timer is armed");
	if (line->nr_words < 2 || (is_time ? !script_time(last, &want) : !script_number(last, &n)))
		return script_fail(r, "a value is missing");
	if (!is_time)
		want = n;
	if (!value_find(r, kind, line->words[1], &value))
		return script_fail(r, "nothing is called %s here", kind);
	return value == want || script_fail(r, "it is %llu", (unsigned long long)value);
}
