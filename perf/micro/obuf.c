/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The output buffer: a reply of 40 bytes in and out.
 */
#include "dataplane/obuf.h"

#include "perf/micro/suites.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define REPLY_BYTES   40u
#define BURST         64u
#define SEGMENT_BYTES 1460u
#define LONG_BYTES    (64u * SEGMENT_BYTES)

struct fixture {
	struct obuf_pool pool;
	struct obuf ob;
	uint8_t reply[REPLY_BYTES];
	uint8_t segment[SEGMENT_BYTES];
	uint8_t long_value[LONG_BYTES];
};

static void *obuf_setup(int64_t arg, const char **why)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)arg;
	if (!f) {
		*why = "no memory";
		return NULL;
	}
	obuf_pool_init(&f->pool, 0);
	obuf_init(&f->ob, &f->pool);
	return f;
}

static void obuf_teardown(void *ctx)
{
	struct fixture *f = ctx;

	obuf_fini(&f->ob);
	obuf_pool_fini(&f->pool);
	free(f);
}

static void append_consume(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	while (n-- > 0) {
		if (obuf_append(&f->ob, f->reply, sizeof(f->reply)) != 0)
			bench_fail(r, "obuf_append");
		obuf_consume(&f->ob, obuf_sendable(&f->ob));
	}
}

static void append_burst(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	for (uint64_t i = 1; i <= n; i++) {
		if (obuf_append(&f->ob, f->reply, sizeof(f->reply)) != 0)
			bench_fail(r, "obuf_append");
		if (i % BURST == 0)
			obuf_consume(&f->ob, obuf_sendable(&f->ob));
	}
	obuf_consume(&f->ob, obuf_sendable(&f->ob));
}

static void append_ref_consume(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	while (n-- > 0) {
		if (obuf_append_ref(&f->ob, f->long_value, sizeof(f->long_value), NULL, NULL) != 0)
			bench_fail(r, "obuf_append_ref");
		obuf_consume(&f->ob, obuf_sendable(&f->ob));
	}
}

/* As TCP does it: segment by segment out of a long output, then all of it acknowledged. */
static void copy_segments(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	while (n > 0) {
		const uint64_t nr = n < BURST ? n : BURST;

		if (obuf_append_ref(&f->ob, f->long_value, sizeof(f->long_value), NULL, NULL) != 0)
			bench_fail(r, "obuf_append_ref");
		for (uint64_t i = 0; i < nr; i++) {
			obuf_copy_at(&f->ob, i * SEGMENT_BYTES, f->segment, SEGMENT_BYTES);
			bench_keep(f->segment);
		}
		obuf_consume(&f->ob, obuf_sendable(&f->ob));
		n -= nr;
	}
}

void bench_obuf_add(void)
{
	const struct bench all[] = {
		{.name = "obuf/append_consume/40", .run = append_consume, .bytes = REPLY_BYTES},
		{.name = "obuf/append_64_consume/40", .run = append_burst, .bytes = REPLY_BYTES},
		{.name = "obuf/append_ref_consume", .run = append_ref_consume},
		{.name = "obuf/copy_at/1460", .run = copy_segments, .bytes = SEGMENT_BYTES},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct bench b = all[i];

		b.setup = obuf_setup;
		b.teardown = obuf_teardown;
		bench_add(&b);
	}
}
