/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HyperLogLog: PFDEBUG and PFSELFTEST.
 */
#include "app/commands/hll_cmds.h"

#include "app/commands/hll_keys.h"
#include "app/commands/keys.h"
#include "app/keyspace/rand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- PFDEBUG ---------------------------------------------------------------------------------- */

/* Stores the dense form, if str is sparse. HLL_SAME: it was dense. Otherwise replies failures. */
static enum hll_rc densify(struct client *c, struct slice str)
{
	struct hll h;
	enum hll_rc rc;

	if (hll_is_dense(str.ptr))
		return HLL_SAME;
	rc = hll_load(&h, str.ptr, str.len) ? hll_to_dense(&h) : HLL_NO_MEMORY;
	if (rc != HLL_CHANGED)
		hll_reply_failed(c, rc);
	else if (hll_store(c, &c->argv[2], &h))
		cmd_dirty(c, 1);
	else
		rc = HLL_NO_MEMORY;
	hll_fini(&h);
	return rc;
}

static void debug_getreg(struct client *c, struct slice str)
{
	uint8_t regs[HLL_REGISTERS] = {0};

	if (densify(c, str) > HLL_CHANGED)
		return;
	struct entry *e = lookup_write(c, &c->argv[2]);

	if (!e || !hll_check(c, e, &str))
		return;
	hll_merge(str.ptr, str.len, regs);
	reply_array(c, HLL_REGISTERS);
	for (uint32_t i = 0; i < HLL_REGISTERS; i++)
		reply_int(c, regs[i]);
}

static void debug_decode(struct client *c, struct slice str)
{
	char *text = NULL;
	size_t len = 0;
	struct hll_run run;
	FILE *out;

	if (hll_is_dense(str.ptr)) {
		reply_err(c, "ERR HLL encoding is not sparse");
		return;
	}
	out = open_memstream(&text, &len);
	if (!out) {
		key_no_memory(c, false);
		return;
	}
	for (size_t at = HLL_HEADER; at < str.len; at += run.bytes) {
		const char *space = at > HLL_HEADER ? " " : "";

		run = hll_run(str.ptr, str.len, at);
		if (run.val > 0)
			fprintf(out, "%sv:%u,%u", space, run.val, run.nr);
		else
			fprintf(out, "%s%c:%u", space, run.bytes == 2 ? 'Z' : 'z', run.nr);
	}
	if (fclose(out) == 0)
		reply_bulk(c, text, len);
	else
		key_no_memory(c, false);
	free(text);
}

static void debug_todense(struct client *c, struct slice str)
{
	enum hll_rc rc = densify(c, str);

	if (rc <= HLL_CHANGED)
		reply_int(c, rc == HLL_CHANGED);
}

void hll_cmd_pfdebug(struct client *c)
{
	struct entry *e = lookup_write(c, &c->argv[2]);
	const struct slice *what = &c->argv[1];
	struct slice str;

	if (!e) {
		reply_err(c, "ERR The specified key does not exist");
		return;
	}
	if (!hll_check(c, e, &str))
		return;
	hll_make_raw(c, &c->argv[2], e, str.len);
	e = lookup_write(c, &c->argv[2]);
	if (!e || !hll_check(c, e, &str))
		return;
	if (arg_is(what, "getreg"))
		debug_getreg(c, str);
	else if (arg_is(what, "decode"))
		debug_decode(c, str);
	else if (arg_is(what, "encoding"))
		reply_status(c, hll_is_dense(str.ptr) ? "dense" : "sparse");
	else if (arg_is(what, "todense"))
		debug_todense(c, str);
	else
		reply_errf(c, "ERR Unknown PFDEBUG subcommand '%.*s'",
			(int)(what->len < 128 ? what->len : 128), what->ptr);
}

/* --- PFSELFTEST ------------------------------------------------------------------------------- */

#define SELFTEST_FILLS    20
#define SELFTEST_ELEMENTS 1000000u /* a core is busy for some hundredths of a second */
#define SELFTEST_ERRORS   6        /* standard errors that an estimate may be off */

static bool registers_keep_values(struct client *c, struct hll *dense)
{
	uint8_t regs[HLL_REGISTERS];

	for (int fill = 0; fill < SELFTEST_FILLS; fill++) {
		for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
			regs[i] = ks_rand() & 63;
			hll_dense_set(dense->str, i, regs[i]);
		}
		for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
			uint8_t val = hll_dense_get(dense->str, i);

			if (val == regs[i])
				continue;
			reply_errf(c, "ERR TESTFAILED Register %u should be %u but is %u", i,
				regs[i], val);
			return false;
		}
	}
	memset(dense->str + HLL_HEADER, 0, dense->len - HLL_HEADER);
	return true;
}

/* Whether both forms count nr elements well. */
static bool count_is_near(
	struct client *c, const struct hll *dense, const struct hll *other, uint64_t nr)
{
	double bound = ceil(1.04 / sqrt(HLL_REGISTERS) * SELFTEST_ERRORS * (double)nr);
	uint64_t one = 0, two = 0;

	if (!hll_count(dense->str, dense->len, &one) || !hll_count(other->str, other->len, &two) ||
		one != two) {
		reply_err(c, "ERR TESTFAILED dense/sparse disagree");
		return false;
	}
	uint64_t off = one > nr ? one - nr : nr - one;

	if ((double)off <= bound)
		return true;
	reply_errf(c, "ERR TESTFAILED Too big error. card:%llu abserr:%llu", (unsigned long long)nr,
		(unsigned long long)off);
	return false;
}

static bool estimates_are_near(struct client *c, struct hll *dense, struct hll *sparse)
{
	uint64_t max =
		atomic_load_explicit(&c->srv->cfg->hll_sparse_max_bytes, memory_order_relaxed);
	uint64_t seed = ks_rand(), look = 1;

	for (uint64_t nr = 1; nr <= SELFTEST_ELEMENTS; nr++) {
		uint64_t element = nr ^ seed;
		struct hll_mark mark = hll_mark(&element, sizeof(element));

		hll_raise(dense, mark, max);
		if (hll_raise(sparse, mark, max) > HLL_CHANGED) {
			reply_err(c, "ERR TESTFAILED sparse form is corrupt");
			return false;
		}
		if (nr != look)
			continue;
		if (nr < max / 2 && hll_is_dense(sparse->str)) {
			reply_err(c, "ERR TESTFAILED sparse encoding not used");
			return false;
		}
		if (!count_is_near(c, dense, sparse, nr))
			return false;
		look *= 10;
	}
	return true;
}

void hll_cmd_pfselftest(struct client *c)
{
	struct hll dense = {0}, sparse = {0};

	if (!hll_init(&dense) || !hll_init(&sparse) || hll_to_dense(&dense) != HLL_CHANGED)
		key_no_memory(c, false);
	else if (registers_keep_values(c, &dense) && estimates_are_near(c, &dense, &sparse))
		reply_ok(c);
	hll_fini(&dense);
	hll_fini(&sparse);
}
