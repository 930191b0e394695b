/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace: set-up from top to bottom, teardown in reverse.
 */
#include "app/acl/start.h"
#include "app/appcore.h"
#include "app/check.h"
#include "app/commands/command.h"
#include "app/commands/script_run.h"
#include "app/config.h"
#include "app/config_apply.h"
#include "app/control.h"
#include "app/flusher.h"
#include "app/latency.h"
#include "app/network.h"
#include "app/pool_size.h"
#include "app/pubsub.h"
#include "app/recovery.h"
#include "app/replication.h"
#include "app/server.h"
#include "app/slowlog.h"
#include "app/snapshot.h"
#include "app/store.h"
#include "app/telemetry.h"
#include "app/threads.h"
#include "dataplane/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERR_LEN 512

static const char usage[] =
	"Usage: millrace [file] [--directive value ...]\n"
	"       millrace --check [file] [--directive value ...]   report what would be used, start nothing\n"
	"       millrace --version | --help\n"
	"\n"
	"The file has the syntax of redis.conf; \"-\" reads it from standard input. Examples:\n"
	"  millrace --port 7000 --pmem-file /mnt/pmem0/node.pool --pmem-size 8gb\n"
	"  millrace node.conf --nic 0000:01:00.0 --nic-address 10.0.0.2/24 --poll-cores 1-3\n"
	"  millrace --port 7001 --replicaof 10.0.0.2 6379\n";

static void write_pidfile(struct server *srv)
{
	FILE *f;

	if (!srv->cfg->pidfile || !srv->cfg->pidfile[0])
		return;
	f = fopen(srv->cfg->pidfile, "w");
	if (!f || fprintf(f, "%d\n", srv->pid) < 0)
		server_log(srv, 3, "pidfile %s cannot be written: %s", srv->cfg->pidfile,
			strerror(errno));
	if (f)
		fclose(f);
}

/* Before anything is said: a node that nobody hears is not started. */
static int check_logfile(struct server *srv, char *err)
{
	const char *path = srv->cfg->logfile;
	int fd;

	if (!path || !path[0])
		return 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		snprintf(err, ERR_LEN, "logfile %s cannot be opened: %s", path, strerror(errno));
		return -errno;
	}
	close(fd);
	return 0;
}

static int enter_dir(struct server *srv, char *err)
{
	if (!srv->cfg->dir || !srv->cfg->dir[0] || chdir(srv->cfg->dir) == 0)
		return 0;
	snprintf(err, ERR_LEN, "dir %s: %s", srv->cfg->dir, strerror(errno));
	return -errno;
}

static int daemonize(struct server *srv, char *err)
{
	if (!srv->cfg->daemonize)
		return 0;
	if (daemon(1, 0)) {
		snprintf(err, ERR_LEN, "daemonize: %s", strerror(errno));
		return -errno;
	}
	srv->pid = getpid();
	return 0;
}

static int observers_create(struct server *srv)
{
	srv->slowlog = slowlog_create();
	srv->latency = latency_create();
	return srv->slowlog && srv->latency ? pubsub_create(srv) : -ENOMEM;
}

/* Everything between configuration and serving. What was set up is taken down by stop(). */
static int start(struct server *srv, char *err)
{
	int rc;

	snprintf(err, ERR_LEN, "out of memory");
	if ((rc = enter_dir(srv, err)) || (rc = acl_start(srv, err, ERR_LEN)) ||
		(rc = daemonize(srv, err)))
		return rc;
	if ((rc = observers_create(srv)) || (rc = scripts_create(srv)) ||
		(rc = repl_create(srv, &srv->repl)) || (rc = snapshot_create(srv)))
		return rc;
	if ((rc = network_eal_start(srv, err, ERR_LEN)))
		return rc;
	if ((rc = threads_create_cores(srv, err, ERR_LEN)))
		return rc;
	/* Before a pool is made for a node that cannot serve. */
	if ((rc = control_create(srv, &srv->control, err, ERR_LEN)))
		return rc;
	if ((rc = store_open(srv, err, ERR_LEN)))
		return rc;
	if ((rc = listeners_create(srv)) || (rc = tracking_create(srv)))
		return rc;
	repl_setup_role(srv);
	if ((rc = recovery_begin(srv, err, ERR_LEN)))
		return rc;
	pool_size_setup(srv);
	if ((rc = store_open_writers(srv, err, ERR_LEN)))
		return rc;
	if ((rc = recovery_start_empty(srv, err, ERR_LEN)))
		return rc;
	if ((rc = network_start(srv, err, ERR_LEN)))
		return rc;
	if ((rc = flusher_start(srv, &srv->flusher)))
		return rc;
	telemetry_start(srv);
	return threads_start(srv, err, ERR_LEN);
}

