/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading and writing TCP options.
 */
#include "dataplane/tcp/options.h"

#include "dataplane/ip/wire.h"

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
};

static void sacks_parse(const uint8_t *body, uint32_t len, struct tcp_opts *opts)
{
	opts->nr_sacks = 0;
	for (uint32_t at = 0; at + 8 <= len && opts->nr_sacks < TCP_MAX_SACKS; at += 8) {
		opts->sacks[opts->nr_sacks].start = get_be32(body + at);
		opts->sacks[opts->nr_sacks].end = get_be32(body + at + 4);
		opts->nr_sacks++;
	}
}

/* body: what follows kind and length; len: of the body. */
static void option_take(uint8_t kind, const uint8_t *body, uint32_t len, struct tcp_opts *opts)
{
	switch (kind) {
	case OPT_MSS:
		if (len == 2) {
			opts->has_mss = true;
			opts->mss = get_be16(body);
		}
		break;
	case OPT_WSCALE:
		if (len == 1) {
			opts->has_wscale = true;
			opts->wscale = body[0] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : body[0];
		}
		break;
	case OPT_SACK_OK:
		if (len == 0)
			opts->has_sack_ok = true;
		break;
	case OPT_SACK:
		if (len >= 8 && len % 8 == 0)
			sacks_parse(body, len, opts);
		break;
	case OPT_TS:
		if (len == 8) {
			opts->has_ts = true;
			opts->tsval = get_be32(body);
			opts->tsecr = get_be32(body + 4);
		}
		break;
	default: break;
	}
}

bool tcp_opts_parse(const uint8_t *bytes, uint32_t len, struct tcp_opts *opts)
{
	uint32_t at = 0;

	memset(opts, 0, sizeof(*opts));
	/* What nearly every segment carries: two NOPs and the timestamps. */
	if (len == TCP_OPT_TS_BYTES && get_be32(bytes) == 0x0101080au) {
		option_take(OPT_TS, bytes + 4, 8, opts);
		return true;
	}
	while (at < len) {
		const uint8_t kind = bytes[at];
		uint32_t size;

		if (kind == OPT_END)
			return true;
		if (kind == OPT_NOP) {
			at++;
			continue;
		}
		if (len - at < 2)
			return false;
		size = bytes[at + 1];
		if (size < 2 || size > len - at)
			return false;
		option_take(kind, bytes + at + 2, size - 2, opts);
		at += size;
	}
	return true;
}

uint32_t tcp_opts_write(uint8_t bytes[TCP_OPTIONS_MAX], const struct tcp_opts *opts)
{
	uint32_t n = 0, nr_sacks = opts->nr_sacks;

	if (opts->has_mss) {
		put_be32(bytes, (uint32_t)OPT_MSS << 24 | 4u << 16 | opts->mss);
		n += 4;
	}
	if (opts->has_sack_ok) {
		put_be32(bytes + n, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_OK << 8 | 2);
		n += 4;
	}
	if (opts->has_ts) {
		put_be32(bytes + n, 0x0101080au);
		put_be32(bytes + n + 4, opts->tsval);
		put_be32(bytes + n + 8, opts->tsecr);
		n += TCP_OPT_TS_BYTES;
	}
	if (opts->has_wscale) {
		put_be32(bytes + n,
			(uint32_t)OPT_NOP << 24 | OPT_WSCALE << 16 | 3u << 8 | opts->wscale);
		n += 4;
	}
	if (nr_sacks > (TCP_OPTIONS_MAX - n - 4) / 8)
		nr_sacks = (TCP_OPTIONS_MAX - n - 4) / 8;
	if (nr_sacks) {
		put_be32(bytes + n, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 |
					    (2 + 8 * nr_sacks));
		n += 4;
		for (uint32_t i = 0; i < nr_sacks; i++, n += 8) {
			put_be32(bytes + n, opts->sacks[i].start);
			put_be32(bytes + n + 4, opts->sacks[i].end);
		}
	}
	return n;
}
