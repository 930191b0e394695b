/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading an RDB through without keeping it: its structure, its checksum, and each value, which is
 * built as a node would and let go.
 */
#ifndef MILLRACE_APP_POOL_RDB_CHECK_H
#define MILLRACE_APP_POOL_RDB_CHECK_H

#include <stddef.h>
#include <stdint.h>

struct rdb_check;

/* Returns owned, or NULL without memory. */
struct rdb_check *rdb_check_create(void);
/* NULL-safe, sets NULL. */
void rdb_check_destroy(struct rdb_check **c);
/* Takes the next bytes. 0 or -EBADMSG: rdb_check_fault() tells why. */
int rdb_check_feed(struct rdb_check *c, const void *data, size_t len);
/* There is no more. 0 or -EBADMSG. */
int rdb_check_finish(struct rdb_check *c);
/* One line, borrowed. */
const char *rdb_check_fault(struct rdb_check *c);
uint64_t rdb_check_nr_keys(const struct rdb_check *c);
unsigned rdb_check_version(const struct rdb_check *c);

#endif
