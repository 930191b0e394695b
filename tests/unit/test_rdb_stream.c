/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB forms of streams.
 */
#include "app/keyspace/types/stream.h"

#include "tests/support/rdb_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- bytes --- */

#define ID(seq) "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0" seq /* 1-seq, as 16 bytes */

/* One entry "f" "v". */
#define ENTRY "\2\1\0\1\0\1\x81v\2\4\1"
#define LP    "\x1d\x1d\0\0\0\x0a\0\1\1\0\1\1\1\x81\x66\2\0\1" ENTRY "\xff"
#define BLOCK "\x10" ID("\1") LP
/* One block; then the length, last, first and deleted ID, and the entries added. */
#define ONE  "\x13\1" BLOCK "\1\1\1\1\1\0\0\1"
#define TIME "\1\0\0\0\0\0\0\0"
/* A group's name, last ID and entries read; a pending entry; a consumer with no ID yet. */
#define GROUP    "\1g\1\1\1"
#define PENDING  ID("\1") TIME "\1"
#define CONSUMER "\1c" TIME

/* What redis-server 7.0.15 made of four entries, one of them deleted, and two groups, in its three
 * parts: blocks and counters; what of the counters only newer formats have; the groups. */
static const char blocks[] = "\1\x10" ID(
	"\1") "\x40\x54\x54\0\0\0\x1f\0\3\1\1\1\2\1\x81\x66\2\x81g\2\0\1\2\1\0\1\0\1\x81v\2\x0c\1\5\1\2\1\0"
	      "\1\1\1\x81w\2\xdf\xfb\2\5\1\1\1\1\1\xdf\xff\2\1\1\x85other\6\x81x\2\6\1\2\1\4\1\6\1\x80\1"
	      "\xf2\x70\x11\1\4\5\1\xff"
	      "\3\5\7";
static const char counters[] = "\1\1\2\0\4";

struct group_form {
	bool read, active; /* fields that it has */
};

static void add_text(struct bytes *b, const char *text, size_t len)
{
	bytes_add(b, text, len);
}

static void add_pending(struct bytes *b, const char *id, const char *time, const char *count)
{
	bytes_add(b, id, 16);
	bytes_add(b, time, 8);
	bytes_add(b, count, 1);
}

#define ID57 "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\7"
#define SEEN "\xcc\xc6\x3b\x15\xa2\1\0\0"
#define LATE "\x7b\x68\xe5\xcf\x8b\1\0\0" /* 1700000000123 */

static void add_consumer(struct bytes *b, struct group_form form, const char *name, size_t len)
{
	add_text(b, name, len);
	add_text(b, BYTES(SEEN));
	if (form.active)
		add_text(b, BYTES(LATE));
}

