/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DEBUG DIGEST against values that redis-server 7.0.15 gave for the same data.
 */
#include "tests/unit/test_keyspace.h"

static void assert_hex(const uint8_t digest[20], const char *want)
{
	char hex[41];

	for (int i = 0; i < 20; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, want);
}

static void assert_digest(struct keyspace *ks, const char *want)
{
	uint8_t digest[20];

	ks_digest(ks, digest);
	assert_hex(digest, want);
}

static void assert_value_digest(struct keyspace *ks, int db, const char *name, const char *want)
{
	uint8_t digest[20];

	ks_digest_value(find(ks, db, name), digest);
	assert_hex(digest, want);
}

static void nothing_digests_to_zeros(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(16, 16);

	assert_digest(ks, "0000000000000000000000000000000000000000");
	set(ks, 3, "k", "v");
	ks_del(ks, 0, 3, find(ks, 3, "k"));
	assert_digest(ks, "0000000000000000000000000000000000000000");
	destroy(ks, used);
}

static void digest_is_as_redis_computes_it(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(16, 16);
	char x200[201];

	memset(x200, 'x', 200);
	x200[200] = 0;
	set(ks, 0, "foo", "bar");
	assert_digest(ks, "d2ab4820c1be0580ea28efbfe8bfa1dc05bb802a");
	assert_value_digest(ks, 0, "foo", "68467c70ae30376e7ce005bcc8827f5ba7fd67dc");
	set(ks, 0, "n", "12345");
	set(ks, 9, "foo", x200);
	set_ttl(ks, 9, "t", "v", T0);
	assert_digest(ks, "5d3f559a2f6913e6eb052a82de4055d448354688");
	assert_value_digest(ks, 0, "n", "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83");
	assert_value_digest(ks, 9, "foo", "992db580938b348a99a8e3e64873c29e8e10309b");
	assert_value_digest(ks, 9, "t", "311b17018163335616e089f6b951c82c477335ac");
	set(ks, 3, "", "");
	assert_digest(ks, "f8c116d8b684b960c7a47a92747f2177df53b9bb");
	assert_value_digest(ks, 3, "", "8b3447c33a834b810e3e181b6fd6a2ee1020921c");
	destroy(ks, used);
}

static void digest_does_not_depend_on_order_partitions_or_encoding(void **state)
{
	size_t used = mem_used();
	struct keyspace *one = make(1, 2);
	struct keyspace *many = make(64, 2);
	uint8_t digest[2][20];
	char name[32];
	char *data;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "key:%d", i);
		set(one, i & 1, name, "17");
	}
	for (int i = 299; i >= 0; i--) {
		snprintf(name, sizeof(name), "key:%d", i);
		/* the same text as raw bytes */
		ks_str_edit(many, 0, i & 1, set(many, i & 1, name, "17"), 2, &data);
	}
	ks_digest(one, digest[0]);
	ks_digest(many, digest[1]);
	assert_memory_equal(digest[0], digest[1], 20);
	ks_destroy(&one);
	destroy(many, used);
}

static void expiry_time_does_not_matter_but_its_presence_does(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	uint8_t digest[3][20];

	ks_digest_value(set(ks, 0, "k", "v"), digest[0]);
	ks_digest_value(set_ttl(ks, 0, "k", "v", T0), digest[1]);
	ks_digest_value(set_ttl(ks, 0, "k", "v", T0 + 1), digest[2]);
	assert_memory_not_equal(digest[0], digest[1], 20);
	assert_memory_equal(digest[1], digest[2], 20);
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_digests_to_zeros),
		cmocka_unit_test(digest_is_as_redis_computes_it),
		cmocka_unit_test(digest_does_not_depend_on_order_partitions_or_encoding),
		cmocka_unit_test(expiry_time_does_not_matter_but_its_presence_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
