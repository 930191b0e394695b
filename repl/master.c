/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Master side of a replication link: snapshot by reference, log by copy, both as output drains.
 */
#include "repl/master.h"

#include "checks.h"
#include "dataplane/core.h"
#include "persist/log_keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OUTPUT_MAX    (1u << 20)             /* no more is queued in the connection than this */
#define RDB_PIECE     (128u << 10)           /* bytes a reference */
#define LOG_PIECE     (OBUF_CHUNK_MAX - 256) /* fits in one of the pool's chunks */
#define KEEPALIVE_MS  1000
#define PACE_BURST_US 10000 /* so much may be sent at once after a rest */

/* Keeps a snapshot pinned for as long as output refers to it: that may be longer than the
 * replica lives. One core. */
struct snap_hold {
	struct snap *snap;
	uint64_t refs;
};

static void hold_put(void *ctx)
{
	struct snap_hold *hold = ctx;

	if (--hold->refs)
		return;
	snap_put(&hold->snap);
	free(hold);
}

struct replica *replica_create(struct conn *conn, struct log *log, uint64_t id)
{
	struct replica *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->conn = conn;
	r->log = log;
	r->id = id;
	atomic_init(&r->state, REPLICA_HANDSHAKE);
	return r;
}

static void snap_done(struct replica *r)
{
	r->snap = NULL;
	if (r->hold)
		hold_put(r->hold);
	r->hold = NULL;
}

void replica_destroy(struct replica **rp)
{
	struct replica *r = *rp;

	if (!r)
		return;
	snap_done(r);
	free(r);
	*rp = NULL;
}

static void drop(struct replica *r, const char *reason)
{
	snap_done(r);
	r->reason = reason;
	atomic_store(&r->state, REPLICA_DROPPED);
}

/* A line of the protocol; it is pushed by the next replica_pump(). False: dropped. */
static bool say(struct replica *r, const char *text)
{
	if (r->conn->closed)
		return false;
	if (obuf_append(conn_obuf(r->conn), text, strlen(text))) {
		drop(r, "out of memory");
		return false;
	}
	r->push = true;
	return true;
}

static void go_online(struct replica *r, int64_t now_ms)
{
	atomic_store(&r->sent_off, r->pos);
	atomic_store(&r->ack_ms, now_ms); /* its time to answer begins now */
	atomic_store(&r->state, REPLICA_ONLINE);
}

void replica_start_partial(struct replica *r, const char *replid, uint64_t off, int64_t now_ms)
{
	char line[80];

	if (r->capa_psync2)
		snprintf(line, sizeof(line), "+CONTINUE %.40s\r\n", replid);
	else
		snprintf(line, sizeof(line), "+CONTINUE\r\n");
	if (!say(r, line))
		return;
	r->pos = off;
	r->began_at = log_tail(r->log);
	go_online(r, now_ms);
}

void replica_wait_snapshot(struct replica *r, int64_t now_ms)
{
	r->newline_ms = now_ms;
	atomic_store(&r->state, REPLICA_WAIT_SNAPSHOT);
}

void replica_start_full(struct replica *r, const char *replid, struct snap *snap, int64_t now_ms)
{
	struct snap_hold *hold = malloc(sizeof(*hold));
	unsigned long long off = snap_offset(snap), size = snap_size(snap);
	char lines[128];

	ASSERT(!r->hold);
	if (!hold) {
		snap_put(&snap);
		drop(r, "out of memory");
		return;
	}
	hold->snap = snap;
	hold->refs = 1;
	r->hold = hold;
	r->snap = snap;
	r->rdb_pos = 0;
	r->rdb_size = size;
	r->pos = off;
	r->began_at = log_tail(r->log);
	if (r->psync)
		snprintf(lines, sizeof(lines), "+FULLRESYNC %.40s %llu\r\n$%llu\r\n", replid, off,
			size);
	else
		snprintf(lines, sizeof(lines), "$%llu\r\n", size);
	if (!say(r, lines))
		return;
	atomic_store(&r->sent_off, off);
	atomic_store(&r->catching_up, true);
	atomic_store(&r->ack_ms, now_ms);
	r->progress_ms = now_ms;
	atomic_store(&r->state, REPLICA_SEND_RDB);
}

