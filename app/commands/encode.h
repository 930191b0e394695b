/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Commands in RESP, into a growing buffer: for the log and for the links of replication.
 */
#ifndef MILLRACE_APP_COMMANDS_ENCODE_H
#define MILLRACE_APP_COMMANDS_ENCODE_H

#include "dataplane/resp.h"

#include <stddef.h>

struct encbuf {
	char *ptr; /* owned */
	size_t len, cap;
};

/* Grows as needed. Running out of memory here would lose an effect that has already happened, so it
 * aborts. */
void encbuf_add(struct encbuf *b, const void *data, size_t len);
void encbuf_fini(struct encbuf *b);
/* Gives the memory of an empty buffer back if it is more than keep bytes. */
void encbuf_shrink(struct encbuf *b, size_t keep);
void encode_command(struct encbuf *b, int argc, const struct slice *argv);
void encode_word(struct encbuf *b, const char *word); /* a command without arguments */
void encode_select(struct encbuf *b, int db);

#endif
