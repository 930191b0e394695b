/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/repl_check.h"

#include "app/commands/encode.h"
#include "app/commands/hll.h"
#include "app/control.h"
#include "app/keyspace/types/obj.h"
#include "app/textbuf.h"
#include "dataplane/core.h"
#include "persist/crc64.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_KEYS     16
#define SLICE_BUCKETS  64 /* looked at, empty ones too */
#define SLICES         32 /* in one turn, while they are small */
#define NAME_MAX_BYTES 4096
#define WHOLE_BYTES    (16 * 1024)
#define WHOLE_ELEMENTS 128
#define RATE_MIN       1000 /* keys a second */
#define SECOND_US      1000000ull
#define TOLD_MAX       10 /* keys named in the log since the last full sync */
#define HLL_CACHE_AT   8  /* each node counts for itself: app/commands/hll.h */
#define HLL_CACHE_LEN  8
#define HEAD_BYTES     16

struct repl_check {
	/* as a master; core 0 */
	bool in_pass;
	uint64_t pass_us, next_us; /* when the pass began or begins; when the next slice is due */
	uint64_t gap_us;           /* between slices */
	int db;
	uint64_t cursor;
	unsigned nr; /* keys in the bytes */
	struct encbuf bytes, record;

	/* as a replica; core 0 */
	uint64_t missing; /* keys that were not there, in this pass */
	uint64_t in_pass_found;
	bool saw_begin; /* of the pass: the whole of it was seen */
	unsigned told;
	uint64_t reported;

	/* shared */
	atomic_ullong found, passes, checked, skipped;
};

struct head { /* of a key, on the wire */
	uint32_t len;
	uint16_t db;
	uint8_t whole, zero;
	uint64_t digest;
} __attribute__((packed));

int repl_check_create(struct server *srv)
{
	srv->repl->check = calloc(1, sizeof(*srv->repl->check));
	return srv->repl->check ? 0 : -ENOMEM;
}

void repl_check_destroy(struct repl *r)
{
	if (!r->check)
		return;
	encbuf_fini(&r->check->bytes);
	encbuf_fini(&r->check->record);
	free(r->check);
	r->check = NULL;
}

/* --- digests: the same whatever the encoding --- */

static uint64_t string_digest(uint64_t crc, const struct entry *e)
{
	static const uint8_t zeros[HLL_CACHE_LEN];
	char buf[KS_INT_STR_MAX];
	struct slice s = entry_str(e, buf);
	uint64_t len = s.len;
	size_t from = 0, half = WHOLE_BYTES / 2;

	crc = crc64(crc, &len, sizeof(len));
	if (hll_is(s.ptr, s.len)) {
		crc = crc64(crc, s.ptr, HLL_CACHE_AT);
		crc = crc64(crc, zeros, HLL_CACHE_LEN);
		from = HLL_CACHE_AT + HLL_CACHE_LEN;
	}
	if (s.len <= WHOLE_BYTES)
		return crc64(crc, s.ptr + from, s.len - from);
	crc = crc64(crc, s.ptr + from, half - from);
	return crc64(crc, s.ptr + s.len - half, half);
}

static bool is_small(const struct entry *e)
{
	struct obj o;

	if (entry_type(e) == OBJ_STRING)
		return true;
	o = entry_obj(e);
	return obj_ops(&o)->count(&o) <= WHOLE_ELEMENTS && entry_mem(e, 5) <= WHOLE_BYTES;
}

static uint64_t entry_digest(const struct entry *e, bool whole)
{
	int64_t facts[2] = {entry_type(e), entry_expire(e)};
	uint64_t crc = crc64(0, facts, sizeof(facts)), count;
	uint8_t sha[20];
	struct obj o;

	if (entry_type(e) == OBJ_STRING)
		return string_digest(crc, e);
	o = entry_obj(e);
	count = obj_ops(&o)->count(&o);
	crc = crc64(crc, &count, sizeof(count));
	/* What has more elements differs already: its digest could take long. */
	if (!whole || count > WHOLE_ELEMENTS)
		return crc;
	ks_digest_value(e, sha);
	return crc64(crc, sha, sizeof(sha));
}

/* --- master --- */

static void visit(void *ctx, int db, struct entry *e)
{
	struct repl_check *k = ctx;
	struct slice key = entry_key(e);
	bool whole = is_small(e);
	struct head h = {.len = (uint32_t)key.len, .db = (uint16_t)db, .whole = whole};

	if (key.len > NAME_MAX_BYTES)
		return;
	h.digest = entry_digest(e, whole);
	encbuf_add(&k->bytes, &h, sizeof(h));
	encbuf_add(&k->bytes, key.ptr, key.len);
	k->nr++;
}

