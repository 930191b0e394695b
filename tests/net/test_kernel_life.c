/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The life of connections between the stack and the kernel's TCP: how they open, stop, go on and
 * end, and that nothing is left of them.
 */
#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"
#include "tests/net/kernel_ends.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MB       (1ull << 20)
#define LIMIT_MS 20000u

static void up(struct klab *lab, uint64_t seed)
{
	klab_init(lab, seed);
	klab_up(lab, 1500, -1);
}

/* The kernel connects to the app. */
static int up_connected(struct klab *lab, struct kapp *app, uint64_t seed)
{
	int fd;

	up(lab, seed);
	kapp_listen(lab, app, 16);
	fd = ksock_connect(KEND_PORT, LIMIT_MS);
	assert_true(fd >= 0);
	assert_true(klab_wait(lab, kapp_has_conn, app, LIMIT_MS));
	return fd;
}

static bool is_window_shut(struct klab *lab, void *arg)
{
	struct tcp_conn_info info;

	tcp_conn_info(((struct kapp *)arg)->conn, &info);
	return info.snd_wnd_bytes < info.mss && info.inflight_bytes == 0;
}

static void a_kernel_that_does_not_read_stops_us_until_it_does(void **state)
{
	struct klab lab;
	struct kapp app = {.tx_total = 32 * MB};
	struct kflow flow = {.rx_total = 32 * MB};
	int fd = up_connected(&lab, &app, 1);

	assert_true(klab_wait(&lab, is_window_shut, &app, LIMIT_MS));
	usleep(1200000);
	assert_true(klab_ctr(&lab, NET_CTR_PERSIST) >= 1);
	assert_int_equal(klab_ctr(&lab, NET_CTR_RTO), 0);
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

static bool is_our_window_shut(struct klab *lab, void *arg)
{
	struct tcp_conn_info info;

	tcp_conn_info(((struct kapp *)arg)->conn, &info);
	return info.rcv_wnd_bytes < info.mss;
}

struct resume_watch {
	struct kapp *app;
	uint64_t goal;
};

static bool has_come(struct klab *lab, void *arg)
{
	const struct resume_watch *w = arg;

	return w->app->rx_done >= w->goal;
}

/* The kernel fills our window; its probes slow down. When we take data again it must hear so at
   once, not at its next probe. */
static void resuming_tells_the_kernel_at_once(void **state)
{
	struct klab lab;
	struct kapp app = {.is_paused = true};
	struct kflow flow = {.tx_total = 24 * MB, .may_stop = true};
	struct resume_watch watch = {.app = &app, .goal = 8 * MB};
	int fd = up_connected(&lab, &app, 2);
	uint64_t t0;

	while (flow.tx_done < flow.tx_total) {
		const uint64_t before = flow.tx_done;

		ksock_flow(fd, &flow, 100);
		if (flow.tx_done == before)
			break;
	}
	assert_int_equal(flow.error, 0);
	assert_true(flow.tx_done < flow.tx_total && flow.tx_done > MB);
	assert_true(klab_wait(&lab, is_our_window_shut, &app, LIMIT_MS));
	usleep(1500000); /* the kernel's next probe is now most of a second away */
	watch.goal = flow.tx_done;
	t0 = klab_clock_us();
	klab_call(&lab, kapp_resume, &app);
	assert_true(klab_wait(&lab, has_come, &watch, LIMIT_MS));
	assert_true(klab_clock_us() - t0 < 400000);
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	watch.goal = flow.tx_total;
	assert_true(klab_wait(&lab, has_come, &watch, LIMIT_MS));
	assert_int_equal(app.rx_wrong, 0);
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

static void app_pause(struct klab *lab, void *arg)
{
	((struct kapp *)arg)->is_paused = true;
}

/* As a node does that waits for its log. */
static void pausing_again_and_again_loses_nothing(void **state)
{
	struct klab lab;
	struct kapp app = {0};
	struct kflow flow = {.may_stop = true};
	struct resume_watch watch = {.app = &app};
	int fd = up_connected(&lab, &app, 3);

	for (int i = 0; i < 40; i++) {
		const uint64_t at = app.rx_done;

		klab_call(&lab, app_pause, &app);
		flow.tx_total = flow.tx_done + (i % 4) * MB / 2 + 1000;
		ksock_flow(fd, &flow, 20);
		klab_call(&lab, kapp_resume, &app);
		assert_true(ksock_flow(fd, &flow, LIMIT_MS));
		assert_true(app.rx_done >= at);
	}
	watch.goal = flow.tx_done;
	assert_true(klab_wait(&lab, has_come, &watch, LIMIT_MS));
	assert_int_equal(app.rx_done, flow.tx_done);
	assert_int_equal(app.rx_wrong, 0);
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

static bool has_eof(struct klab *lab, void *arg)
{
	return ((struct kapp *)arg)->nr_eof > 0;
}

static void feed_4_mb(struct klab *lab, void *arg)
{
	struct kapp *app = arg;
	uint8_t bytes[65536];

	for (int i = 0; i < 64; i++) {
		pattern_get(app->tx_done, bytes, sizeof(bytes));
		BUG_ON(obuf_append(tcp_conn_obuf(app->conn), bytes, sizeof(bytes)));
		app->tx_done += sizeof(bytes);
	}
	tcp_conn_push(app->conn);
	tcp_conn_shutdown(app->conn);
}

static void we_send_on_after_the_kernels_half_close(void **state)
{
	struct klab lab;
	struct kapp app = {0};
	struct kflow flow = {.tx_total = 1000, .shut_at_end = true};
	int fd = up_connected(&lab, &app, 4);

	flow.is_eof = true; /* ours comes later */
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	assert_true(klab_wait(&lab, has_eof, &app, LIMIT_MS));
	assert_int_equal(app.rx_done, 1000);
	klab_call(&lab, feed_4_mb, &app);
	flow.rx_total = 4 * MB;
	flow.is_eof = false;
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.reason, 0);
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

static void the_kernel_sends_on_after_our_half_close(void **state)
{
	struct klab lab;
	struct kapp app = {.tx_total = 1000, .shutdown_at_end = true};
	struct kflow flow = {.rx_total = 1000}, more = {.tx_total = 4 * MB};
	int fd = up_connected(&lab, &app, 5);
	struct resume_watch watch = {.app = &app, .goal = 4 * MB};

	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	assert_int_equal(ksock_verdict(fd, LIMIT_MS), 0);
	more.is_eof = true;
	assert_true(ksock_flow(fd, &more, LIMIT_MS));
	close(fd);
	assert_true(klab_wait(&lab, has_come, &watch, LIMIT_MS));
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.rx_wrong, 0);
	assert_int_equal(app.nr_eof, 1);
	assert_int_equal(app.reason, 0);
	assert_int_equal(klab_down(&lab), 0);
}

static void closing_with_unread_data_resets_us(void **state)
{
	struct klab lab;
	struct kapp app = {.tx_total = 8 * MB};
	int fd = up_connected(&lab, &app, 6);

	usleep(20000);
	close(fd);
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.reason, ECONNRESET);
	assert_int_equal(klab_down(&lab), 0);
}

static void our_reset_reaches_the_kernel(void **state)
{
	struct klab lab;
	struct kapp app = {.tx_total = 8 * MB};
	int fd = up_connected(&lab, &app, 7);

	klab_call(&lab, kapp_abort, &app);
	assert_int_equal(ksock_verdict(fd, LIMIT_MS), ECONNRESET);
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.reason, ECONNABORTED);
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

static void ports_without_listener_refuse_both_ways(void **state)
{
	struct klab lab;
	struct kapp app = {0};

	up(&lab, 8);
	assert_int_equal(ksock_connect(1, LIMIT_MS), -1);
	assert_int_equal(errno, ECONNREFUSED);
	kapp_connect(&lab, &app, 1);
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.reason, ECONNREFUSED);
	assert_int_equal(klab_down(&lab), 0);
}

