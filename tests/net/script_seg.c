/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Segments of scripts, to and from frames.
 */
#include "tests/net/script.h"

#include "dataplane/ip/csum.h"
#include "tests/net/v6.h"

#include <stdio.h>
#include <string.h>

/* Options as they go on the wire; returns their length. */
static uint32_t opts_build(
	uint8_t bytes[TCP_OPTIONS_MAX], const struct script_seg *seg, const struct script_base *b)
{
	struct tcp_opts opts = seg->opts;

	if (seg->raw_len) {
		memcpy(bytes, seg->raw, seg->raw_len);
		return seg->raw_len;
	}
	if (!(seg->is_echo_last) && opts.tsecr)
		opts.tsecr += b->ts_to;
	for (uint8_t i = 0; i < opts.nr_sacks; i++) {
		opts.sacks[i].start += b->to;
		opts.sacks[i].end += b->to;
	}
	return tcp_opts_write(bytes, &opts);
}

static void ecn_set(uint8_t *ip, uint8_t ecn)
{
	uint16_t csum;

	if (ip[0] >> 4 == 6) {
		ip[1] = (uint8_t)(ecn << 4);
		return;
	}
	ip[1] = ecn;
	memset(ip + 10, 0, 2);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
}

uint32_t script_seg_build(uint8_t *frame, const struct host *from, const struct host *to,
	const struct script_seg *seg, uint16_t sport, const struct script_base *base)
{
	uint8_t opts[TCP_OPTIONS_MAX], payload[65536];
	const uint32_t payload_len = seg->end - seg->seq;
	const struct raw_tcp t = {
		.src_v4 = host_v4(from),
		.dst_v4 = host_v4(to),
		.sport = sport,
		.dport = seg->port,
		.seq = seg->seq + base->from,
		.ack = seg->flags & TCP_ACK ? seg->ack + base->to : 0,
		.wnd = (uint16_t)seg->wnd,
		.flags = seg->flags,
		.opts = opts,
		.opts_len = opts_build(opts, seg, base),
		.payload = payload,
		.payload_len = payload_len,
	};
	const struct ip_addr src_v6 = lab_v6(1);
	const struct v6_ip ip6 = {.src = &src_v6, .dst = lab_v6(2)};
	struct sniff s;
	uint32_t len;

	for (uint32_t i = 0; i < payload_len; i++)
		payload[i] = app_pattern(seg->seq - 1 + i) ^ (seg->is_junk ? 0xff : 0);
	len = from->lab->is_v6 ? v6_tcp_build(frame, &ip6, &t) : raw_tcp_build(frame, to, &t);
	s = frame_decode(from, frame, len);
	ecn_set(frame + 14, seg->ecn);
	put_be16(frame + s.tcp_off + 18, seg->urg);
	frame_tcp_mend(&s);
	if (seg->is_badsum)
		frame[s.tcp_off + 16] ^= 1;
	return len;
}

uint32_t script_icmp_build(uint8_t *frame, const struct host *to, const struct raw_tcp *quoted,
	uint8_t code, uint16_t mtu)
{
	const struct raw_tcp outer = {.src_v4 = quoted->dst_v4, .dst_v4 = quoted->src_v4};
	uint8_t inner[64], *icmp = frame + 34;
	uint16_t csum;

	raw_tcp_build(inner, to, quoted);
	raw_tcp_build(frame, to, &outer);
	put_be16(frame + 16, 20 + 8 + 28);
	frame[23] = IP_PROTO_ICMP;
	memset(frame + 24, 0, 2);
	csum = csum_of(frame + 14, 20);
	memcpy(frame + 24, &csum, 2);
	memset(icmp, 0, 8);
	icmp[0] = ICMP_UNREACH;
	icmp[1] = code;
	put_be16(icmp + 6, mtu);
	put_be16(inner + 16, 1500); /* as long as it was */
	memcpy(icmp + 8, inner + 14, 28);
	csum = csum_of(icmp, 36);
	memcpy(icmp + 2, &csum, 2);
	return 34 + 36;
}

static bool bad(char *why, const char *what)
{
	snprintf(why, SCRIPT_WHY_BYTES, "the stack sent a segment with %s", what);
	return false;
}