static void stop(struct server *srv, bool clean)
{
	telemetry_stop(srv);
	threads_stop(srv);
	recovery_destroy(srv);
	flusher_stop(&srv->flusher);
	network_stop(srv);
	control_destroy(&srv->control);
	repl_destroy(&srv->repl);
	snapshot_destroy(srv);
	tracking_destroy(srv);
	listeners_destroy(srv);
	store_close(srv, clean);
	threads_destroy_cores(srv);
	network_eal_stop(srv);
	pubsub_destroy(srv);
	scripts_destroy(srv);
	slowlog_destroy(&srv->slowlog);
	latency_destroy(&srv->latency);
	if (clean && srv->cfg->pidfile && srv->cfg->pidfile[0])
		unlink(srv->cfg->pidfile);
}

static void announce(struct server *srv)
{
	server_log(srv, 2, "millrace %s (speaks Redis %s) starts, PID: %d", MILLRACE_VERSION,
		MILLRACE_REDIS_VERSION, srv->pid);
	if (srv->config_file[0] == 0)
		server_log(srv, 2, "no configuration file: defaults and the command line are used");
}

/* The control thread reads these from a signalfd: no thread, EAL's included, may take them. A peer
 * that has gone is an error of the write, no signal. */
static void signals_block(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not be longer: as well */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int serve(struct server *srv)
{
	char err[ERR_LEN] = "";
	int rc;

	if (check_logfile(srv, err)) {
		fprintf(stderr, "millrace: %s\n", err);
		return EXIT_FAILURE;
	}
	announce(srv);
	signals_block();
	config_apply_setup(srv);
	rc = start(srv, err);
	if (rc) {
		server_log(srv, 3, "cannot start: %s", err[0] ? err : strerror(-rc));
		fprintf(stderr, "millrace: %s\n", err[0] ? err : strerror(-rc));
		stop(srv, false);
		return EXIT_FAILURE;
	}
	write_pidfile(srv);
	server_log(srv, 2, "Server initialized, PID: %d", srv->pid);
	rc = control_run(srv->control, err, ERR_LEN);
	if (rc) {
		server_log(srv, 3, "cannot start: %s", err);
		fprintf(stderr, "millrace: %s\n", err);
	}
	/* Of a set that was not loaded to its end, nothing is known to be whole. */
	stop(srv, !atomic_load(&srv->loading));
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct server server;
	struct server *srv = &server;
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
	char err[ERR_LEN] = "";
	int rc;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
		printf("millrace %s (speaks Redis %s)\n", MILLRACE_VERSION, MILLRACE_REDIS_VERSION);
		return EXIT_SUCCESS;
	}
	setlocale(LC_COLLATE, "");      /* for SORT ALPHA */
	prctl(PR_SET_TIMERSLACK, 1000); /* short sleeps of an idle core stay short */
	server_init(srv);
	command_table_setup();
	srv->cfg = config_create();
	if (!srv->cfg)
		return EXIT_FAILURE;
	if (acl_setup(srv))
		return EXIT_FAILURE;
	rc = config_load(srv->cfg, argc - 1 - check, argv + 1 + check, srv->config_file,
		sizeof(srv->config_file), err, sizeof(err));
	if (rc) {
		fprintf(stderr, "millrace: %s\n", err);
		return EXIT_FAILURE;
	}
	rc = check ? check_run(srv) : serve(srv);
	acl_teardown(srv);
	config_destroy(&srv->cfg);
	return rc;
}
