/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define KEY_SIZE_DEFAULT 14u
#define KEY_SIZE_MAX     1024u
#define KEY_PREFIX       "key:"
#define WORDS_MAX        32u

/* What is known of commands; of any other, any reply but an error is right. */
static const struct {
	const char *name;
	uint8_t expect, class;
} known[] = {
	{"ping", EXPECT_PONG, CLASS_OTHER},
	{"get", EXPECT_VALUE, CLASS_READ},
	{"set", EXPECT_OK, CLASS_WRITE},
	{"setex", EXPECT_OK, CLASS_WRITE},
	{"psetex", EXPECT_OK, CLASS_WRITE},
	{"mset", EXPECT_OK, CLASS_WRITE},
	{"mget", EXPECT_ANY, CLASS_READ},
	{"incr", EXPECT_INTEGER, CLASS_WRITE},
	{"incrby", EXPECT_INTEGER, CLASS_WRITE},
	{"decr", EXPECT_INTEGER, CLASS_WRITE},
	{"append", EXPECT_INTEGER, CLASS_WRITE},
	{"del", EXPECT_INTEGER, CLASS_WRITE},
	{"unlink", EXPECT_INTEGER, CLASS_WRITE},
	{"exists", EXPECT_INTEGER, CLASS_READ},
	{"strlen", EXPECT_INTEGER, CLASS_READ},
	{"expire", EXPECT_INTEGER, CLASS_WRITE},
	{"ttl", EXPECT_INTEGER, CLASS_READ},
	{"lpush", EXPECT_INTEGER, CLASS_WRITE},
	{"rpush", EXPECT_INTEGER, CLASS_WRITE},
	{"llen", EXPECT_INTEGER, CLASS_READ},
	{"sadd", EXPECT_INTEGER, CLASS_WRITE},
	{"hset", EXPECT_INTEGER, CLASS_WRITE},
	{"zadd", EXPECT_INTEGER, CLASS_WRITE},
	{"publish", EXPECT_INTEGER, CLASS_OTHER},
};

static uint32_t nr_digits(uint32_t n)
{
	uint32_t digits = 1;

	for (; n >= 10; n /= 10)
		digits++;
	return digits;
}

int key_format_init(struct key_format *f, uint32_t size, uint32_t nr)
{
	const uint32_t needed = nr_digits(nr - 1);

	f->size = size ? size : KEY_SIZE_DEFAULT;
	f->digits = f->size < REQUEST_DIGITS ? f->size : REQUEST_DIGITS;
	if (f->size < needed || f->size > KEY_SIZE_MAX)
		return -EINVAL;
	/* A short key is a prefix as far as its number leaves room. */
	if (f->size < REQUEST_DIGITS + strlen(KEY_PREFIX))
		f->digits = needed;
	return 0;
}

static uint32_t text_put(uint8_t *to, const char *format, uint32_t n)
{
	char buf[32];
	const int len = snprintf(buf, sizeof(buf), format, n);

	memcpy(to, buf, (size_t)len);
	return (uint32_t)len;
}

/* "key:" as far as it fits in front of the digits, and zeros. */
static void key_put(struct request *r, const struct key_format *f)
{
	const uint32_t room = f->size - f->digits;
	uint8_t *at = r->text + r->len;

	memset(at, '0', f->size);
	memcpy(at, KEY_PREFIX, room < strlen(KEY_PREFIX) ? room : strlen(KEY_PREFIX));
	r->len += f->size;
	r->key_end[r->nr_keys++] = r->len;
}

static int word_put(struct request *r, const char *word, bool is_last, const struct key_format *f,
	const struct values *values, char *err, size_t err_len)
{
	if (strcmp(word, "{key}") == 0) {
		if (r->nr_keys == REQUEST_MAX_KEYS) {
			snprintf(err, err_len, "a command can have %u keys at most",
				REQUEST_MAX_KEYS);
			return -EINVAL;
		}
		r->len += text_put(r->text + r->len, "$%u\r\n", f->size);
		key_put(r, f);
	} else if (strcmp(word, "{value}") == 0) {
		if (!is_last) {
			snprintf(err, err_len, "{value} can only be the last word of a command");
			return -EINVAL;
		}
		r->has_value = true;
		r->has_fixed_size = values->min == values->max;
		if (r->has_fixed_size)
			r->len += text_put(r->text + r->len, "$%u\r\n", values->min);
		return 0;
	} else {
		const uint32_t len = (uint32_t)strlen(word);

		r->len += text_put(r->text + r->len, "$%u\r\n", len);
		memcpy(r->text + r->len, word, len);
		r->len += len;
	}
	memcpy(r->text + r->len, "\r\n", 2);
	r->len += 2;
	return 0;
}

int request_init(struct request *r, const char *words, const struct key_format *f,
	const struct values *values, char *err, size_t err_len)
{
	char *copy = strdup(words), *save = NULL, *word[WORDS_MAX];
	uint32_t nr = 0;
	int rc = 0;

	*r = (struct request){.digits = f->digits, .expect = EXPECT_ANY, .class = CLASS_OTHER};
	r->text = malloc(strlen(words) + 64 + (KEY_SIZE_MAX + 32) * REQUEST_MAX_KEYS +
			 (size_t)WORDS_MAX * 16);
	if (!copy || !r->text) {
		snprintf(err, err_len, "no memory");
		rc = -ENOMEM;
		goto out;
	}
	for (char *w = strtok_r(copy, " ", &save); w && nr < WORDS_MAX;
		w = strtok_r(NULL, " ", &save))
		word[nr++] = w;
	if (nr == 0 || nr == WORDS_MAX) {
		snprintf(err, err_len, "a command has 1 to %u words", WORDS_MAX - 1);
		rc = -EINVAL;
		goto out;
	}
	r->len = text_put(r->text, "*%u\r\n", nr);
	for (uint32_t i = 0; i < nr && rc == 0; i++)
		rc = word_put(r, word[i], i + 1 == nr, f, values, err, err_len);
	for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(word[0], known[i].name) == 0) {
			r->expect = known[i].expect;
			r->class = known[i].class;
		}
	}
out:
	free(copy);
	if (rc)
		request_fini(r);
	return rc;
}

void request_fini(struct request *r)
{
	free(r->text);
	r->text = NULL;
}
