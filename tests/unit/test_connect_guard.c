/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection that ends while it is made is no error of sending, and leaves no descriptor open.
 */
#include "app/connect_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE_BYTES 128

enum { ACK = 1, HELLO = 2, INIT = 3, ADD_REGION = 4, ADD_RING = 5, CONNECT = 6, DISCONNECT = 8 };

/* The driver's end of a connection, and the client's. */
struct ends {
	int driver, client;
};

static struct ends ends_make(int type)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type, 0, fds), 0);
	return (struct ends){fds[0], fds[1]};
}

static void ends_close(struct ends *e)
{
	close(e->driver);
	if (e->client >= 0)
		close(e->client);
}

union control {
	struct cmsghdr head;
	uint8_t room[CMSG_SPACE(2 * sizeof(int))];
};

static ssize_t message_send(int sock, uint16_t type, const int *fds, unsigned nr)
{
	union control control = {0};
	uint8_t bytes[MESSAGE_BYTES] = {0};
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(bytes, &type, sizeof(type));
	if (nr) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, nr * sizeof(int));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(nr * sizeof(int));
	}
	return sendmsg(sock, &mh, 0);
}

/* The first descriptor that came, -1 for none. */
static int message_receive(int sock, ssize_t wanted)
{
	union control control = {0};
	uint8_t bytes[MESSAGE_BYTES];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	int fd = -1;

	assert_int_equal(recvmsg(sock, &mh, 0), wanted);
	c = CMSG_FIRSTHDR(&mh);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* The client hands nr descriptors over; what the driver has of the first. */
static int hand_over(const struct ends *e, uint16_t type, unsigned nr)
{
	const int fds[2] = {eventfd(0, 0), eventfd(0, 0)};
	int fd;

	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(message_send(e->client, type, fds, nr), MESSAGE_BYTES);
	fd = message_receive(e->driver, MESSAGE_BYTES);
	close(fds[0]);
	close(fds[1]);
	return fd;
}

static void driver_says(const struct ends *e, uint16_t type)
{
	assert_int_equal(message_send(e->driver, type, NULL, 0), MESSAGE_BYTES);
}

static void client_ends(struct ends *e)
{
	close(e->client);
	e->client = -1;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static unsigned nr_open(void)
{
	unsigned nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += is_open(fd);
	return nr;
}

static void hello_to_nobody_counts_as_sent(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);

	client_ends(&e);
	connect_guard_watch(true);
	assert_int_equal(message_send(e.driver, HELLO, NULL, 0), MESSAGE_BYTES);
	assert_int_equal(message_receive(e.driver, 0), -1);
	ends_close(&e);
}

static void other_errors_stay_errors(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	struct ends stream = ends_make(SOCK_STREAM);

	client_ends(&e);
	client_ends(&stream);
	connect_guard_watch(false);
	assert_int_equal(message_send(e.driver, HELLO, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	connect_guard_watch(true);
	assert_int_equal(message_send(stream.driver, HELLO, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(message_send(-1, HELLO, NULL, 0), -1);
	assert_int_equal(errno, EBADF);
	ends_close(&e);
	ends_close(&stream);
}

static void what_a_client_leaves_behind_is_closed(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	int first, second, unanswered;

	connect_guard_watch(true);
	first = hand_over(&e, ADD_REGION, 1);
	driver_says(&e, ACK);
	second = hand_over(&e, ADD_REGION, 1);
	driver_says(&e, ACK);
	unanswered = hand_over(&e, ADD_RING, 1);
	client_ends(&e);
	assert_true(is_open(first) && is_open(second) && is_open(unanswered));
	message_receive(e.driver, -1); /* it did not read the answers */
	assert_false(is_open(first) || is_open(second) || is_open(unanswered));
	ends_close(&e);
}

static void what_the_driver_has_taken_is_its_own(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	int region, ring;

	connect_guard_watch(true);
	region = hand_over(&e, ADD_REGION, 1);
	driver_says(&e, ACK);
	ring = hand_over(&e, ADD_RING, 1);
	driver_says(&e, ACK);
	assert_int_equal(hand_over(&e, CONNECT, 0), -1);
	client_ends(&e);
	message_receive(e.driver, -1);
	assert_true(is_open(region) && is_open(ring));
	close(region);
	close(ring);
	ends_close(&e);
}

/* As when a client has more rings than the server. */
static void what_is_refused_is_closed(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	int region, ring, refused;

	connect_guard_watch(true);
	region = hand_over(&e, ADD_REGION, 1);
	driver_says(&e, ACK);
	ring = hand_over(&e, ADD_RING, 1);
	driver_says(&e, ACK);
	refused = hand_over(&e, ADD_RING, 1);
	driver_says(&e, DISCONNECT);
	assert_true(is_open(ring));
	assert_false(is_open(region) || is_open(refused));
	close(ring);
	ends_close(&e);
}

static void what_nobody_looks_at_is_closed(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	const unsigned nr_before = nr_open();
	int region;

	connect_guard_watch(true);
	assert_true(is_open(hand_over(&e, INIT, 1)));
	driver_says(&e, ACK);
	region = hand_over(&e, ADD_REGION, 2);
	driver_says(&e, ACK);
	assert_int_equal(nr_open(), nr_before + 3);
	hand_over(&e, CONNECT, 0);
	assert_true(is_open(region));
	assert_int_equal(nr_open(), nr_before + 1);
	close(region);
	ends_close(&e);
}

/* A number that is used again has nothing of the last connection's. */
static void an_init_begins_anew(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	int region;

	connect_guard_watch(true);
	region = hand_over(&e, ADD_REGION, 1);
	driver_says(&e, ACK);
	hand_over(&e, INIT, 0);
	assert_false(is_open(region));
	ends_close(&e);
}

static void many_descriptors_are_no_overflow(void **state)
{
	struct ends e = ends_make(SOCK_SEQPACKET);
	int fds[200];

	connect_guard_watch(true);
	for (unsigned i = 0; i < 200; i++) {
		fds[i] = hand_over(&e, ADD_REGION, 1);
		driver_says(&e, ACK);
		assert_int_equal(message_receive(e.client, MESSAGE_BYTES), -1);
	}
	client_ends(&e);
	message_receive(e.driver, 0);
	assert_false(is_open(fds[0]));
	for (unsigned i = 0; i < 200; i++)
		close(fds[i]);
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_to_nobody_counts_as_sent),
		cmocka_unit_test(other_errors_stay_errors),
		cmocka_unit_test(what_a_client_leaves_behind_is_closed),
		cmocka_unit_test(what_the_driver_has_taken_is_its_own),
		cmocka_unit_test(what_is_refused_is_closed),
		cmocka_unit_test(what_nobody_looks_at_is_closed),
		cmocka_unit_test(an_init_begins_anew),
		cmocka_unit_test(many_descriptors_are_no_overflow),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
