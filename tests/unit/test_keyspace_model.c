/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random operations on a keyspace and on a model of it, with snapshots under way. The model is
 * a plain array of names by databases. After each stretch everything is compared; what a
 * snapshot saved is compared with the model as it was at the cut.
 */
#include "tests/unit/test_keyspace.h"

#define NR_NAMES 2000
#define NR_DBS   3
#define NR_PARTS 4
#define MAX_LEN  400

struct model_key {
	bool there;
	uint16_t len;
	int64_t expire_ms;
	char val[MAX_LEN];
};
typedef struct model_key model_db[NR_NAMES];

struct world {
	uint64_t rng;
	struct keyspace *ks;
	int64_t now_ms;
	model_db *dbs; /* NR_DBS */
	/* a snapshot under way */
	bool snap;
	model_db *cut; /* what must be saved; taken away as it is */
	uint64_t cursor[NR_PARTS];
	bool done[NR_PARTS];
	unsigned nr_snaps, nr_saved;
};

static struct slice name_of(unsigned i, char buf[32])
{
	int len = snprintf(buf, 32, "name:%u", i);

	return (struct slice){buf, (size_t)len};
}

static unsigned name_index(struct slice name)
{
	char buf[32];

	assert_true(name.len > 5 && name.len < sizeof(buf));
	memcpy(buf, name.ptr, name.len);
	buf[name.len] = 0;
	return (unsigned)strtoul(buf + 5, NULL, 10);
}

static struct ks_key world_key(struct world *w, unsigned i, char buf[32])
{
	struct slice name = name_of(i, buf);

	return ks_key(w->ks, name.ptr, name.len);
}

static struct entry *world_find(struct world *w, int db, unsigned i)
{
	char buf[32];
	struct ks_key k = world_key(w, i, buf);

	return ks_find(w->ks, db, &k);
}

/* Compares an entry with what the model holds. */
static void assert_same(const struct entry *e, const struct model_key *m)
{
	char buf[KS_INT_STR_MAX];
	struct slice s;

	if (!m->there) {
		assert_null(e);
		return;
	}
	assert_non_null(e);
	s = entry_str(e, buf);
	assert_int_equal(s.len, m->len);
	assert_memory_equal(s.ptr, m->val, m->len);
	assert_int_equal(entry_expire(e), m->expire_ms);
}

/* --- the snapshot's side --- */

static size_t save(void *ctx, unsigned core, int db, const struct entry *e)
{
	struct world *w = ctx;
	struct model_key *m = &w->cut[db][name_index(entry_key(e))];

	assert_int_equal(core, 7);
	assert_true(m->there); /* there at the cut, and not saved before */
	assert_same(e, m);
	m->there = false;
	w->nr_saved++;
	return 1;
}

static void snap_begin(struct world *w)
{
	struct ks_snap_ops ops = {.save = save, .ctx = w};

	memcpy(w->cut, w->dbs, sizeof(model_db) * NR_DBS);
	memset(w->cursor, 0, sizeof(w->cursor));
	memset(w->done, 0, sizeof(w->done));
	ks_snap_begin(w->ks, &ops);
	w->snap = true;
}

static void snap_finish(struct world *w)
{
	for (int db = 0; db < NR_DBS; db++)
		for (unsigned i = 0; i < NR_NAMES; i++)
			assert_false(w->cut[db][i].there);
	ks_snap_end(w->ks);
	w->snap = false;
	w->nr_snaps++;
}

static void snap_step(struct world *w)
{
	unsigned part = below(&w->rng, NR_PARTS);
	bool all = true;

	if (!w->snap) {
		if (below(&w->rng, 500) == 0)
			snap_begin(w);
		return;
	}
	if (below(&w->rng, 20000) == 0) { /* given up */
		ks_snap_end(w->ks);
		w->snap = false;
		return;
	}
	w->done[part] = ks_snap_walk(w->ks, 7, part, &w->cursor[part], 1 + below(&w->rng, 20));
	for (int i = 0; i < NR_PARTS; i++)
		all = all && w->done[i];
	if (all)
		snap_finish(w);
}

/* --- operations --- */

