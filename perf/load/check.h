/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks replies against what was asked: type, length and content, in one pass over the bytes where
 * they lie in the received packet.
 *
 * A reply may be cut anywhere: struct check holds what one connection knows of the reply it is in.
 * A reply that is well-formed but not what it has to be is wrong, and the next one is found behind
 * it; bytes that are not a reply break the connection. Every byte is hostile.
 */
#ifndef MILLRACE_PERF_LOAD_CHECK_H
#define MILLRACE_PERF_LOAD_CHECK_H

#include "perf/load/value.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CHECK_LINE_KEPT 120u
#define CHECK_LINE_MAX  65536u

enum expect_kind {
	EXPECT_OK,      /* +OK */
	EXPECT_PONG,    /* +PONG */
	EXPECT_INTEGER, /* :n */
	EXPECT_VALUE,   /* a bulk string with a value of the key, or null */
	EXPECT_ANY,     /* any well-formed reply that is not an error */
};

/* One request under way. */
struct expect {
	uint64_t sent; /* time stamp counter when it was due to be sent */
	uint32_t key;
	uint8_t kind;  /* enum expect_kind */
	uint8_t class; /* of the caller */
};

enum check_result {
	CHECK_MORE,   /* all bytes used, the reply goes on */
	CHECK_RIGHT,  /* a reply ended and is right */
	CHECK_MISS,   /* a value was expected, and there is none: null */
	CHECK_WRONG,  /* a reply ended and is not what it has to be */
	CHECK_BROKEN, /* not a reply at all */
};

enum check_phase { CHECK_LINE, CHECK_BODY, CHECK_BODY_END };

/* What a connection knows of the reply it is in. All zero: at the beginning of one. */
struct check {
	uint8_t phase;  /* enum check_phase */
	bool is_inner;  /* past the first line of the reply */
	uint8_t result; /* so far */
	uint32_t line_len;
	uint32_t body_left;
	uint64_t nr_left; /* elements of arrays yet to come */
	struct value_scan scan;
	bool is_value; /* the body is compared */
	char line[CHECK_LINE_KEPT];
};

/* What checks share. */
struct checker {
	const struct values *values;
	uint8_t head[16]; /* "$32\r\n" if all values have one length */
	uint32_t head_len;
	/* The first reply that was not right, for people. */
	char complaint[CHECK_LINE_KEPT + 80];
};

/* Borrows values. */
void checker_init(struct checker *cr, const struct values *values);

/* Any reply, from where the last call ended. */
enum check_result check_slow(struct checker *cr, struct check *c, const struct expect *e,
	const uint8_t *data, uint32_t len, uint32_t *used);

/* A whole value of the one length. */
static inline bool check_value_whole(
	const struct checker *cr, const struct expect *e, const uint8_t *data, uint32_t len)
{
	const uint32_t head = cr->head_len, size = cr->values->min;

	return head && len - head >= size + 2 && len > head && memcmp(data, cr->head, head) == 0 &&
	       memcmp(data + head + size, "\r\n", 2) == 0 &&
	       value_is_right(cr->values, e->key, data + head, size);
}

/* Takes bytes up to the end of one reply, at most len > 0 of them; *used says how many. Inline is
 * what happens most: a whole reply that is right. */
static inline enum check_result check_reply(struct checker *cr, struct check *c,
	const struct expect *e, const uint8_t *data, uint32_t len, uint32_t *used)
{
	if (c->phase == CHECK_LINE && c->line_len == 0 && !c->is_inner) {
		if (e->kind == EXPECT_VALUE && check_value_whole(cr, e, data, len)) {
			*used = cr->head_len + cr->values->min + 2;
			return CHECK_RIGHT;
		}
		if (e->kind == EXPECT_OK && len >= 5 && memcmp(data, "+OK\r\n", 5) == 0) {
			*used = 5;
			return CHECK_RIGHT;
		}
		if (e->kind == EXPECT_PONG && len >= 7 && memcmp(data, "+PONG\r\n", 7) == 0) {
			*used = 7;
			return CHECK_RIGHT;
		}
	}
	return check_slow(cr, c, e, data, len, used);
}

#endif
