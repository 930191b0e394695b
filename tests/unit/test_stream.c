/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: random changes against an array; blocks and their limits; groups and what is pending;
 * memory that runs out.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/rand.h"
#include "app/keyspace/types/stream.h"

#define MODEL_MAX  3000
#define FIELDS_MAX 4
#define TEXT_MAX   24

/* --- memory that runs out --- */

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

static bool failing; /* now and then */

static bool must_fail(void)
{
	return failing && ks_rand_below(4) == 0;
}

void *__wrap_mem_alloc(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return must_fail() ? NULL : __real_mem_realloc(ptr, size);
}

/* --- the model --- */

struct model_entry {
	struct stream_id id;
	uint32_t nr_fields;
	char text[2 * FIELDS_MAX][TEXT_MAX];
};

struct model {
	struct obj o;
	struct obj_limits limits;
	struct model_entry entries[MODEL_MAX];
	size_t nr;
	uint64_t added;
	struct stream_id last_id, max_deleted_id;
};

static struct stream *stream(const struct model *m)
{
	return stream_of(&m->o);
}

static struct model *fresh(uint64_t node_bytes, uint64_t node_entries)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	assert_true(stream_make(&m->o));
	m->limits.stream_node_max_bytes = node_bytes;
	m->limits.stream_node_max_entries = node_entries;
	return m;
}

static void end(struct model *m)
{
	obj_ops(&m->o)->free(&m->o);
	free(m);
}

static struct stream_id id_of(uint64_t ms, uint64_t seq)
{
	return (struct stream_id){ms, seq};
}

static void random_text(char text[TEXT_MAX], bool field)
{
	size_t len = (size_t)ks_rand_below(TEXT_MAX - 1);

	if (field && ks_rand_below(4) > 0) {
		snprintf(text, TEXT_MAX, "field%u", (unsigned)ks_rand_below(2));
	} else if (ks_rand_below(3) == 0) {
		snprintf(text, TEXT_MAX, "%lld", (long long)(ks_rand() >> ks_rand_below(64)));
	} else {
		for (size_t i = 0; i < len; i++)
			text[i] = (char)('a' + ks_rand_below(26));
		text[len] = '\0';
	}
}

/* Behind the last: near it, or far away. */
static struct stream_id next_id(const struct model *m)
{
	struct stream_id id = m->last_id;

	if (ks_rand_below(2) == 0)
		return id_of(id.ms, id.seq + 1 + ks_rand_below(3));
	return id_of(id.ms + 1 + (ks_rand_below(20) ? ks_rand_below(9) : ks_rand() >> 20),
		ks_rand_below(3) ? 0 : ks_rand() >> 1);
}

static bool add(struct model *m)
{
	struct model_entry *e = &m->entries[m->nr];
	struct slice pairs[2 * FIELDS_MAX];

	e->id = next_id(m);
	e->nr_fields = 1 + (uint32_t)(ks_rand_below(3) ? 1 : ks_rand_below(FIELDS_MAX));
	for (uint32_t i = 0; i < 2 * e->nr_fields; i++) {
		random_text(e->text[i], i % 2 == 0);
		pairs[i] = (struct slice){e->text[i], strlen(e->text[i])};
	}
	if (!stream_add(stream(m), &e->id, pairs, e->nr_fields, &m->limits))
		return false;
	m->last_id = e->id;
	m->added++;
	m->nr++;
	return true;
}

static void model_cut(struct model *m, size_t at, size_t nr)
{
	memmove(&m->entries[at], &m->entries[at + nr], (m->nr - at - nr) * sizeof(m->entries[0]));
	m->nr -= nr;
}

static void delete_at(struct model *m, size_t at)
{
	struct stream_id id = m->entries[at].id;
	enum stream_deleted rc = stream_delete(stream(m), &id);

	if (failing && rc == STREAM_NO_MEMORY)
		return;
	assert_int_equal(rc, STREAM_DELETED);
	assert_int_equal(stream_delete(stream(m), &id), STREAM_NOT_THERE);
	assert_false(stream_has(stream(m), &id));
	if (stream_id_cmp(&id, &m->max_deleted_id) > 0)
		m->max_deleted_id = id;
	model_cut(m, at, 1);
}

