/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/encode.h"

#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *encbuf_room(struct encbuf *b, size_t len)
{
	if (b->cap - b->len < len) {
		size_t cap = (b->len + len) + (b->len + len) / 2;

		b->ptr = realloc(b->ptr, cap);
		BUG_ON(!b->ptr);
		b->cap = cap;
	}
	return b->ptr + b->len;
}

void encbuf_add(struct encbuf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(encbuf_room(b, len), data, len);
	b->len += len;
}

void encbuf_fini(struct encbuf *b)
{
	free(b->ptr);
	memset(b, 0, sizeof(*b));
}

void encbuf_shrink(struct encbuf *b, size_t keep)
{
	if (b->len == 0 && b->cap > keep)
		encbuf_fini(b);
}

/* "*3\r\n" or "$12\r\n" */
static void encode_header(struct encbuf *b, char kind, size_t n)
{
	char digits[20], *out = encbuf_room(b, 24);
	size_t nr = 0, pos = 0;

	do {
		digits[nr++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	out[pos++] = kind;
	while (nr)
		out[pos++] = digits[--nr];
	out[pos++] = '\r';
	out[pos++] = '\n';
	b->len += pos;
}

void encode_command(struct encbuf *b, int argc, const struct slice *argv)
{
	encode_header(b, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		encode_header(b, '$', argv[i].len);
		encbuf_add(b, argv[i].ptr, argv[i].len);
		encbuf_add(b, "\r\n", 2);
	}
}

void encode_word(struct encbuf *b, const char *word)
{
	struct slice arg = {word, strlen(word)};

	encode_command(b, 1, &arg);
}

void encode_select(struct encbuf *b, int db)
{
	char num[16];
	struct slice argv[2] = {{"SELECT", 6}, {num, 0}};

	argv[1].len = (size_t)snprintf(num, sizeof(num), "%d", db);
	encode_command(b, 2, argv);
}
