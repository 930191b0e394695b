/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Large collections that have been unlinked, or were in a database that has been emptied, and are
 * freed in slices.
 *
 * As with graves, whoever frees a slice of one has taken it off the list.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/mem.h"
#include "app/keyspace/types/obj.h"

#define LARGE 64u /* parts; fewer are freed at once, as in Redis */

struct lazy {
	struct lazy *next;
	struct entry *e; /* owned; in no table */
	uint64_t at;     /* free_parts() is there */
	bool counted;    /* as a key of its own, not with its database */
};

void ks_lazy_add(struct keyspace *ks, uint64_t nr)
{
	atomic_fetch_add_explicit(&ks->lazy_pending, nr, memory_order_relaxed);
}

void ks_lazy_done(struct keyspace *ks, uint64_t nr)
{
	atomic_fetch_sub_explicit(&ks->lazy_pending, nr, memory_order_relaxed);
	atomic_fetch_add_explicit(&ks->lazy_freed, nr, memory_order_relaxed);
}

uint64_t ks_lazy_pending(const struct keyspace *ks)
{
	return atomic_load_explicit(&ks->lazy_pending, memory_order_relaxed);
}

uint64_t ks_lazy_freed(const struct keyspace *ks)
{
	return atomic_load_explicit(&ks->lazy_freed, memory_order_relaxed);
}

void ks_lazy_freed_reset(struct keyspace *ks)
{
	atomic_store_explicit(&ks->lazy_freed, 0, memory_order_relaxed);
}

static void push(struct keyspace *ks, struct lazy *l)
{
	rte_spinlock_lock(&ks->grave_lock);
	l->next = ks->lazy;
	__atomic_store_n(&ks->lazy, l, __ATOMIC_RELAXED);
	rte_spinlock_unlock(&ks->grave_lock);
}

static struct lazy *pop(struct keyspace *ks)
{
	struct lazy *l;

	rte_spinlock_lock(&ks->grave_lock);
	l = ks->lazy;
	if (l)
		__atomic_store_n(&ks->lazy, l->next, __ATOMIC_RELAXED);
	rte_spinlock_unlock(&ks->grave_lock);
	return l;
}

size_t ks_entry_parts(const struct entry *e)
{
	struct obj o;

	if (entry_type(e) == OBJ_STRING)
		return 1;
	o = entry_obj(e);
	return obj_ops(&o)->nr_parts ? obj_ops(&o)->nr_parts(&o) : 1;
}

void ks_bury_entry(void *ctx, struct entry *e)
{
	struct keyspace *ks = ctx;
	struct lazy *l = ks_entry_parts(e) > LARGE ? mem_alloc(sizeof(*l)) : NULL;

	if (!l) {
		entry_free(e);
		return;
	}
	*l = (struct lazy){.e = e};
	push(ks, l);
}

void ks_unlink(struct keyspace *ks, unsigned core, int db, struct entry *e)
{
	struct lazy *l = ks_entry_parts(e) > LARGE ? mem_alloc(sizeof(*l)) : NULL;
	struct ks_place place;

	if (!l) {
		ks_del(ks, core, db, e);
		return;
	}
	place = ks_place_of(ks, db, e);
	ks_before_change(ks, core, db, e);
	ks_detach(ks, db, &place);
	*l = (struct lazy){.e = e, .counted = true};
	ks_lazy_add(ks, 1);
	push(ks, l);
}

static bool free_slice(struct lazy *l, unsigned max)
{
	struct obj o = entry_obj(l->e);
	const struct obj_ops *ops = obj_ops(&o);

	if (ops->free_parts && !ops->free_parts(&o, &l->at, max))
		return false;
	if (!ops->free_parts)
		ops->free(&o);
	entry_free_shell(l->e);
	return true;
}

bool ks_lazy_reclaim(struct keyspace *ks, unsigned max_parts)
{
	struct lazy *l = pop(ks);

	if (!l)
		return false;
	if (free_slice(l, max_parts)) {
		if (l->counted)
			ks_lazy_done(ks, 1);
		mem_free(l);
	} else {
		push(ks, l);
	}
	return __atomic_load_n(&ks->lazy, __ATOMIC_RELAXED);
}