/* g1 has three pending entries and two consumers, g2 a consumer and no number of entries read. */
static void add_groups(struct bytes *b, struct group_form form)
{
	add_text(b, BYTES("\2\2g1\5\7"));
	if (form.read)
		add_text(b, BYTES("\4"));
	add_text(b, BYTES("\3"));
	add_pending(b, ID("\1"), LATE, "\5");
	add_pending(b, ID("\2"), SEEN, "\1");
	add_pending(b, ID57, SEEN, "\1");
	add_text(b, BYTES("\2"));
	add_consumer(b, form, BYTES("\5alice"));
	add_text(b, BYTES("\2" ID("\1") ID("\2")));
	add_consumer(b, form, BYTES("\3bob"));
	add_text(b, BYTES("\1" ID57));
	add_text(b, BYTES("\2g2\5\7"));
	if (form.read)
		add_text(b, BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff"));
	add_text(b, BYTES("\0\1"));
	add_consumer(b, form, BYTES("\4idle"));
	add_text(b, BYTES("\0"));
}

static struct bytes whole(enum rdb_type type)
{
	struct group_form form = {.read = type != RDB_TYPE_STREAM_LISTPACKS,
		.active = type == RDB_TYPE_STREAM_LISTPACKS_3};
	struct bytes b = {0};
	uint8_t byte = (uint8_t)type;

	bytes_add(&b, &byte, 1);
	add_text(&b, BYTES(blocks));
	if (form.read)
		add_text(&b, BYTES(counters));
	add_groups(&b, form);
	return b;
}

/* --- what it must become --- */

static struct stream_group *group(const struct stream *s, const char *name)
{
	struct slice text = {name, strlen(name)};
	struct stream_group *g = stream_group_find(s, &text);

	assert_non_null(g);
	return g;
}

static struct stream_consumer *consumer(const struct stream_group *g, const char *name)
{
	struct slice text = {name, strlen(name)};
	struct stream_consumer *one = stream_consumer_find(g, &text);

	assert_non_null(one);
	return one;
}

static void assert_id(const struct stream_id *id, uint64_t ms, uint64_t seq)
{
	assert_int_equal(id->ms, ms);
	assert_int_equal(id->seq, seq);
}

static void check_entries(const struct stream *s)
{
	static const struct {
		uint64_t ms, seq;
		const char *value[2];
	} want[] = {{1, 1, {"v", "12"}}, {1, 2, {"w", "-5"}}, {5, 7, {"", "70000"}}};
	struct slice field, value;
	struct stream_iter it;

	stream_iter_init(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, false);
	for (int i = 0; i < 3; i++) {
		assert_true(stream_iter_next(&it));
		assert_id(&it.id, want[i].ms, want[i].seq);
		assert_int_equal(it.nr_fields, 2);
		for (int n = 0; n < 2; n++) {
			stream_iter_field(&it, &field, &value);
			assert_memory_equal(field.ptr, n ? "g" : "f", 1);
			assert_int_equal(value.len, strlen(want[i].value[n]));
			assert_memory_equal(value.ptr, want[i].value[n], value.len);
		}
	}
	assert_false(stream_iter_next(&it));
	assert_int_equal(s->nr, 3);
	assert_id(&s->last_id, 5, 7);
	assert_id(&s->first_id, 1, 1);
}

static void check_groups(const struct stream *s)
{
	const struct stream_group *g = group(s, "g1");
	const struct stream_pending *p = stream_pending_find(g, &(struct stream_id){1, 1});

	assert_int_equal(s->groups.nr, 2);
	assert_id(&g->last_id, 5, 7);
	assert_int_equal(g->pending.nr, 3);
	assert_int_equal(g->consumers.nr, 2);
	assert_int_equal(consumer(g, "alice")->pending.nr, 2);
	assert_int_equal(consumer(g, "bob")->pending.nr, 1);
	assert_int_equal(consumer(g, "bob")->seen_ms, INT64_C(0x1a2153bc6cc));
	assert_ptr_equal(p->consumer, consumer(g, "alice"));
	assert_int_equal(p->time_ms, 1700000000123);
	assert_int_equal(p->count, 5);
	assert_int_equal(group(s, "g2")->pending.nr, 0);
	assert_int_equal(consumer(group(s, "g2"), "idle")->pending.nr, 0);
}

static void check_counters(const struct stream *s, bool known)
{
	assert_id(&s->max_deleted_id, known ? 2 : 0, 0);
	assert_int_equal(s->entries_added, known ? 4 : 3);
	assert_int_equal(group(s, "g1")->entries_read, known ? 4 : 3);
	assert_int_equal(group(s, "g2")->entries_read, known ? STREAM_READ_UNKNOWN : 3);
}

static void every_form_gives_the_same_stream(void **state)
{
	static const enum rdb_type types[] = {RDB_TYPE_STREAM_LISTPACKS,
		RDB_TYPE_STREAM_LISTPACKS_2, RDB_TYPE_STREAM_LISTPACKS_3};

	for (int i = 0; i < 3; i++) {
		struct bytes body = whole(types[i]);
		struct built v = values_build(body.data, body.len, &values_limits);

		if (v.result != RDB_BUILT_VALUE)
			fail_msg("form %u: %s", body.data[0], v.why);
		check_entries(stream_of(&v.obj));
		check_groups(stream_of(&v.obj));
		check_counters(stream_of(&v.obj), types[i] != RDB_TYPE_STREAM_LISTPACKS);
		values_assert_hard(body.data, body.len);
		values_free(&v);
		bytes_fini(&body);
	}
}

static void it_is_written_as_redis_writes_it(void **state)
{
	struct bytes body = whole(RDB_TYPE_STREAM_LISTPACKS_2), again;
	struct built v = values_build(body.data, body.len, &values_limits);

	assert_int_equal(v.result, RDB_BUILT_VALUE);
	again = values_write(&v.obj);
	assert_int_equal(again.len, body.len);
	assert_memory_equal(again.data, body.data, body.len);
	values_free(&v);
	bytes_fini(&again);
	bytes_fini(&body);
}

static void a_large_stream_is_written_and_read(void **state)
{
	struct slice pairs[] = {{"field", 5}, {NULL, 0}, {"another", 7}, {"x", 1}};
	struct slice name = {"group", 5}, who = {"consumer", 8};
	struct stream_consumer *one;
	struct stream_group *g;
	struct bytes body, again;
	struct built v;
	struct obj o;
	char text[64];

	assert_true(stream_make(&o));
	g = stream_group_create(stream_of(&o), &name, &STREAM_ID_MIN, 0);
	one = stream_consumer_create(g, &who, 5);
	for (uint64_t i = 1; i <= 20000; i++) {
		struct stream_id id = {1000 + i / 3, i};

		pairs[1] = (struct slice){text, (size_t)snprintf(text, sizeof(text), "%060zu", i)};
		assert_true(stream_add(stream_of(&o), &id, pairs, i % 50 ? 1 : 2, &values_limits));
		if (i % 2)
			assert_non_null(stream_pending_assign(g, &id, one));
		if (i % 7 == 0)
			assert_int_equal(stream_delete(stream_of(&o), &id), STREAM_DELETED);
	}
	values_assert_round_trip(&o, &values_limits);
	body = values_write(&o);
	v = values_build(body.data, body.len, &values_limits);
	assert_int_equal(v.result, RDB_BUILT_VALUE);
	again = values_write(&v.obj);
	assert_int_equal(again.len, body.len);
	assert_memory_equal(again.data, body.data, body.len);
	values_free(&v);
	obj_ops(&o)->free(&o);
	bytes_fini(&again);
	bytes_fini(&body);
}

static void an_empty_stream_is_a_value(void **state)
{
	static const char body[] = "\x13\0\0\5\0\0\0\0\0\3\0";
	struct built v = values_build(body, sizeof(body) - 1, &values_limits);

	assert_int_equal(v.result, RDB_BUILT_VALUE);
	assert_id(&stream_of(&v.obj)->last_id, 5, 0);
	assert_int_equal(stream_of(&v.obj)->entries_added, 3);
	values_assert_round_trip(&v.obj, &values_limits);
	values_free(&v);
}

/* As XTRIM MINID leaves it. */
static void a_block_may_have_deleted_entries_only(void **state)
{
	static const char body[] = "\x13\1\x10" ID(
		"\1") "\x1d\x1d\0\0\0\x0a\0\0\1\1\1\1\1\x81\x66\2\0\1\3\1\0\1\0\1\x81v\2\4\1\xff"
		      "\0\1\1\0\0\1\1\1\0";
	struct built v = values_build(body, sizeof(body) - 1, &values_limits);

	assert_int_equal(v.result, RDB_BUILT_VALUE);
	assert_int_equal(stream_of(&v.obj)->blocks.nr, 1);
	values_assert_round_trip(&v.obj, &values_limits);
	values_free(&v);
}

static void what_is_no_stream_is_refused(void **state)
{
	static const struct values_refused cases[] = {
		{"listpack, wrong count",
			BYTES("\x13\1\x10" ID("\1") "\x09\x09\0\0\0\2\0\1\1\xff"
						    "\1\1\1\1\1\0\0\1\0"),
			"listpack is damaged"},
		{"empty listpack",
			BYTES("\x13\1\x10" ID("\1") "\7\7\0\0\0\0\0\xff"
						    "\1\1\1\1\1\0\0\1\0"),
			"does not begin as one"},
		{"master fields without an end",
			BYTES("\x13\1\x10" ID("\1") "\x12\x12\0\0\0\5\0\0\1\0\1\1\1\x81\x66\2\1\1"
						    "\xff\0\1\1\1\1\0\0\1\0"),
			"does not begin as one"},
		{"a block that has never had entries",
			BYTES("\x13\1\x10" ID("\1") "\x12\x12\0\0\0\5\0\0\1\0\1\1\1\x81\x66\2\0\1"
						    "\xff\0\1\1\1\1\0\0\1\0"),
			"block without entries"},
		{"entry that is cut",
			BYTES("\x13\1\x10" ID("\1") "\x1b\x1b\0\0\0\x09\0\1\1\0\1\1\1\x81\x66\2\0"
						    "\1\2\1\0\1\0\1\x81v\2\xff"
						    "\1\1\1\1\1\0\0\1\0"),
			"malformed entry"},
		{"entry of another size",
			BYTES("\x13\1\x10" ID("\1") "\x1d\x1d\0\0\0\x0a\0\1\1\0\1\1\1\x81\x66\2\0"
						    "\1\2\1\0\1\0\1\x81v\2\5\1\xff"
						    "\1\1\1\1\1\0\0\1\0"),
			"malformed entry"},
		{"flags that are unknown",
			BYTES("\x13\1\x10" ID("\1") "\x1d\x1d\0\0\0\x0a\0\1\1\0\1\1\1\x81\x66\2\0"
						    "\1\6\1\0\1\0\1\x81v\2\4\1\xff"
						    "\1\1\1\1\1\0\0\1\0"),
			"malformed entry"},
		{"two entries that are one",
			BYTES("\x13\1\x10" ID("\1") "\x1d\x1d\0\0\0\x0a\0\2\1\0\1\1\1\x81\x66\2\0"
						    "\1" ENTRY "\xff"
						    "\2\1\1\1\1\0\0\1\0"),
			"another number of entries"},
		{"an entry that should be deleted",
			BYTES("\x13\1\x10" ID("\1") "\x1d\x1d\0\0\0\x0a\0\0\1\1\1\1\1\x81\x66\2\0"
						    "\1" ENTRY "\xff"
						    "\0\1\1\1\1\0\0\1\0"),
			"another number of entries"},
		{"two entries with one ID",
			BYTES("\x13\1\x10" ID("\1") "\x28\x28\0\0\0\x0f\0\2\1\0\1\1\1\x81\x66\2\0"
						    "\1" ENTRY ENTRY "\xff"
						    "\2\1\1\1\1\0\0\1\0"),
			"not in order"},
		{"a block twice", BYTES("\x13\2" BLOCK BLOCK "\2\1\1\1\1\0\0\1\0"), "not in order"},
		{"wrong length", BYTES("\x13\1" BLOCK "\2\1\1\1\1\0\0\1\0"),
			"another number of entries"},
		{"last ID too small", BYTES("\x13\1" BLOCK "\1\1\0\1\1\0\0\1\0"), "last ID"},
		{"group twice", BYTES(ONE "\2" GROUP "\0\0" GROUP "\0\0"), "group twice"},
		{"pending twice", BYTES(ONE "\1" GROUP "\2" PENDING PENDING "\0"), "pending twice"},
		{"consumer twice", BYTES(ONE "\1" GROUP "\0\2" CONSUMER "\0" CONSUMER "\0"),
			"consumer twice"},
		{"pending with a consumer only",
			BYTES(ONE "\1" GROUP "\0\1" CONSUMER "\1" ID("\1")), "consumer only"},
		{"pending with two",
			BYTES(ONE "\1" GROUP "\1" PENDING "\2" CONSUMER
				  "\1" ID("\1") "\1d" TIME "\1" ID("\1")),
			"two consumers"},
		{"pending with one twice",
			BYTES(ONE "\1" GROUP "\1" PENDING "\1" CONSUMER "\2" ID("\1") ID("\1")),
			"two consumers"},
		{"pending with nobody", BYTES(ONE "\1" GROUP "\1" PENDING "\0"),
			"without a consumer"},
		{"pending with nobody, and another group",
			BYTES(ONE "\2" GROUP "\1" PENDING "\0"
				  "\1h\1\1\1\0\0"),
			"without a consumer"},
	};

	values_assert_refused(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_stream),
		cmocka_unit_test(it_is_written_as_redis_writes_it),
		cmocka_unit_test(a_large_stream_is_written_and_read),
		cmocka_unit_test(an_empty_stream_is_a_value),
		cmocka_unit_test(a_block_may_have_deleted_entries_only),
		cmocka_unit_test(what_is_no_stream_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
