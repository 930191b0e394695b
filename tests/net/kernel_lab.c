/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The laboratory of the tests against the kernel: namespace, TAP device, wire and thread.
 */
#include "tests/net/kernel_lab.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"
#include "tests/net/invariants.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TAP_NAME  "wire0"
#define FRAME_MAX 2048u
#define BURST     64

struct klab_frame {
	struct klab_frame *next;
	struct klab_frame *prev;
	uint64_t at_us;
	enum klab_dir dir;
	uint32_t len;
	uint8_t bytes[];
};

uint64_t klab_clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static bool file_write(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_ok;

	if (fd < 0)
		return false;
	is_ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return is_ok;
}

bool klab_sysctl(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	return file_write(path, value);
}

const char *klab_namespace(void)
{
	char map[64];
	const uid_t uid = getuid();
	const gid_t gid = getgid();
	int fd;

	if (unshare(CLONE_NEWNET)) {
		/* Whoever is not root may be it in a user namespace. */
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			return "no right to make a network namespace";
		snprintf(map, sizeof(map), "0 %u 1", uid);
		file_write("/proc/self/setgroups", "deny");
		if (!file_write("/proc/self/uid_map", map))
			return "no right to map the user namespace";
		snprintf(map, sizeof(map), "0 %u 1", gid);
		file_write("/proc/self/gid_map", map);
	}
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "no /dev/net/tun";
	close(fd);
	return NULL;
}

static void must(bool is_ok, const char *what)
{
	if (is_ok)
		return;
	fprintf(stderr, "klab: %s: %s\n", what, strerror(errno));
	abort();
}

static void tap_ioctl(unsigned long req, struct ifreq *ifr, const char *what)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", TAP_NAME);
	must(fd >= 0 && ioctl(fd, req, ifr) == 0, what);
	close(fd);
}

static void tap_address(unsigned long req, uint32_t v4, const char *what)
{
	struct ifreq ifr = {0};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(v4)};

	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	tap_ioctl(req, &ifr, what);
}

void klab_tap_mtu(uint32_t mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	tap_ioctl(SIOCSIFMTU, &ifr, "mtu");
}

int klab_tap_open(uint32_t addr_v4, uint32_t mtu)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	must(fd >= 0, "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", TAP_NAME);
	must(ioctl(fd, TUNSETIFF, &ifr) == 0, "TUNSETIFF");
	file_write("/proc/sys/net/ipv6/conf/" TAP_NAME "/disable_ipv6", "1");
	klab_tap_mtu(mtu);
	tap_address(SIOCSIFADDR, addr_v4, "address");
	tap_address(SIOCSIFNETMASK, 0xffffff00u, "netmask");
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	tap_ioctl(SIOCSIFFLAGS, &ifr, "up");
	return fd;
}

static struct pkt *pool_alloc(struct pkt_pool *pool)
{
	struct klab_pool *kp = (struct klab_pool *)pool;
	struct pkt *p = calloc(1, sizeof(*p));

	must(p && (p->buf = malloc(kp->buf_len)), "packet");
	p->buf_len = kp->buf_len;
	p->data = p->buf + PKT_HEADROOM;
	kp->nr_out++;
	return p;
}

static void pool_free(struct pkt_pool *pool, struct pkt *p)
{
	((struct klab_pool *)pool)->nr_out--;
	free(p->buf);
	free(p);
}

static const struct pkt_pool_ops pool_ops = {pool_alloc, pool_free};

static uint64_t rng_next(struct klab *lab)
{
	lab->rng ^= lab->rng << 13;
	lab->rng ^= lab->rng >> 7;
	lab->rng ^= lab->rng << 17;
	return lab->rng;
}

static bool chance(struct klab *lab, uint32_t in_10000)
{
	return in_10000 && rng_next(lab) % 10000 < in_10000;
}