/* Into the log, if there is room: what is locked now is as it will be there. */
static bool record_add(struct app_core *ac, const char *what)
{
	struct repl_check *k = ac->srv->repl->check;
	struct slice argv[5] = {{"REPLCONF", 8}, {"GETACK", 6}, {what, strlen(what)},
		{k->bytes.ptr, k->bytes.len}, {"1", 1}};

	k->record.len = 0;
	encode_command(&k->record, 5, argv);
	if (log_admit(ac->log, k->record.len))
		return false;
	log_append(ac->log, k->record.ptr, k->record.len);
	return true;
}

/* Buckets of one partition, until there are keys enough. False: not now. */
static bool slice(struct app_core *ac)
{
	struct repl_check *k = ac->srv->repl->check;
	struct keyspace *ks = ac->srv->ks;
	uint32_t part = ks_scan_part(ks, k->cursor);
	uint64_t cursor = k->cursor;
	bool ok;

	k->bytes.len = 0;
	k->nr = 0;
	if (!ks_part_trylock_once(ks, part))
		return false;
	for (unsigned i = 0; i < SLICE_BUCKETS && k->nr < SLICE_KEYS; i++) {
		cursor = ks_scan(ks, k->db, cursor, visit, k);
		if (cursor == 0 || ks_scan_part(ks, cursor) != part)
			break;
	}
	ok = k->nr == 0 || record_add(ac, "check");
	ks_part_unlock(ks, part);
	if (!ok)
		return false;
	atomic_fetch_add(&k->checked, k->nr);
	k->cursor = cursor;
	if (cursor == 0)
		k->db++;
	return true;
}

/* The numbers of keys, with everything locked. With none of them it begins a pass. */
static bool numbers(struct app_core *ac, bool begins)
{
	struct repl_check *k = ac->srv->repl->check;
	struct keyspace *ks = ac->srv->ks;
	struct ks_lockset all;
	bool ok;

	k->bytes.len = 0;
	ks_lockset_init(&all);
	ks_lockset_all(&all);
	ok = ks_lockset_try(ks, &all);
	for (uint32_t db = 0; ok && !begins && db < ks_nr_dbs(ks); db++) {
		uint64_t n = ks_size(ks, (int)db);

		encbuf_add(&k->bytes, &n, sizeof(n));
	}
	if (ok) {
		ok = record_add(ac, "keys");
		ks_lockset_unlock(ks, &all);
	}
	ks_lockset_fini(&all);
	return ok;
}

static bool is_wanted(struct repl *r)
{
	struct replica *rep;
	bool wanted = false;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		wanted |= rep->state == REPLICA_ONLINE && rep->capa_burst;
	rte_spinlock_unlock(&r->lock);
	return wanted;
}

static void pass_begin(struct app_core *ac, uint64_t period_us)
{
	struct repl_check *k = ac->srv->repl->check;
	uint64_t rate = server_nr_keys(ac->srv) * SECOND_US / (period_us / 2);

	if (!is_wanted(ac->srv->repl) || !numbers(ac, true)) {
		k->next_us = ac->now_us + SECOND_US / 10;
		return;
	}
	if (rate < RATE_MIN)
		rate = RATE_MIN;
	k->in_pass = true;
	k->pass_us = ac->now_us;
	k->gap_us = SLICE_KEYS * SECOND_US / rate;
	k->db = 0;
	k->cursor = 0;
}

/* Slices until there were keys enough, for most may hold few. True: the pass has seen all keys. */
static bool slices(struct app_core *ac)
{
	struct repl_check *k = ac->srv->repl->check;
	struct keyspace *ks = ac->srv->ks;
	int nr_dbs = (int)ks_nr_dbs(ks);
	unsigned nr = 0;

	k->next_us = ac->now_us + k->gap_us;
	for (unsigned i = 0; i < SLICES && nr < SLICE_KEYS; i++) {
		while (k->db < nr_dbs && k->cursor == 0 && ks_size(ks, k->db) == 0)
			k->db++; /* an empty database takes no time */
		if (k->db >= nr_dbs)
			return true;
		if (!slice(ac))
			return false;
		nr += k->nr;
	}
	return false;
}

static void pass_go_on(struct app_core *ac)
{
	struct repl_check *k = ac->srv->repl->check;

	if (!slices(ac) || !numbers(ac, false))
		return;
	k->in_pass = false;
	atomic_fetch_add(&k->passes, 1);
}

void repl_check_work(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	struct repl_check *k = r->check;
	uint64_t period_us =
		SECOND_US * (unsigned)atomic_load_explicit(
				    &ac->srv->cfg->repl_check_period_s, memory_order_relaxed);

	if (!k)
		return;
	if (period_us == 0 || r->nr_replicas == 0) {
		k->in_pass = false;
		return;
	}
	if (k->pass_us == 0)
		k->pass_us = ac->now_us; /* the first one comes a period after the start */
	if (ac->now_us < k->next_us)
		return;
	if (k->in_pass)
		pass_go_on(ac);
	else if (ac->now_us - k->pass_us >= period_us)
		pass_begin(ac, period_us);
}

