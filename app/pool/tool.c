/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/pool/tool.h"

#include "app/config_table.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char media_text[1200];
static size_t media_len;

int tool_fail(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("millrace-pool: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tool_usage(const struct tool_command *cmd, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "millrace-pool %s: ", cmd->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nusage: millrace-pool %s %s\n", cmd->name, cmd->usage);
	return TOOL_FAILED;
}

bool tool_size(const char *text, uint64_t *bytes)
{
	return config_parse_size(text, bytes);
}

static void media_error(int signo)
{
	/* Whatever was being done, the page is not there. */
	if (write(STDERR_FILENO, media_text, media_len) < 0)
		_exit(TOOL_FAILED);
	_exit(TOOL_FAILED);
}

void tool_guard_media(const char *path)
{
	struct sigaction sa = {.sa_handler = media_error};
	int n = snprintf(media_text, sizeof(media_text),
		"millrace-pool: %s: the medium cannot be read: a part of it is damaged, or the file was "
		"cut short\n",
		path);

	media_len = n < (int)sizeof(media_text) ? (size_t)n : sizeof(media_text) - 1;
	sigaction(SIGBUS, &sa, NULL);
}

int tool_view_open(const char *path, struct tool_view *view)
{
	char err[TOOL_ERR_LEN] = "";
	int rc;

	memset(view, 0, sizeof(*view));
	tool_guard_media(path);
	rc = pool_view(path, &view->pool, err, sizeof(err));
	if (rc)
		return tool_fail("%s", err);
	pool_info_get(view->pool, &view->info);
	pool_repl_get(view->pool, &view->repl);
	if (pool_medium_probe(path, &view->info.medium))
		view->info.medium = POOL_MEDIUM_FILE;
	rc = recover_open(view->pool, &view->found, err, sizeof(err));
	if (rc) {
		pool_close(&view->pool, false);
		return tool_fail("%s: %s", path, err);
	}
	return TOOL_OK;
}

void tool_view_close(struct tool_view *view)
{
	snap_put(&view->found.snap);
	pool_close(&view->pool, false);
}
