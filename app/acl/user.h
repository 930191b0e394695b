/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Users: who may log in with which password, and what they may do then.
 *
 * A struct acl_user is one state of a user. It is changed only while nobody else knows it; once it
 * is in the table (acl.h) it is constant, and whoever holds a reference may read it without a lock.
 * A change makes a new one in its place and marks the old one stale. The rules are those of
 * redis.conf: a user has a root selector and any number of further ones, and may do what any of
 * them allows.
 */
#ifndef MILLRACE_APP_ACL_USER_H
#define MILLRACE_APP_ACL_USER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACL_MAX_COMMANDS 512 /* the last bit stands for commands to come */
#define ACL_WORDS        (ACL_MAX_COMMANDS / 64)
#define ACL_HASH_LEN     64 /* SHA-256 as text */

struct acl_commands {
	uint64_t words[ACL_WORDS];
};

static inline bool acl_commands_has(const struct acl_commands *set, unsigned id)
{
	return set->words[id / 64] >> (id % 64) & 1;
}
static inline void acl_commands_change(struct acl_commands *set, unsigned id, bool on)
{
	if (on)
		set->words[id / 64] |= UINT64_C(1) << (id % 64);
	else
		set->words[id / 64] &= ~(UINT64_C(1) << (id % 64));
}

enum acl_access {
	ACL_READ = 1u << 0,
	ACL_WRITE = 1u << 1,
};

struct acl_pattern {
	char *text; /* owned */
	size_t len;
	unsigned access; /* enum acl_access; of keys */
};

struct acl_patterns { /* in the order in which they came */
	struct acl_pattern *at;
	unsigned nr;
};

/* A command that is allowed with one first argument only. */
struct acl_first_arg {
	unsigned id;
	char *text; /* owned */
};

struct acl_selector {
	bool all_commands, all_keys, all_channels;
	struct acl_commands commands;
	struct acl_first_arg *first_args;
	unsigned nr_first_args;
	struct acl_patterns keys, channels;
};

enum acl_sanitize {
	ACL_SANITIZE_UNSAID,
	ACL_SANITIZE_SKIP,
	ACL_SANITIZE_YES,
};

struct acl_password {
	char hash[ACL_HASH_LEN + 1];
};

struct acl_user {
	atomic_uint refs;
	atomic_bool stale; /* it is not in the table any more */
	uint64_t account;  /* the same through all changes of a user, and never another's */
	char *name;        /* no blanks, no NUL */
	size_t name_len;
	bool enabled, nopass;
	bool unrestricted; /* may run everything: acl_user_seal() */
	enum acl_sanitize sanitize;
	struct acl_password *passwords;
	unsigned nr_passwords;
	struct acl_selector *selectors; /* the first is the root */
	unsigned nr_selectors;
};

/* A disabled user with no rights, with one reference. NULL: no memory. */
struct acl_user *acl_user_create(const char *name, size_t len, bool all_channels);
/* A copy that may be changed. */
struct acl_user *acl_user_copy(const struct acl_user *u);
/* Before it goes into the table: sets what follows from the rules. */
void acl_user_seal(struct acl_user *u);
void acl_user_get(struct acl_user *u);
void acl_user_put(struct acl_user *u); /* NULL-safe */

/* A further selector. NULL: no memory. */
struct acl_selector *acl_selector_add(struct acl_user *u, bool all_channels);
void acl_selectors_clear(struct acl_user *u); /* but the root */
/* 0 or -ENOMEM; one that is there already stays where it is, with the access added. */
int acl_patterns_add(struct acl_patterns *list, const char *text, size_t len, unsigned access);
bool acl_patterns_have(const struct acl_patterns *list, const char *text, size_t len);
void acl_patterns_clear(struct acl_patterns *list);
int acl_first_arg_add(struct acl_selector *s, unsigned id, const char *text);
void acl_first_args_clear(struct acl_selector *s); /* of all commands */
void acl_first_args_remove(struct acl_selector *s, unsigned id);
int acl_password_add(struct acl_user *u, const char hash[ACL_HASH_LEN + 1]);
bool acl_password_remove(struct acl_user *u, const char hash[ACL_HASH_LEN + 1]);
void acl_passwords_clear(struct acl_user *u);

/* SHA-256 as text. */
void acl_hash(const void *password, size_t len, char hash[ACL_HASH_LEN + 1]);
/* It is enabled, and the password is one of its (or it needs none). Takes the same time wherever
 * they differ. */
bool acl_user_accepts(const struct acl_user *u, const void *password, size_t len);

#endif
