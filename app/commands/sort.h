/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SORT and SORT_RO, and the values that their patterns lead to.
 *
 * A pattern names one key for each element: its first * stands for the element. Such keys may be in
 * any partition, so a SORT with a pattern that has a * runs with all of them locked; one without
 * takes only the partitions of its keys.
 */
#ifndef MILLRACE_APP_COMMANDS_SORT_H
#define MILLRACE_APP_COMMANDS_SORT_H

#include "app/commands/command.h"
#include "app/keyspace/types/listpack.h"

/* What BY or GET is followed by. Borrows the argument. */
struct sort_pattern {
	bool self;                         /* #: the element itself */
	bool none;                         /* no *: never leads anywhere */
	struct slice before, after, field; /* field.ptr NULL: the key holds the value itself */
};
void sort_pattern_parse(const struct slice *text, struct sort_pattern *p);

/* Room for names of keys. Zeroed: empty. */
struct sort_name {
	char *ptr; /* owned */
	size_t room;
};
void sort_name_fini(struct sort_name *n);

/* A value: as a string or a number, and the entry if it has one of its own. Good while nothing in
 * its key changes. */
struct sort_value {
	struct lp_val val;
	const struct entry *e;
};
enum sort_found {
	SORT_FOUND,
	SORT_NOTHING,
	SORT_NO_MEMORY,
};
/* The value that the pattern leads to from the element. All partitions are locked if it may lead
 * anywhere. */
enum sort_found sort_follow(struct client *c, const struct sort_pattern *p,
	const struct lp_val *elem, struct sort_name *name, struct sort_value *out);
/* A value as text; a number is written into buf. */
struct slice sort_text(const struct lp_val *val, char buf[KS_INT_STR_MAX]);
/* Text that may lie in buf, as a value of its own. */
struct lp_val sort_val(struct slice text, const char *buf);

/* For the table: a command_keys_fn each, and whether all partitions are needed. */
int sort_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max);
int sort_ro_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max);
bool sort_locks_all(const struct slice *argv, uint32_t argc);

void sort_cmd_sort(struct client *c);
void sort_cmd_sort_ro(struct client *c);

#endif
