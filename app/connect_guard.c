/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/connect_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MESSAGE_BYTES 128 /* every message: its type, 16 bits, and what belongs to that */
#define HELD_MAX      64  /* more of them leak, as all would without us */

enum { ACK = 1, INIT = 3, ADD_REGION = 4, ADD_RING = 5, CONNECT = 6, DISCONNECT = 8 };

/* A descriptor that nobody closes if its connection ends now. */
struct held {
	int sock; /* of the connection; 0: free */
	int fd;
	uint16_t came_with; /* type of the message */
	bool is_answered;
};

static atomic_bool is_watching;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards held[] */
static struct held held[HELD_MAX];

void connect_guard_watch(bool is_wanted)
{
	atomic_store(&is_watching, is_wanted);
}

static bool is_drivers(int sock)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return atomic_load(&is_watching) &&
	       getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

/* 0: none that the driver takes for one. */
static uint16_t type_of(const struct msghdr *mh, ssize_t bytes)
{
	uint16_t type = 0;

	if (bytes == MESSAGE_BYTES && mh->msg_iovlen == 1)
		memcpy(&type, mh->msg_iov[0].iov_base, sizeof(type));
	return type;
}

static void hold(int sock, int fd, uint16_t came_with)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		if (held[i].sock)
			continue;
		held[i] = (struct held){.sock = sock, .fd = fd, .came_with = came_with};
		return;
	}
}

/* All of a connection: closed, but for regions that the driver goes on with. */
static void let_go(int sock, bool are_regions_taken)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		if (held[i].sock != sock)
			continue;
		if (!are_regions_taken || held[i].came_with != ADD_REGION)
			close(held[i].fd);
		held[i].sock = 0;
	}
}

static void answered(int sock)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		if (held[i].sock != sock || held[i].is_answered)
			continue;
		held[i].is_answered = true;
		if (held[i].came_with == ADD_RING)
			held[i].sock = 0;
	}
}

/* Of several in a message the driver sees the first. */
static void descriptors_hold(int sock, struct msghdr *mh, uint16_t type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			hold(sock, fd, at == 0 ? type : 0);
		}
	}
}

static void came(int sock, struct msghdr *mh, ssize_t bytes)
{
	const uint16_t type = type_of(mh, bytes);

	pthread_mutex_lock(&lock);
	/* An INIT is the first of a new connection, whatever the number was used for before. */
	if (type == 0 || type == INIT || type == DISCONNECT)
		let_go(sock, false);
	if (type == CONNECT)
		let_go(sock, true);
	if (bytes > 0)
		descriptors_hold(sock, mh, type);
	pthread_mutex_unlock(&lock);
}

static void went(int sock, const struct msghdr *mh, ssize_t bytes)
{
	const uint16_t type = type_of(mh, bytes);

	pthread_mutex_lock(&lock);
	if (type == ACK)
		answered(sock);
	else if (type == DISCONNECT)
		let_go(sock, false);
	pthread_mutex_unlock(&lock);
}

ssize_t recvmsg(int sock, struct msghdr *mh, int flags)
{
	const ssize_t bytes = syscall(SYS_recvmsg, sock, mh, flags);
	const int err = errno;

	if (is_drivers(sock))
		came(sock, mh, bytes);
	errno = err;
	return bytes;
}

ssize_t sendmsg(int sock, const struct msghdr *mh, int flags)
{
	ssize_t bytes = syscall(SYS_sendmsg, sock, mh, flags);
	const int err = errno;

	if (is_drivers(sock)) {
		if (bytes < 0 && (err == EPIPE || err == ECONNRESET) && mh->msg_iovlen == 1)
			bytes = (ssize_t)mh->msg_iov[0].iov_len;
		went(sock, mh, bytes);
	}
	errno = err;
	return bytes;
}
