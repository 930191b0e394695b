/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A file that is there as a whole or not at all: written under another name beside its own, made
 * durable, and then renamed. After a crash at any moment the name means the old file (or none) or
 * the whole new one; what a crash may leave is "<path>.<pid>.tmp".
 */
#ifndef MILLRACE_APP_NEWFILE_H
#define MILLRACE_APP_NEWFILE_H

#include <limits.h>
#include <stddef.h>

struct newfile {
	int fd; /* -1: not open */
	char path[PATH_MAX], tmp[PATH_MAX + 32];
};

/* 0 or -errno; afterwards newfile_commit() or newfile_abort(). */
int newfile_open(struct newfile *f, const char *path);
/* Writes all of it. 0 or -errno. */
int newfile_write(struct newfile *f, const void *buf, size_t len);
/* Makes it durable and gives it its name, in place of what had it. 0, or -errno: then it is as
 * after newfile_abort(). */
int newfile_commit(struct newfile *f);
void newfile_abort(struct newfile *f);

#endif
