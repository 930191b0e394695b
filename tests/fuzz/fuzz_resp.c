/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target: requests, from a stream that is cut where the input says so.
 *
 * First byte: limits (bit 0: before AUTH) and size of the pieces (the other bits). The rest is
 * parsed whole and in pieces; both must agree, and arguments must lie within the bytes seen.
 */
#include "dataplane/resp.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct resp_limits limits[2] = {
	{.max_bulk_len = 512 * 1024 * 1024, .max_multibulk = 1024 * 1024},
	{.max_bulk_len = 512 * 1024 * 1024, .max_multibulk = 10, .max_bulk_unauth = 16 * 1024},
};

static void demand(bool cond)
{
	if (!cond)
		abort();
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ b[i]) * 0x100000001b3;
	return (sum ^ len) * 0x100000001b3;
}

static uint64_t request_sum(uint64_t sum, const struct resp_parser *p, const char *buf, size_t used)
{
	for (uint32_t i = 0; i < p->argc; i++) {
		const struct slice *a = &p->argv[i];

		if (buf[0] == '*')
			demand(a->ptr >= buf && a->len <= used && a->ptr + a->len <= buf + used);
		sum = mix(sum, a->ptr, a->len);
	}
	return mix(sum, "end", 3);
}

/* Parses all of the input in pieces. Returns a checksum of what came out. */
static uint64_t run(const struct resp_limits *lim, const uint8_t *data, size_t len, size_t piece)
{
	struct resp_parser p;
	uint64_t sum = 0xcbf29ce484222325;
	size_t start = 0, seen = 0;
	enum resp_status st = RESP_MORE;

	resp_parser_init(&p);
	while (seen < len && st != RESP_ERR) {
		seen += piece < len - seen ? piece : len - seen;
		/* what is at hand, in memory of exactly its size */
		char *buf = malloc(seen - start);
		size_t pos = 0, at_hand = seen - start;

		demand(buf != NULL);
		memcpy(buf, data + start, at_hand);
		while (pos < at_hand) {
			size_t consumed = 0;

			st = resp_parse(&p, lim, buf + pos, at_hand - pos, &consumed);
			if (st != RESP_OK)
				break;
			demand(consumed > 0 && consumed <= at_hand - pos);
			sum = request_sum(sum, &p, buf + pos, consumed);
			pos += consumed;
		}
		if (st == RESP_MORE)
			demand(p.need > at_hand - pos);
		if (st == RESP_ERR)
			sum = mix(sum, p.err, strlen(p.err));
		start += pos;
		free(buf);
	}
	resp_parser_fini(&p);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	const struct resp_limits *lim = &limits[data[0] & 1];
	size_t piece = (size_t)(data[0] >> 1) + 1;

	demand(run(lim, data + 1, len - 1, len) == run(lim, data + 1, len - 1, piece));
	return 0;
}
