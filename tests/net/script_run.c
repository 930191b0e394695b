/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plays a script against one stack: see script.h for the language.
 *
 * The lab's host b is the stack. What it sends, and what its application is told, is queued; the
 * lines of the script take it from there, and when the script goes on to something else the
 * queues must be empty.
 */
#include "tests/net/script_run.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARP_REACH_US (1000 * 86400000000ull) /* no ARP within a script */

bool script_fail(struct script_run *r, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->why, SCRIPT_WHY_BYTES, "%s:%u: ", r->line->file, r->line->nr);

	va_start(ap, fmt);
	vsnprintf(r->why + n, SCRIPT_WHY_BYTES - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static double ms_of(const struct script_run *r, uint64_t at_us)
{
	return (double)(int64_t)(at_us - r->start_us) / 1000;
}

static enum lab_verdict capture(struct lab *lab, struct sniff *s, void *ctx)
{
	struct script_run *r = ctx;
	struct script_sent **at = &r->sent, *sent;
	const uint8_t *payload = NULL;
	uint32_t len;

	if (!s->is_tcp)
		return LAB_PASS;
	sent = calloc(1, sizeof(*sent) + s->len);
	assert_non_null(sent);
	sent->at_us = lab->now_us;
	if (!script_seg_read(s, &sent->seg, &sent->sport, &sent->dport, &payload, r->fault)) {
		free(sent);
		return LAB_DROP;
	}
	len = sent->seg.end - sent->seg.seq;
	memcpy(sent->payload, payload, len);
	while (*at)
		at = &(*at)->next;
	*at = sent;
	return LAB_DROP;
}

static struct script_run *run_of(const struct app *app)
{
	return app->lab->hook_ctx;
}

static void tell(const struct app *app, const char *what, const char *detail)
{
	struct script_run *r = run_of(app);
	struct script_told *told = calloc(1, sizeof(*told)), **at = &r->told;

	assert_non_null(told);
	told->at_us = r->lab.now_us;
	told->conn = (const struct script_conn *)app;
	snprintf(told->text, sizeof(told->text), "%s%s", what, detail);
	while (*at)
		at = &(*at)->next;
	*at = told;
}

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct app *lst_app = tcp_conn_user(conn);
	struct script_run *r = run_of(lst_app);
	const uint16_t port = tcp_conn_peer(conn).port;

	for (uint32_t i = 0; i < SCRIPT_CONNS; i++) {
		if (r->conns[i].peer_port != port)
			continue;
		tcp_conn_set_user(conn, &r->conns[i].app);
		tell(&r->conns[i].app, "accept", "");
		return app_ops.accept(net, conn);
	}
	snprintf(r->fault, sizeof(r->fault), "accept() of port %u", port);
	return -1;
}

static void on_connected(struct tcp_conn *conn)
{
	tell(tcp_conn_user(conn), "connected", "");
	app_ops.connected(conn);
}

static uint32_t on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	return app_ops.data(conn, data, len);
}

static void on_sent(struct tcp_conn *conn)
{
	app_ops.sent(conn);
}

static void on_eof(struct tcp_conn *conn)
{
	tell(tcp_conn_user(conn), "eof", "");
	app_ops.eof(conn);
}

static void on_closed(struct tcp_conn *conn, int reason)
{
	tell(tcp_conn_user(conn), "closed ", reason ? strerrorname_np(reason) : "0");
	app_ops.closed(conn, reason);
}

const struct tcp_ops script_ops = {
	.accept = on_accept,
	.connected = on_connected,
	.data = on_data,
	.sent = on_sent,
	.eof = on_eof,
	.closed = on_closed,
};

static bool has_sent(struct lab *lab)
{
	const struct script_run *r = lab->hook_ctx;

	return r->sent || r->fault[0];
}

static bool has_told(struct lab *lab)
{
	const struct script_run *r = lab->hook_ctx;

	return r->told || r->fault[0];
}

