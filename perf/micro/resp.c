/* SPDX-License-Identifier: BSD-3-Clause
 *
 * RESP: requests parsed, replies written, one at a time and sixteen in a pipeline.
 */
#include "dataplane/resp.h"

#include "app/reply.h"
#include "app/server.h"
#include "dataplane/obuf.h"
#include "perf/micro/suites.h"

#include <stdlib.h>
#include <string.h>

#define PIPELINE    16u
#define VALUE_BYTES 32u
#define BUF_BYTES   4096u

#define GET_TEXT "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000123456\r\n"
#define SET_TEXT                                                                                   \
	"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000123456\r\n$32\r\n01234567890123456789012345678901\r\n"

enum what { GET_1, SET_1, GET_16, SET_16 };

static const struct resp_limits limits = {
	.max_bulk_len = 512 << 20,
	.max_multibulk = 1 << 20,
};

struct parsing {
	struct resp_parser parser;
	size_t len;
	uint32_t argc; /* of each request */
	char buf[BUF_BYTES];
};

static void *parse_setup(int64_t what, const char **why)
{
	const char *text = what == GET_1 || what == GET_16 ? GET_TEXT : SET_TEXT;
	const unsigned nr = what == GET_16 || what == SET_16 ? PIPELINE : 1;
	struct parsing *p = calloc(1, sizeof(*p));

	if (!p) {
		*why = "no memory";
		return NULL;
	}
	resp_parser_init(&p->parser);
	p->argc = text[1] - '0';
	for (unsigned i = 0; i < nr; i++) {
		memcpy(p->buf + p->len, text, strlen(text));
		p->len += strlen(text);
	}
	return p;
}

static void parse_teardown(void *ctx)
{
	struct parsing *p = ctx;

	resp_parser_fini(&p->parser);
	free(p);
}

/* One operation is one buffer, with all the requests in it. */
static void parse(struct bench_run *r, void *ctx, uint64_t n)
{
	struct parsing *p = ctx;

	while (n-- > 0) {
		size_t at = 0, used;

		while (at < p->len) {
			if (resp_parse(&p->parser, &limits, p->buf + at, p->len - at, &used) !=
					RESP_OK ||
				p->parser.argc != p->argc) {
				bench_fail(r, "the request is not parsed");
				return;
			}
			bench_keep(p->parser.argv);
			at += used;
		}
	}
}

/* A client without a connection, whose output is thrown away. */
struct replying {
	struct server *srv;
	struct app_core *ac;
	struct obuf_pool pool;
	struct obuf out;
	struct client c;
	char value[VALUE_BYTES];
};

static void reply_teardown(void *ctx)
{
	struct replying *f = ctx;

	obuf_fini(&f->out);
	obuf_pool_fini(&f->pool);
	free(f->srv);
	free(f->ac);
	free(f);
}

static void *reply_setup(int64_t what, const char **why)
{
	struct replying *f = calloc(1, sizeof(*f));

	(void)what;
	if (!f) {
		*why = "no memory";
		return NULL;
	}
	obuf_pool_init(&f->pool, 0);
	obuf_init(&f->out, &f->pool);
	f->srv = calloc(1, sizeof(*f->srv));
	f->ac = calloc(1, sizeof(*f->ac));
	if (!f->srv || !f->ac) {
		reply_teardown(f);
		*why = "no memory";
		return NULL;
	}
	TAILQ_INIT(&f->ac->dirty);
	f->c.srv = f->srv;
	f->c.ac = f->ac;
	f->c.out = &f->out;
	f->c.resp = 2;
	memset(f->value, 'v', sizeof(f->value));
	return f;
}

static void sent(struct replying *f)
{
	obuf_consume(&f->out, obuf_sendable(&f->out));
}

static void reply_get_1(struct bench_run *r, void *ctx, uint64_t n)
{
	struct replying *f = ctx;

	(void)r;
	while (n-- > 0) {
		reply_bulk(&f->c, f->value, sizeof(f->value));
		sent(f);
	}
}

static void reply_set_1(struct bench_run *r, void *ctx, uint64_t n)
{
	struct replying *f = ctx;

	(void)r;
	while (n-- > 0) {
		reply_ok(&f->c);
		sent(f);
	}
}

static void reply_get_16(struct bench_run *r, void *ctx, uint64_t n)
{
	struct replying *f = ctx;

	(void)r;
	while (n-- > 0) {
		for (unsigned i = 0; i < PIPELINE; i++)
			reply_bulk(&f->c, f->value, sizeof(f->value));
		sent(f);
	}
}

static void reply_set_16(struct bench_run *r, void *ctx, uint64_t n)
{
	struct replying *f = ctx;

	(void)r;
	while (n-- > 0) {
		for (unsigned i = 0; i < PIPELINE; i++)
			reply_ok(&f->c);
		sent(f);
	}
}

static void reply_int_16(struct bench_run *r, void *ctx, uint64_t n)
{
	struct replying *f = ctx;

	(void)r;
	while (n-- > 0) {
		for (unsigned i = 0; i < PIPELINE; i++)
			reply_int(&f->c, 1234567);
		sent(f);
	}
}

void bench_resp_add(void)
{
	static const struct bench parsers[] = {
		{.name = "resp/parse_get/1",
			.arg = GET_1,
			.items = 1,
			.bytes = sizeof(GET_TEXT) - 1},
		{.name = "resp/parse_set/1",
			.arg = SET_1,
			.items = 1,
			.bytes = sizeof(SET_TEXT) - 1},
		{.name = "resp/parse_get/16",
			.arg = GET_16,
			.items = PIPELINE,
			.bytes = PIPELINE * (sizeof(GET_TEXT) - 1)},
		{.name = "resp/parse_set/16",
			.arg = SET_16,
			.items = PIPELINE,
			.bytes = PIPELINE * (sizeof(SET_TEXT) - 1)},
	};
	static const struct bench replies[] = {
		{.name = "resp/reply_get/1", .run = reply_get_1, .items = 1},
		{.name = "resp/reply_set/1", .run = reply_set_1, .items = 1},
		{.name = "resp/reply_get/16", .run = reply_get_16, .items = PIPELINE},
		{.name = "resp/reply_set/16", .run = reply_set_16, .items = PIPELINE},
		{.name = "resp/reply_int/16", .run = reply_int_16, .items = PIPELINE},
	};

	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		struct bench b = parsers[i];

		b.setup = parse_setup;
		b.run = parse;
		b.teardown = parse_teardown;
		bench_add(&b);
	}
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct bench b = replies[i];

		b.setup = reply_setup;
		b.teardown = reply_teardown;
		bench_add(&b);
	}
}