/* A SYN of a station that does not exist: its half-open connection stays. */
static void syn_forge(struct klab *lab, void *arg)
{
	uint8_t frame[54] = {0}, *ip = frame + 14, *tcp = ip + 20;
	struct pkt *p = pkt_alloc(lab->net.pool);
	uint64_t sum;
	uint16_t csum;

	memcpy(frame, lab->cfg.mac, 6);
	memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0, 9}, 6);
	put_be16(frame + 12, ETH_TYPE_IPV4);
	ip[0] = 0x45;
	put_be16(ip + 2, 40);
	ip[8] = 64;
	ip[9] = IP_PROTO_TCP;
	put_be32(ip + 12, KLAB_KERNEL_V4 + 100);
	put_be32(ip + 16, KLAB_STACK_V4);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	put_be16(tcp, 1000);
	put_be16(tcp + 2, KEND_PORT);
	tcp[12] = 5 << 4;
	tcp[13] = TCP_SYN;
	put_be16(tcp + 14, 1000);
	sum = csum_pseudo_v4(be32(KLAB_KERNEL_V4 + 100), be32(KLAB_STACK_V4), IP_PROTO_TCP, 20);
	csum = (uint16_t)~csum_fold(csum_add(sum, tcp, 20));
	memcpy(tcp + 16, &csum, 2);
	memcpy(pkt_put(p, sizeof(frame)), frame, sizeof(frame));
	net_input(&lab->net, p);
}

