/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ordinary work with hiredis: single requests, requests sent together, binary values, transactions,
 * messages. Exit status 0 when every answer is as it should be.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIG_BYTES   (3u << 20)
#define NR_TOGETHER 1000

static void fail(const redisContext *c, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, c->err ? c->errstr : "not the answer that was expected");
	exit(1);
}

static redisContext *connect_to(const char *host, int port)
{
	struct timeval limit = {.tv_sec = 10};
	redisContext *c = redisConnectWithTimeout(host, port, limit);

	if (!c || c->err || redisSetTimeout(c, limit)) {
		fprintf(stderr, "no connection: %s\n", c ? c->errstr : "no memory");
		exit(1);
	}
	return c;
}

/* The next answer is a string, status, error or verbatim text with these bytes. */
static void expect_text(redisContext *c, redisReply *r, const char *want, size_t len)
{
	if (!r || !r->str || r->len != len || memcmp(r->str, want, len))
		fail(c, want);
	freeReplyObject(r);
}

static void expect_word(redisContext *c, redisReply *r, const char *want)
{
	expect_text(c, r, want, strlen(want));
}

static void expect_number(redisContext *c, redisReply *r, long long want, const char *what)
{
	if (!r || r->type != REDIS_REPLY_INTEGER || r->integer != want)
		fail(c, what);
	freeReplyObject(r);
}

static void single_requests(redisContext *c)
{
	char *big = malloc(BIG_BYTES);

	if (!big)
		fail(c, "no memory");
	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = (char)(i * 7 + i / 251);
	expect_word(c, redisCommand(c, "FLUSHALL"), "OK");
	expect_word(c, redisCommand(c, "SET a %d EX 100", 1), "OK");
	expect_number(c, redisCommand(c, "INCRBY a %d", 41), 42, "INCRBY");
	expect_word(c, redisCommand(c, "SET big %b", big, (size_t)BIG_BYTES), "OK");
	expect_text(c, redisCommand(c, "GET big"), big, BIG_BYTES);
	expect_word(c, redisCommand(c, "NOSUCH"),
		"ERR unknown command 'NOSUCH', with args beginning with: ");
	free(big);
}

static void requests_together(redisContext *c)
{
	redisReply *r = NULL;

	for (int i = 0; i < NR_TOGETHER; i++)
		redisAppendCommand(c, "RPUSH l %d", i);
	for (int i = 0; i < NR_TOGETHER; i++) {
		if (redisGetReply(c, (void **)&r) != REDIS_OK)
			fail(c, "RPUSH");
		expect_number(c, r, i + 1, "RPUSH");
	}
	r = redisCommand(c, "LRANGE l 0 -1");
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != NR_TOGETHER)
		fail(c, "LRANGE");
	for (size_t i = 0; i < r->elements; i++)
		if (strtoul(r->element[i]->str, NULL, 10) != i)
			fail(c, "order of LRANGE");
	freeReplyObject(r);
}

static void transaction(redisContext *c)
{
	redisReply *r;

	expect_word(c, redisCommand(c, "MULTI"), "OK");
	expect_word(c, redisCommand(c, "INCR a"), "QUEUED");
	expect_word(c, redisCommand(c, "HSET h f v"), "QUEUED");
	r = redisCommand(c, "EXEC");
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
		r->element[0]->integer != 43 || r->element[1]->integer != 1)
		fail(c, "EXEC");
	freeReplyObject(r);
}

static void messages(redisContext *c, redisContext *other)
{
	redisReply *r = redisCommand(other, "SUBSCRIBE news");

	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 3)
		fail(other, "SUBSCRIBE");
	freeReplyObject(r);
	for (int i = 0; i < 20; i++)
		expect_number(c, redisCommand(c, "PUBLISH news n%d", i), 1, "PUBLISH");
	for (int i = 0; i < 20; i++) {
		char want[16];

		snprintf(want, sizeof(want), "n%d", i);
		if (redisGetReply(other, (void **)&r) != REDIS_OK || r->elements != 3 ||
			strcmp(r->element[2]->str, want))
			fail(other, want);
		freeReplyObject(r);
	}
}

int main(int argc, char **argv)
{
	redisContext *c, *other;

	if (argc != 3) {
		fprintf(stderr, "usage: hiredis_work HOST PORT\n");
		return 2;
	}
	c = connect_to(argv[1], atoi(argv[2]));
	other = connect_to(argv[1], atoi(argv[2]));
	single_requests(c);
	requests_together(c);
	transaction(c);
	messages(c, other);
	redisFree(other);
	redisFree(c);
	puts("ok");
	return 0;
}