/* The IP header; *tcp_len and *ecn are what it says. */
static bool ip_read(const uint8_t *frame, uint32_t len, uint32_t *tcp_len, uint8_t *ecn, char *why)
{
	const uint8_t *ip = frame + 14;

	if (ip[0] >> 4 == 6) {
		const uint32_t class = get_be32(ip) >> 20 & 0xff;

		*tcp_len = get_be16(ip + 4);
		*ecn = class & 3;
		if (*tcp_len + 54 != len)
			return bad(why, "a wrong length");
		if (class >> 2 || (get_be32(ip) & 0xfffff) || ip[7] < 32)
			return bad(why, "a DSCP, a flow label or a small hop limit");
		return true;
	}
	*tcp_len = get_be16(ip + 2) - 20u;
	*ecn = ip[1] & 3;
	if (ip[0] != 0x45 || *tcp_len + 34 != len)
		return bad(why, "a wrong length");
	if (csum_of(ip, 20) != 0)
		return bad(why, "a wrong IP checksum");
	if (!(get_be16(ip + 6) & IPV4_DF) || ip[8] < 32 || ip[1] >> 2)
		return bad(why, "no DF, a small TTL or a DSCP");
	return true;
}

static bool csum_is_right(const struct sniff *s)
{
	const uint8_t *tcp = s->bytes + s->tcp_off;
	const uint16_t seen = get_be16(tcp + 16);

	frame_tcp_mend(s);
	return get_be16(tcp + 16) == seen;
}

bool script_seg_read(const struct sniff *s, struct script_seg *seg, uint16_t *sport,
	uint16_t *dport, const uint8_t **payload, char *why)
{
	const uint8_t *tcp = s->bytes + s->tcp_off;
	const uint32_t hlen = (uint32_t)(tcp[12] >> 4) * 4;
	uint32_t tcp_len;

	memset(seg, 0, sizeof(*seg));
	if (!ip_read(s->bytes, s->len, &tcp_len, &seg->ecn, why))
		return false;
	if (hlen < 20 || tcp_len < hlen)
		return bad(why, "a wrong header length");
	if (!csum_is_right(s))
		return bad(why, "a wrong TCP checksum");
	if (!tcp_opts_parse(tcp + 20, hlen - 20, &seg->opts))
		return bad(why, "malformed options");
	if (tcp[12] & 0xf)
		return bad(why, "reserved bits set");
	if (!(tcp[13] & TCP_ACK) && get_be32(tcp + 8))
		return bad(why, "an acknowledgement number but no ACK");
	*sport = get_be16(tcp);
	*dport = get_be16(tcp + 2);
	seg->seq = get_be32(tcp + 4);
	seg->end = seg->seq + tcp_len - hlen;
	seg->ack = get_be32(tcp + 8);
	seg->flags = tcp[13];
	seg->wnd = get_be16(tcp + 14);
	seg->has_wnd = true;
	seg->urg = get_be16(tcp + 18);
	*payload = tcp + hlen;
	return true;
}

/* snprintf() to the end of text. */
#define ADD(...) snprintf(text + strlen(text), size - strlen(text), __VA_ARGS__)

void script_seg_print(char *text, uint32_t size, const struct script_seg *seg)
{
	static const char *const names[8] = {
		"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
	static const char *const ecn[4] = {"", " ect1", " ect0", " ce"};
	static const uint8_t order[8] = {1, 0, 2, 3, 5, 6, 7, 4};
	const struct tcp_opts *o = &seg->opts;

	text[0] = '\0';
	for (uint32_t i = 0; i < 8; i++) {
		if (seg->flags >> order[i] & 1)
			ADD("%s%s", text[0] ? "+" : "", names[order[i]]);
	}
	ADD("%s %d", seg->flags ? "" : "-", (int32_t)seg->seq);
	if (seg->end != seg->seq)
		ADD("..%d", (int32_t)seg->end);
	if (seg->flags & TCP_ACK)
		ADD(" ack %d", (int32_t)seg->ack);
	ADD(" wnd %u", seg->wnd);
	if (o->has_mss)
		ADD(" mss %u", o->mss);
	if (o->has_wscale)
		ADD(" ws %u", o->wscale);
	if (o->has_sack_ok)
		ADD(" sackok");
	if (o->has_ts)
		ADD(" ts %d/%u", (int32_t)o->tsval, o->tsecr);
	for (uint8_t i = 0; i < o->nr_sacks; i++)
		ADD("%s %d..%d", i ? "" : " sack", (int32_t)o->sacks[i].start,
			(int32_t)o->sacks[i].end);
	if (seg->urg)
		ADD(" urg %u", seg->urg);
	ADD("%s", ecn[seg->ecn]);
}
