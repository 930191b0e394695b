/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Changing entries. Every function lets a snapshot save the old state before it changes
 * anything, and gets all memory that may be missing first: so a failure leaves everything as it
 * was.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/mem.h"

static bool resizing(const struct ks_cell *cell)
{
	return table_resizing(&cell->table);
}

void ks_detach(struct keyspace *ks, int db, const struct ks_place *place)
{
	struct ks_cell *cell = place->cell;
	struct entry *e = table_ref_entry(&place->ref);
	bool before = resizing(cell);

	if (entry_has_expire(e))
		ks_ttl_remove(ks, place->part, cell, e);
	table_remove(&cell->table, place->hash, &place->ref);
	ks_cell_step(ks, place->part, cell, before);
}

void ks_set_touch(struct keyspace *ks, const struct ks_touch_ops *ops)
{
	ks->touch_ops = *ops;
}

void ks_part_listen(struct keyspace *ks, uint32_t part, int by)
{
	ks->parts[part].nr_listeners += (uint32_t)by;
	if (!ks_listened(ks))
		atomic_store_explicit(&ks->listened, true, memory_order_relaxed);
}

void ks_listen_all(struct keyspace *ks, bool on)
{
	atomic_store(&ks->listened_all, on);
	if (on)
		atomic_store(&ks->listened, true);
}

void ks_touch_key(struct keyspace *ks, unsigned core, int db, const struct ks_key *k, bool created)
{
	if (ks->parts[k->part].nr_listeners ||
		atomic_load_explicit(&ks->listened_all, memory_order_relaxed))
		ks->touch_ops.touch(ks->touch_ops.ctx, core, db, k, created);
}

void ks_touch_entry(struct keyspace *ks, unsigned core, int db, const struct entry *e)
{
	struct ks_key k = ks_key(ks, entry_key_ptr(e), e->key_len);

	ks_touch_key(ks, core, db, &k, false);
}

/* Adds a new entry (taken on success), with its expiry if it has one. */
static bool attach(struct keyspace *ks, unsigned core, int db, struct ks_cell *cell,
	const struct ks_key *k, struct entry *e)
{
	bool before = resizing(cell);

	if (entry_has_expire(e) && !heap_reserve(&cell->heap))
		return false;
	if (!table_insert(&cell->table, k->hash, e))
		return false;
	e->epoch = (uint16_t)ks->epoch;
	if (entry_has_expire(e))
		ks_ttl_add(ks, k->part, cell, e);
	ks_cell_step(ks, k->part, cell, before);
	if (__builtin_expect(ks_listened(ks), 0))
		ks_touch_key(ks, core, db, k, true);
	return true;
}

/* Puts e in old's place: table, and heap when both have an expiry. old is the caller's then. */
static void replace(struct keyspace *ks, struct ks_cell *cell, const struct table_ref *ref,
	struct entry *old, struct entry *e)
{
	e->epoch = (uint16_t)ks->epoch;
	if (entry_has_expire(old) && entry_has_expire(e))
		ks_ttl_replace(cell, old, e);
	table_ref_set(ref, e);
}

/* Gives old's key another value. Takes v on success. */
static struct entry *value_replace(struct keyspace *ks, unsigned core, int db,
	const struct ks_place *place, const struct value *v, unsigned flags)
{
	struct entry *old = table_ref_entry(&place->ref);
	bool keep = flags & KS_KEEP_TTL && entry_has_expire(old);
	unsigned layout = (keep ? ENTRY_EXPIRE : 0) | (v->slot ? ENTRY_SLOT : 0);
	struct value gone = entry_value(old);
	struct entry *e;

	if (old->flags == layout &&
		entry_size(old) == entry_room(old->key_len, layout, v->emb_len)) {
		ks_before_change(ks, core, db, old);
		entry_put_value(old, v);
		value_release(&gone);
		return old;
	}
	e = entry_create(entry_key_ptr(old), old->key_len, v, keep);
	if (!e)
		return NULL;
	ks_before_change(ks, core, db, old);
	e->lru = old->lru;
	if (entry_has_expire(old) && !keep)
		ks_ttl_remove(ks, place->part, place->cell, old);
	replace(ks, place->cell, &place->ref, old, e);
	entry_free(old);
	return e;
}

static struct entry *value_set(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	const struct value *v, unsigned flags, int64_t now_ms)
{
	struct ks_place place = {.hash = k->hash, .part = k->part};
	struct entry *e;