static void check_entry(struct stream_iter *it, const struct model_entry *e)
{
	struct slice field, value;

	assert_int_equal(stream_id_cmp(&it->id, &e->id), 0);
	assert_int_equal(it->nr_fields, e->nr_fields);
	for (uint32_t i = 0; i < e->nr_fields; i++) {
		stream_iter_field(it, &field, &value);
		assert_int_equal(field.len, strlen(e->text[2 * i]));
		assert_memory_equal(field.ptr, e->text[2 * i], field.len);
		assert_int_equal(value.len, strlen(e->text[2 * i + 1]));
		assert_memory_equal(value.ptr, e->text[2 * i + 1], value.len);
	}
}

/* Entries first to last of the model are those between the IDs. */
static void check_range(const struct model *m, struct stream_id from, struct stream_id to)
{
	struct stream_iter it;
	size_t first = 0, behind;

	while (first < m->nr && stream_id_cmp(&m->entries[first].id, &from) < 0)
		first++;
	for (behind = first; behind < m->nr && stream_id_cmp(&m->entries[behind].id, &to) <= 0;)
		behind++;
	stream_iter_init(&it, stream(m), from, to, false);
	for (size_t i = first; i < behind; i++) {
		assert_true(stream_iter_next(&it));
		check_entry(&it, &m->entries[i]);
	}
	assert_false(stream_iter_next(&it));
	assert_false(stream_iter_next(&it));
	stream_iter_init(&it, stream(m), from, to, true);
	for (size_t i = behind; i-- > first;) {
		assert_true(stream_iter_next(&it));
		if (i % 3 > 0) /* fields that are not read are passed over */
			check_entry(&it, &m->entries[i]);
	}
	assert_false(stream_iter_next(&it));
}

static void check_bytes(const struct model *m)
{
	struct tree_pos pos = stream_block_first(stream(m));
	uint64_t nr = 0;

	for (; tree_pos_ok(&pos); tree_next(&pos)) {
		const struct stream_block *block = stream_block_at(&pos);
		uint64_t live;
		const char *fault =
			stream_block_fault(block->lp, lp_bytes(block->lp), &block->id, &live);

		if (fault)
			fail_msg("%s", fault);
		nr += live;
	}
	assert_int_equal(nr, m->nr);
}

static void check(const struct model *m)
{
	const struct stream *s = stream(m);
	struct stream_id id;

	assert_int_equal(s->nr, m->nr);
	assert_int_equal(obj_ops(&m->o)->count(&m->o), m->nr);
	assert_int_equal(s->entries_added, m->added);
	assert_int_equal(stream_id_cmp(&s->last_id, &m->last_id), 0);
	assert_int_equal(stream_id_cmp(&s->max_deleted_id, &m->max_deleted_id), 0);
	id = m->nr ? m->entries[0].id : STREAM_ID_MIN;
	assert_int_equal(stream_id_cmp(&s->first_id, &id), 0);
	assert_int_equal(stream_last_entry(s, &id), m->nr > 0);
	if (m->nr > 0)
		assert_int_equal(stream_id_cmp(&id, &m->entries[m->nr - 1].id), 0);
	check_range(m, STREAM_ID_MIN, STREAM_ID_MAX);
	check_bytes(m);
}

static struct stream_id any_id(const struct model *m)
{
	struct stream_id id = m->nr ? m->entries[ks_rand_below(m->nr)].id : m->last_id;

	switch (ks_rand_below(3)) {
	case 0: stream_id_prev(&id); break;
	case 1: stream_id_next(&id); break;
	default: break;
	}
	return id;
}

/* Exact trimming takes what it should; approximate trimming takes no more than that. */
static void trim(struct model *m)
{
	struct stream_trim t = {.by_id = ks_rand_below(2), .approx = ks_rand_below(2)};
	size_t want = 0;
	uint64_t got;
	bool all;

	if (t.by_id) {
		t.min_id = any_id(m);
		while (want < m->nr && stream_id_cmp(&m->entries[want].id, &t.min_id) < 0)
			want++;
	} else {
		t.max_len = m->nr ? m->nr - ks_rand_below(m->nr < 100 ? m->nr : 100) : 0;
		want = m->nr - (size_t)t.max_len;
	}
	if (t.approx && ks_rand_below(2))
		t.limit = 1 + ks_rand_below(50);
	all = stream_trim(stream(m), &t, &got);
	assert_true(all || failing);
	if (t.approx || !all)
		assert_true(got <= want && (!t.limit || got <= t.limit));
	else
		assert_int_equal(got, want);
	model_cut(m, 0, (size_t)got);
}

