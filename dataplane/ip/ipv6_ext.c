/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The walk over extension headers. Each step moves on by at least eight bytes, each option by at
 * least one; both are counted.
 */
#include "dataplane/ip/ipv6_ext.h"

#include "dataplane/ip/wire.h"

#define OPT_PAD1         0u
#define OPT_PADN         1u
#define OPT_ROUTER_ALERT 5u
#define OPT_ACTION(type) ((type) >> 6)

enum opt_action { OPT_SKIP, OPT_DISCARD, OPT_REPORT, OPT_REPORT_UNLESS_MANY };

static bool fail(struct ipv6_walk *w, enum drop why)
{
	w->why = why;
	w->is_reported = false;
	return false;
}

static bool fail_reported(struct ipv6_walk *w, enum drop why, uint8_t code, uint32_t pointer)
{
	w->why = why;
	w->is_reported = true;
	w->code = code;
	w->pointer = pointer;
	return false;
}

/* RFC 8200, 4.2: an option that is not known. False: its type forbids going on. */
static bool option_unknown(uint8_t type, uint32_t at, struct ipv6_walk *w)
{
	const enum opt_action action = OPT_ACTION(type);

	if (action == OPT_SKIP)
		return true;
	if (action == OPT_DISCARD)
		return fail(w, DROP_IP6_OPTION);
	w->even_to_many = action == OPT_REPORT;
	return fail_reported(w, DROP_IP6_OPTION, ICMP6_PARAM_OPTION, at);
}

/* The options in [at, end). */
static bool options_check(const uint8_t *pkt, uint32_t at, uint32_t end, struct ipv6_walk *w)
{
	uint32_t nr = 0;

	while (at < end) {
		const uint8_t type = pkt[at];

		if (type == OPT_PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || pkt[at + 1] > end - at - 2)
			return fail_reported(w, DROP_IP6_EXT, ICMP6_PARAM_FIELD, at);
		if (type != OPT_PADN && ++nr > IPV6_OPTIONS_MAX)
			return fail(w, DROP_IP6_EXT);
		if (type != OPT_PADN && type != OPT_ROUTER_ALERT && !option_unknown(type, at, w))
			return false;
		at += 2u + pkt[at + 1];
	}
	return true;
}

/* RFC 8200, 4.4 and RFC 5095: with no segments left there is nothing to do. */
static bool routing_check(const uint8_t *pkt, uint32_t at, struct ipv6_walk *w)
{
	const uint8_t type = pkt[at + 2], left = pkt[at + 3];

	if (left != 0)
		return fail_reported(w, DROP_IP6_ROUTING, ICMP6_PARAM_FIELD, at + 2);
	return type != 0 || fail(w, DROP_IP6_ROUTING);
}

static bool is_extension(uint8_t proto)
{
	return proto == IP_PROTO_HOPOPTS || proto == IP_PROTO_ROUTING ||
	       proto == IP_PROTO_DSTOPTS || proto == IP_PROTO_FRAGMENT;
}

bool ipv6_ext_walk(const uint8_t *pkt, uint32_t len, struct ipv6_walk *w)
{
	uint32_t at = sizeof(struct ipv6_hdr);
	uint32_t nr = 0;

	*w = (struct ipv6_walk){.proto = pkt[6], .next_at = 6};
	while (is_extension(w->proto)) {
		uint32_t size;

		if (w->proto == IP_PROTO_FRAGMENT)
			return fail(w, DROP_IP_FRAGMENT);
		if (w->proto == IP_PROTO_HOPOPTS && nr > 0)
			return fail_reported(w, DROP_IP6_EXT, ICMP6_PARAM_NEXT, w->next_at);
		if (++nr > IPV6_EXT_MAX)
			return fail(w, DROP_IP6_EXT);
		if (len - at < 8)
			return fail(w, DROP_IP_SHORT);
		size = (pkt[at + 1] + 1u) * 8;
		if (size > len - at)
			return fail(w, DROP_IP_SHORT);
		if (w->proto == IP_PROTO_ROUTING ? !routing_check(pkt, at, w)
						 : !options_check(pkt, at + 2, at + size, w))
			return false;
		w->next_at = at;
		w->proto = pkt[at];
		at += size;
	}
	w->off = at;
	return true;
}
