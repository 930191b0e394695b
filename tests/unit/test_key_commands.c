/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The commands on keys: by role, without memory, and what they leave in the log.
 *
 * A node without core loop and network: requests go in as text, replies and the log come out as
 * bytes. What was logged is applied to a second data set; both must be equal, whatever the clients
 * did and whichever allocation failed (the linker puts the functions below in the place of
 * mem_alloc() and its kin).
 */
#include "app/commands/dispatch.h"
#include "app/commands/encode.h"
#include "app/keyspace/mem.h"
#include "app/keyspace/types/stream.h"
#include "dataplane/obuf.h"
#include "persist/log.h"
#include "tests/unit/no_waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define T0 1700000000000

/* --- failing allocations ------------------------------------------------------------------------
 */

static long nr_until_failure = -1; /* allocations that still succeed; negative: all */
static unsigned nr_failed;

static bool must_fail(void)
{
	if (nr_until_failure < 0)
		return false;
	if (nr_until_failure > 0) {
		nr_until_failure--;
		return false;
	}
	nr_failed++;
	return true;
}

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_alloc_lines(size_t size);
void *__wrap_mem_alloc_lines(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

void *__wrap_mem_alloc(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_alloc_lines(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc_lines(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return must_fail() ? NULL : __real_mem_realloc(ptr, size);
}

/* --- what a node has beside the commands --------------------------------------------------------
 */

static struct encbuf logged; /* the log, from the last look on */
static bool log_full;
static uint64_t log_end;

int log_admit(struct log_writer *w, size_t len)
{
	return log_full ? -EAGAIN : 0;
}

int log_admit_sparing(struct log_writer *w, size_t len, uint64_t spare)
{
	return log_admit(w, len);
}

uint64_t log_ring_size(const struct log *log)
{
	return 1 << 20;
}

uint64_t log_space(const struct log *log)
{
	return 0;
}

uint64_t log_append(struct log_writer *w, const void *buf, size_t len)
{
	encbuf_add(&logged, buf, len);
	log_end += len;
	return log_end;
}

void cmd_retry(struct client *c)
{
	c->retry = true;
}

static void select_db(struct client *c)
{
	int64_t db;

	assert_true(arg_int(&c->argv[1], &db));
	c->db = (int)db;
}

static void no_effect(struct client *c)
{
}

struct command connection_commands[] = {{"select", select_db, 2}, {0}};
struct command server_commands[] = {{"multi", no_effect, 1}, {"exec", no_effect, 1}, {0}};
struct command repl_commands[] = {{0}};
struct command pubsub_commands[] = {{0}};
struct command multi_commands[] = {{0}};
struct command script_commands[] = {{0}};

struct node {
	struct config cfg;
	struct server srv;
	struct app_core ac;
	struct obuf_pool pool;
	struct obuf out;
	struct client c;
	struct resp_parser parser;
};

static void node_init(struct node *n)
{
	struct ks_config ks = {.nr_parts = 8, .nr_dbs = 3};

	memset(n, 0, sizeof(*n));
	atomic_init(&n->cfg.proto_max_bulk_len, 1 << 20);
	atomic_init(&n->cfg.hash_max_listpack_entries, 4);
	atomic_init(&n->cfg.hash_max_listpack_value, 100);
	atomic_init(&n->cfg.stream_node_max_entries, 5);
	n->srv.cfg = &n->cfg;
	n->srv.ks = ks_create(&ks);
	assert_non_null(n->srv.ks);
	rte_spinlock_init(&n->srv.err_lock);
	n->ac.srv = &n->srv;
	TAILQ_INIT(&n->ac.dirty);
	assert_int_equal(propagation_create(&n->ac.prop), 0);
	obuf_pool_init(&n->pool, 0);
	obuf_init(&n->out, &n->pool);
	n->c.srv = &n->srv;
	n->c.ac = &n->ac;
	n->c.out = &n->out;
	n->c.resp = 2;
	n->c.now_ms = T0;
	resp_parser_init(&n->parser);
}

static void node_fini(struct node *n)
{
	resp_parser_fini(&n->parser);
	obuf_fini(&n->out);
	obuf_pool_fini(&n->pool);
	propagation_destroy(&n->ac.prop);
	ks_destroy(&n->srv.ks);
}

/* The dispatcher's part, without its refusals. */
static void node_run(struct node *n, struct slice *argv, uint32_t argc)
{
	struct client *c = &n->c;
	struct ks_lockset ls;
	uint32_t pos[64];
	const struct command *container = NULL;
	int nr;

	c->argv = argv;
	c->argc = argc;
	c->cmd = command_lookup(&n->srv, argv, argc, &container);
	assert_non_null(c->cmd);
	assert_true(c->cmd->arity > 0 ? (uint32_t)c->cmd->arity == argc
				      : argc >= (uint32_t)-c->cmd->arity);
	ks_lockset_init(&ls);
	if (c->cmd->flags & CMD_LOCK_ALL)
		ks_lockset_all(&ls);
	nr = c->cmd->first_key ? command_keys(c->cmd, argv, argc, pos, 64) : 0;
	for (int i = 0; i < nr; i++)
		ks_lockset_add(&ls, cmd_key(c, &argv[pos[i]]).part);
	assert_true(ks_lockset_try(n->srv.ks, &ls));
	c->retry = false;
	n->ac.admitted = 0;
	n->ac.local = atomic_load(&n->srv.is_replica);
	c->cmd->fn(c);
	propagate_effects(c);
	ks_lockset_unlock(n->srv.ks, &ls);
	ks_lockset_fini(&ls);
	propagation_reset(&n->ac);
}

/* Applies a stream of requests. */
static void node_apply(struct node *n, const char *bytes, size_t len)
{
	struct resp_limits limits = {.max_bulk_len = 1 << 30, .max_multibulk = 1 << 20};
	size_t used = 0;

	while (len > 0) {
		assert_int_equal(resp_parse(&n->parser, &limits, bytes, len, &used), RESP_OK);
		node_run(n, n->parser.argv, n->parser.argc);
		bytes += used;
		len -= used;
	}
}

/* Runs a line of words and returns the reply, which stays until the next call. */
static const char *ask(struct node *n, const char *fmt, ...)
{
	static char line[2048], reply[4096];
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof(line) - 2, fmt, ap);

	va_end(ap);
	memcpy(line + len, "\r\n", 2);
	node_apply(n, line, (size_t)len + 2);
	size_t got = (size_t)obuf_len(&n->out);

	assert_true(got < sizeof(reply));
	if (got)
		obuf_copy_at(&n->out, 0, reply, (uint32_t)got);
	obuf_consume(&n->out, got);
	reply[got] = '\0';
	return reply;
}

/* The log since the last look: words of a command by blanks, commands by bars. */
static const char *effects(void)
{
	static char text[4096];
	struct resp_limits limits = {.max_bulk_len = 1 << 30, .max_multibulk = 1 << 20};
	struct resp_parser p;
	size_t at = 0, used = 0, len = 0;

	resp_parser_init(&p);
	text[0] = '\0';
	while (at < logged.len) {
		assert_int_equal(
			resp_parse(&p, &limits, logged.ptr + at, logged.len - at, &used), RESP_OK);
		for (uint32_t i = 0; i < p.argc; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s",
				i ? " " : (at ? "|" : ""), (int)p.argv[i].len, p.argv[i].ptr);
		at += used;
	}
	resp_parser_fini(&p);
	logged.len = 0;
	return text;
}

static int set_up(void **state)
{
	static bool tables_ready;
	struct node *n = malloc(sizeof(*n));

	assert_non_null(n);
	if (!tables_ready)
		command_table_setup();
	tables_ready = true;
	node_init(n);
	log_full = false;
	logged.len = 0;
	*state = n;
	return 0;
}

static int tear_down(void **state)
{
	node_fini(*state);
	free(*state);
	encbuf_fini(&logged);
	memset(&logged, 0, sizeof(logged));
	return 0;
}

/* --- by role ------------------------------------------------------------------------------------
 */

static void become_replica(struct node *n)
{
	atomic_store(&n->srv.is_replica, true);
}

/* A key that is over and that nobody has removed. */
static void put_expired(struct node *n, const char *key)
{
	ask(n, "SET %s 41 PXAT %" PRId64, key, (int64_t)T0 - 1000);
	logged.len = 0;
}

static void a_master_deletes_what_is_over_and_says_so(void **state)
{
	struct node *n = *state;

	put_expired(n, "k");
	assert_string_equal(ask(n, "GET k"), "$-1\r\n");
	assert_string_equal(effects(), "DEL k");
	put_expired(n, "k");
	assert_string_equal(ask(n, "INCR k"), ":1\r\n");
	assert_string_equal(effects(), "MULTI|DEL k|INCR k|EXEC");
	assert_int_equal(n->ac.expired_keys, 2);
}

static void a_replica_hides_what_is_over_and_keeps_it(void **state)
{
	struct node *n = *state;

	put_expired(n, "k");
	become_replica(n);
	assert_string_equal(ask(n, "GET k"), "$-1\r\n");
	assert_string_equal(ask(n, "EXISTS k"), ":0\r\n");
	assert_string_equal(ask(n, "TTL k"), ":-2\r\n");
	assert_string_equal(ask(n, "TYPE k"), "+none\r\n");
	assert_string_equal(ask(n, "KEYS *"), "*0\r\n");
	assert_string_equal(ask(n, "SCAN 0 COUNT 1000"), "*2\r\n$1\r\n0\r\n*0\r\n");
	assert_int_equal(ks_size(n->srv.ks, 0), 1);
	assert_string_equal(effects(), "");
}

static void a_replicas_own_writes_replace_what_is_over(void **state)
{
	struct node *n = *state;

	put_expired(n, "a");
	put_expired(n, "b");
	put_expired(n, "c");
	put_expired(n, "d");
	put_expired(n, "e");
	put_expired(n, "f");
	ask(n, "SET src v");
	become_replica(n);
	assert_string_equal(ask(n, "SETNX a v"), ":1\r\n");
	assert_string_equal(ask(n, "SET b v KEEPTTL"), "+OK\r\n");
	assert_string_equal(ask(n, "INCR c"), ":1\r\n");
	assert_string_equal(ask(n, "APPEND d x"), ":1\r\n");
	assert_string_equal(ask(n, "COPY src e"), ":1\r\n");
	assert_string_equal(ask(n, "RENAME src f"), "+OK\r\n");
	assert_string_equal(ask(n, "MGET a b c d e f"),
		"*6\r\n$1\r\nv\r\n$1\r\nv\r\n$1\r\n1\r\n$1\r\nx\r\n$1\r\nv\r\n$1\r\nv\r\n");
	for (const char *k = "abcdef"; *k; k++)
		assert_string_equal(ask(n, "PTTL %c", *k), ":-1\r\n");
}

static void a_replicas_own_time_in_the_past_hides_only(void **state)
{
	struct node *n = *state;

	ask(n, "SET k v");
	become_replica(n);
	assert_string_equal(ask(n, "EXPIRE k -1"), ":1\r\n");
	assert_string_equal(ask(n, "GET k"), "$-1\r\n");
	ask(n, "SET k2 v");
	assert_string_equal(ask(n, "PEXPIREAT k2 -1"), ":1\r\n");
	assert_string_equal(ask(n, "GET k2"), "$-1\r\n");
	assert_int_equal(ks_size(n->srv.ks, 0), 2);
}

static void the_masters_stream_sees_what_is_over(void **state)
{
	struct node *n = *state;

	put_expired(n, "k");
	become_replica(n);
	n->c.flags = CLIENT_MASTER;
	assert_string_equal(ask(n, "INCR k"), ":42\r\n");
	assert_string_equal(ask(n, "PEXPIREAT k 5"), ":1\r\n");
	assert_int_equal(ks_size(n->srv.ks, 0), 1);
	assert_string_equal(ask(n, "RENAME k k2"), "+OK\r\n");
	assert_string_equal(ask(n, "DEL k2"), ":1\r\n");
	assert_int_equal(ks_size(n->srv.ks, 0), 0);
	assert_string_equal(effects(), "");
}

static void a_stream_is_not_held_to_the_size_limits(void **state)
{
	struct node *n = *state;

	assert_string_equal(ask(n, "SETRANGE k 1048576 x"),
		"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
	assert_string_equal(ask(n, "SETBIT k 8388608 1"),
		"-ERR bit offset is not an integer or out of range\r\n");
	n->c.flags = CLIENT_REPLAY;
	assert_string_equal(ask(n, "SETRANGE k 1048576 x"), ":1048577\r\n");
	assert_string_equal(ask(n, "SETBIT k2 8388608 1"), ":0\r\n");
}

static void random_key_on_a_replica_ends(void **state)
{
	struct node *n = *state;

	put_expired(n, "k");
	become_replica(n);
	assert_string_equal(ask(n, "RANDOMKEY"), "$1\r\nk\r\n");
}

static void what_is_over_waits_for_room_in_the_log(void **state)
{
	struct node *n = *state;

	put_expired(n, "k");
	log_full = true;
	ask(n, "RANDOMKEY");
	assert_true(n->c.retry);
	assert_string_equal(ask(n, "SCAN 0 COUNT 1000"), "*2\r\n$1\r\n0\r\n*0\r\n");
	assert_int_equal(ks_size(n->srv.ks, 0), 1);
	log_full = false;
	assert_string_equal(ask(n, "RANDOMKEY"), "$-1\r\n");
	assert_string_equal(effects(), "DEL k");
}

static void scan_logs_each_removal_by_itself(void **state)
{
	struct node *n = *state;

	n->c.db = 2;
	for (int i = 0; i < 40; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		put_expired(n, key);
	}
	ask(n, "SET live v");
	logged.len = 0;
	assert_string_equal(ask(n, "SCAN 0 COUNT 1000"), "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nlive\r\n");
	const char *text = effects();
	unsigned nr = 0;

	for (const char *at = text; (at = strstr(at, "DEL k")) != NULL; at++)
		nr++;
	assert_int_equal(nr, 40);
	assert_null(strstr(text, "MULTI"));
	assert_non_null(strstr(text, "SELECT 2"));
	assert_int_equal(ks_size(n->srv.ks, 2), 1);
}

/* A partition that another core holds. */
static void a_busy_partition_sets_the_command_aside(void **state)
{
	struct node *n = *state;

	for (int i = 0; i < 100; i++)
		ask(n, "SET key%d v", i);
	for (uint32_t part = 0; part < 8; part++)
		assert_true(ks_part_trylock(n->srv.ks, part));
	assert_string_equal(ask(n, "SCAN 0"), "");
	assert_true(n->c.retry);
	assert_string_equal(ask(n, "RANDOMKEY"), "");
	assert_true(n->c.retry);
	/* one that is met on the way ends the reply early instead */
	ks_part_unlock(n->srv.ks, ks_scan_part(n->srv.ks, 0));
	const char *reply = ask(n, "SCAN 0 COUNT 1000");

	assert_false(n->c.retry);
	assert_memory_equal(reply, "*2\r\n$", 5);
	assert_true(strncmp(reply, "*2\r\n$1\r\n0\r\n", 11) != 0);
	for (uint32_t part = 0; part < 8; part++)
		if (part != ks_scan_part(n->srv.ks, 0))
			ks_part_unlock(n->srv.ks, part);
}

/* --- the log holds it all -----------------------------------------------------------------------
 */

struct rnd {
	uint64_t state;
	uint32_t last_id; /* of a stream's entry, about */
};

static uint32_t below(struct rnd *r, uint32_t n)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)((r->state >> 11) % n);
}

/* %k a key, %h one that may well be a hash, %s one that is a stream, %i a new ID there, %j an old
 * one, %v a value, %n a number, %t an option of time, %f a subcommand of BITFIELD */
static const char *const forms[] = {
	"SET %k %v",
	"SET %k %v",
	"SET %k %v %t",
	"SET %k %v NX %t GET",
	"SET %k %v XX GET",
	"SET %k %v KEEPTTL GET",
	"SETNX %k %v",
	"SETEX %k 5 %v",
	"PSETEX %k 2000 %v",
	"GETSET %k %v",
	"GETEX %k %t",
	"GETEX %k PERSIST",
	"GETEX %k",
	"GETDEL %k",
	"GET %k",
	"MGET %k %k",
	"MSET %k %v %k %v %k %v",
	"MSETNX %k %v %k %v",
	"APPEND %k %v",
	"SETRANGE %k %n %v",
	"INCR %k",
	"INCRBY %k %n",
	"INCRBYFLOAT %k 1.5",
	"SETBIT %k %n 1",
	"SETBIT %k %n 0",
	"BITOP OR %k %k %k",
	"BITOP NOT %k %k",
	"BITFIELD %k %f %f",
	"BITFIELD %k OVERFLOW FAIL %f %f",
	"DEL %k %k",
	"UNLINK %k",
	"EXPIRE %k 3",
	"EXPIRE %k -1",
	"PEXPIRE %k 1500 NX",
	"PEXPIRE %k 2500 GT",
	"PERSIST %k",
	"RENAME %k %k",
	"RENAMENX %k %k",
	"COPY %k %k REPLACE",
	"COPY %k %k DB 1 REPLACE",
	"MOVE %k 1",
	"MOVE %k 0",
	"HSET %h f%n %v",
	"HSET %h f%n %v f%n %v f%n %v",
	"HSET %h a %v a %v",
	"HMSET %h a 1 b %v c %v",
	"HSETNX %h a %v",
	"HINCRBY %h a %n",
	"HINCRBYFLOAT %h b 0.25",
	"HDEL %h a b",
	"HDEL %h a b c f%n",
	"HGETALL %h",
	"HRANDFIELD %h -2 WITHVALUES",
	"DEL %h",
	"XADD %s %i f %v",
	"XADD %s %i f %v g %v",
	"XADD %s %i %v %v",
	"XADD %s * f %v",
	"XADD %s MAXLEN 20 %i f %v",
	"XADD %s MAXLEN ~ 10 %i f %v",
	"XADD %s MINID ~ %j LIMIT 20 %i f %v",
	"XTRIM %s MINID %j",
	"XTRIM %s MAXLEN ~ 5 LIMIT 10",
	"XDEL %s %j %j %j",
	"XSETID %s %j",
	"XGROUP CREATE %s g %j MKSTREAM",
	"XGROUP SETID %s g %j",
	"XGROUP DESTROY %s g",
	"XGROUP DELCONSUMER %s g b",
	"XREADGROUP GROUP g a COUNT 5 STREAMS %s >",
	"XREADGROUP GROUP g b STREAMS %s >",
	"XREADGROUP GROUP g c COUNT 2 NOACK STREAMS %s >",
	"XACK %s g %j %j %j",
	"XCLAIM %s g a 50 %j %j %j",
	"XCLAIM %s g b 0 %j %j FORCE JUSTID LASTID %j",
	"XAUTOCLAIM %s g c 50 %j COUNT 5",
	"COPY %s %s REPLACE",
	"DEL %s",
	"SELECT 0",
	"SELECT 1",
	"SCAN 0 COUNT 3",
	"RANDOMKEY",
	"TTL %k",
};

/* Appends what a mark in a form stands for to line. */
static size_t fill_mark(struct rnd *r, char mark, char *line)
{
	static const char *const values[] = {"1", "v", "-77", "12345678901234567890", "3.25"};
	static const char *const times[] = {"EX 3", "PX 1500", "PXAT 5", "EXAT 1700000002"};
	static const char *const ops[] = {"SET u8 #%u 200", "INCRBY u8 #%u 100", "GET i5 %u",
		"INCRBY i13 %u -999", "SET u4 #%u 0"};
	uint32_t len;

	switch (mark) {
	case 'k': return (size_t)sprintf(line, "key%u", below(r, 8));
	case 'h': return (size_t)sprintf(line, "key%u", 7 + below(r, 4));
	case 's': return (size_t)sprintf(line, "stream%u", below(r, 2));
	case 'i': return (size_t)sprintf(line, "%u-*", r->last_id += below(r, 2));
	case 'j': return (size_t)sprintf(line, "%u-%u", r->last_id - below(r, 30), below(r, 2));
	case 'n': return (size_t)sprintf(line, "%u", below(r, 300));
	case 't': return (size_t)sprintf(line, "%s", times[below(r, 4)]);
	case 'f': return (size_t)sprintf(line, ops[below(r, 5)], below(r, 40));
	default: break;
	}
	if (below(r, 2))
		return (size_t)sprintf(line, "%s", values[below(r, 5)]);
	len = below(r, 4) ? below(r, 200) + 1 : 300;
	memset(line, 'x', len);
	return len;
}

static size_t random_line(struct rnd *r, char *line)
{
	const char *form = forms[below(r, sizeof(forms) / sizeof(forms[0]))];
	size_t len = 0;

	for (; *form; form++) {
		if (*form == '%')
			len += fill_mark(r, *++form, line + len);
		else
			line[len++] = *form;
	}
	memcpy(line + len, "\r\n", 3);
	return len + 2;
}

struct both {
	struct node *n, *copy;
	unsigned nr_keys;
};

/* Who has what of a group; which the digest does not tell. */
static void same_group(const struct stream_group *g, const struct stream *other)
{
	struct slice name = stream_name_text(&g->name);
	const struct stream_group *o = stream_group_find(other, &name);
	const struct stream_pending *p, *q;
	struct tree_pos pos, other_pos;

	assert_non_null(o);
	assert_int_equal(stream_id_cmp(&g->last_id, &o->last_id), 0);
	assert_int_equal(g->pending.nr, o->pending.nr);
	p = stream_pending_from(g, NULL, &STREAM_ID_MIN, &pos);
	q = stream_pending_from(o, NULL, &STREAM_ID_MIN, &other_pos);
	for (; p; p = stream_pending_next(g, NULL, &pos),
		  q = stream_pending_next(o, NULL, &other_pos)) {
		assert_int_equal(stream_id_cmp(&p->id, &q->id), 0);
		assert_int_equal(p->time_ms, q->time_ms);
		assert_int_equal(p->count, q->count);
		assert_int_equal(p->consumer->name.bytes[0], q->consumer->name.bytes[0]);
	}
}

static void same_groups(const struct obj *a, const struct obj *b)
{
	struct tree_pos pos;

	assert_int_equal(stream_of(a)->groups.nr, stream_of(b)->groups.nr);
	for (const struct stream_group *g = stream_group_first(stream_of(a), &pos); g;
		g = stream_group_next(&pos))
		same_group(g, stream_of(b));
}

static void same_entry(void *ctx, int db, struct entry *e)
{
	struct both *b = ctx;
	struct slice name = entry_key(e);
	struct ks_key k = ks_key(b->copy->srv.ks, name.ptr, name.len);
	struct entry *other = ks_find(b->copy->srv.ks, db, &k);
	uint8_t digest[20], other_digest[20];

	if (!other)
		fail_msg("db %d: %.*s is not in the log", db, (int)name.len, name.ptr);
	ks_digest_value(e, digest);
	ks_digest_value(other, other_digest);
	if (memcmp(digest, other_digest, sizeof(digest)) != 0)
		fail_msg("db %d: %.*s differs", db, (int)name.len, name.ptr);
	if (entry_type(e) == OBJ_STREAM) {
		struct obj one = entry_obj(e), two = entry_obj(other);

		same_groups(&one, &two);
	}
	if (entry_expire(e) != entry_expire(other))
		fail_msg("db %d: %.*s expires at another time", db, (int)name.len, name.ptr);
	b->nr_keys++;
}

static void check_same(struct node *n, struct node *copy)
{
	struct both b = {.n = n, .copy = copy};
	uint64_t nr = 0;

	for (uint32_t part = 0; part < 8; part++) {
		assert_true(ks_part_trylock(n->srv.ks, part));
		assert_true(ks_part_trylock(copy->srv.ks, part));
	}
	for (int db = 0; db < 3; db++) {
		for (uint32_t part = 0; part < 8; part++)
			ks_walk_part(n->srv.ks, part, db, same_entry, &b);
		nr += ks_size(copy->srv.ks, db);
	}
	for (uint32_t part = 0; part < 8; part++) {
		ks_part_unlock(n->srv.ks, part);
		ks_part_unlock(copy->srv.ks, part);
	}
	assert_int_equal(b.nr_keys, nr);
}

/* One reply, or the end of the connection. */
static void check_one_reply(struct node *n, const char *line)
{
	size_t len = (size_t)obuf_len(&n->out);
	char *reply = malloc(len + 1);
	unsigned nr_errors = 0;

	assert_non_null(reply);
	if (len)
		obuf_copy_at(&n->out, 0, reply, (uint32_t)len);
	obuf_consume(&n->out, len);
	reply[len] = '\0';
	/* an error is the whole reply: no value comes before or behind it */
	for (char *at = reply; (at = strstr(at, "-OOM")) != NULL; at++)
		nr_errors++;
	if (nr_errors > 1 || (nr_errors == 1 && reply[0] != '-'))
		fail_msg("%s: %s", line, reply);
	free(reply);
	if (n->c.flags & CLIENT_ASAP)
		n->c.flags &= ~(uint32_t)CLIENT_ASAP;
	else if (len == 0 && strncmp(line, "SELECT", 6) != 0)
		fail_msg("%s: no reply", line);
}

static void run_random(struct node *n, uint64_t seed, unsigned nr, bool failures)
{
	struct node copy;
	struct rnd r = {.state = seed * 2654435761u + 1, .last_id = 1000};
	char line[4096];

	node_init(&copy);
	copy.c.flags = CLIENT_REPLAY;
	copy.c.out = NULL;
	for (unsigned i = 0; i < nr; i++) {
		size_t len = random_line(&r, line);

		n->c.now_ms += below(&r, 100);
		copy.c.now_ms = n->c.now_ms + 3600 * 1000; /* applied whenever */
		if (failures && below(&r, 3) == 0)
			nr_until_failure = below(&r, 3);
		node_apply(n, line, len);
		nr_until_failure = -1;
		check_one_reply(n, line);
		node_apply(&copy, logged.ptr, logged.len);
		logged.len = 0;
		/* every record ends in database 0, as it began */
		assert_int_equal(copy.c.db, 0);
		if (i % 16 == 0)
			check_same(n, &copy);
	}
	check_same(n, &copy);
	node_fini(&copy);
}

static uint64_t test_seed(void)
{
	const char *given = getenv("MILLRACE_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	print_message("seed %" PRIu64 "\n", seed);
	return seed;
}

static void the_log_yields_the_data_set(void **state)
{
	run_random(*state, test_seed(), 20000, false);
}

static void the_log_yields_the_data_set_when_memory_runs_out(void **state)
{
	nr_failed = 0;
	run_random(*state, test_seed(), 20000, true);
	print_message("%u allocations failed\n", nr_failed);
	assert_true(nr_failed > 500);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_master_deletes_what_is_over_and_says_so),
		TEST(a_replica_hides_what_is_over_and_keeps_it),
		TEST(a_replicas_own_writes_replace_what_is_over),
		TEST(a_replicas_own_time_in_the_past_hides_only),
		TEST(the_masters_stream_sees_what_is_over),
		TEST(a_stream_is_not_held_to_the_size_limits),
		TEST(random_key_on_a_replica_ends),
		TEST(what_is_over_waits_for_room_in_the_log),
		TEST(scan_logs_each_removal_by_itself),
		TEST(a_busy_partition_sets_the_command_aside),
		TEST(the_log_yields_the_data_set),
		TEST(the_log_yields_the_data_set_when_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