static void one_change(struct model *m)
{
	uint64_t kind = ks_rand_below(100);

	if (m->nr == MODEL_MAX)
		kind = 99;
	if (kind < 75)
		assert_true(add(m) || failing);
	else if (kind < 97 && m->nr > 0)
		delete_at(m, ks_rand_below(m->nr));
	else
		trim(m);
}

static void random_changes_match_an_array(void **state)
{
	static const struct {
		uint64_t bytes, entries;
	} limits[] = {{4096, 100}, {0, 0}, {100, 10}, {4096, 1}, {0, 7}, {300, 0}};
	size_t used = mem_used();

	ks_rand_seed(random_seed());
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct model *m = fresh(limits[i].bytes, limits[i].entries);

		for (int step = 0; step < 3000; step++) {
			one_change(m);
			if (step % 100 == 0)
				check(m);
			if (step % 10 == 0)
				check_range(m, any_id(m), any_id(m));
		}
		check(m);
		while (m->nr > 0)
			delete_at(m, ks_rand_below(m->nr));
		check(m);
		assert_int_equal(stream(m)->blocks.nr, 0);
		end(m);
	}
	assert_int_equal(mem_used(), used);
}

static void out_of_memory_changes_nothing(void **state)
{
	struct model *m = fresh(300, 20);

	ks_rand_seed(random_seed());
	failing = true;
	for (int step = 0; step < 3000; step++)
		one_change(m);
	failing = false;
	check(m);
	end(m);
}

static void blocks_keep_to_their_limits(void **state)
{
	struct model *m = fresh(4096, 100);
	struct slice pair[] = {{"f", 1}, {"v", 1}};
	struct stream_id id = id_of(5, 0);

	for (int i = 0; i < 250; i++) {
		stream_id_next(&id);
		assert_true(stream_add(stream(m), &id, pair, 1, &m->limits));
	}
	assert_int_equal(stream(m)->blocks.nr, 3);
	m->limits.stream_node_max_bytes = 10; /* each is one too many */
	stream_id_next(&id);
	assert_true(stream_add(stream(m), &id, pair, 1, &m->limits));
	assert_int_equal(stream(m)->blocks.nr, 4);
	end(m);
}

/* 100 entries of two numbers and a word: as Redis, that keeps its blocks filled to the last byte
 * but for the present one, 1 or 2 bytes a part. */
static void entries_take_little_room(void **state)
{
	struct model *m = fresh(4096, 100);
	struct slice pairs[] = {{"temperature", 11}, {"17", 2}, {"place", 5}, {"roof", 4}};
	struct stream_id id = id_of(1700000000000, 0);

	for (int i = 0; i < 10000; i++) {
		id.ms += 7;
		assert_true(stream_add(stream(m), &id, pairs, 2, &m->limits));
	}
	assert_true(obj_ops(&m->o)->mem(&m->o, 0) < 10000 * 20);
	end(m);
}

/* --- nodes of a radix tree --- */

struct trie {
	struct trie *child[256];
	bool key;
};

static void trie_add(struct trie *t, const struct stream_id *id)
{
	for (int i = 0; i < 16; i++) {
		uint64_t half = i < 8 ? id->ms : id->seq;
		unsigned byte = (half >> (56 - 8 * (i % 8))) & 0xff;

		if (!t->child[byte])
			t->child[byte] = calloc(1, sizeof(*t));
		t = t->child[byte];
	}
	t->key = true;
}

static unsigned trie_children(const struct trie *t, const struct trie **one)
{
	unsigned nr = 0;

	for (int i = 0; i < 256; i++) {
		if (t->child[i]) {
			*one = t->child[i];
			nr++;
		}
	}
	return nr;
}

/* A run of nodes with one child each is one. */
static uint64_t trie_nodes(const struct trie *t)
{
	const struct trie *one;
	unsigned nr = trie_children(t, &one);
	uint64_t sum = 1;

	if (nr == 0)
		return 1;
	if (nr == 1) {
		while (trie_children(one, &t) == 1)
			one = t;
		return 1 + trie_nodes(one);
	}
	for (int i = 0; i < 256; i++)
		sum += t->child[i] ? trie_nodes(t->child[i]) : 0;
	return sum;
}

static void trie_free(struct trie *t)
{
	for (int i = 0; i < 256; i++)
		if (t->child[i])
			trie_free(t->child[i]);
	free(t);
}