	place.cell = ks_cell_create(ks, db, k->part);
	if (!place.cell)
		return NULL;
	if (table_find(&place.cell->table, k->hash, k->ptr, k->len, &place.ref)) {
		e = value_replace(ks, core, db, &place, v, flags);
		if (!e)
			return NULL;
		if (!ks_policy_is_lfu(ks))
			e->lru = ks_lru_new(ks, now_ms) & KS_LRU_MASK;
		ks_cell_step(ks, k->part, place.cell, resizing(place.cell));
		return e;
	}
	e = entry_create(k->ptr, k->len, v, false);
	if (!e)
		return NULL;
	e->lru = ks_lru_new(ks, now_ms) & KS_LRU_MASK;
	if (!attach(ks, core, db, place.cell, k, e)) {
		entry_free_shell(e);
		return NULL;
	}
	return e;
}

struct entry *ks_set_str(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	const void *val, size_t len, unsigned flags, int64_t now_ms)
{
	struct value v;
	struct entry *e;

	if (!value_from_str(&v, val, len, flags & KS_RAW))
		return NULL;
	e = value_set(ks, core, db, k, &v, flags, now_ms);
	if (!e)
		value_release(&v);
	return e;
}

struct entry *ks_set_int(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	int64_t val, unsigned flags, int64_t now_ms)
{
	struct value v = value_from_int(val);

	return value_set(ks, core, db, k, &v, flags, now_ms);
}

struct entry *ks_set_obj(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	const struct obj *o, unsigned flags, int64_t now_ms)
{
	struct value v = value_from_obj(o);

	return value_set(ks, core, db, k, &v, flags, now_ms);
}

struct obj ks_obj_edit(struct keyspace *ks, unsigned core, int db, struct entry *e)
{
	ks_before_change(ks, core, db, e);
	return entry_obj(e);
}

void ks_obj_put(struct entry *e, const struct obj *o)
{
	BUG_ON(e->type != o->type);
	e->enc = o->enc & 0xf;
	entry_set_slot(e, (uint64_t)(uintptr_t)o->ptr);
}

/* Puts an entry of another layout, with the same key and the value v, in e's place. Takes v on
 * success; e's shell is freed, its value is not. */
static struct entry *relayout(
	struct keyspace *ks, const struct ks_place *place, struct entry *e, const struct value *v)
{
	struct entry *n = entry_create(entry_key_ptr(e), e->key_len, v, entry_has_expire(e));

	if (!n)
		return NULL;
	n->lru = e->lru;
	replace(ks, place->cell, &place->ref, e, n);
	entry_free_shell(e);
	return n;
}

/* Room for a string that is likely to grow further: doubles while small, an eighth more when
 * large. */
static size_t grown_cap(size_t len)
{
	return len + (len < 1u << 20 ? len : 1u << 20) + len / 8;
}

/* Makes e's blob one of new_len bytes that e alone owns. false: no memory. */
static bool blob_edit(struct entry *e, size_t new_len)
{
	struct blob *b = entry_blob(e);
	/* acquire: with one reference, ours, all who had others have finished; pairs with
	 * blob_put() */
	bool sole = atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
	size_t keep = b->len < new_len ? b->len : new_len;
	size_t cap = new_len <= b->cap ? b->cap : grown_cap(new_len);
	struct blob *n = b;

	if (!sole) {
		n = blob_create(new_len, cap);
		if (!n)
			return false;
		memcpy(n->data, b->data, keep);
		blob_put(b);
	} else if (cap != b->cap) {
		n = mem_realloc(b, sizeof(*b) + cap);
		if (!n)
			return false;
		n->cap = cap;
	}
	memset(n->data + keep, 0, new_len - keep);
	n->len = new_len;
	entry_set_slot(e, (uint64_t)(uintptr_t)n);
	return true;
}

/* The first bytes of text, and zeros up to new_len. */
static void text_resize(char *to, struct slice text, size_t new_len)
{
	size_t keep = text.len < new_len ? text.len : new_len;

	memcpy(to, text.ptr, keep);
	memset(to + keep, 0, new_len - keep);
}

/* Gives e, which holds no blob, the raw value v. Returns the entry; NULL: no memory. */
static struct entry *small_replace(
	struct keyspace *ks, int db, struct entry *e, const struct value *v)
{
	struct ks_place place;

	if (!v->slot && !(e->flags & ENTRY_SLOT) &&
		entry_size(e) == entry_room(e->key_len, e->flags, v->emb_len)) {
		entry_put_value(e, v);
		return e;
	}
	place = ks_place_of(ks, db, e);
	return relayout(ks, &place, e, v);
}

/* ks_str_edit() for a value that is no blob, but may become one. */
static struct entry *small_edit(
	struct keyspace *ks, int db, struct entry *e, size_t new_len, char **data)
{
	struct value v = {.type = OBJ_STRING, .enc = OBJ_ENC_RAW, .emb_len = (uint8_t)new_len};
	char copy[ENTRY_EMBED_MAX];
	char buf[KS_INT_STR_MAX];
	struct slice text = entry_str(e, buf);
	struct blob *b = NULL;