static void op_set(struct world *w, int db, unsigned i)
{
	struct model_key *m = &w->dbs[db][i];
	unsigned flags = below(&w->rng, 2) ? KS_KEEP_TTL : 0;
	char buf[32];
	struct ks_key k = world_key(w, i, buf);

	if (below(&w->rng, 3) == 0) {
		int64_t val = (int64_t)rnd(&w->rng) >> below(&w->rng, 64);

		assert_non_null(ks_set_int(w->ks, 7, db, &k, val, flags, w->now_ms));
		m->len = (uint16_t)sprintf(m->val, "%lld", (long long)val);
	} else {
		m->len = (uint16_t)below(&w->rng, below(&w->rng, 3) ? 64 : MAX_LEN);
		for (unsigned j = 0; j < m->len; j++)
			m->val[j] = (char)rnd(&w->rng);
		if (below(&w->rng, 4) == 0)
			flags |= KS_RAW;
		assert_non_null(ks_set_str(w->ks, 7, db, &k, m->val, m->len, flags, w->now_ms));
	}
	if (!m->there || !(flags & KS_KEEP_TTL))
		m->expire_ms = KS_NO_EXPIRE;
	m->there = true;
}

static void op_edit(struct world *w, int db, unsigned i)
{
	struct model_key *m = &w->dbs[db][i];
	unsigned len = below(&w->rng, MAX_LEN);
	struct entry *e = world_find(w, db, i);
	char *data;

	if (!e)
		return;
	e = ks_str_edit(w->ks, 7, db, e, len, &data);
	assert_non_null(e);
	if (len > m->len)
		memset(m->val + m->len, 0, len - m->len);
	m->len = (uint16_t)len;
	assert_memory_equal(data, m->val, len);
	if (len > 0)
		data[len - 1] = m->val[len - 1] = (char)rnd(&w->rng);
}

static void op_expire(struct world *w, int db, unsigned i)
{
	struct model_key *m = &w->dbs[db][i];
	int64_t at_ms = w->now_ms + (int64_t)below(&w->rng, 20000);
	struct entry *e = world_find(w, db, i);

	if (!e)
		return;
	if (below(&w->rng, 4) == 0)
		at_ms = KS_NO_EXPIRE;
	m->expire_ms = at_ms;
	assert_non_null(ks_set_expire(w->ks, 7, db, e, at_ms));
}

static void op_del(struct world *w, int db, unsigned i)
{
	struct entry *e = world_find(w, db, i);

	if (!e)
		return;
	ks_del(w->ks, 7, db, e);
	w->dbs[db][i].there = false;
}

static void op_move_or_copy(struct world *w, int db, unsigned i)
{
	int to_db = (int)below(&w->rng, NR_DBS);
	unsigned to = below(&w->rng, NR_NAMES);
	struct entry *e = world_find(w, db, i);
	struct entry *n;
	char buf[32];
	struct ks_key k = world_key(w, to, buf);

	if (!e || w->dbs[to_db][to].there)
		return;
	w->dbs[to_db][to] = w->dbs[db][i];
	if (below(&w->rng, 2)) {
		n = ks_copy(w->ks, 7, db, e, to_db, &k, w->now_ms);
	} else {
		n = ks_move(w->ks, 7, db, e, to_db, &k, w->now_ms);
		w->dbs[db][i].there = false;
	}
	assert_same(n, &w->dbs[to_db][to]);
}

static bool removed(void *ctx, uint32_t part, int db, const struct entry *e)
{
	struct world *w = ctx;
	struct model_key *m = &w->dbs[db][name_index(entry_key(e))];

	assert_same(e, m);
	assert_true(m->expire_ms < w->now_ms);
	m->there = false;
	return true;
}

static void op_time_passes(struct world *w)
{
	w->now_ms += (int64_t)below(&w->rng, 400);
	for (uint32_t part = 0; part < NR_PARTS; part++) {
		while (ks_expire_part(w->ks, 7, part, w->now_ms, 3, removed, w) == 3)
			;
		assert_true(ks_part_next_expire(w->ks, part) >= w->now_ms);
	}
}

