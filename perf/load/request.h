/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests as prepared bytes: a template with room for the key's digits, copied and filled in.
 *
 *	*3\r\n$3\r\nSET\r\n$14\r\nkey:0000000000\r\n$32\r\n | value \r\n
 *	                               digits ^ key_end[0] |
 *	------------------------- text -------------------- +
 *
 * With values of several lengths the value's "$32\r\n" is written each time.
 */
#ifndef MILLRACE_PERF_LOAD_REQUEST_H
#define MILLRACE_PERF_LOAD_REQUEST_H

#include "perf/load/check.h"
#include "perf/load/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REQUEST_MAX_KEYS  16u
#define REQUEST_DIGITS    10u
#define REQUEST_TAIL_ROOM 16u /* for "$536870912\r\n" */

struct key_format {
	uint32_t size;   /* bytes of a key */
	uint32_t digits; /* at its end: its number with leading zeros */
};

struct request {
	uint8_t *text;
	uint32_t len;
	uint32_t digits;
	uint32_t nr_keys;
	uint32_t key_end[REQUEST_MAX_KEYS]; /* just past the digits */
	bool has_value;                     /* follows the text */
	bool has_fixed_size;                /* and its length is in the text */
	uint8_t expect;                     /* enum expect_kind */
	uint8_t class;                      /* enum request_class */
};

enum request_class { CLASS_READ, CLASS_WRITE, CLASS_OTHER, CLASS_NR };

/* The format of keys of `size` bytes (0: the default) for numbers below nr. -EINVAL: they do not
 * fit. */
int key_format_init(struct key_format *f, uint32_t size, uint32_t nr);

/* Prepares a command from its words, separated by blanks; {key} and, as the last word, {value}
 * stand for what is filled in. 0, -ENOMEM or -EINVAL with a message. */
int request_init(struct request *r, const char *words, const struct key_format *f,
	const struct values *values, char *err, size_t err_len);
void request_fini(struct request *r);

/* The most bytes that request_head_write() writes. */
static inline uint32_t request_head_max(const struct request *r)
{
	return r->len + REQUEST_TAIL_ROOM;
}

/* Writes n in decimal over the digits that end at `end`; digits is 1..REQUEST_DIGITS. */
static inline void digits_write(uint8_t *end, uint32_t digits, uint32_t n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	for (; digits > 1; digits -= 2) {
		end -= 2;
		memcpy(end, pairs + 2 * (n % 100), 2);
		n /= 100;
	}
	if (digits)
		end[-1] = (uint8_t)('0' + n % 10);
}

/* Writes everything up to the value; returns how many bytes. keys: as many as the request has.
 * value_size: if it has one. */
static inline uint32_t request_head_write(
	const struct request *r, const uint32_t *keys, uint32_t value_size, uint8_t *to)
{
	uint32_t len = r->len;

	memcpy(to, r->text, len);
	for (uint32_t i = 0; i < r->nr_keys; i++)
		digits_write(to + r->key_end[i], r->digits, keys[i]);
	if (r->has_value && !r->has_fixed_size) {
		uint32_t digits = 1;

		for (uint32_t n = value_size; n >= 10; n /= 10)
			digits++;
		to[len] = '$';
		digits_write(to + len + 1 + digits, digits, value_size);
		memcpy(to + len + 1 + digits, "\r\n", 2);
		len += digits + 3;
	}
	return len;
}

#endif