void replica_start_bare(struct replica *r, const char *replid, uint64_t off, const void *rdb,
	size_t len, int64_t now_ms)
{
	char lines[128];

	r->pos = off;
	r->began_at = log_tail(r->log);
	if (r->psync)
		snprintf(lines, sizeof(lines), "+FULLRESYNC %.40s %llu\r\n$%zu\r\n", replid,
			(unsigned long long)r->pos, len);
	else
		snprintf(lines, sizeof(lines), "$%zu\r\n", len);
	if (!say(r, lines))
		return;
	if (obuf_append(conn_obuf(r->conn), rdb, len)) {
		drop(r, "out of memory");
		return;
	}
	go_online(r, now_ms);
}

/* What it still has to be sent is in the ring no more, nor kept. */
static bool lapped(const struct replica *r)
{
	uint64_t start, end;

	if (log_start(r->log) <= r->pos)
		return false;
	return !r->keep || !log_keep_range(r->keep, &start, &end) || start > r->pos ||
	       end <= r->pos;
}

/* May more of an RDB be sent now? Then n bytes are, which is counted. */
static bool pace_take(struct sync_pace *pace, uint64_t n, uint64_t now_us)
{
	uint64_t rate = pace ? atomic_load_explicit(&pace->bytes_per_s, memory_order_relaxed) : 0;
	unsigned long long next, from;

	if (rate == 0)
		return true;
	next = atomic_load(&pace->next_us);
	do {
		if (next > now_us)
			return false;
		from = next + PACE_BURST_US < now_us ? now_us - PACE_BURST_US : next;
	} while (!atomic_compare_exchange_weak(&pace->next_us, &next, from + n * 1000000 / rate));
	return true;
}

static int log_take(struct replica *r, uint8_t *to, uint32_t n)
{
	if (log_copy(r->log, r->pos, to, n) == 0)
		return 0;
	return r->keep ? log_keep_copy(r->keep, r->pos, to, n) : -1;
}

/* Queues pieces of the snapshot. What follows it must still be in the log, or the rest is sent
 * in vain. */
static void send_rdb(struct replica *r, struct obuf *ob)
{
	if (!r->rdb_only && lapped(r)) {
		drop(r, "overrun by writers");
		return;
	}
	while (r->rdb_pos < r->rdb_size && obuf_len(ob) < OUTPUT_MAX) {
		const void *ptr;
		size_t len;

		if (snap_span(r->snap, r->rdb_pos, &ptr, &len) || len == 0) {
			drop(r, "the snapshot is shorter than it says");
			return;
		}
		if (len > RDB_PIECE)
			len = RDB_PIECE;
		if (!pace_take(r->pace, len, r->conn->core->now_us))
			return;
		if (obuf_append_ref(ob, ptr, len, hold_put, r->hold))
			return; /* no memory now: goes on when output has drained */
		r->hold->refs++;
		r->rdb_pos += len;
	}
	if (r->rdb_pos < r->rdb_size)
		return;
	snap_done(r);
	go_online(r, r->conn->core->now_ms);
}

/* Queues pieces of the log. What a writer has lapped meanwhile is never committed to the output. */
static void send_log(struct replica *r, struct obuf *ob)
{
	uint64_t end = log_watermark(r->log);

	while (r->pos < end && obuf_len(ob) < OUTPUT_MAX) {
		uint32_t n = end - r->pos < LOG_PIECE ? (uint32_t)(end - r->pos) : LOG_PIECE;
		uint8_t *to = obuf_reserve(ob, n);

		if (!to)
			break;
		if (log_take(r, to, n)) {
			drop(r, "overrun by writers");
			return;
		}
		obuf_commit(ob, n);
		r->pos += n;
	}
	atomic_store_explicit(&r->sent_off, r->pos, memory_order_relaxed);
	if (end - r->pos < OUTPUT_MAX)
		atomic_store_explicit(&r->catching_up, false, memory_order_relaxed);
}