/* Absolute numbers to those of the script. */
static void seg_relate(const struct script_run *r, const struct script_conn *c,
	const struct script_sent *sent, struct script_seg *seg)
{
	*seg = sent->seg;
	seg->seq -= c->iss;
	seg->end -= c->iss;
	if (seg->flags & TCP_ACK)
		seg->ack -= c->peer_isn;
	for (uint8_t i = 0; i < seg->opts.nr_sacks; i++) {
		seg->opts.sacks[i].start -= c->peer_isn;
		seg->opts.sacks[i].end -= c->peer_isn;
	}
	if (seg->opts.has_ts)
		seg->opts.tsval -= c->ts_base;
}

/* Nothing must have happened that no line expected. */
static bool quiet(struct script_run *r)
{
	char text[256];
	struct script_seg seg;

	if (r->fault[0])
		return script_fail(r, "%s", r->fault);
	if (r->sent) {
		seg_relate(r, r->conn, r->sent, &seg);
		script_seg_print(text, sizeof(text), &seg);
		return script_fail(r, "before this, at %.3f ms, the stack sent: %s",
			ms_of(r, r->sent->at_us), text);
	}
	if (r->told)
		return script_fail(r, "before this, at %.3f ms, the application was told: %s",
			ms_of(r, r->told->at_us), r->told->text);
	return true;
}

/* Lets the time come at which the line happens. */
static bool wait(struct script_run *r)
{
	const uint64_t to_us = r->at_us + r->line->wait_us;

	if (to_us > r->lab.now_us)
		lab_run(&r->lab, to_us - r->lab.now_us);
	r->at_us = to_us;
	return quiet(r);
}

/* Waits for something in a queue; the time it came at is in order. */
static bool await(struct script_run *r, bool (*has)(struct lab *lab), const char *what)
{
	const uint64_t last_us = r->at_us + r->line->wait_us + r->line->slack_us;

	if (!has(&r->lab) && last_us > r->lab.now_us)
		lab_run_until(&r->lab, has, last_us - r->lab.now_us);
	if (r->fault[0])
		return script_fail(r, "%s", r->fault);
	return has(&r->lab) || script_fail(r, "%s", what);
}

static bool at_its_time(struct script_run *r, uint64_t at_us, const char *text)
{
	const uint64_t from_us = r->at_us + r->line->wait_us;

	if (at_us < from_us || at_us > from_us + r->line->slack_us)
		return script_fail(r, "came at %+.3f ms, not %+.3f ms: %s",
			(double)(int64_t)(at_us - r->at_us) / 1000, (double)r->line->wait_us / 1000,
			text);
	r->at_us = at_us;
	return true;
}

/* The first SYN tells the stack's ISN and port, the first timestamp its clock. */
static bool conn_learn(struct script_run *r, const struct script_sent *sent)
{
	struct script_conn *c = r->conn;
	const struct script_seg *want = &r->line->seg;

	if ((sent->seg.flags & TCP_SYN) && !c->has_iss) {
		c->iss = sent->seg.seq;
		c->has_iss = true;
		c->stack_port = sent->sport;
		if (c->has_floor && !seq_gt(c->iss, c->iss_floor))
			return script_fail(r, "the new ISN is not above the old numbers");
		if (!r->has_first_iss)
			r->first_iss = c->iss;
		r->has_first_iss = true;
	}
	if (sent->seg.opts.has_ts && !c->has_ts_base && want->tsval != SCRIPT_TS_ANY) {
		c->ts_base =
			sent->seg.opts.tsval - (uint32_t)(sent->at_us / 1000 - r->start_us / 1000);
		c->has_ts_base = true;
	}
	return true;
}

static bool opts_equal(const struct script_seg *want, const struct tcp_opts *seen, uint32_t now_ms)
{
	const struct tcp_opts *o = &want->opts;

	if (o->has_mss != seen->has_mss || o->mss != seen->mss ||
		o->has_wscale != seen->has_wscale || o->wscale != seen->wscale ||
		o->has_sack_ok != seen->has_sack_ok || o->nr_sacks != seen->nr_sacks ||
		o->has_ts != seen->has_ts)
		return false;
	for (uint8_t i = 0; i < o->nr_sacks; i++) {
		if (o->sacks[i].start != seen->sacks[i].start ||
			o->sacks[i].end != seen->sacks[i].end)
			return false;
	}
	if (!o->has_ts)
		return true;
	if (want->tsval == SCRIPT_TS_VALUE && o->tsval != seen->tsval)
		return false;
	if (want->tsval == SCRIPT_TS_NOW && seen->tsval != now_ms)
		return false;
	return want->tsecr == SCRIPT_TS_ANY || o->tsecr == seen->tsecr;
}

