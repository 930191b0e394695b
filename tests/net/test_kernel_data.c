/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams between the stack and the kernel's TCP: every byte arrives, in its place and once,
 * whatever the wire does and whichever options the kernel uses.
 */
#include "tests/net/kernel_ends.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define MB (1ull << 20)
/* Far longer than any of it takes: the bound is that nothing hangs. */
#define LIMIT_MS 50000u

static void set_both(struct klab *lab, struct klab_faults f)
{
	klab_set_faults(lab, KLAB_TO_STACK, f);
	klab_set_faults(lab, KLAB_TO_KERNEL, f);
}

static struct klab_faults faults_of(uint32_t percent)
{
	return (struct klab_faults){.loss = percent * 100,
		.dup = percent * 50,
		.reorder = percent * 100,
		.corrupt = percent * 50,
		.reorder_us = 400};
}

/* The kernel connects, and what it sends comes back. */
static void echo_run(struct klab *lab, uint64_t bytes, struct klab_faults f)
{
	struct kapp app = {.echo = true, .close_at_eof = true};
	struct kflow flow = {.tx_total = bytes, .rx_total = bytes, .shut_at_end = true};
	int fd;

	kapp_listen(lab, &app, 16);
	fd = ksock_connect(KEND_PORT, LIMIT_MS);
	assert_true(fd >= 0);
	set_both(lab, f);
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	set_both(lab, (struct klab_faults){0});
	close(fd);
	assert_true(klab_wait(lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.reason, 0);
	assert_int_equal(klab_down(lab), 0);
}

static void echo(uint64_t seed, uint64_t bytes, struct klab_faults f)
{
	struct klab lab;

	klab_init(&lab, seed);
	klab_up(&lab, 1500, -1);
	echo_run(&lab, bytes, f);
	assert_int_equal(lab.nr_corrupt > 0, f.corrupt > 0);
}

/* The stack connects, and both send at once. */
static void streams_run(struct klab *lab, uint64_t bytes, struct klab_faults f)
{
	struct kapp app = {.tx_total = bytes, .shutdown_at_end = true, .close_at_eof = true};
	struct kflow flow = {.tx_total = bytes, .rx_total = bytes, .shut_at_end = true};
	int lfd = ksock_listen(KEND_PORT, 4), fd;

	assert_true(lfd >= 0);
	kapp_connect(lab, &app, KEND_PORT);
	fd = ksock_accept(lfd, LIMIT_MS);
	assert_true(fd >= 0);
	set_both(lab, f);
	assert_true(ksock_flow(fd, &flow, LIMIT_MS));
	set_both(lab, (struct klab_faults){0});
	close(fd);
	close(lfd);
	assert_true(klab_wait(lab, kapp_is_closed, &app, LIMIT_MS));
	assert_int_equal(app.rx_done, bytes);
	assert_int_equal(app.rx_wrong, 0);
	assert_int_equal(app.reason, 0);
	assert_int_equal(klab_down(lab), 0);
}

static void echo_of_64_mb_is_exact(void **state)
{
	echo(1, 64 * MB, (struct klab_faults){0});
}

static void streams_of_64_mb_both_ways_are_exact(void **state)
{
	struct klab lab;

	klab_init(&lab, 2);
	klab_up(&lab, 1500, -1);
	streams_run(&lab, 64 * MB, (struct klab_faults){0});
}

static void echo_over_a_bad_wire_is_exact(void **state)
{
	echo(3, 8 * MB, faults_of(1));
}

static void echo_over_a_very_bad_wire_is_exact(void **state)
{
	echo(4, 8 * MB, faults_of(5));
}

static void streams_over_a_bad_wire_are_exact(void **state)
{
	struct klab lab;

	klab_init(&lab, 5);
	klab_up(&lab, 1500, -1);
	streams_run(&lab, 8 * MB, faults_of(2));
}

static void echo_over_a_long_bad_wire_is_exact(void **state)
{
	struct klab_faults f = faults_of(1);

	f.delay_us = 5000;
	f.reorder_us = 8000;
	echo(6, 1 * MB, f);
}

/* Once each way with one of the kernel's options off. */
static void without_option(const char *sysctl, uint64_t seed)
{
	struct klab lab;

	klab_init(&lab, seed);
	assert_true(klab_sysctl(sysctl, "0"));
	klab_up(&lab, 1500, -1);
	echo_run(&lab, 2 * MB, faults_of(1));
	klab_init(&lab, seed + 1);
	assert_true(klab_sysctl(sysctl, "0"));
	klab_up(&lab, 1500, -1);
	streams_run(&lab, 2 * MB, faults_of(1));
}

static void a_kernel_without_sack_is_served(void **state)
{
	without_option("tcp_sack", 10);
}

static void a_kernel_without_timestamps_is_served(void **state)
{
	without_option("tcp_timestamps", 20);
}

static void a_kernel_without_window_scaling_is_served(void **state)
{
	without_option("tcp_window_scaling", 30);
}

/* The kernel's MTU is smaller: its SYN says so. */
static void the_peers_smaller_mss_is_kept_to(void **state)
{
	struct klab lab;

	klab_init(&lab, 40);
	klab_up(&lab, 1280, -1);
	klab_set_faults(&lab, KLAB_TO_KERNEL, (struct klab_faults){.mtu = 1280});
	streams_run(&lab, 4 * MB, (struct klab_faults){.mtu = 1280});
	assert_int_equal(lab.nr_too_big, 0);
}

/* Ours is smaller. */
static void the_kernel_keeps_to_our_smaller_mss(void **state)
{
	struct klab lab;

	klab_init(&lab, 41);
	lab.cfg.mtu = 1280;
	klab_up(&lab, 1500, -1);
	streams_run(&lab, 4 * MB, (struct klab_faults){.mtu = 1280});
	assert_int_equal(lab.nr_too_big, 0);
}

/* A router between them forwards no more than 1280 bytes: both learn it from ICMP. */
static void a_smaller_path_mtu_is_found(void **state)
{
	struct klab lab;

	klab_init(&lab, 42);
	klab_up(&lab, 1500, -1);
	streams_run(&lab, 4 * MB, (struct klab_faults){.mtu = 1280});
	assert_true(lab.nr_too_big > 0);
	assert_true(klab_ctr(&lab, NET_CTR_PMTU_REDUCED) > 0);
}

/* The kernel asks for ECN, and the path is congested, but nothing is lost. */
static void a_kernel_with_ecn_is_heard_and_told(void **state)
{
	struct klab lab;

	klab_init(&lab, 50);
	assert_true(klab_sysctl("tcp_ecn", "1"));
	klab_up(&lab, 1500, -1);
	echo_run(&lab, 16 * MB, (struct klab_faults){.ce = 100});
	assert_true(lab.nr_marked > 20);
	assert_int_equal(klab_ctr(&lab, NET_CTR_ECN_CONNS), 1);
	assert_true(klab_ctr(&lab, NET_CTR_ECN_CE_IN) > 0);
	assert_true(klab_ctr(&lab, NET_CTR_ECN_REDUCTIONS) > 0);
	assert_int_equal(klab_ctr(&lab, NET_CTR_FAST_RETRANS), 0); /* probes may come too early */
}

/* The stack asks; what the kernel was marked it echoes until it sees CWR, so that the number of
   reductions tells whether CWR arrives: without it every ACK would have ECE. */
static void ecn_that_the_stack_asked_for(void **state)
{
	struct klab lab;
	uint64_t nr_marked;

	klab_init(&lab, 51);
	lab.cfg.tcp.ecn = TCP_ECN_ASK;
	klab_up(&lab, 1500, -1);
	streams_run(&lab, 16 * MB, (struct klab_faults){.ce = 20});
	nr_marked = lab.nr_marked;
	assert_int_equal(klab_ctr(&lab, NET_CTR_ECN_CONNS), 1);
	assert_in_range(klab_ctr(&lab, NET_CTR_ECN_REDUCTIONS), 1, nr_marked);
	assert_int_equal(klab_ctr(&lab, NET_CTR_FAST_RETRANS), 0); /* probes may come too early */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_of_64_mb_is_exact),
		cmocka_unit_test(streams_of_64_mb_both_ways_are_exact),
		cmocka_unit_test(echo_over_a_bad_wire_is_exact),
		cmocka_unit_test(echo_over_a_very_bad_wire_is_exact),
		cmocka_unit_test(streams_over_a_bad_wire_are_exact),
		cmocka_unit_test(echo_over_a_long_bad_wire_is_exact),
		cmocka_unit_test(a_kernel_without_sack_is_served),
		cmocka_unit_test(a_kernel_without_timestamps_is_served),
		cmocka_unit_test(a_kernel_without_window_scaling_is_served),
		cmocka_unit_test(the_peers_smaller_mss_is_kept_to),
		cmocka_unit_test(the_kernel_keeps_to_our_smaller_mss),
		cmocka_unit_test(a_smaller_path_mtu_is_found),
		cmocka_unit_test(a_kernel_with_ecn_is_heard_and_told),
		cmocka_unit_test(ecn_that_the_stack_asked_for),
	};
	const char *why = klab_namespace();

	if (why) {
		printf("skipped: %s\n", why);
		return KLAB_SKIP;
	}
	pattern_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
