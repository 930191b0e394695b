/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The data set as a whole (DBSIZE, FLUSHALL, SWAPDB), saving and stopping the node.
 */
#include "app/commands/server_cmds.h"

#include "app/commands/script_run.h"
#include "app/control.h"
#include "app/snapshot.h"
#include "dataplane/clock.h"

#include <stdio.h>
#include <string.h>

void reply_textbuf(struct client *c, struct textbuf *tb)
{
	if (tb->failed)
		reply_err(c, "ERR out of memory");
	else
		reply_verbatim(c, textbuf_str(tb), tb->len, "txt");
	textbuf_fini(tb);
}

void dbsize_command(struct client *c)
{
	reply_int(c, (int64_t)ks_size(c->srv->ks, c->db));
}

bool flush_mode_arg(struct client *c, uint32_t i)
{
	return c->argc == i ||
	       (c->argc == i + 1 && (arg_is(&c->argv[i], "sync") || arg_is(&c->argv[i], "async")));
}

/* Both modes detach the tables here and free them in slices later: a flush never stops the node
 * for the size of what it removes. Logged even when there was nothing to remove, as Redis does. */
static void flush(struct client *c, int db)
{
	uint64_t nr;

	if (!flush_mode_arg(c, 1)) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	snapshot_abort_for_flush(c->srv);
	listeners_database(c->ac, db, NULL, 0, c->now_ms);
	tracking_flushed(c->ac);
	nr = ks_flush(c->srv->ks, c->core_id, db);
	cmd_dirty(c, nr ? nr : 1);
	reply_ok(c);
}

void flushall_command(struct client *c)
{
	flush(c, -1);
}

void flushdb_command(struct client *c)
{
	flush(c, c->db);
}

/* A database number for SWAPDB: replies and returns false when it is none. */
static bool db_arg(struct client *c, const struct slice *a, const char *err, int64_t *db)
{
	if (arg_int(a, db) && *db >= INT32_MIN && *db <= INT32_MAX)
		return true;
	reply_err(c, err);
	return false;
}

void swapdb_command(struct client *c)
{
	int64_t a, b;
	int nr = c->srv->cfg->databases;

	if (!db_arg(c, &c->argv[1], "ERR invalid first DB index", &a) ||
		!db_arg(c, &c->argv[2], "ERR invalid second DB index", &b))
		return;
	if (a < 0 || a >= nr || b < 0 || b >= nr) {
		reply_err(c, "ERR DB index is out of range");
		return;
	}
	if (a != b) {
		snapshot_abort_for_flush(c->srv);
		listeners_database(c->ac, (int)a, c->srv->ks, (int)b, c->now_ms);
		listeners_database(c->ac, (int)b, c->srv->ks, (int)a, c->now_ms);
		ks_swap_db(c->srv->ks, (int)a, (int)b);
	}
	cmd_dirty(c, 1);
	reply_ok(c);
}

void time_command(struct client *c)
{
	int64_t us = clock_unix_us();

	reply_array(c, 2);
	reply_bulk_int(c, us / 1000000);
	reply_bulk_int(c, us % 1000000);
}

void lastsave_command(struct client *c)
{
	reply_int(c, atomic_load_explicit(&c->srv->last_save_s, memory_order_relaxed));
}

/* The client waits for the control thread's answer. */
static void block_for_control(struct client *c)
{
	c->block = BLOCK_CONTROL;
	c->block_until_ms = 0;
	client_flags_change(c, CLIENT_BLOCKED, 0);
}

static void block_undo(struct client *c)
{
	c->block = BLOCK_NONE;
	client_flags_change(c, 0, CLIENT_BLOCKED);
}

void save_command(struct client *c)
{
	block_for_control(c);
	if (control_save(c->srv, c->id) == SAVE_BUSY) {
		block_undo(c);
		reply_err(c, "ERR Background save already in progress");
	}
}

void bgsave_command(struct client *c)
{
	if (c->argc > 2 || (c->argc == 2 && !arg_is(&c->argv[1], "schedule"))) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (control_save(c->srv, 0) == SAVE_BUSY)
		reply_err(c, "ERR Background save already in progress");
	else
		reply_status(c, "Background saving started");
}

/* What the rewriting of an append-only file is for, a snapshot does here: recovery then starts
 * from it. One that is under way serves. */
void bgrewriteaof_command(struct client *c)
{
	if (control_save(c->srv, 0) == SAVE_BUSY)
		reply_status(c, "Background append only file rewriting scheduled");
	else
		reply_status(c, "Background append only file rewriting started");
}

void shutdown_command(struct client *c)
{
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = {{"nosave", SHUTDOWN_NOSAVE}, {"save", SHUTDOWN_SAVE}, {"now", SHUTDOWN_NOW},
		{"force", SHUTDOWN_FORCE}};
	unsigned flags = 0;
	bool abort = false;

	for (uint32_t i = 1; i < c->argc; i++) {
		unsigned found = 0;

		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			found |= arg_is(&c->argv[i], words[w].word) ? words[w].flag : 0;
		if (!found && !arg_is(&c->argv[i], "abort")) {
			reply_err(c, REPLY_SYNTAX);
			return;
		}
		abort |= !found;
		flags |= found;
	}
	if ((abort && flags) || ((flags & SHUTDOWN_NOSAVE) && (flags & SHUTDOWN_SAVE))) {
		reply_err(c, REPLY_SYNTAX);
	} else if (!abort && !(flags & SHUTDOWN_NOSAVE) && script_busy_text(c->srv)) {
		reply_err(c, script_busy_text(c->srv));
	} else if (!abort) {
		block_for_control(c);
		control_shutdown(c->srv, flags, c->id);
	} else if (control_shutdown_abort(c->srv)) {
		reply_ok(c);
	} else {
		reply_err(c, "ERR No shutdown in progress.");
	}
}

void lolwut_command(struct client *c)
{
	static const char art[] = "\n"
				  "              .--|--.\n"
				  "  ~~~~~~~~~~./ \\ | / \\.~~~~~~~~~~.\n"
				  "  ===========|---(o)---|          `~.\n"
				  "             `\\ / | \\ /'  . : .      `~~~~~\n"
				  "               '--|--'   : . : .  ==========\n"
				  "\n";
	struct textbuf tb;
	int64_t version;

	if (c->argc >= 3 && arg_is(&c->argv[1], "version") &&
		!arg_int_reply(c, &c->argv[2], &version))
		return;
	textbuf_init(&tb);
	textbuf_addf(&tb, "%sRedis ver. %s\n", art, MILLRACE_REDIS_VERSION);
	reply_textbuf(c, &tb);
}