static bool seg_equal(const struct script_seg *want, const struct script_seg *seen, uint32_t now_ms)
{
	return want->flags == seen->flags && want->seq == seen->seq && want->end == seen->end &&
	       want->ack == seen->ack && (want->is_any_wnd || want->wnd == seen->wnd) &&
	       want->urg == seen->urg && want->ecn == seen->ecn &&
	       opts_equal(want, &seen->opts, now_ms);
}

static bool payload_is_right(const struct script_sent *sent, const struct script_seg *seg)
{
	for (uint32_t i = 0; i < seg->end - seg->seq; i++) {
		if (sent->payload[i] != app_pattern(seg->seq - 1 + i))
			return false;
	}
	return true;
}

static bool sent_check(struct script_run *r, const struct script_sent *sent)
{
	struct script_conn *c = r->conn;
	struct script_seg want = r->line->seg, seen;
	char want_text[256], seen_text[256];
	const uint32_t now_ms = (uint32_t)(sent->at_us / 1000 - r->start_us / 1000);

	if (sent->dport != c->peer_port)
		return script_fail(r, "the stack sent to port %u", sent->dport);
	if (!conn_learn(r, sent))
		return false;
	if (want.port ? sent->sport != want.port : sent->sport != c->stack_port)
		return script_fail(r, "the stack sent from port %u", sent->sport);
	seg_relate(r, c, sent, &seen);
	if (sent->seg.opts.has_ts)
		c->last_tsval = sent->seg.opts.tsval;
	if (!want.has_wnd && !c->has_stack_wnd && !(want.flags & TCP_RST))
		return script_fail(r, "no window was ever given for the stack");
	if (!want.has_wnd)
		want.wnd = want.flags & TCP_RST ? 0 : c->stack_wnd;
	script_seg_print(seen_text, sizeof(seen_text), &seen);
	if (!seg_equal(&want, &seen, now_ms)) {
		if (want.tsval == SCRIPT_TS_NOW)
			want.opts.tsval = now_ms;
		script_seg_print(want_text, sizeof(want_text), &want);
		return script_fail(r, "sent:   %s\n  expected: %s", seen_text, want_text);
	}
	if (!(want.flags & TCP_RST)) {
		c->stack_wnd = seen.wnd;
		c->has_stack_wnd = true;
	}
	if (!payload_is_right(sent, &seen))
		return script_fail(r, "wrong payload in: %s", seen_text);
	return at_its_time(r, sent->at_us, seen_text);
}

static bool run_stack(struct script_run *r)
{
	struct script_sent *sent;
	bool is_ok;

	if (!await(r, has_sent, "the stack sent nothing"))
		return false;
	sent = r->sent;
	is_ok = sent_check(r, sent);
	r->sent = sent->next;
	free(sent);
	return is_ok;
}

static bool run_up(struct script_run *r)
{
	struct script_told *told;
	char want[32];
	bool is_ok;

	if (!await(r, has_told, "the application was told nothing"))
		return false;
	told = r->told;
	snprintf(want, sizeof(want), "%s%s%s", r->line->words[0], r->line->nr_words > 1 ? " " : "",
		r->line->nr_words > 1 ? r->line->words[1] : "");
	is_ok = told->conn == r->conn && strcmp(told->text, want) == 0
			? at_its_time(r, told->at_us, told->text)
			: script_fail(r, "the application was told: %s", told->text);
	r->told = told->next;
	free(told);
	return is_ok;
}

static void settle(struct script_run *r)
{
	if (!r->line->is_burst)
		lab_run(&r->lab, 0);
}

