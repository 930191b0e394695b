/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/net/tap.h"

#include <string.h>

static enum lab_verdict tap_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct tap *tap = ctx;

	if (s->from != tap->from)
		return LAB_PASS;
	if (tap->nr < TAP_FRAMES && s->len <= sizeof(tap->bytes[0])) {
		memcpy(tap->bytes[tap->nr], s->bytes, s->len);
		tap->len[tap->nr] = s->len;
	}
	tap->nr++;
	return tap->pass ? LAB_PASS : LAB_DROP;
}

void tap_set(struct lab *lab, struct tap *tap)
{
	memset(tap, 0, sizeof(*tap));
	tap->from = &lab->b;
	lab->hook = tap_hook;
	lab->hook_ctx = tap;
}

void tap_up(struct lab *lab, struct tap *tap, uint64_t seed)
{
	lab_init(lab, seed);
	tap_set(lab, tap);
	lab_up(lab, 8);
}