static void cookies(uint64_t seed, const char *timestamps)
{
	struct klab lab;
	struct kapp app = {.echo = true, .close_at_eof = true};

	up(&lab, seed);
	assert_true(klab_sysctl("tcp_timestamps", timestamps));
	kapp_listen(&lab, &app, 1);
	klab_call(&lab, syn_forge, NULL);
	for (int i = 0; i < 20; i++) {
		struct kflow flow = {.tx_total = 300000, .rx_total = 300000, .shut_at_end = true};
		int fd = ksock_connect(KEND_PORT, LIMIT_MS);

		assert_true(fd >= 0);
		assert_true(ksock_flow(fd, &flow, LIMIT_MS));
		close(fd);
	}
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(klab_ctr(&lab, NET_CTR_COOKIES_OK), 20);
	assert_int_equal(klab_ctr(&lab, NET_CTR_COOKIES_BAD), 0);
	assert_int_equal(klab_down(&lab), 0);
}

static void the_kernel_connects_by_cookie(void **state)
{
	cookies(9, "1");
}

static void the_kernel_connects_by_cookie_without_timestamps(void **state)
{
	cookies(10, "0");
}

static bool is_empty(struct klab *lab, void *arg)
{
	struct tcp_gauges g;

	tcp_gauges_read(&lab->net, &g);
	return g.conns == 0 && g.half_open == 0 && g.rx_pkts == 0 && lab->pool.nr_out == 0 &&
	       lab->net.obufs.used_bytes == 0;
}

/* The kernel opens; by turns it and we close first, or it resets. */
static void of_1000_connections_nothing_stays(void **state)
{
	struct klab lab;
	struct kapp app = {.echo = true, .close_at_eof = true};
	struct linger reset = {1, 0};
	struct tcp_gauges g;

	up(&lab, 11);
	kapp_listen(&lab, &app, 64);
	for (int i = 0; i < 1000; i++) {
		struct kflow flow = {.tx_total = 100, .rx_total = 100};
		int fd = ksock_connect(KEND_PORT, LIMIT_MS);

		assert_true(fd >= 0);
		assert_true(ksock_flow(fd, &flow, LIMIT_MS));
		if (i % 4 == 1) {
			klab_call(&lab, kapp_close, &app);
			assert_int_equal(ksock_verdict(fd, LIMIT_MS), 0);
		} else if (i % 4 == 2) {
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		}
		close(fd);
	}
	assert_true(klab_wait(&lab, is_empty, NULL, LIMIT_MS));
	assert_int_equal(app.nr_accept, 1000);
	assert_int_equal(app.nr_closed, 1000);
	tcp_gauges_read(&lab.net, &g);
	assert_true(g.timewait >= 200 && g.timewait <= 260);
	assert_int_equal(klab_down(&lab), 0);
}

static bool has_connected(struct klab *lab, void *arg)
{
	const struct kapp *app = arg;

	return app->nr_connected > 0;
}

