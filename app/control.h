/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The control thread: everything that may block or that happens a few times a second. It accepts on
 * kernel sockets, schedules and seals snapshots, writes superblocks, measures rates, handles
 * signals. It takes no keyspace lock.
 *
 * Poll cores ask for something with a job; the job's done() comes back to the asking core as a
 * message.
 */
#ifndef MILLRACE_APP_CONTROL_H
#define MILLRACE_APP_CONTROL_H

#include "app/server.h"
#include "dataplane/core.h"

#include <stdbool.h>

struct control;

struct control_job {
	struct core_msg msg; /* first: the job travels back as a message */
	/* On the control thread. */
	void (*run)(struct server *srv, struct control_job *job);
	/* On the asking core, afterwards; owns the job and frees it. NULL: the control thread frees
	 * it. */
	void (*done)(struct server *srv, struct control_job *job);
	struct server *srv;
	struct core *core; /* where done() runs */
	struct control_job *next;
};

int control_create(struct server *srv, struct control **out, char *err, size_t err_len);
void control_destroy(struct control **c);
/* The thread's loop: runs on the calling thread until shutdown has been decided. 0, or -errno with
 * one line in err when the data could not be loaded. */
int control_run(struct control *c, char *err, size_t err_len);
/* Any thread. Takes the job. */
void control_post(struct server *srv, struct control_job *job);

/* Makes the control thread look around now. Any thread. */
void control_wake(struct server *srv);

/* Control thread: the reason why the last snapshot failed may be gone, so it is tried again now. */
void control_snapshot_soon(struct server *srv);

enum save_result {
	SAVE_STARTED,
	SAVE_BUSY, /* one is under way */
};
/* Asks for a snapshot now. client_id != 0: that client waits (CLIENT_BLOCKED, BLOCK_CONTROL, set by
 * the caller) and gets +OK or an error when it is there (SAVE). Any poll core. */
enum save_result control_save(struct server *srv, uint64_t client_id);

enum shutdown_flags {
	SHUTDOWN_NOSAVE = 1,
	SHUTDOWN_SAVE = 2,
	SHUTDOWN_NOW = 4,
	SHUTDOWN_FORCE = 8,
};
/* Begins to stop the node: waits for lagging replicas up to shutdown-timeout unless NOW. Any
 * thread. client_id != 0: that client hears of a failure or abort. */
void control_shutdown(struct server *srv, unsigned flags, uint64_t client_id);
/* SHUTDOWN ABORT: false when none is under way. */
bool control_shutdown_abort(struct server *srv);

/* log lines: "pid:role DD Mon YYYY HH:MM:SS.mmm # text" as redis-server; level 0 debug .. 3
 * warning. Any thread. */
void server_log(struct server *srv, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