static bool run_icmp(struct script_run *r)
{
	const struct script_conn *c = r->conn;
	uint32_t code = 0, seq = 0, mtu = 0;
	uint8_t frame[128];

	if (r->line->nr_words < 3 || !script_number(r->line->words[1], &code) ||
		!script_number(r->line->words[2], &seq) ||
		(r->line->nr_words > 3 && !script_number(r->line->words[3], &mtu)))
		return script_fail(r, "icmp CODE SEQ [MTU]");
	const struct raw_tcp quoted = {.src_v4 = host_v4(&r->lab.b),
		.dst_v4 = host_v4(&r->lab.a),
		.sport = c->stack_port,
		.dport = c->peer_port,
		.seq = seq + c->iss};

	lab_inject(&r->lab.b, frame,
		script_icmp_build(frame, &r->lab.b, &quoted, (uint8_t)code, (uint16_t)mtu));
	settle(r);
	return true;
}

static bool run_peer(struct script_run *r)
{
	struct script_conn *c = r->conn;
	struct script_seg seg = r->line->seg;
	const struct script_base base = {c->peer_isn, c->has_iss ? c->iss : 0, 0, c->ts_base};
	static uint8_t frame[70000];

	if (!wait(r))
		return false;
	if (!r->line->has_seg)
		return run_icmp(r);
	if (seg.end - seg.seq > LAB_BUF - 200)
		return script_fail(r, "too long for a packet");
	if (!seg.has_wnd && !c->has_peer_wnd)
		return script_fail(r, "no window was ever given for the peer");
	if (seg.has_wnd) {
		c->peer_wnd = seg.wnd;
		c->has_peer_wnd = true;
	}
	seg.wnd = c->peer_wnd;
	if (seg.is_echo_last)
		seg.opts.tsecr = c->last_tsval;
	if (!seg.port)
		seg.port = c->stack_port;
	lab_inject(&r->lab.b, frame,
		script_seg_build(frame, &r->lab.a, &r->lab.b, &seg, c->peer_port, &base));
	settle(r);
	return true;
}

static bool run_app(struct script_run *r)
{
	if (!wait(r))
		return false;
	net_clock(&r->lab.b.net, r->lab.now_us);
	if (!script_app(r))
		return false;
	settle(r);
	return true;
}

static bool run_conn(struct script_run *r)
{
	uint32_t n = 0;

	if (!wait(r))
		return false;
	if (!script_number(r->line->words[0], &n) || n < 1 || n > SCRIPT_CONNS)
		return script_fail(r, "conn 1..%d", SCRIPT_CONNS);
	r->conn = &r->conns[n - 1];
	return true;
}

static bool run_isn(struct script_run *r)
{
	struct script_conn *c = r->conn;
	uint32_t n = 0;

	if (!wait(r))
		return false;
	if (!script_number(r->line->words[0], &n))
		return script_fail(r, "isn DIFFERENCE");
	c->peer_isn += n;
	c->iss_floor = c->iss;
	c->has_floor = c->has_iss;
	c->has_iss = false;
	c->iss = 0;
	/* Its streams begin anew. */
	c->app.tx_total = c->app.tx_done = c->app.rx_done = 0;
	return true;
}

static bool run_is(struct script_run *r)
{
	if (r->line->wait_us && !wait(r))
		return false;
	return script_is(r);
}

static bool line_run(struct script_run *r)
{
	switch (r->line->who) {
	case SCRIPT_SET: return true;
	case SCRIPT_PEER: return run_peer(r);
	case SCRIPT_STACK: return run_stack(r);
	case SCRIPT_APP: return run_app(r);
	case SCRIPT_UP: return run_up(r);
	case SCRIPT_IS: return run_is(r);
	case SCRIPT_CONN: return run_conn(r);
	case SCRIPT_ISN: return run_isn(r);
	}
	return false;
}

static bool settings_take(struct script_run *r)
{
	bool is_begun = false;

	for (uint32_t i = 0; i < r->script->nr_lines; i++) {
		r->line = &r->script->lines[i];
		if (r->line->who != SCRIPT_SET) {
			is_begun = true;
			continue;
		}
		if (is_begun)
			return script_fail(r, "too late for a setting");
		if (!script_set(r->line, &r->lab.b.cfg, &r->app_cfg))
			return script_fail(r, "no such setting or value");
	}
	return is_begun || script_fail(r, "nothing happens in it");
}