static void of_300_connections_we_open_nothing_stays(void **state)
{
	struct klab lab;
	int lfd;

	up(&lab, 12);
	lfd = ksock_listen(KEND_PORT, 64);
	assert_true(lfd >= 0);
	for (int i = 0; i < 300; i++) {
		struct kapp app = {.tx_total = 100, .shutdown_at_end = true, .close_at_eof = true};
		struct kflow flow = {.tx_total = 100, .rx_total = 100, .shut_at_end = true};
		int fd;

		kapp_connect(&lab, &app, KEND_PORT);
		fd = ksock_accept(lfd, LIMIT_MS);
		assert_true(fd >= 0);
		assert_true(klab_wait(&lab, has_connected, &app, LIMIT_MS));
		assert_true(ksock_flow(fd, &flow, LIMIT_MS));
		close(fd);
		assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	}
	assert_true(klab_wait(&lab, is_empty, NULL, LIMIT_MS));
	close(lfd);
	assert_int_equal(klab_down(&lab), 0);
}

static void keepalive_quick(struct klab *lab, void *arg)
{
	tcp_conn_set_keepalive(((struct kapp *)arg)->conn, 200000, 200000, 3);
}

static void keepalive_keeps_the_living_and_ends_the_dead(void **state)
{
	struct klab lab;
	struct kapp app = {0};
	int fd = up_connected(&lab, &app, 13);

	klab_call(&lab, keepalive_quick, &app);
	usleep(1500000);
	assert_true(klab_ctr(&lab, NET_CTR_KEEPALIVE) >= 4);
	assert_int_equal(app.nr_closed, 0);
	klab_set_dark(&lab, true);
	assert_true(klab_wait(&lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.reason, ETIMEDOUT);
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

static void the_kernels_keepalive_is_answered(void **state)
{
	struct klab lab;
	struct kapp app = {.echo = true};
	struct kflow flow = {.tx_total = 100, .rx_total = 100};
	int fd = up_connected(&lab, &app, 14), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &one, sizeof(one));
	assert_int_equal(ksock_verdict(fd, 3500), -1);
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

/* Nothing gets through for two seconds, in the middle of two streams. */
static void a_dark_link_is_survived(void **state)
{
	struct klab lab;
	struct kapp app = {.tx_total = 24 * MB};
	struct kflow flow = {.tx_total = 4 * MB, .rx_total = 4 * MB, .may_stop = true};
	struct resume_watch watch = {.app = &app, .goal = 24 * MB};
	int fd = up_connected(&lab, &app, 15);
	uint64_t t0, rto;

	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	klab_set_dark(&lab, true);
	rto = klab_ctr(&lab, NET_CTR_RTO);
	flow.tx_total = flow.rx_total = 24 * MB;
	ksock_flow(fd, &flow, 2000);
	/* 0.2, 0.4, 0.8 s: the fourth comes when three seconds are over. */
	rto = klab_ctr(&lab, NET_CTR_RTO) - rto;
	assert_true(rto >= 2 && rto <= 5);
	klab_set_dark(&lab, false);
	t0 = klab_clock_us();
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	assert_true(klab_wait(&lab, has_come, &watch, LIMIT_MS));
	assert_true(klab_clock_us() - t0 < 8000000);
	assert_int_equal(app.rx_wrong, 0);
	close(fd);
	assert_int_equal(klab_down(&lab), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_that_does_not_read_stops_us_until_it_does),
		cmocka_unit_test(resuming_tells_the_kernel_at_once),
		cmocka_unit_test(pausing_again_and_again_loses_nothing),
		cmocka_unit_test(we_send_on_after_the_kernels_half_close),
		cmocka_unit_test(the_kernel_sends_on_after_our_half_close),
		cmocka_unit_test(closing_with_unread_data_resets_us),
		cmocka_unit_test(our_reset_reaches_the_kernel),
		cmocka_unit_test(ports_without_listener_refuse_both_ways),
		cmocka_unit_test(the_kernel_connects_by_cookie),
		cmocka_unit_test(the_kernel_connects_by_cookie_without_timestamps),
		cmocka_unit_test(of_1000_connections_nothing_stays),
		cmocka_unit_test(of_300_connections_we_open_nothing_stays),
		cmocka_unit_test(keepalive_keeps_the_living_and_ends_the_dead),
		cmocka_unit_test(the_kernels_keepalive_is_answered),
		cmocka_unit_test(a_dark_link_is_survived),
	};
	const char *why = klab_namespace();

	if (why) {
		printf("skipped: %s\n", why);
		return KLAB_SKIP;
	}
	pattern_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