static void radix_nodes_are_those_of_a_trie(void **state)
{
	ks_rand_seed(random_seed());
	for (int round = 0; round < 200; round++) {
		struct model *m = fresh(0, 1);
		struct trie *t = calloc(1, sizeof(*t));
		struct tree_pos pos;

		for (uint64_t n = ks_rand_below(60); n > 0; n--)
			assert_true(add(m));
		pos = stream_block_first(stream(m));
		for (; tree_pos_ok(&pos); tree_next(&pos))
			trie_add(t, &stream_block_at(&pos)->id);
		assert_int_equal(stream_nr_radix_nodes(stream(m)), trie_nodes(t));
		trie_free(t);
		end(m);
	}
}

/* --- groups --- */

static struct slice name(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static struct stream_group *group(struct model *m, const char *text)
{
	struct slice n = name(text);
	struct stream_group *g = stream_group_find(stream(m), &n);

	return g ? g : stream_group_create(stream(m), &n, &STREAM_ID_MIN, 0);
}

static struct stream_consumer *consumer(struct stream_group *g, const char *text)
{
	struct slice n = name(text);
	struct stream_consumer *one = stream_consumer_find(g, &n);

	return one ? one : stream_consumer_create(g, &n, T0);
}

/* Whom each ID is pending with. */
#define NR_IDS       300
#define NR_CONSUMERS 5

static void check_pending(const struct stream_group *g, const int owner[NR_IDS])
{
	struct tree_pos pos;
	struct stream_pending *p = stream_pending_from(g, NULL, &STREAM_ID_MIN, &pos);
	size_t nr = 0, of_consumers = 0;

	for (uint64_t i = 0; i < NR_IDS; i++) {
		if (owner[i] < 0)
			continue;
		assert_non_null(p);
		assert_int_equal(p->id.ms, i);
		assert_int_equal(p->consumer->name.bytes[0], 'a' + owner[i]);
		p = stream_pending_next(g, NULL, &pos);
		nr++;
	}
	assert_null(p);
	assert_int_equal(g->pending.nr, nr);
	for (struct stream_consumer *one = stream_consumer_first(g, &pos); one;
		one = stream_consumer_next(&pos)) {
		struct tree_pos own;

		of_consumers += one->pending.nr;
		for (p = stream_pending_from(g, one, &STREAM_ID_MIN, &own); p;
			p = stream_pending_next(g, one, &own))
			assert_ptr_equal(p->consumer, one);
	}
	assert_int_equal(of_consumers, nr);
}

static void pending_entries_match_an_array(void **state)
{
	size_t used = mem_used();
	struct model *m = fresh(4096, 100);
	struct stream_group *g = group(m, "g");
	int owner[NR_IDS];

	ks_rand_seed(random_seed());
	memset(owner, -1, sizeof(owner));
	for (int step = 0; step < 20000; step++) {
		uint64_t i = ks_rand_below(NR_IDS);
		struct stream_id id = id_of(i, 0);
		int who = (int)ks_rand_below(NR_CONSUMERS);
		char text[2] = {(char)('a' + who), '\0'};

		switch (ks_rand_below(step % 4000 < 2000 ? 3 : 10)) {
		case 0: {
			struct stream_consumer *one = consumer(g, text);

			failing = step % 2;
			if (stream_pending_assign(g, &id, one))
				owner[i] = who;
			failing = false;
			break;
		}
		case 1:
			if (ks_rand_below(50) == 0) {
				stream_consumer_destroy(g, consumer(g, text));
				for (int n = 0; n < NR_IDS; n++)
					owner[n] = owner[n] == who ? -1 : owner[n];
			}
			break;
		default:
			assert_int_equal(stream_pending_drop(g, &id), owner[i] >= 0);
			owner[i] = -1;
		}
		if (step % 100 == 0)
			check_pending(g, owner);
	}
	check_pending(g, owner);
	end(m);
	assert_int_equal(mem_used(), used);
}

static void names_come_in_order(void **state)
{
	struct model *m = fresh(4096, 100);
	struct tree_pos pos;
	char text[16];
	int nr = 0;

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "g%03d", i * 7 % 500);
		assert_non_null(group(m, text));
	}
	for (struct stream_group *g = stream_group_first(stream(m), &pos); g;
		g = stream_group_next(&pos)) {
		snprintf(text, sizeof(text), "g%03d", nr++);
		assert_int_equal(g->name.len, 4);
		assert_memory_equal(g->name.bytes, text, 4);
	}
	assert_int_equal(nr, 500);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "g%03d", i * 3 % 500);
		stream_group_destroy(stream(m), group(m, text));
	}
	assert_int_equal(stream(m)->groups.nr, 0);
	end(m);
}