/* Puts a frame before whoever is at that end. */
static void frame_deliver(struct klab *lab, enum klab_dir dir, const uint8_t *bytes, uint32_t len)
{
	struct pkt *p;

	if (dir == KLAB_TO_KERNEL || lab->far_tap >= 0) {
		/* A full queue loses the frame, as queues do. */
		if (write(dir == KLAB_TO_KERNEL ? lab->tap : lab->far_tap, bytes, len) < 0)
			lab->nr_lost++;
		return;
	}
	p = pkt_alloc(&lab->pool.pool);
	if (len > pkt_tailroom(p)) {
		pkt_free(&lab->pool.pool, p);
		return;
	}
	memcpy(pkt_put(p, len), bytes, len);
	net_input(&lab->net, p);
}

/* What a congested router does to a packet that allows it (RFC 3168, 5). */
static void ce_mark(struct klab *lab, uint8_t *ip)
{
	uint16_t csum;

	ip[1] |= IP_ECN_CE;
	memset(ip + 10, 0, 2);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	lab->nr_marked++;
}

static void frame_queue(struct klab *lab, enum klab_dir dir, const uint8_t *bytes, uint32_t len)
{
	const struct klab_faults *f = &lab->faults[dir];
	struct klab_frame *n, *at = lab->tail;
	uint64_t at_us = lab->now_us + f->delay_us;

	if (chance(lab, f->reorder))
		at_us += rng_next(lab) % (f->reorder_us + 1);
	n = malloc(sizeof(*n) + len);
	must(n, "frame");
	n->at_us = at_us;
	n->dir = dir;
	n->len = len;
	memcpy(n->bytes, bytes, len);
	if (chance(lab, f->ce) && len > 34 && get_be16(bytes + 12) == ETH_TYPE_IPV4 &&
		(bytes[15] & IP_ECN_CE))
		ce_mark(lab, n->bytes + 14);
	if (chance(lab, f->corrupt) && len > 34 && get_be16(bytes + 12) == ETH_TYPE_IPV4) {
		const uint64_t bit = rng_next(lab) % ((len - 14) * 8);

		n->bytes[14 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		lab->nr_corrupt++;
	}
	while (at && at->at_us > at_us)
		at = at->prev;
	n->prev = at;
	n->next = at ? at->next : lab->head;
	*(at ? &at->next : &lab->head) = n;
	*(n->next ? &n->next->prev : &lab->tail) = n;
}

/* What a router on the way says of a packet that is too large (RFC 792, RFC 1191). */
static void too_big(struct klab *lab, enum klab_dir dir, const uint8_t *bytes, uint32_t mtu)
{
	uint8_t out[14 + 20 + 8 + 28] = {0}, *ip = out + 14, *icmp = ip + 20;
	uint16_t csum;

	lab->nr_too_big++;
	memcpy(out, bytes + 6, 6);
	memcpy(out + 6, bytes, 6);
	memcpy(out + 12, bytes + 12, 2);
	ip[0] = 0x45;
	put_be16(ip + 2, 20 + 8 + 28);
	ip[8] = 64;
	ip[9] = 1;
	memcpy(ip + 12, bytes + 14 + 16, 4);
	memcpy(ip + 16, bytes + 14 + 12, 4);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	icmp[0] = 3;
	icmp[1] = 4;
	put_be16(icmp + 6, (uint16_t)mtu);
	memcpy(icmp + 8, bytes + 14, 28);
	csum = csum_of(icmp, 36);
	memcpy(icmp + 2, &csum, 2);
	frame_queue(lab, dir == KLAB_TO_KERNEL ? KLAB_TO_STACK : KLAB_TO_KERNEL, out, sizeof(out));
}

/* A frame enters the wire. */
static void wire_take(struct klab *lab, enum klab_dir dir, const uint8_t *bytes, uint32_t len)
{
	const struct klab_faults *f = &lab->faults[dir];

	lab->nr_frames[dir]++;
	if (lab->is_dark || chance(lab, f->loss)) {
		lab->nr_lost++;
		return;
	}
	if (f->mtu && len > 14 + f->mtu && get_be16(bytes + 12) == ETH_TYPE_IPV4) {
		too_big(lab, dir, bytes, f->mtu);
		return;
	}
	if (!lab->head && !f->delay_us && !f->reorder && !f->corrupt && !f->dup && !f->ce &&
		dir == KLAB_TO_KERNEL) {
		frame_deliver(lab, dir, bytes, len);
		return;
	}
	frame_queue(lab, dir, bytes, len);
	if (chance(lab, f->dup))
		frame_queue(lab, dir, bytes, len);
}

static void stack_tx(void *ctx, struct pkt *p)
{
	struct klab *lab = ctx;

	wire_take(lab, KLAB_TO_KERNEL, p->data, p->len);
	pkt_free(&lab->pool.pool, p);
}

static bool frames_arrive(struct klab *lab)
{
	bool any = false;

	while (lab->head && lab->head->at_us <= lab->now_us) {
		struct klab_frame *f = lab->head;

		lab->head = f->next;
		*(f->next ? &f->next->prev : &lab->tail) = NULL;
		frame_deliver(lab, f->dir, f->bytes, f->len);
		free(f);
		any = true;
	}
	return any;
}

static bool tap_read(struct klab *lab, int fd, enum klab_dir dir)
{
	uint8_t bytes[FRAME_MAX];

	for (int i = 0; i < BURST; i++) {
		const ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n <= 0)
			return i > 0;
		wire_take(lab, dir, bytes, (uint32_t)n);
	}
	return true;
}

