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
#include "app/keyspace/digest.h"

#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/types/obj.h"

#include <openssl/evp.h>

static void sha1(const struct obj_digest *d, const void *data, size_t len, uint8_t out[DIGEST_LEN])
{
	BUG_ON(!EVP_DigestInit_ex(d->sha, NULL, NULL) || !EVP_DigestUpdate(d->sha, data, len) ||
		!EVP_DigestFinal_ex(d->sha, out, NULL));
}

void digest_add(struct obj_digest *d, const void *data, size_t len)
{
	uint8_t hash[DIGEST_LEN];

	sha1(d, data, len, hash);
	for (int i = 0; i < DIGEST_LEN; i++)
		d->state[i] ^= hash[i];
}

void digest_mix(struct obj_digest *d, const void *data, size_t len)
{
	uint8_t hash[DIGEST_LEN];

	digest_add(d, data, len);
	sha1(d, d->state, DIGEST_LEN, hash);
	memcpy(d->state, hash, DIGEST_LEN);
}

static struct obj_digest digest_begin(void)
{
	struct obj_digest d = {.sha = EVP_MD_CTX_new()};

	BUG_ON(!d.sha || !EVP_DigestInit_ex(d.sha, EVP_sha1(), NULL));
	return d;
}

static void digest_end(struct obj_digest *d, uint8_t out[DIGEST_LEN])
{
	memcpy(out, d->state, DIGEST_LEN);
	EVP_MD_CTX_free(d->sha);
}

static void mix_u32(struct obj_digest *d, uint32_t n)
{
	const uint8_t be[4] = {
		(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	digest_mix(d, be, sizeof(be));
}

static void mix_value(struct obj_digest *d, const struct entry *e)
{
	static const char expire_mark[] = "!!expire!!";

	mix_u32(d, e->type);
	if (entry_type(e) == OBJ_STRING) {
		char buf[KS_INT_STR_MAX];
		struct slice text = entry_str(e, buf);

		digest_mix(d, text.ptr, text.len);
	} else {
		struct obj o = entry_obj(e);

		obj_ops(&o)->digest(&o, d);
	}
	if (entry_has_expire(e))
		digest_add(d, expire_mark, sizeof(expire_mark) - 1);
}

static void add_entry(void *ctx, int db, struct entry *e)
{
	struct obj_digest *all = ctx;
	struct obj_digest one = digest_element(all);

	digest_mix(&one, entry_key_ptr(e), e->key_len);
	mix_value(&one, e);
	digest_add(all, one.state, DIGEST_LEN);
}

void ks_digest(struct keyspace *ks, uint8_t out[20])
{
	struct obj_digest d = digest_begin();

	for (uint32_t db = 0; db < ks->nr_dbs; db++) {
		if (ks_size(ks, (int)db) == 0)
			continue;
		mix_u32(&d, db);
		for (uint32_t part = 0; part < ks->nr_parts; part++)
			ks_walk_part(ks, part, (int)db, add_entry, &d);
	}
	digest_end(&d, out);
}

void ks_digest_value(const struct entry *e, uint8_t out[20])
{
	struct obj_digest d = digest_begin();

	mix_value(&d, e);
	digest_end(&d, out);
}