static void a_copy_is_equal_and_its_own(void **state)
{
	struct model *m = fresh(300, 10);
	struct stream_group *g = group(m, "g");
	struct obj copy;
	struct model twin;

	ks_rand_seed(random_seed());
	for (int i = 0; i < 1000; i++)
		one_change(m);
	for (uint64_t i = 0; i < 100; i++) {
		struct stream_pending *p = stream_pending_assign(
			g, &(struct stream_id){i, 7}, consumer(g, i % 3 ? "one" : "two"));

		p->time_ms = T0 + (int64_t)i;
		p->count = i;
	}
	g->last_id = id_of(9, 9);
	g->entries_read = 17;
	assert_true(obj_ops(&m->o)->copy(&m->o, &copy));
	twin = *m;
	twin.o = copy;
	check(&twin);
	stream_group_destroy(stream(m), g); /* is not seen there */
	g = group(&twin, "g");
	assert_int_equal(g->last_id.ms, 9);
	assert_int_equal(g->entries_read, 17);
	assert_int_equal(g->pending.nr, 100);
	assert_int_equal(consumer(g, "one")->pending.nr, 66);
	assert_int_equal(consumer(g, "two")->seen_ms, T0);
	assert_int_equal(stream_pending_find(g, &(struct stream_id){5, 7})->count, 5);
	assert_int_equal(stream_pending_find(g, &(struct stream_id){5, 7})->time_ms, T0 + 5);
	for (int i = 0; i < 500; i++)
		one_change(m);
	check(&twin);
	obj_ops(&copy)->free(&copy);
	end(m);
}

/* XSETID can lead back to the ID of a block that has only deleted entries. */
static void a_block_of_deleted_entries_is_replaced(void **state)
{
	struct model *m = fresh(4096, 3);
	struct slice pair[] = {{"f", 1}, {"v", 1}};
	struct stream_trim t = {.by_id = true, .min_id = {3, 0}};
	struct stream_id id;
	uint64_t nr;

	for (uint64_t i = 1; i <= 3; i++)
		assert_true(stream_add(stream(m), &(struct stream_id){i, 0}, pair, 1, &m->limits));
	assert_int_equal(stream_delete(stream(m), &(struct stream_id){3, 0}), STREAM_DELETED);
	assert_true(stream_trim(stream(m), &t, &nr));
	assert_int_equal(nr, 2);
	assert_int_equal(stream(m)->blocks.nr, 1); /* as Redis leaves it */
	assert_int_equal(stream(m)->nr, 0);
	stream(m)->last_id = STREAM_ID_MIN;
	assert_true(stream_add(stream(m), &(struct stream_id){1, 0}, pair, 1, &m->limits));
	assert_int_equal(stream(m)->blocks.nr, 1);
	assert_true(stream_last_entry(stream(m), &id));
	assert_int_equal(id.ms, 1);
	end(m);
}

/* --- IDs --- */

static void ids_have_neighbours(void **state)
{
	struct stream_id id = id_of(5, UINT64_MAX);
	char text[STREAM_ID_TEXT_MAX];

	assert_true(stream_id_next(&id));
	assert_int_equal(stream_id_text(&id, text), 3);
	assert_memory_equal(text, "6-0", 3);
	assert_true(stream_id_prev(&id));
	assert_int_equal(id.seq, UINT64_MAX);
	id = STREAM_ID_MAX;
	assert_int_equal(stream_id_text(&id, text), 41);
	assert_memory_equal(text, "18446744073709551615-18446744073709551615", 41);
	assert_false(stream_id_next(&id));
	assert_true(stream_id_is_min(&id));
	assert_false(stream_id_prev(&id));
	assert_int_equal(stream_id_cmp(&id, &STREAM_ID_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_match_an_array),
		cmocka_unit_test(out_of_memory_changes_nothing),
		cmocka_unit_test(blocks_keep_to_their_limits),
		cmocka_unit_test(entries_take_little_room),
		cmocka_unit_test(radix_nodes_are_those_of_a_trie),
		cmocka_unit_test(pending_entries_match_an_array),
		cmocka_unit_test(names_come_in_order),
		cmocka_unit_test(a_copy_is_equal_and_its_own),
		cmocka_unit_test(a_block_of_deleted_entries_is_replaced),
		cmocka_unit_test(ids_have_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
