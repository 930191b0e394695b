/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Effects of commands, and their way into the log.
 *
 * A record leaves the stream in database 0, as it found it, and is one reservation: [MULTI] effects
 * [EXEC], with SELECTs between them as needed. MULTI is there when there is more than one effect.
 */
#include "app/commands/dispatch.h"

#include "app/commands/encode.h"
#include "checks.h"
#include "persist/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a DEL or UNLINK beyond its key, with SELECTs around it. */
#define DEL_OVERHEAD 128
/* Buffers that one large command has made larger than this are given back. */
#define KEEP_BYTES (1024 * 1024)

const char propagate_full_text[] =
	"MISCONF The last snapshot could not be stored in the pool, which has no room for it. Commands that may add "
	"data are disabled until keys have been removed (or the node has a larger pmem-size).";

/* The effects of the command under way, already in RESP. */
struct effects {
	struct encbuf bytes;
	unsigned nr;
	int db; /* database that the bytes leave selected */
};

struct propagation {
	struct effects before, main, after;
	struct effects run; /* of the commands of EXEC that have ended */
	struct encbuf record;
	bool replaced, none, forced;
	uint64_t dirty;
};

int propagation_create(struct propagation **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void propagation_destroy(struct propagation **p)
{
	if (!*p)
		return;
	encbuf_fini(&(*p)->before.bytes);
	encbuf_fini(&(*p)->main.bytes);
	encbuf_fini(&(*p)->after.bytes);
	encbuf_fini(&(*p)->run.bytes);
	encbuf_fini(&(*p)->record);
	free(*p);
	*p = NULL;
}

static void effects_reset(struct effects *e)
{
	e->bytes.len = 0;
	encbuf_shrink(&e->bytes, KEEP_BYTES);
	e->nr = 0;
	e->db = 0;
}

/* Those of one command. */
static void command_reset(struct propagation *p)
{
	if (p->before.nr)
		effects_reset(&p->before);
	if (p->after.nr)
		effects_reset(&p->after);
	if (p->main.nr)
		effects_reset(&p->main);
	p->replaced = p->none = p->forced = false;
	p->dirty = 0;
}

void propagation_reset(struct app_core *ac)
{
	struct propagation *p = ac->prop;

	if (!ac->has_effects)
		return;
	ac->has_effects = false;
	command_reset(p);
	if (p->run.nr)
		effects_reset(&p->run);
	p->record.len = 0;
	encbuf_shrink(&p->record, KEEP_BYTES);
}

bool propagation_changed(const struct app_core *ac)
{
	const struct propagation *p = ac->prop;

	return ac->has_effects && (p->dirty || p->before.nr || p->after.nr);
}

static struct propagation *effects_begin(struct client *c)
{
	c->ac->has_effects = true;
	return c->ac->prop;
}

void cmd_dirty(struct client *c, uint64_t n)
{
	effects_begin(c)->dirty += n;
}

void prop_replace(struct client *c, int argc, const struct slice *argv)
{
	struct propagation *p = effects_begin(c);

	effects_reset(&p->main);
	p->replaced = true;
	p->none = false;
	p->main.nr = 1;
	encode_command(&p->main.bytes, argc, argv);
}

void prop_force(struct client *c)
{
	effects_begin(c)->forced = true;
}

void prop_none(struct client *c)
{
	effects_begin(c)->none = true;
}

bool prop_admit(struct client *c, size_t len)
{
	struct app_core *ac = c->ac;
	int rc;

	if ((c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) || ac->local)
		return true;
	rc = propagate_admit(ac, ac->admitted + len);
	if (rc == -EAGAIN && propagate_stays_full(c->srv))
		reply_err(c, propagate_full_text);
	else if (rc == -EAGAIN && ac->in_exec) /* what ran before it cannot run again */
		reply_err(c, "ERR the log in persistent memory has no room for this now");
	else if (rc == -EAGAIN)
		cmd_retry(c);
	else if (rc)
		reply_err(c,
			"ERR the command is larger than the log in persistent memory can take (pmem-size)");
	else
		ac->admitted += len;
	return !rc;
}

void prop_also(struct client *c, int argc, const struct slice *argv)
{
	struct effects *e = &effects_begin(c)->after;

	if (e->nr == 0)
		e->db = c->db;
	e->nr++;
	encode_command(&e->bytes, argc, argv);
}

void prop_before(struct client *c, int db, int argc, const struct slice *argv)
{
	struct effects *e = &effects_begin(c)->before;

	if (e->nr == 0)
		e->db = 0;
	if (e->db != db) {
		encode_select(&e->bytes, db);
		e->db = db;
	}
	e->nr++;
	encode_command(&e->bytes, argc, argv);
}

void propagate_drop(struct client *c)
{
	struct propagation *p = c->ac->prop;

	if (!c->ac->has_effects)
		return;
	c->ac->dirty_count += p->dirty;
	command_reset(p);
}

size_t propagation_bytes(const struct app_core *ac)
{
	return ac->has_effects ? ac->prop->run.bytes.len : 0;
}

static bool has_own(const struct propagation *p)
{
	return (p->dirty || p->forced) && !p->none;
}

static unsigned nr_effects(const struct propagation *p)
{
	return p->before.nr + p->after.nr + (has_own(p) ? 1 : 0);
}

/* Adds what the command has done; *db: the database that the bytes so far leave selected. */
static void effects_add(struct client *c, struct propagation *p, struct encbuf *r, int *db)
{
	bool own = has_own(p);

	if (p->before.nr) {
		if (*db != 0) /* they expect to begin there */
			encode_select(r, 0);
		encbuf_add(r, p->before.bytes.ptr, p->before.bytes.len);
		*db = p->before.db;
	}
	if ((own || p->after.nr) && *db != c->db) {
		encode_select(r, c->db);
		*db = c->db;
	}
	if (own && p->replaced)
		encbuf_add(r, p->main.bytes.ptr, p->main.bytes.len);
	else if (own)
		encode_command(r, (int)c->argc, c->argv);
	encbuf_add(r, p->after.bytes.ptr, p->after.bytes.len);
}

static bool is_logged(const struct client *c)
{
	/* A stream is logged as it came, or is in the log already; writes to a writable replica
	 * stay there. Of what is let in while the data are loaded nothing changes them, and there
	 * are no replicas yet. */
	return !(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) && !c->ac->local &&
	       !flag_on(&c->srv->loading);
}

void propagate_collect(struct client *c)
{
	struct propagation *p = c->ac->prop;

	if (!c->ac->has_effects)
		return;
	c->ac->dirty_count += p->dirty;
	if (is_logged(c)) {
		unsigned nr = nr_effects(p);

		if (nr)
			effects_add(c, p, &p->run.bytes, &p->run.db);
		p->run.nr += nr;
	}
	command_reset(p);
}

/* Adds the record of all effects to *r. Returns false when there is none. */
static bool build_record(struct client *c, struct propagation *p, struct encbuf *r)
{
	unsigned nr = p->run.nr + nr_effects(p);
	int db = p->run.db;

	if (nr == 0)
		return false;
	if (nr > 1)
		encode_word(r, "MULTI");
	if (p->run.nr)
		encbuf_add(r, p->run.bytes.ptr, p->run.bytes.len);
	if (nr > p->run.nr)
		effects_add(c, p, r, &db);
	if (db != 0)
		encode_select(r, 0);
	if (nr > 1)
		encode_word(r, "EXEC");
	return true;
}

bool propagate_record(struct client *c, struct encbuf *to)
{
	struct propagation *p = c->ac->prop;

	if (!c->ac->has_effects)
		return false;
	if (p->dirty)
		c->ac->dirty_count += p->dirty;
	return is_logged(c) && build_record(c, p, to);
}

uint64_t propagate_effects(struct client *c)
{
	struct encbuf *r = &c->ac->prop->record;

	r->len = 0;
	return propagate_record(c, r) ? log_append(c->ac->log, r->ptr, r->len) : 0;
}

void propagate_del(struct app_core *ac, uint32_t part, int db, struct slice key, bool unlink)
{
	struct slice argv[2] = {slice_str(unlink ? "UNLINK" : "DEL"), key};
	struct encbuf *r = &ac->prop->record;
	uint64_t end;

	r->len = 0;
	if (db != 0)
		encode_select(r, db);
	encode_command(r, 2, argv);
	if (db != 0)
		encode_select(r, 0);
	end = log_append(ac->log, r->ptr, r->len);
	ks_part_set_written(ac->srv->ks, part, end);
	ac->dirty_count++;
}

int propagate_admit(struct app_core *ac, size_t len)
{
	return log_admit(ac->log, len + group_bytes(&ac->group));
}

int propagate_admit_data(struct app_core *ac, size_t len)
{
	return log_admit_sparing(
		ac->log, len + group_bytes(&ac->group), log_ring_size(ac->srv->log) / 8);
}

bool propagate_stays_full(const struct server *srv)
{
	return flag_on(&srv->snapshot_no_room) && log_space(srv->log) < log_ring_size(srv->log) / 4;
}

int propagate_admit_del(struct app_core *ac, struct slice key)
{
	return propagate_admit(ac, key.len + DEL_OVERHEAD);
}