/* --- replica --- */

static void diverges(struct app_core *ac, const char *how, int db, const struct slice *key)
{
	struct repl_check *k = ac->srv->repl->check;

	if (++k->in_pass_found > atomic_load(&k->found))
		atomic_store(&k->found, k->in_pass_found);
	if (k->told++ >= TOLD_MAX)
		return;
	server_log(ac->srv, 3, "repl: divergence from the master db=%d key='%.*s' off=%llu: %s", db,
		(int)(key->len < 128 ? key->len : 128), key->ptr,
		(unsigned long long)log_tail(ac->srv->log), how);
}

static void key_check(struct app_core *ac, const struct head *h, const struct slice *name)
{
	struct repl_check *k = ac->srv->repl->check;
	struct keyspace *ks = ac->srv->ks;
	struct ks_key key = ks_key(ks, name->ptr, name->len);
	const struct entry *e;
	bool same;

	if (!ks_part_trylock(ks, key.part)) { /* some reader takes long: it is of the next pass */
		atomic_fetch_add(&k->skipped, 1);
		return;
	}
	e = ks_find(ks, h->db, &key);
	same = e && entry_digest(e, h->whole) == h->digest;
	ks_part_unlock(ks, key.part);
	atomic_fetch_add(&k->checked, 1);
	if (same)
		return;
	k->missing += !e;
	diverges(ac, e ? "another value" : "it is missing", h->db, name);
}

static void keys_check(struct app_core *ac, const struct slice *bytes)
{
	size_t at = 0;

	while (bytes->len - at >= HEAD_BYTES) {
		struct slice name;
		struct head h;

		memcpy(&h, bytes->ptr + at, sizeof(h));
		at += sizeof(h);
		if (h.len > bytes->len - at || h.db >= ks_nr_dbs(ac->srv->ks))
			return;
		name = (struct slice){bytes->ptr + at, h.len};
		key_check(ac, &h, &name);
		at += h.len;
	}
}

/* Nothing begins a pass, numbers end it. */
static void numbers_check(struct app_core *ac, const struct slice *bytes)
{
	struct repl_check *k = ac->srv->repl->check;
	bool whole = k->saw_begin && bytes->len > 0 && k->missing == 0;
	struct slice none = {"", 0};

	for (uint32_t db = 0; whole && db < bytes->len / 8 && db < ks_nr_dbs(ac->srv->ks); db++) {
		uint64_t n, own = ks_size(ac->srv->ks, (int)db);

		memcpy(&n, bytes->ptr + 8 * db, sizeof(n));
		if (n != own)
			diverges(ac, "another number of keys", (int)db, &none);
	}
	if (k->saw_begin && bytes->len > 0)
		atomic_store(&k->found, k->in_pass_found);
	k->in_pass_found = k->missing = 0;
	k->saw_begin = bytes->len == 0;
	atomic_fetch_add(&k->passes, bytes->len > 0);
}

bool repl_check_record(struct app_core *ac, uint32_t argc, const struct slice *argv)
{
	bool check, numbers;

	if (argc != 3)
		return false;
	check = argv[0].len == 5 && memcmp(argv[0].ptr, "check", 5) == 0;
	numbers = argv[0].len == 4 && memcmp(argv[0].ptr, "keys", 4) == 0;
	if (check)
		keys_check(ac, &argv[1]);
	else if (numbers)
		numbers_check(ac, &argv[1]);
	return check || numbers;
}

void repl_check_reset(struct repl *r, bool new_data)
{
	struct repl_check *k = r->check;

	k->saw_begin = false;
	k->reported = 0;
	k->in_pass_found = k->missing = 0;
	if (!new_data)
		return;
	k->told = 0;
	atomic_store(&k->found, 0);
}

void repl_check_report(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	uint64_t found = atomic_load_explicit(&r->check->found, memory_order_relaxed);

	if (found == r->check->reported)
		return;
	r->check->reported = found;
	link_tell(r->link, "divergence", found);
}

/* --- for all to see --- */

uint64_t repl_check_divergence(struct server *srv)
{
	struct repl *r = srv->repl;
	struct replica *rep;
	uint64_t n = 0;

	if (!r->check) /* not before the data are there */
		return 0;
	if (atomic_load(&srv->is_replica))
		return atomic_load(&r->check->found);
	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		n += atomic_load(&rep->divergence);
	rte_spinlock_unlock(&r->lock);
	return n;
}

void repl_check_info(struct server *srv, struct textbuf *tb)
{
	struct repl_check *k = srv->repl->check;

	textbuf_addf(tb,
		"repl_check_passes:%llu\r\nrepl_check_keys:%llu\r\nrepl_check_skipped:%llu\r\n",
		atomic_load(&k->passes), atomic_load(&k->checked), atomic_load(&k->skipped));
}