/* Sleeps until a frame, a call or a timer. */
static void lab_idle(struct klab *lab)
{
	struct pollfd pfd[3] = {
		{lab->tap, POLLIN, 0}, {lab->wake, POLLIN, 0}, {lab->far_tap, POLLIN, 0}};
	uint64_t next = lab->far_tap < 0 ? net_next_deadline(&lab->net) : UINT64_MAX;
	const uint64_t now = klab_clock_us();
	struct timespec ts = {0};
	uint64_t n;

	if (lab->head && lab->head->at_us < next)
		next = lab->head->at_us;
	if (next > now) {
		const uint64_t us = next - now < 1000000 ? next - now : 1000000;

		ts.tv_sec = (time_t)(us / 1000000);
		ts.tv_nsec = (long)(us % 1000000 * 1000);
	}
	if (ppoll(pfd, 3, &ts, NULL) > 0 && pfd[1].revents)
		must(read(lab->wake, &n, sizeof(n)) == sizeof(n), "eventfd");
}

/* Does what the main thread wants. False: stop. */
static bool call_serve(struct klab *lab)
{
	bool goes_on;

	pthread_mutex_lock(&lab->lock);
	if (lab->call) {
		lab->call(lab, lab->call_arg);
		lab->call = NULL;
		pthread_cond_signal(&lab->done);
	}
	goes_on = !lab->is_stopping;
	pthread_mutex_unlock(&lab->lock);
	return goes_on;
}

static void *lab_main(void *arg)
{
	struct klab *lab = arg;
	uint32_t round = 0;
	bool any;

	do {
		lab->now_us = klab_clock_us();
		if (lab->far_tap < 0)
			net_clock(&lab->net, lab->now_us);
		any = tap_read(lab, lab->tap, KLAB_TO_STACK);
		if (lab->far_tap >= 0)
			any = tap_read(lab, lab->far_tap, KLAB_TO_KERNEL) || any;
		any = frames_arrive(lab) || any;
		if (!call_serve(lab))
			break;
		if (lab->far_tap < 0) {
			net_run(&lab->net, lab->now_us);
			if (round++ % 64 == 0)
				tcp_invariants_check(&lab->net);
		}
		if (!any)
			lab_idle(lab);
	} while (true);
	return NULL;
}

void klab_init(struct klab *lab, uint64_t seed)
{
	const char *env = getenv("KLAB_SEED");
	struct ip_addr addr;

	/* A namespace each: no segment of one test's sockets reaches the next test's stack. */
	must(unshare(CLONE_NEWNET) == 0, "namespace");
	/* Whatever the machine's choice is: no pacing. */
	klab_sysctl("tcp_congestion_control", "reno");
	memset(lab, 0, sizeof(*lab));
	lab->seed = env ? strtoull(env, NULL, 0) : seed;
	lab->rng = lab->seed * 0x9e3779b97f4a7c15ull + 1;
	printf("seed %llu\n", (unsigned long long)lab->seed);
	net_cfg_defaults(&lab->cfg);
	addr = ip_addr_from_v4(KLAB_STACK_V4);
	net_cfg_add(&lab->cfg, &addr, 24);
	memcpy(lab->cfg.mac, (uint8_t[]){2, 0, 0, 0x63, 0, 2}, NET_MAC_LEN);
	memset(lab->cfg.secret, 0x5a, sizeof(lab->cfg.secret));
	lab->pool.pool.ops = &pool_ops;
	lab->pool.buf_len = FRAME_MAX;
	pthread_mutex_init(&lab->lock, NULL);
	pthread_cond_init(&lab->done, NULL);
}

