/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/frame.h"

#include "dataplane/ip/csum.h"

#include <errno.h>

#define CLIENT_IP   0x0a000001u
#define SERVER_IP   0x0a000002u
#define SERVER_PORT 6379u

int frame_format_init(struct frame_format *f, const struct request *request, uint32_t nr)
{
	static const uint8_t ts[4] = {1, 1, 8, 10}; /* NOP, NOP, timestamps */
	struct eth_hdr eth = {.type = be16(ETH_TYPE_IPV4)};
	struct ipv4_hdr ip = {.ver_ihl = 0x45,
		.frag = be16(IPV4_DF),
		.ttl = 64,
		.proto = IP_PROTO_TCP,
		.src = be32(CLIENT_IP),
		.dst = be32(SERVER_IP)};
	struct tcp_hdr tcp = {.dport = be16(SERVER_PORT),
		.doff = (uint8_t)((sizeof(tcp) + FRAME_TS) / 4 << 4),
		.flags = TCP_ACK | TCP_PSH,
		.wnd = be16(65535)};

	if (nr == 0 || nr > (FRAME_MAX - FRAME_HEAD) / request->len)
		return -EINVAL;
	memset(f, 0, sizeof(*f));
	f->request = request;
	f->nr_requests = nr;
	f->len = (uint32_t)FRAME_HEAD + nr * request->len;
	ip.total_len = be16((uint16_t)(f->len - FRAME_IP));
	ip.csum = (uint16_t)~csum_fold(csum_add(0, &ip, sizeof(ip)));
	memcpy(f->head, &eth, sizeof(eth));
	memcpy(f->head + FRAME_IP, &ip, sizeof(ip));
	memcpy(f->head + FRAME_TCP, &tcp, sizeof(tcp));
	memcpy(f->head + FRAME_TCP + sizeof(tcp), ts, sizeof(ts));
	return 0;
}

void frame_write(const struct frame_format *f, uint8_t *frame, uint32_t flow, uint32_t seq,
	const uint8_t *src_mac, const uint8_t *dst_mac, const uint32_t *keys)
{
	const struct request *r = f->request;
	uint8_t *at = frame + FRAME_HEAD;

	memcpy(frame, f->head, FRAME_HEAD);
	memcpy(frame, dst_mac, 6);
	memcpy(frame + 6, src_mac, 6);
	put_be16(frame + FRAME_TCP, (uint16_t)(FRAME_PORT + flow));
	put_be32(frame + FRAME_TCP + 4, seq);
	for (uint32_t i = 0; i < f->nr_requests; i++)
		at += request_head_write(r, &keys[i], 0, at);
}
