/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Entries: building them, and reading them for commands. What depends on the type of a value
 * (freeing, copying, size) is in value.c.
 */
#include "app/keyspace/entry.h"

#include "app/keyspace/mem.h"

void entry_put_value(struct entry *e, const struct value *v)
{
	e->type = v->type;
	e->enc = v->enc;
	e->emb_len = v->emb_len;
	if (v->slot)
		entry_set_slot(e, v->word);
	else if (v->emb)
		memmove(entry_emb_ptr(e), v->emb, v->emb_len);
}

struct entry *entry_create(const void *key, uint32_t key_len, const struct value *v, bool expire)
{
	unsigned flags = (v->slot ? ENTRY_SLOT : 0) | (expire ? ENTRY_EXPIRE : 0);
	struct entry *e = mem_alloc(entry_room(key_len, flags, v->emb_len));

	if (!e)
		return NULL;
	*e = (struct entry){.flags = (uint8_t)flags, .key_len = key_len};
	memcpy(entry_key_ptr(e), key, key_len);
	entry_put_value(e, v);
	return e;
}

void entry_free(struct entry *e)
{
	struct value v = entry_value(e);

	value_release(&v);
	mem_free(e);
}

void entry_free_shell(struct entry *e)
{
	mem_free(e);
}

enum obj_type entry_type(const struct entry *e)
{
	return (enum obj_type)e->type;
}

enum obj_enc entry_enc(const struct entry *e)
{
	return (enum obj_enc)e->enc;
}

struct slice entry_key(const struct entry *e)
{
	return (struct slice){entry_key_ptr(e), e->key_len};
}

int64_t entry_expire(const struct entry *e)
{
	return entry_has_expire(e) ? entry_expire_ms(e) : KS_NO_EXPIRE;
}

bool entry_expired(const struct entry *e, int64_t now_ms)
{
	return entry_has_expire(e) && now_ms > entry_expire_ms(e);
}