void klab_up(struct klab *lab, uint32_t kernel_mtu, int far_tap)
{
	static const struct net_ops ops = {.tx = stack_tx};

	lab->far_tap = far_tap;
	lab->tap = klab_tap_open(KLAB_KERNEL_V4, kernel_mtu);
	lab->wake = eventfd(0, EFD_CLOEXEC);
	must(lab->wake >= 0, "eventfd");
	if (far_tap < 0)
		must(net_init(&lab->net, &lab->cfg, &lab->pool.pool, &ops, lab, klab_clock_us()) ==
				0,
			"net_init");
	must(pthread_create(&lab->thread, NULL, lab_main, lab) == 0, "thread");
	lab->is_up = true;
}

static void lab_wake(struct klab *lab)
{
	const uint64_t one = 1;

	must(write(lab->wake, &one, sizeof(one)) == sizeof(one), "eventfd");
}

uint32_t klab_down(struct klab *lab)
{
	if (!lab->is_up)
		return 0;
	pthread_mutex_lock(&lab->lock);
	lab->is_stopping = true;
	pthread_mutex_unlock(&lab->lock);
	lab_wake(lab);
	pthread_join(lab->thread, NULL);
	lab->is_up = false;
	if (lab->far_tap < 0)
		net_fini(&lab->net);
	else
		close(lab->far_tap);
	while (lab->head) {
		struct klab_frame *f = lab->head;

		lab->head = f->next;
		free(f);
	}
	close(lab->tap);
	close(lab->wake);
	pthread_mutex_destroy(&lab->lock);
	pthread_cond_destroy(&lab->done);
	return lab->pool.nr_out;
}

void klab_call(struct klab *lab, void (*fn)(struct klab *lab, void *arg), void *arg)
{
	pthread_mutex_lock(&lab->lock);
	lab->call = fn;
	lab->call_arg = arg;
	lab_wake(lab);
	while (lab->call)
		pthread_cond_wait(&lab->done, &lab->lock);
	pthread_mutex_unlock(&lab->lock);
}

struct faults_arg {
	enum klab_dir dir;
	struct klab_faults f;
};

static void faults_set(struct klab *lab, void *arg)
{
	const struct faults_arg *a = arg;

	lab->faults[a->dir] = a->f;
}

void klab_set_faults(struct klab *lab, enum klab_dir dir, struct klab_faults f)
{
	struct faults_arg a = {dir, f};

	klab_call(lab, faults_set, &a);
}

static void dark_set(struct klab *lab, void *arg)
{
	lab->is_dark = *(const bool *)arg;
}

void klab_set_dark(struct klab *lab, bool is_dark)
{
	klab_call(lab, dark_set, &is_dark);
}

uint64_t klab_ctr(struct klab *lab, enum net_ctr ctr)
{
	return net_counter_read(&lab->net.counters.ctrs[ctr]);
}

struct wait_arg {
	bool (*pred)(struct klab *lab, void *arg);
	void *arg;
	bool is_true;
};

static void wait_look(struct klab *lab, void *arg)
{
	struct wait_arg *w = arg;

	w->is_true = w->pred(lab, w->arg);
}

bool klab_wait(struct klab *lab, bool (*pred)(struct klab *lab, void *arg), void *arg, uint32_t ms)
{
	const uint64_t end_us = klab_clock_us() + ms * 1000ull;
	struct wait_arg w = {pred, arg, false};

	for (;;) {
		klab_call(lab, wait_look, &w);
		if (w.is_true || klab_clock_us() > end_us)
			return w.is_true;
		usleep(1000);
	}
}
