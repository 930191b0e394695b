/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ACL file: a line "user NAME RULES" for each user, nothing else.
 *
 * It is written whole, beside the old one, made durable, and then takes its place: a crash leaves
 * one of the two.
 */
#ifndef MILLRACE_APP_ACL_FILE_H
#define MILLRACE_APP_ACL_FILE_H

#include "app/acl/acl.h"

/* Takes the users of the file for all that there are. 0, or -errno with all that is wrong in err,
 * as Redis tells it; then nothing has changed. */
int acl_file_load(struct acl *acl, const char *path, struct textbuf *err);
/* 0, or -errno with the reason in err. */
int acl_file_save(struct acl *acl, const char *path, struct textbuf *err);
/* All users as lines of the file. False: no memory. */
bool acl_lines_print(struct textbuf *tb, struct acl *acl);

#endif
