/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target: what a master sends to a replica, from its answer to PING on.
 *
 * First byte: bit 0: the replica has a history to continue; bit 1: the handshake is done, the input
 * answers PSYNC; bit 2: the owner refuses each full sync at its end; the other bits: size of the
 * pieces. Second byte: low four bits: in which upcall, once, (beyond the last: in none) the owner
 * does what the next two bits say. The rest is heard from the master.
 *
 * Without such an act it is heard whole and in pieces, and both must come to the same. The order of
 * upcalls is checked by the owner (tests/support/link_owner.c).
 */
#include "tests/support/link_owner.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ID        "0123456789abcdef0123456789abcdef01234567"
#define INPUT_MAX (OWNER_BYTES / 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What came out of one run. */
struct outcome {
	struct owner o;
	enum link_state state;
	char said[4096];
};

static void demand(bool cond)
{
	if (!cond)
		abort();
}

static void act_drop(struct owner *o)
{
	link_drop(o->link, "dropped in an upcall");
}

static void act_destroy(struct owner *o)
{
	link_destroy(&o->link);
}

static void act_pause(struct owner *o)
{
	link_pause(o->link);
}

static void act_configure(struct owner *o)
{
	demand(link_configure(o->link, &o->cfg) == 0);
}

static void begin(struct outcome *out, uint8_t how, uint8_t what)
{
	void (*const acts[4])(struct owner *) = {act_drop, act_destroy, act_pause, act_configure};
	struct owner *o = &out->o;

	owner_init(o);
	if (how & 1) {
		strcpy(o->id, ID);
		o->offset = 101;
	}
	if (how & 2) {
		owner_to_psync(o);
	} else {
		owner_tick(o);
		fake_conn_connected(o->net.last);
	}
	o->act_in = what & 15;
	o->act = o->act_in < OWNER_NR_UPCALLS ? acts[what >> 4 & 3] : NULL;
}

static void run(struct outcome *out, uint8_t how, uint8_t what, const uint8_t *data, size_t len,
	size_t piece)
{
	struct owner *o = &out->o;

	begin(out, how, what);
	for (size_t pos = 0; pos < len; pos += piece) {
		owner_hear_bytes(o, data + pos, piece < len - pos ? piece : len - pos);
		if (o->link && link_state(o->link) == LINK_FINISHING)
			owner_finished(o, !(how & 4));
	}
	out->state = o->link ? link_state(o->link) : LINK_CONNECT;
	strncpy(out->said, owner_said(o), sizeof(out->said) - 1);
	/* whatever it was, the link goes on: another attempt, another loss */
	owner_wait(o, 2000);
	if (o->link && link_state(o->link) == LINK_CONNECTING)
		fake_conn_connected(o->net.last);
	owner_cut(o);
	owner_fini(o);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->state == b->state && strcmp(a->said, b->said) == 0 &&
	       strcmp(a->o.trace, b->o.trace) == 0 && strcmp(a->o.log, b->o.log) == 0 &&
	       a->o.rdb_len == b->o.rdb_len && a->o.stream_len == b->o.stream_len &&
	       memcmp(a->o.rdb, b->o.rdb, a->o.rdb_len) == 0 &&
	       memcmp(a->o.stream, b->o.stream, a->o.stream_len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct outcome whole, cut;
	uint8_t how, what;

	if (len < 3 || len > INPUT_MAX)
		return 0;
	how = data[0];
	what = data[1];
	memset(cut.said, 0, sizeof(cut.said));
	run(&cut, how, what, data + 2, len - 2, (size_t)(how >> 3) + 1);
	if ((what & 15) < OWNER_NR_UPCALLS)
		return 0;
	memset(whole.said, 0, sizeof(whole.said));
	run(&whole, how, what, data + 2, len - 2, len);
	demand(same(&whole, &cut));
	return 0;
}