bool replica_pump(struct replica *r)
{
	struct conn *conn = r->conn;
	struct obuf *ob;
	uint64_t end;
	bool push;

	if (conn->closed)
		return false;
	ob = conn_obuf(conn);
	end = obuf_end(ob);
	if (r->state == REPLICA_SEND_RDB)
		send_rdb(r, ob);
	if (r->state == REPLICA_ONLINE && !r->rdb_only)
		send_log(r, ob);
	if (r->state == REPLICA_DROPPED)
		return false;
	push = r->push || obuf_end(ob) != end;
	r->push = false;
	if (r->bytes_out)
		*r->bytes_out += obuf_end(ob) - end;
	if (push)
		conn_push(conn); /* r may be gone now */
	return push;
}

uint64_t replica_behind(const struct replica *r)
{
	uint64_t end = log_watermark(r->log);
	uint64_t from = r->pos;

	if (r->rdb_only || (r->state != REPLICA_SEND_RDB && r->state != REPLICA_ONLINE))
		return 0;
	/* The last of the RDB may be queued too, so it can be OUTPUT_MAX too many. */
	if (r->state == REPLICA_ONLINE)
		from -= obuf_len(conn_obuf(r->conn)) < from ? obuf_len(conn_obuf(r->conn)) : from;
	if (from < r->began_at)
		from = r->began_at;
	return end > from ? end - from : 0;
}

int64_t replica_progress(struct replica *r, int64_t now_ms)
{
	const struct obuf *ob = conn_obuf(r->conn);
	uint64_t sent = obuf_end(ob) - obuf_len(ob);
	int64_t said_ms = atomic_load(&r->ack_ms);

	if (sent != r->sent_bytes) {
		r->sent_bytes = sent;
		r->progress_ms = now_ms;
	}
	return r->progress_ms > said_ms ? r->progress_ms : said_ms;
}

void replica_tick(struct replica *r, int64_t now_ms)
{
	if (r->state != REPLICA_WAIT_SNAPSHOT || now_ms - r->newline_ms < KEEPALIVE_MS)
		return;
	r->newline_ms = now_ms;
	say(r, "\n");
}

void replica_ack(struct replica *r, uint64_t off, int64_t now_ms)
{
	if (off > atomic_load(&r->ack_off))
		atomic_store(&r->ack_off, off);
	atomic_store(&r->ack_ms, now_ms);
}

const char *replica_state_name(enum replica_state state)
{
	switch (state) {
	case REPLICA_HANDSHAKE: return "handshake";
	case REPLICA_WAIT_SNAPSHOT: return "wait_bgsave";
	case REPLICA_SEND_RDB: return "send_bulk";
	case REPLICA_ONLINE: return "online";
	case REPLICA_DROPPED: return "dropped";
	}
	return "?";
}

bool psync_accept(const struct psync_ids *ids, const struct log *log, const char *id,
	int64_t offset, uint64_t *off, const char **why)
{
	bool present = strcasecmp(id, ids->replid) == 0;
	bool former = strcasecmp(id, ids->replid2) == 0;

	if (!present && !former) {
		*why = "unknown replication id";
		return false;
	}
	if (!present && offset > ids->second_repl_offset) {
		*why = "offset past the end of the former replication id";
		return false;
	}
	if (offset < 1 || (uint64_t)offset - 1 < log_start(log) ||
		(uint64_t)offset - 1 > log_tail(log)) {
		*why = "offset not in the backlog";
		return false;
	}
	*off = (uint64_t)offset - 1;
	return true;
}
