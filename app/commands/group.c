/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/group.h"

#include "app/commands/dispatch.h"
#include "app/commands/notify.h"
#include "checks.h"
#include "persist/log.h"

/* A buffer that one large command has made larger than this is given back. */
#define KEEP_BYTES (1024 * 1024)

void group_open(struct app_core *ac)
{
	ac->group.is_open = true;
}

void group_close(struct app_core *ac)
{
	ac->group.is_open = false;
	group_end(ac);
}

void group_fini(struct group *g)
{
	ASSERT(g->nr_parts == 0);
	encbuf_fini(&g->bytes);
}

/* All but letting the partitions go. */
static void log_all(struct app_core *ac)
{
	struct keyspace *ks = ac->srv->ks;
	struct group *g = &ac->group;
	uint64_t start;

	start = log_append(ac->log, g->bytes.ptr, g->bytes.len) - g->bytes.len;
	for (unsigned i = 0; i < g->nr_notes; i++) {
		const struct group_note *note = &g->notes[i];
		uint64_t end = start + note->end;

		ks_part_set_written(ks, note->part, end);
		if (note->wrote)
			note->c->last_write_off = end;
		client_gate_raise(note->c, end);
	}
	g->nr_notes = 0;
	g->bytes.len = 0;
	encbuf_shrink(&g->bytes, KEEP_BYTES);
}

static void let_go(struct app_core *ac)
{
	struct group *g = &ac->group;

	for (unsigned i = 0; i < g->nr_parts; i++)
		ks_part_unlock(ac->srv->ks, g->parts[i]);
	g->nr_parts = 0;
}

void group_end(struct app_core *ac)
{
	if (ac->group.nr_parts == 0)
		return;
	log_all(ac);
	let_go(ac);
}

static bool has(const struct group *g, uint32_t part)
{
	for (unsigned i = 0; i < g->nr_parts; i++) {
		if (g->parts[i] == part)
			return true;
	}
	return false;
}

enum group_lock group_part_lock(struct app_core *ac, uint32_t part)
{
	struct keyspace *ks = ac->srv->ks;

	if (ks_part_trylock_once(ks, part))
		return GROUP_TAKEN;
	if (has(&ac->group, part))
		return GROUP_HELD;
	group_end(ac);
	return ks_part_trylock(ks, part) ? GROUP_TAKEN : GROUP_BUSY;
}

void group_part_unlock(struct app_core *ac, uint32_t part, enum group_lock lock)
{
	if (lock == GROUP_TAKEN)
		ks_part_unlock(ac->srv->ks, part);
}

void group_command_done(struct client *c, uint32_t part, enum group_lock lock)
{
	struct app_core *ac = c->ac;
	struct group *g = &ac->group;
	bool wrote = propagate_record(c, &g->bytes);

	if (!wrote && lock == GROUP_TAKEN) {
		client_gate_raise(c, ks_part_written(ac->srv->ks, part));
		notify_tell(c);
		ks_part_unlock(ac->srv->ks, part);
		return;
	}
	if (lock == GROUP_TAKEN)
		g->parts[g->nr_parts++] = part;
	g->notes[g->nr_notes++] = (struct group_note){c, part, wrote, g->bytes.len};
	if (g->is_open && ac->events.len == 0 && !tracking_has_news(&ac->tracking) &&
		g->nr_notes < GROUP_MAX && g->bytes.len < GROUP_BYTES)
		return;
	log_all(ac);
	notify_tell(c); /* now it has a gate */
	let_go(ac);
}
