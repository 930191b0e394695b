/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool: looks at, checks and changes pools that no node has open. One file a command;
 * what they share is here.
 */
#ifndef MILLRACE_APP_POOL_TOOL_H
#define MILLRACE_APP_POOL_TOOL_H

#include "persist/pool.h"
#include "persist/recover.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOOL_ERR_LEN 512

/* Exit statuses. */
enum tool_status {
	TOOL_OK = 0,
	TOOL_FAULTS = 1, /* check: the pool is damaged */
	TOOL_FAILED = 2, /* not done; what was there is as it was */
};

/* A command: argv[0] is its name. Returns an enum tool_status. */
struct tool_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage; /* arguments */
	const char *what;  /* one line */
	const char *help;  /* more lines, with options */
};

extern const struct tool_command tool_check, tool_create, tool_export, tool_import, tool_info,
	tool_resize;

/* Says on standard error what went wrong and returns TOOL_FAILED. */
int tool_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for wrong arguments. */
int tool_usage(const struct tool_command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A pool opened to be read, and recovered in this process' memory alone: the file stays as it is.
 * tool_view_open() says what is wrong and returns TOOL_FAILED, or TOOL_OK.
 */
struct tool_view {
	struct pool *pool;
	struct pool_info info; /* as found */
	struct pool_repl repl;
	struct recover_result found;
};
int tool_view_open(const char *path, struct tool_view *view);
void tool_view_close(struct tool_view *view);

/* Reads a size as the configuration has it (64mb). */
bool tool_size(const char *text, uint64_t *bytes);

/* A page of a mapped pool that cannot be read ends the process with a message that names @path
 * (borrowed). */
void tool_guard_media(const char *path);

#endif
