/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of bitmap_commands, and what they share. Each runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_BITMAP_CMDS_H
#define MILLRACE_APP_COMMANDS_BITMAP_CMDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct slice;

/* Reads the offset of a bit. width: 0, or the width of the field that "#n" counts in. Replies the
 * error. */
bool bitmap_offset_arg(struct client *c, const struct slice *arg, unsigned width, uint64_t *offset);
/* Makes the string at argv[1] long enough for max_bit and gives its bytes and length for
 * writing, until the lock is released. grown: it was shorter before. Returns false after
 * replying the error. */
bool bitmap_edit(
	struct client *c, uint64_t max_bit, unsigned char **bytes, size_t *len, bool *grown);

/* bitmap.c */
void bitmap_cmd_bitcount(struct client *c);
void bitmap_cmd_bitop(struct client *c);
void bitmap_cmd_bitpos(struct client *c);
void bitmap_cmd_getbit(struct client *c);
void bitmap_cmd_setbit(struct client *c);

/* bitmap_field.c */
void bitmap_cmd_bitfield(struct client *c);
void bitmap_cmd_bitfield_ro(struct client *c);

#endif
