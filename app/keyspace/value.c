/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values: what an entry's slot may refer to, by type. Freeing, copying and measuring are the
 * only places here that know the types; the digest and the RDB writer are the other two.
 */
#include "app/keyspace/entry.h"

#include "app/keyspace/mem.h"
#include "app/keyspace/types/obj.h"

struct blob *blob_create(size_t len, size_t cap)
{
	struct blob *b = mem_alloc(sizeof(*b) + cap);

	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = len;
	b->cap = cap;
	return b;
}

void blob_get(struct blob *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
}

void blob_put(struct blob *b)
{
	/* release: our reads of the bytes are over; acquire: so are everybody's before the free */
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		mem_free(b);
}

static bool is_blob(const struct value *v)
{
	return v->type == OBJ_STRING && v->enc == OBJ_ENC_RAW && v->slot;
}

static struct blob *word_blob(uint64_t word)
{
	return (struct blob *)(uintptr_t)word;
}

struct value value_from_blob(struct blob *b)
{
	return (struct value){.type = OBJ_STRING,
		.enc = OBJ_ENC_RAW,
		.slot = true,
		.word = (uint64_t)(uintptr_t)b};
}

struct value value_from_int(int64_t val)
{
	return (struct value){
		.type = OBJ_STRING, .enc = OBJ_ENC_INT, .slot = true, .word = (uint64_t)val};
}

bool value_from_str(struct value *v, const void *val, size_t len, bool raw)
{
	struct blob *b;
	int64_t num;

	if (!raw && int_from_str(val, len, &num)) {
		*v = value_from_int(num);
		return true;
	}
	if (len <= ENTRY_EMBED_MAX) {
		bool embstr = !raw && len <= ENTRY_EMBSTR_MAX;

		*v = (struct value){.type = OBJ_STRING,
			.enc = embstr ? OBJ_ENC_EMBSTR : OBJ_ENC_RAW,
			.emb_len = (uint8_t)len,
			.emb = val};
		return true;
	}
	b = blob_create(len, len);
	if (!b)
		return false;
	memcpy(b->data, val, len);
	*v = value_from_blob(b);
	return true;
}

struct value value_from_obj(const struct obj *o)
{
	return (struct value){
		.type = o->type, .enc = o->enc, .slot = true, .word = (uint64_t)(uintptr_t)o->ptr};
}

static struct obj value_obj(const struct value *v)
{
	BUG_ON(v->type == OBJ_STRING || !v->slot);
	return (struct obj){.type = v->type, .enc = v->enc, .ptr = (void *)(uintptr_t)v->word};
}

bool value_copy(const struct entry *e, struct value *out)
{
	*out = entry_value(e);
	if (e->type != OBJ_STRING) {
		struct obj from = value_obj(out), to = from;

		if (!obj_ops(&from)->copy(&from, &to))
			return false;
		*out = value_from_obj(&to);
	} else if (is_blob(out)) {
		blob_get(word_blob(out->word));
	}
	return true;
}

void value_release(const struct value *v)
{
	if (v->type != OBJ_STRING) {
		struct obj o = value_obj(v);

		obj_ops(&o)->free(&o);
	} else if (is_blob(v)) {
		blob_put(word_blob(v->word));
	}
}

size_t entry_mem(const struct entry *e, size_t samples)
{
	struct value v = entry_value(e);
	size_t size = mem_usable(e);

	if (v.type != OBJ_STRING) {
		struct obj o = value_obj(&v);

		size += obj_ops(&o)->mem(&o, samples);
	} else if (is_blob(&v)) {
		size += mem_usable(word_blob(v.word));
	}
	return size;
}

struct obj entry_obj(const struct entry *e)
{
	struct value v = entry_value(e);

	return value_obj(&v);
}

struct blob *entry_blob(const struct entry *e)
{
	if (!(e->flags & ENTRY_SLOT) || e->type != OBJ_STRING || e->enc != OBJ_ENC_RAW)
		return NULL;
	return word_blob(entry_slot(e));
}

bool entry_int(const struct entry *e, int64_t *value)
{
	if (e->type != OBJ_STRING || e->enc != OBJ_ENC_INT)
		return false;
	*value = (int64_t)entry_slot(e);
	return true;
}

struct slice entry_str(const struct entry *e, char buf[KS_INT_STR_MAX])
{
	struct blob *b;
	int64_t num;

	ASSERT(e->type == OBJ_STRING);
	if (!(e->flags & ENTRY_SLOT))
		return (struct slice){entry_emb_ptr(e), e->emb_len};
	if (entry_int(e, &num))
		return (struct slice){buf, int_to_str(num, buf)};
	b = entry_blob(e);
	return (struct slice){b->data, b->len};
}

bool int_from_str(const char *s, size_t len, int64_t *out)
{
	bool neg = len > 0 && s[0] == '-';
	size_t i = neg;
	uint64_t v = 0;

	if (len == 0 || len > 20 || i == len)
		return false;
	if (s[i] == '0') {
		*out = 0;
		return len == 1;
	}
	for (; i < len; i++) {
		unsigned digit = (unsigned char)s[i] - (unsigned)'0';

		if (digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, digit, &v))
			return false;
	}
	if (v > (uint64_t)INT64_MAX + neg)
		return false;
	*out = (int64_t)(neg ? 0 - v : v);
	return true;
}

size_t int_to_str(int64_t val, char buf[KS_INT_STR_MAX])
{
	uint64_t v = val < 0 ? 0 - (uint64_t)val : (uint64_t)val;
	char tmp[KS_INT_STR_MAX];
	size_t n = 0;
	size_t len = 0;

	do
		tmp[n++] = (char)('0' + v % 10);
	while (v /= 10);
	if (val < 0)
		buf[len++] = '-';
	while (n > 0)
		buf[len++] = tmp[--n];
	return len;
}
