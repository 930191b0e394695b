/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Segments of scripts, to and from frames.
 */
#include "tests/net/script.h"

#include "dataplane/ip/csum.h"

#include <stdio.h>
#include <string.h>

static void csums_set(uint8_t *ip, uint32_t len, bool is_bad)
{
	uint8_t *tcp = ip + 20;
	const uint32_t tcp_len = len - 20;
	uint16_t csum;
	uint64_t sum;

	memset(ip + 10, 0, 2);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	memset(tcp + 16, 0, 2);
	sum = csum_pseudo_v4(
		be32(get_be32(ip + 12)), be32(get_be32(ip + 16)), IP_PROTO_TCP, tcp_len);
	csum = (uint16_t)~csum_fold(csum_add(sum, tcp, tcp_len));
	if (is_bad)
		csum ^= 0x0100;
	memcpy(tcp + 16, &csum, 2);
}

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
	uint32_t len;

	for (uint32_t i = 0; i < payload_len; i++)
		payload[i] = app_pattern(seg->seq - 1 + i) ^ (seg->is_junk ? 0xff : 0);
	len = raw_tcp_build(frame, to, &t);
	frame[15] = seg->ecn;
	put_be16(frame + 34 + 18, seg->urg);
	csums_set(frame + 14, len - 14, seg->is_badsum);
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

bool script_seg_read(const uint8_t *frame, uint32_t len, struct script_seg *seg, uint16_t *sport,
	uint16_t *dport, const uint8_t **payload, char *why)
{
	const uint8_t *ip = frame + 14, *tcp = ip + 20;
	const uint32_t total = get_be16(ip + 2), hlen = (uint32_t)(tcp[12] >> 4) * 4;
	uint64_t sum;

	memset(seg, 0, sizeof(*seg));
	if (ip[0] != 0x45 || total + 14 != len || total < 20 + hlen || hlen < 20)
		return bad(why, "a wrong length");
	if (csum_of(ip, 20) != 0)
		return bad(why, "a wrong IP checksum");
	sum = csum_pseudo_v4(
		be32(get_be32(ip + 12)), be32(get_be32(ip + 16)), IP_PROTO_TCP, total - 20);
	if (csum_fold(csum_add(sum, tcp, total - 20)) != 0xffff)
		return bad(why, "a wrong TCP checksum");
	if (!(get_be16(ip + 6) & IPV4_DF) || ip[8] < 32)
		return bad(why, "no DF or a small TTL");
	if (!tcp_opts_parse(tcp + 20, hlen - 20, &seg->opts))
		return bad(why, "malformed options");
	if (tcp[12] & 0xf)
		return bad(why, "reserved bits set");
	if (!(tcp[13] & TCP_ACK) && get_be32(tcp + 8))
		return bad(why, "an acknowledgement number but no ACK");
	*sport = get_be16(tcp);
	*dport = get_be16(tcp + 2);
	seg->seq = get_be32(tcp + 4);
	seg->end = seg->seq + total - 20 - hlen;
	seg->ack = get_be32(tcp + 8);
	seg->flags = tcp[13];
	seg->wnd = get_be16(tcp + 14);
	seg->has_wnd = true;
	seg->urg = get_be16(tcp + 18);
	seg->ecn = ip[1] & 3;
	*payload = tcp + hlen;
	return ip[1] >> 2 == 0 || bad(why, "a DSCP");
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