static void op_whole(struct world *w)
{
	int a = (int)below(&w->rng, NR_DBS);
	int b = (int)below(&w->rng, NR_DBS);

	if (w->snap)
		return;
	if (below(&w->rng, 4)) {
		model_db *tmp = malloc(sizeof(*tmp));

		assert_non_null(tmp);
		memcpy(tmp, w->dbs[a], sizeof(*tmp));
		memmove(w->dbs[a], w->dbs[b], sizeof(*tmp));
		memcpy(w->dbs[b], tmp, sizeof(*tmp));
		free(tmp);
		ks_swap_db(w->ks, a, b);
	} else {
		uint64_t nr = ks_size(w->ks, a);

		assert_int_equal(ks_flush(w->ks, 7, a), nr);
		memset(w->dbs[a], 0, sizeof(w->dbs[a]));
	}
}

static void step(struct world *w, unsigned del_bias)
{
	int db = (int)below(&w->rng, NR_DBS);
	unsigned i = below(&w->rng, NR_NAMES);
	unsigned what = below(&w->rng, 100);

	if (what < 50)
		below(&w->rng, 100) < del_bias ? op_del(w, db, i) : op_set(w, db, i);
	else if (what < 65)
		op_edit(w, db, i);
	else if (what < 80)
		op_expire(w, db, i);
	else if (what < 95)
		op_move_or_copy(w, db, i);
	else if (what < 99)
		op_time_passes(w);
	else if (below(&w->rng, 200) == 0)
		op_whole(w);
	assert_same(world_find(w, db, i), &w->dbs[db][i]);
	snap_step(w);
	ks_reclaim(w->ks, 10);
}

static void count_walk(void *ctx, int db, struct entry *e)
{
	(*(uint64_t *)ctx)++;
}

/* The next expiry of the partition that name i belongs to. */
static int64_t next_expire(struct world *w, unsigned i)
{
	char buf[32];

	return ks_part_next_expire(w->ks, world_key(w, i, buf).part);
}

static void compare_all(struct world *w)
{
	op_time_passes(w);
	for (int db = 0; db < NR_DBS; db++) {
		uint64_t nr = 0;
		uint64_t nr_expires = 0;
		uint64_t walked = 0;
		int64_t ttl_sum = 0;

		for (unsigned i = 0; i < NR_NAMES; i++) {
			const struct model_key *m = &w->dbs[db][i];

			assert_same(world_find(w, db, i), m);
			nr += m->there;
			if (!m->there || m->expire_ms == KS_NO_EXPIRE)
				continue;
			nr_expires++;
			ttl_sum += m->expire_ms - w->now_ms;
			assert_true(m->expire_ms >= w->now_ms);
			assert_true(m->expire_ms >= next_expire(w, i));
		}
		for (uint32_t part = 0; part < NR_PARTS; part++)
			ks_walk_part(w->ks, part, db, count_walk, &walked);
		assert_int_equal(ks_size(w->ks, db), nr);
		assert_int_equal(ks_nr_expires(w->ks, db), nr_expires);
		assert_int_equal(walked, nr);
		assert_int_equal(ks_avg_ttl_ms(w->ks, db, w->now_ms),
			nr_expires ? ttl_sum / (int64_t)nr_expires : 0);
	}
}

static void random_operations_match_the_model(void **state)
{
	size_t used = mem_used();
	struct world w = {.rng = random_seed(), .now_ms = T0};

	w.ks = make(NR_PARTS, NR_DBS);
	w.dbs = calloc(NR_DBS, sizeof(model_db));
	w.cut = calloc(NR_DBS, sizeof(model_db));
	assert_true(w.dbs && w.cut);
	for (int phase = 0; phase < 10; phase++) {
		/* now growing, now shrinking to nearly nothing */
		for (int i = 0; i < 6000; i++) {
			step(&w, phase % 2 ? 97 : 20);
			if (i % 500 == 0)
				compare_all(&w);
		}
	}
	assert_true(w.nr_snaps > 0 && w.nr_saved > 0);
	if (w.snap)
		ks_snap_end(w.ks);
	free(w.dbs);
	free(w.cut);
	destroy(w.ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
