/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DEBUG DIGEST: a SHA-1 of all data that does not depend on the order of keys, bit for bit as
 * Redis 7.0 computes it. Two operations on a state of 20 bytes:
 *
 *     add(d, x):  d ^= SHA1(x)              commutative
 *     mix(d, x):  d ^= SHA1(x), d = SHA1(d)
 *
 * All: for each database with keys, mix(d, number as 4 bytes big-endian), then add(d, k) for
 * each key, where k starts as zero, mix(k, name), then the value. A value: mix(k, type as 4
 * bytes big-endian); a string: mix(k, text); with an expiry: add(k, "!!expire!!").
 */
#include "app/keyspace/keyspace_priv.h"

#include <openssl/evp.h>

#define DIGEST_LEN 20

struct digest {
	EVP_MD_CTX *ctx;
	uint8_t all[DIGEST_LEN];
};

static void digest_setup(struct digest *d)
{
	*d = (struct digest){.ctx = EVP_MD_CTX_new()};
	BUG_ON(!d->ctx || !EVP_DigestInit_ex(d->ctx, EVP_sha1(), NULL));
}

static void digest_teardown(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
}

static void sha1(const struct digest *d, const void *data, size_t len, uint8_t out[DIGEST_LEN])
{
	BUG_ON(!EVP_DigestInit_ex(d->ctx, NULL, NULL) || !EVP_DigestUpdate(d->ctx, data, len) ||
		!EVP_DigestFinal_ex(d->ctx, out, NULL));
}

static void add(const struct digest *d, uint8_t state[DIGEST_LEN], const void *data, size_t len)
{
	uint8_t hash[DIGEST_LEN];

	sha1(d, data, len, hash);
	for (int i = 0; i < DIGEST_LEN; i++)
		state[i] ^= hash[i];
}

static void mix(const struct digest *d, uint8_t state[DIGEST_LEN], const void *data, size_t len)
{
	uint8_t hash[DIGEST_LEN];

	add(d, state, data, len);
	sha1(d, state, DIGEST_LEN, hash);
	memcpy(state, hash, DIGEST_LEN);
}

static void mix_u32(const struct digest *d, uint8_t state[DIGEST_LEN], uint32_t n)
{
	const uint8_t be[4] = {
		(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	mix(d, state, be, sizeof(be));
}

static void mix_value(const struct digest *d, uint8_t state[DIGEST_LEN], const struct entry *e)
{
	static const char expire_mark[] = "!!expire!!";
	char buf[KS_INT_STR_MAX];
	struct slice text;

	mix_u32(d, state, e->type);
	switch (entry_type(e)) {
	case OBJ_STRING:
		text = entry_str(e, buf);
		mix(d, state, text.ptr, text.len);
		break;
	default: BUG_ON(true);
	}
	if (entry_has_expire(e))
		add(d, state, expire_mark, sizeof(expire_mark) - 1);
}

static void add_entry(void *ctx, int db, struct entry *e)
{
	struct digest *d = ctx;
	uint8_t state[DIGEST_LEN] = {0};

	mix(d, state, entry_key_ptr(e), e->key_len);
	mix_value(d, state, e);
	add(d, d->all, state, DIGEST_LEN);
}

void ks_digest(struct keyspace *ks, uint8_t out[20])
{
	struct digest d;

	digest_setup(&d);
	for (uint32_t db = 0; db < ks->nr_dbs; db++) {
		if (ks_size(ks, (int)db) == 0)
			continue;
		mix_u32(&d, d.all, db);
		for (uint32_t part = 0; part < ks->nr_parts; part++)
			ks_walk_part(ks, part, (int)db, add_entry, &d);
	}
	memcpy(out, d.all, DIGEST_LEN);
	digest_teardown(&d);
}

void ks_digest_value(const struct entry *e, uint8_t out[20])
{
	struct digest d;

	digest_setup(&d);
	mix_value(&d, d.all, e);
	memcpy(out, d.all, DIGEST_LEN);
	digest_teardown(&d);
}
