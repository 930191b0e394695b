/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/media_guard.h"

#include "persist/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS_MAX 20

/* Made beforehand, since a handler may not format. */
static char before[1024], behind[512];
static char log_path[1024];
static struct pool *_Atomic watched;
static atomic_flag told;

static void put(const char *text, size_t len)
{
	int fd = log_path[0] ? open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (write(STDERR_FILENO, text, len) < 0 && fd < 0)
		return; /* there is nobody who could be told */
	if (fd >= 0 && write(fd, text, len) < 0)
		close(fd);
}

static void tell(uint64_t off)
{
	char line[sizeof(before) + sizeof(behind) + DIGITS_MAX], digits[DIGITS_MAX];
	size_t len = strlen(before), nr = 0;

	memcpy(line, before, len);
	do
		digits[nr++] = (char)('0' + off % 10);
	while ((off /= 10) > 0);
	while (nr > 0)
		line[len++] = digits[--nr];
	memcpy(line + len, behind, strlen(behind));
	put(line, len + strlen(behind));
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
	struct pool *pool = atomic_load(&watched);
	uint64_t off;

	if (!pool || !pool_holds(pool, info->si_addr, &off)) {
		signal(SIGBUS, SIG_DFL); /* the instruction fails again, and ends the process */
		return;
	}
	if (!atomic_flag_test_and_set(&told))
		tell(off);
	_exit(EXIT_FAILURE); /* nothing more is written, sent or acknowledged */
}

void media_guard_start(struct server *srv)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	snprintf(before, sizeof(before),
		"%d:M # pool %s: the medium cannot be read or written at byte ", srv->pid,
		srv->cfg->pmem_file);
	snprintf(behind, sizeof(behind),
		": a part of it is damaged, or the file was cut short. The node stops. millrace-pool check "
		"tells what is lost; with the file moved away and replicaof, a replica brings all of it "
		"back\n");
	if (srv->cfg->logfile)
		snprintf(log_path, sizeof(log_path), "%s", srv->cfg->logfile);
	atomic_store(&watched, srv->pool);
	sigaction(SIGBUS, &sa, NULL);
}

void media_guard_stop(void)
{
	atomic_store(&watched, NULL);
}
