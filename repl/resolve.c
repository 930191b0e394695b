/* SPDX-License-Identifier: BSD-3-Clause */
#include "repl/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255

struct resolve {
	char host[NAME_MAX_BYTES + 1];
	uint16_t port;
	struct resolve_addrs addrs;
	int rc; /* of getaddrinfo() */
	atomic_bool
		done; /* what is above is set: release by the thread, acquire in resolve_poll() */
	atomic_uint refs; /* asker and thread */
};

static void resolve_put(struct resolve *r)
{
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		free(r);
}

static void addr_add(struct resolve *r, const struct sockaddr *sa, socklen_t len)
{
	struct resolve_addrs *a = &r->addrs;
	struct sockaddr *to;

	if (a->nr == RESOLVE_MAX_ADDRS || len > sizeof(a->addr[0]))
		return;
	to = (struct sockaddr *)&a->addr[a->nr];
	memcpy(to, sa, len);
	if (to->sa_family == AF_INET)
		((struct sockaddr_in *)to)->sin_port = htons(r->port);
	else if (to->sa_family == AF_INET6)
		((struct sockaddr_in6 *)to)->sin6_port = htons(r->port);
	else
		return;
	a->len[a->nr++] = len;
}

/* True: the text is an address. */
static bool numeric(struct resolve *r, const char *host)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		addr_add(r, (struct sockaddr *)&in, sizeof(in));
	else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)
		addr_add(r, (struct sockaddr *)&in6, sizeof(in6));
	return r->addrs.nr > 0;
}

static void *lookup(void *arg)
{
	struct resolve *r = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;

	r->rc = getaddrinfo(r->host, NULL, &hints, &list);
	for (struct addrinfo *ai = list; r->rc == 0 && ai; ai = ai->ai_next)
		addr_add(r, ai->ai_addr, ai->ai_addrlen);
	if (list)
		freeaddrinfo(list);
	atomic_store_explicit(&r->done, true, memory_order_release);
	resolve_put(r);
	return NULL;
}

/* The thread takes no signals: they are for those who wait for them. */
static int lookup_start(struct resolve *r)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int rc;

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	atomic_store(&r->refs, 2);
	rc = pthread_create(&thread, &attr, lookup, r);
	if (rc)
		atomic_store(&r->refs, 1);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

int resolve_start(const char *host, uint16_t port, struct resolve **out)
{
	struct resolve *r;
	int rc = 0;

	if (strlen(host) > NAME_MAX_BYTES)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->port = port;
	snprintf(r->host, sizeof(r->host), "%s", host);
	atomic_init(&r->refs, 1);
	if (strcasecmp(host, "localhost") == 0) {
		numeric(r, "127.0.0.1");
		numeric(r, "::1");
	}
	if (r->addrs.nr || numeric(r, host))
		atomic_init(&r->done, true);
	else
		rc = lookup_start(r);
	if (rc) {
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

int resolve_poll(struct resolve **rp, struct resolve_addrs *addrs, const char **why)
{
	struct resolve *r = *rp;
	int rc = 0;

	if (!atomic_load_explicit(&r->done, memory_order_acquire))
		return -EINPROGRESS;
	*addrs = r->addrs;
	if (r->rc || r->addrs.nr == 0) {
		*why = r->rc ? gai_strerror(r->rc) : "no address";
		rc = -ENOENT;
	}
	resolve_cancel(rp);
	return rc;
}

void resolve_cancel(struct resolve **rp)
{
	struct resolve *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	resolve_put(r);
}
