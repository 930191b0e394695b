/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A long transfer both ways over a bad wire, between the stack and the kernel, or, as the measure,
 * between two kernels. To be run by hand:
 *
 *	kernel_soak [megabytes each way] [loss %] [reorder %] [duplicated %] [delay us] [who]
 *
 * who: "both" (stack and kernel stream at once, the default), "out" (only the stack sends), "in"
 * (only the kernel does); with "linux-" in front a second kernel is in the stack's place.
 */
#include "tests/net/kernel_ends.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct soak {
	struct klab lab;
	struct kapp app;
	struct kflow near;
	struct kflow far;
	bool is_linux;
	int far_tap;
	pthread_barrier_t gate;
	pthread_t thread;
	bool far_ok;
};

/* The stack's own default, so that kernel and stack share the wire on equal terms. */
static void cubic(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
		printf("no cubic here\n");
}

/* What the kernel's TCP of this thread's namespace counted. */
static void kernel_counts(const char *who)
{
	static const char *const names[] = {"TCPTimeouts", "TCPLossProbes", "TCPSackRecovery",
		"TCPFastRetrans", "TCPSlowStartRetrans", "TCPLostRetransmit", "DelayedACKs"};
	static char head[16384], line[16384];
	FILE *f = fopen("/proc/thread-self/net/netstat", "re");
	char *h, *v, *hs, *vs;

	if (!f || !fgets(head, sizeof(head), f) || !fgets(line, sizeof(line), f))
		abort();
	fclose(f);
	printf("%s:", who);
	h = strtok_r(head, " \n", &hs);
	v = strtok_r(line, " \n", &vs);
	while (h && v) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (strcmp(h, names[i]) == 0)
				printf(" %s %s", h, v);
		}
		h = strtok_r(NULL, " \n", &hs);
		v = strtok_r(NULL, " \n", &vs);
	}
	printf("\n");
}

/* The other kernel, in a namespace of this thread's own. */
static void *far_main(void *arg)
{
	struct soak *s = arg;
	int lfd, fd;

	if (unshare(CLONE_NEWNET))
		abort();
	klab_sysctl("tcp_congestion_control", "reno");
	s->far_tap = klab_tap_open(KLAB_STACK_V4, 1500);
	lfd = ksock_listen(KEND_PORT, 1);
	cubic(lfd);
	pthread_barrier_wait(&s->gate);
	fd = ksock_accept(lfd, 10000);
	s->far_ok = fd >= 0 && ksock_flow(fd, &s->far, 600000);
	kernel_counts("far kernel");
	pthread_barrier_wait(&s->gate);
	close(fd);
	close(lfd);
	return NULL;
}

static bool app_has_all(struct klab *lab, void *arg)
{
	const struct kapp *app = arg;

	return app->rx_wrong || app->rx_done >= *(const uint64_t *)(app + 1);
}

static void report(struct soak *s, int fd, double secs)
{
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti);
	const double mb = (double)(s->near.rx_done + s->near.tx_done) / 1e6;

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
	printf("%.2f s, %.1f MB/s over both ways; wire: %llu + %llu frames, %llu lost, %llu bad\n",
		secs, mb / secs, (unsigned long long)s->lab.nr_frames[KLAB_TO_STACK],
		(unsigned long long)s->lab.nr_frames[KLAB_TO_KERNEL],
		(unsigned long long)s->lab.nr_lost, (unsigned long long)s->lab.nr_corrupt);
	printf("longest wait of the near kernel %.1f ms; its retransmissions %u\n",
		(double)s->near.rx_stall_us / 1000, ti.tcpi_total_retrans);
	kernel_counts("near kernel");
	if (s->is_linux)
		return;
	for (int i = 0; i < NR_NET_CTRS; i++) {
		if (s->lab.net.counters.ctrs[i])
			printf("  %s %llu\n", net_ctr_info[i].name,
				(unsigned long long)s->lab.net.counters.ctrs[i]);
	}
	for (int i = 0; i < NR_DROPS; i++) {
		if (s->lab.net.counters.drops[i])
			printf("  drop %s %llu\n", net_drop_info[i].name,
				(unsigned long long)s->lab.net.counters.drops[i]);
	}
}

static uint32_t per_10000(const char *percent)
{
	return (uint32_t)(atof(percent) * 100 + 0.5);
}

static bool run(struct soak *s, const char *who, uint64_t bytes, struct klab_faults f)
{
	struct {
		struct kapp app;
		uint64_t total;
	} end = {.app = {0}};
	uint64_t t0;
	bool is_ok;
	int fd;

	s->is_linux = strncmp(who, "linux-", 6) == 0;
	who += s->is_linux ? 6 : 0;
	if (strcmp(who, "in") != 0)
		end.app.tx_total = s->far.tx_total = s->near.rx_total = bytes;
	if (strcmp(who, "out") != 0)
		end.total = s->far.rx_total = s->near.tx_total = bytes;
	s->far_tap = -1;
	if (s->is_linux) {
		pthread_barrier_init(&s->gate, NULL, 2);
		pthread_create(&s->thread, NULL, far_main, s);
		pthread_barrier_wait(&s->gate);
	}
	klab_up(&s->lab, 1500, s->far_tap);
	if (!s->is_linux)
		kapp_listen(&s->lab, &end.app, 16);
	fd = ksock_connect(KEND_PORT, 10000);
	cubic(fd);
	klab_set_faults(&s->lab, KLAB_TO_STACK, f);
	klab_set_faults(&s->lab, KLAB_TO_KERNEL, f);
	t0 = klab_clock_us();
	is_ok = fd >= 0 && ksock_flow(fd, &s->near, 600000);
	if (s->is_linux) {
		pthread_barrier_wait(&s->gate);
		is_ok = is_ok && s->far_ok;
	} else {
		is_ok = is_ok && klab_wait(&s->lab, app_has_all, &end, 60000) && !end.app.rx_wrong;
	}
	report(s, fd, (double)(klab_clock_us() - t0) / 1e6);
	if (s->is_linux)
		pthread_join(s->thread, NULL);
	close(fd);
	return klab_down(&s->lab) == 0 && is_ok;
}

int main(int argc, char **argv)
{
	static struct soak s;
	const char *why = klab_namespace();
	const uint64_t bytes = strtoull(argc > 1 ? argv[1] : "2048", NULL, 0) << 20;
	struct klab_faults f = {.reorder_us = 500};
	bool is_ok;

	if (why) {
		printf("skipped: %s\n", why);
		return KLAB_SKIP;
	}
	pattern_setup();
	f.loss = per_10000(argc > 2 ? argv[2] : "1");
	f.reorder = per_10000(argc > 3 ? argv[3] : "1");
	f.dup = per_10000(argc > 4 ? argv[4] : "1");
	f.delay_us = (uint32_t)atoi(argc > 5 ? argv[5] : "0");
	klab_init(&s.lab, 1);
	is_ok = run(&s, argc > 6 ? argv[6] : "both", bytes, f);
	printf("%s\n", is_ok ? "exact" : "FAILED");
	return is_ok ? 0 : 1;
}
