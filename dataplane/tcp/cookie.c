/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SYN cookies (RFC 4987, 3.6): the handshake's state travels in what the peer must send back.
 *
 *	ISN:    bits 31..27  time, in units of 64 s, modulo 32
 *	        bits 26..24  index of the MSS in a table
 *	        bits 23..0   SipHash of addresses, ports, the peer's ISN, time and index
 *	TSval:  the timestamp rounded down to 64, plus
 *	        bits 3..0    the peer's window scale, 15: none
 *	        bit  4       the peer permits SACK
 *	        bit  5       ECN was asked for and agreed to
 *
 * A cookie is taken when its hash is right and its time is the present unit or the one before.
 * Only with timestamps are window scale, SACK and ECN remembered. A peer that echoes a wrong TSval
 * harms only its own connection.
 */
#include "dataplane/tcp/conn.h"

#define COOKIE_UNIT_US  64000000ull
#define TS_OPTION_MASK  0x3fu
#define TS_SACK         0x10u
#define TS_ECN          0x20u
#define TS_WSCALE_MASK  0x0fu
#define TS_WSCALE_NONE  0x0fu
#define COOKIE_MAC_MASK 0xffffffu

static const uint16_t mss_table[8] = {TCP_MIN_MSS, 536, 1024, 1220, 1380, 1440, 1460, 8940};

static uint32_t cookie_mac(const struct tcp_stack *ts, const struct tcp_key *key, uint32_t peer_isn,
	uint64_t unit, uint32_t mss_index)
{
	struct {
		struct tcp_key key;
		uint64_t unit;
		uint32_t peer_isn;
		uint32_t mss_index;
	} input = {*key, unit, peer_isn, mss_index};

	return (uint32_t)siphash(&ts->cookie_key, &input, sizeof(input)) & COOKIE_MAC_MASK;
}

uint32_t tcp_cookie_make(const struct tcp_stack *ts, const struct tcp_key *key, uint32_t peer_isn,
	const struct tcp_opts *opts, bool has_ecn, uint32_t *tsval)
{
	const uint64_t unit = ts->net->now_us / COOKIE_UNIT_US;
	const uint16_t mss = opts->has_mss ? opts->mss : tcp_default_mss(&key->raddr);
	const uint32_t now = (uint32_t)(ts->net->now_us / 1000) + tcp_ts_offset(ts, key);
	uint32_t index = 0;

	while (index < 7 && mss_table[index + 1] <= mss)
		index++;
	*tsval = (now & ~TS_OPTION_MASK) | (opts->has_sack_ok ? TS_SACK : 0) |
		 (has_ecn ? TS_ECN : 0) | (opts->has_wscale ? opts->wscale : TS_WSCALE_NONE);
	/* Never ahead of the clock: what the connection sends later must not look older. */
	if (seq_gt(*tsval, now))
		*tsval -= TS_OPTION_MASK + 1;
	return (uint32_t)(unit % 32) << 27 | index << 24 |
	       cookie_mac(ts, key, peer_isn, unit, index);
}

bool tcp_cookie_check(const struct tcp_stack *ts, const struct tcp_key *key, const struct pkt *p,
	const struct tcp_opts *opts, struct tcp_cookie *out)
{
	const uint32_t cookie = p->tcp.ack - 1;
	const uint32_t index = cookie >> 24 & 7;
	const uint64_t now = ts->net->now_us / COOKIE_UNIT_US;
	const uint64_t age = (now - (cookie >> 27)) % 32;

	if (age > 1 || age > now)
		return false;
	if ((cookie & COOKIE_MAC_MASK) != cookie_mac(ts, key, p->tcp.seq - 1, now - age, index))
		return false;
	*out = (struct tcp_cookie){.mss = mss_table[index], .has_ts = opts->has_ts};
	if (opts->has_ts) {
		out->has_sack = opts->tsecr & TS_SACK;
		out->has_ecn = opts->tsecr & TS_ECN;
		out->wscale = opts->tsecr & TS_WSCALE_MASK;
		out->has_wscale = out->wscale != TS_WSCALE_NONE;
	}
	return true;
}