	memcpy(copy, text.ptr, text.len);
	text.ptr = copy;
	if (new_len > ENTRY_EMBED_MAX) {
		b = blob_create(new_len, new_len);
		if (!b)
			return NULL;
		v = value_from_blob(b);
	}
	e = small_replace(ks, db, e, &v);
	if (!e) {
		if (b)
			blob_put(b);
		return NULL;
	}
	*data = b ? b->data : entry_emb_ptr(e);
	text_resize(*data, text, new_len);
	return e;
}

struct entry *ks_str_edit(
	struct keyspace *ks, unsigned core, int db, struct entry *e, size_t new_len, char **data)
{
	ks_before_change(ks, core, db, e);
	if (!entry_blob(e))
		return small_edit(ks, db, e, new_len, data);
	if (!blob_edit(e, new_len))
		return NULL;
	*data = entry_blob(e)->data;
	return e;
}

static struct entry *expire_add(
	struct keyspace *ks, const struct ks_place *place, struct entry *e, int64_t at_ms)
{
	struct value v = entry_value(e);
	struct entry *n;

	if (!heap_reserve(&place->cell->heap))
		return NULL;
	n = entry_create(entry_key_ptr(e), e->key_len, &v, true);
	if (!n)
		return NULL;
	n->lru = e->lru;
	entry_set_expire_ms(n, at_ms);
	replace(ks, place->cell, &place->ref, e, n);
	ks_ttl_add(ks, place->part, place->cell, n);
	entry_free_shell(e);
	return n;
}

static struct entry *expire_drop(struct keyspace *ks, const struct ks_place *place, struct entry *e)
{
	struct value v = entry_value(e);
	struct entry *n = entry_create(entry_key_ptr(e), e->key_len, &v, false);

	if (!n)
		return NULL;
	n->lru = e->lru;
	ks_ttl_remove(ks, place->part, place->cell, e);
	replace(ks, place->cell, &place->ref, e, n);
	entry_free_shell(e);
	return n;
}

struct entry *ks_set_expire(
	struct keyspace *ks, unsigned core, int db, struct entry *e, int64_t at_ms)
{
	struct ks_place place;

	ks_before_change(ks, core, db, e); /* it counts as a change even if the time is the same */
	if (entry_expire(e) == at_ms)
		return e;
	place = ks_place_of(ks, db, e);
	if (at_ms == KS_NO_EXPIRE)
		return expire_drop(ks, &place, e);
	if (!entry_has_expire(e))
		return expire_add(ks, &place, e, at_ms);
	ks_ttl_change(ks, place.part, place.cell, e, at_ms);
	return e;
}

void ks_del(struct keyspace *ks, unsigned core, int db, struct entry *e)
{
	struct ks_place place = ks_place_of(ks, db, e);

	ks_before_change(ks, core, db, e);
	ks_detach(ks, db, &place);
	entry_free(e);
}

/* A new entry for another name with the value v and e's expiry. Takes v on success. */
static struct entry *duplicate(struct keyspace *ks, unsigned core, const struct entry *e,
	const struct value *v, int to_db, const struct ks_key *to, uint32_t lru)
{
	struct ks_cell *cell = ks_cell_create(ks, to_db, to->part);
	struct entry *n;

	if (!cell)
		return NULL;
	n = entry_create(to->ptr, to->len, v, entry_has_expire(e));
	if (!n)
		return NULL;
	n->lru = lru & KS_LRU_MASK;
	if (entry_has_expire(e))
		entry_set_expire_ms(n, entry_expire_ms(e));
	if (!attach(ks, core, to_db, cell, to, n)) {
		entry_free_shell(n);
		return NULL;
	}
	return n;
}

struct entry *ks_move(struct keyspace *ks, unsigned core, int db, struct entry *e, int to_db,
	const struct ks_key *to, int64_t now_ms)
{
	struct value v = entry_value(e);
	struct ks_place place;
	struct entry *n;

	ASSERT(!ks_find(ks, to_db, to));
	n = duplicate(ks, core, e, &v, to_db, to, e->lru);
	if (!n)
		return NULL;
	ks_before_change(ks, core, db, e);
	place = ks_place_of(ks, db, e); /* only now: the new entry may have moved the table */
	ks_detach(ks, db, &place);
	entry_free_shell(e);
	return n;
}

struct entry *ks_copy(struct keyspace *ks, unsigned core, int db, const struct entry *e, int to_db,
	const struct ks_key *to, int64_t now_ms)
{
	struct value v;
	struct entry *n;

	ASSERT(!ks_find(ks, to_db, to));
	if (!value_copy(e, &v))
		return NULL;
	n = duplicate(ks, core, e, &v, to_db, to, ks_lru_new(ks, now_ms));
	if (!n)
		value_release(&v);
	return n;
}