static bool is_of_family(const struct script_run *r, const struct script_variant *v)
{
	return !r->app_cfg.family || r->app_cfg.family == (v->is_v6 ? 6 : 4);
}

static void conns_init(struct script_run *r, const struct script_variant *v)
{
	for (uint32_t i = 0; i < SCRIPT_CONNS; i++) {
		struct script_conn *c = &r->conns[i];

		c->app.lab = &r->lab;
		c->app.echo = r->app_cfg.echo;
		c->app.refuse = r->app_cfg.refuse;
		c->app.close_at_eof = r->app_cfg.close_at_eof;
		c->app.rx_limit = r->app_cfg.take;
		c->peer_port = (uint16_t)(40001 + i);
		c->stack_port = LAB_PORT;
		c->peer_isn = v->peer_isn + 0x01000000u * i;
	}
	r->conn = &r->conns[0];
}

struct ip_addr script_peer_ip(const struct script_run *r)
{
	return r->lab.is_v6 ? lab_v6(1) : r->lab.a.cfg.addrs[0].ip;
}

static void run_start(struct script_run *r, uint64_t shift_us)
{
	struct ip_addr peer;

	r->lab.hook = capture;
	r->lab.hook_ctx = r;
	r->lab.now_us = r->start_us = r->at_us = r->app_cfg.clock_us + shift_us;
	r->lab.b.app.ops = &script_ops;
	r->lab.a.cfg.arp_reach_us = r->lab.b.cfg.arp_reach_us = ARP_REACH_US;
	lab_up(&r->lab, r->app_cfg.backlog);
	peer = script_peer_ip(r);
	net_neigh_learn(&r->lab.b.net, &peer, r->lab.a.cfg.mac, true);
}

static bool lines_run(struct script_run *r)
{
	for (uint32_t i = 0; i < r->script->nr_lines; i++) {
		r->line = &r->script->lines[i];
		if (!line_run(r))
			return false;
	}
	if (!quiet(r))
		return false;
	for (uint32_t i = 0; i < SCRIPT_CONNS; i++) {
		if (r->conns[i].app.rx_wrong)
			return script_fail(r, "the application got bytes that were not sent");
	}
	return true;
}

static void run_end(struct script_run *r)
{
	lab_down(&r->lab);
	while (r->sent) {
		struct script_sent *sent = r->sent;

		r->sent = sent->next;
		free(sent);
	}
	while (r->told) {
		struct script_told *told = r->told;

		r->told = told->next;
		free(told);
	}
}

/* shift_us: later than usual by this. *iss: the first ISN of the stack's. */
static bool run_once(const struct script *s, const struct script_variant *v, uint64_t shift_us,
	uint32_t *iss, char *why)
{
	struct script_run *r = calloc(1, sizeof(*r));
	bool is_ok;

	assert_non_null(r);
	r->script = s;
	r->why = why;
	r->app_cfg =
		(struct script_app_cfg){.take = UINT64_MAX, .backlog = 8, .clock_us = LAB_START};
	lab_init(&r->lab, 1);
	if (v->is_v6) {
		lab_use_v6(&r->lab);
		r->lab.a.cfg.mtu = r->lab.b.cfg.mtu += 20;
	}
	is_ok = settings_take(r);
	if (is_ok && is_of_family(r, v)) {
		conns_init(r, v);
		run_start(r, shift_us);
		is_ok = lines_run(r);
		run_end(r);
	}
	*iss = r->first_iss;
	free(r);
	return is_ok;
}

bool script_run(const struct script *s, const struct script_variant *v, char *why)
{
	uint32_t iss;

	if (!run_once(s, v, 0, &iss, why))
		return false;
	/* The clock of ISNs ticks each 4 us (RFC 6528); whole milliseconds keep timestamps in
	   step. */
	return !v->has_iss || run_once(s, v, (v->iss - iss) / 1000 * 4000ull, &iss, why);
}
