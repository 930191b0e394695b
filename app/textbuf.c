/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A growing text buffer.
 *
 * Invariant: buf is NULL, or cap > len and buf[len] is NUL.
 */
#include "app/textbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTBUF_MIN 256

void textbuf_init(struct textbuf *tb)
{
	memset(tb, 0, sizeof(*tb));
}

void textbuf_fini(struct textbuf *tb)
{
	free(tb->buf);
	textbuf_init(tb);
}

void textbuf_clear(struct textbuf *tb)
{
	tb->len = 0;
	tb->failed = false;
	if (tb->buf)
		tb->buf[0] = '\0';
}

const char *textbuf_str(const struct textbuf *tb)
{
	return tb->buf ? tb->buf : "";
}

/* Room for more bytes and the NUL. */
static bool reserve(struct textbuf *tb, size_t more)
{
	size_t cap = tb->cap;
	char *buf;

	if (tb->failed)
		return false;
	if (cap - tb->len > more)
		return true;
	if (more >= SIZE_MAX / 4 - tb->len) {
		tb->failed = true;
		return false;
	}
	cap = cap ? cap : TEXTBUF_MIN;
	while (cap - tb->len <= more)
		cap *= 2;
	buf = realloc(tb->buf, cap);
	if (!buf) {
		tb->failed = true;
		return false;
	}
	tb->buf = buf;
	tb->cap = cap;
	return true;
}

void textbuf_add(struct textbuf *tb, const void *data, size_t len)
{
	if (!reserve(tb, len))
		return;
	if (len)
		memcpy(tb->buf + tb->len, data, len);
	tb->len += len;
	tb->buf[tb->len] = '\0';
}

void textbuf_addf(struct textbuf *tb, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		tb->failed = true;
	else if (reserve(tb, (size_t)n)) {
		vsnprintf(tb->buf + tb->len, (size_t)n + 1, fmt, again);
		tb->len += (size_t)n;
	}
	va_end(again);
}

/* The letter that escapes c, or 0. */
static char escape_letter(unsigned char c)
{
	switch (c) {
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	case '\a': return 'a';
	case '\b': return 'b';
	case '\\':
	case '"': return (char)c;
	default: return 0;
	}
}

void textbuf_add_quoted(struct textbuf *tb, const void *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = data;

	if (len > SIZE_MAX / 8 || !reserve(tb, 4 * len + 2))
		return;
	char *out = tb->buf + tb->len;

	*out++ = '"';
	for (size_t i = 0; i < len; i++) {
		char letter = escape_letter(p[i]);

		if (letter) {
			*out++ = '\\';
			*out++ = letter;
		} else if (p[i] >= 0x20 && p[i] < 0x7f) {
			*out++ = (char)p[i];
		} else {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = hex[p[i] >> 4];
			*out++ = hex[p[i] & 15];
		}
	}
	*out++ = '"';
	*out = '\0';
	tb->len = (size_t)(out - tb->buf);
}

void textbuf_add_bytes(struct textbuf *tb, unsigned long long bytes)
{
	static const char units[] = "KMGTPE";
	double v = (double)bytes;
	unsigned i = 0;

	if (bytes < 1024) {
		textbuf_addf(tb, "%lluB", bytes);
		return;
	}
	for (v /= 1024; v >= 1024 && i < sizeof(units) - 2; i++)
		v /= 1024;
	textbuf_addf(tb, "%.2f%c", v, units[i]);
}
