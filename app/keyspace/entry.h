/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Entries: a key and its value in one allocation. Inside the keyspace only; commands see the
 * entry_ calls of keyspace.h.
 *
 *     0    epoch        2   snapshot epoch of the last write or save
 *     2    type | enc   1   enum obj_type in the low four bits, enum obj_enc above
 *     3    flags        1   ENTRY_EXPIRE, ENTRY_SLOT: what follows the header
 *     4    lru          3   LRU clock, or LFU time and counter
 *     7    emb_len      1   length of the embedded value
 *     8    key_len      4
 *    12    heap_idx     4   } only with ENTRY_EXPIRE
 *    16    expire_ms    8   }
 *    ..    slot         8   only with ENTRY_SLOT, aligned: the integer, or a pointer to the value
 *    ..    key          key_len
 *    ..    value        emb_len, when there is no slot
 *
 * The allocation is the sum rounded up to ENTRY_ROUND, always: so the room that an entry has
 * follows from its fields.
 */
#ifndef MILLRACE_APP_KEYSPACE_ENTRY_H
#define MILLRACE_APP_KEYSPACE_ENTRY_H

#include "app/keyspace/keyspace.h"

#include "checks.h"

#include <assert.h>
#include <string.h>

#define ENTRY_EXPIRE 1u
#define ENTRY_SLOT   2u

#define ENTRY_ROUND      16u
#define ENTRY_EMBSTR_MAX 44u
#define ENTRY_EMBED_MAX  128u

struct entry {
	uint16_t epoch;
	uint8_t type : 4;
	uint8_t enc : 4;
	uint8_t flags;
	uint32_t lru : 24;
	uint32_t emb_len : 8;
	uint32_t key_len;
	char body[];
};
static_assert(sizeof(struct entry) == 12, "entry header");

/* A value on its way into an entry: a slot, or bytes to embed. */
struct value {
	uint8_t type;
	uint8_t enc;
	bool slot;
	uint8_t emb_len;
	uint64_t word;   /* what goes into the slot */
	const char *emb; /* borrowed; NULL: leave the bytes alone */
};

/* Where the slot lies, and with it where the key starts when there is none. */
static inline size_t entry_slot_off(unsigned flags)
{
	return flags & ENTRY_EXPIRE ? 24 : flags & ENTRY_SLOT ? 16 : 12;
}

static inline size_t entry_key_off(unsigned flags)
{
	return entry_slot_off(flags) + (flags & ENTRY_SLOT ? 8 : 0);
}

static inline char *entry_key_ptr(const struct entry *e)
{
	return (char *)(uintptr_t)e + entry_key_off(e->flags);
}

static inline char *entry_emb_ptr(const struct entry *e)
{
	return entry_key_ptr(e) + e->key_len;
}

static inline size_t entry_room(size_t key_len, unsigned flags, size_t emb_len)
{
	size_t size = entry_key_off(flags) + key_len + emb_len;

	return (size + ENTRY_ROUND - 1) & ~(size_t)(ENTRY_ROUND - 1);
}

static inline size_t entry_size(const struct entry *e)
{
	return entry_room(e->key_len, e->flags, e->emb_len);
}

static inline uint64_t entry_slot(const struct entry *e)
{
	uint64_t word;

	ASSERT(e->flags & ENTRY_SLOT);
	memcpy(&word, (const char *)e + entry_slot_off(e->flags), sizeof(word));
	return word;
}

static inline void entry_set_slot(struct entry *e, uint64_t word)
{
	ASSERT(e->flags & ENTRY_SLOT);
	memcpy((char *)e + entry_slot_off(e->flags), &word, sizeof(word));
}

static inline bool entry_has_expire(const struct entry *e)
{
	return e->flags & ENTRY_EXPIRE;
}

static inline uint32_t entry_heap_idx(const struct entry *e)
{
	uint32_t idx;

	ASSERT(entry_has_expire(e));
	memcpy(&idx, (const char *)e + 12, sizeof(idx));
	return idx;
}

static inline void entry_set_heap_idx(struct entry *e, uint32_t idx)
{
	ASSERT(entry_has_expire(e));
	memcpy((char *)e + 12, &idx, sizeof(idx));
}

static inline int64_t entry_expire_ms(const struct entry *e)
{
	int64_t at;

	ASSERT(entry_has_expire(e));
	memcpy(&at, (const char *)e + 16, sizeof(at));
	return at;
}

static inline void entry_set_expire_ms(struct entry *e, int64_t at_ms)
{
	ASSERT(entry_has_expire(e));
	memcpy((char *)e + 16, &at_ms, sizeof(at_ms));
}

static inline bool entry_words_differ(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x != y;
}

/* Keys of usual length are compared by words, the last of which may overlap with the one before. */
static inline bool entry_key_is(const struct entry *e, const void *key, uint32_t len)
{
	const char *a = entry_key_ptr(e), *b = key;

	if (e->key_len != len)
		return false;
	if (len < 8 || len > 64)
		return memcmp(a, b, len) == 0;
	for (uint32_t i = 0; i + 8 < len; i += 8) {
		if (entry_words_differ(a + i, b + i))
			return false;
	}
	return !entry_words_differ(a + len - 8, b + len - 8);
}

/* A new entry, owned by the caller, with expiry fields (unset) if expire is asked for. Takes
 * what v's word refers to; on failure (NULL) the caller still owns that. */
struct entry *entry_create(const void *key, uint32_t key_len, const struct value *v, bool expire);
/* Puts v in the place of the value, which must need the same layout and the same room. The
 * caller has taken care of what the old slot referred to. */
void entry_put_value(struct entry *e, const struct value *v);
/* The value as it stands; word and emb refer to e. */
static inline struct value entry_value(const struct entry *e)
{
	struct value v = {.type = e->type, .enc = e->enc, .emb_len = e->emb_len};

	if (e->flags & ENTRY_SLOT) {
		v.slot = true;
		v.word = entry_slot(e);
	} else {
		v.emb = entry_emb_ptr(e);
	}
	return v;
}
/* A value equal to e's that may live in another entry: shares or copies what the slot refers
 * to. false: no memory. */
bool value_copy(const struct entry *e, struct value *out);
/* Frees what the value refers to. */
void value_release(const struct value *v);
/* Frees the entry with its value, or only the entry. */
void entry_free(struct entry *e);
void entry_free_shell(struct entry *e);

/* A string's value in the form that suits it, unless raw is asked for. Allocates a blob when it
 * is large: false when memory is out. val is borrowed until the value is in its entry. */
bool value_from_str(struct value *v, const void *val, size_t len, bool raw);
struct value value_from_int(int64_t val);
struct value value_from_blob(struct blob *b); /* takes b */
struct value value_from_obj(const struct obj *o);

/* A blob of len bytes, not set, with room for cap; one reference. NULL: no memory. */
struct blob *blob_create(size_t len, size_t cap);

/* Canonical text of a signed 64-bit integer, as Redis takes it: no blanks, no plus, no leading
 * zeros. */
bool int_from_str(const char *s, size_t len, int64_t *out);
/* Writes the text; returns its length. */
size_t int_to_str(int64_t val, char buf[KS_INT_STR_MAX]);

#endif
