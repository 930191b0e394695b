/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A growing text buffer: how INFO, CLIENT LIST and reports are put together.
 *
 * Running out of memory is sticky: what follows is dropped and failed is set, so a caller checks
 * once, at the end. The text is always NUL-terminated. One thread at a time.
 */
#ifndef MILLRACE_APP_TEXTBUF_H
#define MILLRACE_APP_TEXTBUF_H

#include <stdbool.h>
#include <stddef.h>

struct textbuf {
	char *buf; /* owned; NULL while nothing was added */
	size_t len;
	size_t cap;
	bool failed; /* memory ran out: the text is cut */
};

void textbuf_init(struct textbuf *tb);
void textbuf_fini(struct textbuf *tb);
void textbuf_clear(struct textbuf *tb); /* empties it and keeps the memory */
/* The text so far; "" when there is none. Borrowed until the next call. */
const char *textbuf_str(const struct textbuf *tb);

void textbuf_add(struct textbuf *tb, const void *data, size_t len);
void textbuf_addf(struct textbuf *tb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* In double quotes; quotes, backslashes and what is not printable ASCII are escaped (\n \r \t \a
 * \b \xHH), as MONITOR and ACL LOG show arguments. */
void textbuf_add_quoted(struct textbuf *tb, const void *data, size_t len);
/* Bytes for people: "17B", "1.20K", "3.00G", as INFO's _human fields. */
void textbuf_add_bytes(struct textbuf *tb, unsigned long long bytes);

#endif
